//! A message that is in a mailbox already, delivered on: its content is named again, not copied.

use bytes::Bytes;
use filter::Place;
use mail::{AccountId, Domain, Envelope, MailboxId, ReversePath, Uid};
use routing::Asking;
use sender_auth::dkim::{Hashed, Hasher};
use storage::StorageError;
use storage::blobs::StagedBlob;
use storage::rows::MailClass;

use crate::class::class_of;
use crate::filtering::{decisions, view_with};
use crate::intake::{addresses_of, quotas_of};
use crate::limits::EVENT_HEADER_OCTETS_MAX;
use crate::plan::Plan;
use crate::prepared::Prepared;
use crate::standing::Known;
use crate::suppression::Nature;
use crate::trace::{Beginning, Source};
use crate::{Delivery, Refused};

/// A stored message, ready to be delivered under any number of envelopes.
#[derive(Clone, Debug)]
pub struct StoredMessage {
    blob: StagedBlob,
    record: Option<Bytes>,
    header: String,
    skip_octets: u32,
    /// Fields that sign what leaves, each with its line end; empty for what the server only passes on.
    signature: String,
    nature: Nature,
}

impl StoredMessage {
    /// Its content.
    #[must_use]
    pub fn hash(&self) -> mail::BlobHash {
        self.blob.hash
    }

    /// Octets of the message as stored.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.blob.octets
    }

    /// Its header, cut at [`EVENT_HEADER_OCTETS_MAX`]; octets that are no UTF-8 are replaced.
    #[must_use]
    pub fn header(&self) -> &str {
        &self.header
    }
}

impl Delivery {
    /// A message of a mailbox; `None` when it is gone.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn stored(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        uid: Uid,
    ) -> Result<Option<StoredMessage>, StorageError> {
        let store = self.store();
        let Some(row) = store.message(account, mailbox, uid).await? else { return Ok(None) };
        let (Some(blob), Some(mut reader)) = (store.staged_again(&row.blob).await?, store.blob(&row.blob).await?)
        else {
            return Ok(None);
        };
        let record = store.records(account, mailbox, uid, uid, 1).await?.into_iter().next().map(|(_, record)| record);
        let start = reader.read(0, EVENT_HEADER_OCTETS_MAX as u64).await?;
        let end = start.windows(4).position(|four| four == b"\r\n\r\n").map_or(start.len(), |at| at.saturating_add(4));
        let header = start.get(..end).unwrap_or_default();
        let skip_octets = own_return_path(header);
        let header = String::from_utf8_lossy(header).into_owned();
        let nature = Nature::Personal;
        Ok(Some(StoredMessage { blob, record, header, skip_octets, signature: String::new(), nature }))
    }

    /// The same, signed wherever it leaves for: a message that the server writes under its own name, with reverse-paths of this
    /// domain. What it only passes on is not signed. When it was checked as it came, it is sealed, too (RFC 8617).
    ///
    /// # Errors
    /// When reading fails.
    pub async fn signed(
        &self,
        message: StoredMessage,
        reverse_path: &ReversePath,
    ) -> Result<StoredMessage, StorageError> {
        let message = StoredMessage { nature: Nature::Post, ..message };
        let Some(hashed) = self.hashed(&message).await? else { return Ok(message) };
        let envelope = Envelope::new(reverse_path.clone());
        let signature = self.signed_and_sealed(&hashed, &envelope, true, self.store().now()).await;
        Ok(StoredMessage { signature, ..message })
    }

    /// The same, sealed by a domain of ours that passes it on as it came (RFC 8617), when it was checked as it came.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn sealed(&self, message: StoredMessage, domain: &Domain) -> Result<StoredMessage, StorageError> {
        let Some(hashed) = self.hashed(&message).await? else { return Ok(message) };
        let signature = self.seal_of_post(&hashed, "", domain, self.store().now()).await;
        Ok(StoredMessage { signature, ..message })
    }

    /// The message, passed in pieces; `None` when it is gone, or its header is too long.
    async fn hashed(&self, message: &StoredMessage) -> Result<Option<Hashed>, StorageError> {
        let Some(mut reader) = self.store().blob(&message.hash()).await? else { return Ok(None) };
        let mut hasher = Hasher::new();
        let mut at = u64::from(message.skip_octets);
        loop {
            let piece = reader.piece(at, u64::MAX).await?;
            if piece.is_empty() {
                return Ok(hasher.finish());
            }
            at = at.saturating_add(piece.len() as u64);
            hasher.feed(&piece);
        }
    }

    /// Decides where a stored message goes under a new envelope; as for [`Delivery::prepare`], addresses put no conditions
    /// to it. Unlike for a fresh one, a recipient that does not exist
    /// is no error: it is in [`Plan::lost`], for the caller to deal with.
    ///
    /// # Errors
    /// None yet; the type is that of its like.
    pub async fn prepare_stored(&self, message: &StoredMessage, envelope: Envelope) -> Result<Prepared, Refused> {
        let now = self.store().now();
        let plan = Plan::new(&self.store().directory(), &envelope, &Asking::server(now));
        let filtered = {
            let view = || view_with(message.header.as_bytes(), message.record.as_ref(), message.blob.octets);
            decisions(self.store(), plan.mailboxes.iter().copied(), Place::Inbox, view).await
        };
        let rewriting = self.rewriting(&plan, &envelope.reverse_path, now);
        let header = if plan.responders.is_empty() { String::new() } else { message.header.clone() };
        Ok(Prepared {
            blob: message.blob.clone(),
            record: message.record.clone(),
            marked: None,
            header,
            skip_octets: message.skip_octets,
            header_smtputf8: envelope.smtputf8,
            body: envelope.body,
            notices: Vec::new(),
            report: false,
            written_by: None,
            signature: message.signature.clone(),
            allowance: None,
            rewriting,
            filtered,
            beginning: Beginning {
                id: self.new_trace(),
                source: Source { by: "this server".to_owned(), client: None },
                message_id: None,
                continues: false,
                addresses: addresses_of(&self.store().directory(), &plan, None),
                quotas: quotas_of(&self.store().directory(), &plan),
            },
            class: if plan.relays.is_empty() { MailClass::default() } else { class_of(message.header.as_bytes()) },
            plan,
            verdict: None,
            known: Known::default(),
            outside: Vec::new(),
            own: true,
            hooks: self.store().has_webhooks(),
            nature: message.nature,
            blocks: self.suppression().blocks,
            complaints: Vec::new(),
            counted: Vec::new(),
            account: None,
            wait: None,
            envelope,
            now,
        })
    }
}

impl Delivery {
    /// A prepared message under another envelope; see [`Delivery::prepare_stored`]. Its header is given again, for
    /// responders: a prepared message keeps it only when it had one to tell. A signature stays good when the domain of the
    /// reverse-path is the same.
    ///
    /// # Errors
    /// As there.
    pub async fn prepare_again(
        &self,
        prepared: &Prepared,
        header: &[u8],
        envelope: Envelope,
    ) -> Result<Prepared, Refused> {
        let header = header.get(..header.len().min(EVENT_HEADER_OCTETS_MAX)).unwrap_or_default();
        let message = StoredMessage {
            blob: prepared.blob.clone(),
            record: prepared.record.clone(),
            header: String::from_utf8_lossy(header).into_owned(),
            skip_octets: prepared.skip_octets,
            signature: prepared.signature.clone(),
            nature: prepared.nature,
        };
        self.prepare_stored(&message, envelope).await
    }
}

/// Octets of the Return-Path in front, which [`Delivery::intake`] wrote.
fn own_return_path(header: &[u8]) -> u32 {
    if !header.starts_with(b"Return-Path: ") {
        return 0;
    }
    let end = header.windows(2).position(|two| two == b"\r\n").map_or(0, |at| at.saturating_add(2));
    u32::try_from(end).unwrap_or(0)
}
