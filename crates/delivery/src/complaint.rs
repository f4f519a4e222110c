//! Reports of readers' complaints (ARF, RFC 5965), read as a message passes: of what the report says of itself only the fields that name
//! its kind and the readers are wanted, so the first octets are enough.
//!
//! Public for what is fuzzed; nobody else asks.

use mail::Address;
use message::{Scanner, TransferEncoding, decode_bytes, raw_fields};

use crate::limits::{COMPLAINED_MAX, COMPLAINT_OCTETS_MAX};

/// The beginning of a message whose header says that it is such a report.
pub struct Capture(Vec<u8>);

impl Capture {
    /// At the end of the header; `behind`: what came behind it already.
    #[must_use]
    pub fn begin(header: &[u8], behind: &[u8]) -> Option<Self> {
        let kind = raw_fields(header)
            .find(|field| field.name.is_some_and(|name| name.trim_ascii_end().eq_ignore_ascii_case(b"content-type")))?;
        let value = kind.value().to_ascii_lowercase();
        let named = value.windows(KIND.len()).any(|window| window == KIND);
        let mut capture = Self(header.to_vec());
        capture.take(behind);
        named.then_some(capture)
    }

    /// The next octets of the message; beyond the bound none is kept.
    pub fn take(&mut self, octets: &[u8]) {
        let room = COMPLAINT_OCTETS_MAX.saturating_sub(self.0.len()).min(octets.len());
        self.0.extend_from_slice(octets.get(..room).unwrap_or_default());
    }

    /// What the report says; `None` when it is none.
    #[must_use]
    pub fn read(self) -> Option<Feedback> {
        Feedback::read(&self.0)
    }
}

/// What a report says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Feedback {
    /// `Feedback-Type`, in lower case: `abuse`, `fraud`, `not-spam`, …
    pub kind: String,
    /// The readers whom the message had been sent to (`Original-Rcpt-To`), a few.
    pub recipients: Vec<Address>,
}

impl Feedback {
    /// Reads a message's beginning.
    fn read(start: &[u8]) -> Option<Self> {
        let mut scanner = Scanner::new();
        scanner.feed(start);
        let structure = scanner.finish();
        if !structure.root()?.mime.content_type.is_exactly(b"multipart", b"report") {
            return None;
        }
        let part =
            structure.parts.iter().find(|part| part.mime.content_type.is_exactly(b"message", b"feedback-report"))?;
        let encoding = TransferEncoding::from_field(part.mime.encoding.as_deref());
        let mut fields = decode_bytes(part.body().of(start), encoding).into_owned();
        fields.extend_from_slice(b"\r\n\r\n");
        let mut found = Self { kind: String::new(), recipients: Vec::new() };
        for field in raw_fields(&fields) {
            let Some(name) = field.name.map(|name| name.trim_ascii_end().to_ascii_lowercase()) else { continue };
            let value = String::from_utf8_lossy(field.value()).trim().to_owned();
            match name.as_slice() {
                // RFC 5965 §3.1: once.
                b"feedback-type" if found.kind.is_empty() => {
                    found.kind = value.to_ascii_lowercase().chars().filter(|c| plain(*c)).take(KIND_MAX).collect();
                }
                b"original-rcpt-to" if found.recipients.len() < COMPLAINED_MAX => {
                    found.recipients.extend(Address::parse(value.trim_matches(['<', '>'])).ok());
                }
                _ => {}
            }
        }
        (!found.kind.is_empty()).then_some(found)
    }

    /// Whether somebody wants no such mail (RFC 5965 §7.3; `not-spam` says the contrary, `virus` and `other` nothing).
    #[must_use]
    pub fn is_complaint(&self) -> bool {
        ["abuse", "fraud", "opt-out"].contains(&self.kind.as_str())
    }
}

const fn plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '-'
}

const KIND: &[u8] = b"feedback-report";
const KIND_MAX: usize = 30;

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 5965 §B.2, shortened.
    const REPORT: &str = "From: <abusedesk@example.com>\r\nSubject: FW: Earn money\r\nMIME-Version: 1.0\r\n\
        Content-Type: multipart/report; report-type=feedback-report;\r\n boundary=\"p\"\r\n\r\n--p\r\n\
        Content-Type: text/plain\r\n\r\nThis is an email abuse report.\r\n--p\r\nContent-Type: message/feedback-report\r\n\r\n\
        Feedback-Type: Abuse\r\nUser-Agent: SomeGenerator/1.0\r\nVersion: 1\r\nOriginal-Mail-From: <somespammer@example.net>\r\n\
        Original-Rcpt-To: <user@example.com>\r\nOriginal-Rcpt-To: broken@\r\nReported-Domain: example.net\r\n\r\n--p\r\n\
        Content-Type: message/rfc822\r\n\r\nFrom: x@example.net\r\nOriginal-Rcpt-To: <inner@example.com>\r\n\r\nSpam\r\n--p--\r\n";

    fn captured(message: &str, cut: usize) -> Option<Feedback> {
        let end = message.find("\r\n\r\n").unwrap() + 4;
        let (front, behind) = message.as_bytes()[end..].split_at(cut.min(message.len() - end));
        let mut capture = Capture::begin(&message.as_bytes()[..end], front)?;
        capture.take(behind);
        capture.read()
    }

    #[test]
    fn rfc5965_a_report_names_its_kind_and_readers_however_it_is_cut() {
        let wanted =
            Feedback { kind: "abuse".to_owned(), recipients: vec![Address::parse("user@example.com").unwrap()] };
        for cut in 0..REPORT.len() {
            assert_eq!(captured(REPORT, cut).as_ref(), Some(&wanted), "{cut}");
        }
        assert!(wanted.is_complaint());
        assert!(!captured(&REPORT.replace("Abuse", "not-spam"), 0).unwrap().is_complaint());
    }

    #[test]
    fn what_is_no_report_says_nothing_and_a_long_one_is_bounded() {
        assert_eq!(captured(&REPORT.replace("report-type=feedback-report", "report-type=disposition"), 9), None);
        assert_eq!(captured(&REPORT.replace("message/feedback-report", "text/plain"), 9), None);
        assert_eq!(captured(&REPORT.replace("Feedback-Type", "Feedback"), 9), None);
        let many = "Original-Rcpt-To: <user@example.com>\r\n".repeat(10_000);
        let long = captured(&REPORT.replace("Reported-Domain", &format!("{many}Reported-Domain")), 7);
        assert_eq!(long.unwrap().recipients.len(), COMPLAINED_MAX);
        let mut capture = Capture(Vec::new());
        (0..100).for_each(|_| capture.take(&[b'x'; 10_000]));
        assert_eq!(capture.0.len(), COMPLAINT_OCTETS_MAX);
        for end in 0..REPORT.len() {
            drop(Feedback::read(&REPORT.as_bytes()[..end]));
        }
    }
}
