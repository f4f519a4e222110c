//! The ARC chain of a message (RFC 8617 §5.2): what each host that passed it on says that it found.

use mail::Timestamp;
use mail_auth::arc::{ArcAuthResults, ChainValidation, Seal, Signature as Read};
use message::RawField;

use super::key::KeyAnswer;
use super::limits::ARC_SETS_MAX;
use super::results::{Arc, Outcome, Sealer};
use super::signature::{BodyHashes, Fields, Flaw, Signature, accepted, key_name, published, without_signature};
use crate::dkim::body::Canonicalization;
use crate::dkim::header::canonical;

/// The three fields of one host.
struct Set<'f, 'a> {
    results: &'f RawField<'a>,
    signature: &'f RawField<'a>,
    seal_field: &'f RawField<'a>,
    seal: Seal,
}

/// A chain that is well built, before its keys are known.
pub(super) struct Chain<'f, 'a> {
    sets: Vec<Set<'f, 'a>>,
    newest: Signature,
}

/// How the newest set hashes the body.
pub(super) fn newest_body(fields: &Fields<'_>) -> Option<Canonicalization> {
    let read = |field: &RawField<'_>| Read::parse(field.value()).ok();
    let newest = fields.named("arc-message-signature").take(ARC_SETS_MAX).filter_map(read).max_by_key(|read| read.i);
    newest.map(|read| Signature::from(read).body)
}

/// The chain of a message; `None` when it has none.
pub(super) fn chain<'f, 'a>(
    fields: &'f Fields<'a>,
    hashes: &BodyHashes,
    now: Timestamp,
) -> Option<Result<Chain<'f, 'a>, Flaw>> {
    let of = |name| fields.named(name).take(ARC_SETS_MAX.saturating_add(1)).collect::<Vec<_>>();
    let (results, signatures, seals) = (of("arc-authentication-results"), of("arc-message-signature"), of("arc-seal"));
    if results.is_empty() && signatures.is_empty() && seals.is_empty() {
        return None;
    }
    Some(build(&results, &signatures, &seals, hashes, now))
}

fn build<'f, 'a>(
    results: &[&'f RawField<'a>],
    signatures: &[&'f RawField<'a>],
    seals: &[&'f RawField<'a>],
    hashes: &BodyHashes,
    now: Timestamp,
) -> Result<Chain<'f, 'a>, Flaw> {
    if seals.len() > ARC_SETS_MAX {
        return Err((Outcome::Fail, "there are too many sets"));
    }
    if results.len() != seals.len() || signatures.len() != seals.len() {
        return Err((Outcome::Fail, "a set is not complete"));
    }
    let mut sets = Vec::with_capacity(seals.len());
    let mut newest = None;
    for number in (1..).take(seals.len()) {
        let unreadable = (Outcome::Fail, "a set is missing, double or can't be read");
        let is_results =
            |field: &&&'f RawField<'a>| ArcAuthResults::parse(field.value()).is_ok_and(|set| set.i == number);
        let result = results.iter().find(is_results).ok_or(unreadable)?;
        let signed = |field: &&'f RawField<'a>| {
            let read = Read::parse(field.value()).ok().filter(|set| set.i == number)?;
            Some((*field, read))
        };
        let (signature, read) = signatures.iter().find_map(signed).ok_or(unreadable)?;
        let sealed = |field: &&'f RawField<'a>| {
            let read = Seal::parse(field.value()).ok().filter(|set| set.i == number)?;
            Some((*field, read))
        };
        let (seal_field, seal) = seals.iter().find_map(sealed).ok_or(unreadable)?;
        match (&seal.cv, number) {
            (ChainValidation::None, 1) | (ChainValidation::Pass, 2..) => {}
            (ChainValidation::Fail, _) => return Err((Outcome::Fail, "it was broken before it came here")),
            (ChainValidation::None, _) | (ChainValidation::Pass, _) => {
                return Err((Outcome::Fail, "a set contradicts its place"));
            }
        }
        accepted(seal.a)?;
        newest = Some(Signature::from(read));
        sets.push(Set { results: result, signature, seal_field, seal });
    }
    let newest = newest.ok_or((Outcome::Fail, "a set is not complete"))?;
    // RFC 8617 §4.1.2 asks for no signed From; without one the newest set says nothing of this message.
    newest.before_key(hashes, now).map_err(|(_, reason)| (Outcome::Fail, reason))?;
    Ok(Chain { sets, newest })
}

impl Chain<'_, '_> {
    /// Where its keys are.
    pub(super) fn key_names(&self) -> impl Iterator<Item = String> {
        let seals = self.sets.iter().map(|set| key_name(&set.seal.s, &set.seal.d));
        std::iter::once(self.newest.key_name()).chain(seals)
    }

    /// The rest, with its keys.
    pub(super) fn verify<'k>(&self, fields: &Fields<'_>, key: impl Fn(&str) -> &'k KeyAnswer) -> Result<(), Flaw> {
        let Some(last) = self.sets.last() else { return Err((Outcome::Fail, "a set is not complete")) };
        self.newest.verify(fields, last.signature, key(&self.newest.key_name()))?;
        let mut sealed = Vec::new();
        for set in &self.sets {
            // RFC 8617 §5.1.1: everything of the sets before, and the seal itself with an empty `b=`.
            for field in [set.results, set.signature] {
                canonical(field.bytes, &mut sealed);
                sealed.extend_from_slice(b"\r\n");
            }
            let before = sealed.len();
            canonical(&without_signature(set.seal_field.bytes), &mut sealed);
            let key = published(key(&key_name(&set.seal.s, &set.seal.d)))?;
            let kind = accepted(set.seal.a)?;
            key.verifies(kind, &sealed, &set.seal.b).map_err(|_| (Outcome::Fail, "a seal is wrong"))?;
            sealed.truncate(before);
            canonical(set.seal_field.bytes, &mut sealed);
            sealed.extend_from_slice(b"\r\n");
        }
        Ok(())
    }

    /// What is told of it.
    pub(super) fn told(&self, verified: Result<(), Flaw>) -> Arc {
        match verified {
            Ok(()) => {
                let sealer = |set: &Set<'_, '_>| Sealer {
                    domain: set.seal.d.to_ascii_lowercase(),
                    results: unfolded(set.results.value()),
                };
                Arc { outcome: Outcome::Pass, reason: "", sealers: self.sets.iter().map(sealer).collect() }
            }
            Err((outcome, reason)) => Arc { outcome: chain_outcome(outcome), reason, sealers: Vec::new() },
        }
    }
}

/// RFC 8617 §4.2, §5.2: a chain passes or fails; the DNS may still answer later.
pub(super) fn chain_outcome(outcome: Outcome) -> Outcome {
    if outcome == Outcome::TemporaryError { outcome } else { Outcome::Fail }
}

/// On one line; octets that are no UTF-8 are replaced.
fn unfolded(value: &[u8]) -> String {
    String::from_utf8_lossy(value).chars().filter(|c| !matches!(c, '\r' | '\n')).collect::<String>().trim().to_owned()
}
