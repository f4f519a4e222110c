"""The scripts themselves: `make test` fails when something fails, whatever tools the machine has; the container's files fit together.

`cargo` and `tests/run` are stand-ins here, in a copy of the one script, with a PATH of nothing but what Debian always has.
"""

import os
import re
import shutil
import subprocess
import tomllib
import unittest
from pathlib import Path

from harness import ROOT, TestCase, folder

# What the script may use beside cargo: in Debian all of it is always there. `bc` and `cargo-nextest` are not.
ALWAYS = ("awk", "bash", "cat", "dirname", "env", "mktemp", "rm", "sed", "sh", "tee")

GOOD = "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out\ntest result: ok. 7 passed; 0 failed; 0 ignored\n"
BROKEN = "test result: ok. 5 passed; 0 failed; 0 ignored\ntest result: FAILED. 6 passed; 2 failed; 0 ignored\n"
NO_COMPILE = "error[E0425]: cannot find value `x` in this scope\nerror: could not compile `broken`\n"
E2E = "ok   x\n\nEnd-to-end: 3 s\n11 passed, 0 failed, 2 skipped\n"


class MakeTest(TestCase):

    def attempt(self, tests=GOOD, code=0, nextest=None, build=0, e2e=E2E, e2e_code=0, doc=0):
        """Exit code and output of `scripts/test`, when cargo and the foreign clients say this."""
        home = folder("scripts")
        for name in ("scripts", "tests", "bin"):
            (home / name).mkdir()
        shutil.copy(ROOT / "scripts/test", home / "scripts/test")
        for name in ALWAYS:
            (home / "bin" / name).symlink_to(shutil.which(name))
        (home / "said").write_text(nextest or tests)
        (home / "e2e").write_text(e2e)
        self.script(home / "tests/run", "cat '%s'; exit %d" % (home / "e2e", e2e_code))
        self.script(home / "bin/cargo", """case "$*" in *--doc*) exit %d ;; esac
            case "$1 $2" in
            "nextest --version") exit %d ;;
            nextest*) cat '%s'; exit %d ;;
            test*) cat '%s'; exit %d ;;
            build*) exit %d ;;
            esac""" % (doc, 0 if nextest else 1, home / "said", code, home / "said", code, build))
        done = subprocess.run([home / "scripts/test"], env={"PATH": str(home / "bin"), "CARGO_FLAGS": "--release"},
                              capture_output=True, text=True, timeout=60)
        return done.returncode, done.stdout, done.stdout.splitlines()[-1]

    def script(self, path, text):
        path.write_text("#!/bin/sh\n%s\n" % text)
        path.chmod(0o755)

    def test_all_is_well(self):
        self.assertEqual(self.attempt()[::2], (0, "23 passed, 0 failed, 2 skipped"))

    def test_a_broken_test(self):
        self.assertEqual(self.attempt(tests=BROKEN, code=101)[::2], (1, "22 passed, 2 failed, 2 skipped"))

    def test_a_crate_that_does_not_compile(self):
        self.assertEqual(self.attempt(tests=NO_COMPILE, code=101)[::2], (1, "11 passed, 1 failed, 2 skipped"))
        # Others were compiled and passed.
        self.assertEqual(self.attempt(tests=GOOD + NO_COMPILE, code=101)[::2], (1, "23 passed, 1 failed, 2 skipped"))

    def test_nothing_ran(self):
        self.assertEqual(self.attempt(tests="")[0], 1)
        self.assertEqual(self.attempt(e2e="")[0], 1)

    def test_the_binary_is_not_built(self):
        self.assertEqual(self.attempt(build=101)[0], 1)

    def test_nextest(self):
        summary = "     Summary [   3.2s] 12 tests run: %s\n"
        self.assertEqual(self.attempt(nextest=summary % "12 passed, 3 skipped")[::2], (0, "23 passed, 0 failed, 2 skipped"))
        self.assertEqual(self.attempt(nextest=summary % "11 passed (1 slow), 1 failed, 3 skipped", code=100)[::2],
                         (1, "22 passed, 1 failed, 2 skipped"))
        self.assertEqual(self.attempt(nextest=summary % "11 passed, 1 timed out", code=100)[0], 1)
        self.assertEqual(self.attempt(nextest=NO_COMPILE, code=101)[0], 1)
        # An example of the documentation fails.
        self.assertEqual(self.attempt(nextest=summary % "12 passed, 3 skipped", doc=101)[0], 1)

    def test_foreign_clients(self):
        self.assertEqual(self.attempt(e2e="9 passed, 2 failed, 0 skipped\n", e2e_code=1)[::2], (1, "21 passed, 2 failed, 0 skipped"))
        self.assertEqual(self.attempt(e2e="Traceback\n", e2e_code=1)[0], 1)
        # What is skipped is told where it is seen.
        self.assertIn("2 tests were SKIPPED", self.attempt()[1])


class Container(TestCase):
    """No container engine is needed: what the Dockerfile says is held against the files that it speaks of."""

    def setUp(self):
        text = (ROOT / "Dockerfile").read_text()
        self.lines = [line for line in re.sub(r"\\\n", " ", text).splitlines() if line and not line.startswith("#")]

    def of(self, instruction):
        return [line.split(None, 1)[1] for line in self.lines if line.split()[0] == instruction]

    def test_what_it_copies_is_there(self):
        ignored = (ROOT / ".dockerignore").read_text().split()
        for words in self.of("COPY"):
            *sources, _ = [word for word in words.split() if not word.startswith("--")]
            for source in sources:
                if "--from=" in words:
                    continue
                self.assertTrue((ROOT / source).exists(), source)
                self.assertNotIn(source.rstrip("/"), ignored)

    def test_init_finds_no_file_and_a_folder_that_it_may_write(self):
        config = dict(pair.split("=", 1) for line in self.of("ENV") for pair in line.split())["RELAIS_CONFIG"]
        volume = self.of("VOLUME")[-1].strip()
        self.assertTrue(config.startswith(volume + "/"), config)
        for words in self.of("COPY"):
            self.assertFalse(words.split()[-1].startswith(("/etc/relais", volume)), words)
        # The default of `init` is the volume, and the volume belongs to the user that it runs as.
        self.assertIn('default_value = "%s"' % volume, (ROOT / "crates/server/src/cli/init.rs").read_text())
        user = self.of("USER")[-1].strip()
        self.assertRegex(" ".join(self.of("RUN")), r"install -d -o %s -g %s -m 0700 %s(\s|$)" % (user, user, volume))
        for line in self.of("CMD") + self.of("HEALTHCHECK") + self.of("ENTRYPOINT"):
            self.assertNotIn("--config", line)

    def test_the_ports_are_those_that_init_opens_there(self):
        exposed = {int(port) for line in self.of("EXPOSE") for port in line.split()}
        reference = re.sub(r"(?m)^#(?=[a-z])", "", (ROOT / "config/relais.toml").read_text())
        listeners = tomllib.loads(reference)["listeners"]
        self.assertEqual(exposed, {int(at.rsplit(":", 1)[1]) for service in listeners.values() for at in service})
        # In the container, loopback is reached by nobody: the README's first command opens the port to its network.
        readme = (ROOT / "README.md").read_text()
        self.assertRegex(readme, r"docker run [^\n]*\binit --domain [^\n]*--http 0\.0\.0\.0:8080")


if __name__ == "__main__":
    unittest.main()
