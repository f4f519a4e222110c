//! What somebody may do in a mailbox, by the lists of rights as they are now (RFC 4314).
//!
//! One's own mailboxes cost nothing: their owner has every right, and no list is read. The rules are `routing::sharing`'s.

use mail::{AccountId, MailboxId};
use routing::objects::{ListObject, SeenState};
use routing::sharing::{archive_access, archive_asks_for_members};
use routing::{Acl, Rights, rights_of, seen_of};

use super::by::{By, FlagMask};
use crate::Store;
use crate::error::StorageError;
use crate::rows::MemberState;

/// What somebody may do in a mailbox, and whose `\Seen` they see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MailboxAccess {
    /// What they may do.
    pub rights: Rights,
    /// They see their own.
    pub person: Option<AccountId>,
}

impl MailboxAccess {
    /// An owner's.
    pub const OWNER: Self = Self { rights: Rights::ALL, person: None };

    /// How far they may change flags.
    #[must_use]
    pub fn by(self) -> By {
        By { mask: FlagMask::of(self.rights), person: self.person }
    }

    /// RFC 4314 §5.2: what makes a mailbox read-write is the right to insert, to expunge, or to change flags that all see.
    #[must_use]
    pub fn is_read_only(self) -> bool {
        // `n` counts as a shared flag right (RFC 5257 §3.4).
        let flags = Rights::WRITE.with(Rights::DELETE).with(Rights::ANNOTATE);
        let shared = if self.person.is_some() { flags } else { flags.with(Rights::SEEN) };
        !self.rights.any_of(shared.with(Rights::INSERT).with(Rights::EXPUNGE))
    }
}

/// What somebody may do in a mailbox.
///
/// # Errors
/// When reading fails.
pub async fn access(
    store: &Store,
    owner: AccountId,
    mailbox: MailboxId,
    who: AccountId,
) -> Result<MailboxAccess, StorageError> {
    if owner == who {
        return Ok(MailboxAccess::OWNER);
    }
    let list = store.directory().list_by_id(owner).cloned();
    match list {
        Some(list) => archive(store, &list, who).await,
        None => Ok(weigh(store, owner, &store.acl(owner, mailbox).await?, who)),
    }
}

/// What somebody may do in the archive of a mailing list.
///
/// # Errors
/// When reading fails.
pub async fn archive(store: &Store, list: &ListObject, who: AccountId) -> Result<MailboxAccess, StorageError> {
    let account = store.directory().account_by_id(who).cloned();
    let Some(account) = account else { return Ok(MailboxAccess { rights: Rights::NONE, person: None }) };
    let mut member = false;
    if archive_asks_for_members(list, &account) {
        for address in account.addresses() {
            let row = store.member(list.id, &address).await?;
            member |= row.is_some_and(|row| row.state != MemberState::Pending);
        }
    }
    let rights = archive_access(&store.directory(), list, &account, member).rights;
    Ok(MailboxAccess { rights, person: None })
}

/// As [`access`], when who may do what is known.
#[must_use]
pub fn weigh(store: &Store, owner: AccountId, acl: &Acl, who: AccountId) -> MailboxAccess {
    let directory = store.directory();
    let personal = seen_of(&directory, owner, acl, who) == SeenState::PerPerson;
    MailboxAccess { rights: rights_of(&directory, owner, acl, who).rights, person: personal.then_some(who) }
}
