//! The consumer of [`Topic::MessageJudged`]: what people say is spam or ham is learnt, for them and for the site.
//!
//! A spam filter that has never seen ham takes all mail for spam, and hardly anybody marks ham. So with each message that
//! an account calls spam, one that its owner has read and left in INBOX is learnt as ham, until there are as many of one as of
//! the other. What a person says later goes before that.

use bus::{Consumer, TakeError};
use mail::{AccountId, BlobHash, Topic};
use storage::rows::EventRow;
use storage::spam::{Judged, Lesson, SITE};
use storage::{StorageError, Store};
use world::BoxFuture;

/// Learns.
pub(super) struct Learner {
    pub(super) store: Store,
    /// Whether the site learns from accounts.
    pub(super) shared: bool,
}

/// Messages of INBOX that are learnt as ham with one judgement.
const HAM_AT_ONCE_MAX: usize = 100;

/// Of so many messages an account learns without anybody's word.
const HAM_BY_ITSELF_MAX: u32 = 200;

impl Consumer for Learner {
    fn take<'a>(&'a self, event: &'a EventRow) -> BoxFuture<'a, Result<(), TakeError>> {
        Box::pin(async move {
            let judged = Judged::decode(&event.payload).map_err(|error| TakeError::Permanent(error.to_string()))?;
            for blob in &judged.messages {
                self.learn(judged.account, BlobHash(*blob), judged.spam, true, event.number).await?;
            }
            if judged.spam {
                self.learn_ham(judged.account, event.number).await?;
            }
            self.store.sweep_spam_tokens(judged.account).await?;
            self.store.sweep_spam_tokens(SITE).await?;
            let number = event.number;
            self.store.transact(move |tx| tx.finish_event(Topic::MessageJudged, number)).await?;
            Ok(())
        })
    }
}

impl Learner {
    /// Learns a message, unless it is gone.
    async fn learn(
        &self,
        account: AccountId,
        blob: BlobHash,
        spam: bool,
        by_hand: bool,
        number: u64,
    ) -> Result<bool, StorageError> {
        let Some(content) = self.store.spam_content(&blob).await? else { return Ok(false) };
        let said_at = by_hand.then(|| self.store.now());
        let lesson = Lesson::of(blob, &content, spam);
        let lesson = Lesson { by_hand, number: Some(number), shared: self.shared, said_at, ..lesson };
        self.store.learn(account, lesson).await
    }

    async fn learn_ham(&self, account: AccountId, number: u64) -> Result<(), StorageError> {
        for _ in 0..HAM_AT_ONCE_MAX {
            let totals = self.store.spam_totals(account).await?;
            if totals.ham >= totals.spam.min(HAM_BY_ITSELF_MAX) {
                return Ok(());
            }
            let Some(blob) = self.store.spam_ham_at_hand(account).await? else { return Ok(()) };
            if self.store.spam_content(&blob).await?.is_none() {
                return Ok(());
            }
            self.learn(account, blob, false, false, number).await?;
        }
        Ok(())
    }
}
