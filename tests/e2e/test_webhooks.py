"""Webhooks (`relais webhook`), taken by a server of the test's own; the suppression list; one's own traces."""

import hashlib
import hmac
import http.server
import json
import threading

from harness import message, message_id, until
from remote import RelayCase

ALICE = "alice@near.test"


class Taker:
    """Takes calls on loopback; answers with the statuses that it is told, then with 200."""

    def __init__(self):
        self.calls, self.statuses = [], []
        taker = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                taker.calls.append(({name.lower(): value for name, value in self.headers.items()}, body))
                self.send_response(taker.statuses.pop(0) if taker.statuses else 200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()
        self.url = "http://127.0.0.1:%d/relais" % self.server.server_address[1]

    def told(self, mid):
        """The events that were told of a message, with what was told."""
        mid = mid.strip("<>")
        bodies = [json.loads(body) for _, body in list(self.calls)]
        return {body["event"]: body["told"] for body in bodies if body["told"].get("message_id") == mid}


class Webhooks(RelayCase):
    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_accounts(ALICE, "bob@near.test")
        server.add_alias("away@near.test", "alice@remote.test")
        server.set("webhooks", allow_private=True)

    def test_calls_are_signed_and_tell_what_became_of_a_message(self):
        taker = Taker()
        self.addCleanup(taker.server.shutdown)
        added = self.relais.json("webhook", "add", taker.url)
        self.assertNotIn(added["secret"], self.relais.cli("webhook", "show", str(added["id"])))
        mid = message_id("far.test")
        self.relais.send("writer@remote.test", "away@near.test", message(to="away@near.test", sender="writer@remote.test", mid=mid))
        told = until(lambda: (lambda told: told if "delivered" in told else None)(taker.told(mid)), what="the call")
        self.assertEqual(told["accepted"]["recipients"], ["away@near.test"])
        self.assertEqual(told["delivered"]["recipients"], ["alice@remote.test"])
        for headers, body in list(taker.calls):
            at, signed = (part.split("=", 1)[1] for part in headers["relais-signature"].split(","))
            self.assertEqual(signed, hmac.new(added["secret"].encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest())
        # One that fails is tried again, under its number.
        taker.statuses.append(500)
        self.relais.send("writer@remote.test", ALICE, message(to=ALICE, sender="writer@remote.test", mid=message_id("far.test")))
        ids = lambda: [headers["relais-event-id"] for headers, _ in list(taker.calls)]
        until(lambda: len(ids()) > len(set(ids())), what="the second attempt", seconds=90)
        self.relais.cli("webhook", "remove", str(added["id"]))
        self.relais.stop()
        self.relais.check()
        self.relais.start()

    def test_each_outcome_of_an_attempt_is_told_by_its_name(self):
        taker = Taker()
        self.addCleanup(taker.server.shutdown)
        added = self.relais.json("webhook", "add", taker.url, "--event", "deferred", "--event", "failed")
        self.addCleanup(self.relais.cli, "webhook", "remove", str(added["id"]))
        replies = ["451 4.2.0 Busy", "550 5.7.1 Closed", "451 4.2.0 Busy"]
        self.remote.decide = lambda verb, argument, session: replies.pop(0) if verb == "RCPT" and "busy@" in argument else None
        self.addCleanup(setattr, self.remote, "decide", lambda verb, argument, session: None)

        def submitted():
            mid = message_id("near.test")
            self.relais.submit(ALICE, "busy@remote.test", message(to="busy@remote.test", sender=ALICE, mid=mid))
            return mid, until(lambda: taker.told(mid).get("deferred"), what="the call about the first attempt")

        mid, deferred = submitted()
        self.assertEqual((deferred["sender"], deferred["recipients"], deferred["recipients_count"]), (ALICE, ["busy@remote.test"], 1))
        self.assertEqual((deferred["said"], deferred["host"]), ("451 4.2.0 Busy", "[127.0.0.1]"))
        self.assertGreater(deferred["next_attempt_millis"], 0)
        self.assertNotIn("failed", taker.told(mid))
        self.relais.cli("queue", "retry", str(deferred["queue_entry"]))
        failed = until(lambda: taker.told(mid).get("failed"), what="the call about the second attempt")
        self.assertEqual((failed["said"], failed["next_attempt_millis"]), ("550 5.7.1 Closed", None))
        self.assertEqual((failed["trace"], failed["queue_entry"]), (deferred["trace"], deferred["queue_entry"]))
        # An administrator's word ends it as a server's does.
        mid, deferred = submitted()
        self.relais.cli("queue", "cancel", str(deferred["queue_entry"]))
        failed = until(lambda: taker.told(mid).get("failed"), what="the call about what was cancelled")
        self.assertEqual((failed["recipients"], failed["host"], failed["trace"]), (["busy@remote.test"], None, deferred["trace"]))
        self.assertRegex(failed["said"], "^554 5.3.0 An administrator of this server has cancelled")

    def test_who_is_not_there_is_on_the_list(self):
        self.relais.cli("suppression", "add", "reader@remote.test", "--note", "asked by phone")
        self.assertIn("asked by phone", self.relais.cli("suppression", "list"))
        self.relais.cli("suppression", "remove", "reader@remote.test")
        self.assertEqual(self.relais.json("suppression", "list"), [])
