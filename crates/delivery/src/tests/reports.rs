//! DMARC aggregate reports: counted with the message, sent when the day is over.

use std::time::Duration;

use sender_auth::verify::{Authentication, Client, Dmarc, Outcome, Policy, Published, Rules, Said, Spf};
use world::BoxFuture;
use world::https::{Https, HttpsError, Method, Reach, Request, Response};

use super::*;
use crate::Checks;

fn found(outcome: Outcome) -> Authentication {
    Authentication {
        spf: Spf { outcome, domain: "far.example".to_owned(), explanation: None },
        dmarc: vec![Dmarc {
            outcome,
            domain: "news.far.example".to_owned(),
            policy: Some(Policy::Reject),
            spf_aligned: outcome == Outcome::Pass,
            published: Some(Published {
                domain: "far.example".to_owned(),
                policy: Policy::Reject,
                report_to: vec![("dmarc@reports.example".to_owned(), 0), ("small@far.example".to_owned(), 10)],
                ..Published::default()
            }),
            ..Dmarc::default()
        }],
        ..Authentication::default()
    }
}

async fn hand_over(delivery: &Delivery, outcome: Outcome) -> bool {
    let delivery = delivery.clone().checking(Checks::new(Arc::new(Said(found(outcome))), Rules::default()));
    let reverse_path = Some(address("zoe@far.example"));
    let client = Client { ip: "192.0.2.1".parse().unwrap(), helo: None, reverse_path };
    let mut intake = delivery.checked_intake(client, b"Received: x\r\n").await.unwrap();
    intake.write(MESSAGE).await.unwrap();
    let Ok(prepared) = intake.finish(envelope(&["alice@example.org"])).await else { return false };
    delivery.store().transact(move |tx| prepared.apply(tx)).await.unwrap();
    true
}

#[tokio::test]
async fn rfc9990_a_day_is_counted_and_told_once() {
    let sim = SimulatedWorld::new(Timestamp(1_700_000_000_000), 7);
    let store = Store::open(Arc::new(MemoryEngine::default()), sim.world()).await.unwrap();
    store.put_object(Object::Domain(DomainObject::new("example.org".parse().unwrap())), PutMode::Add).await.unwrap();
    store.add_account(AccountObject::new(address("alice@example.org"))).await.unwrap();
    let settings = DeliverySettings { hostname: "mx.example.org".parse().unwrap(), message_octets_max: 100_000 };
    let silent = Delivery::new(store.clone(), settings);
    let delivery = silent.clone().reporting_from(address("dmarc@example.org"));
    let delivery = delivery.checking(Checks::new(Arc::new(Said(Authentication::default())), Rules::default()));

    assert!(hand_over(&silent, Outcome::Pass).await);
    assert_eq!(
        store.next_report(storage::dmarc_reports::ReportKind::Dmarc, u32::MAX, None).await.unwrap(),
        None,
        "nobody asked for reports here"
    );
    for outcome in [Outcome::Pass, Outcome::Pass, Outcome::Fail, Outcome::TemporaryError] {
        assert_eq!(hand_over(&delivery, outcome).await, outcome == Outcome::Pass, "{outcome}");
    }
    assert_eq!(delivery.send_reports().await.unwrap(), 0, "the day is not over");
    sim.clock.advance(Duration::from_secs(86_400));
    assert_eq!(delivery.send_reports().await.unwrap(), 1);
    assert_eq!(delivery.send_reports().await.unwrap(), 0);

    let queued = store.queue_entries(QueueId(0), 10).await.unwrap();
    assert_eq!(
        (queued.len(), queued[0].destination.as_str()),
        (1, "reports.example"),
        "the other one takes only ten octets"
    );
    assert_eq!(queued[0].reverse_path, ReversePath::Null);
    let mut blob = store.blob(&queued[0].blob).await.unwrap().unwrap();
    let content = blob.read(u64::from(queued[0].skip_octets), u64::MAX).await.unwrap();
    let text = String::from_utf8(content.clone()).unwrap();
    assert!(text.contains("Report Domain: far.example Submitter: mx.example.org"), "{text}");
    assert!(text.contains("application/gzip") && text.contains("mx.example.org!far.example!"), "{text}");
    let structure = message::Scanner::scan(&content);
    let part = structure.parts.last().unwrap();
    let encoding = message::TransferEncoding::from_field(part.mime.encoding.as_deref());
    let packed = message::decode_bytes(part.body().of(&content), encoding);
    let mut xml = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(&*packed), &mut xml).unwrap();
    for part in [
        "<domain>far.example</domain>",
        "<count>2</count>",
        "<count>1</count>",
        "<disposition>reject</disposition>",
        "<header_from>news.far.example</header_from>",
    ] {
        assert!(xml.contains(part), "{part} in {xml}");
    }
    assert_eq!(xml.matches("<record>").count(), 2);
    let checked = storage::check::check(&store, true, &mut |finding| panic!("{finding:?}")).await.unwrap();
    assert_eq!(checked.findings, 0);
}

/// Answers with these statuses in turn, then with 200; keeps what was asked.
#[derive(Default)]
struct Web {
    statuses: parking_lot::Mutex<Vec<u16>>,
    calls: parking_lot::Mutex<Vec<Request>>,
}

impl Https for Web {
    fn exchange(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpsError>> {
        self.calls.lock().push(request);
        let status = self.statuses.lock().pop();
        let answer = match status {
            Some(0) => Err(HttpsError::TimedOut),
            status => Ok(Response { status: status.unwrap_or(200), fields: Vec::new(), body: Vec::new() }),
        };
        Box::pin(std::future::ready(answer))
    }
}

/// RFC 8460 §5.4, §5.5: by a POST, again for a day while the server takes nothing; letters leave once.
#[tokio::test]
async fn rfc8460_web_servers_are_told_by_post_and_again_for_a_day() {
    let sim = SimulatedWorld::new(Timestamp(1_700_000_000_000), 7);
    let store = Store::open(Arc::new(MemoryEngine::default()), sim.world()).await.unwrap();
    let settings = DeliverySettings { hostname: "mx.example.org".parse().unwrap(), message_octets_max: 100_000 };
    let web = Arc::new(Web::default());
    let delivery = Delivery::new(store.clone(), settings).reporting_from(address("tls@example.org"));
    let delivery = delivery.posting(web.clone());
    let policy = crate::tls_reports::TlsPolicyUsed {
        policy_type: "sts".into(),
        policy_string: Vec::new(),
        policy_domain: "far.example".into(),
        mx_host: Vec::new(),
    };
    let session = crate::tls_reports::TlsSession { policy, failure: None };
    let readers =
        ["tls@far.example", "https://reports.example/tls?of=far", "https://other.example/"].map(str::to_owned);
    let far = || mail::Domain::parse("far.example").unwrap();
    let letters = async || store.queue_entries(QueueId(0), 10).await.unwrap().len();

    delivery.count_tls_session(far(), &readers, &session).await;
    sim.clock.advance(Duration::from_secs(86_400));
    // One takes it at once, the other says no, then nothing, then takes it.
    *web.statuses.lock() = vec![204, 0, 503, 201];
    assert_eq!(delivery.send_reports().await.unwrap(), 2, "a letter, and one of the servers");
    assert_eq!((letters().await, web.calls.lock().len()), (1, 2));
    sim.clock.advance(Duration::from_secs(3_600));
    assert_eq!(delivery.send_reports().await.unwrap(), 0);
    assert_eq!(delivery.send_reports().await.unwrap(), 1);
    assert_eq!(delivery.send_reports().await.unwrap(), 0);
    let calls = std::mem::take(&mut *web.calls.lock());
    let asked: Vec<String> = calls.iter().map(|call| call.url.to_string()).collect();
    let other = "https://other.example/";
    assert_eq!(asked, ["https://reports.example/tls?of=far", other, other, other]);
    assert_eq!(letters().await, 1, "it is not written again");
    for call in &calls {
        assert_eq!((call.method, call.reach), (Method::Post, Reach::Public));
        assert_eq!(call.fields, [("Content-Type".to_owned(), "application/tlsrpt+gzip".to_owned())]);
        assert_eq!(call.body, calls[0].body, "the same report, under the same name");
    }
    let mut json = String::new();
    std::io::Read::read_to_string(&mut flate2::read::GzDecoder::new(calls[0].body.as_slice()), &mut json).unwrap();
    let report: serde_json::Value = serde_json::from_str(&json).unwrap();
    assert_eq!(report["policies"][0]["summary"]["total-successful-session-count"], 1);

    // One that never takes it is given up after a day.
    delivery.count_tls_session(far(), &readers[1..2], &session).await;
    *web.statuses.lock() = vec![404; 100];
    let mut hours = 0;
    while hours < 80 {
        sim.clock.advance(Duration::from_secs(3_600));
        assert_eq!(delivery.send_reports().await.unwrap(), 0);
        hours += 1;
    }
    let tried = web.calls.lock().len();
    assert!((23..=26).contains(&tried), "{tried}");
    let kind = storage::dmarc_reports::ReportKind::Tls;
    assert_eq!(store.next_report(kind, u32::MAX, None).await.unwrap(), None);
    let checked = storage::check::check(&store, true, &mut |finding| panic!("{finding:?}")).await.unwrap();
    assert_eq!(checked.findings, 0);
}
