"""`kill -9` under load, again and again. What was acknowledged is there, exactly once; what was not is there whole or not at all.

The moment of each kill is chance; `RELAIS_E2E_SEED` repeats the choices of a run (not its timing). `RELAIS_E2E_ROUNDS` sets how often
each server is killed.
"""

import collections
import os
import random
import re
import subprocess
import threading
import unittest

from harness import TestCase, binary, free_port, id_of, log, message, message_id, until
from remote import Remote
from wire import Closed

ROUNDS = int(os.environ.get("RELAIS_E2E_ROUNDS", "5"))
SEED = int(os.environ.get("RELAIS_E2E_SEED", "0")) or random.SystemRandom().getrandbits(32)
GONE = (Closed, OSError, AssertionError)


class Ledger:
    """What clients have been told, by all threads."""

    def __init__(self):
        self.changed = threading.Condition()
        self.entries = {}
        self.acknowledged = 0

    def begin(self, key, entry):
        """From now on this may have happened."""
        with self.changed:
            self.entries[key] = [entry, "begun"]

    def done(self, key):
        """The server said yes."""
        with self.changed:
            self.entries[key][1] = "done"
            self.acknowledged += 1
            self.changed.notify_all()

    def wait(self, count, seconds=30):
        with self.changed:
            assert self.changed.wait_for(lambda: self.acknowledged >= count, seconds), (
                "only %d acknowledgements, not %d, within %d s" % (self.acknowledged, count, seconds))


class Workers:
    """Threads that load the server until it is gone; anything but its death is an error."""

    def __init__(self, server, jobs):
        self.server = server
        self.killed = threading.Event()
        self.errors = []
        self.threads = [threading.Thread(target=self._run, args=(job,), daemon=True) for job in jobs]
        for thread in self.threads:
            thread.start()

    def _run(self, job):
        try:
            job()
        except GONE as error:
            if not self.killed.is_set() and self.server.process is not None and self.server.process.poll() is None:
                self.errors.append(error)

    def kill(self):
        self.killed.set()
        self.server.kill()
        for thread in self.threads:
            thread.join(30)
            assert not thread.is_alive(), "a client still waits for a server that is dead"
        if self.errors:
            raise self.errors[0]


def kill_while_starting(server, chance):
    """A second crash, during the start after the first."""
    with open(server.log, "ab") as out:
        process = subprocess.Popen([binary(), "--config", str(server.config), "serve"], stdout=out, stderr=out, stdin=subprocess.DEVNULL)
    size = server.log.stat().st_size
    if chance.random() < 0.5:
        until(lambda: server.log.stat().st_size > size or process.poll() is not None, what="a sign of life")
    process.kill()
    process.wait()


class Smtp(TestCase):
    """Messages by SMTP: fan-out to mailboxes, queue rows, answers."""

    USERS = ["u%d@near.test" % n for n in range(6)]

    def test_everything_acknowledged_is_there_exactly_once(self):
        log("seed %d, %d rounds" % (SEED, ROUNDS))
        self.chance = random.Random(SEED)
        self.port = free_port()
        self.relais = relais = self.server(name="crash", hostname="mx.near.test", destinations={"remote.test": ("127.0.0.1", self.port)})
        relais.add_domain("near.test")
        relais.add_accounts("robot@near.test", *self.USERS)
        relais.add_alias("three@near.test", *self.USERS[:3])
        relais.add_alias("mix@near.test", self.USERS[3], "far@remote.test")
        relais.add_alias("all@near.test", "three@near.test", *self.USERS)
        relais.add_alias("drop@near.test", ":blackhole:")
        relais.add_responder("robot@near.test", kind="autoresponder", subject="Answer", text="beep", frequency=0)
        # To whom -> the mailboxes and remote recipients that it means.
        self.ways = [((user,), {user}, set()) for user in self.USERS] + [
            (("three@near.test",), set(self.USERS[:3]), set()),
            (("mix@near.test",), {self.USERS[3]}, {"far@remote.test"}),
            (("all@near.test", "drop@near.test"), set(self.USERS), set()),
            (("robot@near.test",), {"robot@near.test"}, set()),
            (("three@near.test", "robot@near.test", self.USERS[5]), set(self.USERS[:3]) | {"robot@near.test", self.USERS[5]}, set()),
        ]
        self.ledger = Ledger()
        self.numbers = iter(range(10 ** 9))
        for number in range(ROUNDS):
            relais.start()
            begun = self.ledger.acknowledged
            workers = Workers(relais, [self.load] * 4)
            self.ledger.wait(begun + self.chance.randrange(10, 150))
            workers.kill()
            if number % 2:
                kill_while_starting(relais, self.chance)
            relais.check()
            log("round %d: %d acknowledged" % (number + 1, self.ledger.acknowledged - begun))
        relais.start()
        self.verify()
        relais.stop()
        relais.check()

    def load(self):
        """One client: messages without end."""
        with self.relais.smtp() as client:
            while True:
                number = next(self.numbers)
                to, mailboxes, remotes = random.choice(self.ways)
                sender, mid = "w%d@remote.test" % number, message_id()
                body = "x" * 70 + "\r\n"
                octets = message(to=", ".join(to), sender=sender, mid=mid, body=body * random.choice((1, 1, 1, 20, 5000)))
                for reply in client.envelope(sender, *to):
                    assert reply.code == 250, reply
                self.ledger.begin(mid, (sender, mailboxes, remotes))
                reply = client.data(octets)
                assert reply.code == 250, reply
                self.ledger.done(mid)

    def verify(self):
        relais = self.relais
        has = {}
        for user in self.USERS + ["robot@near.test"]:
            has[user] = collections.Counter(id_of(octets) for octets in relais.messages(user).values())
            doubled = [mid for mid, count in has[user].items() if count > 1]
            self.assertEqual(doubled, [], "twice in the mailbox of %s" % user)
        there = set()
        for mid, (entry, state) in self.ledger.entries.items():
            _, mailboxes, _ = entry
            found = {user for user in has if has[user][mid]}
            if state == "done" or found:
                # What was not acknowledged may be there, but then everywhere.
                self.assertEqual(found, mailboxes, "%s (%s)" % (mid, state))
                there.add(mid)
        for user in has:
            self.assertLessEqual(set(has[user]), set(self.ledger.entries), "%s has messages that nobody sent" % user)
        # The queue: what is to be relayed, and one answer for each message that the robot has.
        expected = collections.Counter()
        for mid in there:
            sender, mailboxes, remotes = self.ledger.entries[mid][0]
            expected.update(("<%s>" % sender, remote) for remote in remotes)
            if "robot@near.test" in mailboxes:
                expected[("<>", sender)] += 1

        def queued():
            return collections.Counter((original(entry["reverse_path"]), recipient["address"]) for entry in relais.queue() for recipient in entry["recipients"])
        until(lambda: sum(queued().values()) >= sum(expected.values()), 60, "every answer to be in the queue")
        self.assertEqual(queued(), expected)
        self.assertEqual(len(relais.messages("robot@near.test", "Sent")), sum(count for (path, _), count in expected.items() if path == "<>"))
        # And all of it arrives, once.
        remote = Remote(port=self.port)
        self.addCleanup(remote.close)
        relais.retry_queue()
        relais.wait_queue_empty(60)
        delivered = collections.Counter((original("<%s>" % one.sender), to) for one in remote.messages for to in one.recipients)
        self.assertEqual(delivered, expected)
        log("%d messages, %d relayed or answered" % (len(there), sum(expected.values())))


def original(path):
    """The reverse-path that a forward came with: it leaves under an address of the server (SRS)."""
    return re.sub(r"SRS0=[^=]+=[^=]+=([^=]+)=([^@]+)@near\.test", r"\2@\1", path)


class Relaying(TestCase):
    """Kills while mail is on its way to another server: nothing is lost, and only what was being handed over may come twice."""

    def test_everything_acknowledged_arrives(self):
        chance = random.Random(SEED)
        remote = Remote()
        self.addCleanup(remote.close)
        relais = self.relais = self.server(name="crash-relay", hostname="mx.near.test", destinations={"remote.test": ("127.0.0.1", remote.port)})
        relais.add_domain("near.test")
        relais.add_accounts("robot@near.test")
        relais.add_alias("away@near.test", "far@remote.test", "farther@remote.test")
        relais.add_responder("robot@near.test", kind="autoresponder", subject="Answer", text="beep", frequency=0)
        self.ledger = Ledger()
        self.numbers = iter(range(10 ** 9))
        for _ in range(ROUNDS):
            relais.start()
            begun = self.ledger.acknowledged
            workers = Workers(relais, [self.load] * 3)
            self.ledger.wait(begun + chance.randrange(10, 100))
            workers.kill()
        relais.start()
        relais.retry_queue()
        expected = {}
        for mid, ((sender, to), state) in self.ledger.entries.items():
            for recipient in ([sender] if to == "robot@near.test" else ["far@remote.test", "farther@remote.test"]):
                expected[("<>" if to == "robot@near.test" else sender, recipient)] = state

        def delivered():
            return collections.Counter((original(one.sender) or "<>", to) for one in list(remote.messages) for to in one.recipients)
        wanted = {key for key, state in expected.items() if state == "done"}
        until(lambda: wanted <= set(delivered()), 60, "everything to arrive")
        relais.wait_queue_empty(60)
        counts = delivered()
        self.assertLessEqual(set(counts), set(expected), "more arrived than was sent")
        twice = [key for key, count in counts.items() if count > 1]
        # Five hand-overs at a time to one destination, of two recipients at most, can be cut by each kill.
        self.assertLessEqual(len(twice), ROUNDS * 5 * 2, twice)
        log("%d arrived, %d of them twice" % (len(counts), len(twice)))
        relais.stop()
        relais.check()

    def load(self):
        with self.relais.smtp() as client:
            while True:
                sender, to, mid = "w%d@remote.test" % next(self.numbers), random.choice(("away@near.test", "robot@near.test")), message_id()
                for reply in client.envelope(sender, to):
                    assert reply.code == 250, reply
                self.ledger.begin(mid, (sender, to))
                reply = client.data(message(to=to, sender=sender, mid=mid))
                assert reply.code == 250, reply
                self.ledger.done(mid)


class Imap(TestCase):
    """APPEND, STORE, MOVE and EXPUNGE by IMAP."""

    FLAGS = ["", r"\Seen", r"\Flagged", r"\Answered", r"\Seen \Flagged", r"\Seen \Answered", r"\Draft", "$one", "$one $two"]

    def test_everything_acknowledged_is_there_exactly_once(self):
        log("seed %d, %d rounds" % (SEED, ROUNDS))
        self.chance = random.Random(SEED)
        self.relais = relais = self.server(name="crash-imap")
        relais.add_domain("near.test")
        self.users = ["%s@near.test" % name for name in ("appender", "storer", "mover", "expunger")]
        relais.add_accounts(*self.users)
        self.ledger = Ledger()
        relais.start()
        self.prepare()
        for number in range(ROUNDS):
            if relais.process is None:
                relais.start()
            begun = self.ledger.acknowledged
            workers = Workers(relais, [self.append, self.store, self.move, self.expunge])
            self.ledger.wait(begun + self.chance.randrange(10, 300))
            workers.kill()
            if number % 2:
                kill_while_starting(relais, self.chance)
            relais.check()
            relais.start()
            self.verify()
            log("round %d: %d acknowledged" % (number + 1, self.ledger.acknowledged - begun))
        relais.stop()

    def prepare(self):
        with self.relais.imap("storer@near.test") as client:
            for n in range(10):
                assert client.append("INBOX", message()).ok
        with self.relais.imap("mover@near.test") as client:
            client.must("CREATE There")
            for n in range(20):
                assert client.append("INBOX", message(mid="<move-%d@client.test>" % n)).ok
        # Of each message: the state acknowledged last, and the one that may have come after.
        self.flags = {uid: ["", None] for uid in range(1, 11)}
        self.places = {"<move-%d@client.test>" % n: ["INBOX", None] for n in range(20)}
        self.appended = {}
        self.expunged = {}

    def acknowledge(self):
        key = object()
        self.ledger.begin(key, None)
        self.ledger.done(key)

    def append(self):
        with self.relais.imap("appender@near.test") as client:
            while True:
                mid = message_id()
                self.appended[mid] = None
                answer = client.append("INBOX", message(mid=mid, body="x" * random.choice((10, 1000, 200_000)) + "\r\n"),
                                       literal_plus=random.random() < 0.5)
                assert answer.ok, answer
                self.appended[mid] = int(answer.code.split()[2])
                self.acknowledge()

    def store(self):
        with self.relais.imap("storer@near.test") as client:
            client.must("SELECT INBOX")
            while True:
                uid, flags = random.randrange(1, 11), random.choice(self.FLAGS)
                self.flags[uid][1] = flags
                client.must("UID STORE %d FLAGS (%s)" % (uid, flags))
                self.flags[uid] = [flags, None]
                self.acknowledge()

    def move(self):
        with self.relais.imap("mover@near.test") as client:
            while True:
                mid = random.choice(list(self.places))
                place = next(place for place in self.places[mid] if place)
                target = "There" if place == "INBOX" else "INBOX"
                client.must("SELECT " + place)
                uid = client.must('UID SEARCH HEADER Message-ID "%s"' % mid).untagged[0].split()[2]
                self.places[mid][1] = target
                client.must("UID MOVE %s %s" % (uid, target))
                self.places[mid] = [target, None]
                self.acknowledge()

    def expunge(self):
        with self.relais.imap("expunger@near.test") as client:
            client.must("SELECT INBOX")
            while True:
                mid = message_id()
                self.expunged[mid] = "appending"
                answer = client.append("INBOX", message(mid=mid))
                assert answer.ok, answer
                uid = answer.code.split()[2]
                self.expunged[mid] = "there"
                if random.random() < 0.5:
                    self.expunged[mid] = "going"
                    client.must(r"UID STORE %s +FLAGS.SILENT (\Deleted)" % uid)
                    client.must("UID EXPUNGE " + uid)
                    self.expunged[mid] = "gone"
                self.acknowledge()

    def verify(self):
        relais = self.relais
        found = {}
        for uid, octets in relais.messages("appender@near.test").items():
            self.assertNotIn(id_of(octets), found, "appended twice")
            found[id_of(octets)] = uid
        for mid, uid in list(self.appended.items()):
            if uid is not None:
                self.assertEqual(found.get(mid), uid, "what APPEND acknowledged is gone or has another UID")
            elif mid in found:
                self.appended[mid] = found[mid]
            else:
                del self.appended[mid]
        self.assertEqual(set(found), set(self.appended))

        with relais.imap("storer@near.test") as client:
            client.must("EXAMINE INBOX")
            fetched = client.must("FETCH 1:* (UID FLAGS)").lines("FETCH")
            self.assertEqual(len(fetched), 10)
            for line in fetched:
                uid = int(re.search(r"UID (\d+)", line).group(1))
                flags = set(re.search(r"FLAGS \(([^)]*)\)", line).group(1).split()) - {r"\Recent"}
                allowed = [set(state.split()) for state in self.flags[uid] if state is not None]
                self.assertIn(flags, allowed, "flags of UID %d" % uid)
                self.flags[uid] = [" ".join(sorted(flags)), None]

        places = collections.defaultdict(list)
        for mailbox in ("INBOX", "There"):
            for octets in relais.messages("mover@near.test", mailbox).values():
                places[id_of(octets)].append(mailbox)
        self.assertEqual(set(places), set(self.places))
        for mid, where in places.items():
            self.assertEqual(len(where), 1, "%s is in %s" % (mid, where))
            self.assertIn(where[0], self.places[mid])
            self.places[mid] = [where[0], None]

        counts = collections.Counter(id_of(octets) for octets in relais.messages("expunger@near.test").values())
        for mid, state in list(self.expunged.items()):
            allowed = {"there": (1,), "gone": (0,)}.get(state, (0, 1))
            self.assertIn(counts[mid], allowed, "%s is %s" % (mid, state))
            if state not in ("there", "gone"):
                self.expunged[mid] = "there" if counts[mid] else "gone"


if __name__ == "__main__":
    unittest.main()
