"""Forwards to another server: the reverse-path that they leave with, the message that stays as it came, and the bounce that comes back."""

from harness import message, message_id
from remote import RelayCase


class Forwards(RelayCase):
    far = ("remote.test", "writer.test")

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_account("alice@near.test")
        server.add_alias("away@near.test", "alice@remote.test")

    def outside(self, recipient, count=1):
        mine = lambda messages: [one for one in list(messages) if recipient in one.recipients]
        self.remote.wait(lambda messages: len(mine(messages)) >= count, what="%d messages to %s" % (count, recipient))
        return mine(self.remote.messages)

    def test_a_bounce_of_a_forward_reaches_the_first_sender(self):
        mid = message_id()
        octets = message(to="away@near.test", sender="Zoe.B@writer.test", mid=mid)
        self.relais.send("Zoe.B@writer.test", "away@near.test", octets)
        there = self.outside("alice@remote.test")[-1]
        self.assertRegex(there.sender, r"^SRS0=[A-Z2-7]{8}=[A-Z2-7]{2}=writer\.test=Zoe\.B@near\.test$")
        self.assertTrue(there.content.endswith(octets), there.content)
        # The other server reports, as every server does.
        report = message(to=there.sender, sender="mailer-daemon@remote.test", subject="Undelivered")
        self.relais.send("", there.sender.lower(), report)
        back = self.outside("zoe.b@writer.test")[-1]
        self.assertEqual(back.sender, "")
        trace = self.relais.cli("trace", "--message-id", mid.strip("<>"))
        self.assertIn("so that SPF passes there", trace)
        # It is no way to write through this server.
        with self.relais.smtp() as client:
            replies = client.envelope("spam@elsewhere.test", there.sender)
            self.assertEqual(replies[-1].status, "550 5.7.1", replies)
        with self.relais.smtp() as client:
            replies = client.envelope("", there.sender.replace("Zoe.B", "Max"))
            self.assertEqual(replies[-1].status, "550 5.1.1", replies)
        self.relais.stop()
        self.relais.check()
        self.relais.start()
