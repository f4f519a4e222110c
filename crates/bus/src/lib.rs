//! How the parts that have a life of their own learn of each other.
//!
//! Two kinds of topic. **Durable** ones ([`Topic`]) are rows: written by the transaction that caused them, handed to
//! their consumer at least once ([`consume`]), removed by the transaction that stores the consumer's effect, so that
//! effects happen exactly once and survive restarts. **Live** ones ([`Bus::watch_mailbox`],
//! [`Bus::watch_mailbox_list`], [`Bus::watch_accounts`], [`Bus::changes`]) carry no data: a slow reader merges notices and reads
//! the store.
//!
//! The store rings the [`Bus`] after each commit. The disk is the truth and the ring only a doorbell: whoever
//! subscribes first and reads then misses nothing.

mod accounts;
mod changes;
mod consume;
pub mod limits;
mod live;
mod topic;

use std::collections::BTreeSet;
use std::sync::Arc;

use dashmap::DashMap;
use mail::{AccountId, MailboxId, ModSeq, Notice, Topic};
use storage::Doorbell;

pub use accounts::{AccountsWatch, Dirty};
pub use changes::{Changed, Changes};
pub use consume::{Consumer, TakeError, consume};
pub use live::{MailboxListWatch, MailboxWatch};
pub use topic::TopicBell;

/// The bus. Clones share it.
#[derive(Clone, Default)]
pub struct Bus(Arc<Inner>);

#[derive(Default)]
struct Inner {
    message_stored: topic::TopicState,
    queue: topic::TopicState,
    held_message: topic::TopicState,
    member_added: topic::TopicState,
    webhook: topic::TopicState,
    message_judged: topic::TopicState,
    report_received: topic::TopicState,
    directory: topic::TopicState,
    mailboxes: DashMap<(AccountId, MailboxId), live::Weak<ModSeq>>,
    lists: DashMap<AccountId, live::Weak<()>>,
    accounts: accounts::Watchers,
    changes: changes::Gathered,
}

impl Bus {
    /// A bus on which nothing has rung yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The bell of a durable topic. It counts as rung from the start, so that a consumer looks once.
    #[must_use]
    pub fn topic(&self, topic: Topic) -> TopicBell {
        self.state(topic).bell()
    }

    /// A bell for changes of the directory (domains, accounts, aliases, responders).
    #[must_use]
    pub fn directory(&self) -> TopicBell {
        self.0.directory.bell()
    }

    /// Events of a topic that wait for their consumer, as it last counted them.
    #[must_use]
    pub fn backlog(&self, topic: Topic) -> usize {
        self.state(topic).backlog()
    }

    /// Watches a mailbox. Subscribe first, then read.
    #[must_use]
    pub fn watch_mailbox(&self, account: AccountId, mailbox: MailboxId) -> MailboxWatch {
        MailboxWatch::new(self.clone(), (account, mailbox))
    }

    /// Watches the set of mailboxes of an account. Subscribe first, then read.
    #[must_use]
    pub fn watch_mailbox_list(&self, account: AccountId) -> MailboxListWatch {
        MailboxListWatch::new(self.clone(), account)
    }

    /// Gathers which mailboxes change, of all accounts, for one reader: a second call takes over from the first. Begin first,
    /// then read.
    #[must_use]
    pub fn changes(&self) -> Changes {
        Changes::new(self.clone())
    }

    /// Watches all mailboxes of some accounts, and which there are. Subscribe first, then read.
    #[must_use]
    pub fn watch_accounts(&self, accounts: BTreeSet<AccountId>) -> AccountsWatch {
        AccountsWatch::new(self.clone(), accounts)
    }

    /// Mailboxes that somebody watches.
    #[must_use]
    pub fn watched_mailboxes(&self) -> usize {
        self.0.mailboxes.len()
    }

    fn state(&self, topic: Topic) -> &topic::TopicState {
        match topic {
            Topic::MessageStored => &self.0.message_stored,
            Topic::Queue => &self.0.queue,
            Topic::HeldMessage => &self.0.held_message,
            Topic::MemberAdded => &self.0.member_added,
            Topic::Webhook => &self.0.webhook,
            Topic::MessageJudged => &self.0.message_judged,
            Topic::ReportReceived => &self.0.report_received,
        }
    }
}

impl Doorbell for Bus {
    fn ring(&self, notices: &[Notice]) {
        for notice in notices {
            match *notice {
                Notice::Mailbox { account, mailbox, modseq } => {
                    live::ring(&self.0.mailboxes, &(account, mailbox), |latest| *latest = modseq.max(*latest));
                    accounts::ring(&self.0.accounts, account, Some(mailbox));
                    self.0.changes.note((account, mailbox));
                }
                Notice::MailboxList(account) => {
                    live::ring(&self.0.lists, &account, |()| ());
                    accounts::ring(&self.0.accounts, account, None);
                }
                Notice::Topic(topic) => self.state(topic).ring(),
                Notice::Directory => self.0.directory.ring(),
            }
        }
    }
}
