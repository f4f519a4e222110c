//! The beginning of a message, read for its tokens and for what rules ask.

use std::borrow::Cow;
use std::collections::BTreeSet;

use message::{PartKind, Scanner, TextKind, decode_header, decode_text, parse_addresses, raw_fields, strip_html};

use crate::limits::{FIELD_OCTETS_MAX, HOSTS_MAX, SAMPLE_OCTETS_MAX};
use crate::links::{Link, lie_in, links_in, organisation};
use crate::tokens::{Place, Token, Tokens};
use crate::words::{Oddities, Words};

/// What a message has.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Content {
    /// Its tokens, each once: header first, then links, then the texts from the beginning.
    pub tokens: Vec<Token>,
    pub(crate) facts: Facts,
}

/// What rules ask.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    pub(crate) subject: String,
    pub(crate) from: Vec<Person>,
    pub(crate) has_date: bool,
    pub(crate) has_message_id: bool,
    pub(crate) links: Vec<Link>,
    /// A link shows the one and leads to the other.
    pub(crate) lie: Option<(String, String)>,
    pub(crate) odd: Oddities,
    pub(crate) images: usize,
    /// Names of attached files.
    pub(crate) files: Vec<String>,
    /// The test text that every filter takes for spam.
    pub(crate) gtube: bool,
}

/// Somebody in From.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Person {
    pub(crate) name: String,
    /// In lower case.
    pub(crate) domain: String,
}

impl Content {
    /// Reads the first [`SAMPLE_OCTETS_MAX`] octets of a message. The same octets give the same tokens, always: what was
    /// learnt can be unlearnt. What this server writes in front of a message gives none.
    #[must_use]
    pub fn read(message: &[u8]) -> Self {
        let sample = message.get(..message.len().min(SAMPLE_OCTETS_MAX)).unwrap_or_default();
        let mut scanner = Scanner::new();
        scanner.feed(sample);
        let structure = scanner.finish();
        let table = structure.part_table();
        let mut tokens = Tokens::default();
        let mut facts = Facts::default();
        let of = |start: u64, end: u64| {
            let place = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(sample.len());
            sample.get(place(start)..place(end)).unwrap_or_default()
        };
        if let Some(root) = structure.root() {
            header(of(root.header_start, root.body_start), &mut tokens, &mut facts);
        }
        let mut texts: Vec<(bool, String)> = Vec::new();
        for (part, entry) in structure.parts.iter().zip(table.entries()) {
            let kind = &part.mime.content_type;
            if part.kind != PartKind::Leaf {
                continue;
            }
            let made = [&*ascii(&kind.kind), "/", &*ascii(&kind.subtype)].concat().to_ascii_lowercase();
            tokens.add(Place::Made, &made);
            facts.images = facts.images.saturating_add(usize::from(kind.is(b"image")));
            let named =
                part.mime.disposition.as_ref().and_then(|disposition| disposition.parameters.decoded(b"filename"));
            if let Some(name) = named.or_else(|| kind.parameters.decoded(b"name")) {
                facts.files.push(decode_header(start(&name)).to_lowercase());
            }
            if entry.text == TextKind::None {
                continue;
            }
            let charset = entry.charset.as_deref().map(str::as_bytes);
            let text = decode_text(of(entry.body_start, entry.body_end), entry.encoding, charset);
            texts.push((entry.text == TextKind::Html, text));
        }
        links(&texts, &mut tokens, &mut facts);
        let mut words = Words::new(&mut tokens);
        words.add(Place::Subject, &facts.subject);
        for (html, text) in &texts {
            let text = if *html { Cow::Owned(strip_html(text)) } else { Cow::Borrowed(text) };
            facts.gtube |= text.contains(GTUBE);
            words.add(Place::Body, &text);
        }
        facts.odd = words.odd;
        Self { tokens: tokens.finish(), facts }
    }

    /// The hosts that its links lead to, each once.
    pub fn hosts(&self) -> impl Iterator<Item = &str> {
        let hosts: BTreeSet<&str> = self.facts.links.iter().map(|link| link.host.as_str()).collect();
        hosts.into_iter()
    }
}

fn header(header: &[u8], tokens: &mut Tokens, facts: &mut Facts) {
    for field in raw_fields(header) {
        let Some(name) = field.name else { continue };
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        let value = start(field.value());
        if is("Subject") {
            facts.subject = decode_header(value);
        } else if is("From") || is("Reply-To") {
            for address in parse_addresses(value) {
                let text = |part: &Option<Vec<u8>>| {
                    part.as_deref().map(|part| String::from_utf8_lossy(part).to_lowercase()).unwrap_or_default()
                };
                let (local, domain) = (text(&address.mailbox), text(&address.host));
                if domain.is_empty() {
                    continue;
                }
                tokens.add(Place::From, &[local.as_str(), "@", domain.as_str()].concat());
                tokens.add(Place::From, &domain);
                let name = address.name.as_deref().map(decode_header).unwrap_or_default();
                if !name.is_empty() {
                    tokens.add(Place::From, &name.to_lowercase());
                }
                if is("From") {
                    facts.from.push(Person { name, domain });
                }
            }
        } else if is("Date") {
            facts.has_date = true;
        } else if is("Message-ID") {
            facts.has_message_id = true;
        } else if is("List-Id") {
            tokens.add(Place::Made, &["list ", &decode_header(value).to_lowercase()].concat());
        } else if is("X-Mailer") || is("User-Agent") {
            let program = decode_header(value).to_lowercase();
            let program = program.split([' ', '/']).next().unwrap_or_default();
            tokens.add(Place::Made, &["by ", program].concat());
        }
    }
}

fn links(texts: &[(bool, String)], tokens: &mut Tokens, facts: &mut Facts) {
    for (html, text) in texts {
        let room = LINKS_MAX.saturating_sub(facts.links.len());
        facts.links.extend(links_in(text, room));
        if *html && facts.lie.is_none() {
            facts.lie = lie_in(text);
        }
    }
    let mut hosts: Vec<&str> = Vec::new();
    for link in &facts.links {
        if hosts.len() < HOSTS_MAX && !hosts.contains(&link.host.as_str()) {
            hosts.push(&link.host);
            tokens.add(Place::Link, &link.host);
            tokens.add(Place::Link, organisation(&link.host));
        }
    }
}

fn start(value: &[u8]) -> &[u8] {
    value.get(..value.len().min(FIELD_OCTETS_MAX)).unwrap_or_default()
}

fn ascii(octets: &[u8]) -> Cow<'_, str> {
    String::from_utf8_lossy(octets)
}

/// Links that are looked at.
const LINKS_MAX: usize = 500;

/// The Generic Test for Unsolicited Bulk Email, as SpamAssassin and others know it.
const GTUBE: &str = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(message: &str) -> Vec<String> {
        Content::read(message.as_bytes()).tokens.into_iter().map(|token| token.text).collect()
    }

    #[test]
    fn header_links_and_texts_are_tokens() {
        let message = "From: =?utf-8?Q?Zo=C3=A9?= <Zoe@Shop.Example>\r\nSubject: =?utf-8?B?w6l0w6k=?= sale\r\nTo: me@here.example\r\n\
            X-Mailer: Blaster 3.1\r\nContent-Type: multipart/alternative; boundary=b\r\n\r\n--b\r\n\
            Content-Transfer-Encoding: quoted-printable\r\nContent-Type: text/plain; charset=utf-8\r\n\r\nGr=C3=BC=C3=9Fe dich\r\n--b\r\n\
            Content-Type: text/html\r\n\r\n<p>Gr&uuml;&szlig;e <a href=\"http://x.pills.example/q\">here</a></p>\r\n--b--\r\n";
        let expected = [
            "from: zoe@shop.example",
            "from: shop.example",
            "from: zoé",
            "made: by blaster",
            "made: text/plain",
            "made: text/html",
            "link: x.pills.example",
            "link: pills.example",
            "subject: été",
            "subject: sale",
            "subject: été sale",
            "grüße",
            "dich",
            "grüße dich",
            "here",
            "grüße here",
        ];
        assert_eq!(texts(message), expected);
    }

    #[test]
    fn what_the_server_writes_in_front_gives_no_tokens() {
        let message = "From: a@b.example\r\nSubject: hello\r\n\r\nsome words\r\n";
        let front = "Return-Path: <x@y.example>\r\nAuthentication-Results: mx.example;\r\n\tspf=pass\r\nX-Spam-Flag: YES\r\n\
            X-Spam-Reason: casino\r\nReceived: from z by mx; now\r\n";
        assert_eq!(texts(message), texts(&[front, message].concat()));
    }

    #[test]
    fn facts_are_found() {
        let message = format!(
            "From: \"Bank\" <x@evil.example>\r\nDate: now\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n{GTUBE}\r\n\
             http://192.0.2.7/\r\n--b\r\nContent-Type: application/x-msdownload; name=\"Invoice.EXE\"\r\n\r\nx\r\n--b--\r\n"
        );
        let facts = Content::read(message.as_bytes()).facts;
        assert!(facts.gtube && facts.has_date && !facts.has_message_id && facts.links[0].is_address());
        assert_eq!(facts.files, ["invoice.exe"]);
        assert_eq!(facts.from, [Person { name: "Bank".to_owned(), domain: "evil.example".to_owned() }]);
    }

    #[test]
    fn no_more_than_the_beginning_is_read() {
        let mut message = b"Subject: x\r\n\r\n".to_vec();
        message.resize(SAMPLE_OCTETS_MAX, b' ');
        message.extend_from_slice(b"behind\r\n");
        assert_eq!(texts(std::str::from_utf8(&message).unwrap()), ["made: text/plain"]);
    }

    proptest! {
        #[test]
        fn nothing_panics_and_reading_is_repeatable(octets in prop::collection::vec(any::<u8>(), 0..3_000)) {
            prop_assert_eq!(Content::read(&octets), Content::read(&octets));
        }

        #[test]
        fn nothing_panics_on_html(text in "(<a href=|http://|[a-z.@/]{1,9}|>|</a>|\u{e9}| |&amp;){0,80}") {
            let message = format!("Content-Type: text/html; charset=utf-8\r\n\r\n{text}");
            let content = Content::read(message.as_bytes());
            prop_assert!(content.tokens.len() <= crate::limits::TOKENS_MAX);
        }
    }
}
