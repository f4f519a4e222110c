"""Debian's Thunderbird on a screen of its own: somebody reads, files, searches and writes mail, and other sessions see all of it.

Runs in a network namespace with nothing but loopback, so that Thunderbird meets no one but us.
"""

import email
import email.message
import email.policy
import email.utils
import unittest

from harness import ServerCase, log, loopback_up, message, message_id, namespace, needs, until
from thunderbird import SECONDS, Thunderbird

ALICE, BOB = "alice@example.test", "bob@example.test"


@needs("thunderbird")
@needs("Xvfb")
@namespace("net")
class Mail(ServerCase):

    @classmethod
    def prepare(cls, server):
        server.add_domain("example.test")
        server.add_accounts(ALICE)
        server.add_account(BOB, quota=20 * 1024 * 1024)

    @classmethod
    def setUpClass(cls):
        loopback_up()
        super().setUpClass()
        cls.thunderbird = Thunderbird()
        cls.addClassCleanup(cls.thunderbird.kill)
        ports = cls.relais.ports
        cls.thunderbird.account(ALICE, "Alice", ports["imaps"], ports["submissions"])
        cls.thunderbird.account(BOB, "Bob", ports["imap"], ports["submission"], socket="alwaysSTARTTLS")
        cls.thunderbird.open("Alice", "INBOX")
        until(lambda: "Trash" in cls.thunderbird.folders("Alice"), SECONDS, "Alice's folders")

    def look(self):
        try:
            log("on the screen: %s" % self.thunderbird.screenshot(self.id().rpartition(".")[2]))
        except (AssertionError, OSError) as error:
            log("no picture of the screen: %s" % error)
        log("to the IMAP server: %s" % "\n        ".join(self.thunderbird.said()[-40:]))

    def deliver(self, *subjects, user=ALICE, **options):
        for subject in subjects:
            self.relais.send("writer@remote.test", user, message(to=user, subject=subject, mid=message_id(), **options))

    def flags(self, mailbox="INBOX", user=ALICE):
        return self.relais.flags(user, mailbox)

    def subjects(self, mailbox="INBOX", user=ALICE):
        return set(self.flags(mailbox, user))

    def becomes(self, check, what):
        """Waits until other sessions see what was done."""
        return until(check, SECONDS, what)

    # -- folders

    def test_folders_have_their_use(self):
        for name in ("Alice", "Bob"):
            if name == "Bob":
                self.thunderbird.open("Bob", "INBOX")
                until(lambda: "Trash" in self.thunderbird.folders("Bob"), SECONDS, "Bob's folders, by STARTTLS")
            found = self.thunderbird.folders(name)
            self.assertEqual({path: use for path, use in found.items() if use}, {
                "INBOX": "Inbox", "Drafts": "Drafts", "Sent": "SentMail", "Trash": "Trash", "Junk": "Junk", "Archive": "Archive"})

    def test_folders_are_made_renamed_moved_and_deleted(self):
        bird = self.thunderbird
        bird.create_folder("Alice", "", "Jardin d'été")
        until(lambda: "Jardin d'été" in bird.folders("Alice"), SECONDS, "the new folder")
        bird.create_folder("Alice", "Jardin d'été", "Graines & bulbes")
        until(lambda: "Jardin d'été/Graines & bulbes" in bird.folders("Alice"), SECONDS, "the folder in it")
        self.assertIn("Jardin d'&AOk-t&AOk-/Graines &- bulbes", self.mailboxes())
        bird.rename_folder("Alice", "Jardin d'été", "Jardin d'hiver")
        until(lambda: "Jardin d'hiver/Graines & bulbes" in bird.folders("Alice"), SECONDS, "the new name")
        self.assertLessEqual({"Jardin d'hiver", "Jardin d'hiver/Graines &- bulbes"}, self.mailboxes())
        self.assertNotIn("Jardin d'&AOk-t&AOk-", self.mailboxes())
        # What is deleted goes to the trash first.
        bird.move_folder("Alice", "Jardin d'hiver", "Trash")
        self.becomes(lambda: "Trash/Jardin d'hiver/Graines &- bulbes" in self.mailboxes(), "the folder in the trash")
        self.assertNotIn("Jardin d'hiver", self.mailboxes())

    def mailboxes(self):
        return self.relais.mailboxes(ALICE)

    def test_the_quota_is_shown(self):
        self.thunderbird.open("Bob", "INBOX")
        until(lambda: "STORAGE" in " ".join(self.thunderbird.quota("Bob", "INBOX")), SECONDS, "the quota")
        shown = {name.rpartition("/")[2].strip(): value for name, value in self.thunderbird.quota("Bob", "INBOX").items()}
        self.assertEqual(shown["STORAGE"][1], 20 * 1024)

    # -- messages

    def idles(self):
        """Waits until what comes from elsewhere is heard at once."""
        def does():
            said = [line.split()[-1:] for line in self.thunderbird.said()]
            return said.count(["IDLE"]) > said.count(["DONE"])
        until(does, SECONDS, "IDLE")

    def test_a_letter_comes_by_idle_and_is_read(self):
        self.thunderbird.open("Alice", "INBOX")
        self.idles()
        self.deliver("by IDLE", body="The pond is frozen.\r\n")
        row = self.thunderbird.shows("by IDLE")
        self.assertEqual((row["author"], row["read"]), ("writer@remote.test", False))
        self.assertIn("The pond is frozen.", self.thunderbird.select("by IDLE"))
        self.thunderbird.shows("by IDLE", lambda row: row["read"])
        self.becomes(lambda: self.flags()["by IDLE"] == {"\\Seen"}, "the letter to be read")

    def test_parts_and_other_alphabets_are_shown(self):
        parts = email.message.EmailMessage(policy=email.policy.SMTP)
        parts["From"] = "Zoë Müller <zoe@remote.test>"
        parts["To"] = ALICE
        parts["Subject"] = "Grüße aus Кострома"
        parts["Message-ID"] = message_id()
        parts.set_content("Schöne Grüße, 你好.\n", cte="base64")
        parts.add_alternative("<p>Schöne <b>Grüße</b>, 你好.</p>", subtype="html", cte="quoted-printable")
        parts.add_attachment(b"%PDF-1.4 " + bytes(range(256)) * 300, maintype="application", subtype="pdf", filename="Plan für März.pdf")
        self.relais.send("zoe@remote.test", ALICE, parts.as_bytes())
        self.thunderbird.open("Alice", "INBOX")
        row = self.thunderbird.shows("Grüße aus Кострома")
        self.assertEqual(row["author"], "Zoë Müller <zoe@remote.test>")
        self.assertIn("Schöne Grüße, 你好.", self.thunderbird.select("Grüße aus Кострома"))
        until(lambda: self.thunderbird.attachments() == [["Plan für März.pdf", "application/pdf"]], SECONDS, "the attachment")

    def test_marks(self):
        self.deliver("to mark")
        self.thunderbird.open("Alice", "INBOX")
        self.thunderbird.select("to mark")
        self.thunderbird.do("cmd_markAsFlagged")
        self.thunderbird.do("cmd_tag1")
        self.becomes(lambda: self.flags()["to mark"] == {"\\Seen", "\\Flagged", "$label1"}, "the marks")
        self.thunderbird.shows("to mark", lambda row: row["flagged"] and row["keywords"] == ["$label1"])
        self.thunderbird.do("cmd_markAsUnread")
        self.thunderbird.do("cmd_removeTags")
        self.becomes(lambda: self.flags()["to mark"] == {"\\Flagged"}, "the marks off")
        # And the other way: what somebody marks elsewhere is seen here, without a check for mail.
        self.idles()
        client = self.relais.imaplib(ALICE)
        client.select("INBOX")
        number = client.search(None, "SUBJECT", '"to mark"')[1][0].decode()
        client.store(number, "FLAGS", "(\\Answered \\Seen $label3)")
        self.thunderbird.shows("to mark", lambda row: row["answered"] and row["read"] and not row["flagged"] and row["keywords"] == ["$label3"])
        client.store(number, "+FLAGS", "(\\Deleted)")
        client.expunge()
        self.thunderbird.lacks("to mark")
        client.logout()

    def test_letters_are_moved_copied_archived_and_deleted(self):
        bird = self.thunderbird
        bird.open("Alice", "INBOX")
        # Of letters that are announced while it fetches others, Thunderbird hears when it asks for the next time.
        for subject in ("to move 1", "to move 2", "to copy", "to archive", "to delete", "to stay"):
            self.deliver(subject)
            bird.check_mail("Alice")
            bird.shows(subject)
        bird.select("to move 1", "to move 2")
        bird.do("cmd_moveMessage", "Alice", "Junk")
        bird.lacks("to move 1")
        self.becomes(lambda: {"to move 1", "to move 2"} <= self.subjects("Junk"), "the letters in Junk")
        bird.select("to copy")
        bird.do("cmd_copyMessage", "Alice", "Drafts")
        self.becomes(lambda: "to copy" in self.subjects("Drafts"), "the copy")
        # By year, as Thunderbird does unless told otherwise, in the folder that the server says is for it.
        bird.select("to archive")
        year = email.utils.parsedate_to_datetime(email.message_from_bytes(
            self.relais.wait_message(ALICE, lambda octets: b"Subject: to archive" in octets))["Date"]).year
        bird.do("cmd_archive")
        bird.lacks("to archive")
        self.becomes(lambda: "Archive/%d" % year in self.mailboxes() and "to archive" in self.subjects("Archive/%d" % year), "the letter in the archive")
        bird.select("to delete")
        bird.do("cmd_delete")
        bird.lacks("to delete")
        self.becomes(lambda: "to delete" in self.subjects("Trash"), "the letter in the trash")
        left = self.subjects()
        self.assertLessEqual({"to copy", "to stay"}, left)
        self.assertFalse({"to move 1", "to move 2", "to archive", "to delete"} & left)
        # For good, from the trash.
        bird.open("Alice", "Trash", "to delete")
        bird.select("to delete")
        bird.do("cmd_delete")
        bird.lacks("to delete")
        self.becomes(lambda: "\\Deleted" in self.flags("Trash").get("to delete", {"\\Deleted"}), "the letter marked as deleted")

    def test_a_letter_goes_to_the_other_account(self):
        self.deliver("for Bob")
        self.thunderbird.open("Alice", "INBOX")
        self.thunderbird.select("for Bob")
        self.thunderbird.do("cmd_moveMessage", "Bob", "INBOX")
        self.thunderbird.lacks("for Bob")
        self.becomes(lambda: self.flags(user=BOB).get("for Bob") == {"\\Seen"}, "the letter at Bob's, read as before")
        self.thunderbird.open("Bob", "INBOX", "for Bob")
        self.thunderbird.shows("for Bob", lambda row: row["read"])

    def test_spam(self):
        self.deliver("spam")
        self.thunderbird.open("Alice", "INBOX")
        self.thunderbird.select("spam")
        self.thunderbird.do("cmd_markAsJunk")
        self.becomes(lambda: "Junk" in self.flags().get("spam", ()) or "spam" in self.subjects("Junk"), "the mark")

    def test_the_server_searches(self):
        self.deliver("first of May", body="A heron stands in the pond.\r\n")
        self.deliver("second of May", body="Two herons, and no fish.\r\n")
        self.deliver("third of May", body="Schöne Grüße vom Teich.\r\n", headers=[("MIME-Version", "1.0"), ("Content-Type", "text/plain; charset=utf-8")])
        self.thunderbird.open("Alice", "INBOX")
        for subject in ("first of May", "second of May", "third of May"):
            self.thunderbird.shows(subject)
        search = self.thunderbird.search
        before = len(self.thunderbird.said())
        self.assertEqual(search("Alice", "INBOX", ["Subject", "Contains", "of May"]), ["first of May", "second of May", "third of May"])
        self.assertEqual(search("Alice", "INBOX", ["Body", "Contains", "heron"]), ["first of May", "second of May"])
        self.assertEqual(search("Alice", "INBOX", ["Body", "Contains", "Grüße vom"]), ["third of May"])
        self.assertEqual(search("Alice", "INBOX", ["Body", "Contains", "heron"], ["Body", "DoesntContain", "pond"], ["Subject", "Contains", "May"]), ["second of May"])
        self.assertEqual(search("Alice", "INBOX", ["Body", "Contains", "no fish"], ["Subject", "Contains", "first of"], every=False), ["first of May", "second of May"])
        self.assertEqual(search("Alice", "INBOX", ["Body", "Contains", "an eel"]), [])
        self.assertEqual(len([said for said in self.thunderbird.said()[before:] if " search " in said.lower()]), 6)

    # -- writing

    def test_a_letter_is_written(self):
        bird = self.thunderbird
        where = bird.home / "list of birds.txt"
        where.write_text("heron\ngrebe\n")
        bird.open("Alice", "INBOX")
        bird.write("Alice", to=BOB, subject="Grüße vom Teich", body="Der Reiher ist zurück.\n", attachment=str(where))
        bird.finish()
        octets = self.relais.wait_message(BOB, lambda octets: b"list of birds" in octets)
        got = email.message_from_bytes(octets, policy=email.policy.default)
        self.assertEqual((got["Subject"], str(got["From"]), str(got["To"])), ("Grüße vom Teich", "Alice <%s>" % ALICE, BOB))
        self.assertEqual(got.get_body().get_content().strip(), "Der Reiher ist zurück.")
        self.assertEqual([(part.get_filename(), part.get_content()) for part in got.iter_attachments()], [("list of birds.txt", "heron\ngrebe\n")])
        # The copy, read, with what was sent and no more.
        self.assertEqual(len(self.relais.with_id(ALICE, got["Message-ID"], "Sent")), 1)
        bird.open("Alice", "Sent", "Grüße vom Teich")
        bird.shows("Grüße vom Teich", lambda row: row["read"])
        self.assertIn("Der Reiher ist zurück.", bird.select("Grüße vom Teich"))
        until(lambda: bird.attachments() == [["list of birds.txt", "text/plain"]], SECONDS, "the attachment of the copy")

    def test_a_letter_is_answered(self):
        bird = self.thunderbird
        mid = message_id()
        self.relais.send(BOB, ALICE, message(to=ALICE, sender=BOB, subject="a question", body="How many?\r\n", mid=mid))
        bird.open("Alice", "INBOX")
        bird.select("a question")
        bird.do("cmd_replySender")
        bird.wait_to_write()
        bird.type("Three.\n")
        self.assertEqual(bird.recipients(), [BOB])
        bird.finish()
        self.becomes(lambda: "\\Answered" in self.flags()["a question"], "the mark of an answer")
        bird.shows("a question", lambda row: row["answered"])
        got = email.message_from_bytes(self.relais.wait_message(BOB, lambda octets: b"Subject: Re: a question" in octets), policy=email.policy.default)
        self.assertEqual((got["In-Reply-To"], got["References"]), (mid, mid))
        self.assertRegex(got.get_body().get_content(), r"Three\.(.|\n)*> How many\?")
        self.assertIn("Re: a question", self.subjects("Sent"))

    def test_a_letter_waits_as_a_draft(self):
        bird = self.thunderbird
        bird.open("Alice", "Drafts")
        bird.write("Alice", to=BOB, subject="not finished", body="Dear Bob,\n")
        bird.save_draft()
        bird.open("Alice", "Drafts", "not finished")
        self.assertEqual(self.flags("Drafts")["not finished"], {"\\Draft"})
        # Taken up again: the draft goes when the letter does.
        bird.select("not finished")
        bird.do("cmd_editDraftMsg")
        bird.wait_to_write()
        bird.type("Now it is. ")
        bird.finish()
        self.relais.wait_message(BOB, lambda octets: b"Subject: not finished" in octets and b"Now it is. Dear Bob" in octets)
        self.becomes(lambda: "not finished" not in self.subjects("Drafts"), "the draft to go")
        self.assertIn("not finished", self.subjects("Sent"))

    # -- connections

    def test_z_the_server_comes_back(self):
        """Last, by its name: a stop, a message while Thunderbird is not connected, and the connections are made again by themselves."""
        bird = self.thunderbird
        bird.open("Alice", "INBOX")
        self.relais.restart()
        self.deliver("after the restart")
        bird.check_mail("Alice")
        bird.shows("after the restart")


if __name__ == "__main__":
    unittest.main()
