//! What is sent in the name of a shared mailbox is filed in its Sent, and the message that it answers is marked (R7).
//!
//! Both are effects of the submission, written in its transaction: everyone who shares the mailbox sees what was
//! answered, by whom, and with what words. The filters of the shared mailbox that look at Sent act on the copy (I3).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use filter::Place;
use mail::{AccountId, Address, Domain, EnhancedCode, Flags, Keyword, Reply, SpecialUse, SystemFlags};
use message::{parse_addresses, parse_message_ids, raw_fields};
use routing::Directory;
use routing::objects::{AccountKind, AccountObject, SeenState};
use storage::trace::{Step, Taken};
use storage::{StorageError, Store, Transaction};

use crate::Prepared;
use crate::filtering::{Filtered, decisions, left_out_told, view_with};
use crate::limits::{ANSWERED_IDS_MAX, EVENT_HEADER_OCTETS_MAX};
use crate::trace::taken;

/// What a submission leaves in shared mailboxes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Filing {
    sender: AccountId,
    /// The shared accounts in whose name it is sent.
    accounts: BTreeMap<AccountId, Shared>,
    /// Message-IDs of what it answers.
    answers: Vec<String>,
    /// What their filters decide for the copies.
    filtered: Filtered,
}

/// One of them, as the directory had it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Shared {
    account: Arc<AccountObject>,
    seen: SeenState,
    keyword: Keyword,
}

/// The reply when a shared mailbox has no room for what is sent in its name.
pub const SHARED_MAILBOX_FULL: Reply = Reply::fixed(
    452,
    EnhancedCode(4, 2, 2),
    "The shared mailbox that you send for is full, so its Sent can't keep a copy; make room there, then send again",
);

impl Filing {
    /// Decides for a submitted message: by its reverse-path and by From and Sender of its header.
    #[must_use]
    pub fn of(directory: &Directory, sender: AccountId, reverse_path: Option<&Address>, header: &[u8]) -> Self {
        let mut filing = Self { sender, accounts: BTreeMap::new(), answers: Vec::new(), filtered: Filtered::new() };
        let Some(person) = directory.account_by_id(sender) else { return filing };
        let named = |name: &'static [u8]| {
            let fields =
                raw_fields(header).filter(move |field| field.name.is_some_and(|n| n.eq_ignore_ascii_case(name)));
            fields.map(|field| field.value().to_vec())
        };
        let mut addresses: BTreeSet<Address> = reverse_path.into_iter().cloned().collect();
        for value in named(b"From").chain(named(b"Sender")) {
            addresses.extend(parse_addresses(&value).iter().filter_map(address_of));
        }
        for address in addresses {
            let Some(account) = shared_account(directory, &address) else { continue };
            let Some(shared) = account.shared.as_ref().filter(|shared| shared.file_sent) else { continue };
            let Some(keyword) = answered_by(person, account) else { continue };
            let known = Shared { account: Arc::clone(account), seen: shared.seen, keyword };
            filing.accounts.insert(account.id, known);
        }
        if !filing.accounts.is_empty() {
            let forwards = named(b"X-Forwarded-Message-Id").next().is_some();
            let direct: Vec<String> = named(b"In-Reply-To").flat_map(|value| parse_message_ids(&value)).collect();
            filing.answers = if direct.is_empty() && !forwards {
                // RFC 5322 §3.6.4: the last of References is what is answered.
                named(b"References").flat_map(|value| parse_message_ids(&value)).last().into_iter().collect()
            } else {
                direct
            };
            filing.answers.truncate(ANSWERED_IDS_MAX);
        }
        filing
    }

    /// Whether there is nothing to be done.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.accounts.is_empty()
    }

    /// The same, with what the filters of these mailboxes say of the message.
    #[must_use]
    pub async fn filtered(self, store: &Store, prepared: &Prepared, header: &[u8]) -> Self {
        let header = header.get(..header.len().min(EVENT_HEADER_OCTETS_MAX)).unwrap_or_default();
        let view = || view_with(header, prepared.record.as_ref(), prepared.octets());
        let filtered = decisions(store, self.accounts.keys().copied(), Place::Sent, view).await;
        Self { filtered, ..self }
    }

    /// Writes it, behind [`Prepared::apply`] in the same transaction.
    ///
    /// # Errors
    /// [`StorageError::OverQuota`] when a shared mailbox is full, or the store's own.
    pub fn apply(&self, tx: &mut Transaction<'_>, prepared: &Prepared) -> Result<(), StorageError> {
        for (account, shared) in &self.accounts {
            if let Some(sent) = tx.special_mailbox(*account, SpecialUse::Sent)? {
                if !prepared.stores_message() {
                    prepared.store_blob(tx)?;
                }
                let personal = tx.acl(*account, sent)?.seen.unwrap_or(shared.seen) == SeenState::PerPerson;
                let flags = if personal { SystemFlags(0) } else { SystemFlags::SEEN };
                let filters = self.filtered.get(account);
                let outcome = filters.map(|filters| filters.outcome.clone()).unwrap_or_default();
                let copy = prepared.as_message(Flags::system(flags));
                let filed = tx.deposit_filtered(&shared.account, sent, &copy, &outcome)?;
                for kept in filed.kept.iter().chain(&filed.copies).filter(|_| personal) {
                    // Read by who wrote it; new to the others.
                    tx.mark_seen(*account, kept.mailbox, self.sender, &[(kept.deposited.uid, true)])?;
                }
                if let (Some(filters), Some(id)) = (filters, prepared.trace()) {
                    let told = filters.acts.iter().cloned().chain(left_out_told(&filed));
                    let step = |text| Step::Filtered { address: shared.account.address.clone(), text };
                    let steps: Vec<Taken> = told.map(|text| taken(prepared.now, step(text))).collect();
                    tx.trace(id, &steps)?;
                }
                // Filters' copies are only made where they fit.
                tx.require_quota(*account, shared.account.quota())?;
            }
            tx.mark_answered(*account, &self.answers, &shared.keyword)?;
        }
        Ok(())
    }
}

/// The shared account with an address, or with the address without its subaddress.
fn shared_account<'d>(directory: &'d Directory, address: &Address) -> Option<&'d Arc<AccountObject>> {
    let exact = directory.account_at(address);
    let found = exact.or_else(|| {
        let domain = directory.domain(address.domain())?;
        let local = address.local().as_str();
        let cut = local.find(|c| domain.subaddress_separators.contains(c)).filter(|at| *at > 0)?;
        directory.account_at(&Address::new(local.get(..cut)?, address.domain().clone()).ok()?)
    })?;
    (found.kind == AccountKind::Shared).then_some(found)
}

/// `answered-by-alice`; with the domain when it is not that of the mailbox.
fn answered_by(person: &AccountObject, shared: &AccountObject) -> Option<Keyword> {
    let address = person.address.canonical();
    let who = if address.domain() == shared.address.canonical().domain() {
        address.local().as_str().to_owned()
    } else {
        address.to_string()
    };
    let atom = |c: char| if Keyword::parse(c.encode_utf8(&mut [0; 4])).is_ok() { c } else { '_' };
    let text: String = format!("answered-by-{who}").chars().map(atom).take(64).collect();
    Keyword::parse(&text).ok()
}

fn address_of(mailbox: &message::Address) -> Option<Address> {
    let part = |part: &Option<Vec<u8>>| String::from_utf8(part.clone()?).ok();
    Address::new(&part(&mailbox.mailbox)?, Domain::parse(&part(&mailbox.host)?).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use routing::objects::{DomainObject, Member, Object, SharedMailbox};

    fn address(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn directory(file_sent: bool) -> Directory {
        let mut directory = Directory::default();
        directory.put(Object::Domain(DomainObject::new(Domain::parse("a.example").unwrap())));
        for (id, name) in [(1, "alice@a.example"), (2, "o'neil#x@b.example")] {
            directory.put(Object::Account(AccountObject { id: AccountId(id), ..AccountObject::new(address(name)) }));
        }
        let member = Member { account: address("alice@a.example"), rights: "lrp".to_owned() };
        directory.put(Object::Account(AccountObject {
            id: AccountId(9),
            kind: AccountKind::Shared,
            shared: Some(SharedMailbox { members: vec![member], file_sent, ..SharedMailbox::default() }),
            ..AccountObject::new(address("info@a.example"))
        }));
        directory
    }

    #[test]
    fn r07_what_is_sent_for_a_shared_mailbox_is_filed_there() {
        let on = directory(true);
        for (reverse_path, header, filed) in [
            ("alice@a.example", "From: alice@a.example\r\n", false),
            ("alice@a.example", "From: Info <INFO@a.example>\r\n", true),
            ("info@a.example", "From: alice@a.example\r\n", true),
            ("alice@a.example", "From: alice@a.example\r\nSender: info+shop@a.example\r\n", true),
            ("alice@a.example", "From: alice@a.example\r\nTo: info@a.example\r\n", false),
        ] {
            let filing = Filing::of(&on, AccountId(1), Some(&address(reverse_path)), header.as_bytes());
            assert_eq!(!filing.is_empty(), filed, "{reverse_path} {header}");
        }
        let off = Filing::of(&directory(false), AccountId(1), None, b"From: info@a.example\r\n");
        assert!(off.is_empty());
    }

    #[test]
    fn r07_what_is_answered_is_the_message_that_the_answer_names() {
        let directory = directory(true);
        for (fields, expected) in [
            ("In-Reply-To: <a@x>\r\nReferences: <b@x> <c@x>\r\n", vec!["a@x"]),
            ("References: <b@x>\r\n <c@x>\r\n", vec!["c@x"]),
            ("X-Forwarded-Message-Id: <c@x>\r\nReferences: <b@x> <c@x>\r\n", vec![]),
            ("Subject: new\r\n", vec![]),
        ] {
            let header = format!("From: info@a.example\r\n{fields}");
            assert_eq!(Filing::of(&directory, AccountId(1), None, header.as_bytes()).answers, expected, "{fields}");
        }
        let many: String = (0..100).map(|n| format!("<{n}@x> ")).collect();
        let header = format!("From: info@a.example\r\nIn-Reply-To: {many}\r\n");
        assert_eq!(Filing::of(&directory, AccountId(1), None, header.as_bytes()).answers.len(), ANSWERED_IDS_MAX);
    }

    #[test]
    fn the_keyword_names_who_answered() {
        let directory = directory(true);
        let keyword = |id| {
            let filing = Filing::of(&directory, AccountId(id), None, b"From: info@a.example\r\n");
            filing.accounts[&AccountId(9)].keyword.as_str().to_owned()
        };
        assert_eq!(keyword(1), "answered-by-alice");
        assert_eq!(keyword(2), "answered-by-o'neil#x@b.example");
    }
}
