"""Debian's mutt in a terminal: somebody opens the mailbox, reads, flags, deletes, files and leaves."""

import os
import re
import shutil
import subprocess
import unittest

from harness import PASSWORD, ServerCase, certificate, folder, message, message_id, needs, until


@needs("mutt")
@unittest.skipUnless(shutil.which("tmux"), "tmux is not installed")
class Mutt(ServerCase):

    def setUp(self):
        self.user = "mutt@example.test"
        self.relais.add_account(self.user)
        self.home = folder("mutt")
        self.config = self.home / "muttrc"
        server = "imaps://localhost:%d/" % self.relais.ports["imaps"]
        self.config.write_text("\n".join([
            'set imap_user="%s"' % self.user, 'set imap_pass="%s"' % PASSWORD, 'set folder="%s"' % server, 'set spoolfile="+INBOX"',
            'set ssl_ca_certificates_file="%s"' % certificate().chain, "set ssl_force_tls=yes", "set ssl_starttls=yes",
            "set sleep_time=0", "set confirmappend=no", "set confirmcreate=no", "set delete=yes", "set quit=yes", "set mark_old=no",
            "set mail_check=1", "set timeout=2", "set sort=date-received", 'set index_format="%4C %Z %s"', "set wait_key=no", "unset markers",
            'set record="+Sent"', 'set header_cache="%s"' % (self.home / "cache"), 'set status_format="mailbox %f: %m"', ""]))
        self.socket = str(self.home / "tmux")

    def tmux(self, *words):
        return subprocess.run(["tmux", "-S", self.socket, *words], capture_output=True, text=True, timeout=30)

    def screen(self):
        return self.tmux("capture-pane", "-p", "-t", "mutt").stdout

    def shows(self, pattern, seconds=30):
        return until(lambda: re.search(pattern, self.screen()), seconds, "%s on the screen:\n%s" % (pattern, self.screen()))

    def keys(self, *keys):
        self.tmux("send-keys", "-t", "mutt", *keys)

    def start(self):
        environment = {**os.environ, "HOME": str(self.home), "TERM": "screen", "LC_ALL": "C.UTF-8"}
        started = subprocess.run(
            ["tmux", "-S", self.socket, "-f", "/dev/null", "new-session", "-d", "-s", "mutt", "-x", "120", "-y", "40",
             "mutt -n -F %s; sleep 5" % self.config],
            env=environment, capture_output=True, text=True, timeout=30)
        self.assertEqual(started.returncode, 0, started.stderr)
        self.addCleanup(self.tmux, "kill-server")

    def flags(self):
        return self.relais.flags(self.user)

    def test_somebody_reads_their_mail(self):
        for n in range(1, 6):
            self.relais.send("writer@remote.test", self.user, message(subject="letter %d" % n, body="inside of letter %d\r\n" % n, mid=message_id()))
        self.start()
        self.shows("letter 5")
        # Read the second.
        self.keys("2", "Enter", "Enter")
        self.shows("inside of letter 2")
        self.keys("i")
        self.shows("letter 5")
        # Flag the third, delete the first, and write that to the server.
        self.keys("3", "Enter", "F")
        self.keys("1", "Enter", "d")
        self.shows(r"1 +\S*D\S* +letter 1|1 +D +letter 1")
        self.keys("$")
        until(lambda: "letter 1" not in self.flags(), 30, "the deletion")
        flags = self.flags()
        self.assertEqual((flags["letter 2"], flags["letter 3"], flags["letter 4"]), ({"\\Seen"}, {"\\Flagged"}, set()))
        # File one into another mailbox.
        self.keys("s")
        self.shows("mailbox|Save")
        self.keys("C-a", "C-k")
        self.keys("=Archive", "Enter")
        self.keys("$")
        until(lambda: len(self.relais.messages(self.user, "Archive")) == 1, 30, "the message in Archive")
        # What comes meanwhile is seen.
        self.relais.send("writer@remote.test", self.user, message(subject="news of today", mid=message_id()))
        self.keys("G")
        self.shows("news of today")
        self.keys("q")
        until(lambda: "mailbox" not in self.screen(), 30, "the end of mutt")
        self.assertEqual(len(self.flags()), 4)


if __name__ == "__main__":
    unittest.main()
