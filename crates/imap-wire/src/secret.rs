//! Bytes that must never be seen: passwords and SASL responses.
//!
//! Invariant: no formatting of any kind shows the bytes, and they are wiped when dropped.

use std::fmt;

use zeroize::Zeroizing;

/// A password or a SASL response. Only [`Secret::reveal`] gives the bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes into custody.
    pub fn new(bytes: impl Into<Vec<u8>>) -> Self {
        Self(Zeroizing::new(bytes.into()))
    }

    /// The bytes, for the one place that checks them.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_nothing() {
        assert_eq!(format!("{:?}", Secret::new(*b"hunter2")), "Secret(…)");
        assert_eq!(Secret::new(*b"hunter2").reveal(), b"hunter2");
    }
}
