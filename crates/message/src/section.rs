//! Which octets a `BODY[...]` section names: RFC 3501 §6.4.5 (RFC 9051 §6.4.5.1 says the same).

use crate::{
    part_table::{PartTable, TableEntry},
    structure::{ByteRange, PartKind},
};

/// The last word of a section specification. `HEADER.FIELDS` is [`SectionText::Header`], then
/// [`header_fields`](crate::header_fields()) on its octets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SectionText {
    /// Nothing: the body of the part, or the whole message when there are no numbers either.
    #[default]
    Whole,
    /// `HEADER`: of the message, or of a `message/rfc822` part.
    Header,
    /// `TEXT`: the body of the message, or of a `message/rfc822` part.
    Text,
    /// `MIME`: the header of the part; needs a number. Part 1 of a message without parts has the message's header.
    Mime,
}

/// A section specification such as `1.2.MIME`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Section {
    /// The part numbers.
    pub path: Vec<u32>,
    /// What of that part.
    pub text: SectionText,
}

impl Section {
    /// The section of these part numbers and text.
    pub fn new(path: impl Into<Vec<u32>>, text: SectionText) -> Self {
        Self { path: path.into(), text }
    }
}

impl PartTable {
    /// The octets of a section, or `None` when the message has no such section.
    pub fn section(&self, section: &Section) -> Option<ByteRange> {
        let Some((index, entry)) = self.find(&section.path) else { return self.of_no_parts(section) };
        if section.path.is_empty() {
            return match section.text {
                SectionText::Whole => Some(ByteRange { start: entry.header_start, end: entry.body_end }),
                SectionText::Header => Some(entry.header()),
                SectionText::Text => Some(entry.body()),
                SectionText::Mime => None,
            };
        }
        match section.text {
            SectionText::Whole => Some(entry.body()),
            SectionText::Mime => Some(entry.header()),
            SectionText::Header => Some(self.nested(index)?.1.header()),
            SectionText::Text => Some(self.nested(index)?.1.body()),
        }
    }

    /// A multipart without parts is told with an empty text as its part 1 (RFC 3501 §9: `body-type-mpart` has one at least), so
    /// that part can be had.
    fn of_no_parts(&self, section: &Section) -> Option<ByteRange> {
        let (&number, path) = section.path.split_last()?;
        let (index, entry) = self.find(path)?;
        // The numbers go on in the message that the part holds.
        let inside = if path.is_empty() { None } else { self.nested(index) };
        let (index, entry) = inside.unwrap_or((index, entry));
        let told = entry.kind == PartKind::Multipart && number == 1 && self.children(index).next().is_none();
        let empty = ByteRange { start: entry.body_end, end: entry.body_end };
        (told && matches!(section.text, SectionText::Whole | SectionText::Mime)).then_some(empty)
    }

    /// The part of these numbers, with its index; no numbers name the message itself.
    pub fn find(&self, path: &[u32]) -> Option<(usize, &TableEntry)> {
        let mut place = Place { index: 0, as_message: true };
        for number in path {
            place = self.step(place, *number)?;
        }
        Some((place.index, self.entries().get(place.index)?))
    }

    fn step(&self, place: Place, number: u32) -> Option<Place> {
        let entry = self.entries().get(place.index)?;
        match (entry.kind, place.as_message) {
            (PartKind::Multipart, _) => {
                let nth = usize::try_from(number.checked_sub(1)?).ok()?;
                let (index, _) = self.children(place.index).nth(nth)?;
                Some(Place { index, as_message: false })
            }
            // "Non-multipart messages only have a part 1": the message as its own body part.
            (PartKind::Leaf | PartKind::Message, true) => (number == 1).then_some(Place { as_message: false, ..place }),
            // "A part of type MESSAGE/RFC822 also has nested part numbers, referring to parts of the MESSAGE part's body."
            (PartKind::Message, false) => {
                let (index, _) = self.nested(place.index)?;
                self.step(Place { index, as_message: true }, number)
            }
            (PartKind::Leaf, false) => None,
        }
    }

    /// The message in a `message/rfc822` part.
    fn nested(&self, index: usize) -> Option<(usize, &TableEntry)> {
        let entry = self.entries().get(index)?;
        if entry.kind == PartKind::Message { self.children(index).next() } else { None }
    }

    fn children(&self, parent: usize) -> impl Iterator<Item = (usize, &TableEntry)> {
        self.entries().iter().enumerate().skip(parent).filter(move |(_, entry)| entry.parent == Some(parent))
    }
}

/// Where a path has led to.
#[derive(Clone, Copy)]
struct Place {
    index: usize,
    /// As a message, whose parts the next number counts; otherwise as a body part.
    as_message: bool,
}

#[cfg(test)]
mod tests;
