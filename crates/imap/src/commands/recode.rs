//! Messages with NULs, which a literal8 may bring (RFC 3516 §4.4): their binary parts are stored in base64.
//!
//! RFC 3516 §6: BODYSTRUCTURE and BODY[] must describe and give every part in an encoding of the base specification. So the
//! parts that need it are encoded once, as the message comes in, and all other octets stay what they are.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use message::{ByteRange, PartKind, Scanner, Structure, TransferEncoding, raw_fields};
use storage::blobs::{BlobReader, BlobWriter, StagedBlob};
use storage::{StorageError, Store};

use crate::limits::HEADER_OCTETS_MAX;

/// Octets in one line of base64: 76 characters (RFC 2045 §6.8).
const LINE_OCTETS: usize = 57;

/// The message with its binary parts in base64 where they hold a NUL. NULs elsewhere stay.
pub(super) async fn without_nuls(
    store: &Store,
    staged: &StagedBlob,
    structure: &Structure,
) -> Result<(StagedBlob, Structure), StorageError> {
    let mut output = Output::new(store);
    let mut reader = store.staged_reader(staged);
    let mut at = 0;
    for part in structure.parts.iter().filter(|part| part.kind == PartKind::Leaf) {
        let (header, body) = (part.header(), part.body());
        if TransferEncoding::from_field(part.mime.encoding.as_deref()) != TransferEncoding::Binary
            || header.size() > HEADER_OCTETS_MAX
            || !holds_nul(&mut reader, body).await?
        {
            continue;
        }
        output.copy(&mut reader, ByteRange { start: at, end: header.start }).await?;
        output.put(&encoded_header(&reader.read(header.start, header.end).await?)).await?;
        output.encode(&mut reader, body).await?;
        if body.end == structure.size {
            output.put(b"\r\n").await?;
        }
        at = body.end;
    }
    output.copy(&mut reader, ByteRange { start: at, end: structure.size }).await?;
    Ok(output.finish())
}

/// A message that is put together in the store, and what it is like.
pub(super) struct Output {
    writer: BlobWriter,
    scanner: Scanner,
}

impl Output {
    /// Nothing yet.
    pub(super) fn new(store: &Store) -> Self {
        Self { writer: store.blob_writer(), scanner: Scanner::new() }
    }

    /// The whole.
    pub(super) fn finish(self) -> (StagedBlob, Structure) {
        (self.writer.finish(), self.scanner.finish())
    }

    /// Appends octets.
    pub(super) async fn put(&mut self, octets: &[u8]) -> Result<(), StorageError> {
        self.scanner.feed(octets);
        self.writer.write(octets).await
    }

    /// Appends octets of what a reader reads.
    pub(super) async fn copy(&mut self, reader: &mut BlobReader, range: ByteRange) -> Result<(), StorageError> {
        let mut at = range.start;
        while at < range.end {
            let piece = next(reader, &mut at, range.end).await?;
            self.put(&piece).await?;
        }
        Ok(())
    }

    /// Lines of base64 with CRLF between them.
    async fn encode(&mut self, reader: &mut BlobReader, body: ByteRange) -> Result<(), StorageError> {
        let mut at = body.start;
        let mut rest: Vec<u8> = Vec::new();
        let mut text = Vec::new();
        while at < body.end {
            rest.extend_from_slice(&next(reader, &mut at, body.end).await?);
            let whole = if at < body.end { rest.len() / LINE_OCTETS * LINE_OCTETS } else { rest.len() };
            for line in rest.drain(..whole).collect::<Vec<_>>().chunks(LINE_OCTETS) {
                text.extend_from_slice(STANDARD.encode(line).as_bytes());
                text.extend_from_slice(b"\r\n");
            }
            if at >= body.end {
                text.truncate(text.len().saturating_sub(2));
            }
            self.put(&text).await?;
            text.clear();
        }
        Ok(())
    }
}

/// The header with another encoding in it; where the field was, so that nothing moves.
fn encoded_header(header: &[u8]) -> Vec<u8> {
    const NAME: &[u8] = b"Content-Transfer-Encoding";
    let mut fields = raw_fields(header);
    let mut out = Vec::with_capacity(header.len().saturating_add(8));
    let mut said = false;
    for field in &mut fields {
        if field.name.is_none_or(|name| !name.eq_ignore_ascii_case(NAME)) {
            out.extend_from_slice(field.bytes);
        } else if !std::mem::replace(&mut said, true) {
            out.extend_from_slice(b"Content-Transfer-Encoding: base64\r\n");
        }
    }
    out.extend_from_slice(fields.rest());
    out
}

async fn holds_nul(reader: &mut BlobReader, range: ByteRange) -> Result<bool, StorageError> {
    let mut at = range.start;
    while at < range.end {
        if memchr::memchr(0, &next(reader, &mut at, range.end).await?).is_some() {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The piece at a place, which moves behind it.
async fn next(reader: &mut BlobReader, at: &mut u64, end: u64) -> Result<bytes::Bytes, StorageError> {
    let piece = reader.piece(*at, end).await?;
    if piece.is_empty() {
        return Err(StorageError::Expunged);
    }
    *at = at.saturating_add(piece.len() as u64);
    tokio::task::yield_now().await;
    Ok(piece)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_says_base64_once() {
        let header =
            b"A: b\r\ncontent-transfer-encoding:\r\n binary\r\nC: d\r\nContent-Transfer-Encoding: 8bit\r\n\r\n";
        assert_eq!(encoded_header(header), b"A: b\r\nContent-Transfer-Encoding: base64\r\nC: d\r\n\r\n");
        assert_eq!(encoded_header(b"A: b\r\n\r\n"), b"A: b\r\n\r\n");
    }
}
