//! A person leaves, and may come back.

use mail::Address;
use serde::{Deserialize, Serialize};

/// What happens to the account of somebody who leaves. Logging in ends in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaving {
    /// The account.
    pub address: Address,
    /// Who takes over: reads the mailbox as a shared one, and takes the place in aliases.
    #[serde(default)]
    pub successor: Option<Address>,
    /// Whether the successor also gets a copy of what comes in.
    #[serde(default)]
    pub redirect: bool,
    /// Last moment of that, in the account's time zone.
    #[serde(default)]
    pub redirect_until: Option<String>,
    /// What senders are answered; `None`: nothing.
    #[serde(default)]
    pub responder_text: Option<String>,
    /// Subject of that answer.
    #[serde(default)]
    pub responder_subject: Option<String>,
    /// Last moment of the account, in its time zone; behind it, it is deleted with its mail.
    #[serde(default)]
    pub delete_after: Option<String>,
}

impl Leaving {
    /// Only the login ends.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            successor: None,
            redirect: false,
            redirect_until: None,
            responder_text: None,
            responder_subject: None,
            delete_after: None,
        }
    }
}
