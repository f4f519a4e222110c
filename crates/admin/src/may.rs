//! `may`: who may ask what (M6, R11). The one place that enforces roles.
//!
//! - The system and administrators: everything.
//! - Domain administrators: accounts, shared mailboxes, aliases, groups, lists, responders, filters, external accounts, catch-all and
//!   patterns of their own domains, and what others report on these; nobody's role, no domain's existence, nothing of another domain, and no account that can do more than they can (its
//!   password would be theirs to set).
//! - Users: what they have sent and can still take back, their own password, identities, responders, filters and contacts, the traces of their own messages (so may domain administrators), the filters of shared mailboxes that they administer, and the aliases that they make within the
//!   domain's policy.
//! - Whoever runs a list or a moderated group, whatever their role: what waits there; owners of a list also its members.
//!
//! What is not named here is for administrators: a new kind of request is closed until somebody opens it.

use std::fmt;

use mail::{Address, Domain};
use routing::objects::{AccountObject, ExternalSecurity, ObjectKey, Role};
use routing::organisation::belongs;
use routing::sharing::{administrators, member_rights};
use routing::{Directory, Node, meant};

use crate::actor::Actor;
use crate::references::{Reference, Removal};
use crate::request::{
    AccountRequest, AliasRequest, DomainContent, DomainRequest, Edit, ExternalContent, ExternalRequest, GroupContent,
    GroupRequest, Leaving, ListRequest, NewAccount, PatternRequest, QueueRequest, Request, ResponderRequest,
    SubmissionEdit,
};
use crate::shared::{AclRequest, SharedRequest};

/// Whether a request is carried out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It is.
    Allowed,
    /// It is not, and why.
    Denied(Denial),
}

/// Why not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denial {
    /// The account of who asks is gone or switched off.
    NoSuchActor,
    /// Only administrators may.
    AdministratorsOnly,
    /// It concerns a domain, or something in a domain, that is not theirs.
    OtherDomain,
    /// The account can do more than who asks.
    MorePowerful,
    /// Nobody gives away a role that is not theirs to give.
    Roles,
    /// Addresses of other domains lead to it, and would be changed.
    OthersLeadToIt,
    /// One's own account can't be deleted or given up.
    Oneself,
    /// Users may only look at and change what is their own.
    NotOnesOwn,
    /// The filters of a shared mailbox are for members with the right `a`.
    RightToAdminister,
}

/// Whether this actor may ask this.
#[must_use]
pub fn may(directory: &Directory, actor: &Actor, request: &Request) -> Permission {
    let account = match actor {
        Actor::System => return Permission::Allowed,
        Actor::Account { .. } => actor.account(directory).filter(|account| account.enabled),
    };
    let verdict = match account {
        None => Err(Denial::NoSuchActor),
        Some(account) => match account.role {
            Role::Administrator => Ok(()),
            _ if runs(directory, account, request) => Ok(()),
            _ if administers_filters(directory, account, request) => Ok(()),
            Role::DomainAdministrator => Reach::new(directory, account).may(request),
            Role::User => user_may(directory, account, request).map_err(|denial| {
                if shares_what_it_filters(directory, account, request) { Denial::RightToAdminister } else { denial }
            }),
        },
    };
    verdict.map_or_else(Permission::Denied, |()| Permission::Allowed)
}

/// What an actor may ask for, as a hint for one who was denied; `None` when they are nobody.
pub(crate) fn what_one_may(directory: &Directory, actor: &Actor) -> Option<String> {
    let account = actor.account(directory).filter(|account| account.enabled)?;
    let own = format!(
        "you can change your own: `account set {0}` (name, language, time zone, undo), `queue waiting`, `queue cancel --by`, `account password`, `account identity`, \
         `responder`, `filter` (also of a shared mailbox in which you have the right `a`), `contact`, `alias make`; see what became of your own messages: `trace`; of a list that you own `list show`, `waiting`, `approve`, `reject` and `member list`, `add`, \
         `remove`, and of one that you moderate what waits",
        account.address
    );
    Some(match account.role {
        Role::User => own,
        Role::DomainAdministrator => {
            let domains: Vec<String> = account.administered().iter().map(ToString::to_string).collect();
            format!(
                "in {} you can edit accounts, shared mailboxes, aliases, groups, lists, responders, filters, external accounts, catch-all and patterns",
                domains.join(", ")
            )
        }
        Role::Administrator => return None,
    })
}

/// Whether it is about a list that the account owns or moderates, or a group that it moderates, and is theirs to ask (R8).
fn runs(directory: &Directory, account: &AccountObject, request: &Request) -> bool {
    let Request::List(request) = request else { return false };
    let Some(address) = request.list() else { return false };
    let among = |people: &[Address]| {
        people.iter().any(|person| directory.account_at(person).is_some_and(|found| found.id == account.id))
    };
    let list = directory.list(address);
    let owns = list.is_some_and(|list| among(&list.owners));
    match **request {
        ListRequest::Waiting { .. } | ListRequest::Decide { .. } => {
            owns || list.is_some_and(|list| among(list.deciders()))
                // What waits when moderation ends is still theirs to decide; then there is nothing.
                || directory.group(address).is_some_and(|group| among(&group.moderators))
        }
        ListRequest::Show { .. }
        | ListRequest::MemberList { .. }
        | ListRequest::MemberAdd { .. }
        | ListRequest::MemberRemove { .. } => owns,
        ListRequest::Add { .. }
        | ListRequest::List { .. }
        | ListRequest::Set { .. }
        | ListRequest::Remove { .. }
        | ListRequest::MemberImport { .. }
        | ListRequest::MemberSet { .. } => false,
    }
}

/// The domains whose objects an actor may change; `None`: all.
pub(crate) fn reach(directory: &Directory, actor: &Actor) -> Option<Vec<Domain>> {
    if actor.is_administrator(directory) {
        return None;
    }
    Some(actor.account(directory).map(AccountObject::administered).unwrap_or_default())
}

/// What a request names that is not the actor's to change, in its own words; `None` when only numbers are in it. A domain of this
/// server comes first: addresses elsewhere may be where an alias leads.
pub(crate) fn foreign(directory: &Directory, actor: &Actor, request: &Request) -> Option<String> {
    let reach = Reach::new(directory, actor.account(directory)?);
    let mut names = Vec::new();
    texts(&serde_json::to_value(request).ok()?, &mut names);
    let domain_of = |text: &String| match Address::parse(text) {
        Ok(address) => (!reach.address(&address)).then(|| address.domain().clone()),
        Err(_) => Domain::parse(text).ok().filter(|name| text.contains('.') && !reach.domain(name)),
    };
    let mut found = names.iter().filter_map(|text| Some((text, domain_of(text)?)));
    let first = found.clone().find(|(_, domain)| directory.domain(domain).is_some());
    first.or_else(|| found.next()).map(|(text, _)| text.clone())
}

/// All texts of a value, in their order.
fn texts(value: &serde_json::Value, found: &mut Vec<String>) {
    match value {
        serde_json::Value::String(text) => found.push(text.clone()),
        serde_json::Value::Array(all) => all.iter().for_each(|one| texts(one, found)),
        serde_json::Value::Object(all) => all.values().for_each(|one| texts(one, found)),
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
    }
}

type Verdict = Result<(), Denial>;

fn named(among: &[Address], address: &Address) -> bool {
    among.iter().any(|one| one.same_mailbox(address))
}

fn only(allowed: bool, denial: Denial) -> Verdict {
    if allowed { Ok(()) } else { Err(denial) }
}

/// An external account that a domain administrator sets up is protected on its way, and on no machine that only the server reaches.
fn reaches_outside(content: &ExternalContent) -> Verdict {
    let host = content.host.as_deref().unwrap_or_default().trim_matches(['[', ']', '.']);
    let inside = match host.parse::<std::net::IpAddr>().map(|ip| ip.to_canonical()) {
        Ok(std::net::IpAddr::V4(ip)) => {
            ip.is_loopback() || ip.is_private() || ip.is_link_local() || ip.is_unspecified()
        }
        Ok(std::net::IpAddr::V6(ip)) => {
            ip.is_loopback() || ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified()
        }
        Err(_) => host.eq_ignore_ascii_case("localhost") || host.to_ascii_lowercase().ends_with(".localhost"),
    };
    only(!inside && content.security != Some(ExternalSecurity::None), Denial::AdministratorsOnly)
}

/// What a domain administrator reaches.
pub(crate) struct Reach<'a> {
    directory: &'a Directory,
    account: &'a AccountObject,
    domains: Vec<Domain>,
}

impl<'a> Reach<'a> {
    pub(crate) fn new(directory: &'a Directory, account: &'a AccountObject) -> Self {
        Self { directory, account, domains: account.administered() }
    }

    pub(crate) fn domain(&self, name: &Domain) -> bool {
        self.domains.contains(name)
    }

    /// An address of theirs: in a domain of theirs, and not the further address of somebody in another.
    pub(crate) fn address(&self, address: &Address) -> bool {
        let stranger = self.directory.account_at(address).filter(|account| !self.domain(account.address.domain()));
        self.domain(address.domain()) && stranger.is_none()
    }

    fn in_domain(&self, name: &Domain) -> Verdict {
        only(self.domain(name), Denial::OtherDomain)
    }

    fn at(&self, address: &Address) -> Verdict {
        only(self.address(address), Denial::OtherDomain)
    }

    /// An account of theirs that can do no more than they can.
    fn edits(&self, address: &Address) -> Verdict {
        self.at(address)?;
        let Some(account) = self.directory.account_at(address) else { return Ok(()) };
        if account.id == self.account.id {
            return Ok(());
        }
        let weaker = match account.role {
            Role::User => true,
            Role::DomainAdministrator => account.administered().iter().all(|domain| self.domain(domain)),
            Role::Administrator => false,
        };
        only(weaker, Denial::MorePowerful)
    }

    fn adds(&self, new: &NewAccount) -> Verdict {
        self.in_domain(new.address.domain())?;
        only(new.role == Role::User, Denial::Roles)?;
        self.owned_by(&new.owner)?;
        new.also_in.iter().flatten().try_for_each(|domain| self.in_domain(domain))
    }

    /// Nothing outside of their domains leads to what goes, so that taking it away changes nothing there.
    fn nobody_elsewhere_leads_to(&self, key: &ObjectKey) -> Verdict {
        let removal = Removal::of(self.directory, key);
        let theirs = |one: &Reference| one.domain().is_some_and(|domain| self.domain(domain));
        only(removal.all(theirs), Denial::OthersLeadToIt)
    }

    fn nobody_elsewhere_names(&self, account: &Address) -> Verdict {
        self.nobody_elsewhere_leads_to(&ObjectKey::Account(account.canonical()))
    }

    #[expect(clippy::wildcard_enum_match_arm, reason = "what is new is closed until somebody opens it")]
    fn may(&self, request: &Request) -> Verdict {
        match request {
            Request::Account(request) => self.account(request),
            Request::Alias(request) => self.alias(request),
            Request::Group(request) => self.group(request),
            Request::List(request) => self.list(request),
            Request::Contact(request) => self.edits(request.account()),
            Request::Queue(QueueRequest::Waiting { by } | QueueRequest::TakeBack { by, .. }) => self.edits(by),
            Request::Spam(request) => {
                request.account().map_or(Err(Denial::AdministratorsOnly), |account| self.edits(account))
            }
            // They move and delete the mail of the account: as much power as over the account.
            Request::Filter(request) => self.edits(request.account()),
            Request::Responder(request) => self.responder(request),
            Request::Shared(request) => self.shared(request),
            Request::Acl(request) => self.acl(request),
            Request::External(request) => self.external(request),
            Request::Domain(request) => self.domain_request(request),
            Request::Explain { to, account, .. } => {
                account.iter().try_for_each(|account| self.at(account))?;
                self.in_domain(to.domain())
            }
            // What of traces is shown is `trace::own`'s to say: one's own.
            Request::Trace(_) => Ok(()),
            // Of a listing of all, theirs are shown.
            Request::Report(request) => request.domain().map_or(Ok(()), |name| self.in_domain(name)),
            _ => Err(Denial::AdministratorsOnly),
        }
    }

    /// What leads the unknown addresses of a domain somewhere is its people's business; what a domain is, the server's.
    fn domain_request(&self, request: &DomainRequest) -> Verdict {
        match request {
            DomainRequest::List => Ok(()),
            DomainRequest::Show { name } | DomainRequest::Records { name } => self.in_domain(name),
            // Where an address goes in fact may lead through others' domains: `relais explain` tells what may be seen.
            DomainRequest::Pattern { name, request } => {
                only(!matches!(request, PatternRequest::Test { .. }), Denial::AdministratorsOnly)?;
                self.in_domain(name)
            }
            DomainRequest::Set {
                name,
                catch_all: _,
                postmaster: Edit::Keep,
                subaddress_separators: None,
                enabled: None,
                content,
            } if **content == DomainContent::default() => self.in_domain(name),
            DomainRequest::Add { .. }
            | DomainRequest::Set { .. }
            | DomainRequest::Dkim { .. }
            | DomainRequest::Remove { .. } => Err(Denial::AdministratorsOnly),
        }
    }

    /// Mail that is fetched comes into an account of theirs. A machine of the server's own network is not reached so.
    fn external(&self, request: &ExternalRequest) -> Verdict {
        match request {
            ExternalRequest::Add { owner, content, .. } => {
                self.edits(owner)?;
                reaches_outside(content)
            }
            ExternalRequest::List { owner } => owner.iter().try_for_each(|owner| self.at(owner)),
            ExternalRequest::Set { id, content } => {
                self.edits_external(*id)?;
                reaches_outside(content)
            }
            ExternalRequest::Show { id }
            | ExternalRequest::FetchNow { id }
            | ExternalRequest::Test { id }
            | ExternalRequest::Remove { id } => self.edits_external(*id),
        }
    }

    /// A number that does not exist is denied as one of another domain is: it tells nothing.
    fn edits_external(&self, id: u64) -> Verdict {
        self.edits(&self.directory.external(id).ok_or(Denial::OtherDomain)?.owner)
    }

    fn shared(&self, request: &SharedRequest) -> Verdict {
        match request {
            SharedRequest::Add(new) => {
                self.at(&new.address)?;
                new.members.iter().try_for_each(|member| self.at(&member.account))
            }
            SharedRequest::List { domain } => domain.iter().try_for_each(|domain| self.in_domain(domain)),
            SharedRequest::Show { address } | SharedRequest::RemoveMember { address, .. } => self.at(address),
            SharedRequest::Set { address, .. } => self.edits(address),
            SharedRequest::Remove { address, .. } => {
                self.edits(address)?;
                self.nobody_elsewhere_names(address)
            }
            SharedRequest::PutMember { address, person, .. } => {
                self.at(address)?;
                self.at(person)
            }
        }
    }

    /// Rights go to people of their domains only; a line that is there may always be taken away.
    fn acl(&self, request: &AclRequest) -> Verdict {
        self.edits(request.address())?;
        match request {
            AclRequest::Set { identifier, .. } => {
                let person = Address::parse(identifier.strip_prefix('-').unwrap_or(identifier));
                person.iter().try_for_each(|person| self.at(person))
            }
            AclRequest::Show { .. } | AclRequest::Remove { .. } | AclRequest::Seen { .. } => Ok(()),
        }
    }

    fn account(&self, request: &AccountRequest) -> Verdict {
        match request {
            AccountRequest::Add(new) => self.adds(new),
            AccountRequest::Import { accounts } => accounts.iter().try_for_each(|new| self.adds(new)),
            AccountRequest::List { domain, .. } => domain.iter().try_for_each(|domain| self.in_domain(domain)),
            AccountRequest::Show { address } | AccountRequest::Settings { address, .. } => self.at(address),
            AccountRequest::Strength { address, .. } => address.iter().try_for_each(|address| self.at(address)),
            AccountRequest::Set { address, role, administers, owner, add_domains, remove_domains, .. } => {
                self.edits(address)?;
                owner.iter().try_for_each(|owner| self.owned_by(owner))?;
                only(role.is_none() && administers.is_none(), Denial::Roles)?;
                add_domains.iter().chain(remove_domains).try_for_each(|domain| self.in_domain(domain))
            }
            AccountRequest::Password { address, .. } | AccountRequest::Rules { address, .. } => self.edits(address),
            AccountRequest::Aliases { address, add, remove } => {
                self.edits(address)?;
                add.iter().chain(remove).try_for_each(|alias| self.at(alias))
            }
            AccountRequest::Identity(request) => self.edits(request.account()),
            AccountRequest::Remove { address, .. } => {
                self.edits(address)?;
                self.not_oneself(address)?;
                self.nobody_elsewhere_names(address)
            }
            AccountRequest::OffBoard(Leaving { address, successor, .. }) => {
                self.edits(address)?;
                self.not_oneself(address)?;
                successor.iter().try_for_each(|successor| self.in_domain(successor.domain()))
            }
            AccountRequest::OffBoardUndo { address } => {
                self.edits(address)?;
                let before = self.directory.account(address).and_then(|account| account.off_boarding.as_ref());
                let user =
                    before.is_none_or(|gone| gone.before.role == Role::User && gone.before.administers.is_empty());
                only(user, Denial::Roles)
            }
            AccountRequest::UsersOf { .. } => Err(Denial::AdministratorsOnly),
        }
    }

    /// An account of theirs belongs to nobody of another domain, among whose mailboxes it would be shown.
    fn owned_by(&self, owner: &str) -> Verdict {
        Address::parse(owner.trim()).iter().try_for_each(|owner| self.at(owner))
    }

    fn not_oneself(&self, address: &Address) -> Verdict {
        only(!self.account.addresses().any(|own| own.same_mailbox(address)), Denial::Oneself)
    }

    fn alias(&self, request: &AliasRequest) -> Verdict {
        match request {
            AliasRequest::Remove { address, targets, .. } => {
                // As much power as to add one: what leads the mail elsewhere may be what somebody relies on.
                self.edits(address)?;
                // Fewer redirects take nothing away from those that lead there.
                if !targets.is_empty() {
                    return Ok(());
                }
                self.nobody_elsewhere_leads_to(&ObjectKey::Alias(address.canonical()))
            }
            // Beside a mailbox it leads its mail elsewhere: as much power as over the account.
            AliasRequest::Add { address, .. } | AliasRequest::Set { address, .. } => self.edits(address),
            AliasRequest::Show { address, .. } => self.at(address),
            AliasRequest::Make { account, address, domain, .. } => {
                self.at(account)?;
                address.iter().try_for_each(|address| self.at(address))?;
                domain.iter().try_for_each(|domain| self.in_domain(domain))
            }
            AliasRequest::List { domain, made_by } => {
                domain.iter().try_for_each(|domain| self.in_domain(domain))?;
                made_by.iter().try_for_each(|account| self.at(account))
            }
        }
    }

    fn group(&self, request: &GroupRequest) -> Verdict {
        match request {
            GroupRequest::Add { address, content } | GroupRequest::Set { address, content } => {
                self.at(address)?;
                self.takes_nobody_in(address, content)?;
                self.keeps_others_in(address, content)
            }
            GroupRequest::Show { address } => self.at(address),
            GroupRequest::Remove { address, .. } => {
                self.at(address)?;
                self.nobody_elsewhere_leads_to(&ObjectKey::Group(address.canonical()))
            }
            GroupRequest::List { domain } => domain.iter().try_for_each(|domain| self.in_domain(domain)),
        }
    }

    /// Nobody of another organisation is put into a group: its members can't leave by themselves, as those of a list can.
    fn takes_nobody_in(&self, address: &Address, content: &GroupContent) -> Verdict {
        let there = self.directory.group(address);
        let is_there = |new: &Address| there.is_some_and(|group| named(&group.members, new));
        let mut new = content.add_members.iter().chain(content.members.iter().flatten()).filter(|new| !is_there(new));
        only(new.all(|new| self.inside(new)), Denial::OtherDomain)?;
        let moderates = |new: &Address| there.is_some_and(|group| named(&group.moderators, new));
        self.puts_in_charge(content.moderators.iter().flatten().filter(|new| !moderates(new)))
    }

    /// Whether an address is of the organisations that they administer.
    fn inside(&self, person: &Address) -> bool {
        let person = meant(self.directory, person);
        match self.directory.account_at(&person) {
            Some(account) => self.domains.iter().any(|domain| belongs(account, domain)),
            None => self.domain(person.domain()),
        }
    }

    /// Nobody of another organisation on this server is made owner or moderator: they would read the archive, the members and what
    /// waits. Who is elsewhere reads no more than the letters.
    fn puts_in_charge<'b>(&self, mut new: impl Iterator<Item = &'b Address>) -> Verdict {
        let elsewhere = |new: &Address| self.directory.domain(new.domain()).is_none();
        only(new.all(|new| elsewhere(new) || self.inside(new)), Denial::OtherDomain)
    }

    /// A group that withdraws services shuts its members out: nobody of another domain may be among them.
    fn keeps_others_in(&self, address: &Address, content: &GroupContent) -> Verdict {
        let there = self.directory.group(address);
        let withdraws = !content.withdraw.is_empty() || there.is_some_and(|group| !group.withdrawn.is_empty());
        let members = there.into_iter().flat_map(|group| &group.members).chain(&content.add_members);
        let mut members = members.chain(content.members.iter().flatten());
        // And nobody who can do more than who asks: it would shut them out.
        if withdraws { members.try_for_each(|member| self.edits(member)) } else { Ok(()) }
    }

    fn list(&self, request: &ListRequest) -> Verdict {
        match (request.list(), request) {
            (Some(list), ListRequest::Remove { .. }) => {
                self.at(list)?;
                self.nobody_elsewhere_leads_to(&ObjectKey::List(list.canonical()))
            }
            (Some(address), ListRequest::Add { content, .. } | ListRequest::Set { content, .. }) => {
                self.at(address)?;
                let there = self.directory.list(address);
                let owns = |new: &Address| there.is_some_and(|list| named(&list.owners, new));
                let moderates = |new: &Address| owns(new) || there.is_some_and(|list| named(&list.moderators, new));
                self.puts_in_charge(content.owners.iter().flatten().filter(|new| !owns(new)))?;
                self.puts_in_charge(content.moderators.iter().flatten().filter(|new| !moderates(new)))
            }
            (Some(list), _) => self.at(list),
            (None, ListRequest::List { domain }) => domain.iter().try_for_each(|domain| self.in_domain(domain)),
            (None, _) => Err(Denial::AdministratorsOnly),
        }
    }

    fn responder(&self, request: &ResponderRequest) -> Verdict {
        match request {
            // It answers for the account, copies and deletes its mail: as much power as over the account.
            ResponderRequest::Add { address, .. } => self.edits(address),
            ResponderRequest::List { address } => address.iter().try_for_each(|address| self.at(address)),
            ResponderRequest::Show { id } | ResponderRequest::Preview { id, .. } => {
                self.responder_numbered(*id).and_then(|at| self.at(at))
            }
            ResponderRequest::Remove { id } => self.responder_numbered(*id).and_then(|at| self.edits(at)),
            ResponderRequest::Set { id, address, .. } => {
                self.responder_numbered(*id).and_then(|at| self.edits(at))?;
                address.iter().try_for_each(|address| self.edits(address))
            }
        }
    }

    /// A number that does not exist is denied as one of another domain is: it tells nothing.
    fn responder_numbered(&self, id: u64) -> Result<&'a Address, Denial> {
        self.directory.responder(id).map(|responder| &responder.address).ok_or(Denial::OtherDomain)
    }

    /// Whether all that a tree leads through is theirs, or elsewhere. By the names in it, so that whatever kinds of nodes
    /// there are, none shows more.
    pub(crate) fn sees(&self, node: &Node) -> bool {
        let Ok(serde_json::Value::Object(what)) = serde_json::to_value(&node.what) else { return false };
        let named = |key: &str| what.get(key).and_then(serde_json::Value::as_str);
        let ours = |domain: &Domain| self.directory.domain(domain).is_some();
        let address = named("address").and_then(|text| Address::parse(text).ok());
        let domain = named("domain").and_then(|text| Domain::parse(text).ok());
        address.is_none_or(|address| !ours(address.domain()) || self.address(&address))
            && domain.is_none_or(|domain| !ours(&domain) || self.domain(&domain))
            && node.children.iter().all(|child| self.sees(child))
    }
}

#[expect(clippy::wildcard_enum_match_arm, reason = "what is new is closed until somebody opens it")]
fn user_may(directory: &Directory, account: &AccountObject, request: &Request) -> Verdict {
    let own = |address: &Address| {
        let at = directory.account_at(address).is_some_and(|found| found.id == account.id);
        only(at, Denial::NotOnesOwn)
    };
    let own_responder =
        |id: u64| directory.responder(id).map_or(Err(Denial::NotOnesOwn), |responder| own(&responder.address));
    match request {
        Request::Account(
            AccountRequest::Show { address }
            | AccountRequest::Settings { address, .. }
            | AccountRequest::Password { address, .. },
        ) => own(address),
        Request::Account(AccountRequest::Strength { address, .. }) => address.iter().try_for_each(own),
        Request::Account(AccountRequest::Identity(request)) => own(request.account()),
        // Name, language, time zone, and how long what they send waits for them. Every field is named: a new one is nobody's until somebody thinks of it.
        Request::Account(AccountRequest::Set {
            address,
            display_name: _,
            time_zone: _,
            language: _,
            password: None,
            generate_password: false,
            role: None,
            quota_octets: Edit::Keep,
            submission: SubmissionEdit::KEEP,
            undo_send_secs: _,
            quota_messages: Edit::Keep,
            quota_mailboxes: Edit::Keep,
            enabled: None,
            owner: None,
            recovery: Edit::Keep,
            note: None,
            administers: None,
            withdraw,
            restore,
            add_domains,
            remove_domains,
        }) if withdraw.is_empty() && restore.is_empty() && add_domains.is_empty() && remove_domains.is_empty() => {
            own(address)
        }
        Request::Responder(request) => match request {
            ResponderRequest::Add { address, .. } => own(address),
            ResponderRequest::List { address } => address.iter().try_for_each(own),
            ResponderRequest::Show { id } | ResponderRequest::Preview { id, .. } | ResponderRequest::Remove { id } => {
                own_responder(*id)
            }
            ResponderRequest::Set { id, address, .. } => {
                own_responder(*id)?;
                address.iter().try_for_each(own)
            }
        },
        Request::Explain { to, account: asking, .. } => {
            own(to)?;
            asking.iter().try_for_each(own)
        }
        Request::Queue(QueueRequest::Waiting { by } | QueueRequest::TakeBack { by, .. }) => own(by),
        Request::Contact(request) => own(request.account()),
        Request::Spam(request) => request.account().map_or(Err(Denial::AdministratorsOnly), own),
        Request::Filter(request) => own(request.account()),
        // What of traces is shown is `trace::own`'s to say.
        Request::Trace(_) => Ok(()),
        // Aliases that people make for themselves, within the policy of the domain.
        Request::Alias(AliasRequest::Make { account, .. }) => own(account),
        Request::Alias(
            AliasRequest::Show { by: Some(by), .. }
            | AliasRequest::Set { by: Some(by), .. }
            | AliasRequest::Remove { by: Some(by), .. }
            | AliasRequest::List { made_by: Some(by), .. },
        ) => own(by),
        _ => Err(Denial::NotOnesOwn),
    }
}

/// Whether it is about the filters of a shared mailbox that the account administers: its membership has the right `a` (RFC
/// 4314 §2.1).
fn administers_filters(directory: &Directory, account: &AccountObject, request: &Request) -> bool {
    let Request::Filter(request) = request else { return false };
    let shared = directory.account_at(request.account());
    shared.is_some_and(|shared| administrators(directory, shared).any(|person| person.id == account.id))
}

/// Whether it is about the filters of a shared mailbox of which the account is a member at all: who is none is told nothing of it.
fn shares_what_it_filters(directory: &Directory, account: &AccountObject, request: &Request) -> bool {
    let Request::Filter(request) = request else { return false };
    let shared = directory.account_at(request.account());
    shared.is_some_and(|shared| member_rights(shared, &account.address).is_some())
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoSuchActor => "your account is gone, or logging in is switched off for it",
            Self::AdministratorsOnly => "only an administrator of the server may do that",
            Self::OtherDomain => "that is not in a domain that you administer",
            Self::MorePowerful => "that account may do more than yours; only an administrator of the server changes it",
            Self::Roles => "only an administrator of the server gives and takes roles",
            Self::OthersLeadToIt => {
                "addresses of domains that are not yours lead to it; an administrator of the server has to do that"
            }
            Self::Oneself => "that is your own account; somebody else has to do that",
            Self::NotOnesOwn => {
                "you may only see and change what is your own; limits and rights are an administrator's"
            }
            Self::RightToAdminister => {
                "the filters of a shared mailbox are for its members with the right `a` (the role `administrator`), which you don't have"
            }
        })
    }
}
