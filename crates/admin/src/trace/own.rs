//! What of a trace its own people see: who submitted a message, and into whose mailbox it came.
//!
//! A trace names everybody whom a message concerned: blind copies, the members of a group, somebody's private redirect, another person's
//! filters. Who is no administrator sees what concerns themselves, and of the others no more than they wrote in the envelope.

use std::collections::BTreeSet;

use mail::{AccountId, Address, ReversePath, TraceId};
use routing::objects::AccountObject;
use routing::{Directory, Verdict};
use storage::trace::{Step, Taken, Term, Trace};

/// The person who asks, and what is known of addresses.
pub(super) struct Own<'a> {
    directory: &'a Directory,
    account: &'a AccountObject,
}

/// What a person is to a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// Who has submitted it, logged in.
    Sender,
    /// It came to their address.
    Recipient,
}

impl<'a> Own<'a> {
    pub(super) const fn new(directory: &'a Directory, account: &'a AccountObject) -> Self {
        Self { directory, account }
    }

    /// What the person's traces are found by: their own addresses, as senders and as recipients.
    pub(super) fn terms(&self) -> Vec<Term> {
        self.account
            .addresses()
            .flat_map(|address| [Term::Sender(ReversePath::Address(address.clone())), Term::Recipient(address)])
            .collect()
    }

    /// Whether it is an address of the person's.
    pub(super) fn owns(&self, address: &Address) -> bool {
        self.directory.account_at(address).is_some_and(|found| found.id == self.account.id)
    }

    /// The trace as the person sees it; `None`: it is somebody else's.
    pub(super) fn view(&self, trace: &Trace) -> Option<Trace> {
        // Who had the address before has traces under it, too.
        let part = self.part(trace).filter(|_| trace.id >= TraceId::first_at(self.account.created_at))?;
        let known = self.known(trace, part);
        let mut steps = Vec::new();
        let mut behind_results = false;
        for taken in &trace.steps {
            // What is decided at once behind the results of the checks is decided on them, for everybody alike.
            let of_all = std::mem::replace(&mut behind_results, matches!(taken.step, Step::Authenticated { .. }));
            let step = self.step(&taken.step, part, &known, of_all);
            steps.extend(step.map(|step| Taken { at: taken.at, step }));
        }
        Some(Trace { id: trace.id, steps })
    }

    /// Whether a recipient is this one, as far as the person sees recipients.
    pub(super) fn names_recipient(&self, trace: &Trace, recipient: &Address) -> bool {
        if self.owns(recipient) {
            return trace.names_recipient(recipient);
        }
        self.part(trace).is_some_and(|part| self.known(trace, part).contains(&recipient.canonical()))
    }

    fn part(&self, trace: &Trace) -> Option<Part> {
        let mut recipient = false;
        for taken in &trace.steps {
            match &taken.step {
                Step::Received { login: Some(login), .. } | Step::Offered { login: Some(login), .. } => {
                    if self.owns(login) {
                        return Some(Part::Sender);
                    }
                }
                Step::Delivered { account, .. } => recipient |= *account == self.account.id,
                Step::Routed { resolution } => recipient |= self.owns(&resolution.written_to),
                Step::Refused { recipient: Some(refused), .. } => recipient |= self.owns(refused),
                Step::Received { login: None, .. }
                | Step::Offered { login: None, .. }
                | Step::Refused { recipient: None, .. }
                | Step::Authenticated { .. }
                | Step::RoutedWidely { .. }
                | Step::Filtered { .. }
                | Step::Dropped { .. }
                | Step::Queued { .. }
                | Step::Attempted { .. }
                | Step::Responder { .. }
                | Step::Notice { .. }
                | Step::Held { .. }
                | Step::Decided { .. } => {}
            }
        }
        recipient.then_some(Part::Recipient)
    }

    /// Addresses elsewhere that the person may read of: those that they wrote to, and where their own redirects lead.
    fn known(&self, trace: &Trace, part: Part) -> BTreeSet<Address> {
        let mut known = BTreeSet::new();
        for taken in &trace.steps {
            let Step::Routed { resolution } = &taken.step else { continue };
            if self.owns(&resolution.written_to) {
                known.extend(resolution.remotes.iter().map(Address::canonical));
            } else if part == Part::Sender {
                known.insert(resolution.written_to.canonical());
            }
        }
        known
    }

    fn step(&self, step: &Step, part: Part, known: &BTreeSet<Address>, of_all: bool) -> Option<Step> {
        let sender = part == Part::Sender;
        let named = |address: &Address| self.owns(address) || known.contains(&address.canonical());
        match step {
            // From where somebody else has logged in is theirs.
            Step::Received { by, client, login, reverse_path, message_id, octets } => {
                let theirs = !sender && login.is_some();
                Some(Step::Received {
                    by: by.clone(),
                    client: client.clone().filter(|_| !theirs),
                    login: login.clone().filter(|_| !theirs),
                    reverse_path: reverse_path.clone(),
                    message_id: message_id.clone(),
                    octets: *octets,
                })
            }
            Step::Offered { by, client, login, reverse_path } => {
                let theirs = !sender && login.is_some();
                Some(Step::Offered {
                    by: by.clone(),
                    client: if theirs { "somebody who had logged in".to_owned() } else { client.clone() },
                    login: login.clone().filter(|_| !theirs),
                    reverse_path: reverse_path.clone(),
                })
            }
            Step::Authenticated { .. } => Some(step.clone()),
            Step::Refused { recipient: Some(recipient), .. } => (sender || self.owns(recipient)).then(|| step.clone()),
            Step::Refused { recipient: None, .. } => Some(step.clone()),
            Step::Routed { resolution } if self.owns(&resolution.written_to) => Some(step.clone()),
            // Where another's address leads is not told, only what became of it at the door.
            Step::Routed { resolution } if sender => {
                let text = match &resolution.verdict {
                    Verdict::Accept => format!("{}: accepted", resolution.written_to),
                    Verdict::NotLocal => format!("{}: goes to the servers of its domain", resolution.written_to),
                    Verdict::Refuse(reason) => format!("{}: {}", resolution.written_to, reason.reply()),
                };
                Some(Step::Decided { text })
            }
            Step::RoutedWidely { recipient, .. } if sender => {
                Some(Step::Decided { text: format!("{recipient}: accepted") })
            }
            Step::Delivered { account, .. } => self.at(*account).then(|| step.clone()),
            Step::Filtered { address, .. } | Step::Responder { address, .. } => {
                self.owns(address).then(|| step.clone())
            }
            Step::Queued { entry, destination, recipients } => {
                let recipients: Vec<Address> = recipients.iter().filter(|one| named(one)).cloned().collect();
                let queued = Step::Queued { entry: *entry, destination: destination.clone(), recipients };
                matches!(&queued, Step::Queued { recipients, .. } if !recipients.is_empty()).then_some(queued)
            }
            Step::Attempted { recipient, .. } => named(recipient).then(|| step.clone()),
            Step::Notice { to, .. } => to.as_ref().is_some_and(|to| self.owns(to)).then(|| step.clone()),
            Step::Held { .. } => sender.then(|| step.clone()),
            Step::Decided { .. } => of_all.then(|| step.clone()),
            Step::Routed { .. } | Step::RoutedWidely { .. } | Step::Dropped { .. } => None,
        }
    }

    fn at(&self, account: AccountId) -> bool {
        account == self.account.id
    }
}
