//! About events that failed too often and were parked.

use mail::Topic;
use serde::{Deserialize, Serialize};

/// A parked event: its topic and its number there, written `message-stored:12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId {
    /// The topic.
    pub topic: Topic,
    /// The number.
    pub number: u64,
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.topic.name(), self.number)
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for EventId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for EventId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (topic, number) = text.split_once(':')?;
            Some(Self { topic: Topic::named(topic)?, number: number.parse().ok()? })
        };
        read().ok_or_else(|| "an event is named like message-stored:12; `relais event list` shows them".to_owned())
    }
}

/// Some parked events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventSelection {
    /// These.
    Events(Vec<EventId>),
    /// All, up to [`crate::limits::EVENTS_MAX`] of each topic.
    All,
}

/// About events that failed too often and were parked: an answer that was not sent, as a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventRequest {
    /// The parked ones.
    List {
        /// At most so many of each topic.
        #[serde(default)]
        limit: Option<usize>,
    },
    /// One, with what it is about.
    Show {
        /// Which.
        id: EventId,
    },
    /// Hand them out again.
    Retry(EventSelection),
    /// Forget them: what they asked for is not done.
    Remove(EventSelection),
}
