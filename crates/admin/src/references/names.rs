//! Every field of an object that names an address.

use mail::{AccountId, Address, Domain};
use routing::objects::{
    AccountObject, AliasMakers, AliasObject, DomainObject, GroupObject, ListObject, Object, ObjectKey, ResponderObject,
    Target,
};

/// Which field it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    AliasTarget,
    AliasAway,
    GroupMember,
    GroupModerator,
    GroupAway,
    ListOwner,
    ListModerator,
    CatchAll,
    Postmaster,
    /// Of the pattern with this number, from 1.
    Pattern(usize),
    AliasMaker,
    SharedMember,
    Successor,
    Recovery,
    /// A responder stands there.
    ResponderAt,
    Deputy,
    CopyReceived,
    CopyAnswers,
    /// What is kept for undoing: forgotten without being told.
    Memory,
}

/// What a field says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Address(Address),
    /// The target of a pattern that has captures: only its domain is known.
    Text {
        text: String,
        domain: Domain,
    },
}

impl Named {
    pub(crate) const fn address(&self) -> Option<&Address> {
        match self {
            Self::Address(address) => Some(address),
            Self::Text { .. } => None,
        }
    }
}

/// An object of the directory, borrowed.
#[derive(Clone, Copy)]
pub(crate) enum Holder<'a> {
    Domain(&'a DomainObject),
    Account(&'a AccountObject),
    Alias(&'a AliasObject),
    Group(&'a GroupObject),
    List(&'a ListObject),
    Responder(&'a ResponderObject),
}

impl<'a> Holder<'a> {
    pub(crate) fn key(self) -> ObjectKey {
        match self {
            Self::Domain(one) => ObjectKey::Domain(one.name.clone()),
            Self::Account(one) => ObjectKey::Account(one.address.canonical()),
            Self::Alias(one) => ObjectKey::Alias(one.address.canonical()),
            Self::Group(one) => ObjectKey::Group(one.address.canonical()),
            Self::List(one) => ObjectKey::List(one.address.canonical()),
            Self::Responder(one) => ObjectKey::Responder(one.id),
        }
    }

    pub(crate) fn object(self) -> Object {
        match self {
            Self::Domain(one) => Object::Domain(one.clone()),
            Self::Account(one) => Object::Account(one.clone()),
            Self::Alias(one) => Object::Alias(one.clone()),
            Self::Group(one) => Object::Group(one.clone()),
            Self::List(one) => Object::List(one.clone()),
            Self::Responder(one) => Object::Responder(one.clone()),
        }
    }

    pub(crate) const fn at(self) -> Option<&'a Address> {
        match self {
            Self::Domain(_) => None,
            Self::Account(one) => Some(&one.address),
            Self::Alias(one) => Some(&one.address),
            Self::Group(one) => Some(&one.address),
            Self::List(one) => Some(&one.address),
            Self::Responder(one) => Some(&one.address),
        }
    }

    pub(crate) fn domain(self) -> &'a Domain {
        match self {
            Self::Domain(one) => &one.name,
            Self::Account(one) => one.address.domain(),
            Self::Alias(one) => one.address.domain(),
            Self::Group(one) => one.address.domain(),
            Self::List(one) => one.address.domain(),
            Self::Responder(one) => one.address.domain(),
        }
    }

    pub(crate) const fn made_by(self) -> Option<AccountId> {
        match self {
            Self::Alias(one) => one.made_by,
            Self::Domain(_) | Self::Account(_) | Self::Group(_) | Self::List(_) | Self::Responder(_) => None,
        }
    }
}

/// Every address that an object names, apart from its own, with the field that names it.
pub(crate) fn names(holder: Holder<'_>) -> Vec<(Kind, Named)> {
    let mut found = Names(Vec::new());
    match holder {
        Holder::Domain(domain) => found.in_domain(domain),
        Holder::Account(account) => found.in_account(account),
        Holder::Alias(alias) => {
            found.all(Kind::AliasTarget, alias.targets.iter().filter_map(address_of));
            found.all(Kind::AliasAway, &alias.when_away);
        }
        Holder::Group(group) => {
            found.all(Kind::GroupMember, &group.members);
            found.all(Kind::GroupModerator, &group.moderators);
            found.all(Kind::GroupAway, &group.when_away);
        }
        Holder::List(list) => {
            found.all(Kind::ListOwner, &list.owners);
            found.all(Kind::ListModerator, &list.moderators);
        }
        Holder::Responder(one) => {
            found.all(Kind::ResponderAt, [&one.address]);
            found.all(Kind::Deputy, &one.deputy);
            found.all(Kind::CopyReceived, &one.copy_received_to);
            found.all(Kind::CopyAnswers, &one.copy_answers_to);
        }
    }
    found.0
}

struct Names(Vec<(Kind, Named)>);

impl Names {
    fn all<'a>(&mut self, kind: Kind, addresses: impl IntoIterator<Item = &'a Address>) {
        self.0.extend(addresses.into_iter().map(|address| (kind, Named::Address(address.clone()))));
    }

    fn in_domain(&mut self, domain: &DomainObject) {
        self.all(Kind::CatchAll, &domain.catch_all);
        self.all(Kind::Postmaster, &domain.postmaster);
        for (at, pattern) in domain.patterns.iter().enumerate() {
            let named = pattern.targets.iter().filter_map(|target| in_pattern(target));
            self.0.extend(named.map(|named| (Kind::Pattern(at.saturating_add(1)), named)));
        }
        if let AliasMakers::Named(makers) = &domain.alias_policy.makers {
            self.all(Kind::AliasMaker, makers);
        }
    }

    fn in_account(&mut self, account: &AccountObject) {
        self.all(Kind::SharedMember, members(account.shared.as_ref()));
        self.all(Kind::Recovery, &account.recovery);
        let Some(gone) = &account.off_boarding else { return };
        self.all(Kind::Successor, &gone.successor);
        let before = &gone.before;
        for alias in before.own_alias.iter().chain(&before.further_aliases) {
            self.all(Kind::Memory, alias.targets.iter().filter_map(address_of));
            self.all(Kind::Memory, &alias.when_away);
        }
        self.all(Kind::Memory, members(before.shared.as_ref()));
        self.all(Kind::Memory, before.aliases.iter().map(|left| &left.address));
        self.all(Kind::Memory, before.groups.iter().map(|left| &left.address));
        self.all(Kind::Memory, before.shares.iter().map(|left| &left.address));
    }
}

fn members(shared: Option<&routing::objects::SharedMailbox>) -> impl Iterator<Item = &Address> {
    shared.into_iter().flat_map(|shared| &shared.members).map(|member| &member.account)
}

fn address_of(target: &Target) -> Option<&Address> {
    match target {
        Target::Address(address) => Some(address),
        Target::Blackhole | Target::Fail(_) | Target::AllUsers => None,
    }
}

/// The address, or at least the domain, that the target of a pattern names.
pub(super) fn in_pattern(target: &str) -> Option<Named> {
    if target.contains('$') {
        let (_, domain) = target.rsplit_once('@')?;
        let domain = Domain::parse(domain.trim()).ok()?;
        return Some(Named::Text { text: target.to_owned(), domain });
    }
    match Target::try_from(target.to_owned()) {
        Ok(Target::Address(address)) => Some(Named::Address(address)),
        Ok(Target::Blackhole | Target::Fail(_) | Target::AllUsers) | Err(_) => None,
    }
}
