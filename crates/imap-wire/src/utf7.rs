//! Modified UTF-7 (RFC 3501 §5.1.3): printable ASCII as itself, `&` as `&-`, the rest as UTF-16 in base64 between `&` and `-`.
//!
//! Strict: exactly one spelling of each name is accepted, the one that [`encode`] writes, so that two
//! spellings cannot name the same mailbox.

use std::borrow::Cow;

use base64::Engine;
use base64::alphabet::IMAP_MUTF7 as ALPHABET;
use base64::engine::{GeneralPurpose, general_purpose::NO_PAD};

const BASE64: GeneralPurpose = GeneralPurpose::new(&ALPHABET, NO_PAD);

/// The text, or `None` when it is not the one spelling of a text.
pub(crate) fn decode(wire: &[u8]) -> Option<String> {
    let mut text = String::with_capacity(wire.len());
    let mut rest = wire;
    let mut after_base64 = false;
    while let Some((&byte, tail)) = rest.split_first() {
        if byte != b'&' {
            if !is_direct(byte) {
                return None;
            }
            text.push(char::from(byte));
            (rest, after_base64) = (tail, false);
            continue;
        }
        let end = tail.iter().position(|&b| b == b'-')?;
        let (shifted, after) = (tail.get(..end)?, tail.get(end + 1..)?);
        if shifted.is_empty() {
            text.push('&');
            after_base64 = false;
        } else {
            // Two shifts in a row would be a second spelling of one.
            if after_base64 {
                return None;
            }
            decode_shifted(shifted, &mut text)?;
            after_base64 = true;
        }
        rest = after;
    }
    Some(text)
}

fn decode_shifted(shifted: &[u8], text: &mut String) -> Option<()> {
    let bytes = BASE64.decode(shifted).ok()?;
    let (pairs, rest) = bytes.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    for decoded in char::decode_utf16(pairs.iter().map(|&pair| u16::from_be_bytes(pair))) {
        let c = decoded.ok()?;
        // Printable ASCII must not be encoded.
        if c.is_ascii() && (is_direct(c as u8) || c == '&') {
            return None;
        }
        text.push(c);
    }
    Some(())
}

/// The one spelling of a text.
pub(crate) fn encode(text: &str) -> Cow<'_, str> {
    if text.bytes().all(is_direct) {
        return Cow::Borrowed(text);
    }
    let mut wire = String::with_capacity(text.len() + 8);
    let mut pending: Vec<u8> = Vec::new();
    for c in text.chars() {
        if c.is_ascii() && (is_direct(c as u8) || c == '&') {
            flush(&mut pending, &mut wire);
            wire.push(c);
            if c == '&' {
                wire.push('-');
            }
        } else {
            pending.extend(c.encode_utf16(&mut [0; 2]).iter().flat_map(|unit| unit.to_be_bytes()));
        }
    }
    flush(&mut pending, &mut wire);
    Cow::Owned(wire)
}

fn flush(pending: &mut Vec<u8>, wire: &mut String) {
    if !pending.is_empty() {
        wire.push('&');
        BASE64.encode_string(&pending, wire);
        wire.push('-');
        pending.clear();
    }
}

/// Printable ASCII except `&`.
const fn is_direct(byte: u8) -> bool {
    matches!(byte, 0x20..=0x7e) && byte != b'&'
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_spelling_only() {
        for good in ["", "INBOX", "A&-B", "&AOk-", "Entw&APw-rfe", "&2D3eAA-", "&-&-", "&AOk-&-&AOk-"] {
            let text = decode(good.as_bytes()).unwrap_or_else(|| panic!("{good}"));
            assert_eq!(encode(&text), good);
        }
        for bad in [
            "&",
            "A&B",
            "&AOk",
            "&AOk=-",
            "&AGE-",
            "&ACY-",
            "&AOl-",
            "&AO-",
            "&AOkA-",
            "&AOk-&AOk-",
            "&2D0-",
            "&3gA-",
            "é",
            "&A/k-",
            "a\tb",
            "&AOk-\u{7f}",
            "&JjrB?-",
            "& -",
        ] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn encode_then_decode_is_identity(text in "\\PC*") {
            let wire = encode(&text).into_owned();
            prop_assert!(wire.is_ascii());
            prop_assert_eq!(decode(wire.as_bytes()), Some(text));
        }

        #[test]
        fn whatever_decodes_is_the_one_spelling(wire in "[&A-Ca-c0-9,+-]{0,12}") {
            if let Some(text) = decode(wire.as_bytes()) {
                prop_assert_eq!(encode(&text), wire);
            }
        }
    }
}
