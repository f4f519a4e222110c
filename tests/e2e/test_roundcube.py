"""Debian's Roundcube in headless Chromium: somebody reads and searches mail in a webmail.

Runs in a network namespace with nothing but loopback. Every test is somebody else's, who logs in first.
"""

import base64
import email.message
import email.policy
import re
import unittest

from harness import message, message_id, until
from roundcube import RoundcubeCase
from webdriver import SECONDS


class Reading(RoundcubeCase):

    # -- in and out

    def test_in_and_out(self):
        self.mail.log_in(self.user, "a wrong password")
        self.browser.wait("return document.querySelector('#messagestack')?.innerText.includes('Login failed');")
        self.log_in()
        self.assertEqual(self.mail.folders(), {
            "Inbox": ("inbox", 0), "Drafts": ("drafts", 0), "Sent": ("sent", 0), "Junk": ("junk", 0), "Trash": ("trash", 0), "Archive": ("archive", 0)})
        self.mail.click("a.logout")
        self.browser.find("#rcmloginuser")
        # Refused on purpose, and complained of for that reason.
        complaints = self.roundcube.errors()
        self.assertRegex(complaints, "Login failed for %s" % re.escape(self.user))
        self.assertEqual(len(complaints.splitlines()), 1)
        (self.roundcube.home / "logs/errors.log").unlink()

    def test_the_quota_has_a_bar(self):
        self.deliver("a big one", body=("x" * 76 + "\r\n") * 40000)
        self.log_in()
        shown = self.browser.wait("return document.querySelector('#rcmquotadisplay')?.title;")
        self.assertRegex(shown, r"^Disk usage: (2\.9|3(\.0)?) MB / 10 MB \((29|30)%\)$")
        self.assertIn(self.browser.text("#quotadisplay .count"), ("29%", "30%"))
        self.assertRegex(self.browser.script("return document.querySelector('#quotadisplay .value').style.width;"), "^(29|30)%$")

    # -- reading

    def test_letters_are_read(self):
        self.deliver("first", body="A heron stands in the pond.\r\n")
        self.deliver("second")
        self.log_in()
        self.mail.shows("second", "first")
        self.assertEqual(self.mail.folders()["Inbox"], ("inbox", 2))
        self.assertEqual(self.mail.rows(), {"first": {"unread"}, "second": {"unread"}})
        self.assertIn("A heron stands in the pond.", self.mail.select("first"))
        self.becomes(lambda: self.flags() == {"first": {"\\Seen"}, "second": set()}, "the letter to be read")
        until(lambda: self.mail.rows() == {"first": set(), "second": {"unread"}}, SECONDS, "the row to be read")
        self.assertEqual(self.mail.folders()["Inbox"], ("inbox", 1))
        self.deliver("third")
        self.mail.refresh()
        self.mail.shows("third", "second", "first")

    def test_parts_and_other_alphabets_are_shown(self):
        pdf = b"%PDF-1.4 " + bytes(range(256)) * 300
        parts = email.message.EmailMessage(policy=email.policy.SMTP)
        parts["From"] = "Zoë Müller <zoe@remote.test>"
        parts["To"] = self.user
        parts["Subject"] = "Grüße aus Кострома"
        parts["Message-ID"] = message_id()
        parts.set_content("Schöne Grüße, 你好.\n", cte="base64")
        parts.add_alternative("<p>Schöne <b>Grüße</b>, 你好.</p>", subtype="html", cte="quoted-printable")
        parts.add_attachment(pdf, maintype="application", subtype="pdf", filename="Plan für März.pdf")
        self.relais.send("zoe@remote.test", self.user, parts.as_bytes())
        self.log_in()
        self.mail.shows("Grüße aus Кострома")
        self.assertEqual(self.mail.rows()["Grüße aus Кострома"], {"unread", "attachment"})
        self.assertIn("Schöne Grüße, 你好.", self.mail.select("Grüße aus Кострома"))
        self.browser.frame("#messagecontframe")
        self.assertEqual(self.browser.text("#messagebody b"), "Grüße")
        self.assertEqual(self.browser.text("#attachment-list .attachment-name"), "Plan für März.pdf")
        link = self.browser.script("return document.querySelector('#attachment-list a.filename').href + '&_download=1';")
        self.browser.frame()
        got = self.browser.script("""
            const octets = new Uint8Array(await (await fetch(arguments[0])).arrayBuffer());
            let text = '';
            for (const octet of octets) text += String.fromCharCode(octet);
            return btoa(text);""", link)
        self.assertEqual(base64.b64decode(got), pdf)

    def test_pages_and_order(self):
        client = self.relais.imaplib(self.user)
        for number in range(60):
            # Their dates go up, their subjects go down.
            client.append("INBOX", None, '"01-Jan-2026 %02d:%02d:00 +0000"' % divmod(number, 60), message(
                to=self.user, subject="letter %02d" % (59 - number)))
        client.logout()
        self.log_in()
        self.mail.list_options(sort_col="subject", sort_ord="ASC")
        self.mail.shows(*["letter %02d" % number for number in range(50)])
        self.mail.click("a.nextpage:not(.disabled)")
        self.mail.shows(*["letter %02d" % number for number in range(50, 60)])
        self.mail.list_options(sort_col="arrival", sort_ord="ASC")
        self.mail.open("Inbox")
        self.mail.shows(*["letter %02d" % number for number in range(59, 9, -1)])
        self.assertTrue(any("SORT (SUBJECT)" in line for line in self.roundcube.said()))

    def test_threads(self):
        mids = {name: message_id() for name in ("plan", "answer", "again", "other")}
        for name, subject, above in (("plan", "the plan", []), ("other", "something else", []), ("answer", "Re: the plan", ["plan"]),
                                     ("again", "Re: the plan", ["plan", "answer"])):
            headers = [("References", " ".join(mids[one] for one in above)), ("In-Reply-To", mids[above[-1]])] if above else []
            self.deliver(subject, body="This is %s.\r\n" % name, mid=mids[name], headers=headers)
        self.log_in()
        self.mail.list_options(mode="threads", sort_col="arrival", sort_ord="DESC")
        self.assertTrue(any("UID THREAD REF" in line for line in self.roundcube.said()), self.roundcube.said()[-20:])
        # The thread with the newest message comes first; what hangs in it is folded.
        self.mail.shows("the plan", "something else")
        self.mail.menu("a.threads", "#threadselect-menu a.expand.all")
        self.mail.shows("the plan", "Re: the plan", "Re: the plan", "something else")
        depths = self.browser.script("""
            return [...document.querySelectorAll('#messagelist tbody tr.message')].filter(row => row.getClientRects().length)
                .map(row => rcmail.message_list.rows[row.uid].depth);""")
        self.assertEqual(depths, [0, 1, 2, 0])

    def test_searches(self):
        self.deliver("first of May", body="A heron stands in the pond.\r\n")
        self.deliver("second of May", body="Two herons, and no fish.\r\n")
        self.deliver("third of June", body="Schöne Grüße vom Teich.\r\n", headers=[("MIME-Version", "1.0"), ("Content-Type", "text/plain; charset=utf-8")])
        self.log_in()
        self.mail.shows("third of June", "second of May", "first of May")
        self.mail.search("of may")
        self.mail.shows("second of May", "first of May")
        self.mail.search("heron", where=["body"])
        self.mail.shows("second of May", "first of May")
        self.mail.search("Grüße vom", where=["body"])
        self.mail.shows("third of June")
        self.mail.search("no fish", where=["text"])
        self.mail.shows("second of May")
        self.mail.search("an eel", where=["subject", "body"])
        self.mail.shows()
        self.mail.stop_searching()
        self.mail.shows("third of June", "second of May", "first of May")
        # In all folders.
        self.mail.select("first of May")
        self.mail.move("Archive")
        self.mail.shows("third of June", "second of May")
        self.mail.search("heron", where=["body"], scope="all")
        until(lambda: set(self.mail.order()) == {"first of May", "second of May"}, SECONDS, "what was found in all folders")


if __name__ == "__main__":
    unittest.main()
