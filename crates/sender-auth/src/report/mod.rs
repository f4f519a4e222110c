//! DMARC aggregate reports (RFC 9990): what a domain is told of the mail that claimed to be from it. Pure.
//!
//! [`read`] reads those of others, and TLS reports (RFC 8460).
//!
//! Messages that were judged alike are one [`Row`], which is counted. At the end of a day [`Report::to_xml`] writes those of one
//! domain, and [`gzip`] packs them.

pub mod read;
mod xml;

use std::io::Write as _;
use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::verify::{Authentication, Decision, Disposition, Dkim, Dmarc, Outcome};

/// What is common to messages that are counted together.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// Who handed them over.
    pub source_ip: IpAddr,
    /// What happened to them: `none`, `quarantine` or `reject`.
    pub disposition: String,
    /// A trusted chain was believed (`local_policy`), or this server is milder than the domain asks.
    pub overridden: bool,
    /// DKIM passed for the author's domain.
    pub dkim_aligned: bool,
    /// SPF passed for it.
    pub spf_aligned: bool,
    /// The author's domain.
    pub header_from: String,
    /// The domain of the reverse-path; empty for the null one.
    pub envelope_from: String,
    /// Signatures: domain, selector, result.
    pub dkim: Vec<(String, String, String)>,
    /// What SPF was asked for: `mfrom` or `helo`, the domain, the result.
    pub spf: (String, String, String),
}

/// What a domain publishes, as it was last seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PolicyPublished {
    /// `p=`.
    pub policy: String,
    /// `sp=`.
    pub subdomain_policy: String,
    /// `adkim=s`.
    pub strict_dkim: bool,
    /// `aspf=s`.
    pub strict_spf: bool,
    /// `t=y`.
    pub testing: bool,
    /// Who wants reports, each with the octets that it takes (0: any number).
    pub report_to: Vec<(String, u64)>,
}

/// One judgement, to be counted for a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Judged {
    /// The domain that publishes the policy.
    pub domain: String,
    /// What it publishes.
    pub published: PolicyPublished,
    /// The row.
    pub row: Row,
}

/// Signatures that a row names.
const SIGNATURES_MAX: usize = 5;

/// What is to be counted of a message: for each domain in From whose policy asks for reports.
#[must_use]
pub fn judged(found: &Authentication, decision: &Decision) -> Vec<Judged> {
    found.dmarc.iter().filter_map(|dmarc| judged_for(found, decision, dmarc)).collect()
}

fn judged_for(found: &Authentication, decision: &Decision, dmarc: &Dmarc) -> Option<Judged> {
    let published = dmarc.published.as_ref().filter(|published| !published.report_to.is_empty())?;
    // RFC 9989 §5.3.6: what could not be judged is not reported.
    let client = found.client.as_ref().filter(|_| dmarc.outcome != Outcome::TemporaryError)?;
    let failed = dmarc.outcome == Outcome::Fail;
    let disposition = match decision.disposition {
        Disposition::Refuse(_) if failed => "reject",
        Disposition::Quarantine if failed => "quarantine",
        Disposition::Refuse(_) | Disposition::Quarantine | Disposition::Accept => "none",
    };
    let asked = dmarc.policy.unwrap_or_default().name();
    let signature = |dkim: &Dkim| (dkim.domain.clone(), dkim.selector.clone(), dkim.outcome.name().to_owned());
    let named = found.dkim.iter().filter(|dkim| !dkim.domain.is_empty());
    let scope = if client.reverse_path.is_some() { "mfrom" } else { "helo" };
    Some(Judged {
        domain: published.domain.clone(),
        published: PolicyPublished {
            policy: published.policy.name().to_owned(),
            subdomain_policy: published.subdomain_policy.name().to_owned(),
            strict_dkim: published.strict_dkim,
            strict_spf: published.strict_spf,
            testing: published.testing,
            report_to: published.report_to.clone(),
        },
        row: Row {
            source_ip: client.ip,
            disposition: disposition.to_owned(),
            overridden: failed && disposition != asked,
            dkim_aligned: dmarc.dkim_aligned,
            spf_aligned: dmarc.spf_aligned,
            header_from: dmarc.domain.clone(),
            envelope_from: client.reverse_path.as_ref().map(|path| path.domain().to_string()).unwrap_or_default(),
            dkim: named.take(SIGNATURES_MAX).map(signature).collect(),
            spf: (scope.to_owned(), found.spf.domain.clone(), found.spf.outcome.name().to_owned()),
        },
    })
}

/// A report on one day of one domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report<'r> {
    /// Who writes it: the name of this server.
    pub organisation: &'r str,
    /// Where questions about it go.
    pub contact: &'r str,
    /// Its number, for ever its own.
    pub id: &'r str,
    /// The first second of the day.
    pub begin_secs: i64,
    /// The last.
    pub end_secs: i64,
    /// About whom.
    pub domain: &'r str,
    /// What it published.
    pub published: &'r PolicyPublished,
    /// How many messages of each kind.
    pub rows: &'r [(u64, Row)],
}

/// A text, packed (RFC 1952).
///
/// # Errors
/// None that memory could have.
pub fn gzip(text: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packer.write_all(text)?;
    packer.finish()
}

/// The name of the attached file (RFC 9990 §3.5.2): whom it is for, about whom, when.
#[must_use]
pub fn file_name(report: &Report<'_>) -> String {
    format!("{}!{}!{}!{}!{}.xml.gz", report.organisation, report.domain, report.begin_secs, report.end_secs, report.id)
}
