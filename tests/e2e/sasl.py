"""Mechanisms of SASL that the standard library has not."""

import base64
import hashlib
import hmac
import os


class Scram:
    """A client of SCRAM, from RFC 5802: what imaplib's `authenticate` calls with each challenge."""

    def __init__(self, user, password, hash_name, gs2="n,,", binding=b""):
        self.password, self.hash, self.gs2, self.binding = password.encode(), hash_name, gs2, binding
        self.bare = "n=%s,r=%s" % (user.replace("=", "=3D").replace(",", "=2C"), os.urandom(18).hex())
        self.step, self.expected = 0, None

    def mac(self, key, octets):
        return hmac.new(key, octets, self.hash).digest()

    def __call__(self, challenge):
        self.step += 1
        if self.step == 1:
            return (self.gs2 + self.bare).encode()
        if self.step == 2:
            first = challenge.decode()
            fields = dict(field.split("=", 1) for field in first.split(","))
            salted = hashlib.pbkdf2_hmac(self.hash, self.password, base64.b64decode(fields["s"]), int(fields["i"]))
            last = "c=%s,r=%s" % (base64.b64encode(self.gs2.encode() + self.binding).decode(), fields["r"])
            said = ("%s,%s,%s" % (self.bare, first, last)).encode()
            key = self.mac(salted, b"Client Key")
            signature = self.mac(hashlib.new(self.hash, key).digest(), said)
            proof = bytes(a ^ b for a, b in zip(key, signature))
            self.expected = b"v=" + base64.b64encode(self.mac(self.mac(salted, b"Server Key"), said))
            return ("%s,p=%s" % (last, base64.b64encode(proof).decode())).encode()
        if challenge != self.expected:
            raise AssertionError("the server does not know the password: %r" % challenge)
        return b""
