//! Signing keys: made once for a domain, kept in the store, published as a TXT record (RFC 6376 §3.6.1).

use std::fmt;

use aws_lc_rs::encoding::{AsDer, PublicKeyX509Der};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use mail::Domain;
use zeroize::Zeroizing;

/// How a key signs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// `rsa-sha256` with 2,048 bits (RFC 8301 §3.2): what everybody can check.
    Rsa2048,
    /// `ed25519-sha256` (RFC 8463).
    Ed25519,
}

impl Algorithm {
    /// As `a=` has it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Rsa2048 => "rsa-sha256",
            Self::Ed25519 => "ed25519-sha256",
        }
    }

    /// The one of a name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Rsa2048, Self::Ed25519].into_iter().find(|algorithm| algorithm.name() == name)
    }
}

/// A key could not be made or read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The machine could not make one.
    #[error("no signing key could be made")]
    NotMade,
    /// What is stored is no such key.
    #[error("the stored signing key can't be read")]
    Unreadable,
}

/// A new private key, in PKCS #8. RSA takes some tenths of a second: not for the thread of a connection. The chance is
/// the machine's own, not the world's: no test may depend on a key.
///
/// # Errors
/// [`KeyError::NotMade`].
pub fn generate(algorithm: Algorithm) -> Result<Zeroizing<Vec<u8>>, KeyError> {
    let made = match algorithm {
        Algorithm::Rsa2048 => {
            let pair = RsaKeyPair::generate(KeySize::Rsa2048).map_err(|_| KeyError::NotMade)?;
            let der = AsDer::<aws_lc_rs::encoding::Pkcs8V1Der<'_>>::as_der(&pair).map_err(|_| KeyError::NotMade)?;
            der.as_ref().to_vec()
        }
        Algorithm::Ed25519 => {
            let document = Ed25519KeyPair::generate_pkcs8v1(&SystemRandom::new()).map_err(|_| KeyError::NotMade)?;
            document.as_ref().to_vec()
        }
    };
    Ok(Zeroizing::new(made))
}

/// The TXT record under which others find the key: at `selector._domainkey.domain`.
///
/// # Errors
/// [`KeyError::Unreadable`].
pub fn record(algorithm: Algorithm, pkcs8: &[u8]) -> Result<String, KeyError> {
    Ok(match Pair::read(algorithm, pkcs8)? {
        Pair::Rsa(pair) => {
            let public = AsDer::<PublicKeyX509Der<'_>>::as_der(pair.public_key()).map_err(|_| KeyError::Unreadable)?;
            format!("v=DKIM1; k=rsa; p={}", BASE64.encode(public.as_ref()))
        }
        Pair::Ed25519(pair) => format!("v=DKIM1; k=ed25519; p={}", BASE64.encode(pair.public_key().as_ref())),
    })
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Ed25519(Box<Ed25519KeyPair>),
}

impl Pair {
    fn read(algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        match algorithm {
            Algorithm::Rsa2048 => RsaKeyPair::from_pkcs8(pkcs8).map(|pair| Self::Rsa(Box::new(pair))),
            Algorithm::Ed25519 => Ed25519KeyPair::from_pkcs8(pkcs8).map(|pair| Self::Ed25519(Box::new(pair))),
        }
        .map_err(|_| KeyError::Unreadable)
    }
}

/// A key that signs for a domain.
pub struct SigningKey {
    /// `d=`: for whom.
    pub domain: Domain,
    /// `s=`: under which name the public half is published.
    pub selector: String,
    pair: Pair,
}

impl SigningKey {
    /// Reads a stored key.
    ///
    /// # Errors
    /// [`KeyError::Unreadable`].
    pub fn read(domain: Domain, selector: String, algorithm: Algorithm, pkcs8: &[u8]) -> Result<Self, KeyError> {
        Ok(Self { domain, selector, pair: Pair::read(algorithm, pkcs8)? })
    }

    /// How it signs.
    #[must_use]
    pub const fn algorithm(&self) -> Algorithm {
        match self.pair {
            Pair::Rsa(_) => Algorithm::Rsa2048,
            Pair::Ed25519(_) => Algorithm::Ed25519,
        }
    }

    /// The signature of octets, in base64.
    pub(crate) fn sign(&self, octets: &[u8]) -> Result<String, KeyError> {
        match &self.pair {
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), octets, &mut signature)
                    .map_err(|_| KeyError::NotMade)?;
                Ok(BASE64.encode(signature))
            }
            // RFC 8463 §3: what is signed is the hash.
            Pair::Ed25519(pair) => {
                let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, octets);
                Ok(BASE64.encode(pair.sign(hash.as_ref()).as_ref()))
            }
        }
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey({} for {} at {})", self.algorithm().name(), self.domain, self.selector)
    }
}
