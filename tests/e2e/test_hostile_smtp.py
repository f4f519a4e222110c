"""SMTP clients that are wrong, rude or attackers: a clear reply, nothing lost, the connection still usable, others served."""

import base64
import random
import selectors
import socket
import time
import unittest

from harness import PASSWORD, ServerCase, message, message_id, tls_context, until
from wire import Closed, Smtp, Wire

ALICE, BOB = "alice@example.test", "bob@example.test"
WRITER = "writer@remote.test"
MESSAGE_MAX = 300_000


class Hostile(ServerCase):

    options = dict(settings={"limits": {"message_octets_max": MESSAGE_MAX, "recipients_max": 100}})

    def client(self, service="mx", **options):
        client = self.relais.smtp(service, **options)
        self.addCleanup(client.close)
        return client

    def usable(self, client):
        """The connection is in step: one command, one reply, and a message goes through."""
        reply = client.command("NOOP")
        self.assertEqual(reply.code, 250, reply)
        self.assertEqual(client.command("RSET").code, 250)
        mid = message_id()
        client.deliver(WRITER, ALICE, message(mid=mid))
        self.relais.wait_message(ALICE, mid)

    def refused(self, client, octets, *statuses):
        client.send(octets)
        reply = client.reply()
        self.assertIn(reply.status, statuses, "%r: %r" % (octets[:60], reply))
        return reply


class Lines(Hostile):

    def test_over_long_lines(self):
        client = self.client()
        for line in (b"NOOP " + b"x" * 5_000, b"x" * 100_000, b"MAIL FROM:<" + b"a" * 9_000 + b"@remote.test>",
                     b"EHLO " + b"y" * 60_000, b"RCPT TO:<alice@example.test> " + b"X=Y " * 3_000):
            self.refused(client, line + b"\r\n", "500 5.5.2")
        self.usable(client)

    def test_a_line_that_never_ends(self):
        client = self.client()
        before = self.relais.rss()
        try:
            for _ in range(400):
                client.send(b"x" * 65_536)
            client.send(b"\r\n")
            self.assertIn(client.reply().code, (421, 500))
        except (Closed, OSError):
            pass
        self.assertLess(self.relais.rss() - before, 16 << 20)
        self.usable(self.client())

    def test_unknown_commands(self):
        client = self.client()
        for line in (b"HELLO", b"XYZZY now", b"GET / HTTP/1.1", b"MAILFROM:<a@b.test>", b"", b" ", b"\t", b"*", b"DATA2", b"QUITE"):
            self.refused(client, line + b"\r\n", "500 5.5.1", "500 5.5.2", "501 5.5.4")
        for line in (b"TURN", b"EXPN list", b"SEND FROM:<a@b.test>"):
            self.refused(client, line + b"\r\n", "500 5.5.1", "502 5.5.1")
        self.usable(client)

    def test_wrong_arguments(self):
        client = self.client()
        for line in (b"MAIL", b"MAIL FROM", b"MAIL FROM:", b"MAIL TO:<a@b.test>", b"DATA now", b"RSET x", b"BDAT", b"BDAT x", b"BDAT -1 LAST",
                     b"MAIL FROM:<a@b.test> SIZE", b"MAIL FROM:<a@b.test> SIZE=x", b"MAIL FROM:<a@b.test> BODY=7", b"EHLO", b"HELO",
                     b"STARTTLS now"):
            self.refused(client, line + b"\r\n", "501 5.5.4", "501 5.1.7")
        self.refused(client, b"MAIL FROM:<a@b.test> XYZ=1\r\n", "555 5.5.4")
        self.usable(client)

    def test_out_of_order(self):
        client = self.client(ehlo=False)
        self.refused(client, b"MAIL FROM:<a@b.test>\r\n", "503 5.5.1")
        self.refused(client, b"RCPT TO:<alice@example.test>\r\n", "503 5.5.1")
        self.refused(client, b"DATA\r\n", "503 5.5.1")
        client.ehlo()
        self.refused(client, b"RCPT TO:<alice@example.test>\r\n", "503 5.5.1")
        self.refused(client, b"DATA\r\n", "503 5.5.1", "554 5.5.1")
        self.refused(client, b"BDAT 3 LAST\r\nabc", "503 5.5.1", "554 5.5.1")
        self.refused(client, b"MAIL FROM:<a@b.test>\r\n", "250 2.1.0")
        self.refused(client, b"DATA\r\n", "503 5.5.1", "554 5.5.1")
        self.refused(client, b"MAIL FROM:<c@d.test>\r\n", "503 5.5.1")
        self.refused(client, b"AUTH PLAIN AAAA\r\n", "503 5.5.1", "502 5.5.1", "538 5.7.11", "500 5.5.1")
        self.refused(client, b"RCPT TO:<alice@example.test>\r\n", "250 2.1.5")
        self.refused(client, b"BDAT 3\r\nabc", "250 2.0.0", "250 2.5.0", "250")
        self.refused(client, b"DATA\r\n", "503 5.5.1")
        self.usable(client)

    def test_too_many_errors_close(self):
        client = self.client()
        try:
            codes = [client.command("XYZZY").code for _ in range(1_000)]
            self.fail("a thousand errors were answered: %r" % codes[-1])
        except Closed:
            pass
        except OSError:
            pass
        self.usable(self.client())

    def test_bad_utf8_nul_and_controls(self):
        client = self.client()
        for line in (b"MAIL FROM:<\xff\xfe@remote.test> SMTPUTF8", b"NOOP \xc3\x28", b"MAIL FROM:<a\0b@remote.test>", b"NOOP \0",
                     b"NOOP \x1b[2J", b"EHLO \x07"):
            self.refused(client, line + b"\r\n", "500 5.5.2", "501 5.5.4", "501 5.1.7")
        self.usable(client)

    def test_bare_newlines_end_no_command(self):
        client = self.client()
        client.send(b"NOOP\nNOOP\rNOOP\r\n")
        reply = client.reply()
        self.assertEqual(reply.status, "500 5.5.2")
        self.usable(client)

    def test_malformed_addresses(self):
        for path in ("alice", "@example.test", "alice@", "alice@@example.test", "alice example@example.test", "alice@exa mple.test",
                     ".alice@example.test", "alice..b@example.test", "alice@-example.test", "alice@example..test", "\"alice@example.test",
                     "alice@[127.0.0.1", "alice@[999.0.0.1]", "<alice@example.test>", "a" * 65 + "@example.test", "x@" + "a" * 64 + ".test"):
            with self.subTest(path), self.relais.smtp() as client:
                reply = client.command("MAIL FROM:<%s>" % path)
                self.assertTrue(500 <= reply.code < 560, "MAIL: %r" % reply)
                self.assertEqual(client.command("MAIL FROM:<%s>" % WRITER).code, 250)
                reply = client.command("RCPT TO:<%s>" % path)
                self.assertTrue(500 <= reply.code < 560, "RCPT: %r" % reply)
                self.assertEqual(client.command("RCPT TO:<>").code // 100, 5)
                self.assertEqual(client.command("RCPT TO:<%s>" % ALICE).code, 250)
                mid = message_id()
                self.assertEqual(client.data(message(mid=mid)).code, 250)
            self.assertEqual(len(self.relais.with_id(ALICE, mid)), 1)


class Sizes(Hostile):

    def test_size_announced_over_the_limit(self):
        client = self.client()
        self.refused(client, b"MAIL FROM:<a@b.test> SIZE=%d\r\n" % (MESSAGE_MAX + 1), "552 5.3.4")
        self.refused(client, b"MAIL FROM:<a@b.test> SIZE=99999999999999999999\r\n", "552 5.3.4")
        self.usable(client)

    def test_size_is_announced(self):
        self.assertIn("SIZE %d" % MESSAGE_MAX, self.client().extensions)

    def test_actual_size_over_the_limit(self):
        client = self.client()
        client.envelope(WRITER, ALICE)
        mid = message_id()
        reply = client.data(message(mid=mid, body="x" * 76 + "\r\n" + ("y" * 76 + "\r\n") * (MESSAGE_MAX // 78 + 10)))
        self.assertEqual(reply.status, "552 5.3.4")
        self.usable(client)
        self.assertEqual(self.relais.with_id(ALICE, mid), [])

    def test_actual_size_over_the_limit_by_bdat(self):
        client = self.client()
        client.envelope(WRITER, ALICE)
        chunk = b"x" * 76 + b"\r\n"
        chunk *= 1000
        codes = []
        for _ in range(10):
            client.send(b"BDAT %d\r\n%s" % (len(chunk), chunk))
            codes.append(client.reply().status)
        self.assertIn("552 5.3.4", codes)
        self.assertEqual(client.command("BDAT 0 LAST").code // 100, 5)
        self.usable(client)

    def test_exactly_the_limit_is_taken(self):
        client = self.client()
        head = message(body="")
        lines, rest = divmod(MESSAGE_MAX - len(head), 80)
        octets = head + (b"z" * 78 + b"\r\n") * (lines - 1) + b"z" * (78 + rest) + b"\r\n"
        self.assertEqual(len(octets), MESSAGE_MAX)
        client.deliver(WRITER, ALICE, octets)

    def test_too_many_recipients(self):
        client = self.client()
        client.command("MAIL FROM:<%s>" % WRITER)
        for n in range(100):
            self.assertEqual(client.command("RCPT TO:<alice+%d@example.test>" % n).code, 250)
        for n in range(3):
            self.assertEqual(client.command("RCPT TO:<bob+%d@example.test>" % n).status, "452 4.5.3")
        mid = message_id()
        self.assertEqual(client.data(message(mid=mid)).code, 250)
        self.relais.wait_message(ALICE, mid)
        self.assertEqual(len(self.relais.with_id(ALICE, mid)), 1)
        self.assertEqual(self.relais.with_id(BOB, mid), [])
        self.usable(client)

    def test_a_far_too_large_message_costs_no_memory(self):
        client = self.client()
        before = self.relais.rss()
        client.envelope(WRITER, ALICE)
        client.command("DATA")
        line = (b"w" * 998 + b"\r\n") * 65
        try:
            for _ in range(800):
                client.send(line)
            client.send(b".\r\n")
            self.assertEqual(client.reply().status, "552 5.3.4")
        except (Closed, OSError):
            self.fail("52 MB were not read to their end")
        self.assertLess(self.relais.rss() - before, 24 << 20)
        self.usable(client)


class Quota(ServerCase):
    """A mailbox that is full."""

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        server.add_account("small@example.test", quota="20K")
        server.add_alias("several@example.test", "small@example.test", BOB)

    def test_a_full_mailbox(self):
        body = ("x" * 70 + "\r\n") * 100
        with self.relais.smtp() as client:
            for _ in range(10):
                replies = client.envelope(WRITER, "small@example.test")
                reply = next((reply for reply in replies if reply.code != 250), None) or client.data(message(to="small@example.test", body=body))
                if reply.code != 250:
                    break
                self.assertEqual(reply.code, 250)
            self.assertIn(reply.status, ("452 4.2.2", "552 5.2.2", "552 5.7.1"))
            self.assertEqual(client.command("NOOP").code, 250)
        self.assertIn(len(self.relais.messages("small@example.test")), (2, 3))
        with self.relais.imap("small@example.test") as client:
            answer = client.append("INBOX", message(body=body))
            self.assertEqual((answer.status, answer.code), ("NO", "OVERQUOTA"))
            client.must("SELECT INBOX")
            client.must(r"STORE 1:* +FLAGS (\Deleted)")
            client.must("EXPUNGE")
            self.assertTrue(client.append("INBOX", message(body=body)).ok)


class Smuggling(Hostile):
    """No line end but CRLF ends a message (RFC 5321 §4.1.1.4)."""

    ENDS = [b"\n.\n", b"\r\n.\n", b"\n.\r\n", b"\r.\r", b"\r.\r\n", b"\r\n.\r", b"\n.\r", b"\r.\n", b"\r\n.\r\r\n",
            b"\n\n.\r\n", b"\r\n\x00.\r\n", b"\r\n.\x00\r\n", b"\x85.\x85"]

    def test_no_other_end_of_data(self):
        for end in self.ENDS:
            for where in ("middle", "start"):
                with self.subTest(end=end, where=where):
                    with self.relais.smtp() as client:
                        client.envelope(WRITER, ALICE)
                        self.assertEqual(client.command("DATA").code, 354)
                        mid, smuggled = message_id(), message_id()
                        head = message(mid=mid)[:-2] if where == "middle" else b""
                        if where == "start" and end.startswith(b"\r\n."):
                            continue
                        client.send(head + end + b"MAIL FROM:<evil@remote.test>\r\nRCPT TO:<%s>\r\nDATA\r\n" % BOB.encode()
                                    + message(to=BOB, mid=smuggled) + b"\r\n.\r\n")
                        reply = client.reply()
                        if end == b"\x85.\x85":
                            # Only octets: the message is one, and it is taken.
                            self.assertEqual(reply.code, 250, reply)
                        else:
                            self.assertIn(reply.status, ("550 5.6.11", "550 5.6.0"))
                        self.assertEqual(client.command("NOOP").code, 250)
                        client.send(b"QUIT\r\n")
                        rest = client.at_end()
                        self.assertEqual(rest.count(b"\r\n"), 1, rest)
                    self.assertEqual(self.relais.with_id(BOB, smuggled), [])

    def test_bare_newlines_in_data(self):
        client = self.client()
        for body in ("a\nb\r\n", "a\rb\r\n", "a\r\r\nb\r\n", "\n\r\n"):
            client.envelope(WRITER, ALICE)
            self.assertEqual(client.data(message(body=body)).status, "550 5.6.11", repr(body))
        self.usable(client)

    def test_bare_newlines_in_bdat(self):
        client = self.client()
        client.envelope(WRITER, ALICE)
        octets = message(body="a\nb\r\n")
        client.send(b"BDAT %d LAST\r\n%s" % (len(octets), octets))
        self.assertEqual(client.reply().status, "550 5.6.11")
        self.usable(client)

    def test_nul_in_data(self):
        client = self.client()
        client.envelope(WRITER, ALICE)
        self.assertEqual(client.data(message(body="a\0b\r\n")).status, "550 5.6.0")
        self.usable(client)

    def test_commands_hidden_in_addresses(self):
        client = self.client()
        client.send(b"MAIL FROM:<a@b.test>\nRCPT TO:<bob@example.test>\r\n")
        self.assertEqual(client.reply().code // 100, 5)
        self.usable(client)


class Pipelining(Hostile):

    def test_a_whole_session_at_once(self):
        mids = [message_id() for _ in range(10)]
        with self.relais.smtp(ehlo=False) as client:
            text = b"EHLO client.test\r\n"
            for mid in mids:
                text += b"MAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nRCPT TO:<nobody@example.test>\r\nDATA\r\n" % (WRITER.encode(), ALICE.encode())
                text += message(mid=mid) + b".\r\n"
            client.send(text + b"QUIT\r\n")
            codes = [client.reply().code for _ in range(2 + 5 * len(mids))]
            self.assertEqual(codes, [250] + [250, 250, 550, 354, 250] * len(mids) + [221])
            self.assertEqual(client.at_end(), b"")
        for mid in mids:
            self.relais.wait_message(ALICE, mid)

    def test_octet_by_octet(self):
        mid = message_id()
        with self.relais.smtp(ehlo=False) as client:
            for octet in (b"EHLO c.test\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (WRITER.encode(), ALICE.encode())
                          + message(mid=mid) + b".\r\nQUIT\r\n"):
                client.send(bytes([octet]))
            self.assertEqual([client.reply().code for _ in range(6)], [250, 250, 250, 354, 250, 221])
        self.relais.wait_message(ALICE, mid)

    def test_data_refused_when_pipelined(self):
        # All recipients are refused, so DATA is; what would have been the message is read as commands and does no harm.
        client = self.client()
        client.send(b"MAIL FROM:<a@b.test>\r\nRCPT TO:<nobody@example.test>\r\nDATA\r\nSubject: x\r\n\r\n.\r\n")
        codes = [client.reply().code for _ in range(3)]
        self.assertEqual(codes[:2], [250, 550])
        self.assertIn(codes[2], (503, 554))
        for _ in range(3):
            self.assertIn(client.reply().code, (500, 501))
        self.usable(client)

    def test_starttls_injection(self):
        for service in ("mx", "submission"):
            with self.subTest(service):
                client = self.client(service)
                client.send(b"STARTTLS\r\nNOOP\r\nMAIL FROM:<evil@remote.test>\r\nEHLO evil.test\r\n")
                self.assertEqual(client.reply().code, 220)
                self.assertEqual(client.buffer, b"")
                client.handshake()
                client.send(b"HELP\r\n")
                reply = client.reply()
                self.assertNotIn("evil", reply.text)
                self.assertNotIn("2.1.0", reply.text)
                # Nothing of before the handshake counts: EHLO has to come again.
                self.assertEqual(client.command("MAIL FROM:<a@b.test>").code // 100, 5)
                self.assertEqual(client.ehlo().code, 250)
                self.assertEqual(client.buffer, b"")

    def test_a_handshake_that_is_none(self):
        client = self.client()
        self.assertEqual(client.command("STARTTLS").code, 220)
        client.send(b"EHLO client.test\r\n" * 10)
        self.assertNotIn(b"250", client.at_end())
        other = Wire(self.relais.ports["submissions"])
        self.addCleanup(other.close)
        other.send(b"EHLO client.test\r\nMAIL FROM:<a@b.test>\r\n")
        self.assertNotIn(b"250", other.at_end())
        self.usable(self.client())

    def test_random_garbage(self):
        chance = random.Random(5321)
        words = [b"MAIL FROM:<", b"RCPT TO:<", b"DATA\r\n", b"\r\n", b"\n", b"\r", b".\r\n", b"BDAT 5\r\n", b"BDAT 0 LAST\r\n", b"EHLO x\r\n", b"HELO ", b">",
                 b"a@b.test", ALICE.encode(), b"\0", b"\xff", b"RSET\r\n", b"STARTTLS", b"AUTH PLAIN ", b" SIZE=", b"x" * 3000]
        for n in range(60):
            with self.relais.smtp(greet=False) as client:
                try:
                    if n % 2:
                        client.send(chance.randbytes(20_000) if hasattr(chance, "randbytes") else bytes(chance.randrange(256) for _ in range(20_000)))
                    else:
                        client.send(b"".join(chance.choice(words) for _ in range(300)))
                    client.half_close()
                    client.at_end()
                except OSError:
                    pass
        self.usable(self.client())


class Endings(Hostile):

    def test_half_closed_after_a_whole_message(self):
        mid = message_id()
        client = self.client(ehlo=False)
        client.send(b"EHLO c.test\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (WRITER.encode(), ALICE.encode()) + message(mid=mid) + b".\r\n")
        client.half_close()
        self.assertEqual([client.reply().code for _ in range(5)], [250, 250, 250, 354, 250])
        self.relais.wait_message(ALICE, mid)
        self.assertEqual(len(self.relais.with_id(ALICE, mid)), 1)
        client.at_end()

    def test_half_closed_inside_a_message(self):
        mid = message_id()
        client = self.client()
        client.envelope(WRITER, ALICE)
        client.command("DATA")
        client.send(message(mid=mid))
        client.half_close()
        self.assertNotIn(b"250", client.at_end())
        self.usable(self.client())
        self.assertEqual(self.relais.with_id(ALICE, mid), [])

    def test_cut_at_every_place(self):
        # A connection that ends anywhere before the last LF leaves nothing behind.
        mids = []
        text = b"EHLO c.test\r\nMAIL FROM:<%s>\r\nRCPT TO:<%s>\r\nDATA\r\n" % (WRITER.encode(), ALICE.encode())
        body = b"Message-ID: %s\r\n\r\nx\r\n.\r\n"
        for cut in range(1, 12):
            mids.append(message_id())
            whole = text + body % mids[-1].encode()
            with self.relais.smtp(greet=False) as client:
                client.send(whole[:-cut])
                client.half_close()
                client.at_end()
        self.usable(self.client())
        for mid in mids:
            self.assertEqual(self.relais.with_id(ALICE, mid), [])

    def test_quit_ends_and_resets_leave_nothing(self):
        client = self.client()
        client.envelope(WRITER, ALICE)
        self.assertEqual(client.command("QUIT").code, 221)
        self.assertEqual(client.at_end(), b"")


class Slow(Hostile):

    def test_clients_that_stop_reading(self):
        """They ask and ask, and read nothing: others are served, and memory stays bounded."""
        before = self.relais.rss()
        flood = b"EHLO client.test\r\nHELP\r\nNOOP\r\n" * 2000
        rude = []
        for _ in range(20):
            client = self.client(greet=False, receive_buffer=4096)
            client.sock.setblocking(False)
            rude.append(client)
        end = time.monotonic() + 2
        stuck = set()
        with selectors.DefaultSelector() as selector:
            for client in rude:
                selector.register(client.sock, selectors.EVENT_WRITE, client)
            while time.monotonic() < end and len(stuck) < len(rude):
                ready = selector.select(0.3)
                if not ready:
                    break
                for key, _ in ready:
                    try:
                        key.data.sock.send(flood)
                    except (BlockingIOError, OSError):
                        stuck.add(key.data)
                        selector.unregister(key.fileobj)
        self.usable(self.client())
        self.assertLess(self.relais.rss() - before, 20 << 20)

    def test_slowloris(self):
        # Many connections that send a piece of a line and stop: others are served.
        slow = [self.client(greet=False) for _ in range(30)]
        for n, client in enumerate(slow):
            client.send((b"EHLO x\r\nMAIL FROM:<a@b.test>\r\nRCPT TO:<alice@example.test>\r\nDATA\r\nSubject: sl" if n % 2 else b"EHL"))
        started = time.monotonic()
        self.usable(self.client())
        self.assertLess(time.monotonic() - started, 30)


class Connections(ServerCase):
    """Thousands of connections from one address are bounded; another address is served meanwhile."""

    LIMIT = 20
    options = dict(settings={"limits": {"smtp_connections_per_address_max": LIMIT, "imap_connections_per_address_max": LIMIT}})

    def flood(self, service, count):
        """Opens connections and keeps them; the first lines that came, None where the server closed without any."""
        sockets = []
        self.addCleanup(lambda: [sock.close() for sock in sockets])
        selector = selectors.DefaultSelector()
        self.addCleanup(selector.close)
        lines = {}
        for n in range(count):
            sock = socket.create_connection(("127.0.0.1", self.relais.ports[service]), 10)
            sock.setblocking(False)
            sockets.append(sock)
            selector.register(sock, selectors.EVENT_READ)

        def read():
            for key, _ in selector.select(0.2):
                try:
                    octets = key.fileobj.recv(4096)
                except OSError:
                    octets = b""
                lines[key.fileobj] = octets or None
                selector.unregister(key.fileobj)
            return len(lines) == count
        until(read, 30, "%d connections to be greeted or refused" % count)
        return sockets, [lines[sock] for sock in sockets]

    def test_smtp(self):
        before = self.relais.rss()
        sockets, lines = self.flood("mx", 2000)
        greeted = [line for line in lines if line and line.startswith(b"220")]
        self.assertEqual(len(greeted), self.LIMIT)
        self.assertEqual({line[:3] for line in lines if line and not line.startswith(b"220")} - {b"421"}, set())
        self.assertLess(self.relais.rss() - before, 64 << 20)
        # From another address, all is well.
        sock = socket.create_connection(("127.0.0.1", self.relais.ports["mx"]), 10, ("127.0.0.7", 0))
        with sock:
            self.assertTrue(sock.recv(100).startswith(b"220"))
        for sock in sockets:
            sock.close()
        # Places become free again.
        def served():
            try:
                with Smtp(self.relais.ports["mx"]) as client:
                    return client.command("NOOP").code == 250
            except (Closed, AssertionError, OSError):
                return False
        until(served, what="a place after the flood")

    def test_imap(self):
        sockets, lines = self.flood("imap", 500)
        greeted = [line for line in lines if line and line.startswith(b"* OK")]
        self.assertEqual(len(greeted), self.LIMIT)
        self.assertEqual({line[:5] for line in lines if line and not line.startswith(b"* OK")} - {b"* BYE"}, set())
        for sock in sockets:
            sock.close()
        def served():
            try:
                with self.relais.imap(ALICE):
                    return True
            except (Closed, AssertionError, OSError):
                return False
        until(served, what="a place after the flood")


class Networks(ServerCase):
    """Many addresses of one network are bounded together; another network is served meanwhile."""

    options = dict(settings={"limits": {"smtp_connections_per_address_max": 2, "smtp_connections_per_network_max": [3, 4],
                                        "imap_connections_per_address_max": 2, "imap_connections_per_network_max": [3, 4]}})

    def greeting(self, service, source):
        sock = socket.create_connection(("127.0.0.1", self.relais.ports[service]), 30, (source, 0))
        self.addCleanup(sock.close)
        return sock.recv(200)

    def check(self, service, welcome, refused):
        # Three of an address, four of its /26, five of its /21, and one from elsewhere.
        for source, begin in (("127.0.8.1", welcome), ("127.0.8.1", welcome), ("127.0.8.1", refused), ("127.0.8.2", welcome),
                              ("127.0.8.3", refused), ("127.0.9.1", welcome), ("127.0.10.1", refused), ("127.0.16.1", welcome)):
            line = self.greeting(service, source)
            self.assertTrue(line.startswith(begin), (source, line))

    def test_smtp(self):
        self.check("mx", b"220 ", b"421 4.7.0 Too many connections")

    def test_imap(self):
        self.check("imap", b"* OK", b"* BYE [UNAVAILABLE] Too many connections")


class Guessing(ServerCase):
    """Passwords can't be tried for ever."""

    options = dict(settings={"security": {"failed_logins_per_address_max": 5, "failed_login_forgotten_secs": 3600}})

    def test_failed_logins_lock_the_address_out(self):
        for n in range(5):
            # A new connection for each does not help.
            with self.relais.smtp("submissions") as client:
                initial = base64.b64encode(("\0%s\0wrong %d" % (ALICE, n)).encode()).decode()
                self.assertEqual(client.command("AUTH PLAIN " + initial).status, "535 5.7.8")
        with self.relais.imap() as client:
            answer = client.command('LOGIN "%s" "%s"' % (ALICE, PASSWORD))
            self.assertEqual(answer.status, "NO", "the right password was taken after too many wrong ones")
        with self.relais.smtp("submissions") as client:
            initial = base64.b64encode(("\0%s\0%s" % (ALICE, PASSWORD)).encode()).decode()
            self.assertIn(client.command("AUTH PLAIN " + initial).code, (421, 454, 535))
        # From another address it works.
        sock = socket.create_connection(("127.0.0.1", self.relais.ports["imaps"]), 10, ("127.0.0.8", 0))
        with tls_context().wrap_socket(sock, server_hostname="localhost") as tls:
            tls.sendall(('a LOGIN "%s" "%s"\r\n' % (ALICE, PASSWORD)).encode())
            said = b""
            while b"\r\na " not in said and not said.startswith(b"a "):
                octets = tls.recv(4096)
                if not octets:
                    break
                said += octets
            self.assertRegex(said, rb"(?m)^a OK")


if __name__ == "__main__":
    unittest.main()
