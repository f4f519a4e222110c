//! Outside filters: how they do.

use mail::Timestamp;
use serde::{Deserialize, Serialize};

use crate::error::{AdminError, ErrorKind};
use crate::response::Response;
use crate::settings::Settings;

/// One outside filter, since the server was started.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideFilterView {
    /// Its name.
    pub name: String,
    /// `rspamd` or `milter`.
    pub kind: String,
    /// Where it is asked.
    pub place: String,
    /// It looks at what other servers hand over.
    pub incoming: bool,
    /// It looks at what people here submit.
    pub submitted: bool,
    /// Messages are refused for now when it does not answer.
    pub fail_closed: bool,
    /// Messages that it was asked about.
    pub asked: u64,
    /// Of these, those about which it did not answer.
    pub failed: u64,
    /// What it said last.
    pub answer: Option<OutsideWord>,
    /// How it failed last.
    pub failure: Option<OutsideWord>,
}

/// Something that was said or that happened, and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OutsideWord {
    /// When.
    pub at: Timestamp,
    /// In words.
    pub text: String,
}

/// Tells how they do.
pub(crate) fn execute(settings: &Settings) -> Result<Response, AdminError> {
    let Some(outside) = &settings.outside else {
        let text = "how outside filters do is known by the server that asks them, and none runs";
        return Err(AdminError::new(ErrorKind::Unavailable, text).hint("start it with `relais serve`"));
    };
    Ok(Response::OutsideFilters(outside.status()))
}
