//! What would happen to a message.

use mail::Reply;
use routing::Resolution;
use serde::{Deserialize, Serialize};

use super::FilterVerdicts;

/// What would happen to a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The sender.
    pub from: String,
    /// The routing tree, with its verdict.
    pub resolution: Resolution,
    /// The tree in words, a line for each step.
    pub text: String,
    /// What each responder on the way would do, and why.
    pub responders: Vec<String>,
    /// What the filters of each mailbox on the way would do, and why; of so many mailboxes at the most.
    #[serde(default)]
    pub filters: Vec<FilterVerdicts>,
    /// The reply to a sender whose message is refused.
    #[serde(default)]
    pub reply: Option<Reply>,
}
