//! Removing an account takes everything of it, and nothing of another.

use std::collections::BTreeSet;

use mail::{AccountId, Address};
use relais_storage::{Engine, KeyRange, Order};

use crate::model::Op;
use crate::stage::{Stage, account};

/// The tables that have rows of an account and the account's number there.
async fn rows_of(stage: &Stage, account: AccountId) -> BTreeSet<u8> {
    let all = KeyRange { start: vec![0], end: vec![0xFF] };
    let rows = stage.engine.scan(all, Order::Ascending, 10_000).await.unwrap();
    rows.iter().filter(|(key, _)| key[1..9] == account.0.to_be_bytes()).map(|(key, _)| key[0]).collect()
}

#[tokio::test]
async fn a_removed_account_leaves_no_row() {
    let mut stage = Stage::new().await;
    let bob = stage.store.add_account(account("bob", None, &stage.store)).await.unwrap().value.id;
    for op in [Op::Append { to: 0, content: 4, flags: 0 }, Op::Append { to: 1, content: 0, flags: 0 }] {
        stage.step(&op).await;
    }
    let bobs = rows_of(&stage, bob).await;
    assert!(!bobs.is_empty());
    let address = Address::parse("alice@example.org").unwrap();
    let _done = stage.store.remove_account(&address).await.unwrap();
    assert_eq!(rows_of(&stage, AccountId(1)).await, BTreeSet::new());
    assert_eq!(rows_of(&stage, bob).await, bobs);
    assert!(stage.store.directory().account(&address).is_none());
    stage.check().await;
    // The number is not used again.
    let again = stage.store.add_account(account("alice", None, &stage.store)).await.unwrap().value.id;
    assert!(again > bob);
    assert_eq!(stage.store.usage(again).await.unwrap().octets, 0);
    stage.check().await;
}
