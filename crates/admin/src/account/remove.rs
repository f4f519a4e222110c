//! Deleting an account with its mail, and taking it out of what names it.

use mail::Address;
use routing::Directory;
use routing::objects::{AccountObject, GroupObject, ObjectKey};
use storage::Store;

use crate::error::{AdminError, ErrorKind, number};
use crate::memberships;
use crate::references::{self, Removal};
use crate::response::Response;

use super::{find, usage};

pub(super) async fn remove(store: &Store, address: &Address, force: bool) -> Result<Response, AdminError> {
    let (account, removal) = {
        let directory = store.directory();
        let account = find(&directory, address)?;
        let removal = Removal::of(&directory, &key(&account));
        (account, removal)
    };
    let (messages, _) = usage(store, account.id).await?;
    if !force && (messages > 0 || !removal.references.is_empty()) {
        let mut reasons = Vec::new();
        if messages > 0 {
            reasons.push(format!("it holds {}", number(messages, "message", "messages")));
        }
        if !removal.references.is_empty() {
            reasons.push(removal.told());
        }
        let message = format!("the account {} is in use: {}", account.address, reasons.join("; "));
        let hint = format!(
            "--force deletes the account with its mail and its responders, and takes it out of what leads to it{}",
            removal.consequences()
        );
        return Err(AdminError::new(ErrorKind::InUse, message).hint(hint));
    }
    let told = references::told_all(&removal);
    let leaving = memberships::given_up(&store.directory(), account.addresses());
    let left = references::remove_part(store, account.id, key(&account), removal, leaving).await?;
    Ok(Response::Done(format!(
        "removed the account {} with {}{told}{}",
        account.address,
        number(messages, "message", "messages"),
        memberships::told(&left)
    )))
}

/// What deleting an account of somebody who has left changes elsewhere; what was set up for that at its address goes along.
pub(super) fn departure(directory: &Directory, account: &AccountObject) -> Removal {
    let mut removal = Removal::of(directory, &key(account));
    // It may have been moved to another address since.
    if let Some(responder) = account.off_boarding.as_ref().and_then(|gone| gone.responder) {
        removal.along(directory, responder);
    }
    removal
}

/// Deletes an account of somebody who has left; what else that has changed, in words.
pub(super) async fn delete_departed(store: &Store, account: &AccountObject) -> Result<String, AdminError> {
    let removal = departure(&store.directory(), account);
    let told = references::told_all(&removal);
    let leaving = memberships::given_up(&store.directory(), account.addresses());
    let left = references::remove_part(store, account.id, key(account), removal, leaving).await?;
    Ok(format!("{told}{}", memberships::told(&left)))
}

fn key(account: &AccountObject) -> ObjectKey {
    ObjectKey::Account(account.address.canonical())
}

/// A group without a person. A moderated one that would have no moderator left is disabled rather than open.
pub(super) fn group_without(group: &GroupObject, is: &impl Fn(&Address) -> bool) -> GroupObject {
    let mut group = group.clone();
    group.members.retain(|member| !is(member));
    group.moderators.retain(|moderator| !is(moderator));
    group.when_away = group.when_away.filter(|fallback| !is(fallback));
    group.enabled &= !group.moderated || !group.moderators.is_empty();
    group
}
