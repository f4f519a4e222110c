"""Addresses: what each kind leads to, what it demands of senders, and what RCPT hears when it is not met.

Every row of the mission about addresses goes through SMTP in and IMAP out; the command line sets it up while the server runs.
"""

import datetime
import json
import re
import smtplib
import unittest
import zoneinfo

from harness import PASSWORD, CliError, in_time, message, message_id, needs, run, tls_context, until
from remote import RelayCase


class Addresses(RelayCase):

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test", time_zone="Europe/Paris")
        server.add_accounts(*("%s@near.test" % name for name in ("alice", "bob", "carol", "dora")))

    # -- senders

    def rcpt(self, to, sender="writer@remote.test", size=None):
        """What a stranger's RCPT hears."""
        with smtplib.SMTP("127.0.0.1", self.relais.ports["mx"], timeout=30) as client:
            client.ehlo("client.test")
            client.mail(sender, ["SIZE=%d" % size] if size else [])
            code, said = client.rcpt(to)
            return "%d %s" % (code, said.decode())

    def rcpt_as(self, login, to, sender=None, size=None):
        """What RCPT hears of somebody who has logged in."""
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context()) as client:
            client.login(login, PASSWORD)
            code, said = client.mail(sender or login, ["SIZE=%d" % size] if size else [])
            assert code == 250, said
            code, said = client.rcpt(to)
            return "%d %s" % (code, said.decode())

    def send(self, to, sender="writer@remote.test", body="A line.\r\n"):
        """A stranger's message, accepted; its Message-ID."""
        mid = message_id("remote.test")
        everyone = [to] if isinstance(to, str) else to
        with smtplib.SMTP("127.0.0.1", self.relais.ports["mx"], timeout=30) as client:
            client.ehlo("client.test")
            assert client.mail(sender)[0] == 250
            for one in everyone:
                code, said = client.rcpt(one)
                assert code == 250, (one, said)
            code, said = client.data(message(to=everyone[0], sender=sender or "nobody@remote.test", mid=mid, body=body))
            assert code == 250, said
        return mid

    def submit(self, login, to, sender=None):
        """A message of somebody who has logged in, under an address of theirs; its Message-ID."""
        mid = message_id("near.test")
        sender = sender or login
        self.relais.submit(sender, to, message(to=to, sender=sender, mid=mid), user=login)
        return mid

    def got(self, mid, *names, mailbox="INBOX"):
        """These have it once each in INBOX, and the others have it not."""
        everyone = ["alice", "bob", "carol", "dora"]
        found = [name for name in everyone if len(self.relais.with_id("%s@near.test" % name, mid, mailbox)) == 1]
        self.assertEqual(found, sorted(names))

    def accepted(self, said):
        self.assertEqual(said[:3], "250", said)

    def refused(self, said, start):
        self.assertTrue(said.startswith(start), said)


class Conditions(Addresses):

    def test_r01_an_address_with_an_expiry_date(self):
        day = datetime.date.today()
        self.relais.add_alias("today@near.test", "alice@near.test", expires=day + datetime.timedelta(days=1))
        self.got(self.send("today@near.test"), "alice")
        yesterday = self.relais.run("alias", "add", "past@near.test", "--to", "alice@near.test", "--expires", day - datetime.timedelta(days=2))
        self.assertIn("is over", yesterday.stderr)
        zone = zoneinfo.ZoneInfo(self.relais.json("domain", "show", "near.test")["time_zone"])
        def add(seconds):
            soon = datetime.datetime.now(zone) + datetime.timedelta(seconds=seconds)
            self.relais.add_alias("past@near.test", "alice@near.test", expires=soon.strftime("%Y-%m-%dT%H:%M:%S"))
        in_time(add)
        until(lambda: self.rcpt("past@near.test").startswith("550 5.2.1"), 90, "the expiry")
        self.assertRegex(self.relais.cli("alias", "list"), r"past@near\.test +alice@near\.test +expired")
        self.relais.cli("alias", "set", "past@near.test", "--no-expires")
        self.accepted(self.rcpt("past@near.test"))
        with self.assertRaises(CliError) as error:
            self.relais.cli("alias", "set", "past@near.test", "--expires", "31/12/2026")
        self.assertIn("2026-07-01", error.exception.stderr)

    def test_r06_inside_only_means_logged_in(self):
        self.relais.add_alias("staff@near.test", "alice@near.test", "bob@near.test", internal_only=True)
        self.refused(self.rcpt("staff@near.test"), "550 5.7.1")
        self.refused(self.rcpt("staff@near.test", sender="carol@near.test"), "550 5.7.1")
        self.got(self.submit("carol@near.test", "staff@near.test"), "alice", "bob")

    def test_r01_named_senders(self):
        self.relais.add_alias("press@near.test", "alice@near.test", sender=["@paper.test", "bob@near.test"])
        self.accepted(self.rcpt("press@near.test", sender="anna@paper.test"))
        self.refused(self.rcpt("press@near.test", sender="anna@remote.test"), "550 5.7.1")
        self.refused(self.rcpt("press@near.test", sender="bob@near.test"), "550 5.7.1")
        self.accepted(self.rcpt_as("bob@near.test", "press@near.test"))
        self.refused(self.rcpt_as("carol@near.test", "press@near.test"), "550 5.7.1")

    def test_r01_too_large_is_told_at_rcpt_when_declared(self):
        self.relais.add_alias("small@near.test", "alice@near.test", max_size="2K")
        self.refused(self.rcpt("small@near.test", size=5000), "552 5.2.3")
        self.accepted(self.rcpt("small@near.test", size=2000))

    def test_r01_too_large_is_told_at_the_end_when_not_declared(self):
        self.relais.add_alias("tiny@near.test", "alice@near.test", max_size="1K")
        large = message(to="tiny@near.test", sender="big@remote.test", body="x" * 70 + "\r\n" * 1000)
        with smtplib.SMTP("127.0.0.1", self.relais.ports["mx"], timeout=30) as client:
            client.ehlo("client.test")
            client.mail("big@remote.test")
            self.assertEqual(client.rcpt("tiny@near.test")[0], 250)
            code, said = client.data(large)
        self.refused("%d %s" % (code, said.decode()), "552 5.2.3")

    def test_r01_who_takes_it_has_it_and_the_sender_hears_of_the_others(self):
        self.relais.add_alias("little@near.test", "alice@near.test", max_size="1K")
        mid = self.send(["little@near.test", "bob@near.test"], sender="both@remote.test", body="x" * 70 + "\r\n" * 1000)
        self.got(mid, "bob")
        def told(_):
            return [one for one in list(self.remote.messages) if one.recipients == ["both@remote.test"]]
        self.remote.wait(told, what="the notice")
        notice, = told(None)
        self.assertEqual(notice.sender, "")
        self.assertIn(b"Action: failed", notice.content)
        self.assertIn(b"little@near.test", notice.content)
        self.assertIn(b"Status: 5.2.3", notice.content)
        self.assertNotIn(b"bob@near.test", notice.content)

    def test_r04_fail_with_a_text(self):
        self.relais.add_alias("gone@near.test", ":fail: 5.1.6 Nous sommes à l’étage")
        self.assertEqual(self.rcpt("gone@near.test"), "550 5.1.6 Nous sommes a l'etage")
        with self.assertRaises(CliError):
            self.relais.add_alias("gone@near.test", "alice@near.test")

    def test_a_disabled_domain(self):
        self.relais.add_domain("off.test")
        self.relais.add_alias("x@off.test", "alice@near.test")
        self.relais.cli("domain", "set", "off.test", "--disable")
        self.refused(self.rcpt("x@off.test"), "550 5.1.2")


class Ways(Addresses):

    def test_r10_a_domain_that_stands_for_another(self):
        self.relais.add_domain("other.test", alias_of="near.test")
        self.relais.add_alias("info@near.test", "alice@near.test", "bob@near.test")
        self.got(self.send("INFO+x@other.test"), "alice", "bob")
        self.accepted(self.rcpt("postmaster@other.test"))
        self.refused(self.rcpt("nobody@other.test"), "550 5.1.1")
        # Who may write under an address may under its other name.
        self.submit("alice@near.test", "bob@near.test", sender="alice@other.test")
        with self.assertRaises(CliError):
            self.relais.add_alias("x@other.test", "alice@near.test")

    def test_subaddress_folders(self):
        self.relais.cli("domain", "set", "near.test", "--subaddress-folders", "create")
        try:
            mid = self.send("dora+Bills@near.test")
            self.assertEqual(len(self.relais.with_id("dora@near.test", mid, "Bills")), 1)
            self.got(mid)
            again = self.send("dora+bILLS@near.test")
            self.assertEqual(len(self.relais.with_id("dora@near.test", again, "Bills")), 1, "one folder, whatever the case")
            for detail in ("Sent", "a/b", "..", "inbox"):
                if "/" in detail or ".." in detail:
                    to = '"dora+%s"@near.test' % detail
                else:
                    to = "dora+%s@near.test" % detail
                self.got(self.send(to), "dora")
            self.relais.cli("domain", "set", "near.test", "--subaddress-folders", "existing")
            self.got(self.send("dora+other@near.test"), "dora")
            kept = self.send("dora+bills@near.test")
            self.assertEqual(len(self.relais.with_id("dora@near.test", kept, "Bills")), 1)
        finally:
            self.relais.cli("domain", "set", "near.test", "--subaddress-folders", "off")
        client = self.relais.imaplib("dora@near.test")
        try:
            self.assertTrue(any(b"Bills" in line for line in client.lsub()[1]), "subscribed")
        finally:
            client.logout()

    def test_patterns_are_tried_in_their_order(self):
        pattern = lambda *words: self.relais.cli("domain", "pattern", *words)
        pattern("add", "near.test", "sales-(.+)", "--to", "$1@near.test")
        pattern("add", "near.test", "sales-.*", "--to", "carol@near.test", "--place", "1")
        try:
            self.got(self.send("Sales-Bob@near.test"), "carol")
            pattern("move", "near.test", "1", "--to", "2")
            self.got(self.send("Sales-Bob@near.test"), "bob")
            tried = self.relais.json("domain", "pattern", "test", "near.test", "sales-bob@near.test")
            self.assertEqual((tried["number"], tried["targets"]), (1, ["bob@near.test"]))
            live = pattern("test", "near.test", "n7@near.test", "--pattern", "n([0-9])", "--to", "x$1@remote.test")
            self.assertIn("x7@remote.test", live)
            for bad in (["(", "--to", "bob@near.test"], ["(.*)", "--to", "$1@$1"], ["a{999}{999}", "--to", "bob@near.test"]):
                with self.assertRaises(CliError):
                    pattern("add", "near.test", *bad)
        finally:
            pattern("remove", "near.test", "2")
            pattern("remove", "near.test", "1")
        self.refused(self.rcpt("sales-bob@near.test"), "550 5.1.1")

    def test_r03_all_users(self):
        self.relais.add_alias("everybody@near.test", "")
        self.got(self.send("everybody@near.test"), "alice", "bob", "carol", "dora")

    def test_r01_circles_are_refused_when_saved(self):
        self.relais.add_alias("one@near.test", "alice@near.test")
        self.relais.add_alias("two@near.test", "one@near.test")
        with self.assertRaises(CliError) as error:
            self.relais.add_alias("one@near.test", "two@near.test")
        self.assertIn("circle", error.exception.stderr)

    def test_explain_tells_what_delivery_does(self):
        self.relais.add_alias("closed@near.test", "alice@near.test", internal_only=True)
        self.relais.add_alias("door@near.test", "closed@near.test", "bob@near.test")
        outside = self.relais.cli("explain", "x@remote.test", "door@near.test")
        self.assertIn("refused by closed@near.test (takes mail from inside the organisation only)", outside)
        self.got(self.send("door@near.test"), "bob")
        inside = self.relais.cli("explain", "carol@near.test", "door@near.test", "--logged-in-as", "carol@near.test")
        self.assertNotIn("refused", inside)
        self.got(self.submit("carol@near.test", "door@near.test"), "alice", "bob")
        self.relais.add_alias("tight@near.test", "bob@near.test", max_size="1K")
        self.assertIn("552 5.2.3", self.relais.cli("explain", "x@remote.test", "tight@near.test", "--size", "2K"))

    @needs("swaks")
    def test_swaks_is_told_why(self):
        self.relais.add_alias("members@near.test", "alice@near.test", internal_only=True)
        told = run(["swaks", "--server", "127.0.0.1:%d" % self.relais.ports["mx"], "--from", "x@remote.test",
                    "--to", "members@near.test", "--quit-after", "RCPT"])
        self.assertIn("550 5.7.1", told.stdout)
        self.assertNotEqual(told.returncode, 0)


class Groups(Addresses):

    def test_r09_a_group_is_its_members_mailboxes(self):
        group = lambda *words: self.relais.cli("group", *words)
        group("add", "board@near.test", "--member", "alice@near.test", "--member", "bob@near.test", "--name", "The board")
        self.relais.add_alias("chiefs@near.test", "board@near.test", "alice@near.test")
        self.got(self.send(["board@near.test", "chiefs@near.test", "alice@near.test"]), "alice", "bob")
        group("set", "board@near.test", "--add-member", "carol@near.test", "--remove-member", "bob@near.test")
        self.got(self.send("board@near.test"), "alice", "carol")
        # A member may write under its address, and nobody else.
        self.submit("carol@near.test", "bob@near.test", sender="board@near.test")
        with self.assertRaises(smtplib.SMTPException):
            self.submit("bob@near.test", "carol@near.test", sender="board@near.test")
        shown = self.relais.json("group", "show", "board@near.test")
        self.assertEqual(shown["members"], ["alice@near.test", "carol@near.test"])
        with self.assertRaises(CliError) as error:
            self.relais.add_alias("board@near.test", "bob@near.test")
        self.assertIn("belongs to the group", error.exception.stderr)
        with self.assertRaises(CliError) as error:
            group("remove", "board@near.test")
        self.assertIn("the alias chiefs@near.test leads to it", error.exception.stderr)
        group("remove", "board@near.test", "--force")
        self.refused(self.rcpt("board@near.test"), "550 5.1.1")

    def test_r09_who_may_write(self):
        for name, posting in (("org", "organisation"), ("mem", "members"), ("nam", "@paper.test")):
            self.relais.cli("group", "add", name + "@near.test", "--member", "alice@near.test", "--posting", posting)
        self.refused(self.rcpt("org@near.test", sender="alice@near.test"), "550 5.7.1")
        self.accepted(self.rcpt_as("bob@near.test", "org@near.test"))
        self.refused(self.rcpt_as("bob@near.test", "mem@near.test"), "550 5.7.1 Only members")
        self.accepted(self.rcpt_as("alice@near.test", "mem@near.test"))
        self.accepted(self.rcpt("nam@near.test", sender="anna@paper.test"))
        self.refused(self.rcpt("nam@near.test"), "550 5.7.1")

    def test_r10_who_is_removed_leaves_the_groups(self):
        self.relais.add_account("leaver@near.test")
        self.relais.cli("group", "add", "crew@near.test", "--member", "leaver@near.test", "--member", "bob@near.test")
        with self.assertRaises(CliError) as error:
            self.relais.cli("account", "remove", "leaver@near.test")
        self.assertIn("crew@near.test", error.exception.stderr)
        self.relais.cli("account", "remove", "leaver@near.test", "--force")
        self.assertEqual(self.relais.json("group", "show", "crew@near.test")["members"], ["bob@near.test"])
        self.got(self.send("crew@near.test"), "bob")


class Removals(Addresses):

    def refusal(self, *words):
        with self.assertRaises(CliError) as error:
            self.relais.cli(*words)
        return error.exception.stderr

    def test_r03_what_others_lead_to_is_not_removed_unseen(self):
        self.relais.add_alias("ra@near.test", "carol@near.test")
        self.relais.add_alias("rb@near.test", "ra@near.test", "bob@near.test")
        self.relais.add_alias("rc@near.test", "ra@near.test")
        refused = self.refusal("alias", "remove", "ra@near.test")
        for words in ("the alias rb@near.test leads to it", "--force", "the alias rc@near.test goes too"):
            self.assertIn(words, refused)
        self.got(self.send("rb@near.test"), "bob", "carol")
        done = self.relais.cli("alias", "remove", "ra@near.test", "--force")
        self.assertIn("took it out of the alias rb@near.test", done)
        self.got(self.send("rb@near.test"), "bob")
        self.refused(self.rcpt("rc@near.test"), "550 5.1.1")

    def test_r09_a_group_or_a_list_that_an_alias_leads_to(self):
        for make, remove in ((("group", "add", "rteam@near.test", "--member", "dora@near.test"), ("group", "remove", "rteam@near.test")),
                             (("list", "add", "rteam@near.test", "--owner", "alice@near.test"), ("list", "remove", "rteam@near.test"))):
            self.relais.cli(*make)
            self.relais.add_alias("rin@near.test", "rteam@near.test", "bob@near.test")
            self.assertIn("the alias rin@near.test leads to it", self.refusal(*remove))
            self.relais.cli(*remove, "--force")
            self.assertEqual(self.relais.json("alias", "show", "rin@near.test")["targets"], ["bob@near.test"])
            self.relais.cli("alias", "remove", "rin@near.test")

    def test_r10_no_mail_begins_to_leave_for_a_domain_that_is_given_up(self):
        self.relais.add_domain("remote.test")
        self.relais.add_alias("info@remote.test", "alice@near.test")
        self.relais.add_alias("rpartner@near.test", "info@remote.test", "bob@near.test")
        refused = self.refusal("domain", "remove", "remote.test")
        self.assertIn("the alias rpartner@near.test leads to info@remote.test", refused)
        before = len(self.remote.messages)
        self.assertIn("nothing is sent on to remote.test", self.relais.cli("domain", "remove", "remote.test", "--force"))
        self.got(self.send("rpartner@near.test"), "bob")
        self.assertEqual(self.relais.queue(), [])
        self.assertEqual(len(self.remote.messages), before)

    def test_a09_who_is_a_deputy_or_gets_copies_is_not_removed_unseen(self):
        self.relais.add_account("rhelp@near.test")
        number = str(self.relais.json("responder", "add", "rfair@near.test", "--subject", "Fair", "--text", "At nine.",
                                      "--copy-received-to", "rhelp@near.test", "--deputy", "rhelp@near.test")["id"])
        refused = self.refusal("account", "remove", "rhelp@near.test")
        for words in ("names it as the deputy", "copies received messages to it", "gets a failure notice"):
            self.assertIn(words, refused)
        self.relais.cli("account", "remove", "rhelp@near.test", "--force")
        shown = self.relais.json("responder", "show", number)
        self.assertEqual((shown["deputy"], shown["copy_received_to"], shown["keeping"]), (None, None, "failure-notice"))
        self.assertIn("FAILURE NOTICE", self.relais.cli("responder", "list"))
        self.relais.cli("responder", "remove", number)


class OwnAliases(Addresses):

    def test_r11_people_make_aliases_and_see_who_used_them_first(self):
        make = lambda *words: self.relais.json("alias", "make", *words)
        with self.assertRaises(CliError):
            make("--for", "alice@near.test", "--random")
        self.relais.cli("domain", "set", "near.test", "--alias-makers", "everyone", "--aliases-per-person", "2")
        shop = make("--for", "alice@near.test", "--random", "--note", "shop")
        self.assertRegex(shop["address"], r"^[a-z]{8}-[a-z]{8}@near\.test$")
        self.assertIsNone(shop["first_use"])
        self.got(self.send(shop["address"], sender="news@shop.test"), "alice")
        self.got(self.send(shop["address"], sender="spam@other.test"), "alice")
        used = self.relais.json("alias", "show", shop["address"])["first_use"]
        self.assertEqual(used["from"], "<news@shop.test>")
        self.assertIn("<news@shop.test>", self.relais.cli("alias", "list", "--made-by", "alice@near.test"))
        # It is theirs to write under.
        self.submit("alice@near.test", "bob@near.test", sender=shop["address"])
        with self.assertRaises(smtplib.SMTPException):
            self.submit("bob@near.test", "carol@near.test", sender=shop["address"])
        with self.assertRaises(CliError):
            self.relais.cli("alias", "set", shop["address"], "--disable", "--for", "bob@near.test")
        self.relais.cli("alias", "set", shop["address"], "--disable", "--for", "alice@near.test")
        self.refused(self.rcpt(shop["address"]), "550 5.1.1")
        make("alice.garden@near.test", "--for", "alice@near.test")
        with self.assertRaises(CliError) as error:
            make("--for", "alice@near.test", "--random")
        self.assertIn("the most", error.exception.stderr)
        self.relais.cli("alias", "remove", shop["address"], "--for", "alice@near.test")
        make("--for", "alice@near.test", "--random")


class Absence(Addresses):

    def test_r06_the_fall_back_gets_it_too_while_everyone_is_away(self):
        self.relais.add_alias("desk@near.test", "alice@near.test", "bob@near.test", when_away="carol@near.test")
        away = lambda who: self.relais.json(
            "responder", "add", who, "--kind", "out-of-office", "--subject", "Away", "--text", "Back soon.")["id"]
        self.got(self.send("desk@near.test"), "alice", "bob")
        first = away("alice@near.test")
        self.got(self.send("desk@near.test"), "alice", "bob")
        second = away("bob@near.test")
        self.got(self.send("desk@near.test"), "alice", "bob", "carol")
        told = self.relais.cli("explain", "x@remote.test", "desk@near.test")
        self.assertIn("carol@near.test (everyone above is away)", told)
        self.relais.cli("responder", "set", str(first), "--disable")
        self.got(self.send("desk@near.test"), "alice", "bob")
        self.relais.cli("responder", "remove", str(second))


class Afterwards(Addresses):

    def test_the_store_is_sound_with_all_of_it(self):
        """First uses, folders of subaddresses and groups with what waits for moderators are rows that `check` knows."""
        self.relais.cli("domain", "set", "near.test", "--subaddress-folders", "create")
        self.relais.add_alias("first@near.test", "alice@near.test")
        self.relais.cli("group", "add", "slow@near.test", "--member", "bob@near.test", "--moderator", "alice@near.test")
        self.send(["first@near.test", "dora+folder@near.test", "slow@near.test"])
        self.relais.stop()
        try:
            self.relais.check()
        finally:
            self.relais.start()


if __name__ == "__main__":
    unittest.main()
