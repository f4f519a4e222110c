//! DKIM signatures of what leaves for other servers.
//!
//! Only the organisation's own messages are signed: what somebody submits, and what the server itself writes. What comes
//! from elsewhere and is passed on keeps the signatures that it came with, and is sealed (see `sealing`).

use std::collections::HashMap;

use mail::{Address, Domain, Envelope, Timestamp};
use message::{parse_addresses, raw_fields};
use parking_lot::Mutex;
use sender_auth::dkim::{Algorithm, Hashed, SigningKey};
use storage::StorageError;
use storage::signing_keys::{KeyState, SigningKeyRow};

use crate::Delivery;

/// Keys as they were last read: reading an RSA key takes longer than signing a short message with it.
#[derive(Default)]
pub(crate) struct KeyRing(Mutex<HashMap<Domain, Ring>>);

struct Ring {
    rows: Vec<SigningKeyRow>,
    keys: std::sync::Arc<Vec<SigningKey>>,
}

impl Delivery {
    /// The signature fields of a message that leaves; empty when nobody signs for it.
    pub(crate) async fn signature(&self, hashed: &Hashed, envelope: &Envelope, now: Timestamp) -> String {
        let Some(domain) = self.signing_domain(hashed.header(), envelope) else { return String::new() };
        let keys = match self.signing_keys(&domain).await {
            Ok(keys) => keys,
            Err(error) => {
                tracing::warn!(%domain, %error, "the signing keys can't be read; a message leaves unsigned");
                return String::new();
            }
        };
        hashed.sign(&keys, now).unwrap_or_else(|error| {
            tracing::warn!(%domain, %error, "a message leaves unsigned");
            String::new()
        })
    }

    /// Who signs: the domain of From, so that DMARC is satisfied (RFC 7489 §3.1.1); for what the server passes on under another
    /// From (a list), the domain of the reverse-path.
    fn signing_domain(&self, header: &[u8], envelope: &Envelope) -> Option<Domain> {
        let directory = self.store().directory();
        let ours = |domain: &Domain| directory.domain(domain).is_some_and(|domain| domain.enabled);
        let from = from_domain(header).filter(ours);
        let reverse_path = envelope.reverse_path.address().map(Address::domain).filter(|domain| ours(domain));
        from.or_else(|| reverse_path.cloned())
    }

    pub(crate) async fn signing_keys(&self, domain: &Domain) -> Result<std::sync::Arc<Vec<SigningKey>>, StorageError> {
        let mut rows = self.store().signing_keys(domain).await?;
        rows.retain(|row| row.state == KeyState::Active);
        let known = self.key_ring.0.lock().get(domain).filter(|ring| ring.rows == rows).map(|ring| ring.keys.clone());
        if let Some(keys) = known {
            return Ok(keys);
        }
        let keys = rows.iter().filter_map(|row| {
            let algorithm = Algorithm::named(&row.algorithm)?;
            SigningKey::read(domain.clone(), row.selector.clone(), algorithm, &row.pkcs8)
                .inspect_err(|error| tracing::error!(%domain, selector = row.selector, %error, "a signing key"))
                .ok()
        });
        let keys = std::sync::Arc::new(keys.collect::<Vec<_>>());
        self.key_ring.0.lock().insert(domain.clone(), Ring { rows, keys: keys.clone() });
        Ok(keys)
    }
}

/// The domain of the one author of a message. Several From fields or authors of several domains: nobody's.
fn from_domain(header: &[u8]) -> Option<Domain> {
    let mut from = raw_fields(header).filter(|field| field.name.is_some_and(|name| name.eq_ignore_ascii_case(b"From")));
    let field = from.next()?;
    if from.next().is_some() {
        return None;
    }
    let mut found = None;
    for address in parse_addresses(field.value()) {
        let host = address.host.as_deref().and_then(|host| std::str::from_utf8(host).ok())?;
        let domain = Domain::parse(host).ok()?;
        if found.as_ref().is_some_and(|found| *found != domain) {
            return None;
        }
        found = Some(domain);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_domain_of_the_one_author() {
        let domain = |header: &str| from_domain(header.as_bytes()).map(|domain| domain.to_string());
        assert_eq!(domain("From: Alice <alice@A.example>\r\n").as_deref(), Some("a.example"));
        assert_eq!(domain("From: a@a.example, b@a.example\r\n").as_deref(), Some("a.example"));
        assert_eq!(domain("From: a@a.example, b@b.example\r\n"), None);
        assert_eq!(domain("From: a@a.example\r\nFrom: a@a.example\r\n"), None);
        assert_eq!(domain("To: a@a.example\r\n"), None);
    }
}
