//! Lists over the store in memory: orders, posts, moderators, bounces, links, and power cuts at every commit.

mod abuse;
mod added;
mod bounces;
mod decisions;
mod joining;
mod memberships;
mod moderation;
mod obstacles;
mod posts;
mod sending;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::{Request, StatusCode};
use bus::{Consumer, TakeError};
use delivery::{Delivery, DeliverySettings, HeldMessage};
use mail::{AccountId, Address, Domain, Envelope, Flags, MailboxId, QueueId, ReversePath, Timestamp, Topic, Uid};
use routing::objects::{
    AccountObject, DomainObject, GroupObject, Joining, ListObject, ListRole, NonMembers, Object, Posting, ReplyTo,
    ResponderKind, ResponderObject,
};
use storage::check::{Contents, Scan};
use storage::objects::PutMode;
use storage::rows::{MemberRow, MemberState, QueueRow};
use storage::{MemoryEngine, SilentDoorbell, StorageError, Store};
use tower::ServiceExt;
use world::simulated::SimulatedWorld;

use crate::header::field_of;
use crate::incoming::Incoming;
use crate::limits::LETTERS_PER_DAY;
use crate::{Lists, Settings};

const START: Timestamp = Timestamp(1_800_000_000_000);
const WEB: &str = "https://mail.example.org";

struct Fixture {
    sim: SimulatedWorld,
    engine: MemoryEngine,
    store: Store,
    delivery: Delivery,
    lists: Lists,
    list: ListObject,
    /// Whether what comes asks for REQUIRETLS.
    require_tls: bool,
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn garden() -> ListObject {
    ListObject {
        display_name: "Garden".to_owned(),
        owners: vec![address("owner@example.org")],
        ..ListObject::new(address("garden@example.org"))
    }
}

async fn fixture(list: ListObject) -> Fixture {
    let sim = SimulatedWorld::new(START, 11);
    let engine = MemoryEngine::default();
    let store = Store::open(Arc::new(engine.clone()), sim.world()).await.unwrap();
    store.put_object(Object::Domain(DomainObject::new("example.org".parse().unwrap())), PutMode::Add).await.unwrap();
    for name in ["owner", "mod", "alice"] {
        store.add_account(AccountObject::new(address(&format!("{name}@example.org")))).await.unwrap();
    }
    let list = store.add_list(list).await.unwrap().value;
    let (delivery, lists) = over(&store).await;
    Fixture { sim, engine, store, delivery, lists, list, require_tls: false }
}

async fn over(store: &Store) -> (Delivery, Lists) {
    let settings = DeliverySettings { hostname: "mx.example.org".parse().unwrap(), message_octets_max: 10_000_000 };
    let delivery = Delivery::new(store.clone(), settings);
    let settings = Settings { web_url: WEB.to_owned(), waiting_octets_max: 1_000_000 };
    let lists = Lists::new(delivery.clone(), settings).await.unwrap();
    (delivery, lists)
}

impl Fixture {
    /// Cuts the power and starts again.
    async fn power_cut(&mut self) {
        self.engine = self.engine.after_power_cut(Arc::new(SilentDoorbell));
        self.store = Store::open(Arc::new(self.engine.clone()), self.sim.world()).await.unwrap();
        (self.delivery, self.lists) = over(&self.store).await;
    }

    async fn member(&self, who: &str) {
        let (part, row) = (self.list.id, MemberRow::new(address(who), START));
        self.store.transact(move |tx| tx.put_member(part, &row)).await.unwrap();
    }

    async fn state_of(&self, who: &str) -> Option<MemberState> {
        self.store.member(self.list.id, &address(who)).await.unwrap().map(|member| member.state)
    }

    /// What delivery does with a message for a part: deposits it, and writes the event.
    async fn held(&self, part: AccountId, path: &str, to: &str, account: Option<AccountId>, content: &str) {
        self.held_as(part, path, to, account, content, None, false).await;
    }

    /// The same, with what was found out about where it comes from.
    #[expect(clippy::too_many_arguments, reason = "what the event says")]
    async fn held_as(
        &self,
        part: AccountId,
        path: &str,
        to: &str,
        account: Option<AccountId>,
        content: &str,
        verified: Option<&str>,
        spam: bool,
    ) {
        let verified = verified.map(|domain| Domain::parse(domain).unwrap());
        let require_tls = self.require_tls;
        let reverse_path = ReversePath::parse(path).unwrap();
        let mut intake = self.delivery.intake(&reverse_path, b"Received: by mx; now\r\n").await.unwrap();
        intake.write(content.as_bytes()).await.unwrap();
        let prepared = intake.finish(Envelope::new(reverse_path.clone())).await.unwrap();
        let (recipient, now) = (address(to), self.store.now());
        let skip_octets = u32::try_from(format!("Return-Path: {reverse_path}\r\n").len()).unwrap();
        self.store
            .transact(move |tx| {
                prepared.store_blob(tx)?;
                let mailbox = tx.mailbox_named(part, "INBOX")?.unwrap();
                let uid = tx.deposit(part, mailbox, &prepared.as_message(Flags::default()))?.uid;
                let event = HeldMessage {
                    part,
                    mailbox,
                    uid,
                    blob: prepared.as_message(Flags::default()).blob,
                    skip_octets,
                    octets: prepared.octets(),
                    address: recipient.clone(),
                    role: ListRole::Post,
                    recipient: recipient.clone(),
                    reverse_path: reverse_path.clone(),
                    account,
                    received_at: now,
                    trace: prepared.trace(),
                    verified: verified.clone(),
                    spam,
                    require_tls,
                };
                tx.emit(Topic::HeldMessage, now, event.encode())
            })
            .await
            .unwrap();
    }

    /// A message from somebody outside, to an address of the list.
    async fn mail(&self, from: &str, to: &str, subject: &str, text: &str) {
        let content = message(from, to, subject, text);
        self.held(self.list.id, &format!("<{from}>"), to, None, &content).await;
        self.take_all().await.unwrap();
    }

    /// One from an account of ours, logged in.
    async fn submit(&self, from: &str, to: &str, subject: &str, text: &str) {
        let account = self.account(from);
        let content = message(from, to, subject, text);
        self.held(self.list.id, &format!("<{from}>"), to, Some(account), &content).await;
        self.take_all().await.unwrap();
    }

    fn account(&self, who: &str) -> AccountId {
        self.store.directory().account(&address(who)).unwrap().id
    }

    /// Takes events until none waits.
    async fn take_all(&self) -> Result<(), TakeError> {
        loop {
            let events = self.store.events_after(Topic::HeldMessage, 0, 100).await.unwrap();
            if events.is_empty() {
                return Ok(());
            }
            for event in &events {
                self.lists.take(event).await?;
            }
        }
    }

    async fn queue(&self) -> Vec<QueueRow> {
        self.store.queue_entries(QueueId(0), 100_000).await.unwrap()
    }

    async fn text(&self, blob: &mail::BlobHash) -> String {
        let mut reader = self.store.blob(blob).await.unwrap().unwrap();
        let octets = reader.octets();
        String::from_utf8(reader.read(0, octets).await.unwrap()).unwrap()
    }

    /// Every message that somebody was sent, in any order of places.
    async fn received(&self, who: &str) -> Vec<String> {
        let mut all = Vec::new();
        let account = self.store.directory().account(&address(who)).map(|account| account.id);
        if let Some(account) = account {
            let inbox = self.store.inbox(account).await.unwrap();
            for row in self.store.messages(account, inbox.id, Uid(1), Uid(u32::MAX), 1000).await.unwrap() {
                all.push(self.text(&row.blob).await);
            }
        }
        for row in self.queue().await {
            if row.recipients.iter().any(|recipient| recipient.address.same_mailbox(&address(who))) {
                all.push(self.text(&row.blob).await);
            }
        }
        all
    }

    async fn last(&self, who: &str) -> String {
        self.received(who).await.pop().unwrap_or_else(|| panic!("{who} got nothing"))
    }

    async fn in_mailbox(&self, name: &str) -> u32 {
        self.in_part(self.list.id, name).await
    }

    async fn in_part(&self, part: AccountId, name: &str) -> u32 {
        let row = self.store.mailbox_by_name(part, name).await.unwrap();
        row.map_or(0, |row| row.messages)
    }

    async fn set(&mut self, edit: impl FnOnce(&mut ListObject)) {
        edit(&mut self.list);
        self.store.put_object(Object::List(self.list.clone()), PutMode::Replace).await.unwrap();
    }

    async fn sound(&self) {
        let mut findings = Vec::new();
        let report = &mut |finding: storage::check::Finding| findings.push(finding.to_string());
        storage::check::check_with(&self.store, false, &Known, report).await.unwrap();
        assert_eq!(findings, [""; 0]);
    }

    /// One request to the pages.
    async fn http(&self, method: &str, url: &str, body: &str) -> (StatusCode, String) {
        let path = url.strip_prefix(WEB).unwrap().to_owned();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("accept-language", "fr")
            .body(Body::from(body.to_owned()))
            .unwrap();
        let response = crate::links::router(self.lists.clone()).oneshot(request).await.unwrap();
        let (status, headers) = (response.status(), response.headers().clone());
        let csp = headers["content-security-policy"].to_str().unwrap();
        assert!(csp.starts_with("default-src 'none'") && headers["referrer-policy"] == "no-referrer");
        assert!(!headers.contains_key("set-cookie"));
        let body = axum::body::to_bytes(response.into_body(), 1_000_000).await.unwrap();
        (status, String::from_utf8(body.to_vec()).unwrap())
    }
}

/// For the check of the store: which message an event is about.
struct Known;

impl Contents for Known {
    fn record(&self, _record: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn scan(&self) -> Option<Box<dyn Scan>> {
        None
    }

    fn event(&self, _topic: Topic, _payload: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn held_message(&self, payload: &[u8]) -> Option<(AccountId, MailboxId, Uid)> {
        HeldMessage::decode(payload).ok().map(|held| (held.part, held.mailbox, held.uid))
    }

    fn answered(&self, _key: &[u8], _value: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn index_block(&self, _first: &[u8], _words: &[u8], _postings: &[u8], _span: u32) -> Result<(), String> {
        Ok(())
    }

    fn index_lengths(&self, _lengths: &[u8], _span: u32) -> Result<(), String> {
        Ok(())
    }
}

fn message(from: &str, to: &str, subject: &str, text: &str) -> String {
    format!("From: Somebody <{from}>\r\nTo: {to}\r\nSubject: {subject}\r\nMessage-ID: <m@x>\r\n\r\n{text}\r\n")
}

/// The decoded text of a message.
fn words(message: &str) -> String {
    Incoming::read(message.as_bytes(), true).text
}

/// Where a letter's answer goes.
fn reply_to(message: &str) -> String {
    let value = field_of(message, "Reply-To").unwrap();
    value.trim_matches(['<', '>', ' ']).to_owned()
}

/// The link in a letter.
fn link(message: &str) -> String {
    let text = words(message);
    let at = text.find(WEB).unwrap_or_else(|| panic!("no link in {text}"));
    text[at..].split_whitespace().next().unwrap().to_owned()
}

/// The addresses that a queue row goes to, with its reverse-path.
fn paths(rows: &[QueueRow]) -> BTreeMap<String, Vec<String>> {
    let mut paths: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for row in rows {
        for recipient in &row.recipients {
            paths.entry(recipient.address.to_string()).or_default().push(row.reverse_path.to_string());
        }
    }
    paths
}
