//! Telling a client that has enabled it which annotations others changed (RFC 5464 §4.4.2): those of the server, of the
//! person's own mailboxes, and of the mailbox of another that is selected. Names only.
//!
//! Costs two or three reads of a number with each command, of clients that have asked for it only.

use imap_wire::MailboxName;
use imap_wire::response;
use mail::{AccountId, MailboxId};
use routing::namespace::shown_name_of;

use crate::commands::metadata::may_annotate;
use crate::fault::Fault;
use crate::session::Session;

/// What a client that wants to hear of annotations has been told.
#[derive(Debug, Default)]
pub(crate) struct AnnotationsTold {
    /// By part of the store: up to which change.
    parts: Vec<(AccountId, u64)>,
    /// The session's own changes: those are no news.
    own: Vec<(AccountId, u64)>,
}

/// A part of the store to look at, and whether one mailbox of it alone.
type Part = (AccountId, Option<MailboxId>);

/// The server's annotations that all see are in nobody's part.
const SERVER: AccountId = AccountId(0);

impl Session {
    /// The client wants to hear of changes from now on (RFC 5464 §4.1).
    pub(crate) fn hear_of_annotations(&mut self) {
        if let Some(user) = &mut self.user {
            user.annotations.get_or_insert_default();
        }
    }

    /// This session has changed annotations.
    pub(crate) fn remember_own_annotations(&mut self, changes: &[(AccountId, u64)]) {
        if let Some(told) = self.user.as_mut().and_then(|user| user.annotations.as_mut()) {
            told.own.extend_from_slice(changes);
        }
    }

    /// Tells which annotations others have changed since the last time.
    pub(crate) async fn tell_annotations(&mut self) -> Result<(), Fault> {
        let Some(user) = self.user.as_ref().filter(|user| user.annotations.is_some()) else { return Ok(()) };
        let who = user.account.id;
        let mut parts: Vec<Part> = vec![(SERVER, None), (who, None)];
        let selected = self.selected.as_deref().filter(|selected| selected.owner != who);
        if let Some(selected) = selected.filter(|selected| may_annotate(selected.access.rights)) {
            parts.push((selected.owner, Some(selected.row.id)));
        }
        let store = self.server.store.clone();
        for (part, only) in &parts {
            let number = store.annotation_number(*part).await?;
            let Some((since, own)) = self.told_of(*part, number) else { continue };
            for news in store.annotation_news(*part, *only, who, since, &own).await? {
                let name = match news.mailbox {
                    None => Some(String::new()),
                    Some(mailbox) => self.name_of(*part, mailbox, who).await?,
                };
                let encoding = self.encoding();
                let name = name.filter(|name| self.wants_annotations_of(name));
                if let Some(name) = name.and_then(|name| MailboxName::new(&name).ok()) {
                    response::metadata_changed(self.connection.out(), &name, encoding, &news.names);
                    self.connection.flush_some().await?;
                }
            }
            self.have_told(*part, number);
        }
        if let Some(told) = self.user.as_mut().and_then(|user| user.annotations.as_mut()) {
            let looked_at = |known: &AccountId| parts.iter().any(|(part, _)| part == known);
            told.parts.retain(|(known, _)| looked_at(known));
            told.own.retain(|(known, _)| looked_at(known));
        }
        Ok(())
    }

    /// What to look for in a part: changes after which one, and which not. `None` when there is nothing new, or when the
    /// part is looked at for the first time.
    fn told_of(&mut self, part: AccountId, number: u64) -> Option<(u64, Vec<u64>)> {
        let told = self.user.as_mut()?.annotations.as_mut()?;
        let Some((_, since)) = told.parts.iter().find(|(known, _)| *known == part) else {
            told.parts.push((part, number));
            return None;
        };
        let own = told.own.iter().filter(|(known, _)| *known == part).map(|(_, number)| *number).collect();
        (number > *since).then_some((*since, own))
    }

    fn have_told(&mut self, part: AccountId, number: u64) {
        if let Some(told) = self.user.as_mut().and_then(|user| user.annotations.as_mut()) {
            told.own.retain(|(known, own)| *known != part || *own > number);
            if let Some((_, since)) = told.parts.iter_mut().find(|(known, _)| *known == part) {
                *since = number;
            }
        }
    }

    /// The name by which this session knows a mailbox.
    async fn name_of(&mut self, owner: AccountId, mailbox: MailboxId, who: AccountId) -> Result<Option<String>, Fault> {
        let store = self.server.store.clone();
        let Some(row) = store.mailbox(owner, mailbox).await? else { return Ok(None) };
        if owner == who {
            return Ok(Some(row.name));
        }
        let directory = store.directory();
        Ok(shown_name_of(&directory, owner, &row.name))
    }
}
