//! What accounts have submitted today: the counters that stop a stolen password, one row for each account.
//!
//! A day is one of UTC, counted from 1970. The row of an earlier day counts for nothing and is written over.

use std::time::Duration;

use bytes::Bytes;
use mail::{AccountId, Address, Timestamp};
use routing::objects::SubmissionLimits;
use serde::{Deserialize, Serialize};

use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::rows;
use crate::store::Store;
use crate::transaction::Transaction;

/// What an account has submitted on a day.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Submitted {
    /// Which day, counted from 1970.
    pub day: u32,
    /// Messages.
    pub messages: u32,
    /// Recipients of those messages, one that is named in several counted each time.
    pub recipients: u32,
    /// Those of them that the account had not written to before, in domains that are not this server's.
    pub first_time: u32,
    /// People have been told that a limit is reached.
    pub told: bool,
}

/// A message to be counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Submission {
    /// Its recipients.
    pub recipients: u32,
    /// Those that the account has not written to before, in domains that are not this server's.
    pub first_time: u32,
}

/// Why an account may submit no more today.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LimitReached {
    /// Messages.
    Messages,
    /// Recipients.
    Recipients,
    /// First-time recipients.
    FirstTime,
}

impl LimitReached {
    /// The same as an error of the store, with which a transaction ends.
    #[must_use]
    pub const fn error(self) -> StorageError {
        StorageError::LimitReached(self.name())
    }

    /// The limit that an error tells of, when it is one of these.
    #[must_use]
    pub fn of(error: &StorageError) -> Option<Self> {
        [Self::Messages, Self::Recipients, Self::FirstTime].into_iter().find(|limit| *error == limit.error())
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Messages => "messages that an account sends in a day",
            Self::Recipients => "recipients that an account writes to in a day",
            Self::FirstTime => "recipients that an account writes to for the first time in a day",
        }
    }
}

impl Submitted {
    /// The counters of a day: what was counted on another day is over.
    #[must_use]
    pub fn on(self, day: u32) -> Self {
        if self.day == day { self } else { Self { day, ..Self::default() } }
    }

    /// The counters with one more message; nothing is counted that is over a limit.
    ///
    /// # Errors
    /// The limit that it would pass.
    pub fn with(self, one: Submission, limits: &SubmissionLimits) -> Result<Self, LimitReached> {
        let more = Self {
            messages: self.messages.saturating_add(1),
            recipients: self.recipients.saturating_add(one.recipients),
            first_time: self.first_time.saturating_add(one.first_time),
            ..self
        };
        if more.messages > limits.messages_max() {
            return Err(LimitReached::Messages);
        }
        if more.recipients > limits.recipients_max() {
            return Err(LimitReached::Recipients);
        }
        if one.first_time > 0 && more.first_time > limits.first_time_max() {
            return Err(LimitReached::FirstTime);
        }
        Ok(more)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        rows::decode(VERSION, "what an account has submitted", value)
    }

    fn encode(self) -> Result<Bytes, StorageError> {
        rows::encode(VERSION, &self)
    }
}

const VERSION: u8 = 1;

impl Transaction<'_> {
    /// Counts a message that an account submits.
    ///
    /// # Errors
    /// [`LimitReached::error`] when it would pass a limit; when reading fails.
    pub fn count_submitted(
        &mut self,
        account: AccountId,
        now: Timestamp,
        one: Submission,
        limits: &SubmissionLimits,
    ) -> Result<(), StorageError> {
        if !self.has_account(account)? {
            return Ok(());
        }
        let counted = self.submitted(account, now)?.with(one, limits).map_err(LimitReached::error)?;
        self.put(key(account), counted.encode()?);
        Ok(())
    }

    /// How many of these the account has not written to before.
    ///
    /// # Errors
    /// When reading fails.
    pub fn first_time_among<'a>(
        &self,
        account: AccountId,
        recipients: impl IntoIterator<Item = &'a Address>,
    ) -> Result<u32, StorageError> {
        let mut strangers = 0_u32;
        for recipient in recipients {
            strangers = strangers.saturating_add(u32::from(!self.is_contact(account, recipient)?));
        }
        Ok(strangers)
    }

    /// Notes that people are told today that a limit is reached. `false` when they were told before.
    ///
    /// # Errors
    /// When reading fails.
    pub fn note_limit_told(&mut self, account: AccountId, now: Timestamp) -> Result<bool, StorageError> {
        let counted = self.submitted(account, now)?;
        if counted.told || !self.has_account(account)? {
            return Ok(false);
        }
        self.put(key(account), Submitted { told: true, ..counted }.encode()?);
        Ok(true)
    }

    /// Forgets what an account has submitted: today it may send as if it had sent nothing.
    pub fn forget_submitted(&mut self, account: AccountId) {
        self.delete(key(account));
    }

    fn submitted(&self, account: AccountId, now: Timestamp) -> Result<Submitted, StorageError> {
        let counted = self.get(&key(account))?.map(|value| Submitted::decode(&value)).transpose()?;
        Ok(counted.unwrap_or_default().on(day(now)))
    }
}

impl Store {
    /// What an account has submitted today.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn submitted(&self, account: AccountId) -> Result<Submitted, StorageError> {
        let counted = self.engine.get(&key(account)).await?.map(|value| Submitted::decode(&value)).transpose()?;
        Ok(counted.unwrap_or_default().on(day(self.now())))
    }

    /// Whether an account has submitted something within a span, to the day.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn has_submitted_within(&self, account: AccountId, span: Duration) -> Result<bool, StorageError> {
        let counted = self.engine.get(&key(account)).await?.map(|value| Submitted::decode(&value)).transpose()?;
        Ok(counted.is_some_and(|counted| counted.messages > 0 && counted.day >= day(self.now().minus(span))))
    }
}

/// Days since 1970.
fn day(now: Timestamp) -> u32 {
    u32::try_from(now.as_secs().div_euclid(86_400)).unwrap_or(0)
}

pub(crate) fn key(account: AccountId) -> Vec<u8> {
    Key::of(Table::Submitted, account).done()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use routing::objects::AccountObject;
    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::{MemoryEngine, SilentDoorbell};

    const LIMITS: SubmissionLimits = SubmissionLimits { messages: Some(3), recipients: Some(5), first_time: Some(2) };

    #[test]
    fn each_limit_is_one_of_its_own() {
        let sent = Submitted { messages: 2, recipients: 3, first_time: 2, ..Submitted::default() };
        let one = |recipients, first_time| sent.with(Submission { recipients, first_time }, &LIMITS);
        assert_eq!(one(2, 0).map(|sent| (sent.messages, sent.recipients)), Ok((3, 5)));
        assert_eq!(one(3, 0), Err(LimitReached::Recipients));
        assert_eq!(one(1, 1), Err(LimitReached::FirstTime));
        let full = one(1, 0).unwrap();
        assert_eq!(full.with(Submission::default(), &LIMITS), Err(LimitReached::Messages));
        assert_eq!(full.on(1), Submitted { day: 1, ..Submitted::default() });
        assert_eq!(LimitReached::of(&LimitReached::FirstTime.error()), Some(LimitReached::FirstTime));
        assert_eq!(LimitReached::of(&StorageError::LimitReached("mailboxes")), None);
    }

    #[tokio::test]
    async fn counters_are_of_the_day_and_survive_a_crash() {
        let engine = MemoryEngine::default();
        let simulated = SimulatedWorld::new(Timestamp(1_700_000_000_000), 3);
        let store = Store::open(Arc::new(engine.clone()), simulated.world()).await.unwrap();
        let alice = store.add_account(AccountObject::new("alice@a.example".parse().unwrap())).await.unwrap().value.id;
        let send = async |store: &Store| {
            let now = store.now();
            let one = Submission { recipients: 1, first_time: 0 };
            let done = store.transact(move |tx| tx.count_submitted(alice, now, one, &LIMITS)).await;
            done.map(|done| done.value)
        };
        for _ in 0..3 {
            send(&store).await.unwrap();
        }
        assert_eq!(send(&store).await, Err(LimitReached::Messages.error()));
        let engine = engine.after_power_cut(Arc::new(SilentDoorbell));
        let store = Store::open(Arc::new(engine), simulated.world()).await.unwrap();
        assert_eq!(send(&store).await, Err(LimitReached::Messages.error()));
        let tell = async |store: &Store| {
            let now = store.now();
            store.transact(move |tx| tx.note_limit_told(alice, now)).await.unwrap().value
        };
        assert_eq!((tell(&store).await, tell(&store).await), (true, false), "once a day");
        assert_eq!(store.submitted(alice).await.unwrap().messages, 3);
        simulated.clock.advance(Duration::from_secs(86_400));
        assert_eq!(
            store.submitted(alice).await.unwrap(),
            Submitted::default().on(store.submitted(alice).await.unwrap().day)
        );
        send(&store).await.unwrap();
        assert!(tell(&store).await);
        store
            .transact(move |tx| {
                tx.forget_submitted(alice);
                Ok(())
            })
            .await
            .unwrap();
        assert_eq!(store.submitted(alice).await.unwrap().messages, 0);
    }
}
