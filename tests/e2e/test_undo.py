"""What is sent and taken back: undo send, a time set for later (FUTURERELEASE), priorities, VRFY and EXPN for people."""

import re
import smtplib

from harness import PASSWORD, message, message_id, tls_context, until
from remote import RelayCase


class Undo(RelayCase):

    @classmethod
    def prepare(cls, server):
        cls.remote.extensions.append("NO-SOLICITING net.example:ADV")
        server.add_domain("near.test")
        for name in ("alice", "bob", "carol"):
            server.add_account("%s@near.test" % name, name=name.title())

    def submitted(self, to, *options):
        """Submits a message of Alice with parameters of MAIL; its Message-ID."""
        mid = message_id()
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context()) as client:
            client.login("alice@near.test", PASSWORD)
            client.ehlo("client.test")
            client.sendmail("alice@near.test", to, message(to=to[0], sender="alice@near.test", mid=mid), mail_options=options)
        return mid

    def entry(self, mid):
        """What `relais queue waiting` shows of a message; its trace names the entry."""
        trace = self.relais.cli("trace", "--message-id", mid)
        return next(one for one in self.relais.json("queue", "waiting", "alice@near.test") if "entry %d" % one["id"] in trace)

    def has(self, user, mid):
        return self.relais.with_id(user, mid)

    def test_what_is_taken_back_nobody_has(self):
        self.relais.cli("account", "set", "alice@near.test", "--undo-send", "10m")
        self.addCleanup(self.relais.cli, "account", "set", "alice@near.test", "--undo-send", "0s")
        self.assertIn("within 600 seconds", self.relais.cli("account", "show", "alice@near.test"))
        self.assertNotEqual(self.relais.run("account", "set", "alice@near.test", "--undo-send", "11m").returncode, 0)
        taken = self.submitted(["bob@near.test", "far@remote.test"])
        kept = self.submitted(["bob@near.test", "far@remote.test"])
        entry = self.entry(taken)
        self.assertEqual([one["address"] for one in entry["recipients"]], ["bob@near.test", "far@remote.test"])
        self.assertRegex(self.relais.cli("queue", "show", str(entry["id"])), r"it has not set out: its sender may take it back until ")
        self.assertFalse(self.has("bob@near.test", taken))
        # Nobody else's to take back.
        self.assertNotEqual(self.relais.run("queue", "cancel", str(entry["id"]), "--by", "bob@near.test").returncode, 0)
        self.assertIn("1 queue entry taken back", self.relais.cli("queue", "cancel", str(entry["id"]), "--by", "alice@near.test"))
        self.assertIn("taken back by alice@near.test", self.relais.cli("trace", "--message-id", taken))
        # It survives a crash; and what is sent after all arrives everywhere, once.
        self.relais.kill()
        self.relais.start()
        self.relais.cli("queue", "retry", str(self.entry(kept)["id"]))
        self.relais.wait_message("bob@near.test", lambda octets: kept.encode() in octets)
        got = self.remote.wait(lambda messages: any(kept.encode() in one.content for one in messages))
        self.assertEqual(len([one for one in got if kept.encode() in one.content]), 1)
        self.assertEqual(len(self.has("bob@near.test", kept)), 1)
        self.assertFalse(self.has("bob@near.test", taken))
        self.assertFalse([one for one in self.remote.messages if taken.encode() in one.content])
        self.assertFalse(self.has("alice@near.test", taken), "nobody is told")
        self.relais.stop()
        self.relais.check()
        self.relais.start()

    def test_it_goes_by_itself_when_the_time_is_over(self):
        self.relais.cli("account", "set", "alice@near.test", "--undo-send", "1s")
        self.addCleanup(self.relais.cli, "account", "set", "alice@near.test", "--undo-send", "0s")
        mid = self.submitted(["carol@near.test", "later@remote.test"])
        self.relais.wait_message("carol@near.test", lambda octets: mid.encode() in octets)
        self.remote.wait(lambda messages: any(mid.encode() in one.content for one in messages))
        until(lambda: not self.relais.json("queue", "waiting", "alice@near.test"), what="nothing to take back")

    def test_a_time_that_the_sender_sets(self):
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context()) as client:
            client.ehlo("client.test")
            self.assertRegex(client.esmtp_features["futurerelease"], r"^2592000 \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")
        mid = self.submitted(["bob@near.test"], "HOLDFOR=86400")
        entry = self.entry(mid)
        self.assertRegex(entry["why"], r"its sender wants it to leave at ")
        self.assertIn("1 queue entry cancelled", self.relais.cli("queue", "cancel", str(entry["id"])))
        # An administrator took it out of the queue: then its sender is told.
        report = self.relais.wait_message("alice@near.test", lambda octets: b"Action: failed" in octets and mid.encode() in octets)
        self.assertIn(b"bob@near.test", report)
        soon = self.submitted(["bob@near.test"], "HOLDFOR=1")
        self.relais.wait_message("bob@near.test", lambda octets: soon.encode() in octets)

    def test_undo_leaves_time_to_deliver_in(self):
        self.relais.cli("account", "set", "alice@near.test", "--undo-send", "10m")
        self.addCleanup(self.relais.cli, "account", "set", "alice@near.test", "--undo-send", "0s")
        self.remote.extensions.append("DELIVERBY")
        self.addCleanup(self.remote.extensions.remove, "DELIVERBY")
        # Half of it is longer than a connection is kept that was opened before the other side offered this.
        mid = self.submitted(["bob@near.test", "prompt@remote.test"], "BY=32;R")
        self.assertIn("its sender may take it back until ", self.entry(mid)["why"])
        got = self.remote.wait(lambda messages: any(mid.encode() in one.content for one in messages))
        session = next(one.session for one in got if mid.encode() in one.content)
        said = next(line for line in session.commands if line.startswith("MAIL") and "BY=" in line)
        self.assertRegex(said, r" BY=(\d|1[0-6]);R$")
        self.relais.wait_message("bob@near.test", lambda octets: mid.encode() in octets)

    def test_a_priority_goes_on_in_the_header(self):
        mid = self.submitted(["urgent@remote.test"], "MT-PRIORITY=5")
        got = self.remote.wait(lambda messages: any(mid.encode() in one.content for one in messages))
        content = next(one.content for one in got if mid.encode() in one.content)
        self.assertIn(b"\nMT-Priority: 5\r\n", content)
        self.assertIn(b"priority 5", content)

    def test_classes_of_solicitation_go_on(self):
        # RFC 3865: also with what waits first.
        self.addCleanup(self.relais.cli, "account", "set", "alice@near.test", "--undo-send", "0s")
        for wait in ("0s", "1s"):
            self.relais.cli("account", "set", "alice@near.test", "--undo-send", wait)
            for option in ((), ("SOLICIT=net.example:ADV,org.example:ADV:ADLT",)):
                mid = self.submitted(["customer@remote.test"], *option)
                got = self.remote.wait(lambda messages: any(mid.encode() in one.content for one in messages))
                one = next(one for one in got if mid.encode() in one.content)
                self.assertEqual(re.findall(r" (SOLICIT=\S+)", one.mail), list(option), one.mail)

    def test_people_look_addresses_up(self):
        self.relais.cli("group", "add", "team@near.test", "--member", "alice@near.test", "--member", "bob@near.test")
        self.relais.cli("group", "add", "board@near.test", "--member", "bob@near.test")
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context()) as client:
            self.assertEqual(client.docmd("VRFY", "bob@near.test")[0], 252)
            self.assertEqual(client.docmd("EXPN", "team@near.test")[0], 530)
            client.login("alice@near.test", PASSWORD)
            self.assertEqual(client.docmd("VRFY", "bob"), (250, b'2.1.5 "Bob" <bob@near.test>'))
            self.assertEqual(client.docmd("VRFY", "<carol@near.test>"), (250, b'2.1.5 "Carol" <carol@near.test>'))
            self.assertEqual(client.docmd("VRFY", "nobody")[0], 550)
            self.assertEqual(client.docmd("VRFY", "x@elsewhere.test")[0], 252)
            code, text = client.docmd("EXPN", "team")
            self.assertEqual((code, sorted(text.split(b"\n"))),
                             (250, [b'2.1.5 "Alice" <alice@near.test>', b'2.1.5 "Bob" <bob@near.test>']))
            self.assertEqual(client.docmd("EXPN", "board@near.test")[0], 550)
            self.assertEqual(client.docmd("EXPN", "alice@near.test")[0], 550)
