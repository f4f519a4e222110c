"""Debian's Roundcube, served by PHP's own server from a configuration and a database of the test's."""

import os
import secrets
import signal
import sqlite3
import subprocess
import unittest
import urllib.error
import urllib.request
from pathlib import Path

from harness import PASSWORD, ServerCase, certificate, folder, free_port, log, loopback_up, message, namespace, needs, until
from webdriver import ELEMENT, ENTER, SECONDS, Browser

PACKAGE = Path("/usr/share/roundcube")
PUBLIC = Path("/var/lib/roundcube/public_html")
DEFAULTS = Path("/etc/roundcube")
INSTALLED = PUBLIC.exists() and (PACKAGE / "plugins/markasjunk").exists()

CONFIGURATION = """<?php
$config['db_dsnw'] = 'sqlite:///%(home)s/roundcube.sqlite?mode=0600';
$config['log_dir'] = '%(home)s/logs/';
$config['temp_dir'] = '%(home)s/temp/';
$config['des_key'] = '%(key)s';
$config['imap_host'] = 'ssl://localhost:%(imaps)d';
$config['smtp_host'] = 'tls://localhost:%(submission)d';
$config['smtp_user'] = '%%u';
$config['smtp_pass'] = '%%p';
$config['imap_conn_options'] = $config['smtp_conn_options'] = ['ssl' => ['verify_peer' => true, 'cafile' => '%(chain)s']];
$config['imap_debug'] = $config['smtp_debug'] = true;
$config['language'] = 'en_US';
$config['timezone'] = 'UTC';
$config['login_rate_limit'] = 100;
$config['draft_autosave'] = 0;
$config['enable_spellcheck'] = false;
$config['plugins'] = ['acl', 'archive', 'markasjunk'];
$config['skin'] = 'elastic';
$config['htmleditor'] = 0;
"""


class Roundcube:
    """One Roundcube for one server."""

    def __init__(self, relais):
        self.home = folder("roundcube")
        for name in ("logs", "temp", "config", "sessions"):
            (self.home / name).mkdir()
        for name in ("defaults.inc.php", "mimetypes.php"):
            (self.home / "config" / name).symlink_to(DEFAULTS / name)
        (self.home / "config/config.inc.php").write_text(CONFIGURATION % {
            "home": self.home, "key": secrets.token_hex(12), "chain": certificate().chain, **relais.ports})
        base = sqlite3.connect(self.home / "roundcube.sqlite")
        base.executescript((PACKAGE / "SQL/sqlite.initial.sql").read_text())
        base.close()
        self.port = free_port()
        self.url = "http://127.0.0.1:%d/" % self.port
        # One request at a time: of two at once, Roundcube sometimes forgets what one has put into the session, and with that new mail.
        environment = dict(os.environ, ROUNDCUBE_CONFIG_DIR=str(self.home / "config"), HOME=str(self.home), TZ="UTC")
        environment.pop("PHP_CLI_SERVER_WORKERS", None)
        with open(self.home / "log", "ab") as log:
            self.process = subprocess.Popen(
                ["php", "-d", "session.save_path=%s" % (self.home / "sessions"), "-S", "127.0.0.1:%d" % self.port, "-t", str(PUBLIC)],
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            until(self._ready, SECONDS, "Roundcube")
        except BaseException:
            self.kill()
            raise

    def _ready(self):
        if self.process.poll() is not None:
            raise AssertionError("PHP's server ended:\n%s" % (self.home / "log").read_text()[-3000:])
        try:
            with urllib.request.urlopen(self.url, timeout=60) as answer:
                return b"rcmloginuser" in answer.read()
        except urllib.error.HTTPError as error:
            with error:
                raise AssertionError("Roundcube does not work: %s\n%s" % (error, self.errors())) from None
        except OSError:
            return False

    def errors(self):
        """What Roundcube has complained of."""
        log = self.home / "logs/errors.log"
        return log.read_text(errors="replace") if log.exists() else ""

    def said(self):
        """The lines to and from the IMAP server."""
        log = self.home / "logs/imap.log"
        return log.read_text(errors="replace").splitlines() if log.exists() else []

    def kill(self):
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # It has ended by itself.
        self.process.wait()


# Rows that have been moved away stay in the page, unseen.
ROWS = "const rows = [...document.querySelectorAll('#messagelist tbody tr.message')].filter(row => row.getClientRects().length);\n"
SUBJECT = "row.querySelector('span.subject a').innerText.trim()"


class Webmail:
    """Roundcube's pages in a browser, used by one person."""

    def __init__(self, browser, roundcube):
        self.browser = browser
        self.roundcube = roundcube

    def log_in(self, user, password):
        """The page for logging in, of a browser that has no session; then the list of messages, or a refusal."""
        browser = self.browser
        browser.go(self.roundcube.url)
        browser.command("DELETE", "/cookie")
        browser.go(self.roundcube.url)
        browser.type("#rcmloginuser", user)
        browser.type("#rcmloginpwd", password)
        browser.click("#rcmloginsubmit")

    def idle(self):
        """Waits until the page has no request under way."""
        self.browser.wait("return window.rcmail && document.readyState == 'complete' && !rcmail.busy && window.jQuery && !jQuery.active;")

    def click(self, what):
        """Clicks a selector, or what a function finds, when the page is ready for it: busy, it listens to nothing."""
        self.idle()
        self.browser.click_on(what if callable(what) else lambda: self.browser.find(what))

    def menu(self, link, *items):
        """Opens a menu and goes through it: each item is a selector, or a function that gives the element or nothing yet.

        While a menu is closing, a click opens none, and what happens in the page may close one: then it is opened again.
        """
        def through():
            self.click(link)
            try:
                for item in items:
                    element = until(item if callable(item) else lambda: self.browser.seen(item), 3, "an item of the menu")
                    self.browser.command("POST", "/element/%s/click" % element[ELEMENT])
            except AssertionError as error:
                log("the menu %s again: %s" % (link, error))
                return False
            return True
        until(through, SECONDS, "the menu %s" % link)
        self.browser.wait("return !document.querySelector('.popover');", what="the menu to close")
        self.idle()

    # -- folders

    def folders(self):
        """Name -> unread messages, as the list at the left shows them, with the class that gives its picture."""
        self.browser.find("#mailboxlist")
        return {name: (kind, int(unread or 0)) for name, kind, unread in self.browser.script("""
            return [...document.querySelectorAll('#mailboxlist li.mailbox')].map(item => {
                const link = item.querySelector('a');
                const kind = ['inbox', 'drafts', 'sent', 'junk', 'trash', 'archive'].find(kind => item.classList.contains(kind));
                const count = link.querySelector('.unreadcount');
                return [link.childNodes[0].textContent.trim(), kind || '', count ? count.innerText : ''];
            });""")}

    def folder(self, name, tree="#mailboxlist"):
        """The link of a folder, waited for."""
        return until(lambda: self.seen_folder(name, tree), SECONDS, "the folder %s" % name)

    def seen_folder(self, name, tree):
        """The link of a folder if there is one now."""
        return self.browser.script("""
            return [...document.querySelectorAll(arguments[0] + ' li a')].find(
                link => link.getClientRects().length && link.childNodes[0].textContent.trim() == arguments[1]);
        """, tree, name)

    def open(self, name):
        self.click(lambda: self.folder(name))
        self.browser.wait("return !rcmail.busy && document.querySelector('#mailboxlist li.selected > a')?.childNodes[0].textContent.trim() == arguments[0];", name)
        self.idle()

    # -- messages

    def rows(self):
        """The list as it is on the screen: subject -> the words that tell its state."""
        return {subject: {word for word, holds in zip(("unread", "replied", "flagged", "attachment"), state) if holds}
                for subject, *state in self.browser.script(ROWS + """
            return rows.map(row => [""" + SUBJECT + """, row.classList.contains('unread'), Boolean(row.querySelector('.msgicon.replied')),
                                    row.classList.contains('flagged'), Boolean(row.querySelector('span.attachment span.attachment'))]);""")}

    def order(self):
        """The subjects from top to bottom."""
        return self.browser.script(ROWS + "return rows.map(row => " + SUBJECT + ");")

    def shows(self, *subjects):
        """Waits until the list has these and no others, in this order."""
        until(lambda: self.order() == list(subjects), SECONDS, "the list to be %s, and not %s" % (list(subjects), self.order()))

    def row(self, subject):
        return self.browser.wait(ROWS + "return rows.find(row => " + SUBJECT + " == arguments[0]);", subject, what="the row of %r" % subject)

    def select(self, subject):
        """Clicks a row; the message is shown beside, and its text returned."""
        self.click(lambda: self.row(subject))
        def look():
            try:
                self.browser.frame("#messagecontframe")
                shown = self.browser.script("""
                    const subject = document.querySelector('#message-header h2.subject');
                    return document.readyState == 'complete' && subject && [...subject.childNodes].map(one => one.textContent).join(' ');""")
                if shown and subject in shown:
                    return self.browser.text("#messagebody")
                return None
            finally:
                self.browser.frame()
        text = until(look, SECONDS, "the text of %r" % subject)
        self.idle()
        return text

    def refresh(self):
        self.click("a.refresh")
        self.idle()

    def mark(self, word):
        """One of the menu "Mark": read, unread, flag, unflag."""
        self.menu("#markmessagemenulink", "#markmessage-menu a.%s" % word)

    def move(self, name, kind="move"):
        """The menu "More", "Move to…" or "Copy to…"."""
        self.menu("#messagemenulink", "#message-menu a.%s" % kind, lambda: self.seen_folder(name, "#folder-selector"))

    def press(self, button):
        """A button of the bar above the message: delete, archive, junk, notjunk, reply."""
        self.click("#layout-content .toolbar a.%s:not(.disabled)" % button)

    def search(self, words, **options):
        """Types into the field for searching. Options: `where` (names of fields), `scope` (base, sub, all)."""
        self.idle()
        if options:
            if not self.browser.seen("#searchmenu"):
                self.click(".searchbar a.options")
            for name in ("subject", "sender", "recipient", "body", "text"):
                field = "#searchmenu input[value=%s]" % name
                if "where" in options and self.browser.script("return arguments[0].checked;", self.browser.find(field)) != (name in options["where"]):
                    self.click(field)
            self.browser.choose("#s_scope", options.get("scope", "base"))
        self.browser.type("#mailsearchform", words + ENTER)
        self.idle()

    def stop_searching(self):
        self.click(".searchbar a.reset")
        self.idle()

    def list_options(self, **values):
        """The dialog "List options": mode (list, threads), sort_col, sort_ord."""
        self.click("#listmenulink")
        for name, value in values.items():
            self.browser.choose(".ui-dialog select[name=%s]" % name, value)
        self.click(".ui-dialog button.save")
        self.browser.wait("return ![...document.querySelectorAll('.ui-dialog')].some(one => one.getClientRects().length);")
        self.idle()

    # -- writing

    def fill_in(self, to=None, subject=None, body=None, attachment=None):
        """What stands in the window for writing."""
        self.idle()
        if to:
            self.browser.type("ul.recipient-input li.input input", to + ",", clear=False)
        if subject:
            self.browser.type("#compose-subject", subject)
        if body:
            self.browser.type("#composebody", body, clear=False)
        if attachment:
            field = self.browser.wait("return document.querySelector('input[type=file]');")
            self.browser.command("POST", "/element/%s/value" % field[ELEMENT], {"text": str(attachment)})
            self.browser.wait(
                "return document.querySelector('#attachment-list li:not(.uploading) .attachment-name')?.innerText == arguments[0];", attachment.name)
        self.idle()

    def send(self):
        self.click("button.send")
        self.browser.wait("return window.rcmail && rcmail.env.action != 'compose' && document.querySelector('#messagelist');", what="the message to be sent")


# --- test cases -------------------------------------------------------------------------------------------------------

@needs("php")
@needs("chromium")
@needs("chromedriver")
@unittest.skipUnless(INSTALLED, "roundcube is not installed")
@namespace("net")
class RoundcubeCase(ServerCase):
    """Every test is somebody else's, who has a mailbox with a quota of 10 MiB and uses it in the one browser of the suite."""

    @classmethod
    def setUpClass(cls):
        loopback_up()
        super().setUpClass()
        cls.roundcube = Roundcube(cls.relais)
        cls.addClassCleanup(cls.roundcube.kill)
        cls.browser = Browser()
        cls.addClassCleanup(cls.browser.kill)
        cls.mail = Webmail(cls.browser, cls.roundcube)

    def setUp(self):
        self.user = self.id().rpartition(".test_")[2].replace("_", "-") + "@example.test"
        self.relais.add_account(self.user, quota=10 * 1024 * 1024)

    def tearDown(self):
        self.assertEqual(self.roundcube.errors(), "")

    def look(self):
        try:
            log("on the screen: %s" % self.browser.screenshot(self.id().rpartition(".")[2]))
        except (AssertionError, OSError) as error:
            log("no picture of the screen: %s" % error)
        log("with the IMAP server: %s" % "\n        ".join(self.roundcube.said()[-40:]))

    def log_in(self):
        self.mail.log_in(self.user, PASSWORD)
        self.browser.find("#messagelist-content")
        self.mail.idle()

    def deliver(self, *subjects, **options):
        for subject in subjects:
            self.relais.send("writer@remote.test", self.user, message(to=self.user, subject=subject, **options))

    def flags(self, mailbox="INBOX"):
        return self.relais.flags(self.user, mailbox)

    def mailboxes(self, command="list"):
        return self.relais.mailboxes(self.user, command)

    def becomes(self, check, what):
        """Waits until other sessions see what was done."""
        return until(check, SECONDS, what)
