"""What other servers report on a domain: DMARC and TLS reports that arrive as mail, and what is shown of them."""

import email.mime.application
import email.mime.multipart
import email.mime.text
import gzip
import io
import json
import time
import zipfile

from harness import PASSWORD, ServerCase, message_id, until

READER = "dmarc@near.test"
BOSS = "boss@other.test"
DAY = 86400


def dmarc(domain, rows, begin, number="1", org="big.test"):
    records = "".join(
        "<record><row><source_ip>%s</source_ip><count>%d</count><policy_evaluated><disposition>%s</disposition>"
        "<dkim>%s</dkim><spf>%s</spf></policy_evaluated></row><identifiers><header_from>%s</header_from></identifiers>"
        "<auth_results><spf><domain>%s</domain><result>%s</result></spf></auth_results></record>"
        % (ip, count, disposition, dkim, spf, domain, "bulk.test", "pass")
        for ip, count, disposition, dkim, spf in rows)
    return ("<?xml version='1.0'?><feedback><report_metadata><org_name>%s</org_name><email>x@%s</email><report_id>%s</report_id>"
            "<date_range><begin>%d</begin><end>%d</end></date_range></report_metadata><policy_published><domain>%s</domain>"
            "<p>none</p></policy_published>%s</feedback>" % (org, org, number, begin, begin + DAY - 1, domain, records)).encode()


def zipped(name, content):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return out.getvalue()


def letter(subtype, name, content, mid):
    whole = email.mime.multipart.MIMEMultipart()
    whole["From"], whole["To"], whole["Subject"], whole["Message-ID"] = "reports@big.test", READER, "Report", mid
    whole.attach(email.mime.text.MIMEText("A report is attached."))
    part = email.mime.application.MIMEApplication(content, subtype)
    part.add_header("Content-Disposition", "attachment", filename=name)
    whole.attach(part)
    return whole.as_bytes().replace(b"\n", b"\r\n")


class Reports(ServerCase):

    @classmethod
    def prepare(cls, server):
        server.add_domain("near.test")
        server.add_domain("other.test")
        server.add_accounts(READER, BOSS)
        server.set("sender_authentication", reports_to=[READER])

    def setUp(self):
        # The middle of a day that is over: none of the counts depends on when the test runs.
        self.begin = int(time.time()) // DAY * DAY - 3 * DAY

    def trace(self, mid):
        return self.relais.cli("trace", "--message-id", mid)

    def hand_over(self, subtype, name, content):
        """Sends a report, and gives what its trace says of it."""
        mid = message_id("big.test")
        self.relais.send("reports@big.test", READER, letter(subtype, name, content, mid))
        return until(lambda: [line for line in self.trace(mid).splitlines() if "report" in line and "kept" in line or "known already" in line],
                     what="the report of " + mid)[0]

    def test_reports_are_read_and_shown_by_source(self):
        before = len(self.relais.messages(READER))
        rows = [("192.0.2.1", 40, "none", "pass", "pass"), ("192.0.2.9", 7, "none", "fail", "fail"), ("2001:db8::1", 2, "quarantine", "fail", "fail")]
        one = dmarc("near.test", rows, self.begin)
        self.assertIn("kept as the DMARC report of big.test on near.test", self.hand_over("zip", "big.test!near.test.zip", zipped("r.xml", one)))
        self.assertIn("is known already", self.hand_over("gzip", "big.test!near.test.xml.gz", gzip.compress(one)))
        two = dmarc("near.test", [("192.0.2.9", 3, "none", "fail", "fail")], self.begin + DAY, number="2", org="huge.test")
        self.assertIn("0 messages passed, 3 failed", self.hand_over("xml", "r.xml", two))
        other = dmarc("other.test", [("192.0.2.1", 5, "none", "pass", "fail")], self.begin)
        self.hand_over("octet-stream", "r.gz", gzip.compress(other))
        # What is none, or none of this server's business, is mail like any other.
        self.assertIn("which is no domain of this server", self.hand_over("xml", "r.xml", dmarc("far.test", rows, self.begin)))
        bomb = gzip.compress(b"<feedback>" + b" " * (40 << 20))
        self.assertIn("it is larger than a report can be", self.hand_over("gzip", "r.gz", bomb))
        self.assertEqual(len(self.relais.messages(READER)), before + 6)

        shown = self.relais.cli("dmarc", "reports", "near.test")
        self.assertIn("near.test: 2 reports of big.test, huge.test", shown)
        self.assertIn("2 of them may be forged", shown)
        self.assertIn("52 messages, 40 of them passed", shown)
        self.assertIn("2 of 3 sources fail: their mail is taken all the same (p=none)", shown)
        self.assertIn("192.0.2.9: 10 messages from near.test without SPF or DKIM in its name (SPF: pass for bulk.test; DKIM: not signed)", shown)
        told = self.relais.json("dmarc", "reports")
        self.assertEqual([(view["domain"], view["reports"], view["messages"]) for view in told], [("near.test", 2, 52), ("other.test", 1, 5)])
        first = told[0]["sources"][0]
        self.assertEqual([first[key] for key in ("source", "messages", "spf", "dkim", "passed")], ["192.0.2.1", 40, 40, 40, 40])
        self.assertEqual(told[0]["sources"][2]["quarantined"], 2)
        # Who administers one domain sees that one.
        self.relais.cli("account", "set", BOSS, "--role", "domain-administrator", "--administers", "other.test")
        as_boss = lambda *words: self.relais.run("--as", BOSS, "--as-password-file", "-", *words, stdin=PASSWORD + "\n")
        listed = as_boss("dmarc", "reports").stdout
        self.assertIn("other.test: 1 report", listed)
        self.assertNotIn("near.test:", listed)
        denied = as_boss("dmarc", "reports", "near.test")
        self.assertEqual((denied.returncode, denied.stdout), (1, ""))
        # They are rows: a restart and a check find them.
        self.relais.stop()
        self.relais.check()
        self.relais.start()
        self.assertIn("2 reports", self.relais.cli("dmarc", "reports", "near.test"))

    def test_tls_reports_are_read_and_shown(self):
        day = time.strftime("%Y-%m-%d", time.gmtime(self.begin))
        report = {
            "organization-name": "Big", "contact-info": "tls@big.test", "report-id": "7",
            "date-range": {"start-datetime": day + "T00:00:00Z", "end-datetime": day + "T23:59:59Z"},
            "policies": [{"policy": {"policy-type": "sts", "policy-domain": "near.test"},
                          "summary": {"total-successful-session-count": 20, "total-failure-session-count": 4},
                          "failure-details": [{"result-type": "certificate-expired", "receiving-mx-hostname": "mx.near.test",
                                               "failed-session-count": 4}]}],
        }
        self.assertIn("kept as the TLS report of Big", self.hand_over("tlsrpt+gzip", "r.json.gz", gzip.compress(json.dumps(report).encode())))
        shown = self.relais.cli("tls", "reports", "near.test")
        self.assertIn("20 sessions succeeded, 4 failed", shown)
        self.assertIn("4 sessions failed at mx.near.test: its certificate has expired", shown)

    def test_records_say_where_reports_go(self):
        shown = self.relais.cli("domain", "records", "other.test")
        self.assertIn('"v=DMARC1; p=none; rua=mailto:dmarc@near.test"', shown)
        self.assertIn("other.test._report._dmarc.near.test.", shown)
        self.assertIn('"v=TLSRPTv1; rua=mailto:dmarc@near.test"', shown)
