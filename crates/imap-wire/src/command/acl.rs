//! Access control lists (RFC 4314): SETACL, DELETEACL, GETACL, LISTRIGHTS, MYRIGHTS.

use crate::mailbox_name::MailboxName;

/// SETACL (RFC 4314 §3.1).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAcl {
    /// Whose list.
    pub mailbox: MailboxName,
    /// For whom; one that begins with `-` takes rights away (§2).
    pub identifier: String,
    /// Letters, with `+` or `-` in front for more or fewer. Which letters there are is not the wire's to say.
    pub rights: String,
}
