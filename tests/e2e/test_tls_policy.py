"""How mail to other servers is protected: DANE over a signed root of the tests' own, MTA-STS over an HTTPS server, and neither.

Runs in a network namespace of its own: BIND on 127.0.0.1:53, mail servers on port 25 and a policy server on port 443 of 192.0.2.2 and on.
"""

import hashlib
import http.server
import ssl
import subprocess
import threading
import unittest

from dnssec import Zones, installed, other_digest
from harness import Server, TestCase, folder, loopback_up, message, message_id, namespace, until
from remote import Remote

ALICE = "alice@near.test"
DANE, WRONG, PLAIN, STS, POLICY = ("192.0.2.%d" % number for number in range(2, 7))


class Identity:
    """A key with a certificate for names, by an authority or by itself."""

    def __init__(self, where, name, names, by=None):
        self.key, self.chain = where / (name + ".key"), where / (name + ".pem")
        def run(*command):
            subprocess.run(["openssl", *command], check=True, capture_output=True, cwd=where)
        subject = ["-subj", "/CN=" + name]
        new = ["req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", self.key, *subject]
        if by is None:
            usage = "CA:TRUE" if not names else "CA:FALSE"
            alternative = ["-addext", "subjectAltName=" + ",".join("DNS:" + one for one in names)] if names else []
            run(*new, "-x509", "-days", "30", "-addext", "basicConstraints=critical," + usage, *alternative, "-out", self.chain)
        else:
            run(*new, "-out", name + ".csr")
            (where / (name + ".ext")).write_text("subjectAltName=" + ",".join("DNS:" + one for one in names))
            run("x509", "-req", "-in", name + ".csr", "-CA", by.chain, "-CAkey", by.key, "-CAcreateserial", "-days", "30",
                "-extfile", name + ".ext", "-out", self.chain)

    def tlsa(self):
        """The record of its key: 3 1 1."""
        public = subprocess.run(["openssl", "x509", "-in", self.chain, "-noout", "-pubkey"], check=True, capture_output=True).stdout
        der = subprocess.run(["openssl", "pkey", "-pubin", "-outform", "DER"], input=public, check=True, capture_output=True).stdout
        return "TLSA 3 1 1 " + hashlib.sha256(der).hexdigest()


class PolicyServer(http.server.ThreadingHTTPServer):
    """MTA-STS policies by host, over TLS."""

    daemon_threads = True

    def __init__(self, identity):
        self.policies, self.asked = {}, []
        super().__init__((POLICY, 443), PolicyHandler)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(identity.chain, identity.key)
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        threading.Thread(target=self.serve_forever, daemon=True).start()


class PolicyHandler(http.server.BaseHTTPRequestHandler):

    def do_GET(self):
        host = self.headers["Host"]
        self.server.asked.append((host, self.path))
        policy = self.server.policies.get(host)
        if policy is None or self.path != "/.well-known/mta-sts.txt":
            self.send_error(404)
            return
        octets = policy.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(octets)))
        self.end_headers()
        self.wfile.write(octets)

    def log_message(self, *arguments):
        pass


def policy(mode, host):
    return "version: STSv1\r\nmode: %s\r\nmx: %s\r\nmax_age: 86400\r\n" % (mode, host)


@namespace("net")
@unittest.skipUnless(installed(), "Debian's bind9 and bind9-utils are not installed")
class TlsPolicy(TestCase):

    @classmethod
    def setUpClass(cls):
        loopback_up(DANE, WRONG, PLAIN, STS, POLICY)
        resolv = folder("dns") / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\noptions timeout:5 attempts:2\n")
        subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
        where = folder("identities")
        authority = Identity(where, "authority", [])
        # DANE-EE asks for no name (RFC 7672 §3.1.1).
        named = Identity(where, "named", ["elsewhere.test"])
        other = Identity(where, "other", ["mx.wrong.test"])
        sts = Identity(where, "sts", ["*.sts.test"], by=authority)
        policies = Identity(where, "policies", ["mta-sts.sts.test", "mta-sts.strict.test", "mta-sts.trial.test"], by=authority)

        def zone(name, address, *records):
            return {name + ".test.": ["@ MX 10 mx", "mx A " + address, *records]}

        def guarded(name):
            return zone(name, STS, '_mta-sts TXT "v=STSv1; id=1;"', "mta-sts A " + POLICY)

        zones = {}
        zones.update(zone("dane", DANE, "_25._tcp.mx " + named.tlsa()))
        zones.update(zone("wrong", WRONG, "_25._tcp.mx " + named.tlsa()))
        zones.update(zone("bogus", DANE, "_25._tcp.mx " + named.tlsa()))
        zones.update(zone("silent", PLAIN))
        # Not signed: what its TLSA record says is anybody's word.
        zones.update(zone("unsigned", WRONG, "_25._tcp.mx " + named.tlsa()))
        zones.update(guarded("sts"))
        # Signed, without TLSA records: goes on to MTA-STS, whose policy does not name its host.
        zones.update(guarded("strict"))
        zones.update(guarded("trial"))
        signed = {name + ".test." for name in ("dane", "wrong", "bogus", "silent", "strict")}
        cls.zones = Zones(folder("zones"), zones, signed, {"bogus.test.": other_digest})
        cls.addClassCleanup(cls.zones.stop)
        cls.zones.start()
        cls.policies = PolicyServer(policies)
        cls.addClassCleanup(cls.policies.server_close)
        cls.addClassCleanup(cls.policies.shutdown)
        cls.policies.policies = {"mta-sts.sts.test": policy("enforce", "*.sts.test"), "mta-sts.strict.test": policy("enforce", "mail.strict.test"),
                                 "mta-sts.trial.test": policy("testing", "mail.trial.test")}
        cls.remotes = {}
        for address, identity in ((DANE, named), (WRONG, other), (PLAIN, other), (STS, sts)):
            cls.remotes[address] = Remote(host=address, port=25, certificate=identity)
            cls.addClassCleanup(cls.remotes[address].close)
        cls.relais = Server(name="tls-policy", hostname="mx.near.test", settings={
            "queue.tls": {"trust_anchor_file": cls.zones.anchor, "ca_file": authority.chain}})
        cls.addClassCleanup(cls.relais.kill)
        cls.relais.add_domain("near.test")
        cls.relais.add_account(ALICE)
        cls.relais.start()

    @classmethod
    def tearDownClass(cls):
        cls.relais.stop()

    def told(self, to, word, headers=()):
        """Sends a message; what its trace says of the attempt, once it has one."""
        mid = message_id("near.test")
        self.relais.submit(ALICE, to, message(to=to, sender=ALICE, mid=mid, headers=headers))
        def look():
            text = self.relais.cli("trace", "--message-id", mid)
            return text if ": taken by" in text or "not taken now" in text or "failed for good" in text else None
        text = until(look, 120, "an attempt for %s" % to)
        self.assertIn(word, text)
        return text

    def test_dane_names_the_certificate(self):
        self.told("a@dane.test", "taken by mx.dane.test over TLS 1.3, certificate checked by DANE: 250")

    def test_another_certificate_waits(self):
        text = self.told("a@wrong.test", "not taken now: 451 4.7.5 mx.wrong.test: DANE:")
        self.assertIn("the certificate is none that the TLSA records name", text)
        self.assertEqual([one for one in self.remotes[WRONG].messages if "a@wrong.test" in one.recipients], [])
        # Its sender may say that it matters less than that it arrives (RFC 8689).
        self.told("b@wrong.test", "taken by mx.wrong.test over TLS 1.3, certificate not checked: 250", headers=[("TLS-Required", "No")])

    def test_a_wrong_signature_waits(self):
        text = self.told("a@bogus.test", "not taken now: 451 4.7.5 mx.bogus.test: DANE:")
        self.assertIn("the DNSSEC signatures of _25._tcp.mx.bogus.test are wrong", text)

    def test_signed_without_tlsa(self):
        self.told("a@silent.test", "taken by mx.silent.test over TLS 1.3, certificate not checked: 250")

    def test_a_zone_that_is_not_signed_has_no_dane(self):
        self.told("a@unsigned.test", "taken by mx.unsigned.test over TLS 1.3, certificate not checked: 250")

    def test_mta_sts(self):
        self.told("a@sts.test", "taken by mx.sts.test over TLS 1.3, certificate checked by MTA-STS: 250")
        self.told("b@sts.test", "certificate checked by MTA-STS: 250")
        asked = [path for host, path in self.policies.asked if host == "mta-sts.sts.test"]
        self.assertEqual(asked, ["/.well-known/mta-sts.txt"], "it is remembered")

    def test_mta_sts_where_dane_has_nothing_to_say(self):
        self.told("a@strict.test", "not taken now: 451 4.7.5 mx.strict.test: MTA-STS: the policy of strict.test does not name this host")

    def test_a_policy_in_trial_stops_nothing(self):
        self.told("a@trial.test", "certificate not checked: 250")
