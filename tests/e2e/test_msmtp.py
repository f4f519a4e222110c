"""msmtp, the mail client of scripts and of mutt: it submits by every mechanism that it knows, over both ways to TLS."""

import json
import os
import subprocess
import time

from harness import PASSWORD, ServerCase, certificate, folder, message, message_id, needs, run
from test_oauth import ISSUER, Key

ALICE, BOB = "alice@example.test", "bob@example.test"
# What msmtp ends with (sysexits.h).
DATAERR, UNAVAILABLE, NOPERM = 65, 69, 77


def quoted(value):
    return '"%s"' % value


@needs("msmtp")
class Msmtp(ServerCase):

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        cls.where = folder("msmtp")
        server.add_account("full@example.test", quota_messages=1)
        server.add_alias("josé@example.test", ALICE)
        # Who signs the certificates of people, and alice's.
        cls.make_certificate("ca", "/CN=people")
        cls.make_certificate("alice", "/CN=alice", "-CA", cls.where / "ca.pem", "-CAkey", cls.where / "ca.key",
                             "-addext", "subjectAltName=email:" + ALICE, "-addext", "basicConstraints=critical,CA:FALSE")
        server.set("tls", client_ca_file=cls.where / "ca.pem")
        cls.key = Key(cls.where, "ES256", "k1")
        keys = cls.where / "keys.json"
        keys.write_text(json.dumps({"keys": [cls.key.jwk()]}))
        server.set("oauth", issuer=ISSUER, audiences=["relais"], keys_file=keys)

    @classmethod
    def make_certificate(cls, name, subject, *more):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                   "-subj", subject, "-keyout", cls.where / (name + ".key"), "-out", cls.where / (name + ".pem"), *more]
        subprocess.run([str(word) for word in command], check=True, capture_output=True)

    def msmtp(self, octets, *arguments, service="submissions", **settings):
        """Runs msmtp with an account of these settings; what it did, and its log."""
        home = folder("msmtp")
        about = {"host": "127.0.0.1", "port": self.relais.ports[service], "tls": "on", "tls_starttls": "off" if service == "submissions" else "on",
                 "tls_trust_file": certificate().chain, "tls_host_override": "localhost", "auth": "plain", "user": quoted(ALICE),
                 "password": quoted(PASSWORD), "from": ALICE, "logfile": home / "log", "domain": "client.test", **settings}
        config = home / "msmtprc"
        config.write_text("account default\n" + "".join("%s %s\n" % pair for pair in about.items() if pair[1] is not None))
        # The file has a password: msmtp wants nobody else to read it.
        config.chmod(0o600)
        done = run(["msmtp", "-C", config, *arguments], input=octets.decode().replace("\r\n", "\n"), env=dict(os.environ, HOME=str(home), LC_ALL="C.UTF-8"))
        return done, (home / "log").read_text() if (home / "log").exists() else ""

    def sends(self, service="submissions", **settings):
        """A message that must arrive."""
        mid = message_id()
        done, told = self.msmtp(message(to=BOB, sender=ALICE, mid=mid, body=".\r\n..\r\nlast\r\n"), BOB, service=service, **settings)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("recipients=bob@example.test", told)
        self.assertIn("smtpstatus=250", told)
        self.assertIn("exitcode=EX_OK", told)
        got = self.relais.wait_message(BOB, mid)
        self.assertRegex(got, rb"\swith ESMTPSA\b")
        self.assertTrue(got.endswith(b"\r\n\r\n.\r\n..\r\nlast\r\n"))

    def test_passwords(self):
        for service in ("submissions", "submission"):
            for mechanism in ("plain", "login", "scram-sha-1", "scram-sha-256", "on"):
                with self.subTest(mechanism, service=service):
                    self.sends(service, auth=mechanism)

    def test_tokens(self):
        for service in ("submissions", "submission"):
            for mechanism in ("oauthbearer", "xoauth2"):
                with self.subTest(mechanism, service=service):
                    self.sends(service, auth=mechanism, password=quoted(self.key.token()))

    def test_a_certificate(self):
        for service in ("submissions", "submission"):
            with self.subTest(service):
                self.sends(service, auth="external", user=ALICE, password=None, tls_cert_file=self.where / "alice.pem", tls_key_file=self.where / "alice.key")

    def test_a_program_that_tells_the_password(self):
        file = folder("secret") / "password"
        file.write_text(PASSWORD + "\n")
        self.sends(password=None, passwordeval=quoted("cat %s" % file))

    def test_the_mechanisms_that_are_offered(self):
        done = run(["msmtp", "--serverinfo", "--host=127.0.0.1", "--port=%d" % self.relais.ports["submissions"], "--tls=on", "--tls-starttls=off",
                    "--tls-trust-file=%s" % certificate().chain, "--tls-host-override=localhost"])
        self.assertEqual(done.returncode, 0, done.stderr)
        for part in ("PLAIN", "LOGIN", "SCRAM-SHA-1", "SCRAM-SHA-256", "OAUTHBEARER", "XOAUTH2", "PIPELINING", "DSN", "SIZE"):
            self.assertIn(part, done.stdout)

    def test_a_wrong_password(self):
        for mechanism in ("plain", "login", "scram-sha-1", "scram-sha-256"):
            with self.subTest(mechanism):
                done, told = self.msmtp(message(to=BOB, sender=ALICE), BOB, auth=mechanism, password=quoted("wrong"))
                self.assertEqual(done.returncode, NOPERM, done.stderr)
                self.assertIn("authentication failed (method %s)" % mechanism.upper(), done.stderr)
                self.assertIn("server message: 535 5.7.8 ", done.stderr)
                self.assertIn("exitcode=EX_NOPERM", told)

    def test_an_expired_token(self):
        for mechanism in ("oauthbearer", "xoauth2"):
            with self.subTest(mechanism):
                token = self.key.token(exp=int(time.time()) - 3600)
                done, _ = self.msmtp(message(to=BOB, sender=ALICE), BOB, auth=mechanism, password=quoted(token))
                self.assertEqual(done.returncode, NOPERM, done.stderr)

    def test_nothing_is_sent_without_a_login(self):
        done, told = self.msmtp(message(to=BOB, sender=ALICE), BOB, auth="off", user=None, password=None)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("530 5.7.0", done.stderr)

    def test_another_certificate_gets_no_password(self):
        done, _ = self.msmtp(message(to=BOB, sender=ALICE), BOB, tls_trust_file=self.where / "ca.pem")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("certificate verification failed", done.stderr)

    def test_read_recipients(self):
        mid = message_id()
        octets = message(to="Bob <%s>, carol@example.test" % BOB, sender=ALICE, mid=mid, headers=[("Cc", "dave@example.test"), ("Bcc", ALICE)])
        done, _ = self.msmtp(octets, "--read-recipients")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for user in (BOB, "carol@example.test", "dave@example.test", ALICE):
            self.assertNotIn(b"\r\nBcc:", self.relais.wait_message(user, mid))

    def test_utf_8(self):
        mid = message_id()
        octets = message(to="Zoë <%s>" % BOB, sender="Älis <%s>" % ALICE, mid=mid, subject="Grüße aus Köln", body="Schöne Grüße\r\n", headers=[
            ("MIME-Version", "1.0"), ("Content-Type", "text/plain; charset=utf-8"), ("Content-Transfer-Encoding", "8bit")])
        done, _ = self.msmtp(octets, BOB)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        got = self.relais.wait_message(BOB, mid)
        self.assertIn("\r\nSubject: Grüße aus Köln\r\n".encode(), got)
        self.assertTrue(got.endswith("\r\n\r\nSchöne Grüße\r\n".encode()))
        # An address in UTF-8 needs SMTPUTF8 (RFC 6531), which msmtp 1.8 does not say.
        done, told = self.msmtp(message(to="josé@example.test", sender=ALICE), "josé@example.test")
        if done.returncode != 0:
            self.assertEqual(done.returncode, DATAERR, done.stderr)
            self.assertIn("server message: 553 5.6.7 ", done.stderr)
            self.assertIn("exitcode=EX_DATAERR", told)

    def test_somebody_who_is_not_there(self):
        mid = message_id()
        done, told = self.msmtp(message(to=BOB, sender=ALICE, mid=mid), BOB, "nobody@example.test")
        self.assertEqual(done.returncode, DATAERR, done.stderr)
        self.assertIn("recipient address nobody@example.test not accepted by the server", done.stderr)
        self.assertIn("server message: 550 5.1.1 ", done.stderr)
        # msmtp sends to all or to nobody; a later message shows that the first was not sent.
        self.sends()
        self.assertEqual(self.relais.with_id(BOB, mid), [])

    def test_a_full_mailbox(self):
        self.assertEqual(self.msmtp(message(to="full@example.test", sender=ALICE), "full@example.test")[0].returncode, 0)
        done, _ = self.msmtp(message(to="full@example.test", sender=ALICE), "full@example.test")
        self.assertIn("server message: 452 4.2.2 ", done.stderr)
        self.assertEqual(done.returncode, UNAVAILABLE, done.stderr)

    def test_somebody_elses_address(self):
        done, _ = self.msmtp(message(to=BOB, sender="carol@example.test"), BOB, **{"from": "carol@example.test"})
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, "server message: 5[0-9][0-9] 5\\.7\\.1 ")

    def test_what_becomes_of_it(self):
        # DSN (RFC 3461), by msmtp's own words.
        mid = message_id()
        done, _ = self.msmtp(message(to=BOB, sender=ALICE, mid=mid), BOB, dsn_notify="success", dsn_return="headers")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        report = self.relais.wait_message(ALICE, lambda octets: b"multipart/report" in octets and mid.encode() in octets)
        self.assertIn(b"Action: delivered", report)
