//! GETMETADATA and SETMETADATA (RFC 5464 §5).

use super::cursor::Cursor;
use crate::checks;
use crate::command::{CommandBody, Depth, GetMetadata, MetadataQuery, SetMetadata};
use crate::flaw::{Flaw, printable};

/// `GETMETADATA [(options)] mailbox entries`. The RFC's examples have the options behind the mailbox (§4.2.1), or
/// several entries without parentheses (§4.4.1): both are understood.
pub(super) fn get(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    let mut options = Vec::new();
    if c.peek() == Some(b'(') {
        options = c.list("options in parentheses", option)?;
        if options.is_empty() {
            return Err(Flaw::of("the options are empty"));
        }
        c.space()?;
    }
    let mailbox = c.mailbox()?;
    c.space()?;
    // An entry begins with a slash, or with a quote or brace around it; an option with a letter.
    if c.peek() == Some(b'(') && c.peek_second().is_some_and(|b| b.is_ascii_alphabetic()) {
        options.extend(c.list("options in parentheses", option)?);
        c.space()?;
    }
    let entries = entries(c)?;
    let query = checks::metadata_query(entries, options)?;
    Ok(CommandBody::GetMetadata(GetMetadata { mailbox, query }))
}

/// `entries`.
fn entries(c: &mut Cursor<'_>) -> Result<Vec<Vec<u8>>, Flaw> {
    if c.peek() == Some(b'(') {
        return c.list("entry names in parentheses", |c| c.astring("an entry name"));
    }
    let mut entries = vec![c.astring("an entry name")?];
    while c.eat(b" ") {
        entries.push(c.astring("an entry name")?);
    }
    Ok(entries)
}

/// The entries that LIST is to tell of each mailbox (RFC 9590 §3): one, or several in parentheses.
pub(super) fn list_entries(c: &mut Cursor<'_>) -> Result<MetadataQuery, Flaw> {
    let entries = if c.peek() == Some(b'(') { entries(c)? } else { vec![c.astring("an entry name")?] };
    checks::metadata_query(entries, Vec::new())
}

/// An option of GETMETADATA (RFC 5464 §5).
#[derive(Debug, Clone, Copy)]
pub(crate) enum MetadataOption {
    SizeMax(u64),
    Depth(Depth),
}

fn option(c: &mut Cursor<'_>) -> Result<MetadataOption, Flaw> {
    let name = c.atom("an option")?.to_ascii_uppercase();
    match name.as_slice() {
        b"MAXSIZE" => {
            c.space()?;
            let size = c.number("a largest size")?;
            if size > u64::from(u32::MAX) {
                return Err(Flaw::of("the largest size is a number of 32 bits"));
            }
            Ok(MetadataOption::SizeMax(size))
        }
        b"DEPTH" => {
            c.space()?;
            Ok(MetadataOption::Depth(match c.atom("a depth")?.to_ascii_lowercase().as_slice() {
                b"0" => Depth::Entry,
                b"1" => Depth::Children,
                b"infinity" => Depth::All,
                other => return Err(Flaw::of(format!("{} is no depth: it is 0, 1 or infinity", printable(other)))),
            }))
        }
        name => Err(Flaw::of(format!("the option {} is not supported", printable(name)))),
    }
}

/// `SETMETADATA mailbox (entry value …)`
pub(super) fn set(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    let mailbox = c.mailbox()?;
    c.space()?;
    let entries = c.list("entries and values in parentheses", |c| {
        let name = c.astring("an entry name")?;
        c.space()?;
        // RFC 5464 §5: nstring or literal8.
        let value =
            if c.peek() == Some(b'~') { Some(c.literal8()?.to_vec()) } else { c.nstring("a value: a string or NIL")? };
        Ok((name, value))
    })?;
    Ok(CommandBody::SetMetadata(SetMetadata { mailbox, entries: checks::metadata_entries(entries)? }))
}
