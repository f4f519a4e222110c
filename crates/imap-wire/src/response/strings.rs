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
    out.extend_from_slice(format!("{{{length}}}\r\n").as_bytes());
}

/// Longer strings are literals, so that a client can read by lines of sensible length.
const QUOTED_MAX: usize = 1_000;
