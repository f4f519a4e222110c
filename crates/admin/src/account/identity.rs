//! The names that an account writes under, each with its signature (M7).

use mail::Address;
use routing::may_send_as;
use routing::objects::{AccountObject, Identity, Object};
use storage::Store;
use storage::objects::PutMode;

use crate::asked::Asked;
use crate::error::{AdminError, ErrorKind};
use crate::limits::{IDENTITIES_MAX, NOTE_OCTETS_MAX, SIGNATURE_HTML_OCTETS_MAX, SIGNATURE_TEXT_OCTETS_MAX};
use crate::request::IdentityRequest;
use crate::response::Response;

use super::find_at;

pub(super) async fn execute(
    store: &Store,
    asked: &Asked<'_>,
    request: IdentityRequest,
) -> Result<Response, AdminError> {
    let _edit = asked.hold().await?;
    let mut account = find_at(&store.directory(), request.account())?;
    match request {
        IdentityRequest::List { .. } => return Ok(Response::Identities(account.identities)),
        IdentityRequest::Put { address, replace, display_name, signature_text, signature_html, .. } => {
            let place = account.identities.iter().position(|identity| identity.address.same_mailbox(&address));
            let mut identity = match (place, replace) {
                (Some(_), false) => return Err(exists(&account, &address)),
                (None, true) => return Err(missing(&account, &address)),
                (Some(place), true) => account.identities.remove(place),
                (None, false) => Identity {
                    address,
                    display_name: account.display_name.clone(),
                    signature_text: String::new(),
                    signature_html: String::new(),
                },
            };
            identity.display_name = display_name.unwrap_or(identity.display_name);
            identity.signature_text = signature_text.unwrap_or(identity.signature_text);
            identity.signature_html = signature_html.unwrap_or(identity.signature_html);
            check(store, &account, &identity)?;
            account.identities.insert(place.unwrap_or(account.identities.len()), identity);
            if account.identities.len() > IDENTITIES_MAX {
                return Err(AdminError::invalid(format!("an account writes under at most {IDENTITIES_MAX} names")));
            }
        }
        IdentityRequest::Remove { address, .. } => {
            let before = account.identities.len();
            account.identities.retain(|identity| !identity.address.same_mailbox(&address));
            if account.identities.len() == before {
                return Err(missing(&account, &address));
            }
        }
    }
    store.put_object(Object::Account(account.clone()), PutMode::Replace).await?;
    Ok(Response::Identities(account.identities))
}

fn check(store: &Store, account: &AccountObject, identity: &Identity) -> Result<(), AdminError> {
    let decision = may_send_as(&store.directory(), account.id, &identity.address);
    if !decision.allowed {
        let (who, address) = (&account.address, &identity.address);
        let error = AdminError::invalid(format!("{who} may not write as {address}: {}", decision.reason));
        return Err(error.hint("an alias that leads to the account makes it one of its names"));
    }
    let name = &identity.display_name;
    if name.len() > NOTE_OCTETS_MAX || name.chars().any(char::is_control) {
        return Err(AdminError::invalid("the name is too long or has a control character"));
    }
    for (text, what, max) in [
        (&identity.signature_text, "text", SIGNATURE_TEXT_OCTETS_MAX),
        (&identity.signature_html, "HTML", SIGNATURE_HTML_OCTETS_MAX),
    ] {
        if text.len() > max {
            return Err(AdminError::invalid(format!("the signature as {what} is longer than {max} octets")));
        }
        if text.chars().any(|c| c.is_control() && !['\n', '\r', '\t'].contains(&c)) {
            return Err(AdminError::invalid(format!("the signature as {what} has a control character")));
        }
    }
    Ok(())
}

fn exists(account: &AccountObject, address: &Address) -> AdminError {
    let error = AdminError::new(ErrorKind::Exists, format!("{} writes as {address} already", account.address));
    error.hint(format!("`relais account identity set {} {address} …` changes it", account.address))
}

fn missing(account: &AccountObject, address: &Address) -> AdminError {
    let message = format!("{} has no signature and name for {address}", account.address);
    let error = AdminError::new(ErrorKind::NotFound, message);
    error.hint(format!("`relais account identity list {}` shows those there are", account.address))
}
