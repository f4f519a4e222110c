//! `Door`: what protocols and logins ask, and what they tell. Clones share one state.
//!
//! It decides at once and in memory. What is to be kept over a restart, bans made and bans forgotten, waits in [`Door::take_changes`]; the
//! bell that it was made with rings when there is something.

use std::collections::VecDeque;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use mail::{Prefix, Timestamp};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

use crate::around::around;
use crate::bans::{Ban, Bans, Cause, Full, reason};
use crate::bounded::Bounded;
use crate::changes::Changes;
use crate::limits::{EXPLAINED_PER_MINUTE, FAMILIAR_FOR, FAMILIAR_MAX, GUESSERS_MAX, GUESSES_KNOWN, PLACES_MAX};
use crate::rates::{Kind, Rates};
use crate::settings::{PerNetwork, Settings};
use crate::tarpit::tarpit_wait;
use crate::window::Window;

/// Who may come in, and what follows from what goes wrong.
#[derive(Clone)]
pub struct Door(Arc<Inner>);

struct Inner {
    state: Mutex<State>,
    /// Answers that wait.
    held: AtomicUsize,
    bell: Box<dyn Fn() + Send + Sync>,
}

struct State {
    settings: Settings,
    rates: Rates,
    bans: Bans,
    /// Places from which somebody has logged in, until when that counts.
    familiar: Bounded<Prefix, Until>,
    /// Wrong passwords that places have said lately, as fingerprints.
    guesses: Bounded<Prefix, VecDeque<u64>>,
    /// How often who is turned away was told why.
    explained: Bounded<Prefix, Window>,
    /// What is to be kept over a restart, and was not taken yet.
    changes: Changes,
}

#[derive(Default)]
struct Until(Option<Timestamp>);

/// Whether a connection may begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entry {
    /// It may.
    Welcome,
    /// Its address is banned.
    Banned {
        /// In one line: who, until when, why, and whom to write to.
        why: String,
        /// Whether the ban has no end, so that coming again is of no use.
        lasting: bool,
        /// Whether it is worth a TLS handshake to tell that; not for who comes again and again.
        explain: bool,
    },
    /// There are too many from there just now.
    TooMany {
        /// In one line.
        why: String,
        /// See [`Entry::Banned`].
        explain: bool,
    },
}

/// What follows from something that went wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Strike {
    /// Why nothing more is taken from there, if it is banned now.
    pub banned: Option<String>,
    /// Why no more of the kind is taken for now, if its rate is exceeded.
    pub over: Option<String>,
    /// How long the answer is to wait.
    pub wait: Duration,
}

/// What is known of an address just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// Which.
    pub address: IpAddr,
    /// Whether the settings say that it is neither counted nor banned.
    pub never_banned: bool,
    /// Whether somebody has logged in from there lately.
    pub familiar: bool,
    /// What it is told when it comes now; `None`: it may come in.
    pub told: Option<String>,
    /// Bans of it and of the networks that it is in: those in force, and those of its place that make the next one longer.
    pub bans: Vec<Ban>,
    /// What is counted of it and of the networks around it; without what is nothing.
    pub counts: Vec<Count>,
}

/// One count.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Count {
    /// Of whom.
    pub prefix: Prefix,
    /// Of what.
    pub kind: Kind,
    /// How many within the window.
    pub count: u32,
    /// How many are borne; 0: any number.
    pub limit: u32,
    /// From how many on there is a ban; 0: never.
    pub bans_from: u32,
}

/// The place of an answer that waits in the tarpit; given back when dropped.
#[derive(Debug)]
pub struct Held(Door);

impl Drop for Held {
    fn drop(&mut self) {
        self.0.0.held.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Door {
    /// A door over which nothing is known yet. The bell rings when there are changes to be kept.
    #[must_use]
    pub fn new(settings: Settings, bell: impl Fn() + Send + Sync + 'static) -> Self {
        let state = State {
            settings,
            rates: Rates::default(),
            bans: Bans::default(),
            familiar: Bounded::new(FAMILIAR_MAX),
            guesses: Bounded::new(GUESSERS_MAX),
            explained: Bounded::new(PLACES_MAX),
            changes: Changes::default(),
        };
        Self(Arc::new(Inner { state: Mutex::new(state), held: AtomicUsize::new(0), bell: Box::new(bell) }))
    }

    /// Takes over what was kept. What there is no place for is left out.
    pub fn load(&self, bans: impl IntoIterator<Item = Ban>) {
        let mut state = self.0.state.lock();
        for ban in bans {
            state.bans.put(ban).ok();
        }
    }

    /// From now on these settings hold. What is counted and who is banned stays.
    pub fn reload(&self, settings: Settings) {
        self.0.state.lock().settings = settings;
    }

    /// A client comes: counts its connection, and tells whether it may come in.
    #[must_use]
    pub fn knock(&self, address: IpAddr, now: Timestamp) -> Entry {
        self.with(|state| {
            if let Some(banned) = state.turns_away(address, now) {
                return banned;
            }
            let over = state.strike(Kind::Connections, address, 1, now);
            if let Some(banned) = state.turns_away(address, now) {
                return banned;
            }
            match over {
                Some(why) => Entry::TooMany { why, explain: state.explains(address, now) },
                None => Entry::Welcome,
            }
        })
    }

    /// Why an address is banned, in one line, if it is.
    #[must_use]
    pub fn banned(&self, address: IpAddr, now: Timestamp) -> Option<String> {
        self.0.state.lock().banned(address, now)
    }

    /// A message begins, of who has not logged in. Returns why it is not taken now, if it is so.
    #[must_use]
    pub fn message(&self, address: IpAddr, now: Timestamp) -> Option<String> {
        self.with(|state| {
            let over = state.strike(Kind::Messages, address, 1, now);
            state.banned(address, now).or(over)
        })
    }

    /// A recipient was refused because there is none of that name.
    #[must_use]
    pub fn unknown_recipient(&self, address: IpAddr, now: Timestamp) -> Strike {
        self.with(|state| {
            let over = state.strike(Kind::UnknownRecipients, address, 1, now);
            Strike { banned: state.banned(address, now), over, wait: state.wait(Kind::UnknownRecipients, address, now) }
        })
    }

    /// So many commands made no sense. Returns why nothing more is taken from there, if there is a ban now.
    #[must_use]
    pub fn bad_commands(&self, address: IpAddr, how_many: u32, now: Timestamp) -> Option<String> {
        self.with(|state| {
            state.strike(Kind::BadCommands, address, how_many, now);
            state.banned(address, now)
        })
    }

    /// A login failed. `familiar`: the address has logged in to this account before, so it is its owner who mistypes. `guess`: a fingerprint
    /// of login and password, when both are known; the same again tells a guesser nothing, and is no guess. Returns how long the answer is
    /// to wait.
    #[must_use]
    pub fn failed_login(&self, address: IpAddr, familiar: bool, guess: Option<u64>, now: Timestamp) -> Duration {
        self.with(|state| {
            if !familiar && !guess.is_some_and(|guess| state.said_before(address, guess)) {
                state.strike(Kind::FailedLogins, address, 1, now);
            }
            state.wait(Kind::FailedLogins, address, now)
        })
    }

    /// Somebody has logged in from there.
    pub fn logged_in(&self, address: IpAddr, now: Timestamp) {
        let mut state = self.0.state.lock();
        if state.counts(address) {
            *state.familiar.using(Prefix::place(address)) = Until(Some(now.plus(FAMILIAR_FOR)));
        }
    }

    /// A place for an answer that waits; `None` when there are too many already, and it goes out at once.
    #[must_use]
    pub fn hold(&self) -> Option<Held> {
        let most = self.0.state.lock().settings.tarpit_held_max;
        let one_more = |held: usize| held.checked_add(1).filter(|held| *held <= most);
        self.0.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_more).ok()?;
        Some(Held(self.clone()))
    }

    /// Answers that wait just now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    /// Enters a ban of an administrator, in the place of what there is. The reason is cut down to one line of ASCII.
    ///
    /// # Errors
    /// [`Full`].
    pub fn ban(&self, prefix: Prefix, why: &str, until: Option<Timestamp>, now: Timestamp) -> Result<Ban, Full> {
        self.with(|state| {
            let ban = state.by_hand(prefix, why, until, now);
            state.enter(ban.clone())?;
            Ok(ban)
        })
    }

    /// Takes a ban away, and the memory of earlier ones. What was counted of a place begins anew, or it would be banned again at once.
    pub fn lift(&self, prefix: &Prefix) -> Option<Ban> {
        self.with(|state| {
            let gone = state.bans.take(prefix)?;
            state.changes.note(*prefix, None);
            Kind::ALL.iter().for_each(|kind| state.rates.forget(*kind, prefix));
            Some(gone)
        })
    }

    /// What the settings name that has all of these addresses in it, so that a ban of them would keep nobody out.
    #[must_use]
    pub fn never_bans(&self, prefix: &Prefix) -> Option<Prefix> {
        let state = self.0.state.lock();
        let mut never = state.settings.never_banned.iter();
        never.find(|never| never.has(prefix.first()) && never.bits() <= prefix.bits()).copied()
    }

    /// Forgets bans that have been over for long. Returns how many.
    pub fn sweep(&self, now: Timestamp) -> usize {
        self.with(|state| {
            let gone = state.bans.sweep(now, state.settings.forgotten_after);
            gone.iter().for_each(|prefix| state.changes.note(*prefix, None));
            gone.len()
        })
    }

    /// What is to be kept, and was not taken before.
    #[must_use]
    pub fn take_changes(&self) -> Changes {
        std::mem::take(&mut self.0.state.lock().changes)
    }

    /// All bans that are remembered, in force or over.
    #[must_use]
    pub fn remembered(&self) -> Vec<Ban> {
        self.0.state.lock().bans.all()
    }

    /// How many bans are in force.
    #[must_use]
    pub fn count(&self, now: Timestamp) -> usize {
        self.0.state.lock().bans.count(now)
    }

    /// All bans in force.
    #[must_use]
    pub fn in_force(&self, now: Timestamp) -> Vec<Ban> {
        self.0.state.lock().bans.in_force(now)
    }

    /// What is known of an address. Nothing is counted by asking.
    #[must_use]
    pub fn visitor(&self, address: IpAddr, now: Timestamp) -> Visitor {
        let state = self.0.state.lock();
        let mut bans: Vec<Ban> = state.bans.over(address, now).cloned().collect();
        bans.extend(state.bans.of(&Prefix::place(address)).filter(|ban| !ban.holds(now)).cloned());
        let mut counts = Vec::new();
        for kind in Kind::ALL {
            let (PerNetwork(limits), from) = (state.settings.limits(kind), state.settings.bans_from(kind));
            let counted = state.rates.counts(kind, address, now);
            for (((prefix, count), limit), bans_from) in around(address).into_iter().zip(counted).zip(limits).zip(from)
            {
                if count > 0 {
                    counts.push(Count { prefix, kind, count, limit, bans_from });
                }
            }
        }
        Visitor {
            address: address.to_canonical(),
            never_banned: !state.may_be_banned(address),
            familiar: state.is_familiar(address, now),
            told: state.banned(address, now),
            bans,
            counts,
        }
    }

    /// Does something, and rings when there is something to be kept.
    fn with<T>(&self, act: impl FnOnce(&mut State) -> T) -> T {
        let (done, news) = {
            let mut state = self.0.state.lock();
            let done = act(&mut state);
            (done, !state.changes.is_empty())
        };
        if news {
            (self.0.bell)();
        }
        done
    }
}

impl fmt::Debug for Door {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Door(..)")
    }
}

impl State {
    /// Whether an address may be banned at all. One that is not known, as that of the command line, is nobody's.
    fn may_be_banned(&self, address: IpAddr) -> bool {
        !address.to_canonical().is_unspecified() && !self.settings.never_banned.iter().any(|never| never.has(address))
    }

    /// Whether anything is counted of an address.
    fn counts(&self, address: IpAddr) -> bool {
        self.settings.enabled && self.may_be_banned(address)
    }

    fn is_familiar(&self, address: IpAddr, now: Timestamp) -> bool {
        self.familiar.get(&Prefix::place(address)).is_some_and(|Until(until)| until.is_some_and(|until| now < until))
    }

    /// Of the bans that keep an address out, the one that ends last.
    fn ban_over(&self, address: IpAddr, now: Timestamp) -> Option<&Ban> {
        if !self.may_be_banned(address) {
            return None;
        }
        let familiar = self.is_familiar(address, now);
        let keeps_out = |ban: &&Ban| {
            // What others in its network do is not the doing of a place that people use.
            ban.cause == Cause::Administrator || (self.settings.enabled && !(ban.prefix.is_network() && familiar))
        };
        self.bans.over(address, now).filter(keeps_out).max_by_key(|ban| ban.until.map_or(i64::MAX, |until| until.0))
    }

    fn banned(&self, address: IpAddr, now: Timestamp) -> Option<String> {
        self.ban_over(address, now).map(|ban| ban.sentence(&self.settings.contact))
    }

    /// The entry of who is banned.
    fn turns_away(&mut self, address: IpAddr, now: Timestamp) -> Option<Entry> {
        let ban = self.ban_over(address, now)?;
        let (why, lasting) = (ban.sentence(&self.settings.contact), ban.until.is_none());
        Some(Entry::Banned { why, lasting, explain: self.explains(address, now) })
    }

    /// Counts, and bans when that is due. Returns why nothing more is taken, when a rate is exceeded.
    fn strike(&mut self, kind: Kind, address: IpAddr, more: u32, now: Timestamp) -> Option<String> {
        if !self.counts(address) {
            return None;
        }
        let counts = self.rates.add(kind, address, more, now);
        let (PerNetwork(limits), from) = (self.settings.limits(kind), self.settings.bans_from(kind));
        let mut over = None;
        for (((prefix, count), limit), from) in around(address).into_iter().zip(counts).zip(limits).zip(from) {
            if limit > 0 && count > limit && over.is_none() {
                over = Some(format!(
                    "Too many {} from {prefix}: at most {limit} in {} are taken; come again later",
                    kind.words(false),
                    kind.window_words()
                ));
            }
            if from > 0 && count >= from {
                self.ban_for(kind, prefix, count, now);
            }
        }
        over
    }

    /// Bans for what was counted, unless there is a ban already. There is one more later if no place is left now.
    fn ban_for(&mut self, kind: Kind, prefix: Prefix, count: u32, now: Timestamp) {
        if self.bans.of(&prefix).is_some_and(|ban| ban.holds(now)) {
            return;
        }
        let times = self.bans.times(&prefix, now, self.settings.forgotten_after).saturating_add(1);
        let why = format!("{count} {} in {}", kind.words(count == 1), kind.window_words());
        let until = Some(now.plus(self.settings.ban_lasts(times)));
        if self.enter(Ban { prefix, cause: kind.into(), why, since: now, until, times }).is_ok() {
            // It has had its consequence; when the ban is over, the patience begins anew.
            self.rates.forget(kind, &prefix);
        }
    }

    fn by_hand(&self, prefix: Prefix, why: &str, until: Option<Timestamp>, now: Timestamp) -> Ban {
        let times = self.bans.times(&prefix, now, self.settings.forgotten_after).saturating_add(1);
        Ban { prefix, cause: Cause::Administrator, why: reason(why), since: now, until, times }
    }

    fn enter(&mut self, ban: Ban) -> Result<(), Full> {
        if let Some(pushed_out) = self.bans.put(ban.clone())? {
            self.changes.note(pushed_out, None);
        }
        self.changes.note(ban.prefix, Some(ban));
        Ok(())
    }

    /// How long an answer waits after so many failures of the place. What is counted with a ban begins anew.
    fn wait(&self, kind: Kind, address: IpAddr, now: Timestamp) -> Duration {
        if !self.counts(address) {
            return Duration::ZERO;
        }
        let [failures, ..] = self.rates.counts(kind, address, now);
        tarpit_wait(failures, self.settings.tarpit_max)
    }

    /// Whether a place has said the same lately; from now on it has.
    fn said_before(&mut self, address: IpAddr, guess: u64) -> bool {
        if !self.counts(address) {
            return false;
        }
        let said = self.guesses.using(Prefix::place(address));
        if said.contains(&guess) {
            return true;
        }
        if said.len() >= GUESSES_KNOWN {
            said.pop_front();
        }
        said.push_back(guess);
        false
    }

    /// Whether who is turned away is told why at some cost, which who comes again and again is not worth.
    fn explains(&mut self, address: IpAddr, now: Timestamp) -> bool {
        let minute = Kind::Connections.window();
        self.explained.using(Prefix::place(address)).add(1, now, minute) <= EXPLAINED_PER_MINUTE
    }
}

#[cfg(test)]
mod tests;
