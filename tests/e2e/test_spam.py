"""The content filter: learnt by what people move into and out of Junk, told in a header field and in the trace."""

import smtplib
import unittest

from harness import TestCase, message, message_id, until

ALICE, BOB = "alice@near.test", "bob@near.test"


def spam(n, mid=None):
    body = "Claim your jackpot bonus at https://win.casino.test/%d\r\nFree spins are waiting, deposit today and win the prize.\r\n" % n
    return message(to=ALICE, sender="Lucky <offer%d@bulk.test>" % n, subject="Free casino spins for you %d" % n, body=body, mid=mid)


def ham(n, mid=None):
    body = "Please find the draft of our report %d.\r\nWe meet on Tuesday to talk about the budget of the project.\r\n" % n
    return message(to=ALICE, sender="Yan <yan@partner.test>", subject="Minutes of the meeting %d" % n, body=body, mid=mid)


class Spam(TestCase):

    def started(self, **options):
        relais = self.server(name="spam", hostname="mx.near.test", settings={
            # Content is looked at also without the DNS; what comes from this machine is a stranger's.
            "sender_authentication": {"verify": False, "trusted_networks": []}, "spam": options})
        relais.add_domain("near.test")
        relais.add_accounts(ALICE, BOB)
        relais.start()
        return relais

    def hand_over(self, relais, *contents, to=(ALICE,)):
        with smtplib.SMTP("127.0.0.1", relais.ports["mx"], local_hostname="client.test", timeout=60) as client:
            for content in contents:
                client.sendmail("writer@bulk.test", list(to), content)

    def count(self, relais, user, mailbox):
        imap = relais.imaplib(user)
        try:
            kind, data = imap.select(mailbox, readonly=True)
            self.assertEqual(kind, "OK", data)
            return int(data[0])
        finally:
            imap.logout()

    def where(self, relais, mid, user=ALICE):
        """The mailboxes that have a message, with its octets."""
        found = {}
        imap = relais.imaplib(user)
        try:
            for mailbox in ("INBOX", "Junk"):
                imap.select(mailbox, readonly=True)
                uids = imap.uid("SEARCH", "HEADER", "Message-ID", '"%s"' % mid)[1][0].split()
                if uids:
                    found[mailbox] = imap.uid("FETCH", uids[-1].decode(), "(FLAGS BODY.PEEK[])")[1][0]
        finally:
            imap.logout()
        return found

    def learnt(self, relais, account, spam, ham):
        def look():
            status = relais.json("spam", "status", *([account] if account else []))
            return status["spam"] == spam and status["ham"] == ham
        until(look, seconds=120, what="%s has learnt %d spam and %d ham" % (account or "the site", spam, ham))

    def test_what_people_move_to_and_from_junk_is_learnt(self):
        relais = self.started(learn_site_wide=False)
        self.hand_over(relais, *[ham(n) for n in range(20)], *[spam(n) for n in range(20)], to=(ALICE, BOB))
        for user in (ALICE, BOB):
            until(lambda: self.count(relais, user, "INBOX") == 40, what="all mail of " + user)
        self.assertIn("too little", relais.cli("spam", "status", ALICE))

        # She reads her mail, and moves the spam away.
        imap = relais.imaplib(ALICE)
        imap.select("INBOX")
        letters = imap.uid("SEARCH", "SUBJECT", "Minutes")[1][0].split()
        self.assertEqual(len(letters), 20)
        for uid in letters:
            self.assertEqual(imap.uid("FETCH", uid.decode(), "(BODY[])")[0], "OK")
        for uid in imap.uid("SEARCH", "SUBJECT", "casino")[1][0].split():
            self.assertEqual(imap.uid("MOVE", uid.decode(), "Junk")[0], "OK")
        imap.logout()
        self.learnt(relais, ALICE, 20, 20)
        self.learnt(relais, BOB, 0, 0)
        self.learnt(relais, None, 0, 0)

        # The next of the kind goes to her Spam with a sentence; bob, who has said nothing, has it in INBOX without one.
        mid, letter = message_id("bulk.test"), message_id("partner.test")
        self.hand_over(relais, spam(99, mid), ham(99, letter), to=(ALICE, BOB))
        until(lambda: self.where(relais, mid) and self.where(relais, letter), what="the next spam")
        found = self.where(relais, mid)
        self.assertEqual(list(found), ["Junk"])
        flags, content = found["Junk"]
        self.assertIn(b"$Junk", flags)
        self.assertRegex(content, rb"\r\nX-Spam-Flag: YES\r\nX-Spam-Reason: [\d.]+ points of 5\.0: it is like what you marked")
        self.assertEqual(list(self.where(relais, letter)), ["INBOX"])
        others = self.where(relais, mid, BOB)
        self.assertEqual(list(others), ["INBOX"])
        self.assertNotIn(b"X-Spam", others["INBOX"][1])
        told = relais.cli("trace", "--message-id", mid)
        self.assertIn("alice@near.test: goes to Spam: ", told)
        self.assertNotIn("bob@near.test: goes to Spam", told)
        self.assertIn("it goes to Spam", relais.cli("spam", "explain", mid))
        self.assertIn("it does not go to Spam", relais.cli("spam", "explain", mid, "--account", BOB))

        # It was none: back to INBOX, and it is learnt as ham.
        imap = relais.imaplib(ALICE)
        imap.select("Junk")
        uid = imap.uid("SEARCH", "HEADER", "Message-ID", '"%s"' % mid)[1][0].split()[0].decode()
        self.assertEqual(imap.uid("MOVE", uid, "INBOX")[0], "OK")
        self.learnt(relais, ALICE, 20, 21)
        # Thunderbird marks it as well, and marks it back.
        imap.select("INBOX")
        uid = imap.uid("SEARCH", "HEADER", "Message-ID", '"%s"' % mid)[1][0].split()[0].decode()
        self.assertEqual(imap.uid("STORE", uid, "-FLAGS", "($Junk)")[0], "OK")
        self.assertEqual(imap.uid("STORE", uid, "+FLAGS", "($Junk)")[0], "OK")
        self.learnt(relais, ALICE, 21, 20)
        self.assertEqual(imap.uid("STORE", uid, "FLAGS", "($NotJunk)")[0], "OK")
        imap.logout()
        self.learnt(relais, ALICE, 20, 21)

    def test_files_thresholds_and_refusals(self):
        relais = self.started()
        folder = relais.home
        files = {}
        for kind, make in (("spam", spam), ("ham", ham)):
            files[kind] = []
            for n in range(20):
                file = folder / ("%s-%d.eml" % (kind, n))
                file.write_bytes(make(n))
                files[kind].append(str(file))
        self.assertIn("20 messages learnt as spam", relais.cli("spam", "train", "--spam", *files["spam"]))
        self.assertIn("20 messages learnt as ham", relais.cli("spam", "train", "--ham", *files["ham"]))
        self.assertIn("0 messages learnt as spam; 20 were known", relais.cli("spam", "train", "--spam", *files["spam"]))
        self.assertIn("it goes to Spam", relais.cli("spam", "explain", files["spam"][0]))
        self.assertIn("it does not go to Spam", relais.cli("spam", "explain", files["ham"][0], "--account", BOB))

        # What the site knows is for all; who wants no filter has none.
        status = relais.json("spam", "set", BOB, "--off", "--allow", "Shop.test", "--threshold", "6.5")
        self.assertEqual((status["enabled"], status["senders"], status["threshold"]), (False, ["shop.test"], 65))
        mid = message_id("bulk.test")
        self.hand_over(relais, spam(77, mid), to=(ALICE, BOB))
        until(lambda: self.where(relais, mid) and self.where(relais, mid, BOB), what="spam for both")
        self.assertEqual([list(self.where(relais, mid, user)) for user in (ALICE, BOB)], [["Junk"], ["INBOX"]])

        # The test text is refused, when everybody has the filter.
        gtube = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"
        mid = message_id("bulk.test")
        with self.assertRaises(smtplib.SMTPDataError) as refused:
            self.hand_over(relais, message(to=ALICE, body=gtube, mid=mid))
        self.assertEqual(refused.exception.smtp_code, 550)
        self.assertIn(b"5.7.1 Refused as spam", refused.exception.smtp_error)
        self.assertIn("Refused as spam", until(lambda: relais.cli("trace", "--recipient", ALICE), what="the trace"))
        relais.cli("spam", "forget", "--site")
        self.learnt(relais, None, 0, 0)


if __name__ == "__main__":
    unittest.main()
