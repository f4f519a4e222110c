//! SEARCH (RFC 3501 §7.2.5, RFC 7162 §3.1.5) and ESEARCH (RFC 4731 §3.2, RFC 4466 §2.6.2).

use std::num::{NonZeroU32, NonZeroU64};

use imap_codec::imap_types::response::{Data, Response};

use super::encode;
use crate::sequence::NumberSet;
use crate::tag::Tag;

/// `* SEARCH 2 3 (MODSEQ 9)`; zeros, which no message has, are left out.
pub fn search(out: &mut Vec<u8>, numbers: impl IntoIterator<Item = u32>, highest_modseq: Option<u64>) {
    let numbers: Vec<_> = numbers.into_iter().filter_map(NonZeroU32::new).collect();
    // RFC 7162 §3.1.5: the MODSEQ only goes with a result.
    let modseq = highest_modseq.and_then(NonZeroU64::new).filter(|_| !numbers.is_empty());
    encode(out, &Response::Data(Data::Search(numbers, modseq)));
}

/// What ESEARCH says. RFC 4731 §3.1: MIN, MAX and ALL are left out when nothing was found, COUNT is not.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EsearchData<'a> {
    /// The smallest number.
    pub min: Option<u32>,
    /// The largest number.
    pub max: Option<u32>,
    /// All numbers.
    pub all: Option<&'a NumberSet>,
    /// How many.
    pub count: Option<u64>,
    /// The largest MODSEQ of what was found (RFC 4731 §3.2).
    pub modseq: Option<u64>,
}

/// `* ESEARCH (TAG "a1") UID COUNT 5 ALL 1:3,5,7`
pub fn esearch(out: &mut Vec<u8>, tag: &Tag, uid: bool, data: &EsearchData<'_>) {
    let mut line = format!("* ESEARCH (TAG \"{tag}\")");
    if uid {
        line.push_str(" UID");
    }
    let found: [(&str, Option<String>); 5] = [
        ("MIN", data.min.map(|n| n.to_string())),
        ("MAX", data.max.map(|n| n.to_string())),
        ("ALL", data.all.filter(|set| !set.is_empty()).map(ToString::to_string)),
        ("COUNT", data.count.map(|n| n.to_string())),
        ("MODSEQ", data.modseq.map(|n| n.to_string())),
    ];
    for (name, value) in found {
        if let Some(value) = value {
            line.push(' ');
            line.push_str(name);
            line.push(' ');
            line.push_str(&value);
        }
    }
    line.push_str("\r\n");
    out.extend_from_slice(line.as_bytes());
}
