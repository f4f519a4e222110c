//! What a URL names in a mailbox.

use bytes::Bytes;
use imap_wire::url::ImapUrl;
use imap_wire::{HeaderName, Partial, Section};
use mail::{AccountId, BlobHash, MailboxId, Uid};
use message::{ByteRange, PartKind, PartTable, TransferEncoding, header_fields};
use storage::blobs::BlobReader;
use storage::rows::MessageRow;
use storage::{StorageError, Store};

use crate::messages::{content, fields, parts, read_header};

/// What a URL names.
pub struct UrlContent {
    /// The message.
    pub row: MessageRow,
    /// Reads its content.
    pub reader: BlobReader,
    /// The octets that the URL names.
    pub octets: Octets,
    /// What of the message.
    pub section: Section,
    /// The section, however little of it the URL names.
    pub whole: ByteRange,
    /// What hides the section's data.
    pub encoding: TransferEncoding,
    /// The octets of the section that the URL names.
    pub partial: Option<Partial>,
}

impl UrlContent {
    /// The octets that the URL names, from the one at `at` on: one piece of them, and none behind the last.
    ///
    /// # Errors
    /// When reading fails, or the message is gone.
    pub async fn piece(&mut self, at: u64) -> Result<Bytes, StorageError> {
        match &self.octets {
            Octets::Range(range) => {
                let start = range.start.saturating_add(at);
                if start >= range.end {
                    return Ok(Bytes::new());
                }
                let piece = self.reader.piece(start, range.end).await?;
                // Less than was promised would be a message that nobody has written.
                if piece.is_empty() { Err(StorageError::Expunged) } else { Ok(piece) }
            }
            Octets::Held(held) => {
                let from = usize::try_from(at).unwrap_or(usize::MAX);
                Ok(Bytes::copy_from_slice(held.get(from..).unwrap_or_default()))
            }
        }
    }
}

/// Where the parts are of the message that was looked into last: the URLs of one command often name parts of one message.
#[derive(Default)]
pub struct LastParts(Option<(BlobHash, PartTable)>);

impl LastParts {
    async fn of(
        &mut self,
        store: &Store,
        (owner, mailbox): (AccountId, MailboxId),
        row: &MessageRow,
    ) -> Result<&PartTable, StorageError> {
        let last = match self.0.take() {
            Some(last) if last.0 == row.blob => last,
            _ => {
                let stored = store.records(owner, mailbox, row.uid, row.uid, 1).await?.pop().map(|(_, record)| record);
                (row.blob, parts(store, row, stored).await?)
            }
        };
        Ok(&self.0.insert(last).1)
    }
}

/// Octets of a message.
pub enum Octets {
    /// As they are in the content.
    Range(ByteRange),
    /// Picked from a header.
    Held(Vec<u8>),
}

impl Octets {
    /// How many.
    #[must_use]
    pub fn size(&self) -> u64 {
        match self {
            Self::Range(range) => range.size(),
            Self::Held(held) => held.len() as u64,
        }
    }

    fn clip(self, partial: Option<Partial>) -> Self {
        let Some(partial) = partial else { return self };
        let (skip, octets) = partial.clip(self.size());
        match self {
            Self::Range(range) => {
                let start = range.start.saturating_add(skip);
                Self::Range(ByteRange { start, end: start.saturating_add(octets) })
            }
            Self::Held(held) => {
                Self::Held(ByteRange { start: skip, end: skip.saturating_add(octets) }.of(&held).to_vec())
            }
        }
    }
}

/// What a URL names in a mailbox; `None` when there is nothing. The name of a mailbox in it is not looked at.
///
/// # Errors
/// When reading fails.
pub async fn content_in(
    store: &Store,
    place: (AccountId, MailboxId),
    url: &ImapUrl,
    last_parts: &mut LastParts,
) -> Result<Option<UrlContent>, StorageError> {
    let uid = Uid(url.uid);
    let Some(row) = store.message(place.0, place.1, uid).await? else { return Ok(None) };
    let section = url.section.clone();
    let mut encoding = TransferEncoding::Binary;
    let range = if section == Section::default() {
        Some(ByteRange { start: 0, end: row.octets })
    } else {
        let parts = last_parts.of(store, place, &row).await?;
        let leaf = parts.find(&section.part).map(|(_, entry)| entry).filter(|entry| entry.kind == PartKind::Leaf);
        encoding = leaf.filter(|_| section.text.is_none()).map_or(encoding, |entry| entry.encoding);
        parts.section(&message::Section::from(&section))
    };
    let Some(range) = range else { return Ok(None) };
    let mut reader = content(store, &row).await?;
    let octets = match fields(&section) {
        None => Octets::Range(range),
        Some((names, invert)) => {
            let header = read_header(&mut reader, range).await?;
            let names: Vec<&[u8]> = names.iter().map(HeaderName::as_bytes).collect();
            Octets::Held(header_fields(&header, &names, invert))
        }
    };
    let octets = octets.clip(url.partial);
    Ok(Some(UrlContent { row, reader, octets, section, whole: range, encoding, partial: url.partial }))
}
