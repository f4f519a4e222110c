"""SMTP and IMAP spoken octet by octet.

The standard library's clients are polite: they tidy lines up and refuse to say what is wrong. Tests of what a server does with
rude clients need the bare wire.
"""

import re
import socket
import ssl

TIMEOUT = 20


def client_context():
    """TLS as an opportunistic client uses it: no check of the certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


class Closed(Exception):
    """The other side closed the connection while something more was expected."""


class Wire:
    """A connection that is read by lines and written by octets."""

    def __init__(self, port, tls=False, timeout=TIMEOUT, receive_buffer=None, host="127.0.0.1"):
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        if receive_buffer:
            self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.sock.settimeout(timeout)
        try:
            self.sock.connect((host, port))
            self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.buffer = b""
            if tls:
                self.handshake()
        except BaseException:
            self.sock.close()
            raise

    def handshake(self):
        self.sock = client_context().wrap_socket(self.sock, server_hostname="localhost")

    def send(self, octets):
        self.sock.sendall(octets.encode() if isinstance(octets, str) else octets)

    def _more(self):
        try:
            octets = self.sock.recv(65536)
        except ConnectionError as error:
            raise Closed(str(error)) from error
        except ssl.SSLError as error:
            if isinstance(error, TimeoutError) or "timed out" in str(error):
                raise
            raise Closed(str(error)) from error
        if not octets:
            raise Closed("the server closed; unread: %r" % self.buffer)
        self.buffer += octets

    def line(self):
        """The next line, without its CRLF, which must be one."""
        while b"\n" not in self.buffer:
            self._more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        if not line.endswith(b"\r"):
            raise AssertionError("the server sent a line that does not end with CRLF: %r" % line)
        return line[:-1]

    def octets(self, count):
        while len(self.buffer) < count:
            self._more()
        octets, self.buffer = self.buffer[:count], self.buffer[count:]
        return octets

    def at_end(self):
        """Reads to the end of the connection; what came before it."""
        try:
            while True:
                self._more()
        except Closed:
            pass
        rest, self.buffer = self.buffer, b""
        return rest

    def half_close(self):
        self.sock.shutdown(socket.SHUT_WR)

    def close(self):
        self.sock.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


class Reply:
    """One SMTP reply."""

    def __init__(self, code, lines):
        self.code = code
        self.lines = lines
        match = re.match(r"([245]\.\d{1,3}\.\d{1,3})(?: |$)", lines[0])
        self.enhanced = match.group(1) if match else None

    @property
    def text(self):
        return "\n".join(self.lines)

    @property
    def status(self):
        """As `550 5.1.1`, or `354` where there is no enhanced code."""
        return "%d %s" % (self.code, self.enhanced) if self.enhanced else str(self.code)

    def __repr__(self):
        return "Reply(%d, %r)" % (self.code, self.text)


class Smtp(Wire):
    """An SMTP client without manners."""

    def __init__(self, port, greet=True, ehlo=True, **options):
        super().__init__(port, **options)
        self.extensions = []
        if greet:
            self.greeting = self.reply()
            if ehlo:
                if self.greeting.code != 220:
                    raise AssertionError("greeting: %r" % self.greeting)
                self.ehlo()

    def reply(self):
        lines = []
        while True:
            line = self.line().decode("utf-8")
            if not re.match(r"[2-5]\d\d[ -]", line):
                raise AssertionError("not an SMTP reply line: %r" % line)
            lines.append(line[4:])
            if line[3] == " ":
                return Reply(int(line[:3]), lines)

    def replies(self, count):
        return [self.reply() for _ in range(count)]

    def command(self, line):
        self.send((line.encode() if isinstance(line, str) else line) + b"\r\n")
        return self.reply()

    def ehlo(self, name="client.test"):
        reply = self.command("EHLO " + name)
        self.extensions = reply.lines[1:]
        return reply

    def starttls(self):
        reply = self.command("STARTTLS")
        if reply.code == 220:
            self.handshake()
        return reply

    def envelope(self, sender, *recipients):
        replies = [self.command("MAIL FROM:<%s>" % sender)]
        replies += [self.command("RCPT TO:<%s>" % recipient) for recipient in recipients]
        return replies

    def data(self, message):
        """DATA with the dots stuffed; the final reply."""
        reply = self.command("DATA")
        if reply.code != 354:
            return reply
        stuffed = re.sub(rb"(?m)^\.", b"..", message)
        if not stuffed.endswith(b"\r\n"):
            stuffed += b"\r\n"
        self.send(stuffed + b".\r\n")
        return self.reply()

    def deliver(self, sender, recipients, message):
        """A whole mail transaction that must succeed; the text of the last reply."""
        recipients = [recipients] if isinstance(recipients, str) else recipients
        for reply in self.envelope(sender, *recipients):
            if reply.code != 250:
                raise AssertionError("envelope refused: %r" % reply)
        reply = self.data(message)
        if reply.code != 250:
            raise AssertionError("message refused: %r" % reply)
        return reply.text


class Answer:
    """What a tagged command got: status, text, and the untagged responses before it, each with its literals inline."""

    def __init__(self, status, text, untagged):
        self.status = status
        self.text = text
        self.untagged = untagged

    @property
    def ok(self):
        return self.status == "OK"

    @property
    def code(self):
        """The response code, as `APPENDUID 1 2`."""
        match = re.match(r"\[([^\]]*)\]", self.text)
        return match.group(1) if match else None

    def lines(self, pattern):
        """The untagged responses that match."""
        return [line for line in self.untagged if re.search(pattern, line, re.I | re.S)]

    def __repr__(self):
        return "Answer(%s %s, %r)" % (self.status, self.text, self.untagged)


class Imap(Wire):
    """An IMAP client without manners."""

    def __init__(self, port, greet=True, **options):
        super().__init__(port, **options)
        self.count = 0
        if greet:
            self.greeting = self.response()

    def response(self):
        """One whole response line, literals included, as text (Latin-1, so that any octet survives)."""
        whole = b""
        while True:
            whole += self.line()
            literal = re.search(rb"\{(\d+)\}$", whole)
            if not literal:
                return whole.decode("latin-1")
            whole += b"\r\n" + self.octets(int(literal.group(1)))

    def tag(self):
        self.count += 1
        return "t%d" % self.count

    def finish(self, tag):
        """Reads up to the tagged response."""
        untagged = []
        while True:
            response = self.response()
            if response.startswith(tag + " "):
                status, _, text = response[len(tag) + 1:].partition(" ")
                return Answer(status, text, untagged)
            if not response.startswith(("* ", "+ ")) and response != "+":
                raise AssertionError("not a response: %r" % response)
            untagged.append(response)

    def start(self, command):
        tag = self.tag()
        self.send(("%s %s" % (tag, command)).encode("utf-8") + b"\r\n")
        return tag

    def command(self, command):
        return self.finish(self.start(command))

    def must(self, command):
        answer = self.command(command)
        if not answer.ok:
            raise AssertionError("%s: %r" % (command, answer))
        return answer

    def login(self, user, password):
        return self.must('LOGIN "%s" "%s"' % (user, password))

    def append(self, mailbox, message, flags="", literal_plus=False):
        """APPEND; the tagged answer, or the answer to the announcement when it was refused."""
        tag = self.tag()
        plus = "+" if literal_plus else ""
        flags = flags + " " if flags else ""
        self.send(("%s APPEND %s %s{%d%s}\r\n" % (tag, mailbox, flags, len(message), plus)).encode())
        if not literal_plus:
            response = self.response()
            if not response.startswith("+"):
                status, _, text = response[len(tag) + 1:].partition(" ")
                return Answer(status, text, [])
        self.send(message + b"\r\n")
        return self.finish(tag)

    def idle(self):
        """IDLE up to the continuation; ended with `done`."""
        tag = self.start("IDLE")
        while not self.response().startswith("+"):
            pass
        return tag

    def done(self, tag):
        self.send(b"DONE\r\n")
        return self.finish(tag)
