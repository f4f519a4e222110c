//! Untagged data about server and mailbox (RFC 3501 §7.2, §7.3, §7.4.1): CAPABILITY, FLAGS, STATUS, EXISTS, RECENT, EXPUNGE,
//! ENABLED (RFC 5161), ID (RFC 2971), NAMESPACE (RFC 2342, RFC 5255).

use imap_codec::imap_types::core::{Atom, IString, NString};
use imap_codec::imap_types::extensions::enable::CapabilityEnable;
use imap_codec::imap_types::response::{Data, Response};

use super::encode;
use super::list::{name, write_name};
use super::strings::write_number;
use crate::codec::codec_flag;
use crate::flag::Flag;
use crate::mailbox_name::{MailboxName, NameEncoding};

/// `* CAPABILITY IMAP4rev1 …`: the names as they are to be written.
pub fn capability(out: &mut Vec<u8>, names: &[String]) {
    out.extend_from_slice(b"* CAPABILITY");
    for name in names {
        out.push(b' ');
        out.extend_from_slice(name.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}

/// `* FLAGS (…)`: the flags that may occur in the mailbox.
pub fn flags(out: &mut Vec<u8>, flags: &[Flag]) {
    encode(out, &Response::Data(Data::Flags(flags.iter().filter_map(codec_flag).collect())));
}

/// `* n EXISTS`
pub fn exists(out: &mut Vec<u8>, messages: u32) {
    encode(out, &Response::Data(Data::Exists(messages)));
}

/// `* n RECENT`
pub fn recent(out: &mut Vec<u8>, messages: u32) {
    encode(out, &Response::Data(Data::Recent(messages)));
}

/// `* n EXPUNGE`: that sequence number is gone, all above it move down. There is none with the number 0, so nothing is written for it.
pub fn expunge(out: &mut Vec<u8>, sequence_number: u32) {
    if sequence_number > 0 {
        out.extend_from_slice(b"* ");
        write_number(out, sequence_number.into());
        out.extend_from_slice(b" EXPUNGE\r\n");
    }
}

/// One item of a STATUS response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatusData {
    /// `MESSAGES`
    Messages(u32),
    /// `RECENT`
    Recent(u32),
    /// `UIDNEXT`; left out when 0.
    UidNext(u32),
    /// `UIDVALIDITY`; left out when 0.
    UidValidity(u32),
    /// `UNSEEN`
    Unseen(u32),
    /// `DELETED`
    Deleted(u32),
    /// `DELETED-STORAGE` (RFC 9208 §4.1.4), octets.
    DeletedStorage(u64),
    /// `SIZE` (RFC 8438)
    Size(u64),
    /// `HIGHESTMODSEQ` (RFC 7162 §3.1.7)
    HighestModSeq(u64),
    /// `MAILBOXID` (RFC 8474 §4.3)
    MailboxId(String),
    /// `APPENDLIMIT` (RFC 7889 §3.2), octets.
    AppendLimit(u64),
}

/// `* STATUS mailbox (…)`
pub fn status(out: &mut Vec<u8>, mailbox: &MailboxName, encoding: NameEncoding, items: &[StatusData]) {
    let items: Vec<String> = items.iter().filter_map(StatusData::written).collect();
    out.extend_from_slice(b"* STATUS ");
    name(out, mailbox, encoding);
    out.extend_from_slice(format!(" ({})\r\n", items.join(" ")).as_bytes());
}

impl StatusData {
    /// As it is written; `None` for a number that can't be 0 and is.
    fn written(&self) -> Option<String> {
        Some(match self {
            Self::Messages(n) => format!("MESSAGES {n}"),
            Self::Recent(n) => format!("RECENT {n}"),
            Self::UidNext(0) | Self::UidValidity(0) => return None,
            Self::UidNext(n) => format!("UIDNEXT {n}"),
            Self::UidValidity(n) => format!("UIDVALIDITY {n}"),
            Self::Unseen(n) => format!("UNSEEN {n}"),
            Self::Deleted(n) => format!("DELETED {n}"),
            Self::DeletedStorage(n) => format!("DELETED-STORAGE {n}"),
            Self::Size(n) => format!("SIZE {n}"),
            Self::HighestModSeq(n) => format!("HIGHESTMODSEQ {n}"),
            Self::MailboxId(id) => format!("MAILBOXID ({id})"),
            Self::AppendLimit(n) => format!("APPENDLIMIT {n}"),
        })
    }
}

/// `* ENABLED …`: what the command switched on, possibly nothing.
pub fn enabled(out: &mut Vec<u8>, names: &[&str]) {
    let capabilities = names.iter().filter_map(|name| Atom::try_from(*name).ok()).map(CapabilityEnable::from).collect();
    encode(out, &Response::Data(Data::Enabled { capabilities }));
}

/// `* ID (…)`: who the server is; nothing gives `* ID NIL`.
pub fn id(out: &mut Vec<u8>, fields: &[(&str, &str)]) {
    let pairs: Vec<_> = fields
        .iter()
        .filter_map(|&(name, value)| Some((IString::try_from(name).ok()?, NString::try_from(value).ok()?)))
        .collect();
    encode(out, &Response::Data(Data::Id { parameters: (!pairs.is_empty()).then_some(pairs) }));
}

/// One namespace: its prefix (Unicode) and delimiter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Namespace<'a> {
    /// What names in it begin with, often empty.
    pub prefix: &'a str,
    /// What separates levels, `/` or `.`.
    pub delimiter: char,
    /// The prefix as people are to see it, in their language (RFC 5255 §3.4).
    pub translation: Option<&'a str>,
}

/// `* NAMESPACE (personal) (others) (shared)`; `NIL` where there is none.
pub fn namespace(
    out: &mut Vec<u8>,
    encoding: NameEncoding,
    personal: &[Namespace<'_>],
    others: &[Namespace<'_>],
    shared: &[Namespace<'_>],
) {
    out.extend_from_slice(b"* NAMESPACE ");
    class(out, encoding, personal);
    out.push(b' ');
    class(out, encoding, others);
    out.push(b' ');
    class(out, encoding, shared);
    out.extend_from_slice(b"\r\n");
}

/// `Namespace` (RFC 2342 §5): `(("prefix" "/") …)` or `NIL`.
fn class(out: &mut Vec<u8>, encoding: NameEncoding, spaces: &[Namespace<'_>]) {
    if spaces.is_empty() {
        out.extend_from_slice(b"NIL");
        return;
    }
    out.push(b'(');
    for space in spaces {
        out.push(b'(');
        write_name(out, space.prefix, encoding);
        out.push(b' ');
        write_name(out, space.delimiter.encode_utf8(&mut [0; 4]), encoding);
        if let Some(translation) = space.translation {
            out.extend_from_slice(b" \"TRANSLATION\" (");
            write_name(out, translation, encoding);
            out.push(b')');
        }
        out.push(b')');
    }
    out.push(b')');
}
