//! What an engine knows besides its state: settings, facts, and the counts that limits look at.

use std::net::IpAddr;
use std::sync::Arc;

use mail::{Domain, Envelope, Reply};

use crate::limits::Limits;
use crate::session::SessionFacts;
use crate::settings::{BareNewlines, ListenerKind, names};

/// What does not change during a session.
#[derive(Clone, Debug)]
pub struct Policy {
    /// This server's name.
    pub host_name: Domain,
    /// Bounds.
    pub limits: Arc<Limits>,
    /// What a bare CR or LF inside a message gets.
    pub bare_newlines: BareNewlines,
    /// Whether there is a certificate to do STARTTLS with.
    pub starttls: bool,
    /// Whether SCRAM can be had.
    pub scram: bool,
    /// Whether tokens of an issuer are offered (RFC 7628).
    pub tokens: bool,
    /// Who may say XCLIENT.
    pub xclient_from: Vec<IpAddr>,
    /// Whether URLs of this server's mailboxes are taken (RFC 4468).
    pub burl: bool,
    /// Classes of solicitation that are not wanted (RFC 3865).
    pub no_soliciting: Vec<String>,
}

impl Policy {
    /// What a session begins with.
    pub(super) fn greeting(&self, kind: ListenerKind) -> Reply {
        let protocol = if kind == ListenerKind::Lmtp { "LMTP" } else { "ESMTP" };
        Reply::new(220, None, format!("{} {protocol} Relais", self.host_name))
    }
}

/// The part of a session that commands share.
pub(super) struct Session {
    pub(super) policy: Policy,
    pub(super) facts: SessionFacts,
    /// Whether who has connected may say XCLIENT; what it says of others does not change that.
    pub(super) takes_xclient: bool,
    pub(super) transactions: u32,
    pub(super) auth_failures: u32,
    pub(super) bad_commands: u32,
    pub(super) excused_errors: u32,
    pub(super) idle_commands: u32,
    pub(super) refused_recipients: u32,
}

impl Session {
    pub(super) fn new(policy: Policy, facts: SessionFacts) -> Self {
        let takes_xclient = names(&policy.xclient_from, facts.remote.ip());
        Self {
            policy,
            facts,
            takes_xclient,
            transactions: 0,
            auth_failures: 0,
            bad_commands: 0,
            excused_errors: 0,
            idle_commands: 0,
            refused_recipients: 0,
        }
    }

    pub(super) fn limits(&self) -> &Limits {
        &self.policy.limits
    }

    /// Whether STARTTLS is announced and accepted now.
    pub(super) fn offers_starttls(&self) -> bool {
        self.policy.starttls && self.facts.tls.is_none() && self.facts.kind != ListenerKind::Submissions
    }

    /// Whether AUTH is announced and accepted: on submission ports, and only under TLS (RFC 4954 §6, RFC 8314 §3).
    pub(super) fn offers_auth(&self) -> bool {
        self.facts.kind.is_submission() && self.facts.tls.is_some()
    }

    /// Whether what only people who have logged in may ask for is announced and accepted.
    pub(super) fn offers_submission(&self) -> bool {
        self.offers_auth()
    }

    /// Whether FUTURERELEASE is.
    pub(super) fn offers_hold(&self) -> bool {
        self.offers_submission() && !self.limits().hold_max.is_zero()
    }

    /// Whether REQUIRETLS is (RFC 8689 §2: not before TLS).
    pub(super) fn offers_require_tls(&self) -> bool {
        self.facts.tls.is_some()
    }

    /// Whether there is BURL at all: RFC 4468 §3.1 forbids it where other servers hand mail over.
    pub(super) fn has_burl(&self) -> bool {
        self.policy.burl && self.facts.kind.is_submission()
    }

    /// How BURL is announced: with what it takes once it is known who asks (RFC 4468 §3.1).
    pub(super) fn announced_burl(&self) -> Option<&'static str> {
        let offered = self.has_burl() && self.offers_submission();
        offered.then_some(if self.facts.identity.is_some() { "BURL imap" } else { "BURL" })
    }

    /// How often the end of a message is answered: once, or to LMTP once for each recipient (RFC 2033 §4.2).
    pub(super) fn replies_to(&self, envelope: &Envelope) -> usize {
        if self.facts.kind == ListenerKind::Lmtp { envelope.recipients.len().max(1) } else { 1 }
    }

    /// Mail has moved forward: the patience begins anew.
    pub(super) fn progress(&mut self) {
        self.bad_commands = 0;
        self.excused_errors = 0;
        self.idle_commands = 0;
        self.refused_recipients = 0;
    }
}
