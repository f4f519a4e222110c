//! Reports of others on domains of this server, as rows of a domain, bounded in number and octets.
//!
//! What a report says is opaque here. Anybody can send one: the ones whose sender is not surely who it says have a quarter of the room and
//! push nothing out, the others push out the oldest days.
//!
//! **Invariant:** the row of totals of a kind and domain counts exactly the reports that there are, and is not there when there are none.

use bytes::Bytes;
use mail::{Domain, Timestamp};
use serde::{Deserialize, Serialize};

use crate::engine::{Durability, KeyRange, Order};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::limits::{
    RECEIVED_REPORT_OCTETS_MAX, RECEIVED_REPORTS_MAX, RECEIVED_REPORTS_OCTETS_MAX, RECEIVED_REPORTS_UNSURE_MAX,
};
use crate::rows;
use crate::store::Store;
use crate::transaction::Transaction;

/// What a report is on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum ReportKind {
    /// Mail that claimed to be from the domain (RFC 9990).
    Dmarc,
    /// TLS towards the domain (RFC 8460).
    Tls,
}

impl ReportKind {
    const fn number(self) -> u8 {
        match self {
            Self::Dmarc => 1,
            Self::Tls => 2,
        }
    }
}

/// A report as it is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceivedReport {
    /// When it came.
    pub received_at: Timestamp,
    /// The domain that it is surely from: DMARC passed for its author, or this server wrote it.
    pub verified: Option<Domain>,
    /// What it says.
    pub content: Vec<u8>,
}

/// What identifies a report: who reads the same twice counts it once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReportKey {
    /// On what.
    pub kind: ReportKind,
    /// The day that it tells of, counted from 1970.
    pub day: u32,
    /// Of who wrote it and which number it has there.
    pub digest: [u8; 16],
}

/// What became of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ReportFate {
    /// It is kept.
    Kept,
    /// It is there already.
    Known,
    /// There is no room for it.
    NoRoom,
}

/// What there is of a kind and domain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Totals {
    pub(crate) reports: u32,
    /// Of these, those whose sender is not sure.
    pub(crate) unsure: u32,
    /// Octets of their rows.
    pub(crate) octets: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, row: &ReceivedReport, octets: usize) {
        self.reports = self.reports.saturating_add(1);
        self.unsure = self.unsure.saturating_add(u32::from(row.verified.is_none()));
        self.octets = self.octets.saturating_add(octets as u64);
    }

    fn remove(&mut self, row: &ReceivedReport, octets: usize) {
        self.reports = self.reports.saturating_sub(1);
        self.unsure = self.unsure.saturating_sub(u32::from(row.verified.is_none()));
        self.octets = self.octets.saturating_sub(octets as u64);
    }

    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        rows::decode(VERSION, "totals of reports", value)
    }
}

impl ReceivedReport {
    pub(crate) fn decode(value: &[u8]) -> Result<Self, StorageError> {
        rows::decode(VERSION, "a report of others", value)
    }
}

const VERSION: u8 = 1;

fn of_domain(table: Table, kind: ReportKind, domain: &Domain) -> Key {
    // No domain has a NUL, so that one is not the beginning of another.
    Key::global(table).u8(kind.number()).bytes(domain.as_str().as_bytes()).u8(0)
}

fn row_key(domain: &Domain, key: &ReportKey) -> Vec<u8> {
    of_domain(Table::ReceivedReport, key.kind, domain).u32(key.day).bytes(&key.digest).done()
}

fn totals_key(kind: ReportKind, domain: &Domain) -> Vec<u8> {
    of_domain(Table::ReceivedReports, kind, domain).done()
}

/// The rows of some days.
fn days(kind: ReportKind, domain: &Domain, from: u32, before: u32) -> KeyRange {
    let at = |day| of_domain(Table::ReceivedReport, kind, domain).u32(day).done();
    KeyRange { start: at(from), end: at(before) }
}

impl Transaction<'_> {
    /// Keeps a report on a domain. One that is known, but was not surely from its sender, gives way to one that is.
    ///
    /// # Errors
    /// When reading fails.
    pub fn keep_report(
        &mut self,
        domain: &Domain,
        key: &ReportKey,
        report: &ReceivedReport,
    ) -> Result<ReportFate, StorageError> {
        let value = rows::encode(VERSION, report)?;
        if value.len() > RECEIVED_REPORT_OCTETS_MAX {
            return Ok(ReportFate::NoRoom);
        }
        let mut totals = self.report_totals(key.kind, domain)?;
        let at = row_key(domain, key);
        if let Some(known) = self.get(&at)? {
            let before = ReceivedReport::decode(&known)?;
            if before.verified.is_some() || report.verified.is_none() {
                return Ok(ReportFate::Known);
            }
            totals.remove(&before, known.len());
            self.delete(at.clone());
        }
        let full = |totals: &Totals| {
            totals.reports >= RECEIVED_REPORTS_MAX
                || totals.octets.saturating_add(value.len() as u64) > RECEIVED_REPORTS_OCTETS_MAX
        };
        if report.verified.is_none() && (full(&totals) || totals.unsure >= RECEIVED_REPORTS_UNSURE_MAX) {
            return Ok(ReportFate::NoRoom);
        }
        while full(&totals) {
            let oldest = self.scan(&days(key.kind, domain, 0, u32::MAX), Order::Ascending, 1)?.pop();
            let Some((oldest, value)) = oldest else { break };
            totals.remove(&ReceivedReport::decode(&value)?, value.len());
            self.delete(oldest.to_vec());
        }
        totals.add(report, value.len());
        self.put(at, value);
        self.put_report_totals(key.kind, domain, totals)?;
        Ok(ReportFate::Kept)
    }

    fn report_totals(&self, kind: ReportKind, domain: &Domain) -> Result<Totals, StorageError> {
        let totals = self.get(&totals_key(kind, domain))?.map(|value| Totals::decode(&value)).transpose()?;
        Ok(totals.unwrap_or_default())
    }

    fn put_report_totals(&mut self, kind: ReportKind, domain: &Domain, totals: Totals) -> Result<(), StorageError> {
        let key = totals_key(kind, domain);
        if totals.reports == 0 {
            self.delete(key);
        } else {
            self.put(key, rows::encode(VERSION, &totals)?);
        }
        Ok(())
    }

    /// Removes some reports on days before this one; gives whether there may be more.
    fn forget_reports(&mut self, kind: ReportKind, domain: &Domain, before: u32) -> Result<bool, StorageError> {
        let old = self.scan(&days(kind, domain, 0, before), Order::Ascending, SWEPT_AT_ONCE)?;
        if old.is_empty() {
            return Ok(false);
        }
        let mut totals = self.report_totals(kind, domain)?;
        for (key, value) in &old {
            totals.remove(&ReceivedReport::decode(value)?, value.len());
            self.delete(key.to_vec());
        }
        self.put_report_totals(kind, domain, totals)?;
        Ok(old.len() == SWEPT_AT_ONCE)
    }
}

/// Rows of one transaction: they may be large.
const SWEPT_AT_ONCE: usize = 32;

impl Store {
    /// The reports on a domain that tell of a day not before this one, in the order of their days.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn received_reports(
        &self,
        kind: ReportKind,
        domain: &Domain,
        from: u32,
    ) -> Result<Vec<ReceivedReport>, StorageError> {
        let most = usize::try_from(RECEIVED_REPORTS_MAX).unwrap_or(usize::MAX);
        let rows = self.engine.scan(days(kind, domain, from, u32::MAX), Order::Ascending, most).await?;
        rows.iter().map(|(_, value)| ReceivedReport::decode(value)).collect()
    }

    /// The domains on which there are reports, in their order.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn reported_domains(&self, kind: ReportKind) -> Result<Vec<Domain>, StorageError> {
        let range = Key::global(Table::ReceivedReports).u8(kind.number()).range();
        let rows = self.engine.scan(range, Order::Ascending, DOMAINS_MAX).await?;
        Ok(rows.iter().filter_map(|(key, _)| domain_of(key)).collect())
    }

    /// Removes the reports that tell of days before this one.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn sweep_received_reports(&self, before: u32) -> Result<(), StorageError> {
        for kind in [ReportKind::Dmarc, ReportKind::Tls] {
            for domain in self.reported_domains(kind).await? {
                loop {
                    let of = domain.clone();
                    let forget = move |tx: &mut Transaction<'_>| tx.forget_reports(kind, &of, before);
                    let old = self.engine.scan(days(kind, &domain, 0, before), Order::Ascending, 1).await?;
                    if old.is_empty() || !self.transact_with(Durability::Freeing, forget).await?.value {
                        break;
                    }
                }
            }
        }
        Ok(())
    }
}

/// Domains that are looked at.
const DOMAINS_MAX: usize = 100_000;

/// The domain in the key of a row, of either table.
pub(crate) fn domain_of(key: &Bytes) -> Option<Domain> {
    let rest = key.get(Key::global(Table::ReceivedReports).done().len().saturating_add(1)..)?;
    let name = rest.split(|octet| *octet == 0).next()?;
    Domain::parse(std::str::from_utf8(name).ok()?).ok()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use world::simulated::SimulatedWorld;

    use super::*;
    use crate::MemoryEngine;

    fn domain(name: &str) -> Domain {
        Domain::parse(name).unwrap()
    }

    fn key(day: u32, n: u32) -> ReportKey {
        let mut digest = [0; 16];
        digest[..4].copy_from_slice(&n.to_be_bytes());
        ReportKey { kind: ReportKind::Dmarc, day, digest }
    }

    fn report(sure: bool, octets: usize) -> ReceivedReport {
        let verified = sure.then(|| domain("big.example"));
        ReceivedReport { received_at: Timestamp(0), verified, content: vec![7; octets] }
    }

    async fn store() -> Store {
        Store::open(Arc::new(MemoryEngine::default()), SimulatedWorld::new(Timestamp(0), 1).world()).await.unwrap()
    }

    async fn keep(store: &Store, name: &str, key: ReportKey, report: ReceivedReport) -> ReportFate {
        let name = domain(name);
        store.transact(move |tx| tx.keep_report(&name, &key, &report)).await.unwrap().value
    }

    async fn there(store: &Store, name: &str, from: u32) -> usize {
        store.received_reports(ReportKind::Dmarc, &domain(name), from).await.unwrap().len()
    }

    async fn sound(store: &Store) {
        let mut found = Vec::new();
        crate::check::check(store, false, &mut |finding| found.push(finding.to_string())).await.unwrap();
        assert_eq!(found, [String::new(); 0]);
    }

    #[tokio::test]
    async fn a_report_is_kept_once_and_a_sure_one_takes_the_place_of_one_that_is_not() {
        let store = store().await;
        assert_eq!(keep(&store, "a.example", key(5, 1), report(false, 3)).await, ReportFate::Kept);
        assert_eq!(keep(&store, "a.example", key(5, 1), report(false, 3)).await, ReportFate::Known);
        assert_eq!(keep(&store, "a.example", key(5, 1), report(true, 9)).await, ReportFate::Kept);
        assert_eq!(keep(&store, "a.example", key(5, 1), report(true, 4)).await, ReportFate::Known);
        assert_eq!(keep(&store, "aa.example", key(6, 1), report(true, 4)).await, ReportFate::Kept);
        let tls = ReportKey { kind: ReportKind::Tls, ..key(6, 1) };
        assert_eq!(keep(&store, "a.example", tls, report(true, 4)).await, ReportFate::Kept);
        assert_eq!((there(&store, "a.example", 0).await, there(&store, "a.example", 6).await), (1, 0));
        assert_eq!(store.received_reports(ReportKind::Tls, &domain("a.example"), 0).await.unwrap().len(), 1);
        let names = store.reported_domains(ReportKind::Dmarc).await.unwrap();
        assert_eq!(names, [domain("a.example"), domain("aa.example")]);
        sound(&store).await;
        store.sweep_received_reports(6).await.unwrap();
        assert_eq!((there(&store, "a.example", 0).await, there(&store, "aa.example", 0).await), (0, 1));
        sound(&store).await;
    }

    #[tokio::test]
    async fn room_is_bounded_and_the_unsure_push_nothing_out() {
        let store = store().await;
        let (name, most) = (domain("a.example"), RECEIVED_REPORTS_UNSURE_MAX);
        let fill = move |tx: &mut Transaction<'_>| {
            (0..most).try_for_each(|n| tx.keep_report(&name, &key(2, n), &report(false, 1)).map(drop))
        };
        store.transact(fill).await.unwrap();
        assert_eq!(keep(&store, "a.example", key(9, 0), report(false, 1)).await, ReportFate::NoRoom);
        assert_eq!(keep(&store, "b.example", key(9, 0), report(false, 1)).await, ReportFate::Kept);
        let name = domain("a.example");
        let fill = move |tx: &mut Transaction<'_>| {
            (most..RECEIVED_REPORTS_MAX).try_for_each(|n| tx.keep_report(&name, &key(3, n), &report(true, 1)).map(drop))
        };
        store.transact(fill).await.unwrap();
        assert_eq!(keep(&store, "a.example", key(4, 0), report(true, 1)).await, ReportFate::Kept);
        assert_eq!(there(&store, "a.example", 0).await, usize::try_from(RECEIVED_REPORTS_MAX).unwrap());
        assert_eq!(there(&store, "a.example", 4).await, 1);
        // Large ones push out more than one.
        for n in 0..100 {
            assert_eq!(
                keep(&store, "a.example", key(5, n), report(true, RECEIVED_REPORT_OCTETS_MAX - 64)).await,
                ReportFate::Kept
            );
        }
        let large = RECEIVED_REPORTS_OCTETS_MAX / (RECEIVED_REPORT_OCTETS_MAX as u64);
        assert!(there(&store, "a.example", 0).await as u64 <= large + 1);
        assert_eq!(
            keep(&store, "a.example", key(6, 0), report(true, RECEIVED_REPORT_OCTETS_MAX)).await,
            ReportFate::NoRoom
        );
        sound(&store).await;
    }
}
