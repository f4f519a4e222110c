"""What an account may send in a day: a stolen password, the letters about it, and a restart."""

import smtplib

from harness import PASSWORD, message, tls_context
from remote import RelayCase


class SendingLimits(RelayCase):

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_account("alice@near.test")
        server.add_account("boss@near.test", role="administrator", language="fr")

    def refused(self, recipients):
        """The reply to a message of Alice that is not taken."""
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context()) as client:
            client.login("alice@near.test", PASSWORD)
            with self.assertRaises((smtplib.SMTPDataError, smtplib.SMTPSenderRefused)) as caught:
                client.sendmail("alice@near.test", recipients, message(to=recipients[0], sender="alice@near.test"))
            return caught.exception.smtp_code, caught.exception.smtp_error.decode()

    def test_a_stolen_password_comes_to_an_end(self):
        self.relais.cli("account", "set", "alice@near.test", "--first-time-per-day", "3", "--messages-per-day", "6")
        for stranger in range(3):
            to = "stranger%d@remote.test" % stranger
            self.relais.submit("alice@near.test", to, message(to=to, sender="alice@near.test"))
        code, text = self.refused(["more@remote.test"])
        self.assertEqual(code, 452)
        self.assertIn("3 people that it never wrote to before", text)
        # What was refused has its trace, found by sender and recipient.
        told = self.relais.cli("trace", "--recipient", "more@remote.test")
        self.assertIn("3 people that it never wrote to before", told)
        # Whoever uses the account, and who administers it, have a letter each; in their language.
        own = self.relais.wait_message("alice@near.test", lambda octets: b"can send no more messages today" in octets)
        self.assertIn(b"change it at once", own)
        self.relais.wait_message("boss@near.test", lambda octets: b"Content-Language: fr" in octets and b"Auto-Submitted" in octets)
        self.remote.wait(lambda messages: len(list(messages)) >= 3, what="three messages outside")
        self.assertFalse([one for one in self.remote.messages if "more@remote.test" in one.recipients])
        # A restart forgets nothing, and nobody is told twice.
        self.relais.restart()
        self.assertEqual(self.refused(["more@remote.test"])[0], 452)
        self.assertEqual(len(self.relais.messages("boss@near.test")), 1)
        shown = self.relais.cli("account", "show", "alice@near.test")
        self.assertIn("3 of 6 messages, 3 of 3000 recipients, 3 of 3 for the first time; a limit was reached", shown)
        # Whom she has written to she still writes to, until the messages of the day are used up.
        for _ in range(3):
            self.relais.submit("alice@near.test", "stranger1@remote.test", message(to="stranger1@remote.test", sender="alice@near.test"))
        code, text = self.refused(["stranger1@remote.test"])
        self.assertEqual(code, 452)
        self.assertIn("6 messages in a day", text)
        self.assertIn("6 messages in a day", self.relais.cli("trace", "--sender", "alice@near.test", "--limit", "1"))
        self.relais.cli("account", "set", "alice@near.test", "--forget-today", "--default-per-day")
        self.relais.submit("alice@near.test", "more@remote.test", message(to="more@remote.test", sender="alice@near.test"))
        self.relais.stop()
        self.relais.check()
        self.relais.start()
