"""Real Postfix instances, each with its own folder, ports, queue and log. What the system has in /etc/postfix is neither needed nor changed.

An instance keeps mail for the `people` of its domains in maildirs, sends what is for `routes` to servers on loopback, and refuses the rest.
"""

import email
import json
import os
import pwd
import socket
import socketserver
import subprocess
import threading
import unittest
from pathlib import Path

from harness import folder, free_port, id_of, running, until

DAEMONS = Path("/usr/lib/postfix/sbin")
QUEUES = ("active", "bounce", "corrupt", "defer", "deferred", "flush", "hold", "incoming", "private", "saved", "trace")

# Everything that takes part, none of it in a chroot.
SERVICES = """
pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
tlsmgr unix - - n 1000? 1 tlsmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
proxywrite unix - - n - 1 proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
showq unix n - n - - showq
error unix - - n - - error
retry unix - - n - - error
discard unix - - n - - discard
virtual unix - n n - - virtual
lmtp unix - - n - - lmtp
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""


def obstacle():
    """Why no Postfix can run here, or nothing."""
    if not (DAEMONS / "master").exists():
        return "Postfix is not installed"
    if os.geteuid() != 0:
        return "Postfix starts as root only"
    try:
        pwd.getpwnam("postfix")
    except KeyError:
        return "there is no user postfix"
    # In a user namespace root is alone: Postfix could not become anybody else.
    if int(Path("/proc/self/uid_map").read_text().split()[2]) < 65535:
        return "Postfix needs users that this namespace has not"
    return None


def needs_postfix(case):
    """Skips a class where no Postfix can run."""
    why = obstacle()
    return unittest.skipIf(why is not None, why or "")(case)


def reachable(where):
    """Lets other users into a folder of the tests' temporary one."""
    for path in [where, *where.parents]:
        path.chmod(path.stat().st_mode | 0o055)
        if path.name.startswith("relais-e2e-"):
            return


def table(entries):
    """`{key: value}` as a table inside main.cf."""
    return "inline:{ %s }" % ", ".join("{ %s = %s }" % pair for pair in entries.items()) if entries else ""


class Postfix:
    """One instance. `people` are addresses whose mail it keeps; `routes` are domain -> port of a server that its mail goes to, or
    a whole transport (`lmtp:unix:/a/socket`). `settings` are those of main.cf."""

    def __init__(self, name="postfix", hostname="mx.far.test", people=(), routes=None, certificate=None, settings=None, address="127.0.0.1",
                 port=None, domains=()):
        self.name = name
        self.home = folder(name)
        self.config, self.queues, self.mail = self.home / "etc", self.home / "spool", self.home / "mail"
        self.log = self.home / "log"
        self.log.touch()
        self.address, self.port = address, port or free_port()
        self.process, self.guard = None, None
        reachable(self.home)
        owner, nobody = pwd.getpwnam("postfix"), pwd.getpwnam("nobody")
        for place in [self.config, self.queues, self.mail, self.home / "data", self.queues / "pid", self.queues / "public",
                      self.queues / "maildrop"] + [self.queues / queue for queue in QUEUES]:
            place.mkdir()
        for place in [self.home / "data", self.queues / "public", self.queues / "maildrop"] + [self.queues / queue for queue in QUEUES]:
            os.chown(place, owner.pw_uid, 0)
            place.chmod(0o700)
        os.chown(self.mail, nobody.pw_uid, nobody.pw_gid)
        domains = sorted({person.rpartition("@")[2] for person in people} | set(domains))
        self.settings = {
            "compatibility_level": "3.6",
            "queue_directory": self.queues, "data_directory": self.home / "data",
            "maillog_file": self.log, "maillog_file_prefixes": self.home,
            "myhostname": hostname, "myorigin": "$myhostname", "mydestination": "",
            "mynetworks": "127.0.0.0/8", "inet_interfaces": address, "inet_protocols": "ipv4",
            # No name is asked for: what is not said here stays here.
            "smtpd_peername_lookup": "no", "disable_dns_lookups": "yes", "smtp_host_lookup": "native",
            "alias_maps": "", "alias_database": "", "local_recipient_maps": "",
            "virtual_mailbox_domains": " ".join(domains), "virtual_mailbox_base": self.mail,
            "virtual_mailbox_maps": table({person: self._place(person) for person in people}),
            "virtual_uid_maps": "static:%d" % nobody.pw_uid, "virtual_gid_maps": "static:%d" % nobody.pw_gid,
            "virtual_mailbox_limit": "0", "message_size_limit": "100000000", "mailbox_size_limit": "0",
            "relay_recipient_maps": "",
            "default_transport": "error:5.4.4 there is no way out of these tests",
            "smtputf8_enable": "yes", "enable_long_queue_ids": "yes",
            # What fails is tried again when a test says so, and not before.
            "minimal_backoff_time": "3600s", "maximal_backoff_time": "3600s", "queue_run_delay": "3600s",
            "smtpd_client_connection_count_limit": "0", "smtpd_error_sleep_time": "0", "smtp_tls_loglevel": "1",
            "smtpd_tls_loglevel": "1", "in_flow_delay": "0",
        }
        if certificate:
            self.settings.update({"smtpd_tls_chain_files": "%s, %s" % (certificate.key, certificate.chain), "smtpd_tls_security_level": "may"})
        self.send_to(routes or {})
        self.settings.update(settings or {})
        self.services = SERVICES.lstrip()
        self.listen(self.port)

    @staticmethod
    def _place(person):
        name, _, domain = person.rpartition("@")
        return "%s/%s/" % (domain, name)

    def send_to(self, routes):
        """Sets the ways to other servers, before the start."""
        self.settings["transport_maps"] = table({domain: there if isinstance(there, str) else "smtp:[127.0.0.1]:%d" % there
                                                 for domain, there in routes.items()})
        self.settings["relay_domains"] = " ".join(domain for domain in routes if "@" not in domain)

    def listen(self, port=None, **options):
        """Another port with settings of its own, before the start; the port."""
        port = port or free_port()
        self.service("%s:%d inet n - n - - smtpd" % (self.address, port), **options)
        return port

    def service(self, line, **options):
        """A line of master.cf, with settings of its own."""
        self.services += line + "\n" + "".join("  -o { %s = %s }\n" % pair for pair in options.items())

    def write_config(self):
        (self.config / "main.cf").write_text("".join("%s = %s\n" % pair for pair in self.settings.items()))
        (self.config / "master.cf").write_text(self.services)

    # -- life

    def start(self):
        assert self.process is None, "%s runs already" % self.name
        self.write_config()
        # A process group of its own, so that all of it can be ended.
        with open(self.home / "output", "ab") as output:
            self.process = subprocess.Popen([str(DAEMONS / "master"), "-c", str(self.config), "-d"],
                                            stdin=subprocess.DEVNULL, stdout=output, stderr=output, start_new_session=True)
        # Ends it when this process does, however that ends: then nobody holds the pipe any more.
        self.guard = subprocess.Popen(["/bin/sh", "-c", 'read -r _; kill -s KILL -- "-$1"', "sh", str(self.process.pid)],
                                      stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
        running.append(self)

        def serves():
            if self.process.poll() is not None:
                raise AssertionError("Postfix did not start:\n%s%s" % ((self.home / "output").read_text(), self.log_text()))
            try:
                with socket.create_connection((self.address, self.port), 10) as sock:
                    return sock.recv(4) == b"220 "
            except OSError:
                return False
        until(serves, what="Postfix to serve")
        return self

    def stop(self):
        """Ends it with all that it has started."""
        if self.process is None:
            return
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            pass
        self.guard.stdin.close()
        self.guard.wait()
        self.process.wait()
        self.process = None
        running.remove(self)

    def set(self, **settings):
        """Changes settings; it is started anew when it runs."""
        self.settings.update(settings)
        if self.process is not None:
            self.stop()
            self.start()

    # -- log

    def log_text(self, since=0):
        with open(self.log, "rb") as log:
            log.seek(since)
            return log.read().decode("utf-8", "replace")

    def lines(self, *words):
        """The lines of the log that have all these words."""
        return [line for line in self.log_text().splitlines() if all(word in line for word in words)]

    def wait_line(self, *words, seconds=60):
        """Waits for such a line; the first one."""
        return until(lambda: self.lines(*words), seconds, "%r in the log of %s" % (words, self.name))[0]

    # -- mail

    def received(self, person):
        """The messages of a person, with CRLF, in the order of their coming."""
        new = self.mail / self._place(person) / "new"
        files = sorted(new.iterdir(), key=lambda path: path.stat().st_mtime_ns) if new.exists() else []
        return [path.read_bytes().replace(b"\n", b"\r\n") for path in files]

    def with_id(self, person, mid):
        """Those that have this Message-ID."""
        return [octets for octets in self.received(person) if id_of(octets) == mid]

    def wait_message(self, person, test, seconds=60):
        """Waits for a message that passes `test` (a Message-ID, or a function of the octets)."""
        passes = (lambda octets: id_of(octets) == test) if isinstance(test, str) else test
        def look():
            return [octets for octets in self.received(person) if passes(octets)]
        return until(look, seconds, "a message for %s at %s" % (person, self.name))[0]

    def sendmail(self, sender, recipients, octets, *options):
        """Puts a message into the queue by Postfix's own program."""
        subprocess.run(["/usr/sbin/sendmail", "-C", str(self.config), "-i", "-f", sender, *options, "--", *recipients],
                       input=octets.replace(b"\r\n", b"\n"), check=True, timeout=60)

    def queue(self):
        """What waits: a value for each message."""
        done = subprocess.run(["/usr/sbin/postqueue", "-c", str(self.config), "-j"], capture_output=True, text=True, check=True, timeout=60)
        return [json.loads(line) for line in done.stdout.splitlines()]

    def wait_queue_empty(self, seconds=60):
        until(lambda: not self.queue(), seconds, "%s's queue to be empty" % self.name)

    def wait_deferred(self, recipient, seconds=60):
        """Waits until what somebody is to get was tried in vain; the reason that Postfix has."""
        def look():
            for entry in self.queue():
                for one in entry["recipients"]:
                    if entry["queue_name"] == "deferred" and one["address"] == recipient and "delay_reason" in one:
                        return one["delay_reason"]
            return None
        return until(look, seconds, "a deferred message for %s at %s" % (recipient, self.name))

    def flush(self):
        """Everything is tried now."""
        subprocess.run(["/usr/sbin/postqueue", "-c", str(self.config), "-f"], check=True, timeout=60)


class Policy:
    """A policy service for `check_policy_service`, as greylisting is done with Postfix. `decide(attributes)` gives the action."""

    def __init__(self, decide):
        policy = self
        self.decide = decide

        class Handler(socketserver.StreamRequestHandler):
            def handle(self):
                attributes = {}
                for line in self.rfile:
                    name, is_one, value = line.decode().rstrip("\n").partition("=")
                    if is_one:
                        attributes[name] = value
                        continue
                    self.wfile.write(b"action=%s\n\n" % policy.decide(attributes).encode())
                    attributes = {}

        class Listener(socketserver.ThreadingTCPServer):
            daemon_threads = True
            allow_reuse_address = True

        self.listener = Listener(("127.0.0.1", 0), Handler)
        self.where = "inet:127.0.0.1:%d" % self.listener.server_address[1]
        threading.Thread(target=self.listener.serve_forever, daemon=True).start()

    def close(self):
        self.listener.shutdown()
        self.listener.server_close()


class Tap:
    """A wire between a client and a server without TLS, which keeps what the client says. With `until_said`, no reply passes from a `MAIL` on
    until that is true of what was said: a client that waits for each reply, and does not pipeline, would wait for ever."""

    def __init__(self, port, until_said=None):
        self.port, self.until_said = port, until_said
        self.said = []
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.here = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()

    def text(self, number=0):
        """What the client of one connection said."""
        return bytes(self.said[number]).decode("utf-8", "replace") if len(self.said) > number else ""

    def _accept(self):
        while True:
            try:
                client, _ = self.listener.accept()
                server = socket.create_connection(("127.0.0.1", self.port))
            except OSError:
                return
            said, passes = bytearray(), threading.Event()
            self.said.append(said)
            passes.set()
            threading.Thread(target=self._up, args=(client, server, said, passes), daemon=True).start()
            threading.Thread(target=self._down, args=(client, server, passes), daemon=True).start()

    def _up(self, client, server, said, passes):
        try:
            while octets := client.recv(65536):
                said += octets
                if self.until_said and b"MAIL FROM" in said:
                    (passes.set if self.until_said(said) else passes.clear)()
                server.sendall(octets)
        except OSError:
            pass
        finally:
            passes.set()
            self._end(server)

    def _down(self, client, server, passes):
        try:
            while octets := server.recv(65536):
                passes.wait(60)
                client.sendall(octets)
        except OSError:
            pass
        finally:
            self._end(client)

    @staticmethod
    def _end(sock):
        try:
            sock.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass


def parts(octets):
    """A notice of Postfix: its text, the fields of the message, those of each recipient, and what came back."""
    parsed = email.message_from_bytes(octets)
    assert parsed.get_content_type() == "multipart/report", parsed.get_content_type()
    text, status, original = parsed.get_payload()
    about, *recipients = status.get_payload()
    return text.get_payload(decode=True).decode(), about, recipients, original
