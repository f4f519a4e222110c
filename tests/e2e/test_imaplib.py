"""Python's imaplib: every command that it has, on a server that mail comes in to."""

import base64
import imaplib
import re
import unittest

from harness import PASSWORD, ServerCase, id_of, message, message_id, tls_context, until

ALICE = "alice@example.test"


def hang_up(client):
    try:
        client.shutdown()
    except OSError:
        pass  # LOGOUT has closed it already.


class Imaplib(ServerCase):

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        # An account for each test, so that they do not meet.
        cls.users = ["user%02d@example.test" % n for n in range(40)]
        server.add_accounts(*cls.users)

    def setUp(self):
        self.user = type(self).users.pop()
        self.client = self.relais.imaplib(self.user)
        self.addCleanup(hang_up, self.client)

    def ok(self, answer):
        status, data = answer
        self.assertEqual(status, "OK", data)
        return data

    def fill(self, count=3, mailbox="INBOX"):
        """Appends messages; their octets in order."""
        added = []
        for n in range(count):
            octets = message(to=self.user, subject="number %d" % n, body="Body %d.\r\n" % n)
            self.ok(self.client.append(mailbox, None, '"01-Jul-2026 12:00:0%d +0200"' % (n % 10), octets))
            added.append(octets)
        return added

    def names(self):
        names = set()
        for line in self.ok(self.client.list()):
            names.add(re.match(rb'\([^)]*\) "/" "?([^"]*)"?$', line).group(1).decode())
        return names

    # -- before login

    def anonymous(self, service="imaps"):
        if service == "imaps":
            client = imaplib.IMAP4_SSL("127.0.0.1", self.relais.ports["imaps"], ssl_context=tls_context(), timeout=30)
        else:
            client = imaplib.IMAP4("127.0.0.1", self.relais.ports["imap"], timeout=30)
        self.addCleanup(hang_up, client)
        return client

    def test_capabilities(self):
        capabilities = set(self.ok(self.client.capability())[0].decode().split())
        for name in ("IMAP4rev1", "IDLE", "UIDPLUS", "MOVE", "NAMESPACE", "SPECIAL-USE", "ID", "ENABLE", "LITERAL+", "SASL-IR",
                     "UNSELECT", "CHILDREN", "ESEARCH", "CONDSTORE"):
            self.assertIn(name, capabilities)

    def test_starttls(self):
        client = self.anonymous("imap")
        self.assertIn("STARTTLS", client.capabilities)
        self.assertIn("LOGINDISABLED", client.capabilities)
        with self.assertRaises(imaplib.IMAP4.error):
            client.login(self.user, PASSWORD)
        self.ok(client.starttls(ssl_context=tls_context()))
        self.assertNotIn("STARTTLS", client.capabilities)
        self.assertNotIn("LOGINDISABLED", client.capabilities)
        self.ok(client.login(self.user, PASSWORD))
        self.ok(client.select())

    def test_authenticate_plain(self):
        client = self.anonymous()
        self.ok(client.authenticate("PLAIN", lambda _: ("\0%s\0%s" % (self.user, PASSWORD)).encode()))
        self.ok(client.select())

    def test_authenticate_with_an_initial_response(self):
        with self.relais.imap() as client:
            initial = base64.b64encode(("\0%s\0%s" % (self.user, PASSWORD)).encode()).decode()
            client.must("AUTHENTICATE PLAIN " + initial)
            client.must("SELECT INBOX")

    def test_a_wrong_password(self):
        client = self.anonymous()
        for user, password in ((self.user, "wrong"), ("nobody@example.test", PASSWORD)):
            with self.assertRaisesRegex(imaplib.IMAP4.error, "AUTHENTICATIONFAILED"):
                client.login(user, password)
        self.ok(client.login(self.user, PASSWORD))

    # -- mailboxes

    def test_the_first_mailboxes(self):
        lines = [line.decode() for line in self.ok(self.client.list())]
        for use, name in (("Sent", "Sent"), ("Drafts", "Drafts"), ("Trash", "Trash"), ("Junk", "Junk")):
            self.assertTrue(any(re.search(r'\\%s\b.*"/" "?%s"?$' % (use, name), line) for line in lines), lines)
        self.assertIn("INBOX", self.names())

    def test_create_rename_delete(self):
        self.ok(self.client.create("Projects/2026/July"))
        self.assertLessEqual({"Projects", "Projects/2026", "Projects/2026/July"}, self.names())
        self.fill(2, "Projects/2026/July")
        self.ok(self.client.rename("Projects/2026", "Archive-2026"))
        names = self.names()
        self.assertLessEqual({"Archive-2026", "Archive-2026/July"}, names)
        self.assertNotIn("Projects/2026/July", names)
        self.assertEqual(self.ok(self.client.select("Archive-2026/July")), [b"2"])
        self.ok(self.client.close())
        self.ok(self.client.delete("Archive-2026/July"))
        self.assertNotIn("Archive-2026/July", self.names())
        self.assertEqual(self.client.select("Archive-2026/July")[0], "NO")
        self.assertEqual(self.client.delete("no such mailbox".replace(" ", "-"))[0], "NO")
        self.assertEqual(self.client.delete("INBOX")[0], "NO")
        self.assertEqual(self.client.create("INBOX")[0], "NO")
        self.assertEqual(self.client.create("Archive-2026")[0], "NO")

    def test_a_name_used_anew_has_another_uidvalidity(self):
        def validity(name):
            return self.ok(self.client.status(name, "(UIDVALIDITY)"))[0]
        self.ok(self.client.create("Again"))
        first = validity("Again")
        self.ok(self.client.delete("Again"))
        self.ok(self.client.create("Again"))
        self.assertNotEqual(validity("Again"), first)

    def test_rename_of_inbox_moves_its_messages(self):
        # RFC 3501 §6.3.5.
        self.fill(2)
        self.ok(self.client.rename("INBOX", "Old"))
        self.assertEqual(self.ok(self.client.select("INBOX")), [b"0"])
        self.assertEqual(self.ok(self.client.select("Old")), [b"2"])

    def test_names_beyond_ascii(self):
        name = "Entw&APw-rfe"
        self.ok(self.client.create('"%s/Caf&AOk-"' % name))
        self.assertLessEqual({name, name + "/Caf&AOk-"}, self.names())
        self.ok(self.client.select('"%s/Caf&AOk-"' % name))

    def test_subscriptions(self):
        self.ok(self.client.create("News"))
        self.ok(self.client.subscribe("News"))
        subscribed = [line for line in self.ok(self.client.lsub()) if line]
        self.assertTrue(any(b"News" in line for line in subscribed), subscribed)
        self.ok(self.client.unsubscribe("News"))
        subscribed = [line for line in self.ok(self.client.lsub()) if line]
        self.assertFalse(any(b"News" in line for line in subscribed), subscribed)

    def test_list_patterns(self):
        for name in ("a", "a/b", "a/b/c"):
            self.ok(self.client.create(name))
        def listed(reference, pattern):
            found = [line for line in self.ok(self.client.list('"%s"' % reference, pattern)) if line]
            return sorted(re.search(rb'"/" "?([^"]*)"?$', line).group(1).decode() for line in found)
        self.assertEqual(listed("", "a/%"), ["a/b"])
        self.assertEqual(listed("", "a/*"), ["a/b", "a/b/c"])
        self.assertEqual(listed("a/", "%"), ["a/b"])
        self.assertEqual(listed("", "inbox"), ["INBOX"])
        self.assertEqual(self.ok(self.client.list('""', '""'))[0].split(b")")[1].split()[0], b'"/"')

    def test_namespace(self):
        self.assertRegex(self.ok(self.client.namespace())[0], rb'^\(\("" "/"\)\) \(\("Other Users/" "/"\)\) \(\("Shared/" "/"\)\)')

    def test_status(self):
        self.fill(3)
        self.ok(self.client.select())
        self.ok(self.client.store("1", "+FLAGS", r"(\Seen)"))
        self.ok(self.client.close())
        said = self.ok(self.client.status("INBOX", "(MESSAGES UNSEEN UIDNEXT UIDVALIDITY RECENT HIGHESTMODSEQ)"))[0].decode()
        values = dict(re.findall(r"([A-Z]+) (\d+)", said))
        self.assertEqual((values["MESSAGES"], values["UNSEEN"], values["UIDNEXT"]), ("3", "2", "4"))
        self.assertGreater(int(values["HIGHESTMODSEQ"]), 1)

    def test_examine_changes_nothing(self):
        self.fill(1)
        self.ok(self.client.select("INBOX", readonly=True))
        self.assertEqual(self.client.store("1", "+FLAGS", r"(\Seen)")[0], "NO")
        self.ok(self.client.fetch("1", "(BODY[])"))
        self.assertNotIn(rb"\Seen", self.ok(self.client.fetch("1", "(FLAGS)"))[0])

    # -- messages

    def test_append_and_fetch_whole(self):
        added = self.fill(3)
        self.assertEqual(self.ok(self.client.select()), [b"3"])
        for number, octets in enumerate(added, 1):
            data = self.ok(self.client.fetch(str(number), "(RFC822.SIZE INTERNALDATE FLAGS UID BODY.PEEK[])"))
            self.assertEqual(data[0][1], octets)
            facts = (data[0][0] + data[1]).decode()
            self.assertIn("RFC822.SIZE %d" % len(octets), facts)
            self.assertIn("UID %d" % number, facts)
            moment = re.search(r'INTERNALDATE "([^"]*)"', facts).group(1)
            self.assertEqual(imaplib.Internaldate2tuple(b'INTERNALDATE "%s"' % moment.encode())[:6],
                             imaplib.Internaldate2tuple(b'INTERNALDATE "01-Jul-2026 12:00:0%d +0200"' % (number - 1))[:6])

    def test_append_says_where(self):
        status, data = self.client.append("INBOX", r"(\Seen \Flagged $label)", None, message())
        self.assertRegex(data[0], rb"\[APPENDUID \d+ 1\]")
        self.ok(self.client.select())
        flags = self.ok(self.client.fetch("1", "(FLAGS)"))[0]
        for flag in (rb"\Seen", rb"\Flagged", rb"$label"):
            self.assertIn(flag, flags)

    def test_append_to_nowhere(self):
        status, data = self.client.append("Nowhere", None, None, message())
        self.assertEqual(status, "NO")
        self.assertIn(b"[TRYCREATE]", data[0])

    def test_fetch_items(self):
        octets = (b"From: Alice Martin <alice@example.test>\r\nTo: bob@example.test, \"Carol, C.\" <carol@example.test>\r\n"
                  b"Cc: dave@example.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\nDate: Wed, 1 Jul 2026 10:00:00 +0200\r\n"
                  b"Message-ID: <parts@client.test>\r\nIn-Reply-To: <before@client.test>\r\nMIME-Version: 1.0\r\n"
                  b"Content-Type: multipart/mixed; boundary=\"b\"\r\n\r\npreamble\r\n--b\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n"
                  b"one\r\n--b\r\nContent-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n<p>two</p>\r\n--b--\r\n")
        self.ok(self.client.append("INBOX", None, None, octets))
        self.ok(self.client.select())

        def fetch(items):
            data = self.ok(self.client.fetch("1", items))
            text = b""
            for part in data:
                text += part if isinstance(part, bytes) else b"\r\n".join(part)
            return text.decode()

        envelope = fetch("(ENVELOPE)")
        self.assertIn('ENVELOPE ("Wed, 1 Jul 2026 10:00:00 +0200" "=?utf-8?q?Gr=C3=BC=C3=9Fe?=" '
                      '(("Alice Martin" NIL "alice" "example.test")) (("Alice Martin" NIL "alice" "example.test")) '
                      '(("Alice Martin" NIL "alice" "example.test")) '
                      '((NIL NIL "bob" "example.test")("Carol, C." NIL "carol" "example.test")) '
                      '((NIL NIL "dave" "example.test")) NIL "<before@client.test>" "<parts@client.test>")', envelope)
        body = fetch("(BODY)")
        self.assertRegex(body, r'(?i)BODY \(\("text" "plain" \("charset" "utf-8"\) NIL NIL "7bit" 3 0\)'
                               r'\("text" "html" (NIL|\("charset" "us-ascii"\)) NIL NIL "quoted-printable" 10 0\) "mixed"\)')
        structure = fetch("(BODYSTRUCTURE)")
        self.assertRegex(structure, r'(?i)"mixed" \("boundary" "b"\)')
        self.assertEqual(self.ok(self.client.fetch("1", "(BODY.PEEK[1])"))[0][1], b"one")
        self.assertEqual(self.ok(self.client.fetch("1", "(BODY.PEEK[2])"))[0][1], b"<p>two</p>")
        self.assertEqual(self.ok(self.client.fetch("1", "(BODY.PEEK[2.MIME])"))[0][1],
                         b"Content-Type: text/html\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n")
        head, rest = octets.split(b"\r\n\r\n", 1)
        self.assertEqual(self.ok(self.client.fetch("1", "(BODY.PEEK[HEADER])"))[0][1], head + b"\r\n\r\n")
        self.assertEqual(self.ok(self.client.fetch("1", "(RFC822.HEADER)"))[0][1], head + b"\r\n\r\n")
        self.assertEqual(self.ok(self.client.fetch("1", "(BODY.PEEK[TEXT])"))[0][1], rest)
        self.assertEqual(self.ok(self.client.fetch("1", "(BODY.PEEK[HEADER.FIELDS (SUBJECT CC)])"))[0][1],
                         b"Cc: dave@example.test\r\nSubject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\r\n\r\n")
        without = self.ok(self.client.fetch("1", "(BODY.PEEK[HEADER.FIELDS.NOT (SUBJECT CC)])"))[0][1]
        self.assertNotIn(b"Subject:", without)
        self.assertIn(b"Message-ID:", without)
        self.assertEqual(self.ok(self.client.fetch("1", "(BODY.PEEK[]<10.20>)"))[0][1], octets[10:30])
        self.assertNotIn(rb"\Seen", self.ok(self.client.fetch("1", "(FLAGS)"))[0])
        self.assertEqual(self.ok(self.client.fetch("1", "(RFC822.TEXT)"))[0][1], rest)
        self.assertIn(rb"\Seen", self.ok(self.client.fetch("1", "(FLAGS)"))[0])
        for macro in ("ALL", "FAST", "FULL"):
            self.assertIn("RFC822.SIZE %d" % len(octets), fetch(macro))

    def test_search(self):
        def add(flags, moment, **parts):
            self.ok(self.client.append("INBOX", flags, moment, message(**parts)))
        add(r"(\Seen)", '"01-Jan-2026 12:00:00 +0000"', subject="alpha", to="bob@example.test", body="apples\r\n")
        add(r"(\Flagged)", '"15-Feb-2026 12:00:00 +0000"', subject="beta", sender="boss@work.test", body="pears\r\n")
        add(r"(\Deleted \Answered)", '"20-Mar-2026 12:00:00 +0000"', subject="gamma Grüße", body="x" * 5000 + "\r\n",
            headers=[("X-Kind", "special thing"), ("Cc", "copy@work.test")])
        add(r"(\Draft $todo)", '"20-Mar-2026 23:00:00 +0000"', subject="delta", mid="<needle@client.test>")
        self.ok(self.client.select())

        def search(*keys, charset=None):
            return self.ok(self.client.search(charset, *keys))[0].decode().split()

        for keys, expected in (
                ("ALL", "1 2 3 4"), ("SEEN", "1"), ("UNSEEN", "2 3 4"), ("FLAGGED", "2"), ("UNFLAGGED", "1 3 4"), ("DELETED", "3"),
                ("UNDELETED", "1 2 4"), ("ANSWERED", "3"), ("UNANSWERED", "1 2 4"), ("DRAFT", "4"), ("UNDRAFT", "1 2 3"),
                ("KEYWORD $todo", "4"), ("UNKEYWORD $todo", "1 2 3"), ("SUBJECT alpha", "1"), ("FROM boss@work", "2"),
                ("TO bob@example", "1"), ("CC copy@", "3"), ("BCC nobody", ""), ("BODY pears", "2"), ("TEXT special", "3"),
                ("HEADER X-Kind special", "3"), ('HEADER X-Kind ""', "3"), ("HEADER Message-ID needle", "4"), ("LARGER 4000", "3"),
                ("SMALLER 4000", "1 2 4"), ("BEFORE 15-Feb-2026", "1"), ("ON 20-Mar-2026", "3 4"), ("SINCE 15-Feb-2026", "2 3 4"),
                ("OR SEEN FLAGGED", "1 2"), ("NOT SEEN", "2 3 4"), ("2:3", "2 3"), ("UID 4:*", "4"), ("UID 1,3", "1 3"),
                ("(SINCE 01-Feb-2026 UNDELETED) NOT DRAFT", "2"), ("OR (SEEN SUBJECT alpha) (NOT (NOT DRAFT))", "1 4"),
                ("SENTSINCE 01-Jan-2020", "1 2 3 4"), ("SENTBEFORE 01-Jan-2020", ""), ("*", "4")):
            self.assertEqual(" ".join(search(keys)), expected, keys)
        client = self.relais.imap(self.user)
        self.addCleanup(client.close)
        client.must("SELECT INBOX")
        word = "Grüße".encode()
        client.send(b"s1 SEARCH CHARSET UTF-8 SUBJECT {%d+}\r\n%s\r\n" % (len(word), word))
        self.assertEqual(client.finish("s1").untagged, ["* SEARCH 3"])
        found = client.must("SEARCH RETURN (MIN MAX COUNT ALL) UNDELETED").untagged[0]
        self.assertRegex(found, r'^\* ESEARCH \(TAG "\w+"\) ')
        for item in ("MIN 1", "MAX 4", "COUNT 3", "ALL 1:2,4"):
            self.assertIn(" %s " % item, found + " ")
        self.assertRegex(client.must("UID SEARCH RETURN (COUNT) SEEN").untagged[0], r'^\* ESEARCH \(TAG "\w+"\) UID COUNT 1$')
        self.assertEqual(client.command("SEARCH CHARSET X-NONE ALL").status, "NO")

    def test_store(self):
        self.fill(2)
        self.ok(self.client.select())
        self.ok(self.client.store("1:2", "FLAGS", r"(\Seen one)"))
        self.ok(self.client.store("2", "+FLAGS", r"(\Flagged two)"))
        self.ok(self.client.store("2", "-FLAGS", r"(\Seen one)"))
        self.assertEqual(self.ok(self.client.store("1", "+FLAGS.SILENT", r"(\Answered)")), [None])
        def flags(number):
            text = self.ok(self.client.fetch(number, "(FLAGS)"))[0].decode()
            return set(re.search(r"FLAGS \(([^)]*)\)", text).group(1).split()) - {r"\Recent"}
        self.assertEqual(flags("1"), {r"\Seen", r"\Answered", "one"})
        self.assertEqual(flags("2"), {r"\Flagged", "two"})

    def test_copy_move_expunge(self):
        added = self.fill(5)
        self.ok(self.client.create("Target"))
        self.ok(self.client.select())
        self.ok(self.client.copy("1:2", "Target"))
        self.ok(self.client.uid("COPY", "3", "Target"))
        self.ok(self.client.store("2,4", "+FLAGS", r"(\Deleted)"))
        # Each number counts in what is left then (RFC 3501 §7.4.1).
        left = [1, 2, 3, 4, 5]
        for number in self.ok(self.client.expunge()):
            del left[int(number) - 1]
        self.assertEqual(left, [1, 3, 5])
        self.ok(self.client.uid("MOVE", "5", "Target"))
        self.assertEqual(self.ok(self.client.search(None, "ALL"))[0], b"1 2")
        self.assertEqual(self.ok(self.client.uid("SEARCH", None, "ALL"))[0], b"1 3")
        kept = [octets for _, octets in sorted(self.relais.messages(self.user, "Target").items())]
        self.assertEqual(kept, [added[0], added[1], added[2], added[4]])
        self.assertEqual(self.client.copy("1", "Nowhere")[0], "NO")
        self.ok(self.client.store("1", "+FLAGS", r"(\Deleted)"))
        self.ok(self.client.uid("EXPUNGE", "3"))
        self.assertEqual(self.ok(self.client.uid("SEARCH", None, "ALL"))[0], b"1 3")
        self.ok(self.client.close())
        self.assertEqual(self.ok(self.client.select()), [b"1"])

    def test_unselect_keeps_what_is_deleted(self):
        self.fill(1)
        self.ok(self.client.select())
        self.ok(self.client.store("1", "+FLAGS", r"(\Deleted)"))
        self.ok(self.client.unselect() if hasattr(self.client, "unselect") else self.client._simple_command("UNSELECT"))
        self.client.state = "AUTH"
        self.assertEqual(self.ok(self.client.select()), [b"1"])

    def test_check_noop_logout(self):
        self.ok(self.client.select())
        self.ok(self.client.check())
        self.ok(self.client.noop())
        self.assertEqual(self.client.logout()[0], "BYE")

    def test_noop_tells_of_a_delivery(self):
        self.ok(self.client.select())
        mid = message_id()
        self.relais.send("writer@remote.test", self.user, message(mid=mid))

        def seen():
            self.ok(self.client.noop())
            return self.client.response("EXISTS")[1][-1] == b"1"
        until(seen, what="EXISTS after NOOP")
        self.assertEqual(id_of(self.ok(self.client.fetch("1", "(BODY.PEEK[])"))[0][1]), mid)

    # -- extensions, on the wire where imaplib has no command

    def wire(self):
        client = self.relais.imap(self.user)
        self.addCleanup(client.close)
        return client

    def test_idle_tells_of_delivery_flags_and_expunge(self):
        idler = self.wire()
        idler.must("SELECT INBOX")
        tag = idler.idle()
        self.relais.send("writer@remote.test", self.user, message())
        self.assertEqual(idler.response(), "* 1 EXISTS")
        self.ok(self.client.select())
        self.ok(self.client.store("1", "+FLAGS", r"(\Flagged)"))
        def awaited(pattern):
            for _ in range(5):
                said = idler.response()
                if re.match(pattern, said):
                    return said
            self.fail("not told: " + pattern)
        awaited(r"\* 1 FETCH \(.*\\Flagged")
        self.ok(self.client.store("1", "+FLAGS", r"(\Deleted)"))
        self.ok(self.client.expunge())
        awaited(r"\* 1 EXPUNGE$")
        self.assertTrue(idler.done(tag).ok)

    def test_condstore(self):
        self.fill(3)
        client = self.wire()
        selected = client.must("SELECT INBOX (CONDSTORE)")
        highest = int(re.search(r"HIGHESTMODSEQ (\d+)", " ".join(selected.untagged) + selected.text).group(1))
        stored = client.must(r"UID STORE 2 +FLAGS (\Seen)")
        changed = int(re.search(r"MODSEQ \((\d+)\)", stored.untagged[0]).group(1))
        self.assertGreater(changed, highest)
        since = client.must("UID FETCH 1:* (FLAGS) (CHANGEDSINCE %d)" % highest)
        self.assertEqual(len(since.lines("FETCH")), 1)
        self.assertRegex(since.untagged[0], r"^\* 2 FETCH .*UID 2")
        refused = client.command(r"UID STORE 1,2 (UNCHANGEDSINCE %d) +FLAGS (\Flagged)" % highest)
        self.assertEqual(refused.code, "MODIFIED 2")
        self.assertRegex(client.must("UID FETCH 1 (FLAGS)").untagged[0], r"\\Flagged")
        self.assertNotRegex(client.must("UID FETCH 2 (FLAGS)").untagged[0], r"\\Flagged")
        self.assertEqual(client.must("SEARCH MODSEQ %d" % (highest + 1)).untagged[0].split(" (")[0], "* SEARCH 1 2")

    def test_id_and_enable(self):
        client = self.wire()
        self.assertRegex(client.must('ID ("name" "test")').untagged[0], r'^\* ID \(.*"name" "[Rr]elais"')
        self.assertEqual(client.must("ENABLE CONDSTORE X-NONE").untagged, ["* ENABLED CONDSTORE"])

    def test_uidplus_tells_what_was_copied(self):
        self.fill(3)
        client = self.wire()
        client.must("SELECT INBOX")
        self.assertRegex(client.must("COPY 1:2 Drafts").code, r"^COPYUID \d+ 1:2 1:2$")
        moved = client.must("UID MOVE 3 Drafts")
        self.assertTrue(any(re.search(r"COPYUID \d+ 3 3\]", line) for line in moved.untagged + [moved.text]), moved)
        self.assertIn("* 3 EXPUNGE", moved.untagged)

    def test_children(self):
        self.ok(self.client.create("Parent/Child"))
        lines = {line.decode() for line in self.ok(self.client.list())}
        self.assertTrue(any(re.match(r"\([^)]*\\HasChildren[^)]*\).*Parent\"?$", line) for line in lines), lines)
        self.assertTrue(any(re.match(r"\([^)]*\\HasNoChildren[^)]*\).*Parent/Child\"?$", line) for line in lines), lines)

    def test_two_sessions_see_each_other(self):
        self.fill(2)
        one, two = self.wire(), self.wire()
        one.must("SELECT INBOX")
        two.must("SELECT INBOX")
        one.must(r"STORE 1 +FLAGS (\Deleted)")
        self.assertTrue(until(lambda: two.must("NOOP").lines(r"^\* 1 FETCH .*\\Deleted"), what="the flag in the other session"))
        one.must("EXPUNGE")
        # RFC 3501 §7.4.1: no EXPUNGE while a FETCH runs; the message can still be named by its number.
        self.assertEqual(two.command("FETCH 2 (UID)").lines("EXPUNGE"), [])
        self.assertTrue(until(lambda: two.must("NOOP").lines(r"^\* 1 EXPUNGE"), what="the expunge in the other session"))
        self.assertEqual(two.must("UID SEARCH ALL").untagged, ["* SEARCH 2"])

    def test_a_large_mailbox(self):
        client = self.wire()
        octets = message(to=self.user)
        for n in range(300):
            client.send(b"a%d APPEND INBOX {%d+}\r\n%s\r\n" % (n, len(octets), octets))
        for n in range(300):
            self.assertTrue(client.finish("a%d" % n).ok)
        client.must("SELECT INBOX")
        fetched = client.must("FETCH 1:* (UID FLAGS ENVELOPE RFC822.SIZE)")
        self.assertEqual(len(fetched.lines("FETCH")), 300)
        client.must(r"STORE 1:300 +FLAGS.SILENT (\Deleted)")
        self.assertEqual(len(client.must("EXPUNGE").lines("EXPUNGE")), 300)


if __name__ == "__main__":
    unittest.main()
