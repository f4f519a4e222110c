//! One look at one external account: connect, find what is new, fetch it, delete what is to be deleted there.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use auth::Password;
use mail::{AccountId, Timestamp, Uid};
use routing::objects::{AfterFetch, ExternalAccountObject, ExternalProtocol, ExternalSecurity};
use storage::Transaction;
use storage::fetch::{FetchedFolder, Seen};

use crate::Fetch;
use crate::batch::{Batch, Dealt, Staged, Target, mailbox};
use crate::body::Came;
use crate::described::Described;
use crate::dial;
use crate::error::FetchError;
use crate::imap::{Fetched, Imap, Opened};
use crate::limits::{DESCRIBED_AT_ONCE, REFUSED_MESSAGE_TRIES, UIDS_AT_ONCE};
use crate::pop3::{Listed, Pop3};
use crate::wire::{Smallest, Wire};

/// One look under way.
pub(crate) struct Look<'f> {
    fetch: &'f Fetch,
    external: &'f ExternalAccountObject,
    account: AccountId,
    /// A message that the server refuses may be passed over, once in a look.
    may_pass_refused: bool,
    progress: (u64, u64),
}

impl<'f> Look<'f> {
    pub(crate) async fn new(fetch: &'f Fetch, external: &'f ExternalAccountObject) -> Result<Self, FetchError> {
        let owner = fetch.store().directory().account(&external.owner).map(|owner| owner.id);
        let failures = fetch.store().fetch_status(external.id).await?.failures;
        Ok(Self {
            fetch,
            external,
            account: owner.ok_or(FetchError::Gone)?,
            may_pass_refused: failures >= REFUSED_MESSAGE_TRIES,
            progress: (0, 0),
        })
    }

    pub(crate) async fn run(&mut self, password: &Password) -> Result<(), FetchError> {
        match self.external.protocol {
            ExternalProtocol::Imap => self.imap(password).await,
            ExternalProtocol::Pop3 => self.pop3(password).await,
        }
    }

    /// Where messages go.
    async fn target(&self, local: &str) -> Result<Target, FetchError> {
        let (account, external) = (self.account, self.external);
        let protocol = match external.protocol {
            ExternalProtocol::Imap => "IMAP",
            ExternalProtocol::Pop3 => "POP3",
        };
        let from = format!("{} at {} by {protocol}", external.login, external.host);
        let row = mailbox(self.fetch.store(), account, local).await?;
        Ok(Target { external: external.id, account, mailbox: row, from })
    }

    // --- IMAP

    async fn imap(&mut self, password: &Password) -> Result<(), FetchError> {
        let mut session = Imap::open(wire(self.fetch, self.external).await?, self.external).await?;
        session.log_in(&self.external.login, password).await?;
        let mut failed = None;
        for (remote, local) in self.external.folder_pairs() {
            match self.folder(&mut session, &remote, &local).await {
                Ok(()) => {}
                // The other folders are fetched all the same.
                Err(error @ FetchError::NoFolder(..)) => failed = Some(error),
                Err(error) => return Err(error),
            }
        }
        session.log_out().await;
        failed.map_or(Ok(()), Err)
    }

    async fn folder(&mut self, session: &mut Imap, remote: &str, local: &str) -> Result<(), FetchError> {
        let (store, id) = (self.fetch.store().clone(), self.external.id);
        let deletes = self.external.after_fetch != AfterFetch::Leave;
        let Opened { uid_validity, .. } = session.select(remote, !deletes).await?;
        let source = source(self.external);
        let known = store.fetched_folder(id, remote).await?;
        let same = |state: &FetchedFolder| state.source == source && state.uid_validity == uid_validity;
        let state = match known.filter(same) {
            Some(state) => state,
            None => {
                // Numbers of another life of the folder say nothing of this one's messages.
                self.forget_deletions(remote).await?;
                FetchedFolder { source, uid_validity, last_uid: 0 }
            }
        };
        let target = self.target(local).await?;
        let mut batch = Batch::new(self.fetch.delivery(), target, Some((remote.to_owned(), state)), self.progress);
        let mut last = state.last_uid;
        while last < u32::MAX {
            let mut found = Smallest::new(last, UIDS_AT_ONCE);
            session.search(&format!("UID {}:*", last.saturating_add(1)), &mut found).await?;
            batch.progress.1 = batch.progress.0.saturating_add(found.all);
            let uids: Vec<u32> = found.numbers.into_iter().collect();
            let Some(highest) = uids.last().copied() else { break };
            for some in uids.chunks(DESCRIBED_AT_ONCE) {
                let described = session.describe(some).await?;
                for uid in some {
                    let dealt = self.imap_message(session, remote, *uid, described.get(uid)).await;
                    let dealt = match dealt {
                        Ok(dealt) => dealt,
                        Err(FetchError::TooLarge) => {
                            batch.push(passed(*uid, Some(too_large(remote, *uid)))).await?;
                            batch.flush().await?;
                            return Err(FetchError::TooLarge);
                        }
                        Err(error) => {
                            // What is here already stays here.
                            batch.flush().await?;
                            return Err(error);
                        }
                    };
                    batch.push(dealt).await?;
                }
            }
            last = highest;
        }
        batch.flush().await?;
        self.progress = batch.progress;
        if deletes { self.delete_fetched(session, remote).await } else { Ok(()) }
    }

    async fn imap_message(
        &mut self,
        session: &mut Imap,
        remote: &str,
        uid: u32,
        described: Option<&Described>,
    ) -> Result<Dealt, FetchError> {
        // Searched and not described: it went meanwhile.
        let Some(described) = described else { return Ok(passed(uid, None)) };
        if described.size.is_some_and(|octets| octets > self.fetch.octets_max()) {
            return Ok(passed(uid, Some(too_large(remote, uid))));
        }
        match session.fetch(uid, self.fetch.delivery()).await? {
            Fetched::Gone => Ok(passed(uid, None)),
            Fetched::Refused(why) => {
                self.refused(&why)?;
                let why = format!("the server does not give message {uid} of {remote}: {why}");
                Ok(passed(uid, Some(self.fetch.told(self.external, why))))
            }
            Fetched::Message(Came::Refused(why)) => {
                Ok(passed(uid, Some(format!("message {uid} of {remote} was not taken: {why}"))))
            }
            Fetched::Message(Came::Whole(alone)) => {
                let deletes = self.external.after_fetch != AfterFetch::Leave;
                let message = Staged {
                    alone,
                    flags: described.flags.unwrap_or_default(),
                    date: described.date,
                    deposited: deletes.then(|| Seen::ToDelete(folder_hash(remote), Uid(uid))),
                    known: None,
                };
                Ok(Dealt { message: Some(message), seen: None, skipped: None, uid: Some(uid) })
            }
        }
    }

    /// A message that the server refuses ends the look, until that has happened too often.
    fn refused(&mut self, why: &str) -> Result<(), FetchError> {
        if std::mem::take(&mut self.may_pass_refused) {
            return Ok(());
        }
        Err(FetchError::CommandRefused("a message", why.to_owned()))
    }

    async fn forget_deletions(&self, remote: &str) -> Result<(), FetchError> {
        let (store, id, folder) = (self.fetch.store(), self.external.id, folder_hash(remote));
        loop {
            let page = store.fetch_to_delete(id, folder, None, FORGOTTEN_AT_ONCE).await?;
            if page.is_empty() {
                return Ok(());
            }
            let forget = move |tx: &mut Transaction<'_>| {
                page.iter().for_each(|(uid, _)| tx.remove_fetch_seen(id, &Seen::ToDelete(folder, *uid)));
                Ok(())
            };
            store.transact(forget).await?;
        }
    }

    /// Deletes there what is here and due. What was deleted and not noted yet is deleted again, which does nothing.
    async fn delete_fetched(&self, session: &mut Imap, remote: &str) -> Result<(), FetchError> {
        let (store, id, folder) = (self.fetch.store(), self.external.id, folder_hash(remote));
        let mut after = None;
        loop {
            let page = store.fetch_to_delete(id, folder, after, DESCRIBED_AT_ONCE).await?;
            let Some((last, _)) = page.last() else { return Ok(()) };
            after = Some(*last);
            let now = store.now();
            let due = page.iter().filter(|(_, at)| due(self.external.after_fetch, *at, now));
            let due: Vec<Uid> = due.map(|(uid, _)| *uid).collect();
            if due.is_empty() {
                continue;
            }
            session.delete(&due.iter().map(|uid| uid.0).collect::<Vec<_>>()).await?;
            let forget = move |tx: &mut Transaction<'_>| {
                due.iter().for_each(|uid| tx.remove_fetch_seen(id, &Seen::ToDelete(folder, *uid)));
                Ok(())
            };
            store.transact(forget).await?;
        }
    }

    // --- POP3

    async fn pop3(&mut self, password: &Password) -> Result<(), FetchError> {
        let mut session = Pop3::open(wire(self.fetch, self.external).await?, self.external).await?;
        session.log_in(&self.external.login, password).await?;
        let listed = session.list().await?;
        let names = self.names(&listed)?;
        let (store, id) = (self.fetch.store().clone(), self.external.id);
        let local = &self.external.mailbox;
        let target = self.target(local).await?;
        let mut fetched_at: BTreeMap<u32, Timestamp> = BTreeMap::new();
        let mut new = Vec::new();
        for some in listed.iter().zip(&names).collect::<Vec<_>>().chunks(SEEN_AT_ONCE) {
            let asked: Vec<Seen> = some.iter().flat_map(|(_, name)| name.both()).collect();
            let answers = store.fetch_seen(id, &asked).await?;
            for ((message, name), known) in some.iter().zip(answers.chunks(2)) {
                match known {
                    [Some(at), _] => drop(fetched_at.insert(message.number, *at)),
                    [None, Some(_)] => {}
                    _ => new.push((*message, *name)),
                }
            }
        }
        let mut batch = Batch::new(self.fetch.delivery(), target, None, (0, new.len() as u64));
        for (message, name) in &new {
            let dealt = match self.pop3_message(&mut session, message, name).await {
                Ok(dealt) => dealt,
                Err(FetchError::TooLarge) => {
                    batch.push(not_taken(name, "a message is larger than it may be".to_owned())).await?;
                    batch.flush().await?;
                    return Err(FetchError::TooLarge);
                }
                Err(error) => {
                    batch.flush().await?;
                    return Err(error);
                }
            };
            batch.push(dealt).await?;
        }
        batch.flush().await?;
        self.progress = batch.progress;
        // Only the transaction knows what it deposited: a content that was here before may be the only one there now.
        for some in new.chunks(SEEN_AT_ONCE) {
            let asked: Vec<Seen> = some.iter().map(|(_, name)| name.fetched).collect();
            for ((message, _), at) in some.iter().zip(store.fetch_seen(id, &asked).await?) {
                fetched_at.extend(at.map(|at| (message.number, at)));
            }
        }
        for (number, at) in fetched_at {
            if due(self.external.after_fetch, at, store.now()) {
                session.delete(number).await?;
            }
        }
        session.quit().await?;
        self.forget_gone(&names).await
    }

    async fn pop3_message(&mut self, session: &mut Pop3, listed: &Listed, name: &Name) -> Result<Dealt, FetchError> {
        let number = listed.number;
        if listed.octets.is_some_and(|octets| octets > self.fetch.octets_max()) {
            return Ok(not_taken(name, format!("message {number} is larger than a message may be here")));
        }
        match session.fetch(number, self.fetch.delivery()).await? {
            Err(why) => {
                self.refused(&why)?;
                let why = format!("the server does not give message {number}: {why}");
                Ok(not_taken(name, self.fetch.told(self.external, why)))
            }
            Ok(Came::Refused(why)) => Ok(not_taken(name, format!("message {number} was not taken: {why}"))),
            Ok(Came::Whole(alone)) => {
                let message = Staged {
                    alone,
                    flags: mail::SystemFlags::default(),
                    date: None,
                    deposited: Some(name.fetched),
                    known: Some(name.known),
                };
                Ok(Dealt { message: Some(message), seen: None, skipped: None, uid: None })
            }
        }
    }

    /// Under which names messages are remembered. Two with one UIDL, which no honest server has, are told apart by order.
    fn names(&self, listed: &[Listed]) -> Result<Vec<Name>, FetchError> {
        let source = source(self.external);
        let mut times: BTreeMap<&[u8], u64> = BTreeMap::new();
        let mut names = Vec::with_capacity(listed.len());
        for message in listed {
            let Some(uidl) = &message.uidl else {
                if self.external.after_fetch != AfterFetch::Delete {
                    return Err(FetchError::NoUidl);
                }
                // Deleted after each look, it is new whatever its number. One whose content is known was deposited by a look
                // that did not come to its end, and is deleted by this one.
                let mut chance = [0; 16];
                self.fetch.store().world().chance.fill(&mut chance);
                let (fetched, not_taken) = (Seen::Uidl(chance), Seen::Uidl(hash(&[b"not", &chance])));
                names.push(Name { fetched, not_taken, known: fetched });
                continue;
            };
            let time = times.entry(uidl).or_default();
            let of = |kind: &[u8]| Seen::Uidl(hash(&[kind, &source, &time.to_be_bytes(), uidl]));
            let (fetched, not_taken) = (of(b"fetched"), of(b"not taken"));
            names.push(Name { fetched, not_taken, known: not_taken });
            *time = time.saturating_add(1);
        }
        Ok(names)
    }

    /// Forgets messages that are no longer there, so that memory does not grow for ever.
    async fn forget_gone(&self, names: &[Name]) -> Result<(), FetchError> {
        let (store, id) = (self.fetch.store(), self.external.id);
        let there: BTreeSet<Seen> = names.iter().flat_map(Name::both).collect();
        let mut after = None;
        loop {
            let page = store.fetched_uidls(id, after, FORGOTTEN_AT_ONCE).await?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(*last);
            let gone: Vec<Seen> = page.into_iter().map(Seen::Uidl).filter(|seen| !there.contains(seen)).collect();
            if gone.is_empty() {
                continue;
            }
            let forget = move |tx: &mut Transaction<'_>| {
                gone.iter().for_each(|seen| tx.remove_fetch_seen(id, seen));
                Ok(())
            };
            store.transact(forget).await?;
        }
    }
}

/// How a POP3 message is remembered: as fetched, or as not taken (which is never deleted there).
struct Name {
    fetched: Seen,
    not_taken: Seen,
    /// The one of the two for a message whose content was here already.
    known: Seen,
}

impl Name {
    fn both(&self) -> [Seen; 2] {
        [self.fetched, self.not_taken]
    }
}

fn not_taken(name: &Name, why: String) -> Dealt {
    Dealt { message: None, seen: Some(name.not_taken), skipped: Some(why), uid: None }
}

fn passed(uid: u32, why: Option<String>) -> Dealt {
    Dealt { message: None, seen: None, skipped: why, uid: Some(uid) }
}

fn too_large(remote: &str, uid: u32) -> String {
    format!("message {uid} of {remote} is larger than a message may be here")
}

/// Opens a connection, protected as the external account wants it.
pub(crate) async fn wire(fetch: &Fetch, external: &ExternalAccountObject) -> Result<Wire, FetchError> {
    let (world, timeout) = (fetch.store().world().clone(), fetch.timeout());
    let mut stream = dial::connect(&world, external).await?;
    if external.security == ExternalSecurity::Tls {
        stream = dial::secure(&world, external, stream, timeout).await?;
    }
    Ok(Wire::new(stream, world, timeout))
}

/// Which mailbox elsewhere it is. With another one, nothing of what is remembered holds.
fn source(external: &ExternalAccountObject) -> [u8; 16] {
    let host = external.host.to_string().to_ascii_lowercase();
    hash(&[external.protocol.name().as_bytes(), host.as_bytes(), external.login.as_bytes()])
}

fn folder_hash(remote: &str) -> [u8; 16] {
    hash(&[remote.as_bytes()])
}

/// A hash of parts, each with its length, so that no two lists of parts look alike.
fn hash(parts: &[&[u8]]) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
    let mut short = [0; 16];
    hasher.finalize_xof().fill(&mut short);
    short
}

fn due(after: AfterFetch, fetched_at: Timestamp, now: Timestamp) -> bool {
    match after {
        AfterFetch::Leave => false,
        AfterFetch::Delete => true,
        AfterFetch::DeleteAfterDays(days) => {
            now.since(fetched_at) >= Duration::from_secs(u64::from(days).saturating_mul(86_400))
        }
    }
}

const FORGOTTEN_AT_ONCE: usize = 1_000;
const SEEN_AT_ONCE: usize = 500;
