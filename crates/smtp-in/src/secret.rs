//! `Secret`: a password on its way to the check. Wiped when dropped, never printed, never compared here.

use std::fmt;

use zeroize::Zeroizing;

/// A password as the client sent it.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    /// Takes the bytes over; they are wiped when the secret is dropped.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// The bytes, for the one place that checks them.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(not shown)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_not_printed() {
        let secret = Secret::new(b"tanstaaf".to_vec());
        assert_eq!(format!("{secret:?}"), "Secret(not shown)");
        assert_eq!(secret.expose(), b"tanstaaf");
    }
}
