"""Marionette, by which Mozilla's programs are driven: lengths and JSON over a connection of loopback.

A message is `LENGTH:JSON`. The program greets; a command is `[0, number, name, parameters]`, its answer `[1, number, error, result]`.
The commands are WebDriver's with a prefix, and a few of its own.
"""

import json
import socket


class ScriptError(AssertionError):
    """What the program said instead of a result."""


class Marionette:
    """One session, in the program's own windows (the context `chrome`) and not in pages that they show."""

    def __init__(self, port, seconds=60):
        self.sock = socket.create_connection(("127.0.0.1", port), timeout=seconds)
        self.buffer = b""
        self.number = 0
        self.greeting = self._read()
        self.command("WebDriver:NewSession")
        self.command("Marionette:SetContext", {"value": "chrome"})
        self.command("WebDriver:SetTimeouts", {"script": (seconds - 5) * 1000})

    def close(self):
        self.sock.close()

    def _more(self):
        octets = self.sock.recv(65536)
        if not octets:
            raise ConnectionError("the program closed the connection")
        self.buffer += octets

    def _read(self):
        while b":" not in self.buffer:
            self._more()
        length, _, self.buffer = self.buffer.partition(b":")
        while len(self.buffer) < int(length):
            self._more()
        said, self.buffer = self.buffer[:int(length)], self.buffer[int(length):]
        return json.loads(said)

    def command(self, name, parameters=None):
        """One command and its result."""
        self.number += 1
        octets = json.dumps([0, self.number, name, parameters or {}]).encode()
        self.sock.sendall(b"%d:%s" % (len(octets), octets))
        while True:
            kind, number, error, result = self._read()
            if (kind, number) == (1, self.number):
                break
        if error:
            raise ScriptError("%s: %s\n%s" % (error.get("error"), error.get("message"), error.get("stacktrace", "")[:300]))
        return result.get("value", result) if isinstance(result, dict) else result

    def script(self, text, *arguments):
        """The body of an async function, run in the current window; what it returns."""
        wrapped = ("const [args, done] = [[...arguments].slice(0, -1), arguments[arguments.length - 1]];\n"
                   "(async () => {\n%s\n})().then(value => done({value}), error => done({error: String(error) + '\\n' + (error && error.stack)}));" % text)
        answer = self.command("WebDriver:ExecuteAsyncScript", {"script": wrapped, "args": list(arguments), "newSandbox": False, "sandbox": "system"})
        if "error" in answer:
            raise ScriptError("%s\nin: %s" % (answer["error"], text))
        return answer.get("value")
