//! Bounces of members' copies: counted, and too many of them suspend a member, with a letter to the owners and one to the member.

use std::sync::Arc;

use bus::TakeError;
use delivery::{Prepared, span};
use mail::{Address, Timestamp};
use routing::objects::ListObject;
use storage::rows::{MemberRow, MemberState};
use storage::suppressed::SuppressionReason;
use storage::{StorageError, Transaction};

use crate::Lists;
use crate::acts::{Acts, Draft};
use crate::bounces::{self, Report, day};
use crate::consumer::{Case, Keep};
use crate::function::Returned;
use crate::limits::LINK_KEEP;
use crate::place::Place;
use crate::text::Words;
use crate::token::{Purpose, digest};

/// A member behind one more bounce.
pub(crate) fn bounced(member: &MemberRow, report: Report, today: u32, days_max: u32) -> MemberRow {
    let mut after = member.clone();
    bounces::count(&mut after.bounces, report, today);
    if after.state == MemberState::Active && bounces::too_often(after.bounces, days_max) {
        after.state = MemberState::Suspended;
    }
    after
}

/// An address at which nobody is.
struct Dead {
    detail: String,
    now: Timestamp,
    until: Timestamp,
}

impl Dead {
    fn apply(&self, tx: &mut Transaction<'_>, address: &Address) -> Result<(), StorageError> {
        tx.suppress(address, SuppressionReason::HardBounce, &self.detail, self.now, Some(self.until)).map(drop)
    }
}

impl Lists {
    /// A DSN for a member's copy. What is none goes nowhere.
    pub(crate) async fn bounced(
        &self,
        case: &Case,
        list: &Arc<ListObject>,
        returned: Option<Returned>,
    ) -> Result<(), TakeError> {
        let Some(report) = case.incoming.report.filter(|report| *report != Report::Nothing) else {
            return self.drop_case(case, "no report of a failure").await;
        };
        let Some(member) = self.returned_member(list, returned).await? else {
            return self.drop_case(case, "a report about nobody").await;
        };
        let Some(row) = self.store.member(list.id, &member).await? else {
            return self.drop_case(case, "a report about somebody who has left").await;
        };
        let today = day(self.store.now());
        let days_max = list.settings.bounce_days_max;
        let after = bounced(&row, report, today, days_max);
        let suspends = after.state != row.state;
        let tenths = after.bounces.tenths;
        let mut acts = Acts::default();
        let (part, before) = (list.id, row.clone());
        let dead = self.dead(list, &row.address, report);
        acts.change(move |tx| match tx.member(part, &before.address)? {
            Some(now) if now == before => {
                if let Some(dead) = &dead {
                    dead.apply(tx, &before.address)?;
                }
                tx.put_member(part, &after).map(|()| true)
            }
            // Changed meanwhile: decided anew at the next attempt.
            Some(_) => Err(StorageError::NotAllowed("the member changed meanwhile")),
            None => Ok(true),
        });
        if suspends {
            for letter in self.suspension_letters(&case.place, list, &row).await? {
                acts.letter(Some(letter));
            }
        }
        let what = if suspends { "; the member is suspended" } else { "" };
        let words = if report >= Report::Hard { "permanent" } else { "temporary" };
        acts.tells(format!("{}: a {words} failure of {} is counted{what}", list.address, row.address));
        tracing::info!(list = %list.address, member = %row.address, ?report, tenths, suspends, "bounce counted");
        self.end(case.number, &case.event, acts, Keep::Nothing).await
    }

    /// What enters a member at which nobody is in the suppression list. The token in the report's recipient vouches for it: it was
    /// given to the way to this address alone.
    fn dead(&self, list: &ListObject, address: &Address, report: Report) -> Option<Dead> {
        let days = self.delivery.suppression().hard_bounce_days;
        let elsewhere = self.store.directory().domain(address.domain()).is_none();
        let now = self.store.now();
        (report == Report::Nobody && days > 0 && elsewhere).then(|| Dead {
            detail: format!("a report on a post of {} says so", list.address),
            now,
            until: span(now, days),
        })
    }

    async fn returned_member(
        &self,
        list: &ListObject,
        returned: Option<Returned>,
    ) -> Result<Option<Address>, StorageError> {
        match returned {
            None => Ok(None),
            Some(Returned::Member(tag, member)) => {
                Ok(self.tokens.is_bounce_of(list.id, &tag, &member).then_some(member))
            }
            Some(Returned::Digest(tag, wanted)) => {
                let mut after: Option<Address> = None;
                loop {
                    let page = self.store.members_after(list.id, after.as_ref(), 1_000).await?;
                    let Some(last) = page.last() else { return Ok(None) };
                    after = Some(last.address.clone());
                    let found = page.into_iter().map(|row| row.address).find(|address| {
                        digest(&address.canonical()) == wanted && self.tokens.is_bounce_of(list.id, &tag, address)
                    });
                    if found.is_some() {
                        return Ok(found);
                    }
                }
            }
        }
    }

    /// What is written when a member is suspended: to the owners, and to the member once more.
    pub(crate) async fn suspension_letters(
        &self,
        place: &Place,
        list: &ListObject,
        member: &MemberRow,
    ) -> Result<Vec<Prepared>, TakeError> {
        let mut letters = Vec::new();
        for owner in &list.owners {
            letters
                .extend(self.draft(place, Draft::new(owner, Words::SuspendedOwner { member: &member.address })).await?);
        }
        let back = self.link(Purpose::Manage, place, 0, &member.address, LINK_KEEP);
        let draft = Draft {
            language: member.language.as_deref(),
            ..Draft::new(&member.address, Words::Suspended { back: back.as_deref() })
        };
        letters.extend(self.draft(place, draft).await?);
        Ok(letters)
    }
}
