//! The relaxed header (RFC 6376 §3.4.2), and which of its fields are signed.

use message::raw_fields;

use super::limits::FIELDS_MAX;

/// Signed when they are there, and once more, so that none can be added (§8.15).
const GUARDED: [&str; 5] = ["from", "reply-to", "subject", "to", "cc"];

/// Signed when they are there (§5.4.1).
const SIGNED: [&str; 18] = [
    "sender",
    "date",
    "message-id",
    "in-reply-to",
    "references",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "auto-submitted",
    "resent-date",
    "resent-from",
    "resent-to",
    "resent-cc",
    "resent-message-id",
    "list-id",
    "list-post",
    "list-unsubscribe",
    "list-unsubscribe-post",
];

/// The names that a signature lists, and the canonical fields in their order (§3.7).
pub(super) struct SignedHeader {
    pub(super) names: Vec<&'static str>,
    pub(super) canonical: Vec<u8>,
}

/// What is signed of a header. Several fields of one name are taken from the bottom up (§5.4.2).
/// `beside`: names that are signed when they are there, beside the usual ones.
pub(super) fn signed(header: &[u8], beside: &[&'static str]) -> SignedHeader {
    let mut signed = SignedHeader { names: Vec::new(), canonical: Vec::new() };
    for (names, guarded) in [(&GUARDED[..], true), (&SIGNED[..], false), (beside, false)] {
        for name in names {
            let of_name =
                raw_fields(header).filter(|field| field.name.is_some_and(|n| n.eq_ignore_ascii_case(name.as_bytes())));
            let mut fields: Vec<&[u8]> = of_name.map(|field| field.bytes).collect();
            fields.reverse();
            fields.truncate(FIELDS_MAX.saturating_sub(signed.names.len()));
            for field in fields {
                signed.names.push(name);
                canonical(field, &mut signed.canonical);
                signed.canonical.extend_from_slice(b"\r\n");
            }
            if guarded {
                signed.names.push(name);
            }
        }
    }
    signed
}

/// Where the body begins, when the blank line is there. `before`: octets in which it was looked for already.
pub(crate) fn header_end(header: &[u8], before: usize) -> Option<usize> {
    if header.starts_with(b"\r\n") {
        return Some(2);
    }
    // The blank line may have begun in the octets before.
    let from = before.saturating_sub(3);
    let tail = header.get(from..).unwrap_or_default();
    memchr::memmem::find(tail, b"\r\n\r\n").map(|at| from.saturating_add(at).saturating_add(4))
}

/// One field in its relaxed form, without the line end.
pub(crate) fn canonical(field: &[u8], out: &mut Vec<u8>) {
    let colon = memchr::memchr(b':', field).unwrap_or(field.len());
    let (name, value) = field.split_at_checked(colon).unwrap_or((field, &[]));
    out.extend(name.trim_ascii_end().iter().map(u8::to_ascii_lowercase));
    out.push(b':');
    let mut space = false;
    let mut any = false;
    for octet in value.iter().skip(1).copied().filter(|octet| !matches!(octet, b'\r' | b'\n')) {
        if matches!(octet, b' ' | b'\t') {
            space = any;
            continue;
        }
        if std::mem::take(&mut space) {
            out.push(b' ');
        }
        out.push(octet);
        any = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_canonical_form_of_the_rfc() {
        // RFC 6376 §3.4.5.
        for (field, expected) in [
            ("A: X\r\n", "a:X"),
            ("B : Y\t\r\n\tZ  \r\n", "b:Y Z"),
            ("Subject:\r\n", "subject:"),
            ("SUBJect: AbC  D\r\n", "subject:AbC D"),
        ] {
            let mut out = Vec::new();
            canonical(field.as_bytes(), &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), expected);
        }
    }

    #[test]
    fn guarded_fields_are_named_once_more_and_doubles_from_the_bottom_up() {
        let header = b"To: one@x\r\nFrom: a@x\r\nX-Other: no\r\nTo: two@x\r\nDate: now\r\n";
        let signed = signed(header, &[]);
        assert_eq!(signed.names, ["from", "from", "reply-to", "subject", "to", "to", "to", "cc", "date"]);
        assert_eq!(String::from_utf8(signed.canonical).unwrap(), "from:a@x\r\nto:two@x\r\nto:one@x\r\ndate:now\r\n");
    }

    #[test]
    fn a_header_of_a_thousand_fields_is_bounded() {
        let header = "To: x@y\r\n".repeat(1000);
        assert!(signed(header.as_bytes(), &[]).names.len() <= FIELDS_MAX + GUARDED.len());
    }
}
