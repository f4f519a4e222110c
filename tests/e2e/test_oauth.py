"""Tokens of an identity provider instead of passwords (RFC 7628), for IMAP and submission; signed by openssl, keys from a file and over HTTPS."""

import base64
import hashlib
import hmac
import http.server
import imaplib
import json
import smtplib
import ssl
import subprocess
import threading
import time

from harness import PASSWORD, ServerCase, TestCase, folder, message, tls_context

ALICE = "alice@example.test"
ISSUER = "https://id.example.test"


def b64(octets):
    return base64.urlsafe_b64encode(octets).rstrip(b"=").decode()


def number(octets):
    return octets.lstrip(b"\0").rjust(32, b"\0")


class Key:
    """A key of the identity provider."""

    def __init__(self, where, algorithm, kid):
        self.algorithm, self.kid, self.file = algorithm, kid, where / (kid + ".pem")
        how = {"RS256": ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"], "ES256": ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"],
               "EdDSA": ["ED25519"]}[algorithm]
        subprocess.run(["openssl", "genpkey", "-algorithm", *how, "-out", str(self.file)], check=True, capture_output=True)
        self.public = subprocess.run(["openssl", "pkey", "-in", str(self.file), "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout

    def jwk(self):
        if self.algorithm == "RS256":
            said = subprocess.run(["openssl", "rsa", "-in", str(self.file), "-noout", "-modulus"], check=True, capture_output=True, text=True)
            modulus = bytes.fromhex(said.stdout.strip().partition("=")[2])
            return {"kty": "RSA", "kid": self.kid, "use": "sig", "alg": "RS256", "n": b64(modulus), "e": "AQAB"}
        if self.algorithm == "ES256":
            return {"kty": "EC", "crv": "P-256", "kid": self.kid, "x": b64(self.public[-64:-32]), "y": b64(self.public[-32:])}
        return {"kty": "OKP", "crv": "Ed25519", "kid": self.kid, "x": b64(self.public[-32:])}

    def sign(self, octets):
        source = self.file.with_suffix(".in")
        source.write_bytes(octets)
        raw = ["-rawin"] + ([] if self.algorithm == "EdDSA" else ["-digest", "sha256"])
        done = subprocess.run(["openssl", "pkeyutl", "-sign", "-inkey", str(self.file), *raw, "-in", str(source)], check=True, capture_output=True)
        if self.algorithm != "ES256":
            return done.stdout
        # A sequence of two numbers, which a token has one behind the other.
        der = done.stdout
        first = der[4:4 + der[3]]
        return number(first) + number(der[6 + der[3]:])

    def token(self, header=None, **claims):
        said = {"iss": ISSUER, "aud": "relais", "email": ALICE, "email_verified": True, "exp": int(time.time()) + 3600, **claims}
        header = {"alg": self.algorithm, "kid": self.kid, **(header or {})}
        signed = "%s.%s" % (b64(json.dumps(header).encode()), b64(json.dumps(said).encode()))
        return "%s.%s" % (signed, b64(self.sign(signed.encode())))


def oauthbearer(token, user=""):
    return "n,%s,\1host=localhost\1auth=Bearer %s\1\1" % ("a=" + user if user else "", token)


def xoauth2(token, user=ALICE):
    return "user=%s\1auth=Bearer %s\1\1" % (user, token)


def imap_login(relais, mechanism, said):
    """Whether IMAP lets in, and the JSON that it gave."""
    told = []

    def answer(challenge):
        if not challenge:
            return said.encode()
        told.append(json.loads(challenge))
        return b"\1"
    with imaplib.IMAP4_SSL("127.0.0.1", relais.ports["imaps"], ssl_context=tls_context(), timeout=60) as client:
        assert "AUTH=" + mechanism in client.capabilities, client.capabilities
        try:
            client.authenticate(mechanism, answer)
            client.select("INBOX")
            return True, told
        except imaplib.IMAP4.error as error:
            assert "AUTHENTICATIONFAILED" in str(error), error
            return False, told


def smtp_login(relais, mechanism, said):
    """Whether submission lets in, and the JSON that it gave."""
    told = []

    def answer(challenge=None):
        if not challenge:
            return said
        told.append(json.loads(challenge))
        return "\1"
    with smtplib.SMTP_SSL("127.0.0.1", relais.ports["submissions"], timeout=60, context=tls_context()) as client:
        client.ehlo()
        assert mechanism in client.esmtp_features["auth"].split(), client.esmtp_features
        try:
            client.auth(mechanism, answer)
            client.sendmail(ALICE, [ALICE], message(to=ALICE, sender=ALICE))
            return True, told
        except smtplib.SMTPAuthenticationError as error:
            assert error.smtp_code == 535, error
            return False, told


class Tokens(ServerCase):

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        where = folder("issuer")
        cls.keys = [Key(where, "RS256", "r"), Key(where, "ES256", "e"), Key(where, "EdDSA", "d")]
        cls.other = Key(where, "RS256", "other")
        keys = where / "keys.json"
        keys.write_text(json.dumps({"keys": [key.jwk() for key in cls.keys]}))
        keys.chmod(0o644)
        where.chmod(0o755)
        server.set("oauth", issuer=ISSUER, audiences=["relais"], keys_file=str(keys), scope="mail")

    def test_tokens_let_in_by_both_protocols(self):
        for key in self.keys:
            token = key.token(scope="openid mail", filler="x" * 1500)
            for login in (imap_login, smtp_login):
                for mechanism, said in (("OAUTHBEARER", oauthbearer(token)), ("OAUTHBEARER", oauthbearer(token, ALICE)), ("XOAUTH2", xoauth2(token))):
                    self.assertEqual(login(self.relais, mechanism, said), (True, []), (key.algorithm, mechanism))

    def test_what_is_no_good_token_is_refused_with_the_reason(self):
        key = self.keys[0]
        good = key.token(scope="mail")
        head, claims, _ = good.split(".")
        signed = "%s.%s" % (b64(b'{"alg":"HS256","kid":"r"}'), claims)
        confused = "%s.%s" % (signed, b64(hmac.new(key.public, signed.encode(), hashlib.sha256).digest()))
        none = "%s.%s." % (b64(b'{"alg":"none"}'), claims)
        self.other.kid = "r"
        for token in (confused, none, self.other.token(scope="mail"), key.token(scope="mail", exp=int(time.time()) - 3600), key.token(scope="mail", aud="shop"),
                      key.token(scope="mail", iss="https://evil.test"), key.token(scope="mail", email_verified=False),
                      key.token(scope="mail", email="nobody@example.test"), "x"):
            for login in (imap_login, smtp_login):
                let_in, told = login(self.relais, "OAUTHBEARER", oauthbearer(token))
                self.assertFalse(let_in)
                self.assertEqual(told, [{"status": "invalid_token", "scope": "mail",
                                         "openid-configuration": ISSUER + "/.well-known/openid-configuration"}])
        # Somebody else's token, and one that allows something else.
        self.assertEqual(imap_login(self.relais, "XOAUTH2", xoauth2(good, "bob@example.test")), (False, [{"status": "401", "schemes": "bearer", "scope": "mail"}]))
        let_in, told = smtp_login(self.relais, "OAUTHBEARER", oauthbearer(key.token(scope="calendar")))
        self.assertEqual((let_in, told[0]["status"]), (False, "insufficient_scope"))
        # What is withdrawn from an account is so for tokens too; a password is as good as before.
        self.relais.cli("account", "set", ALICE, "--withdraw", "imap")
        self.assertFalse(imap_login(self.relais, "XOAUTH2", xoauth2(good))[0])
        self.assertTrue(smtp_login(self.relais, "XOAUTH2", xoauth2(good))[0])
        self.relais.cli("account", "set", ALICE, "--restore", "imap")
        self.assertTrue(imap_login(self.relais, "XOAUTH2", xoauth2(good))[0])
        self.relais.submit(ALICE, ALICE, message(to=ALICE, sender=ALICE), password=PASSWORD)

    def test_nothing_is_offered_without_tls(self):
        with smtplib.SMTP("127.0.0.1", self.relais.ports["submission"], timeout=60) as client:
            client.ehlo()
            self.assertNotIn("auth", client.esmtp_features)
        with imaplib.IMAP4("127.0.0.1", self.relais.ports["imap"], timeout=60) as client:
            self.assertFalse([name for name in client.capabilities if name.startswith("AUTH=")])


class KeysOnTheWeb(TestCase):

    def test_keys_come_over_https(self):
        where = folder("web-issuer")
        key = Key(where, "ES256", "e")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30", "-subj", "/CN=issuer",
             "-addext", "basicConstraints=critical,CA:FALSE", "-addext", "subjectAltName=IP:127.0.0.1",
             "-keyout", str(where / "key.pem"), "-out", str(where / "chain.pem")], check=True, capture_output=True)
        asked = []

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                asked.append(self.path)
                body = json.dumps({"keys": [key.jwk()]}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass
        web = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(where / "chain.pem", where / "key.pem")
        web.socket = context.wrap_socket(web.socket, server_side=True)
        threading.Thread(target=web.serve_forever, daemon=True).start()
        self.addCleanup(web.shutdown)
        where.chmod(0o755)
        relais = self.server(name="issuer", settings={"oauth": dict(
            issuer=ISSUER, audiences=["relais", "mail"], keys_url="https://127.0.0.1:%d/keys?v=1" % web.server_port, ca_file=str(where / "chain.pem"))})
        relais.add_domain("example.test")
        relais.add_accounts(ALICE)
        relais.start()
        for _ in range(3):
            self.assertEqual(imap_login(relais, "OAUTHBEARER", oauthbearer(key.token())), (True, []))
        self.assertTrue(smtp_login(relais, "XOAUTH2", xoauth2(key.token(aud=["x", "mail"])))[0])
        self.assertEqual(asked, ["/keys?v=1"], "once for all")
