//! Who was asked to come again, and where somebody has from: see [`reputation::greylist`].
//!
//! Rows of one table, in nobody's part: `g` + origin + digest → [`Grey`], `p` + origin → [`GreyPass`], `o` or `q` + time + one of these keys →
//! nothing (the orders in which the ones and the others are forgotten), `n` → how many there are. An origin is 17 octets: of a network its family
//! and address, of the servers of a domain a `d` and a digest of the domain. Bounded in number, each by the bounds of addresses: also a row by a
//! domain is made only beside one by the client's network, or there already.
//!
//! What is over is removed by a sweep, not by each attempt: who looks for the first row steps over all that was removed before it.
//!
//! They are not synced before the client hears 451: a power cut that forgets one makes an honest client wait once more, and a promise is not
//! broken, for nothing was promised. A restart, or the end of the process, loses none.

use bytes::Bytes;
use mail::Timestamp;
use reputation::greylist::{Grey, GreyKey, GreylistSettings, Greylisted, attempt};
use reputation::origin::Origin;
use serde::{Deserialize, Serialize};

use crate::check::OrderedRow;
use crate::engine::{Durability, Order};
use crate::error::StorageError;
use crate::keys::{HEAD, Key, Table};
use crate::limits::{
    GREY_OF_NETWORK_MAX, GREY_PASSED_MAX, GREY_WAITING_MAX, REPUTATION_ROOM_PART, REPUTATION_SWEPT_AT_ONCE,
};
use crate::rows;
use crate::store::Store;
use crate::transaction::Transaction;

/// Where something has come again from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GreyPass {
    /// Where.
    pub origin: Origin,
    /// The sender in whose name it did.
    pub sender: String,
    /// When it did.
    pub since: Timestamp,
    /// When it came last, to the day.
    pub last: Timestamp,
    /// When it is forgotten.
    pub until: Timestamp,
}

/// What is answered to an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GreyAnswer {
    /// Its network, or a server of its domain, has come again before: it is let in.
    Known,
    /// See there.
    Asked(Greylisted),
    /// Too many were asked to come again: it is let in.
    Full,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Totals {
    waiting: u32,
    passed: u32,
    /// None of those that wait is over before; `None`: that is not known.
    ends_from: Option<Timestamp>,
}

const VERSION: u8 = 1;
const WAITING: u8 = b'g';
const PASSED: u8 = b'p';
const WAITING_ORDER: u8 = b'o';
const PASSED_ORDER: u8 = b'q';
const TOTALS: u8 = b'n';
/// The first octet of the servers of a domain, where networks have their family.
const POOL: u8 = b'd';

/// The bounds, which tests make narrower.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bounds {
    pub(crate) waiting: u32,
    pub(crate) of_network: usize,
    pub(crate) passed: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { waiting: GREY_WAITING_MAX, of_network: GREY_OF_NETWORK_MAX, passed: GREY_PASSED_MAX }
    }
}

impl Transaction<'_> {
    /// An attempt of a doubted client: what it is answered. What is kept of it is written. `keys`: by what it is known, its network first.
    ///
    /// # Errors
    /// When reading fails.
    pub fn greylist(
        &mut self,
        keys: &[GreyKey],
        now: Timestamp,
        settings: &GreylistSettings,
    ) -> Result<GreyAnswer, StorageError> {
        self.greylist_within(keys, now, settings, Bounds::default())
    }

    fn greylist_within(
        &mut self,
        keys: &[GreyKey],
        now: Timestamp,
        settings: &GreylistSettings,
        bounds: Bounds,
    ) -> Result<GreyAnswer, StorageError> {
        let mut known = false;
        for key in keys {
            known |= self.greylist_knows(&key.origin, now, settings)?;
        }
        if known {
            return Ok(GreyAnswer::Known);
        }
        let mut tries = Vec::with_capacity(keys.len());
        // Whose network waits already, or writes as too many, makes no more rows by naming domains.
        let mut made_enough = false;
        for key in keys {
            let mut key = key.clone();
            let mut kept = self.grey(&key)?;
            if kept.is_none() && made_enough {
                continue;
            }
            if kept.is_none() && self.is_crowded(&key.origin, bounds)? {
                made_enough = true;
                key = GreyKey::all_of(key.origin);
                kept = self.grey(&key)?;
            }
            made_enough |= kept.is_some();
            let before = kept.as_ref().map(|grey| grey.until);
            let (answer, grey) = attempt(kept, key, now, settings);
            tries.push((before, answer, grey));
        }
        let best = tries.iter().map(|(_, answer, _)| *answer).reduce(Greylisted::or_better);
        if let Some(passed @ Greylisted::Passed(_)) = best {
            for (before, answer, grey) in &tries {
                if let Greylisted::Passed(_) = answer {
                    self.drop_grey(&waiting_key(&grey.key), *before)?;
                    self.pass_grey(grey, now, settings, bounds)?;
                }
            }
            return Ok(GreyAnswer::Asked(passed));
        }
        // What is kept is renewed first, before anything that is over makes room.
        tries.sort_by_key(|(before, ..)| before.is_none());
        let mut told: Option<Greylisted> = None;
        for (before, answer, grey) in &tries {
            if self.keep_grey(*before, grey, now, bounds)? {
                told = Some(told.map_or(*answer, |told| told.or_better(*answer)));
            }
        }
        Ok(told.map_or(GreyAnswer::Full, GreyAnswer::Asked))
    }

    /// Whether as many wait of an origin as may.
    fn is_crowded(&self, origin: &Origin, bounds: Bounds) -> Result<bool, StorageError> {
        let waiting = self.scan(&waiting_of(origin).range(), Order::Ascending, bounds.of_network)?;
        Ok(waiting.len() >= bounds.of_network)
    }

    /// Writes what waits; `before`: until when it was kept. `false`: too many wait, and it is none of them.
    fn keep_grey(
        &mut self,
        before: Option<Timestamp>,
        grey: &Grey,
        now: Timestamp,
        bounds: Bounds,
    ) -> Result<bool, StorageError> {
        let row = waiting_key(&grey.key);
        match before {
            Some(until) => self.delete(order_key(until, &row)),
            None => {
                if self.grey_totals()?.waiting >= bounds.waiting {
                    self.forget_grey_that_is_over(now)?;
                }
                if self.grey_totals()?.waiting >= bounds.waiting {
                    return Ok(false);
                }
                self.count_grey(|totals| {
                    totals.waiting = totals.waiting.saturating_add(1);
                    totals.ends_from = totals.ends_from.map(|from| from.min(grey.until));
                })?;
            }
        }
        self.put(order_key(grey.until, &row), Bytes::new());
        self.put(row, rows::encode(VERSION, grey)?);
        Ok(true)
    }

    /// Whether something has come again from there; then it is known for longer.
    ///
    /// # Errors
    /// When reading fails.
    pub fn greylist_knows(
        &mut self,
        origin: &Origin,
        now: Timestamp,
        settings: &GreylistSettings,
    ) -> Result<bool, StorageError> {
        let key = passed_key(origin);
        let Some(pass) = self.get(&key)?.map(|value| decode_pass(&value)).transpose()? else { return Ok(false) };
        if pass.until <= now {
            return Ok(false);
        }
        if now.since(pass.last) >= REFRESH {
            self.delete(order_key(pass.until, &key));
            let pass = GreyPass { last: now, until: now.plus(settings.remember), ..pass };
            self.put(order_key(pass.until, &key), Bytes::new());
            self.put(key, rows::encode(VERSION, &pass)?);
        }
        Ok(true)
    }

    /// Forgets all of a network, or of a domain's servers. Gives how many rows went.
    ///
    /// # Errors
    /// When reading fails.
    pub fn forget_grey(&mut self, origin: &Origin) -> Result<usize, StorageError> {
        let mut gone = 0_usize;
        for (key, value) in
            self.scan(&waiting_of(origin).range(), Order::Ascending, GREY_OF_NETWORK_MAX.saturating_add(1))?
        {
            self.drop_grey(&key, Some(decode_grey(&value)?.until))?;
            gone = gone.saturating_add(1);
        }
        let key = passed_key(origin);
        if let Some(value) = self.get(&key)? {
            self.drop_pass(&key, decode_pass(&value)?.until)?;
            gone = gone.saturating_add(1);
        }
        Ok(gone)
    }

    fn grey(&self, key: &GreyKey) -> Result<Option<Grey>, StorageError> {
        let row = self.get(&waiting_key(key))?.map(|value| decode_grey(&value)).transpose()?;
        Ok(row)
    }

    fn grey_totals(&self) -> Result<Totals, StorageError> {
        Ok(self.get(&totals_key())?.map(|value| decode_totals(&value)).transpose()?.unwrap_or_default())
    }

    fn count_grey(&mut self, change: impl FnOnce(&mut Totals)) -> Result<(), StorageError> {
        let mut totals = self.grey_totals()?;
        change(&mut totals);
        self.put(totals_key(), rows::encode(VERSION, &totals)?);
        Ok(())
    }

    fn drop_grey(&mut self, row: &[u8], until: Option<Timestamp>) -> Result<(), StorageError> {
        let Some(until) = until else { return Ok(()) };
        self.delete(order_key(until, row));
        self.delete(row.to_vec());
        self.count_grey(|totals| totals.waiting = totals.waiting.saturating_sub(1))
    }

    fn drop_pass(&mut self, row: &[u8], until: Timestamp) -> Result<(), StorageError> {
        self.delete(order_key(until, row));
        self.delete(row.to_vec());
        self.count_grey(|totals| totals.passed = totals.passed.saturating_sub(1))
    }

    fn pass_grey(
        &mut self,
        grey: &Grey,
        now: Timestamp,
        settings: &GreylistSettings,
        bounds: Bounds,
    ) -> Result<(), StorageError> {
        let key = passed_key(&grey.key.origin);
        match self.get(&key)?.map(|value| decode_pass(&value)).transpose()? {
            Some(before) => self.delete(order_key(before.until, &key)),
            None => {
                if self.grey_totals()?.passed >= bounds.passed {
                    self.forget_first_passes((bounds.passed / REPUTATION_ROOM_PART).max(1) as usize)?;
                }
                self.count_grey(|totals| totals.passed = totals.passed.saturating_add(1))?;
            }
        }
        let until = now.plus(settings.remember);
        let Grey { key: GreyKey { origin, sender, .. }, .. } = grey.clone();
        let pass = GreyPass { origin, sender, since: now, last: now, until };
        self.put(order_key(until, &key), Bytes::new());
        self.put(key, rows::encode(VERSION, &pass)?);
        Ok(())
    }

    /// Makes room for who comes again.
    fn forget_first_passes(&mut self, how_many: usize) -> Result<(), StorageError> {
        for (key, _) in self.scan(&kind(PASSED_ORDER).range(), Order::Ascending, how_many)? {
            let (until, row) = row_of(&key).ok_or_else(misplaced_order)?;
            self.drop_pass(&row, until)?;
        }
        Ok(())
    }

    /// Makes room among those that wait, when any of them is over.
    fn forget_grey_that_is_over(&mut self, now: Timestamp) -> Result<(), StorageError> {
        if self.grey_totals()?.ends_from.is_some_and(|from| now < from) {
            return Ok(());
        }
        self.sweep_grey(WAITING_ORDER, now)?;
        Ok(())
    }

    /// Removes some rows of an order whose time is over. Gives how many.
    fn sweep_grey(&mut self, order: u8, now: Timestamp) -> Result<usize, StorageError> {
        let rows = self.scan(&kind(order).range(), Order::Ascending, REPUTATION_SWEPT_AT_ONCE)?;
        let mut gone = 0_usize;
        for (key, _) in &rows {
            let (until, row) = row_of(key).ok_or_else(misplaced_order)?;
            if until > now {
                if order == WAITING_ORDER {
                    self.count_grey(|totals| totals.ends_from = Some(until))?;
                }
                break;
            }
            match order {
                PASSED_ORDER => self.drop_pass(&row, until)?,
                _ => self.drop_grey(&row, Some(until))?,
            }
            gone = gone.saturating_add(1);
        }
        Ok(gone)
    }
}

impl Store {
    /// An attempt of a doubted client, written without waiting for the disk (see the module). `keys`: by what it is known, its network first.
    ///
    /// # Errors
    /// The engine's.
    pub async fn greylist(&self, keys: Vec<GreyKey>, settings: GreylistSettings) -> Result<GreyAnswer, StorageError> {
        let now = self.now();
        let body = move |tx: &mut Transaction<'_>| tx.greylist(&keys, now, &settings);
        Ok(self.transact_with(Durability::Relaxed, body).await?.value)
    }

    /// Whether something has come again from a network, or from a domain's servers.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn grey_pass(&self, origin: &Origin) -> Result<Option<GreyPass>, StorageError> {
        let pass = self.engine.get(&passed_key(origin)).await?.map(|value| decode_pass(&value)).transpose()?;
        Ok(pass.filter(|pass| self.now() < pass.until))
    }

    /// What was asked to come again, up to so many.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn grey_waiting(&self, of: Option<&Origin>, limit: usize) -> Result<Vec<Grey>, StorageError> {
        let range = of.map_or_else(|| kind(WAITING), waiting_of).range();
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        rows.iter().map(|(_, value)| decode_grey(value)).collect()
    }

    /// Where somebody has come again from, networks first, up to so many.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn grey_passes(&self, limit: usize) -> Result<Vec<GreyPass>, StorageError> {
        let rows = self.engine.scan(kind(PASSED).range(), Order::Ascending, limit).await?;
        rows.iter().map(|(_, value)| decode_pass(value)).collect()
    }

    /// Removes what is over. Returns how many rows went.
    ///
    /// # Errors
    /// The engine's.
    pub async fn sweep_greylist(&self) -> Result<usize, StorageError> {
        let mut all = 0_usize;
        for order in [WAITING_ORDER, PASSED_ORDER] {
            loop {
                let now = self.now();
                let first = self.engine.scan(kind(order).range(), Order::Ascending, 1).await?;
                let due = first.first().and_then(|(key, _)| row_of(key)).is_some_and(|(until, _)| until <= now);
                if !due {
                    break;
                }
                let sweep = move |tx: &mut Transaction<'_>| tx.sweep_grey(order, now);
                all = all.saturating_add(self.transact_with(Durability::Relaxed, sweep).await?.value);
            }
        }
        Ok(all)
    }
}

fn kind(kind: u8) -> Key {
    Key::global(Table::Greylist).u8(kind)
}

/// Of a network its family (4 or 6) and address; of the servers of a domain the first octets of a digest.
fn octets(origin: &Origin) -> [u8; 17] {
    match origin {
        Origin::Network(network) => network.octets(),
        Origin::Pool(domain) => {
            let mut octets = [POOL; 17];
            let digest = blake3::hash(domain.as_str().as_bytes());
            octets.iter_mut().skip(1).zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
            octets
        }
    }
}

fn waiting_of(origin: &Origin) -> Key {
    kind(WAITING).bytes(&octets(origin))
}

fn waiting_key(key: &GreyKey) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    hasher.update(key.sender.as_bytes());
    hasher.update(&[0]);
    hasher.update(key.domain.as_bytes());
    let digest = hasher.finalize();
    waiting_of(&key.origin).bytes(digest.as_bytes().first_chunk::<16>().map_or(&[][..], <[u8; 16]>::as_slice)).done()
}

fn passed_key(origin: &Origin) -> Vec<u8> {
    kind(PASSED).bytes(&octets(origin)).done()
}

fn totals_key() -> Vec<u8> {
    kind(TOTALS).done()
}

/// The order of its kind has the rest of the row's key behind the time.
fn order_key(until: Timestamp, row: &[u8]) -> Vec<u8> {
    let order = if kind_of(row) == Some(PASSED) { PASSED_ORDER } else { WAITING_ORDER };
    kind(order).time(until).bytes(row.get(HEAD..).unwrap_or_default()).done()
}

/// The time and the row of a key in the order.
fn row_of(order: &[u8]) -> Option<(Timestamp, Vec<u8>)> {
    let behind = order.get(HEAD.saturating_add(1)..)?;
    let (time, row) = behind.split_first_chunk::<8>()?;
    let until = Timestamp(i64::try_from(u64::from_be_bytes(*time)).ok()?);
    Some((until, Key::global(Table::Greylist).bytes(row).done()))
}

/// What kind of row a key has.
fn kind_of(key: &[u8]) -> Option<u8> {
    key.get(HEAD).copied()
}

fn misplaced_order() -> StorageError {
    StorageError::corrupt("the order of the greylist")
}

fn decode_grey(value: &[u8]) -> Result<Grey, StorageError> {
    rows::decode(VERSION, "an attempt on the greylist", value)
}

fn decode_pass(value: &[u8]) -> Result<GreyPass, StorageError> {
    rows::decode(VERSION, "where something has come again from", value)
}

fn decode_totals(value: &[u8]) -> Result<Totals, StorageError> {
    rows::decode(VERSION, "the totals of the greylist", value)
}

/// For the check: what a row is, by its key and value.
pub(crate) fn row(key: &[u8], value: &[u8]) -> Result<OrderedRow, StorageError> {
    let misplaced = || StorageError::corrupt("it is not under its own key");
    match kind_of(key) {
        Some(WAITING) => {
            let grey = decode_grey(value)?;
            if waiting_key(&grey.key) != key {
                return Err(misplaced());
            }
            Ok(OrderedRow::Kept { kind: 0, order: order_key(grey.until, key) })
        }
        Some(PASSED) => {
            let pass = decode_pass(value)?;
            if passed_key(&pass.origin) != key {
                return Err(misplaced());
            }
            Ok(OrderedRow::Kept { kind: 1, order: order_key(pass.until, key) })
        }
        Some(order @ (WAITING_ORDER | PASSED_ORDER)) => {
            let (_, of) = row_of(key).ok_or_else(misplaced)?;
            match (order, kind_of(&of)) {
                (WAITING_ORDER, Some(WAITING)) => Ok(OrderedRow::Order { kind: 0 }),
                (PASSED_ORDER, Some(PASSED)) => Ok(OrderedRow::Order { kind: 1 }),
                _ => Err(misplaced()),
            }
        }
        Some(TOTALS) => {
            let totals = decode_totals(value)?;
            Ok(OrderedRow::Totals([totals.waiting, totals.passed]))
        }
        Some(_) | None => Err(misplaced()),
    }
}

/// What is known is written anew once in this time.
const REFRESH: std::time::Duration = std::time::Duration::from_secs(86_400);

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use mail::{Address, Domain};
    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::{MemoryEngine, SilentDoorbell};

    const MINUTE: Duration = Duration::from_secs(60);
    const DAY: Duration = Duration::from_secs(86_400);

    async fn store() -> (SimulatedWorld, Store) {
        let world = SimulatedWorld::new(Timestamp(1_700_000_000_000), 7);
        let store = Store::open(Arc::new(MemoryEngine::new(Arc::new(SilentDoorbell))), world.world()).await.unwrap();
        (world, store)
    }

    fn key(network: &str, sender: &str) -> GreyKey {
        let sender = Address::parse(sender).unwrap();
        GreyKey::of(network.parse().unwrap(), Some(&sender), &Domain::parse("near.example").unwrap())
    }

    async fn sound(store: &Store) {
        let checked = crate::check::check(store, true, &mut |finding| panic!("{finding}")).await.unwrap();
        assert_eq!(checked.findings, 0);
    }

    #[tokio::test]
    async fn who_comes_again_is_let_in_and_known() {
        let (world, store) = store().await;
        let settings = GreylistSettings::default();
        let asked =
            async |network: &str, sender: &str| store.greylist(vec![key(network, sender)], settings).await.unwrap();
        assert_eq!(asked("192.0.2.1", "zoe@far.example").await, GreyAnswer::Asked(Greylisted::First));
        world.clock.advance(MINUTE);
        let early = Greylisted::TooEarly(MINUTE * 4);
        assert_eq!(
            asked("192.0.2.9", "zoe@far.example").await,
            GreyAnswer::Asked(early),
            "another address of the network"
        );
        assert_eq!(asked("192.0.2.1", "max@far.example").await, GreyAnswer::Asked(Greylisted::First));
        sound(&store).await;
        world.clock.advance(MINUTE * 4);
        assert_eq!(asked("192.0.2.1", "zoe@far.example").await, GreyAnswer::Asked(Greylisted::Passed(MINUTE * 5)));
        assert_eq!(asked("192.0.2.1", "max@far.example").await, GreyAnswer::Known);
        assert_eq!(asked("192.0.3.1", "zoe@far.example").await, GreyAnswer::Asked(Greylisted::First));
        sound(&store).await;
        let pass = store.grey_pass(&"192.0.2.77".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((pass.sender.as_str(), pass.origin.to_string().as_str()), ("zoe@far.example", "192.0.2.0/24"));
        // It is known for 35 days after it came last.
        world.clock.advance(DAY * 30);
        assert_eq!(asked("192.0.2.1", "ida@far.example").await, GreyAnswer::Known);
        world.clock.advance(DAY * 30);
        assert_eq!(asked("192.0.2.1", "ida@far.example").await, GreyAnswer::Known);
        world.clock.advance(DAY * 35);
        assert_eq!(asked("192.0.2.1", "ida@far.example").await, GreyAnswer::Asked(Greylisted::First));
        sound(&store).await;
        world.clock.advance(DAY * 2);
        store.sweep_greylist().await.unwrap();
        assert!(store.grey_waiting(None, 9).await.unwrap().is_empty());
        assert!(store.grey_passes(9).await.unwrap().is_empty());
        sound(&store).await;
    }

    #[tokio::test]
    async fn a_network_that_writes_as_many_counts_as_one() {
        let (world, store) = store().await;
        let settings = GreylistSettings::default();
        for n in 0..1_000_u32 {
            // Names without digits, which would be left out.
            let sender: String = n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
            let answer =
                store.greylist(vec![key("192.0.2.1", &format!("{sender}@far.example"))], settings).await.unwrap();
            let first = n <= 100;
            assert_eq!(answer == GreyAnswer::Asked(Greylisted::First), first, "{n}");
        }
        assert_eq!(store.grey_waiting(None, 9_999).await.unwrap().len(), GREY_OF_NETWORK_MAX + 1);
        // Others have their room.
        let other = store.greylist(vec![key("198.51.100.1", "zoe@far.example")], settings).await.unwrap();
        assert_eq!(other, GreyAnswer::Asked(Greylisted::First));
        sound(&store).await;
        world.clock.advance(MINUTE * 5);
        let again = store.greylist(vec![key("192.0.2.1", "one-more@far.example")], settings).await.unwrap();
        assert_eq!(again, GreyAnswer::Asked(Greylisted::Passed(MINUTE * 5)));
        let network: Origin = "192.0.2.1".parse().unwrap();
        let gone = store.transact(move |tx| tx.forget_grey(&network)).await.unwrap().value;
        assert_eq!(gone, GREY_OF_NETWORK_MAX + 1);
        assert_eq!(store.grey_waiting(None, 9).await.unwrap().len(), 1);
        sound(&store).await;
    }

    #[tokio::test]
    async fn what_is_full_lets_in_and_the_first_known_make_room() {
        let (world, store) = store().await;
        let settings = GreylistSettings::default();
        let bounds = Bounds { waiting: 3, of_network: 2, passed: 2 };
        let asked = async |network: u32| {
            let (key, now) = (key(&format!("10.0.{network}.1"), "zoe@far.example"), store.now());
            store
                .transact(move |tx| tx.greylist_within(std::slice::from_ref(&key), now, &settings, bounds))
                .await
                .unwrap()
                .value
        };
        for network in 0..3 {
            assert_eq!(asked(network).await, GreyAnswer::Asked(Greylisted::First));
        }
        assert_eq!(asked(3).await, GreyAnswer::Full);
        // From now on nobody looks for what is over before something can be.
        let totals = store.engine.get(&totals_key()).await.unwrap().unwrap();
        assert_eq!(decode_totals(&totals).unwrap().ends_from, Some(store.now().plus(settings.window)));
        sound(&store).await;
        world.clock.advance(MINUTE * 5);
        for network in 0..3 {
            assert!(matches!(asked(network).await, GreyAnswer::Asked(Greylisted::Passed(_))));
            world.clock.advance(MINUTE);
        }
        let known: Vec<String> =
            store.grey_passes(9).await.unwrap().iter().map(|pass| pass.origin.to_string()).collect();
        assert_eq!(known, ["10.0.1.0/24", "10.0.2.0/24"]);
        sound(&store).await;
        // What is over makes room by itself.
        for network in 10..13 {
            assert_eq!(asked(network).await, GreyAnswer::Asked(Greylisted::First));
        }
        world.clock.advance(DAY * 2);
        assert_eq!(asked(13).await, GreyAnswer::Asked(Greylisted::First));
        sound(&store).await;
    }

    /// By the network of a client, and by the domain whose server it is.
    fn keys(ip: &str, pool: Option<&str>, sender: &str) -> Vec<GreyKey> {
        let sender = Address::parse(sender).unwrap();
        let pool = pool.map(|pool| Domain::parse(pool).unwrap());
        GreyKey::all(ip.parse().unwrap(), pool, Some(&sender), &Domain::parse("near.example").unwrap())
    }

    #[tokio::test]
    async fn a_server_of_the_same_domain_comes_again_from_another_network() {
        let (world, store) = store().await;
        let settings = GreylistSettings::default();
        let asked = async |ip: &str, pool: Option<&str>, sender: &str| {
            store.greylist(keys(ip, pool, sender), settings).await.unwrap()
        };
        let far = Some("far.example");
        assert_eq!(asked("192.0.2.1", far, "zoe@far.example").await, GreyAnswer::Asked(Greylisted::First));
        world.clock.advance(MINUTE);
        // The second attempt is that of the domain, though its network is new.
        let early = |minutes: u32| GreyAnswer::Asked(Greylisted::TooEarly(MINUTE * minutes));
        assert_eq!(asked("198.51.100.1", far, "zoe@far.example").await, early(4));
        sound(&store).await;
        world.clock.advance(MINUTE * 4);
        let passed = GreyAnswer::Asked(Greylisted::Passed(MINUTE * 5));
        assert_eq!(asked("203.0.113.1", far, "zoe@far.example").await, passed);
        sound(&store).await;
        // The domain is known, whoever writes and from wherever it sends.
        assert_eq!(asked("10.0.0.1", far, "max@far.example").await, GreyAnswer::Known);
        let pass = store.grey_pass(&"far.example".parse().unwrap()).await.unwrap().unwrap();
        assert_eq!((pass.origin.to_string().as_str(), pass.sender.as_str()), ("far.example", "zoe@far.example"));
        // Nobody else is: not its networks, and not who only says to be it.
        assert_eq!(store.grey_passes(9).await.unwrap().len(), 1);
        assert_eq!(asked("203.0.113.1", None, "zoe@far.example").await, GreyAnswer::Asked(Greylisted::First));
        assert_eq!(asked("10.0.0.1", None, "max@far.example").await, GreyAnswer::Asked(Greylisted::First));
        assert_eq!(asked("10.0.0.1", Some("other.example"), "max@far.example").await, early(5));
        sound(&store).await;
        // It is known as long as a network is.
        world.clock.advance(DAY * 34);
        assert_eq!(asked("10.0.9.1", far, "ida@far.example").await, GreyAnswer::Known);
        world.clock.advance(DAY * 34);
        assert_eq!(asked("10.0.9.1", far, "ida@far.example").await, GreyAnswer::Known);
        let gone: Origin = "far.example".parse().unwrap();
        assert_eq!(store.transact(move |tx| tx.forget_grey(&gone)).await.unwrap().value, 1);
        assert_eq!(asked("10.0.9.1", far, "ida@far.example").await, GreyAnswer::Asked(Greylisted::First));
        sound(&store).await;
    }

    #[tokio::test]
    async fn who_comes_again_from_the_same_network_is_known_by_both() {
        let (world, store) = store().await;
        let settings = GreylistSettings::default();
        let asked = async |ip: &str, pool: Option<&str>| {
            store.greylist(keys(ip, pool, "zoe@far.example"), settings).await.unwrap()
        };
        // SPF was not known in time at first, and then it was; and the other way round.
        for (ip, pools, known) in [
            ("192.0.2.1", [None, Some("far.example")], vec!["192.0.2.0/24"]),
            ("198.51.100.1", [Some("fair.example"), None], vec!["192.0.2.0/24", "198.51.100.0/24"]),
            (
                "203.0.113.1",
                [Some("fine.example"), Some("fine.example")],
                vec!["192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "fine.example"],
            ),
        ] {
            let [first, second] = pools;
            assert_eq!(asked(ip, first).await, GreyAnswer::Asked(Greylisted::First));
            world.clock.advance(MINUTE * 5);
            assert_eq!(asked(ip, second).await, GreyAnswer::Asked(Greylisted::Passed(MINUTE * 5)), "{ip}");
            let passes = store.grey_passes(9).await.unwrap();
            assert_eq!(passes.iter().map(|pass| pass.origin.to_string()).collect::<Vec<_>>(), known);
            sound(&store).await;
        }
    }

    #[tokio::test]
    async fn naming_domains_makes_no_more_rows_than_a_network_may_have() {
        let (_, store) = store().await;
        let settings = GreylistSettings::default();
        for n in 0..1_000_u32 {
            let name: String = n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
            let domain = format!("{name}.example");
            let keys = keys("192.0.2.1", Some(&domain), &format!("zoe@{domain}"));
            store.greylist(keys, settings).await.unwrap();
        }
        let waiting = store.grey_waiting(None, 9_999).await.unwrap();
        assert_eq!(
            waiting.len(),
            2 * GREY_OF_NETWORK_MAX + 1,
            "the network's, as many domains, and all else of the network"
        );
        // Bounces have no sender by which they could be told apart.
        let bounces = |domain: &str| {
            let pool = Domain::parse(domain).unwrap();
            GreyKey::all("198.51.100.1".parse().unwrap(), Some(pool), None, &Domain::parse("near.example").unwrap())
        };
        for domain in ["far.example", "fair.example", "fine.example"] {
            store.greylist(bounces(domain), settings).await.unwrap();
        }
        assert_eq!(
            store.grey_waiting(None, 9_999).await.unwrap().len(),
            waiting.len() + 2,
            "the network's, and the first domain's"
        );
        // A domain that writes as many counts as one as well, wherever it writes from.
        let far: Origin = "far.example".parse().unwrap();
        for n in 0..1_000_u32 {
            let name: String = n.to_string().bytes().map(|digit| char::from(digit - b'0' + b'a')).collect();
            let ip = format!("10.{}.{}.1", n / 50, n % 50);
            store.greylist(keys(&ip, Some("far.example"), &format!("{name}@far.example")), settings).await.unwrap();
        }
        assert_eq!(store.grey_waiting(Some(&far), 9_999).await.unwrap().len(), GREY_OF_NETWORK_MAX + 1);
        sound(&store).await;
    }

    #[tokio::test]
    async fn when_it_is_full_who_waits_already_waits_on() {
        let (world, store) = store().await;
        let settings = GreylistSettings::default();
        let bounds = Bounds { waiting: 3, of_network: 2, passed: 2 };
        let asked = async |ip: &str, pool: Option<&str>| {
            let (keys, now) = (keys(ip, pool, "zoe@far.example"), store.now());
            store.transact(move |tx| tx.greylist_within(&keys, now, &settings, bounds)).await.unwrap().value
        };
        assert_eq!(asked("10.0.0.1", Some("far.example")).await, GreyAnswer::Asked(Greylisted::First));
        assert_eq!(
            asked("10.0.1.1", Some("fair.example")).await,
            GreyAnswer::Asked(Greylisted::First),
            "half of it has room"
        );
        assert_eq!(asked("10.0.2.1", Some("fine.example")).await, GreyAnswer::Full);
        world.clock.advance(MINUTE);
        let early = GreyAnswer::Asked(Greylisted::TooEarly(MINUTE * 4));
        assert_eq!(asked("10.0.3.1", Some("far.example")).await, early);
        sound(&store).await;
    }

    #[tokio::test]
    async fn whatever_comes_in_whatever_order_is_counted_and_in_order() {
        let (world, store) = store().await;
        let settings = GreylistSettings::default();
        let bounds = Bounds { waiting: 6, of_network: 2, passed: 3 };
        let chance = world.world().chance;
        let one_of = |n: u64| usize::try_from(chance.number() % n).unwrap();
        for step in 0..3_000 {
            let ip = format!("10.0.{}.1", one_of(4));
            let pool = [None, Some("far.example"), Some("fair.example")][one_of(3)];
            let keys = keys(&ip, pool, &format!("{}@far.example", ["zoe", "max", "ida"][one_of(3)]));
            let now = store.now();
            store.transact(move |tx| tx.greylist_within(&keys, now, &settings, bounds)).await.unwrap();
            world.clock.advance([MINUTE, MINUTE * 4, DAY / 2, DAY * 20][[0, 1, 1, 2, 3][one_of(5)]]);
            if step % 25 == 0 {
                sound(&store).await;
            }
        }
        assert!(store.grey_waiting(None, 9_999).await.unwrap().len() <= 6);
        assert!(store.grey_passes(9_999).await.unwrap().len() <= 3);
    }

    /// Rows of before there were domains are those of networks.
    #[tokio::test]
    async fn rows_of_networks_are_as_they_were() {
        #[derive(Serialize)]
        struct Before {
            network: reputation::Network,
            sender: String,
            domain: String,
            first: Timestamp,
            last: Timestamp,
            tries: u32,
            until: Timestamp,
        }
        let at = Timestamp(1_700_000_000_000);
        let (sender, domain) = ("zoe@far.example".to_owned(), "near.example".to_owned());
        let network = "192.0.2.0/24".parse().unwrap();
        let before = Before { network, sender, domain, first: at, last: at, tries: 1, until: at };
        let value = rows::encode(VERSION, &before).unwrap();
        let grey = decode_grey(&value).unwrap();
        assert_eq!((grey.key.clone(), grey.until), (key("192.0.2.0/24", "zoe@far.example"), at));
        assert_eq!(rows::encode(VERSION, &grey).unwrap(), value);
        let head = [kind(WAITING).done(), network.octets().to_vec()].concat();
        assert!(waiting_key(&grey.key).starts_with(&head));
        let unsound = row(&waiting_key(&key("192.0.3.0/24", "zoe@far.example")), &value);
        assert!(unsound.is_err(), "it is not under its own key");
    }
}
