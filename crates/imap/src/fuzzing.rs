//! Pure parts of the engine for `relais-fuzz-targets`, which give them any input. For nobody else.

use crate::engine::deflate::{Deflater, Inflater};
use crate::engine::pattern::Pattern;
use crate::engine::thread::{Facts, Links, References, Threads};
use crate::limits::INFLATED_OCTETS;

/// What the pieces say together once inflated, as far as they can be, and whether they stop being DEFLATE.
///
/// # Panics
/// When a piece is larger than the bound.
#[must_use]
pub fn inflate(pieces: &[&[u8]]) -> (Vec<u8>, bool) {
    let (mut inflater, mut said) = (Inflater::new(), Vec::new());
    for piece in pieces {
        let mut input: &[u8] = piece;
        loop {
            match inflater.next(&mut input) {
                Ok(some) if some.is_empty() && input.is_empty() => break,
                Ok(some) => {
                    assert!(some.len() <= INFLATED_OCTETS, "pieces are bounded");
                    said.extend(some);
                    // A bomb of this size says enough.
                    if said.len() > BOMB_OCTETS {
                        return (Vec::new(), false);
                    }
                }
                Err(_) => return (said, true),
            }
        }
    }
    (said, false)
}

const BOMB_OCTETS: usize = 1 << 20;

/// What is sent for the pieces, each flushed by itself.
#[must_use]
pub fn deflate(pieces: &[&[u8]]) -> Vec<u8> {
    let (mut deflater, mut out) = (Deflater::default(), Vec::new());
    for (at, piece) in pieces.iter().enumerate() {
        deflater.flush(piece, &mut out);
        if at % 3 == 2 {
            deflater.forget();
        }
    }
    out
}

/// Whether a LIST pattern matches a name; `None` when the pattern is refused.
#[must_use]
pub fn list_pattern(pattern: &str, name: &str) -> Option<bool> {
    Some(Pattern::new("", pattern)?.matches(name))
}

/// A message as [`threads`] takes it: its identifier (0 for none), its dates, its subject and whether it is a reply (in the
/// bits above the lower three), and the identifiers that it refers to.
pub type Threaded = (u8, u8, u8, Vec<u8>);

/// The three algorithms' answers, by message number.
#[must_use]
pub fn threads(messages: &[Threaded]) -> [Vec<u8>; 3] {
    let count = u32::try_from(messages.len()).unwrap_or_default();
    let matched: Vec<u32> = (0..count).collect();
    let mut links = Links::default();
    let mut facts = Vec::new();
    for (id, date, flags, references) in messages {
        let references: Vec<String> = references.iter().map(|id| format!("{id}@x")).collect();
        let references: Vec<&str> = references.iter().map(String::as_str).collect();
        let own = format!("{id}@x");
        let (reply, subject) = (flags & 8 != 0, i64::from(flags >> 4));
        links.push((*id != 0).then_some(own.as_str()), &references, reply);
        let (sent, arrived) = (i64::from(*date), i64::from(date.reverse_bits()));
        facts.push(Facts { sent, arrived, subject, no_subject: subject == 0, reply });
    }
    let fact = |message: &u32| usize::try_from(*message).ok().and_then(|at| facts.get(at));
    let mut by_date = matched.clone();
    by_date.sort_by_key(|message| (fact(message).map(|fact| fact.sent), *message));
    let mut by_subject = by_date.clone();
    by_subject.sort_by_key(|message| fact(message).map(|fact| fact.subject));
    let linked = || {
        let mut linking = References::new(&links, &matched);
        while linking.link_some(7) {}
        linking
    };
    let written = |threads: Threads| {
        let mut out = Vec::new();
        threads.write(0, usize::MAX, &|message| message.saturating_add(1), &mut out);
        out
    };
    [
        written(Threads::ordered_subject(&facts, &by_subject)),
        written(linked().references(&facts, &by_date)),
        written(linked().refs(&facts, &by_date)),
    ]
}
