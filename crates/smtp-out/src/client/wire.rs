//! The connection under a session: octets out, answers in.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::Stream;

use super::answer::{Answer, AnswerReader, Flaw};

/// See the module. Whoever calls sets the time that each of these may take.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    /// What came behind the last answer.
    unread: Vec<u8>,
}

/// Why no answer came.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WireError {
    #[error("the host closed the connection")]
    Closed,
    #[error(transparent)]
    Flaw(#[from] Flaw),
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Wire {
    pub(crate) fn new(stream: Box<dyn Stream>) -> Self {
        Self { stream, unread: Vec::new() }
    }

    /// The stream for a TLS handshake. What was read ahead of it is nobody's (RFC 3207 §4.2): it could have been put
    /// there by anyone.
    pub(crate) fn into_stream(self) -> Box<dyn Stream> {
        self.stream
    }

    /// The next answer.
    pub(crate) async fn answer(&mut self) -> Result<Answer, WireError> {
        let mut reader = AnswerReader::default();
        loop {
            let (used, done) = reader.read(&self.unread);
            self.unread.drain(..used);
            if let Some(done) = done {
                return Ok(done?);
            }
            let mut buffer = [0; READ_OCTETS];
            let octets = self.stream.read(&mut buffer).await?;
            if octets == 0 {
                return Err(WireError::Closed);
            }
            self.unread.extend_from_slice(buffer.get(..octets).unwrap_or_default());
        }
    }

    /// What the host has said without having been asked, as far as it is here already: its first answer, or nonsense.
    pub(crate) fn unasked(&self) -> Option<Result<Answer, Flaw>> {
        if self.unread.is_empty() {
            return None;
        }
        let (_, done) = AnswerReader::default().read(&self.unread);
        Some(done.unwrap_or(Err(Flaw::NoSmtp)))
    }

    /// Writes octets, all of them.
    pub(crate) async fn send(&mut self, octets: &[u8]) -> io::Result<()> {
        self.stream.write_all(octets).await?;
        self.stream.flush().await
    }

    /// Closes our side.
    pub(crate) async fn close(&mut self) -> io::Result<()> {
        self.stream.shutdown().await
    }
}

const READ_OCTETS: usize = 2_048;
