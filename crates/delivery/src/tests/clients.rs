//! What follows from what is known of a client: lists in the DNS, names, former mail; and who is asked to come again.

use std::collections::BTreeMap;
use std::future::pending;
use std::net::IpAddr;
use std::time::Duration;

use mail::{Domain, Reply};
use parking_lot::Mutex;
use reputation::doubts::OwnNames;
use reputation::standing::{Sender, What};
use reputation::{AnswerTable, List, ListUse, Subject};
use sender_auth::verify::{
    Arrived, Authentication, Client, Dmarc, Entitled, Iprev, Outcome, Published, Rules, Said, SenderAuthentication,
    Spf, SpfSeen,
};
use spam::Points;
use storage::spam::Lesson;
use storage::submitted::Submission;
use world::{BoxFuture, ResolveError};

use super::checks::RECEIVED;
use super::*;
use crate::{Admission, Checks, ClientSettings, Clients, ContentFilter, Greylisting, PATIENCE};

const CLIENT: &str = "192.0.2.7";
const MINUTE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(86_400);

fn domain(text: &str) -> Domain {
    text.parse().unwrap()
}

fn list(zone: &str, subject: Subject, used: ListUse, answers: &[(&str, i32)]) -> List {
    let rows: BTreeMap<String, Points> =
        answers.iter().map(|(answer, points)| ((*answer).to_owned(), Points(*points))).collect();
    let answers = if rows.is_empty() { AnswerTable::every(Points(10)) } else { AnswerTable::of(&rows).unwrap() };
    List { zone: domain(zone), subject, used, answers }
}

/// What is tried, and how a list comes to answer so.
type Case = (&'static str, fn(&Door));

/// A server with a DNS of its own.
struct Door {
    sim: SimulatedWorld,
    f: Fixture,
    delivery: Delivery,
    found: Authentication,
}

impl Door {
    async fn new(lists: Vec<List>, found: Authentication) -> Self {
        let by = Arc::new(Said(found.clone()));
        Self::checked_by(lists, found, by).await
    }

    async fn checked_by(lists: Vec<List>, found: Authentication, by: Arc<dyn SenderAuthentication>) -> Self {
        let sim = SimulatedWorld::new(Timestamp(1_700_000_000_000), 7);
        let f = fixture_in(&sim).await;
        let settings = ClientSettings {
            lists,
            own: OwnNames { hosts: vec![domain("mx.example.org")], addresses: vec!["198.51.100.1".parse().unwrap()] },
            doubts: true,
            standing: true,
            greylist: Some(Greylisting { threshold: Points(25), times: reputation::GreylistSettings::default() }),
        };
        let clients = Clients::new(sim.world(), Some(by.clone()), settings);
        let filter = ContentFilter { threshold: Points::THRESHOLD, refuse: Some(Points(150)) };
        let delivery =
            f.delivery.clone().checking(Checks::new(by, Rules::default())).judging_content(filter).knowing(clients);
        Self { sim, f, delivery, found }
    }

    fn clients(&self) -> &Clients {
        self.delivery.clients().unwrap()
    }

    /// A list answers at its test points.
    fn sound(&self, zone: &str) {
        let listed = Ok(vec!["127.0.0.2".parse().unwrap()]);
        for name in ["2.0.0.127", "test"] {
            self.sim.resolver.set_addresses(domain(&format!("{name}.{zone}")), listed.clone());
        }
    }

    fn answers(&self, name: &str, answers: &[&str]) {
        let answers = answers.iter().map(|ip| ip.parse::<IpAddr>().unwrap()).collect();
        self.sim.resolver.set_addresses(domain(name), Ok(answers));
    }

    /// Looks at the lists once.
    async fn tested(&self) {
        self.clients().test_lists(async {}).await;
    }

    /// What RCPT is answered; `welcome` when it is let in.
    async fn asked(&self, ip: &str, helo: &str, sender: &str, to: &str) -> (String, String) {
        let reverse_path = Address::parse(sender).map_or(ReversePath::Null, ReversePath::Address);
        let asking = Asking { reverse_path, ..Asking::anyone(self.f.store.now()) };
        let path = ForwardPath::parse(&format!("<{to}>")).unwrap();
        let introduction =
            self.clients().introduction(ip.parse().unwrap(), Some(helo), asking.reverse_path.address()).await;
        match self.delivery.admit(&introduction, &asking, &path).await {
            Admission::Welcome => ("welcome".to_owned(), String::new()),
            Admission::Turned(turned) => (turned.reply.to_string(), turned.why),
        }
    }

    async fn reply(&self, ip: &str, helo: &str, sender: &str, to: &str) -> String {
        self.asked(ip, helo, sender, to).await.0
    }

    /// A message that comes, and what its trace says.
    async fn came(&self, text: &str) -> Result<(Applied, String), Reply> {
        let (ip, helo, sender) = (CLIENT.parse().unwrap(), "mx.far.example", address("zoe@far.example"));
        let client = Client { ip, helo: Some(helo.to_owned()), reverse_path: Some(sender.clone()) };
        let mut intake = self.delivery.checked_intake(client, RECEIVED).await.unwrap();
        intake.introduced(self.clients().introduction(ip, Some(helo), Some(&sender)).await);
        intake.write(text.as_bytes()).await.unwrap();
        let prepared = intake.finish(envelope(&["alice@example.org"])).await.map_err(|Refused(reply)| reply)?;
        let applied = self.f.store.transact(move |tx| prepared.apply(tx)).await.unwrap().value;
        self.sound_store().await;
        Ok((applied, self.f.steps_of("alice@example.org").await.join("\n")))
    }

    async fn sound_store(&self) {
        let checked = storage::check::check(&self.f.store, true, &mut |finding| panic!("{finding}")).await.unwrap();
        assert_eq!(checked.findings, 0);
    }
}

/// A client with a name, and SPF.
fn good() -> Authentication {
    Authentication {
        iprev: Iprev { outcome: Outcome::Pass, name: Some("mx.far.example".to_owned()) },
        spf: Spf { outcome: Outcome::Pass, domain: "far.example".to_owned(), explanation: None },
        ..Authentication::default()
    }
}

/// A client that nobody knows: no name, no SPF.
fn doubtful() -> Authentication {
    Authentication {
        iprev: Iprev { outcome: Outcome::PermanentError, name: None },
        spf: Spf { outcome: Outcome::None, domain: "far.example".to_owned(), explanation: None },
        ..Authentication::default()
    }
}

#[tokio::test]
async fn rfc5782_a_block_list_refuses_with_its_words_but_never_postmaster() {
    let door =
        Door::new(vec![list("bl.example", Subject::Addresses, ListUse::Block, &[("127.0.0.2-9", 10)])], good()).await;
    door.sound("bl.example");
    door.answers("7.2.0.192.bl.example", &["127.0.0.4"]);
    let text = format!("see https://bl.example/?ip={CLIENT}\r\n250 OK \u{e9}{}", "x".repeat(500));
    door.sim.resolver.set_txt(domain("7.2.0.192.bl.example"), Ok(vec![text]));
    // The trailing answer is one that does not count.
    door.answers("8.2.0.192.bl.example", &["127.0.0.10"]);
    door.tested().await;
    let (reply, why) = door.asked(CLIENT, "mx.far.example", "zoe@far.example", "alice@example.org").await;
    let said =
        "550 5.7.1 Refused: 192.0.2.7 is on the list bl.example: see https://bl.example/?ip=192.0.2.7??250 OK ?xxx";
    assert!(reply.starts_with(said) && reply.len() < 300, "{reply}");
    assert!(why.starts_with("the client is refused: 192.0.2.7 is on the list bl.example"), "{why}");
    for to in ["postmaster@example.org", "Abuse@example.org"] {
        assert_eq!(door.reply(CLIENT, "mx.far.example", "zoe@far.example", to).await, "welcome", "{to}");
    }
    assert_eq!(door.reply("192.0.2.8", "mx.far.example", "zoe@far.example", "alice@example.org").await, "welcome");
    // An allow list goes before.
    let lists = vec![
        list("bl.example", Subject::Addresses, ListUse::Block, &[]),
        list("wl.example", Subject::Addresses, ListUse::Allow, &[]),
    ];
    let door = Door::new(lists, doubtful()).await;
    door.sound("bl.example");
    door.sound("wl.example");
    door.answers("7.2.0.192.bl.example", &["127.0.0.4"]);
    door.answers("7.2.0.192.wl.example", &["127.0.9.2"]);
    door.tested().await;
    assert_eq!(door.reply(CLIENT, "mx.far.example", "zoe@far.example", "alice@example.org").await, "welcome");
}

#[tokio::test]
async fn what_a_list_does_not_answer_is_no_hit_and_no_pass() {
    let lists = |used| vec![list("l.example", Subject::Addresses, used, &[])];
    let servfail = |door: &Door| {
        let answer = Err(ResolveError::Temporary("SERVFAIL".to_owned()));
        door.sim.resolver.set_addresses(domain("7.2.0.192.l.example"), answer);
    };
    let cases: [Case; 7] = [
        ("SERVFAIL", servfail),
        ("a refusal", |door| door.answers("7.2.0.192.l.example", &["127.255.255.254"])),
        ("an answer of no list", |door| door.answers("7.2.0.192.l.example", &["203.0.113.9"])),
        ("an answer among others of no list", |door| {
            door.answers("7.2.0.192.l.example", &["127.0.0.2", "203.0.113.9"])
        }),
        ("an IPv6 address", |door| door.answers("7.2.0.192.l.example", &["2001:db8::1"])),
        ("127.0.0.1", |door| door.answers("7.2.0.192.l.example", &["127.0.0.1"])),
        ("nothing", |_| {}),
    ];
    for (what, set) in cases {
        let blocks = Door::new(lists(ListUse::Block), good()).await;
        blocks.sound("l.example");
        set(&blocks);
        blocks.tested().await;
        let reply = blocks.reply(CLIENT, "mx.far.example", "zoe@far.example", "alice@example.org").await;
        assert_eq!(reply, "welcome", "{what} on a block list");
        let allows = Door::new(lists(ListUse::Allow), doubtful()).await;
        allows.sound("l.example");
        set(&allows);
        allows.tested().await;
        let reply = allows.reply(CLIENT, "mx.far.example", "zoe@far.example", "alice@example.org").await;
        assert!(reply.starts_with("451 4.7.1 Greylisted"), "{what} on an allow list: {reply}");
    }
    // A thousand answers are a few.
    let many: Vec<String> = (0..5_000_u32).map(|n| format!("127.0.{}.{}", n / 250, n % 250)).collect();
    let blocks = Door::new(lists(ListUse::Block), good()).await;
    blocks.sound("l.example");
    blocks.answers("7.2.0.192.l.example", &many.iter().map(String::as_str).collect::<Vec<_>>());
    blocks.tested().await;
    assert!(
        blocks.reply(CLIENT, "mx.far.example", "zoe@far.example", "alice@example.org").await.starts_with("550 5.7.1")
    );
}

#[tokio::test]
async fn a_list_that_never_answers_keeps_a_recipient_waiting_for_some_seconds_at_the_most() {
    let door = Door::new(vec![list("l.example", Subject::Addresses, ListUse::Block, &[])], doubtful()).await;
    door.sound("l.example");
    door.tested().await;
    door.sim.resolver.silence(domain("192.l.example"));
    door.answers("mx.far.example", &[CLIENT]);
    // From the greeting on it is asked in the background.
    door.clients().connected(CLIENT.parse().unwrap());
    tokio::task::yield_now().await;
    let begun = door.f.store.now();
    let asked = door.reply(CLIENT, "mx.far.example", "zoe@far.example", "alice@example.org");
    let moved = async {
        loop {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            if let Some(next) = door.sim.clock.next_wake() {
                door.sim.clock.advance(next.since(door.f.store.now()));
            }
        }
    };
    let reply = tokio::select! { reply = asked => reply, _ = moved => unreachable!() };
    assert!(door.f.store.now().since(begun) <= PATIENCE, "{:?}", door.f.store.now().since(begun));
    // What else is known counts.
    assert!(reply.starts_with("451 4.7.1"), "{reply}");
}

#[tokio::test]
async fn rfc5782_a_list_that_lists_everything_or_nothing_is_not_used() {
    let lists = vec![
        list("wild.example", Subject::Addresses, ListUse::Block, &[]),
        list("gone.example", Subject::Domains, ListUse::Block, &[]),
        list("mute.example", Subject::Addresses, ListUse::Block, &[]),
        list("good.example", Subject::Domains, ListUse::Points, &[]),
    ];
    let door = Door::new(lists, good()).await;
    door.sim.resolver.set_wildcard(domain("wild.example"), vec!["127.0.0.2".parse().unwrap()]);
    let servfail = || Err(ResolveError::Temporary("SERVFAIL".to_owned()));
    door.sim.resolver.set_addresses(domain("2.0.0.127.mute.example"), servfail());
    door.answers("7.2.0.192.mute.example", &["127.0.0.2"]);
    door.sound("good.example");
    door.tested().await;
    assert_eq!(
        door.clients().notes(),
        [
            "the list wild.example is not used: it lists what no list lists (RFC 5782 §5): it answers yes to everything",
            "the list gone.example is not used: it does not list what every list lists (RFC 5782 §5): it is gone, or does not answer this resolver",
            "the list mute.example is not used: its test points did not answer yet",
        ]
    );
    let asked = async || door.reply(CLIENT, "mx.far.example", "zoe@far.example", "alice@example.org").await;
    assert_eq!(asked().await, "welcome");
    // It works again, and is used.
    door.sound("mute.example");
    door.tested().await;
    assert_eq!(door.clients().notes().len(), 2);
    door.sim.clock.advance(MINUTE * 11);
    assert!(asked().await.starts_with("550 5.7.1 Refused: 192.0.2.7 is on the list mute.example"));
    // It begins to list everything: seen within the hour, by who asks.
    door.sim.resolver.set_wildcard(domain("mute.example"), vec!["127.0.0.2".parse().unwrap()]);
    door.sim.clock.advance(MINUTE * 61);
    assert_eq!(asked().await, "welcome");
    assert_eq!(door.clients().notes().len(), 3);
}

#[tokio::test]
async fn domains_are_asked_for_by_ehlo_and_the_reverse_path() {
    let door = Door::new(vec![list("rhs.example", Subject::Domains, ListUse::Block, &[])], good()).await;
    door.sound("rhs.example");
    door.answers("bad.example.rhs.example", &["127.0.0.2"]);
    door.tested().await;
    for (helo, sender, refused) in [
        ("mx.far.example", "zoe@far.example", false),
        ("mx.far.example", "zoe@bad.example", true),
        ("bad.example", "zoe@far.example", true),
        ("bad.example", "", true),
        ("[192.0.2.7]", "zoe@[192.0.2.7]", false),
        ("nonsense!", "", false),
    ] {
        let reply = door.reply(CLIENT, helo, sender, "alice@example.org").await;
        assert_eq!(
            reply.starts_with("550 5.7.1 Refused: bad.example is on the list rhs.example"),
            refused,
            "{helo} {sender}: {reply}"
        );
    }
}

#[tokio::test]
async fn who_calls_itself_by_our_name_is_refused() {
    let door = Door::new(Vec::new(), good()).await;
    for (ip, helo, reply) in [
        (CLIENT, "MX.example.org", "550 5.7.1 Refused: you call yourself mx.example.org, which is this server"),
        (CLIENT, "[198.51.100.1]", "550 5.7.1 Refused: you call yourself [198.51.100.1], which is this server"),
        ("127.0.0.1", "mx.example.org", "welcome"),
        ("198.51.100.1", "mx.example.org", "welcome"),
    ] {
        assert_eq!(door.reply(ip, helo, "zoe@far.example", "alice@example.org").await, reply, "{helo} from {ip}");
    }
}

#[tokio::test]
async fn rfc6647_only_the_doubtful_are_asked_to_come_again_and_once() {
    let good = Door::new(Vec::new(), good()).await;
    good.answers("mx.far.example", &[CLIENT]);
    assert_eq!(good.reply(CLIENT, "mx.far.example", "zoe@far.example", "alice@example.org").await, "welcome");
    let door = Door::new(Vec::new(), doubtful()).await;
    let asked = async |sender: &str, to: &str| door.asked(CLIENT, "mx.far.example", sender, to).await;
    let (reply, why) = asked("zoe@far.example", "alice@example.org").await;
    assert_eq!(reply, "451 4.7.1 Greylisted: not known here yet, please try again in 5 min");
    assert_eq!(
        why,
        "the client is asked to come again in 300 s, it is doubted: the client's address has no name (1.5); the client calls itself \
         mx.far.example, which has no address (1.0); the sender's domain has no SPF (0.5); nothing has come from this sender before (0.5)"
    );
    door.sim.clock.advance(MINUTE * 2);
    let (reply, _) = asked("zoe@far.example", "bob@example.org").await;
    assert_eq!(reply, "451 4.7.1 Greylisted: not known here yet, please try again in 3 min");
    assert_eq!(door.reply("127.0.0.1", "x", "zoe@far.example", "alice@example.org").await, "welcome", "this machine");
    door.sim.clock.advance(MINUTE * 3);
    assert_eq!(asked("zoe@far.example", "alice@example.org").await.0, "welcome");
    assert_eq!(asked("max@far.example", "alice@example.org").await.0, "welcome", "the network is known");
    door.sound_store().await;
}

#[tokio::test]
async fn who_is_expected_is_not_asked_to_come_again() {
    let door = Door::new(Vec::new(), doubtful()).await;
    let asked = async |sender: &str, to: &str| door.reply(CLIENT, "mx.far.example", sender, to).await;
    let alice = door.f.id("alice@example.org");
    // She has written to them.
    let store = &door.f.store;
    let now = store.now();
    store.transact(move |tx| tx.learn_contacts(alice, [&address("ida@far.example")], now)).await.unwrap();
    assert_eq!(asked("ida@far.example", "alice@example.org").await, "welcome");
    assert!(asked("ida@far.example", "bob@example.org").await.starts_with("451"));
    // She has submitted something lately, and hears of it.
    assert!(asked("", "alice@example.org").await.starts_with("451"));
    let limits = routing::objects::SubmissionLimits::default();
    store
        .transact(move |tx| tx.count_submitted(alice, now, Submission { recipients: 1, first_time: 0 }, &limits))
        .await
        .unwrap();
    assert_eq!(asked("", "alice@example.org").await, "welcome");
    assert!(asked("", "bob@example.org").await.starts_with("451"));
    // A domain that has written before, with SPF.
    let door = Door::new(Vec::new(), Authentication { spf: good().spf, ..doubtful() }).await;
    let count = |door: &Door, what| {
        let (store, now) = (door.f.store.clone(), door.f.store.now());
        let sender = Sender::Domain(domain("far.example"));
        async move { store.transact(move |tx| tx.count_standing(std::slice::from_ref(&sender), what, now)).await.unwrap() }
    };
    let lists = async |door: &Door| door.reply(CLIENT, "x", "zoe@far.example", "alice@example.org").await;
    assert!(lists(&door).await.starts_with("451"), "no name, a wrong EHLO, and never seen");
    count(&door, What::Kept).await;
    assert_eq!(lists(&door).await, "welcome");
    for _ in 0..9 {
        count(&door, What::FoundSpam).await;
    }
    assert!(lists(&door).await.starts_with("451"), "what has written before was spam");
}

const LETTER: &str = "From: Zoe <zoe@far.example>\r\nDate: Fri, 27 Nov 2026 10:00:00 +0000\r\nMessage-ID: <1@far.example>\r\nSubject: Hello\r\n\r\nGood morning.\r\n";

#[tokio::test]
async fn lists_put_into_spam_and_the_trace_says_so() {
    let lists = vec![
        list("pts.example", Subject::Addresses, ListUse::Points, &[("127.0.0.2", 60)]),
        list("wl.example", Subject::Addresses, ListUse::Allow, &[]),
    ];
    let door = Door::new(lists, good()).await;
    door.sound("pts.example");
    door.sound("wl.example");
    door.answers("mx.far.example", &[CLIENT]);
    door.answers("7.2.0.192.pts.example", &["127.0.0.2"]);
    door.tested().await;
    let (applied, told) = door.came(LETTER).await.unwrap();
    let (content, place) = door.f.content(&applied, 0).await;
    assert_eq!(place, ["Junk", "$Junk"]);
    let unfolded = content.replace("\r\n\t", " ");
    assert!(
        unfolded.contains(
            "X-Spam-Reason: 6.5 points of 5.0: 192.0.2.7 is on the list pts.example; nothing has come from this sender"
        ),
        "{content}"
    );
    assert!(content.contains("dnswl=none dns.zone=wl.example dns.sec=na"), "{content}");
    assert!(told.contains("the client is doubted, 6.5 points: 192.0.2.7 is on the list pts.example (6.0)"), "{told}");
    assert!(told.contains("alice@example.org: goes to Spam: 6.5 points"), "{told}");
    // Who is vouched for has no doubts.
    door.answers("7.2.0.192.wl.example", &["127.0.9.2"]);
    door.sim.resolver.set_txt(domain("7.2.0.192.wl.example"), Ok(vec!["far.example".to_owned()]));
    door.sim.clock.advance(MINUTE * 11);
    let (applied, told) = door.came(LETTER).await.unwrap();
    let (content, place) = door.f.content(&applied, 0).await;
    assert_eq!(place, ["INBOX"]);
    assert!(
        content.contains("dnswl=pass dns.zone=wl.example dns.sec=na policy.ip=127.0.9.2 policy.txt=far.example"),
        "{content}"
    );
    assert!(told.contains("the client is not doubted: wl.example knows 192.0.2.7"), "{told}");
}

#[tokio::test]
async fn what_becomes_of_mail_is_counted_and_counts() {
    let dmarc = Dmarc {
        outcome: Outcome::Pass,
        domain: "mail.far.example".to_owned(),
        published: Some(Published { domain: "far.example".to_owned(), ..Published::default() }),
        ..Dmarc::default()
    };
    let door = Door::new(Vec::new(), Authentication { dmarc: vec![dmarc], ..good() }).await;
    door.answers("mx.far.example", &[CLIENT]);
    let organization = Sender::Domain(domain("far.example"));
    let standing = async || door.f.store.standing(&organization).await.unwrap();
    let (_, told) = door.came(LETTER).await.unwrap();
    assert!(told.contains("the client is doubted, 0.5 points: nothing has come from this sender before"), "{told}");
    assert_eq!(standing().await.kept, 1_000, "the domain of the record and the one of SPF are one sender");
    for _ in 0..9 {
        door.came(LETTER).await.unwrap();
        door.sim.clock.advance(DAY);
    }
    let (_, told) = door.came(LETTER).await.unwrap();
    assert!(told.contains("the client is not doubted: hardly any mail from far.example was spam"), "{told}");
    // She says that it is spam: once for each message, whatever she does with it.
    let blob = {
        let inbox = door.f.store.inbox(door.f.id("alice@example.org")).await.unwrap();
        door.f.store.message(door.f.id("alice@example.org"), inbox.id, Uid(1)).await.unwrap().unwrap().blob
    };
    let content = spam::Content::read(LETTER.as_bytes());
    for spam in [true, false, true] {
        let lesson = Lesson { said_at: Some(door.f.store.now()), ..Lesson::of(blob, &content, spam) };
        door.f.store.learn(door.f.id("alice@example.org"), lesson).await.unwrap();
    }
    assert_eq!((standing().await.said_spam, standing().await.said_ham), (1_000, 0));
    assert_eq!(door.found.spf.domain, "far.example");
    door.sound_store().await;
}

#[tokio::test]
async fn a_bad_standing_gives_points_and_refuses_nothing() {
    let door = Door::new(Vec::new(), good()).await;
    door.answers("mx.far.example", &[CLIENT]);
    let (store, now) = (&door.f.store, door.f.store.now());
    for _ in 0..30 {
        store
            .transact(move |tx| tx.count_standing(&[Sender::Domain(domain("far.example"))], What::SaidSpam, now))
            .await
            .unwrap();
    }
    let (applied, told) = door.came(LETTER).await.unwrap();
    assert!(told.contains("most former mail from far.example was spam: 3.0 points"), "{told}");
    assert_eq!(door.f.content(&applied, 0).await.1, ["INBOX"], "as long as nothing was learnt of content");
    assert_eq!(door.reply(CLIENT, "mx.far.example", "zoe@far.example", "alice@example.org").await, "welcome");
}

#[tokio::test]
async fn what_is_spam_by_its_senders_standing_alone_does_not_make_it_worse() {
    let door = Door::new(Vec::new(), good()).await;
    door.answers("mx.far.example", &[CLIENT]);
    let (store, now, alice) = (&door.f.store, door.f.store.now(), door.f.id("alice@example.org"));
    let far = || Sender::Domain(domain("far.example"));
    for _ in 0..20 {
        store.transact(move |tx| tx.count_standing(&[far()], What::FoundSpam, now)).await.unwrap();
    }
    // The filter has a say, of which nothing is about this letter.
    for n in 0..40_u8 {
        let content = spam::Content::read(format!("Subject: {n}\r\n\r\nword{n} other{n}\r\n").as_bytes());
        store.learn(alice, Lesson::of(mail::BlobHash([n; 32]), &content, n % 2 == 0)).await.unwrap();
    }
    let stricter = |settings: &mut storage::spam::SpamSettings| {
        settings.threshold = Some(Points(30));
        Ok(())
    };
    store.change_spam_settings(alice, stricter).await.unwrap();
    let (applied, told) = door.came(LETTER).await.unwrap();
    assert_eq!(door.f.content(&applied, 0).await.1, ["Junk", "$Junk"], "{told}");
    let standing = store.standing(&far()).await.unwrap();
    assert_eq!((standing.found_spam, standing.kept), (20_000, 0));
}

#[tokio::test]
async fn a_list_vouches_for_a_domain_only_when_spf_does() {
    let lists = || {
        vec![
            list("bl.example", Subject::Addresses, ListUse::Block, &[]),
            list("wl.example", Subject::Domains, ListUse::Allow, &[]),
        ]
    };
    for (found, helo, sender, welcome) in [
        (good(), "mx.far.example", "zoe@far.example", true),
        // Another name than the one that SPF is about.
        (good(), "known.example", "zoe@far.example", false),
        // RFC 7208 §2.4: of the null reverse-path it is about EHLO.
        (good(), "known.example", "", true),
        (doubtful(), "mx.far.example", "zoe@known.example", false),
    ] {
        let door = Door::new(lists(), found).await;
        door.sound("bl.example");
        door.sound("wl.example");
        door.answers("7.2.0.192.bl.example", &["127.0.0.2"]);
        door.answers(
            if helo == "mx.far.example" && welcome { "far.example.wl.example" } else { "known.example.wl.example" },
            &["127.0.9.2"],
        );
        door.tested().await;
        let reply = door.reply(CLIENT, helo, sender, "alice@example.org").await;
        assert_eq!(reply == "welcome", welcome, "{helo} {sender}: {reply}");
    }
}

#[tokio::test]
async fn what_is_refused_counts_for_who_sent_it_and_not_for_whose_name_it_bears() {
    let dmarc = Dmarc {
        outcome: Outcome::Fail,
        domain: "bank.example".to_owned(),
        policy: Some(sender_auth::verify::Policy::Reject),
        ..Dmarc::default()
    };
    let spf = Spf { outcome: Outcome::Fail, domain: "far.example".to_owned(), explanation: None };
    let door = Door::new(Vec::new(), Authentication { dmarc: vec![dmarc], spf, ..good() }).await;
    assert!(door.came(LETTER).await.unwrap_err().to_string().starts_with("550 5.7.1"));
    let network: reputation::Network = CLIENT.parse().unwrap();
    let known = door.f.store.standings_of(network, 9).await.unwrap();
    assert_eq!((known.len(), known[0].1.refused), (1, 1_000));
    assert_eq!(known[0].0, Sender::Network(network, Some(domain("far.example"))));
    for innocent in ["bank.example", "far.example"] {
        assert_eq!(door.f.store.standing(&Sender::Domain(domain(innocent))).await.unwrap().refused, 0);
    }
    door.sound_store().await;
}

#[tokio::test]
async fn lists_are_looked_at_until_told_to_stop() {
    let door = Door::new(vec![list("l.example", Subject::Addresses, ListUse::Block, &[])], good()).await;
    let servfail = Err(ResolveError::Temporary("SERVFAIL".to_owned()));
    door.sim.resolver.set_addresses(domain("2.0.0.127.l.example"), servfail);
    let notes_after = async |span: Duration| {
        for advance in [true, false] {
            for _ in 0..50 {
                tokio::task::yield_now().await;
            }
            if advance {
                door.sim.clock.advance(span);
            }
        }
        door.clients().notes().len()
    };
    let moved = async {
        let untested = notes_after(Duration::ZERO).await;
        door.sound("l.example");
        let used = notes_after(MINUTE * 5).await;
        door.answers("1.0.0.127.l.example", &["127.0.0.2"]);
        (untested, used, notes_after(DAY).await)
    };
    let notes = tokio::select! { () = door.clients().test_lists(pending()) => unreachable!(), notes = moved => notes };
    assert_eq!(notes, (1, 0, 1));
}

/// Clients by whose SPF, of whatever domain, it is decided; all else is not known. The organization of a domain is its last two labels.
#[derive(Default)]
struct Servers {
    spf: Mutex<BTreeMap<IpAddr, (Outcome, bool)>>,
    no_organizations: bool,
}

impl Servers {
    fn set(&self, ip: &str, outcome: Outcome, narrow: bool) {
        self.spf.lock().insert(ip.parse().unwrap(), (outcome, narrow));
    }
}

impl SenderAuthentication for Servers {
    fn check<'a>(&'a self, _: &'a Arrived, client: &'a Client) -> BoxFuture<'a, Authentication> {
        Box::pin(async move { Authentication { client: Some(client.clone()), ..doubtful() } })
    }

    fn reverse_name(&self, _: IpAddr) -> BoxFuture<'_, Iprev> {
        Box::pin(async { doubtful().iprev })
    }

    fn spf<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, SpfSeen> {
        let (outcome, narrow) = self.spf.lock().get(&client.ip).copied().unwrap_or((Outcome::None, false));
        let domain = match &client.reverse_path {
            Some(path) => path.domain().to_string(),
            None => client.helo.clone().unwrap_or_default(),
        };
        Box::pin(async move { SpfSeen { spf: Spf { outcome, domain, explanation: None }, narrow } })
    }

    fn organization<'a>(&'a self, of: &'a Domain) -> BoxFuture<'a, Option<Domain>> {
        let labels: Vec<&str> = of.as_str().split('.').collect();
        let last = labels[labels.len().saturating_sub(2)..].join(".");
        Box::pin(async move { (!self.no_organizations).then(|| domain(&last)) })
    }

    fn entitled<'a>(&'a self, _: &'a str, wanted: &'a [String]) -> BoxFuture<'a, Entitled> {
        Box::pin(async move { Entitled::These(wanted.to_vec()) })
    }
}

/// A door that goes by these servers.
async fn door_of(servers: Servers) -> (Door, Arc<Servers>) {
    let servers = Arc::new(servers);
    (Door::checked_by(Vec::new(), doubtful(), servers.clone()).await, servers)
}

const GREYLISTED: &str = "451 4.7.1 Greylisted: not known here yet, please try again in 5 min";

#[tokio::test]
async fn rfc6647_a_provider_that_tries_again_from_another_network_waits_once() {
    let (door, servers) = door_of(Servers::default()).await;
    let networks = ["192.0.2.7", "198.51.100.7", "203.0.113.7"];
    networks.iter().for_each(|ip| servers.set(ip, Outcome::Pass, true));
    let asked = async |ip: &str, sender: &str| door.asked(ip, "out-1.far.example", sender, "alice@example.org").await;
    let (reply, why) = asked("192.0.2.7", "bounce-1@mail.far.example").await;
    assert_eq!(reply, GREYLISTED);
    assert!(
        why.starts_with(
            "the client, or another server of far.example, is asked to come again in 300 s, it is doubted: "
        ),
        "{why}"
    );
    door.sim.clock.advance(MINUTE * 2);
    let (reply, _) = asked("198.51.100.7", "bounce-2@mail.far.example").await;
    assert_eq!(reply, "451 4.7.1 Greylisted: not known here yet, please try again in 3 min");
    door.sim.clock.advance(MINUTE * 3);
    assert_eq!(asked("203.0.113.7", "bounce-3@mail.far.example").await.0, "welcome");
    // All servers of the organization are known, in whatever name of its they write; by the null reverse-path too.
    for (ip, sender) in [("192.0.2.7", "max@far.example"), ("198.51.100.7", "x@y.far.example"), ("203.0.113.7", "")] {
        assert_eq!(asked(ip, sender).await.0, "welcome", "{ip} {sender}");
    }
    let explained = async |ip: &str, sender: &str| {
        let (ip, sender) = (ip.parse().unwrap(), address(sender));
        door.clients().explain(&door.f.store, ip, Some("out-1.far.example"), Some(&sender)).await.unwrap()
    };
    let told = explained("192.0.2.7", "max@far.example").await;
    assert!(told.facts.contains(&"SPF of far.example passes".to_owned()), "{:?}", told.facts);
    assert_eq!(told.follows[0], "mail is taken: far.example has come again, as bounce-#@mail.far.example");
    // Who only says to be one of them is not; nor does it help another domain, however well its SPF is.
    for (ip, sender) in [("192.0.2.99", "zoe@far.example"), ("198.51.100.7", "zoe@other.example")] {
        assert_eq!(asked(ip, sender).await.0, GREYLISTED, "{ip} {sender}");
    }
    door.sound_store().await;
}

#[tokio::test]
async fn spf_that_lets_the_world_pass_says_nothing_of_who_comes_again() {
    let (door, servers) = door_of(Servers::default()).await;
    for ip in ["192.0.2.7", "198.51.100.7"] {
        servers.set(ip, Outcome::Pass, false);
    }
    let asked = async |ip: &str| door.asked(ip, "x", "zoe@far.example", "alice@example.org").await;
    let (reply, why) = asked("192.0.2.7").await;
    assert_eq!(reply, GREYLISTED);
    assert!(why.starts_with("the client is asked to come again in 300 s"), "{why}");
    door.sim.clock.advance(MINUTE * 5);
    assert_eq!(asked("198.51.100.7").await.0, GREYLISTED, "another network");
    assert_eq!(asked("192.0.2.7").await.0, "welcome");
    let sender = address("zoe@far.example");
    let told = door.clients().explain(&door.f.store, "198.51.100.7".parse().unwrap(), Some("x"), Some(&sender)).await;
    let facts = told.unwrap().facts;
    let expected = "SPF of far.example passes, as it may for anybody: the greylist does not go by it";
    assert!(facts.iter().any(|fact| fact == expected), "{facts:?}");
}

#[tokio::test]
async fn what_the_dns_does_not_tell_of_spf_goes_by_the_network() {
    let (door, servers) = door_of(Servers::default()).await;
    servers.set("192.0.2.7", Outcome::TemporaryError, false);
    servers.set("198.51.100.7", Outcome::Pass, true);
    let asked = async |ip: &str| door.reply(ip, "x", "zoe@far.example", "alice@example.org").await;
    assert_eq!(asked("192.0.2.7").await, GREYLISTED);
    // Now it is told. The network has waited, its domain has not.
    servers.set("192.0.2.7", Outcome::Pass, true);
    door.sim.clock.advance(MINUTE * 5);
    assert_eq!(asked("198.51.100.7").await, GREYLISTED);
    assert_eq!(asked("192.0.2.7").await, "welcome");
    // Where it is the organization that is not told, the domain itself stands for it.
    let (door, servers) = door_of(Servers { no_organizations: true, ..Servers::default() }).await;
    servers.set("192.0.2.7", Outcome::Pass, true);
    servers.set("198.51.100.7", Outcome::Pass, true);
    let asked = async |ip: &str, sender: &str| door.reply(ip, "x", sender, "alice@example.org").await;
    assert_eq!(asked("192.0.2.7", "zoe@mail.far.example").await, GREYLISTED);
    door.sim.clock.advance(MINUTE * 5);
    assert_eq!(asked("198.51.100.7", "zoe@mail.far.example").await, "welcome");
    assert_eq!(asked("198.51.100.7", "zoe@other.far.example").await, GREYLISTED);
    assert_eq!(asked("198.51.100.7", "max@mail.far.example").await, "welcome");
    door.sound_store().await;
}

#[tokio::test]
async fn what_lists_say_is_asked_anew_when_the_resolver_may_know_better() {
    let door = Door::new(vec![list("bl.example", Subject::Addresses, ListUse::Block, &[])], good()).await;
    door.sound("bl.example");
    door.answers("7.2.0.192.bl.example", &["127.0.0.2"]);
    door.tested().await;
    let asked = async |ip: &str| door.reply(ip, "mx.far.example", "zoe@far.example", "alice@example.org").await;
    assert!(asked(CLIENT).await.starts_with("550"));
    let listed =
        |ip: &str, answer| door.sim.resolver.set_addresses(domain(&format!("{ip}.2.0.192.bl.example")), answer);
    listed("7", Err(ResolveError::NoSuchName));
    door.sim.clock.advance(MINUTE - Duration::from_secs(1));
    assert!(asked(CLIENT).await.starts_with("550"), "a session asks once");
    door.sim.clock.advance(Duration::from_secs(1));
    assert_eq!(asked(CLIENT).await, "welcome", "it is taken off the list");
    // What failed is asked again after half a minute.
    listed("8", Err(ResolveError::Temporary("SERVFAIL".to_owned())));
    assert_eq!(asked("192.0.2.8").await, "welcome");
    listed("8", Ok(vec!["127.0.0.2".parse().unwrap()]));
    door.sim.clock.advance(Duration::from_secs(29));
    assert_eq!(asked("192.0.2.8").await, "welcome");
    door.sim.clock.advance(Duration::from_secs(1));
    assert!(asked("192.0.2.8").await.starts_with("550"));
}

#[tokio::test]
async fn one_clients_slow_lists_take_no_place_from_others() {
    let lists = vec![
        list("bl.example", Subject::Addresses, ListUse::Block, &[]),
        list("rhs.example", Subject::Domains, ListUse::Block, &[]),
    ];
    let door = Door::new(lists, good()).await;
    door.sound("bl.example");
    door.sound("rhs.example");
    door.answers("9.113.0.203.bl.example", &["127.0.0.2"]);
    door.answers("bad.example.rhs.example", &["127.0.0.2"]);
    door.tested().await;
    // It writes as many, of whose domains the DNS says nothing.
    door.sim.resolver.silence(domain("slow.example.rhs.example"));
    let begun = door.f.store.now();
    for n in 0..2_000 {
        let sender = address(&format!("zoe@n{n}.slow.example"));
        door.clients().presented(CLIENT.parse().unwrap(), Some("mx.far.example"), Some(&sender));
    }
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
    for (ip, sender, about) in
        [("203.0.113.9", "zoe@far.example", "203.0.113.9"), ("198.51.100.9", "zoe@bad.example", "bad.example")]
    {
        let reply = door.reply(ip, "mx.far.example", sender, "alice@example.org").await;
        assert!(reply.starts_with(&format!("550 5.7.1 Refused: {about} is on the list")), "{reply}");
    }
    assert_eq!(door.f.store.now(), begun, "at once");
    // What was asked about it, and what waited for that, comes to an end; it is asked about again.
    for _ in 0..2 {
        door.sim.clock.advance(MINUTE);
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
    }
    let reply = door.reply(CLIENT, "mx.far.example", "zoe@bad.example", "alice@example.org").await;
    assert!(reply.starts_with("550 5.7.1 Refused: bad.example is on the list rhs.example"), "{reply}");
}

#[tokio::test]
async fn a_standing_that_cannot_be_read_holds_up_no_mail() {
    let door = Door::new(Vec::new(), good()).await;
    door.answers("mx.far.example", &[CLIENT]);
    door.came(LETTER).await.unwrap();
    let far = Sender::Domain(domain("far.example"));
    let rows = door.f.engine.rows();
    let damaged: Vec<_> = rows.into_keys().filter(|key| key.ends_with(b"sd:far.example")).collect();
    assert_eq!(damaged.len(), 1);
    door.f.engine.damage(damaged[0].clone(), Some(bytes::Bytes::from_static(b"\xff")));
    let mut findings = Vec::new();
    storage::check::check(&door.f.store, true, &mut |finding| findings.push(finding.to_string())).await.unwrap();
    assert!(findings.iter().any(|finding: &String| finding.contains("a row of standings")), "{findings:?}");
    assert_eq!(door.reply(CLIENT, "mx.far.example", "zoe@far.example", "alice@example.org").await, "welcome");
    // It is taken, and its standing is written anew.
    door.came(LETTER).await.unwrap();
    assert_eq!(door.f.store.standing(&far).await.unwrap().kept, 1_000);
}
