//! Objects: readable, under their own keys, numbers unique and below their counters.

use std::collections::{BTreeMap, BTreeSet};

use mail::{AccountId, Domain};
use routing::objects::Object;

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::objects::{decode, domain_of, row_key};
use crate::store::{counted, counter};

/// Objects of a domain that is gone, of which the report speaks by name.
const TOLD_OF_A_DOMAIN: usize = 100;

/// An object for people.
fn told(object: &Object) -> String {
    match object {
        Object::Domain(domain) => format!("domain {}", domain.name),
        Object::Account(account) => format!("account {}", account.address),
        Object::Alias(alias) => format!("alias {}", alias.address),
        Object::Group(group) => format!("group {}", group.address),
        Object::List(list) => format!("list {}", list.address),
        Object::Responder(responder) => format!("responder {} at {}", responder.id, responder.address),
        Object::External(external) => format!("external account {} of {}", external.id, external.owner),
        Object::Filters(set) => format!("filters of account {}", set.account),
    }
}

impl Check<'_> {
    pub(super) async fn objects(&mut self) -> Result<(), StorageError> {
        let mut numbers: BTreeMap<AccountId, String> = BTreeMap::new();
        let (mut responder_last, mut external_last) = (0, 0);
        let mut filters: Vec<AccountId> = Vec::new();
        let mut accounts: BTreeSet<AccountId> = BTreeSet::new();
        let mut domains: BTreeSet<Domain> = BTreeSet::new();
        let mut inhabited: BTreeMap<Domain, Vec<String>> = BTreeMap::new();
        let mut pages = Pages::new(self.store, Key::global(Table::Object).range(), ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for (key, value) in page {
                let place = format!("object {}", String::from_utf8_lossy(key.get(9..).unwrap_or_default()));
                let Some(object) = self.decoded(&place, decode(&value)) else { continue };
                if row_key(&object.key()) != key.as_ref() {
                    self.find(Flaw::ObjectKey, &place, format!("it is {:?}", object.key()));
                }
                if let Object::Domain(domain) = &object {
                    domains.insert(domain.name.clone());
                } else if let Some(domain) = domain_of(&object) {
                    let inside = inhabited.entry(domain.clone()).or_default();
                    if inside.len() < TOLD_OF_A_DOMAIN {
                        inside.push(told(&object));
                    }
                }
                let part = match object {
                    Object::Account(account) => {
                        self.checked.accounts = self.checked.accounts.saturating_add(1);
                        self.people.insert(account.address.canonical());
                        accounts.insert(account.id);
                        let members = account.shared.into_iter().flat_map(|shared| shared.members);
                        self.members.extend(members.map(|member| (account.address.clone(), member.account)));
                        Some((account.id, account.address))
                    }
                    Object::Group(group) => {
                        self.checked.groups = self.checked.groups.saturating_add(1);
                        self.parts.insert(group.id);
                        Some((group.id, group.address))
                    }
                    Object::List(list) => {
                        self.checked.lists = self.checked.lists.saturating_add(1);
                        self.parts.insert(list.id);
                        Some((list.id, list.address))
                    }
                    Object::Responder(responder) => {
                        responder_last = responder_last.max(responder.id);
                        None
                    }
                    Object::External(external) => {
                        external_last = external_last.max(external.id);
                        None
                    }
                    Object::Filters(set) => {
                        if set.filters.is_empty() {
                            self.find(Flaw::Filters, &place, "there is none, and a row all the same".to_owned());
                        } else if let Err(flaw) = filter::check_set(&set) {
                            self.find(Flaw::Filters, &place, flaw.to_string());
                        }
                        filters.push(set.account);
                        None
                    }
                    Object::Domain(_) | Object::Alias(_) => None,
                };
                let Some((id, address)) = part else { continue };
                self.accounts.insert(id);
                if let Some(other) = numbers.insert(id, address.to_string()) {
                    self.find(Flaw::AccountNumber, &place, format!("{id} is the number of {other}"));
                }
            }
        }
        for (domain, inside) in inhabited.into_iter().filter(|(domain, _)| !domains.contains(domain)) {
            inside.into_iter().for_each(|place| self.find(Flaw::NoDomain, place, format!("{domain}")));
        }
        for account in filters.into_iter().filter(|account| !accounts.contains(account)) {
            self.find(Flaw::Orphans, format!("filters of account {account}"), "there is no such account".to_owned());
        }
        let account_last = numbers.last_key_value().map_or(0, |(id, _)| id.0);
        self.counter("account", counter("account"), account_last).await?;
        self.counter("external", counter("external"), external_last).await?;
        self.counter("responder", counter("responder"), responder_last).await
    }

    /// A counter must have given every number that is in use.
    pub(super) async fn counter(&mut self, name: &str, key: Vec<u8>, used: u64) -> Result<(), StorageError> {
        let value = self.store.engine.get(&key).await?;
        let place = format!("counter {name}");
        let Some(last) = self.decoded(&place, counted(value.as_deref())) else { return Ok(()) };
        if last < used {
            self.find(Flaw::Counter, place, format!("it is at {last}, {used} is in use"));
        }
        Ok(())
    }
}
