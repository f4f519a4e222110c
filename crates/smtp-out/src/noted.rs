//! What an attempt tells beside the entry: addresses at which somebody is or nobody is (the suppression list), and what webhooks hear.

use delivery::{is_hard_bounce, span, tell_attempt};
use mail::{Address, Timestamp};
use queue::Outcome;
use storage::rows::{QueueRow, RecipientState};
use storage::suppressed::SuppressionReason;
use storage::trace::Taken;
use storage::{StorageError, Transaction};

use crate::Context;

/// What is written in the transaction of an attempt's result.
#[derive(Clone, Debug, Default)]
pub(crate) struct Noted {
    /// Addresses at which mail arrives.
    heard: Vec<Address>,
    /// Addresses of which their own host says that nobody is there, and what it said.
    dead: Vec<(Address, String)>,
    /// Days for which these are on the suppression list; 0: they are not entered.
    days: u32,
    /// Whether webhooks are told.
    hooks: bool,
    message_id: Option<String>,
}

impl Noted {
    /// What an attempt that was made tells.
    pub(crate) async fn of(context: &Context, row: &QueueRow, outcomes: &[Option<Outcome>]) -> Self {
        let hooks = context.store.has_webhooks();
        let mut noted = Self {
            days: context.delivery.suppression().hard_bounce_days,
            hooks,
            message_id: context.delivery.message_id_for_hooks(row).await,
            ..Self::default()
        };
        for (recipient, outcome) in row.recipients.iter().zip(outcomes) {
            let address = || recipient.address.clone();
            match outcome {
                Some(_) | None if recipient.state != RecipientState::Waiting => {}
                Some(Outcome::Delivered { .. }) => noted.heard.push(address()),
                Some(Outcome::PermanentFailure { host: Some(host), reply }) if is_hard_bounce(reply.enhanced) => {
                    noted.dead.push((address(), format!("{host}: {reply}")));
                }
                Some(Outcome::PermanentFailure { .. } | Outcome::TemporaryFailure { .. }) | None => {}
            }
        }
        noted
    }

    pub(crate) fn apply(
        &self,
        tx: &mut Transaction<'_>,
        row: &QueueRow,
        steps: &[Taken],
        now: Timestamp,
    ) -> Result<(), StorageError> {
        self.heard.iter().try_for_each(|address| tx.heard_of(address))?;
        for (address, said) in self.dead.iter().filter(|_| self.days > 0) {
            tx.suppress(address, SuppressionReason::HardBounce, said, now, Some(span(now, self.days)))?;
        }
        if self.hooks {
            tell_attempt(tx, steps, row.trace, self.message_id.as_deref(), &row.reverse_path)?;
        }
        Ok(())
    }
}
