//! Calls in simulated time, to a hook that answers as it is told. The consumer's loop is `bus`'s; here each event is handed over by hand.

use std::collections::VecDeque;

use bus::Consumer as _;
use delivery::DeliverySettings;
use mail::{Address, Domain};
use routing::objects::{AccountObject, DomainObject, Object, Role};
use storage::objects::PutMode;
use storage::{MemoryEngine, SilentDoorbell};
use world::https::{HttpsError, Response};
use world::simulated::SimulatedWorld;

use super::*;

/// Answers with these statuses in turn, then with 200; keeps what was asked.
#[derive(Default)]
struct Far {
    statuses: Mutex<VecDeque<u16>>,
    calls: Mutex<Vec<Request>>,
}

impl Https for Far {
    fn exchange(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpsError>> {
        self.calls.lock().push(request);
        let status = self.statuses.lock().pop_front().unwrap_or(200);
        let answer = if status == 0 {
            Err(HttpsError::NotPublic)
        } else {
            Ok(Response { status, fields: Vec::new(), body: Vec::new() })
        };
        Box::pin(std::future::ready(answer))
    }
}

struct Stage {
    world: SimulatedWorld,
    store: Store,
    far: Arc<Far>,
    hooks: Hooks,
}

async fn stage(statuses: &[u16]) -> Stage {
    let world = SimulatedWorld::new(Timestamp(1_700_000_000_000), 7);
    let store = Store::open(Arc::new(MemoryEngine::new(Arc::new(SilentDoorbell))), world.world()).await.unwrap();
    let domain = DomainObject::new("example.org".parse().unwrap());
    store.put_object(Object::Domain(domain), PutMode::Add).await.unwrap();
    let mut root = AccountObject::new(Address::parse("root@example.org").unwrap());
    root.role = Role::Administrator;
    store.add_account(root).await.unwrap();
    let hostname: Domain = "mx.example.org".parse().unwrap();
    let delivery = Delivery::new(store.clone(), DeliverySettings { hostname, message_octets_max: 1 << 20 });
    let far = Arc::new(Far::default());
    far.statuses.lock().extend(statuses);
    let hooks = Hooks::new(delivery, far.clone(), Settings { reach: Reach::Public });
    Stage { world, store, far, hooks }
}

impl Stage {
    async fn hook(&self, url: &str, events: &[HookEvent]) -> u64 {
        let row = WebhookRow {
            id: 0,
            url: url.to_owned(),
            events: events.to_vec(),
            secret: "s3cret".to_owned(),
            enabled: true,
            created_at: self.store.now(),
            succeeded_at: None,
            failing_since: None,
            last_error: None,
        };
        self.store.add_webhook(row).await.unwrap().value.id
    }

    async fn tell(&self, event: HookEvent) {
        let now = self.store.now();
        let told = json!({ "sender": "a@example.org" });
        self.store.transact(move |tx| tx.call_webhooks(event, now, &told)).await.unwrap();
    }

    async fn waiting(&self) -> Vec<EventRow> {
        self.store.events_after(Topic::Webhook, 0, 99).await.unwrap()
    }

    /// Takes what is due now.
    async fn work(&self) {
        for event in self.waiting().await.iter().filter(|event| event.due <= self.store.now()) {
            self.hooks.take(event).await.unwrap();
        }
    }

    fn calls(&self) -> usize {
        self.far.calls.lock().len()
    }
}

const URL: &str = "https://hooks.example.net/relais";

#[tokio::test]
async fn a_call_is_signed_and_made_once() {
    let s = stage(&[]).await;
    assert!(!s.store.has_webhooks());
    let id = s.hook(URL, &[HookEvent::Failed]).await;
    assert!(s.store.has_webhooks());
    s.tell(HookEvent::Delivered).await;
    assert!(s.waiting().await.is_empty(), "it did not ask for that");
    s.tell(HookEvent::Failed).await;
    s.work().await;
    s.work().await;
    let calls = s.far.calls.lock().clone();
    let [call] = calls.as_slice() else { panic!("{calls:?}") };
    assert_eq!((call.url.to_string().as_str(), call.reach), (URL, Reach::Public));
    let field = |name: &str| call.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.clone()).unwrap();
    assert_eq!(field("Relais-Event"), "failed");
    assert_eq!(field("Relais-Signature"), signature("s3cret", 1_700_000_000, &call.body));
    let body: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
    assert_eq!((body["event"].as_str(), body["told"]["sender"].as_str()), (Some("failed"), Some("a@example.org")));
    assert_eq!(body["id"].as_str().unwrap(), field("Relais-Event-Id"));
    assert!(!String::from_utf8_lossy(&call.body).contains("s3cret"));
    let row = s.store.webhook(id).await.unwrap().unwrap();
    assert_eq!((row.succeeded_at, row.failing_since), (Some(s.store.now()), None));
    assert!(!format!("{row:?}").contains("s3cret"));
}

#[tokio::test]
async fn a_failure_is_tried_again_after_a_growing_wait_under_its_number() {
    let s = stage(&[500, 0, 302]).await;
    let id = s.hook(URL, &HookEvent::ALL).await;
    s.tell(HookEvent::Accepted).await;
    for (n, delay) in DELAYS.iter().take(3).enumerate() {
        s.work().await;
        assert_eq!(s.calls(), n + 1);
        // What comes meanwhile waits as long, without a call.
        s.tell(HookEvent::Delivered).await;
        s.work().await;
        assert_eq!(s.calls(), n + 1);
        s.world.clock.advance(*delay - Duration::from_secs(1));
        s.work().await;
        assert_eq!(s.calls(), n + 1, "not before its time");
        s.world.clock.advance(Duration::from_secs(1));
    }
    assert!(s.store.webhook(id).await.unwrap().unwrap().last_error.unwrap().contains("status 302"));
    s.work().await;
    assert!(s.waiting().await.is_empty());
    let calls = s.far.calls.lock().clone();
    let id_of = |call: &Request| call.fields.iter().find(|(n, _)| n == "Relais-Event-Id").unwrap().1.clone();
    let first = calls.iter().filter(|call| id_of(call) == id_of(&calls[0])).count();
    assert_eq!((calls.len(), first), (7, 4), "three failures, then all four");
    let row = s.store.webhook(id).await.unwrap().unwrap();
    assert_eq!((row.failing_since, row.last_error), (None, None));
}

#[tokio::test]
async fn one_hook_that_fails_keeps_no_other_from_being_told() {
    let s = stage(&[500]).await;
    s.hook(URL, &HookEvent::ALL).await;
    s.hook("https://other.example.net/", &HookEvent::ALL).await;
    s.tell(HookEvent::Failed).await;
    s.work().await;
    assert_eq!(s.calls(), 2);
    assert_eq!(s.waiting().await.len(), 1);
}

#[tokio::test]
async fn a_hook_that_fails_for_days_is_switched_off_with_a_letter() {
    let s = stage(&[500; 99]).await;
    let id = s.hook(URL, &HookEvent::ALL).await;
    let letters = async || {
        let root = s.store.directory().account(&Address::parse("root@example.org").unwrap()).unwrap().id;
        s.store.inbox(root).await.unwrap().messages
    };
    for _ in 0..4 * 24 {
        s.tell(HookEvent::Failed).await;
        s.work().await;
        s.world.clock.advance(Duration::from_secs(3_600));
    }
    assert!(!s.store.webhook(id).await.unwrap().unwrap().enabled);
    assert_eq!(letters().await, 1);
    let calls = s.calls();
    s.tell(HookEvent::Failed).await;
    s.world.clock.advance(Duration::from_secs(86_400));
    s.work().await;
    assert_eq!((s.calls(), s.waiting().await.len()), (calls, 0), "what waited is told to nobody");
    assert_eq!(storage::check::check(&s.store, true, &mut |_| {}).await.unwrap().findings, 0);
}

#[tokio::test]
async fn a_hook_that_is_gone_is_switched_off_at_once_and_can_be_tested_all_the_same() {
    let s = stage(&[410]).await;
    let id = s.hook(URL, &HookEvent::ALL).await;
    s.tell(HookEvent::Failed).await;
    s.work().await;
    assert!(!s.store.webhook(id).await.unwrap().unwrap().enabled);
    let call = HookCall { hook: id, id: None, event: HookEvent::Test, at: s.store.now(), attempts: 0, told: json!({}) };
    let now = s.store.now();
    s.store.transact(move |tx| tx.emit(Topic::Webhook, now, call.encode())).await.unwrap();
    s.work().await;
    assert_eq!((s.calls(), s.waiting().await.len()), (2, 0));
    assert!(s.store.webhook(id).await.unwrap().unwrap().succeeded_at.is_some());
}

#[tokio::test]
async fn what_is_too_old_or_of_no_hook_is_not_told_and_a_plain_address_is_not_called() {
    let s = stage(&[]).await;
    let id = s.hook(URL, &HookEvent::ALL).await;
    s.tell(HookEvent::Failed).await;
    s.world.clock.advance(CALL_AGE_MAX + Duration::from_secs(1));
    s.work().await;
    assert_eq!((s.calls(), s.waiting().await.len()), (0, 0));
    s.tell(HookEvent::Failed).await;
    assert!(s.store.remove_webhook(id).await.unwrap() && !s.store.has_webhooks());
    s.work().await;
    assert_eq!((s.calls(), s.waiting().await.len()), (0, 0));
    s.hook("http://hooks.example.net/", &HookEvent::ALL).await;
    s.tell(HookEvent::Failed).await;
    s.work().await;
    assert_eq!((s.calls(), s.waiting().await.len()), (0, 1));
}
