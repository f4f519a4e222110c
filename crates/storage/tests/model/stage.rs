//! A store in memory beside its model.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use mail::{AccountId, Address, InternalDate, MailboxId, ModSeq, Timestamp, Uid};
use relais_storage::keys::{Key, Table};
use relais_storage::messages::{ExpungeScope, FlagChange, NewMessage};
use relais_storage::{Engine, MemoryEngine, Order, SilentDoorbell, StorageError, Store};
use routing::objects::AccountObject;
use world::simulated::SimulatedWorld;

use crate::model::{Model, NAMES, Op, Outcome, flags, uids};

pub(crate) struct Stage {
    pub(crate) engine: MemoryEngine,
    pub(crate) world: SimulatedWorld,
    pub(crate) store: Store,
    pub(crate) model: Model,
    account: AccountId,
}

/// Contents to choose from: none, small ones, one of several chunks.
pub(crate) fn content(number: u8) -> Vec<u8> {
    match number {
        3 => Vec::new(),
        4 => (0..150_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_le_bytes()[0]).collect(),
        _ => format!("Subject: {number}\r\n\r\nHello\r\n").into_bytes(),
    }
}

/// An account to add.
pub(crate) fn account(name: &str, quota_octets: Option<u64>, store: &Store) -> AccountObject {
    AccountObject {
        quota_octets,
        created_at: store.now(),
        ..AccountObject::new(Address::parse(&format!("{name}@example.org")).unwrap())
    }
}

impl Stage {
    pub(crate) async fn new() -> Self {
        Self::with_quota(None).await
    }

    pub(crate) async fn with_quota(quota_octets: Option<u64>) -> Self {
        let engine = MemoryEngine::default();
        let world = SimulatedWorld::new(Timestamp(1_800_000_000_000), 11);
        let store = Store::open(Arc::new(engine.clone()), world.world()).await.unwrap();
        let domain = routing::objects::DomainObject::new(mail::Domain::parse("example.org").unwrap());
        let domain = routing::objects::Object::Domain(domain);
        drop(store.put_object(domain, relais_storage::objects::PutMode::Add).await.unwrap());
        let account = store.add_account(account("alice", quota_octets, &store)).await.unwrap().value.id;
        Self { engine, world, store, model: Model::new(), account }
    }

    /// Does an operation in both, and both must say the same.
    pub(crate) async fn step(&mut self, op: &Op) {
        let outcome = self.apply(op).await;
        assert_eq!(outcome, self.model.apply(op), "{op:?}");
    }

    /// Does an operation; it goes into the model only when it was acknowledged.
    pub(crate) async fn try_step(&mut self, op: &Op) -> Outcome {
        let outcome = self.apply(op).await;
        if outcome.is_ok() {
            assert_eq!(self.model.apply(op), Ok(()), "{op:?}");
        }
        outcome
    }

    async fn mailbox(&self, place: usize) -> Result<MailboxId, StorageError> {
        let row = self.store.mailbox_by_name(self.account, NAMES[place]).await?;
        Ok(row.ok_or(StorageError::NoSuchMailbox)?.id)
    }

    async fn apply(&self, op: &Op) -> Outcome {
        let (store, account) = (&self.store, self.account);
        let named = |bits: u8| uids(bits).into_iter().map(Uid).collect::<Vec<_>>();
        match op {
            Op::Append { to, content: number, flags: bits } => {
                let mailbox = self.mailbox(*to).await?;
                let mut writer = store.blob_writer();
                for piece in content(*number).chunks(7000) {
                    writer.write(piece).await?;
                }
                let staged = writer.finish();
                let message = NewMessage {
                    blob: staged.hash,
                    octets: staged.octets,
                    flags: flags(*bits),
                    internal_date: InternalDate::from(store.now()),
                    saved_at: store.now(),
                    record: Some(Bytes::from(vec![*number])),
                };
                store.append(account, mailbox, staged, message).await.map(drop)
            }
            Op::Flags { at, uids: bits, how, flags: given, since } => {
                let change = match how {
                    0 => FlagChange::Replace(flags(*given)),
                    1 => FlagChange::Add(flags(*given)),
                    _ => FlagChange::Remove(flags(*given)),
                };
                let mailbox = self.mailbox(*at).await?;
                store.change_flags(account, mailbox, named(*bits), change, since.map(ModSeq)).await.map(drop)
            }
            Op::Expunge { at, uids: bits, all } => {
                let scope = if *all { ExpungeScope::All } else { ExpungeScope::Deleted };
                store.expunge(account, self.mailbox(*at).await?, named(*bits), scope).await.map(drop)
            }
            Op::Copy { from, to, uids: bits } => {
                let (from, to) = (self.mailbox(*from).await?, self.mailbox(*to).await?);
                store.copy((account, from), named(*bits), (account, to)).await.map(drop)
            }
            Op::Move { from, to, uids: bits } => {
                let (from, to) = (self.mailbox(*from).await?, self.mailbox(*to).await?);
                store.move_messages(account, from, named(*bits), to).await.map(drop)
            }
            Op::Create { name } => store.create_mailbox(account, NAMES[*name], None).await.map(drop),
            Op::Delete { name } => store.delete_mailbox(account, NAMES[*name]).await.map(drop),
            Op::Rename { from, to } => store.rename_mailbox(account, NAMES[*from], NAMES[*to]).await.map(drop),
            Op::Sweep { secs } => {
                self.world.clock.advance(Duration::from_secs(*secs));
                store.sweep().await.map(drop)
            }
        }
    }

    /// Everything that can be seen is as in the model.
    pub(crate) async fn compare(&self) {
        let rows = self.store.mailboxes(self.account).await.unwrap();
        let mut names: Vec<&str> = rows.iter().map(|row| row.name.as_str()).collect();
        names.sort_unstable();
        assert_eq!(names, self.model.0.keys().collect::<Vec<_>>());
        let mut octets = 0;
        for row in &rows {
            let expected = &self.model.0[&row.name];
            assert_eq!((row.uid_next.0, row.highest_modseq.0), (expected.uid_next, expected.modseq), "{}", row.name);
            let messages = self.store.messages(self.account, row.id, Uid(1), Uid(u32::MAX), 1000).await.unwrap();
            assert_eq!(messages.len(), expected.messages.len(), "{}", row.name);
            let records = self.store.records(self.account, row.id, Uid(1), Uid(u32::MAX), 1000).await.unwrap();
            for ((message, record), (uid, expected)) in messages.iter().zip(records).zip(&expected.messages) {
                let flags = row.flags_of(message);
                assert_eq!((message.uid.0, message.modseq.0), (*uid, expected.modseq), "{}", row.name);
                assert_eq!((flags.system, flags.keywords), (expected.system, expected.keywords.clone()));
                assert_eq!(record, (message.uid, Bytes::from(vec![expected.content])));
                let mut reader = self.store.blob(&message.blob).await.unwrap().expect("the content is there");
                assert_eq!(reader.read(0, u64::MAX).await.unwrap(), content(expected.content));
                octets += message.octets;
            }
            let mut changes: BTreeMap<(u64, u32), bool> =
                expected.messages.iter().map(|(uid, message)| ((message.modseq, *uid), false)).collect();
            changes.extend(expected.expunged.iter().map(|(uid, modseq)| ((*modseq, *uid), true)));
            let found = self.store.changes(self.account, row.id, ModSeq(0), None, 1000).await.unwrap();
            let found: Vec<_> = found.iter().map(|change| ((change.modseq.0, change.uid.0), change.expunged)).collect();
            assert_eq!(found, changes.into_iter().collect::<Vec<_>>(), "{}", row.name);
        }
        assert_eq!(self.store.usage(self.account).await.unwrap().octets, octets);
    }

    /// No invariant is broken.
    pub(crate) async fn check(&self) {
        let mut findings = Vec::new();
        relais_storage::check::check(&self.store, true, &mut |finding| findings.push(finding.to_string()))
            .await
            .unwrap();
        assert_eq!(findings, Vec::<String>::new());
    }

    /// Goes on with what a power cut leaves.
    pub(crate) async fn power_cut(&mut self) {
        self.engine = self.engine.after_power_cut(Arc::new(SilentDoorbell));
        self.store = Store::open(Arc::new(self.engine.clone()), self.world.world()).await.unwrap();
    }

    /// Once swept, the store holds the contents of its messages and nothing else.
    pub(crate) async fn nothing_is_left_over(&self) {
        for table in [Table::Upload, Table::Grave, Table::Doomed, Table::Undo] {
            let rows = self.engine.scan(Key::global(table).range(), Order::Ascending, 10).await.unwrap();
            assert_eq!(rows, vec![], "{table:?}");
        }
        let contents = self.model.0.values().flat_map(|mailbox| mailbox.messages.values().map(|m| m.content));
        let contents: std::collections::BTreeSet<u8> = contents.collect();
        let blobs = self.engine.scan(Key::global(Table::Blob).range(), Order::Ascending, 100).await.unwrap();
        assert_eq!(blobs.len(), contents.len());
    }
}
