//! Reading a range in pages.

use crate::engine::{KeyRange, Order, Row};
use crate::error::StorageError;
use crate::store::Store;

/// Small rows that are read at once.
pub(super) const ROWS: usize = 1000;
/// Records and chunks that are read at once: they are up to 60 KiB each.
pub(super) const LARGE_ROWS: usize = 32;

/// A range, read page by page in ascending order.
pub(super) struct Pages<'s> {
    store: &'s Store,
    rest: KeyRange,
    rows: usize,
}

impl<'s> Pages<'s> {
    pub(super) fn new(store: &'s Store, range: KeyRange, rows: usize) -> Self {
        Self { store, rest: range, rows }
    }

    /// The next page; empty at the end.
    pub(super) async fn next(&mut self) -> Result<Vec<Row>, StorageError> {
        let page = self.store.engine.scan(self.rest.clone(), Order::Ascending, self.rows).await?;
        if let Some((last, _)) = page.last() {
            self.rest.start = [last.as_ref(), &[0]].concat();
        }
        Ok(page)
    }

    /// Goes on behind every key that begins with `prefix`.
    pub(super) fn skip(&mut self, prefix: Vec<u8>) {
        self.rest.start = KeyRange::prefix(prefix).end;
    }
}
