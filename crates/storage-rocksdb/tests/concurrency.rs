//! Many tasks at once on one store: deposits, flags, copies and expunges lose nothing and break nothing.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a test: what goes wrong is a failure"
)]

use std::sync::Arc;

use mail::{Address, Flags, InternalDate, MailboxId, SystemFlags, Timestamp, Uid};
use relais_storage_rocksdb::{Options, RocksEngine};
use routing::objects::AccountObject;
use storage::messages::{ExpungeScope, FlagChange, NewMessage};
use storage::{Engine, SilentDoorbell, Store};
use world::simulated::SimulatedWorld;

const TASKS: u32 = 16;
const EACH: u32 = 25;

fn alice() -> AccountObject {
    AccountObject::new(Address::parse("alice@example.org").unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_mailbox_under_many_tasks() {
    let directory = tempfile::tempdir().unwrap();
    let options = Options { free_octets_min: 0, ..Options::default() };
    let engine = Arc::new(RocksEngine::open(directory.path(), options, Arc::new(SilentDoorbell)).unwrap());
    let world = SimulatedWorld::new(Timestamp(1_800_000_000_000), 3).world();
    let store = Store::open(Arc::clone(&engine) as Arc<dyn Engine>, world).await.unwrap();
    let domain = routing::objects::DomainObject::new(mail::Domain::parse("example.org").unwrap());
    let domain = routing::objects::Object::Domain(domain);
    drop(store.put_object(domain, storage::objects::PutMode::Add).await.unwrap());
    let account = store.add_account(alice()).await.unwrap().value.id;
    let (inbox, other) = (MailboxId(1), MailboxId(2));
    let mut tasks = Vec::new();
    for task in 0..TASKS {
        let store = store.clone();
        tasks.push(tokio::spawn(async move {
            for number in 0..EACH {
                // Every content comes from two tasks, so blobs are shared under way.
                let mut writer = store.blob_writer();
                writer.write(format!("{} {number}", task / 2).as_bytes()).await.unwrap();
                let staged = writer.finish();
                let message = NewMessage {
                    blob: staged.hash,
                    octets: staged.octets,
                    flags: Flags::default(),
                    internal_date: InternalDate::from(store.now()),
                    saved_at: store.now(),
                    record: None,
                };
                let uid = store.append(account, inbox, staged, message).await.unwrap().value.uid;
                let seen = FlagChange::Add(Flags::system(SystemFlags::SEEN));
                let changed = store.change_flags(account, inbox, vec![uid], seen, None).await.unwrap();
                assert_eq!(changed.value.rows.len(), 1);
                let _done = store.copy((account, inbox), vec![uid], (account, other)).await.unwrap();
                if number % 3 == 0 {
                    let gone = store.expunge(account, inbox, vec![uid], ExpungeScope::All).await.unwrap();
                    assert_eq!(gone.value, vec![uid]);
                }
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
    let all = TASKS * EACH;
    let row = store.mailbox(account, inbox).await.unwrap().unwrap();
    assert_eq!((row.uid_next, row.unseen), (Uid(all + 1), 0));
    assert_eq!(row.messages, all - TASKS * EACH.div_ceil(3));
    assert_eq!(store.mailbox(account, other).await.unwrap().unwrap().messages, all);
    let mut findings = Vec::new();
    let checked = storage::check::check(&store, true, &mut |finding| findings.push(finding.to_string())).await.unwrap();
    assert_eq!(findings, Vec::<String>::new());
    assert_eq!(checked.blobs, u64::from(all / 2));
    let statistics = engine.statistics();
    assert!(statistics.syncs < statistics.transactions, "{statistics:?}");
}
