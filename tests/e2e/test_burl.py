"""BURL (RFC 4468): messages in the store are submitted by URLs that IMAP has authorised, with Python's imaplib and smtplib."""

import imaplib
import smtplib

from harness import PASSWORD, message, message_id, tls_context
from remote import RelayCase

ALICE, BOB = "alice@near.test", "bob@near.test"
# RFC 4467, which imaplib does not know.
imaplib.Commands.update(GENURLAUTH=("AUTH", "SELECTED"), RESETKEY=("AUTH", "SELECTED"))


class Burl(RelayCase):

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_accounts(ALICE, BOB)
        server.set("limits", message_octets_max=200000)

    def stored(self, octets, user=ALICE):
        """Puts a message into Drafts: its UID."""
        with self.relais.imaplib(user) as client:
            answer, data = client.append("Drafts", r"(\Draft)", None, octets)
            self.assertEqual(answer, "OK", data)
            return int(data[0].split(b"APPENDUID ")[1].split(b"]")[0].split()[1])

    def url(self, uid, access, user=ALICE, more="", maker=None):
        """A URL that the user authorises."""
        plain = "imap://%s@%s/Drafts/;UID=%d%s;URLAUTH=%s" % (user.replace("@", "%40"), self.relais.hostname, uid, more, access)
        with self.relais.imaplib(maker or user) as client:
            tag = client._new_tag()
            client.send(tag + b' GENURLAUTH "%s" INTERNAL\r\n' % plain.encode())
            line = client.readline()
            self.assertTrue(line.startswith(b"* GENURLAUTH "), line)
            client.readline()
        return line.split()[2].strip(b'"').decode()

    def client(self, user=ALICE, options=(), to=("far@remote.test",)):
        client = smtplib.SMTP_SSL("localhost", self.relais.ports["submissions"], timeout=30, context=tls_context())
        self.addCleanup(client.close)
        client.ehlo("client.test")
        self.assertEqual(client.esmtp_features["burl"].strip(), "")
        client.login(user, PASSWORD)
        client.ehlo("client.test")
        self.assertEqual(client.esmtp_features["burl"].strip(), "imap")
        self.begin(client, user, options, to)
        return client

    def begin(self, client, user=ALICE, options=(), to=("far@remote.test",)):
        self.assertEqual(client.mail(user, options)[0], 250)
        for one in to:
            self.assertEqual(client.rcpt(one)[0], 250)

    def arrived(self, mid):
        got = self.remote.wait(lambda messages: any(mid.encode() in one.content for one in messages))
        return next(one.content for one in got if mid.encode() in one.content)

    def submit(self):
        return "submit+" + ALICE.replace("@", "%40")

    def test_a_draft_is_sent_without_being_uploaded_again(self):
        mid = message_id()
        uid = self.stored(message(to="far@remote.test", sender=ALICE, mid=mid, body="x" * 70 + "\r\n", headers=[("Bcc", "hidden@remote.test")]))
        url = self.url(uid, self.submit())
        client = self.client(to=("far@remote.test", BOB))
        code, text = client.docmd("BURL", url + " LAST")
        self.assertEqual(code, 250, text)
        sent = self.arrived(mid)
        self.assertIn(b"x" * 70, sent)
        self.assertNotIn(b"hidden@remote.test", sent)
        self.relais.wait_message(BOB, lambda octets: mid.encode() in octets)
        # The token is as good as a password: the log has none.
        self.assertNotIn(url.rsplit(":", 1)[1], self.relais.log_text())

    def test_a_forward_of_pieces(self):
        inner, mid = message_id(), message_id()
        uid = self.stored(message(to=ALICE, sender="writer@far.test", mid=inner, body="A long text. " * 8000 + "\r\n"))
        whole, text = self.url(uid, self.submit()), self.url(uid, self.submit(), more=";SECTION=TEXT/;PARTIAL=0.12")
        head = ("From: %s\r\nTo: far@remote.test\r\nSubject: Fwd\r\nMessage-ID: %s\r\nMIME-Version: 1.0\r\n"
                "Content-Type: multipart/mixed; boundary=\"=_x\"\r\n\r\n--=_x\r\n\r\n" % (ALICE, mid)).encode()
        client = self.client()
        between = b"\r\n--=_x\r\nContent-Type: message/rfc822\r\n\r\n"
        end = b"\r\n--=_x--\r\n"
        # All in one go (RFC 4468 section 3.2).
        client.send(b"BDAT %d\r\n%s" % (len(head), head) + b"BURL %s\r\n" % text.encode() + b"BDAT %d\r\n%s" % (len(between), between)
                    + b"BURL %s\r\n" % whole.encode() + b"BDAT %d LAST\r\n%s" % (len(end), end))
        for _ in range(5):
            code, said = client.getreply()
            self.assertEqual(code, 250, said)
        sent = self.arrived(mid)
        self.assertIn(b"--=_x\r\n\r\nA long text.\r\n--=_x\r\n", sent)
        self.assertIn(inner.encode(), sent)
        self.assertEqual(sent.count(b"A long text. "), 8000)

    def refused(self, url, user=ALICE, status="554 5.7.0", last=" LAST"):
        client = self.client(user)
        code, text = client.docmd("BURL", url + last)
        self.assertTrue(("%d %s" % (code, text.decode())).startswith(status), (code, text))
        return client

    def test_who_may_use_a_url(self):
        mid = message_id()
        uid = self.stored(message(to="far@remote.test", sender=ALICE, mid=mid))
        url = self.url(uid, self.submit())
        # Somebody else's; a token that is none; for sessions of IMAP alone; over.
        self.refused(url, user=BOB)
        self.refused(url[:-4] + "0000" if not url.endswith("0000") else url[:-4] + "1111")
        self.refused(self.url(uid, "user+" + ALICE.replace("@", "%40")))
        self.refused(url.replace(";UID=%d" % uid, ";UID=%d" % (uid + 1)))
        # Not authorised at all, of another server, of no message, of another kind.
        self.refused(url.split(";URLAUTH")[0], status="554 5.7.14")
        self.refused(url.replace(self.relais.hostname, "elsewhere.test"), status="554 5.7.14")
        self.refused("imap://%s/" % self.relais.hostname, status="554 5.6.6")
        self.refused("https://%s/x" % self.relais.hostname, status="504 5.5.4")
        # What is not there.
        self.refused(self.url(uid, self.submit(), more=";SECTION=9"), status="554 5.6.6")
        # A failure ends the message, whatever its client sends behind it.
        client = self.refused(url, user=BOB, last="")
        client.send(b"BDAT 6 LAST\r\nlost\r\n")
        self.assertEqual(client.getreply()[0], 503)
        # Whoever has logged in.
        code, text = self.client(BOB).docmd("BURL", self.url(uid, "authuser") + " LAST")
        self.assertEqual(code, 550, text)
        self.assertIn(b"may not send as", text, "the sender is checked as ever")
        # Void with its key.
        with self.relais.imaplib(ALICE) as one:
            self.assertEqual(one._simple_command("RESETKEY", "Drafts", "INTERNAL")[0], "OK")
        self.refused(url)
        self.assertFalse([one for one in self.remote.messages if mid.encode() in one.content])

    def test_the_size_of_all_pieces_counts(self):
        uid = self.stored(message(to="far@remote.test", sender=ALICE, body=("x" * 70 + "\r\n") * 1500))
        url = self.url(uid, self.submit())
        client = self.client()
        self.assertEqual(client.docmd("BURL", url)[0], 250)
        code, text = client.docmd("BURL", url + " LAST")
        self.assertEqual((code, text[:5]), (552, b"5.3.4"))
        # The connection goes on.
        self.begin(client)
        self.assertEqual(client.docmd("BURL", url + " LAST")[0], 250)

    def test_not_for_other_servers(self):
        with self.relais.smtp() as client:
            self.assertNotIn("BURL", client.extensions)
            self.assertEqual(client.command("BURL imap://x/y/;UID=1 LAST").code, 502)
