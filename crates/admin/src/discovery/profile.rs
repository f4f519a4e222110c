//! A configuration profile for Apple's systems: a property list with one payload of mail (`com.apple.mail.managed`).
//!
//! It is not signed, so that the person is asked before it is installed.

use std::fmt::Write;

use mail::Address;

use super::{Served, escape, preferred};
use crate::response::Endpoint;
use crate::settings::ConnectionSettings;

/// The profile of an address. `None`: the address has no login that could be written, or mail is not read or sent here.
#[must_use]
pub fn document(settings: &ConnectionSettings, served: &Served, address: &Address) -> Option<String> {
    let (incoming, outgoing) = preferred(settings)?;
    let login = served.login(address)?.to_string();
    let address = address.to_string();
    let mut mail = Dictionary::default();
    mail.text("EmailAccountDescription", &address);
    mail.text("EmailAccountType", "EmailTypeIMAP");
    mail.text("EmailAddress", &address);
    mail.server("Incoming", &incoming, &login);
    mail.server("Outgoing", &outgoing, &login);
    mail.flag("OutgoingPasswordSameAsIncomingPassword", true);
    mail.payload("com.apple.mail.managed", &address, "account");

    let mut profile = Dictionary::default();
    profile.raw("PayloadContent", &format!("<array>\n{}</array>", mail.finish()));
    profile.text("PayloadDescription", &format!("Mail for {address}"));
    profile.flag("PayloadRemovalDisallowed", false);
    profile.payload("Configuration", &address, "profile");
    let body = profile.finish();
    Some(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n{body}</plist>\n"
    ))
}

/// A dictionary of a property list, in the making.
#[derive(Default)]
struct Dictionary(String);

impl Dictionary {
    fn raw(&mut self, key: &str, value: &str) {
        // Writing to a String can't fail.
        write!(self.0, "<key>{key}</key>\n{value}\n").ok();
    }

    fn text(&mut self, key: &str, value: &str) {
        self.raw(key, &format!("<string>{}</string>", escape(value)));
    }

    fn flag(&mut self, key: &str, value: bool) {
        self.raw(key, if value { "<true/>" } else { "<false/>" });
    }

    /// With `UseSSL`, the system takes STARTTLS where the port has no TLS from the start.
    fn server(&mut self, way: &str, endpoint: &Endpoint, login: &str) {
        self.text(&format!("{way}MailServerAuthentication"), "EmailAuthPassword");
        self.text(&format!("{way}MailServerHostName"), &endpoint.host);
        self.raw(&format!("{way}MailServerPortNumber"), &format!("<integer>{}</integer>", endpoint.port));
        self.flag(&format!("{way}MailServerUseSSL"), true);
        self.text(&format!("{way}MailServerUsername"), login);
    }

    /// What every payload has. The same address always has the same identifiers, so that a profile takes the place of
    /// the one before.
    fn payload(&mut self, kind: &str, address: &str, part: &str) {
        self.text("PayloadDisplayName", address);
        self.text("PayloadIdentifier", &format!("relais.{part}.{address}"));
        self.text("PayloadType", kind);
        self.text("PayloadUUID", &uuid(&format!("{part}:{}", address.to_lowercase())));
        self.raw("PayloadVersion", "<integer>1</integer>");
    }

    fn finish(self) -> String {
        format!("<dict>\n{}</dict>\n", self.0)
    }
}

/// A UUID of version 8 (RFC 9562 §5.8) that is the same for the same text: FNV-1a with 128 bits. It tells apart, and
/// proves nothing.
fn uuid(text: &str) -> String {
    let hash = text.bytes().fold(FNV_OFFSET, |hash, byte| (hash ^ u128::from(byte)).wrapping_mul(FNV_PRIME));
    let marked = hash & !(0xF << 76) & !(0x3 << 62) | (0x8 << 76) | (0x2 << 62);
    let hex = format!("{marked:032X}");
    let part = |range: std::ops::Range<usize>| hex.get(range).unwrap_or_default();
    format!("{}-{}-{}-{}-{}", part(0..8), part(8..12), part(12..16), part(16..20), part(20..32))
}

const FNV_OFFSET: u128 = 0x6c62_272e_07bb_0142_62b8_2175_6295_c58d;
const FNV_PRIME: u128 = 0x0000_0000_0100_0000_0000_0000_0000_013b;

#[cfg(test)]
mod tests {
    use super::super::tests::{served, settings};
    use super::*;

    #[test]
    fn m05_apple_is_told_servers_ports_and_login() {
        let address = Address::parse("o'hara&co@example.net").unwrap();
        let text = document(&settings(), &served(), &address).unwrap();
        for wanted in [
            "<key>EmailAddress</key>\n<string>o&apos;hara&amp;co@example.net</string>",
            "<key>IncomingMailServerUsername</key>\n<string>o&apos;hara&amp;co@example.org</string>",
            "<key>IncomingMailServerHostName</key>\n<string>mail.example.org</string>",
            "<key>IncomingMailServerPortNumber</key>\n<integer>993</integer>",
            "<key>IncomingMailServerUseSSL</key>\n<true/>",
            "<key>OutgoingMailServerPortNumber</key>\n<integer>465</integer>",
        ] {
            assert!(text.contains(wanted), "{wanted} in\n{text}");
        }
        assert_eq!(text, document(&settings(), &served(), &address).unwrap());
    }

    #[test]
    fn m05_identifiers_of_profiles_are_uuids_that_stay() {
        let one = uuid("account:alice@example.org");
        assert_ne!(one, uuid("profile:alice@example.org"));
        let lengths: Vec<usize> = one.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12], "{one}");
        assert_eq!(one.as_bytes()[14], b'8', "{one}");
        assert!(b"89AB".contains(&one.as_bytes()[19]), "{one}");
    }
}
