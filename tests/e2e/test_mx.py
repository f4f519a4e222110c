"""Where mail goes by the DNS: MX records, their order, A records without them, null MX, names that do not exist.

Runs in a network namespace of its own: a name server on 127.0.0.1:53 and mail servers on port 25 of 192.0.2.2 and on (a domain must
not lead a server to its own loopback), which nobody outside sees.
"""

import email
import subprocess
import unittest

from harness import Server, TestCase, certificate, folder, id_of, loopback_up, message, message_id, namespace, until
from remote import Dns, Remote

ALICE = "alice@near.test"

# A host that can be reached by both.
FAMILIES = {"ipv4": "192.0.2.6", "ipv6": "2001:db8::6"}

HOSTS = {"one": "192.0.2.2", "two": "192.0.2.3", "three": "192.0.2.4", "none": "192.0.2.5"}


@namespace("net")
class Mx(TestCase):

    @classmethod
    def setUpClass(cls):
        loopback_up(*HOSTS.values(), *FAMILIES.values())
        resolv = folder("dns") / "resolv.conf"
        resolv.write_text("nameserver 127.0.0.1\noptions timeout:1 attempts:1\n")
        subprocess.run(["mount", "--bind", str(resolv), "/etc/resolv.conf"], check=True)
        table = {("%s.hosts.test" % name, "A"): [address] for name, address in HOSTS.items()}
        table.update({
            ("order.test", "MX"): [(20, "two.hosts.test"), (10, "one.hosts.test"), (30, "three.hosts.test")],
            ("busy.test", "MX"): [(10, "one.hosts.test"), (20, "two.hosts.test")],
            ("down.test", "MX"): [(10, "none.hosts.test"), (20, "two.hosts.test")],
            ("missing.test", "MX"): [(10, "gone.hosts.test"), (20, "two.hosts.test")],
            ("plain.test", "A"): [HOSTS["three"]],
            ("null.test", "MX"): [(0, "")],
            ("empty.test", "TXT"): ["nothing"],
            ("broken.test", "FAIL"): [],
            ("alone.test", "MX"): [(10, "none.hosts.test")],
            ("ourselves.test", "A"): ["127.0.0.1"],
            ("both.test", "A"): [FAMILIES["ipv4"]],
            ("both.test", "AAAA"): [FAMILIES["ipv6"]],
        })
        cls.dns = Dns(table)
        cls.addClassCleanup(cls.dns.close)
        cls.hosts = {name: Remote(host=HOSTS[name], port=25, certificate=certificate()) for name in ("one", "two", "three")}
        cls.families = {family: Remote(host=address, port=25) for family, address in FAMILIES.items()}
        for host in (*cls.hosts.values(), *cls.families.values()):
            cls.addClassCleanup(host.close)
        cls.relais = Server(name="mx", hostname="mx.near.test")
        cls.addClassCleanup(cls.relais.kill)
        cls.relais.add_domain("near.test")
        cls.relais.add_account(ALICE)
        cls.relais.start()

    @classmethod
    def tearDownClass(cls):
        cls.relais.stop()

    def setUp(self):
        for host in self.hosts.values():
            host.decide = lambda verb, argument, session: None

    def tearDown(self):
        self.relais.cli("queue", "remove", "--all")

    def submit(self, to):
        mid = message_id("near.test")
        self.relais.submit(ALICE, to, message(to=to, sender=ALICE, mid=mid))
        return mid

    def goes(self, to, host):
        mid = self.submit(to)
        self.hosts[host].wait(lambda messages: any(id_of(one.content) == mid for one in messages), what="%s at host %s" % (to, host))
        self.relais.wait_queue_empty()
        for name, other in self.hosts.items():
            count = sum(id_of(one.content) == mid for one in other.messages)
            self.assertEqual(count, 1 if name == host else 0, name)

    def returned(self, to, status):
        mid = self.submit(to)
        got = self.relais.wait_message(ALICE, lambda octets: b"multipart/report" in octets and mid.encode() in octets)
        field = email.message_from_bytes(got).get_payload()[1].get_payload()[1]
        self.assertEqual((field["Final-Recipient"].replace(" ", ""), field["Action"]), ("rfc822;" + to, "failed"))
        self.assertRegex(field["Status"], status)
        self.relais.wait_queue_empty()

    def deferred(self, to):
        self.submit(to)
        until(lambda: [entry for entry in self.relais.queue() if entry["attempts"]], what="a deferred message")

    def test_one_family_of_addresses(self):
        # `[queue] ip_family`
        for family, other in (("ipv4", "ipv6"), ("ipv6", "ipv4")):
            relais = self.server(name=family, hostname="mx.near.test", settings={"queue": {"ip_family": family}})
            relais.add_domain("near.test")
            relais.add_account(ALICE)
            relais.start()
            before = len(self.families[other].sessions)
            mid = message_id("near.test")
            relais.submit(ALICE, "a@both.test", message(to="a@both.test", sender=ALICE, mid=mid))
            self.families[family].wait(lambda messages: any(id_of(one.content) == mid for one in messages), what="a message by " + family)
            relais.wait_queue_empty()
            self.assertEqual(len(self.families[other].sessions), before)
            if family == "ipv6":
                # A host without an address of the family can't be reached.
                relais.submit(ALICE, "a@plain.test", message(to="a@plain.test", sender=ALICE, mid=message_id("near.test")))
                got = relais.wait_message(ALICE, lambda octets: b"multipart/report" in octets)
                self.assertIn(b"Status: 5.4.4", got)
            relais.stop()
            relais.check()

    def test_the_preferred_host(self):
        self.goes("a@order.test", "one")

    def test_the_next_host_when_one_is_down(self):
        self.goes("a@down.test", "two")

    def test_the_next_host_when_one_refuses_for_now(self):
        self.hosts["one"].decide = lambda verb, argument, session: "421 4.3.2 not now" if verb == "CONNECT" else None
        self.goes("a@busy.test", "two")

    def test_a_host_without_address_is_passed_over(self):
        self.goes("a@missing.test", "two")

    def test_an_address_without_mx(self):
        # RFC 5321 §5.1.
        self.goes("a@plain.test", "three")

    def test_a_domain_that_leads_to_ourselves(self):
        self.returned("a@ourselves.test", r"^5\.4\.[0-9]$")

    def test_the_null_mx(self):
        # RFC 7505 §4.1: 5.1.10.
        self.returned("a@null.test", r"^5\.1\.10$")

    def test_a_domain_that_does_not_exist(self):
        self.returned("a@nowhere.invalid.test", r"^5\.1\.[2-8]$")

    def test_a_domain_without_any_host(self):
        self.returned("a@empty.test", r"^5\.\d+\.\d+$")

    def test_a_broken_name_server_defers(self):
        self.deferred("a@broken.test")

    def test_all_hosts_down_defers(self):
        self.deferred("a@alone.test")


if __name__ == "__main__":
    unittest.main()
