//! Blobs: references counted, graves where there are none, chunks complete, content as its hash says.

use std::collections::BTreeMap;

use mail::{BlobHash, Timestamp};

use super::pages::{LARGE_ROWS, Pages, ROWS};
use super::{Check, Flaw};
use crate::blobs::rehash;
use crate::engine::KeyRange;
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::messages::uid_of;
use crate::rows::{BlobRow, MessageRow, QueueRow};

/// Blobs that are counted in one pass: some 40 MB of memory.
const BLOBS_PER_PASS: u64 = 500_000;

/// A part of the hashes (and of the uploads, which are as random), by their first two bytes.
#[derive(Clone, Copy)]
struct Slice {
    first: u16,
    last: u16,
}

impl Slice {
    /// As many slices as keep each below [`BLOBS_PER_PASS`].
    fn of(blobs: u64) -> Vec<Self> {
        let passes = u16::try_from(blobs / BLOBS_PER_PASS).unwrap_or(u16::MAX).saturating_add(1);
        let width = u16::MAX / passes;
        let first = |pass: u16| pass.saturating_mul(width);
        let last = |pass: u16| if pass + 1 == passes { u16::MAX } else { first(pass + 1) - 1 };
        (0..passes).map(|pass| Self { first: first(pass), last: last(pass) }).collect()
    }

    fn has(self, bytes: &[u8]) -> bool {
        bytes.first_chunk::<2>().is_some_and(|head| (self.first..=self.last).contains(&u16::from_be_bytes(*head)))
    }

    fn range(self, table: Table) -> KeyRange {
        let start = Key::global(table).bytes(&self.first.to_be_bytes()).done();
        let end = KeyRange::prefix(Key::global(table).bytes(&self.last.to_be_bytes()).done()).end;
        KeyRange { start, end }
    }
}

/// What the rows that name a blob say of it.
struct Named {
    references: u64,
    octets: u64,
    /// The first row that names it, for the report.
    by: String,
}

impl Check<'_> {
    pub(super) async fn blobs(&mut self) -> Result<(), StorageError> {
        self.checked.blobs = self.count_blobs().await?;
        for slice in Slice::of(self.checked.blobs) {
            let mut named = BTreeMap::new();
            self.named_by_messages(slice, &mut named).await?;
            self.named_by_queue(slice, &mut named).await?;
            self.blob_rows(slice, named).await?;
            let mut uploads = self.uploads(slice).await?;
            self.chunks(slice, &mut uploads).await?;
        }
        self.graves().await
    }

    async fn count_blobs(&self) -> Result<u64, StorageError> {
        let mut count = 0_u64;
        let mut pages = Pages::new(self.store, Key::global(Table::Blob).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(count);
            }
            count = count.saturating_add(page.len() as u64);
        }
    }

    fn name(
        &mut self,
        named: &mut BTreeMap<BlobHash, Named>,
        hash: BlobHash,
        octets: u64,
        by: impl FnOnce() -> String,
    ) {
        match named.get_mut(&hash) {
            None => {
                named.insert(hash, Named { references: 1, octets, by: by() });
            }
            Some(known) => {
                known.references = known.references.saturating_add(1);
                if known.octets != octets {
                    let detail = format!("{octets} octets, {} says {}", known.by, known.octets);
                    self.find(Flaw::BlobOctets, by(), detail);
                }
            }
        }
    }

    async fn named_by_messages(
        &mut self,
        slice: Slice,
        named: &mut BTreeMap<BlobHash, Named>,
    ) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, KeyRange::prefix(vec![Table::Message as u8]), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                // What can't be read has been reported with its mailbox.
                let Ok(row) = uid_of(&key).and_then(|uid| MessageRow::decode(uid, &value)) else { continue };
                if slice.has(&row.blob.0) {
                    let account = keys::middle(&key, 1).map_or(0, u64::from_be_bytes);
                    let mailbox = keys::middle(&key, keys::HEAD).map_or(0, u32::from_be_bytes);
                    let by = || format!("account {account}, mailbox {mailbox}, UID {}", row.uid);
                    self.name(named, row.blob, row.octets, by);
                }
            }
        }
    }

    async fn named_by_queue(
        &mut self,
        slice: Slice,
        named: &mut BTreeMap<BlobHash, Named>,
    ) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::Queue).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for row in page.iter().filter_map(|(_, value)| QueueRow::decode(value).ok()) {
                if slice.has(&row.blob.0) {
                    self.name(named, row.blob, row.octets, || format!("queue entry {}", row.id));
                }
            }
        }
    }

    async fn blob_rows(&mut self, slice: Slice, mut named: BTreeMap<BlobHash, Named>) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, slice.range(Table::Blob), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for (key, value) in page {
                let Some(hash) = keys::middle(&key, keys::HEAD).map(BlobHash) else {
                    self.find(Flaw::Undecodable, "a blob's key", format!("{key:02x?}"));
                    continue;
                };
                let place = format!("blob {hash}");
                let named = named.remove(&hash);
                let Some(row) = self.decoded(&place, BlobRow::decode(&value)) else { continue };
                self.blob_row(&hash, &row, named, &place).await?;
                if self.deep {
                    self.content(&hash, &row, &place).await?;
                }
            }
        }
        for (hash, named) in named {
            self.find(Flaw::MissingBlob, named.by, format!("blob {hash}"));
        }
        Ok(())
    }

    async fn blob_row(
        &mut self,
        hash: &BlobHash,
        row: &BlobRow,
        named: Option<Named>,
        place: &str,
    ) -> Result<(), StorageError> {
        let references = named.as_ref().map_or(0, |named| named.references);
        if row.references != references {
            let detail = format!("it counts {}, {references} rows name it", row.references);
            self.find(Flaw::References, place, detail);
        }
        if let Some(named) = named.filter(|named| named.octets != row.octets) {
            let detail = format!("{} octets, {} says {}", row.octets, named.by, named.octets);
            self.find(Flaw::BlobOctets, place, detail);
        }
        let grave = match row.grave {
            Some(at) => self.store.engine.get(&keys::grave(at, hash)).await?.is_some(),
            None => false,
        };
        if grave != (row.references == 0) {
            self.find(Flaw::Grave, place, format!("{} references, grave {:?}", row.references, row.grave));
        }
        if self.store.engine.get(&keys::upload(row.upload)).await?.is_some() {
            self.find(Flaw::StoredUpload, place, "");
        }
        Ok(())
    }

    async fn content(&mut self, hash: &BlobHash, row: &BlobRow, place: &str) -> Result<(), StorageError> {
        match rehash(self.store, row).await {
            Ok((found, octets)) if found == *hash && octets == row.octets => {}
            Ok((found, octets)) => {
                self.find(Flaw::BlobContent, place, format!("{octets} octets with the hash {found}"));
            }
            Err(StorageError::Corrupt(detail)) => self.find(Flaw::BlobContent, place, detail),
            // A missing chunk is reported as one.
            Err(StorageError::Expunged) => {}
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// The uploads of a slice that blobs name, with how many chunks each must have.
    async fn uploads(&mut self, slice: Slice) -> Result<BTreeMap<[u8; 16], (u32, BlobHash)>, StorageError> {
        let mut uploads = BTreeMap::new();
        let mut pages = Pages::new(self.store, Key::global(Table::Blob).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(uploads);
            }
            for (key, value) in page {
                let (Some(hash), Ok(row)) = (keys::middle(&key, keys::HEAD), BlobRow::decode(&value)) else { continue };
                if slice.has(&row.upload) {
                    uploads.insert(row.upload, (row.chunks, BlobHash(hash)));
                }
            }
        }
    }

    async fn chunks(
        &mut self,
        slice: Slice,
        uploads: &mut BTreeMap<[u8; 16], (u32, BlobHash)>,
    ) -> Result<(), StorageError> {
        let mut found: BTreeMap<[u8; 16], u32> = BTreeMap::new();
        let mut pages = Pages::new(self.store, slice.range(Table::Chunk), LARGE_ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for (key, _) in page {
                let number = keys::middle(&key, keys::HEAD + 16).map(u32::from_be_bytes);
                let (Some(upload), Some(number)) = (keys::middle::<16>(&key, keys::HEAD), number) else {
                    self.find(Flaw::Undecodable, "a chunk's key", format!("{key:02x?}"));
                    continue;
                };
                let place = format!("chunk {number} of upload {:032x}", u128::from_be_bytes(upload));
                match uploads.get(&upload) {
                    Some((chunks, _)) if number < *chunks => *found.entry(upload).or_default() += 1,
                    Some((_, hash)) => self.find(Flaw::OrphanChunk, place, format!("behind the end of blob {hash}")),
                    None => {
                        if self.store.engine.get(&keys::upload(upload)).await?.is_none() {
                            self.find(Flaw::OrphanChunk, place, "");
                        }
                    }
                }
            }
        }
        for (upload, (chunks, hash)) in std::mem::take(uploads) {
            let there = found.get(&upload).copied().unwrap_or(0);
            if there != chunks {
                self.find(Flaw::MissingChunk, format!("blob {hash}"), format!("{there} of {chunks} are there"));
            }
        }
        Ok(())
    }

    /// Each grave is that of a blob that says so.
    async fn graves(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::Grave).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, _) in page {
                let at = keys::middle(&key, keys::HEAD).map(u64::from_be_bytes).and_then(|at| i64::try_from(at).ok());
                let hash = keys::middle(&key, keys::HEAD + 8).map(BlobHash);
                let (Some(at), Some(hash)) = (at.map(Timestamp), hash) else {
                    self.find(Flaw::Undecodable, "a grave's key", format!("{key:02x?}"));
                    continue;
                };
                let row = self.store.engine.get(&keys::blob(&hash)).await?;
                match row.map(|value| BlobRow::decode(&value)) {
                    Some(Ok(row)) if row.grave != Some(at) => {
                        self.find(
                            Flaw::Grave,
                            format!("blob {hash}"),
                            format!("a grave at {at:?}, not at {:?}", row.grave),
                        );
                    }
                    None => self.find(Flaw::Grave, format!("blob {hash}"), "a grave without a blob"),
                    Some(_) => {}
                }
            }
        }
    }
}
