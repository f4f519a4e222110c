//! The objects in memory, indexed for routing. The store applies each committed change to it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use filter::{FilterSet, Place};
use mail::{AccountId, Address, Domain};

use crate::objects::{
    AccountKind, AccountObject, AliasObject, DomainObject, ExternalAccountObject, GroupObject, ListObject, ListRole,
    Object, ObjectKey, ResponderObject,
};
use crate::pattern::Patterns;

/// Every object, by what it is looked up with. Addresses are canonical.
#[derive(Clone, Debug, Default)]
pub struct Directory {
    /// The server's own name, under which somebody reads `postmaster` (RFC 5321 §4.5.1).
    own_name: Option<Domain>,
    domains: BTreeMap<Domain, Arc<DomainObject>>,
    /// Of the domains that have some.
    patterns: BTreeMap<Domain, Arc<Patterns>>,
    accounts: HashMap<Address, Arc<AccountObject>>,
    accounts_by_id: HashMap<AccountId, Arc<AccountObject>>,
    accounts_by_domain: BTreeMap<Domain, BTreeSet<Address>>,
    /// The primary address behind each further one (R5).
    further_addresses: HashMap<Address, Address>,
    /// The shared accounts of each member, both by their primary address.
    memberships: HashMap<Address, BTreeSet<Address>>,
    aliases: HashMap<Address, Arc<AliasObject>>,
    groups: BTreeMap<Address, Arc<GroupObject>>,
    groups_by_id: HashMap<AccountId, Arc<GroupObject>>,
    lists: BTreeMap<Address, Arc<ListObject>>,
    lists_by_id: HashMap<AccountId, Arc<ListObject>>,
    responders: BTreeMap<u64, Arc<ResponderObject>>,
    responders_by_address: HashMap<Address, BTreeSet<u64>>,
    externals: BTreeMap<u64, Arc<ExternalAccountObject>>,
    /// Of the accounts that have some.
    filters: HashMap<AccountId, Arc<FilterSet>>,
}

/// What has one address.
#[derive(Clone, Copy)]
pub(crate) struct Exact<'a> {
    pub(crate) account: Option<&'a Arc<AccountObject>>,
    /// The account has it in a further domain (R5).
    pub(crate) further: bool,
    pub(crate) alias: Option<&'a Arc<AliasObject>>,
    pub(crate) group: Option<&'a Arc<GroupObject>>,
    pub(crate) list: Option<&'a Arc<ListObject>>,
    pub(crate) responders: Option<&'a BTreeSet<u64>>,
}

impl Directory {
    /// Adds an object, or takes the place of the one with its key.
    pub fn put(&mut self, object: Object) {
        self.remove(&object.key());
        match object {
            Object::Domain(domain) => {
                if !domain.patterns.is_empty() {
                    self.patterns.insert(domain.name.clone(), Arc::new(Patterns::of(&domain)));
                }
                self.domains.insert(domain.name.clone(), Arc::new(domain));
            }
            Object::Account(account) => {
                let address = account.address.canonical();
                let account = Arc::new(account);
                self.accounts_by_domain.entry(address.domain().clone()).or_default().insert(address.clone());
                self.accounts_by_id.insert(account.id, account.clone());
                for further in account.addresses().skip(1) {
                    self.further_addresses.insert(further.canonical(), address.clone());
                }
                for member in account.shared.iter().flat_map(|shared| &shared.members) {
                    self.memberships.entry(member.account.canonical()).or_default().insert(address.clone());
                }
                self.accounts.insert(address, account);
            }
            Object::Alias(alias) => {
                self.aliases.insert(alias.address.canonical(), Arc::new(alias));
            }
            Object::Group(group) => {
                let group = Arc::new(group);
                self.groups_by_id.insert(group.id, group.clone());
                self.groups.insert(group.address.canonical(), group);
            }
            Object::List(list) => {
                let list = Arc::new(list);
                self.lists_by_id.insert(list.id, list.clone());
                self.lists.insert(list.address.canonical(), list);
            }
            Object::Responder(responder) => {
                self.responders_by_address.entry(responder.address.canonical()).or_default().insert(responder.id);
                self.responders.insert(responder.id, Arc::new(responder));
            }
            Object::External(external) => {
                self.externals.insert(external.id, Arc::new(external));
            }
            Object::Filters(set) => {
                self.filters.insert(set.account, Arc::new(set));
            }
        }
    }

    /// Removes an object; an unknown key changes nothing.
    pub fn remove(&mut self, key: &ObjectKey) {
        match key {
            ObjectKey::Domain(name) => {
                self.domains.remove(name);
                self.patterns.remove(name);
            }
            ObjectKey::Account(address) => {
                if let Some(account) = self.accounts.remove(address) {
                    self.accounts_by_id.remove(&account.id);
                    for member in account.shared.iter().flat_map(|shared| &shared.members) {
                        let member = member.account.canonical();
                        if let Some(set) = self.memberships.get_mut(&member) {
                            set.remove(address);
                            if set.is_empty() {
                                self.memberships.remove(&member);
                            }
                        }
                    }
                    if let Some(set) = self.accounts_by_domain.get_mut(address.domain()) {
                        set.remove(address);
                    }
                    for further in account.addresses().skip(1) {
                        let further = further.canonical();
                        if self.further_addresses.get(&further) == Some(address) {
                            self.further_addresses.remove(&further);
                        }
                    }
                }
            }
            ObjectKey::Alias(address) => {
                self.aliases.remove(address);
            }
            ObjectKey::Group(address) => {
                if let Some(group) = self.groups.remove(address) {
                    self.groups_by_id.remove(&group.id);
                }
            }
            ObjectKey::List(address) => {
                if let Some(list) = self.lists.remove(address) {
                    self.lists_by_id.remove(&list.id);
                }
            }
            ObjectKey::Responder(id) => {
                if let Some(responder) = self.responders.remove(id) {
                    let address = responder.address.canonical();
                    if let Some(set) = self.responders_by_address.get_mut(&address) {
                        set.remove(id);
                        if set.is_empty() {
                            self.responders_by_address.remove(&address);
                        }
                    }
                }
            }
            ObjectKey::External(id) => {
                self.externals.remove(id);
            }
            ObjectKey::Filters(account) => {
                self.filters.remove(account);
            }
        }
    }

    /// The same objects, on a server with this name.
    pub fn set_own_name(&mut self, name: Domain) {
        self.own_name = Some(name);
    }

    /// The server's own name, when it is known and no domain of ours has it.
    pub(crate) fn own_name(&self) -> Option<&Domain> {
        self.own_name.as_ref().filter(|name| !self.domains.contains_key(*name))
    }

    /// A domain of ours, by name.
    #[must_use]
    pub fn domain(&self, name: &Domain) -> Option<&Arc<DomainObject>> {
        self.domains.get(name)
    }

    /// Every domain, in order of name.
    pub fn domains(&self) -> impl Iterator<Item = &Arc<DomainObject>> {
        self.domains.values()
    }

    /// The account with this primary address, in any case.
    #[must_use]
    pub fn account(&self, address: &Address) -> Option<&Arc<AccountObject>> {
        self.accounts.get(&address.canonical())
    }

    /// The account with this address, its primary one or one in a further domain (R5), in any case.
    #[must_use]
    pub fn account_at(&self, address: &Address) -> Option<&Arc<AccountObject>> {
        let address = address.canonical();
        let primary = self.further_addresses.get(&address);
        self.accounts.get(&address).or_else(|| self.accounts.get(primary?))
    }

    /// Everything that has exactly this canonical address.
    pub(crate) fn exact(&self, canonical: &Address) -> Exact<'_> {
        let primary = self.accounts.get(canonical);
        let further = || self.further_addresses.get(canonical).and_then(|primary| self.accounts.get(primary));
        let account = primary.or_else(further);
        Exact {
            account,
            further: primary.is_none() && account.is_some(),
            alias: self.aliases.get(canonical),
            group: self.groups.get(canonical),
            list: self.lists.get(canonical),
            responders: self.responders_by_address.get(canonical),
        }
    }

    /// The compiled patterns of a domain that has some.
    pub(crate) fn patterns(&self, name: &Domain) -> Option<&Patterns> {
        self.patterns.get(name).map(Arc::as_ref)
    }

    /// Whether there is a mailing list at all.
    pub(crate) fn has_lists(&self) -> bool {
        !self.lists.is_empty()
    }

    /// The list to which an address belongs beside the list's own, with what it is for: `garden-request@`. An object of
    /// that very address comes before.
    #[must_use]
    pub fn list_address(&self, address: &Address) -> Option<(&Arc<ListObject>, ListRole)> {
        let canonical = address.canonical();
        let roles = ListRole::split(canonical.local().as_str());
        roles
            .filter_map(|(name, role)| {
                let list = Address::new(name, canonical.domain().clone()).ok()?;
                Some((self.lists.get(&list)?, role))
            })
            .next()
    }

    /// The group at whose address its moderators answer: `board-confirm+3f2a@`. One that is moderated no more has messages that
    /// wait all the same, as long as it has moderators. An object of that very address comes before.
    #[must_use]
    pub fn moderators_address(&self, address: &Address) -> Option<&Arc<GroupObject>> {
        if self.groups.is_empty() {
            return None;
        }
        let canonical = address.canonical();
        let roles = ListRole::split(canonical.local().as_str()).filter(|(_, role)| *role == ListRole::Confirm);
        roles
            .filter_map(|(name, _)| self.groups.get(&Address::new(name, canonical.domain().clone()).ok()?))
            .find(|group| group.enabled && (group.moderated || !group.moderators.is_empty()))
    }

    /// The account with this number.
    #[must_use]
    pub fn account_by_id(&self, id: AccountId) -> Option<&Arc<AccountObject>> {
        self.accounts_by_id.get(&id)
    }

    /// Every account of a domain, in order of address.
    pub fn accounts_of<'a>(&'a self, domain: &Domain) -> impl Iterator<Item = &'a Arc<AccountObject>> {
        self.accounts_by_domain.get(domain).into_iter().flatten().filter_map(|address| self.accounts.get(address))
    }

    /// The people of a domain: accounts of persons with an address in it, in order of their primary address.
    pub fn people_of<'a>(&'a self, domain: &Domain) -> impl Iterator<Item = &'a Arc<AccountObject>> {
        let here = self.accounts_by_domain.get(domain).into_iter().flatten();
        let further = self.further_addresses.iter().filter(|(address, _)| address.domain() == domain);
        let addresses: BTreeSet<&Address> = here.chain(further.map(|(_, primary)| primary)).collect();
        let accounts = addresses.into_iter().filter_map(|address| self.accounts.get(address));
        accounts.filter(|account| account.kind == AccountKind::Person)
    }

    /// Every account, in order of domain and address.
    pub fn accounts(&self) -> impl Iterator<Item = &Arc<AccountObject>> {
        self.accounts_by_domain.values().flatten().filter_map(|address| self.accounts.get(address))
    }

    /// The accounts that name somebody as a member, in order of address.
    pub fn memberships<'a>(&'a self, member: &Address) -> impl Iterator<Item = &'a Arc<AccountObject>> {
        let addresses = self.memberships.get(&member.canonical());
        addresses.into_iter().flatten().filter_map(|address| self.accounts.get(address))
    }

    /// The alias of this address, in any case.
    #[must_use]
    pub fn alias(&self, address: &Address) -> Option<&Arc<AliasObject>> {
        self.aliases.get(&address.canonical())
    }

    /// Every alias, in no order.
    pub fn aliases(&self) -> impl Iterator<Item = &Arc<AliasObject>> {
        self.aliases.values()
    }

    /// The group of this address, in any case.
    #[must_use]
    pub fn group(&self, address: &Address) -> Option<&Arc<GroupObject>> {
        self.groups.get(&address.canonical())
    }

    /// The group with this part of the store.
    #[must_use]
    pub fn group_by_id(&self, id: AccountId) -> Option<&Arc<GroupObject>> {
        self.groups_by_id.get(&id)
    }

    /// Every group, in order of address.
    pub fn groups(&self) -> impl Iterator<Item = &Arc<GroupObject>> {
        self.groups.values()
    }

    /// The mailing list of this address, in any case.
    #[must_use]
    pub fn list(&self, address: &Address) -> Option<&Arc<ListObject>> {
        self.lists.get(&address.canonical())
    }

    /// The mailing list with this part of the store.
    #[must_use]
    pub fn list_by_id(&self, id: AccountId) -> Option<&Arc<ListObject>> {
        self.lists_by_id.get(&id)
    }

    /// Every mailing list, in order of address.
    pub fn lists(&self) -> impl Iterator<Item = &Arc<ListObject>> {
        self.lists.values()
    }

    /// A responder, by number.
    #[must_use]
    pub fn responder(&self, id: u64) -> Option<&Arc<ResponderObject>> {
        self.responders.get(&id)
    }

    /// The responders tied to an address, in order of number.
    pub fn responders_at<'a>(&'a self, address: &Address) -> impl Iterator<Item = &'a Arc<ResponderObject>> {
        let ids = self.responders_by_address.get(&address.canonical());
        ids.into_iter().flatten().filter_map(|id| self.responders.get(id))
    }

    /// Every responder, in order of number.
    pub fn responders(&self) -> impl Iterator<Item = &Arc<ResponderObject>> {
        self.responders.values()
    }

    /// An external account, by number.
    #[must_use]
    pub fn external(&self, id: u64) -> Option<&Arc<ExternalAccountObject>> {
        self.externals.get(&id)
    }

    /// Every external account, in order of number.
    pub fn externals(&self) -> impl Iterator<Item = &Arc<ExternalAccountObject>> {
        self.externals.values()
    }

    /// The external accounts that are fetched into an account, by its primary address in any case.
    pub fn externals_of<'a>(&'a self, owner: &Address) -> impl Iterator<Item = &'a Arc<ExternalAccountObject>> {
        let owner = owner.canonical();
        self.externals.values().filter(move |external| external.owner.canonical() == owner)
    }

    /// The filters of an account that has some.
    #[must_use]
    pub fn filters(&self, account: AccountId) -> Option<&Arc<FilterSet>> {
        self.filters.get(&account)
    }

    /// The filters of an account, when one of them looks at what goes to a place. Those of somebody who has left rest: who
    /// takes over is to see all that comes.
    #[must_use]
    pub fn acting_filters(&self, account: AccountId, place: Place) -> Option<&Arc<FilterSet>> {
        let set = self.filters.get(&account).filter(|set| set.acts_in(place))?;
        let owner = self.accounts_by_id.get(&account)?;
        owner.off_boarding.is_none().then_some(set)
    }
}
