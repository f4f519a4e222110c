//! LIST and LSUB responses (RFC 3501 §7.2.2, §7.2.3) with the data of RFC 5258 and RFC 6154.

use imap_codec::imap_types::core::{Atom, QuotedChar};
use imap_codec::imap_types::flag::FlagNameAttribute;
use imap_codec::imap_types::response::{Data, Response};

use mail::SpecialUse;

use super::encode;
use super::strings::write_string;
use crate::codec::codec_mailbox;
use crate::mailbox_name::{MailboxName, NameEncoding};

/// What LIST says of a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ListAttribute {
    /// `\Noinferiors`: can have no children.
    NoInferiors,
    /// `\Noselect`: a name only, no messages.
    NoSelect,
    /// `\NonExistent` (RFC 5258): not even that; written with `\Noselect` for old clients.
    NonExistent,
    /// `\NoAccess` (RFC 5465 §3.1): it may be listed, but not read.
    NoAccess,
    /// `\Marked`
    Marked,
    /// `\Unmarked`
    Unmarked,
    /// `\HasChildren` (RFC 3348)
    HasChildren,
    /// `\HasNoChildren` (RFC 3348)
    HasNoChildren,
    /// `\Subscribed` (RFC 5258)
    Subscribed,
    /// `\Remote` (RFC 5258)
    Remote,
    /// A special use (RFC 6154).
    Use(SpecialUse),
}

impl ListAttribute {
    const fn as_str(self) -> &'static str {
        match self {
            Self::NoInferiors => "Noinferiors",
            Self::NoSelect => "Noselect",
            Self::NonExistent => "NonExistent",
            Self::NoAccess => "NoAccess",
            Self::Marked => "Marked",
            Self::Unmarked => "Unmarked",
            Self::HasChildren => "HasChildren",
            Self::HasNoChildren => "HasNoChildren",
            Self::Subscribed => "Subscribed",
            Self::Remote => "Remote",
            // An attribute begins with a backslash; imap-codec writes it itself.
            Self::Use(usage) => match usage {
                SpecialUse::Archive => "Archive",
                SpecialUse::Drafts => "Drafts",
                SpecialUse::Junk => "Junk",
                SpecialUse::Sent => "Sent",
                SpecialUse::Trash => "Trash",
            },
        }
    }
}

/// One name of a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListEntry<'a> {
    /// What is said of it, in this order.
    pub attributes: &'a [ListAttribute],
    /// What separates levels; `None` for a flat name.
    pub delimiter: Option<char>,
    /// The name.
    pub mailbox: &'a MailboxName,
    /// By which of the options in front something below it is selected.
    pub child_info: ChildInfo,
    /// `("OLDNAME" (name))`: what the mailbox was called, or how the client spelt it (RFC 9051 §6.3.9.7).
    pub old_name: Option<&'a str>,
}

/// `("CHILDINFO" (…))`: something below the name is selected (RFC 5258 §3.5); told only to who asked for RECURSIVEMATCH.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ChildInfo {
    /// By SUBSCRIBED.
    pub subscribed: bool,
    /// By SPECIAL-USE.
    pub special_use: bool,
}

/// `* LIST (…) "/" name`
pub fn list(out: &mut Vec<u8>, entry: &ListEntry<'_>, encoding: NameEncoding) {
    let start = out.len();
    let (items, delimiter) = parts(entry);
    encode(out, &Response::Data(Data::List { items, delimiter, mailbox: codec_mailbox(entry.mailbox, encoding) }));
    let mut extended: Vec<Vec<u8>> = Vec::new();
    let child_info = entry.child_info;
    let options = [(child_info.subscribed, "\"SUBSCRIBED\""), (child_info.special_use, "\"SPECIAL-USE\"")];
    let options: Vec<&str> = options.into_iter().filter(|(told, _)| *told).map(|(_, name)| name).collect();
    if !options.is_empty() {
        extended.push(format!("\"CHILDINFO\" ({})", options.join(" ")).into_bytes());
    }
    if let Some(old) = entry.old_name {
        let mut item = b"\"OLDNAME\" (".to_vec();
        write_name(&mut item, old, encoding);
        item.push(b')');
        extended.push(item);
    }
    if !extended.is_empty() && out.len() >= start + 2 {
        out.truncate(out.len() - 2);
        out.extend_from_slice(b" (");
        out.extend_from_slice(&extended.join(&b' '));
        out.extend_from_slice(b")\r\n");
    }
}

/// A name as it was spelt, quoted.
pub(super) fn write_name(out: &mut Vec<u8>, name: &str, encoding: NameEncoding) {
    match encoding {
        NameEncoding::ModifiedUtf7 => write_string(out, crate::utf7::encode(name).as_bytes()),
        NameEncoding::Utf8 => {
            // No name has a control character.
            let quoted = name.replace('\\', "\\\\").replace('"', "\\\"");
            out.extend_from_slice(format!("\"{quoted}\"").as_bytes());
        }
    }
}

/// `* LSUB (…) "/" name`
pub fn lsub(out: &mut Vec<u8>, entry: &ListEntry<'_>, encoding: NameEncoding) {
    let (items, delimiter) = parts(entry);
    encode(out, &Response::Data(Data::Lsub { items, delimiter, mailbox: codec_mailbox(entry.mailbox, encoding) }));
}

/// A name alone, as imap-codec writes it: an LSUB without attributes and delimiter is this name and nothing else behind a
/// known beginning.
pub(super) fn name(out: &mut Vec<u8>, mailbox: &MailboxName, encoding: NameEncoding) {
    const AROUND: &[u8] = b"* LSUB () NIL ";
    let mut lsub = Vec::new();
    let mailbox = codec_mailbox(mailbox, encoding);
    encode(&mut lsub, &Response::Data(Data::Lsub { items: Vec::new(), delimiter: None, mailbox }));
    out.extend_from_slice(lsub.strip_prefix(AROUND).and_then(|name| name.strip_suffix(b"\r\n")).unwrap_or(b"\"\""));
}

fn parts(entry: &ListEntry<'_>) -> (Vec<FlagNameAttribute<'static>>, Option<QuotedChar>) {
    let items = entry.attributes.iter().map(|attribute| FlagNameAttribute::from(Atom::unvalidated(attribute.as_str())));
    (items.collect(), entry.delimiter.and_then(|c| QuotedChar::try_from(c).ok()))
}
