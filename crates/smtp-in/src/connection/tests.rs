//! The connection against a client that never stops sending, and what goes into the log.

use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};
use std::time::Duration;

use mail::{Domain, ForwardPath, Reply, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use world::BoxFuture;
use world::simulated::{SimulatedClock, SimulatedWorld};

use super::*;
use crate::host::{Acknowledgement, AuthFailure, Verdict};
use crate::secret::Secret;
use crate::session::{Identity, SessionId};
use crate::settings::{BareNewlines, Live};

/// A client whose next octets are always there already. Each read lets time pass.
struct Dripping {
    head: Vec<u8>,
    drip: &'static [u8],
    step: Duration,
    clock: Arc<SimulatedClock>,
    reads_left: usize,
    said: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Dripping {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if !self.head.is_empty() {
            let octets = self.head.len().min(buf.remaining());
            let head: Vec<u8> = self.head.drain(..octets).collect();
            buf.put_slice(&head);
            return Poll::Ready(Ok(()));
        }
        assert!(self.reads_left > 0, "the server reads without end");
        self.reads_left -= 1;
        self.clock.advance(self.step);
        let octets = self.drip.len().min(buf.remaining());
        buf.put_slice(&self.drip[..octets]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Dripping {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        self.said.lock().unwrap().extend_from_slice(buf);
        Poll::Ready(Ok(buf.len()))
    }
    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Takes everything and keeps nothing.
struct Anything;

impl Host for Anything {
    fn may_begin<'a>(&'a self, _: &'a SessionFacts, _: &'a Envelope) -> BoxFuture<'a, Verdict> {
        Box::pin(async { Verdict::Accept })
    }
    fn recipient<'a>(&'a self, _: &'a SessionFacts, _: &'a Envelope, _: &'a ForwardPath) -> BoxFuture<'a, Verdict> {
        Box::pin(async { Verdict::Accept })
    }
    fn authenticate<'a>(
        &'a self,
        _: &'a SessionFacts,
        _: &'a str,
        _: &'a Secret,
    ) -> BoxFuture<'a, Result<Identity, AuthFailure>> {
        Box::pin(async { Err(AuthFailure::Refused) })
    }
    fn open<'a>(&'a self, _: &'a SessionFacts, _: &'a Envelope) -> BoxFuture<'a, Result<Box<dyn MessageSink>, Reply>> {
        Box::pin(async { Ok(Box::new(Nowhere) as Box<dyn MessageSink>) })
    }
}

struct Nowhere;

impl MessageSink for Nowhere {
    fn write<'a>(&'a mut self, _: &'a [u8]) -> BoxFuture<'a, Result<(), Reply>> {
        Box::pin(async { Ok(()) })
    }
    fn finish(self: Box<Self>, _: Envelope) -> BoxFuture<'static, Result<Acknowledgement, Reply>> {
        Box::pin(async { Err(Reply::plain(451, "Nothing is kept")) })
    }
}

struct Heard {
    last_line: String,
    at: Timestamp,
    end: End,
}

/// What becomes of a session that sends `head`, and then `drip` for ever, each in its own read.
async fn drip(kind: ListenerKind, head: &str, drip: &'static [u8], step: Duration, reads: usize) -> Heard {
    let simulated = SimulatedWorld::new(Timestamp(0), 1);
    let said = Arc::new(Mutex::new(Vec::new()));
    let stream = Dripping {
        head: head.as_bytes().to_vec(),
        drip,
        step,
        clock: simulated.clock.clone(),
        reads_left: reads,
        said: said.clone(),
    };
    let settings = Settings {
        kind,
        host_name: Domain::parse("mx.example").unwrap(),
        limits: Live::new(Limits::default()),
        tls: None,
        bare_newlines: BareNewlines::Refuse,
        scram: false,
        tokens: false,
        proxies: Vec::new(),
        xclient_from: Vec::new(),
        burl: false,
        no_soliciting: Vec::new(),
        door: None,
    };
    let at = "192.0.2.1:25".parse().unwrap();
    let mut facts = SessionFacts::new(SessionId(1), kind, at, at);
    if kind == ListenerKind::Submission {
        facts.tls = Some(TlsFacts { version: "TLSv1.3".into(), cipher: String::new(), ..TlsFacts::default() });
    }
    let world = simulated.world();
    let (end, _) = serve(Box::new(stream), facts, None, &settings, &Anything, &world, &CancellationToken::new()).await;
    let said = String::from_utf8(said.lock().unwrap().clone()).unwrap();
    Heard { last_line: said.lines().last().unwrap().to_owned(), at: world.clock.now(), end }
}

const SECOND: Duration = Duration::from_secs(1);
const BEGIN: &str = "EHLO c.example\r\nMAIL FROM:<a@b.example>\r\nRCPT TO:<c@d.example>\r\nDATA\r\n";

#[tokio::test]
async fn octets_that_keep_coming_do_not_extend_the_time_of_a_message() {
    let heard = drip(ListenerKind::Mx, BEGIN, b"x", SECOND, 10_000).await;
    assert_eq!(heard.last_line, "421 4.4.2 The message takes too long; closing");
    assert!((3_600..3_620).contains(&heard.at.as_secs()), "{:?}", heard.at);
    assert!(matches!(heard.end, End::ByUs));
}

#[tokio::test]
async fn octets_that_keep_coming_are_no_command() {
    for head in ["", "EHLO c.example\r\n", BEGIN.strip_suffix("DATA\r\n").unwrap()] {
        let heard = drip(ListenerKind::Mx, head, b"x", SECOND, 10_000).await;
        assert_eq!(heard.last_line, "421 4.4.2 Nothing was heard for too long; closing");
        assert!((300..320).contains(&heard.at.as_secs()), "{:?}", heard.at);
    }
}

#[tokio::test]
async fn a_line_without_end_is_read_so_far_and_no_further() {
    // Without any time passing: the octets are what is bounded. Behind the last reply time is.
    let heard = drip(ListenerKind::Mx, "EHLO c.example\r\n", &[b'x'; 1_000], Duration::from_millis(1), 10_000).await;
    assert_eq!(heard.last_line, "500 5.5.2 The line does not end; closing");
    assert!(matches!(heard.end, End::ByUs));
}

#[tokio::test]
async fn a_client_in_full_flow_is_listened_to_for_a_moment_only() {
    let heard = drip(ListenerKind::Mx, "QUIT\r\n", &[b'x'; 16_000], Duration::from_millis(10), 10_000).await;
    assert!(heard.last_line.starts_with("221 "));
    assert_eq!(heard.at, Timestamp(0).plus(LINGER));
}

/// Keeps the text of every event.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<String>>);

impl tracing::Subscriber for Log {
    fn enabled(&self, _: &tracing::Metadata<'_>) -> bool {
        true
    }
    fn new_span(&self, _: &tracing::span::Attributes<'_>) -> tracing::span::Id {
        tracing::span::Id::from_u64(1)
    }
    fn record(&self, _: &tracing::span::Id, _: &tracing::span::Record<'_>) {}
    fn record_follows_from(&self, _: &tracing::span::Id, _: &tracing::span::Id) {}
    fn event(&self, event: &tracing::Event<'_>) {
        let mut log = self.0.lock().unwrap();
        event.record(&mut |field: &tracing::field::Field, value: &dyn std::fmt::Debug| {
            log.push_str(&format!("{field}={value:?} "));
        });
    }
    fn enter(&self, _: &tracing::span::Id) {}
    fn exit(&self, _: &tracing::span::Id) {}
}

#[tokio::test]
async fn what_was_typed_for_a_login_that_fails_is_not_logged() {
    let log = Log::default();
    let _guard = tracing::subscriber::set_default(log.clone());
    // A password in the place of the name: NUL, "open sesame", NUL, "x".
    let head = "EHLO c.example\r\nAUTH PLAIN AG9wZW4gc2VzYW1lAHg=\r\nQUIT\r\n";
    drip(ListenerKind::Submission, head, b"x", SECOND, 100).await;
    let log = log.0.lock().unwrap();
    assert!(log.contains("authentication failed"), "{log}");
    assert!(!log.contains("open sesame"), "{log}");
}
