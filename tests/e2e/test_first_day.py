"""What a new administrator does on the first day: writes to postmaster, follows the numbers and hints that the server gives, cuts output short."""

import os
import re
import smtplib
import subprocess

from harness import PASSWORD, ServerCase, binary, message, message_id, tls_context

ALICE = "alice@example.test"
BOB = "bob@example.test"
# The server's own name, which is no domain of it.
HOST = "mx.example.test"


class FirstDay(ServerCase):

    def hand_over(self, recipient, sender="zoe@far.test", mid=None, client=None):
        """A message by the MX port; the reply to its last dot, or to its recipient when that is refused."""
        if client is None:
            with smtplib.SMTP("127.0.0.1", self.relais.ports["mx"], timeout=30) as client:
                return self.hand_over(recipient, sender, mid, client)
        client.ehlo_or_helo_if_needed()
        client.mail(sender)
        code, said = client.rcpt(recipient)
        if code == 250:
            code, said = client.data(message(to=recipient, sender=sender, mid=mid or message_id()))
        return "%d %s" % (code, said.decode())

    def submissions(self):
        client = smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context())
        client.login(ALICE, PASSWORD)
        return client

    def test_postmaster_and_abuse_are_read_at_the_servers_own_name(self):
        self.relais.cli("domain", "set", "example.test", "--postmaster", "dave@example.test")
        for recipient in ("postmaster@" + HOST, "PostMaster@" + HOST.upper(), "abuse@" + HOST, "abuse@example.test"):
            mid = message_id()
            self.assertTrue(self.hand_over(recipient, mid=mid).startswith("250 2.0.0"), recipient)
            self.relais.wait_message("dave@example.test", lambda octets, mid=mid: mid.encode() in octets)
        with smtplib.LMTP("127.0.0.1", self.relais.ports["lmtp"]) as client:
            mid = message_id()
            self.assertTrue(self.hand_over("postmaster@" + HOST, mid=mid, client=client).startswith("250"))
            self.relais.wait_message("dave@example.test", lambda octets: mid.encode() in octets)
        with self.submissions() as client:
            mid = message_id()
            self.assertTrue(self.hand_over("postmaster@" + HOST, ALICE, mid, client).startswith("250"))
            self.relais.wait_message("dave@example.test", lambda octets: mid.encode() in octets)
        self.assertEqual(self.relais.queue(), [], "nothing is relayed to ourselves")
        self.assertRegex(self.hand_over("alice@" + HOST), r"^550 5\.7\.1")
        told = self.relais.cli("explain", "zoe@far.test", "postmaster@" + HOST)
        self.assertIn("at the server's own name", told)
        self.assertIn("mailbox dave@example.test", told)
        self.assertIn("reads it, since nothing has that address", self.relais.cli("explain", "zoe@far.test", "abuse@example.test"))

    def test_the_number_of_the_reply_finds_the_trace(self):
        mid = message_id()
        said = self.hand_over(BOB, mid=mid)
        number = re.fullmatch(r"250 2\.0\.0 Message kept as ([0-9a-f]{32})", said).group(1)
        self.assertIn("delivered to " + BOB, self.relais.cli("trace", number))
        got = self.relais.wait_message(BOB, lambda octets: mid.encode() in octets)
        self.assertIn(number.encode(), got.split(b"\r\n\r\n")[0])
        with self.submissions() as client:
            number = self.hand_over(BOB, ALICE, client=client).rsplit(" ", 1)[1]
        self.assertIn("logged in as " + ALICE, self.relais.cli("trace", number))

    def test_a_closed_output_ends_a_command_quietly(self):
        self.hand_over(BOB)
        for words in (["trace"], ["config"], ["account", "list"], ["health"], ["domain", "records", "example.test"], ["--help"],
                      ["trace", "--json"], ["no-such-command"]):
            reading, writing = os.pipe()
            os.close(reading)
            with os.fdopen(writing, "wb") as output:
                done = subprocess.run([binary(), "--config", str(self.relais.config)] + words, stdout=output, stderr=subprocess.PIPE, timeout=60)
            self.assertNotIn(b"panicked", done.stderr, words)
            self.assertIn(done.returncode, (0, 2), (words, done.stderr))

    def test_what_senders_hold_back_is_not_let_go_by_all(self):
        self.relais.cli("account", "set", ALICE, "--undo-send", "10m")
        self.addCleanup(self.relais.cli, "account", "set", ALICE, "--undo-send", "0s")
        mid = message_id()
        with self.submissions() as client:
            self.hand_over(BOB, ALICE, mid, client)
        self.assertIn("1 that its sender holds back is left", self.relais.cli("queue", "retry", "--all"))
        entry = next(one for one in self.relais.json("queue", "waiting", ALICE))
        self.assertEqual(entry["waits_for"], "undo")
        self.assertRegex(self.relais.cli("queue", "list"), r"(?m)^%d +- .* its sender, who may take it back" % entry["id"])
        # Who takes back names what.
        for words in (["--all"], ["--destination", HOST], []):
            refused = self.relais.run("queue", "cancel", *words, "--by", ALICE)
            self.assertEqual(refused.returncode, 2, refused.stderr)
        self.assertEqual(len(self.relais.json("queue", "waiting", ALICE)), 1)
        refused = self.relais.run("queue", "retry")
        self.assertEqual(refused.returncode, 2)
        self.assertIn("--all", refused.stderr)
        self.relais.cli("queue", "retry", str(entry["id"]))
        self.relais.wait_message(BOB, lambda octets: mid.encode() in octets)
        self.assertIn("an administrator lets it go before its time", self.relais.cli("trace", "--message-id", mid))

    def test_full_mailboxes_are_told(self):
        self.relais.cli("account", "set", "carol@example.test", "--quota-messages", "0")
        self.addCleanup(self.relais.cli, "account", "set", "carol@example.test", "--no-quota-messages")
        self.assertIn("nothing fits", self.relais.cli("account", "show", "carol@example.test"))
        self.assertRegex(self.hand_over("carol@example.test"), r"^452 4\.2\.2")
        self.assertIn("refused: 452 4.2.2", self.relais.cli("explain", "zoe@far.test", "carol@example.test", "--size", "30M"))
        self.relais.add_alias("both@example.test", "carol@example.test", BOB)
        number = self.hand_over("both@example.test").rsplit(" ", 1)[1]
        self.assertIn("carol@example.test: beyond its quota with this message, which it gets all the same: 1 of 0 messages",
                      self.relais.cli("trace", number))

    def test_hints_lead_on(self):
        relais = self.relais
        added = relais.cli("domain", "add", "second.test")
        for record in (r"second\.test\. +MX +10 mx\.example\.test\.", r'second\.test\. +TXT +"v=spf1 mx -all"', r'_dmarc\.second\.test\. +TXT',
                       r'\._domainkey\.second\.test\. +TXT +"v=DKIM1'):
            self.assertRegex(added, record)
        for words, hint in [
            (["domain", "dkim", "remove", "second.test", "nope"], "relais domain dkim show second.test"),
            (["account", "show", "nobody@example.test"], "relais account list"),
            (["webhook", "add", "http://127.0.0.1:9"], "allow_private = true"),
        ]:
            refused = relais.run(*words)
            self.assertEqual(refused.returncode, 1, words)
            self.assertIn(hint, refused.stderr)
        relais.cli("ban", "add", "198.51.100.7", "--why", "vague de l’été")
        self.addCleanup(relais.cli, "ban", "remove", "198.51.100.7")
        self.assertIn("vague de l’été", relais.cli("ban", "list"))
        self.assertIn("at most 6 messages", relais.cli("account", "set", "carol@example.test", "--messages-per-day", "6"))
        changed = relais.cli("account", "password", "carol@example.test", "--password-file", "-", stdin=PASSWORD + " more\n")
        self.assertIn("the password of carol@example.test is changed\n", changed)
        self.assertIn("--internal-only", relais.cli("alias", "add", "everyone@example.test", "--to", ""))
        self.assertNotIn("note well", relais.cli("alias", "set", "everyone@example.test", "--internal-only"))


class Refusing(ServerCase):
    """A filter without which messages are refused, and that is not there."""

    # What comes from loopback is asked about as well.
    options = {"settings": {"sender_authentication": {"verify": False, "trusted_networks": []}}}

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        server.filters = [{"name": "gone", "kind": "milter", "address": "127.0.0.1:9", "applies_to": ["incoming"], "fail": "closed"}]
        server.write_config()

    def test_health_says_that_messages_are_refused(self):
        self.assertEqual(self.relais.http("/health/ready"), (200, "ready\n"))
        with smtplib.SMTP("127.0.0.1", self.relais.ports["mx"], timeout=30) as client, self.assertRaises(smtplib.SMTPDataError) as refused:
            client.sendmail("zoe@far.test", [ALICE], message(to=ALICE, sender="zoe@far.test", mid=message_id()))
        self.assertEqual(refused.exception.smtp_code, 451)
        code, told = self.relais.http("/health/ready")
        self.assertEqual(code, 200)
        self.assertRegex(told, r"note: the outside filter gone did not answer .* are refused for now, 451")
        self.assertIn("the outside filter gone", self.relais.cli("health"))
