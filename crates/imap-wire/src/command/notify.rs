//! NOTIFY (RFC 5465).

use super::FetchItem;
use crate::mailbox_name::MailboxName;

/// What a client wants to hear of from now on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notify {
    /// NONE: of nothing.
    None,
    /// SET
    Set {
        /// STATUS: how things stand now is told at once.
        status: bool,
        /// Of what; at least one.
        groups: Vec<EventGroup>,
    },
}

/// Some mailboxes and what is to be told of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventGroup {
    /// Which.
    pub mailboxes: EventMailboxes,
    /// What; nothing for NONE.
    pub events: Events,
}

/// `filter-mailboxes` (RFC 5465 §6).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventMailboxes {
    /// `selected`: the selected mailbox, at once.
    Selected,
    /// `selected-delayed`: the selected mailbox, expunges when a command allows it.
    SelectedDelayed,
    /// `inboxes`: where mail is delivered to.
    Inboxes,
    /// `personal`: one's own.
    Personal,
    /// `subscribed`
    Subscribed,
    /// `subtree`: these and what is below them.
    Subtree(Vec<MailboxName>),
    /// `mailboxes`: these.
    Mailboxes(Vec<MailboxName>),
}

impl EventMailboxes {
    /// Whether it is the selected mailbox.
    pub const fn is_selected(&self) -> bool {
        matches!(self, Self::Selected | Self::SelectedDelayed)
    }
}

/// Events of a group (RFC 5465 §5).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Events {
    /// MessageNew and MessageExpunge, which go together.
    pub messages: bool,
    /// What to FETCH of new messages; for the selected mailbox only.
    pub fetch: Vec<FetchItem>,
    /// FlagChange
    pub flags: bool,
    /// MailboxName
    pub names: bool,
    /// SubscriptionChange
    pub subscriptions: bool,
    /// MailboxMetadataChange
    pub mailbox_metadata: bool,
    /// ServerMetadataChange
    pub server_metadata: bool,
    /// AnnotationChange, or one that no RFC knows.
    pub unsupported: bool,
}
