//! How many letters a list writes in a day, and what happens when there are no more of a kind: a line in the log, a step in the
//! message's trace, and a letter to the owners, once a day for each kind.
//!
//! Orders can be written in anybody's name. So what strangers can use up (letters to whoever wrote, confirmations of joining)
//! is counted apart from what a member needs to leave, and leaving by link or logged in is not counted at all.

use bus::TakeError;
use mail::{AccountId, Address};
use storage::StorageError;
use storage::trace::Step;

use crate::Lists;
use crate::acts::{Acts, Draft};
use crate::limits::{
    ADDED_LETTERS_PER_DAY, CONFIRMATIONS_PER_DAY, LEAVE_LETTERS_PER_DAY, LETTERS_PER_DAY, LETTERS_TO_WRITERS_PER_DAY,
    MODERATOR_LETTERS_PER_DAY,
};
use crate::place::Place;
use crate::text::Words;

/// Of how many letters on a day this is one: of a kind, to an address or of the whole list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Allowance {
    pub kind: LetterKind,
    /// Canonical; empty: the whole list.
    pub to: String,
    pub max: u32,
}

/// Letters that are counted. The numbers are in keys of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum LetterKind {
    /// To confirm joining, or another address.
    Confirm = 1,
    /// What answers an order that changes nothing.
    Note = 2,
    /// A refused message.
    Refused = 3,
    /// A message waits.
    Waiting = 4,
    /// All confirmations of a list, those of leaving apart.
    AllConfirmations = 5,
    /// A message waits for a moderator's decision.
    Moderate = 6,
    /// All letters of a list to whoever wrote.
    AllToWriters = 7,
    /// To confirm leaving.
    ConfirmLeave = 8,
    /// Owners are told that something of the above is spent.
    Spent = 9,
    /// Somebody was made a member.
    Added = 10,
    /// All letters of a list to people whom its owners have added.
    AllAdded = 11,
}

impl LetterKind {
    /// In words, for traces and the log.
    pub(crate) const fn words(self) -> &'static str {
        match self {
            Self::Confirm => "request to confirm",
            Self::Note => "answer to an order",
            Self::Refused => "letter of refusal",
            Self::Waiting => "letter to the author that a message waits",
            Self::AllConfirmations => "request to confirm (all of the list)",
            Self::Moderate => "letter to a moderator that a message waits",
            Self::AllToWriters => "letter to a sender (all of the list)",
            Self::ConfirmLeave => "request to confirm leaving",
            Self::Spent => "letter to the owners",
            Self::Added => "letter that somebody was made a member",
            Self::AllAdded => "letter that somebody was made a member (all of the list)",
        }
    }

    /// Whether owners hear of it: that one stranger gets no fourth letter is no news.
    const fn concerns_owners(self) -> bool {
        match self {
            Self::AllConfirmations | Self::AllToWriters | Self::AllAdded | Self::ConfirmLeave | Self::Confirm => true,
            Self::Note | Self::Refused | Self::Waiting | Self::Moderate | Self::Spent | Self::Added => false,
        }
    }
}

impl Allowance {
    /// Letters of a kind to one reader.
    pub(crate) fn of_reader(kind: LetterKind, reader: &Address, max: u32) -> Self {
        Self { kind, to: reader.canonical().to_string(), max }
    }

    fn of_list(kind: LetterKind, max: u32) -> Self {
        Self { kind, to: String::new(), max }
    }

    /// A letter to whoever wrote. Who has logged in is no stranger, so strangers can't use up what they get.
    pub(crate) fn to_writer(kind: LetterKind, writer: &Address, logged_in: bool) -> Vec<Self> {
        let max = if kind == LetterKind::Waiting { 1 } else { LETTERS_PER_DAY };
        let all = (!logged_in).then(|| Self::of_list(LetterKind::AllToWriters, LETTERS_TO_WRITERS_PER_DAY));
        std::iter::once(Self::of_reader(kind, writer, max)).chain(all).collect()
    }

    /// A request to confirm joining, or another address.
    pub(crate) fn confirmation(reader: &Address) -> [Self; 2] {
        [
            Self::of_reader(LetterKind::Confirm, reader, LETTERS_PER_DAY),
            Self::of_list(LetterKind::AllConfirmations, CONFIRMATIONS_PER_DAY),
        ]
    }

    /// A request to confirm leaving: of this member alone, whatever others are sent.
    pub(crate) fn leaving(member: &Address) -> Self {
        Self::of_reader(LetterKind::ConfirmLeave, member, LEAVE_LETTERS_PER_DAY)
    }

    /// A letter to somebody who was made a member; `bounded` when nobody with a role did that. Added and removed again and again,
    /// nobody's mailbox is filled.
    pub(crate) fn added(member: &Address, bounded: bool) -> Vec<Self> {
        let all = bounded.then(|| Self::of_list(LetterKind::AllAdded, ADDED_LETTERS_PER_DAY));
        std::iter::once(Self::of_reader(LetterKind::Added, member, LETTERS_PER_DAY)).chain(all).collect()
    }

    /// A letter to a moderator that a message waits.
    pub(crate) fn moderator(moderator: &Address) -> Self {
        Self::of_reader(LetterKind::Moderate, moderator, MODERATOR_LETTERS_PER_DAY)
    }

    /// What the trace tells of a letter that was sent.
    pub(crate) fn sent(&self) -> Step {
        Step::Notice { kind: self.kind.words().to_owned(), to: Address::parse(&self.to).ok() }
    }

    /// What the trace tells of one that was not.
    pub(crate) fn kept_back(&self) -> Step {
        let whose = if self.to.is_empty() { String::new() } else { format!(" to {}", self.to) };
        let kind = format!("{}{whose} kept back: {} a day are sent", self.kind.words(), self.max);
        Step::Notice { kind, to: None }
    }
}

impl Lists {
    /// Tells what is spent: the log, and the owners once a day. The transaction that met it is over, so that a letter that can't be
    /// written holds nothing up; the next one that meets it tries again.
    pub(crate) async fn tell_spent(&self, part: AccountId, spent: &[Allowance]) {
        let Some(place) = Place::of(&self.store.directory(), part) else { return };
        for allowance in spent {
            let (kind, to, max) = (allowance.kind.words(), allowance.to.as_str(), allowance.max);
            tracing::warn!(list = %place.address(), kind, to, max, "no letter: today's are used up");
            if !allowance.kind.concerns_owners() {
                continue;
            }
            if let Err(error) = self.tell_owners(&place, allowance).await {
                tracing::warn!(list = %place.address(), %error, "the owners could not be told that letters are used up");
            }
        }
    }

    async fn tell_owners(&self, place: &Place, spent: &Allowance) -> Result<(), TakeError> {
        let part = place.part();
        let mut acts = Acts::default();
        for owner in place.owners() {
            let to = format!("{} {}", owner.canonical(), spent.kind as u8);
            let allowance = Allowance { kind: LetterKind::Spent, to, max: 1 };
            let today = crate::bounces::day(self.store.now());
            if self.store.letters_sent(part, today, LetterKind::Spent as u8, &allowance.to).await? > 0 {
                continue;
            }
            let reader = self.account_of(owner);
            let words = Words::Spent { kind: spent.kind, who: &spent.to, max: spent.max, reader: reader.as_ref() };
            acts.counted(vec![allowance], self.draft(place, Draft::new(owner, words)).await?);
        }
        let now = self.store.now();
        let written: Result<_, StorageError> = self.store.transact(move |tx| acts.apply(tx, part, None, now)).await;
        written?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_strangers_use_up_is_not_what_others_need() {
        let bob = Address::parse("Bob@b.example").unwrap();
        let kinds = |all: Vec<Allowance>| all.iter().map(|one| (one.kind, one.to.clone(), one.max)).collect::<Vec<_>>();
        assert_eq!(
            kinds(Allowance::to_writer(LetterKind::Note, &bob, false)),
            [
                (LetterKind::Note, "bob@b.example".to_owned(), LETTERS_PER_DAY),
                (LetterKind::AllToWriters, String::new(), LETTERS_TO_WRITERS_PER_DAY)
            ]
        );
        assert_eq!(Allowance::to_writer(LetterKind::Waiting, &bob, true).len(), 1);
        assert!(Allowance::confirmation(&bob).iter().all(|one| one.kind != Allowance::leaving(&bob).kind));
    }
}
