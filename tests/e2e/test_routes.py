"""Ways out with names of their own: by sender, by recipient, after failures, by an administrator's word."""

from harness import ServerCase, binary, certificate, message, message_id, run, scratch, until
from remote import Remote


class Routes(ServerCase):

    @classmethod
    def setUpClass(cls):
        cls.usual, cls.busy = Remote(certificate=certificate()), Remote(certificate=certificate())
        cls.provider = Remote(certificate=certificate(), logins={"relais": "s3cret"})
        cls.busy.decide = lambda verb, argument, session: "451 4.3.2 Not today" if verb == "RCPT" else None
        for one in (cls.usual, cls.busy, cls.provider):
            cls.addClassCleanup(one.close)
        password = scratch() / "provider.password"
        password.write_text("s3cret\n")
        provider = {"host": "127.0.0.1", "port": cls.provider.port, "tls": "none", "login": "relais", "password_file": password}
        cls.options = dict(
            hostname="mx.near.test",
            settings={"queue": {"source_addresses": ["127.0.0.9"]}},
            destinations={"remote.test": ("127.0.0.1", cls.usual.port), "busy.test": ("127.0.0.1", cls.busy.port),
                          "later.test": ("127.0.0.1", cls.busy.port)},
            routes=[
                dict(provider, name="provider", senders=["alice@near.test"]),
                dict(provider, name="second", recipient_domains=["later.test"], after_failures=1),
                dict(provider, name="by-hand"),
            ])
        super().setUpClass()

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_accounts("alice@near.test", "bob@near.test")

    def send(self, sender, to):
        mid = message_id()
        self.relais.submit(sender, to, message(to=to, sender=sender, mid=mid))
        return mid

    def got(self, remote, mid):
        messages = remote.wait(lambda messages: any(mid.encode() in one.content for one in messages))
        return next(one for one in messages if mid.encode() in one.content)

    def tried(self, to):
        """The entry of a recipient, once it was tried."""
        def look():
            return [one for one in self.relais.json("queue", "list", "--recipient", to) if one["attempts"] > 0]
        return until(look, what="an attempt")[0]

    def test_a_sender_has_a_way_of_their_own(self):
        mid = self.send("alice@near.test", "one@remote.test")
        self.assertEqual(self.got(self.provider, mid).session.login, "relais")
        told = "by the route provider (to [127.0.0.1]:%d): mail from <alice@near.test> goes there" % self.provider.port
        until(lambda: told in self.relais.cli("trace", "--message-id", mid), what="the trace to name the route")
        explained = self.relais.cli("explain", "alice@near.test", "one@remote.test", "--logged-in-as", "alice@near.test")
        self.assertIn("leaves " + told, explained)
        other = self.send("bob@near.test", "two@remote.test")
        self.assertEqual(self.got(self.usual, other).session.peer, "127.0.0.9")
        explained = self.relais.cli("explain", "bob@near.test", "one@remote.test", "--logged-in-as", "bob@near.test")
        self.assertIn("the host that the configuration has for remote.test", explained)

    def test_after_a_failure_the_fall_back_takes_it(self):
        mid = self.send("bob@near.test", "three@later.test")
        entry = self.tried("three@later.test")
        self.assertIn("by the route second", entry["way"])
        self.assertEqual(entry["class"], "person")
        self.relais.cli("queue", "retry", str(entry["id"]))
        self.assertEqual(self.got(self.provider, mid).recipients, ["three@later.test"])
        until(lambda: "it has failed once" in self.relais.cli("trace", "--message-id", mid), what="the trace to tell why")

    def test_an_administrator_sends_it_by_a_route(self):
        mid = self.send("bob@near.test", "four@busy.test")
        entry = self.tried("four@busy.test")
        refused = self.relais.run("queue", "reroute", str(entry["id"]), "--route", "nowhere")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("it has: provider, second, by-hand", refused.stderr)
        both = self.relais.run("queue", "reroute", str(entry["id"]), "--route", "by-hand", "--to", "remote.test")
        self.assertNotEqual(both.returncode, 0)
        self.assertIn("by the route by-hand", self.relais.cli("queue", "reroute", str(entry["id"]), "--route", "by-hand"))
        self.assertEqual(self.got(self.provider, mid).recipients, ["four@busy.test"])
        until(lambda: "an administrator has sent it by the route by-hand" in self.relais.cli("trace", "--message-id", mid),
              what="the trace to tell why")

    def test_a_route_that_is_wrong_stops_the_start(self):
        config = self.relais.config_text() + '[[queue.route]]\nname = "provider"\nhost = "127.0.0.1"\n'
        file = scratch() / "wrong.toml"
        file.write_text(config)
        refused = run([binary(), "--config", file, "queue", "list"])
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn('there is a route "provider" already', refused.stderr)
