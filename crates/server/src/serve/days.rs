//! Rows of the mission in which days pass: each through SMTP and IMAP on real sockets, in simulated time.
//!
//! A row is what an administrator sets, and a script of what happens then:
//!
//! - `mail FROM TO`: somebody elsewhere sends a message, which is taken; `refused FROM TO CODE`: it is not;
//! - `pass SPAN`: time goes by; `at TIME`: until then (UTC);
//! - `answers WHO N`: so many answers have left for somebody, all in all, the last with the subject behind them;
//! - `mailbox WHO FOLDER N`: so many messages are there, all in all; `N+`: and the letter that a responder has ended;
//! - `set JSON`: the administrator changes something.

#![expect(clippy::disallowed_methods, reason = "a test that goes through sockets, on loopback")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use admin::{Actor, Request};
use auth::Authenticator;
use bus::{Bus, Consumer};
use delivery::{Delivery, DeliverySettings};
use mail::{Domain, QueueId, Timestamp};
use responder::Responder;
use routing::objects::{AccountObject, Service};
use smtp_in::{Limits, ListenerKind, Live};
use storage::Store;
use storage_rocksdb::RocksEngine;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use world::BoxFuture;
use world::simulated::SimulatedWorld;

use super::host::MailHost;
use super::login;

/// A Monday: 2026-09-21 14:13:20 UTC.
const START: Timestamp = Timestamp(1_790_000_000_000);

const PASSWORD: &str = "secret";

/// Lets in whoever has an account and knows the one password.
struct Door(Store);

impl Authenticator for Door {
    fn authenticate<'a>(
        &'a self,
        login: &'a str,
        password: &'a str,
        _remote: IpAddr,
        _service: Service,
    ) -> BoxFuture<'a, Result<Arc<AccountObject>, auth::AuthError>> {
        let account = mail::Address::parse(login).ok().and_then(|login| self.0.directory().account(&login).cloned());
        Box::pin(std::future::ready(account.filter(|_| password == PASSWORD).ok_or(auth::AuthError::Refused)))
    }

    fn confirm<'a>(
        &'a self,
        _account: &'a AccountObject,
        _password: &'a str,
        _remote: IpAddr,
    ) -> BoxFuture<'a, Result<(), auth::AuthError>> {
        Box::pin(std::future::ready(Err(auth::AuthError::Refused)))
    }
}

struct Stage {
    sim: SimulatedWorld,
    store: Store,
    responder: Responder,
    smtp: SocketAddr,
    imap: SocketAddr,
    stop: CancellationToken,
    _folder: tempfile::TempDir,
}

impl Stage {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let bus = Bus::new();
        let options = storage_rocksdb::Options { free_octets_min: 0, ..storage_rocksdb::Options::default() };
        let engine = Arc::new(RocksEngine::open(folder.path(), options, Arc::new(bus.clone())).unwrap());
        let sim = SimulatedWorld::new(START, 1);
        let store = Store::open(engine.clone(), sim.world()).await.unwrap();
        let host_name = Domain::parse("mx.example.org").unwrap();
        let settings = DeliverySettings { hostname: host_name.clone(), message_octets_max: 1_000_000 };
        let delivery = Delivery::new(store.clone(), settings);
        let door: Arc<dyn Authenticator> = Arc::new(Door(store.clone()));
        let stop = CancellationToken::new();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let smtp = listener.local_addr().unwrap();
        let host = MailHost::new(delivery.clone(), door.clone(), bus.clone(), engine, Arc::default());
        let settings = smtp_in::Settings {
            kind: ListenerKind::Mx,
            host_name,
            limits: Live::new(Limits::default()),
            tls: None,
            bare_newlines: smtp_in::BareNewlines::Refuse,
            scram: false,
            tokens: false,
            proxies: Vec::new(),
            xclient_from: Vec::new(),
            burl: true,
            no_soliciting: Vec::new(),
            door: None,
        };
        tokio::spawn(smtp_in::run(listener, Arc::new(settings), Arc::new(host), sim.world(), stop.clone()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let imap = listener.local_addr().unwrap();
        let settings = imap::Settings { plaintext_login_on_loopback: true, ..imap::Settings::default() };
        let service = imap::Imap::new(store.clone(), bus, Arc::new(login::ImapLogin(door)), settings, None);
        let ending = stop.clone();
        tokio::spawn(async move { service.serve(listener, imap::Security::StartTls, ending).await });
        let stage = Self { sim, store, responder: Responder::new(delivery), smtp, imap, stop, _folder: folder };
        stage.ask(r#"{"domain":{"add":{"name":"example.org"}}}"#).await;
        let account = AccountObject::new(mail::Address::parse("alice@example.org").unwrap());
        stage.store.add_account(account).await.unwrap();
        stage
    }

    async fn ask(&self, json: &str) {
        let request: Request = serde_json::from_str(json).unwrap_or_else(|error| panic!("{json}: {error}"));
        let settings = admin::Settings::default();
        admin::execute(&self.store, &settings, &Actor::System, request)
            .await
            .unwrap_or_else(|error| panic!("{json}: {error}"));
    }

    /// What the responder's consumer and its clock do.
    async fn settle(&self) {
        self.responder.look().await.unwrap();
        loop {
            let events = self.store.events_after(mail::Topic::MessageStored, 0, 100).await.unwrap();
            if events.is_empty() {
                return;
            }
            for event in &events {
                self.responder.take(event).await.unwrap();
            }
        }
    }

    /// A message from elsewhere; the reply to its recipient, or to its end.
    async fn mail(&self, from: &str, to: &str) -> String {
        let mut client = Client::connect(self.smtp).await;
        client.line().await;
        client.say("HELO far.example").await;
        client.say(&format!("MAIL FROM:<{from}@far.example>")).await;
        let mut last = client.say(&format!("RCPT TO:<{to}@example.org>")).await;
        if last.starts_with("250") {
            client.say("DATA").await;
            let content = format!("From: {from}@far.example\r\nTo: {to}@example.org\r\nSubject: Hello\r\n\r\nx\r\n.");
            last = client.say(&content).await;
        }
        client.say("QUIT").await;
        last
    }

    /// How many answers have left for somebody, and the last one's subject.
    async fn answers(&self, who: &str) -> (usize, String) {
        let address = mail::Address::parse(&format!("{who}@far.example")).unwrap();
        let rows = self.store.queue_entries(QueueId(0), 1_000).await.unwrap();
        let to = |row: &&storage::rows::QueueRow| row.recipients.iter().any(|one| one.address.same_mailbox(&address));
        let rows: Vec<_> = rows.iter().filter(to).collect();
        let Some(last) = rows.last() else { return (0, String::new()) };
        let mut reader = self.store.blob(&last.blob).await.unwrap().unwrap();
        let octets = reader.octets();
        let text = String::from_utf8(reader.read(0, octets).await.unwrap()).unwrap();
        let subject = text.lines().find_map(|line| line.strip_prefix("Subject: ")).unwrap_or_default();
        (rows.len(), subject.to_owned())
    }

    /// How many messages IMAP shows.
    async fn messages(&self, who: &str, folder: &str) -> usize {
        let mut client = Client::connect(self.imap).await;
        client.line().await;
        client.say_until(&format!("a LOGIN {who}@example.org {PASSWORD}"), "a OK").await;
        let told = client.say_until(&format!("b STATUS {folder} (MESSAGES)"), "b OK").await;
        client.say_until("c LOGOUT", "c OK").await;
        let number = told.iter().find_map(|line| line.split_once("(MESSAGES ")?.1.strip_suffix(')'));
        number.unwrap_or_else(|| panic!("{told:?}")).parse().unwrap()
    }

    async fn step(&self, what: &str) {
        let words: Vec<&str> = what.split_whitespace().collect();
        match words.as_slice() {
            ["mail", from, to] => {
                let reply = self.mail(from, to).await;
                assert!(reply.starts_with("250"), "{what}: {reply}");
            }
            ["refused", from, to, code] => {
                let reply = self.mail(from, to).await;
                assert!(reply.starts_with(code), "{what}: {reply}");
            }
            ["pass", span] => {
                let (number, unit) = span.split_at(span.len() - 1);
                let seconds = match unit {
                    "s" => 1,
                    "h" => 3_600,
                    "d" => 86_400,
                    _ => panic!("{what}"),
                };
                self.sim.clock.advance(Duration::from_secs(number.parse::<u64>().unwrap() * seconds));
            }
            ["at", time] => {
                let then: jiff::Timestamp = time.parse().unwrap();
                self.sim.clock.advance(Timestamp(then.as_millisecond()).since(self.store.now()));
            }
            ["answers", who, number, subject @ ..] => {
                let (found, last) = self.answers(who).await;
                assert_eq!(found.to_string(), *number, "{what}");
                assert!(subject.is_empty() || last == subject.join(" "), "{what}: {last}");
            }
            ["mailbox", who, folder, number] => {
                let found = self.messages(who, folder).await;
                // With a plus, the letter that a responder has ended is among them.
                let letters = usize::from(number.ends_with('+'));
                assert_eq!(found, number.trim_end_matches('+').parse::<usize>().unwrap() + letters, "{what}");
            }
            ["set", ..] => self.ask(what.strip_prefix("set ").unwrap()).await,
            _ => panic!("no step: {what}"),
        }
        self.settle().await;
    }
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(at: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(at).await.unwrap()))
    }

    async fn line(&mut self) -> String {
        let mut line = String::new();
        self.0.read_line(&mut line).await.unwrap();
        line.trim_end().to_owned()
    }

    async fn say(&mut self, text: &str) -> String {
        self.0.get_mut().write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
        self.line().await
    }

    async fn say_until(&mut self, text: &str, end: &str) -> Vec<String> {
        let mut lines = vec![self.say(text).await];
        while !lines.last().unwrap().starts_with(end) {
            assert!(lines.last().unwrap().starts_with('*'), "{text}: {lines:?}");
            lines.push(self.line().await);
        }
        lines
    }
}

/// Plays a row: what is set (the content of a responder at `alice@example.org`, or a whole request), then the script.
async fn play(set: &[&str], script: &str) {
    let stage = Stage::new().await;
    for set in set {
        match serde_json::from_str::<admin::ResponderContent>(set) {
            Ok(_) => {
                stage
                    .ask(&format!(r#"{{"responder":{{"add":{{"address":"alice@example.org","content":{set}}}}}}}"#))
                    .await;
            }
            Err(_) => stage.ask(set).await,
        }
    }
    stage.settle().await;
    for step in script.split("; ") {
        stage.step(step.trim()).await;
    }
    stage.stop.cancel();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a05_one_sender_is_answered_again_after_a_day() {
    play(
        &[r#"{"subject":"Prices","text":{"set":"A pond: 300."},"frequency_secs":86400}"#],
        "mail zoe alice; answers zoe 1 Prices; pass 23h; mail zoe alice; answers zoe 1; mail max alice; answers max 1; \
         pass 1h; mail zoe alice; answers zoe 2; mailbox alice INBOX 4",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a08_a_temporary_one_answers_from_its_first_day_to_its_last() {
    play(
        &[
            r#"{"subject":"Fair","text":{"set":"x"},"frequency_secs":0,"starts":{"set":"2026-09-22"},"ends":{"set":"2026-09-23"}}"#,
        ],
        "mail zoe alice; answers zoe 0; at 2026-09-22T00:00:00Z; mail zoe alice; answers zoe 1; \
         at 2026-09-23T23:59:59Z; mail zoe alice; answers zoe 2; pass 1s; mail zoe alice; answers zoe 2; mailbox alice INBOX 4+",
    ).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a08_a_permanent_one_answers_until_it_is_switched_off() {
    play(
        &[r#"{"subject":"Closed","text":{"set":"x"},"frequency_secs":0}"#],
        "mail zoe alice; pass 400d; mail zoe alice; answers zoe 2; \
         set {\"responder\":{\"set\":{\"id\":1,\"content\":{\"enabled\":false}}}}; pass 1d; mail zoe alice; answers zoe 2",
    ).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a09_messages_are_deleted_while_it_is_active_and_no_longer() {
    play(
        &[r#"{"subject":"Away","text":{"set":"x"},"keep":false,"ends":{"set":"2026-09-22"}}"#],
        "mail zoe alice; answers zoe 1; mailbox alice INBOX 0; at 2026-09-23T00:00:00Z; mail zoe alice; answers zoe 1; \
         mailbox alice INBOX 1+",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a12_the_date_of_receipt_decides_and_being_enabled() {
    play(
        &[r#"{"subject":"Away","text":{"set":"x"},"frequency_secs":0,"enabled":false,"ends":{"set":"2026-09-22"}}"#],
        "mail zoe alice; answers zoe 0; set {\"responder\":{\"set\":{\"id\":1,\"content\":{\"enabled\":true}}}}; \
         mail zoe alice; answers zoe 1; at 2026-09-23T00:00:00Z; mail zoe alice; answers zoe 1",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a13_of_several_each_answers_in_its_time() {
    play(
        &[
            r#"{"subject":"First week","text":{"set":"x"},"frequency_secs":0,"ends":{"set":"2026-09-27"}}"#,
            r#"{"subject":"Second week","text":{"set":"x"},"frequency_secs":0,"starts":{"set":"2026-09-28"},"ends":{"set":"2026-10-04"}}"#,
        ],
        "mail zoe alice; answers zoe 1 First week; at 2026-09-28T12:00:00Z; mail zoe alice; answers zoe 2 Second week; \
         at 2026-10-05T00:00:00Z; mail zoe alice; answers zoe 2",
    ).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a14_each_answer_is_filed_in_sent() {
    play(
        &[r#"{"subject":"Prices","text":{"set":"x"},"frequency_secs":86400}"#],
        "mail zoe alice; mailbox alice Sent 1; pass 2d; mail zoe alice; mail zoe alice; mailbox alice Sent 2",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn r01_an_alias_takes_mail_until_its_last_day() {
    play(
        &[
            r#"{"alias":{"add":{"address":"fair@example.org","targets":["alice@example.org"],"terms":{"expires":{"set":"2026-09-23"}}}}}"#,
        ],
        "mail zoe fair; mailbox alice INBOX 1; at 2026-09-23T20:00:00Z; mail zoe fair; mailbox alice INBOX 2; \
         at 2026-09-24T12:00:00Z; refused zoe fair 550; mailbox alice INBOX 2",
    ).await;
}

/// The day on which clocks go back has 25 hours.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v01_a_day_is_the_day_of_the_persons_zone() {
    play(
        &[
            r#"{"account":{"set":{"address":"alice@example.org","time_zone":"Europe/Paris"}}}"#,
            r#"{"kind":"out-of-office","subject":"Away","text":{"set":"x"},"frequency_secs":0,"starts":{"set":"2026-10-25"},"ends":{"set":"2026-10-25"}}"#,
        ],
        "at 2026-10-24T21:59:59Z; mail zoe alice; answers zoe 0; pass 1s; mail zoe alice; answers zoe 1; \
         at 2026-10-25T22:59:59Z; mail zoe alice; answers zoe 2; pass 1s; mail zoe alice; answers zoe 2",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v02_without_an_end_it_goes_on() {
    play(
        &[r#"{"kind":"out-of-office","subject":"Away","text":{"set":"x"}}"#],
        "mail zoe alice; answers zoe 1 Away; pass 365d; mail zoe alice; answers zoe 2",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v03_not_twice_in_one_day() {
    play(
        &[r#"{"kind":"out-of-office","subject":"Away","text":{"set":"x"}}"#],
        "mail zoe alice; mail zoe alice; pass 12h; mail zoe alice; answers zoe 1; pass 12h; mail zoe alice; answers zoe 2",
    )
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn v04_its_person_hears_when_it_begins_and_when_it_has_ended() {
    play(
        &[
            r#"{"kind":"out-of-office","subject":"Away","text":{"set":"x"},"starts":{"set":"2026-09-22"},"ends":{"set":"2026-09-23"}}"#,
        ],
        "mailbox alice INBOX 0; at 2026-09-22T08:00:00Z; mailbox alice INBOX 1; pass 1d; mailbox alice INBOX 1; \
         pass 1d; mailbox alice INBOX 2; pass 30d; mailbox alice INBOX 2",
    ).await;
}
