//! The header of a message, as filters see and change it.
//!
//! A filter counts fields as it was shown them: one that it has removed keeps its place until the filter has ended ([`Header::settle`]), and
//! what it adds comes behind or before the others. Everything that is not changed stays as it came, octet by octet.

use message::raw_fields;

use crate::limits::{CHANGED_OCTETS_MAX, CHANGES_MAX, FIELD_OCTETS_MAX, NAME_OCTETS_MAX};

/// A header under change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    lines: Vec<Line>,
    /// The blank line, or nothing.
    end: Vec<u8>,
    changed: bool,
    /// What the filter that is asked now has changed and written.
    changes: usize,
    octets: usize,
}

/// A field, or a line that is none and stays where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    octets: Vec<u8>,
    /// Octets of its name; 0: it is no field.
    name: usize,
    /// It has been removed, and still counts.
    gone: bool,
    /// The filter that is asked now has not been shown it: it put it in.
    new: bool,
}

/// Why a change is not made.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FieldFlaw {
    /// The name has other characters than RFC 5322 §2.2 has, or too many.
    #[error("the name of a field is none")]
    Name,
    /// The value is too long.
    #[error("a field is too long")]
    TooLong,
    /// One filter changes too much.
    #[error("it changes too many fields")]
    TooMany,
}

impl Header {
    /// Reads a header, with its blank line when it has one.
    #[must_use]
    pub fn read(octets: &[u8]) -> Self {
        let mut fields = raw_fields(octets);
        let mut lines = Vec::new();
        for field in fields.by_ref() {
            let name = field.name.map_or(0, |name| name.len());
            lines.push(Line { octets: field.bytes.to_vec(), name, gone: false, new: false });
        }
        Self { lines, end: fields.rest().to_vec(), ..Self::default() }
    }

    /// The fields with their values: without the line end, folded lines divided by LF alone. Blanks in front of a value are left out, or, with
    /// `leading`, left in.
    pub fn fields(&self, leading: bool) -> impl Iterator<Item = (&[u8], Vec<u8>)> {
        let named = self.lines.iter().filter(|line| line.name > 0 && !line.gone);
        named.map(move |line| (line.name(), line.value(leading)))
    }

    /// Whether a filter has changed anything.
    #[must_use]
    pub const fn is_changed(&self) -> bool {
        self.changed
    }

    /// All of it, as it goes on.
    #[must_use]
    pub fn octets(&self) -> Vec<u8> {
        let mut out = Vec::new();
        for line in self.lines.iter().filter(|line| !line.gone) {
            // Only the last of a message without a body may have no line end.
            if !out.is_empty() && !out.ends_with(b"\n") {
                out.extend_from_slice(b"\r\n");
            }
            out.extend_from_slice(&line.octets);
        }
        if !self.end.is_empty() && !out.is_empty() && !out.ends_with(b"\n") {
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(&self.end);
        out
    }

    /// A filter has ended: what it removed counts no more, and the next one sees what it added.
    pub fn settle(&mut self) {
        self.lines.retain(|line| !line.gone);
        self.lines.iter_mut().for_each(|line| line.new = false);
        (self.changes, self.octets) = (0, 0);
    }

    /// Puts a field behind all others.
    ///
    /// # Errors
    /// [`FieldFlaw`]
    pub fn add(&mut self, name: &[u8], value: &[u8], leading: bool) -> Result<(), FieldFlaw> {
        let line = self.made(name, value, leading)?;
        self.lines.push(line);
        Ok(())
    }

    /// Puts a field before the one that stands at a place, or behind all when there are not so many. 0 and 1 are the top, since fields of this
    /// server stand in front of all that filters see.
    ///
    /// # Errors
    /// [`FieldFlaw`]
    pub fn insert(&mut self, place: u32, name: &[u8], value: &[u8], leading: bool) -> Result<(), FieldFlaw> {
        let line = self.made(name, value, leading)?;
        let before = usize::try_from(place.saturating_sub(1)).unwrap_or(usize::MAX);
        let at = self.lines.iter().enumerate().filter(|(_, line)| line.name > 0).nth(before);
        let at = at.map_or(self.lines.len(), |(at, _)| at);
        self.lines.insert(at, line);
        Ok(())
    }

    /// Gives the nth field of a name (from 1; 0 is the first, too) another value, or removes it when that is empty. Where there are not so
    /// many, the field is added.
    ///
    /// # Errors
    /// [`FieldFlaw`]
    pub fn change(&mut self, nth: u32, name: &[u8], value: &[u8], leading: bool) -> Result<(), FieldFlaw> {
        let before = usize::try_from(nth.max(1).saturating_sub(1)).unwrap_or(usize::MAX);
        let shown = |(_, line): &(usize, &Line)| line.is_named(name) && !line.new;
        let at = self.lines.iter().enumerate().filter(shown).nth(before).map(|(at, _)| at);
        if value.is_empty() {
            return match at {
                Some(at) => self.remove_at(at),
                None => Ok(()),
            };
        }
        let Some(at) = at else { return self.add(name, value, leading) };
        let made = self.made(name, value, leading)?;
        if let Some(line) = self.lines.get_mut(at) {
            // It counts as the one that it replaces.
            *line = Line { new: false, ..made };
        }
        Ok(())
    }

    /// Removes fields of a name: all of them with 0, the nth with `n`, the nth from the end with `-n`.
    ///
    /// # Errors
    /// [`FieldFlaw::TooMany`]
    pub fn remove(&mut self, name: &[u8], which: i64) -> Result<(), FieldFlaw> {
        let shown = self.lines.iter().enumerate().filter(|(_, line)| line.is_named(name) && !line.new);
        let places: Vec<usize> = shown.map(|(at, _)| at).collect();
        let nth = usize::try_from(which.unsigned_abs().saturating_sub(1)).unwrap_or(usize::MAX);
        let chosen = match which {
            0 => places,
            1.. => places.into_iter().nth(nth).into_iter().collect(),
            _ => places.into_iter().rev().nth(nth).into_iter().collect(),
        };
        chosen.into_iter().try_for_each(|at| self.remove_at(at))
    }

    fn remove_at(&mut self, at: usize) -> Result<(), FieldFlaw> {
        self.count(0)?;
        if let Some(line) = self.lines.get_mut(at) {
            line.gone = true;
        }
        Ok(())
    }

    fn count(&mut self, octets: usize) -> Result<(), FieldFlaw> {
        self.changes = self.changes.saturating_add(1);
        self.octets = self.octets.saturating_add(octets);
        if self.changes > CHANGES_MAX || self.octets > CHANGED_OCTETS_MAX {
            return Err(FieldFlaw::TooMany);
        }
        self.changed = true;
        Ok(())
    }

    fn made(&mut self, name: &[u8], value: &[u8], leading: bool) -> Result<Line, FieldFlaw> {
        let octets = field(name, value, leading)?;
        self.count(octets.len())?;
        Ok(Line { octets, name: name.len(), gone: false, new: true })
    }
}

impl Line {
    fn name(&self) -> &[u8] {
        self.octets.get(..self.name).unwrap_or_default()
    }

    fn is_named(&self, name: &[u8]) -> bool {
        self.name > 0 && self.name().eq_ignore_ascii_case(name)
    }

    fn value(&self, leading: bool) -> Vec<u8> {
        let colon = memchr::memchr(b':', &self.octets).map_or(self.octets.len(), |at| at.saturating_add(1));
        let value = self.octets.get(colon..).unwrap_or_default();
        let value = value.strip_suffix(b"\n").unwrap_or(value);
        let value = value.strip_suffix(b"\r").unwrap_or(value);
        let value = if leading { value } else { value.trim_ascii_start() };
        let mut out = Vec::with_capacity(value.len());
        let mut octets = value.iter().peekable();
        while let Some(octet) = octets.next() {
            if !(*octet == b'\r' && octets.peek() == Some(&&b'\n')) {
                out.push(*octet);
            }
        }
        out
    }
}

/// A field as it is written. Whatever the value has, it stays one field: line ends are followed by a blank, empty lines and NUL go.
fn field(name: &[u8], value: &[u8], leading: bool) -> Result<Vec<u8>, FieldFlaw> {
    let good = |byte: &u8| (33..127).contains(byte) && *byte != b':';
    if name.is_empty() || name.len() > NAME_OCTETS_MAX || !name.iter().all(good) {
        return Err(FieldFlaw::Name);
    }
    if value.len() > FIELD_OCTETS_MAX {
        return Err(FieldFlaw::TooLong);
    }
    let mut out = [name, b":"].concat();
    if !leading && !value.starts_with(b" ") {
        out.push(b' ');
    }
    for (n, line) in value.split(|byte| matches!(byte, b'\r' | b'\n')).enumerate() {
        if n > 0 {
            if line.iter().all(|byte| matches!(byte, b' ' | b'\t' | 0)) {
                continue;
            }
            out.extend_from_slice(b"\r\n");
            if !matches!(line.first(), Some(b' ' | b'\t')) {
                out.push(b'\t');
            }
        }
        out.extend(line.iter().filter(|byte| **byte != 0));
    }
    out.extend_from_slice(b"\r\n");
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const HEADER: &[u8] =
        b"Received: one\r\nSubject: Hello\r\n there\r\nreceived:two\r\nno field\r\nX-A: 1\r\nX-A: 2\r\nX-A: 3\r\n\r\n";

    fn after(change: impl FnOnce(&mut Header)) -> String {
        let mut header = Header::read(HEADER);
        change(&mut header);
        header.settle();
        String::from_utf8(header.octets()).unwrap()
    }

    #[test]
    fn what_nobody_changes_stays_octet_by_octet() {
        for header in
            [HEADER, b"", b"\r\n", b"no field at all\r\n", b" folded\r\nA: b", b"A: b\nC: d\n\n", b"A:\r\n \r\n\r\n"]
        {
            let read = Header::read(header);
            assert_eq!(read.octets(), header);
            assert!(!read.is_changed());
        }
    }

    #[test]
    fn filters_see_values_without_line_ends() {
        let header = Header::read(HEADER);
        let seen = |leading| -> Vec<String> {
            let text = |(name, value): (&[u8], Vec<u8>)| {
                format!("{}={}", String::from_utf8_lossy(name), String::from_utf8_lossy(&value))
            };
            header.fields(leading).map(text).collect()
        };
        assert_eq!(seen(false)[..3], ["Received=one", "Subject=Hello\n there", "received=two"]);
        assert_eq!(seen(true)[1], "Subject= Hello\n there");
        assert_eq!(seen(false).len(), 6);
    }

    #[test]
    fn fields_are_added_inserted_changed_and_removed() {
        let text = String::from_utf8(HEADER.to_vec()).unwrap();
        assert_eq!(
            after(|header| header.add(b"X-B", b"new", false).unwrap()),
            text.replace("X-A: 3\r\n", "X-A: 3\r\nX-B: new\r\n")
        );
        for place in [0, 1] {
            assert_eq!(
                after(|header| header.insert(place, b"X-B", b" new", true).unwrap()),
                format!("X-B: new\r\n{text}")
            );
        }
        assert_eq!(
            after(|header| header.insert(2, b"X-B", b"new", false).unwrap()),
            text.replace("Subject", "X-B: new\r\nSubject")
        );
        assert_eq!(
            after(|header| header.insert(99, b"X-B", b"new", false).unwrap()),
            text.replace("X-A: 3\r\n", "X-A: 3\r\nX-B: new\r\n")
        );
        assert_eq!(
            after(|header| header.change(2, b"RECEIVED", b"three", false).unwrap()),
            text.replace("received:two", "RECEIVED: three")
        );
        assert_eq!(
            after(|header| header.change(0, b"Subject", b"", false).unwrap()),
            text.replace("Subject: Hello\r\n there\r\n", "")
        );
        assert_eq!(after(|header| header.change(9, b"Subject", b"", false).unwrap()), text);
        assert_eq!(
            after(|header| header.change(9, b"Subject", b"second", false).unwrap()),
            text.replace("X-A: 3\r\n", "X-A: 3\r\nSubject: second\r\n")
        );
        assert_eq!(
            after(|header| header.remove(b"x-a", 0).unwrap()),
            text.replace("X-A: 1\r\nX-A: 2\r\nX-A: 3\r\n", "")
        );
        assert_eq!(after(|header| header.remove(b"x-a", 2).unwrap()), text.replace("X-A: 2\r\n", ""));
        assert_eq!(after(|header| header.remove(b"x-a", -1).unwrap()), text.replace("X-A: 3\r\n", ""));
        assert_eq!(after(|header| header.remove(b"x-a", i64::MIN).unwrap()), text);
    }

    #[test]
    fn a_filter_counts_as_it_was_shown() {
        // Upwards or downwards, all are removed.
        for order in [[1, 2, 3], [3, 2, 1]] {
            let gone = after(|header| order.iter().for_each(|nth| header.change(*nth, b"X-A", b"", false).unwrap()));
            assert!(!gone.contains("X-A"), "{gone}");
        }
        let text = after(|header| {
            header.insert(0, b"X-A", b"0", false).unwrap();
            header.change(1, b"X-A", b"first", false).unwrap();
        });
        assert!(text.starts_with("X-A: 0\r\n") && text.contains("X-A: first\r\nX-A: 2"), "{text}");
    }

    #[test]
    fn a_header_without_end_gets_line_ends_where_they_are_needed() {
        let mut header = Header::read(b"Subject: x");
        header.add(b"X-B", b"new", false).unwrap();
        assert_eq!(header.octets(), b"Subject: x\r\nX-B: new\r\n");
        let mut header = Header::read(b"\r\n");
        header.add(b"X-B", b"new", false).unwrap();
        assert_eq!(header.octets(), b"X-B: new\r\n\r\n");
    }

    #[test]
    fn changes_are_bounded_and_names_are_names() {
        let mut header = Header::read(HEADER);
        for name in [&b""[..], b"a b", b"a:", b"a\r\nb", b"\xc3\xa9", &[b'x'; 200]] {
            assert_eq!(header.add(name, b"x", false), Err(FieldFlaw::Name), "{name:?}");
        }
        assert_eq!(header.add(b"a", &vec![b'x'; FIELD_OCTETS_MAX + 1], false), Err(FieldFlaw::TooLong));
        assert!(!header.is_changed());
        let made = (0..2 * CHANGES_MAX).take_while(|_| header.add(b"a", b"x", false).is_ok()).count();
        assert_eq!(made, CHANGES_MAX);
        header.settle();
        let made = (0..100).take_while(|_| header.add(b"a", &[b'x'; 50_000], false).is_ok()).count();
        assert_eq!(made, CHANGED_OCTETS_MAX / 50_000);
    }

    proptest! {
        #[test]
        fn a_value_is_one_field(value in prop::collection::vec(prop::sample::select(b"ab: \t\r\n\0\xff".to_vec()), 0..40), leading: bool) {
            let octets = field(b"X-B", &value, leading).unwrap();
            let read = Header::read(&octets);
            prop_assert_eq!(read.lines.len(), 1, "{:?}", octets);
            prop_assert!(read.end.is_empty());
            prop_assert!(octets.ends_with(b"\r\n") && !octets.contains(&0));
            let bare = String::from_utf8_lossy(&octets).replace("\r\n", "");
            prop_assert!(!bare.contains(['\r', '\n']), "{octets:?}");
        }
    }
}
