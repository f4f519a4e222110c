"""A milter over Debian's pymilter (Sendmail's libmilter): does what the subject of a message says.

    /usr/bin/python3 pymilter.py inet:8891@127.0.0.1
"""

import sys
import time

import Milter


class Filter(Milter.Base):
    def __init__(self):
        self.id = Milter.uniqueID()
        self.helo = self.client = ""

    def connect(self, name, family, address):
        self.client = address[0] if address else ""
        return Milter.CONTINUE

    def hello(self, name):
        self.helo = name
        return Milter.CONTINUE

    def envfrom(self, sender, *parameters):
        self.sender, self.subject, self.octets, self.fields = sender, "", 0, []
        self.login = self.getsymval("{auth_authen}") or ""
        return Milter.CONTINUE

    def envrcpt(self, to, *parameters):
        if "unwanted" in to:
            self.setreply("550", "5.7.1", "Not this one")
            return Milter.REJECT
        return Milter.CONTINUE

    def header(self, name, value):
        self.fields.append(name)
        if name.lower() == "subject":
            self.subject = value
        return Milter.CONTINUE

    def eoh(self):
        return Milter.CONTINUE

    def body(self, piece):
        self.octets += len(piece)
        return Milter.CONTINUE

    def eom(self):
        told = "helo=%s client=%s login=%s from=%s octets=%d id=%s" % (
            self.helo, self.client, self.login, self.sender, self.octets, self.getsymval("i"))
        self.addheader("X-Seen", told)
        if "refuse" in self.subject:
            self.setreply("554", "5.7.9", "No, thank you")
            return Milter.REJECT
        if "later" in self.subject:
            return Milter.TEMPFAIL
        if "throw away" in self.subject:
            return Milter.DISCARD
        if "quarantine" in self.subject:
            self.quarantine("EICAR found")
        if "change" in self.subject:
            self.chgheader("Subject", 1, "Another subject")
            self.chgheader("X-Old", 1, "")
            self.addheader("X-Inserted", "here", 1)
            for _ in range(3_000):
                self.replacebody(b"Another body, line by line.\n")
            self.addrcpt("<bob@near.test>")
            self.chgfrom("<other@far.test>")
        if "stand still" in self.subject:
            time.sleep(600)
        return Milter.ACCEPT


if __name__ == "__main__":
    Milter.factory = Filter
    Milter.set_flags(Milter.ADDHDRS | Milter.CHGHDRS | Milter.CHGBODY | Milter.ADDRCPT | Milter.DELRCPT | Milter.QUARANTINE | Milter.CHGFROM)
    Milter.runmilter("relais-test", sys.argv[1], 600)
