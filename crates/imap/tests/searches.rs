//! SEARCH through the front door against a slow model that follows the words of RFC 3501 §6.4.4; SORT against the model's
//! order; all of it while messages come and go.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use std::fmt::Write;

use crate::support::stage::{Client, pipe};
use crate::support::{House, PASSWORD};
use message::casemap;
use proptest::prelude::*;
use proptest::sample::select;
use relais_imap::Settings;
use tokio_util::sync::CancellationToken;

const WORDS: [&str; 8] = ["alpha", "Beta", "GAMMA", "grün", "ÉTÉ", "a b", "x=y", "delta epsilon"];

/// How the body of a message is built.
#[derive(Clone, Copy, Debug)]
enum Shape {
    Plain,
    QuotedPrintable,
    Base64,
    Latin1,
    Multipart,
    Nested,
    Html,
}

/// A message of the model.
#[derive(Clone, Debug)]
struct Spec {
    from: &'static str,
    to: Option<&'static str>,
    cc: Option<&'static str>,
    subject: Vec<&'static str>,
    mark: Option<&'static str>,
    /// Day of January 2026, hour, and zone in hours.
    date: Option<(u8, u8, i8)>,
    body: Vec<&'static str>,
    inner: &'static str,
    shape: Shape,
    seen: bool,
    flagged: bool,
    keyword: bool,
}

fn encoded(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    let mut text = "=?utf-8?Q?".to_owned();
    for octet in word.bytes() {
        write!(text, "={octet:02X}").unwrap();
    }
    text + "?="
}

fn quoted_printable(text: &str) -> String {
    let octet = |octet: u8| match octet {
        b'=' | 0x80.. => format!("={octet:02X}"),
        octet => char::from(octet).to_string(),
    };
    text.bytes().map(octet).collect::<String>().replace("ta", "=\r\nta")
}

fn base64(text: &str) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let digits = |chunk: &[u8]| {
        let bits = chunk.iter().chain([&0, &0]).take(3).fold(0usize, |bits, octet| bits << 8 | usize::from(*octet));
        let digit = |at: usize| char::from(ALPHABET[bits >> (18 - 6 * at) & 63]);
        let text: String = (0..=chunk.len()).map(digit).collect();
        format!("{text:=<4}")
    };
    text.as_bytes().chunks(3).map(digits).collect::<Vec<_>>().chunks(5).map(|line| line.concat() + "\r\n").collect()
}

impl Spec {
    fn subject(&self) -> String {
        self.subject.join(" ")
    }

    /// The header's fields as people read them.
    fn fields(&self) -> Vec<(&'static str, String)> {
        let mut fields = vec![("From", format!("{} <sender@example.org>", self.from))];
        fields.extend(self.to.map(|to| ("To", format!("{to} <to@example.org>"))));
        fields.extend(self.cc.map(|cc| ("Cc", format!("{cc} <cc@example.org>"))));
        fields.push(("Subject", self.subject()));
        fields.extend(self.mark.map(|mark| ("X-Mark", mark.to_owned())));
        fields.extend(self.date.map(|(day, hour, zone)| {
            let sign = if zone < 0 { '-' } else { '+' };
            ("Date", format!("{day} Jan 2026 {hour:02}:30:00 {sign}{:02}00", zone.abs()))
        }));
        fields
    }

    /// Texts of the body as people read them, and the fields of its parts.
    fn texts(&self) -> Vec<String> {
        let body = self.body.join(" ");
        match self.shape {
            Shape::Plain | Shape::QuotedPrintable | Shape::Base64 | Shape::Latin1 | Shape::Html => vec![body],
            Shape::Multipart => vec![
                "Content-Type: text/plain; charset=utf-8".to_owned(),
                body,
                format!("X-Part: {}", self.inner),
                "Content-Type: text/plain; charset=utf-8".to_owned(),
                self.inner.to_owned(),
            ],
            Shape::Nested => {
                vec![
                    "Content-Type: message/rfc822".to_owned(),
                    format!("Subject: {}", self.inner),
                    "Content-Type: text/plain; charset=utf-8".to_owned(),
                    body,
                ]
            }
        }
    }

    fn content(&self) -> Vec<u8> {
        let mut header = String::new();
        for (name, value) in self.fields() {
            let value: Vec<String> = match name {
                // Folded between words, each encoded by itself.
                "Subject" => self.subject.iter().map(|word| encoded(word)).collect(),
                _ => value.split(' ').map(encoded).collect(),
            };
            let fold = if name == "Subject" && self.subject.iter().all(|word| word.is_ascii()) { "\r\n " } else { " " };
            // Encoded words next to each other lose the space between them (RFC 2047 §6.2): it goes into the first.
            let mut line = String::new();
            for (at, word) in value.iter().enumerate() {
                if at > 0 {
                    let both = word.starts_with("=?") && value[at - 1].starts_with("=?");
                    line = if both { line.strip_suffix("?=").unwrap().to_owned() + "_?= " } else { line + fold };
                }
                line += word;
            }
            writeln!(header, "{name}: {line}\r").unwrap();
        }
        header += "MIME-Version: 1.0\r\n";
        let text = self.body.join("\r\n");
        let (kind, body): (&str, Vec<u8>) = match self.shape {
            Shape::Plain => ("Content-Type: text/plain; charset=utf-8", text.into_bytes()),
            Shape::QuotedPrintable => (
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: quoted-printable",
                quoted_printable(&text).into_bytes(),
            ),
            Shape::Base64 => (
                "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64",
                base64(&text).into_bytes(),
            ),
            Shape::Latin1 => (
                "Content-Type: text/plain; charset=iso-8859-1",
                text.chars().map(|character| u8::try_from(u32::from(character)).unwrap()).collect(),
            ),
            Shape::Html => (
                "Content-Type: text/html; charset=utf-8",
                format!("<p class=\"hidden\">{}</p>", self.body.join(" ")).into_bytes(),
            ),
            Shape::Multipart => (
                "Content-Type: multipart/mixed; boundary=cut",
                format!(
                    "--cut\r\nContent-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--cut\r\nX-Part: {}\r\n\
                     Content-Type: text/plain; charset=utf-8\r\n\r\n{}\r\n--cut--\r\n",
                    encoded(self.inner),
                    self.inner
                )
                .into_bytes(),
            ),
            Shape::Nested => (
                "Content-Type: multipart/digest; boundary=cut",
                format!(
                    "--cut\r\nContent-Type: message/rfc822\r\n\r\nSubject: {}\r\n\
                     Content-Type: text/plain; charset=utf-8\r\n\r\n{text}\r\n--cut--\r\n",
                    encoded(self.inner)
                )
                .into_bytes(),
            ),
        };
        [header.as_bytes(), kind.as_bytes(), b"\r\n\r\n", &body].concat()
    }
}

/// A key of the model.
#[derive(Clone, Debug)]
enum Key {
    All,
    Seen(bool),
    Flagged(bool),
    Keyword(bool),
    Number(u32),
    Uids(u32),
    Field(&'static str, String),
    Header(&'static str, String),
    Body(String),
    Text(String),
    Sent(&'static str, u8),
    Larger(u64),
    Smaller(u64),
    Not(Box<Self>),
    Or(Box<Self>, Box<Self>),
    And(Box<Self>, Box<Self>),
}

/// A message as it lies in the mailbox.
struct Lying {
    uid: u32,
    spec: Spec,
    octets: u64,
}

impl Key {
    fn text(&self) -> String {
        let string = |text: &str| format!("{{{}+}}\r\n{text}", text.len());
        match self {
            Self::All => "ALL".into(),
            Self::Seen(is) => if *is { "SEEN" } else { "UNSEEN" }.into(),
            Self::Flagged(is) => if *is { "FLAGGED" } else { "UNFLAGGED" }.into(),
            Self::Keyword(is) => if *is { "KEYWORD $mark" } else { "UNKEYWORD $mark" }.into(),
            Self::Number(number) => format!("{number}"),
            Self::Uids(from) => format!("UID {from}:*"),
            Self::Field(name, text) => format!("{name} {}", string(text)),
            Self::Header(name, text) => format!("HEADER {name} {}", string(text)),
            Self::Body(text) => format!("BODY {}", string(text)),
            Self::Text(text) => format!("TEXT {}", string(text)),
            Self::Sent(test, day) => format!("SENT{test} {day}-Jan-2026"),
            Self::Larger(octets) => format!("LARGER {octets}"),
            Self::Smaller(octets) => format!("SMALLER {octets}"),
            Self::Not(key) => format!("NOT {}", key.text()),
            Self::Or(a, b) => format!("OR {} {}", a.text(), b.text()),
            Self::And(a, b) => format!("({} {})", a.text(), b.text()),
        }
    }

    fn holds(&self, number: u32, last: u32, message: &Lying) -> bool {
        let spec = &message.spec;
        let holds = |text: &str, wanted: &str| casemap(text).contains(&casemap(wanted));
        let field = |name: &str, wanted: &str| {
            spec.fields().iter().any(|(field, value)| field.eq_ignore_ascii_case(name) && holds(value, wanted))
        };
        let body = |wanted: &str| wanted.is_empty() || spec.texts().iter().any(|text| holds(text, wanted));
        match self {
            Self::All => true,
            Self::Seen(is) => spec.seen == *is,
            Self::Flagged(is) => spec.flagged == *is,
            Self::Keyword(is) => spec.keyword == *is,
            Self::Number(wanted) => number == *wanted,
            Self::Uids(from) => message.uid >= (*from).min(last),
            Self::Field(name, wanted) | Self::Header(name, wanted) => field(name, wanted),
            Self::Body(wanted) => body(wanted),
            Self::Text(wanted) => {
                let mime = ["MIME-Version: 1.0".to_owned()];
                let header = spec.fields().iter().map(|(name, value)| format!("{name}: {value}")).collect::<Vec<_>>();
                header.iter().chain(&mime).any(|line| holds(line, wanted)) || body(wanted)
            }
            Self::Sent(test, day) => {
                // The day of delivery, where the message has no date: 25 February.
                let sent = spec.date.map_or(99, |(day, ..)| day);
                match *test {
                    "BEFORE" => sent < *day,
                    "ON" => sent == *day,
                    _ => sent >= *day,
                }
            }
            Self::Larger(octets) => message.octets > *octets,
            Self::Smaller(octets) => message.octets < *octets,
            Self::Not(key) => !key.holds(number, last, message),
            Self::Or(a, b) => a.holds(number, last, message) || b.holds(number, last, message),
            Self::And(a, b) => a.holds(number, last, message) && b.holds(number, last, message),
        }
    }
}

fn spec() -> impl Strategy<Value = Spec> {
    let word = || select(&WORDS[..]);
    let plain = || select(vec!["alpha", "Beta", "grün", "ÉTÉ"]);
    let shape = select(vec![
        Shape::Plain,
        Shape::QuotedPrintable,
        Shape::Base64,
        Shape::Latin1,
        Shape::Multipart,
        Shape::Nested,
        Shape::Html,
    ]);
    (
        (plain(), prop::option::of(plain()), prop::option::of(plain()), prop::collection::vec(word(), 1..4)),
        (prop::option::of(select(vec!["", "alpha", "grün"])), prop::option::of((1u8..5, 0u8..24, -9i8..9))),
        (prop::collection::vec(word(), 1..5), plain(), shape),
        (any::<bool>(), any::<bool>(), any::<bool>()),
    )
        .prop_map(|((from, to, cc, subject), (mark, date), (body, inner, shape), (seen, flagged, keyword))| Spec {
            from,
            to,
            cc,
            subject,
            mark,
            date,
            body,
            inner,
            shape,
            seen,
            flagged,
            keyword,
        })
}

fn key() -> impl Strategy<Value = Key> {
    let text = || {
        prop_oneof![
            select(&WORDS[..]).prop_map(str::to_owned),
            select(vec!["", "ALP", "été", "E\u{301}T", "a be", "b x", "ta gr", "sender@", "x-part: a", "subject: "])
                .prop_map(str::to_owned),
        ]
    };
    let leaf = prop_oneof![
        Just(Key::All),
        any::<bool>().prop_map(Key::Seen),
        any::<bool>().prop_map(Key::Flagged),
        any::<bool>().prop_map(Key::Keyword),
        (1u32..8).prop_map(Key::Number),
        (1u32..8).prop_map(Key::Uids),
        (select(vec!["FROM", "TO", "CC", "SUBJECT"]), text()).prop_map(|(name, text)| Key::Field(name, text)),
        (select(vec!["X-Mark", "from", "Nothing"]), text()).prop_map(|(name, text)| Key::Header(name, text)),
        text().prop_map(Key::Body),
        text().prop_map(Key::Text),
        (select(vec!["BEFORE", "ON", "SINCE"]), 1u8..6).prop_map(|(test, day)| Key::Sent(test, day)),
        (200u64..500).prop_map(Key::Larger),
        (200u64..500).prop_map(Key::Smaller),
    ];
    leaf.prop_recursive(3, 8, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|key| Key::Not(Box::new(key))),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| Key::Or(Box::new(a), Box::new(b))),
            (inner.clone(), inner).prop_map(|(a, b)| Key::And(Box::new(a), Box::new(b))),
        ]
    })
}

fn numbers(lines: &[String], name: &str) -> Vec<u32> {
    let begin = format!("* {name}");
    let line = lines.iter().find(|line| line.starts_with(&begin)).unwrap_or_else(|| panic!("{lines:?}"));
    line[begin.len()..].split_whitespace().map(|number| number.parse().unwrap()).collect()
}

struct Stage {
    house: House,
    client: Client,
    lying: Vec<Lying>,
    next_uid: u32,
}

impl Stage {
    async fn new() -> Self {
        let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
        let house = House::new(settings, false).await;
        let mut client = pipe(&house, &CancellationToken::new());
        client.read_line().await.unwrap();
        client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
        client.command("s", "SELECT INBOX").await.unwrap();
        Self { house, client, lying: Vec::new(), next_uid: 1 }
    }

    async fn deliver(&mut self, spec: &Spec) {
        let content = spec.content();
        self.house.deliver("alice", "INBOX", &content, true).await;
        let uid = self.next_uid;
        self.next_uid += 1;
        self.client.command("n", "NOOP").await.unwrap();
        let flags = [(spec.seen, "\\Seen"), (spec.flagged, "\\Flagged"), (spec.keyword, "$Mark")];
        let flags: Vec<&str> = flags.into_iter().filter(|(is, _)| *is).map(|(_, flag)| flag).collect();
        self.client.command("f", &format!("UID STORE {uid} FLAGS.SILENT ({})", flags.join(" "))).await.unwrap();
        self.lying.push(Lying { uid, spec: spec.clone(), octets: content.len() as u64 });
    }

    async fn expunge(&mut self, at: usize) {
        let gone = self.lying.remove(at);
        self.client.command("d", &format!("UID STORE {} +FLAGS.SILENT (\\Deleted)", gone.uid)).await.unwrap();
        self.client.command("e", "EXPUNGE").await.unwrap();
    }

    async fn check(&mut self, keys: &[Key]) {
        let last = self.lying.last().map_or(0, |message| message.uid);
        for key in keys {
            let expected: Vec<u32> = (1..)
                .zip(&self.lying)
                .filter(|(number, message)| key.holds(*number, last, message))
                .map(|(number, _)| number)
                .collect();
            let command = format!("SEARCH CHARSET UTF-8 {}", key.text());
            let found = numbers(&self.client.command("q", &command).await.unwrap(), "SEARCH");
            assert_eq!(found, expected, "{command}\n{:#?}", self.lying.iter().map(|m| &m.spec).collect::<Vec<_>>());
            let command = format!("UID SORT (REVERSE SUBJECT DATE) UTF-8 {}", key.text());
            let sorted = numbers(&self.client.command("o", &command).await.unwrap(), "SORT");
            assert_eq!(sorted, self.sorted(&expected), "{command}");
        }
    }

    /// By subject, the last first, then by date, then as they lie.
    fn sorted(&self, numbers: &[u32]) -> Vec<u32> {
        let mut some: Vec<&Lying> = numbers.iter().map(|number| &self.lying[*number as usize - 1]).collect();
        some.sort_by_key(|message| {
            let subject = casemap(&message.spec.subject());
            let sent = message
                .spec
                .date
                .map_or(i64::MAX, |(day, hour, zone)| i64::from(day) * 24 + i64::from(hour) - i64::from(zone));
            (std::cmp::Reverse(subject), sent)
        });
        some.iter().map(|message| message.uid).collect()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn searches_find_what_the_rfc_says(
        first in prop::collection::vec(spec(), 1..5),
        keys in prop::collection::vec(key(), 24),
        more in prop::collection::vec(spec(), 1..4),
        gone in any::<prop::sample::Index>(),
        later in prop::collection::vec(key(), 8),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut stage = Stage::new().await;
            for spec in &first {
                stage.deliver(spec).await;
            }
            stage.check(&keys).await;
            for spec in &more {
                stage.deliver(spec).await;
            }
            let at = gone.index(stage.lying.len());
            stage.expunge(at).await;
            stage.check(&later).await;
        });
    }
}
