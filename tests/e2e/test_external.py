"""External accounts: a second relais as the IMAP server, POP3 servers (Dovecot's where it is installed, and a scripted one),
TLS and STARTTLS, servers that are dead or lie, and a password that is nowhere to be read.
"""

import os
import re
import shutil
import socket
import subprocess
import threading
import unittest
from pathlib import Path

from harness import PASSWORD, Server, ServerCase, certificate, folder, free_port, id_of, message, message_id, until

ALICE = "alice@example.test"
SECRET = "nur-fuer-drueben-Kx7!"


class Pop3:
    """A scripted POP3 server over a list of messages."""

    def __init__(self, messages, login="bob", password=SECRET, lie=None):
        self.messages = list(messages)
        self.login, self.password, self.lie = login, password, lie
        self.passwords = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.listener.close()

    def _accept(self):
        while True:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._talk, args=(sock,), daemon=True).start()

    def _talk(self, sock):
        with sock, sock.makefile("rwb") as wire:
            try:
                self._session(wire)
            except (OSError, ValueError):
                pass

    def _session(self, wire):
        def say(octets):
            wire.write(octets + b"\r\n")
            wire.flush()
        say(b"+OK ready")
        marked = set()
        for line in wire:
            words = line.decode().split()
            verb = words[0].upper() if words else ""
            if self.lie and verb in self.lie:
                say(self.lie[verb])
            elif verb == "USER":
                say(b"+OK")
            elif verb == "PASS":
                self.passwords.append(line.decode().rstrip("\r\n")[5:])
                say(b"+OK" if self.passwords[-1] == self.password else b"-ERR wrong: " + line.strip())
            elif verb == "LIST":
                rows = [b"%d %d" % (n, len(one)) for n, one in enumerate(self.messages, 1)]
                say(b"\r\n".join([b"+OK"] + rows + [b"."]))
            elif verb == "UIDL":
                rows = [b"%d %s" % (n, id_of(one).encode()) for n, one in enumerate(self.messages, 1)]
                say(b"\r\n".join([b"+OK"] + rows + [b"."]))
            elif verb == "RETR":
                octets = self.messages[int(words[1]) - 1]
                say(b"+OK\r\n" + re.sub(rb"(?m)^\.", b"..", octets) + b".")
            elif verb == "DELE":
                marked.add(int(words[1]) - 1)
                say(b"+OK")
            elif verb == "QUIT":
                self.messages = [one for n, one in enumerate(self.messages) if n not in marked]
                say(b"+OK")
                return
            else:
                say(b"-ERR unknown")


class External(ServerCase):

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        server.set("fetch", interval_secs_min=1)

    @classmethod
    def setUpClass(cls):
        cls.far = Server(name="far", hostname="mx.far.test")
        cls.addClassCleanup(cls.far.kill)
        cls.far.add_domain("far.test")
        cls.far.add_account("bob@far.test", password=SECRET)
        cls.far.start()
        super().setUpClass()

    @classmethod
    def tearDownClass(cls):
        super().tearDownClass()
        cls.far.stop()

    def setUp(self):
        self.said = []

    def cli(self, *arguments, **options):
        """A command whose output never holds the password."""
        done = self.relais.run(*arguments, **options)
        self.assertNotIn(SECRET, done.stdout + done.stderr)
        return done

    def add(self, owner, protocol, *arguments, password=SECRET):
        done = self.cli("external", "add", owner, protocol, "--password-file", "-", "--json", *arguments, stdin=password + "\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        import json
        return json.loads(done.stdout)["id"]

    def view(self, number):
        import json
        return json.loads(self.cli("external", "show", number, "--json").stdout)

    def until_looked(self, number, error=None):
        """Waits until a look ended, with this in its error."""
        def ended():
            view = self.view(number)
            status = view["status"]
            if status["asked"] or status["last_run"] is None:
                return None
            if error is None:
                return view if status["last_error"] is None else None
            return view if error in (status["last_error"] or "") else None
        try:
            return until(ended, what="a look at external account %d" % number)
        except AssertionError:
            raise AssertionError("the look did not end so: %s" % self.view(number))

    def look(self, number, error=None):
        self.assertEqual(self.cli("external", "fetch-now", number).returncode, 0)
        return self.until_looked(number, error)

    def imap_options(self, *more):
        return ("--host", "localhost", "--ca-file", certificate().chain, "--login", "bob@far.test", *more)

    def test_imap_folders_flags_and_dates(self):
        client = self.far.imaplib("bob@far.test", SECRET)
        inbox = [message(subject="inbox %d" % n, body=".a dot\r\n..\r\nend\r\n") for n in range(30)]
        client.append("INBOX", r"(\Seen \Flagged)", '"17-Jul-1996 02:44:25 -0700"', inbox[0])
        for octets in inbox[1:]:
            client.append("INBOX", None, None, octets)
        name = '"Entw&APw-rfe"'
        client.create(name)
        draft = message(subject="draft")
        client.append(name, r"(\Answered)", '"01-Feb-2003 04:05:06 +0100"', draft)
        number = self.add(ALICE, "imap", *self.imap_options(
            "--port", self.far.ports["imaps"], "--mailbox", "From far",
            "--folder", "INBOX", "--folder", "Entwürfe=Old/Drafts"))
        view = self.until_looked(number)
        self.assertEqual(view["status"]["fetched"], 31)
        self.assertNotIn("password", view)
        self.assertEqual(sorted(self.relais.messages(ALICE, "From far").values()), sorted(inbox))
        self.assertEqual(list(self.relais.messages(ALICE, "Old/Drafts").values()), [draft])
        told = self.relais.cli("trace", "--recipient", ALICE)
        self.assertIn("received by fetch from bob@far.test at ", told)
        self.assertIn("mailbox Old/Drafts", told)
        near = self.relais.imaplib(ALICE)
        near.select('"From far"', readonly=True)
        said = near.uid("FETCH", "1", "(FLAGS INTERNALDATE)")[1][0].decode()
        self.assertIn('INTERNALDATE "17-Jul-1996 02:44:25 -0700"', said)
        self.assertIn("\\Seen", said)
        self.assertIn("\\Flagged", said)
        near.logout()
        # Nothing twice; what is new comes; nothing was deleted there.
        more = message(subject="more")
        client.append("INBOX", None, None, more)
        self.assertEqual(self.look(number)["status"]["fetched"], 32)
        self.assertEqual(client.select("INBOX", readonly=True)[1], [b"31"])
        # Off, nothing comes, and everything stays.
        self.cli("external", "set", number, "--disable")
        self.assertNotEqual(self.cli("external", "fetch-now", number).returncode, 0)
        self.assertEqual(len(self.relais.messages(ALICE, "From far")), 31)
        self.cli("external", "remove", number)
        self.assertEqual(len(self.relais.messages(ALICE, "From far")), 31)
        client.logout()

    def test_starttls_and_deleting_there(self):
        client = self.far.imaplib("bob@far.test", SECRET)
        client.create("Outbox")
        octets = message(subject="to be moved")
        client.append("Outbox", None, None, octets)
        number = self.add("bob@example.test", "imap", *self.imap_options(
            "--security", "starttls", "--port", self.far.ports["imap"], "--folder", "Outbox", "--delete"))
        self.until_looked(number)
        self.assertEqual(list(self.relais.messages("bob@example.test").values()), [octets])
        self.assertEqual(client.select("Outbox", readonly=True)[1], [b"0"])
        client.logout()
        tested = self.cli("external", "test", number).stdout
        self.assertIn("STARTTLS", tested)
        self.assertIn("everything works", tested)

    def test_a_stranger_certificate_and_plain_text_are_refused(self):
        number = self.add("carol@example.test", "imap", "--host", "localhost", "--login", "bob@far.test",
                          "--port", self.far.ports["imaps"])
        self.until_looked(number, error="TLS")
        self.assertIn("failed", self.cli("external", "test", number).stdout)
        done = self.cli("external", "add", "carol@example.test", "pop3", "--host", "pop.far.test", "--security", "none",
                        "--login", "x", "--password-file", "-", stdin=SECRET + "\n")
        self.assertIn("unprotected", done.stderr)
        done = self.cli("external", "set", number, "--host", "127.0.0.1")
        self.assertIn("password must be given again", done.stderr)

    def test_pop3_scripted(self):
        mails = [message(subject="pop %d" % n, body=".x\r\n" * n, mid=message_id()) for n in range(1, 41)]
        far = Pop3(mails)
        self.addCleanup(far.close)
        number = self.add("dave@example.test", "pop3", "--host", "127.0.0.1", "--security", "none", "--port", far.port,
                          "--login", "bob", "--mailbox", "Pop")
        self.assertEqual(self.until_looked(number)["status"]["fetched"], 40)
        self.assertEqual(sorted(self.relais.messages("dave@example.test", "Pop").values()), sorted(mails))
        # Over a restart, nothing twice.
        self.relais.restart()
        far.messages.append(message(subject="another"))
        self.assertEqual(self.look(number)["status"]["fetched"], 41)
        self.cli("external", "set", number, "--delete")
        self.until_looked(number)
        until(lambda: not far.messages, what="the POP3 mailbox to be empty")
        self.assertEqual(len(self.relais.messages("dave@example.test", "Pop")), 41)

    def test_dead_and_lying_servers(self):
        number = self.add("carol@example.test", "pop3", "--host", "127.0.0.1", "--security", "none", "--port", free_port(),
                          "--login", "bob", "--name", "dead")
        self.until_looked(number, error="no connection")
        listed = self.cli("external", "list").stdout
        self.assertRegex(listed, r"dead .*failing.*no connection")
        liars = [({"PASS": b"-ERR no %s here" % SECRET.encode()}, "refused the login"),
                 ({"LIST": b"x" * 100_000}, "protocol"),
                 ({"RETR": b"+OK\r\nSubject: x\r\n\r\nend without a dot"}, None),
                 ({"UIDL": b"-ERR no"}, "UIDL")]
        for lie, error in liars:
            far = Pop3([message(subject="lie")], lie=lie)
            self.addCleanup(far.close)
            self.cli("external", "set", number, "--port", far.port, "--password-file", "-", stdin=SECRET + "\n")
            if error:
                self.until_looked(number, error=error)
        self.assertFalse(self.relais.messages("carol@example.test"))

    def test_the_password_is_nowhere_to_be_read(self):
        far = Pop3([])
        self.addCleanup(far.close)
        number = self.add("bob@example.test", "pop3", "--host", "127.0.0.1", "--security", "none", "--port", far.port,
                          "--login", "bob")
        self.until_looked(number)
        self.assertEqual(set(far.passwords), {SECRET})
        self.relais.stop()
        for path in Path(self.relais.data).rglob("*"):
            if path.is_file():
                self.assertNotIn(SECRET.encode(), path.read_bytes(), path)
        self.assertNotIn(SECRET, self.relais.log_text())
        self.relais.check()
        self.relais.start()

    def test_limits_and_help(self):
        for verb in ("add", "list", "show", "set", "fetch-now", "test", "remove"):
            self.assertEqual(self.cli("external", verb, "--help").returncode, 0)
        done = self.cli("external", "add", ALICE, "imap", "--host", "localhost", "--login", "x")
        self.assertIn("password", done.stderr)
        self.assertIn("there is no external account", self.cli("external", "show", "9999").stderr)


DOVECOT = shutil.which("dovecot") or "/usr/sbin/dovecot"


@unittest.skipUnless(os.path.exists(DOVECOT) and os.path.exists("/usr/lib/dovecot/pop3") and os.getuid() == 0,
                     "dovecot-pop3d is not installed, or this is not root")
class Dovecot(ServerCase):
    """A POP3 server that no one here wrote."""

    def test_pop3_with_tls_and_starttls(self):
        home = folder("dovecot")
        ports = {"pop3": free_port(), "pop3s": free_port()}
        for name in ("run", "state", "mail/bob/cur", "mail/bob/new", "mail/bob/tmp"):
            (home / name).mkdir(parents=True)
        (home / "users").write_text("bob:{PLAIN}%s\n" % SECRET)
        mails = [message(subject="dove %d" % n, body="..\r\n.x\r\n") for n in range(12)]
        for n, octets in enumerate(mails):
            (home / "mail/bob/new" / ("%d.M%dP1.host" % (1_700_000_000 + n, n))).write_bytes(octets.replace(b"\r\n", b"\n"))
        config = home / "dovecot.conf"
        config.write_text("""
base_dir = {home}/run
state_dir = {home}/state
log_path = {home}/log
protocols = pop3
ssl = required
ssl_cert = <{cert}
ssl_key = <{key}
listen = 127.0.0.1
mail_location = maildir:{home}/mail/%u
mail_uid = nobody
mail_gid = nogroup
first_valid_uid = 1
first_valid_gid = 1
auth_mechanisms = plain
passdb {{
  driver = passwd-file
  args = {home}/users
}}
userdb {{
  driver = static
  args = uid=nobody gid=nogroup home={home}/mail/%u
}}
service pop3-login {{
  inet_listener pop3 {{
    port = {pop3}
  }}
  inet_listener pop3s {{
    port = {pop3s}
    ssl = yes
  }}
}}
""".format(home=home, cert=certificate().chain, key=certificate().key, **ports))
        for path in [home, *home.parents]:
            if str(path).startswith("/tmp/relais"):
                path.chmod(0o755)
        subprocess.run(["chown", "-R", "nobody:nogroup", str(home / "mail")], check=True)
        process = subprocess.Popen([DOVECOT, "-F", "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.terminate)

        def up():
            try:
                socket.create_connection(("127.0.0.1", ports["pop3s"]), 1).close()
                return True
            except OSError:
                return False
        until(up, what="Dovecot: %s" % ((home / "log").read_text() if (home / "log").exists() else ""))
        for owner, security, port in [(ALICE, "tls", ports["pop3s"]), ("bob@example.test", "starttls", ports["pop3"])]:
            self.relais.cli("external", "add", owner, "pop3", "--host", "localhost", "--ca-file", certificate().chain,
                            "--security", security, "--port", port, "--login", "bob", "--password-file", "-",
                            stdin=SECRET + "\n")
            until(lambda: len(self.relais.messages(owner)) == len(mails), what="mail from Dovecot by %s: %s" % (
                security, self.relais.cli("external", "list")))
            self.assertEqual(sorted(self.relais.messages(owner).values()), sorted(mails))


if __name__ == "__main__":
    unittest.main()
