//! Who asks where a forward-path leads: the facts about a sender and a message that conditions of addresses look at.

use mail::{AccountId, Address, Domain, ReversePath, Timestamp};

use crate::directory::Directory;
use crate::objects::{AccountObject, SenderPattern};
use crate::organisation;

/// Who hands a message over, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asking {
    /// What MAIL said.
    pub reverse_path: ReversePath,
    /// Who has logged in. Only that can make a sender one of an organisation: a reverse-path can be made up.
    pub account: Option<AccountId>,
    /// The moment that expiry, windows and absence are about.
    pub now: Timestamp,
    /// Octets of the message: declared with `SIZE`, or counted once it is there.
    pub octets: Option<u64>,
    /// The server itself writes (a letter, a DSN, an answer, what a moderator has let through): addresses put no
    /// conditions to it, and nothing waits for a moderator again. What has expired stays expired.
    pub own: bool,
}

impl Asking {
    /// Anybody of the internet, with the null reverse-path: what the least trusted sender would hear.
    #[must_use]
    pub const fn anyone(now: Timestamp) -> Self {
        Self { reverse_path: ReversePath::Null, account: None, now, octets: None, own: false }
    }

    /// The server itself.
    #[must_use]
    pub const fn server(now: Timestamp) -> Self {
        Self { reverse_path: ReversePath::Null, account: None, now, octets: None, own: true }
    }

    /// A sender of the internet.
    #[must_use]
    pub const fn from(reverse_path: ReversePath, now: Timestamp) -> Self {
        Self { reverse_path, account: None, now, octets: None, own: false }
    }

    /// Somebody who has logged in.
    #[must_use]
    pub const fn logged_in(account: AccountId, reverse_path: ReversePath, now: Timestamp) -> Self {
        Self { reverse_path, account: Some(account), now, octets: None, own: false }
    }

    /// The same with a size.
    #[must_use]
    pub const fn of_octets(mut self, octets: Option<u64>) -> Self {
        self.octets = octets;
        self
    }

    /// The account that has logged in, as long as it is there.
    #[must_use]
    pub fn member<'a>(&self, directory: &'a Directory) -> Option<&'a AccountObject> {
        self.account.and_then(|id| directory.account_by_id(id)).map(std::sync::Arc::as_ref)
    }

    /// Whether the sender has logged in and is of the organisation of a domain.
    #[must_use]
    pub fn is_inside(&self, directory: &Directory, domain: &Domain) -> bool {
        self.member(directory).is_some_and(|account| organisation::belongs(account, domain))
    }

    /// Whether the sender is the account of one of these addresses, logged in.
    #[must_use]
    pub fn is_among<'a>(&self, directory: &Directory, addresses: impl IntoIterator<Item = &'a Address>) -> bool {
        let Some(account) = self.account else { return false };
        addresses.into_iter().any(|address| directory.account_at(address).is_some_and(|found| found.id == account))
    }

    /// Whether the sender is among the named. An account is, with each of its addresses and the reverse-path that it
    /// was allowed to use; a stranger is with the reverse-path, but never with an address of a domain of ours.
    #[must_use]
    pub fn is_named(&self, directory: &Directory, named: &[SenderPattern]) -> bool {
        let matches = |address: &Address| named.iter().any(|pattern| pattern.matches(address));
        let by_path = self.reverse_path.address().is_some_and(|address| {
            matches(address) && (self.account.is_some() || directory.domain(address.domain()).is_none())
        });
        by_path || self.member(directory).is_some_and(|account| account.addresses().any(|address| matches(&address)))
    }
}
