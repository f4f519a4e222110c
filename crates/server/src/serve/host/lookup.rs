//! VRFY and EXPN (RFC 5321 §3.5) for people who have logged in: what an address is, and who is in a group or list, as far as they
//! may see it.
//!
//! A name without a domain is one of the asker's own domain. RFC 6531 §3.7.4.2: what has more than ASCII is told only when the
//! command says SMTPUTF8.

use mail::{AccountId, Address, EnhancedCode, ForwardPath, Reply, ReversePath, Timestamp};
use routing::objects::{AccountObject, Role};
use routing::{Asking, Directory, Verdict, resolve};
use storage::Store;
use storage::rows::MemberState;

/// Members that one EXPN tells.
const MEMBERS_MAX: usize = 1_000;

/// Characters of a name before an address.
const NAME_CHARACTERS_MAX: usize = 200;

const UNREADABLE: Reply = Reply::fixed(501, EnhancedCode(5, 1, 3), "That is no address and no name");
const ELSEWHERE: Reply = Reply::fixed(252, EnhancedCode(2, 1, 5), "Not of this server; mail to it is taken");
const NO_GROUP: Reply = Reply::fixed(550, EnhancedCode(5, 1, 1), "There is no group and no list of that name");
const NOT_SHOWN: Reply = Reply::fixed(550, EnhancedCode(5, 7, 2), "You may not see who is in it");
const TOO_MANY: Reply = Reply::fixed(550, EnhancedCode(5, 3, 0), "It has too many members to be told here");
/// RFC 6531 §3.7.4.2: 252 or 550. Mail to who is asked about is taken; a group or list that can't be told is not.
const VERIFIED_IN_UTF8: Reply = Reply::fixed(
    252,
    EnhancedCode(2, 6, 8),
    "There is such an address, not in ASCII; say SMTPUTF8 behind it to be told",
);
const EXPANDED_IN_UTF8: Reply =
    Reply::fixed(550, EnhancedCode(5, 6, 8), "The answer is not in ASCII; say SMTPUTF8 behind the address");

/// What is asked about.
pub(super) struct Question {
    address: Address,
    /// The answer may have more than ASCII.
    utf8: bool,
}

impl Question {
    fn of(text: &str, asker: &AccountObject) -> Option<Self> {
        let (text, utf8) = match text.rsplit_once(' ') {
            Some((text, word)) if word.eq_ignore_ascii_case("SMTPUTF8") => (text.trim(), true),
            _ => (text, false),
        };
        // `Name <address>`, `<address>`, an address, or a local part.
        let inner = text.rsplit_once('<').and_then(|(_, rest)| rest.strip_suffix('>')).unwrap_or(text);
        let address = match Address::parse(inner) {
            Ok(address) => address,
            Err(_) => Address::new(inner, asker.address.domain().clone()).ok()?,
        };
        Some(Self { address, utf8 })
    }

    /// The same of somebody whose name the directory may know.
    fn named(&self, directory: &Directory, address: &Address) -> Option<String> {
        let account = directory.account_at(address);
        self.mailbox(account.map_or("", |account| account.display_name.as_str()), address)
    }

    /// An address as RFC 5321 §3.5.1 wants it, with its name when there is one; `None`: not without SMTPUTF8.
    fn mailbox(&self, name: &str, address: &Address) -> Option<String> {
        if address.needs_smtputf8() && !self.utf8 {
            return None;
        }
        let good = |c: char| !c.is_control() && !"\"\\<>".contains(c) && (self.utf8 || c.is_ascii());
        let told = !name.trim().is_empty() && name.chars().count() <= NAME_CHARACTERS_MAX && name.chars().all(good);
        Some(if told { format!("\"{}\" <{address}>", name.trim()) } else { format!("<{address}>") })
    }
}

/// What there is to be said about an address.
pub(super) fn verify(directory: &Directory, asker: &AccountObject, text: &str, now: Timestamp) -> Reply {
    let Some(question) = Question::of(text, asker) else { return UNREADABLE };
    let asking = Asking {
        reverse_path: ReversePath::Address(asker.address.clone()),
        account: Some(asker.id),
        now,
        octets: None,
        own: false,
    };
    let address = &question.address;
    match resolve(directory, &ForwardPath::Address(address.clone()), &asking).verdict {
        Verdict::NotLocal => ELSEWHERE,
        Verdict::Refuse(reason) => reason.reply(),
        Verdict::Accept => {
            let account = directory.account_at(address).map(|account| account.display_name.as_str());
            let group = || directory.group(address).map(|group| group.display_name.as_str());
            let list = || directory.list(address).map(|list| list.display_name.as_str());
            let name = account.or_else(group).or_else(list).unwrap_or_default();
            question.mailbox(name, address).map_or(VERIFIED_IN_UTF8, |one| told(&[one]))
        }
    }
}

/// What EXPN found: the answer, or a list whose members are in the store.
pub(super) enum Expansion {
    Told(Reply),
    /// The members of this part, to be told with [`members`].
    List(AccountId, Question),
}

/// Who is in a group or list: its members and moderators see a group's, its owners a list's, and administrators both.
pub(super) fn expand(directory: &Directory, asker: &AccountObject, text: &str) -> Expansion {
    let Some(question) = Question::of(text, asker) else { return Expansion::Told(UNREADABLE) };
    let address = &question.address;
    let administers = asker.role == Role::Administrator || asker.administered().contains(address.domain());
    let is_asker = |one: &Address| directory.account_at(one).is_some_and(|account| account.id == asker.id);
    if let Some(group) = directory.group(address) {
        let sees = administers || group.members.iter().chain(&group.moderators).any(is_asker);
        return Expansion::Told(match group.members.len() {
            _ if !sees => NOT_SHOWN,
            0..=MEMBERS_MAX => expanded(group.members.iter().map(|one| question.named(directory, one)).collect()),
            _ => TOO_MANY,
        });
    }
    match directory.list(address).map(|list| (list.id, administers || list.owners.iter().any(is_asker))) {
        None => Expansion::Told(NO_GROUP),
        Some((_, false)) => Expansion::Told(NOT_SHOWN),
        Some((part, true)) => Expansion::List(part, question),
    }
}

/// The members of a list who get its posts.
pub(super) async fn members(store: &Store, part: AccountId, question: &Question) -> Reply {
    match store.members_after(part, None, MEMBERS_MAX.saturating_add(1)).await {
        Ok(members) if members.len() > MEMBERS_MAX => TOO_MANY,
        Ok(members) => {
            let active = members.iter().filter(|member| member.state == MemberState::Active);
            let directory = store.directory();
            expanded(active.map(|member| question.named(&directory, &member.address)).collect())
        }
        Err(error) => delivery::storage_reply(&error),
    }
}

/// Who is in a group or list; `None`: it can't be told in ASCII.
fn expanded(mailboxes: Option<Vec<String>>) -> Reply {
    match mailboxes.as_deref() {
        Some([]) => Reply::fixed(252, EnhancedCode(2, 1, 5), "Nobody is in it"),
        Some(mailboxes) => told(mailboxes),
        None => EXPANDED_IN_UTF8,
    }
}

/// One mailbox in each line.
fn told(mailboxes: &[String]) -> Reply {
    Reply::new(250, Some(EnhancedCode(2, 1, 5)), mailboxes.join("\n"))
}

#[cfg(test)]
mod tests {
    use mail::Domain;
    use routing::objects::{DomainObject, GroupObject, Object};

    use super::*;

    fn account(id: u64, address: &str) -> AccountObject {
        AccountObject { id: AccountId(id), ..AccountObject::new(Address::parse(address).unwrap()) }
    }

    /// Alice asks; josé and the two are in a group.
    fn directory() -> Directory {
        let mut directory = Directory::default();
        directory.put(Object::Domain(DomainObject::new(Domain::parse("a.example").unwrap())));
        directory.put(Object::Account(account(1, "alice@a.example")));
        directory.put(Object::Account(account(2, "josé@a.example")));
        let mut group = GroupObject::new(Address::parse("team@a.example").unwrap());
        group.members = ["alice@a.example", "josé@a.example"].map(|one| Address::parse(one).unwrap()).to_vec();
        directory.put(Object::Group(group));
        directory
    }

    fn expands(text: &str) -> String {
        match expand(&directory(), &account(1, "alice@a.example"), text) {
            Expansion::Told(reply) => reply.to_string(),
            Expansion::List(..) => panic!("it is a group"),
        }
    }

    #[test]
    fn rfc6531_what_is_not_in_ascii_is_told_to_who_asks_for_it() {
        let verifies = |text| verify(&directory(), &account(1, "alice@a.example"), text, Timestamp(0)).to_string();
        assert_eq!(verifies("alice"), "250 2.1.5 <alice@a.example>");
        assert!(verifies("josé").starts_with("252 2.6.8 "), "{}", verifies("josé"));
        assert_eq!(verifies("josé SMTPUTF8"), "250 2.1.5 <josé@a.example>");
        assert!(expands("team").starts_with("550 5.6.8 "), "{}", expands("team"));
        assert_eq!(expands("<team@a.example> smtputf8"), "250 2.1.5 <alice@a.example> <josé@a.example>");
    }
}
