//! What follows from an order or a link, as one value: changes of rows, and letters. Applied by one transaction.

use std::sync::Arc;

use bus::TakeError;
use delivery::{Letter, Prepared, Refused};
use mail::{AccountId, Address, Timestamp};
use storage::{StorageError, Transaction};

use crate::Lists;
use crate::bounces::day;
use crate::place::Place;
use crate::text::{Language, Words, write};
use crate::token::{Link, Purpose};

/// A change of rows. `false`: what it rests on is gone, and nothing is done. Such guards come first.
pub(crate) type Change = Arc<dyn Fn(&mut Transaction<'_>) -> Result<bool, StorageError> + Send + Sync>;

/// Changes and letters that belong together.
#[derive(Clone, Default)]
pub(crate) struct Acts {
    changes: Vec<Change>,
    letters: Vec<(Option<Allowance>, Prepared)>,
}

/// Of how many letters to an address on a day this is one.
#[derive(Clone, Debug)]
pub(crate) struct Allowance {
    pub kind: LetterKind,
    pub to: String,
    pub max: u32,
}

/// Letters that are counted.
#[derive(Clone, Copy, Debug)]
#[repr(u8)]
pub(crate) enum LetterKind {
    /// To confirm something.
    Confirm = 1,
    /// What answers an order that changes nothing.
    Note = 2,
    /// A refused message.
    Refused = 3,
    /// A message waits.
    Waiting = 4,
    /// All confirmations of a list.
    AllConfirmations = 5,
    /// A message waits for a moderator's decision.
    Moderate = 6,
}

impl Acts {
    pub(crate) fn change(
        &mut self,
        change: impl Fn(&mut Transaction<'_>) -> Result<bool, StorageError> + Send + Sync + 'static,
    ) {
        self.changes.push(Arc::new(change));
    }

    /// What all the rest depends on: looked at first.
    pub(crate) fn guard(
        &mut self,
        guard: impl Fn(&mut Transaction<'_>) -> Result<bool, StorageError> + Send + Sync + 'static,
    ) {
        self.changes.insert(0, Arc::new(guard));
    }

    pub(crate) fn letter(&mut self, letter: Option<Prepared>) {
        self.letters.extend(letter.map(|letter| (None, letter)));
    }

    /// A letter that is only sent while its reader has not had too many.
    pub(crate) fn counted(&mut self, allowance: Allowance, letter: Option<Prepared>) {
        self.letters.extend(letter.map(|letter| (Some(allowance), letter)));
    }

    /// Writes everything. `false`: a guard said no, and nothing was written.
    pub(crate) fn apply(
        &self,
        tx: &mut Transaction<'_>,
        part: AccountId,
        now: Timestamp,
    ) -> Result<bool, StorageError> {
        for change in &self.changes {
            if !change(tx)? {
                return Ok(false);
            }
        }
        for (allowance, letter) in &self.letters {
            let allowed = match allowance {
                Some(Allowance { kind, to, max }) => tx.take_letter(part, day(now), *kind as u8, to, *max)?,
                None => true,
            };
            if allowed {
                letter.apply(tx)?;
            }
        }
        Ok(true)
    }
}

/// A letter in the making.
pub(crate) struct Draft<'a> {
    pub to: &'a Address,
    pub words: Words<'a>,
    /// Where its answer goes, when that means something.
    pub reply_to: Option<Address>,
    /// The message that it is about.
    pub about: Option<&'a str>,
    /// The language of its reader, when it is known.
    pub language: Option<&'a str>,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(to: &'a Address, words: Words<'a>) -> Self {
        Self { to, words, reply_to: None, about: None, language: None }
    }
}

impl Lists {
    /// Decides where a letter goes. `None`: its reader is not to be reached, and needs none.
    pub(crate) async fn draft(&self, place: &Place, draft: Draft<'_>) -> Result<Option<Prepared>, TakeError> {
        // What is said, else what the member row says.
        let own = match draft.language {
            Some(known) => Some(known.to_owned()),
            None => self.store.member(place.part(), draft.to).await?.and_then(|member| member.language),
        };
        let language = self.language_for(place, draft.to, own.as_deref());
        let name = place.name();
        let (subject, text) = write(language, &name, place.address(), &draft.words);
        let from = match place {
            Place::List(_) => place.address_with("-request"),
            Place::Group(_) => None,
        };
        let letter = Letter {
            from: from.unwrap_or_else(|| place.address().clone()),
            from_name: name,
            to: draft.to.clone(),
            reply_to: draft.reply_to,
            subject,
            text,
            language: language.name(),
            about: draft.about.map(str::to_owned),
        };
        match self.delivery.prepare_letter(&letter).await {
            Ok(prepared) => Ok(Some(prepared)),
            Err(Refused(reply)) if reply.is_permanent() => {
                tracing::info!(list = %place.address(), to = %letter.to, %reply, "a letter has no reader");
                Ok(None)
            }
            // A recipient of ours that does not exist is told so with 451 as well: no letter is worth waiting for that.
            Err(Refused(_)) if self.is_unknown_here(draft.to) => Ok(None),
            Err(Refused(reply)) => Err(TakeError::Temporary(reply.to_string())),
        }
    }

    /// The language of a reader: their own, that of their account here, or the list's.
    pub(crate) fn language_for(&self, place: &Place, reader: &Address, known: Option<&str>) -> Language {
        let directory = self.store.directory();
        if let Some(known) = known {
            return Language::of(known);
        }
        match directory.account_at(reader) {
            Some(account) => Language::of(&account.language),
            None => place.language(&directory),
        }
    }

    fn is_unknown_here(&self, address: &Address) -> bool {
        let directory = self.store.directory();
        let asking = routing::Asking::server(self.store.now());
        let path = mail::ForwardPath::Address(address.clone());
        directory.domain(address.domain()).is_some()
            && !routing::resolve(&directory, &path, &asking).verdict.is_accept()
    }

    /// A signed link, when there are pages.
    pub(crate) fn link(
        &self,
        purpose: Purpose,
        place: &Place,
        number: u32,
        address: &Address,
        keep: std::time::Duration,
    ) -> Option<String> {
        let web = self.web.as_deref()?;
        let link = Link {
            purpose,
            part: place.part(),
            expires: self.store.now().plus(keep),
            number,
            address: address.clone(),
        };
        Some(format!("{web}/lists/{}", self.tokens.in_link(&link)))
    }

    /// The address whose letters confirm or decide something.
    pub(crate) fn confirm_address(&self, purpose: Purpose, place: &Place, number: u32) -> Option<Address> {
        place.address_with(&format!("-confirm+{}", self.tokens.in_mail(purpose, place.part(), number)))
    }
}
