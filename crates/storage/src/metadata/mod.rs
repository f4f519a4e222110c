//! Annotations of mailboxes and of the server (RFC 5464): those that all see, and those of each person.
//!
//! One row holds the annotations of one place ([`AnnotationPlace`]); beside it, for a person's annotations on another's
//! mailbox, a row in the person's part leads to it. A part's row of counters has the number of its last change, so that
//! "did anything change" costs one read, and the octets that the account has to answer for.
//!
//! Invariant: rows, their counterparts in people's parts and the counted octets are written together; `check` holds them
//! against each other. Annotations go with their mailbox and with their person.

mod set;
#[cfg(test)]
mod tests;

use mail::{AccountId, MailboxId, Notice, SpecialUse};

use crate::engine::{Durability, KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::limits::{ANNOTATIONS_ACCOUNT_OCTETS_MAX, ANNOTATORS_MAX};
use crate::rows;
use crate::store::{Done, Store};
use crate::transaction::Transaction;

pub use set::{Annotation, AnnotationSet};

const VERSION: u8 = 1;
const SET: u8 = 0;
const ELSEWHERE: u8 = 1;

/// No mailbox has this number: the server's annotations have it.
const SERVER: MailboxId = MailboxId(0);

/// No account has this number.
const NOBODY: AccountId = AccountId(0);

/// What annotations are about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Annotated {
    /// The server as a whole (RFC 5464 §3.2.1.1).
    Server,
    /// One mailbox.
    Mailbox(AccountId, MailboxId),
}

/// Where annotations are kept: what they are about, and whose they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AnnotationPlace {
    part: AccountId,
    mailbox: MailboxId,
    person: AccountId,
}

/// New values of a place by name, in lower case; `None` removes.
pub type AnnotationChanges = Vec<(String, Option<Vec<u8>>)>;

impl AnnotationPlace {
    /// What all see: `/shared/…`.
    #[must_use]
    pub const fn shared(of: Annotated) -> Self {
        match of {
            Annotated::Server => Self { part: NOBODY, mailbox: SERVER, person: NOBODY },
            Annotated::Mailbox(part, mailbox) => Self { part, mailbox, person: NOBODY },
        }
    }

    /// What one person sees: `/private/…`.
    #[must_use]
    pub const fn private(of: Annotated, person: AccountId) -> Self {
        match of {
            Annotated::Server => Self { part: person, mailbox: SERVER, person },
            Annotated::Mailbox(part, mailbox) => Self { part, mailbox, person },
        }
    }

    /// In whose part it is: whose [`Store::annotation_number`] its changes take.
    #[must_use]
    pub const fn part(self) -> AccountId {
        self.part
    }

    /// Who answers for the octets: the person whose they are, or the owner of what all see.
    const fn payer(self) -> AccountId {
        if self.person.0 == NOBODY.0 { self.part } else { self.person }
    }

    /// Whether a row in the person's part leads here.
    const fn is_elsewhere(self) -> bool {
        self.person.0 != NOBODY.0 && self.person.0 != self.part.0
    }

    fn key(self) -> Vec<u8> {
        Key::of(Table::Metadata, self.part).u8(SET).u32(self.mailbox.0).u64(self.person.0).done()
    }

    fn elsewhere_key(self) -> Vec<u8> {
        Key::of(Table::Metadata, self.person).u8(ELSEWHERE).u64(self.part.0).u32(self.mailbox.0).done()
    }
}

/// A change of the annotations of one mailbox, as another session is told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AnnotationNews {
    /// Of which mailbox; `None`: of the server.
    pub mailbox: Option<MailboxId>,
    /// Names, in order.
    pub names: Vec<String>,
}

impl Store {
    /// The annotations of a place.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn annotations(&self, place: AnnotationPlace) -> Result<AnnotationSet, StorageError> {
        decode(self.engine.get(&place.key()).await?.as_deref())
    }

    /// Changes annotations of some places in one act, and with them the special use of a mailbox (RFC 6154 §4). Gives the
    /// number that each place's change took.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`], [`StorageError::NotAllowed`] when another mailbox
    /// has the special use, or the engine's.
    pub async fn annotate(
        &self,
        changes: Vec<(AnnotationPlace, AnnotationChanges)>,
        special_use: Option<(AccountId, MailboxId, Option<SpecialUse>)>,
    ) -> Result<Done<Vec<(AccountId, u64)>>, StorageError> {
        self.transact(move |tx| {
            if let Some((account, mailbox, wanted)) = special_use {
                tx.set_special_use(account, mailbox, wanted)?;
            }
            changes.iter().map(|(place, changes)| Ok((place.part, tx.annotate(*place, changes)?))).collect()
        })
        .await
    }

    /// The number of the last change of annotations in a part (account 0: the server's shared ones). 0 before the first.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn annotation_number(&self, part: AccountId) -> Result<u64, StorageError> {
        Ok(Counters::decode(self.engine.get(&counters_key(part)).await?.as_deref())?.number)
    }

    /// What changed after a number among the annotations of a part that a person can see: those that all see and their
    /// own; of one mailbox, or of all and of the server. Changes with a number in `except` are not told.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn annotation_news(
        &self,
        part: AccountId,
        only: Option<MailboxId>,
        person: AccountId,
        since: u64,
        except: &[u64],
    ) -> Result<Vec<AnnotationNews>, StorageError> {
        let mut range = match only {
            Some(mailbox) => sets_of(part, mailbox),
            None => Key::of(Table::Metadata, part).u8(SET).range(),
        };
        let mut news: Vec<AnnotationNews> = Vec::new();
        loop {
            let page = self.engine.scan(range.clone(), Order::Ascending, SETS_PER_PAGE).await?;
            let Some((last, _)) = page.last() else { return Ok(news) };
            range.start = [last.as_ref(), &[0]].concat();
            for (key, value) in &page {
                let place = place_of(key)?;
                if place.person != NOBODY && place.person != person {
                    continue;
                }
                let set = decode(Some(value))?;
                let names: Vec<String> = set.changed_since(since, except).into_iter().map(str::to_owned).collect();
                if names.is_empty() {
                    continue;
                }
                let mailbox = (place.mailbox != SERVER).then_some(place.mailbox);
                match news.last_mut().filter(|news| news.mailbox == mailbox) {
                    Some(same) => same.names.extend(names),
                    None => news.push(AnnotationNews { mailbox, names }),
                }
            }
        }
    }

    /// Forgets an account's annotations on others' mailboxes and on the server, some at a time.
    pub(crate) async fn forget_annotator(&self, person: AccountId) -> Result<(), StorageError> {
        loop {
            let done = self.transact_with(Durability::Freeing, move |tx| tx.forget_some_annotations(person));
            if done.await?.value == 0 {
                return Ok(());
            }
        }
    }
}

/// Rows of annotations read, or forgotten, at once.
const SETS_PER_PAGE: usize = 200;

impl Transaction<'_> {
    /// The annotations of a place.
    ///
    /// # Errors
    /// When reading fails.
    pub fn annotations(&self, place: AnnotationPlace) -> Result<AnnotationSet, StorageError> {
        decode(self.get(&place.key())?.as_deref())
    }

    /// Changes annotations of a place; see [`Store::annotate`].
    ///
    /// # Errors
    /// As [`Store::annotate`].
    pub fn annotate(
        &mut self,
        place: AnnotationPlace,
        changes: &[(String, Option<Vec<u8>>)],
    ) -> Result<u64, StorageError> {
        if place.person != NOBODY && !self.has_account(place.person)? {
            return Err(StorageError::NoSuchAccount);
        }
        let number = self.counters(place.part)?.number.saturating_add(1);
        let mut set = self.annotations(place)?;
        if set.is_empty() && place.is_elsewhere() {
            let sets = self.scan(&sets_of(place.part, place.mailbox), Order::Ascending, ANNOTATORS_MAX)?;
            if sets.len() >= ANNOTATORS_MAX {
                return Err(StorageError::LimitReached("people with annotations on this mailbox"));
            }
        }
        for (name, value) in changes {
            set.change(name, value.as_deref(), number);
        }
        set.require_limits()?;
        self.put_annotations(place, &set, number)?;
        match place.mailbox {
            SERVER => {}
            mailbox => {
                let modseq = self.mailbox_row(place.part, mailbox)?.highest_modseq;
                self.notify(Notice::Mailbox { account: place.part, mailbox, modseq });
            }
        }
        if place.part != NOBODY {
            self.notify(Notice::MailboxList(place.part));
        }
        Ok(number)
    }

    /// A mailbox goes, and all annotations on it.
    pub(crate) fn forget_annotations_of(&mut self, owner: AccountId, mailbox: MailboxId) -> Result<(), StorageError> {
        for (key, _) in self.scan(&sets_of(owner, mailbox), Order::Ascending, ANNOTATORS_MAX.saturating_add(2))? {
            self.forget_annotations(place_of(&key)?)?;
        }
        Ok(())
    }

    /// Forgets some annotations of an account on others' mailboxes and on the server; 0 when none is left.
    pub(crate) fn forget_some_annotations(&mut self, person: AccountId) -> Result<usize, StorageError> {
        let elsewhere = Key::of(Table::Metadata, person).u8(ELSEWHERE).range();
        let mut places = Vec::new();
        for (key, _) in self.scan(&elsewhere, Order::Ascending, SETS_PER_PAGE)? {
            let (part, mailbox) = elsewhere_of(&key)?;
            places.push(AnnotationPlace { part, mailbox, person });
        }
        for (key, _) in self.scan(&sets_of(person, SERVER), Order::Ascending, 1)? {
            places.push(place_of(&key)?);
        }
        for place in &places {
            self.forget_annotations(*place)?;
        }
        Ok(places.len())
    }

    /// RFC 5464 §4.1: after RENAME of INBOX the new mailbox has its annotations too: what all see and the owner's own.
    pub(crate) fn copy_annotations(
        &mut self,
        account: AccountId,
        from: MailboxId,
        to: MailboxId,
    ) -> Result<(), StorageError> {
        for person in [NOBODY, account] {
            let set = self.annotations(AnnotationPlace { part: account, mailbox: from, person })?;
            let changes: AnnotationChanges =
                set.iter().map(|entry| (entry.name.clone(), Some(entry.value.clone()))).collect();
            if !changes.is_empty() {
                self.annotate(AnnotationPlace { part: account, mailbox: to, person }, &changes)?;
            }
        }
        Ok(())
    }

    fn forget_annotations(&mut self, place: AnnotationPlace) -> Result<(), StorageError> {
        let number = self.counters(place.part)?.number.saturating_add(1);
        self.put_annotations(place, &AnnotationSet::default(), number)
    }

    /// Writes a place's row with what belongs to it: the row in the person's part, and the counters.
    fn put_annotations(
        &mut self,
        place: AnnotationPlace,
        set: &AnnotationSet,
        number: u64,
    ) -> Result<(), StorageError> {
        let before = self.annotations(place)?.octets();
        let mut counters = self.counters(place.part)?;
        counters.number = number;
        self.put(counters_key(place.part), counters.encode());
        let mut paid = self.counters(place.payer())?;
        let grows = set.octets() > before;
        paid.octets = paid.octets.saturating_sub(before).saturating_add(set.octets());
        if grows && paid.octets > ANNOTATIONS_ACCOUNT_OCTETS_MAX {
            return Err(StorageError::LimitReached("octets in the annotations of the account"));
        }
        self.put(counters_key(place.payer()), paid.encode());
        if set.is_empty() {
            self.delete(place.key());
        } else {
            self.put(place.key(), rows::encode(VERSION, set)?);
        }
        match (place.is_elsewhere(), set.is_empty()) {
            (true, true) => self.delete(place.elsewhere_key()),
            (true, false) => self.put(place.elsewhere_key(), Vec::new()),
            (false, _) => {}
        }
        Ok(())
    }

    fn counters(&self, part: AccountId) -> Result<Counters, StorageError> {
        Counters::decode(self.get(&counters_key(part))?.as_deref())
    }
}

/// What is counted for a part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counters {
    /// Octets that the account answers for.
    pub(crate) octets: u64,
    /// Of the last change in the part.
    pub(crate) number: u64,
}

impl Counters {
    pub(crate) fn decode(value: Option<&[u8]>) -> Result<Self, StorageError> {
        let Some(value) = value else { return Ok(Self::default()) };
        let numbers = (value.len() == 16).then(|| (keys::middle(value, 0), keys::middle(value, 8)));
        match numbers {
            Some((Some(octets), Some(number))) => {
                Ok(Self { octets: u64::from_be_bytes(octets), number: u64::from_be_bytes(number) })
            }
            _ => Err(StorageError::corrupt("the counters of annotations")),
        }
    }

    fn encode(self) -> Vec<u8> {
        [self.octets.to_be_bytes(), self.number.to_be_bytes()].concat()
    }
}

pub(crate) fn counters_key(part: AccountId) -> Vec<u8> {
    Key::of(Table::Meta, part).bytes(b"metadata").done()
}

pub(crate) fn decode(value: Option<&[u8]>) -> Result<AnnotationSet, StorageError> {
    value.map_or_else(|| Ok(AnnotationSet::default()), |value| rows::decode(VERSION, "annotations", value))
}

fn sets_of(part: AccountId, mailbox: MailboxId) -> KeyRange {
    Key::of(Table::Metadata, part).u8(SET).u32(mailbox.0).range()
}

/// What a key of this table is: annotations, or that a person has some on another's mailbox.
pub(crate) enum Row {
    /// Annotations.
    Set(AnnotationPlace),
    /// Of a person, elsewhere.
    Elsewhere(AnnotationPlace),
}

/// See [`Row`].
pub(crate) fn parse_key(key: &[u8]) -> Result<Row, StorageError> {
    match key.get(keys::HEAD) {
        Some(&SET) => place_of(key).map(Row::Set),
        Some(&ELSEWHERE) => {
            let (part, mailbox) = elsewhere_of(key)?;
            let person = keys::middle(key, 1).map(|id| AccountId(u64::from_be_bytes(id))).ok_or_else(bad_key)?;
            Ok(Row::Elsewhere(AnnotationPlace { part, mailbox, person }))
        }
        _ => Err(bad_key()),
    }
}

impl AnnotationPlace {
    /// For `check`: where it is kept, and what has to be there with it.
    pub(crate) fn parts(self) -> (AccountId, Option<MailboxId>, Option<AccountId>, AccountId) {
        let mailbox = (self.mailbox != SERVER).then_some(self.mailbox);
        (self.part, mailbox, (self.person != NOBODY).then_some(self.person), self.payer())
    }

    /// For `check`: the other row, when there has to be one.
    pub(crate) fn counterpart(self) -> Option<Vec<u8>> {
        self.is_elsewhere().then(|| self.elsewhere_key())
    }

    /// For `check`: the row itself.
    pub(crate) fn row_key(self) -> Vec<u8> {
        self.key()
    }
}

fn place_of(key: &[u8]) -> Result<AnnotationPlace, StorageError> {
    let part = keys::middle(key, 1).map(|id| AccountId(u64::from_be_bytes(id)));
    let mailbox = keys::middle(key, keys::HEAD + 1).map(|id| MailboxId(u32::from_be_bytes(id)));
    let person = keys::middle(key, keys::HEAD + 5).map(|id| AccountId(u64::from_be_bytes(id)));
    match (part, mailbox, person) {
        (Some(part), Some(mailbox), Some(person)) => Ok(AnnotationPlace { part, mailbox, person }),
        _ => Err(bad_key()),
    }
}

fn elsewhere_of(key: &[u8]) -> Result<(AccountId, MailboxId), StorageError> {
    let part = keys::middle(key, keys::HEAD + 1).map(|id| AccountId(u64::from_be_bytes(id)));
    let mailbox = keys::middle(key, keys::HEAD + 9).map(|id| MailboxId(u32::from_be_bytes(id)));
    part.zip(mailbox).ok_or_else(bad_key)
}

fn bad_key() -> StorageError {
    StorageError::corrupt("the key of annotations")
}
