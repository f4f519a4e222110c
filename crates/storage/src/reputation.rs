//! What became of former mail, by sender, and who sent a message: see [`reputation::standing`].
//!
//! Rows of one table, in nobody's part: `s` + sender → [`Standing`], `t` + day + sender → nothing (the order of the last change), `m` +
//! content hash → who sent the message, `o` + day + content hash → nothing (the order in which that is forgotten), `n` → how many there
//! are. Bounded in number: what nothing happened to for longest makes room, some hundred rows at once, and what is old goes by a sweep: who
//! looks for the oldest row steps over all that was removed before it, which is not to be done for each message.
//!
//! A row that can't be read is as good as none: nothing is known of its sender, which is logged, and the next that is written stands in its
//! place. Mail waits for none of this. `check` reports it as long as it is there.
//!
//! **Invariant:** what became of a message is counted by the transaction that it became of: its delivery, or the lesson that somebody's
//! word is. So nothing is counted twice.

use bytes::Bytes;
use mail::{BlobHash, Timestamp};
use reputation::network::Network;
use reputation::standing::{Sender, Standing, What};
use serde::{Deserialize, Serialize};

use crate::check::OrderedRow;
use crate::engine::{Durability, Order};
use crate::error::StorageError;
use crate::keys::{HEAD, Key, Table, middle, tail};
use crate::limits::{
    REPUTATION_ROOM_PART, REPUTATION_SWEPT_AT_ONCE, SENDER_NOTE_DAYS, SENDER_NOTES_MAX, SENDERS_OF_MESSAGE_MAX,
    STANDING_DAYS, STANDINGS_MAX,
};
use crate::rows;
use crate::store::Store;
use crate::transaction::Transaction;

/// Who sent a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct SenderNote {
    /// On which day it came, counted from 1970.
    day: u32,
    senders: Vec<Sender>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Totals {
    standings: u32,
    notes: u32,
}

/// The bounds, which tests make narrower.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    standings: u32,
    notes: u32,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { standings: STANDINGS_MAX, notes: SENDER_NOTES_MAX }
    }
}

const VERSION: u8 = 1;
const STANDING: u8 = b's';
const STANDING_ORDER: u8 = b't';
const NOTE: u8 = b'm';
const NOTE_ORDER: u8 = b'o';
const TOTALS: u8 = b'n';

/// Days around those of an order in which a row may be as well.
const DAYS_AROUND: u32 = 7;

impl Transaction<'_> {
    /// Counts what became of a message, for each of its senders.
    ///
    /// # Errors
    /// When reading fails.
    pub fn count_standing(&mut self, senders: &[Sender], what: What, now: Timestamp) -> Result<(), StorageError> {
        let change = |standing: Standing| standing.with(what, now);
        self.change_standings(senders, now, Bounds::default(), change)
    }

    /// Notes who sent a message, so that what people say of it counts for them.
    ///
    /// # Errors
    /// When reading fails.
    pub fn note_senders(&mut self, blob: &BlobHash, senders: &[Sender], now: Timestamp) -> Result<(), StorageError> {
        self.note_senders_within(blob, senders, now, Bounds::default())
    }

    fn note_senders_within(
        &mut self,
        blob: &BlobHash,
        senders: &[Sender],
        now: Timestamp,
        bounds: Bounds,
    ) -> Result<(), StorageError> {
        if senders.is_empty() {
            return Ok(());
        }
        let today = day(now);
        let mut totals = self.reputation_totals()?;
        match self.get(&note_key(blob))?.map(|value| decode_note(&value)) {
            // The same content again is the same message: its first senders stay.
            Some(Ok(_)) => return Ok(()),
            Some(Err(error)) => {
                tracing::warn!(%error, "who sent a message can't be read: it is written anew");
                self.forget_order(now, SENDER_NOTE_DAYS, |day| note_order_key(day, blob))?;
            }
            None => {
                if totals.notes >= bounds.notes {
                    let gone = self.forget_oldest(NOTE_ORDER, u32::MAX, room(bounds.notes))?;
                    totals.notes = totals.notes.saturating_sub(gone);
                }
                totals.notes = totals.notes.saturating_add(1);
            }
        }
        let senders = senders.iter().take(SENDERS_OF_MESSAGE_MAX).cloned().collect();
        self.put(note_key(blob), rows::encode(VERSION, &SenderNote { day: today, senders })?);
        self.put(note_order_key(today, blob), Bytes::new());
        self.put(totals_key(), rows::encode(VERSION, &totals)?);
        Ok(())
    }

    /// Somebody says of a message what it is; `before`: what they said of it before, which is taken back.
    pub(crate) fn said_of_senders(
        &mut self,
        blob: &BlobHash,
        before: Option<bool>,
        spam: bool,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let Some(value) = self.get(&note_key(blob))? else { return Ok(()) };
        let note = match decode_note(&value) {
            Ok(note) => note,
            Err(error) => {
                tracing::warn!(%error, "who sent a message can't be read: what is said of it counts for nobody");
                return Ok(());
            }
        };
        let what = |spam: bool| if spam { What::SaidSpam } else { What::SaidHam };
        let change = |standing: Standing| {
            let without = before.map_or(standing, |before| standing.without(what(before), now));
            without.with(what(spam), now)
        };
        self.change_standings(&note.senders, now, Bounds::default(), change)
    }

    fn change_standings(
        &mut self,
        senders: &[Sender],
        now: Timestamp,
        bounds: Bounds,
        change: impl Fn(Standing) -> Standing,
    ) -> Result<(), StorageError> {
        for sender in senders.iter().take(SENDERS_OF_MESSAGE_MAX) {
            let name = sender.key();
            let key = standing_key(&name);
            let before = match self.get(&key)?.map(|value| decode_standing(&value)) {
                Some(Ok(before)) => {
                    self.delete(standing_order_key(day(before.at), &name));
                    before
                }
                Some(Err(error)) => {
                    unreadable(sender, &error);
                    self.forget_order(now, STANDING_DAYS, |day| standing_order_key(day, &name))?;
                    Standing::default()
                }
                None => {
                    self.count_standings(bounds)?;
                    Standing::default()
                }
            };
            let after = change(before);
            // A clock that was set back leaves the time where it was.
            self.put(standing_order_key(day(after.at), &name), Bytes::new());
            self.put(key, rows::encode(VERSION, &after)?);
        }
        Ok(())
    }

    /// Counts one standing more, and makes room for it.
    fn count_standings(&mut self, bounds: Bounds) -> Result<(), StorageError> {
        let mut totals = self.reputation_totals()?;
        if totals.standings >= bounds.standings {
            let gone = self.forget_oldest(STANDING_ORDER, u32::MAX, room(bounds.standings))?;
            totals.standings = totals.standings.saturating_sub(gone);
        }
        totals.standings = totals.standings.saturating_add(1);
        self.put(totals_key(), rows::encode(VERSION, &totals)?);
        Ok(())
    }

    /// Removes the places in an order of something whose day can't be read: on any of the days on which it can be.
    fn forget_order(&mut self, now: Timestamp, days: u32, key: impl Fn(u32) -> Vec<u8>) -> Result<(), StorageError> {
        let today = day(now);
        // What is over waits for a sweep, and a clock may have been set back.
        for day in today.saturating_sub(days.saturating_add(DAYS_AROUND))..=today.saturating_add(DAYS_AROUND) {
            let key = key(day);
            if self.get(&key)?.is_some() {
                self.delete(key);
            }
        }
        Ok(())
    }

    /// Removes the first rows of an order, of days before one, with what they are the order of. Gives how many; the totals are the caller's.
    fn forget_oldest(&mut self, order: u8, before: u32, most: usize) -> Result<u32, StorageError> {
        let misplaced = || StorageError::corrupt("the order of standings and of the senders of messages");
        let mut gone = 0_u32;
        for (key, _) in self.scan(&kind(order).range(), Order::Ascending, most)? {
            if day_of(&key).ok_or_else(misplaced)? >= before {
                break;
            }
            let of = match order {
                NOTE_ORDER => note_key(&BlobHash(tail::<32>(&key).ok_or_else(misplaced)?)),
                _ => standing_key(&name_of(&key).ok_or_else(misplaced)?),
            };
            self.delete(of);
            self.delete(key.to_vec());
            gone = gone.saturating_add(1);
        }
        Ok(gone)
    }

    /// Removes some of what is too old to weigh anything. Gives how many rows went.
    fn sweep_standings(&mut self, now: Timestamp) -> Result<u32, StorageError> {
        let today = day(now);
        let of_notes = today.saturating_sub(SENDER_NOTE_DAYS);
        let notes = self.forget_oldest(NOTE_ORDER, of_notes, REPUTATION_SWEPT_AT_ONCE)?;
        let of_standings = today.saturating_sub(STANDING_DAYS);
        let standings = self.forget_oldest(STANDING_ORDER, of_standings, REPUTATION_SWEPT_AT_ONCE)?;
        if notes > 0 || standings > 0 {
            let mut totals = self.reputation_totals()?;
            totals.notes = totals.notes.saturating_sub(notes);
            totals.standings = totals.standings.saturating_sub(standings);
            self.put(totals_key(), rows::encode(VERSION, &totals)?);
        }
        Ok(notes.saturating_add(standings))
    }

    /// Forgets the standing of a sender. `false`: there was none.
    ///
    /// # Errors
    /// When reading fails.
    pub fn forget_standing(&mut self, sender: &Sender, now: Timestamp) -> Result<bool, StorageError> {
        let name = sender.key();
        let Some(value) = self.get(&standing_key(&name))? else { return Ok(false) };
        match decode_standing(&value) {
            Ok(standing) => self.delete(standing_order_key(day(standing.at), &name)),
            Err(error) => {
                unreadable(sender, &error);
                self.forget_order(now, STANDING_DAYS, |day| standing_order_key(day, &name))?;
            }
        }
        self.delete(standing_key(&name));
        let mut totals = self.reputation_totals()?;
        totals.standings = totals.standings.saturating_sub(1);
        self.put(totals_key(), rows::encode(VERSION, &totals)?);
        Ok(true)
    }

    /// How many there are. When that can't be read it is counted anew from nothing: rows go when they are old, as always.
    fn reputation_totals(&self) -> Result<Totals, StorageError> {
        let Some(value) = self.get(&totals_key())? else { return Ok(Totals::default()) };
        Ok(decode_totals(&value).unwrap_or_else(|error| {
            tracing::warn!(%error, "how many standings there are can't be read: they are counted anew");
            Totals::default()
        }))
    }
}

impl Store {
    /// The standing of a sender; the default when nothing is known.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn standing(&self, sender: &Sender) -> Result<Standing, StorageError> {
        let value = self.engine.get(&standing_key(&sender.key())).await?;
        Ok(value.map(|value| readable(sender, &value)).unwrap_or_default())
    }

    /// The standings of those who wrote from a network without anything that stands behind them, up to so many.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn standings_of(&self, network: Network, limit: usize) -> Result<Vec<(Sender, Standing)>, StorageError> {
        let range = kind(STANDING).bytes(Sender::keys_of(network).as_bytes()).range();
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        let read = |(key, value): &(Bytes, Bytes)| {
            let sender =
                text_of(key).and_then(Sender::parse).ok_or_else(|| StorageError::corrupt("a standing's key"))?;
            let standing = readable(&sender, value);
            Ok((sender, standing))
        };
        rows.iter().map(read).collect()
    }

    /// Counts what became of a message that is not kept. Written without waiting for the disk: no promise hangs on it.
    ///
    /// # Errors
    /// The engine's.
    pub async fn count_standing_lightly(&self, senders: Vec<Sender>, what: What) -> Result<(), StorageError> {
        let now = self.now();
        let body = move |tx: &mut Transaction<'_>| tx.count_standing(&senders, what, now);
        self.transact_with(Durability::Relaxed, body).await?;
        Ok(())
    }

    /// Removes what is too old to weigh anything. Returns how many rows went.
    ///
    /// # Errors
    /// The engine's.
    pub async fn sweep_standings(&self) -> Result<u32, StorageError> {
        let mut all = 0_u32;
        loop {
            let now = self.now();
            let sweep = move |tx: &mut Transaction<'_>| tx.sweep_standings(now);
            let gone = self.transact_with(Durability::Relaxed, sweep).await?.value;
            all = all.saturating_add(gone);
            if gone == 0 {
                return Ok(all);
            }
        }
    }
}

/// How many rows make room for one more, of so many at the most.
const fn room(most: u32) -> usize {
    let part = most / REPUTATION_ROOM_PART;
    if part == 0 { 1 } else { part as usize }
}

/// Days since 1970.
fn day(at: Timestamp) -> u32 {
    u32::try_from(at.as_secs().div_euclid(86_400)).unwrap_or(0)
}

fn kind(kind: u8) -> Key {
    Key::global(Table::Reputation).u8(kind)
}

fn standing_key(name: &str) -> Vec<u8> {
    kind(STANDING).bytes(name.as_bytes()).done()
}

fn standing_order_key(day: u32, name: &str) -> Vec<u8> {
    kind(STANDING_ORDER).u32(day).bytes(name.as_bytes()).done()
}

fn note_key(blob: &BlobHash) -> Vec<u8> {
    kind(NOTE).bytes(&blob.0).done()
}

fn note_order_key(day: u32, blob: &BlobHash) -> Vec<u8> {
    kind(NOTE_ORDER).u32(day).bytes(&blob.0).done()
}

fn totals_key() -> Vec<u8> {
    kind(TOTALS).done()
}

/// The day of a key in an order.
fn day_of(key: &[u8]) -> Option<u32> {
    middle::<4>(key, HEAD.saturating_add(1)).map(u32::from_be_bytes)
}

/// The sender of a key in the order of standings.
fn name_of(key: &[u8]) -> Option<String> {
    let name = key.get(HEAD.saturating_add(5)..)?;
    String::from_utf8(name.to_vec()).ok()
}

/// What stands behind the kind of a key.
fn text_of(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(HEAD.saturating_add(1)..)?).ok()
}

fn decode_standing(value: &[u8]) -> Result<Standing, StorageError> {
    rows::decode(VERSION, "a standing", value)
}

/// A standing; the default when it can't be read.
fn readable(sender: &Sender, value: &[u8]) -> Standing {
    decode_standing(value).unwrap_or_else(|error| {
        unreadable(sender, &error);
        Standing::default()
    })
}

fn unreadable(sender: &Sender, error: &StorageError) {
    tracing::warn!(%sender, %error, "a standing can't be read: nothing is known of the sender until one is written");
}

fn decode_note(value: &[u8]) -> Result<SenderNote, StorageError> {
    rows::decode(VERSION, "the senders of a message", value)
}

fn decode_totals(value: &[u8]) -> Result<Totals, StorageError> {
    rows::decode(VERSION, "the totals of standings", value)
}

/// For the check: what a row is, by its key and value.
pub(crate) fn row(key: &[u8], value: &[u8]) -> Result<OrderedRow, StorageError> {
    let misplaced = || StorageError::corrupt("it is not under its own key");
    match key.get(HEAD) {
        Some(&STANDING) => {
            let name = text_of(key).filter(|name| Sender::parse(name).is_some()).ok_or_else(misplaced)?;
            let order = standing_order_key(day(decode_standing(value)?.at), name);
            Ok(OrderedRow::Kept { kind: 0, order })
        }
        Some(&NOTE) => {
            let blob = BlobHash(tail(key).ok_or_else(misplaced)?);
            Ok(OrderedRow::Kept { kind: 1, order: note_order_key(decode_note(value)?.day, &blob) })
        }
        Some(&STANDING_ORDER) => Ok(OrderedRow::Order { kind: 0 }),
        Some(&NOTE_ORDER) => Ok(OrderedRow::Order { kind: 1 }),
        Some(&TOTALS) => {
            let totals = decode_totals(value)?;
            Ok(OrderedRow::Totals([totals.standings, totals.notes]))
        }
        Some(_) | None => Err(misplaced()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use mail::AccountId;
    use reputation::standing::Rating;
    use routing::objects::{AccountObject, DomainObject, Object};
    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::objects::PutMode;
    use crate::spam::Lesson;
    use crate::{MemoryEngine, SilentDoorbell};

    const DAY: Duration = Duration::from_secs(86_400);

    async fn store() -> (SimulatedWorld, Store) {
        let world = SimulatedWorld::new(Timestamp(1_700_000_000_000), 7);
        let store = Store::open(Arc::new(MemoryEngine::new(Arc::new(SilentDoorbell))), world.world()).await.unwrap();
        (world, store)
    }

    fn sender(domain: &str) -> Sender {
        Sender::Domain(domain.parse().unwrap())
    }

    async fn sound(store: &Store) {
        let checked = crate::check::check(store, true, &mut |finding| panic!("{finding}")).await.unwrap();
        assert_eq!(checked.findings, 0);
    }

    #[tokio::test]
    async fn what_became_of_mail_is_counted_by_sender() {
        let (world, store) = store().await;
        let network: Network = "192.0.2.0/24".parse().unwrap();
        let claimed = Sender::Network(network, Some("bank.example".parse().unwrap()));
        let senders = vec![sender("far.example"), claimed.clone()];
        for days in 0..6 {
            let (senders, now) = (senders.clone(), store.now());
            store.transact(move |tx| tx.count_standing(&senders, What::Kept, now)).await.unwrap();
            world.clock.advance(DAY);
            assert_eq!(
                store.standing(&sender("far.example")).await.unwrap().rating(store.now()) == Rating::Good,
                days == 5
            );
        }
        store.count_standing_lightly(vec![claimed.clone()], What::Refused).await.unwrap();
        let of_network = store.standings_of(network, 9).await.unwrap();
        assert_eq!((of_network.len(), &of_network[0].0, of_network[0].1.refused), (1, &claimed, 1_000));
        sound(&store).await;
        let (gone, now) = (claimed.clone(), store.now());
        assert!(store.transact(move |tx| tx.forget_standing(&gone, now)).await.unwrap().value);
        assert_eq!(store.standing(&claimed).await.unwrap(), Standing::default());
        sound(&store).await;
    }

    #[tokio::test]
    async fn what_nothing_happened_to_for_longest_makes_room() {
        let (world, store) = store().await;
        let bounds = Bounds { standings: 3, notes: 2 };
        let count = async |name: &str| {
            let (senders, now) = ([sender(&format!("{name}.example"))], store.now());
            let hash = BlobHash(*blake3::hash(name.as_bytes()).as_bytes());
            let body = move |tx: &mut Transaction<'_>| {
                tx.note_senders_within(&hash, &senders, now, bounds)?;
                tx.change_standings(&senders, now, bounds, |standing| standing.with(What::Kept, now))
            };
            store.transact(body).await.unwrap();
            world.clock.advance(DAY);
        };
        for name in ["a", "b", "c", "a", "d"] {
            count(name).await;
            sound(&store).await;
        }
        let known = async |name: &str| {
            store.standing(&sender(&format!("{name}.example"))).await.unwrap() != Standing::default()
        };
        assert_eq!((known("a").await, known("b").await, known("c").await, known("d").await), (true, false, true, true));
        world.clock.advance(DAY * 300);
        assert_eq!(store.sweep_standings().await.unwrap(), 5, "three standings, and who sent two messages");
        count("e").await;
        assert_eq!((known("a").await, known("e").await), (false, true), "what weighs nothing is forgotten");
        sound(&store).await;
    }

    #[tokio::test]
    async fn what_people_say_counts_once_for_each_of_them() {
        let (_, store) = store().await;
        let domain = DomainObject::new("near.example".parse().unwrap());
        store.put_object(Object::Domain(domain), PutMode::Add).await.unwrap();
        let mut people = Vec::<AccountId>::new();
        for name in ["alice", "bob"] {
            let account = AccountObject::new(format!("{name}@near.example").parse().unwrap());
            people.push(store.add_account(account).await.unwrap().value.id);
        }
        let blob = BlobHash([7; 32]);
        let now = store.now();
        let note = move |tx: &mut Transaction<'_>| tx.note_senders(&blob, &[sender("far.example")], now);
        store.transact(note).await.unwrap();
        let said = async |who: usize, spam: bool, by_hand: bool| {
            let lesson = Lesson {
                blob,
                tokens: Arc::new([]),
                spam,
                by_hand,
                number: None,
                shared: false,
                said_at: by_hand.then_some(now),
            };
            store.learn(people[who], lesson).await.unwrap();
            let standing = store.standing(&sender("far.example")).await.unwrap();
            (standing.said_spam, standing.said_ham)
        };
        assert_eq!(said(0, false, false).await, (0, 0), "nobody said so");
        assert_eq!(said(0, true, true).await, (1_000, 0));
        assert_eq!(said(0, true, true).await, (1_000, 0), "the same again");
        assert_eq!(said(1, true, true).await, (2_000, 0));
        assert_eq!(said(0, false, true).await, (1_000, 1_000), "the last word counts");
        assert_eq!(said(0, true, true).await, (2_000, 0));
        sound(&store).await;
    }

    /// Damages a row, and sees that the check says so.
    async fn damaged(store: &Store, key: Vec<u8>) {
        let damage = move |tx: &mut Transaction<'_>| {
            tx.put(key.clone(), &b"\xff\xff"[..]);
            Ok(())
        };
        store.transact(damage).await.unwrap();
        let mut found = Vec::new();
        crate::check::check(store, true, &mut |finding| found.push(finding.to_string())).await.unwrap();
        assert!(found.iter().any(|finding| finding.contains("a row of standings")), "{found:?}");
    }

    #[tokio::test]
    async fn a_standing_that_cannot_be_read_is_nothing_known_and_is_replaced() {
        let (world, store) = store().await;
        let far = || sender("far.example");
        let count = async || {
            let now = store.now();
            store.transact(move |tx| tx.count_standing(&[far()], What::Kept, now)).await.unwrap();
            store.standing(&far()).await.unwrap().kept
        };
        // Written just now, some weeks ago, and longer ago than it weighs anything.
        for days in [0, 40, 243] {
            count().await;
            world.clock.advance(DAY * days);
            damaged(&store, standing_key(&far().key())).await;
            assert_eq!(store.standing(&far()).await.unwrap(), Standing::default());
            assert_eq!(count().await, 1_000, "after {days} days");
            sound(&store).await;
        }
        // It can be forgotten as well.
        damaged(&store, standing_key(&far().key())).await;
        let now = store.now();
        assert!(store.transact(move |tx| tx.forget_standing(&far(), now)).await.unwrap().value);
        sound(&store).await;
        // Of others nothing is lost.
        let network: Network = "192.0.2.0/24".parse().unwrap();
        let of_network =
            [Sender::Network(network, None), Sender::Network(network, Some("far.example".parse().unwrap()))];
        let all = of_network.clone();
        store.transact(move |tx| tx.count_standing(&all, What::Kept, now)).await.unwrap();
        damaged(&store, standing_key(&of_network[0].key())).await;
        let known = store.standings_of(network, 9).await.unwrap();
        assert_eq!(known.iter().map(|(_, standing)| standing.kept).collect::<Vec<_>>(), [0, 1_000]);
    }

    #[tokio::test]
    async fn who_sent_a_message_may_be_unreadable_too() {
        let (world, store) = store().await;
        let blob = BlobHash([7; 32]);
        let note = async |domain: &str| {
            let (senders, now) = ([sender(domain)], store.now());
            store.transact(move |tx| tx.note_senders(&blob, &senders, now)).await.unwrap();
        };
        note("far.example").await;
        damaged(&store, note_key(&blob)).await;
        let now = store.now();
        store.transact(move |tx| tx.said_of_senders(&blob, None, true, now)).await.unwrap();
        assert_eq!(store.standing(&sender("far.example")).await.unwrap(), Standing::default(), "it counts for nobody");
        world.clock.advance(DAY * 3);
        note("other.example").await;
        sound(&store).await;
        let now = store.now();
        store.transact(move |tx| tx.said_of_senders(&blob, None, true, now)).await.unwrap();
        assert_eq!(store.standing(&sender("other.example")).await.unwrap().said_spam, 1_000);
        sound(&store).await;
        // Nobody waits for the totals either.
        damaged(&store, totals_key()).await;
        note("third.example").await;
        store.transact(move |tx| tx.count_standing(&[sender("third.example")], What::Kept, now)).await.unwrap();
        assert_eq!(store.standing(&sender("third.example")).await.unwrap().kept, 1_000);
        world.clock.advance(DAY * 300);
        store.sweep_standings().await.unwrap();
        sound(&store).await;
    }
}
