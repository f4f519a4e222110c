//! What an ENVELOPE tells of what is looked for in its fields (RFC 3501 §6.4.4: FROM, for one, is about "the envelope structure's
//! FROM field").

use imap_wire::EnvelopeField;
use imap_wire::precompute::{AddressTexts, FieldTexts, envelope_field};
use message::{Field, RecordView, address_texts, decode_header};

use super::needles::HeaderNeedle;
use crate::engine::comparator::Comparator;

/// Fields of an ENVELOPE, decoded and folded once, however much is looked for in them.
pub(crate) struct FoldedEnvelope {
    fields: Vec<(EnvelopeField, Option<FoldedField>)>,
}

struct FoldedField {
    /// Names and addresses, each by itself, or the text of the field.
    texts: Vec<String>,
    is_addresses: bool,
    /// Nothing that can be found in the field of the header is missing here, but for what stands between names and addresses.
    is_whole: bool,
}

impl FoldedEnvelope {
    /// Those fields in which something is looked for.
    pub(crate) fn wanted(record: &RecordView<'_>, comparator: Comparator, wanted: &[HeaderNeedle]) -> Self {
        let mut fields: Vec<(EnvelopeField, Option<FoldedField>)> = Vec::new();
        for field in wanted.iter().filter_map(|needle| needle.envelope) {
            if !fields.iter().any(|(known, _)| *known == field) {
                let texts = envelope_field(record.envelope(), field);
                let is_whole = record.told().tells(header_field(field));
                fields.push((field, texts.map(|texts| FoldedField::new(texts, comparator, is_whole))));
            }
        }
        Self { fields }
    }

    /// Whether the field holds what is looked for, where that is told for sure.
    ///
    /// Each text is looked at by itself. What may stand in the message between two of them, and what the envelope leaves out, is left to
    /// the header; so is whether a field is there, which an empty text asks for.
    pub(crate) fn holds(&self, HeaderNeedle { needle, envelope, is_within, .. }: &HeaderNeedle) -> Option<bool> {
        let field = self.fields.iter().find(|(field, _)| Some(*field) == *envelope)?.1.as_ref()?;
        if needle.is_empty() {
            return None;
        }
        if field.texts.iter().any(|text| needle.is_in(text)) {
            return Some(true);
        }
        let is_told = field.is_whole && (!field.is_addresses || *is_within);
        is_told.then_some(false)
    }
}

impl FoldedField {
    fn new(texts: FieldTexts<'_>, comparator: Comparator, is_whole: bool) -> Self {
        match texts {
            FieldTexts::Text(text) => {
                let texts = text.iter().map(|text| comparator.fold(&decode_header(text))).collect();
                Self { texts, is_addresses: false, is_whole }
            }
            FieldTexts::Addresses(addresses) => {
                let mut texts = Vec::with_capacity(addresses.len().saturating_mul(2));
                for AddressTexts { name, mailbox, host, .. } in addresses {
                    let (name, address) = address_texts(name.as_deref(), mailbox.as_deref(), host.as_deref());
                    texts.extend(name.map(|name| comparator.fold(&name)));
                    texts.push(comparator.fold(&address));
                }
                Self { texts, is_addresses: true, is_whole }
            }
        }
    }
}

fn header_field(field: EnvelopeField) -> Field {
    match field {
        EnvelopeField::Bcc => Field::Bcc,
        EnvelopeField::Cc => Field::Cc,
        EnvelopeField::From => Field::From,
        EnvelopeField::Subject => Field::Subject,
        EnvelopeField::To => Field::To,
    }
}
