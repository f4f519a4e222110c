"""WebDriver (W3C) to Debian's headless Chromium: a page is read, and clicks and keys come as from a person."""

import base64
import json
import os
import signal
import subprocess
import urllib.error
import urllib.request

from harness import folder, free_port, until

# A loaded machine is slow, and a wait that ends well ends early.
SECONDS = 60
ELEMENT = "element-6066-11e4-a52e-4f735466cecf"
ENTER = "\ue007"
CONTROL = "\ue009"

ARGUMENTS = [
    "--headless=new", "--disable-gpu", "--disable-dev-shm-usage", "--no-first-run", "--no-default-browser-check", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--disable-default-apps", "--disable-extensions",
    "--window-size=1400,1000", "--lang=en-US", "--force-device-scale-factor=1",
]

SEEN = "return [...document.querySelectorAll(arguments[0])].find(one => one.getClientRects().length && getComputedStyle(one).visibility == 'visible');"


class BrowserError(AssertionError):
    """What the browser said instead of a result."""

    def __init__(self, kind, text):
        super().__init__("%s: %s" % (kind, text.split("\nStacktrace")[0]))
        self.kind = kind


class Browser:
    """One Chromium with one window."""

    def __init__(self):
        self.home = folder("chromium")
        self.log = self.home / "log"
        self.port = free_port()
        environment = dict(os.environ, HOME=str(self.home), TZ="UTC", LC_ALL="C.UTF-8")
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                ["chromedriver", "--port=%d" % self.port], env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True)
        try:
            self.session = ""
            until(self._ready, SECONDS, "chromedriver")
            # Chromium's own sandbox does not work for root, whom it meets here; nothing but our pages is shown.
            arguments = ARGUMENTS + ["--user-data-dir=%s" % (self.home / "profile")] + (["--no-sandbox"] if os.geteuid() == 0 else [])
            self.session = "/session/" + self.command("POST", "/session", {"capabilities": {"alwaysMatch": {
                "browserName": "chrome", "unhandledPromptBehavior": "accept",
                "goog:chromeOptions": {"args": arguments, "binary": "/usr/bin/chromium"}}}})["sessionId"]
        except BaseException:
            self.kill()
            raise

    def _ready(self):
        try:
            return self.command("GET", "/status")["ready"]
        except OSError:
            return False

    def kill(self):
        """Ends the driver and its browser at once."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # It has ended by itself.
        self.process.wait()

    def command(self, method, path, body=None):
        """One command and its result."""
        data = json.dumps(body or {}).encode() if method == "POST" else None
        request = urllib.request.Request(
            "http://127.0.0.1:%d%s%s" % (self.port, self.session, path), data=data, method=method, headers={"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=120) as answer:
                return json.load(answer)["value"]
        except urllib.error.HTTPError as error:
            with error:
                said = json.load(error)["value"]
            raise BrowserError(said["error"], said["message"]) from None

    # -- pages

    def go(self, url):
        self.command("POST", "/url", {"url": url})

    def script(self, text, *arguments):
        """The body of a function in the page; what it returns."""
        return self.command("POST", "/execute/sync", {"script": text, "args": list(arguments)})

    def wait(self, text, *arguments, what=None):
        """Waits until the body of a function gives something true, which is returned. A page that changes meanwhile is asked again."""
        def look():
            try:
                return self.script(text, *arguments)
            except BrowserError as error:
                if error.kind not in ("javascript error", "no such window", "stale element reference", "unknown error"):
                    raise
                return None
        return until(look, SECONDS, what or "%s %s" % (text, arguments))

    def frame(self, selector=None):
        """Looks into a frame of the page; without one, at the page again."""
        self.command("POST", "/frame", {"id": None})
        if selector:
            self.command("POST", "/frame", {"id": self.find(selector)})

    def find(self, selector):
        """The first element of a CSS selector that can be seen, waited for."""
        return self.wait(SEEN, selector, what="%s to be seen" % selector)

    def seen(self, selector):
        """The same if there is one now."""
        return self.script(SEEN, selector)

    def text(self, selector):
        return self.script("return arguments[0].innerText;", self.find(selector))

    # -- hands

    def _once_it_can(self, act):
        """Something may lie above an element for a moment, or the page may just be exchanged."""
        def attempt():
            try:
                act()
                return True
            except BrowserError as error:
                if error.kind not in ("element click intercepted", "element not interactable", "stale element reference"):
                    raise
                return False
        until(attempt, SECONDS, "an element that can be clicked")

    def click(self, selector):
        self.click_on(lambda: self.find(selector))

    def click_on(self, find):
        """Clicks what a function finds."""
        self._once_it_can(lambda: self.command("POST", "/element/%s/click" % find()[ELEMENT]))

    def type(self, selector, text, clear=True):
        """Types into a field, in place of what is in it."""
        def act():
            field = "/element/%s/" % self.find(selector)[ELEMENT]
            if clear:
                self.command("POST", field + "clear")
            self.command("POST", field + "value", {"text": text})
        self._once_it_can(act)

    def choose(self, selector, value):
        """Chooses in a `select`."""
        option = self.script("return [...arguments[0].options].find(one => one.value == arguments[1]);", self.find(selector), value)
        self.click_on(lambda: option)

    def _pointer(self, *actions):
        self.command("POST", "/actions", {"actions": [{"type": "pointer", "id": "mouse", "parameters": {"pointerType": "mouse"}, "actions": list(actions)}]})

    def drag(self, source, target):
        """Drags one element onto another, over some points between."""
        move = {"type": "pointerMove", "duration": 100}
        self._pointer(
            dict(move, origin=source, x=0, y=0), {"type": "pointerDown", "button": 0}, dict(move, origin="pointer", x=-15, y=5),
            dict(move, origin="pointer", x=-15, y=5), dict(move, origin=target, x=5, y=0), dict(move, origin=target, x=0, y=0),
            {"type": "pointerUp", "button": 0})

    def screenshot(self, name):
        """What the window shows as a PNG, whose path is returned."""
        path = self.home / (name + ".png")
        path.write_bytes(base64.b64decode(self.command("GET", "/screenshot")))
        return path
