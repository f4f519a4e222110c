//! What of the changes in the world a client wants to hear (RFC 5465): which events concern a mailbox, and what has happened
//! between two looks.
//!
//! Pure: from what was known and what is there now to what is to be said.

use std::collections::{BTreeMap, BTreeSet};

use imap_wire::{EventGroup, EventMailboxes, Events, FetchItem, MailboxName, StatusItem};
use mail::{AccountId, MailboxId, ModSeq, Uid, UidValidity};
use storage::rows::MailboxRow;

use super::pattern::{DELIMITER, ancestors};
use crate::limits::NOTIFY_OWN_NAMES_MAX;

/// What a client wants to hear of the selected mailbox.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct SelectedEvents {
    /// Expunges wait for a command that allows them.
    pub(crate) delayed: bool,
    /// Flags that others change.
    pub(crate) flags: bool,
    /// What to fetch of new messages.
    pub(crate) fetch: Vec<FetchItem>,
}

/// What a client wants to hear of one mailbox that is not selected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wanted {
    pub(crate) messages: bool,
    pub(crate) flags: bool,
    pub(crate) names: bool,
    pub(crate) subscriptions: bool,
    pub(crate) metadata: bool,
}

/// What a client wants to hear, so that it is found at once for each of many mailboxes however many are named.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Interests {
    /// Of the selected mailbox; `None`: nothing.
    pub(crate) selected: Option<SelectedEvents>,
    /// Of every mailbox of one's own.
    own: Wanted,
    subscribed: Wanted,
    named: BTreeMap<String, Wanted>,
    /// Of the mailbox with this name, and of all below it.
    subtrees: BTreeMap<String, Wanted>,
    server_metadata: bool,
}

impl Wanted {
    /// Whether it is anything.
    pub(crate) const fn any(self) -> bool {
        self.messages || self.flags || self.names || self.subscriptions || self.metadata
    }

    /// Whether messages have to be looked at.
    pub(crate) const fn looks_inside(self) -> bool {
        self.messages || self.flags
    }

    const fn of(events: &Events) -> Self {
        Self {
            messages: events.messages,
            flags: events.flags,
            names: events.names,
            subscriptions: events.subscriptions,
            metadata: events.mailbox_metadata,
        }
    }

    /// Takes in what another group wants.
    const fn add(&mut self, other: Self) {
        self.messages |= other.messages;
        self.flags |= other.flags;
        self.names |= other.names;
        self.subscriptions |= other.subscriptions;
        self.metadata |= other.metadata;
    }
}

impl Interests {
    /// What a NOTIFY SET asks for.
    pub(crate) fn new(groups: Vec<EventGroup>) -> Self {
        let (selected, groups): (Vec<EventGroup>, Vec<EventGroup>) =
            groups.into_iter().partition(|group| group.mailboxes.is_selected());
        let selected = selected.into_iter().find(|group| group.events.messages).map(|group| SelectedEvents {
            delayed: group.mailboxes == EventMailboxes::SelectedDelayed,
            flags: group.events.flags,
            fetch: group.events.fetch,
        });
        let mut interests = Self { selected, ..Self::default() };
        for EventGroup { mailboxes, events } in groups {
            interests.server_metadata |= events.server_metadata;
            let wanted = Wanted::of(&events);
            if !wanted.any() {
                continue;
            }
            let by_name = |map: &mut BTreeMap<String, Wanted>, names: &[MailboxName]| {
                names.iter().for_each(|name| map.entry(name.as_str().to_owned()).or_default().add(wanted));
            };
            match &mailboxes {
                EventMailboxes::Selected | EventMailboxes::SelectedDelayed => {}
                // RFC 5465 §6.3: mail may be delivered to any mailbox of one's own.
                EventMailboxes::Inboxes | EventMailboxes::Personal => interests.own.add(wanted),
                EventMailboxes::Subscribed => interests.subscribed.add(wanted),
                EventMailboxes::Subtree(roots) => by_name(&mut interests.subtrees, roots),
                EventMailboxes::Mailboxes(names) => by_name(&mut interests.named, names),
            }
        }
        interests
    }

    /// What is wanted of a mailbox: all that any group which it belongs to wants (RFC 5465 §6).
    pub(crate) fn of(&self, name: &str, own: bool, subscribed: bool) -> Wanted {
        let mut wanted = if own { self.own } else { Wanted::default() };
        if subscribed {
            wanted.add(self.subscribed);
        }
        wanted.add(self.named.get(name).copied().unwrap_or_default());
        if !self.subtrees.is_empty() {
            let roots = ancestors(name).chain([name]);
            roots.filter_map(|root| self.subtrees.get(root)).for_each(|root| wanted.add(*root));
        }
        wanted
    }

    /// Whether anything is wanted of mailboxes other than the selected one.
    pub(crate) fn looks_elsewhere(&self) -> bool {
        self.server_metadata || self.all().any(Wanted::any)
    }

    /// Whether annotations of mailboxes are wanted, and whether those of the server are.
    pub(crate) fn metadata(&self) -> (bool, bool) {
        (self.all().any(|wanted| wanted.metadata), self.server_metadata)
    }

    /// Whether others' mailboxes may be among those that are wanted.
    pub(crate) fn looks_abroad(&self, is_foreign: impl Fn(&str) -> bool) -> bool {
        // Others' mailboxes may be below any name that is above theirs.
        self.subscribed.any() || self.named.keys().chain(self.subtrees.keys()).any(|name| is_foreign(name))
    }

    fn all(&self) -> impl Iterator<Item = Wanted> {
        [self.own, self.subscribed].into_iter().chain(self.named.values().chain(self.subtrees.values()).copied())
    }
}

/// Names that a session itself has changed since it last looked: no news to it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct OwnNames(BTreeSet<String>);

impl OwnNames {
    /// A name, and those above it, which may have come with it. Beyond [`NOTIFY_OWN_NAMES_MAX`] the earlier ones are forgotten:
    /// the session is told of them as of others'.
    pub(crate) fn add(&mut self, name: &str) {
        let name = name.trim_end_matches(DELIMITER);
        for name in ancestors(name).chain([name]) {
            if self.0.len() >= NOTIFY_OWN_NAMES_MAX {
                self.0.clear();
            }
            self.0.insert(name.to_owned());
        }
    }

    /// Whether the session itself has changed a name.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.0.contains(name)
    }
}

/// What the client was last told of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Known {
    /// As it is shown to the client.
    pub(crate) name: String,
    pub(crate) uid_validity: UidValidity,
    pub(crate) uid_next: Uid,
    pub(crate) messages: u32,
    /// `None`: the session itself has put messages there since, seen ones or not, or had it selected.
    pub(crate) unseen: Option<u32>,
    pub(crate) modseq: ModSeq,
}

impl Known {
    /// A mailbox as it is now.
    pub(crate) fn of(name: &str, row: &MailboxRow, unseen: u32) -> Self {
        Self {
            name: name.to_owned(),
            uid_validity: row.uid_validity,
            uid_next: row.uid_next,
            messages: row.messages,
            unseen: Some(unseen),
            modseq: row.highest_modseq,
        }
    }

    /// The mailbox before anything came into it.
    pub(crate) fn empty(&self) -> Self {
        Self { uid_next: Uid(1), messages: 0, unseen: Some(0), modseq: ModSeq(1), name: self.name.clone(), ..*self }
    }

    /// Takes in what this session has put there itself, when nothing else has come in between: that is no news to it.
    pub(crate) fn own_arrivals(&mut self, first: u32, last: u32) {
        let count = last.saturating_sub(first).saturating_add(1);
        if self.uid_next.0 == first {
            self.uid_next = Uid(last.saturating_add(1));
            self.messages = self.messages.saturating_add(count);
            self.unseen = None;
            self.modseq = ModSeq(self.modseq.0.saturating_add(u64::from(count)));
        }
    }

    /// What STATUS says of the difference; nothing when the client wants to hear nothing of it (RFC 5465 §5.1 to §5.3).
    pub(crate) fn news(&self, now: &Self, wanted: Wanted, condstore: bool) -> Vec<StatusItem> {
        let mut items = Vec::new();
        let messages = (self.uid_next, self.messages) != (now.uid_next, now.messages);
        let validity = self.uid_validity != now.uid_validity;
        let flags = wanted.flags && self.modseq != now.modseq;
        if wanted.messages && (messages || validity) {
            items.extend([StatusItem::UidNext, StatusItem::Messages]);
        }
        // Where it is not known what the client takes for the number, every change tells it.
        let unseen = match self.unseen {
            Some(_) => self.unseen != now.unseen,
            None => flags,
        };
        if wanted.flags && (validity || unseen || (flags && condstore)) {
            items.push(StatusItem::UidValidity);
            if unseen {
                items.push(StatusItem::Unseen);
            }
        } else if validity && !items.is_empty() {
            items.push(StatusItem::UidValidity);
        }
        if condstore && !items.is_empty() {
            items.push(StatusItem::HighestModSeq);
        }
        items
    }
}

/// What NOTIFY SET STATUS says of a mailbox at first (RFC 5465 §3.1).
pub(crate) fn first_items(wanted: Wanted) -> Vec<StatusItem> {
    let mut items = Vec::new();
    if wanted.messages {
        items.extend([StatusItem::Messages, StatusItem::UidNext, StatusItem::UidValidity]);
    }
    if wanted.flags {
        items.push(StatusItem::HighestModSeq);
    }
    items
}

/// A mailbox by its owner and number.
pub(crate) type Key = (AccountId, MailboxId);

/// What has become of the name of a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum NameChange {
    /// It is there now, with this name.
    Created(Key),
    /// The name stands for nothing any more.
    Deleted(String),
    /// It had this name before.
    Renamed(Key, String),
}

/// What has happened to names. RFC 5465 §5.4: of a mailbox that was renamed those below it are not told.
pub(crate) fn name_changes(before: &BTreeMap<Key, Known>, now: &BTreeMap<Key, Known>) -> Vec<NameChange> {
    let mut changes = Vec::new();
    let names: BTreeSet<&str> = now.values().map(|known| known.name.as_str()).collect();
    let renamed: BTreeMap<&str, &str> = before
        .iter()
        .filter_map(|(key, old)| Some((old.name.as_str(), now.get(key)?.name.as_str())))
        .filter(|(old, new)| old != new)
        .collect();
    let follows_parent = |old: &str, new: &str| match (old.rsplit_once(DELIMITER), new.rsplit_once(DELIMITER)) {
        (Some((old_parent, old_leaf)), Some((new_parent, new_leaf))) => {
            old_leaf == new_leaf && renamed.get(old_parent) == Some(&new_parent)
        }
        _ => false,
    };
    for (key, old) in before {
        match now.get(key) {
            None if !names.contains(old.name.as_str()) => changes.push(NameChange::Deleted(old.name.clone())),
            Some(new) if new.name != old.name && !follows_parent(&old.name, &new.name) => {
                changes.push(NameChange::Renamed(*key, old.name.clone()));
            }
            None | Some(_) => {}
        }
    }
    changes.extend(now.keys().filter(|key| !before.contains_key(key)).map(|key| NameChange::Created(*key)));
    changes
}

#[cfg(test)]
mod tests {
    use imap_wire::{CommandBody, CommandText, NameEncoding, Notify};

    use super::*;

    fn interests(text: &str) -> Interests {
        let text = CommandText::from(format!("a NOTIFY SET {text}\r\n").as_bytes());
        let CommandBody::Notify(Notify::Set { groups, .. }) =
            imap_wire::decode(&text, NameEncoding::ModifiedUtf7).unwrap().body
        else {
            panic!("a NOTIFY SET")
        };
        Interests::new(groups)
    }

    fn known(name: &str, uid_next: u32, modseq: u64) -> Known {
        Known {
            name: name.to_owned(),
            uid_validity: UidValidity(1),
            uid_next: Uid(uid_next),
            messages: uid_next - 1,
            unseen: Some(0),
            modseq: ModSeq(modseq),
        }
    }

    const KEYS: [Key; 4] = [
        (AccountId(1), MailboxId(1)),
        (AccountId(1), MailboxId(2)),
        (AccountId(1), MailboxId(3)),
        (AccountId(1), MailboxId(4)),
    ];

    #[test]
    fn groups_add_up() {
        let wants = interests("(mailboxes INBOX (MessageNew MessageExpunge)) (personal (SubscriptionChange))");
        let inbox = wants.of("INBOX", true, false);
        assert!(inbox.messages && inbox.subscriptions && !inbox.flags && !inbox.names);
        let other = wants.of("INBOX/x", true, false);
        assert!(!other.messages && other.subscriptions);
        assert!(!wants.of("Shared/x", false, true).any());
        let wants = interests("(subtree Lists (MessageNew FlagChange MessageExpunge)) (subscribed (MailboxName))");
        assert!(wants.of("Lists", true, false).flags && wants.of("Lists/a/b", true, false).messages);
        assert!(!wants.of("Listsx", true, false).any() && wants.of("Listsx", true, true).names);
        assert_eq!(wants.selected, None);
        let wants = interests("(selected-delayed (MessageNew (UID) MessageExpunge))");
        assert_eq!(
            wants.selected.unwrap(),
            SelectedEvents { delayed: true, flags: false, fetch: vec![FetchItem::Uid] }
        );
        assert_eq!(interests("(selected NONE)").selected, None);
    }

    #[test]
    fn own_names_are_bounded() {
        let mut own = OwnNames::default();
        own.add("a/b/c/");
        assert!(["a", "a/b", "a/b/c"].iter().all(|name| own.contains(name)));
        for n in 0..3 * NOTIFY_OWN_NAMES_MAX {
            own.add(&format!("x/{n}"));
            assert!(own.0.len() <= NOTIFY_OWN_NAMES_MAX);
        }
        assert!(own.contains(&format!("x/{}", 3 * NOTIFY_OWN_NAMES_MAX - 1)) && !own.contains("a/b/c"));
    }

    #[test]
    fn status_tells_what_was_asked_for() {
        use StatusItem::{HighestModSeq, Messages, UidNext, UidValidity, Unseen};
        let (old, new) = (known("x", 5, 9), known("x", 6, 10));
        let messages = Wanted { messages: true, ..Wanted::default() };
        assert_eq!(old.news(&new, messages, false), [UidNext, Messages]);
        assert_eq!(old.news(&new, messages, true), [UidNext, Messages, HighestModSeq]);
        assert_eq!(old.news(&new, Wanted { names: true, ..Wanted::default() }, true), []);
        let flagged = Known { modseq: ModSeq(12), ..old.clone() };
        let all = Wanted { flags: true, ..messages };
        assert_eq!(old.news(&flagged, messages, true), []);
        assert_eq!(old.news(&flagged, all, false), []);
        assert_eq!(old.news(&flagged, all, true), [UidValidity, HighestModSeq]);
        let seen = Known { unseen: Some(4), ..flagged };
        assert_eq!(old.news(&seen, all, false), [UidValidity, Unseen]);
        let mut own = old.clone();
        own.own_arrivals(5, 5);
        assert_eq!(own.news(&new, all, true), []);
        own.own_arrivals(9, 9);
        assert_eq!(own, Known { unseen: None, ..new.clone() });
        // What another does next to a mailbox into which it has put something, or which it had selected.
        let seen = Known { modseq: ModSeq(12), ..new };
        assert_eq!(own.news(&seen, all, false), [UidValidity, Unseen]);
        assert_eq!(own.news(&seen, messages, false), []);
    }

    #[test]
    fn names_of_mailboxes_come_go_and_change() {
        let [a, b, c, d] = KEYS;
        let named = |all: &[(Key, &str)]| -> BTreeMap<Key, Known> {
            all.iter().map(|(key, name)| (*key, known(name, 1, 1))).collect()
        };
        let before = named(&[(a, "INBOX"), (b, "Work"), (c, "Work/x")]);
        let renamed = named(&[(a, "INBOX"), (b, "Play"), (c, "Play/x"), (d, "New")]);
        let changes = name_changes(&before, &renamed);
        assert_eq!(changes, [NameChange::Renamed(b, "Work".to_owned()), NameChange::Created(d)]);
        let apart = named(&[(a, "INBOX"), (b, "Play"), (c, "Else/x")]);
        let changes = name_changes(&before, &apart);
        assert_eq!(changes, [NameChange::Renamed(b, "Work".to_owned()), NameChange::Renamed(c, "Work/x".to_owned())]);
        assert_eq!(name_changes(&before, &named(&[(a, "INBOX")])).len(), 2);
        // Deleted and made again: the name goes on, the mailbox is another one.
        assert_eq!(
            name_changes(&before, &named(&[(a, "INBOX"), (d, "Work"), (c, "Work/x")])),
            [NameChange::Created(d)]
        );
    }
}
