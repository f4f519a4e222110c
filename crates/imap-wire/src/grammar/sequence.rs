//! `sequence-set` (RFC 3501 §9).

use super::cursor::Cursor;
use crate::flaw::Flaw;
use crate::sequence::{SequenceBound, SequenceSet};

pub(super) fn sequence_set(c: &mut Cursor<'_>) -> Result<SequenceSet, Flaw> {
    let missing = c.missing("a sequence set such as 1:3,7,9:*");
    let mut ranges = Vec::new();
    loop {
        let first = bound(c)?;
        let last = if c.eat(b":") { bound(c)? } else { first };
        ranges.push((first, last));
        if !c.eat(b",") {
            break;
        }
    }
    SequenceSet::new(ranges).ok_or(missing)
}

fn bound(c: &mut Cursor<'_>) -> Result<SequenceBound, Flaw> {
    if c.eat(b"*") {
        return Ok(SequenceBound::Largest);
    }
    if c.peek() == Some(b'$') {
        // RFC 5182.
        return Err(Flaw::of("saved search results ($) are not supported"));
    }
    c.nz_number("a message number").map(SequenceBound::Number)
}
