"""What happened to a message and why (`relais trace`), and the signatures of what leaves (DKIM), checked by dkimpy."""

import json
import smtplib
import subprocess
import unittest

from harness import PASSWORD, id_of, message, message_id, tls_context, until
from remote import RelayCase

ALICE = "alice@near.test"
PYTHON = "/usr/bin/python3"

CHECK = """
import dkim, json, sys
content, records = sys.stdin.buffer.read(), json.loads(sys.argv[1])
found = dkim.DKIM(content)
def dns(name, timeout=5):
    return records[name.decode().rstrip('.')].encode()
count = content.count(b'\\nDKIM-Signature:') + content.startswith(b'DKIM-Signature:')
def verifies(n):
    try:
        return found.verify(idx=n, dnsfunc=dns)
    except dkim.ValidationError:
        return False
print(json.dumps([verifies(n) for n in range(count)]))
"""


def dkimpy():
    """Whether Debian's dkimpy is there, with what Ed25519 needs."""
    return subprocess.run([PYTHON, "-c", "import dkim, nacl"], capture_output=True).returncode == 0


class Traced(RelayCase):
    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_accounts(ALICE, "bob@near.test")
        server.set("web", url="http://127.0.0.1:%d" % server.ports["web"])
        server.add_alias("team@near.test", ALICE, "bob@near.test", "one@remote.test")
        server.cli("responder", "add", "bob@near.test", "--kind", "out-of-office", "--subject", "Away", "--text", "Back on Monday.",
                   "--frequency", "0")

    def traces(self, *options):
        return self.relais.json("trace", *options)

    def steps(self, mid):
        """The steps of the message's trace, in words."""
        return self.relais.cli("trace", "--message-id", mid)

    def arrived(self, mid):
        def has(messages):
            return any(id_of(received.content) == mid for received in messages)
        return next(received for received in self.remote.wait(has) if id_of(received.content) == mid)

    def test_a_message_and_all_that_followed(self):
        mid = message_id("far.test")
        self.relais.send("writer@remote.test", "team@near.test", message(to="bob@near.test", sender="writer@remote.test", mid=mid))
        self.arrived(mid)
        told = until(lambda: (lambda text: text if "responder 1" in text and "taken" in text else None)(self.steps(mid)), what="the last steps")
        for part in ("received by smtp from 127.0.0.1", "sender <writer@remote.test>", "alias team@near.test", "target of the alias",
                     "delivered to alice@near.test, mailbox INBOX, UID ", "waits in the queue as ", "responder 1 at bob@near.test answers",
                     "one@remote.test: taken by "):
            self.assertIn(part, told)
        for option, value in (("--recipient", "team@near.test"), ("--recipient", ALICE), ("--recipient", "ONE@remote.test"),
                              ("--sender", "writer@remote.test")):
            found = self.traces(option, value)
            self.assertTrue(any(mid.strip("<>") in json.dumps(trace) for trace in found), option + " " + value)
        self.assertEqual(self.traces("--recipient", "nobody@near.test", "--sender", "writer@remote.test"), [])
        number = self.traces("--message-id", mid)[0]["id"]
        self.assertEqual(self.traces(number)[0]["id"], number)

    def test_what_was_refused_is_told_too(self):
        with smtplib.SMTP("127.0.0.1", self.relais.ports["mx"]) as client, self.assertRaises(smtplib.SMTPRecipientsRefused):
            client.sendmail("writer@remote.test", ["unknown@near.test"], message())
        told = until(lambda: self.traces("--recipient", "unknown@near.test"), what="the refusal")
        self.assertIn("No such mailbox", json.dumps(told))
        # With the reason, in words, here and in the log.
        self.assertIn("there is no such address", [step.get("text") for step in told[0]["steps"]])
        self.assertIn('why="there is no such address"', self.relais.log_text(0))
        self.relais.cli("group", "add", "nobody@near.test")
        with smtplib.SMTP("127.0.0.1", self.relais.ports["mx"]) as client, self.assertRaises(smtplib.SMTPRecipientsRefused):
            client.sendmail("", ["nobody@near.test"], message())
        def refused():
            text = self.relais.cli("trace", "--sender", "<>", "--recipient", "nobody@near.test")
            return text if "refused for" in text else None
        told = until(refused, what="the refusal")
        self.assertIn("it leads to a group without members: group nobody@near.test (it has no members)", told)
        self.assertIn("sender <>", self.relais.cli("trace", "--sender", "<>"))

    def submit(self, sender, header_from, to="outside@remote.test"):
        """As Alice, under an address, with another one in From."""
        mid = message_id("near.test")
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context()) as client:
            client.login(ALICE, PASSWORD)
            try:
                client.sendmail(sender, [to], message(to=to, sender=header_from, mid=mid))
            except (smtplib.SMTPSenderRefused, smtplib.SMTPDataError) as refused:
                return mid, "%d %s" % (refused.smtp_code, refused.smtp_error.decode())
        return mid, None

    def own(self, *options):
        return self.relais.json("--as", ALICE, "trace", *options, stdin=PASSWORD + "\n")

    def test_what_somebody_sends_under_another_address_is_theirs(self):
        mid, refused = self.submit("team@near.test", "team@near.test")
        self.assertIsNone(refused)
        self.arrived(mid)
        for found in (self.traces("--sender", ALICE), self.traces("--sender", "team@near.test"), self.own(), self.own("--sender", "team@near.test"),
                      self.own("--recipient", "outside@remote.test")):
            self.assertIn(mid.strip("<>"), json.dumps(found))
        self.assertNotIn(mid.strip("<>"), json.dumps(self.traces("--sender", "bob@near.test")))

    def test_what_may_not_be_sent_is_told(self):
        for sender, header_from in (("bob@near.test", "bob@near.test"), (ALICE, "bob@near.test"), (ALICE, "nobody there")):
            _, refused = self.submit(sender, header_from, to="outside-%s@remote.test" % sender.split("@")[0])
            reply = refused.split("\n")[0][4:]
            for found in (self.traces("--sender", ALICE), self.own()):
                told = [step["reply"]["text"] for trace in found for step in trace["steps"] if step["step"] == "refused"]
                self.assertTrue(any(text in reply for text in told), "%s: %s" % (reply, told))
        # Found by whom it was for, once that was said.
        self.assertTrue(self.traces("--recipient", "outside-alice@remote.test"))

    def test_a_responder_that_the_suppression_list_keeps_silent_does_not_answer(self):
        listed = "listed@remote.test"
        self.relais.cli("suppression", "add", listed, "--note", "asked by phone")
        said = "does not answer: the sender is on the suppression list"
        self.assertIn(said, self.relais.cli("explain", listed, "bob@near.test"))
        mid = message_id("far.test")
        self.relais.send(listed, "bob@near.test", message(to="bob@near.test", sender=listed, mid=mid))
        told = until(lambda: (lambda text: text if "responder 1 at" in text else None)(self.steps(mid)), what="the decision")
        self.assertIn(said, told)
        self.assertIn("it is sent all the same", self.relais.cli("explain", ALICE, listed, "--logged-in-as", ALICE))

    def test_an_unknown_number_is_no_secret_failure(self):
        done = self.relais.run("trace", "0" * 32)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("there is no trace", done.stderr)

    def records(self):
        keys = self.relais.json("domain", "dkim", "show", "near.test")
        self.assertEqual(sorted(key["algorithm"] for key in keys if key["state"] == "active"), ["ed25519-sha256", "rsa-sha256"])
        return {key["record_name"]: key["record"] for key in keys}

    def verified(self, content, records):
        done = subprocess.run([PYTHON, "-c", CHECK, json.dumps(records)], input=content, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr.decode())
        return json.loads(done.stdout)

    @unittest.skipUnless(dkimpy(), "Debian's python3-dkim and python3-nacl are not installed")
    def test_what_alice_writes_verifies_and_a_change_does_not(self):
        mid = message_id("near.test")
        octets = message(to="one@remote.test", sender=ALICE, mid=mid, subject="Grüße  an   alle", body="Text \r\n.dot\r\n\r\n\r\n")
        self.relais.submit(ALICE, ["one@remote.test"], octets)
        content = self.arrived(mid).content
        records = self.records()
        self.assertEqual(self.verified(content, records), [True, True])
        self.assertEqual(self.verified(content.replace(b"Text", b"Lies"), records), [False, False])
        self.assertEqual(self.verified(content.replace(b"To: one@", b"To: two@"), records), [False, False])

    @unittest.skipUnless(dkimpy(), "Debian's python3-dkim and python3-nacl are not installed")
    def test_an_answer_is_signed(self):
        mid = message_id("far.test")
        self.relais.send("asker@remote.test", "bob@near.test", message(to="bob@near.test", sender="asker@remote.test", mid=mid))
        def answer(messages):
            return [received for received in messages if received.recipients == ["asker@remote.test"]]
        received, = answer(self.remote.wait(lambda messages: bool(answer(messages))))
        self.assertEqual(self.verified(received.content, self.records()), [True, True])

    @unittest.skipUnless(dkimpy(), "Debian's python3-dkim and python3-nacl are not installed")
    def test_posts_of_a_list_are_signed_by_its_domain(self):
        # RFC 8058 §4: the signature covers the fields by which members leave with one click.
        for name, options in (("plain", ()), ("personal", ("--personal-links",))):
            address, member = name + "@near.test", name + "@remote.test"
            self.relais.cli("list", "add", address, "--owner", ALICE, "--posting", "anyone", "--from", "rewrite", *options)
            self.relais.cli("list", "member", "add", address, member, "--quiet")
            self.relais.send("writer@remote.test", address, message(to=address, sender="writer@remote.test", mid=message_id("far.test")))
            def posts(messages):
                return [received for received in messages if received.recipients == [member]]
            content = posts(self.remote.wait(lambda messages: bool(posts(messages)), what=name))[0].content
            self.assertEqual(self.verified(content, self.records()), [True, True], name)
            self.assertIn(b"d=near.test;", content)
            for field in [b"List-Unsubscribe: ", b"List-Id: "] + [b"List-Unsubscribe-Post: "] * bool(options):
                self.assertEqual(content.count(b"\n" + field), 1, field)
                self.assertEqual(self.verified(content.replace(b"\n" + field, b"\n" + field + b"x"), self.records()), [False, False], field)

    def test_what_only_passes_is_not_signed(self):
        mid = message_id("far.test")
        self.relais.send("writer@elsewhere.test", "team@near.test", message(to="team@near.test", sender=ALICE, mid=mid))
        self.assertNotIn(b"DKIM-Signature", self.arrived(mid).content)

    def test_keys_are_renewed_with_an_overlap(self):
        def states():
            keys = self.relais.json("domain", "dkim", "show", "other.test")
            return sorted(key["state"] for key in keys)
        self.relais.cli("domain", "add", "other.test")
        self.assertEqual(states(), ["active", "active"])
        self.relais.cli("domain", "dkim", "rotate", "other.test")
        self.assertEqual(states(), ["active", "active", "next", "next"])
        again = self.relais.run("domain", "dkim", "rotate", "other.test")
        self.assertIn("activate", again.stderr)
        keys = self.relais.json("domain", "dkim", "activate", "other.test")
        self.assertEqual(states(), ["active", "active", "retired", "retired"])
        self.assertEqual({name for key in keys for name in key}, {"selector", "algorithm", "state", "created_at", "record_name", "record"})
        signing = next(key["selector"] for key in keys if key["state"] == "active")
        self.assertNotEqual(self.relais.run("domain", "dkim", "remove", "other.test", signing).returncode, 0)
        for key in keys:
            if key["state"] == "retired":
                self.relais.cli("domain", "dkim", "remove", "other.test", key["selector"])
        self.assertEqual(states(), ["active", "active"])
        self.relais.cli("domain", "remove", "other.test")
