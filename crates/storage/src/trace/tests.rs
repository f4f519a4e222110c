//! Traces: found by each term, bounded, gone with their index.

use std::sync::Arc;

use mail::{Address, Reply, Timestamp, TraceId};
use world::simulated::SimulatedWorld;

use super::*;
use crate::engine::Engine;
use crate::{MemoryEngine, Store};

const DAY: i64 = 86_400_000;

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn from(text: &str) -> ReversePath {
    ReversePath::Address(address(text))
}

fn id(at: i64, number: u8) -> TraceId {
    TraceId::new(Timestamp(at), [number; 10])
}

fn decided(at: i64, text: &str) -> Taken {
    Taken { at: Timestamp(at), step: Step::Decided { text: text.to_owned() } }
}

async fn store() -> (MemoryEngine, Store) {
    let engine = MemoryEngine::default();
    let world = SimulatedWorld::new(Timestamp(100 * DAY), 1).world();
    (engine.clone(), Store::open(Arc::new(engine), world).await.unwrap())
}

async fn put(store: &Store, id: TraceId, text: &str, terms: Vec<Term>) {
    let steps = vec![decided(1, text)];
    let write = move |tx: &mut Transaction<'_>| {
        tx.index_trace(id, terms.clone());
        tx.trace(id, &steps)
    };
    store.transact(write).await.unwrap();
}

async fn found(store: &Store, term: Option<Term>, since: Option<i64>, until: Option<i64>) -> Vec<TraceId> {
    let query = TraceQuery { term, since: since.map(Timestamp), until: until.map(Timestamp), limit: 10 };
    store.traces(&query).await.unwrap().into_iter().map(|trace| trace.id).collect()
}

#[tokio::test]
async fn found_by_each_term_the_latest_first() {
    let (_, store) = store().await;
    let terms = |n: u8| {
        let number = Term::MessageId(format!("{n}@x"));
        vec![number, Term::Sender(from("Alice@a.example")), Term::Recipient(address(&format!("u{n}@b.example")))]
    };
    for n in 1..=3_u8 {
        put(&store, id(i64::from(n) * DAY, n), "x", terms(n)).await;
    }
    let all = [id(3 * DAY, 3), id(2 * DAY, 2), id(DAY, 1)];
    assert_eq!(found(&store, None, None, None).await, all);
    assert_eq!(found(&store, Some(Term::Sender(from("alice@A.example"))), None, None).await, all);
    assert_eq!(found(&store, Some(Term::MessageId("2@x".to_owned())), None, None).await, [all[1]]);
    assert_eq!(found(&store, Some(Term::Recipient(address("u3@b.example"))), None, None).await, [all[0]]);
    assert!(found(&store, Some(Term::Recipient(address("alice@a.example"))), None, None).await.is_empty());
    assert_eq!(found(&store, None, Some(2 * DAY), None).await, all[..2]);
    assert_eq!(found(&store, None, None, Some(2 * DAY)).await, all[1..]);
    let sender = Some(Term::Sender(from("alice@a.example")));
    assert_eq!(found(&store, sender, Some(2 * DAY), Some(2 * DAY)).await, [all[1]]);
    let null = || Some(Term::Sender(ReversePath::Null));
    assert!(found(&store, null(), None, None).await.is_empty());
    put(&store, id(4 * DAY, 4), "a report", vec![Term::Sender(ReversePath::Null)]).await;
    assert_eq!(found(&store, null(), None, None).await, [id(4 * DAY, 4)]);
}

#[tokio::test]
async fn later_steps_follow_and_are_bounded() {
    let (_, store) = store().await;
    let trace = id(DAY, 1);
    for n in 0..TRACE_STEPS_MAX + 5 {
        let steps = vec![decided(i64::from(n), "next")];
        store.transact(move |tx| tx.trace(trace, &steps)).await.unwrap();
    }
    let kept = store.trace(trace).await.unwrap().unwrap();
    assert_eq!(kept.steps.len(), TRACE_STEPS_MAX as usize);
    let times: Vec<i64> = kept.steps.iter().map(|taken| taken.at.0).collect();
    assert_eq!(times, (0..i64::from(TRACE_STEPS_MAX)).collect::<Vec<_>>());
    assert_eq!(store.trace(id(DAY, 2)).await.unwrap(), None);
}

#[tokio::test]
async fn old_traces_go_with_their_index_and_nothing_else_does() {
    let (engine, store) = store().await;
    for n in 1..=3_u8 {
        put(&store, id(i64::from(n) * DAY, n), "x", vec![Term::Sender(from("alice@a.example"))]).await;
    }
    assert_eq!(store.sweep_traces(Timestamp(3 * DAY)).await.unwrap(), 2);
    assert_eq!(found(&store, None, None, None).await, [id(3 * DAY, 3)]);
    for table in [Table::Trace, Table::TraceIndex, Table::TraceTerms] {
        let rows = engine.scan(Key::global(table).range(), Order::Ascending, 10).await.unwrap();
        assert_eq!(rows.len(), 1, "{table:?}");
    }
    assert_eq!(store.sweep_traces(Timestamp(3 * DAY)).await.unwrap(), 0);
}

#[test]
fn steps_read_back_and_speak_plainly() {
    let reply = Reply::fixed(550, mail::EnhancedCode(5, 1, 1), "No such mailbox here");
    let steps = vec![
        Taken {
            at: Timestamp(5),
            step: Step::Received {
                by: "smtp".to_owned(),
                client: Some("192.0.2.1 (mx.far.example)".to_owned()),
                login: None,
                reverse_path: ReversePath::Null,
                message_id: Some("1@x".to_owned()),
                octets: 7,
            },
        },
        Taken { at: Timestamp(6), step: Step::Refused { recipient: Some(address("x@a.example")), reply } },
    ];
    let json = serde_json::to_vec(&steps).unwrap();
    assert_eq!(serde_json::from_slice::<Vec<Taken>>(&json).unwrap(), steps);
    let text: Vec<String> = steps.iter().map(|taken| taken.step.to_string()).collect();
    assert_eq!(
        text,
        [
            "received by smtp from 192.0.2.1 (mx.far.example), sender <>, 7 octets, Message-ID <1@x>",
            "refused for x@a.example: 550 5.1.1 No such mailbox here",
        ]
    );
}
