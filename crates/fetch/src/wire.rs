//! A connection to a server elsewhere: bounded lines, time-outs by the world's clock, and nothing kept of a message.

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use world::{Stream, World};

use crate::error::FetchError;
use crate::limits::{LAST_WORDS_TIMEOUT, LINE_OCTETS_MAX};

/// The smallest numbers of a SEARCH, with a bound on how many are kept.
#[derive(Debug)]
pub(crate) struct Smallest {
    pub(crate) numbers: BTreeSet<u32>,
    /// Numbers up to this one are not wanted.
    pub(crate) above: u32,
    pub(crate) most: usize,
    /// How many were wanted, kept or not.
    pub(crate) all: u64,
}

impl Smallest {
    pub(crate) fn new(above: u32, most: usize) -> Self {
        Self { numbers: BTreeSet::new(), above, most, all: 0 }
    }

    fn take(&mut self, words: &[u8]) {
        let words = words.split(|byte| *byte == b' ').filter_map(|word| std::str::from_utf8(word).ok());
        for number in words.filter_map(|word| word.parse().ok()).filter(|number| *number > self.above) {
            self.all = self.all.saturating_add(1);
            self.numbers.insert(number);
            if self.numbers.len() > self.most {
                self.numbers.pop_last();
            }
        }
    }
}

/// An open connection.
pub(crate) struct Wire {
    stream: Box<dyn Stream>,
    pub(crate) world: World,
    timeout: Duration,
    buffer: Vec<u8>,
    /// What of the buffer is used up.
    at: usize,
}

impl Wire {
    pub(crate) fn new(stream: Box<dyn Stream>, world: World, timeout: Duration) -> Self {
        Self { stream, world, timeout, buffer: Vec::new(), at: 0 }
    }

    /// The bare stream, for TLS. What the server said in clear behind its answer is thrown away.
    pub(crate) fn into_stream(self) -> Box<dyn Stream> {
        self.stream
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) async fn write(&mut self, octets: &[u8]) -> Result<(), FetchError> {
        let stream = &mut self.stream;
        let write = async {
            stream.write_all(octets).await?;
            stream.flush().await
        };
        match self.world.timeout(self.timeout, write).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(FetchError::Closed),
            Err(_) => Err(FetchError::TimedOut),
        }
    }

    async fn fill(&mut self) -> Result<(), FetchError> {
        self.buffer.resize(READ_OCTETS, 0);
        self.at = 0;
        let read = self.world.timeout(self.timeout, self.stream.read(&mut self.buffer)).await;
        let read = match read {
            Ok(Ok(read)) => read,
            Ok(Err(_)) => 0,
            Err(_) => {
                self.buffer.clear();
                return Err(FetchError::TimedOut);
            }
        };
        self.buffer.truncate(read);
        if read == 0 { Err(FetchError::Closed) } else { Ok(()) }
    }

    /// Some octets, at least one and at most so many.
    pub(crate) async fn some(&mut self, most: u64) -> Result<Vec<u8>, FetchError> {
        if self.at >= self.buffer.len() {
            self.fill().await?;
        }
        let rest = self.buffer.get(self.at..).unwrap_or_default();
        let taken = rest.len().min(usize::try_from(most).unwrap_or(usize::MAX));
        let some = rest.get(..taken).unwrap_or_default().to_vec();
        self.at = self.at.saturating_add(taken);
        Ok(some)
    }

    /// Gives octets back that were taken and not needed.
    pub(crate) fn give_back(&mut self, octets: usize) {
        self.at = self.at.saturating_sub(octets);
    }

    /// A line without its end. The numbers of an endless SEARCH are taken out as they come.
    pub(crate) async fn line(&mut self, mut search: Option<&mut Smallest>) -> Result<Vec<u8>, FetchError> {
        let mut line = Vec::new();
        loop {
            if self.at >= self.buffer.len() {
                self.fill().await?;
            }
            let rest = self.buffer.get(self.at..).unwrap_or_default();
            let end = rest.iter().position(|byte| *byte == b'\n');
            line.extend_from_slice(rest.get(..end.unwrap_or(rest.len())).unwrap_or_default());
            self.at = self.at.saturating_add(end.map_or(rest.len(), |end| end.saturating_add(1)));
            let searching = is_search(&line);
            if end.is_some() {
                if line.last() == Some(&b'\r') {
                    line.pop();
                }
                if let Some(found) = search.filter(|_| searching) {
                    found.take(line.get(SEARCH.len()..).unwrap_or_default());
                    line.truncate(SEARCH.len());
                }
                return Ok(line);
            }
            if line.len() > LINE_OCTETS_MAX {
                let last_space = line.iter().rposition(|byte| *byte == b' ').unwrap_or(0);
                match &mut search {
                    Some(found) if searching && last_space > SEARCH.len() => {
                        found.take(line.get(SEARCH.len()..last_space).unwrap_or_default());
                        line.drain(SEARCH.len()..last_space);
                    }
                    _ => return Err(FetchError::Protocol("a line has no end".to_owned())),
                }
            }
        }
    }

    /// Says a last word, whatever becomes of it.
    pub(crate) async fn part(mut self, word: &[u8]) {
        let world = self.world.clone();
        let stream = &mut self.stream;
        let parting = async {
            stream.write_all(word).await.ok();
            stream.flush().await.ok();
            stream.shutdown().await.ok();
        };
        world.timeout(LAST_WORDS_TIMEOUT, parting).await.ok();
    }
}

fn is_search(line: &[u8]) -> bool {
    let starts = line.get(..SEARCH.len()).is_some_and(|start| start.eq_ignore_ascii_case(SEARCH));
    starts && line.get(SEARCH.len()).is_none_or(|next| matches!(next, b' ' | b'\r'))
}

const SEARCH: &[u8] = b"* SEARCH";
const READ_OCTETS: usize = 16 * 1024;

#[cfg(test)]
mod tests {
    use mail::Timestamp;
    use world::simulated::SimulatedWorld;

    use super::*;

    /// A wire that gives these pieces, one by one, and then ends.
    fn wire(pieces: Vec<Vec<u8>>) -> Wire {
        let (near, mut far) = tokio::io::duplex(64);
        tokio::spawn(async move {
            for piece in pieces {
                far.write_all(&piece).await.unwrap();
            }
        });
        Wire::new(Box::new(near), SimulatedWorld::new(Timestamp(0), 1).world(), Duration::from_secs(60))
    }

    #[tokio::test]
    async fn lines_are_the_same_however_they_are_cut() {
        let said = b"* OK hi\r\nbare\n\r\n".to_vec();
        for cut in 0..said.len() {
            let mut wire = wire(vec![said[..cut].to_vec(), said[cut..].to_vec()]);
            for expected in [&b"* OK hi"[..], b"bare", b""] {
                assert_eq!(wire.line(None).await.unwrap(), expected, "cut at {cut}");
            }
            assert_eq!(wire.line(None).await, Err(FetchError::Closed));
        }
    }

    #[tokio::test]
    async fn a_line_without_end_is_cut_off() {
        let mut wire = wire(vec![vec![b'x'; 1000]; 100]);
        assert!(matches!(wire.line(None).await, Err(FetchError::Protocol(_))));
    }

    #[tokio::test]
    async fn a_search_of_any_length_keeps_the_smallest_numbers() {
        let mut said = b"* search".to_vec();
        (1..50_000u32).rev().for_each(|n| said.extend_from_slice(format!(" {n}").as_bytes()));
        said.extend_from_slice(b"\r\nnext\r\n");
        let mut wire = wire(said.chunks(997).map(<[u8]>::to_vec).collect());
        let mut found = Smallest::new(10, 5);
        wire.line(Some(&mut found)).await.unwrap();
        assert_eq!(found.numbers, BTreeSet::from([11, 12, 13, 14, 15]));
        assert_eq!(found.all, 49_989);
        assert_eq!(wire.line(None).await.unwrap(), b"next");
    }

    #[tokio::test]
    async fn a_silent_server_is_given_up_by_the_worlds_clock() {
        let sim = SimulatedWorld::new(Timestamp(0), 1);
        let (near, _far) = tokio::io::duplex(64);
        let mut wire = Wire::new(Box::new(near), sim.world(), Duration::from_secs(60));
        let waiting = tokio::spawn(async move { wire.line(None).await });
        while sim.clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        sim.clock.advance(Duration::from_secs(61));
        assert_eq!(waiting.await.unwrap(), Err(FetchError::TimedOut));
    }
}
