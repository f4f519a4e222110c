"""Starts that must be refused, each with the reason and what to do: a locked store, none, another user's, a wrong configuration."""

import json
import os
import re
import shutil
import signal
import socket
import unittest
from pathlib import Path

from harness import PASSWORD, Certificate, TestCase, binary, folder, message, run, until


class Store(TestCase):

    def test_a_locked_store(self):
        first = self.server(name="first").start()
        second = self.server(name="second", data_dir=first.data)
        done = second.run("serve", timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"(?i)lock|in use|has it open|another")
        self.assertIn(str(first.data), done.stderr)
        # The first goes on, unharmed.
        first.add_domain("example.test")
        first.stop()

    def test_no_store_yet(self):
        server = self.server(name="none")
        done = run([binary(), "--config", server.config, "domain", "list"])
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(server.data), done.stderr)
        self.assertIn("relais init", done.stderr)

    def test_a_volume_that_is_not_mounted(self):
        # An empty store would refuse all mail for good: neither serving nor checking makes one.
        server = self.server(name="unmounted")
        server.make_store()
        shutil.move(server.data, server.home / "elsewhere")
        server.data.mkdir()
        for command in ("serve", "check"):
            done = run([binary(), "--config", server.config, command], timeout=30)
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertIn("there is no store in %s" % server.data, done.stderr)
            self.assertRegex(done.stderr, "mounted.*relais init")
            self.assertEqual(list(server.data.iterdir()), [])
        server.data.rmdir()
        shutil.move(server.home / "elsewhere", server.data)
        server.start()
        server.stop()

    def as_nobody(self, command):
        prefix = ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        return run(prefix + [str(word) for word in command], timeout=30)

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to be two users")
    def test_a_store_of_another_user(self):
        server = self.server(name="others")
        server.make_store()
        copy = Path(shutil.copy(binary(), "/tmp/relais-%d" % os.getpid()))
        self.addCleanup(copy.unlink)
        for path in (server.home, *server.home.parents):
            if path.stat().st_uid == 0 and len(path.parts) > 2:
                path.chmod(0o755)
        server.config.chmod(0o644)
        for mode in (0o700, 0o755):
            server.data.chmod(mode)
            done = self.as_nobody([copy, "--config", server.config, "domain", "list"])
            self.assertEqual(done.returncode, 1, done.stdout)
            self.assertRegex(done.stderr, "run this as root, whom|or as root")
            self.assertNotRegex(done.stderr, "in use|stop that")

    @unittest.skipUnless(os.geteuid() == 0, "needs root, to be two users")
    def test_commands_of_root_leave_the_owners_files(self):
        server = self.server(name="owner")
        server.make_store()
        for path in [server.home, *server.home.parents]:
            if len(path.parts) > 2:
                path.chmod(path.stat().st_mode | 0o011)
        for path in [server.data, *server.data.rglob("*")]:
            shutil.chown(path, "nobody", "nogroup")
        server.cli("domain", "add", "example.test")
        server.cli("check", "--deep")
        # What only root may read is read before root is given up.
        server.certificate.key.chmod(0o600)
        password = server.home / "password"
        password.write_text("open sesame\n")
        password.chmod(0o600)
        server.set("queue.smart_host", host="127.0.0.1", port=9, login="relais", password_file=password)
        server.start()
        status = Path("/proc/%d/status" % server.process.pid).read_text()
        self.assertEqual(server.data.stat().st_uid, int(re.search(r"Uid:\s+(\d+)", status).group(1)))
        self.assertEqual((server.data / "relais.sock").stat().st_mode & 0o777, 0o600)
        # At a SIGHUP it can't be read any more, and the log says what to do about it.
        server.signal(signal.SIGHUP)
        until(lambda: "who must be able to read both files" in server.log_text(), what="a hint in the log")
        self.assertIn("runs as nobody", server.log_text())
        server.stop()
        for path in server.data.rglob("*"):
            self.assertEqual(path.owner(), "nobody", path)
            self.assertEqual(path.stat().st_mode & 0o077 if path.parent != server.data else 0, 0, path)

    def test_few_open_files(self):
        server = self.server(name="files")
        server.add_domain("example.test")
        server.add_accounts("alice@example.test")
        server.before = ["sh", "-c", 'ulimit -n 256; exec "$0" "$@"']
        server.start()
        self.assertIn("fewer connections than the configuration allows", server.log_text())
        clients = []
        try:
            # Whoever can't be served is told so; the store has what it needs.
            for number in range(300):
                sock = socket.create_connection(("127.0.0.1", server.ports["imap" if number % 2 else "mx"]), 10)
                clients.append(sock)
            refused = 0
            for sock in clients:
                sock.settimeout(20)
                try:
                    said = sock.recv(200)
                except ConnectionResetError:
                    said = b""
                refused += not said.startswith((b"220", b"* OK"))
            self.assertGreater(refused, 100)
            self.assertLess(len(os.listdir("/proc/%d/fd" % server.process.pid)), 250)
            self.assertEqual(server.http("/health/ready")[0], 200)
            # On a session that is there, mail is taken.
            with server.smtp("submission") as client:
                client.command("NOOP")
            server.cli("account", "add", "bob@example.test", "--password-file", "-", stdin=PASSWORD + "\n")
        finally:
            for sock in clients:
                sock.close()

        def taken():
            try:
                return server.send("writer@remote.test", "alice@example.test", message()) is not None
            except (AssertionError, OSError, EOFError):
                return False
        until(taken, 30, "mail to be taken when the others have gone")
        server.stop()
        server.check()

    def test_a_port_in_use(self):
        first = self.server(name="first").start()
        second = self.server(name="second")
        second.make_store()
        second.ports["imaps"] = first.ports["imaps"]
        second.write_config()
        done = second.run("serve", timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(first.ports["imaps"]), done.stderr)
        self.assertRegex(done.stderr, r"(?i)in use")
        first.stop()

    def test_a_certificate_without_its_file(self):
        server = self.server(name="tls")
        server.make_store()
        server.set("tls", certificate_file=server.home / "missing.pem")
        done = server.run("serve", timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("missing.pem", done.stderr)

    def test_a_key_of_another_certificate(self):
        server = self.server(name="tls")
        server.make_store()
        server.set("tls", key_file=Certificate(folder("other-tls")).key)
        done = server.run("serve", timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(done.stderr.strip())


class Configuration(TestCase):

    def serve(self, text):
        config = folder("config") / "relais.toml"
        config.write_text(text)
        done = run([binary(), "--config", config, "serve"], timeout=30)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        return done.stderr.replace(str(config), "relais.toml")

    def test_a_wrong_key(self):
        self.assertIn("relais.toml:3:1: unknown key `recipients_mx`; did you mean `recipients_max`?", self.serve('hostname = "mx.a.test"\n[limits]\nrecipients_mx = 100\n'))

    def test_a_wrong_section(self):
        self.assertRegex(self.serve("[listener]\nmx = []\n"), r"relais\.toml:1:\d+: unknown key `listener`; did you mean `listeners`\?")

    def test_a_wrong_value(self):
        self.assertRegex(self.serve("[limits]\nrecipients_max = 5\n"), r"relais\.toml:2:\d+: .*least is 100")
        self.assertRegex(self.serve("[log]\nformat = \"jsn\"\n"), r"relais\.toml:2:\d+: .*did you mean `json`\?")
        self.assertRegex(self.serve("[listeners]\nmx = [\"here\"]\n"), r"relais\.toml:2:\d+: ")

    def test_broken_toml(self):
        self.assertRegex(self.serve("hostname = \n"), r"relais\.toml:1:\d+: ")

    def test_no_file(self):
        done = run([binary(), "--config", folder("config") / "none.toml", "serve"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("relais init", done.stderr)

    def test_the_reference_is_taken(self):
        # The configuration that `init` writes is complete and commented.
        home = folder("init")
        done = run([binary(), "--config", home / "relais.toml", "init", "--domain", "example.test", "--data-dir", home / "data", "--json"])
        self.assertEqual(done.returncode, 0, done.stderr)
        text = (home / "relais.toml").read_text()
        self.assertIn("[listeners]", text)
        self.assertIn("8080", text)
        again = run([binary(), "--config", home / "relais.toml", "init", "--domain", "example.test", "--data-dir", home / "data"])
        self.assertEqual(again.returncode, 1)
        self.assertIn("there already", again.stderr)
        shown = run([binary(), "--config", home / "relais.toml", "config", "--json"])
        self.assertEqual(shown.returncode, 0, shown.stderr)

    def test_init_as_in_a_container(self):
        # `RELAIS_CONFIG` is in the volume, which is there and empty; the HTTP port is open to the container's network.
        volume = folder("volume")
        environment = dict(os.environ, RELAIS_CONFIG=str(volume / "relais.toml"))
        done = run([binary(), "init", "--domain", "example.test", "--data-dir", volume, "--http", "0.0.0.0:8080"], env=environment)
        self.assertEqual(done.returncode, 0, done.stderr)
        config = json.loads(run([binary(), "config", "--json"], env=environment).stdout)
        self.assertEqual((config["data_dir"], config["listeners"]["http"]), (str(volume), ["0.0.0.0:8080"]))
        done = run([binary(), "account", "list"], env=environment)
        self.assertIn("postmaster@example.test", done.stdout, done.stderr)

    def test_an_init_that_went_wrong_can_be_repeated(self):
        home = folder("init-again")
        init = [binary(), "--config", home / "relais.toml", "init", "--domain", "example.test", "--data-dir", home / "data"]
        done = run(init + ["--administrator", "a@other.test"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("not in the domain example.test", done.stderr)
        self.assertFalse((home / "data").exists())
        (home / "password").write_text("short\n")
        done = run(init + ["--password-file", home / "password"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("at least", done.stderr)
        self.assertFalse((home / "relais.toml").exists())
        (home / "password").write_text(PASSWORD + "\n")
        done = run(init + ["--password-file", home / "password"])
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("the one that you gave", done.stdout)
        # With the configuration gone, a new one finds what is there, and changes nothing of it.
        (home / "relais.toml").unlink()
        done = run(init)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("as it was", done.stdout)


if __name__ == "__main__":
    unittest.main()
