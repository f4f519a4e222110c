"""Clients that no one here wrote send mail: Python's smtplib, curl, swaks. Where it arrives is read back over IMAP."""

import base64
import email
import smtplib
import subprocess
import unittest

from harness import PASSWORD, ServerCase, certificate, folder, message, message_id, needs, run, tls_context

USERS = ("alice", "bob", "carol", "dave")


class Office(ServerCase):
    """A domain with every kind of address."""

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        server.add_domain("catch.test")
        server.add_account("keeper@catch.test")
        server.cli("domain", "set", "catch.test", "--catch-all", "keeper@catch.test")
        server.add_alias("team@example.test", "alice@example.test", "bob@example.test", "carol@example.test")
        server.add_alias("nested@example.test", "team@example.test", "bob@example.test", "dave@example.test")
        server.add_alias("everybody@example.test", "")
        server.add_alias("drop@example.test", ":blackhole:")

    def arrived(self, mid, *users, domain="example.test"):
        """Each of these users, and none of the others, has the message, once."""
        for user in users:
            self.relais.wait_message("%s@%s" % (user, domain), mid)
        for user in USERS:
            count = len(self.relais.with_id("%s@example.test" % user, mid))
            self.assertEqual(count, 1 if user in users and domain == "example.test" else 0, "%s has it %d times" % (user, count))


class Smtplib(Office):
    """Python's smtplib on all three ports."""

    def mx(self):
        client = smtplib.SMTP("127.0.0.1", self.relais.ports["mx"], local_hostname="client.test", timeout=30)
        self.addCleanup(client.close)
        return client

    def send(self, *recipients, sender="writer@remote.test"):
        mid = message_id()
        octets = message(to=recipients[0], sender=sender, mid=mid)
        with self.mx() as client:
            self.assertEqual(client.sendmail(sender, recipients, octets), {})
        return mid, octets

    def refused(self, recipient, code, enhanced):
        with self.mx() as client:
            with self.assertRaises(smtplib.SMTPRecipientsRefused) as refused:
                client.sendmail("writer@remote.test", [recipient], message(to=recipient))
        (given, text), = refused.exception.recipients.values()
        self.assertEqual((given, text.split(b" ")[0].split(b"\n")[0].decode()), (code, enhanced), text)

    def test_a_mailbox(self):
        mid, octets = self.send("alice@example.test")
        self.arrived(mid, "alice")
        got = self.relais.with_id("alice@example.test", mid)[0]
        self.assertTrue(got.endswith(octets), "the message is not kept as it was sent")
        before = got[:-len(octets)].decode()
        self.assertRegex(before, r"(?i)^Return-Path: <writer@remote\.test>\r\n")
        self.assertRegex(before, r"(?i)\r\nReceived: from client\.test \(\[127\.0\.0\.1\]\)\r\n\tby mx\.example\.test with ESMTP ")
        self.assertIn("for <alice@example.test>", before)

    def test_an_address_in_other_case(self):
        self.arrived(self.send("ALICE@Example.TEST")[0], "alice")

    def test_an_alias_with_three_targets(self):
        mid, octets = self.send("team@example.test")
        self.arrived(mid, "alice", "bob", "carol")
        for user in ("alice", "bob", "carol"):
            self.assertTrue(self.relais.with_id(user + "@example.test", mid)[0].endswith(octets))

    def test_an_alias_within_an_alias_reaches_each_once(self):
        self.arrived(self.send("nested@example.test")[0], "alice", "bob", "carol", "dave")

    def test_several_recipients_that_overlap_reach_each_once(self):
        mid, _ = self.send("alice@example.test", "team@example.test", "nested@example.test", "alice@example.test")
        self.arrived(mid, "alice", "bob", "carol", "dave")

    def test_an_alias_without_target_reaches_all_users(self):
        self.arrived(self.send("everybody@example.test")[0], "alice", "bob", "carol", "dave")

    def test_the_blackhole_takes_and_drops(self):
        mid, _ = self.send("drop@example.test")
        # Messages after it have arrived, so this one would have, too.
        self.arrived(self.send("nested@example.test")[0], "alice", "bob", "carol", "dave")
        self.arrived(mid)
        self.assertEqual(self.relais.queue(), [])

    def test_the_blackhole_beside_a_mailbox(self):
        self.arrived(self.send("drop@example.test", "bob@example.test")[0], "bob")

    def test_a_subaddress(self):
        self.arrived(self.send("alice+news@example.test")[0], "alice")

    def test_a_subaddress_of_an_alias(self):
        self.arrived(self.send("team+news@example.test")[0], "alice", "bob", "carol")

    def test_catch_all(self):
        mid, _ = self.send("whoever@catch.test")
        self.arrived(mid, "keeper", domain="catch.test")

    def test_catch_all_does_not_take_what_exists(self):
        mid, _ = self.send("keeper@catch.test")
        self.relais.wait_message("keeper@catch.test", mid)
        self.assertEqual(len(self.relais.with_id("keeper@catch.test", mid)), 1)

    def test_aliases_in_a_circle_are_refused(self):
        self.relais.add_alias("two@example.test", "dave@example.test")
        self.relais.add_alias("one@example.test", "two@example.test")
        done = self.relais.run("alias", "set", "two@example.test", "--to", "one@example.test")
        if done.returncode:
            # Refused where it would come to be.
            self.assertRegex(done.stderr, "one@example.test")
            self.arrived(self.send("one@example.test")[0], "dave")
        else:
            with self.mx() as client:
                client.ehlo()
                client.mail("writer@remote.test")
                code, text = client.rcpt("one@example.test")
            self.assertEqual(code // 100, 5, text)

    def test_switched_off(self):
        self.relais.add_account("off@example.test")
        self.relais.cli("account", "set", "off@example.test", "--disable")
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            self.relais.submit("off@example.test", "alice@example.test", message(sender="off@example.test"))
        # Mail still comes in, and is there when the account is back.
        mid = self.send("off@example.test")[0]
        self.relais.cli("account", "set", "off@example.test", "--enable")
        self.relais.wait_message("off@example.test", mid)
        self.relais.add_alias("off-alias@example.test", "alice@example.test")
        self.relais.cli("alias", "set", "off-alias@example.test", "--disable")
        self.refused("off-alias@example.test", 550, "5.1.1")
        self.relais.add_domain("off.test")
        self.relais.add_account("somebody@off.test")
        self.relais.cli("domain", "set", "off.test", "--disable")
        with self.mx() as client:
            client.ehlo()
            client.mail("writer@remote.test")
            self.assertEqual(client.rcpt("somebody@off.test")[0] // 100, 5)
        self.relais.cli("account", "remove", "off@example.test", "--force")
        self.refused("off@example.test", 550, "5.1.1")

    def test_a_password_that_was_changed(self):
        # The old one is worthless at once, although logins are remembered.
        self.relais.add_account("changing@example.test")
        self.relais.imap("changing@example.test").close()
        self.relais.cli("account", "set", "changing@example.test", "--password-file", "-", stdin="another pond, 4 herons\n")
        with self.relais.imap() as client:
            self.assertEqual(client.command('LOGIN "changing@example.test" "%s"' % PASSWORD).status, "NO")
            client.login("changing@example.test", "another pond, 4 herons")

    def test_postmaster_is_taken(self):
        # RFC 5321 §4.5.1: with and without a domain.
        with self.mx() as client:
            client.ehlo()
            client.mail("writer@remote.test")
            for path in ("<postmaster>", "<Postmaster@example.test>"):
                code, text = client.docmd("RCPT", "TO:" + path)
                self.assertEqual(code, 250, text)

    def test_an_unknown_user_is_refused(self):
        self.refused("nobody@example.test", 550, "5.1.1")

    def test_relaying_is_refused(self):
        self.refused("someone@elsewhere.test", 550, "5.7.1")

    def test_tricks_to_relay_are_refused(self):
        with self.mx() as client:
            client.ehlo()
            client.mail("alice@example.test")
            for path in ("<someone%elsewhere.test@example.test>", "<@example.test:someone@elsewhere.test>",
                         "<\"someone@elsewhere.test\"@example.test>", "<someone!elsewhere.test@example.test>",
                         "<\"someone@elsewhere.test\">", "<someone@elsewhere.test@example.test>", "<someone@[127.0.0.9]>"):
                code, text = client.docmd("RCPT", "TO:" + path)
                self.assertGreaterEqual(code, 500, "%s: %s" % (path, text))

    def test_a_known_and_an_unknown_recipient(self):
        mid = message_id()
        with self.mx() as client:
            refused = client.sendmail("writer@remote.test", ["bob@example.test", "nobody@example.test"], message(mid=mid))
        self.assertEqual([(to, code) for to, (code, _) in refused.items()], [("nobody@example.test", 550)])
        self.arrived(mid, "bob")

    def test_the_null_reverse_path(self):
        mid = message_id()
        with self.mx() as client:
            client.sendmail("", ["carol@example.test"], message(mid=mid))
        self.arrived(mid, "carol")
        self.assertIn(b"Return-Path: <>\r\n", self.relais.with_id("carol@example.test", mid)[0])

    def test_extensions_are_announced(self):
        with self.mx() as client:
            client.ehlo()
            for name in ("pipelining", "size", "8bitmime", "smtputf8", "enhancedstatuscodes", "chunking", "starttls"):
                self.assertTrue(client.has_extn(name), name)
            self.assertFalse(client.has_extn("auth"), "AUTH is announced without TLS")
            client.starttls(context=tls_context())
            client.ehlo()
            self.assertFalse(client.has_extn("starttls"))

    def test_mx_by_tls(self):
        mid = message_id()
        with self.mx() as client:
            client.starttls(context=tls_context())
            client.sendmail("writer@remote.test", ["alice@example.test"], message(mid=mid))
        self.arrived(mid, "alice")
        self.assertRegex(self.relais.with_id("alice@example.test", mid)[0], rb"with ESMTPS\b")

    def test_utf8_addresses_and_headers(self):
        mid = message_id()
        octets = message(to="élise@example.test", sender="jürgen@remote.test", subject="Grüße an alle", mid=mid)
        with self.mx() as client:
            client.ehlo()
            client.sendmail("jürgen@remote.test", ["dave@example.test"], octets, mail_options=["SMTPUTF8", "BODY=8BITMIME"])
        self.arrived(mid, "dave")
        self.assertTrue(self.relais.with_id("dave@example.test", mid)[0].endswith(octets))

    def test_verify_tells_nothing(self):
        with self.mx() as client:
            client.ehlo()
            self.assertEqual(client.verify("alice")[0], 252)
            self.assertEqual(client.verify("nobody")[0], 252)
            self.assertTrue(client.help())
            self.assertEqual(client.noop()[0], 250)
            self.assertEqual(client.rset()[0], 250)

    def test_bdat(self):
        mid = message_id()
        octets = message(mid=mid, body=".\r\nA line.\r\n.\r\n..\r\nQUIT\r\n")
        with self.relais.smtp() as client:
            client.envelope("writer@remote.test", "alice@example.test")
            for start in range(0, len(octets), 17):
                part = octets[start:start + 17]
                client.send(b"BDAT %d\r\n%s" % (len(part), part))
                self.assertEqual(client.reply().code, 250)
            self.assertEqual(client.command("BDAT 0 LAST").code, 250)
        self.arrived(mid, "alice")
        self.assertTrue(self.relais.with_id("alice@example.test", mid)[0].endswith(octets))

    def test_dots_and_long_lines_and_eight_bits_survive(self):
        mid = message_id()
        body = ".\r\n..\r\n...x\r\n.x\r\n" + "x" * 998 + "\r\n" + "é" * 300 + "\r\n\r\n\r\n \t\r\nlast without end\r\n"
        octets = message(mid=mid, body=body)
        with self.relais.smtp() as client:
            client.deliver("writer@remote.test", "alice@example.test", octets)
        self.arrived(mid, "alice")
        self.assertTrue(self.relais.with_id("alice@example.test", mid)[0].endswith(octets))

    def test_a_message_of_ten_megabytes(self):
        mid = message_id()
        octets = message(mid=mid, body="".join("%075d\r\n" % n for n in range(10_000_000 // 77)))
        with self.mx() as client:
            client.sendmail("writer@remote.test", ["team@example.test"], octets)
        self.arrived(mid, "alice", "bob", "carol")
        self.assertTrue(self.relais.with_id("carol@example.test", mid)[0].endswith(octets))

    # -- submission

    def test_submission_by_starttls(self):
        for mechanism in ("PLAIN", "LOGIN"):
            with self.subTest(mechanism):
                mid = message_id()
                with smtplib.SMTP("127.0.0.1", self.relais.ports["submission"], timeout=30) as client:
                    client.ehlo()
                    self.assertFalse(client.has_extn("auth"))
                    client.starttls(context=tls_context())
                    client.ehlo()
                    self.assertIn(mechanism, client.esmtp_features["auth"].split())
                    client.user, client.password = "alice@example.test", PASSWORD
                    code, _ = client.auth(mechanism, getattr(client, "auth_" + mechanism.lower()))
                    self.assertEqual(code, 235)
                    client.sendmail("alice@example.test", ["bob@example.test"], message(sender="alice@example.test", mid=mid))
                self.arrived(mid, "bob")
                self.assertRegex(self.relais.with_id("bob@example.test", mid)[0], rb"with ESMTPSA\b")

    def test_submissions(self):
        mid = message_id()
        self.relais.submit("bob@example.test", "team@example.test", message(sender="bob@example.test", mid=mid))
        self.arrived(mid, "alice", "bob", "carol")

    def test_submission_demands_tls_and_login(self):
        with smtplib.SMTP("127.0.0.1", self.relais.ports["submission"], timeout=30) as client:
            client.ehlo()
            self.assertEqual(client.mail("alice@example.test")[0], 530)
            client.starttls(context=tls_context())
            client.ehlo()
            self.assertEqual(client.mail("alice@example.test")[0], 530)

    def test_a_wrong_password_is_refused(self):
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], context=tls_context(), timeout=30) as client:
            for user, password in (("alice@example.test", "wrong"), ("nobody@example.test", PASSWORD)):
                client.ehlo_or_helo_if_needed()
                code, _ = client.docmd("AUTH PLAIN", base64.b64encode(("\0%s\0%s" % (user, password)).encode()).decode())
                self.assertEqual(code, 535, user)
            client.login("alice@example.test", PASSWORD)

    def test_a_foreign_identity_is_refused(self):
        # Safe from the first minute: senders may use only their own identities.
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], context=tls_context(), timeout=30) as client:
            client.login("alice@example.test", PASSWORD)
            client.ehlo_or_helo_if_needed()
            replies = [client.mail("bob@example.test"), client.rcpt("carol@example.test")]
            self.assertTrue(any(500 <= code < 600 for code, _ in replies), replies)

    def test_a_foreign_author_is_refused(self):
        # R6: From counts as well as the envelope.
        with self.assertRaises(smtplib.SMTPDataError) as refused:
            self.relais.submit("alice@example.test", "carol@example.test", message(sender="bob@example.test"))
        self.assertEqual(refused.exception.smtp_code, 550)
        self.assertTrue(refused.exception.smtp_error.startswith(b"5.7.1 "))

    def test_a_member_of_an_alias_may_send_as_it(self):
        mid = message_id()
        self.relais.submit("team@example.test", "dave@example.test", message(sender="team@example.test", mid=mid), user="bob@example.test")
        self.arrived(mid, "dave")
        with self.assertRaises(smtplib.SMTPResponseException) as refused:
            self.relais.submit("team@example.test", "dave@example.test", message(sender="team@example.test"), user="dave@example.test")
        self.assertEqual(refused.exception.smtp_code, 550)

    def test_an_unknown_user_is_refused_at_submission(self):
        with self.assertRaises(smtplib.SMTPRecipientsRefused) as refused:
            self.relais.submit("alice@example.test", "nobody@example.test", message())
        self.assertEqual(refused.exception.recipients["nobody@example.test"][0], 550)

    def test_mx_takes_no_login(self):
        with self.mx() as client:
            client.starttls(context=tls_context())
            client.ehlo()
            self.assertFalse(client.has_extn("auth"))


@needs("curl")
class Curl(Office):
    """curl sends by SMTP and reads by IMAP."""

    def curl(self, *arguments, fails=False):
        done = subprocess.run(["curl", "--silent", "--show-error", "--max-time", "30", "--cacert", str(certificate().chain)]
                              + [str(argument) for argument in arguments], capture_output=True, timeout=60)
        if not fails:
            self.assertEqual(done.returncode, 0, done.stderr.decode())
        return done

    def file(self, octets):
        path = folder("curl") / "message"
        path.write_bytes(octets)
        return path

    def login(self, user="alice@example.test"):
        return ["--user", "%s:%s" % (user, PASSWORD)]

    def imaps(self, path=""):
        return "imaps://127.0.0.1:%d/%s" % (self.relais.ports["imaps"], path)

    def test_smtp_to_the_mx_port(self):
        mid = message_id()
        self.curl("--mail-from", "writer@remote.test", "--mail-rcpt", "alice@example.test", "--mail-rcpt", "bob@example.test",
                  "--upload-file", self.file(message(mid=mid)), "smtp://127.0.0.1:%d/client.test" % self.relais.ports["mx"])
        self.arrived(mid, "alice", "bob")

    def test_smtp_with_starttls_and_login(self):
        mid = message_id()
        self.curl("--ssl-reqd", *self.login(), "--mail-from", "alice@example.test", "--mail-rcpt", "team@example.test",
                  "--upload-file", self.file(message(sender="alice@example.test", mid=mid)), "smtp://127.0.0.1:%d" % self.relais.ports["submission"])
        self.arrived(mid, "alice", "bob", "carol")

    def test_smtps_with_each_mechanism(self):
        for mechanism in ("PLAIN", "LOGIN"):
            with self.subTest(mechanism):
                mid = message_id()
                self.curl(*self.login(), "--login-options", "AUTH=" + mechanism, "--mail-from", "alice@example.test",
                          "--mail-rcpt", "dave@example.test", "--upload-file", self.file(message(sender="alice@example.test", mid=mid)),
                          "smtps://127.0.0.1:%d" % self.relais.ports["submissions"])
                self.arrived(mid, "dave")

    def test_an_unknown_user(self):
        done = self.curl("--verbose", "--mail-from", "writer@remote.test", "--mail-rcpt", "nobody@example.test", "--upload-file",
                         self.file(message()), "smtp://127.0.0.1:%d" % self.relais.ports["mx"], fails=True)
        self.assertEqual(done.returncode, 55, done.stderr)
        self.assertIn(b"< 550 5.1.1 ", done.stderr)

    def test_verify(self):
        done = self.curl("--request", "VRFY", "--mail-rcpt", "alice@example.test",
                         "smtp://127.0.0.1:%d" % self.relais.ports["mx"], fails=True)
        self.assertIn(b"252", done.stdout + done.stderr)

    def test_imap_list_append_search_fetch_and_flags(self):
        listed = self.curl(*self.login(), self.imaps()).stdout.decode()
        for name in ("INBOX", "Sent", "Drafts", "Trash", "Junk"):
            self.assertRegex(listed, r'(?m)^\* LIST \([^)]*\) "/" "?%s"?\r$' % name)
        mid = message_id()
        octets = message(subject="needle-%s" % mid[1:9], mid=mid)
        self.curl(*self.login(), "--upload-file", self.file(octets), self.imaps("Drafts"))
        found = self.curl(*self.login(), self.imaps("Drafts?HEADER%20Message-ID%20" + mid.strip("<>"))).stdout.decode()
        self.assertRegex(found, r"^\* SEARCH \d+\r\n$")
        number = found.split()[2]
        got = self.curl(*self.login(), self.imaps("Drafts;MAILINDEX=%s" % number)).stdout
        self.assertEqual(got, octets)
        head = self.curl(*self.login(), self.imaps("Drafts;MAILINDEX=%s;SECTION=HEADER.FIELDS%%20(SUBJECT)" % number)).stdout
        self.assertEqual(head, b"Subject: needle-%s\r\n\r\n" % mid[1:9].encode())
        self.curl(*self.login(), "--request", "STORE %s +FLAGS (\\Flagged)" % number, self.imaps("Drafts"))
        flags = self.curl(*self.login(), "--request", "FETCH %s (FLAGS UID)" % number, self.imaps("Drafts")).stdout.decode()
        self.assertRegex(flags, r"\\Flagged")
        uid = flags.split("UID ")[1].split(")")[0].split(" ")[0]
        self.assertEqual(self.curl(*self.login(), self.imaps("Drafts;UID=%s" % uid)).stdout, octets)
        self.curl(*self.login(), "--request", "MOVE %s Trash" % number, self.imaps("Drafts"))
        self.assertEqual(len(self.relais.with_id("alice@example.test", mid, "Drafts")), 0)
        self.assertEqual(len(self.relais.with_id("alice@example.test", mid, "Trash")), 1)

    def test_imap_with_starttls(self):
        listed = self.curl("--ssl-reqd", *self.login(), "imap://127.0.0.1:%d/" % self.relais.ports["imap"]).stdout
        self.assertIn(b"INBOX", listed)

    def test_imap_wrong_password(self):
        done = self.curl("--user", "alice@example.test:wrong", self.imaps(), fails=True)
        self.assertEqual(done.returncode, 67, done.stderr)


@needs("swaks")
class Swaks(Office):
    """swaks, the Swiss Army knife for SMTP."""

    def swaks(self, service, *arguments, fails=False):
        done = run(["swaks", "--server", "127.0.0.1", "--port", self.relais.ports[service], "--helo", "client.test",
                    "--timeout", "30"] + list(arguments))
        if not fails:
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return done

    def submit(self, service, *arguments):
        mid = message_id()
        done = self.swaks(service, "--from", "alice@example.test", "--to", "bob@example.test", "--h-Message-Id", mid, *arguments)
        self.arrived(mid, "bob")
        return done.stdout

    def auth(self, mechanism):
        return ["--auth", mechanism, "--auth-user", "alice@example.test", "--auth-password", PASSWORD]

    def test_mx(self):
        mid = message_id()
        self.swaks("mx", "--from", "writer@remote.test", "--to", "team@example.test,dave@example.test", "--h-Message-Id", mid)
        self.arrived(mid, *USERS)

    def test_mx_by_tls_and_pipelining(self):
        mid = message_id()
        self.swaks("mx", "--tls", "--pipeline", "--from", "writer@remote.test", "--to", "alice@example.test", "--h-Message-Id", mid)
        self.arrived(mid, "alice")

    def test_auth_plain_by_starttls(self):
        self.assertIn("<~  235 ", self.submit("submission", "--tls", *self.auth("PLAIN")))

    def test_auth_login_by_starttls(self):
        self.assertIn("<~  235 ", self.submit("submission", "--tls", *self.auth("LOGIN")))

    def test_auth_plain_by_implicit_tls(self):
        self.submit("submissions", "--tls-on-connect", *self.auth("PLAIN"))

    def test_auth_login_by_implicit_tls_and_pipelining(self):
        self.submit("submissions", "--tls-on-connect", "--pipeline", *self.auth("LOGIN"))

    def test_auth_without_tls_is_not_offered(self):
        done = self.swaks("submission", "--from", "alice@example.test", "--to", "bob@example.test", *self.auth("PLAIN"), fails=True)
        self.assertEqual(done.returncode, 28, done.stdout)

    def test_auth_by_force_without_tls_is_refused(self):
        initial = base64.b64encode(("\0alice@example.test\0" + PASSWORD).encode()).decode()
        with self.relais.smtp("submission") as client:
            self.assertIn(client.command("AUTH PLAIN " + initial).status, ("538 5.7.11", "530 5.7.0"))

    def test_an_unknown_user(self):
        done = self.swaks("mx", "--from", "writer@remote.test", "--to", "nobody@example.test", fails=True)
        self.assertEqual(done.returncode, 24, done.stdout)
        self.assertIn("<** 550 5.1.1 ", done.stdout)

    def test_relaying(self):
        done = self.swaks("mx", "--from", "alice@example.test", "--to", "someone@elsewhere.test", fails=True)
        self.assertEqual(done.returncode, 24, done.stdout)
        self.assertIn("<** 550 5.7.1 ", done.stdout)

    def test_an_attachment_arrives_whole(self):
        path = folder("attachment") / "picture.bin"
        path.write_bytes(bytes(range(256)) * 4000)
        mid = message_id()
        self.swaks("mx", "--from", "writer@remote.test", "--to", "carol@example.test", "--h-Message-Id", mid,
                   "--attach", "@%s" % path)
        got = self.relais.wait_message("carol@example.test", mid)
        parts = [part for part in email.message_from_bytes(got).walk() if not part.is_multipart()]
        self.assertIn(path.read_bytes(), [part.get_payload(decode=True) for part in parts])


if __name__ == "__main__":
    unittest.main()
