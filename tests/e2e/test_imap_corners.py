"""Where extensions of IMAP meet: UTF8=ACCEPT with SORT, UNAUTHENTICATE and its switch, text beyond what is read at once. With imaplib."""

import base64
import unittest
from email import policy
from email.message import EmailMessage

from harness import PASSWORD, ServerCase

ALICE, BOB = "alice@example.test", "bob@example.test"


def letter(subject, html):
    made = EmailMessage()
    made["From"], made["To"], made["Subject"] = BOB, ALICE, subject
    made.set_content(html, subtype="html", cte="base64")
    return made.as_bytes(policy=policy.SMTP)


class Corners(ServerCase):

    def client(self, user):
        client = self.relais.imaplib(user)
        self.addCleanup(client.shutdown)
        return client

    def ok(self, answer):
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    def test_who_takes_utf8_still_sorts_and_threads(self):
        client = self.client(ALICE)
        self.ok(client.create("Sorted"))
        for subject in ("b", "a"):
            self.ok(client.append("Sorted", "", None, letter(subject, "<p>x</p>")))
        self.ok(client.enable("UTF8=ACCEPT"))
        self.ok(client.select("Sorted"))
        self.assertEqual(self.ok(client.uid("SORT", "(SUBJECT)", "UTF-8", "ALL")), [b"2 1"])
        self.assertEqual(self.ok(client.sort("(REVERSE SUBJECT)", "UTF-8", "ALL")), [b"1 2"])
        self.assertEqual(self.ok(client.thread("ORDEREDSUBJECT", "UTF-8", "ALL")), [b"(1)(2)"])
        self.assertEqual(self.ok(client.search(None, "SUBJECT", "b")), [b"1"])

    def test_a_picture_within_a_letter_is_no_text_of_it(self):
        picture = base64.b64encode(bytes(range(256)) * 6_000).decode()
        html = '<p>caf\u00e9</p><img alt="x" src="data:image/png;base64,%s"><!-- %s --><p>th\u00e9</p>' % (picture, "hidden " * 200_000)
        client = self.client(BOB)
        self.ok(client.append("INBOX", "", None, letter("picture", html)))
        self.ok(client.select("INBOX"))
        middle = len(picture) // 2
        for text, found in [("caf\u00e9", b"1"), ("th\u00e9", b"1"), (picture[middle:middle + 20], b""), ("hidden", b"")]:
            for key in ("BODY", "TEXT"):
                client.literal = text.encode()
                self.assertEqual(self.ok(client.search("UTF-8", key)), [found], (key, text))

    def test_unauthenticate_can_be_switched_off(self):
        with self.relais.imap(ALICE) as client:
            self.assertIn(" UNAUTHENTICATE ", client.must("CAPABILITY").untagged[0] + " ")
            self.assertNotIn(" QUOTASET ", client.must("CAPABILITY").untagged[0] + " ")
            client.must("UNAUTHENTICATE")
            client.login(BOB, PASSWORD)
        server = self.server(name="no-unauthenticate", settings={"security": {"imap_unauthenticate": False}})
        server.add_domain("example.test")
        server.add_accounts(ALICE)
        server.start()
        with server.imap(ALICE) as client:
            self.assertNotIn(" UNAUTHENTICATE ", client.must("CAPABILITY").untagged[0] + " ")
            self.assertEqual(client.command("UNAUTHENTICATE").status, "BAD")
            client.must("SELECT INBOX")


if __name__ == "__main__":
    unittest.main()
