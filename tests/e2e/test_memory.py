"""What an idle IMAP client costs, and that messages stream."""

import base64
import os
import resource
import threading
import unittest

from harness import ServerCase, log, message, message_id
from remote import Remote

CLIENTS = 1000
OCTETS_MAX = 24 << 10


class Memory(ServerCase):

    options = dict(settings={"limits": {"imap_connections_per_address_max": 2 * CLIENTS}})

    @classmethod
    def prepare(cls, server):
        cls.remote = Remote()
        cls.addClassCleanup(cls.remote.close)
        server.destinations = {"far.test": ("127.0.0.1", cls.remote.port)}
        server.write_config()
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

    def test_large_messages_stream(self):
        """Memory does not grow with the size of the messages that come in and go out at once."""
        noise = base64.b64encode(os.urandom(57 * 16_384))
        body = "".join(noise[at:at + 76].decode() + "\r\n" for at in range(0, len(noise), 76)) * 6
        mids, peak, errors = [message_id() for _ in range(8)], [0], []
        user = self.users[1]
        stop = threading.Event()

        def watch():
            while not stop.wait(0.02):
                peak[0] = max(peak[0], self.relais.rss())

        def work(job, mid):
            try:
                job(mid)
            except Exception as error:
                errors.append(error)

        def send(mid):
            with self.relais.smtp() as client:
                client.deliver("writer@remote.test", user, message(to=user, mid=mid, body=body))

        def fetch(mid):
            with self.relais.imap(user) as client:
                client.must("SELECT INBOX")
                number = client.must('SEARCH HEADER Message-ID "%s"' % mid).untagged[0].split()[2]
                answer = client.must("FETCH %s (BODY.PEEK[])" % number)
                assert len(answer.untagged[0]) > len(body), "the message came back short"

        # A first one, so that what is kept for all messages is there.
        send(message_id())
        before = self.relais.rss()
        watcher = threading.Thread(target=watch)
        watcher.start()
        grown = {}
        for name, job in (("in", send), ("out", fetch)):
            peak[0] = 0
            threads = [threading.Thread(target=work, args=(job, mid)) for mid in mids]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            grown[name] = peak[0] - before
        stop.set()
        watcher.join()
        if errors:
            raise errors[0]
        log("8 messages of %.0f MiB at once: %.0f MiB more in, %.0f MiB more out" % (
            len(body) / 2 ** 20, grown["in"] / 2 ** 20, grown["out"] / 2 ** 20))
        self.assertLess(max(grown.values()), 40 << 20)

    def test_relaying_streams(self):
        """Memory does not grow with the size of the messages that are relayed at once."""
        noise = base64.b64encode(os.urandom(57 * 16_384))
        body = "".join(noise[at:at + 76].decode() + "\r\n" for at in range(0, len(noise), 76)) * 24
        user = self.users[2]
        # All are accepted first: what comes in is measured above. The far side takes nothing until they are.
        go = threading.Event()
        self.remote.decide = lambda verb, argument, session: None if go.wait(60) else "421 4.3.2 never"
        self.addCleanup(go.set)
        already = len(self.remote.messages)
        for n in range(4):
            self.relais.submit(user, "r%d@far.test" % n, message(sender=user, to="r@far.test", body=body))
        before, peak, stop = self.relais.rss(), [0], threading.Event()

        def watch():
            while not stop.wait(0.02):
                peak[0] = max(peak[0], self.relais.rss())

        watcher = threading.Thread(target=watch)
        watcher.start()
        go.set()
        received = self.remote.wait_count(already + 4, seconds=120)[already:]
        stop.set()
        watcher.join()
        for one in received:
            self.assertGreater(len(one.content), len(body), "the message went on short")
        grown = peak[0] - before
        log("4 messages of %.0f MiB relayed at once: %.0f MiB more" % (len(body) / 2 ** 20, grown / 2 ** 20))
        # One of them alone is as large as this.
        self.assertLess(grown, len(body))


if __name__ == "__main__":
    unittest.main()
