//! Sealing what is passed on (ARC, RFC 8617 §5.1): what this server found out about a message travels with it, signed, for readers whose
//! own checks fail because it came by here.
//!
//! A seal needs of the message what a DKIM signature needs, its header and the hash of its body ([`crate::dkim::Hashed`]), so a message of
//! any size is sealed as it passes.

use mail::Timestamp;
use mail_auth::arc::{ArcAuthResults, ChainValidation, Seal, Signature};
use message::{RawField, raw_fields};

use crate::dkim::header::canonical;
use crate::dkim::{Hashed, KeyError, SigningKey, fold};
use crate::verify::limits::ARC_SETS_MAX;
use crate::verify::{Arc, Outcome};

/// How the chain was found when the message came, `cv=` of the next seal (§4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChainState {
    /// There was none.
    Absent,
    /// It is valid.
    Valid,
    /// It is not.
    Broken,
}

impl ChainState {
    /// Of what was found; `None`: it is not known, and nobody can seal (§5.2: the DNS may answer later).
    #[must_use]
    pub const fn found(arc: &Arc) -> Option<Self> {
        match arc.outcome {
            Outcome::None => Some(Self::Absent),
            Outcome::Pass => Some(Self::Valid),
            Outcome::TemporaryError => None,
            Outcome::Fail | Outcome::SoftFail | Outcome::Neutral | Outcome::Policy | Outcome::PermanentError => {
                Some(Self::Broken)
            }
        }
    }

    /// Of an `Authentication-Results` field that this server wrote ([`crate::verify::Authentication::field`]): each result stands on a
    /// line of its own there, and nothing that a sender chose has line ends.
    #[must_use]
    pub fn told(field: &str) -> Option<Self> {
        let arc = field.split("\r\n").skip(1).find_map(|line| line.trim().strip_prefix("arc="));
        match arc {
            None => Some(Self::Absent),
            Some(arc) if arc.starts_with("pass") => Some(Self::Valid),
            Some(arc) if arc.contains(NOT_KNOWN) => None,
            Some(_) => Some(Self::Broken),
        }
    }

    const fn name(self) -> &'static str {
        match self {
            Self::Absent => "none",
            Self::Valid => "pass",
            Self::Broken => "fail",
        }
    }
}

/// How [`crate::verify::Authentication::field`] tells that the DNS did not answer.
const NOT_KNOWN: &str = "the DNS did not answer";

/// What is sealed beside the message.
#[derive(Clone, Copy, Debug)]
pub struct Results<'a> {
    /// The value of the `Authentication-Results` field of this server (RFC 8601 §2.2), its name included.
    pub field: &'a str,
    /// The chain.
    pub chain: ChainState,
}

/// The three fields to be put on top of a message, each with its line end; `None` when it is not to be sealed: its chain is marked as
/// broken already (§5.1 step 2), has as many sets as there may be (§4.2.1), or is not what it was said to be.
///
/// # Errors
/// When the key can't sign.
pub fn seal(
    message: &Hashed,
    results: Results<'_>,
    key: &SigningKey,
    now: Timestamp,
) -> Result<Option<String>, KeyError> {
    let Some(before) = Before::of(message.header(), results.chain) else { return Ok(None) };
    let instance = before.instance;
    let found = results.field.trim();
    let found = format!("ARC-Authentication-Results: i={instance}; {found}\r\n");
    let signed = message.arc_signature(instance, key, now)?;
    let unsigned = format!(
        "ARC-Seal: i={instance}; a={}; t={}; cv={};\r\n\td={}; s={};\r\n\tb=",
        key.algorithm().name(),
        now.as_secs(),
        results.chain.name(),
        key.domain,
        key.selector
    );
    // §5.1.1: all sets in their order, the new one last.
    let mut octets = before.canonical;
    for field in [&found, &signed] {
        canonical(field.as_bytes(), &mut octets);
        octets.extend_from_slice(b"\r\n");
    }
    canonical(unsigned.as_bytes(), &mut octets);
    let mut seal = unsigned;
    fold(&mut seal, &key.sign(&octets)?);
    Ok(Some(format!("{seal}\r\n{signed}{found}")))
}

/// What the sets before give to the next one.
struct Before {
    /// The number of the next one.
    instance: u32,
    /// What of them is sealed.
    canonical: Vec<u8>,
}

impl Before {
    fn of(header: &[u8], chain: ChainState) -> Option<Self> {
        let named = |name: &'static str| {
            raw_fields(header)
                .filter(move |field| {
                    field.name.is_some_and(|n| n.trim_ascii_end().eq_ignore_ascii_case(name.as_bytes()))
                })
                .take(ARC_SETS_MAX.saturating_add(1))
        };
        let seals: Vec<(RawField<'_>, Seal)> =
            named("arc-seal").filter_map(|field| Seal::parse(field.value()).ok().map(|seal| (field, seal))).collect();
        let highest = seals.iter().map(|(_, seal)| seal.i).max().unwrap_or(0);
        let most = u32::try_from(ARC_SETS_MAX).unwrap_or(u32::MAX);
        let marked = seals.iter().any(|(_, seal)| seal.i == highest && seal.cv == ChainValidation::Fail);
        if highest >= most || seals.len() >= ARC_SETS_MAX || marked {
            return None;
        }
        let mut canonical_sets = Vec::new();
        match chain {
            ChainState::Absent => return (highest == 0).then_some(Self { instance: 1, canonical: canonical_sets }),
            // §5.1.2: of a broken chain the new set is sealed alone.
            ChainState::Broken => {}
            ChainState::Valid => {
                let results: Vec<_> = named("arc-authentication-results").collect();
                let signatures: Vec<_> = named("arc-message-signature").collect();
                for number in 1..=highest {
                    let is_results =
                        |f: &&RawField<'_>| ArcAuthResults::parse(f.value()).is_ok_and(|set| set.i == number);
                    let is_signature = |f: &&RawField<'_>| Signature::parse(f.value()).is_ok_and(|set| set.i == number);
                    let (seal, _) = seals.iter().find(|(_, seal)| seal.i == number)?;
                    for field in [results.iter().find(is_results)?, signatures.iter().find(is_signature)?, seal] {
                        canonical(field.bytes, &mut canonical_sets);
                        canonical_sets.extend_from_slice(b"\r\n");
                    }
                }
            }
        }
        Some(Self { instance: highest.saturating_add(1), canonical: canonical_sets })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chain_is_read_from_our_own_field_alone() {
        let field = |arc: &str| {
            format!("Authentication-Results: mx.example;\r\n\tspf=pass smtp.mailfrom=\"x; arc=pass\"{arc}\r\n")
        };
        assert_eq!(ChainState::told(&field("")), Some(ChainState::Absent));
        assert_eq!(ChainState::told(&field(";\r\n\tarc=pass (1 sets)")), Some(ChainState::Valid));
        assert_eq!(ChainState::told(&field(";\r\n\tarc=fail (a seal is wrong)")), Some(ChainState::Broken));
        assert_eq!(ChainState::told(&field(";\r\n\tarc=fail (the DNS did not answer)")), None);
    }
}
