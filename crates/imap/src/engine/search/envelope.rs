//! What an ENVELOPE tells of what is looked for in its fields (RFC 3501 §6.4.4: FROM, for one, is about "the envelope structure's
//! FROM field").

use imap_wire::EnvelopeField;
use imap_wire::precompute::{AddressTexts, FieldTexts, envelope_field};
use message::decode_header;
use message::limits::{ADDRESSES_MAX, LONG_VALUE_BYTES_MAX, NESTED_ADDRESSES_MAX};

use super::needles::HeaderNeedle;
use crate::engine::comparator::Comparator;

/// Octets of a header of which the envelope has all: no value of it was cut, and of addresses, which take two octets each at the
/// least, those of one field alone may have been too many.
const WHOLE_OCTETS_MAX: u64 = {
    let (value, addresses) = (LONG_VALUE_BYTES_MAX, 2 * NESTED_ADDRESSES_MAX - 1);
    if value < addresses { value as u64 } else { addresses as u64 }
};

/// Fields of an ENVELOPE, decoded and folded once, however much is looked for in them.
pub(crate) struct FoldedEnvelope {
    fields: Vec<(EnvelopeField, Option<FoldedField>)>,
    /// Nothing that a field of the header has was left out for its length.
    is_whole: bool,
}

struct FoldedField {
    /// Names and addresses, each by itself, or the text of the field.
    texts: Vec<String>,
    /// How many addresses; `None`: it is a text.
    addresses: Option<usize>,
    /// An encoded word is left that nobody can read, as one with a parenthesis, which is a comment's in an address (RFC 2047 §5). Where it
    /// stands in the header it may be read.
    is_garbled: bool,
}

impl FoldedEnvelope {
    /// Those fields in which something is looked for; the header of the message has so many octets.
    pub(crate) fn wanted(envelope: &[u8], header_octets: u64, comparator: Comparator, wanted: &[HeaderNeedle]) -> Self {
        let mut fields: Vec<(EnvelopeField, Option<FoldedField>)> = Vec::new();
        for field in wanted.iter().filter_map(|needle| needle.envelope) {
            if !fields.iter().any(|(known, _)| *known == field) {
                let texts = envelope_field(envelope, field);
                fields.push((field, texts.map(|texts| FoldedField::new(texts, comparator))));
            }
        }
        Self { fields, is_whole: header_octets <= WHOLE_OCTETS_MAX }
    }

    /// Whether the field holds what is looked for, where that is told for sure.
    ///
    /// Each text is looked at by itself. What may stand in the message between two of them, or behind what the envelope keeps
    /// of a long field, is left to the header; so is whether a field is there, which an empty text asks for.
    pub(crate) fn holds(&self, HeaderNeedle { needle, envelope, .. }: &HeaderNeedle) -> Option<bool> {
        let field = self.fields.iter().find(|(field, _)| Some(*field) == *envelope)?.1.as_ref()?;
        if needle.is_empty() {
            return None;
        }
        if field.texts.iter().any(|text| needle.is_in(text)) {
            return Some(true);
        }
        let is_told = field
            .addresses
            .is_none_or(|addresses| addresses < ADDRESSES_MAX && needle.is_within_a_name_or_an_address());
        Some(false).filter(|_| is_told && self.is_whole && !field.is_garbled)
    }
}

impl FoldedField {
    fn new(texts: FieldTexts<'_>, comparator: Comparator) -> Self {
        let fold = |text: &[u8]| comparator.fold(&decode_header(text));
        let (texts, addresses): (Vec<String>, _) = match texts {
            FieldTexts::Text(text) => (text.iter().map(|text| fold(text)).collect(), None),
            FieldTexts::Addresses(addresses) => {
                let count = addresses.len();
                let mut texts = Vec::with_capacity(count);
                for AddressTexts { name, mailbox, host, .. } in addresses {
                    texts.extend(name.map(|name| fold(&name)));
                    let mut address = mailbox.as_deref().unwrap_or_default().to_vec();
                    if let Some(host) = host {
                        address.push(b'@');
                        address.extend_from_slice(&host);
                    }
                    texts.push(fold(&address));
                }
                (texts, Some(count))
            }
        };
        let is_garbled = texts.iter().any(|text| text.contains("=?") || text.contains("?="));
        Self { texts, addresses, is_garbled }
    }
}
