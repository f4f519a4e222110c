//! The row of a message in a mailbox: what changes, and where its bytes are. Fixed layout, 105 octets, because a first
//! synchronisation reads a hundred thousand of them.

use bytes::Bytes;
use mail::{BlobHash, InternalDate, ModSeq, SystemFlags, Timestamp, Uid};

use crate::error::StorageError;

/// A message in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageRow {
    /// Its UID; part of the key.
    pub uid: Uid,
    /// Of its last change.
    pub modseq: ModSeq,
    /// System flags.
    pub system_flags: SystemFlags,
    /// Keywords, as places in the mailbox row's list.
    pub keyword_bits: u128,
    /// INTERNALDATE.
    pub internal_date: InternalDate,
    /// When it came into this mailbox (SAVEDATE, RFC 8514).
    pub saved_at: Timestamp,
    /// RFC822.SIZE.
    pub octets: u64,
    /// Its content.
    pub blob: BlobHash,
    /// Whether its last change was noted together with those of others; see [`crate::changes`].
    pub shares_change: bool,
}

const VERSION: u8 = 1;

/// The bit beside the system flags that says [`MessageRow::shares_change`].
const SHARES_CHANGE: u8 = 0x80;

impl MessageRow {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(105);
        out.push(VERSION);
        out.extend_from_slice(&self.modseq.0.to_be_bytes());
        out.push(self.system_flags.0 | if self.shares_change { SHARES_CHANGE } else { 0 });
        out.extend_from_slice(&self.keyword_bits.to_be_bytes());
        out.extend_from_slice(&self.internal_date.secs.to_be_bytes());
        out.extend_from_slice(&self.internal_date.offset_minutes.to_be_bytes());
        out.extend_from_slice(&self.saved_at.0.to_be_bytes());
        out.extend_from_slice(&self.octets.to_be_bytes());
        out.extend_from_slice(&self.blob.0);
        Bytes::from(out)
    }

    pub(crate) fn decode(uid: Uid, value: &[u8]) -> Result<Self, StorageError> {
        let corrupt = || StorageError::corrupt(format!("message row of UID {uid}"));
        let mut rest = value;
        let [version] = take::<1>(&mut rest).ok_or_else(corrupt)?;
        if version != VERSION {
            return Err(corrupt());
        }
        let row = (|| {
            let modseq = ModSeq(u64::from_be_bytes(take(&mut rest)?));
            let [flags] = take(&mut rest)?;
            Some(Self {
                uid,
                modseq,
                system_flags: SystemFlags(flags & !SHARES_CHANGE),
                shares_change: flags & SHARES_CHANGE != 0,
                keyword_bits: u128::from_be_bytes(take(&mut rest)?),
                internal_date: InternalDate {
                    secs: i64::from_be_bytes(take(&mut rest)?),
                    offset_minutes: i16::from_be_bytes(take(&mut rest)?),
                },
                saved_at: Timestamp(i64::from_be_bytes(take(&mut rest)?)),
                octets: u64::from_be_bytes(take(&mut rest)?),
                blob: BlobHash(take(&mut rest)?),
            })
        })();
        row.filter(|_| rest.is_empty()).ok_or_else(corrupt)
    }
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_it_encoded_and_nothing_else() {
        let row = MessageRow {
            uid: Uid(7),
            modseq: ModSeq(1 << 62),
            system_flags: SystemFlags::SEEN,
            keyword_bits: 1 << 127,
            internal_date: InternalDate { secs: -5, offset_minutes: -330 },
            saved_at: Timestamp(12),
            octets: u64::MAX,
            blob: BlobHash([9; 32]),
            shares_change: true,
        };
        let bytes = row.encode();
        assert_eq!(MessageRow::decode(Uid(7), &bytes), Ok(row));
        for cut in 0..bytes.len() {
            assert!(MessageRow::decode(Uid(7), &bytes[..cut]).is_err());
        }
        let longer = [&bytes[..], &[0]].concat();
        assert!(MessageRow::decode(Uid(7), &longer).is_err());
    }
}
