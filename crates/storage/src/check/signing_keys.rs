//! Signing keys: readable, and of a domain that is there.

use mail::Domain;
use routing::objects::ObjectKey;

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::objects::row_key;
use crate::signing_keys::{SigningKeyRow, domain_of};

impl Check<'_> {
    pub(super) async fn signing_keys(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, Key::global(Table::SigningKey).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                return Ok(());
            }
            for (key, value) in page {
                let domain = domain_of(&key);
                let name = domain.as_ref().map_or("?", Domain::as_str);
                let place = format!("a signing key of {name}");
                // What it holds is not told: it is a secret.
                if SigningKeyRow::decode(&value).is_err() {
                    self.find(Flaw::Undecodable, &place, "");
                }
                let there = match domain {
                    Some(domain) => self.store.engine.get(&row_key(&ObjectKey::Domain(domain))).await?.is_some(),
                    None => false,
                };
                if !there {
                    self.find(Flaw::NoDomain, &place, "");
                }
            }
        }
    }
}
