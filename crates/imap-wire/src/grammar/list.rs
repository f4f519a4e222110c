//! LIST and LSUB (RFC 3501 §6.3.8, §6.3.9; RFC 5258 §6; RFC 5819; RFC 6154 §5).

use super::cursor::Cursor;
use super::mailbox::status_items;
use super::metadata::list_entries as metadata_entries;
use crate::chars::is_list_char;
use crate::checks;
use crate::command::{CommandBody, List, ListReturn, ListSelection};
use crate::flaw::{Flaw, printable};

/// `LIST [(options)] reference pattern-or-patterns [RETURN (options)]`.
pub(super) fn list(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    let mut extended = false;
    let mut selection = ListSelection::default();
    if c.peek() == Some(b'(') {
        selection = selection_options(c)?;
        extended = true;
        c.space()?;
    }
    let reference = reference(c)?;
    c.space()?;
    let patterns = if c.peek() == Some(b'(') {
        extended = true;
        let patterns = c.list("patterns in parentheses", pattern)?;
        if patterns.is_empty() {
            return Err(Flaw::of("at least one pattern is needed"));
        }
        patterns
    } else {
        vec![pattern(c)?]
    };
    let mut returns = ListReturn::default();
    if c.eat(b" ") {
        c.expect(b"RETURN ", "RETURN and options")?;
        returns = return_options(c)?;
        extended = true;
    }
    Ok(CommandBody::List(List { reference, patterns, selection, returns, extended }))
}

pub(super) fn lsub(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    let reference = reference(c)?;
    c.space()?;
    Ok(CommandBody::Lsub { reference, pattern: pattern(c)? })
}

fn reference(c: &mut Cursor<'_>) -> Result<String, Flaw> {
    let wire = c.astring("a reference name, often \"\",")?;
    checks::list_text(&wire, c.encoding())
}

/// `list-mailbox`: wildcards need no quotes.
fn pattern(c: &mut Cursor<'_>) -> Result<String, Flaw> {
    let wire = match c.peek() {
        Some(b) if is_list_char(b) => c.take_list_chars().to_vec(),
        _ => c.string("a mailbox pattern")?,
    };
    checks::list_text(&wire, c.encoding())
}

fn selection_options(c: &mut Cursor<'_>) -> Result<ListSelection, Flaw> {
    let mut selection = ListSelection::default();
    c.list("selection options", |c| {
        match c.atom("a selection option")?.to_ascii_uppercase().as_slice() {
            b"SUBSCRIBED" => selection.subscribed = true,
            b"REMOTE" => selection.remote = true,
            b"RECURSIVEMATCH" => selection.recursive_match = true,
            b"SPECIAL-USE" => selection.special_use = true,
            name => return Err(Flaw::of(format!("the selection option {} is not supported", printable(name)))),
        }
        Ok(())
    })?;
    // RFC 5258 §3.1: RECURSIVEMATCH modifies another option, and REMOTE is not one that it can modify.
    if selection.recursive_match && !selection.subscribed && !selection.special_use {
        return Err(Flaw::of("RECURSIVEMATCH needs another selection option"));
    }
    Ok(selection)
}

fn return_options(c: &mut Cursor<'_>) -> Result<ListReturn, Flaw> {
    let mut returns = ListReturn::default();
    c.list("return options", |c| {
        match c.atom("a return option")?.to_ascii_uppercase().as_slice() {
            b"SUBSCRIBED" => returns.subscribed = true,
            b"CHILDREN" => returns.children = true,
            b"SPECIAL-USE" => returns.special_use = true,
            b"MYRIGHTS" => returns.my_rights = true,
            // RFC 9590 §3
            b"METADATA" => {
                c.space()?;
                returns.metadata = Some(metadata_entries(c)?);
            }
            b"STATUS" => {
                c.space()?;
                returns.status = Some(status_items(c)?);
            }
            name => return Err(Flaw::of(format!("the return option {} is not supported", printable(name)))),
        }
        Ok(())
    })?;
    Ok(returns)
}
