//! The filters of the accounts that get a message: decided before the transaction, from what the scanner has read of it, and
//! applied in it (`storage::filing`).

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use filter::{Decision, FilterSet, MessageView, Place, decide};
use mail::AccountId;
use message::RecordView;
use routing::Directory;
use routing::objects::QuotaLimits;

/// What the filters of one account decide.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct OfAccount {
    pub(crate) decision: Decision,
    pub(crate) quota: QuotaLimits,
}

impl OfAccount {
    /// Whether any filter acts.
    pub(crate) fn acts(&self) -> bool {
        self.decision.acts().next().is_some()
    }
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
        (account, OfAccount { decision, quota: quota(account) })
    };
    acting.into_iter().map(of).collect()
}

/// A message whose header and record are at hand, as filters see it.
pub(crate) fn view_with(header: &[u8], record: Option<&Bytes>, octets: u64) -> MessageView {
    let attachment = record.and_then(|record| RecordView::new(record).ok()).is_some_and(|view| view.has_attachment());
    MessageView::new(header, attachment, octets)
}
