//! The SMTP server engine: bytes in, actions out (RFC 5321).
//!
//! It does no I/O, awaits nothing and reads no clock. [`Engine::receive`] takes octets, [`Engine::next`] says what is to
//! be done, [`Engine::answer`] takes what the host answered. Where a line, a message or a chunk ends is found before
//! anything is parsed, so that bad input cannot desynchronise a session. Replies that may leave together do (RFC
//! 2920 §3.2). One file for each command; `order.rs` is the only check of their order.
//!
//! Invariants: no more than `limits::INPUT_OCTETS_MAX` octets of input are held, whatever the size of a message;
//! 250 for a message is said in one place, from an [`Acknowledgement`]; replies are ASCII unless VRFY or EXPN says SMTPUTF8.

mod auth;
mod bdat;
mod body;
mod burl;
mod data;
mod expn;
mod extensions;
mod helo;
mod help;
mod input;
mod mail;
mod noop;
mod order;
mod parameters;
mod quit;
mod rcpt;
mod request;
mod rset;
mod session;
mod starttls;
mod state;
mod step;
#[cfg(test)]
mod tests;
mod verb;
mod vrfy;
mod xclient;
mod xtext;

use std::borrow::Cow;
use std::sync::Arc;

use ::mail::{EnhancedCode, Envelope, ForwardPath, Reply, Timestamp};

pub use self::auth::Mechanism;
use self::input::{Input, Line};
use self::order::Phase;
pub use self::session::Policy;
use self::session::Session;
use self::state::{Refusal, State};
use self::step::Step;
use self::verb::Verb;
use crate::host::{Acknowledgement, AuthFailure, AuthStep, Verdict};
use crate::limits::{
    AUTH_LINE_OCTETS_MAX, BARE_LF_PATIENCE, COMMAND_LINE_OCTETS_MAX, LINK_LINE_OCTETS_MAX, PATH_LINE_OCTETS_MAX,
    REPLIES_OCTETS_MAX,
};
use crate::misbehaviour::Misbehaviour;
use crate::secret::Secret;
use crate::session::{Identity, SessionFacts, TlsFacts};

/// What is to be done next. Those that ask wait for their [`Answer`].
#[derive(Debug)]
pub enum Action {
    /// Send these octets.
    Send(Vec<u8>),
    /// Ask whether the client may come in, whose address has just become known (XCLIENT).
    Enter,
    /// Ask the host whether the transaction of [`Engine::envelope`] may begin.
    MayBegin,
    /// Ask the host about a forward-path.
    AskRecipient {
        /// The path in question.
        path: ForwardPath,
    },
    /// Ask the host who this is.
    Authenticate {
        /// How the password came.
        mechanism: Mechanism,
        /// The login name.
        login: String,
        /// The password.
        password: Secret,
    },
    /// Hand the host a response of an exchange of several messages.
    Respond {
        /// How the client wants to prove who it is.
        mechanism: Mechanism,
        /// Whether it is the first of the exchange. What is left of an earlier one is forgotten then.
        begins: bool,
        /// The response, decoded.
        response: Secret,
    },
    /// Ask the host what there is to be said about an address or a name (VRFY).
    Verify {
        /// What was asked for.
        text: String,
    },
    /// Ask the host who is in a group or list (EXPN).
    Expand {
        /// What was asked for.
        text: String,
    },
    /// Ask the host to open a message for [`Engine::envelope`].
    BeginBody,
    /// Ask the host for what a URL names.
    FindUrl {
        /// As the client wrote it.
        url: Secret,
    },
    /// Read the next piece of that: one octet at least, and none behind its end.
    ReadUrl,
    /// Hand on the next octets of the message.
    Body(Vec<u8>),
    /// Drop the message that was opened.
    AbandonBody,
    /// Ask the host to keep the message.
    EndBody {
        /// Its envelope.
        envelope: Envelope,
    },
    /// Do the TLS handshake.
    StartTls,
    /// Close the connection.
    Close,
}

/// What became of an action that asks.
#[derive(Debug)]
pub enum Answer {
    /// Of [`Action::Enter`]: it may, or is told this and goes.
    Entered(Option<Reply>),
    /// Of [`Action::MayBegin`].
    Begin(Verdict),
    /// Of [`Action::AskRecipient`].
    Recipient(Verdict),
    /// Of [`Action::Authenticate`].
    Authenticated(Result<Identity, AuthFailure>),
    /// Of [`Action::Respond`].
    Responded(Result<AuthStep, AuthFailure>),
    /// Of [`Action::Verify`] and [`Action::Expand`].
    LookedUp(Reply),
    /// Of [`Action::BeginBody`].
    Opened(Result<(), Reply>),
    /// Of [`Action::FindUrl`]: how many octets there are.
    UrlFound(Result<u64, Reply>),
    /// Of [`Action::ReadUrl`].
    UrlRead(Result<Vec<u8>, Reply>),
    /// Of [`Action::EndBody`].
    Kept(Result<Acknowledgement, Reply>),
    /// Of [`Action::StartTls`].
    TlsStarted(TlsFacts),
}

/// One session.
pub struct Engine {
    session: Session,
    state: State,
    input: Input,
    replies: Vec<u8>,
    /// The replies that wait may not wait for others.
    flush: bool,
    action: Option<Action>,
    /// When the client was last heard of.
    heard: Timestamp,
    /// When the last octets came.
    octets_at: Timestamp,
    shutting_down: bool,
    /// Whether the line that is being read begins with BURL.
    line_is_burl: bool,
    /// Commands that made no sense since they were last asked for.
    bad_commands: u32,
}

impl Engine {
    /// A session that begins now; the greeting is the first action.
    #[must_use]
    pub fn new(policy: Policy, facts: SessionFacts, now: Timestamp) -> Self {
        let greeting = policy.greeting(facts.kind);
        Self::greeting_with(policy, facts, &greeting, now)
    }

    /// A session that is over before it begins: this in the place of the greeting (RFC 5321 §3.1), and the end.
    #[must_use]
    pub fn turning_away(policy: Policy, facts: SessionFacts, reply: Reply, now: Timestamp) -> Self {
        let mut engine = Self::greeting_with(policy, facts, &refusal(reply), now);
        engine.state = State::Closed;
        engine.action = Some(Action::Close);
        engine
    }

    fn greeting_with(policy: Policy, facts: SessionFacts, greeting: &Reply, now: Timestamp) -> Self {
        let mut engine = Self {
            session: Session::new(policy, facts),
            state: State::Start,
            input: Input::default(),
            replies: Vec::new(),
            flush: true,
            action: None,
            heard: now,
            octets_at: now,
            shutting_down: false,
            line_is_burl: false,
            bad_commands: 0,
        };
        engine.say(&greeting.in_ascii());
        engine
    }

    /// TLS is on before the greeting (RFC 8314 §3.3).
    pub fn tls_from_the_start(&mut self, tls: TlsFacts) {
        self.session.facts.tls = Some(tls);
    }

    /// What is known about the session.
    #[must_use]
    pub fn facts(&self) -> &SessionFacts {
        &self.session.facts
    }

    /// The envelope of the open mail transaction.
    #[must_use]
    pub fn envelope(&self) -> Option<&Envelope> {
        self.state.envelope()
    }

    /// How many octets [`Engine::receive`] takes now.
    #[must_use]
    pub fn room(&self) -> usize {
        self.input.room()
    }

    /// Whether the octets of a message are awaited.
    #[must_use]
    pub fn in_body(&self) -> bool {
        self.state.body_began().is_some()
    }

    /// Takes octets that arrived, at most [`Engine::room`] of them.
    pub fn receive(&mut self, octets: &[u8], now: Timestamp) {
        if matches!(self.state, State::AwaitTls | State::Closed) {
            return;
        }
        assert!(octets.len() <= self.room(), "the connection reads no more than there is room for");
        self.input.add(octets);
        self.octets_at = now;
        if self.in_body() {
            self.heard = now;
        }
    }

    /// What is to be done next; `None` when more input or an answer is needed first.
    pub fn next(&mut self, now: Timestamp) -> Option<Action> {
        loop {
            let full = self.replies.len() >= REPLIES_OCTETS_MAX;
            let last = matches!(self.action, Some(Action::StartTls | Action::Close));
            if !self.replies.is_empty() && (self.flush || full || last || self.acts_without_input()) {
                return Some(self.send());
            }
            if let Some(action) = self.action.take() {
                return Some(action);
            }
            if !self.advance(now) {
                return (!self.replies.is_empty()).then(|| self.send());
            }
        }
    }

    /// Whether something is to be done, or asked, and no further command has come: then no reply waits for it (RFC 2920 §3.2 (7)).
    fn acts_without_input(&self) -> bool {
        self.action.is_some() && !self.input.has_line()
    }

    fn send(&mut self) -> Action {
        self.flush = false;
        Action::Send(std::mem::take(&mut self.replies))
    }

    /// Takes the answer that an action asked for.
    ///
    /// # Panics
    /// When nothing was asked that this answers: the connection is wrong then, not the client.
    pub fn answer(&mut self, answer: Answer, now: Timestamp) {
        self.heard = now;
        let step = match (std::mem::replace(&mut self.state, State::Closed), answer) {
            (State::AwaitEntry, Answer::Entered(None)) => {
                Step::reply(State::Start, self.session.policy.greeting(self.session.facts.kind))
            }
            (State::AwaitEntry, Answer::Entered(Some(reply))) => {
                Step::reply(State::Closed, refusal(reply)).with(Action::Close)
            }
            (State::AwaitBegin(envelope), Answer::Begin(verdict)) => {
                mail::mail_verdict(&mut self.session, envelope, refusing(verdict))
            }
            (State::AwaitVerdict(envelope, recipient), Answer::Recipient(verdict)) => {
                rcpt::rcpt_verdict(&mut self.session, envelope, recipient, refusing(verdict))
            }
            (State::AwaitAuth(Mechanism::Plain | Mechanism::Login), Answer::Authenticated(outcome)) => {
                auth::authenticated(&mut self.session, outcome)
            }
            (State::AwaitAuth(mechanism), Answer::Responded(outcome)) => {
                auth::responded(&mut self.session, mechanism, outcome)
            }
            (State::AwaitOpen(body, transfer), Answer::Opened(outcome)) => {
                self.flush = true;
                data::opened(&self.session, body, transfer, outcome.map_err(refusal), now)
            }
            (State::AwaitLink(body, last), Answer::UrlFound(outcome)) => {
                burl::found(&mut self.session, body, last, outcome.map_err(refusal))
            }
            (State::AwaitPiece(body, chunk), Answer::UrlRead(outcome)) => {
                burl::piece(&self.session, body, chunk, outcome.map_err(refusal))
            }
            (State::AwaitEnd(replies), Answer::Kept(outcome)) => {
                self.flush = true;
                data::kept(&mut self.session, outcome.map_err(refusal)).times(replies)
            }
            (State::AwaitLookup(state, smtputf8), Answer::LookedUp(reply)) => {
                self.flush = true;
                Step::reply(*state, reply).in_utf8(smtputf8)
            }
            (State::AwaitTls, Answer::TlsStarted(tls)) => starttls::tls_started(&mut self.session, tls),
            _ => panic!("an answer came that nothing had asked for"),
        };
        self.apply(step);
    }

    /// The host could not take octets of the message: it is read to its end and then answered with this.
    pub fn body_failed(&mut self, reply: Reply) {
        if let State::Data(body, _) | State::Chunk(body, _) | State::Link(body, _) = &mut self.state {
            body.refused.get_or_insert(Refusal::Host(refusal(reply)));
        }
    }

    /// When [`Engine::tick`] wants to be called if nothing is heard before.
    #[must_use]
    pub fn deadline(&self) -> Option<Timestamp> {
        if self.state.waits() {
            return None;
        }
        let limits = self.session.limits();
        let idle = self.heard.plus(limits.idle);
        let began = self.state.body_began();
        let deadline = began.map_or(idle, |began| idle.min(began.plus(limits.body_total)));
        Some(self.bare_lf_deadline().map_or(deadline, |at| at.min(deadline)))
    }

    /// When a line that seems to end with LF alone is answered, if one waits. Its client would wait as well.
    fn bare_lf_deadline(&self) -> Option<Timestamp> {
        let waits = self.state.awaits_line() && self.input.ends_with_bare_lf();
        waits.then(|| self.octets_at.plus(BARE_LF_PATIENCE))
    }

    /// Looks at the time; true when a deadline has passed. To be called whenever [`Engine::next`] has nothing more to
    /// do: octets that keep coming must not put a deadline off.
    pub fn tick(&mut self, now: Timestamp) -> bool {
        if self.deadline().is_none_or(|deadline| now < deadline) {
            return false;
        }
        let limits = self.session.limits();
        let slow = self.state.body_began().is_some_and(|began| now >= began.plus(limits.body_total));
        let idle = now >= self.heard.plus(limits.idle);
        if !slow && !idle {
            // RFC 5321 §2.3.8: LF alone ends no line; what follows up to CRLF still belongs to this one.
            self.input.give_line_up();
            self.flush = true;
            let before = std::mem::replace(&mut self.state, State::Closed);
            let state = if matches!(before, State::Auth(_)) { State::Ready } else { before };
            self.apply(if self.line_is_burl && self.session.has_burl() {
                burl::unreadable(state, Misbehaviour::LineEndsWithLf)
            } else {
                Step::refuse(state, Misbehaviour::LineEndsWithLf)
            });
            return true;
        }
        let misbehaviour = if slow { Misbehaviour::BodyTooSlow } else { Misbehaviour::Idle };
        self.apply(Step::refuse(State::Closed, misbehaviour));
        true
    }

    /// The server is shutting down: a message in progress may still end, nothing else begins.
    pub fn shut_down(&mut self) {
        self.shutting_down = true;
    }

    /// Commands that made no sense since this was last asked.
    pub fn take_bad_commands(&mut self) -> u32 {
        std::mem::take(&mut self.bad_commands)
    }

    /// Says this, and ends; false while a message is coming in or somebody has to answer first. To be called when [`Engine::next`] has
    /// nothing more to do.
    pub fn turn_away(&mut self, reply: Reply) -> bool {
        if self.action.is_some() || self.state.waits() || self.in_body() {
            return false;
        }
        self.flush = true;
        self.apply(Step::reply(State::Closed, refusal(reply)).with(Action::Close));
        true
    }

    /// Works on the input by one step; false when there is not enough of it, or somebody has to answer first.
    #[expect(clippy::wildcard_enum_match_arm, reason = "every state that is not named awaits a line")]
    fn advance(&mut self, now: Timestamp) -> bool {
        if self.state.waits() {
            return false;
        }
        if self.shutting_down && !self.in_body() {
            self.apply(Step::reply(State::Closed, SHUTTING_DOWN).with(Action::Close));
            return true;
        }
        let waiting = self.input.waiting();
        let (step, used) = match std::mem::replace(&mut self.state, State::Closed) {
            State::Data(body, true) => (data::end(&self.session, body), 0),
            State::Chunk(body, chunk) if chunk.remaining == 0 => (bdat::end(&self.session, body, chunk), 0),
            State::Link(body, chunk) => (burl::next(&self.session, body, chunk), 0),
            State::SwallowChunk { remaining: 0, swallowed } => bdat::swallow(0, swallowed, &[]),
            state @ (State::Data(..) | State::Chunk(..) | State::SwallowChunk { .. }) if waiting.is_empty() => {
                self.state = state;
                return false;
            }
            State::Data(body, false) => data::piece(&self.session, body, waiting),
            State::Chunk(body, chunk) => bdat::piece(&self.session, body, chunk, waiting),
            State::SwallowChunk { remaining, swallowed } => bdat::swallow(remaining, swallowed, waiting),
            state => return self.advance_line(state, now),
        };
        self.input.consume(used);
        self.apply(step);
        true
    }

    /// The same, where a line is awaited.
    fn advance_line(&mut self, state: State, now: Timestamp) -> bool {
        let in_auth = matches!(state, State::Auth(_));
        if !self.input.is_inside_long_line() {
            self.line_is_burl = begins(self.input.waiting(), BURL);
        }
        let lost_link = self.line_is_burl && self.session.has_burl();
        let octets_max = |line: &[u8]| if in_auth { AUTH_LINE_OCTETS_MAX } else { line_octets_max(line) };
        let step = match (self.input.take_line(octets_max), state) {
            (Line::Incomplete, state) => {
                self.state = state;
                return false;
            }
            (Line::Endless, _) => Step::refuse(State::Closed, Misbehaviour::LineEndless),
            (Line::TooLong, State::Auth(_)) => Step::refuse(State::Ready, Misbehaviour::AuthLineTooLong),
            (Line::TooLong, state) if lost_link => burl::unreadable(state, Misbehaviour::LineTooLong),
            (Line::TooLong, state) => Step::refuse(state, Misbehaviour::LineTooLong),
            (Line::Complete(line), State::Auth(exchange)) => auth::response(exchange, &line),
            (Line::Complete(line), state) => self.command(state, &line, now),
        };
        self.heard = now;
        self.apply(step);
        true
    }

    /// Works on a command line.
    fn command(&mut self, state: State, line: &[u8], now: Timestamp) -> Step {
        let checked = match request::check(line) {
            Ok(checked) => checked,
            Err(misbehaviour) if begins(line, BURL) && self.session.has_burl() => {
                return burl::unreadable(state, misbehaviour);
            }
            Err(misbehaviour) => return Step::refuse(state, misbehaviour),
        };
        metrics::counter!("relais_smtp_in_commands_total", "command" => checked.verb.name()).increment(1);
        self.flush |= checked.verb.ends_a_group();
        if checked.verb.is_idle() || bdat::brings_nothing(&checked) {
            self.session.idle_commands = self.session.idle_commands.saturating_add(1);
            if self.session.idle_commands > self.session.limits().idle_commands_max {
                return Step::refuse(state, Misbehaviour::TooManyIdleCommands);
            }
        }
        let phase = state.phase().unwrap_or(Phase::Start);
        let order = order::check(checked.verb, phase, &self.session);
        if checked.verb == Verb::Bdat {
            // Its octets follow even when it comes at the wrong time.
            return bdat::bdat(&self.session, state, checked, order, now);
        }
        if let Err(misbehaviour) = order {
            return Step::refuse(state, misbehaviour);
        }
        match (checked.verb, state) {
            (Verb::Ehlo | Verb::Helo | Verb::Lhlo, state) => helo::helo(&mut self.session, state, checked, now),
            (Verb::XClient, state) => xclient::xclient(&mut self.session, state, checked),
            (Verb::StartTls, state) => starttls::starttls(&self.session, state),
            (Verb::Auth, state) => auth::auth(&self.session, state, checked),
            (Verb::Mail, state) => mail::mail(&mut self.session, state, checked, now),
            (Verb::Rcpt, State::Transaction(envelope)) => rcpt::rcpt(&self.session, envelope, checked),
            (Verb::Data, State::Transaction(envelope)) => data::data(&self.session, envelope, now),
            (Verb::Burl, state) => burl::burl(&self.session, state, checked, now),
            (Verb::Rset, state) => rset::rset(&state),
            (Verb::Noop, state) => noop::noop(state),
            (Verb::Quit, _) => quit::quit(),
            (Verb::Vrfy, state) => vrfy::vrfy(&self.session, state, checked),
            (Verb::Expn, state) => expn::expn(&self.session, state, checked),
            (Verb::Help, state) => help::help(&self.session, state, checked),
            (Verb::Etrn | Verb::Absent, state) => Step::refuse(state, Misbehaviour::NotImplemented),
            // The table lets these through in no other state.
            (Verb::Rcpt | Verb::Data | Verb::Bdat, state) => Step::refuse(state, Misbehaviour::MailFirst),
        }
    }

    /// Goes to the next state, and keeps what is to be said and done.
    fn apply(&mut self, step: Step) {
        assert!(self.action.is_none(), "an action is taken before the next step");
        self.state = step.state;
        self.action = step.action;
        if let Some(reply) = step.reply {
            // RFC 6531 §3.7.4.2: nothing but ASCII where nobody has asked for more.
            let reply = if step.smtputf8 { Cow::Borrowed(&reply) } else { reply.in_ascii() };
            for _ in 0..step.replies {
                self.say(&reply);
            }
            if reply.code == 421 {
                // RFC 5321 §3.8: who says it closes.
                self.state = State::Closed;
                self.action = Some(Action::Close);
            }
        }
        if let Some(misbehaviour) = step.misbehaviour {
            self.refuse(misbehaviour, step.replies);
        }
        if matches!(self.action, Some(Action::StartTls)) {
            // RFC 3207 §4.2: what was sent ahead of the handshake is nobody's.
            self.input.clear();
        }
    }

    fn refuse(&mut self, misbehaviour: Misbehaviour, replies: usize) {
        if misbehaviour == Misbehaviour::AuthRefused {
            self.session.auth_failures = self.session.auth_failures.saturating_add(1);
        }
        if misbehaviour.is_suspicious() {
            self.bad_commands = self.bad_commands.saturating_add(1);
        }
        let mut misbehaviour = misbehaviour;
        if misbehaviour.counts() && !misbehaviour.closes() {
            self.session.bad_commands = self.session.bad_commands.saturating_add(1);
            if self.session.bad_commands > self.session.limits().bad_commands_max {
                misbehaviour = Misbehaviour::TooManyBadCommands;
            }
        }
        if !misbehaviour.counts() {
            self.session.excused_errors = self.session.excused_errors.saturating_add(1);
            if self.session.excused_errors > self.session.limits().excused_errors_max {
                misbehaviour = Misbehaviour::TooManyBadCommands;
            }
        }
        // RFC 2920 §3.2 (6): what was no command is answered at once.
        self.flush |= matches!(misbehaviour.reply().code, 500 | 502);
        let reason = misbehaviour.counter();
        metrics::counter!("relais_smtp_in_misbehaviour_total", "reason" => reason).increment(1);
        tracing::debug!(session = %self.session.facts.id, reason, "client misbehaved");
        // Closing is said once: it answers no recipient.
        let replies = if misbehaviour.reply().code == 421 { 1 } else { replies };
        let reply = misbehaviour.reply();
        let reply = reply.in_ascii();
        for _ in 0..replies {
            self.say(&reply);
        }
        if misbehaviour.closes() {
            self.state = State::Closed;
            self.action = Some(Action::Close);
        }
    }

    fn say(&mut self, reply: &Reply) {
        metrics::counter!("relais_smtp_in_replies_total", "code" => reply.code.to_string()).increment(1);
        reply.write_to(&mut self.replies);
    }
}

impl Policy {
    /// The policy of a listener at this moment.
    #[must_use]
    pub fn of(settings: &crate::settings::Settings) -> Self {
        Self {
            host_name: settings.host_name.clone(),
            limits: Arc::clone(&settings.limits.get()),
            bare_newlines: settings.bare_newlines,
            starttls: settings.tls.is_some(),
            scram: settings.scram,
            tokens: settings.tokens,
            xclient_from: settings.xclient_from.clone(),
            burl: settings.burl,
            no_soliciting: settings.no_soliciting.clone(),
        }
    }
}

/// How long a command line may be, by how it begins.
fn line_octets_max(line: &[u8]) -> usize {
    if begins(line, b"AUTH ") {
        AUTH_LINE_OCTETS_MAX
    } else if begins(line, b"MAIL ") || begins(line, b"RCPT ") {
        PATH_LINE_OCTETS_MAX
    } else if begins(line, BURL) {
        LINK_LINE_OCTETS_MAX
    } else {
        COMMAND_LINE_OCTETS_MAX
    }
}

fn begins(line: &[u8], verb: &[u8]) -> bool {
    line.get(..verb.len()).is_some_and(|name| name.eq_ignore_ascii_case(verb))
}

const BURL: &[u8] = b"BURL ";

/// A refusal of the host's. A positive one would tell the client that something was kept which was not.
fn refusal(reply: Reply) -> Reply {
    assert!(reply.is_temporary() || reply.is_permanent(), "a refusal is a 4xx or 5xx reply");
    reply
}

fn refusing(verdict: Verdict) -> Verdict {
    match verdict {
        Verdict::Accept => Verdict::Accept,
        Verdict::Refuse(reply) => Verdict::Refuse(refusal(reply)),
    }
}

const SHUTTING_DOWN: Reply = Reply::fixed(421, EnhancedCode(4, 3, 2), "The server is going down; come again later");
