//! Learning and unlearning, and the bounds of what is kept.

use std::sync::Arc;

use mail::{AccountId, BlobHash, Timestamp, Topic};
use spam::{Content, TokenId};

use super::{Note, SITE, Totals, decode_counts, encode_counts, note_key, time_key, times, token_key, totals_key};
use crate::engine::{Durability, Order};
use crate::error::StorageError;
use crate::events::event_counter;
use crate::keys::{Key, Table, tail};
use crate::limits::{
    SPAM_NOTES_MAX, SPAM_SHARED_MAX, SPAM_TOKENS_OF_ACCOUNT_MAX, SPAM_TOKENS_OF_SITE_MAX, SPAM_TOKENS_SWEPT_AT_ONCE,
};
use crate::store::Store;
use crate::transaction::Transaction;

/// One message to be learnt.
#[derive(Clone, Debug)]
pub struct Lesson {
    /// Its content.
    pub blob: BlobHash,
    /// Its tokens, each once.
    pub tokens: Arc<[TokenId]>,
    /// As what.
    pub spam: bool,
    /// A person said so; what nobody said never goes before that.
    pub by_hand: bool,
    /// Of the judgement: one with a lower number than what is known comes too late. `None`: it is the latest.
    pub number: Option<u64>,
    /// The site learns it, too.
    pub shared: bool,
    /// When somebody said so of a message that came: its senders hear of it. `None`: nobody did, or nothing came.
    pub said_at: Option<Timestamp>,
}

impl Lesson {
    /// A message as a person judges it, the latest word on it.
    #[must_use]
    pub fn of(blob: BlobHash, content: &Content, spam: bool) -> Self {
        let tokens = content.tokens.iter().map(|token| token.id).collect();
        Self { blob, tokens, spam, by_hand: true, number: None, shared: true, said_at: None }
    }

    /// The same for a message that is in no mailbox.
    #[must_use]
    pub fn of_octets(octets: &[u8], spam: bool) -> Self {
        Self::of(BlobHash(*blake3::hash(octets).as_bytes()), &Content::read(octets), spam)
    }
}

/// How tokens are found now: see [`Note::reading`].
const READING: u8 = 1;

impl Transaction<'_> {
    /// Learns a message for an account, or for the site alone ([`SITE`]). What it was learnt as before is undone. `false`: there was
    /// nothing to be learnt.
    ///
    /// # Errors
    /// When reading fails.
    pub fn learn(&mut self, part: AccountId, lesson: &Lesson) -> Result<bool, StorageError> {
        if part != SITE && !self.has_account(part)? {
            return Ok(false);
        }
        let number = match lesson.number {
            Some(number) => number,
            None => self.next_number(event_counter(Topic::MessageJudged))?,
        };
        let mut totals = self.totals(part)?;
        let mut shared = lesson.shared && part != SITE;
        let known = self.note(part, &lesson.blob)?;
        if let Some(known) = known {
            if known.number >= number || !lesson.by_hand {
                return Ok(false);
            }
            self.delete(time_key(part, known.number, &lesson.blob));
            let said = known.by_hand.then_some(known.spam);
            if said != Some(lesson.spam) {
                self.hear_of_senders(lesson, said)?;
            }
            if known.spam == lesson.spam {
                self.put_note(part, &lesson.blob, Note { number, by_hand: true, ..known })?;
                return Ok(false);
            }
            if known.reading == READING {
                self.count(part, &mut totals, &lesson.tokens, known.spam, false)?;
                if known.shared {
                    let mut site = self.totals(SITE)?;
                    self.count(SITE, &mut site, &lesson.tokens, known.spam, false)?;
                    self.put_totals(SITE, site)?;
                    totals.shared = totals.shared.saturating_sub(1);
                }
            }
        } else {
            if lesson.by_hand {
                self.hear_of_senders(lesson, None)?;
            }
            totals.notes = totals.notes.saturating_add(1);
        }
        shared &= totals.shared < SPAM_SHARED_MAX;
        self.count(part, &mut totals, &lesson.tokens, lesson.spam, true)?;
        if shared {
            let mut site = self.totals(SITE)?;
            self.count(SITE, &mut site, &lesson.tokens, lesson.spam, true)?;
            self.put_totals(SITE, site)?;
            totals.shared = totals.shared.saturating_add(1);
        }
        let note = Note { spam: lesson.spam, number, reading: READING, by_hand: lesson.by_hand, shared };
        self.put_note(part, &lesson.blob, note)?;
        self.forget_old_notes(part, &mut totals)?;
        self.put_totals(part, totals)?;
        Ok(true)
    }

    /// The standing of a message's senders changes with what is said of it, once for each account: here, where it is known what was said
    /// before.
    fn hear_of_senders(&mut self, lesson: &Lesson, before: Option<bool>) -> Result<(), StorageError> {
        match lesson.said_at {
            Some(at) => self.said_of_senders(&lesson.blob, before, lesson.spam, at),
            None => Ok(()),
        }
    }

    fn totals(&self, part: AccountId) -> Result<Totals, StorageError> {
        Ok(self.get(&totals_key(part))?.map(|value| Totals::decode(&value)).transpose()?.unwrap_or_default())
    }

    fn put_totals(&mut self, part: AccountId, totals: Totals) -> Result<(), StorageError> {
        self.put(totals_key(part), totals.encode()?);
        Ok(())
    }

    fn note(&self, part: AccountId, blob: &BlobHash) -> Result<Option<Note>, StorageError> {
        self.get(&note_key(part, blob))?.map(|value| Note::decode(&value)).transpose()
    }

    fn put_note(&mut self, part: AccountId, blob: &BlobHash, note: Note) -> Result<(), StorageError> {
        self.put(note_key(part, blob), note.encode()?);
        self.put(time_key(part, note.number, blob), Vec::new());
        Ok(())
    }

    /// One message more of a kind, or one less.
    fn count(
        &mut self,
        part: AccountId,
        totals: &mut Totals,
        tokens: &[TokenId],
        spam: bool,
        more: bool,
    ) -> Result<(), StorageError> {
        let step = |count: u32| if more { count.saturating_add(1) } else { count.saturating_sub(1) };
        let learnt = totals.of_kind(spam);
        *learnt = step(*learnt);
        for token in tokens {
            let key = token_key(part, *token);
            let value = self.get(&key)?;
            if value.is_none() && (!more || totals.tokens >= tokens_max(part)) {
                // Forgotten since; or there is no room for new ones before rare ones have gone.
                continue;
            }
            let mut counts = value.as_deref().map_or(Ok(spam::Counts::default()), decode_counts)?;
            let count = if spam { &mut counts.spam } else { &mut counts.ham };
            *count = step(*count);
            if counts.is_empty() {
                totals.tokens = totals.tokens.saturating_sub(1);
                self.delete(key);
            } else {
                totals.tokens = totals.tokens.saturating_add(u32::from(value.is_none()));
                self.put(key, encode_counts(counts));
            }
        }
        Ok(())
    }

    fn forget_old_notes(&mut self, part: AccountId, totals: &mut Totals) -> Result<(), StorageError> {
        let beyond = totals.notes.saturating_sub(SPAM_NOTES_MAX);
        if beyond == 0 {
            return Ok(());
        }
        let most = usize::try_from(beyond).unwrap_or(usize::MAX).min(SPAM_TOKENS_SWEPT_AT_ONCE);
        for (key, _) in self.scan(&times(part).range(), Order::Ascending, most)? {
            let blob = BlobHash(tail(&key).ok_or_else(|| StorageError::corrupt("the order of what was learnt"))?);
            self.delete(note_key(part, &blob));
            self.delete(key.to_vec());
            totals.notes = totals.notes.saturating_sub(1);
        }
        Ok(())
    }

    /// Removes the tokens of a page that were seen so seldom; gives where the next page begins, and how many are left in all.
    fn sweep_tokens(
        &mut self,
        part: AccountId,
        from: &[u8],
        seldom: u32,
    ) -> Result<(Option<Vec<u8>>, u32), StorageError> {
        let mut range = Key::of(Table::SpamToken, part).range();
        range.start = from.to_vec();
        let page = self.scan(&range, Order::Ascending, SPAM_TOKENS_SWEPT_AT_ONCE)?;
        let mut totals = self.totals(part)?;
        for (key, value) in &page {
            let counts = decode_counts(value)?;
            if counts.spam.saturating_add(counts.ham) <= seldom {
                self.delete(key.to_vec());
                totals.tokens = totals.tokens.saturating_sub(1);
            }
        }
        self.put_totals(part, totals)?;
        let next = page.last().filter(|_| page.len() == SPAM_TOKENS_SWEPT_AT_ONCE);
        Ok((next.map(|(key, _)| [key.as_ref(), &[0]].concat()), totals.tokens))
    }

    /// Removes a page of what a part has learnt and set. `false`: there was nothing.
    pub(crate) fn forget_some_spam(&mut self, part: AccountId) -> Result<bool, StorageError> {
        let mut any = false;
        for table in [Table::SpamToken, Table::SpamLearnt, Table::SpamTotals, Table::SpamSettings] {
            let rows = self.scan(&Key::of(table, part).range(), Order::Ascending, SPAM_TOKENS_SWEPT_AT_ONCE)?;
            any |= !rows.is_empty();
            rows.iter().for_each(|(key, _)| self.delete(key.to_vec()));
        }
        Ok(any)
    }
}

impl Store {
    /// Learns a message.
    ///
    /// # Errors
    /// The engine's.
    pub async fn learn(&self, part: AccountId, lesson: Lesson) -> Result<bool, StorageError> {
        Ok(self.transact(move |tx| tx.learn(part, &lesson)).await?.value)
    }

    /// Removes the rarest tokens of a part when it has nearly as many as it may: those seen once, then twice, four times, and so
    /// on, until a quarter of the room is free. Gives how many went.
    ///
    /// # Errors
    /// The engine's.
    pub async fn sweep_spam_tokens(&self, part: AccountId) -> Result<u32, StorageError> {
        self.sweep_spam_tokens_beyond(part, tokens_max(part)).await
    }

    pub(super) async fn sweep_spam_tokens_beyond(&self, part: AccountId, most: u32) -> Result<u32, StorageError> {
        let before = self.spam_totals(part).await?.tokens;
        if before < most / 8 * 7 {
            return Ok(0);
        }
        let (mut left, mut seldom) = (before, 1_u32);
        while left > most / 4 * 3 {
            let mut next = Some(Key::of(Table::SpamToken, part).done());
            while let Some(from) = next.filter(|_| left > most / 4 * 3) {
                let sweep = move |tx: &mut Transaction<'_>| tx.sweep_tokens(part, &from, seldom);
                (next, left) = self.transact_with(Durability::Freeing, sweep).await?.value;
            }
            seldom = seldom.saturating_mul(2);
        }
        Ok(before.saturating_sub(left))
    }

    /// Forgets what a part has learnt, and what it has set.
    ///
    /// # Errors
    /// The engine's.
    pub async fn forget_spam(&self, part: AccountId) -> Result<(), StorageError> {
        while self.transact_with(Durability::Freeing, move |tx| tx.forget_some_spam(part)).await?.value {}
        Ok(())
    }
}

/// Tokens of a part.
pub(crate) const fn tokens_max(part: AccountId) -> u32 {
    if part.0 == SITE.0 { SPAM_TOKENS_OF_SITE_MAX } else { SPAM_TOKENS_OF_ACCOUNT_MAX }
}
