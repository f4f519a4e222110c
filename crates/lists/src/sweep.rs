//! What time does: waiting messages expire, requests lapse, decisions and counts are forgotten.

use bus::TakeError;
use mail::{AccountId, Timestamp, Uid};
use storage::StorageError;
use storage::messages::ExpungeScope;
use storage::rows::{MemberState, RequestKind, WaitingRow};

use crate::Lists;
use crate::acts::{Acts, Draft};
use crate::bounces::day;
use crate::budget::{Allowance, LetterKind};
use crate::limits::SWEEP_ROWS;
use crate::place::Place;
use crate::text::Words;

impl Lists {
    /// Does what time does, everywhere. Returns how many rows went.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep(&self) -> Result<usize, StorageError> {
        let places: Vec<Place> = {
            let directory = self.store.directory();
            let lists = directory.lists().cloned().map(Place::List);
            // Those too that are moderated no more: what waits there since before still does.
            lists.chain(directory.groups().cloned().map(Place::Group)).collect()
        };
        let mut swept = 0_usize;
        for place in places {
            swept = swept.saturating_add(self.sweep_waiting(&place).await?);
            swept = swept.saturating_add(self.sweep_requests(place.part()).await?);
            let (part, today) = (place.part(), day(self.store.now()));
            while self.store.transact(move |tx| tx.drop_letters_before(part, today)).await?.value {}
        }
        Ok(swept)
    }

    async fn sweep_waiting(&self, place: &Place) -> Result<usize, StorageError> {
        let (part, now) = (place.part(), self.store.now());
        let (mut after, mut swept) = (Uid(0), 0_usize);
        loop {
            let page = self.store.waiting_after(part, after, SWEEP_ROWS).await?;
            let Some((last, _)) = page.last() else { return Ok(swept) };
            after = *last;
            for (uid, row) in page.into_iter().filter(|(_, row)| row.expires < now) {
                match self.expire(place, uid, row).await {
                    Ok(()) => swept = swept.saturating_add(1),
                    Err(error) => {
                        tracing::warn!(list = %place.address(), uid = uid.0, %error, "a waiting message stays")
                    }
                }
            }
        }
    }

    /// A message on which nobody has decided is refused; a decided one is forgotten.
    async fn expire(&self, place: &Place, uid: Uid, row: WaitingRow) -> Result<(), TakeError> {
        let (part, now) = (place.part(), self.store.now());
        let mut acts = Acts::default();
        if row.decision.is_none() {
            acts.tells(format!("{}: refused: nobody decided within {} days", row.address, place.waiting_days()));
        }
        if row.decision.is_none()
            && !row.automatic
            && let Some(author) = Self::answerable(&row.reverse_path, row.account, row.author.as_ref())
        {
            let words = Words::Expired { subject: &row.subject, days: place.waiting_days() };
            let allowances = Allowance::to_writer(LetterKind::Refused, &author, row.account.is_some());
            let draft = Draft { require_tls: row.require_tls, ..Draft::new(&author, words) };
            acts.counted(allowances, self.draft(place, draft).await?);
        }
        let spent = self
            .store
            .transact(move |tx| {
                // Decided or prolonged meanwhile: it is not for us any more.
                if tx.waiting(part, uid)?.as_ref() != Some(&row) {
                    return Ok(Vec::new());
                }
                tx.remove_waiting(part, uid);
                if row.decision.is_none()
                    && let Some(inbox) = tx.mailbox_named(part, "INBOX")?
                    && tx.message_row(part, inbox, uid)?.is_some()
                {
                    tx.expunge(part, inbox, &[uid], ExpungeScope::All, now)?;
                }
                acts.apply(tx, part, row.trace, now).map(|applied| applied.spent)
            })
            .await?;
        self.tell_spent(part, &spent.value).await;
        Ok(())
    }

    async fn sweep_requests(&self, part: AccountId) -> Result<usize, StorageError> {
        let now: Timestamp = self.store.now();
        let (mut after, mut swept) = (0, 0_usize);
        loop {
            let page = self.store.list_requests(part, after, SWEEP_ROWS).await?;
            let Some((last, _)) = page.last() else { return Ok(swept) };
            after = *last;
            for (number, request) in page.into_iter().filter(|(_, request)| request.expires < now) {
                self.store
                    .transact(move |tx| {
                        tx.take_list_request(part, number)?;
                        // A pending member on whom nobody has decided is none.
                        let pending = tx.member(part, &request.address)?;
                        if request.kind == RequestKind::Approval
                            && pending.is_some_and(|member| member.state == MemberState::Pending)
                        {
                            tx.remove_member(part, &request.address)?;
                        }
                        Ok(())
                    })
                    .await?;
                swept = swept.saturating_add(1);
            }
        }
    }
}
