//! What the door hears of mail from other servers: messages, and recipients that there are not. Its answers become replies.
//!
//! Who has logged in has limits of their own (`delivery::allowance`), and LMTP is spoken by servers of ours: both are left alone.

use abuse::{Door, Strike};
use mail::{EnhancedCode, Envelope, Reply};
use smtp_in::{ListenerKind, SessionFacts};

use super::MailHost;

impl MailHost {
    /// The door, for clients that it is for.
    fn door_for(&self, facts: &SessionFacts) -> Option<&Door> {
        self.door.as_ref().filter(|_| facts.identity.is_none() && facts.kind != ListenerKind::Lmtp)
    }

    /// Whether one more message of a client is taken now; a refusal leaves its trace.
    pub(super) async fn admit_message(&self, facts: &SessionFacts, envelope: &Envelope) -> Result<(), Reply> {
        let refused =
            self.door_for(facts).and_then(|door| door.message(facts.remote.ip(), self.delivery.store().now()));
        let Some(why) = refused else { return Ok(()) };
        let reply = closing(why);
        tracing::info!(session = %facts.id, remote = %facts.remote.ip(), from = %envelope.reverse_path, %reply, "message refused");
        self.trace_refusal(facts, envelope, None, &reply, "").await;
        Err(reply)
    }

    /// A recipient was refused. When there is none of that name, the answer waits, longer each time. Returns what is answered instead: 451 beyond
    /// the rate, which leaves the others of the message alone, and 421, with which the session ends, when the client is banned now.
    pub(super) async fn unknown_recipient(&self, facts: &SessionFacts, reply: &Reply) -> Option<Reply> {
        // A domain that is switched off (5.1.2) is the administrator's doing.
        let unknown = reply.is_permanent() && matches!(reply.enhanced, Some(EnhancedCode(5, 1, 1)));
        let door = self.door_for(facts).filter(|_| unknown)?;
        let Strike { banned, over, wait } = door.unknown_recipient(facts.remote.ip(), self.delivery.store().now());
        if !wait.is_zero() {
            // Too many answers wait already: this one does not, or waiting would be a way to use up the server's room.
            let held = door.hold();
            let outcome = if held.is_some() { "held" } else { "full" };
            metrics::counter!("relais_tarpit_total", "outcome" => outcome).increment(1);
            if held.is_some() {
                self.delivery.store().world().clock.sleep(wait).await;
            }
        }
        if let Some(why) = banned {
            let closing = closing(why);
            tracing::info!(session = %facts.id, remote = %facts.remote.ip(), reply = %closing, "session ended");
            return Some(closing);
        }
        over.map(|why| Reply::new(451, Some(EnhancedCode(4, 7, 0)), why))
    }
}

/// A session that has begun ends with 421 (RFC 5321 §3.8).
fn closing(why: String) -> Reply {
    Reply::new(421, Some(EnhancedCode(4, 7, 0)), why)
}
