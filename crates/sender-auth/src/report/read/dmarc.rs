//! The XML of a DMARC aggregate report (RFC 9990 appendix A, RFC 7489 appendix C), as it comes out of its archive.
//!
//! Who writes reports does not always follow the schema: the namespace is not looked at, an element that is not known is passed over, and
//! of what is missing only what makes a report useless is missed.

use std::io::BufRead;
use std::net::IpAddr;

use quick_xml::Reader;
use quick_xml::events::Event;

use super::limits::{DEPTH_MAX, ROWS_MAX, ROWS_READ_MAX, SIGNATURES_MAX, TEXT_CHARACTERS_MAX, XML_OCTETS_MAX};
use super::{DmarcReport, Unread, count, domain, plain};
use crate::report::{PolicyPublished, Row};

pub(super) fn read(reader: impl BufRead) -> Result<DmarcReport, Unread> {
    let mut xml = Reader::from_reader(reader);
    xml.config_mut().expand_empty_elements = true;
    let mut state = State::default();
    let mut buffer = Vec::new();
    loop {
        buffer.clear();
        let event = xml.read_event_into(&mut buffer).map_err(|error| Unread::form(plain(&error.to_string())))?;
        if xml.buffer_position() > XML_OCTETS_MAX {
            return Err(Unread::TooLarge);
        }
        match event {
            Event::Start(start) => state.begin(start.local_name().into_inner())?,
            Event::End(_) => state.end()?,
            Event::Text(text) => state.text(&String::from_utf8_lossy(&text)),
            Event::CData(text) => state.text(&String::from_utf8_lossy(&text)),
            Event::GeneralRef(name) => match name.resolve_char_ref() {
                Ok(Some(c)) => state.text(c.encode_utf8(&mut [0; 4])),
                Ok(None) => state.text(predefined(&name)?),
                Err(error) => return Err(Unread::form(plain(&error.to_string()))),
            },
            // Entities could be declared there, and grow.
            Event::DocType(_) => return Err(Unread::form("it declares a document type")),
            Event::Eof => break,
            Event::Empty(_) | Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
    }
    state.finish()
}

/// XML 1.0 §4.6.
fn predefined(name: &[u8]) -> Result<&'static str, Unread> {
    match name {
        b"amp" => Ok("&"),
        b"lt" => Ok("<"),
        b"gt" => Ok(">"),
        b"quot" => Ok("\""),
        b"apos" => Ok("'"),
        _ => Err(Unread::form("it names an entity that is not declared")),
    }
}

/// A report in the making.
#[derive(Default)]
struct State {
    /// The elements that are open, from the outermost.
    path: Vec<String>,
    /// The text of the innermost.
    text: String,
    organisation: String,
    contact: String,
    id: String,
    begin: Option<i64>,
    end: Option<i64>,
    domain: String,
    published: Published,
    /// The record that is open.
    record: Record,
    rows: Vec<(u64, Row)>,
    read: usize,
}

#[derive(Default)]
struct Published {
    policy: String,
    subdomain_policy: String,
    strict_dkim: bool,
    strict_spf: bool,
    testing: bool,
}

#[derive(Default)]
struct Record {
    source_ip: Option<IpAddr>,
    count: u64,
    disposition: String,
    overridden: bool,
    dkim_aligned: bool,
    spf_aligned: bool,
    header_from: String,
    envelope_from: String,
    dkim: Vec<(String, String, String)>,
    signature: (String, String, String),
    spf: (String, String, String),
}

impl State {
    fn begin(&mut self, name: &[u8]) -> Result<(), Unread> {
        if self.path.is_empty() && name != b"feedback" {
            return Err(Unread::form("the outermost element is not <feedback>"));
        }
        if self.path.len() >= DEPTH_MAX {
            return Err(Unread::form("its elements stand in each other without end"));
        }
        // A longer name is none that is known.
        let name = String::from_utf8_lossy(name.get(..name.len().min(64)).unwrap_or_default());
        self.path.push(name.into_owned());
        self.text.clear();
        Ok(())
    }

    fn text(&mut self, text: &str) {
        // A character has up to four octets; what is longer is cut in the end.
        let room = (TEXT_CHARACTERS_MAX * 4).saturating_sub(self.text.len());
        self.text.extend(text.chars().take(room));
    }

    fn end(&mut self) -> Result<(), Unread> {
        let text = std::mem::take(&mut self.text);
        let path: Vec<&str> = self.path.iter().map(String::as_str).collect();
        match path.as_slice() {
            ["feedback", "report_metadata", rest @ ..] => match rest {
                ["org_name"] => self.organisation = plain(&text),
                ["email"] => self.contact = plain(&text),
                ["report_id"] => self.id = plain(&text),
                ["date_range", "begin"] => self.begin = seconds(&text),
                ["date_range", "end"] => self.end = seconds(&text),
                _ => {}
            },
            ["feedback", "policy_published", field] => match *field {
                "domain" => self.domain = domain(&text),
                "p" => self.published.policy = word(&text),
                "sp" => self.published.subdomain_policy = word(&text),
                "adkim" => self.published.strict_dkim = word(&text) == "s",
                "aspf" => self.published.strict_spf = word(&text) == "s",
                "testing" => self.published.testing = word(&text) == "y",
                _ => {}
            },
            ["feedback", "record"] => self.row()?,
            ["feedback", "record", rest @ ..] => self.record.field(rest, &text),
            _ => {}
        }
        self.path.pop();
        Ok(())
    }

    /// A record has ended.
    fn row(&mut self) -> Result<(), Unread> {
        self.read = self.read.saturating_add(1);
        if self.read > ROWS_READ_MAX {
            return Err(Unread::TooLarge);
        }
        let record = std::mem::take(&mut self.record);
        // Without an address it tells nothing.
        let Some(source_ip) = record.source_ip else { return Ok(()) };
        let row = Row {
            source_ip,
            disposition: if record.disposition.is_empty() { "none".to_owned() } else { record.disposition },
            overridden: record.overridden,
            dkim_aligned: record.dkim_aligned,
            spf_aligned: record.spf_aligned,
            header_from: record.header_from,
            envelope_from: record.envelope_from,
            dkim: record.dkim,
            spf: record.spf,
        };
        self.rows.push((count(record.count), row));
        Ok(())
    }

    fn finish(mut self) -> Result<DmarcReport, Unread> {
        if !self.path.is_empty() {
            return Err(Unread::form("it ends in the middle"));
        }
        let (Some(begin_secs), Some(end_secs)) = (self.begin, self.end) else {
            return Err(Unread::form("it does not say of which time it tells"));
        };
        if self.domain.is_empty() {
            return Err(Unread::form("it does not say about which domain it tells"));
        }
        for (_, row) in self.rows.iter_mut().filter(|(_, row)| row.header_from.is_empty()) {
            row.header_from.clone_from(&self.domain);
        }
        // The sort is stable: rows of the same size stay in their order.
        self.rows.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let beyond = self.rows.split_off(self.rows.len().min(ROWS_MAX));
        let published = PolicyPublished {
            policy: self.published.policy,
            subdomain_policy: self.published.subdomain_policy,
            strict_dkim: self.published.strict_dkim,
            strict_spf: self.published.strict_spf,
            testing: self.published.testing,
            report_to: Vec::new(),
        };
        Ok(DmarcReport {
            organisation: self.organisation,
            contact: self.contact,
            id: self.id,
            begin_secs,
            end_secs,
            domain: self.domain,
            published,
            rows: self.rows,
            beyond: beyond.iter().fold(0, |sum, (count, _)| sum.saturating_add(*count)),
        })
    }
}

impl Record {
    fn field(&mut self, path: &[&str], text: &str) {
        match path {
            ["row", "source_ip"] => self.source_ip = text.trim().parse().ok(),
            ["row", "count"] => self.count = text.trim().parse().unwrap_or(0),
            ["row", "policy_evaluated", "disposition"] => self.disposition = word(text),
            ["row", "policy_evaluated", "dkim"] => self.dkim_aligned = word(text) == "pass",
            ["row", "policy_evaluated", "spf"] => self.spf_aligned = word(text) == "pass",
            ["row", "policy_evaluated", "reason"] => self.overridden = true,
            // RFC 7489 had it as "identities" for a while, and some still do.
            ["identifiers" | "identities", "header_from"] => self.header_from = domain(text),
            ["identifiers" | "identities", "envelope_from"] => self.envelope_from = domain(text),
            ["auth_results", "dkim", "domain"] => self.signature.0 = domain(text),
            ["auth_results", "dkim", "selector"] => self.signature.1 = plain(text),
            ["auth_results", "dkim", "result"] => self.signature.2 = word(text),
            ["auth_results", "dkim"] => {
                let signature = std::mem::take(&mut self.signature);
                if self.dkim.len() < SIGNATURES_MAX {
                    self.dkim.push(signature);
                }
            }
            ["auth_results", "spf", "scope"] => self.spf.0 = word(text),
            ["auth_results", "spf", "domain"] => self.spf.1 = domain(text),
            ["auth_results", "spf", "result"] => self.spf.2 = word(text),
            _ => {}
        }
    }
}

/// A word of the schema.
fn word(text: &str) -> String {
    plain(text).to_ascii_lowercase()
}

/// Seconds since 1970. Some write fractions.
fn seconds(text: &str) -> Option<i64> {
    let whole = text.trim().split('.').next().unwrap_or_default();
    whole.parse().ok().filter(|secs| (0..=SECONDS_MAX).contains(secs))
}

/// The year 9999.
const SECONDS_MAX: i64 = 253_402_300_799;
