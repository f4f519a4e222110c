//! The JSON of a TLS report (RFC 8460 §4.4).

use serde::Deserialize;

use super::limits::{FAILURES_MAX, POLICIES_MAX};
use super::{TlsFailure, TlsPolicy, TlsReport, Unread, count, domain, plain};

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Written {
    #[serde(default)]
    organization_name: Text,
    date_range: Range,
    #[serde(default)]
    contact_info: Text,
    #[serde(default)]
    report_id: Text,
    policies: Vec<Policy>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Range {
    start_datetime: String,
    end_datetime: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Policy {
    policy: Name,
    #[serde(default)]
    summary: Summary,
    #[serde(default)]
    failure_details: Vec<Failure>,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Name {
    #[serde(default)]
    policy_type: Text,
    #[serde(default)]
    policy_domain: Text,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Summary {
    #[serde(default)]
    total_successful_session_count: u64,
    #[serde(default)]
    total_failure_session_count: u64,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", default)]
#[derive(Default)]
struct Failure {
    result_type: Text,
    sending_mta_ip: Text,
    receiving_mx_hostname: Text,
    receiving_ip: Text,
    failed_session_count: u64,
    additional_information: Text,
    failure_reason_code: Text,
}

/// A text that some leave out by saying `null`.
#[derive(Default, Deserialize)]
#[serde(transparent)]
struct Text(Option<String>);

impl Text {
    fn plain(&self) -> String {
        plain(self.0.as_deref().unwrap_or_default())
    }

    fn domain(&self) -> String {
        domain(self.0.as_deref().unwrap_or_default())
    }
}

pub(super) fn read(text: &[u8]) -> Result<TlsReport, Unread> {
    let written: Written = serde_json::from_slice(text).map_err(|error| Unread::form(plain(&error.to_string())))?;
    let policies = written.policies.iter().take(POLICIES_MAX).map(policy).collect();
    Ok(TlsReport {
        organisation: written.organization_name.plain(),
        contact: written.contact_info.plain(),
        id: written.report_id.plain(),
        begin_secs: moment(&written.date_range.start_datetime)?,
        end_secs: moment(&written.date_range.end_datetime)?,
        policies,
    })
}

fn policy(written: &Policy) -> TlsPolicy {
    let failure = |failure: &Failure| TlsFailure {
        result: failure.result_type.plain(),
        sending_ip: failure.sending_mta_ip.plain(),
        receiving_mx: failure.receiving_mx_hostname.domain(),
        receiving_ip: failure.receiving_ip.plain(),
        sessions: count(failure.failed_session_count),
        reason: match failure.failure_reason_code.plain() {
            code if code.is_empty() => failure.additional_information.plain(),
            code => code,
        },
    };
    TlsPolicy {
        kind: written.policy.policy_type.plain().to_ascii_lowercase(),
        domain: written.policy.policy_domain.domain(),
        succeeded: count(written.summary.total_successful_session_count),
        failed: count(written.summary.total_failure_session_count),
        failures: written.failure_details.iter().take(FAILURES_MAX).map(failure).collect(),
    }
}

/// RFC 3339.
fn moment(text: &str) -> Result<i64, Unread> {
    let at: jiff::Timestamp = text.trim().parse().map_err(|_| Unread::form("its time is none"))?;
    Ok(at.as_second().max(0))
}
