//! The one table: which command is allowed in which state, and what may be told to the client before it is answered.
//!
//! RFC 3501 §3 (states), §5.5 and §7.4.1 (no EXPUNGE while sequence numbers are in use).

use imap_wire::{CommandBody, SearchKey, Select};

/// The state of a connection (RFC 3501 §3). Logout has no commands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StateKind {
    /// Nobody knows who it is.
    NotAuthenticated,
    /// Logged in, no mailbox open.
    Authenticated,
    /// A mailbox is open.
    Selected,
}

/// In which states a command is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Allowed {
    /// In all.
    Any,
    /// Before login.
    NotAuthenticated,
    /// After login, with or without a mailbox.
    Authenticated,
    /// With a mailbox.
    Selected,
}

/// What of the changes that others made is told before the command's tagged response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Sync {
    /// Nothing: the command leaves or changes the mailbox, or has nothing to do with it.
    Nothing,
    /// New messages and flags, but no EXPUNGE: the command works with sequence numbers.
    NoExpunge,
    /// Everything.
    All,
}

/// One line of the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rule {
    /// Where the command is allowed.
    pub(crate) allowed: Allowed,
    /// What may be told with it.
    pub(crate) sync: Sync,
    /// Whether the client names UIDs, so that every FETCH response has to carry them (RFC 3501 §6.4.8).
    pub(crate) uid: bool,
}

impl Allowed {
    /// Whether the command may be given in this state; otherwise why not.
    pub(crate) const fn check(self, state: StateKind) -> Result<(), &'static str> {
        match (self, state) {
            (Self::Any, _)
            | (Self::NotAuthenticated, StateKind::NotAuthenticated)
            | (Self::Authenticated, StateKind::Authenticated | StateKind::Selected)
            | (Self::Selected, StateKind::Selected) => Ok(()),
            (Self::NotAuthenticated, _) => Err("Already logged in"),
            (_, StateKind::NotAuthenticated) => Err("Log in first"),
            (Self::Selected, StateKind::Authenticated) => Err("Select a mailbox first"),
        }
    }
}

/// The rule of a command.
pub(crate) fn rule(command: &CommandBody) -> Rule {
    use CommandBody as C;
    let (allowed, sync, uid) = match command {
        C::Capability | C::Noop | C::Id(_) | C::Language(_) => (Allowed::Any, Sync::All, false),
        C::Logout => (Allowed::Any, Sync::Nothing, false),
        C::StartTls | C::Authenticate { .. } | C::Login { .. } => (Allowed::NotAuthenticated, Sync::Nothing, false),
        C::Select(_) => (Allowed::Authenticated, Sync::Nothing, false),
        C::Compress => (Allowed::Authenticated, Sync::Nothing, false),
        C::Enable(_)
        | C::Create(_)
        | C::Delete(_)
        | C::Rename { .. }
        | C::Subscribe(_)
        | C::Unsubscribe(_)
        | C::List(_)
        | C::Lsub { .. }
        | C::Namespace
        | C::Status { .. }
        | C::Append(_)
        | C::SetAcl(_)
        | C::DeleteAcl { .. }
        | C::GetAcl(_)
        | C::ListRights { .. }
        | C::MyRights(_)
        | C::Notify(_)
        | C::GetQuota(_)
        | C::GetQuotaRoot(_)
        | C::SetQuota(_)
        | C::GetMetadata(_)
        | C::SetMetadata(_)
        | C::Comparator(_)
        | C::GenUrlAuth(_)
        | C::ResetKey { .. }
        | C::UrlFetch(_)
        | C::Idle => (Allowed::Authenticated, Sync::All, false),
        // RFC 7377 §2.2: where it searches decides whether a mailbox must be selected.
        C::Esearch(_) => (Allowed::Authenticated, Sync::All, true),
        C::Unauthenticate => (Allowed::Authenticated, Sync::Nothing, false),
        C::Close | C::Unselect => (Allowed::Selected, Sync::Nothing, false),
        C::Check | C::CancelUpdate(_) => (Allowed::Selected, Sync::All, false),
        C::Expunge { uids } => (Allowed::Selected, Sync::All, uids.is_some()),
        C::Search(search) => (Allowed::Selected, by_number(!search.uid), search.uid),
        // RFC 5256 BASE.6.4: as for SEARCH and UID SEARCH.
        C::Sort(sort) => (Allowed::Selected, by_number(!sort.search.uid), sort.search.uid),
        C::Thread(thread) => (Allowed::Selected, by_number(!thread.search.uid), thread.search.uid),
        C::Fetch(fetch) => (Allowed::Selected, by_number(!fetch.uid), fetch.uid),
        C::Store(store) => (Allowed::Selected, by_number(!store.uid), store.uid),
        // Its numbers are those of its beginning; what others expunge meanwhile is told with the next command.
        C::Copy(transfer) => (Allowed::Selected, by_number(!transfer.uid), transfer.uid),
        C::Move(transfer) => (Allowed::Selected, Sync::All, transfer.uid),
        C::Replace(replace) => (Allowed::Selected, Sync::All, replace.uid),
        C::UidBatches { .. } => (Allowed::Selected, Sync::All, true),
    };
    Rule { allowed, sync, uid }
}

/// Whether a command names messages by their sequence numbers, or would be answered by them (RFC 9586 §3).
pub(crate) fn names_numbers(command: &CommandBody, rule: Rule) -> bool {
    use CommandBody as C;
    let names = is_sequence;
    rule.sync == Sync::NoExpunge
        || matches!(command, C::Copy(transfer) | C::Move(transfer) if !transfer.uid)
        || matches!(command, C::Replace(replace) if !replace.uid)
        || matches!(command, C::Search(search) if search.key.any(&names))
        || matches!(command, C::Sort(sort) if sort.search.key.any(&names))
        || matches!(command, C::Thread(thread) if thread.search.key.any(&names))
        || matches!(command, C::Esearch(search) if search.search.key.any(&names))
        || matches!(command, C::Select(Select { qresync: Some(known), .. }) if known.sequence_match.is_some())
}

/// Whether a search key is a set of sequence numbers.
pub(crate) const fn is_sequence(key: &SearchKey) -> bool {
    matches!(key, SearchKey::Sequence(_))
}

const fn by_number(by_number: bool) -> Sync {
    if by_number { Sync::NoExpunge } else { Sync::All }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_are_checked() {
        use StateKind::{Authenticated, NotAuthenticated, Selected};
        let cases = [
            (Allowed::Any, [true, true, true]),
            (Allowed::NotAuthenticated, [true, false, false]),
            (Allowed::Authenticated, [false, true, true]),
            (Allowed::Selected, [false, false, true]),
        ];
        for (allowed, expected) in cases {
            for (state, ok) in [NotAuthenticated, Authenticated, Selected].into_iter().zip(expected) {
                assert_eq!(allowed.check(state).is_ok(), ok, "{allowed:?} {state:?}");
            }
        }
    }

    /// One command of each name, as it may be given in no other state than in these.
    #[test]
    fn every_command_has_its_states() {
        use Allowed::{Any, Authenticated, NotAuthenticated, Selected};
        let cases: [(Allowed, &[&str]); 4] = [
            (Any, &["CAPABILITY", "ID NIL", "LANGUAGE fr", "LOGOUT", "NOOP"]),
            (NotAuthenticated, &["AUTHENTICATE PLAIN", "LOGIN a b", "STARTTLS"]),
            (
                Authenticated,
                &[
                    "APPEND INBOX CATENATE (URL \"/INBOX/;UID=1\")",
                    "COMPARATOR",
                    "COMPRESS DEFLATE",
                    "CREATE x",
                    "DELETE x",
                    "DELETEACL x bob",
                    "ENABLE CONDSTORE",
                    "ESEARCH IN (personal) ALL",
                    "EXAMINE x",
                    "GENURLAUTH \"imap://a@b/x/;UID=1;URLAUTH=anonymous\" INTERNAL",
                    "GETACL x",
                    "GETMETADATA x /private/comment",
                    "GETQUOTA x",
                    "GETQUOTAROOT x",
                    "IDLE",
                    "LIST \"\" *",
                    "LISTRIGHTS x bob",
                    "LSUB \"\" *",
                    "MYRIGHTS x",
                    "NAMESPACE",
                    "NOTIFY NONE",
                    "RENAME x y",
                    "RESETKEY",
                    "SELECT x",
                    "SETACL x bob lr",
                    "SETMETADATA x (/private/comment NIL)",
                    "SETQUOTA x (STORAGE 1)",
                    "STATUS x (MESSAGES)",
                    "SUBSCRIBE x",
                    "UID ESEARCH IN (personal) ALL",
                    "UNAUTHENTICATE",
                    "UNSUBSCRIBE x",
                    "URLFETCH \"imap://a@b/x/;UID=1;URLAUTH=anonymous:INTERNAL:0123456789abcdef0123456789abcdef\"",
                ],
            ),
            (
                Selected,
                &[
                    "CANCELUPDATE \"a\"",
                    "CHECK",
                    "CLOSE",
                    "COPY 1 x",
                    "EXPUNGE",
                    "FETCH 1 FLAGS",
                    "MOVE 1 x",
                    "REPLACE 1 x CATENATE (URL \"/INBOX/;UID=1\")",
                    "SEARCH ALL",
                    "SORT (DATE) UTF-8 ALL",
                    "STORE 1 FLAGS ()",
                    "THREAD REFERENCES UTF-8 ALL",
                    "UID COPY 1 x",
                    "UID EXPUNGE 1",
                    "UID FETCH 1 FLAGS",
                    "UID MOVE 1 x",
                    "UID REPLACE 1 x CATENATE (URL \"/INBOX/;UID=1\")",
                    "UID SEARCH ALL",
                    "UID SORT (DATE) UTF-8 ALL",
                    "UID STORE 1 FLAGS ()",
                    "UID THREAD REFERENCES UTF-8 ALL",
                    "UIDBATCHES 500",
                    "UNSELECT",
                ],
            ),
        ];
        let mut named = std::collections::BTreeSet::new();
        for (allowed, commands) in cases {
            for command in commands {
                let text = imap_wire::CommandText::from(format!("a {command}\r\n").as_bytes());
                let decoded = imap_wire::decode(&text, imap_wire::NameEncoding::default());
                let body = decoded.unwrap_or_else(|refusal| panic!("{command}: {refusal:?}")).body;
                assert_eq!(rule(&body).allowed, allowed, "{command}");
                let words = if command.starts_with("UID ") { 2 } else { 1 };
                named.insert(command.split(' ').take(words).collect::<Vec<_>>().join(" "));
            }
        }
        assert_eq!(named, imap_wire::command_names().collect(), "each has a line");
    }

    #[test]
    fn commands_with_sequence_numbers_hold_expunges_back() {
        // RFC 3501 §7.4.1: not during FETCH, STORE, SEARCH, nor, here, COPY; UID commands are not among them.
        assert_eq!(rule(&CommandBody::Noop).sync, Sync::All);
        let expunge = CommandBody::Expunge { uids: None };
        assert_eq!((rule(&expunge).sync, rule(&expunge).allowed), (Sync::All, Allowed::Selected));
        let decode = |text: &[u8]| {
            let text = imap_wire::CommandText::from(text);
            rule(&imap_wire::decode(&text, imap_wire::NameEncoding::default()).unwrap().body)
        };
        for text in [&b"a FETCH 1 FLAGS\r\n"[..], b"a STORE 1 FLAGS ()\r\n", b"a SEARCH ALL\r\n", b"a COPY 1 x\r\n"] {
            assert_eq!(decode(text).sync, Sync::NoExpunge);
        }
        for text in [&b"a UID FETCH 1 FLAGS\r\n"[..], b"a UID STORE 1 FLAGS ()\r\n", b"a UID COPY 1 x\r\n"] {
            assert_eq!((decode(text).sync, decode(text).uid), (Sync::All, true));
        }
    }
}
