//! Quotas (RFC 9208, RFC 2087): GETQUOTA, GETQUOTAROOT, SETQUOTA.

/// A resource that a quota limits (RFC 9208 §5). `ANNOTATION-STORAGE` is of annotations of messages, which are not kept here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum QuotaResource {
    /// `STORAGE`: units of 1,024 octets.
    Storage,
    /// `MESSAGE`: how many messages.
    Message,
    /// `MAILBOX`: how many mailboxes.
    Mailbox,
}

impl QuotaResource {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Storage => "STORAGE",
            Self::Message => "MESSAGE",
            Self::Mailbox => "MAILBOX",
        }
    }

    pub(crate) fn parse(text: &[u8]) -> Option<Self> {
        [Self::Storage, Self::Message, Self::Mailbox]
            .into_iter()
            .find(|resource| resource.as_str().as_bytes().eq_ignore_ascii_case(text))
    }
}

/// SETQUOTA (RFC 9208 §4.1.3): what is not named is not limited afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetQuota {
    /// The quota root.
    pub root: String,
    /// Limits, each resource once.
    pub limits: Vec<(QuotaResource, u64)>,
}
