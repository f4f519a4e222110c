//! What only the real connection code can show: half-closed and silent clients, limits, shutdown, reload.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "helpers of tests may unwrap, like the tests"
)]

mod support;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::Timestamp;
use relais_smtp_in::{Limits, ListenerKind, Live, Settings, run};
use support::Setup;
use support::host::FakeHost;
use support::net_stage::{Client, listener, soon};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;
use world::simulated::SimulatedWorld;
use world::{SystemClock, World};

struct Server {
    at: SocketAddr,
    host: FakeHost,
    settings: Arc<Settings>,
    simulated: SimulatedWorld,
    shutdown: CancellationToken,
    running: JoinHandle<()>,
}

impl Server {
    fn start(setup: Setup) -> Self {
        let simulated = SimulatedWorld::new(Timestamp(0), 7);
        Self::start_in(setup, simulated.world(), simulated)
    }

    /// With the real clock, for what can only be seen as time passes.
    fn start_in_real_time(setup: Setup) -> Self {
        let simulated = SimulatedWorld::new(Timestamp(0), 7);
        let world = World { clock: Arc::new(SystemClock), ..simulated.world() };
        Self::start_in(setup, world, simulated)
    }

    fn start_in(setup: Setup, world: World, simulated: SimulatedWorld) -> Self {
        let (listener, at) = listener();
        let host = FakeHost::default();
        let settings = Arc::new(setup.settings());
        let shutdown = CancellationToken::new();
        let running = tokio::spawn(run(listener, settings.clone(), Arc::new(host.clone()), world, shutdown.clone()));
        Self { at, host, settings, simulated, shutdown, running }
    }

    async fn client(&self) -> Client {
        Client::connect(self.at).await
    }

    /// Shuts down, and gives back the host once no session is left.
    async fn end(self) -> FakeHost {
        self.shutdown.cancel();
        soon(self.running).await.unwrap();
        self.host
    }
}

fn with(limits: Limits) -> Setup {
    Setup { limits, ..Setup::default() }
}

const BEGIN: &[u8] = b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@relais.example>\r\n";

/// Greeting, EHLO, MAIL, RCPT, DATA.
async fn begin_data(client: &mut Client) {
    client.send(&[BEGIN, b"DATA\r\n"].concat()).await;
    for code in ["220", "250", "250", "250", "354"] {
        let reply = client.reply().await;
        assert!(reply.starts_with(code), "{reply}");
    }
}

#[tokio::test]
async fn a_half_closed_client_gets_all_its_replies() {
    let server = Server::start(Setup::default());
    let mut client = server.client().await;
    client.send(&[BEGIN, b"BDAT 3 LAST\r\na\r\nNOOP\r\nNOO"].concat()).await;
    client.stream.shutdown().await.unwrap();
    for code in ["220", "250", "250", "250", "250", "250"] {
        assert!(client.reply().await.starts_with(code));
    }
    assert_eq!(client.read_line().await, None);
    drop(client);
    assert_eq!(server.end().await.memory().kept.len(), 1);
}

#[tokio::test]
async fn a_message_that_breaks_off_is_abandoned() {
    let server = Server::start(Setup::default());
    let mut client = server.client().await;
    begin_data(&mut client).await;
    client.send(b"Subject: half a mess").await;
    drop(client);
    assert_eq!(server.end().await.kept_and_open(), (0, 0));
}

#[tokio::test]
async fn a_client_that_does_not_read_is_given_up() {
    let limits = Limits { write: Duration::from_millis(100), idle_commands_max: u32::MAX, ..Limits::default() };
    let server = Server::start_in_real_time(with(limits));
    let mut client = server.client().await;
    let helps = b"HELP\r\n".repeat(1_000);
    // The buffers in between fill, the server waits to write, and then no longer.
    soon(async { while client.stream.write_all(&helps).await.is_ok() {} }).await;
    server.end().await;
}

#[tokio::test]
async fn one_address_has_only_so_many_connections() {
    let server = Server::start(with(Limits { connections_per_address_max: 2, ..Limits::default() }));
    let mut first = server.client().await;
    let mut second = server.client().await;
    assert!(first.reply().await.starts_with("220"));
    assert!(second.reply().await.starts_with("220"));
    let mut third = server.client().await;
    assert_eq!(third.read_line().await.unwrap(), "421 4.7.0 Too many connections; come again later");
    assert_eq!(third.read_line().await, None);
    first.send(b"QUIT\r\n").await;
    assert!(first.reply().await.starts_with("221"));
    drop(first);
    // The place is free as soon as the server has seen the end.
    loop {
        let mut next = server.client().await;
        if next.reply().await.starts_with("220") {
            break;
        }
    }
    drop((second, third));
    server.end().await;
}

#[tokio::test]
async fn a_large_message_streams_in_small_pieces() {
    let server = Server::start(with(Limits { message_octets_max: 1 << 30, ..Limits::default() }));
    server.host.memory().trouble = "forgetful".to_owned();
    let mut client = server.client().await;
    begin_data(&mut client).await;
    let line = [b'x'; 998];
    let piece = [line.as_slice(), b"\r\n"].concat().repeat(1_000);
    for _ in 0..64 {
        client.send(&piece).await;
    }
    client.send(b".\r\n").await;
    assert!(client.reply().await.starts_with("250 2.0.0"));
    drop(client);
    let host = server.end().await;
    let memory = host.memory();
    assert_eq!(memory.octets_taken, 64_000_000);
    assert!(memory.largest_write <= 32 * 1024, "{}", memory.largest_write);
}

#[tokio::test]
async fn a_shutdown_waits_for_a_message_and_then_no_longer() {
    let server = Server::start(with(Limits { shutdown_grace: Duration::from_secs(30), ..Limits::default() }));
    let (mut quick, mut slow, mut idle) = (server.client().await, server.client().await, server.client().await);
    begin_data(&mut quick).await;
    begin_data(&mut slow).await;
    assert!(idle.reply().await.starts_with("220"));
    server.shutdown.cancel();
    assert!(idle.reply().await.starts_with("421 4.3.2"));
    assert_eq!(idle.read_line().await, None);
    quick.send(b"in time\r\n.\r\n").await;
    assert!(quick.reply().await.starts_with("250 2.0.0"));
    assert!(quick.reply().await.starts_with("421 4.3.2"));
    drop((idle, quick));
    server.simulated.clock.advance(Duration::from_secs(30));
    assert_eq!(slow.read_line().await, None);
    assert_eq!(server.end().await.kept_and_open(), (1, 0));
}

#[tokio::test]
async fn a_new_certificate_and_new_limits_count_for_the_next_connection() {
    let server = Server::start(Setup { kind: ListenerKind::Submissions, ..Setup::default() });
    let mut client = server.client().await;
    client.handshake().await.unwrap();
    assert!(client.reply().await.starts_with("220"));
    let other = rcgen::generate_simple_self_signed(vec!["mx.example".to_owned()]).unwrap();
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(other.signing_key.serialize_der());
    let config = rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![other.cert.der().clone()], key.into())
        .unwrap();
    let live: &Live<_> = server.settings.tls.as_ref().unwrap();
    let before = live.get();
    live.set(Arc::new(config));
    server.settings.limits.set(Arc::new(Limits { message_octets_max: 77_777, ..Limits::default() }));
    // The client trusts the old one only.
    let mut distrustful = server.client().await;
    assert!(distrustful.handshake().await.is_err());
    // The open session goes on as before.
    client.send(b"EHLO c.example\r\n").await;
    assert!(client.reply().await.starts_with("250"));
    live.set(before);
    let mut again = server.client().await;
    again.handshake().await.unwrap();
    again.send(b"EHLO c.example\r\n").await;
    let mut lines = Vec::new();
    while lines.last().is_none_or(|line: &String| !line.starts_with("250 ")) {
        lines.push(again.read_line().await.unwrap());
    }
    assert!(lines.contains(&"250-SIZE 77777".to_owned()), "{lines:?}");
    drop((client, again, distrustful));
    server.end().await;
}

#[tokio::test]
async fn a_fault_of_ours_ends_one_session_only() {
    let server = Server::start(Setup::default());
    let mut unlucky = server.client().await;
    let mut other = server.client().await;
    assert!(other.reply().await.starts_with("220"));
    server.host.memory().trouble = "panic".to_owned();
    unlucky.send(BEGIN).await;
    assert!(unlucky.reply().await.starts_with("220"));
    while unlucky.read_line().await.is_some() {}
    server.host.memory().trouble.clear();
    begin_with(&mut other).await;
    drop((unlucky, other));
    server.end().await;
}

async fn begin_with(client: &mut Client) {
    client.send(BEGIN).await;
    for _ in 0..3 {
        assert!(client.reply().await.starts_with("250"));
    }
}

#[tokio::test]
async fn a_handshake_that_is_none_closes() {
    let server = Server::start(Setup { kind: ListenerKind::Submissions, ..Setup::default() });
    let mut client = server.client().await;
    client.send(b"EHLO c.example\r\n").await;
    let mut answer = Vec::new();
    soon(client.stream.read_to_end(&mut answer)).await.ok();
    assert!(!answer.starts_with(b"220"), "no plain text on port 465");
    // A client that says nothing is not waited for without end.
    let mut silent = server.client().await;
    soon(async {
        while server.simulated.clock.next_wake().is_none_or(|at| at > Timestamp(30_000)) {
            tokio::task::yield_now().await;
        }
    })
    .await;
    server.simulated.clock.advance(Duration::from_secs(30));
    assert_eq!(silent.read_line().await, None);
    drop((client, silent));
    server.end().await;
}

#[tokio::test]
async fn the_octets_behind_quit_do_not_take_the_reply_away() {
    let server = Server::start(Setup::default());
    let mut client = server.client().await;
    // More than all buffers in between hold.
    client.send(&[b"QUIT\r\n".as_slice(), &vec![b'x'; 16 << 20]].concat()).await;
    assert!(client.reply().await.starts_with("220"));
    assert!(client.reply().await.starts_with("221"));
    assert_eq!(client.read_line().await, None);
    drop(client);
    server.end().await;
}

/// A server that trusts the loopback address as a proxy.
fn proxied(settings: impl FnOnce(&mut Setup)) -> Server {
    let mut setup = Setup { proxies: vec!["127.0.0.1".parse().unwrap()], ..Setup::default() };
    settings(&mut setup);
    Server::start(setup)
}

async fn deliver(client: &mut Client) -> String {
    let lines = "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@relais.example>\r\nDATA\r\n";
    client.send(lines.as_bytes()).await;
    for _ in 0..4 {
        client.reply().await;
    }
    client.send(b"x\r\n.\r\n").await;
    client.reply().await
}

#[tokio::test]
async fn the_client_behind_a_proxy_is_whom_its_header_names() {
    let server = proxied(|_| {});
    let binary =
        [&b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c"[..], &[198, 51, 100, 9, 192, 0, 2, 1, 0x12, 0x67, 0, 25]].concat();
    for header in [&b"PROXY TCP4 198.51.100.9 192.0.2.1 4711 25\r\n"[..], &binary] {
        let mut client = server.client().await;
        client.send(header).await;
        assert!(client.reply().await.starts_with("220 "));
        assert!(deliver(&mut client).await.starts_with("250 "));
        let received = server.host.memory().last_received.clone();
        assert!(received.contains("([198.51.100.9])"), "{received}");
    }
}

#[tokio::test]
async fn a_proxy_that_says_nothing_of_its_client_is_not_heard() {
    let server = proxied(|_| {});
    let mut client = server.client().await;
    client.send(b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\n").await;
    assert_eq!(client.read_line().await, None, "not even greeted");
}

#[tokio::test]
async fn connections_count_for_the_client_behind_a_proxy() {
    let server = proxied(|setup| setup.limits.connections_per_address_max = 1);
    let header = |last: u8| format!("PROXY TCP4 198.51.100.{last} 192.0.2.1 4711 25\r\n");
    let (mut first, mut second, mut third) = (server.client().await, server.client().await, server.client().await);
    first.send(header(1).as_bytes()).await;
    assert!(first.reply().await.starts_with("220 "));
    second.send(header(1).as_bytes()).await;
    assert!(second.reply().await.starts_with("421 "));
    third.send(header(2).as_bytes()).await;
    assert!(third.reply().await.starts_with("220 "));
}

/// Who has many addresses of one network does not get every place of a listener.
#[tokio::test]
async fn connections_count_for_the_networks_around_a_client() {
    let server = proxied(|setup| {
        setup.limits.connections_per_address_max = 1;
        setup.limits.connections_per_network_max = [2, 3];
    });
    let mut clients = Vec::new();
    for (at, code) in [
        ("198.51.100.1", "220"),
        ("198.51.100.2", "220"),
        ("198.51.100.3", "421"), // a third one of the /26
        ("198.51.101.1", "220"),
        ("198.51.102.1", "421"), // a fourth one of the /21
        ("203.0.113.1", "220"),
    ] {
        let mut client = server.client().await;
        client.send(format!("PROXY TCP4 {at} 192.0.2.1 4711 25\r\n").as_bytes()).await;
        assert!(client.reply().await.starts_with(code), "{at}");
        clients.push(client);
    }
    for (last, code) in [(1, "220"), (2, "220"), (3, "421")] {
        let mut client = server.client().await;
        client.send(format!("PROXY TCP6 2001:db8:1:{last}::1 2001:db8::25 4711 25\r\n").as_bytes()).await;
        assert!(client.reply().await.starts_with(code), "{last}");
        clients.push(client);
    }
}

fn door(settings: abuse::Settings) -> abuse::Door {
    abuse::Door::new(settings, || {})
}

fn behind_door(door: &abuse::Door) -> Setup {
    Setup { door: Some(door.clone()), ..Setup::default() }
}

const LOOPBACK: &str = "127.0.0.1";

/// RFC 5321 §3.1 and §3.8: 421 in the place of the greeting for a while, 554 for good.
#[tokio::test]
async fn a_banned_client_is_told_why_in_the_place_of_the_greeting() {
    let door = door(abuse::Settings { contact: "postmaster@mx.example".to_owned(), ..abuse::Settings::default() });
    let until = Some(Timestamp(3_600_000));
    door.ban(LOOPBACK.parse().unwrap(), "spam wave", until, Timestamp(0)).unwrap();
    let told = "421 4.7.0 Your address 127.0.0.1 is banned until 1970-01-01 01:00:00 UTC: spam wave; \
                write to postmaster@mx.example from elsewhere";
    for kind in [ListenerKind::Mx, ListenerKind::Submission] {
        let server = Server::start(Setup { kind, ..behind_door(&door) });
        for _ in 0..2 {
            let mut client = server.client().await;
            assert_eq!(client.read_line().await.unwrap(), told);
            assert_eq!(client.read_line().await, None);
        }
        server.end().await;
    }
    // Who expects TLS first is told behind the handshake, so that a person can read it. By now it has come too often for that.
    let door = door_with_ban();
    let server = Server::start(Setup { kind: ListenerKind::Submissions, ..behind_door(&door) });
    for n in 0..8 {
        let mut client = server.client().await;
        let shaken = client.handshake().await;
        assert_eq!(shaken.is_ok(), n < 6, "{n}");
        if shaken.is_ok() {
            assert!(client.read_line().await.unwrap().starts_with("554 5.7.1 Your address 127.0.0.1 is banned"));
            assert_eq!(client.read_line().await, None);
        }
    }
    server.end().await;
}

fn door_with_ban() -> abuse::Door {
    let door = door(abuse::Settings::default());
    door.ban(LOOPBACK.parse().unwrap(), "spam wave", None, Timestamp(0)).unwrap();
    door
}

#[tokio::test]
async fn who_connects_too_often_is_asked_to_come_later() {
    let door = door(abuse::Settings { connections: abuse::PerNetwork([2, 0, 0]), ..abuse::Settings::default() });
    let server = Server::start(behind_door(&door));
    for _ in 0..2 {
        assert!(server.client().await.reply().await.starts_with("220 "));
    }
    let mut third = server.client().await;
    let told = "421 4.7.0 Too many connections from 127.0.0.1: at most 2 in a minute are taken; come again later";
    assert_eq!(third.read_line().await.unwrap(), told);
    assert_eq!(third.read_line().await, None);
    drop(third);
    server.simulated.clock.advance(Duration::from_secs(60));
    assert!(server.client().await.reply().await.starts_with("220 "));
    server.end().await;
}

#[tokio::test]
async fn garbage_bans_and_ends_the_session() {
    let door = door(abuse::Settings { bad_commands: abuse::PerNetwork([4, 0, 0]), ..abuse::Settings::default() });
    let server = Server::start(behind_door(&door));
    let mut client = server.client().await;
    assert!(client.reply().await.starts_with("220 "));
    client.send(b"GET / HTTP/1.1\r\nHost: mx.example\r\n\r\n").await;
    for _ in 0..3 {
        assert!(client.reply().await.starts_with("500 "));
    }
    // What is in a message does not count: it is its author's, and this client may be everybody's provider.
    client.send(b"EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<alice@relais.example>\r\nDATA\r\n").await;
    for _ in 0..4 {
        client.reply().await;
    }
    client.send(b"x\n.\nMAIL FROM:<c@d.example>\r\n.\r\n").await;
    assert!(client.reply().await.starts_with("550 5.6.11 "));
    client.send(b"GET / HTTP/1.1\r\n").await;
    assert!(client.reply().await.starts_with("500 "));
    let told = client.reply().await;
    assert!(told.starts_with("421 4.7.0 Your address 127.0.0.1 is banned until "), "{told}");
    assert!(told.contains(": 4 commands that make no sense in an hour; write to "), "{told}");
    assert_eq!(client.read_line().await, None);
    drop(client);
    assert!(server.client().await.reply().await.starts_with("421 4.7.0 Your address 127.0.0.1 is banned until "));
    server.end().await;
}

#[tokio::test]
async fn whom_a_proxy_names_is_whom_the_door_knows() {
    let settings = abuse::Settings { never_banned: vec![LOOPBACK.parse().unwrap()], ..abuse::Settings::default() };
    let door = door(settings);
    door.ban("198.51.100.9".parse().unwrap(), "spam wave", None, Timestamp(0)).unwrap();
    let named = door.clone();
    let server = proxied(|setup| setup.door = Some(named));
    let header = |last: u8| format!("PROXY TCP4 198.51.100.{last} 192.0.2.1 4711 25\r\n");
    let (mut banned, mut other) = (server.client().await, server.client().await);
    banned.send(header(9).as_bytes()).await;
    assert!(banned.reply().await.starts_with("554 5.7.1 Your address 198.51.100.9 is banned"));
    other.send(header(10).as_bytes()).await;
    assert!(other.reply().await.starts_with("220 "));
    let counted = |last: u8| door.visitor(std::net::IpAddr::from([198, 51, 100, last]), Timestamp(0)).counts.len();
    assert!(counted(10) > 0);
    drop((banned, other));
    server.end().await;
    // By XCLIENT as well.
    let setup = Setup { xclient_from: vec![LOOPBACK.parse().unwrap()], ..behind_door(&door) };
    let server = Server::start(setup);
    for (last, greeting) in [(9, "554 5.7.1 Your address 198.51.100.9 is banned"), (11, "220 ")] {
        let mut client = server.client().await;
        client.send(b"EHLO proxy.example\r\n").await;
        assert!(client.reply().await.starts_with("220 "));
        assert!(client.reply().await.starts_with("250"));
        client.send(format!("XCLIENT ADDR=198.51.100.{last}\r\n").as_bytes()).await;
        let told = client.reply().await;
        assert!(told.starts_with(greeting), "{told}");
        assert!(counted(last) > 0 || last == 9);
        if last == 9 {
            assert_eq!(client.read_line().await, None);
        }
    }
    server.end().await;
}

#[tokio::test]
async fn lmtp_is_spoken_over_a_unix_socket() {
    let folder = std::env::temp_dir().join(format!("relais-lmtp-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let path = folder.join("lmtp.sock");
    let socket = tokio::net::UnixListener::bind(&path).unwrap();
    let host = FakeHost::default();
    let settings = Arc::new(Setup { kind: ListenerKind::Lmtp, ..Setup::default() }.settings());
    let simulated = SimulatedWorld::new(Timestamp(0), 7);
    tokio::spawn(run(socket, settings, Arc::new(host.clone()), simulated.world(), CancellationToken::new()));
    let stream = tokio::net::UnixStream::connect(&path).await.unwrap();
    let mut client = Client { stream: Box::new(stream), input: Vec::new() };
    assert_eq!(client.reply().await, "220 mx.example LMTP Relais");
    let lines =
        "LHLO c.example\r\nMAIL FROM:<>\r\nRCPT TO:<alice@relais.example>\r\nRCPT TO:<bob@relais.example>\r\nDATA\r\n";
    client.send(lines.as_bytes()).await;
    for _ in 0..5 {
        client.reply().await;
    }
    client.send(b"x\r\n.\r\n").await;
    assert_eq!([client.reply().await, client.reply().await], ["250 2.0.0 Message kept as q1"; 2]);
    std::fs::remove_dir_all(&folder).unwrap();
}
