//! The row of a mailbox: its name, its counters, its keywords.

use bytes::Bytes;
use mail::{Flags, Keyword, MailboxId, ModSeq, SpecialUse, SystemFlags, Uid, UidValidity};
use serde::{Deserialize, Serialize};

use crate::error::StorageError;
use crate::limits::KEYWORDS_MAX;
use crate::rows::MessageRow;

/// A mailbox. STATUS is answered from here (RFC 3501 §6.3.10).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxRow {
    /// Its number, for good.
    pub id: MailboxId,
    /// Its name in UTF-8, levels parted by `/`; `INBOX` in capitals.
    pub name: String,
    /// Changes only when the name is used anew.
    pub uid_validity: UidValidity,
    /// The next message's UID.
    pub uid_next: Uid,
    /// Of the last change (RFC 7162 §3.1.2.1). 1 for a new mailbox.
    pub highest_modseq: ModSeq,
    /// Messages there are.
    pub messages: u32,
    /// Messages without `\Seen`.
    pub unseen: u32,
    /// Messages with `\Deleted`.
    pub deleted: u32,
    /// Octets of all messages.
    pub octets: u64,
    /// Messages from this UID on are `\Recent` for the next session that selects the mailbox (RFC 3501 §2.3.2).
    pub recent_from: Uid,
    /// What it is for (RFC 6154).
    pub special_use: Option<SpecialUse>,
    /// Keywords in use; a message row holds their places here as bits. Only ever grows.
    pub keywords: Vec<Keyword>,
}

const VERSION: u8 = 1;

impl MailboxRow {
    /// An empty mailbox.
    #[must_use]
    pub fn new(id: MailboxId, name: String, uid_validity: UidValidity, special_use: Option<SpecialUse>) -> Self {
        Self {
            id,
            name,
            uid_validity,
            uid_next: Uid(1),
            highest_modseq: ModSeq(1),
            messages: 0,
            unseen: 0,
            deleted: 0,
            octets: 0,
            recent_from: Uid(1),
            special_use,
            keywords: Vec::new(),
        }
    }

    /// The flags of a message of this mailbox, by name.
    #[must_use]
    pub fn flags_of(&self, message: &MessageRow) -> Flags {
        let bits = message.keyword_bits;
        let keywords = self.keywords.iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0);
        Flags { system: message.system_flags, keywords: keywords.map(|(_, keyword)| keyword.clone()).collect() }
    }

    /// The keywords that the bits of one of its messages stand for, in the order of their names.
    #[must_use]
    pub fn keywords_of(&self, bits: u128) -> Vec<&Keyword> {
        // Most have none.
        if bits == 0 {
            return Vec::new();
        }
        let keywords = self.keywords.iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0);
        let mut keywords: Vec<&Keyword> = keywords.map(|(_, keyword)| keyword).collect();
        keywords.sort_unstable();
        keywords
    }

    /// The bits that stand for keywords here; new ones are added to the row.
    ///
    /// # Errors
    /// [`StorageError::LimitReached`] when the mailbox would have over [`KEYWORDS_MAX`].
    pub fn keyword_bits<'k>(&mut self, keywords: impl IntoIterator<Item = &'k Keyword>) -> Result<u128, StorageError> {
        let mut bits = 0;
        for keyword in keywords {
            let place = match self.keywords.iter().position(|known| known == keyword) {
                Some(place) => place,
                None if self.keywords.len() >= KEYWORDS_MAX => return Err(StorageError::LimitReached("keywords")),
                None => {
                    self.keywords.push(keyword.clone());
                    self.keywords.len() - 1
                }
            };
            bits |= 1u128 << place;
        }
        Ok(bits)
    }

    /// The bits of those keywords that are in use here.
    #[must_use]
    pub fn known_keyword_bits<'k>(&self, keywords: impl IntoIterator<Item = &'k Keyword>) -> u128 {
        let places = keywords.into_iter().filter_map(|keyword| self.keywords.iter().position(|known| known == keyword));
        places.fold(0, |bits, place| bits | 1u128 << place)
    }

    /// The row with its counters at nought.
    pub(crate) fn uncounted(&self) -> Self {
        Self { messages: 0, unseen: 0, deleted: 0, octets: 0, ..self.clone() }
    }

    /// Takes the next MODSEQ.
    pub(crate) fn next_modseq(&mut self) -> ModSeq {
        self.highest_modseq = ModSeq(self.highest_modseq.0.saturating_add(1));
        self.highest_modseq
    }

    /// Counts a message in.
    pub(crate) fn count_in(&mut self, message: &MessageRow) {
        self.messages = self.messages.saturating_add(1);
        self.octets = self.octets.saturating_add(message.octets);
        self.count_flags(message.system_flags, true);
    }

    /// Counts a message out.
    pub(crate) fn count_out(&mut self, message: &MessageRow) {
        self.messages = self.messages.saturating_sub(1);
        self.octets = self.octets.saturating_sub(message.octets);
        self.count_flags(message.system_flags, false);
    }

    pub(crate) fn count_flags(&mut self, flags: SystemFlags, add: bool) {
        let step = |count: u32, counted: bool| match (counted, add) {
            (false, _) => count,
            (true, true) => count.saturating_add(1),
            (true, false) => count.saturating_sub(1),
        };
        self.unseen = step(self.unseen, !flags.contains(SystemFlags::SEEN));
        self.deleted = step(self.deleted, flags.contains(SystemFlags::DELETED));
    }

    pub(crate) fn encode(&self) -> Result<Bytes, StorageError> {
        super::encode(VERSION, self)
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        super::decode(VERSION, "mailbox row", value)
    }
}
