//! Everything that an envelope leads to, decided at once. Pure.

use std::collections::{BTreeMap, BTreeSet};

use mail::{AccountId, Address, Domain, DsnNotify, Envelope, EnvelopeRecipient, OriginalRecipient, Timestamp};
use routing::responders::{ResponderEvent, at_acceptance, verdict_at};
use routing::{Directory, Resolution, Verdict, resolve};
use storage::rows::{QueueRecipient, RecipientState};

/// What happens to one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Accounts whose INBOX gets it, each once.
    pub mailboxes: BTreeSet<AccountId>,
    /// Who gets it elsewhere, by the domain that takes it; each address once.
    pub relays: BTreeMap<Domain, Vec<QueueRecipient>>,
    /// Responders that hear of it.
    pub responders: Vec<ResponderEvent>,
    /// Whether `:blackhole:`, or a responder that keeps nothing, took a recipient's copy.
    pub dropped: bool,
    /// Recipients whose message a mailbox here keeps, and whose sender wants to hear of it (NOTIFY=SUCCESS).
    pub delivered: Vec<EnvelopeRecipient>,
    /// Recipients that were accepted at RCPT and can't be any more: the directory changed meanwhile.
    pub lost: Vec<Address>,
}

impl Plan {
    /// Decides for every recipient of an envelope; what several of them lead to happens once.
    #[must_use]
    pub fn new(directory: &Directory, envelope: &Envelope, now: Timestamp) -> Self {
        let mut plan = Self::default();
        for recipient in &envelope.recipients {
            let resolution = resolve(directory, &recipient.forward_path);
            match verdict_at(directory, &resolution, now) {
                Verdict::Accept => plan.add_local(directory, recipient, &resolution, now),
                Verdict::NotLocal => plan.relay_recipient(recipient),
                Verdict::Refuse(_) => plan.lost.extend(address_of(recipient)),
            }
        }
        plan
    }

    fn add_local(
        &mut self,
        directory: &Directory,
        recipient: &EnvelopeRecipient,
        resolution: &Resolution,
        now: Timestamp,
    ) {
        let acceptance = at_acceptance(directory, resolution, now);
        self.dropped |= resolution.dropped || !acceptance.drop_mailboxes.is_empty();
        let reached = resolution.mailboxes.iter().map(|(account, _)| *account);
        self.mailboxes.extend(reached.filter(|account| !acceptance.drop_mailboxes.contains(account)));
        self.mailboxes.extend(&acceptance.local_copies);
        let keeps = |(account, _): &(AccountId, Address)| !acceptance.drop_mailboxes.contains(account);
        if recipient.notify.success && resolution.mailboxes.iter().any(keeps) {
            self.delivered.push(recipient.clone());
        }
        for remote in &resolution.remotes {
            self.relay(remote, recipient.notify, recipient.original.as_ref());
        }
        for copy in &acceptance.remote_copies {
            // The sender knows nothing of this copy (A10), and hears nothing of its fate.
            self.relay(copy, DsnNotify::NEVER, None);
        }
        for event in acceptance.events {
            let known =
                |planned: &ResponderEvent| planned.responder == event.responder && planned.address == event.address;
            if !self.responders.iter().any(known) {
                self.responders.push(event);
            }
        }
    }

    fn relay_recipient(&mut self, recipient: &EnvelopeRecipient) {
        if let Some(address) = address_of(recipient) {
            self.relay(&address, recipient.notify, recipient.original.as_ref());
        }
    }

    fn relay(&mut self, address: &Address, notify: DsnNotify, original: Option<&OriginalRecipient>) {
        let there = self.relays.entry(address.domain().clone()).or_default();
        if there.iter().any(|known| known.address == *address) {
            return;
        }
        there.push(QueueRecipient {
            address: address.clone(),
            notify,
            original: original.cloned(),
            state: RecipientState::Waiting,
            last_reply: None,
        });
    }

    /// Whether any row will name the message's blob.
    #[must_use]
    pub fn stores_message(&self) -> bool {
        !self.mailboxes.is_empty() || !self.relays.is_empty()
    }
}

fn address_of(recipient: &EnvelopeRecipient) -> Option<Address> {
    match &recipient.forward_path {
        mail::ForwardPath::Address(address) => Some(address.clone()),
        mail::ForwardPath::Postmaster => None,
    }
}
