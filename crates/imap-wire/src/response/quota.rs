//! QUOTA and QUOTAROOT responses (RFC 9208 §4.2).

use super::acl::astring;
use super::list::name;
use crate::command::QuotaResource;
use crate::mailbox_name::{MailboxName, NameEncoding};

/// What is used of a resource, and how much may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QuotaUsage {
    /// Of what.
    pub resource: QuotaResource,
    /// In the resource's unit.
    pub used: u64,
    /// In the resource's unit.
    pub limit: u64,
}

/// `* QUOTA root (resource used limit …)`: what is not named is not limited.
pub fn quota(out: &mut Vec<u8>, root: &str, usages: &[QuotaUsage]) {
    out.extend_from_slice(b"* QUOTA ");
    astring(out, root);
    let usages: Vec<String> =
        usages.iter().map(|usage| format!("{} {} {}", usage.resource.as_str(), usage.used, usage.limit)).collect();
    out.extend_from_slice(format!(" ({})\r\n", usages.join(" ")).as_bytes());
}

/// `* QUOTAROOT mailbox root`
pub fn quota_root(out: &mut Vec<u8>, mailbox: &MailboxName, encoding: NameEncoding, root: &str) {
    out.extend_from_slice(b"* QUOTAROOT ");
    name(out, mailbox, encoding);
    out.push(b' ');
    astring(out, root);
    out.extend_from_slice(b"\r\n");
}
