//! LANGUAGE responses (RFC 5255 §3.3).

use super::acl::astring;

/// `* LANGUAGE (tag …)`
pub fn language(out: &mut Vec<u8>, tags: &[&str]) {
    out.extend_from_slice(b"* LANGUAGE ");
    let mut separator = b'(';
    for tag in tags {
        out.push(separator);
        separator = b' ';
        astring(out, tag);
    }
    out.extend_from_slice(b")\r\n");
}
