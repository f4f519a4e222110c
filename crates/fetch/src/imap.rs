//! An IMAP client that fetches (RFC 3501): capabilities, STARTTLS, login, folders, searches, messages one at a time.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use auth::Password;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use delivery::Delivery;
use imap_wire::name_on_the_wire;
use routing::objects::{ExternalAccountObject, ExternalSecurity};
use zeroize::Zeroizing;

use crate::body::{Body, Came};
use crate::described::{BodyForm, Described, STREAMED, Untagged, capabilities, code, untagged, word};
use crate::dial;
use crate::error::{FetchError, told};
use crate::limits::{RESPONSE_OCTETS_MAX, RESPONSES_MAX};
use crate::wire::{Smallest, Wire};

/// A session.
pub(crate) struct Imap {
    wire: Wire,
    tag: u32,
    capabilities: Vec<String>,
}

/// How a command ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Ended {
    pub(crate) ok: bool,
    pub(crate) text: Vec<u8>,
}

enum Response {
    Untagged(Vec<u8>),
    Ended(Ended),
    GoOn,
}

/// A folder that was opened.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Opened {
    pub(crate) uid_validity: u32,
    pub(crate) exists: u32,
}

/// What came for one UID.
pub(crate) enum Fetched {
    /// The message.
    Message(Came),
    /// It is no longer there.
    Gone,
    /// The server does not give it.
    Refused(String),
}

impl Imap {
    /// A session whose greeting is over.
    pub(crate) fn connected(wire: Wire) -> Self {
        Self { wire, tag: 0, capabilities: Vec::new() }
    }

    /// Greeting, capabilities, STARTTLS when that is wanted.
    pub(crate) async fn open(wire: Wire, external: &ExternalAccountObject) -> Result<Self, FetchError> {
        let mut session = Self::connected(wire);
        let greeting = session.wire.line(None).await?;
        let greeting = greeting.strip_prefix(b"* ").ok_or_else(|| FetchError::Protocol(told(&greeting)))?;
        match untagged(greeting) {
            Untagged::Bye(text) => return Err(FetchError::CommandRefused("the connection", told(&text))),
            // Somebody is logged in whom we don't know: not what was asked for.
            Untagged::PreAuth => return Err(FetchError::Protocol("it logs in by itself (PREAUTH)".to_owned())),
            Untagged::Capabilities(all) => session.capabilities = all,
            Untagged::Fetch(_) | Untagged::UidValidity(_) | Untagged::Exists(_) | Untagged::Other => {
                if !word(greeting).0.eq_ignore_ascii_case(b"OK") {
                    return Err(FetchError::Protocol(told(greeting)));
                }
            }
        }
        if session.capabilities.is_empty() || external.security == ExternalSecurity::Starttls {
            session.ask_capabilities().await?;
        }
        if external.security == ExternalSecurity::Starttls {
            if !session.can("STARTTLS") {
                return Err(FetchError::NoStartTls);
            }
            let ended = session.simple("STARTTLS").await?;
            if !ended.ok {
                return Err(FetchError::CommandRefused("STARTTLS", told(&ended.text)));
            }
            let (world, timeout) = (session.wire.world.clone(), session.wire.timeout());
            let stream = dial::secure(&world, external, session.wire.into_stream(), timeout).await?;
            session.wire = Wire::new(stream, world, timeout);
            // RFC 3501 §6.2.1: what was said before is forgotten.
            session.capabilities.clear();
            session.ask_capabilities().await?;
        }
        Ok(session)
    }

    pub(crate) fn can(&self, capability: &str) -> bool {
        self.capabilities.iter().any(|known| known == capability)
    }

    async fn ask_capabilities(&mut self) -> Result<(), FetchError> {
        let mut found = Vec::new();
        self.run(b"CAPABILITY", None, &mut |response| {
            if let Untagged::Capabilities(all) = response {
                found = all;
            }
        })
        .await?;
        self.capabilities = found;
        Ok(())
    }

    /// AUTHENTICATE PLAIN (RFC 4616), else LOGIN.
    pub(crate) async fn log_in(&mut self, login: &str, password: &Password) -> Result<(), FetchError> {
        if login.contains('\0') || password.expose().contains('\0') {
            return Err(FetchError::NoPassword);
        }
        let mut told_capabilities = None;
        let mut hear = |response: Untagged| {
            if let Untagged::Capabilities(all) = response {
                told_capabilities = Some(all);
            }
        };
        let ended = if self.can("AUTH=PLAIN") {
            let clear = Zeroizing::new(format!("\0{login}\0{}", password.expose()));
            let sasl = Zeroizing::new(STANDARD.encode(clear.as_bytes()));
            if self.can("SASL-IR") {
                let line = Zeroizing::new(format!("AUTHENTICATE PLAIN {}", *sasl));
                self.run(line.as_bytes(), None, &mut hear).await?
            } else {
                self.run_parts(&[b"AUTHENTICATE PLAIN", sasl.as_bytes()], None, &mut hear).await?
            }
        } else if self.can("LOGINDISABLED") {
            return Err(FetchError::LoginRefused("it takes no password over this connection".to_owned()));
        } else {
            let plain = |text: &str| text.bytes().all(|byte| (b' '..0x7F).contains(&byte));
            if plain(login) && plain(password.expose()) {
                let line =
                    Zeroizing::new(format!("LOGIN {} {}", quoted(login).as_str(), quoted(password.expose()).as_str()));
                self.run(line.as_bytes(), None, &mut hear).await?
            } else {
                let first = format!("LOGIN {{{}}}", login.len());
                let second = format!("{login} {{{}}}", password.expose().len());
                let parts = [first.as_bytes(), second.as_bytes(), password.expose().as_bytes()];
                self.run_parts(&parts, None, &mut hear).await?
            }
        };
        if !ended.ok {
            return Err(FetchError::LoginRefused(told(&ended.text)));
        }
        // RFC 3501 §7.2.1: others may be offered now.
        let in_code = code(&ended.text).filter(|(name, _)| name.eq_ignore_ascii_case(b"CAPABILITY"));
        match in_code.map(|(_, all)| capabilities(all)).or(told_capabilities) {
            Some(all) => self.capabilities = all,
            None => self.ask_capabilities().await?,
        }
        Ok(())
    }

    /// SELECT, or EXAMINE when nothing is to be deleted.
    pub(crate) async fn select(&mut self, folder: &str, read_only: bool) -> Result<Opened, FetchError> {
        let verb = if read_only { "EXAMINE" } else { "SELECT" };
        let line = format!("{verb} {}", quoted(&name_on_the_wire(folder)).as_str());
        let mut opened = Opened::default();
        let ended = self
            .run(line.as_bytes(), None, &mut |response| match response {
                Untagged::UidValidity(validity) => opened.uid_validity = validity,
                Untagged::Exists(exists) => opened.exists = exists,
                Untagged::Fetch(_)
                | Untagged::Capabilities(_)
                | Untagged::Bye(_)
                | Untagged::PreAuth
                | Untagged::Other => {}
            })
            .await?;
        if ended.ok { Ok(opened) } else { Err(FetchError::NoFolder(folder.to_owned(), told(&ended.text))) }
    }

    /// The UIDs above one that the server has.
    pub(crate) async fn search(&mut self, query: &str, found: &mut Smallest) -> Result<(), FetchError> {
        let line = format!("UID SEARCH {query}");
        let ended = self.run_all(&[line.as_bytes()], None, Some(found), &mut |_| ()).await?;
        if ended.ok { Ok(()) } else { Err(FetchError::CommandRefused("SEARCH", told(&ended.text))) }
    }

    /// Sizes, flags and dates of messages.
    pub(crate) async fn describe(&mut self, uids: &[u32]) -> Result<BTreeMap<u32, Described>, FetchError> {
        let mut found = BTreeMap::new();
        let line = format!("UID FETCH {} (UID FLAGS INTERNALDATE RFC822.SIZE)", set(uids));
        let ended = self
            .run(line.as_bytes(), None, &mut |response| {
                if let Untagged::Fetch(one) = response
                    && let Some(uid) = one.uid.filter(|uid| uids.contains(uid))
                    // A later response that tells of flags alone takes nothing away.
                    && (one.size.is_some() || !found.contains_key(&uid))
                {
                    found.insert(uid, one);
                }
            })
            .await?;
        if ended.ok { Ok(found) } else { Err(FetchError::CommandRefused("FETCH", told(&ended.text))) }
    }

    /// One message, whose octets go to the store as they come.
    pub(crate) async fn fetch(&mut self, uid: u32, delivery: &Delivery) -> Result<Fetched, FetchError> {
        let mut sink = Sink { delivery, body: None };
        let line = format!("UID FETCH {uid} (UID BODY.PEEK[])");
        let (mut ours, mut kept) = (None, None);
        // Each response with a body has its own; those of other messages, which nobody asked for, are dropped.
        self.send(&[line.as_bytes()]).await?;
        let mut responses = 0usize;
        let ended = loop {
            match self.next(Some(&mut sink), None).await? {
                Response::Untagged(text) => {
                    let body = sink.body.take();
                    if let Untagged::Fetch(one) = checked(untagged(&text))?
                        && one.uid == Some(uid)
                        && let Some(form) = one.body.clone()
                    {
                        kept = body;
                        ours = Some(form);
                    }
                }
                Response::Ended(ended) => break ended,
                Response::GoOn => return Err(FetchError::Protocol("it wants more than was said".to_owned())),
            }
            responses = responses.saturating_add(1);
            if responses > RESPONSES_MAX {
                return Err(FetchError::Protocol("its answer has no end".to_owned()));
            }
        };
        match ours {
            None if ended.ok => Ok(Fetched::Gone),
            None => Ok(Fetched::Refused(told(&ended.text))),
            Some(BodyForm::Nil) => Ok(Fetched::Gone),
            Some(form) => {
                let mut body = kept.unwrap_or_else(|| Body::new(delivery));
                if let BodyForm::Quoted(text) = form {
                    body.write(&text).await?;
                }
                Ok(Fetched::Message(body.finish().await?))
            }
        }
    }

    /// Marks messages as deleted, and removes them when that touches no others.
    pub(crate) async fn delete(&mut self, uids: &[u32]) -> Result<(), FetchError> {
        let all = set(uids);
        let ended = self.simple(&format!("UID STORE {all} +FLAGS.SILENT (\\Deleted)")).await?;
        if !ended.ok {
            return Err(FetchError::CommandRefused("deleting", told(&ended.text)));
        }
        let expunge = if self.can("UIDPLUS") {
            format!("UID EXPUNGE {all}")
        } else {
            // Without UIDPLUS, EXPUNGE takes what others have marked along: then ours stay marked, for them to remove.
            let mut marked = Smallest::new(0, uids.len().saturating_add(1));
            self.search("DELETED", &mut marked).await?;
            if marked.all > uids.len() as u64 || !marked.numbers.iter().all(|uid| uids.contains(uid)) {
                return Ok(());
            }
            "EXPUNGE".to_owned()
        };
        let ended = self.simple(&expunge).await?;
        if ended.ok { Ok(()) } else { Err(FetchError::CommandRefused("EXPUNGE", told(&ended.text))) }
    }

    pub(crate) async fn log_out(self) {
        self.wire.part(b"z LOGOUT\r\n").await;
    }

    async fn simple(&mut self, line: &str) -> Result<Ended, FetchError> {
        self.run(line.as_bytes(), None, &mut |_| ()).await
    }

    async fn run(
        &mut self,
        line: &[u8],
        sink: Option<&mut Sink<'_>>,
        hear: &mut (dyn FnMut(Untagged) + Send),
    ) -> Result<Ended, FetchError> {
        self.run_all(&[line], sink, None, hear).await
    }

    async fn run_parts(
        &mut self,
        parts: &[&[u8]],
        sink: Option<&mut Sink<'_>>,
        hear: &mut (dyn FnMut(Untagged) + Send),
    ) -> Result<Ended, FetchError> {
        self.run_all(parts, sink, None, hear).await
    }

    async fn send(&mut self, parts: &[&[u8]]) -> Result<(), FetchError> {
        self.tag = self.tag.saturating_add(1);
        let first = parts.first().copied().unwrap_or_default();
        let line = Zeroizing::new([format!("r{} ", self.tag).as_bytes(), first, b"\r\n"].concat());
        self.wire.write(&line).await
    }

    /// A command in parts, each further one after a continuation, and all responses up to its end.
    async fn run_all(
        &mut self,
        parts: &[&[u8]],
        mut sink: Option<&mut Sink<'_>>,
        mut search: Option<&mut Smallest>,
        hear: &mut (dyn FnMut(Untagged) + Send),
    ) -> Result<Ended, FetchError> {
        self.send(parts).await?;
        let mut further = parts.iter().skip(1);
        for _ in 0..RESPONSES_MAX {
            match self.next(sink.as_deref_mut(), search.as_deref_mut()).await? {
                Response::Untagged(text) => hear(checked(untagged(&text))?),
                Response::Ended(ended) => return Ok(ended),
                Response::GoOn => {
                    let Some(part) = further.next() else {
                        return Err(FetchError::Protocol("it wants more than was said".to_owned()));
                    };
                    let line = Zeroizing::new([part, &b"\r\n"[..]].concat());
                    self.wire.write(&line).await?;
                }
            }
        }
        Err(FetchError::Protocol("its answer has no end".to_owned()))
    }

    /// One response, its literals included.
    async fn next(
        &mut self,
        mut sink: Option<&mut Sink<'_>>,
        mut search: Option<&mut Smallest>,
    ) -> Result<Response, FetchError> {
        let mut flat = Vec::new();
        loop {
            let line = self.wire.line(search.as_deref_mut()).await?;
            if line.contains(&STREAMED) {
                return Err(FetchError::Protocol("a line holds a NUL".to_owned()));
            }
            let announced = literal(&line);
            let kept = line.len().saturating_sub(announced.map_or(0, |(_, octets)| octets));
            flat.extend_from_slice(line.get(..kept).unwrap_or_default());
            let Some((octets, _)) = announced else { break };
            match &mut sink {
                Some(sink) if ends_with_body(&flat) => {
                    sink.take(&mut self.wire, octets).await?;
                    flat.push(STREAMED);
                }
                _ => self.small(octets, &mut flat).await?,
            }
            if flat.len() > RESPONSE_OCTETS_MAX {
                return Err(FetchError::Protocol("a response has no end".to_owned()));
            }
        }
        if let Some(rest) = flat.strip_prefix(b"* ") {
            return Ok(Response::Untagged(rest.to_vec()));
        }
        if flat.first() == Some(&b'+') {
            return Ok(Response::GoOn);
        }
        let (tag, rest) = word(&flat);
        if tag != format!("r{}", self.tag).as_bytes() {
            return Err(FetchError::Protocol(told(&flat)));
        }
        let (condition, text) = word(rest);
        let known = [b"OK".as_slice(), b"NO", b"BAD"].iter().any(|known| known.eq_ignore_ascii_case(condition));
        if !known {
            return Err(FetchError::Protocol(told(&flat)));
        }
        Ok(Response::Ended(Ended { ok: condition.eq_ignore_ascii_case(b"OK"), text: text.to_vec() }))
    }

    /// A literal that is no message: kept as a quoted string.
    async fn small(&mut self, octets: u64, flat: &mut Vec<u8>) -> Result<(), FetchError> {
        if octets > RESPONSE_OCTETS_MAX as u64 {
            return Err(FetchError::Protocol(format!("it sends {octets} octets that nobody asked for")));
        }
        flat.push(b'"');
        let mut left = octets;
        while left > 0 {
            let some = self.wire.some(left).await?;
            left = left.saturating_sub(some.len() as u64);
            for octet in some {
                if matches!(octet, b'"' | b'\\') {
                    flat.push(b'\\');
                }
                flat.push(if octet == STREAMED { b'?' } else { octet });
            }
        }
        flat.push(b'"');
        Ok(())
    }
}

/// A BYE in the middle ends everything.
fn checked(response: Untagged) -> Result<Untagged, FetchError> {
    if matches!(response, Untagged::Bye(_)) { Err(FetchError::Closed) } else { Ok(response) }
}

/// Where the octets of a message go.
struct Sink<'d> {
    delivery: &'d Delivery,
    body: Option<Body>,
}

impl Sink<'_> {
    async fn take(&mut self, wire: &mut Wire, octets: u64) -> Result<(), FetchError> {
        let mut body = Body::new(self.delivery);
        // Nobody waits for gigabytes of a message that will not be taken.
        if octets > body.max() {
            return Err(FetchError::TooLarge);
        }
        let mut left = octets;
        while left > 0 {
            let some = wire.some(left).await?;
            left = left.saturating_sub(some.len() as u64);
            body.write(&some).await?;
        }
        self.body = Some(body);
        Ok(())
    }
}

/// A literal that a line announces at its end: its octets, and those of the announcement.
fn literal(line: &[u8]) -> Option<(u64, usize)> {
    let inside = line.strip_suffix(b"}")?;
    let start = inside.iter().rposition(|byte| *byte == b'{')?;
    let digits = inside.get(start.saturating_add(1)..)?;
    let digits = digits.strip_suffix(b"+").unwrap_or(digits);
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    // More than a number holds is more than anybody takes.
    let octets = std::str::from_utf8(digits).ok()?.parse().unwrap_or(u64::MAX);
    Some((octets, line.len().saturating_sub(start)))
}

fn ends_with_body(flat: &[u8]) -> bool {
    let start = flat.len().saturating_sub(BODY.len());
    flat.get(start..).is_some_and(|end| end.eq_ignore_ascii_case(BODY))
}

/// A quoted string of text without line ends and NUL.
fn quoted(text: &str) -> Zeroizing<String> {
    let mut quoted = Zeroizing::new(String::with_capacity(text.len().saturating_mul(2).saturating_add(2)));
    quoted.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            quoted.push('\\');
        }
        quoted.push(c);
    }
    quoted.push('"');
    quoted
}

fn set(uids: &[u32]) -> String {
    let mut text = String::new();
    for uid in uids {
        let comma = if text.is_empty() { "" } else { "," };
        // Writing to a String does not fail.
        write!(text, "{comma}{uid}").ok();
    }
    text
}

const BODY: &[u8] = b"BODY[] ";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_announced_at_the_end_of_a_line_alone() {
        assert_eq!(literal(b"* 1 FETCH (BODY[] {12}"), Some((12, 4)));
        assert_eq!(literal(b"x {12+}"), Some((12, 5)));
        assert_eq!(literal(b"{99999999999999999999999}"), Some((u64::MAX, 25)));
        for none in [&b"* 1 FETCH (BODY[] {12} "[..], b"{}", b"{-1}", b"12}", b"", b"{1 2}"] {
            assert_eq!(literal(none), None, "{none:?}");
        }
    }

    #[test]
    fn what_is_quoted_ends_where_it_should() {
        assert_eq!(quoted(r#"a"b\c"#).as_str(), r#""a\"b\\c""#);
        assert_eq!(set(&[1, 5, 9]), "1,5,9");
    }
}
