//! The suppression list: addresses elsewhere to which the server sends nothing of its own accord.

use delivery::span;
use mail::Address;
use serde::{Deserialize, Serialize};
use storage::Store;
use storage::suppressed::SuppressionReason;

use crate::error::{AdminError, ErrorKind};
use crate::limits::{NOTE_OCTETS_MAX, SUPPRESSED_LISTED_MAX};
use crate::response::Response;

/// About the suppression list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SuppressionRequest {
    /// A page, in the order of the addresses.
    List {
        /// Behind this address.
        #[serde(default)]
        after: Option<Address>,
        /// At most so many.
        #[serde(default)]
        limit: Option<usize>,
    },
    /// One.
    Show {
        /// Which.
        address: Address,
    },
    /// Enter an address by hand.
    Add {
        /// Which.
        address: Address,
        /// Why, in words.
        #[serde(default)]
        note: String,
        /// For so many days; `None`: until it is removed.
        #[serde(default)]
        days: Option<u32>,
    },
    /// Take an address off the list.
    Remove {
        /// Which.
        address: Address,
    },
}

pub(crate) async fn execute(store: &Store, request: SuppressionRequest) -> Result<Response, AdminError> {
    match request {
        SuppressionRequest::List { after, limit } => {
            let limit = limit.unwrap_or(SUPPRESSED_LISTED_MAX).clamp(1, SUPPRESSED_LISTED_MAX);
            let mut rows = store.suppressed_after(after.as_ref(), limit).await?;
            rows.retain(|row| row.holds(store.now()));
            Ok(Response::Suppressions(rows))
        }
        SuppressionRequest::Show { address } => match store.suppressed(&address).await? {
            Some(row) => Ok(Response::Suppressions(vec![row])),
            None => Err(missing(&address)),
        },
        SuppressionRequest::Add { address, note, days } => {
            if store.directory().domain(address.domain()).is_some() {
                let error = AdminError::invalid(format!("{address} is an address of this server"));
                return Err(error.hint(
                    "the list is for addresses elsewhere; `relais account set` and `alias set` say who takes mail here",
                ));
            }
            if note.len() > NOTE_OCTETS_MAX {
                return Err(AdminError::invalid(format!("the note is longer than {NOTE_OCTETS_MAX} octets")));
            }
            let now = store.now();
            let note = if note.trim().is_empty() { "no reason given".to_owned() } else { note };
            let until = days.map(|days| span(now, days));
            let enter = address.clone();
            store.transact(move |tx| tx.suppress(&enter, SuppressionReason::ByHand, &note, now, until)).await?;
            Ok(Response::Done(format!("{address} is on the suppression list")))
        }
        SuppressionRequest::Remove { address } => {
            let gone = address.clone();
            if store.transact(move |tx| tx.unsuppress(&gone)).await?.value {
                return Ok(Response::Done(format!("{address} is on the suppression list no more")));
            }
            Err(missing(&address))
        }
    }
}

fn missing(address: &Address) -> AdminError {
    AdminError::new(ErrorKind::NotFound, format!("{address} is not on the suppression list"))
        .hint("`relais suppression list` shows what is")
}
