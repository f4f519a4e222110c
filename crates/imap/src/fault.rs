//! How a command ends: an answer; or a fault, of the store (an answer too) or of the connection (the end).

use std::borrow::Cow;

use imap_wire::Refusal;
use imap_wire::response::{Code, Condition};
use storage::StorageError;

/// The tagged response of a command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) condition: Condition,
    pub(crate) code: Option<Code>,
    pub(crate) text: Cow<'static, str>,
}

impl Answer {
    /// Done.
    pub(crate) fn ok(text: impl Into<Cow<'static, str>>) -> Self {
        Self { condition: Condition::Ok, code: None, text: text.into() }
    }

    /// Understood, but not done.
    pub(crate) fn no(code: Code, text: impl Into<Cow<'static, str>>) -> Self {
        Self { condition: Condition::No, code: Some(code), text: text.into() }
    }

    /// Not a command that makes sense here (RFC 5530 §3, CLIENTBUG).
    pub(crate) fn bad(text: impl Into<Cow<'static, str>>) -> Self {
        Self { condition: Condition::Bad, code: Some(Code::ClientBug), text: text.into() }
    }

    /// With a response code.
    pub(crate) fn with(self, code: Code) -> Self {
        Self { code: Some(code), ..self }
    }

    /// What a failing store means to the client (RFC 5530). Detail goes to the log, never to the client.
    pub(crate) fn of(error: &StorageError) -> Self {
        match error {
            StorageError::NoSuchMailbox => Self::no(Code::NonExistent, "There is no such mailbox"),
            StorageError::MailboxExists => Self::no(Code::AlreadyExists, "A mailbox of that name exists already"),
            StorageError::BadMailboxName(reason) => {
                Self::no(Code::Cannot, format!("The mailbox name is not allowed: {reason}"))
            }
            StorageError::NotAllowed(reason) => Self::no(Code::Cannot, capitalised(reason)),
            StorageError::OverQuota => Self::no(Code::OverQuota, "The account's quota is used up"),
            StorageError::LimitReached(what) => Self::no(Code::Limit, format!("Too many {what}")),
            StorageError::Expunged => Self::no(Code::ExpungeIssued, "The message is no longer there"),
            StorageError::DiskFull => Self::no(Code::Unavailable, "The server's disk is full; try again later"),
            StorageError::Io(_) | StorageError::Locked | StorageError::Closed => {
                Self::no(Code::Unavailable, "The store does not answer; try again later")
            }
            StorageError::Corrupt(_)
            | StorageError::Newer { .. }
            | StorageError::NoSuchAccount
            | StorageError::NoSuchObject(_)
            | StorageError::ObjectExists(_) => {
                Self::no(Code::ServerBug, "Stored data is damaged; the administrator's log tells more")
            }
        }
    }
}

/// The store says what is wrong as part of a sentence.
pub(crate) fn capitalised(reason: &str) -> String {
    let mut letters = reason.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

impl From<Refusal> for Answer {
    fn from(refusal: Refusal) -> Self {
        Self { condition: refusal.condition, code: refusal.code, text: refusal.text.into() }
    }
}

/// The answer to a sequence number where there are none (RFC 9586 §3).
pub(crate) fn uid_required() -> Answer {
    Answer::bad("Sequence numbers are not in use").with(Code::UidRequired)
}

/// Why a command did not come to its own answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The store refused: the client is told, the session goes on.
    Storage(StorageError),
    /// The session ends.
    Lost(Lost),
}

/// Why a session ends without LOGOUT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The client has gone, or its connection broke.
    Closed,
    /// The client was silent, or did not take what it was sent, for too long.
    TimedOut,
    /// The server is shutting down.
    Shutdown,
    /// The selected mailbox was deleted.
    MailboxDeleted,
    /// The right to read the selected mailbox was taken away (RFC 4314 §5.1.1).
    RightsWithdrawn,
    /// What let the person in does not any more.
    ShutOut,
    /// What the client sends is not compressed as it said it would be (RFC 4978).
    Garbled,
    /// A message could not be read to its end after its length had been announced.
    BrokenLiteral,
}

impl Lost {
    /// What to say before closing; nothing to a client that is gone or is in the middle of a literal.
    pub(crate) const fn bye(self) -> Option<(&'static str, Option<Code>)> {
        match self {
            Self::Closed | Self::BrokenLiteral => None,
            Self::TimedOut => Some(("Autologout: you were silent for too long", None)),
            Self::Shutdown => Some(("The server is shutting down", Some(Code::Unavailable))),
            Self::RightsWithdrawn => Some(("You may no longer read the selected mailbox", Some(Code::NoPerm))),
            Self::MailboxDeleted => Some(("The selected mailbox was deleted", Some(Code::NonExistent))),
            Self::Garbled => Some(("What you send is not DEFLATE", Some(Code::ClientBug))),
            Self::ShutOut => Some(("Your access has changed: log in again", Some(Code::AuthenticationFailed))),
        }
    }

    /// For metrics.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Closed => "closed",
            Self::TimedOut => "timeout",
            Self::Shutdown => "shutdown",
            Self::MailboxDeleted => "mailbox-deleted",
            Self::RightsWithdrawn => "rights-withdrawn",
            Self::ShutOut => "shut-out",
            Self::Garbled => "garbled",
            Self::BrokenLiteral => "broken-literal",
        }
    }
}

impl From<StorageError> for Fault {
    fn from(error: StorageError) -> Self {
        Self::Storage(error)
    }
}

impl From<Lost> for Fault {
    fn from(lost: Lost) -> Self {
        Self::Lost(lost)
    }
}
