//! `sequence-set` (RFC 3501 §9, RFC 5182).

use super::cursor::Cursor;
use crate::flaw::Flaw;
use crate::sequence::{SequenceBound, SequenceSet};

/// A set of message numbers, or `$` for what the last SEARCH saved.
pub(super) fn sequence_set(c: &mut Cursor<'_>) -> Result<SequenceSet, Flaw> {
    let missing = c.missing("a sequence set such as 1:3,7,9:*");
    let mut ranges = Vec::new();
    let mut saved = false;
    loop {
        if c.eat(b"$") {
            saved = true;
        } else {
            let first = bound(c)?;
            let last = if c.eat(b":") { bound(c)? } else { first };
            ranges.push((first, last));
        }
        if !c.eat(b",") {
            break;
        }
    }
    if saved { SequenceSet::with_saved(ranges) } else { SequenceSet::new(ranges) }.ok_or(missing)
}

fn bound(c: &mut Cursor<'_>) -> Result<SequenceBound, Flaw> {
    if c.eat(b"*") {
        return Ok(SequenceBound::Largest);
    }
    c.nz_number("a message number").map(SequenceBound::Number)
}
