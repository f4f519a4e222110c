//! Section specifications of `BODY[…]` (RFC 3501 §6.4.5, §9 `section`).

/// What stands between the brackets of `BODY[…]`. Empty part and no text: the whole message.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub struct Section {
    /// The part number `1.2.3`; empty means the message itself. No number in it is zero.
    pub part: Vec<u32>,
    /// What of the part; `None` means its whole body.
    pub text: Option<SectionText>,
}

/// The part of a message that follows the part number.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum SectionText {
    /// `HEADER`
    Header,
    /// `HEADER.FIELDS (…)`
    HeaderFields(Vec<HeaderName>),
    /// `HEADER.FIELDS.NOT (…)`
    HeaderFieldsNot(Vec<HeaderName>),
    /// `TEXT`
    Text,
    /// `MIME`, only after a part number.
    Mime,
}

/// The name of a header field as the client wrote it; compare it with [`HeaderName::matches`].
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct HeaderName(Vec<u8>);

impl HeaderName {
    /// Keeps a name as sent. A name that no header field can have is allowed and matches none.
    pub fn new(name: impl Into<Vec<u8>>) -> Self {
        Self(name.into())
    }

    /// The name as sent.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether a field of that name is meant, in any case (RFC 5322 §1.2.2).
    pub fn matches(&self, field: &[u8]) -> bool {
        self.0.eq_ignore_ascii_case(field)
    }
}

impl AsRef<[u8]> for HeaderName {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

/// Which octets of the message; `HEADER.FIELDS` picks from those of `HEADER` ([`message::header_fields`]).
impl From<&Section> for message::Section {
    fn from(section: &Section) -> Self {
        let text = match section.text {
            None => message::SectionText::Whole,
            Some(SectionText::Header | SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_)) => {
                message::SectionText::Header
            }
            Some(SectionText::Text) => message::SectionText::Text,
            Some(SectionText::Mime) => message::SectionText::Mime,
        };
        Self::new(section.part.clone(), text)
    }
}

/// `<start.length>` after a section.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Partial {
    /// The first octet, from 0.
    pub start: u64,
    /// How many octets at most; never 0.
    pub length: u64,
}

impl Partial {
    /// The octets meant, of a section of that size: start (at most `size`) and count.
    pub fn clip(self, size: u64) -> (u64, u64) {
        let start = self.start.min(size);
        (start, self.length.min(size - start))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn partial_is_clipped_to_what_exists() {
        assert_eq!(Partial { start: 0, length: 10 }.clip(4), (0, 4));
        assert_eq!(Partial { start: 9, length: 10 }.clip(4), (4, 0));
        assert_eq!(Partial { start: 2, length: u64::MAX }.clip(4), (2, 2));
    }

    #[test]
    fn a_section_names_octets_of_a_message() {
        let names = vec![HeaderName::new("DATE")];
        assert!(names[0].matches(b"Date") && !names[0].matches(b"Dates"));
        let section = Section { part: vec![1], text: Some(SectionText::HeaderFieldsNot(names)) };
        assert_eq!(message::Section::from(&section), message::Section::new([1], message::SectionText::Header));
        assert_eq!(message::Section::from(&Section::default()), message::Section::default());
    }
}
