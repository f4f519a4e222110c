"""Autoresponders and out-of-office messages: who is answered, how often, and what stays where.

The senders live on a scripted server. "No answer" is never waited for: a later message whose answer does come shows that the
one before it had its turn.
"""

import datetime
import email
import unittest

from harness import TestCase, flags, id_of, in_time, message, message_id, until
from remote import RelayCase


class Answers(RelayCase):

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_accounts("alice@near.test", "bob@near.test")
        cls.numbers = iter(range(1000))
        # Answers everybody, at once: who else should have been answered before it has been.
        server.add_alias("probe@near.test", ":blackhole:")
        server.add_responder("probe@near.test", kind="autoresponder", subject="probe", text="probe", frequency=0)

    def account(self):
        """An account of this test's own."""
        address = "user%d@near.test" % next(self.numbers)
        self.relais.add_account(address)
        return address

    def sender(self):
        return "s%d@remote.test" % next(self.numbers)

    def send(self, to, sender=None, headers=(), header_to=None, **parts):
        """A message from outside; its sender and Message-ID."""
        sender = sender or self.sender()
        mid = message_id("remote.test")
        self.relais.send(sender, to, message(to=header_to or to, sender=sender or "nobody@remote.test", mid=mid, headers=headers, **parts))
        return sender, mid

    def answers(self, sender):
        """What the remote side has got for this address."""
        return [one for one in list(self.remote.messages) if sender in one.recipients]

    def answered(self, sender, count=1):
        """Waits for the answers to this address; there are no more than these."""
        self.remote.wait(lambda _: len(self.answers(sender)) >= count, what="%d answers to %s" % (count, sender))
        self.settle()
        answers = self.answers(sender)
        self.assertEqual(len(answers), count)
        return answers

    def settle(self):
        """Everything sent so far has been answered, or never will be."""
        probe = self.sender()
        self.relais.send(probe, "probe@near.test", message(to="probe@near.test", sender=probe))
        self.remote.wait(lambda _: self.answers(probe), what="the probe's answer")
        self.relais.wait_queue_empty()

    def not_answered(self, sender):
        self.settle()
        self.assertEqual(self.answers(sender), [])


class Autoresponder(Answers):

    def test_one_answer_and_exactly_one(self):
        robot = self.account()
        self.relais.add_responder(robot, kind="autoresponder", subject="The price list", text="One pond: 3 herons.\n", frequency="24h")
        sender, mid = self.send(robot, subject="What does it cost?")
        answer, = self.answered(sender)
        self.assertEqual(answer.sender, "", "an answer has the null reverse-path (RFC 3834 §3.3)")
        parsed = email.message_from_bytes(answer.content)
        self.assertEqual(parsed["Subject"], "The price list")
        self.assertIn(robot, parsed["From"])
        self.assertIn(sender, parsed["To"])
        self.assertEqual(parsed["Auto-Submitted"].split(";")[0].strip(), "auto-replied")
        self.assertEqual(parsed["In-Reply-To"], mid)
        self.assertIn(mid, parsed["References"])
        self.assertIsNotNone(parsed["Message-ID"])
        self.assertIsNotNone(parsed["Date"])
        self.assertEqual(parsed.get_content_type(), "text/plain")
        self.assertIn("One pond: 3 herons.", parsed.get_payload(decode=True).decode())
        # The same sender again, within the frequency: kept, not answered.
        _, second = self.send(robot, sender)
        self.relais.wait_message(robot, second)
        self.assertEqual(len(self.answered(sender)), 1)
        # Another sender is answered.
        self.answered(self.send(robot)[0])

    def test_the_frequency_outlives_a_restart(self):
        robot = self.account()
        self.relais.add_responder(robot, kind="autoresponder", subject="Once", text="once", frequency="24h")
        sender, _ = self.send(robot)
        self.answered(sender)
        self.relais.restart()
        self.send(robot, sender)
        self.answered(sender)

    def test_the_case_of_a_sender_does_not_matter(self):
        robot = self.account()
        self.relais.add_responder(robot, kind="autoresponder", subject="Once", text="once", frequency="24h")
        sender, _ = self.send(robot)
        self.answered(sender)
        self.send(robot, sender.replace("remote", "REMOTE"))
        self.answered(sender)

    def test_a_message_beside_it_is_kept_marked_and_filed(self):
        # A6, A14: the mailbox of the same name keeps the message; the answer is in Sent.
        robot = self.account()
        self.relais.add_responder(robot, kind="autoresponder", subject="Kept", text="kept", frequency=0)
        sender, mid = self.send(robot)
        answer, = self.answered(sender)
        self.assertEqual(len(self.relais.with_id(robot, mid)), 1)
        sent = list(self.relais.messages(robot, "Sent").values())
        self.assertEqual([id_of(octets) for octets in sent], [id_of(answer.content)])
        with self.relais.imap(robot) as client:
            client.must("EXAMINE INBOX")
            self.assertRegex(client.must("FETCH 1 (FLAGS)").untagged[0], r"\\Answered")
            client.must("EXAMINE Sent")
            self.assertRegex(client.must("FETCH 1 (FLAGS)").untagged[0], r"\\Seen")

    def test_with_a_blackhole_only_the_answer_leaves(self):
        robot = "robot%d@near.test" % next(self.numbers)
        self.relais.add_alias(robot, ":blackhole:")
        self.relais.add_responder(robot, kind="autoresponder", subject="Gone", text="gone", frequency=0)
        sender, mid = self.send(robot)
        answer, = self.answered(sender)
        self.assertEqual(email.message_from_bytes(answer.content)["Subject"], "Gone")

    def test_with_neither_the_sender_also_gets_a_failure_notice(self):
        robot = "robot%d@near.test" % next(self.numbers)
        self.relais.add_responder(robot, kind="autoresponder", subject="Nobody here", text="nobody", frequency=0)
        sender, mid = self.send(robot)
        answers = [email.message_from_bytes(answer.content) for answer in self.answered(sender, 2)]
        kinds = sorted(answer.get_content_type() for answer in answers)
        self.assertEqual(kinds, ["multipart/report", "text/plain"])

    def test_a_prefix_before_the_original_subject(self):
        robot = self.account()
        self.relais.add_responder(robot, kind="autoresponder", subject_prefix="Away:", text="prefix", frequency=0)
        sender, _ = self.send(robot, subject="Lunch on Friday")
        answer, = self.answered(sender)
        self.assertEqual(email.message_from_bytes(answer.content)["Subject"], "Away: Lunch on Friday")

    def test_html_goes_with_a_text_alternative(self):
        robot = self.account()
        self.relais.add_responder(robot, kind="autoresponder", subject="Rich", html="<p>Hello, <b>friend</b>!</p><p>Caf&eacute;</p>", frequency=0)
        sender, _ = self.send(robot)
        answer, = self.answered(sender)
        parsed = email.message_from_bytes(answer.content)
        self.assertEqual(parsed.get_content_type(), "multipart/alternative")
        text, html = parsed.get_payload()
        self.assertEqual((text.get_content_type(), html.get_content_type()), ("text/plain", "text/html"))
        words = text.get_payload(decode=True).decode()
        self.assertIn("friend", words)
        self.assertIn("Café", words)
        self.assertNotIn("<", words)
        self.assertIn("<b>friend</b>", html.get_payload(decode=True).decode())

    def test_every_answer_is_copied(self):
        robot, copies = self.account(), self.account()
        self.relais.add_responder(robot, kind="autoresponder", subject="Copied", text="copied", frequency=0, copy_answers_to=copies)
        sender, _ = self.send(robot)
        answer, = self.answered(sender)
        copy = until(lambda: list(self.relais.messages(copies).values()), what="the copy")
        self.assertEqual(len(copy), 1)
        self.assertIn(b"copied", copy[0])

    def test_received_messages_are_copied(self):
        # A10, with a free responder: the address has no mailbox, the copy is where its mail is read.
        robot, reader = "robot%d@near.test" % next(self.numbers), self.account()
        self.relais.add_alias(robot, ":blackhole:")
        self.relais.add_responder(robot, kind="autoresponder", subject="Copy", text="copy", frequency=0, copy_received_to=reader)
        sender, mid = self.send(robot)
        self.relais.wait_message(reader, mid)
        self.answered(sender)
        self.assertEqual(len(self.relais.with_id(reader, mid)), 1)

    def test_received_messages_are_not_kept_when_so_wished(self):
        robot = self.account()
        self.relais.add_responder(robot, kind="autoresponder", subject="Dropped", text="dropped", frequency=0, drop=True)
        sender, mid = self.send(robot)
        self.answered(sender)
        self.assertEqual(self.relais.with_id(robot, mid), [])

    def test_set_off_and_remove(self):
        robot = self.account()
        self.relais.add_responder(robot, kind="autoresponder", subject="Short", text="short", frequency=0)
        number = max(one["id"] for one in self.relais.json("responder", "list") if one["address"] == robot)
        self.answered(self.send(robot)[0])
        self.relais.cli("responder", "set", number, "--disable")
        self.not_answered(self.send(robot)[0])
        self.relais.cli("responder", "set", number, "--enable")
        self.answered(self.send(robot)[0])
        self.relais.cli("responder", "remove", number)
        self.not_answered(self.send(robot)[0])

    def test_never_answered(self):
        # RFC 3834 §2, RFC 5230 §4.6, V3, V5.
        robot = self.account()
        self.relais.add_responder(robot, kind="autoresponder", subject="Never", text="never", frequency=0)
        senders = []
        for headers in ([("Auto-Submitted", "auto-replied")], [("Auto-Submitted", "auto-generated; x=y")], [("Precedence", "bulk")],
                        [("Precedence", "list")], [("Precedence", "junk")], [("List-Id", "<news.remote.test>")],
                        [("List-Unsubscribe", "<mailto:off@remote.test>")]):
            senders.append(self.send(robot, headers=headers)[0])
        for name in ("owner-news", "news-request", "mailer-daemon", "listserv", "majordomo", "no-reply", "noreply", "bounces-owner"):
            senders.append(self.send(robot, name + "@remote.test")[0])
        self.relais.send("", robot, message(to=robot))
        self.settle()
        self.assertEqual([sender for sender in senders if self.answers(sender)], [])
        # "Auto-Submitted: no" is a person.
        self.answered(self.send(robot, headers=[("Auto-Submitted", "no")])[0])

    def test_it_does_not_answer_itself(self):
        robot = self.account()
        self.relais.add_responder(robot, kind="autoresponder", subject="Myself", text="myself", frequency=0)
        mid = message_id()
        self.relais.submit(robot, robot, message(to=robot, sender=robot, mid=mid))
        self.relais.wait_message(robot, mid)
        self.settle()
        self.assertEqual(len(self.relais.messages(robot)), 1)

    def test_a_local_sender_is_answered(self):
        robot = self.account()
        self.relais.add_responder(robot, kind="autoresponder", subject="Local answer", text="local", frequency=0)
        self.relais.submit("bob@near.test", robot, message(to=robot, sender="bob@near.test"))
        self.relais.wait_message("bob@near.test", lambda octets: b"Local answer" in octets)


class OutOfOffice(Answers):

    def away(self, **options):
        person = self.account()
        options.setdefault("subject", "Away")
        options.setdefault("text", "I am away.\n")
        options.setdefault("frequency", "24h")
        self.relais.add_responder(person, kind="out-of-office", **options)
        return person

    def test_one_answer(self):
        person = self.away()
        sender, mid = self.send(person)
        answer, = self.answered(sender)
        parsed = email.message_from_bytes(answer.content)
        self.assertEqual((parsed["Subject"], parsed["In-Reply-To"]), ("Away", mid))
        self.assertEqual(len(self.relais.with_id(person, mid)), 1)
        self.send(person, sender)
        self.answered(sender)

    def test_only_when_addressed_by_name(self):
        person = self.away()
        self.not_answered(self.send(person, header_to="undisclosed-recipients:;")[0])
        self.not_answered(self.send(person, header_to="team@elsewhere.test")[0])
        self.answered(self.send(person, header_to="team@elsewhere.test, Person <%s>" % person.upper())[0])
        self.answered(self.send(person, header_to="team@elsewhere.test", headers=[("Cc", person)])[0])

    def test_addressed_by_a_known_alias(self):
        person = self.away()
        alias = "alias%d@near.test" % next(self.numbers)
        self.relais.add_alias(alias, person)
        sender, _ = self.send(alias)
        self.answered(sender)

    def test_the_window(self):
        def moment(days):
            return (datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(days=days)).strftime("%Y-%m-%dT%H:%M")
        past = self.away(starts=moment(-9), ends=moment(-2), disable=True)
        number = self.relais.json("responder", "list", "--address", past)[0]["id"]
        self.relais.cli("responder", "set", number, "--enable")
        future = self.away(starts=moment(2))
        now = self.away(starts=moment(-2), ends=moment(2))
        self.not_answered(self.send(past)[0])
        self.not_answered(self.send(future)[0])
        self.answered(self.send(now)[0])

    def test_without_subject_or_text_it_is_refused_or_silent(self):
        # A12: it acts only when it has a subject and a message.
        person = self.account()
        done = self.relais.run("responder", "add", person, "--kind", "out-of-office")
        if done.returncode == 0:
            self.not_answered(self.send(person)[0])
        else:
            self.assertTrue(done.stderr.strip())

    def test_bulk_and_lists_are_not_answered(self):
        person = self.away()
        self.not_answered(self.send(person, headers=[("List-Id", "<x.remote.test>")])[0])
        self.not_answered(self.send(person, headers=[("Precedence", "bulk")])[0])

    def test_an_html_message(self):
        person = self.away(text=[], html="<p>Back on <b>Monday</b></p>")
        answer, = self.answered(self.send(person)[0])
        self.assertEqual(email.message_from_bytes(answer.content).get_content_type(), "multipart/alternative")


class Absence(Answers):
    """What an absence can do beside answering: mission rows A9, A10, A13, V2, V3, V4."""

    def add(self, address, **options):
        """A responder; its number."""
        options.setdefault("text", "I am away.")
        made = self.relais.json("responder", "add", address, *flags(options))
        return made["id"]

    def words(self, answer):
        return email.message_from_bytes(answer.content).get_payload(decode=True).decode()

    def test_v02_placeholders_and_today(self):
        person, deputy = self.account(), self.account()
        number = self.add(person, kind="out-of-office", subject="{subject} / {recipient}", deputy=deputy,
                          text="{sender}: ask {deputy} until {until}. {{ stays", ends="2199-12-31")
        shown = self.relais.json("responder", "show", number)
        self.assertEqual(shown["starts"], datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d"))
        sender, _ = self.send(person, subject="An order")
        answer, = self.answered(sender)
        self.assertEqual(email.message_from_bytes(answer.content)["Subject"], "An order / " + person)
        self.assertEqual(self.words(answer).strip(), "%s: ask %s until 31 December 2199. { stays" % (sender, deputy))
        wrong = self.relais.run("responder", "set", number, "--text", "back {untill}")
        self.assertEqual(wrong.returncode, 1)
        self.assertIn("did you mean {until}", wrong.stderr)

    def test_v03_contacts_only(self):
        person = self.account()
        self.add(person, kind="out-of-office", subject="Away", audience="contacts", frequency=0)
        by_hand, written_to = self.sender(), self.sender()
        self.relais.cli("contact", "add", person, by_hand.upper())
        self.relais.submit(person, written_to, message(to=written_to, sender=person))
        self.not_answered(self.send(person)[0])
        self.send(person, by_hand)
        self.answered(by_hand)
        self.send(person, written_to)
        # Beside the answer, the remote side has the message that made it a contact.
        self.answered(written_to, 2)
        known = {one["address"]: one["origin"] for one in self.relais.json("contact", "list", person)}
        self.assertEqual(known, {by_hand: "by-hand", written_to: "written-to"})
        self.relais.cli("contact", "remove", person, by_hand)
        self.send(person, by_hand)
        self.answered(by_hand, 1)

    def test_v02_colleagues_read_other_words(self):
        person, colleague = self.account(), self.account()
        self.add(person, kind="out-of-office", subject="Outside", inside_subject="Inside", inside_text="Ask Bob.")
        self.relais.submit(colleague, person, message(to=person, sender=colleague))
        octets = self.relais.wait_message(colleague, lambda octets: b"Subject: Inside" in octets)
        answer, = self.answered(self.send(person)[0])
        self.assertEqual(email.message_from_bytes(answer.content)["Subject"], "Outside")

    def test_hours(self):
        now = datetime.datetime.now(datetime.timezone.utc)
        day, other = now.strftime("%a").lower(), (now + datetime.timedelta(days=3)).strftime("%a").lower()
        if now.hour == 23 and now.minute >= 55:
            self.skipTest("the day changes")
        open_now, closed_now = self.account(), self.account()
        self.add(open_now, subject="Closed", hours="%s 00:00-24:00" % day, when="outside", frequency=0)
        self.add(closed_now, subject="Closed", hours="%s 00:00-24:00" % other, when="outside", frequency=0)
        self.not_answered(self.send(open_now)[0])
        self.answered(self.send(closed_now)[0])

    def test_a09_deletion_is_said(self):
        person = self.account()
        told = self.relais.cli("responder", "add", person, "--subject", "x", "--text", "x", "--drop", "--ends", "2199-12-31")
        self.assertIn("DELETED", told)
        self.assertIn("2199-12-31", told)
        number = self.relais.json("responder", "list", "--address", person)[0]["id"]
        longer = self.relais.run("responder", "set", number, "--no-ends")
        self.assertEqual(longer.returncode, 1)
        self.assertIn("--drop", longer.stderr)
        self.relais.cli("responder", "set", number, "--no-ends", "--keep")
        sender, mid = self.send(person)
        self.answered(sender)
        self.assertEqual(len(self.relais.with_id(person, mid)), 1)

    def test_a10_copies_for_the_deputy(self):
        person, deputy = self.account(), self.account()
        self.add(person, kind="out-of-office", subject="Away", deputy=deputy, copy_to_deputy=True)
        _, mid = self.send(person)
        self.relais.wait_message(deputy, mid)
        self.relais.wait_message(person, mid)

    def test_a13_of_several_absences_one_answers(self):
        person = self.account()
        for subject, options in (("Always", {"no_starts": True}), ("Today", {"ends": "2199-12-31"})):
            self.add(person, kind="out-of-office", subject=subject, frequency=0, **options)
        answer, = self.answered(self.send(person)[0])
        self.assertEqual(email.message_from_bytes(answer.content)["Subject"], "Today")

    def test_v04_it_ends_by_itself_with_a_letter(self):
        def begin(seconds):
            person = self.account()
            self.relais.cli("account", "set", person, "--language", "fr")
            end = datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=seconds)
            number = self.add(person, kind="out-of-office", subject="Absent", ends=end.strftime("%Y-%m-%dT%H:%M:%S"))
            self.assertEqual(self.relais.json("responder", "show", number)["phase"], "active")
            self.assertIn("ACTIVE", self.relais.cli("responder", "list", "--address", person))
            self.answered(self.send(person)[0])
            return person, number
        person, number = in_time(begin)
        def letters():
            return [octets for octets in self.relais.messages(person).values() if b"From: <postmaster@near.test>" in octets]
        begun, letter = until(lambda: len(letters()) == 2 and letters(), 90, "the letter of the end")
        self.assertIn("répond désormais", email.message_from_bytes(begun).get_payload(decode=True).decode())
        text = email.message_from_bytes(letter).get_payload(decode=True).decode()
        self.assertIn("ne répond plus", text)
        self.assertIn("Il a répondu à un message.", text)
        shown = self.relais.json("responder", "show", number)
        self.assertEqual((shown["phase"], shown["answered"]), ("over", 1))
        self.relais.restart()
        self.not_answered(self.send(person)[0])
        self.assertEqual(len(letters()), 2)

    def test_preview(self):
        person = self.account()
        number = self.add(person, kind="out-of-office", subject="{subject}", text="Hello {sender_name}", audience="contacts")
        preview = self.relais.json("responder", "preview", number, "--from", "x@remote.test", "--subject", "An order")
        self.assertFalse(preview["answers"])
        self.assertIn("contacts", preview["decision"])
        self.relais.cli("contact", "add", person, "x@remote.test")
        told = self.relais.cli("responder", "preview", number, "--from", "x@remote.test", "--name", "Zoe", "--subject", "An order")
        self.assertIn("answers", told)
        self.assertIn("An order", told)
        self.assertIn("Hello Zoe", told)

    def test_v05_no_answer_to_spam(self):
        person = self.account()
        self.add(person, kind="out-of-office", subject="Away")
        self.not_answered(self.send(person, headers=[("X-Spam-Flag", "YES")])[0])


class TwoResponders(TestCase):
    """Two servers whose responders write to each other: the loop guard."""

    def test_responders_do_not_answer_each_other(self):
        near = self.server(name="near", hostname="mx.near.test")
        far = self.server(name="far", hostname="mx.far.test")
        for server, other, domain, remote_domain in ((near, far, "near.test", "far.test"), (far, near, "far.test", "near.test")):
            server.destinations = {remote_domain: ("127.0.0.1", other.ports["mx"])}
            server.write_config()
            server.add_domain(domain)
            server.add_accounts("robot@" + domain, "person@" + domain)
            server.add_responder("robot@" + domain, kind="autoresponder", subject="Robot of " + domain, text="beep", frequency=0)
            server.start()
        # near's robot account writes to far's robot: far answers, and near's responder must not answer the answer.
        mid = message_id("near.test")
        near.submit("robot@near.test", "robot@far.test", message(to="robot@far.test", sender="robot@near.test", mid=mid))
        near.wait_message("robot@near.test", lambda octets: b"Robot of far.test" in octets)
        # A second exchange in the other direction shows that the first has come to rest.
        far.submit("person@far.test", "robot@near.test", message(to="robot@near.test", sender="person@far.test"))
        far.wait_message("person@far.test", lambda octets: b"Robot of near.test" in octets)
        near.wait_queue_empty()
        far.wait_queue_empty()
        self.assertEqual(len(far.messages("robot@far.test")), 1, "far's robot got more than the first message")
        subjects = [email.message_from_bytes(octets)["Subject"] for octets in near.messages("robot@near.test").values()]
        self.assertEqual(sorted(subjects), ["Hello", "Robot of far.test"])
        self.assertEqual(len(far.messages("robot@far.test", "Sent")), 1)
        near.stop()
        far.stop()


if __name__ == "__main__":
    unittest.main()
