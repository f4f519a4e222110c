"""The web listener: mail programs find their settings by themselves (M5), and slow clients leave places for others."""

import http.client
import imaplib
import json
import plistlib
import smtplib
import socket
import subprocess
import time
import urllib.parse
import xml.etree.ElementTree as xml

from harness import PASSWORD, ServerCase, tls_context, until

OUTLOOK = "http://schemas.microsoft.com/exchange/autodiscover/outlook/responseschema/2006a"
REQUEST = """<?xml version="1.0" encoding="utf-8"?>
<Autodiscover xmlns="http://schemas.microsoft.com/exchange/autodiscover/outlook/requestschema/2006">
  <Request><EMailAddress>%s</EMailAddress><AcceptableResponseSchema>%s</AcceptableResponseSchema></Request>
</Autodiscover>"""


class Web(ServerCase):

    @classmethod
    def setUpClass(cls):
        cls.options = dict(hostname="localhost", settings={"web": {"url": "https://pages.near.test"}})
        super().setUpClass()

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.cli("domain", "add", "other.test", "--alias-of", "near.test")
        server.add_accounts("alice@near.test")

    def curl(self, path, *options):
        """Status, type and octets, as a program of its own gets them."""
        done = subprocess.run(
            ["curl", "--silent", "--max-time", "20", "--write-out", "\\n%{http_code} %{content_type}", *options,
             "http://127.0.0.1:%d%s" % (self.relais.ports["web"], path)], check=True, capture_output=True)
        octets, _, said = done.stdout.rpartition(b"\n")
        status, _, kind = said.decode().partition(" ")
        return int(status), kind, octets

    def connects(self, protocol, host, port, security, login):
        """What is told is enough to log in."""
        if protocol == "imap":
            client = imaplib.IMAP4_SSL(host, port, ssl_context=tls_context(), timeout=30) if security == "implicit" \
                else imaplib.IMAP4(host, port, timeout=30)
            if security == "starttls":
                client.starttls(tls_context())
            client.login(login, PASSWORD)
            client.logout()
            return
        client = smtplib.SMTP_SSL(host, port, timeout=30, context=tls_context()) if security == "implicit" \
            else smtplib.SMTP(host, port, timeout=30)
        with client:
            if security == "starttls":
                client.starttls(context=tls_context())
            client.login(login, PASSWORD)


class Discovery(Web):

    def autoconfig(self, path, *options):
        status, kind, octets = self.curl(path, *options)
        self.assertEqual((status, kind), (200, "application/xml; charset=utf-8"))
        return xml.fromstring(octets)

    def test_thunderbird_finds_settings_that_work(self):
        for path, options in (
                ("/mail/config-v1.1.xml?emailaddress=alice%40near.test", ()),
                ("/.well-known/autoconfig/mail/config-v1.1.xml", ("-H", "Host: near.test")),
                ("/mail/config-v1.1.xml", ("-H", "Host: autoconfig.near.test"))):
            found = self.autoconfig(path, *options)
            self.assertEqual(found.find("emailProvider/domain").text, "near.test")
            servers = found.findall("emailProvider/*[@type]")
            self.assertEqual([one.get("type") for one in servers], ["imap", "imap", "smtp", "smtp"])
            for one in servers:
                login = one.find("username").text.replace("%EMAILADDRESS%", "alice@near.test")
                security = {"SSL": "implicit", "STARTTLS": "starttls"}[one.find("socketType").text]
                self.connects(one.get("type"), one.find("hostname").text, int(one.find("port").text), security, login)

    def test_a_domain_that_stands_for_another_has_its_logins(self):
        found = self.autoconfig("/mail/config-v1.1.xml?emailaddress=alice@other.test")
        one = found.find("emailProvider/incomingServer")
        login = one.find("username").text.replace("%EMAILLOCALPART%", "alice")
        self.connects("imap", "localhost", int(one.find("port").text), "implicit", login)

    def test_outlook_finds_settings_that_work(self):
        for path in ("/autodiscover/autodiscover.xml", "/Autodiscover/Autodiscover.xml", "/AUTODISCOVER/AutoDiscover.XML"):
            status, kind, octets = self.curl(path, "--data-binary", REQUEST % ("alice@near.test", OUTLOOK), "-H", "Content-Type: text/xml")
            self.assertEqual((status, kind), (200, "text/xml; charset=utf-8"))
            name = lambda text: "{%s}%s" % (OUTLOOK, text)
            told = xml.fromstring(octets).findall(".//" + name("Protocol"))
            self.assertEqual([one.find(name("Type")).text for one in told], ["IMAP", "SMTP"])
            for one in told:
                self.assertEqual(one.find(name("Encryption")).text, "SSL")
                self.connects(one.find(name("Type")).text.lower(), one.find(name("Server")).text,
                              int(one.find(name("Port")).text), "implicit", one.find(name("LoginName")).text)
        for path in ("/autodiscover/autodiscover.json?Email=alice@near.test&Protocol=AutodiscoverV1",
                     "/autodiscover/autodiscover.json/v1.0/alice%40near.test?Protocol=autodiscoverv1"):
            status, kind, octets = self.curl(path)
            self.assertEqual((status, kind), (200, "application/json; charset=utf-8"))
            self.assertEqual(json.loads(octets)["Url"], "https://pages.near.test/autodiscover/autodiscover.xml")

    def test_apple_gets_a_profile_that_works(self):
        status, kind, octets = self.curl("/apple/mobileconfig?emailaddress=alice@near.test")
        self.assertEqual((status, kind), (200, "application/x-apple-aspen-config; charset=utf-8"))
        account, = plistlib.loads(octets)["PayloadContent"]
        self.assertEqual((account["PayloadType"], account["EmailAddress"]), ("com.apple.mail.managed", "alice@near.test"))
        for way, protocol in (("Incoming", "imap"), ("Outgoing", "smtp")):
            self.connects(protocol, account[way + "MailServerHostName"], account[way + "MailServerPortNumber"], "implicit",
                          account[way + "MailServerUsername"])

    def test_nobody_learns_who_has_a_mailbox(self):
        for path in ("/mail/config-v1.1.xml?emailaddress=%s", "/apple/mobileconfig?emailaddress=%s",
                     "/autodiscover/autodiscover.json?Protocol=AutodiscoverV1&Email=%s"):
            told = [self.curl(path % who) for who in ("alice@near.test", "nobody@near.test")]
            self.assertEqual(told[0][:2], told[1][:2])
            self.assertEqual(len(told[0][2].replace(b"alice", b"nobody")) if "apple" not in path else 0,
                             len(told[1][2]) if "apple" not in path else 0)
            self.assertEqual(self.curl(path % "alice@far.test")[0], 404)
        posted = [self.curl("/autodiscover/autodiscover.xml", "--data-binary", REQUEST % (who, OUTLOOK))[2]
                  for who in ("alice@near.test", "nobody@near.test")]
        self.assertEqual(posted[0].replace(b"alice", b"nobody"), posted[1])
        self.assertIn(b"<ErrorCode>500<", self.curl("/autodiscover/autodiscover.xml", "--data-binary", REQUEST % ("a@far.test", OUTLOOK))[2])

    def test_what_was_sent_comes_back_as_text(self):
        odd = urllib.parse.quote("\"<x>&'\"@near.test")
        status, _, octets = self.curl("/apple/mobileconfig?emailaddress=" + odd)
        self.assertEqual(status, 200)
        account, = plistlib.loads(octets)["PayloadContent"]
        self.assertIn("<x>&'", account["EmailAddress"])
        self.assertIn(b"<ErrorCode>600<", self.curl("/autodiscover/autodiscover.xml", "--data-binary", "<EMailAddress>")[2])
        self.assertEqual(self.curl("/mail/config-v1.1.xml", "-X", "POST")[0], 405)
        self.assertEqual(self.curl("/nothing/here.xml")[0], 404)

    def public_host(self, name):
        self.relais.set("accounts", public_host=name)
        self.relais.restart()

    def test_the_records_are_those_of_the_listeners(self):
        told = self.relais.json("domain", "records", "near.test")
        names = [(one["kind"], one["name"]) for one in told["records"]]
        texts = [name for kind, name in names if kind == "TXT"]
        self.assertEqual([name for name in texts if "._domainkey." not in name], ["near.test", "_dmarc.near.test"])
        self.assertEqual(len(texts), 4)
        # The name of this server is localhost, which no record can lead to.
        self.assertEqual(
            [one for one in names if one[0] != "TXT"],
            [("SRV", "_autodiscover._tcp.near.test"), ("CNAME", "autoconfig.near.test"), ("CNAME", "autodiscover.near.test")],
        )
        self.assertEqual(len(told["notes"]), 2, told["notes"])
        self.public_host("mail.near.test")
        self.addCleanup(self.public_host, "")
        text = self.relais.cli("domain", "records", "near.test")
        for service, port in (("imaps", "imaps"), ("imap", "imap"), ("submissions", "submissions"), ("submission", "submission")):
            self.assertRegex(text, r"(?m)^_%s\._tcp\.near\.test\. +SRV +\d+ 1 %d mail\.near\.test\." % (service, self.relais.ports[port]))


class Slow(Web):

    def held(self, source, first, count):
        """Connections from an address that have sent a part of a request."""
        held = []
        for _ in range(count):
            sock = socket.create_connection(("127.0.0.1", self.relais.ports["web"]), timeout=30, source_address=(source, 0))
            self.addCleanup(sock.close)
            sock.sendall(first)
            held.append(sock)
        return held

    def test_slow_bodies_of_one_address_leave_places_for_others(self):
        held = self.held("127.0.0.2", b"POST /lists/x HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nslow", 80)
        refused = until(lambda: [one for one in held if self.ended(one)], what="connections beyond the share to be closed")
        self.assertGreater(len(refused), 0)
        # All the others wait for the rest of their body; somebody else is answered at once.
        begun = time.monotonic()
        client = http.client.HTTPConnection("127.0.0.1", self.relais.ports["web"], timeout=5)
        client.request("GET", "/lists/style.css")
        self.assertEqual(client.getresponse().status, 200)
        self.assertLess(time.monotonic() - begun, 5)
        # Nobody waits for them for ever: 408, and the end.
        slow = next(one for one in held if one not in refused)
        slow.setblocking(True)
        slow.settimeout(30)
        said = b""
        while True:
            some = slow.recv(4096)
            if not some:
                break
            said += some
        self.assertTrue(said.startswith(b"HTTP/1.1 408 "), said)
        self.assertIn(b"relais_http_refused_total", self.relais.http("/metrics")[1].encode())

    def ended(self, sock):
        sock.setblocking(False)
        try:
            return sock.recv(1) == b""
        except BlockingIOError:
            return False
        except OSError:
            return True

    def test_a_header_that_does_not_end_is_not_waited_for(self):
        slow, = self.held("127.0.0.3", b"GET /lists/style.css HTTP/1.1\r\nX: y", 1)
        slow.settimeout(30)
        begun = time.monotonic()
        while slow.recv(4096):
            pass
        self.assertLess(time.monotonic() - begun, 20)

    def test_bodies_have_a_size(self):
        for size, status in ((70_000, 413), (20_000, 413), (100, 404)):
            client = http.client.HTTPConnection("127.0.0.1", self.relais.ports["web"], timeout=30)
            client.request("POST", "/lists/nothing", body=b"a" * size)
            self.assertEqual(client.getresponse().status, status, size)
