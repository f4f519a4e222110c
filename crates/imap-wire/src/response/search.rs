//! SEARCH (RFC 3501 §7.2.5, RFC 7162 §3.1.5), SORT and THREAD (RFC 5256 §4), ESEARCH (RFC 4731 §3.2, RFC 4466 §2.6.2, and
//! the data items of RFC 5267, 6203, 7377 and 9394).
//!
//! Written by hand: a hundred thousand numbers are one answer.

use super::write_string;
use crate::command::PartialRange;
use crate::sequence::NumberSet;
use crate::tag::Tag;

/// `* SEARCH 2 3 (MODSEQ 9)`; zeros, which no message has, are left out.
pub fn search(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = u32>, highest_modseq: Option<u64>) {
    list(out, b"* SEARCH", numbers, highest_modseq);
}

/// `* SORT 2 3 (MODSEQ 9)` (RFC 5256 BASE.7.2.SORT, RFC 7162 §3.1.9).
pub fn sort(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = u32>, highest_modseq: Option<u64>) {
    list(out, b"* SORT", numbers, highest_modseq);
}

/// The beginning of `* THREAD (2)(3 6 (4 23)(44 7 96))`: the threads follow (RFC 5256 §5 `thread-data`).
pub fn begin_thread(out: &mut Vec<u8>, empty: bool) {
    out.extend_from_slice(if empty { b"* THREAD" } else { b"* THREAD " });
}

/// The end of `* THREAD …`.
pub fn end_thread(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\r\n");
}

fn list(out: &mut Vec<u8>, name: &[u8], numbers: impl IntoIterator<Item = u32>, highest_modseq: Option<u64>) {
    out.extend_from_slice(name);
    let mut empty = true;
    for number in numbers.into_iter().filter(|number| *number > 0) {
        out.push(b' ');
        write_number(out, number);
        empty = false;
    }
    // RFC 7162 §3.1.5: the MODSEQ only goes with a result.
    if let Some(modseq) = highest_modseq.filter(|modseq| *modseq > 0 && !empty) {
        out.extend_from_slice(format!(" (MODSEQ {modseq})").as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends a number in decimal.
pub fn write_number(out: &mut Vec<u8>, number: u32) {
    let mut digits = [0; 10];
    let mut rest = number;
    let mut at = digits.len();
    for slot in digits.iter_mut().rev() {
        // One decimal digit.
        *slot = b'0' | u8::try_from(rest % 10).unwrap_or_default();
        at = at.saturating_sub(1);
        rest /= 10;
        if rest == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(at..).unwrap_or_default());
}

/// Results in their order: by number, or as SORT has put them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Results<'a> {
    /// By number.
    Set(&'a NumberSet),
    /// As SORT has put them, each once.
    Sorted(&'a [u32]),
}

impl Results<'_> {
    fn is_empty(self) -> bool {
        match self {
            Self::Set(set) => set.is_empty(),
            Self::Sorted(numbers) => numbers.is_empty(),
        }
    }

    fn write(self, out: &mut Vec<u8>) {
        match self {
            Self::Set(set) => out.extend_from_slice(set.to_string().as_bytes()),
            Self::Sorted(numbers) => write_sorted(out, numbers),
        }
    }
}

/// A `sequence-set` that keeps the order: only what ascends by one becomes a range (RFC 5267 §3.2).
fn write_sorted(out: &mut Vec<u8>, numbers: &[u32]) {
    for (at, run) in numbers.chunk_by(|a, b| a.checked_add(1) == Some(*b)).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let [first, .., last] = run else {
            run.iter().for_each(|number| write_number(out, *number));
            continue;
        };
        write_number(out, *first);
        out.push(b':');
        write_number(out, *last);
    }
}

/// What an ESEARCH response is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Correlator<'a> {
    /// The selected mailbox.
    Tag(&'a Tag),
    /// One of several mailboxes (RFC 7377 §2.1); the name as it goes on the wire.
    Mailbox(&'a Tag, &'a str, u32),
}

/// What ESEARCH says. RFC 4731 §3.1: MIN, MAX and ALL are left out when nothing was found, COUNT is not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EsearchData<'a> {
    /// The first result.
    pub min: Option<u32>,
    /// The last result.
    pub max: Option<u32>,
    /// All results.
    pub all: Option<Results<'a>>,
    /// How many.
    pub count: Option<u64>,
    /// Those of a range of places (RFC 9394 §3.1), NIL when there are none.
    pub partial: Option<(PartialRange, Results<'a>)>,
    /// The score of each result, from 1 to 100, in their order (RFC 6203 §4).
    pub relevancy: Option<&'a [u8]>,
    /// The largest MODSEQ of what was found (RFC 4731 §3.2).
    pub modseq: Option<u64>,
}

/// `* ESEARCH (TAG "a1") UID COUNT 5 ALL 1:3,5,7`
pub fn esearch(out: &mut Vec<u8>, correlator: &Correlator<'_>, uid: bool, data: &EsearchData<'_>) {
    begin_esearch(out, correlator, uid);
    let numbered = |out: &mut Vec<u8>, name: &str, value: Option<u64>| {
        if let Some(value) = value {
            out.extend_from_slice(format!(" {name} {value}").as_bytes());
        }
    };
    numbered(out, "MIN", data.min.map(u64::from));
    numbered(out, "MAX", data.max.map(u64::from));
    if let Some(all) = data.all.filter(|all| !all.is_empty()) {
        out.extend_from_slice(b" ALL ");
        all.write(out);
    }
    numbered(out, "COUNT", data.count);
    if let Some((range, results)) = data.partial {
        out.extend_from_slice(format!(" PARTIAL ({range} ").as_bytes());
        if results.is_empty() {
            out.extend_from_slice(b"NIL");
        } else {
            results.write(out);
        }
        out.push(b')');
    }
    if let Some(scores) = data.relevancy.filter(|scores| !scores.is_empty()) {
        out.extend_from_slice(b" RELEVANCY (");
        for (at, score) in scores.iter().enumerate() {
            if at > 0 {
                out.push(b' ');
            }
            write_number(out, u32::from(*score));
        }
        out.push(b')');
    }
    numbered(out, "MODSEQ", data.modseq);
    out.extend_from_slice(b"\r\n");
}

/// How a result changed (RFC 5267 §4.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// ADDTO
    AddTo,
    /// REMOVEFROM
    RemoveFrom,
}

/// `* ESEARCH (TAG "B01") UID ADDTO (0 32768:32769)`: position and results, one pair after the other.
pub fn update(out: &mut Vec<u8>, tag: &Tag, uid: bool, update: Update, pairs: &[(u32, Results<'_>)]) {
    if pairs.is_empty() {
        return;
    }
    begin_esearch(out, &Correlator::Tag(tag), uid);
    out.extend_from_slice(match update {
        Update::AddTo => b" ADDTO (",
        Update::RemoveFrom => b" REMOVEFROM (",
    });
    for (at, (position, results)) in pairs.iter().enumerate() {
        if at > 0 {
            out.push(b' ');
        }
        write_number(out, *position);
        out.push(b' ');
        results.write(out);
    }
    out.extend_from_slice(b")\r\n");
}

fn begin_esearch(out: &mut Vec<u8>, correlator: &Correlator<'_>, uid: bool) {
    let (Correlator::Tag(tag) | Correlator::Mailbox(tag, ..)) = correlator;
    out.extend_from_slice(format!("* ESEARCH (TAG \"{tag}\"").as_bytes());
    if let Correlator::Mailbox(_, name, validity) = correlator {
        out.extend_from_slice(b" MAILBOX ");
        write_string(out, name.as_bytes());
        out.extend_from_slice(format!(" UIDVALIDITY {validity}").as_bytes());
    }
    out.push(b')');
    if uid {
        out.extend_from_slice(b" UID");
    }
}

/// `* COMPARATOR "i;unicode-casemap" ("…")`: the active one, and all that matched when they are several (RFC 5255 §4.8).
pub fn comparator(out: &mut Vec<u8>, active: &str, matching: &[&str]) {
    out.extend_from_slice(b"* COMPARATOR ");
    write_string(out, active.as_bytes());
    if matching.len() > 1 {
        out.extend_from_slice(b" (");
        for (at, name) in matching.iter().enumerate() {
            if at > 0 {
                out.push(b' ');
            }
            write_string(out, name.as_bytes());
        }
        out.push(b')');
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tag() -> Tag {
        Tag::new(b"a1").unwrap()
    }

    fn line(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_are_decimal() {
        for number in [1, 9, 10, 99, 100, 4_294_967_295, 0] {
            assert_eq!(line(|out| write_number(out, number)), number.to_string());
        }
    }

    #[test]
    fn sorted_results_keep_their_order() {
        let data = EsearchData { all: Some(Results::Sorted(&[9, 3, 4, 5, 2, 1])), ..EsearchData::default() };
        assert_eq!(
            line(|out| esearch(out, &Correlator::Tag(&tag()), true, &data)),
            "* ESEARCH (TAG \"a1\") UID ALL 9,3:5,2,1\r\n"
        );
    }

    #[test]
    fn what_is_not_there_is_nil_or_left_out() {
        let range = PartialRange::new(1, 10, true).unwrap();
        let data = EsearchData {
            all: Some(Results::Sorted(&[])),
            partial: Some((range, Results::Sorted(&[]))),
            count: Some(0),
            relevancy: Some(&[]),
            ..EsearchData::default()
        };
        assert_eq!(
            line(|out| esearch(out, &Correlator::Mailbox(&tag(), "a \"b\"", 7), true, &data)),
            "* ESEARCH (TAG \"a1\" MAILBOX \"a \\\"b\\\"\" UIDVALIDITY 7) UID COUNT 0 PARTIAL (-1:-10 NIL)\r\n"
        );
    }

    #[test]
    fn updates_name_places_and_results() {
        let set = NumberSet::from_numbers([4, 5]);
        let pairs = [(0, Results::Set(&set)), (3, Results::Sorted(&[9, 8]))];
        assert_eq!(
            line(|out| update(out, &tag(), false, Update::AddTo, &pairs)),
            "* ESEARCH (TAG \"a1\") ADDTO (0 4:5 3 9,8)\r\n"
        );
        assert_eq!(line(|out| update(out, &tag(), false, Update::RemoveFrom, &[])), "");
    }

    #[test]
    fn sort_and_thread_are_lines() {
        assert_eq!(line(|out| sort(out, [], Some(5))), "* SORT\r\n");
        assert_eq!(line(|out| sort(out, [3, 1], Some(5))), "* SORT 3 1 (MODSEQ 5)\r\n");
        let thread = |threads: &'static [u8]| {
            line(move |out| {
                begin_thread(out, threads.is_empty());
                out.extend_from_slice(threads);
                end_thread(out);
            })
        };
        assert_eq!((thread(b""), thread(b"(1)(2)")), ("* THREAD\r\n".into(), "* THREAD (1)(2)\r\n".into()));
        assert_eq!(
            line(|out| comparator(out, "i;octet", &["i;octet", "i;ascii-casemap"])),
            "* COMPARATOR \"i;octet\" (\"i;octet\" \"i;ascii-casemap\")\r\n"
        );
    }
}
