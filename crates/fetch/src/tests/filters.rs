//! Filters of the owner act on what is fetched into INBOX or Spam, and leave alone what they have put elsewhere.

use filter::{Actions, Filter, FilterSet, Place};

use super::*;

async fn filters(near: &Near, filters: Vec<Filter>) {
    let set = FilterSet { account: near.alice, filters };
    near.store().put_object(Object::Filters(set), PutMode::Add).await.unwrap();
}

fn filter(name: &str, condition: &str, actions: Actions) -> Filter {
    Filter { conditions: vec![condition.parse().unwrap()], actions, ..Filter::new(name) }
}

async fn count(near: &Near, name: &str) -> u32 {
    near.store().mailbox_by_name(near.alice, name).await.unwrap().map_or(0, |row| row.messages)
}

#[tokio::test]
async fn i03_what_is_fetched_is_filtered_once() {
    for pop3 in [false, true] {
        let (near, far) = Near::new(pop3, |_| ()).await;
        three(&far);
        let moved = Actions { folder: Some("Two".to_owned()), ..Actions::default() };
        let deleted = Actions { discard: true, ..Actions::default() };
        filters(&near, vec![filter("two", "subject is 2", moved), filter("three", "subject is 3", deleted)]).await;
        for _ in 0..2 {
            let status = near.look().await;
            assert_eq!((status.last_error, status.fetched), (None, 3), "each is fetched once, whatever becomes of it");
            assert_eq!((near.contents().await, count(&near, "Two").await), (vec![text(1)], 1));
        }
        let owner = Address::parse("alice@a.example").unwrap();
        let query = TraceQuery { term: Some(Term::Recipient(owner)), since: None, until: None, limit: 9 };
        let traces = near.store().traces(&query).await.unwrap();
        let told: Vec<String> =
            traces.iter().flat_map(|trace| &trace.steps).map(|taken| taken.step.to_string()).collect();
        for step in [
            "alice@a.example: filter \"two\" moves it to Two",
            "delivered to alice@a.example, mailbox Two, UID 1",
            "alice@a.example: filter \"three\" deletes it for good",
        ] {
            assert!(told.iter().any(|one| one == step), "{step}: {told:?}");
        }
        near.sound().await;
    }
}

#[tokio::test]
async fn i03_what_is_fetched_into_spam_or_another_folder() {
    let (near, far) = Near::new(false, |external| external.mailbox = "Junk".into()).await;
    three(&far);
    let rescued = Actions { folder: Some("INBOX".to_owned()), ..Actions::default() };
    let deleted = Actions { discard: true, ..Actions::default() };
    let spam = Filter { places: vec![Place::Spam], ..filter("rescue", "subject is 2", rescued) };
    filters(&near, vec![filter("inbox", "size larger 0", deleted), spam]).await;
    assert_eq!(near.look().await.last_error, None);
    assert_eq!((near.contents().await, count(&near, "Junk").await), (vec![text(2)], 2));
    near.change(|external| external.mailbox = "Old".into()).await;
    far.put(9, "", &text(4));
    near.look().await;
    assert_eq!(count(&near, "Old").await, 1, "its owner has chosen this folder");
    near.sound().await;
}

#[tokio::test]
async fn i03_copies_that_do_not_fit_keep_nothing_from_being_fetched() {
    let (near, far) = Near::new(false, |_| ()).await;
    three(&far);
    let mut alice = (**near.store().directory().account_by_id(near.alice).unwrap()).clone();
    alice.quota_messages = Some(4);
    near.store().put_object(Object::Account(alice), PutMode::Replace).await.unwrap();
    let copied = Actions { copies: vec!["A".to_owned(), "B".to_owned()], ..Actions::default() };
    filters(&near, vec![filter("two", "subject is 3", copied)]).await;
    let status = near.look().await;
    assert_eq!((status.last_error, status.fetched), (None, 3));
    assert_eq!((near.contents().await.len(), count(&near, "A").await, count(&near, "B").await), (3, 1, 0));
    let owner = Address::parse("alice@a.example").unwrap();
    let query = TraceQuery { term: Some(Term::Recipient(owner)), since: None, until: None, limit: 9 };
    let traces = near.store().traces(&query).await.unwrap();
    let mut told = traces.iter().flat_map(|trace| &trace.steps).map(|taken| taken.step.to_string());
    assert!(told.any(|one| one == "alice@a.example: not copied to B: the account has no room for it"));
    near.sound().await;
}
