//! Delivery status notifications: facts in, bytes out (RFC 3464, RFC 3461 §6, RFC 6533 for UTF-8).
//!
//! A DSN is a `multipart/report` of three parts: what a person reads ([`text`]), what a program reads ([`status`]), and
//! the message or its header. It goes to the reverse-path, from `<>`; never build one for a null reverse-path.

mod local;
mod status;
mod text;

use jiff::tz::TimeZone;
use mail::{
    Address, BodyType, Domain, DsnNotify, EnhancedCode, Envelope, EnvelopeRecipient, ForwardPath, Reply, ReversePath,
    Timestamp,
};
use mail_builder::mime::MimePart;

use self::text::Both;
use crate::attempt::Report;
use crate::limits::RETURNED_HEADER_OCTETS_MAX;

/// What stands for the answer of a server when an administrator ends an entry.
pub const CANCELLED: Reply = Reply::fixed(
    554,
    EnhancedCode(5, 3, 0),
    "An administrator of this server has cancelled the delivery / Un administrateur de ce serveur a annulé la remise",
);

/// What a DSN is built from.
#[derive(Clone, Debug)]
pub struct DsnFacts<'a> {
    /// What happened, and for whom.
    pub report: &'a Report,
    /// This server's name.
    pub reporting_mta: &'a Domain,
    /// Who answers for this server, as its postmaster (RFC 3464 §2: a person).
    pub from: &'a Address,
    /// The reverse-path of the message.
    pub to: &'a Address,
    /// Now; also the time of the attempt that is reported.
    pub now: Timestamp,
    /// When this server accepted the message.
    pub arrived_at: Timestamp,
    /// Until when it goes on trying, for [`ReportKind::Delayed`].
    pub retry_until: Timestamp,
    /// The time zone of its reader, in which that is told.
    pub zone: TimeZone,
    /// By when its sender wanted it delivered (RFC 2852).
    pub deliver_by: Option<Timestamp>,
    /// Until when its sender had it held (RFC 4865).
    pub held_until: Option<Timestamp>,
    /// `ENVID=` of the message.
    pub envelope_id: Option<&'a str>,
    /// Whether the sender said `SMTPUTF8`, and so can read UTF-8 fields and headers.
    pub smtputf8: bool,
    /// Whether the message asked for REQUIRETLS: so does a DSN about it (RFC 8689 §5).
    pub require_tls: bool,
    /// The language of its reader.
    pub language: Language,
    /// What of the message goes back.
    pub returned: Returned<'a>,
    /// Random bytes, for the Message-ID and the boundary.
    pub token: [u8; 12],
}

/// In which language people read a DSN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// English.
    English,
    /// French.
    French,
    /// It is not known: both.
    Both,
}

impl Language {
    /// The one of a tag, as accounts and domains have it: `fr` or `en`.
    #[must_use]
    pub fn tagged(tag: &str) -> Self {
        if tag == "fr" { Self::French } else { Self::English }
    }

    /// As a `Content-Language` field has it (RFC 3282).
    const fn tag(self) -> &'static str {
        match self {
            Self::English => "en",
            Self::French => "fr",
            Self::Both => "en, fr",
        }
    }

    /// The words of each language that is read.
    fn said(self, both: Both, between: &str) -> String {
        match self {
            Self::English => both.english.to_owned(),
            Self::French => both.french.to_owned(),
            Self::Both => format!("{}{between}{}", both.english, both.french),
        }
    }
}

/// What of a message goes back to its sender (RFC 3461 §4.3).
#[derive(Clone, Copy, Debug)]
pub enum Returned<'a> {
    /// All of it.
    Message(&'a [u8]),
    /// Its header; [`header_of`] finds it.
    Header(&'a [u8]),
}

/// A DSN, ready to be sent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dsn {
    /// The message.
    pub content: Vec<u8>,
    /// Its envelope: from `<>` to the reverse-path.
    pub envelope: Envelope,
}

/// Builds a DSN.
#[must_use]
pub fn build(facts: &DsnFacts<'_>) -> Dsn {
    let utf8 = needs_utf8(facts);
    let returned = returned_part(facts.returned, utf8);
    let status = status::fields(facts, utf8);
    let boundary = boundary(&facts.token, &[&returned, &status]);
    let mut out = header(facts, &boundary);
    open_part(&mut out, &boundary, "");
    // mail-builder chooses quoted-printable, so that the accents travel everywhere.
    MimePart::new("text/plain", text::paragraphs(facts).as_str()).write_part(&mut out);
    let kind = if utf8 { "message/global-delivery-status" } else { "message/delivery-status" };
    open_part(&mut out, &boundary, &format!("Content-Type: {kind}\r\n{}\r\n", transfer_encoding(&status)));
    out.extend_from_slice(&status);
    open_part(&mut out, &boundary, "");
    out.extend_from_slice(&returned);
    out.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    let body = if out.is_ascii() { BodyType::SevenBit } else { BodyType::EightBitMime };
    let envelope = Envelope { require_tls: facts.require_tls, ..envelope(facts.to, body, utf8) };
    Dsn { envelope, content: out }
}

/// The header at the start of a message, with no more than [`RETURNED_HEADER_OCTETS_MAX`] octets, whole lines only.
#[must_use]
pub fn header_of(start: &[u8]) -> &[u8] {
    let bound = usize::try_from(RETURNED_HEADER_OCTETS_MAX).unwrap_or(usize::MAX).min(start.len());
    let start = start.get(..bound).unwrap_or(start);
    let find = |what: &[u8]| start.windows(what.len()).position(|window| window == what);
    if start.starts_with(b"\r\n") {
        return &[];
    }
    let end = find(b"\r\n\r\n").or_else(|| start.windows(2).rposition(|w| w == b"\r\n")).map_or(bound, |at| at + 2);
    start.get(..end).unwrap_or(start)
}

/// RFC 6533 §3: the `global` types are for addresses and headers that ASCII can't hold, and for senders who know of
/// UTF-8. The others get everything in ASCII, or it could not be delivered to them.
fn needs_utf8(facts: &DsnFacts<'_>) -> bool {
    let header = match facts.returned {
        Returned::Message(bytes) => header_of(bytes),
        Returned::Header(bytes) => bytes,
    };
    let in_recipient = |r: &crate::ReportedRecipient| {
        r.address.needs_smtputf8() || r.original.as_ref().is_some_and(|original| !original.address.is_ascii())
    };
    facts.to.needs_smtputf8()
        || (facts.smtputf8 && (facts.report.recipients.iter().any(in_recipient) || !header.is_ascii()))
}

fn envelope(to: &Address, body: BodyType, smtputf8: bool) -> Envelope {
    // RFC 3461 §6: the reverse-path of a DSN is null; RFC 5321 §6.1.
    let mut envelope = Envelope::new(ReversePath::Null);
    envelope.body = body;
    envelope.smtputf8 = smtputf8;
    envelope.recipients.push(EnvelopeRecipient {
        forward_path: ForwardPath::Address(to.clone()),
        notify: DsnNotify::NEVER,
        original: None,
    });
    envelope
}

fn header(facts: &DsnFacts<'_>, boundary: &str) -> Vec<u8> {
    let subject = facts.language.said(text::subject(facts.report.kind), " / ");
    let sender = facts.language.said(text::SENDER, " / ");
    let id: String = facts.token.iter().map(|byte| format!("{byte:02x}")).collect();
    // RFC 3834 §5: auto-replied, so that nothing answers this.
    format!(
        "Date: {date}\r\n\
         From: \"{sender}\" <{from}>\r\n\
         To: <{to}>\r\n\
         Subject: {subject}\r\n\
         Message-ID: <{id}@{mta}>\r\n\
         Auto-Submitted: auto-replied\r\n\
         Content-Language: {language}\r\n\
         MIME-Version: 1.0\r\n\
         Content-Type: multipart/report; report-type=delivery-status;\r\n\
         \tboundary=\"{boundary}\"\r\n\
         \r\n\
         This is a delivery report in MIME format (RFC 3464).\r\n",
        date = facts.now.to_rfc5322(),
        from = facts.from,
        to = facts.to,
        mta = facts.reporting_mta,
        language = facts.language.tag(),
    )
    .into_bytes()
}

/// The third part, its MIME header included.
fn returned_part(returned: Returned<'_>, utf8: bool) -> Vec<u8> {
    let (kind, bytes) = match returned {
        Returned::Message(bytes) if utf8 => ("message/global", bytes),
        Returned::Message(bytes) => ("message/rfc822", bytes),
        Returned::Header(bytes) if utf8 => ("message/global-headers", bytes),
        Returned::Header(bytes) => ("text/rfc822-headers", bytes),
    };
    let mut part = format!("Content-Type: {kind}\r\n{}\r\n", transfer_encoding(bytes)).into_bytes();
    part.extend_from_slice(bytes);
    part
}

fn transfer_encoding(bytes: &[u8]) -> &'static str {
    if bytes.is_ascii() { "" } else { "Content-Transfer-Encoding: 8bit\r\n" }
}

fn open_part(out: &mut Vec<u8>, boundary: &str, mime_header: &str) {
    out.extend_from_slice(format!("\r\n--{boundary}\r\n{mime_header}").as_bytes());
}

/// A boundary that occurs in none of the parts (RFC 2046 §5.1.1).
fn boundary(token: &[u8; 12], parts: &[&[u8]]) -> String {
    let token: String = token.iter().rev().map(|byte| format!("{byte:02x}")).collect();
    let mut boundary = format!("=_{token}");
    let occurs = |text: &str| parts.iter().any(|part| part.windows(text.len()).any(|w| w == text.as_bytes()));
    // Each step is longer than anything found before, so this ends.
    while occurs(&boundary) {
        boundary.push('_');
    }
    boundary
}

/// A moment in a zone, in a form of `strftime`, with the zone's name: `17:20 UTC`, `19:20 (Europe/Paris)`.
fn calendar(at: Timestamp, zone: &TimeZone, form: &str) -> String {
    let at = jiff::Timestamp::from_second(at.as_secs()).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
    let told = at.to_zoned(zone.clone()).strftime(form).to_string();
    match zone.iana_name() {
        Some(name) if name != "UTC" => format!("{told} ({name})"),
        Some(_) => format!("{told} UTC"),
        None => format!("{} UTC", at.strftime(form)),
    }
}

#[cfg(test)]
mod tests;
