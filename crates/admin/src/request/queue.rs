//! About the queue of outgoing mail.

use mail::{Address, Domain, QueueId};
use routing::objects::SenderPattern;
use serde::{Deserialize, Serialize};

/// Some entries of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueSelection {
    /// These.
    Entries(Vec<QueueId>),
    /// All to one domain.
    Destination(Domain),
    /// All that have what a filter asks for.
    Matching(Box<QueueFilter>),
    /// All.
    All,
}

/// What entries have to have; everything that is said has to hold.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct QueueFilter {
    /// The domain whose hosts take it.
    #[serde(default)]
    pub destination: Option<Domain>,
    /// The reverse-path, or its domain.
    #[serde(default)]
    pub sender: Option<SenderPattern>,
    /// The null reverse-path: reports and letters of machines.
    #[serde(default)]
    pub null_sender: bool,
    /// A recipient that still waits.
    #[serde(default)]
    pub recipient: Option<Address>,
    /// The domain of a recipient that still waits.
    #[serde(default)]
    pub recipient_domain: Option<Domain>,
    /// Accepted so many seconds ago, or before.
    #[serde(default)]
    pub older_than_secs: Option<u64>,
}

/// About the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueRequest {
    /// A page.
    List {
        /// Behind this entry.
        #[serde(default)]
        after: Option<QueueId>,
        /// At most so many.
        #[serde(default)]
        limit: Option<usize>,
        /// Only what this asks for.
        #[serde(default)]
        filter: Option<Box<QueueFilter>>,
    },
    /// One, with its recipients.
    Show {
        /// Its number.
        id: QueueId,
    },
    /// Do not attempt them until they are resumed.
    Hold(QueueSelection),
    /// End the hold.
    Resume(QueueSelection),
    /// Attempt them now.
    Retry(QueueSelection),
    /// Send them another way.
    Reroute {
        /// Which.
        which: QueueSelection,
        /// The domain whose hosts take them from now on; an address literal is a host itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Domain>,
        /// In its place, the route by which they leave from now on, by its name in the configuration.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        route: Option<String>,
    },
    /// Delete them; their senders get a DSN.
    Cancel(QueueSelection),
    /// Delete them, without a notice to anybody.
    Remove(QueueSelection),
    /// What an account has submitted and can still take back.
    Waiting {
        /// The account.
        by: Address,
    },
    /// Delete what an account has submitted and what has not set out yet; nobody is told.
    TakeBack {
        /// The account.
        by: Address,
        /// Which; each of them has to be waiting, and the account's own.
        entries: Vec<QueueId>,
    },
}
