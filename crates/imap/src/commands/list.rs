//! LIST and LSUB (RFC 3501 §6.3.8, §6.3.9; RFC 3348, RFC 5258, RFC 5819, RFC 6154, RFC 8440, RFC 9590).
//!
//! Which names are told is decided in [`crate::engine::listing`]; here is what is said of each.

use std::collections::BTreeMap;

use imap_wire::response::{self, ChildInfo, Code, ListAttribute, ListEntry};
use imap_wire::{List, MailboxName};
use mail::AccountId;
use routing::Rights;
use routing::namespace::is_foreign;
use storage::limits::MAILBOX_DEPTH_MAX;
use storage::rows::MailboxRow;

use crate::access::{MailboxAccess, Target};
use crate::commands::metadata::may_annotate;
use crate::engine::listing::{Criteria, Listing, Node, Told};
use crate::engine::pattern::{DELIMITER, Pattern, ancestors};
use crate::fault::{Answer, Fault};
use crate::limits::LIST_NAMES_PER_TURN;
use crate::session::Session;

/// A mailbox under the name that it is listed by.
struct Listed<'a> {
    name: &'a str,
    owner: AccountId,
    row: &'a MailboxRow,
    access: MailboxAccess,
}

impl<'a> Listed<'a> {
    fn own(owner: AccountId, row: &'a MailboxRow) -> Self {
        Self { name: &row.name, owner, row, access: MailboxAccess::OWNER }
    }

    fn foreign(name: &'a str, target: &'a Target) -> Self {
        Self { name, owner: target.owner, row: &target.row, access: target.access }
    }

    fn is_readable(&self) -> bool {
        self.access.rights.has(Rights::READ)
    }
}

impl Session {
    pub(crate) async fn list(&mut self, list: &List) -> Result<Answer, Fault> {
        // RFC 3501 §6.3.8: an empty pattern asks for the delimiter and the root of the reference.
        if !list.extended && list.patterns.iter().all(String::is_empty) {
            if let Ok(root) = MailboxName::new("") {
                let attributes = [ListAttribute::NoSelect];
                let entry = entry(&attributes, &root, ChildInfo::default());
                let encoding = self.encoding();
                response::list(self.connection.out(), &entry, encoding);
            }
            return Ok(Answer::ok("Listed"));
        }
        let patterns = if list.extended {
            Pattern::accepted(&list.reference, &list.patterns)
        } else {
            Pattern::several(&list.reference, &list.patterns)
        };
        let Some(patterns) = patterns else { return Ok(too_complex()) };
        let criteria = Criteria {
            subscribed: list.selection.subscribed,
            special_use: list.selection.special_use,
            recursive: list.selection.recursive_match,
            extended: list.extended,
        };
        let account = self.account()?;
        let rows = self.server.store.mailboxes(account).await?;
        let wants_subscriptions = list.selection.subscribed || list.returns.subscribed;
        let subscriptions =
            if wants_subscriptions { self.server.store.subscriptions(account).await? } else { Vec::new() };
        let foreign = self.foreign_mailboxes().await?;
        let own: Vec<Listed<'_>> = rows.iter().map(|row| Listed::own(account, row)).collect();
        let others: Vec<Listed<'_>> = foreign.iter().map(|(name, target)| Listed::foreign(name, target)).collect();
        // One's own come first: clients take the first mailbox with a special use as theirs.
        let mut listing = Listing::new();
        own.iter().for_each(|listed| listing.add(false, listed.name, listed));
        others.iter().for_each(|listed| listing.add(true, listed.name, listed));
        subscriptions.iter().for_each(|name| listing.subscribe(is_foreign(name), name, criteria));
        let matches = |name: &str| patterns.iter().any(|pattern| pattern.matches(name));
        let mut after = None;
        loop {
            let is_special = |listed: &Listed<'_>| listed.row.special_use.is_some();
            after = listing.weigh(after, LIST_NAMES_PER_TURN, criteria, matches, is_special);
            if after.is_none() {
                break;
            }
            tokio::task::yield_now().await;
        }
        for (name, node, told) in listing.told(criteria) {
            let Ok(mailbox) = MailboxName::new(name) else { continue };
            self.tell_listed(list, &mailbox, node, told).await?;
            self.connection.flush_some().await?;
        }
        Ok(Answer::ok("Listed"))
    }

    /// `* LIST …`, and behind it what RETURN asks for of a mailbox that meets the selection options itself.
    async fn tell_listed(
        &mut self,
        list: &List,
        mailbox: &MailboxName,
        node: &Node<'_, Listed<'_>>,
        told: Told,
    ) -> Result<(), Fault> {
        let child_info = ChildInfo {
            subscribed: told.child_info && list.selection.subscribed,
            special_use: told.child_info && list.selection.special_use,
        };
        let attributes = attributes(mailbox, node, list.extended || self.enabled.rev2);
        let encoding = self.encoding();
        response::list(self.connection.out(), &entry(&attributes, mailbox, child_info), encoding);
        let Some(listed) = node.mailbox.filter(|_| told.meets) else { return Ok(()) };
        // RFC 5819 §2: no STATUS of what can't be opened.
        if let Some(items) = list.returns.status.as_ref().filter(|_| listed.is_readable()) {
            self.asks_for_status(items);
            self.tell_status(mailbox, listed.owner, listed.row, listed.access.person, items).await?;
        }
        if list.returns.my_rights {
            let rights = listed.access.rights.with_obsolete();
            response::my_rights(self.connection.out(), mailbox, encoding, &rights);
        }
        if let Some(query) = list.returns.metadata.as_ref().filter(|_| may_annotate(listed.access.rights)) {
            let found = self.annotations_of(listed.owner, listed.row, query).await?;
            found.tell(self.connection.out(), mailbox, encoding);
        }
        Ok(())
    }

    /// Subscribed names, whether or not a mailbox has them.
    pub(crate) async fn lsub(&mut self, reference: &str, pattern: &str) -> Result<Answer, Fault> {
        let Some(pattern) = Pattern::new(reference, pattern) else { return Ok(too_complex()) };
        let account = self.account()?;
        // Whether the name is only there because something below it is subscribed.
        let mut found: BTreeMap<&str, bool> = BTreeMap::new();
        let mut names = self.server.store.subscriptions(account).await?;
        if names.iter().any(|name| is_foreign(name)) {
            // RFC 4314 §4: of others' mailboxes those that may be looked up.
            let foreign = self.foreign_mailboxes().await?;
            names.retain(|name| !is_foreign(name) || foreign.contains_key(name));
        }
        for (at, name) in names.iter().enumerate() {
            if at % LIST_NAMES_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
            if pattern.matches(name) {
                found.insert(name, false);
            } else {
                // RFC 3501 §6.3.9: `%` must show "foo" with \Noselect when only "foo/bar" is subscribed.
                for above in ancestors(name).filter(|above| pattern.matches(above)) {
                    found.entry(above).or_insert(true);
                }
            }
        }
        for (name, only_above) in found {
            let Ok(mailbox) = MailboxName::new(name) else { continue };
            let attributes: &[ListAttribute] = if only_above { &[ListAttribute::NoSelect] } else { &[] };
            let entry = entry(attributes, &mailbox, ChildInfo::default());
            let encoding = self.encoding();
            response::lsub(self.connection.out(), &entry, encoding);
            self.connection.flush_some().await?;
        }
        Ok(Answer::ok("Listed"))
    }
}

fn too_complex() -> Answer {
    Answer::no(Code::Limit, "Too many patterns or wildcards, or one too long")
}

fn attributes(name: &MailboxName, node: &Node<'_, Listed<'_>>, extended: bool) -> Vec<ListAttribute> {
    let mut attributes = Vec::with_capacity(4);
    match node.mailbox {
        // RFC 4314 §4: without "r" it can't be selected.
        Some(listed) if !listed.is_readable() => attributes.push(ListAttribute::NoSelect),
        Some(_) => {}
        // RFC 5258 §3: \NonExistent says more, but only to who knows it.
        None if extended => attributes.push(ListAttribute::NonExistent),
        None => attributes.push(ListAttribute::NoSelect),
    }
    // A name can have so many levels and no more. RFC 5258 §3.4: that implies \HasNoChildren.
    let levels = name.as_str().split(DELIMITER).count();
    let own_levels = node.mailbox.map_or(levels, |listed| listed.row.name.split(DELIMITER).count());
    attributes.push(match node.has_children {
        true => ListAttribute::HasChildren,
        false if own_levels >= MAILBOX_DEPTH_MAX => ListAttribute::NoInferiors,
        false => ListAttribute::HasNoChildren,
    });
    if node.subscribed {
        attributes.push(ListAttribute::Subscribed);
    }
    attributes.extend(node.mailbox.and_then(|listed| listed.row.special_use).map(ListAttribute::Use));
    attributes
}

fn entry<'a>(attributes: &'a [ListAttribute], mailbox: &'a MailboxName, child_info: ChildInfo) -> ListEntry<'a> {
    ListEntry { attributes, delimiter: Some(DELIMITER), mailbox, child_info, old_name: None }
}
