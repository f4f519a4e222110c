//! Contacts of an account: whom it knows, by hand or because it wrote to them (V3).
//!
//! Rows of one table, in the account's part: `a` + canonical address → the contact, `t` + time + address → nothing (the
//! order in which those that came by themselves are replaced), `n` → how many there are. Bounded by
//! [`CONTACTS_MAX`]: the oldest ones that came by themselves make room.

use bytes::Bytes;
use mail::{AccountId, Address, Timestamp};
use serde::{Deserialize, Serialize};

use crate::engine::{Durability, KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::{CONTACTS_LEARNED_MAX, CONTACTS_MAX};
use crate::store::{Done, Store, counted};
use crate::transaction::Transaction;

/// How somebody became a contact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContactOrigin {
    /// Entered by a person; never replaced.
    ByHand,
    /// The account wrote to them.
    WrittenTo,
}

/// A contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Contact {
    /// The canonical address.
    pub address: Address,
    /// How they became one.
    pub origin: ContactOrigin,
    /// Since when, or when the account last wrote to them (to the day).
    pub at: Timestamp,
}

impl Transaction<'_> {
    /// Whether an address is among the contacts of an account.
    ///
    /// # Errors
    /// When reading fails.
    pub fn is_contact(&self, account: AccountId, address: &Address) -> Result<bool, StorageError> {
        Ok(self.get(&row_key(account, &address.canonical()))?.is_some())
    }

    /// Enters a contact by hand.
    ///
    /// # Errors
    /// [`StorageError::LimitReached`] when there are [`CONTACTS_MAX`] that were entered by hand.
    pub fn add_contact(&mut self, account: AccountId, address: &Address, now: Timestamp) -> Result<(), StorageError> {
        if !self.has_account(account)? {
            return Err(StorageError::NoSuchAccount);
        }
        match self.put_contact(account, &address.canonical(), ContactOrigin::ByHand, now)? {
            true => Ok(()),
            false => Err(StorageError::LimitReached("contacts of this account")),
        }
    }

    /// Notes whom an account writes to: the first [`CONTACTS_LEARNED_MAX`] recipients of a message, since who writes to
    /// more of them at once does not know them by that.
    ///
    /// # Errors
    /// When reading fails.
    pub fn learn_contacts<'a>(
        &mut self,
        account: AccountId,
        recipients: impl IntoIterator<Item = &'a Address>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        if !self.has_account(account)? {
            return Ok(());
        }
        for recipient in recipients.into_iter().take(CONTACTS_LEARNED_MAX) {
            self.put_contact(account, &recipient.canonical(), ContactOrigin::WrittenTo, now)?;
        }
        Ok(())
    }

    /// Removes a contact. `false` when there was none.
    ///
    /// # Errors
    /// When reading fails.
    pub fn remove_contact(&mut self, account: AccountId, address: &Address) -> Result<bool, StorageError> {
        let address = address.canonical();
        let key = row_key(account, &address);
        let Some(row) = self.get(&key)? else { return Ok(false) };
        self.unlist(account, &address, decode(&row)?);
        self.delete(key);
        self.count_contacts(account, |count| count.saturating_sub(1))?;
        Ok(true)
    }

    /// Whether the account is there: one that is removed meanwhile must not leave contacts behind.
    pub(crate) fn has_account(&self, account: AccountId) -> Result<bool, StorageError> {
        Ok(self.get(&keys::mailbox_name(account, "INBOX"))?.is_some())
    }

    /// Writes a contact, unless it is there and no worse. `false` when there is no room.
    fn put_contact(
        &mut self,
        account: AccountId,
        address: &Address,
        origin: ContactOrigin,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        let key = row_key(account, address);
        match self.get(&key)?.map(|row| decode(&row)).transpose()? {
            Some((ContactOrigin::ByHand, _)) => return Ok(true),
            Some((ContactOrigin::WrittenTo, at)) => {
                // Nobody needs to know the minute: most messages change nothing here.
                let lately = origin == ContactOrigin::WrittenTo && now.since(at) < REFRESH;
                if lately {
                    return Ok(true);
                }
                self.unlist(account, address, (ContactOrigin::WrittenTo, at));
            }
            None => {
                let full = self.contact_count(account)? >= CONTACTS_MAX as u64;
                if full && !self.make_room(account)? {
                    return Ok(false);
                }
                self.count_contacts(account, |count| count.saturating_add(1))?;
            }
        }
        self.put(key, encode(origin, now));
        if origin == ContactOrigin::WrittenTo {
            self.put(time_key(account, now, address), Bytes::new());
        }
        Ok(true)
    }

    /// Removes the oldest contacts that came by themselves, some at once: to find them costs more, the more were removed before. `false` when
    /// there is none.
    fn make_room(&mut self, account: AccountId) -> Result<bool, StorageError> {
        let oldest = self.scan(&times(account), Order::Ascending, CONTACTS_REMOVED_AT_ONCE)?;
        let mut removed = false;
        for address in oldest.iter().filter_map(|(key, _)| listed(key)).map(|(_, address)| address) {
            removed |= self.remove_contact(account, &address)?;
        }
        Ok(removed)
    }

    fn unlist(&mut self, account: AccountId, address: &Address, (origin, at): (ContactOrigin, Timestamp)) {
        if origin == ContactOrigin::WrittenTo {
            self.delete(time_key(account, at, address));
        }
    }

    fn contact_count(&self, account: AccountId) -> Result<u64, StorageError> {
        counted(self.get(&count_key(account))?.as_deref())
    }

    fn count_contacts(&mut self, account: AccountId, change: impl Fn(u64) -> u64) -> Result<(), StorageError> {
        let count = change(self.contact_count(account)?);
        self.put(count_key(account), count.to_be_bytes().to_vec());
        Ok(())
    }

    /// Removes a page of an account's contact rows, whatever they are. Gives how many there were.
    fn clear_contacts(&mut self, account: AccountId) -> Result<usize, StorageError> {
        let rows = self.scan(&Key::of(Table::Contact, account).range(), Order::Ascending, CLEAR_ROWS)?;
        rows.iter().for_each(|(key, _)| self.delete(key.to_vec()));
        Ok(rows.len())
    }
}

impl Store {
    /// Enters a contact by hand.
    ///
    /// # Errors
    /// [`StorageError::LimitReached`], or the engine's.
    pub async fn add_contact(&self, account: AccountId, address: Address) -> Result<Done<()>, StorageError> {
        let now = self.now();
        self.transact(move |tx| tx.add_contact(account, &address, now)).await
    }

    /// Removes a contact. `false` when there was none.
    ///
    /// # Errors
    /// The engine's.
    pub async fn remove_contact(&self, account: AccountId, address: Address) -> Result<Done<bool>, StorageError> {
        self.transact(move |tx| tx.remove_contact(account, &address)).await
    }

    /// A page of an account's contacts in order of address, behind `after`.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn contacts(
        &self,
        account: AccountId,
        after: Option<&Address>,
        limit: usize,
    ) -> Result<Vec<Contact>, StorageError> {
        let mut range = rows(account);
        if let Some(after) = after {
            range.start = [row_key(account, &after.canonical()).as_slice(), &[0]].concat();
        }
        let page = self.engine.scan(range, Order::Ascending, limit).await?;
        page.iter().map(|(key, value)| contact(key, value)).collect()
    }

    /// Removes the contacts of an account that is about to go, a page at a time.
    pub(crate) async fn clear_contacts(&self, account: AccountId) -> Result<(), StorageError> {
        let clear = || self.transact_with(Durability::Freeing, move |tx| tx.clear_contacts(account));
        while clear().await?.value == CLEAR_ROWS {}
        Ok(())
    }
}

impl Transaction<'_> {
    /// The last of an account's contact rows, in the transaction that removes it: what came after
    /// [`Store::clear_contacts`].
    pub(crate) fn clear_last_contacts(&mut self, account: AccountId) -> Result<(), StorageError> {
        match self.clear_contacts(account)? {
            CLEAR_ROWS => Err(StorageError::Io("the account is writing to too many people, try again".to_owned())),
            _ => Ok(()),
        }
    }
}

/// One contact from its row.
pub(crate) fn contact(key: &[u8], value: &[u8]) -> Result<Contact, StorageError> {
    let (origin, at) = decode(value)?;
    let text = key.get(keys::HEAD.saturating_add(1)..).and_then(|bytes| std::str::from_utf8(bytes).ok());
    let address = text.and_then(|text| Address::parse(text).ok()).ok_or_else(|| StorageError::corrupt("a contact"))?;
    Ok(Contact { address, origin, at })
}

/// Time and address of a row of the time index.
pub(crate) fn listed(key: &[u8]) -> Option<(Timestamp, Address)> {
    let rest = key.get(keys::HEAD.saturating_add(1)..)?;
    let (time, address) = rest.split_first_chunk::<8>()?;
    let address = Address::parse(std::str::from_utf8(address).ok()?).ok()?;
    Some((Timestamp(i64::try_from(u64::from_be_bytes(*time)).ok()?), address))
}

pub(crate) fn rows(account: AccountId) -> KeyRange {
    Key::of(Table::Contact, account).bytes(b"a").range()
}

pub(crate) fn times(account: AccountId) -> KeyRange {
    Key::of(Table::Contact, account).bytes(b"t").range()
}

pub(crate) fn count_key(account: AccountId) -> Vec<u8> {
    Key::of(Table::Contact, account).bytes(b"n").done()
}

pub(crate) fn row_key(account: AccountId, address: &Address) -> Vec<u8> {
    Key::of(Table::Contact, account).bytes(b"a").bytes(address.to_string().as_bytes()).done()
}

pub(crate) fn time_key(account: AccountId, at: Timestamp, address: &Address) -> Vec<u8> {
    Key::of(Table::Contact, account).bytes(b"t").time(at).bytes(address.to_string().as_bytes()).done()
}

fn encode(origin: ContactOrigin, at: Timestamp) -> Vec<u8> {
    let origin = match origin {
        ContactOrigin::ByHand => 1,
        ContactOrigin::WrittenTo => 2,
    };
    [&[VERSION, origin][..], &at.0.to_be_bytes()].concat()
}

fn decode(value: &[u8]) -> Result<(ContactOrigin, Timestamp), StorageError> {
    let flaw = || StorageError::corrupt("a contact");
    let (head, at) = value.split_at_checked(2).ok_or_else(flaw)?;
    let origin = match head {
        [VERSION, 1] => ContactOrigin::ByHand,
        [VERSION, 2] => ContactOrigin::WrittenTo,
        _ => return Err(flaw()),
    };
    Ok((origin, Timestamp(i64::from_be_bytes(at.try_into().map_err(|_| flaw())?))))
}

const VERSION: u8 = 1;

/// So old is what is known of a contact before it is written again.
const REFRESH: std::time::Duration = std::time::Duration::from_secs(86_400);

/// Contacts that make room for others at once.
const CONTACTS_REMOVED_AT_ONCE: usize = 100;

/// Contact rows that one transaction removes.
const CLEAR_ROWS: usize = 2_000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use routing::objects::{AccountObject, DomainObject, Object};
    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::MemoryEngine;
    use crate::objects::PutMode;

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    async fn stage() -> (SimulatedWorld, Store, AccountId) {
        let sim = SimulatedWorld::new(Timestamp(1_800_000_000_000), 1);
        let store = Store::open(Arc::new(MemoryEngine::default()), sim.world()).await.unwrap();
        let domain = DomainObject::new("a.example".parse().unwrap());
        store.put_object(Object::Domain(domain), PutMode::Add).await.unwrap();
        let account = store.add_account(AccountObject::new(address("alice@a.example"))).await.unwrap().value.id;
        (sim, store, account)
    }

    async fn learn(store: &Store, account: AccountId, names: impl Iterator<Item = String>) {
        let (names, now): (Vec<Address>, _) = (names.map(|name| address(&name)).collect(), store.now());
        store.transact(move |tx| tx.learn_contacts(account, &names, now)).await.unwrap();
    }

    async fn sound(store: &Store) {
        let mut found = Vec::new();
        crate::check::check(store, false, &mut |finding| found.push(finding)).await.unwrap();
        assert_eq!(found, []);
    }

    #[tokio::test]
    async fn v03_contacts_come_by_hand_and_by_writing() {
        let (sim, store, alice) = stage().await;
        store.add_contact(alice, address("Bob@R.example")).await.unwrap();
        learn(&store, alice, ["bob@r.example", "carol@r.example"].map(str::to_owned).into_iter()).await;
        let all = store.contacts(alice, None, 10).await.unwrap();
        let told: Vec<_> = all.iter().map(|one| (one.address.to_string(), one.origin)).collect();
        assert_eq!(
            told,
            [
                ("bob@r.example".to_owned(), ContactOrigin::ByHand),
                ("carol@r.example".to_owned(), ContactOrigin::WrittenTo)
            ]
        );
        assert_eq!(store.contacts(alice, Some(&address("bob@r.example")), 10).await.unwrap().len(), 1);
        sim.clock.advance(Duration::from_secs(2 * 86_400));
        learn(&store, alice, ["carol@r.example".to_owned()].into_iter()).await;
        assert_eq!(store.contacts(alice, None, 10).await.unwrap()[1].at, store.now());
        sound(&store).await;
        store.add_contact(alice, address("carol@r.example")).await.unwrap();
        assert!(store.remove_contact(alice, address("BOB@r.example")).await.unwrap().value);
        assert!(!store.remove_contact(alice, address("bob@r.example")).await.unwrap().value);
        sound(&store).await;
        assert_eq!(store.contacts(alice, None, 10).await.unwrap()[0].origin, ContactOrigin::ByHand);
    }

    #[tokio::test]
    async fn the_oldest_that_came_by_itself_makes_room_and_an_account_takes_its_contacts_along() {
        let (sim, store, alice) = stage().await;
        store.add_contact(alice, address("kept@r.example")).await.unwrap();
        for page in 0..CONTACTS_MAX.div_ceil(CONTACTS_LEARNED_MAX) + 1 {
            let from = page * CONTACTS_LEARNED_MAX;
            learn(&store, alice, (from..from + CONTACTS_LEARNED_MAX).map(|n| format!("u{n:06}@r.example"))).await;
            sim.clock.advance(Duration::from_secs(60));
        }
        let all = store.contacts(alice, None, 100_000).await.unwrap();
        assert!((CONTACTS_MAX - CONTACTS_REMOVED_AT_ONCE..=CONTACTS_MAX).contains(&all.len()), "{}", all.len());
        assert!(all.iter().any(|one| one.address == address("kept@r.example")));
        assert!(!all.iter().any(|one| one.address == address("u000000@r.example")));
        sound(&store).await;
        // More than one message may name: the rest is not learned.
        learn(&store, alice, (0..CONTACTS_LEARNED_MAX + 5).map(|n| format!("v{n:06}@r.example"))).await;
        let all = store.contacts(alice, None, 100_000).await.unwrap();
        assert_eq!(all.iter().filter(|one| one.address.to_string().starts_with('v')).count(), CONTACTS_LEARNED_MAX);
        store.remove_account(&address("alice@a.example")).await.unwrap();
        assert!(store.contacts(alice, None, 10).await.unwrap().is_empty());
        sound(&store).await;
    }
}
