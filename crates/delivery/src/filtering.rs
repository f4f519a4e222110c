//! The filters of the accounts that get a message: decided before the transaction, from what the scanner has read of it, and
//! applied in it (`storage::filing`).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use filter::{Decision, FilterSet, MessageView, Outcome, Place, decide};
use mail::AccountId;
use message::RecordView;
use routing::Directory;
use routing::objects::QuotaLimits;

use crate::limits::{TRACE_FILTER_CHARS_MAX, TRACE_FILTERS_MAX};

/// What the filters of one account decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfAccount {
    pub(crate) outcome: Outcome,
    /// The filters that act, in words: as many as a trace tells of.
    pub(crate) acts: Vec<String>,
    pub(crate) quota: QuotaLimits,
}

/// The filters that act, in words for a trace: [`TRACE_FILTERS_MAX`] of them, cut at [`TRACE_FILTER_CHARS_MAX`] characters.
pub(crate) fn told(decision: &Decision) -> Vec<String> {
    let cut = |text: String| match text.char_indices().nth(TRACE_FILTER_CHARS_MAX) {
        Some((at, _)) => format!("{}…", text.get(..at).unwrap_or_default()),
        None => text,
    };
    decision.acts().take(TRACE_FILTERS_MAX).map(cut).collect()
}

/// What filters decide, by account; only of accounts that have some.
pub(crate) type Filtered = BTreeMap<AccountId, OfAccount>;

/// Decides for each account that has filters for a place. The message is looked at once, and not at all when nobody has.
pub(crate) fn decisions(
    directory: &Directory,
    accounts: impl Iterator<Item = AccountId>,
    place: Place,
    view: impl FnOnce() -> MessageView,
) -> Filtered {
    let acting = accounts.filter_map(|account| Some((account, directory.acting_filters(account, place)?)));
    let acting: Vec<(AccountId, &Arc<FilterSet>)> = acting.collect();
    if acting.is_empty() {
        return Filtered::new();
    }
    let view = view();
    let quota = |account| directory.account_by_id(account).map(|owner| owner.quota()).unwrap_or_default();
    let of = |(account, set): (AccountId, &Arc<FilterSet>)| {
        let decision = decide(&set.filters, &view, place);
        let acts = told(&decision);
        (account, OfAccount { outcome: decision.outcome, acts, quota: quota(account) })
    };
    acting.into_iter().map(of).collect()
}

/// A message whose header and record are at hand, as filters see it.
pub(crate) fn view_with(header: &[u8], record: Option<&Bytes>, octets: u64) -> MessageView {
    let attachment = record.and_then(|record| RecordView::new(record).ok()).is_some_and(|view| view.has_attachment());
    MessageView::new(header, attachment, octets)
}

#[cfg(test)]
mod tests {
    use super::*;
    use filter::{Actions, Filter};

    #[test]
    fn i03_a_trace_tells_of_so_many_filters_and_no_more() {
        let actions = Actions { copies: vec!["é".repeat(250), "b".repeat(500)], ..Actions::default() };
        let filter = |n: usize| Filter {
            conditions: vec!["size larger 0".parse().unwrap()],
            actions: actions.clone(),
            ..Filter::new(n.to_string())
        };
        let filters: Vec<Filter> = (0..2 * TRACE_FILTERS_MAX).map(filter).collect();
        let told = told(&decide(&filters, &view_with(b"", None, 1), Place::Inbox));
        assert_eq!(told.len(), TRACE_FILTERS_MAX);
        assert!(told.iter().all(|text| text.chars().count() == TRACE_FILTER_CHARS_MAX + 1), "{told:?}");
    }
}
