//! DMARC aggregate reports: counted with the message, sent when the day is over.

use std::time::Duration;

use sender_auth::verify::{Authentication, Client, Dmarc, Outcome, Policy, Published, Rules, Said, Spf};

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
