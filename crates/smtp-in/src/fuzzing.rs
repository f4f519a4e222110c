//! The reader of PROXY headers for `relais-fuzz-targets`, which give it any octets. For nobody else.

use std::net::SocketAddr;
use std::task::{Context, Poll, Waker};

use crate::proxy;

/// What a proxy says of its client: the client's end and ours.
pub type Ends = (SocketAddr, SocketAddr);

/// Reads a header at the beginning: what it says, `Some(None)` when the proxy speaks for itself and `None` when there is none; and how many octets
/// were read.
#[must_use]
pub fn proxy(octets: &[u8]) -> (Option<Option<Ends>>, usize) {
    let mut rest = octets;
    let read = match std::pin::pin!(proxy::read(&mut rest)).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(read) => read.ok(),
        Poll::Pending => unreachable!("octets that are there are read at once"),
    };
    let told = read.map(|told| told.map(|proxied| (proxied.remote, proxied.local)));
    (told, octets.len().saturating_sub(rest.len()))
}
