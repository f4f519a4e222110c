//! A host with the domain `relais.example`, the users alice and bob, and a memory.

use std::sync::{Arc, Mutex, MutexGuard};

use mail::{AccountId, BodyType, EnhancedCode, Envelope, ForwardPath, Reply};
use relais_smtp_in::{
    Acknowledgement, AuthExchange, AuthFailure, AuthStep, Host, Identity, LinkedContent, Mechanism, MessageSink,
    Secret, SessionFacts, Verdict, trace_header,
};
use storage::Committed;
use world::BoxFuture;

#[derive(Clone, Default)]
pub(crate) struct FakeHost(Arc<Mutex<Memory>>);

#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) kept: Vec<(Envelope, Vec<u8>)>,
    /// What goes wrong: the word behind `@host`.
    pub(crate) trouble: String,
    pub(crate) open_sinks: usize,
    pub(crate) octets_taken: u64,
    pub(crate) largest_write: usize,
    pub(crate) last_received: String,
    /// What URLs name.
    pub(crate) links: Vec<(String, Vec<u8>)>,
}

impl FakeHost {
    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// How many messages are kept, and how many are still open.
    pub(crate) fn kept_and_open(&self) -> (usize, usize) {
        let memory = self.memory();
        (memory.kept.len(), memory.open_sinks)
    }

    fn trouble(&self, name: &str) -> bool {
        self.memory().trouble == name
    }

    /// Understands a directive about the host; false when it is about something else.
    pub(crate) fn directive(&self, directive: &str) -> Result<bool, String> {
        let (word, rest) = directive.split_once(' ').unwrap_or((directive, ""));
        let mut memory = self.memory();
        let same = |expected: &str, found: String| {
            if expected == found { Ok(()) } else { Err(format!("expected {expected:?}, found {found:?}")) }
        };
        match word {
            "link" => {
                let (url, text) = rest.split_once(' ').unwrap_or((rest, ""));
                let octets = text.replace("\\r", "\r").replace("\\n", "\n").into_bytes();
                memory.links.push((url.to_owned(), octets));
            }
            "host" => memory.trouble = rest.to_owned(),
            "kept" => same(rest, memory.kept.len().to_string())?,
            "envelope" => same(rest, memory.kept.last().map(|(envelope, _)| describe(envelope)).unwrap_or_default())?,
            "received" => {
                if !memory.last_received.contains(rest) {
                    return Err(format!("{rest:?} is not in {:?}", memory.last_received));
                }
            }
            "message" => {
                let message = memory.kept.last().map(|(_, message)| String::from_utf8_lossy(message).into_owned());
                same(rest, message.unwrap_or_default().replace('\r', "\\r").replace('\n', "\\n"))?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// An envelope in one line.
fn describe(envelope: &Envelope) -> String {
    let mut text = envelope.reverse_path.to_string();
    if envelope.body == BodyType::EightBitMime {
        text.push_str(" 8bit");
    }
    if envelope.body == BodyType::BinaryMime {
        text.push_str(" binary");
    }
    if envelope.smtputf8 {
        text.push_str(" utf8");
    }
    if let Some(what) = envelope.dsn_return {
        text.push_str(&format!(" {what:?}"));
    }
    if let Some(id) = &envelope.envelope_id {
        text.push_str(&format!(" id={id}"));
    }
    if let Some(until) = envelope.hold_until {
        text.push_str(&format!(" hold={}", until.to_rfc3339()));
    }
    if let Some(by) = envelope.deliver_by {
        text.push_str(&format!(" by={};{:?}{}", by.by.to_rfc3339(), by.mode, if by.trace { "+trace" } else { "" }));
    }
    if envelope.priority != 0 {
        text.push_str(&format!(" priority={}", envelope.priority));
    }
    if envelope.require_tls {
        text.push_str(" tls");
    }
    if !envelope.solicits.is_empty() {
        text.push_str(&format!(" solicits={}", envelope.solicits.join(",")));
    }
    for recipient in &envelope.recipients {
        text.push_str(&format!(" to {}", recipient.forward_path));
        let notify = recipient.notify;
        for (said, word) in [(notify.success, "+success"), (notify.failure, "+failure"), (notify.delay, "+delay")] {
            if said {
                text.push_str(word);
            }
        }
        if let Some(original) = &recipient.original {
            text.push_str(&format!(" was {};{}", original.address_type, original.address));
        }
    }
    text
}

fn at_once<T: Send + 'static>(value: T) -> BoxFuture<'static, T> {
    Box::pin(std::future::ready(value))
}

fn refusal(code: u16, enhanced: (u8, u16, u16), text: &'static str) -> Reply {
    Reply::fixed(code, EnhancedCode(enhanced.0, enhanced.1, enhanced.2), text)
}

impl Host for FakeHost {
    fn may_begin<'a>(&'a self, facts: &'a SessionFacts, envelope: &'a Envelope) -> BoxFuture<'a, Verdict> {
        let sender = envelope.reverse_path.to_string();
        assert!(!self.trouble("panic"), "a fault of ours");
        at_once(if self.trouble("full") {
            Verdict::Refuse(refusal(452, (4, 3, 1), "The disk is full"))
        } else if self.trouble("backlog") {
            Verdict::Refuse(refusal(451, (4, 3, 2), "Too much is waiting"))
        } else if facts.kind.is_submission() && sender != "<alice@relais.example>" {
            Verdict::Refuse(refusal(550, (5, 7, 1), "Not your address"))
        } else {
            Verdict::Accept
        })
    }

    fn recipient<'a>(
        &'a self,
        facts: &'a SessionFacts,
        _: &'a Envelope,
        path: &'a ForwardPath,
    ) -> BoxFuture<'a, Verdict> {
        let ForwardPath::Address(address) = path else { return at_once(Verdict::Accept) };
        let known = ["alice", "bob", "josé", "a@b"].contains(&address.local().canonical().as_str());
        at_once(match (address.domain().as_str(), known) {
            ("relais.example" | "[192.0.2.1]", true) => Verdict::Accept,
            ("relais.example", false) => Verdict::Refuse(refusal(550, (5, 1, 1), "No such mailbox")),
            _ if facts.identity.is_some() => Verdict::Accept,
            _ => Verdict::Refuse(refusal(550, (5, 7, 1), "No relaying")),
        })
    }

    fn authenticate<'a>(
        &'a self,
        _: &'a SessionFacts,
        login: &'a str,
        password: &'a Secret,
    ) -> BoxFuture<'a, Result<Identity, AuthFailure>> {
        at_once(if self.trouble("no-directory") {
            Err(AuthFailure::Unavailable)
        } else if login == "alice" && password.expose() == b"open sesame" {
            Ok(Identity { account: AccountId(1), login: login.to_owned(), mark: 0 })
        } else {
            Err(AuthFailure::Refused)
        })
    }

    fn exchange<'a>(&'a self, _: &SessionFacts, mechanism: Mechanism) -> Option<Box<dyn AuthExchange + 'a>> {
        FakeExchange::begin(mechanism).map(|exchange| Box::new(exchange) as Box<_>)
    }

    fn verify<'a>(&'a self, _: &'a SessionFacts, text: &'a str) -> BoxFuture<'a, Reply> {
        at_once(match text {
            "bob" | "<bob@relais.example>" => {
                Reply::new(250, Some(EnhancedCode(2, 1, 5)), "Bob Miller <bob@relais.example>")
            }
            _ => refusal(550, (5, 1, 1), "No such mailbox"),
        })
    }

    fn expand<'a>(&'a self, _: &'a SessionFacts, text: &'a str) -> BoxFuture<'a, Reply> {
        at_once(match text {
            "team" => {
                Reply::new(250, Some(EnhancedCode(2, 1, 5)), "<alice@relais.example>\nBob Miller <bob@relais.example>")
            }
            _ => refusal(550, (5, 7, 1), "You may not see who is in it"),
        })
    }

    fn linked<'a>(
        &'a self,
        facts: &'a SessionFacts,
        url: &'a Secret,
    ) -> BoxFuture<'a, Result<Box<dyn LinkedContent>, Reply>> {
        assert!(facts.identity.is_some(), "nobody else is told anything");
        let memory = self.memory();
        let found = memory.links.iter().find(|(known, _)| known.as_bytes() == url.expose());
        at_once(found.map_or(Err(refusal(554, (5, 6, 6), "The URL gives nothing")), |(url, octets)| {
            let breaks = url.ends_with("broken");
            Ok(Box::new(FakeContent { octets: octets.clone(), read: 0, breaks }) as Box<dyn LinkedContent>)
        }))
    }

    fn open<'a>(
        &'a self,
        facts: &'a SessionFacts,
        envelope: &'a Envelope,
    ) -> BoxFuture<'a, Result<Box<dyn MessageSink>, Reply>> {
        if self.trouble("closed") {
            return at_once(Err(refusal(451, (4, 3, 0), "Nothing is taken now")));
        }
        let name = mail::Domain::parse("mx.example").unwrap();
        let received = trace_header(facts, envelope, &name, "q1", mail::Timestamp(0));
        let mut memory = self.memory();
        memory.open_sinks += 1;
        memory.last_received = String::from_utf8(received).unwrap();
        drop(memory);
        at_once(Ok(Box::new(FakeSink { host: self.clone(), message: Vec::new() })))
    }
}

/// Takes `alice`, then `proof`, then nothing: the steps of SCRAM, without its sums.
pub(crate) struct FakeExchange(usize);

impl FakeExchange {
    pub(crate) fn begin(mechanism: Mechanism) -> Option<Self> {
        (mechanism != Mechanism::ScramSha1).then_some(Self(0))
    }
}

impl AuthExchange for FakeExchange {
    fn step<'a>(&'a mut self, response: &'a Secret) -> BoxFuture<'a, Result<AuthStep, AuthFailure>> {
        self.0 += 1;
        at_once(match (self.0, response.expose()) {
            (1, b"alice") => Ok(AuthStep::Challenge(b"prove it".to_vec())),
            (2, b"proof") => Ok(AuthStep::Challenge(b"so do I".to_vec())),
            (3, b"") => Ok(AuthStep::Done(Identity { account: AccountId(1), login: "alice".to_owned(), mark: 0 })),
            // Tokens: one is good, another is not, and what is none is malformed.
            (1, b"n,,\x01auth=Bearer good\x01\x01" | b"user=alice\x01auth=Bearer good\x01\x01") => {
                Ok(AuthStep::Done(Identity { account: AccountId(1), login: "alice".to_owned(), mark: 0 }))
            }
            (1, token) if token.ends_with(b"\x01auth=Bearer bad\x01\x01") => {
                Ok(AuthStep::Challenge(b"{\"status\":\"invalid_token\"}".to_vec()))
            }
            (2, _) => Err(AuthFailure::Refused),
            _ => Err(AuthFailure::Malformed),
        })
    }
}

/// Gives a few octets at a time.
struct FakeContent {
    octets: Vec<u8>,
    read: usize,
    breaks: bool,
}

impl LinkedContent for FakeContent {
    fn octets(&self) -> u64 {
        self.octets.len() as u64
    }

    fn piece<'a>(&'a mut self) -> BoxFuture<'a, Result<Vec<u8>, Reply>> {
        let (from, to) = (self.read, self.octets.len().min(self.read + 3));
        self.read = to;
        at_once(if self.breaks && from > 0 {
            Err(refusal(451, (4, 3, 0), "The store can't be read now"))
        } else {
            Ok(self.octets[from..to].to_vec())
        })
    }
}

struct FakeSink {
    host: FakeHost,
    message: Vec<u8>,
}

impl Drop for FakeSink {
    fn drop(&mut self) {
        self.host.memory().open_sinks -= 1;
    }
}

impl MessageSink for FakeSink {
    fn write<'a>(&'a mut self, octets: &'a [u8]) -> BoxFuture<'a, Result<(), Reply>> {
        if self.host.trouble("disk-full") {
            return at_once(Err(refusal(452, (4, 3, 1), "The disk is full")));
        }
        let mut memory = self.host.memory();
        memory.octets_taken += octets.len() as u64;
        memory.largest_write = memory.largest_write.max(octets.len());
        drop(memory);
        if !self.host.trouble("forgetful") {
            self.message.extend_from_slice(octets);
        }
        at_once(Ok(()))
    }

    fn finish(mut self: Box<Self>, envelope: Envelope) -> BoxFuture<'static, Result<Acknowledgement, Reply>> {
        if self.host.trouble("no-commit") {
            return at_once(Err(refusal(451, (4, 3, 0), "The message could not be kept")));
        }
        let message = std::mem::take(&mut self.message);
        let mut memory = self.host.memory();
        memory.kept.push((envelope, message));
        let text = format!("q{}", memory.kept.len());
        drop(memory);
        at_once(Ok(Acknowledgement { committed: Committed::attest(), text }))
    }
}
