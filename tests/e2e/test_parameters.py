"""What MAIL and RCPT ask for, from the client that submits to the server that takes it: at once, taken back no more, and held.

The next server is one of the configuration, with a certificate that is known, so that REQUIRETLS has a way there.
"""

import smtplib
import subprocess

from harness import PASSWORD, ServerCase, folder, message, message_id, tls_context, until
from remote import Remote

ALICE = "alice@near.test"
EXTENSIONS = ("PIPELINING", "8BITMIME", "SMTPUTF8", "SIZE", "DSN", "REQUIRETLS", "MT-PRIORITY", "DELIVERBY")


class Known:
    """A certificate of its own making that is no authority, so that it can be named as one to trust."""

    def __init__(self, where):
        self.chain, self.key = where / "certificate.pem", where / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
             "-subj", "/CN=far", "-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=critical,CA:FALSE",
             "-keyout", str(self.key), "-out", str(self.chain)], check=True, capture_output=True)


class Parameters(ServerCase):

    @classmethod
    def setUpClass(cls):
        known = Known(folder("far-tls"))
        cls.far = Remote(certificate=known, extensions=EXTENSIONS)
        cls.plain = Remote(extensions=[name for name in EXTENSIONS if name != "REQUIRETLS"])
        for one in (cls.far, cls.plain):
            cls.addClassCleanup(one.close)
        route = {"host": "127.0.0.1", "tls": "starttls", "ca_file": known.chain}
        cls.options = dict(hostname="mx.near.test", destinations={"plain.test": ("127.0.0.1", cls.plain.port)},
                           routes=[dict(route, name="far", port=cls.far.port, recipient_domains=["far.test"])])
        super().setUpClass()

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_accounts(ALICE, "bob@near.test")
        server.add_alias("away@near.test", "zo\u00eb@far.test")

    def submitted(self, options, to="zo\u00eb@far.test", rcpt=(), **written):
        """Submits a message of Alice with these parameters; its Message-ID."""
        mid = message_id()
        content = message(to="someone@far.test", sender=ALICE, mid=mid, **written)
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context()) as client:
            client.login(ALICE, PASSWORD)
            client.ehlo("client.test")
            client.sendmail(ALICE, [to], content, mail_options=options, rcpt_options=rcpt)
        return mid

    def said(self, mid, remote=None):
        """MAIL and RCPT with which it came to the far server, and the session."""
        remote = remote or self.far
        got = remote.wait(lambda messages: any(mid.encode() in one.content for one in messages))
        taken = next(one for one in got if mid.encode() in one.content)
        commands = taken.session.commands
        # Sessions are kept: what counts is what came before this very message.
        before = [one for one in got if one.session is taken.session].index(taken)
        data = [at for at, line in enumerate(commands) if line == "DATA"][before]
        mail = max(at for at in range(data) if commands[at].startswith("MAIL"))
        rcpt = next(line for line in commands[mail:data] if line.startswith("RCPT"))
        return commands[mail].split()[1:], rcpt.split()[1:], taken

    def waits(self, how):
        """Has Alice's mail wait as long as that; what has to be said besides."""
        self.relais.cli("account", "set", ALICE, "--undo-send", "1s" if how == "undo" else "0s")
        return ["HOLDFOR=1"] if how == "held" else []

    def test_everything_goes_on_at_once_and_after_a_wait(self):
        self.addCleanup(self.relais.cli, "account", "set", ALICE, "--undo-send", "0s")
        for how in ("at once", "undo", "held"):
            with self.subTest(how):
                held = self.waits(how)
                mid = self.submitted(
                    ["REQUIRETLS", "SMTPUTF8", "BODY=8BITMIME", "RET=HDRS", "ENVID=order+2B7", "MT-PRIORITY=3", "BY=900;NT", *held],
                    rcpt=["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;first+2Bx@near.test"], body="Gr\u00fc\u00dfe.\r\n")
                mail, rcpt, taken = self.said(mid)
                self.assertTrue(taken.session.tls)
                self.assertEqual(mail[0], "FROM:<%s>" % ALICE)
                for wanted in ("REQUIRETLS", "SMTPUTF8", "BODY=8BITMIME", "RET=HDRS", "ENVID=order+2B7", "MT-PRIORITY=3"):
                    self.assertIn(wanted, mail)
                left = next(word for word in mail if word.startswith("BY="))
                self.assertRegex(left, r"^BY=(8\d\d|900);NT$")
                self.assertEqual(rcpt, ["TO:<zo\u00eb@far.test>", "NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;first+2Bx@near.test"])

    def test_what_was_not_said_is_not_asked_for(self):
        self.addCleanup(self.relais.cli, "account", "set", ALICE, "--undo-send", "0s")
        for how in ("at once", "undo", "held"):
            with self.subTest(how):
                mail, rcpt, _ = self.said(self.submitted(self.waits(how), to="plain@far.test"))
                self.assertRegex(" ".join(mail), r"^FROM:<alice@near.test> SIZE=\d+$")
                self.assertEqual(rcpt, ["TO:<plain@far.test>"])

    def test_an_alias_hands_them_on(self):
        mid = self.submitted(["REQUIRETLS", "SMTPUTF8", "RET=FULL", "ENVID=7"], to="away@near.test", rcpt=["NOTIFY=NEVER"])
        mail, rcpt, _ = self.said(mid)
        for wanted in ("REQUIRETLS", "SMTPUTF8", "RET=FULL", "ENVID=7"):
            self.assertIn(wanted, mail)
        self.assertEqual(rcpt, ["TO:<zo\u00eb@far.test>", "NOTIFY=NEVER"])

    def test_where_requiretls_has_no_way_it_comes_back_without_the_message(self):
        """RFC 8689 \u00a75: the header alone, although the whole was asked for. Before, after and while a wait."""
        self.addCleanup(self.relais.cli, "account", "set", ALICE, "--undo-send", "0s")
        for how in ("at once", "undo", "held"):
            with self.subTest(how):
                held = self.waits(how)
                mid = self.submitted(["REQUIRETLS", "RET=FULL", *held], to="x@plain.test", body="For your eyes.\r\n")
                report = self.relais.wait_message(ALICE, lambda octets: b"Action: failed" in octets and mid.encode() in octets)
                self.assertIn(b"Status: 5.7.10\r\n", report)
                self.assertIn(b"Content-Type: text/rfc822-headers\r\n", report)
                self.assertNotIn(b"For your eyes", report)
        self.assertEqual(self.plain.messages, [])
        until(lambda: not self.relais.queue(), what="the queue to be empty")
