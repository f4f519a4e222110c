//! NOTIFY (RFC 5465 §8).

use super::cursor::Cursor;
use super::fetch;
use crate::command::{CommandBody, EventGroup, EventMailboxes, Events, FetchItem, Notify};
use crate::flaw::Flaw;
use crate::limits::{FETCH_ITEMS_MAX, NOTIFY_NAMES_MAX};
use crate::mailbox_name::MailboxName;

/// `NONE`, or `SET [STATUS] (mailboxes events) …`
pub(super) fn notify(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    let at = c.position();
    match c.atom("SET or NONE")? {
        word if word.eq_ignore_ascii_case(b"NONE") => return Ok(CommandBody::Notify(Notify::None)),
        word if word.eq_ignore_ascii_case(b"SET") => {}
        _ => return Err(Flaw::at(at, "expected SET or NONE")),
    }
    let status = c.eat(b" STATUS");
    let mut groups = Vec::new();
    let mut names = 0usize;
    while groups.is_empty() || !c.at_end() {
        c.space()?;
        let group = group(c)?;
        if let EventMailboxes::Subtree(all) | EventMailboxes::Mailboxes(all) = &group.mailboxes {
            names = names.saturating_add(all.len());
        }
        groups.push(group);
        if names.max(groups.len()) > NOTIFY_NAMES_MAX {
            return Err(Flaw::limit(format!("more than {NOTIFY_NAMES_MAX} groups or names of mailboxes")));
        }
    }
    // RFC 5465 §6.1.
    if groups.iter().filter(|group| group.mailboxes.is_selected()).count() > 1 {
        return Err(Flaw::of("the selected mailbox is named twice"));
    }
    Ok(CommandBody::Notify(Notify::Set { status, groups }))
}

fn group(c: &mut Cursor<'_>) -> Result<EventGroup, Flaw> {
    c.expect(b"(", "mailboxes and events in parentheses")?;
    let at = c.position();
    let mailboxes = match c.atom("which mailboxes")?.to_ascii_uppercase().as_slice() {
        b"SELECTED" => EventMailboxes::Selected,
        b"SELECTED-DELAYED" => EventMailboxes::SelectedDelayed,
        b"INBOXES" => EventMailboxes::Inboxes,
        b"PERSONAL" => EventMailboxes::Personal,
        b"SUBSCRIBED" => EventMailboxes::Subscribed,
        b"SUBTREE" => EventMailboxes::Subtree(mailbox_names(c)?),
        b"MAILBOXES" => EventMailboxes::Mailboxes(mailbox_names(c)?),
        _ => {
            let all = "expected selected, selected-delayed, inboxes, personal, subscribed, subtree or mailboxes";
            return Err(Flaw::at(at, all));
        }
    };
    c.space()?;
    let selected = mailboxes.is_selected();
    let events = if c.peek() == Some(b'(') { events(c, selected)? } else { none(c)? };
    c.expect(b")", ") after the events")?;
    Ok(EventGroup { mailboxes, events })
}

/// `one-or-more-mailbox`
fn mailbox_names(c: &mut Cursor<'_>) -> Result<Vec<MailboxName>, Flaw> {
    c.space()?;
    if c.peek() != Some(b'(') {
        return Ok(vec![c.mailbox()?]);
    }
    let names = c.list("names of mailboxes in parentheses", Cursor::mailbox)?;
    if names.is_empty() { Err(Flaw::of("at least one name is needed")) } else { Ok(names) }
}

fn none(c: &mut Cursor<'_>) -> Result<Events, Flaw> {
    c.expect(b"NONE", "events in parentheses or NONE")?;
    Ok(Events::default())
}

fn events(c: &mut Cursor<'_>, selected: bool) -> Result<Events, Flaw> {
    let mut events = Events::default();
    let (mut new, mut expunge) = (false, false);
    let all = c.list("events in parentheses", |c| {
        match c.atom("an event")?.to_ascii_uppercase().as_slice() {
            b"MESSAGENEW" => {
                new = true;
                if c.eat(b" (") {
                    events.fetch = fetch_items(c)?;
                }
            }
            b"MESSAGEEXPUNGE" => expunge = true,
            b"FLAGCHANGE" => events.flags = true,
            b"MAILBOXNAME" => events.names = true,
            b"SUBSCRIPTIONCHANGE" => events.subscriptions = true,
            b"MAILBOXMETADATACHANGE" => events.mailbox_metadata = true,
            b"SERVERMETADATACHANGE" => events.server_metadata = true,
            // AnnotationChange, and what is yet to come: refused with the list of those that are known.
            _ => events.unsupported = true,
        }
        Ok(())
    })?;
    if all.is_empty() {
        return Err(Flaw::of("at least one event is needed"));
    }
    if events.unsupported {
        return Ok(events);
    }
    // RFC 5465 §5.
    if new != expunge {
        return Err(Flaw::of("MessageNew and MessageExpunge go together"));
    }
    if events.flags && !new {
        return Err(Flaw::of("FlagChange needs MessageNew and MessageExpunge"));
    }
    let others = events.names || events.subscriptions || events.mailbox_metadata || events.server_metadata;
    if selected && others {
        return Err(Flaw::of("of the selected mailbox only events of messages can be told"));
    }
    if !selected && !events.fetch.is_empty() {
        return Err(Flaw::of("only messages of the selected mailbox can be fetched"));
    }
    events.messages = new;
    Ok(events)
}

/// The items behind `MessageNew (` or `UPDATE (`, and the parenthesis that ends them.
pub(super) fn fetch_items(c: &mut Cursor<'_>) -> Result<Vec<FetchItem>, Flaw> {
    let mut items = vec![fetch::item(c)?];
    while !c.eat(b")") {
        c.expect(b" ", "a space or )")?;
        items.push(fetch::item(c)?);
        if items.len() > FETCH_ITEMS_MAX {
            return Err(Flaw::limit(format!("more than {FETCH_ITEMS_MAX} data items")));
        }
    }
    Ok(items)
}
