//! Whole looks on a store in memory, at small servers: once each, whatever breaks.

use std::net::SocketAddr;

use delivery::DeliverySettings;
use mail::{AccountId, Address, Domain, InternalDate, SystemFlags, Uid};
use routing::objects::{
    AccountObject, AfterFetch, DomainObject, ExternalProtocol, ExternalSecurity, Object, ObjectKey, SealedPassword,
};
use rustls::ServerConfig;
use rustls_pki_types::PrivateKeyDer;
use storage::MemoryEngine;
use storage::objects::PutMode;
use storage::rows::MessageRow;
use storage::trace::{Term, TraceQuery};
use tokio_rustls::TlsAcceptor;
use world::simulated::SimulatedWorld;

use self::far::{Far, State};
use super::*;

mod far;
mod filters;

const START: Timestamp = Timestamp(1_790_000_000_000);
const AT: &str = "127.0.0.1:1143";

struct Near {
    sim: SimulatedWorld,
    engine: MemoryEngine,
    bus: Bus,
    fetch: Fetch,
    alice: AccountId,
}

impl Near {
    async fn open(sim: SimulatedWorld, engine: MemoryEngine, bus: Bus) -> Self {
        let store = Store::open(Arc::new(engine.clone()), sim.world()).await.unwrap();
        let hostname = Domain::parse("mx.a.example").unwrap();
        let delivery = Delivery::new(store, DeliverySettings { hostname, message_octets_max: 100_000 });
        let fetch = Fetch::new(delivery, Settings::default()).await.unwrap();
        Self { sim, engine, bus, fetch, alice: AccountId(1) }
    }

    async fn new(pop3: bool, edit: impl FnOnce(&mut ExternalAccountObject)) -> (Self, Far) {
        let (sim, bus) = (SimulatedWorld::new(START, 7), Bus::new());
        let engine = MemoryEngine::new(Arc::new(bus.clone()));
        let near = Self::open(sim, engine, bus).await;
        let domain = DomainObject::new(Domain::parse("a.example").unwrap());
        near.store().put_object(Object::Domain(domain), PutMode::Add).await.unwrap();
        let alice = Address::parse("alice@a.example").unwrap();
        let account = AccountObject { language: "fr".into(), ..AccountObject::new(alice.clone()) };
        near.store().add_account(account).await.unwrap();
        let protocol = if pop3 { ExternalProtocol::Pop3 } else { ExternalProtocol::Imap };
        let host = Domain::literal("127.0.0.1".parse().unwrap());
        let mut external = ExternalAccountObject::new(alice, protocol, host, "far".into());
        external.id = near.store().next_external().await.unwrap();
        (external.port, external.security) = (1143, ExternalSecurity::None);
        external.password = Some(SealedPassword(near.fetch.sealer.seal(external.id, &"hunter2".into()).unwrap()));
        edit(&mut external);
        near.store().put_object(Object::External(external), PutMode::Add).await.unwrap();
        let far = Far::listen(&near.sim, AT.parse::<SocketAddr>().unwrap(), pop3);
        (near, far)
    }

    fn store(&self) -> &Store {
        self.fetch.store()
    }

    fn external(&self) -> Arc<ExternalAccountObject> {
        self.store().directory().external(1).unwrap().clone()
    }

    async fn change(&self, edit: impl FnOnce(&mut ExternalAccountObject)) {
        let mut external = (*self.external()).clone();
        edit(&mut external);
        self.store().put_object(Object::External(external), PutMode::Replace).await.unwrap();
    }

    async fn look(&self) -> FetchStatus {
        self.fetch.look(&self.external()).await.unwrap();
        self.status().await
    }

    async fn status(&self) -> FetchStatus {
        self.store().fetch_status(1).await.unwrap()
    }

    async fn rows(&self) -> Vec<MessageRow> {
        let inbox = self.store().inbox(self.alice).await.unwrap();
        self.store().messages(self.alice, inbox.id, Uid(1), Uid(u32::MAX), 1000).await.unwrap()
    }

    async fn contents(&self) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        for row in self.rows().await {
            let mut reader = self.store().blob(&row.blob).await.unwrap().unwrap();
            all.push(reader.read(0, u64::MAX).await.unwrap());
        }
        all
    }

    async fn sound(&self) {
        let mut found = Vec::new();
        storage::check::check(self.store(), true, &mut |finding| found.push(finding.to_string())).await.unwrap();
        assert!(found.is_empty(), "{found:?}");
    }
}

fn text(n: u32) -> Vec<u8> {
    format!("Received: by far\r\nFrom: w@b.example\r\nSubject: {n}\r\n\r\n.dot {n}\r\n..\r\n.\r\nend\r\n").into_bytes()
}

fn three(far: &Far) -> Vec<Vec<u8>> {
    far.put(3, "\\Seen \\Flagged $x", &text(1));
    far.put(5, "\\Answered \\Deleted", &text(2));
    far.put(8, "", &text(3));
    (1..=3).map(text).collect()
}

#[tokio::test]
async fn m08_imap_brings_each_message_once_with_flags_and_date() {
    let (near, far) = Near::new(false, |_| ()).await;
    let all = three(&far);
    let status = near.look().await;
    assert_eq!((status.last_error, status.fetched, status.skipped, status.progress), (None, 3, 0, None));
    assert_eq!(near.contents().await, all);
    let rows = near.rows().await;
    let flags: Vec<SystemFlags> = rows.iter().map(|row| row.system_flags).collect();
    let seen = SystemFlags::SEEN.union(SystemFlags::FLAGGED);
    assert_eq!(flags, [seen, SystemFlags::ANSWERED, SystemFlags::default()]);
    assert!(rows.iter().all(|row| row.internal_date == InternalDate { secs: 837_596_665, offset_minutes: -420 }));
    near.look().await;
    far.put(9, "", &text(4));
    assert_eq!(near.look().await.fetched, 4);
    assert_eq!((near.rows().await.len(), far.uids().len()), (4, 4));
    assert_eq!((far.heard("BODY.PEEK"), far.heard("SELECT \"")), (4, 0));
    near.sound().await;
}

#[tokio::test]
async fn m08_pop3_brings_each_message_once_and_dots_are_as_written() {
    let (near, far) = Near::new(true, |external| external.mailbox = "Elsewhere/Old".into()).await;
    let all = three(&far);
    assert_eq!(near.look().await.last_error, None);
    let made = near.store().mailbox_by_name(near.alice, "Elsewhere/Old").await.unwrap().unwrap();
    assert_eq!(made.messages, 3);
    near.change(|external| external.mailbox = "INBOX".into()).await;
    far.put(8, "", &text(4)); // The UIDL of another message: a server that lies.
    assert_eq!(near.look().await.fetched, 4);
    assert_eq!(near.contents().await, [text(4)]);
    assert_eq!(far.heard("RETR"), 4);
    assert_eq!(all.len(), 3);
    near.sound().await;
}

#[tokio::test]
async fn m08_answers_are_the_same_however_they_are_cut() {
    for pop3 in [false, true] {
        for step in [1, 2, 3, 5, 7, 11, 64, 100] {
            let (near, far) = Near::new(pop3, |_| ()).await;
            let all = three(&far);
            far.0.lock().step = step;
            assert_eq!(near.look().await.last_error, None, "{pop3} {step}");
            assert_eq!(near.contents().await, all, "{pop3} {step}");
        }
    }
}

/// The connection ends after each octet of what the server says, and the next look goes on from there.
#[tokio::test]
async fn m08_a_connection_that_breaks_anywhere_loses_and_doubles_nothing() {
    for pop3 in [false, true] {
        for cut in (0..2_000).step_by(7) {
            let (near, far) = Near::new(pop3, |_| ()).await;
            let all = three(&far);
            far.0.lock().cut = Some(cut);
            let broken = near.look().await;
            far.0.lock().cut = None;
            assert_eq!(near.look().await.last_error, None);
            assert_eq!(near.contents().await, all, "{pop3} cut at {cut}");
            if broken.last_error.is_none() {
                break;
            }
        }
    }
}

#[tokio::test]
async fn m08_a_power_cut_at_each_commit_loses_and_doubles_nothing() {
    for pop3 in [false, true] {
        let mut whole = false;
        for commits in 0..50 {
            let (near, far) = Near::new(pop3, |external| external.after_fetch = AfterFetch::Delete).await;
            let mut all: Vec<Vec<u8>> = (1..=45).map(text).collect();
            (1..=45).for_each(|n| far.put(n, "", &text(n)));
            near.engine.fail_after(commits, StorageError::Io("cut".into()));
            near.fetch.look(&near.external()).await.ok();
            near.engine.heal();
            let left = near.engine.after_power_cut(Arc::new(near.bus.clone()));
            let deleted = far.uids().is_empty();
            let again = Near::open(near.sim.clone(), left, near.bus.clone()).await;
            assert_eq!(again.look().await.last_error, None, "{pop3} {commits}");
            let mut got = again.contents().await;
            got.sort_unstable();
            all.sort_unstable();
            assert_eq!(got, all, "{pop3} {commits}");
            assert_eq!(far.uids(), Vec::<u32>::new(), "{pop3} {commits}");
            again.sound().await;
            whole |= deleted && commits > 3;
            if whole {
                break;
            }
        }
        assert!(whole, "no look was long enough");
    }
}

#[tokio::test]
async fn m08_new_numbers_of_a_folder_bring_no_doubles() {
    let (near, far) = Near::new(false, |_| ()).await;
    three(&far);
    near.look().await;
    {
        let State { validity, messages, .. } = &mut *far.0.lock();
        *validity = 8;
        messages.iter_mut().zip(1..).for_each(|(one, uid)| one.uid = uid);
    }
    far.put(4, "", &text(4));
    let status = near.look().await;
    assert_eq!((status.last_error, status.fetched, near.rows().await.len()), (None, 4, 4));
}

#[tokio::test]
async fn m08_deleting_there_touches_only_what_is_here() {
    for (uidplus, others, left) in [(true, true, vec![1]), (false, false, vec![]), (false, true, vec![1, 3, 5, 8])] {
        let (near, far) = Near::new(false, |external| external.after_fetch = AfterFetch::Delete).await;
        far.0.lock().uidplus = uidplus;
        if others {
            near.change(|external| external.after_fetch = AfterFetch::Leave).await;
            far.put(1, "\\Deleted", &text(9));
            near.look().await;
            near.change(|external| external.after_fetch = AfterFetch::Delete).await;
        }
        for (uid, n) in [(3, 1), (5, 2), (8, 3)] {
            far.put(uid, "", &text(n));
        }
        assert_eq!(near.look().await.last_error, None);
        assert_eq!(far.uids(), left, "{uidplus} {others}");
    }
}

#[tokio::test]
async fn m08_deleting_waits_its_days() {
    for pop3 in [false, true] {
        let (near, far) = Near::new(pop3, |external| external.after_fetch = AfterFetch::DeleteAfterDays(3)).await;
        three(&far);
        near.look().await;
        near.sim.clock.advance(Duration::from_secs(3 * 86_400 - 1));
        far.put(20, "", &text(4));
        near.look().await;
        assert_eq!(far.uids().len(), 4);
        near.sim.clock.advance(Duration::from_secs(1));
        assert_eq!(near.look().await.last_error, None);
        assert_eq!(far.uids(), [20], "{pop3}");
        assert_eq!(near.rows().await.len(), 4);
        near.sound().await;
    }
}

/// A content that is here already, under another name there: it may be the only one that is left there.
#[tokio::test]
async fn m08_pop3_deletes_there_only_what_this_account_has_stored() {
    let (near, far) = Near::new(true, |external| external.after_fetch = AfterFetch::Delete).await;
    far.put(1, "", &text(1));
    assert_eq!(near.look().await.last_error, None);
    assert_eq!((far.uids(), near.rows().await.len()), (vec![], 1));
    far.put(2, "", &text(1));
    far.put(3, "", &text(3));
    for _ in 0..2 {
        assert_eq!(near.look().await.last_error, None);
        assert_eq!((far.uids(), near.rows().await.len()), (vec![2], 2));
    }
    assert_eq!(far.heard("RETR"), 3, "it is remembered");
    near.sound().await;
}

/// Where messages have no names, what a look that broke off has stored is deleted by the next one.
#[tokio::test]
async fn m08_pop3_without_names_comes_to_its_end_all_the_same() {
    let (near, far) = Near::new(true, |external| external.after_fetch = AfterFetch::Delete).await;
    let all = three(&far);
    let broken = |verb: &'static str, answer: &'static [u8]| {
        move |line: &str| match line {
            "UIDL" => Some(b"-ERR what\r\n".to_vec()),
            line => line.contains(verb).then(|| answer.to_vec()),
        }
    };
    far.0.lock().says = Some(Box::new(broken("DELE", b"-ERR not now\r\n")));
    assert!(near.look().await.last_error.is_some());
    assert_eq!((far.uids().len(), near.contents().await), (3, all.clone()));
    far.0.lock().says = Some(Box::new(broken("none", b"")));
    assert_eq!(near.look().await.last_error, None);
    assert_eq!((far.uids().len(), near.contents().await), (0, all));
    near.sound().await;
}

#[tokio::test]
async fn m08_what_was_fetched_is_forgotten_when_it_matters_no_more() {
    let day = Duration::from_secs(86_400);
    let kept = |near: &Near| near.engine.rows().keys().filter(|key| key[0] == 0x48 && key.contains(&b'c')).count();
    // What stays there is known for good, while its mailbox is here.
    let (near, far) = Near::new(false, |external| external.mailbox = "Old".into()).await;
    three(&far);
    near.look().await;
    near.sim.clock.advance(day.saturating_mul(10_000));
    assert_eq!((near.fetch.sweep().await.unwrap(), kept(&near)), (0, 3));
    near.store().delete_mailbox(near.alice, "Old").await.unwrap();
    assert_eq!((near.fetch.sweep().await.unwrap(), kept(&near)), (3, 0));
    near.sound().await;
    // What is deleted there is, some months later.
    let (near, far) = Near::new(false, |external| external.after_fetch = AfterFetch::DeleteAfterDays(10)).await;
    three(&far);
    near.look().await;
    near.sim.clock.advance(day.saturating_mul(10) + limits::CONTENT_KEEP);
    assert_eq!((near.fetch.sweep().await.unwrap(), kept(&near)), (0, 3));
    near.sim.clock.advance(Duration::from_secs(1));
    assert_eq!((near.fetch.sweep().await.unwrap(), kept(&near)), (3, 0));
    near.sound().await;
}

#[tokio::test]
async fn m08_a_look_that_breaks_off_is_not_begun_again_at_once() {
    let (near, far) = Near::new(false, |_| ()).await;
    three(&far);
    let asked = |tx: &mut storage::Transaction<'_>| {
        tx.put_fetch_status(1, &FetchStatus { asked: true, ..FetchStatus::default() })
    };
    near.store().transact(asked).await.unwrap();
    near.engine.fail_after(0, StorageError::Io("cut".into()));
    let stop = CancellationToken::new();
    let (fetch, bus, token) = (near.fetch.clone(), near.bus.clone(), stop.clone());
    let worker = tokio::spawn(async move { fetch.run(&bus, token).await });
    let turns = async || {
        for _ in 0..5_000 {
            tokio::task::yield_now().await;
        }
    };
    turns().await;
    assert_eq!(far.heard("LOGIN"), 1);
    storage::Doorbell::ring(&near.bus, &[mail::Notice::Directory]);
    turns().await;
    assert_eq!(far.heard("LOGIN"), 1, "an edit of something else");
    near.sim.clock.advance(IDLE);
    turns().await;
    assert_eq!(far.heard("LOGIN"), 2);
    near.engine.heal();
    near.change(|external| external.name = "another".into()).await;
    turns().await;
    assert_eq!((far.heard("LOGIN"), near.rows().await.len()), (3, 3), "it was changed");
    stop.cancel();
    worker.await.unwrap().unwrap();
}

#[tokio::test]
async fn m08_a_full_mailbox_takes_what_fits_and_goes_on_when_there_is_room() {
    let (near, far) = Near::new(false, |_| ()).await;
    let all = three(&far);
    let quota = |octets: Option<u64>| {
        let account = (**near.store().directory().account_by_id(near.alice).unwrap()).clone();
        near.store().put_object(Object::Account(AccountObject { quota_octets: octets, ..account }), PutMode::Replace)
    };
    quota(Some(all[0].len() as u64 * 2 + 10)).await.unwrap();
    let status = near.look().await;
    assert!(status.last_error.unwrap().contains("quota"));
    assert_eq!(near.contents().await, all[..2]);
    quota(None).await.unwrap();
    assert_eq!(near.look().await.last_error, None);
    assert_eq!(near.contents().await, all);
}

#[tokio::test]
async fn m08_what_is_too_large_is_passed_over_and_told() {
    for pop3 in [false, true] {
        let (near, far) = Near::new(pop3, |external| external.after_fetch = AfterFetch::Delete).await;
        far.put(3, "", &[b'x'; 100_001]);
        far.put(4, "", &text(1));
        let status = near.look().await;
        assert_eq!((status.last_error, status.fetched, status.skipped), (None, 1, 1));
        assert!(status.last_skipped.unwrap().contains("larger"));
        // Never deleted there: it is nowhere else.
        assert_eq!(far.uids(), [3]);
        assert_eq!(near.look().await.skipped, 1);
    }
}

#[tokio::test]
async fn m08_what_was_fetched_and_what_was_not_has_its_trace() {
    for (pop3, by) in [(false, "IMAP"), (true, "POP3")] {
        let (near, far) = Near::new(pop3, |_| ()).await;
        far.put(3, "", b"From: w@b.example\r\nMessage-ID: <one@far>\r\n\r\nText\r\n");
        far.put(4, "", &[b'x'; 100_001]);
        near.look().await;
        near.look().await;
        let query = |term| TraceQuery { term: Some(term), limit: 10, ..TraceQuery::default() };
        let of_message = near.store().traces(&query(Term::MessageId("one@far".into()))).await.unwrap();
        let [trace] = of_message.as_slice() else { panic!("one trace: {of_message:?}") };
        let told: Vec<String> = trace.steps.iter().map(|taken| taken.step.to_string()).collect();
        assert!(told[0].starts_with("received by fetch from ") && told[0].contains(by), "{told:?}");
        let owner = near.external().owner.clone();
        assert!(told[1].starts_with(&format!("delivered to {owner}, mailbox ")), "{told:?}");
        let all = near.store().traces(&query(Term::Recipient(owner))).await.unwrap();
        assert_eq!(all.len(), 2, "{all:?}");
        assert!(all.iter().any(|trace| trace.steps[0].step.to_string().contains("larger")), "{all:?}");
        near.sound().await;
    }
}

#[tokio::test]
async fn m08_a_server_that_lies_of_a_size_is_cut_off_and_the_next_message_comes() {
    let (near, far) = Near::new(false, |_| ()).await;
    three(&far);
    far.0.lock().says = Some(Box::new(|line| {
        let lie = line.contains("UID FETCH 3 (UID BODY");
        lie.then(|| b"* 1 FETCH (UID 3 BODY[] {99999999999999999999}\r\nxxx".to_vec())
    }));
    let status = near.look().await;
    assert_eq!((status.last_error, status.skipped), (None, 1));
    assert_eq!(near.look().await.fetched, 2);
    assert_eq!(near.contents().await, [text(2), text(3)]);
}

#[tokio::test]
async fn m08_hostile_answers_end_the_look_with_a_reason() {
    let hostile: [(&str, Vec<u8>, &str); 7] = [
        ("CAPABILITY", vec![b'x'; 50_000], "no end"),
        ("LOGIN", b"* BYE go away\r\n".to_vec(), "closed"),
        ("LOGIN", b"r9 OK what\r\n".to_vec(), "protocol"),
        ("EXAMINE", b"* OK {999999}\r\n".to_vec(), "nobody asked for"),
        ("SEARCH", b"+ more\r\n".to_vec(), "wants more"),
        ("EXAMINE", b"* x\0\r\n".to_vec(), "NUL"),
        ("EXAMINE", b"r3 NO hunter2 is what you said\r\n".to_vec(), "… is what you said"),
    ];
    for (verb, answer, reason) in hostile {
        let (near, far) = Near::new(false, |_| ()).await;
        three(&far);
        far.0.lock().says = Some(Box::new(move |line| line.contains(verb).then(|| answer.clone())));
        let error = near.look().await.last_error.unwrap();
        assert!(error.contains(reason) && !error.contains("hunter2"), "{verb}: {error}");
        far.0.lock().says = None;
        assert_eq!(near.look().await.fetched, 3);
    }
}

#[tokio::test]
async fn m08_a_wrong_password_is_told_and_never_repeated() {
    for pop3 in [false, true] {
        let (near, far) = Near::new(pop3, |_| ()).await;
        far.0.lock().says = Some(Box::new(|line| {
            let secret = line.contains("hunter2");
            let tag = line.split(' ').next().unwrap().to_owned();
            secret.then(|| {
                format!("{} wrong: {line}\r\n", if tag == "PASS" { "-ERR".into() } else { tag + " NO" }).into()
            })
        }));
        let error = near.look().await.last_error.unwrap();
        assert!(error.contains("refused the login") && !error.contains("hunter2"), "{error}");
        let (steps, failed) = near.fetch.test(&near.external()).await;
        assert!(steps.len() == 1 && failed.unwrap().contains("refused the login"));
        // Somebody else's sealed password is of no use.
        near.change(|external| {
            external.password = Some(SealedPassword(near.fetch.sealer.seal(2, &"hunter2".into()).unwrap()));
        })
        .await;
        assert!(near.look().await.last_error.unwrap().contains("set it again"));
    }
}

#[tokio::test]
async fn m08_a_test_tells_what_works() {
    for pop3 in [false, true] {
        let (near, far) = Near::new(pop3, |_| ()).await;
        three(&far);
        let (steps, failed) = near.fetch.test(&near.external()).await;
        assert_eq!(failed, None);
        assert_eq!(steps.len(), 3);
        assert!(steps[2].contains("3 messages"), "{steps:?}");
        assert!(near.rows().await.is_empty());
    }
}

#[tokio::test]
async fn m08_a_silent_server_is_given_up() {
    let (near, far) = Near::new(false, |_| ()).await;
    far.0.lock().silent = true;
    let (fetch, external) = (near.fetch.clone(), near.external());
    let look = tokio::spawn(async move { fetch.look(&external).await });
    while !look.is_finished() {
        near.sim.clock.advance(Duration::from_secs(10));
        tokio::task::yield_now().await;
    }
    assert!(near.status().await.last_error.unwrap().contains("in time"));
}

#[tokio::test]
async fn m08_after_a_day_of_failures_the_owner_has_one_letter() {
    let (near, _far) = Near::new(false, |_| ()).await;
    near.sim.connector.close(AT.parse().unwrap());
    for _ in 0..20 {
        near.look().await;
        near.sim.clock.advance(Duration::from_secs(6 * 3_600));
    }
    let letters = near.contents().await;
    assert_eq!(letters.len(), 1);
    let letter = String::from_utf8(letters[0].clone()).unwrap();
    assert!(letter.contains("Content-Language: fr") && letter.contains("Auto-Submitted"), "{letter}");
    let status = near.status().await;
    assert_eq!((status.failures, status.told), (20, true));
    let far = Far::listen(&near.sim, AT.parse().unwrap(), false);
    three(&far);
    let status = near.look().await;
    assert_eq!((status.failures, status.told, status.failing_since), (0, false, None));
}

fn certificate(name: &str) -> (String, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .unwrap();
    (made.cert.pem(), TlsAcceptor::from(Arc::new(config)))
}

#[tokio::test]
async fn m08_tls_and_starttls_check_the_certificate_before_the_password_goes() {
    for pop3 in [false, true] {
        for (security, implicit) in [(ExternalSecurity::Tls, true), (ExternalSecurity::Starttls, false)] {
            let (pem, acceptor) = certificate("127.0.0.1");
            let (near, far) = Near::new(pop3, |external| external.security = security).await;
            let all = three(&far);
            far.0.lock().tls = Some((acceptor, implicit));
            let error = near.look().await.last_error.unwrap();
            assert!(error.contains("TLS") && far.heard("hunter2") == 0, "{error}");
            let other = certificate("127.0.0.1").0;
            near.change(|external| external.ca_pem = Some(other)).await;
            assert!(near.look().await.last_error.is_some() && far.heard("hunter2") == 0);
            near.change(|external| external.ca_pem = Some(pem)).await;
            assert_eq!(near.look().await.last_error, None);
            assert_eq!(near.contents().await, all);
        }
        // No STARTTLS there: the password does not go.
        let (near, far) = Near::new(pop3, |external| external.security = ExternalSecurity::Starttls).await;
        assert!(near.look().await.last_error.unwrap().contains("STARTTLS"));
        assert_eq!(far.heard("hunter2"), 0);
    }
}

#[tokio::test]
async fn m08_plain_text_goes_to_this_machine_alone() {
    let (near, far) = Near::new(false, |external| external.host = Domain::parse("b.example").unwrap()).await;
    near.sim.resolver.set_addresses(Domain::parse("b.example").unwrap(), Ok(vec!["192.0.2.1".parse().unwrap()]));
    assert!(near.look().await.last_error.unwrap().contains("this machine itself only"));
    assert_eq!(far.heard(""), 0);
}

#[tokio::test]
async fn m08_the_worker_looks_when_due_and_hears_of_changes_and_stops() {
    let (near, far) = Near::new(false, |_| ()).await;
    far.put(1, "", &text(1));
    let stop = CancellationToken::new();
    let (fetch, bus, token) = (near.fetch.clone(), near.bus.clone(), stop.clone());
    let worker = tokio::spawn(async move { fetch.run(&bus, token).await });
    let until = async |count: usize| {
        for _ in 0..100_000 {
            if near.rows().await.len() == count && near.status().await.progress.is_none() {
                return;
            }
            tokio::task::yield_now().await;
        }
        panic!("{count} messages did not come");
    };
    until(1).await;
    far.put(2, "", &text(2));
    near.sim.clock.advance(Duration::from_secs(301));
    until(2).await;
    near.change(|external| external.enabled = false).await;
    far.put(3, "", &text(3));
    for _ in 0..1_000 {
        near.sim.clock.advance(Duration::from_secs(301));
        tokio::task::yield_now().await;
    }
    until(2).await;
    near.change(|external| external.enabled = true).await;
    until(3).await;
    near.store().remove_external(1).await.unwrap();
    assert!(near.store().directory().external(1).is_none());
    stop.cancel();
    worker.await.unwrap().unwrap();
    assert_eq!(near.rows().await.len(), 3);
    near.sound().await;
    let key = ObjectKey::External(1);
    assert!(near.store().remove_object(key).await.is_err());
}

/// RFC 8601 §5: what claims to be a result of this server goes, whoever kept it until now; the results of others stay.
#[tokio::test]
async fn results_in_this_servers_name_are_taken_out_of_what_is_fetched() {
    let results = |name: &str| format!("Authentication-Results: {name};\r\n\tdmarc=pass header.from=bank.example\r\n");
    let (ours, others) = (results("MX.a.example"), results("mx.b.example"));
    let rest = "From: w@bank.example\r\nSubject: x\r\n";
    for pop3 in [false, true] {
        let (near, far) = Near::new(pop3, |_| ()).await;
        far.put(1, "", format!("{ours}{others}{rest}{ours}\r\n{ours}body\r\n").as_bytes());
        // A header that ends with the message, in the middle of such a field.
        far.put(2, "", format!("{rest}{ours}").as_bytes());
        far.put(3, "", format!("{rest}{others}").as_bytes());
        assert_eq!(near.look().await.last_error, None);
        let kept: Vec<String> =
            near.contents().await.into_iter().map(|content| String::from_utf8(content).unwrap()).collect();
        assert_eq!(kept, [format!("{others}{rest}\r\n{ours}body\r\n"), rest.to_owned(), format!("{rest}{others}")]);
        near.sound().await;
    }
}
