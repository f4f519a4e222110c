"""Accounts as people and administrators live with them: letters about a new mailbox, logins by every address, access that is
withdrawn, changed passwords, domain administrators, and somebody who leaves.
"""

import email
import email.policy
import imaplib
import smtplib
import unittest

from harness import PASSWORD, message, message_id, tls_context
from remote import RelayCase

OTHER = "another pond, 4 herons"


def parsed(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


class Accounts(RelayCase):

    # Failed logins are held back longer and longer; here they are soon forgotten.
    options = dict(settings={"security": {"failed_login_forgotten_secs": 1},
                             "accounts": {"public_host": "mail.near.test", "webmail_url": "https://mail.near.test/"}})

    @classmethod
    def prepare(cls, server):
        for domain in ("near.test", "far.test"):
            server.add_domain(domain)
        cls.numbers = iter(range(1000))

    def account(self, domain="near.test", **options):
        """An account of this test's own."""
        address = "user%d@%s" % (next(self.numbers), domain)
        self.relais.add_account(address, **options)
        return address

    def password_file(self, text):
        path = self.relais.home / ("password-%d" % next(self.numbers))
        path.write_text(text + "\n")
        return path

    def as_person(self, login, *arguments, password=PASSWORD):
        """A command on somebody's behalf; what it did."""
        return self.relais.run("--as", login, "--as-password-file", self.password_file(password), *arguments)

    def must_as(self, login, *arguments, password=PASSWORD):
        done = self.as_person(login, *arguments, password=password)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done.stdout

    def outside(self, recipient, count=1):
        """What the remote side has got for an address."""
        mine = lambda messages: [one for one in list(messages) if recipient in one.recipients]
        self.remote.wait(lambda messages: len(mine(messages)) >= count, what="%d messages to %s" % (count, recipient))
        return mine(self.remote.messages)

    def let_in(self, login, password=PASSWORD):
        """Whether IMAP and submission let somebody in."""
        let = []
        try:
            self.relais.imaplib(login, password).logout()
            let.append("imap")
        except imaplib.IMAP4.error:
            pass
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context()) as client:
            try:
                client.login(login, password)
                let.append("submission")
            except smtplib.SMTPAuthenticationError as error:
                self.assertEqual(error.smtp_code, 535)
        return let


class NewMailboxes(Accounts):

    def test_the_person_is_told_inside_and_outside(self):
        # M2: in French, with every setting, and without the password.
        outside = "carol%d@remote.test" % next(self.numbers)
        carol = self.account(welcome=True, notify=outside, language="fr", name="Carol Petit")
        inside, = self.relais.messages(carol).values()
        got, = self.outside(outside)
        self.assertEqual(got.sender, "", "nothing comes back to a letter")
        for octets in (inside, got.content):
            letter = parsed(octets)
            self.assertEqual(letter["Subject"], "Votre boîte " + carol)
            self.assertEqual(letter["Auto-Submitted"], "auto-generated")
            self.assertEqual(letter["Content-Language"], "fr")
            text = letter.get_content()
            for fact in [carol, "Carol Petit", "mail.near.test", "https://mail.near.test/", "STARTTLS"] + \
                    [str(self.relais.ports[service]) for service in ("imaps", "imap", "submissions", "submission")]:
                self.assertIn(fact, text)
            self.assertNotIn(PASSWORD, text)

    def test_the_settings_that_are_told_work(self):
        # M5: what `account settings` says is what a mail program needs.
        dora = self.account()
        told = self.relais.json("account", "settings", dora)
        self.assertEqual(told["login"], dora)
        implicit = {one["protocol"]: one["port"] for one in told["incoming"] + told["outgoing"] if one["tls"] == "implicit"}
        client = imaplib.IMAP4_SSL("127.0.0.1", implicit["imap"], ssl_context=tls_context(), timeout=30)
        client.login(told["login"], PASSWORD)
        client.logout()
        with smtplib.SMTP_SSL("127.0.0.1", implicit["smtp"], timeout=30, context=tls_context()) as client:
            client.login(told["login"], PASSWORD)
        self.assertIn("Courrier entrant", self.relais.cli("account", "settings", dora, "--language", "fr"))

    def test_there_is_no_place_for_a_third_mailbox(self):
        # M1
        owner = "owner%d@remote.test" % next(self.numbers)
        self.relais.cli("domain", "users", "far.test", "--per-owner", "2")
        for _ in range(2):
            self.account("far.test", owner=owner)
        done = self.relais.run("account", "add", "third@far.test", "--owner", owner, "--no-welcome")
        self.assertEqual(done.returncode, 1)
        self.assertIn("%s has 2 mailboxes in far.test already" % owner, done.stderr)
        self.assertEqual(len(self.relais.json("account", "list", "--owner", owner)), 2)

    def test_aliases_of_a_mailbox(self):
        # M3: they work at once, and are shown.
        dora = self.account()
        alias = "alias%d@near.test" % next(self.numbers)
        self.relais.cli("account", "alias", dora, "--add", alias)
        self.assertIn(alias, [one["address"] for one in self.relais.json("account", "show", dora)["leading"]])
        mid = message_id("remote.test")
        self.relais.send("writer@remote.test", alias, message(to=alias, mid=mid))
        self.relais.wait_message(dora, mid)
        self.relais.cli("account", "alias", dora, "--remove", alias)
        self.assertEqual(self.relais.json("account", "show", dora)["leading"], [])


class Access(Accounts):

    def test_every_address_of_the_account_is_a_login(self):
        # R5
        dora = self.account()
        local = dora.split("@")[0]
        self.assertEqual(self.let_in(local + "@far.test"), [])
        self.relais.cli("account", "set", dora, "--also-in", "far.test")
        self.assertEqual(self.let_in(local + "@FAR.test"), ["imap", "submission"])
        self.assertEqual(self.let_in(dora), ["imap", "submission"])
        self.relais.cli("account", "set", dora, "--not-in", "far.test")
        self.assertEqual(self.let_in(local + "@far.test"), [])

    def test_withdrawn_access_ends_sessions_and_looks_like_a_wrong_password(self):
        # M6
        dora = self.account()
        session = self.relais.imaplib(dora)
        session.select("INBOX")
        submitting = smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context())
        self.addCleanup(submitting.close)
        submitting.login(dora, PASSWORD)
        self.relais.cli("account", "set", dora, "--withdraw", "imap")
        with self.assertRaises(imaplib.IMAP4.abort):
            session.noop()
        self.assertEqual(self.let_in(dora), ["submission"])
        self.assertEqual(submitting.mail(dora)[0], 250, "what is not withdrawn goes on")
        submitting.rset()
        with self.relais.imap() as client:
            withdrawn = client.command('LOGIN "%s" "%s"' % (dora, PASSWORD))
            wrong = client.command('LOGIN "%s" "%s"' % (dora, "wrong"))
            self.assertEqual((withdrawn.status, withdrawn.text), (wrong.status, wrong.text))
        self.assertIn("imap is withdrawn from the account", self.relais.log_text())
        self.relais.cli("account", "set", dora, "--withdraw", "submission", "--restore", "imap")
        self.assertEqual(submitting.mail(dora)[0] // 100, 5)
        self.assertEqual(self.let_in(dora), ["imap"])
        self.relais.cli("account", "set", dora, "--restore", "submission")
        self.assertEqual(self.let_in(dora), ["imap", "submission"])


    def test_a_group_takes_access_from_its_members(self):
        # M6
        dora, erik = self.account(), self.account()
        group = "interns%d@near.test" % next(self.numbers)
        session = self.relais.imaplib(dora)
        self.relais.cli("group", "add", group, "--member", dora, "--withdraw", "imap")
        with self.assertRaises(imaplib.IMAP4.abort):
            session.noop()
        self.assertEqual(self.let_in(dora), ["submission"])
        self.assertEqual(self.let_in(erik), ["imap", "submission"])
        self.assertIn("imap is withdrawn from the members of %s" % group, self.relais.log_text())
        self.relais.cli("group", "set", group, "--remove-member", dora)
        self.assertEqual(self.let_in(dora), ["imap", "submission"])


class Passwords(Accounts):

    def test_a_person_changes_their_own_and_is_told(self):
        # M4
        recovery = "dora%d@remote.test" % next(self.numbers)
        dora = self.account(recovery=recovery, language="fr")
        session = self.relais.imaplib(dora)
        submitting = smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context())
        self.addCleanup(submitting.close)
        submitting.login(dora, PASSWORD)
        weak = self.as_person(dora, "account", "password", dora, "--password-file", self.password_file(dora))
        self.assertEqual(weak.returncode, 1)
        self.assertIn("trop facile à deviner", weak.stderr)
        wrong = self.as_person(dora, "account", "password", dora, "--password-file", self.password_file(OTHER),
                               "--old-password-file", self.password_file("wrong"))
        self.assertIn("the old password is wrong", wrong.stderr)
        self.must_as(dora, "account", "password", dora, "--password-file", self.password_file(OTHER))
        # The old one is worthless at once, and so are the sessions that it opened.
        with self.assertRaises(imaplib.IMAP4.abort):
            session.noop()
        self.assertEqual(submitting.mail(dora)[0] // 100, 5)
        self.assertEqual(self.let_in(dora), [])
        self.assertEqual(self.let_in(dora, OTHER), ["imap", "submission"])
        client = self.relais.imaplib(dora, OTHER)
        client.select("INBOX")
        inside = client.fetch("1", "(BODY[])")[1][0][1]
        client.logout()
        got, = self.outside(recovery)
        for octets in (inside, got.content):
            text = parsed(octets).get_content()
            self.assertIn("le mot de passe d'%s a été changé" % dora, text)
            self.assertIn("sous votre identifiant", text)
            self.assertNotIn(OTHER, text)
            self.assertNotIn(PASSWORD, text)

    def test_an_administrator_sets_or_generates_one(self):
        dora = self.account()
        generated = self.relais.json("account", "password", dora, "--generate")["generated_password"]
        self.assertEqual(self.let_in(dora, generated), ["imap", "submission"])
        client = self.relais.imaplib(dora, generated)
        client.select("INBOX")
        text = parsed(client.fetch("1", "(BODY[])")[1][0][1]).get_content()
        client.logout()
        self.assertIn("by an administrator", text)
        self.assertNotIn(generated, text)

    def test_strength_is_told_and_demanded(self):
        dora = self.account()
        told = self.relais.json("account", "password", dora, "--check", "--language", "fr", "--password-file", "-", stdin="azerty12\n")
        self.assertFalse(told["taken"])
        self.assertLess(told["score"], told["score_min"])
        self.assertTrue(told["advice"])
        self.assertTrue(self.relais.json("account", "password", dora, "--check", "--password-file", "-", stdin=OTHER + "\n")["taken"])
        done = self.relais.run("account", "add", "weak@near.test", "--password-file", "-", stdin="password1\n")
        self.assertEqual(done.returncode, 1)
        self.assertIn("too easy to guess", done.stderr)


class Roles(Accounts):

    def test_a_domain_administrator_rules_their_domain_and_no_other(self):
        # R11, with the server running and stopped: the same rules.
        chief = self.account(role="domain-administrator")
        dora, stranger = self.account(), self.account("far.test")
        signature = ("--signature", "Dora")

        def check(word):
            made = "%s%d@near.test" % (word, next(self.numbers))
            self.must_as(chief, "account", "add", made, "--no-welcome")
            self.must_as(chief, "alias", "add", "alias-" + made, "--to", made)
            self.must_as(chief, "account", "set", dora, "--name", "Dora " + word)
            listed = self.must_as(chief, "account", "list", "--json")
            self.assertIn(dora, listed)
            self.assertNotIn(stranger, listed)
            for arguments in (
                    ("account", "set", stranger, "--name", "Taken"),
                    ("account", "password", stranger, "--generate"),
                    ("account", "remove", stranger, "--force"),
                    ("account", "set", dora, "--role", "administrator"),
                    ("account", "add", "x@near.test", "--role", "domain-administrator", "--no-welcome"),
                    ("account", "set", dora, "--also-in", "far.test"),
                    ("alias", "add", "x@far.test", "--to", dora),
                    ("domain", "remove", "near.test", "--force"),
                    ("domain", "add", word + ".test"),
                    ("queue", "remove", "--all")):
                done = self.as_person(chief, "--json", *arguments)
                self.assertEqual(done.returncode, 1, arguments)
                self.assertIn('"kind":"denied"', done.stderr, arguments)
            # A user: what is theirs, and nothing else.
            self.must_as(dora, "account", "identity", "set" if word == "stopped" else "add", dora, dora, *signature)
            self.must_as(dora, "account", "show", dora)
            for arguments in (("account", "show", chief), ("account", "set", dora, "--role", "user"), ("account", "list")):
                done = self.as_person(dora, *arguments)
                self.assertEqual(done.returncode, 1, arguments)
            done = self.as_person(chief, "account", "list", password="wrong")
            self.assertEqual(done.returncode, 1)
            self.assertIn("login or password is wrong", done.stderr)
        check("running")
        self.relais.stop()
        try:
            check("stopped")
        finally:
            self.relais.start()


class Leaving(Accounts):

    def test_somebody_leaves_and_everything_follows(self):
        carol, bob = self.account(name="Carol Petit"), self.account()
        alias = "sales%d@near.test" % next(self.numbers)
        self.relais.add_alias(alias, carol)
        session = self.relais.imaplib(carol)
        told = self.relais.json(
            "account", "offboard", carol, "--successor", bob, "--redirect-until", "2090-01-31",
            "--responder-text", "Carol has left; write to Bob.", "--delete-after", "2090-06-30")
        self.assertEqual(told["left"], [])
        with self.assertRaises(imaplib.IMAP4.abort):
            session.noop()
        self.assertEqual(self.let_in(carol), [])
        # The successor is told, gets copies and what comes to the alias; the sender is answered.
        self.relais.wait_message(bob, lambda octets: carol in str(parsed(octets)["Subject"]))
        sender = "writer%d@remote.test" % next(self.numbers)
        for to in (carol, alias):
            mid = message_id("remote.test")
            self.relais.send(sender, to, message(to=to, sender=sender, mid=mid))
            self.relais.wait_message(bob, mid)
        answer, = self.outside(sender)
        self.assertIn("write to Bob", parsed(answer.content).get_content())
        shown = self.relais.json("account", "show", carol)
        self.assertEqual((shown["kind"], shown["off_boarding"]["successor"]), ("shared", bob))
        # A last thought.
        self.relais.cli("account", "offboard", carol, "--undo")
        self.assertEqual(self.let_in(carol), ["imap", "submission"])
        self.assertEqual(self.relais.json("alias", "show", alias)["targets"], [carol])
        mid = message_id("remote.test")
        self.relais.send(sender, alias, message(to=alias, sender=sender, mid=mid))
        self.relais.wait_message(carol, mid)
        self.assertEqual(self.relais.with_id(bob, mid), [])
        self.assertEqual(self.relais.json("responder", "list"), [])

    def test_what_is_wrong_is_refused(self):
        carol = self.account()
        for arguments, words in (
                (("--redirect",), "--successor"),
                (("--delete-after", "2001-01-01"), "2001-01-01 is over"),
                (("--successor", "nobody@near.test"), "there is no account")):
            done = self.relais.run("account", "offboard", carol, *arguments)
            self.assertEqual(done.returncode, 1)
            self.assertIn(words, done.stderr)
        self.assertEqual(self.let_in(carol), ["imap", "submission"])


if __name__ == "__main__":
    unittest.main()
