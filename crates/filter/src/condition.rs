//! What a filter asks of a message, with the form in which people write it: `from contains @example.org`, `subject is-not
//! 'Hello'`, `attachment present`, `size larger 5M`, `header:List-Id contains garden`. Printed and read, it is the same.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::limits::{FIELD_NAME_OCTETS_MAX, VALUE_OCTETS_MAX};
use crate::needle::Needle;
use crate::view::MessageView;

/// One condition.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// On the texts of a header field: on the addresses and on the display names of a field that has addresses.
    Text {
        /// Which field.
        field: Field,
        /// How it is compared.
        test: TextTest,
        /// With what: case does not matter, nor spaces at the ends.
        value: Needle,
    },
    /// Whether it has an attachment.
    Attachment {
        /// It has one.
        present: bool,
    },
    /// How large it is.
    Size {
        /// Larger than so many octets; otherwise smaller.
        larger: bool,
        /// Octets, as stored (RFC822.SIZE).
        octets: u64,
    },
}

/// A header field, or two that are looked at together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Field {
    /// From.
    From,
    /// To.
    To,
    /// Cc.
    Cc,
    /// To and Cc.
    ToOrCc,
    /// Subject.
    Subject,
    /// Any other, by its name.
    Header(String),
}

/// How texts are compared. A field may have several texts: one must be so for the first of each pair, none for the second.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TextTest {
    /// It is the value.
    Is,
    /// The contrary: a field that is not there is not the value either.
    IsNot,
    /// It has the value in it.
    Contains,
    /// The contrary.
    DoesNotContain,
}

/// Why a text is no condition.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConditionFlaw {
    /// It begins with something else.
    #[error("a condition begins with from, to, cc, to-or-cc, subject, header:NAME, attachment or size, not with {0:?}")]
    Subject(String),
    /// The name of a header field is none (RFC 5322 §2.2).
    #[error(
        "{0:?} is no name of a header field: write it as header:List-Id, with at most {FIELD_NAME_OCTETS_MAX} letters, digits and hyphens"
    )]
    FieldName(String),
    /// No known comparison.
    #[error("behind {0} stands is, is-not, contains or does-not-contain, then the text; as in '{0} contains invoice'")]
    Test(String),
    /// Nothing to compare with.
    #[error("there is no text to compare {0} with; as in '{0} contains invoice'")]
    NoValue(String),
    /// Too long a text.
    #[error("the text of a condition has at most {VALUE_OCTETS_MAX} octets")]
    LongValue,
    /// Octets below 32.
    #[error("the text of a condition has no control characters; a header field is one line")]
    ControlCharacter,
    /// Neither present nor absent.
    #[error("behind attachment stands present or absent")]
    Attachment,
    /// No size.
    #[error("behind size stands larger or smaller and a number of octets; as in 'size larger 5M'")]
    Size,
}

impl Condition {
    /// Whether it may be saved.
    ///
    /// # Errors
    /// Why not, and what to do.
    pub fn check(&self) -> Result<(), ConditionFlaw> {
        let Self::Text { field, value, .. } = self else { return Ok(()) };
        if let Field::Header(name) = field {
            let known = |b: u8| b.is_ascii_graphic() && b != b':';
            if name.is_empty() || name.len() > FIELD_NAME_OCTETS_MAX || !name.bytes().all(known) {
                return Err(ConditionFlaw::FieldName(name.clone()));
            }
        }
        let text = value.text();
        if text.trim().is_empty() {
            return Err(ConditionFlaw::NoValue(field.to_string()));
        }
        if text.len() > VALUE_OCTETS_MAX {
            return Err(ConditionFlaw::LongValue);
        }
        if text.chars().any(char::is_control) {
            return Err(ConditionFlaw::ControlCharacter);
        }
        Ok(())
    }

    /// Whether it holds for a message.
    #[must_use]
    pub fn holds(&self, message: &MessageView) -> bool {
        match self {
            Self::Attachment { present } => message.has_attachment() == *present,
            Self::Size { larger: true, octets } => message.octets() > *octets,
            Self::Size { larger: false, octets } => message.octets() < *octets,
            Self::Text { field, test, value } => {
                let value = value.compared();
                let some = |compare: fn(&str, &str) -> bool| message.texts(field).any(|text| compare(text, value));
                match test {
                    TextTest::Is => some(|text, value| text == value),
                    TextTest::IsNot => !some(|text, value| text == value),
                    TextTest::Contains => some(|text, value| text.contains(value)),
                    TextTest::DoesNotContain => !some(|text, value| text.contains(value)),
                }
            }
        }
    }

    /// Octets of its texts, in the form that is larger.
    pub(crate) fn octets(&self) -> usize {
        match self {
            Self::Text { field: Field::Header(name), value, .. } => name.len().saturating_add(value.octets()),
            Self::Text { value, .. } => value.octets(),
            Self::Attachment { .. } | Self::Size { .. } => 0,
        }
    }

    /// Octets of a message that are looked through at the most.
    pub(crate) fn compares(&self, message: &MessageView) -> usize {
        match self {
            Self::Text { field, .. } => {
                message.texts(field).fold(0, |octets, text| octets.saturating_add(text.len()).saturating_add(1))
            }
            Self::Attachment { .. } | Self::Size { .. } => 0,
        }
    }
}

impl Field {
    fn parse(word: &str) -> Result<Self, ConditionFlaw> {
        if let Some(name) = word.get(..HEADER.len()).filter(|start| start.eq_ignore_ascii_case(HEADER)) {
            return Ok(Self::Header(word.get(name.len()..).unwrap_or_default().to_owned()));
        }
        let named = [Self::From, Self::To, Self::Cc, Self::ToOrCc, Self::Subject];
        let found = named.into_iter().find(|field| field.to_string().eq_ignore_ascii_case(word));
        found.ok_or_else(|| ConditionFlaw::Subject(word.to_owned()))
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::From => f.write_str("from"),
            Self::To => f.write_str("to"),
            Self::Cc => f.write_str("cc"),
            Self::ToOrCc => f.write_str("to-or-cc"),
            Self::Subject => f.write_str("subject"),
            Self::Header(name) => write!(f, "{HEADER}{name}"),
        }
    }
}

impl TextTest {
    const ALL: [Self; 4] = [Self::Is, Self::IsNot, Self::Contains, Self::DoesNotContain];

    const fn word(self) -> &'static str {
        match self {
            Self::Is => "is",
            Self::IsNot => "is-not",
            Self::Contains => "contains",
            Self::DoesNotContain => "does-not-contain",
        }
    }
}

impl fmt::Display for Condition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text { field, test, value } => write!(f, "{field} {} {value}", test.word()),
            Self::Attachment { present: true } => f.write_str("attachment present"),
            Self::Attachment { present: false } => f.write_str("attachment absent"),
            Self::Size { larger, octets } => {
                let unit = UNITS.into_iter().find(|(_, unit)| *octets > 0 && octets.is_multiple_of(*unit));
                let word = if *larger { "larger" } else { "smaller" };
                match unit {
                    Some((letter, unit)) => write!(f, "size {word} {}{letter}", octets / unit),
                    None => write!(f, "size {word} {octets}"),
                }
            }
        }
    }
}

impl FromStr for Condition {
    type Err = ConditionFlaw;

    fn from_str(text: &str) -> Result<Self, ConditionFlaw> {
        let (first, rest) = word(text);
        if first.eq_ignore_ascii_case("attachment") {
            return match rest.to_ascii_lowercase().as_str() {
                "present" => Ok(Self::Attachment { present: true }),
                "absent" => Ok(Self::Attachment { present: false }),
                _ => Err(ConditionFlaw::Attachment),
            };
        }
        let (second, value) = word(rest);
        if first.eq_ignore_ascii_case("size") {
            let larger = match second.to_ascii_lowercase().as_str() {
                "larger" => true,
                "smaller" => false,
                _ => return Err(ConditionFlaw::Size),
            };
            return Ok(Self::Size { larger, octets: octets(value).ok_or(ConditionFlaw::Size)? });
        }
        let field = Field::parse(first)?;
        let test = TextTest::ALL.into_iter().find(|test| test.word().eq_ignore_ascii_case(second));
        let test = test.ok_or_else(|| ConditionFlaw::Test(field.to_string()))?;
        let condition = Self::Text { field, test, value: value.into() };
        condition.check().map(|()| condition)
    }
}

/// The first word, and what is behind it without the spaces around.
fn word(text: &str) -> (&str, &str) {
    let text = text.trim();
    text.split_once(char::is_whitespace).map_or((text, ""), |(first, rest)| (first, rest.trim()))
}

/// `100`, `20K`, `5M`, `1G`.
fn octets(text: &str) -> Option<u64> {
    let unit = UNITS.into_iter().find_map(|(letter, unit)| {
        let digits = text.strip_suffix(letter).or_else(|| text.strip_suffix(letter.to_ascii_lowercase()))?;
        Some((digits, unit))
    });
    let (digits, unit) = unit.unwrap_or((text, 1));
    if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    digits.parse::<u64>().ok()?.checked_mul(unit)
}

const HEADER: &str = "header:";
const UNITS: [(char, u64); 3] = [('G', 1 << 30), ('M', 1 << 20), ('K', 1 << 10)];

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn i03_conditions_are_read_as_people_write_them() {
        let text = |field, test, value: &str| Condition::Text { field, test, value: value.into() };
        for (written, read) in [
            ("from is boss@example.org", text(Field::From, TextTest::Is, "boss@example.org")),
            ("  To-Or-Cc   contains  garden club ", text(Field::ToOrCc, TextTest::Contains, "garden club")),
            ("subject is-not not this", text(Field::Subject, TextTest::IsNot, "not this")),
            ("cc does-not-contain é", text(Field::Cc, TextTest::DoesNotContain, "é")),
            ("header:List-Id contains x", text(Field::Header("List-Id".to_owned()), TextTest::Contains, "x")),
            ("HEADER:X-Spam is yes", text(Field::Header("X-Spam".to_owned()), TextTest::Is, "yes")),
            ("attachment present", Condition::Attachment { present: true }),
            ("Attachment ABSENT", Condition::Attachment { present: false }),
            ("size larger 5M", Condition::Size { larger: true, octets: 5 << 20 }),
            ("size smaller 1025", Condition::Size { larger: false, octets: 1025 }),
            ("size larger 0", Condition::Size { larger: true, octets: 0 }),
        ] {
            assert_eq!(written.parse(), Ok(read), "{written}");
        }
    }

    #[test]
    fn i03_what_is_no_condition_is_told_what_to_write() {
        for (written, said) in [
            ("", "a condition begins with from"),
            ("body contains x", "not with \"body\""),
            ("from", "behind from stands is, is-not"),
            ("from is not boss", ""),
            ("from matches x", "behind from stands is"),
            ("subject contains", "no text to compare subject with"),
            ("header: contains x", "no name of a header field"),
            ("header:Né contains x", "no name of a header field"),
            ("subject contains a\u{7}b", "no control characters"),
            ("attachment", "present or absent"),
            ("attachment maybe", "present or absent"),
            ("size", "larger or smaller"),
            ("size larger", "as in 'size larger 5M'"),
            ("size larger M", "as in 'size larger 5M'"),
            ("size larger -1", "as in 'size larger 5M'"),
            ("size larger 99999999999999999999", "as in 'size larger 5M'"),
            ("size larger 99999999999999G", "as in 'size larger 5M'"),
        ] {
            match (written.parse::<Condition>(), said) {
                (Ok(read), "") => assert_eq!(read.to_string(), written),
                (Err(flaw), said) => assert!(!said.is_empty() && flaw.to_string().contains(said), "{written}: {flaw}"),
                (Ok(read), said) => panic!("{written} is {read:?}, not: {said}"),
            }
        }
        let long = format!("subject is {}", "x".repeat(VALUE_OCTETS_MAX + 1));
        assert_eq!(long.parse::<Condition>(), Err(ConditionFlaw::LongValue));
    }

    proptest! {
        #[test]
        fn i03_a_condition_printed_and_read_is_the_same(
            field in prop_oneof![
                Just(Field::From), Just(Field::To), Just(Field::Cc), Just(Field::ToOrCc), Just(Field::Subject),
                "[A-Za-z][A-Za-z0-9-]{0,10}".prop_map(Field::Header),
            ],
            test in proptest::sample::select(TextTest::ALL.to_vec()),
            value in "[^\\pC\\s][^\\pC]{0,20}[^\\pC\\s]",
            larger: bool,
            octets: u64,
        ) {
            for condition in [Condition::Text { field, test, value: value.as_str().into() }, Condition::Size { larger, octets }] {
                prop_assert_eq!(condition.to_string().parse(), Ok(condition));
            }
        }

        #[test]
        fn i03_no_text_is_a_panic(text in "\\PC{0,40}") {
            if let Ok(condition) = text.parse::<Condition>() {
                prop_assert!(condition.check().is_ok());
            }
        }
    }
}
