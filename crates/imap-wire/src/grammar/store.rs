//! STORE, COPY, MOVE, UID EXPUNGE (RFC 3501 §6.4.6, §6.4.7; RFC 4315 §2.1; RFC 6851; RFC 7162 §3.1.3).

use super::cursor::Cursor;
use super::sequence::sequence_set;
use crate::checks;
use crate::command::{CommandBody, Store, StoreAction, Transfer};
use crate::flag::Flag;
use crate::flaw::{Flaw, printable};

pub(super) fn store(c: &mut Cursor<'_>, uid: bool) -> Result<CommandBody, Flaw> {
    c.space()?;
    let set = sequence_set(c)?;
    c.space()?;
    let mut unchanged_since = None;
    if c.peek() == Some(b'(') {
        unchanged_since = Some(modifiers(c)?);
        c.space()?;
    }
    let action = match c.peek() {
        Some(b'+') => StoreAction::Add,
        Some(b'-') => StoreAction::Remove,
        _ => StoreAction::Replace,
    };
    if action != StoreAction::Replace && !c.eat(b"+") {
        c.eat(b"-");
    }
    c.expect(b"FLAGS", "FLAGS, +FLAGS or -FLAGS")?;
    let silent = c.eat(b".SILENT");
    c.space()?;
    let flags = if c.peek() == Some(b'(') { c.list("flags in parentheses", Cursor::flag)? } else { bare_flags(c)? };
    Ok(CommandBody::Store(Store { set, uid, action, silent, flags, unchanged_since }))
}

/// Flags without parentheses, at least one.
fn bare_flags(c: &mut Cursor<'_>) -> Result<Vec<Flag>, Flaw> {
    let mut flags = vec![c.flag()?];
    while c.eat(b" ") {
        flags.push(c.flag()?);
    }
    Ok(flags)
}

fn modifiers(c: &mut Cursor<'_>) -> Result<u64, Flaw> {
    let mut unchanged_since = None;
    c.list("modifiers in parentheses", |c| match c.atom("a modifier")? {
        name if name.eq_ignore_ascii_case(b"UNCHANGEDSINCE") => {
            c.space()?;
            match unchanged_since.replace(checks::modseq(c.number("a mod-sequence")?)?) {
                None => Ok(()),
                Some(_) => Err(Flaw::of("UNCHANGEDSINCE is given twice")),
            }
        }
        name => Err(Flaw::of(format!("the modifier {} is not supported", printable(name)))),
    })?;
    unchanged_since.ok_or_else(|| Flaw::of("the modifiers are empty"))
}

pub(super) fn copy(c: &mut Cursor<'_>, uid: bool) -> Result<CommandBody, Flaw> {
    transfer(c, uid).map(CommandBody::Copy)
}

pub(super) fn move_(c: &mut Cursor<'_>, uid: bool) -> Result<CommandBody, Flaw> {
    transfer(c, uid).map(CommandBody::Move)
}

fn transfer(c: &mut Cursor<'_>, uid: bool) -> Result<Transfer, Flaw> {
    c.space()?;
    let set = sequence_set(c)?;
    c.space()?;
    Ok(Transfer { set, uid, mailbox: c.mailbox()? })
}

pub(super) fn uid_expunge(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    Ok(CommandBody::Expunge { uids: Some(sequence_set(c)?) })
}

/// `UIDBATCHES size [first:last]`.
pub(super) fn uid_batches(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    let size = c.nz_number("the size of a batch")?;
    let mut batches = None;
    if c.eat(b" ") {
        let first = c.nz_number("the number of a batch")?;
        let last = if c.eat(b":") { c.nz_number("the number of a batch")? } else { first };
        batches = Some((first.min(last), first.max(last)));
    }
    Ok(CommandBody::UidBatches { size, batches })
}
