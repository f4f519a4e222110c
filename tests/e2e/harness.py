"""Runs real servers for tests: a fresh data folder, free ports, a certificate; start, stop, kill, and the command line.

Nothing outside loopback and the temporary folder is touched. What failed keeps its folder and shows the server's log.
"""

import email.utils
import fcntl
import imaplib
import itertools
import json
import os
import random
import re
import shutil
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from wire import Imap, Smtp

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "a quiet pond, 3 herons"
# The least memory and passes, for hashing is not what is tested here; and all tests come from one address.
SECURITY = {"argon2_memory_kib": 64, "argon2_passes": 1, "argon2_lanes": 1, "password_checks_at_once": 2,
              "failed_logins_per_address_max": 0, "failed_logins_per_account_max": 0}


# --- waiting ----------------------------------------------------------------------------------------------------------

def until(check, seconds=60.0, what="a condition"):
    """Asks again and again until `check` gives something true, which is returned; fails when the time is over, which is long enough
    for a machine that does much else."""
    end = time.monotonic() + seconds
    pause = 0.005
    while True:
        found = check()
        if found:
            return found
        if time.monotonic() > end:
            raise AssertionError("waited %g s in vain for %s (last: %r)" % (seconds, what, found))
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def in_time(attempt):
    """Does what must be done before a moment some seconds ahead: `attempt(seconds)`. On a machine that does much else it may come
    too late; then it is done again with more of them. What fails while there was time has failed."""
    for seconds in (4, 15, 60):
        # Moments are told in whole seconds.
        end = time.monotonic() + seconds - 1
        try:
            return attempt(seconds)
        except AssertionError:
            if seconds == 60 or time.monotonic() < end:
                raise


# --- places -----------------------------------------------------------------------------------------------------------

def binary():
    """The server under test: `$RELAIS_BIN`, or what `make build` has made."""
    named = os.environ.get("RELAIS_BIN")
    if named:
        return named
    targets = [os.environ.get("CARGO_TARGET_DIR"), ROOT / "target", Path.home() / ".cache/relais/target"]
    for target in targets:
        if target and (Path(target) / "release/relais").is_file():
            return str(Path(target) / "release/relais")
    raise SystemExit("there is no relais binary: run `make build`, or set RELAIS_BIN")


_scratch = None


def scratch():
    """This process's temporary folder."""
    global _scratch
    if _scratch is None:
        given = os.environ.get("RELAIS_E2E_DIR")
        _scratch = Path(given) if given else Path(tempfile.mkdtemp(prefix="relais-e2e-"))
    return _scratch


_numbers = itertools.count(1)


def folder(name):
    """A new folder inside the temporary one."""
    made = scratch() / ("%02d-%s" % (next(_numbers), name))
    made.mkdir(parents=True)
    return made


_given_ports = set()


def free_port():
    """A port of loopback that nobody listens at, below the range from which outgoing connections take theirs."""
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(10000, 32000)
        if port in _given_ports:
            continue
        with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as sock:
            try:
                sock.bind(("127.0.0.1", port))
            except OSError:
                continue
        _given_ports.add(port)
        return port


class Certificate:
    """A self-signed certificate for localhost and 127.0.0.1."""

    def __init__(self, where, name="localhost"):
        self.chain = where / "certificate.pem"
        self.key = where / "key.pem"
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
             "-days", "30", "-subj", "/CN=" + name, "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
             "-keyout", str(self.key), "-out", str(self.chain)],
            check=True, capture_output=True)

    def der(self):
        return ssl.PEM_cert_to_DER_cert(self.chain.read_text())


_certificate = None


def certificate():
    """One for all servers of this process."""
    global _certificate
    if _certificate is None:
        _certificate = Certificate(folder("tls"))
    return _certificate


# --- messages ---------------------------------------------------------------------------------------------------------

_messages = itertools.count(1)


def message_id(host="client.test"):
    return "<%d.%d.%s@%s>" % (os.getpid(), next(_messages), "%08x" % random.getrandbits(32), host)


def message(to="alice@example.test", sender="writer@remote.test", subject="Hello", body="A line.\r\n", mid=None, headers=()):
    """A plain message as octets, with CRLF."""
    lines = ["From: %s" % sender, "To: %s" % to, "Subject: %s" % subject,
             "Date: %s" % email.utils.formatdate(), "Message-ID: %s" % (mid or message_id())]
    lines += ["%s: %s" % header for header in headers]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode("utf-8")


def id_of(octets):
    """The Message-ID of a message."""
    match = re.search(rb"(?im)^message-id:\s*(<[^>]+>)", octets)
    return match.group(1).decode() if match else None


# --- the server -------------------------------------------------------------------------------------------------------

class CliError(AssertionError):
    """A command of the CLI that failed."""

    def __init__(self, arguments, done):
        super().__init__("relais %s: exit code %d\n%s%s" % (" ".join(arguments), done.returncode, done.stdout, done.stderr))
        self.code = done.returncode
        self.stdout = done.stdout
        self.stderr = done.stderr


SERVICES = ("mx", "submission", "submissions", "lmtp", "imap", "imaps", "http", "web")
running = []


def toml(value):
    """A value as TOML writes it; JSON's strings, numbers, booleans and lists are the same."""
    return json.dumps(str(value) if isinstance(value, Path) else value, ensure_ascii=False)


class Server:
    """One relais with its configuration, data folder and log."""

    def __init__(self, name="relais", hostname="mx.example.test", data_dir=None, settings=None, destinations=None, routes=None):
        self.name = name
        self.hostname = hostname
        self.home = folder(name)
        self.data = Path(data_dir) if data_dir else self.home / "data"
        self.config = self.home / "relais.toml"
        self.log = self.home / "log"
        self.process = None
        # A command that starts the server, as `ulimit` or `setpriv` do.
        self.before = []
        self.ports = {service: free_port() for service in SERVICES}
        self.certificate = certificate()
        # Section by section, as the configuration file has them; `""` is what stands before the first section.
        self.settings = {
            "": {"hostname": hostname, "data_dir": self.data},
            "tls": {"certificate_file": self.certificate.chain, "key_file": self.certificate.key},
            "limits": {},
            # What fails is tried again when a test says so, and not before.
            "queue": {"retry_delays_secs": [3600]},
            "storage": {"cache_mib": 8, "free_space_reserve_mib": 0},
            "log": {"level": "info"},
            "security": dict(SECURITY),
        }
        for section, values in (settings or {}).items():
            self.settings.setdefault(section, {}).update(values)
        # Domain -> (host, port).
        self.destinations = dict(destinations or {})
        # The keys of each [[queue.route]].
        self.routes = list(routes or [])
        # The keys of each [[outside.filter]].
        self.filters = []
        self.write_config()

    # -- configuration

    def config_text(self):
        lines = ["%s = %s" % (key, toml(value)) for key, value in self.settings[""].items()]
        lines.append("[listeners]")
        lines += ["%s = [\"127.0.0.1:%d\"]" % (service, port) for service, port in self.ports.items()]
        lines += ["%s = %s" % (key, toml(value)) for key, value in self.settings.get("listeners", {}).items()]
        for section, values in self.settings.items():
            if section not in ("", "listeners") and values:
                lines.append("[%s]" % section)
                lines += ["%s = %s" % (key, toml(value)) for key, value in values.items()]
        for domain, (host, port) in self.destinations.items():
            lines += ["[[queue.destination]]", "domain = %s" % toml(domain), "host = %s" % toml(host), "port = %d" % port]
        for route in self.routes:
            lines += ["[[queue.route]]"] + ["%s = %s" % (key, toml(value)) for key, value in route.items()]
        for one in self.filters:
            lines += ["[[outside.filter]]"] + ["%s = %s" % (key, toml(value)) for key, value in one.items()]
        return "\n".join(lines) + "\n"

    def write_config(self):
        self.config.write_text(self.config_text())

    def set(self, section, **values):
        self.settings.setdefault(section, {}).update(values)
        self.write_config()

    # -- life

    def start(self, seconds=60, ready=True):
        """Starts serving and waits until every listener answers; with `ready=False`, whether mail is taken or not."""
        assert self.process is None, "%s runs already" % self.name
        if not (self.data / "store").exists():
            self.make_store()
        for attempt in range(3):
            begun = self.log.stat().st_size if self.log.exists() else 0
            with open(self.log, "ab") as log:
                self.process = subprocess.Popen(
                    self.before + [binary(), "--config", str(self.config), "serve"],
                    stdout=log, stderr=log, stdin=subprocess.DEVNULL)
            running.append(self)
            if self._wait_ready(seconds, ready):
                return self
            said = self.log_text(begun)
            code = self.process.wait()
            self._gone()
            if "in use" not in said.lower():
                raise AssertionError("%s did not start (exit code %s):\n%s" % (self.name, code, said[-4000:]))
            # Somebody else took one of the ports in the meantime.
            self.ports = {service: free_port() for service in SERVICES}
            self.write_config()
        raise AssertionError("%s found no free ports" % self.name)

    def _wait_ready(self, seconds, ready_for_mail):
        """True when it serves, false when it has ended."""
        def ready():
            if self.process.poll() is not None:
                return "ended"
            # The ports are open before the store is; the socket of the command line comes last.
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                    sock.connect(str(self.data / "relais.sock"))
                path = "/health/ready" if ready_for_mail else "/health/live"
                return "ready" if self.http(path)[0] == 200 else None
            except OSError:
                return None
        try:
            return until(ready, seconds, "%s to serve" % self.name) == "ready"
        except AssertionError:
            self.kill()
            raise

    def _gone(self):
        self.process = None
        if self in running:
            running.remove(self)

    def signal(self, number):
        self.process.send_signal(number)

    def stop(self, seconds=30):
        """SIGTERM, and the orderly end that must follow."""
        if self.process is None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError("%s did not stop within %d s of SIGTERM" % (self.name, seconds))
        self._gone()
        assert code == 0, "%s ended with exit code %d" % (self.name, code)
        self.assert_healthy_log()

    def kill(self):
        """`kill -9`."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self._gone()

    def restart(self):
        self.stop()
        return self.start()

    def rss(self):
        """Octets of memory in use."""
        status = Path("/proc/%d/status" % self.process.pid).read_text()
        return int(re.search(r"VmRSS:\s+(\d+) kB", status).group(1)) * 1024

    # -- log

    def log_text(self, since=0):
        if not self.log.exists():
            return ""
        with open(self.log, "rb") as log:
            log.seek(since)
            return re.sub(r"\x1b\[[0-9;]*m", "", log.read().decode("utf-8", "replace"))

    def assert_healthy_log(self):
        panics = [line for line in self.log_text().splitlines() if "panicked at" in line]
        assert not panics, "%s panicked:\n%s" % (self.name, "\n".join(panics))

    # -- command line

    def make_store(self):
        """`relais init`, and its domain and administrator away again: a test knows all that is there."""
        # Where there is room for the reserve that a first configuration has; the place of the test may be a small disk.
        file, place = self.home / "init.toml", self.home / "init-data"
        done = subprocess.run(
            [binary(), "--config", str(file), "init", "--domain", "init.test", "--data-dir", str(place), "--password-file", "-"],
            input=PASSWORD + "\n", capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stdout + done.stderr
        if self.data.exists():
            self.data.rmdir()
        shutil.move(place, self.data)
        self.cli("domain", "remove", "init.test", "--force")

    def run(self, *arguments, stdin=None, timeout=60, cwd=None):
        """A command of the CLI; what it did, whatever it did."""
        if not self.data.exists():
            self.make_store()
        command = [binary(), "--config", str(self.config)] + [str(argument) for argument in arguments]
        return subprocess.run(command, input=stdin, capture_output=True, text=True, timeout=timeout, cwd=cwd)

    def cli(self, *arguments, stdin=None, timeout=60):
        """A command that must succeed; its output as text."""
        done = self.run(*arguments, stdin=stdin, timeout=timeout)
        if done.returncode != 0:
            raise CliError([str(argument) for argument in arguments], done)
        return done.stdout

    def json(self, *arguments, stdin=None, timeout=60):
        """A command that must succeed, with `--json`; its output as values."""
        text = self.cli(*arguments, "--json", stdin=stdin, timeout=timeout)
        try:
            return json.loads(text)
        except ValueError:
            raise AssertionError("relais %s --json: this is no JSON:\n%s" % (" ".join(map(str, arguments)), text))

    def add_domain(self, name, **options):
        return self.cli("domain", "add", name, *flags(options))

    def add_account(self, address, password=PASSWORD, welcome=False, **options):
        """One account; its mailbox is empty unless its person is to be welcomed."""
        quiet = [] if welcome else ["--no-welcome"]
        return self.cli("account", "add", address, "--password-file", "-", *quiet, *flags(options), stdin=password + "\n")

    def add_accounts(self, *addresses):
        """Many at once."""
        lines = [json.dumps({"address": address, "password": PASSWORD}) for address in addresses]
        return self.cli("account", "add", "--from-file", "-", stdin="\n".join(lines) + "\n")

    def add_alias(self, address, *targets, **options):
        return self.cli("alias", "add", address, *flags({"to": targets}), *flags(options))

    def add_responder(self, address, **options):
        return self.cli("responder", "add", address, *flags(options))

    def check(self):
        """`relais check --deep`, which must find nothing."""
        return self.cli("check", "--deep", timeout=120)

    def queue(self):
        """All entries of the queue."""
        entries, after = [], []
        while True:
            page = self.json("queue", "list", *after)
            if not page:
                return entries
            entries += page
            after = ["--after", entries[-1]["id"]]

    def retry_queue(self):
        """Makes everything in the queue due now."""
        return self.cli("queue", "retry", "--all")

    def wait_queue_empty(self, seconds=60):
        until(lambda: not self.queue(), seconds, "%s's queue to be empty" % self.name)

    # -- clients

    def smtp(self, service="mx", **options):
        """A rude SMTP client."""
        return Smtp(self.ports[service], tls=service == "submissions", **options)

    def imap(self, user=None, service="imaps", password=PASSWORD, **options):
        """A rude IMAP client; logged in when a user is named."""
        client = Imap(self.ports[service], tls=service == "imaps", **options)
        if user:
            try:
                client.login(user, password)
            except BaseException:
                client.close()
                raise
        return client

    def send(self, sender, recipients, octets):
        """A message by the MX port."""
        recipients = [recipients] if isinstance(recipients, str) else recipients
        with self.smtp() as client:
            return client.deliver(sender, recipients, octets)

    def submit(self, sender, recipients, octets, user=None, password=PASSWORD):
        """A message by the submissions port, with smtplib."""
        recipients = [recipients] if isinstance(recipients, str) else recipients
        with smtplib.SMTP_SSL("127.0.0.1", self.ports["submissions"], timeout=30, context=tls_context()) as client:
            client.login(user or sender, password)
            return client.sendmail(sender, recipients, octets)

    def imaplib(self, user, password=PASSWORD):
        """imaplib, by TLS, logged in."""
        client = imaplib.IMAP4_SSL("127.0.0.1", self.ports["imaps"], ssl_context=tls_context(), timeout=30)
        client.login(user, password)
        return client

    def messages(self, user, mailbox="INBOX"):
        """All messages of a mailbox: UID -> octets. It is only looked at."""
        client = self.imaplib(user)
        try:
            status, said = client.select('"%s"' % mailbox, readonly=True)
            assert status == "OK", (mailbox, said)
            if said[0] == b"0":
                return {}
            status, parts = client.uid("FETCH", "1:*", "(BODY.PEEK[])")
            assert status == "OK", parts
            found = {}
            for part in parts:
                if isinstance(part, tuple):
                    uid = re.search(rb"UID (\d+)", part[0])
                    found[int(uid.group(1))] = part[1]
            return found
        finally:
            client.logout()

    def flags(self, user, mailbox="INBOX"):
        """All messages of a mailbox as another session sees them: subject -> flags without `\\Recent`. It is only looked at."""
        client = self.imaplib(user)
        try:
            status, said = client.select('"%s"' % mailbox, readonly=True)
            assert status == "OK", (mailbox, said)
            found = {}
            if said[0] != b"0":
                for part in client.fetch("1:*", "(FLAGS BODY.PEEK[HEADER.FIELDS (SUBJECT)])")[1]:
                    if isinstance(part, tuple):
                        names = re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).decode().split()
                        found[part[1].decode().partition(": ")[2].strip()] = set(names) - {"\\Recent"}
            return found
        finally:
            client.logout()

    def mailboxes(self, user, command="list"):
        """The names of all mailboxes (`list`) or of those that are subscribed to (`lsub`)."""
        client = self.imaplib(user)
        try:
            return {re.search(rb'"/" "?(.*?)"?$', line).group(1).decode() for line in getattr(client, command)()[1] if line}
        finally:
            client.logout()

    def with_id(self, user, mid, mailbox="INBOX"):
        """The messages of a mailbox that have a Message-ID."""
        return [octets for octets in self.messages(user, mailbox).values() if id_of(octets) == mid]

    def wait_message(self, user, test, mailbox="INBOX", seconds=60):
        """Waits for a message that passes `test` (a Message-ID, or a function of the octets)."""
        passes = (lambda octets: id_of(octets) == test) if isinstance(test, str) else test
        def look():
            return [octets for octets in self.messages(user, mailbox).values() if passes(octets)]
        return until(look, seconds, "a message in %s of %s" % (mailbox, user))[0]

    # -- HTTP

    def http(self, path):
        """Status and text of a GET."""
        try:
            with urllib.request.urlopen("http://127.0.0.1:%d%s" % (self.ports["http"], path), timeout=10) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()

    def metric(self, name, **labels):
        """The sum of a metric's values over all label sets that have the labels."""
        total = None
        for line in self.http("/metrics")[1].splitlines():
            match = re.match(r"([a-zA-Z_:][\w:]*)(?:\{(.*)\})? (\S+)$", line)
            if match and match.group(1) == name:
                has = dict(re.findall(r'(\w+)="([^"]*)"', match.group(2) or ""))
                if all(has.get(key) == value for key, value in labels.items()):
                    total = (total or 0) + float(match.group(3))
        return total


def flags(options):
    """`{"catch_all": "x"}` as `--catch-all x`; True is a flag alone, a list repeats."""
    words = []
    for name, value in options.items():
        flag = "--" + name.replace("_", "-")
        for one in value if isinstance(value, (list, tuple)) else [value]:
            words += [flag] if one is True else [flag, str(one)]
    return words


def tls_context():
    """TLS that trusts our certificate and nothing else."""
    context = ssl.create_default_context(cafile=str(certificate().chain))
    return context


# --- test cases -------------------------------------------------------------------------------------------------------

class TestCase(unittest.TestCase):
    """Shows the logs of the running servers when a test fails, and leaves none behind."""

    maxDiff = 4000

    def run(self, result=None):
        bad = len(result.failures) + len(result.errors)
        marks = {server: server.log.stat().st_size for server in running}
        returned = super().run(result)
        if len(result.failures) + len(result.errors) > bad:
            for server in list(running):
                tail = server.log_text(marks.get(server, 0))[-6000:]
                print("---- log of %s during %s (%s)\n%s----" % (server.name, self.id(), server.log, tail), flush=True)
            self.look()
        return returned

    def look(self):
        """Called when a test has failed: a suite with a screen keeps what is on it."""

    def server(self, **options):
        """A server of this test's own, not yet started; it is killed at the end if it still runs."""
        server = Server(**options)
        self.addCleanup(server.kill)
        return server


class ServerCase(TestCase):
    """Tests that share one server; `prepare` fills it before it starts."""

    options = {}

    @classmethod
    def prepare(cls, server):
        """Domain and accounts, while the server is stopped."""
        server.add_domain("example.test")
        server.add_accounts("alice@example.test", "bob@example.test", "carol@example.test", "dave@example.test")

    @classmethod
    def setUpClass(cls):
        cls.relais = Server(name=cls.__name__, **cls.options)
        cls.addClassCleanup(cls.relais.kill)
        cls.prepare(cls.relais)
        cls.relais.start()

    @classmethod
    def tearDownClass(cls):
        cls.relais.stop()


def run(command, **options):
    """Another program, with a time limit; what it did."""
    options.setdefault("timeout", 60)
    return subprocess.run([str(word) for word in command], capture_output=True, text=True, **options)


def needs(program):
    """Skips a test when a program is missing."""
    return unittest.skipUnless(shutil.which(program) or os.path.exists("/usr/sbin/" + program), "%s is not installed" % program)


def log(text):
    """A line of progress from inside a test."""
    print("      " + text, flush=True)


def namespace(kind):
    """Skips a class when the runner could not give it a namespace of its own."""
    return unittest.skipUnless(
        kind in os.environ.get("RELAIS_E2E_NAMESPACE", "").split(","),
        "needs root, or a system that allows `unshare --user --map-root-user --%s`" % kind)


def loopback_up(*addresses):
    """`ip link set lo up` and `ip address add … dev lo`, without ip: for a network namespace of one's own."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(sock, 0x8913, request))[1]
        fcntl.ioctl(sock, 0x8914, struct.pack("16sh14x", b"lo", flags | 1))
        for number, address in enumerate(address for address in addresses if ":" not in address):
            fcntl.ioctl(sock, 0x8916, struct.pack("16sHH4s8x", b"lo:%d" % number, socket.AF_INET, 0, socket.inet_aton(address)))
    for address in (address for address in addresses if ":" in address):
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as sock:
            octets = socket.inet_pton(socket.AF_INET6, address)
            fcntl.ioctl(sock, 0x8916, struct.pack("=16sIi", octets, 128, socket.if_nametoindex("lo")))


sys.dont_write_bytecode = True
