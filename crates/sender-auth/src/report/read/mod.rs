//! Reports of others on domains of this server: DMARC aggregate reports (RFC 9990, and RFC 7489 appendix C before it) and TLS reports
//! (RFC 8460 §4.4), as they come attached to mail. Pure.
//!
//! Whoever knows the address can send anything: what is read is bounded ([`limits`]), a text is plain and short, an archive is unpacked no
//! further than a report can be, and XML has neither a document type nor entities of its own.

mod dmarc;
pub mod limits;
mod tls;
mod unpack;

use std::io::{BufRead, BufReader, Read};

use serde::{Deserialize, Serialize};

use super::{PolicyPublished, Row};
use limits::{COUNT_MAX, JSON_OCTETS_MAX, PACKED_OCTETS_MAX, TEXT_CHARACTERS_MAX, XML_OCTETS_MAX};

/// A DMARC aggregate report of another server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DmarcReport {
    /// Who writes it.
    pub organisation: String,
    /// Where questions about it go.
    pub contact: String,
    /// Its number there.
    pub id: String,
    /// The first second that it tells of, since 1970.
    pub begin_secs: i64,
    /// The last.
    pub end_secs: i64,
    /// About whom, as its author wrote it.
    pub domain: String,
    /// What its author found published. Who gets reports is not told.
    pub published: PolicyPublished,
    /// How many messages of each kind, the most first.
    pub rows: Vec<(u64, Row)>,
    /// Messages of rows beyond [`limits::ROWS_MAX`].
    pub beyond: u64,
}

/// A TLS report of another server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsReport {
    /// Who writes it.
    pub organisation: String,
    /// Where questions about it go.
    pub contact: String,
    /// Its number there.
    pub id: String,
    /// The first second that it tells of, since 1970.
    pub begin_secs: i64,
    /// The last.
    pub end_secs: i64,
    /// What happened under each policy.
    pub policies: Vec<TlsPolicy>,
}

/// What happened under one policy (RFC 8460 §4.4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsPolicy {
    /// `tlsa`, `sts` or `no-policy-found`.
    pub kind: String,
    /// About whom.
    pub domain: String,
    /// Sessions with TLS as the policy wants it.
    pub succeeded: u64,
    /// Sessions without.
    pub failed: u64,
    /// Why.
    pub failures: Vec<TlsFailure>,
}

/// Why sessions failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TlsFailure {
    /// `certificate-expired`, `sts-policy-fetch-error` and so on (RFC 8460 §4.3).
    pub result: String,
    /// Who wanted to send.
    pub sending_ip: String,
    /// The MX that was tried.
    pub receiving_mx: String,
    /// Its address.
    pub receiving_ip: String,
    /// How many.
    pub sessions: u64,
    /// What else is said: a code of the reason, or where more is to be found.
    pub reason: String,
}

/// What was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// On mail that claimed to be from a domain.
    Dmarc(Box<DmarcReport>),
    /// On TLS towards a domain.
    Tls(Box<TlsReport>),
}

/// Why a file is no report. The texts are for administrators.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unread {
    /// It is larger than a report can be, packed or unpacked.
    #[error("it is larger than a report can be")]
    TooLarge,
    /// It can't be unpacked.
    #[error("it can't be unpacked: {0}")]
    Packed(String),
    /// Its form is not that of a report.
    #[error("it is no report: {0}")]
    Form(String),
}

impl Unread {
    fn form(why: impl Into<String>) -> Self {
        Self::Form(why.into())
    }
}

/// Reads an attached file: packed by gzip (RFC 1952), in a ZIP archive, or plain.
///
/// # Errors
/// When it is no report.
pub fn read(file: &[u8]) -> Result<Report, Unread> {
    if file.len() > PACKED_OCTETS_MAX {
        return Err(Unread::TooLarge);
    }
    // One octet more than is taken: what gives it is too large.
    let unpacked = unpack::unpacked(file)?.take(XML_OCTETS_MAX.saturating_add(1));
    let mut reader = BufReader::with_capacity(64 * 1024, unpacked);
    let begins = reader.fill_buf().map_err(|error| Unread::Packed(error.to_string()))?;
    let begins = begins.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(begins).trim_ascii_start();
    match begins.first() {
        Some(b'<') => dmarc::read(reader).map(|report| Report::Dmarc(Box::new(report))),
        Some(b'{') => {
            let mut text = Vec::new();
            let taken = reader.take(JSON_OCTETS_MAX.saturating_add(1)).read_to_end(&mut text);
            taken.map_err(|error| Unread::Packed(error.to_string()))?;
            if text.len() as u64 > JSON_OCTETS_MAX {
                return Err(Unread::TooLarge);
            }
            tls::read(text.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&text)).map(|report| Report::Tls(Box::new(report)))
        }
        Some(_) | None => Err(Unread::form("neither XML nor JSON")),
    }
}

/// A text as it is kept: in one line, and not long. Terminals obey control characters.
fn plain(text: &str) -> String {
    let text = text.chars().map(|c| if c.is_control() { ' ' } else { c });
    let text: String = text.skip_while(|c| c.is_whitespace()).take(TEXT_CHARACTERS_MAX).collect();
    text.trim_end().to_owned()
}

/// A name of a domain as it is compared.
fn domain(text: &str) -> String {
    plain(text).trim_end_matches(|c: char| c == '.' || c.is_whitespace()).to_ascii_lowercase()
}

fn count(number: u64) -> u64 {
    number.min(COUNT_MAX)
}

#[cfg(test)]
mod tests;
