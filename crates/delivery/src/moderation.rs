//! A moderator's decision on a waiting message, whoever brings it: a reply, a link or an administrator.
//!
//! The decision is a mark on the row and an event; what follows from it (sending the message on, telling its author) is
//! done by the consumer of [`Topic::HeldMessage`], which finds the mark. So the first decision counts, once.

use mail::{AccountId, MailboxId, Timestamp, Topic, Uid};
use routing::objects::ListRole;
use storage::rows::ModerationDecision;
use storage::trace::{Step, Taken};
use storage::{StorageError, Transaction};

use crate::HeldMessage;
use crate::limits::{DECISION_KEEP, DECISIONS_MAX};

/// What a decision came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It counts.
    Decided,
    /// Somebody was faster.
    Already(ModerationDecision),
    /// No such message waits (any more).
    Gone,
}

/// Decides on a waiting message, unless that is done.
///
/// # Errors
/// When the store fails.
pub fn decide_waiting(
    tx: &mut Transaction<'_>,
    part: AccountId,
    uid: Uid,
    decision: ModerationDecision,
) -> Result<Outcome, StorageError> {
    let Some(mut row) = tx.waiting(part, uid)? else { return Ok(Outcome::Gone) };
    if let Some(made) = row.decision {
        return Ok(Outcome::Already(made));
    }
    let Some(mailbox) = tx.mailbox_named(part, "INBOX")? else { return Ok(Outcome::Gone) };
    let Some(message) = tx.message_row(part, mailbox, uid)? else { return Ok(Outcome::Gone) };
    let now = decision.at;
    if let Some(trace) = row.trace {
        let what = if decision.approved { "let through" } else { "refused" };
        let text = format!("{}: {what} by {}", row.address, decision.by);
        tx.trace(trace, &[Taken { at: now, step: Step::Decided { text } }])?;
    }
    row.decision = Some(decision);
    row.expires = Timestamp(now.plus(DECISION_KEEP).0);
    tx.put_waiting(part, uid, &row)?;
    forget_oldest(tx, part, mailbox)?;
    let event = HeldMessage {
        part,
        mailbox,
        uid,
        blob: message.blob,
        skip_octets: row.skip_octets,
        octets: row.octets,
        address: row.address,
        role: ListRole::Post,
        recipient: row.recipient,
        reverse_path: row.reverse_path,
        account: row.account,
        received_at: row.received_at,
        trace: row.trace,
        verified: None,
        spam: false,
        require_tls: row.require_tls,
    };
    tx.emit(Topic::HeldMessage, now, event.encode())?;
    Ok(Outcome::Decided)
}

/// Forgets the oldest decisions beyond [`DECISIONS_MAX`]. One whose message is still there has not been carried out, and stays.
fn forget_oldest(tx: &mut Transaction<'_>, part: AccountId, mailbox: MailboxId) -> Result<(), StorageError> {
    let (mut decided, mut after) = (Vec::new(), Uid(0));
    loop {
        let page = tx.waiting_after(part, after, PAGE_ROWS)?;
        let Some((last, _)) = page.last() else { break };
        after = *last;
        decided.extend(page.into_iter().filter_map(|(uid, row)| Some((row.decision?.at, uid))));
    }
    decided.sort_unstable();
    let mut beyond = decided.len().saturating_sub(DECISIONS_MAX);
    for (_, uid) in decided {
        if beyond == 0 {
            break;
        }
        if tx.message_row(part, mailbox, uid)?.is_none() {
            tx.remove_waiting(part, uid);
            beyond = beyond.saturating_sub(1);
        }
    }
    Ok(())
}

const PAGE_ROWS: usize = 500;
