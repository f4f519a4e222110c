//! Forwards survive: what leaves for another server on behalf of an address here has a reverse-path of this server
//! ([`sender_auth::srs`]), and what bounces is led back to the first sender.
//!
//! Only reverse-paths of strangers are rewritten: those of our own domains are ours to send from, and the null one has nobody to lead
//! back to. A rewritten address takes delivery reports alone (the null reverse-path, RFC 5321 §4.5.5): everybody who gets a forwarded
//! message reads it, and it must not become a way to write through this server.

use mail::{Address, Domain, EnhancedCode, Envelope, ForwardPath, Reply, ReversePath, Timestamp};
use routing::Directory;
use sender_auth::srs::{Checked, Srs, key_period, rewrite};
use storage::secret::SecretKey;
use storage::trace::Step;
use storage::{StorageError, Transaction};

use crate::Delivery;
use crate::decide::storage_reply;
use crate::limits::{TRACE_ROUTED_MAX, TURNS_MAX};
use crate::plan::Plan;

/// A rewritten address whose time is over.
const EXPIRED: Reply = Reply::fixed(
    550,
    EnhancedCode(5, 1, 1),
    "The message that this address was made for was forwarded too long ago: it takes no more delivery reports",
);

/// A rewritten address, and a message that is no delivery report.
const REPORTS_ONLY: Reply =
    Reply::fixed(550, EnhancedCode(5, 7, 1), "This address takes delivery reports only, from the null reverse-path <>");

/// Under which key reverse-paths of forwards are rewritten.
#[derive(Clone, Debug)]
pub(crate) struct Rewriting {
    sender: Address,
    day: u32,
    /// Becomes the key of the period when this is its first forward.
    fresh: SecretKey,
}

impl Rewriting {
    /// The reverse-path for what a domain of ours forwards, with all that leads back from it.
    pub(crate) fn reverse_path(
        &self,
        tx: &mut Transaction<'_>,
        forwarder: &Domain,
    ) -> Result<Option<Address>, StorageError> {
        let period = key_period(self.day);
        let SecretKey(key) = tx.srs_key(period, self.fresh.0)?;
        let Some(rewritten) = rewrite(&self.sender, forwarder, &key, self.day) else { return Ok(None) };
        if let Some(token) = &rewritten.stored {
            tx.put_srs_sender(period, token, &self.sender)?;
        }
        Ok(Some(rewritten.address))
    }
}

impl Delivery {
    /// How the reverse-path of a message is rewritten; `None` when it stays as it is.
    pub(crate) fn rewriting(&self, plan: &Plan, reverse_path: &ReversePath, now: Timestamp) -> Option<Rewriting> {
        let sender = reverse_path.address()?;
        if plan.forwarders.is_empty() || self.store().directory().domain(sender.domain()).is_some() {
            return None;
        }
        let mut fresh = [0; 32];
        self.store().world().chance.fill(&mut fresh);
        Some(Rewriting { sender: sender.clone(), day: day(now), fresh: SecretKey(fresh) })
    }

    /// The first sender of a forwarded message, when a recipient is an address that this server made for their bounces. `None` for
    /// every other address.
    ///
    /// # Errors
    /// The refusal, when the address is too old or the message is no delivery report; the store's own.
    pub async fn led_back(
        &self,
        recipient: &ForwardPath,
        reverse_path: &ReversePath,
    ) -> Result<Option<Address>, Reply> {
        let ForwardPath::Address(address) = recipient else { return Ok(None) };
        match self.first_sender(address).await.map_err(|error| storage_reply(&error))? {
            Checked::Foreign => Ok(None),
            Checked::Expired => Err(EXPIRED),
            Checked::Original(_) if !reverse_path.is_null() => Err(REPORTS_ONLY),
            Checked::Original(sender) => Ok(Some(sender)),
        }
    }

    /// Puts the first senders in the place of recipients that this server made for their bounces, and tells of it.
    ///
    /// # Errors
    /// As [`Delivery::led_back`].
    pub(crate) async fn lead_back(&self, envelope: &mut Envelope) -> Result<Vec<Step>, Reply> {
        let mut steps = Vec::new();
        for recipient in &mut envelope.recipients {
            let Some(sender) = self.led_back(&recipient.forward_path, &envelope.reverse_path).await? else { continue };
            if steps.len() < TRACE_ROUTED_MAX {
                let text = format!(
                    "{} was made here for a message that was forwarded: the report goes to its sender {sender}",
                    recipient.forward_path
                );
                steps.push(Step::Decided { text });
            }
            recipient.forward_path = ForwardPath::Address(sender);
        }
        Ok(steps)
    }

    /// What an address that may have been rewritten here was before. A message that came round has been rewritten here more than once.
    async fn first_sender(&self, address: &Address) -> Result<Checked, StorageError> {
        let mut found = self.before(address).await?;
        for _ in 1..TURNS_MAX {
            let Checked::Original(again) = &found else { break };
            match self.before(again).await? {
                Checked::Foreign => break,
                earlier @ (Checked::Original(_) | Checked::Expired) => found = earlier,
            }
        }
        Ok(found)
    }

    /// What an address was before it was rewritten the last time.
    async fn before(&self, address: &Address) -> Result<Checked, StorageError> {
        let Some(srs) = Srs::of(address) else { return Ok(Checked::Foreign) };
        if !takes_mail(&self.store().directory(), address.domain()) {
            return Ok(Checked::Foreign);
        }
        let today = day(self.store().now());
        for period in srs.periods(today) {
            if let Srs::Stored(token) = &srs {
                if let Some(sender) = self.store().srs_sender(period, token).await? {
                    return Ok(Checked::Original(sender));
                }
                continue;
            }
            let Some(SecretKey(key)) = self.store().srs_key(period).await? else { continue };
            match srs.check(&key, today) {
                Checked::Foreign => {}
                found @ (Checked::Original(_) | Checked::Expired) => return Ok(found),
            }
        }
        Ok(Checked::Foreign)
    }
}

fn takes_mail(directory: &Directory, domain: &Domain) -> bool {
    directory.domain(domain).is_some_and(|domain| domain.enabled)
}

/// Days since 1970.
fn day(now: Timestamp) -> u32 {
    u32::try_from(now.as_secs().div_euclid(86_400)).unwrap_or(0)
}
