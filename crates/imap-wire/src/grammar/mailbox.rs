//! SELECT, EXAMINE, CREATE, DELETE, RENAME, SUBSCRIBE, UNSUBSCRIBE, STATUS (RFC 3501 §6.3, RFC 6154, RFC 7162).

use mail::SpecialUse;

use super::cursor::Cursor;
use super::sequence::sequence_set;
use crate::checks;
use crate::command::{CommandBody, Create, Qresync, Select, StatusItem};
use crate::flaw::{Flaw, printable};
use crate::mailbox_name::MailboxName;

fn one_name(c: &mut Cursor<'_>) -> Result<MailboxName, Flaw> {
    c.space()?;
    c.mailbox()
}

/// `SELECT name [(param …)]` (RFC 4466 §2.1).
pub(super) fn select(c: &mut Cursor<'_>, read_only: bool) -> Result<CommandBody, Flaw> {
    let mailbox = one_name(c)?;
    let (mut condstore, mut qresync) = (false, None);
    if c.eat(b" ") {
        let parameters = c.list("parameters in parentheses", |c| match c.atom("a parameter")? {
            name if name.eq_ignore_ascii_case(b"CONDSTORE") => {
                condstore = true;
                Ok(())
            }
            name if name.eq_ignore_ascii_case(b"QRESYNC") => {
                c.space()?;
                match qresync.replace(Box::new(known(c)?)) {
                    None => Ok(()),
                    Some(_) => Err(Flaw::of("QRESYNC is given twice")),
                }
            }
            name => Err(Flaw::of(format!("the parameter {} is not supported", printable(name)))),
        })?;
        if parameters.is_empty() {
            return Err(Flaw::of("the parameters are empty"));
        }
    }
    Ok(CommandBody::Select(Select { mailbox, read_only, condstore, qresync }))
}

/// `(uidvalidity modseq [known-uids] [(numbers uids)])` (RFC 7162 §7).
fn known(c: &mut Cursor<'_>) -> Result<Qresync, Flaw> {
    c.expect(b"(", "( and UIDVALIDITY")?;
    let uid_validity = c.nz_number("UIDVALIDITY")?;
    c.space()?;
    let modseq = c.number("a mod-sequence")?;
    if modseq == 0 {
        return Err(Flaw::of("the mod-sequence cannot be 0"));
    }
    let (mut known_uids, mut sequence_match) = (None, None);
    if c.eat(b" ") {
        if c.peek() != Some(b'(') {
            known_uids = Some(sequence_set(c)?);
        }
        if known_uids.is_none() || c.eat(b" ") {
            c.expect(b"(", "( and sequence numbers")?;
            let numbers = sequence_set(c)?;
            c.space()?;
            sequence_match = Some((numbers, sequence_set(c)?));
            c.expect(b")", ")")?;
        }
    }
    c.expect(b")", ") at the end of the arguments of QRESYNC")?;
    checks::qresync(Qresync { uid_validity, modseq, known_uids, sequence_match })
}

/// `CREATE name [(USE (\Sent …))]` (RFC 4466 §2.2, RFC 6154 §3).
pub(super) fn create(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    let mailbox = one_name(c)?;
    let mut special_uses = Vec::new();
    if c.eat(b" ") {
        let lists = c.list("parameters in parentheses", |c| {
            let name = c.atom("a parameter")?;
            if !name.eq_ignore_ascii_case(b"USE") {
                return Err(Flaw::of(format!("the parameter {} is not supported", printable(name))));
            }
            c.space()?;
            c.list("special uses in parentheses", special_use)
        })?;
        if lists.is_empty() {
            return Err(Flaw::of("the parameters are empty"));
        }
        for usage in lists.into_iter().flatten() {
            if !special_uses.contains(&usage) {
                special_uses.push(usage);
            }
        }
    }
    Ok(CommandBody::Create(Create { mailbox, special_uses }))
}

fn special_use(c: &mut Cursor<'_>) -> Result<SpecialUse, Flaw> {
    c.expect(b"\\", "a special use such as \\Sent")?;
    let name = c.atom("the name of a special use")?;
    let attribute = format!("\\{}", String::from_utf8_lossy(name));
    SpecialUse::from_attribute(&attribute)
        .ok_or_else(|| Flaw::use_attr(format!("there is no special use {}", printable(attribute.as_bytes()))))
}

pub(super) fn delete(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    one_name(c).map(CommandBody::Delete)
}

pub(super) fn rename(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    Ok(CommandBody::Rename { from: one_name(c)?, to: one_name(c)? })
}

pub(super) fn subscribe(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    one_name(c).map(CommandBody::Subscribe)
}

pub(super) fn unsubscribe(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    one_name(c).map(CommandBody::Unsubscribe)
}

pub(super) fn status(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    let mailbox = one_name(c)?;
    c.space()?;
    Ok(CommandBody::Status { mailbox, items: status_items(c)? })
}

/// `(MESSAGES UNSEEN …)`, also in LIST's RETURN (RFC 5819).
pub(super) fn status_items(c: &mut Cursor<'_>) -> Result<Vec<StatusItem>, Flaw> {
    let items = c.list("status items in parentheses", |c| {
        let name = c.atom("a status item")?;
        StatusItem::parse(name).ok_or_else(|| Flaw::of(format!("the status item {} is not supported", printable(name))))
    })?;
    checks::status_items(items)
}
