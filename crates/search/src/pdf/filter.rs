//! The filters of streams (ISO 32000-1 §7.4) that texts have: deflate and the two forms in letters. Pictures have others.

use miniz_oxide::inflate::{TINFLStatus, decompress_to_vec_zlib_with_limit};

use super::value::from_hexadecimal;

/// The octets behind the filters; `None` when there are more than `octets_max`, or a filter is not known.
pub(super) fn decoded(packed: &[u8], filters: &[Vec<u8>], octets_max: usize) -> Option<Vec<u8>> {
    let mut data = packed.to_vec();
    for filter in filters {
        data = match filter.as_slice() {
            b"FlateDecode" | b"Fl" => inflated(&data, octets_max)?,
            b"ASCIIHexDecode" | b"AHx" => {
                from_hexadecimal(data.split(|octet| *octet == b'>').next().unwrap_or_default())
            }
            b"ASCII85Decode" | b"A85" => ascii85(&data),
            _ => return None,
        };
    }
    (data.len() <= octets_max).then_some(data)
}

/// What is damaged gives what is before the damage.
fn inflated(data: &[u8], octets_max: usize) -> Option<Vec<u8>> {
    match decompress_to_vec_zlib_with_limit(data, octets_max) {
        Ok(data) => Some(data),
        Err(error) if error.status == TINFLStatus::HasMoreOutput => None,
        Err(error) => {
            // Behind what was unpacked it holds zeros.
            let mut data = error.output;
            data.truncate(data.iter().rposition(|octet| *octet != 0).map_or(0, |last| last + 1));
            Some(data)
        }
    }
}

/// ISO 32000-1 §7.4.3
fn ascii85(data: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(data.len());
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
    }
    if group.len() > 1 {
        let kept = group.len() - 1;
        group.resize(5, 84);
        push_group(&group, kept, &mut octets);
    }
    octets
}

fn push_group(group: &[u32], kept: usize, octets: &mut Vec<u8>) {
    let number = group.iter().fold(0_u32, |number, digit| number.wrapping_mul(85).wrapping_add(*digit));
    octets.extend(number.to_be_bytes().iter().take(kept));
}

#[cfg(test)]
mod tests {
    use super::*;

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
