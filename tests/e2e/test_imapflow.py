"""npm's imapflow: CONDSTORE, QRESYNC, IDLE and COMPRESS as a client in wide use has them."""

import json
import os
import shutil
import unittest
from pathlib import Path

from harness import PASSWORD, ServerCase, certificate, run

LIBRARIES = Path(os.environ.get("RELAIS_E2E_LIBRARIES", "/nowhere")) / "node"
SCRIPT = Path(__file__).resolve().parent / "node" / "imapflow.mjs"


@unittest.skipUnless(shutil.which("node"), "node is not installed")
@unittest.skipUnless((LIBRARIES / "node_modules/imapflow").is_dir(), "imapflow is not installed")
class ImapFlow(ServerCase):

    def test_a_mailbox(self):
        user = "alice@example.test"
        done = run(["node", SCRIPT, self.relais.ports["imaps"], certificate().chain, user, PASSWORD, LIBRARIES], timeout=120)
        self.assertEqual(done.returncode, 0, done.stdout + done.stderr)
        seen = json.loads(done.stdout)
        self.assertLessEqual({"IDLE", "CONDSTORE", "QRESYNC", "COMPRESS=DEFLATE", "QUOTA", "SPECIAL-USE", "NAMESPACE"}, set(seen["capabilities"]))
        self.assertLessEqual({"CONDSTORE", "QRESYNC"}, set(seen["enabled"]))
        self.assertTrue(seen["compressed"])
        self.assertIn(["Sent", "\\Sent", 0], seen["folders"])
        self.assertEqual(len(seen["folders"]), 6)
        self.assertEqual((seen["created"], seen["deleted"]), ("Projets/Été", "Projets/Été"))
        self.assertEqual((seen["appended"], seen["exists"]), (1, 3))
        self.assertEqual(seen["fetched"], [[1, "one", ["\\Seen"], "text/plain"], [2, "two", [], "text/plain"], [3, "three", [], "text/plain"]])
        self.assertGreater(seen["large"], 100000)
        self.assertEqual(seen["downloaded"], 100002)
        self.assertEqual((seen["search"], seen["changed"]), ([2], [3]))
        self.assertEqual(seen["quota"], "INBOX")
        self.assertEqual(seen["moved"], ["Archive", 1])
        self.assertEqual(seen["heard_exists"], 3)
        self.assertEqual(seen["heard_flags"], ["\\Answered", "\\Seen"])
        self.assertEqual(seen["heard_expunge"], [True, 1])
        self.assertTrue(seen["same_validity"])
        self.assertEqual(seen["resynchronised"], [True, 2, True])
        self.assertEqual(seen["vanished"], [[4, True, True]], "what had vanished before is not told again")
        self.assertEqual(seen["changed_away"], [[3, ["$Label", "\\Answered", "\\Flagged"], True], [5, [], True]])
        self.assertEqual(seen["left"], ["three", "five"])


if __name__ == "__main__":
    unittest.main()
