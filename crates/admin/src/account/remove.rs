//! Deleting an account with its mail, and taking it out of what names it.

use mail::Address;
use routing::Directory;
use routing::objects::{AccountObject, AliasObject, Object, ObjectKey, Target};
use storage::objects::PutMode;
use storage::{Store, Transaction};

use crate::error::{AdminError, ErrorKind};
use crate::response::Response;

use super::{find, usage};

/// What a removal changes beside the account itself.
#[derive(Clone, Default)]
struct Undoing {
    puts: Vec<Object>,
    removes: Vec<ObjectKey>,
    names: Vec<String>,
}

pub(super) async fn remove(store: &Store, address: &Address, force: bool) -> Result<Response, AdminError> {
    let (account, undoing) = {
        let directory = store.directory();
        let account = find(&directory, address)?;
        let undoing = undoing(&directory, &account);
        (account, undoing)
    };
    let (messages, _) = usage(store, account.id).await?;
    if !force && (messages > 0 || !undoing.names.is_empty()) {
        let mut reasons = Vec::new();
        if messages > 0 {
            reasons.push(format!("it holds {messages} messages"));
        }
        if !undoing.names.is_empty() {
            reasons.push(format!("aliases lead to it: {}", undoing.names.join(", ")));
        }
        let message = format!("the account {} is in use: {}", account.address, reasons.join("; "));
        let hint = "--force deletes the account with its mail, and takes it out of those aliases";
        return Err(AdminError::new(ErrorKind::InUse, message).hint(hint));
    }
    let undone = undoing.names.len();
    delete(store, &account, undoing, Vec::new()).await?;
    let more = if undone > 0 { format!(", and took it out of {undone} aliases") } else { String::new() };
    Ok(Response::Done(format!("removed the account {} with {messages} messages{more}", account.address)))
}

/// Deletes an account of somebody who has left, with what was set up at its address for that.
pub(super) async fn delete_departed(store: &Store, account: &AccountObject) -> Result<(), AdminError> {
    let (undoing, more) = {
        let directory = store.directory();
        let mut more = Vec::new();
        if let Some(gone) = &account.off_boarding {
            more.extend(gone.responder.filter(|id| directory.responder(*id).is_some()).map(ObjectKey::Responder));
        }
        (undoing(&directory, account), more)
    };
    delete(store, account, undoing, more).await
}

async fn delete(
    store: &Store,
    account: &AccountObject,
    undoing: Undoing,
    more: Vec<ObjectKey>,
) -> Result<(), AdminError> {
    let objects = store.objects();
    let (id, key) = (account.id, ObjectKey::Account(account.address.canonical()));
    store
        .transact(move |tx: &mut Transaction<'_>| {
            for object in &undoing.puts {
                objects.put(tx, object.clone(), PutMode::Replace)?;
            }
            for key in undoing.removes.iter().chain(&more) {
                objects.remove(tx, key)?;
            }
            objects.remove_part(tx, id, &key)
        })
        .await?;
    store.sweep_removed().await;
    Ok(())
}

/// The aliases that name the account without it; those that would lead nowhere go. Groups and shares forget it.
fn undoing(directory: &Directory, account: &AccountObject) -> Undoing {
    let is = |address: &Address| account.addresses().any(|own| own.same_mailbox(address));
    let mut undoing = Undoing::default();
    let names = |target: &Target| matches!(target, Target::Address(target) if is(target));
    let mut aliases: Vec<AliasObject> =
        directory.aliases().filter(|alias| alias.targets.iter().any(names)).map(|alias| (**alias).clone()).collect();
    aliases.sort_by(|a, b| a.address.cmp(&b.address));
    for mut alias in aliases {
        undoing.names.push(alias.address.to_string());
        alias.targets.retain(|target| !names(target));
        if alias.targets.is_empty() {
            undoing.removes.push(ObjectKey::Alias(alias.address.canonical()));
        } else {
            undoing.puts.push(Object::Alias(alias));
        }
    }
    for group in directory.groups() {
        let mut without = (**group).clone();
        without.members.retain(|member| !is(member));
        without.moderators.retain(|moderator| !is(moderator));
        if without != **group {
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
