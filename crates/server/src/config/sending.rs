//! What is sent of the server's own accord, and whom webhooks reach.

use delivery::{Blocks, SuppressionSettings};
use mail::Domain;
use serde::{Deserialize, Serialize};

/// The suppression list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Suppression {
    pub(crate) blocks: SuppressionBlocks,
    /// 0: none is entered.
    pub(crate) hard_bounce_days: u32,
    /// 0: none is entered.
    pub(crate) complaint_days: u32,
    pub(crate) complaints_from: Vec<Domain>,
}

/// What the list keeps from leaving.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SuppressionBlocks {
    Nothing,
    Automatic,
    All,
}

impl Default for Suppression {
    fn default() -> Self {
        Self {
            blocks: SuppressionBlocks::Automatic,
            hard_bounce_days: 30,
            complaint_days: 365,
            complaints_from: Vec::new(),
        }
    }
}

impl Suppression {
    pub(crate) fn settings(&self) -> SuppressionSettings {
        SuppressionSettings {
            blocks: match self.blocks {
                SuppressionBlocks::Nothing => Blocks::Nothing,
                SuppressionBlocks::Automatic => Blocks::Automatic,
                SuppressionBlocks::All => Blocks::All,
            },
            hard_bounce_days: self.hard_bounce_days,
            complaint_days: self.complaint_days,
            complaints_from: self.complaints_from.clone(),
        }
    }
}

/// Webhooks.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Webhooks {
    /// Whether hooks may be at addresses that are not of the public Internet, and without TLS.
    pub(crate) allow_private: bool,
}
