//! The structure of a message: parts, exact byte offsets, raw header values, ENVELOPE.
//!
//! A message is read once, by [`Scanner`], in pieces of any size as they arrive from the network; the [`Structure`] that it
//! yields is the only source of offsets in the server. What an IMAP client will ask for later (RFC 3501 §6.4.5) is derived
//! from it at delivery and stored as a [`MessageRecord`], whose [`PartTable`] answers section look-ups without the message.
//!
//! RFC 5322 (header), RFC 2045 and 2046 (MIME), RFC 2183 (disposition), RFC 3501 §6.4.5 and §7.4.2 (sections, ENVELOPE,
//! BODYSTRUCTURE), RFC 5256 (sort keys). RFC 2047 and RFC 2231 text stays as sent in everything that [`Structure`] holds;
//! [`decode_header`] and [`decode_text`] turn it into what people read.
//!
//! **Invariant:** no input panics, memory is bounded by [`limits`] whatever the input, and the result depends only on the
//! bytes, never on how they were cut. Nothing here does I/O or reads a clock.

mod address;
mod base_subject;
mod binary;
mod casemap;
mod charset_reader;
mod codec;
mod decode;
mod envelope;
mod facts;
mod field;
mod header_fields;
mod html;
pub mod limits;
mod mime;
mod part_table;
mod preview;
mod record;
mod scanner;
mod section;
mod sort_keys;
mod structure;
mod text_reader;
mod told;
mod transfer;

pub use address::{Address, parse_addresses};
pub use base_subject::{BaseSubject, base_subject};
pub use binary::{BinaryFlaw, BinaryParts};
pub use casemap::{casemap, casemap_into};
pub use decode::{TransferEncoding, decode_bytes, decode_header, decode_text};
pub use envelope::Envelope;
pub use facts::HeaderFacts;
pub use field::{Field, field_name};
pub use header_fields::{RawField, RawFields, header_fields, raw_fields};
pub use html::strip_html;
pub use mime::{ContentType, Disposition, Mime, Parameter, Parameters};
pub use part_table::{PartTable, TableEntry, TextKind};
pub use preview::preview;
pub use record::{MessageRecord, RecordError, RecordView};
pub use scanner::Scanner;
pub use section::{Section, SectionText};
pub use sort_keys::{FirstAddress, SentDate, SortKeys, SortKeysView, parse_date, parse_message_ids};
pub use structure::{ByteRange, HeaderField, Part, PartKind, Structure, TextSample};
pub use text_reader::{LookAhead, TextReader};
pub use told::{ADDRESS_SEPARATORS, Told, address_texts};
pub use transfer::TransferDecoder;
