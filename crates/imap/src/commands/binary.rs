//! BINARY and BINARY.SIZE: parts without their transfer encoding (RFC 3516 §4.2, §4.3).
//!
//! A part is decoded as it is read. How long it is and whether a NUL is in it must be known before its first octet is sent:
//! a short one is held, a longer one is decoded twice.

use imap_wire::response::FetchResponse;
use imap_wire::{FetchItem, Partial};
use message::{ByteRange, PartKind, PartTable, TransferDecoder, TransferEncoding};
use storage::StorageError;
use storage::blobs::BlobReader;
use storage::rows::MessageRow;

use super::sections::broken;
use crate::fault::Fault;
use crate::limits::BINARY_HELD_OCTETS;
use crate::session::Session;

/// What a first reading has found out of the octets to be sent.
#[derive(Default)]
pub(super) struct Measured {
    pub(super) octets: u64,
    /// How many of them end a line.
    pub(super) lines: u64,
    pub(super) has_nul: bool,
    pub(super) has_eight_bit: bool,
    /// Them, when they are few.
    pub(super) held: Option<Vec<u8>>,
}

impl Measured {
    /// Octets that are at hand.
    pub(super) fn of(octets: Vec<u8>) -> Self {
        let mut measured = Self::default();
        measured.count(&octets);
        Self { held: Some(octets), ..measured }
    }

    fn count(&mut self, octets: &[u8]) {
        self.octets = self.octets.saturating_add(octets.len() as u64);
        self.lines = self.lines.saturating_add(memchr::memchr_iter(b'\n', octets).count() as u64);
        self.has_nul = self.has_nul || memchr::memchr(0, octets).is_some();
        self.has_eight_bit = self.has_eight_bit || !octets.is_ascii();
    }

    /// The transfer encoding that changes nothing of them (RFC 2045 §6.2).
    pub(super) const fn encoding(&self) -> &'static str {
        match (self.has_nul, self.has_eight_bit) {
            (true, _) => "BINARY",
            (false, true) => "8BIT",
            (false, false) => "7BIT",
        }
    }
}

/// Lets the wanted octets through.
struct Window {
    skip: u64,
    left: u64,
}

impl Window {
    const fn new(partial: Option<Partial>) -> Self {
        match partial {
            Some(partial) => Self { skip: partial.start, left: partial.length },
            None => Self { skip: 0, left: u64::MAX },
        }
    }

    fn pass<'a>(&mut self, decoded: &'a [u8]) -> &'a [u8] {
        let octets = decoded.len() as u64;
        let skipped = self.skip.min(octets);
        self.skip -= skipped;
        let wanted = ByteRange { start: skipped, end: skipped.saturating_add(self.left).min(octets) }.of(decoded);
        self.left = self.left.saturating_sub(wanted.len() as u64);
        wanted
    }
}

impl Session {
    /// Answers one of the items; false when nobody knows the part's encoding, and nothing was said.
    pub(super) async fn send_binary(
        &mut self,
        response: &mut FetchResponse,
        item: &FetchItem,
        parts: Option<&PartTable>,
        row: &MessageRow,
        reader: &mut BlobReader,
    ) -> Result<bool, Fault> {
        let (part, partial, size_only) = if let FetchItem::Binary { part, partial, .. } = item {
            (part, *partial, false)
        } else if let FetchItem::BinarySize { part } = item {
            (part, None, true)
        } else {
            return Ok(true);
        };
        let origin = partial.map(|partial| partial.start);
        let Some((range, encoding)) = place(part, parts, row) else {
            match size_only {
                true => response.binary_size(self.connection.out(), part, 0),
                false => response.binary_nil(self.connection.out(), part, origin),
            }
            return Ok(true);
        };
        let Some(decoder) = TransferDecoder::new(encoding) else { return Ok(false) };
        let held_max = if size_only { 0 } else { BINARY_HELD_OCTETS };
        let measured = measure(reader, range, decoder.clone(), partial, held_max).await;
        let Measured { octets, has_nul, held, .. } = measured.map_err(|error| broken(row, &error))?;
        if size_only {
            response.binary_size(self.connection.out(), part, octets);
            return Ok(true);
        }
        response.binary_literal(self.connection.out(), part, origin, octets, has_nul);
        match held {
            Some(held) => self.connection.out().extend_from_slice(&held),
            None => self.stream_decoded(range, decoder, partial, row, reader).await?,
        }
        self.connection.flush_some().await?;
        Ok(true)
    }

    /// As [`measure`] has found it. After its length was announced there is no way back.
    pub(super) async fn stream_decoded(
        &mut self,
        range: ByteRange,
        mut decoder: TransferDecoder,
        partial: Option<Partial>,
        row: &MessageRow,
        reader: &mut BlobReader,
    ) -> Result<(), Fault> {
        let mut window = Window::new(partial);
        let mut decoded = Vec::new();
        let mut at = range.start;
        while at < range.end && window.left > 0 {
            let piece = reader.piece(at, range.end).await.map_err(|error| broken(row, &error))?;
            if piece.is_empty() {
                return Err(broken(row, &StorageError::Expunged));
            }
            at = at.saturating_add(piece.len() as u64);
            decoded.clear();
            decoder.feed(&piece, &mut decoded);
            self.connection.out().extend_from_slice(window.pass(&decoded));
            self.connection.flush_some().await?;
        }
        if at >= range.end {
            decoded.clear();
            decoder.finish(&mut decoded);
            self.connection.out().extend_from_slice(window.pass(&decoded));
        }
        Ok(())
    }
}

/// Where the part is, and what hides it. The whole message, a multipart and a message in a message have no encoding of their
/// own (RFC 2045 §6.4).
fn place(part: &[u32], parts: Option<&PartTable>, row: &MessageRow) -> Option<(ByteRange, TransferEncoding)> {
    if part.is_empty() {
        return Some((ByteRange { start: 0, end: row.octets }, TransferEncoding::Binary));
    }
    let parts = parts?;
    let leaf = parts.find(part).map(|(_, entry)| entry).filter(|entry| entry.kind == PartKind::Leaf);
    let range = parts.section(&message::Section::new(part.to_vec(), message::SectionText::Whole))?;
    Some((range, leaf.map_or(TransferEncoding::Binary, |entry| entry.encoding)))
}

/// Reads what is wanted of a part, and holds it when it has `held_max` octets at most.
pub(super) async fn measure(
    reader: &mut BlobReader,
    range: ByteRange,
    mut decoder: TransferDecoder,
    partial: Option<Partial>,
    held_max: usize,
) -> Result<Measured, StorageError> {
    let mut window = Window::new(partial);
    let mut measured = Measured { held: Some(Vec::new()), ..Measured::default() };
    let mut count = |wanted: &[u8]| {
        measured.count(wanted);
        match &mut measured.held {
            Some(held) if held.len().saturating_add(wanted.len()) <= held_max => held.extend_from_slice(wanted),
            held => *held = None,
        }
    };
    let mut decoded = Vec::new();
    let mut at = range.start;
    while at < range.end && window.left > 0 {
        let piece = reader.piece(at, range.end).await?;
        if piece.is_empty() {
            return Err(StorageError::Expunged);
        }
        at = at.saturating_add(piece.len() as u64);
        decoded.clear();
        decoder.feed(&piece, &mut decoded);
        count(window.pass(&decoded));
        tokio::task::yield_now().await;
    }
    if at >= range.end {
        decoded.clear();
        decoder.finish(&mut decoded);
        count(window.pass(&decoded));
    }
    Ok(measured)
}
