"""Debian's Roundcube in headless Chromium: somebody files and writes mail in a webmail, and makes folders.

Runs in a network namespace with nothing but loopback. Every test is somebody else's, who logs in first.
"""

import email
import email.policy
import unittest

from harness import folder, message, message_id, until
from roundcube import RoundcubeCase
from webdriver import SECONDS


class Filing(RoundcubeCase):

    # -- filing

    def test_letters_are_marked(self):
        self.deliver("to mark")
        self.log_in()
        self.mail.select("to mark")
        self.marks("flag", {"\\Seen", "\\Flagged"})
        self.assertEqual(self.mail.rows()["to mark"], {"flagged"})
        self.marks("unread", {"\\Flagged"})
        self.marks("unflag", set())
        # What somebody marks elsewhere is seen here.
        client = self.relais.imaplib(self.user)
        client.select("INBOX")
        client.store("1", "FLAGS", "(\\Answered \\Seen \\Flagged)")
        client.logout()
        self.mail.refresh()
        until(lambda: self.mail.rows()["to mark"] == {"replied", "flagged"}, SECONDS, "the marks of another session")

    def marks(self, word, flags):
        """Marks the letter; other sessions see it. A click that the page does not hear, as it redraws its list, is made again."""
        for last in (False, False, True):
            self.mail.mark(word)
            try:
                until(lambda: self.flags()["to mark"] == flags, SECONDS if last else SECONDS / 4, word)
                return
            except AssertionError:
                if last:
                    raise

    def test_letters_are_moved(self):
        self.deliver("by hand", "by menu", "a copy", "to archive", "spam", "to delete", "to stay")
        self.log_in()
        self.mail.row("to stay")
        self.browser.drag(self.mail.row("by hand"), self.mail.folder("Drafts"))
        self.becomes(lambda: "by hand" in self.flags("Drafts"), "the letter that was dragged")
        self.mail.select("by menu")
        self.mail.move("Sent")
        self.becomes(lambda: "by menu" in self.flags("Sent"), "the letter that was moved")
        self.mail.select("a copy")
        self.mail.move("Drafts", "copy")
        self.becomes(lambda: "a copy" in self.flags("Drafts"), "the copy")
        self.mail.select("to archive")
        self.mail.press("archive")
        self.becomes(lambda: any("to archive" in self.flags(name) for name in self.mailboxes() if name.startswith("Archive")), "the letter in the archive")
        self.mail.select("spam")
        self.mail.press("junk")
        self.becomes(lambda: "spam" in self.flags("Junk"), "the spam")
        self.mail.select("to delete")
        self.mail.press("delete")
        self.becomes(lambda: "to delete" in self.flags("Trash"), "the deleted letter")
        self.mail.shows("to stay", "a copy")
        self.assertEqual(set(self.flags()), {"to stay", "a copy"})
        # Not spam after all, and deleted for good.
        self.mail.open("Junk")
        self.mail.select("spam")
        self.mail.press("notjunk")
        self.becomes(lambda: "spam" in self.flags(), "the letter that is no spam")
        self.mail.open("Trash")
        self.mail.select("to delete")
        self.mail.press("delete")
        self.becomes(lambda: not self.flags("Trash"), "an empty trash")

    # -- folders

    def settings(self):
        self.browser.go(self.roundcube.url + "?_task=settings&_action=folders")
        self.mail.idle()

    def save_folder(self, name=None, parent=None):
        """The form at the right."""
        self.browser.frame("#preferences-frame")
        if parent:
            self.browser.choose("#_parent", parent)
        if name:
            self.browser.type("#_name", name)
        self.browser.click("button.submit")
        self.browser.frame()

    def test_folders(self):
        self.log_in()
        self.settings()
        self.mail.click(".toolbar a.create")
        self.save_folder("Jardin d'été")
        self.mail.folder("Jardin d'été", "#subscription-table")
        self.mail.click(".toolbar a.create")
        self.save_folder("Graines & bulbes", parent="Jardin d'&AOk-t&AOk-")
        self.becomes(lambda: "Jardin d'&AOk-t&AOk-/Graines &- bulbes" in self.mailboxes("lsub"), "the folder in the folder")
        self.settings()
        self.mail.click(lambda: self.mail.folder("Jardin d'été", "#subscription-table"))
        self.save_folder("Jardin d'hiver")
        self.becomes(lambda: "Jardin d'hiver/Graines &- bulbes" in self.mailboxes(), "the new name")
        self.assertNotIn("Jardin d'&AOk-t&AOk-", self.mailboxes())
        # Both are there to file letters into.
        self.browser.go(self.roundcube.url + "?_task=mail")
        self.mail.idle()
        self.assertIn("Jardin d'hiver", self.mail.folders())
        self.assertIn("Graines & bulbes", self.mail.folders())
        # Hidden, and then gone.
        self.settings()
        self.mail.click(lambda: self.browser.script("return arguments[0].closest('li').querySelector('input[type=checkbox]');",
                                                          self.mail.folder("Jardin d'hiver", "#subscription-table")))
        self.becomes(lambda: "Jardin d'hiver" not in self.mailboxes("lsub"), "the folder to be hidden")
        self.mail.click(lambda: self.mail.folder("Jardin d'hiver", "#subscription-table"))
        self.mail.click(".toolbar a.delete:not(.disabled)")
        self.mail.click(".ui-dialog button.delete")
        self.becomes(lambda: not any("Jardin" in name for name in self.mailboxes()), "the folders to go")

    def test_a_folder_is_shared(self):
        self.log_in()
        self.settings()
        self.mail.click(lambda: self.mail.folder("Archive", "#subscription-table"))
        self.browser.frame("#preferences-frame")
        self.browser.click("a.create")
        self.browser.frame()
        self.browser.type(".ui-dialog #acluser", "bob@example.test")
        # To read, which is what the dialog offers first.
        self.assertEqual(self.browser.script("return [...document.querySelectorAll('.ui-dialog input:checked')].map(one => one.id);"), ["iduser", "aclread"])
        self.browser.click(".ui-dialog button.submit")
        shared = "Other Users/%s/Archive" % self.user
        self.becomes(lambda: shared in self.relais.mailboxes("bob@example.test"), "the folder at Bob's")
        client = self.relais.imaplib(self.user)
        rights = client.getacl("Archive")[1][0].decode()
        client.logout()
        self.assertRegex(rights, r'bob@example\.test"? lrs$|bob@example\.test"? lrs ')
        # And it is told to whoever looks at the folder again.
        self.settings()
        self.mail.click(lambda: self.mail.folder("Archive", "#subscription-table"))
        self.browser.frame("#preferences-frame")
        row = self.browser.wait("""
            return [...document.querySelectorAll('#acltable tbody tr')].find(row => row.innerText.includes('bob@example.test'))?.innerHTML;""")
        self.browser.frame()
        self.assertEqual([kind for kind in ("aclread", "aclwrite", "acldelete", "aclother") if 'class="%s enabled"' % kind in row], ["aclread"], row)

    # -- writing

    def test_a_letter_is_written(self):
        where = folder("attachments") / "list of birds.txt"
        where.write_text("heron\ngrebe\n")
        self.log_in()
        self.mail.click("a.compose")
        self.mail.fill_in(to="bob@example.test", subject="Grüße vom Teich", body="Der Reiher ist zurück.", attachment=where)
        self.mail.send()
        octets = self.relais.wait_message("bob@example.test", lambda octets: self.user.encode() in octets)
        got = email.message_from_bytes(octets, policy=email.policy.default)
        self.assertEqual((got["Subject"], str(got["From"]), str(got["To"])), ("Grüße vom Teich", self.user, "bob@example.test"))
        self.assertEqual(got.get_body().get_content().strip(), "Der Reiher ist zurück.")
        self.assertEqual([(part.get_filename(), part.get_content()) for part in got.iter_attachments()], [("list of birds.txt", "heron\ngrebe\n")])
        self.assertEqual(len(self.relais.with_id(self.user, got["Message-ID"], "Sent")), 1)
        self.mail.open("Sent")
        self.mail.shows("Grüße vom Teich")
        self.assertIn("Der Reiher ist zurück.", self.mail.select("Grüße vom Teich"))

    def test_a_letter_is_answered(self):
        mid = message_id()
        self.relais.send("bob@example.test", self.user, message(to=self.user, sender="bob@example.test", subject="a question", body="How many?\r\n", mid=mid))
        self.log_in()
        self.mail.select("a question")
        self.mail.press("reply")
        self.browser.wait("return window.rcmail?.env.action == 'compose';")
        self.mail.fill_in(body="Three.\n")
        self.mail.send()
        self.becomes(lambda: "\\Answered" in self.flags()["a question"], "the mark of an answer")
        got = email.message_from_bytes(self.relais.wait_message("bob@example.test", lambda octets: b"Subject: Re: a question" in octets), policy=email.policy.default)
        self.assertEqual((got["In-Reply-To"], got["References"]), (mid, mid))
        self.assertRegex(got.get_body().get_content(), r"> How many\?")
        self.assertIn("Three.", got.get_body().get_content())
        until(lambda: "replied" in self.mail.rows().get("a question", ()), SECONDS, "the row to be answered")
        self.assertIn("Re: a question", self.flags("Sent"))

    def test_a_letter_waits_as_a_draft(self):
        self.log_in()
        self.mail.click("a.compose")
        self.mail.fill_in(to="bob@example.test", subject="not finished", body="Dear Bob,")
        self.mail.click("a.draft")
        self.becomes(lambda: self.flags("Drafts").get("not finished") == {"\\Seen"}, "the draft")
        self.mail.idle()
        self.browser.type("#composebody", " now it is.", clear=False)
        self.mail.send()
        self.relais.wait_message("bob@example.test", lambda octets: b"Subject: not finished" in octets and b"Dear Bob, now it is." in octets)
        self.becomes(lambda: not self.flags("Drafts"), "the draft to go")
        self.assertIn("not finished", self.flags("Sent"))


if __name__ == "__main__":
    unittest.main()
