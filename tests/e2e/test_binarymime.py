"""BINARYMIME (RFC 3030): a message with any octets comes in, is kept as lines, and its parts are the same octets for IMAP and others."""

import email

from harness import PASSWORD, message_id
from remote import RelayCase

OCTETS = bytes(range(256)) * 40 + b"\r\n--no boundary\r\n\n\r.\r\n"


def letter(mid, sender, to):
    head = ("From: %s\r\nTo: %s\r\nSubject: octets\r\nMessage-ID: %s\r\nDate: Sat, 28 Nov 2026 10:00:00 +0000\r\nMIME-Version: 1.0\r\n"
            "Content-Type: multipart/mixed; boundary=\"=_x\"\r\nContent-Transfer-Encoding: binary\r\n\r\n"
            "--=_x\r\nContent-Type: text/plain\r\n\r\nLook.\r\n--=_x\r\nContent-Type: application/octet-stream\r\n"
            "Content-Transfer-Encoding: binary\r\n\r\n" % (sender, to, mid))
    return head.encode() + OCTETS + b"\r\n--=_x--\r\n"


def content(octets):
    return [part.get_payload(decode=True) for part in email.message_from_bytes(octets).walk() if not part.is_multipart()]


class BinaryMime(RelayCase):

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_account("alice@near.test")

    def send(self, client, sender, to, octets):
        client.command("MAIL FROM:<%s> BODY=BINARYMIME" % sender)
        client.command("RCPT TO:<%s>" % to)
        middle = len(octets) // 2
        client.send(b"BDAT %d\r\n" % middle + octets[:middle])
        self.assertEqual(client.reply().code, 250)
        client.send(b"BDAT %d LAST\r\n" % (len(octets) - middle) + octets[middle:])
        return client.reply()

    def test_in_and_into_imap(self):
        mid = message_id()
        with self.relais.smtp() as client:
            self.assertEqual(self.send(client, "writer@far.test", "alice@near.test", letter(mid, "writer@far.test", "alice@near.test")).code, 250)
            # What is not declared binary has lines.
            wrong = self.send(client, "writer@far.test", "alice@near.test", b"From: a@far.test\r\n\r\na\nb\r\n")
            self.assertEqual(wrong.status, "550 5.6.11")
        octets = self.relais.wait_message("alice@near.test", lambda octets: mid.encode() in octets)
        self.assertEqual(content(octets)[1], OCTETS)
        self.assertNotIn(b"\0", octets)
        with self.relais.imaplib("alice@near.test") as client:
            client.select("INBOX")
            _, found = client.fetch("1", "(BINARY[2])")
            self.assertEqual(found[0][1], OCTETS)

    def test_out_to_a_server_without_it(self):
        mid = message_id()
        with self.relais.smtp("submissions") as client:
            client.command("AUTH PLAIN " + __import__("base64").b64encode(("\0alice@near.test\0" + PASSWORD).encode()).decode())
            self.assertEqual(self.send(client, "alice@near.test", "far@remote.test", letter(mid, "alice@near.test", "far@remote.test")).code, 250)
        got = self.remote.wait(lambda messages: any(mid.encode() in one.content for one in messages))
        octets = next(one.content for one in got if mid.encode() in one.content)
        self.assertEqual(content(octets)[1], OCTETS)
