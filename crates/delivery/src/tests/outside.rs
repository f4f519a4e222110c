//! What follows from what outside filters say: Spam, refusals, changes of message and envelope, and what is kept of it all.

use std::time::Duration;

use ::outside::milter::codec::Answer;
use ::outside::milter::negotiation::{Actions, Steps, Terms};
use ::outside::milter::{Milter, Patience, Place};
use ::outside::rspamd::{Greylist, Rspamd};
use ::outside::{Discard, Fail, Filter, Filters, Kind, Session};
use bytes::Bytes;
use sender_auth::verify::{Authentication, Dmarc, Outcome, Policy, Rules, Said};
use storage::spam::SpamSettings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::BoxFuture;
use world::https::{Https, HttpsError, Request, Response, Url};

use super::checks::{RECEIVED, client};
use super::*;
use crate::{Checks, HeldMessage};

const SPAM: &str =
    r#"{"action":"add header","score":9.1,"thresholds":{"add header":6.0},"symbols":{"BAYES_SPAM":{"score":5.1}}}"#;
const REASON: &str = "rspamd: 9.1 of 6.0: BAYES_SPAM";

/// An rspamd that says this.
struct Says(String);

impl Https for Says {
    fn exchange(&self, _: Request) -> BoxFuture<'_, Result<Response, HttpsError>> {
        let response = Response { status: 200, fields: Vec::new(), body: self.0.clone().into_bytes() };
        Box::pin(async move { Ok(response) })
    }
}

fn filter(name: &str, kind: Kind) -> Filter {
    Filter { name: name.to_owned(), kind, incoming: true, submitted: true, fail: Fail::Open, discard: Discard::Spam }
}

fn rspamd(json: &str) -> Filter {
    let rspamd = Rspamd {
        https: Arc::new(Says(json.to_owned())),
        url: Url::parse_even_plain("http://127.0.0.1:11333/checkv2").unwrap(),
        password: None,
        within: Duration::from_secs(10),
        octets_max: 1 << 30,
        greylist: Greylist::Take,
    };
    filter("rspamd", Kind::Rspamd(rspamd))
}

/// A milter that says `ending` at the end, and refuses recipients that begin so.
fn milter(ending: &[Answer], refuses: &'static [u8]) -> (SimulatedWorld, Filter) {
    let sim = SimulatedWorld::new(Timestamp(1_700_000_000_000), 7);
    let ending = Arc::new(ending.to_vec());
    sim.connector.listen(([127, 0, 0, 1], 8891).into(), move |mut stream| {
        let ending = Arc::clone(&ending);
        tokio::spawn(async move {
            loop {
                let mut length = [0; 4];
                if stream.read_exact(&mut length).await.is_err() {
                    return;
                }
                let mut packet = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut packet).await.unwrap();
                let mut octets = Vec::new();
                match packet[0] {
                    b'O' => {
                        let terms = Terms { version: 6, actions: Actions::ALL, steps: Steps(0) };
                        Answer::Negotiated(terms, Vec::new()).write_to(&mut octets);
                    }
                    b'D' | b'A' | b'Q' => {}
                    b'R' if !refuses.is_empty() && packet[1..].starts_with(refuses) => {
                        Answer::Reject.write_to(&mut octets)
                    }
                    b'E' => ending.iter().for_each(|answer| answer.write_to(&mut octets)),
                    _ => Answer::Continue.write_to(&mut octets),
                }
                stream.write_all(&octets).await.unwrap();
            }
        });
    });
    let milter = Milter {
        place: Place::Address(([127, 0, 0, 1], 8891).into()),
        patience: Patience::default(),
        packet_octets_max: 65_535,
    };
    (sim, filter("m", Kind::Milter(milter)))
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

fn session(login: Option<&str>) -> Session {
    Session {
        hostname: "mx.example.org".parse().unwrap(),
        client: "192.0.2.1:4242".parse().unwrap(),
        local: "192.0.2.9:25".parse().unwrap(),
        helo: Some("mx.far.example".to_owned()),
        tls: None,
        login: login.map(str::to_owned),
        id: "7f".to_owned(),
    }
}

struct Case<'c> {
    sim: Option<SimulatedWorld>,
    filters: Vec<Filter>,
    dmarc: Outcome,
    login: Option<&'c str>,
}

impl Case<'_> {
    fn of(filter: Filter) -> Self {
        Self { sim: None, filters: vec![filter], dmarc: Outcome::None, login: None }
    }

    fn played((sim, filter): (SimulatedWorld, Filter)) -> Self {
        Self { sim: Some(sim), ..Self::of(filter) }
    }
}

impl Fixture {
    fn asking(&self, case: &Case<'_>) -> Delivery {
        let dmarc = Dmarc {
            outcome: case.dmarc,
            domain: "far.example".to_owned(),
            policy: Some(Policy::Quarantine),
            ..Dmarc::default()
        };
        let found = Authentication { dmarc: vec![dmarc], ..Authentication::default() };
        let world = case.sim.as_ref().map_or_else(|| self.store.world().clone(), SimulatedWorld::world);
        let filters = Filters::new(world, Duration::from_secs(60), case.filters.clone());
        let settings = DeliverySettings { message_octets_max: 1_000_000, ..self.delivery.settings().clone() };
        Delivery::new(self.store.clone(), settings)
            .checking(Checks::new(Arc::new(Said(found)), Rules::default()))
            .asking_outside(Arc::new(filters))
    }

    /// A message under the eyes of filters.
    async fn filtered(&self, case: Case<'_>, to: &[&str], content: &str) -> Result<Applied, Refused> {
        let delivery = self.asking(&case);
        let mut envelope = envelope(to);
        let mut intake = match case.login {
            None => delivery.incoming_intake(client(), Some(session(None)), RECEIVED).await?,
            Some(login) => {
                let account = self.store.directory().account(&address(login)).unwrap().id;
                envelope.reverse_path = ReversePath::Address(address(login));
                let session = session(Some(login));
                let mut intake = delivery.submitted_intake(&envelope.reverse_path, session, RECEIVED).await?;
                intake.submitted_by(account);
                intake
            }
        };
        for piece in content.as_bytes().chunks(7_000) {
            intake.write(piece).await?;
        }
        intake.check().await?;
        intake.ask_outside(&mut envelope).await?;
        let prepared = intake.finish(envelope).await?;
        let applied = self.store.transact(move |tx| prepared.apply(tx)).await?.value;
        let checked = storage::check::check(&self.store, true, &mut |finding| panic!("{finding:?}")).await.unwrap();
        assert_eq!(checked.findings, 0);
        Ok(applied)
    }

    /// What IMAP clients ask for fits what is kept.
    async fn fits(&self, applied: &Applied, n: usize) -> String {
        let (content, _) = self.content(applied, n).await;
        let (account, mailbox, deposited) = &applied.deposits[n];
        let records = self.store.records(*account, *mailbox, deposited.uid, deposited.uid, 1).await.unwrap();
        let parts = message::RecordView::new(&records[0].1).unwrap().parts().unwrap();
        assert_eq!(parts, message::Scanner::scan(content.as_bytes()).part_table());
        content
    }
}

fn text(octets: usize) -> String {
    format!("From: zoe@far.example\r\nSubject: Hello\r\n\r\n{}\r\n", "Good morning. ".repeat(octets / 14 + 1))
}

#[tokio::test]
async fn what_is_spam_goes_to_spam_with_the_reason() {
    let f = fixture().await;
    for octets in [10, 200_000] {
        let applied = f.filtered(Case::of(rspamd(SPAM)), &["alice@example.org"], &text(octets)).await.unwrap();
        let (_, place) = f.content(&applied, 0).await;
        assert_eq!(place, ["Junk", "$Junk"]);
        let content = f.fits(&applied, 0).await;
        assert!(content.contains(&format!("X-Spam-Flag: YES\r\nX-Spam-Reason: {REASON}\r\n")), "{}", &content[..300]);
        assert!(content.ends_with(&text(octets)));
    }
    let told = f.steps_of("alice@example.org").await;
    assert!(told.contains(&"outside filter rspamd: add header (9.1 of 6.0: BAYES_SPAM)".to_owned()), "{told:?}");
    assert!(told.contains(&format!("alice@example.org: goes to Spam: {REASON}")), "{told:?}");
    // Who has switched the filter off has it in INBOX; and so has whoever knows the sender, when it is surely them.
    let off = |settings: &mut SpamSettings| {
        settings.enabled = false;
        Ok(())
    };
    f.store.change_spam_settings(f.id("bob@example.org"), off).await.unwrap();
    f.store.add_contact(f.id("carol@example.org"), address("zoe@far.example")).await.unwrap();
    let to = ["alice@example.org", "bob@example.org", "carol@example.org"];
    for (dmarc, carols) in [(Outcome::None, "Junk"), (Outcome::Pass, "INBOX")] {
        let case = Case { dmarc, ..Case::of(rspamd(SPAM)) };
        let applied = f.filtered(case, &to, &text(10)).await.unwrap();
        let mut places = Vec::new();
        for n in 0..3 {
            places.push(f.content(&applied, n).await.1[0].clone());
        }
        assert_eq!(places, ["Junk", "INBOX", carols]);
        assert!(!f.content(&applied, 1).await.0.contains("X-Spam"));
    }
}

#[tokio::test]
async fn what_nobody_changes_is_kept_as_it_came() {
    let f = fixture().await;
    for octets in [10, 200_000] {
        let fine = rspamd("{\"action\":\"no action\"}");
        let applied = f.filtered(Case::of(fine), &["alice@example.org"], &text(octets)).await.unwrap();
        let (content, place) = f.content(&applied, 0).await;
        assert!(content.ends_with(&format!("{}{}", std::str::from_utf8(RECEIVED).unwrap(), text(octets))));
        assert_eq!(place, ["INBOX"]);
        f.fits(&applied, 0).await;
    }
}

#[tokio::test]
async fn what_is_kept_is_what_leaves_the_filters() {
    let f = fixture().await;
    let mut ending = vec![Answer::ReplaceBody(Bytes::from("another body\n".repeat(2_500))); 4];
    ending.extend([
        Answer::InsertHeader(0, bytes("X-Scanned"), bytes("yes")),
        Answer::ChangeHeader(1, bytes("Subject"), bytes("Other")),
        Answer::ChangeSender(bytes("<other@far.example>"), None),
        Answer::AddRecipient(bytes("<bob@example.org>"), None),
        Answer::AddRecipient(bytes("<nobody@example.org>"), None),
        Answer::AddRecipient(bytes("<archive@else.example>"), None),
        Answer::Continue,
    ]);
    // Whether it has a body in memory or in chunks.
    for octets in [10, 200_000] {
        let case = Case::played(milter(&ending, b""));
        let applied = f.filtered(case, &["alice@example.org"], &text(octets)).await.unwrap();
        assert_eq!((applied.deposits.len(), applied.queued.len()), (2, 1));
        let content = f.fits(&applied, 0).await;
        let (front, rest) = content.split_once("Received: ").unwrap();
        assert!(front.starts_with("Return-Path: <other@far.example>\r\nAuthentication-Results: "), "{front}");
        let header = "X-Scanned: yes\r\nFrom: zoe@far.example\r\nSubject: Other\r\n\r\n";
        assert_eq!(rest.split_once("\r\n").unwrap().1, format!("{header}{}", "another body\r\n".repeat(10_000)));
        let queued = f.store.queue_entry(applied.queued[0]).await.unwrap().unwrap();
        let mut blob = f.store.blob(&queued.blob).await.unwrap().unwrap();
        let left = String::from_utf8(blob.read(queued.skip_octets.into(), u64::MAX).await.unwrap()).unwrap();
        assert!(left.starts_with("Authentication-Results: ") && content.ends_with(&left));
        assert_eq!(queued.recipients[0].notify, mail::DsnNotify::NEVER);
    }
    let told = f.steps_of("alice@example.org").await.join("\n");
    assert!(told.contains("the recipient <nobody@example.org> of an outside filter is left out: 550 5.1.1"), "{told}");
    // A sweep finds nothing that is needed, and leaves nothing that is not.
    f.store.sweep().await.unwrap();
    let checked = storage::check::check(&f.store, true, &mut |finding| panic!("{finding:?}")).await.unwrap();
    assert_eq!(checked.findings, 0);
}

#[tokio::test]
async fn what_is_put_aside_is_in_spam_for_all_and_leaves_for_nobody() {
    let f = fixture().await;
    f.alias("both@example.org", &["alice@example.org", "yan@else.example"]).await;
    f.alias("out@example.org", &["yan@else.example"]).await;
    f.store.add_contact(f.id("alice@example.org"), address("zoe@far.example")).await.unwrap();
    let ending = [Answer::Quarantine(bytes("EICAR found")), Answer::Continue];
    let aside = || Case { dmarc: Outcome::Pass, ..Case::played(milter(&ending, b"")) };
    let applied = f.filtered(aside(), &["both@example.org"], &text(10)).await.unwrap();
    assert_eq!((applied.deposits.len(), applied.queued.len()), (1, 0));
    let (content, place) = f.content(&applied, 0).await;
    assert_eq!(place, ["Junk", "$Junk"]);
    assert!(content.contains("X-Spam-Flag: YES\r\nX-Spam-Reason: m: EICAR found\r\n"), "{content}");
    f.fits(&applied, 0).await;
    let Refused(reply) = f.filtered(aside(), &["out@example.org"], &text(10)).await.unwrap_err();
    assert!(
        reply.to_string().contains("m: EICAR found; it is suspicious, and suspicious mail is not passed on"),
        "{reply}"
    );
    // One that is forged as well has both reasons in its trace, and the fields once.
    let forged = Case { dmarc: Outcome::Fail, ..aside() };
    let applied = f.filtered(forged, &["bob@example.org"], &text(10)).await.unwrap();
    assert_eq!(f.content(&applied, 0).await.0.matches("X-Spam-Flag").count(), 1);
    let told = f.steps_of("bob@example.org").await.join("\n");
    assert!(told.contains("goes to Spam: m: EICAR found"), "{told}");
}

#[tokio::test]
async fn what_is_thrown_away_is_in_spam_unless_the_administrator_wants_it_otherwise() {
    let f = fixture().await;
    let played = || milter(&[Answer::Discard], b"");
    let applied = f.filtered(Case::played(played()), &["alice@example.org"], &text(10)).await.unwrap();
    assert_eq!(f.content(&applied, 0).await.1, ["Junk", "$Junk"]);
    let (sim, filter) = played();
    let case = Case::played((sim, Filter { discard: Discard::Discard, ..filter }));
    let applied = f.filtered(case, &["bob@example.org"], &text(200_000)).await.unwrap();
    assert_eq!(applied, Applied::default());
    assert_eq!(f.count("bob@example.org").await, 0);
    let told = f.steps_of("bob@example.org").await.join("\n");
    assert!(told.contains("thrown away for an outside filter: m: it wants it thrown away"), "{told}");
}

#[tokio::test]
async fn refusals_are_told_and_traced() {
    let f = fixture().await;
    let rows = f.engine.rows();
    for (answer, expected) in [
        (Answer::Reject, "550 5.7.1 Refused by a filter"),
        (Answer::TempFail, "451 4.7.1 A filter asks to try again later"),
        (Answer::Reply(bytes("554 5.7.9 Not here")), "554 5.7.9 Not here"),
    ] {
        let case = Case::played(milter(&[answer], b""));
        let Refused(reply) = f.filtered(case, &["alice@example.org"], &text(10)).await.unwrap_err();
        assert_eq!(reply.to_string(), expected);
    }
    // One that is not there.
    let (_, filter) = milter(&[], b"");
    let case = || Case::of(Filter { fail: Fail::Closed, ..filter.clone() });
    let Refused(reply) = f.filtered(case(), &["alice@example.org"], &text(10)).await.unwrap_err();
    assert!(reply.to_string().starts_with("451 4.7.1 A filter that has to look"), "{reply}");
    assert_eq!(f.engine.rows(), rows);
    let delivery = f.asking(&case());
    let mut intake = delivery.incoming_intake(client(), Some(session(None)), RECEIVED).await.unwrap();
    intake.write(text(10).as_bytes()).await.unwrap();
    let unwelcome = intake.ask_outside(&mut envelope(&["alice@example.org"])).await.unwrap_err();
    assert!(unwelcome.steps[0].to_string().contains("m: no connection"), "{:?}", unwelcome.steps);
    // And one without which mail goes on.
    let applied = f.filtered(Case::of(filter.clone()), &["alice@example.org"], &text(10)).await.unwrap();
    assert_eq!(f.content(&applied, 0).await.1, ["INBOX"]);
    let told = f.steps_of("alice@example.org").await.join("\n");
    assert!(told.contains("outside filter m: no connection") && told.contains("goes on without it"), "{told}");
}

#[tokio::test]
async fn a_recipient_that_a_filter_does_not_want_has_it_in_spam() {
    let f = fixture().await;
    f.alias("team@example.org", &["alice@example.org", "yan@else.example"]).await;
    f.store.add_list(routing::objects::ListObject::new(address("garden@example.org"))).await.unwrap();
    let wants = |refuses| Case::played(milter(&[Answer::Continue], refuses));
    let to = ["team@example.org", "bob@example.org"];
    let applied = f.filtered(wants(b"<team"), &to, &text(10)).await.unwrap();
    assert_eq!((applied.deposits.len(), applied.queued.len()), (2, 0));
    assert_eq!(f.content(&applied, 0).await.1, ["Junk", "$Junk"]);
    assert_eq!(f.content(&applied, 1).await.1, ["INBOX"]);
    let told = f.steps_of("bob@example.org").await.join("\n");
    assert!(told.contains("does not want <team@example.org>: 550 5.7.1 Refused by a filter; Spam keeps it"), "{told}");
    assert!(told.contains("not passed on to yan@else.example"), "{told}");
    // Moderators hear of a post.
    f.filtered(wants(b"<garden"), &["garden@example.org", "bob@example.org"], &text(10)).await.unwrap();
    let events = f.store.events_after(Topic::HeldMessage, 0, 9).await.unwrap();
    assert!(HeldMessage::decode(&events[0].payload).unwrap().spam);
}

#[tokio::test]
async fn what_people_submit_goes_on_or_is_refused_and_changes_are_made() {
    let f = fixture().await;
    let submitted = |case: Case<'static>| Case { login: Some("alice@example.org"), ..case };
    let to = ["bob@example.org", "yan@else.example"];
    let applied = f.filtered(submitted(Case::of(rspamd(SPAM))), &to, &text(10)).await.unwrap();
    assert_eq!((applied.deposits.len(), applied.queued.len()), (1, 1));
    assert_eq!(f.content(&applied, 0).await.1, ["INBOX"]);
    let ending = [Answer::Quarantine(bytes("EICAR found")), Answer::Continue];
    let case = submitted(Case::played(milter(&ending, b"")));
    let Refused(reply) = f.filtered(case, &to, &text(10)).await.unwrap_err();
    assert_eq!(reply.to_string(), "550 5.7.1 Refused by a filter: m: EICAR found");
    let case = submitted(Case::played(milter(&[Answer::Continue], b"<yan")));
    let Refused(reply) = f.filtered(case, &to, &text(10)).await.unwrap_err();
    assert_eq!(reply.to_string(), "550 5.7.1 <yan@else.example>: Refused by a filter");
    let ending = [Answer::AddHeader(bytes("X-Footer"), bytes("yes")), Answer::Continue];
    let applied = f.filtered(submitted(Case::played(milter(&ending, b""))), &to, &text(200_000)).await.unwrap();
    let content = f.fits(&applied, 0).await;
    assert!(content.starts_with("Return-Path: <alice@example.org>\r\nReceived: "), "{}", &content[..200]);
    assert!(content.contains("Subject: Hello\r\nX-Footer: yes\r\n\r\n"));
}

#[tokio::test]
async fn a_header_without_end_is_refused_and_an_empty_message_is_none() {
    let f = fixture().await;
    let fine = || Case::of(rspamd("{\"action\":\"no action\"}"));
    let delivery = f.asking(&fine());
    let mut intake =
        delivery.submitted_intake(&ReversePath::Null, session(Some("alice@example.org")), b"").await.unwrap();
    for _ in 0..300 {
        intake.write(format!("X: {}\r\n", "y".repeat(1_000)).as_bytes()).await.unwrap();
    }
    let unwelcome = intake.ask_outside(&mut envelope(&["alice@example.org"])).await.unwrap_err();
    assert_eq!(unwelcome.reply.to_string(), "550 5.6.0 The header of the message is too long");
    for content in ["", "\r\n", "\r\nbody\r\n", "Subject: x\r\n", " folded\r\nSubject: x\r\n"] {
        let ending = [Answer::AddHeader(bytes("X-A"), bytes("yes")), Answer::Continue];
        let applied = f.filtered(Case::played(milter(&ending, b"")), &["alice@example.org"], content).await.unwrap();
        let kept = f.fits(&applied, 0).await;
        assert!(kept.contains("X-A: yes\r\n"), "{content:?}: {kept}");
    }
}
