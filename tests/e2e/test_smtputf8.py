"""Addresses and headers beyond ASCII from end to end: in by SMTPUTF8, into IMAP, and out to servers with it and without."""

import base64
import smtplib

from harness import PASSWORD, ServerCase, certificate, message_id, tls_context
from remote import Remote


def letter(mid, to):
    """A message with a header in UTF-8 (RFC 6532)."""
    return ("From: Zoë <zoë@weit.test>\r\nTo: %s\r\nSubject: Grüße aus Köln\r\nMessage-ID: %s\r\n"
            "Date: Sat, 28 Nov 2026 10:00:00 +0000\r\n\r\nGuten Tag.\r\n" % (to, mid)).encode()


class SmtpUtf8(ServerCase):

    @classmethod
    def setUpClass(cls):
        cls.modern = Remote(certificate=certificate())
        cls.plain = Remote(certificate=certificate(), extensions=("PIPELINING", "8BITMIME"))
        for one in (cls.modern, cls.plain):
            cls.addClassCleanup(one.close)
        cls.options = dict(hostname="mx.near.test", destinations={
            "modern.test": ("127.0.0.1", cls.modern.port), "plain.test": ("127.0.0.1", cls.plain.port)})
        super().setUpClass()

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_account("alice@near.test")
        server.add_account("bob@near.test")
        server.add_account("zoë@near.test")
        server.add_alias("josé@near.test", "alice@near.test")

    def test_in_and_into_imap(self):
        mid = message_id()
        with smtplib.SMTP("127.0.0.1", self.relais.ports["mx"], timeout=30) as client:
            client.ehlo("client.test")
            client.sendmail("zoë@weit.test", ["josé@near.test"], letter(mid, "josé@near.test"), mail_options=["SMTPUTF8"])
        octets = self.relais.wait_message("alice@near.test", lambda octets: mid.encode() in octets)
        self.assertIn("Return-Path: <zoë@weit.test>\r\n".encode(), octets)
        self.assertIn(b"with UTF8SMTP", octets)
        self.assertIn("Subject: Grüße aus Köln\r\n".encode(), octets)
        with self.relais.imap("alice@near.test") as client:
            client.must("ENABLE UTF8=ACCEPT")
            client.must("SELECT INBOX")
            found = client.must('UID SEARCH HEADER Subject "Köln"')
            self.assertTrue(found.lines(r"SEARCH \d"), found)
            envelope = "".join(client.must("FETCH * ENVELOPE").untagged)
            for part in ("Grüße aus Köln", "zoë"):
                self.assertTrue(part in envelope or part.encode().decode("latin-1") in envelope, envelope)
        # Who has not enabled it has the same octets, as `docs/quirks.md` says.
        with self.relais.imap("alice@near.test") as client:
            client.must("SELECT INBOX")
            self.assertTrue(client.must("FETCH * BODY.PEEK[HEADER.FIELDS (SUBJECT)]").untagged)

    def submitted(self, to):
        mid = message_id()
        octets = letter(mid, to).replace("Zoë <zoë@weit.test>".encode(), b"bob@near.test")
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context()) as client:
            client.login("bob@near.test", PASSWORD)
            client.sendmail("bob@near.test", [to], octets, mail_options=["SMTPUTF8"])
        return mid

    def test_replies_are_ascii(self):
        # RFC 6531 §3.7.4.2: only VRFY and EXPN with SMTPUTF8 are answered with more.
        self.relais.cli("group", "add", "team@near.test", "--member", "bob@near.test", "--member", "zoë@near.test")
        foreign = letter(message_id(), "alice@near.test").replace("zoë@weit.test".encode(), "josé@near.test".encode())
        with self.relais.smtp("submissions") as client:
            response = base64.b64encode(b"\0bob@near.test\0" + PASSWORD.encode())
            self.assertEqual(client.command(b"AUTH PLAIN " + response).code, 235)
            for parameter in ("", " SMTPUTF8"):
                self.assertEqual(client.command("MAIL FROM:<bob@near.test>" + parameter).code, 250)
                self.assertEqual(client.command("RCPT TO:<alice@near.test>").code, 250)
                reply = client.data(foreign)
                self.assertEqual(reply.status, "550 5.7.1", reply)
                self.assertIn("You may not send as jos\\x{E9}@near.test", reply.text)
            for line, status in (("VRFY zoë@near.test", "252 2.6.8"), ("EXPN team@near.test", "550 5.6.8"),
                                 ("VRFY zoë@near.test SMTPUTF8", "250 2.1.5"), ("EXPN team@near.test SMTPUTF8", "250 2.1.5")):
                reply = client.command(line)
                self.assertEqual(reply.status, status, (line, reply))
                self.assertEqual("zo" + chr(0xeb) in reply.text, "SMTPUTF8" in line, reply)

    def test_out_to_a_server_that_knows_it(self):
        mid = self.submitted("müller@modern.test")
        got = self.modern.wait(lambda messages: any(mid.encode() in one.content for one in messages))
        one = next(one for one in got if mid.encode() in one.content)
        self.assertEqual(one.recipients, ["müller@modern.test"])
        self.assertIn("Subject: Grüße aus Köln\r\n".encode(), one.content)
        self.assertTrue(any("SMTPUTF8" in line for line in one.session.commands if line.upper().startswith("MAIL")))

    def test_out_to_a_server_that_does_not(self):
        mid = self.submitted("müller@plain.test")
        report = self.relais.wait_message("bob@near.test", lambda octets: mid.encode() in octets and b"Action: failed" in octets)
        self.assertIn(b"Status: 5.6.7", report)
        self.assertIn("müller@plain.test".encode(), report)
        self.assertFalse([one for one in self.plain.messages if mid.encode() in one.content])
