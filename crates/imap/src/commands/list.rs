//! LIST and LSUB (RFC 3501 §6.3.8, §6.3.9; RFC 3348, RFC 5258, RFC 5819, RFC 6154).
//!
//! Names form a tree of which some nodes are mailboxes and some are only names above one: those are `\Noselect`.

use std::collections::BTreeMap;

use imap_wire::response::{self, Code, ListAttribute, ListEntry};
use imap_wire::{List, MailboxName};
use mail::AccountId;
use routing::Rights;
use routing::namespace::is_foreign;
use storage::rows::MailboxRow;

use crate::access::{MailboxAccess, Target};
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

/// One name and what is known of it.
#[derive(Default)]
struct Node<'a> {
    mailbox: Option<&'a Listed<'a>>,
    has_children: bool,
    subscribed: bool,
    /// A name below it is subscribed.
    subscribed_below: bool,
}

impl<'a> Listed<'a> {
    fn own(owner: AccountId, row: &'a MailboxRow) -> Self {
        Self { name: &row.name, owner, row, access: MailboxAccess::OWNER }
    }

    fn foreign(name: &'a str, target: &'a Target) -> Self {
        Self { name, owner: target.owner, row: &target.row, access: target.access }
    }
}

impl Session {
    pub(crate) async fn list(&mut self, list: &List) -> Result<Answer, Fault> {
        // RFC 3501 §6.3.8: an empty pattern asks for the delimiter and the root of the reference.
        if !list.extended && list.patterns.iter().all(String::is_empty) {
            if let Ok(root) = MailboxName::new("") {
                let attributes = [ListAttribute::NoSelect];
                let entry = entry(&attributes, &root, false);
                let encoding = self.encoding();
                response::list(self.connection.out(), &entry, encoding);
            }
            return Ok(Answer::ok("Listed"));
        }
        let Some(patterns) = Pattern::several(&list.reference, &list.patterns) else { return Ok(too_complex()) };
        let account = self.account()?;
        let rows = self.server.store.mailboxes(account).await?;
        let wants_subscriptions = list.selection.subscribed || list.returns.subscribed;
        let subscriptions =
            if wants_subscriptions { self.server.store.subscriptions(account).await? } else { Vec::new() };
        let foreign = self.foreign_mailboxes().await?;
        let (theirs, mine): (Vec<String>, Vec<String>) = subscriptions.into_iter().partition(|name| is_foreign(name));
        let own: Vec<Listed<'_>> = rows.iter().map(|row| Listed::own(account, row)).collect();
        let others: Vec<Listed<'_>> = foreign.iter().map(|(name, target)| Listed::foreign(name, target)).collect();
        let subscribed = list.selection.subscribed;
        // One's own come first: clients take the first mailbox with a special use as theirs.
        let mut own = tree(&own, &mine, subscribed);
        let mut others = tree(&others, &theirs, subscribed);
        // `Shared` may be a mailbox of one's own besides being above others'.
        for (name, above) in own.iter_mut() {
            if let Some(same) = others.remove(name) {
                above.has_children |= same.has_children;
                above.subscribed_below |= same.subscribed_below;
            }
        }
        self.tell_names(list, &patterns, own).await?;
        self.tell_names(list, &patterns, others).await?;
        Ok(Answer::ok("Listed"))
    }

    async fn tell_names(
        &mut self,
        list: &List,
        patterns: &[Pattern],
        nodes: BTreeMap<&str, Node<'_>>,
    ) -> Result<(), Fault> {
        for (at, (name, node)) in nodes.iter().enumerate() {
            if at % LIST_NAMES_PER_TURN == 0 {
                tokio::task::yield_now().await;
            }
            let matched = patterns.iter().any(|pattern| pattern.matches(name));
            let child_subscribed = list.selection.recursive_match && node.subscribed_below;
            if !matched || !is_selected(list, node, child_subscribed) {
                continue;
            }
            let Ok(mailbox) = MailboxName::new(name) else { continue };
            let attributes = attributes(list, node);
            let entry = entry(&attributes, &mailbox, child_subscribed);
            let encoding = self.encoding();
            response::list(self.connection.out(), &entry, encoding);
            // RFC 5819 §2: no STATUS of what can't be opened.
            let readable = node.mailbox.filter(|listed| listed.access.rights.has(Rights::READ));
            if let (Some(items), Some(listed)) = (&list.returns.status, readable) {
                self.tell_status(&mailbox, listed.owner, listed.row, listed.access.person, items).await?;
            }
            self.connection.flush_some().await?;
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
        for name in &names {
            if pattern.matches(name) {
                found.insert(name, false);
            } else if let Some(above) = ancestors(name).find(|above| pattern.matches(above)) {
                // RFC 3501 §6.3.9: `%` must show "foo" with \Noselect when only "foo/bar" is subscribed.
                found.entry(above).or_insert(true);
            }
        }
        for (name, only_above) in found {
            let Ok(mailbox) = MailboxName::new(name) else { continue };
            let attributes: &[ListAttribute] = if only_above { &[ListAttribute::NoSelect] } else { &[] };
            let entry = entry(attributes, &mailbox, false);
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

/// Every name there is, and every name above one.
fn tree<'a>(
    mailboxes: &'a [Listed<'a>],
    subscriptions: &'a [String],
    subscribed_only: bool,
) -> BTreeMap<&'a str, Node<'a>> {
    let mut nodes: BTreeMap<&str, Node<'_>> = BTreeMap::new();
    for listed in mailboxes {
        nodes.entry(listed.name).or_default().mailbox = Some(listed);
        for above in ancestors(listed.name) {
            nodes.entry(above).or_default().has_children = true;
        }
    }
    for name in subscriptions {
        // A subscribed name without a mailbox is listed only where subscriptions are asked for.
        if subscribed_only {
            nodes.entry(name).or_default().subscribed = true;
            for above in ancestors(name) {
                nodes.entry(above).or_default().subscribed_below = true;
            }
        } else if let Some(node) = nodes.get_mut(name.as_str()) {
            node.subscribed = true;
        }
    }
    nodes
}

/// RFC 5258 §3.1: the selection options.
fn is_selected(list: &List, node: &Node<'_>, child_subscribed: bool) -> bool {
    let special = node.mailbox.is_some_and(|listed| listed.row.special_use.is_some());
    (!list.selection.subscribed || node.subscribed || child_subscribed) && (!list.selection.special_use || special)
}

fn attributes(list: &List, node: &Node<'_>) -> Vec<ListAttribute> {
    let mut attributes = Vec::with_capacity(4);
    match (node.mailbox, node.has_children) {
        (Some(_), _) => {}
        // RFC 5258 §3: \NonExistent says more, but only to who knows it.
        (None, _) if list.extended => attributes.push(ListAttribute::NonExistent),
        (None, _) => attributes.push(ListAttribute::NoSelect),
    }
    attributes.push(if node.has_children { ListAttribute::HasChildren } else { ListAttribute::HasNoChildren });
    if node.subscribed {
        attributes.push(ListAttribute::Subscribed);
    }
    attributes.extend(node.mailbox.and_then(|listed| listed.row.special_use).map(ListAttribute::Use));
    attributes
}

fn entry<'a>(attributes: &'a [ListAttribute], mailbox: &'a MailboxName, child_subscribed: bool) -> ListEntry<'a> {
    ListEntry { attributes, delimiter: Some(DELIMITER), mailbox, child_subscribed, old_name: None }
}
