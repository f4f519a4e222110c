"""The queue in hand: why an entry waits, another way for it, and the end of it with a word to its sender."""

from harness import ServerCase, certificate, message, message_id, until
from remote import Remote


class Queue(ServerCase):

    @classmethod
    def setUpClass(cls):
        cls.remote, cls.busy = Remote(certificate=certificate()), Remote(certificate=certificate())
        cls.busy.decide = lambda verb, argument, session: "451 4.3.2 Not today" if verb == "RCPT" else None
        for one in (cls.remote, cls.busy):
            cls.addClassCleanup(one.close)
        cls.options = dict(hostname="mx.near.test", destinations={
            "remote.test": ("127.0.0.1", cls.remote.port), "busy.test": ("127.0.0.1", cls.busy.port)})
        super().setUpClass()

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_account("alice@near.test")

    def waiting(self, to):
        """A message that the other side does not take now; the number of its entry."""
        mid = message_id()
        self.relais.submit("alice@near.test", to, message(to=to, sender="alice@near.test", mid=mid))
        def tried():
            return [one for one in self.relais.json("queue", "list", "--recipient", to) if one["attempts"] > 0]
        return until(tried, what="an attempt")[0]["id"], mid

    def test_an_entry_says_why_it_waits_and_goes_another_way(self):
        entry, mid = self.waiting("one@busy.test")
        told = self.relais.cli("queue", "show", str(entry))
        self.assertRegex(told, r"why it waits +it was tried once; .*451 4\.3\.2 Not today; it is tried again ")
        self.assertEqual(self.relais.json("queue", "list", "--sender", "@elsewhere.test"), [])
        refused = self.relais.run("queue", "reroute", str(entry), "--to", "near.test")
        self.assertNotEqual(refused.returncode, 0)
        self.assertIn("is a domain of this server", refused.stderr)
        self.assertIn("1 queue entry", self.relais.cli("queue", "reroute", "--recipient-domain", "busy.test", "--to", "remote.test"))
        got = self.remote.wait(lambda messages: any("one@busy.test" in one.recipients for one in messages))
        self.assertTrue(any(mid.encode() in one.content for one in got))
        until(lambda: not self.relais.json("queue", "list", "--recipient", "one@busy.test"), what="the entry to be done")

    def test_a_cancelled_entry_is_reported_to_its_sender(self):
        entry, mid = self.waiting("two@busy.test")
        wrong = self.relais.run("queue", "cancel")
        self.assertNotEqual(wrong.returncode, 0)
        self.assertNotEqual(self.relais.run("queue", "cancel", str(entry), "--all").returncode, 0)
        self.assertIn("0 queue entries", self.relais.cli("queue", "cancel", "--sender", "alice@near.test", "--older-than", "1d"))
        self.assertIn("1 queue entry cancelled", self.relais.cli("queue", "cancel", str(entry)))
        report = self.relais.wait_message("alice@near.test", lambda octets: b"two@busy.test" in octets)
        for part in (b"Action: failed", b"Status: 5.3.0", b"Final-Recipient: rfc822;two@busy.test", mid.encode()):
            self.assertIn(part, report)
        self.assertIn("cancelled by an administrator", self.relais.cli("trace", "--message-id", mid))
        self.assertEqual(self.relais.json("queue", "list", "--recipient", "two@busy.test"), [])
        self.relais.stop()
        self.relais.check()
        self.relais.start()
