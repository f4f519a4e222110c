//! Everything that an envelope leads to, decided at once. Pure.

use std::collections::{BTreeMap, BTreeSet};

use mail::{AccountId, Address, Domain, DsnNotify, Envelope, EnvelopeRecipient, OriginalRecipient, Reply};
use routing::objects::{ListRole, SubaddressFolders};
use routing::responders::{ResponderEvent, at_acceptance, bound_answers};
use routing::{Asking, Directory, Held, RefuseReason, Resolution, Verdict, resolve};
use storage::rows::{QueueRecipient, RecipientState};
use storage::trace::Step;

use crate::content::{Judgement, Junk};
use crate::limits::{DELIVERED_TO_MAX, TRACE_ROUTED_MAX};

/// What happens to one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// Accounts whose INBOX gets it, or the folder in `folders`, each once.
    pub mailboxes: BTreeSet<AccountId>,
    /// The folder of a subaddress (RFC 5233), for accounts that only such recipients lead to, and all to the same one.
    pub folders: BTreeMap<AccountId, Folder>,
    /// Lists, and groups whose moderators are asked first, by part and canonical address: the part's INBOX gets it.
    pub held: BTreeMap<(AccountId, Address), Held>,
    /// Aliases that were written to, canonical: the first sender of each is remembered.
    pub aliases: BTreeSet<Address>,
    /// Who gets it elsewhere, by the domain that takes it; each address once.
    pub relays: BTreeMap<Domain, Vec<QueueRecipient>>,
    /// The domain of ours on whose behalf it goes on to a destination: of the first recipient that leads there.
    pub forwarders: BTreeMap<Domain, Domain>,
    /// The addresses here that pass it on to a destination, as they were written to.
    pub passed_on: BTreeMap<Domain, BTreeSet<Address>>,
    /// Responders that hear of it.
    pub responders: Vec<ResponderEvent>,
    /// Whether `:blackhole:`, or a responder that keeps nothing, took a recipient's copy.
    pub dropped: bool,
    /// Recipients whose message a mailbox here keeps, or a list has, and whose sender wants to hear of it (NOTIFY=SUCCESS).
    pub delivered: Vec<EnvelopeRecipient>,
    /// Recipients that lead to several addresses, of which some are elsewhere, and whose sender wants to hear of it.
    pub expanded: Vec<EnvelopeRecipient>,
    /// Recipients that were accepted at RCPT and can't be any more: the directory changed meanwhile.
    pub lost: Vec<Address>,
    /// The same with what each would have been told; for a message that waited, whose sender is told now.
    pub refused: Vec<(EnvelopeRecipient, Reply)>,
    /// Where each recipient leads and why, for the message's trace.
    pub routed: Vec<Step>,
    /// Who would have got it elsewhere, had it not been for Spam.
    pub dropped_relays: Vec<Address>,
    /// Whether a recipient leads only to where nothing suspicious goes: to other servers, to the owners of a list, or to its orders.
    pub lost_as_spam: bool,
    /// It goes to Spam in every mailbox.
    pub spam: bool,
    /// Accounts in whose Spam it goes by its content, and why.
    pub junk: BTreeMap<AccountId, Junk>,
    /// Its content is suspicious, as far as the site knows: lists hear of it.
    pub suspicious: bool,
    /// Recipients that take only smaller messages, which could not be told at RCPT: the client had not declared the size.
    pub too_large: Vec<EnvelopeRecipient>,
}

/// The mailbox of a subaddress.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Folder {
    /// The detail, as the sender wrote it.
    pub name: String,
    /// Made when it is not there.
    pub create: bool,
}

impl Plan {
    /// Decides for every recipient of an envelope; what several of them lead to happens once.
    #[must_use]
    pub fn new(directory: &Directory, envelope: &Envelope, asking: &Asking) -> Self {
        let mut plan = Self::default();
        for recipient in &envelope.recipients {
            let resolution = resolve(directory, &recipient.forward_path, asking);
            match &resolution.verdict {
                Verdict::Accept => plan.add_local(directory, recipient, &resolution, asking),
                Verdict::NotLocal => {
                    plan.lost_as_spam = true;
                    plan.relay_recipient(recipient);
                }
                Verdict::Refuse(RefuseReason::TooLarge) => plan.too_large.push(recipient.clone()),
                Verdict::Refuse(reason) => {
                    plan.lost.extend(address_of(recipient));
                    plan.refused.push((recipient.clone(), reason.reply()));
                }
            }
            if plan.routed.len() < TRACE_ROUTED_MAX {
                plan.routed.push(Step::routed(resolution));
            }
        }
        bound_answers(&mut plan.responders);
        plan
    }

    fn add_local(
        &mut self,
        directory: &Directory,
        recipient: &EnvelopeRecipient,
        resolution: &Resolution,
        asking: &Asking,
    ) {
        let acceptance = at_acceptance(directory, resolution, asking.now);
        self.dropped |= resolution.dropped || !acceptance.drop_mailboxes.is_empty();
        let reached = resolution.mailboxes.iter().map(|(account, _)| *account);
        for account in reached.filter(|account| !acceptance.drop_mailboxes.contains(account)) {
            let folder = resolution.folder_of(account).map(|(detail, folders)| Folder {
                name: detail.to_owned(),
                create: folders == SubaddressFolders::Create,
            });
            self.keep_in(account, folder);
        }
        for account in &acceptance.local_copies {
            self.keep_in(*account, None);
        }
        for held in &resolution.held {
            self.held.entry((held.part, held.address.canonical())).or_insert_with(|| held.clone());
        }
        if !asking.own {
            self.aliases.extend(resolution.alias.as_ref().map(Address::canonical));
        }
        let keeps = |(account, _): &(AccountId, Address)| !acceptance.drop_mailboxes.contains(account);
        // RFC 3461 §5.2.7.1: what a list has taken is delivered. What its members get is another message.
        let kept = resolution.mailboxes.iter().filter(|one| keeps(one)).count().saturating_add(resolution.held.len());
        // §5.2.7.2: one address elsewhere takes the request over. §5.2.7.3 c: of several none reports a success, since that would be several
        // answers for one recipient, and what is said of the alias is that it stands for others.
        let several = !resolution.remotes.is_empty() && kept.saturating_add(resolution.remotes.len()) > 1;
        if recipient.notify.success && several {
            self.expanded.push(recipient.clone());
        } else if recipient.notify.success && kept > 0 {
            self.delivered.push(recipient.clone());
        }
        let safe = resolution.mailboxes.iter().any(keeps)
            || !acceptance.local_copies.is_empty()
            || resolution.held.iter().any(|held| is_held_as_spam(held.role));
        self.lost_as_spam |= !(safe || resolution.remotes.is_empty() && resolution.held.is_empty());
        let notify = if several { DsnNotify { success: false, ..recipient.notify } } else { recipient.notify };
        let forwarder = resolution.written_to.domain();
        for remote in resolution.remotes.iter().chain(&acceptance.remote_copies) {
            self.forwarders.entry(remote.domain().clone()).or_insert_with(|| forwarder.clone());
            let passed_on = self.passed_on.entry(remote.domain().clone()).or_default();
            if passed_on.len() < DELIVERED_TO_MAX {
                passed_on.insert(resolution.written_to.clone());
            }
        }
        for remote in &resolution.remotes {
            self.relay(remote, notify, recipient.original.as_ref());
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

    /// One copy for each account: in the folder when all that lead there say the same one, else in INBOX.
    fn keep_in(&mut self, account: AccountId, folder: Option<Folder>) {
        if self.mailboxes.insert(account) {
            self.folders.extend(folder.map(|folder| (account, folder)));
        } else if self.folders.get(&account) != folder.as_ref() {
            self.folders.remove(&account);
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

    /// It is suspicious: every mailbox keeps it in its Spam, nothing leaves for other servers, moderators decide on posts, and nobody
    /// hears of a failure or a success.
    pub(crate) fn quarantine(&mut self) {
        self.spam = true;
        self.folders.clear();
        if !self.relays.is_empty() {
            self.dropped_relays = self.relays.values().flatten().map(|recipient| recipient.address.clone()).collect();
            self.relays.clear();
        }
        self.held.retain(|_, held| is_held_as_spam(held.role));
        self.delivered.clear();
        self.expanded.clear();
        self.too_large.clear();
        for responder in &mut self.responders {
            responder.failure_notice = false;
        }
    }

    /// Nothing is kept of it, and nobody hears of it.
    pub(crate) fn discard(&mut self) {
        *self = Self { routed: std::mem::take(&mut self.routed), ..Self::default() };
    }

    /// What recipients lead to that a filter does not want: their mailboxes get it as well, to be put into Spam, unless they get it anyway;
    /// moderators decide on posts. The accounts are given back, and whether there are posts.
    pub(crate) fn and_unwanted(&mut self, other: Self) -> (Vec<AccountId>, bool) {
        let mut posts = false;
        for (at, held) in other.held.into_iter().filter(|(_, held)| held.role == ListRole::Post) {
            posts = true;
            self.held.entry(at).or_insert(held);
        }
        let accounts: Vec<AccountId> = other.mailboxes.difference(&self.mailboxes).copied().collect();
        self.mailboxes.extend(&accounts);
        let known: BTreeSet<&Address> = self.relays.values().flatten().map(|recipient| &recipient.address).collect();
        let dropped = other.relays.into_values().flatten().map(|recipient| recipient.address);
        let dropped: Vec<Address> = dropped.filter(|address| !known.contains(address)).collect();
        self.dropped_relays.extend(dropped);
        self.routed.extend(other.routed);
        self.routed.truncate(TRACE_ROUTED_MAX);
        (accounts, posts)
    }

    /// Its content was judged: it goes to Spam of those for whom it is spam, whatever subaddress was written to.
    pub(crate) fn judged(&mut self, judgement: Judgement) {
        self.folders.retain(|account, _| !judgement.spam.contains_key(account));
        self.suspicious = judgement.suspicious;
        self.junk = judgement.spam;
        for responder in &mut self.responders {
            if responder.account.is_some_and(|account| self.junk.contains_key(&account)) {
                responder.failure_notice = false;
            }
        }
    }

    /// Whether all that becomes of it is in somebody's Spam.
    pub(crate) fn is_junk_for_all(&self) -> bool {
        self.junk.len() == self.mailboxes.len() && self.relays.is_empty() && self.held.is_empty()
    }

    /// Whether any row will name the message's blob.
    #[must_use]
    pub fn stores_message(&self) -> bool {
        !self.mailboxes.is_empty() || !self.relays.is_empty() || !self.held.is_empty()
    }
}

/// Whether what is suspicious is held for this role all the same: moderators decide on posts, and the others prove themselves by a token.
const fn is_held_as_spam(role: ListRole) -> bool {
    match role {
        ListRole::Post | ListRole::Confirm | ListRole::Bounces => true,
        ListRole::Request | ListRole::Owner | ListRole::Join | ListRole::Leave => false,
    }
}

fn address_of(recipient: &EnvelopeRecipient) -> Option<Address> {
    match &recipient.forward_path {
        mail::ForwardPath::Address(address) => Some(address.clone()),
        mail::ForwardPath::Postmaster => None,
    }
}
