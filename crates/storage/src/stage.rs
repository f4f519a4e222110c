//! What the tests of this crate begin with: a store in memory with one account, and messages for it.

use std::sync::Arc;

use mail::{AccountId, Address, Domain, Flags, InternalDate, MailboxId, Timestamp};
use routing::objects::{AccountObject, DomainObject, Object};
use world::simulated::SimulatedWorld;

use crate::MemoryEngine;
use crate::blobs::StagedBlob;
use crate::messages::NewMessage;
use crate::objects::PutMode;
use crate::store::Store;

pub(crate) const ALICE: AccountId = AccountId(1);
pub(crate) const INBOX: MailboxId = MailboxId(1);

/// The store on an engine, empty or as it was left.
pub(crate) async fn open(engine: &MemoryEngine) -> Store {
    let world = SimulatedWorld::new(Timestamp(1_800_000_000_000), 1).world();
    Store::open(Arc::new(engine.clone()), world).await.unwrap()
}

/// A new store, with the domain `example.org` and [`ALICE`] in it.
pub(crate) async fn house(engine: &MemoryEngine) -> Store {
    let store = open(engine).await;
    let domain = DomainObject::new(Domain::parse("example.org").unwrap());
    let _done = store.put_object(Object::Domain(domain), PutMode::Add).await.unwrap();
    let alice = AccountObject::new(Address::parse("alice@example.org").unwrap());
    assert_eq!(store.add_account(alice).await.unwrap().value.id, ALICE);
    store
}

/// A message that comes now, without flags and without a record.
pub(crate) async fn message(store: &Store, content: &[u8]) -> (StagedBlob, NewMessage) {
    let mut writer = store.blob_writer();
    writer.write(content).await.unwrap();
    let staged = writer.finish();
    let message = NewMessage {
        blob: staged.hash,
        octets: staged.octets,
        flags: Flags::default(),
        internal_date: InternalDate::from(store.now()),
        saved_at: store.now(),
        record: None,
    };
    (staged, message)
}
