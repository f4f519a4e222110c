//! Strings: quoted when that is safe, otherwise a literal (RFC 3501 §4.3).

/// Appends a `string`. Anything but printable ASCII goes into a literal: `quoted` is 7-bit, and control characters confuse clients.
/// A NUL, which no string may hold, becomes 0x80.
pub fn write_string(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.len() <= QUOTED_MAX && bytes.iter().all(|b| matches!(b, 0x20..=0x7e)) {
        out.push(b'"');
        for &b in bytes {
            if b == b'"' || b == b'\\' {
                out.push(b'\\');
            }
            out.push(b);
        }
        out.push(b'"');
    } else {
        write_literal_header(out, bytes.len() as u64);
        out.extend(bytes.iter().map(|&b| if b == 0 { 0x80 } else { b }));
    }
}

/// Appends an `nstring`: `NIL` for nothing.
pub fn write_nstring(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        Some(bytes) => write_string(out, bytes),
        None => out.extend_from_slice(b"NIL"),
    }
}

/// Appends `{n}` and CRLF; the caller sends exactly so many octets next.
pub fn write_literal_header(out: &mut Vec<u8>, length: u64) {
    out.push(b'{');
    write_number(out, length);
    out.extend_from_slice(b"}\r\n");
}

/// Appends a number in decimal. A first synchronisation has a hundred thousand of them.
pub(super) fn write_number(out: &mut Vec<u8>, number: u64) {
    let mut digits = [b'0'; DIGITS_MAX];
    let (mut left, mut used) = (number, 0_usize);
    for digit in digits.iter_mut().rev() {
        let [last, ..] = (left % 10).to_le_bytes();
        *digit = b'0' | last;
        left /= 10;
        used = used.saturating_add(1);
        if left == 0 {
            break;
        }
    }
    out.extend_from_slice(digits.get(DIGITS_MAX.saturating_sub(used)..).unwrap_or_default());
}

/// Digits of the largest number.
const DIGITS_MAX: usize = 20;

/// Longer strings are literals, so that a client can read by lines of sensible length.
const QUOTED_MAX: usize = 1_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_decimal() {
        for number in [0, 9, 10, 4_294_967_295, 1 << 63, u64::MAX] {
            let mut out = b"n".to_vec();
            write_number(&mut out, number);
            assert_eq!(out, format!("n{number}").into_bytes());
        }
    }
}
