//! Bounces: what a DSN says (RFC 3464), and what it does to a member's score.
//!
//! Each day counts once, by the worst bounce of that day, so that one bad hour with many posts is one bad day. A day on
//! which a post went out and the day before had no bounce takes half a bad day away.

use delivery::is_hard_bounce;
use mail::{EnhancedCode, Timestamp};
use message::{Structure, TransferEncoding, decode_bytes, raw_fields};
use storage::rows::BounceScore;

/// What a DSN says of its recipients, the worst of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Report {
    /// Delivered, relayed, expanded, or only delayed: nothing that counts.
    Nothing,
    /// Failed with a temporary status (4.x.x): a full mailbox, a host that did not answer for days.
    Soft,
    /// Failed with a permanent status (5.x.x).
    Hard,
    /// The same, and nobody is there, now and later ([`delivery::is_hard_bounce`]).
    Nobody,
}

/// Reads the second part of a `multipart/report`, as far as it lies in the octets given.
pub(crate) fn read_report(start: &[u8], structure: &Structure) -> Option<Report> {
    let part = structure.parts.iter().find(|part| {
        let kind = &part.mime.content_type;
        kind.is_exactly(b"message", b"delivery-status") || kind.is_exactly(b"message", b"global-delivery-status")
    })?;
    let encoding = TransferEncoding::from_field(part.mime.encoding.as_deref());
    let body = decode_bytes(part.body().of(start), encoding);
    Some(worst(&body))
}

/// The worst of the groups of fields, one for the message and one for each recipient (RFC 3464 §2.1).
fn worst(body: &[u8]) -> Report {
    let mut worst = Report::Nothing;
    let (mut failed, mut status) = (false, String::new());
    let text = String::from_utf8_lossy(body).replace("\r\n", "\n");
    for group in text.split("\n\n") {
        let group = format!("{}\r\n\r\n", group.trim_start_matches('\n').replace('\n', "\r\n"));
        for field in raw_fields(group.as_bytes()) {
            let Some(name) = field.name else { continue };
            let value = String::from_utf8_lossy(field.value()).trim().to_ascii_lowercase();
            if name.eq_ignore_ascii_case(b"Action") {
                failed = value.starts_with("failed");
            } else if name.eq_ignore_ascii_case(b"Status") {
                status = value;
            }
        }
        let found = if !failed || is_about_the_way(code(&status)) {
            Report::Nothing
        } else if status.starts_with('4') {
            Report::Soft
        } else if is_hard_bounce(code(&status)) {
            Report::Nobody
        } else {
            Report::Hard
        };
        worst = worst.max(found);
        (failed, status) = (false, String::new());
    }
    worst
}

/// `5.1.1`, and what may stand behind it (RFC 3464 §2.3.4).
fn code(status: &str) -> Option<EnhancedCode> {
    let mut numbers = status.split_whitespace().next()?.split('.');
    let code =
        EnhancedCode(numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?, numbers.next()?.parse().ok()?);
    numbers.next().is_none().then_some(code)
}

/// Whether a failure is one of the way there, which has no encryption, or none that can be trusted (RFC 8689 §4.2.1: 5.7.10, 5.7.30).
/// The address may be as good as ever.
fn is_about_the_way(code: Option<EnhancedCode>) -> bool {
    matches!(code, Some(EnhancedCode(5, 7, 10 | 30)))
}

/// Counts a bounce.
pub(crate) fn count(score: &mut BounceScore, report: Report, today: u32) {
    let tenths = match report {
        Report::Nothing => return,
        Report::Soft => SOFT,
        Report::Hard | Report::Nobody => HARD,
    };
    if score.bounced_day != today {
        (score.bounced_day, score.bounced_tenths) = (today, 0);
    }
    // The worst of a day counts, once.
    let more = tenths.saturating_sub(score.bounced_tenths);
    score.bounced_tenths = score.bounced_tenths.max(tenths);
    score.tenths = score.tenths.saturating_add(more);
}

/// A post goes out to the member today; whether that changes the score.
pub(crate) fn calm(score: &mut BounceScore, today: u32) -> bool {
    let quiet = today > score.bounced_day.saturating_add(1) && today > score.calmed_day;
    if score.tenths == 0 || !quiet {
        return false;
    }
    score.tenths = score.tenths.saturating_sub(CALM);
    score.calmed_day = today;
    true
}

/// Whether a member has bounced too often.
pub(crate) fn too_often(score: BounceScore, days_max: u32) -> bool {
    score.tenths >= days_max.max(1).saturating_mul(HARD)
}

/// The day of a moment, in days since 1970.
pub(crate) fn day(at: Timestamp) -> u32 {
    u32::try_from(at.as_secs().div_euclid(86_400)).unwrap_or(0)
}

const HARD: u32 = 10;
const SOFT: u32 = 5;
const CALM: u32 = 5;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::incoming::Incoming;

    fn dsn(groups: &str) -> Option<Report> {
        let message = format!(
            "From: MAILER-DAEMON@far.example\r\nContent-Type: multipart/report; report-type=delivery-status; \
             boundary=\"b\"\r\n\r\n--b\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n--b\r\nContent-Type: \
             message/delivery-status\r\n\r\n{groups}\r\n--b--\r\n"
        );
        Incoming::read(message.as_bytes(), true).report
    }

    #[test]
    fn a_dsn_is_as_bad_as_its_worst_recipient() {
        let group = |action: &str, status: &str| {
            format!("Final-Recipient: rfc822; a@b\r\nAction: {action}\r\nStatus: {status}\r\n")
        };
        for (groups, wanted) in [
            (vec![group("failed", "5.1.1")], Report::Nobody),
            (vec![group("failed", "5.1.10 (null MX)")], Report::Nobody),
            (vec![group("failed", "5.7.1")], Report::Hard),
            (vec![group("failed", "5.7.10")], Report::Nothing),
            (vec![group("failed", "5.7.30"), group("failed", "4.2.2")], Report::Soft),
            (vec![group("failed", "5.1.1.1")], Report::Hard),
            (vec![group("delayed", "5.1.1")], Report::Nothing),
            (vec![group("failed", "4.4.7")], Report::Soft),
            (vec![group("delayed", "4.4.7")], Report::Nothing),
            (vec![group("relayed", "2.0.0")], Report::Nothing),
            (vec![group("failed", "4.2.2"), group("FAILED (dead)", "5.0.0")], Report::Hard),
            (vec![group("delivered", "2.0.0"), group("failed", "4.2.2")], Report::Soft),
            (vec!["Action: failed\r\n".to_owned()], Report::Hard),
            (vec![], Report::Nothing),
        ] {
            let text = format!("Reporting-MTA: dns; mx\r\n\r\n{}", groups.join("\r\n"));
            assert_eq!(dsn(&text), Some(wanted), "{text}");
        }
    }

    #[test]
    fn what_is_no_dsn_reports_nothing() {
        let read = |text: &str| Incoming::read(text.as_bytes(), true).report;
        assert_eq!(read("From: a@b.example\r\n\r\nAction: failed\r\nStatus: 5.1.1\r\n"), None);
    }

    #[test]
    fn a_day_counts_once_by_its_worst_and_good_days_take_away() {
        let mut score = BounceScore::default();
        count(&mut score, Report::Soft, 100);
        count(&mut score, Report::Soft, 100);
        assert_eq!(score.tenths, 5);
        count(&mut score, Report::Hard, 100);
        count(&mut score, Report::Hard, 100);
        count(&mut score, Report::Soft, 100);
        assert_eq!(score.tenths, 10);
        assert!(!calm(&mut score, 100) && !calm(&mut score, 101), "too soon");
        assert!(calm(&mut score, 102));
        assert!(!calm(&mut score, 102), "once a day");
        assert_eq!(score.tenths, 5);
        count(&mut score, Report::Hard, 103);
        assert!(!too_often(score, 2));
        count(&mut score, Report::Soft, 104);
        assert!(too_often(score, 2));
        count(&mut score, Report::Nothing, 105);
        assert_eq!(score.tenths, 20);
    }
}
