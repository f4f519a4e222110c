//! What becomes of a message: one decision for all filters of an account, with a reason for each.

use std::collections::BTreeSet;
use std::fmt;

use mail::{Keyword, SystemFlags};
use serde::{Deserialize, Serialize};

use crate::condition::Condition;
use crate::filter::{Filter, Matching, Place};
use crate::limits::COPIES_OF_MESSAGE_MAX;
use crate::view::MessageView;

/// What becomes of a message, and why.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// What is done with it.
    pub outcome: Outcome,
    /// What each filter says, in their order.
    pub verdicts: Vec<Verdict>,
}

/// What all filters together do with a message.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Outcome {
    /// No mailbox of the account keeps it, whatever else stands here.
    pub discard: bool,
    /// The mailbox that gets it in place of the one where it would go.
    pub folder: Option<String>,
    /// Further mailboxes that get it, each once.
    pub copies: Vec<String>,
    /// Keywords that it gets, in each of them.
    pub tags: BTreeSet<Keyword>,
    /// System flags that it gets, in each of them.
    pub flags: SystemFlags,
}

/// What one filter says of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdict {
    /// The filter's name.
    pub filter: String,
    /// Whether it acts.
    pub fate: Fate,
}

/// Whether a filter acts, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Fate {
    /// It matches.
    Acts {
        /// What it does, in words; empty when it only skips others.
        does: Vec<String>,
        /// A condition that holds, when one is enough.
        because: Option<Condition>,
        /// The filters behind it are skipped.
        stops: bool,
    },
    /// A condition does not hold; without one: none of them does.
    DoesNotMatch(Option<Condition>),
    /// It is switched off.
    SwitchedOff,
    /// It does not look at what goes there.
    OtherPlace(Place),
    /// A filter before it says that it is skipped.
    Skipped {
        /// Which.
        by: String,
    },
}

/// Decides for a message that would go to a place of the account.
#[must_use]
pub fn decide(filters: &[Filter], message: &MessageView, place: Place) -> Decision {
    let mut decision = Decision::default();
    let mut skipped_by: Option<&str> = None;
    for filter in filters {
        let fate = match skipped_by {
            Some(by) => Fate::Skipped { by: by.to_owned() },
            None => fate_of(filter, message, place, &mut decision.outcome),
        };
        if matches!(fate, Fate::Acts { stops: true, .. }) {
            skipped_by = Some(&filter.name);
        }
        decision.verdicts.push(Verdict { filter: filter.name.clone(), fate });
    }
    decision
}

/// Octets of a message that [`decide`] looks through at the most, each time for each condition: what its work amounts to.
#[must_use]
pub fn compares(filters: &[Filter], message: &MessageView) -> usize {
    let conditions = filters.iter().filter(|filter| filter.enabled).flat_map(|filter| &filter.conditions);
    conditions.map(|condition| condition.compares(message)).fold(0, usize::saturating_add)
}

fn fate_of(filter: &Filter, message: &MessageView, place: Place, outcome: &mut Outcome) -> Fate {
    if !filter.enabled {
        return Fate::SwitchedOff;
    }
    if !filter.places.contains(&place) {
        return Fate::OtherPlace(place);
    }
    match filter.matches(message) {
        Err(missing) => Fate::DoesNotMatch(missing.cloned()),
        Ok(because) => {
            let does = outcome.add(filter);
            Fate::Acts { does, because: because.cloned(), stops: filter.stop }
        }
    }
}

impl Filter {
    /// Whether its conditions hold, wherever the message goes and whether or not it is switched on. With the condition that
    /// decided, where one alone did.
    ///
    /// # Errors
    /// It does not match.
    pub fn matches(&self, message: &MessageView) -> Result<Option<&Condition>, Option<&Condition>> {
        match self.matching {
            Matching::All => match self.conditions.iter().find(|condition| !condition.holds(message)) {
                Some(missing) => Err(Some(missing)),
                None => Ok(None),
            },
            Matching::Any => {
                let held = self.conditions.iter().find(|condition| condition.holds(message));
                held.map_or(Err(None), |condition| Ok(Some(condition)))
            }
        }
    }
}

impl Outcome {
    /// What one filter alone does with a message that it matches.
    #[must_use]
    pub fn of(filter: &Filter) -> Self {
        let mut outcome = Self::default();
        outcome.add(filter);
        outcome
    }

    /// Whether everything stays as it would be without filters.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Adds what a filter does, and tells it in words.
    fn add(&mut self, filter: &Filter) -> Vec<String> {
        let actions = &filter.actions;
        let mut does = actions.in_words();
        self.discard |= actions.discard;
        if let Some(folder) = &actions.folder {
            match &self.folder {
                None => self.folder = Some(folder.clone()),
                Some(before) if before == folder => {}
                Some(before) => {
                    let moves = format!("moves it to {folder}");
                    does.retain(|words| *words != moves);
                    does.push(format!("does not move it to {folder}, since it goes to {before} already"));
                }
            }
        }
        for copy in &actions.copies {
            if !self.copies.contains(copy) && self.copies.len() < COPIES_OF_MESSAGE_MAX {
                self.copies.push(copy.clone());
            }
        }
        self.tags.extend(actions.tags.iter().cloned());
        if actions.important {
            self.flags = self.flags.union(SystemFlags::FLAGGED);
        }
        if actions.read {
            self.flags = self.flags.union(SystemFlags::SEEN);
        }
        does
    }
}

impl Decision {
    /// The filters that act, each in words: `filter "Bills" moves it to Bills`.
    pub fn acts(&self) -> impl Iterator<Item = String> {
        self.verdicts.iter().filter(|verdict| matches!(verdict.fate, Fate::Acts { .. })).map(ToString::to_string)
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "filter \"{}\" ", self.filter)?;
        match &self.fate {
            Fate::Acts { does, because, stops } => {
                f.write_str(&listed(does))?;
                match (does.is_empty(), stops) {
                    (true, _) => f.write_str("skips the filters behind it")?,
                    (false, true) => f.write_str("; the filters behind it are skipped")?,
                    (false, false) => {}
                }
                because.as_ref().map_or(Ok(()), |condition| write!(f, " ({condition})"))
            }
            Fate::DoesNotMatch(Some(condition)) => write!(f, "does not match: not so: {condition}"),
            Fate::DoesNotMatch(None) => f.write_str("does not match: none of its conditions holds"),
            Fate::SwitchedOff => f.write_str("is switched off"),
            Fate::OtherPlace(place) => write!(f, "does not look at what goes to {place}"),
            Fate::Skipped { by } => write!(f, "is skipped: \"{by}\" says so"),
        }
    }
}

/// `a, b and c`
fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
