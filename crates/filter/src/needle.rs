//! What a condition compares with.

use std::fmt;

use message::casemap;
use serde::{Deserialize, Serialize};

/// A text as it was written, and in the form in which it is compared (RFC 5051): the latter is made once, not for each message.
/// Stored, it is the text alone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Needle {
    text: String,
    compared: String,
}

impl Needle {
    /// As it was written.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// As `i;unicode-casemap` compares it, without spaces at the ends.
    pub(crate) fn compared(&self) -> &str {
        &self.compared
    }

    /// Octets, in the form that is larger: an octet written may be eleven compared.
    pub(crate) fn octets(&self) -> usize {
        self.text.len().max(self.compared.len())
    }
}

impl From<String> for Needle {
    fn from(text: String) -> Self {
        Self { compared: casemap(text.trim()), text }
    }
}

impl From<&str> for Needle {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl From<Needle> for String {
    fn from(needle: Needle) -> Self {
        needle.text
    }
}

impl fmt::Display for Needle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
