//! The model: mailboxes as maps, nothing precomputed, everything slow and plain.

use std::collections::{BTreeMap, BTreeSet};

use mail::{Flags, Keyword, SystemFlags};
use relais_storage::StorageError;

/// The names that operations speak of.
pub(crate) const NAMES: [&str; 8] = ["INBOX", "Sent", "Trash", "A", "A/B", "D/E", "D", "A/B/C"];

/// One operation. Mailboxes are places in [`NAMES`], UIDs are bits.
#[derive(Clone, Debug)]
pub(crate) enum Op {
    Append { to: usize, content: u8, flags: u8 },
    Flags { at: usize, uids: u8, how: u8, flags: u8, since: Option<u64> },
    Expunge { at: usize, uids: u8, all: bool },
    Copy { from: usize, to: usize, uids: u8 },
    Move { from: usize, to: usize, uids: u8 },
    Create { name: usize },
    Delete { name: usize },
    Rename { from: usize, to: usize },
    Sweep { secs: u64 },
}

/// UIDs 1 to 8 by bits.
pub(crate) fn uids(bits: u8) -> Vec<u32> {
    (0..8).filter(|n| bits & (1 << n) != 0).map(|n| n + 1).collect()
}

/// Flags by bits: four system flags, two keywords.
pub(crate) fn flags(bits: u8) -> Flags {
    let system = [SystemFlags::SEEN, SystemFlags::DELETED, SystemFlags::FLAGGED, SystemFlags::DRAFT];
    let system = system.into_iter().enumerate().filter(|(n, _)| bits & (1 << n) != 0);
    let keywords = ["work", "Later"].into_iter().enumerate().filter(|(n, _)| bits & (16 << n) != 0);
    Flags {
        system: system.fold(SystemFlags::default(), |all, (_, flag)| all.union(flag)),
        keywords: keywords.map(|(_, keyword)| Keyword::parse(keyword).unwrap()).collect(),
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Message {
    pub(crate) content: u8,
    pub(crate) system: SystemFlags,
    pub(crate) keywords: BTreeSet<Keyword>,
    pub(crate) modseq: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mailbox {
    pub(crate) uid_next: u32,
    pub(crate) modseq: u64,
    pub(crate) messages: BTreeMap<u32, Message>,
    /// UID to the MODSEQ at which it went.
    pub(crate) expunged: BTreeMap<u32, u64>,
}

impl Mailbox {
    fn new() -> Self {
        Self { uid_next: 1, modseq: 1, messages: BTreeMap::new(), expunged: BTreeMap::new() }
    }

    /// What comes together gets one MODSEQ.
    fn deposit(&mut self, messages: impl IntoIterator<Item = (u8, SystemFlags, BTreeSet<Keyword>)>) {
        let modseq = self.modseq + 1;
        for (content, system, keywords) in messages {
            self.modseq = modseq;
            self.messages.insert(self.uid_next, Message { content, system, keywords, modseq });
            self.uid_next += 1;
        }
    }

    fn expunge(&mut self, uids: &[u32], all: bool) {
        let gone: Vec<u32> = uids
            .iter()
            .filter(|uid| self.messages.get(uid).is_some_and(|m| all || m.system.contains(SystemFlags::DELETED)))
            .copied()
            .collect();
        self.modseq += u64::from(!gone.is_empty());
        for uid in gone {
            self.messages.remove(&uid);
            self.expunged.insert(uid, self.modseq);
        }
    }
}

pub(crate) type Outcome = Result<(), StorageError>;

/// All mailboxes of the account by name.
#[derive(Clone, Debug)]
pub(crate) struct Model(pub(crate) BTreeMap<String, Mailbox>);

impl Model {
    pub(crate) fn new() -> Self {
        let names = ["INBOX", "Drafts", "Sent", "Trash", "Junk", "Archive"];
        Self(names.map(|name| (name.to_owned(), Mailbox::new())).into())
    }

    fn at(&mut self, place: usize) -> Result<&mut Mailbox, StorageError> {
        self.0.get_mut(NAMES[place]).ok_or(StorageError::NoSuchMailbox)
    }

    pub(crate) fn apply(&mut self, op: &Op) -> Outcome {
        match op {
            Op::Append { to, content, flags: bits } => {
                let Flags { system, keywords } = flags(*bits);
                self.at(*to)?.deposit([(*content, system, keywords)]);
            }
            Op::Flags { at, uids: bits, how, flags: given, since } => self.flags(*at, *bits, *how, *given, *since)?,
            Op::Expunge { at, uids: bits, all } => self.at(*at)?.expunge(&uids(*bits), *all),
            Op::Copy { from, to, uids: bits } => self.copy(*from, *to, *bits)?,
            Op::Move { from, to, uids: bits } => {
                let known = &self.at(*from)?.messages;
                let there: Vec<u32> = uids(*bits).into_iter().filter(|uid| known.contains_key(uid)).collect();
                self.copy(*from, *to, *bits)?;
                self.at(*from)?.expunge(&there, true);
            }
            Op::Create { name } => self.create(NAMES[*name])?,
            Op::Delete { name: 0 } => return Err(StorageError::NotAllowed("INBOX can't be deleted")),
            Op::Delete { name } => {
                self.0.remove(NAMES[*name]).ok_or(StorageError::NoSuchMailbox)?;
            }
            Op::Rename { from: 0, to } => {
                self.create(NAMES[*to])?;
                let all: Vec<u32> = self.at(0)?.messages.keys().copied().collect();
                let messages = self.at(0)?.messages.clone().into_values();
                self.at(*to)?.deposit(messages.map(|message| (message.content, message.system, message.keywords)));
                self.at(0)?.expunge(&all, true);
            }
            Op::Rename { from, to } => self.rename(NAMES[*from], NAMES[*to])?,
            Op::Sweep { .. } => {}
        }
        Ok(())
    }

    fn flags(&mut self, at: usize, bits: u8, how: u8, given: u8, since: Option<u64>) -> Outcome {
        let given = flags(given);
        let mailbox = self.at(at)?;
        let next = mailbox.modseq + 1;
        for uid in uids(bits) {
            let Some(message) = mailbox.messages.get_mut(&uid) else { continue };
            if since.is_some_and(|since| message.modseq > since) {
                continue;
            }
            let (system, keywords) = match how {
                0 => (given.system, given.keywords.clone()),
                1 => (message.system.union(given.system), &message.keywords | &given.keywords),
                _ => (message.system.without(given.system), &message.keywords - &given.keywords),
            };
            if (system, &keywords) != (message.system, &message.keywords) {
                *message = Message { content: message.content, system, keywords, modseq: next };
                mailbox.modseq = next;
            }
        }
        Ok(())
    }

    fn copy(&mut self, from: usize, to: usize, bits: u8) -> Outcome {
        let source = self.at(from)?.messages.clone();
        let target = self.at(to)?;
        let copied = uids(bits).into_iter().filter_map(|uid| source.get(&uid));
        target.deposit(copied.map(|message| (message.content, message.system, message.keywords.clone())));
        Ok(())
    }

    fn parents(&mut self, name: &str) {
        for (at, _) in name.match_indices('/') {
            self.0.entry(name[..at].to_owned()).or_insert_with(Mailbox::new);
        }
    }

    fn create(&mut self, name: &str) -> Outcome {
        if self.0.contains_key(name) {
            return Err(StorageError::MailboxExists);
        }
        self.parents(name);
        self.0.insert(name.to_owned(), Mailbox::new());
        Ok(())
    }

    fn rename(&mut self, from: &str, to: &str) -> Outcome {
        if from == to {
            return Err(StorageError::MailboxExists);
        }
        let below = format!("{from}/");
        if to.starts_with(&below) {
            return Err(StorageError::NotAllowed("a mailbox can't be moved below itself"));
        }
        let moved = |name: &String| *name == from || name.starts_with(&below);
        let (moving, mut rest): (BTreeMap<_, _>, BTreeMap<_, _>) =
            self.0.clone().into_iter().partition(|(name, _)| moved(name));
        if moving.is_empty() {
            return Err(StorageError::NoSuchMailbox);
        }
        for (name, mailbox) in moving {
            if rest.insert(format!("{to}{}", &name[from.len()..]), mailbox).is_some() {
                return Err(StorageError::MailboxExists);
            }
        }
        self.0 = rest;
        self.parents(to);
        Ok(())
    }
}
