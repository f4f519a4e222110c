//! The consumer: from an event to a row.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::{Bus, Consumer, TakeError, consume};
use delivery::ReportReceived;
use mail::{Domain, Timestamp, Topic};
use sender_auth::report::read::{DmarcReport, Report, TlsPolicy, TlsReport, Unread, read};
use storage::received_reports::{ReceivedReport, ReportFate, ReportKey, ReportKind};
use storage::rows::EventRow;
use storage::trace::{Step, Taken};
use storage::{StorageError, Store, limits::RECEIVED_REPORT_OCTETS_MAX};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use world::BoxFuture;

use crate::limits::{DAYS_AHEAD_MAX, KEEP_DAYS_MAX, MESSAGE_OCTETS_MAX, READ_AT_ONCE};
use crate::parts::files;

/// Reads reports of others. Clones share everything.
#[derive(Clone)]
pub struct Reports {
    store: Store,
    keep_days: u32,
    turns: Arc<Semaphore>,
}

/// A row to be, and what the trace says of it.
struct Row {
    domain: Domain,
    key: ReportKey,
    content: Vec<u8>,
    told: String,
}

/// What came of a message.
enum Outcome {
    Rows(Vec<Row>),
    /// Nothing is kept, and why.
    Nothing(String),
}

impl Reports {
    /// A reader that keeps reports for so many days, up to [`KEEP_DAYS_MAX`].
    #[must_use]
    pub fn new(store: Store, keep_days: u32) -> Self {
        Self { store, keep_days: keep_days.min(KEEP_DAYS_MAX), turns: Arc::new(Semaphore::new(READ_AT_ONCE)) }
    }

    /// Takes events until told to stop, and forgets old reports now and then.
    ///
    /// # Errors
    /// When the store can't be read any more.
    pub async fn run(&self, bus: &Bus, stop: CancellationToken) -> Result<(), StorageError> {
        tokio::select! {
            ended = consume(bus, &self.store, Topic::ReportReceived, self, stop) => ended,
            never = self.sweep_forever() => match never {},
        }
    }

    /// Forgets reports on days that are too long ago.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep(&self) -> Result<(), StorageError> {
        let before = day_of(self.store.now().as_secs()).saturating_sub(i64::from(self.keep_days));
        self.store.sweep_received_reports(u32::try_from(before).unwrap_or(0)).await
    }

    async fn sweep_forever(&self) -> std::convert::Infallible {
        loop {
            if let Err(error) = self.sweep().await {
                tracing::warn!(%error, "old reports could not be removed; it is tried again later");
            }
            self.store.world().clock.sleep(SWEEP_INTERVAL).await;
        }
    }

    async fn handle(&self, row: &EventRow) -> Result<(), TakeError> {
        let event = ReportReceived::decode(&row.payload)
            .map_err(|error| TakeError::Permanent(format!("the event can't be read: {error}")))?;
        let outcome = self.read(&event).await?;
        let (number, now) = (row.number, self.store.now());
        let event = Arc::new(event);
        let outcome = Arc::new(outcome);
        let done = self.store.transact(move |tx| {
            if !tx.finish_event(Topic::ReportReceived, number)? {
                return Ok(());
            }
            let mut told = Vec::new();
            match &*outcome {
                Outcome::Nothing(why) => told.push(format!("no report is kept of it: {why}")),
                Outcome::Rows(rows) => {
                    for Row { domain, key, content, told: text } in rows {
                        let report = ReceivedReport {
                            received_at: event.received_at,
                            verified: event.verified.clone(),
                            content: content.clone(),
                        };
                        told.push(match tx.keep_report(domain, key, &report)? {
                            ReportFate::Kept => format!("kept as {text}"),
                            ReportFate::Known => format!("{text} is known already"),
                            ReportFate::NoRoom => format!("{text} is not kept: there are too many reports on {domain}"),
                        });
                    }
                }
            }
            let Some(trace) = event.trace else { return Ok(()) };
            let steps: Vec<Taken> =
                told.into_iter().map(|text| Taken { at: now, step: Step::Decided { text } }).collect();
            tx.trace(trace, &steps)
        });
        done.await?;
        Ok(())
    }

    async fn read(&self, event: &ReportReceived) -> Result<Outcome, TakeError> {
        if event.octets > MESSAGE_OCTETS_MAX {
            return Ok(Outcome::Nothing("it is larger than a report can be".to_owned()));
        }
        // Nobody closes it.
        let _turn = self.turns.acquire().await.map_err(|_| TakeError::Temporary("it stops".to_owned()))?;
        let Some(mut reader) = self.store.blob(&event.blob).await? else {
            return Ok(Outcome::Nothing("its content is gone".to_owned()));
        };
        let files = files(&mut reader).await?;
        let reading = tokio::task::spawn_blocking(move || first_report(&files));
        let report = reading.await.map_err(|_| TakeError::Temporary("reading was interrupted".to_owned()))?;
        Ok(match report {
            Ok(report) => self.rows(report),
            Err(why) => Outcome::Nothing(why),
        })
    }

    /// The rows of a report.
    fn rows(&self, report: Report) -> Outcome {
        let (begin, organisation) = match &report {
            Report::Dmarc(report) => (report.begin_secs, report.organisation.clone()),
            Report::Tls(report) => (report.begin_secs, report.organisation.clone()),
        };
        let (day, today) = (day_of(begin), day_of(self.store.now().as_secs()));
        if day > today.saturating_add(DAYS_AHEAD_MAX) {
            return Outcome::Nothing(format!("the report of {organisation} tells of a day to come"));
        }
        let kept_from = today.saturating_sub(i64::from(self.keep_days));
        let Some(day) = u32::try_from(day).ok().filter(|day| i64::from(*day) >= kept_from) else {
            return Outcome::Nothing(format!("the report of {organisation} tells of a day that is over for long"));
        };
        match report {
            Report::Dmarc(report) => self.dmarc(*report, day),
            Report::Tls(report) => self.tls(&report, day),
        }
    }

    fn dmarc(&self, mut report: DmarcReport, day: u32) -> Outcome {
        let Some(domain) = self.own(&report.domain) else { return not_ours(&report.domain) };
        let content = loop {
            // Strings and numbers only: JSON can't fail on them.
            let content = serde_json::to_vec(&report).unwrap_or_default();
            if content.len() < RECEIVED_REPORT_OCTETS_MAX.saturating_sub(1_024) || report.rows.is_empty() {
                break content;
            }
            let beyond = report.rows.split_off(report.rows.len() / 2);
            report.beyond = beyond.iter().fold(report.beyond, |sum, (count, _)| sum.saturating_add(*count));
        };
        let sum = |aligned: bool| {
            let rows = report.rows.iter().filter(|(_, row)| (row.dkim_aligned || row.spf_aligned) == aligned);
            rows.fold(0_u64, |sum, (count, _)| sum.saturating_add(*count))
        };
        let (passed, failed) = (sum(true), sum(false));
        let told = format!(
            "the DMARC report of {} on {}, {}: {passed} messages passed, {failed} failed",
            report.organisation,
            report.domain,
            day_in_words(report.begin_secs)
        );
        let digest = digest(&[&report.organisation, &report.id, &report.domain], report.begin_secs);
        Outcome::Rows(vec![Row { domain, key: ReportKey { kind: ReportKind::Dmarc, day, digest }, content, told }])
    }

    /// A TLS report may be on several domains: each has its own part of it.
    fn tls(&self, report: &TlsReport, day: u32) -> Outcome {
        let mut of: BTreeMap<Domain, Vec<TlsPolicy>> = BTreeMap::new();
        for policy in &report.policies {
            if let Some(domain) = self.own(&policy.domain) {
                of.entry(domain).or_default().push(policy.clone());
            }
        }
        if of.is_empty() {
            let first = report.policies.first().map(|policy| policy.domain.as_str());
            return not_ours(first.unwrap_or("no domain"));
        }
        let rows = of.into_iter().map(|(domain, policies)| {
            let sum = |of: fn(&TlsPolicy) -> u64| policies.iter().map(of).fold(0, u64::saturating_add);
            let (succeeded, failed) = (sum(|policy| policy.succeeded), sum(|policy| policy.failed));
            let told = format!(
                "the TLS report of {} on {domain}, {}: {succeeded} sessions succeeded, {failed} failed",
                report.organisation,
                day_in_words(report.begin_secs)
            );
            let digest = digest(&[&report.organisation, &report.id], report.begin_secs);
            let content = serde_json::to_vec(&TlsReport { policies, ..report.clone() }).unwrap_or_default();
            Row { domain, key: ReportKey { kind: ReportKind::Tls, day, digest }, content, told }
        });
        Outcome::Rows(rows.collect())
    }

    /// The domain of this server that a name is, or is below.
    fn own(&self, name: &str) -> Option<Domain> {
        let directory = self.store.directory();
        let mut name = Some(name);
        while let Some(current) = name {
            let domain = Domain::parse(current).ok();
            if let Some(found) = domain.and_then(|domain| directory.domain(&domain).map(|found| found.name.clone())) {
                return Some(found);
            }
            name = current.split_once('.').map(|(_, parent)| parent);
        }
        None
    }
}

impl Consumer for Reports {
    fn take<'a>(&'a self, event: &'a EventRow) -> BoxFuture<'a, Result<(), TakeError>> {
        Box::pin(self.handle(event))
    }
}

/// The first file that is a report; otherwise why the first one is none.
fn first_report(files: &[Vec<u8>]) -> Result<Report, String> {
    let mut flaw = None;
    for file in files {
        match read(file) {
            Ok(report) => return Ok(report),
            Err(why) => flaw = flaw.or(Some(why)),
        }
    }
    Err(flaw.map_or_else(|| "nothing is attached that may be one".to_owned(), |why: Unread| why.to_string()))
}

fn not_ours(domain: &str) -> Outcome {
    Outcome::Nothing(format!("the report is on {domain}, which is no domain of this server"))
}

/// What identifies a report: its author's name for it.
fn digest(parts: &[&str], begin_secs: i64) -> [u8; 16] {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes()).update(part.as_bytes());
    }
    hasher.update(&begin_secs.to_be_bytes());
    let mut digest = [0; 16];
    hasher.finalize_xof().fill(&mut digest);
    digest
}

/// Days since 1970.
const fn day_of(secs: i64) -> i64 {
    secs.div_euclid(86_400)
}

/// `Thu, 01 Jan 2026`.
fn day_in_words(secs: i64) -> String {
    Timestamp::from_secs(secs).to_rfc5322().chars().take(16).collect()
}

const SWEEP_INTERVAL: std::time::Duration = std::time::Duration::from_secs(6 * 3_600);
