//! One filter's conversation about one message.
//!
//! The message has come in whole, and so all of the session is told at once: connection, HELO, MAIL, each RCPT, DATA, fields, body. At its end the
//! filter may change the message; changes are made when it has said that the message is fine, and only those that were agreed on.
//!
//! **Invariant:** every step ends, by an answer, by a time limit or by an error; what is held of a filter's words is bounded.

#![expect(clippy::wildcard_enum_match_arm, reason = "what does not belong to a step is one thing, whatever it is")]

use std::time::Duration;

use bytes::Bytes;
use mail::{DsnNotify, EnvelopeRecipient, ForwardPath, Reply, ReversePath};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::{Stream, World};

use super::codec::{Answer, Command, Framer, Stage};
use super::macros::macros;
use super::negotiation::{Actions, Steps, Terms};
use super::{Milter, Place};
use crate::facts::{Letter, Session, parameters};
use crate::failure::Failure;
use crate::header::{FieldFlaw, Header};
use crate::limits::{CHANGED_OCTETS_MAX, CHANGES_MAX, GOODBYE, NOTES_MAX, PACKET_OCTETS_MAX, RECIPIENTS_ADDED_MAX};
use crate::lines::Lines;
use crate::opinion::{Opinion, Wish};
use crate::spool::Spool;
use crate::text;

/// Asks a milter about a message, and makes the changes that it wants.
pub(crate) async fn ask(
    world: &World,
    milter: &Milter,
    session: &Session,
    letter: &mut Letter<'_>,
) -> Result<Opinion, Failure> {
    let stream = connect(world, milter).await?;
    let mut talk = Talk {
        world,
        milter,
        stream,
        framer: Framer::new(PACKET_OCTETS_MAX),
        terms: Terms::offered(milter.packet_octets_max),
        wanted: Vec::new(),
        utf8: letter.envelope.smtputf8,
    };
    talk.negotiate().await?;
    let told = talk.tell(session, letter).await;
    let told = match told {
        Ok(Told::Ended(opinion)) => {
            // The message is given up before its end.
            talk.leave(vec![Command::Abort, Command::Quit]);
            return Ok(opinion);
        }
        Ok(Told::AtEnd(ending)) => ending,
        Err(failure) => {
            letter.body.forget();
            return Err(failure);
        }
    };
    let opinion = told.applied(&talk, letter);
    talk.leave(vec![Command::Quit]);
    Ok(opinion)
}

async fn connect(world: &World, milter: &Milter) -> Result<Box<dyn Stream>, Failure> {
    let within = milter.patience.connect;
    let addresses = match &milter.place {
        Place::Socket(path) => {
            let stream = world.connector.connect_socket(path, within).await;
            return stream.map_err(|error| Failure::Connect(error.to_string()));
        }
        Place::Address(address) => vec![*address],
        Place::Host(host, port) => {
            let found = world.timeout(within, world.resolver.addresses(host)).await;
            let found = found.map_err(|_| Failure::Connect(format!("no answer about {host} from the DNS")))?;
            let found = found.map_err(|error| Failure::Connect(format!("{host}: {error}")))?;
            found.into_iter().map(|ip| std::net::SocketAddr::new(ip, *port)).collect()
        }
    };
    let mut last = Failure::Connect("the host has no address".to_owned());
    for address in addresses.into_iter().take(world::https::ADDRESSES_MAX) {
        match world.connector.connect(address, within).await {
            Ok(stream) => return Ok(stream),
            Err(error) => last = Failure::Connect(error.to_string()),
        }
    }
    Err(last)
}

/// A conversation.
struct Talk<'w> {
    world: &'w World,
    milter: &'w Milter,
    stream: Box<dyn Stream>,
    framer: Framer,
    terms: Terms,
    /// The macros that it wants, by stage.
    wanted: Vec<(Stage, Vec<String>)>,
    /// Replies may have more than ASCII.
    utf8: bool,
}

/// What an answer before the end of the message leads to.
enum Next {
    /// Go on.
    On,
    /// No more of this kind.
    Skip,
    /// The filter wants no more of the message.
    Done(Wish),
}

/// How far the conversation has come.
enum Told {
    /// The filter has said all that it has to say before the message's end.
    Ended(Opinion),
    /// It has heard all.
    AtEnd(Ending),
}

/// What a filter says at the end of a message.
struct Ending {
    wish: Wish,
    changes: Vec<Change>,
    aside: Option<String>,
    body_written: bool,
    notes: Vec<String>,
}

enum Change {
    Add(Bytes, Bytes),
    Insert(u32, Bytes, Bytes),
    Set(u32, Bytes, Bytes),
    Sender(Bytes),
    Recipient(Bytes),
    NoRecipient(Bytes),
}

impl Talk<'_> {
    async fn negotiate(&mut self) -> Result<(), Failure> {
        let within = self.milter.patience.command;
        self.send(&[Command::Negotiate(self.terms)], NEGOTIATION, within).await?;
        loop {
            match self.answer(NEGOTIATION, within).await? {
                // What is not of this protocol's rules comes from older libraries: before its own answer.
                Answer::Symbols(symbols) => self.wanted = symbols,
                Answer::Negotiated(terms, symbols) => {
                    self.terms = self.terms.agreed(terms)?;
                    if self.terms.actions.has(Actions::SET_SYMBOLS) || !symbols.is_empty() {
                        self.wanted.extend(symbols);
                    }
                    self.framer.allow(self.terms.packet_octets_max());
                    return Ok(());
                }
                _ => return Err(Failure::Malformed("it does not say what it wants")),
            }
        }
    }

    /// Tells all of the session and of the message, as far as the filter wants to know it.
    async fn tell(&mut self, session: &Session, letter: &mut Letter<'_>) -> Result<Told, Failure> {
        let patience = self.milter.patience;
        let name = format!("[{}]", session.client.ip().to_canonical());
        let client = Some(session.client);
        let path = letter.envelope.reverse_path.to_string();
        let mail_parameters = parameters(&letter.envelope);
        let opening = [
            (
                Stage::Connect,
                Command::Connect { name: &name, client },
                Steps::NO_CONNECT,
                Steps::SILENT_CONNECT,
                "the connection",
            ),
            (
                Stage::Helo,
                Command::Helo(session.helo.as_deref().unwrap_or_default()),
                Steps::NO_HELO,
                Steps::SILENT_HELO,
                "HELO",
            ),
            (Stage::Mail, Command::Mail(&path, &mail_parameters), Steps::NO_MAIL, Steps::SILENT_MAIL, "MAIL"),
        ];
        for (stage, command, without, silent, step) in opening {
            if stage == Stage::Helo && session.helo.is_none() {
                continue;
            }
            let told = macros(stage, &self.wanted, session, letter, None);
            if let Next::Done(wish) = self.step(stage, &told, command, without, silent, step, patience.command).await? {
                return Ok(Told::Ended(self.ended(wish, step)));
            }
        }
        if let Some(wish) = self.recipients(session, letter).await? {
            return Ok(Told::Ended(self.ended(wish, RCPT)));
        }
        let told = macros(Stage::Data, &self.wanted, session, letter, None);
        let (without, silent) = (Steps::NO_DATA, Steps::SILENT_DATA);
        let data = Command::Data;
        if self.terms.version >= DATA_SINCE
            && let Next::Done(wish) =
                self.step(Stage::Data, &told, data, without, silent, "DATA", patience.command).await?
        {
            return Ok(Told::Ended(self.ended(wish, "DATA")));
        }
        if let Some(wish) = self.header(&letter.header).await? {
            return Ok(Told::Ended(self.ended(wish, "the header")));
        }
        let told = macros(Stage::EndOfHeader, &self.wanted, session, letter, None);
        let (without, silent) = (Steps::NO_END_OF_HEADER, Steps::SILENT_END_OF_HEADER);
        let step = "the end of the header";
        let end = Command::EndOfHeader;
        if let Next::Done(wish) =
            self.step(Stage::EndOfHeader, &told, end, without, silent, step, patience.content).await?
        {
            return Ok(Told::Ended(self.ended(wish, step)));
        }
        if let Some(wish) = self.body(&mut *letter.body).await? {
            return Ok(Told::Ended(self.ended(wish, "the body")));
        }
        let told = macros(Stage::EndOfMessage, &self.wanted, session, letter, None);
        let mut commands = Vec::with_capacity(2);
        if !told.is_empty() {
            commands.push(Command::Macros(Stage::EndOfMessage, &told));
        }
        commands.push(Command::EndOfBody);
        self.send(&commands, END, patience.end).await?;
        self.ending(&mut *letter.body).await.map(Told::AtEnd)
    }

    /// Each recipient. Those that the filter does not want leave the envelope; when none is left, all is said.
    async fn recipients(&mut self, session: &Session, letter: &mut Letter<'_>) -> Result<Option<Wish>, Failure> {
        let mut refused: Vec<(usize, Reply)> = Vec::new();
        for at in 0..letter.envelope.recipients.len() {
            let Some(recipient) = letter.envelope.recipients.get(at) else { break };
            let path = recipient.forward_path.to_string();
            let told = macros(Stage::Recipient, &self.wanted, session, letter, Some(at));
            let command = Command::Recipient(&path, &[]);
            let (without, silent) = (Steps::NO_RECIPIENT, Steps::SILENT_RECIPIENT);
            let within = self.milter.patience.command;
            match self.step(Stage::Recipient, &told, command, without, silent, RCPT, within).await? {
                Next::On | Next::Skip => {}
                // For now, all of the message waits: it comes again, for all of its recipients.
                Next::Done(Wish::Refuse(reply)) if reply.is_permanent() => refused.push((at, reply)),
                Next::Done(wish) => return Ok(Some(wish)),
            }
        }
        if refused.len() == letter.envelope.recipients.len()
            && let Some((_, reply)) = refused.pop()
        {
            return Ok(Some(Wish::Refuse(reply)));
        }
        for (at, reply) in refused.into_iter().rev() {
            letter.refused.push((letter.envelope.recipients.remove(at), reply));
        }
        Ok(None)
    }

    async fn header(&mut self, header: &Header) -> Result<Option<Wish>, Failure> {
        if self.terms.steps.has(Steps::NO_HEADERS) {
            return Ok(None);
        }
        let leading = self.terms.steps.has(Steps::LEADING_SPACE);
        let silent = self.terms.steps.has(Steps::SILENT_HEADER);
        let within = self.milter.patience.content;
        for (name, value) in header.fields(leading) {
            // A longer one would be a packet that the filter does not take.
            let room = self.terms.packet_octets_max().saturating_sub(name.len()).saturating_sub(2);
            let value = value.get(..room).unwrap_or(&value);
            self.send(&[Command::Header(name, value)], HEADER, within).await?;
            if silent {
                continue;
            }
            match self.next(HEADER, within).await? {
                Next::On => {}
                Next::Skip => break,
                Next::Done(wish) => return Ok(Some(wish)),
            }
        }
        Ok(None)
    }

    async fn body(&mut self, body: &mut dyn Spool) -> Result<Option<Wish>, Failure> {
        if self.terms.steps.has(Steps::NO_BODY) {
            return Ok(None);
        }
        let silent = self.terms.steps.has(Steps::SILENT_BODY);
        let within = self.milter.patience.content;
        let mut at = 0_u64;
        loop {
            let piece = body.piece(at).await?;
            if piece.is_empty() {
                return Ok(None);
            }
            at = at.saturating_add(piece.len() as u64);
            for octets in piece.chunks(self.terms.packet_octets_max()) {
                self.send(&[Command::Body(octets)], BODY, within).await?;
                if silent {
                    continue;
                }
                match self.next(BODY, within).await? {
                    Next::On => {}
                    Next::Skip => return Ok(None),
                    Next::Done(wish) => return Ok(Some(wish)),
                }
            }
        }
    }

    /// The filter's answers at the end, until the last one.
    async fn ending(&mut self, body: &mut dyn Spool) -> Result<Ending, Failure> {
        let within = self.milter.patience.end;
        let mut ending =
            Ending { wish: Wish::Take, changes: Vec::new(), aside: None, body_written: false, notes: Vec::new() };
        let mut lines = Lines::default();
        let mut octets = 0_usize;
        loop {
            let answer = self.answer(END, within).await?;
            let (needs, change) = match answer {
                Answer::Continue | Answer::Accept => {
                    if ending.body_written {
                        body.write(&lines.finish()).await?;
                    }
                    return Ok(ending);
                }
                Answer::AddHeader(name, value) => (Actions::ADD_HEADERS, Change::Add(name, value)),
                Answer::InsertHeader(place, name, value) => (Actions::ADD_HEADERS, Change::Insert(place, name, value)),
                Answer::ChangeHeader(nth, name, value) => (Actions::CHANGE_HEADERS, Change::Set(nth, name, value)),
                Answer::ChangeSender(path, _) => (Actions::CHANGE_SENDER, Change::Sender(path)),
                Answer::AddRecipient(path, None) => (Actions::ADD_RECIPIENTS, Change::Recipient(path)),
                Answer::AddRecipient(path, Some(_)) => {
                    (Actions::ADD_RECIPIENTS_WITH_PARAMETERS, Change::Recipient(path))
                }
                Answer::DeleteRecipient(path) => (Actions::DELETE_RECIPIENTS, Change::NoRecipient(path)),
                Answer::Quarantine(reason) => {
                    if self.agreed(Actions::QUARANTINE, &mut ending.notes) {
                        ending.aside = Some(text::reason(&String::from_utf8_lossy(&reason)));
                    }
                    continue;
                }
                Answer::ReplaceBody(piece) => {
                    if self.agreed(Actions::CHANGE_BODY, &mut ending.notes) {
                        if !std::mem::replace(&mut ending.body_written, true) {
                            body.begin();
                        }
                        body.write(&lines.pass(&piece)).await?;
                    }
                    continue;
                }
                other => {
                    ending.wish = self.wish(other)?;
                    return Ok(ending);
                }
            };
            if !self.agreed(needs, &mut ending.notes) {
                continue;
            }
            octets = octets.saturating_add(change.octets());
            if ending.changes.len() >= CHANGES_MAX || octets > CHANGED_OCTETS_MAX {
                return Err(Failure::Malformed("it changes too much"));
            }
            ending.changes.push(change);
        }
    }

    /// Whether the filter may do something, by what was agreed on; a note when not.
    fn agreed(&self, action: Actions, notes: &mut Vec<String>) -> bool {
        let may = self.terms.actions.has(action);
        if !may {
            note(notes, "it wanted a change that it had not announced");
        }
        may
    }

    /// One command with its macros, and its answer.
    #[expect(clippy::too_many_arguments, reason = "what a step is made of")]
    async fn step(
        &mut self,
        stage: Stage,
        told: &[(String, String)],
        command: Command<'_>,
        without: Steps,
        silent: Steps,
        step: &'static str,
        within: Duration,
    ) -> Result<Next, Failure> {
        if self.terms.steps.has(without) {
            return Ok(Next::On);
        }
        if told.is_empty() {
            self.send(&[command], step, within).await?;
        } else {
            self.send(&[Command::Macros(stage, told), command], step, within).await?;
        }
        if self.terms.steps.has(silent) { Ok(Next::On) } else { self.next(step, within).await }
    }

    async fn next(&mut self, step: &'static str, within: Duration) -> Result<Next, Failure> {
        Ok(match self.answer(step, within).await? {
            Answer::Continue => Next::On,
            Answer::Skip => Next::Skip,
            Answer::Accept => Next::Done(Wish::Take),
            other => Next::Done(self.wish(other)?),
        })
    }

    /// What an answer that ends the conversation wants.
    fn wish(&self, answer: Answer) -> Result<Wish, Failure> {
        Ok(match answer {
            Answer::Accept | Answer::Continue => Wish::Take,
            Answer::Reject => Wish::Refuse(text::refusal(false, REJECTED)),
            Answer::TempFail => Wish::Refuse(text::refusal(true, DEFERRED)),
            Answer::Shutdown | Answer::ConnectionFail => Wish::Refuse(text::refusal(true, DEFERRED)),
            Answer::Discard => Wish::Discard("it wants it thrown away".to_owned()),
            Answer::Reply(words) => match super::refusal(&words, self.utf8) {
                Some(reply) => Wish::Refuse(reply),
                None => return Err(Failure::Malformed("it sends a reply that is none")),
            },
            Answer::Negotiated(..) | Answer::Symbols(_) => {
                return Err(Failure::Malformed("it says a second time what it wants"));
            }
            Answer::Skip => return Err(Failure::Malformed("it skips what can't be skipped")),
            Answer::Progress
            | Answer::Quarantine(_)
            | Answer::AddHeader(..)
            | Answer::InsertHeader(..)
            | Answer::ChangeHeader(..)
            | Answer::ChangeSender(..)
            | Answer::AddRecipient(..)
            | Answer::DeleteRecipient(_)
            | Answer::ReplaceBody(_) => return Err(Failure::Malformed("it changes the message before its end")),
        })
    }

    fn ended(&self, wish: Wish, step: &str) -> Opinion {
        let told = match &wish {
            Wish::Take => format!("takes it, at {step}"),
            Wish::Refuse(reply) => format!("refuses it at {step}: {reply}"),
            Wish::Discard(_) => format!("throws it away, at {step}"),
        };
        Opinion { wish, ..Opinion::taken(told) }
    }

    async fn send(&mut self, commands: &[Command<'_>], step: &'static str, within: Duration) -> Result<(), Failure> {
        let mut octets = Vec::new();
        commands.iter().for_each(|command| command.write_to(&mut octets));
        let stream = &mut self.stream;
        let writing = async {
            stream.write_all(&octets).await?;
            stream.flush().await
        };
        match self.world.timeout(within, writing).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(broken(step, &error)),
            Err(_) => Err(Failure::TimedOut { step, within }),
        }
    }

    /// The next answer; a filter that says that it works on is waited for anew.
    async fn answer(&mut self, step: &'static str, within: Duration) -> Result<Answer, Failure> {
        loop {
            let reading = packet(&mut self.stream, &mut self.framer, step);
            let packet = match self.world.timeout(within, reading).await {
                Ok(packet) => packet?,
                Err(_) => return Err(Failure::TimedOut { step, within }),
            };
            match Answer::read(packet)? {
                Answer::Progress => {}
                answer => return Ok(answer),
            }
        }
    }

    /// Says goodbye. Nobody waits for a filter whose word is known: that is done aside.
    fn leave(self, commands: Vec<Command<'static>>) {
        let (world, mut stream) = (self.world.clone(), self.stream);
        let mut octets = Vec::new();
        commands.iter().for_each(|command| command.write_to(&mut octets));
        tokio::spawn(async move {
            let goodbye = async {
                stream.write_all(&octets).await?;
                stream.shutdown().await
            };
            world.timeout(GOODBYE, goodbye).await.ok();
        });
    }
}

async fn packet(stream: &mut Box<dyn Stream>, framer: &mut Framer, step: &'static str) -> Result<Bytes, Failure> {
    loop {
        if let Some(packet) = framer.packet()? {
            return Ok(packet);
        }
        let mut octets = [0; READ_OCTETS];
        let read = stream.read(&mut octets).await.map_err(|error| broken(step, &error))?;
        if read == 0 {
            return Err(Failure::Closed(step));
        }
        framer.feed(octets.get(..read).unwrap_or_default());
    }
}

fn broken(step: &'static str, error: &std::io::Error) -> Failure {
    Failure::Broken { step, reason: error.to_string() }
}

fn note(notes: &mut Vec<String>, text: &str) {
    if notes.len() < NOTES_MAX && !notes.iter().any(|known| known == text) {
        notes.push(text.to_owned());
    }
}

impl Change {
    fn octets(&self) -> usize {
        match self {
            Self::Add(name, value) | Self::Insert(_, name, value) | Self::Set(_, name, value) => {
                name.len().saturating_add(value.len())
            }
            Self::Sender(path) | Self::Recipient(path) | Self::NoRecipient(path) => path.len(),
        }
    }
}

impl Ending {
    /// Makes the changes, when the message may come in, and says what the filter has said.
    fn applied(self, talk: &Talk<'_>, letter: &mut Letter<'_>) -> Opinion {
        let Self { wish, changes, aside, body_written, mut notes } = self;
        if wish != Wish::Take {
            letter.body.forget();
            return Opinion { notes, ..talk.ended(wish, END) };
        }
        let mut words = Vec::new();
        let mut fields = 0_usize;
        let leading = talk.terms.steps.has(Steps::LEADING_SPACE);
        for change in changes {
            match change {
                Change::Add(name, value) => {
                    counted(letter.header.add(&name, &value, leading), &mut fields, &mut notes);
                }
                Change::Insert(place, name, value) => {
                    counted(letter.header.insert(place, &name, &value, leading), &mut fields, &mut notes);
                }
                Change::Set(nth, name, value) => {
                    counted(letter.header.change(nth, &name, &value, leading), &mut fields, &mut notes);
                }
                Change::Sender(path) => match sender(&path) {
                    Some(path) => {
                        words.push(format!("gives it the reverse-path {path}"));
                        letter.envelope.reverse_path = path;
                    }
                    None => note(&mut notes, "it wanted a reverse-path that is none"),
                },
                Change::Recipient(path) => match recipient(&path) {
                    None => note(&mut notes, "it wanted a recipient whose address is none"),
                    Some(path) if is_there(letter, &path) => {}
                    Some(_) if letter.added >= RECIPIENTS_ADDED_MAX => {
                        note(&mut notes, "it wanted too many recipients more");
                    }
                    Some(path) => {
                        words.push(format!("adds the recipient {path}"));
                        letter.added = letter.added.saturating_add(1);
                        // Whoever wrote knows nothing of this recipient, and hears nothing of it.
                        let notify = DsnNotify::NEVER;
                        letter.envelope.recipients.push(EnvelopeRecipient {
                            forward_path: path,
                            notify,
                            original: None,
                        });
                    }
                },
                Change::NoRecipient(path) => {
                    let Some(path) = recipient(&path) else { continue };
                    let before = letter.envelope.recipients.len();
                    letter.envelope.recipients.retain(|one| !same(&one.forward_path, &path));
                    if letter.envelope.recipients.len() < before {
                        words.push(format!("removes the recipient {path}"));
                    }
                }
            }
        }
        if body_written {
            letter.body.replace();
            letter.body_changed = true;
            words.push("writes another body".to_owned());
        }
        if fields > 0 {
            words.push(format!("changes the header in {fields} {}", if fields == 1 { "place" } else { "places" }));
        }
        if let Some(reason) = &aside {
            words.push(format!("puts it aside: {reason}"));
        }
        words.truncate(NOTES_MAX);
        let told = if words.is_empty() { "takes it".to_owned() } else { words.join(", ") };
        Opinion { aside, notes, ..Opinion::taken(told) }
    }
}

fn counted(done: Result<(), FieldFlaw>, fields: &mut usize, notes: &mut Vec<String>) {
    match done {
        Ok(()) => *fields = fields.saturating_add(1),
        Err(flaw) => note(notes, &format!("a change was left out: {flaw}")),
    }
}

/// A path as filters write it: with brackets or without.
fn in_brackets(path: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(path).ok()?.trim();
    Some(if text.starts_with('<') { text.to_owned() } else { format!("<{text}>") })
}

fn sender(path: &[u8]) -> Option<ReversePath> {
    ReversePath::parse(&in_brackets(path)?).ok()
}

fn recipient(path: &[u8]) -> Option<ForwardPath> {
    ForwardPath::parse(&in_brackets(path)?).ok()
}

fn is_there(letter: &Letter<'_>, path: &ForwardPath) -> bool {
    letter.envelope.recipients.iter().any(|one| same(&one.forward_path, path))
}

fn same(one: &ForwardPath, other: &ForwardPath) -> bool {
    match (one, other) {
        (ForwardPath::Address(one), ForwardPath::Address(other)) => one.same_mailbox(other),
        (ForwardPath::Postmaster, ForwardPath::Postmaster) => true,
        (ForwardPath::Address(_), ForwardPath::Postmaster) | (ForwardPath::Postmaster, ForwardPath::Address(_)) => {
            false
        }
    }
}

/// DATA is told from this version on.
const DATA_SINCE: u32 = 4;

const READ_OCTETS: usize = 8 * 1024;

const NEGOTIATION: &str = "the beginning";
const RCPT: &str = "RCPT";
const HEADER: &str = "a field of the header";
const BODY: &str = "a piece of the body";
const END: &str = "the end of the message";

const REJECTED: &str = "Refused by a filter";
const DEFERRED: &str = "A filter asks to try again later";
