"""What an idle IMAP client costs."""

import resource
import unittest

from harness import ServerCase, log, message

CLIENTS = 1000
OCTETS_MAX = 64 << 10


class Memory(ServerCase):

    options = dict(settings={"limits": {"imap_connections_per_address_max": 2 * CLIENTS}})

    @classmethod
    def prepare(cls, server):
        server.add_domain("example.test")
        cls.users = ["u%d@example.test" % n for n in range(20)]
        server.add_accounts(*cls.users)

    @classmethod
    def setUpClass(cls):
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        if hard < CLIENTS * 3:
            raise unittest.SkipTest("only %d open files are allowed" % hard)
        # The server inherits it.
        resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 20_000), hard))
        super().setUpClass()

    def connect(self, count):
        for n in range(count):
            client = self.relais.imap(self.users[n % len(self.users)])
            self.addCleanup(client.close)
            client.must("SELECT INBOX")
            client.idle()
            yield client

    def test_idle_clients(self):
        for user in self.users:
            for _ in range(3):
                self.relais.send("writer@remote.test", user, message())
        # The first ones warm everything up.
        list(self.connect(100))
        before = self.relais.rss()
        clients = list(self.connect(CLIENTS))
        each = (self.relais.rss() - before) / CLIENTS
        log("%d idle TLS clients: %.1f KiB each (the server: %.1f MiB)" % (CLIENTS, each / 1024, self.relais.rss() / 2 ** 20))
        self.assertLess(each, OCTETS_MAX)
        # They are alive: a delivery wakes each session that watches.
        self.relais.send("writer@remote.test", self.users[0], message())
        for client in clients[::len(self.users)]:
            self.assertEqual(client.response(), "* 4 EXISTS")


if __name__ == "__main__":
    unittest.main()
