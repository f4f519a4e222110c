//! The consumer of [`Topic::MemberAdded`]: who was made a member without having asked gets a letter with the way out.

use bus::{Consumer, TakeError};
use delivery::MemberAdded;
use mail::Topic;
use storage::rows::{EventRow, MemberState};
use world::BoxFuture;

use crate::Lists;
use crate::acts::{Acts, Draft};
use crate::budget::Allowance;
use crate::limits::LINK_KEEP;
use crate::place::Place;
use crate::text::Words;
use crate::token::Purpose;

/// Greets members who were added.
pub(crate) struct Greeter<'a>(pub(crate) &'a Lists);

impl Consumer for Greeter<'_> {
    fn take<'a>(&'a self, event: &'a EventRow) -> BoxFuture<'a, Result<(), TakeError>> {
        Box::pin(self.0.greet(event))
    }
}

impl Lists {
    async fn greet(&self, row: &EventRow) -> Result<(), TakeError> {
        let MemberAdded { part, address, bounded } = MemberAdded::decode(&row.payload)
            .map_err(|error| TakeError::Permanent(format!("the event can't be read: {error}")))?;
        let place = Place::of(&self.store.directory(), part);
        let mut acts = Acts::default();
        // Whoever has left since, or whose list is gone, needs no letter.
        if let Some(place @ Place::List(_)) = &place
            && self.store.member(part, &address).await?.is_some_and(|member| member.state == MemberState::Active)
        {
            let manage = self.link(Purpose::Manage, place, 0, &address, LINK_KEEP);
            let words = Words::Welcome { manage: manage.as_deref(), added: true };
            let letter = self.draft(place, Draft::new(&address, words)).await?;
            // Added and removed again and again, nobody's mailbox is filled.
            acts.counted(Allowance::added(&address, bounded), letter);
        }
        let (number, now) = (row.number, self.store.now());
        let done = self
            .store
            .transact(move |tx| {
                if !tx.finish_event(Topic::MemberAdded, number)? {
                    return Ok(Vec::new());
                }
                acts.apply(tx, part, None, now).map(|applied| applied.spent)
            })
            .await?;
        self.tell_spent(part, &done.value).await;
        Ok(())
    }
}
