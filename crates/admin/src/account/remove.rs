//! Deleting an account with its mail, and taking it out of what names it.

use mail::Address;
use routing::Directory;
use routing::objects::{AccountObject, AliasObject, GroupObject, Object, ObjectKey, Target};
use storage::objects::PutMode;
use storage::{Durability, Store, Transaction};

use crate::error::{AdminError, ErrorKind, number};
use crate::named::still_naming;
use crate::response::Response;

use super::{find, usage};

/// What a removal changes beside the account itself.
#[derive(Clone, Default)]
struct Undoing {
    puts: Vec<Object>,
    removes: Vec<ObjectKey>,
    /// Aliases that lead to it.
    aliases: Vec<String>,
    /// Groups that name it.
    groups: Vec<String>,
    /// Responders at its addresses, which go with it: the next account of that name shall not inherit what they answer, or delete.
    responders: Vec<u64>,
}

pub(super) async fn remove(store: &Store, address: &Address, force: bool) -> Result<Response, AdminError> {
    let (account, undoing) = {
        let directory = store.directory();
        let account = find(&directory, address)?;
        let undoing = undoing(&directory, &account);
        (account, undoing)
    };
    let (messages, _) = usage(store, account.id).await?;
    let unnamed = undoing.aliases.is_empty() && undoing.groups.is_empty() && undoing.responders.is_empty();
    if !force && (messages > 0 || !unnamed) {
        let mut reasons = Vec::new();
        if messages > 0 {
            reasons.push(format!("it holds {}", number(messages, "message", "messages")));
        }
        if !undoing.aliases.is_empty() {
            reasons.push(format!("aliases lead to it: {}", undoing.aliases.join(", ")));
        }
        if !undoing.groups.is_empty() {
            reasons.push(format!("groups name it: {}", undoing.groups.join(", ")));
        }
        if !undoing.responders.is_empty() {
            let ids: Vec<String> = undoing.responders.iter().map(u64::to_string).collect();
            reasons.push(format!("responders are at its address: {}", ids.join(", ")));
        }
        let message = format!("the account {} is in use: {}", account.address, reasons.join("; "));
        let hint = "--force deletes the account with its mail and its responders, and takes it out of those aliases and groups";
        return Err(AdminError::new(ErrorKind::InUse, message).hint(hint));
    }
    let mut more = String::new();
    for (count, one, many) in [(undoing.aliases.len(), "alias", "aliases"), (undoing.groups.len(), "group", "groups")] {
        if count > 0 {
            more.push_str(&format!(", and took it out of {}", number(count, one, many)));
        }
    }
    if !undoing.responders.is_empty() {
        more.push_str(&format!(", and removed {}", number(undoing.responders.len(), "responder", "responders")));
    }
    delete(store, &account, undoing).await?;
    let named = still_naming(&store.directory(), &account.address);
    Ok(Response::Done(format!("removed the account {} with {messages} messages{more}{named}", account.address)))
}

/// Deletes an account of somebody who has left, with what was set up at its address for that.
pub(super) async fn delete_departed(store: &Store, account: &AccountObject) -> Result<(), AdminError> {
    let undoing = {
        let directory = store.directory();
        let mut undoing = undoing(&directory, account);
        // It has been moved to another address since.
        let elsewhere = account.off_boarding.as_ref().and_then(|gone| gone.responder);
        if let Some(id) = elsewhere.filter(|id| directory.responder(*id).is_some() && !undoing.responders.contains(id))
        {
            undoing.responders.push(id);
        }
        undoing
    };
    delete(store, account, undoing).await
}

async fn delete(store: &Store, account: &AccountObject, undoing: Undoing) -> Result<(), AdminError> {
    // Beforehand, a page at a time: there may be more rows than one transaction removes.
    store.clear_before_removal(account.id).await?;
    let objects = store.objects();
    let (id, key) = (account.id, ObjectKey::Account(account.address.canonical()));
    store
        .transact_with(Durability::Freeing, move |tx: &mut Transaction<'_>| {
            for object in &undoing.puts {
                objects.put(tx, object.clone(), PutMode::Replace)?;
            }
            for key in &undoing.removes {
                objects.remove(tx, key)?;
            }
            for id in &undoing.responders {
                objects.remove(tx, &ObjectKey::Responder(*id))?;
            }
            objects.remove_part(tx, id, &key)
        })
        .await?;
    store.sweep_removed().await;
    Ok(())
}

/// The aliases that name the account without it; those that would lead nowhere go. Groups, fall-backs and shares forget it.
fn undoing(directory: &Directory, account: &AccountObject) -> Undoing {
    let is = |address: &Address| account.addresses().any(|own| own.same_mailbox(address));
    let mut undoing = Undoing::default();
    undoing.responders = directory.responders().filter(|one| is(&one.address)).map(|one| one.id).collect();
    let names = |target: &Target| matches!(target, Target::Address(target) if is(target));
    let mut aliases: Vec<AliasObject> = directory.aliases().map(|alias| (**alias).clone()).collect();
    aliases.sort_by(|a, b| a.address.cmp(&b.address));
    for before in aliases {
        let mut alias = before.clone();
        alias.targets.retain(|target| !names(target));
        alias.when_away = alias.when_away.filter(|fallback| !is(fallback));
        if alias == before {
            continue;
        }
        if alias.targets.len() < before.targets.len() {
            undoing.aliases.push(alias.address.to_string());
        }
        if alias.targets.is_empty() {
            undoing.removes.push(ObjectKey::Alias(alias.address.canonical()));
        } else {
            undoing.puts.push(Object::Alias(alias));
        }
    }
    for group in directory.groups() {
        let without = group_without(group, &is);
        if without != **group {
            undoing.groups.push(without.address.to_string());
            undoing.puts.push(Object::Group(without));
        }
    }
    for other in directory.accounts().filter(|other| other.id != account.id) {
        let mut without = (**other).clone();
        if let Some(shared) = &mut without.shared {
            shared.members.retain(|member| !is(&member.account));
        }
        if without != **other {
            undoing.puts.push(Object::Account(without));
        }
    }
    undoing
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
