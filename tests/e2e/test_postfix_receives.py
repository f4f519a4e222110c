"""Postfix as the receiving side: as the server of other domains, as a smart host that wants a login, and as MX hosts.

Runs in a network namespace of its own: MX hosts listen at port 25 of 192.0.2.2 and on, and a name server at 127.0.0.1:53.
"""

import hashlib
import os
import re
import smtplib
import subprocess
import unittest

from harness import PASSWORD, ServerCase, TestCase, certificate, folder, free_port, loopback_up, message, message_id, namespace, run, tls_context, until
from postfix import Policy, Postfix, Tap, needs_postfix, parts
from remote import Dns, Remote
from test_remote import HostCertificate, report

ALICE = "alice@near.test"
SECRET = "open sesame"
CROWD = ["u%02d@far.test" % n for n in range(30)]
FIRST, SECOND = "192.0.2.2", "192.0.2.3"


class Receives(ServerCase):
    """A Relais for near.test."""

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_account(ALICE)

    def tearDown(self):
        # Nothing of one test waits for the next.
        self.relais.cli("queue", "remove", "--all")

    def submit(self, *recipients, mail_options=(), rcpt_options=(), **about):
        mid = message_id("near.test")
        octets = message(to=recipients[0], sender=ALICE, mid=mid, **about)
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=60, context=tls_context()) as client:
            client.login(ALICE, PASSWORD)
            client.sendmail(ALICE, list(recipients), octets, mail_options, rcpt_options)
        return mid, octets

    def waiting(self, recipient):
        """Waits until an attempt for somebody has failed; the entry."""
        def look():
            return [one for one in self.relais.json("queue", "list", "--recipient", recipient) if one["attempts"] > 0]
        return until(look, what="a deferred message for %s" % recipient)[0]

    def notices(self, mid):
        """The notices about a message that alice has."""
        return [octets for octets in self.relais.messages(ALICE).values() if b"multipart/report" in octets and mid.encode() in octets]

    def notice(self, mid):
        """The one notice about a message, once it has come and nothing more is to come."""
        until(lambda: self.notices(mid), what="a notice")
        self.relais.wait_queue_empty()
        found = self.notices(mid)
        self.assertEqual(len(found), 1)
        return found[0]

    def failed(self, mid):
        """The fields about the one recipient of whom our notice says that it failed."""
        _, text, about, (field,), _ = report(self.notice(mid))
        self.assertRegex(about["Reporting-MTA"], "^dns; mx.near.test$")
        self.assertEqual(field["Action"], "failed")
        field.replace_header("Diagnostic-Code", " ".join(field["Diagnostic-Code"].split()))
        return field, text

    def trace(self, mid, words):
        until(lambda: words in self.relais.cli("trace", "--message-id", mid), what="the trace to have %r" % words)


@needs_postfix
@namespace("net")
class AsServer(Receives):
    """Domains whose server is one Postfix, at ports that offer different things."""

    @classmethod
    def setUpClass(cls):
        loopback_up()
        cls.policy = Policy(cls.decide)
        cls.addClassCleanup(cls.policy.close)
        cls.third = Remote(extensions=("PIPELINING",))
        cls.addClassCleanup(cls.third.close)
        cls.seen = set()
        identity = HostCertificate(folder("identity"))
        domains = {"far.test": {}, "plain.test": {"smtpd_tls_security_level": "none"}, "silent.test": {"smtpd_discard_ehlo_keywords": "dsn"},
                   "ascii.test": {"smtputf8_enable": "no"}, "small.test": {"message_size_limit": "100000"},
                   "old.test": {"smtpd_discard_ehlo_keywords": "pipelining,8bitmime,size,dsn,smtputf8,chunking,enhancedstatuscodes,starttls"},
                   "reuse.test": {"smtpd_tls_security_level": "encrypt"},
                   "narrow.test": {"smtpd_client_connection_count_limit": "1", "smtpd_client_event_limit_exceptions": ""}}
        cls.postfix = Postfix(
            people=["%s@%s" % (name, domain) for domain in domains for name in ("ann", "ben", "müller")] + CROWD +
                   [name + "@far.test" for name in ("grey", "patient", "data", "end")],
            certificate=identity, settings={
                "smtpd_recipient_restrictions": "check_policy_service " + cls.policy.where,
                "smtpd_data_restrictions": "check_policy_service " + cls.policy.where,
                "smtpd_end_of_data_restrictions": "check_policy_service " + cls.policy.where})
        checks = cls.postfix.config / "header_checks"
        checks.write_text("/^Subject: .*lottery/ REJECT no lotteries here\n")
        cls.postfix.settings["header_checks"] = "regexp:%s" % checks
        ports = {domain: cls.postfix.listen(syslog_name="postfix/" + domain.partition(".")[0], **options) for domain, options in domains.items()}
        cls.tap = Tap(ports["plain.test"])
        cls.addClassCleanup(cls.tap.close)
        there = {domain: ("127.0.0.1", port) for domain, port in ports.items()}
        there["plain.test"] = ("127.0.0.1", cls.tap.here)
        # Postfix sends it on, to a server without DSN.
        there["third.test"] = there["far.test"]
        route = {"name": "one-by-one", "host": "127.0.0.1", "port": ports["reuse.test"], "tls": "starttls", "ca_file": identity.chain,
                 "recipient_domains": ["reuse.test"], "deliveries_max": 1}
        cls.options = dict(hostname="mx.near.test", destinations=there, routes=[route], settings={"queue": {"connection_idle_secs": 60}})
        super().setUpClass()
        cls.postfix.send_to({"near.test": cls.relais.ports["mx"], "third.test": cls.third.port})
        cls.addClassCleanup(cls.postfix.stop)
        cls.postfix.start()

    @classmethod
    def decide(cls, about):
        """What the policy of this Postfix is."""
        state, recipient = about["protocol_state"], about["recipient"]
        if (state, recipient) in (("RCPT", "grey@far.test"), ("END-OF-MESSAGE", "patient@far.test")):
            known = (state, about["sender"], recipient)
            if known not in cls.seen:
                cls.seen.add(known)
                return "DEFER 4.2.0 Greylisted, come again"
        if (state, recipient) == ("DATA", "data@far.test"):
            return "550 5.7.1 Not by you"
        if (state, recipient) == ("END-OF-MESSAGE", "end@far.test"):
            return "554 5.7.1 Not this one"
        return "DUNNO"

    def connections(self, name):
        return len(self.postfix.lines("postfix/%s/smtpd" % name, ": connect from"))

    def test_starttls(self):
        mid, octets = self.submit("ann@far.test", body=".\r\n..\r\n.dot\r\nlast\r\n")
        got = self.postfix.wait_message("ann@far.test", mid)
        self.assertTrue(got.endswith(octets))
        self.assertIn(b"Return-Path: <alice@near.test>\r\n", got)
        self.assertRegex(got, rb"(?s)Received: from mx\.near\.test .*by mx\.far\.test \(Postfix\) with ESMTPS ")
        self.assertTrue(self.postfix.lines("postfix/far/smtpd", "Anonymous TLS connection established from unknown[127.0.0.1]: TLSv1.3"))
        self.trace(mid, "over TLS 1.3")

    def test_pipelining(self):
        before = len(self.tap.said)
        # No reply passes before both recipients are there.
        self.tap.until_said = lambda said: said.count(b"RCPT TO:") == 2
        mid, _ = self.submit("ann@plain.test", "ben@plain.test")
        for person in ("ann@plain.test", "ben@plain.test"):
            self.postfix.wait_message(person, mid)
        self.assertRegex(self.tap.text(before), r"MAIL FROM:<alice@near\.test> SIZE=\d+.*\r\nRCPT TO:<\w+@plain\.test>\r\nRCPT TO:<\w+@plain\.test>\r\nDATA\r\n")
        self.trace(mid, "without TLS")

    def test_one_transaction_for_many(self):
        mid, _ = self.submit(*CROWD)
        self.relais.wait_queue_empty()
        for person in CROWD:
            self.postfix.wait_message(person, mid)
        line = self.postfix.wait_line("message-id=" + mid)
        queue_id = re.search(r": (\w+): message-id=", line).group(1)
        self.postfix.wait_line(queue_id, "nrcpt=30")
        self.assertEqual(len(self.postfix.lines("message-id=" + mid)), 1)

    def test_somebody_who_is_not_there(self):
        mid, _ = self.submit("ann@far.test", "nobody@far.test", "ben@far.test")
        field, text = self.failed(mid)
        self.assertEqual((field["Final-Recipient"], field["Status"]), ("rfc822; nobody@far.test", "5.1.1"))
        self.assertRegex(field["Diagnostic-Code"], r"^smtp; 550 5\.1\.1 <nobody@far\.test>: Recipient address rejected: User unknown")
        self.assertIn("nobody@far.test", text)
        for person in ("ann@far.test", "ben@far.test"):
            self.postfix.wait_message(person, mid)

    def test_refused_at_data(self):
        mid, _ = self.submit("data@far.test")
        field, _ = self.failed(mid)
        self.assertEqual(field["Status"], "5.7.1")
        self.assertIn("Not by you", field["Diagnostic-Code"])

    def test_refused_behind_the_message(self):
        mid, _ = self.submit("end@far.test")
        field, _ = self.failed(mid)
        self.assertEqual(field["Status"], "5.7.1")
        self.assertIn("554 5.7.1 <END-OF-MESSAGE>: End-of-data rejected: Not this one", field["Diagnostic-Code"])

    def test_refused_for_its_header(self):
        mid, _ = self.submit("ann@far.test", "ben@far.test", subject="You have won the lottery")
        _, _, _, fields, _ = report(self.notice(mid))
        self.assertEqual(sorted((one["Final-Recipient"], one["Status"], one["Action"]) for one in fields), [
            ("rfc822; %s@far.test" % name, "5.7.1", "failed") for name in ("ann", "ben")])
        self.assertIn("no lotteries here", " ".join(fields[0]["Diagnostic-Code"].split()))

    def greylisted(self, person, *others):
        mid, _ = self.submit(person, *others)
        entry = self.waiting(person)
        self.assertIn("Greylisted, come again", self.relais.cli("queue", "show", str(entry["id"])))
        self.relais.cli("queue", "retry", str(entry["id"]))
        self.postfix.wait_message(person, mid)
        self.relais.wait_queue_empty()
        for one in (person, *others):
            self.assertEqual(len(self.postfix.with_id(one, mid)), 1)

    def test_greylisting(self):
        self.greylisted("grey@far.test", "ann@far.test")

    def test_greylisting_behind_the_message(self):
        self.greylisted("patient@far.test")

    def test_dsn_is_handed_over(self):
        mid, _ = self.submit("ann@far.test", mail_options=["ENVID=QQ+2B1", "RET=HDRS"], rcpt_options=["NOTIFY=SUCCESS", "ORCPT=rfc822;Ann@far.test"])
        octets = self.notice(mid)
        text, about, (field,), _ = parts(octets)
        self.assertEqual(about["Reporting-MTA"], "dns; mx.far.test")
        self.assertEqual(about["Original-Envelope-Id"], "QQ+1")
        self.assertEqual((field["Action"], field["Final-Recipient"]), ("delivered", "rfc822; ann@far.test"))
        self.assertEqual(field["Original-Recipient"], "rfc822;Ann@far.test")
        self.assertIn("This is the mail system at host mx.far.test", text)

    def test_relayed_where_there_is_no_dsn(self):
        mid, _ = self.submit("ann@silent.test", mail_options=["ENVID=QQ+2B1"], rcpt_options=["NOTIFY=SUCCESS"])
        _, _, about, (field,), _ = report(self.notice(mid))
        self.assertEqual((about["Reporting-MTA"], about["Original-Envelope-Id"]), ("dns; mx.near.test", "QQ+1"))
        self.assertEqual((field["Action"], field["Final-Recipient"], field["Status"][0]), ("relayed", "rfc822; ann@silent.test", "2"))
        self.postfix.wait_message("ann@silent.test", mid)

    def test_relayed_by_postfix(self):
        mid, _ = self.submit("ann@third.test", rcpt_options=["NOTIFY=SUCCESS"])
        _, about, (field,), _ = parts(self.notice(mid))
        self.assertEqual((about["Reporting-MTA"], field["Action"]), ("dns; mx.far.test", "relayed"))
        self.third.wait(lambda messages: any(mid.encode() in one.content for one in messages))

    def test_no_notice_where_none_is_wanted(self):
        mid, _ = self.submit("nobody@far.test", rcpt_options=["NOTIFY=NEVER"])
        later, _ = self.submit("nobody@far.test")
        self.failed(later)
        self.assertEqual(self.notices(mid), [])

    def test_smtputf8(self):
        mid, octets = self.submit("müller@far.test", subject="Grüße aus Köln", mail_options=["SMTPUTF8", "BODY=8BITMIME"])
        got = self.postfix.wait_message("müller@far.test", mid)
        self.assertTrue(got.endswith(octets))
        self.assertRegex(got, rb"with UTF8SMTPS ")

    def test_smtputf8_that_is_not_offered(self):
        mid, _ = self.submit("müller@ascii.test", subject="Grüße", mail_options=["SMTPUTF8"])
        octets = self.notice(mid)
        self.assertIn(b"Status: 5.6.7", octets)
        self.assertIn("müller@ascii.test".encode(), octets)
        self.assertEqual(self.postfix.received("müller@ascii.test"), [])
        self.assertFalse(self.postfix.lines("postfix/ascii/smtpd", "reject:"))

    def test_eight_bits(self):
        about = {"body": "Grüße\r\n", "mail_options": ["BODY=8BITMIME"], "headers": [
            ("MIME-Version", "1.0"), ("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "8bit")]}
        for person in ("ann@far.test", "ann@old.test"):
            mid, octets = self.submit(person, **about)
            self.assertTrue(self.postfix.wait_message(person, mid).endswith(octets))

    def test_a_server_that_offers_nothing(self):
        mid, octets = self.submit("ann@old.test", "ben@old.test", "nobody@old.test")
        field, _ = self.failed(mid)
        # Without ENHANCEDSTATUSCODES, Postfix says them all the same.
        self.assertEqual((field["Final-Recipient"], field["Status"]), ("rfc822; nobody@old.test", "5.1.1"))
        for person in ("ann@old.test", "ben@old.test"):
            self.assertTrue(self.postfix.wait_message(person, mid).endswith(octets))

    def test_size(self):
        mid, _ = self.submit("ann@small.test", body="a line of the body\r\n" * 6000)
        field, _ = self.failed(mid)
        self.assertEqual(field["Status"], "5.3.4")
        self.assertFalse(self.postfix.lines("postfix/small/smtpd", "reject:"))
        mid, _ = self.submit("ann@small.test")
        self.postfix.wait_message("ann@small.test", mid)

    def test_a_big_message(self):
        body = ".%s\r\n" % ("x" * 70) * 300_000
        mid, octets = self.submit("ann@far.test", body=body)
        got = self.postfix.wait_message("ann@far.test", mid, seconds=180)
        self.assertEqual(hashlib.sha256(got[-len(octets):]).digest(), hashlib.sha256(octets).digest())

    def test_a_refused_message_leaves_nothing_for_the_next(self):
        # Postfix keeps its envelope: without RSET it would refuse the next one in the session.
        self.failed(self.submit("end@far.test")[0])
        mid, _ = self.submit("ann@far.test")
        self.postfix.wait_message("ann@far.test", mid)
        self.assertFalse(self.notices(mid))

    def test_messages_share_a_connection(self):
        before = self.connections("reuse")
        mids = [self.submit("ann@reuse.test")[0] for _ in range(20)]
        self.relais.wait_queue_empty()
        for mid in mids:
            self.postfix.wait_message("ann@reuse.test", mid)
        self.assertEqual(self.connections("reuse") - before, 1)
        self.trace(mids[0], "by the route one-by-one")
        self.assertTrue(self.postfix.lines("postfix/reuse/smtpd", "TLS connection established from unknown[127.0.0.1]: TLSv1.3"))

    def test_a_server_that_takes_one_connection_at_a_time(self):
        mids = [self.submit("ann@narrow.test")[0] for _ in range(15)]

        def done():
            if not self.relais.queue():
                return True
            self.relais.retry_queue()
            return False
        until(done, 120, what="all of them to leave")
        self.assertTrue(self.postfix.lines("postfix/narrow/smtpd", "Connection concurrency limit exceeded"))
        for mid in mids:
            self.postfix.wait_message("ann@narrow.test", mid)
            self.assertEqual(len(self.postfix.with_id("ann@narrow.test", mid)), 1)


DOVECOT = "/usr/sbin/dovecot"


@needs_postfix
@namespace("net")
@unittest.skipUnless(os.path.exists(DOVECOT) and os.path.exists("/usr/lib/dovecot/auth"), "Dovecot, which knows the passwords for Postfix, is not installed")
class AsSmartHost(Receives):
    """A Postfix that takes mail for anybody from who logs in; Dovecot knows the passwords."""

    @classmethod
    def setUpClass(cls):
        loopback_up()
        cls.certificate = HostCertificate(folder("identity"))
        login = {"smtpd_sasl_auth_enable": "yes", "smtpd_tls_auth_only": "yes"}
        cls.postfix = Postfix(people=["ann@far.test"], certificate=cls.certificate, settings={
            "mynetworks": "", "smtpd_relay_restrictions": "permit_sasl_authenticated, reject", "smtpd_recipient_restrictions": "permit_sasl_authenticated, reject",
            "smtpd_sasl_type": "dovecot", "smtpd_sasl_path": "private/auth"})
        cls.starttls = cls.postfix.listen(smtpd_tls_security_level="encrypt", **login)
        cls.implicit = cls.postfix.listen(smtpd_tls_wrappermode="yes", **login)
        cls.dovecot()
        cls.addClassCleanup(cls.postfix.stop)
        cls.postfix.start()

    @classmethod
    def tearDownClass(cls):
        pass

    def tearDown(self):
        pass

    @classmethod
    def dovecot(cls):
        home = folder("dovecot")
        (home / "users").write_text("relais:{PLAIN}%s\n" % SECRET)
        config = home / "dovecot.conf"
        config.write_text("""
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols =
ssl = no
first_valid_uid = 1
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = {home}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={home}
}}
service auth {{
  unix_listener {socket} {{
    mode = 0660
    user = postfix
  }}
}}
""".format(home=home, socket=cls.postfix.queues / "private/auth"))
        process = subprocess.Popen([DOVECOT, "-F", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        cls.addClassCleanup(process.wait)
        cls.addClassCleanup(process.terminate)
        until((cls.postfix.queues / "private/auth").exists, what="Dovecot")

    def near(self, port, tls, password=SECRET):
        file = folder("smart-host") / "password"
        file.write_text(password + "\n")
        self.relais = self.server(name="near", hostname="mx.near.test", settings={"queue.smart_host": {
            "host": "127.0.0.1", "port": port, "tls": tls, "login": "relais", "password_file": file, "ca_file": self.certificate.chain}})
        self.prepare(self.relais)
        self.relais.start()

    def passes(self, port, tls):
        self.near(port, tls)
        mid, octets = self.submit("ann@far.test")
        self.assertTrue(self.postfix.wait_message("ann@far.test", mid).endswith(octets))
        queue_id = re.search(r": (\w+): message-id=", self.postfix.wait_line("message-id=" + mid)).group(1)
        self.assertTrue(self.postfix.lines(queue_id, "sasl_method=PLAIN, sasl_username=relais"))
        self.relais.wait_queue_empty()
        self.relais.stop()

    def test_starttls(self):
        self.passes(self.starttls, "starttls")

    def test_tls_from_the_start(self):
        self.passes(self.implicit, "implicit")

    def test_a_wrong_password_keeps_the_mail(self):
        self.near(self.starttls, "starttls", password="wrong")
        self.submit("ann@far.test")
        entry = self.waiting("ann@far.test")
        self.assertIn("535 5.7.8", self.relais.cli("queue", "show", str(entry["id"])))
        self.assertEqual(self.relais.messages(ALICE), {})
        self.relais.stop()


@needs_postfix
@namespace("net")
class AsMx(Receives):
    """Two Postfixes that the DNS names for a domain."""

    options = {"hostname": "mx.near.test"}

    @classmethod
    def setUpClass(cls):
        loopback_up(FIRST, SECOND)
        resolv = folder("dns") / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
        cls.addClassCleanup(run, ["umount", "/etc/resolv.conf"])
        cls.dns = Dns({("far.test", "MX"): [(20, "two.hosts.test"), (10, "one.hosts.test")],
                       ("one.hosts.test", "A"): [FIRST], ("two.hosts.test", "A"): [SECOND]})
        cls.addClassCleanup(cls.dns.close)
        super().setUpClass()
        cls.hosts = [Postfix(name=name, hostname=name + ".hosts.test", people=["ann@far.test"], certificate=certificate(), address=address, port=25)
                     for name, address in (("one", FIRST), ("two", SECOND))]
        for host in cls.hosts:
            cls.addClassCleanup(host.stop)
        cls.hosts[1].start()

    def test_the_second_host_while_the_first_is_away(self):
        one, two = self.hosts
        mid, octets = self.submit("ann@far.test")
        got = two.wait_message("ann@far.test", mid)
        self.assertTrue(got.endswith(octets))
        self.assertRegex(got, rb"by two\.hosts\.test \(Postfix\) with ESMTPS ")
        self.trace(mid, "taken by two.hosts.test over TLS 1.3")
        one.start()
        # What is known of a host that was away is forgotten in time; an entry that is tried now, is tried there.
        mid, _ = self.submit("nobody@far.test", "ann@far.test")
        field = report(self.notice(mid))[3][0]
        self.assertEqual((field["Final-Recipient"], field["Status"]), ("rfc822; nobody@far.test", "5.1.1"))
        self.assertEqual(len(one.with_id("ann@far.test", mid)) + len(two.with_id("ann@far.test", mid)), 1)


if __name__ == "__main__":
    unittest.main()
