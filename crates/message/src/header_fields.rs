//! `HEADER.FIELDS` and `HEADER.FIELDS.NOT`: RFC 3501 §6.4.5, on the octets of a header.

use crate::field::field_name;

/// One field of a header, folding and line breaks as they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RawField<'a> {
    /// The name; `None` for a line that is no field.
    pub name: Option<&'a [u8]>,
    /// All octets of the field, its last line break included.
    pub bytes: &'a [u8],
}

impl<'a> RawField<'a> {
    /// What follows the colon, folded as sent.
    pub fn value(&self) -> &'a [u8] {
        memchr::memchr(b':', self.bytes).and_then(|colon| self.bytes.get(colon.saturating_add(1)..)).unwrap_or_default()
    }
}

/// The fields of a header, up to its blank line. Reads lines as [`Scanner`](crate::Scanner) does.
#[derive(Clone, Debug)]
pub struct RawFields<'a> {
    rest: &'a [u8],
}

impl<'a> RawFields<'a> {
    /// What has not been read: at the end the blank line and whatever follows, or nothing.
    pub fn rest(&self) -> &'a [u8] {
        self.rest
    }
}

/// The fields of a header.
pub fn raw_fields(header: &[u8]) -> RawFields<'_> {
    RawFields { rest: header }
}

impl<'a> Iterator for RawFields<'a> {
    type Item = RawField<'a>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.rest.is_empty() || blank_line(self.rest).is_some() {
            return None;
        }
        let mut end = line_end(self.rest, 0);
        while matches!(self.rest.get(end), Some(b' ' | b'\t')) {
            end = line_end(self.rest, end);
        }
        let (bytes, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        let first_line = bytes.get(..line_end(bytes, 0))?;
        let name = if matches!(bytes.first(), Some(b' ' | b'\t')) { None } else { field_name(first_line) };
        Some(RawField { name, bytes })
    }
}

/// The fields whose name is among `names` (in any case), or with `invert` all others, then the blank line.
///
/// As RFC 3501 §6.4.5 has it, the blank line is there whenever the header has it. Lines that are no field have no name: they
/// come with `invert` only.
pub fn header_fields(header: &[u8], names: &[impl AsRef<[u8]>], invert: bool) -> Vec<u8> {
    let mut found = Vec::new();
    let mut fields = raw_fields(header);
    for field in fields.by_ref() {
        let named =
            field.name.is_some_and(|name| names.iter().any(|wanted| wanted.as_ref().eq_ignore_ascii_case(name)));
        if named != invert {
            found.extend_from_slice(field.bytes);
        }
    }
    found.extend_from_slice(blank_line(fields.rest()).unwrap_or_default());
    found
}

/// The blank line at the front.
fn blank_line(rest: &[u8]) -> Option<&[u8]> {
    let length = if rest.starts_with(b"\r\n") { 2 } else { 1 };
    rest.get(..length).filter(|line| line.ends_with(b"\n"))
}

/// One after the line that begins at `from`.
fn line_end(bytes: &[u8], from: usize) -> usize {
    let rest = bytes.get(from..).unwrap_or_default();
    memchr::memchr(b'\n', rest).map_or(bytes.len(), |at| from.saturating_add(at).saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &[u8] =
        b"From: a@b\r\nSubject: one\r\n two\r\nX-A: 1\r\nsubject : again\r\nFr om: evil\r\nTo: c@d\r\n\r\n";

    fn only(names: &[&str], invert: bool) -> String {
        String::from_utf8(header_fields(HEADER, names, invert)).unwrap()
    }

    #[test]
    fn fields_keep_folding_and_case_and_order() {
        assert_eq!(only(&["to", "SUBJECT"], false), "Subject: one\r\n two\r\nsubject : again\r\nTo: c@d\r\n\r\n");
        assert_eq!(only(&["to", "SUBJECT"], true), "From: a@b\r\nX-A: 1\r\nFr om: evil\r\n\r\n");
        assert_eq!(only(&["from"], false), "From: a@b\r\n\r\n");
        assert_eq!(only(&["nothing"], false), "\r\n");
        assert_eq!(only(&[], true).as_bytes(), HEADER);
    }

    #[test]
    fn no_blank_line_is_invented_and_a_body_is_not_read() {
        assert_eq!(header_fields(b"A: 1\r\nB: 2", &["b"], false), b"B: 2");
        assert_eq!(header_fields(b"A: 1\n\nB: 2\n", &["b"], false), b"\n");
        assert_eq!(header_fields(b"", &["b"], true), b"");
        assert_eq!(header_fields(b" lost\r\nB: 2\r\n\r\n", &["b"], true), b" lost\r\n\r\n");
    }

    proptest! {
        #[test]
        fn fields_and_the_others_make_the_header(header in "([ab]{0,2}:? ?\r?\n?| x\n|\t){0,12}") {
            let header = header.as_bytes();
            let one = header_fields(header, &["a", "B"], false);
            let other = header_fields(header, &["a", "B"], true);
            let blank = blank_line_length(header);
            let all = header_fields(header, &[""; 0], true);
            prop_assert!(header.starts_with(&all));
            prop_assert_eq!(one.len() + other.len(), all.len() + blank);
        }
    }

    fn blank_line_length(header: &[u8]) -> usize {
        let mut fields = raw_fields(header);
        for _ in fields.by_ref() {}
        blank_line(fields.rest()).map_or(0, <[u8]>::len)
    }

    #[test]
    fn a_value_is_what_follows_the_colon() {
        let fields: Vec<_> = raw_fields(HEADER).collect();
        assert_eq!(fields.len(), 6);
        assert_eq!(fields[1].value(), b" one\r\n two\r\n");
        assert_eq!(fields[4].name, None);
    }
}
