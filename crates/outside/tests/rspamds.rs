//! rspamd, played octet by octet over simulated connections.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, reason = "tests may")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use mail::{DsnNotify, Envelope, EnvelopeRecipient, ForwardPath, ReversePath, Timestamp};
use relais_outside::rspamd::{Greylist, Password, Rspamd};
use relais_outside::{Discard, Fail, Filter, Filters, Header, Judgement, Kind, Letter, MemorySpool, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::https::{HttpsClient, Url};
use world::simulated::SimulatedWorld;

const HEADER: &[u8] = b"From: zoe@far.example\r\nSubject: Hello\r\n\r\n";
const SECRET: &str = "a quiet pond";

struct Scene {
    sim: SimulatedWorld,
    heard: Arc<Mutex<Vec<u8>>>,
}

/// What it does when it has heard all.
#[derive(Clone)]
enum Says {
    Octets(Vec<u8>),
    /// These, again and again.
    Endless(Vec<u8>),
    Nothing,
    Close,
    /// An answer before it has heard more than this.
    Early(usize, Vec<u8>),
}

fn scene(says: Says) -> Scene {
    let sim = SimulatedWorld::new(Timestamp(1_767_225_600_000), 1);
    let heard = Arc::new(Mutex::new(Vec::new()));
    let hears = Arc::clone(&heard);
    sim.connector.listen(([127, 0, 0, 1], 11333).into(), move |mut stream| {
        let (says, hears) = (says.clone(), Arc::clone(&hears));
        tokio::spawn(async move {
            let early = if let Says::Early(octets, _) = &says { Some(*octets) } else { None };
            let mut octets = [0; 1000];
            loop {
                let so_far = hears.lock().unwrap().clone();
                if is_whole(&so_far) || early.is_some_and(|early| so_far.len() >= early) {
                    break;
                }
                match stream.read(&mut octets).await {
                    Ok(read @ 1..) => hears.lock().unwrap().extend_from_slice(&octets[..read]),
                    _ => return,
                }
            }
            match says {
                Says::Octets(octets) | Says::Early(_, octets) => stream.write_all(&octets).await.ok(),
                Says::Endless(octets) => {
                    while stream.write_all(&octets).await.is_ok() {}
                    None
                }
                Says::Nothing => std::future::pending().await,
                Says::Close => None,
            };
        });
    });
    Scene { sim, heard }
}

/// Whether a request has come whole.
fn is_whole(octets: &[u8]) -> bool {
    let text = String::from_utf8_lossy(octets);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")).unwrap();
    body.len() >= length.parse().unwrap()
}

fn answer(json: &str) -> Says {
    let head = format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", json.len());
    Says::Octets(format!("{head}{json}").into_bytes())
}

async fn judged(scene: &Scene, fail: Fail, octets_max: u64, body: &[u8]) -> (Judgement, String) {
    let world = scene.sim.world();
    let rspamd = Rspamd {
        https: Arc::new(HttpsClient::new(world.clone(), &[]).unwrap()),
        url: Url::parse_even_plain("http://127.0.0.1:11333/checkv2").unwrap(),
        password: Some(Password::new(SECRET)),
        within: Duration::from_secs(20),
        octets_max,
        greylist: Greylist::Take,
    };
    let filter = Filter {
        name: "rspamd".to_owned(),
        kind: Kind::Rspamd(rspamd),
        incoming: true,
        submitted: false,
        fail,
        discard: Discard::Spam,
    };
    let filters = Filters::new(world, Duration::from_secs(60), vec![filter]);
    let mut envelope = Envelope::new(ReversePath::parse("<zo\u{eb}@far.example>").unwrap());
    let path = |text: &str| ForwardPath::parse(text).unwrap();
    envelope.recipients = ["<alice@example.org>", "<bob@example.org>"]
        .map(|one| EnvelopeRecipient { forward_path: path(one), notify: DsnNotify::default(), original: None })
        .to_vec();
    let session = Session {
        hostname: "mx.example.org".parse().unwrap(),
        client: "[2001:db8::1]:4242".parse().unwrap(),
        local: "192.0.2.9:25".parse().unwrap(),
        helo: Some("mail.far.example".to_owned()),
        tls: None,
        login: None,
        id: "7f".to_owned(),
    };
    let mut spool = MemorySpool::new(body.to_vec(), 1_000, 0);
    let octets = (HEADER.len() + body.len()) as u64;
    let mut letter = Letter::new(Header::read(HEADER), &mut spool, envelope, octets);
    let turn = filters.turn().await.unwrap();
    let judgement = {
        let judging = filters.judge(turn, &session, &mut letter);
        let mut judging = std::pin::pin!(judging);
        loop {
            tokio::select! {
                biased;
                done = &mut judging => break done.unwrap(),
                () = quiet() => scene.sim.clock.advance(Duration::from_secs(1)),
            }
        }
    };
    (judgement, String::from_utf8(letter.header.octets()).unwrap())
}

async fn quiet() {
    for _ in 0..2_000 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test]
async fn it_is_told_all_of_it_and_its_answer_is_followed() {
    let json = r#"{"action":"add header","score":9.1,"required_score":15.0,"thresholds":{"add header":6.0},
        "symbols":{"BAYES_SPAM":{"score":5.1}},"milter":{"add_headers":{"X-Spamd-Result":"default: False"}}}"#;
    let scene = scene(answer(json));
    let body = b"Good morning.\r\n".repeat(10_000);
    let (judgement, header) = judged(&scene, Fail::Open, 1 << 20, &body).await;
    assert_eq!(judgement.spam.as_deref(), Some("rspamd: 9.1 of 6.0: BAYES_SPAM"));
    assert_eq!(judgement.told, ["rspamd: add header (9.1 of 6.0: BAYES_SPAM)"]);
    assert_eq!(header, "From: zoe@far.example\r\nSubject: Hello\r\nX-Spamd-Result: default: False\r\n\r\n");
    let heard = String::from_utf8(scene.heard.lock().unwrap().clone()).unwrap();
    let (head, message) = heard.split_once("\r\n\r\n").unwrap();
    let head = head.to_lowercase();
    for line in [
        "post /checkv2 http/1.1",
        "from: zo\u{eb}@far.example",
        "rcpt: alice@example.org",
        "rcpt: bob@example.org",
        "ip: 2001:db8::1",
        "helo: mail.far.example",
        "queue-id: 7f",
        "password: a quiet pond",
    ] {
        assert!(head.lines().any(|one| one == line), "{line}: {head}");
    }
    assert_eq!(message.as_bytes(), [HEADER, &body].concat());
}

#[tokio::test]
async fn a_large_message_is_not_shown() {
    let scene = scene(Says::Nothing);
    let (judgement, _) = judged(&scene, Fail::Closed, 100, &[b'x'; 100]).await;
    assert_eq!(judgement.refusal, None);
    assert_eq!(judgement.told, ["rspamd: is not asked: the message has more than 100 octets"]);
    assert!(scene.heard.lock().unwrap().is_empty());
}

#[tokio::test]
async fn whatever_it_does_the_message_goes_on_or_waits() {
    let head = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n";
    let endless = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let piece = [b"100\r\n".to_vec(), vec![b'{'; 256], b"\r\n".to_vec()].concat();
    for (what, says, words) in [
        ("silent", Says::Nothing, "timed out"),
        ("closes", Says::Close, "HTTP"),
        ("half an answer", Says::Octets(format!("{head}{{\"action\"").into_bytes()), "HTTP"),
        ("garbage", Says::Octets(b"\0\0\0\x01cgarbage\r\n\r\n".to_vec()), "HTTP"),
        ("a status", Says::Octets(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec()), "status 403"),
        ("no JSON", answer("it is fine"), "its answer can't be read"),
        ("other JSON", answer("{\"error\":\"x\"}"), "its answer can't be read"),
        ("an endless head", Says::Endless(b"HTTP/1.1 200 OK\r\nX: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyy".to_vec()), "HTTP"),
        ("an endless answer", Says::Endless([endless, piece.repeat(4_200)].concat()), "too long"),
        (
            "an answer that comes early",
            Says::Early(2_000, b"HTTP/1.1 413 Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".to_vec()),
            "HTTP",
        ),
    ] {
        for fail in [Fail::Open, Fail::Closed] {
            let scene = scene(says.clone());
            let (judgement, header) = judged(&scene, fail, 1 << 24, &vec![b'x'; 200_000]).await;
            let told = judgement.told.join(" ");
            let early = what.ends_with("early") && told.contains("status 413");
            assert!(told.contains(words) || early, "{what}: {told}");
            assert!(!told.contains(SECRET));
            assert_eq!(header.as_bytes(), HEADER);
            match fail {
                Fail::Open => assert_eq!(judgement.refusal, None, "{what}"),
                Fail::Closed => assert!(judgement.refusal.unwrap().is_temporary(), "{what}"),
            }
        }
    }
}

#[test]
fn the_password_is_shown_nowhere() {
    assert!(!format!("{:?}", Password::new(SECRET)).contains(SECRET));
}
