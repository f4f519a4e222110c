"""Postfix as the sending side: as another server, as a front by LMTP, and as a client that logs in. Read back over IMAP, and in Postfix's log."""

import email
import re
import smtplib
import subprocess
import unittest
from pathlib import Path

from harness import PASSWORD, ServerCase, certificate, folder, free_port, id_of, message, message_id, tls_context, until
from postfix import Postfix, Tap, needs_postfix, parts, reachable, table

ANN, ZOE = "ann@far.test", "zoë@far.test"
CROWD = ["u%02d@near.test" % n for n in range(20)]
LIMIT = 2_000_000


def certified():
    """Settings of Postfix's client: TLS with the certificate that the tests trust, or nothing."""
    return {"smtp_tls_security_level": "secure", "smtp_tls_CAfile": certificate().chain, "smtp_tls_secure_cert_match": "localhost"}


def sent_lines(postfix, queue_id):
    """What became of each recipient: address -> (status, the words behind it)."""
    found = {}
    for line in postfix.lines(queue_id + ": to=<"):
        match = re.search(r": to=<([^>]*)>.* status=(\w+) \((.*)\)$", line)
        if match:
            found[match.group(1)] = (match.group(2), match.group(3))
    return found


class Sends(ServerCase):
    """A Postfix for far.test beside a Relais for near.test. What is for tapped@near.test goes over a wire that is listened to, without TLS."""

    options = {"hostname": "mx.near.test", "settings": {"limits": {"message_octets_max": LIMIT}}}

    @classmethod
    def setUpClass(cls):
        port = free_port()
        cls.options = dict(cls.options, destinations={"far.test": ("127.0.0.1", port)})
        super().setUpClass()
        cls.tap = Tap(cls.relais.ports["mx"])
        cls.addClassCleanup(cls.tap.close)
        cls.postfix = cls.make(port)
        cls.addClassCleanup(cls.postfix.stop)
        cls.postfix.start()

    @classmethod
    def make(cls, port):
        mx = cls.relais.ports["mx"]
        routes = dict.fromkeys(["near.test", "front.test"], mx)
        routes["tapped@near.test"] = cls.tap.here
        return Postfix(port=port, people=[ANN, ZOE], routes=routes, certificate=certificate(), settings=dict(
            certified(),
            smtp_tls_policy_maps=table({"[127.0.0.1]:%d" % cls.tap.here: "none"}),
            virtual_alias_maps=table({"loop@far.test": "loop@near.test"}),
            # A backup MX that asks whether somebody is there before it takes mail for them.
            smtpd_recipient_restrictions="check_recipient_access %s" % table({"front.test": "reject_unverified_recipient"}),
            unverified_recipient_reject_code="550", address_verify_map="", address_verify_poll_count="60"))

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_domain("front.test")
        server.add_accounts("alice@near.test", "bob@near.test", "carol@near.test", "tapped@near.test", "present@front.test", *CROWD)
        server.add_account("full@near.test", quota_messages=1)
        server.add_alias("josé@near.test", "alice@near.test")
        server.add_alias("forward@near.test", ZOE)
        server.add_alias("gone@near.test", "nobody@far.test")
        server.add_alias("loop@near.test", "loop@far.test")

    def send(self, recipients, octets, *options, sender=ANN):
        """Gives Postfix a message; its id there once it has left its queue or was deferred."""
        recipients = [recipients] if isinstance(recipients, str) else recipients
        mid = id_of(octets)
        self.postfix.sendmail(sender, recipients, octets, *options)
        line = self.postfix.wait_line("message-id=" + mid)
        queue_id = re.search(r": (\w+): message-id=", line).group(1)
        until(lambda: len(sent_lines(self.postfix, queue_id)) >= len(recipients), what="Postfix to have tried")
        return queue_id

    def fates(self, queue_id):
        return {address: status for address, (status, _) in sent_lines(self.postfix, queue_id).items()}

    def bounced(self, mid, to=ANN):
        """The notice about a message that came to its sender at Postfix."""
        return self.postfix.wait_message(to, lambda octets: b"multipart/report" in octets and mid.encode() in octets)

    def tapped(self, octets, *options, until_said=None, sender=ANN):
        """A message over the wire that is listened to; what Postfix said there."""
        before = len(self.tap.said)
        self.tap.until_said = until_said
        queue_id = self.send("tapped@near.test", octets, *options, sender=sender)
        return queue_id, self.tap.text(before)


@needs_postfix
class ToMx(Sends):

    def test_starttls_with_our_certificate(self):
        mid = message_id()
        octets = message(to="alice@near.test", sender=ANN, mid=mid, body=".\r\n..\r\n.dot\r\nlast\r\n")
        self.send("alice@near.test", octets)
        got = self.relais.wait_message("alice@near.test", mid)
        self.postfix.wait_line("Verified TLS connection established to 127.0.0.1[127.0.0.1]:%d: TLSv1.3" % self.relais.ports["mx"])
        self.assertTrue(got.endswith(octets[octets.index(b"\r\n\r\n"):]))
        parsed = email.message_from_bytes(got)
        self.assertEqual(parsed["Return-Path"], "<%s>" % ANN)
        self.assertRegex(parsed["Received"], r"(?s)from mx\.far\.test .*by mx\.near\.test with ESMTPS\b")

    def test_pipelining(self):
        # No reply passes before DATA is there: a client that waits for one would not come so far.
        mid = message_id()
        _, said = self.tapped(message(to="tapped@near.test", sender=ANN, mid=mid), until_said=lambda said: b"\r\nDATA\r\n" in said)
        self.relais.wait_message("tapped@near.test", mid)
        self.assertRegex(said, r"MAIL FROM:<ann@far\.test> SIZE=\d+\b.*\r\nRCPT TO:<tapped@near\.test>.*\r\nDATA\r\n")
        self.assertIn("\r\n.\r\nQUIT\r\n", said)

    def test_many_recipients_and_one_who_is_not_there(self):
        mid = message_id()
        queue_id = self.send([*CROWD, "nobody@near.test"], message(to="crowd@near.test", sender=ANN, mid=mid))
        fates = sent_lines(self.postfix, queue_id)
        self.assertEqual(sorted(address for address, (status, _) in fates.items() if status == "sent"), CROWD)
        # One transaction: one reply for all of them.
        self.assertEqual(len({words for status, words in fates.values() if status == "sent"}), 1)
        for user in (CROWD[0], CROWD[-1]):
            self.assertEqual(len(self.relais.with_id(user, mid)), 1)
        text, _, recipients, _ = parts(self.bounced(mid))
        self.assertEqual([one["Final-Recipient"] for one in recipients], ["rfc822; nobody@near.test"])
        self.assertEqual((recipients[0]["Status"], recipients[0]["Action"]), ("5.1.1", "failed"))
        self.assertRegex(recipients[0]["Diagnostic-Code"], r"^smtp; 550 5\.1\.1 ")
        self.assertIn("nobody@near.test", text)

    def test_nobody_at_all(self):
        # Postfix has pipelined DATA behind recipients of whom none is taken (RFC 2920 §3.1).
        mid = message_id()
        queue_id = self.send(["no-one@near.test", "nobody@near.test"], message(sender=ANN, mid=mid))
        self.assertEqual(set(self.fates(queue_id).values()), {"bounced"})
        _, _, recipients, _ = parts(self.bounced(mid))
        self.assertEqual({one["Status"] for one in recipients}, {"5.1.1"})

    def test_smtputf8(self):
        mid = message_id()
        octets = message(to="José <josé@near.test>", sender="Zoë <%s>" % ZOE, subject="Grüße aus Köln", mid=mid)
        queue_id = self.send("josé@near.test", octets, sender=ZOE)
        self.assertEqual(self.fates(queue_id), {"josé@near.test": "sent"})
        got = self.relais.wait_message("alice@near.test", mid)
        for part in ("Return-Path: <zoë@far.test>\r\n", "Subject: Grüße aus Köln\r\n", "From: Zoë <zoë@far.test>\r\n", "with UTF8SMTPS"):
            self.assertIn(part.encode(), got)
        with self.relais.imap("alice@near.test") as client:
            client.must("ENABLE UTF8=ACCEPT")
            client.must("SELECT INBOX")
            found = client.must('UID SEARCH FROM "zoë@far"')
            self.assertTrue(found.lines(r"SEARCH \d"), found)

    def test_smtputf8_reports(self):
        # A notice of ours on addresses beyond ASCII (RFC 6533), which Postfix takes and keeps.
        mid = message_id()
        self.send("josé@near.test", message(to="josé@near.test", sender=ZOE, mid=mid), "-N", "success", sender=ZOE)
        octets = self.bounced(mid, ZOE)
        report = email.message_from_bytes(octets)
        self.assertEqual(report.get_payload(1).get_content_type(), "message/global-delivery-status")
        self.assertIn("Final-Recipient: utf-8;josé@near.test".encode(), octets.replace(b"; ", b";"))
        self.assertIn(b"Action: delivered", octets)
        # And one of Postfix.
        mid = message_id()
        self.send("niemand-dä@near.test", message(sender=ZOE, mid=mid), sender=ZOE)
        octets = self.bounced(mid, ZOE)
        self.assertIn("niemand-dä@near.test".encode(), octets)
        self.assertIn(b"Status: 5.1.1", octets)

    def test_8bitmime(self):
        mid = message_id()
        octets = message(to="tapped@near.test", sender=ANN, mid=mid, body="Grüße\r\n", headers=[
            ("MIME-Version", "1.0"), ("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "8bit")])
        _, said = self.tapped(octets, "-B", "8BITMIME")
        self.assertRegex(said, r"MAIL FROM:<ann@far\.test> .*BODY=8BITMIME")
        got = self.relais.wait_message("tapped@near.test", mid)
        self.assertTrue(got.endswith("\r\n\r\nGrüße\r\n".encode()))

    def test_size(self):
        mid = message_id()
        queue_id, said = self.tapped(message(to="tapped@near.test", sender=ANN, mid=mid, body="a line of the body\r\n" * (LIMIT // 20)))
        # Postfix has read the limit in EHLO and has not even begun.
        self.assertNotIn("MAIL FROM", said)
        self.assertEqual(self.fates(queue_id), {"tapped@near.test": "bounced"})
        _, _, (field,), _ = parts(self.bounced(mid))
        self.assertEqual(field["Status"], "5.3.4")
        self.assertIn("exceeds size limit %d of server" % LIMIT, " ".join(field["Diagnostic-Code"].split()))
        # Up to the limit it is taken.
        mid = message_id()
        octets = message(to="alice@near.test", sender=ANN, mid=mid, body="a line of the body\r\n" * ((LIMIT - 2000) // 20))
        self.send("alice@near.test", octets)
        self.assertTrue(self.relais.wait_message("alice@near.test", mid).endswith(octets[octets.index(b"\r\n\r\n"):]))

    def test_dsn_is_asked_for_and_given(self):
        mid = message_id()
        octets = message(to="tapped@near.test", sender=ANN, mid=mid, body="a body that does not come back\r\n")
        _, said = self.tapped(octets, "-N", "success,failure", "-V", "QQ+1 =x", "-R", "hdrs")
        self.assertRegex(said, r"MAIL FROM:<ann@far\.test> SIZE=\d+ ENVID=QQ\+2B1\+20\+3Dx RET=HDRS")
        self.assertIn("RCPT TO:<tapped@near.test> ORCPT=rfc822;tapped@near.test NOTIFY=SUCCESS,FAILURE\r\n", said)
        octets = self.bounced(mid)
        text, about, (field,), original = parts(octets)
        self.assertIn(b"Return-Path: <>", octets)
        self.assertEqual(about["Original-Envelope-Id"], "QQ+1 =x")
        self.assertRegex(about["Reporting-MTA"], r"^dns; *mx\.near\.test$")
        self.assertRegex(field["Final-Recipient"], r"^rfc822; *tapped@near\.test$")
        self.assertRegex(field["Original-Recipient"], r"^rfc822; *tapped@near\.test$")
        self.assertEqual((field["Action"], field["Status"]), ("delivered", "2.1.5"))
        self.assertIn("tapped@near.test", text)
        self.assertNotIn(b"a body that does not come back", octets)

    def test_dsn_that_nobody_wants(self):
        mid, later = message_id(), message_id()
        queue_id = self.send("nobody@near.test", message(sender=ANN, mid=mid), "-N", "never")
        self.assertEqual(self.fates(queue_id), {"nobody@near.test": "bounced"})
        # A later one whose notice does come.
        self.send("nobody@near.test", message(sender=ANN, mid=later))
        self.bounced(later)
        self.assertFalse([octets for octets in self.postfix.received(ANN) if mid.encode() in octets])

    def test_a_full_mailbox_is_tried_again(self):
        first, second = message_id(), message_id()
        self.send("full@near.test", message(to="full@near.test", sender=ANN, mid=first))
        self.relais.wait_message("full@near.test", first)
        queue_id = self.send(["full@near.test", "bob@near.test"], message(to="full@near.test", sender=ANN, mid=second))
        self.assertEqual(self.fates(queue_id), {"full@near.test": "deferred", "bob@near.test": "sent"})
        self.assertRegex(self.postfix.wait_deferred("full@near.test"), r"said: 452 4\.2\.2 ")
        self.relais.cli("account", "set", "full@near.test", "--quota-messages", "100")
        self.postfix.flush()
        self.relais.wait_message("full@near.test", second)
        self.postfix.wait_queue_empty()
        for user in ("full@near.test", "bob@near.test"):
            self.assertEqual(len(self.relais.with_id(user, second)), 1)

    def test_a_server_that_is_away_for_a_while(self):
        mid = message_id()
        self.relais.stop()
        try:
            queue_id = self.send("alice@near.test", message(to="alice@near.test", sender=ANN, mid=mid))
            self.assertEqual(self.fates(queue_id), {"alice@near.test": "deferred"})
        finally:
            self.relais.start()
        self.postfix.flush()
        self.relais.wait_message("alice@near.test", mid)
        self.postfix.wait_queue_empty()
        self.assertEqual(len(self.relais.with_id("alice@near.test", mid)), 1)

    def test_sixty_at_once(self):
        mids = [message_id() for _ in range(60)]
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=60) as client:
            for mid in mids:
                client.sendmail(ANN, ["carol@near.test"], message(to="carol@near.test", sender=ANN, mid=mid))
        until(lambda: len(self.relais.messages("carol@near.test")) >= len(mids), what="all of them")
        self.postfix.wait_queue_empty()
        self.assertEqual(sorted(id_of(octets) for octets in self.relais.messages("carol@near.test").values()), sorted(mids))

    def test_a_forward_comes_back_under_a_reverse_path_of_ours(self):
        mid = message_id()
        self.send("forward@near.test", message(to="forward@near.test", sender="writer@elsewhere.test", mid=mid), sender="writer@elsewhere.test")
        got = self.postfix.wait_message(ZOE, mid)
        self.assertRegex(got, rb"^Return-Path: <SRS0=\w+=\w+=elsewhere\.test=writer@near\.test>\r\n")

    def test_a_forward_to_nobody(self):
        mid = message_id()
        self.send("gone@near.test", message(to="gone@near.test", sender=ANN, mid=mid))
        _, about, (field,), _ = parts(self.bounced(mid))
        self.assertRegex(about["Reporting-MTA"], r"^dns; *mx\.near\.test$")
        self.assertEqual((field["Action"], field["Status"]), ("failed", "5.1.1"))

    def test_a_loop_of_aliases_over_both_servers_ends(self):
        mid = message_id()
        self.postfix.sendmail(ANN, ["loop@near.test"], message(to="loop@near.test", sender=ANN, mid=mid))
        self.bounced(mid)
        until(lambda: not self.relais.queue() and not self.postfix.queue(), what="both queues to be empty")
        self.assertLess(len(self.postfix.lines("message-id=" + mid)), 30)

    def test_a_front_that_asks_who_is_there(self):
        with smtplib.SMTP("127.0.0.1", self.postfix.port, timeout=120) as client:
            client.ehlo("client.test")
            client.mail("writer@elsewhere.test")
            code, words = client.rcpt("nobody@front.test")
            self.assertEqual(code, 550, words)
            self.assertIn(b"550 5.1.1", words)
            self.assertEqual(client.rcpt("present@front.test")[0], 250)
        # Nothing of that is mail.
        self.assertEqual(self.relais.messages("present@front.test"), {})


@needs_postfix
class ByLmtp(Sends):
    """A Postfix in front, which hands over by LMTP what it has accepted (docs/smtp/receiving.md)."""

    @classmethod
    def setUpClass(cls):
        # A folder of Postfix's group whose files are of that group, too: so Postfix may connect.
        place = folder("lmtp")
        reachable(place)
        subprocess.run(["chgrp", "postfix", str(place)], check=True)
        place.chmod(0o2755)
        cls.socket = place / "socket"
        cls.options = {"hostname": "mx.near.test", "settings": {"listeners": {"lmtp_socket": cls.socket}}}
        super().setUpClass()

    @classmethod
    def prepare(cls, server):
        for domain in ("inet.test", "unix.test"):
            server.add_domain(domain)
            server.add_accounts("one@" + domain, "two@" + domain)
            server.add_account("full@" + domain, quota_messages=1)

    @classmethod
    def make(cls, port):
        lmtp = cls.relais.ports["lmtp"]
        return Postfix(port=port, people=[ANN], routes={"inet.test": "lmtp:inet:127.0.0.1:%d" % lmtp, "unix.test": "lmtp:unix:%s" % cls.socket}, settings={
            "lmtp_tls_loglevel": "1", "lmtp_tls_CAfile": certificate().chain, "lmtp_tls_policy_maps": table({"127.0.0.1:%d" % lmtp: "secure match=localhost"})})

    def each_has_a_fate(self, domain, protocol):
        one, two, full, nobody = ("%s@%s" % (name, domain) for name in ("one", "two", "full", "nobody"))
        mid = message_id()
        self.assertEqual(self.fates(self.send([one, full], message(sender=ANN, mid=mid))), {one: "sent", full: "sent"})
        self.assertRegex(self.relais.wait_message(one, mid), rb"\swith %s\b" % protocol)
        mid = message_id()
        queue_id = self.send([one, two, full, nobody], message(sender=ANN, mid=mid, body=".\r\n..\r\n"))
        self.assertEqual(self.fates(queue_id), {one: "sent", two: "sent", full: "deferred", nobody: "bounced"})
        words = {address: words for address, (_, words) in sent_lines(self.postfix, queue_id).items()}
        self.assertIn("said: 452 4.2.2 ", words[full])
        self.assertIn("said: 550 5.1.1 ", words[nobody])
        _, _, (field,), _ = parts(self.bounced(mid))
        self.assertEqual((field["Final-Recipient"], field["Status"]), ("rfc822; " + nobody, "5.1.1"))
        self.relais.cli("account", "set", full, "--quota-messages", "100")
        self.postfix.flush()
        self.relais.wait_message(full, mid)
        self.postfix.wait_queue_empty()
        for user in (one, two, full):
            got, = self.relais.with_id(user, mid)
            self.assertTrue(got.endswith(b"\r\n\r\n.\r\n..\r\n"))

    def test_over_tcp(self):
        self.each_has_a_fate("inet.test", b"LMTPS")
        self.postfix.wait_line("postfix/lmtp", "Verified TLS connection established to 127.0.0.1[127.0.0.1]:%d" % self.relais.ports["lmtp"])

    def test_over_a_unix_socket(self):
        self.each_has_a_fate("unix.test", b"LMTP")
        self.assertTrue(self.postfix.lines("to=<one@unix.test>", "[%s]" % self.socket, "status=sent"))


def cyrus():
    """Whether Postfix's client can log in: the mechanisms of Cyrus SASL are there."""
    return any(Path("/usr/lib").glob("*/sasl2/libplain.so"))


@needs_postfix
@unittest.skipUnless(cyrus(), "libsasl2-modules is not installed")
class LogsIn(Sends):
    """A Postfix without mailboxes, whose mail all goes to the submission port, with a login."""

    MECHANISMS = {"plain.test": "plain", "login.test": "login", "sha1.test": "scram-sha-1", "sha256.test": "scram-sha-256"}

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        for domain in [*cls.MECHANISMS, "wrong.test", "over.test"]:
            server.add_domain(domain)
            server.add_account("one@" + domain)

    @classmethod
    def make(cls, port):
        starttls, implicit = cls.relais.ports["submission"], cls.relais.ports["submissions"]
        routes = {domain: "%s:[127.0.0.1]:%d" % (mechanism, starttls) for domain, mechanism in cls.MECHANISMS.items()}
        routes.update({"wrong.test": "wrong:[127.0.0.1]:%d" % starttls, "over.test": "over:[127.0.0.1]:%d" % implicit})
        made = Postfix(port=port, people=[ANN], routes=routes, settings=certified())
        login = {"smtp_sasl_auth_enable": "yes", "smtp_sasl_tls_security_options": "noanonymous", "smtp_sender_dependent_authentication": "yes"}

        def passwords(name, password):
            file = made.config / name
            file.write_text("alice@near.test alice@near.test:%s\n" % password)
            return "texthash:%s" % file
        for mechanism in cls.MECHANISMS.values():
            made.service(mechanism + " unix - - n - - smtp", smtp_sasl_mechanism_filter=mechanism, smtp_sasl_password_maps=passwords("right", PASSWORD), **login)
        # What Cyrus SASL likes best of all that is offered.
        made.service("over unix - - n - - smtp", smtp_tls_wrappermode="yes", smtp_sasl_password_maps=passwords("right", PASSWORD), **login)
        made.service("wrong unix - - n - - smtp", smtp_sasl_password_maps=passwords("wrong", "wrong"), **login)
        return made

    def submitted(self, domain):
        mid = message_id()
        queue_id = self.send("one@" + domain, message(to="one@" + domain, sender="alice@near.test", mid=mid), sender="alice@near.test")
        return mid, sent_lines(self.postfix, queue_id)["one@" + domain]

    def test_each_mechanism(self):
        for domain, mechanism in self.MECHANISMS.items():
            with self.subTest(mechanism):
                mid, (status, words) = self.submitted(domain)
                self.assertEqual(status, "sent", words)
                self.assertIn(b"with ESMTPSA", self.relais.wait_message("one@" + domain, mid))

    def test_tls_from_the_start(self):
        mid, (status, words) = self.submitted("over.test")
        self.assertEqual(status, "sent", words)
        self.assertIn(b"with ESMTPSA", self.relais.wait_message("one@over.test", mid))

    def test_a_wrong_password_keeps_the_mail(self):
        _, (status, words) = self.submitted("wrong.test")
        self.assertEqual(status, "deferred", words)
        self.assertRegex(words, r"SASL authentication failed; server 127\.0\.0\.1\[127\.0\.0\.1\] said: 535 5\.7\.8 ")

    def test_somebody_else_may_not_be_the_sender(self):
        # Nobody has a password for this sender: Postfix does not log in.
        mid = message_id()
        queue_id = self.send("one@plain.test", message(sender=ANN, mid=mid))
        status, words = sent_lines(self.postfix, queue_id)["one@plain.test"]
        self.assertEqual(status, "bounced", words)
        self.assertIn("530 5.7.0", words)


if __name__ == "__main__":
    unittest.main()
