//! Newtypes for numbers that must never be mixed.

use std::fmt;
use std::num::NonZeroU32;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::time::Timestamp;

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

/// A message's trace: milliseconds since 1970 (48 bits), then chance, so that byte order is the order of time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TraceId(pub [u8; 16]);

impl TraceId {
    /// A new one, of a time and random bytes.
    #[must_use]
    pub fn new(at: Timestamp, chance: [u8; 10]) -> Self {
        let [_, _, millis @ ..] = u64::try_from(at.0).unwrap_or(0).min(MILLIS_MAX).to_be_bytes();
        let mut id = [0; 16];
        for (to, from) in id.iter_mut().zip(millis.into_iter().chain(chance)) {
            *to = from;
        }
        Self(id)
    }

    /// The smallest of a time.
    #[must_use]
    pub fn first_at(at: Timestamp) -> Self {
        Self::new(at, [0; 10])
    }

    /// The largest of a time.
    #[must_use]
    pub fn last_at(at: Timestamp) -> Self {
        Self::new(at, [0xFF; 10])
    }
}

const MILLIS_MAX: u64 = (1 << 48) - 1;

impl fmt::Display for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TraceId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "TraceId({self})")
    }
}

impl FromStr for TraceId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let digits = (text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(text);
        let number = digits.and_then(|digits| u128::from_str_radix(digits, 16).ok());
        number.map(|number| Self(number.to_be_bytes())).ok_or("the number of a trace has 32 hexadecimal digits")
    }
}

impl Serialize for TraceId {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for TraceId {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

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
