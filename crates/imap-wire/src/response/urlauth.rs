//! GENURLAUTH and URLFETCH responses (RFC 4467 §8).

use super::strings::write_string;

/// `* GENURLAUTH url …`
pub fn gen_urlauth(out: &mut Vec<u8>, urls: &[String]) {
    out.extend_from_slice(b"* GENURLAUTH");
    for url in urls {
        out.push(b' ');
        write_string(out, url.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// `* URLFETCH url `, to which the caller adds an `nstring` or the elements of RFC 5524 §5, and CRLF.
pub fn url_fetch(out: &mut Vec<u8>, url: &[u8]) {
    out.extend_from_slice(b"* URLFETCH ");
    write_string(out, url);
    out.push(b' ');
}
