//! A message with everything decided, ready to be written by one transaction.

use std::collections::BTreeMap;

use bytes::Bytes;
use mail::{
    AccountId, Address, BodyType, Domain, Envelope, EnvelopeRecipient, Flags, ForwardPath, InternalDate, Keyword,
    MailboxId, QueueId, ReversePath, SpecialUse, Timestamp, Topic, TraceId,
};
use routing::Held;
use routing::responders::ResponderEvent;
use storage::blobs::StagedBlob;
use storage::filing::Filed;
use storage::limits::QUEUE_ENTRY_RECIPIENTS_MAX;
use storage::messages::{Deposited, NewMessage};
use storage::rows::{MailClass, QueueRecipient, QueueRow};
use storage::subaddress::NoSubaddressMailbox;
use storage::trace::Step;
use storage::{StorageError, Transaction};

use crate::allowance::Allowance;
use crate::checks::Verdict;
use crate::event::{Kept, MessageStored};
use crate::filtering::Filtered;
use crate::forwarding::Rewriting;
use crate::held::HeldMessage;
use crate::loops::delivered_to;
use crate::plan::Plan;
use crate::reports::Counted;
use crate::standing::Known;
use crate::suppression::{Blocks, Complaint, Nature, OnList, without_suppressed};
use crate::trace::Beginning;
use crate::waiting::Wait;

/// See [`crate::Intake::finish`]. Cheap to clone, so that a transaction body can hold it.
#[derive(Clone, Debug)]
pub struct Prepared {
    pub(crate) plan: Plan,
    pub(crate) blob: StagedBlob,
    pub(crate) record: Option<Bytes>,
    /// The copy of those for whom it is spam, where others take it for none.
    pub(crate) marked: Option<Marked>,
    pub(crate) header: String,
    pub(crate) skip_octets: u32,
    /// The header needs SMTPUTF8 (RFC 6532), by the word of who sent it: stray octets of others have always travelled.
    pub(crate) header_smtputf8: bool,
    /// What its octets are, whatever was said of them.
    pub(crate) body: BodyType,
    /// DSNs that tell the sender of the delivery, when that was asked for, and of recipients that take smaller messages.
    pub(crate) notices: Vec<Self>,
    /// Fields that sign or seal what leaves, each with its line end.
    pub(crate) signature: String,
    /// What it takes of the allowance of who submits it.
    pub(crate) allowance: Option<Allowance>,
    /// How the reverse-path is rewritten where the message is forwarded; `None`: it stays.
    pub(crate) rewriting: Option<Rewriting>,
    /// What filters decide, for the accounts that have some; it counts for what goes to INBOX.
    pub(crate) filtered: Filtered,
    /// What its trace begins with.
    pub(crate) beginning: Beginning,
    /// What was found out about it, when another server handed it over.
    pub(crate) verdict: Option<Verdict>,
    /// What is known of who handed it over.
    pub(crate) known: Known,
    /// What outside filters said and did.
    pub(crate) outside: Vec<Step>,
    /// What reports to domains count of it.
    pub(crate) counted: Vec<Counted>,
    /// What it is to the suppression list, and what that keeps from leaving.
    pub(crate) nature: Nature,
    pub(crate) blocks: Blocks,
    /// Complaints that it reports.
    pub(crate) complaints: Vec<Complaint>,
    /// The server's own message.
    pub(crate) own: bool,
    /// Whether webhooks are told.
    pub(crate) hooks: bool,
    /// It came to an address at which reports of others are read.
    pub(crate) report: bool,
    /// The name of this server, when it has written the message itself.
    pub(crate) written_by: Option<Domain>,
    pub(crate) envelope: Envelope,
    /// What kind of mail its header shows, when it leaves.
    pub(crate) class: MailClass,
    /// Who submitted it, logged in.
    pub(crate) account: Option<AccountId>,
    /// It does not go its way yet.
    pub(crate) wait: Option<Wait>,
    pub(crate) now: Timestamp,
}

/// A message with fields that say that it is spam.
#[derive(Clone, Debug)]
pub(crate) struct Marked {
    pub(crate) blob: StagedBlob,
    pub(crate) record: Bytes,
}

/// What was written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Applied {
    /// Where mailboxes kept it: one each, of those whose filters did not delete it.
    pub deposits: Vec<(AccountId, MailboxId, Deposited)>,
    /// Where lists and moderated groups keep it.
    pub held: Vec<(AccountId, MailboxId, Deposited)>,
    /// What waits to be relayed.
    pub queued: Vec<QueueId>,
    /// For each of these but notices, its destination and recipients.
    pub relayed: Vec<(Domain, Vec<Address>)>,
    /// Recipients elsewhere who are on the suppression list.
    pub on_list: Vec<OnList>,
    /// Where it is forwarded with another reverse-path, and with which.
    pub rewritten: Vec<(Domain, Address)>,
    /// Accounts whose INBOX keeps it instead of the folder of a subaddress, and why.
    pub unfiled: Vec<(AccountId, NoSubaddressMailbox)>,
    /// What filters did with it, for the accounts whose filters did something.
    pub filed: BTreeMap<AccountId, Filed>,
    /// Responders that were told.
    pub events: usize,
}

impl Applied {
    /// A person who has a message deleted does not tell its sender that they are away. A robot at the address answers whatever
    /// comes (A1).
    pub(crate) fn silences(&self, event: &ResponderEvent) -> bool {
        let filed = event.account.and_then(|account| self.filed.get(&account));
        event.out_of_office && filed.is_some_and(|filed| filed.kept.is_none())
    }
}

impl Prepared {
    /// What was decided.
    #[must_use]
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The trace of the message; `None` when none is kept.
    #[must_use]
    pub fn trace(&self) -> Option<TraceId> {
        self.beginning.id
    }

    /// Octets of the message as stored.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.blob.octets
    }

    /// The message as a mailbox takes it, for a further copy (Sent) in the same transaction.
    #[must_use]
    pub fn as_message(&self, flags: Flags) -> NewMessage {
        NewMessage {
            blob: self.blob.hash,
            octets: self.blob.octets,
            flags,
            internal_date: InternalDate::from(self.now),
            saved_at: self.now,
            record: self.record.clone(),
        }
    }

    /// The message as Spam takes it.
    fn as_junk(&self) -> NewMessage {
        let mut message = self.as_message(Flags::default());
        // The registered keyword (RFC 5788) by which clients know Spam.
        message.flags.keywords.extend(Keyword::parse("$Junk"));
        if let Some(marked) = &self.marked {
            message.blob = marked.blob.hash;
            message.octets = marked.blob.octets;
            message.record = Some(marked.record.clone());
        }
        message
    }

    /// The same message under REQUIRETLS when `wanted`: it repeats some of another that came so (RFC 8689 §6).
    #[must_use]
    pub fn requiring_tls(mut self, wanted: bool) -> Self {
        self.envelope.require_tls |= wanted;
        self
    }

    /// Stores the blob alone, for callers that deposit [`Prepared::as_message`] themselves.
    ///
    /// # Errors
    /// When reading fails.
    pub fn store_blob(&self, tx: &mut Transaction<'_>) -> Result<(), StorageError> {
        tx.store_blob(&self.blob)
    }

    /// Whether any row will name the message's blob: filters may delete it everywhere.
    pub(crate) fn stores_message(&self) -> bool {
        let deleted = |account: &AccountId| {
            let filters = self.filtered.get(account);
            filters.is_some_and(|filters| filters.outcome.discard) && !self.plan.folders.contains_key(account)
        };
        let mut mailboxes = self.plan.mailboxes.iter();
        mailboxes.any(|account| !deleted(account)) || !self.plan.relays.is_empty() || !self.plan.held.is_empty()
    }

    /// Writes everything: blob, mailbox rows, queue rows, events.
    ///
    /// # Errors
    /// When a mailbox is gone, when whoever submits it has come to a limit ([`storage::submitted::LimitReached::of`]), or the store's own.
    pub fn apply(&self, tx: &mut Transaction<'_>) -> Result<Applied, StorageError> {
        let mut applied = Applied::default();
        if let (Some(account), Some(allowance)) = (self.account, &self.allowance) {
            allowance.count(tx, account, self.now)?;
        }
        if let Some(wait) = &self.wait {
            return self.apply_wait(tx, wait);
        }
        if self.stores_message() {
            self.store_blob(tx)?;
        }
        let mut message = self.as_message(Flags::default());
        if self.plan.spam {
            // The registered keyword (RFC 5788) by which clients know Spam.
            message.flags.keywords.extend(Keyword::parse("$Junk"));
        }
        let junk = self.as_junk();
        if let Some(marked) = &self.marked {
            tx.store_blob(&marked.blob)?;
        }
        for account in &self.plan.mailboxes {
            let message = if self.plan.junk.contains_key(account) { &junk } else { &message };
            let (mailbox, looked_at) = self.mailbox_of(tx, *account, &mut applied.unfiled)?;
            let filters = self.filtered.get(account).filter(|filters| looked_at && !filters.acts.is_empty());
            let Some(filters) = filters else {
                applied.deposits.push((*account, mailbox, tx.deposit(*account, mailbox, message)?));
                continue;
            };
            let filed = tx.deposit_filtered(&filters.owner, mailbox, message, &filters.outcome)?;
            applied.deposits.extend(filed.kept.as_ref().map(|kept| (*account, kept.mailbox, kept.deposited)));
            applied.filed.insert(*account, filed);
        }
        for held in self.plan.held.values() {
            applied.held.push(self.hold(tx, held, &message)?);
        }
        for alias in &self.plan.aliases {
            tx.note_first_use(alias, &self.envelope.reverse_path, self.now)?;
        }
        for (destination, recipients) in &self.plan.relays {
            let recipients =
                without_suppressed(tx, recipients, self.nature, self.blocks, self.now, &mut applied.on_list)?;
            if recipients.is_empty() {
                continue;
            }
            let rewritten = self.rewritten(tx, destination)?;
            for some in recipients.chunks(QUEUE_ENTRY_RECIPIENTS_MAX) {
                applied.queued.push(tx.enqueue(self.queue_row(destination, some, rewritten.as_ref()))?);
                let addresses = some.iter().map(|recipient| recipient.address.clone()).collect();
                applied.relayed.push((destination.clone(), addresses));
            }
            applied.rewritten.extend(rewritten.map(|address| (destination.clone(), address)));
        }
        self.learn_contacts(tx)?;
        for responder in &self.plan.responders {
            if applied.silences(responder) {
                continue;
            }
            let owner = |(account, ..): &&(AccountId, MailboxId, Deposited)| responder.account == Some(*account);
            let kept = applied.deposits.iter().find(owner).map(|(account, mailbox, deposited)| Kept {
                account: *account,
                mailbox: *mailbox,
                uid: deposited.uid,
                blob: if self.plan.junk.contains_key(account) { junk.blob } else { self.blob.hash },
            });
            let recipient = self.envelope_recipient(&responder.recipient);
            let event = MessageStored {
                responder: responder.responder,
                address: responder.address.clone(),
                recipient: responder.recipient.clone(),
                reverse_path: self.envelope.reverse_path.clone(),
                account: self.account,
                received_at: self.now,
                header: self.header.clone(),
                octets: self.blob.octets,
                kept,
                failure_notice: responder.failure_notice,
                beyond: responder.beyond,
                notify: recipient.map(|recipient| recipient.notify).unwrap_or_default(),
                original: recipient.and_then(|recipient| recipient.original.clone()),
                envelope_id: self.envelope.envelope_id.clone(),
                smtputf8: self.envelope.smtputf8,
                require_tls: self.envelope.require_tls,
                trace: self.beginning.id,
            };
            tx.emit(Topic::MessageStored, self.now, event.encode())?;
            applied.events = applied.events.saturating_add(1);
        }
        self.counted.iter().try_for_each(|counted| counted.apply(tx))?;
        self.count_standing(tx)?;
        self.complaints.iter().try_for_each(|complaint| complaint.apply(tx, self.now))?;
        if self.hooks {
            self.call_webhooks(tx, &applied)?;
        }
        self.tell_of_report(tx)?;
        self.begin_trace(tx, &applied)?;
        for notice in &self.notices {
            let notice = notice.apply(tx)?;
            applied.queued.extend(notice.queued);
        }
        Ok(applied)
    }

    /// V3: whom somebody writes to is a contact from then on.
    pub(crate) fn learn_contacts(&self, tx: &mut Transaction<'_>) -> Result<(), StorageError> {
        let Some(account) = self.account else { return Ok(()) };
        let paths = self.envelope.recipients.iter().map(|recipient| &recipient.forward_path);
        let addresses = paths.filter_map(|path| match path {
            ForwardPath::Address(address) => Some(address),
            ForwardPath::Postmaster => None,
        });
        tx.learn_contacts(account, addresses, self.now)
    }

    /// RFC 6531 §3.4: what is only said to need SMTPUTF8 goes to every host, what needs it unsaid goes as what it is.
    fn needs_smtputf8(&self, recipients: &[QueueRecipient]) -> bool {
        self.header_smtputf8
            || self.envelope.reverse_path.address().is_some_and(Address::needs_smtputf8)
            || recipients.iter().any(|recipient| recipient.address.needs_smtputf8())
    }

    /// The recipient of the envelope that a responder hears of.
    fn envelope_recipient(&self, address: &Address) -> Option<&EnvelopeRecipient> {
        let is = |recipient: &&EnvelopeRecipient| match &recipient.forward_path {
            ForwardPath::Address(known) => known == address,
            ForwardPath::Postmaster => address.local().canonical().as_str() == "postmaster",
        };
        self.envelope.recipients.iter().find(is)
    }

    /// INBOX, Spam for what is suspicious, or the folder that the subaddress names; whether filters look at it there.
    fn mailbox_of(
        &self,
        tx: &mut Transaction<'_>,
        account: AccountId,
        unfiled: &mut Vec<(AccountId, NoSubaddressMailbox)>,
    ) -> Result<(MailboxId, bool), StorageError> {
        if (self.plan.spam || self.plan.junk.contains_key(&account))
            && let Some(junk) = tx.special_mailbox(account, SpecialUse::Junk)?
        {
            return Ok((junk, true));
        }
        if let Some(folder) = self.plan.folders.get(&account) {
            match tx.subaddress_mailbox(account, &folder.name, folder.create, self.now)? {
                Ok(mailbox) => return Ok((mailbox, false)),
                Err(why) => unfiled.push((account, why)),
            }
        }
        Ok((tx.mailbox_named(account, "INBOX")?.ok_or(StorageError::NoSuchMailbox)?, true))
    }

    /// Keeps the message in the part of a list or group, and tells its consumer.
    fn hold(
        &self,
        tx: &mut Transaction<'_>,
        held: &Held,
        message: &NewMessage,
    ) -> Result<(AccountId, MailboxId, Deposited), StorageError> {
        let mailbox = tx.mailbox_named(held.part, "INBOX")?.ok_or(StorageError::NoSuchMailbox)?;
        let deposited = tx.deposit(held.part, mailbox, message)?;
        let event = HeldMessage {
            part: held.part,
            mailbox,
            uid: deposited.uid,
            blob: self.blob.hash,
            skip_octets: self.skip_octets,
            octets: self.blob.octets,
            address: held.address.clone(),
            role: held.role,
            recipient: held.recipient.clone(),
            reverse_path: self.envelope.reverse_path.clone(),
            account: self.account,
            received_at: self.now,
            trace: self.beginning.id,
            verified: self.verdict.as_ref().and_then(Verdict::verified),
            spam: self.plan.spam || self.plan.suspicious,
            require_tls: self.envelope.require_tls,
        };
        tx.emit(Topic::HeldMessage, self.now, event.encode())?;
        Ok((held.part, mailbox, deposited))
    }

    /// The reverse-path with which the message goes on to a destination, when it is not its own.
    fn rewritten(&self, tx: &mut Transaction<'_>, destination: &Domain) -> Result<Option<Address>, StorageError> {
        match (&self.rewriting, self.plan.forwarders.get(destination)) {
            (Some(rewriting), Some(forwarder)) => rewriting.reverse_path(tx, forwarder),
            (None, _) | (_, None) => Ok(None),
        }
    }

    pub(crate) fn queue_row(
        &self,
        destination: &Domain,
        recipients: &[QueueRecipient],
        rewritten: Option<&Address>,
    ) -> QueueRow {
        let reverse_path = rewritten.cloned().map_or_else(|| self.envelope.reverse_path.clone(), ReversePath::Address);
        // RFC 5321 §4.5.5.
        let class = if reverse_path.is_null() { MailClass::Report } else { self.class };
        QueueRow {
            id: QueueId(0),
            destination: destination.clone(),
            reverse_path,
            dsn_return: self.envelope.dsn_return,
            envelope_id: self.envelope.envelope_id.clone(),
            smtputf8: self.needs_smtputf8(recipients),
            sender_smtputf8: self.envelope.smtputf8,
            body: self.body,
            blob: self.blob.hash,
            skip_octets: self.skip_octets,
            octets: self.blob.octets,
            prefix: format!("{}{}", delivered_to(&self.plan, destination), self.signature),
            trace: self.beginning.id,
            recipients: recipients.to_vec(),
            accepted_at: self.now,
            attempts: 0,
            next_attempt: self.now,
            last_error: None,
            delay_notified: false,
            held: false,
            require_tls: self.envelope.require_tls,
            priority: self.envelope.priority,
            deliver_by: self.envelope.deliver_by,
            held_until: self.envelope.hold_until,
            solicits: self.envelope.solicits.clone(),
            waiting: None,
            class,
            route: None,
        }
    }
}
