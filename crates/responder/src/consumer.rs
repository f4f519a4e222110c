//! The consumer of `MessageStored`: decides, builds, and stores everything in one transaction.

use std::sync::Arc;

use bus::{Bus, Consumer, TakeError, consume};
use delivery::limits::EVENT_HEADER_OCTETS_MAX;
use delivery::{Delivery, Kept, MessageStored, Prepared, Refused, dsn_language};
use mail::{Address, Envelope, Flags, ForwardPath, SpecialUse, SystemFlags, Timestamp, Topic};
use queue::dsn::Language;
use routing::objects::{AccountObject, ResponderKind, ResponderObject};
use routing::responders::{
    Composed, Decision, Facts, LastAnswer, Memory, Occasion, Received, Silence, TimeZone, belongs, capped_sender,
    compose, counted_sender, decide, owner, zone_of,
};
use routing::{Asking, Verdict, resolve};
use storage::messages::FlagChange;
use storage::rows::EventRow;
use storage::{StorageError, Store, Transaction};
use tokio_util::sync::CancellationToken;
use world::BoxFuture;

use crate::answer::Answer;
use crate::answered::{OF_ALL, OF_DOMAIN, sweep};
use crate::header::ReceivedHeader;
use crate::lifetimes::{look, note_answered};
use crate::limits::{LOOK_INTERVAL, SWEEP_INTERVAL};
use crate::notice::failure_notice;
use crate::switch_off::SwitchOffLinks;
use crate::told::{Told, told};

/// The responder of one server.
#[derive(Clone)]
pub struct Responder {
    store: Store,
    delivery: Delivery,
    /// `None`: letters have no link that switches an absence off.
    links: Option<SwitchOffLinks>,
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
    /// Under which address the sender's answers are counted.
    counted: Option<Address>,
    /// Under which those of all responders together are.
    capped: Option<Address>,
    /// Under which those to its whole domain are; `None` when that is one of ours.
    domain: Option<Address>,
    /// The words of an answer.
    words: Composed,
    /// The sender is told that nobody got the message (A6).
    notice: bool,
    /// Where answers are copied (A4), when that address takes mail.
    copy_to: Option<Address>,
    /// The sender, when answers are kept from them once they are on the suppression list.
    suppressible: Option<Address>,
}

impl Responder {
    /// A responder that answers through a delivery.
    #[must_use]
    pub fn new(delivery: Delivery) -> Self {
        Self { store: delivery.store().clone(), delivery, links: None }
    }

    /// The same with links in its letters.
    #[must_use]
    pub fn with_links(mut self, links: SwitchOffLinks) -> Self {
        self.links = Some(links);
        self
    }

    /// Takes events until told to stop, tells of responders that end, and sweeps now and then.
    ///
    /// # Errors
    /// When the store can't be read any more.
    pub async fn run(&self, bus: &Bus, stop: CancellationToken) -> Result<(), StorageError> {
        let consuming = consume(bus, &self.store, Topic::MessageStored, self, stop);
        tokio::select! {
            ended = consuming => ended,
            never = self.sweep_forever() => match never {},
            never = self.look_forever(bus) => match never {},
        }
    }

    /// Brings responders in step with the clock: of an absence that begins, and of what has ended by itself, the owner gets
    /// a letter. Gives the next moment at which there is something to do.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn look(&self) -> Result<Option<Timestamp>, StorageError> {
        look(&self.delivery, self.links.as_ref()).await
    }

    async fn look_forever(&self, bus: &Bus) -> std::convert::Infallible {
        let mut edited = bus.directory();
        loop {
            let next = self.look().await.unwrap_or_else(|error| {
                tracing::warn!(%error, "responders could not be brought in step with the clock");
                None
            });
            let clock = &self.store.world().clock;
            let wait = next.map_or(LOOK_INTERVAL, |next| next.since(clock.now()).clamp(A_SECOND, LOOK_INTERVAL));
            tokio::select! {
                () = edited.rung() => {}
                () = clock.sleep(wait) => {}
            }
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
        let junk = self.is_in_junk(&event).await?;
        let case = Arc::new(self.case(event, junk));
        let mut decision = case.decide(&self.store, &Memory::default());
        let if_contact = Memory { contact: true, ..Memory::default() };
        if decision == Decision::Answer || case.decide(&self.store, &if_contact) == Decision::Answer {
            // Look first: for most messages of a busy sender no answer has to be built.
            let (looked, now) = (Arc::clone(&case), self.store.now());
            let memory = self.store.transact(move |tx| looked.memory(tx, now)).await?.value;
            decision = case.decide(&self.store, &memory);
        }
        let (answer, answer_id) = match decision {
            Decision::Answer => self.prepare_answer(&case).await.map(|(answer, id)| (Some(answer), Some(id)))?,
            Decision::Silent(_) => (None, None),
        };
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
                let Some(answer) = &answer else {
                    let told = subject.told(decision, store.now(), None);
                    told.trace(tx, subject.event.trace)?;
                    return Ok(Some(told));
                };
                // Again, at the commit point: a second message of the sender may have been answered meanwhile.
                let memory = subject.memory(tx, store.now())?;
                let decision = subject.decide(&store, &memory);
                if decision == Decision::Answer {
                    subject.answer(tx, answer, &memory, store.now())?;
                }
                let told = subject.told(decision, store.now(), answer_id.clone());
                told.trace(tx, subject.event.trace)?;
                Ok(Some(told))
            })
            .await?;
        if let Some(decided) = &done.value {
            told(decided);
        }
        Ok(())
    }

    /// Whether the mailbox that kept the message is Junk.
    async fn is_in_junk(&self, event: &MessageStored) -> Result<bool, StorageError> {
        let Some(kept) = &event.kept else { return Ok(false) };
        let mailbox = self.store.mailbox(kept.account, kept.mailbox).await?;
        Ok(mailbox.is_some_and(|row| row.special_use == Some(SpecialUse::Junk)))
    }

    fn case(&self, event: MessageStored, junk: bool) -> Case {
        let directory = self.store.directory();
        let mut received = ReceivedHeader::read(event.header.as_bytes(), self.delivery.results_name());
        received.marks.cut = event.header.len() >= EVENT_HEADER_OCTETS_MAX && !event.header.ends_with("\r\n\r\n");
        let there = |responder: &&Arc<ResponderObject>| belongs(&directory, responder);
        let responder = directory.responder(event.responder).filter(there).cloned();
        // The facts are about the address at which the event arose, even when its responder is gone.
        let stand_in = || ResponderObject::new(event.address.clone(), ResponderKind::Autoresponder);
        let about = responder.as_deref().cloned().unwrap_or_else(stand_in);
        let facts = Facts::new(
            &directory,
            &about,
            Received {
                recipient: &event.recipient,
                reverse_path: event.reverse_path.clone(),
                received_at: event.received_at,
                submitter: event.account,
                junk,
                marks: received.marks.clone(),
            },
        );
        let sender = event.reverse_path.address();
        let words = sender.map(|sender| {
            let occasion = Occasion {
                recipient: &event.recipient,
                sender,
                sender_name: &received.sender_name,
                subject: &received.subject,
                inside: facts.inside,
                now: self.store.now(),
            };
            compose(&directory, &about, &occasion)
        });
        let takes_mail = |address: &Address| {
            let asking = Asking::server(self.store.now());
            let resolution = resolve(&directory, &ForwardPath::Address(address.clone()), &asking);
            !matches!(resolution.verdict, Verdict::Refuse(_))
        };
        // Of several responders at one free address acceptance chose one to give it: what is edited later changes nothing.
        let notice = event.failure_notice && !facts.from_nowhere;
        Case {
            zone: zone_of(&directory, &about),
            owner: owner(&directory, &about).cloned(),
            copy_to: about.copy_answers_to.clone().filter(takes_mail),
            notice,
            counted: sender.map(|sender| counted_sender(&directory, sender)),
            capped: sender.map(|sender| capped_sender(&directory, sender)),
            domain: sender
                .map(Address::domain)
                .filter(|domain| directory.domain(domain).is_none())
                .and_then(|domain| Address::new("postmaster", domain.clone()).ok()),
            words: words.unwrap_or_default(),
            suppressible: sender.filter(|sender| self.delivery.may_keep_answers_from(sender)).cloned(),
            facts,
            received,
            responder,
            event,
        }
    }

    /// The answer, and its Message-ID.
    async fn prepare_answer(&self, case: &Case) -> Result<(Prepared, String), TakeError> {
        let Some(to) = case.event.reverse_path.address() else {
            return Err(TakeError::Permanent("an answer without a sender".to_owned()));
        };
        let mut token = [0; 16];
        self.store.world().chance.fill(&mut token);
        let answer = Answer {
            words: &case.words,
            from: &case.event.recipient,
            to,
            received: &case.received,
            now: self.store.now(),
            zone: &case.zone,
            hostname: &self.delivery.settings().hostname,
            token,
        };
        let content = answer.build();
        let envelope = answer.envelope(&content, case.copy_to.as_ref());
        let prepared = self.prepare(envelope, &content).await?.requiring_tls(case.event.require_tls);
        Ok((prepared, answer.message_id()))
    }

    async fn prepare_notice(&self, case: &Case) -> Result<Option<Prepared>, TakeError> {
        let mut token = [0; 12];
        self.store.world().chance.fill(&mut token);
        // Nobody to tell has no language.
        let language = case.event.reverse_path.address().map_or(Language::Both, |reader| {
            dsn_language(&self.store.directory(), reader, [case.event.recipient.domain()])
        });
        let hostname = &self.delivery.settings().hostname;
        let dsn = failure_notice(&case.event, language, hostname, self.store.now(), token);
        match dsn {
            Some(dsn) => Ok(Some(self.delivery.prepare_report(dsn.envelope, &dsn.content).await.map_err(refused)?)),
            None => Ok(None),
        }
    }

    /// Everything that leaves passes here with its finished octets: what signs messages (DKIM) signs `content` here.
    async fn prepare(&self, envelope: Envelope, content: &[u8]) -> Result<Prepared, TakeError> {
        self.delivery.prepare(envelope, content).await.map_err(refused)
    }
}

fn refused(Refused(reply): Refused) -> TakeError {
    if reply.is_permanent() { TakeError::Permanent(reply.to_string()) } else { TakeError::Temporary(reply.to_string()) }
}

impl Case {
    fn decide(&self, store: &Store, memory: &Memory) -> Decision {
        match &self.responder {
            Some(_) if self.event.beyond => Decision::Silent(Silence::MessageCap),
            Some(responder) => decide(responder, &self.facts, store.now(), &self.zone, memory),
            None => Decision::Silent(Silence::Gone),
        }
    }

    /// What the store remembers of the sender, at the commit point.
    fn memory(&self, tx: &mut Transaction<'_>, now: Timestamp) -> Result<Memory, StorageError> {
        let (Some(sender), Some(counted)) = (self.event.reverse_path.address(), &self.counted) else {
            return Ok(Memory::default());
        };
        let contact = match &self.owner {
            Some(owner) => tx.is_contact(owner.id, sender)? || tx.is_contact(owner.id, counted)?,
            None => false,
        };
        Ok(Memory {
            last_answer: tx.last_answer(self.event.responder, counted)?,
            last_of_all: self.capped.as_ref().map_or(Ok(None), |capped| tx.last_answer(OF_ALL, capped))?,
            last_of_domain: self.domain.as_ref().map_or(Ok(None), |domain| tx.last_answer(OF_DOMAIN, domain))?,
            contact,
            suppressed: match &self.suppressible {
                Some(sender) => tx.suppressed(sender, now)?.is_some(),
                None => false,
            },
        })
    }

    fn told(&self, decision: Decision, now: Timestamp, answer: Option<String>) -> Told {
        Told {
            responder: self.event.responder,
            owner: self.owner.as_ref().map(|owner| owner.id),
            address: self.event.address.clone(),
            recipient: self.event.recipient.clone(),
            sender: self.event.reverse_path.clone(),
            received_at: self.event.received_at,
            decided_at: now,
            decision,
            failure_notice: self.notice,
            answer: answer.filter(|_| decision == Decision::Answer),
            message_id: self.received.message_id.clone(),
        }
    }

    /// Writes an answer and all that goes with it.
    fn answer(
        &self,
        tx: &mut Transaction<'_>,
        answer: &Prepared,
        memory: &Memory,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        if let Some(counted) = &self.counted {
            tx.note_answer(self.event.responder, counted, LastAnswer::after(memory.last_answer, now));
        }
        if let Some(capped) = &self.capped {
            tx.note_answer(OF_ALL, capped, LastAnswer::after(memory.last_of_all, now));
        }
        if let Some(domain) = &self.domain {
            tx.note_answer(OF_DOMAIN, domain, LastAnswer::after(memory.last_of_domain, now));
        }
        note_answered(tx, self.event.responder, now)?;
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

const A_SECOND: std::time::Duration = std::time::Duration::from_secs(1);

impl Consumer for Responder {
    fn take<'a>(&'a self, event: &'a EventRow) -> BoxFuture<'a, Result<(), TakeError>> {
        Box::pin(self.handle(event))
    }
}

#[cfg(test)]
mod tests;
