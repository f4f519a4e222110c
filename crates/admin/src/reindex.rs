//! Full-text indexes built anew: what there is is forgotten, and the indexer of the running server begins at the first
//! message. Searches read the messages themselves until it has come back to them.

use mail::{AccountId, Address};
use routing::Directory;
use storage::{StorageError, Store};

use crate::contact::find;
use crate::error::AdminError;
use crate::response::Response;

pub(crate) async fn execute(store: &Store, account: Option<Address>) -> Result<Response, AdminError> {
    let accounts: Vec<AccountId> = match &account {
        Some(address) => vec![find(&store.directory(), address)?],
        None => everyone(&store.directory()),
    };
    let mut mailboxes = 0_usize;
    for id in accounts {
        for mailbox in store.mailboxes(id).await? {
            match store.forget_index(id, mailbox.id).await {
                Ok(_) => mailboxes = mailboxes.saturating_add(1),
                // Deleted meanwhile.
                Err(StorageError::NoSuchMailbox) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    let what = if mailboxes == 1 { "1 mailbox".to_owned() } else { format!("{mailboxes} mailboxes") };
    Ok(Response::Done(format!("{what} to be indexed anew; searches find everything meanwhile, and take longer")))
}

fn everyone(directory: &Directory) -> Vec<AccountId> {
    directory.accounts().map(|account| account.id).collect()
}
