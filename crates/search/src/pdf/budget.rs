//! What reading one PDF file may cost. Counted in octets looked at or made, whether or not anything came of it: a file of a
//! stranger can name one object again and again, and what fails costs as much as what succeeds.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, Ordering};

/// The work that may be done for one file. What does work asks [`Budget::left`] before it and does no more than that, and charges
/// it with [`Budget::charge`] after.
pub(super) struct Budget<'c> {
    work_max: usize,
    spent: Cell<usize>,
    cancelled: &'c AtomicBool,
}

impl<'c> Budget<'c> {
    /// Of so many octets; nothing is left of it once it is `cancelled`.
    pub(super) const fn new(work_max: usize, cancelled: &'c AtomicBool) -> Self {
        Self { work_max, spent: Cell::new(0), cancelled }
    }

    /// Octets that may still be looked at or made.
    pub(super) fn left(&self) -> usize {
        if self.cancelled.load(Ordering::Relaxed) { 0 } else { self.work_max.saturating_sub(self.spent.get()) }
    }

    /// Whether nothing is left.
    pub(super) fn is_spent(&self) -> bool {
        self.left() == 0
    }

    /// Counts work that was done; `None` when no more may be done.
    pub(super) fn charge(&self, octets: usize) -> Option<()> {
        self.spent.set(self.spent.get().saturating_add(octets));
        (!self.is_spent()).then_some(())
    }

    /// Octets that were looked at or made.
    #[cfg(test)]
    pub(super) fn spent(&self) -> usize {
        self.spent.get()
    }
}
