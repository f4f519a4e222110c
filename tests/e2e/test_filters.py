"""Filters of people and of shared mailboxes: SMTP and submission bring the mail, IMAP shows what has become of it, and other sessions
see what `apply` does as they see MOVE."""

import email
import email.policy
import re
from email.message import EmailMessage

from harness import PASSWORD, ServerCase, message, message_id, until

ALICE, BOB, CAROL = ("%s@example.test" % name for name in ("alice", "bob", "carol"))


class Filters(ServerCase):

    @classmethod
    def prepare(cls, server):
        server.add_domain("example.test")
        server.add_accounts(ALICE, BOB, CAROL)
        cls.numbers = iter(range(1000))
        cls.passwords = server.home / "password"
        cls.passwords.write_text(PASSWORD + "\n")

    def account(self):
        address = "user%d@example.test" % next(self.numbers)
        self.relais.add_account(address)
        return address

    def filter(self, account, name, *words):
        return self.relais.json("filter", "add", account, name, *words)

    def send(self, to, subject, sender="zoe@remote.test", octets=None, **parts):
        self.relais.send(sender, to, octets or message(to=to, sender=sender, subject=subject, mid=message_id("remote.test"), **parts))

    def there(self, user, mailbox="INBOX"):
        """Each message by its subject, with its flags."""
        client = self.relais.imaplib(user)
        try:
            # imaplib gives up at [READ-ONLY]; a folder that is not there has no messages.
            if client.select('"%s"' % mailbox, readonly=True)[0] != "OK":
                return {}
            found = {}
            for part in client.uid("FETCH", "1:*", "(FLAGS BODY.PEEK[HEADER])")[1]:
                if isinstance(part, tuple):
                    subject = email.message_from_bytes(part[1], policy=email.policy.default)["Subject"]
                    flags = re.search(rb"FLAGS \(([^)]*)\)", part[0]).group(1).decode().split()
                    found[str(subject)] = set(flags) - {"\\Recent"}
            return found
        finally:
            client.logout()

    def steps(self, recipient):
        return [step for trace in self.relais.json("trace", "--recipient", recipient) for step in trace["steps"]]

    def test_what_comes_in(self):
        person = self.account()
        self.filter(person, "Lottery", "--any", "--if", "subject contains lottery", "--if", "from contains @spam.test", "--delete")
        self.filter(person, "Files", "--if", "attachment present", "--move-to", "Work/Files", "--copy-to", "Archive")
        self.filter(person, "List", "--if", "header:List-Id contains garden", "--if", "to-or-cc does-not-contain " + person,
                    "--move-to", "Garden", "--read", "--stop")
        self.filter(person, "Rest", "--if", "from contains zoe", "--tag", "Zoe")
        with_file = EmailMessage()
        for name, value in (("From", "Zoé <zoe@remote.test>"), ("To", person), ("Subject", "Mit Größe")):
            with_file[name] = value
        with_file.set_content("See the file.")
        with_file.add_attachment(b"x" * 100, maintype="application", subtype="pdf", filename="a.pdf")
        self.send(person, None, octets=with_file.as_bytes(policy=email.policy.SMTP))
        self.send(person, "The LOTTERY")
        self.send(person, "Hello", sender="x@spam.test")
        octets = message(to="garden@remote.test", sender="zoe@remote.test", subject="Ponds", headers=(("List-Id", "<garden.remote.test>"),))
        self.send(person, None, octets=octets)
        self.send(person, "Hello")
        until(lambda: self.there(person) == {"Hello": {"Zoe"}}, what="what stays in INBOX")
        self.assertEqual(self.there(person, "Work/Files"), {"Mit Größe": {"Zoe"}})
        self.assertEqual(self.there(person, "Archive"), {"Mit Größe": {"Zoe"}})
        self.assertEqual(self.there(person, "Garden"), {"Ponds": {"\\Seen"}})
        client = self.relais.imaplib(person)
        subscribed = b"\n".join(client.lsub()[1])
        client.logout()
        self.assertIn(b'"Work/Files"', subscribed)
        # The trace tells which filter did what.
        told = [step["text"] for step in self.steps(person) if step["step"] == "filtered"]
        for text in ('filter "Lottery" deletes it for good (subject contains lottery)',
                     'filter "Files" moves it to Work/Files and copies it to Archive',
                     'filter "List" moves it to Garden and marks it as read; the filters behind it are skipped'):
            self.assertIn(text, told)

    def test_tags_and_flags(self):
        person = self.account()
        self.filter(person, "Boss", "--if", "from is boss@remote.test", "--tag", "$Boss", "--tag", "Urgent", "--important")
        self.send(person, "One", sender="boss@remote.test")
        self.send(person, "Two", sender="bigboss@remote.test")
        until(lambda: self.there(person) == {"One": {"$Boss", "Urgent", "\\Flagged"}, "Two": set()}, what="two messages")
        client = self.relais.imaplib(person)
        client.select("INBOX", readonly=True)
        self.assertEqual(client.search(None, "KEYWORD", "urgent")[1], [b"1"])
        client.logout()

    def test_one_message_for_several_is_filtered_for_each(self):
        first, second = self.account(), self.account()
        self.filter(first, "Mine", "--if", "subject is hello", "--move-to", "Mine")
        self.filter(second, "None", "--if", "subject is hello", "--delete")
        self.relais.send("zoe@remote.test", [first, second, ALICE], message(to=first, subject="Hello", mid=message_id("remote.test")))
        until(lambda: self.there(first, "Mine") == {"Hello": set()}, what="the copy that was moved")
        self.assertEqual((self.there(first), self.there(second), self.there(ALICE)), ({}, {}, {"Hello": set()}))

    def test_copies_of_what_is_sent(self):
        person = self.account()
        self.filter(person, "Far", "--in", "sent", "--if", "to contains @far.test", "--move-to", "Far")
        self.filter(person, "In", "--if", "size larger 0", "--delete")
        client = self.relais.imaplib(person)
        for to in ("zoe@far.test", "zoe@near.test"):
            octets = message(to=to, sender=person, subject=to)
            status, said = client.append("Sent", "(\\Seen)", None, octets)
            self.assertEqual(status, "OK")
            self.assertIn(b"APPENDUID", said[0])
        client.logout()
        self.assertEqual(self.there(person, "Sent"), {"zoe@near.test": {"\\Seen"}})
        self.assertEqual(self.there(person, "Far"), {"zoe@far.test": {"\\Seen"}})

    def test_a_shared_mailbox(self):
        info = "info%d@example.test" % next(self.numbers)
        self.relais.json("shared", "add", info, "--member", ALICE + "=administrator", "--member", BOB + "=reader")
        add = ("filter", "add", info, "Orders", "--if", "subject contains order", "--move-to", "Orders", "--important")
        # Its administrator may, a reader may not, a stranger may not.
        for who, may in ((CAROL, False), (BOB, False), (ALICE, True)):
            done = self.relais.run("--as", who, "--as-password-file", self.passwords, *add)
            self.assertEqual(done.returncode == 0, may, done.stderr)
        self.filter(info, "Partners", "--in", "sent", "--if", "to contains @partner.test", "--copy-to", "Partners")
        self.send(info, "An order")
        until(lambda: self.there(BOB, "Shared/%s/Orders" % info) == {"An order": {"\\Flagged"}}, what="the order")
        self.assertEqual(self.there(BOB, "Shared/" + info), {})
        # What alice sends in its name: Sent, through submission.
        self.relais.submit(ALICE, BOB, message(to="zoe@partner.test", sender=info, subject="Our offer", mid=message_id("example.test")))
        for folder in ("Sent", "Partners"):
            self.assertEqual(self.there(BOB, "Shared/%s/%s" % (info, folder)), {"Our offer": {"\\Seen"}})

    def test_test_and_apply(self):
        person = self.account()
        for number in range(7):
            self.send(person, "%s %d" % ("Order" if number % 2 else "Hello", number))
        until(lambda: len(self.there(person)) == 7, what="seven messages")
        self.filter(person, "Orders", "--if", "subject contains order", "--move-to", "Orders", "--tag", "Done", "--disable")
        with self.relais.imap(person) as watching:
            watching.must("SELECT INBOX")
            watching.must("STORE 2 +FLAGS (\\Answered)")
            tested = self.relais.json("filter", "test", person, "Orders", "--show", "2")
            self.assertEqual((tested["messages"], tested["filters"][0]["matches"]), (7, 3))
            self.assertEqual([one["subject"] for one in tested["filters"][0]["newest"]], ["Order 3", "Order 5"])
            everything = self.relais.json("filter", "test", person, "--all")
            self.assertEqual(everything["filters"][0]["matches"], 0, "it is switched off")
            self.assertEqual(len(self.there(person)), 7)
            watching.idle()
            done = self.relais.json("filter", "apply", person, "Orders")
            self.assertEqual((done["filed"], done["left_out"]), (3, []))
            # Another session hears of it as of a MOVE by somebody else.
            gone = [watching.response() for _ in range(3)]
            self.assertEqual([line.split()[-1] for line in gone], ["EXPUNGE"] * 3, gone)
        orders = self.there(person, "Orders")
        self.assertEqual(orders, {"Order 1": {"\\Answered", "Done"}, "Order 3": {"Done"}, "Order 5": {"Done"}})
        self.assertEqual(len(self.there(person)), 4)
        self.assertEqual(self.relais.json("filter", "apply", person, "Orders")["filed"], 0)

    def test_refusals_say_what_to_do(self):
        person = self.account()
        for words, said in (
            (("--if", "subject matches x", "--delete"), "is, is-not, contains or does-not-contain"),
            (("--if", "body contains x", "--delete"), "a condition begins with from, to, cc"),
            (("--if", "subject contains x", "--tag", "two words"), "a tag is one word"),
            (("--if", "subject contains x"), "a filter does something"),
            (("--delete",), "a filter needs a condition"),
            (("--if", "subject contains x", "--delete", "--read"), "deleted for good can't be moved"),
            (("--if", "subject contains x", "--move-to", "a//b"), "levels are parted by /"),
        ):
            done = self.relais.run("filter", "add", person, "x", *words)
            self.assertNotEqual(done.returncode, 0)
            self.assertIn(said, done.stderr)
        self.assertEqual(self.relais.json("filter", "list", person), [])

    def test_they_stay_after_a_restart_and_go_with_the_account(self):
        person = self.account()
        self.filter(person, "Mine", "--if", "subject is hello", "--move-to", "Mine")
        self.relais.restart()
        self.send(person, "Hello")
        until(lambda: self.there(person, "Mine") == {"Hello": set()}, what="the message")
        self.relais.cli("account", "remove", person, "--force")
        self.relais.add_account(person)
        self.assertEqual(self.relais.json("filter", "list", person), [])
        self.send(person, "Hello")
        until(lambda: self.there(person) == {"Hello": set()}, what="the message in INBOX")


if __name__ == "__main__":
    import unittest
    unittest.main()
