"""Two servers whose responders answer each other, and between them a relay that takes off every mark by which one knows an answer."""

import email
import email.policy
import queue
import smtplib
import threading
import unittest

from harness import TestCase, message, message_id, until
from remote import Remote

MARKS = ("Auto-Submitted", "X-Auto-Response-Suppress", "X-Loop", "Precedence", "In-Reply-To", "References", "Return-Path", "List-Id")
# How many answers one sender gets from one responder in a day when the frequency is 0.
CAP = 20
FED = 300


class Evil(Remote):
    """Takes mail for one server from the other one, makes an ordinary message of each, and passes it on."""

    def __init__(self, to_port):
        self.to_port = to_port
        self.waiting = queue.Queue()
        self.passed = []
        self.failed = []
        super().__init__()
        threading.Thread(target=self._pass_on, daemon=True).start()

    def _keep(self, sender, recipients, content, session):
        self.waiting.put((recipients, content))
        super()._keep(sender, recipients, content, session)

    def _pass_on(self):
        while True:
            recipients, content = self.waiting.get()
            mail = email.message_from_bytes(content, policy=email.policy.SMTP)
            for mark in MARKS:
                del mail[mark]
            mail.replace_header("Message-ID", message_id("relay.test"))
            mail.replace_header("Subject", "A new thought")
            sender = mail["From"].addresses[0].addr_spec
            try:
                with smtplib.SMTP("127.0.0.1", self.to_port, timeout=30) as client:
                    client.sendmail(sender, recipients, mail.as_bytes())
            except (OSError, smtplib.SMTPException) as error:
                self.failed.append(repr(error))
            self.passed.append((sender, recipients))
            self.waiting.task_done()

    def at_rest(self):
        return self.waiting.unfinished_tasks == 0


class Loop(TestCase):

    def at_rest(self, servers, relays):
        """Nothing waits at the servers, nothing is on its way between them."""
        def still():
            return (all(server.metric("relais_responder_backlog") == 0 and not server.queue() for server in servers)
                    and all(relay.at_rest() for relay in relays))
        until(lambda: still() and still() and still(), 120, "both servers to be at rest")

    def test_answers_stop_at_the_cap(self):
        near = self.server(name="near", hostname="mx.near.example")
        far = self.server(name="far", hostname="mx.far.example")
        to_far, to_near = Evil(far.ports["mx"]), Evil(near.ports["mx"])
        for relay in (to_far, to_near):
            self.addCleanup(relay.close)
        for server, domain, other, relay in ((near, "near.example", "far.example", to_far), (far, "far.example", "near.example", to_near)):
            server.destinations = {other: ("127.0.0.1", relay.port)}
            server.write_config()
            server.add_domain(domain)
            server.add_accounts("robot@" + domain)
            server.add_responder("robot@" + domain, kind="autoresponder", subject="Beep", text="beep", frequency=0)
            server.start()
        servers, relays = (near, far), (to_far, to_near)

        # One message is enough to begin; each answer comes back as a message of its own.
        near.send("robot@far.example", "robot@near.example", message(to="robot@near.example", sender="robot@far.example"))
        until(lambda: min(len(to_far.messages), len(to_near.messages)) >= CAP, 120, "the robots to reach their cap")
        self.at_rest(servers, relays)
        self.assertEqual((len(to_far.messages), len(to_near.messages)), (CAP, CAP))
        # Some hundred more change nothing, neither at once nor after a restart.
        for server, sender, robot in ((near, "robot@far.example", "robot@near.example"), (far, "robot@near.example", "robot@far.example")):
            with smtplib.SMTP("127.0.0.1", server.ports["mx"], timeout=60) as client:
                for _ in range(FED // 2):
                    client.sendmail(sender, [robot], message(to=robot, sender=sender))
        self.at_rest(servers, relays)
        self.assertEqual((len(to_far.messages), len(to_near.messages)), (CAP, CAP))
        near.restart()
        near.send("Robot@FAR.example", "robot@near.example", message(to="robot@near.example", sender="Robot@FAR.example"))
        self.at_rest(servers, relays)
        self.assertEqual((len(to_far.messages), len(to_near.messages)), (CAP, CAP))
        self.assertEqual(to_far.failed + to_near.failed, [])
        # What came is kept, answered or not; what was answered is in Sent.
        self.assertEqual(len(near.messages("robot@near.example")), 1 + CAP + FED // 2 + 1)
        self.assertEqual(len(near.messages("robot@near.example", "Sent")), CAP)
        # Anybody else is answered as before.
        near.send("person@far.example", "robot@near.example", message(to="robot@near.example", sender="person@far.example"))
        to_far.wait_count(CAP + 1)
        near.stop()
        far.stop()


if __name__ == "__main__":
    unittest.main()
