//! The filters of streams (ISO 32000-1 §7.4) that texts have: deflate and the two forms in letters. Pictures have others.

use std::borrow::Cow;

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use super::budget::Budget;
use super::value::from_hexadecimal;

/// The octets behind the filters; `None` when there are more than `octets_max`, behind any of them, or a filter is not known. What
/// goes into each filter and what comes out of it is charged, whatever becomes of it.
pub(super) fn decoded(packed: &[u8], filters: &[Vec<u8>], octets_max: usize, budget: &Budget<'_>) -> Option<Vec<u8>> {
    let mut data = Cow::Borrowed(packed);
    for filter in filters {
        budget.charge(data.len())?;
        let octets_max = octets_max.min(budget.left());
        let out = match filter.as_slice() {
            b"FlateDecode" | b"Fl" => inflated(&data, octets_max),
            b"ASCIIHexDecode" | b"AHx" => {
                Ok(from_hexadecimal(data.split(|octet| *octet == b'>').next().unwrap_or_default()))
            }
            b"ASCII85Decode" | b"A85" => ascii85(&data, octets_max),
            _ => return None,
        };
        budget.charge(out.as_ref().map_or(octets_max, Vec::len))?;
        data = Cow::Owned(out.ok()?);
    }
    (data.len() <= octets_max).then(|| data.into_owned())
}

/// There is more than may be.
struct TooMuch;

/// What is damaged gives what is before the damage.
fn inflated(data: &[u8], octets_max: usize) -> Result<Vec<u8>, TooMuch> {
    match decompress_to_vec_zlib_with_limit(data, octets_max) {
        Ok(data) => Ok(data),
        Err(error) if error.status == TINFLStatus::HasMoreOutput => Err(TooMuch),
        Err(error) => {
            // Behind what was unpacked it holds zeros.
            let mut data = error.output;
            data.truncate(data.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1));
            Ok(data)
        }
    }
}

/// ISO 32000-1 §7.4.3
fn ascii85(data: &[u8], octets_max: usize) -> Result<Vec<u8>, TooMuch> {
    let mut octets = Vec::with_capacity(data.len().min(octets_max));
    let mut group: Vec<u32> = Vec::with_capacity(5);
    for octet in data {
        match octet {
            b'z' if group.is_empty() => octets.extend([0; 4]),
            b'!'..=b'u' => group.push(u32::from(octet - b'!')),
            b'~' => break,
            _ => {}
        }
        if group.len() == 5 {
            push_group(&group, 4, &mut octets);
            group.clear();
        }
        if octets.len() > octets_max {
            return Err(TooMuch);
        }
    }
    if group.len() > 1 {
        let kept = group.len() - 1;
        group.resize(5, 84);
        push_group(&group, kept, &mut octets);
    }
    Ok(octets)
}

fn push_group(group: &[u32], kept: usize, octets: &mut Vec<u8>) {
    let number = group.iter().fold(0_u32, |number, digit| number.wrapping_mul(85).wrapping_add(*digit));
    octets.extend(number.to_be_bytes().iter().take(kept));
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::AtomicBool;

    use super::*;

    static RUNS: AtomicBool = AtomicBool::new(false);

    fn decoded(packed: &[u8], filters: &[Vec<u8>], octets_max: usize) -> Option<Vec<u8>> {
        super::decoded(packed, filters, octets_max, &Budget::new(1_000_000, &RUNS))
    }

    #[test]
    fn what_goes_in_and_what_comes_out_is_charged_whatever_becomes_of_it() {
        let work = |packed: &[u8], filters: &[&[u8]]| {
            let budget = Budget::new(100_000, &RUNS);
            let filters: Vec<Vec<u8>> = filters.iter().map(|filter| filter.to_vec()).collect();
            let out = super::decoded(packed, &filters, 10_000, &budget);
            (out.map(|out| out.len()), budget.spent())
        };
        let flate = |data: &[u8]| miniz_oxide::deflate::compress_to_vec_zlib(data, 6);
        // One that is too much, at the limit; one within another, both.
        let bomb = flate(&[b'a'; 50_000]);
        assert_eq!(work(&bomb, &[b"Fl"]), (None, bomb.len() + 10_000));
        let inner = flate(&[b'~'; 9_000]);
        let outer = flate(&inner);
        assert_eq!(work(&outer, &[b"Fl", b"Fl", b"A85"]).0, Some(0));
        assert_eq!(work(&outer, &[b"Fl", b"Fl", b"A85"]).1, outer.len() + 2 * inner.len() + 2 * 9_000);
        assert_eq!(work(&[b'z'; 9_000], &[b"A85"]), (None, 9_000 + 10_000));
        assert_eq!(work(b"6162", &[b"AHx", b"DCTDecode"]), (None, 4 + 2 + 2));
    }

    #[test]
    fn letters_are_octets() {
        let decoded = |data: &[u8], filter: &[u8]| decoded(data, &[filter.to_vec()], 100).unwrap();
        assert_eq!(decoded(b"87cURD_*#4DfTZ)~>", b"ASCII85Decode"), b"Hello, World");
        assert_eq!(decoded(b"z87cURDZ~>", b"A85"), b"\0\0\0\0Hello");
        assert_eq!(decoded(b"48 65 6c>99", b"ASCIIHexDecode"), b"Hel");
    }

    #[test]
    fn bombs_are_nothing_and_damage_is_what_was_before() {
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(&[b'a'; 10_000], 6);
        let flate = [b"FlateDecode".to_vec()];
        assert_eq!(decoded(&packed, &flate, 10_000).map(|data| data.len()), Some(10_000));
        assert_eq!(decoded(&packed, &flate, 9_999), None);
        let text = b"some words that do not repeat each other much 0123456789";
        let packed = miniz_oxide::deflate::compress_to_vec_zlib(text, 6);
        let cut = decoded(packed.get(..packed.len() - 8).unwrap(), &flate, 100).unwrap();
        assert!(text.starts_with(&cut));
        // One in the other.
        let twice = miniz_oxide::deflate::compress_to_vec_zlib(&packed, 6);
        assert_eq!(decoded(&twice, &[flate[0].clone(), flate[0].clone()], 100).unwrap(), text);
    }
}
