//! `postmaster`, which somebody must read (RFC 5321 §4.5.1), and `abuse`, which `postmaster` reads where nothing has that address
//! (RFC 2142 §4).

use std::sync::Arc;

use mail::{Address, Domain, ForwardPath};

use super::{Stop, Walk};
use crate::directory::Directory;
use crate::objects::{AccountObject, DomainObject, Role};
use crate::resolution::{Node, Reason, Resolution, What};
use crate::verdict::{RefuseReason, Verdict};

/// Whether this is `postmaster`, in any case (RFC 5321 §4.5.1).
pub(crate) fn is_postmaster(address: &Address) -> bool {
    address.local().as_str().eq_ignore_ascii_case("postmaster")
}

/// Whether this is `abuse`, in any case (RFC 2142 §4).
pub(crate) fn is_abuse(address: &Address) -> bool {
    address.local().as_str().eq_ignore_ascii_case("abuse")
}

/// Whether this is `postmaster` or `abuse` at the server's own name, which is no domain of ours.
pub(super) fn is_at_own_name(directory: &Directory, address: &Address) -> bool {
    (is_postmaster(address) || is_abuse(address)) && directory.own_name() == Some(address.domain())
}

/// The address in a domain of ours that stands for such a one: in the domain whose `postmaster` a bare one is.
pub(super) fn instead_of_own_name(directory: &Directory, address: &Address) -> Option<Address> {
    let stands = bare_postmaster(directory)?;
    Address::new(address.local().as_str(), stands.domain().clone()).ok()
}

/// The `postmaster` of the first enabled domain that has one by an object or by name; else of the first enabled one.
pub(super) fn bare_postmaster(directory: &Directory) -> Option<Address> {
    let enabled = || directory.domains().filter(|domain| domain.enabled);
    let of = |domain: &Arc<DomainObject>| Address::new("postmaster", domain.name.clone()).ok();
    let has_own = |domain: &&Arc<DomainObject>| {
        let object = |address| directory.account(&address).is_some() || directory.alias(&address).is_some();
        domain.postmaster.is_some() || of(domain).is_some_and(object)
    };
    enabled().find(has_own).or_else(|| enabled().next()).and_then(of)
}

/// Nothing to stand in for a bare `postmaster`: not one enabled domain.
pub(super) fn nobody() -> Resolution {
    let literal = Domain::literal(std::net::Ipv4Addr::LOCALHOST.into());
    #[expect(clippy::expect_used, reason = "a fixed text that is an address")]
    let written_to = Address::new("postmaster", literal).expect("postmaster is a local part");
    Resolution {
        to: ForwardPath::Postmaster,
        verdict: Verdict::Refuse(RefuseReason::NoPostmaster),
        mailboxes: Vec::new(),
        remotes: Vec::new(),
        dropped: false,
        held: Vec::new(),
        alias: None,
        responders: Vec::new(),
        tree: Node::leaf(What::Postmaster, Reason::NoSuchAddress),
        written_to,
    }
}

impl Walk<'_> {
    /// Who reads `postmaster@` of a domain without an object of that address: the one whom the domain names, else an
    /// administrator of the domain or of the server, else nobody here (then the catch-all, then the first account).
    pub(super) fn postmaster(&mut self, domain: &DomainObject) -> Option<Node> {
        let stop = Stop::Postmaster(domain.name.clone());
        if self.way.contains(&stop) || self.enter(&stop).is_some() {
            return None;
        }
        let mut found = None;
        if let Some(named) = &domain.postmaster {
            let before = self.reached();
            let node = self.address(named, Reason::NamedPostmaster);
            if self.reached() > before || self.already_counted(std::slice::from_ref(&node)) {
                found = Some(node);
            }
        }
        if found.is_none() {
            found = stand_in(self.directory, domain)
                .map(|(account, reason)| Node { reason, ..self.mailbox(account, None, reason) });
        }
        self.way.pop();
        found
    }
}

/// The account that reads `postmaster@` when nobody is named: the first administrator with an address in the domain,
/// then its first domain administrator, then the first administrator anywhere, then the first account of the domain,
/// then the first of all. First means the lowest number.
fn stand_in<'a>(directory: &'a Directory, domain: &DomainObject) -> Option<(&'a AccountObject, Reason)> {
    let lowest = |role: Option<Role>, here: bool| {
        let fits = |account: &&Arc<AccountObject>| {
            role.is_none_or(|role| account.role == role) && (!here || *account.address.domain() == domain.name)
        };
        directory.accounts().filter(fits).min_by_key(|account| account.id).map(Arc::as_ref)
    };
    let administrator = lowest(Some(Role::Administrator), true)
        .or_else(|| lowest(Some(Role::DomainAdministrator), true))
        .or_else(|| lowest(Some(Role::Administrator), false));
    if let Some(account) = administrator {
        return Some((account, Reason::AdministratorAsPostmaster));
    }
    if domain.catch_all.is_some() {
        return None;
    }
    let first = lowest(None, true).or_else(|| lowest(None, false));
    first.map(|account| (account, Reason::FirstAccountAsPostmaster))
}
