//! Responders and what they would answer.

use mail::{Address, Timestamp};
use routing::objects::ResponderObject;
use routing::responders::{Keeping, Phase};
use serde::{Deserialize, Serialize};

/// A responder, and how it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponderView {
    /// The responder.
    #[serde(flatten)]
    pub responder: ResponderObject,
    /// Where it is in its life.
    pub phase: Phase,
    /// Whether it acts on what comes at this moment, weekly hours included (V4).
    pub acts_now: bool,
    /// The account that it belongs to.
    pub owner: Option<Address>,
    /// The time zone of its window and hours.
    pub zone: String,
    /// Answers given since it last began.
    pub answered: u64,
    /// What is deleted, and while which window, in words; `None`: received messages are kept (A9).
    pub deletes: Option<String>,
    /// What becomes of received messages while it is active (A6, A9).
    pub keeping: Keeping,
    /// The same in words.
    pub received: String,
    /// Where its answers are filed (A14), in words.
    pub filed: String,
}

/// What a responder would answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Its number.
    pub responder: u64,
    /// Whether it would answer now.
    pub answers: bool,
    /// That, and why not, in words.
    pub decision: String,
    /// When it last answered this sender, as far as that is still known.
    #[serde(default)]
    pub answered_at: Option<Timestamp>,
    /// When the sender is answered again, when they were answered too lately.
    #[serde(default)]
    pub next_answer_at: Option<Timestamp>,
    /// From of the answer.
    pub from: Address,
    /// The sender name.
    pub from_name: String,
    /// To of the answer.
    pub to: Address,
    /// Subject.
    pub subject: String,
    /// Plain text; `None`: made from the HTML.
    pub text: Option<String>,
    /// HTML.
    pub html: Option<String>,
}
