//! Header fields as they pass: the name, as much of the value as is wanted, the index of the message header.

use crate::{
    facts::FieldValue,
    field::{Field, valid_name},
    limits::{FIELD_NAME_BYTES_MAX, FIELDS_INDEXED_MAX},
    scanner::{At, Scanner, lines::to_u64},
    structure::HeaderField,
};

/// The field that is being read. One buffer for all fields: nothing is allocated per line.
#[derive(Debug, Default)]
pub(super) struct CurrentField {
    /// A field (or a line that is none) has begun and not ended.
    begun: bool,
    start: u64,
    /// Octets of the name up to the colon, all of them, though only some are kept.
    name_length: u64,
    name: Vec<u8>,
    /// More than white space came after what was kept of the name.
    name_too_long: bool,
    /// The colon has been seen.
    has_value: bool,
    /// What is kept of the value.
    keep: Option<Field>,
    value: Vec<u8>,
    bytes_max: usize,
    cut: bool,
    /// The last octet of the value so far.
    last: u8,
}

impl Scanner {
    /// A line that is not a continuation begins at `start`.
    pub(super) fn begin_field(&mut self, start: u64) {
        self.end_field(start);
        let field = &mut self.field;
        field.begun = true;
        field.start = start;
        field.name_length = 0;
        field.name.clear();
        field.name_too_long = false;
        field.has_value = false;
        field.keep = None;
        field.value.clear();
        field.cut = false;
        field.last = 0;
    }

    /// Header octets of one line, from within it; a line feed only at the end.
    pub(super) fn header_octets(&mut self, piece: &[u8]) {
        if !piece.is_ascii() {
            if self.open.len() == 1 {
                self.facts.eight_bit = true;
            } else {
                self.structure.nested_header_eight_bit = true;
            }
        }
        let mut rest = piece;
        if self.at == At::Name {
            let colon = memchr::memchr(b':', rest);
            let name = colon.and_then(|colon| rest.get(..colon)).unwrap_or(rest);
            let field = &mut self.field;
            let room = FIELD_NAME_BYTES_MAX.saturating_sub(field.name.len());
            let (kept, excess) = name.split_at_checked(room).unwrap_or((name, &[]));
            field.name.extend_from_slice(kept);
            field.name_too_long |= excess.iter().any(|octet| !matches!(octet, b' ' | b'\t'));
            field.name_length = field.name_length.saturating_add(to_u64(name.len()));
            let Some(colon) = colon else {
                if piece.ends_with(b"\n") {
                    self.at = At::LineStart;
                }
                return;
            };
            rest = rest.get(colon.saturating_add(1)..).unwrap_or_default();
            self.begin_value();
            self.at = At::Value;
        }
        self.value_octets(rest);
        if piece.ends_with(b"\n") {
            self.at = At::LineStart;
        }
    }

    /// The colon has come: is the value wanted?
    fn begin_value(&mut self) {
        self.field.has_value = true;
        let Some(field) = self.field.known_name().and_then(Field::from_name) else { return };
        let depth = self.open.len();
        let in_message = self.open.last().is_some_and(|open| open.is_message);
        let wanted = depth == 1 || field.describes_part() || in_message && field.in_envelope();
        if !wanted || !self.facts.note(field) {
            return;
        }
        self.field.keep = Some(field);
        self.field.bytes_max = field.value_bytes_max();
        if depth > 1 {
            self.field.bytes_max = self.field.bytes_max.min(self.nested_values_left);
        }
    }

    /// Keeps value octets, unfolded: line breaks go (RFC 5322 §2.2.3); CR, LF and NUL never get in.
    fn value_octets(&mut self, piece: &[u8]) {
        let field = &mut self.field;
        if field.keep.is_none() {
            return;
        }
        for &octet in piece {
            if field.value.is_empty() && matches!(octet, b' ' | b'\t') {
                // White space in front is never part of the value.
            } else if octet == b'\n' {
                if field.last == b'\r' && !field.cut {
                    field.value.pop();
                }
            } else if field.value.len() < field.bytes_max {
                field.value.push(if matches!(octet, b'\r' | 0) { b' ' } else { octet });
            } else if !field.cut {
                // A line break is no loss.
                field.cut = octet != b'\r';
                if octet == b'\r' {
                    field.last = 0;
                    continue;
                }
            }
            field.last = octet;
        }
    }

    /// The field ends in front of `end`.
    pub(super) fn end_field(&mut self, end: u64) {
        let field = &mut self.field;
        if !std::mem::take(&mut field.begun) {
            return;
        }
        let in_message_header = self.open.len() == 1;
        if in_message_header {
            if self.structure.fields.len() < FIELDS_INDEXED_MAX {
                let name = if field.has_value { field.known_name() } else { None };
                let value_start = field.start.saturating_add(field.name_length);
                self.structure.fields.push(HeaderField {
                    name: name.map(|name| String::from_utf8_lossy(name).into_owned()).unwrap_or_default(),
                    start: field.start,
                    value_start: value_start.saturating_add(u64::from(field.has_value)).min(end),
                    end,
                });
            } else {
                self.structure.limited = true;
            }
        }
        if let Some(known) = field.keep.take() {
            let value = field.value.trim_ascii().to_vec();
            self.structure.limited |= field.cut;
            if !in_message_header {
                self.nested_values_left = self.nested_values_left.saturating_sub(value.len());
            }
            self.facts.values.push(FieldValue { field: known, value, cut: field.cut });
        }
    }
}

impl CurrentField {
    /// The name, when it is one and not too long.
    fn known_name(&self) -> Option<&[u8]> {
        valid_name(&self.name).filter(|_| !self.name_too_long)
    }
}
