//! Where the body of a message is while filters look at it: never here.

use bytes::Bytes;
use world::BoxFuture;

/// Why octets of a body can't be had or kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SpoolError {
    /// A filter's body is larger than a message may be.
    #[error("the body that it writes is larger than a message may be")]
    TooLong,
    /// The store can't; whoever lends the spool knows why.
    #[error("the store failed")]
    Store,
}

/// The body of one message, read in pieces. A filter may write another one, which is the body from then on.
pub trait Spool: Send {
    /// How many octets it has.
    fn octets(&self) -> u64;
    /// The octets at an offset, as many as are at hand; empty at the end.
    fn piece(&mut self, at: u64) -> BoxFuture<'_, Result<Bytes, SpoolError>>;
    /// Begins another body; what was written of one before is forgotten.
    fn begin(&mut self);
    /// Takes the next octets of it.
    fn write<'a>(&'a mut self, octets: &'a [u8]) -> BoxFuture<'a, Result<(), SpoolError>>;
    /// What was written is the body from now on.
    fn replace(&mut self);
    /// What was written is forgotten.
    fn forget(&mut self);
}

/// A body in memory, for tests and small messages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MemorySpool {
    body: Bytes,
    written: Option<Vec<u8>>,
    octets_max: usize,
    piece_octets: usize,
}

impl MemorySpool {
    /// A body, given out in pieces of so many octets; another one may have `octets_max`.
    #[must_use]
    pub fn new(body: impl Into<Bytes>, piece_octets: usize, octets_max: usize) -> Self {
        Self { body: body.into(), written: None, octets_max, piece_octets: piece_octets.max(1) }
    }

    /// The body as it is now.
    #[must_use]
    pub fn body(&self) -> &[u8] {
        &self.body
    }
}

impl Spool for MemorySpool {
    fn octets(&self) -> u64 {
        self.body.len() as u64
    }

    fn piece(&mut self, at: u64) -> BoxFuture<'_, Result<Bytes, SpoolError>> {
        let from = usize::try_from(at).unwrap_or(usize::MAX).min(self.body.len());
        let to = from.saturating_add(self.piece_octets).min(self.body.len());
        let piece = self.body.slice(from..to);
        Box::pin(async move { Ok(piece) })
    }

    fn begin(&mut self) {
        self.written = Some(Vec::new());
    }

    fn write<'a>(&'a mut self, octets: &'a [u8]) -> BoxFuture<'a, Result<(), SpoolError>> {
        let written = self.written.get_or_insert_default();
        let fits = written.len().saturating_add(octets.len()) <= self.octets_max;
        if fits {
            written.extend_from_slice(octets);
        }
        Box::pin(async move { if fits { Ok(()) } else { Err(SpoolError::TooLong) } })
    }

    fn replace(&mut self) {
        if let Some(written) = self.written.take() {
            self.body = written.into();
        }
    }

    fn forget(&mut self) {
        self.written = None;
    }
}
