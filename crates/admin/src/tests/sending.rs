//! The suppression list and webhooks.

use mail::Topic;
use storage::suppressed::SuppressionReason;
use storage::webhooks::{HookCall, HookEvent};

use super::*;

#[tokio::test]
async fn the_suppression_list_is_seen_and_edited_by_administrators() {
    let store = stage().await;
    let request = |request| Request::Suppression(request);
    let list = || request(SuppressionRequest::List { after: None, limit: None });
    let add = |who: &str, days| {
        request(SuppressionRequest::Add { address: address(who), note: "asked by phone".into(), days })
    };
    assert_eq!(ask(&store, list()).await, Ok(Response::Suppressions(Vec::new())));
    assert!(said(ask(&store, add("zoe@far.example", Some(3))).await).contains("is on the suppression list"));
    assert!(said(ask(&store, add("alice@example.org", None)).await).contains("is an address of this server"));
    let Ok(Response::Suppressions(rows)) = ask(&store, list()).await else { panic!() };
    assert_eq!((rows.len(), rows[0].reason, rows[0].detail.as_str()), (1, SuppressionReason::ByHand, "asked by phone"));
    let show = request(SuppressionRequest::Show { address: address("ZOE@far.example") });
    assert_eq!(ask(&store, show).await, Ok(Response::Suppressions(rows)));
    let remove = || request(SuppressionRequest::Remove { address: address("zoe@far.example") });
    assert!(ask(&store, remove()).await.is_ok());
    assert_eq!(ask(&store, remove()).await.unwrap_err().kind, ErrorKind::NotFound);
    let bob = Actor::Account { id: store.directory().account(&address("bob@example.org")).unwrap().id, remote: None };
    for asked in [list(), add("zoe@far.example", None), Request::Webhook(WebhookRequest::List)] {
        assert_eq!(ask_as(&store, &settings(), &bob, asked).await.unwrap_err().kind, ErrorKind::Denied);
    }
}

#[tokio::test]
async fn the_secret_of_a_webhook_is_shown_once() {
    let store = stage().await;
    let add = |url: &str, events| Request::Webhook(WebhookRequest::Add { url: url.into(), events });
    let Ok(Response::Webhook(added)) = ask(&store, add("https://hooks.example.net/x", vec![])).await else { panic!() };
    let secret = added.secret.clone().unwrap();
    assert_eq!((secret.len(), added.id, added.events.as_slice()), (64, 1, &HookEvent::ALL[..]));
    let show = || Request::Webhook(WebhookRequest::Show { id: 1 });
    for answer in [ask(&store, show()).await, ask(&store, Request::Webhook(WebhookRequest::List)).await] {
        assert!(!serde_json::to_string(&answer).unwrap().contains(&secret) && !said(answer).contains(&secret));
    }
    // A test is a call like others, without the secret.
    assert!(ask(&store, Request::Webhook(WebhookRequest::Test { id: 1 })).await.is_ok());
    let waiting = store.events_after(Topic::Webhook, 0, 9).await.unwrap();
    assert_eq!(HookCall::decode(&waiting[0].payload).unwrap().event, HookEvent::Test);
    assert!(ask(&store, Request::Webhook(WebhookRequest::Enable { id: 1 })).await.is_ok());
    assert!(ask(&store, Request::Webhook(WebhookRequest::Remove { id: 1 })).await.is_ok());
    assert_eq!(ask(&store, show()).await.unwrap_err().kind, ErrorKind::NotFound);
}

#[tokio::test]
async fn a_webhook_is_no_way_into_the_servers_own_network() {
    let store = stage().await;
    let add = |url: &str| Request::Webhook(WebhookRequest::Add { url: url.into(), events: vec![] });
    for inside in [
        "http://hooks.example.net/",
        "https://127.0.0.1/",
        "https://10.0.0.8:8443/x",
        "https://[::1]/",
        "ftp://x.example/",
    ] {
        assert_eq!(ask(&store, add(inside)).await.unwrap_err().kind, ErrorKind::Invalid, "{inside}");
    }
    let settings = Settings { webhooks_reach_private: true, ..settings() };
    assert!(ask_as(&store, &settings, &Actor::System, add("http://127.0.0.1:8080/x")).await.is_ok());
}
