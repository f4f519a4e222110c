//! ESEARCH: a search of several mailboxes (RFC 7377).

use super::Search;
use crate::mailbox_name::MailboxName;

/// The ESEARCH command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Multisearch {
    /// Where to search; never empty.
    pub sources: Vec<MailboxFilter>,
    /// What to search. It answers with UIDs, and always has return options.
    pub search: Search,
}

impl Multisearch {
    /// Whether the selected mailbox, and no other, is searched.
    pub fn is_selected_only(&self) -> bool {
        self.sources.iter().all(|source| *source == MailboxFilter::Selected)
    }
}

/// Which mailboxes are meant (RFC 5465 §6 `filter-mailboxes`, RFC 7377 §2.2).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MailboxFilter {
    /// The selected one.
    Selected,
    /// Those that delivery can put mail into.
    Inboxes,
    /// All of the user's own.
    Personal,
    /// Those subscribed to.
    Subscribed,
    /// These and all below them.
    Subtree(Vec<MailboxName>),
    /// These and those one level below.
    SubtreeOne(Vec<MailboxName>),
    /// These.
    Mailboxes(Vec<MailboxName>),
}
