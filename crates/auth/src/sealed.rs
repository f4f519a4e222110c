//! Passwords that have to be given to somebody else, as those of external accounts: encrypted where they are stored
//! (ChaCha20-Poly1305, RFC 8439), with a key that the server made once for this purpose.
//!
//! **Invariant:** a sealed password opens under the number that it was sealed for and no other, so that nobody gets one
//! out by moving it to an account of theirs.

use aws_lc_rs::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use storage::secret::SecretKey;
use storage::{StorageError, Store};
use world::World;
use zeroize::Zeroizing;

use crate::limits::PASSWORD_OCTETS_MAX;
use crate::password::Password;

/// Seals passwords and opens them again.
#[derive(Clone)]
pub struct Sealer {
    key: SecretKey,
    world: World,
}

/// Why a password was not sealed or opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Over [`PASSWORD_OCTETS_MAX`].
    #[error("the password is longer than {PASSWORD_OCTETS_MAX} octets")]
    TooLong,
    /// It was not sealed by this server for this account, or it is damaged.
    #[error("the stored password can't be opened: it was sealed with another key, or is damaged; set it again")]
    Unreadable,
}

impl Sealer {
    /// The sealer of external accounts' passwords.
    ///
    /// # Errors
    /// When the key can't be read or made.
    pub async fn for_external_accounts(store: &Store) -> Result<Self, StorageError> {
        Ok(Self { key: store.secret("external accounts").await?, world: store.world().clone() })
    }

    /// Seals a password for an account's number.
    ///
    /// # Errors
    /// [`SealError::TooLong`].
    pub fn seal(&self, number: u64, password: &Password) -> Result<String, SealError> {
        let clear = password.expose().as_bytes();
        if clear.len() > PASSWORD_OCTETS_MAX {
            return Err(SealError::TooLong);
        }
        let mut nonce = [0; NONCE_LEN];
        self.world.chance.fill(&mut nonce);
        let mut sealed = Zeroizing::new(clear.to_vec());
        // Neither the length of a password nor whether it is one of few is to be seen: blocks of 64 octets, the last one's
        // fill counted in its last octet.
        let fill = BLOCK.saturating_sub(sealed.len() % BLOCK);
        sealed.extend(std::iter::repeat_n(u8::try_from(fill).unwrap_or(0), fill));
        let tag = self
            .cipher()?
            .seal_in_place_separate_tag(Nonce::assume_unique_for_key(nonce), bound_to(number), &mut sealed)
            .map_err(|_| SealError::Unreadable)?;
        Ok(STANDARD_NO_PAD.encode([&[VERSION], nonce.as_slice(), sealed.as_slice(), tag.as_ref()].concat()))
    }

    /// Opens what was sealed for this number.
    ///
    /// # Errors
    /// [`SealError::Unreadable`].
    pub fn open(&self, number: u64, sealed: &str) -> Result<Password, SealError> {
        let bytes = STANDARD_NO_PAD.decode(sealed).map_err(|_| SealError::Unreadable)?;
        let rest = bytes.strip_prefix(&[VERSION]).ok_or(SealError::Unreadable)?;
        let (nonce, rest) = rest.split_first_chunk::<NONCE_LEN>().ok_or(SealError::Unreadable)?;
        let mut rest = Zeroizing::new(rest.to_vec());
        let clear = self
            .cipher()?
            .open_in_place(Nonce::assume_unique_for_key(*nonce), bound_to(number), &mut rest)
            .map_err(|_| SealError::Unreadable)?;
        let fill = usize::from(clear.last().copied().ok_or(SealError::Unreadable)?);
        let length = clear.len().checked_sub(fill).ok_or(SealError::Unreadable)?;
        let clear = clear.get(..length).ok_or(SealError::Unreadable)?;
        let text = std::str::from_utf8(clear).map_err(|_| SealError::Unreadable)?;
        Ok(Password::from(text))
    }

    fn cipher(&self) -> Result<LessSafeKey, SealError> {
        UnboundKey::new(&CHACHA20_POLY1305, &self.key.0).map(LessSafeKey::new).map_err(|_| SealError::Unreadable)
    }
}

fn bound_to(number: u64) -> Aad<Vec<u8>> {
    Aad::from([b"external account ".as_slice(), &number.to_be_bytes()].concat())
}

const VERSION: u8 = 1;
const BLOCK: usize = 64;

#[cfg(test)]
mod tests {
    use mail::Timestamp;
    use world::simulated::SimulatedWorld;

    use super::*;

    fn sealer(key: u8) -> Sealer {
        Sealer { key: SecretKey([key; 32]), world: SimulatedWorld::new(Timestamp(0), 1).world() }
    }

    #[test]
    fn m08_a_password_opens_for_its_number_and_key_alone() {
        let sealer = sealer(1);
        let long = "x".repeat(PASSWORD_OCTETS_MAX);
        for text in ["", "p", "un étang calme, 3 hérons", &"y".repeat(63), &"y".repeat(64), &long] {
            let sealed = sealer.seal(7, &Password::from(text)).unwrap();
            assert!(text.len() < 8 || !sealed.contains(text));
            assert_eq!(sealer.open(7, &sealed).unwrap().expose(), text);
            assert_eq!(sealer.open(8, &sealed), Err(SealError::Unreadable));
            assert_eq!(self::sealer(2).open(7, &sealed), Err(SealError::Unreadable));
        }
        assert_eq!(sealer.seal(7, &Password::from(format!("{long}x"))), Err(SealError::TooLong));
    }

    #[test]
    fn m08_damage_is_noticed_and_nothing_panics() {
        let sealer = sealer(1);
        let sealed = sealer.seal(7, &Password::from("secret")).unwrap();
        let bytes = STANDARD_NO_PAD.decode(&sealed).unwrap();
        for at in 0..bytes.len() {
            let mut bad = bytes.clone();
            bad[at] ^= 1;
            assert_eq!(sealer.open(7, &STANDARD_NO_PAD.encode(bad)), Err(SealError::Unreadable), "{at}");
            assert_eq!(sealer.open(7, &STANDARD_NO_PAD.encode(&bytes[..at])), Err(SealError::Unreadable), "{at}");
        }
        assert_eq!(sealer.open(7, "no base64!"), Err(SealError::Unreadable));
    }

    #[test]
    fn m08_sealing_twice_gives_two_texts_of_one_length() {
        let sealer = sealer(1);
        let one = sealer.seal(7, &Password::from("a")).unwrap();
        let two = sealer.seal(7, &Password::from("a")).unwrap();
        assert_ne!(one, two);
        assert_eq!(sealer.seal(7, &Password::from("a longer one")).unwrap().len(), one.len());
    }
}
