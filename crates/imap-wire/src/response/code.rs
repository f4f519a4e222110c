//! Response codes: what stands in brackets before a status text (RFC 3501 §7.1, RFC 4315, RFC 5530, RFC 7162, and others as noted).

use std::num::{NonZeroU32, NonZeroU64};

use imap_codec::imap_types::core::{Charset, Vec1};
use imap_codec::imap_types::extensions::uidplus::{UidElement, UidSet};
use imap_codec::imap_types::flag::FlagPerm;
use imap_codec::imap_types::response as codec;
use imap_codec::imap_types::sequence::{Sequence, SequenceSet as CodecSet};

use crate::codec::codec_flag;
use crate::flag::Flag;
use crate::limits::ECHOED_MAX;
use crate::sequence::NumberSet;
use crate::tag::Tag;

/// A response code.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Code {
    /// The text must be shown to the user.
    Alert,
    /// SEARCH does not know the charset; these it knows.
    BadCharset(&'static [&'static str]),
    /// The capabilities, as [`super::capability`] takes them.
    Capability(Vec<String>),
    /// A message's header could not be parsed.
    Parse,
    /// The flags that may be changed for good.
    PermanentFlags {
        /// The flags.
        flags: Vec<Flag>,
        /// `\*`: new keywords may be created.
        new_keywords: bool,
    },
    /// The mailbox is open read-only.
    ReadOnly,
    /// The mailbox is open read-write.
    ReadWrite,
    /// The target mailbox does not exist but could be created.
    TryCreate,
    /// The UID that the next message gets.
    UidNext(u32),
    /// The generation of the UIDs.
    UidValidity(u32),
    /// The sequence number of the first message without `\Seen`.
    Unseen(u32),
    /// RFC 4315, RFC 3502: the UIDs that appended messages got.
    AppendUid {
        /// Of the target mailbox.
        uid_validity: u32,
        /// Of the new messages, in their order.
        uids: NumberSet,
    },
    /// RFC 4315: the UIDs that copied messages had and got.
    CopyUid {
        /// Of the target mailbox.
        uid_validity: u32,
        /// In the source, ascending.
        source: NumberSet,
        /// In the target, ascending, as many.
        destination: NumberSet,
    },
    /// RFC 4315: UIDs do not last.
    UidNotSticky,
    /// RFC 7162: the largest MODSEQ of the mailbox.
    HighestModSeq(u64),
    /// RFC 7162: the mailbox keeps no MODSEQs.
    NoModSeq,
    /// RFC 7162: these messages were changed since UNCHANGEDSINCE.
    Modified(NumberSet),
    /// RFC 7162: what follows is of the newly selected mailbox.
    Closed,
    /// RFC 5530: something needed is down for now.
    Unavailable,
    /// RFC 5530: wrong name or password.
    AuthenticationFailed,
    /// RFC 5530: authenticated, but may not act for that user.
    AuthorizationFailed,
    /// RFC 5530: the password is too old.
    Expired,
    /// RFC 5530: not without TLS.
    PrivacyRequired,
    /// RFC 5530: ask the administrator.
    ContactAdmin,
    /// RFC 5530: rights are missing.
    NoPerm,
    /// RFC 5530: someone else holds it.
    InUse,
    /// RFC 5530: another session expunged messages.
    ExpungeIssued,
    /// RFC 5530: stored data is damaged.
    Corruption,
    /// RFC 5530: our fault.
    ServerBug,
    /// RFC 5530: the client's fault.
    ClientBug,
    /// RFC 5530: can never work.
    Cannot,
    /// RFC 5530: a limit of the server.
    Limit,
    /// RFC 5530: the quota is used up.
    OverQuota,
    /// RFC 5530: it exists already.
    AlreadyExists,
    /// RFC 5530: it does not exist.
    NonExistent,
    /// RFC 9738 §3.1: one command works on so many messages.
    MessageLimit {
        /// How many.
        limit: u32,
        /// The lowest UID of those that were dealt with, or would have been.
        lowest: Option<u32>,
    },
    /// RFC 5267 §4.3.1: changes of that command's result are not told.
    NoUpdate(Tag),
    /// RFC 5466 §3.1: there is no filter of that name.
    UndefinedFilter(String),
    /// RFC 5255 §4.9: no comparator matches.
    BadComparator,
    /// RFC 6154: that special use is not possible.
    UseAttr,
    /// RFC 5464 §4.2.1: values were left out, the longest of them has so many octets.
    MetadataLongEntries(u64),
    /// RFC 5464 §4.3: a value may have so many octets.
    MetadataMaxSize(u64),
    /// RFC 5464 §4.3: there are enough annotations.
    MetadataTooMany,
    /// RFC 5464 §4.3: no private annotations there.
    MetadataNoPrivate,
    /// RFC 4469: this URL names nothing that can be had.
    BadUrl(String),
    /// RFC 4467: URLs are authorised by this mechanism.
    UrlMech,
    /// RFC 3516: the part has a transfer encoding that nobody knows, or NULs where they can't be.
    UnknownCte,
    /// RFC 4978: everything is compressed already.
    CompressionActive,
    /// RFC 7889: the message is larger than APPEND takes.
    TooBig,
    /// draft-ietf-mailmaint-imap-uidbatches: batches have more messages than that.
    TooSmall,
    /// RFC 9051: the mailbox has children.
    HasChildren,
    /// RFC 8474: the mailbox's number for good.
    MailboxId(String),
    /// RFC 5465: of these events a client can be notified.
    BadEvent(&'static [&'static str]),
    /// RFC 5465: more notifications than the server gives.
    NotificationOverflow,
    /// RFC 9586: sequence numbers are not in use.
    UidRequired,
    /// RFC 9585: how far a command has come.
    InProgress {
        /// Which command.
        tag: Tag,
        /// How many of whatever it counts are done.
        done: Option<u32>,
        /// Of how many.
        goal: Option<u32>,
    },
}

impl Code {
    /// As imap-codec's type; numbers that must not be 0 and are leave the code out.
    pub(super) fn to_codec(&self) -> Option<codec::Code<'_>> {
        let other = |name: &'static str| Some(codec::Code::Other(codec::CodeOther::unvalidated(name.as_bytes())));
        let text = |text: String| Some(codec::Code::Other(codec::CodeOther::unvalidated(text.into_bytes())));
        Some(match self {
            Self::Alert => codec::Code::Alert,
            Self::BadCharset(known) => codec::Code::BadCharset {
                allowed: known.iter().filter_map(|name| Charset::try_from(*name).ok()).collect(),
            },
            Self::Capability(names) => {
                let text = format!("CAPABILITY {}", names.join(" "));
                codec::Code::Other(codec::CodeOther::unvalidated(text.into_bytes()))
            }
            Self::Parse => codec::Code::Parse,
            Self::PermanentFlags { flags, new_keywords } => {
                let mut all: Vec<_> = flags.iter().filter_map(codec_flag).map(FlagPerm::Flag).collect();
                all.extend(new_keywords.then_some(FlagPerm::Asterisk));
                codec::Code::PermanentFlags(all)
            }
            Self::ReadOnly => codec::Code::ReadOnly,
            Self::ReadWrite => codec::Code::ReadWrite,
            Self::TryCreate => codec::Code::TryCreate,
            Self::UidNext(n) => codec::Code::UidNext(NonZeroU32::new(*n)?),
            Self::UidValidity(n) => codec::Code::UidValidity(NonZeroU32::new(*n)?),
            Self::Unseen(n) => codec::Code::Unseen(NonZeroU32::new(*n)?),
            // imap-codec knows one UID only.
            Self::AppendUid { uid_validity, uids } => {
                let text = format!("APPENDUID {} {}", NonZeroU32::new(*uid_validity)?, codec_uids(uids)?);
                codec::Code::Other(codec::CodeOther::unvalidated(text.into_bytes()))
            }
            Self::CopyUid { uid_validity, source, destination } => codec::Code::CopyUid {
                uid_validity: NonZeroU32::new(*uid_validity)?,
                source: uid_set(source)?,
                destination: uid_set(destination)?,
            },
            Self::UidNotSticky => codec::Code::UidNotSticky,
            Self::HighestModSeq(n) => codec::Code::HighestModSeq(NonZeroU64::new(*n)?),
            Self::NoModSeq => codec::Code::NoModSeq,
            Self::Modified(set) => codec::Code::Modified(codec_set(set)?),
            Self::Closed => codec::Code::Closed,
            Self::OverQuota => codec::Code::OverQuota,
            Self::TooBig => codec::Code::TooBig,
            Self::TooSmall => return other("TOOSMALL"),
            Self::Unavailable => return other("UNAVAILABLE"),
            Self::AuthenticationFailed => return other("AUTHENTICATIONFAILED"),
            Self::AuthorizationFailed => return other("AUTHORIZATIONFAILED"),
            Self::Expired => return other("EXPIRED"),
            Self::PrivacyRequired => return other("PRIVACYREQUIRED"),
            Self::ContactAdmin => return other("CONTACTADMIN"),
            Self::NoPerm => return other("NOPERM"),
            Self::InUse => return other("INUSE"),
            Self::ExpungeIssued => return other("EXPUNGEISSUED"),
            Self::Corruption => return other("CORRUPTION"),
            Self::ServerBug => return other("SERVERBUG"),
            Self::ClientBug => return other("CLIENTBUG"),
            Self::Cannot => return other("CANNOT"),
            Self::Limit => return other("LIMIT"),
            Self::MessageLimit { limit, lowest } => {
                let lowest = lowest.map_or_else(String::new, |uid| format!(" {uid}"));
                return written(format!("MESSAGELIMIT {limit}{lowest}"));
            }
            Self::AlreadyExists => return other("ALREADYEXISTS"),
            Self::NonExistent => return other("NONEXISTENT"),
            Self::MetadataLongEntries(octets) => return written(format!("METADATA LONGENTRIES {octets}")),
            Self::MetadataMaxSize(octets) => return written(format!("METADATA MAXSIZE {octets}")),
            Self::MetadataTooMany => return other("METADATA TOOMANY"),
            Self::MetadataNoPrivate => return other("METADATA NOPRIVATE"),
            Self::CompressionActive => codec::Code::CompressionActive,
            Self::UnknownCte => return other("UNKNOWN-CTE"),
            // RFC 4469 §5: an octet at least.
            Self::BadUrl(url) if url.is_empty() => return other("BADURL \"\""),
            Self::BadUrl(url) => return written(format!("BADURL {}", echoed(url))),
            Self::UrlMech => return other("URLMECH INTERNAL"),
            Self::UseAttr => return other("USEATTR"),
            Self::BadComparator => return other("BADCOMPARATOR"),
            Self::NoUpdate(tag) => {
                codec::Code::Other(codec::CodeOther::unvalidated(format!("NOUPDATE \"{tag}\"").into_bytes()))
            }
            Self::UndefinedFilter(name) => return written(format!("UNDEFINED-FILTER {}", echoed(name))),
            Self::HasChildren => return other("HASCHILDREN"),
            Self::MailboxId(id) => return text(format!("MAILBOXID ({id})")),
            Self::BadEvent(known) => return text(format!("BADEVENT ({})", known.join(" "))),
            Self::NotificationOverflow => return other("NOTIFICATIONOVERFLOW"),
            Self::UidRequired => return other("UIDREQUIRED"),
            Self::InProgress { tag, done, goal } => {
                let number =
                    |number: &Option<u32>| number.map_or_else(|| "NIL".to_owned(), |number| number.to_string());
                // RFC 9585 §4: a tag with "]", which would end the code, is not told.
                let tag = if tag.as_str().contains(']') { "NIL".to_owned() } else { format!("\"{tag}\"") };
                return text(format!("INPROGRESS ({tag} {} {})", number(done), number(goal)));
            }
        })
    }
}

/// What the client sent, as a code may hold it: any TEXT-CHAR except "]" (RFC 4469 §5), and not more of it than helps.
fn echoed(text: &str) -> String {
    let mut echoed = String::new();
    for octet in text.bytes() {
        match octet {
            b' '..=b'~' if octet != b']' => echoed.push(char::from(octet)),
            _ => echoed.push_str(&format!("%{octet:02X}")),
        }
        if echoed.len() >= ECHOED_MAX {
            break;
        }
    }
    echoed
}

/// A code that is written by us.
fn written(text: String) -> Option<codec::Code<'static>> {
    Some(codec::Code::Other(codec::CodeOther::unvalidated(text.into_bytes())))
}

/// `uid-set` (RFC 4315 §4).
fn codec_uids(set: &NumberSet) -> Option<String> {
    let range = |range: &std::ops::RangeInclusive<u32>| match (range.start(), range.end()) {
        (first, last) if first == last => first.to_string(),
        (first, last) => format!("{first}:{last}"),
    };
    (!set.is_empty()).then(|| set.ranges().iter().map(range).collect::<Vec<_>>().join(","))
}

fn uid_set(set: &NumberSet) -> Option<UidSet> {
    let elements: Option<Vec<_>> = set
        .ranges()
        .iter()
        .map(|range| {
            let (start, end) = (NonZeroU32::new(*range.start())?, NonZeroU32::new(*range.end())?);
            Some(if start == end { UidElement::Single(start) } else { UidElement::Range(start, end) })
        })
        .collect();
    Some(UidSet(Vec1::try_from(elements?).ok()?))
}

fn codec_set(set: &NumberSet) -> Option<CodecSet> {
    let elements: Option<Vec<_>> = set
        .ranges()
        .iter()
        .map(|range| {
            let (start, end) = (NonZeroU32::new(*range.start())?, NonZeroU32::new(*range.end())?);
            Some(if start == end { Sequence::Single(start.into()) } else { Sequence::Range(start.into(), end.into()) })
        })
        .collect();
    Some(CodecSet(Vec1::try_from(elements?).ok()?))
}
