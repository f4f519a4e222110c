//! GENURLAUTH, RESETKEY, URLFETCH (RFC 4467 §9).

use super::cursor::Cursor;
use crate::command::CommandBody;
use crate::flaw::Flaw;
use crate::limits::URLS_MAX;

pub(super) fn generate(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    let urls = several(c, |c| {
        let url = c.astring("a URL")?;
        c.space()?;
        Ok((url, mechanism(c)?))
    })?;
    Ok(CommandBody::GenUrlAuth(urls))
}

pub(super) fn reset(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    let mut mechanisms = Vec::new();
    let mailbox = if c.eat(b" ") { Some(c.mailbox()?) } else { None };
    while mailbox.is_some() && mechanisms.len() < URLS_MAX && c.eat(b" ") {
        mechanisms.push(mechanism(c)?);
    }
    Ok(CommandBody::ResetKey { mailbox, mechanisms })
}

pub(super) fn fetch(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    several(c, |c| c.astring("a URL")).map(CommandBody::UrlFetch)
}

fn mechanism(c: &mut Cursor<'_>) -> Result<String, Flaw> {
    c.atom("a mechanism").map(|name| String::from_utf8_lossy(name).to_ascii_uppercase())
}

/// `1*(SP element)`
fn several<T>(c: &mut Cursor<'_>, mut element: impl FnMut(&mut Cursor<'_>) -> Result<T, Flaw>) -> Result<Vec<T>, Flaw> {
    let mut elements = Vec::new();
    loop {
        c.space()?;
        elements.push(element(c)?);
        if elements.len() > URLS_MAX {
            return Err(Flaw::of(format!("more than {URLS_MAX} URLs")));
        }
        if c.at_end() {
            return Ok(elements);
        }
    }
}
