//! Reports of others, which anybody can send: in XML, in JSON, in archives.

use delivery::complaint::{Capture, Feedback};
use delivery::limits::COMPLAINED_MAX;
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

/// A complaint (ARF): the same however it is cut, few readers, and a kind in plain characters.
pub(crate) fn complaint(input: &[u8]) {
    let end = input.windows(4).position(|four| four == b"\r\n\r\n").map_or(input.len(), |at| at + 4);
    let (header, body) = input.split_at(end);
    let read = |pieces: &[&[u8]]| -> Option<Feedback> {
        let (first, rest) = pieces.split_first()?;
        let mut capture = Capture::begin(header, first)?;
        rest.iter().for_each(|piece| capture.take(piece));
        capture.read()
    };
    let found = read(&[body]);
    let (head, tail) = body.split_at(body.len() / 2);
    assert_eq!(read(&[head, tail]), found, "cut");
    assert_eq!(read(&[b"", head, b"", tail]), found, "cut");
    let Some(Feedback { kind, recipients }) = found else { return };
    assert!(!kind.is_empty() && kind.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'), "{kind:?}");
    assert!(recipients.len() <= COMPLAINED_MAX);
    // They are rows, and found again.
    assert!(
        recipients.iter().all(|reader| mail::Address::parse(&reader.to_string()).as_ref() == Ok(reader)),
        "{recipients:?}"
    );
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
