//! The copies of what was sent, which mail programs keep by APPEND: the filters of the mailbox's owner that look at Sent act
//! on them, as on those that the server keeps itself.

use filter::Place;
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
    // The message is kept in any case: what it lacks is told to who looks after the server.
    match store.file_stored(target.owner, target.row.id, &uids, &set, Place::Sent).await {
        Ok(filed) => filed.left_out.iter().for_each(|left_out| {
            tracing::info!(account = %target.owner, left_out, "filters have not done all with what was put into Sent");
        }),
        Err(error) => {
            tracing::warn!(account = %target.owner, %error, "filters have not acted on what was put into Sent");
        }
    }
}
