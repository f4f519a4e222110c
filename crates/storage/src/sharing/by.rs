//! A change of flags by somebody who may not change all of them, or who has a `\Seen` of their own (RFC 4314 §4, STORE).

use mail::{AccountId, Flags, MailboxId, ModSeq, SystemFlags, Uid};
use routing::Rights;

use crate::error::StorageError;
use crate::messages::{FlagChange, FlagsChanged};
use crate::transaction::Transaction;

/// The flags that somebody may change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlagMask {
    /// Of the system flags.
    pub system: SystemFlags,
    /// Keywords.
    pub keywords: bool,
}

/// Who changes flags, and how far they may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct By {
    /// Which flags.
    pub mask: FlagMask,
    /// Whose `\Seen` it is, where each reader has their own.
    pub person: Option<AccountId>,
}

impl FlagMask {
    /// Every flag.
    pub const ALL: Self = Self { system: SystemFlags(31), keywords: true };

    /// RFC 4314 §4: `t` is for `\Deleted`, `s` for `\Seen`, `w` for all others.
    #[must_use]
    pub fn of(rights: Rights) -> Self {
        let named = SystemFlags::SEEN.union(SystemFlags::DELETED);
        let mut system = SystemFlags(0);
        for (right, flags) in [
            (Rights::SEEN, SystemFlags::SEEN),
            (Rights::DELETE, SystemFlags::DELETED),
            (Rights::WRITE, Self::ALL.system.without(named)),
        ] {
            if rights.has(right) {
                system = system.union(flags);
            }
        }
        Self { system, keywords: rights.has(Rights::WRITE) }
    }

    /// Those of some flags that may be changed.
    #[must_use]
    pub fn filter(self, flags: Flags) -> Flags {
        Flags {
            system: SystemFlags(flags.system.0 & self.system.0),
            keywords: if self.keywords { flags.keywords } else { Default::default() },
        }
    }

    /// Whether no flag may be changed.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.system.0 == 0 && !self.keywords
    }

    /// The mask without `\Seen`.
    #[must_use]
    pub const fn without_seen(self) -> Self {
        Self { system: self.system.without(SystemFlags::SEEN), keywords: self.keywords }
    }

    const fn has_seen(self) -> bool {
        self.system.contains(SystemFlags::SEEN)
    }
}

impl By {
    /// The owner, in their own mailbox.
    pub const OWNER: Self = Self { mask: FlagMask::ALL, person: None };

    /// Flags that a new message gets: those that may be set, and whether `\Seen` is to be set for the person alone.
    #[must_use]
    pub fn split(&self, flags: Flags) -> (Flags, bool) {
        let mut flags = self.mask.filter(flags);
        if self.person.is_none() {
            return (flags, false);
        }
        let seen = flags.system.contains(SystemFlags::SEEN);
        flags.system = flags.system.without(SystemFlags::SEEN);
        (flags, seen)
    }
}

impl Transaction<'_> {
    /// Changes flags as far as somebody may; see [`crate::Store::change_flags`]. The rows are as that person sees them.
    /// Takes at most two MODSEQs: one for what all see, one for what this person alone sees.
    ///
    /// # Errors
    /// [`StorageError::NoSuchMailbox`], [`StorageError::LimitReached`], or the engine's.
    pub fn change_flags_by(
        &mut self,
        owner: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
        by: By,
    ) -> Result<FlagsChanged, StorageError> {
        let Some(person) = by.person else {
            return self.change_flags_within(owner, mailbox, uids, change, unchanged_since, by.mask);
        };
        let before = self.person_seen(owner, mailbox, person)?;
        let late = |uid: &Uid| unchanged_since.is_some_and(|since| before.modseq_of(*uid) > since);
        let (late, open): (Vec<Uid>, Vec<Uid>) = uids.iter().partition(|uid| late(uid));
        let mask = by.mask.without_seen();
        let mut result = self.change_flags_within(owner, mailbox, &open, change, unchanged_since, mask)?;
        for uid in late {
            if self.message_row(owner, mailbox, uid)?.is_some() {
                result.modified.push(uid);
            }
        }
        result.modified.sort_unstable();
        let (FlagChange::Replace(flags) | FlagChange::Add(flags) | FlagChange::Remove(flags)) = change;
        let named = flags.system.contains(SystemFlags::SEEN);
        let wanted = match change {
            FlagChange::Replace(_) => Some(named),
            FlagChange::Add(_) => named.then_some(true),
            FlagChange::Remove(_) => named.then_some(false),
        };
        for (row, before_all) in result.rows.iter().zip(&mut result.before) {
            *before_all = (*before_all).max(before.modseq_of(row.uid));
        }
        let state = match wanted.filter(|_| by.mask.has_seen()) {
            Some(seen) => {
                let wanted: Vec<(Uid, bool)> = result.rows.iter().map(|row| (row.uid, seen)).collect();
                self.mark_seen(owner, mailbox, person, &wanted)?
            }
            None => before,
        };
        state.overlay(&mut result.rows);
        Ok(result)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_right_is_for_its_flags() {
        let deleted_seen = SystemFlags::SEEN.union(SystemFlags::DELETED);
        for (rights, system, keywords) in [
            ("lrswipkxtea", FlagMask::ALL.system, true),
            ("lrs", SystemFlags::SEEN, false),
            ("t", SystemFlags::DELETED, false),
            ("w", FlagMask::ALL.system.without(deleted_seen), true),
            ("lrip", SystemFlags(0), false),
        ] {
            let mask = FlagMask::of(Rights::parse(rights).unwrap());
            assert_eq!(mask, FlagMask { system, keywords }, "{rights}");
            assert_eq!(mask.is_empty(), system.0 == 0 && !keywords);
        }
    }
}
