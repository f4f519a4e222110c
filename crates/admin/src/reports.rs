//! What other servers report on domains here: DMARC aggregate reports (RFC 9990) and TLS reports (RFC 8460), summed up by source.

use std::collections::BTreeMap;
use std::net::IpAddr;

use mail::Domain;
use sender_auth::report::Row;
use sender_auth::report::read::{DmarcReport, TlsReport};
use serde::{Deserialize, Serialize};
use storage::Store;
use storage::received_reports::{ReceivedReport, ReportKind};

use crate::domain::find;
use crate::error::AdminError;
use crate::limits::{REPORT_SENTENCES_MAX, REPORT_SOURCES_MAX};
use crate::response::Response;

/// Which reports are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReportRequest {
    /// On mail that claims to be from domains here.
    Dmarc(ReportsOn),
    /// On TLS towards them.
    Tls(ReportsOn),
}

/// Which domain and days.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ReportsOn {
    /// On this one; `None`: on each.
    pub domain: Option<Domain>,
    /// On the last so many days; `None`: 30.
    pub days: Option<u32>,
}

impl ReportRequest {
    /// Which domain it is about.
    pub(crate) const fn domain(&self) -> Option<&Domain> {
        match self {
            Self::Dmarc(on) | Self::Tls(on) => on.domain.as_ref(),
        }
    }
}

/// What other servers report on the mail of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmarcReportsView {
    /// About whom.
    pub domain: Domain,
    /// How many reports.
    pub reports: usize,
    /// Of these, those whose sender is not surely who it says.
    pub unsure: usize,
    /// Who reports, in order.
    pub organisations: Vec<String>,
    /// Messages that claimed to be from the domain.
    pub messages: u64,
    /// Messages that passed, by SPF or DKIM.
    pub passed: u64,
    /// Where they came from; the most come first.
    pub sources: Vec<DmarcSourceView>,
    /// Sources beyond those that are told.
    pub sources_beyond: usize,
    /// Which sources fail and why, in sentences.
    pub told: Vec<String>,
}

/// What came from one address under one name.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmarcSourceView {
    /// Where from.
    pub source: IpAddr,
    /// The domain in From.
    pub header_from: String,
    /// How many messages.
    pub messages: u64,
    /// Messages for which SPF passed in the name of the domain in From.
    pub spf: u64,
    /// Messages for which DKIM did.
    pub dkim: u64,
    /// Messages for which one of them did: aligned, DMARC passed.
    pub passed: u64,
    /// Messages that went to Spam.
    pub quarantined: u64,
    /// Messages that were refused.
    pub rejected: u64,
    /// What SPF said of which domain, for the most.
    pub spf_result: String,
    /// What DKIM said, for the most.
    pub dkim_result: String,
}

/// What other servers report on TLS towards a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsReportsView {
    /// About whom.
    pub domain: Domain,
    /// How many reports.
    pub reports: usize,
    /// Of these, those whose sender is not surely who it says.
    pub unsure: usize,
    /// Who reports, in order.
    pub organisations: Vec<String>,
    /// Sessions with TLS as the policy wants it.
    pub succeeded: u64,
    /// Sessions without.
    pub failed: u64,
    /// Why; the most come first.
    pub failures: Vec<TlsFailureView>,
    /// What it means, in sentences.
    pub told: Vec<String>,
}

/// Why sessions failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFailureView {
    /// `certificate-expired` and so on (RFC 8460 §4.3).
    pub result: String,
    /// The MX that was tried.
    pub receiving_mx: String,
    /// Under which policy: `tlsa`, `sts`, `no-policy-found`.
    pub policy: String,
    /// How many.
    pub sessions: u64,
}

pub(crate) async fn execute(store: &Store, request: ReportRequest) -> Result<Response, AdminError> {
    let (kind, on) = match &request {
        ReportRequest::Dmarc(on) => (ReportKind::Dmarc, on),
        ReportRequest::Tls(on) => (ReportKind::Tls, on),
    };
    let domains = match &on.domain {
        Some(name) => vec![find(&store.directory(), name)?.name.clone()],
        None => store.reported_domains(kind).await?,
    };
    let days = i64::from(on.days.unwrap_or(DAYS_TOLD).max(1));
    let from = store.now().as_secs().div_euclid(86_400).saturating_sub(days);
    let from = u32::try_from(from).unwrap_or(0);
    let (mut dmarc, mut tls) = (Vec::new(), Vec::new());
    for domain in domains {
        let reports = store.received_reports(kind, &domain, from).await?;
        if reports.is_empty() && on.domain.is_none() {
            continue;
        }
        match kind {
            ReportKind::Dmarc => dmarc.push(dmarc_view(domain, &reports)),
            ReportKind::Tls => tls.push(tls_view(domain, &reports)),
        }
    }
    Ok(match kind {
        ReportKind::Dmarc => Response::DmarcReports(dmarc),
        ReportKind::Tls => Response::TlsReports(tls),
    })
}

const DAYS_TOLD: u32 = 30;

/// Adds to a number that cannot overflow.
fn add(to: &mut u64, number: u64) {
    *to = to.saturating_add(number);
}

/// What is counted of one source under one name.
#[derive(Default)]
struct Source {
    messages: u64,
    spf: u64,
    dkim: u64,
    passed: u64,
    quarantined: u64,
    rejected: u64,
    /// The result that the largest row told, and its size.
    results: (u64, String, String),
}

impl Source {
    fn add(&mut self, count: u64, row: &Row) {
        add(&mut self.messages, count);
        add(&mut self.spf, if row.spf_aligned { count } else { 0 });
        add(&mut self.dkim, if row.dkim_aligned { count } else { 0 });
        add(&mut self.passed, if row.spf_aligned || row.dkim_aligned { count } else { 0 });
        add(&mut self.quarantined, if row.disposition == "quarantine" { count } else { 0 });
        add(&mut self.rejected, if row.disposition == "reject" { count } else { 0 });
        let failed = !row.spf_aligned && !row.dkim_aligned;
        // What fails is to be understood: its results come first.
        if self.results.0 == 0 || failed && count > self.results.0 {
            let (_, domain, result) = &row.spf;
            let spf = if result.is_empty() { "not told".to_owned() } else { format!("{result} for {domain}") };
            let dkim = row.dkim.iter().map(|(domain, _, result)| format!("{result} for {domain}"));
            let dkim: Vec<String> = dkim.collect();
            self.results = (count.max(1), spf, if dkim.is_empty() { "not signed".to_owned() } else { dkim.join(", ") });
        }
    }
}

fn dmarc_view(domain: Domain, reports: &[ReceivedReport]) -> DmarcReportsView {
    let mut sources: BTreeMap<(IpAddr, String), Source> = BTreeMap::new();
    let (mut organisations, mut messages, mut passed) = (Vec::new(), 0_u64, 0_u64);
    let mut policy = String::new();
    for report in reports {
        let Ok(report) = serde_json::from_slice::<DmarcReport>(&report.content) else { continue };
        organisations.push(report.organisation);
        policy = report.published.policy;
        add(&mut messages, report.beyond);
        for (count, row) in &report.rows {
            add(&mut messages, *count);
            sources.entry((row.source_ip, row.header_from.clone())).or_default().add(*count, row);
        }
    }
    let mut sources: Vec<DmarcSourceView> = sources
        .into_iter()
        .map(|((source, header_from), counted)| {
            add(&mut passed, counted.passed);
            let Source { messages, spf, dkim, passed, quarantined, rejected, results } = counted;
            let (_, spf_result, dkim_result) = results;
            DmarcSourceView {
                source,
                header_from,
                messages,
                spf,
                dkim,
                passed,
                quarantined,
                rejected,
                spf_result,
                dkim_result,
            }
        })
        .collect();
    sources.sort_by_key(|one| std::cmp::Reverse(one.messages));
    let told = dmarc_told(&domain, &policy, reports.len(), &sources);
    let beyond = sources.split_off(sources.len().min(REPORT_SOURCES_MAX));
    organisations.sort_unstable();
    organisations.dedup();
    DmarcReportsView {
        domain,
        reports: reports.len(),
        unsure: unsure(reports),
        organisations,
        messages,
        passed,
        sources,
        sources_beyond: beyond.len(),
        told,
    }
}

fn unsure(reports: &[ReceivedReport]) -> usize {
    reports.iter().filter(|report| report.verified.is_none()).count()
}

fn dmarc_told(domain: &Domain, policy: &str, reports: usize, sources: &[DmarcSourceView]) -> Vec<String> {
    if reports == 0 {
        return vec![format!("no reports on {domain} in this time")];
    }
    let failing: Vec<&DmarcSourceView> = sources.iter().filter(|one| one.passed < one.messages).collect();
    if failing.is_empty() {
        return vec!["every source passes".to_owned()];
    }
    let (fail, their) = match (failing.len(), sources.len()) {
        (1, 1) => ("the only source fails".to_owned(), "its"),
        (1, all) => (format!("1 of {all} sources fails"), "its"),
        (failing, all) => (format!("{failing} of {all} sources fail"), "their"),
    };
    let mut told = vec![match policy {
        "reject" => format!("{fail}: others are asked to refuse {their} mail (p=reject)"),
        "quarantine" => format!("{fail}: others are asked to put {their} mail into Spam (p=quarantine)"),
        _ => format!("{fail}: {their} mail is taken all the same (p=none)"),
    }];
    told.extend(failing.iter().take(REPORT_SENTENCES_MAX).map(|one| {
        let failed = one.messages.saturating_sub(one.passed);
        let count = if failed == 1 { "1 message".to_owned() } else { format!("{failed} messages") };
        format!(
            "{}: {count} from {} without SPF or DKIM in its name (SPF: {}; DKIM: {})",
            one.source, one.header_from, one.spf_result, one.dkim_result
        )
    }));
    if failing.len() > REPORT_SENTENCES_MAX {
        told.push(format!("and {} sources more", failing.len().saturating_sub(REPORT_SENTENCES_MAX)));
    }
    told.push(format!(
        "a source that is yours belongs into the SPF record of {domain}, or signs with a DKIM key of {domain}; any other one uses its name"
    ));
    told
}

fn tls_view(domain: Domain, reports: &[ReceivedReport]) -> TlsReportsView {
    let mut failures: BTreeMap<(String, String, String), u64> = BTreeMap::new();
    let (mut organisations, mut succeeded, mut failed) = (Vec::new(), 0_u64, 0_u64);
    for report in reports {
        let Ok(report) = serde_json::from_slice::<TlsReport>(&report.content) else { continue };
        organisations.push(report.organisation);
        for policy in report.policies {
            add(&mut succeeded, policy.succeeded);
            add(&mut failed, policy.failed);
            for failure in policy.failures {
                let key = (failure.result, failure.receiving_mx, policy.kind.clone());
                add(failures.entry(key).or_default(), failure.sessions);
            }
        }
    }
    let mut failures: Vec<TlsFailureView> = failures
        .into_iter()
        .map(|((result, receiving_mx, policy), sessions)| TlsFailureView { result, receiving_mx, policy, sessions })
        .collect();
    failures.sort_by_key(|one| std::cmp::Reverse(one.sessions));
    failures.truncate(REPORT_SOURCES_MAX);
    organisations.sort_unstable();
    organisations.dedup();
    let told = match (reports.len(), failed) {
        (0, _) => vec![format!("no reports on {domain} in this time")],
        (_, 0) => vec!["every session was protected as the policy wants it".to_owned()],
        _ => {
            let why = |one: &TlsFailureView| {
                let at = if one.receiving_mx.is_empty() { String::new() } else { format!(" at {}", one.receiving_mx) };
                format!("{} sessions failed{at}: {}", one.sessions, in_words(&one.result))
            };
            failures.iter().take(REPORT_SENTENCES_MAX).map(why).collect()
        }
    };
    TlsReportsView {
        domain,
        reports: reports.len(),
        unsure: unsure(reports),
        organisations,
        succeeded,
        failed,
        failures,
        told,
    }
}

/// RFC 8460 §4.3.
fn in_words(result: &str) -> String {
    match result {
        "starttls-not-supported" => "the MX did not offer STARTTLS",
        "certificate-host-mismatch" => "its certificate is for another name",
        "certificate-expired" => "its certificate has expired",
        "certificate-not-trusted" => "its certificate is vouched for by nobody that the sender trusts",
        "validation-failure" => "TLS failed for another reason",
        "tlsa-invalid" => "no TLSA record fits the certificate",
        "dnssec-invalid" => "the DNS records could not be proved by DNSSEC",
        "dane-required" => "the sender demands DANE, and there are no TLSA records",
        "sts-policy-fetch-error" => "the MTA-STS policy could not be fetched",
        "sts-policy-invalid" => "the MTA-STS policy could not be read",
        "sts-webpki-invalid" => "the host of the MTA-STS policy has no valid certificate",
        other => return other.to_owned(),
    }
    .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_source_is_said_as_people_say_it() {
        let source = |passed| DmarcSourceView {
            source: "192.0.2.1".parse().unwrap(),
            header_from: "example.org".to_owned(),
            messages: 3,
            spf: passed,
            dkim: passed,
            passed,
            quarantined: 0,
            rejected: 0,
            spf_result: "fail".to_owned(),
            dkim_result: "none".to_owned(),
        };
        let domain = Domain::parse("example.org").unwrap();
        for (policy, sources, said) in [
            ("none", vec![source(0)], "the only source fails: its mail is taken all the same (p=none)"),
            (
                "reject",
                vec![source(0), source(3)],
                "1 of 2 sources fails: others are asked to refuse its mail (p=reject)",
            ),
            (
                "quarantine",
                vec![source(0), source(1)],
                "2 of 2 sources fail: others are asked to put their mail into Spam (p=quarantine)",
            ),
            ("none", vec![source(3)], "every source passes"),
        ] {
            assert_eq!(dmarc_told(&domain, policy, 1, &sources)[0], said);
        }
    }
}
