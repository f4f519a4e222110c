//! What a mailbox row keeps of a message, computed once at delivery, so that a client's first synchronisation parses nothing.
//!
//! Layout: version, flags, the lengths of six sections, the sections. [`RecordView`] finds a section without reading the
//! others: a FETCH of ENVELOPE costs no more than the slice.

use crate::{
    codec::{Reader, Writer},
    part_table::PartTable,
    preview::preview,
    sort_keys::{SentDate, SortKeys, SortKeysView, sent_of},
    structure::Structure,
    told::Told,
};

/// The record of one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageRecord {
    /// `ENVELOPE` as IMAP sends it; opaque here.
    pub envelope: Vec<u8>,
    /// `BODY` as IMAP sends it; opaque here.
    pub body: Vec<u8>,
    /// `BODYSTRUCTURE` as IMAP sends it; opaque here.
    pub body_structure: Vec<u8>,
    /// Where the parts are.
    pub parts: PartTable,
    /// What to sort, thread and search by.
    pub sort_keys: SortKeys,
    /// The first words of the text.
    pub preview: String,
    /// Whether a reader would call something in it an attachment.
    pub has_attachment: bool,
    /// The fields of which `envelope` tells everything.
    pub told: Told,
}

/// Why a stored record cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// It was written by another version.
    #[error("message record has version {0}, not {VERSION}")]
    Version(u8),
    /// Its octets contradict each other.
    #[error("message record is damaged in its {0}")]
    Damaged(&'static str),
}

impl MessageRecord {
    /// The record of a scanned message, with the three encoded forms.
    pub fn new(structure: &Structure, envelope: Vec<u8>, body: Vec<u8>, body_structure: Vec<u8>) -> Self {
        Self {
            envelope,
            body,
            body_structure,
            parts: structure.part_table(),
            sort_keys: SortKeys::new(structure),
            preview: preview(structure),
            has_attachment: structure.has_attachment(),
            told: Told::new(structure),
        }
    }

    /// The record as octets.
    pub fn encode(&self) -> Vec<u8> {
        let parts = self.parts.encode();
        let sort_keys = self.sort_keys.encode();
        let sections: [&[u8]; SECTIONS] =
            [&self.envelope, &self.body, &self.body_structure, &parts, &sort_keys, self.preview.as_bytes()];
        let mut writer = Writer::default();
        writer.octet(VERSION);
        writer.octet(u8::from(self.has_attachment) | self.told.bits() << TOLD_SHIFT);
        for section in sections {
            writer.length(section.len());
        }
        for section in sections {
            writer.0.extend_from_slice(section);
        }
        writer.0
    }

    /// Reads all of a record.
    pub fn decode(bytes: &[u8]) -> Result<Self, RecordError> {
        let view = RecordView::new(bytes)?;
        Ok(Self {
            envelope: view.envelope().to_vec(),
            body: view.body().to_vec(),
            body_structure: view.body_structure().to_vec(),
            parts: view.parts()?,
            sort_keys: view.sort_keys()?,
            preview: view.preview()?.to_owned(),
            has_attachment: view.has_attachment(),
            told: view.told(),
        })
    }
}

/// A record in its stored octets, read piece by piece.
#[derive(Clone, Copy, Debug)]
pub struct RecordView<'a> {
    has_attachment: bool,
    told: Told,
    sections: [&'a [u8]; SECTIONS],
}

impl<'a> RecordView<'a> {
    /// Finds the sections; reads nothing of them.
    pub fn new(bytes: &'a [u8]) -> Result<Self, RecordError> {
        let damaged = RecordError::Damaged("frame");
        let mut reader = Reader(bytes);
        let version = reader.octet().ok_or(damaged)?;
        if version != VERSION {
            return Err(RecordError::Version(version));
        }
        let flags = reader.octet().ok_or(damaged)?;
        let told = Told::from_bits(flags >> TOLD_SHIFT).ok_or(damaged)?;
        let mut lengths = [0_usize; SECTIONS];
        for length in &mut lengths {
            *length = reader.length().ok_or(damaged)?;
        }
        let mut sections: [&[u8]; SECTIONS] = [&[]; SECTIONS];
        for (section, length) in sections.iter_mut().zip(lengths) {
            *section = reader.take(length).ok_or(damaged)?;
        }
        if reader.0.is_empty() { Ok(Self { has_attachment: flags & 1 != 0, told, sections }) } else { Err(damaged) }
    }

    /// `ENVELOPE` as IMAP sends it.
    pub fn envelope(&self) -> &'a [u8] {
        let [envelope, ..] = self.sections;
        envelope
    }

    /// `BODY` as IMAP sends it.
    pub fn body(&self) -> &'a [u8] {
        let [_, body, ..] = self.sections;
        body
    }

    /// `BODYSTRUCTURE` as IMAP sends it.
    pub fn body_structure(&self) -> &'a [u8] {
        let [_, _, body_structure, ..] = self.sections;
        body_structure
    }

    /// Where the parts are.
    pub fn parts(&self) -> Result<PartTable, RecordError> {
        let [_, _, _, parts, ..] = self.sections;
        PartTable::decode(parts).ok_or(RecordError::Damaged("part table"))
    }

    /// What to sort, thread and search by.
    pub fn sort_keys(&self) -> Result<SortKeys, RecordError> {
        let [.., sort_keys, _] = self.sections;
        SortKeys::decode(sort_keys).ok_or(RecordError::Damaged("sort keys"))
    }

    /// What to sort, thread and search by, borrowed.
    pub fn sort_keys_view(&self) -> Result<SortKeysView<'a>, RecordError> {
        let [.., sort_keys, _] = self.sections;
        SortKeysView::new(sort_keys).ok_or(RecordError::Damaged("sort keys"))
    }

    /// As [`SortKeys::sent`]; reads nothing else.
    pub fn sent(&self) -> Result<Option<SentDate>, RecordError> {
        let [.., sort_keys, _] = self.sections;
        sent_of(sort_keys).ok_or(RecordError::Damaged("sort keys"))
    }

    /// The first words of the text.
    pub fn preview(&self) -> Result<&'a str, RecordError> {
        let [.., preview] = self.sections;
        str::from_utf8(preview).map_err(|_| RecordError::Damaged("preview"))
    }

    /// Whether a reader would call something in it an attachment.
    pub fn has_attachment(&self) -> bool {
        self.has_attachment
    }

    /// The fields of which ENVELOPE tells everything; none in a record that is older than they are.
    pub fn told(&self) -> Told {
        self.told
    }
}

/// Raised when the layout changes; a migration rewrites older records.
const VERSION: u8 = 1;

const SECTIONS: usize = 6;

/// Where the bits of [`Told`] begin in the flags; the lowest one is that of attachments.
const TOLD_SHIFT: u32 = 1;

#[cfg(test)]
mod tests;
