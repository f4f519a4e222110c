"""The book of hosted behaviour: every example of `docs/hosted-behaviour.md` is carried out, each section as a test of its own.

The page has a section for each row of the mission, each section an example, and every test that it names is there.
"""

import re
import shutil
import unittest

import book
from book import PAGE, PARTNER, PEOPLE, Example, Section, fits, sections
from harness import ROOT, Server, TestCase, certificate
from remote import Remote

ROWS = ["%s%d" % (letter, number) for letter, last in (("A", 14), ("V", 5), ("R", 11), ("M", 8)) for number in range(1, last + 1)]
ROWS += ["I2", "I3", "I4"]


class Book(TestCase):
    """One test for each section, made below."""

    template = None

    @classmethod
    def data(cls):
        """The store that every example begins with; it is made once."""
        if cls.template is None:
            maker = Server(name="template")
            maker.add_domain("example.org")
            maker.add_accounts(*PEOPLE)
            cls.template = maker.data
        return cls.template

    def example(self, partner=False):
        remote = Remote(certificate=certificate())
        self.addCleanup(remote.close)
        server = self.server(
            name="book", hostname="mail.example.org",
            destinations={domain: ("127.0.0.1", remote.port) for domain in ("far.example", "partner.example")})
        shutil.copytree(self.data(), server.data)
        server.set("web", url="http://127.0.0.1:%d" % server.ports["web"])
        server.start()
        return Example(server, remote, self.partner() if partner else None)

    def partner(self):
        """Another mail server, where one person has a mailbox."""
        server = self.server(name="partner", hostname="mail.partner.example")
        server.add_domain("partner.example")
        server.add_accounts("alice@partner.example")
        return server.start()

    def run_section(self, section):
        example = self.example(partner=any(PARTNER in step.command for step in section.steps))
        example.run(section)
        for server in filter(None, (example.relais, example.partner)):
            server.stop()


def add_tests():
    """A test method for each section: `-k a06` runs one."""
    seen = set()
    for section in sections(PAGE.read_text()):
        name = "test_%s%02d" % (section.row[0].lower(), int(section.row[1:]))
        assert name not in seen, "%s has two sections" % section.row
        seen.add(name)
        setattr(Book, name, lambda self, section=section: self.run_section(section))


add_tests()


class Differences(Book):
    """An example that does not hold is told with its section, its line and the difference."""

    def failure(self, *lines):
        section, = sections("\n".join(("### A1 A section", "```relais") + lines + ("```",)))
        with self.assertRaises(AssertionError) as error:
            self.example().run(section)
        return str(error.exception)

    def test_wrong_examples_fail(self):
        told = self.failure("$ send c@far.example alice@example.org Hello", "250", "$ mailbox alice@example.org", "1 message: Good bye")
        self.assertIn("A1, line 5: $ mailbox alice@example.org", told)
        self.assertIn("1 message: Good bye", told)
        self.assertIn("1 message: Hello", told)
        self.assertIn("550 5.1.1", self.failure("$ send c@far.example nobody@example.org Hello", "250"))
        self.assertIn("exit code 1", self.failure("$ relais alias add x@example.com --to alice@example.org"))
        self.assertIn("exit code 0", self.failure("$ relais account list", "relais: no"))
        self.assertIn("no command", self.failure("$ sned c@far.example alice@example.org Hello"))

    def test_nothing_is_said_before_it_is_sure(self):
        # An answer takes a moment: that none has come yet does not mean that none comes.
        example = self.example()
        steps = ["$ relais responder add bob@example.org --subject Answer --text x --frequency 0"]
        for number in range(5):
            steps += ["$ send c%d@far.example bob@example.org Hello" % number, "250"]
        steps += ["$ outside c4@far.example", "no messages"]
        section, = sections("\n".join(["### A1 A section", "```relais"] + steps + ["```"]))
        with self.assertRaises(AssertionError) as error:
            example.run(section)
        self.assertIn("1 message: Answer", str(error.exception))

    def test_what_leaves_unseen_fails(self):
        told = self.failure("$ submit alice@example.org c@far.example Secret", "250")
        self.assertIn("c@far.example: Secret", told)


for inherited in [name for name in dir(Book) if re.match(r"test_[avrmi]\d\d$", name)]:
    setattr(Differences, inherited, None)


class Page(unittest.TestCase):
    """What the page has to have."""

    @classmethod
    def setUpClass(cls):
        cls.sections = sections(PAGE.read_text())
        names = set()
        for path in (ROOT / "crates").rglob("*.rs"):
            names |= set(re.findall(r"\bfn ([a-z0-9_]+)", path.read_text()))
        cls.rust = names

    def test_every_row_has_its_section_in_order(self):
        self.assertEqual([section.row for section in self.sections], ROWS)

    def test_every_section_has_an_example_that_shows_something(self):
        for section in self.sections:
            with self.subTest(section.row):
                self.assertTrue(section.steps, "there is no example")
                self.assertTrue([step for step in section.steps if step.expected], "no output is shown")
                # A setting that is only written and read again shows no behaviour.
                verbs = {step.command.split()[0] for step in section.steps}
                self.assertTrue(verbs - {"relais", "echo"}, "nothing goes through SMTP or IMAP")

    def test_every_section_names_a_test_of_its_row_and_all_named_tests_exist(self):
        for section in self.sections:
            with self.subTest(section.row):
                rust, suites = section.tests()
                for name in rust:
                    self.assertIn(name, self.rust)
                token = "%s%02d" % (section.row[0].lower(), int(section.row[1:]))
                self.assertTrue([name for name in rust if token in name.split("_")], "no test of Rust is named after %s" % token)
                for suite, group, name in suites:
                    text = (ROOT / "tests/e2e" / suite).read_text()
                    self.assertRegex(text, r"(?s)class %s\b.*?def %s\b" % (group, name))

    def test_the_table_behind_the_rows_names_tests_that_exist(self):
        table = PAGE.read_text().partition("## What is promised beyond one row")[2]
        rows = [line for line in table.splitlines() if line.startswith("| ") and not line.startswith("| promise")]
        self.assertGreater(len(rows), 20)
        for row in rows:
            promise, tests = row.strip("| ").rsplit(" | ", 1)
            with self.subTest(promise):
                for name in re.findall(r"`([a-z0-9_]+)`", tests):
                    self.assertIn(name, self.rust)
                suites = re.findall(r"`(test_\w+\.py) (\w+)\.(test_\w+)`", tests)
                self.assertEqual(tests.count("`"), 2 * (len(suites) + len(re.findall(r"`[a-z0-9_]+`", tests))))
                for suite, group, name in suites:
                    text = (ROOT / "tests/e2e" / suite).read_text()
                    self.assertRegex(text, r"(?s)class %s\b.*?def %s\b" % (group, name))

    def test_output_is_compared(self):
        self.assertTrue(fits(["a  b"], ["a b"]))
        self.assertTrue(fits(["a ... c"], ["a b c"]))
        self.assertTrue(fits(["...", "c", "..."], ["a", "b", "c", "d"]))
        self.assertTrue(fits(["c", "..."], ["c"]))
        self.assertFalse(fits(["a"], ["a", "b"]))
        self.assertFalse(fits(["a", "b"], ["a"]))
        self.assertFalse(fits(["...", "c"], ["a", "b"]))
        self.assertFalse(fits(["a.c"], ["abc"]))
        self.assertFalse(fits([], ["a"]))


if __name__ == "__main__":
    unittest.main()
