//! The answer as a message (RFC 3834 §3, RFC 5230 §5).
//!
//! Written by mail-builder, which folds and encodes; what it does not check is checked before: no text reaches it with
//! a line break or NUL in a header, names of fields are fixed, Date, Message-ID and boundary come from the world.

use jiff::tz::TimeZone;
use mail::{Address, BodyType, DsnNotify, Envelope, EnvelopeRecipient, ForwardPath, ReversePath, Timestamp};
use mail_builder::MessageBuilder;
use mail_builder::headers::address::Address as Mailbox;
use mail_builder::headers::content_type::ContentType;
use mail_builder::headers::raw::Raw;
use mail_builder::mime::MimePart;
use message::strip_html;
use routing::responders::{Composed, cut, one_line};

use crate::header::ReceivedHeader;
use crate::limits::DISPLAY_NAME_CHARS_MAX;

/// What an answer is made of.
#[derive(Clone, Debug)]
pub struct Answer<'a> {
    /// Its words.
    pub words: &'a Composed,
    /// The address that was written to: From (RFC 3834 §3.1.1).
    pub from: &'a Address,
    /// The reverse-path of the message: To (RFC 3834 §3.1.2, §4).
    pub to: &'a Address,
    /// The header of the message.
    pub received: &'a ReceivedHeader,
    /// Now.
    pub now: Timestamp,
    /// The owner's time zone, for Date.
    pub zone: &'a TimeZone,
    /// The server's name, for the Message-ID.
    pub hostname: &'a mail::Domain,
    /// Random bytes, for the Message-ID and the boundary.
    pub token: [u8; 16],
}

impl Answer<'_> {
    /// The bytes of the message, CRLF at every line's end.
    #[must_use]
    pub fn build(&self) -> Vec<u8> {
        let token = self.token();
        let name = cut(one_line(&self.words.from_name), DISPLAY_NAME_CHARS_MAX);
        let mut builder = MessageBuilder::new()
            .header("Date", Raw::new(self.date()))
            .from(Mailbox::new_address((!name.is_empty()).then_some(name), self.from.to_string()))
            .to(Mailbox::new_address(None::<String>, self.to.to_string()))
            .subject(one_line(&self.words.subject))
            .message_id(self.message_id());
        if let Some(id) = &self.received.message_id {
            builder = builder.in_reply_to(id.as_str());
        }
        if !self.received.references.is_empty() {
            builder = builder.references(self.received.references.as_slice());
        }
        // RFC 3834 §3.1.7: what keeps two responders from answering each other.
        builder = builder
            .header("Auto-Submitted", Raw::new("auto-replied"))
            .header("X-Auto-Response-Suppress", Raw::new("All"))
            .header("X-Loop", Raw::new(self.from.to_string()))
            .body(body(self.words, &token));
        let mut out = Vec::new();
        builder.serialize(&mut out);
        if !out.ends_with(b"\r\n") {
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    /// The Message-ID, without brackets.
    #[must_use]
    pub fn message_id(&self) -> String {
        format!("{}@{}", self.token(), self.hostname)
    }

    fn token(&self) -> String {
        self.token.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// The envelope: from the null reverse-path (RFC 3834 §3.3) to the sender, and to whom answers are copied (A4).
    #[must_use]
    pub fn envelope(&self, content: &[u8], copy_to: Option<&Address>) -> Envelope {
        let mut envelope = Envelope::new(ReversePath::Null);
        let other_copy = copy_to.filter(|copy| !copy.same_mailbox(self.to));
        let recipients = [Some(self.to), other_copy].into_iter().flatten();
        envelope.recipients.extend(recipients.map(|address| EnvelopeRecipient {
            forward_path: ForwardPath::Address(address.clone()),
            notify: DsnNotify::NEVER,
            original: None,
        }));
        envelope.smtputf8 = self.to.needs_smtputf8() || self.from.needs_smtputf8();
        envelope.body = if content.is_ascii() { BodyType::SevenBit } else { BodyType::EightBitMime };
        envelope
    }

    /// RFC 5322 §3.3, in the owner's zone.
    fn date(&self) -> String {
        let at = jiff::Timestamp::from_second(self.now.as_secs()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        at.to_zoned(self.zone.clone()).strftime("%a, %d %b %Y %H:%M:%S %z").to_string()
    }
}

fn body<'a>(words: &'a Composed, token: &str) -> MimePart<'a> {
    let text = MimePart::new("text/plain", lines(&text_of(words)));
    match words.html.as_deref().filter(|html| !html.trim().is_empty()) {
        None => text,
        Some(html) => {
            // RFC 2046 §5.1.4: the richest comes last. The `=_` of the boundary is in no quoted-printable text.
            let boundary = format!("=_{token}");
            let kind = ContentType::new("multipart/alternative").attribute("boundary", boundary);
            MimePart::new(kind, vec![text, MimePart::new("text/html", lines(html))])
        }
    }
}

/// The plain text of an answer: the responder's own, else one made from its HTML (A3).
fn text_of(words: &Composed) -> String {
    match words.text.as_deref().filter(|text| !text.trim().is_empty()) {
        Some(text) => text.to_owned(),
        None => words.html.as_deref().map(strip_html).unwrap_or_default(),
    }
}

/// Every line end CRLF, the last line ended, no NUL.
fn lines(text: &str) -> String {
    let unified = text.replace("\r\n", "\n").replace('\r', "\n").replace('\0', "");
    let mut lines = unified.trim_end_matches('\n').replace('\n', "\r\n");
    lines.push_str("\r\n");
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use mail_parser::MessageParser;
    use proptest::prelude::*;
    use routing::responders::zone_named;

    fn words() -> Composed {
        Composed {
            from_name: String::new(),
            subject: "Absence : Café".to_owned(),
            text: Some("Je suis là lundi.\n\nAlice".to_owned()),
            html: None,
        }
    }

    fn build(words: &Composed, name: &str, header: &str) -> String {
        let hostname = mail::Domain::parse("mx.a.example").unwrap();
        let received = ReceivedHeader::read(header.as_bytes(), &hostname);
        let answer = Answer {
            words: &Composed { from_name: name.to_owned(), ..words.clone() },
            from: &Address::parse("info@a.example").unwrap(),
            to: &Address::parse("bob@r.example").unwrap(),
            received: &received,
            now: Timestamp(1_790_000_000_000),
            zone: &zone_named("Europe/Paris"),
            hostname: &hostname,
            token: [0xAB; 16],
        };
        String::from_utf8(answer.build()).unwrap()
    }

    const HEADER: &str =
        "Subject: =?iso-8859-1?Q?Caf=E9?=\r\nMessage-ID: <m2@r.example>\r\nReferences: <m1@r.example>\r\n\r\n";

    #[test]
    fn the_header_says_what_the_rfcs_ask_for() {
        let text = build(&words(), "Alice Martin", HEADER);
        for line in [
            "Date: Mon, 21 Sep 2026 16:13:20 +0200\r\n",
            "From: \"Alice Martin\" <info@a.example>\r\n",
            "To: <bob@r.example>\r\n",
            "Message-ID: <abababababababababababababababab@mx.a.example>\r\n",
            "In-Reply-To: <m2@r.example>\r\n",
            "References: <m1@r.example> <m2@r.example>\r\n",
            "Auto-Submitted: auto-replied\r\n",
            "X-Loop: info@a.example\r\n",
            "MIME-Version: 1.0\r\n",
        ] {
            assert!(text.contains(line), "{line}\nin\n{text}");
        }
        let parsed = MessageParser::default().parse(text.as_bytes()).unwrap();
        assert_eq!(parsed.subject(), Some("Absence : Café"));
        assert_eq!(parsed.body_text(0).unwrap(), "Je suis là lundi.\r\n\r\nAlice\r\n");
        assert!(text.is_ascii() && text.to_ascii_lowercase().contains("charset=\"utf-8\""), "{text}");
    }

    #[test]
    fn a_message_without_identifier_gets_an_answer_without_thread() {
        let text = build(&words(), "", "Subject: x\r\n\r\n");
        assert!(!text.contains("References") && !text.contains("In-Reply-To"));
        assert!(text.contains("From: <info@a.example>\r\n"));
    }

    #[test]
    fn a03_html_goes_out_with_a_text_alternative() {
        let html = Composed { text: None, html: Some("<p>Fermé <b>lundi</b></p>".to_owned()), ..words() };
        let text = build(&html, "Alice", HEADER);
        let parsed = MessageParser::default().parse(text.as_bytes()).unwrap();
        assert!(text.contains("Content-Type: multipart/alternative;"), "{text}");
        assert_eq!(parsed.body_text(0).unwrap().trim(), "Fermé lundi");
        assert!(parsed.body_html(0).unwrap().contains("<b>lundi</b>"));
        let text_at = text.find("text/plain").unwrap();
        assert!(text_at < text.find("text/html").unwrap());
        assert!(text.contains("boundary=\"=_abababababababababababababababab\""));
        let both = Composed { text: Some("Own words".to_owned()), ..html };
        assert!(build(&both, "Alice", HEADER).contains("Own words"));
    }

    #[test]
    fn the_envelope_has_a_null_reverse_path_and_asks_for_no_dsn() {
        let object = words();
        let (from, to) = (Address::parse("info@a.example").unwrap(), Address::parse("bob@r.example").unwrap());
        let answer = Answer {
            words: &object,
            from: &from,
            to: &to,
            received: &ReceivedHeader::default(),
            now: Timestamp(0),
            zone: &TimeZone::UTC,
            hostname: from.domain(),
            token: [0; 16],
        };
        let copy = Address::parse("audit@a.example").unwrap();
        let envelope = answer.envelope(b"x", Some(&copy));
        assert!(envelope.reverse_path.is_null() && !envelope.smtputf8);
        let paths: Vec<String> = envelope.recipients.iter().map(|r| r.forward_path.to_string()).collect();
        assert_eq!(paths, ["<bob@r.example>", "<audit@a.example>"]);
        assert!(envelope.recipients.iter().all(|r| r.notify == DsnNotify::NEVER));
        assert_eq!(answer.envelope(b"x", Some(&to)).recipients.len(), 1);
        // RFC 6531: an address beyond ASCII makes the answer travel with SMTPUTF8.
        let accented = Address::parse("josé@r.example").unwrap();
        let answer = Answer { to: &accented, ..answer };
        let content = answer.build();
        let envelope = answer.envelope(&content, None);
        assert!(envelope.smtputf8 && envelope.body == BodyType::EightBitMime);
        assert!(String::from_utf8(content).unwrap().contains("To: <josé@r.example>\r\n"));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(128))]

        /// Whatever stands in subject, name, prefix and text: the header has the fields that we wrote, each once, and
        /// every line ends with CRLF and keeps to the limit.
        #[test]
        fn header_injection_is_impossible(
            name in any::<String>(),
            own in any::<String>(),
            subject in "(\r\n|\n|\r| |Bcc: evil@x.example|=\\?utf-8\\?|é|[a-z]){0,40}",
            text in "(\r\n|\n|\r|\\.|From |é|\u{0}|x{80}){0,40}",
            id in "[!-~]{0,60}",
        ) {
            let encoded: String = subject.bytes().map(|byte| format!("={byte:02X}")).collect();
            let header = format!("Subject: =?utf-8?Q?{encoded}?=\r\nMessage-ID: <{id}@x>\r\nReferences: <a{id}@x> <b{id}@x>\r\n\r\n");
            let object = Composed { subject: own, text: Some(text), ..words() };
            let built = build(&object, &name, &header);
            let known = [
                "date", "from", "to", "subject", "message-id", "in-reply-to", "references", "auto-submitted",
                "x-auto-response-suppress", "x-loop", "mime-version", "content-type", "content-transfer-encoding",
            ];
            let mut seen: Vec<String> = Vec::new();
            for field in message::raw_fields(built.as_bytes()) {
                let name = String::from_utf8_lossy(field.name.expect("a field")).to_ascii_lowercase();
                prop_assert!(known.contains(&name.as_str()), "{}", built);
                prop_assert!(!seen.contains(&name), "{} twice in {}", name, built);
                seen.push(name);
            }
            prop_assert_eq!(built.matches('\r').count(), built.matches("\r\n").count());
            prop_assert_eq!(built.matches('\n').count(), built.matches("\r\n").count());
            prop_assert!(built.split("\r\n").all(|line| line.len() <= 998));
            prop_assert!(!built.contains('\0'));
        }
    }
}
