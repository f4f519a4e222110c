"""SEARCH with the full-text index: made behind the deliveries, cut at any moment, built anew while serving."""

import unittest
import zlib
from email import policy
from email.message import EmailMessage
from pathlib import Path

from harness import ServerCase, TestCase, message, until

ALICE = "alice@example.test"
BOB = "bob@example.test"


def letter(number):
    return message(to=ALICE, subject=f"Note {number}",
                   body=f"The rareword{number:03} stands in letter {number}.\r\nEvery letter is a common one.\r\n")


def fill(server, first, last):
    """Letters from first to last, by APPEND, which is sooner done than SMTP."""
    with server.imap(ALICE) as client:
        for number in range(first, last + 1):
            answer = client.append("INBOX", letter(number), literal_plus=True)
            if not answer.ok:
                raise AssertionError(f"letter {number}: {answer!r}")


def found(server, key):
    with server.imap(ALICE) as client:
        client.must("SELECT INBOX")
        hits = client.must(f"UID SEARCH {key}").lines(r"^\* SEARCH")
        return [int(number) for number in hits[0].split()[2:]]


class Search(TestCase):

    def fresh(self):
        server = self.server(name="search")
        server.add_domain("example.test")
        server.add_accounts(ALICE, BOB)
        return server.start()

    def looks_right(self, server, last):
        self.assertEqual(found(server, "BODY rareword017"), [17])
        self.assertEqual(found(server, "TEXT areword01"), list(range(10, 20)))
        self.assertEqual(found(server, f"TEXT rareword{last:03}"), [last], "what came last is found")
        self.assertEqual(found(server, "TEXT zzyzx"), [])
        self.assertEqual(found(server, "SUBJECT \"note 33\""), [33])
        self.assertEqual(len(found(server, "BODY \"every letter\" NOT BODY rareword001")), last - 1)
        self.assertEqual(found(server, "FUZZY SUBJECT notes BODY rareword005"), [5])

    def indexed(self, server, messages):
        until(lambda: (server.metric("relais_search_indexed_messages_total") or 0) >= messages,
              seconds=180, what="the index")

    def test_it_is_made_behind_the_deliveries_and_built_anew(self):
        server = self.fresh()
        fill(server, 1, 140)
        self.indexed(server, 128)
        self.looks_right(server, 140)
        # From nothing, while it serves.
        server.cli("reindex", ALICE)
        self.looks_right(server, 140)
        self.indexed(server, 256)
        self.looks_right(server, 140)
        fill(server, 141, 141)
        self.looks_right(server, 141)
        refused = server.run("reindex", "nobody@example.test")
        self.assertEqual(refused.returncode, 1)
        server.stop()
        server.check()

    def test_a_cut_at_any_moment_leaves_a_sound_store(self):
        server = self.fresh()
        fill(server, 1, 140)
        for _ in range(3):
            server.cli("reindex")
            server.kill()
            server.check()
            server.start()
            self.looks_right(server, 140)
        # Once more and undisturbed: on a busy machine all was indexed before each cut, and this run had nothing left to do.
        server.cli("reindex")
        self.indexed(server, 128)
        self.looks_right(server, 140)
        server.stop()
        server.check()

    def test_pdf_attachments_are_looked_into_when_that_is_asked_for(self):
        """Files that ReportLab and fpdf2 have made, one broken, and one that would unpack to a gigabyte."""
        made = Path(__file__).resolve().parents[2] / "crates" / "search" / "testdata"
        whole = (made / "reportlab.pdf").read_bytes()
        packed = zlib.compress(b" " * (1 << 30), 9)
        bomb = (b"%PDF-1.4\n1 0 obj <</Type/Page/Contents 2 0 R>> endobj\n2 0 obj <</Length " + str(len(packed)).encode()
                + b"/Filter/FlateDecode>> stream\n" + packed + b"\nendstream endobj\n")
        server = self.server(name="search", settings={"search": {"attachments": True}})
        server.add_domain("example.test")
        server.add_accounts(ALICE)
        server.start()
        with server.imap(ALICE) as client:
            for number, pdf in enumerate([whole, (made / "fpdf2.pdf").read_bytes(), whole[:700], bomb], 1):
                letter = EmailMessage()
                letter["From"], letter["To"], letter["Subject"] = BOB, ALICE, f"PDF {number}"
                letter.set_content("Look at this.")
                letter.add_attachment(pdf, maintype="application", subtype="pdf", filename="report.pdf")
                answer = client.append("INBOX", letter.as_bytes(policy=policy.SMTP), literal_plus=True)
                self.assertTrue(answer.ok, answer)
        for _ in range(2):
            self.assertEqual(found(server, "BODY \"bold zebra\""), [1])
            self.assertEqual(found(server, "CHARSET UTF-8 TEXT \"žluťoučký\""), [2])
            self.assertEqual(found(server, "BODY \"look at\""), [1, 2, 3, 4])
            server.cli("reindex", ALICE)
        server.stop()
        server.check()


if __name__ == "__main__":
    unittest.main()
