"""COMPRESS, SCRAM, BINARY, MULTIAPPEND, CATENATE, PREVIEW, URLAUTH: with the standard library's zlib, hashlib, email and imaplib on
the other side."""

import email
import email.policy
import hashlib
import imaplib
import re
import unittest
import zlib
from email.message import EmailMessage

from harness import PASSWORD, ServerCase, message, tls_context
from sasl import Scram


def hang_up(client):
    try:
        client.shutdown()
    except OSError:
        pass  # LOGOUT has closed it already.


class Deflated(imaplib.IMAP4_SSL):
    """imaplib that compresses (RFC 4978)."""

    def compress(self):
        typ, data = self._simple_command("COMPRESS", "DEFLATE")
        assert typ == "OK", data
        self.packer, self.unpacker, self.plain = zlib.compressobj(9, zlib.DEFLATED, -15), zlib.decompressobj(-15), b""
        self.received = 0

    def _more(self):
        octets = self.sock.recv(65536)
        if not octets:
            raise self.abort("socket error: EOF")
        self.received += len(octets)
        self.plain += self.unpacker.decompress(octets)

    def read(self, size):
        if not hasattr(self, "packer"):
            return super().read(size)
        while len(self.plain) < size:
            self._more()
        octets, self.plain = self.plain[:size], self.plain[size:]
        return octets

    def readline(self):
        if not hasattr(self, "packer"):
            return super().readline()
        while b"\n" not in self.plain:
            self._more()
        return self.read(self.plain.index(b"\n") + 1)

    def send(self, data):
        if not hasattr(self, "packer"):
            return super().send(data)
        super().send(self.packer.compress(data) + self.packer.flush(zlib.Z_SYNC_FLUSH))


imaplib.Commands.setdefault("COMPRESS", ("AUTH", "SELECTED"))


class Content(ServerCase):

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        cls.users = ["content%02d@example.test" % n for n in range(12)]
        server.add_accounts(*cls.users)

    def setUp(self):
        self.user = type(self).users.pop()

    def connect(self, kind=imaplib.IMAP4_SSL):
        client = kind("127.0.0.1", self.relais.ports["imaps"], ssl_context=tls_context(), timeout=30)
        self.addCleanup(hang_up, client)
        return client

    def client(self):
        client = self.connect()
        client.login(self.user, PASSWORD)
        return client

    def command(self, client, octets):
        """Sends a command as it is; the lines and literals of its answer, up to the tagged one."""
        tag = client._new_tag()
        client.send(tag + b" " + octets + b"\r\n")
        answer = b""
        while True:
            line = client.readline()
            if line.startswith(tag + b" "):
                return answer, line[len(tag) + 1:]
            answer += line
            literal = re.search(rb"\{(\d+)\}\r\n$", line)
            if literal:
                answer += client.read(int(literal.group(1)))

    def test_scram_without_channel_binding(self):
        for hash_name, mechanism in [("sha1", "SCRAM-SHA-1"), ("sha256", "SCRAM-SHA-256")]:
            client = self.connect()
            self.assertIn("AUTH=" + mechanism, client.capabilities)
            # The keys were made when the password was set: no login came before.
            status, data = client.authenticate(mechanism, Scram(self.user, PASSWORD, hash_name))
            self.assertEqual(status, "OK", data)
            self.assertEqual(client.select()[0], "OK")
        client = self.connect()
        with self.assertRaises(imaplib.IMAP4.error):
            client.authenticate("SCRAM-SHA-256", Scram(self.user, PASSWORD + "x", "sha256"))
        client = self.connect()
        with self.assertRaises(imaplib.IMAP4.error):
            client.authenticate("SCRAM-SHA-256", Scram("nobody@example.test", PASSWORD, "sha256"))

    def test_scram_bound_to_the_servers_certificate(self):
        for hash_name, mechanism in [("sha1", "SCRAM-SHA-1-PLUS"), ("sha256", "SCRAM-SHA-256-PLUS")]:
            client = self.connect()
            self.assertIn("AUTH=" + mechanism, client.capabilities)
            binding = hashlib.sha256(client.sock.getpeercert(binary_form=True)).digest()
            scram = Scram(self.user, PASSWORD, hash_name, "p=tls-server-end-point,,", binding)
            status, data = client.authenticate(mechanism, scram)
            self.assertEqual(status, "OK", data)
        client = self.connect()
        scram = Scram(self.user, PASSWORD, "sha256", "p=tls-server-end-point,,", hashlib.sha256(b"another").digest())
        with self.assertRaises(imaplib.IMAP4.error):
            client.authenticate("SCRAM-SHA-256-PLUS", scram)

    def test_scram_after_the_password_was_changed(self):
        self.relais.cli("account", "password", self.user, "--password-file", "-", stdin="another pass phrase 47\n")
        client = self.connect()
        with self.assertRaises(imaplib.IMAP4.error):
            client.authenticate("SCRAM-SHA-256", Scram(self.user, PASSWORD, "sha256"))
        client = self.connect()
        status, data = client.authenticate("SCRAM-SHA-256", Scram(self.user, "another pass phrase 47", "sha256"))
        self.assertEqual(status, "OK", data)

    def test_everything_compressed(self):
        client = self.connect(Deflated)
        client.login(self.user, PASSWORD)
        client.compress()
        self.assertEqual(client.select()[0], "OK")
        text = "".join("line %d of a long text that says the same\r\n" % (n % 7) for n in range(20000))
        octets = message(to=self.user, body=text)
        self.assertEqual(client.append("INBOX", None, None, octets)[0], "OK")
        before = client.received
        status, data = client.fetch("1", "(BODY.PEEK[])")
        self.assertEqual(status, "OK")
        self.assertEqual(data[0][1], octets)
        self.assertLess(client.received - before, len(octets) // 10)
        self.assertEqual(client.logout()[0], "BYE")

    def test_several_messages_at_once(self):
        client = self.client()
        messages = [message(to=self.user, subject="number %d" % n) for n in range(300)]
        command = b"APPEND INBOX"
        for octets in messages:
            command += b" (\\Seen) {%d+}\r\n" % len(octets) + octets
        _, line = self.command(client, command)
        self.assertRegex(line, rb"^OK \[APPENDUID \d+ 1:300\]")
        client.select()
        status, data = client.fetch("1:300", "(BODY.PEEK[])")
        self.assertEqual([part[1] for part in data if isinstance(part, tuple)], messages)

    def test_decoded_parts_are_what_python_decodes(self):
        built = EmailMessage()
        built["Subject"] = "parts"
        built.set_content("Grüße, %s\n" % ("lang " * 60), cte="quoted-printable")
        built.add_attachment(bytes(range(256)) * 700, maintype="application", subtype="octet-stream")
        built.add_attachment("kurz".encode(), maintype="image", subtype="png")
        octets = built.as_bytes(policy=email.policy.SMTP)
        client = self.client()
        self.assertEqual(client.append("INBOX", None, None, octets)[0], "OK")
        client.select()
        parts = [part for part in email.message_from_bytes(octets).walk() if not part.is_multipart()]
        self.assertEqual(len(parts), 3)
        for number, part in enumerate(parts, 1):
            expected = part.get_payload(decode=True)
            answer, line = self.command(client, b"FETCH 1 (BINARY.SIZE[%d] BINARY.PEEK[%d])" % (number, number))
            self.assertTrue(line.startswith(b"OK "), line)
            self.assertIn(b"BINARY.SIZE[%d] %d " % (number, len(expected)), answer)
            mark = b"~" if b"\0" in expected else b""
            self.assertIn(b"BINARY[%d] %s{%d}\r\n" % (number, mark, len(expected)) + expected + b")\r\n", answer)

    def test_a_message_of_parts_and_words_of_it(self):
        client = self.client()
        octets = message(to=self.user, subject="original", body="The body that is kept.\r\n")
        client.append("INBOX", None, None, octets)
        new = b"Subject: forwarded\r\n\r\n"
        answer, line = self.command(
            client, b'APPEND Drafts CATENATE (TEXT {%d+}\r\n%s URL "/INBOX/;UID=1/;SECTION=TEXT")' % (len(new), new)
        )
        self.assertTrue(line.startswith(b"OK [APPENDUID "), line)
        client.select("Drafts")
        status, data = client.fetch("1", "(BODY.PEEK[])")
        self.assertEqual(data[0][1], new + b"The body that is kept.\r\n")
        answer, _ = self.command(client, b"FETCH 1 (PREVIEW)")
        self.assertIn(b'PREVIEW "The body that is kept."', answer)

    def test_an_authorised_url_is_for_others_until_it_is_taken_back(self):
        client = self.client()
        client.append("INBOX", None, None, message(to=self.user, body="For your eyes.\r\n"))
        url = "imap://%s@mx.example.test/INBOX/;UID=1/;SECTION=TEXT;URLAUTH=authuser" % self.user.replace("@", "%40")
        answer, line = self.command(client, b'GENURLAUTH "%s" INTERNAL' % url.encode())
        self.assertTrue(line.startswith(b"OK "), line)
        authorised = re.search(rb'"([^"]+)"', answer).group(1)
        other = self.connect()
        other.login(type(self).users[0], PASSWORD)
        answer, _ = self.command(other, b'URLFETCH "%s"' % authorised)
        self.assertIn(b"{16}\r\nFor your eyes.\r\n", answer)
        self.command(client, b"RESETKEY INBOX")
        answer, _ = self.command(other, b'URLFETCH "%s"' % authorised)
        self.assertTrue(answer.endswith(b" NIL\r\n"), answer)


if __name__ == "__main__":
    unittest.main()
