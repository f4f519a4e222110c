"""Mailing lists and DMARC: From is rewritten for an author whose domain protects it.

Runs in a network namespace of its own, with a name server on 127.0.0.1:53 and a mail server on port 25 of 192.0.2.2.
"""

import email
import email.policy
import subprocess
import unittest

from harness import TestCase, certificate, folder, loopback_up, message, namespace
from remote import Dns, Remote

OWNER = "owner@near.test"


def parsed(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


HOST = "192.0.2.2"


@namespace("net")
class Dmarc(TestCase):

    def test_rewriting(self):
        loopback_up(HOST)
        resolv = folder("dns") / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
        dns = Dns({
            ("remote.test", "A"): [HOST],
            ("_dmarc.bank.test", "TXT"): ["v=DMARC1; p=reject"],
            ("_dmarc.free.test", "TXT"): ["v=DMARC1; p=none"],
            ("broken.test", "FAIL"): [], ("_dmarc.broken.test", "FAIL"): [],
        })
        self.addCleanup(dns.close)
        remote = Remote(host=HOST, port=25, certificate=certificate())
        self.addCleanup(remote.close)
        relais = self.server(name="dmarc", hostname="mx.near.test")
        relais.add_domain("near.test")
        relais.add_account(OWNER)
        relais.cli("list", "add", "garden@near.test", "--owner", OWNER, "--posting", "anyone", "--name", "Garden")
        relais.cli("list", "member", "add", "garden@near.test", "bob@remote.test", "--quiet")
        relais.start()
        for number, (author, sender) in enumerate([
            ("zoe@bank.test", "garden@near.test"), ("zoe@shop.bank.test", "garden@near.test"),
            ("zoe@free.test", "zoe@free.test"), ("zoe@plain.test", "zoe@plain.test"),
            ("zoe@broken.test", "garden@near.test"),
        ]):
            subject = "Post %d" % number
            relais.send(author, "garden@near.test", message(to="garden@near.test", sender=author, subject=subject))
            has = lambda messages: [one for one in messages if subject.encode() in one.content]
            post = parsed(has(remote.wait(has, what=author))[0].content)
            self.assertEqual(post["From"].addresses[0].addr_spec, sender, author)
            if sender != author:
                self.assertEqual(post["Reply-To"].addresses[0].addr_spec, author)
                self.assertIn("via Garden", post["From"].addresses[0].display_name)
        relais.stop()


if __name__ == "__main__":
    unittest.main()
