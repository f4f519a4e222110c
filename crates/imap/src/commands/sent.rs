//! The copies of what was sent, which mail programs keep by APPEND: the filters of the mailbox's owner that look at Sent act
//! on them, as on those that the server keeps itself.

use filter::{MessageView, Place, decide};
use mail::Uid;
use storage::Store;
use storage::filing::place_of;
use storage::messages::Deposited;

use crate::access::Target;

/// Lets the filters act on what has just been appended, in a transaction of its own: APPENDUID (RFC 4315 §3) names where the
/// client has put it, and what a filter does then is told like what another session does.
pub(super) async fn filter_sent(store: &Store, target: &Target, deposited: &[Deposited]) {
    if place_of(&target.row) != Some(Place::Sent) {
        return;
    }
    let set = store.directory().acting_filters(target.owner, Place::Sent).cloned();
    let Some(set) = set else { return };
    let uids: Vec<Uid> = deposited.iter().map(|deposited| deposited.uid).collect();
    let choose = |message: &MessageView| decide(&set.filters, message, Place::Sent).outcome;
    if let Err(error) = store.file_stored(target.owner, target.row.id, &uids, choose).await {
        // The message is kept: what it lacks is told to who looks after the server.
        tracing::warn!(account = %target.owner, %error, "filters have not acted on what was put into Sent");
    }
}
