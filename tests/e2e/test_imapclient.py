"""Python's IMAPClient: folders, messages, search and order, IDLE, quota, access lists, as its users have them."""

import os
import sys
import unittest

from harness import PASSWORD, ServerCase, message, message_id, tls_context

sys.path.insert(0, os.path.join(os.environ.get("RELAIS_E2E_LIBRARIES", "/nowhere"), "python"))
try:
    import imapclient
except ImportError:
    imapclient = None

ALICE, BOB, ROOT = "alice@example.test", "bob@example.test", "root@example.test"


@unittest.skipUnless(imapclient, "IMAPClient is not installed")
class ImapClient(ServerCase):

    @classmethod
    def prepare(cls, server):
        super().prepare(server)
        cls.users = ["user%02d@example.test" % n for n in range(12)]
        server.add_accounts(*cls.users)
        server.add_account(ROOT, role="administrator")

    def setUp(self):
        self.user = type(self).users.pop()
        self.client = self.login(self.user)

    def login(self, user):
        client = imapclient.IMAPClient("localhost", port=self.relais.ports["imaps"], ssl_context=tls_context(), timeout=30)
        client.login(user, PASSWORD)
        # The library sends literals only after it has asked for this itself.
        client.capabilities()
        self.addCleanup(self.leave, client)
        return client

    @staticmethod
    def leave(client):
        try:
            client.logout()
        except (OSError, imapclient.exceptions.IMAPClientError):
            pass  # It has left already.

    def names(self):
        return sorted(name for _, _, name in self.client.list_folders())

    def test_folders(self):
        self.assertEqual(self.names(), ["Archive", "Drafts", "INBOX", "Junk", "Sent", "Trash"])
        self.assertEqual(self.client.find_special_folder(b"\\Sent"), "Sent")
        self.client.create_folder("Projets/Été 2026")
        self.assertTrue(self.client.folder_exists("Projets/Été 2026"))
        self.client.rename_folder("Projets", "Projekte & mehr")
        self.assertIn("Projekte & mehr/Été 2026", self.names())
        self.client.subscribe_folder("Projekte & mehr/Été 2026")
        self.assertIn("Projekte & mehr/Été 2026", [name for _, _, name in self.client.list_sub_folders()])
        self.client.unsubscribe_folder("Projekte & mehr/Été 2026")
        self.assertEqual([name for _, _, name in self.client.list_sub_folders("", "Pro*")], [])
        self.client.delete_folder("Projekte & mehr/Été 2026")
        self.assertFalse(self.client.folder_exists("Projekte & mehr/Été 2026"))
        with self.assertRaises(imapclient.exceptions.IMAPClientError):
            self.client.delete_folder("INBOX")
        personal, others, shared = self.client.namespace()
        self.assertEqual((personal, others, shared), ((("", "/"),), (("Other Users/", "/"),), (("Shared/", "/"),)))
        self.assertIn(b"Relais", self.client.id_({"name": "tests"})[0])

    def test_several_messages_at_once(self):
        """IMAPClient sends a second space between two literals."""
        letters = [message(to=self.user, subject="one"), {"msg": message(to=self.user, subject="two"), "flags": ["\\Seen"]},
                   message(to=self.user, subject="three")]
        self.client.multiappend("INBOX", letters)
        self.client.select_folder("INBOX")
        self.assertEqual(self.client.search(), [1, 2, 3])
        self.assertEqual(self.client.search("SEEN"), [2])

    def fill(self):
        subjects = ["b", "Re: a", "a", "grüße aus Köln"]
        for n, subject in enumerate(subjects):
            body = "text %d\r\n" % n + ("x" * 1000 * (4 - n)) + "\r\n"
            headers = [("Content-Type", "text/plain; charset=utf-8")]
            if subject == "Re: a":
                headers += [("References", "<a.%s>" % self.user), ("In-Reply-To", "<a.%s>" % self.user)]
            mid = "<a.%s>" % self.user if subject == "a" else None
            self.client.append("INBOX", message(to=self.user, subject=subject, body=body, mid=mid, headers=headers))

    def test_messages(self):
        self.fill()
        info = self.client.select_folder("INBOX")
        self.assertEqual((info[b"EXISTS"], info[b"UIDNEXT"]), (4, 5))
        self.assertIn(b"UIDVALIDITY", info)
        self.client.add_flags([1, 2], [imapclient.FLAGGED, b"$Label"])
        self.assertEqual(set(self.client.get_flags([1])[1]) - {b"\\Recent"}, {imapclient.FLAGGED, b"$Label"})
        self.client.remove_flags([1], [b"$Label"])
        found = self.client.fetch([1, 2], ["ENVELOPE", "RFC822.SIZE", "BODYSTRUCTURE", "BODY.PEEK[HEADER.FIELDS (SUBJECT)]", "INTERNALDATE"])
        self.assertEqual(found[2][b"ENVELOPE"].subject, b"Re: a")
        self.assertGreater(found[1][b"RFC822.SIZE"], 4000)
        self.assertEqual([part.lower() for part in found[1][b"BODYSTRUCTURE"][0:2]], [b"text", b"plain"])
        self.client.copy([3], "Archive")
        self.client.move([4], "Archive")
        self.assertEqual(self.client.folder_status("Archive", ["MESSAGES", "UNSEEN", "SIZE"])[b"MESSAGES"], 2)
        self.client.delete_messages([1])
        self.client.expunge([1])
        self.assertEqual(self.client.search(), [2, 3])
        self.client.unselect_folder()

    def test_search_sort_and_threads(self):
        self.fill()
        self.client.select_folder("INBOX")
        self.assertEqual(self.client.search(["SUBJECT", "a"]), [2, 3, 4])
        self.assertEqual(self.client.search(["SUBJECT", "KÖLN"], "UTF-8"), [4])
        self.assertEqual(self.client.search(["TEXT", "text 2", "NOT", "FLAGGED"]), [3])
        self.assertEqual(self.client.search(["NOT", "SUBJECT", "zzz", "LARGER", 3000]), [1, 2])
        self.assertEqual(self.client.search("MODSEQ 1").modseq is not None, True)
        # What is offered has to work with the library.
        if self.client.has_capability("SORT"):
            self.assertEqual(self.client.sort("REVERSE SIZE"), [1, 2, 3, 4])
            self.assertEqual(self.client.sort(["SUBJECT"])[-2:], [1, 4])
        if self.client.has_capability("THREAD=REFERENCES"):
            threads = self.client.thread("REFERENCES")
            self.assertIn((3, 2), threads)

    def test_idle(self):
        self.client.select_folder("INBOX")
        self.client.idle()
        mid = message_id()
        self.relais.send("writer@remote.test", self.user, message(to=self.user, mid=mid))
        heard = []
        while not any(len(line) == 2 and line[1] == b"EXISTS" for line in heard):
            heard += self.client.idle_check(timeout=20)
            self.assertTrue(heard, "nothing came for 20 seconds")
        self.assertIn((1, b"EXISTS"), heard)
        self.client.idle_done()
        self.assertEqual(len(self.client.search(["HEADER", "Message-ID", mid])), 1)

    def test_quota(self):
        roots, quotas = self.client.get_quota_root("INBOX")
        self.assertEqual((roots.mailbox, [root for root in roots.quota_roots]), ("INBOX", [self.user]))
        self.assertEqual([(quota.resource, quota.usage) for quota in quotas], [("MAILBOX", 6)])
        root = self.login(ROOT)
        root.set_quota([imapclient.imapclient.Quota(self.user, "STORAGE", 0, 4), imapclient.imapclient.Quota(self.user, "MESSAGE", 0, 10)])
        quotas = {quota.resource: quota for quota in self.client.get_quota(self.user)}
        self.assertEqual((quotas["STORAGE"].limit, quotas["MESSAGE"].limit), (4, 10))
        with self.assertRaises(imapclient.exceptions.IMAPClientError) as refused:
            self.client.append("INBOX", message(body="x" * 5000 + "\r\n"))
        self.assertIn("OVERQUOTA", str(refused.exception))
        self.client.append("INBOX", message(body="x\r\n"))
        self.assertEqual({quota.resource: quota.usage for quota in self.client.get_quota(self.user)}["MESSAGE"], 1)
        with self.assertRaises(imapclient.exceptions.IMAPClientError):
            self.client.set_quota([imapclient.imapclient.Quota(self.user, "STORAGE", 0, 4000)])

    def test_access_lists(self):
        self.client.create_folder("Plans")
        self.client.setacl("Plans", BOB, "lrs")
        self.assertEqual(dict(self.client.getacl("Plans"))[BOB.encode()], b"lrs")
        bob = self.login(BOB)
        there = "Other Users/%s/Plans" % self.user
        self.assertIn(there, [name for _, _, name in bob.list_folders()])
        bob.select_folder(there, readonly=True)
        with self.assertRaises(imapclient.exceptions.IMAPClientError) as refused:
            bob.append(there, message())
        self.assertIn("NOPERM", str(refused.exception))
        bob.unselect_folder()
        # The library writes its words as they are given.
        self.client.setacl("Plans", BOB, '""')
        self.assertNotIn(there, [name for _, _, name in bob.list_folders()])

    def test_enable(self):
        self.assertEqual(self.client.enable("CONDSTORE"), [b"CONDSTORE"])
        self.fill()
        self.client.select_folder("INBOX")
        before = self.client.folder_status("INBOX", ["HIGHESTMODSEQ"])[b"HIGHESTMODSEQ"]
        self.client.add_flags([2], [imapclient.SEEN])
        changed = self.client.fetch("1:*", ["FLAGS"], ["CHANGEDSINCE %d" % before])
        self.assertEqual(list(changed), [2])
        self.assertGreater(changed[2][b"MODSEQ"][0], before)


if __name__ == "__main__":
    unittest.main()
