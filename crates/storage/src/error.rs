//! What goes wrong in the store.

/// Why an operation was not done. Nothing of it is on disk.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StorageError {
    /// No such account.
    #[error("there is no such account")]
    NoSuchAccount,
    /// No such mailbox.
    #[error("there is no such mailbox")]
    NoSuchMailbox,
    /// The name is taken.
    #[error("a mailbox of that name exists already")]
    MailboxExists,
    /// The name breaks a rule, which is told.
    #[error("the mailbox name is not allowed: {0}")]
    BadMailboxName(&'static str),
    /// INBOX can't be deleted, a mailbox can't be moved into itself, …
    #[error("not allowed: {0}")]
    NotAllowed(&'static str),
    /// The object to add exists already.
    #[error("{0} exists already")]
    ObjectExists(String),
    /// The object does not exist.
    #[error("there is no {0}")]
    NoSuchObject(String),
    /// The account's quota would be passed.
    #[error("the account's quota is used up")]
    OverQuota,
    /// A limit of [`crate::limits`] would be passed; it is named.
    #[error("too many {0}")]
    LimitReached(&'static str),
    /// The message is no longer there.
    #[error("the message is no longer there")]
    Expunged,
    /// Not enough free space on the disk to take more.
    #[error("the disk is full")]
    DiskFull,
    /// Reading, writing or syncing failed.
    #[error("storage failed: {0}")]
    Io(String),
    /// A row can't be what it is. The server stops trusting the store: `relais check` tells more.
    #[error("the store is damaged: {0}")]
    Corrupt(String),
    /// Another process has the store open.
    #[error("the store is in use by another process")]
    Locked,
    /// A newer version of the program wrote it.
    #[error("the store was written by a newer version (format {found}, this version knows up to {known})")]
    Newer {
        /// Its format number.
        found: u32,
        /// The highest known here.
        known: u32,
    },
    /// The server is shutting down.
    #[error("the store is closing")]
    Closed,
}

impl StorageError {
    /// Whether trying the same again later can succeed. Unknown is temporary.
    #[must_use]
    pub fn is_temporary(&self) -> bool {
        matches!(self, Self::OverQuota | Self::DiskFull | Self::Io(_) | Self::Corrupt(_) | Self::Locked | Self::Closed)
    }

    /// A corrupt row, by what it is.
    pub(crate) fn corrupt(what: impl Into<String>) -> Self {
        Self::Corrupt(what.into())
    }
}
