"""curl over IMAP: listing, fetching, searching, appending, as scripts do it."""

import unittest

from harness import PASSWORD, ServerCase, certificate, folder, message, needs, run

ALICE = "alice@example.test"


@needs("curl")
class ImapCurl(ServerCase):

    def curl(self, path="", *options, code=0):
        url = "imaps://localhost:%d/%s" % (self.relais.ports["imaps"], path)
        done = run(["curl", "--silent", "--show-error", "--cacert", certificate().chain, "--user", "%s:%s" % (ALICE, PASSWORD), url, *options])
        self.assertEqual(done.returncode, code, done.stdout + done.stderr)
        return done.stdout

    def test_a_script_keeps_a_mailbox(self):
        self.assertIn('* LIST (\\HasNoChildren) "/" INBOX', self.curl())
        home = folder("curl")
        sent = [message(subject="report %d" % n, body="line of report %d\r\n" % n) for n in range(3)]
        for n, octets in enumerate(sent):
            path = home / ("%d.eml" % n)
            path.write_bytes(octets)
            self.curl("Archive", "--upload-file", path)
        self.assertEqual(self.curl("Archive;MAILINDEX=2").encode().replace(b"\r\n", b"\n"), sent[1].replace(b"\r\n", b"\n"))
        self.assertIn("Subject: report 0", self.curl("Archive;UID=1;SECTION=HEADER.FIELDS%20(SUBJECT)"))
        self.assertIn("* SEARCH 3", self.curl("Archive?SUBJECT%20%22report%202%22"))
        self.assertIn("\\Flagged", self.curl("Archive", "--request", "STORE 2 +FLAGS (\\Flagged)"))
        self.assertIn("MESSAGES 3", self.curl("", "--request", "STATUS Archive (MESSAGES UNSEEN)"))
        self.assertIn("* QUOTAROOT INBOX", self.curl("", "--request", "GETQUOTAROOT INBOX"))
        # 78: the message does not exist; 67: the login is refused.
        self.curl("Archive;MAILINDEX=9", code=78)
        self.curl("", "--user", ALICE + ":wrong", code=67)


if __name__ == "__main__":
    unittest.main()
