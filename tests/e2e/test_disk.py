"""A full disk: a temporary refusal, nothing lost, and all is well once there is room. Mounts a small tmpfs in a namespace of its own."""

import base64
import os
import subprocess
import unittest

from harness import TestCase, folder, id_of, message, message_id, namespace, until
from remote import Remote

ALICE = "alice@example.test"


def noise(octets):
    """Text that can't be made smaller."""
    line = 76
    text = base64.b64encode(os.urandom(octets * 3 // 4)).decode()
    return "".join(text[at:at + line] + "\r\n" for at in range(0, len(text), line))


@namespace("mount")
class FullDisk(TestCase):

    def mounted(self, size):
        where = folder("small-disk")
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=%s,mode=700" % size, "tmpfs", str(where)], check=True)
        self.addCleanup(subprocess.run, ["umount", "-l", str(where)])
        return where

    def serving(self, disk, options=(), **storage):
        settings = {"storage": storage, "limits": {"message_octets_max": 8 << 20}}
        server = self.server(name="full", data_dir=disk / "data", settings=settings, **dict(options))
        server.start()
        server.add_domain("example.test")
        server.add_accounts(ALICE, "bob@example.test")
        server.add_alias("both@example.test", ALICE, "bob@example.test")
        return server

    def fill(self, disk, leave=0):
        """A file that takes all the room but `leave` octets."""
        path = disk / "filler"
        with open(path, "ab", buffering=0) as file:
            piece = b"\0" * 65536
            try:
                while True:
                    while file.write(piece) == len(piece):
                        pass
            except OSError:
                pass
            if leave:
                file.truncate(max(0, file.tell() - leave))
        return path

    def attempt(self, server, octets):
        """A message; the first reply that is not positive, or the last."""
        with server.smtp() as client:
            for reply in client.envelope("writer@remote.test", "both@example.test"):
                if reply.code >= 400:
                    return reply
            return client.data(octets)

    def refused_then_taken(self, server, filler, reading):
        """Mail is refused for now, and taken when the filler is gone; what was taken."""
        kept = {}
        for _ in range(3):
            mid = message_id()
            octets = message(mid=mid)
            reply = self.attempt(server, octets)
            if reply.code == 250:
                kept[mid] = octets
                continue
            self.assertEqual(reply.status, "452 4.3.1", reply)
        # Messages for which there is surely no room in the end.
        for _ in range(30):
            mid = message_id()
            octets = message(mid=mid, body=noise(6 << 20))
            reply = self.attempt(server, octets)
            if reply.code != 250:
                break
            kept[mid] = octets
        self.assertEqual(reply.status, "452 4.3.1", reply)
        with server.imap(ALICE) as client:
            answer = client.append("INBOX", message(body=noise(6 << 20)))
            self.assertEqual(answer.status, "NO", answer)
            # The connection is usable, and where a reserve is kept, reading goes on.
            client.must("CAPABILITY")
            if reading:
                client.must("SELECT INBOX")
                client.must("FETCH 1:* (UID FLAGS ENVELOPE)")
        self.assertEqual(server.http("/health/live")[0], 200)
        filler.unlink()

        replies = []

        def taken():
            mid = message_id()
            octets = message(mid=mid)
            replies.append(self.attempt(server, octets))
            if replies[-1].code == 250:
                kept[mid] = octets
                return True
            self.assertEqual(replies[-1].code // 100, 4, replies[-1])
            return False
        until(taken, 60, "mail to be taken after there is room again")
        with server.imap(ALICE) as client:
            mid = message_id()
            answer = client.append("INBOX", message(mid=mid))
            self.assertTrue(answer.ok, answer)
            client.must("SELECT INBOX")
            client.must(r"STORE 1 +FLAGS (\Seen)")
        return kept

    def verify(self, server, kept):
        for user in (ALICE, "bob@example.test"):
            found = server.messages(user)
            for mid, octets in kept.items():
                same = [got for got in found.values() if id_of(got) == mid]
                self.assertEqual(len(same), 1, "%s at %s" % (mid, user))
                self.assertTrue(same[0].endswith(octets))

    def test_the_disk_is_full(self):
        disk = self.mounted("96m")
        server = self.serving(disk, free_space_reserve_mib=0)
        before = {}
        for _ in range(5):
            mid = message_id()
            before[mid] = message(mid=mid)
            self.assertEqual(self.attempt(server, before[mid]).code, 250)
        kept = self.refused_then_taken(server, self.fill(disk), reading=False)
        kept.update(before)
        self.verify(server, kept)
        server.stop()
        server.check()
        server.start()
        self.verify(server, kept)
        server.stop()

    def test_the_reserve_is_kept_free(self):
        disk = self.mounted("128m")
        server = self.serving(disk, free_space_reserve_mib=32)
        self.assertEqual(self.attempt(server, message()).code, 250)
        filler = self.fill(disk, leave=24 << 20)
        # Refused while there is room still: 24 MiB are less than the reserve.
        def refused():
            reply = self.attempt(server, message())
            return reply if reply.code != 250 else None
        reply = until(refused, 30, "the reserve to be seen")
        self.assertEqual(reply.status, "452 4.3.1")
        self.assertNotEqual(server.http("/health/ready")[0], 200)
        kept = self.refused_then_taken(server, filler, reading=True)
        until(lambda: server.http("/health/ready")[0] == 200, what="readiness")
        self.verify(server, kept)
        server.stop()
        server.check()

    def low(self, leave, **options):
        """A server with mail, on a disk that has less than its reserve (32 MiB), and `leave` MiB at least."""
        disk = self.mounted("160m")
        server = self.serving(disk, options, free_space_reserve_mib=32)
        for _ in range(3):
            self.assertEqual(self.attempt(server, message()).code, 250)
        return server, disk, self.fill(disk, leave=leave << 20)

    def wait_refused(self, server):
        def refused():
            reply = self.attempt(server, message())
            return reply if reply.code != 250 else None
        self.assertEqual(until(refused, 30, "the reserve to be seen").status, "452 4.3.1")

    def test_what_frees_space_works_below_the_reserve(self):
        server, _, filler = self.low(leave=24)
        self.wait_refused(server)
        with server.imap(ALICE) as client:
            client.must("SELECT INBOX")
            self.assertEqual(client.command(r"STORE 1 +FLAGS (\Flagged)").status, "NO")
            client.must(r"STORE 1 +FLAGS (\Deleted)")
            client.must("EXPUNGE")
            client.must("DELETE Junk")
        server.cli("alias", "remove", "both@example.test")
        server.cli("account", "remove", "bob@example.test", "--force")
        self.assertNotEqual(server.run("account", "add", "more@example.test").returncode, 0)
        filler.unlink()
        server.stop()
        server.check()

    def test_a_start_on_a_full_disk(self):
        server, disk, filler = self.low(leave=40)
        # A message that is broken off leaves chunks that want to be swept.
        before = server.metric("relais_store_write_buffer_octets")
        with server.smtp() as client:
            client.envelope("writer@remote.test", ALICE)
            client.command("DATA")
            client.send(message(body=noise(1 << 20)))
            until(lambda: server.metric("relais_store_write_buffer_octets") > before + 400_000, what="chunks to be written")
            # Less than half of the reserve: not even sweeping is possible.
            self.fill(disk, leave=10 << 20)
            server.kill()
        server.start(ready=False)
        self.assertIn("is not swept yet", server.log_text())
        self.assertEqual(len(server.messages(ALICE)), 3)
        filler.unlink()
        until(lambda: self.attempt(server, message(to="both@example.test")).code == 250, 60, "mail to be taken again")
        server.stop()
        server.check()

    def test_what_was_relayed_is_not_sent_again(self):
        remote = Remote()
        self.addCleanup(remote.close)
        server, disk, filler = self.low(leave=48, destinations={"remote.test": ("127.0.0.1", remote.port)})

        def decide(verb, argument, session):
            # The disk fills up while the message is on its way.
            if verb == "DATA":
                self.fill(disk, leave=24 << 20)
        remote.decide = decide
        mid = message_id()
        server.submit(ALICE, "friend@remote.test", message(to="friend@remote.test", sender=ALICE, mid=mid))
        remote.wait_count(1)
        server.stop(60)
        filler.unlink()
        remote.decide = lambda verb, argument, session: None
        server.start()
        later = message_id()
        server.submit(ALICE, "friend@remote.test", message(to="friend@remote.test", sender=ALICE, mid=later))
        server.retry_queue()
        server.wait_queue_empty()
        self.assertEqual([id_of(one.content) for one in remote.messages], [mid, later])
        server.stop()
        server.check()


if __name__ == "__main__":
    unittest.main()
