//! Messages that are in no segment yet, read into memory.

use bytes::Bytes;
use mail::{AccountId, MailboxId, Uid};
use storage::{StorageError, Store};

use crate::builder::Builder;
use crate::limits::{BATCH_OCTETS_MAX, MESSAGES_PER_TURN, OCTETS_PER_TURN, ROWS_PER_READ};
use crate::texts::read_message;

/// A mailbox to be read.
#[derive(Clone, Copy)]
pub(crate) struct Mailbox<'s> {
    pub(crate) store: &'s Store,
    pub(crate) account: AccountId,
    pub(crate) mailbox: MailboxId,
    /// Whether the texts of attachments count.
    pub(crate) attachments: bool,
}

/// How far a builder has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The last UID that was looked at; `None`: there was none.
    pub(crate) last: Option<Uid>,
    /// The next one to look at, when there may be more.
    pub(crate) next: Option<Uid>,
}

/// Gives a builder the messages from a UID on, at most so many, as long as they fit into one segment and the memory for
/// it. What can't be read in a message is left out of it, and it is a candidate of every search then.
///
/// # Errors
/// When reading fails.
pub(crate) async fn take_messages(
    Mailbox { store, account, mailbox, attachments }: Mailbox<'_>,
    builder: &mut Builder,
    from: Uid,
    messages_max: usize,
) -> Result<Taken, StorageError> {
    let mut taken = Taken { last: None, next: Some(from) };
    while let Some(first) = taken.next {
        let limit = messages_max.saturating_sub(builder.messages()).min(ROWS_PER_READ);
        if limit == 0 || builder.octets() >= BATCH_OCTETS_MAX {
            return Ok(taken);
        }
        let rows = store.messages(account, mailbox, first, Uid(u32::MAX), limit).await?;
        let Some(last) = rows.last() else { return Ok(Taken { next: None, ..taken }) };
        let mut records = store.records(account, mailbox, first, last.uid, limit).await?.into_iter().peekable();
        let (mut messages, mut octets) = (0, 0_u64);
        for row in &rows {
            let record = take_record(&mut records, row.uid);
            if builder.octets() >= BATCH_OCTETS_MAX || !builder.begin(row.uid) {
                taken.next = Some(row.uid);
                return Ok(taken);
            }
            let read = read_message(store, row, record, attachments, &mut |zone, text| builder.text(zone, text)).await;
            match read {
                Ok(()) => builder.end(true),
                // Nothing that stays of it is wrong: its UID is expunged.
                Err(StorageError::Expunged) => {}
                Err(StorageError::Corrupt(what)) => {
                    tracing::warn!(uid = %row.uid, what, "a message can't be read in full and is not indexed in full");
                    builder.end(false);
                }
                Err(error) => return Err(error),
            }
            taken.last = Some(row.uid);
            messages += 1;
            octets = octets.saturating_add(row.octets);
            if messages >= MESSAGES_PER_TURN || octets >= OCTETS_PER_TURN {
                (messages, octets) = (0, 0);
                tokio::task::yield_now().await;
            }
        }
        taken.next = last.uid.next().filter(|_| rows.len() == limit);
    }
    Ok(taken)
}

/// The record of a UID; those before it are passed over.
fn take_record(records: &mut std::iter::Peekable<impl Iterator<Item = (Uid, Bytes)>>, uid: Uid) -> Option<Bytes> {
    while records.next_if(|(of, _)| *of < uid).is_some() {}
    records.next_if(|(of, _)| *of == uid).map(|(_, record)| record)
}
