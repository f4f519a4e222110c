//! The mailbox in which a subaddress puts a message (RFC 5233): `alice+bills@` and alice's mailbox `bills`.
//!
//! The name is a stranger's choice, so it reaches little: a mailbox at the first level without a special use, found
//! without regard to case, or made while the account has few.

use mail::{AccountId, MailboxId, Timestamp};

use crate::engine::Order;
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::limits::{MAILBOXES_MAX, SUBADDRESS_MAILBOXES_MAX};
use crate::mailboxes::{DELIMITER, normalised_name};
use crate::rows::MailboxRow;
use crate::transaction::Transaction;

impl Transaction<'_> {
    /// The mailbox that a subaddress names, made when it is not there and `create` says so. `None`: none, use INBOX.
    ///
    /// # Errors
    /// When reading fails.
    pub fn subaddress_mailbox(
        &mut self,
        account: AccountId,
        detail: &str,
        create: bool,
        now: Timestamp,
    ) -> Result<Option<MailboxId>, StorageError> {
        let Some(name) = mailbox_name(detail) else { return Ok(None) };
        let allowed = |row: &MailboxRow| row.special_use.is_none();
        if let Some(id) = self.mailbox_named(account, &name)? {
            return Ok(Some(self.mailbox_row(account, id)?).filter(allowed).map(|row| row.id));
        }
        let folded = name.to_lowercase();
        let rows = self.scan(&Key::of(Table::Mailbox, account).range(), Order::Ascending, MAILBOXES_MAX)?;
        for (_, value) in &rows {
            let row = MailboxRow::decode(value)?;
            if row.name.to_lowercase() == folded {
                return Ok(Some(row).filter(allowed).map(|row| row.id));
            }
        }
        if !create || rows.len() >= SUBADDRESS_MAILBOXES_MAX {
            return Ok(None);
        }
        let made = self.create_mailbox_row(account, &name, None, now)?;
        self.subscribe(account, &name)?;
        Ok(Some(made.id))
    }
}

/// The name of a mailbox at the first level that a detail can stand for.
fn mailbox_name(detail: &str) -> Option<String> {
    let name = normalised_name(detail).ok()?;
    let plain =
        !name.contains([DELIMITER, '\\', '"']) && !name.starts_with(['.', '#', '~', ' ']) && !name.ends_with(' ');
    (plain && !name.eq_ignore_ascii_case("INBOX")).then_some(name)
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
