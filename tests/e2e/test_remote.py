"""Mail to other servers: a second relais, Postfix's smtp-sink, and a scripted server that says what a test wants."""

import base64
import email
import json
import os
import re
import smtplib
import socket
import subprocess
import unittest

from harness import (PASSWORD, Server, ServerCase, TestCase, certificate, folder, free_port, id_of, message, message_id, needs, tls_context,
                     until)
from remote import Remote

ALICE = "alice@near.test"


def report(octets):
    """The parts of a DSN (RFC 3464): text, fields of the message, fields of each recipient, what came back."""
    parsed = email.message_from_bytes(octets)
    assert parsed.get_content_type() == "multipart/report", parsed.get_content_type()
    assert parsed.get_param("report-type") == "delivery-status", parsed["Content-Type"]
    text, status, original = parsed.get_payload()
    assert status.get_content_type() == "message/delivery-status", status.get_content_type()
    about, *recipients = status.get_payload()
    for fields in [about] + recipients:
        for name, value in fields.items():
            # A blank behind the type of an address is as good as none.
            fields.replace_header(name, re.sub(r"^(\w+); *", r"\1; ", value))
    return parsed, text.get_payload(decode=True).decode(), about, recipients, original


class Near(ServerCase):
    """A server whose way to remote.test is a scripted one."""

    @classmethod
    def setUpClass(cls):
        cls.remote = Remote(certificate=certificate())
        cls.addClassCleanup(cls.remote.close)
        cls.busy = Remote()
        cls.addClassCleanup(cls.busy.close)
        cls.options = dict(hostname="mx.near.test", destinations={
            "remote.test": ("127.0.0.1", cls.remote.port), "also.test": ("127.0.0.1", cls.remote.port), "many.test": ("127.0.0.1", cls.busy.port),
            "down.test": ("127.0.0.1", free_port())})
        super().setUpClass()

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_accounts(ALICE, "bob@near.test")
        server.add_alias("mixed@near.test", "bob@near.test", "one@remote.test", "two@remote.test")

    def setUp(self):
        self.remote.decide = lambda verb, argument, session: None
        # No test uses the connections of another; that one of them is gone must cost a message nothing.
        self.remote.hang_up()
        self.taken = len(self.remote.messages)
        self.inbox = set(self.relais.messages(ALICE))

    def tearDown(self):
        # Nothing of one test waits for the next.
        self.relais.cli("queue", "remove", "--all")

    def submit(self, *recipients, mid=None, **parts):
        mid = mid or message_id("near.test")
        octets = message(to=recipients[0], sender=ALICE, mid=mid, **parts)
        self.relais.submit(ALICE, list(recipients), octets)
        return mid, octets

    def arrived(self, mid, count=1):
        """Waits for the messages with this Message-ID at the remote side."""
        def has(messages):
            return sum(id_of(received.content) == mid for received in messages) >= count
        return [received for received in self.remote.wait(has) if id_of(received.content) == mid]

    def refuse(self, verb, reply, only=""):
        self.remote.decide = lambda said, argument, session: reply if said == verb and only in argument else None

    def waiting(self, count=1):
        """Waits until an attempt has failed and the message is in the queue for a later one; the entries."""
        def look():
            entries = self.relais.queue()
            return entries if len(entries) == count and all(entry["attempts"] for entry in entries) else None
        return until(look, what="%d deferred messages" % count)

    def dsn(self):
        """The one DSN that came to alice in this test."""
        def look():
            return {uid: octets for uid, octets in self.relais.messages(ALICE).items() if uid not in self.inbox}
        found = until(look, what="a DSN")
        self.assertEqual(len(found), 1)
        return next(iter(found.values()))

    def no_dsn(self):
        self.relais.wait_queue_empty()
        self.assertEqual(set(self.relais.messages(ALICE)) - self.inbox, set())


class Relay(Near):

    def test_a_message_is_relayed_as_it_is(self):
        mid, octets = self.submit("one@remote.test", subject="Grüße", body=".dot\r\n..\r\nlast\r\n")
        received, = self.arrived(mid)
        self.assertEqual((received.sender, received.recipients), (ALICE, ["one@remote.test"]))
        self.assertTrue(received.content.endswith(octets))
        head = received.content[:-len(octets)]
        # In front of it stand our signatures, then our Received.
        self.assertRegex(head, rb"^(DKIM-Signature: ([^\r]*\r\n[\t ])*[^\r]*\r\n){2}Received: ")
        self.assertNotIn(b"Return-Path", head)
        self.assertTrue(received.session.tls, "TLS is offered and was not used")
        self.relais.wait_queue_empty()

    def test_recipients_of_one_domain_share_a_transaction(self):
        mid, _ = self.submit("one@remote.test", "two@remote.test")
        received, = self.arrived(mid)
        self.assertEqual(sorted(received.recipients), ["one@remote.test", "two@remote.test"])

    def test_recipients_of_two_domains(self):
        mid, _ = self.submit("one@remote.test", "one@also.test")
        recipients = [recipient for received in self.arrived(mid, 2) for recipient in received.recipients]
        self.assertEqual(sorted(recipients), ["one@also.test", "one@remote.test"])

    def test_an_alias_with_local_and_remote_targets(self):
        mid = message_id()
        self.relais.send("writer@elsewhere.test", "mixed@near.test", message(mid=mid))
        received, = self.arrived(mid)
        self.assertEqual(sorted(received.recipients), ["one@remote.test", "two@remote.test"])
        # A stranger's reverse-path is rewritten (docs/smtp/forwards.md).
        self.assertRegex(received.sender, r"^SRS0=\w+=\w+=elsewhere\.test=writer@near\.test$")
        self.relais.wait_message("bob@near.test", mid)

    def test_no_tls_is_no_obstacle(self):
        self.refuse("STARTTLS", "454 4.7.0 not now")
        mid, _ = self.submit("one@remote.test")
        received, = self.arrived(mid)
        self.assertFalse(received.session.tls)

    def test_helo_after_ehlo_is_refused(self):
        self.refuse("EHLO", "502 5.5.1 what is that")
        mid, octets = self.submit("one@remote.test")
        received, = self.arrived(mid)
        self.assertTrue(received.content.endswith(octets))

    def test_connections_are_shared_and_bounded(self):
        self.busy.decide = lambda verb, argument, session: "421 4.3.2 not now" if verb == "CONNECT" else None
        mids = [self.submit("one@many.test")[0] for _ in range(20)]
        # One attempt tells of the host, and the others wait.
        until(lambda: len(self.relais.queue()) == 20 and any(entry["attempts"] for entry in self.relais.queue()), what="a full queue")
        self.busy.decide = lambda verb, argument, session: None
        self.relais.retry_queue()
        self.relais.wait_queue_empty()
        self.assertEqual(sorted(id_of(received.content) for received in self.busy.messages), sorted(mids))
        used = [session for session in self.busy.sessions if session.messages]
        self.assertLessEqual(self.busy.most_open, 5, "more than deliveries_per_destination_max")
        self.assertLess(len(used), 20, "no connection was used again")


class Deferred(Near):
    """A 4xx or a broken connection: kept, tried again, delivered once."""

    def deferred_then_delivered(self, verb, reply):
        self.refuse(verb, reply)
        mid, _ = self.submit("one@remote.test")
        self.waiting()
        self.remote.decide = lambda said, argument, session: None
        self.relais.retry_queue()
        self.arrived(mid)
        self.relais.wait_queue_empty()
        self.assertEqual(len(self.arrived(mid)), 1)
        self.no_dsn()

    def test_421_as_greeting(self):
        self.deferred_then_delivered("CONNECT", "421 4.3.2 not now")

    def test_450_after_mail(self):
        self.deferred_then_delivered("MAIL", "450 4.7.1 who are you")

    def test_451_after_rcpt(self):
        self.deferred_then_delivered("RCPT", "451 4.7.1 greylisted, come again")

    def test_452_after_data(self):
        self.deferred_then_delivered("DATA", "452 4.3.1 full")

    def test_a_connection_cut_at_rcpt(self):
        self.deferred_then_delivered("RCPT", "close")

    def test_a_connection_cut_at_data(self):
        self.deferred_then_delivered("DATA", "close")

    def test_nonsense_as_reply(self):
        self.deferred_then_delivered("MAIL", "hello there")

    def test_the_queue_says_why(self):
        self.refuse("RCPT", "451 4.7.1 greylisted, come again")
        self.submit("one@remote.test")
        self.waiting()
        self.assertIn("greylisted, come again", self.relais.cli("queue", "list", "--json") + self.relais.cli("queue", "show", self.relais.queue()[0]["id"]))

    def test_nobody_listens(self):
        mid, _ = self.submit("one@down.test")
        self.waiting()
        later = Remote(port=self.relais.destinations["down.test"][1])
        self.addCleanup(later.close)
        self.relais.retry_queue()
        self.assertEqual(id_of(later.wait_count(1)[0].content), mid)
        self.relais.wait_queue_empty()

    def test_the_queue_outlives_a_restart(self):
        self.refuse("RCPT", "451 4.3.0 later")
        mid, octets = self.submit("one@remote.test")
        self.waiting()
        self.relais.restart()
        self.remote.decide = lambda verb, argument, session: None
        self.relais.retry_queue()
        received, = self.arrived(mid)
        self.assertTrue(received.content.endswith(octets))
        self.relais.wait_queue_empty()

    def test_an_entry_can_be_removed(self):
        self.refuse("RCPT", "451 4.3.0 later")
        self.submit("one@remote.test")
        entry, = self.waiting()
        self.relais.cli("queue", "remove", entry["id"])
        self.assertEqual(self.relais.queue(), [])


class Refused(Near):
    """A 5xx: the sender gets a DSN."""

    def check_dsn(self, mid, status, diagnostic, recipients=("one@remote.test",)):
        octets = self.dsn()
        parsed, text, about, fields, original = report(octets)
        self.assertIn(b"Return-Path: <>\r\n", octets)
        self.assertEqual(parsed["To"].strip("<>"), ALICE)
        self.assertRegex(parsed["Auto-Submitted"], "^auto-(replied|generated)")
        self.assertEqual(about["Reporting-MTA"], "dns; mx.near.test")
        self.assertIsNotNone(about["Arrival-Date"])
        self.assertEqual(sorted(field["Final-Recipient"] for field in fields), ["rfc822; " + to for to in sorted(recipients)])
        for field in fields:
            self.assertEqual(field["Action"], "failed")
            self.assertEqual(field["Status"], status)
            self.assertIn(diagnostic, re.sub(r"\s+", " ", field["Diagnostic-Code"]))
        for recipient in recipients:
            self.assertIn(recipient, text)
        self.assertIn(original.get_content_type(), ("message/rfc822", "text/rfc822-headers"))
        self.assertIn(mid, original.as_string())
        self.relais.wait_queue_empty()
        return parsed, about, fields, original

    def test_550_after_rcpt(self):
        self.refuse("RCPT", "550 5.1.1 no such person")
        mid, _ = self.submit("one@remote.test")
        _, _, (field,), _ = self.check_dsn(mid, "5.1.1", "smtp; 550 5.1.1 no such person")
        self.assertRegex(field["Remote-MTA"], "^dns; ")

    def test_554_after_data(self):
        self.refuse("DATA", "554 5.7.1 we do not want it")
        mid, _ = self.submit("one@remote.test", "two@remote.test")
        self.check_dsn(mid, "5.7.1", "554 5.7.1 we do not want it", ("one@remote.test", "two@remote.test"))

    def test_550_after_mail_without_enhanced_code(self):
        self.refuse("MAIL", "550 go away")
        mid, _ = self.submit("one@remote.test")
        self.check_dsn(mid, "5.0.0", "550 go away")

    def test_each_recipient_has_its_own_fate(self):
        def decide(verb, argument, session):
            if verb == "RCPT" and "later@" in argument:
                return "451 4.2.1 mailbox busy"
            if verb == "RCPT" and "never@" in argument:
                return "550 5.1.1 no such person"
        self.remote.decide = decide
        mid, _ = self.submit("one@remote.test", "later@remote.test", "never@remote.test")
        received, = self.arrived(mid)
        self.assertEqual(received.recipients, ["one@remote.test"])
        parsed, _, _, fields, _ = report(self.dsn())
        self.assertEqual([field["Final-Recipient"] for field in fields], ["rfc822; never@remote.test"])
        self.waiting()
        self.remote.decide = lambda verb, argument, session: None
        self.relais.retry_queue()
        second = self.arrived(mid, 2)
        self.assertEqual([one.recipients for one in second], [["one@remote.test"], ["later@remote.test"]])
        self.relais.wait_queue_empty()

    def test_no_dsn_for_the_null_reverse_path(self):
        self.refuse("RCPT", "550 5.1.1 no such person")
        self.relais.send("", "mixed@near.test", message())
        self.no_dsn()

    def test_no_dsn_when_none_is_wanted(self):
        self.refuse("RCPT", "550 5.1.1 no such person")
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], context=tls_context(), timeout=30) as client:
            client.login(ALICE, PASSWORD)
            client.sendmail(ALICE, ["one@remote.test"], message(sender=ALICE), rcpt_options=["NOTIFY=NEVER"])
        self.no_dsn()

    def test_what_the_sender_asked_to_be_told(self):
        # RFC 3461: ENVID, ORCPT and RET come back.
        self.refuse("RCPT", "550 5.1.1 no such person")
        mid = message_id("near.test")
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], context=tls_context(), timeout=30) as client:
            client.login(ALICE, PASSWORD)
            client.ehlo_or_helo_if_needed()
            self.assertTrue(client.has_extn("dsn"))
            client.sendmail(ALICE, ["one@remote.test"], message(sender=ALICE, mid=mid, body="secret body\r\n"), mail_options=["RET=HDRS", "ENVID=QQ314159"],
                            rcpt_options=["NOTIFY=FAILURE", "ORCPT=rfc822;first@near.test"])
        _, about, (field,), original = self.check_dsn(mid, "5.1.1", "550 5.1.1")
        self.assertEqual(about["Original-Envelope-Id"], "QQ314159")
        self.assertEqual(field["Original-Recipient"].replace(" ", ""), "rfc822;first@near.test")
        self.assertEqual(original.get_content_type(), "text/rfc822-headers")
        self.assertNotIn("secret body", original.as_string())

    def test_bounce_of_a_message_from_outside_goes_back_there(self):
        def decide(verb, argument, session):
            if verb == "RCPT" and "@remote.test" in argument and "writer@" not in argument:
                return "550 5.1.1 no such person"
        self.remote.decide = decide
        mid = message_id()
        self.relais.send("writer@also.test", "mixed@near.test", message(mid=mid))
        received = self.remote.wait(lambda messages: any(one.sender == "" for one in messages[self.taken:]))[self.taken:]
        bounce, = [one for one in received if one.sender == ""]
        self.assertEqual(bounce.recipients, ["writer@also.test"])
        _, _, _, fields, original = report(bounce.content)
        self.assertEqual(sorted(field["Final-Recipient"] for field in fields), ["rfc822; one@remote.test", "rfc822; two@remote.test"])
        self.assertIn(mid, original.as_string())


class TooOld(Near):
    """What can't be delivered in time goes back."""

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        server.set("queue", age_max_secs=1)

    def test_a_message_too_old_is_returned(self):
        self.refuse("RCPT", "451 4.2.0 come again")
        mid, _ = self.submit("one@remote.test")

        def look():
            self.relais.retry_queue()
            return set(self.relais.messages(ALICE)) - self.inbox
        until(look, what="a DSN after the age")
        _, _, _, (field,), original = report(self.dsn())
        self.assertEqual((field["Action"], field["Final-Recipient"]), ("failed", "rfc822; one@remote.test"))
        self.assertRegex(field["Status"], r"^[45]\.\d+\.\d+$")
        self.assertIn(mid, original.as_string())
        self.relais.wait_queue_empty()


class Late(Near):
    """The sender of a message that waits too long is told, once, and it goes on waiting."""

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        server.set("queue", delay_notice_secs=1)

    def test_a_delay_is_told_once(self):
        self.refuse("RCPT", "451 4.2.0 come again")
        mid, _ = self.submit("one@remote.test")

        def look():
            self.relais.retry_queue()
            return set(self.relais.messages(ALICE)) - self.inbox
        until(look, what="a notice of the delay")
        _, _, _, (field,), original = report(self.dsn())
        self.assertEqual((field["Action"], field["Final-Recipient"]), ("delayed", "rfc822; one@remote.test"))
        self.assertRegex(field["Status"], r"^4\.\d+\.\d+$")
        self.assertIn(mid, original.as_string())
        entry, = self.waiting()
        # Another failure tells nothing new.
        self.relais.retry_queue()
        until(lambda: self.waiting()[0]["attempts"] > entry["attempts"], what="another attempt")
        self.remote.decide = lambda verb, argument, session: None

        def delivered():
            # An attempt may be on its way, for which this comes too late; so again and again.
            self.relais.retry_queue()
            return not self.relais.queue()
        until(delivered, what="the delivery at last")
        self.arrived(mid)
        self.dsn()


class HostCertificate:
    """A self-signed certificate that is no authority, so that it can be named as one to trust."""

    def __init__(self, where):
        self.chain, self.key = where / "certificate.pem", where / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "30", "-subj", "/CN=smart", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-addext", "basicConstraints=critical,CA:FALSE", "-keyout", str(self.key), "-out", str(self.chain)],
            check=True, capture_output=True)


class SmartHost(TestCase):
    """All outgoing mail goes to one server that wants a login."""

    @classmethod
    def setUpClass(cls):
        cls.certificate = HostCertificate(folder("smart-tls"))

    def near(self, remote, login="relais", password="open sesame", tls="opportunistic", trusted=True):
        file = folder("smart-host") / "password"
        file.write_text(password + "\n")
        file.chmod(0o600)
        server = self.server(name="near", hostname="mx.near.test", settings={"queue.smart_host": {
            "host": "127.0.0.1", "port": remote.port, "tls": tls, "login": login, "password_file": file,
            "ca_file": self.certificate.chain if trusted else ""}})
        server.add_domain("near.test")
        server.add_account(ALICE)
        return server.start()

    def remote(self):
        remote = Remote(certificate=self.certificate, logins={"relais": "open sesame"})
        self.addCleanup(remote.close)
        return remote

    def test_login_after_starttls(self):
        remote = self.remote()
        near = self.near(remote)
        mid = message_id()
        near.submit(ALICE, ["one@first.test", "two@second.test"], message(sender=ALICE, mid=mid))
        received = remote.wait(lambda messages: sum(len(one.recipients) for one in messages) == 2)
        self.assertEqual(sorted(to for one in received for to in one.recipients), ["one@first.test", "two@second.test"])
        for one in received:
            self.assertTrue(one.session.tls)
            self.assertEqual(one.session.login, "relais")
        near.wait_queue_empty()
        near.stop()
        self.assertNotIn("open sesame", near.log_text())

    def test_a_certificate_of_nobody_gets_no_password(self):
        # Whoever stands in between can make one; so "opportunistic" does not do either where there is a password.
        for tls in ("starttls", "opportunistic"):
            remote = self.remote()
            near = self.near(remote, tls=tls, trusted=False)
            near.submit(ALICE, "one@first.test", message(sender=ALICE))
            entry, = until(lambda: [entry for entry in near.queue() if entry["attempts"]], what="a deferred message")
            self.assertRegex(json.dumps(entry), "(?i)certificate|tls")
            self.assertEqual([session.login for session in remote.sessions if session.login], [])
            said = [command for session in remote.sessions for command in session.commands]
            self.assertEqual([command for command in said if command.upper().startswith(("AUTH", "MAIL"))], [])
            near.stop()

    def test_a_refused_login_keeps_the_mail(self):
        remote = self.remote()
        near = self.near(remote, password="wrong")
        near.submit(ALICE, "one@first.test", message(sender=ALICE))
        entry, = until(lambda: [entry for entry in near.queue() if entry["attempts"]], what="a deferred message")
        self.assertEqual(remote.messages, [])
        self.assertEqual(near.messages(ALICE), {})
        near.stop()

    def test_no_login_without_tls(self):
        remote = Remote(logins={"relais": "open sesame"})
        self.addCleanup(remote.close)
        near = self.near(remote)
        near.submit(ALICE, "one@first.test", message(sender=ALICE))
        until(lambda: [entry for entry in near.queue() if entry["attempts"]], what="a deferred message")
        said = [command for session in remote.sessions for command in session.commands]
        self.assertEqual([command for command in said if command.upper().startswith(("AUTH", "MAIL"))], [])
        near.stop()


class TwoServers(TestCase):
    """A second relais is the remote side."""

    @classmethod
    def setUpClass(cls):
        cls.near = Server(name="near", hostname="mx.near.test")
        cls.far = Server(name="far", hostname="mx.far.test")
        for server, other, domain in ((cls.near, cls.far, "far.test"), (cls.far, cls.near, "near.test")):
            cls.addClassCleanup(server.kill)
            server.destinations = {domain: ("127.0.0.1", other.ports["mx"])}
            server.write_config()
        cls.near.add_domain("near.test")
        cls.near.add_accounts(ALICE)
        cls.far.add_domain("far.test")
        cls.far.add_accounts("fred@far.test", "fiona@far.test")
        cls.far.add_alias("both@far.test", "fred@far.test", "fiona@far.test")
        cls.near.start()
        cls.far.start()

    @classmethod
    def tearDownClass(cls):
        cls.near.stop()
        cls.far.stop()

    def test_there_and_back(self):
        mid = message_id("near.test")
        octets = message(to="both@far.test", sender=ALICE, mid=mid)
        self.near.submit(ALICE, "both@far.test", octets)
        for user in ("fred@far.test", "fiona@far.test"):
            got = self.far.wait_message(user, mid)
            self.assertTrue(got.endswith(octets))
            self.assertEqual(len(re.findall(rb"(?m)^Received: ", got)), 2)
            self.assertIn(b"Return-Path: <%s>" % ALICE.encode(), got)
            self.assertRegex(got, rb"by mx\.far\.test with ESMTPS\b")
        self.near.wait_queue_empty()
        back = message_id("far.test")
        self.far.submit("fred@far.test", ALICE, message(to=ALICE, sender="fred@far.test", mid=back))
        self.near.wait_message(ALICE, back)
        self.assertEqual(len(self.near.with_id(ALICE, back)), 1)

    def test_an_unknown_person_there(self):
        mid = message_id("near.test")
        self.near.submit(ALICE, "nobody@far.test", message(to="nobody@far.test", sender=ALICE, mid=mid))
        got = self.near.wait_message(ALICE, lambda octets: mid.encode() in octets)
        _, _, _, (field,), _ = report(got)
        self.assertEqual((field["Status"], field["Action"]), ("5.1.1", "failed"))
        self.near.wait_queue_empty()

    def test_the_other_server_is_away_for_a_while(self):
        self.far.stop()
        mid = message_id("near.test")
        self.near.submit(ALICE, "fred@far.test", message(to="fred@far.test", sender=ALICE, mid=mid))
        until(lambda: [entry for entry in self.near.queue() if entry["attempts"]], what="a deferred message")
        self.far.start()
        self.near.retry_queue()
        self.far.wait_message("fred@far.test", mid)
        self.near.wait_queue_empty()
        self.assertEqual(len(self.far.with_id("fred@far.test", mid)), 1)

    def test_a_loop_of_aliases_over_both_servers_ends(self):
        # RFC 5321 §6.3: hops are counted; the message does not circle for ever.
        self.near.add_alias("loop@near.test", "loop@far.test")
        self.far.add_alias("loop@far.test", "loop@near.test")
        mid = message_id("near.test")
        self.near.submit(ALICE, "loop@near.test", message(to="loop@near.test", sender=ALICE, mid=mid))
        got = self.near.wait_message(ALICE, lambda octets: mid.encode() in octets, seconds=60)
        _, _, _, (field,), _ = report(got)
        self.assertEqual(field["Action"], "failed")
        until(lambda: not self.near.queue() and not self.far.queue(), what="both queues to be empty")


@unittest.skipUnless(os.path.exists("/usr/sbin/smtp-sink"), "Postfix's smtp-sink is not installed")
class SmtpSink(TestCase):
    """Postfix's smtp-sink as the remote side."""

    def sink(self, *arguments):
        port = free_port()
        return port, self.sink_at(port, *arguments)

    def sink_at(self, port, *arguments):
        command = ["/usr/sbin/smtp-sink", *arguments]
        if os.geteuid() == 0:
            command += ["-u", "nobody"]
        process = subprocess.Popen(command + ["127.0.0.1:%d" % port, "64"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

        def end():
            process.kill()
            process.wait()
        self.addCleanup(end)

        def listens():
            try:
                socket.create_connection(("127.0.0.1", port), 1).close()
                return True
            except OSError:
                return False
        until(listens, what="smtp-sink")
        return end

    def near(self, port):
        server = self.server(name="near", hostname="mx.near.test", destinations={"sink.test": ("127.0.0.1", port)})
        server.add_domain("near.test")
        server.add_account(ALICE)
        return server.start()

    def test_fifty_messages(self):
        dump = folder("sink")
        dump.chmod(0o777)
        for parent in (dump.parent, dump.parent.parent):
            parent.chmod(0o755)
        port, _ = self.sink("-d", str(dump / "m."))
        near = self.near(port)
        mids = []
        with near.smtp("submissions") as client:
            client.command("AUTH PLAIN " + plain(ALICE))
            for n in range(50):
                mids.append(message_id("near.test"))
                client.deliver(ALICE, "u%d@sink.test" % n, message(sender=ALICE, mid=mids[-1], body=".\r\n..\r\ntext\r\n"))
        near.wait_queue_empty()
        kept = [path.read_bytes() for path in dump.iterdir()]
        self.assertEqual(sorted(id_of(octets) for octets in kept), sorted(mids))
        near.stop()

    def test_soft_then_accepted(self):
        # -r: 4xx to the command.
        port, end = self.sink("-r", "RCPT")
        near = self.near(port)
        near.submit(ALICE, "one@sink.test", message(sender=ALICE))
        until(lambda: [entry for entry in near.queue() if entry["attempts"]], what="a deferred message")
        end()
        self.sink_at(port)
        near.retry_queue()
        near.wait_queue_empty()
        self.assertEqual(near.messages(ALICE), {})
        near.stop()

    def test_hard_refused(self):
        # -f: 5xx to the command.
        port, _ = self.sink("-f", "RCPT")
        near = self.near(port)
        near.submit(ALICE, "one@sink.test", message(sender=ALICE))
        got = near.wait_message(ALICE, lambda octets: b"multipart/report" in octets)
        _, _, _, (field,), _ = report(got)
        self.assertEqual((field["Action"], field["Final-Recipient"]), ("failed", "rfc822; one@sink.test"))
        near.wait_queue_empty()
        near.stop()

    def test_the_connection_ends_after_data(self):
        # -q: it disconnects after the command.
        port, end = self.sink("-q", ".")
        near = self.near(port)
        near.submit(ALICE, "one@sink.test", message(sender=ALICE))
        until(lambda: [entry for entry in near.queue() if entry["attempts"]], what="a deferred message")
        end()
        self.sink_at(port)
        near.retry_queue()
        near.wait_queue_empty()
        near.stop()


def plain(user, password=PASSWORD):
    return base64.b64encode(("\0%s\0%s" % (user, password)).encode()).decode()


if __name__ == "__main__":
    unittest.main()
