//! The engine without any I/O, as a stage for transcripts.

use std::collections::VecDeque;
use std::future::Future;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use mail::Timestamp;
use relais_smtp_in::{
    Action, Answer, AuthExchange, AuthFailure, Engine, Host, LinkedContent, ListenerKind, MessageSink, Policy,
    SessionFacts, SessionId, TlsFacts,
};
use testkit::transcript::Stage;

use super::host::{FakeExchange, FakeHost};
use super::{Setup, span};

#[derive(Default)]
pub(crate) struct EngineStage {
    setup: Setup,
    host: FakeHost,
    now: Timestamp,
    session: Option<Session>,
}

struct Session {
    engine: Engine,
    sink: Option<Box<dyn MessageSink>>,
    linked: Option<Box<dyn LinkedContent>>,
    exchange: Option<FakeExchange>,
    lines: VecDeque<String>,
    unfinished: Vec<u8>,
    closed: bool,
    awaits_tls: bool,
}

/// The fake host answers at once.
fn ready<T>(future: impl Future<Output = T>) -> T {
    let mut future = std::pin::pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("the fake host answers at once"),
    }
}

fn tls() -> TlsFacts {
    TlsFacts { version: "TLSv1.3".into(), cipher: "TLS_AES_256_GCM_SHA384".into(), ..TlsFacts::default() }
}

impl Session {
    fn run(&mut self, host: &FakeHost, now: Timestamp) {
        while let Some(action) = self.engine.next(now) {
            let answer = match action {
                Action::Send(octets) => {
                    self.unfinished.extend(octets);
                    while let Some(end) = self.unfinished.windows(2).position(|pair| pair == b"\r\n") {
                        let line: Vec<u8> = self.unfinished.drain(..end + 2).take(end).collect();
                        self.lines.push_back(String::from_utf8(line).unwrap());
                    }
                    continue;
                }
                Action::Enter => Answer::Entered(None),
                Action::MayBegin => {
                    Answer::Begin(ready(host.may_begin(self.engine.facts(), self.engine.envelope().unwrap())))
                }
                Action::AskRecipient { path } => Answer::Recipient(ready(host.recipient(
                    self.engine.facts(),
                    self.engine.envelope().unwrap(),
                    &path,
                ))),
                Action::Authenticate { login, password, .. } => {
                    Answer::Authenticated(ready(host.authenticate(self.engine.facts(), &login, &password)))
                }
                Action::Respond { mechanism, begins, response } => {
                    if begins {
                        self.exchange = FakeExchange::begin(mechanism);
                    }
                    let step = |exchange: &mut FakeExchange| ready(exchange.step(&response));
                    Answer::Responded(self.exchange.as_mut().map_or(Err(AuthFailure::Unavailable), step))
                }
                Action::Verify { text } => Answer::LookedUp(ready(host.verify(self.engine.facts(), &text))),
                Action::Expand { text } => Answer::LookedUp(ready(host.expand(self.engine.facts(), &text))),
                Action::BeginBody => {
                    let opened = ready(host.open(self.engine.facts(), self.engine.envelope().unwrap()));
                    Answer::Opened(opened.map(|sink| self.sink = Some(sink)))
                }
                Action::FindUrl { url } => {
                    Answer::UrlFound(ready(host.linked(self.engine.facts(), &url)).map(|content| {
                        let octets = content.octets();
                        self.linked = Some(content);
                        octets
                    }))
                }
                Action::ReadUrl => {
                    let linked = self.linked.as_mut().expect("something was found");
                    Answer::UrlRead(ready(linked.piece()))
                }
                Action::Body(octets) => {
                    if let Some(sink) = &mut self.sink
                        && let Err(reply) = ready(sink.write(&octets))
                    {
                        self.sink = None;
                        self.engine.body_failed(reply);
                    }
                    continue;
                }
                Action::AbandonBody => {
                    self.sink = None;
                    continue;
                }
                Action::EndBody { envelope } => {
                    Answer::Kept(ready(self.sink.take().expect("a message is open").finish(envelope)))
                }
                Action::StartTls => {
                    self.awaits_tls = true;
                    return;
                }
                Action::Close => {
                    self.closed = true;
                    return;
                }
            };
            self.engine.answer(answer, now);
        }
    }
}

impl EngineStage {
    fn session(&mut self) -> Result<&mut Session, String> {
        self.session.as_mut().ok_or_else(|| "nobody has connected yet".to_owned())
    }

    fn run(&mut self) {
        let (host, now) = (self.host.clone(), self.now);
        if let Some(session) = &mut self.session {
            session.run(&host, now);
        }
    }
}

impl Stage for EngineStage {
    fn connect(&mut self, _: u32) -> Result<(), String> {
        let remote = "127.0.0.1:4711".parse().unwrap();
        let facts = SessionFacts::new(SessionId(1), self.setup.kind, remote, remote);
        let mut engine = Engine::new(Policy::of(&Arc::new(self.setup.settings())), facts, self.now);
        if self.setup.kind == ListenerKind::Submissions {
            engine.tls_from_the_start(tls());
        }
        self.session = Some(Session {
            engine,
            sink: None,
            linked: None,
            exchange: None,
            lines: VecDeque::new(),
            unfinished: Vec::new(),
            closed: false,
            awaits_tls: false,
        });
        self.run();
        Ok(())
    }

    fn send(&mut self, _: u32, octets: &[u8]) -> Result<(), String> {
        let now = self.now;
        let mut rest = octets;
        while !rest.is_empty() {
            let session = self.session()?;
            let (piece, behind) = rest.split_at(rest.len().min(session.engine.room()));
            session.engine.receive(piece, now);
            rest = behind;
            self.run();
        }
        Ok(())
    }

    fn read_line(&mut self, _: u32) -> Result<Option<String>, String> {
        let session = self.session()?;
        match session.lines.pop_front() {
            Some(line) => Ok(Some(line)),
            None if session.closed => Ok(None),
            None => Err("the engine says nothing".to_owned()),
        }
    }

    fn directive(&mut self, _: u32, directive: &str) -> Result<(), String> {
        if self.setup.directive(directive)? || self.host.directive(directive)? {
            return Ok(());
        }
        match directive.split_once(' ').unwrap_or((directive, "")) {
            ("plain", "") => {}
            ("tls", "") => {
                let now = self.now;
                let session = self.session()?;
                if !std::mem::take(&mut session.awaits_tls) {
                    return Err("TLS was not agreed on".to_owned());
                }
                session.engine.answer(Answer::TlsStarted(tls()), now);
            }
            ("advance", text) => {
                self.now = self.now.plus(span(text)?);
                let now = self.now;
                self.session()?.engine.tick(now);
            }
            ("shutdown", "") => self.session()?.engine.shut_down(),
            ("cut", "") => self.session = None,
            _ => return Err(format!("no such directive: {directive}")),
        }
        self.run();
        Ok(())
    }

    fn is_untagged(&self, line: &str) -> bool {
        line.as_bytes().get(3) == Some(&b'-')
    }

    fn finish(&mut self) -> Result<(), String> {
        match self.session.as_ref().and_then(|session| session.lines.front()) {
            Some(line) => Err(format!("not mentioned: {line:?}")),
            None => Ok(()),
        }
    }
}
