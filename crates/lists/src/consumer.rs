//! The consumer of [`Topic::HeldMessage`]: what a message to a list, or to a group's moderators, leads to.

use std::sync::Arc;

use bus::{Consumer, TakeError};
use delivery::{HeldMessage, StoredMessage};
use mail::{Address, DsnNotify, Envelope, EnvelopeRecipient, ForwardPath, Topic};
use routing::objects::{GroupObject, ListObject};
use storage::messages::ExpungeScope;
use storage::rows::{EventRow, MemberState, ModerationDecision, WaitReason, WaitingRow};
use storage::trace::Step;
use storage::{StorageError, Transaction};
use world::BoxFuture;

use crate::Lists;
use crate::acts::{Acts, Draft};
use crate::answerable::unanswerable;
use crate::bounces::day;
use crate::budget::{Allowance, LetterKind};
use crate::distribute::refused;
use crate::function::Function;
use crate::incoming::Incoming;
use crate::limits::{EXCERPT_CHARS, LETTERS_AT_ONCE, LINK_KEEP, READ_OCTETS_MAX};
use crate::place::Place;
use crate::post::{PostFacts, PostVerdict, judge, why_it_waits};
use crate::text::{Because, Rest, Shown, Words};
use crate::token::Purpose;

/// One event with everything read.
pub(crate) struct Case {
    pub number: u64,
    pub event: HeldMessage,
    pub place: Place,
    pub stored: StoredMessage,
    pub incoming: Incoming,
}

impl Consumer for Lists {
    fn take<'a>(&'a self, event: &'a EventRow) -> BoxFuture<'a, Result<(), TakeError>> {
        Box::pin(self.handle(event))
    }
}

impl Lists {
    async fn handle(&self, row: &EventRow) -> Result<(), TakeError> {
        let event = HeldMessage::decode(&row.payload)
            .map_err(|error| TakeError::Permanent(format!("the event can't be read: {error}")))?;
        let place = Place::of(&self.store.directory(), event.part);
        let stored = self.delivery.stored(event.part, event.mailbox, event.uid).await?;
        let (Some(place), Some(stored)) = (place, stored) else {
            // The list was deleted, or the message dealt with: there is nothing left to do.
            return self.end(row.number, &event, Acts::default(), Keep::Message).await;
        };
        let start = self.start_of(&event, stored.octets()).await?;
        let whole = start.len() as u64 == stored.octets();
        let case = Case { number: row.number, event, place, stored, incoming: Incoming::read(&start, whole) };
        if self.store.list_cursor(case.event.part, case.event.uid).await?.is_some() {
            // On its way already: whatever the list says to new posts now, this one goes on.
            return self.pass(&case).await;
        }
        match self.store.waiting(case.event.part, case.event.uid).await? {
            Some(WaitingRow { decision: Some(decision), .. }) if decision.approved => self.pass(&case).await,
            Some(waiting @ WaitingRow { decision: Some(_), .. }) => self.rejected(&case, &waiting).await,
            // It waits already.
            Some(_) => self.end(case.number, &case.event, Acts::default(), Keep::Message).await,
            None => self.dispatch(&case).await,
        }
    }

    async fn start_of(&self, event: &HeldMessage, octets: u64) -> Result<Vec<u8>, TakeError> {
        let row = self.store.message(event.part, event.mailbox, event.uid).await?;
        let Some(row) = row else { return Ok(Vec::new()) };
        match self.store.blob(&row.blob).await? {
            Some(mut reader) => Ok(reader.read(0, octets.min(READ_OCTETS_MAX)).await?),
            None => Ok(Vec::new()),
        }
    }

    async fn dispatch(&self, case: &Case) -> Result<(), TakeError> {
        let function = Function::of(case.place.address(), &case.event.address);
        let automatic = case.incoming.automatic || case.event.reverse_path.is_null();
        match (&case.place, function) {
            (_, Function::Post | Function::Owner) if case.incoming.header_cut => {
                self.refuse(case, Because::HeaderTooLong).await
            }
            _ if case.incoming.header_cut => self.drop_case(case, "its header is too long").await,
            (Place::List(list), Function::Post) => self.judge_post(case, list).await,
            (Place::Group(group), Function::Post) => self.judge_group(case, group).await,
            (Place::List(list), Function::Bounces(returned)) => self.bounced(case, list, returned).await,
            (Place::List(list), Function::Owner) => self.to_owners(case, list).await,
            // Orders of machines are none: an absence must not confirm anything.
            _ if automatic => self.drop_case(case, "an order that a machine wrote").await,
            (_, Function::Confirm(token)) => self.confirmed_by_mail(case, &token).await,
            (Place::List(list), function) => Box::pin(self.ordered(case, list, &function)).await,
            (Place::Group(_), _) => self.drop_case(case, "groups take no orders").await,
        }
    }

    pub(crate) async fn drop_case(&self, case: &Case, why: &str) -> Result<(), TakeError> {
        tracing::info!(list = %case.place.address(), sender = %case.event.reverse_path, why, "dropped");
        let mut acts = Acts::default();
        acts.step(Step::Dropped { reason: format!("{}: {why}", case.event.address) });
        self.end(case.number, &case.event, acts, Keep::Nothing).await
    }

    /// A post to a list that nobody has decided on yet.
    async fn judge_post(&self, case: &Case, list: &Arc<ListObject>) -> Result<(), TakeError> {
        let facts = self.facts(case, list).await?;
        let verdict = judge(list, facts);
        tracing::info!(list = %list.address, sender = %case.event.reverse_path, octets = facts.octets, %verdict, "post judged");
        match verdict {
            PostVerdict::Drop(_) => {
                let mut acts = Acts::default();
                acts.tells(format!("{}: {verdict}", list.address));
                self.end(case.number, &case.event, acts, Keep::Nothing).await
            }
            PostVerdict::Refuse(because) => self.refuse(case, because).await,
            PostVerdict::Hold(reason) => self.hold(case, reason).await,
            PostVerdict::Send => self.pass(case).await,
        }
    }

    async fn facts(&self, case: &Case, list: &ListObject) -> Result<PostFacts, StorageError> {
        let own = [list.address.canonical().to_string(), crate::header::list_id(&list.address)];
        let candidates = self.writers(case);
        let mut member = false;
        for address in &candidates {
            let found = self.store.member(list.id, address).await?;
            member |= found.is_some_and(|found| found.state != MemberState::Pending);
        }
        Ok(PostFacts {
            been_here: case.incoming.been_there.iter().any(|place| own.contains(place)),
            null_path: case.event.reverse_path.is_null(),
            reply_of_machine: case.incoming.reply_of_machine,
            has_author: case.incoming.author.is_some(),
            member,
            decider: self.decides(case, list.deciders().iter().chain(&list.owners)),
            spam: case.event.spam,
            octets: case.stored.octets().saturating_sub(case.incoming.own_octets),
        })
    }

    /// The addresses that a message's author may have. From and reverse-path can be made up, but not those of people here: these
    /// count for who has logged in, who can write under their own alone.
    fn writers(&self, case: &Case) -> Vec<Address> {
        let directory = self.store.directory();
        let account = case.event.account.and_then(|id| directory.account_by_id(id));
        let said = case.incoming.author.iter().chain(case.event.reverse_path.address());
        let said = said.filter(|address| account.is_some() || directory.domain(address.domain()).is_none()).cloned();
        said.chain(account.into_iter().flat_map(|account| account.addresses().collect::<Vec<_>>())).collect()
    }

    /// Whether the submitter has logged in as one of these.
    fn decides<'a>(&self, case: &Case, mut deciders: impl Iterator<Item = &'a Address>) -> bool {
        let directory = self.store.directory();
        let Some(account) = case.event.account else { return false };
        deciders.any(|decider| directory.account_at(decider).is_some_and(|found| found.id == account))
    }

    async fn judge_group(&self, case: &Case, group: &Arc<GroupObject>) -> Result<(), TakeError> {
        // It may be moderated no more since the message came.
        if !group.moderated || self.decides(case, group.moderators.iter()) {
            return self.pass(case).await;
        }
        if case.event.reverse_path.is_null() || case.incoming.reply_of_machine {
            return self.drop_case(case, "an answer or a report of a machine").await;
        }
        self.hold(case, WaitReason::Moderated).await
    }

    /// Sends a message on.
    async fn pass(&self, case: &Case) -> Result<(), TakeError> {
        match &case.place {
            Place::List(list) => self.distribute(case, list).await,
            // Under its address somebody else may be found, the catch-all for one.
            Place::Group(group) if !group.enabled => self.set_aside(case, "the group is disabled").await,
            Place::Group(group) => {
                let mut envelope = Envelope::new(case.event.reverse_path.clone());
                envelope.require_tls = case.event.require_tls;
                (envelope.body, envelope.smtputf8) = self.nature(&case.stored).await?;
                envelope.recipients.push(recipient(&group.address));
                let mut prepared =
                    self.delivery.prepare_stored(&case.stored, envelope.clone()).await.map_err(refused)?;
                if !prepared.plan().relays.is_empty() {
                    let sealed = self.delivery.sealed(case.stored.clone(), group.address.domain()).await?;
                    prepared = self.delivery.prepare_stored(&sealed, envelope).await.map_err(refused)?;
                }
                if !prepared.plan().lost.is_empty() {
                    return self.set_aside(case, "nobody is behind the group's address").await;
                }
                let mut acts = Acts::default();
                acts.letter(Some(prepared));
                acts.tells(format!("{}: sent to the members", group.address));
                self.end(case.number, &case.event, acts, Keep::Nothing).await
            }
        }
    }

    /// A moderator has to decide: the message stays, and each moderator gets a letter.
    async fn hold(&self, case: &Case, reason: WaitReason) -> Result<(), TakeError> {
        let (event, place, days) = (&case.event, &case.place, case.place.waiting_days());
        let room = self.waiting_room(event.part).await?;
        if let Some(full) = room.is_full_for(case.stored.octets(), self.waiting_octets_max) {
            tracing::warn!(list = %place.address(), room.messages, room.octets, "too much waits for its moderators");
            return self.refuse(case, full).await;
        }
        let now = self.store.now();
        let row = WaitingRow {
            address: event.address.clone(),
            recipient: event.recipient.clone(),
            skip_octets: event.skip_octets,
            reverse_path: event.reverse_path.clone(),
            account: event.account,
            received_at: event.received_at,
            author: case.incoming.author.clone(),
            subject: case.incoming.subject.clone(),
            octets: case.stored.octets(),
            reason,
            expires: now.plus(std::time::Duration::from_secs(u64::from(days) * 86_400)),
            decision: None,
            trace: event.trace,
            automatic: case.incoming.automatic,
            require_tls: event.require_tls,
        };
        let excerpt: String = case.incoming.text.chars().take(EXCERPT_CHARS).collect();
        let mut acts = Acts::default();
        let held = format!("{}, up to {days} days", why_it_waits(reason));
        acts.step(Step::Held { address: event.address.clone(), reason: held });
        for decider in place.deciders() {
            let allowance = Allowance::moderator(decider);
            let sent = self.store.letters_sent(event.part, day(now), allowance.kind as u8, &allowance.to).await?;
            let all = self.link(Purpose::Moderate, place, 0, decider, LINK_KEEP);
            let last = allowance.max.saturating_sub(1);
            let reader = self.account_of(decider);
            let link = self.link(Purpose::Moderate, place, event.uid.0, decider, LINK_KEEP);
            let shown = Shown {
                author: author_line(case),
                subject: &case.incoming.subject,
                octets: case.stored.octets(),
                excerpt: &excerpt,
                because: because(reason),
            };
            let written = |others: usize, last_today: bool| {
                let rest = Rest { others, last_today, all: all.as_deref(), reader: reader.as_ref() };
                let draft = Draft {
                    require_tls: event.require_tls,
                    reply_to: self.decision_address(Purpose::Moderate, place, event.uid.0, decider),
                    ..Draft::new(decider, Words::Moderate { shown: shown.clone(), link: link.as_deref(), days, rest })
                };
                self.draft(place, draft)
            };
            let mut instead = Vec::new();
            // The first letter of a day tells of those that came without one, and the last that there is none behind it. Which
            // it is is seen where it is counted: another worker may send one meanwhile.
            if sent == 0 {
                instead.extend(written(room.messages, last == 0).await?.map(|letter| (0, letter)));
            }
            if sent < last && sent.saturating_add(LETTERS_AT_ONCE) >= last || sent == last && last > 0 {
                instead.extend(written(0, true).await?.map(|letter| (last, letter)));
            }
            acts.one_of(vec![allowance], written(0, false).await?, instead);
        }
        if let Place::List(list) = place
            && list.settings.waiting_notice
            && !event.spam
            && let Some(author) = Self::answerable(&event.reverse_path, event.account, case.incoming.author.as_ref())
            && !case.incoming.automatic
        {
            let words = Words::Waiting { subject: &case.incoming.subject };
            let letter = self.draft(place, Draft::about(case, &author, words)).await?;
            let allowances = Allowance::to_writer(LetterKind::Waiting, &author, event.account.is_some());
            acts.counted(allowances, letter);
        }
        let (part, uid) = (event.part, event.uid);
        acts.change(move |tx| tx.put_waiting(part, uid, &row).map(|()| true));
        self.end(case.number, event, acts, Keep::Message).await
    }

    /// A moderator said no: its author hears of it, when that can't hit a stranger.
    async fn rejected(&self, case: &Case, waiting: &WaitingRow) -> Result<(), TakeError> {
        let reason = waiting.decision.as_ref().map(|decision| decision.reason.clone()).unwrap_or_default();
        let words = Words::Rejected { subject: &waiting.subject, reason: &reason };
        self.end_with_author_letter(case, Acts::default(), words).await
    }

    /// A post goes to nobody, and its author hears of it.
    async fn refuse(&self, case: &Case, because: Because) -> Result<(), TakeError> {
        let mut acts = Acts::default();
        acts.tells(format!("{}: {}", case.event.address, PostVerdict::Refuse(because)));
        let words = Words::Refused { subject: &case.incoming.subject, because };
        self.end_with_author_letter(case, acts, words).await
    }

    async fn end_with_author_letter(&self, case: &Case, acts: Acts, words: Words<'_>) -> Result<(), TakeError> {
        let acts = self.with_author_letter(case, acts, words).await?;
        self.end(case.number, &case.event, acts, Keep::Nothing).await
    }

    async fn with_author_letter(&self, case: &Case, mut acts: Acts, words: Words<'_>) -> Result<Acts, TakeError> {
        let (event, kind) = (&case.event, LetterKind::Refused);
        let author = Self::answerable(&event.reverse_path, event.account, case.incoming.author.as_ref());
        match author.filter(|_| !case.incoming.automatic) {
            Some(author) => {
                let draft = Draft::about(case, &author, words);
                let allowances = Allowance::to_writer(kind, &author, event.account.is_some());
                acts.counted(allowances, self.draft(&case.place, draft).await?);
            }
            None => {
                tracing::info!(list = %case.place.address(), sender = %event.reverse_path, "no letter about a refused message");
                acts.step(unanswerable(kind));
            }
        }
        Ok(acts)
    }

    /// What should go on can reach nobody. The message is kept with its event, parked, for an administrator to hand out again
    /// (`relais event retry`) once somebody takes it; its author hears of it.
    pub(crate) async fn set_aside(&self, case: &Case, why: &str) -> Result<(), TakeError> {
        let (part, number, trace, now) = (case.event.part, case.number, case.event.trace, self.store.now());
        tracing::warn!(list = %case.place.address(), sender = %case.event.reverse_path, number, why, "a message is set aside");
        let mut acts = Acts::default();
        acts.tells(format!("{}: kept, and sent to nobody: {why}", case.event.address));
        let words = Words::Undelivered { subject: &case.incoming.subject };
        let acts = self.with_author_letter(case, acts, words).await?;
        let why = why.to_owned();
        let done = self
            .store
            .transact(move |tx| {
                if !tx.park_event(Topic::HeldMessage, number, &why)? {
                    return Ok(Vec::new());
                }
                acts.apply(tx, part, trace, now).map(|applied| applied.spent)
            })
            .await?;
        self.tell_spent(part, &done.value).await;
        Ok(())
    }

    /// Ends an event with its effects.
    pub(crate) async fn end(&self, number: u64, event: &HeldMessage, acts: Acts, keep: Keep) -> Result<(), TakeError> {
        let (part, now) = (event.part, self.store.now());
        let event = event.clone();
        let done = self
            .store
            .transact(move |tx| {
                if !tx.finish_event(Topic::HeldMessage, number)? {
                    return Ok(Vec::new());
                }
                let applied = acts.apply(tx, event.part, event.trace, now)?;
                match keep {
                    Keep::Message => {}
                    Keep::Nothing => expunge(tx, &event, now)?,
                }
                Ok(applied.spent)
            })
            .await?;
        self.tell_spent(part, &done.value).await;
        Ok(())
    }
}

/// Whether the message stays in the INBOX of the part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Keep {
    Message,
    Nothing,
}

/// Removes the message that an event is about.
pub(crate) fn expunge(tx: &mut Transaction<'_>, event: &HeldMessage, now: mail::Timestamp) -> Result<(), StorageError> {
    if tx.message_row(event.part, event.mailbox, event.uid)?.is_some() {
        tx.expunge(event.part, event.mailbox, &[event.uid], ExpungeScope::All, now)?;
    }
    Ok(())
}

/// A recipient whose failure is reported, and nothing else.
pub(crate) fn recipient(address: &Address) -> EnvelopeRecipient {
    EnvelopeRecipient {
        forward_path: ForwardPath::Address(address.clone()),
        notify: DsnNotify::asked(false, true, false),
        original: None,
    }
}

/// A decision, as a moderator makes it.
pub(crate) fn decision(approved: bool, by: String, reason: String, at: mail::Timestamp) -> ModerationDecision {
    ModerationDecision { approved, by, at, reason }
}

fn because(reason: WaitReason) -> Because {
    match reason {
        WaitReason::Moderated => Because::Moderated,
        WaitReason::NonMember => Because::NonMember,
    }
}

fn author_line(case: &Case) -> String {
    match &case.incoming.author {
        Some(author) if case.incoming.author_name.is_empty() => author.to_string(),
        Some(author) => format!("{} <{author}>", case.incoming.author_name),
        None => case.event.reverse_path.to_string(),
    }
}
