//! Telling a client what it wants to hear of, whenever it happens (RFC 5465): the selected mailbox between commands, other
//! mailboxes by STATUS, their names and subscriptions by LIST, their annotations by METADATA.
//!
//! One watch over the accounts that matter rings; what rang is looked at in the store and held against what the client was last
//! told. So a client that does not read is told less often, not more at once, and costs nothing meanwhile.
//! Invariant: `known` has every mailbox that the client wants to hear of, as it was last told of it.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use bus::AccountsWatch;
use imap_wire::response::{self, Code, Condition, ListAttribute};
use imap_wire::{EventGroup, FetchItem, MailboxName, Notify, NumberSet};
use mail::{AccountId, Timestamp, UidValidity};
use routing::Rights;
use routing::namespace::{OTHER_USERS, SHARED, is_foreign};
use storage::rows::MailboxRow;
use world::Clock;

use crate::access::{MailboxAccess, Target};
use crate::engine::notify::{
    Interests, Key, Known, NameChange, OwnNames, SelectedEvents, Wanted, first_items, name_changes,
};
use crate::engine::pattern::DELIMITER;
use crate::engine::table::Sync;
use crate::fault::{Answer, Fault, Lost};
use crate::limits::{MAILBOXES_PER_TURN, NOTIFY_GONE_MAX, NOTIFY_PAUSE};
use crate::session::Session;

/// The events of which a client can be notified (RFC 5465 §5).
const EVENTS: &[&str] = &[
    "MessageNew",
    "MessageExpunge",
    "FlagChange",
    "MailboxName",
    "SubscriptionChange",
    "MailboxMetadataChange",
    "ServerMetadataChange",
];

/// What a session listens for since its last NOTIFY.
pub(crate) struct Notifying {
    interests: Interests,
    watch: AccountsWatch,
    known: BTreeMap<Key, Known>,
    subscriptions: BTreeSet<String>,
    /// The UIDVALIDITY of mailboxes that have gone, in case that another one takes the name.
    gone: BTreeMap<String, UidValidity>,
    /// Names that this session itself has changed: no news to it.
    own: OwnNames,
    /// Others' mailboxes are looked at.
    abroad: bool,
    /// When it may look again after a look at many mailboxes.
    rests_until: Timestamp,
    /// Annotations are told because of NOTIFY alone, and then only those that it asks for.
    annotations: bool,
    /// It rang while the client was in the middle of a command.
    pub(crate) pending: bool,
}

/// What of the selected mailbox may be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum SelectedNews {
    /// NOTIFY was never given: what a command allows.
    AsEver,
    /// Nothing.
    Nothing,
    /// What the client has asked for.
    Some(SelectedEvents),
}

/// Mailboxes as they are now, with what is wanted of each.
struct Visible {
    targets: BTreeMap<Key, (String, Target)>,
    subscriptions: BTreeSet<String>,
}

impl Notifying {
    /// Whether flags of the selected mailbox are told as they change.
    pub(crate) fn tells_flags(&self) -> bool {
        self.interests.selected.as_ref().is_some_and(|events| events.flags)
    }

    /// Ends when something has rung, and it has rested.
    pub(crate) async fn rung(&self, clock: &dyn Clock) {
        let rest = self.rest(clock.now());
        if !rest.is_zero() {
            clock.sleep(rest).await;
        }
        self.watch.rung().await;
    }

    /// How long it rests from now on. A clock that is set back makes that no longer.
    fn rest(&self, now: Timestamp) -> Duration {
        let left = u64::try_from(self.rests_until.0.saturating_sub(now.0)).map(Duration::from_millis);
        left.ok().filter(|left| *left <= NOTIFY_PAUSE).unwrap_or_default()
    }
}

impl Session {
    pub(crate) async fn notify(&mut self, notify: Notify) -> Result<Answer, Fault> {
        let (status, groups) = match notify {
            Notify::None => (false, Vec::new()),
            Notify::Set { status, groups } => (status, groups),
        };
        if groups.iter().any(|group| group.events.unsupported) {
            return Ok(Answer::no(Code::BadEvent(EVENTS), "One of these events is not supported"));
        }
        let none = groups.is_empty() && !status;
        // §3.1: what a successful NOTIFY says lasts until the next successful one.
        let before = self.notify.take();
        let by_notify = before.as_deref().is_some_and(|notify| notify.annotations);
        let annotations = self.user.as_mut().filter(|_| by_notify).and_then(|user| user.annotations.take());
        let enabled = self.user.as_ref().is_some_and(|user| user.annotations.is_some());
        let began = self.begin_notify(status, groups).await;
        if let Ok(true) = began {
            return Ok(Answer::ok(if none { "You will be told nothing" } else { "You will be told" }));
        }
        if let Some(user) = self.user.as_mut().filter(|_| !enabled) {
            user.annotations = annotations;
        }
        self.notify = before;
        began.map(|_| Answer::no(Code::NotificationOverflow, "Those are more mailboxes than can be watched"))
    }

    /// Listens for what is asked for, and tells what is to be told at first; `false`: those are too many mailboxes.
    async fn begin_notify(&mut self, status: bool, groups: Vec<EventGroup>) -> Result<bool, Fault> {
        let set = !groups.is_empty();
        self.listen(groups).await?;
        let Some(visible) = self.look_at_all(true).await? else { return Ok(false) };
        // RFC 5465 §3.1: NOTIFY SET tells what has accumulated, as NOOP does.
        if set {
            self.sync_as(Sync::All, false, SelectedNews::AsEver).await?;
        }
        self.tell_no_access(&visible)?;
        if status {
            self.tell_first_status(&visible).await?;
        }
        Ok(true)
    }

    /// Begins to listen; nothing is known yet.
    async fn listen(&mut self, groups: Vec<EventGroup>) -> Result<(), Fault> {
        let account = self.account()?;
        let interests = Interests::new(groups);
        let abroad = interests.looks_abroad(|name| is_foreign(name) || name == SHARED || name == OTHER_USERS);
        let accounts = if interests.looks_elsewhere() { BTreeSet::from([account]) } else { BTreeSet::new() };
        let annotations =
            interests.metadata() != (false, false) && self.user.as_ref().is_some_and(|user| user.annotations.is_none());
        if annotations {
            self.hear_of_annotations();
            // From now on.
            self.tell_annotations().await?;
        }
        self.notify = Some(Box::new(Notifying {
            interests,
            watch: self.server.bus.watch_accounts(accounts),
            known: BTreeMap::new(),
            subscriptions: BTreeSet::new(),
            gone: BTreeMap::new(),
            own: OwnNames::default(),
            abroad,
            rests_until: Timestamp(0),
            annotations,
            pending: false,
        }));
        Ok(())
    }

    /// As after NOTIFY NONE: nothing is told any more.
    fn stop_listening(&mut self) {
        if let Some(before) = self.notify.take()
            && before.annotations
            && let Some(user) = &mut self.user
        {
            user.annotations = None;
        }
        self.notify = Some(Box::new(Notifying {
            interests: Interests::default(),
            watch: self.server.bus.watch_accounts(BTreeSet::new()),
            known: BTreeMap::new(),
            subscriptions: BTreeSet::new(),
            gone: BTreeMap::new(),
            own: OwnNames::default(),
            abroad: false,
            rests_until: Timestamp(0),
            annotations: false,
            pending: false,
        }));
    }

    /// What of the selected mailbox may be told.
    pub(crate) fn selected_news(&self) -> SelectedNews {
        match self.notify.as_deref() {
            None => SelectedNews::AsEver,
            Some(notify) => match &notify.interests.selected {
                None => SelectedNews::Nothing,
                Some(events) => SelectedNews::Some(events.clone()),
            },
        }
    }

    /// Whether a change of annotations is to be told; an empty name is the server's.
    pub(crate) fn wants_annotations_of(&self, name: &str) -> bool {
        let Some(notify) = self.notify.as_deref().filter(|notify| notify.annotations) else { return true };
        if name.is_empty() {
            return notify.interests.metadata().1;
        }
        notify.interests.of(name, !is_foreign(name), notify.subscriptions.contains(name)).metadata
    }

    /// A name that this session itself has changed. Not one that the store has refused: others' news of it would be lost, and
    /// its length is not bounded.
    pub(crate) fn own_name(&mut self, name: &str) {
        if let Some(notify) = self.notify.as_deref_mut().filter(|notify| notify.interests.looks_elsewhere()) {
            notify.own.add(name);
        }
    }

    /// Messages that this session itself has put into a mailbox.
    pub(crate) fn own_arrivals(&mut self, mailbox: Key, uids: &NumberSet) {
        if let Some(selected) =
            self.selected.as_deref_mut().filter(|selected| (selected.owner, selected.row.id) == mailbox)
        {
            let before = selected.own_arrivals.ranges().iter().cloned();
            selected.own_arrivals = NumberSet::from_ranges(before.chain(uids.ranges().iter().cloned()));
        }
        let known = self.notify.as_deref_mut().and_then(|notify| notify.known.get_mut(&mailbox));
        if let (Some(known), [all]) = (known, uids.ranges()) {
            known.own_arrivals(*all.start(), *all.end());
        }
    }

    /// The selected mailbox is left: what the client was told of it, it knows.
    pub(crate) fn knows_left(&mut self) {
        let (Some(selected), Some(notify)) = (self.selected.as_deref(), self.notify.as_deref_mut()) else { return };
        if let Some(known) = notify.known.get_mut(&(selected.owner, selected.row.id))
            && notify.interests.selected.is_some()
        {
            *known = Known { unseen: None, ..Known::of(&known.name, &selected.row, 0) };
        }
    }

    /// Tells what has happened, between two commands or in IDLE. What can't be read now is told when it rings again.
    pub(crate) async fn tell_news(&mut self, idle: bool) -> Result<(), Lost> {
        match Box::pin(self.try_tell_news(idle)).await {
            Ok(()) => {}
            Err(Fault::Lost(lost)) => return Err(lost),
            Err(Fault::Storage(error)) => tracing::warn!(peer = %self.peer, %error, "news could not be read"),
        }
        self.connection.flush().await
    }

    async fn try_tell_news(&mut self, idle: bool) -> Result<(), Fault> {
        self.leave_if_shut_out()?;
        match self.selected_news() {
            SelectedNews::Some(events) => {
                // RFC 5465 §6.1.2: what is delayed comes with a command; IDLE is one.
                let what = if events.delayed && !idle { Sync::NoExpunge } else { Sync::All };
                self.sync(what, false).await?;
            }
            SelectedNews::AsEver if idle => self.sync(Sync::All, false).await?,
            SelectedNews::AsEver | SelectedNews::Nothing => {}
        }
        let Some(notify) = self.notify.as_deref_mut() else { return Ok(()) };
        notify.pending = false;
        // What has rung stays, and rings again when it has rested.
        if !notify.rest(self.server.world.clock.now()).is_zero() {
            return Ok(());
        }
        let dirty = notify.watch.take();
        if dirty.is_empty() {
            return Ok(());
        }
        self.tell_annotations().await?;
        if dirty.lists || dirty.all {
            if self.look_at_all(false).await?.is_none() {
                // RFC 5465 §5.8.
                let text = "There are more mailboxes than can be watched";
                response::untagged(self.connection.out(), Condition::Ok, Some(&Code::NotificationOverflow), text);
                self.stop_listening();
            }
            return Ok(());
        }
        for key in dirty.mailboxes {
            self.look_at(key).await?;
            self.connection.flush_some().await?;
        }
        Ok(())
    }

    /// Looks at one mailbox in which something changed.
    async fn look_at(&mut self, key: Key) -> Result<(), Fault> {
        let name = match self.notify.as_deref().and_then(|notify| notify.known.get(&key)) {
            Some(known) => known.name.clone(),
            None => return Ok(()),
        };
        let Some(target) = self.find(&name).await?.filter(|target| (target.owner, target.row.id) == key) else {
            // It has gone or changed its name, and that rings too.
            return Ok(());
        };
        let now = Known::of(&name, &target.row, self.unseen_of(&target, self.wanted_of(&name)).await?);
        self.tell_inside(key, now, &target).await
    }

    /// Tells by STATUS what has changed in a mailbox.
    async fn tell_inside(&mut self, key: Key, now: Known, target: &Target) -> Result<(), Fault> {
        let wanted = self.wanted_of(&now.name);
        let is_selected = self.selected.as_deref().is_some_and(|selected| (selected.owner, selected.row.id) == key);
        let condstore = self.enabled.condstore;
        let Some(notify) = self.notify.as_deref_mut() else { return Ok(()) };
        let before = notify.known.insert(key, now.clone()).unwrap_or_else(|| now.empty());
        // RFC 5465 §3.1: of the selected mailbox only what was asked for it. §5: `r` is needed.
        if is_selected || !target.access.rights.has(Rights::READ) {
            return Ok(());
        }
        let items = before.news(&now, wanted, condstore);
        if items.is_empty() {
            return Ok(());
        }
        if let Ok(mailbox) = MailboxName::new(&now.name) {
            self.tell_status(&mailbox, target.owner, &target.row, target.access.person, &items).await?;
        }
        Ok(())
    }

    fn wanted_of(&self, name: &str) -> Wanted {
        let Some(notify) = self.notify.as_deref() else { return Wanted::default() };
        notify.interests.of(name, !is_foreign(name), notify.subscriptions.contains(name))
    }

    /// Messages without `\Seen`, where that is looked at.
    async fn unseen_of(&mut self, target: &Target, wanted: Wanted) -> Result<u32, Fault> {
        Ok(match target.access.person.filter(|_| wanted.flags) {
            Some(person) => {
                self.server.store.person_seen(target.owner, target.row.id, person).await?.unseen_of(&target.row)
            }
            None => target.row.unseen,
        })
    }

    /// Looks at every mailbox that the client wants to hear of and tells what has changed; with `first` nothing is told. `None`:
    /// those are too many.
    async fn look_at_all(&mut self, first: bool) -> Result<Option<Visible>, Fault> {
        let visible = self.visible().await?;
        let Some(notify) = self.notify.as_deref_mut() else { return Ok(Some(visible)) };
        let owners = visible.targets.keys().map(|(owner, _)| *owner);
        if notify.interests.looks_elsewhere() {
            let account = self.user.as_ref().map(|user| user.account.id);
            // The server's annotations ring in nobody's part.
            notify.watch.watch(owners.chain(account).chain([AccountId(0)]).collect());
        }
        let before_subscriptions = std::mem::replace(&mut notify.subscriptions, visible.subscriptions.clone());
        if visible.targets.len() > self.settings.notify_mailboxes_max {
            return Ok(None);
        }
        let own = std::mem::take(&mut notify.own);
        let mut now = BTreeMap::new();
        for (n, (key, (name, target))) in visible.targets.iter().enumerate() {
            give_turn(n).await;
            let wanted = self.wanted_of(name);
            now.insert(*key, Known::of(name, &target.row, self.unseen_of(target, wanted).await?));
        }
        let Some(notify) = self.notify.as_deref_mut() else { return Ok(Some(visible)) };
        if now.len() > MAILBOXES_PER_TURN {
            let pause = i64::try_from(NOTIFY_PAUSE.as_millis()).unwrap_or_default();
            notify.rests_until = Timestamp(self.server.world.clock.now().0.saturating_add(pause));
        }
        if first {
            notify.known = now;
            return Ok(Some(visible));
        }
        let changes = name_changes(&notify.known, &now);
        let gone = notify.known.extract_if(.., |key, _| !now.contains_key(key));
        notify.gone.extend(gone.map(|(_, known)| (known.name, known.uid_validity)));
        for (key, known) in &now {
            match notify.known.get_mut(key) {
                Some(before) => before.name.clone_from(&known.name),
                // RFC 5465 §5.1: that a name stands for another mailbox is told by its UIDVALIDITY.
                None => {
                    if let Some(uid_validity) = notify.gone.remove(&known.name) {
                        notify.known.insert(*key, Known { uid_validity, ..known.empty() });
                    }
                }
            }
        }
        while notify.gone.len() > NOTIFY_GONE_MAX {
            notify.gone.pop_first();
        }
        self.tell_names_changed(&visible, changes, &own).await?;
        self.tell_subscriptions(&before_subscriptions, &visible, &own).await?;
        for (n, (key, known)) in now.into_iter().enumerate() {
            give_turn(n).await;
            if let Some((_, target)) = visible.targets.get(&key) {
                self.tell_inside(key, known, target).await?;
            }
            self.connection.flush_some().await?;
        }
        Ok(Some(visible))
    }

    /// Mailboxes that the client wants to hear of.
    async fn visible(&mut self) -> Result<Visible, Fault> {
        let account = self.account()?;
        let (elsewhere, abroad) = match self.notify.as_deref() {
            Some(notify) => (notify.interests.looks_elsewhere(), notify.abroad),
            None => (false, false),
        };
        if !elsewhere {
            return Ok(Visible { targets: BTreeMap::new(), subscriptions: BTreeSet::new() });
        }
        let store = self.server.store.clone();
        let subscriptions: BTreeSet<String> = store.subscriptions(account).await?.into_iter().collect();
        let own = store.mailboxes(account).await?.into_iter().map(|row| {
            let name = row.name.clone();
            (name, Target { owner: account, row, access: MailboxAccess::OWNER })
        });
        let foreign = if abroad { self.foreign_mailboxes().await? } else { BTreeMap::new() };
        let mut targets = BTreeMap::new();
        for (n, (name, target)) in own.chain(foreign).enumerate() {
            give_turn(n).await;
            let Some(notify) = self.notify.as_deref() else { break };
            if notify.interests.of(&name, target.owner == account, subscriptions.contains(&name)).any() {
                targets.insert((target.owner, target.row.id), (name, target));
            }
        }
        Ok(Visible { targets, subscriptions })
    }

    /// RFC 5465 §3.1: what can be listed and not read is named.
    fn tell_no_access(&mut self, visible: &Visible) -> Result<(), Fault> {
        for (name, target) in visible.targets.values() {
            if self.wanted_of(name).looks_inside() && !target.access.rights.has(Rights::READ) {
                let Ok(mailbox) = MailboxName::new(name) else { continue };
                self.write_list(&[ListAttribute::NoAccess], &mailbox, None);
            }
        }
        Ok(())
    }

    async fn tell_first_status(&mut self, visible: &Visible) -> Result<(), Fault> {
        let selected = self.selected.as_deref().map(|selected| (selected.owner, selected.row.id));
        for (key, (name, target)) in &visible.targets {
            let items = first_items(self.wanted_of(name));
            if items.is_empty() || selected == Some(*key) || !target.access.rights.has(Rights::READ) {
                continue;
            }
            let Ok(mailbox) = MailboxName::new(name) else { continue };
            self.tell_status(&mailbox, target.owner, &target.row, target.access.person, &items).await?;
            self.connection.flush_some().await?;
        }
        Ok(())
    }

    /// LIST for names that came, went or changed, and for those above them (RFC 5465 §5.4).
    async fn tell_names_changed(
        &mut self,
        visible: &Visible,
        changes: Vec<NameChange>,
        own: &OwnNames,
    ) -> Result<(), Fault> {
        let mut above = BTreeSet::new();
        for change in changes {
            let (name, old_name, owner, row): (&str, Option<&str>, AccountId, Option<&MailboxRow>) = match &change {
                NameChange::Created(key) => match visible.targets.get(key) {
                    Some((name, target)) => (name, None, key.0, Some(&target.row)),
                    None => continue,
                },
                NameChange::Renamed(key, old) => match visible.targets.get(key) {
                    Some((name, target)) => (name, Some(old), key.0, Some(&target.row)),
                    None => continue,
                },
                NameChange::Deleted(name) => (name, None, AccountId(0), None),
            };
            if own.contains(name) || !self.wanted_of(name).names {
                continue;
            }
            let Ok(mailbox) = MailboxName::new(name) else { continue };
            match row {
                Some(row) => self.tell_name(&mailbox, owner, row, old_name).await?,
                None => self.write_list(&[ListAttribute::NonExistent], &mailbox, None),
            }
            if let (None, Some((parent, _))) = (old_name, name.rsplit_once(DELIMITER)) {
                above.insert(parent.to_owned());
            }
            self.connection.flush_some().await?;
        }
        above.retain(|name| !own.contains(name) && self.wanted_of(name).names);
        if above.is_empty() {
            return Ok(());
        }
        let mut by_name: BTreeMap<&str, &Target> = BTreeMap::new();
        by_name.extend(visible.targets.values().map(|(name, target)| (name.as_str(), target)));
        for name in &above {
            if let (Some(target), Ok(mailbox)) = (by_name.get(name.as_str()), MailboxName::new(name)) {
                self.tell_name(&mailbox, target.owner, &target.row, None).await?;
            }
        }
        Ok(())
    }

    /// LIST for names whose subscription came or went (RFC 5465 §5.5).
    async fn tell_subscriptions(
        &mut self,
        before: &BTreeSet<String>,
        visible: &Visible,
        own: &OwnNames,
    ) -> Result<(), Fault> {
        let account = self.account()?;
        let changed: Vec<&String> = before.symmetric_difference(&visible.subscriptions).collect();
        for name in changed {
            let Some(notify) = self.notify.as_deref() else { return Ok(()) };
            // The group of subscribed mailboxes concerns it before or after.
            let wanted = notify.interests.of(name, !is_foreign(name), true).subscriptions;
            if own.contains(name) || !wanted {
                continue;
            }
            let Ok(mailbox) = MailboxName::new(name) else { continue };
            match self.find(name).await? {
                Some(target) => self.tell_name(&mailbox, target.owner, &target.row, None).await?,
                None if self.server.store.is_subscribed(account, name).await? => {
                    self.write_list(&[ListAttribute::NonExistent, ListAttribute::Subscribed], &mailbox, None);
                }
                None => self.write_list(&[ListAttribute::NonExistent], &mailbox, None),
            }
            self.connection.flush_some().await?;
        }
        Ok(())
    }

    /// FETCH of messages that have arrived in the selected mailbox: what MessageNew asks for (RFC 5465 §5.2), but of those
    /// that this session itself has put there.
    pub(crate) async fn tell_arrived(&mut self, arrived: &NumberSet, items: &[FetchItem]) -> Result<(), Fault> {
        let own = std::mem::take(&mut self.selected()?.own_arrivals);
        let news = arrived.minus(&own);
        if items.is_empty() || news.is_empty() {
            return Ok(());
        }
        self.fetch_news(&news, items).await
    }
}

/// Before the `n`th of many mailboxes: others get their turn now and then.
pub(crate) async fn give_turn(n: usize) {
    if n % MAILBOXES_PER_TURN == MAILBOXES_PER_TURN - 1 {
        tokio::task::yield_now().await;
    }
}
