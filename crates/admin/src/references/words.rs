//! References and what follows from them, in words for the person who removes something.

use std::collections::BTreeSet;
use std::fmt;

use mail::{Address, Domain};
use routing::objects::ObjectKey;

use super::{Effect, Kind, Named, Reference, Removal, holders};
use crate::limits::REFERENCES_TOLD_MAX;

/// The objects in which something is named, in the language of a letter; `None` when there are none.
pub(crate) fn where_in(references: &[&Reference], language: &str) -> Option<String> {
    let keys: BTreeSet<&ObjectKey> = references.iter().map(|one| &one.holder).collect();
    let named: fn(&ObjectKey) -> String = if language == "fr" { holder_in_french } else { holder };
    let texts: Vec<String> = keys.into_iter().map(named).collect();
    let and_more = if language == "fr" { "et encore" } else { "and more:" };
    (!texts.is_empty()).then(|| joined(texts, ", ", and_more))
}

/// What a removal has done beside the thing itself, to be put behind "removed …"; empty when nothing.
pub(crate) fn told_all(removal: &Removal) -> String {
    let mut text = String::new();
    let goes = |key: &ObjectKey| {
        removal.effects.iter().any(|effect| match effect {
            Effect::AliasGoes(at) => *key == ObjectKey::Alias(at.canonical()),
            Effect::ResponderGoes { id, .. } => *key == ObjectKey::Responder(*id),
            Effect::PatternGoes { .. }
            | Effect::GroupOff(_)
            | Effect::ListOff(_)
            | Effect::ResponderKeeps { .. }
            | Effect::NoDeputy { .. }
            | Effect::FailureNotices { .. } => false,
        })
    };
    let left = holders(&removal.references).into_iter().filter(|key| !goes(key)).map(holder).collect::<Vec<_>>();
    if !left.is_empty() {
        text.push_str(&format!(", and took it out of {}", joined(left, ", ", "and more:")));
    }
    if !removal.effects.is_empty() {
        text.push_str("; ");
        text.push_str(&some_of(removal.effects.iter().map(ToString::to_string).collect()));
    }
    text
}

impl Removal {
    /// What follows from taking the references out, to be put behind a hint; empty when nothing.
    pub(crate) fn consequences(&self) -> String {
        if self.effects.is_empty() {
            return String::new();
        }
        format!("; then {}", some_of(self.effects.iter().map(ToString::to_string).collect()))
    }

    /// What leads there.
    pub(crate) fn told(&self) -> String {
        some_of(self.references.iter().map(ToString::to_string).collect())
    }
}

fn some_of(texts: Vec<String>) -> String {
    joined(texts, "; ", "and more:")
}

fn joined(mut texts: Vec<String>, between: &str, and_more: &str) -> String {
    let more = texts.len().saturating_sub(REFERENCES_TOLD_MAX);
    texts.truncate(REFERENCES_TOLD_MAX);
    let mut text = texts.join(between);
    if more > 0 {
        text.push_str(&format!("{between}{and_more} {more}"));
    }
    text
}

fn holder(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Domain(name) => format!("the domain {name}"),
        ObjectKey::Account(address) => format!("the account {address}"),
        ObjectKey::Alias(address) => format!("the alias {address}"),
        ObjectKey::Group(address) => format!("the group {address}"),
        ObjectKey::List(address) => format!("the list {address}"),
        ObjectKey::Responder(id) => format!("responder {id}"),
        ObjectKey::External(id) => format!("external account {id}"),
        ObjectKey::Filters(account) => format!("the filters of account {account}"),
    }
}

fn holder_in_french(key: &ObjectKey) -> String {
    match key {
        ObjectKey::Domain(name) => format!("le domaine {name}"),
        ObjectKey::Account(address) => format!("la boîte {address}"),
        ObjectKey::Alias(address) => format!("l'alias {address}"),
        ObjectKey::Group(address) => format!("le groupe {address}"),
        ObjectKey::List(address) => format!("la liste {address}"),
        ObjectKey::Responder(id) => format!("le répondeur {id}"),
        ObjectKey::External(id) => format!("le compte externe {id}"),
        ObjectKey::Filters(account) => format!("les filtres du compte {account}"),
    }
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let it = match &self.named {
            Named::Address(_) if self.direct => "it".to_owned(),
            Named::Address(address) => address.to_string(),
            Named::Text { text, .. } => text.clone(),
        };
        let at = self.at.as_ref().map(Address::to_string).unwrap_or_default();
        let holder = holder(&self.holder);
        match self.kind {
            Kind::AliasTarget => write!(f, "{holder} leads to {it}"),
            Kind::AliasAway | Kind::GroupAway => write!(f, "{holder} falls back to {it} when its people are away"),
            Kind::GroupMember => write!(f, "{holder} has {it} as a member"),
            Kind::GroupModerator | Kind::ListModerator => write!(f, "{it} moderates {holder}"),
            Kind::ListOwner => write!(f, "{it} owns {holder}"),
            Kind::CatchAll => write!(f, "the catch-all of {} is {it}", name(self.domain())),
            Kind::Postmaster => write!(f, "the postmaster of {} is {it}", name(self.domain())),
            Kind::Pattern(number) => write!(f, "pattern {number} of {} leads to {it}", name(self.domain())),
            Kind::AliasMaker => write!(f, "{holder} lets {it} make aliases"),
            Kind::SharedMember => write!(f, "{it} shares the mailbox {at}"),
            Kind::Successor => write!(f, "{it} has taken over from {at}"),
            Kind::Recovery => write!(f, "{it} is the recovery address of {at}"),
            Kind::ResponderAt => write!(f, "{holder} answers at {it}"),
            Kind::Deputy => write!(f, "{holder} at {at} names {it} as the deputy"),
            Kind::CopyReceived => write!(f, "{holder} at {at} copies received messages to {it}"),
            Kind::CopyAnswers => write!(f, "{holder} at {at} copies its answers to {it}"),
            Kind::Memory => write!(f, "{holder} would be given {it} back"),
        }
    }
}

fn name(domain: Option<&Domain>) -> &str {
    domain.map_or("", Domain::as_str)
}

impl fmt::Display for Effect {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AliasGoes(at) => write!(f, "the alias {at} goes too, as it leads nowhere else"),
            Self::ResponderGoes { id, at } => write!(f, "responder {id} at {at} goes too"),
            Self::PatternGoes { domain, pattern } => {
                write!(f, "the pattern \"{pattern}\" of {domain} goes too, as it leads nowhere else")
            }
            Self::GroupOff(at) => write!(f, "the group {at} is off, as it is moderated and has no moderator left"),
            Self::ListOff(at) => write!(f, "the list {at} is off, as it has no owner left"),
            Self::ResponderKeeps { id, at } => {
                write!(f, "responder {id} keeps what {at} receives, as it has no copies of it made any more")
            }
            Self::NoDeputy { id, at } => {
                write!(f, "the words of responder {id} at {at} name a {{deputy}}, and there is none: change them")
            }
            Self::FailureNotices { id, at } => {
                write!(
                    f,
                    "who writes to {at} gets a failure notice beside the answer of responder {id}, as nobody gets the messages"
                )
            }
        }
    }
}
