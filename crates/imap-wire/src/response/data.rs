//! Untagged data about server and mailbox (RFC 3501 §7.2, §7.3, §7.4.1): CAPABILITY, FLAGS, STATUS, EXISTS, RECENT, EXPUNGE,
//! ENABLED (RFC 5161), ID (RFC 2971), NAMESPACE (RFC 2342).

use std::num::NonZeroU32;

use imap_codec::imap_types::core::{Atom, IString, NString, QuotedChar};
use imap_codec::imap_types::extensions::enable::CapabilityEnable;
use imap_codec::imap_types::extensions::namespace::Namespace as CodecNamespace;
use imap_codec::imap_types::response::{Data, Response};
use imap_codec::imap_types::status::StatusDataItem;

use super::encode;
use crate::codec::{codec_flag, codec_mailbox};
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
    if let Some(number) = NonZeroU32::new(sequence_number) {
        encode(out, &Response::Data(Data::Expunge(number)));
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
}

/// `* STATUS mailbox (…)`
pub fn status(out: &mut Vec<u8>, mailbox: &MailboxName, encoding: NameEncoding, items: &[StatusData]) {
    let mailbox_id = items.iter().find_map(|item| match item {
        StatusData::MailboxId(id) => Some(id.as_str()),
        StatusData::Messages(_)
        | StatusData::Recent(_)
        | StatusData::UidNext(_)
        | StatusData::UidValidity(_)
        | StatusData::Unseen(_)
        | StatusData::Deleted(_)
        | StatusData::DeletedStorage(_)
        | StatusData::Size(_)
        | StatusData::HighestModSeq(_) => None,
    });
    let items = items.iter().filter_map(|item| {
        Some(match *item {
            StatusData::Messages(n) => StatusDataItem::Messages(n),
            StatusData::Recent(n) => StatusDataItem::Recent(n),
            StatusData::UidNext(n) => StatusDataItem::UidNext(NonZeroU32::new(n)?),
            StatusData::UidValidity(n) => StatusDataItem::UidValidity(NonZeroU32::new(n)?),
            StatusData::Unseen(n) => StatusDataItem::Unseen(n),
            StatusData::Deleted(n) => StatusDataItem::Deleted(n),
            StatusData::DeletedStorage(n) => StatusDataItem::DeletedStorage(n),
            StatusData::Size(n) => StatusDataItem::Size(n),
            StatusData::HighestModSeq(n) => StatusDataItem::HighestModSeq(n),
            // Written below: imap-codec does not know it.
            StatusData::MailboxId(_) => return None,
        })
    });
    let items = items.collect::<Vec<_>>().into();
    encode(out, &Response::Data(Data::Status { mailbox: codec_mailbox(mailbox, encoding), items }));
    if let Some(id) = mailbox_id
        && out.ends_with(b")\r\n")
    {
        out.truncate(out.len() - 3);
        let space = if out.ends_with(b"(") { "" } else { " " };
        out.extend_from_slice(format!("{space}MAILBOXID ({id}))\r\n").as_bytes());
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
}

/// `* NAMESPACE (personal) (others) (shared)`; `NIL` where there is none.
pub fn namespace(
    out: &mut Vec<u8>,
    encoding: NameEncoding,
    personal: &[Namespace<'_>],
    others: &[Namespace<'_>],
    shared: &[Namespace<'_>],
) {
    let convert = |list: &[Namespace<'_>]| -> Vec<CodecNamespace<'static>> {
        list.iter()
            .filter_map(|space| {
                let prefix = match encoding {
                    NameEncoding::ModifiedUtf7 => crate::utf7::encode(space.prefix).into_owned(),
                    NameEncoding::Utf8 => space.prefix.to_owned(),
                };
                Some(CodecNamespace::new(IString::try_from(prefix).ok()?, QuotedChar::try_from(space.delimiter).ok()))
            })
            .collect()
    };
    let (personal, other, shared) = (convert(personal), convert(others), convert(shared));
    encode(out, &Response::Data(Data::Namespace { personal, other, shared }));
}
