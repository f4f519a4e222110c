//! What is known of clients elsewhere, asked for in time: at the greeting, at MAIL, at RCPT and for the message.
//!
//! Nothing is asked about who has logged in, who is trusted, and who comes by LMTP.

use delivery::{Admission, Asking, Clients, Introduction, Turned};
use mail::{Envelope, ForwardPath};
use smtp_in::{ListenerKind, SessionFacts};

use super::MailHost;

impl MailHost {
    /// What is known of clients, when it counts for a session.
    fn clients_for(&self, facts: &SessionFacts) -> Option<&Clients> {
        let stranger = facts.kind == ListenerKind::Mx
            && facts.identity.is_none()
            && !self.trusted.iter().any(|network| network.has(facts.remote.ip()));
        self.delivery.clients().filter(|_| stranger)
    }

    /// A client has connected.
    pub(super) fn met(&self, facts: &SessionFacts) {
        if let Some(clients) = self.clients_for(facts) {
            clients.connected(facts.remote.ip());
        }
    }

    /// A client has said who it is, and as whom it writes.
    pub(super) fn presented(&self, facts: &SessionFacts, envelope: &Envelope) {
        if let Some(clients) = self.clients_for(facts) {
            clients.presented(facts.remote.ip(), facts.helo.as_deref(), envelope.reverse_path.address());
        }
    }

    /// What is known of a client; `None`: nobody asks.
    pub(super) async fn introduction(&self, facts: &SessionFacts, envelope: &Envelope) -> Option<Introduction> {
        let clients = self.clients_for(facts)?;
        let (ip, helo) = (facts.remote.ip(), facts.helo.as_deref());
        Some(clients.introduction(ip, helo, envelope.reverse_path.address()).await)
    }

    /// Whether a recipient that the directory accepts is taken from this client.
    pub(super) async fn admitted(
        &self,
        facts: &SessionFacts,
        envelope: &Envelope,
        asking: &Asking,
        path: &ForwardPath,
    ) -> Result<(), Turned> {
        let Some(introduction) = self.introduction(facts, envelope).await else { return Ok(()) };
        match self.delivery.admit(&introduction, asking, path).await {
            Admission::Welcome => Ok(()),
            Admission::Turned(turned) => Err(turned),
        }
    }
}
