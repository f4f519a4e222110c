//! Reports of others, which anybody can send: in XML, in JSON, in archives.

use sender_auth::report::read::{DmarcReport, Report, limits, read};
use sender_auth::report::{Report as Written, gzip};

/// A DMARC report: bounded and in plain words, the same packed, and what is read can be written and read again.
pub(crate) fn dmarc(input: &[u8]) {
    let found = read(input);
    if input.first().is_some_and(|first| !matches!(first, b'P' | 0x1F)) {
        assert_eq!(read(&gzip(input).unwrap_or_default()), found, "packing makes no difference");
    }
    let Ok(Report::Dmarc(report)) = found else { return };
    assert!(report.rows.len() <= limits::ROWS_MAX);
    assert!(report.rows.is_sorted_by_key(|(count, _)| std::cmp::Reverse(*count)), "the most comes first");
    let written = Written {
        organisation: &report.organisation,
        contact: &report.contact,
        id: &report.id,
        begin_secs: report.begin_secs,
        end_secs: report.end_secs,
        domain: &report.domain,
        published: &report.published,
        rows: &report.rows,
    };
    let again = written.to_xml().map(|xml| read(&xml));
    let expected = DmarcReport { beyond: 0, ..(*report).clone() };
    assert_eq!(again.ok(), Some(Ok(Report::Dmarc(Box::new(expected)))), "what was written is read");
    plain(&report);
}

/// A TLS report.
pub(crate) fn tls(input: &[u8]) {
    let Ok(Report::Tls(report)) = read(input) else { return };
    assert!(report.policies.len() <= limits::POLICIES_MAX);
    assert!(report.policies.iter().all(|policy| policy.failures.len() <= limits::FAILURES_MAX));
    plain(&report);
}

/// An archive.
pub(crate) fn packed(input: &[u8]) {
    drop(read(input));
}

/// Nobody's terminal obeys what stands in it.
fn plain(report: &impl serde::Serialize) {
    fn look(value: &serde_json::Value) {
        match value {
            serde_json::Value::String(text) => {
                assert!(!text.contains(char::is_control), "{text:?}");
                assert!(text.chars().count() <= limits::TEXT_CHARACTERS_MAX, "{text:?}");
            }
            serde_json::Value::Array(all) => all.iter().for_each(look),
            serde_json::Value::Object(all) => all.values().for_each(look),
            serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {}
        }
    }
    look(&serde_json::to_value(report).unwrap_or_default());
}
