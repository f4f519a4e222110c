//! What a message's trace says of its acceptance (see `storage::trace`): written by the transaction that accepts it.

use std::collections::BTreeMap;

use mail::{AccountId, Address, ForwardPath, ReversePath, Timestamp, TraceId};
use routing::objects::QuotaLimits;
use storage::filing::Filed;
use storage::trace::{Step, Taken, Term};
use storage::{StorageError, Transaction};

use crate::Delivery;
use crate::checks::Verdict;
use crate::filtering::left_out_told;
use crate::limits::{TRACE_DELIVERED_MAX, TRACE_ROUTED_MAX};
use crate::prepared::{Applied, Prepared};
use crate::suppression::{Complaint, OnList};

/// Where a message comes from, in the words of its trace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Source {
    /// `smtp`, `submission`, `Relais`, …
    pub(crate) by: String,
    /// The client's address and the name that it gave itself.
    pub(crate) client: Option<String>,
}

/// A trace before its message is committed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Beginning {
    /// `None`: nothing is traced.
    pub(crate) id: Option<TraceId>,
    pub(crate) source: Source,
    pub(crate) message_id: Option<String>,
    /// The message has waited, and its trace has begun already.
    pub(crate) continues: bool,
    /// Addresses of the accounts that the plan names, as they are now.
    pub(crate) addresses: BTreeMap<AccountId, Address>,
    /// Limits of those of them that have some.
    pub(crate) quotas: BTreeMap<AccountId, QuotaLimits>,
}

impl Delivery {
    /// A new trace, for who writes its steps in a transaction of their own; `None` when none are kept.
    #[must_use]
    pub fn new_trace(&self) -> Option<TraceId> {
        if !self.traces {
            return None;
        }
        let mut chance = [0; 10];
        self.store().world().chance.fill(&mut chance);
        Some(TraceId::new(self.store().now(), chance))
    }

    /// Notes a refusal that no message follows. Not synced, and not told when it can't be written: it explains, no more.
    pub async fn trace_refusal(&self, steps: Vec<Step>, terms: Vec<Term>) {
        let Some(id) = self.new_trace() else { return };
        let now = self.store().now();
        let steps = steps.into_iter().map(|step| Taken { at: now, step }).collect();
        if let Err(error) = self.store().trace_lightly(id, steps, terms).await {
            tracing::debug!(%error, "a refusal is not in the traces");
        }
    }
}

impl Prepared {
    /// Writes the first steps of the trace.
    pub(crate) fn begin_trace(&self, tx: &mut Transaction<'_>, applied: &Applied) -> Result<(), StorageError> {
        let Some(id) = self.beginning.id else { return Ok(()) };
        let mut steps = vec![if self.beginning.continues {
            Step::Decided { text: "it sets out: it goes its way as things are now".to_owned() }
        } else {
            self.received_step()
        }];
        steps.extend(self.verdict.iter().flat_map(Verdict::steps));
        steps.extend(self.known.steps.iter().cloned());
        steps.extend(self.outside.iter().cloned());
        steps.extend(self.plan.routed.iter().cloned());
        let untold = self.envelope.recipients.len().saturating_sub(TRACE_ROUTED_MAX);
        if untold > 0 {
            steps.push(Step::Decided { text: format!("the ways of {untold} recipients more are not kept") });
        }
        for (account, mailbox, deposited) in applied.deposits.iter().take(TRACE_DELIVERED_MAX) {
            let Some(address) = self.beginning.addresses.get(account) else { continue };
            let folder = self.plan.folders.get(account).map(|folder| folder.name.clone());
            let why = applied.unfiled.iter().find(|(unfiled, _)| unfiled == account).map(|(_, why)| why);
            if let (Some(why), Some(folder)) = (why, &folder) {
                let text = format!("{address}: kept in INBOX, not in \"{folder}\": {why}");
                steps.push(Step::Decided { text });
            }
            let junk = self.plan.junk.get(account);
            steps.extend(junk.map(|junk| Step::Decided { text: format!("{address}: goes to Spam: {}", junk.reason) }));
            let filed = applied.filed.get(account);
            self.filtered_steps(*account, address, filed, &mut steps);
            steps.push(Step::Delivered {
                account: *account,
                address: address.clone(),
                mailbox: *mailbox,
                // As its owner sees it: the mailbox for spam may have any name.
                name: tx.mailbox_row(*account, *mailbox)?.name,
                uid: deposited.uid,
            });
            steps.extend(self.beyond_quota(tx, *account, address)?);
            steps.extend(filed.iter().flat_map(|filed| &filed.copies).map(|copy| Step::Delivered {
                account: *account,
                address: address.clone(),
                mailbox: copy.mailbox,
                name: copy.name.clone(),
                uid: copy.deposited.uid,
            }));
        }
        let deleted = applied.filed.iter().filter(|(_, filed)| filed.kept.is_none());
        for (account, filed) in deleted.take(TRACE_DELIVERED_MAX) {
            let Some(address) = self.beginning.addresses.get(account) else { continue };
            self.filtered_steps(*account, address, Some(filed), &mut steps);
        }
        let silent = self.plan.responders.iter().filter(|responder| applied.silences(responder));
        steps.extend(silent.map(|responder| Step::Responder {
            responder: responder.responder,
            address: responder.address.clone(),
            answered: false,
            decision: "does not answer: a filter of its owner deletes the message".to_owned(),
        }));
        if applied.deposits.len() > TRACE_DELIVERED_MAX {
            steps.push(Step::Decided { text: format!("delivered to {} mailboxes in all", applied.deposits.len()) });
        }
        if self.plan.dropped {
            let reason = "a recipient leads to :blackhole:, or a responder there keeps nothing".to_owned();
            steps.push(Step::Dropped { reason });
        }
        for address in self.plan.dropped_relays.iter().take(TRACE_ROUTED_MAX) {
            let reason = format!("not passed on to {address}: suspicious mail does not leave this server");
            steps.push(Step::Dropped { reason });
        }
        let held = self.plan.held.values().map(|held| Step::Held {
            address: held.address.clone(),
            reason: "a list or its moderators deal with it".to_owned(),
        });
        steps.extend(held);
        let told = |(destination, address): &(mail::Domain, Address)| Step::Decided {
            text: format!(
                "forwarded to {destination} with the reverse-path {address}, so that SPF passes there and a bounce finds its way back"
            ),
        };
        steps.extend(applied.rewritten.iter().map(told));
        steps.extend(self.complaints.iter().map(Complaint::step));
        steps.extend(applied.on_list.iter().map(OnList::step));
        steps.extend(Self::queued_steps(applied));
        tx.index_trace(id, self.terms());
        let steps: Vec<Taken> = steps.into_iter().map(|step| Taken { at: self.now, step }).collect();
        tx.trace(id, &steps)
    }

    /// That an account has more than its quota now. One more message is taken as long as there is room for an octet of it, and a full mailbox
    /// behind an address of several gets what the others get: nobody is left out of a conversation without a word.
    fn beyond_quota(
        &self,
        tx: &Transaction<'_>,
        account: AccountId,
        address: &Address,
    ) -> Result<Option<Step>, StorageError> {
        let Some(quota) = self.beginning.quotas.get(&account) else { return Ok(None) };
        let usage = tx.usage(account)?;
        if quota.hold(usage.octets, usage.messages) {
            return Ok(None);
        }
        let limits = [(quota.octets, usage.octets, "octets"), (quota.messages, usage.messages, "messages")];
        let passed = limits.into_iter().filter_map(|(limit, used, what)| {
            limit.filter(|limit| used > *limit).map(|limit| format!("{used} of {limit} {what}"))
        });
        let passed = passed.collect::<Vec<_>>().join(" and ");
        let text = format!("{address}: beyond its quota with this message, which it gets all the same: {passed}");
        Ok(Some(Step::Decided { text }))
    }

    /// That it came in.
    pub(crate) fn received_step(&self) -> Step {
        Step::Received {
            by: self.beginning.source.by.clone(),
            client: self.beginning.source.client.clone(),
            login: self.login().cloned(),
            reverse_path: self.envelope.reverse_path.clone(),
            message_id: self.beginning.message_id.clone(),
            octets: self.blob.octets,
        }
    }

    /// The address of who has submitted it.
    fn login(&self) -> Option<&Address> {
        self.account.and_then(|account| self.beginning.addresses.get(&account))
    }

    /// What the filters of an account did, and could not do.
    fn filtered_steps(&self, account: AccountId, address: &Address, filed: Option<&Filed>, steps: &mut Vec<Step>) {
        let (Some(filters), Some(filed)) = (self.filtered.get(&account), filed) else { return };
        let told = |text: String| Step::Filtered { address: address.clone(), text };
        steps.extend(filters.acts.iter().cloned().map(told));
        steps.extend(left_out_told(filed).map(told));
    }

    fn queued_steps(applied: &Applied) -> impl Iterator<Item = Step> {
        applied.queued.iter().zip(&applied.relayed).map(|(entry, (destination, recipients))| Step::Queued {
            entry: *entry,
            destination: destination.clone(),
            recipients: recipients.clone(),
        })
    }

    /// What the trace is found by: Message-ID, sender, recipients as the envelope had them and where they led.
    pub(crate) fn terms(&self) -> Vec<Term> {
        let message_id = self.beginning.message_id.clone().map(Term::MessageId);
        let sender = Term::Sender(self.envelope.reverse_path.clone());
        // Under whatever identity somebody writes, it is theirs, and where a stolen password shows.
        let login = self
            .login()
            .filter(|login| !self.envelope.reverse_path.address().is_some_and(|path| path.same_mailbox(login)));
        let login = login.map(|login| Term::Sender(ReversePath::Address(login.clone())));
        // What leaves no message behind is not worth a row for each of a thousand recipients.
        let most = if self.plan.stores_message() { usize::MAX } else { TRACE_ROUTED_MAX };
        let envelope =
            self.envelope.recipients.iter().take(most).filter_map(|recipient| match &recipient.forward_path {
                ForwardPath::Address(address) => Some(address.clone()),
                ForwardPath::Postmaster => None,
            });
        let kept = self.plan.mailboxes.iter().filter_map(|account| self.beginning.addresses.get(account).cloned());
        let relayed = self.plan.relays.values().flatten().map(|recipient| recipient.address.clone());
        let recipients = envelope.chain(kept).chain(relayed).map(Term::Recipient);
        message_id.into_iter().chain([sender]).chain(login).chain(recipients).collect()
    }
}

/// A step taken at a time.
#[must_use]
pub fn taken(at: Timestamp, step: Step) -> Taken {
    Taken { at, step }
}
