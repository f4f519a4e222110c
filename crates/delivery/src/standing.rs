//! What a message's senders are known for, at its end: the points that it gives, and what is counted of it.

use mail::BlobHash;
use reputation::standing::{Rating, Sender, What};
use sender_auth::verify::{Authentication, Outcome};
use spam::Added;
use storage::trace::Step;
use storage::{StorageError, Transaction};

use crate::Delivery;
use crate::clients::{Introduction, Judged, rating_of, senders_of};
use crate::prepared::Prepared;

/// What is known of who hands a message over and of who sent it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Known {
    /// Whose standing it counts for.
    pub(crate) senders: Vec<Sender>,
    /// What the content filter adds.
    pub(crate) added: Vec<Added>,
    /// What the trace has of it.
    pub(crate) steps: Vec<Step>,
}

impl Known {
    /// Of a message that a client hands over, by what was found out about it.
    pub(crate) async fn of(
        delivery: &Delivery,
        introduction: &Introduction,
        found: Option<&Authentication>,
    ) -> Result<Self, StorageError> {
        let Some(clients) = delivery.clients() else { return Ok(Self::default()) };
        let settings = clients.settings();
        let (store, now) = (delivery.store(), delivery.store().now());
        let senders = match found {
            Some(found) if settings.standing => senders_of(found),
            Some(_) | None => Vec::new(),
        };
        let rated = rating_of(store, &senders, now).await?;
        let rating = match &rated {
            Some((_, rating)) => *rating,
            // Nobody looks at former mail, or could say whose it was.
            None if senders.is_empty() => Rating::New,
            None => Rating::Unknown,
        };
        let judged: Judged = introduction.judged(&store.directory(), rating, settings.standing);
        let mut steps = judged.steps();
        let bad = rated.as_ref().map(|(sender, rating)| (sender, rating.points()));
        if let Some((sender, Rating::Bad(points))) = &rated {
            steps.push(Step::Decided { text: format!("most former mail from {sender} was spam: {points} points") });
        }
        Ok(Self { senders, added: judged.added(bad), steps })
    }
}

impl Prepared {
    /// Counts what becomes of the message for its senders, and notes who they are for when people say something of it.
    pub(crate) fn count_standing(&self, tx: &mut Transaction<'_>) -> Result<(), StorageError> {
        if self.known.senders.is_empty() || self.plan.mailboxes.is_empty() {
            return Ok(());
        }
        let in_spam = self.plan.spam || self.plan.mailboxes.iter().all(|account| self.plan.junk.contains_key(account));
        // What is spam by the standing alone says nothing new of the sender: it would stay bad by itself.
        let by_standing = !self.plan.spam && in_spam && self.plan.junk.values().all(|junk| junk.by_standing);
        if !by_standing {
            let what = if in_spam { What::FoundSpam } else { What::Kept };
            tx.count_standing(&self.known.senders, what, self.now)?;
        }
        let marked = self.marked.as_ref().map(|marked| marked.blob.hash);
        let blobs = std::iter::once(self.blob.hash).chain(marked);
        blobs.into_iter().try_for_each(|blob: BlobHash| tx.note_senders(&blob, &self.known.senders, self.now))
    }
}

/// Counts a message that is refused for what was found out about it. What can't be written is not counted.
pub(crate) async fn count_refused_sender(delivery: &Delivery, found: &Authentication) {
    let standing = delivery.clients().is_some_and(|clients| clients.settings().standing);
    // What the DNS did not answer is nobody's fault.
    let unsure = found.spf.outcome == Outcome::TemporaryError
        || found.dmarc.iter().any(|dmarc| dmarc.outcome == Outcome::TemporaryError);
    if !standing || unsure {
        return;
    }
    let senders = senders_of(found);
    if senders.is_empty() {
        return;
    }
    if let Err(error) = delivery.store().count_standing_lightly(senders, What::Refused).await {
        tracing::debug!(%error, "a refused message is not counted for its sender");
    }
}
