//! Contacts of an account: whom a responder for contacts only answers (V3).

use mail::{AccountId, Address};
use routing::Directory;
use storage::Store;

use crate::error::AdminError;
use crate::limits::CONTACTS_MAX;
use crate::request::ContactRequest;
use crate::response::Response;

pub(crate) async fn execute(store: &Store, request: ContactRequest) -> Result<Response, AdminError> {
    match request {
        ContactRequest::Add { account, address } => {
            let id = find(&store.directory(), &account)?;
            store.add_contact(id, address.clone()).await?;
            Ok(Response::Done(format!("{address} is a contact of {account}")))
        }
        ContactRequest::List { account, after } => {
            let id = find(&store.directory(), &account)?;
            Ok(Response::Contacts(store.contacts(id, after.as_ref(), CONTACTS_MAX).await?))
        }
        ContactRequest::Remove { account, address } => {
            let id = find(&store.directory(), &account)?;
            if store.remove_contact(id, address.clone()).await?.value {
                return Ok(Response::Done(format!("{address} is no contact of {account} any more")));
            }
            let known = store.contacts(id, None, CONTACTS_MAX).await?;
            let near = known.into_iter().map(|contact| contact.address.to_string());
            Err(AdminError::not_found("contact", &address.to_string(), near)
                .hint(format!("`relais contact list {account}` shows those there are")))
        }
    }
}

pub(crate) fn find(directory: &Directory, account: &Address) -> Result<AccountId, AdminError> {
    match directory.account_at(account) {
        Some(found) => Ok(found.id),
        None => {
            let known = directory.accounts().map(|known| known.address.to_string());
            Err(AdminError::not_found("account", &account.to_string(), known))
        }
    }
}
