//! GETQUOTA, GETQUOTAROOT, SETQUOTA (RFC 9208 §7).

use super::cursor::Cursor;
use crate::checks;
use crate::command::{CommandBody, SetQuota};
use crate::flaw::Flaw;

/// `quota-root-name`: an astring.
fn root(c: &mut Cursor<'_>) -> Result<String, Flaw> {
    c.space()?;
    checks::quota_root(&c.astring("the name of a quota root")?)
}

pub(super) fn get(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    root(c).map(CommandBody::GetQuota)
}

pub(super) fn get_root(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    c.mailbox().map(CommandBody::GetQuotaRoot)
}

/// `SETQUOTA root ([resource limit …])`
pub(super) fn set(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    let root = root(c)?;
    c.space()?;
    let limits = c.list("resources and limits in parentheses", |c| {
        let name = c.atom("a resource")?;
        c.space()?;
        Ok((name.to_vec(), c.number("a limit")?))
    })?;
    Ok(CommandBody::SetQuota(SetQuota { root, limits: checks::quota_limits(limits)? }))
}
