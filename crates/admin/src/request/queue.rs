//! About the queue of outgoing mail.

use mail::{Domain, QueueId};
use serde::{Deserialize, Serialize};

/// Some entries of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueSelection {
    /// These.
    Entries(Vec<QueueId>),
    /// All to one domain.
    Destination(Domain),
    /// All.
    All,
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
    /// Delete them, without a notice to anybody.
    Remove(QueueSelection),
}
