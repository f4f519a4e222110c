//! Responses: functions that append to a byte buffer, one file per area.
//!
//! imap-codec writes what it writes well (status lines, greeting, FLAGS, LIST, LSUB, STATUS, ID, NAMESPACE, ENABLED);
//! ours are CAPABILITY (imap-codec spells `IMAP4REV1`), SEARCH and its kin, VANISHED, extended LIST data and FETCH, which is assembled
//! from stored bytes and literals that the caller streams.
//! Invariant: whatever text is given, what is appended is whole, well-formed response lines (or, in `fetch`, their pieces).

mod acl;
mod code;
mod data;
mod fetch;
mod language;
mod list;
mod metadata;
mod quota;
mod search;
mod status;
mod strings;
#[cfg(test)]
mod tests;
mod uid_batches;
mod urlauth;
mod vanished;

pub use acl::{acl, list_rights, my_rights};
pub use code::Code;
pub use data::{Namespace, StatusData, capability, enabled, exists, expunge, flags, id, namespace, recent, status};
pub use fetch::FetchResponse;
pub use language::language;
pub use list::{ChildInfo, ListAttribute, ListEntry, list, lsub};
pub use metadata::{metadata, metadata_changed};
pub use quota::{QuotaUsage, quota, quota_root};
pub use search::{
    Correlator, EsearchData, Results, Update, begin_thread, comparator, end_thread, esearch, search, sort, update,
    write_number,
};
pub use status::{
    Condition, TextCharset, bye, bye_in, challenge, continuation, greeting, tagged, tagged_in, untagged, untagged_in,
};
pub use strings::{write_literal_header, write_nstring, write_string};
pub use uid_batches::uid_batches;
pub use urlauth::{gen_urlauth, url_fetch};
pub use vanished::vanished;

use imap_codec::ResponseCodec;
use imap_codec::encode::Encoder;
use imap_codec::imap_types::response::Response;

/// Appends what imap-codec makes of a response.
fn encode(out: &mut Vec<u8>, response: &Response<'_>) {
    out.extend_from_slice(&ResponseCodec::default().encode(response).dump());
}
