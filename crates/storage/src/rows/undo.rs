//! The row of work that takes several transactions: what is to be done when it is cut short.

use bytes::Bytes;
use mail::{AccountId, MailboxId, Uid};
use serde::{Deserialize, Serialize};

use crate::error::StorageError;

/// Work under way.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum UndoRow {
    /// COPY, not at its end yet: the copies go again (RFC 3501 §6.4.7).
    Copy {
        /// Whose mailbox it is.
        account: AccountId,
        /// Where the copies are.
        mailbox: MailboxId,
        /// First and last UID of what each transaction copied.
        copies: Vec<(Uid, Uid)>,
    },
    /// RENAME of INBOX, not at its end yet: the other messages follow (RFC 3501 §6.3.5).
    MoveAll {
        /// Whose mailboxes they are.
        account: AccountId,
        /// INBOX.
        from: MailboxId,
        /// The new mailbox.
        to: MailboxId,
        /// What came later stays: UIDNEXT when it began.
        below: Uid,
    },
}

const VERSION: u8 = 1;

impl UndoRow {
    pub(crate) fn encode(&self) -> Result<Bytes, StorageError> {
        super::encode(VERSION, self)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        super::decode(VERSION, "a row of unfinished work", value)
    }
}
