//! The row of a message in a mailbox: what changes, and where its bytes are. Fixed fields, 69 to 95 octets, because a first
//! synchronisation reads a hundred thousand of them.

use bytes::Bytes;
use mail::{BlobHash, InternalDate, ModSeq, SystemFlags, Timestamp, Uid};
use message::SentDate;

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
    /// The date that its Date field names, so that sorting and searching by it reads no records.
    pub sent: Sent,
}

/// What a message's row says of its Date field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sent {
    /// Nothing: the row is from before rows told of it, or there was no record to take it from.
    #[default]
    Untold,
    /// There is no date, or none that can be read (RFC 5256 §2.2: use INTERNALDATE).
    Undated,
    /// This.
    At(SentDate),
}

impl Sent {
    /// What a record says; nothing when it can't be read.
    pub(crate) fn of_record(record: &[u8]) -> Self {
        let sent = message::RecordView::new(record).and_then(|view| view.sent());
        sent.map_or(Self::Untold, |sent| sent.map_or(Self::Undated, Self::At))
    }

    /// The date, if there is one; `None` when the row says nothing.
    #[must_use]
    pub const fn told(self) -> Option<Option<SentDate>> {
        match self {
            Self::Untold => None,
            Self::Undated => Some(None),
            Self::At(date) => Some(Some(date)),
        }
    }
}

/// The first layout: always with keywords, never with a date.
const VERSION_UNDATED: u8 = 1;

/// The layout that is written: an octet of marks tells which fields there are.
const VERSION: u8 = 2;

/// The mark of a row with keywords.
const HAS_KEYWORDS: u8 = 1;
/// The mark of a row that tells of the Date field.
const TELLS_SENT: u8 = 2;
/// The mark of a row with a date.
const HAS_SENT: u8 = 4;

/// The bit beside the system flags that says [`MessageRow::shares_change`].
const SHARES_CHANGE: u8 = 0x80;

impl MessageRow {
    pub(crate) fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(96);
        let sent = match self.sent {
            Sent::Untold => 0,
            Sent::Undated => TELLS_SENT,
            Sent::At(_) => TELLS_SENT | HAS_SENT,
        };
        let has_keywords = self.keyword_bits != 0;
        out.extend_from_slice(&[VERSION, sent | if has_keywords { HAS_KEYWORDS } else { 0 }]);
        out.extend_from_slice(&self.modseq.0.to_be_bytes());
        out.push(self.system_flags.0 | if self.shares_change { SHARES_CHANGE } else { 0 });
        if has_keywords {
            out.extend_from_slice(&self.keyword_bits.to_be_bytes());
        }
        out.extend_from_slice(&self.internal_date.secs.to_be_bytes());
        out.extend_from_slice(&self.internal_date.offset_minutes.to_be_bytes());
        out.extend_from_slice(&self.saved_at.0.to_be_bytes());
        out.extend_from_slice(&self.octets.to_be_bytes());
        out.extend_from_slice(&self.blob.0);
        if let Sent::At(sent) = self.sent {
            out.extend_from_slice(&sent.unix_secs.to_be_bytes());
            out.extend_from_slice(&sent.offset_minutes.to_be_bytes());
        }
        Bytes::from(out)
    }

    pub(crate) fn decode(uid: Uid, value: &[u8]) -> Result<Self, StorageError> {
        let mut rest = value;
        let row = Self::decode_fields(uid, &mut rest);
        row.filter(|_| rest.is_empty()).ok_or_else(|| StorageError::corrupt(format!("message row of UID {uid}")))
    }

    fn decode_fields(uid: Uid, rest: &mut &[u8]) -> Option<Self> {
        let marks = match take(rest)? {
            [VERSION_UNDATED] => HAS_KEYWORDS,
            [VERSION] => {
                let [marks] = take(rest)?;
                let known = marks & !(HAS_KEYWORDS | TELLS_SENT | HAS_SENT) == 0;
                Some(marks).filter(|_| known && marks & (TELLS_SENT | HAS_SENT) != HAS_SENT)?
            }
            [_] => return None,
        };
        let has = |mark| marks & mark != 0;
        let modseq = ModSeq(u64::from_be_bytes(take(rest)?));
        let [flags] = take(rest)?;
        let keyword_bits = if has(HAS_KEYWORDS) { u128::from_be_bytes(take(rest)?) } else { 0 };
        Some(Self {
            uid,
            modseq,
            system_flags: SystemFlags(flags & !SHARES_CHANGE),
            shares_change: flags & SHARES_CHANGE != 0,
            keyword_bits,
            internal_date: InternalDate {
                secs: i64::from_be_bytes(take(rest)?),
                offset_minutes: i16::from_be_bytes(take(rest)?),
            },
            saved_at: Timestamp(i64::from_be_bytes(take(rest)?)),
            octets: u64::from_be_bytes(take(rest)?),
            blob: BlobHash(take(rest)?),
            sent: match (has(TELLS_SENT), has(HAS_SENT)) {
                (false, _) => Sent::Untold,
                (true, false) => Sent::Undated,
                (true, true) => Sent::At(SentDate {
                    unix_secs: i64::from_be_bytes(take(rest)?),
                    offset_minutes: i16::from_be_bytes(take(rest)?),
                }),
            },
        })
    }

    /// The row in the layout of format 2 and before.
    #[cfg(test)]
    pub(crate) fn encode_undated(&self) -> Bytes {
        let mut out = vec![VERSION_UNDATED];
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
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (head, tail) = rest.split_first_chunk::<N>()?;
    *rest = tail;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(keyword_bits: u128, sent: Sent) -> MessageRow {
        MessageRow {
            uid: Uid(7),
            modseq: ModSeq(1 << 62),
            system_flags: SystemFlags::SEEN,
            keyword_bits,
            internal_date: InternalDate { secs: -5, offset_minutes: -330 },
            saved_at: Timestamp(12),
            octets: u64::MAX,
            blob: BlobHash([9; 32]),
            shares_change: true,
            sent,
        }
    }

    fn reads(bytes: &[u8], row: &MessageRow) {
        assert_eq!(MessageRow::decode(Uid(7), bytes).as_ref(), Ok(row));
        for cut in 0..bytes.len() {
            assert!(MessageRow::decode(Uid(7), &bytes[..cut]).is_err());
        }
        let longer = [bytes, &[0]].concat();
        assert!(MessageRow::decode(Uid(7), &longer).is_err());
    }

    #[test]
    fn decodes_what_it_encoded_and_nothing_else() {
        let at = Sent::At(SentDate { unix_secs: i64::MIN, offset_minutes: -720 });
        for (sent, octets) in [(Sent::Untold, 69), (Sent::Undated, 69), (at, 79)] {
            for (keyword_bits, more) in [(0, 0), (1 << 127, 16)] {
                let row = row(keyword_bits, sent);
                assert_eq!(row.encode().len(), octets + more);
                reads(&row.encode(), &row);
            }
        }
        let mut marked = row(0, Sent::Undated).encode().to_vec();
        for marks in [HAS_SENT, 8, 255] {
            marked[1] = marks;
            assert!(MessageRow::decode(Uid(7), &marked).is_err(), "{marks}");
        }
    }

    #[test]
    fn rows_of_the_layout_before_say_nothing_of_the_date() {
        for keyword_bits in [0, 5] {
            let row = row(keyword_bits, Sent::Untold);
            reads(&row.encode_undated(), &row);
        }
    }
}
