//! What a list reads of a message: its header, its first text, and what a DSN says. From the first octets alone.

use mail::{Address, Domain};
use message::{
    BaseSubject, Scanner, Structure, TransferEncoding, base_subject, decode_header, decode_text, parse_addresses,
    parse_message_ids, raw_fields, strip_html,
};

use crate::bounces::{Report, read_report};
use crate::limits::{NAME_CHARS, REPLY_TO_MAX, REPLY_TO_OCTETS_MAX, SUBJECT_CHARS};

/// A message, read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Incoming {
    /// The header as it came, without the blank line.
    pub header: Vec<u8>,
    /// The header is longer than what was read: its last field there, and what follows, are missing here.
    pub header_cut: bool,
    /// Octets of the fields that this server wrote in front.
    pub own_octets: u64,
    /// Where the header ends in the stored message, blank line included.
    pub body_at: u64,
    /// The first mailbox of From.
    pub author: Option<Address>,
    /// The name there, decoded; may be empty.
    pub author_name: String,
    /// The mailboxes of Reply-To, with their names, decoded; a few.
    pub reply_to: Vec<(Address, String)>,
    /// Reply-To can't travel on as it came: it is there twice, has control characters, or is very long.
    pub reply_to_odd: bool,
    reply_to_seen: bool,
    /// Decoded.
    pub subject: String,
    /// `fr` or `en`, when it says so (RFC 3282).
    pub language: Option<&'static str>,
    /// Without brackets.
    pub message_id: Option<String>,
    /// `X-BeenThere`, `X-Loop`, and the identifiers in `List-Id`: where it has been.
    pub been_there: Vec<String>,
    /// What wrote it says so: an answer or a notice of a machine, to which nothing may answer.
    pub automatic: bool,
    /// An answer of a machine (an absence), or a report: never for the members.
    pub reply_of_machine: bool,
    /// The first text, decoded, as far as it was read.
    pub text: String,
    /// What it reports, when it is a DSN.
    pub report: Option<Report>,
}

impl Incoming {
    /// Reads the beginning of a stored message; `whole` when there is no more of it.
    pub(crate) fn read(start: &[u8], whole: bool) -> Self {
        let mut scanner = Scanner::new();
        scanner.feed(start);
        let structure = scanner.finish();
        let body_at = structure.root().map_or(0, |root| root.body_start);
        let header_cut = !whole && body_at >= start.len() as u64;
        let mut header = usize::try_from(body_at).ok().and_then(|end| start.get(..end)).unwrap_or(start);
        if header_cut && let Some(last) = raw_fields(header).last() {
            header = header.strip_suffix(last.bytes).unwrap_or(header);
        }
        let mut read = Self { header: header.to_vec(), header_cut, body_at, ..Self::default() };
        // What this server put in front ends with its Received (see `delivery`).
        let mut received = false;
        let own = raw_fields(header).take_while(|field| {
            let is = |ours: &str| field.name.is_some_and(|name| name.eq_ignore_ascii_case(ours.as_bytes()));
            let ours = !received && OWN_FIELDS.into_iter().any(is);
            received |= is("received");
            ours
        });
        read.own_octets = own.map(|field| field.bytes.len() as u64).sum();
        for field in raw_fields(header) {
            let Some(name) = field.name else { continue };
            let name = String::from_utf8_lossy(name).trim().to_ascii_lowercase();
            read.field(&name, field.value());
        }
        read.text = text_of(&structure);
        read.report = read_report(start, &structure);
        read.reply_of_machine |= read.report.is_some();
        read.automatic |= read.reply_of_machine;
        read
    }

    fn field(&mut self, name: &str, raw: &[u8]) {
        let value: Vec<u8> = raw.iter().copied().filter(|byte| !matches!(byte, b'\r' | b'\n')).collect();
        let text = || String::from_utf8_lossy(&value).trim().to_ascii_lowercase();
        match name {
            "from" if self.author.is_none() => {
                if let Some((address, name)) = first_mailbox(&value) {
                    (self.author, self.author_name) = (Some(address), name);
                }
            }
            "reply-to" => self.reply_to(raw, &value),
            "subject" if self.subject.is_empty() => {
                self.subject = one_line(&decode_header(&value)).chars().take(SUBJECT_CHARS).collect();
            }
            "message-id" => self.message_id = parse_message_ids(&value).into_iter().next(),
            "x-beenthere" | "x-loop" => self.been_there.push(text()),
            "list-id" => self.been_there.extend(list_id(&text())),
            "auto-submitted" => {
                let keyword = text();
                let keyword = keyword.split([';', ' ', '(']).next().unwrap_or_default();
                self.automatic |= keyword != "no" && !keyword.is_empty();
                self.reply_of_machine |= keyword.starts_with("auto-replied") || keyword.starts_with("auto-notified");
            }
            "content-language" => {
                let said = text();
                self.language = ["fr", "en"].into_iter().find(|language| said.starts_with(language));
            }
            "x-autoreply" | "x-autorespond" | "x-autoreply-from" => self.reply_of_machine = true,
            "precedence" => {
                let word = text();
                self.automatic |= ["bulk", "junk", "list", "auto_reply"].contains(&word.as_str());
                self.reply_of_machine |= word == "auto_reply";
            }
            "content-type" => self.reply_of_machine |= text().starts_with("multipart/report"),
            _ => {}
        }
    }

    fn reply_to(&mut self, raw: &[u8], value: &[u8]) {
        // RFC 5322 §3.6: once at most. RFC 5322 §3.2.2: the only controls are those of folding, and the tab.
        let again = self.reply_to_seen;
        let control = |byte: &u8| byte.is_ascii_control() && *byte != b'\t';
        self.reply_to_odd |= again || value.iter().any(control) || raw.len() > REPLY_TO_OCTETS_MAX;
        self.reply_to_seen = true;
        if !again {
            let plain: Vec<u8> = value.iter().map(|byte| if control(byte) { b' ' } else { *byte }).collect();
            self.reply_to = mailboxes(&plain).take(REPLY_TO_MAX).collect();
        }
    }

    /// The words of the subject without `Re:` and its like, in lower case.
    pub(crate) fn plain_subject(&self) -> String {
        let BaseSubject { text, .. } = base_subject(&self.subject);
        text.to_lowercase()
    }

    /// The lines of the first text that say something, quoted ones left out.
    pub(crate) fn lines(&self) -> impl Iterator<Item = &str> {
        self.text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('>'))
    }
}

const OWN_FIELDS: [&str; 5] = ["return-path", "authentication-results", "x-spam-flag", "x-spam-reason", "received"];

/// The first mailbox of a list of addresses, and its name.
fn first_mailbox(value: &[u8]) -> Option<(Address, String)> {
    mailbox(&parse_addresses(value).into_iter().find(message::Address::is_mailbox)?)
}

/// The mailboxes of a list of addresses that can be written to, and their names.
fn mailboxes(value: &[u8]) -> impl Iterator<Item = (Address, String)> {
    parse_addresses(value).into_iter().filter(message::Address::is_mailbox).filter_map(|found| mailbox(&found))
}

fn mailbox(found: &message::Address) -> Option<(Address, String)> {
    let domain = Domain::parse(str::from_utf8(found.host.as_deref()?).ok()?).ok()?;
    let address = Address::new(str::from_utf8(found.mailbox.as_deref()?).ok()?, domain).ok()?;
    let name = found.name.as_deref().map(decode_header).unwrap_or_default();
    Some((address, one_line(&name).chars().take(NAME_CHARS).collect()))
}

/// The identifier in angle brackets (RFC 2919 §2).
fn list_id(value: &str) -> Option<String> {
    let inside = value.rsplit_once('<')?.1.split('>').next()?;
    Some(inside.trim().to_owned())
}

fn text_of(structure: &Structure) -> String {
    let plain = structure.plain_sample.as_ref().map(|sample| (sample, false));
    let Some((sample, html)) = plain.or_else(|| structure.html_sample.as_ref().map(|sample| (sample, true))) else {
        return String::new();
    };
    let Some(part) = structure.parts.get(sample.part) else { return String::new() };
    let encoding = TransferEncoding::from_field(part.mime.encoding.as_deref());
    let text = decode_text(&sample.bytes, encoding, part.mime.content_type.charset().as_deref());
    if html { strip_html(&text) } else { text }
}

/// No line break, no other control character, no runs of spaces.
pub(crate) fn one_line(text: &str) -> String {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    spaced.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(message: &str) -> Incoming {
        Incoming::read(message.as_bytes(), true)
    }

    #[test]
    fn what_a_list_needs_is_read() {
        let read = read(
            "Return-Path: <alice@a.example>\r\nFrom: =?utf-8?Q?Ren=C3=A9e?= <Renee@A.example>, b@b.example\r\n\
             Subject: Re: =?utf-8?Q?Caf=C3=A9?=\r\nMessage-ID: <1@x>\r\nX-BeenThere: Other@Lists.example\r\n\
             List-Id: \"Some <list>\" <some.lists.example>\r\n\r\n\r\n  oui\r\n> quoted\r\nmerci\r\n",
        );
        assert_eq!(read.author, Some(Address::parse("Renee@a.example").unwrap()));
        assert_eq!((read.author_name.as_str(), read.subject.as_str()), ("Renée", "Re: Café"));
        assert_eq!(read.plain_subject(), "café");
        assert_eq!(read.been_there, ["other@lists.example", "some.lists.example"]);
        assert_eq!(read.lines().collect::<Vec<_>>(), ["oui", "merci"]);
        assert!(!read.automatic && !read.reply_of_machine);
        assert!(read.header.ends_with(b"\r\n\r\n") || read.header.ends_with(b"\r\n"));
        assert_eq!(read.own_octets, "Return-Path: <alice@a.example>\r\n".len() as u64);
    }

    #[test]
    fn machines_are_told_apart() {
        for (field, automatic, reply) in [
            ("Auto-Submitted: no", false, false),
            ("Auto-Submitted: auto-generated", true, false),
            ("Auto-Submitted: auto-replied; owner-email=x", true, true),
            ("Precedence: list", true, false),
            ("Precedence: auto_reply", true, true),
            ("X-Autoreply: yes", true, true),
            ("Content-Type: multipart/report; boundary=x", true, true),
            ("X-Mailer: x", false, false),
        ] {
            let read = read(&format!("From: a@a.example\r\n{field}\r\n\r\nx\r\n"));
            assert_eq!((read.automatic, read.reply_of_machine), (automatic, reply), "{field}");
        }
    }

    #[test]
    fn a_header_that_does_not_end_is_known_and_its_last_field_not_read() {
        let cut = |start: &str| Incoming::read(start.as_bytes(), false);
        let read = cut("From: a@a.example\r\nSubject: Tea\r\nX-BeenThere: gar");
        assert!(read.header_cut && read.been_there.is_empty() && read.subject == "Tea");
        assert_eq!(read.author, Some(Address::parse("a@a.example").unwrap()));
        assert_eq!(cut("From: a@a.exam").author, None);
        assert!(!cut("From: a@a.example\r\n\r\nx").header_cut);
        let ours = "Return-Path: <>\r\nAuthentication-Results: mx;\r\n\tspf=pass\r\nReceived: x\r\n";
        let read = Incoming::read(format!("{ours}Received: y\r\nFrom: a@a.example\r\n\r\n").as_bytes(), true);
        assert_eq!(read.own_octets, ours.len() as u64);
        for whole in ["From: a@a.example\r\n\r\n", "From: a@a.example\r\n", "From: a@a.example"] {
            let read = Incoming::read(whole.as_bytes(), true);
            assert!(!read.header_cut && read.author.is_some(), "{whole:?}");
        }
    }

    #[test]
    fn a_reply_to_that_cannot_travel_is_known() {
        let long = format!("\"{}\" <a@b.example>", "x".repeat(REPLY_TO_OCTETS_MAX));
        for (fields, odd, found) in [
            ("Reply-To: Bob <bob@b.example>,\r\n\tcarol@b.example\r\n", false, 2),
            ("Reply-To: bob@b.example\r\nReply-To: eve@b.example\r\n", true, 1),
            ("Reply-To: bob@b.example\u{0}\u{1b}\r\n", true, 1),
            (&format!("Reply-To: {long}\r\n"), true, 1),
            (&format!("Reply-To: {}\r\n", "bob@b.example, ".repeat(50)), false, REPLY_TO_MAX),
            ("Reply-To: nobody\r\n", false, 0),
        ] {
            let read = read(&format!("From: a@a.example\r\n{fields}\r\nx\r\n"));
            assert_eq!((read.reply_to_odd, read.reply_to.len()), (odd, found), "{fields:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_panics(start: Vec<u8>, whole: bool) {
            Incoming::read(&start, whole);
        }
    }
}
