//! External accounts: rows of how far they are fetched can be read, and belong to one that is there.

use routing::objects::ObjectKey;

use super::pages::{Pages, ROWS};
use super::{Check, Flaw};
use crate::engine::KeyRange;
use crate::error::StorageError;
use crate::fetch::{decode_seen, owner_of, read_seen, read_state};
use crate::keys::{HEAD, Table};
use crate::objects::row_key;

impl Check<'_> {
    pub(super) async fn fetched(&mut self) -> Result<(), StorageError> {
        for table in [Table::FetchState, Table::FetchSeen] {
            let mut pages = Pages::new(self.store, KeyRange::prefix(vec![table as u8]), ROWS);
            let mut known = None;
            loop {
                let page = pages.next().await?;
                if page.is_empty() {
                    break;
                }
                for (key, value) in page {
                    let place = format!("{table:?}, {:02x?}", key.get(HEAD..).unwrap_or_default());
                    let read = if table == Table::FetchState {
                        read_state(&key, &value).map(drop)
                    } else if read_seen(&key).is_none() {
                        Err(StorageError::corrupt("the key of a fetched message"))
                    } else {
                        decode_seen(&value).map(drop)
                    };
                    self.decoded(&place, read);
                    let Some((id, _)) = owner_of(&key) else { continue };
                    if known != Some(id) {
                        if self.store.engine.get(&row_key(&ObjectKey::External(id))).await?.is_none() {
                            self.find(Flaw::Orphans, place, format!("there is no external account {id}"));
                        }
                        known = Some(id);
                    }
                }
            }
        }
        Ok(())
    }
}
