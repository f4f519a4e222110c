//! What sending keeps: keys and senders of forwarded messages, and policies of other domains, that can be read.

use super::Check;
use super::pages::{Pages, ROWS};
use crate::error::StorageError;
use crate::keys::{Key, Table};
use crate::mta_sts::StsRow;
use crate::{secret, srs};

impl Check<'_> {
    pub(super) async fn forwards(&mut self) -> Result<(), StorageError> {
        for table in [Table::SrsKey, Table::SrsSender, Table::StsPolicy] {
            let mut pages = Pages::new(self.store, Key::global(table).range(), ROWS);
            loop {
                let page = pages.next().await?;
                if page.is_empty() {
                    break;
                }
                for (_, value) in page {
                    if table == Table::SrsKey {
                        self.decoded("a key of forwarded messages", secret::decode(&value));
                    } else if table == Table::StsPolicy {
                        self.decoded("an MTA-STS policy", StsRow::decode(&value));
                    } else {
                        self.decoded("the sender of a forwarded message", srs::read_sender(&value));
                    }
                }
            }
        }
        Ok(())
    }
}
