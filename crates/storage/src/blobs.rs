//! Blobs: the contents of messages, in compressed chunks, stored once and counted.
//!
//! A writer holds at most one chunk in memory and spills the full ones early. The transaction that names the blob
//! writes the last chunk and the row. An upload that spilled has a marker row until then; chunks whose marker outlives
//! its writer are swept soon, so that messages that never end do not fill the disk. A blob without references waits in a grave row before it goes, so that a reader that is
//! streaming it comes to its end.
//!
//! What has to stand in front of a message may be known only when all of it has come. A writer with a front keeps the place of the
//! first chunk free for it; a message of less than a chunk, which is still in memory, gets its front there and is a blob like any
//! other.
//!
//! **Invariant:** a blob has exactly one grave while it has no references, and none while it has some; so has one that a
//! transaction stored and never named.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail::{BlobHash, Timestamp};
use parking_lot::Mutex;

use crate::compression::{pack, unpack};
use crate::engine::{Durability, KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::BLOB_CHUNK_OCTETS;
use crate::rows::BlobRow;
use crate::store::Store;
use crate::transaction::Transaction;

/// How long a blob without references is kept.
pub const GRAVE_KEEP: Duration = Duration::from_secs(3600);

/// Uploads whose writer and staged blobs are gone; [`Store::sweep`] removes the chunks of those that nothing has named.
pub(crate) type Abandoned = Arc<Mutex<Vec<[u8; 16]>>>;

/// An upload's number while somebody holds it.
struct Upload {
    id: [u8; 16],
    spilled: bool,
    abandoned: Abandoned,
}

impl Drop for Upload {
    fn drop(&mut self) {
        if self.spilled {
            self.abandoned.lock().push(self.id);
        }
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Upload({:032x})", u128::from_be_bytes(self.id))
    }
}

/// Takes a message's bytes as they come.
pub struct BlobWriter {
    store: Store,
    upload: Upload,
    hasher: blake3::Hasher,
    buffer: Vec<u8>,
    chunks: u32,
    octets: u64,
    /// The first chunk is kept free for a front. The content is hashed when it leaves the buffer, then the front.
    front: bool,
}

/// A blob whose bytes are taken but which no committed transaction names yet.
#[derive(Clone, Debug)]
pub struct StagedBlob {
    /// Its content hash.
    pub hash: BlobHash,
    /// Octets of content.
    pub octets: u64,
    finished_at: Timestamp,
    upload: Arc<Upload>,
    chunks: u32,
    front_octets: u32,
    /// Packed chunks that are still in memory: the last one, and the front.
    held: Vec<(u32, Bytes)>,
}

impl Store {
    /// Starts an upload that ends with [`BlobWriter::finish_behind`].
    #[must_use]
    pub fn blob_writer_with_front(&self) -> BlobWriter {
        BlobWriter { front: true, hasher: blake3::Hasher::new_derive_key(HASH_WITH_FRONT), ..self.blob_writer() }
    }

    /// Starts an upload.
    #[must_use]
    pub fn blob_writer(&self) -> BlobWriter {
        let id = self.new_upload();
        BlobWriter {
            store: self.clone(),
            upload: Upload { id, spilled: false, abandoned: Arc::clone(&self.abandoned) },
            hasher: blake3::Hasher::new(),
            buffer: Vec::new(),
            chunks: 0,
            octets: 0,
            front: false,
        }
    }

    /// A number for an upload: the time and chance. So chunks stand in the order in which they came: those of a mailbox's messages
    /// beside each other, and what is compacted is not rewritten for what came later.
    fn new_upload(&self) -> [u8; 16] {
        let mut id = [0; 16];
        self.world.chance.fill(&mut id);
        let millis = self.now().0.max(0).to_be_bytes();
        for (octet, time) in id.iter_mut().zip(millis.iter().skip(2)) {
            *octet = *time;
        }
        id
    }

    /// Readers of several stored blobs, with the first chunk of each at hand, in the order of the hashes; `None` where there is none. For who
    /// reads many small messages one after the other: two reads of the store, where each would take two of its own.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn blobs(&self, hashes: &[BlobHash]) -> Result<Vec<Option<BlobReader>>, StorageError> {
        let keys: Vec<Vec<u8>> = hashes.iter().map(keys::blob).collect();
        let rows = self.engine.multi_get(&keys).await?;
        let rows = rows.into_iter().map(|row| row.map(|row| BlobRow::decode(&row)).transpose());
        let rows = rows.collect::<Result<Vec<_>, _>>()?;
        let keys: Vec<Vec<u8>> = rows.iter().flatten().map(|row| keys::chunk(row.upload, 0)).collect();
        let mut chunks = self.engine.multi_get(&keys).await?.into_iter();
        let mut reader = |row| {
            let staged = chunks.next().flatten().map(|chunk| (0, chunk)).into_iter().collect();
            BlobReader { store: self.clone(), row, held: None, staged, skipped: 0 }
        };
        Ok(rows.into_iter().map(|row| row.map(&mut reader)).collect())
    }

    /// A reader of a stored blob, `None` when there is none of that hash.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn blob(&self, hash: &BlobHash) -> Result<Option<BlobReader>, StorageError> {
        match self.engine.get(&keys::blob(hash)).await? {
            Some(value) => Ok(Some(BlobReader {
                store: self.clone(),
                row: BlobRow::decode(&value)?,
                held: None,
                staged: Vec::new(),
                skipped: 0,
            })),
            None => Ok(None),
        }
    }

    /// A stored blob as a transaction takes it, so that further rows can name it; `None` when there is none of that hash.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn staged_again(&self, hash: &BlobHash) -> Result<Option<StagedBlob>, StorageError> {
        let Some(value) = self.engine.get(&keys::blob(hash)).await? else { return Ok(None) };
        let row = BlobRow::decode(&value)?;
        // Spilled and without a marker: when the blob is gone by then, `store_blob` says so.
        let upload = Upload { id: row.upload, spilled: true, abandoned: Abandoned::default() };
        Ok(Some(StagedBlob {
            hash: *hash,
            octets: row.octets,
            finished_at: self.now(),
            upload: Arc::new(upload),
            chunks: row.chunks,
            front_octets: row.front_octets,
            held: Vec::new(),
        }))
    }

    /// Removes what interrupted uploads left: all, or those older than `age`.
    pub(crate) async fn sweep_uploads(&self, age: Option<Duration>) -> Result<usize, StorageError> {
        let now = self.now();
        let mut range = Key::global(Table::Upload).range();
        let mut swept = 0;
        loop {
            let uploads = self.engine.scan(range.clone(), Order::Ascending, 1000).await?;
            let Some((last, _)) = uploads.last() else { return Ok(swept) };
            range.start = [last.as_ref(), &[0]].concat();
            for (key, started) in uploads {
                let started = started.as_ref().try_into().map(i64::from_be_bytes).unwrap_or(0);
                if age.is_some_and(|age| now.since(Timestamp(started)) < age) {
                    continue;
                }
                let upload: [u8; 16] = keys::tail(&key).ok_or_else(|| StorageError::corrupt("an upload's key"))?;
                while self.transact_with(Durability::Relaxed, move |tx| tx.drop_upload(upload)).await?.value {}
                swept += 1;
            }
        }
    }

    /// Every upload that has a marker is given up: for the start, when nobody has begun one yet.
    pub(crate) async fn abandon_uploads(&self) -> Result<(), StorageError> {
        let mut range = Key::global(Table::Upload).range();
        loop {
            let uploads = self.engine.scan(range.clone(), Order::Ascending, 1000).await?;
            let Some((last, _)) = uploads.last() else { return Ok(()) };
            range.start = [last.as_ref(), &[0]].concat();
            self.abandoned.lock().extend(uploads.iter().filter_map(|(key, _)| keys::tail::<16>(key)));
        }
    }

    /// Removes the chunks of uploads that ended without a blob. Those that can't be removed now are kept in mind.
    async fn sweep_abandoned(&self) -> Result<usize, StorageError> {
        let mut swept = 0;
        loop {
            let Some(upload) = self.abandoned.lock().pop() else { return Ok(swept) };
            match self.sweep_upload(upload).await {
                Ok(there) => swept += usize::from(there),
                Err(error) => {
                    self.abandoned.lock().push(upload);
                    return Err(error);
                }
            }
        }
    }

    /// Whether there was anything to remove: most have become blobs and have no marker any more.
    async fn sweep_upload(&self, upload: [u8; 16]) -> Result<bool, StorageError> {
        if self.engine.get(&keys::upload(upload)).await?.is_none() {
            return Ok(false);
        }
        while self.transact_with(Durability::Relaxed, move |tx| tx.drop_upload(upload)).await?.value {}
        Ok(true)
    }

    /// Removes blobs that have been without references for [`GRAVE_KEEP`], uploads that were given up, and what is left of
    /// deleted mailboxes; settles a COPY or RENAME that was cut short. To be called now and then.
    ///
    /// # Errors
    /// When reading or writing fails.
    pub async fn sweep(&self) -> Result<usize, StorageError> {
        let mut range = Key::global(Table::Grave).range();
        range.end = Key::global(Table::Grave).time(self.now()).done();
        self.sweep_doomed_mailboxes().await?;
        self.settle_given_up().await?;
        let mut swept = self.sweep_abandoned().await?;
        swept += self.sweep_uploads(Some(Duration::from_secs(86_400))).await?;
        loop {
            let graves = self.engine.scan(range.clone(), Order::Ascending, 100).await?;
            if graves.is_empty() {
                return Ok(swept);
            }
            swept += graves.len();
            let keys: Vec<Bytes> = graves.into_iter().map(|(key, _)| key).collect();
            self.transact_with(Durability::Relaxed, move |tx| keys.iter().try_for_each(|key| tx.close_grave(key)))
                .await?;
        }
    }
}

impl BlobWriter {
    /// Takes bytes; full chunks go to the store.
    ///
    /// # Errors
    /// When the store refuses; the upload is then of no use.
    pub async fn write(&mut self, mut bytes: &[u8]) -> Result<(), StorageError> {
        if !self.front {
            self.hasher.update(bytes);
        }
        self.octets = self.octets.saturating_add(bytes.len() as u64);
        while !bytes.is_empty() {
            if self.buffer.len() == BLOB_CHUNK_OCTETS {
                self.spill().await?;
            }
            let room = BLOB_CHUNK_OCTETS.saturating_sub(self.buffer.len());
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            self.buffer.extend_from_slice(now);
            bytes = later;
        }
        Ok(())
    }

    async fn spill(&mut self) -> Result<(), StorageError> {
        let mut rows = Vec::with_capacity(2);
        if !self.upload.spilled {
            let started = self.store.now().0.to_be_bytes().to_vec();
            rows.push((Bytes::from(keys::upload(self.upload.id)), Bytes::from(started)));
            self.upload.spilled = true;
        }
        rows.push((Bytes::from(keys::chunk(self.upload.id, self.next_chunk()?)), pack(&self.buffer)));
        if self.front {
            self.hasher.update(&self.buffer);
        }
        // A thousand that wait for the store hold what is packed alone; the room for the next chunk grows with what comes.
        self.buffer = Vec::new();
        self.store.engine.write_early(rows).await?;
        self.chunks = self.chunks.checked_add(1).ok_or(StorageError::LimitReached("chunks of a message"))?;
        Ok(())
    }

    fn next_chunk(&self) -> Result<u32, StorageError> {
        self.chunks.checked_add(u32::from(self.front)).ok_or(StorageError::LimitReached("chunks of a message"))
    }

    /// Octets taken so far.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.octets
    }

    /// Reads what was taken so far, without a front. The upload must be kept as long as it is read.
    #[must_use]
    pub fn reader(&self) -> BlobReader {
        let held: Vec<_> = (!self.buffer.is_empty()).then(|| (self.chunks, pack(&self.buffer))).into_iter().collect();
        let row = BlobRow {
            upload: self.upload.id,
            octets: self.octets,
            chunks: self.chunks.saturating_add(u32::from(!held.is_empty())),
            references: 0,
            grave: None,
            front_octets: 0,
        };
        BlobReader { store: self.store.clone(), row, held: None, staged: held, skipped: u32::from(self.front) }
    }

    /// Ends the upload. Its last chunk waits in memory for the transaction.
    #[must_use]
    pub fn finish(self) -> StagedBlob {
        let held: Vec<_> = (!self.buffer.is_empty()).then(|| (self.chunks, pack(&self.buffer))).into_iter().collect();
        StagedBlob {
            hash: BlobHash(*self.hasher.finalize().as_bytes()),
            octets: self.octets,
            finished_at: self.store.now(),
            upload: Arc::new(self.upload),
            chunks: self.chunks.saturating_add(u32::from(!held.is_empty())),
            front_octets: 0,
            held,
        }
    }

    /// Ends an upload of [`Store::blob_writer_with_front`]: `front` stands before all that was written.
    ///
    /// # Errors
    /// A front of more than a chunk or of nothing, or the store's own.
    pub async fn finish_behind(mut self, front: &[u8]) -> Result<StagedBlob, StorageError> {
        let front_octets =
            u32::try_from(front.len()).ok().filter(|octets| *octets > 0 && front.len() <= BLOB_CHUNK_OCTETS);
        let front_octets = front_octets.ok_or(StorageError::LimitReached("octets in front of a message"))?;
        if self.chunks == 0 {
            // All of it is in memory: a blob like any other.
            let content = std::mem::take(&mut self.buffer);
            (self.front, self.octets, self.hasher) = (false, 0, blake3::Hasher::new());
            self.write(front).await?;
            self.write(&content).await?;
            return Ok(self.finish());
        }
        self.hasher.update(&self.buffer);
        let last = self.next_chunk()?;
        let mut held = vec![(0, pack(front))];
        held.extend((!self.buffer.is_empty()).then(|| (last, pack(&self.buffer))));
        Ok(StagedBlob {
            hash: hash_with_front(self.hasher, front),
            octets: self.octets.saturating_add(front.len() as u64),
            finished_at: self.store.now(),
            upload: Arc::new(self.upload),
            chunks: last.saturating_add(u32::from(!self.buffer.is_empty())),
            front_octets,
            held,
        })
    }
}

/// No content without a front has a hash of this kind, and the length tells where the front ends: two blobs of one hash are one.
const HASH_WITH_FRONT: &str = "relais 2026 blob with a front";

fn hash_with_front(mut hasher: blake3::Hasher, front: &[u8]) -> BlobHash {
    hasher.update(front);
    hasher.update(&(front.len() as u64).to_le_bytes());
    BlobHash(*hasher.finalize().as_bytes())
}

impl StagedBlob {
    /// Octets of memory that it holds until a transaction names it.
    #[must_use]
    pub fn held_octets(&self) -> usize {
        self.held.iter().map(|(_, chunk)| chunk.len()).sum()
    }
}

impl Store {
    /// Sends what a staged blob holds in memory to the store, as a full chunk goes: for who holds many.
    ///
    /// # Errors
    /// When the store refuses; the blob is then of no use.
    pub async fn spill_staged(&self, staged: StagedBlob) -> Result<StagedBlob, StorageError> {
        if staged.held.is_empty() {
            return Ok(staged);
        }
        let id = staged.upload.id;
        let row = |(number, chunk): &(u32, Bytes)| (Bytes::from(keys::chunk(id, *number)), chunk.clone());
        let mut rows: Vec<(Bytes, Bytes)> = staged.held.iter().map(row).collect();
        let upload = if staged.upload.spilled {
            Arc::clone(&staged.upload)
        } else {
            rows.push((Bytes::from(keys::upload(id)), Bytes::from(self.now().0.to_be_bytes().to_vec())));
            // From here on the upload is swept when nobody names it.
            Arc::new(Upload { id, spilled: true, abandoned: Arc::clone(&self.abandoned) })
        };
        let staged = StagedBlob { upload, held: Vec::new(), ..staged };
        self.engine.write_early(rows).await?;
        Ok(staged)
    }

    /// A reader of a staged blob, before any transaction names it.
    #[must_use]
    pub fn staged_reader(&self, staged: &StagedBlob) -> BlobReader {
        let row = BlobRow {
            upload: staged.upload.id,
            octets: staged.octets,
            chunks: staged.chunks,
            references: 0,
            grave: None,
            front_octets: staged.front_octets,
        };
        BlobReader { store: self.clone(), row, held: None, staged: staged.held.clone(), skipped: 0 }
    }
}

impl Transaction<'_> {
    /// Makes a staged blob a stored one, without references yet. Call before the rows that name it. Storing the same
    /// content again is no error: one copy is kept.
    ///
    /// # Errors
    /// [`StorageError::Expunged`] when the upload was swept because it waited for a day, or when reading fails.
    pub fn store_blob(&mut self, staged: &StagedBlob) -> Result<(), StorageError> {
        let key = keys::blob(&staged.hash);
        let Upload { id: upload, spilled, .. } = *staged.upload;
        if let Some(stored) = self.get(&key)? {
            // The very same upload may come twice: its chunks are the stored ones.
            if spilled && BlobRow::decode(&stored)?.upload != upload {
                self.delete(keys::upload(upload));
                (0..staged.chunks).for_each(|number| self.delete(keys::chunk(upload, number)));
            }
            return Ok(());
        }
        if spilled && self.get(&keys::upload(upload))?.is_none() {
            return Err(StorageError::Expunged);
        }
        for (number, chunk) in &staged.held {
            self.put(keys::chunk(upload, *number), chunk.clone());
        }
        if spilled {
            self.delete(keys::upload(upload));
        }
        let mut row = BlobRow {
            upload,
            octets: staged.octets,
            chunks: staged.chunks,
            references: 0,
            grave: None,
            front_octets: staged.front_octets,
        };
        self.dig_grave(&mut row, &staged.hash, staged.finished_at);
        self.put(key, row.encode()?);
        Ok(())
    }

    /// Counts one more row that names the blob.
    pub(crate) fn reference_blob(&mut self, hash: &BlobHash) -> Result<(), StorageError> {
        self.reference_blobs(std::iter::once(*hash))
    }

    /// The same for several rows; a blob that is there twice is named by two of them.
    pub(crate) fn reference_blobs(&mut self, hashes: impl Iterator<Item = BlobHash>) -> Result<(), StorageError> {
        for (hash, times, mut row) in self.blob_rows(hashes)? {
            row.references = row.references.saturating_add(times);
            if let Some(at) = row.grave.take() {
                self.delete(keys::grave(at, &hash));
            }
            self.put(keys::blob(&hash), row.encode()?);
        }
        Ok(())
    }

    /// Counts one row less; the last one digs the grave.
    pub(crate) fn unreference_blob(&mut self, hash: &BlobHash, now: Timestamp) -> Result<(), StorageError> {
        self.unreference_blobs(std::iter::once(*hash), now)
    }

    /// The same for several rows, as [`Transaction::reference_blobs`].
    pub(crate) fn unreference_blobs(
        &mut self,
        hashes: impl Iterator<Item = BlobHash>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        for (hash, times, mut row) in self.blob_rows(hashes)? {
            let left = row.references.checked_sub(times);
            row.references = left.ok_or_else(|| StorageError::corrupt(format!("references of {hash}")))?;
            if row.references == 0 {
                self.dig_grave(&mut row, &hash, now);
            }
            self.put(keys::blob(&hash), row.encode()?);
        }
        Ok(())
    }

    fn dig_grave(&mut self, row: &mut BlobRow, hash: &BlobHash, now: Timestamp) {
        // As the key holds it: no time before 1970.
        let at = Timestamp(now.plus(GRAVE_KEEP).0.max(0));
        row.grave = Some(at);
        self.put(keys::grave(at, hash), Bytes::new());
    }

    /// The rows of blobs, which must be there, and how often each is among these.
    fn blob_rows(&self, hashes: impl Iterator<Item = BlobHash>) -> Result<Vec<(BlobHash, u64, BlobRow)>, StorageError> {
        let mut times: BTreeMap<BlobHash, u64> = BTreeMap::new();
        for hash in hashes {
            let times = times.entry(hash).or_default();
            *times = times.saturating_add(1);
        }
        // In the order of the keys: they are read in one go.
        let keys: Vec<Vec<u8>> = times.keys().map(keys::blob).collect();
        let mut rows = Vec::with_capacity(keys.len());
        for ((hash, times), value) in times.into_iter().zip(self.get_all(&keys)?) {
            let value = value.ok_or_else(|| StorageError::corrupt(format!("blob {hash} is missing")))?;
            rows.push((hash, times, BlobRow::decode(&value)?));
        }
        Ok(rows)
    }

    fn close_grave(&mut self, grave: &[u8]) -> Result<(), StorageError> {
        let hash = BlobHash(keys::tail(grave).ok_or_else(|| StorageError::corrupt("a grave's key"))?);
        self.delete(grave.to_vec());
        let Some(value) = self.get(&keys::blob(&hash))? else { return Ok(()) };
        let row = BlobRow::decode(&value)?;
        // Named again since, a blob has no grave; this row is then of no meaning.
        let at = keys::middle(grave, keys::HEAD).map(u64::from_be_bytes).and_then(|at| i64::try_from(at).ok());
        if row.references == 0 && row.grave == at.map(Timestamp) {
            self.delete(keys::blob(&hash));
            (0..row.chunks).for_each(|number| self.delete(keys::chunk(row.upload, number)));
        }
        Ok(())
    }

    /// Removes some of an interrupted upload's chunks, at the end the marker. Whether there may be more.
    fn drop_upload(&mut self, upload: [u8; 16]) -> Result<bool, StorageError> {
        // A transaction may have named it since it was found.
        if self.get(&keys::upload(upload))?.is_none() {
            return Ok(false);
        }
        let chunks = self.scan(&upload_range(upload), Order::Ascending, SWEPT_CHUNKS)?;
        chunks.iter().for_each(|(key, _)| self.delete(key.to_vec()));
        if chunks.is_empty() {
            self.delete(keys::upload(upload));
        }
        Ok(!chunks.is_empty())
    }
}

/// Reads a stored blob, chunk by chunk.
pub struct BlobReader {
    store: Store,
    row: BlobRow,
    held: Option<(u32, Bytes)>,
    /// Packed chunks in memory: of a blob that is only staged, or that was read ahead.
    staged: Vec<(u32, Bytes)>,
    /// Chunks in front of the first one that is read: the place of a front that is not written yet.
    skipped: u32,
}

impl BlobReader {
    /// Octets of content.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.row.octets
    }

    /// The piece of content at `start`, up to the end of its chunk and at most up to `end`. Empty at the end.
    /// Reading on from where a piece ended streams the content with one chunk in memory.
    ///
    /// # Errors
    /// When reading fails or the blob is damaged.
    pub async fn piece(&mut self, start: u64, end: u64) -> Result<Bytes, StorageError> {
        let end = end.min(self.row.octets);
        if start >= end {
            return Ok(Bytes::new());
        }
        let front = u64::from(self.row.front_octets);
        let number = match start.checked_sub(front) {
            None => 0,
            Some(behind) => u32::try_from(behind / BLOB_CHUNK_OCTETS as u64 + u64::from(front > 0))
                .map_err(|_| StorageError::corrupt("a blob's length"))?,
        };
        let chunk = self.chunk(number).await?;
        let base = self.begins(number);
        let from = usize::try_from(start - base).unwrap_or(usize::MAX);
        let to = usize::try_from(end - base).unwrap_or(usize::MAX).min(chunk.len());
        if from >= to {
            return Err(StorageError::corrupt("a blob's chunk is too short"));
        }
        Ok(chunk.slice(from..to))
    }

    /// A range of the content as one buffer; for ranges that are bounded by something smaller than a message.
    ///
    /// # Errors
    /// When reading fails or the blob is damaged.
    pub async fn read(&mut self, start: u64, end: u64) -> Result<Vec<u8>, StorageError> {
        let mut all = Vec::new();
        let mut at = start;
        loop {
            let piece = self.piece(at, end).await?;
            if piece.is_empty() {
                return Ok(all);
            }
            at += piece.len() as u64;
            all.extend_from_slice(&piece);
        }
    }

    /// Where a chunk begins in the content.
    fn begins(&self, number: u32) -> u64 {
        let full = |chunks: u32| u64::from(chunks).saturating_mul(BLOB_CHUNK_OCTETS as u64);
        match (number.checked_sub(1), self.row.front_octets) {
            (Some(before), front @ 1..) => full(before).saturating_add(u64::from(front)),
            (None, _) | (_, 0) => full(number),
        }
    }

    async fn chunk(&mut self, number: u32) -> Result<Bytes, StorageError> {
        if let Some((held, chunk)) = &self.held
            && *held == number
        {
            return Ok(chunk.clone());
        }
        let staged = self.staged.iter().find(|(staged, _)| *staged == number).map(|(_, chunk)| chunk.clone());
        let value = match staged {
            Some(staged) => Some(staged),
            None => {
                let key = keys::chunk(self.row.upload, number.saturating_add(self.skipped));
                self.store.engine.get(&key).await?
            }
        };
        // Every chunk but the last and the front is full; a small message takes no more room than it needs.
        let most = match (number, self.row.front_octets) {
            (0, front @ 1..) => u64::from(front),
            _ => BLOB_CHUNK_OCTETS as u64,
        };
        let left = self.row.octets.saturating_sub(self.begins(number)).min(most);
        let octets_max = usize::try_from(left).unwrap_or(BLOB_CHUNK_OCTETS);
        let chunk = unpack(&value.ok_or(StorageError::Expunged)?, octets_max)?;
        self.held = Some((number, chunk.clone()));
        Ok(chunk)
    }
}

/// Chunks that one step of sweeping an upload reads and removes: a scan brings their contents along.
const SWEPT_CHUNKS: usize = 32;

/// The chunks of an upload.
pub(crate) fn upload_range(upload: [u8; 16]) -> KeyRange {
    Key::global(Table::Chunk).bytes(&upload).range()
}

/// For `check`: the content's hash, read from its chunks.
pub(crate) async fn rehash(store: &Store, row: &BlobRow) -> Result<(BlobHash, u64), StorageError> {
    let mut reader = BlobReader { store: store.clone(), row: row.clone(), held: None, staged: Vec::new(), skipped: 0 };
    let front = u64::from(row.front_octets);
    let mut hasher = match front {
        0 => blake3::Hasher::new(),
        _ => blake3::Hasher::new_derive_key(HASH_WITH_FRONT),
    };
    let mut at = front;
    loop {
        let piece = reader.piece(at, u64::MAX).await?;
        if piece.is_empty() {
            break;
        }
        hasher.update(&piece);
        at += piece.len() as u64;
    }
    if front == 0 {
        return Ok((BlobHash(*hasher.finalize().as_bytes()), at));
    }
    let front = reader.read(0, front).await?;
    Ok((hash_with_front(hasher, &front), at))
}
