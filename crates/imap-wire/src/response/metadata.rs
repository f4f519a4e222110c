//! METADATA responses (RFC 5464 §4.4).

use super::strings::{write_literal_header, write_string};
use super::{acl, list::name};
use crate::mailbox_name::{MailboxName, NameEncoding};

/// `* METADATA mailbox (entry value …)`; an empty name for the server. Entries without a value are `NIL`.
pub fn metadata<'a>(
    out: &mut Vec<u8>,
    mailbox: &MailboxName,
    encoding: NameEncoding,
    entries: impl IntoIterator<Item = (&'a str, Option<&'a [u8]>)>,
) {
    out.extend_from_slice(b"* METADATA ");
    name(out, mailbox, encoding);
    let mut separator: &[u8] = b" (";
    for (entry, value) in entries {
        out.extend_from_slice(separator);
        separator = b" ";
        acl::astring(out, entry);
        out.push(b' ');
        match value {
            None => out.extend_from_slice(b"NIL"),
            // RFC 5464 §5: what no string can hold is a literal8.
            Some(value) if value.contains(&0) => {
                out.push(b'~');
                write_literal_header(out, value.len() as u64);
                out.extend_from_slice(value);
            }
            Some(value) => write_string(out, value),
        }
    }
    out.extend_from_slice(b")\r\n");
}

/// `* METADATA mailbox entry …`: these have changed (RFC 5464 §4.4.2). There has to be one.
pub fn metadata_changed(out: &mut Vec<u8>, mailbox: &MailboxName, encoding: NameEncoding, entries: &[String]) {
    out.extend_from_slice(b"* METADATA ");
    name(out, mailbox, encoding);
    for entry in entries {
        out.push(b' ');
        acl::astring(out, entry);
    }
    out.extend_from_slice(b"\r\n");
}
