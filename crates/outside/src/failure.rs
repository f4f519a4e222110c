//! Why a filter did not say anything.

use std::time::Duration;

use crate::milter::codec::Malformed;
use crate::spool::SpoolError;

/// What went wrong with a filter.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no connection: {0}")]
    Connect(String),
    #[error("no answer to {step} within {} s", within.as_secs())]
    TimedOut { step: &'static str, within: Duration },
    #[error("the time for all filters together is over")]
    NoTimeLeft,
    #[error("it closed the connection at {0}")]
    Closed(&'static str),
    #[error("the connection failed at {step}: {reason}")]
    Broken { step: &'static str, reason: String },
    #[error("{0}")]
    Malformed(&'static str),
    #[error("{0}")]
    Http(String),
    #[error("{0}")]
    Spool(#[from] SpoolError),
}

impl From<Malformed> for Failure {
    fn from(Malformed(what): Malformed) -> Self {
        Self::Malformed(what)
    }
}
