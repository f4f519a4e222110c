"""Where mail from other servers really comes from: SPF, DKIM, DMARC and ARC, with messages signed by dkimpy and a name server of the tests.

Runs in a network namespace of its own, for the name server on 127.0.0.1:53.
"""

import json
import re
import smtplib
import subprocess
import threading
import unittest

from harness import TestCase, folder, loopback_up, message, message_id, namespace, until
from remote import Dns, Remote
from test_trace import PYTHON

ALICE = "alice@near.test"
OWNER = "owner@near.test"
HOST = "192.0.2.2"

SIGN = """
import dkim, json, sys
content, how = sys.stdin.buffer.read(), json.loads(sys.argv[1])
key = open(how["key"], "rb").read()
if how["what"] == "dkim":
    head, body = how["canonicalize"]
    signed = dkim.sign(content, how["selector"].encode(), how["domain"].encode(), key, canonicalize=(head.encode(), body.encode()), include_headers=[b"from", b"to", b"subject", b"message-id"])
    sys.stdout.buffer.write(signed + content)
else:
    fields = dkim.arc_sign(content, how["selector"].encode(), how["domain"].encode(), key, how["domain"].encode(),
                           include_headers=[b"from", b"to", b"subject"])
    sys.stdout.buffer.write(b"".join(fields) + content)
"""


def dkimpy():
    """Whether Debian's dkimpy is there, with what ARC needs."""
    return subprocess.run([PYTHON, "-c", "import authres, dkim"], capture_output=True).returncode == 0


class Key:
    """An RSA key of 2,048 bits with its record."""

    def __init__(self, where, name):
        self.file = where / (name + ".pem")
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", str(self.file), "2048"], check=True, capture_output=True)
        public = subprocess.run(["openssl", "rsa", "-in", str(self.file), "-pubout"], check=True, capture_output=True, text=True).stdout
        self.record = "v=DKIM1; k=rsa; p=" + "".join(line for line in public.splitlines() if "-" not in line)


def sign(content, key, domain, selector="s", what="dkim", canonicalize=("relaxed", "relaxed")):
    how = dict(what=what, key=str(key.file), selector=selector, domain=domain, canonicalize=canonicalize)
    done = subprocess.run([PYTHON, "-c", SIGN, json.dumps(how)], input=content, capture_output=True)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@namespace("net")
@unittest.skipUnless(dkimpy(), "Debian's python3-dkim and python3-authres are not installed")
class SenderAuthentication(TestCase):

    @classmethod
    def setUpClass(cls):
        loopback_up(HOST)
        resolv = folder("dns") / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
        where = folder("keys")
        cls.key, cls.other = Key(where, "one"), Key(where, "two")
        cls.dns = Dns({
            ("good.test", "TXT"): ["v=spf1 ip4:127.0.0.1 -all"], ("_dmarc.good.test", "TXT"): ["v=DMARC1; p=reject"],
            ("bank.test", "TXT"): ["v=spf1 -all"], ("_dmarc.bank.test", "TXT"): ["v=DMARC1; p=reject"],
            ("shop.test", "TXT"): ["v=spf1 -all"], ("_dmarc.shop.test", "TXT"): ["v=DMARC1; p=quarantine"],
            ("lax.test", "TXT"): ["v=spf1 -all"], ("_dmarc.lax.test", "TXT"): ["v=DMARC1; p=none"],
            ("strict.test", "TXT"): ["v=spf1 -all"],
            ("plain.test", "A"): ["192.0.2.9"],
            ("down.test", "A"): ["192.0.2.9"], ("_dmarc.down.test", "FAIL"): [],
            ("_dmarc.keyless.test", "TXT"): ["v=DMARC1; p=reject"], ("s._domainkey.keyless.test", "FAIL"): [],
            ("remote.test", "A"): [HOST],
            ("s._domainkey.lists.test", "TXT"): [cls.other.record],
        })
        for domain in ("good", "bank", "shop", "lax", "plain"):
            cls.dns.table[("s._domainkey.%s.test" % domain, "TXT")] = [cls.key.record]
        cls.dns.table[("wrong._domainkey.plain.test", "TXT")] = [cls.other.record]
        cls.addClassCleanup(cls.dns.close)
        cls.remote = Remote(host=HOST, port=25)
        cls.addClassCleanup(cls.remote.close)

    def started(self, **options):
        settings = dict(trusted_networks=[], **options)
        relais = self.server(name="authentication", hostname="mx.near.test", settings={"sender_authentication": settings})
        relais.add_domain("near.test")
        relais.add_accounts(ALICE, OWNER)
        relais.add_alias("outside@near.test", "zoe@remote.test")
        relais.add_alias("both@near.test", ALICE, "zoe@remote.test")
        relais.cli("responder", "add", ALICE, "--kind", "out-of-office", "--subject", "Away", "--text", "Back on Monday.", "--frequency", "0")
        relais.start()
        return relais

    def hand_over(self, relais, content, sender, to=ALICE):
        """The reply to a message, as text."""
        with smtplib.SMTP("127.0.0.1", relais.ports["mx"], local_hostname="client.test", timeout=60) as client:
            try:
                client.sendmail(sender, [to] if isinstance(to, str) else to, content)
                return "250"
            except smtplib.SMTPDataError as error:
                return "%d %s" % (error.smtp_code, error.smtp_error.decode())

    def found(self, relais, mid, mailbox="INBOX", user=ALICE):
        """The message as a client reads it, with its flags."""
        def look():
            with relais.imap(user) as imap:
                imap.must("SELECT %s" % mailbox)
                numbers = re.search(r"\* SEARCH ([\d ]+)", "\n".join(imap.must("UID SEARCH HEADER Message-ID %s" % json.dumps(mid)).untagged))
                if not numbers:
                    return None
                fetched = imap.must("UID FETCH %s (FLAGS BODY.PEEK[])" % numbers.group(1).split()[-1]).untagged
                return "\n".join(fetched).encode("latin-1")
        return until(look, what="%s in %s" % (mid, mailbox))

    def test_results_follow_from_what_is_found(self):
        relais = self.started(trusted_sealers=["lists.test"])
        send = lambda content, sender, to=ALICE: self.hand_over(relais, content, sender, to)

        def written(domain, **options):
            mid = message_id(domain)
            return mid, message(to=ALICE, sender="Zoe <zoe@%s>" % domain, mid=mid, **options)

        # All is well, in each canonicalisation.
        for canonicalize in (("relaxed", "relaxed"), ("simple", "simple"), ("simple", "relaxed")):
            mid, content = written("good.test", body="A line  with   space.\r\n\r\n.dot\r\n\r\n")
            self.assertEqual(send(sign(content, self.key, "good.test", canonicalize=canonicalize), "zoe@good.test"), "250")
            found = self.found(relais, mid)
            results = re.search(rb"Return-Path: <zoe@good.test>\r\n(Authentication-Results: mx.near.test;.*?)\r\nReceived:", found, re.S)
            self.assertTrue(results, found)
            for result in (b"spf=pass smtp.mailfrom=zoe@good.test", b"dkim=pass header.d=good.test header.s=s",
                           b"dmarc=pass (p=reject) header.from=good.test"):
                self.assertIn(result, results.group(1))
        told = relais.cli("trace", "--message-id", mid)
        self.assertIn("SPF passed for good.test; the DKIM signature of good.test is valid; DMARC passed for good.test", told)

        # Forwarded: SPF fails, the signature holds.
        mid, content = written("bank.test")
        self.assertEqual(send(sign(content, self.key, "bank.test"), "forwarder@plain.test"), "250")
        self.found(relais, mid)

        # Nobody stands behind it: refused, with the domain and in the trace.
        mid, content = written("bank.test")
        broken = sign(content, self.key, "bank.test").replace(b"A line.", b"A lie.")
        said = send(broken, "zoe@bank.test")
        self.assertTrue(said.startswith("550 5.7.1 ") and "bank.test" in said and "DMARC" in said, said)
        told = relais.cli("trace", "--message-id", mid)
        for part in ("SPF failed for bank.test", "does not count (the body was changed)", "DMARC failed for bank.test", "refused: 550 5.7.1"):
            self.assertIn(part, told)
        # Also for a subdomain, whatever is written in front of it, and with several authors.
        for sender in ("zoe@news.bank.test", "\"zoe@good.test\" <zoe@bank.test>", "zoe@good.test, zoe@bank.test"):
            self.assertTrue(send(message(to=ALICE, sender=sender), "zoe@good.test").startswith("550 5.7.1"), sender)

        # Suspicious: Spam, with the reason, unanswered; not passed on.
        mid, content = written("shop.test")
        self.assertEqual(send(content, "zoe@shop.test"), "250")
        found = self.found(relais, mid, "Junk")
        for part in (b"$Junk", b"X-Spam-Reason: shop.test asks for", b"dmarc=fail (p=quarantine) header.from=shop.test"):
            self.assertIn(part, found)
        told = until(lambda: (lambda text: text if "responder 1" in text else None)(relais.cli("trace", "--message-id", mid)), what="the decision")
        self.assertIn("goes to Spam: shop.test asks for", told)
        self.assertNotIn("responder 1 at alice@near.test answers", told)
        self.assertTrue(send(written("shop.test")[1], "zoe@shop.test", "outside@near.test").startswith("550 5.7.1"))
        # Nor does somebody else's Spam hide that one of several gets nothing.
        lost, content = written("shop.test")
        self.assertTrue(send(content, "zoe@shop.test", [ALICE, "outside@near.test"]).startswith("550 5.7.1"))
        self.assertEqual([len(relais.with_id(ALICE, lost, mailbox)) for mailbox in ("INBOX", "Junk")], [0, 0])
        mid, content = written("shop.test")
        self.assertEqual(send(content, "zoe@shop.test", "both@near.test"), "250")
        self.found(relais, mid, "Junk")
        self.assertIn("not passed on to zoe@remote.test", relais.cli("trace", "--message-id", mid))
        self.assertEqual([entry for entry in relais.queue() if entry["destination"] == "remote.test"], [])

        # Nobody asks for anything.
        for domain, result in (("lax.test", b"dmarc=fail (p=none)"), ("plain.test", b"dmarc=none")):
            mid, content = written(domain)
            self.assertEqual(send(content, "zoe@" + domain), "250")
            self.assertIn(result, self.found(relais, mid))
        mid, content = written("plain.test")
        self.assertEqual(send(sign(content, self.key, "plain.test", selector="wrong"), "zoe@plain.test"), "250")
        self.assertIn(b"dkim=fail (the signature is not by the key", self.found(relais, mid))

        # The DNS does not answer: again later, never a pass.
        self.assertTrue(send(written("down.test")[1], "zoe@down.test").startswith("451 4.7.1"))
        mid, content = written("keyless.test")
        self.assertTrue(send(sign(content, self.key, "keyless.test"), "zoe@plain.test").startswith("451 4.7.1"))

        # A trusted list has changed it, and says that DMARC passed when it came there.
        mid, content = written("bank.test")
        content = b"Authentication-Results: lists.test; dmarc=pass header.from=bank.test\r\n" + content
        sealed = sign(content, self.other, "lists.test", what="arc")
        self.assertEqual(send(sealed, "garden@lists.test"), "250")
        self.assertIn(b"arc=pass", self.found(relais, mid))
        self.assertIn("but lists.test is trusted", relais.cli("trace", "--message-id", mid))
        self.assertTrue(send(sealed.replace(b"A line.", b"A lie."), "garden@lists.test").startswith("550 5.7.1"))

        # In our name from outside: it goes. In another's: it stays.
        mid, content = written("plain.test", headers=[
            ("authentication-results", "MX.near.test 1; dmarc=pass"), ("Authentication-Results", "(x)\r\n mx.near.test; spf=pass"),
            ("Authentication-Results", "mx.far.test; spf=pass")])
        self.assertEqual(send(content, "zoe@plain.test"), "250")
        found = self.found(relais, mid)
        self.assertEqual(len(re.findall(rb"(?im)^authentication-results:", found)), 2, found)
        self.assertIn(b"mx.far.test; spf=pass", found)

        # Nothing can be hidden behind the end of what is looked at.
        long = b"X-Long: %s\r\n" % (b"x" * 900) * 200 + written("bank.test")[1]
        self.assertTrue(send(long, "zoe@plain.test").startswith("550 5.6.0"))
        relais.stop()
        relais.check()

    def test_a_milder_server(self):
        relais = self.started(dmarc="quarantine", defer_when_unsure=False)
        mid = message_id("bank.test")
        self.assertEqual(self.hand_over(relais, message(to=ALICE, sender="zoe@bank.test", mid=mid), "zoe@bank.test"), "250")
        self.found(relais, mid, "Junk")
        mid = message_id("down.test")
        self.assertEqual(self.hand_over(relais, message(to=ALICE, sender="zoe@down.test", mid=mid), "zoe@down.test"), "250")
        self.assertIn(b"dmarc=temperror", self.found(relais, mid))

    def test_spf_alone_refuses_where_that_is_wanted(self):
        for wanted, said in ((False, r"^250$"), (True, r"^550 5\.7\.23 ")):
            relais = self.started(refuse_spf_fail=wanted)
            mid = message_id("strict.test")
            self.assertRegex(self.hand_over(relais, message(to=ALICE, sender="zoe@strict.test", mid=mid), "zoe@strict.test"), said)
            if wanted:
                self.assertIn("refused: 550 5.7.23", relais.cli("trace", "--message-id", mid))
                # A signature by which DMARC passes is enough.
                signed = sign(message(to=ALICE, sender="zoe@bank.test"), self.key, "bank.test")
                self.assertEqual(self.hand_over(relais, signed, "zoe@bank.test"), "250")
            else:
                self.assertIn(b"spf=fail", self.found(relais, mid))
            relais.stop()

    def test_large_messages_are_checked_as_they_pass(self):
        relais = self.started()
        body = ("0123456789" * 7 + "\r\n") * 60_000
        mid = message_id("good.test")
        content = sign(message(to=ALICE, sender="zoe@good.test", mid=mid, body=body), self.key, "good.test")
        self.assertEqual(self.hand_over(relais, content, "zoe@plain.test"), "250")
        found = self.found(relais, mid)
        self.assertIn(b"dkim=pass header.d=good.test", found)
        self.assertIn(body.encode(), found)
        before, said = relais.rss(), []

        def one():
            said.append(self.hand_over(relais, content, "zoe@plain.test"))
        senders = [threading.Thread(target=one) for _ in range(16)]
        for sender in senders:
            sender.start()
        most = 0
        while any(sender.is_alive() for sender in senders):
            most = max(most, relais.rss())
            senders[0].join(0.05)
        self.assertEqual(said, ["250"] * 16)
        self.assertLess(most - before, 60 * 1024 * 1024, "16 messages of 4 MiB at once")
        relais.stop()
        relais.check()

    def test_a_verified_member_leaves_without_confirming(self):
        relais = self.started()
        relais.cli("list", "add", "garden@near.test", "--owner", OWNER)
        for domain in ("good.test", "plain.test"):
            relais.cli("list", "member", "add", "garden@near.test", "zoe@" + domain)
        members = lambda: sorted(member["address"] for member in relais.json("list", "member", "list", "garden@near.test"))
        order = lambda domain: message(to="garden-leave@near.test", sender="zoe@" + domain, mid=message_id(domain))
        self.assertEqual(self.hand_over(relais, order("plain.test"), "zoe@plain.test", "garden-leave@near.test"), "250")
        self.assertEqual(self.hand_over(relais, sign(order("good.test"), self.key, "good.test"), "zoe@good.test", "garden-leave@near.test"), "250")
        until(lambda: members() == ["zoe@plain.test"], what="the one who signed to be gone")


if __name__ == "__main__":
    unittest.main()
