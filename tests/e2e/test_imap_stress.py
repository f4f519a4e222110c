"""Many sessions change one mailbox at once. Each keeps its own picture of it from the untagged responses alone, as a mail client
does, and every picture must be right: numbers, UIDs and, in the end, flags."""

import os
import random
import re
import threading
import unittest

from harness import ServerCase, log, message, until

SEED = int(os.environ.get("RELAIS_E2E_SEED", "0")) or random.SystemRandom().getrandbits(32)
USER = "alice@example.test"
SESSIONS = 8
COMMANDS = 800


class Picture:
    """What one session believes."""

    def __init__(self, client, chance):
        self.client = client
        self.chance = chance
        # By sequence number, from 0: [UID or None when not told yet, flags or None].
        self.messages = []
        answer = client.must("SELECT Shared")
        self.take(answer, "SELECT")

    def take(self, answer, command):
        assert answer.status == "OK" or command.startswith(("COPY", "UID COPY", "UID MOVE", "FETCH", "STORE", "UID STORE")), (command, answer)
        for line in answer.untagged:
            match = re.match(r"\* (\d+) (EXISTS|EXPUNGE|FETCH)", line)
            if not match:
                continue
            number, kind = int(match.group(1)), match.group(2)
            if kind == "EXISTS":
                assert number >= len(self.messages), "EXISTS %d takes messages away without EXPUNGE (there were %d)" % (number, len(self.messages))
                self.messages += [[None, None] for _ in range(number - len(self.messages))]
            elif kind == "EXPUNGE":
                # RFC 3501 §7.4.1; with UID in front they may.
                assert not re.match(r"(FETCH|STORE|SEARCH) ", command), "EXPUNGE during " + command
                assert 1 <= number <= len(self.messages), "EXPUNGE %d of %d" % (number, len(self.messages))
                del self.messages[number - 1]
            else:
                assert 1 <= number <= len(self.messages), "FETCH %d of %d" % (number, len(self.messages))
                mine = self.messages[number - 1]
                uid = re.search(r"UID (\d+)", line)
                if uid:
                    assert mine[0] in (None, int(uid.group(1))), "number %d is UID %s, not %s (%s)" % (number, uid.group(1), mine[0], command)
                    mine[0] = int(uid.group(1))
                flags = re.search(r"FLAGS \(([^)]*)\)", line)
                if flags:
                    mine[1] = frozenset(flags.group(1).split()) - {r"\Recent"}
        uids = [uid for uid, _ in self.messages if uid is not None]
        assert uids == sorted(set(uids)), "UIDs do not grow: %r" % uids

    def do(self, command):
        if command.startswith("SELECT"):
            self.messages = []
        self.take(self.client.command(command), command)

    def some(self):
        """A few numbers of the mailbox, as a set."""
        count = len(self.messages)
        low = self.chance.randrange(1, count + 1)
        return "%d:%d" % (low, min(count, low + self.chance.randrange(4)))

    def step(self):
        choice = self.chance.randrange(12)
        if choice <= 2 or not self.messages:
            answer = self.client.append("Shared", message(to=USER, body="x" * self.chance.randrange(500) + "\r\n"), literal_plus=True)
            self.take(answer, "APPEND")
        elif choice == 3:
            self.do(r"STORE %s +FLAGS (\Deleted)" % self.some())
        elif choice == 4:
            self.do("STORE %s %sFLAGS (%s)" % (self.some(), self.chance.choice(("", "+", "-")), self.chance.choice((r"\Seen", r"\Flagged $k1", r"\Answered", "$k2"))))
        elif choice == 5:
            self.do("EXPUNGE")
        elif choice == 6:
            self.do("COPY %s Shared" % self.some())
        elif choice == 7:
            known = [uid for uid, _ in self.messages if uid]
            if known:
                self.do("UID MOVE %d Other" % self.chance.choice(known))
        elif choice == 8:
            self.do("FETCH %s (UID FLAGS BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])" % self.some())
        elif choice == 9:
            self.do("UID SEARCH UNDELETED")
        elif choice == 10:
            self.do("SELECT Shared" if self.chance.random() < 0.2 else "CHECK")
        else:
            self.do("NOOP")


class Stress(ServerCase):

    def test_every_picture_is_right(self):
        log("seed %d" % SEED)
        with self.relais.imap(USER) as client:
            client.must("CREATE Shared")
            client.must("CREATE Other")
            for _ in range(10):
                self.assertTrue(client.append("Shared", message()).ok)
        clients = [self.relais.imap(USER) for _ in range(SESSIONS)]
        for client in clients:
            self.addCleanup(client.close)
        pictures = [Picture(client, random.Random(SEED + n)) for n, client in enumerate(clients)]
        errors = []

        def work(picture):
            try:
                for _ in range(COMMANDS):
                    picture.step()
            except Exception as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(picture,)) for picture in pictures]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        if errors:
            raise errors[0]

        def truth():
            with self.relais.imap(USER) as client:
                client.must("EXAMINE Shared")
                found = []
                for line in client.must("FETCH 1:* (UID FLAGS)").lines("FETCH"):
                    flags = frozenset(re.search(r"FLAGS \(([^)]*)\)", line).group(1).split()) - {r"\Recent"}
                    found.append([int(re.search(r"UID (\d+)", line).group(1)), flags])
                return found
        expected = truth()
        self.assertGreater(len(expected), 0)
        for picture in pictures:
            def settled():
                picture.do("NOOP")
                return len(picture.messages) == len(expected)
            until(settled, what="a session to have been told everything")
            # What it was told without asking is right; then it asks for the rest.
            for mine, right in zip(picture.messages, expected):
                self.assertIn(mine[0], (None, right[0]))
            self.assertEqual([mine[1] for mine in picture.messages if mine[0] and mine[1] is not None],
                             [right[1] for mine, right in zip(picture.messages, expected) if mine[0] and mine[1] is not None])
            picture.do("FETCH 1:* (UID FLAGS)")
            self.assertEqual(picture.messages, expected)
        log("%d sessions, %d commands each, %d messages in the end" % (SESSIONS, COMMANDS, len(expected)))
        self.relais.stop()
        self.relais.check()
        self.relais.start()
        self.assertEqual(truth(), expected)


if __name__ == "__main__":
    unittest.main()
