"""Debian's offlineimap3: a mailbox kept in step both ways, after changes on both sides."""

import os
import re
import socket
import time
import unittest

from harness import PASSWORD, ServerCase, certificate, folder, id_of, message, message_id, needs, run


@needs("offlineimap")
class OfflineImap(ServerCase):

    def setUp(self):
        self.user = "offline@example.test"
        self.relais.add_account(self.user)
        self.home = folder("offlineimap")
        self.maildir = self.home / "mail"
        self.maildir.mkdir()
        self.config = self.home / "offlineimaprc"
        self.config.write_text("\n".join([
            "[general]", "metadata = %s" % (self.home / "metadata"), "accounts = one", "ui = basic", "socktimeout = 30",
            "[Account one]", "localrepository = near", "remoterepository = far",
            "[Repository near]", "type = Maildir", "localfolders = %s" % self.maildir, "sep = /",
            "[Repository far]", "type = IMAP", "remotehost = localhost", "remoteport = %d" % self.relais.ports["imaps"],
            "remoteuser = " + self.user, "remotepass = " + PASSWORD, "ssl = yes", "sslcacertfile = %s" % certificate().chain,
            "auth_mechanisms = PLAIN, LOGIN", ""]))
        self.made = 0

    def sync(self):
        done = run(["offlineimap", "-o", "-c", self.config], timeout=120, env={**os.environ, "HOME": str(self.home)})
        said = done.stdout + done.stderr
        self.assertEqual(done.returncode, 0, said)
        self.assertNotIn("ERROR", said)
        return said

    def paths(self, mailbox):
        return [path for sub in ("new", "cur") for path in (self.maildir / mailbox / sub).iterdir()]

    def local(self, mailbox):
        """Message-ID -> flags."""
        return {id_of(path.read_bytes()): "".join(sorted(path.name.partition(":2,")[2])) for path in self.paths(mailbox)}

    def far(self, mailbox):
        letters = {"\\Seen": "S", "\\Flagged": "F", "\\Answered": "R", "\\Draft": "D", "\\Deleted": "T"}
        client = self.relais.imaplib(self.user)
        try:
            status, said = client.select('"%s"' % mailbox, readonly=True)
            self.assertEqual(status, "OK", said)
            found = {}
            if said != [b"0"]:
                for part in client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])")[1]:
                    if isinstance(part, tuple):
                        names = re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).decode().split()
                        found[id_of(part[1])] = "".join(sorted(letters[name] for name in names if name in letters))
            return found
        finally:
            client.logout()

    def path_of(self, mailbox, mid):
        return next(path for path in self.paths(mailbox) if mid.encode() in path.read_bytes())

    def flag_local(self, mailbox, mid, flags):
        path = self.path_of(mailbox, mid)
        path.rename(self.maildir / mailbox / "cur" / (path.name.partition(":2,")[0] + ":2," + flags))

    def create_local(self, mailbox, mid, flags):
        for sub in ("tmp", "new", "cur"):
            (self.maildir / mailbox / sub).mkdir(parents=True, exist_ok=True)
        self.made += 1
        name = "%d.%d_%d.%s:2,%s" % (time.time(), os.getpid(), self.made, socket.gethostname(), flags)
        (self.maildir / mailbox / "cur" / name).write_bytes(message(subject="made here", mid=mid).replace(b"\r\n", b"\n"))

    def same(self, *mailboxes):
        for mailbox in mailboxes:
            self.assertEqual(self.local(mailbox), self.far(mailbox), mailbox)

    def test_both_ways(self):
        arrived = [message_id() for _ in range(8)]
        for n, mid in enumerate(arrived):
            body = ["plain\r\n", ".\r\n..dots\r\n", "é" * 400 + "\r\n", "no end"][n % 4]
            self.relais.send("writer@remote.test", self.user, message(subject="n° %d" % n, body=body, mid=mid))
        with self.relais.imap(self.user) as client:
            client.must("CREATE Projects/2026")
            self.assertTrue(client.append("Projects/2026", message(subject="filed"), r"(\Seen \Flagged)").ok)
        self.sync()
        self.same("INBOX", "Sent", "Trash", "Projects/2026")
        self.assertEqual(len(self.local("INBOX")), 8)

        # Changes on both sides at once.
        made = message_id("local.test")
        self.create_local("INBOX", made, "S")
        self.create_local("Nearby", message_id("local.test"), "F")
        self.flag_local("INBOX", arrived[0], "S")
        self.flag_local("INBOX", arrived[1], "FRS")
        self.path_of("INBOX", arrived[2]).unlink()
        with self.relais.imap(self.user) as client:
            client.must("SELECT INBOX")
            for mid, flag in ((arrived[3], r"\Answered"), (arrived[4], r"\Deleted")):
                uid = client.must('UID SEARCH HEADER Message-ID "%s"' % mid).untagged[0].split()[2]
                client.must("UID STORE %s +FLAGS (%s)" % (uid, flag))
            client.must("EXPUNGE")
            uid = client.must('UID SEARCH HEADER Message-ID "%s"' % arrived[5]).untagged[0].split()[2]
            client.must("UID MOVE %s Trash" % uid)
        late = message_id()
        self.relais.send("writer@remote.test", self.user, message(subject="late", mid=late))
        self.sync()
        # What was deleted locally goes with the second run at the latest.
        self.sync()
        self.same("INBOX", "Sent", "Trash", "Projects/2026", "Nearby")
        inbox = self.far("INBOX")
        self.assertEqual((inbox[arrived[0]], inbox[arrived[1]], inbox[arrived[3]], inbox[made]), ("S", "FRS", "R", "S"))
        self.assertEqual({arrived[2], arrived[4], arrived[5]} & set(inbox), set())
        self.assertIn(late, self.local("INBOX"))
        self.assertIn(arrived[5], self.local("Trash"))

        # Nothing is left to do.
        before = self.far("INBOX")
        said = self.sync()
        self.assertNotRegex(said, r"Cop(y|ied) message|Deleting|Adding flags")
        self.assertEqual(self.far("INBOX"), before)


if __name__ == "__main__":
    unittest.main()
