"""Reads the examples of `docs/hosted-behaviour.md` and carries them out, against a real server, by SMTP and IMAP.

The page says at its top what each command of an example means; this is the other side of that promise.
"""

import email
import email.policy
import email.utils
import imaplib
import re
import shlex
import smtplib
import time
import urllib.error
import urllib.parse
import urllib.request
import xml.etree.ElementTree
from pathlib import Path

from harness import PASSWORD, ROOT, folder, message_id, tls_context, until

PAGE = ROOT / "docs/hosted-behaviour.md"
PARTNER = "imap.partner.example"
PEOPLE = ("alice@example.org", "bob@example.org", "carol@example.org")
# Fields that say nothing about behaviour, or that differ each time.
QUIET = {"received", "date", "message-id", "mime-version", "content-transfer-encoding", "dkim-signature", "authentication-results"}


# --- the page ---------------------------------------------------------------------------------------------------------

class Step:
    """One command of an example, with the output that the page shows."""

    def __init__(self, line, command):
        self.line = line
        self.command = command
        self.expected = []


class Section:
    """A heading `### A6 …` with its text and its examples."""

    def __init__(self, row, title, line):
        self.row = row
        self.title = title
        self.line = line
        self.text = []
        self.steps = []

    def tests(self):
        """Names of tests that the section gives: of Rust, and of the suites here as `test_x.py Class.test_name`."""
        text = "\n".join(self.text)
        named = re.findall(r"`([a-z][a-z0-9]*_[a-z0-9_]+)`", text)
        suites = re.findall(r"`(test_\w+\.py) (\w+)\.(test_\w+)`", text)
        return [name for name in named if re.match(r"[avrmi]\d+_", name)], suites


def sections(text):
    """All sections of a page, in order."""
    found, steps, block = [], None, None
    for number, line in enumerate(text.splitlines(), 1):
        heading = re.match(r"### ([AVRMI]\d+)\b *(.*)", line)
        if block is None and heading:
            found.append(Section(heading.group(1), heading.group(2), number))
        elif block is None and re.match(r"#{1,3} ", line):
            steps = None
            found.append(Section(None, line.lstrip("# "), number))
        elif block is None and line.startswith("```"):
            block = line[3:].strip()
            if block == "relais" and found:
                steps = found[-1].steps
        elif block is not None and line.startswith("```"):
            block = None
        elif block == "relais" and found:
            if steps and steps[-1].command.endswith("\\") and not steps[-1].expected:
                steps[-1].command = steps[-1].command[:-1].rstrip() + " " + line.strip()
            elif line.startswith("$ "):
                steps.append(Step(number, line[2:].strip()))
            elif line.startswith("#"):
                continue
            elif steps:
                steps[-1].expected.append(line)
            else:
                raise AssertionError("line %d: an example begins with a command" % number)
        elif found:
            found[-1].text.append(line)
    return [one for one in found if one.row]


def even(line):
    """A line without the width of its gaps."""
    return re.sub(r"\s+", " ", line).strip()


def fits_line(expected, line):
    return re.fullmatch(".*".join(re.escape(part) for part in even(expected).split("...")), even(line)) is not None


def fits(expected, lines):
    """Whether output is what the page shows: `...` alone stands for any lines, inside a line for any characters."""
    if not expected:
        return not lines
    first, rest = expected[0], expected[1:]
    if first.strip() == "...":
        return any(fits(rest, lines[skip:]) for skip in range(len(lines) + 1))
    return bool(lines) and fits_line(first, lines[0]) and fits(rest, lines[1:])


def trimmed(lines):
    """Without empty lines at both ends."""
    lines = [line.rstrip() for line in lines]
    while lines and not lines[0]:
        lines = lines[1:]
    while lines and not lines[-1]:
        lines = lines[:-1]
    return lines


# --- messages ---------------------------------------------------------------------------------------------------------

def parsed(octets):
    return email.message_from_bytes(octets, policy=email.policy.default)


def subject_of(octets):
    return str(parsed(octets)["Subject"] or "(no subject)")


def counted(subjects):
    if not subjects:
        return ["no messages"]
    return ["%d message%s: %s" % (len(subjects), "" if len(subjects) == 1 else "s", ", ".join(subjects))]


def shown(octets):
    """A message as a person would look at it: its fields and its texts."""
    mail = parsed(octets)
    lines = ["%s: %s" % (name, re.sub(r"\s+", " ", str(value))) for name, value in mail.items() if name.lower() not in QUIET]
    for part in mail.walk():
        if part.is_multipart() and part.get_content_type() != "message/delivery-status":
            continue
        lines.append("")
        if mail.is_multipart():
            lines.append("[%s]" % part.get_content_type())
        if part.get_content_maintype() == "text":
            lines += part.get_content().splitlines()
        elif part.get_content_type() == "message/delivery-status":
            for block in part.get_payload():
                lines += ["%s: %s" % field for field in block.items()]
    return trimmed(lines)


class Refused(Exception):
    """IMAP does not let somebody have a look."""


# --- an example -------------------------------------------------------------------------------------------------------

class Example:
    """A server for one section, the world outside, and what the commands of the vocabulary do with them."""

    def __init__(self, relais, remote, partner=None):
        self.relais = relais
        self.remote = remote
        # The mail server of partner.example, in sections that name it.
        self.partner = partner
        self.home = folder("example")
        self.passwords = {}
        self.seen = set()

    def run(self, section):
        """Carries out a section; the first difference is told with its line."""
        for step in section.steps:
            where = "%s, line %d: $ %s" % (section.row, step.line, step.command)
            expected = trimmed(step.expected)
            try:
                got = self.step(step.command, expected)
            except AssertionError as error:
                raise AssertionError("%s\n%s" % (where, error))
            except Exception as error:
                raise AssertionError("%s\n%s: %s" % (where, type(error).__name__, error)) from error
            if got is not None:
                raise AssertionError("%s\nthe page shows:\n    %s\nit said:\n    %s" % (
                    where, "\n    ".join(expected) or "(nothing)", "\n    ".join(got) or "(nothing)"))
        self.settle()
        left = [one for index, one in enumerate(list(self.remote.messages)) if index not in self.seen]
        if left:
            raise AssertionError("%s: the example does not show what else left the server:\n    %s" % (
                section.row, "\n    ".join("%s: %s" % (", ".join(one.recipients), subject_of(one.content)) for one in left)))

    def step(self, command, expected):
        """`None` when the output is the one expected, else what it was."""
        words = shlex.split(command)
        verb, words = words[0], words[1:]
        if verb == "relais":
            return self.command(words, expected)
        does = getattr(self, "do_" + verb, None)
        if does is None:
            raise AssertionError("there is no command %r" % verb)
        if verb not in ("mailbox", "outside", "show", "flags", "folders", "answer", "mark", "move"):
            got = trimmed(does(*words))
            return None if fits(expected, got) else got
        self.settle()
        if verb in ("answer", "mark", "move"):
            got = trimmed(does(*words))
            return None if fits(expected, got) else got
        # What is only looked at is looked at again for a while: one program cannot know what another has begun.
        end = time.monotonic() + 20
        while True:
            before = set(self.seen)
            got = trimmed(does(*words))
            if fits(expected, got):
                return None
            if time.monotonic() > end:
                return got
            self.seen = before
            time.sleep(0.1)

    def settle(self):
        """Everything that was begun has come to its end: no event waits, and nothing is on its way."""
        def look():
            text = self.relais.http("/metrics")[1]
            waiting = re.findall(r"(?m)^relais_(?:\w+_backlog|smtp_out_claimed)(?:\{[^}]*\})? (\S+)$", text)
            written = re.search(r"(?m)^relais_store_transactions_total (\S+)$", text).group(1)
            return written if len(waiting) > 2 and all(float(one) == 0 for one in waiting) else None

        def still():
            before = look()
            # When nothing was written between the two looks, both and the queue were empty at one moment.
            return before is not None and not self.relais.queue() and look() == before
        until(still, 30, "the server to be at rest")

    def command(self, words, expected):
        self.settle()
        if PARTNER in words:
            # Where that server really is, and whom to trust there.
            at = words.index(PARTNER)
            words[at:at + 1] = ["127.0.0.1", "--port", str(self.partner.ports["imaps"]), "--ca-file", str(self.partner.certificate.chain)]
        done = self.relais.run(*words, cwd=self.home)
        got = trimmed((done.stdout + done.stderr).splitlines())
        fails = bool(expected) and expected[0].startswith("relais: ")
        if (done.returncode != 0) != fails:
            return got + ["(exit code %d)" % done.returncode]
        return None if not expected or fits(expected, got) else got

    # -- writing

    def do_echo(self, text, arrow, name):
        assert arrow == ">" and re.fullmatch(r"[\w.-]+", name), "echo 'TEXT' > FILE"
        (self.home / name).write_text(text + "\n")
        return []

    def compose(self, sender, to, subject, rest):
        """The octets; a word `Name: value` is a field, and another one the text."""
        fields = {"From": sender, "To": to.replace(",", ", "), "Subject": subject, "Date": email.utils.formatdate(),
                  "Message-ID": message_id("far.example")}
        body = "A line."
        for word in rest:
            name, colon, value = word.partition(": ")
            if colon and re.fullmatch(r"[A-Z][A-Za-z-]*", name):
                fields[name] = value
            else:
                body = word
        if sender == "<>":
            fields["From"] = "MAILER-DAEMON@far.example"
        mail = email.message.EmailMessage(policy=email.policy.SMTP)
        for name, value in fields.items():
            mail[name] = value
        mail.set_content(body.replace("\\n", "\n"))
        return mail.as_bytes()

    def deliver(self, client, sender, to, octets):
        """What a client hears: the first refusal, or the reply to the whole message."""
        def reply(said):
            return ["%d %s" % (said[0], " ".join(said[1].decode("utf-8", "replace").split()))]
        client.ehlo("mail.far.example")
        answers = [client.mail(sender, ["SIZE=%d" % len(octets)])] + [client.rcpt(one) for one in to.split(",")]
        for said in answers:
            if said[0] // 100 != 2:
                return reply(said)
        said = client.data(octets)
        return ["250"] if said[0] == 250 else reply(said)

    def do_send(self, sender, to, subject, *rest):
        octets = self.compose(sender, to, subject, rest)
        path = "" if sender == "<>" else email.utils.parseaddr(sender)[1]
        with smtplib.SMTP("127.0.0.1", self.at(to).ports["mx"], timeout=30) as client:
            return self.deliver(client, path, to, octets)

    def do_submit(self, login, to, subject, *rest):
        octets = self.compose(login, to, subject, rest)
        path = email.utils.parseaddr(str(parsed(octets)["From"]))[1]
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context()) as client:
            client.login(login, self.password(login))
            return self.deliver(client, path, to, octets)

    def do_answer(self, who, *rest):
        """An answer to the newest message that somebody has, wherever that is."""
        octets = self.newest(who, "INBOX")
        mail = parsed(octets)
        to = email.utils.parseaddr(str(mail["Reply-To"] or mail["From"]))[1]
        subject = str(mail["Subject"])
        subject = subject if subject.lower().startswith("re:") else "Re: " + subject
        fields = ["In-Reply-To: %s" % mail["Message-ID"], "References: %s" % mail["Message-ID"]]
        return (self.do_send if self.is_outside(who) else self.do_submit)(who, to, subject, *fields, *rest)

    # -- looking

    def at(self, address):
        """The server that has this address's mailbox."""
        return self.partner if self.partner is not None and address.endswith("@partner.example") else self.relais

    def is_outside(self, address):
        return address.endswith(".example") and self.at(address) is self.relais

    def password(self, login):
        return self.passwords.get(login, PASSWORD)

    def do_login(self, login, password=None):
        password = password or self.password(login)
        said = []
        try:
            self.at(login).imaplib(login, password).logout()
            said.append("IMAP: let in")
        except imaplib.IMAP4.error:
            said.append("IMAP: refused")
        with smtplib.SMTP_SSL("127.0.0.1", self.relais.ports["submissions"], timeout=30, context=tls_context()) as client:
            try:
                client.login(login, password)
                said.append("submission: let in")
            except smtplib.SMTPAuthenticationError:
                said.append("submission: refused")
        if "IMAP: let in" in said:
            self.passwords[login] = password
        return said

    def do_discover(self, address):
        """What a mail program finds for an address, as Thunderbird looks for it, and whether it is let in with that."""
        query = urllib.parse.urlencode({"emailaddress": address})
        url = "http://127.0.0.1:%d/mail/config-v1.1.xml?%s" % (self.relais.ports["web"], query)
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                found = xml.etree.ElementTree.fromstring(answer.read())
        except urllib.error.HTTPError as error:
            error.close()
            return ["nothing is found (%d)" % error.code]
        said = []
        for server in found.findall("emailProvider/*[@type]"):
            host, port, security, login = (server.find(name).text for name in ("hostname", "port", "socketType", "username"))
            login = login.replace("%EMAILADDRESS%", address).replace("%EMAILLOCALPART%", address.split("@")[0])
            self.log_in(server.get("type"), int(port), security, login)
            said.append("%s at %s, port %s, %s, login %s: let in" % (server.get("type"), host, port, security, login))
        return said

    def log_in(self, protocol, port, security, login):
        """Logs in as a mail program would; the host is this machine, whatever it is called."""
        context, password = tls_context(), self.password(login)
        if protocol == "imap":
            client = imaplib.IMAP4_SSL("127.0.0.1", port, ssl_context=context, timeout=30) if security == "SSL" \
                else imaplib.IMAP4("127.0.0.1", port, timeout=30)
            if security == "STARTTLS":
                client.starttls(context)
            client.login(login, password)
            client.logout()
            return
        client = smtplib.SMTP_SSL("127.0.0.1", port, timeout=30, context=context) if security == "SSL" \
            else smtplib.SMTP("127.0.0.1", port, timeout=30)
        with client:
            if security == "STARTTLS":
                client.starttls(context=context)
            client.login(login, password)

    def imap(self, login):
        return self.at(login).imaplib(login, self.password(login))

    def stored(self, login, mailbox):
        """All messages of a mailbox, as (UID, flags, octets)."""
        client = self.imap(login)
        try:
            status, said = client.select('"%s"' % mailbox, readonly=True)
            if status != "OK":
                raise Refused("NO " + said[0].decode())
            if said[0] == b"0":
                return []
            parts = client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[])")[1]
            found = []
            for part in parts:
                if isinstance(part, tuple):
                    flags = re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).decode().split()
                    found.append((int(re.search(rb"UID (\d+)", part[0]).group(1)), flags, part[1]))
            return found
        finally:
            client.logout()

    def arrived(self, who):
        return [(index, one) for index, one in enumerate(list(self.remote.messages)) if who in one.recipients]

    def newest(self, who, mailbox):
        if self.is_outside(who):
            found = self.arrived(who)
            assert found, "nothing has come for %s" % who
            one = found[-1][1]
            return ("Return-Path: <%s>\r\n" % one.sender).encode() + one.content
        found = self.stored(who, mailbox)
        assert found, "there is no message in %s of %s" % (mailbox, who)
        return found[-1][2]

    def do_mailbox(self, login, mailbox="INBOX"):
        try:
            return counted([subject_of(octets) for _, _, octets in self.stored(login, mailbox)])
        except Refused as refused:
            return [str(refused)]

    def do_outside(self, who):
        """What has come since it was asked last."""
        new = [(index, one) for index, one in self.arrived(who) if index not in self.seen]
        self.seen |= {index for index, _ in new}
        return counted(sorted(subject_of(one.content) for _, one in new))

    def do_show(self, who, mailbox="INBOX"):
        return shown(self.newest(who, mailbox))

    def do_folders(self, login):
        client = self.imap(login)
        try:
            lines = [line.decode() for line in client.list()[1] if line]
        finally:
            client.logout()
        return sorted(re.search(r'"/" "?(.*?)"?$', line).group(1) for line in lines)

    def do_flags(self, login, mailbox="INBOX"):
        """Each message with its flags, in a fixed order."""
        return ["%s: %s" % (subject_of(octets), " ".join(sorted(set(flags) - {"\\Recent"}, key=str.lower)) or "(none)")
                for _, flags, octets in self.stored(login, mailbox)]

    def one(self, login, mailbox, subject):
        uids = [uid for uid, _, octets in self.stored(login, mailbox) if subject_of(octets) == subject]
        assert len(uids) == 1, "%d messages in %s have this subject" % (len(uids), mailbox)
        return str(uids[0])

    def imap_uid(self, login, mailbox, *words):
        client = self.imap(login)
        try:
            # Not `select`, which gives up where only one's own \\Seen may be changed.
            status, said = client._simple_command("SELECT", '"%s"' % mailbox)
            assert status == "OK", said[0].decode()
            client.state = "SELECTED"
            status, said = client.uid(*words)
            return ["ok"] if status == "OK" else ["%s %s" % (status, said[0].decode())]
        finally:
            client.logout()

    def do_mark(self, login, mailbox, subject, *flags):
        return self.imap_uid(login, mailbox, "STORE", self.one(login, mailbox, subject), "+FLAGS", "(%s)" % " ".join(flags))

    def do_move(self, login, mailbox, subject, to):
        return self.imap_uid(login, mailbox, "MOVE", self.one(login, mailbox, subject), '"%s"' % to)

    def do_restart(self):
        self.relais.restart()
        return []
