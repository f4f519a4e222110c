//! What RCPT hears: accepted, refused with a reply, or not ours to decide.

use std::fmt;

use mail::{EnhancedCode, Reply};
use serde::{Deserialize, Serialize};

use crate::objects::FailText;

/// The outcome of a resolution for the one who asked with RCPT.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "verdict", content = "reason", rename_all = "kebab-case")]
pub enum Verdict {
    /// The forward-path leads somewhere (RFC 5321 §3.3).
    Accept,
    /// It does not.
    Refuse(RefuseReason),
    /// The domain is none of ours: whether to relay is the caller's question (see [`RELAY_DENIED`]).
    NotLocal,
}

/// Why a forward-path is refused.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefuseReason {
    /// No mailbox, alias, responder or catch-all has this address, or its object is disabled.
    NoSuchMailbox,
    /// The alias or group exists, but none of its targets or members does.
    LeadsNowhere,
    /// There is a group, and nobody is in it.
    GroupWithoutMembers,
    /// The redirects lead in a circle and nowhere else.
    Loop,
    /// Following the redirects passed a limit of [`crate::limits`]; nobody gets a part of the whole.
    TooManyTargets,
    /// `postmaster`, and there is not one account that could read it.
    NoPostmaster,
    /// The domain is one of ours and takes no mail.
    DomainDisabled,
    /// The address took mail until a date that is past.
    Expired,
    /// The address takes mail from the people of its organisation who have logged in here, and from nobody else.
    InternalOnly,
    /// The address takes mail from some senders, and this is none of them.
    SenderNotAllowed,
    /// The group or list is for its members' messages.
    MembersOnly,
    /// The address takes smaller messages than this.
    TooLarge,
    /// The alias refuses with a text of its own (`:fail:`).
    Fail(FailText),
}

/// The reply to a forward-path of a domain that is not ours, from someone who may not relay (RFC 5321 §3.9.2).
pub const RELAY_DENIED: Reply =
    Reply::fixed(550, EnhancedCode(5, 7, 1), "Relaying denied: this server does not receive mail for that domain");

impl Verdict {
    /// Whether the forward-path is accepted.
    #[must_use]
    pub fn is_accept(&self) -> bool {
        *self == Self::Accept
    }

    /// The reply of a refusal; for [`Verdict::NotLocal`] it is [`RELAY_DENIED`]. `None` when accepted.
    #[must_use]
    pub fn refusal(&self) -> Option<Reply> {
        match self {
            Self::Accept => None,
            Self::Refuse(reason) => Some(reason.reply()),
            Self::NotLocal => Some(RELAY_DENIED),
        }
    }
}

impl RefuseReason {
    /// What the client is told. It says what the sender can do about it, and names nobody behind the address.
    #[must_use]
    pub fn reply(&self) -> Reply {
        let (code, enhanced, text) = match self {
            // An alias that leads nowhere looks to the outside like one that is not there.
            Self::NoSuchMailbox | Self::LeadsNowhere => (550, EnhancedCode(5, 1, 1), "No such mailbox here"),
            // RFC 3463 §3.3: what stands for several could not be expanded.
            Self::GroupWithoutMembers => (550, EnhancedCode(5, 2, 4), "This address leads to a group without members"),
            Self::Loop => (550, EnhancedCode(5, 4, 6), "The redirects of this address lead in a circle"),
            Self::TooManyTargets => {
                (550, EnhancedCode(5, 3, 5), "The redirects of this address lead to too many others")
            }
            Self::NoPostmaster => (451, EnhancedCode(4, 3, 5), "Nobody reads this address yet"),
            Self::DomainDisabled => (550, EnhancedCode(5, 1, 2), "This domain takes no mail at present"),
            // The sender has the address from the time when it was in use: saying so gives nothing away, and spares
            // them the search for a typing error.
            Self::Expired => (550, EnhancedCode(5, 2, 1), "This address has expired and takes no more mail"),
            Self::InternalOnly => (
                550,
                EnhancedCode(5, 7, 1),
                "This address takes mail only from people of its own organisation who have logged in",
            ),
            Self::SenderNotAllowed => {
                (550, EnhancedCode(5, 7, 1), "You are not among those who may write to this address")
            }
            Self::MembersOnly => {
                (550, EnhancedCode(5, 7, 1), "Only members who have logged in may write to this address")
            }
            Self::TooLarge => (552, EnhancedCode(5, 2, 3), "The message is too large for this address"),
            Self::Fail(fail) => return fail.reply(),
        };
        Reply::fixed(code, enhanced, text)
    }
}

impl fmt::Display for RefuseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchMailbox => "there is no such address",
            Self::LeadsNowhere => "it leads to no address that exists",
            Self::GroupWithoutMembers => "it leads to a group without members",
            Self::Loop => "the redirects lead in a circle and nowhere else",
            Self::TooManyTargets => "the redirects lead to too many addresses or through too many aliases",
            Self::NoPostmaster => "no account could read it",
            Self::DomainDisabled => "its domain is disabled",
            Self::Expired => "it has expired",
            Self::InternalOnly => "it takes mail from inside the organisation only",
            Self::SenderNotAllowed => "the sender is not among those who may write to it",
            Self::MembersOnly => "only its members may write to it",
            Self::TooLarge => "the message is larger than it takes",
            Self::Fail(_) => "the alias refuses with a text",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accepted"),
            Self::Refuse(reason) => write!(f, "refused, {reason}: {}", reason.reply()),
            Self::NotLocal => f.write_str("not a domain of this server: relayed for who has logged in"),
        }
    }
}
