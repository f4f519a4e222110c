"""A shared mailbox, and folders that people share: imaplib, smtplib and mbsync of several people, the command line of an administrator."""

import email
import re
import smtplib
import unittest

from harness import PASSWORD, CliError, ServerCase, certificate, folder, message, message_id, needs, run, until

ALICE, BOB, CAROL = ("%s@example.test" % name for name in ("alice", "bob", "carol"))


class Shared(ServerCase):

    made = 0

    def share(self, *members, **options):
        """A shared mailbox for this test; its address and the name of its INBOX."""
        Shared.made += 1
        address = "info%d@example.test" % Shared.made
        words = [word for member in members for word in ("--member", member)]
        for name, value in options.items():
            words += ["--" + name.replace("_", "-"), str(value)]
        self.relais.json("shared", "add", address, *words)
        return address, "Shared/" + address

    def client(self, user):
        client = self.relais.imaplib(user)
        self.addCleanup(client.shutdown)
        return client

    def ok(self, answer):
        self.assertEqual(answer[0], "OK", answer)
        return answer[1]

    def refused(self, answer, code):
        self.assertEqual(answer[0], "NO", answer)
        self.assertIn(("[%s]" % code).encode(), answer[1][0])

    def select(self, client, name, readonly=False):
        if readonly:
            return int(self.ok(client.select('"%s"' % name, readonly=True))[0])
        # imaplib gives up at [READ-ONLY], which RFC 4314 asks for where only one's own \Seen can be changed.
        client.untagged_responses = {}
        client.is_readonly = True
        self.ok(client._simple_command("SELECT", '"%s"' % name))
        client.state = "SELECTED"
        return int(client.untagged_responses["EXISTS"][-1])

    def flags(self, client, number=1):
        line = self.ok(client.fetch(str(number), "(FLAGS)"))[0].decode()
        return set(re.search(r"FLAGS \(([^)]*)\)", line).group(1).split()) - {"\\Recent"}

    def names(self, client, what="list"):
        found = set()
        for line in self.ok(getattr(client, what)('""', "*")):
            if line:
                found.add(re.search(rb'"/" "?([^"]*)"?$', line).group(1).decode())
        return found

    def unseen(self, client, name):
        line = self.ok(client.status('"%s"' % name, "(UNSEEN)"))[0].decode()
        return int(re.search(r"UNSEEN (\d+)", line).group(1))

    def test_two_people_see_one_mailbox(self):
        address, inbox = self.share(ALICE + "=writer", BOB + "=reader")
        alice, bob, carol = (self.client(user) for user in (ALICE, BOB, CAROL))
        mid = message_id()
        self.relais.send("writer@remote.test", address, message(to=address, mid=mid))
        for client in (alice, bob):
            self.assertIn(inbox, self.names(client))
            self.assertIn(inbox + "/Sent", self.names(client, "lsub"), "members are subscribed")
            self.assertEqual(self.select(client, inbox), 1)
        self.assertNotIn(inbox, self.names(carol))
        self.refused(carol.select('"%s"' % inbox), "NONEXISTENT")
        # What one does, the other sees; what one may not do, is refused.
        self.ok(alice.store("1", "+FLAGS", r"(\Flagged \Seen $Work)"))
        self.ok(bob.noop())
        self.assertEqual(self.flags(bob), {"\\Flagged", "\\Seen", "$Work"})
        self.refused(bob.store("1", "+FLAGS", r"(\Deleted)"), "NOPERM")
        self.refused(bob.expunge(), "NOPERM")
        self.ok(alice.copy("1", "INBOX"))
        self.ok(alice.store("1", "+FLAGS", r"(\Deleted)"))
        self.ok(alice.expunge())
        self.ok(bob.noop())
        self.assertEqual(bob.response("EXPUNGE")[1], [b"1"])
        self.assertEqual(len(self.relais.with_id(ALICE, mid)), 1)

    def test_idle_hears_a_delivery_and_the_end_of_membership(self):
        address, inbox = self.share(ALICE + "=reader")
        with self.relais.imap(ALICE) as alice:
            alice.must('SELECT "%s"' % inbox)
            alice.idle()
            self.relais.send("writer@remote.test", address, message(to=address))
            self.assertEqual(alice.response(), "* 1 EXISTS")
            self.relais.cli("shared", "member", "remove", address, ALICE)
            said = alice.response()
            while not said.startswith("* BYE"):
                said = alice.response()
            self.assertIn("[NOPERM]", said)
        alice = self.client(ALICE)
        self.assertFalse([name for what in ("list", "lsub") for name in self.names(alice, what) if name.startswith(inbox)])

    def test_seen_for_all_and_for_each(self):
        for kind in ("shared", "per-person"):
            with self.subTest(kind):
                address, inbox = self.share(ALICE + "=reader", BOB + "=reader", seen=kind)
                for _ in range(3):
                    self.relais.send("writer@remote.test", address, message(to=address))
                alice, bob, again = (self.client(user) for user in (ALICE, BOB, ALICE))
                for client in (alice, bob, again):
                    self.select(client, inbox)
                self.ok(alice.fetch("1", "(BODY[])"))
                self.ok(alice.store("2", "+FLAGS", r"(\Seen)"))
                for client in (bob, again):
                    self.ok(client.noop())
                self.assertEqual(self.flags(again, 1), {"\\Seen"})
                expected = b"3" if kind == "shared" else b"1 2 3"
                self.assertEqual(self.ok(bob.search(None, "UNSEEN")), [expected])
                self.assertEqual(self.ok(alice.search(None, "UNSEEN")), [b"3"])
                self.assertEqual(self.unseen(bob, inbox), 1 if kind == "shared" else 3)
                self.assertEqual(self.unseen(again, inbox), 1)
        # One folder may differ from its account.
        self.relais.cli("shared", "acl", "seen", address, "--mailbox", "INBOX", "--seen", "shared")
        self.assertEqual(self.unseen(self.client(ALICE), inbox), 3, "nobody has read it for all")

    def test_sent_in_its_name(self):
        address, inbox = self.share(ALICE + "=poster", BOB + "=writer")
        asked, answered = message_id(), message_id()
        self.relais.send("customer@remote.test", address, message(to=address, sender="customer@remote.test", mid=asked))
        bob = self.client(BOB)
        self.select(bob, inbox)
        # Filed away meanwhile: it is found all the same.
        self.ok(bob._simple_command("MOVE", "1", '"%s/Archive"' % inbox))
        answer = message(to=CAROL, sender=address, subject="Re: Hello", mid=answered,
                         headers=[("In-Reply-To", asked), ("References", "<other@x> " + asked)])
        self.relais.submit(address, CAROL, answer, user=ALICE)
        self.relais.wait_message(CAROL, answered)
        self.assertEqual(len(self.relais.with_id(BOB, answered, inbox + "/Sent")), 1, "filed with the answer's transaction")
        self.assertEqual(self.relais.with_id(ALICE, answered, "Sent"), [])
        self.select(bob, inbox + "/Archive")
        self.assertEqual(self.flags(bob), {"\\Answered", "answered-by-alice"})
        self.select(bob, inbox + "/Sent")
        self.assertEqual(self.flags(bob), {"\\Seen"})
        with self.assertRaises((smtplib.SMTPDataError, smtplib.SMTPSenderRefused)) as refused:
            self.relais.submit(address, CAROL, answer, user=BOB)
        self.assertEqual(refused.exception.smtp_code, 550)
        # Switched off, nothing is filed.
        self.relais.cli("shared", "set", address, "--no-file-sent")
        unfiled = message_id()
        self.relais.submit(address, CAROL, message(to=CAROL, sender=address, mid=unfiled), user=ALICE)
        self.relais.wait_message(CAROL, unfiled)
        self.assertEqual(self.relais.with_id(BOB, unfiled, inbox + "/Sent"), [])

    def test_a_copy_in_sent_is_read_by_who_wrote_it(self):
        address, inbox = self.share(ALICE + "=poster", BOB + "=writer", seen="per-person")
        self.relais.submit(address, CAROL, message(to=CAROL, sender=address), user=ALICE)
        for user, flags in ((ALICE, {"\\Seen"}), (BOB, set())):
            client = self.client(user)
            self.assertEqual(self.select(client, inbox + "/Sent"), 1)
            self.assertEqual(self.flags(client), flags, user)

    def test_quota(self):
        address, inbox = self.share(ALICE + "=poster", quota="4000")
        self.relais.send("writer@remote.test", address, message(to=address, body="x" * 60 + "\r\n" + ("y" * 60 + "\r\n") * 40))
        alice = self.client(ALICE)
        answer = alice.append('"%s"' % inbox, None, None, message(body=("z" * 60 + "\r\n") * 40))
        self.refused(answer, "OVERQUOTA")
        with self.assertRaises(smtplib.SMTPDataError) as refused:
            big = message(to=BOB, sender=address, body=("z" * 60 + "\r\n") * 40)
            self.relais.submit(address, BOB, big, user=ALICE)
        self.assertEqual(refused.exception.smtp_code, 452)
        self.assertIn(b"shared mailbox", refused.exception.smtp_error)
        self.relais.cli("shared", "set", address, "--no-quota")
        self.relais.submit(address, BOB, big, user=ALICE)
        self.relais.wait_message(BOB, lambda octets: b"zzz" in octets)

    def test_a_person_shares_folders(self):
        alice, bob = self.client(ALICE), self.client(BOB)
        for name in ("Plans", "Secret"):
            self.ok(alice.create(name))
        self.ok(alice.append("Plans", None, None, message()))
        self.ok(alice.setacl("Plans", BOB, "lrsi"))
        self.assertIn(("Plans %s lrsi" % BOB).encode(), self.ok(alice.getacl("Plans"))[0].replace(b'"', b"").replace(b"%s lrswipkxteancd " % ALICE.encode(), b""))
        theirs = "Other Users/" + ALICE
        self.assertEqual({name for name in self.names(bob) if "Plans" in name or "Secret" in name}, {theirs + "/Plans"})
        self.assertEqual(self.select(bob, theirs + "/Plans"), 1)
        self.assertEqual(self.ok(bob.myrights('"%s/Plans"' % theirs))[0].split()[-1], b"lrsi")
        self.refused(bob.getacl('"%s/Plans"' % theirs), "NOPERM")
        self.ok(bob.copy("1", "INBOX"))
        self.ok(bob.append('"%s/Plans"' % theirs, r"(\Seen \Flagged)", None, message()))
        self.select(alice, "Plans")
        self.assertEqual(self.flags(alice, 2), {"\\Seen"})
        self.ok(bob.unselect())
        self.ok(alice.deleteacl("Plans", BOB))
        self.assertFalse([name for name in self.names(bob) if name.startswith(theirs)])

    def test_the_command_line(self):
        address, _ = self.share(ALICE + "=reader", quota="1M")
        shown = self.relais.json("shared", "show", address)
        self.assertEqual(shown["members"], [{"account": ALICE, "rights": "lrs"}])
        self.assertEqual((shown["seen"], shown["quota_octets"], shown["messages"]), ("shared", 1 << 20, 0))
        self.relais.cli("shared", "member", "add", address, BOB, "--rights", "lrswipkxtea")
        self.relais.cli("shared", "member", "set", address, BOB, "--rights", "writer")
        self.assertEqual(self.relais.json("shared", "show", address)["members"][1], {"account": BOB, "rights": "lrswite"})
        self.assertIn(address, self.relais.cli("shared", "list"))
        self.relais.cli("shared", "acl", "set", address, CAROL, "lr", "--mailbox", "Sent")
        self.relais.cli("shared", "acl", "set", address, "--mailbox", "Sent", "--", "-" + BOB, "te")
        listed = self.relais.json("shared", "acl", "show", address, "--mailbox", "Sent")["lines"]
        self.assertEqual([(line["identifier"], line["rights"]) for line in listed],
                         [(ALICE, "lrs"), (BOB, "lrswite"), (CAROL, "lr"), ("-" + BOB, "te")])
        self.assertIn("Shared/%s/Sent" % address, self.names(self.client(CAROL)))
        self.relais.cli("shared", "acl", "remove", address, CAROL, "--mailbox", "Sent")
        self.assertNotIn("Shared/%s/Sent" % address, self.names(self.client(CAROL)))
        for words, said in [
            (("shared", "member", "add", address, ALICE, "--rights", "reader"), "is a member of"),
            (("shared", "member", "set", address, CAROL, "--rights", "reader"), "is no member of"),
            (("shared", "member", "add", address, CAROL, "--rights", "lrq"), "there is no right"),
            (("shared", "member", "add", address, address, "--rights", "lr"), "not a person"),
            (("shared", "show", ALICE), "is a person's account"),
            (("shared", "add", address), "is there already"),
            (("shared", "acl", "set", address, "nobody@example.test", "lr"), "nobody's address"),
            (("shared", "acl", "show", address, "--mailbox", "Nowhere"), "has no mailbox"),
        ]:
            with self.assertRaises(CliError) as refused:
                self.relais.cli(*words)
            self.assertIn(said, str(refused.exception), words)
        with self.assertRaises(Exception):
            self.relais.imaplib(address)
        self.relais.cli("shared", "remove", address)
        self.assertNotIn(address, self.relais.cli("shared", "list"))

    @needs("mbsync")
    def test_mbsync_reads_a_shared_mailbox(self):
        address, inbox = self.share(ALICE + "=writer")
        sent = [message(to=address, subject="number %d" % n, body="Body %d.\r\n" % n) for n in range(5)]
        for octets in sent:
            self.relais.send("writer@remote.test", address, octets)
        home = folder("mbsync-shared")
        (home / "mail").mkdir()
        (home / "mbsyncrc").write_text("\n".join([
            "IMAPStore far", "Host localhost", "Port %d" % self.relais.ports["imaps"], "User " + ALICE, 'Pass "%s"' % PASSWORD,
            "SSLType IMAPS", "CertificateFile %s" % certificate().chain, "AuthMechs LOGIN", "",
            "MaildirStore near", "Path %s/mail/" % home, "Inbox %s/mail/INBOX" % home, "SubFolders Verbatim", "",
            "Channel shared", "Far :far:", "Near :near:", 'Patterns "%s" "%s/*"' % (inbox, inbox), "Create Near", "Expunge Both",
            "SyncState *", ""]))

        def sync():
            done = run(["mbsync", "--config", home / "mbsyncrc", "--all"])
            self.assertEqual(done.returncode, 0, done.stdout + done.stderr)

        def local():
            return [path for sub in ("new", "cur") for path in (home / "mail" / inbox / sub).iterdir()]

        sync()
        subjects = sorted(email.message_from_bytes(path.read_bytes())["Subject"] for path in local())
        self.assertEqual(subjects, ["number %d" % n for n in range(5)])
        self.assertTrue((home / "mail" / inbox / "Sent" / "cur").is_dir())
        # Read and deleted here, so there; and what comes there comes here.
        first, second = sorted(local())[:2]
        first.rename(first.parent.parent / "cur" / (first.name.partition(":")[0] + ":2,S"))
        second.rename(second.parent.parent / "cur" / (second.name.partition(":")[0] + ":2,T"))
        self.relais.send("writer@remote.test", address, message(to=address, subject="late"))
        sync()
        self.assertEqual(len(local()), 5)
        alice = self.client(ALICE)
        self.assertEqual((self.select(alice, inbox, readonly=True), self.unseen(alice, inbox)), (5, 4))

    def test_zz_the_store_is_sound_after_people_and_mailboxes_have_gone(self):
        address, inbox = self.share(ALICE + "=administrator", "dave@example.test=reader", seen="per-person")
        self.relais.send("writer@remote.test", address, message(to=address))
        dave = self.client("dave@example.test")
        self.select(dave, inbox)
        self.ok(dave.fetch("1", "(BODY[])"))
        self.relais.cli("shared", "acl", "set", address, "dave@example.test", "lrs", "--mailbox", "Sent")
        self.relais.cli("account", "remove", "dave@example.test", "--force")
        self.assertEqual(self.relais.json("shared", "show", address)["members"], [{"account": ALICE, "rights": "lrswipkxtean"}])
        gone, _ = self.share(ALICE + "=reader", BOB + "=reader")
        self.relais.send("writer@remote.test", gone, message(to=gone))
        self.relais.cli("shared", "remove", gone, "--force")
        self.relais.stop()
        self.relais.check()
        self.relais.start()


if __name__ == "__main__":
    unittest.main()
