//! Which answers of a list count, and for how much: a table from the configuration.
//!
//! An answer is an address in 127.0.0.0/8 (RFC 5782 §2.1). A pattern has four parts, each a number, a span of numbers, or `*`:
//! `127.0.0.2`, `127.0.0.4-7`, `127.0.*.3`.

use std::collections::BTreeMap;
use std::fmt;
use std::net::Ipv4Addr;
use std::str::FromStr;

use spam::Points;

/// Four spans of octets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnswerPattern([(u8, u8); 4]);

/// Why a text is no pattern of answers.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "\"{0}\" is no answer of a list; write it like \"127.0.0.2\", \"127.0.0.4-7\" or \"127.0.*.3\"; it begins with 127, and \
     127.255.255 is what lists say when they refuse to answer"
)]
pub struct AnswerTableFlaw(String);

impl AnswerPattern {
    fn has(&self, answer: Ipv4Addr) -> bool {
        self.0.iter().zip(answer.octets()).all(|((low, high), octet)| (*low..=*high).contains(&octet))
    }
}

impl FromStr for AnswerPattern {
    type Err = AnswerTableFlaw;

    fn from_str(text: &str) -> Result<Self, AnswerTableFlaw> {
        let wrong = || AnswerTableFlaw(text.to_owned());
        let number = |part: &str| {
            let digits = !part.is_empty() && part.bytes().all(|octet| octet.is_ascii_digit());
            part.parse::<u8>().ok().filter(|_| digits).ok_or_else(wrong)
        };
        let parts: Vec<&str> = text.split('.').collect();
        let parts: [&str; 4] = parts.try_into().map_err(|_| wrong())?;
        let mut spans = [(0, 0); 4];
        for (span, part) in spans.iter_mut().zip(parts) {
            *span = match part.split_once('-') {
                _ if part == "*" => (0, u8::MAX),
                Some((low, high)) => (number(low)?, number(high)?),
                None => (number(part)?, number(part)?),
            };
            if span.0 > span.1 {
                return Err(wrong());
            }
        }
        let pattern = Self(spans);
        let refusals = spans.get(1..3).is_some_and(|middle| middle.iter().all(|span| *span == (u8::MAX, u8::MAX)));
        if spans.first() != Some(&(127, 127)) || refusals { Err(wrong()) } else { Ok(pattern) }
    }
}

impl fmt::Display for AnswerPattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, (low, high)) in self.0.iter().enumerate() {
            let dot = if n == 0 { "" } else { "." };
            match (low, high) {
                (0, &u8::MAX) => write!(f, "{dot}*")?,
                (low, high) if low == high => write!(f, "{dot}{low}")?,
                (low, high) => write!(f, "{dot}{low}-{high}")?,
            }
        }
        Ok(())
    }
}

/// The answers that count, each with its weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnswerTable {
    rows: Vec<(AnswerPattern, Points)>,
    /// Of an answer in no row; `None`: it does not count.
    otherwise: Option<Points>,
}

impl AnswerTable {
    /// Every answer counts so much.
    #[must_use]
    pub const fn every(points: Points) -> Self {
        Self { rows: Vec::new(), otherwise: Some(points) }
    }

    /// These answers count, and no others.
    ///
    /// # Errors
    /// The first one that is no answer of a list.
    pub fn of(rows: &BTreeMap<String, Points>) -> Result<Self, AnswerTableFlaw> {
        let rows = rows.iter().map(|(pattern, points)| Ok((pattern.parse()?, *points)));
        Ok(Self { rows: rows.collect::<Result<_, _>>()?, otherwise: None })
    }

    /// What an answer weighs; `None`: it does not count. The heaviest row that has it decides. 127.0.0.1 counts only where a row names it
    /// alone: RFC 5782 §2.1 leaves it out, and lists that are asked too often answer so.
    #[must_use]
    pub fn weight(&self, answer: Ipv4Addr) -> Option<Points> {
        let rows = self.rows.iter().filter(|(pattern, _)| pattern.has(answer));
        if answer == Ipv4Addr::LOCALHOST {
            return rows
                .filter(|(pattern, _)| pattern.0 == [(127, 127), (0, 0), (0, 0), (1, 1)])
                .map(|row| row.1)
                .max();
        }
        rows.map(|row| row.1).max().or(self.otherwise)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn table(rows: &[(&str, i32)]) -> AnswerTable {
        AnswerTable::of(&rows.iter().map(|(text, points)| ((*text).to_owned(), Points(*points))).collect()).unwrap()
    }

    #[test]
    fn answers_weigh_what_the_table_says() {
        let lists = table(&[("127.0.0.2", 40), ("127.0.0.4-7", 30), ("127.0.0.*", 5), ("127.0.*.3", 20)]);
        for (answer, weight) in [
            ("127.0.0.2", Some(40)),
            ("127.0.0.3", Some(20)),
            ("127.0.0.7", Some(30)),
            ("127.0.0.8", Some(5)),
            ("127.0.9.3", Some(20)),
            ("127.0.9.4", None),
            ("127.0.0.1", None),
        ] {
            assert_eq!(lists.weight(answer.parse().unwrap()), weight.map(Points), "{answer}");
        }
        assert_eq!(table(&[("127.0.0.1", 10)]).weight(Ipv4Addr::LOCALHOST), Some(Points(10)));
        let every = AnswerTable::every(Points(25));
        assert_eq!((every.weight([127, 0, 0, 9].into()), every.weight(Ipv4Addr::LOCALHOST)), (Some(Points(25)), None));
    }

    #[test]
    fn what_is_no_answer_is_said_so() {
        for wrong in [
            "",
            "127",
            "10.0.0.2",
            "127.0.0.2/8",
            "127.0.0.7-4",
            "127.0.0.256",
            "*.0.0.2",
            "127.0.0.+2",
            "127.255.255.254",
        ] {
            let flaw = wrong.parse::<AnswerPattern>().unwrap_err().to_string();
            assert!(flaw.starts_with(&format!("\"{wrong}\" is no answer")), "{flaw}");
        }
    }

    proptest! {
        #[test]
        fn no_text_makes_trouble_and_what_is_printed_is_read_again(text in "\\PC{0,30}", spans in prop::array::uniform3((0_u8.., 0_u8..))) {
            text.parse::<AnswerPattern>().ok();
            let [one, two, three] = spans.map(|(a, b)| (a.min(b), a.max(b)));
            prop_assume!(one != (255, 255) || two != (255, 255));
            let pattern = AnswerPattern([(127, 127), one, two, three]);
            prop_assert_eq!(pattern.to_string().parse(), Ok(pattern));
        }
    }
}
