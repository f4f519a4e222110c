//! ESEARCH (RFC 7377): a search of several mailboxes, none of which has to be selected.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use imap_wire::response::Correlator;
use imap_wire::{MailboxFilter, MailboxName, Multisearch, NumberSet, Search, SearchReturn, Tag};
use mail::{AccountId, MailboxId};
use routing::Rights;
use routing::namespace::is_foreign;
use storage::StorageError;

use crate::access::{MailboxAccess, Target};
use crate::commands::search::{Made, Returned};
use crate::engine::pattern::DELIMITER;
use crate::fault::{Answer, Fault};
use crate::finding::Place;
use crate::notify::give_turn;
use crate::progress::Progress;
use crate::session::Session;

/// The mailboxes to search, by the name under which they are seen, with what may be done there.
type Sources = BTreeMap<String, Target>;

impl Session {
    pub(crate) async fn esearch(&mut self, tag: &Tag, mut multisearch: Multisearch) -> Result<Answer, Fault> {
        if let Some(refusal) = self.expand_filters(&mut multisearch.search).await? {
            return Ok(refusal);
        }
        if let Some(refusal) = self.refuse_charset(&multisearch.search) {
            return Ok(refusal);
        }
        let search = &multisearch.search;
        let returns = search.returns.unwrap_or(SearchReturn::ALL);
        let names_selected = multisearch.sources.contains(&MailboxFilter::Selected);
        // RFC 7377 §2.2: "selected", and UPDATE, need a selected mailbox.
        if (names_selected || returns.update) && self.selected.is_none() {
            return Ok(Answer::bad("Select a mailbox first"));
        }
        if search.uses_modseq() {
            self.know_modseqs();
        }
        let mut searched: BTreeSet<(AccountId, MailboxId)> = BTreeSet::new();
        if names_selected || returns.update {
            // RFC 9738 does not name ESEARCH: what is selected is searched whole, as what is not.
            let made = match self.make_search(tag, search, false, None).await? {
                Ok(made) => made,
                Err(answer) => return Ok(answer),
            };
            if names_selected {
                searched.insert(made.place.key);
                let name = self.shown_name_of_selected().await?;
                if returns.save {
                    let answer = Returned::new(returns, &made.found, None);
                    self.selected()?.saved = answer.saved(&made.found.uids);
                }
                self.tell_mailbox(tag, search, returns, &name, &made).await?;
            }
            if returns.update {
                self.keep_updated(tag, search, made, None)?;
            }
        }
        for (name, target) in self.sources(&multisearch).await? {
            let key = (target.owner, target.row.id);
            if !searched.insert(key) {
                continue;
            }
            let mut place = match self.place_of(&target).await {
                // Deleted while the others were searched.
                Err(StorageError::NoSuchMailbox) => continue,
                place => place?,
            };
            let query = match self.ready(search, &place.map) {
                Ok(query) => query,
                Err(answer) => return Ok(answer),
            };
            let store = self.server.store.clone();
            let (comparator, progress) = (self.comparator, place.progress.clone());
            let work = place.find(&store, &query, comparator, search.uses_modseq());
            let found = self.amid(tag, &progress, work).await??;
            self.tell_mailbox(tag, search, returns, &name, &Made { place, query, found, limited: None }).await?;
            self.connection.flush_some().await?;
        }
        if names_selected { self.searched(None) } else { Ok(Answer::ok("Searched")) }
    }

    /// One ESEARCH response; none where nothing was found (RFC 7377 §2.1).
    async fn tell_mailbox(
        &mut self,
        tag: &Tag,
        search: &Search,
        returns: SearchReturn,
        name: &str,
        made: &Made,
    ) -> Result<(), Fault> {
        if made.found.uids.is_empty() || returns.only_saves() {
            return Ok(());
        }
        let Ok(name) = MailboxName::new(name) else { return Ok(()) };
        let answer = Returned::new(returns, &made.found, None);
        let modseq = if search.uses_modseq() { self.modseq_of(&answer, made).await? } else { None };
        let wire = name.encode(self.encoding());
        let validity = made.place.row.uid_validity.0;
        answer.write(self.connection.out(), &Correlator::Mailbox(tag, &wire, validity), true, &made.place.map, modseq);
        Ok(())
    }

    /// A mailbox that is not selected, as it is now.
    async fn place_of(&mut self, target: &Target) -> Result<Place, StorageError> {
        let store = self.server.store.clone();
        let (owner, id) = (target.owner, target.row.id);
        let view = self.server.views.join(owner, id).load(&store).await?;
        let row = store.mailbox(owner, id).await?.ok_or(StorageError::NoSuchMailbox)?;
        let reading = match target.access.person {
            Some(person) => Some(store.person_seen(owner, id, person).await?),
            None => None,
        };
        let attachments = self.settings.search_attachments;
        let (key, map) = ((owner, id), Arc::clone(view.map()));
        Ok(Place {
            key,
            map,
            row,
            reading,
            recent: NumberSet::empty(),
            attachments,
            keeps_values: false,
            progress: Progress::default(),
        })
    }

    /// The name by which the client knows the selected mailbox.
    async fn shown_name_of_selected(&mut self) -> Result<String, Fault> {
        let account = self.account()?;
        let selected = self.selected()?;
        let (owner, name) = (selected.owner, selected.row.name.clone());
        if owner == account {
            return Ok(name);
        }
        let shown = routing::namespace::shown_name_of(&self.server.store.directory(), owner, &name);
        Ok(shown.unwrap_or(name))
    }

    /// The mailboxes that the sources mean and that may be searched (RFC 7377 §2.2: those without the rights are passed
    /// over).
    async fn sources(&mut self, multisearch: &Multisearch) -> Result<Sources, Fault> {
        let account = self.account()?;
        let meant = Meant::of(&multisearch.sources);
        let mut sources = Sources::new();
        for (n, name) in meant.named.iter().enumerate() {
            give_turn(n).await;
            if let Ok(target) = self.find_with(name, Rights::READ).await? {
                sources.insert((*name).to_owned(), target);
            }
        }
        if !meant.personal && !meant.subscribed && meant.subtrees.is_empty() {
            return Ok(sources);
        }
        let store = self.server.store.clone();
        let rows = store.mailboxes(account).await?;
        let own = rows
            .into_iter()
            .map(|row| (row.name.clone(), Target { owner: account, row, access: MailboxAccess::OWNER }));
        let mut all: Sources = own.collect();
        // What delivery can put mail into is not known without its filters: RFC 5465 §6.2 makes it all of one's own then.
        if meant.personal {
            sources.extend(all.clone());
        }
        let abroad = |name: &str| is_foreign(name) || !all.contains_key(name);
        if meant.subscribed || meant.subtrees.iter().any(|(name, _)| abroad(name)) {
            all.extend(self.foreign_mailboxes().await?);
        }
        all.retain(|_, target| target.access.rights.has(Rights::READ.with(Rights::LOOKUP)));
        if meant.subscribed {
            for name in store.subscriptions(account).await? {
                sources.extend(all.get(&name).map(|target| (name, target.clone())));
            }
        }
        let subtrees = meant.subtrees.iter().flat_map(|(top, levels)| below(&all, top, *levels));
        for (n, (name, target)) in subtrees.enumerate() {
            give_turn(n).await;
            if !sources.contains_key(name) {
                sources.insert(name.clone(), target.clone());
            }
        }
        Ok(sources)
    }
}

/// What the sources mean, each once; the selected mailbox is not among it.
#[derive(Default)]
struct Meant<'a> {
    named: BTreeSet<&'a str>,
    personal: bool,
    subscribed: bool,
    /// With the number of levels below that belong to it.
    subtrees: BTreeSet<(&'a str, usize)>,
}

impl<'a> Meant<'a> {
    fn of(sources: &'a [MailboxFilter]) -> Self {
        let mut meant = Self::default();
        let subtrees = |names: &'a [MailboxName], levels| names.iter().map(move |name| (name.as_str(), levels));
        for source in sources {
            match source {
                MailboxFilter::Selected => {}
                MailboxFilter::Inboxes | MailboxFilter::Personal => meant.personal = true,
                MailboxFilter::Subscribed => meant.subscribed = true,
                MailboxFilter::Subtree(names) => meant.subtrees.extend(subtrees(names, usize::MAX)),
                MailboxFilter::SubtreeOne(names) => meant.subtrees.extend(subtrees(names, 1)),
                MailboxFilter::Mailboxes(names) => meant.named.extend(names.iter().map(MailboxName::as_str)),
            }
        }
        meant
    }
}

/// A mailbox and those below it, so many levels down. Costs what lies there, not what there is.
fn below<'a>(all: &'a Sources, top: &str, levels: usize) -> impl Iterator<Item = (&'a String, &'a Target)> + use<'a> {
    let start = format!("{top}{DELIMITER}");
    let itself = all.get_key_value(top);
    let inside = all.range(start.clone()..).take_while(move |(name, _)| name.starts_with(&start));
    let depth = top.matches(DELIMITER).count();
    let near = move |name: &str| name.matches(DELIMITER).count().saturating_sub(depth) <= levels;
    itself.into_iter().chain(inside.filter(move |(name, _)| near(name)))
}

#[cfg(test)]
mod tests {
    use storage::rows::MailboxRow;

    use super::*;

    #[test]
    fn a_subtree_is_bounded_by_its_levels() {
        let target = |name: &str| {
            let row = MailboxRow::new(MailboxId(1), name.to_owned(), mail::UidValidity(1), None);
            (name.to_owned(), Target { owner: AccountId(1), row, access: MailboxAccess::OWNER })
        };
        let all: Sources = ["a", "a b", "a/b", "a/b/c", "ab", "b"].map(target).into();
        let names = |levels| below(&all, "a", levels).map(|(name, _)| name.as_str()).collect::<Vec<_>>();
        assert_eq!(names(usize::MAX), ["a", "a/b", "a/b/c"]);
        assert_eq!(names(1), ["a", "a/b"]);
    }
}
