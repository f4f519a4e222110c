//! What an administrator decides about a listener, and the handle that lets parts of it change while it runs.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use mail::Domain;
use parking_lot::RwLock;

use crate::limits::Limits;

/// What a listener is for; it decides what is demanded of a client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ListenerKind {
    /// Port 25: mail from other servers. No authentication.
    Mx,
    /// Port 587: STARTTLS, then AUTH, before anything else (RFC 6409 §4.3).
    Submission,
    /// Port 465: TLS from the first octet, AUTH before MAIL (RFC 8314 §3.3).
    Submissions,
    /// LMTP: another mail server of ours hands over what it has accepted (RFC 2033). No authentication; whom it lets in is
    /// the administrator's to decide by where it listens.
    Lmtp,
}

impl ListenerKind {
    /// Whether users hand in their own mail here.
    #[must_use]
    pub fn is_submission(self) -> bool {
        matches!(self, Self::Submission | Self::Submissions)
    }

    /// As a metric's label and a log show it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Mx => "mx",
            Self::Submission => "submission",
            Self::Submissions => "submissions",
            Self::Lmtp => "lmtp",
        }
    }
}

/// What a bare CR or LF inside a message gets. It never ends a line or a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BareNewlines {
    /// The message is read to its end and answered `550 5.6.11`.
    #[default]
    Refuse,
    /// Each becomes CRLF.
    Convert,
}

/// One listener's settings.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What the listener is for.
    pub kind: ListenerKind,
    /// This server's name, as greeting, EHLO and `Received` show it.
    pub host_name: Domain,
    /// Bounds; may be replaced while running.
    pub limits: Live<Limits>,
    /// Certificate and key; may be replaced while running. Without it STARTTLS is not offered.
    pub tls: Option<Live<rustls::ServerConfig>>,
    /// What a bare CR or LF inside a message gets.
    pub bare_newlines: BareNewlines,
    /// Whether the host can do SCRAM (RFC 5802); announced on submission ports only.
    pub scram: bool,
    /// Whether the host knows what URLs of IMAP name (RFC 4468); announced on submission ports only.
    pub burl: bool,
    /// Classes of solicitation that are not wanted here (RFC 3865): announced, and refused at MAIL.
    pub no_soliciting: Vec<String>,
    /// Whether AUTH offers OAUTHBEARER and XOAUTH2: the host must know an issuer.
    pub tokens: bool,
    /// Addresses whose connections begin with a PROXY header. Nobody else's may.
    pub proxies: Vec<IpAddr>,
    /// Addresses that may say XCLIENT.
    pub xclient_from: Vec<IpAddr>,
    /// Who keeps count of clients, and knows which are banned; `None`: nobody.
    pub door: Option<abuse::Door>,
}

/// Whether an address is in a list; an IPv4 address may come as IPv6.
pub(crate) fn names(list: &[IpAddr], address: IpAddr) -> bool {
    list.iter().any(|listed| listed.to_canonical() == address.to_canonical())
}

/// A value that can be replaced while others use it: each reader keeps the one it took.
pub struct Live<T>(Arc<RwLock<Arc<T>>>);

impl<T> Live<T> {
    /// Holds a first value.
    #[must_use]
    pub fn new(value: T) -> Self {
        Self::shared(Arc::new(value))
    }

    /// Holds a first value that is shared already.
    #[must_use]
    pub fn shared(value: Arc<T>) -> Self {
        Self(Arc::new(RwLock::new(value)))
    }

    /// The value of this moment.
    #[must_use]
    pub fn get(&self) -> Arc<T> {
        self.0.read().clone()
    }

    /// Whoever asks from now on gets this value.
    pub fn set(&self, value: Arc<T>) {
        *self.0.write() = value;
    }
}

impl<T> Clone for Live<T> {
    /// Another handle to the same value.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> fmt::Debug for Live<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Live(..)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reader_keeps_what_it_took() {
        let live = Live::new(1);
        let other = live.clone();
        let taken = live.get();
        other.set(Arc::new(2));
        assert_eq!((*taken, *live.get()), (1, 2));
    }
}
