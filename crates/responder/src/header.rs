//! What a responder reads of a received message: its header alone, all fields of each name.

use mail::{Address, Domain};
use message::{decode_header, parse_addresses, parse_message_ids, raw_fields};
use routing::responders::HeaderMarks;

use crate::authentication::says_failed;
use crate::limits::{MESSAGE_ID_OCTETS_MAX, RECIPIENTS_MAX, REFERENCES_MAX};

/// A header, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ReceivedHeader {
    /// What the decision looks at.
    pub marks: HeaderMarks,
    /// The subject, decoded; empty when there is none.
    pub subject: String,
    /// The sender's name in From, decoded; empty when there is none.
    pub sender_name: String,
    /// The message's identifier, without brackets.
    pub message_id: Option<String>,
    /// References for an answer, without brackets: those of the message, then itself (RFC 5322 §3.6.4).
    pub references: Vec<String>,
}

impl ReceivedHeader {
    /// Reads a header. Bounded by its length; what can't be read is passed over. `hostname` is this server's name: only
    /// its own Authentication-Results count.
    #[must_use]
    pub fn read(header: &[u8], hostname: &Domain) -> Self {
        let mut read = Self::default();
        let mut references = Vec::new();
        let mut in_reply_to = Vec::new();
        read.marks.no_author = true;
        for field in raw_fields(header) {
            let Some(name) = field.name else { continue };
            read.marks.no_author &= !name.eq_ignore_ascii_case(b"From");
            let name = String::from_utf8_lossy(name).to_ascii_lowercase();
            let value = unfolded(field.value());
            let text = || decode_plain(&value);
            match name.as_str() {
                "to" | "cc" | "bcc" | "resent-to" | "resent-cc" | "resent-bcc" => read.add_recipients(&value),
                "auto-submitted" => read.marks.auto_submitted.push(text()),
                "precedence" => read.marks.precedence.push(text()),
                "x-auto-response-suppress" => read.marks.suppress.push(text()),
                "x-loop" => read.marks.loops.push(text()),
                "authentication-results" => read.marks.authentication_failed |= says_failed(&text(), hostname),
                "x-spam-flag" | "x-spam-status" => read.marks.spam |= says_yes(&text()),
                "from" if read.sender_name.is_empty() => read.sender_name = name_of(&value),
                "x-autoreply" | "x-autorespond" | "x-autoreply-from" => read.marks.auto_reply = true,
                "content-type" => {
                    read.marks.report |= text().to_ascii_lowercase().starts_with("multipart/report");
                }
                "subject" if read.subject.is_empty() => read.subject = decode_header(&value),
                "message-id" if read.message_id.is_none() => read.message_id = identifiers(&value).into_iter().next(),
                "references" => references.extend(identifiers(&value)),
                "in-reply-to" => in_reply_to.extend(identifiers(&value)),
                name => read.marks.list |= name.starts_with("list-"),
            }
        }
        read.references = thread(references, in_reply_to, read.message_id.clone());
        read
    }

    fn add_recipients(&mut self, value: &[u8]) {
        for found in parse_addresses(value) {
            if self.marks.recipients.len() >= RECIPIENTS_MAX {
                return;
            }
            let (Some(local), Some(host)) = (&found.mailbox, &found.host) else { continue };
            let (Ok(local), Ok(host)) = (str::from_utf8(local), str::from_utf8(host)) else { continue };
            let address = Domain::parse(host).ok().and_then(|domain| Address::new(local, domain).ok());
            self.marks.recipients.extend(address);
        }
    }
}

/// The display name of the one author.
fn name_of(value: &[u8]) -> String {
    match parse_addresses(value).as_slice() {
        [author] => author.name.as_deref().map(decode_header).unwrap_or_default(),
        _ => String::new(),
    }
}

/// `YES`, `Yes, score=12.3`.
fn says_yes(value: &str) -> bool {
    value.trim_start().get(..3).is_some_and(|word| word.eq_ignore_ascii_case("yes"))
}

/// RFC 5322 §3.6.4: the message's References, else its In-Reply-To when that has one identifier, then its own.
fn thread(references: Vec<String>, in_reply_to: Vec<String>, message_id: Option<String>) -> Vec<String> {
    let mut thread = if references.is_empty() && in_reply_to.len() == 1 { in_reply_to } else { references };
    thread.retain(|id| Some(id) != message_id.as_ref());
    thread.extend(message_id);
    if thread.len() > REFERENCES_MAX {
        // The thread's root and its latest messages say most.
        let last = thread.split_off(thread.len().saturating_sub(REFERENCES_MAX.saturating_sub(1)));
        thread.truncate(1);
        thread.extend(last);
    }
    thread
}

/// Identifiers that can be repeated as they are.
fn identifiers(value: &[u8]) -> Vec<String> {
    let good = |id: &String| id.len() <= MESSAGE_ID_OCTETS_MAX && id.bytes().all(|b| b.is_ascii_graphic());
    parse_message_ids(value).into_iter().filter(good).collect()
}

/// RFC 5322 §2.2.3: without its line breaks.
fn unfolded(value: &[u8]) -> Vec<u8> {
    let kept = value.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n'));
    kept.collect::<Vec<u8>>().trim_ascii().to_vec()
}

fn decode_plain(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(header: &str) -> ReceivedHeader {
        ReceivedHeader::read(header.as_bytes(), &host())
    }

    fn host() -> Domain {
        Domain::parse("mx.a.example").unwrap()
    }

    #[test]
    fn name_spam_and_authentication_are_found() {
        let header = read("From: =?utf-8?Q?Zo=C3=A9?= Petit <zoe@r.example>\r\nX-Spam-Status: Yes, score=9\r\n\r\n");
        assert_eq!(header.sender_name, "Zoé Petit");
        assert!(header.marks.spam && !header.marks.authentication_failed);
        assert!(!header.marks.no_author && read("Subject: From: x\r\nX-From: y\r\n\r\n").marks.no_author);
        assert!(!read("X-Spam-Status: No, score=-1\r\n\r\n").marks.spam);
        assert!(read("Authentication-Results: mx.a.example;\r\n dmarc=fail\r\n\r\n").marks.authentication_failed);
        assert_eq!(read("From: a@x, B <b@x>\r\n\r\n").sender_name, "");
    }

    #[test]
    fn every_mark_is_found_in_any_case_and_every_time() {
        let header = read(
            "To: \"A, B\" <alice@a.example>,\r\n bob@a.example\r\nRESENT-CC: Team: c@a.example;\r\nBcc: (x) d@a.example\r\n\
             Auto-Submitted: no\r\nauto-submitted: auto-generated\r\nPrecedence: bulk\r\nX-Auto-Response-Suppress: OOF,\r\n DR\r\n\
             X-Loop: a@x\r\nX-Loop: b@x\r\nList-Unsubscribe: <mailto:x>\r\nContent-Type: multipart/Report; boundary=x\r\n\
             X-Autoreply: yes\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n\r\nTo: notme@a.example\r\n",
        );
        let recipients: Vec<String> = header.marks.recipients.iter().map(Address::to_string).collect();
        assert_eq!(recipients, ["alice@a.example", "bob@a.example", "c@a.example", "d@a.example"]);
        assert_eq!(header.marks.auto_submitted, ["no", "auto-generated"]);
        assert_eq!(header.marks.precedence, ["bulk"]);
        assert_eq!(header.marks.suppress, ["OOF, DR"]);
        assert_eq!(header.marks.loops, ["a@x", "b@x"]);
        assert!(header.marks.list && header.marks.report && header.marks.auto_reply);
        assert_eq!(header.subject, "Grüße");
        assert_eq!(read("From: x@y\r\n\r\n"), ReceivedHeader::default());
    }

    #[test]
    fn references_follow_the_rfc() {
        let ids = |header: &str| read(header).references;
        assert_eq!(
            ids("Message-ID: <c@x>\r\nReferences: <a@x>\r\n <b@x>\r\nIn-Reply-To: <z@x>\r\n\r\n"),
            ["a@x", "b@x", "c@x"]
        );
        assert_eq!(ids("Message-ID: <c@x>\r\nIn-Reply-To: <b@x>\r\n\r\n"), ["b@x", "c@x"]);
        assert_eq!(ids("Message-ID: <c@x>\r\nIn-Reply-To: <a@x> <b@x>\r\n\r\n"), ["c@x"]);
        assert_eq!(ids("Subject: none\r\n\r\n"), [""; 0]);
        let many: Vec<String> = (0..100).map(|n| format!("<m{n}@x>")).collect();
        let long = ids(&format!("Message-ID: <last@x>\r\nReferences: {}\r\n\r\n", many.join("\r\n ")));
        assert_eq!(long.len(), REFERENCES_MAX);
        assert_eq!((long[0].as_str(), long[REFERENCES_MAX - 1].as_str()), ("m0@x", "last@x"));
        assert_eq!(long[1], format!("m{}@x", 100 - (REFERENCES_MAX - 2)));
        assert_eq!(ids(&format!("Message-ID: <{}@x>\r\n\r\n", "a".repeat(400))), [""; 0]);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_everything_is_bounded(header: Vec<u8>, to in "[a-z@,<>\" ]{0,4000}") {
            prop_assert!(ReceivedHeader::read(&header, &host()).references.len() <= REFERENCES_MAX);
            let read = ReceivedHeader::read(format!("To: {to}\r\n\r\n").as_bytes(), &host());
            prop_assert!(read.marks.recipients.len() <= RECIPIENTS_MAX);
        }
    }
}
