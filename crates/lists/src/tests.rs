//! Lists over the store in memory: orders, posts, moderators, bounces, links, and power cuts at every commit.

mod abuse;
mod added;
mod decisions;
mod memberships;
mod obstacles;
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
    Fixture { sim, engine, store, delivery, lists, list }
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

#[tokio::test]
async fn a_thousand_members_get_a_post_once_each_whatever_commit_the_power_fails_at() {
    let mut failed_at = 0;
    loop {
        let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
        f.set(|list| list.settings.archive = true).await;
        let part = f.list.id;
        f.store
            .transact(move |tx| {
                for n in 0..997 {
                    let member = MemberRow::new(address(&format!("m{n}@far{}.example", n % 7)), START);
                    tx.put_member(part, &member)?;
                }
                for name in ["alice", "mod", "owner"] {
                    tx.put_member(part, &MemberRow::new(address(&format!("{name}@example.org")), START))?;
                }
                Ok(())
            })
            .await
            .unwrap();
        let body = "A line of text that fills a chunk of the blob.\r\n".repeat(3_000);
        let content = message("zoe@far.example", "garden@example.org", "Tea", &body);
        f.held(part, "<zoe@far.example>", "garden@example.org", None, &content).await;
        f.engine.fail_after(failed_at, StorageError::Io("power".to_owned()));
        let went_through = f.take_all().await.is_ok();
        f.power_cut().await;
        f.take_all().await.unwrap();
        let rows = f.queue().await;
        let paths = paths(&rows);
        assert_eq!(paths.len(), 997, "cut at commit {failed_at}");
        assert!(paths.values().all(|paths| paths.len() == 1), "twice, cut at commit {failed_at}");
        for name in ["alice", "mod", "owner"] {
            assert_eq!(f.received(&format!("{name}@example.org")).await.len(), 1, "cut at commit {failed_at}");
        }
        let blobs: std::collections::BTreeSet<_> = rows.iter().map(|row| row.blob).collect();
        assert_eq!(blobs.len(), 1, "one content for all");
        assert_eq!((f.in_mailbox("INBOX").await, f.in_mailbox("Outgoing").await), (0, 0));
        assert_eq!(f.in_mailbox("Archive").await, 1);
        f.store.sweep().await.unwrap();
        f.sound().await;
        if went_through {
            assert!(failed_at >= 12, "ten batches, a beginning and an end");
            return;
        }
        failed_at += 1;
    }
}

#[tokio::test]
async fn a_post_on_its_way_goes_on_whatever_the_list_says_meanwhile() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    for n in 0..150 {
        f.member(&format!("m{n}@far.example")).await;
    }
    let content = message("zoe@far.example", "garden@example.org", "Tea", "Body");
    f.held(f.list.id, "<zoe@far.example>", "garden@example.org", None, &content).await;
    // The mailbox, the beginning and one batch.
    f.engine.fail_after(3, StorageError::Io("power".to_owned()));
    assert!(f.take_all().await.is_err());
    assert_eq!(f.queue().await.len(), 100);
    f.power_cut().await;
    f.set(|list| (list.moderated, list.posting) = (true, Posting::Members)).await;
    f.take_all().await.unwrap();
    assert_eq!(paths(&f.queue().await).len(), 150);
    assert_eq!(f.queue().await.len(), 150);
    f.sound().await;
}

#[tokio::test]
async fn a_post_has_the_headers_and_each_copy_its_own_reverse_path() {
    let f = fixture(garden()).await;
    f.member("Bob@Far.example").await;
    f.member("carol@other.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "Body").await;
    let rows = f.queue().await;
    let paths = paths(&rows);
    let path = &paths["Bob@far.example"][0];
    assert!(path.starts_with("<garden-bounces+") && path.ends_with("+bob=far.example@example.org>"), "{path}");
    assert_ne!(path, &paths["carol@other.example"][0]);
    let text = f.text(&rows[0].blob).await;
    // Our Return-Path stays here.
    let travels = &text[rows[0].skip_octets as usize..];
    assert!(text.starts_with("Return-Path: <garden-bounces@example.org>\r\n"));
    assert!(travels.starts_with("Received: by mx; now\r\n"), "{travels}");
    assert_eq!(field_of(&text, "List-Id").as_deref(), Some("\"Garden\" <garden.example.org>"));
    assert_eq!(field_of(&text, "From").as_deref(), Some("Somebody <bob@far.example>"));
    assert!(text.ends_with("\r\n\r\nBody\r\n"));
    f.sound().await;
}

#[tokio::test]
async fn who_wants_no_own_posts_gets_none_and_the_suspended_get_nothing() {
    let f = fixture(garden()).await;
    let part = f.list.id;
    let own = MemberRow { own_posts: false, ..MemberRow::new(address("bob@far.example"), START) };
    let off = MemberRow { state: MemberState::Suspended, ..MemberRow::new(address("off@far.example"), START) };
    let waits = MemberRow { state: MemberState::Pending, ..MemberRow::new(address("waits@far.example"), START) };
    f.store
        .transact(move |tx| [&own, &off, &waits].into_iter().try_for_each(|member| tx.put_member(part, member)))
        .await
        .unwrap();
    f.member("carol@far.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "Body").await;
    assert_eq!(paths(&f.queue().await).into_keys().collect::<Vec<_>>(), ["carol@far.example"]);
}

#[tokio::test]
async fn a_from_that_dmarc_protects_is_rewritten() {
    let f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    f.member("carol@far.example").await;
    let policy = vec!["v=DMARC1; p=reject".to_owned()];
    f.sim.resolver.set_txt(Domain::parse("_dmarc.bank.example").unwrap(), Ok(policy));
    f.mail("zoe@bank.example", "garden@example.org", "Tea", "Body").await;
    let text = f.last("carol@far.example").await;
    assert_eq!(field_of(&text, "From").as_deref(), Some("\"Somebody via Garden\" <garden@example.org>"));
    assert_eq!(field_of(&text, "Reply-To").as_deref(), Some("\"Somebody\" <zoe@bank.example>"));
}

#[tokio::test]
async fn loops_and_machines_never_reach_the_members() {
    let f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    f.member("carol@far.example").await;
    for header in [
        "X-BeenThere: Garden@example.org",
        "List-Id: Garden <garden.example.org>",
        "Auto-Submitted: auto-replied",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
    ] {
        let content = format!("From: bob@far.example\r\nSubject: x\r\n{header}\r\n\r\nx\r\n");
        f.held(f.list.id, "<bob@far.example>", "garden@example.org", None, &content).await;
    }
    f.held(f.list.id, "<>", "garden@example.org", None, &message("bob@far.example", "x@y.example", "x", "x")).await;
    f.take_all().await.unwrap();
    assert_eq!(f.queue().await, []);
    assert_eq!(f.in_mailbox("INBOX").await, 0);
    f.sound().await;
}

#[tokio::test]
async fn joining_by_mail_needs_the_addresss_own_confirmation() {
    let f = fixture(garden()).await;
    // Anybody can write this.
    f.mail("bob@far.example", "garden-join@example.org", "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, None);
    let letter = f.last("bob@far.example").await;
    assert_eq!(field_of(&letter, "Auto-Submitted").as_deref(), Some("auto-generated"));
    let confirm = reply_to(&letter);
    // An absence confirms nothing.
    let absence = "From: bob@far.example\r\nAuto-Submitted: auto-replied\r\nSubject: x\r\n\r\nx\r\n".to_owned();
    f.held(f.list.id, "<bob@far.example>", &confirm, None, &absence).await;
    f.held(f.list.id, "<>", &confirm, None, &message("bob@far.example", &confirm, "x", "x")).await;
    f.take_all().await.unwrap();
    assert_eq!(f.state_of("bob@far.example").await, None);
    f.mail("bob@far.example", "garden-confirm+aaaaaaaaaaaaaaaaaaaaa@example.org", "x", "x").await;
    assert_eq!(f.state_of("bob@far.example").await, None, "a made-up token");
    f.mail("bob@far.example", &confirm, "Re: confirm", "").await;
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Active));
    assert!(words(&f.last("bob@far.example").await).contains("You are a member"));
    // Used up.
    f.mail("bob@far.example", "garden-leave@example.org", "", "").await;
    let leave = reply_to(&f.last("bob@far.example").await);
    f.mail("bob@far.example", &leave, "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, None);
    f.mail("bob@far.example", &confirm, "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, None, "a token counts once");
    f.sound().await;
}

#[tokio::test]
async fn who_has_logged_in_joins_an_open_list_at_once_and_leaves_at_once() {
    let mut f = fixture(garden()).await;
    f.set(|list| list.settings.joining = Joining::Open).await;
    f.mail("alice@example.org", "garden-join@example.org", "", "").await;
    assert_eq!(f.state_of("alice@example.org").await, None, "forged");
    f.submit("alice@example.org", "garden-request@example.org", "Inscription", "").await;
    assert_eq!(f.state_of("alice@example.org").await, Some(MemberState::Active));
    f.submit("alice@example.org", "garden-request@example.org", "", "unsubscribe").await;
    assert_eq!(f.state_of("alice@example.org").await, None);
}

#[tokio::test]
async fn who_is_surely_from_elsewhere_leaves_at_once_and_nobody_else() {
    let f = fixture(garden()).await;
    for who in ["bob@far.example", "zoe@far.example", "alice@example.org"] {
        f.member(who).await;
    }
    let leave = "garden-leave@example.org";
    let order = |who: &'static str, verified: Option<&'static str>| {
        let (f, content) = (&f, message(who, leave, "", ""));
        async move {
            f.held_as(f.list.id, &format!("<{who}>"), leave, None, &content, verified, false).await;
            f.take_all().await.unwrap();
        }
    };
    order("zoe@far.example", None).await;
    order("zoe@far.example", Some("evil.example")).await;
    order("alice@example.org", Some("example.org")).await;
    for who in ["zoe@far.example", "alice@example.org"] {
        assert_eq!(f.state_of(who).await, Some(MemberState::Active), "{who} is asked");
    }
    order("bob@far.example", Some("far.example")).await;
    assert_eq!(f.state_of("bob@far.example").await, None);
    f.sound().await;
}

#[tokio::test]
async fn a_suspicious_post_waits_for_who_decides() {
    let f = fixture(garden()).await;
    f.member("bob@far.example").await;
    let (part, list) = (f.list.id, "garden@example.org");
    let content = message("bob@far.example", list, "Tea", "at five");
    f.held_as(part, "<bob@far.example>", list, None, &content, None, true).await;
    f.take_all().await.unwrap();
    let letter = words(&f.last("owner@example.org").await);
    assert!(letter.contains("Tea"), "{letter}");
    f.sound().await;
}

#[tokio::test]
async fn a_confirmation_lapses() {
    let f = fixture(garden()).await;
    f.mail("bob@far.example", "garden-join@example.org", "", "").await;
    let letter = f.last("bob@far.example").await;
    f.sim.clock.advance(Duration::from_secs(3 * 86_400 + 4_000));
    f.mail("bob@far.example", &reply_to(&letter), "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, None);
    assert_eq!(f.http("POST", &link(&letter), "action=confirm").await.0, StatusCode::NOT_FOUND);
    assert!(f.lists.sweep().await.unwrap() > 0);
    assert_eq!(f.store.list_requests(f.list.id, 0, 9).await.unwrap(), []);
}

#[tokio::test]
async fn nobodys_mailbox_can_be_filled_with_confirmations() {
    let f = fixture(garden()).await;
    for _ in 0..20 {
        f.mail("victim@far.example", "garden-join@example.org", "", "").await;
        f.mail("victim@far.example", "garden-request@example.org", "help", "").await;
    }
    assert_eq!(f.received("victim@far.example").await.len(), 2 * LETTERS_PER_DAY as usize);
    f.sim.clock.advance(Duration::from_secs(86_400));
    f.mail("victim@far.example", "garden-join@example.org", "", "").await;
    assert_eq!(f.received("victim@far.example").await.len(), 2 * LETTERS_PER_DAY as usize + 1);
    f.lists.sweep().await.unwrap();
    f.sound().await;
}

#[tokio::test]
async fn a_closed_list_takes_nobody_and_one_with_approval_asks_its_moderators() {
    let mut f = fixture(garden()).await;
    f.set(|list| list.settings.joining = Joining::Closed).await;
    f.mail("bob@far.example", "garden-join@example.org", "", "").await;
    assert!(words(&f.last("bob@far.example").await).contains("owners choose"));
    f.set(|list| list.settings.joining = Joining::Approval).await;
    f.mail("bob@far.example", "garden-join@example.org", "", "").await;
    let confirm = reply_to(&f.last("bob@far.example").await);
    f.mail("bob@far.example", &confirm, "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Pending));
    let asked = f.last("owner@example.org").await;
    assert!(words(&asked).contains("bob@far.example wants to become a member"), "{}", words(&asked));
    f.submit("owner@example.org", &reply_to(&asked), "Re", "I will look at it").await;
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Pending));
    f.submit("owner@example.org", &reply_to(&asked), "Re", "Oui").await;
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Active));
    f.mail("eve@far.example", "garden-join@example.org", "", "").await;
    f.mail("eve@far.example", &reply_to(&f.last("eve@far.example").await), "", "").await;
    f.submit("owner@example.org", &reply_to(&f.last("owner@example.org").await), "Re", "reject: members bring\n").await;
    assert_eq!(f.state_of("eve@far.example").await, None);
    assert!(words(&f.last("eve@far.example").await).contains("> members bring"));
    f.sound().await;
}

#[tokio::test]
async fn r08_a_member_moves_by_mail_when_both_addresses_agree() {
    let f = fixture(garden()).await;
    f.member("bob@far.example").await;
    // Anybody can write this, and would get the confirmation at the new address: the old one is asked first.
    f.mail("bob@far.example", "garden-request@example.org", "move thief@evil.example", "").await;
    assert_eq!(f.received("thief@evil.example").await.len(), 0);
    f.mail("bob@far.example", "garden-request@example.org", "Re: adresse bob@new.example", "").await;
    let first = reply_to(&f.last("bob@far.example").await);
    f.mail("bob@far.example", &first, "", "").await;
    assert_eq!(f.state_of("bob@new.example").await, None);
    let second = reply_to(&f.last("bob@new.example").await);
    f.mail("bob@new.example", &second, "", "").await;
    assert_eq!(f.state_of("bob@new.example").await, Some(MemberState::Active));
    assert_eq!(f.state_of("bob@far.example").await, None);
    assert!(words(&f.last("bob@far.example").await).contains("writes to you at bob@new.example"));
    f.sound().await;
}

#[tokio::test]
async fn r08_links_need_no_account_and_a_get_changes_nothing() {
    let f = fixture(garden()).await;
    let join = format!("{WEB}/lists/join/garden@example.org");
    assert!(f.http("GET", &join, "").await.1.contains("<form method=\"post\">"));
    assert_eq!(f.http("POST", &join, "address=nobody").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(f.http("POST", &join, "address=bob%40far.example").await.0, StatusCode::OK);
    let confirm = link(&f.last("bob@far.example").await);
    let (status, page) = f.http("GET", &confirm, "").await;
    assert!(status.is_success() && page.contains("bob@far.example") && page.contains("Confirmer"), "{page}");
    assert_eq!(f.state_of("bob@far.example").await, None);
    assert_eq!(f.http("POST", &confirm, "action=confirm").await.0, StatusCode::OK);
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Active));
    assert_eq!(f.http("POST", &confirm, "action=confirm").await.0, StatusCode::NOT_FOUND, "once");
    let manage = link(&f.last("bob@far.example").await);
    assert_eq!(f.http("POST", &manage, "action=own-off").await.0, StatusCode::OK);
    assert!(!f.store.member(f.list.id, &address("bob@far.example")).await.unwrap().unwrap().own_posts);
    assert_eq!(f.http("POST", &manage, "action=move&address=bob%40new.example").await.0, StatusCode::OK);
    let moving = link(&f.last("bob@new.example").await);
    f.http("GET", &moving, "").await;
    assert_eq!(f.state_of("bob@new.example").await, None);
    f.http("POST", &moving, "action=confirm").await;
    assert_eq!(f.state_of("bob@new.example").await, Some(MemberState::Active));
    assert_eq!(f.http("GET", &manage, "").await.0, StatusCode::NOT_FOUND, "the old address is no member");
    for bad in ["x", "", "join/nothing@example.org", &"a".repeat(3_000)] {
        assert_eq!(f.http("GET", &format!("{WEB}/lists/{bad}"), "").await.0, StatusCode::NOT_FOUND, "{bad}");
    }
    f.sound().await;
}

#[tokio::test]
async fn personal_links_leave_with_one_click_and_without_a_form() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    f.set(|list| list.settings.personal_links = true).await;
    f.member("bob@far.example").await;
    f.member("carol@far.example").await;
    f.mail("zoe@far.example", "garden@example.org", "Tea", "Body").await;
    let post = f.last("bob@far.example").await;
    let fields = field_of(&post, "List-Unsubscribe").unwrap();
    let url = fields.trim_start_matches('<').split('>').next().unwrap().to_owned();
    assert_eq!(field_of(&post, "List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
    assert_ne!(post, f.last("carol@far.example").await, "a link of their own");
    f.http("GET", &url, "").await;
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Active));
    assert_eq!(f.http("POST", &url, "List-Unsubscribe=One-Click").await.0, StatusCode::OK);
    assert_eq!(f.state_of("bob@far.example").await, None);
    assert_eq!(f.state_of("carol@far.example").await, Some(MemberState::Active));
    assert_eq!(f.http("POST", &url, "List-Unsubscribe=One-Click").await.0, StatusCode::OK, "twice is no error");
    f.sound().await;
}

#[tokio::test]
async fn a_personal_copy_tells_responders_that_it_is_from_a_list() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    let mut absence = ResponderObject::new(address("alice@example.org"), ResponderKind::OutOfOffice);
    (absence.subject_prefix, absence.text) = ("Away:".to_owned(), Some("Away".to_owned()));
    f.store.put_object(Object::Responder(absence), PutMode::Add).await.unwrap();
    f.member("alice@example.org").await;
    for personal in [false, true] {
        f.set(|list| list.settings.personal_links = personal).await;
        f.mail("zoe@far.example", "garden@example.org", "Tea", "Body").await;
        let events = f.store.events_after(Topic::MessageStored, 0, 9).await.unwrap();
        let event = delivery::MessageStored::decode(&events.last().unwrap().payload).unwrap();
        assert_eq!(events.len(), if personal { 2 } else { 1 });
        assert!(event.header.contains("List-Id:") && event.header.contains("Precedence: list"), "{}", event.header);
    }
}

#[tokio::test]
async fn a_flood_that_waits_is_bounded_and_so_are_the_letters_about_it() {
    let f = fixture(garden()).await;
    let letters = crate::limits::MODERATOR_LETTERS_PER_DAY as usize;
    for n in 0..=crate::limits::WAITING_MAX {
        let content = message("zoe@far.example", "garden@example.org", &format!("{n}"), "x");
        f.held(f.list.id, "<zoe@far.example>", "garden@example.org", None, &content).await;
    }
    f.take_all().await.unwrap();
    assert_eq!(f.in_mailbox("INBOX").await as usize, crate::limits::WAITING_MAX);
    assert_eq!(f.received("owner@example.org").await.len(), letters);
    assert!(words(&f.last("zoe@far.example").await).contains("too many messages wait"));
}

#[tokio::test]
async fn a_list_that_was_closed_meanwhile_takes_nobody() {
    let mut f = fixture(garden()).await;
    f.mail("bob@far.example", "garden-join@example.org", "", "").await;
    let confirm = reply_to(&f.last("bob@far.example").await);
    f.set(|list| list.settings.joining = Joining::Closed).await;
    f.mail("bob@far.example", &confirm, "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, None);
}

#[tokio::test]
async fn letters_are_in_the_language_of_their_reader() {
    let f = fixture(garden()).await;
    f.mail("bob@far.example", "garden-request@example.org", "Inscription", "").await;
    let letter = f.last("bob@far.example").await;
    assert_eq!(field_of(&letter, "Content-Language").as_deref(), Some("fr"));
    f.mail("bob@far.example", &reply_to(&letter), "", "").await;
    assert!(words(&f.last("bob@far.example").await).contains("Vous êtes maintenant membre"));
    f.mail("bob@far.example", "garden-leave@example.org", "", "").await;
    assert!(words(&f.last("bob@far.example").await).contains("quitte la liste"));
    // The page was asked for in French.
    f.http("POST", &format!("{WEB}/lists/join/garden@example.org"), "address=eve%40far.example").await;
    assert!(words(&f.last("eve@far.example").await).contains("demandé l'inscription"));
    f.mail("dan@far.example", "garden-join@example.org", "", "").await;
    assert!(words(&f.last("dan@far.example").await).contains("To confirm, answer this letter"));
}

#[tokio::test]
async fn the_first_moderator_decides_by_answer_and_the_other_is_told() {
    let mut f = fixture(ListObject { moderated: true, ..garden() }).await;
    f.set(|list| list.moderators = vec![address("mod@example.org"), address("pat@far.example")]).await;
    f.member("bob@far.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "Shall we?").await;
    assert_eq!(f.received("bob@far.example").await.len(), 0, "it waits");
    let letter = f.last("mod@example.org").await;
    let text = words(&letter);
    assert!(text.contains("Subject: Tea") && text.contains("> Shall we?") && text.contains(WEB), "{text}");
    let remote = f.last("pat@far.example").await;
    f.sound().await;
    f.submit("mod@example.org", &reply_to(&letter), "Re: waits", "accepter\n\n> quoted").await;
    assert_eq!(f.received("bob@far.example").await.len(), 1);
    f.mail("pat@far.example", &reply_to(&remote), "Re: waits", "reject: no").await;
    assert!(words(&f.last("pat@far.example").await).contains("mod@example.org was faster: the message was approved"));
    let (status, page) = f.http("POST", &link(&remote), "action=reject").await;
    assert!(status.is_success() && page.contains("mod@example.org"), "{page}");
    assert_eq!(f.received("bob@far.example").await.len(), 1);
    assert_eq!(f.in_mailbox("INBOX").await, 0);
    f.sound().await;
}

#[tokio::test]
async fn a_rejection_by_link_tells_the_author_and_never_a_stranger() {
    let f = fixture(ListObject { moderated: true, ..garden() }).await;
    f.member("bob@far.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "Shall we?").await;
    let first = link(&f.last("owner@example.org").await);
    assert!(f.http("GET", &first, "").await.1.contains("bob@far.example"));
    f.http("POST", &first, "action=reject&reason=Hors+sujet").await;
    f.take_all().await.unwrap();
    let told = words(&f.last("bob@far.example").await);
    assert!(told.contains("\"Tea\"") && told.contains("> Hors sujet"), "{told}");
    // A From that does not agree with the envelope: a spammer's invention.
    let content = message("bob@far.example", "garden@example.org", "Buy", "x");
    f.held(f.list.id, "<spam@evil.example>", "garden@example.org", None, &content).await;
    f.take_all().await.unwrap();
    f.http("POST", &link(&f.last("owner@example.org").await), "action=reject").await;
    f.take_all().await.unwrap();
    assert_eq!(f.received("bob@far.example").await.len(), 1);
    assert_eq!(f.received("spam@evil.example").await.len(), 0);
    assert_eq!(f.in_mailbox("INBOX").await, 0);
    f.sound().await;
}

#[tokio::test]
async fn the_link_of_who_moderates_no_more_does_nothing() {
    let mut f = fixture(ListObject { moderated: true, ..garden() }).await;
    f.set(|list| list.moderators = vec![address("pat@far.example")]).await;
    f.member("bob@far.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "x").await;
    let old = link(&f.last("pat@far.example").await);
    f.set(|list| list.moderators = vec![address("mod@example.org")]).await;
    assert_eq!(f.http("POST", &old, "action=approve").await.0, StatusCode::NOT_FOUND);
    f.take_all().await.unwrap();
    assert_eq!(f.received("bob@far.example").await.len(), 0);
}

#[tokio::test]
async fn a_moderators_own_post_passes_when_they_have_logged_in() {
    let f = fixture(ListObject { moderated: true, ..garden() }).await;
    f.member("carol@far.example").await;
    f.mail("owner@example.org", "garden@example.org", "Forged", "x").await;
    assert_eq!(f.received("carol@far.example").await.len(), 0);
    f.submit("owner@example.org", "garden@example.org", "True", "x").await;
    assert_eq!(f.received("carol@far.example").await.len(), 1);
}

#[tokio::test]
async fn strangers_wait_are_refused_or_pass_as_the_list_says() {
    let mut f = fixture(garden()).await;
    f.member("carol@far.example").await;
    f.set(|list| list.settings.waiting_notice = true).await;
    f.mail("zoe@far.example", "garden@example.org", "One", "x").await;
    f.mail("zoe@far.example", "garden@example.org", "Two", "x").await;
    assert_eq!(f.received("zoe@far.example").await.len(), 1, "one notice a day");
    assert_eq!(f.in_mailbox("INBOX").await, 2);
    f.set(|list| list.settings.non_members = NonMembers::Refuse).await;
    f.mail("yan@far.example", "garden@example.org", "Three", "x").await;
    assert!(words(&f.last("yan@far.example").await).contains("only members may write"));
    assert_eq!(f.received("carol@far.example").await.len(), 0);
    f.set(|list| list.settings.non_members = NonMembers::Accept).await;
    f.mail("xia@far.example", "garden@example.org", "Four", "x").await;
    assert_eq!(f.received("carol@far.example").await.len(), 1);
    f.sound().await;
}

#[tokio::test]
async fn what_nobody_decides_on_expires_with_a_notice() {
    let f = fixture(garden()).await;
    f.mail("zoe@far.example", "garden@example.org", "Tea", "x").await;
    f.sim.clock.advance(Duration::from_secs(6 * 86_400));
    f.lists.sweep().await.unwrap();
    assert_eq!(f.in_mailbox("INBOX").await, 1);
    f.sim.clock.advance(Duration::from_secs(86_401));
    f.lists.sweep().await.unwrap();
    assert_eq!(f.in_mailbox("INBOX").await, 0);
    assert!(words(&f.last("zoe@far.example").await).contains("within 7 days"));
    assert_eq!(f.store.waiting_after(f.list.id, Uid(0), 9).await.unwrap(), []);
    f.sound().await;
}

#[tokio::test]
async fn a_moderated_group_delivers_what_was_approved_to_its_mailboxes() {
    let f = fixture(garden()).await;
    let group = GroupObject {
        members: vec![address("alice@example.org"), address("owner@example.org")],
        moderated: true,
        moderators: vec![address("mod@example.org")],
        ..GroupObject::new(address("board@example.org"))
    };
    let group = f.store.add_group(group).await.unwrap().value;
    let content = message("zoe@far.example", "board@example.org", "Offer", "Good");
    f.held(group.id, "<zoe@far.example>", "board@example.org", None, &content).await;
    f.take_all().await.unwrap();
    assert_eq!(f.received("alice@example.org").await.len(), 0);
    let letter = f.last("mod@example.org").await;
    assert!(reply_to(&letter).starts_with("board-confirm+"));
    f.held(
        group.id,
        "<mod@example.org>",
        &reply_to(&letter),
        None,
        &message("mod@example.org", "x@y.example", "Re", "ok"),
    )
    .await;
    f.take_all().await.unwrap();
    for who in ["alice@example.org", "owner@example.org"] {
        let got = f.received(who).await;
        assert_eq!(got.len(), 1);
        assert!(got[0].contains("Subject: Offer") && !got[0].contains("List-Id"));
    }
    f.sound().await;
}

fn dsn(status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@far.example\r\nSubject: failed\r\nContent-Type: multipart/report; \
         report-type=delivery-status; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.far.example\r\n\r\nFinal-Recipient: rfc822; x@far.example\r\nAction: failed\r\n\
         Status: {status}\r\n\r\n--b--\r\n"
    )
}

#[tokio::test]
async fn bounces_suspend_a_member_who_comes_back_by_the_link() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    f.set(|list| list.settings.bounce_days_max = 2).await;
    let long = "somebody-with-a-rather-long-local-part@a-rather-long-domain-name.example";
    for member in ["bob@far.example", long] {
        f.member(member).await;
        f.mail("zoe@far.example", "garden@example.org", "Tea", "x").await;
        let path = paths(&f.queue().await)[member][0].trim_matches(['<', '>']).to_owned();
        assert!(path.split('@').next().unwrap().len() <= 64, "{path}");
        let forged = path.replace("bounces+", "bounces+a");
        for _ in 0..2 {
            f.held(f.list.id, "<>", &forged, None, &dsn("5.1.1")).await;
            f.held(f.list.id, "<>", "garden-bounces@example.org", None, &dsn("5.1.1")).await;
            f.held(
                f.list.id,
                "<x@far.example>",
                &path,
                None,
                &message("x@far.example", "y@z.example", "I am away", ""),
            )
            .await;
            f.take_all().await.unwrap();
            assert_eq!(f.store.member(f.list.id, &address(member)).await.unwrap().unwrap().bounces.tenths % 10, 0);
            f.held(f.list.id, "<>", &path, None, &dsn("5.1.1")).await;
            f.take_all().await.unwrap();
            f.sim.clock.advance(Duration::from_secs(86_400));
        }
        assert_eq!(f.state_of(member).await, Some(MemberState::Suspended));
        assert!(words(&f.last("owner@example.org").await).contains(member));
        f.mail("zoe@far.example", "garden@example.org", "Cake", "x").await;
        let back = link(&f.last(member).await);
        assert_eq!(f.http("POST", &back, "action=back").await.0, StatusCode::OK);
        assert_eq!(f.state_of(member).await, Some(MemberState::Active));
    }
    f.sound().await;
}

/// A member here whose mailbox is full gets no post more, and counts as one elsewhere whose server says so.
#[tokio::test]
async fn a_full_mailbox_here_is_a_temporary_bounce() {
    let mut f = fixture(garden()).await;
    f.set(|list| list.settings.non_members = NonMembers::Accept).await;
    f.member("alice@example.org").await;
    f.member("mod@example.org").await;
    let quota = |octets: Option<u64>| {
        let alice = (**f.store.directory().account(&address("alice@example.org")).unwrap()).clone();
        f.store.put_object(Object::Account(AccountObject { quota_octets: octets, ..alice }), PutMode::Replace)
    };
    let score = async || f.store.member(f.list.id, &address("alice@example.org")).await.unwrap().unwrap().bounces;
    f.submit("owner@example.org", "garden@example.org", "first", "x").await;
    f.take_all().await.unwrap();
    assert_eq!((f.received("alice@example.org").await.len(), score().await.tenths), (1, 0));
    quota(Some(1)).await.unwrap();
    f.submit("owner@example.org", "garden@example.org", "second", "x").await;
    f.take_all().await.unwrap();
    assert_eq!((f.received("alice@example.org").await.len(), score().await.tenths), (1, 5));
    assert_eq!(f.received("mod@example.org").await.len(), 2);
    quota(None).await.unwrap();
    f.submit("owner@example.org", "garden@example.org", "third", "x").await;
    f.take_all().await.unwrap();
    assert_eq!(
        (f.received("alice@example.org").await.len(), f.state_of("alice@example.org").await),
        (2, Some(MemberState::Active))
    );
    f.sound().await;
}

#[tokio::test]
async fn mail_for_the_owners_goes_to_them_and_comes_back_nowhere() {
    let f = fixture(garden()).await;
    f.mail("zoe@far.example", "garden-owner@example.org", "Question", "x").await;
    let got = f.received("owner@example.org").await;
    assert_eq!(got.len(), 1);
    f.held(f.list.id, "<>", "garden-owner@example.org", None, &dsn("5.1.1")).await;
    f.take_all().await.unwrap();
    assert_eq!(f.received("owner@example.org").await.len(), 1);
    assert_eq!(f.in_mailbox("INBOX").await, 0);
}

#[tokio::test]
async fn a_deleted_list_leaves_nothing() {
    let mut f = fixture(ListObject { moderated: true, ..garden() }).await;
    f.set(|list| list.settings.reply_to = ReplyTo::List).await;
    f.member("bob@far.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "x").await;
    let content = message("bob@far.example", "garden@example.org", "Late", "x");
    f.held(f.list.id, "<bob@far.example>", "garden@example.org", None, &content).await;
    f.store.remove_list(&address("garden@example.org")).await.unwrap();
    f.take_all().await.unwrap();
    assert!(f.store.events_after(Topic::HeldMessage, 0, 9).await.unwrap().is_empty());
    f.sound().await;
}
