//! What in the directory names an address or a domain, and what becomes of it when that goes: the one place that knows every
//! such field.
//!
//! [`Removal`] is planned before anything is written: what leads there (for the person who is asked for `--force`), what
//! follows from taking it out, and which objects are written. It is applied inside the transaction of the removal, to
//! the objects as they are then.
//!
//! Senders who are named as those who may write (`rules.senders`, `posting`) are none of it: nothing leads there, and a list of
//! permissions that becomes empty would let everybody in.
//!
//! **Invariant:** after a removal no field that [`names`](self::names::names) knows leads to what has gone. An alias that would
//! lead nowhere goes too, with all that leads to it.

mod names;
mod without;
mod words;

#[cfg(test)]
pub(crate) use names::names;
#[cfg(not(test))]
use names::names;

use std::collections::{BTreeSet, HashMap, HashSet};

use mail::{AccountId, Address, Domain};
use routing::objects::ObjectKey;
use routing::{Directory, meant};
use storage::objects::PutMode;
use storage::{Durability, Objects, StorageError, Store, Transaction};

use crate::error::{AdminError, ErrorKind};
use crate::limits::OBJECTS_AT_ONCE;
use crate::memberships;

pub(crate) use names::{Holder, Kind, Named};
pub(crate) use words::{told_all, where_in};

use without::{effects, without};

/// A field that leads to what goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Reference {
    /// The object with the field.
    pub(crate) holder: ObjectKey,
    /// The holder's address; a domain has none.
    pub(crate) at: Option<Address>,
    /// Who made it, of an alias that somebody made for themselves.
    pub(crate) made_by: Option<AccountId>,
    /// Which field.
    pub(crate) kind: Kind,
    /// What it says.
    pub(crate) named: Named,
    /// That is the very thing that goes, so that "it" tells enough.
    pub(crate) direct: bool,
}

impl Reference {
    /// The domain that the holder is in.
    pub(crate) fn domain(&self) -> Option<&Domain> {
        match (&self.holder, &self.at) {
            (ObjectKey::Domain(name), _) => Some(name),
            (_, Some(at)) => Some(at.domain()),
            (_, None) => None,
        }
    }
}

/// What else changes when the references are taken out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    /// An alias that led nowhere else.
    AliasGoes(Address),
    /// A responder at an address that goes.
    ResponderGoes { id: u64, at: Address },
    /// A pattern of a domain that led nowhere else.
    PatternGoes { domain: Domain, pattern: String },
    /// A moderated group without a moderator is closed, not open.
    GroupOff(Address),
    /// A list that nobody owns.
    ListOff(Address),
    /// The only copy of what a responder did not keep would have been that one.
    ResponderKeeps { id: u64, at: Address },
    /// A responder's words name a deputy, and there is none.
    NoDeputy { id: u64, at: Address },
    /// Neither mailbox nor redirect, and the copies end: each sender gets a failure notice (A6).
    FailureNotices { id: u64, at: Address },
}

/// What goes, by every spelling that is in use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Gone {
    addresses: HashSet<Address>,
    domain: Option<Domain>,
}

impl Gone {
    pub(crate) fn is(&self, address: &Address) -> bool {
        self.domain.as_ref() == Some(address.domain()) || self.addresses.contains(&address.canonical())
    }

    pub(crate) fn is_named(&self, named: &Named) -> bool {
        match named {
            Named::Address(address) => self.is(address),
            Named::Text { domain, .. } => self.domain.as_ref() == Some(domain),
        }
    }
}

/// A removal, planned.
#[derive(Clone, Debug, Default)]
pub(crate) struct Removal {
    /// What leads to what goes, from elsewhere.
    pub(crate) references: Vec<Reference>,
    /// What follows.
    pub(crate) effects: Vec<Effect>,
    /// The objects that are written, or go too.
    changes: Vec<ObjectKey>,
    /// Those of them that go whatever they name.
    along: Vec<ObjectKey>,
    gone: Gone,
}

impl Removal {
    /// Of an account, an alias, a group or a list. An alias beside a mailbox, and what stands beside something else, leaves the
    /// address behind: nothing is to be taken out then.
    pub(crate) fn of(directory: &Directory, key: &ObjectKey) -> Self {
        let addresses: Vec<Address> = match key {
            ObjectKey::Account(address) => match directory.account(address) {
                Some(account) => account.addresses().collect(),
                None => Vec::new(),
            },
            ObjectKey::Alias(address) if directory.account_at(address).is_some() => Vec::new(),
            ObjectKey::Alias(address) | ObjectKey::Group(address) | ObjectKey::List(address) => vec![address.clone()],
            ObjectKey::Domain(_) | ObjectKey::Responder(_) | ObjectKey::External(_) | ObjectKey::Filters(_) => {
                Vec::new()
            }
        };
        Self::plan(directory, addresses, None, &|holder| holder.key() == *key)
    }

    /// Of a domain with everything that has an address in it.
    pub(crate) fn of_domain(directory: &Directory, name: &Domain) -> Self {
        // Somebody of this domain may be in others, too.
        let addresses = directory.accounts_of(name).flat_map(|account| account.addresses()).collect();
        Self::plan(directory, addresses, Some(name.clone()), &|holder| holder.domain() == name)
    }

    /// Of some addresses that an object gives up while it stays, or goes itself; those that are something else as well stay.
    pub(crate) fn of_addresses(directory: &Directory, key: &ObjectKey, addresses: Vec<Address>) -> Self {
        let mut gone = addresses;
        gone.retain(|address| directory.alias(address).is_none() && directory.group(address).is_none());
        Self::plan(directory, gone, None, &|holder| holder.key() == *key)
    }

    /// For what can't be forced: an error while something leads to what would go.
    ///
    /// # Errors
    /// What leads there, and what to do.
    pub(crate) fn must_be_empty(&self, what: &str) -> Result<(), AdminError> {
        if self.references.is_empty() {
            return Ok(());
        }
        let error = AdminError::new(ErrorKind::InUse, format!("{what} is in use: {}", self.told()));
        Err(error.hint("change or remove that first"))
    }

    fn plan(
        directory: &Directory,
        addresses: Vec<Address>,
        domain: Option<Domain>,
        leaving: &dyn Fn(Holder<'_>) -> bool,
    ) -> Self {
        if addresses.is_empty() && domain.is_none() {
            return Self::default();
        }
        let first: HashSet<Address> = addresses.iter().map(Address::canonical).collect();
        let mut gone = Gone { addresses: first.clone(), domain };
        let named = naming(directory, leaving);
        // By every spelling: subaddresses, further addresses of lists, names under a domain that stands for another.
        let mut spellings: HashMap<Address, Vec<Address>> = HashMap::new();
        for address in named.iter().flat_map(|(_, names)| names).filter_map(|(_, named)| named.address()) {
            spellings.entry(meant(directory, address)).or_default().push(address.canonical());
        }
        let mut grown: Vec<Address> = first.iter().cloned().collect();
        let mut domain_wide = gone.domain.is_some();
        let mut lost: HashSet<ObjectKey> = HashSet::new();
        while !grown.is_empty() || domain_wide {
            domain_wide = false;
            let spelled = grown.drain(..).filter_map(|address| spellings.get(&address)).flatten();
            gone.addresses.extend(spelled.cloned());
            for (holder, names) in &named {
                let (Holder::Alias(alias), key) = (holder, holder.key()) else { continue };
                let leads = names.iter().any(|(kind, named)| *kind == Kind::AliasTarget && gone.is_named(named));
                if !leads || lost.contains(&key) || without(holder.object(), &gone).is_some() {
                    continue;
                }
                // It would lead nowhere. Where nothing else has its address, that goes as well.
                lost.insert(key);
                let address = alias.address.canonical();
                if directory.account_at(&address).is_none() && gone.addresses.insert(address.clone()) {
                    grown.push(address);
                }
            }
        }
        let mut removal = Self { gone, ..Self::default() };
        for (holder, names) in named {
            removal.add(directory, holder, names, &first);
        }
        removal
    }

    fn add(&mut self, directory: &Directory, holder: Holder<'_>, names: Vec<(Kind, Named)>, first: &HashSet<Address>) {
        let hit: Vec<(Kind, Named)> = names.into_iter().filter(|(_, named)| self.gone.is_named(named)).collect();
        if hit.is_empty() {
            return;
        }
        let key = holder.key();
        let before = holder.object();
        let after = without(before.clone(), &self.gone);
        self.effects.extend(effects(directory, &before, after.as_ref()));
        for (kind, named) in hit.into_iter().filter(|(kind, _)| *kind != Kind::Memory) {
            let direct = self.gone.domain.is_none()
                && named.address().is_some_and(|address| first.contains(&meant(directory, address)));
            self.references.push(Reference {
                holder: key.clone(),
                at: holder.at().cloned(),
                made_by: holder.made_by(),
                kind,
                named,
                direct,
            });
        }
        self.changes.push(key);
    }

    /// Another object that goes along.
    pub(crate) fn along(&mut self, directory: &Directory, responder: u64) {
        let key = ObjectKey::Responder(responder);
        let at = directory.responder(responder).map(|found| found.address.clone());
        if let Some(at) = at.filter(|at| !self.gone.is(at)) {
            self.effects.push(Effect::ResponderGoes { id: responder, at });
            self.changes.retain(|known| *known != key);
            self.changes.push(key.clone());
            self.along.push(key);
        }
    }

    /// Whether every holder of a reference passes.
    pub(crate) fn all(&self, passes: impl Fn(&Reference) -> bool) -> bool {
        self.references.iter().all(passes)
    }

    /// Takes everything out, of the objects as the transaction sees them.
    ///
    /// # Errors
    /// The store's.
    pub(crate) fn apply(&self, tx: &mut Transaction<'_>, objects: &Objects) -> Result<(), StorageError> {
        self.apply_to(tx, objects, &self.changes)
    }

    fn apply_to(&self, tx: &mut Transaction<'_>, objects: &Objects, keys: &[ObjectKey]) -> Result<(), StorageError> {
        for key in keys {
            let Some(before) = objects.get(tx, key)? else { continue };
            let after = without(before.clone(), &self.gone).filter(|_| !self.along.contains(key));
            match after {
                None => objects.remove(tx, key)?,
                Some(after) if after != before => {
                    objects.put(tx, after, PutMode::Replace)?;
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    /// Takes everything out before many transactions remove the rest: in one, or in some of a few thousand objects.
    ///
    /// # Errors
    /// The store's.
    pub(crate) async fn apply_before(&self, store: &Store) -> Result<(), StorageError> {
        for keys in self.changes.chunks(OBJECTS_AT_ONCE) {
            let (removal, objects, keys) = (self.clone(), store.objects(), keys.to_vec());
            let body = move |tx: &mut Transaction<'_>| removal.apply_to(tx, &objects, &keys);
            store.transact_with(Durability::Freeing, body).await?;
        }
        Ok(())
    }
}

/// Every object that names an address, apart from those that go by themselves, in order of kind and address.
fn naming<'a>(directory: &'a Directory, leaving: &dyn Fn(Holder<'_>) -> bool) -> Vec<(Holder<'a>, Vec<(Kind, Named)>)> {
    let mut aliases: Vec<Holder<'a>> = directory.aliases().map(|one| Holder::Alias(one)).collect();
    aliases.sort_by_key(|alias| alias.key());
    let all = aliases
        .into_iter()
        .chain(directory.groups().map(|one| Holder::Group(one)))
        .chain(directory.lists().map(|one| Holder::List(one)))
        .chain(directory.domains().map(|one| Holder::Domain(one)))
        .chain(directory.accounts().map(|one| Holder::Account(one)))
        .chain(directory.responders().map(|one| Holder::Responder(one)));
    let all = all.filter(|holder| !leaving(*holder)).map(|holder| (holder, names(holder)));
    all.filter(|(_, names)| !names.is_empty()).collect()
}

/// The objects that hold references, each once.
pub(crate) fn holders(references: &[Reference]) -> BTreeSet<&ObjectKey> {
    references.iter().map(|reference| &reference.holder).collect()
}

/// Removes an object in one transaction with what leads to it; a part of the store has its own way.
///
/// # Errors
/// The store's.
pub(crate) async fn remove_object(store: &Store, key: ObjectKey, removal: Removal) -> Result<(), StorageError> {
    let objects = store.objects();
    let body = move |tx: &mut Transaction<'_>| {
        removal.apply(tx, &objects)?;
        objects.remove(tx, &key)
    };
    store.transact_with(Durability::Freeing, body).await.map(drop)
}

/// The same for an account, a group or a list, which have mail. `leaving` are no members of lists any more; the lists in which one was.
///
/// # Errors
/// The store's.
pub(crate) async fn remove_part(
    store: &Store,
    part: AccountId,
    key: ObjectKey,
    removal: Removal,
    leaving: Vec<Address>,
) -> Result<Vec<Address>, StorageError> {
    store.clear_before_removal(part).await?;
    let objects = store.objects();
    let lists = memberships::lists(&store.directory(), &leaving);
    let body = move |tx: &mut Transaction<'_>| {
        removal.apply(tx, &objects)?;
        objects.remove_part(tx, part, &key)?;
        memberships::end(tx, &lists, &leaving)
    };
    let done = store.transact_with(Durability::Freeing, body).await?;
    store.sweep_removed().await;
    Ok(done.value)
}
