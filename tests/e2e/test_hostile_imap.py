"""IMAP clients that are wrong, rude or attackers: a clear answer, nothing lost, the connection still usable, others served."""

import random
import re
import time
import unittest

from harness import PASSWORD, ServerCase, message, message_id
from wire import Closed

ALICE, BOB = "alice@example.test", "bob@example.test"
MESSAGE_MAX = 300_000


class Hostile(ServerCase):

    options = dict(settings={"limits": {"message_octets_max": MESSAGE_MAX}})

    def client(self, user=ALICE, service="imaps", **options):
        client = self.relais.imap(user, service, **options)
        self.addCleanup(client.close)
        return client

    def usable(self, client):
        """In step: a command gets its answer and no other."""
        answer = client.command("NOOP")
        self.assertTrue(answer.ok, answer)
        listed = client.must('LIST "" INBOX')
        self.assertEqual(len(listed.lines("LIST")), 1)

    def bad(self, client, octets, statuses=("BAD",)):
        """A line that gets `* BAD`, or a tagged answer."""
        client.send(octets)
        while True:
            response = client.response()
            words = response.split(" ")
            if words[0] != "*" or words[1] in ("BAD", "BYE"):
                self.assertIn(words[1], statuses, "%r: %s" % (octets[:60], response))
                # RFC 5530: what was wrong has a code.
                self.assertRegex(words[2], r"^\[[A-Z]", "%r: %s" % (octets[:60], response))
                return response


class Lines(Hostile):

    def test_over_long_lines(self):
        client = self.client()
        for line in (b"a NOOP " + b"x" * 100_000, b"a SEARCH " + b"ALL " * 50_000, b"a FETCH " + b"1," * 60_000 + b"1 FLAGS", b"y" * 200_000):
            self.bad(client, line + b"\r\n")
        self.usable(client)

    def test_a_line_that_never_ends(self):
        client = self.client()
        before = self.relais.rss()
        try:
            for _ in range(400):
                client.send(b"x" * 65_536)
        except OSError:
            pass
        self.assertLess(self.relais.rss() - before, 16 << 20)
        self.usable(self.client())

    def test_unknown_and_malformed_commands(self):
        client = self.client()
        client.must("SELECT INBOX")
        for line in ("a XYZZY", "a", "a ", "", "*", "* OK", "+ x", "a b c d", "( x", "a SELECT", "a FETCH", "a FETCH 0 FLAGS", "a FETCH x FLAGS",
                     "a FETCH 1 (", "a FETCH 1 NONSENSE", "a FETCH 1 BODY[", "a FETCH 1 BODY[99999999999]", "a FETCH 4294967296 FLAGS",
                     "a STORE 1 FLAGS", "a STORE 1 XFLAGS ()", "a STORE 1 FLAGS (\\Recent x", "a SEARCH", "a SEARCH NONSENSE", "a SEARCH BEFORE 99-Foo-2026",
                     "a SEARCH (ALL", "a UID", "a UID NOOP", "a UID FETCH", "a CREATE", 'a CREATE "x', "a RENAME x", "a STATUS INBOX", "a STATUS INBOX (X)",
                     "a LIST", "a APPEND INBOX", "a APPEND INBOX x", "a LOGIN x", "a ENABLE", "a ID", "a NOOP x", "a COPY 1", "a MOVE x y"):
            self.bad(client, line.encode() + b"\r\n")
            if len(line) % 7 == 0:
                self.usable(client)
        self.usable(client)

    def test_bad_utf8_nul_and_bare_newlines(self):
        client = self.client()
        for line in (b"a SELECT \"\xff\xfe\"", b"a NOOP \0", b"a SELECT \"a\0b\"", b"\xc3\x28 NOOP", b"a CREATE x\x07y"):
            self.bad(client, line + b"\r\n", ("BAD", "NO"))
        client.send(b"a NOOP\nb NOOP\r\n")
        self.assertIn(" BAD [CLIENTBUG] ", client.response())
        self.usable(client)

    def test_out_of_order(self):
        client = self.client(user=None)
        for command in ("SELECT INBOX", 'LIST "" "*"', "FETCH 1 FLAGS", "IDLE", "STATUS INBOX (MESSAGES)", "EXPUNGE", "UID FETCH 1 FLAGS", "ENABLE CONDSTORE"):
            self.assertIn(client.command(command).status, ("BAD", "NO"), command)
        client.login(ALICE, PASSWORD)
        for command in ("FETCH 1 FLAGS", "STORE 1 FLAGS ()", "SEARCH ALL", "EXPUNGE", "CLOSE", "UNSELECT", "CHECK", "COPY 1 INBOX", "UID EXPUNGE 1"):
            self.assertEqual(client.command(command).status, "BAD", command)
        for command in ('LOGIN "%s" "%s"' % (ALICE, PASSWORD), "STARTTLS", "AUTHENTICATE PLAIN"):
            self.assertIn(client.command(command).status, ("BAD", "NO"), command)
        self.usable(client)

    def test_too_many_errors(self):
        # Either the connection ends with a BYE, or it goes on being answered; both are fine, silence is not.
        client = self.client()
        try:
            for _ in range(1_000):
                self.assertIn(client.command("XYZZY").status, ("BAD", "NO"))
        except Closed:
            pass
        self.usable(self.client())

    def test_odd_sequences(self):
        client = self.client(BOB)
        for _ in range(2):
            self.assertTrue(client.append("INBOX", message()).ok)
        client.must("SELECT INBOX")
        self.assertEqual(client.command("FETCH 3 FLAGS").lines("FETCH"), [])
        self.assertEqual(client.must("UID FETCH 3000000000 FLAGS").lines("FETCH"), [])
        self.assertEqual(len(client.must("UID FETCH 4294967295:* FLAGS").lines("FETCH")), 1)
        self.assertEqual(len(client.must("FETCH *:1 FLAGS").lines("FETCH")), 2)
        self.assertEqual(len(client.must("UID FETCH 1:4294967295 FLAGS").lines("FETCH")), 2)
        self.assertEqual(len(client.must("FETCH 1,1,1:2,2:1,* FLAGS").lines("FETCH")), 2)
        self.usable(client)

    def test_deeply_nested_search(self):
        client = self.client()
        client.must("SELECT INBOX")
        for depth in (100, 5_000):
            self.bad(client, b"a SEARCH " + b"(" * depth + b"ALL" + b")" * depth + b"\r\n", ("BAD", "NO"))
            self.bad(client, b"a SEARCH " + b"NOT " * depth + b"ALL\r\n", ("BAD", "NO"))
            self.bad(client, b"a SEARCH " + b"OR ALL " * depth + b"ALL\r\n", ("BAD", "NO"))
        self.usable(client)

    def test_mailbox_names(self):
        client = self.client()
        for name in ('""', '"/"', '"a//b"', '"/a"', '"%s"' % ("x" * 5_000), '"a&b"', '"&AAA-"', '"*"', '"a%"',
                     '"&Jjo!"', "{3+}\r\na\rb", "{3+}\r\na\0b"):
            self.assertIn(client.command("CREATE " + name).status, ("NO", "BAD"), name)
        self.assertEqual(client.command("SELECT \"../../etc/passwd\"").status, "NO")
        self.usable(client)


class Literals(Hostile):

    def test_a_message_over_the_limit_synchronising(self):
        client = self.client()
        answer = client.append("INBOX", b"x" * (MESSAGE_MAX + 1))
        self.assertEqual(answer.status, "NO")
        self.assertRegex(answer.text, r"TOOBIG|LIMIT|too large|larger")
        client.send(b"a APPEND INBOX {4000000000}\r\n")
        self.assertRegex(client.response(), r"^a (NO|BAD) \[")
        self.usable(client)

    def test_a_message_over_the_limit_non_synchronising(self):
        client = self.client()
        answer = client.append("INBOX", b"x\r\n" * (MESSAGE_MAX // 3 + 10), literal_plus=True)
        self.assertEqual(answer.status, "NO")
        self.usable(client)

    def test_a_huge_non_synchronising_literal(self):
        # It may be read to its end, or the connection ends with a BYE; it never becomes commands.
        client = self.client()
        client.send(b"a APPEND INBOX {2000000000+}\r\n")
        before = self.relais.rss()
        said = b""
        try:
            for _ in range(200):
                client.send(b"z DELETE Trash\r\n" * 4096)
        except OSError:
            pass
        try:
            said = client.at_end()
        except OSError:
            pass
        self.assertNotIn(b"z OK", said)
        self.assertLess(self.relais.rss() - before, 24 << 20)
        self.usable(self.client())
        self.assertTrue(self.client().command("SELECT Trash").ok)

    def test_exactly_the_limit(self):
        client = self.client()
        octets = message(body="")
        octets += b"y" * (MESSAGE_MAX - len(octets) - 2) + b"\r\n"
        self.assertEqual(len(octets), MESSAGE_MAX)
        self.assertTrue(client.append("Archive", octets).ok)
        self.assertFalse(client.append("Archive", octets + b"\r\n").ok)
        self.usable(client)

    def test_literals_where_words_belong(self):
        client = self.client(user=None)
        client.send(b"a LOGIN {1000000}\r\n")
        self.assertRegex(client.response(), r"^a (BAD|NO) \[")
        client.send(b"b LOGIN {%d}\r\n" % len(ALICE))
        self.assertTrue(client.response().startswith("+"))
        client.send(ALICE.encode() + b" {%d}\r\n" % len(PASSWORD))
        self.assertTrue(client.response().startswith("+"))
        client.send(PASSWORD.encode() + b"\r\n")
        self.assertTrue(client.finish("b").ok)
        for line in (b"a SELECT {99999999999999999999}", b"a SELECT {-1}", b"a SELECT {x}", b"a NOOP {3", b"a SELECT {300000000}"):
            self.bad(client, line + b"\r\n", ("BAD", "NO"))
        self.usable(client)

    def test_many_literals_in_one_command(self):
        client = self.client()
        client.must("SELECT INBOX")
        before = self.relais.rss()
        try:
            client.send(b"a SEARCH")
            for _ in range(400):
                client.send(b" SUBJECT {50000+}\r\n" + b"s" * 50_000)
            client.send(b"\r\n")
            said = client.response()
            self.assertRegex(said, r"^(a|\*) (BAD|NO|BYE) ")
        except (Closed, OSError):
            pass
        self.assertLess(self.relais.rss() - before, 24 << 20)
        self.usable(self.client())

    def test_append_that_ends_badly(self):
        client = self.client()
        before = len(self.relais.messages(ALICE))
        octets = message()
        client.send(b"a APPEND INBOX {%d}\r\n" % len(octets))
        self.assertTrue(client.response().startswith("+"))
        client.send(octets + b" nonsense\r\n")
        self.assertIn(client.finish("a").status, ("BAD", "NO"))
        self.usable(client)
        self.assertEqual(len(self.relais.messages(ALICE)), before)

    def test_append_with_nul(self):
        client = self.client()
        self.assertIn(client.append("INBOX", message(body="a\0b\r\n")).status, ("BAD", "NO"))
        self.usable(client)

    def test_append_keeps_what_is_not_crlf(self):
        # Bare CR and LF can't come by SMTP, but a client may file them; the octets are kept.
        client = self.client()
        octets = message(subject="bare", mid="<bare@client.test>", body="a\nb\rc\r\n")
        answer = client.append("Archive", octets)
        self.assertTrue(answer.ok, answer)
        self.assertEqual(self.relais.with_id(ALICE, "<bare@client.test>", "Archive"), [octets])


class Attacks(Hostile):

    def test_starttls_injection(self):
        client = self.client(user=None, service="imap")
        client.send(b"a STARTTLS\r\nb CAPABILITY\r\nc LOGIN x y\r\n")
        self.assertTrue(client.response().startswith("a OK"))
        self.assertEqual(client.buffer, b"")
        client.handshake()
        client.send(b"d NOOP\r\n")
        self.assertTrue(client.response().startswith("d OK"))
        client.login(ALICE, PASSWORD)
        self.usable(client)

    def test_a_handshake_that_is_none(self):
        client = self.client(user=None, service="imap")
        client.send(b"a STARTTLS\r\n")
        client.response()
        client.send(b"b NOOP\r\n" * 50)
        self.assertNotIn(b"b OK", client.at_end())
        self.usable(self.client())

    def test_login_without_tls_is_refused(self):
        client = self.client(user=None, service="imap")
        answer = client.command('LOGIN "%s" "%s"' % (ALICE, PASSWORD))
        self.assertEqual(answer.status, "NO")
        self.assertEqual(answer.code, "PRIVACYREQUIRED")
        self.assertIn(client.command("SELECT INBOX").status, ("BAD", "NO"))

    def test_other_peoples_mail(self):
        client = self.client()
        for name in ('"%s"' % BOB, '"Other Users/bob"', '"~bob/INBOX"', '"/bob@example.test/INBOX"', '"user/bob"'):
            self.assertEqual(client.command("SELECT " + name).status, "NO", name)

    def test_random_garbage(self):
        chance = random.Random(3501)
        words = [b"a ", b"FETCH ", b"1:* ", b"(", b")", b"\r\n", b"{5}\r\n", b"{3+}\r\n", b"BODY[", b"]", b"\"", b"SEARCH ", b"NOT ", b"UID ", b"\0", b"\xff", b"SELECT INBOX\r\n",
                 b"IDLE\r\n", b"DONE\r\n", b"APPEND INBOX ", b"~{4}\r\n", b"\\", b"*", b"LOG", b"STORE 1 ", b"x" * 2000]
        for n in range(40):
            client = self.client()
            try:
                client.send(bytes(chance.randrange(256) for _ in range(5_000)) if n % 4 == 0 else b"".join(chance.choice(words) for _ in range(300)))
                client.half_close()
                client.at_end()
            except OSError:
                pass
            client.close()
        self.usable(self.client())

    def test_half_closed(self):
        client = self.client(user=None, service="imap")
        client.send(b"a CAPABILITY\r\nb NOOP\r\nc LOGOUT\r\n")
        client.half_close()
        said = client.at_end().decode()
        for line in ("a OK", "b OK", "c OK"):
            self.assertRegex(said, "(?m)^" + line)

    def test_half_closed_inside_append(self):
        mid = message_id()
        client = self.client()
        octets = message(mid=mid)
        client.send(b"a APPEND INBOX {%d+}\r\n" % len(octets) + octets[:-5])
        client.close()
        self.usable(self.client())
        self.assertEqual(self.relais.with_id(ALICE, mid), [])

    def test_a_client_that_stops_reading(self):
        filler = self.client(BOB)
        octets = message(body="0123456789abcdef" * 4 + "\r\n" + "line of text\r\n" * 18_000)
        for _ in range(20):
            answer = filler.append("Archive", octets)
            self.assertTrue(answer.ok, answer)
        before = self.relais.rss()
        stuck = []
        for _ in range(8):
            client = self.client(BOB, receive_buffer=4096)
            client.must("SELECT Archive")
            for n in range(20):
                client.start("FETCH 1:* (BODY.PEEK[])")
            stuck.append(client)
        started = time.monotonic()
        self.usable(self.client())
        self.usable(self.client(BOB))
        mid = message_id()
        self.relais.send("writer@remote.test", BOB, message(mid=mid))
        self.relais.wait_message(BOB, mid)
        self.assertLess(time.monotonic() - started, 30)
        # 8 clients asked for 40 MB each, twenty times; none of it waits in memory.
        self.assertLess(self.relais.rss() - before, 48 << 20)
        # And who reads at last gets what was asked for.
        first = stuck[0]
        answer = first.finish("t3")
        self.assertTrue(answer.ok)
        self.assertEqual(len(answer.lines("FETCH")), 20)

    def test_idle_ends_with_anything(self):
        client = self.client()
        client.must("SELECT INBOX")
        tag = client.idle()
        client.send(b"NONSENSE\r\n")
        self.assertIn(client.finish(tag).status, ("BAD", "OK", "NO"))
        self.usable(client)

    def test_pipelined_commands_are_answered_in_order(self):
        client = self.client()
        client.send(b"".join(b"p%d NOOP\r\n" % n for n in range(2_000)))
        for n in range(2_000):
            self.assertTrue(client.finish("p%d" % n).ok)
        self.usable(client)

    def test_expunged_by_another_while_fetching(self):
        one, two = self.client("carol@example.test"), self.client("carol@example.test")
        for n in range(5):
            self.assertTrue(one.append("INBOX", message(subject=str(n))).ok)
        one.must("SELECT INBOX")
        two.must("SELECT INBOX")
        two.must(r"STORE 2,4 +FLAGS.SILENT (\Deleted)")
        two.must("EXPUNGE")
        # Sequence numbers of the first session are as they were until it is told.
        answer = one.command("FETCH 1:5 (UID)")
        self.assertEqual(answer.lines("EXPUNGE"), [])
        uids = {re.search(r"\* (\d+) FETCH \(UID (\d+)\)", line).groups() for line in answer.lines("FETCH")}
        self.assertLessEqual({("1", "1"), ("3", "3"), ("5", "5")}, uids)
        self.assertTrue(all(number == uid for number, uid in uids))
        self.usable(one)


if __name__ == "__main__":
    unittest.main()
