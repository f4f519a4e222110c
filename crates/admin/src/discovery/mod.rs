//! How mail programs find the connection settings by themselves, from nothing but an address (M5).
//!
//! Four ways that programs know, all made from the same [`ConnectionSettings`]: [`autoconfig`] (Thunderbird and others),
//! [`autodiscover`] (Outlook), [`profile`] (Apple), and [`records`] of the DNS (RFC 6186, RFC 8314). Pure: who asks over HTTP is
//! the server's affair.
//!
//! **Invariant:** an answer depends on the domain alone, never on whether somebody has a mailbox there.

pub mod autoconfig;
pub mod autodiscover;
pub mod profile;
pub mod records;

use mail::{Address, Domain};
use routing::Directory;

use crate::response::Endpoint;
use crate::settings::ConnectionSettings;

/// A domain of this server, for which settings are told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Served {
    /// As it was asked for.
    pub domain: Domain,
    /// The one that logins are in: another one when the domain stands for that.
    pub login_domain: Domain,
}

impl Served {
    /// `None`: not a domain of this server, or one that is switched off.
    #[must_use]
    pub fn find(directory: &Directory, name: &Domain) -> Option<Self> {
        let found = directory.domain(name).filter(|found| found.enabled)?;
        let login_domain = found.alias_of.clone().unwrap_or_else(|| found.name.clone());
        Some(Self { domain: found.name.clone(), login_domain })
    }

    /// The login of an address in it, whether anybody has it or not.
    #[must_use]
    pub fn login(&self, address: &Address) -> Option<Address> {
        Address::new(address.local().as_str(), self.login_domain.clone()).ok()
    }
}

/// The service to be preferred for reading and the one for sending; the order of the settings decides: TLS from the start
/// before STARTTLS (RFC 8314 §3). `None`: mail is not read or not sent here.
fn preferred(settings: &ConnectionSettings) -> Option<(Endpoint, Endpoint)> {
    Some((settings.incoming().into_iter().next()?, settings.outgoing().into_iter().next()?))
}

/// Text for XML 1.0, in elements and attributes; characters that it can't have are left out (XML 1.0 §2.2).
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&apos;"),
            '\t' | '\n' | '\r' => out.push(c),
            c if c.is_control() || matches!(c, '\u{FFFE}' | '\u{FFFF}') => {}
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use routing::objects::{DomainObject, Object};

    use super::*;

    pub(super) fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    pub(super) fn settings() -> ConnectionSettings {
        ConnectionSettings {
            host: "mail.example.org".to_owned(),
            web: "https://pages.example.org/mail".to_owned(),
            ..ConnectionSettings::default()
        }
    }

    pub(super) fn served() -> Served {
        Served { domain: domain("example.net"), login_domain: domain("example.org") }
    }

    #[test]
    fn m05_settings_are_told_for_domains_of_ours_alone() {
        let mut directory = Directory::default();
        directory.put(Object::Domain(DomainObject::new(domain("example.org"))));
        let stands = DomainObject { alias_of: Some(domain("example.org")), ..DomainObject::new(domain("example.net")) };
        directory.put(Object::Domain(stands));
        directory.put(Object::Domain(DomainObject { enabled: false, ..DomainObject::new(domain("off.example")) }));
        let found = |name: &str| Served::find(&directory, &domain(name));
        assert_eq!(found("example.org").unwrap().login_domain, domain("example.org"));
        assert_eq!(found("EXAMPLE.net"), Some(served()));
        assert_eq!((found("off.example"), found("other.example")), (None, None));
        let alice = Address::parse("alice@example.net").unwrap();
        assert_eq!(served().login(&alice).unwrap().to_string(), "alice@example.org");
    }

    #[test]
    fn m05_nothing_that_was_sent_becomes_xml() {
        assert_eq!(escape("<a b=\"c\">'&\u{0}\u{1b}é\u{FFFE}"), "&lt;a b=&quot;c&quot;&gt;&apos;&amp;é");
    }
}
