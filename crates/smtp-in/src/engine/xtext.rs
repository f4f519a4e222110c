//! The codings of DSN parameters: xtext (RFC 3461 §4) and `utf-8` addresses (RFC 6533 §3).

use mail::OriginalRecipient;

use crate::limits::{ENVELOPE_ID_OCTETS_MAX, ORIGINAL_RECIPIENT_OCTETS_MAX};

/// Decodes xtext: printable ASCII but `+` and `=`, others as `+` and two capital hex digits. The text must be
/// printable ASCII once decoded, since it goes into DSNs.
pub(super) fn decode_xtext(coded: &str) -> Option<String> {
    let mut text = String::with_capacity(coded.len());
    let mut octets = coded.bytes();
    while let Some(octet) = octets.next() {
        let decoded = match octet {
            b'+' => hex(octets.next()?)? * 16 + hex(octets.next()?)?,
            b'!'..=b'~' if octet != b'=' => octet,
            _ => return None,
        };
        if !(b' '..=b'~').contains(&decoded) {
            return None;
        }
        text.push(char::from(decoded));
    }
    Some(text)
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// The value of ENVID (RFC 3461 §4.4).
pub(super) fn envelope_id(coded: &str) -> Option<String> {
    decode_xtext(coded).filter(|id| (1..=ENVELOPE_ID_OCTETS_MAX).contains(&id.len()))
}

/// The value of ORCPT: an address type, `;`, and the address in the coding of its type (RFC 3461 §4.2, RFC 6533 §3).
pub(super) fn original_recipient(coded: &str) -> Option<OriginalRecipient> {
    if coded.len() > ORIGINAL_RECIPIENT_OCTETS_MAX {
        return None;
    }
    let (address_type, address) = coded.split_once(';')?;
    if address_type.is_empty() || !address_type.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-') {
        return None;
    }
    let mut original = OriginalRecipient { address_type: address_type.to_owned(), address: String::new() };
    original.address = if original.is_utf8() { decode_utf8_address(address)? } else { decode_xtext(address)? };
    (!original.address.is_empty()).then_some(original)
}

/// Decodes `utf-8-addr-xtext` and `utf-8-addr-unitext` (RFC 6533 §3): `\x{20AC}` stands for a character.
fn decode_utf8_address(coded: &str) -> Option<String> {
    let mut text = String::with_capacity(coded.len());
    let mut rest = coded;
    while let Some(first) = rest.chars().next() {
        if first == '\\' {
            let (point, behind) = rest.strip_prefix("\\x{")?.split_once('}')?;
            let capital_hex = |b: u8| b.is_ascii_digit() || (b'A'..=b'F').contains(&b);
            if !(2..=6).contains(&point.len()) || !point.bytes().all(capital_hex) {
                return None;
            }
            let decoded = char::from_u32(u32::from_str_radix(point, 16).ok()?)?;
            if decoded.is_control() {
                return None;
            }
            text.push(decoded);
            rest = behind;
        } else {
            if first.is_control() || first.is_whitespace() || first == '+' || first == '=' {
                return None;
            }
            text.push(first);
            rest = rest.get(first.len_utf8()..)?;
        }
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn xtext_is_decoded_strictly() {
        assert_eq!(decode_xtext("a+20b+2B+3D"), Some("a b+=".to_owned()));
        for wrong in ["a=b", "a+2", "a+", "a+2b", "a+0D+0A", "a+00", "a b", "é", "a+E9"] {
            assert_eq!(decode_xtext(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn trap_orcpt_keeps_its_type() {
        let original = original_recipient("RFC822;Bob+2Bx@example.org").unwrap();
        assert_eq!((original.address_type.as_str(), original.address.as_str()), ("RFC822", "Bob+x@example.org"));
        let original = original_recipient("UTF-8;jos\\x{E9}@ex.example").unwrap();
        assert_eq!((original.address_type.as_str(), original.address.as_str()), ("UTF-8", "josé@ex.example"));
    }

    #[test]
    fn trap_orcpt_may_be_utf8() {
        let original = original_recipient("utf-8;jos\\x{E9}@ex.example").unwrap();
        assert_eq!((original.address_type.as_str(), original.address.as_str()), ("utf-8", "josé@ex.example"));
        assert_eq!(original_recipient("utf-8;josé@ex.example").unwrap().address, "josé@ex.example");
        for wrong in ["utf-8;", "utf-8;a\\x{D800}b", "utf-8;a\\x{0A}", "utf-8;a\\x{e9}", "utf-8;a+2B", "utf-8;a\\q"] {
            assert_eq!(original_recipient(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn what_is_no_original_recipient_is_refused() {
        for wrong in ["", ";a", "rfc822", "rfc822;", "rf c;a", "rfc822;é@x"] {
            assert_eq!(original_recipient(wrong), None, "{wrong}");
        }
        assert_eq!(original_recipient(&format!("rfc822;{}", "a".repeat(500))), None);
    }

    #[test]
    fn an_envelope_id_has_a_length() {
        assert_eq!(envelope_id("QQ314159"), Some("QQ314159".to_owned()));
        assert_eq!(envelope_id(""), None);
        assert_eq!(envelope_id(&"a".repeat(101)), None);
    }
}
