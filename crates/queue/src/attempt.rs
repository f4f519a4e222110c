//! What one attempt means for each recipient: done, failed, or to be tried again; and which DSNs leave.
//!
//! RFC 5321 §4.5.4.1 and §6.1 (4xx and 5xx apart, each recipient alone), RFC 3461 §6 (who is told what).

use mail::{DeliverBy, DeliverByMode, DsnNotify, EnhancedCode, OriginalRecipient, Reply, Timestamp};
use storage::rows::{QueueRecipient, QueueRow, RecipientState};

use crate::policy::RetryPolicy;

/// What an attempt gave for one recipient.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The next host has taken the message.
    Delivered {
        /// Its name.
        host: String,
        /// What it said.
        reply: Reply,
        /// Whether it took over the duty to send a DSN on success (RFC 3461 §5.2: it offers the DSN extension).
        takes_over_dsn: bool,
        /// Whether it looks after the time of BY from now on (RFC 2852 §4.1.4: it offers DELIVERBY).
        takes_over_time: bool,
    },
    /// It may work later.
    TemporaryFailure {
        /// The host that said so, if it came that far.
        host: Option<String>,
        /// What it said, or what this server says in its place.
        reply: Reply,
    },
    /// It will never work.
    PermanentFailure {
        /// The host that said so, if it came that far.
        host: Option<String>,
        /// What it said, or what this server says in its place.
        reply: Reply,
    },
}

impl Outcome {
    /// The host that said it.
    const fn host(&self) -> Option<&String> {
        match self {
            Self::Delivered { host, .. } => Some(host),
            Self::TemporaryFailure { host, .. } | Self::PermanentFailure { host, .. } => host.as_ref(),
        }
    }
}

/// What a DSN is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReportKind {
    /// Permanent failure (`Action: failed`).
    Failed,
    /// Still trying (`Action: delayed`).
    Delayed,
    /// Handed to a host that gives no notices of its own (`Action: relayed`).
    Relayed,
    /// Handed to a host that does not know the time by which its sender wanted it delivered, or to hear of a delay (`Action: relayed`,
    /// RFC 2852 §4.1.4.2).
    Unwatched,
    /// Handed on, and its sender wanted to hear of each host (`T`; `Action: relayed`, RFC 2852 §4.1.4).
    Traced,
    /// Kept in a mailbox here, or taken by a list, asked for by NOTIFY=SUCCESS (`Action: delivered`).
    Delivered,
    /// Passed on to several addresses that an alias leads to, asked for by NOTIFY=SUCCESS (`Action: expanded`, RFC 3461 §5.2.7.3 c).
    Expanded,
}

/// One recipient in a DSN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportedRecipient {
    /// Where it went.
    pub address: mail::Address,
    /// As first written (RFC 3461 §4.2).
    pub original: Option<OriginalRecipient>,
    /// What it comes to (RFC 3463).
    pub status: EnhancedCode,
    /// The host that said so.
    pub host: Option<String>,
    /// What was said.
    pub reply: Option<Reply>,
}

/// One DSN to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// What it is about.
    pub kind: ReportKind,
    /// For whom; never empty.
    pub recipients: Vec<ReportedRecipient>,
}

/// What an attempt leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// The row as it is to be written, or `None`: nothing waits any more, remove it.
    pub row: Option<QueueRow>,
    /// The DSNs to send, at most one of each kind. Empty for a null reverse-path.
    pub reports: Vec<Report>,
}

/// Decides what follows from an attempt that ended `now`.
///
/// `outcomes` has one entry for each recipient of the row, in its order; `None` for a recipient that was not attempted.
/// One that waits and was not attempted goes on waiting, as after a temporary failure. `error` is what stopped the
/// attempt as a whole. `chance` is any random number.
#[must_use]
pub fn after_attempt(
    row: &QueueRow,
    outcomes: &[Option<Outcome>],
    error: Option<&str>,
    now: Timestamp,
    policy: &RetryPolicy,
    chance: u64,
) -> Decision {
    // RFC 2852 §4.2: what its sender wants back after a time fails then, and one who only wants to know is told.
    let over = |mode| row.deliver_by.is_some_and(|by| by.mode == mode && by.by <= now);
    let expired = if over(DeliverByMode::Return) {
        Some(OUT_OF_TIME)
    } else {
        policy.is_too_old(row.accepted_at, now).then_some(EXPIRED)
    };
    let mut next = row.clone();
    let mut reports = Reports::default();
    for (n, recipient) in next.recipients.iter_mut().enumerate() {
        if recipient.state == RecipientState::Waiting {
            judge(recipient, outcomes.get(n).and_then(Option::as_ref), expired, row.deliver_by, &mut reports);
        }
    }
    next.attempts = row.attempts.saturating_add(1);
    next.last_error = error.map(str::to_owned);
    let waiting = || next.recipients.iter().filter(|r| r.state == RecipientState::Waiting);
    let nobody_waits = waiting().next().is_none();
    let wants_notice = !row.delay_notified && !row.reverse_path.is_null() && waiting().any(|r| r.notify.delay);
    if wants_notice && (policy.is_late(row.accepted_at, now) || over(DeliverByMode::Notify)) {
        for (n, recipient) in next.recipients.iter().enumerate() {
            if recipient.state == RecipientState::Waiting && recipient.notify.delay {
                let host = outcomes.get(n).and_then(Option::as_ref).and_then(Outcome::host);
                reports.delayed.push(reported(recipient, last_status(recipient), host));
            }
        }
        next.delay_notified = true;
    }
    let notice_due = wants_notice && !next.delay_notified;
    next.next_attempt = policy.next_attempt(next.attempts, row.accepted_at, now, notice_due, chance);
    if let Some(by) = row.deliver_by.filter(|by| by.by > now && (by.mode == DeliverByMode::Return || notice_due)) {
        next.next_attempt = next.next_attempt.min(by.by);
    }
    Decision {
        row: (!nobody_waits).then_some(next),
        // RFC 5321 §4.5.5, RFC 3461 §6: no DSN about a message that has nowhere to send it.
        reports: if row.reverse_path.is_null() { Vec::new() } else { reports.finish() },
    }
}

/// The reports being collected, by kind.
#[derive(Default)]
struct Reports {
    failed: Vec<ReportedRecipient>,
    delayed: Vec<ReportedRecipient>,
    relayed: Vec<ReportedRecipient>,
    unwatched: Vec<ReportedRecipient>,
    traced: Vec<ReportedRecipient>,
}

impl Reports {
    fn finish(self) -> Vec<Report> {
        let all = [
            (ReportKind::Failed, self.failed),
            (ReportKind::Delayed, self.delayed),
            (ReportKind::Relayed, self.relayed),
            (ReportKind::Unwatched, self.unwatched),
            (ReportKind::Traced, self.traced),
        ];
        all.into_iter()
            .filter(|(_, recipients)| !recipients.is_empty())
            .map(|(kind, recipients)| Report { kind, recipients })
            .collect()
    }
}

/// One waiting recipient: its new state, and the report if one is wanted.
fn judge(
    recipient: &mut QueueRecipient,
    outcome: Option<&Outcome>,
    expired: Option<EnhancedCode>,
    deliver_by: Option<DeliverBy>,
    reports: &mut Reports,
) {
    match outcome {
        Some(Outcome::Delivered { host, reply, takes_over_dsn, takes_over_time }) => {
            recipient.state = RecipientState::Delivered;
            recipient.last_reply = Some(reply.clone());
            // RFC 3461 §5.2.2 and §6.1: what the next host will not report is reported here, as "relayed".
            let unwatched = deliver_by.is_some_and(|by| by.mode == DeliverByMode::Notify) && !takes_over_time;
            let kind = if unwatched && wants_anything(recipient.notify) {
                Some(&mut reports.unwatched)
            } else if recipient.notify.success && !takes_over_dsn {
                Some(&mut reports.relayed)
            } else if deliver_by.is_some_and(|by| by.trace) && wants_anything(recipient.notify) {
                Some(&mut reports.traced)
            } else {
                None
            };
            if let Some(kind) = kind {
                kind.push(reported(recipient, success_status(reply), Some(host)));
            }
        }
        Some(Outcome::PermanentFailure { host, reply }) => {
            recipient.last_reply = Some(reply.clone());
            fail(recipient, status(reply, 5), host.as_ref(), reports);
        }
        Some(Outcome::TemporaryFailure { host, reply }) => {
            recipient.last_reply = Some(reply.clone());
            if let Some(code) = expired {
                fail(recipient, code, host.as_ref(), reports);
            }
        }
        None => {
            if let Some(code) = expired {
                fail(recipient, code, None, reports);
            }
        }
    }
}

fn fail(recipient: &mut QueueRecipient, status: EnhancedCode, host: Option<&String>, reports: &mut Reports) {
    recipient.state = RecipientState::Failed;
    // RFC 3461 §4.1: NOTIFY=NEVER, or without FAILURE, asks for silence.
    if wants_failure(recipient.notify) {
        reports.failed.push(reported(recipient, status, host));
    }
}

fn wants_failure(notify: DsnNotify) -> bool {
    notify.failure
}

/// RFC 2852 §4.1.4: only NOTIFY=NEVER asks for silence about its time.
fn wants_anything(notify: DsnNotify) -> bool {
    notify.success || notify.failure || notify.delay
}

fn reported(recipient: &QueueRecipient, status: EnhancedCode, host: Option<&String>) -> ReportedRecipient {
    ReportedRecipient {
        address: recipient.address.clone(),
        original: recipient.original.clone(),
        status,
        host: host.cloned(),
        reply: recipient.last_reply.clone(),
    }
}

/// The status that a reply carries, or what its first digit says (RFC 3463 §3.1). One whose class contradicts the reply
/// is not believed.
fn status(reply: &Reply, class: u8) -> EnhancedCode {
    reply.enhanced.filter(|code| code.0 == class).unwrap_or(EnhancedCode(class, 0, 0))
}

fn success_status(reply: &Reply) -> EnhancedCode {
    status(reply, 2)
}

fn last_status(recipient: &QueueRecipient) -> EnhancedCode {
    recipient.last_reply.as_ref().map_or(EnhancedCode(4, 0, 0), |reply| status(reply, 4))
}

/// Delivery time expired (RFC 3463 §3.5). Class 4, for what failed was temporary and may work when sent anew.
const EXPIRED: EnhancedCode = EnhancedCode(4, 4, 7);

/// The same for what its sender wanted back after that time (RFC 2852 §4.2).
const OUT_OF_TIME: EnhancedCode = EnhancedCode(5, 4, 7);

#[cfg(test)]
pub(crate) mod tests;
