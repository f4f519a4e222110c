//! The consumer of `MessageStored`: decides, builds, and stores everything in one transaction.

use std::sync::Arc;

use bus::{Bus, Consumer, TakeError, consume};
use delivery::limits::EVENT_HEADER_OCTETS_MAX;
use delivery::{Delivery, Kept, MessageStored, Prepared, Refused};
use mail::{Address, Envelope, Flags, ForwardPath, SpecialUse, SystemFlags, Topic};
use routing::objects::{AccountObject, ResponderKind, ResponderObject};
use routing::responders::{Decision, Facts, LastAnswer, Silence, TimeZone, at_acceptance, decide, owner, zone_of};
use routing::{Asking, Verdict, resolve};
use storage::messages::FlagChange;
use storage::rows::EventRow;
use storage::{StorageError, Store, Transaction};
use tokio_util::sync::CancellationToken;
use world::BoxFuture;

use crate::answer::Answer;
use crate::answered::{last_answer, note_answer, sweep};
use crate::header::ReceivedHeader;
use crate::limits::SWEEP_INTERVAL;
use crate::notice::failure_notice;

/// The responder of one server.
#[derive(Clone)]
pub struct Responder {
    store: Store,
    delivery: Delivery,
}

/// Everything about one event that a decision needs.
#[derive(Clone)]
struct Case {
    event: MessageStored,
    /// `None`: deleted since.
    responder: Option<Arc<ResponderObject>>,
    owner: Option<AccountObject>,
    zone: TimeZone,
    facts: Facts,
    received: ReceivedHeader,
    /// The sender is told that nobody got the message (A6).
    notice: bool,
    /// Where answers are copied (A4), when that address takes mail.
    copy_to: Option<Address>,
}

impl Responder {
    /// A responder that answers through a delivery.
    #[must_use]
    pub fn new(delivery: Delivery) -> Self {
        Self { store: delivery.store().clone(), delivery }
    }

    /// Takes events until told to stop, and sweeps now and then.
    ///
    /// # Errors
    /// When the store can't be read any more.
    pub async fn run(&self, bus: &Bus, stop: CancellationToken) -> Result<(), StorageError> {
        let consuming = consume(bus, &self.store, Topic::MessageStored, self, stop);
        tokio::select! {
            ended = consuming => ended,
            never = self.sweep_forever() => match never {},
        }
    }

    /// Forgets senders whose last answer matters no more. Returns how many.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep(&self) -> Result<usize, StorageError> {
        sweep(&self.store).await
    }

    async fn sweep_forever(&self) -> std::convert::Infallible {
        loop {
            self.store.world().clock.sleep(SWEEP_INTERVAL).await;
            match self.sweep().await {
                Ok(swept) => tracing::debug!(swept, "senders answered long ago forgotten"),
                Err(error) => tracing::warn!(%error, "sweeping answered senders failed"),
            }
        }
    }

    async fn handle(&self, row: &EventRow) -> Result<(), TakeError> {
        let event = MessageStored::decode(&row.payload)
            .map_err(|error| TakeError::Permanent(format!("the event can't be read: {error}")))?;
        let case = Arc::new(self.case(event));
        let mut decision = case.decide(&self.store, None);
        if decision == Decision::Answer {
            // Look first: for most messages of a busy sender no answer has to be built.
            let looked = Arc::clone(&case);
            let last = self.store.transact(move |tx| looked.last(tx)).await?.value;
            decision = case.decide(&self.store, last);
        }
        let answer = if decision == Decision::Answer { Some(self.prepare_answer(&case).await?) } else { None };
        let notice = if case.notice { self.prepare_notice(&case).await? } else { None };
        let (number, store, subject) = (row.number, self.store.clone(), Arc::clone(&case));
        let done = self
            .store
            .transact(move |tx| {
                if !tx.finish_event(Topic::MessageStored, number)? {
                    return Ok(None);
                }
                if let Some(notice) = &notice {
                    notice.apply(tx)?;
                }
                let Some(answer) = &answer else { return Ok(Some(decision)) };
                // Again, at the commit point: a second message of the sender may have been answered meanwhile.
                let last = subject.last(tx)?;
                let decision = subject.decide(&store, last);
                if decision == Decision::Answer {
                    subject.answer(tx, answer, last, store.now())?;
                }
                Ok(Some(decision))
            })
            .await?;
        if let Some(decision) = done.value {
            let event = &case.event;
            tracing::info!(
                responder = event.responder,
                address = %event.address,
                sender = %event.reverse_path,
                failure_notice = case.notice,
                %decision,
                "responder decided"
            );
        }
        Ok(())
    }

    fn case(&self, event: MessageStored) -> Case {
        let directory = self.store.directory();
        let mut received = ReceivedHeader::read(event.header.as_bytes());
        received.marks.cut = event.header.len() >= EVENT_HEADER_OCTETS_MAX && !event.header.ends_with("\r\n\r\n");
        let responder = directory.responder(event.responder).cloned();
        // The facts are about the address at which the event arose, even when its responder is gone.
        let stand_in = || ResponderObject::new(event.address.clone(), ResponderKind::Autoresponder);
        let about = responder.as_deref().cloned().unwrap_or_else(stand_in);
        let facts = Facts::new(
            &directory,
            &about,
            &event.recipient,
            event.reverse_path.clone(),
            event.received_at,
            received.marks.clone(),
        );
        let takes_mail = |address: &Address| {
            let asking = Asking::server(self.store.now());
            let resolution = resolve(&directory, &ForwardPath::Address(address.clone()), &asking);
            !matches!(resolution.verdict, Verdict::Refuse(_))
        };
        // Several responders at one free address: one of them gives the notice.
        let another_tells = || {
            let asking = Asking::from(event.reverse_path.clone(), event.received_at);
            let resolution = resolve(&directory, &ForwardPath::Address(event.recipient.clone()), &asking);
            let plan = at_acceptance(&directory, &resolution, event.received_at);
            plan.events.iter().any(|other| other.failure_notice && other.responder != event.responder)
        };
        let notice = event.failure_notice && !facts.from_nowhere && !another_tells();
        Case {
            zone: zone_of(&directory, &about),
            owner: owner(&directory, &about).cloned(),
            copy_to: about.copy_answers_to.clone().filter(takes_mail),
            notice,
            facts,
            received,
            responder,
            event,
        }
    }

    async fn prepare_answer(&self, case: &Case) -> Result<Prepared, TakeError> {
        let (Some(responder), Some(to)) = (&case.responder, case.event.reverse_path.address()) else {
            return Err(TakeError::Permanent("an answer without responder or sender".to_owned()));
        };
        let mut token = [0; 16];
        self.store.world().chance.fill(&mut token);
        let answer = Answer {
            responder,
            from: &case.event.recipient,
            display_name: case.owner.as_ref().map_or("", |account| &account.display_name),
            to,
            received: &case.received,
            now: self.store.now(),
            zone: &case.zone,
            hostname: &self.delivery.settings().hostname,
            token,
        };
        let content = answer.build();
        let envelope = answer.envelope(&content, case.copy_to.as_ref());
        self.prepare(envelope, &content).await
    }

    async fn prepare_notice(&self, case: &Case) -> Result<Option<Prepared>, TakeError> {
        let mut token = [0; 12];
        self.store.world().chance.fill(&mut token);
        let dsn = failure_notice(&case.event, &self.delivery.settings().hostname, self.store.now(), token);
        match dsn {
            Some(dsn) => Ok(Some(self.prepare(dsn.envelope, &dsn.content).await?)),
            None => Ok(None),
        }
    }

    async fn prepare(&self, envelope: Envelope, content: &[u8]) -> Result<Prepared, TakeError> {
        self.delivery.prepare(envelope, content).await.map_err(|Refused(reply)| {
            if reply.is_permanent() {
                TakeError::Permanent(reply.to_string())
            } else {
                TakeError::Temporary(reply.to_string())
            }
        })
    }
}

impl Case {
    fn decide(&self, store: &Store, last: Option<LastAnswer>) -> Decision {
        match &self.responder {
            Some(responder) => decide(responder, &self.facts, store.now(), &self.zone, last),
            None => Decision::Silent(Silence::Gone),
        }
    }

    fn last(&self, tx: &mut Transaction<'_>) -> Result<Option<LastAnswer>, StorageError> {
        match self.event.reverse_path.address() {
            Some(sender) => last_answer(tx, self.event.responder, sender),
            None => Ok(None),
        }
    }

    /// Writes an answer and all that goes with it.
    fn answer(
        &self,
        tx: &mut Transaction<'_>,
        answer: &Prepared,
        last: Option<LastAnswer>,
        now: mail::Timestamp,
    ) -> Result<(), StorageError> {
        if let Some(sender) = self.event.reverse_path.address() {
            note_answer(tx, self.event.responder, sender, LastAnswer::after(last, now));
        }
        answer.apply(tx)?;
        self.file_in_sent(tx, answer)?;
        match &self.event.kept {
            Some(kept) => mark_answered(tx, kept),
            None => Ok(()),
        }
    }

    /// A14: a copy in the owner's Sent mailbox, read already. Who has no Sent mailbox gets none.
    fn file_in_sent(&self, tx: &mut Transaction<'_>, answer: &Prepared) -> Result<(), StorageError> {
        let wanted = self.responder.as_ref().is_some_and(|responder| responder.file_in_sent);
        let Some(owner) = self.owner.as_ref().filter(|_| wanted) else { return Ok(()) };
        let sent = match tx.special_mailbox(owner.id, SpecialUse::Sent)? {
            Some(sent) => Some(sent),
            None => tx.mailbox_named(owner.id, "Sent")?,
        };
        let Some(sent) = sent else {
            tracing::debug!(account = %owner.address, "no Sent mailbox to file the answer in");
            return Ok(());
        };
        answer.store_blob(tx)?;
        tx.deposit(owner.id, sent, &answer.as_message(Flags::system(SystemFlags::SEEN)))?;
        Ok(())
    }
}

/// Sets `\Answered` on the received message, unless it or its mailbox is gone.
fn mark_answered(tx: &mut Transaction<'_>, kept: &Kept) -> Result<(), StorageError> {
    let there = tx.message_row(kept.account, kept.mailbox, kept.uid)?.is_some_and(|row| row.blob == kept.blob);
    match tx.mailbox_row(kept.account, kept.mailbox) {
        Ok(_) if there => {
            let answered = FlagChange::Add(Flags::system(SystemFlags::ANSWERED));
            tx.change_flags(kept.account, kept.mailbox, &[kept.uid], &answered, None)?;
            Ok(())
        }
        Ok(_) | Err(StorageError::NoSuchMailbox) => Ok(()),
        Err(error) => Err(error),
    }
}

impl Consumer for Responder {
    fn take<'a>(&'a self, event: &'a EventRow) -> BoxFuture<'a, Result<(), TakeError>> {
        Box::pin(self.handle(event))
    }
}

#[cfg(test)]
mod tests;
