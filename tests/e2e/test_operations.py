"""Running it: stop, reload, health, metrics, the command line with and without a server, `explain`."""

import imaplib
import json
import re
import signal
import socket
import ssl
import subprocess
import unittest

from harness import Certificate, ServerCase, TestCase, binary, folder, message, message_id, run, until

ALICE = "alice@example.test"
WRITER = "writer@remote.test"


def certificate_at(port):
    """What a TLS listener shows, in DER."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with socket.create_connection(("127.0.0.1", port), 10) as sock:
        with context.wrap_socket(sock) as tls:
            return tls.getpeercert(binary_form=True)


class Stop(TestCase):

    def fresh(self, **options):
        server = self.server(name="stop", **options)
        server.add_domain("example.test")
        server.add_accounts(ALICE)
        return server.start()

    def test_a_message_in_progress_is_finished(self):
        server = self.fresh()
        mid = message_id()
        octets = message(mid=mid)
        with server.smtp() as sending, server.smtp() as idle, server.imap(ALICE) as reader:
            reader.must("SELECT INBOX")
            sending.envelope(WRITER, ALICE)
            sending.command("DATA")
            sending.send(octets[:-10])
            server.signal(signal.SIGTERM)
            # Those who wait are told; whoever sends may finish.
            self.assertEqual(idle.reply().code, 421)
            self.assertTrue(reader.response().startswith("* BYE"))
            sending.send(octets[-10:] + b".\r\n")
            self.assertEqual(sending.reply().code, 250)
        self.assertEqual(server.process.wait(30), 0)
        server._gone()
        server.check()
        server.start()
        self.assertTrue(server.with_id(ALICE, mid)[0].endswith(octets))
        server.stop()

    def test_no_new_connections_while_stopping(self):
        server = self.fresh()
        with server.smtp() as sending:
            sending.envelope(WRITER, ALICE)
            sending.command("DATA")
            sending.send(message()[:-10])
            server.signal(signal.SIGTERM)

            def closed():
                try:
                    with socket.create_connection(("127.0.0.1", server.ports["mx"]), 5) as sock:
                        sock.settimeout(5)
                        return not sock.recv(100).startswith(b"220")
                except OSError:
                    return True
            until(closed, what="the listener to close")
            sending.send(message()[-10:] + b".\r\n")
            self.assertEqual(sending.reply().code, 250)
        self.assertEqual(server.process.wait(30), 0)
        server._gone()

    def test_a_client_that_never_finishes_does_not_hold_it_up(self):
        server = self.fresh(settings={"limits": {"shutdown_grace_secs": 1}})
        with server.smtp() as sending:
            sending.envelope(WRITER, ALICE)
            sending.command("DATA")
            sending.send(b"Subject: never\r\n")
            server.signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(15), 0)
            server._gone()
        server.start()
        self.assertEqual(server.messages(ALICE), {})
        server.stop()

    def test_a_request_that_never_ends_does_not_hold_it_up(self):
        server = self.fresh()
        with socket.create_connection(("127.0.0.1", server.ports["http"]), 10) as sock:
            sock.sendall(b"GET /metrics HTTP/1.1\r\nHost: ")
            # It has been taken up: another one is answered behind it.
            self.assertEqual(server.http("/health/live")[0], 200)
            server.signal(signal.SIGTERM)
            self.assertEqual(server.process.wait(15), 0)
            server._gone()

    def test_sigint_stops_as_well(self):
        server = self.fresh()
        server.signal(signal.SIGINT)
        self.assertEqual(server.process.wait(15), 0)
        server._gone()
        self.assertFalse((server.data / "relais.sock").exists())


class Reload(TestCase):

    def test_sighup_takes_a_new_certificate(self):
        home = folder("tls-reload")
        first, second = Certificate(folder("tls-1"), "first.test"), Certificate(folder("tls-2"), "second.test")
        def install(certificate):
            (home / "chain.pem").write_bytes(certificate.chain.read_bytes())
            (home / "key.pem").write_bytes(certificate.key.read_bytes())
        install(first)
        server = self.server(name="reload", settings={"tls": {"certificate_file": home / "chain.pem", "key_file": home / "key.pem"}})
        server.add_domain("example.test")
        server.add_accounts(ALICE)
        server.start()
        with server.imap(ALICE) as open_before:
            self.assertEqual(certificate_at(server.ports["imaps"]), first.der())
            install(second)
            server.signal(signal.SIGHUP)
            until(lambda: certificate_at(server.ports["imaps"]) == second.der(), what="the new certificate at imaps")
            until(lambda: certificate_at(server.ports["submissions"]) == second.der(), what="the new certificate at submissions")
            with server.smtp() as client:
                client.starttls()
                self.assertEqual(client.sock.getpeercert(binary_form=True), second.der())
            # Sessions go on.
            open_before.must("NOOP")
        # A broken file keeps the one in use, and the log says so.
        (home / "chain.pem").write_text("nonsense")
        mark = server.log.stat().st_size
        server.signal(signal.SIGHUP)
        until(lambda: re.search(r"(?i)error|warn", server.log_text(mark)), what="a complaint in the log")
        self.assertEqual(certificate_at(server.ports["imaps"]), second.der())
        server.stop()

    def test_a_sighup_while_starting_is_no_end(self):
        server = self.server(name="early")
        server.add_domain("example.test")
        with open(server.log, "ab") as log:
            process = subprocess.Popen(
                [binary(), "--config", str(server.config), "serve"], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        try:
            until(lambda: "listening" in server.log_text(0), what="the first port")
            process.send_signal(signal.SIGHUP)
            until(lambda: "SIGHUP" in server.log_text(0), what="the reload")
            self.assertIsNone(process.poll())
            process.send_signal(signal.SIGTERM)
            self.assertEqual(process.wait(30), 0)
        finally:
            process.kill()

    def test_sighup_takes_new_limits(self):
        server = self.server(name="limits")
        server.add_domain("example.test")
        server.add_accounts(ALICE)
        server.start()
        server.set("limits", message_octets_max=123_456)
        server.signal(signal.SIGHUP)

        def announced():
            with server.smtp() as client:
                return "SIZE 123456" in client.extensions
        until(announced, what="the new limit")
        self.assertIn('changed="limits.message_octets_max"', server.log_text(0))
        self.assertNotIn("needs a restart", server.log_text(0))
        # What is not taken is named.
        server.set("queue", age_max_secs=86_400)
        server.set("lists", waiting_mib_max=7)
        server.signal(signal.SIGHUP)
        until(lambda: "needs a restart" in server.log_text(0), what="a word on the rest")
        self.assertIn('keys="lists.waiting_mib_max, queue.age_max_secs"', server.log_text(0))
        server.stop()


class Health(ServerCase):

    def test_health(self):
        self.assertEqual(self.relais.http("/health/live")[0], 200)
        self.assertEqual(self.relais.http("/health/ready")[0], 200)
        self.assertEqual(self.relais.http("/nothing")[0], 404)

    def test_metrics_count(self):
        text = self.relais.http("/metrics")[1]
        self.assertRegex(text, r"(?m)^# TYPE \w+ (counter|gauge|histogram|summary)$")
        self.relais.send(WRITER, ALICE, message())
        with self.relais.smtp() as client:
            client.command("XYZZY")
        after = self.relais.http("/metrics")[1]
        # Each says what it is.
        names = set(re.findall(r"(?m)^# TYPE (\w+) ", after))
        self.assertEqual(sorted(names - set(re.findall(r"(?m)^# HELP (\w+) ", after))), [])
        changed = set(after.splitlines()) - set(text.splitlines())
        self.assertTrue(any("smtp" in line for line in changed), changed)
        self.assertGreaterEqual(self.relais.metric("relais_smtp_in_misbehaviour_total", reason="unknown_command"), 1)
        with imaplib.IMAP4("127.0.0.1", self.relais.ports["imap"], timeout=30) as client:
            client.noop()
        until(lambda: self.relais.metric("relais_imap_commands_total", command="NOOP", result="ok"), what="the count")
        text = self.relais.http("/metrics")[1]
        self.assertRegex(text, r"(?m)^# HELP relais_imap_commands_total IMAP commands answered")
        for name in re.findall(r"(?m)^# TYPE (relais_imap_\w+) counter$", text):
            self.assertTrue(name.endswith("_total"), name)


class CommandLine(ServerCase):
    """The same verbs through the socket while serving, and on the store when stopped."""

    def setUp(self):
        if self.relais.process is None:
            self.relais.start()

    def both(self, check):
        """With a server, and without."""
        with self.subTest("serving"):
            check("on")
        self.relais.stop()
        with self.subTest("stopped"):
            check("off")
        self.relais.start()

    def test_domains(self):
        def check(word):
            name = word + "-domain.test"
            self.relais.cli("domain", "add", name)
            self.assertIn(name, [one["name"] for one in self.relais.json("domain", "list")])
            self.relais.cli("domain", "set", name, "--subaddress-separators", "-")
            self.assertEqual(self.relais.json("domain", "show", name)["subaddress_separators"], "-")
            again = self.relais.run("domain", "add", name)
            self.assertEqual(again.returncode, 1)
            self.relais.cli("domain", "remove", name)
            self.assertNotIn(name, [one["name"] for one in self.relais.json("domain", "list")])
        self.both(check)

    def test_accounts(self):
        def check(word):
            address = word + "-account@example.test"
            self.relais.add_account(address, name="Somebody", quota="1G")
            shown = self.relais.json("account", "show", address)
            self.assertEqual((shown["address"], shown["display_name"], shown["quota_octets"]), (address, "Somebody", 1 << 30))
            self.assertNotIn("$argon2", json.dumps(shown))
            self.assertIn(address, [one["address"] for one in self.relais.json("account", "list")])
            self.relais.cli("account", "set", address, "--name", "Another")
            self.assertEqual(self.relais.json("account", "show", address)["display_name"], "Another")
            generated = self.relais.json("account", "set", address, "--generate-password")["generated_password"]
            self.assertGreaterEqual(len(generated), 12)
            if self.relais.process:
                self.relais.imap(address, password=generated).close()
            self.relais.cli("account", "remove", address, "--force")
            self.assertEqual(self.relais.run("account", "show", address).returncode, 1)
        self.both(check)

    def test_aliases(self):
        def check(word):
            address = word + "-alias@example.test"
            self.relais.add_alias(address, ALICE)
            self.relais.add_alias(address, "bob@example.test", ":blackhole:")
            self.assertEqual(sorted(self.relais.json("alias", "show", address)["targets"]), sorted([ALICE, "bob@example.test", ":blackhole:"]))
            self.relais.cli("alias", "set", address, "--to", "carol@example.test")
            self.assertEqual(self.relais.json("alias", "show", address)["targets"], ["carol@example.test"])
            self.relais.cli("alias", "remove", address)
            self.assertNotIn(address, [one["address"] for one in self.relais.json("alias", "list")])
        self.both(check)

    def test_responders(self):
        def check(word):
            self.relais.add_responder(ALICE, kind="out-of-office", subject="Away", text="away", frequency="7d", starts="2026-07-01", ends="2199-07-14")
            listed = [one for one in self.relais.json("responder", "list") if one["address"] == ALICE]
            self.assertEqual(len(listed), 1)
            number = listed[0]["id"]
            self.assertEqual((listed[0]["frequency_secs"], listed[0]["kind"]), (7 * 86_400, "out-of-office"))
            self.relais.cli("responder", "set", number, "--disable")
            self.assertFalse(self.relais.json("responder", "show", number)["enabled"])
            self.relais.cli("responder", "remove", number)
            self.assertEqual(self.relais.run("responder", "show", number).returncode, 1)
        self.both(check)

    def test_queue(self):
        def check(word):
            self.assertEqual(self.relais.json("queue", "list"), [])
            self.assertEqual(self.relais.run("queue", "show", "999999").returncode, 1)
            self.assertEqual(self.relais.run("queue", "retry").returncode, 2)
        self.both(check)

    def test_a_change_is_in_force_at_once(self):
        with self.relais.smtp() as client:
            client.command("MAIL FROM:<%s>" % WRITER)
            self.assertEqual(client.command("RCPT TO:<new@example.test>").status, "550 5.1.1")
            self.relais.add_account("new@example.test")
            self.assertEqual(client.command("RCPT TO:<new@example.test>").code, 250)
            self.relais.cli("account", "remove", "new@example.test", "--force")
            self.assertEqual(client.command("RCPT TO:<new@example.test>").status, "550 5.1.1")

    def test_what_was_made_while_stopped_is_served(self):
        self.relais.stop()
        self.relais.add_account("later@example.test")
        self.relais.start()
        mid = message_id()
        self.relais.send(WRITER, "later@example.test", message(mid=mid))
        self.relais.wait_message("later@example.test", mid)

    def test_errors_say_what_to_do(self):
        for arguments, code, words in (
                (("account", "show", "alcie@example.test"), 1, "did you mean alice@example.test"),
                (("account", "add", "x@unknown.test"), 1, "relais domain"),
                (("alias", "add", "x@example.test"), 2, "--to"),
                (("alias", "add", "x@example.test", "--to", "not an address"), 2, "not an address"),
                (("account", "add", "nonsense"), 2, "nonsense"),
                (("nonsense",), 2, "Usage"),
                (("domain", "remove", "example.test"), 1, "--force")):
            done = self.relais.run(*arguments)
            self.assertEqual(done.returncode, code, "%s: %s" % (arguments, done.stderr))
            self.assertIn(words, done.stderr, arguments)

    def test_errors_as_json(self):
        done = self.relais.run("account", "show", "nobody@example.test", "--json")
        self.assertEqual(done.returncode, 1)
        error = json.loads(done.stderr)["error"]
        self.assertEqual(error["kind"], "not-found")

    def test_help_everywhere(self):
        # Every command that the help itself names, down to the last verb.
        found = 0
        waiting = [[]]
        while waiting:
            words = waiting.pop()
            done = run([binary()] + words + ["--help"])
            self.assertEqual(done.returncode, 0, words)
            self.assertIn("Usage: relais", done.stdout)
            found += 1
            commands = re.search(r"(?ms)^Commands:\n(.*?)^\S", done.stdout + "\n.")
            for name in re.findall(r"(?m)^  (\S+)", commands.group(1)) if commands else []:
                waiting.append(words + [name])
        self.assertGreater(found, 40)
        self.assertRegex(run([binary(), "--version"]).stdout, r"^relais \d+\.\d+\.\d+")

    def test_explain(self):
        def check(word):
            self.relais.add_alias("team@example.test", ALICE, "bob@example.test")
            said = self.relais.cli("explain", "x@remote.test", "team@example.test")
            for name in ("team@example.test", ALICE, "bob@example.test"):
                self.assertIn(name, said)
            self.assertIn("5.1.1", self.relais.cli("explain", "x@remote.test", "nobody@example.test"))
            self.relais.add_responder(ALICE, kind="autoresponder", subject="S", text="t")
            number = [one["id"] for one in self.relais.json("responder", "list") if one["address"] == ALICE][0]
            explained = self.relais.json("explain", "x@remote.test", "team@example.test")
            self.assertEqual(len(explained["responders"]), 1)
            null = self.relais.json("explain", "<>", ALICE)
            self.assertIn("does not answer", null["responders"][0])
            self.relais.cli("responder", "remove", number)
        self.both(check)

    def test_check_finds_a_sound_store(self):
        for _ in range(3):
            self.relais.send(WRITER, ALICE, message())
        self.relais.stop()
        report = self.relais.json("check", "--deep")
        self.assertEqual(report["problems"], [])
        counts = dict(report["counts"])
        self.assertGreaterEqual(counts["accounts"], 4)
        self.assertGreaterEqual(counts["messages"], 3)

    def test_check_finds_damage(self):
        self.relais.send(WRITER, ALICE, message(body="unmistakable " * 1000 + "\r\n"))
        self.relais.stop()
        # A file of the store that is cut short.
        files = sorted((self.relais.data / "store").glob("*.blob")) + sorted((self.relais.data / "store").glob("*.sst"))
        victim = max(files, key=lambda path: path.stat().st_size)
        whole = victim.read_bytes()
        damaged = bytearray(whole)
        for at in range(len(damaged) // 4, len(damaged) // 4 + 40):
            damaged[at] ^= 0x5A
        victim.write_bytes(bytes(damaged))
        try:
            done = self.relais.run("check", "--deep")
            self.assertEqual(done.returncode, 1, done.stdout)
            if victim.suffix == ".blob":
                self.assertRegex(done.stdout, r"(?m)^blob [0-9a-f]+: content is damaged")
            else:
                # A file of rows that can't be read ends the check, which says which file.
                self.assertIn("the check could not be completed", done.stderr)
                self.assertIn(victim.name, done.stderr)
        finally:
            victim.write_bytes(whole)
        self.relais.check()


if __name__ == "__main__":
    unittest.main()
