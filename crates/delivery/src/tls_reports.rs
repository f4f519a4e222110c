//! TLS reports (RFC 8460): what the servers of other domains offered when mail went to them, counted as it goes, and told once a day
//! to who asks for it in the DNS: by mail, or by a POST to their web server.
//!
//! A letter is written in the transaction that forgets what was counted. A web server is told before it; one that takes nothing is told
//! again with each hour for a day (§5.5), and what was counted waits for it. The report's name stays the same, so that its reader can tell one that came twice.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use mail::{Address, Domain, DsnNotify, Envelope, EnvelopeRecipient, ForwardPath, ReversePath, Timestamp};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as Mailbox;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;
use sender_auth::report::gzip;
use serde::{Deserialize, Serialize};
use storage::StorageError;
use storage::dmarc_reports::{ReportKind, ReportOf};
use world::https::{Https, Request, Url};

use crate::limits::REPORT_READERS_MAX;
use crate::reports::{DAY, day_of};
use crate::{Delivery, Prepared, Refused};

/// The policy that a connection was held to (§4.4).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TlsPolicyUsed {
    /// `tlsa`, `sts` or `no-policy-found`.
    pub policy_type: String,
    /// Its text: a line of the MTA-STS policy, or a TLSA record, each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policy_string: Vec<String>,
    /// The domain.
    pub policy_domain: String,
    /// The hosts that it names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub mx_host: Vec<String>,
}

/// How a connection failed (§4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub struct TlsFailure {
    /// One of the registered results (§4.3), as `certificate-expired`.
    pub result_type: String,
    /// The MX host.
    pub receiving_mx_hostname: String,
    /// Its address.
    pub receiving_ip: String,
}

/// A connection, as it is counted.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsSession {
    /// What it was held to.
    pub policy: TlsPolicyUsed,
    /// `None`: it went well.
    pub failure: Option<TlsFailure>,
}

/// Who wants reports: the addresses in the TXT records of `_smtp._tls.` (§3), those of mail without their scheme. Of several records there
/// is none.
#[must_use]
pub fn readers(records: &[String]) -> Vec<String> {
    let mut ours =
        records.iter().filter(|record| record.split(';').next().unwrap_or_default().trim_end() == "v=TLSRPTv1");
    let (Some(record), None) = (ours.next(), ours.next()) else { return Vec::new() };
    let fields = record.split(';').filter_map(|field| field.trim().split_once('='));
    let uris = fields.filter(|(name, _)| name.trim_end() == "rua").flat_map(|(_, value)| value.split(','));
    uris.filter_map(|uri| mailto(uri).or_else(|| https(uri))).take(REPORT_READERS_MAX).collect()
}

fn mailto(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.trim().split_at_checked("mailto:".len())?;
    let plain = !rest.contains(['%', '?', '!']);
    let good = scheme.eq_ignore_ascii_case("mailto:") && plain && Address::parse(rest).is_ok();
    good.then(|| rest.to_owned())
}

fn https(uri: &str) -> Option<String> {
    let (scheme, rest) = uri.trim().split_at_checked("https:".len())?;
    // RFC 3986 §3.1: schemes have no case.
    let url = format!("{}{rest}", scheme.to_ascii_lowercase());
    Url::parse(&url).is_ok().then_some(url)
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Document<'a> {
    organization_name: &'a str,
    date_range: Range,
    contact_info: &'a str,
    report_id: &'a str,
    policies: Vec<Told>,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Range {
    start_datetime: String,
    end_datetime: String,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Told {
    policy: TlsPolicyUsed,
    summary: Summary,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    failure_details: Vec<Detail>,
}

#[derive(Default, Serialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    total_successful_session_count: u64,
    total_failure_session_count: u64,
}

#[derive(Serialize)]
#[serde(rename_all = "kebab-case")]
struct Detail {
    #[serde(flatten)]
    failure: TlsFailure,
    failed_session_count: u64,
}

/// The rows of a day by policy.
fn told(rows: Vec<(u64, TlsSession)>) -> Vec<Told> {
    let mut policies: BTreeMap<TlsPolicyUsed, (Summary, Vec<Detail>)> = BTreeMap::new();
    for (count, TlsSession { policy, failure }) in rows {
        let (summary, details) = policies.entry(policy).or_default();
        match failure {
            None => {
                summary.total_successful_session_count = summary.total_successful_session_count.saturating_add(count);
            }
            Some(failure) => {
                summary.total_failure_session_count = summary.total_failure_session_count.saturating_add(count);
                details.push(Detail { failure, failed_session_count: count });
            }
        }
    }
    let told = policies.into_iter();
    told.map(|(policy, (summary, failure_details))| Told { policy, summary, failure_details }).collect()
}

/// `2026-01-01T00:00:00Z` (RFC 3339).
fn moment(secs: i64) -> String {
    Timestamp::from_secs(secs).to_rfc3339()
}

impl Delivery {
    /// Whether connections are to be counted: reports have a sender.
    #[must_use]
    pub fn reports_tls(&self) -> bool {
        self.reports_from.is_some()
    }

    /// Counts a connection to a server of a domain, for these readers. A report promises nothing: what can't be counted is left out.
    pub async fn count_tls_session(&self, domain: Domain, readers: &[String], session: &TlsSession) {
        let (Ok(readers), Ok(row)) = (serde_json::to_vec(readers), serde_json::to_vec(session)) else { return };
        let of = ReportOf { kind: ReportKind::Tls, day: day_of(self.store().now().as_secs()), domain };
        if let Err(error) = self.store().count_for_report_lightly(of, readers, row).await {
            tracing::debug!(%error, "a connection is in no report");
        }
    }

    /// The report on a domain for each of its readers: letters, and what web servers are told at once.
    pub(crate) async fn tls_report(&self, of: &ReportOf, from: &Address) -> Result<ReportTold, StorageError> {
        let (readers, rows) = self.store().report(of).await?;
        let readers: Vec<String> = serde_json::from_slice(&readers).unwrap_or_default();
        let rows = rows.into_iter().filter_map(|(count, row)| Some((count, serde_json::from_slice(&row).ok()?)));
        let begin_secs = i64::from(of.day).saturating_mul(DAY);
        let end_secs = begin_secs.saturating_add(DAY).saturating_sub(1);
        let id = self.tls_report_id(of);
        let contact = from.to_string();
        let document = Document {
            organization_name: self.settings().hostname.as_str(),
            date_range: Range { start_datetime: moment(begin_secs), end_datetime: moment(end_secs) },
            contact_info: &contact,
            report_id: &id,
            policies: told(rows.collect()),
        };
        let json = serde_json::to_vec(&document).unwrap_or_default();
        let mut told = ReportTold::default();
        let Ok(packed) = gzip(&json) else { return Ok(told) };
        // §5.5: for a day, from the first attempt on, which is due when the day of the report is over.
        let again = self.store().now().as_secs() < end_secs.saturating_add(DAY);
        for to in readers {
            if let Ok(url) = Url::parse(&to) {
                match self.post_tls_report(url, packed.clone()).await {
                    Ok(()) => told.posted = told.posted.saturating_add(1),
                    Err(why) => {
                        tracing::info!(domain = %of.domain, to, why, again, "a web server took no TLS report");
                        told.untold.extend(again.then_some(to));
                    }
                }
                continue;
            }
            let Ok(address) = Address::parse(&to) else { continue };
            let content = self.tls_letter(of, (begin_secs, end_secs), &id, (from, &address), &packed);
            let mut envelope = Envelope::new(ReversePath::Null);
            let forward_path = ForwardPath::Address(address);
            envelope.recipients.push(EnvelopeRecipient { forward_path, notify: DsnNotify::NEVER, original: None });
            match self.prepare(envelope, &content).await {
                Ok(report) => told.letters.push(report),
                Err(Refused(reply)) => tracing::info!(domain = %of.domain, to, %reply, "a TLS report is not sent"),
            }
        }
        Ok(told)
    }

    /// The same for the same day and domain, whenever it is asked for.
    fn tls_report_id(&self, of: &ReportOf) -> String {
        let mut hasher = DefaultHasher::new();
        (self.settings().hostname.as_str(), of.domain.as_str(), of.day).hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }

    /// §5.4. Without a client nothing is told.
    async fn post_tls_report(&self, url: Url, packed: Vec<u8>) -> Result<(), String> {
        let https = self.https.as_ref().ok_or_else(|| "there is no client for the web".to_owned())?;
        let response =
            https.exchange(Request::post(url, MEDIA_TYPE, packed)).await.map_err(|error| error.to_string())?;
        if response.is_success() { Ok(()) } else { Err(format!("it says {}", response.status)) }
    }

    /// The same delivery, which tells web servers what they ask for.
    #[must_use]
    pub fn posting(mut self, https: Arc<dyn Https>) -> Self {
        self.https = Some(https);
        self
    }

    /// §5.3.
    fn tls_letter(
        &self,
        of: &ReportOf,
        (begin_secs, end_secs): (i64, i64),
        id: &str,
        (from, to): (&Address, &Address),
        packed: &[u8],
    ) -> Vec<u8> {
        let (hostname, domain) = (&self.settings().hostname, &of.domain);
        let text = format!(
            "This is a TLS report of {hostname} on connections to the mail servers of {domain} on {}.\r\n",
            moment(begin_secs)
        );
        let name = format!("{hostname}!{domain}!{begin_secs}!{end_secs}!{id}.json.gz");
        let attached = MimePart::new(MEDIA_TYPE, packed.to_vec()).attachment(name);
        let report = ContentType::new("multipart/report").attribute("report-type", "tlsrpt");
        let builder = MessageBuilder::new()
            .header("Date", Raw::new(self.store().now().to_rfc5322()))
            .from(Mailbox::new_address(None::<String>, from.to_string()))
            .to(Mailbox::new_address(None::<String>, to.to_string()))
            .header("Subject", Raw::new(format!("Report Domain: {domain} Submitter: {hostname} Report-ID: <{id}>")))
            .header("TLS-Report-Domain", Raw::new(domain.to_string()))
            .header("TLS-Report-Submitter", Raw::new(hostname.to_string()))
            // A report on TLS that fails must not fail with it (§5.5).
            .header("TLS-Required", Raw::new("No"))
            .message_id(format!("{id}.{begin_secs}@{hostname}"))
            .header("Auto-Submitted", Raw::new("auto-generated"))
            .body(MimePart::new(report, vec![MimePart::new("text/plain", text), attached]));
        let mut out = Vec::new();
        builder.serialize(&mut out);
        out
    }
}

/// What became of the report on a domain.
#[derive(Default)]
pub(crate) struct ReportTold {
    /// Letters, to be written.
    pub(crate) letters: Vec<Prepared>,
    /// How many web servers have it.
    pub(crate) posted: usize,
    /// Web servers that are to be told again.
    pub(crate) untold: Vec<String>,
}

const MEDIA_TYPE: &str = "application/tlsrpt+gzip";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_are_who_the_record_names() {
        let readers = |records: &[&str]| readers(&records.iter().map(|&r| r.to_owned()).collect::<Vec<_>>());
        assert_eq!(readers(&["v=TLSRPTv1; rua=mailto:tls@a.example"]), ["tls@a.example"]);
        let two = "v=TLSRPTv1;rua=HTTPS://a.example/x?y , MAILTO:a@a.example,mailto:b@b.example,mailto:c%40c.example,mailto:,http://a.example,https:x";
        assert_eq!(readers(&["v=spf1 -all", two]), ["https://a.example/x?y", "a@a.example", "b@b.example"]);
        for none in [&["v=TLSRPTv1"][..], &["v=TLSRPTv2; rua=mailto:a@a.example"], &[two, two], &[]] {
            assert_eq!(readers(none), [""; 0]);
        }
        let many = format!("v=TLSRPTv1; rua={}", "mailto:a@a.example,".repeat(100));
        assert_eq!(readers(&[&many]).len(), REPORT_READERS_MAX);
    }

    #[test]
    fn connections_are_summed_up_by_policy() {
        let policy = |kind: &str| TlsPolicyUsed {
            policy_type: kind.into(),
            policy_string: Vec::new(),
            policy_domain: "a.example".into(),
            mx_host: Vec::new(),
        };
        let failure = |result: &str| {
            let receiving = ("mx.a.example".into(), "192.0.2.1".into());
            Some(TlsFailure {
                result_type: result.into(),
                receiving_mx_hostname: receiving.0,
                receiving_ip: receiving.1,
            })
        };
        let rows = vec![
            (7, TlsSession { policy: policy("sts"), failure: None }),
            (2, TlsSession { policy: policy("sts"), failure: failure("certificate-expired") }),
            (1, TlsSession { policy: policy("sts"), failure: failure("starttls-not-supported") }),
            (4, TlsSession { policy: policy("no-policy-found"), failure: None }),
        ];
        let json = serde_json::to_value(told(rows)).unwrap();
        assert_eq!(
            json,
            serde_json::json!([
                { "policy": { "policy-type": "no-policy-found", "policy-domain": "a.example" },
                  "summary": { "total-successful-session-count": 4, "total-failure-session-count": 0 } },
                { "policy": { "policy-type": "sts", "policy-domain": "a.example" },
                  "summary": { "total-successful-session-count": 7, "total-failure-session-count": 3 },
                  "failure-details": [
                    { "result-type": "certificate-expired", "receiving-mx-hostname": "mx.a.example", "receiving-ip": "192.0.2.1",
                      "failed-session-count": 2 },
                    { "result-type": "starttls-not-supported", "receiving-mx-hostname": "mx.a.example", "receiving-ip": "192.0.2.1",
                      "failed-session-count": 1 } ] }
            ])
        );
    }
}
