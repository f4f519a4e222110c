//! Whether every row belongs to a table, an account and a mailbox that there are.

use mail::{AccountId, MailboxId};

use super::pages::Pages;
use super::{Check, Flaw};
use crate::engine::KeyRange;
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::mailboxes::doomed_key;

const TABLES: &[Table] = &[
    Table::Meta,
    Table::Mailbox,
    Table::MailboxName,
    Table::Subscription,
    Table::Doomed,
    Table::Acl,
    Table::Undo,
    Table::Metadata,
    Table::UrlKey,
    Table::Message,
    Table::Record,
    Table::Change,
    Table::PersonSeen,
    Table::MessageId,
    Table::FlagBlock,
    Table::Blob,
    Table::Chunk,
    Table::Upload,
    Table::Grave,
    Table::Object,
    Table::Contact,
    Table::ListMember,
    Table::FirstUse,
    Table::Secret,
    Table::FetchState,
    Table::FetchSeen,
    Table::Queue,
    Table::QueueDue,
    Table::SrsKey,
    Table::SrsSender,
    Table::Submitted,
    Table::SpamToken,
    Table::SpamLearnt,
    Table::SpamTotals,
    Table::SpamSettings,
    Table::StsPolicy,
    Table::TlsReport,
    Table::Pace,
    Table::Event,
    Table::Parked,
    Table::Suppressed,
    Table::Ban,
    Table::Webhook,
    Table::Greylist,
    Table::Reputation,
    Table::ReceivedReport,
    Table::ReceivedReports,
    Table::Answered,
    Table::ResponderState,
    Table::SigningKey,
    Table::Trace,
    Table::TraceIndex,
    Table::TraceTerms,
    Table::DmarcReport,
    Table::Index,
    Table::IndexWords,
    Table::IndexPostings,
    Table::IndexLengths,
];

impl Check<'_> {
    /// Visits one row of each table.
    pub(super) async fn tables(&mut self) -> Result<(), StorageError> {
        let mut pages = Pages::new(self.store, KeyRange { start: vec![0], end: vec![0xFF; 64] }, 1);
        while let Some((key, _)) = pages.next().await?.first() {
            let Some(table) = key.first().copied() else { continue };
            if !TABLES.iter().any(|known| *known as u8 == table) {
                self.find(Flaw::UnknownTable, format!("table {table:#04x}"), "");
            }
            pages.skip(vec![table]);
        }
        Ok(())
    }

    /// Visits one row of each account in the tables of accounts, and one of each mailbox in those of mailboxes.
    pub(super) async fn owners(&mut self) -> Result<(), StorageError> {
        let parts = [
            Table::Meta,
            Table::Mailbox,
            Table::MailboxName,
            Table::Subscription,
            Table::ListMember,
            Table::Acl,
            Table::Metadata,
            Table::PersonSeen,
            Table::MessageId,
            Table::Submitted,
        ];
        for table in parts {
            let mut pages = Pages::new(self.store, KeyRange::prefix(vec![table as u8]), 1);
            while let Some((key, _)) = pages.next().await?.first() {
                let Some(part) = keys::middle(key, 1).map(|part| AccountId(u64::from_be_bytes(part))) else {
                    self.find(Flaw::Undecodable, format!("a key of {table:?}"), format!("{key:02x?}"));
                    continue;
                };
                let nobody = matches!(table, Table::Meta | Table::Acl | Table::Metadata) && part == AccountId(0);
                if !nobody && !self.accounts.contains(&part) {
                    self.find(Flaw::Orphans, format!("account {part}"), format!("rows of {table:?}"));
                }
                pages.skip(Key::of(table, part).done());
            }
        }
        let of_mailboxes = [
            Table::UrlKey,
            Table::Message,
            Table::Record,
            Table::Change,
            Table::FlagBlock,
            Table::Index,
            Table::IndexWords,
            Table::IndexPostings,
            Table::IndexLengths,
        ];
        for table in of_mailboxes {
            let mut pages = Pages::new(self.store, KeyRange::prefix(vec![table as u8]), 1);
            while let Some((key, _)) = pages.next().await?.first() {
                let account = keys::middle(key, 1).map(|part| AccountId(u64::from_be_bytes(part)));
                let mailbox = keys::middle(key, keys::HEAD).map(|id| MailboxId(u32::from_be_bytes(id)));
                let (Some(account), Some(mailbox)) = (account, mailbox) else {
                    self.find(Flaw::Undecodable, format!("a key of {table:?}"), format!("{key:02x?}"));
                    continue;
                };
                let owners = [keys::mailbox(account, mailbox), doomed_key(account, mailbox)];
                if self.store.engine.multi_get(&owners).await?.iter().all(Option::is_none) {
                    let place = format!("account {account}, mailbox {mailbox}");
                    self.find(Flaw::Orphans, place, format!("rows of {table:?}"));
                }
                pages.skip(Key::of(table, account).u32(mailbox.0).done());
            }
        }
        Ok(())
    }
}
