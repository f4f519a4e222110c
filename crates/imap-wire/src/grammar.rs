//! Our grammar: what imap-codec does not know, and, so that the two can be held against each other, all that it does.
//!
//! Recursive descent over the whole text of a command, one file per area. A verb is one line of [`VERBS`];
//! a parser reads its arguments and leaves the CRLF.
//! Invariant: what a parser accepts, it has read to the end; what it refuses, it says at which octet and why.

mod acl;
mod append;
mod auth;
mod cursor;
mod fetch;
mod language;
mod list;
mod mailbox;
mod metadata;
mod multisearch;
mod notify;
mod quota;
pub(crate) mod search;
mod sequence;
mod sort;
mod store;
mod urlauth;

use crate::command::{Command, CommandBody};
use crate::flaw::{Flaw, printable};
use crate::mailbox_name::NameEncoding;
use cursor::Cursor;

pub(crate) use append::{is_url, target as append_target};
pub(crate) use fetch::whole_section;
pub(crate) use metadata::MetadataOption;

type Parser = fn(&mut Cursor<'_>) -> Result<CommandBody, Flaw>;

/// The commands. The parser begins behind the verb.
const VERBS: &[(&str, Parser)] = &[
    ("APPEND", append::append),
    ("AUTHENTICATE", auth::authenticate),
    ("CANCELUPDATE", sort::cancel_update),
    ("CAPABILITY", |_| Ok(CommandBody::Capability)),
    ("CHECK", |_| Ok(CommandBody::Check)),
    ("CLOSE", |_| Ok(CommandBody::Close)),
    ("COMPARATOR", sort::comparator),
    ("COMPRESS", auth::compress),
    ("COPY", |c| store::copy(c, false)),
    ("CREATE", mailbox::create),
    ("DELETE", mailbox::delete),
    ("DELETEACL", acl::delete),
    ("ENABLE", auth::enable),
    ("ESEARCH", multisearch::esearch),
    ("EXAMINE", |c| mailbox::select(c, true)),
    ("EXPUNGE", |_| Ok(CommandBody::Expunge { uids: None })),
    ("FETCH", |c| fetch::fetch(c, false)),
    ("GENURLAUTH", urlauth::generate),
    ("GETACL", acl::get),
    ("GETMETADATA", metadata::get),
    ("GETQUOTA", quota::get),
    ("GETQUOTAROOT", quota::get_root),
    ("ID", auth::id),
    ("IDLE", |_| Ok(CommandBody::Idle)),
    ("LANGUAGE", language::language),
    ("LIST", list::list),
    ("LISTRIGHTS", acl::list_rights),
    ("LOGIN", auth::login),
    ("LOGOUT", |_| Ok(CommandBody::Logout)),
    ("LSUB", list::lsub),
    ("MOVE", |c| store::move_(c, false)),
    ("MYRIGHTS", acl::my_rights),
    ("NAMESPACE", |_| Ok(CommandBody::Namespace)),
    ("NOOP", |_| Ok(CommandBody::Noop)),
    ("NOTIFY", notify::notify),
    ("RENAME", mailbox::rename),
    ("REPLACE", |c| append::replace(c, false)),
    ("RESETKEY", urlauth::reset),
    ("SEARCH", |c| search::search(c, false)),
    ("SELECT", |c| mailbox::select(c, false)),
    ("SETACL", acl::set),
    ("SETMETADATA", metadata::set),
    ("SETQUOTA", quota::set),
    ("SORT", |c| sort::sort(c, false)),
    ("STARTTLS", |_| Ok(CommandBody::StartTls)),
    ("STATUS", mailbox::status),
    ("STORE", |c| store::store(c, false)),
    ("SUBSCRIBE", mailbox::subscribe),
    ("THREAD", |c| sort::thread(c, false)),
    ("UID", uid),
    ("UIDBATCHES", store::uid_batches),
    ("UNAUTHENTICATE", |_| Ok(CommandBody::Unauthenticate)),
    ("UNSELECT", |_| Ok(CommandBody::Unselect)),
    ("UNSUBSCRIBE", mailbox::unsubscribe),
    ("URLFETCH", urlauth::fetch),
];

/// UID: the commands that take UIDs (RFC 3501 §6.4.8, RFC 4315 §2.1, RFC 6851).
const UID_VERBS: &[(&str, Parser)] = &[
    ("COPY", |c| store::copy(c, true)),
    ("EXPUNGE", store::uid_expunge),
    ("FETCH", |c| fetch::fetch(c, true)),
    ("MOVE", |c| store::move_(c, true)),
    ("ESEARCH", multisearch::esearch),
    ("REPLACE", |c| append::replace(c, true)),
    ("SEARCH", |c| search::search(c, true)),
    ("SORT", |c| sort::sort(c, true)),
    ("STORE", |c| store::store(c, true)),
    ("THREAD", |c| sort::thread(c, true)),
];

/// Parses one whole command.
pub(crate) fn decode(text: &[u8], encoding: NameEncoding) -> Result<Command, Flaw> {
    let mut cursor = Cursor::new(text, encoding);
    let tag = cursor.tag()?;
    if cursor.at_end() {
        return Err(cursor.missing("a command"));
    }
    cursor.space()?;
    let body = verb(&mut cursor, VERBS, false)?;
    cursor.end()?;
    Ok(Command { tag, body })
}

/// The names of all commands; those that take UIDs with `UID ` in front.
pub(crate) fn names() -> impl Iterator<Item = String> {
    let plain = VERBS.iter().map(|(name, _)| *name).filter(|name| *name != "UID").map(str::to_owned);
    plain.chain(UID_VERBS.iter().map(|(name, _)| format!("UID {name}")))
}

/// Whether a word is the name of a command.
pub(crate) fn knows(verb: &[u8]) -> bool {
    find(VERBS, verb).is_some()
}

fn uid(cursor: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    cursor.space()?;
    verb(cursor, UID_VERBS, true)
}

fn verb(cursor: &mut Cursor<'_>, verbs: &[(&str, Parser)], uid: bool) -> Result<CommandBody, Flaw> {
    let at = cursor.position();
    let word = cursor.word();
    if word.is_empty() {
        return Err(Flaw::at(at, if uid { "expected a UID command" } else { "expected a command" }));
    }
    let Some(parser) = find(verbs, word) else {
        let word = printable(word);
        return Err(Flaw::of(if uid {
            format!("unknown UID command {word}")
        } else {
            format!("unknown command {word}")
        }));
    };
    parser(cursor)
}

fn find(verbs: &[(&str, Parser)], word: &[u8]) -> Option<Parser> {
    verbs.iter().find(|(name, _)| name.as_bytes().eq_ignore_ascii_case(word)).map(|&(_, parser)| parser)
}
