//! What accounts and the site have learnt of spam and ham, and how an account wants to be served by that. The decision is made by
//! the crate `spam`.
//!
//! - [`Table::SpamToken`]: part + token → in how many messages it was, of spam and of ham. The site's own part is 0.
//! - [`Table::SpamLearnt`]: part + `m` + content hash → how the message was learnt; part + `t` + number + content hash → nothing (the
//!   order in which the oldest are forgotten: they stay learnt, and can't be unlearnt any more).
//! - [`Table::SpamTotals`]: part → [`Totals`].
//! - [`Table::SpamSettings`]: account → [`SpamSettings`].
//!
//! **Invariant:** totals count the rows beside them; a message is learnt once for an account, as spam or as ham, and at most once for
//! the site through this account.

mod judged;
mod known;
mod learn;
mod settings;

use bytes::Bytes;
use mail::{AccountId, BlobHash};
use serde::{Deserialize, Serialize};
use spam::{Counts, TokenId};

use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::rows;

pub use judged::Judged;
pub use learn::Lesson;
pub use settings::SpamSettings;

/// The part of the site.
pub const SITE: AccountId = AccountId(0);

/// What a part has learnt, in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Messages learnt as spam.
    pub spam: u32,
    /// Messages learnt as ham.
    pub ham: u32,
    /// Tokens that are counted.
    pub tokens: u32,
    /// Messages of which it is known how they were learnt.
    pub notes: u32,
    /// Messages of this account that the site has learnt.
    pub shared: u32,
}

impl Totals {
    /// Messages learnt.
    #[must_use]
    pub const fn learnt(&self) -> Counts {
        Counts { spam: self.spam, ham: self.ham }
    }

    const fn of_kind(&mut self, spam: bool) -> &mut u32 {
        if spam { &mut self.spam } else { &mut self.ham }
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        rows::decode(VERSION, "what was learnt of spam", value)
    }

    fn encode(&self) -> Result<Bytes, StorageError> {
        rows::encode(VERSION, self)
    }
}

/// How a message was learnt.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Note {
    pub(crate) spam: bool,
    /// Of the judgement: later ones have higher numbers.
    pub(crate) number: u64,
    /// How its tokens were found: with other ones it can't be unlearnt.
    pub(crate) reading: u8,
    /// A person said so.
    pub(crate) by_hand: bool,
    /// The site has learnt it, too.
    pub(crate) shared: bool,
}

impl Note {
    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        rows::decode(VERSION, "how a message was learnt", value)
    }

    fn encode(&self) -> Result<Bytes, StorageError> {
        rows::encode(VERSION, self)
    }
}

const VERSION: u8 = 1;

fn token_key(part: AccountId, token: TokenId) -> Vec<u8> {
    Key::of(Table::SpamToken, part).u64(token.0).done()
}

pub(crate) fn totals_key(part: AccountId) -> Vec<u8> {
    Key::of(Table::SpamTotals, part).done()
}

pub(crate) fn settings_key(part: AccountId) -> Vec<u8> {
    Key::of(Table::SpamSettings, part).done()
}

pub(crate) fn notes(part: AccountId) -> Key {
    Key::of(Table::SpamLearnt, part).u8(b'm')
}

pub(crate) fn times(part: AccountId) -> Key {
    Key::of(Table::SpamLearnt, part).u8(b't')
}

fn note_key(part: AccountId, blob: &BlobHash) -> Vec<u8> {
    notes(part).bytes(&blob.0).done()
}

pub(crate) fn time_key(part: AccountId, number: u64, blob: &BlobHash) -> Vec<u8> {
    times(part).u64(number).bytes(&blob.0).done()
}

/// A version byte, and two numbers.
fn encode_counts(counts: Counts) -> Vec<u8> {
    [&[VERSION], &counts.spam.to_be_bytes()[..], &counts.ham.to_be_bytes()].concat()
}

pub(crate) fn decode_counts(value: &[u8]) -> Result<Counts, StorageError> {
    let wrong = || StorageError::corrupt("the counts of a token");
    let (version, numbers) = value.split_first().ok_or_else(wrong)?;
    let (spam, rest) = numbers.split_first_chunk::<4>().ok_or_else(wrong)?;
    let ham = rest.try_into().map_err(|_| wrong())?;
    if *version != VERSION {
        return Err(wrong());
    }
    Ok(Counts { spam: u32::from_be_bytes(*spam), ham: u32::from_be_bytes(ham) })
}

#[cfg(test)]
mod tests;
