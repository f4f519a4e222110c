//! What the suppression list ([`storage::suppressed`]) keeps from leaving, and what enters it.
//!
//! It blocks what the server sends of its own accord: answers, letters, notices, and posts of lists but for addresses that only came
//! back, as lists count that themselves. What a person sends is theirs to send; the
//! trace warns, and an administrator can have it refused at RCPT. A delivery report is owed to whoever wrote (RFC 5321 §6.1), so a
//! complaint does not block it; an address at which nobody is does. What an address here passes on is somebody's own mail, and only warned
//! of.

use std::time::Duration;

use mail::{Address, Domain, EnhancedCode, ForwardPath, Reply, Timestamp};
use routing::Asking;
use storage::rows::QueueRecipient;
use storage::suppressed::{Suppressed, SuppressionReason};
use storage::trace::Step;
use storage::{StorageError, Transaction};

use crate::Delivery;
use crate::complaint::Feedback;
use crate::decide::storage_reply;
use crate::limits::TRACE_ROUTED_MAX;

/// What the list keeps from leaving.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Blocks {
    /// Nothing: the trace warns.
    Nothing,
    /// What the server sends of its own accord.
    #[default]
    Automatic,
    /// That, and what people submit: refused at RCPT.
    All,
}

/// How the list is used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SuppressionSettings {
    /// What it keeps from leaving.
    pub blocks: Blocks,
    /// Days on the list of an address at which its server says that nobody is; 0: none is entered.
    pub hard_bounce_days: u32,
    /// Days on the list of an address whose reader complained; 0: none is entered.
    pub complaint_days: u32,
    /// Whose complaints count about addresses of other domains than their own.
    pub complaints_from: Vec<Domain>,
}

impl Default for SuppressionSettings {
    fn default() -> Self {
        Self { blocks: Blocks::Automatic, hard_bounce_days: 30, complaint_days: 365, complaints_from: Vec::new() }
    }
}

/// What a message is to the list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Nature {
    /// Somebody wrote it, here or elsewhere.
    #[default]
    Personal,
    /// The server sends it of its own accord.
    Automatic,
    /// A post of a list. Who is not there any more is the list's to find out, by its own count of what comes back, and its owners'
    /// to let in again.
    Post,
    /// A delivery report.
    Report,
}

impl Nature {
    fn is_blocked_by(self, reason: SuppressionReason) -> bool {
        match self {
            Self::Personal => false,
            Self::Automatic => true,
            Self::Post => reason != SuppressionReason::HardBounce,
            Self::Report => reason != SuppressionReason::Complaint,
        }
    }
}

/// A recipient on the list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OnList {
    /// The row.
    pub row: Suppressed,
    /// Whether nothing was sent.
    pub blocked: bool,
}

impl OnList {
    /// What the list means for a message that somebody writes to an address elsewhere.
    #[must_use]
    pub fn of_personal(row: Suppressed) -> Self {
        Self { row, blocked: false }
    }

    /// What became of the message for this recipient, and why.
    #[must_use]
    pub fn step(&self) -> Step {
        let Suppressed { address, detail, .. } = &self.row;
        let why = match self.row.reason {
            SuppressionReason::HardBounce => format!("nobody is there ({detail})"),
            SuppressionReason::Complaint => format!("its reader complained ({detail})"),
            SuppressionReason::ByHand => format!("an administrator entered it ({detail})"),
        };
        if self.blocked {
            Step::Dropped { reason: format!("not sent to {address}, which is on the suppression list: {why}") }
        } else {
            Step::Decided { text: format!("{address} is on the suppression list: {why}; it is sent all the same") }
        }
    }
}

/// The recipients that a message is sent to; who of them is on the list is added to `found`.
pub(crate) fn without_suppressed(
    tx: &Transaction<'_>,
    recipients: &[QueueRecipient],
    nature: Nature,
    blocks: Blocks,
    now: Timestamp,
    found: &mut Vec<OnList>,
) -> Result<Vec<QueueRecipient>, StorageError> {
    let mut sent = Vec::with_capacity(recipients.len());
    for recipient in recipients {
        let Some(row) = tx.suppressed(&recipient.address, now)? else {
            sent.push(recipient.clone());
            continue;
        };
        let blocked = blocks != Blocks::Nothing && nature.is_blocked_by(row.reason);
        if !blocked {
            sent.push(recipient.clone());
        }
        if found.len() < TRACE_ROUTED_MAX {
            found.push(OnList { row, blocked });
        }
    }
    Ok(sent)
}

/// Whether a remote host says with this status that nobody is at an address, now and later (RFC 3463 §3.2, §3.3).
#[must_use]
pub fn is_hard_bounce(status: Option<EnhancedCode>) -> bool {
    // No such mailbox; moved away; the domain takes no mail (RFC 7505); the mailbox is disabled.
    status.is_some_and(|EnhancedCode(class, subject, detail)| {
        class == 5 && matches!((subject, detail), (1, 1 | 6 | 10) | (2, 1))
    })
}

impl Delivery {
    /// The same delivery, which uses the suppression list so.
    #[must_use]
    pub fn suppressing(mut self, settings: SuppressionSettings) -> Self {
        self.suppression = std::sync::Arc::new(settings);
        self
    }

    /// How the suppression list is used.
    #[must_use]
    pub fn suppression(&self) -> &SuppressionSettings {
        &self.suppression
    }

    /// Whether the list keeps answers from an address, as it is now.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn keeps_answers_from(&self, address: &Address) -> Result<bool, StorageError> {
        Ok(self.may_keep_answers_from(address) && self.store().suppressed(address).await?.is_some())
    }

    /// Whether the list keeps answers from an address once that is on it. What is for people here does not leave, and is not kept from it.
    #[must_use]
    pub fn may_keep_answers_from(&self, address: &Address) -> bool {
        self.suppression.blocks != Blocks::Nothing && self.store().directory().domain(address.domain()).is_none()
    }

    /// The refusal of a recipient on the list, for who submits, where that is so decided.
    ///
    /// # Errors
    /// The refusal, or the store's own.
    pub async fn not_suppressed(&self, asking: &Asking, recipient: &ForwardPath) -> Result<(), Reply> {
        let ForwardPath::Address(address) = recipient else { return Ok(()) };
        if self.suppression.blocks != Blocks::All
            || asking.account.is_none()
            || self.store().directory().domain(address.domain()).is_some()
        {
            return Ok(());
        }
        match self.store().suppressed(address).await {
            Ok(None) => Ok(()),
            Ok(Some(row)) => {
                let text = format!("{address} is on the suppression list of this server: {}", row.detail);
                Err(Reply::new(550, Some(EnhancedCode(5, 7, 1)), text))
            }
            Err(error) => Err(storage_reply(&error)),
        }
    }

    /// The complaints of a report that count: of who is surely who they say, about their own readers.
    pub(crate) fn complaints(&self, feedback: Option<Feedback>, from: Option<&Domain>) -> Vec<Complaint> {
        let (Some(feedback), Some(from)) = (feedback, from) else { return Vec::new() };
        if self.suppression.complaint_days == 0 || !feedback.is_complaint() {
            return Vec::new();
        }
        let trusted = self.suppression.complaints_from.contains(from);
        let counts = |address: &Address| {
            (trusted || address.domain() == from) && self.store().directory().domain(address.domain()).is_none()
        };
        let detail = format!("{} reported by {from}", feedback.kind);
        let until = span(self.store().now(), self.suppression.complaint_days);
        let readers = feedback.recipients.into_iter().filter(counts);
        readers.map(|address| Complaint { address, detail: detail.clone(), until }).collect()
    }
}

/// The end of so many days.
#[must_use]
pub fn span(from: Timestamp, days: u32) -> Timestamp {
    from.plus(Duration::from_secs(u64::from(days).saturating_mul(86_400)))
}

/// A complaint that counts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Complaint {
    address: Address,
    detail: String,
    until: Timestamp,
}

impl Complaint {
    pub(crate) fn apply(&self, tx: &mut Transaction<'_>, now: Timestamp) -> Result<(), StorageError> {
        tx.suppress(&self.address, SuppressionReason::Complaint, &self.detail, now, Some(self.until)).map(drop)
    }

    pub(crate) fn step(&self) -> Step {
        let Self { address, detail, .. } = self;
        Step::Decided { text: format!("a complaint ({detail}): {address} is on the suppression list now") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_blocked_is_what_the_server_sends_of_its_own_accord() {
        use SuppressionReason::{ByHand, Complaint, HardBounce};
        let blocked = |nature: Nature| [HardBounce, Complaint, ByHand].map(|reason| nature.is_blocked_by(reason));
        assert_eq!(blocked(Nature::Personal), [false; 3]);
        assert_eq!(blocked(Nature::Automatic), [true; 3]);
        assert_eq!(blocked(Nature::Post), [false, true, true]);
        assert_eq!(blocked(Nature::Report), [true, false, true]);
    }
}
