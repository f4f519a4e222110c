//! DANE, MTA-STS and REQUIRETLS, from the DNS to the trace.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicU8, Ordering};

use parking_lot::Mutex;
use rustls_pki_types::CertificateDer;
use world::https::{Https, HttpsError, Request, Response};
use world::{BoxFuture, TlsaRecord};

use super::tls::certificate;
use super::*;
use crate::Dane;

/// Answers of policy servers, one after the other; the last repeats. And what was asked for.
#[derive(Default)]
pub(super) struct Policies {
    answers: Mutex<VecDeque<Result<Response, HttpsError>>>,
    asked: Mutex<Vec<String>>,
}

impl Policies {
    pub(super) fn say(&self, answer: Result<Response, HttpsError>) {
        *self.answers.lock() = VecDeque::from([answer]);
    }

    pub(super) fn policy(&self, mode: &str, host: &str, max_age: u64) {
        let text = format!("version: STSv1\r\nmode: {mode}\r\nmx: {host}\r\nmax_age: {max_age}\r\n");
        self.say(Ok(document(200, "text/plain; charset=utf-8", &text)));
    }

    pub(super) fn asked(&self) -> usize {
        self.asked.lock().len()
    }
}

fn document(status: u16, kind: &str, text: &str) -> Response {
    Response { status, fields: vec![("content-type".into(), kind.into())], body: text.as_bytes().to_vec() }
}

impl Https for Policies {
    fn exchange(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpsError>> {
        self.asked.lock().push(request.url.to_string());
        let answer = self.answers.lock().front().cloned().unwrap_or(Err(HttpsError::TimedOut));
        Box::pin(async move { answer })
    }
}

/// A stage whose far side has a certificate.
pub(super) struct Guarded {
    pub(super) stage: Stage,
    pub(super) policies: Arc<Policies>,
    pub(super) certificate: CertificateDer<'static>,
    sent: AtomicU8,
}

impl Guarded {
    /// A far side with a certificate for this name.
    pub(super) async fn new(name: &str) -> Self {
        let stage = Stage::new().await;
        let (certificate, acceptor) = certificate(name);
        stage.far.offer(&["STARTTLS", "PIPELINING", "REQUIRETLS"]).tls(acceptor);
        let mut guarded = Self { stage, policies: Arc::default(), certificate, sent: AtomicU8::new(0) };
        guarded.stage.settings.messages_per_connection_max = 1;
        guarded
    }

    /// The zone of the far side is signed, with these TLSA records.
    pub(super) fn tlsa(&self, records: Vec<TlsaRecord>) {
        self.stage.world.resolver.sign(domain("far.example"));
        let at = domain("_25._tcp.mx.far.example");
        self.stage.world.resolver.set_tlsa(at, Ok(records));
    }

    /// The record of this certificate, or of its key when it is `None`: one that does not fit.
    pub(super) fn names(certificate: Option<&CertificateDer<'static>>) -> Vec<TlsaRecord> {
        let data = certificate.map_or(vec![7; 32], |certificate| certificate.to_vec());
        let matching = if certificate.is_some() { 0 } else { 1 };
        vec![TlsaRecord { usage: 3, selector: 0, matching, data }]
    }

    pub(super) fn sts(&self, id: &str) {
        let record = format!("v=STSv1; id={id};");
        self.stage.world.resolver.set_txt(domain("_mta-sts.far.example"), Ok(vec![record]));
    }

    pub(super) fn start(&mut self) {
        let (bus, delivery) = (self.stage.bus.clone(), self.stage.delivery.clone());
        let settings = self.stage.settings.clone();
        let out = SmtpOut::with_https(bus, delivery, settings, self.policies.clone()).unwrap();
        let stop = CancellationToken::new();
        let token = stop.clone();
        self.stage.running = Some((stop, tokio::spawn(async move { out.run(token).await })));
    }

    /// Sends a message; what its trace says of the attempt.
    pub(super) async fn send(&self, content: &[u8], require_tls: bool) -> String {
        let (store, clock) = (&self.stage.store, &self.stage.world.clock);
        let trace = mail::TraceId::new(clock.now(), [self.sent.fetch_add(1, Ordering::Relaxed); 10]);
        let letter = envelope("<a@origin.example>", &["x@far.example"]);
        let prepared = self.stage.delivery.prepare(letter, content).await.unwrap();
        let put = store.transact(move |tx| {
            let id = prepared.apply(tx)?.queued[0];
            let mut row = tx.queue_entry(id)?.unwrap();
            (row.trace, row.require_tls) = (Some(trace), require_tls);
            tx.update_queue_entry(&row)
        });
        put.await.unwrap();
        self.stage.settle().await;
        let trace = store.trace(trace).await.unwrap();
        let steps = trace.map(|trace| trace.steps).unwrap_or_default();
        steps.iter().map(|taken| taken.step.to_string()).collect::<Vec<_>>().join("\n")
    }
}

pub(super) fn assert_has(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} is not in: {text}");
    }
}

#[tokio::test]
async fn dane_names_the_certificate() {
    let mut guarded = Guarded::new("whatever.example").await;
    guarded.tlsa(Guarded::names(Some(&guarded.certificate)));
    guarded.start();
    let told = guarded.send(MESSAGE, false).await;
    assert_has(&told, &["taken by mx.far.example over TLS 1.3, certificate checked by DANE: 250"]);
    assert_eq!(guarded.policies.asked(), 0, "MTA-STS has nothing to say where there is DANE");
}

#[tokio::test]
async fn another_certificate_gets_nothing_and_the_trace_says_why() {
    let mut guarded = Guarded::new("mx.far.example").await;
    guarded.tlsa(Guarded::names(None));
    guarded.start();
    let told = guarded.send(MESSAGE, false).await;
    assert_has(
        &told,
        &["not taken now: 451 4.7.5 mx.far.example: DANE: TLS handshake", "none that the TLSA records name"],
    );
    assert_eq!(guarded.stage.far.got().len(), 0);
    // The right one is published: it goes with the next attempt.
    guarded.tlsa(Guarded::names(Some(&guarded.certificate)));
    guarded.stage.minutes(20).await;
    assert_eq!(guarded.stage.far.got().len(), 1);
}

#[tokio::test]
async fn a_host_with_tlsa_records_must_do_tls() {
    let mut guarded = Guarded::new("mx.far.example").await;
    guarded.stage.far.offer(&["PIPELINING"]);
    guarded.tlsa(Guarded::names(Some(&guarded.certificate)));
    guarded.start();
    let told = guarded.send(MESSAGE, false).await;
    assert_has(&told, &["451 4.7.5", "DANE: TLS is required, and the host does not offer STARTTLS"]);
    assert_eq!(guarded.stage.far.count("MAIL"), 0);
}

#[tokio::test]
async fn records_that_can_not_be_used_ask_for_tls_alone() {
    let mut guarded = Guarded::new("whatever.example").await;
    let pkix = TlsaRecord { usage: 1, selector: 1, matching: 1, data: vec![1; 32] };
    guarded.tlsa(vec![pkix]);
    guarded.start();
    let told = guarded.send(MESSAGE, false).await;
    assert_has(&told, &["over TLS 1.3, certificate not checked: 250"]);
    guarded.stage.far.offer(&["PIPELINING"]);
    assert_has(&guarded.send(MESSAGE, false).await, &["451 4.7.5"]);
}

#[tokio::test]
async fn tlsa_records_that_are_not_to_be_had_defer() {
    let mut guarded = Guarded::new("mx.far.example").await;
    guarded.tlsa(Vec::new());
    let broken = Err(ResolveError::Temporary("SERVFAIL".into()));
    guarded.stage.world.resolver.set_tlsa(domain("_25._tcp.mx.far.example"), broken);
    guarded.start();
    let told = guarded.send(MESSAGE, false).await;
    assert_has(&told, &["451 4.7.5 mx.far.example: DANE: the TLSA records of mx.far.example are not to be had"]);
    assert_eq!(guarded.stage.far.sessions(), 0);
}

#[tokio::test]
async fn what_is_not_signed_has_no_dane() {
    // TLSA records in a zone whose signatures nobody can check, and DANE switched off.
    for dane in [Dane::Auto, Dane::Off] {
        let mut guarded = Guarded::new("mx.far.example").await;
        guarded.stage.settings.tls.dane = dane;
        if dane == Dane::Off {
            guarded.tlsa(Guarded::names(None));
        } else {
            guarded.stage.world.resolver.sign(domain("elsewhere.example"));
            let at = domain("_25._tcp.mx.far.example");
            guarded.stage.world.resolver.set_tlsa(at, Ok(Guarded::names(None)));
        }
        guarded.start();
        let told = guarded.send(MESSAGE, false).await;
        assert_has(&told, &["over TLS 1.3, certificate not checked: 250"]);
    }
}

#[tokio::test]
async fn an_enforced_policy_wants_its_hosts_and_their_certificates() {
    for (name, policy_host, trusted, expected) in [
        (
            "mx.far.example",
            "mx.far.example",
            true,
            "taken by mx.far.example over TLS 1.3, certificate checked by MTA-STS: 250",
        ),
        ("*.far.example", "*.far.example", true, "certificate checked by MTA-STS: 250"),
        ("mx.far.example", "mx.far.example", false, "451 4.7.5 mx.far.example: MTA-STS: TLS handshake"),
        ("evil.example", "mx.far.example", true, "451 4.7.5 mx.far.example: MTA-STS: TLS handshake"),
        ("mx.far.example", "other.example", true, "MTA-STS: the policy of far.example does not name this host"),
    ] {
        let mut guarded = Guarded::new(name).await;
        if trusted {
            guarded.stage.settings.tls.further_roots = vec![guarded.certificate.clone()];
        }
        guarded.sts("1");
        guarded.policies.policy("enforce", policy_host, 86_400);
        guarded.start();
        assert_has(&guarded.send(MESSAGE, false).await, &[expected]);
        assert_eq!(*guarded.policies.asked.lock(), ["https://mta-sts.far.example/.well-known/mta-sts.txt"]);
        assert_eq!(guarded.stage.far.got().len(), usize::from(expected.ends_with("250")));
    }
}

#[tokio::test]
async fn a_policy_that_does_not_enforce_stops_nothing() {
    for mode in ["testing", "none"] {
        let mut guarded = Guarded::new("evil.example").await;
        guarded.sts("1");
        guarded.policies.policy(mode, "other.example", 86_400);
        guarded.start();
        assert_has(&guarded.send(MESSAGE, false).await, &["certificate not checked: 250"]);
    }
}

#[tokio::test]
async fn a_policy_is_remembered_for_as_long_as_it_says() {
    let mut guarded = Guarded::new("evil.example").await;
    guarded.sts("1");
    guarded.policies.policy("enforce", "mx.far.example", 86_400);
    guarded.start();
    assert_has(&guarded.send(MESSAGE, false).await, &["451 4.7.5"]);
    // The same id: nothing is fetched. Its record hidden, its server away: it still holds, over a restart too.
    assert_has(&guarded.send(MESSAGE, false).await, &["451 4.7.5"]);
    assert_eq!(guarded.policies.asked(), 1);
    guarded.policies.say(Err(HttpsError::TimedOut));
    let hidden = Err(ResolveError::NoSuchName);
    guarded.stage.world.resolver.set_txt(domain("_mta-sts.far.example"), hidden);
    guarded
        .stage
        .store
        .remember_sts_policy(domain("unrelated.example"), {
            guarded.stage.store.sts_policy(&domain("far.example")).await.unwrap().unwrap()
        })
        .await
        .unwrap();
    assert_has(&guarded.send(MESSAGE, false).await, &["451 4.7.5"]);
    assert_eq!(guarded.policies.asked(), 1);
    // A new id: fetched, in vain, and the old one holds.
    guarded.sts("2");
    assert_has(&guarded.send(MESSAGE, false).await, &["451 4.7.5"]);
    assert_eq!(guarded.policies.asked(), 2);
    // Not asked again at once (§3.3).
    assert_has(&guarded.send(MESSAGE, false).await, &["451 4.7.5"]);
    assert_eq!(guarded.policies.asked(), 2);
    // When it is to be had, it counts: it takes the demand back.
    guarded.policies.policy("none", "mx.far.example", 86_400);
    guarded.stage.world.clock.advance(Duration::from_secs(3_600));
    assert_has(&guarded.send(MESSAGE, false).await, &["certificate not checked: 250"]);
}

#[tokio::test]
async fn a_policy_expires() {
    let mut guarded = Guarded::new("evil.example").await;
    guarded.sts("1");
    guarded.policies.policy("enforce", "mx.far.example", 3_600);
    guarded.start();
    assert_has(&guarded.send(MESSAGE, false).await, &["451 4.7.5"]);
    // In the second half of its life it is fetched anew, although its id is the same.
    guarded.stage.world.clock.advance(Duration::from_secs(1_800));
    assert_has(&guarded.send(MESSAGE, false).await, &["451 4.7.5"]);
    assert_eq!(guarded.policies.asked(), 2);
    guarded.policies.say(Err(HttpsError::TimedOut));
    guarded.stage.world.clock.advance(Duration::from_secs(3_601));
    assert_has(&guarded.send(MESSAGE, false).await, &["certificate not checked: 250"]);
}

#[tokio::test]
async fn what_is_no_policy_asks_for_nothing() {
    let text = "version: STSv1\nmode: enforce\nmx: other.example\nmax_age: 86400\n";
    for answer in [
        Ok(document(301, "text/plain", text)),
        Ok(document(404, "text/plain", text)),
        Ok(document(200, "text/html", text)),
        Ok(document(200, "text/plain", "mode: enforce")),
        Err(HttpsError::Tls("unknown issuer".into())),
        Err(HttpsError::TooLong),
    ] {
        let mut guarded = Guarded::new("evil.example").await;
        guarded.sts("1");
        guarded.policies.say(answer);
        guarded.start();
        assert_has(&guarded.send(MESSAGE, false).await, &["certificate not checked: 250"]);
        assert_eq!(guarded.policies.asked(), 1);
    }
    let mut guarded = Guarded::new("evil.example").await;
    guarded.stage.settings.tls.mta_sts = false;
    guarded.sts("1");
    guarded.policies.policy("enforce", "other.example", 86_400);
    guarded.start();
    assert_has(&guarded.send(MESSAGE, false).await, &["certificate not checked: 250"]);
    assert_eq!(guarded.policies.asked(), 0);
}

#[tokio::test]
async fn requiretls_goes_on_over_a_checked_connection() {
    let mut guarded = Guarded::new("mx.far.example").await;
    guarded.tlsa(Guarded::names(Some(&guarded.certificate)));
    guarded.start();
    let told = guarded.send(MESSAGE, true).await;
    assert_has(&told, &["certificate checked by DANE: 250"]);
    assert!(guarded.stage.far.got()[0].mail.ends_with(" REQUIRETLS"), "{:?}", guarded.stage.far.got());
    // Without TLSA records, by the public authorities, for DNSSEC proves the host's name.
    let mut guarded = Guarded::new("mx.far.example").await;
    guarded.tlsa(Vec::new());
    guarded.stage.settings.tls.further_roots = vec![guarded.certificate.clone()];
    guarded.start();
    assert_has(&guarded.send(MESSAGE, true).await, &["certificate checked by REQUIRETLS: 250"]);
    assert_eq!(guarded.stage.far.got().len(), 1);
}

#[tokio::test]
async fn requiretls_comes_back_where_it_can_not_be_had() {
    let mut guarded = Guarded::new("mx.far.example").await;
    guarded.tlsa(Guarded::names(Some(&guarded.certificate)));
    guarded.stage.far.offer(&["STARTTLS"]);
    guarded.start();
    let told = guarded.send(MESSAGE, true).await;
    assert_has(&told, &["failed for good: 550 5.7.30", "which mx.far.example does not offer", "failure notice"]);
    // Nobody vouches for the host's name.
    let mut guarded = Guarded::new("mx.far.example").await;
    guarded.start();
    assert_has(&guarded.send(MESSAGE, true).await, &["failed for good: 550 5.7.10"]);
    // No TLS at all; a certificate that does not fit.
    for offers in [&["REQUIRETLS"][..], &["STARTTLS", "REQUIRETLS"]] {
        let mut guarded = Guarded::new("mx.far.example").await;
        guarded.tlsa(Vec::new());
        guarded.stage.far.offer(offers);
        guarded.start();
        assert_has(&guarded.send(MESSAGE, true).await, &["failed for good: 550 5.7.10"]);
        assert_eq!(guarded.stage.far.count("MAIL"), 0);
    }
    // A host that can't be reached is one for later.
    let mut guarded = Guarded::new("mx.far.example").await;
    guarded.tlsa(Guarded::names(Some(&guarded.certificate)));
    guarded.stage.world.connector.close("192.0.2.1:25".parse().unwrap());
    guarded.start();
    assert_has(&guarded.send(MESSAGE, true).await, &["not taken now: 451 4.4.1"]);
}

#[tokio::test]
async fn an_open_connection_is_no_way_for_what_it_does_not_suit() {
    let mut guarded = Guarded::new("mx.far.example").await;
    guarded.stage.settings.messages_per_connection_max = 100;
    guarded.start();
    assert_has(&guarded.send(MESSAGE, false).await, &["certificate not checked: 250"]);
    assert_has(&guarded.send(MESSAGE, true).await, &["failed for good: 550 5.7.10"]);
    assert_eq!(guarded.stage.far.count("QUIT"), 1);
    assert_eq!(guarded.stage.far.got().len(), 1);
}

#[tokio::test]
async fn tls_required_no_goes_past_the_policies() {
    let mut guarded = Guarded::new("evil.example").await;
    guarded.tlsa(Guarded::names(None));
    guarded.start();
    let optional = [b"TLS-Required: No\r\n", MESSAGE].concat();
    assert_has(&guarded.send(MESSAGE, false).await, &["451 4.7.5"]);
    assert_has(&guarded.send(&optional, false).await, &["certificate not checked: 250"]);
    // RFC 8689 §3: REQUIRETLS is stronger.
    assert_has(&guarded.send(&optional, true).await, &["failed for good: 550 5.7.10"]);
}

/// What the reports say that are in the queue: of each its policies.
async fn reported(stage: &Stage) -> Vec<serde_json::Value> {
    let mut found = Vec::new();
    for row in stage.queue().await {
        let mut blob = stage.store.blob(&row.blob).await.unwrap().unwrap();
        let text = blob.read(u64::from(row.skip_octets), u64::MAX).await.unwrap();
        let Some(letter) = mail_parser::MessageParser::default().parse(&text[..]) else { continue };
        let Some(attached) = letter.attachments().next() else { continue };
        let (attached_octets, mut json) = (attached.decoded(), String::new());
        let mut unpacked = flate2::read::GzDecoder::new(&attached_octets[..]);
        std::io::Read::read_to_string(&mut unpacked, &mut json).unwrap();
        assert!(String::from_utf8_lossy(&text).contains("TLS-Report-Domain: far.example\r\n"));
        assert_eq!(row.destination.as_str(), "reports.example");
        found.push(serde_json::from_str::<serde_json::Value>(&json).unwrap());
    }
    found
}

#[tokio::test]
async fn a_domain_that_asks_is_told_of_its_tls() {
    let mut guarded = Guarded::new("evil.example").await;
    guarded.stage.delivery = guarded.stage.delivery.clone().reporting_from(address("tls@us.example"));
    guarded.stage.settings.tls.further_roots = vec![guarded.certificate.clone()];
    let wants = "v=TLSRPTv1; rua=mailto:tls@reports.example".to_owned();
    guarded.stage.world.resolver.set_txt(domain("_smtp._tls.far.example"), Ok(vec![wants]));
    // In trial: it goes, and what would have stopped it is told.
    guarded.sts("1");
    guarded.policies.policy("testing", "mx.far.example", 86_400);
    guarded.start();
    assert_has(&guarded.send(MESSAGE, false).await, &["certificate not checked: 250"]);
    // Without TLS at all.
    guarded.stage.far.offer(&["PIPELINING"]);
    assert_has(&guarded.send(MESSAGE, false).await, &["without TLS: 250"]);
    // By DANE, well.
    guarded.stage.far.offer(&["STARTTLS"]);
    guarded.tlsa(Guarded::names(Some(&guarded.certificate)));
    assert_has(&guarded.send(MESSAGE, false).await, &["certificate checked by DANE: 250"]);
    // And not.
    guarded.tlsa(Guarded::names(None));
    assert_has(&guarded.send(MESSAGE, false).await, &["451 4.7.5"]);
    // What is not about TLS is not told: nobody listens.
    guarded.stage.world.connector.close("192.0.2.1:25".parse().unwrap());
    assert_has(&guarded.send(MESSAGE, false).await, &["451 4.4.1"]);
    guarded
        .stage
        .store
        .transact(|tx| {
            for id in 1..20 {
                tx.remove_queue_entry(QueueId(id), Timestamp(0))?;
            }
            Ok(())
        })
        .await
        .unwrap();
    assert_eq!(guarded.stage.delivery.send_reports().await.unwrap(), 0, "the day is not over");
    let (stop, running) = guarded.stage.running.take().unwrap();
    stop.cancel();
    running.await.unwrap();
    guarded.stage.world.clock.advance(Duration::from_secs(86_400));
    assert_eq!(guarded.stage.delivery.send_reports().await.unwrap(), 1);
    let reports = reported(&guarded.stage).await;
    let [report] = reports.as_slice() else { panic!("{reports:?}") };
    assert_eq!(report["date-range"]["start-datetime"], "2027-01-15T00:00:00Z");
    assert_eq!(report["date-range"]["end-datetime"], "2027-01-15T23:59:59Z");
    let policies = report["policies"].as_array().unwrap();
    let told: Vec<String> = policies
        .iter()
        .map(|policy| {
            let (kind, summary) = (policy["policy"]["policy-type"].as_str().unwrap(), &policy["summary"]);
            let failures = policy["failure-details"].as_array().cloned().unwrap_or_default();
            let mut results: Vec<&str> =
                failures.iter().map(|failure| failure["result-type"].as_str().unwrap()).collect();
            results.sort_unstable();
            let (good, bad) = (&summary["total-successful-session-count"], &summary["total-failure-session-count"]);
            format!("{kind} {good} {bad} {}", results.join(" "))
        })
        .collect();
    assert_eq!(
        told,
        ["sts 0 2 certificate-host-mismatch starttls-not-supported", "tlsa 1 0 ", "tlsa 0 1 validation-failure"]
    );
    assert_eq!(policies[0]["policy"]["mx-host"], serde_json::json!(["mx.far.example"]));
}
