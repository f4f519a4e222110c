"""The rows of the mission, a test for each, named after it: the command line sets it up, SMTP brings the mail, IMAP (or the
scripted server outside) shows what has become of it. All rows share one server.

What a row promises in full, with every exception, stands in `docs/hosted-behaviour.md` and in the tests of the crates; here
each row is shown to work from the outside.
"""

import email
import email.policy
import imaplib
import re
import smtplib
import urllib.request

from harness import PASSWORD, certificate, flags, message, message_id, tls_context, until
from test_external import Pop3
from test_responder import Answers

OTHER = "nine grey geese over the mill"


def parsed(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


def subject(octets):
    return parsed(octets)["Subject"]


def text_of(octets):
    return parsed(octets).get_body(("plain",)).get_content()


class Mission(Answers):

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.passwords = cls.relais.home / "password"
        cls.passwords.write_text(PASSWORD + "\n")

    @classmethod
    def prepare(cls, server):
        server.set("web", url="http://127.0.0.1:%d" % server.ports["web"])
        server.set("fetch", interval_secs_min=1)
        server.set("accounts", public_host="mail.near.test")
        server.set("security", failed_login_forgotten_secs=1)
        super().prepare(server)

    # -- what tests say

    def address(self, name="role"):
        return "%s%d@near.test" % (name, next(self.numbers))

    def responder(self, at, **options):
        """A responder; its number."""
        options.setdefault("subject", "Away")
        options.setdefault("text", "Back soon.")
        return self.relais.json("responder", "add", at, *flags(options))["id"]

    def as_person(self, login, *arguments):
        return self.relais.run("--as", login, "--as-password-file", self.passwords, *arguments)

    def subjects(self, user, mailbox="INBOX"):
        return sorted(subject(octets) for octets in self.relais.messages(user, mailbox).values())

    def outside(self, who, count=1):
        """What has come for somebody outside, once there are so many and all that was sent has been worked on."""
        return [parsed(one.content) for one in self.answered(who, count)]

    def refused_at_rcpt(self, to, code="550"):
        with self.relais.smtp() as client:
            *_, reply = client.envelope(self.sender(), to)
            self.assertEqual(str(reply.code), code, reply.text)
            return reply.text

    def submit(self, who, to, **parts):
        headers = parts.pop("headers", ())
        mid = message_id("near.test")
        octets = message(to=to, sender=parts.pop("author", who), mid=mid, headers=headers, **parts)
        self.relais.submit(who, to, octets)
        return mid

    def submission_refused(self, who, octets):
        with self.assertRaises(smtplib.SMTPDataError) as caught:
            self.relais.submit(who, self.sender(), octets)
        return "%d %s" % (caught.exception.smtp_code, caught.exception.smtp_error.decode())

    def let_in(self, login, password=PASSWORD):
        try:
            self.relais.imaplib(login, password).logout()
            return True
        except imaplib.IMAP4.error:
            return False

    # -- autoresponders

    def test_a01_a_robot_answers_whatever_comes(self):
        clerk, robot = self.account(), self.address("pricelist")
        self.relais.add_alias(robot, clerk)
        self.responder(robot, subject="Our prices", text="A pond: 300.")
        for parts in (dict(subject="Prices?"), dict(subject="", body=""), dict(subject="\u00e9t\u00e9", header_to="undisclosed-recipients:;")):
            sender, mid = self.send(robot, **parts)
            answer, = self.outside(sender)
            self.assertEqual(answer["Subject"], "Our prices")
            self.relais.wait_message(clerk, mid)

    def test_a02_a_prefix_before_the_original_subject(self):
        robot = self.account()
        self.relais.json("responder", "add", robot, "--subject-prefix", "Received:", "--text", "Soon.")
        sender, _ = self.send(robot, subject="An order")
        self.assertEqual(self.outside(sender)[0]["Subject"], "Received: An order")

    def test_a03_text_or_html(self):
        plain, rich = self.account(), self.account()
        self.responder(plain, text="One pond.")
        self.relais.json("responder", "add", rich, "--subject", "Away", "--html", "<p>One <b>pond</b>.</p>")
        answer = self.outside(self.send(plain)[0])[0]
        self.assertEqual((answer.get_content_type(), answer.get_content().strip()), ("text/plain", "One pond."))
        answer = self.outside(self.send(rich)[0])[0]
        self.assertEqual(answer.get_content_type(), "multipart/alternative")
        self.assertEqual([part.get_content_type() for part in answer.iter_parts()], ["text/plain", "text/html"])
        self.assertIn("One pond.", answer.get_body(("plain",)).get_content().replace("*", ""))

    def test_a04_a_copy_of_every_answer(self):
        robot, clerk = self.account(), self.account()
        self.responder(robot, subject="Our prices", copy_answers_to=clerk)
        sender, _ = self.send(robot)
        self.outside(sender)
        copy = self.relais.wait_message(clerk, lambda octets: subject(octets) == "Our prices")
        self.assertIn(sender, parsed(copy)["To"])

    def test_a05_how_often_one_sender_is_answered(self):
        daily, always = self.account(), self.account()
        self.responder(daily, frequency="24h")
        self.responder(always, frequency=0)
        sender = self.sender()
        for robot, expected in ((daily, 1), (always, 3)):
            for _ in range(2):
                self.send(robot, sender)
            self.outside(sender, expected)
            self.assertEqual(len(self.subjects(robot)), 2)

    def test_a06_beside_a_mailbox_a_black_hole_and_neither(self):
        box, hole, bare = self.account(), self.address("hole"), self.address("bare")
        self.relais.add_alias(hole, ":blackhole:")
        for at in (box, hole, bare):
            self.responder(at)
        self.outside(self.send(box)[0])
        self.assertEqual(self.subjects(box), ["Hello"])
        self.outside(self.send(hole)[0])
        sender, _ = self.send(bare)
        answer, notice = sorted(self.outside(sender, 2), key=lambda one: one.get_content_type() == "multipart/report")
        self.assertEqual(answer["Subject"], "Away")
        self.assertEqual(notice.get_content_type(), "multipart/report")

    def test_a07_tied_to_a_mailbox_or_free(self):
        tied, free, reader = self.account(), self.address("fair"), self.account()
        self.relais.add_alias(free, reader)
        numbers = [self.responder(tied, subject="Tied"), self.responder(free, subject="Free")]
        owners = [self.relais.json("responder", "show", number)["owner"] for number in numbers]
        self.assertEqual(owners, [tied, None])
        self.assertEqual(self.outside(self.send(tied)[0])[0]["Subject"], "Tied")
        self.assertEqual(self.outside(self.send(free)[0])[0]["Subject"], "Free")
        self.assertEqual((len(self.subjects(tied)), len(self.subjects(reader))), (1, 1))
        # What an alias hands on to a mailbox is answered by the robot there.
        handed = self.address("desk")
        self.relais.add_alias(handed, tied)
        self.assertEqual([one["Subject"] for one in self.outside(self.send(handed)[0])], ["Tied"])

    def test_a08_for_a_time_or_until_switched_off(self):
        robot = self.account()
        self.assertIn("is over", self.relais.run("responder", "add", robot, "--subject", "Over", "--text", "x", "--ends", "2020-01-31").stderr)
        for name, window in (("Not yet", ("2199-01-01", "2199-02-01")), ("Now", ("2020-01-01", "2199-12-31"))):
            self.responder(robot, subject=name, starts=window[0], ends=window[1])
        always = self.responder(robot, subject="Always")
        self.assertEqual(sorted(one["Subject"] for one in self.outside(self.send(robot)[0], 2)), ["Always", "Now"])
        self.relais.cli("responder", "set", always, "--disable")
        self.assertEqual([one["Subject"] for one in self.outside(self.send(robot)[0])], ["Now"])

    def test_a09_received_messages_are_kept_or_deleted_and_it_is_said(self):
        robot = self.account()
        told = self.relais.cli("responder", "add", robot, "--subject", "Away", "--text", "Write in May.", "--drop", "--ends", "2199-12-31")
        self.assertIn("DELETE", told.upper())
        self.outside(self.send(robot)[0])
        self.assertEqual(self.subjects(robot), [])
        self.relais.cli("responder", "set", self.relais.json("responder", "list", "--address", robot)[0]["id"], "--keep")
        self.outside(self.send(robot)[0])
        self.assertEqual(self.subjects(robot), ["Hello"])

    def test_a10_a_copy_of_what_is_received(self):
        tied, clerk, free = self.account(), self.account(), self.address("fair")
        self.responder(tied, copy_received_to=clerk)
        self.responder(free, copy_received_to=clerk)
        for at in (tied, free):
            sender, mid = self.send(at)
            self.outside(sender)
            self.relais.wait_message(clerk, mid)
        self.assertEqual(len(self.subjects(tied)), 1)

    def test_a11_listed_changed_and_removed(self):
        robot = self.account()
        number = self.responder(robot, frequency=0)
        self.assertIn("Away", self.relais.cli("responder", "list", "--address", robot))
        self.relais.cli("responder", "set", number, "--subject", "Got it")
        self.assertEqual(self.outside(self.send(robot)[0])[0]["Subject"], "Got it")
        self.relais.cli("responder", "remove", number)
        self.assertEqual(self.relais.json("responder", "list", "--address", robot), [])
        self.not_answered(self.send(robot)[0])
        self.assertEqual(len(self.subjects(robot)), 2)

    def test_a12_only_when_enabled_with_subject_and_message_and_in_its_window(self):
        robot = self.account()
        self.assertNotEqual(self.relais.run("responder", "add", robot, "--subject", "Only a subject").returncode, 0)
        self.assertNotEqual(self.relais.run("responder", "add", robot, "--text", "Only a text").returncode, 0)
        number = self.responder(robot, disable=True)
        self.not_answered(self.send(robot)[0])
        self.relais.cli("responder", "set", number, "--enable", "--starts", "2199-01-01")
        self.not_answered(self.send(robot)[0])
        self.relais.cli("responder", "set", number, "--no-starts")
        self.outside(self.send(robot)[0])

    def test_a13_several_for_one_person_and_an_administrator_sets_them(self):
        person, chief = self.account(), self.account()
        self.relais.cli("account", "set", chief, "--role", "administrator")
        for name in ("First", "Second"):
            done = self.as_person(chief, "responder", "add", person, "--subject", name, "--text", "x")
            self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(sorted(one["Subject"] for one in self.outside(self.send(person)[0], 2)), ["First", "Second"])
        # One message is never the cause of a flood.
        for n in range(8):
            self.responder(person, subject="More %d" % n)
        self.outside(self.send(person)[0], 5)

    def test_a14_answers_are_filed_in_sent(self):
        person = self.account()
        self.responder(person, subject="Thank you")
        sender, mid = self.send(person)
        answer, = self.outside(sender)
        filed = self.relais.wait_message(person, answer["Message-ID"], "Sent")
        self.assertEqual(parsed(filed)["In-Reply-To"], mid)

    # -- out-of-office messages

    def test_v01_an_absence_in_the_time_zone_of_its_person(self):
        person = self.account()
        self.relais.cli("account", "set", person, "--time-zone", "Europe/Paris", "--language", "fr")
        number = self.responder(person, kind="out-of-office", starts="2020-07-01", ends="2199-07-14", text="Jusqu'au {until}.",
                                html="<p>Jusqu'au {until}.</p>", frequency="24h")
        self.assertEqual(self.relais.json("responder", "show", number)["zone"], "Europe/Paris")
        sender, _ = self.send(person)
        answer, = self.outside(sender)
        self.assertIn("14 juillet 2199", answer.get_body(("plain",)).get_content())
        self.send(person, sender)
        self.outside(sender, 1)

    def test_v02_it_begins_today_and_ends_with_the_signature(self):
        person = self.account()
        self.relais.cli("account", "identity", "add", person, person, "--name", "Alice Martin", "--signature", "The pond office")
        number = self.responder(person, kind="out-of-office", subject="Away", text="Back soon.")
        shown = self.relais.json("responder", "show", number)
        self.assertRegex(shown["starts"], r"^20\d\d-\d\d-\d\d$")
        self.assertIsNone(shown["ends"])
        answer, = self.outside(self.send(person)[0])
        self.assertIn("Alice Martin", answer["From"])
        self.assertIn("The pond office", answer.get_content())

    def test_v03_who_gets_no_answer(self):
        person, group, friend = self.account(), self.address("team"), self.sender()
        self.relais.cli("group", "add", group, "--member", person)
        self.relais.cli("contact", "add", person, friend)
        self.responder(person, kind="out-of-office", audience="contacts", frequency=0)
        self.submit(person, person)
        self.not_answered(self.send(person)[0])
        self.send(group, friend)
        for marks in ((("List-Id", "<news.remote.test>"),), (("Precedence", "bulk"),)):
            self.send(person, friend, headers=marks)
        self.not_answered(friend)
        self.send(person, friend)
        self.outside(friend)

    def test_v04_its_person_is_told_and_switches_it_off_by_one_click(self):
        person = self.account()
        number = self.responder(person, kind="out-of-office", subject="At the sea", ends="2199-12-31")
        letter = self.relais.wait_message(person, lambda octets: b"out-of-office message is active" in octets)
        self.assertEqual(self.relais.json("responder", "show", number)["phase"], "active")
        link = re.search(r"http://\S+/absence/\S+", text_of(letter)).group(0)

        def browse(url, data=None, language="fr"):
            request = urllib.request.Request(url, data=data, headers={"Accept-Language": language})
            try:
                with urllib.request.urlopen(request, timeout=10) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()

        # A scanner follows the link; nothing changes.
        status, page = browse(link)
        self.assertEqual((status, page.count("<button")), (200, 1))
        self.assertIn("Désactiver", page)
        self.assertIn("At the sea", page)
        self.outside(self.send(person)[0])
        self.assertEqual(browse(link[:-1] + ("A" if link[-1] != "A" else "Q"), b"")[0], 404)
        self.assertTrue(self.relais.json("responder", "show", number)["enabled"])
        self.assertIn("switched off", browse(link, b"action=off", "en")[1])
        self.assertFalse(self.relais.json("responder", "show", number)["enabled"])
        self.not_answered(self.send(person)[0])
        # Twice is harmless, and the link is of no use for the next time.
        self.assertEqual(browse(link, b"action=off")[0], 200)
        self.relais.cli("responder", "set", number, "--enable")
        until(lambda: len([s for s in self.subjects(person) if "is active" in s]) == 2, what="the letter of the second time")
        self.assertIn("not active any more", browse(link, b"action=off", "en")[1])
        self.outside(self.send(person)[0])

    def test_v04_who_administers_a_shared_mailbox_switches_its_absence_off(self):
        chief, reader, team = self.account(), self.account(), self.address("team")
        self.relais.cli("shared", "add", team, "--member", chief + "=administrator", "--member", reader + "=reader")
        number = self.responder(team, kind="out-of-office", subject="At the sea")
        letter = self.relais.wait_message(chief, lambda octets: team.encode() in octets and b"is active" in octets)
        link = re.search(r"http://\S+/absence/\S+", text_of(letter)).group(0)
        self.assertEqual(self.subjects(reader), [])
        with urllib.request.urlopen(urllib.request.Request(link, data=b"action=off"), timeout=10) as answer:
            self.assertEqual(answer.status, 200)
        self.assertFalse(self.relais.json("responder", "show", number)["enabled"])
        self.not_answered(self.send(team)[0])

    def test_v05_no_loops_and_no_answers_to_machines(self):
        person, alias = self.account(), self.address("info")
        self.relais.add_alias(alias, person)
        self.responder(person, kind="out-of-office", frequency=0)
        sender = self.sender()
        for marks in ((("Auto-Submitted", "auto-replied"),), (("Precedence", "list"),), (("List-Id", "<x.remote.test>"),),
                      (("X-Auto-Response-Suppress", "All"),), (("X-Loop", person),)):
            self.send(person, sender, headers=marks)
        self.send(person, sender, header_to="undisclosed-recipients:;")
        # Without From nobody says that they wrote it: kept, and not answered.
        bare = message(to=person, sender=sender).split(b"\r\n", 1)[1]
        self.relais.send(sender, person, bare)
        self.relais.send("", person, message(to=person, sender=sender))
        self.not_answered(sender)
        self.assertEqual(len([s for s in self.subjects(person) if s == "Hello"]), 8)
        self.send(alias, sender)
        answer, = self.answered(sender)
        self.assertEqual(answer.sender, "")
        self.assertEqual(parsed(answer.content)["Auto-Submitted"], "auto-replied")

    # -- addresses and routing

    def test_r01_an_alias_leads_to_one_or_more_addresses(self):
        one, two, far = self.account(), self.account(), self.sender()
        alias = self.address("info")
        self.relais.add_alias(alias, one, two, far)
        _, mid = self.send(alias)
        for person in (one, two):
            self.relais.wait_message(person, mid)
        self.assertEqual(self.outside(far)[0]["Message-ID"], mid)

    def test_r02_a_mailbox_keeps_the_mail(self):
        person = self.account()
        _, mid = self.send(person, body="Some words.\r\n")
        self.assertIn(b"Some words.", self.relais.wait_message(person, mid))
        self.refused_at_rcpt(self.address("nobody"))

    def test_r03_redirects_add_up_and_an_empty_one_is_everybody(self):
        domain = "club%d.test" % next(self.numbers)
        self.relais.add_domain(domain)
        people = ["%s@%s" % (name, domain) for name in ("ann", "ben", "cid")]
        self.relais.add_accounts(*people)
        self.relais.add_alias("info@" + domain, people[0])
        self.relais.cli("alias", "add", "info@" + domain, "--to", people[1])
        self.relais.cli("alias", "add", "all@" + domain, "--to", "")
        self.send("info@" + domain, subject="To two")
        self.send("all@" + domain, subject="To all")
        for person, expected in zip(people, (["To all", "To two"], ["To all", "To two"], ["To all"])):
            self.assertEqual(self.subjects(person), expected, person)

    def test_r04_the_black_hole(self):
        hole = self.address("old")
        self.relais.add_alias(hole, ":blackhole:")
        self.not_answered(self.send(hole)[0])

    def test_r05_login_at_domain_in_every_domain(self):
        domain = "second%d.test" % next(self.numbers)
        self.relais.add_domain(domain)
        person = self.account()
        self.relais.cli("account", "set", person, "--also-in", domain)
        further = person.replace("near.test", domain)
        _, mid = self.send(further)
        self.relais.wait_message(person, mid)
        self.assertTrue(self.let_in(further))

    def test_r06_who_an_alias_leads_to_writes_as_it_and_nobody_else(self):
        member, stranger, alias, far = self.account(), self.account(), self.address("info"), self.sender()
        self.relais.add_alias(alias, member)
        self.submit(member, far, author=alias)
        self.assertEqual(self.outside(far)[0]["From"], alias)
        self.assertRegex(self.submission_refused(stranger, message(sender=alias)), r"^550 5\.7\.1 You may not send as")
        resent = message(sender=stranger, headers=(("Resent-From", alias),))
        self.assertRegex(self.submission_refused(stranger, resent), r"^550 5\.7\.1 You may not send as")
        # A program that names no author: it is who sends.
        self.relais.submit(stranger, far, message(to=far, sender=stranger).split(b"\r\n", 1)[1])
        self.assertTrue(any(stranger in one["From"] for one in self.outside(far, 2)))
        # Where answers go is free.
        self.submit(stranger, far, headers=(("Reply-To", "anybody@elsewhere.test"),))
        self.outside(far, 3)

    def test_r07_a_shared_mailbox(self):
        one, two, neighbour, team = self.account(), self.account(), self.account(), self.address("team")
        self.relais.cli("shared", "add", team, "--member", one + "=poster", "--member", two + "=writer")
        self.send(team, subject="Prices?")
        name = '"Shared/%s"' % team
        first, second = self.relais.imaplib(one), self.relais.imaplib(two)
        self.assertEqual(first.select(name)[1], [b"1"])
        first.store("1", "+FLAGS", r"(\Seen \Flagged)")
        second.select(name, readonly=True)
        seen = second.fetch("1", "(FLAGS)")[1][0]
        self.assertIn(rb"\Seen", seen)
        self.assertIn(rb"\Flagged", seen)
        other = self.relais.imaplib(neighbour)
        self.assertEqual(other.select(name)[0], "NO")
        for client in (first, second, other):
            client.logout()

    def test_r07_anyone_is_the_organisation_and_not_the_server(self):
        domain = "tenant%d.test" % next(self.numbers)
        self.relais.add_domain(domain)
        stranger = "dora@" + domain
        self.relais.add_account(stranger)
        owner, colleague = self.account(), self.account()
        client = self.relais.imaplib(owner)
        client.create("Plans")
        self.assertEqual(client.setacl("Plans", "anyone", "lr")[0], "OK")
        self.assertEqual(client.setacl("Plans", stranger, "lr")[0], "NO")
        client.logout()
        name = '"Other Users/%s/Plans"' % owner
        for person, expected in ((colleague, "OK"), (stranger, "NO")):
            client = self.relais.imaplib(person)
            self.assertEqual(client.select(name, readonly=True)[0], expected, person)
            client.logout()
        # Inside only means the same people.
        closed = self.address("closed")
        self.relais.add_alias(closed, owner, internal_only=True)
        self.submit(colleague, closed)
        with self.assertRaises(smtplib.SMTPRecipientsRefused):
            self.submit(stranger, closed)

    def test_r08_a_list_whose_members_help_themselves(self):
        owner, garden, who = self.account(), self.address("garden"), self.sender()
        self.relais.cli("list", "add", garden, "--owner", owner, "--from", "keep")
        role = lambda name: garden.replace("@", "-%s@" % name)

        def confirm(count):
            asked = self.answered(who, count)[-1]
            self.send(parsed(asked.content)["Reply-To"] or parsed(asked.content)["From"], who, subject="Re", body="yes\r\n")

        members = lambda: [one["address"] for one in self.relais.json("list", "member", "list", garden)]
        self.send(role("join"), who)
        confirm(1)
        until(lambda: members() == [who], what="the member")
        self.answered(who, 2)
        self.send(garden, who, subject="Roses")
        post = self.answered(who, 3)[-1]
        self.assertIn("Roses", parsed(post.content)["Subject"])
        self.send(role("leave"), who)
        confirm(4)
        until(lambda: members() == [], what="the end of the membership")

    def test_r09_a_group_is_one_address_for_several_mailboxes(self):
        one, two, group = self.account(), self.account(), self.address("board")
        self.relais.cli("group", "add", group, "--member", one, "--member", two)
        _, mid = self.send(group)
        for person in (one, two):
            self.relais.wait_message(person, mid)

    def test_r10_several_domains_and_the_end_of_one(self):
        domain = "shop%d.test" % next(self.numbers)
        self.relais.add_domain(domain)
        person = "dora@" + domain
        self.relais.add_account(person)
        _, mid = self.send(person)
        self.relais.wait_message(person, mid)
        self.assertNotEqual(self.relais.run("domain", "remove", domain).returncode, 0)
        self.relais.cli("domain", "remove", domain, "--force")
        self.refused_at_rcpt(person)
        self.assertFalse(self.let_in(person))

    def test_r11_an_organisation_edits_its_own(self):
        domain = "club%d.test" % next(self.numbers)
        self.relais.add_domain(domain)
        chief, member = "chief@" + domain, "member@" + domain
        self.relais.add_accounts(chief, member)
        self.relais.cli("account", "set", chief, "--role", "domain-administrator")
        self.assertEqual(self.as_person(chief, "alias", "add", "info@" + domain, "--to", member).returncode, 0)
        _, mid = self.send("info@" + domain)
        self.relais.wait_message(member, mid)
        self.assertNotEqual(self.as_person(chief, "alias", "add", self.address(), "--to", member).returncode, 0)
        self.assertNotEqual(self.as_person(member, "alias", "add", "x@" + domain, "--to", member).returncode, 0)
        self.refused_at_rcpt("x@" + domain)
        # Rights go to people of the domain only.
        acl = lambda who: self.as_person(chief, "shared", "acl", "set", member, who, "lr", "--mailbox", "INBOX").returncode
        self.assertEqual(acl(chief), 0)
        self.assertNotEqual(acl(self.account()), 0)

    # -- mailboxes and accounts

    def test_m01_a_mailbox_its_owner_its_name_and_the_limit(self):
        domain = "house%d.test" % next(self.numbers)
        self.relais.add_domain(domain)
        self.relais.cli("domain", "users", domain, "--per-owner", "2")
        first = "dora@" + domain
        self.relais.add_account(first, name="Dora Petit")
        self.relais.add_account("dora.home@" + domain, owner=first)
        third = self.relais.run("account", "add", "dora.club@" + domain, "--owner", first, "--no-welcome")
        self.assertNotEqual(third.returncode, 0)
        _, mid = self.send("dora.home@" + domain)
        self.relais.wait_message("dora.home@" + domain, mid)
        self.refused_at_rcpt("dora.club@" + domain)

    def test_m02_the_person_is_told(self):
        person, outside = self.address("dora"), self.sender()
        self.relais.add_account(person, welcome=True, notify=outside)
        inside, = self.relais.messages(person).values()
        letter, = self.outside(outside)
        for text in (text_of(inside), letter.get_content()):
            self.assertIn("mail.near.test", text)
            self.assertIn(person, text)
            self.assertNotIn(PASSWORD, text)

    def test_m03_its_aliases_and_its_end(self):
        person, alias = self.account(), self.address("sales")
        self.relais.cli("account", "alias", person, "--add", alias)
        _, mid = self.send(alias)
        self.relais.wait_message(person, mid)
        self.relais.cli("account", "alias", person, "--remove", alias)
        self.refused_at_rcpt(alias)
        self.relais.cli("account", "remove", person, "--force")
        self.refused_at_rcpt(person)
        self.assertFalse(self.let_in(person))

    def test_m04_the_password(self):
        person = self.account()
        change = lambda text: self.relais.run("--as", person, "--as-password-file", self.passwords, "account", "password", person,
                                              "--password-file", "-", stdin=text + "\n")
        self.assertNotEqual(change("password1").returncode, 0)
        self.assertTrue(self.let_in(person))
        done = change(OTHER)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertFalse(self.let_in(person))
        self.assertTrue(self.let_in(person, OTHER))
        generated = self.relais.json("account", "password", person, "--generate")["generated_password"]
        client = self.relais.imaplib(person, generated)
        self.assertGreaterEqual(int(client.select(readonly=True)[1][0]), 1, "notices of the changes")
        client.logout()

    def test_m05_the_connection_settings(self):
        person = self.account()
        shown = self.relais.json("account", "settings", person)
        self.assertEqual(shown["login"], person)
        ports = {(one["protocol"], one["tls"]): one["port"] for one in shown["incoming"] + shown["outgoing"]}
        client = imaplib.IMAP4_SSL("127.0.0.1", ports["imap", "implicit"], ssl_context=tls_context(), timeout=30)
        self.assertEqual(client.login(shown["login"], PASSWORD)[0], "OK")
        client.logout()
        with smtplib.SMTP_SSL("127.0.0.1", ports["smtp", "implicit"], timeout=30, context=tls_context()) as client:
            client.login(shown["login"], PASSWORD)

    def test_m06_access_is_withdrawn_from_persons_and_groups(self):
        person, intern, group = self.account(), self.account(), self.address("interns")
        self.relais.cli("account", "set", person, "--withdraw", "submission")
        self.assertTrue(self.let_in(person))
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            self.submit(person, self.sender())
        self.relais.cli("group", "add", group, "--member", intern, "--withdraw", "imap")
        self.assertFalse(self.let_in(intern))
        self.relais.cli("group", "set", group, "--restore", "imap")
        self.assertTrue(self.let_in(intern))
        self.assertNotEqual(self.as_person(person, "account", "set", person, "--role", "administrator").returncode, 0)

    def test_m07_a_signature_for_each_identity(self):
        person, alias = self.account(), self.address("info")
        self.relais.add_alias(alias, person)
        for at, words in ((person, "Alice herself"), (alias, "The pond office")):
            self.relais.cli("account", "identity", "add", person, at, "--name", words, "--signature", words)
        self.responder(person, kind="out-of-office")
        for at, words in ((alias, "The pond office"), (person, "Alice herself")):
            answer, = self.outside(self.send(at)[0])
            self.assertIn(words, answer.get_content())
            self.assertIn(words, answer["From"])

    def test_m08_mail_from_other_accounts(self):
        person = self.account()
        old, new, late = (message(to="bob@old.test", subject=name) for name in ("Old", "New", "Late"))
        far = Pop3([old])
        self.addCleanup(far.close)
        number = self.relais.json("external", "add", person, "pop3", "--host", "127.0.0.1", "--security", "none", "--port", far.port,
                                  "--login", far.login, "--password-file", "-", stdin=far.password + "\n")["id"]
        until(lambda: self.subjects(person) == ["Old"], what="the first look")
        far.messages.append(new)
        self.relais.cli("external", "fetch-now", number)
        until(lambda: self.subjects(person) == ["New", "Old"], what="the second look")
        self.relais.cli("external", "set", number, "--disable")
        far.messages.append(late)
        self.assertNotEqual(self.relais.run("external", "fetch-now", number).returncode, 0)
        self.relais.cli("external", "set", number, "--enable", "--name", "The old one")
        self.relais.cli("external", "fetch-now", number)
        until(lambda: self.subjects(person) == ["Late", "New", "Old"], what="the third look")
        self.relais.cli("external", "remove", number)
        self.assertEqual(self.subjects(person), ["Late", "New", "Old"])

    # -- sorting

    def filter(self, account, name, *conditions, **options):
        words = [word for condition in conditions for word in ("--if", condition)]
        return self.relais.json("filter", "add", account, name, *words, *flags(options))

    def keywords(self, user, mailbox="INBOX"):
        """The flags of each message, by its subject."""
        client = self.relais.imaplib(user)
        try:
            client.select('"%s"' % mailbox, readonly=True)
            parts = [part for part in client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1] if isinstance(part, tuple)]
            named = {subject(octets): re.search(rb"FLAGS \(([^)]*)\)", line).group(1).decode() for line, octets in parts}
            return {name: set(found.split()) - {"\\Recent"} for name, found in named.items()}
        finally:
            client.logout()

    def test_i02_tags_set_automatically_for_a_sender(self):
        person, boss = self.account(), self.sender()
        self.filter(person, "Boss", "from is " + boss, tag="$Boss", important=True)
        for sender, name in ((boss, "The pond"), (self.sender(), "The heron")):
            self.send(person, sender=sender, subject=name)
        until(lambda: self.keywords(person) == {"The pond": {"$Boss", "\\Flagged"}, "The heron": set()}, what="two messages")

    def test_i03_filters(self):
        person = self.account()
        self.filter(person, "Lottery", "subject contains lottery", delete=True)
        self.filter(person, "Bills", "subject contains bill", "attachment absent", move_to="Work/Bills", read=True, stop=True)
        self.filter(person, "All", "size larger 0", tag="Other")
        for name in ("You won the LOTTERY", "=?utf-8?Q?Your_b=69ll?=", "Hello"):
            self.send(person, subject=name)
        until(lambda: self.keywords(person) == {"Hello": {"Other"}}, what="the message that stays")
        self.assertEqual(self.keywords(person, "Work/Bills"), {"Your bill": {"\\Seen"}})
        self.relais.cli("filter", "set", person, "Lottery", "--disable")
        self.relais.cli("filter", "move", person, "All", "--to", "1")
        self.assertEqual([one["name"] for one in self.relais.json("filter", "list", person)], ["All", "Lottery", "Bills"])
        self.send(person, subject="lottery bill")
        until(lambda: "lottery bill" in self.keywords(person, "Work/Bills"), what="the other bill")
        self.assertEqual(self.keywords(person, "Work/Bills")["lottery bill"], {"\\Seen", "Other"})

    def test_i04_filters_on_what_is_there(self):
        person = self.account()
        for name in ("An order", "Hello", "Order 2"):
            self.send(person, subject=name)
        until(lambda: len(self.subjects(person)) == 3, what="three messages")
        self.filter(person, "Orders", "subject contains order", move_to="Orders")
        tested, = self.relais.json("filter", "test", person, "Orders")["filters"]
        self.assertEqual((tested["matches"], [one["subject"] for one in tested["newest"]]), (2, ["An order", "Order 2"]))
        self.assertEqual(len(self.subjects(person)), 3, "nothing has changed")
        self.assertEqual(self.relais.json("filter", "apply", person, "Orders")["filed"], 2)
        self.assertEqual((self.subjects(person), self.subjects(person, "Orders")), (["Hello"], ["An order", "Order 2"]))

    def test_zz_every_row_has_its_test(self):
        rows = ["a%02d" % n for n in range(1, 15)] + ["v%02d" % n for n in range(1, 6)]
        rows += ["r%02d" % n for n in range(1, 12)] + ["m%02d" % n for n in range(1, 9)] + ["i02", "i03", "i04"]
        tested = {name[5:8] for name in dir(self) if name.startswith("test_")}
        self.assertEqual([row for row in rows if row not in tested], [])
