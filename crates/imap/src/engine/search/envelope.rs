//! What an ENVELOPE tells of what is looked for in its fields (RFC 3501 §6.4.4: FROM, for one, is about "the envelope structure's
//! FROM field").

use imap_wire::EnvelopeField;
use imap_wire::precompute::{AddressTexts, FieldTexts, envelope_field};
use message::decode_header;

use super::needles::HeaderNeedle;
use crate::engine::comparator::Comparator;

/// Octets of an envelope's field up to which it has all that the message's field has: half of what is kept of the shortest.
const ENVELOPE_FIELD_OCTETS_MAX: usize = message::limits::LONG_VALUE_BYTES_MAX / 2;

/// Fields of an ENVELOPE, decoded and folded once, however much is looked for in them.
pub(crate) struct FoldedEnvelope(Vec<(EnvelopeField, Option<FoldedField>)>);

struct FoldedField {
    /// Names and addresses, each by itself, or the text of the field.
    texts: Vec<String>,
    has_addresses: bool,
    /// Of the envelope.
    octets: usize,
}

impl FoldedEnvelope {
    /// Those fields in which something is looked for.
    pub(crate) fn wanted(envelope: &[u8], comparator: Comparator, wanted: &[HeaderNeedle]) -> Self {
        let mut fields: Vec<(EnvelopeField, Option<FoldedField>)> = Vec::new();
        for field in wanted.iter().filter_map(|needle| needle.envelope) {
            if !fields.iter().any(|(known, _)| *known == field) {
                let texts = envelope_field(envelope, field);
                fields.push((field, texts.map(|texts| FoldedField::new(texts, comparator))));
            }
        }
        Self(fields)
    }

    /// Whether the field holds what is looked for, where that is told for sure.
    ///
    /// Each text is looked at by itself. What may stand in the message between two of them, or behind what the envelope keeps
    /// of a long field, is left to the header; so is whether a field is there, which an empty text asks for.
    pub(crate) fn holds(&self, HeaderNeedle { needle, envelope, .. }: &HeaderNeedle) -> Option<bool> {
        let field = self.0.iter().find(|(field, _)| Some(*field) == *envelope)?.1.as_ref()?;
        if needle.is_empty() {
            return None;
        }
        if field.texts.iter().any(|text| needle.is_in(text)) {
            return Some(true);
        }
        let is_whole = !field.has_addresses || needle.is_within_a_name_or_an_address();
        Some(false).filter(|_| is_whole && field.octets <= ENVELOPE_FIELD_OCTETS_MAX)
    }
}

impl FoldedField {
    fn new(texts: FieldTexts<'_>, comparator: Comparator) -> Self {
        let mut field = Self { texts: Vec::new(), has_addresses: false, octets: 0 };
        let add = |field: &mut Self, text: &[u8]| {
            field.octets = field.octets.saturating_add(text.len());
            field.texts.push(comparator.fold(&decode_header(text)));
        };
        match texts {
            FieldTexts::Text(text) => text.iter().for_each(|text| add(&mut field, text)),
            FieldTexts::Addresses(addresses) => {
                field.has_addresses = true;
                for AddressTexts { name, mailbox, host, .. } in addresses {
                    if let Some(name) = name {
                        add(&mut field, &name);
                    }
                    let mut address = mailbox.as_deref().unwrap_or_default().to_vec();
                    if let Some(host) = host {
                        address.push(b'@');
                        address.extend_from_slice(&host);
                    }
                    add(&mut field, &address);
                }
            }
        }
        field
    }
}
