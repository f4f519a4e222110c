//! The suppression list: addresses elsewhere to which the server sends nothing of its own accord, since nobody is there or they asked for
//! it.
//!
//! A row for each address, in any case. It ends by itself; one that has ended counts as gone before the sweeper comes.

use bytes::Bytes;
use mail::{Address, Timestamp};
use serde::{Deserialize, Serialize};

use crate::engine::{Durability, Order};
use crate::error::StorageError;
use crate::keys::{HEAD, Key, Table};
use crate::limits::{SUPPRESSED_DETAIL_CHARS_MAX, SUPPRESSED_MAX};
use crate::rows;
use crate::store::Store;
use crate::transaction::Transaction;

/// Why an address is on the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuppressionReason {
    /// Its server said that nobody is there.
    HardBounce,
    /// Its reader complained (RFC 5965).
    Complaint,
    /// An administrator has entered it.
    ByHand,
}

/// One address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suppressed {
    /// It, as it was first seen.
    pub address: Address,
    /// Why.
    pub reason: SuppressionReason,
    /// What was said, in words.
    pub detail: String,
    /// Since when.
    pub since: Timestamp,
    /// When it happened last.
    pub last: Timestamp,
    /// How often it happened.
    pub times: u32,
    /// Until when; `None`: until somebody removes it.
    pub until: Option<Timestamp>,
}

impl Suppressed {
    /// Whether it still counts.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        rows::decode(VERSION, "a suppressed address", value)
    }

    fn encode(&self) -> Result<Bytes, StorageError> {
        rows::encode(VERSION, self)
    }
}

const VERSION: u8 = 1;

impl Transaction<'_> {
    /// The row of an address, when it counts at this time.
    ///
    /// # Errors
    /// When reading fails.
    pub fn suppressed(&self, address: &Address, now: Timestamp) -> Result<Option<Suppressed>, StorageError> {
        let row = self.get(&key(address))?.map(|value| Suppressed::decode(&value)).transpose()?;
        Ok(row.filter(|row| row.holds(now)))
    }

    /// Enters an address, or counts once more what has happened before. What an administrator entered stays theirs, and a complaint is not
    /// made less by a bounce; the end is the later one of both.
    ///
    /// # Errors
    /// When reading fails.
    pub fn suppress(
        &mut self,
        address: &Address,
        reason: SuppressionReason,
        detail: &str,
        now: Timestamp,
        until: Option<Timestamp>,
    ) -> Result<Suppressed, StorageError> {
        let detail: String =
            detail.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SUPPRESSED_DETAIL_CHARS_MAX).collect();
        let fresh = || Suppressed {
            address: address.clone(),
            reason,
            detail: detail.clone(),
            since: now,
            last: now,
            times: 1,
            until,
        };
        let row = match self.suppressed(address, now)? {
            None => fresh(),
            Some(_) if reason == SuppressionReason::ByHand => fresh(),
            Some(before) => {
                let weaker = match before.reason {
                    SuppressionReason::ByHand => true,
                    SuppressionReason::Complaint => reason == SuppressionReason::HardBounce,
                    SuppressionReason::HardBounce => false,
                };
                Suppressed {
                    last: now,
                    times: before.times.saturating_add(1),
                    reason: if weaker { before.reason } else { reason },
                    detail: if weaker { before.detail } else { detail.clone() },
                    until: before.until.zip(until).map(|(one, other)| one.max(other)),
                    ..before
                }
            }
        };
        self.put(key(address), row.encode()?);
        Ok(row)
    }

    /// Takes an address off the list; `false` when it was not there.
    ///
    /// # Errors
    /// When reading fails.
    pub fn unsuppress(&mut self, address: &Address) -> Result<bool, StorageError> {
        let key = key(address);
        let there = self.get(&key)?.is_some();
        self.delete(key);
        Ok(there)
    }

    /// Mail has arrived at an address: that nobody is there is true no more.
    ///
    /// # Errors
    /// When reading fails.
    pub fn heard_of(&mut self, address: &Address) -> Result<(), StorageError> {
        let key = key(address);
        let Some(value) = self.get(&key)? else { return Ok(()) };
        if Suppressed::decode(&value)?.reason == SuppressionReason::HardBounce {
            self.delete(key);
        }
        Ok(())
    }
}

impl Store {
    /// The row of an address, when it counts now.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn suppressed(&self, address: &Address) -> Result<Option<Suppressed>, StorageError> {
        let row = self.engine.get(&key(address)).await?.map(|value| Suppressed::decode(&value)).transpose()?;
        Ok(row.filter(|row| row.holds(self.now())))
    }

    /// A page of the list behind an address, in the order of the addresses.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn suppressed_after(
        &self,
        after: Option<&Address>,
        limit: usize,
    ) -> Result<Vec<Suppressed>, StorageError> {
        let mut range = Key::global(Table::Suppressed).range();
        if let Some(after) = after {
            range.start = [key(after).as_slice(), &[0]].concat();
        }
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        rows.iter().map(|(_, value)| Suppressed::decode(value)).collect()
    }

    /// Removes what has ended, and beyond [`SUPPRESSED_MAX`] addresses those that would end first. Returns how many went.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep_suppressed(&self) -> Result<usize, StorageError> {
        let now = self.now();
        let (mut after, mut kept, mut gone) = (None, Vec::new(), Vec::new());
        loop {
            let page = self.suppressed_after(after.as_ref(), SWEEP_ROWS).await?;
            let Some(last) = page.last() else { break };
            after = Some(last.address.clone());
            for row in page {
                match row.until {
                    Some(until) if until <= now => gone.push(row.address),
                    Some(until) => kept.push((until, row.address)),
                    // What an administrator entered for good is theirs to remove.
                    None => {}
                }
            }
        }
        let beyond = kept.len().saturating_sub(SUPPRESSED_MAX);
        if beyond > 0 {
            kept.sort_by_key(|(until, _)| *until);
            gone.extend(kept.into_iter().take(beyond).map(|(_, address)| address));
        }
        for some in gone.chunks(SWEEP_ROWS) {
            let some = some.to_vec();
            let remove = move |tx: &mut Transaction<'_>| {
                some.iter().for_each(|address| tx.delete(key(address)));
                Ok(())
            };
            self.transact_with(Durability::Freeing, remove).await?;
        }
        Ok(gone.len())
    }
}

/// The key of an address, which is the canonical one.
fn key(address: &Address) -> Vec<u8> {
    Key::global(Table::Suppressed).bytes(address.canonical().to_string().as_bytes()).done()
}

/// The address of a key, for the check.
pub(crate) fn address_of(key: &[u8]) -> Option<Address> {
    Address::parse(std::str::from_utf8(key.get(HEAD..)?).ok()?).ok()
}

const SWEEP_ROWS: usize = 1_000;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::{MemoryEngine, SilentDoorbell};

    const DAY: Duration = Duration::from_secs(86_400);

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    #[tokio::test]
    async fn an_address_is_on_the_list_until_its_time_is_over() {
        use SuppressionReason::{ByHand, Complaint, HardBounce};
        let world = SimulatedWorld::new(Timestamp(1_700_000_000_000), 7);
        let store = Store::open(Arc::new(MemoryEngine::new(Arc::new(SilentDoorbell))), world.world()).await.unwrap();
        let enter = async |who: &str, reason, days: Option<u32>| {
            let (who, now) = (address(who), store.now());
            let until = days.map(|days| now.plus(DAY * days));
            store.transact(move |tx| tx.suppress(&who, reason, "550\r\nno", now, until)).await.unwrap().value
        };
        assert_eq!(enter("Zoe@far.example", HardBounce, Some(10)).await.detail, "550  no");
        world.clock.advance(DAY * 5);
        let again = enter("zoe@FAR.example", HardBounce, Some(10)).await;
        assert_eq!((again.times, again.since), (2, Timestamp(1_700_000_000_000)));
        assert_eq!(enter("zoe@far.example", Complaint, Some(1)).await.reason, Complaint);
        let row = enter("zoe@far.example", HardBounce, Some(2)).await;
        assert_eq!((row.reason, row.until), (Complaint, again.until), "neither weaker nor shorter");
        enter("max@far.example", ByHand, None).await;
        assert_eq!(enter("max@far.example", HardBounce, Some(1)).await.until, None);
        assert!(store.suppressed(&address("ZOE@far.example")).await.unwrap().is_some());
        // Mail that arrives ends a bounce, and no complaint.
        enter("ida@far.example", HardBounce, Some(9)).await;
        let heard = [address("ida@far.example"), address("zoe@far.example"), address("nobody@far.example")];
        store.transact(move |tx| heard.iter().try_for_each(|one| tx.heard_of(one))).await.unwrap();
        let listed = store.suppressed_after(None, 9).await.unwrap();
        let names = |rows: &[Suppressed]| rows.iter().map(|row| row.address.to_string()).collect::<Vec<_>>();
        assert_eq!(names(&listed), ["max@far.example", "Zoe@far.example"]);
        assert_eq!(names(&store.suppressed_after(Some(&listed[0].address), 9).await.unwrap()), ["Zoe@far.example"]);
        world.clock.advance(DAY * 10);
        assert!(store.suppressed(&address("zoe@far.example")).await.unwrap().is_none());
        assert_eq!(store.sweep_suppressed().await.unwrap(), 1);
        assert_eq!(names(&store.suppressed_after(None, 9).await.unwrap()), ["max@far.example"]);
        let max = address("max@far.example");
        assert!(store.transact(move |tx| tx.unsuppress(&max)).await.unwrap().value);
        assert_eq!(crate::check::check(&store, true, &mut |_| {}).await.unwrap().findings, 0);
    }
}
