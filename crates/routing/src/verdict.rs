//! What RCPT hears: accepted, refused with a reply, or not ours to decide.

use std::fmt;

use mail::{EnhancedCode, Reply};
use serde::{Deserialize, Serialize};

/// The outcome of a resolution for the one who asked with RCPT.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefuseReason {
    /// No mailbox, alias, responder or catch-all has this address, or its domain or alias is disabled.
    NoSuchMailbox,
    /// The alias exists, but none of its targets does.
    LeadsNowhere,
    /// The redirects lead in a circle and nowhere else.
    Loop,
    /// Following the redirects passed a limit of [`crate::limits`]; nobody gets a part of the whole.
    TooManyTargets,
    /// `postmaster`, and there is not one account that could read it.
    NoPostmaster,
}

/// The reply to a forward-path of a domain that is not ours, from someone who may not relay (RFC 5321 §3.9.2).
pub const RELAY_DENIED: Reply =
    Reply::fixed(550, EnhancedCode(5, 7, 1), "Relaying denied: this server does not receive mail for that domain");

impl Verdict {
    /// Whether the forward-path is accepted.
    #[must_use]
    pub fn is_accept(self) -> bool {
        self == Self::Accept
    }

    /// The reply of a refusal; for [`Verdict::NotLocal`] it is [`RELAY_DENIED`]. `None` when accepted.
    #[must_use]
    pub fn refusal(self) -> Option<Reply> {
        match self {
            Self::Accept => None,
            Self::Refuse(reason) => Some(reason.reply()),
            Self::NotLocal => Some(RELAY_DENIED),
        }
    }
}

impl RefuseReason {
    /// What the client is told.
    #[must_use]
    pub const fn reply(self) -> Reply {
        match self {
            // An alias that leads nowhere looks to the outside like one that is not there.
            Self::NoSuchMailbox | Self::LeadsNowhere => {
                Reply::fixed(550, EnhancedCode(5, 1, 1), "No such mailbox here")
            }
            Self::Loop => Reply::fixed(550, EnhancedCode(5, 4, 6), "The redirects of this address lead in a circle"),
            Self::TooManyTargets => {
                Reply::fixed(550, EnhancedCode(5, 3, 5), "The redirects of this address lead to too many others")
            }
            Self::NoPostmaster => Reply::fixed(451, EnhancedCode(4, 3, 5), "Nobody reads this address yet"),
        }
    }
}

impl fmt::Display for RefuseReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchMailbox => "there is no such address",
            Self::LeadsNowhere => "the alias leads to no address that exists",
            Self::Loop => "the redirects lead in a circle and nowhere else",
            Self::TooManyTargets => "the redirects lead to too many addresses or through too many aliases",
            Self::NoPostmaster => "no account could read it",
        })
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Accept => f.write_str("accepted"),
            Self::Refuse(reason) => write!(f, "refused, {reason}: {}", reason.reply()),
            Self::NotLocal => f.write_str("not a domain of this server: only relayed for those who may"),
        }
    }
}
