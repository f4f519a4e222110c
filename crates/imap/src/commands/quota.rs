//! GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208, RFC 2087).
//!
//! Each account is one quota root, under its primary address; all of its mailboxes belong to it, whoever looks at them. The
//! figures are those that deliveries are held against.

use imap_wire::response::{self, Code, QuotaUsage};
use imap_wire::{MailboxName, QuotaResource, SetQuota};
use mail::{AccountId, Address};
use routing::namespace::Place;
use routing::objects::QuotaLimits;
use routing::{Rights, may_set_quota};
use storage::StorageError;
use storage::limits::MAILBOXES_MAX;

use crate::fault::{Answer, Fault};
use crate::session::Session;

/// RFC 9208 §5.1: the unit of STORAGE.
const UNIT: u64 = 1024;

impl Session {
    pub(crate) async fn get_quota(&mut self, root: &str) -> Result<Answer, Fault> {
        let Some(account) = self.root_named(root) else { return Ok(no_root()) };
        // To others a root is as if it were not there.
        if !self.may_see_usage(account).await? {
            return Ok(no_root());
        }
        self.tell_quota(account).await?;
        Ok(Answer::ok("That is the quota"))
    }

    /// RFC 9208 §4.1.2: of one's own a mailbox need not exist. §6: another's needs the right `r`.
    pub(crate) async fn get_quota_root(&mut self, mailbox: &MailboxName) -> Result<Answer, Fault> {
        let owner = match self.place(mailbox.as_str())? {
            Place::Own => self.account()?,
            Place::Foreign { .. } => match self.find_with(mailbox.as_str(), Rights::READ).await? {
                Ok(target) => target.owner,
                Err(answer) => return Ok(answer),
            },
            Place::Nowhere => return Ok(Answer::of(&StorageError::NoSuchMailbox)),
        };
        let Some(root) = self.name_of_root(owner) else { return Ok(no_root()) };
        let encoding = self.encoding();
        response::quota_root(self.connection.out(), mailbox, encoding, &root);
        self.tell_quota(owner).await?;
        Ok(Answer::ok("That is the quota root"))
    }

    /// For administrators of the server, and of the account's domains. Limits that are not named end (§4.1.3).
    pub(crate) async fn set_quota(&mut self, command: &SetQuota) -> Result<Answer, Fault> {
        let who = self.account()?;
        let Some(account) = self.root_named(&command.root) else { return Ok(no_root()) };
        if !may_set_quota(&self.server.store.directory(), who, account) {
            // Who can't see the root is told nothing of it.
            let seen = self.may_see_usage(account).await?;
            let refused = Answer::no(Code::NoPerm, "Quotas are for administrators to set");
            return Ok(if seen { refused } else { no_root() });
        }
        let mut limits = QuotaLimits::default();
        for (resource, limit) in &command.limits {
            match resource {
                QuotaResource::Storage => limits.octets = Some(limit.saturating_mul(UNIT)),
                QuotaResource::Message => limits.messages = Some(*limit),
                QuotaResource::Mailbox => limits.mailboxes = Some(*limit),
            }
        }
        self.server.store.set_quota(account, limits).await?;
        tracing::info!(peer = %self.peer, by = %who, %account, ?limits, "quota set");
        self.tell_quota(account).await?;
        Ok(Answer::ok("The quota is set"))
    }

    /// The account whose quota root has a name.
    fn root_named(&self, root: &str) -> Option<AccountId> {
        let directory = self.server.store.directory();
        directory.account(&Address::parse(root).ok()?).map(|account| account.id)
    }

    fn name_of_root(&self, account: AccountId) -> Option<String> {
        let directory = self.server.store.directory();
        directory.account_by_id(account).map(|account| account.address.to_string())
    }

    /// One's own, that of whom one administers, and that of who lets one read a mailbox.
    async fn may_see_usage(&mut self, account: AccountId) -> Result<bool, Fault> {
        let who = self.account()?;
        if who == account || may_set_quota(&self.server.store.directory(), who, account) {
            return Ok(true);
        }
        let reads = |target: &crate::access::Target| target.owner == account && target.access.rights.has(Rights::READ);
        Ok(self.foreign_mailboxes().await?.values().any(reads))
    }

    async fn tell_quota(&mut self, account: AccountId) -> Result<(), Fault> {
        let Some(root) = self.name_of_root(account) else { return Ok(()) };
        let store = self.server.store.clone();
        let limits = store.quota(account);
        let usage = store.usage(account).await?;
        let mailboxes = store.mailbox_count(account).await?;
        let units = limits.octets.map(|octets| octets / UNIT);
        // Of mailboxes there is always a limit.
        let most = MAILBOXES_MAX as u64;
        let usages = [
            (QuotaResource::Storage, usage.octets.div_ceil(UNIT), units),
            (QuotaResource::Message, usage.messages, limits.messages),
            (QuotaResource::Mailbox, mailboxes, Some(limits.mailboxes.map_or(most, |limit| limit.min(most)))),
        ];
        let usages: Vec<QuotaUsage> = usages
            .into_iter()
            .filter_map(|(resource, used, limit)| Some(QuotaUsage { resource, used, limit: limit? }))
            .collect();
        response::quota(self.connection.out(), &root, &usages);
        Ok(())
    }
}

fn no_root() -> Answer {
    Answer::no(Code::NonExistent, "There is no such quota root")
}
