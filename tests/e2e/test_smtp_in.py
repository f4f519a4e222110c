"""What clients of the SMTP side are offered beyond plain mail: SASL by smtplib, LMTP by smtplib's LMTP, proxies in front, DSN for
senders elsewhere."""

import email
import hashlib
import smtplib
import socket
import ssl
import subprocess
import unittest

from harness import PASSWORD, Server, ServerCase, folder, id_of, message, message_id, needs, run, tls_context, until
from remote import Remote
from sasl import Scram
from wire import Smtp

ALICE, BOB = "alice@example.test", "bob@example.test"


class Auth(ServerCase):
    """AUTH (RFC 4954) on the submission ports."""

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        cls.where = folder("client-ca")
        cls.certificate_of("ca", "/CN=people")
        for name in ("alice", "nobody"):
            cls.certificate_of(name, "/CN=" + name, "-CA", cls.where / "ca.pem", "-CAkey", cls.where / "ca.key",
                               "-addext", "subjectAltName=email:%s@example.test" % name,
                               "-addext", "basicConstraints=critical,CA:FALSE")
        server.set("tls", client_ca_file=cls.where / "ca.pem")

    @classmethod
    def certificate_of(cls, name, subject, *more):
        command = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
                   "-subj", subject, "-keyout", cls.where / (name + ".key"), "-out", cls.where / (name + ".pem"), *more]
        subprocess.run([str(word) for word in command], check=True, capture_output=True)

    def connect(self, context=None, starttls=False):
        context = context or tls_context()
        if starttls:
            client = smtplib.SMTP("localhost", self.relais.ports["submission"], timeout=30)
            self.addCleanup(client.close)
            client.starttls(context=context)
        else:
            client = smtplib.SMTP_SSL("localhost", self.relais.ports["submissions"], timeout=30, context=context)
            self.addCleanup(client.close)
        client.ehlo()
        return client

    def scram(self, client, mechanism, *scram, initial=True):
        scram = Scram(*scram)
        return client.auth(mechanism, lambda challenge=None: scram(challenge).decode(), initial_response_ok=initial)

    def test_what_is_announced(self):
        client = self.connect()
        offered = client.esmtp_features["auth"].split()
        expected = ["SCRAM-SHA-256-PLUS", "SCRAM-SHA-1-PLUS", "SCRAM-SHA-256", "SCRAM-SHA-1", "PLAIN", "LOGIN"]
        self.assertEqual(offered, expected)

    def test_scram(self):
        for starttls in (False, True):
            for hash_name, mechanism in [("sha1", "SCRAM-SHA-1"), ("sha256", "SCRAM-SHA-256")]:
                client = self.connect(starttls=starttls)
                code, said = self.scram(client, mechanism, ALICE, PASSWORD, hash_name, initial=starttls)
                self.assertEqual(code, 235, said)
                self.assertEqual(client.sendmail(ALICE, [BOB], message(to=BOB, sender=ALICE)), {})
        for user, password in [(ALICE, PASSWORD + "x"), ("no.body@example.test", PASSWORD)]:
            client = self.connect()
            with self.assertRaises(smtplib.SMTPAuthenticationError) as raised:
                self.scram(client, "SCRAM-SHA-256", user, password, "sha256")
            self.assertEqual(raised.exception.smtp_code, 535)
            self.assertEqual(client.mail(ALICE)[0], 530)

    def test_scram_bound_to_the_servers_certificate(self):
        for starttls in (False, True):
            client = self.connect(starttls=starttls)
            binding = hashlib.sha256(client.sock.getpeercert(binary_form=True)).digest()
            bound = (ALICE, PASSWORD, "sha256", "p=tls-server-end-point,,")
            code, said = self.scram(client, "SCRAM-SHA-256-PLUS", *bound, binding)
            self.assertEqual(code, 235, said)
        client = self.connect()
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            self.scram(client, "SCRAM-SHA-256-PLUS", *bound, hashlib.sha256(b"another").digest())
        # RFC 5802 section 6: who could bind and was told that nothing can be bound to was told so by somebody in between.
        with self.assertRaises(smtplib.SMTPAuthenticationError):
            self.scram(client, "SCRAM-SHA-256", ALICE, PASSWORD, "sha256", "y,,")

    def test_external_by_the_clients_certificate(self):
        context = tls_context()
        context.load_cert_chain(self.where / "alice.pem", self.where / "alice.key")
        for starttls in (False, True):
            client = self.connect(context, starttls)
            self.assertEqual(client.esmtp_features["auth"].split()[0], "EXTERNAL")
            self.assertEqual(client.docmd("AUTH", "EXTERNAL =")[0], 235)
            self.assertEqual(client.sendmail(ALICE, [BOB], message(to=BOB, sender=ALICE)), {})
        client = self.connect(context)
        # Qm9i...: bob's address, which the certificate does not have.
        self.assertEqual(client.docmd("AUTH", "EXTERNAL Ym9iQGV4YW1wbGUudGVzdA==")[0], 535)
        context = tls_context()
        context.load_cert_chain(self.where / "nobody.pem", self.where / "nobody.key")
        self.assertEqual(self.connect(context).docmd("AUTH", "EXTERNAL =")[0], 535)
        self.assertEqual(self.connect().docmd("AUTH", "EXTERNAL =")[0], 504)


class CertifiedProxy(Auth):
    """A proxy that shows a certificate of its own and speaks for others (XCLIENT)."""

    options = {"settings": {"security": {"xclient_from": ["127.0.0.1"]}}}
    # Those of its base have been run there.
    test_what_is_announced = test_scram = test_scram_bound_to_the_servers_certificate = test_external_by_the_clients_certificate = None

    def test_its_certificate_does_not_count_for_its_client(self):
        context = tls_context()
        context.load_cert_chain(self.where / "alice.pem", self.where / "alice.key")
        for starttls in (False, True):
            client = self.connect(context, starttls)
            self.assertIn("EXTERNAL", client.esmtp_features["auth"].split(), "it may log in itself")
            self.assertEqual(client.docmd("XCLIENT", "ADDR=198.51.100.9 NAME=spike.test")[0], 220)
            client.ehlo("spike.test")
            self.assertNotIn("EXTERNAL", client.esmtp_features["auth"].split())
            self.assertEqual(client.docmd("AUTH", "EXTERNAL =")[0], 504)
            self.assertEqual(client.mail(ALICE)[0], 530)
            client.login(BOB, PASSWORD)
            self.assertEqual(client.sendmail(BOB, [ALICE], message(to=ALICE, sender=BOB)), {})


class Submitted(ServerCase):
    """What becomes of a message that people hand in."""

    def test_blind_recipients_and_the_client_are_not_told(self):
        mid = message_id("example.test")
        lines = ["From: " + ALICE, "To: " + ALICE, "Bcc: %s,\r\n %s" % (BOB, ALICE), "Message-ID: " + mid, "Subject: x", "", "Bcc: body"]
        octets = "\r\n".join(lines).encode() + b"\r\n"
        self.relais.submit(ALICE, [ALICE, BOB], octets)
        for user in (ALICE, BOB):
            received = self.relais.wait_message(user, mid)
            header = received.partition(b"\r\n\r\n")[0]
            self.assertNotIn(b"bcc", header.lower())
            self.assertIn(b"Received: from unknown\r\n\tby ", header)
            self.assertNotIn(b"127.0.0.1", header)
            self.assertTrue(received.endswith(b"\r\n\r\nBcc: body\r\n"))


class ClientShown(ServerCase):
    """`[security] submission_shows_client`: where people write from is told."""

    options = {"settings": {"security": {"submission_shows_client": True}}}

    def test_received_names_the_client(self):
        mid = message_id("example.test")
        self.relais.submit(ALICE, [BOB], message(to=BOB, sender=ALICE, mid=mid))
        header = self.relais.wait_message(BOB, mid).partition(b"\r\n\r\n")[0]
        self.assertRegex(header, rb"Received: from \S+ \(\[127\.0\.0\.1\]\)\r\n\tby \S+ with ESMTPSA id ")
        self.assertNotIn(b"from unknown", header)


class Lmtp(ServerCase):
    """LMTP (RFC 2033), by TCP and by a Unix socket."""

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        cls.socket = folder("lmtp") / "lmtp.sock"
        server.set("listeners", lmtp_socket=cls.socket)

    def clients(self):
        for where in [("127.0.0.1", self.relais.ports["lmtp"]), (str(self.socket), 0)]:
            client = smtplib.LMTP(*where)
            self.addCleanup(client.close)
            yield client

    def test_a_message_for_two_is_answered_for_two(self):
        for client in self.clients():
            mid = message_id()
            refused = client.sendmail("x@elsewhere.test", [ALICE, "nobody@example.test", BOB], message(to=ALICE, mid=mid))
            self.assertEqual(list(refused), ["nobody@example.test"])
            # smtplib reads one reply; the other is still there.
            self.assertEqual(client.getreply()[0], 250)
            self.assertEqual(client.noop()[0], 250)
            for user in (ALICE, BOB):
                received = self.relais.wait_message(user, mid)
                self.assertIn(b" with LMTP id ", received)

    def test_nothing_is_relayed(self):
        for client in self.clients():
            with self.assertRaises(smtplib.SMTPRecipientsRefused):
                client.sendmail("x@elsewhere.test", ["y@elsewhere.test"], message())

    def test_smtp_is_not_spoken(self):
        with self.assertRaises(smtplib.SMTPHeloError):
            smtplib.SMTP("127.0.0.1", self.relais.ports["lmtp"]).sendmail("x@elsewhere.test", [ALICE], message(to=ALICE))

    def test_a_socket_that_was_left_is_replaced(self):
        self.relais.kill()
        self.assertTrue(self.socket.exists())
        self.relais.start()
        client = smtplib.LMTP(str(self.socket), 0)
        self.addCleanup(client.close)
        self.assertEqual(client.ehlo()[0], 250)


class Proxies(ServerCase):
    """Whose address a message has that comes through a proxy."""

    # The clients that are named have no names in the DNS, and would be asked to come again.
    options = {"settings": {"security": {"xclient_from": ["127.0.0.1"]}, "greylist": {"enabled": False}}}

    def received(self, client):
        mid = message_id()
        client.deliver("x@elsewhere.test", ALICE, message(to=ALICE, mid=mid))
        return email.message_from_bytes(self.relais.wait_message(ALICE, mid))["Received"]

    def test_xclient(self):
        client = self.relais.smtp()
        self.addCleanup(client.close)
        self.assertEqual(client.command("XCLIENT ADDR=198.51.100.9 NAME=spike.test").code, 220)
        # What comes now may be the client's own words: it is not announced, and not believed.
        self.assertNotIn("XCLIENT", repr(client.ehlo("spike.test").lines))
        self.assertEqual(client.command("XCLIENT ADDR=127.0.0.1").code, 550)
        self.assertIn("spike.test ([198.51.100.9])", self.received(client))

    def swaks(self, server, *options):
        """Who sent a message by swaks, as Received has it."""
        mid = message_id()
        done = run(["swaks", "--server", "127.0.0.1", "--port", server.ports["mx"], "--helo", "spike.test", "--from", "x@elsewhere.test",
                    "--to", ALICE, "--h-Message-Id", mid, *options])
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        return email.message_from_bytes(server.wait_message(ALICE, mid))["Received"]

    @needs("swaks")
    def test_xclient_by_swaks(self):
        self.assertIn("spike.test ([198.51.100.9])", self.swaks(self.relais, "--xclient-addr", "198.51.100.9", "--xclient-name", "spike.test"))

    def proxied(self):
        server = Server(name="proxied", settings={"security": {"proxy_protocol_from": ["127.0.0.1"]}, "greylist": {"enabled": False}})
        self.addCleanup(server.kill)
        ServerCase.prepare.__func__(type(self), server)
        return server.start()

    @needs("swaks")
    def test_proxy_protocol_by_swaks(self):
        server = self.proxied()
        for version, family, source, there in (("1", "TCP4", "198.51.100.9", "192.0.2.1"), ("2", "AF_INET", "198.51.100.9", "192.0.2.1"),
                                               ("2", "AF_INET6", "2001:db8::9", "2001:db8::1")):
            with self.subTest(version, family=family):
                received = self.swaks(server, "--proxy-version", version, "--proxy-family", family, "--proxy-source", source,
                                      "--proxy-source-port", "4711", "--proxy-dest", there, "--proxy-dest-port", "25",
                                      *(["--proxy-command", "PROXY", "--proxy-protocol", "STREAM"] if version == "2" else []))
                self.assertIn(source, received)
        server.stop()

    def test_proxy_protocol(self):
        server = self.proxied()
        client = Smtp(server.ports["mx"], greet=False)
        self.addCleanup(client.close)
        client.send(b"PROXY TCP4 198.51.100.9 192.0.2.1 4711 25\r\n")
        self.assertEqual(client.reply().code, 220)
        client.ehlo("c.test")
        mid = message_id()
        client.deliver("x@elsewhere.test", ALICE, message(to=ALICE, mid=mid))
        received = email.message_from_bytes(server.wait_message(ALICE, mid))["Received"]
        self.assertIn("c.test ([198.51.100.9])", received)
        with socket.create_connection(("127.0.0.1", server.ports["mx"]), timeout=30) as plain:
            plain.sendall(b"EHLO c.test\r\n")
            self.assertEqual(plain.recv(100), b"", "who may not be believed is not greeted")
        server.stop()

    def test_a_header_of_anybody_else_is_refused(self):
        client = self.relais.smtp()
        self.addCleanup(client.close)
        self.assertEqual(client.command("PROXY TCP4 198.51.100.9 192.0.2.1 4711 25").code, 500)
        self.assertIn("([127.0.0.1])", self.received(client))


class Soliciting(ServerCase):
    """Classes of solicitation that are not wanted (RFC 3865), by MAIL and by the header."""

    options = {"settings": {"security": {"no_soliciting": ["net.example:ADV"]}}}

    def test_the_header_counts_as_solicit_does(self):
        client = self.relais.smtp()
        self.addCleanup(client.close)
        self.assertIn("NO-SOLICITING net.example:ADV", client.extensions)
        self.assertEqual(client.command("MAIL FROM:<x@elsewhere.test> SOLICIT=net.example:ADV").status, "550 5.7.1")
        for field, status in [("Solicitation: org.example:NEWS,\r\n\tNET.example:adv", "550 5.7.1"), ("Solicitation: org.example:NEWS", "250 2.0.0")]:
            client.command("MAIL FROM:<x@elsewhere.test>")
            client.command("RCPT TO:<%s>" % ALICE)
            reply = client.data(field.encode() + b"\r\n" + message(to=ALICE, sender="x@elsewhere.test"))
            self.assertEqual(reply.status, status)
        with smtplib.SMTP_SSL("localhost", self.relais.ports["submissions"], timeout=30, context=tls_context()) as client:
            client.login(ALICE, PASSWORD)
            with self.assertRaises(smtplib.SMTPDataError) as raised:
                client.sendmail(ALICE, [BOB], b"Solicitation: net.example:ADV\r\n" + message(to=BOB, sender=ALICE))
            self.assertEqual(raised.exception.smtp_code, 550)


class Notices(ServerCase):
    """DSN (RFC 3461) for senders elsewhere, who come to port 25."""

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        cls.remote = Remote()
        cls.addClassCleanup(cls.remote.close)
        server.destinations["elsewhere.test"] = (cls.remote.host, cls.remote.port)
        server.write_config()

    def test_delivered(self):
        before = len(self.remote.messages)
        client = self.relais.smtp()
        self.addCleanup(client.close)
        self.assertIn("DSN", client.extensions)
        self.assertEqual(client.command("MAIL FROM:<x@elsewhere.test> RET=HDRS ENVID=QQ+2B1").code, 250)
        self.assertEqual(client.command("RCPT TO:<%s> NOTIFY=SUCCESS ORCPT=rfc822;old@example.test" % ALICE).code, 250)
        self.assertEqual(client.command("RCPT TO:<%s> NOTIFY=NEVER" % BOB).code, 250)
        self.assertEqual(client.data(message(to=ALICE, body="a body that does not come back")).code, 250)
        sent = self.remote.wait_count(before + 1)[-1]
        self.assertEqual((sent.sender, sent.recipients), ("", ["x@elsewhere.test"]))
        report = email.message_from_bytes(sent.content)
        self.assertEqual(report.get_param("report-type"), "delivery-status")
        text = sent.content.decode()
        for field in ("Original-Envelope-Id: QQ+1", "Original-Recipient: rfc822;old@example.test", "Action: delivered"):
            self.assertIn(field, text)
        self.assertNotIn(BOB, text)
        self.assertNotIn("a body that does not come back", text)


if __name__ == "__main__":
    unittest.main()
