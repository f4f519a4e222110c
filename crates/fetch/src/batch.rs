//! Messages on their way into the mailbox: a few in one transaction, which also remembers that they were fetched.
//!
//! **Invariant:** a message and the memory of it are written together. A power cut before leaves neither, and the message
//! is fetched again; a power cut behind leaves both, and it is not.

use std::sync::Arc;

use delivery::{Alone, Delivery, filters_told};
use filter::{Decision, Place};
use mail::{AccountId, Address, Flags, InternalDate, MailboxId, ReversePath, SystemFlags, Timestamp, TraceId};
use storage::fetch::{FetchedFolder, Seen};
use storage::filing::{Filed, decided, place_of};
use storage::messages::NewMessage;
use storage::trace::{Step, Taken, Term};
use storage::{StorageError, Store, Transaction};

use crate::error::FetchError;
use crate::limits::{BATCH_MESSAGES_MAX, BATCH_OCTETS_MAX};

/// Where messages go, and in whose name.
#[derive(Clone, Debug)]
pub(crate) struct Target {
    pub(crate) external: u64,
    pub(crate) account: AccountId,
    pub(crate) mailbox: MailboxId,
    /// Where messages come from, for traces.
    pub(crate) from: String,
}

/// One message, dealt with.
#[derive(Clone, Debug)]
pub(crate) struct Dealt {
    /// What is deposited; `None`: it is passed over.
    pub(crate) message: Option<Staged>,
    /// Remembered in any case.
    pub(crate) seen: Option<Seen>,
    /// Why it is passed over, when its owner should know.
    pub(crate) skipped: Option<String>,
    /// Its UID there.
    pub(crate) uid: Option<u32>,
}

/// A message in the store that no row names yet.
#[derive(Clone, Debug)]
pub(crate) struct Staged {
    pub(crate) alone: Alone,
    pub(crate) flags: SystemFlags,
    pub(crate) date: Option<InternalDate>,
    /// Remembered when it is deposited: that it is to be deleted there, or when it was fetched.
    pub(crate) deposited: Option<Seen>,
    /// Remembered when it is not, as its content is known.
    pub(crate) known: Option<Seen>,
}

/// What waits for its transaction.
pub(crate) struct Batch {
    store: Store,
    delivery: Delivery,
    target: Target,
    /// The folder there, and how far it is fetched; for IMAP.
    folder: Option<(String, FetchedFolder)>,
    waiting: Vec<Dealt>,
    octets: u64,
    /// Messages of this look, of all folders: dealt with, and found.
    pub(crate) progress: (u64, u64),
}

impl Batch {
    pub(crate) fn new(
        delivery: &Delivery,
        target: Target,
        folder: Option<(String, FetchedFolder)>,
        progress: (u64, u64),
    ) -> Self {
        Self {
            store: delivery.store().clone(),
            delivery: delivery.clone(),
            target,
            folder,
            waiting: Vec::new(),
            octets: 0,
            progress,
        }
    }

    /// Takes one more, and writes when it is enough.
    pub(crate) async fn push(&mut self, dealt: Dealt) -> Result<(), FetchError> {
        self.octets = self.octets.saturating_add(dealt.message.as_ref().map_or(0, |message| message.alone.blob.octets));
        self.waiting.push(dealt);
        if self.waiting.len() >= BATCH_MESSAGES_MAX || self.octets >= BATCH_OCTETS_MAX {
            self.flush().await?;
        }
        Ok(())
    }

    /// Writes what waits. When it does not fit into the quota, as many of them as do.
    pub(crate) async fn flush(&mut self) -> Result<(), FetchError> {
        let waiting = std::mem::take(&mut self.waiting);
        self.octets = 0;
        if waiting.is_empty() {
            return Ok(());
        }
        match self.write(waiting.clone()).await {
            Err(FetchError::OverQuota) if waiting.len() > 1 => {
                for one in waiting {
                    self.write(vec![one]).await?;
                }
                Ok(())
            }
            done => done,
        }
    }

    async fn write(&mut self, dealt: Vec<Dealt>) -> Result<(), FetchError> {
        let last_uid = dealt.iter().filter_map(|one| one.uid).max();
        let mut folder = self.folder.clone();
        if let (Some((_, state)), Some(last)) = (&mut folder, last_uid) {
            state.last_uid = state.last_uid.max(last);
        }
        let progress = (self.progress.0.saturating_add(dealt.len() as u64), self.progress.1);
        let account = self.store.directory().account_by_id(self.target.account).cloned().ok_or(FetchError::Gone)?;
        let (quota, owner) = (account.quota(), account.address.clone());
        // What neither comes nor is told about has no trace.
        let traced = |one: &Dealt| one.message.is_some() || one.skipped.is_some();
        let filtered = self.filtered(&dealt).await?;
        let traces: Vec<Option<TraceId>> =
            dealt.iter().map(|one| traced(one).then(|| self.delivery.new_trace()).flatten()).collect();
        let (target, now, told) = (self.target.clone(), self.store.now(), folder.clone());
        let dealt = Arc::new(dealt);
        let body = move |tx: &mut Transaction<'_>| {
            let id = target.external;
            if tx.external(id)?.is_none_or(|external| !external.enabled) {
                return Ok(false);
            }
            let mut status = tx.fetch_status(id)?;
            for ((one, trace), filters) in dealt.iter().zip(&traces).zip(&filtered) {
                if let Some(message) = &one.message {
                    let content = Seen::Content(target.mailbox, message.alone.blob.hash);
                    // Known already, under another number there: a renumbered folder, or this very mailbox looked at from
                    // outside. It stays there, whatever is to be deleted: it may be the only one.
                    if tx.is_fetch_seen(id, &content)? {
                        if let Some(seen) = &message.known {
                            tx.put_fetch_seen(id, seen, now)?;
                        }
                    } else {
                        tx.store_blob(&message.alone.blob)?;
                        let (stored, outcome) = (message.to_store(now), &filters.outcome);
                        let filed = tx.deposit_filtered(&account, target.mailbox, &stored, outcome)?;
                        let told = Told { filed: &filed, filters };
                        trace_fetched(tx, *trace, &target, &owner, &message.alone, &told, now)?;
                        tx.put_fetch_seen(id, &content, now)?;
                        if let Some(seen) = &message.deposited {
                            tx.put_fetch_seen(id, seen, now)?;
                        }
                        status.fetched = status.fetched.saturating_add(1);
                        status.octets = status.octets.saturating_add(message.alone.blob.octets);
                    }
                }
                if let Some(seen) = &one.seen {
                    tx.put_fetch_seen(id, seen, now)?;
                }
                if let Some(why) = &one.skipped {
                    status.skipped = status.skipped.saturating_add(1);
                    trace_skipped(tx, *trace, &target, &owner, why, now)?;
                    status.last_skipped = Some(why.clone());
                }
            }
            // Filters' copies are only made where they fit: a message stays away for want of room for itself alone.
            tx.require_quota(target.account, quota)?;
            if let Some((name, state)) = &folder {
                tx.put_fetched_folder(id, name, state)?;
            }
            status.progress = Some(progress);
            tx.put_fetch_status(id, &status)?;
            Ok(true)
        };
        if !self.store.transact(body).await?.value {
            return Err(FetchError::Gone);
        }
        self.progress = progress;
        self.folder = told;
        Ok(())
    }
}

impl Batch {
    /// What the owner's filters say of each message that comes: those of INBOX, or of Spam, where that is the target. Where
    /// the owner has chosen another mailbox, it stays there.
    async fn filtered(&self, dealt: &[Dealt]) -> Result<Vec<Decision>, FetchError> {
        let mut decisions = vec![Decision::default(); dealt.len()];
        if self.store.directory().filters(self.target.account).is_none() {
            return Ok(decisions);
        }
        let mailbox = self.store.mailbox(self.target.account, self.target.mailbox).await?;
        let place = mailbox.as_ref().and_then(place_of).filter(|place| *place != Place::Sent);
        let set = place.and_then(|place| {
            Some((place, self.store.directory().acting_filters(self.target.account, place)?.clone()))
        });
        let Some((place, set)) = set else { return Ok(decisions) };
        for (one, decision) in dealt.iter().zip(&mut decisions) {
            let Some(message) = &one.message else { continue };
            let seen = self.store.look_at_staged(&message.alone.blob, Some(&message.alone.record)).await?;
            *decision = decided(&set, &seen.view, place).await;
        }
        Ok(decisions)
    }
}

/// What filters did with a message that was fetched.
struct Told<'a> {
    filed: &'a Filed,
    filters: &'a Decision,
}

impl Staged {
    fn to_store(&self, now: Timestamp) -> NewMessage {
        NewMessage {
            blob: self.alone.blob.hash,
            octets: self.alone.blob.octets,
            flags: Flags::system(self.flags),
            internal_date: self.date.unwrap_or_else(|| InternalDate::from(now)),
            saved_at: now,
            record: Some(self.alone.record.clone()),
        }
    }
}

/// Begins the trace of a message that was fetched, in the transaction that deposits it.
fn trace_fetched(
    tx: &mut Transaction<'_>,
    trace: Option<TraceId>,
    target: &Target,
    owner: &Address,
    message: &Alone,
    told: &Told<'_>,
    now: Timestamp,
) -> Result<(), StorageError> {
    let Some(trace) = trace else { return Ok(()) };
    let received = Step::Received {
        by: "fetch".to_owned(),
        client: Some(target.from.clone()),
        login: None,
        reverse_path: ReversePath::Null,
        message_id: message.message_id.clone(),
        octets: message.blob.octets,
    };
    let mut steps = vec![received];
    steps.extend(
        filters_told(told.filters, told.filed).into_iter().map(|text| Step::Filtered { address: owner.clone(), text }),
    );
    steps.extend(told.filed.kept.iter().chain(&told.filed.copies).map(|kept| Step::Delivered {
        account: target.account,
        address: owner.clone(),
        mailbox: kept.mailbox,
        name: kept.name.clone(),
        uid: kept.deposited.uid,
    }));
    let id = message.message_id.clone().map(Term::MessageId);
    tx.index_trace(trace, id.into_iter().chain([Term::Recipient(owner.clone())]));
    let steps: Vec<Taken> = steps.into_iter().map(|step| Taken { at: now, step }).collect();
    tx.trace(trace, &steps)
}

/// The trace of a message that is passed over.
fn trace_skipped(
    tx: &mut Transaction<'_>,
    trace: Option<TraceId>,
    target: &Target,
    owner: &Address,
    why: &str,
    now: Timestamp,
) -> Result<(), StorageError> {
    let Some(trace) = trace else { return Ok(()) };
    let step = Step::Dropped { reason: format!("not fetched for {owner} from {}: {why}", target.from) };
    tx.index_trace(trace, [Term::Recipient(owner.clone())]);
    tx.trace(trace, &[Taken { at: now, step }])
}

/// The mailbox of an account, made when it is not there.
pub(crate) async fn mailbox(store: &Store, account: AccountId, name: &str) -> Result<MailboxId, StorageError> {
    for _ in 0..2 {
        if let Some(found) = store.mailbox_by_name(account, name).await? {
            return Ok(found.id);
        }
        match store.create_mailbox(account, name, None).await {
            Ok(made) => {
                store.set_subscription(account, name, true).await?;
                return Ok(made.value.id);
            }
            Err(StorageError::MailboxExists) => {}
            Err(other) => return Err(other),
        }
    }
    Err(StorageError::NoSuchMailbox)
}
