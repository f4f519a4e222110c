//! GENURLAUTH, RESETKEY, URLFETCH (RFC 4467 §9, RFC 5524 §5).

use super::cursor::Cursor;
use crate::command::{CommandBody, UrlAsked, UrlData, UrlFetch};
use crate::flaw::{Flaw, printable};
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
    several(c, |c| {
        if c.peek() == Some(b'(') { extended(c) } else { Ok(UrlFetch { url: c.astring("a URL")?, asked: None }) }
    })
    .map(CommandBody::UrlFetch)
}

/// `url-fetch-ext` (RFC 5524 §5). Without parameters it is as if there were no parentheses (§3.1).
fn extended(c: &mut Cursor<'_>) -> Result<UrlFetch, Flaw> {
    c.expect(b"(", "a URL in parentheses")?;
    let url = c.astring("a URL")?;
    let mut asked = UrlAsked::default();
    while c.eat(b" ") {
        let at = c.position();
        let name = c.atom("what is wanted of the URL")?.to_ascii_uppercase();
        let data = match name.as_slice() {
            b"BODYPARTSTRUCTURE" => {
                if std::mem::replace(&mut asked.structure, true) {
                    return Err(Flaw::at(at, "BODYPARTSTRUCTURE is given twice"));
                }
                continue;
            }
            b"BODY" => UrlData::Body,
            b"BINARY" => UrlData::Binary,
            other => return Err(Flaw::at(at, format!("unknown parameter {}", printable(other)))),
        };
        // RFC 5524 §3.1: each once, and not both of these.
        if asked.data.replace(data).is_some() {
            return Err(Flaw::at(at, "BODY or BINARY can be given only once"));
        }
    }
    c.expect(b")", "the end of what is wanted of the URL")?;
    Ok(UrlFetch { url, asked: Some(asked).filter(|asked| *asked != UrlAsked::default()) })
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
            return Err(Flaw::limit(format!("more than {URLS_MAX} URLs")));
        }
        if c.at_end() {
            return Ok(elements);
        }
    }
}
