//! What people say of messages by where they put them and how they mark them: events of [`Topic::MessageJudged`].
//!
//! Into the mailbox with the special use `\Junk` (RFC 6154) is spam; out of it is ham, but not into Trash: who deletes
//! spam does not call it ham. The keywords `$Junk` and `$NotJunk` (RFC 5788's registry), and `Junk`, `NonJunk` and `NotJunk`, which
//! Thunderbird and others set, say the same where they are new.

use std::collections::BTreeSet;

use mail::{AccountId, BlobHash, Flags, Keyword, MailboxId, ModSeq, SpecialUse, Timestamp, Topic, Uid};
use serde::{Deserialize, Serialize};

use crate::error::StorageError;
use crate::limits::JUDGED_PER_EVENT_MAX;
use crate::messages::{FlagChange, FlagsChanged};
use crate::rows;
use crate::sharing::By;
use crate::transaction::Transaction;

/// Somebody has said of messages what they are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Judged {
    /// Whose mail it is.
    pub account: AccountId,
    /// Spam, or ham.
    pub spam: bool,
    /// Their contents.
    pub messages: Vec<[u8; 32]>,
}

impl Judged {
    /// Reads the payload of an event.
    ///
    /// # Errors
    /// [`StorageError::Corrupt`].
    pub fn decode(payload: &[u8]) -> Result<Self, StorageError> {
        rows::decode(VERSION, "a judgement of messages", payload)
    }

    fn encode(&self) -> Result<Vec<u8>, StorageError> {
        Ok(rows::encode(VERSION, self)?.to_vec())
    }
}

const VERSION: u8 = 1;
const SPAM_KEYWORDS: [&str; 2] = ["$Junk", "Junk"];
const HAM_KEYWORDS: [&str; 3] = ["$NotJunk", "NonJunk", "NotJunk"];

/// What keywords say: spam, ham, or nothing.
fn said_by(flags: &Flags) -> Option<bool> {
    let any =
        |names: &[&str]| names.iter().any(|name| Keyword::parse(name).is_ok_and(|one| flags.keywords.contains(&one)));
    match (any(&SPAM_KEYWORDS), any(&HAM_KEYWORDS)) {
        (true, false) => Some(true),
        (false, true) => Some(false),
        (true, true) | (false, false) => None,
    }
}

impl Transaction<'_> {
    /// Somebody has put messages into a mailbox, from another one or from outside: what that says of them.
    pub(crate) fn judge_by_place(
        &mut self,
        from: Option<(AccountId, MailboxId)>,
        to: (AccountId, MailboxId),
        uids: &[Uid],
        now: Timestamp,
    ) -> Result<(), StorageError> {
        if uids.is_empty() {
            return Ok(());
        }
        let use_of = |(account, mailbox)| Ok::<_, StorageError>(self.mailbox_row(account, mailbox)?.special_use);
        let (before, after) = (from.map(use_of).transpose()?.flatten(), use_of(to)?);
        let (account, spam) = match (from, before, after) {
            (_, before, Some(SpecialUse::Junk)) if before != Some(SpecialUse::Junk) => (to.0, true),
            (Some(from), Some(SpecialUse::Junk), after)
                if !matches!(after, Some(SpecialUse::Junk | SpecialUse::Trash)) =>
            {
                (from.0, false)
            }
            _ => return Ok(()),
        };
        let blobs = self.message_rows(to.0, to.1, uids)?.into_iter().map(|message| message.blob).collect();
        self.judged(account, spam, blobs, now)
    }

    /// As [`Transaction::change_flags_by`], by a person: a keyword that is new on a message may say what it is.
    ///
    /// # Errors
    /// As there.
    #[expect(clippy::too_many_arguments, reason = "those of the change that it is, and when")]
    pub fn change_flags_judging(
        &mut self,
        owner: AccountId,
        mailbox: MailboxId,
        uids: &[Uid],
        change: &FlagChange,
        unchanged_since: Option<ModSeq>,
        by: By,
        now: Timestamp,
    ) -> Result<FlagsChanged, StorageError> {
        let said = match change {
            FlagChange::Replace(flags) | FlagChange::Add(flags) => said_by(&by.mask.filter(flags.clone())),
            FlagChange::Remove(_) => None,
        };
        let Some(spam) = said else {
            return self.change_flags_by(owner, mailbox, uids, change, unchanged_since, by);
        };
        let row = self.mailbox_row(owner, mailbox)?;
        let before = self.message_rows(owner, mailbox, uids)?;
        let open = before.iter().filter(|message| said_by(&row.flags_of(message)) != Some(spam));
        let open: BTreeSet<Uid> = open.map(|message| message.uid).collect();
        let changed = self.change_flags_by(owner, mailbox, uids, change, unchanged_since, by)?;
        let new = changed.rows.iter().filter(|message| open.contains(&message.uid));
        let blobs = new.map(|message| message.blob).collect();
        self.judged(owner, spam, blobs, now)?;
        Ok(changed)
    }

    fn judged(
        &mut self,
        account: AccountId,
        spam: bool,
        blobs: BTreeSet<BlobHash>,
        now: Timestamp,
    ) -> Result<(), StorageError> {
        let blobs: Vec<[u8; 32]> = blobs.into_iter().map(|blob| blob.0).collect();
        for some in blobs.chunks(JUDGED_PER_EVENT_MAX) {
            let event = Judged { account, spam, messages: some.to_vec() };
            self.emit(Topic::MessageJudged, now, event.encode()?)?;
        }
        Ok(())
    }
}
