//! What filters decide, where it does not hold up others.

use std::sync::Arc;

use filter::{Decision, FilterSet, MessageView, Place, compares, decide};

use crate::limits::COMPARED_AT_ONCE_OCTETS;

/// What filters decide for a message that would go to a place. When there is much to compare, on a thread for work that takes
/// long: two thousand conditions on a header full of addresses are a tenth of a second.
pub async fn decided(set: &Arc<FilterSet>, message: &Arc<MessageView>, place: Place) -> Decision {
    // A message may be for a thousand people.
    tokio::task::consume_budget().await;
    if compares(&set.filters, message) > COMPARED_AT_ONCE_OCTETS {
        let (filters, view) = (Arc::clone(set), Arc::clone(message));
        let apart = tokio::task::spawn_blocking(move || decide(&filters.filters, &view, place)).await;
        if let Ok(decision) = apart {
            return decision;
        }
        // The pool takes no more work since the server ends: what has begun is brought to its end here.
    }
    decide(&set.filters, message, place)
}
