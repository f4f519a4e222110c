//! SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS (RFC 4314 §3, §7).

use super::cursor::Cursor;
use crate::command::{CommandBody, SetAcl};
use crate::flaw::Flaw;
use crate::mailbox_name::MailboxName;

fn mailbox(c: &mut Cursor<'_>) -> Result<MailboxName, Flaw> {
    c.space()?;
    c.mailbox()
}

/// `identifier`: an astring in UTF-8. RFC 4314 §3: one that SASLprep refuses, or that is empty, is BAD.
fn identifier(c: &mut Cursor<'_>) -> Result<String, Flaw> {
    c.space()?;
    let text =
        String::from_utf8(c.astring("an identifier")?).map_err(|_| Flaw::of("the identifier is not in UTF-8"))?;
    if text.trim().is_empty() {
        return Err(Flaw::of("the identifier is empty"));
    }
    // RFC 4013 §2.3: control characters are prohibited.
    if text.chars().any(char::is_control) {
        return Err(Flaw::of("the identifier has a control character"));
    }
    Ok(text)
}

pub(super) fn set(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    let mailbox = mailbox(c)?;
    let identifier = identifier(c)?;
    c.space()?;
    let rights = c.astring("letters of rights")?;
    let rights = String::from_utf8(rights).ok().filter(|rights| rights.is_ascii());
    let rights = rights.ok_or_else(|| Flaw::of("rights are lowercase letters"))?;
    Ok(CommandBody::SetAcl(SetAcl { mailbox, identifier, rights }))
}

pub(super) fn delete(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    Ok(CommandBody::DeleteAcl { mailbox: mailbox(c)?, identifier: identifier(c)? })
}

pub(super) fn get(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    mailbox(c).map(CommandBody::GetAcl)
}

pub(super) fn list_rights(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    Ok(CommandBody::ListRights { mailbox: mailbox(c)?, identifier: identifier(c)? })
}

pub(super) fn my_rights(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    mailbox(c).map(CommandBody::MyRights)
}
