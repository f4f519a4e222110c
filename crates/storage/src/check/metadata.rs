//! Annotations: of mailboxes and people that there are, in their order, counted as they should be; what a person has
//! elsewhere is there.

use std::collections::BTreeMap;

use mail::AccountId;

use super::pages::{LARGE_ROWS, Pages};
use super::{Check, Flaw};
use crate::engine::KeyRange;
use crate::error::StorageError;
use crate::keys::{self, Table};
use crate::metadata::{self, AnnotationPlace, Counters, Row};

impl Check<'_> {
    pub(super) async fn annotations(&mut self) -> Result<(), StorageError> {
        let mut octets: BTreeMap<AccountId, u64> = BTreeMap::new();
        let mut pages = Pages::new(self.store, KeyRange::prefix(vec![Table::Metadata as u8]), LARGE_ROWS);
        loop {
            let page = pages.next().await?;
            if page.is_empty() {
                break;
            }
            for (key, value) in page {
                match self.decoded("the key of annotations", metadata::parse_key(&key)) {
                    None => {}
                    Some(Row::Set(place)) => self.annotation_set(place, &value, &mut octets).await?,
                    Some(Row::Elsewhere(place)) => {
                        let set = self.store.engine.get(&place.row_key()).await?;
                        if set.is_none() {
                            self.find(Flaw::Annotations, named(place), "they are not where somebody thinks");
                        }
                    }
                }
            }
        }
        for account in self.accounts.clone().into_iter().chain([AccountId(0)]) {
            let value = self.store.engine.get(&metadata::counters_key(account)).await?;
            let place = format!("account {account}, counters of annotations");
            let Some(counters) = self.decoded(&place, Counters::decode(value.as_deref())) else { continue };
            let counted = octets.get(&account).copied().unwrap_or(0);
            if counters.octets != counted {
                self.find(Flaw::Annotations, place, format!("{} octets; counted {counted}", counters.octets));
            }
        }
        Ok(())
    }

    async fn annotation_set(
        &mut self,
        place: AnnotationPlace,
        value: &[u8],
        octets: &mut BTreeMap<AccountId, u64>,
    ) -> Result<(), StorageError> {
        let (part, mailbox, person, payer) = place.parts();
        let Some(set) = self.decoded(&named(place), metadata::decode(Some(value))) else { return Ok(()) };
        let sum = octets.entry(payer).or_default();
        *sum = sum.saturating_add(set.octets());
        if let Some(mailbox) = mailbox
            && self.store.engine.get(&keys::mailbox(part, mailbox)).await?.is_none()
        {
            self.find(Flaw::Orphans, named(place), "its annotations");
        }
        if person.is_some_and(|person| !self.accounts.contains(&person)) {
            self.find(Flaw::UnknownIdentifier, named(place), "whose annotations are there");
        }
        if let Some(counterpart) = place.counterpart()
            && self.store.engine.get(&counterpart).await?.is_none()
        {
            self.find(Flaw::Annotations, named(place), "the person does not know");
        }
        if !set.is_sound() {
            self.find(Flaw::Annotations, named(place), "names out of order, or in capitals");
        }
        let counters = self.store.engine.get(&metadata::counters_key(part)).await?;
        // One that can't be read is reported with the account.
        if let Ok(counters) = Counters::decode(counters.as_deref())
            && counters.number < set.last_change()
        {
            let detail = format!("the last is {}, {} is in use", counters.number, set.last_change());
            self.find(Flaw::Counter, format!("account {part}, changes of annotations"), detail);
        }
        Ok(())
    }
}

fn named(place: AnnotationPlace) -> String {
    let (part, mailbox, person, _) = place.parts();
    let mailbox = mailbox.map_or_else(|| "the server".to_owned(), |mailbox| format!("mailbox {mailbox}"));
    let person = person.map_or_else(String::new, |person| format!(", of account {person}"));
    format!("account {part}, {mailbox}, annotations{person}")
}
