//! What follows from an order or a link, as one value: changes of rows, and letters. Applied by one transaction.

use std::sync::Arc;

use bus::TakeError;
use delivery::{Letter, Prepared, Refused};
use mail::{AccountId, Address, Timestamp, TraceId};
use storage::trace::{Step, Taken};
use storage::{StorageError, Transaction};

use crate::Lists;
use crate::bounces::day;
use crate::budget::Allowance;
use crate::consumer::Case;
use crate::place::Place;
use crate::text::{Language, Words, write};
use crate::token::{Link, Purpose};

/// A change of rows. `false`: what it rests on is gone, and nothing is done. Such guards come first.
pub(crate) type Change = Arc<dyn Fn(&mut Transaction<'_>) -> Result<bool, StorageError> + Send + Sync>;

/// Changes and letters that belong together, and what the message's trace tells of them.
#[derive(Clone, Default)]
pub(crate) struct Acts {
    needs: Vec<Allowance>,
    changes: Vec<Change>,
    letters: Vec<Counted>,
    steps: Vec<Step>,
}

/// A letter that is sent while there are letters left, by every count.
#[derive(Clone)]
struct Counted {
    allowances: Vec<Allowance>,
    letter: Prepared,
    /// Other words, when so many of the first count have been sent that day.
    instead: Vec<(u32, Prepared)>,
}

/// What became of them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Applied {
    /// `false`: a guard said no or a need was not met, and no row was changed.
    pub done: bool,
    /// What there was no more of, so that something was not done or not sent.
    pub spent: Vec<Allowance>,
}

impl Acts {
    /// What has to be left of a day's letters for any of this; one of each is taken.
    pub(crate) fn needs(&mut self, allowance: Allowance) {
        self.needs.push(allowance);
    }

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
        self.counted(Vec::new(), letter);
    }

    /// A letter that is only sent while there are letters left, by every count.
    pub(crate) fn counted(&mut self, allowances: Vec<Allowance>, letter: Option<Prepared>) {
        self.one_of(allowances, letter, Vec::new());
    }

    /// The same with other words for when so many of the first count have been sent that day: which it is is decided where it
    /// is counted, so that of two that are written at once only one is the first.
    pub(crate) fn one_of(
        &mut self,
        allowances: Vec<Allowance>,
        letter: Option<Prepared>,
        instead: Vec<(u32, Prepared)>,
    ) {
        self.letters.extend(letter.map(|letter| Counted { allowances, letter, instead }));
    }

    /// What the trace of the message tells, whatever comes of the rest.
    pub(crate) fn step(&mut self, step: Step) {
        self.steps.push(step);
    }

    /// What the trace tells, in words.
    pub(crate) fn tells(&mut self, text: String) {
        self.step(Step::Decided { text });
    }

    /// Writes everything, and what it came to into the trace.
    pub(crate) fn apply(
        &self,
        tx: &mut Transaction<'_>,
        part: AccountId,
        trace: Option<TraceId>,
        now: Timestamp,
    ) -> Result<Applied, StorageError> {
        let mut steps = self.steps.clone();
        let applied = self.write(tx, part, day(now), &mut steps)?;
        if let Some(trace) = trace {
            let steps: Vec<Taken> = steps.into_iter().map(|step| Taken { at: now, step }).collect();
            tx.trace(trace, &steps)?;
        }
        Ok(applied)
    }

    fn write(
        &self,
        tx: &mut Transaction<'_>,
        part: AccountId,
        today: u32,
        steps: &mut Vec<Step>,
    ) -> Result<Applied, StorageError> {
        let mut applied = Applied::default();
        if let Some(spent) = take_all(tx, part, today, &self.needs)? {
            steps.push(spent.kept_back());
            applied.spent.push(spent);
            return Ok(applied);
        }
        for change in &self.changes {
            if !change(tx)? {
                return Ok(applied);
            }
        }
        applied.done = true;
        for Counted { allowances, letter, instead } in &self.letters {
            let sent = match allowances.first() {
                Some(Allowance { kind, to, .. }) if !instead.is_empty() => {
                    Some(tx.letters_sent(part, today, *kind as u8, to)?)
                }
                Some(_) | None => None,
            };
            let letter = instead.iter().find(|(at, _)| Some(*at) == sent).map_or(letter, |(_, other)| other);
            match take_all(tx, part, today, allowances)? {
                Some(spent) => {
                    steps.push(spent.kept_back());
                    applied.spent.push(spent);
                }
                None => {
                    letter.apply(tx)?;
                    steps.extend(allowances.first().map(Allowance::sent));
                }
            }
        }
        Ok(applied)
    }
}

/// Takes one letter of each count, or none when one of them has no more: that one.
fn take_all(
    tx: &mut Transaction<'_>,
    part: AccountId,
    today: u32,
    allowances: &[Allowance],
) -> Result<Option<Allowance>, StorageError> {
    for allowance in allowances {
        let Allowance { kind, to, max } = allowance;
        if tx.letters_sent(part, today, *kind as u8, to)? >= *max {
            return Ok(Some(allowance.clone()));
        }
    }
    for Allowance { kind, to, max } in allowances {
        tx.take_letter(part, today, *kind as u8, to, *max)?;
    }
    Ok(None)
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
    /// It repeats some of a message that came with REQUIRETLS.
    pub require_tls: bool,
}

impl<'a> Draft<'a> {
    pub(crate) fn new(to: &'a Address, words: Words<'a>) -> Self {
        Self { to, words, reply_to: None, about: None, language: None, require_tls: false }
    }

    /// One about the message of a case.
    pub(crate) fn about(case: &'a Case, to: &'a Address, words: Words<'a>) -> Self {
        let (about, require_tls) = (case.incoming.message_id.as_deref(), case.event.require_tls);
        Self { about, require_tls, ..Self::new(to, words) }
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
        let (subject, text) = write(language, &name, place.address(), &draft.words, self.delivery.command());
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
            Ok(prepared) => Ok(Some(prepared.requiring_tls(draft.require_tls))),
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

    /// The address whose letters confirm a request.
    pub(crate) fn confirm_address(&self, place: &Place, number: u32) -> Option<Address> {
        place.address_with(&format!("-confirm+{}", self.tokens.in_mail(Purpose::Confirm, place.part(), number, None)))
    }

    /// The address with which one of those who decide does so.
    pub(crate) fn decision_address(
        &self,
        purpose: Purpose,
        place: &Place,
        number: u32,
        decider: &Address,
    ) -> Option<Address> {
        place.address_with(&format!("-confirm+{}", self.tokens.in_mail(purpose, place.part(), number, Some(decider))))
    }
}
