//! From a message to what is kept of it, and to its trace.

use std::io::Write as _;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine as _;
use bus::Consumer as _;
use delivery::{Delivery, DeliverySettings};
use mail::{Address, Domain, DsnNotify, Envelope, EnvelopeRecipient, ForwardPath, ReversePath, Timestamp, Topic};
use routing::objects::{AccountObject, DomainObject, Object};
use sender_auth::report::read::{DmarcReport, TlsReport};
use storage::objects::PutMode;
use storage::received_reports::{ReceivedReport, ReportKind};
use storage::trace::{Term, TraceQuery};
use storage::{MemoryEngine, Store};
use world::simulated::SimulatedWorld;

use crate::Reports;

/// 2026-01-03.
const START: Timestamp = Timestamp(1_767_398_400_000);

struct Stage {
    sim: SimulatedWorld,
    store: Store,
    delivery: Delivery,
    reports: Reports,
}

impl Stage {
    async fn new() -> Self {
        let sim = SimulatedWorld::new(START, 1);
        let store = Store::open(Arc::new(MemoryEngine::default()), sim.world()).await.unwrap();
        let objects = store.objects();
        let domain = Object::Domain(DomainObject::new(Domain::parse("shop.example").unwrap()));
        store.transact(move |tx| objects.put(tx, domain.clone(), PutMode::Add)).await.unwrap();
        store.add_account(AccountObject::new(Address::parse("dmarc@shop.example").unwrap())).await.unwrap();
        let hostname = Domain::parse("mx.shop.example").unwrap();
        let delivery = Delivery::new(store.clone(), DeliverySettings { hostname, message_octets_max: 20_000_000 });
        let delivery = delivery.reading_reports_at(vec![Address::parse("DMARC@shop.example").unwrap()]);
        let reports = Reports::new(store.clone(), 30);
        Self { sim, store, delivery, reports }
    }

    /// A message to an address, and what its trace ends with.
    async fn told(&self, to: &str, content: &[u8]) -> String {
        let mut envelope = Envelope::new(ReversePath::Null);
        envelope.recipients.push(EnvelopeRecipient {
            forward_path: ForwardPath::Address(Address::parse(to).unwrap()),
            notify: DsnNotify::NEVER,
            original: None,
        });
        let mut intake = self.delivery.intake(&envelope.reverse_path, b"").await.unwrap();
        intake.write(content).await.unwrap();
        let prepared = intake.finish(envelope).await.unwrap();
        let trace = prepared.trace().unwrap();
        self.store.transact(move |tx| prepared.apply(tx).map(drop)).await.unwrap();
        for event in self.store.events_after(Topic::ReportReceived, 0, 10).await.unwrap() {
            self.reports.take(&event).await.unwrap();
            // Again, as after a crash: nothing follows.
            self.reports.take(&event).await.unwrap();
        }
        assert!(self.store.events_after(Topic::ReportReceived, 0, 1).await.unwrap().is_empty());
        let trace = self.store.trace(trace).await.unwrap().unwrap();
        trace.steps.last().unwrap().step.to_string()
    }

    async fn kept(&self, kind: ReportKind) -> Vec<ReceivedReport> {
        self.store.received_reports(kind, &Domain::parse("shop.example").unwrap(), 0).await.unwrap()
    }
}

fn xml(domain: &str, begin: i64) -> String {
    format!(
        "<feedback><report_metadata><org_name>big.example</org_name><report_id>7</report_id>\
         <date_range><begin>{begin}</begin><end>{}</end></date_range></report_metadata>\
         <policy_published><domain>{domain}</domain><p>none</p></policy_published>\
         <record><row><source_ip>192.0.2.1</source_ip><count>3</count>\
         <policy_evaluated><disposition>none</disposition><dkim>pass</dkim><spf>fail</spf></policy_evaluated></row></record>\
         <record><row><source_ip>192.0.2.9</source_ip><count>2</count></row></record></feedback>",
        begin + 86_399
    )
}

fn message(kind: &str, name: &str, file: &[u8]) -> Vec<u8> {
    let encoded = base64::engine::general_purpose::STANDARD.encode(file);
    let lines: Vec<&str> = encoded.as_bytes().chunks(76).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!(
        "From: reports@big.example\r\nSubject: Report\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n\
         --b\r\nContent-Type: text/plain\r\n\r\nsee below\r\n\
         --b\r\nContent-Type: {kind}\r\nContent-Disposition: attachment; filename=\"{name}\"\r\n\
         Content-Transfer-Encoding: base64\r\n\r\n{}\r\n--b--\r\n",
        lines.join("\r\n")
    )
    .into_bytes()
}

fn gzip(text: &str) -> Vec<u8> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text.as_bytes()).unwrap();
    packer.finish().unwrap()
}

/// 2026-01-01.
const BEGIN: i64 = 1_767_225_600;

#[tokio::test]
async fn a_dmarc_report_is_kept_once_and_told_in_the_trace() {
    let stage = Stage::new().await;
    let report = message("application/gzip", "big.example!shop.example.xml.gz", &gzip(&xml("shop.example", BEGIN)));
    let text = "the DMARC report of big.example on shop.example, Thu, 01 Jan 2026: 3 messages passed, 2 failed";
    assert_eq!(stage.told("dmarc@shop.example", &report).await, format!("kept as {text}"));
    assert_eq!(stage.told("dmarc@shop.example", &report).await, format!("{text} is known already"));
    let kept = stage.kept(ReportKind::Dmarc).await;
    assert_eq!((kept.len(), &kept[0].verified, kept[0].received_at), (1, &None, START));
    let read: DmarcReport = serde_json::from_slice(&kept[0].content).unwrap();
    assert_eq!((read.domain.as_str(), read.rows.len()), ("shop.example", 2));
    // The message lies in the mailbox like every other; at other addresses nobody looks into it.
    let inbox = stage.store.mailbox_by_name(mail::AccountId(1), "INBOX").await.unwrap().unwrap();
    assert_eq!(
        stage.store.messages(mail::AccountId(1), inbox.id, mail::Uid(1), mail::Uid(9), 9).await.unwrap().len(),
        2
    );
    stage.store.add_account(AccountObject::new(Address::parse("eve@shop.example").unwrap())).await.unwrap();
    assert!(stage.told("eve@shop.example", &report).await.contains("INBOX"));
    // After its time it is forgotten.
    stage.sim.clock.advance(Duration::from_secs(28 * 86_400));
    stage.reports.sweep().await.unwrap();
    assert_eq!(stage.kept(ReportKind::Dmarc).await.len(), 1);
    stage.sim.clock.advance(Duration::from_secs(86_400));
    stage.reports.sweep().await.unwrap();
    assert_eq!(stage.kept(ReportKind::Dmarc).await.len(), 0);
}

#[tokio::test]
async fn what_is_not_kept_is_told_with_the_reason() {
    let stage = Stage::new().await;
    let no = "no report is kept of it: ";
    for (content, why) in [
        (b"Subject: x\r\n\r\nHello\r\n".to_vec(), "nothing is attached that may be one"),
        (message("text/xml", "a.xml", b"<html/>"), "it is no report: the outermost element is not <feedback>"),
        (message("application/zip", "a.zip", b"PK"), "it can't be unpacked: the archive is damaged, or empty"),
        (
            message("text/xml", "a.xml", xml("elsewhere.example", BEGIN).as_bytes()),
            "the report is on elsewhere.example, which is no domain of this server",
        ),
        (
            message("text/xml", "a.xml", xml("example", BEGIN).as_bytes()),
            "the report is on example, which is no domain of this server",
        ),
        (
            message("text/xml", "a.xml", xml("shop.example", BEGIN + 5 * 86_400).as_bytes()),
            "the report of big.example tells of a day to come",
        ),
        (
            message("text/xml", "a.xml", xml("shop.example", BEGIN - 29 * 86_400).as_bytes()),
            "the report of big.example tells of a day that is over for long",
        ),
        (message("application/gzip", "a.gz", &vec![0; 13 << 20]), "it is larger than a report can be"),
    ] {
        assert_eq!(stage.told("dmarc@shop.example", &content).await, format!("{no}{why}"));
    }
    assert_eq!(stage.kept(ReportKind::Dmarc).await.len(), 0);
    let below = message("application/octet-stream", "a", xml("news.shop.example", BEGIN).as_bytes());
    assert!(stage.told("dmarc@shop.example", &below).await.starts_with("kept as the DMARC report"));
    let found = TraceQuery {
        term: Some(Term::Recipient("dmarc@shop.example".parse().unwrap())),
        since: None,
        until: None,
        limit: 99,
    };
    assert_eq!(stage.store.traces(&found).await.unwrap().len(), 9, "each has its trace");
}

#[tokio::test]
async fn a_tls_report_is_parted_by_domain() {
    let stage = Stage::new().await;
    let policy = |domain: &str, failed: u32| {
        format!(
            r#"{{"policy":{{"policy-type":"sts","policy-domain":"{domain}"}},
                "summary":{{"total-successful-session-count":5,"total-failure-session-count":{failed}}}}}"#
        )
    };
    let json = format!(
        r#"{{"organization-name":"Big","report-id":"9","date-range":{{"start-datetime":"2026-01-01T00:00:00Z",
            "end-datetime":"2026-01-01T23:59:59Z"}},"policies":[{},{},{}]}}"#,
        policy("shop.example", 1),
        policy("elsewhere.example", 99),
        policy("SHOP.example", 2)
    );
    let report = message("application/tlsrpt+gzip", "r.json.gz", &gzip(&json));
    let text = "the TLS report of Big on shop.example, Thu, 01 Jan 2026: 10 sessions succeeded, 3 failed";
    assert_eq!(stage.told("dmarc@shop.example", &report).await, format!("kept as {text}"));
    let kept = stage.kept(ReportKind::Tls).await;
    let read: TlsReport = serde_json::from_slice(&kept[0].content).unwrap();
    assert_eq!(read.policies.len(), 2, "what is on others is not kept");
}
