//! How mail on its way to other servers is protected.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// Whether TLSA records count.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Dane {
    /// Where the name servers let DNSSEC be validated.
    Auto,
    /// Always.
    On,
    /// Never.
    Off,
}

/// DANE and MTA-STS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct QueueTls {
    pub(crate) dane: Dane,
    pub(crate) mta_sts: bool,
    /// Empty: the authorities that browsers trust, and no others.
    pub(crate) ca_file: PathBuf,
    /// Empty: the keys of the root of the DNS.
    pub(crate) trust_anchor_file: PathBuf,
}

impl Default for QueueTls {
    fn default() -> Self {
        Self { dane: Dane::Auto, mta_sts: true, ca_file: PathBuf::new(), trust_anchor_file: PathBuf::new() }
    }
}
