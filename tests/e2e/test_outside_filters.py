"""Outside filters: Debian's rspamd, over HTTP and as a milter; its opendkim; a milter over pymilter. None of them is ours."""

import os
import shutil
import smtplib
import socket
import subprocess
import unittest
from pathlib import Path

from harness import TestCase, folder, free_port, message, message_id, needs, until
from remote import Remote

ALICE, BOB = "alice@near.test", "bob@near.test"
PYTHON = "/usr/bin/python3"
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X\r\n"

RSPAMD = """
options {
  pidfile = "%(home)s/rspamd.pid";
  tempdir = "%(home)s";
  url_tld = "%(home)s/tld";
  filters = [];
  control_socket = "%(home)s/control.sock mode=0600";
  dns { nameserver = ["127.0.0.1:%(dns)d"]; timeout = 0.1s; retransmits = 1; sockets = 1; }
}
logging { type = "file"; filename = "%(home)s/rspamd.log"; level = "info"; }
metric { name = "default"; actions { reject = 15; "add header" = 6; greylist = 4; } unknown_weight = 1; }
worker "normal" { bind_socket = "127.0.0.1:%(http)d"; count = 1; }
worker "rspamd_proxy" {
  bind_socket = "127.0.0.1:%(milter)d"; count = 1; milter = yes; timeout = 30s;
  upstream "local" { default = yes; self_scan = yes; }
}
lua = "%(home)s/test.lua";
"""

# Points by the subject, and fields for all.
RULES = """
local function says(word)
  return function(task)
    return ((task:get_subject() or ""):find(word, 1, true)) ~= nil
  end
end
rspamd_config:register_symbol({name = 'TEST_CASINO', score = 9.1, callback = says('casino')})
rspamd_config:register_symbol({name = 'TEST_GREY', score = 4.5, callback = says('grey')})
rspamd_config:register_symbol({name = 'TEST_FIELDS', score = 0.0, type = 'postfilter', callback = function(task)
  local user, ip = task:get_user() or '-', task:get_from_ip()
  task:set_milter_reply({
    add_headers = {['X-Rspamd-Test'] = string.format('user=%s ip=%s helo=%s from=%s to=%d', user, tostring(ip), task:get_helo() or '-',
      ((task:get_from('smtp') or {{}})[1] or {}).addr or '-', #(task:get_recipients('smtp') or {}))},
    remove_headers = {['X-Remove-Me'] = 0},
  })
end})
"""


def listens(port):
    with socket.socket() as sock:
        return sock.connect_ex(("127.0.0.1", port)) == 0


def has_pymilter():
    return subprocess.run([PYTHON, "-c", "import Milter"], capture_output=True).returncode == 0


class Daemon:
    """Another's program that listens at ports; it is killed at the end of the test."""

    def __init__(self, case, command, ports, log, **options):
        self.log = log
        with open(log, "ab") as out:
            self.process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL, start_new_session=True, **options)
        case.addCleanup(self.kill)
        def up():
            if self.process.poll() is not None:
                raise AssertionError("%s ended:\n%s" % (command[0], Path(log).read_text(errors="replace")[-3000:]))
            return all(listens(port) for port in ports)
        until(up, 60, "%s to listen" % command[0])

    def kill(self):
        if self.process.poll() is None:
            # With the processes that it has started.
            os.killpg(self.process.pid, 9)
        self.process.wait()


class OutsideFilters(TestCase):

    def started(self, *filters, **options):
        remote = Remote()
        self.addCleanup(remote.close)
        relais = self.server(name="outside", hostname="mx.near.test", settings={
            # What comes from this machine is a stranger's, and there is no DNS.
            "sender_authentication": {"verify": False, "trusted_networks": []}, **options},
            destinations={"far.test": ("127.0.0.1", remote.port)})
        relais.filters = [dict(one) for one in filters]
        relais.write_config()
        relais.add_domain("near.test")
        relais.add_accounts(ALICE, BOB, "unwanted@near.test")
        relais.start()
        return relais, remote

    def hand_over(self, relais, content, to=(ALICE,), sender="writer@far.test"):
        with smtplib.SMTP("127.0.0.1", relais.ports["mx"], local_hostname="client.test", timeout=60) as client:
            return client.sendmail(sender, list(to), content)

    def refused(self, relais, content, to=(ALICE,)):
        with self.assertRaises(smtplib.SMTPDataError) as refused:
            self.hand_over(relais, content, to)
        return "%d %s" % (refused.exception.smtp_code, refused.exception.smtp_error.decode())

    def kept(self, relais, subject, mailbox="INBOX", user=ALICE, **options):
        mid = message_id("far.test")
        self.hand_over(relais, message(to=ALICE, sender="writer@far.test", subject=subject, mid=mid, **options))
        return relais.wait_message(user, mid, mailbox).decode(), mid

    def rspamd(self):
        home = folder("rspamd")
        ports = {name: free_port() for name in ("http", "milter", "dns")}
        (home / "test.lua").write_text(RULES)
        # The whole list takes it half a minute to read.
        (home / "tld").write_text("com\ntest\n")
        (home / "rspamd.conf").write_text(RSPAMD % dict(ports, home=home))
        program = shutil.which("rspamd") or "/usr/bin/rspamd"
        # Root would not be taken without `--insecure`.
        command = [program, "-f", "-c", str(home / "rspamd.conf")] + (["--insecure"] if os.getuid() == 0 else [])
        Daemon(self, command, [ports["http"], ports["milter"]], str(home / "out"))
        return ports

    def pymilter(self):
        port = free_port()
        here = Path(__file__).resolve().parent
        log = str(folder("pymilter") / "out")
        return port, Daemon(self, [PYTHON, "-B", str(here / "pymilter.py"), "inet:%d@127.0.0.1" % port], [port], log)

    # -- rspamd

    @needs("rspamd")
    def test_rspamd_over_http(self):
        ports = self.rspamd()
        relais, remote = self.started({"name": "rspamd", "kind": "rspamd", "url": "http://127.0.0.1:%d" % ports["http"],
                                       "applies_to": ["incoming", "submitted"]})
        # Fine, and told of the session.
        text, mid = self.kept(relais, "Hello", headers=[("X-Remove-Me", "1")])
        self.assertRegex(text, r"\r\nX-Rspamd-Test: user=- ip=127\.0\.0\.1 helo=client\.test from=writer@far\.test to=1\r\n")
        self.assertNotIn("X-Remove-Me", text)
        self.assertRegex(relais.cli("trace", "--message-id", mid), r"outside filter rspamd: no action \(0\.0 (points|of 6\.0)\)")
        # From 4 points on it would be greylisted, were that module there: it comes in.
        self.kept(relais, "grey")
        # Spam.
        text, mid = self.kept(relais, "casino", "Junk")
        # Only newer ones say from how many on.
        reason = r"rspamd: 9\.1 (points|of 6\.0): TEST_CASINO"
        self.assertRegex(text, r"\r\nX-Spam-Flag: YES\r\nX-Spam-Reason: %s\r\n" % reason)
        self.assertRegex(relais.cli("trace", "--message-id", mid), "goes to Spam: " + reason)
        # A large one, which is more than a piece.
        body = "A line of some words that goes on and on.\r\n" * 20_000
        text, _ = self.kept(relais, "Large", body=body)
        self.assertTrue(text.endswith(body))
        # Certain: refused, with rspamd's words.
        mid = message_id("far.test")
        said = self.refused(relais, message(to=ALICE, body=GTUBE, mid=mid))
        self.assertRegex(said, r"^550 5\.7\.1 .*Gtube")
        self.assertIn("outside filter rspamd: reject", relais.cli("trace", "--message-id", mid))
        # What people submit.
        relais.submit(ALICE, "reader@far.test", message(to="reader@far.test", sender=ALICE, subject="casino, my own"))
        self.assertIn(b"X-Rspamd-Test: user=alice@near.test", remote.wait_count(1)[0].content)
        with self.assertRaises(smtplib.SMTPDataError):
            relais.submit(ALICE, "reader@far.test", message(to="reader@far.test", sender=ALICE, body=GTUBE))
        status = relais.json("outside", "status")
        self.assertEqual([(one["name"], one["kind"], one["failed"]) for one in status], [("rspamd", "rspamd", 0)])
        self.assertGreaterEqual(status[0]["asked"], 6)
        self.assertEqual(relais.metric("relais_outside_filter_answers_total", filter="rspamd", answer="refused"), 2)
        relais.stop()
        relais.check()

    @needs("rspamd")
    def test_rspamd_as_a_milter(self):
        ports = self.rspamd()
        relais, _ = self.started({"name": "rspamd", "kind": "milter", "address": "127.0.0.1:%d" % ports["milter"]})
        text, _ = self.kept(relais, "Hello", headers=[("X-Remove-Me", "1")])
        self.assertRegex(text, r"\r\nX-Rspamd-Test: user=- ip=127\.0\.0\.1 helo=client\.test from=writer@far\.test to=1\r\n")
        self.assertNotIn("X-Remove-Me", text)
        self.assertRegex(self.refused(relais, message(to=ALICE, body=GTUBE)), r"^5\d\d 5\.7\.1 .*")
        relais.stop()
        relais.check()

    # -- a milter that does all that milters do

    @unittest.skipUnless(has_pymilter(), "Debian's python3-milter is not installed")
    def test_a_milter_refuses_changes_and_puts_aside(self):
        port, _ = self.pymilter()
        relais, remote = self.started({"name": "py", "kind": "milter", "address": "inet:%d@127.0.0.1" % port, "applies_to": ["incoming", "submitted"]})
        text, _ = self.kept(relais, "Hello")
        self.assertRegex(text, r"\r\nX-Seen: helo=client\.test client=127\.0\.0\.1 login= from=<writer@far\.test> octets=\d+ id=[0-9a-f]+\r\n\r\n")
        self.assertEqual(self.refused(relais, message(to=ALICE, subject="refuse")), "554 5.7.9 No, thank you")
        self.assertTrue(self.refused(relais, message(to=ALICE, subject="later")).startswith("451 4.7.1 "))
        # Put aside and thrown away: Spam, with the reason.
        text, _ = self.kept(relais, "quarantine", "Junk")
        self.assertIn("\r\nX-Spam-Reason: py: EICAR found\r\n", text)
        text, mid = self.kept(relais, "throw away", "Junk")
        self.assertIn("\r\nX-Spam-Reason: py: it wants it thrown away\r\n", text)
        # Changed in every way.
        mid = message_id("far.test")
        self.hand_over(relais, message(to=ALICE, sender="writer@far.test", subject="change", mid=mid, headers=[("X-Old", "1")]))
        for user in (ALICE, BOB):
            text = relais.wait_message(user, mid).decode()
            self.assertTrue(text.startswith("Return-Path: <other@far.test>\r\n"), text[:200])
            header, body = text.split("\r\n\r\n", 1)
            self.assertIn("\r\nSubject: Another subject\r\n", header)
            self.assertIn("\r\nX-Inserted: here\r\n", header)
            self.assertNotIn("X-Old", header)
            self.assertEqual(body, "Another body, line by line.\r\n" * 3_000)
        self.assertIn("outside filter py: ", relais.cli("trace", "--message-id", mid))
        # A recipient that it does not want: hers is in Spam, the other's is not.
        mid = message_id("far.test")
        self.hand_over(relais, message(to=ALICE, sender="writer@far.test", mid=mid), to=("unwanted@near.test", ALICE))
        relais.wait_message(ALICE, mid)
        text = relais.wait_message("unwanted@near.test", mid, "Junk").decode()
        self.assertIn("does not want this recipient", text.replace("\r\n\t", " "))
        # What people submit: what it puts aside is refused, since nobody would look for it.
        relais.submit(ALICE, "reader@far.test", message(to="reader@far.test", sender=ALICE, subject="Mine"))
        self.assertIn(b" login=alice@near.test ", remote.wait_count(1)[0].content)
        with self.assertRaises(smtplib.SMTPDataError) as told:
            relais.submit(ALICE, "reader@far.test", message(to="reader@far.test", sender=ALICE, subject="quarantine"))
        self.assertIn(b"EICAR found", told.exception.smtp_error)
        relais.stop()
        relais.check()

    @unittest.skipUnless(has_pymilter(), "Debian's python3-milter is not installed")
    def test_a_milter_that_hangs_or_is_gone(self):
        port, daemon = self.pymilter()
        of = {"kind": "milter", "address": "127.0.0.1:%d" % port, "end_secs": 2}
        relais, _ = self.started(dict(of, name="py", fail="open"))
        text, mid = self.kept(relais, "stand still")
        self.assertNotIn("X-Seen", text)
        self.assertIn("no answer to the end of the message within 2 s; the message goes on without it", relais.cli("trace", "--message-id", mid))
        daemon.kill()
        self.kept(relais, "nobody there")
        self.assertIn("no connection", relais.cli("outside", "status"))
        relais.stop()
        relais.filters[0]["fail"] = "closed"
        relais.write_config()
        relais.start()
        self.assertRegex(self.refused(relais, message(to=ALICE)), r"^451 4\.7\.1 A filter that has to look at the message does not answer")
        relais.stop()
        relais.check()

    # -- opendkim

    @needs("opendkim")
    def test_opendkim_verifies_and_signs_over_a_unix_socket(self):
        home = folder("opendkim")
        program = shutil.which("opendkim") or "/usr/sbin/opendkim"
        subprocess.run(["openssl", "genrsa", "-traditional", "-out", str(home / "key.pem"), "2048"], check=True, capture_output=True)
        os.chmod(home / "key.pem", 0o600)
        (home / "opendkim.conf").write_text("\n".join([
            "Mode sv", "Domain near.test", "Selector s1", "KeyFile %s" % (home / "key.pem"), "RequireSafeKeys no",
            "Socket local:%s" % (home / "dkim.sock"), "Syslog no", "UMask 077", "AlwaysAddARHeader yes", "AuthservID mx.near.test",
            # Whatever it asks the DNS, there is no answer.
            "Nameservers 127.0.0.1", "DNSTimeout 1", "InternalHosts csl:192.0.2.1", ""]))
        Daemon(self, [program, "-f", "-x", str(home / "opendkim.conf")], [], str(home / "out"))
        until((home / "dkim.sock").exists, 60, "opendkim's socket")
        relais, remote = self.started({"name": "opendkim", "kind": "milter", "address": str(home / "dkim.sock"),
                                       "applies_to": ["incoming", "submitted"], "fail": "closed"})
        text, _ = self.kept(relais, "Hello")
        self.assertRegex(text, r"Authentication-Results: mx\.near\.test;\s+dkim=none")
        relais.submit(ALICE, "reader@far.test", message(to="reader@far.test", sender=ALICE, subject="Signed", body="Good morning.\r\n" * 9_000))
        content = remote.wait_count(1)[0].content
        self.assertRegex(content, rb"DKIM-Signature: v=1; a=rsa-sha256; [^:]*d=near\.test;\s+s=s1;")
        public = subprocess.run(["openssl", "rsa", "-in", str(home / "key.pem"), "-pubout", "-outform", "DER"], check=True, capture_output=True).stdout
        check = subprocess.run([PYTHON, "-c", CHECK, public.hex()], input=content, capture_output=True)
        if b"No module named" in check.stderr:
            raise unittest.SkipTest("Debian's python3-dkim is not installed")
        self.assertEqual(check.stdout.strip(), b"True", check.stderr.decode())
        relais.stop()
        relais.check()


# Whether one of the signatures is good; the server's own has another key.
CHECK = """
import base64, dkim, sys
record = b"v=DKIM1; k=rsa; p=" + base64.b64encode(bytes.fromhex(sys.argv[1]))
message = dkim.DKIM(sys.stdin.buffer.read())
found = []
for n, (name, value) in enumerate(field for field in message.headers if field[0].lower() == b"dkim-signature"):
    try:
        found.append(message.verify(idx=n, dnsfunc=lambda name, timeout=5: record))
    except dkim.DKIMException:
        found.append(False)
print(any(found))
"""

if __name__ == "__main__":
    unittest.main()
