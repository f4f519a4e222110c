"""Mailing lists: joining by mail and by link, posts, leaving by one click, moderators, bounces, a new address.

The members live on a scripted server. Pages are asked for with curl, which has no cookies and no script.
"""

import email
import email.policy
import json
import re
import smtplib
import unittest

from harness import PASSWORD, TestCase, certificate, folder, message, message_id, needs, run, until
from remote import RelayCase, Remote

OWNER = "owner@near.test"
MODERATOR = "mod@near.test"


def parsed(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


def text_of(octets):
    return parsed(octets).get_body(("plain",)).get_content()


def link_in(octets):
    return re.search(r"http://127\.0\.0\.1:\d+/lists/\S+", text_of(octets)).group(0)


def reply_to(octets):
    return parsed(octets)["Reply-To"].addresses[0].addr_spec


def curl(url, *form):
    """Status and page; with fields it is a POST."""
    words = ["curl", "-s", "-o", "-", "-w", "\n%{http_code}", "-H", "Accept-Language: fr"]
    for field in form:
        words += ["--data-urlencode", field]
    done = run(words + [url])
    page, _, status = done.stdout.rpartition("\n")
    return int(status), page


@needs("curl")
class Lists(RelayCase):

    @classmethod
    def prepare(cls, server):
        server.set("web", url="http://127.0.0.1:%d" % server.ports["web"])
        server.add_domain("near.test")
        server.add_accounts(OWNER, MODERATOR, "alice@near.test", "chief@near.test")
        # Another organisation on the same server.
        server.add_domain("else.test")
        server.add_account("dora@else.test")
        server.cli("account", "set", "chief@near.test", "--role", "domain-administrator")
        cls.numbers = iter(range(1000))

    def setUp(self):
        self.remote.decide = lambda verb, argument, session: None

    def make(self, **options):
        """A list of this test's own."""
        address = "garden%d@near.test" % next(self.numbers)
        options.setdefault("owner", OWNER)
        # No name server is asked here.
        options.setdefault("from", "keep")
        flags = []
        for name, value in options.items():
            flags += ["--" + name.replace("_", "-")] + ([] if value is True else [value])
        self.relais.cli("list", "add", address, *flags)
        return address

    def person(self):
        return "p%d@remote.test" % next(self.numbers)

    def role(self, address, role):
        local, _, domain = address.partition("@")
        return "%s-%s@%s" % (local, role, domain)

    def send(self, sender, to, subject="Tea", body="A line.\r\n"):
        mid = message_id("remote.test")
        self.relais.send(sender, to, message(to=to, sender=sender, subject=subject, body=body, mid=mid))
        return mid

    def got(self, who, subject, count=1):
        """The messages that came for somebody outside with a subject."""
        def look(_=None):
            found = [one for one in list(self.remote.messages) if who in one.recipients]
            return [one for one in found if subject in (parsed(one.content)["Subject"] or "")]
        self.remote.wait(lambda _: len(look()) >= count, what="%r for %s" % (subject, who))
        return look()

    def letter(self, who, subject):
        return self.got(who, subject)[-1].content

    def members(self, address):
        return {member["address"]: member["state"] for member in self.relais.json("list", "member", "list", address)}

    def wait_member(self, address, who, state="active"):
        until(lambda: self.members(address).get(who) == state, what="%s to be %s in %s" % (who, state, address))

    def test_join_by_mail_post_and_leave_by_one_click(self):
        garden = self.make(personal_links=True, name="Garden")
        who = self.person()
        self.send(who, self.role(garden, "join"))
        asked = self.letter(who, "Please confirm")
        self.assertEqual(self.members(garden), {})
        self.send(who, reply_to(asked), subject="Re")
        self.wait_member(garden, who)
        self.letter(who, "Welcome")
        self.send(who, garden, subject="Roses")
        post = self.got(who, "Roses")[0]
        fields = parsed(post.content)
        self.assertEqual(fields["List-Id"], '"Garden" <%s>' % garden.replace("@", "."))
        self.assertRegex(post.sender, r"^garden\d+-bounces\+[a-z2-7]{10}\+p\d+=remote\.test@near\.test$")
        self.assertEqual(fields["List-Unsubscribe-Post"], "List-Unsubscribe=One-Click")
        url = re.search(r"<(http://[^>]+)>", fields["List-Unsubscribe"]).group(1)
        # A scanner follows the link; nothing changes.
        status, page = curl(url)
        self.assertEqual(status, 200)
        self.assertIn("Quitter", page)
        self.assertEqual(self.members(garden), {who: "active"})
        self.assertEqual(curl(url, "List-Unsubscribe=One-Click")[0], 200)
        self.assertEqual(self.members(garden), {})

    def test_join_by_link_and_a_new_address(self):
        # R8. The browser asks for French, and so the letters are in French.
        garden = self.make()
        page = "http://127.0.0.1:%d/lists/join/%s" % (self.relais.ports["web"], garden)
        who, new = self.person(), self.person()
        self.assertIn("<form", curl(page)[1])
        self.assertEqual(curl(page, "address=" + who)[0], 200)
        confirm = link_in(self.letter(who, "À confirmer"))
        curl(confirm)
        self.assertEqual(self.members(garden), {})
        self.assertEqual(curl(confirm, "action=confirm")[0], 200)
        self.assertEqual(self.members(garden), {who: "active"})
        self.assertEqual(curl(confirm, "action=confirm")[0], 404)
        manage = link_in(self.letter(who, "Bienvenue"))
        self.assertEqual(curl(manage, "action=move", "address=" + new)[0], 200)
        moving = link_in(self.letter(new, "À confirmer"))
        self.assertEqual(self.members(garden), {who: "active"})
        self.assertEqual(curl(moving, "action=confirm")[0], 200)
        self.assertEqual(self.members(garden), {new: "active"})
        self.assertIn(new, text_of(self.letter(who, "a changé")))

    def test_a_forged_sender_subscribes_nobody(self):
        garden = self.make(joining="open")
        self.send("alice@near.test", self.role(garden, "join"))
        self.relais.wait_message("alice@near.test", lambda octets: b"Please confirm" in octets and garden.encode() in octets)
        self.assertEqual(self.members(garden), {})
        self.relais.submit("alice@near.test", self.role(garden, "join"), message(sender="alice@near.test", to=garden))
        self.wait_member(garden, "alice@near.test")

    def test_forged_orders_keep_nobody_in(self):
        garden = self.make()
        who, leave = self.person(), self.role(garden, "leave")
        self.relais.cli("list", "member", "add", garden, who, "--quiet")
        octets = message(to=leave, sender=who, subject="x")
        for _ in range(6):
            self.relais.send("evil@remote.test", leave, octets)
        asked = self.got(who, "leave", count=3)[0].content
        told = self.relais.wait_message(OWNER, lambda octets: b"letters are used up" in octets and garden in text_of(octets))
        # An owner with an account here does it under their own name.
        self.assertIn("`relais --config %s --as %s list member remove %s %s`" % (self.relais.config, OWNER, garden, who), " ".join(text_of(told).split()))
        # Any of the letters is good.
        self.send(who, reply_to(asked), subject="Re")
        until(lambda: self.members(garden) == {}, what="the member to leave")
        self.assertEqual(len(self.got(who, "Please confirm")), 3)

    def test_no_letters_to_those_whom_the_envelope_does_not_name(self):
        garden = self.make()
        who = self.person()
        forged = message_id("remote.test")
        octets = message(to=garden, sender=who, subject="help", mid=forged)
        self.relais.send("spam@remote.test", self.role(garden, "request"), octets)
        told = until(lambda: [text for text in [self.relais.cli("trace", "--message-id", forged)] if "order" in text], what="the trace")
        self.assertIn("an order to send help", told[0])
        self.assertIn("no notice: answer to an order kept back: the sender of the envelope is not the author", told[0])
        self.send(who, self.role(garden, "request"), subject="help")
        self.assertEqual(len(self.got(who, "Help for")), 1)

    def test_the_trace_tells_what_the_list_did(self):
        garden = self.make(moderated=True, moderator=MODERATOR)
        who = self.person()
        self.relais.cli("list", "member", "add", garden, who, "--quiet")
        mid = self.send(who, garden, subject="Told")
        asked = self.relais.wait_message(MODERATOR, lambda octets: b"waits for you" in octets and "Told" in text_of(octets))
        told = self.relais.cli("trace", "--message-id", mid)
        self.assertIn("waits at %s: the list is moderated" % garden, told)
        self.assertIn("letter to a moderator that a message waits to " + MODERATOR, told)
        curl(link_in(asked), "action=approve")
        self.got(who, "Told")
        sent = "%s: sent to 1 member" % garden
        told = until(lambda: [text for text in [self.relais.cli("trace", "--message-id", mid)] if sent in text], what="the end of the trace")[0]
        self.assertLess(told.index("let through by " + MODERATOR), told.index(sent))

    def test_moderators_by_answer_link_and_command_line(self):
        garden = self.make(moderated=True, moderator=MODERATOR)
        who = self.person()
        self.relais.cli("list", "member", "add", garden, who, "--quiet")

        def held(subject):
            self.send(who, garden, subject=subject)
            return self.relais.wait_message(MODERATOR, lambda octets: b"waits for you" in octets and subject in text_of(octets))

        asked = held("First")
        self.relais.submit(MODERATOR, reply_to(asked), message(sender=MODERATOR, to=reply_to(asked), subject="Re", body="accepter\r\n"))
        self.got(who, "First")
        asked = held("Second")
        self.assertIn("Second", curl(link_in(asked))[1])
        self.assertEqual(curl(link_in(asked), "action=reject", "reason=Hors sujet")[0], 200)
        self.assertIn("> Hors sujet", text_of(self.letter(who, "was rejected")))
        # The other way round comes too late.
        self.relais.submit(MODERATOR, reply_to(asked), message(sender=MODERATOR, to=reply_to(asked), subject="Re", body="approve\r\n"))
        self.relais.wait_message(MODERATOR, lambda octets: b"decided already" in octets)
        held("Third")
        waiting = self.relais.json("list", "waiting", garden)
        self.assertEqual([one["subject"] for one in waiting], ["Third"])
        as_person = lambda login: self.relais.run("--as", login, "--as-password-file", "-", "list", "approve", garden,
                                                  waiting[0]["message"], stdin=PASSWORD + "\n")
        self.assertNotEqual(as_person("alice@near.test").returncode, 0)
        done = as_person(MODERATOR)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.got(who, "Third")
        self.assertEqual(self.relais.json("list", "waiting", garden), [])
        self.assertEqual([one for one in self.remote.messages if b"Subject: Second" in one.content], [])

    def test_the_moderators_of_a_group(self):
        group = "board%d@near.test" % next(self.numbers)
        self.relais.cli("group", "add", group, "--member", "alice@near.test", "--moderator", MODERATOR)
        mids = [self.send(self.person(), group, subject=subject) for subject in ("Offer", "Spam")]
        asked = [self.relais.wait_message(MODERATOR, lambda octets: group.encode() in octets and subject in text_of(octets))
                 for subject in ("Offer", "Spam")]
        self.assertRegex(reply_to(asked[0]), r"^board\d+-confirm\+[a-z2-7]{21}@near\.test$")
        self.relais.submit(MODERATOR, reply_to(asked[0]), message(sender=MODERATOR, to=reply_to(asked[0]), subject="Re", body="ok\r\n"))
        self.relais.wait_message("alice@near.test", mids[0])
        waiting = self.relais.json("list", "waiting", group)
        self.assertEqual([one["subject"] for one in waiting], ["Spam"])
        self.relais.cli("list", "reject", group, waiting[0]["message"])
        until(lambda: not self.relais.json("list", "waiting", group), what="nothing to wait")
        self.assertEqual(self.relais.with_id("alice@near.test", mids[1]), [])

    def test_strangers_are_refused_with_the_reason(self):
        garden = self.make(non_members="refuse")
        who, stranger = self.person(), self.person()
        self.relais.cli("list", "member", "add", garden, who, "--quiet")
        self.send(stranger, garden, subject="Buy")
        self.assertIn("only members", text_of(self.letter(stranger, "was refused")))
        self.send(who, garden, subject="Talk")
        self.got(who, "Talk")
        self.assertEqual([one for one in self.remote.messages if b"Subject: Buy" in one.content and who in one.recipients], [])

    def test_a_member_whose_mail_comes_back_is_suspended(self):
        garden = self.make(bounce_days="1")
        good, bad = self.person(), self.person()
        for who in (good, bad):
            self.relais.cli("list", "member", "add", garden, who, "--quiet")
        refuse = lambda verb, argument, session: "550 5.1.1 nobody here" if verb == "RCPT" and bad in argument else None
        self.remote.decide = refuse
        self.send(good, garden, subject="Roses")
        self.got(good, "Roses")
        self.wait_member(garden, bad, "suspended")
        self.relais.wait_message(OWNER, lambda octets: b"was suspended" in octets and bad in text_of(octets))
        self.assertEqual(self.members(garden)[good], "active")
        # The address works again: the link in the letter brings them back.
        self.remote.decide = lambda verb, argument, session: None
        self.relais.cli("list", "member", "set", garden, bad, "--state", "active")
        self.send(good, garden, subject="Tulips")
        self.got(bad, "Tulips")

    def test_owners_and_moderators_read_the_archive(self):
        garden = self.make(archive=True, posting="anyone", non_members="accept")
        self.relais.cli("list", "set", garden, "--moderator", MODERATOR)
        mid = message_id("remote.test")
        self.relais.send("zoe@remote.test", garden, message(to=garden, sender="zoe@remote.test", subject="Roses", mid=mid))
        name = '"Shared/%s/Archive"' % garden
        for who in (OWNER, MODERATOR):
            client = self.relais.imaplib(who)
            until(lambda: client.select(name, readonly=True)[1] == [b"1"], what="the archive of " + who)
            self.assertIn(name.strip('"').encode(), b" ".join(client.list('""', "*")[1]))
            self.assertIn(mid.encode(), client.fetch("1", "(BODY.PEEK[])")[1][0][1])
            # It is read, and nothing is changed there.
            self.assertEqual(client.myrights(name)[1][0].split()[-1], b"lr")
            for answer in (client.append(name, None, None, b"Subject: x\r\n\r\nx\r\n"), client.delete(name),
                           client.create('"Shared/%s/Other"' % garden)):
                self.assertEqual(answer[0], "NO")
            with self.assertRaises(client.readonly):
                client.select(name)
            client.select(name, readonly=True)
            client.logout()
        stranger = self.relais.imaplib("alice@near.test")
        self.assertEqual(stranger.select(name)[0], "NO")
        self.assertNotIn(b"Archive", b" ".join(one for one in stranger.list('""', "Shared/*")[1] if one))
        stranger.logout()
        self.assertIn("with its archive", self.relais.cli("list", "remove", garden, "--force"))

    def archive(self, garden, who):
        """Which rights somebody has in a list's archive, and whether LIST shows it."""
        name, client = '"Shared/%s/Archive"' % garden, self.relais.imaplib(who)
        status, found = client.myrights(name)
        listed = name.strip('"').encode() in b" ".join(one for one in client.list('""', "Shared/*")[1] if one)
        client.logout()
        rights = found[0].split()[-1].decode() if status == "OK" else ""
        self.assertEqual(listed, bool(rights), who)
        return rights

    def test_the_archive_is_read_by_whom_the_list_says(self):
        garden = self.make(archive=True, posting="anyone", non_members="accept")
        alice, dora = "alice@near.test", "dora@else.test"
        self.send(self.person(), garden, subject="Roses")
        client = self.relais.imaplib(OWNER)
        until(lambda: client.select('"Shared/%s/Archive"' % garden, readonly=True)[1] == [b"1"], what="the archive")
        client.logout()
        self.assertEqual(self.archive(garden, OWNER), "lr")
        self.assertEqual(self.archive(garden, alice), "")
        # As a member, as long as they are one; somebody of another organisation is as a member elsewhere.
        for who in (alice, dora):
            self.relais.cli("list", "member", "add", garden, who, "--quiet")
        self.assertEqual([self.archive(garden, who) for who in (alice, dora, MODERATOR)], ["lr", "", ""])
        with self.relais.imap(alice) as client:
            client.must('SELECT "Shared/%s/Archive"' % garden)
            client.idle()
            self.relais.submit(alice, self.role(garden, "leave"), message(sender=alice, to=self.role(garden, "leave")))
            said = client.response()
            while not said.startswith("* BYE"):
                said = client.response()
            self.assertIn("[NOPERM]", said)
        self.assertEqual(self.archive(garden, alice), "")
        # Everybody of the organisation, or nobody but who runs the list.
        self.relais.cli("list", "set", garden, "--archive-readers", "organisation")
        self.assertEqual([self.archive(garden, who) for who in (alice, dora, MODERATOR)], ["lr", "", "lr"])
        self.relais.cli("list", "member", "add", garden, alice, "--quiet")
        self.relais.cli("list", "set", garden, "--archive-readers", "owners")
        self.assertEqual([self.archive(garden, who) for who in (alice, dora, OWNER)], ["", "", "lr"])
        self.assertIn("kept, read by owners", self.relais.cli("list", "show", garden))
        refused = self.relais.run("shared", "acl", "set", garden, alice, "lr", "--mailbox", "Archive")
        self.assertEqual(refused.returncode, 1)
        self.assertIn("relais list set %s --archive-readers" % garden, refused.stderr)

    def test_who_is_added_is_told_with_the_way_out(self):
        garden = self.make(name="Garden", language="fr")
        told, quiet, imported, welcome = (self.person() for _ in range(4))
        self.relais.cli("list", "member", "add", garden, told)
        self.relais.cli("list", "member", "add", garden, quiet, "--quiet")
        one = lambda who: json.dumps({"address": who}) + "\n"
        self.relais.cli("list", "member", "import", garden, "-", stdin=one(imported))
        self.relais.cli("list", "member", "import", garden, "-", "--welcome", stdin=one(welcome))
        for who in (told, welcome):
            letter = self.letter(who, "ajouté à Garden")
            self.assertEqual(curl(link_in(letter), "action=leave")[0], 200)
        self.assertEqual(self.members(garden), {quiet: "active", imported: "active"})
        self.send(OWNER, garden, subject="x")
        self.assertEqual([one for one in self.remote.messages if b"Garden" in one.content and {quiet, imported} & set(one.recipients)], [])
        shown = self.relais.cli("list", "member", "add", garden, "bj\u00f8rn@remote.test", "--quiet")
        self.assertIn("SMTPUTF8", shown)

    def test_people_of_another_organisation_gain_nothing_and_can_leave(self):
        """R6, R8, R9, R11: an organisation leads its mail to somebody of another one on this server."""
        dora, chief = "dora@else.test", "chief@near.test"
        password = folder("chief") / "password"
        password.write_text(PASSWORD + "\n")
        as_chief = lambda *words: self.relais.run("--as", chief, "--as-password-file", password, *words)
        # Nobody leaves a group by themselves, so nobody of another organisation is put into one.
        refused = as_chief("group", "add", "board@near.test", "--member", dora)
        self.assertEqual(refused.returncode, 1)
        self.assertIn("else.test", refused.stderr)
        # The server's administrator may; and an alias may lead anywhere.
        self.relais.cli("group", "add", "team@near.test", "--member", dora, "--member", "alice@near.test", "--posting", "organisation")
        self.assertEqual(as_chief("alias", "add", "desk@near.test", "--to", dora).returncode, 0)
        self.relais.add_alias("closed@near.test", "alice@near.test", internal_only=True)
        mid = self.send("zoe@remote.test", "desk@near.test")
        self.relais.wait_message(dora, lambda octets: mid.encode() in octets)
        for sender in ("desk@near.test", "team@near.test"):
            with self.assertRaises(smtplib.SMTPException) as refused:
                self.relais.submit(dora, "zoe@remote.test", message(sender=sender), user=dora)
            self.assertIn("may not send as", str(refused.exception))
        for inside in ("team@near.test", "closed@near.test"):
            with self.assertRaises(smtplib.SMTPRecipientsRefused):
                self.relais.submit(dora, inside, message(sender=dora, to=inside))
        self.relais.submit("alice@near.test", "team@near.test", message(sender="alice@near.test", to="team@near.test"))
        # Of a list they are told, and leave as anybody does.
        garden = self.make(archive=True)
        self.assertEqual(as_chief("list", "member", "add", garden, dora).returncode, 0)
        letter = self.relais.wait_message(dora, lambda octets: b"You have been added" in octets and garden in text_of(octets))
        self.relais.submit("alice@near.test", garden, message(sender="alice@near.test", to=garden, subject="Not yet"))
        self.assertEqual(self.archive(garden, dora), "")
        self.assertEqual(curl(link_in(letter), "action=leave")[0], 200)
        self.assertEqual(self.members(garden), {})

    def test_moderation_that_ends_tells_what_waits(self):
        garden, group = self.make(moderated=True), "board%d@near.test" % next(self.numbers)
        self.relais.cli("group", "add", group, "--member", "alice@near.test", "--moderator", MODERATOR)
        for to, option in ((garden, "--not-moderated"), (group, "--no-moderation")):
            verb = option == "--no-moderation" and "group" or "list"
            for subject in ("One", "Two"):
                self.send("zoe@remote.test", to, subject=subject)
            until(lambda: len(self.relais.json("list", "waiting", to)) == 2, what="both to wait")
            shown = " ".join(self.relais.cli(verb, "set", to, option).split())
            self.assertIn("2 messages wait still: they are not let through by themselves, and are refused 7 days after coming", shown)
            self.assertEqual(len(self.relais.json("list", "waiting", to)), 2)
        waiting = self.relais.json("list", "waiting", group)
        self.relais.cli("list", "approve", group, waiting[0]["message"])
        self.relais.wait_message("alice@near.test", lambda octets: b"Subject: " + waiting[0]["subject"].encode() in octets)

    def test_the_command_line(self):
        garden = self.make(name="Garden", subject_prefix="[garden]", language="fr")
        self.relais.cli("list", "member", "add", garden, "bob@remote.test", "--name", "Bob", "--quiet")
        self.assertIn("members", self.relais.cli("list", "show", garden))
        self.assertIn(garden, self.relais.cli("list", "list"))
        self.relais.cli("list", "set", garden, "--archive", "--moderator", MODERATOR, "--message-size", "1M")
        shown = self.relais.json("list", "show", garden)
        self.assertEqual((shown["moderators"], shown["settings"]["archive"], shown["rules"]["message_octets_max"]), ([MODERATOR], True, 1048576))
        self.assertEqual(self.relais.run("list", "remove", garden).returncode, 1)
        self.relais.cli("list", "member", "remove", garden, "bob@remote.test")
        self.relais.cli("list", "remove", garden)
        self.assertEqual(self.relais.run("list", "show", garden).returncode, 1)

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.relais.check()


class Kill(TestCase):

    def test_kill_in_the_middle_of_a_distribution(self):
        remote = Remote(certificate=certificate())
        self.addCleanup(remote.close)
        relais = self.server(name="kill", hostname="mx.near.test", destinations={"remote.test": ("127.0.0.1", remote.port)})
        relais.add_domain("near.test")
        relais.add_account(OWNER)
        garden = "garden@near.test"
        relais.cli("list", "add", garden, "--owner", OWNER, "--posting", "anyone", "--from", "keep")
        relais.start()
        lines = "".join('{"address":"m%d@remote.test"}\n' % n for n in range(1000))
        self.assertIn("1000 members added", relais.cli("list", "member", "import", garden, "-", stdin=lines))
        # Nothing leaves before the kill: what is counted is what the server has queued, not what a cut connection hides.
        remote.decide = lambda verb, argument, session: "421 4.3.2 not now" if verb == "CONNECT" else None
        relais.send("zoe@remote.test", garden, message(to=garden, sender="zoe@remote.test"))
        relais.kill()
        relais.start()

        def counts():
            found = {}
            for entry in relais.queue():
                if entry["reverse_path"].startswith("<garden-bounces+"):
                    for recipient in entry["recipients"]:
                        found[recipient["address"]] = found.get(recipient["address"], 0) + 1
            return found

        until(lambda: len(counts()) == 1000, seconds=60, what="1000 copies")
        # The post is out: what comes behind it has its turn.
        relais.cli("list", "member", "import", garden, "-", stdin='{"address":"late@remote.test"}\n')
        relais.send("zoe@remote.test", garden, message(to=garden, sender="zoe@remote.test"))
        wanted = {"late@remote.test": 1, **{"m%d@remote.test" % n: 2 for n in range(1000)}}
        until(lambda: sum(counts().values()) >= sum(wanted.values()), seconds=60, what="both posts")
        self.assertEqual({who: count for who, count in counts().items() if count != wanted.get(who)}, {})
        relais.stop()
        relais.check()


if __name__ == "__main__":
    unittest.main()
