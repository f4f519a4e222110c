//! Readers of what other servers say for `relais-fuzz-targets`, which give them any octets. For nobody else.

use std::time::Duration;

use mail::Domain;
use storage::mta_sts::StsPolicy;

use crate::client::answer::AnswerReader;
use crate::client::offers;
use crate::policy::sts;

/// Reads one answer after the other.
#[derive(Default)]
pub struct Answers(AnswerReader);

impl Answers {
    /// Reads on: how many octets were used, and, once an answer is complete, its code and text; `Some(None)` when this is
    /// no SMTP.
    pub fn read(&mut self, octets: &[u8]) -> (usize, Option<Option<(u16, String)>>) {
        let (used, done) = self.0.read(octets);
        let Some(done) = done else { return (used, None) };
        self.0 = AnswerReader::default();
        let reply = done.ok().map(|answer| answer.reply());
        (used, Some(reply.map(|reply| (reply.code, reply.text.into_owned()))))
    }
}

/// What a host offers in its answer to EHLO.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Offers {
    /// Keywords, a bit for each.
    pub capabilities: u32,
    /// The largest message; 0 for no limit.
    pub size: usize,
    /// Messages in one session.
    pub mails_max: Option<u32>,
    /// Recipients of one message.
    pub recipients_max: Option<usize>,
}

/// Reads the lines of an answer to EHLO, the host's greeting first.
#[must_use]
pub fn offers(lines: &[String]) -> Offers {
    let (offered, limits) = (offers::offers(lines), offers::offered_limits(lines));
    Offers {
        capabilities: offered.capabilities,
        size: offered.size,
        mails_max: limits.mails_max,
        recipients_max: limits.recipients_max,
    }
}

/// The id that the TXT records of `_mta-sts.` have (RFC 8461 §3.1).
#[must_use]
pub fn sts_id(records: &[String]) -> Option<&str> {
    sts::id(records)
}

/// A policy of MTA-STS (RFC 8461 §3.2), and for how long it holds.
#[must_use]
pub fn sts_policy(document: &[u8]) -> Option<(StsPolicy, Duration)> {
    sts::policy("1", document).ok()
}

/// Whether a policy names a host.
#[must_use]
pub fn sts_names(policy: &StsPolicy, host: &Domain) -> bool {
    sts::names(policy, host)
}
