//! The readers of what other servers say, for `relais-fuzz-targets`, which give them any octets. For nobody else.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use delivery::{Delivery, DeliverySettings};
use mail::{Domain, Timestamp};
use storage::{MemoryEngine, SilentDoorbell, Store};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use world::simulated::SimulatedWorld;

use crate::body::{Came, Newlines, Undot};
use crate::error::FetchError;
use crate::imap::{Fetched, Imap};
use crate::pop3::Pop3;
use crate::wire::{Smallest, Wire};

/// What was made of a server's words, or why nothing was.
pub type Read = Result<String, FetchError>;

/// The UID that is asked for.
pub const UID: u32 = 7;

/// Reads what an IMAP server says to a client that has just connected: capabilities, what `folder` is, the UIDs of a SEARCH,
/// what messages are like, a message. One answer after the other, up to the first that is none.
#[must_use]
pub fn imap(pieces: &[&[u8]]) -> Vec<Read> {
    let mut read = Vec::new();
    let Some(delivery) = delivery() else { return read };
    at_once(async {
        let mut session = Imap::connected(wire(pieces));
        while read.last().is_none_or(go_on) && read.len() < ROUNDS_MAX {
            read.push(session.select("INBOX", true).await.map(|opened| format!("{opened:?}")));
            let mut found = Smallest::new(0, 10);
            let searched = session.search("UID 1:*", &mut found).await;
            read.push(searched.map(|()| format!("{found:?}")));
            read.push(session.describe(&[1, UID, 12]).await.map(|all| format!("{all:?}")));
            read.push(session.fetch(UID, delivery).await.map(|fetched| match fetched {
                Fetched::Message(came) => told_of(came),
                Fetched::Gone => "gone".to_owned(),
                Fetched::Refused(why) => format!("refused: {why}"),
            }));
        }
    });
    read
}

/// Reads what a POP3 server says to a client that has just logged in: the list of messages, then messages.
#[must_use]
pub fn pop3(pieces: &[&[u8]]) -> Vec<Read> {
    let mut read = Vec::new();
    let Some(delivery) = delivery() else { return read };
    at_once(async {
        let mut session = Pop3::connected(wire(pieces));
        read.push(session.list().await.map(|all| format!("{all:?}")));
        while read.last().is_none_or(go_on) && read.len() < ROUNDS_MAX {
            read.push(session.fetch(1, delivery).await.map(|fetched| match fetched {
                Ok(came) => told_of(came),
                Err(why) => format!("refused: {why}"),
            }));
        }
    });
    read
}

/// The message in what follows `+OK` to RETR, as it is kept, and how many octets it took; `None` while it has not ended.
#[must_use]
pub fn message(pieces: &[&[u8]]) -> (Vec<u8>, Option<usize>) {
    let (mut undot, mut newlines) = (Undot::default(), Newlines::default());
    let (mut kept, mut before) = (Vec::new(), 0_usize);
    for piece in pieces {
        let mut plain = Vec::new();
        let end = undot.feed(piece, &mut plain);
        newlines.feed(&plain, &mut kept);
        if let Some(taken) = end {
            newlines.end(&mut kept);
            return (kept, Some(before.saturating_add(taken)));
        }
        before = before.saturating_add(piece.len());
    }
    (kept, None)
}

/// A session goes on behind what a server refuses, and ends with what is not the protocol.
fn go_on(read: &Read) -> bool {
    matches!(read, Ok(_) | Err(FetchError::CommandRefused(..) | FetchError::NoFolder(..)))
}

fn told_of(came: Came) -> String {
    match came {
        Came::Whole(alone) => format!("{} octets, {}", alone.blob.octets, alone.blob.hash),
        Came::Refused(why) => why.to_owned(),
    }
}

fn wire(pieces: &[&[u8]]) -> Wire {
    let said = Said(pieces.iter().map(|piece| piece.to_vec()).collect());
    Wire::new(Box::new(said), SimulatedWorld::new(Timestamp(0), 1).world(), Duration::from_secs(60))
}

/// One store for all inputs: what is not deposited is not in it.
fn delivery() -> Option<&'static Delivery> {
    static DELIVERY: OnceLock<Option<Delivery>> = OnceLock::new();
    let open = || {
        let engine = Arc::new(MemoryEngine::new(Arc::new(SilentDoorbell)));
        let store = at_once(Store::open(engine, SimulatedWorld::new(Timestamp(0), 1).world())).ok()?;
        let hostname = Domain::parse("mx.example").ok()?;
        Some(Delivery::new(store, DeliverySettings { hostname, message_octets_max: 1_000 }))
    };
    DELIVERY.get_or_init(open).as_ref()
}

/// Nothing here waits for anything: all that is ever said has been said.
///
/// # Panics
/// When something waits.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    match pin!(work).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(done) => done,
        Poll::Pending => panic!("a reader waits for more than what is said"),
    }
}

/// A server that has said these pieces, hears nothing, and has gone.
struct Said(VecDeque<Vec<u8>>);

impl AsyncRead for Said {
    fn poll_read(mut self: Pin<&mut Self>, _: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<std::io::Result<()>> {
        if let Some(mut piece) = self.0.pop_front() {
            let rest = piece.split_off(piece.len().min(buffer.remaining()));
            buffer.put_slice(&piece);
            if !rest.is_empty() {
                self.0.push_front(rest);
            }
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Said {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, octets: &[u8]) -> Poll<std::io::Result<usize>> {
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Answers of a kind that are read of one input.
const ROUNDS_MAX: usize = 40;
