//! `[oauth]`: whose tokens let people in instead of a password.

use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize};

use super::values::at_least;

/// An issuer of tokens.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct OAuth {
    /// Empty: tokens are not taken.
    pub(crate) issuer: String,
    /// Whom a token must be for: one of these.
    pub(crate) audiences: Vec<String>,
    /// A file with its keys, or
    pub(crate) keys_file: PathBuf,
    /// where they are had by HTTPS.
    #[serde(deserialize_with = "https_or_nothing")]
    pub(crate) keys_url: String,
    /// Who vouches for the host of `keys_url` and `configuration_url`, beside those that browsers trust.
    pub(crate) ca_file: PathBuf,
    /// Empty: none is demanded.
    pub(crate) scope: String,
    /// The claim with the address.
    pub(crate) claim: String,
    /// Where clients find how to get a token; empty: below the issuer, when that is an address.
    #[serde(deserialize_with = "https_or_nothing")]
    pub(crate) configuration_url: String,
    #[serde(deserialize_with = "at_least::<_, _, 60>")]
    pub(crate) keys_kept_secs: u64,
}

impl Default for OAuth {
    fn default() -> Self {
        Self {
            issuer: String::new(),
            audiences: Vec::new(),
            keys_file: PathBuf::new(),
            keys_url: String::new(),
            ca_file: PathBuf::new(),
            scope: String::new(),
            claim: "email".to_owned(),
            configuration_url: String::new(),
            keys_kept_secs: 3_600,
        }
    }
}

impl OAuth {
    /// What is missing of an issuer: the key, and what is to be done.
    pub(super) fn contradiction(&self) -> Option<(&'static [&'static str], String)> {
        let (file, url) = (!self.keys_file.as_os_str().is_empty(), !self.keys_url.is_empty());
        if self.issuer.is_empty() {
            return None;
        }
        if self.audiences.iter().all(String::is_empty) {
            let message = "tokens that are for others must not let in: say in `audiences` what `aud` must be";
            return Some((&["oauth", "issuer"], message.to_owned()));
        }
        if file == url {
            let message = "the keys of the issuer are needed: set one of `keys_file` and `keys_url`";
            return Some((&["oauth", "issuer"], message.to_owned()));
        }
        if self.claim.is_empty() {
            return Some((&["oauth", "claim"], "this names the claim with the address, like \"email\"".to_owned()));
        }
        None
    }

    /// Where clients find how to get a token (OpenID Connect Discovery §4).
    pub(crate) fn configuration_url(&self) -> String {
        let discovered = || format!("{}/.well-known/openid-configuration", self.issuer.trim_end_matches('/'));
        match (self.configuration_url.is_empty(), self.issuer.starts_with("https://")) {
            (false, _) => self.configuration_url.clone(),
            (true, true) => discovered(),
            (true, false) => String::new(),
        }
    }
}

/// An address of the web under TLS, or nothing.
fn https_or_nothing<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    let text = String::deserialize(deserializer)?;
    if text.is_empty() {
        return Ok(text);
    }
    match world::https::Url::parse(&text) {
        Ok(_) => Ok(text),
        Err(flaw) => {
            Err(serde::de::Error::custom(format!("\"{text}\": {flaw}; write it like \"https://id.example.org/keys\"")))
        }
    }
}
