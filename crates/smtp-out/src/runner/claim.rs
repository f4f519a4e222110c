//! Looks at the queue: which due entries are claimed, which wait for room, which are put off.
//!
//! What can't be claimed is remembered by its number ([`crate::backlog`]) and passed over from then on, until there is room for it; what finds
//! no room there either is found again by a look from the beginning.

use std::collections::HashMap;

use mail::{QueueId, Reply, Timestamp};
use queue::Pace;
use storage::rows::QueueRow;
use storage::{Durability, QueueMoves, StorageError, Transaction};

use super::Runner;
use crate::Context;
use crate::backlog::Waiting;
use crate::destination::Destination;
use crate::limits::{
    CLAIMED_MAX, CLAIMED_PER_DESTINATION_MAX, HELD_LOOK_EVERY, MOVED_LOOK_EVERY, PUT_OFF_AT_ONCE, SCAN_MAX, SCAN_PAGE,
    SCAN_PAGE_MAX, WHOLE_LOOK_EVERY, WRITTEN_WITHIN,
};
use crate::route::Route;
use crate::settle::put_off;

/// A place in the schedule.
type Place = (Timestamp, QueueId);

/// How far the schedule has been looked at.
#[derive(Debug, Default)]
pub(super) struct Looks {
    /// What was due before this place has been looked at; the next look goes on behind.
    looked_to: Option<Place>,
    /// When the schedule is looked at from its beginning again; `None`: at once.
    whole_look_at: Option<Timestamp>,
    /// How far such a look came that did not come to its end; the next one goes on behind.
    whole_looked_to: Option<Place>,
    /// Something may be due that is neither claimed nor remembered, since the last look from the beginning.
    left: bool,
    /// The last look was such a one, and did not come to its end: now it is the turn of what has come since.
    was_cut: bool,
    /// How many entries had been moved to an earlier time, or another way.
    moves: QueueMoves,
    /// When entries that have been moved may be looked for again.
    moved_look_at: Option<Timestamp>,
    /// See [`super::Held::read`].
    pub(super) read: u64,
}

/// What a look gave.
#[derive(Debug, Default)]
struct Look {
    /// Where it stopped before its end.
    stopped_at: Option<Place>,
    /// The first entry that is not due yet.
    next: Option<Timestamp>,
}

impl Runner {
    /// Claims due entries. Gives the time to look again.
    pub(super) async fn claim(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StorageError> {
        let claimed = self.claim_what_is_due(now).await;
        if claimed.is_err() {
            // Something may have been passed over.
            self.looks = Looks { moves: self.looks.moves, read: self.looks.read, ..Looks::default() };
        }
        claimed
    }

    async fn claim_what_is_due(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StorageError> {
        let next_for_moved = self.mind_what_was_moved(now).await?;
        let unfinished = self.put_off_waiting(now).await?;
        self.take_from_backlog(now).await?;
        let is_due = |at: Timestamp| at <= now || at.since(now) > WHOLE_LOOK_EVERY;
        let is_whole = self.looks.whole_look_at.is_none_or(is_due) && !std::mem::take(&mut self.looks.was_cut);
        let from = if is_whole { self.looks.whole_looked_to } else { self.looks.looked_to };
        if is_whole && from.is_none() {
            self.looks.left = false;
        }
        let look = self.look_through(from, now).await?;
        self.looks.note(&look, is_whole, now);
        let again = if look.stopped_at.is_some() || unfinished { Some(now) } else { look.next };
        let next_whole = self.looks.whole_look_at.filter(|_| !is_whole || self.looks.left);
        Ok(again.into_iter().chain(next_whole).chain(next_for_moved).min())
    }

    /// What was moved to an earlier time is found by a look from the beginning, which reads those of which it knows another place. Once
    /// anything was sent another way, all is read anew. Not all the time, when very many are moved one after the other: gives the time at
    /// which that may be done, if not now.
    async fn mind_what_was_moved(&mut self, now: Timestamp) -> Result<Option<Timestamp>, StorageError> {
        let moves = self.context.store.queue_moves().await?;
        if moves == self.looks.moves {
            return Ok(None);
        }
        if let Some(at) = self.looks.moved_look_at
            && at > now
            && at.since(now) <= MOVED_LOOK_EVERY
        {
            return Ok(Some(at));
        }
        let elsewhere = moves.elsewhere != self.looks.moves.elsewhere;
        self.looks.moves = moves;
        self.looks.moved_look_at = Some(now.plus(MOVED_LOOK_EVERY));
        (self.looks.whole_look_at, self.looks.whole_looked_to) = (None, None);
        if elsewhere {
            self.backlog.clear();
            self.turns.clear();
            for destination in self.destinations.values_mut() {
                for (id, _) in destination.ready.drain(..) {
                    self.claimed.remove(&id);
                }
            }
        }
        Ok(None)
    }

    /// Looks through the schedule behind a place, until there is nothing more that is due, or as much was read as may be.
    async fn look_through(&mut self, from: Option<Place>, now: Timestamp) -> Result<Look, StorageError> {
        let (mut behind, mut page, mut read) = (from, SCAN_PAGE, 0_usize);
        let mut look = Look::default();
        loop {
            // In the order of their times, so that the first one that is not due yet ends the due ones.
            let mut places = self.context.store.queue_schedule(behind, page).await?;
            let is_full = places.len() >= page;
            let due = places.partition_point(|(at, _)| *at <= now);
            look.next = places.get(due).map(|(at, _)| *at);
            places.truncate(due);
            let last = places.last().copied();
            places.retain(|(at, id)| !self.claimed.contains(id) && !self.backlog.contains(*id, *at));
            read = read.saturating_add(places.len());
            self.look_at(&places, now).await?;
            if look.next.is_some() || !is_full {
                return Ok(look);
            }
            if read >= SCAN_MAX {
                look.stopped_at = last;
                return Ok(look);
            }
            (behind, page) = (last, page.saturating_mul(2).min(SCAN_PAGE_MAX));
        }
    }

    /// Looks at due entries.
    async fn look_at(&mut self, places: &[Place], now: Timestamp) -> Result<(), StorageError> {
        let rows = self.read(&places.iter().map(|(_, id)| *id).collect::<Vec<_>>()).await?;
        let mut spared = Vec::new();
        for (place, row) in places.iter().zip(rows) {
            // One that is gone has its other place, if it has any.
            let Some(row) = row.filter(|row| row.next_attempt == place.0) else { continue };
            if row.held {
                put_aside(&self.context, row, now).await?;
            } else if let Some(reply) = self.left_alone(&row, now) {
                self.backlog.forget(row.id);
                spared.push((row, reply));
            } else {
                self.claim_one(&row, false);
            }
        }
        self.put_off(spared).await
    }

    async fn read(&mut self, ids: &[QueueId]) -> Result<Vec<Option<QueueRow>>, StorageError> {
        if ids.is_empty() {
            return Ok(Vec::new());
        }
        self.looks.read = self.looks.read.saturating_add(ids.len() as u64);
        self.context.store.queue_entries_of(ids).await
    }

    /// What waits for destinations that are left alone meanwhile is put off. Whether there is more of it.
    async fn put_off_waiting(&mut self, now: Timestamp) -> Result<bool, StorageError> {
        let is_left_alone = |key: &&str| {
            let known = self.destinations.get(*key);
            known.is_some_and(|destination| destination.pace.left_alone(now).is_some())
        };
        let keys: Vec<String> = self.backlog.keys().filter(is_left_alone).map(ToOwned::to_owned).collect();
        let mut read = 0_usize;
        for key in keys {
            loop {
                let ids = self.backlog.take_unwanted(&key, PUT_OFF_AT_ONCE);
                if ids.is_empty() {
                    break;
                }
                read = read.saturating_add(ids.len());
                let mut spared = Vec::new();
                for row in
                    self.read(&ids).await?.into_iter().flatten().filter(|row| !row.held && row.next_attempt <= now)
                {
                    match self.left_alone(&row, now) {
                        Some(reply) => spared.push((row, reply)),
                        None => self.claim_one(&row, false),
                    }
                }
                self.put_off(spared).await?;
                if read >= SCAN_MAX {
                    return Ok(true);
                }
            }
        }
        Ok(false)
    }

    /// The reply that stands for an attempt, when the destination is left alone and nobody asked for this attempt.
    fn left_alone(&self, row: &QueueRow, now: Timestamp) -> Option<Reply> {
        if queue::is_wanted_at_once(row) {
            return None;
        }
        self.destinations.get(&self.context.routes.of(row).key)?.pace.left_alone(now)
    }

    /// Puts entries off without an attempt; those whose result is more than that are claimed.
    async fn put_off(&mut self, mut entries: Vec<(QueueRow, Reply)>) -> Result<(), StorageError> {
        while !entries.is_empty() {
            let rest = entries.split_off(entries.len().min(PUT_OFF_AT_ONCE));
            for row in put_off(&self.context, std::mem::replace(&mut entries, rest)).await? {
                self.claim_one(&row, true);
            }
        }
        Ok(())
    }

    /// Claims what has waited for room, as far as there is some. What is gone, held or moved meanwhile takes nobody's turn.
    async fn take_from_backlog(&mut self, now: Timestamp) -> Result<(), StorageError> {
        loop {
            let (destinations, mut promised) = (&self.destinations, HashMap::<String, usize>::new());
            let mut taken = Vec::new();
            while self.claimed.len().saturating_add(taken.len()) < CLAIMED_MAX && taken.len() < SCAN_PAGE_MAX {
                let may = |key: &str, entry: Waiting| {
                    let promised = promised.get(key).copied().unwrap_or_default();
                    let has_room = |known: &Destination<_>| {
                        known.ready.len().saturating_add(promised) < CLAIMED_PER_DESTINATION_MAX
                    };
                    let is_served = |known: &Destination<_>| entry.is_wanted || known.pace.left_alone(now).is_none();
                    destinations.get(key).is_some_and(|known| has_room(known) && is_served(known))
                };
                let Some((key, entry)) = self.backlog.take(may) else { break };
                *promised.entry(key.clone()).or_default() += 1;
                taken.push((key, entry));
            }
            if taken.is_empty() {
                return Ok(());
            }
            let rows = self.read(&taken.iter().map(|(_, entry)| entry.id).collect::<Vec<_>>()).await?;
            for ((key, entry), row) in taken.into_iter().zip(rows) {
                if row.is_some_and(|row| !row.held && row.next_attempt == entry.at) && !self.claimed.contains(&entry.id)
                {
                    self.make_ready(&key, entry);
                }
            }
        }
    }

    /// Claims an entry; without room for it, it is remembered; without room for that, it is left for a later look. One that `goes_by_itself`
    /// is not put off with others from then on.
    fn claim_one(&mut self, row: &QueueRow, goes_by_itself: bool) {
        if self.claimed.contains(&row.id) {
            return;
        }
        let choice = self.context.routes.of(row);
        let key = choice.key;
        let is_wanted = goes_by_itself || queue::is_wanted_at_once(row);
        let entry = Waiting { id: row.id, at: row.next_attempt, priority: row.priority, is_wanted };
        let destination = self.destinations.entry(key.clone()).or_insert_with(|| {
            let route = Route::new(&self.context.settings, &row.destination, &choice.way);
            Destination::new(route, Pace::default())
        });
        if self.claimed.len() < CLAIMED_MAX && destination.ready.len() < CLAIMED_PER_DESTINATION_MAX {
            self.backlog.forget(row.id);
            self.make_ready(&key, entry);
        } else if !self.backlog.add(&key, entry) {
            self.looks.left = true;
        }
    }

    fn make_ready(&mut self, key: &str, entry: Waiting) {
        let Some(destination) = self.destinations.get_mut(key) else { return };
        if destination.ready.is_empty() {
            self.turns.push_back(key.to_owned());
        }
        destination.add(entry.id, entry.priority);
        self.claimed.insert(entry.id);
    }
}

impl Looks {
    /// Something may be due at a place that has been looked at.
    pub(super) fn expect_one_before(&mut self) {
        self.left = true;
    }

    /// Notes how far a look came.
    fn note(&mut self, look: &Look, is_whole: bool, now: Timestamp) {
        if is_whole {
            self.was_cut = look.stopped_at.is_some();
            self.whole_looked_to = look.stopped_at;
            // What was read is claimed or remembered: it goes on at once. What was left has to wait for room.
            let goes_on = look.stopped_at.is_some() && !self.left;
            self.whole_look_at = Some(if goes_on { now } else { now.plus(WHOLE_LOOK_EVERY) });
        }
        self.looked_to = match look.stopped_at {
            None => Some((now.minus(WRITTEN_WITHIN), QueueId(0))),
            Some(place) if is_whole => self.looked_to.max(Some(place)),
            Some(place) => Some(place),
        };
    }
}

/// A held entry that was left in its place among the due ones makes room for them.
async fn put_aside(context: &Context, row: QueueRow, now: Timestamp) -> Result<(), StorageError> {
    let body = move |tx: &mut Transaction<'_>| match tx.queue_entry(row.id)? {
        Some(mut current) if current.held && current.next_attempt == row.next_attempt => {
            current.next_attempt = now.plus(HELD_LOOK_EVERY);
            tx.update_queue_entry(&current)
        }
        _ => Ok(false),
    };
    context.store.transact_with(Durability::Freeing, body).await.map(|_| ())
}
