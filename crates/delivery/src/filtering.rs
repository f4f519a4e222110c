//! The filters of the accounts that get a message: decided before the transaction, from what the scanner has read of it, and
//! applied in it (`storage::filing`).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use filter::{Decision, FilterSet, MessageView, Outcome, Place};
use mail::AccountId;
use message::RecordView;
use routing::objects::AccountObject;
use storage::Store;
use storage::filing::{Filed, decided};

use crate::limits::{TRACE_FILTER_CHARS_MAX, TRACE_FILTERS_MAX, TRACE_LEFT_OUT_MAX};

/// What the filters of one account decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfAccount {
    pub(crate) outcome: Outcome,
    /// The filters that act, in words: as many as a trace tells of.
    pub(crate) acts: Vec<String>,
    /// Whose filters.
    pub(crate) owner: Arc<AccountObject>,
}

/// What filters did with a message and could not do, in words for its trace: [`TRACE_FILTERS_MAX`] that act and
/// [`TRACE_LEFT_OUT_MAX`] things left out, each cut at [`TRACE_FILTER_CHARS_MAX`] characters.
#[must_use]
pub fn filters_told(decision: &Decision, filed: &Filed) -> Vec<String> {
    acts_told(decision).into_iter().chain(left_out_told(filed)).collect()
}

fn acts_told(decision: &Decision) -> Vec<String> {
    decision.acts().take(TRACE_FILTERS_MAX).map(cut).collect()
}

/// What could not be done, in words for a trace.
pub(crate) fn left_out_told(filed: &Filed) -> impl Iterator<Item = String> {
    let more = filed.left_out.len().saturating_sub(TRACE_LEFT_OUT_MAX);
    let rest = (more > 0).then(|| format!("{more} things more could not be done"));
    filed.left_out.iter().take(TRACE_LEFT_OUT_MAX).cloned().map(cut).chain(rest)
}

fn cut(text: String) -> String {
    match text.char_indices().nth(TRACE_FILTER_CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    }
}

/// What filters decide, by account; only of accounts that have some.
pub(crate) type Filtered = BTreeMap<AccountId, OfAccount>;

/// Decides for each account that has filters for a place. The message is looked at once, and not at all when nobody has.
pub(crate) async fn decisions(
    store: &Store,
    accounts: impl Iterator<Item = AccountId>,
    place: Place,
    view: impl FnOnce() -> MessageView,
) -> Filtered {
    let acting: Vec<(Arc<AccountObject>, Arc<FilterSet>)> = {
        let directory = store.directory();
        let of = |id| Some((directory.account_by_id(id)?.clone(), directory.acting_filters(id, place)?.clone()));
        accounts.filter_map(of).collect()
    };
    let mut filtered = Filtered::new();
    if acting.is_empty() {
        return filtered;
    }
    let view = Arc::new(view());
    for (owner, set) in acting {
        let decision = decided(&set, &view, place).await;
        let acts = acts_told(&decision);
        filtered.insert(owner.id, OfAccount { outcome: decision.outcome, acts, owner });
    }
    filtered
}

/// A message whose header and record are at hand, as filters see it.
pub(crate) fn view_with(header: &[u8], record: Option<&Bytes>, octets: u64) -> MessageView {
    let attachment = record.and_then(|record| RecordView::new(record).ok()).is_some_and(|view| view.has_attachment());
    MessageView::new(header, attachment, octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use filter::{Actions, Filter, decide};

    #[test]
    fn i03_a_trace_tells_of_so_many_filters_and_no_more() {
        let actions = Actions { copies: vec!["é".repeat(250), "b".repeat(500)], ..Actions::default() };
        let filter = |n: usize| Filter {
            conditions: vec!["size larger 0".parse().unwrap()],
            actions: actions.clone(),
            ..Filter::new(n.to_string())
        };
        let filters: Vec<Filter> = (0..2 * TRACE_FILTERS_MAX).map(filter).collect();
        let left_out = (0..2 * TRACE_LEFT_OUT_MAX).map(|n| format!("{n}{}", "x".repeat(400))).collect();
        let filed = Filed { left_out, ..Filed::default() };
        let mut told = filters_told(&decide(&filters, &view_with(b"", None, 1), Place::Inbox), &filed);
        assert_eq!(told.pop().unwrap(), format!("{TRACE_LEFT_OUT_MAX} things more could not be done"));
        assert_eq!(told.len(), TRACE_FILTERS_MAX + TRACE_LEFT_OUT_MAX);
        assert!(told.iter().all(|text| text.chars().count() == TRACE_FILTER_CHARS_MAX + 1), "{told:?}");
    }
}
