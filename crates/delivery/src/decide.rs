//! The answer at RCPT: accepted, or refused with the reply that says why (no backscatter later).

use mail::{AccountId, EnhancedCode, ForwardPath, Reply};
use routing::objects::QuotaLimits;
use routing::{Asking, RELAY_DENIED, Verdict, resolve};
use storage::StorageError;

use crate::Delivery;
use crate::clients::Turned;

impl Delivery {
    /// Whether a recipient is accepted from who asks.
    ///
    /// # Errors
    /// The refusal, as the client is to read it, with its reason for the trace.
    pub async fn decide(&self, asking: &Asking, forward_path: &ForwardPath) -> Result<(), Turned> {
        self.not_suppressed(asking, forward_path).await.map_err(Turned::plainly)?;
        let led = self.led_back(forward_path, &asking.reverse_path).await.map_err(Turned::plainly)?;
        let mailboxes = match led {
            // Who has signed the address has let its reports pass, wherever they go.
            Some(sender) => self.resolve_for(asking, &ForwardPath::Address(sender), true)?,
            None => self.resolve_for(asking, forward_path, false)?,
        };
        let failed = |error: &StorageError, why: String| Turned { reply: storage_reply(error), why };
        match self.are_full(mailboxes).await {
            Ok(false) => Ok(()),
            Ok(true) => Err(failed(&StorageError::OverQuota, "every mailbox that it leads to is full".to_owned())),
            Err(error) => Err(failed(&error, format!("the store can't say how full the mailboxes are: {error}"))),
        }
    }

    /// Whether a recipient leads to mailboxes only and none of them has room, for mail that the server itself sends on: nobody
    /// asks at RCPT then.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn is_full(&self, asking: &Asking, forward_path: &ForwardPath) -> Result<bool, StorageError> {
        match self.resolve_for(asking, forward_path, false) {
            Ok(mailboxes) => self.are_full(mailboxes).await,
            // That is no question of room.
            Err(_) => Ok(false),
        }
    }

    /// One mailbox with room is enough: a full one must not keep mail from the others of its alias.
    async fn are_full(&self, mailboxes: Vec<(AccountId, QuotaLimits)>) -> Result<bool, StorageError> {
        let mut full = false;
        for (account, quota) in mailboxes {
            let usage = self.store.usage(account).await?;
            // Room for one more octet and one more message.
            if quota.hold(usage.octets.saturating_add(1), usage.messages.saturating_add(1)) {
                return Ok(false);
            }
            full = true;
        }
        Ok(full)
    }

    /// The mailboxes with their quotas when the recipient is accepted and leads to mailboxes only; empty when it also
    /// leads elsewhere.
    fn resolve_for(
        &self,
        asking: &Asking,
        forward_path: &ForwardPath,
        led_back: bool,
    ) -> Result<Vec<(AccountId, QuotaLimits)>, Turned> {
        let directory = self.store.directory();
        let resolution = resolve(&directory, forward_path, asking);
        let refused = |reply: Reply| Turned { reply, why: resolution.why_refused().unwrap_or_default() };
        let elsewhere = !resolution.remotes.is_empty() || resolution.dropped || !resolution.held.is_empty();
        match &resolution.verdict {
            Verdict::Accept if !elsewhere => {
                let quota =
                    |account| directory.account_by_id(account).map(|account| account.quota()).unwrap_or_default();
                Ok(resolution.mailboxes.iter().map(|(account, _)| (*account, quota(*account))).collect())
            }
            Verdict::Accept => Ok(Vec::new()),
            Verdict::Refuse(refusal) => Err(refused(refusal.reply())),
            // Never an open relay: only who has logged in may write to foreign addresses.
            Verdict::NotLocal if asking.account.is_some() || asking.own || led_back => Ok(Vec::new()),
            Verdict::NotLocal => Err(refused(RELAY_DENIED)),
        }
    }
}

/// The reply for what the store could not do.
#[must_use]
pub fn storage_reply(error: &StorageError) -> Reply {
    match error {
        StorageError::DiskFull => {
            Reply::fixed(452, EnhancedCode(4, 3, 1), "Insufficient system storage, try again later")
        }
        StorageError::OverQuota => Reply::fixed(452, EnhancedCode(4, 2, 2), "Mailbox full, try again later"),
        StorageError::Closed => Reply::fixed(421, EnhancedCode(4, 3, 2), "Server is shutting down, try again later"),
        StorageError::NoSuchAccount
        | StorageError::NoSuchMailbox
        | StorageError::MailboxExists
        | StorageError::BadMailboxName(_)
        | StorageError::NotAllowed(_)
        | StorageError::ObjectExists(_)
        | StorageError::NoSuchObject(_)
        | StorageError::LimitReached(_)
        | StorageError::Expunged
        | StorageError::Io(_)
        | StorageError::Corrupt(_)
        | StorageError::Locked
        | StorageError::Newer { .. } => {
            Reply::fixed(451, EnhancedCode(4, 3, 0), "Local error while storing the message, try again later")
        }
    }
}
