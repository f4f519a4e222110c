//! SORT and THREAD (RFC 5256 §5, RFC 5267 §5, RFC 5957), CANCELUPDATE (RFC 5267 §5), COMPARATOR (RFC 5255 §4.7).

use super::cursor::Cursor;
use super::search::{criteria, returns};
use crate::checks;
use crate::command::{CommandBody, Search, Sort, SortCriterion, SortKey, Thread};
use crate::flaw::{Flaw, printable};

/// `SORT [RETURN (…)] (criterion …) charset key …`
pub(super) fn sort(c: &mut Cursor<'_>, uid: bool) -> Result<CommandBody, Flaw> {
    c.space()?;
    let (returns, update_fetch) = returns(c)?;
    let order = c.list("sort criteria in parentheses", criterion)?;
    let order = checks::sort_criteria(order)?;
    c.space()?;
    let search = Search { update_fetch, ..criteria(c, uid, returns)? };
    Ok(CommandBody::Sort(Sort { criteria: order, search }))
}

fn criterion(c: &mut Cursor<'_>) -> Result<SortCriterion, Flaw> {
    let reverse = c.eat(b"REVERSE");
    if reverse {
        c.space()?;
    }
    let at = c.position();
    let name = c.name().to_ascii_uppercase();
    let key = match name.as_slice() {
        b"ARRIVAL" => SortKey::Arrival,
        b"CC" => SortKey::Cc,
        b"DATE" => SortKey::Date,
        b"DISPLAYFROM" => SortKey::DisplayFrom,
        b"DISPLAYTO" => SortKey::DisplayTo,
        b"FROM" => SortKey::From,
        b"RELEVANCY" => SortKey::Relevancy,
        b"SIZE" => SortKey::Size,
        b"SUBJECT" => SortKey::Subject,
        b"TO" => SortKey::To,
        b"" => return Err(Flaw::at(at, "expected a sort criterion")),
        name => return Err(Flaw::at(at, format!("unknown sort criterion {}", printable(name)))),
    };
    Ok(SortCriterion { key, reverse })
}

/// `THREAD algorithm charset key …`
pub(super) fn thread(c: &mut Cursor<'_>, uid: bool) -> Result<CommandBody, Flaw> {
    c.space()?;
    let name = c.atom("a threading algorithm")?;
    let algorithm = checks::thread_algorithm(name)?;
    c.space()?;
    Ok(CommandBody::Thread(Thread { algorithm, search: criteria(c, uid, None)? }))
}

/// `CANCELUPDATE "tag" …`
pub(super) fn cancel_update(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    let mut tags = vec![c.quoted()?];
    while c.eat(b" ") {
        tags.push(c.quoted()?);
    }
    Ok(CommandBody::CancelUpdate(tags))
}

/// `COMPARATOR [pattern …]`
pub(super) fn comparator(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    let mut patterns = Vec::new();
    while c.eat(b" ") {
        patterns.push(c.astring("a comparator")?);
    }
    Ok(CommandBody::Comparator(patterns))
}
