"""Bans: who guesses passwords or addresses is kept out and told why, over a restart; what an administrator bans, sees and lifts."""

import imaplib
import signal
import smtplib
import socket

from harness import PASSWORD, ServerCase, message, run, needs, tls_context, until

ALICE = "alice@example.test"
WRITER = "writer@remote.test"
# Several clients on one machine: loopback has many addresses, and here they may be banned.
ABUSE = {"never_banned": [], "failed_logins_per_hour_max": [3, 0, 0], "unknown_recipients_per_hour_max": [6, 0, 0],
         "bad_commands_per_hour_max": [12, 0, 0], "ban_at_multiple": 2, "tarpit_secs_max": 1}


class ImapFrom(imaplib.IMAP4_SSL):
    """imaplib over TLS from an address of one's choice."""

    def __init__(self, source, port):
        self.source = source
        super().__init__("127.0.0.1", port, ssl_context=tls_context(), timeout=30)

    def _create_socket(self, timeout):
        sock = socket.create_connection((self.host, self.port), timeout, source_address=(self.source, 0))
        return self.ssl_context.wrap_socket(sock, server_hostname=self.host)


class Bans(ServerCase):

    options = {"settings": {"abuse": ABUSE}}

    # -- clients from an address

    def mx(self, source):
        return smtplib.SMTP("127.0.0.1", self.relais.ports["mx"], timeout=30, source_address=(source, 0))

    def submissions(self, source):
        return smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context(), source_address=(source, 0))

    def welcome(self, source):
        """Whether a client from there is let in by every service."""
        for connect in (self.mx, self.submissions):
            with connect(source) as client:
                self.assertEqual(client.noop()[0], 250)
        client = ImapFrom(source, self.relais.ports["imaps"])
        client.logout()

    def told(self, source, connect=None):
        """What a banned client is told in the place of the greeting."""
        with self.assertRaises(smtplib.SMTPConnectError) as caught:
            (connect or self.mx)(source)
        # What has no end is refused for good.
        self.assertEqual(caught.exception.smtp_code, 421 if b" until 2" in caught.exception.smtp_error else 554)
        return caught.exception.smtp_error.decode()

    def banned(self):
        return {ban["prefix"]: ban for ban in self.relais.json("ban", "list")}

    def guess(self, source, password):
        with self.submissions(source) as client:
            with self.assertRaises(smtplib.SMTPAuthenticationError):
                client.login(ALICE, password)

    # -- tests

    def test_who_guesses_passwords_is_kept_out_and_told_why(self):
        guesser, other = "127.0.0.5", "127.0.0.6"
        self.guess(guesser, "one")
        # The same once more is a program that was not told the new password.
        self.guess(guesser, "one")
        self.guess(guesser, "two")
        self.welcome(guesser)
        client = ImapFrom(guesser, self.relais.ports["imaps"])
        with self.assertRaises(imaplib.IMAP4.error):
            client.login(ALICE, "three")
        client.shutdown()
        sentence = r"^4\.7\.0 Your address 127\.0\.0\.5 is banned until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: 3 failed logins in an hour; " \
                   r"write to postmaster@mx\.example\.test from elsewhere$"
        # By every way in, in words for people: behind TLS where their programs expect it.
        self.assertRegex(self.told(guesser), sentence)
        self.assertRegex(self.told(guesser, self.submissions), sentence)
        with self.assertRaises(imaplib.IMAP4.error) as caught:
            ImapFrom(guesser, self.relais.ports["imaps"])
        self.assertRegex(str(caught.exception), r"BYE \[UNAVAILABLE\] Your address 127\.0\.0\.5 is banned until .*: 3 failed logins in an hour")
        # Others are not disturbed.
        self.welcome(other)
        with self.submissions(other) as client:
            client.login(ALICE, PASSWORD)
        # What administrators see.
        ban = self.banned()[guesser]
        self.assertEqual((ban["cause"], ban["times"]), ("failed-logins", 1))
        shown = self.relais.cli("ban", "show", guesser)
        self.assertIn("is told               Your address 127.0.0.5 is banned until", shown)
        shown = self.relais.cli("ban", "show", other)
        self.assertIn("may come in", shown)
        self.assertIn("somebody has logged in from there lately", shown)
        until(lambda: "banned who=127.0.0.5 cause=\"failed_logins\"" in self.relais.log_text(), what="a line of the log")
        self.assertGreaterEqual(self.relais.metric("relais_bans_total", cause="failed_logins"), 1)
        self.assertGreaterEqual(self.relais.metric("relais_smtp_in_turned_away_total", reason="banned"), 2)
        self.assertGreaterEqual(self.relais.metric("relais_imap_turned_away_total", reason="banned"), 1)
        until(lambda: self.relais.metric("relais_bans_in_force") >= 1, what="a ban in force")
        # A restart forgets no ban; the command line sees it without a server, too.
        self.relais.stop()
        self.assertIn("3 failed logins in an hour", self.relais.cli("ban", "list"))
        self.assertIn("No server runs", self.relais.cli("ban", "show", guesser))
        self.relais.check()
        self.relais.start()
        self.assertRegex(self.told(guesser), sentence)
        self.assertIn("is not banned any more", self.relais.cli("ban", "remove", guesser))
        self.welcome(guesser)
        self.assertNotIn(guesser, self.banned())

    def test_who_mistypes_in_a_familiar_place_is_let_in_again(self):
        home = "127.0.0.7"
        with self.submissions(home) as client:
            client.login(ALICE, PASSWORD)
        for password in ("one", "two", "three", "four"):
            self.guess(home, password)
        self.welcome(home)
        self.assertNotIn(home, self.banned())

    def test_who_tries_addresses_is_slowed_down_sent_away_and_banned(self):
        harvester = "127.0.0.8"
        codes, closed = [], 0
        while len(codes) < 12:
            client = self.mx(harvester)
            client.ehlo("harvester.test")
            client.mail(WRITER)
            while len(codes) < 12:
                code, text = client.rcpt("nobody%d@example.test" % len(codes))
                codes.append(code)
                if code == 421:
                    closed += 1
                    break
            client.close()
        self.assertEqual(codes[:6], [550] * 6)
        # Beyond the rate the others of a message are left alone; with the ban the session ends.
        self.assertEqual(codes[6:], [451] * 5 + [421])
        self.assertIn("12 recipients that do not exist in an hour", self.told(harvester))
        self.assertEqual(self.banned()[harvester]["cause"], "unknown-recipients")
        self.assertGreaterEqual(self.relais.metric("relais_tarpit_total", outcome="held"), 3)
        # The trace tells of the refusals.
        self.assertIn("5.1.1", self.relais.cli("trace", "--recipient", "nobody0@example.test"))
        self.assertIn("451 4.7.0 Too many recipients that do not exist", self.relais.cli("trace", "--recipient", "nobody7@example.test"))

    def test_garbage_bans_and_ends_the_session(self):
        browser = "127.0.0.10"
        with socket.create_connection(("127.0.0.1", self.relais.ports["mx"]), 30, source_address=(browser, 0)) as sock:
            sock.sendall(b"GET / HTTP/1.1\r\nHost: mx\r\nUser-Agent: x\r\nAccept: y\r\n" * 4)
            said = b""
            while True:
                more = sock.recv(65536)
                if not more:
                    break
                said += more
        last = said.decode().splitlines()[-1]
        self.assertRegex(last, r"^421 4\.7\.0 Your address 127\.0\.0\.10 is banned until .*: \d+ commands that make no sense in an hour")
        self.assertIn("commands that make no sense", self.told(browser))

    def test_an_administrator_bans_networks_and_lifts(self):
        # What would keep out one's own programs, or half of the world, is not done by a slip.
        for own, why in (("127.0.1.9/24", "is this machine itself"), ("0.0.0.0/0", "is wider than a /8"), ("10.0.0.0/8", "is a private network")):
            wrong = self.relais.run("ban", "add", own, "--why", "spam wave of 3 May")
            self.assertNotEqual(wrong.returncode, 0)
            self.assertIn(why, wrong.stderr)
            self.assertIn("--force", wrong.stderr)
        said = self.relais.cli("ban", "add", "127.0.1.9/24", "--for", "2h", "--why", "spam wave of 3 May", "--force")
        self.assertRegex(said, r"127\.0\.1\.0/24 is banned until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC: spam wave of 3 May")
        self.assertRegex(self.told("127.0.1.77"), r"Your network 127\.0\.1\.0/24 is banned until .*: spam wave of 3 May; write to")
        self.welcome("127.0.2.77")
        wrong = self.relais.run("ban", "remove", "127.0.1.77")
        self.assertNotEqual(wrong.returncode, 0)
        self.assertIn("127.0.1.0/24 is: `relais ban remove 127.0.1.0/24`", wrong.stderr)
        self.relais.cli("ban", "remove", "127.0.1.0/24")
        self.welcome("127.0.1.77")
        for arguments in (("add", "127.0.1.9", "--why", "two\nlines"), ("add", "127.0.1.9"), ("add", "127.0.1.9", "--for", "2", "--why", "x"),
                          ("add", "example.test", "--why", "x"), ("show", "127.0.0.0/8")):
            self.assertNotEqual(self.relais.run("ban", *arguments).returncode, 0, arguments)

    @needs("swaks")
    def test_settings_are_taken_over_while_it_runs(self):
        chosen = "127.0.0.9"
        self.relais.cli("ban", "add", chosen, "--why", "by mistake", "--force")
        swaks = ["swaks", "--server", "127.0.0.1:%d" % self.relais.ports["mx"], "--local-interface", chosen, "--from", WRITER, "--to", ALICE]
        said = run(swaks).stdout
        self.assertIn("554 5.7.1 Your address 127.0.0.9 is banned until an administrator lifts it: by mistake", said)
        try:
            self.relais.set("abuse", never_banned=[chosen])
            self.relais.signal(signal.SIGHUP)
            def taken():
                done = run(swaks)
                return done.returncode == 0 and done.stdout
            self.assertIn("250 2.0.0", until(taken, what="swaks to be let in"))
            wrong = self.relais.run("ban", "add", chosen, "--why", "again", "--force")
            self.assertIn("127.0.0.9 is never banned", wrong.stderr)
        finally:
            self.relais.set("abuse", never_banned=[])
            self.relais.signal(signal.SIGHUP)
            self.relais.cli("ban", "remove", chosen)
