//! Newtypes for numbers that must never be mixed.

use std::fmt;
use std::num::NonZeroU32;

use serde::{Deserialize, Serialize};

macro_rules! number {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number!(
    /// An account, the unit of partitioning. 1 and up; never used again.
    AccountId(u64)
);
number!(
    /// A mailbox, unique in its account, stable across RENAME (OBJECTID's MAILBOXID, RFC 8474). 1 and up; never used again.
    MailboxId(u32)
);
number!(
    /// UIDVALIDITY (RFC 3501 §2.3.1.1).
    UidValidity(u32)
);
number!(
    /// UID of a message in its mailbox (RFC 3501 §2.3.1.1). 1 and up.
    Uid(u32)
);
number!(
    /// Message sequence number (RFC 3501 §2.3.1.2). 1 and up, good for one session and one moment.
    SequenceNumber(u32)
);
number!(
    /// Modification sequence, per mailbox (RFC 7162 §3.1). 63 bits; 0 only as "before everything".
    ModSeq(u64)
);
number!(
    /// One queue entry: a message for one destination. 1 and up, never used again.
    QueueId(u64)
);

impl Uid {
    /// The UID that follows, or `None` when the space of this UIDVALIDITY is used up.
    #[must_use]
    pub fn next(self) -> Option<Self> {
        self.0.checked_add(1).map(Self)
    }

    /// The UID as the non-zero number that RFC 3501 has.
    #[must_use]
    pub fn non_zero(self) -> Option<NonZeroU32> {
        NonZeroU32::new(self.0)
    }
}

/// The content hash that names a stored message (BLAKE3).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BlobHash(pub [u8; 32]);

impl fmt::Display for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for BlobHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BlobHash({self})")
    }
}
