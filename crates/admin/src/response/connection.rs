//! What a mail program has to know.

use mail::Address;
use serde::{Deserialize, Serialize};

/// What a mail program has to know (M5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// The login.
    pub login: Address,
    /// Reading mail.
    pub incoming: Vec<Endpoint>,
    /// Sending mail.
    pub outgoing: Vec<Endpoint>,
    /// Where mail is read in a browser.
    pub webmail: Option<String>,
    /// The same in words, in the person's language.
    pub text: String,
}

/// A service of this server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `imap` or `smtp`.
    pub protocol: String,
    /// The server.
    pub host: String,
    /// The port.
    pub port: u16,
    /// `implicit` (TLS from the start) or `starttls`.
    pub tls: String,
}
