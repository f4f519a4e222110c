//! What a client asks for: one type for all commands, whoever parsed them.
//!
//! Each area has its file here (types), in `grammar` (our parser) and, where imap-codec knows the command, in
//! `codec` (the conversion). An extension adds a file to each and a variant or a field here.

mod acl;
mod append;
mod fetch;
mod list;
mod mailbox;
mod metadata;
mod multisearch;
mod notify;
mod quota;
mod search;
mod sort;
mod store;
mod urlauth;

pub use acl::SetAcl;
pub use append::{Append, AppendContent, AppendMessage, CatenatePart, Replace, Ticket};
pub use fetch::{Fetch, FetchItem};
pub use list::{List, ListReturn, ListSelection};
pub use mailbox::{Create, Qresync, Select, StatusItem};
pub use metadata::{Depth, EntryFlaw, EntryName, EntryValue, GetMetadata, MetadataQuery, SetMetadata};
pub use multisearch::{MailboxFilter, Multisearch};
pub use notify::{EventGroup, EventMailboxes, Events, Notify};
pub use quota::{QuotaResource, SetQuota};
pub use search::{DateTest, EnvelopeField, PartialRange, Search, SearchKey, SearchReturn, SearchText};
pub use sort::{Sort, SortCriterion, SortKey, Thread, ThreadAlgorithm};
pub use store::{Store, StoreAction};
pub use urlauth::{UrlAsked, UrlData, UrlFetch};

use crate::mailbox_name::MailboxName;
use crate::secret::Secret;
use crate::sequence::SequenceSet;
use crate::tag::Tag;

/// One whole command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    /// Its tag, repeated in the tagged response.
    pub tag: Tag,
    /// What it asks for.
    pub body: CommandBody,
}

/// What a command asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandBody {
    /// RFC 3501 §6.1.1
    Capability,
    /// RFC 3501 §6.1.2
    Noop,
    /// RFC 3501 §6.1.3
    Logout,
    /// RFC 2971: field names and values, as sent; empty for `NIL`.
    Id(Vec<(Vec<u8>, Option<Vec<u8>>)>),

    /// RFC 3501 §6.2.1
    StartTls,
    /// RFC 3501 §6.2.2, with the initial response of RFC 4959 (an empty one for `=`).
    Authenticate {
        /// The SASL mechanism in capitals.
        mechanism: String,
        /// The first response, decoded from base64.
        initial_response: Option<Secret>,
    },
    /// RFC 3501 §6.2.3
    Login {
        /// Who.
        username: String,
        /// The proof.
        password: Secret,
    },

    /// RFC 4978: DEFLATE is the only algorithm.
    Compress,
    /// RFC 5161: the capabilities in capitals.
    Enable(Vec<String>),
    /// SELECT and EXAMINE, RFC 3501 §6.3.1, §6.3.2.
    Select(Select),
    /// RFC 3501 §6.3.3, with the special uses of RFC 6154.
    Create(Create),
    /// RFC 3501 §6.3.4
    Delete(MailboxName),
    /// RFC 3501 §6.3.5
    Rename {
        /// The mailbox that exists.
        from: MailboxName,
        /// Its new name.
        to: MailboxName,
    },
    /// RFC 3501 §6.3.6
    Subscribe(MailboxName),
    /// RFC 3501 §6.3.7
    Unsubscribe(MailboxName),
    /// RFC 3501 §6.3.8, RFC 5258, RFC 5819, RFC 6154.
    List(List),
    /// RFC 3501 §6.3.9
    Lsub {
        /// The reference, decoded.
        reference: String,
        /// The pattern, decoded.
        pattern: String,
    },
    /// RFC 2342
    Namespace,
    /// RFC 3501 §6.3.10
    Status {
        /// Of which mailbox.
        mailbox: MailboxName,
        /// What of it; at least one, each once.
        items: Vec<StatusItem>,
    },
    /// RFC 3501 §6.3.11
    Append(Append),
    /// RFC 4467 §7: URLs to be authorised, as sent, each with the mechanism in capitals.
    GenUrlAuth(Vec<(Vec<u8>, String)>),
    /// RFC 4467 §7
    ResetKey {
        /// Whose key; without it, those of all mailboxes.
        mailbox: Option<MailboxName>,
        /// Of which mechanisms, in capitals; without any, of all.
        mechanisms: Vec<String>,
    },
    /// RFC 4467 §7: authorised URLs.
    UrlFetch(Vec<UrlFetch>),
    /// RFC 2177
    Idle,
    /// RFC 4314 §3.1
    SetAcl(SetAcl),
    /// RFC 4314 §3.2
    DeleteAcl {
        /// Whose list.
        mailbox: MailboxName,
        /// Whose line.
        identifier: String,
    },
    /// RFC 4314 §3.3
    GetAcl(MailboxName),
    /// RFC 4314 §3.4
    ListRights {
        /// In which mailbox.
        mailbox: MailboxName,
        /// To whom.
        identifier: String,
    },
    /// RFC 4314 §3.5
    MyRights(MailboxName),
    /// RFC 5255 §3.2: language ranges; none asks which languages there are.
    Language(Vec<String>),
    /// RFC 9208 §4.1.1: the name of a quota root.
    GetQuota(String),
    /// RFC 9208 §4.1.2
    GetQuotaRoot(MailboxName),
    /// RFC 9208 §4.1.3
    SetQuota(SetQuota),
    /// RFC 5464 §4.2
    GetMetadata(GetMetadata),
    /// RFC 5464 §4.3
    SetMetadata(SetMetadata),

    /// RFC 5465 §3.1
    Notify(Notify),
    /// RFC 8437 §3
    Unauthenticate,

    /// RFC 3501 §6.4.1
    Check,
    /// RFC 3501 §6.4.2
    Close,
    /// RFC 3691
    Unselect,
    /// RFC 3501 §6.4.3; with UIDs it is `UID EXPUNGE` (RFC 4315 §2.1).
    Expunge {
        /// Only these UIDs.
        uids: Option<SequenceSet>,
    },
    /// RFC 3501 §6.4.4, RFC 4731.
    Search(Search),
    /// RFC 5256, RFC 5267 §3.
    Sort(Sort),
    /// RFC 5256.
    Thread(Thread),
    /// RFC 7377
    Esearch(Multisearch),
    /// RFC 5267 §4.3.5: the tags of the commands that asked for UPDATE.
    CancelUpdate(Vec<Vec<u8>>),
    /// RFC 5255 §4.7: patterns of comparators, the preferred first; none asks which one is active.
    Comparator(Vec<Vec<u8>>),
    /// RFC 3501 §6.4.5
    Fetch(Fetch),
    /// RFC 3501 §6.4.6
    Store(Store),
    /// RFC 3501 §6.4.7
    Copy(Transfer),
    /// RFC 6851
    Move(Transfer),
    /// RFC 8508
    Replace(Replace),
    /// draft-ietf-mailmaint-imap-uidbatches: UIDs that part the mailbox into batches, the newest first.
    UidBatches {
        /// Messages of a batch; not 0.
        size: u32,
        /// Which batches, from 1; all when not given.
        batches: Option<(u32, u32)>,
    },
}

/// COPY and MOVE: messages and where they go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Transfer {
    /// Which messages.
    pub set: SequenceSet,
    /// Whether the set holds UIDs (`UID COPY`).
    pub uid: bool,
    /// The target.
    pub mailbox: MailboxName,
}

impl CommandBody {
    /// The command's name as the RFCs write it, for logs and for the text of answers.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Capability => "CAPABILITY",
            Self::Noop => "NOOP",
            Self::Logout => "LOGOUT",
            Self::Id(_) => "ID",
            Self::StartTls => "STARTTLS",
            Self::Authenticate { .. } => "AUTHENTICATE",
            Self::Login { .. } => "LOGIN",
            Self::Compress => "COMPRESS",
            Self::Enable(_) => "ENABLE",
            Self::Select(Select { read_only: false, .. }) => "SELECT",
            Self::Select(_) => "EXAMINE",
            Self::Create(_) => "CREATE",
            Self::Delete(_) => "DELETE",
            Self::Rename { .. } => "RENAME",
            Self::Subscribe(_) => "SUBSCRIBE",
            Self::Unsubscribe(_) => "UNSUBSCRIBE",
            Self::List(_) => "LIST",
            Self::Lsub { .. } => "LSUB",
            Self::Namespace => "NAMESPACE",
            Self::Status { .. } => "STATUS",
            Self::Append(_) => "APPEND",
            Self::GenUrlAuth(_) => "GENURLAUTH",
            Self::ResetKey { .. } => "RESETKEY",
            Self::UrlFetch(_) => "URLFETCH",
            Self::Idle => "IDLE",
            Self::SetAcl(_) => "SETACL",
            Self::DeleteAcl { .. } => "DELETEACL",
            Self::GetAcl(_) => "GETACL",
            Self::ListRights { .. } => "LISTRIGHTS",
            Self::MyRights(_) => "MYRIGHTS",
            Self::Unauthenticate => "UNAUTHENTICATE",
            Self::Language(_) => "LANGUAGE",
            Self::GetQuota(_) => "GETQUOTA",
            Self::GetQuotaRoot(_) => "GETQUOTAROOT",
            Self::SetQuota(_) => "SETQUOTA",
            Self::GetMetadata(_) => "GETMETADATA",
            Self::SetMetadata(_) => "SETMETADATA",
            Self::Notify(_) => "NOTIFY",
            Self::Check => "CHECK",
            Self::Close => "CLOSE",
            Self::Unselect => "UNSELECT",
            Self::Expunge { uids: None } => "EXPUNGE",
            Self::Expunge { uids: Some(_) } => "UID EXPUNGE",
            Self::Search(Search { uid: false, .. }) => "SEARCH",
            Self::Search(_) => "UID SEARCH",
            Self::Sort(Sort { search: Search { uid: false, .. }, .. }) => "SORT",
            Self::Sort(_) => "UID SORT",
            Self::Thread(Thread { search: Search { uid: false, .. }, .. }) => "THREAD",
            Self::Thread(_) => "UID THREAD",
            Self::Esearch(_) => "ESEARCH",
            Self::CancelUpdate(_) => "CANCELUPDATE",
            Self::Comparator(_) => "COMPARATOR",
            Self::Fetch(Fetch { uid: false, .. }) => "FETCH",
            Self::Fetch(_) => "UID FETCH",
            Self::Store(Store { uid: false, .. }) => "STORE",
            Self::Store(_) => "UID STORE",
            Self::Copy(Transfer { uid: false, .. }) => "COPY",
            Self::Copy(_) => "UID COPY",
            Self::Move(Transfer { uid: false, .. }) => "MOVE",
            Self::Move(_) => "UID MOVE",
            Self::Replace(Replace { uid: false, .. }) => "REPLACE",
            Self::Replace(_) => "UID REPLACE",
            Self::UidBatches { .. } => "UIDBATCHES",
        }
    }
}
