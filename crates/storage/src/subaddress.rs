//! The mailbox in which a subaddress puts a message (RFC 5233): `alice+bills@` and alice's mailbox `bills`.
//!
//! The name is a stranger's choice, so it reaches little: a mailbox at the first level without a special use, found
//! without regard to case, or made while the account has few.

use mail::{AccountId, MailboxId, Timestamp};
use routing::namespace::{OTHER_USERS, SHARED};

use crate::engine::Order;
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::limits::{MAILBOXES_MAX, SUBADDRESS_MAILBOXES_MAX};
use crate::mailboxes::{DELIMITER, normalised_name};
use crate::rows::MailboxRow;
use crate::transaction::Transaction;

/// Why a subaddress has no mailbox, so that the message stays in INBOX.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoSubaddressMailbox {
    /// It is no name for a mailbox of a stranger's choice.
    BadName,
    /// The mailbox has a special use.
    SpecialUse,
    /// There is none, and none is made.
    NotThere,
    /// The account has as many as are made so.
    TooMany,
}

impl std::fmt::Display for NoSubaddressMailbox {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BadName => f.write_str("such a folder is not made for a subaddress"),
            Self::SpecialUse => f.write_str("that folder has a special use"),
            Self::NotThere => f.write_str("there is no such folder"),
            Self::TooMany => {
                write!(f, "the account has {SUBADDRESS_MAILBOXES_MAX} folders already, and no more are made")
            }
        }
    }
}

impl Transaction<'_> {
    /// The mailbox that a subaddress names, made when it is not there and `create` says so. The inner
    /// error says why there is none: use INBOX.
    ///
    /// # Errors
    /// When reading fails.
    pub fn subaddress_mailbox(
        &mut self,
        account: AccountId,
        detail: &str,
        create: bool,
        now: Timestamp,
    ) -> Result<Result<MailboxId, NoSubaddressMailbox>, StorageError> {
        let Some(name) = mailbox_name(detail) else { return Ok(Err(NoSubaddressMailbox::BadName)) };
        let plain = |row: MailboxRow| match row.special_use {
            None => Ok(row.id),
            Some(_) => Err(NoSubaddressMailbox::SpecialUse),
        };
        if let Some(id) = self.mailbox_named(account, &name)? {
            return Ok(plain(self.mailbox_row(account, id)?));
        }
        let folded = name.to_lowercase();
        let rows = self.scan(&Key::of(Table::Mailbox, account).range(), Order::Ascending, MAILBOXES_MAX)?;
        for (_, value) in &rows {
            let row = MailboxRow::decode(value)?;
            if row.name.to_lowercase() == folded {
                return Ok(plain(row));
            }
        }
        if !create {
            return Ok(Err(NoSubaddressMailbox::NotThere));
        }
        if rows.len() >= SUBADDRESS_MAILBOXES_MAX {
            return Ok(Err(NoSubaddressMailbox::TooMany));
        }
        let made = self.create_mailbox_row(account, &name, None, now)?;
        self.subscribe(account, &name)?;
        Ok(Ok(made.id))
    }
}

/// The name of a mailbox at the first level that a detail can stand for.
fn mailbox_name(detail: &str) -> Option<String> {
    let name = normalised_name(detail).ok()?;
    let plain =
        !name.contains([DELIMITER, '\\', '"']) && !name.starts_with(['.', '#', '~', ' ']) && !name.ends_with(' ');
    // Nor what a client takes for INBOX or for the mailboxes of others (RFC 2342).
    let reserved = ["INBOX", OTHER_USERS, SHARED].iter().any(|reserved| name.eq_ignore_ascii_case(reserved));
    (plain && !reserved).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_a_plain_name_or_none() {
        for (detail, name) in [
            ("bills", Some("bills")),
            ("Réf 2026", Some("Réf 2026")),
            ("a/b", None),
            ("inbox", None),
            ("INBOX", None),
            ("shared", None),
            ("Other Users", None),
            ("Shared plans", Some("Shared plans")),
            ("*", None),
            ("..", None),
            ("#news", None),
            ("", None),
            ("a\u{7}", None),
        ] {
            assert_eq!(mailbox_name(detail).as_deref(), name, "{detail:?}");
        }
    }
}
