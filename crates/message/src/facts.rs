//! What the header says to routing, the responder and the loop check: which fields are there, how often, and the values.

use crate::field::Field;

/// Facts about one header, gathered while it passes.
///
/// Values are unfolded (RFC 5322 §2.2.3) and without the white space around them; RFC 2047 text is as sent. They hold no CR,
/// LF or NUL: each of these within a line reads as a space.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderFacts {
    pub(crate) counts: Vec<(Field, u32)>,
    pub(crate) values: Vec<FieldValue>,
    /// The header holds octets above 127, so that it needs SMTPUTF8 (RFC 6532) or is wrong.
    pub eight_bit: bool,
}

/// One kept value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FieldValue {
    pub(crate) field: Field,
    pub(crate) value: Vec<u8>,
    /// There was more than could be kept.
    pub(crate) cut: bool,
}

impl HeaderFacts {
    /// How many times the field occurs.
    pub fn count(&self, field: Field) -> u32 {
        self.counts.iter().find(|(known, _)| *known == field).map_or(0, |(_, count)| *count)
    }

    /// Whether the field occurs.
    pub fn has(&self, field: Field) -> bool {
        self.count(field) > 0
    }

    /// How many `Received` fields there are: the hops that a loop check counts (RFC 5321 §6.3).
    pub fn received(&self) -> u32 {
        self.count(Field::Received)
    }

    /// Whether any `List-*` field says that a mailing list sent this.
    pub fn has_list_field(&self) -> bool {
        [Field::ListId, Field::ListUnsubscribe, Field::ListPost, Field::List].iter().any(|field| self.has(*field))
    }

    /// The first value of the field. `Received` and fields beyond the bounds have a count but no value.
    pub fn value(&self, field: Field) -> Option<&[u8]> {
        self.values(field).next()
    }

    /// All kept values of the field, in the order of the header. Only Delivered-To and X-Loop have more than one.
    pub fn values(&self, field: Field) -> impl Iterator<Item = &[u8]> {
        self.values.iter().filter(move |kept| kept.field == field).map(|kept| kept.value.as_slice())
    }

    /// The first value, with the mark that it was cut.
    pub(crate) fn kept(&self, field: Field) -> Option<&FieldValue> {
        self.values.iter().find(|kept| kept.field == field)
    }

    /// Counts the field; tells whether another value of it may be kept.
    pub(crate) fn note(&mut self, field: Field) -> bool {
        let count = match self.counts.iter_mut().find(|(known, _)| *known == field) {
            Some((_, count)) => count,
            None => {
                self.counts.push((field, 0));
                let Some((_, count)) = self.counts.last_mut() else { return false };
                count
            }
        };
        *count = count.saturating_add(1);
        usize::try_from(*count).is_ok_and(|count| count <= field.values_max())
    }
}
