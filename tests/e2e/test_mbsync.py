"""Debian's isync: one mailbox synchronised both ways, compared octet by octet."""

import os
import re
import socket
import time
import unittest

from harness import PASSWORD, ServerCase, certificate, folder, message, message_id, needs, run


def as_kept_locally(octets):
    """mbsync keeps LF, and marks what it has uploaded with a field of its own."""
    return re.sub(rb"(?m)^X-TUID: .*\n", b"", octets.replace(b"\r\n", b"\n"))


@needs("mbsync")
class Mbsync(ServerCase):

    def setUp(self):
        # A mailbox for each test.
        self.user = "%s@example.test" % self._testMethodName.replace("_", "-")
        self.relais.add_account(self.user)
        self.home = folder("mbsync")
        self.maildir = self.home / "mail"
        self.maildir.mkdir()
        self.config = self.home / "mbsyncrc"
        self.config.write_text("\n".join([
            "IMAPStore far", "Host localhost", "Port %d" % self.relais.ports["imaps"], "User " + self.user, 'Pass "%s"' % PASSWORD,
            "SSLType IMAPS", "CertificateFile %s" % certificate().chain, "AuthMechs LOGIN", "",
            "MaildirStore near", "Path %s/" % self.maildir, "Inbox %s/INBOX" % self.maildir, "SubFolders Verbatim", "",
            "Channel all", "Far :far:", "Near :near:", "Patterns *", "Create Both", "Remove Both", "Expunge Both",
            "CopyArrivalDate yes", "SyncState *", ""]))
        self.made = 0

    def sync(self):
        done = run(["mbsync", "--config", self.config, "--all"])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout + done.stderr

    def local(self, mailbox):
        """The messages of a local folder: (octets, flags), sorted."""
        found = []
        for sub in ("new", "cur"):
            for path in (self.maildir / mailbox / sub).iterdir():
                flags = path.name.partition(":2,")[2]
                found.append((as_kept_locally(path.read_bytes()), "".join(sorted(flags))))
        return sorted(found)

    def far(self, mailbox):
        """The same of the server."""
        letters = {"\\Seen": "S", "\\Flagged": "F", "\\Answered": "R", "\\Draft": "D", "\\Deleted": "T"}
        client = self.relais.imaplib(self.user)
        try:
            status, said = client.select('"%s"' % mailbox, readonly=True)
            self.assertEqual(status, "OK", said)
            if said == [b"0"]:
                return []
            found = []
            for part in client.fetch("1:*", "(FLAGS BODY.PEEK[])")[1]:
                if isinstance(part, tuple):
                    head, octets = part
                elif part != b")":
                    head = head + part
                if isinstance(part, tuple):
                    found.append([octets, head])
                else:
                    found[-1][1] += part
            def flags(head):
                names = re.search(rb"FLAGS \(([^)]*)\)", head).group(1).decode().split()
                return "".join(sorted(letters[name] for name in names if name in letters))
            return sorted((as_kept_locally(octets), flags(head)) for octets, head in found)
        finally:
            client.logout()

    def folders(self):
        client = self.relais.imaplib(self.user)
        try:
            return {re.search(rb'"/" "?([^"]*)"?$', line).group(1).decode() for line in client.list()[1]}
        finally:
            client.logout()

    def compare(self):
        """Both sides have the same folders with the same messages and flags; how many messages."""
        count = 0
        for name in self.folders():
            self.assertTrue((self.maildir / name).is_dir(), "%s is not there locally" % name)
            self.assertEqual(self.local(name), self.far(name), name)
            count += len(self.local(name))
        local = {str(path.parent.relative_to(self.maildir)) for path in self.maildir.glob("**/cur")}
        self.assertEqual(local, self.folders())
        return count

    def create_local(self, mailbox, octets, flags=None):
        self.made += 1
        for sub in ("tmp", "new", "cur"):
            (self.maildir / mailbox / sub).mkdir(parents=True, exist_ok=True)
        name = "%d.%d_%d.%s" % (time.time(), os.getpid(), self.made, socket.gethostname())
        path = self.maildir / mailbox / ("new/" + name if flags is None else "cur/%s:2,%s" % (name, flags))
        path.write_bytes(octets.replace(b"\r\n", b"\n"))

    def local_path(self, mailbox, mid):
        for sub in ("new", "cur"):
            for path in (self.maildir / mailbox / sub).iterdir():
                if mid.encode() in path.read_bytes():
                    return path
        self.fail("%s is not in the local %s" % (mid, mailbox))

    def flag_local(self, mailbox, mid, flags):
        path = self.local_path(mailbox, mid)
        path.rename(self.maildir / mailbox / "cur" / (re.sub(r":2,.*", "", path.name) + ":2," + flags))

    def test_both_ways(self):
        # What comes in by SMTP, and what a client has filed.
        arrived = [message_id() for _ in range(12)]
        for n, mid in enumerate(arrived):
            body = ["plain\r\n", "", ".\r\n..dots\r\n", "é" * 400 + "\r\n", "x" * 990 + "\r\n", "no end"][n % 6]
            self.relais.send("writer@remote.test", self.user, message(subject="n° %d" % n, body=body, mid=mid))
        with self.relais.imap(self.user) as client:
            for name in ("Projects/2026", '"With space"', '"Entw&APw-rfe"'):
                client.must("CREATE " + name)
            for n in range(5):
                filed = message(subject="filed %d" % n, body="text %d\r\n" % n)
                self.assertTrue(client.append("Projects/2026", filed, r"(\Seen)" if n % 2 else r"(\Flagged \Answered)").ok)
            large = message(subject="large", body="0123456789abcdef" * 64 + "\r\n" + "line\r\n" * 100_000)
            self.assertTrue(client.append('"With space"', large).ok)
        self.sync()
        self.assertEqual(self.compare(), 18)

        # Local changes: new messages, flags, deletions, a new folder with a subfolder.
        for n in range(4):
            self.create_local("INBOX", message(subject="written here %d" % n, mid=message_id("local.test")), None if n % 2 else "FS")
        self.create_local("Local", message(subject="in a new folder"), "S")
        self.create_local("Local/Sub", message(subject="in a new subfolder"), "")
        self.flag_local("INBOX", arrived[0], "S")
        self.flag_local("INBOX", arrived[1], "FRS")
        self.flag_local("INBOX", arrived[2], "T")
        # And changes on the server, at the same time.
        self.relais.send("writer@remote.test", self.user, message(subject="late"))
        with self.relais.imap(self.user) as client:
            client.must("SELECT INBOX")
            for mid, flag in ((arrived[3], r"\Answered"), (arrived[4], r"\Deleted")):
                uid = client.must('UID SEARCH HEADER Message-ID "%s"' % mid).untagged[0].split()[2]
                client.must("UID STORE %s +FLAGS (%s)" % (uid, flag))
            client.must("EXPUNGE")
            uid = client.must('UID SEARCH HEADER Message-ID "%s"' % arrived[5]).untagged[0].split()[2]
            client.must("UID MOVE %s Trash" % uid)
            client.must("CREATE Remote-new")
        self.sync()
        # 18, 6 made locally, 1 late; 1 deleted on each side.
        self.assertEqual(self.compare(), 18 + 6 + 1 - 2)
        flags = {octets: flags for octets, flags in self.far("INBOX")}
        def flags_of(mid):
            return [flag for octets, flag in flags.items() if mid.encode() in octets]
        self.assertEqual(flags_of(arrived[0]), ["S"])
        self.assertEqual(flags_of(arrived[1]), ["FRS"])
        self.assertEqual(flags_of(arrived[3]), ["R"])
        self.assertEqual(flags_of(arrived[2]) + flags_of(arrived[4]) + flags_of(arrived[5]), [])
        self.assertLessEqual({"Local", "Local/Sub"}, self.folders())

        # Nothing is left to do.
        before = {name: (self.local(name), self.far(name)) for name in self.folders()}
        self.sync()
        self.assertEqual({name: (self.local(name), self.far(name)) for name in self.folders()}, before)

    def test_a_restart_keeps_the_synchronisation(self):
        # UIDs and UIDVALIDITY outlive the server, or mbsync would begin anew or complain.
        mid = message_id()
        self.relais.send("writer@remote.test", self.user, message(mid=mid))
        self.sync()
        count = self.compare()
        self.relais.restart()
        self.config.write_text(re.sub(r"Port \d+", "Port %d" % self.relais.ports["imaps"], self.config.read_text()))
        self.sync()
        self.assertEqual(self.compare(), count)


if __name__ == "__main__":
    unittest.main()
