//! What the connection asks of the server around it: the only way out of this crate.
//!
//! Routing, accounts and the store stand behind these traits. Every answer may take its time; nothing else of the
//! session happens meanwhile.

use mail::{EnhancedCode, Envelope, ForwardPath, Reply};
use storage::Committed;
use world::BoxFuture;

use crate::engine::Mechanism;
use crate::secret::Secret;
use crate::session::{Identity, SessionFacts};

/// A decision about a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Go on.
    Accept,
    /// Answer with this 4xx or 5xx reply.
    Refuse(Reply),
}

/// Why an authentication did not succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthFailure {
    /// Login or password is wrong, or the account may not submit: `535 5.7.8`, without saying which.
    #[error("login or password is wrong")]
    Refused,
    /// The check could not be made now: `454 4.7.0`.
    #[error("authentication is not possible now")]
    Unavailable,
    /// The response has not the form of its mechanism: `501 5.5.2`.
    #[error("the response has not the form of its mechanism")]
    Malformed,
}

/// What follows a response of an exchange of several messages.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthStep {
    /// The client is sent this, and answers.
    Challenge(Vec<u8>),
    /// Nothing more: this is who it is.
    Done(Identity),
}

/// One exchange of several messages (RFC 4422), from the client's first message on.
pub trait AuthExchange: Send {
    /// Takes the client's message. After an error or [`AuthStep::Done`] there is no further step.
    fn step<'a>(&'a mut self, response: &'a Secret) -> BoxFuture<'a, Result<AuthStep, AuthFailure>>;
}

/// The server around a session.
pub trait Host: Send + Sync {
    /// A client has connected. The session does not wait for this: what takes time is begun here.
    fn connected(&self, facts: &SessionFacts) {
        let _ = facts;
    }

    /// May this transaction begin? The envelope has no recipients yet. Asked at MAIL: is the sender one of the
    /// identity's own, is there room (`451 4.3.2` for a backlog, `452 4.3.1` for a full disk)?
    fn may_begin<'a>(&'a self, facts: &'a SessionFacts, envelope: &'a Envelope) -> BoxFuture<'a, Verdict>;

    /// Is this forward-path accepted? `550 5.1.1` for an unknown mailbox, `550 5.7.1` for relaying.
    fn recipient<'a>(
        &'a self,
        facts: &'a SessionFacts,
        envelope: &'a Envelope,
        path: &'a ForwardPath,
    ) -> BoxFuture<'a, Verdict>;

    /// Who is this?
    fn authenticate<'a>(
        &'a self,
        facts: &'a SessionFacts,
        login: &'a str,
        password: &'a Secret,
    ) -> BoxFuture<'a, Result<Identity, AuthFailure>>;

    /// Begins an exchange by one of the mechanisms of SCRAM (RFC 5802, RFC 7677) or by the client's certificate (EXTERNAL, RFC
    /// 4422); `None` when it can't be had.
    fn exchange<'a>(&'a self, facts: &SessionFacts, mechanism: Mechanism) -> Option<Box<dyn AuthExchange + 'a>> {
        let _ = (facts, mechanism);
        None
    }

    /// What there is to be said about an address or a name to who has logged in (VRFY, RFC 5321 §3.5.1): 250 with the mailbox, 252, 550,
    /// or 553 for a name that several have.
    fn verify<'a>(&'a self, facts: &'a SessionFacts, text: &'a str) -> BoxFuture<'a, Reply> {
        let _ = (facts, text);
        Box::pin(async { Reply::fixed(252, EnhancedCode(2, 5, 2), "Addresses are not verified here; RCPT tells") })
    }

    /// Who is in a group or list, for who has logged in (EXPN, RFC 5321 §3.5.1): 250 with one mailbox in each line, or 550.
    fn expand<'a>(&'a self, facts: &'a SessionFacts, text: &'a str) -> BoxFuture<'a, Reply> {
        let _ = (facts, text);
        Box::pin(async { Reply::fixed(550, EnhancedCode(5, 7, 1), "Nobody is told that here") })
    }

    /// What a URL of IMAP names, for who has logged in (BURL, RFC 4468 §3.2). The reply of an error is 4xx or 5xx.
    fn linked<'a>(
        &'a self,
        facts: &'a SessionFacts,
        url: &'a Secret,
    ) -> BoxFuture<'a, Result<Box<dyn LinkedContent>, Reply>> {
        let _ = (facts, url);
        Box::pin(async { Err(Reply::fixed(554, EnhancedCode(5, 6, 6), "The URL gives nothing")) })
    }

    /// A message begins: the envelope is complete. The reply of an error is 4xx or 5xx.
    fn open<'a>(
        &'a self,
        facts: &'a SessionFacts,
        envelope: &'a Envelope,
    ) -> BoxFuture<'a, Result<Box<dyn MessageSink>, Reply>>;
}

/// What a URL names. Dropping it gives up reading.
pub trait LinkedContent: Send {
    /// How many octets there are.
    fn octets(&self) -> u64;

    /// The next piece of them: one octet at least, and all pieces together as many as [`LinkedContent::octets`] says.
    fn piece<'a>(&'a mut self) -> BoxFuture<'a, Result<Vec<u8>, Reply>>;
}

/// Where a message goes as it arrives. Dropping it abandons the message.
pub trait MessageSink: Send {
    /// The next octets: dot-stuffing undone, lines ended by CRLF; with BODY=BINARYMIME as they came. After an error the rest is not
    /// offered.
    fn write<'a>(&'a mut self, octets: &'a [u8]) -> BoxFuture<'a, Result<(), Reply>>;

    /// The message is complete: keep it and every consequence in one synced transaction.
    fn finish(self: Box<Self>, envelope: Envelope) -> BoxFuture<'static, Result<Acknowledgement, Reply>>;
}

/// The right to answer 250: only a synced commit gives the token in it.
#[derive(Debug)]
pub struct Acknowledgement {
    /// What the commit returned.
    pub committed: Committed,
    /// The message's name in the trace, shown to the client: ASCII, short.
    pub text: String,
}
