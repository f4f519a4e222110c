"""Starts that must be refused, each with the reason and what to do: a locked store, a newer one, a wrong configuration."""

import re
import struct
import unittest

from harness import Certificate, TestCase, binary, folder, run


def crc32c_table():
    table = []
    for n in range(256):
        for _ in range(8):
            n = (n >> 1) ^ 0x82F63B78 if n & 1 else n >> 1
        table.append(n)
    return table


def crc32c(octets):
    """CRC-32C as RocksDB writes it: masked."""
    table, crc = crc32c_table(), 0xFFFFFFFF
    for octet in octets:
        crc = table[(crc ^ octet) & 0xFF] ^ (crc >> 8)
    crc ^= 0xFFFFFFFF
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def replace_in_log(path, old, new):
    """Replaces octets in the first record of a RocksDB log that has them, checksum included; whether there was one."""
    octets = bytearray(path.read_bytes())
    at = 0
    while at + 7 <= len(octets):
        if at % 32768 > 32768 - 7:
            at += 32768 - at % 32768
            continue
        size, kind = struct.unpack_from("<HB", octets, at + 4)
        payload = bytes(octets[at + 7:at + 7 + size])
        if kind and old in payload:
            payload = payload.replace(old, new, 1)
            octets[at + 7:at + 7 + size] = payload
            struct.pack_into("<I", octets, at, crc32c(bytes([kind]) + payload))
            path.write_bytes(octets)
            return True
        at += 7 + size
    return False


class Store(TestCase):

    def test_a_locked_store(self):
        first = self.server(name="first").start()
        second = self.server(name="second", data_dir=first.data)
        done = second.run("serve", timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"(?i)lock|in use|has it open|another")
        self.assertIn(str(first.data), done.stderr)
        # The first goes on, unharmed.
        first.add_domain("example.test")
        first.stop()

    def test_a_store_of_a_newer_version(self):
        server = self.server(name="newer").start()
        server.kill()
        # The version stamp is in the write-ahead log still: key of the table 1, part 0; four octets.
        stamped = False
        for path in sorted((server.data / "store").glob("*.log")):
            octets = path.read_bytes()
            for match in re.finditer(rb"\x01\x00{8}.{0,16}?\x04\x00\x00\x00\x01", octets, re.S):
                stamped = replace_in_log(path, match.group(0), match.group(0)[:-4] + struct.pack(">I", 99)) or stamped
        self.assertTrue(stamped, "the version stamp was not found in the log")
        done = server.run("serve", timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"(?i)newer version")
        self.assertIn("99", done.stderr)
        done = server.run("domain", "list")
        self.assertNotEqual(done.returncode, 0)
        self.assertRegex(done.stderr, r"(?i)newer version")

    def test_no_store_yet(self):
        server = self.server(name="none")
        done = run([binary(), "--config", server.config, "domain", "list"])
        self.assertEqual(done.returncode, 1)
        self.assertIn(str(server.data), done.stderr)
        self.assertIn("relais init", done.stderr)

    def test_a_port_in_use(self):
        first = self.server(name="first").start()
        second = self.server(name="second")
        second.make_store()
        second.ports["imaps"] = first.ports["imaps"]
        second.write_config()
        done = second.run("serve", timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn(str(first.ports["imaps"]), done.stderr)
        self.assertRegex(done.stderr, r"(?i)in use")
        first.stop()

    def test_a_certificate_without_its_file(self):
        server = self.server(name="tls")
        server.make_store()
        server.set("tls", certificate_file=server.home / "missing.pem")
        done = server.run("serve", timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("missing.pem", done.stderr)

    def test_a_key_of_another_certificate(self):
        server = self.server(name="tls")
        server.make_store()
        server.set("tls", key_file=Certificate(folder("other-tls")).key)
        done = server.run("serve", timeout=30)
        self.assertNotEqual(done.returncode, 0)
        self.assertTrue(done.stderr.strip())


class Configuration(TestCase):

    def serve(self, text):
        config = folder("config") / "relais.toml"
        config.write_text(text)
        done = run([binary(), "--config", config, "serve"], timeout=30)
        self.assertEqual(done.returncode, 1, done.stderr)
        self.assertEqual(done.stdout, "")
        return done.stderr.replace(str(config), "relais.toml")

    def test_a_wrong_key(self):
        self.assertIn("relais.toml:3:1: unknown key `recipients_mx`; did you mean `recipients_max`?", self.serve('hostname = "mx.a.test"\n[limits]\nrecipients_mx = 100\n'))

    def test_a_wrong_section(self):
        self.assertRegex(self.serve("[listener]\nmx = []\n"), r"relais\.toml:1:\d+: unknown key `listener`; did you mean `listeners`\?")

    def test_a_wrong_value(self):
        self.assertRegex(self.serve("[limits]\nrecipients_max = 5\n"), r"relais\.toml:2:\d+: .*least is 100")
        self.assertRegex(self.serve("[log]\nformat = \"jsn\"\n"), r"relais\.toml:2:\d+: .*did you mean `json`\?")
        self.assertRegex(self.serve("[listeners]\nmx = [\"here\"]\n"), r"relais\.toml:2:\d+: ")

    def test_broken_toml(self):
        self.assertRegex(self.serve("hostname = \n"), r"relais\.toml:1:\d+: ")

    def test_no_file(self):
        done = run([binary(), "--config", folder("config") / "none.toml", "serve"])
        self.assertEqual(done.returncode, 1)
        self.assertIn("relais init", done.stderr)

    def test_the_reference_is_taken(self):
        # The configuration that `init` writes is complete and commented.
        home = folder("init")
        done = run([binary(), "--config", home / "relais.toml", "init", "--domain", "example.test", "--data-dir", home / "data", "--json"])
        self.assertEqual(done.returncode, 0, done.stderr)
        text = (home / "relais.toml").read_text()
        self.assertIn("[listeners]", text)
        again = run([binary(), "--config", home / "relais.toml", "init", "--domain", "example.test", "--data-dir", home / "data"])
        self.assertEqual(again.returncode, 1)
        self.assertIn("there already", again.stderr)
        shown = run([binary(), "--config", home / "relais.toml", "config", "--json"])
        self.assertEqual(shown.returncode, 0, shown.stderr)


if __name__ == "__main__":
    unittest.main()
