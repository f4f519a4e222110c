//! The indexer: brings the index of each mailbox in step with its messages, behind the deliveries.
//!
//! It hears of changed mailboxes by the bus's live topic and looks at all of them at the start, so that whatever it
//! missed is only late. A mailbox gets a new segment when enough messages are beyond its last one; a search reads those
//! that are not indexed yet. Each step is small, and under load it rests as long as it works.

use std::time::Duration;

use bus::{Bus, Changed};
use mail::{AccountId, MailboxId, Uid};
use storage::index::IndexBlock;
use storage::rows::{IndexRow, IndexSegment};
use storage::{StorageError, Store};
use tokio_util::sync::CancellationToken;

use crate::attachments::ATTACHMENT_READER;
use crate::builder::Builder;
use crate::limits::{BATCH_MESSAGES_MAX, GATHER, MAILBOXES_PER_READ, RETRY, TAIL_MESSAGES, WRITE_OCTETS};
use crate::merge::{due, merge};
use crate::tail::{Mailbox, take_messages};

/// The indexer of one store. There is one of them.
#[derive(Clone)]
pub struct Indexer {
    store: Store,
    tail_messages: usize,
    batch_messages: usize,
    attachments: bool,
}

/// What was done for a mailbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Worked {
    /// Messages that were indexed.
    pub messages: u64,
    /// Segments that became others.
    pub merged: u64,
}

impl Indexer {
    /// An indexer; with `attachments` of the texts of attachments too.
    #[must_use]
    pub fn new(store: Store, attachments: bool) -> Self {
        Self { store, tail_messages: TAIL_MESSAGES, batch_messages: BATCH_MESSAGES_MAX, attachments }
    }

    /// With a segment as soon as so many messages are not indexed, of so many at the most. For tests.
    #[must_use]
    pub fn with_batches(mut self, tail_messages: usize, batch_messages: usize) -> Self {
        (self.tail_messages, self.batch_messages) = (tail_messages.max(1), batch_messages.max(1));
        self
    }

    /// Indexes what is there and what comes, until told to stop.
    ///
    /// # Errors
    /// None now: what fails is tried again.
    pub async fn run(&self, bus: &Bus, stop: CancellationToken) -> Result<(), StorageError> {
        let mut changes = bus.changes();
        let mut all = true;
        loop {
            let changed = if all { Changed::TooMany } else { changes.take() };
            let busy = || changes.any();
            let outcome = tokio::select! {
                // A segment that is cut short is loose, and goes at the next look.
                () = stop.cancelled() => return Ok(()),
                outcome = self.look_at(changed, &busy) => outcome,
            };
            let pause = match &outcome {
                Ok(()) => GATHER,
                Err(error) => {
                    tracing::warn!(%error, "the full-text index is behind; it is tried again");
                    RETRY
                }
            };
            all = outcome.is_err();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.rest(pause) => {}
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = changes.heard(), if !all => {}
                () = std::future::ready(()), if all => {}
            }
        }
    }

    async fn rest(&self, pause: Duration) {
        self.store.world().clock.sleep(pause).await;
    }

    /// One mailbox that can't be indexed does not keep the others from it; the first failure is told at the end.
    ///
    /// # Errors
    /// As [`index_mailbox`](Self::index_mailbox).
    pub(crate) async fn look_at(&self, changed: Changed, busy: &(dyn Fn() -> bool + Sync)) -> Result<(), StorageError> {
        let mut outcome = Ok(());
        if let Changed::These(mailboxes) = changed {
            for (account, mailbox) in mailboxes {
                outcome = outcome.and(self.look_at_mailbox(account, mailbox, busy).await);
            }
            return outcome;
        }
        let mut after = None;
        loop {
            let mailboxes = self.store.mailboxes_after(after, MAILBOXES_PER_READ).await?;
            let Some((account, last)) = mailboxes.last() else { return outcome };
            after = Some((*account, last.id));
            for (account, row) in mailboxes {
                outcome = outcome.and(self.look_at_mailbox(account, row.id, busy).await);
            }
        }
    }

    /// One mailbox; one that goes meanwhile is no error.
    async fn look_at_mailbox(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        busy: &(dyn Fn() -> bool + Sync),
    ) -> Result<(), StorageError> {
        match self.index_mailbox(account, mailbox, busy).await {
            Ok(_) | Err(StorageError::NoSuchMailbox | StorageError::Expunged) => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// Brings the index of one mailbox in step with it. While `busy`, it rests as long as it works.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::Expunged`] when the index was forgotten meanwhile, or the engine's.
    pub async fn index_mailbox(
        &self,
        account: AccountId,
        mailbox: MailboxId,
        busy: &(dyn Fn() -> bool + Sync),
    ) -> Result<Worked, StorageError> {
        let mut worked = Worked::default();
        let mailbox_row = self.store.mailbox(account, mailbox).await?.ok_or(StorageError::NoSuchMailbox)?;
        let mut row = self.usable_row(account, mailbox).await?;
        if !row.loose.is_empty() {
            self.store.remove_loose_segments(account, mailbox).await?;
        }
        // More than half of what is indexed is gone: then it is written anew without that.
        if row.messages() / 2 > mailbox_row.messages.into() {
            for segment in row.segments.clone() {
                self.merge((account, mailbox), &[segment]).await?;
                worked.merged = worked.merged.saturating_add(1);
            }
        }
        loop {
            row = self.usable_row(account, mailbox).await?;
            if let Some(segments) = due(&row.segments) {
                self.merge((account, mailbox), segments).await?;
                worked.merged = worked.merged.saturating_add(segments.len() as u64);
                continue;
            }
            // Most mailboxes are told apart by their counters: nothing is read of their messages.
            let behind = mailbox_row.uid_next.0.saturating_sub(1).saturating_sub(row.indexed_to);
            let most = u64::from(behind).min(mailbox_row.messages.into());
            if most < u64::try_from(self.tail_messages).unwrap_or(u64::MAX) {
                return Ok(worked);
            }
            let began = self.store.now();
            let messages = self.new_segment(account, mailbox, &row).await?;
            if messages == 0 {
                return Ok(worked);
            }
            worked.messages = worked.messages.saturating_add(messages);
            metrics::counter!("relais_search_indexed_messages_total").increment(messages);
            if busy() {
                self.rest(self.store.now().since(began)).await;
            }
        }
    }

    /// The mailbox's index; one that can't be read is given up and begun anew.
    async fn usable_row(&self, account: AccountId, mailbox: MailboxId) -> Result<IndexRow, StorageError> {
        match self.store.index_row(account, mailbox).await {
            Err(StorageError::Corrupt(what)) => {
                tracing::warn!(%account, %mailbox, what, "a full-text index is built anew");
                self.store.forget_index(account, mailbox).await?;
                self.store.remove_loose_segments(account, mailbox).await?;
                self.store.index_row(account, mailbox).await
            }
            row => row,
        }
    }

    /// A damaged segment makes the index be built anew.
    async fn merge(
        &self,
        (account, mailbox): (AccountId, MailboxId),
        segments: &[IndexSegment],
    ) -> Result<(), StorageError> {
        match merge(&self.store, (account, mailbox), segments, WRITE_OCTETS).await {
            Err(StorageError::Corrupt(what)) => {
                tracing::warn!(%account, %mailbox, what, "a full-text index is built anew");
                self.store.forget_index(account, mailbox).await?;
                self.store.remove_loose_segments(account, mailbox).await
            }
            merged => merged,
        }
    }

    /// Makes a segment of the next messages, when there are enough of them; gives how many it has.
    async fn new_segment(&self, account: AccountId, mailbox: MailboxId, row: &IndexRow) -> Result<u64, StorageError> {
        let from = Uid(row.indexed_to.saturating_add(1));
        let waiting = self.store.messages(account, mailbox, from, Uid(u32::MAX), self.tail_messages).await?;
        let Some(first) = waiting.first().filter(|_| waiting.len() >= self.tail_messages) else { return Ok(0) };
        let reader = if self.attachments { ATTACHMENT_READER } else { 0 };
        if row.attachments != reader {
            self.store.begin_index(account, mailbox, Some(reader)).await?;
            self.store.remove_loose_segments(account, mailbox).await?;
            return Box::pin(self.new_segment(account, mailbox, &self.usable_row(account, mailbox).await?)).await;
        }
        let mut builder = Builder::new(first.uid);
        let of = Mailbox { store: &self.store, account, mailbox, attachments: self.attachments };
        let taken = take_messages(of, &mut builder, first.uid, self.batch_messages).await?;
        let Some(indexed_to) = taken.last else { return Ok(0) };
        let place = self.store.begin_index_segment(account, mailbox).await?.value;
        // Sorting and packing take some tens of milliseconds.
        let built = tokio::task::spawn_blocking(move || builder.finish());
        let built = built.await.map_err(|panic| StorageError::Io(format!("an index could not be built: {panic}")))?;
        let Some(mut built) = built else {
            self.store.finish_index_segment(place, None, Vec::new(), indexed_to).await?;
            self.store.remove_loose_segments(account, mailbox).await?;
            return Ok(1);
        };
        for blocks in by_octets(std::mem::take(&mut built.blocks)) {
            self.store.put_index_blocks(place, blocks).await?;
        }
        let segment = IndexSegment {
            number: place.segment,
            first: built.first,
            last: built.last,
            messages: built.messages,
            partial: built.partial,
        };
        let segment = Some((segment, built.packed_lengths()));
        self.store.finish_index_segment(place, segment, Vec::new(), indexed_to).await?;
        Ok(u64::from(built.messages))
    }
}

/// Blocks in portions that one transaction writes.
fn by_octets(blocks: Vec<IndexBlock>) -> Vec<Vec<IndexBlock>> {
    let (mut all, mut octets) = (Vec::new(), WRITE_OCTETS);
    for block in blocks {
        if octets >= WRITE_OCTETS {
            all.push(Vec::new());
            octets = 0;
        }
        octets = octets.saturating_add(block.words.len()).saturating_add(block.postings.len());
        if let Some(last) = all.last_mut() {
            last.push(block);
        }
    }
    all
}
