"""What is known of clients: lists in the DNS, their names, what became of former mail; and the greylist, with a name server of the tests.

Runs in a network namespace of its own, for the name server on 127.0.0.1:53 and clients at addresses that are not this machine's loopback.
"""

import re
import smtplib
import subprocess
import unittest

from harness import TestCase, folder, loopback_up, message, message_id, namespace, until
from remote import Dns

ALICE = "alice@near.test"
# Clients: a server with a name and SPF, one that nobody knows, one on lists, one that an allow list knows.
GOOD, NOBODY, LISTED, KNOWN, DOUBLE = "192.0.2.2", "192.0.2.66", "198.51.100.9", "203.0.113.5", "198.51.101.9"
# Servers of one provider, without names, in several networks.
POOL = ["198.18.%d.7" % n for n in range(4)]


def reversed_name(ip):
    return ".".join(reversed(ip.split(".")))


@namespace("net")
class Reputation(TestCase):

    @classmethod
    def setUpClass(cls):
        loopback_up(GOOD, NOBODY, LISTED, KNOWN, DOUBLE, *POOL)
        resolv = folder("dns") / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
        cls.dns = Dns({
            (reversed_name(GOOD) + ".in-addr.arpa", "PTR"): ["mail.good.test"], ("mail.good.test", "A"): [GOOD],
            ("good.test", "TXT"): ["v=spf1 ip4:%s -all" % GOOD],
            ("mail.pool.test", "TXT"): ["v=spf1 include:_spf.pool.test -all"],
            ("_spf.pool.test", "TXT"): ["v=spf1 ip4:198.18.0.0/24 ip4:198.18.1.0/24 ip4:198.18.2.0/24 -all"],
            ("_dmarc.pool.test", "TXT"): ["v=DMARC1; p=none"], ("other.pool.test", "TXT"): ["v=spf1 ip4:198.18.3.7 -all"],
            ("third.pool.test", "TXT"): ["v=spf1 ip4:198.18.2.7 -all"],
            ("wide.test", "TXT"): ["v=spf1 +all"],
            ("2.0.0.127.bl.test", "A"): ["127.0.0.2"], (reversed_name(LISTED) + ".bl.test", "A"): ["127.0.0.3"],
            (reversed_name(LISTED) + ".bl.test", "TXT"): ["see https://bl.test/?ip=%s" % LISTED],
            ("2.0.0.127.pts.test", "A"): ["127.0.0.2"], (reversed_name(DOUBLE) + ".pts.test", "A"): ["127.0.0.2"],
            ("2.0.0.127.wl.test", "A"): ["127.0.0.2"], (reversed_name(KNOWN) + ".wl.test", "A"): ["127.0.7.2"],
            (reversed_name(KNOWN) + ".wl.test", "TXT"): ["known.test https://wl.test/"],
            # A list that answers yes to everything, and one that answers nothing.
            ("2.0.0.127.wild.test", "A"): ["127.0.0.2"], ("1.0.0.127.wild.test", "A"): ["127.0.0.2"],
            (reversed_name(GOOD) + ".wild.test", "A"): ["127.0.0.2"],
            ("2.0.0.127.down.test", "FAIL"): [],
        })
        cls.addClassCleanup(cls.dns.close)

    def started(self, lists=(), **greylist):
        relais = self.server(name="reputation", hostname="mx.near.test", settings={
            "sender_authentication": {"trusted_networks": []}, "greylist": dict({"wait_secs": 300}, **greylist)})
        text = relais.config_text
        relais.config_text = lambda: text() + "".join("[[reputation.list]]\n%s\n" % one for one in lists)
        relais.write_config()
        relais.add_domain("near.test")
        relais.add_accounts(ALICE)
        relais.add_alias("postmaster@near.test", ALICE)
        relais.start()
        return relais

    def hand_over(self, relais, client, content=None, sender="zoe@far.test", to=ALICE, helo="mail.far.test"):
        """The first reply that is none of success, as text; or 250."""
        content = content or message(to=to, sender=sender or "zoe@far.test")
        with smtplib.SMTP("127.0.0.1", relais.ports["mx"], local_hostname=helo, timeout=60, source_address=(client, 0)) as smtp:
            smtp.ehlo()
            for code, text in (smtp.mail(sender), smtp.rcpt(to)):
                if code // 100 != 2:
                    return "%d %s" % (code, text.decode())
            code, text = smtp.data(content)
            return "250" if code == 250 else "%d %s" % (code, text.decode())

    def content(self, relais, mid, mailbox="INBOX"):
        def look():
            imap = relais.imaplib(ALICE)
            try:
                imap.select(mailbox, readonly=True)
                uids = imap.uid("SEARCH", "HEADER", "Message-ID", '"%s"' % mid)[1][0].split()
                return uids and imap.uid("FETCH", uids[-1].decode(), "(BODY.PEEK[])")[1][0][1].decode()
            finally:
                imap.logout()
        return until(look, what="%s in %s" % (mid, mailbox))

    def sound(self, relais, *zones):
        """Waits until lists are used."""
        def used():
            lists = {one["zone"]: one["trouble"] for one in relais.json("reputation", "show", "far.test")["lists"]}
            return all(zone in lists and lists[zone] is None for zone in zones)
        until(used, what="the lists " + ", ".join(zones))

    def test_the_doubtful_are_asked_to_come_again_and_known_servers_are_not(self):
        relais = self.started()
        # A server with a name and SPF is not asked to wait.
        self.assertEqual(self.hand_over(relais, GOOD, sender="zoe@good.test", helo="mail.good.test"), "250")
        # Who has neither is.
        first = self.hand_over(relais, NOBODY, helo="PC")
        self.assertRegex(first, r"^451 4\.7\.1 Greylisted: not known here yet, please try again in 5 min")
        self.assertRegex(self.hand_over(relais, NOBODY, helo="PC"), r"^451 4\.7\.1")
        # Postmaster is always reached; and this machine itself is nobody to doubt.
        self.assertEqual(self.hand_over(relais, NOBODY, to="postmaster@near.test", helo="PC"), "250")
        self.assertEqual(self.hand_over(relais, "127.0.0.1", helo="PC"), "250")
        told = relais.cli("trace", "--sender", "zoe@far.test")
        self.assertIn("the client is asked to come again in", told)
        self.assertIn("the client's address has no name (1.5); the client calls itself \"PC\", which is no complete name (1.0)", told)
        listed = relais.cli("greylist", "list")
        self.assertRegex(listed, r"192\.0\.2\.0/24 +zoe@far\.test +near\.test")
        shown = relais.cli("reputation", "show", NOBODY, "--helo", "PC", "--sender", "zoe@far.test")
        self.assertIn("its address has no name", shown)
        self.assertIn("mail is asked to come again after 5 min", shown)
        self.assertIn("greylist: zoe@far.test from 192.0.2.0/24 to near.test waits since", shown)
        # What waits outlives a restart, and the end of the process.
        relais.kill()
        relais.start()
        self.assertIn("192.0.2.0/24", relais.cli("greylist", "list"))
        self.assertIn("not known to the greylist any more", relais.cli("greylist", "forget", NOBODY))
        self.assertNotIn("192.0.2.0/24", relais.cli("greylist", "list"))

    def test_who_comes_again_is_let_in_and_its_network_is_known(self):
        relais = self.started(wait_secs=1)

        def come_again():
            return self.hand_over(relais, NOBODY, helo="PC")
        self.assertRegex(come_again(), r"^451 4\.7\.1")
        until(lambda: come_again() == "250", what="the second attempt")
        self.assertEqual(self.hand_over(relais, NOBODY, sender="max@other.test", helo="PC"), "250", "the network is known")
        shown = relais.json("reputation", "show", NOBODY)
        self.assertEqual(shown["passed"]["origin"], "192.0.2.0/24")
        shown = relais.cli("reputation", "show", NOBODY, "--helo", "PC", "--sender", "max@other.test")
        self.assertIn("now: mail is taken: 192.0.2.0/24 has come again, as zoe@far.test", shown)

    def test_a_provider_may_come_again_from_another_network(self):
        relais = self.started(wait_secs=1)
        first, second, third, other = POOL
        sender = "bounce-17@mail.pool.test"
        self.assertRegex(self.hand_over(relais, first, sender=sender, helo="PC"), r"^451 4\.7\.1 Greylisted")
        told = relais.cli("trace", "--sender", sender)
        self.assertIn("the client, or another server of pool.test, is asked to come again in", told)
        self.assertRegex(relais.cli("greylist", "list"), r"pool\.test +bounce-#@mail\.pool\.test +near\.test")
        # Each attempt comes from a network of its own: none of them has come again.
        until(lambda: self.hand_over(relais, second, sender="bounce-18@mail.pool.test", helo="PC") == "250", what="the second attempt")
        self.assertEqual(self.hand_over(relais, other, sender="zoe@other.pool.test", helo="PC"), "250", "of the same organization")
        shown = relais.json("reputation", "show", "pool.test")
        self.assertEqual(shown["passed"]["origin"], "pool.test")
        shown = relais.cli("reputation", "show", third, "--helo", "PC", "--sender", "zoe@third.pool.test")
        self.assertIn("now: mail is taken: pool.test has come again, as bounce-#@mail.pool.test", shown)
        # Who is none of them is asked to come again, whatever it says; and what lets everybody pass helps nobody.
        self.assertRegex(self.hand_over(relais, NOBODY, sender="zoe@mail.pool.test", helo="PC"), r"^451")
        shown = relais.cli("reputation", "show", NOBODY, "--helo", "PC", "--sender", "zoe@wide.test")
        self.assertIn("SPF of wide.test passes, as it may for anybody", shown)
        relais.cli("greylist", "forget", "pool.test")
        self.assertRegex(self.hand_over(relais, third, sender="max@third.pool.test", helo="PC"), r"^451")
        relais.stop()
        relais.check()

    def test_a_contact_of_the_recipient_is_not_asked_to_come_again(self):
        relais = self.started()
        relais.cli("contact", "add", ALICE, "ida@far.test")
        self.assertEqual(self.hand_over(relais, NOBODY, sender="ida@far.test", helo="PC"), "250")
        self.assertRegex(self.hand_over(relais, NOBODY, sender="zoe@far.test", helo="PC"), r"^451")

    def test_lists_refuse_weigh_and_vouch(self):
        lists = ['zone = "bl.test"\nuse = "block"\nanswers = { "127.0.0.2-9" = 1.0 }', 'zone = "pts.test"\nuse = "points"\npoints = 6.0',
                 'zone = "wl.test"\nuse = "allow"\nanswers = { "127.0.*.1-3" = 1.0 }', 'zone = "wild.test"\nuse = "block"',
                 'zone = "down.test"\nuse = "block"']
        relais = self.started(lists=lists, enabled=False)
        self.sound(relais, "bl.test", "pts.test", "wl.test")
        refused = self.hand_over(relais, LISTED)
        self.assertEqual(refused, "550 5.7.1 Refused: %s is on the list bl.test: see https://bl.test/?ip=%s" % (LISTED, LISTED))
        self.assertEqual(self.hand_over(relais, LISTED, to="postmaster@near.test"), "250")
        self.assertIn("the client is refused: %s is on the list bl.test" % LISTED, relais.cli("trace", "--sender", "zoe@far.test"))
        # Lists that lie, or do not answer, hurt nobody; the administrator hears of them.
        self.assertEqual(self.hand_over(relais, GOOD, sender="zoe@good.test", helo="mail.good.test"), "250")
        health = relais.cli("health")
        self.assertIn("ready", health)
        self.assertIn("note: the list wild.test is not used: it lists what no list lists", health)
        self.assertIn("note: the list down.test is not used: its test points did not answer yet", health)
        # Points put into Spam, with a sentence.
        mid = message_id("far.test")
        self.assertEqual(self.hand_over(relais, DOUBLE, message(to=ALICE, sender="zoe@far.test", mid=mid)), "250")
        content = self.content(relais, mid, "Junk").replace("\r\n\t", " ")
        self.assertRegex(content, r"X-Spam-Reason: [\d.]+ points of 5\.0: %s is on the list pts\.test" % re.escape(DOUBLE))
        self.assertRegex(relais.cli("trace", "--message-id", mid), r"goes to Spam: [\d.]+ points of 5\.0: %s is on" % re.escape(DOUBLE))
        # An allow list vouches, and Authentication-Results tells of it.
        mid = message_id("far.test")
        self.assertEqual(self.hand_over(relais, KNOWN, message(to=ALICE, sender="zoe@far.test", mid=mid)), "250")
        content = self.content(relais, mid)
        self.assertRegex(content, r'dnswl=pass dns\.zone=wl\.test dns\.sec=na policy\.ip=127\.0\.7\.2\s+policy\.txt="known\.test https://wl\.test/"')
        self.assertIn("the client is not doubted: wl.test knows %s" % KNOWN, relais.cli("trace", "--message-id", mid))
        shown = relais.cli("reputation", "show", LISTED)
        self.assertIn("now: mail is refused, except for postmaster and abuse", shown)
        self.assertIn("list wild.test of addresses, refuses: NOT USED", shown)

    def test_who_uses_our_name_is_refused(self):
        relais = self.started(enabled=False)
        self.assertEqual(self.hand_over(relais, NOBODY, helo="mx.near.test"),
                         "550 5.7.1 Refused: you call yourself mx.near.test, which is this server")
        self.assertEqual(self.hand_over(relais, NOBODY, helo="[127.0.0.1]"),
                         "550 5.7.1 Refused: you call yourself [127.0.0.1], which is this server")

    def test_what_people_say_of_mail_counts_for_its_sender(self):
        relais = self.started()
        mids = [message_id("good.test") for _ in range(4)]
        for mid in mids:
            content = message(to=ALICE, sender="zoe@good.test", mid=mid)
            self.assertEqual(self.hand_over(relais, GOOD, content, sender="zoe@good.test", helo="mail.good.test"), "250")

        def standing():
            return relais.json("reputation", "show", "good.test")["standings"][0]
        self.assertEqual(standing()["standing"]["kept"] // 900, 4)
        imap = relais.imaplib(ALICE)
        imap.select("INBOX")
        for mid in mids[:2]:
            uid = imap.uid("SEARCH", "HEADER", "Message-ID", '"%s"' % mid)[1][0].split()[0].decode()
            self.assertEqual(imap.uid("MOVE", uid, "Junk")[0], "OK")
        until(lambda: standing()["standing"]["said_spam"] // 900 == 2, what="what she says of two messages")
        # Back and forth is still two.
        imap.select("Junk")
        self.assertEqual(imap.uid("MOVE", "1", "INBOX")[0], "OK")
        until(lambda: standing()["standing"]["said_ham"] // 900 == 1, what="that one is none")
        self.assertEqual(standing()["standing"]["said_spam"] // 900, 1)
        imap.logout()
        shown = relais.cli("reputation", "show", "good.test")
        self.assertRegex(shown, r"former mail from good\.test: mixed|former mail from good\.test: bad|former mail from good\.test: good")
        self.assertIn("is forgotten", relais.cli("reputation", "forget", "good.test"))
        self.assertIn("nothing is known", relais.cli("reputation", "show", "good.test"))
        relais.stop()
        relais.check()


if __name__ == "__main__":
    unittest.main()
