//! The sections of FETCH: octets of a message, from the store to the socket piece by piece (RFC 3501 §6.4.5).

use imap_wire::response::FetchResponse;
use imap_wire::{FetchItem, Partial};
use message::{ByteRange, PartTable, header_fields};
use storage::blobs::BlobReader;
use storage::rows::MessageRow;
use urls::messages::{fields, read_header};

use crate::fault::{Fault, Lost};
use crate::session::Session;

impl Session {
    /// `BODY[…]` and the RFC822 items.
    pub(super) async fn send_section(
        &mut self,
        response: &mut FetchResponse,
        item: &FetchItem,
        parts: Option<&PartTable>,
        row: &MessageRow,
        reader: &mut BlobReader,
    ) -> Result<(), Fault> {
        let whole = ByteRange { start: 0, end: row.octets };
        let of = |text| {
            let section = message::Section::new(Vec::new(), text);
            parts.and_then(|parts| parts.section(&section)).unwrap_or_default()
        };
        match item {
            FetchItem::Rfc822 => {
                response.rfc822_literal(self.connection.out(), whole.size());
                self.stream(whole, row, reader).await
            }
            FetchItem::Rfc822Header => {
                let header = of(message::SectionText::Header);
                response.rfc822_header_literal(self.connection.out(), header.size());
                self.stream(header, row, reader).await
            }
            FetchItem::Rfc822Text => {
                let text = of(message::SectionText::Text);
                response.rfc822_text_literal(self.connection.out(), text.size());
                self.stream(text, row, reader).await
            }
            FetchItem::BodySection { section, partial, .. } => {
                let origin = partial.map(|partial| partial.start);
                let found = if section.part.is_empty() && section.text.is_none() {
                    Some(whole)
                } else {
                    parts.and_then(|parts| parts.section(&message::Section::from(section)))
                };
                let Some(range) = found else {
                    response.section_nil(self.connection.out(), section, origin);
                    return Ok(());
                };
                if let Some((names, invert)) = fields(section) {
                    let header = read_header(reader, range).await.map_err(|error| broken(row, &error))?;
                    let names: Vec<&[u8]> = names.iter().map(imap_wire::HeaderName::as_bytes).collect();
                    let found = header_fields(&header, &names, invert);
                    let found = clip(&found, *partial);
                    response.section_bytes(self.connection.out(), section, origin, found);
                    // Nothing bounds how often one FETCH asks for fields: each answer leaves before the next is made.
                    self.connection.flush_some().await?;
                    return Ok(());
                }
                let (skip, octets) = partial.map_or((0, range.size()), |partial| partial.clip(range.size()));
                let start = range.start.saturating_add(skip);
                response.section_literal(self.connection.out(), section, origin, octets);
                self.stream(ByteRange { start, end: start.saturating_add(octets) }, row, reader).await
            }
            FetchItem::Body
            | FetchItem::BodyStructure
            | FetchItem::Envelope
            | FetchItem::Flags
            | FetchItem::InternalDate
            | FetchItem::Rfc822Size
            | FetchItem::EmailId
            | FetchItem::SaveDate
            | FetchItem::ThreadId
            | FetchItem::Uid
            | FetchItem::ModSeq
            | FetchItem::Binary { .. }
            | FetchItem::BinarySize { .. }
            | FetchItem::Preview { .. } => Ok(()),
        }
    }

    /// Content, piece by piece. After its length was announced there is no way back: a failure ends the connection.
    pub(super) async fn stream(
        &mut self,
        range: ByteRange,
        row: &MessageRow,
        reader: &mut BlobReader,
    ) -> Result<(), Fault> {
        let mut at = range.start;
        while at < range.end {
            let piece = reader.piece(at, range.end).await.map_err(|error| broken(row, &error))?;
            if piece.is_empty() {
                return Err(broken(row, &storage::StorageError::Expunged));
            }
            at = at.saturating_add(piece.len() as u64);
            let out = self.connection.out();
            let start = out.len();
            out.extend_from_slice(&piece);
            // RFC 3501 §9 `CHAR8`: a literal holds no NUL.
            if memchr::memchr(0, &piece).is_some() {
                out.iter_mut().skip(start).filter(|octet| **octet == 0).for_each(|octet| *octet = 0x80);
            }
            self.connection.flush_some().await?;
        }
        Ok(())
    }
}

fn clip(bytes: &[u8], partial: Option<Partial>) -> &[u8] {
    let Some(partial) = partial else { return bytes };
    let (start, octets) = partial.clip(bytes.len() as u64);
    ByteRange { start, end: start.saturating_add(octets) }.of(bytes)
}

/// The response has begun and can't be finished.
pub(super) fn broken(row: &MessageRow, error: &storage::StorageError) -> Fault {
    tracing::error!(uid = %row.uid, blob = %row.blob, %error, "a message's content could not be read");
    Lost::BrokenLiteral.into()
}
