//! How much an account may submit in a day: what stops a stolen password.

use serde::{Deserialize, Serialize};

use crate::limits::{FIRST_TIME_PER_DAY, MESSAGES_PER_DAY, RECIPIENTS_PER_DAY};

/// Limits of one account; `None`: as everybody's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SubmissionLimits {
    /// Messages in a day.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<u32>,
    /// Recipients of a day's messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recipients: Option<u32>,
    /// Recipients outside, in a day, that the account has not written to before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_time: Option<u32>,
}

impl SubmissionLimits {
    /// Messages in a day.
    #[must_use]
    pub fn messages_max(&self) -> u32 {
        self.messages.unwrap_or(MESSAGES_PER_DAY)
    }

    /// Recipients of a day's messages.
    #[must_use]
    pub fn recipients_max(&self) -> u32 {
        self.recipients.unwrap_or(RECIPIENTS_PER_DAY)
    }

    /// Recipients outside, in a day, that the account has not written to before.
    #[must_use]
    pub fn first_time_max(&self) -> u32 {
        self.first_time.unwrap_or(FIRST_TIME_PER_DAY)
    }

    pub(crate) fn is_default(&self) -> bool {
        *self == Self::default()
    }
}
