"""Runs the suites, each in a process of its own, some at a time, and counts.

A suite is a `test_*.py` beside this file. One that mounts or that needs ports below 1024 gets Linux namespaces of its own,
so that nothing of it is left behind or seen outside; without root, inside a user namespace, where the system allows that.
"""

import argparse
import json
import os
import queue
import re
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent
# The longest first, so that the end is not one suite running alone.
ORDER = ["crash", "book", "memory", "roundcube", "roundcube_filing", "thunderbird", "hostile_smtp", "hostile_imap", "disk", "remote", "responder", "clients", "imaplib", "imap_stress", "mbsync", "mx", "operations"]
NAMESPACES = {"disk": ["mount"], "tls_policy": ["net", "mount"], "lists_dmarc": ["net", "mount"], "mx": ["net", "mount"], "postfix_receives": ["net", "mount"], "reputation": ["net", "mount"], "roundcube": ["net"],
              "roundcube_filing": ["net"], "sender_authentication": ["net", "mount"], "thunderbird": ["net"]}
# Only what hangs takes so long: the longest suite takes a minute, and two when the machine does much else.
SUITE_SECONDS = 900


def suites():
    found = {path.stem[len("test_"):] for path in HERE.glob("test_*.py")}
    return [name for name in ORDER if name in found] + sorted(found - set(ORDER))


# --- one suite, in its own process ------------------------------------------------------------------------------------

class Reporter(unittest.TestResult):
    """Writes a line of JSON for each test."""

    def __init__(self, out):
        super().__init__()
        self.out = out
        self.begun = {}

    def _say(self, kind, test, detail=""):
        name = re.sub(r"\btest_\w+\.(?=[A-Z])", "", test.id() if hasattr(test, "id") else str(test))
        seconds = time.monotonic() - self.begun[test] if test in self.begun else 0
        self.out.write(json.dumps({"kind": kind, "test": name, "detail": detail, "seconds": seconds}) + "\n")
        self.out.flush()

    def startTest(self, test):
        super().startTest(test)
        self.begun[test] = time.monotonic()

    def addSuccess(self, test):
        super().addSuccess(test)
        self._say("passed", test)

    def addFailure(self, test, error):
        super().addFailure(test, error)
        self._say("failed", test, self._exc_info_to_string(error, test))

    def addError(self, test, error):
        super().addError(test, error)
        self._say("failed", test, self._exc_info_to_string(error, test))

    def addSubTest(self, test, subtest, error):
        super().addSubTest(test, subtest, error)
        if error is not None:
            self._say("failed", subtest, self._exc_info_to_string(error, test))

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self._say("skipped", test, reason)


def run_one(name, words, results):
    sys.path.insert(0, str(HERE))
    loader = unittest.TestLoader()
    if words:
        loader.testNamePatterns = ["*%s*" % word for word in words]
    tests = loader.loadTestsFromName("test_" + name)
    with open(results, "w") as out:
        tests.run(Reporter(out))
        out.write(json.dumps({"kind": "end"}) + "\n")


# --- all of them ------------------------------------------------------------------------------------------------------

class Colours:
    def __init__(self):
        on = sys.stdout.isatty() and "NO_COLOR" not in os.environ
        self.green, self.red, self.yellow, self.dim, self.plain = (
            ("\033[32m", "\033[31m", "\033[33m", "\033[2m", "\033[0m") if on else ("",) * 5)


def unshare(kinds):
    """The command that gives these namespaces, or nothing when the system does not allow them."""
    command = ["unshare"] + ["--" + kind for kind in kinds]
    if os.geteuid() != 0:
        command += ["--user", "--map-root-user"]
    try:
        allowed = subprocess.run(command + ["true"], capture_output=True).returncode == 0
    except OSError:
        allowed = False
    return command if allowed else []


# A skipped test is one that was lost: where everything may be installed (`.ci/run`), it is a failure.
STRICT = os.environ.get("RELAIS_E2E_STRICT", "") not in ("", "0")


def follow(name, words, base, say, counts):
    """Runs one suite as a process, passing on what it says as it comes."""
    home = base / name
    home.mkdir()
    results = home / "results"
    results.touch()
    environment = dict(os.environ, RELAIS_E2E_DIR=str(home), PYTHONDONTWRITEBYTECODE="1", PYTHONUNBUFFERED="1")
    command = [sys.executable, "-B", str(HERE / "runner.py"), "--suite", name, "--results", str(results)]
    for word in words:
        command += ["-k", word]
    kinds = NAMESPACES.get(name, [])
    prefix = unshare(kinds) if kinds else []
    if prefix:
        command = prefix + command
        environment["RELAIS_E2E_NAMESPACE"] = ",".join(kinds)
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=HERE,
                               text=True, errors="replace")
    watchdog = threading.Timer(SUITE_SECONDS, process.kill)
    watchdog.start()
    failed = 0
    ended = False
    half = ""
    with open(results) as told:
        def pass_on():
            nonlocal failed, ended
            nonlocal half
            half += told.read()
            *lines, half = half.split("\n")
            for line in lines:
                event = json.loads(line)
                if event["kind"] == "end":
                    ended = True
                    continue
                if event["kind"] == "skipped" and STRICT:
                    event = dict(event, kind="failed", detail="skipped, and nothing may be: %s\n" % event["detail"])
                failed += event["kind"] == "failed"
                counts[event["kind"]] += 1
                say(name, event)
        for line in process.stdout:
            pass_on()
            say(name, line.rstrip("\n"))
        process.wait()
        pass_on()
    watchdog.cancel()
    if not ended:
        failed += 1
        counts["failed"] += 1
        say(name, {"kind": "failed", "test": "(the suite)", "seconds": 0,
                   "detail": "it ended early, with exit code %s (the limit is %d s)\n" % (process.returncode, SUITE_SECONDS)})
    if failed:
        say(name, "      kept: %s" % home)
    else:
        shutil.rmtree(home, ignore_errors=True)


def main():
    parser = argparse.ArgumentParser(description="End-to-end tests of relais.")
    parser.add_argument("names", nargs="*", help="suites: " + ", ".join(suites()))
    parser.add_argument("-k", dest="words", action="append", default=[], help="only tests whose name has this")
    parser.add_argument("-j", dest="jobs", type=int, default=2, help="suites at a time")
    parser.add_argument("--suite", help=argparse.SUPPRESS)
    parser.add_argument("--results", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.suite:
        run_one(given.suite, given.words, given.results)
        return 0
    names = given.names or suites()
    unknown = set(names) - set(suites())
    if unknown:
        parser.error("no such suite: %s (there are %s)" % (", ".join(sorted(unknown)), ", ".join(suites())))

    sys.path.insert(0, str(HERE))
    from harness import binary
    os.environ["RELAIS_BIN"] = str(Path(binary()).resolve())
    base = Path(tempfile.mkdtemp(prefix="relais-e2e-"))
    counts = {"passed": 0, "failed": 0, "skipped": 0}
    colours = Colours()
    lock = threading.Lock()
    failures = []
    begun = time.monotonic()
    print("End-to-end tests of %s: %s" % (os.environ["RELAIS_BIN"], ", ".join(names)), flush=True)

    def say(suite, what):
        with lock:
            if isinstance(what, str):
                print(what, flush=True)
                return
            mark = {"passed": colours.green + "ok  ", "failed": colours.red + "FAIL", "skipped": colours.yellow + "skip"}[what["kind"]]
            reason = " (%s)" % what["detail"] if what["kind"] == "skipped" else ""
            print("%s%s %-13s %s%s %s%.1fs%s" % (mark, colours.plain, suite, what["test"], reason,
                                              colours.dim, what["seconds"], colours.plain), flush=True)
            if what["kind"] == "failed":
                failures.append("%s: %s" % (suite, what["test"]))
                print(what["detail"], flush=True)

    waiting = queue.Queue()
    for name in names:
        waiting.put(name)

    def work():
        while True:
            try:
                name = waiting.get_nowait()
            except queue.Empty:
                return
            follow(name, given.words, base, say, counts)

    threads = [threading.Thread(target=work) for _ in range(max(1, given.jobs))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    try:
        base.rmdir()
    except OSError:
        pass  # The folders of what failed are kept.
    if failures:
        print("\nFailed:\n  " + "\n  ".join(failures))
    print("\nEnd-to-end: %d s" % (time.monotonic() - begun))
    print("%d passed, %d failed, %d skipped" % (counts["passed"], counts["failed"], counts["skipped"]), flush=True)
    return 1 if counts["failed"] or not counts["passed"] else 0


if __name__ == "__main__":
    sys.exit(main())
