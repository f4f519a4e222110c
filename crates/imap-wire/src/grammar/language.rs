//! LANGUAGE (RFC 5255 §3.2).

use super::cursor::Cursor;
use crate::command::CommandBody;
use crate::flaw::Flaw;
use crate::limits::LANGUAGE_RANGES_MAX;

/// `LANGUAGE *(SP lang-range-quoted)`
pub(super) fn language(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    words(c, "a language range").map(CommandBody::Language)
}

fn words(c: &mut Cursor<'_>, what: &str) -> Result<Vec<String>, Flaw> {
    let mut words = Vec::new();
    while c.eat(b" ") {
        let word = c.astring(what)?;
        words.push(String::from_utf8(word).map_err(|_| Flaw::of(format!("{what} is ASCII")))?);
        if words.len() > LANGUAGE_RANGES_MAX {
            return Err(Flaw::limit(format!("more than {LANGUAGE_RANGES_MAX} at once")));
        }
    }
    Ok(words)
}
