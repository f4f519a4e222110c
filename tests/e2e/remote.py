"""The remote side, played by a script: an SMTP server whose every reply a test decides, and a name server.

`Remote.decide` is called with what the client said and gives a reply, or `None` for the usual one.
"""

import base64
import re
import socket
import ssl
import struct
import threading

from harness import ServerCase, certificate


class Received:
    """One message that the remote side has taken."""

    def __init__(self, sender, recipients, content, session):
        self.sender = sender
        self.recipients = recipients
        self.content = content
        self.session = session
        # The MAIL command that it came with.
        self.mail = session.mail

    def __repr__(self):
        return "Received(%r -> %r, %d octets)" % (self.sender, self.recipients, len(self.content))


class Session:
    """What one connection did, for assertions about reuse, TLS and AUTH."""

    def __init__(self):
        self.commands = []
        self.tls = False
        self.login = None
        self.mail = None
        self.messages = 0
        self.socket = None
        # Where the connection came from.
        self.peer = None


class Remote:
    """A scripted SMTP server, one thread for each connection."""

    def __init__(self, host="127.0.0.1", port=0, certificate=None, logins=None, extensions=("PIPELINING", "8BITMIME", "SMTPUTF8")):
        self.certificate = certificate
        self.logins = logins
        self.extensions = list(extensions)
        self.decide = lambda verb, argument, session: None
        self.messages = []
        self.sessions = []
        self.changed = threading.Condition()
        self.open = set()
        self.most_open = 0
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.listener = socket.socket(family, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(128)
        self.host, self.port = self.listener.getsockname()[:2]
        self.closing = False
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self):
        self.closing = True
        # A shutdown, for a close alone leaves a thread inside accept.
        try:
            self.listener.shutdown(socket.SHUT_RDWR)
        except OSError:
            pass
        self.listener.close()
        self.hang_up()

    def hang_up(self):
        """Ends every connection, without a word."""
        for sock in list(self.open):
            try:
                socket.socket.shutdown(sock, socket.SHUT_RDWR)
            except OSError:
                pass

    def wait(self, condition, seconds=60, what="the remote side"):
        """Waits until `condition(messages)` holds; the messages."""
        with self.changed:
            if not self.changed.wait_for(lambda: condition(self.messages), seconds):
                raise AssertionError("%s: not within %d s; it has %r" % (what, seconds, self.messages))
            return list(self.messages)

    def wait_count(self, count, seconds=60):
        return self.wait(lambda messages: len(messages) >= count, seconds, "%d messages" % count)

    def _accept(self):
        while not self.closing:
            try:
                sock, _ = self.listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(sock,), daemon=True).start()

    def _serve(self, sock):
        self.open.add(sock)
        self.most_open = max(self.most_open, len(self.open))
        session = Session()
        session.peer = sock.getpeername()[0]
        with self.changed:
            self.sessions.append(session)
        try:
            sock.settimeout(120)
            self._talk(sock, session)
        except (OSError, ssl.SSLError, EOFError):
            pass
        finally:
            for mine in (sock, session.socket):
                self.open.discard(mine)
                if mine is not None:
                    mine.close()

    def _talk(self, sock, session):
        file = sock.makefile("rb")
        sender, recipients = None, []

        def say(text):
            sock.sendall(text.encode() + b"\r\n")

        def line():
            octets = file.readline(65536)
            if not octets:
                raise EOFError
            return octets

        say(self.decide("CONNECT", "", session) or "220 remote.test ESMTP")
        while True:
            said = line().rstrip(b"\r\n").decode("utf-8", "replace")
            verb, _, argument = said.partition(" ")
            verb = verb.upper()
            session.commands.append(said)
            decided = self.decide(verb, argument, session)
            if decided == "close":
                return
            if decided and verb not in ("DATA",):
                say(decided)
                continue
            if verb in ("EHLO", "HELO"):
                lines = ["remote.test"]
                if verb == "EHLO":
                    lines += self.extensions
                    if self.certificate and not session.tls:
                        lines.append("STARTTLS")
                    if self.logins is not None:
                        lines.append("AUTH PLAIN LOGIN")
                for text in lines[:-1]:
                    say("250-" + text)
                say("250 " + lines[-1])
            elif verb == "STARTTLS" and self.certificate:
                say("220 go ahead")
                context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                context.load_cert_chain(self.certificate.chain, self.certificate.key)
                self.open.discard(sock)
                sock = context.wrap_socket(sock, server_side=True)
                self.open.add(sock)
                session.socket = sock
                file = sock.makefile("rb")
                session.tls = True
            elif verb == "AUTH" and self.logins is not None:
                say(self._auth(argument, session, say, line))
            elif verb == "MAIL":
                if self.logins is not None and not session.login:
                    say("530 5.7.0 Authentication required")
                    continue
                session.mail, sender, recipients = said, re.search(r"<([^>]*)>", argument).group(1), []
                say("250 2.1.0 ok")
            elif verb == "RCPT":
                recipients.append(re.search(r"<([^>]*)>", argument).group(1))
                say("250 2.1.5 ok")
            elif verb == "DATA":
                if not recipients:
                    say("554 5.5.1 no valid recipients")
                    continue
                say("354 go on")
                parts = []
                while True:
                    part = line()
                    if part == b".\r\n":
                        break
                    parts.append(part[1:] if part.startswith(b".") else part)
                content = b"".join(parts)
                if decided:
                    say(decided)
                else:
                    self._keep(sender, recipients, content, session)
                    say("250 2.0.0 taken")
                sender, recipients = None, []
            elif verb == "RSET":
                sender, recipients = None, []
                say("250 2.0.0 ok")
            elif verb == "NOOP":
                say("250 2.0.0 ok")
            elif verb == "QUIT":
                say("221 2.0.0 bye")
                return
            else:
                say("500 5.5.1 no such command")

    def _keep(self, sender, recipients, content, session):
        with self.changed:
            session.messages += 1
            self.messages.append(Received(sender, list(recipients), content, session))
            self.changed.notify_all()

    def _auth(self, argument, session, say, line):
        mechanism, _, initial = argument.partition(" ")
        if mechanism.upper() == "PLAIN":
            if not initial:
                say("334 ")
                initial = line().decode().strip()
            _, user, password = base64.b64decode(initial).decode().split("\0")
        else:
            def ask(prompt):
                say("334 " + base64.b64encode(prompt).decode())
                return base64.b64decode(line().strip()).decode()
            user = base64.b64decode(initial).decode() if initial else ask(b"Username:")
            password = ask(b"Password:")
        if self.logins.get(user) == password:
            session.login = user
            return "235 2.7.0 welcome"
        return "535 5.7.8 no"


class Dns:
    """A name server on UDP with a table: `{("example.test", "MX"): [(10, "mx1.example.test")], …}`.

    Names that the table does not have at all do not exist (NXDOMAIN); `("name", "FAIL")` gives SERVFAIL.
    """

    TYPES = {1: "A", 12: "PTR", 15: "MX", 28: "AAAA", 16: "TXT"}

    def __init__(self, table, host="127.0.0.1", port=53):
        self.table = table
        self.asked = []
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind((host, port))
        # A resolver may come by TCP as well.
        self.listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.listener.bind((host, port))
        self.listener.listen(16)
        threading.Thread(target=self._udp, daemon=True).start()
        threading.Thread(target=self._tcp, daemon=True).start()

    def close(self):
        self.sock.close()
        self.listener.close()

    def _udp(self):
        while True:
            try:
                question, client = self.sock.recvfrom(4096)
                self.sock.sendto(self._answer(question), client)
            except OSError:
                return

    def _tcp(self):
        while True:
            try:
                sock, _ = self.listener.accept()
                with sock:
                    sock.settimeout(5)
                    size = struct.unpack(">H", sock.recv(2))[0]
                    answer = self._answer(sock.recv(size))
                    sock.sendall(struct.pack(">H", len(answer)) + answer)
            except socket.timeout:
                continue
            except (OSError, struct.error):
                if self.listener.fileno() < 0:
                    return

    def _answer(self, question):
        at, labels = 12, []
        while question[at]:
            size = question[at]
            labels.append(question[at + 1:at + 1 + size].decode())
            at += size + 1
        kind = self.TYPES.get(struct.unpack(">H", question[at + 1:at + 3])[0], "?")
        asked = question[12:at + 5]
        name = ".".join(labels).lower()
        self.asked.append((name, kind))
        records, code = self.table.get((name, kind), []), 0
        if (name, "FAIL") in self.table:
            code = 2
        elif not any(known == name or known.endswith("." + name) for known, _ in self.table):
            code = 3
        body = b""
        for record in records:
            body += b"\xc0\x0c" + question[at + 1:at + 5] + struct.pack(">I", 60)
            if kind == "A":
                data = socket.inet_aton(record)
            elif kind == "AAAA":
                data = socket.inet_pton(socket.AF_INET6, record)
            elif kind == "PTR":
                data = self._name(record)
            elif kind == "TXT":
                # Strings of up to 255 octets, which are one text (RFC 7208 §3.3).
                parts = [record[at:at + 255] for at in range(0, len(record), 255)]
                data = b"".join(bytes([len(part)]) + part.encode() for part in parts)
            else:
                data = struct.pack(">H", record[0]) + self._name(record[1])
            body += struct.pack(">H", len(data)) + data
        authority = b""
        if not records:
            # Without an SOA a resolver may take the negative answer for a broken one.
            data = self._name("ns.test") + self._name("hostmaster.test") + struct.pack(">5I", 1, 60, 60, 60, 60)
            authority = self._name("test") + struct.pack(">HHIH", 6, 1, 60, len(data)) + data
        head = question[:2] + struct.pack(">HHHHH", 0x8580 | code, 1, len(records), 1 if authority else 0, 0)
        return head + asked + body + authority

    @staticmethod
    def _name(name):
        labels = [label for label in name.split(".") if label]
        return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\0"


class RelayCase(ServerCase):
    """Tests that share one server, whose mail for the domains `far` goes to a scripted one: `cls.remote`."""

    far = ("remote.test",)

    @classmethod
    def setUpClass(cls):
        cls.remote = Remote(certificate=certificate())
        cls.addClassCleanup(cls.remote.close)
        there = {domain: ("127.0.0.1", cls.remote.port) for domain in cls.far}
        cls.options = dict(cls.options, hostname="mx.near.test", destinations=there)
        super().setUpClass()
