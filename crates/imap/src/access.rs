//! Whose mailbox a name means, and what the person who names it may do there (RFC 4314).
//!
//! One's own mailboxes cost nothing: their owner has every right, and no list is read. Of others' mailboxes nothing is
//! told to who may not look them up: they answer as if they were not there (RFC 4314 §6).

use imap_wire::response::Code;
use mail::{AccountId, ModSeq, Uid};
use routing::Rights;
use routing::namespace::{Place, locate};
use storage::StorageError;
use storage::rows::{MailboxRow, MessageRow};
use storage::sharing::transfer::End;

pub(crate) use storage::sharing::access::{MailboxAccess, access, archive, weigh};

use crate::fault::{Answer, Fault, Lost};
use crate::session::Session;

/// A mailbox, and what somebody may do there.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    /// Whose.
    pub(crate) owner: AccountId,
    /// As it is now.
    pub(crate) row: MailboxRow,
    pub(crate) access: MailboxAccess,
}

impl Target {
    /// As the store takes it.
    pub(crate) fn end(&self) -> End {
        End { owner: self.owner, mailbox: self.row.id, by: self.access.by() }
    }
}

impl Session {
    /// Whose mailbox a name means.
    pub(crate) fn place(&self, name: &str) -> Result<Place, Fault> {
        let account = self.account()?;
        Ok(locate(&self.server.store.directory(), account, name))
    }

    /// The mailbox that a name means, and what may be done there; `None` when it is not there, or not to be seen at all.
    pub(crate) async fn find(&mut self, name: &str) -> Result<Option<Target>, Fault> {
        let store = self.server.store.clone();
        let account = self.account()?;
        match self.place(name)? {
            Place::Own => {
                let row = store.mailbox_by_name(account, name).await?;
                Ok(row.map(|row| Target { owner: account, row, access: MailboxAccess::OWNER }))
            }
            Place::Foreign { owner, name } => {
                let Some(row) = store.mailbox_by_name(owner, &name).await? else { return Ok(None) };
                let access = access(&store, owner, row.id, account).await?;
                Ok((!access.rights.is_empty()).then_some(Target { owner, row, access }))
            }
            Place::Nowhere => Ok(None),
        }
    }

    /// As [`Session::find`], for a command that needs rights; the inner error is its answer when they are missing.
    pub(crate) async fn find_with(&mut self, name: &str, needed: Rights) -> Result<Result<Target, Answer>, Fault> {
        let Some(target) = self.find(name).await? else {
            return Ok(Err(Answer::of(&StorageError::NoSuchMailbox)));
        };
        Ok(if target.access.rights.has(needed) { Ok(target) } else { Err(refusal(target.access.rights)) })
    }

    /// Looks again what may be done in the selected mailbox when it is somebody else's, and what they have seen.
    pub(crate) async fn look_at_rights(&mut self) -> Result<(), Fault> {
        let account = self.account()?;
        let Some(selected) = self.selected.as_deref() else { return Ok(()) };
        if selected.owner == account {
            return Ok(());
        }
        let (owner, mailbox) = (selected.owner, selected.row.id);
        let store = self.server.store.clone();
        let access = access(&store, owner, mailbox, account).await?;
        if !access.rights.has(Rights::READ) {
            let there = store.mailbox(owner, mailbox).await?.is_some();
            return Err(if there { Lost::RightsWithdrawn } else { Lost::MailboxDeleted }.into());
        }
        let reading = match access.person {
            Some(person) => Some(store.person_seen(owner, mailbox, person).await?),
            None => None,
        };
        let selected = self.selected()?;
        selected.reading = reading;
        let changed = selected.access != access;
        selected.access = access;
        if changed {
            // RFC 4314 §5.1.1: FLAGS and PERMANENTFLAGS are told anew.
            selected.keywords_told = usize::MAX;
        }
        Ok(())
    }

    /// Messages of the selected mailbox, as the reader sees them.
    pub(crate) async fn rows_of(&mut self, uids: &[Uid]) -> Result<Vec<MessageRow>, Fault> {
        let key = self.key()?;
        let mut rows = self.server.store.messages_of(key.0, key.1, uids).await?;
        self.overlay(&mut rows)?;
        Ok(rows)
    }

    /// Shows rows of the selected mailbox as the reader sees them.
    pub(crate) fn overlay(&mut self, rows: &mut [MessageRow]) -> Result<(), Fault> {
        if let Some(reading) = &self.selected()?.reading {
            reading.overlay(rows);
        }
        Ok(())
    }

    /// What the reader alone changed in the selected mailbox after a MODSEQ: UIDs, or `None` when any may be among them.
    pub(crate) fn own_changes_since(&mut self, since: ModSeq) -> Result<Option<Vec<Uid>>, Fault> {
        Ok(match &self.selected()?.reading {
            None => Some(Vec::new()),
            Some(reading) => reading.changed_since(since).map(|all| all.iter().map(|(_, uid)| *uid).collect()),
        })
    }

    /// The selected mailbox, as the store takes it for transfers.
    pub(crate) fn end(&mut self) -> Result<End, Fault> {
        let selected = self.selected()?;
        Ok(End { owner: selected.owner, mailbox: selected.row.id, by: selected.access.by() })
    }
}

/// A right is missing: what is said to who may see the mailbox, and to who may not (RFC 4314 §6, RFC 5530).
pub(crate) fn refusal(rights: Rights) -> Answer {
    if rights.has(Rights::LOOKUP) { no_right() } else { Answer::of(&StorageError::NoSuchMailbox) }
}

/// The answer to who sees a mailbox and lacks the right.
pub(crate) fn no_right() -> Answer {
    Answer::no(Code::NoPerm, "You have no right to do that in this mailbox")
}
