//! What is known about a session: who connected, how, and as whom. Decisions and `Received` are made from it.

use std::fmt;
use std::net::SocketAddr;

use auth::TlsChannel;
use mail::AccountId;

use crate::settings::ListenerKind;

/// Names a session in logs and the message trace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// The TLS of a session.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TlsFacts {
    /// `TLSv1.3`, …
    pub version: String,
    /// The cipher suite's registered name, `TLS_AES_128_GCM_SHA256`, …
    pub cipher: String,
    /// What logins want to know of it.
    pub channel: TlsChannel,
}

/// Who a client has authenticated as.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The account.
    pub account: AccountId,
    /// The login name, in the form that the host prefers.
    pub login: String,
    /// A mark of the host's own, by which it knows later whether what let the client in still does.
    pub mark: u64,
}

/// What is known about a session.
#[derive(Clone, Debug)]
pub struct SessionFacts {
    /// Its name in logs.
    pub id: SessionId,
    /// What the listener is for.
    pub kind: ListenerKind,
    /// The client's address.
    pub remote: SocketAddr,
    /// The address that it connected to.
    pub local: SocketAddr,
    /// What the client calls itself; printable ASCII without spaces, and nothing else is known of it.
    pub helo: Option<String>,
    /// Whether it said EHLO, not HELO.
    pub esmtp: bool,
    /// TLS, once it is on.
    pub tls: Option<TlsFacts>,
    /// Who it is, once it has authenticated.
    pub identity: Option<Identity>,
}

impl SessionFacts {
    /// A session that has only just been opened.
    #[must_use]
    pub fn new(id: SessionId, kind: ListenerKind, remote: SocketAddr, local: SocketAddr) -> Self {
        Self { id, kind, remote, local, helo: None, esmtp: false, tls: None, identity: None }
    }

    /// The same, without where the client is and what it calls itself.
    #[must_use]
    pub fn without_client(&self) -> Self {
        let nowhere = SocketAddr::new(std::net::Ipv4Addr::UNSPECIFIED.into(), 0);
        Self { remote: nowhere, helo: None, ..self.clone() }
    }

    /// The `with` of `Received` (RFC 3848; RFC 6531 §4.3 for the UTF8 ones).
    #[must_use]
    pub fn protocol(&self, smtputf8: bool) -> &'static str {
        if self.kind == ListenerKind::Lmtp {
            return match (smtputf8, self.tls.is_some()) {
                (true, true) => "UTF8LMTPS",
                (true, false) => "UTF8LMTP",
                (false, true) => "LMTPS",
                (false, false) => "LMTP",
            };
        }
        match (smtputf8, self.esmtp, self.tls.is_some(), self.identity.is_some()) {
            (true, _, false, false) => "UTF8SMTP",
            (true, _, true, false) => "UTF8SMTPS",
            (true, _, false, true) => "UTF8SMTPA",
            (true, _, true, true) => "UTF8SMTPSA",
            (false, _, true, true) => "ESMTPSA",
            (false, _, false, true) => "ESMTPA",
            (false, true, true, false) => "ESMTPS",
            (false, true, false, false) => "ESMTP",
            (false, false, _, false) => "SMTP",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_protocol_says_how_the_message_came() {
        let at: SocketAddr = "192.0.2.1:25".parse().unwrap();
        let mut facts = SessionFacts::new(SessionId(1), ListenerKind::Mx, at, at);
        assert_eq!(facts.protocol(false), "SMTP");
        facts.esmtp = true;
        assert_eq!(facts.protocol(false), "ESMTP");
        assert_eq!(facts.protocol(true), "UTF8SMTP");
        facts.tls = Some(TlsFacts {
            version: "TLSv1.3".into(),
            cipher: "TLS_AES_128_GCM_SHA256".into(),
            ..TlsFacts::default()
        });
        assert_eq!(facts.protocol(false), "ESMTPS");
        facts.identity = Some(Identity { account: AccountId(1), login: "alice".into(), mark: 0 });
        assert_eq!(facts.protocol(false), "ESMTPSA");
        assert_eq!(facts.protocol(true), "UTF8SMTPSA");
        let mut facts = SessionFacts::new(SessionId(1), ListenerKind::Lmtp, at, at);
        assert_eq!((facts.protocol(false), facts.protocol(true)), ("LMTP", "UTF8LMTP"));
        facts.tls = Some(TlsFacts::default());
        assert_eq!((facts.protocol(false), facts.protocol(true)), ("LMTPS", "UTF8LMTPS"));
    }
}
