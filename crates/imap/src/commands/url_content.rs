//! What IMAP URLs name (RFC 5092): the octets of messages and their parts, for CATENATE and URLFETCH.

use imap_wire::url::{ImapUrl, UrlServer};
use imap_wire::{Partial, Section};
use mail::{AccountId, BlobHash, MailboxId, Uid};
use message::{ByteRange, PartKind, PartTable, TransferEncoding, header_fields};
use routing::Rights;
use storage::blobs::BlobReader;
use storage::rows::MessageRow;
use storage::{StorageError, Store};

use super::fetch::read_header;
use super::sections::{fields, place as section_place};
use crate::access::access;
use crate::fault::Fault;
use crate::records::{content, parts};
use crate::session::Session;

/// What a URL names.
pub(super) struct UrlContent {
    pub(super) row: MessageRow,
    pub(super) reader: BlobReader,
    pub(super) octets: Octets,
    /// The section, however little of it the URL names.
    pub(super) whole: ByteRange,
    /// What hides the section's data.
    pub(super) encoding: TransferEncoding,
    /// The octets of the section that the URL names.
    pub(super) partial: Option<Partial>,
}

/// Where the parts are of the message that was looked into last: the URLs of one command often name parts of one message.
#[derive(Default)]
pub(super) struct LastParts(Option<(BlobHash, PartTable)>);

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
pub(super) enum Octets {
    /// As they are in the content.
    Range(ByteRange),
    /// Picked from a header.
    Held(Vec<u8>),
}

impl Octets {
    /// How many.
    pub(super) fn size(&self) -> u64 {
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

impl Session {
    /// Whether a URL leads to this server, and to whoever is logged in when it names a user.
    pub(super) fn is_own(&self, server: &UrlServer) -> bool {
        let Some(user) = &self.user else { return false };
        let address = &user.account.address;
        let me = |name: &str| {
            let full = address.to_string();
            let local = full.rsplit_once('@').map_or(full.as_str(), |(local, _)| local);
            name.eq_ignore_ascii_case(&full) || name.eq_ignore_ascii_case(local)
        };
        self.is_this_server(server) && server.user.as_deref().is_none_or(me)
    }

    /// Whether a URL leads to this server, by the name that the greeting shows.
    pub(super) fn is_this_server(&self, server: &UrlServer) -> bool {
        server.host.eq_ignore_ascii_case(&self.settings.hostname)
    }

    /// What a URL names in mailboxes that whoever is logged in may read; `None` when there is nothing.
    pub(super) async fn url_content(
        &mut self,
        url: &ImapUrl,
        last_parts: &mut LastParts,
    ) -> Result<Option<UrlContent>, Fault> {
        let (owner, row) = match &url.mailbox {
            Some(name) => match self.find_with(name.as_str(), Rights::READ).await? {
                Ok(target) => (target.owner, target.row),
                Err(_) => return Ok(None),
            },
            // RFC 4469 §3: the selected mailbox is the base.
            None => {
                let who = self.account()?;
                let Some(selected) = self.selected.as_deref() else { return Ok(None) };
                let (owner, row) = (selected.owner, selected.row.clone());
                // One command can copy for long: the right may have gone since it began.
                if !access(&self.server.store, owner, row.id, who).await?.rights.has(Rights::READ) {
                    return Ok(None);
                }
                (owner, row)
            }
        };
        if url.uid_validity.is_some_and(|validity| validity != row.uid_validity.0) {
            return Ok(None);
        }
        Ok(content_in(&self.server.store, (owner, row.id), url, last_parts).await?)
    }
}

/// What a URL names in a mailbox.
pub(super) async fn content_in(
    store: &Store,
    place: (AccountId, MailboxId),
    url: &ImapUrl,
    last_parts: &mut LastParts,
) -> Result<Option<UrlContent>, StorageError> {
    let uid = Uid(url.uid);
    let Some(row) = store.message(place.0, place.1, uid).await? else { return Ok(None) };
    let mut encoding = TransferEncoding::Binary;
    let range = if url.section == Section::default() {
        Some(ByteRange { start: 0, end: row.octets })
    } else {
        let parts = last_parts.of(store, place, &row).await?;
        let leaf = parts.find(&url.section.part).map(|(_, entry)| entry).filter(|entry| entry.kind == PartKind::Leaf);
        encoding = leaf.filter(|_| url.section.text.is_none()).map_or(encoding, |entry| entry.encoding);
        parts.section(&section_place(&url.section))
    };
    let Some(range) = range else { return Ok(None) };
    let mut reader = content(store, &row).await?;
    let octets = match fields(&url.section) {
        None => Octets::Range(range),
        Some((names, invert)) => {
            let header = read_header(&mut reader, range).await?;
            let names: Vec<&[u8]> = names.iter().map(imap_wire::HeaderName::as_bytes).collect();
            Octets::Held(header_fields(&header, &names, invert))
        }
    };
    let octets = octets.clip(url.partial);
    Ok(Some(UrlContent { row, reader, octets, whole: range, encoding, partial: url.partial }))
}
