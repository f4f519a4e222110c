//! ESEARCH (RFC 7377 §4) and `filter-mailboxes` (RFC 5465 §8).

use super::cursor::Cursor;
use super::search::{program, returns};
use crate::command::{CommandBody, MailboxFilter, Multisearch, Search, SearchReturn};
use crate::flaw::{Flaw, printable};
use crate::limits::MAILBOX_FILTERS_MAX;
use crate::mailbox_name::MailboxName;

/// `ESEARCH [IN (source …)] [RETURN (…)] [CHARSET x] key …`
pub(super) fn esearch(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    let mut sources = vec![MailboxFilter::Selected];
    if c.eat(b"IN ") {
        // Each source and each name costs a look: their number is bounded for all of them together.
        let mut left = MAILBOX_FILTERS_MAX;
        sources = c.list("mailboxes in parentheses", |c| {
            let source = source(c)?;
            let names = match &source {
                MailboxFilter::Mailboxes(names) | MailboxFilter::Subtree(names) | MailboxFilter::SubtreeOne(names) => {
                    names.len()
                }
                MailboxFilter::Selected
                | MailboxFilter::Inboxes
                | MailboxFilter::Personal
                | MailboxFilter::Subscribed => 1,
            };
            left = left.checked_sub(names).ok_or_else(too_many)?;
            Ok(source)
        })?;
        if sources.is_empty() {
            return Err(Flaw::of("at least one source is needed"));
        }
        c.space()?;
    }
    // RFC 7377 §2.1: no result option implies ALL.
    let (returns, update_fetch) = returns(c)?;
    let returns = returns.unwrap_or(SearchReturn::ALL);
    let search = Search { update_fetch, ..program(c, true, Some(returns))? };
    let multisearch = Multisearch { sources, search };
    // RFC 7377 §2.2: "SAVE" is valid only for the selected mailbox.
    if returns.save && !multisearch.is_selected_only() {
        return Err(Flaw::of("SAVE is for a search of the selected mailbox alone"));
    }
    Ok(CommandBody::Esearch(multisearch))
}

fn source(c: &mut Cursor<'_>) -> Result<MailboxFilter, Flaw> {
    let at = c.position();
    let name = c.name().to_ascii_lowercase();
    Ok(match name.as_slice() {
        b"selected" => MailboxFilter::Selected,
        b"inboxes" => MailboxFilter::Inboxes,
        b"personal" => MailboxFilter::Personal,
        b"subscribed" => MailboxFilter::Subscribed,
        b"subtree" => MailboxFilter::Subtree(mailboxes(c)?),
        b"subtree-one" => MailboxFilter::SubtreeOne(mailboxes(c)?),
        b"mailboxes" => MailboxFilter::Mailboxes(mailboxes(c)?),
        b"" => return Err(Flaw::at(at, "expected a source")),
        name => return Err(Flaw::at(at, format!("unknown source {}", printable(name)))),
    })
}

/// `one-or-more-mailbox`
fn mailboxes(c: &mut Cursor<'_>) -> Result<Vec<MailboxName>, Flaw> {
    c.space()?;
    let names = match c.peek() {
        Some(b'(') => c.list("mailboxes in parentheses", Cursor::mailbox)?,
        _ => vec![c.mailbox()?],
    };
    match names.len() {
        0 => Err(Flaw::of("at least one mailbox is needed")),
        1..=MAILBOX_FILTERS_MAX => Ok(names),
        _ => Err(too_many()),
    }
}

fn too_many() -> Flaw {
    Flaw::limit(format!("more than {MAILBOX_FILTERS_MAX} sources or names of mailboxes"))
}
