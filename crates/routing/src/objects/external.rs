//! External accounts: mailboxes elsewhere whose mail is fetched into an account here (M8).

use std::fmt;

use mail::{Address, Domain, Timestamp};
use serde::{Deserialize, Serialize};

use super::yes;

/// What the other server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExternalProtocol {
    /// IMAP (RFC 3501): folders, flags and dates are kept.
    Imap,
    /// POP3 (RFC 1939): one mailbox.
    Pop3,
}

/// How the connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExternalSecurity {
    /// TLS from the start (RFC 8314).
    #[default]
    Tls,
    /// STARTTLS or STLS, or not at all.
    Starttls,
    /// Plain text: to this machine itself only.
    None,
}

/// What becomes of a message on the other server once it is here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AfterFetch {
    /// It stays.
    #[default]
    Leave,
    /// It is deleted there.
    Delete,
    /// It is deleted there so many days after it was fetched.
    DeleteAfterDays(u32),
}

/// A password as it is stored: encrypted, bound to the number of its external account. Not even that is printed.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct SealedPassword(pub String);

impl fmt::Debug for SealedPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealedPassword(..)")
    }
}

/// A folder of the other server that is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalFolder {
    /// Its name there, in UTF-8.
    pub remote: String,
    /// The mailbox here; `None`: the external account's own.
    #[serde(default)]
    pub local: Option<String>,
}

/// A mailbox elsewhere whose mail is fetched.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalAccountObject {
    /// Its number, 1 and up, never used again.
    pub id: u64,
    /// Primary address of the account here that gets the mail.
    pub owner: Address,
    /// What its owner calls it.
    #[serde(default)]
    pub name: String,
    /// What the other server speaks.
    pub protocol: ExternalProtocol,
    /// The other server, by name or as an address literal.
    pub host: Domain,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    #[serde(default)]
    pub security: ExternalSecurity,
    /// Certificates in PEM that are trusted beside nothing else; `None`: the public ones.
    #[serde(default)]
    pub ca_pem: Option<String>,
    /// The login there.
    pub login: String,
    /// The password there.
    #[serde(default)]
    pub password: Option<SealedPassword>,
    /// Folders to fetch from; none: INBOX. IMAP only.
    #[serde(default)]
    pub folders: Vec<ExternalFolder>,
    /// The mailbox here; made when it is not there.
    #[serde(default = "inbox")]
    pub mailbox: String,
    /// Seconds from the end of one look to the next.
    #[serde(default = "five_minutes")]
    pub interval_secs: u64,
    /// What becomes of a message there.
    #[serde(default)]
    pub after_fetch: AfterFetch,
    /// Switched on. Off, nothing is fetched, and everything that was fetched stays.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// When it was made.
    #[serde(default)]
    pub created_at: Timestamp,
}

impl ExternalAccountObject {
    /// An external account with every field at its default: TLS at the usual port, INBOX into INBOX every five minutes,
    /// messages stay there. The store gives the number.
    #[must_use]
    pub fn new(owner: Address, protocol: ExternalProtocol, host: Domain, login: String) -> Self {
        Self {
            id: 0,
            owner,
            name: String::new(),
            protocol,
            host,
            port: protocol.port(ExternalSecurity::Tls),
            security: ExternalSecurity::Tls,
            ca_pem: None,
            login,
            password: None,
            folders: Vec::new(),
            mailbox: inbox(),
            interval_secs: five_minutes(),
            after_fetch: AfterFetch::Leave,
            enabled: true,
            created_at: Timestamp(0),
        }
    }

    /// The folders to fetch from, each with its mailbox here.
    pub fn folder_pairs(&self) -> Vec<(String, String)> {
        if self.folders.is_empty() || self.protocol == ExternalProtocol::Pop3 {
            return vec![(inbox(), self.mailbox.clone())];
        }
        let local = |folder: &ExternalFolder| folder.local.clone().unwrap_or_else(|| self.mailbox.clone());
        self.folders.iter().map(|folder| (folder.remote.clone(), local(folder))).collect()
    }

    /// Whether the host is this machine by its very name: then plain text may be asked for.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.host.as_str().eq_ignore_ascii_case("localhost")
            || self.host.as_literal().is_some_and(|ip| ip.is_loopback())
    }
}

impl ExternalProtocol {
    /// Its usual port.
    #[must_use]
    pub const fn port(self, security: ExternalSecurity) -> u16 {
        match (self, security) {
            (Self::Imap, ExternalSecurity::Tls) => 993,
            (Self::Imap, ExternalSecurity::Starttls | ExternalSecurity::None) => 143,
            (Self::Pop3, ExternalSecurity::Tls) => 995,
            (Self::Pop3, ExternalSecurity::Starttls | ExternalSecurity::None) => 110,
        }
    }

    /// Its name, for people.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Imap => "IMAP",
            Self::Pop3 => "POP3",
        }
    }
}

fn inbox() -> String {
    "INBOX".to_owned()
}

fn five_minutes() -> u64 {
    300
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made() -> ExternalAccountObject {
        let owner = Address::parse("alice@a.example").unwrap();
        let host = Domain::parse("imap.b.example").unwrap();
        ExternalAccountObject::new(owner, ExternalProtocol::Imap, host, "alice".to_owned())
    }

    #[test]
    fn m08_the_password_does_not_print_itself_even_sealed() {
        let one = ExternalAccountObject { password: Some(SealedPassword("c2VhbGVk".to_owned())), ..made() };
        assert!(!format!("{one:?}").contains("c2VhbGVk"));
    }

    #[test]
    fn m08_what_an_older_store_does_not_have_gets_its_default() {
        let json = r#"{"id":0,"owner":"alice@a.example","protocol":"imap","host":"imap.b.example","port":993,"login":"alice"}"#;
        assert_eq!(serde_json::from_str::<ExternalAccountObject>(json).unwrap(), made());
    }

    #[test]
    fn m08_folders_lead_to_their_own_mailboxes_or_to_the_common_one() {
        assert_eq!(made().folder_pairs(), [("INBOX".to_owned(), "INBOX".to_owned())]);
        let folder = |remote: &str, local: Option<&str>| ExternalFolder {
            remote: remote.to_owned(),
            local: local.map(str::to_owned),
        };
        let folders = vec![folder("A", None), folder("B", Some("Archive"))];
        let one = ExternalAccountObject { folders, mailbox: "Old".to_owned(), ..made() };
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(one.folder_pairs(), [pair("A", "Old"), pair("B", "Archive")]);
        let pop = ExternalAccountObject { protocol: ExternalProtocol::Pop3, ..one };
        assert_eq!(pop.folder_pairs(), [pair("INBOX", "Old")]);
    }

    #[test]
    fn m08_this_machine_is_known_by_name_or_number() {
        for (host, is) in [("localhost", true), ("imap.b.example", false)] {
            assert_eq!(ExternalAccountObject { host: Domain::parse(host).unwrap(), ..made() }.is_loopback(), is);
        }
        let number = |text: &str| Domain::literal(text.parse().unwrap());
        assert!(ExternalAccountObject { host: number("127.0.0.1"), ..made() }.is_loopback());
        assert!(!ExternalAccountObject { host: number("192.0.2.1"), ..made() }.is_loopback());
    }
}
