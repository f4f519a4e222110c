//! LOGIN, AUTHENTICATE (RFC 3501 §6.2, RFC 4959), COMPRESS (RFC 4978), ENABLE (RFC 5161), ID (RFC 2971).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::cursor::Cursor;
use crate::checks;
use crate::command::CommandBody;
use crate::flaw::Flaw;
use crate::secret::Secret;

pub(super) fn login(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    let username = c.astring("a user name")?;
    c.space()?;
    let password = Secret::new(c.astring("a password")?);
    Ok(CommandBody::Login { username: checks::username(&username)?, password })
}

pub(super) fn authenticate(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    let mechanism = String::from_utf8_lossy(c.atom("a SASL mechanism")?).to_ascii_uppercase();
    let initial_response = if c.eat(b" ") { Some(initial_response(c)?) } else { None };
    Ok(CommandBody::Authenticate { mechanism, initial_response })
}

/// RFC 4959 §3: base64, or `=` for an empty one.
fn initial_response(c: &mut Cursor<'_>) -> Result<Secret, Flaw> {
    let at = c.position();
    let word = c.word();
    if word == b"=" {
        return Ok(Secret::new([]));
    }
    STANDARD.decode(word).map(Secret::new).map_err(|_| Flaw::at(at, "the initial response is not base64; it begins"))
}

/// RFC 4978 §5
pub(super) fn compress(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    c.expect(b"DEFLATE", "DEFLATE")?;
    Ok(CommandBody::Compress)
}

pub(super) fn enable(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    let mut names = Vec::new();
    while !c.at_end() || names.is_empty() {
        c.space()?;
        names.push(String::from_utf8_lossy(c.atom("a capability")?).to_ascii_uppercase());
    }
    Ok(CommandBody::Enable(names))
}

pub(super) fn id(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    if c.eat(b"NIL") {
        return Ok(CommandBody::Id(Vec::new()));
    }
    let pairs = c.list("NIL or (", |c| {
        let field = c.string("a field name")?;
        c.space()?;
        Ok((field, c.nstring("a value")?))
    })?;
    Ok(CommandBody::Id(pairs))
}
