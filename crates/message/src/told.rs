//! Whether ENVELOPE tells all of a field: then a text that is not in it is not in the header either, and a search need not read that.

use memchr::memmem;

use crate::{decode::decode_header, envelope::Envelope, facts::HeaderFacts, field::Field, structure::Structure};

/// Octets that may stand between two names or addresses; a text without them that is in a field is within one piece of it.
pub const ADDRESS_SEPARATORS: &[u8] = b"<>()[]\",:;\\\r\n\t";

/// The fields of which ENVELOPE tells everything but what stands between names and addresses: From, To, Cc, Bcc, Subject.
///
/// It does not where a field is there twice, has comments or routes, has encoded words that RFC 2047 §5 does not allow in an address, or
/// more than is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Told(u8);

impl Told {
    pub(crate) fn new(structure: &Structure) -> Self {
        let Some(envelope) = structure.envelope() else { return Self::default() };
        let is_told = |field: &&Field| is_told(&structure.facts, envelope, **field);
        Self(FIELDS.iter().filter(is_told).fold(0, |bits, field| bits | bit(*field)))
    }

    /// Whether it tells all of the field.
    pub fn tells(self, field: Field) -> bool {
        self.0 & bit(field) != 0
    }

    pub(crate) fn bits(self) -> u8 {
        self.0
    }

    pub(crate) fn from_bits(bits: u8) -> Option<Self> {
        (bits >> FIELDS.len() == 0).then_some(Self(bits))
    }
}

const FIELDS: [Field; 5] = [Field::From, Field::To, Field::Cc, Field::Bcc, Field::Subject];

fn bit(field: Field) -> u8 {
    FIELDS.iter().position(|known| *known == field).map_or(0, |place| 1 << place)
}

/// What can be found in an address: its name, or the name of a group, and the address itself, decoded (RFC 2047).
pub fn address_texts(name: Option<&[u8]>, mailbox: Option<&[u8]>, host: Option<&[u8]>) -> (Option<String>, String) {
    let mut address = mailbox.unwrap_or_default().to_vec();
    if let Some(host) = host {
        address.push(b'@');
        address.extend_from_slice(host);
    }
    (name.map(decode_header), decode_header(&address))
}

fn is_told(facts: &HeaderFacts, envelope: &Envelope, field: Field) -> bool {
    let (count, kept) = (facts.count(field), facts.kept(field));
    let Some(kept) = kept.filter(|kept| count == 1 && !kept.cut) else { return count == 0 };
    if has_broken_words(&kept.value) {
        return false;
    }
    let lists = [
        (Field::From, &envelope.from),
        (Field::To, &envelope.to),
        (Field::Cc, &envelope.cc),
        (Field::Bcc, &envelope.bcc),
    ];
    let Some((_, addresses)) = lists.into_iter().find(|(known, _)| *known == field) else {
        // A text: white space is not everywhere kept as it is.
        return !kept.value.contains(&b'\t') && !kept.value.windows(2).any(|pair| pair == b"  ");
    };
    let mut texts = Vec::with_capacity(addresses.len().saturating_mul(2));
    for address in addresses {
        let [name, mailbox, host] = [&address.name, &address.mailbox, &address.host].map(Option::as_deref);
        let (name, address) = address_texts(name, mailbox, host);
        texts.extend(name);
        texts.push(address);
    }
    // Where lines were joined, a reader of the header sees one space, and elsewhere as many as there are: either is to be found.
    let spaced: Vec<u8> = kept.value.iter().map(|octet| if *octet == b'\t' { b' ' } else { *octet }).collect();
    let mut joined = spaced.clone();
    joined.dedup_by(|a, b| *a == b' ' && *b == b' ');
    all_pieces_are_in(&texts, &spaced) && (joined == spaced || all_pieces_are_in(&texts, &joined))
}

/// Whether something begins as an encoded word does (RFC 2047 §2) and is none: it may be read as one where lines were joined.
fn has_broken_words(mut value: &[u8]) -> bool {
    while let Some(at) = memmem::find(value, b"=?") {
        let word = value.get(at.saturating_add(2)..).unwrap_or_default();
        let word = word.split(u8::is_ascii_whitespace).next().unwrap_or_default();
        let text = word.splitn(3, |octet| *octet == b'?').nth(2).unwrap_or_default();
        let Some(end) = memmem::find(text, b"?=") else { return true };
        // `=?`, charset and encoding are before the text, which `?=` is behind.
        let behind = word.len().saturating_sub(text.len()).saturating_add(end).saturating_add(2);
        value = value.get(at.saturating_add(2).saturating_add(behind)..).unwrap_or_default();
    }
    false
}

/// Whether each piece of a field's value is within one of the texts.
fn all_pieces_are_in(texts: &[String], value: &[u8]) -> bool {
    let value = decode_header(value);
    let mut pieces = value.split(|c: char| u8::try_from(c).is_ok_and(|octet| ADDRESS_SEPARATORS.contains(&octet)));
    // In the order of the field, so that each is found at once.
    let mut first = 0_usize;
    pieces.all(|piece| {
        let piece = piece.trim_matches(|c: char| c.is_ascii_whitespace());
        let near = texts.iter().skip(first).take(NEAR).position(|text| text.contains(piece));
        first = first.saturating_add(near.unwrap_or_default());
        near.is_some() || piece.is_empty()
    })
}

/// Texts ahead of the last piece's in which the next piece is looked for: name and address, and the two of an empty group's.
const NEAR: usize = 6;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scanner;

    fn told(header: &str) -> Vec<Field> {
        let told = Told::new(&Scanner::scan(format!("{header}\r\n\r\n").as_bytes()));
        assert_eq!(Told::from_bits(told.bits()), Some(told));
        FIELDS.into_iter().filter(|field| told.tells(*field)).collect()
    }

    #[test]
    fn what_a_field_has_is_in_the_envelope() {
        for header in [
            "Date: x",
            "From: z@x",
            "From: Zoe Able <z@x>\r\nTo: a@x,\r\n\tb@x, \"Last, First\" <c@[192.0.2.1]>\r\nCc:\r\nSubject: a \"b\" <c> (d)",
            "From: =?utf-8?Q?Zo=C3=AB?= <z@x>\r\nTo: =?utf-8?Q?Z?= =?utf-8?Q?o=C3=AB_X?= <z@x>\r\nSubject: =?utf-8?Q?Z?=\r\n =?utf-8?Q?o?=",
            "To: Amis: a@x, Bob\r\n Able <b@x>;\r\nCc: undisclosed-recipients:;",
            "To: \u{e9}@\u{e9}.example, <>",
        ] {
            assert_eq!(told(header), FIELDS, "{header}");
        }
        let many: Vec<String> = (0..500).map(|at| format!("\"Name {at}\" <user{at}@example.org>")).collect();
        assert_eq!(told(&format!("To: {}", many.join(",\r\n "))), FIELDS);
    }

    #[test]
    fn what_the_envelope_leaves_out_is_known() {
        for to in [
            "a@x\r\nTo: b@x",
            "Name (comment) <a@x>",
            "<@route.example:a@x>",
            "=?UTF-8?Q?Jos=C3=A9_(Sales)?= <a@x>",
            "=?UTF-8?Q?Zo=C3=AB,_X?= <a@x>",
            "Two  Words <a@x>",
            "<a@x> <b@x>",
            "a . b@x",
        ] {
            assert!(!told(&format!("To: {to}")).contains(&Field::To), "{to}");
        }
        let more = vec!["a@x"; crate::limits::ADDRESSES_MAX].join(",");
        assert_eq!(told(&format!("To: {more},b@y")), [Field::From, Field::Cc, Field::Bcc, Field::Subject]);
        let long = "x".repeat(crate::limits::LONG_VALUE_BYTES_MAX);
        for subject in
            ["one\r\nSubject: two", "two  words", "a\r\n\tb", "=?utf-8?Q?a\r\n b?=", "a =?", &format!("{long}y")]
        {
            assert!(!told(&format!("Subject: {subject}")).contains(&Field::Subject), "{subject}");
        }
    }
}
