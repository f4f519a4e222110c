//! Filters of people and of shared mailboxes: what is checked when one is saved (I3), and what they match and do among the
//! messages that are there (I4). How they decide is the crate `filter`'s.

use std::collections::BTreeSet;
use std::sync::Arc;

use filter::{Fate, Filter, FilterSet, Place, check, check_set};
use mail::{Address, Uid};
use routing::Directory;
use routing::namespace::is_foreign;
use routing::objects::{AccountObject, Object, ObjectKey, SeenState};
use storage::filing::{decided, place_of};
use storage::limits::FILED_AT_ONCE;
use storage::mailboxes::new_name;
use storage::objects::PutMode;
use storage::rows::MailboxRow;
use storage::{StorageError, Store};

use crate::account;
use crate::asked::Asked;
use crate::error::{AdminError, ErrorKind};
use crate::limits::{FILTER_LEFT_OUT_MAX, FILTER_MATCHES_SHOWN_MAX};
use crate::request::{FilterContent, FilterRequest};
use crate::response::{FilterMatches, FilterTest, FilterView, FiltersApplied, MatchedMessage, Response};

pub(crate) async fn execute(store: &Store, asked: &Asked<'_>, request: FilterRequest) -> Result<Response, AdminError> {
    match request {
        FilterRequest::Add { account, name, position, content } => {
            let _edit = asked.hold().await?;
            let (owner, mut set) = set_of(&store.directory(), &account)?;
            let filter = merged(Filter::new(name.trim()), *content);
            let last = set.filters.len();
            let at = position.map_or(Ok(last), place_number)?.min(last);
            set.filters.insert(at, filter);
            put(store, &owner, set, at).await
        }
        FilterRequest::List { account } => {
            let (owner, set) = set_of(&store.directory(), &account)?;
            let views = (0..set.filters.len()).filter_map(|at| view(&owner, &set, at));
            Ok(Response::Filters(views.collect()))
        }
        FilterRequest::Show { account, name } => {
            let (owner, set) = set_of(&store.directory(), &account)?;
            let at = find(&owner, &set, &name)?;
            shown(&owner, &set, at)
        }
        FilterRequest::Set { account, name, content } => {
            let _edit = asked.hold().await?;
            let (owner, mut set) = set_of(&store.directory(), &account)?;
            let at = find(&owner, &set, &name)?;
            if let Some(filter) = set.filters.get_mut(at) {
                *filter = merged(filter.clone(), *content);
            }
            put(store, &owner, set, at).await
        }
        FilterRequest::Move { account, name, position } => {
            let _edit = asked.hold().await?;
            let to = place_number(position)?;
            let (owner, mut set) = set_of(&store.directory(), &account)?;
            let from = find(&owner, &set, &name)?;
            let filter = set.filters.remove(from);
            let to = to.min(set.filters.len());
            set.filters.insert(to, filter);
            put(store, &owner, set, to).await
        }
        FilterRequest::Remove { account, name } => {
            let _edit = asked.hold().await?;
            let (owner, mut set) = set_of(&store.directory(), &account)?;
            let at = find(&owner, &set, &name)?;
            let filter = set.filters.remove(at);
            if set.filters.is_empty() {
                store.remove_object(ObjectKey::Filters(owner.id)).await?;
            } else {
                store.put_object(Object::Filters(set), PutMode::Replace).await?;
            }
            let text = format!("removed the filter \"{}\" of {}; what it has filed stays", filter.name, owner.address);
            Ok(Response::Done(text))
        }
        FilterRequest::Test { account, name, folder, show } => {
            let run = Run::new(store, &account, name.as_deref(), &folder).await?;
            run.test(store, show.min(FILTER_MATCHES_SHOWN_MAX)).await
        }
        FilterRequest::Apply { account, name, folder } => {
            let run = Run::new(store, &account, name.as_deref(), &folder).await?;
            run.apply(store).await
        }
    }
}

/// A place among filters from 1, as one from 0.
fn place_number(position: usize) -> Result<usize, AdminError> {
    let error = || AdminError::invalid("the places of filters are counted from 1: there is no place 0");
    position
        .checked_sub(1)
        .ok_or_else(|| error().hint("1 is looked at first; a number behind the last is the last place"))
}

/// The account, and its filters, which may be none.
fn set_of(directory: &Directory, address: &Address) -> Result<(AccountObject, FilterSet), AdminError> {
    let owner = account::find(directory, address)?;
    let set = directory.filters(owner.id).map(|set| (**set).clone());
    let none = FilterSet { account: owner.id, filters: Vec::new() };
    Ok((owner, set.unwrap_or(none)))
}

fn find(owner: &AccountObject, set: &FilterSet, name: &str) -> Result<usize, AdminError> {
    set.position(name).ok_or_else(|| {
        let known = set.filters.iter().map(|filter| filter.name.clone());
        let error = AdminError::not_found("filter", name.trim(), known);
        match error.hint.as_deref().is_some_and(|hint| hint.starts_with("did you mean")) {
            true => error,
            false => error.hint(format!("`relais filter list {}` shows those there are", owner.address)),
        }
    })
}

fn merged(mut filter: Filter, content: FilterContent) -> Filter {
    fn set<T>(field: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *field = value;
        }
    }
    set(&mut filter.name, content.name.map(|name| name.trim().to_owned()));
    set(&mut filter.enabled, content.enabled);
    set(&mut filter.matching, content.matching);
    set(&mut filter.conditions, content.conditions);
    set(&mut filter.actions.discard, content.discard);
    content.folder.apply(&mut filter.actions.folder);
    set(&mut filter.actions.copies, content.copies);
    set(&mut filter.actions.tags, content.tags.map(|tags| tags.into_iter().collect()));
    set(&mut filter.actions.important, content.important);
    set(&mut filter.actions.read, content.read);
    set(&mut filter.stop, content.stop);
    set(&mut filter.places, content.places);
    filter
}

async fn put(store: &Store, owner: &AccountObject, mut set: FilterSet, at: usize) -> Result<Response, AdminError> {
    if let Some(filter) = set.filters.get_mut(at) {
        check(filter).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
        check_folders(filter)?;
        check_seen(owner, filter)?;
    }
    check_set(&set).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
    let there = store.directory().filters(owner.id).is_some();
    let mode = if there { PutMode::Replace } else { PutMode::Add };
    store.put_object(Object::Filters(set.clone()), mode).await?;
    shown(owner, &set, at)
}

/// The folders in the form in which they are stored; names that can't be are refused.
fn check_folders(filter: &mut Filter) -> Result<(), AdminError> {
    let actions = &mut filter.actions;
    for folder in actions.folder.iter_mut().chain(&mut actions.copies) {
        *folder = new_name(folder).map_err(|error| {
            let StorageError::BadMailboxName(why) = error else { return error.into() };
            let error = AdminError::invalid(format!("there can be no folder {folder:?}: {why}"));
            error.hint("levels are parted by /, as in 'Work/Bills'")
        })?;
        if is_foreign(folder) {
            let error = AdminError::invalid(format!("{folder:?} is a folder of somebody else"));
            return Err(error.hint("a filter puts messages into folders of the account itself"));
        }
    }
    let only_inbox = filter.places == [Place::Inbox];
    if only_inbox && actions.folder.iter().chain(&actions.copies).any(|folder| folder == "INBOX") {
        let error = AdminError::invalid("what the filter looks at goes to INBOX anyway");
        return Err(error.hint("name another folder; or --stop, so that other filters leave it there"));
    }
    Ok(())
}

/// Where each person has their own `\Seen`, nobody can mark a message as read for all of them.
fn check_seen(owner: &AccountObject, filter: &Filter) -> Result<(), AdminError> {
    let personal = owner.shared.as_ref().is_some_and(|shared| shared.seen == SeenState::PerPerson);
    if !(personal && filter.actions.read) {
        return Ok(());
    }
    let error = AdminError::invalid(format!(
        "each member of {} has read or not read a message for themselves: a filter can't mark it as read for all",
        owner.address
    ));
    Err(error.hint(format!("leave that out, or say `relais shared set {} --seen shared`", owner.address)))
}

fn view(owner: &AccountObject, set: &FilterSet, at: usize) -> Option<FilterView> {
    let filter = set.filters.get(at)?.clone();
    Some(FilterView {
        account: owner.address.clone(),
        position: at.saturating_add(1),
        condition_texts: filter.conditions.iter().map(ToString::to_string).collect(),
        filter,
        rests: owner.off_boarding.is_some(),
    })
}

fn shown(owner: &AccountObject, set: &FilterSet, at: usize) -> Result<Response, AdminError> {
    match view(owner, set, at) {
        Some(view) => Ok(Response::Filter(Box::new(view))),
        None => Err(AdminError::new(ErrorKind::NotFound, "the filter is not there any more")),
    }
}

/// Filters that look at the messages of a mailbox.
struct Run {
    owner: AccountObject,
    mailbox: MailboxRow,
    place: Place,
    /// The filters: one, as if it were switched on and looked there; or all of the account.
    filters: Arc<FilterSet>,
}

/// Why a filter does not act on what is at a place, whatever the message.
fn passed_over(filter: &Filter, place: Place) -> Option<String> {
    if !filter.enabled {
        return Some("is switched off".to_owned());
    }
    (!filter.places.contains(&place)).then(|| format!("does not look at what goes to {place}"))
}

impl Run {
    async fn new(store: &Store, account: &Address, name: Option<&str>, folder: &str) -> Result<Self, AdminError> {
        let (owner, set) = set_of(&store.directory(), account)?;
        let one = name.map(|name| find(&owner, &set, name)).transpose()?;
        let wanted = new_name(folder).unwrap_or_else(|_| folder.to_owned());
        let Some(mailbox) = store.mailbox_by_name(owner.id, &wanted).await? else {
            let known = store.mailboxes(owner.id).await?.into_iter().map(|row| row.name);
            let error = AdminError::not_found("folder", folder, known);
            let named = error.hint.as_deref().is_some_and(|hint| hint.starts_with("did you mean"));
            return Err(if named {
                error
            } else {
                error.hint("folders are written as in 'Work/Bills'; the first is INBOX")
            });
        };
        // What is in other folders is looked at as if it came to INBOX.
        let place = place_of(&mailbox).unwrap_or(Place::Inbox);
        let filters = match one {
            Some(at) => {
                let one = set.filters.into_iter().skip(at).take(1);
                one.map(|filter| Filter { enabled: true, places: vec![place], ..filter }).collect()
            }
            None => set.filters,
        };
        let filters = Arc::new(FilterSet { account: owner.id, filters });
        Ok(Self { owner, mailbox, place, filters })
    }

    /// The next messages behind a UID, of those that were there when this began.
    async fn page(&self, store: &Store, behind: Uid) -> Result<Vec<storage::rows::MessageRow>, AdminError> {
        let Some(first) = behind.next() else { return Ok(Vec::new()) };
        let last = Uid(self.mailbox.uid_next.0.saturating_sub(1));
        if first > last {
            return Ok(Vec::new());
        }
        Ok(store.messages(self.owner.id, self.mailbox.id, first, last, FILED_AT_ONCE).await?)
    }

    async fn test(&self, store: &Store, show: usize) -> Result<Response, AdminError> {
        let blank = |filter: &Filter| FilterMatches {
            filter: filter.name.clone(),
            passed_over: passed_over(filter, self.place),
            matches: 0,
            does: filter.actions.in_words(),
            newest: Vec::new(),
        };
        let mut filters: Vec<FilterMatches> = self.filters.filters.iter().map(blank).collect();
        let (mut messages, mut behind) = (0usize, Uid(0));
        loop {
            let page = self.page(store, behind).await?;
            let Some(last) = page.last() else { break };
            behind = last.uid;
            for row in &page {
                let record = store.records(self.owner.id, self.mailbox.id, row.uid, row.uid, 1).await?;
                let message = match store.look_at(row, record.first().map(|(_, record)| record)).await {
                    // It has gone meanwhile.
                    Err(StorageError::Expunged) => continue,
                    message => message?,
                };
                messages = messages.saturating_add(1);
                let decision = decided(&self.filters, &message.view, self.place).await;
                let acts = decision.verdicts.iter().map(|verdict| matches!(verdict.fate, Fate::Acts { .. }));
                for (told, _) in filters.iter_mut().zip(acts).filter(|(_, acts)| *acts) {
                    told.matches = told.matches.saturating_add(1);
                    if show == 0 {
                        continue;
                    }
                    if told.newest.len() >= show {
                        told.newest.remove(0);
                    }
                    told.newest.push(MatchedMessage {
                        uid: row.uid.0,
                        date_secs: row.internal_date.secs,
                        from: message.shown("From"),
                        subject: message.shown("Subject"),
                    });
                }
            }
        }
        let (account, folder) = (self.owner.address.clone(), self.mailbox.name.clone());
        Ok(Response::FilterTest(Box::new(FilterTest { account, folder, messages, filters })))
    }

    async fn apply(&self, store: &Store) -> Result<Response, AdminError> {
        let filters = &self.filters.filters;
        let mut acts = vec![0usize; filters.len()];
        let mut left_out = BTreeSet::new();
        let mut applied = FiltersApplied {
            account: self.owner.address.clone(),
            folder: self.mailbox.name.clone(),
            messages: 0,
            filters: Vec::new(),
            filed: 0,
            left_out: Vec::new(),
        };
        let mut behind = Uid(0);
        loop {
            let page = self.page(store, behind).await?;
            let Some(last) = page.last() else { break };
            behind = last.uid;
            let uids: Vec<Uid> = page.iter().map(|row| row.uid).collect();
            let filed = store.file_stored(self.owner.id, self.mailbox.id, &uids, &self.filters, self.place).await?;
            applied.messages = applied.messages.saturating_add(filed.looked_at);
            for (total, count) in acts.iter_mut().zip(filed.acts) {
                *total = total.saturating_add(count);
            }
            applied.filed = applied.filed.saturating_add(filed.messages);
            left_out.extend(filed.left_out);
        }
        // Those that are switched off, or look elsewhere, had no say.
        let asked = filters.iter().zip(acts).filter(|(filter, _)| passed_over(filter, self.place).is_none());
        applied.filters = asked.map(|(filter, count)| (filter.name.clone(), count)).collect();
        let more = left_out.len().saturating_sub(FILTER_LEFT_OUT_MAX);
        applied.left_out = left_out.into_iter().take(FILTER_LEFT_OUT_MAX).collect();
        if more > 0 {
            applied.left_out.push(format!("{more} things more could not be done"));
        }
        tracing::info!(account = %applied.account, folder = applied.folder, filed = applied.filed, "filters applied");
        Ok(Response::FiltersApplied(Box::new(applied)))
    }
}
