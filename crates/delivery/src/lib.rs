//! From an envelope and a message's bytes to one transaction.
//!
//! At RCPT, [`Delivery::decide`] says at once whether a recipient is accepted. While the bytes come in, an [`Intake`]
//! stores and scans them. At their end everything is decided in one value, [`Prepared`]: which mailboxes get the
//! message, what is relayed where, which responders hear of it. [`Prepared::apply`] writes all of it inside one
//! transaction, so that there is no state between "accepted" and "delivered". The server's own messages (answers,
//! DSNs) go the same way through [`Delivery::prepare`], inside the transaction of what caused them.

mod added;
mod allowance;
mod checks;
mod class;
mod clients;
#[doc(hidden)]
pub mod complaint;
mod content;
mod decide;
mod event;
mod filed;
mod filtering;
mod forwarding;
mod held;
mod hooks;
mod intake;
mod language;
mod letter;
pub mod limits;
mod loops;
mod moderation;
mod notice;
mod outside;
mod plan;
mod prepared;
mod queue_reports;
mod report_received;
mod reports;
mod sealing;
mod signing;
mod standing;
mod stored;
mod suppression;
#[cfg(test)]
mod tests;
pub mod tls_reports;
mod trace;
mod waiting;

use mail::Domain;
use storage::Store;

pub use added::MemberAdded;
pub use checks::{Checks, Unwelcome};
pub use clients::{
    Admission, ClientFacts, ClientSettings, Clients, Greylisting, Introduction, ListState, PATIENCE, Turned,
};
pub use content::{ContentFilter, Explained, Junk};
pub use decide::storage_reply;
pub use event::{Kept, MessageStored};
pub use filed::{Filing, SHARED_MAILBOX_FULL};
pub use filtering::filters_told;
pub use held::HeldMessage;
pub use hooks::{tell_attempt, tell_given_up};
pub use intake::{Alone, Intake, Refused, record_of};
pub use language::dsn_language;
pub use letter::{Letter, MailboxLetter};
pub use moderation::{Outcome, decide_waiting};
pub use plan::{Folder, Plan};
pub use prepared::{Applied, Prepared};
pub use queue_reports::ReportError;
pub use report_received::ReportReceived;
pub use routing::Asking;
pub use stored::StoredMessage;
pub use suppression::{Blocks, OnList, SuppressionSettings, is_hard_bounce, span};
pub use trace::taken;
pub use waiting::ReleaseError;

/// What delivery has to know of its server.
#[derive(Clone, Debug)]
pub struct DeliverySettings {
    /// The name that the server gives itself, in Received and in Message-IDs.
    pub hostname: Domain,
    /// Octets of a message that is accepted at the most.
    pub message_octets_max: u64,
}

/// Delivery into one store. Clones share it.
#[derive(Clone)]
pub struct Delivery {
    store: Store,
    settings: std::sync::Arc<DeliverySettings>,
    key_ring: std::sync::Arc<signing::KeyRing>,
    traces: bool,
    checks: Option<std::sync::Arc<Checks>>,
    results_name: Option<Domain>,
    reports_from: Option<mail::Address>,
    https: Option<std::sync::Arc<dyn world::https::Https>>,
    suppression: std::sync::Arc<SuppressionSettings>,
    content_filter: Option<ContentFilter>,
    clients: Option<Clients>,
    outside: Option<std::sync::Arc<::outside::Filters>>,
    reports_to: std::sync::Arc<[mail::Address]>,
    /// See [`Delivery::command`].
    command: std::sync::Arc<str>,
}

impl Delivery {
    /// Delivery into a store.
    #[must_use]
    pub fn new(store: Store, settings: DeliverySettings) -> Self {
        Self {
            store,
            settings: std::sync::Arc::new(settings),
            key_ring: std::sync::Arc::default(),
            traces: true,
            checks: None,
            results_name: None,
            reports_from: None,
            https: None,
            suppression: std::sync::Arc::default(),
            content_filter: None,
            clients: None,
            outside: None,
            reports_to: std::sync::Arc::default(),
            command: "relais".into(),
        }
    }

    /// The same delivery, in whose letters commands begin so.
    #[must_use]
    pub fn with_command(mut self, command: &str) -> Self {
        self.command = command.into();
        self
    }

    /// How a command for this server begins, as letters name it: `relais`, with the option for a configuration that is not in the usual
    /// place.
    #[must_use]
    pub fn command(&self) -> &str {
        &self.command
    }

    /// The same delivery, which keeps no message traces.
    #[must_use]
    pub fn without_traces(mut self) -> Self {
        self.traces = false;
        self
    }

    /// The same delivery under another name in `Authentication-Results` (RFC 8601 §2.5) than the host's. What comes from outside under
    /// either is removed (§5).
    #[must_use]
    pub fn with_results_name(mut self, name: Domain) -> Self {
        self.results_name = Some(name);
        self
    }

    /// The name in `Authentication-Results`.
    #[must_use]
    pub fn results_name(&self) -> &Domain {
        self.results_name.as_ref().unwrap_or(&self.settings.hostname)
    }

    /// The same delivery, which knows something of the clients that hand mail over.
    #[must_use]
    pub fn knowing(mut self, clients: Clients) -> Self {
        self.clients = Some(clients);
        self
    }

    /// What is known of clients; `None`: nothing.
    #[must_use]
    pub const fn clients(&self) -> Option<&Clients> {
        self.clients.as_ref()
    }

    /// What it was made with.
    #[must_use]
    pub fn settings(&self) -> &DeliverySettings {
        &self.settings
    }

    /// The store that it delivers into.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }
}
