"""Signed zones on loopback: a root of the tests' own and zones below it, signed by BIND's tools and served by BIND."""

import re
import shutil
import socket
import struct
import subprocess

from harness import until

TOOLS = ("named", "dnssec-keygen", "dnssec-signzone")


def found(tool):
    return shutil.which(tool) or shutil.which(tool, path="/usr/sbin:/usr/bin:/sbin")


def installed():
    """Whether Debian's bind9 and bind9-utils are there."""
    return all(found(tool) for tool in TOOLS)


class Zones:
    """`zones` are texts of records by name; those in `signed` have a chain of trust from the root, which is `anchor`.

    A pair in `broken`, of a zone and a function on its text, changes what is signed after it was.
    """

    def __init__(self, where, zones, signed, broken=None):
        self.where = where
        self.process = None
        files, delegations = {}, []
        for name, records in zones.items():
            text = "$TTL 60\n@ SOA ns.%s hostmaster.%s 1 60 60 60 60\n@ NS ns.%s\nns A 127.0.0.1\n%s\n" % (
                name, name, name, "\n".join(records))
            files[name] = self._written(name, text)
            delegations += ["%s NS ns.%s" % (name, name), "ns.%s A 127.0.0.1" % name]
            if name in signed:
                files[name], ds = self._signed(name, files[name])
                delegations += ds
            if broken and name in broken:
                files[name].write_text(broken[name](files[name].read_text()))
        root = "$TTL 60\n. SOA ns. hostmaster. 1 60 60 60 60\n. NS ns.\nns. A 127.0.0.1\n%s\n" % "\n".join(delegations)
        files["."], _ = self._signed(".", self._written(".", root))
        # What is trusted: the key that signs keys.
        keys = [path.read_text() for path in where.glob("K.+*.key")]
        self.anchor = where / "anchor"
        self.anchor.write_text("".join(line + "\n" for key in keys for line in key.splitlines() if " DNSKEY 257 " in line))
        self.config = where / "named.conf"
        lines = ['options { directory "%s"; pid-file none; session-keyfile none; listen-on { 127.0.0.1; }; listen-on-v6 { none; };'
                 ' recursion no; dnssec-validation no; minimal-responses no; };' % where, "controls { };"]
        lines += ['zone "%s" { type primary; file "%s"; };' % (name, file) for name, file in files.items()]
        self.config.write_text("\n".join(lines) + "\n")

    def _written(self, name, text):
        path = self.where / ("zone." + name.strip("."))
        path.write_text(text)
        return path

    def _signed(self, name, path):
        def run(*command):
            done = subprocess.run([found(command[0]), *command[1:]], cwd=self.where, capture_output=True, text=True)
            assert done.returncode == 0, "%r: %s%s" % (command, done.stdout, done.stderr)
        run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", name)
        run("dnssec-keygen", "-q", "-a", "ECDSAP256SHA256", "-f", "KSK", name)
        # -x: keys are signed by the key of keys alone; -P: broken on purpose is none of its business.
        run("dnssec-signzone", "-S", "-P", "-x", "-O", "full", "-o", name, "-f", path.name + ".signed", path.name)
        ds = self.where / ("dsset-" + (name if name.endswith(".") else name + "."))
        return path.with_name(path.name + ".signed"), ds.read_text().splitlines()

    def start(self):
        self.process = subprocess.Popen([found("named"), "-g", "-c", str(self.config)], stdin=subprocess.DEVNULL,
                                        stdout=subprocess.DEVNULL, stderr=open(self.where / "log", "wb"))
        until(self._answers, 60, "named to answer")

    def _answers(self):
        if self.process.poll() is not None:
            raise AssertionError("named ended:\n" + (self.where / "log").read_text()[-3000:])
        question = struct.pack(">6H", 1, 0, 1, 0, 0, 0) + b"\0" + struct.pack(">HH", 6, 1)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.settimeout(1)
            try:
                sock.sendto(question, ("127.0.0.1", 53))
                # NOERROR, with an answer.
                head = struct.unpack(">6H", sock.recv(4096)[:12])
                return head[1] & 15 == 0 and head[3] > 0
            except OSError:
                return False

    def stop(self):
        if self.process:
            self.process.kill()
            self.process.wait()
            self.process = None


def other_digest(text):
    """Changes each TLSA record, and leaves its signature."""
    return re.sub(r"(TLSA\s+3 1 1) [0-9A-F]{4}", r"\1 0000", text)
