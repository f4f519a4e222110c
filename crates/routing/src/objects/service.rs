//! The ways into an account.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A way in with login and password, which can be withdrawn from an account or from the members of a group (M6).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Service {
    /// Reading mail by IMAP.
    Imap,
    /// Fetching mail by POP3.
    Pop3,
    /// Sending mail by SMTP.
    Submission,
    /// The web pages, the HTTP interface, and the command line under a login.
    Web,
}

impl Service {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Imap, Self::Pop3, Self::Submission, Self::Web];

    /// Its name, as objects and the command line have it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Imap => "imap",
            Self::Pop3 => "pop3",
            Self::Submission => "submission",
            Self::Web => "web",
        }
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
