"""The demo as a newcomer runs it: `make demo ARGS=--once` must end well."""

import os
import re
import subprocess
import unittest

from harness import TestCase, binary

DEMO = os.path.join(os.path.dirname(os.path.abspath(binary())), "relais-demo")


@unittest.skipUnless(os.path.exists(DEMO), "relais-demo is not built beside relais")
class Demo(TestCase):
    def test_every_step_is_as_it_should_be(self):
        done = subprocess.run([DEMO, "--once"], capture_output=True, text=True, timeout=170)
        self.assertEqual(done.returncode, 0, done.stdout[-4000:] + done.stderr[-2000:])
        checks = re.search(r"\d+ checks in \d+ steps", done.stdout)
        self.assertIsNotNone(checks, done.stdout[-1000:])
        self.assertNotIn("✗", done.stdout)
