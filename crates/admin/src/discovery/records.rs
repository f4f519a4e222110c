//! The records of the DNS: by which mail comes here and is known to be the domain's own, and by which mail programs find the server.
//!
//! SRV: RFC 6186 (`_imap`, `_imaps`, `_submission`), RFC 8314 §5.1 (`_submissions`), and `_autodiscover` of Microsoft. CNAME:
//! the host names that programs ask for [`autoconfig`](super::autoconfig) and [`autodiscover`](super::autodiscover). TXT: where other
//! servers send their reports (RFC 9989 §4.7, RFC 8460 §3).

use std::net::IpAddr;

use mail::{Address, Domain};
use serde::{Deserialize, Serialize};

use storage::signing_keys::KeyState;

use crate::dkim::SigningKeyView;
use crate::settings::ConnectionSettings;

/// One record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordView {
    /// Its whole name, without the final dot.
    pub name: String,
    /// `MX`, `SRV`, `CNAME` or `TXT`.
    pub kind: String,
    /// As a zone file has it.
    pub value: String,
    /// What it is for.
    pub purpose: String,
}

/// The records to publish for a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordsView {
    /// In the order in which they are shown.
    pub records: Vec<RecordView>,
    /// Which ones there can't be, and why.
    pub notes: Vec<String>,
}

/// The records for a domain.
#[must_use]
pub fn records(settings: &ConnectionSettings, reports_to: Option<&Address>, domain: &Domain) -> RecordsView {
    let mut view = RecordsView::default();
    if let Some(reader) = reports_to {
        reports(&mut view, reader, domain);
    }
    if is_name(&settings.host) {
        services(&mut view, settings, domain);
    } else {
        let host = &settings.host;
        view.notes.push(format!(
            "no SRV records for mail: they need a host name, and this server is \"{host}\" to mail programs; set `hostname`, or \
             [accounts] public_host"
        ));
    }
    match web_host(&settings.web) {
        Some((host, port)) => pages(&mut view, domain, &host, port),
        None => view.notes.push(
            "no records for autoconfig and autodiscover: they need the web pages, [listeners] web, and their address with a host \
             name, [web] url"
                .to_owned(),
        ),
    }
    view
}

/// The records by which mail comes here, and by which others check that the domain's mail is its own: MX (RFC 5321 §5), SPF (RFC 7208) and,
/// where nobody reads reports, DMARC without any (RFC 9989).
pub(crate) fn mail_records(hostname: &Domain, reports: bool, domain: &Domain) -> RecordsView {
    let mut view = RecordsView::default();
    let mut record = |name: String, kind: &str, value: String, purpose: &str| {
        view.records.push(RecordView { name, kind: kind.to_owned(), value, purpose: purpose.to_owned() });
    };
    if is_name(hostname.as_str()) {
        let purpose = "mail for the domain comes here; that name needs an A or AAAA record";
        record(domain.to_string(), "MX", format!("10 {hostname}."), purpose);
    }
    record(domain.to_string(), "TXT", "\"v=spf1 mx -all\"".to_owned(), "only the hosts of MX send its mail (SPF)");
    if !reports {
        let purpose = "what others do with mail that only claims to be from it; rua=mailto:ADDRESS: where they report";
        record(format!("_dmarc.{domain}"), "TXT", "\"v=DMARC1; p=none\"".to_owned(), purpose);
    }
    if !is_name(hostname.as_str()) {
        let note = format!("no MX record: it needs a host name, and this server is \"{hostname}\"; set `hostname`");
        view.notes.push(note);
    }
    view
}

/// The record of a signing key. A string of a TXT record has 255 octets at most (RFC 1035 §3.3): a longer one is in several.
pub(crate) fn dkim_record(key: SigningKeyView) -> RecordView {
    let mut value = String::with_capacity(key.record.len().saturating_add(8));
    for (at, c) in key.record.chars().enumerate() {
        if at % TXT_STRING_OCTETS_MAX == 0 {
            value.push_str(if at == 0 { "\"" } else { "\" \"" });
        }
        value.push(c);
    }
    value.push('"');
    let purpose = match key.state {
        KeyState::Next => "the key that is to sign its mail next (DKIM)",
        KeyState::Active => "the key that signs its mail (DKIM)",
        KeyState::Retired => "the key that signed its mail (DKIM): until that has arrived everywhere",
    };
    RecordView { name: key.record_name, kind: "TXT".to_owned(), value, purpose: purpose.to_owned() }
}

const TXT_STRING_OCTETS_MAX: usize = 255;

/// Where other servers send their reports on a domain.
fn reports(view: &mut RecordsView, reader: &Address, domain: &Domain) {
    let mut txt = |name: String, value: String, purpose: &str| {
        let value = format!("\"{value}\"");
        view.records.push(RecordView { name, kind: "TXT".to_owned(), value, purpose: purpose.to_owned() });
    };
    let at = format!("mailto:{reader}");
    let purpose = "reports on mail that claims to be from the domain; p=quarantine or p=reject once they are good";
    txt(format!("_dmarc.{domain}"), format!("v=DMARC1; p=none; rua={at}"), purpose);
    txt(format!("_smtp._tls.{domain}"), format!("v=TLSRPTv1; rua={at}"), "reports on TLS towards the domain");
    let elsewhere = reader.domain();
    if elsewhere != domain {
        // RFC 9990 §4: who reads reports on another domain says so.
        let name = format!("{domain}._report._dmarc.{elsewhere}");
        txt(name, "v=DMARC1;".to_owned(), "the reader's domain takes reports on this one");
    }
}

fn services(view: &mut RecordsView, settings: &ConnectionSettings, domain: &Domain) {
    // RFC 8314 §5.1: TLS from the start comes first; the lower number is preferred (RFC 2782).
    for (service, port, priority, what) in [
        ("_imaps", settings.imaps, 0, "reading mail, TLS from the start"),
        ("_imap", settings.imap, 10, "reading mail, STARTTLS"),
        ("_submissions", settings.submissions, 0, "sending mail, TLS from the start"),
        ("_submission", settings.submission, 10, "sending mail, STARTTLS"),
    ] {
        let (value, purpose) = match port {
            Some(port) => (format!("{priority} 1 {port} {}.", settings.host), what.to_owned()),
            // RFC 6186 §3.4: this is how a service is said not to be there.
            None => ("0 0 0 .".to_owned(), format!("not offered: {what}")),
        };
        view.records.push(RecordView {
            name: format!("{service}._tcp.{domain}"),
            kind: "SRV".to_owned(),
            value,
            purpose,
        });
    }
}

fn pages(view: &mut RecordsView, domain: &Domain, host: &str, port: u16) {
    view.records.push(RecordView {
        name: format!("_autodiscover._tcp.{domain}"),
        kind: "SRV".to_owned(),
        value: format!("0 1 {port} {host}."),
        purpose: "settings for Outlook".to_owned(),
    });
    for (name, purpose) in
        [("autoconfig", "settings for Thunderbird and others"), ("autodiscover", "settings for Outlook")]
    {
        let name = format!("{name}.{domain}");
        // A name can't stand for itself; it has its address already.
        if name != host {
            let value = format!("{host}.");
            view.records.push(RecordView { name, kind: "CNAME".to_owned(), value, purpose: purpose.to_owned() });
        }
    }
}

fn is_name(host: &str) -> bool {
    host.parse::<IpAddr>().is_err()
        && host != "localhost"
        && Domain::parse(host).is_ok_and(|it| it.as_literal().is_none())
}

/// Host and port of the address of the web pages; `None` without one, or when the host is an IP address.
fn web_host(url: &str) -> Option<(String, u16)> {
    let (scheme, rest) = url.split_once("://")?;
    let standard = if scheme.eq_ignore_ascii_case("https") { 443 } else { 80 };
    let authority = rest.split('/').next()?;
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().ok()?),
        None => (authority, standard),
    };
    is_name(host).then(|| (host.to_lowercase(), port))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{domain, settings};
    use super::*;

    fn told(settings: &ConnectionSettings) -> Vec<String> {
        let view = records(settings, None, &domain("example.org"));
        view.records.iter().map(|one| format!("{} {} {}", one.name, one.kind, one.value)).collect()
    }

    #[test]
    fn m05_the_records_have_every_service_and_say_what_is_not_there() {
        assert_eq!(
            told(&ConnectionSettings { imap: None, submissions: Some(10_465), ..settings() }),
            [
                "_imaps._tcp.example.org SRV 0 1 993 mail.example.org.",
                "_imap._tcp.example.org SRV 0 0 0 .",
                "_submissions._tcp.example.org SRV 0 1 10465 mail.example.org.",
                "_submission._tcp.example.org SRV 10 1 587 mail.example.org.",
                "_autodiscover._tcp.example.org SRV 0 1 443 pages.example.org.",
                "autoconfig.example.org CNAME pages.example.org.",
                "autodiscover.example.org CNAME pages.example.org.",
            ]
        );
    }

    #[test]
    fn records_say_where_reports_are_read() {
        let told = |reader: &str| {
            let view = records(&settings(), Some(&reader.parse().unwrap()), &domain("example.org"));
            let texts = view.records.into_iter().filter(|one| one.kind == "TXT");
            texts.map(|one| format!("{} {}", one.name, one.value)).collect::<Vec<_>>()
        };
        let own = [
            "_dmarc.example.org \"v=DMARC1; p=none; rua=mailto:dmarc@example.org\"",
            "_smtp._tls.example.org \"v=TLSRPTv1; rua=mailto:dmarc@example.org\"",
        ];
        assert_eq!(told("dmarc@example.org"), own);
        assert_eq!(told("dmarc@other.example")[2], "example.org._report._dmarc.other.example \"v=DMARC1;\"");
    }

    #[test]
    fn m05_records_that_need_a_name_are_left_out_with_the_reason() {
        let bare = ConnectionSettings { host: "192.0.2.1".to_owned(), web: "http://[::1]:81".to_owned(), ..settings() };
        let view = records(&bare, None, &domain("example.org"));
        assert_eq!((view.records.len(), view.notes.len()), (0, 2), "{view:?}");
        let none = ConnectionSettings { web: String::new(), ..settings() };
        assert_eq!(told(&none).len(), 4);
        let own = ConnectionSettings { web: "https://autoconfig.example.org:8443".to_owned(), ..settings() };
        let told = told(&own);
        assert_eq!(told.len(), 6, "{told:?}");
        assert!(told.contains(&"_autodiscover._tcp.example.org SRV 0 1 8443 autoconfig.example.org.".to_owned()));
    }
}
