//! What is counted for reports to other domains, DMARC aggregate reports (RFC 9990) and TLS reports (RFC 8460): rows by day and
//! domain, bounded in number.
//!
//! A row is opaque here: messages that are told alike have the same octets. What comes beyond the bounds of a day is not counted;
//! a report explains, it promises nothing.

use bytes::Bytes;
use mail::Domain;

use crate::engine::{Durability, KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::store::Store;
use crate::transaction::Transaction;

/// Rows of one day, of all domains together.
pub const REPORT_ROWS_MAX: u32 = 20_000;

/// Octets of a row, and of what a domain publishes.
pub const REPORT_ROW_OCTETS_MAX: usize = 8 * 1024;

/// What is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportKind {
    /// On mail that claimed to be from a domain.
    Dmarc,
    /// On connections to its servers.
    Tls,
}

impl ReportKind {
    const fn table(self) -> Table {
        match self {
            Self::Dmarc => Table::DmarcReport,
            Self::Tls => Table::TlsReport,
        }
    }
}

/// A kind, a day since 1970 and a domain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ReportOf {
    /// What is told.
    pub kind: ReportKind,
    /// The day.
    pub day: u32,
    /// About whom.
    pub domain: Domain,
}

const PUBLISHED: u8 = 0;
const ROW: u8 = 1;

impl ReportOf {
    fn key(&self) -> Key {
        // No domain has a NUL, so that one is not the beginning of another.
        day_key(self.kind, self.day).bytes(self.domain.as_str().as_bytes()).u8(0)
    }
}

fn day_key(kind: ReportKind, day: u32) -> Key {
    Key::global(kind.table()).u32(day)
}

fn number(value: Option<&Bytes>) -> u64 {
    let octets = value.and_then(|value| value.get(..8)).and_then(|octets| octets.try_into().ok());
    octets.map_or(0, u64::from_be_bytes)
}

impl Transaction<'_> {
    /// Counts one message for a report.
    ///
    /// # Errors
    /// When reading fails.
    pub fn count_for_report(&mut self, of: &ReportOf, published: &[u8], row: &[u8]) -> Result<(), StorageError> {
        if row.len() > REPORT_ROW_OCTETS_MAX || published.len() > REPORT_ROW_OCTETS_MAX {
            return Ok(());
        }
        let digest = blake3::hash(row);
        let digest = digest.as_bytes().get(..16).unwrap_or_default();
        let key = of.key().u8(ROW).bytes(digest).done();
        let known = self.get(&key)?;
        if known.is_none() {
            // The day's own row: how many there are.
            let total_key = day_key(of.kind, of.day).done();
            let total = number(self.get(&total_key)?.as_ref());
            if total >= u64::from(REPORT_ROWS_MAX) {
                return Ok(());
            }
            self.put(total_key, total.saturating_add(1).to_be_bytes().to_vec());
        }
        let count = number(known.as_ref()).saturating_add(1);
        self.put(key, [&count.to_be_bytes(), row].concat());
        let published_key = of.key().u8(PUBLISHED).done();
        if self.get(&published_key)?.is_none_or(|before| before != published) {
            self.put(published_key, published.to_vec());
        }
        Ok(())
    }

    /// Keeps what was counted for a report, for others than before; one that is gone stays so.
    ///
    /// # Errors
    /// When reading fails.
    pub fn republish_report(&mut self, of: &ReportOf, published: &[u8]) -> Result<(), StorageError> {
        let key = of.key().u8(PUBLISHED).done();
        if self.get(&key)?.is_some() && published.len() <= REPORT_ROW_OCTETS_MAX {
            self.put(key, published.to_vec());
        }
        Ok(())
    }

    /// Removes what was counted for a report.
    ///
    /// # Errors
    /// When reading fails.
    pub fn remove_report(&mut self, of: &ReportOf) -> Result<(), StorageError> {
        let most = usize::try_from(REPORT_ROWS_MAX).unwrap_or(usize::MAX).saturating_add(1);
        let rows = self.scan(&of.key().range(), Order::Ascending, most)?;
        let total_key = day_key(of.kind, of.day).done();
        let gone = rows.len().saturating_sub(1) as u64;
        let left = number(self.get(&total_key)?.as_ref()).saturating_sub(gone);
        rows.iter().for_each(|(key, _)| self.delete(key.to_vec()));
        if left == 0 {
            self.delete(total_key)
        } else {
            self.put(total_key, left.to_be_bytes().to_vec())
        }
        Ok(())
    }
}

impl Store {
    /// Counts one message for reports outside the transaction that keeps it: one that was refused. Not synced.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn count_for_report_lightly(
        &self,
        of: ReportOf,
        published: Vec<u8>,
        row: Vec<u8>,
    ) -> Result<(), StorageError> {
        let count = move |tx: &mut Transaction<'_>| tx.count_for_report(&of, &published, &row);
        self.transact_with(Durability::Relaxed, count).await.map(drop)
    }

    /// The first report of a kind of a day before this one that is not sent yet, after another one.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn next_report(
        &self,
        kind: ReportKind,
        before: u32,
        after: Option<&ReportOf>,
    ) -> Result<Option<ReportOf>, StorageError> {
        let start = match after {
            Some(after) => after.key().range().end,
            None => Key::global(kind.table()).done(),
        };
        let range = KeyRange { start, end: day_key(kind, before).done() };
        let head = Key::global(kind.table()).done().len();
        for (key, _) in self.engine.scan(range, Order::Ascending, 1_000).await? {
            let Some((day, rest)) = key.get(head..).and_then(|rest| rest.split_first_chunk::<4>()) else { continue };
            let Some(end) = rest.iter().position(|octet| *octet == 0) else { continue };
            let name = rest.get(..end).and_then(|name| std::str::from_utf8(name).ok());
            if let Some(domain) = name.and_then(|name| Domain::parse(name).ok()) {
                return Ok(Some(ReportOf { kind, day: u32::from_be_bytes(*day), domain }));
            }
        }
        Ok(None)
    }

    /// What was counted for a report: what the domain published, and each row with its count.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn report(&self, of: &ReportOf) -> Result<(Bytes, Vec<(u64, Bytes)>), StorageError> {
        let published = self.engine.get(&of.key().u8(PUBLISHED).done()).await?.unwrap_or_default();
        let most = usize::try_from(REPORT_ROWS_MAX).unwrap_or(usize::MAX);
        let rows = self.engine.scan(of.key().u8(ROW).range(), Order::Ascending, most).await?;
        let counted = rows.into_iter().map(|(_, value)| (number(Some(&value)), value.slice(value.len().min(8)..)));
        Ok((published, counted.collect()))
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use mail::Timestamp;
    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::MemoryEngine;

    #[tokio::test]
    async fn alike_messages_are_one_row_and_rows_are_bounded() {
        let world = SimulatedWorld::new(Timestamp(0), 1).world();
        let store = Store::open(Arc::new(MemoryEngine::default()), world).await.unwrap();
        let kind = ReportKind::Dmarc;
        let of = |day, name: &str| ReportOf { kind, day, domain: Domain::parse(name).unwrap() };
        let other = ReportOf { kind: ReportKind::Tls, ..of(7, "a.example") };
        store.count_for_report_lightly(other.clone(), b"p".to_vec(), b"z".to_vec()).await.unwrap();
        let (a, b, later) = (of(7, "a.example"), of(7, "aa.example"), of(8, "a.example"));
        for (of, row) in [(&a, "x"), (&a, "y"), (&a, "x"), (&b, "x"), (&later, "x")] {
            store.count_for_report_lightly(of.clone(), b"p".to_vec(), row.as_bytes().to_vec()).await.unwrap();
        }
        let (published, mut rows) = store.report(&a).await.unwrap();
        rows.sort();
        assert_eq!(
            (&published[..], rows),
            (&b"p"[..], vec![(1, Bytes::from_static(b"y")), (2, Bytes::from_static(b"x"))])
        );
        assert_eq!(store.next_report(kind, 8, None).await.unwrap(), Some(a.clone()));
        assert_eq!(store.next_report(kind, 8, Some(&a)).await.unwrap(), Some(b.clone()));
        assert_eq!(store.next_report(kind, 8, Some(&b)).await.unwrap(), None);
        assert_eq!(store.next_report(kind, 9, Some(&b)).await.unwrap(), Some(later));
        let gone = a.clone();
        store.transact(move |tx| tx.remove_report(&gone)).await.unwrap();
        assert_eq!(store.next_report(kind, 8, None).await.unwrap(), Some(b.clone()));
        assert_eq!(
            store.next_report(ReportKind::Tls, 8, None).await.unwrap(),
            Some(other),
            "the other kind is its own"
        );
        // A day has room for so many; those that are there are still counted.
        let many = b.clone();
        store
            .transact(move |tx| {
                (0..REPORT_ROWS_MAX).try_for_each(|n| tx.count_for_report(&many, b"p", &n.to_be_bytes()))?;
                tx.count_for_report(&many, b"p", b"x")
            })
            .await
            .unwrap();
        let (_, rows) = store.report(&b).await.unwrap();
        assert_eq!(rows.len(), usize::try_from(REPORT_ROWS_MAX).unwrap());
        assert!(rows.contains(&(2, Bytes::from_static(b"x"))));
    }
}
