//! A message from outside as it passes: its header is kept, of its body only the hashes that its signatures ask for.
//!
//! So a message of any size is checked with no more in memory than its header; what all messages on their way in hold of theirs
//! is bounded by a [`Budget`]. However a message is cut, the result is the same.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::chain;
use super::limits::{HEADER_OCTETS_MAX, SIGNATURES_MAX};
use super::signature::{BodyHashes, Fields, Signature};
use crate::dkim::Hashed;
use crate::dkim::body::{BodyHasher, Canonicalization};
use crate::dkim::header::header_end;

/// Octets that headers on their way in may hold together.
#[derive(Debug)]
pub struct Budget(AtomicUsize);

impl Budget {
    /// A budget of so many octets.
    #[must_use]
    pub const fn new(octets: usize) -> Self {
        Self(AtomicUsize::new(octets))
    }

    fn take(&self, octets: usize) -> bool {
        self.0.try_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(octets)).is_ok()
    }

    fn give_back(&self, octets: usize) {
        self.0.fetch_add(octets, Ordering::Relaxed);
    }
}

/// Why a message can't be checked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unchecked {
    /// Its header is longer than [`HEADER_OCTETS_MAX`].
    #[error("the header is too long")]
    HeaderTooLong,
    /// Too many messages are on their way in.
    #[error("too many messages are being checked")]
    Busy,
}

/// A message on its way in.
pub struct Arrival {
    budget: Arc<Budget>,
    taken: usize,
    header: Vec<u8>,
    body: Option<Bodies>,
    /// It may be sealed (RFC 8617), which takes the relaxed hash.
    sealable: bool,
}

/// The body, hashed in each way that a signature asks for.
#[derive(Default)]
struct Bodies {
    simple: Option<BodyHasher>,
    relaxed: Option<BodyHasher>,
}

impl Bodies {
    fn wanted_by(header: &[u8], sealable: bool) -> Self {
        let fields = Fields::of(header);
        let dkim = signatures(&fields).filter_map(Result::ok);
        let wanted: Vec<Canonicalization> =
            dkim.map(|signature| signature.body).chain(chain::newest_body(&fields)).collect();
        let hasher = |kind, wanted: bool| wanted.then(|| BodyHasher::new(kind));
        Self {
            simple: hasher(Canonicalization::Simple, wanted.contains(&Canonicalization::Simple)),
            relaxed: hasher(Canonicalization::Relaxed, sealable || wanted.contains(&Canonicalization::Relaxed)),
        }
    }

    fn feed(&mut self, octets: &[u8]) {
        for hasher in self.simple.iter_mut().chain(&mut self.relaxed) {
            hasher.feed(octets);
        }
    }

    fn finish(self) -> BodyHashes {
        let end = |hasher: Option<BodyHasher>| {
            hasher.map(BodyHasher::finish).map(|(hash, octets)| (hash.as_ref().to_vec(), octets))
        };
        BodyHashes { simple: end(self.simple), relaxed: end(self.relaxed) }
    }
}

/// The `DKIM-Signature` fields that are looked at, read; those that can't be read say why.
pub(super) fn signatures(fields: &Fields<'_>) -> impl Iterator<Item = Result<Signature, &'static str>> {
    fields.named("dkim-signature").take(SIGNATURES_MAX).map(|field| {
        let read = mail_auth::dkim::Signature::parse(field.value()).map_err(|_| "it can't be read")?;
        // RFC 6376 §3.5: the version is required.
        if read.v == 1 { Ok(read.into()) } else { Err("it is of an unknown version") }
    })
}

impl Arrival {
    /// A message of which nothing has come yet.
    #[must_use]
    pub const fn new(budget: Arc<Budget>) -> Self {
        Self { budget, taken: 0, header: Vec::new(), body: None, sealable: false }
    }

    /// Says that the message may be passed on under a seal. To be said before its octets come.
    pub const fn may_be_sealed(&mut self) {
        self.sealable = true;
    }

    /// Takes the next octets, as the client sent them.
    ///
    /// # Errors
    /// When the header is too long, or there is no room for it now; the message can't be taken then.
    pub fn feed(&mut self, octets: &[u8]) -> Result<(), Unchecked> {
        if let Some(body) = &mut self.body {
            body.feed(octets);
            return Ok(());
        }
        let before = self.header.len();
        let room = HEADER_OCTETS_MAX.saturating_sub(before).min(octets.len());
        // In steps, so that a header that comes octet by octet costs no more than one that comes at once.
        while self.taken < before.saturating_add(room) {
            if !self.budget.take(STEP) {
                return Err(Unchecked::Busy);
            }
            self.taken = self.taken.saturating_add(STEP);
        }
        self.header.extend_from_slice(octets.get(..room).unwrap_or_default());
        match header_end(&self.header, before) {
            Some(end) => {
                self.header.truncate(end);
                let mut body = Bodies::wanted_by(&self.header, self.sealable);
                body.feed(octets.get(end.saturating_sub(before)..).unwrap_or_default());
                self.body = Some(body);
                Ok(())
            }
            None if self.header.len() >= HEADER_OCTETS_MAX => Err(Unchecked::HeaderTooLong),
            None => Ok(()),
        }
    }

    /// The end of the message.
    #[must_use]
    pub fn finish(mut self) -> Arrived {
        let header = std::mem::take(&mut self.header);
        let body = self.body.take().unwrap_or_else(|| Bodies::wanted_by(&header, self.sealable));
        Arrived { header, hashes: body.finish(), held: self }
    }
}

impl Drop for Arrival {
    fn drop(&mut self) {
        self.budget.give_back(self.taken);
    }
}

const STEP: usize = 4 * 1024;

/// A message that has passed.
pub struct Arrived {
    pub(super) header: Vec<u8>,
    pub(super) hashes: BodyHashes,
    /// Its share of the budget.
    held: Arrival,
}

impl Arrived {
    /// The header as it came, with its blank line.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header
    }

    /// What a seal is made of; `None` when nobody said that there may be one ([`Arrival::may_be_sealed`]).
    #[must_use]
    pub fn hashed(&self) -> Option<Hashed> {
        let (hash, _) = self.hashes.relaxed.as_ref().filter(|_| self.held.sealable)?;
        Some(Hashed::of(&self.header, hash))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SIGNED: &[u8] =
        b"From: a@a.example\r\nDKIM-Signature: v=1; a=rsa-sha256; c=simple; d=a.example; s=s;\r\n h=From; \
                            bh=AAAA; b=AAAA\r\n\r\nHello\r\n";

    fn arrive(pieces: &[&[u8]]) -> Arrived {
        let mut arrival = Arrival::new(Arc::new(Budget::new(1 << 20)));
        pieces.iter().for_each(|piece| arrival.feed(piece).unwrap());
        arrival.finish()
    }

    #[test]
    fn only_what_is_asked_for_is_hashed_however_it_is_cut() {
        let whole = arrive(&[SIGNED]);
        assert!(whole.header().ends_with(b"b=AAAA\r\n\r\n"));
        assert!(whole.hashes.relaxed.is_none());
        assert_eq!(whole.hashes.simple.as_ref().map(|(_, octets)| *octets), Some(7));
        for cut in 0..SIGNED.len() {
            let (front, behind) = SIGNED.split_at(cut);
            let arrived = arrive(&[front, behind]);
            assert_eq!((arrived.header(), &arrived.hashes.simple), (whole.header(), &whole.hashes.simple), "{cut}");
        }
        let unsigned = arrive(&[b"From: a@a.example\r\n\r\nHello\r\n"]);
        assert!(unsigned.hashes.simple.is_none() && unsigned.hashes.relaxed.is_none());
        assert_eq!(arrive(&[b"From: a@a.example\r\n"]).header(), b"From: a@a.example\r\n");
    }

    #[test]
    fn a_header_is_bounded_alone_and_with_others() {
        let budget = Arc::new(Budget::new(3 * STEP));
        let mut one = Arrival::new(budget.clone());
        one.feed(&[b'x'; STEP + 1]).unwrap();
        let mut other = Arrival::new(budget.clone());
        other.feed(b"x").unwrap();
        assert_eq!(Arrival::new(budget.clone()).feed(b"x"), Err(Unchecked::Busy));
        let held = one.finish();
        assert_eq!(Arrival::new(budget.clone()).feed(b"x"), Err(Unchecked::Busy));
        drop(held);
        Arrival::new(budget.clone()).feed(&[b'x'; STEP + 1]).unwrap();
        drop(other);
        assert_eq!(budget.0.load(Ordering::Relaxed), 3 * STEP);
        let mut long = Arrival::new(Arc::new(Budget::new(1 << 20)));
        let said: Vec<_> = (0..200).map(|_| long.feed(&[b'x'; 1024])).collect();
        assert_eq!(said.iter().position(Result::is_err), Some(HEADER_OCTETS_MAX / 1024 - 1));
        assert_eq!(said.last(), Some(&Err(Unchecked::HeaderTooLong)));
    }
}
