//! Copies of the rows that a scan finds: small ones some hundreds in one piece of memory, for most of what a scan of small
//! rows costs would be asking for memory and giving it back. Whoever keeps a row keeps its piece.

use bytes::Bytes;
use storage::engine::Row;

/// Octets of a piece, at the most.
const PIECE_OCTETS: usize = 32 * 1024;

/// Octets of a row that is copied by itself.
const ALONE_OCTETS: usize = 4 * 1024;

/// Rows that are not given out yet.
#[derive(Default)]
pub(crate) struct Copies {
    piece: Vec<u8>,
    /// Where each row's key and value end.
    ends: Vec<(usize, usize)>,
}

impl Copies {
    /// Takes the next row.
    pub(crate) fn take(&mut self, key: &[u8], value: &[u8], rows: &mut Vec<Row>) {
        let octets = key.len().saturating_add(value.len());
        if octets >= ALONE_OCTETS {
            self.finish(rows);
            rows.push((Bytes::copy_from_slice(key), Bytes::copy_from_slice(value)));
            return;
        }
        if self.piece.len().saturating_add(octets) > PIECE_OCTETS {
            self.finish(rows);
        }
        self.piece.extend_from_slice(key);
        let key_end = self.piece.len();
        self.piece.extend_from_slice(value);
        self.ends.push((key_end, self.piece.len()));
    }

    /// How many rows were taken and not given out.
    pub(crate) fn waiting(&self) -> usize {
        self.ends.len()
    }

    /// Gives out what waits, in order.
    pub(crate) fn finish(&mut self, rows: &mut Vec<Row>) {
        if self.ends.is_empty() {
            return;
        }
        let piece = Bytes::from(std::mem::take(&mut self.piece));
        let mut start = 0;
        for (key_end, end) in self.ends.drain(..) {
            rows.push((piece.slice(start..key_end), piece.slice(key_end..end)));
            start = end;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_come_out_as_they_went_in() {
        let sizes = [0, 1, 100, ALONE_OCTETS - 9, ALONE_OCTETS, 1, 3_000, 200_000, 0].repeat(20);
        let given: Vec<(Vec<u8>, Vec<u8>)> =
            (0u8..).zip(&sizes).map(|(n, octets)| (vec![n; 8], vec![n; *octets])).collect();
        let (mut copies, mut rows) = (Copies::default(), Vec::new());
        for (number, (key, value)) in given.iter().enumerate() {
            copies.take(key, value, &mut rows);
            assert_eq!(rows.len() + copies.waiting(), number + 1);
        }
        copies.finish(&mut rows);
        assert_eq!(rows.len(), given.len());
        assert!(
            rows.iter()
                .zip(&given)
                .all(|((key, value), given)| (key.as_ref(), value.as_ref()) == (&*given.0, &*given.1))
        );
    }
}
