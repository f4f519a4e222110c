//! Milters that behave, and milters that do not: over simulated connections, each played by a function that is given every packet.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    reason = "tests may"
)]

use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use mail::{DsnNotify, Envelope, EnvelopeRecipient, ForwardPath, ReversePath, Timestamp};
use relais_outside::limits::{AT_ONCE_MAX, CHANGES_MAX, GOODBYE, PACKET_OCTETS_MAX};
use relais_outside::milter::codec::{Answer, Stage};
use relais_outside::milter::negotiation::{Actions, Steps, Terms};
use relais_outside::milter::{Milter, Patience, Place};
use relais_outside::{Discard, Fail, Filter, Filters, Header, Judgement, Kind, Letter, MemorySpool, Session};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadBuf};
use world::simulated::{SimulatedConnector, SimulatedWorld};
use world::{BoxFuture, Connector, Stream, World};

const HEADER: &[u8] = b"From: zoe@far.example\r\nSubject: Hello\r\n there\r\n\r\n";
const BODY: &[u8] = b"Good morning.\r\n.\r\nBye.\r\n";

/// What a filter does with a packet.
enum Act {
    Say(Vec<Answer>),
    /// These octets, whatever they are.
    Octets(Vec<u8>),
    /// Nothing, for ever.
    Hang,
    Close,
}

/// All that a filter has heard, each packet as a text.
type Heard = Arc<Mutex<Vec<String>>>;

struct Scene {
    sim: SimulatedWorld,
    heard: Heard,
}

fn say(answer: Answer) -> Act {
    Act::Say(vec![answer])
}

fn ready(actions: Actions, steps: Steps) -> Act {
    say(Answer::Negotiated(Terms { version: 6, actions, steps }, Vec::new()))
}

/// Wants everything and is content with everything.
fn content(name: u8) -> Act {
    match name {
        b'O' => ready(Actions::ALL, Steps(0)),
        b'D' | b'Q' | b'A' => Act::Say(Vec::new()),
        _ => say(Answer::Continue),
    }
}

/// A filter that plays `act`, at 127.0.0.1 and this port.
fn play(stage: &Scene, port: u16, act: impl Fn(u8, &[u8]) -> Act + Send + Sync + 'static) {
    let (act, heard) = (Arc::new(act), Arc::clone(&stage.heard));
    stage.sim.connector.listen(([127, 0, 0, 1], port).into(), move |stream| {
        let (act, heard) = (Arc::clone(&act), Arc::clone(&heard));
        tokio::spawn(async move { talk(stream, &*act, &heard).await });
    });
}

async fn talk(mut stream: Box<dyn Stream>, act: &(impl Fn(u8, &[u8]) -> Act + ?Sized), heard: &Heard) {
    loop {
        let mut length = [0; 4];
        if stream.read_exact(&mut length).await.is_err() {
            return;
        }
        let mut packet = vec![0; u32::from_be_bytes(length) as usize];
        if stream.read_exact(&mut packet).await.is_err() {
            return;
        }
        let text = String::from_utf8_lossy(&packet).replace('\0', "|");
        heard.lock().unwrap().push(text);
        let mut octets = Vec::new();
        match act(packet[0], &packet[1..]) {
            Act::Say(answers) => answers.iter().for_each(|answer| answer.write_to(&mut octets)),
            Act::Octets(given) => octets = given,
            Act::Hang => std::future::pending().await,
            Act::Close => return,
        }
        if stream.write_all(&octets).await.is_err() {
            return;
        }
    }
}

fn scene() -> Scene {
    Scene { sim: SimulatedWorld::new(Timestamp(1_767_225_600_000), 1), heard: Heard::default() }
}

fn milter(name: &str, port: u16) -> Filter {
    let secs = Duration::from_secs;
    Filter {
        name: name.to_owned(),
        kind: Kind::Milter(Milter {
            place: Place::Address(([127, 0, 0, 1], port).into()),
            patience: Patience { connect: secs(1), command: secs(2), content: secs(3), end: secs(4) },
            packet_octets_max: PACKET_OCTETS_MAX,
        }),
        incoming: true,
        submitted: true,
        fail: Fail::Open,
        discard: Discard::Spam,
    }
}

fn session(login: Option<&str>) -> Session {
    Session {
        hostname: "mx.example.org".parse().unwrap(),
        client: "192.0.2.1:4242".parse().unwrap(),
        local: "192.0.2.9:25".parse().unwrap(),
        helo: Some("mail.far.example".to_owned()),
        tls: None,
        login: login.map(str::to_owned),
        id: "7f".to_owned(),
    }
}

fn envelope(recipients: &[&str]) -> Envelope {
    let mut envelope = Envelope::new(ReversePath::parse("<zoe@far.example>").unwrap());
    envelope.recipients = recipients
        .iter()
        .map(|one| EnvelopeRecipient {
            forward_path: ForwardPath::parse(&format!("<{one}>")).unwrap(),
            notify: DsnNotify::default(),
            original: None,
        })
        .collect();
    envelope
}

/// What became of a message.
struct After {
    judgement: Judgement,
    header: String,
    body: String,
    recipients: Vec<String>,
    reverse_path: String,
}

/// Shows a message to filters. Time passes whenever nothing else happens.
async fn judged(stage: &Scene, filters: Vec<Filter>, session: Session, to: &[&str], body: &[u8]) -> After {
    let filters = Filters::new(stage.sim.world(), Duration::from_secs(60), filters);
    let mut spool = MemorySpool::new(body.to_vec(), 7, 100);
    let mut letter = Letter::new(Header::read(HEADER), &mut spool, envelope(to), 100);
    let judgement = {
        let turn = filters.turn().await.unwrap();
        let judging = filters.judge(turn, &session, &mut letter);
        let mut judging = std::pin::pin!(judging);
        loop {
            tokio::select! {
                biased;
                done = &mut judging => break done.unwrap(),
                () = quiet() => stage.sim.clock.advance(Duration::from_millis(500)),
            }
        }
    };
    let Letter { header, envelope, .. } = letter;
    After {
        judgement,
        header: String::from_utf8(header.octets()).unwrap(),
        body: String::from_utf8(spool.body().to_vec()).unwrap(),
        recipients: envelope.recipients.iter().map(|one| one.forward_path.to_string()).collect(),
        reverse_path: envelope.reverse_path.to_string(),
    }
}

/// Everybody else has had their turn.
async fn quiet() {
    for _ in 0..50 {
        tokio::task::yield_now().await;
    }
}

async fn alone(act: impl Fn(u8, &[u8]) -> Act + Send + Sync + 'static) -> (After, Vec<String>) {
    let stage = scene();
    play(&stage, 1, act);
    let after =
        judged(&stage, vec![milter("m", 1)], session(None), &["alice@example.org", "bob@example.org"], BODY).await;
    // Its last words are heard as well.
    quiet().await;
    let heard = stage.heard.lock().unwrap().clone();
    (after, heard)
}

#[tokio::test]
async fn a_filter_hears_all_of_it_in_its_order() {
    let (after, heard) = alone(|name, _| content(name)).await;
    assert_eq!(after.judgement.refusal, None);
    assert_eq!(after.judgement.told, ["m: takes it"]);
    assert_eq!((after.header.as_bytes(), after.body.as_bytes()), (HEADER, BODY));
    let said: Vec<&str> = heard.iter().map(String::as_str).filter(|one| !one.starts_with('O')).collect();
    let chunks: Vec<String> = BODY.chunks(7).map(|piece| format!("B{}", String::from_utf8_lossy(piece))).collect();
    let mut expected = vec![
        "DCj|mx.example.org|_|unknown [192.0.2.1]|{daemon_name}|mx|{daemon_addr}|192.0.2.9|{daemon_port}|25|v|Relais 0.1.0|\
         {client_addr}|192.0.2.1|{client_name}|unknown|{client_ptr}|unknown|{client_port}|4242|",
        "C[192.0.2.1]|4\u{10}\u{fffd}192.0.2.1|",
        "Hmail.far.example|",
        "DMi|7f|{mail_mailer}|smtp|{mail_host}|far.example|{mail_addr}|zoe@far.example|",
        "M<zoe@far.example>|",
        "DRi|7f|{rcpt_mailer}|smtp|{rcpt_host}|example.org|{rcpt_addr}|alice@example.org|",
        "R<alice@example.org>|",
        "DRi|7f|{rcpt_mailer}|smtp|{rcpt_host}|example.org|{rcpt_addr}|bob@example.org|",
        "R<bob@example.org>|",
        "DTi|7f|",
        "T",
        "LFrom|zoe@far.example|",
        "LSubject|Hello\n there|",
        "DNi|7f|",
        "N",
    ];
    expected.extend(chunks.iter().map(String::as_str));
    expected.extend(["DEi|7f|", "E", "Q"]);
    assert_eq!(said, expected);
}

#[tokio::test]
async fn a_filter_gets_the_macros_and_steps_that_it_wants() {
    let (after, heard) = alone(|name, _| match name {
        b'O' => {
            let quiet = [
                Steps::NO_HELO,
                Steps::NO_CONNECT,
                Steps::NO_DATA,
                Steps::NO_BODY,
                Steps::NO_END_OF_HEADER,
                Steps::SILENT_HEADER,
                Steps::SILENT_MAIL,
                Steps::LEADING_SPACE,
            ];
            let steps = Steps(quiet.iter().fold(0, |all, one| all | one.0));
            let symbols = vec![(Stage::Mail, vec!["j".to_owned()]), (Stage::EndOfMessage, vec!["{nrcpts}".to_owned()])];
            say(Answer::Negotiated(Terms { version: 6, actions: Actions::SET_SYMBOLS, steps }, symbols))
        }
        b'M' | b'L' => Act::Say(Vec::new()),
        other => content(other),
    })
    .await;
    assert_eq!(after.judgement.told, ["m: takes it"]);
    let said: Vec<&str> = heard.iter().skip(1).map(String::as_str).filter(|one| !one.starts_with("DR")).collect();
    assert_eq!(
        said,
        [
            "DMj|mx.example.org|",
            "M<zoe@far.example>|",
            "R<alice@example.org>|",
            "R<bob@example.org>|",
            "LFrom| zoe@far.example|",
            "LSubject| Hello\n there|",
            "DE{nrcpts}|2|",
            "E",
            "Q"
        ]
    );
}

#[tokio::test]
async fn answers_at_every_step_have_their_effect() {
    let reply = |text: &'static str| Answer::Reply(Bytes::from_static(text.as_bytes()));
    for (answer, expected) in [
        (Answer::Reject, "550 5.7.1 Refused by a filter"),
        (Answer::TempFail, "451 4.7.1 A filter asks to try again later"),
        (Answer::Shutdown, "451 4.7.1 A filter asks to try again later"),
        (Answer::ConnectionFail, "451 4.7.1 A filter asks to try again later"),
        (reply("554 5.7.9 No\r\n250 Yes"), "554 5.7.9 No 250 Yes"),
        (reply("421 4.3.2 Busy"), "451 4.3.2 Busy"),
    ] {
        for step in [b'C', b'H', b'M', b'R', b'T', b'L', b'N', b'B', b'E'] {
            let given = answer.clone();
            let (after, heard) =
                alone(move |name, _| if name == step { say(given.clone()) } else { content(name) }).await;
            let refusal = after.judgement.refusal.unwrap().to_string();
            assert_eq!(refusal, expected, "{} {answer:?}", char::from(step));
            // It is said goodbye to.
            assert_eq!(heard.last().map(String::as_str), Some("Q"));
        }
    }
}

#[tokio::test]
async fn who_accepts_or_skips_hears_no_more() {
    for step in [b'C', b'M', b'R', b'L', b'B'] {
        let (after, heard) = alone(move |name, _| if name == step { say(Answer::Accept) } else { content(name) }).await;
        assert_eq!((after.judgement.refusal, after.judgement.spam), (None, None));
        let last: Vec<char> = heard.iter().rev().take(3).map(|one| one.chars().next().unwrap()).collect();
        assert_eq!(last, ['Q', 'A', char::from(step)]);
    }
    let (after, heard) = alone(|name, _| if name == b'B' { say(Answer::Skip) } else { content(name) }).await;
    assert_eq!(after.judgement.told, ["m: takes it"]);
    assert_eq!(heard.iter().filter(|one| one.starts_with('B')).count(), 1);
}

fn bytes(text: &'static str) -> Bytes {
    Bytes::from_static(text.as_bytes())
}

/// Wants these changes at the end, and then says this.
fn changing(actions: Actions, changes: Vec<Answer>, last: Answer) -> impl Fn(u8, &[u8]) -> Act + Send + Sync + 'static {
    move |name, _| match name {
        b'O' => ready(actions, Steps(0)),
        b'E' => Act::Say(changes.iter().chain([&last]).cloned().collect()),
        other => content(other),
    }
}

fn changes() -> Vec<Answer> {
    vec![
        Answer::Progress,
        Answer::AddHeader(bytes("X-A"), bytes("one\r\nEvil: 1")),
        Answer::InsertHeader(0, bytes("X-B"), bytes("two")),
        Answer::ChangeHeader(1, bytes("Subject"), bytes("Other")),
        Answer::ReplaceBody(bytes("New\nbo")),
        Answer::Progress,
        Answer::ReplaceBody(bytes("dy")),
        Answer::ChangeSender(bytes("<other@far.example>"), None),
        Answer::AddRecipient(bytes("carol@example.org"), None),
        Answer::AddRecipient(bytes("<dave@example.org>"), Some(bytes("NOTIFY=SUCCESS"))),
        Answer::AddRecipient(bytes("<alice@example.org>"), None),
        Answer::DeleteRecipient(bytes("<BOB@example.org>")),
        Answer::Quarantine(bytes("a virus\r\nX: y")),
    ]
}

#[tokio::test]
async fn changes_are_made_when_the_message_may_come_in() {
    let (after, _) = alone(changing(Actions::ALL, changes(), Answer::Continue)).await;
    assert_eq!(after.header, "X-B: two\r\nFrom: zoe@far.example\r\nSubject: Other\r\nX-A: one\r\n\tEvil: 1\r\n\r\n");
    assert_eq!(after.body, "New\r\nbody\r\n");
    assert_eq!(after.recipients, ["<alice@example.org>", "<carol@example.org>", "<dave@example.org>"]);
    assert_eq!(after.reverse_path, "<other@far.example>");
    assert_eq!(after.judgement.aside.as_deref(), Some("m: a virus X: y"));
    assert_eq!(
        after.judgement.told,
        [
            "m: gives it the reverse-path <other@far.example>, adds the recipient <carol@example.org>, adds the recipient \
          <dave@example.org>, removes the recipient <BOB@example.org>, writes another body, changes the header in 3 places, \
          puts it aside: a virus X: y"
        ]
    );
    for last in [Answer::Reject, Answer::TempFail, Answer::Discard] {
        let (after, _) = alone(changing(Actions::ALL, changes(), last)).await;
        assert_eq!((after.header.as_bytes(), after.body.as_bytes()), (HEADER, BODY));
        assert_eq!((after.recipients.len(), after.reverse_path.as_str()), (2, "<zoe@far.example>"));
    }
}

#[tokio::test]
async fn changes_that_were_not_agreed_on_are_not_made() {
    let (after, _) = alone(changing(Actions(0), changes(), Answer::Accept)).await;
    assert_eq!((after.header.as_bytes(), after.body.as_bytes()), (HEADER, BODY));
    assert_eq!((after.recipients.len(), after.reverse_path.as_str()), (2, "<zoe@far.example>"));
    assert_eq!(after.judgement.aside, None);
    assert_eq!(after.judgement.told, ["m: takes it", "m: it wanted a change that it had not announced"]);
    let odd = vec![
        Answer::AddHeader(bytes("bad name"), bytes("x")),
        Answer::ChangeSender(bytes("nobody"), None),
        Answer::AddRecipient(bytes("a b"), None),
        Answer::DeleteRecipient(bytes("nobody@example.org")),
    ];
    let (after, _) = alone(changing(Actions::ALL, odd, Answer::Accept)).await;
    assert_eq!((after.header.as_bytes(), after.recipients.len()), (HEADER, 2));
    assert_eq!(after.judgement.told.len(), 4, "{:?}", after.judgement.told);
}

#[tokio::test]
async fn each_filter_sees_what_those_before_have_left() {
    let stage = scene();
    play(&stage, 1, changing(Actions::ALL, changes(), Answer::Accept));
    let second = Scene { sim: stage.sim.clone(), heard: Heard::default() };
    play(&second, 2, |name, _| content(name));
    let filters = vec![milter("one", 1), milter("two", 2)];
    let after = judged(&stage, filters, session(None), &["alice@example.org", "bob@example.org"], BODY).await;
    assert_eq!(after.judgement.told.len(), 2);
    let heard = second.heard.lock().unwrap().join("\n");
    for seen in
        ["M<other@far.example>|", "R<carol@example.org>|", "LX-B|two|", "LSubject|Other|", "BNew\r\nbo", "Bdy\r\n"]
    {
        assert!(heard.contains(seen), "{seen}: {heard}");
    }
    assert!(!heard.contains("bob@example.org"), "{heard}");
}

#[tokio::test]
async fn a_message_thrown_away_goes_to_spam_unless_that_was_wanted() {
    let discards = |name: u8, _: &[u8]| if name == b'E' { say(Answer::Discard) } else { content(name) };
    let empties = changing(
        Actions::ALL,
        vec![Answer::DeleteRecipient(bytes("alice@example.org")), Answer::DeleteRecipient(bytes("bob@example.org"))],
        Answer::Continue,
    );
    let (after, _) = alone(discards).await;
    assert_eq!(after.judgement.aside.as_deref(), Some("m: it wants it thrown away"));
    assert_eq!((after.judgement.refusal, after.judgement.discard), (None, None));
    let (after, _) = alone(empties).await;
    assert_eq!(after.judgement.aside.as_deref(), Some("m: removes all recipients"));
    assert_eq!(after.recipients.len(), 2);
    let stage = scene();
    play(&stage, 1, discards);
    let filter = || Filter { discard: Discard::Discard, ..milter("m", 1) };
    let to = ["alice@example.org"];
    let after = judged(&stage, vec![filter()], session(None), &to, BODY).await;
    assert_eq!(after.judgement.discard.as_deref(), Some("m: it wants it thrown away"));
    // Whoever submits a message is told, since nobody would look for it.
    let after = judged(&stage, vec![milter("m", 1)], session(Some("alice@example.org")), &to, BODY).await;
    let refusal = after.judgement.refusal.unwrap().to_string();
    assert_eq!(refusal, "550 5.7.1 Refused by a filter: m: it wants it thrown away");
}

#[tokio::test]
async fn recipients_that_a_filter_does_not_want_leave_the_envelope() {
    let refuses = |who: &'static str| {
        move |name: u8, data: &[u8]| match name {
            b'R' if data.starts_with(who.as_bytes()) => say(Answer::Reply(bytes("550 5.1.1 Not her"))),
            other => content(other),
        }
    };
    let (after, heard) = alone(refuses("<alice")).await;
    assert_eq!(after.judgement.refusal, None);
    assert_eq!(after.recipients, ["<bob@example.org>"]);
    assert_eq!(after.judgement.refused[0].0.forward_path.to_string(), "<alice@example.org>");
    assert_eq!(after.judgement.refused[0].1.to_string(), "550 5.1.1 Not her");
    assert!(heard.contains(&"E".to_owned()));
    // None is left: all is refused.
    let (after, _) = alone(refuses("<")).await;
    assert_eq!(after.judgement.refusal.unwrap().to_string(), "550 5.1.1 Not her");
    // Put off for one, put off for all.
    let (after, _) = alone(|name, data| match name {
        b'R' if data.starts_with(b"<bob") => say(Answer::TempFail),
        other => content(other),
    })
    .await;
    assert!(after.judgement.refusal.unwrap().is_temporary());
    let stage = scene();
    play(&stage, 1, refuses("<alice"));
    let to = ["alice@example.org", "bob@example.org"];
    let after = judged(&stage, vec![milter("m", 1)], session(Some("zoe@example.org")), &to, BODY).await;
    assert_eq!(after.judgement.refusal.unwrap().to_string(), "550 5.1.1 <alice@example.org>: Not her");
}

/// A filter that does not do what it should, at every step: the message goes on, or is refused for now.
async fn fails(what: &str, act: impl Fn(u8, &[u8]) -> Act + Clone + Send + Sync + 'static) {
    for fail in [Fail::Open, Fail::Closed] {
        let stage = scene();
        play(&stage, 1, act.clone());
        let filters = vec![Filter { fail, ..milter("m", 1) }];
        let after = judged(&stage, filters, session(None), &["alice@example.org", "bob@example.org"], BODY).await;
        let told = after.judgement.told.join("\n");
        match fail {
            Fail::Open => {
                assert_eq!(after.judgement.refusal, None, "{what}: {told}");
                assert!(told.contains("the message goes on without it"), "{what}: {told}");
            }
            Fail::Closed => {
                let refusal = after.judgement.refusal.expect(what).to_string();
                assert!(refusal.starts_with("451 4.7.1 A filter that has to look"), "{what}: {refusal}");
            }
        }
        assert_eq!(
            (after.header.as_bytes(), after.body.as_bytes(), after.recipients.len()),
            (HEADER, BODY, 2),
            "{what}"
        );
    }
}

#[tokio::test]
async fn a_filter_that_hangs_closes_or_babbles_at_any_step_holds_up_nothing() {
    for step in [b'O', b'C', b'H', b'M', b'R', b'T', b'L', b'N', b'B', b'E'] {
        let name = char::from(step);
        let at = move |act: fn() -> Act| move |name: u8, _: &[u8]| if name == step { act() } else { content(name) };
        fails(&format!("hangs at {name}"), at(|| Act::Hang)).await;
        fails(&format!("closes at {name}"), at(|| Act::Close)).await;
        fails(&format!("half a packet at {name}"), at(|| Act::Octets(vec![0, 0, 0, 9, b'y']))).await;
        fails(&format!("an endless packet at {name}"), at(|| Act::Octets(vec![0xff; 20_000]))).await;
        fails(&format!("garbage at {name}"), at(|| Act::Octets(b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec()))).await;
        fails(&format!("an empty packet at {name}"), at(|| Act::Octets(vec![0; 4]))).await;
        fails(&format!("an unknown packet at {name}"), at(|| Act::Octets(vec![0, 0, 0, 1, b'Z']))).await;
        fails(&format!("no refusal at {name}"), at(|| say(Answer::Reply(bytes("250 Fine"))))).await;
        if step != b'E' {
            fails(&format!("a change at {name}"), at(|| say(Answer::AddHeader(bytes("X"), bytes("y"))))).await;
        }
    }
    fails("another version", |name, _| match name {
        b'O' => say(Answer::Negotiated(Terms { version: 9, actions: Actions(0), steps: Steps(0) }, Vec::new())),
        other => content(other),
    })
    .await;
    fails("does not read, and does not answer", |name, _| if name == b'C' { Act::Hang } else { content(name) }).await;
}

#[tokio::test]
async fn a_filter_that_wants_too_much_gets_nothing() {
    let many = vec![Answer::AddHeader(bytes("X"), bytes("y")); CHANGES_MAX + 1];
    fails("too many changes", clonable(many)).await;
    let large = vec![Answer::AddHeader(bytes("X"), Bytes::from(vec![b'y'; 60_000])); 5];
    fails("too large changes", clonable(large)).await;
    // The body may have a hundred octets here.
    fails("too large a body", clonable(vec![Answer::ReplaceBody(Bytes::from(vec![b'y'; 60])); 2])).await;
}

fn clonable(changes: Vec<Answer>) -> impl Fn(u8, &[u8]) -> Act + Clone + Send + Sync + 'static {
    let changes = Arc::new(changes);
    move |name, _| match name {
        b'E' => Act::Say(changes.iter().chain([&Answer::Continue]).cloned().collect()),
        other => content(other),
    }
}

#[tokio::test]
async fn whoever_works_on_is_waited_for_and_not_for_ever() {
    // It says so again and again: the time for all filters together ends it, and those behind it are not asked any more.
    let stage = scene();
    let endless = |stage: &Scene, port| {
        let clock = stage.sim.clock.clone();
        stage.sim.connector.listen(([127, 0, 0, 1], port).into(), move |mut stream| {
            let clock = clock.clone();
            tokio::spawn(async move {
                let mut octets = Vec::new();
                Answer::Negotiated(Terms { version: 6, actions: Actions(0), steps: Steps(0) }, Vec::new())
                    .write_to(&mut octets);
                stream.write_all(&octets).await.unwrap();
                let mut working = Vec::new();
                Answer::Progress.write_to(&mut working);
                while stream.write_all(&working).await.is_ok() {
                    world::Clock::sleep(&*clock, Duration::from_secs(1)).await;
                }
            });
        });
    };
    endless(&stage, 1);
    play(&stage, 2, |name, _| content(name));
    let filters = vec![milter("one", 1), milter("two", 2)];
    let after = judged(&stage, filters, session(None), &["alice@example.org"], BODY).await;
    assert_eq!(after.judgement.refusal, None);
    assert_eq!(
        after.judgement.told,
        [
            "one: the time for all filters together is over; the message goes on without it",
            "two: the time for all filters together is over; the message goes on without it"
        ]
    );
}

#[tokio::test]
async fn a_filter_that_is_not_there_has_failed_and_its_status_says_so() {
    let stage = scene();
    let world = stage.sim.world();
    let filters = Filters::new(world, Duration::from_secs(60), vec![Filter { incoming: false, ..milter("m", 9) }]);
    assert!(filters.look_at(true) && !filters.look_at(false));
    let mut spool = MemorySpool::new(BODY.to_vec(), 7, 100);
    let mut letter = Letter::new(Header::read(HEADER), &mut spool, envelope(&["alice@example.org"]), 100);
    // It does not look at mail of other servers.
    let turn = filters.turn().await.unwrap();
    let judgement = filters.judge(turn, &session(None), &mut letter).await.unwrap();
    assert!(judgement.told.is_empty());
    let turn = filters.turn().await.unwrap();
    let judgement = filters.judge(turn, &session(Some("alice@example.org")), &mut letter).await.unwrap();
    assert!(judgement.told[0].starts_with("m: no connection: "), "{:?}", judgement.told);
    let (_, status) = filters.status().next().unwrap();
    assert_eq!((status.asked, status.failed, status.answer), (1, 1, None));
    assert!(status.failure.unwrap().1.starts_with("no connection"));
}

#[tokio::test]
async fn a_filter_may_listen_at_a_socket_or_have_a_name() {
    let stage = scene();
    let heard = Arc::clone(&stage.heard);
    stage.sim.connector.listen_socket("/run/m.sock".into(), move |stream| {
        let heard = Arc::clone(&heard);
        tokio::spawn(async move { talk(stream, &|name: u8, _: &[u8]| content(name), &heard).await });
    });
    stage.sim.resolver.set_addresses("milter.example".parse().unwrap(), Ok(vec!["127.0.0.1".parse().unwrap()]));
    play(&stage, 5, |name, _| content(name));
    for place in ["unix:/run/m.sock", "inet:5@milter.example"] {
        let mut filter = milter("m", 9);
        if let Kind::Milter(milter) = &mut filter.kind {
            milter.place = place.parse().unwrap();
        }
        let after = judged(&stage, vec![filter], session(None), &["alice@example.org"], BODY).await;
        assert_eq!(after.judgement.told, ["m: takes it"], "{place}");
    }
}

#[tokio::test]
async fn a_message_whose_turn_does_not_come_is_not_held() {
    let stage = scene();
    let filters =
        Filters::new(stage.sim.world(), Duration::from_secs(60), vec![Filter { fail: Fail::Closed, ..milter("m", 1) }]);
    let mut turns = Vec::new();
    for _ in 0..AT_ONCE_MAX {
        turns.push(filters.turn().await.unwrap());
    }
    {
        let waiting = filters.turn();
        let mut waiting = std::pin::pin!(waiting);
        tokio::select! {
            biased;
            _ = &mut waiting => panic!("there is no place"),
            () = quiet() => {}
        }
        turns.pop();
        assert!(waiting.await.is_some());
    }
    turns.push(filters.turn().await.unwrap());
    let waiting = filters.turn();
    let mut waiting = std::pin::pin!(waiting);
    tokio::select! {
        biased;
        _ = &mut waiting => panic!("there is no place"),
        () = quiet() => stage.sim.clock.advance(Duration::from_secs(61)),
    }
    assert!(waiting.await.is_none());
    let judgement = filters.unasked(&session(None));
    assert!(judgement.refusal.unwrap().is_temporary());
    assert_eq!(judgement.told, ["m: the time for all filters together is over; so the message is refused for now"]);
}

/// A filter that is content with everything, and does with its connection what it likes when it is told QUIT.
fn content_until_quit<F>(stage: &Scene, port: u16, at_quit: impl Fn(Box<dyn Stream>) -> F + Send + Sync + 'static)
where
    F: Future<Output = ()> + Send + 'static,
{
    let at_quit = Arc::new(at_quit);
    stage.sim.connector.listen(([127, 0, 0, 1], port).into(), move |mut stream| {
        let at_quit = Arc::clone(&at_quit);
        tokio::spawn(async move {
            loop {
                let mut length = [0; 4];
                stream.read_exact(&mut length).await.unwrap();
                let mut packet = vec![0; u32::from_be_bytes(length) as usize];
                stream.read_exact(&mut packet).await.unwrap();
                let Act::Say(answers) = content(packet[0]) else { unreachable!() };
                if packet[0] == b'Q' {
                    return at_quit(stream).await;
                }
                let mut octets = Vec::new();
                answers.iter().for_each(|answer| answer.write_to(&mut octets));
                stream.write_all(&octets).await.unwrap();
            }
        });
    });
}

#[tokio::test]
async fn a_filter_that_hangs_at_the_goodbye_delays_nobody_and_its_connection_is_closed() {
    let stage = scene();
    let closed = Arc::new(Mutex::new(0_usize));
    let count = Arc::clone(&closed);
    // It says nothing to QUIT and keeps its end of the connection open, until it sees that ours is closed.
    content_until_quit(&stage, 1, move |mut stream| {
        let count = Arc::clone(&count);
        async move {
            let mut rest = Vec::new();
            assert_eq!(stream.read_to_end(&mut rest).await.unwrap(), 0);
            *count.lock().unwrap() += 1;
        }
    });
    let begun = stage.sim.world().clock.now();
    let filters = Filters::new(stage.sim.world(), Duration::from_secs(60), vec![milter("m", 1)]);
    // More messages than filters look at at once: none waits for the goodbye of another.
    let messages = AT_ONCE_MAX + 10;
    for _ in 0..messages {
        let mut spool = MemorySpool::new(BODY.to_vec(), 7, 100);
        let mut letter = Letter::new(Header::read(HEADER), &mut spool, envelope(&["alice@example.org"]), 100);
        let turn = filters.turn().await.unwrap();
        let judgement = filters.judge(turn, &session(None), &mut letter).await.unwrap();
        assert_eq!(judgement.told, ["m: takes it"]);
    }
    assert_eq!(stage.sim.world().clock.now(), begun, "no time has passed");
    while *closed.lock().unwrap() < messages {
        tokio::task::yield_now().await;
    }
    let (_, status) = filters.status().next().unwrap();
    assert_eq!((status.asked, status.failed), (messages as u64, 0));
}

/// A connection that takes no goodbye: QUIT is not written, and nothing is closed by asking for it.
struct Clinging {
    stream: Box<dyn Stream>,
    dropped: Arc<Mutex<usize>>,
}

impl Drop for Clinging {
    fn drop(&mut self) {
        *self.dropped.lock().unwrap() += 1;
    }
}

impl AsyncRead for Clinging {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Clinging {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<std::io::Result<usize>> {
        if buf.ends_with(&[0, 0, 0, 1, b'Q']) { Poll::Pending } else { Pin::new(&mut self.stream).poll_write(cx, buf) }
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Pending
    }
}

/// Connections of a simulated world, as clinging ones.
struct ClingingConnector {
    inner: Arc<SimulatedConnector>,
    dropped: Arc<Mutex<usize>>,
}

impl Connector for ClingingConnector {
    fn connect_from(
        &self,
        from: Option<IpAddr>,
        to: SocketAddr,
        within: Duration,
    ) -> BoxFuture<'_, std::io::Result<Box<dyn Stream>>> {
        Box::pin(async move {
            let stream = self.inner.connect_from(from, to, within).await?;
            Ok(Box::new(Clinging { stream, dropped: Arc::clone(&self.dropped) }) as Box<dyn Stream>)
        })
    }
}

#[tokio::test]
async fn a_connection_that_takes_no_goodbye_is_given_up() {
    for refuses in [false, true] {
        let stage = scene();
        play(&stage, 1, move |name, _| match name {
            // It ends before the message does, and is told ABORT and QUIT.
            b'M' if refuses => say(Answer::Reject),
            other => content(other),
        });
        let dropped = Arc::new(Mutex::new(0));
        let connector = ClingingConnector { inner: stage.sim.connector.clone(), dropped: Arc::clone(&dropped) };
        let world = World { connector: Arc::new(connector), ..stage.sim.world() };
        let begun = world.clock.now();
        let filters = Filters::new(world.clone(), Duration::from_secs(60), vec![milter("m", 1)]);
        let mut spool = MemorySpool::new(BODY.to_vec(), 7, 100);
        let mut letter = Letter::new(Header::read(HEADER), &mut spool, envelope(&["alice@example.org"]), 100);
        let turn = filters.turn().await.unwrap();
        let judgement = filters.judge(turn, &session(None), &mut letter).await.unwrap();
        assert_eq!(judgement.refusal.is_some(), refuses);
        assert_eq!(world.clock.now(), begun, "its word is known, and nobody waits");
        quiet().await;
        assert_eq!(*dropped.lock().unwrap(), 0, "it is waited for aside");
        stage.sim.clock.advance(GOODBYE);
        while *dropped.lock().unwrap() == 0 {
            tokio::task::yield_now().await;
        }
    }
}
