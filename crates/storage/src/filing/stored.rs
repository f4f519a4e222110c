//! Messages that are stored already, as filters see them.

use std::collections::BTreeSet;
use std::sync::Arc;

use bytes::Bytes;
use filter::{Fate, FilterSet, MessageView, Outcome, Place};
use mail::{AccountId, MailboxId, SpecialUse, Uid};
use message::{RecordView, Scanner};

use super::decided;
use crate::blobs::{BlobReader, StagedBlob};
use crate::error::StorageError;
use crate::limits::{FILED_AT_ONCE, FILTERED_HEADER_OCTETS_MAX};
use crate::rows::{MailboxRow, MessageRow};
use crate::store::Store;

/// What filters did with messages of a mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FiledMessages {
    /// How many were looked at.
    pub looked_at: usize,
    /// With how many of them they did something.
    pub messages: usize,
    /// How many each filter acts on, in their order.
    pub acts: Vec<usize>,
    /// What could not be done and why, in words, each once.
    pub left_out: Vec<String>,
}

/// A stored message that filters look at.
#[derive(Clone, Debug)]
pub struct LookedAt {
    /// As they see it.
    pub view: Arc<MessageView>,
    header: Vec<u8>,
}

impl LookedAt {
    /// A field of its header for people, decoded (RFC 2047), with [`SHOWN_CHARS_MAX`] characters at the most; empty when it has
    /// none.
    #[must_use]
    pub fn shown(&self, name: &str) -> String {
        let is =
            |field: &message::RawField<'_>| field.name.is_some_and(|known| known.eq_ignore_ascii_case(name.as_bytes()));
        let text = message::raw_fields(&self.header).find(is).map(|field| message::decode_header(field.value()));
        let plain = |c: char| if c.is_control() { ' ' } else { c };
        text.unwrap_or_default().trim().chars().map(plain).take(SHOWN_CHARS_MAX).collect()
    }
}

/// Characters of a header field that a listing shows.
const SHOWN_CHARS_MAX: usize = 200;

/// The place that a mailbox is for filters; `None`: whoever puts a message there has chosen it, and filters leave it alone.
#[must_use]
pub fn place_of(mailbox: &MailboxRow) -> Option<Place> {
    if mailbox.special_use == Some(SpecialUse::Sent) {
        Some(Place::Sent)
    } else if mailbox.special_use == Some(SpecialUse::Junk) {
        Some(Place::Spam)
    } else {
        (mailbox.name == "INBOX").then_some(Place::Inbox)
    }
}

impl Store {
    /// A stored message as filters see it. A header is looked at up to [`FILTERED_HEADER_OCTETS_MAX`].
    ///
    /// # Errors
    /// [`StorageError::Expunged`] when its content is gone, or when reading fails.
    pub async fn look_at(&self, row: &MessageRow, record: Option<&Bytes>) -> Result<LookedAt, StorageError> {
        let mut reader = self.blob(&row.blob).await?.ok_or(StorageError::Expunged)?;
        view(&mut reader, row.octets, record).await
    }

    /// A message that is only staged, as filters see it.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn look_at_staged(&self, staged: &StagedBlob, record: Option<&Bytes>) -> Result<LookedAt, StorageError> {
        view(&mut self.staged_reader(staged), staged.octets, record).await
    }

    /// Does with messages of a mailbox what filters say of each, as if it came to a place now, a transaction for each
    /// [`FILED_AT_ONCE`] of them: others see it as they see STORE, COPY and MOVE. Messages that are gone are passed over, what does
    /// not fit somewhere stays where it is. UIDs ascend.
    ///
    /// # Errors
    /// [`StorageError::NoSuchAccount`], [`StorageError::NoSuchMailbox`], or the engine's; what came before stays done.
    pub async fn file_stored(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        filters: &Arc<FilterSet>,
        place: Place,
    ) -> Result<FiledMessages, StorageError> {
        let mut filed = FiledMessages { acts: vec![0; filters.filters.len()], ..FiledMessages::default() };
        let mut left_out = BTreeSet::new();
        for some in uids.chunks(FILED_AT_ONCE) {
            let mut outcomes: Vec<(Outcome, Vec<Uid>)> = Vec::new();
            for uid in some {
                let Some(row) = self.message(account, mailbox, *uid).await? else { continue };
                let record = self.records(account, mailbox, *uid, *uid, 1).await?;
                let message = match self.look_at(&row, record.first().map(|(_, record)| record)).await {
                    Err(StorageError::Expunged) => continue,
                    message => message?,
                };
                let decision = decided(filters, &message.view, place).await;
                filed.looked_at = filed.looked_at.saturating_add(1);
                for (count, verdict) in filed.acts.iter_mut().zip(&decision.verdicts) {
                    *count = count.saturating_add(usize::from(matches!(verdict.fate, Fate::Acts { .. })));
                }
                let outcome = decision.outcome;
                if outcome.is_empty() {
                    continue;
                }
                match outcomes.iter_mut().find(|(known, _)| *known == outcome) {
                    Some((_, uids)) => uids.push(*uid),
                    None => outcomes.push((outcome, vec![*uid])),
                }
            }
            if outcomes.is_empty() {
                continue;
            }
            let done = self.file_messages(account, mailbox, outcomes).await?.value;
            filed.messages = filed.messages.saturating_add(done.there);
            left_out.extend(done.left_out);
        }
        filed.left_out = left_out.into_iter().collect();
        Ok(filed)
    }
}

async fn view(reader: &mut BlobReader, octets: u64, record: Option<&Bytes>) -> Result<LookedAt, StorageError> {
    let header = reader.read(0, octets.min(FILTERED_HEADER_OCTETS_MAX)).await?;
    let known = record.and_then(|record| RecordView::new(record).ok().map(|view| view.has_attachment()));
    let attachment = match known {
        Some(known) => known,
        None => scanned_attachment(reader, octets).await?,
    };
    Ok(LookedAt { view: MessageView::new(&header, attachment, octets).into(), header })
}

/// Whether a message without a record, which was too large to be kept, has an attachment.
async fn scanned_attachment(reader: &mut BlobReader, octets: u64) -> Result<bool, StorageError> {
    let mut scanner = Scanner::new();
    let mut at = 0u64;
    loop {
        let piece = reader.piece(at, octets).await?;
        if piece.is_empty() {
            return Ok(scanner.finish().has_attachment());
        }
        at = at.saturating_add(piece.len() as u64);
        scanner.feed(&piece);
    }
}
