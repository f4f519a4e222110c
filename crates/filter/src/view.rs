//! A message as conditions see it: the texts of its header decoded (RFC 2047), in the form in which they are compared.

use std::collections::BTreeMap;

use message::{casemap, decode_header, parse_addresses, raw_fields};

use crate::condition::Field;
use crate::limits::{ADDRESSES_MAX, FIELD_OCTETS_MAX, TEXT_OCTETS_MAX};

/// What is known of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MessageView {
    /// The values of each field, by its name in lower case.
    fields: BTreeMap<String, Texts>,
    from: Texts,
    to: Texts,
    cc: Texts,
    has_attachment: bool,
    octets: u64,
}

/// The texts of the fields of one name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Texts {
    texts: Vec<String>,
    /// Octets of them, and one for each.
    octets: usize,
}

impl MessageView {
    /// From the octets of its header (what is behind the blank line does not count), whether it has an attachment, and how many
    /// octets it has in all.
    #[must_use]
    pub fn new(header: &[u8], has_attachment: bool, octets: u64) -> Self {
        let mut view = Self { has_attachment, octets, ..Self::default() };
        for field in raw_fields(header) {
            let Some(name) = field.name.and_then(|name| std::str::from_utf8(name).ok()) else { continue };
            let name = name.to_ascii_lowercase();
            let people = match name.as_str() {
                "from" => Some(&mut view.from),
                "to" => Some(&mut view.to),
                "cc" => Some(&mut view.cc),
                _ => None,
            };
            match people {
                Some(people) => add_people(people, field.value()),
                None => view.fields.entry(name).or_default().add(|| compared(field.value())),
            }
        }
        view
    }

    /// The texts of a field, as `i;unicode-casemap` compares them: for a field with addresses each address and each display
    /// name.
    pub(crate) fn texts(&self, field: &Field) -> impl Iterator<Item = &str> {
        let none: &[String] = &[];
        let named = |name: &str| self.fields.get(name).map_or(none, |field| &field.texts);
        let (some, more) = match field {
            Field::From => (self.from.texts.as_slice(), none),
            Field::To => (self.to.texts.as_slice(), none),
            Field::Cc => (self.cc.texts.as_slice(), none),
            Field::ToOrCc => (self.to.texts.as_slice(), self.cc.texts.as_slice()),
            Field::Subject => (named("subject"), none),
            Field::Header(name) => match name.to_ascii_lowercase().as_str() {
                "from" => (self.from.texts.as_slice(), none),
                "to" => (self.to.texts.as_slice(), none),
                "cc" => (self.cc.texts.as_slice(), none),
                other => (named(other), none),
            },
        };
        some.iter().chain(more).map(String::as_str)
    }

    /// Whether it has an attachment.
    #[must_use]
    pub const fn has_attachment(&self) -> bool {
        self.has_attachment
    }

    /// Octets of it.
    #[must_use]
    pub const fn octets(&self) -> u64 {
        self.octets
    }
}

impl Texts {
    /// Adds one, as long as there is room; what there is no room for is not made either.
    fn add(&mut self, text: impl FnOnce() -> String) {
        let room = FIELD_OCTETS_MAX.saturating_sub(self.octets);
        if room > 0 {
            let mut text = text();
            text.truncate(start(&text, room).len());
            self.octets = self.octets.saturating_add(text.len()).saturating_add(1);
            self.texts.push(text);
        }
    }
}

fn compared(value: &[u8]) -> String {
    mapped(decode_header(value).trim())
}

/// A text as it is compared, of [`TEXT_OCTETS_MAX`] at the most: a few characters may become many.
fn mapped(text: &str) -> String {
    let mut mapped = casemap(start(text, TEXT_OCTETS_MAX));
    mapped.truncate(start(&mapped, TEXT_OCTETS_MAX).len());
    mapped
}

/// The first octets of a text, without half a character.
fn start(text: &str, octets: usize) -> &str {
    text.get(..text.floor_char_boundary(octets)).unwrap_or(text)
}

/// Adds the addresses and display names of an address list. One that has no address is a text like any other.
fn add_people(people: &mut Texts, value: &[u8]) {
    let room = ADDRESSES_MAX.saturating_sub(people.texts.len());
    let found: Vec<_> = parse_addresses(value).into_iter().filter(message::Address::is_mailbox).take(room).collect();
    if found.is_empty() && room > 0 {
        people.add(|| compared(value));
    }
    for address in found {
        let text = |part: &Option<Vec<u8>>| part.as_deref().map(|part| String::from_utf8_lossy(part).into_owned());
        let (local, domain) = (text(&address.mailbox).unwrap_or_default(), text(&address.host).unwrap_or_default());
        people.add(|| mapped(&if domain.is_empty() { local } else { format!("{local}@{domain}") }));
        if let Some(name) = address.name.as_deref().map(compared).filter(|name| !name.is_empty()) {
            people.add(|| name);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(header: &str, field: Field) -> Vec<String> {
        MessageView::new(header.as_bytes(), false, 0).texts(&field).map(str::to_owned).collect()
    }

    #[test]
    fn i03_addresses_and_names_are_decoded() {
        let header = "From: =?utf-8?Q?Zo=C3=A9?= <Zoe@Far.Example>\r\nTo: team: a@x.example,\r\n \"B, C\" <b@y.example>;\r\n\
                      CC: c@z.example (Carol)\r\n\r\nTo: body@example.org\r\n";
        assert_eq!(texts(header, Field::From), ["ZOE@FAR.EXAMPLE", &casemap("Zoé")]);
        assert_eq!(texts(header, Field::To), ["A@X.EXAMPLE", "B@Y.EXAMPLE", "B, C"]);
        let both = ["A@X.EXAMPLE", "B@Y.EXAMPLE", "B, C", "C@Z.EXAMPLE", "CAROL"];
        assert_eq!(texts(header, Field::ToOrCc), both);
        assert_eq!(texts(header, Field::Header("from".to_owned())), texts(header, Field::From));
    }

    #[test]
    fn i03_a_folded_subject_and_a_repeated_field_are_read_whole() {
        let header = "Subject: =?utf-8?B?w6l0w6k=?=\r\n at the pond \r\nList-Id: one\r\nlist-id: two\r\nno field\r\n";
        assert_eq!(texts(header, Field::Subject), [casemap("été at the pond")]);
        assert_eq!(texts(header, Field::Header("LIST-ID".to_owned())), ["ONE", "TWO"]);
        assert!(texts(header, Field::From).is_empty());
    }

    #[test]
    fn i03_a_sender_that_is_no_address_is_a_text() {
        assert_eq!(texts("From: undisclosed\r\n\r\n", Field::From).len(), 1);
        assert!(texts("From: undisclosed\r\n\r\n", Field::From)[0].contains("UNDISCLOSED"));
        let many = (0..3 * ADDRESSES_MAX).map(|n| format!("{n}@a.example")).collect::<Vec<_>>().join(", ");
        assert!(texts(&format!("To: {many}\r\n"), Field::To).len() <= 2 * ADDRESSES_MAX);
    }

    #[test]
    fn i03_what_is_compared_is_bounded_whatever_characters_become() {
        // U+2057 is four characters when it is compared: 38 KiB would be 150 of them.
        let subject = "\u{2057}".repeat(12_000);
        let [text] = &texts(&format!("Subject: {subject}\r\n"), Field::Subject)[..] else { panic!("one text") };
        assert!(text.len() <= TEXT_OCTETS_MAX && text.len() > TEXT_OCTETS_MAX - 4, "{}", text.len());
        assert!(text.chars().all(|c| c == '\u{2032}'));
        let repeated = format!("X: {}\r\n", "\u{2057}".repeat(300)).repeat(40);
        let all = texts(&repeated, Field::Header("x".to_owned()));
        let octets: usize = all.iter().map(String::len).sum();
        assert!(octets <= FIELD_OCTETS_MAX && octets > FIELD_OCTETS_MAX - 40, "{octets}");
        // All that real fields have counts.
        let many = (0..1000).map(|n| format!("person{n}@a.example")).collect::<Vec<_>>().join(", ");
        assert_eq!(texts(&format!("To: {many}\r\n"), Field::To).last().unwrap(), "PERSON999@A.EXAMPLE");
    }
}
