//! FETCH responses, assembled piece by piece (RFC 3501 §7.4.2).
//!
//! Stored bytes (ENVELOPE, BODYSTRUCTURE) go in as they are; message data goes past this crate: the caller
//! writes a literal header here, then sends exactly so many octets, then goes on.
//! Invariant: between [`FetchResponse::begin`] and [`FetchResponse::end`] the pieces form one response; items are separated by one space.

use mail::{Flags, InternalDate, Keyword, SystemFlags};

use super::strings::{write_literal_header, write_nstring, write_number, write_string};
use crate::date::write_internal_date;
use crate::section::{HeaderName, Section, SectionText};

/// The state of one FETCH response while it is put together; the bytes go to the buffer given to each call.
#[derive(Debug)]
#[must_use = "a FETCH response that has begun must be ended"]
pub struct FetchResponse {
    items: usize,
}

impl FetchResponse {
    /// `* n FETCH (`
    pub fn begin(out: &mut Vec<u8>, sequence_number: u32) -> Self {
        out.extend_from_slice(b"* ");
        write_number(out, sequence_number.into());
        out.extend_from_slice(b" FETCH (");
        Self { items: 0 }
    }

    /// `* n UIDFETCH (` (RFC 9586 §3.3)
    pub fn begin_uid(out: &mut Vec<u8>, uid: u32) -> Self {
        out.extend_from_slice(b"* ");
        write_number(out, uid.into());
        out.extend_from_slice(b" UIDFETCH (");
        Self { items: 0 }
    }

    /// `)` and CRLF.
    pub fn end(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b")\r\n");
    }

    /// How many items were written.
    pub const fn items(&self) -> usize {
        self.items
    }

    fn item(&mut self, out: &mut Vec<u8>, name: &str) {
        if self.items > 0 {
            out.push(b' ');
        }
        self.items += 1;
        out.extend_from_slice(name.as_bytes());
    }

    /// `UID n`
    pub fn uid(&mut self, out: &mut Vec<u8>, uid: u32) {
        self.item(out, "UID ");
        write_number(out, uid.into());
    }

    /// `FLAGS (…)`
    pub fn flags(&mut self, out: &mut Vec<u8>, flags: &Flags, recent: bool) {
        self.flag_names(out, flags.system, &flags.keywords, recent);
    }

    /// `FLAGS (…)` of what nobody has put together as a set; the keywords are in order.
    pub fn flag_names<'k>(
        &mut self,
        out: &mut Vec<u8>,
        system: SystemFlags,
        keywords: impl IntoIterator<Item = &'k Keyword>,
        recent: bool,
    ) {
        self.item(out, "FLAGS (");
        let system = SystemFlags::ALL.into_iter().filter(|(flag, _)| system.contains(*flag)).map(|(_, name)| name);
        let names = recent.then_some("\\Recent").into_iter().chain(system);
        let start = out.len();
        for name in names.chain(keywords.into_iter().map(Keyword::as_str)) {
            if out.len() > start {
                out.push(b' ');
            }
            out.extend_from_slice(name.as_bytes());
        }
        out.push(b')');
    }

    /// `INTERNALDATE "…"`
    pub fn internal_date(&mut self, out: &mut Vec<u8>, date: InternalDate) {
        self.item(out, "INTERNALDATE ");
        write_internal_date(date, out);
    }

    /// `RFC822.SIZE n`
    pub fn size(&mut self, out: &mut Vec<u8>, octets: u64) {
        self.item(out, "RFC822.SIZE ");
        write_number(out, octets);
    }

    /// `MODSEQ (n)` (RFC 7162 §3.1.4)
    pub fn modseq(&mut self, out: &mut Vec<u8>, modseq: u64) {
        self.item(out, "MODSEQ (");
        write_number(out, modseq);
        out.push(b')');
    }

    /// `EMAILID (id)` (RFC 8474 §5.3)
    pub fn email_id(&mut self, out: &mut Vec<u8>, id: &str) {
        self.item(out, &format!("EMAILID ({id})"));
    }

    /// `THREADID (id)` (RFC 8474 §5.3)
    pub fn thread_id(&mut self, out: &mut Vec<u8>, id: &str) {
        self.item(out, &format!("THREADID ({id})"));
    }

    /// `SAVEDATE "…"` (RFC 8514 §4.2)
    pub fn save_date(&mut self, out: &mut Vec<u8>, date: InternalDate) {
        self.item(out, "SAVEDATE ");
        write_internal_date(date, out);
    }

    /// `ENVELOPE …` from stored bytes.
    pub fn envelope(&mut self, out: &mut Vec<u8>, stored: &[u8]) {
        self.item(out, "ENVELOPE ");
        out.extend_from_slice(stored);
    }

    /// `BODY …`, the structure without extension data, from stored bytes.
    pub fn body(&mut self, out: &mut Vec<u8>, stored: &[u8]) {
        self.item(out, "BODY ");
        out.extend_from_slice(stored);
    }

    /// `BODYSTRUCTURE …` from stored bytes.
    pub fn body_structure(&mut self, out: &mut Vec<u8>, stored: &[u8]) {
        self.item(out, "BODYSTRUCTURE ");
        out.extend_from_slice(stored);
    }

    /// `PREVIEW "…"`, or NIL when it is not at hand (RFC 8970 §3.2).
    pub fn preview(&mut self, out: &mut Vec<u8>, text: Option<&str>) {
        self.item(out, "PREVIEW ");
        write_nstring(out, text.map(str::as_bytes));
    }

    /// `BODY[section]<origin> {n}` and CRLF: the caller sends `length` octets next. The origin is that of the
    /// partial asked for (RFC 3501 §7.4.2), without its length.
    pub fn section_literal(&mut self, out: &mut Vec<u8>, section: &Section, origin: Option<u64>, length: u64) {
        self.section_name(out, section, origin);
        write_literal_header(out, length);
    }

    /// `BODY[section]<origin>` with data that is at hand: quoted, or a literal.
    pub fn section_bytes(&mut self, out: &mut Vec<u8>, section: &Section, origin: Option<u64>, data: &[u8]) {
        self.section_name(out, section, origin);
        write_string(out, data);
    }

    /// `BODY[section] NIL`: there is no such part.
    pub fn section_nil(&mut self, out: &mut Vec<u8>, section: &Section, origin: Option<u64>) {
        self.section_name(out, section, origin);
        out.extend_from_slice(b"NIL");
    }

    /// `RFC822 {n}` and CRLF: the caller sends `length` octets next.
    pub fn rfc822_literal(&mut self, out: &mut Vec<u8>, length: u64) {
        self.item(out, "RFC822 ");
        write_literal_header(out, length);
    }

    /// `RFC822.HEADER {n}` and CRLF: the caller sends `length` octets next.
    pub fn rfc822_header_literal(&mut self, out: &mut Vec<u8>, length: u64) {
        self.item(out, "RFC822.HEADER ");
        write_literal_header(out, length);
    }

    /// `RFC822.TEXT {n}` and CRLF: the caller sends `length` octets next.
    pub fn rfc822_text_literal(&mut self, out: &mut Vec<u8>, length: u64) {
        self.item(out, "RFC822.TEXT ");
        write_literal_header(out, length);
    }

    /// `BINARY[part]<origin> {n}` and CRLF: the caller sends `length` octets next. With a NUL among them it is a literal8
    /// (RFC 3516 §4.3).
    pub fn binary_literal(&mut self, out: &mut Vec<u8>, part: &[u32], origin: Option<u64>, length: u64, has_nul: bool) {
        self.binary_name(out, "BINARY", part, origin);
        if has_nul {
            out.push(b'~');
        }
        write_literal_header(out, length);
    }

    /// `BINARY[part] NIL`: there is no such part.
    pub fn binary_nil(&mut self, out: &mut Vec<u8>, part: &[u32], origin: Option<u64>) {
        self.binary_name(out, "BINARY", part, origin);
        out.extend_from_slice(b"NIL");
    }

    /// `BINARY.SIZE[part] n`
    pub fn binary_size(&mut self, out: &mut Vec<u8>, part: &[u32], octets: u64) {
        self.binary_name(out, "BINARY.SIZE", part, None);
        out.extend_from_slice(octets.to_string().as_bytes());
    }

    fn binary_name(&mut self, out: &mut Vec<u8>, name: &str, part: &[u32], origin: Option<u64>) {
        let numbers: Vec<String> = part.iter().map(ToString::to_string).collect();
        let origin = origin.map(|origin| format!("<{origin}>")).unwrap_or_default();
        self.item(out, &format!("{name}[{}]{origin} ", numbers.join(".")));
    }

    fn section_name(&mut self, out: &mut Vec<u8>, section: &Section, origin: Option<u64>) {
        self.item(out, "BODY[");
        let numbers: Vec<String> = section.part.iter().map(ToString::to_string).collect();
        out.extend_from_slice(numbers.join(".").as_bytes());
        if let Some(text) = &section.text {
            if !numbers.is_empty() {
                out.push(b'.');
            }
            match text {
                SectionText::Header => out.extend_from_slice(b"HEADER"),
                SectionText::Text => out.extend_from_slice(b"TEXT"),
                SectionText::Mime => out.extend_from_slice(b"MIME"),
                SectionText::HeaderFields(names) => write_names(out, "HEADER.FIELDS", names),
                SectionText::HeaderFieldsNot(names) => write_names(out, "HEADER.FIELDS.NOT", names),
            }
        }
        out.push(b']');
        if let Some(origin) = origin {
            out.extend_from_slice(format!("<{origin}>").as_bytes());
        }
        out.push(b' ');
    }
}

/// Field names as the client wrote them, as atoms where they can be: clients compare the text.
fn write_names(out: &mut Vec<u8>, keyword: &str, names: &[HeaderName]) {
    out.extend_from_slice(keyword.as_bytes());
    out.extend_from_slice(b" (");
    for (i, name) in names.iter().enumerate() {
        if i > 0 {
            out.push(b' ');
        }
        let bytes = name.as_bytes();
        if !bytes.is_empty() && bytes.iter().copied().all(crate::chars::is_atom_char) {
            out.extend_from_slice(bytes);
        } else {
            write_string(out, bytes);
        }
    }
    out.push(b')');
}
