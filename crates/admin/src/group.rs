//! Groups of mailboxes (R9). Whether one can be is `routing::check_group`'s decision.

use mail::Address;
use routing::objects::{GroupObject, Object, ObjectKey};
use routing::{Directory, check_group};
use storage::objects::PutMode;
use storage::{StorageError, Store};

use delivery::limits::GROUP_WAITING_DAYS;

use crate::domain::must_be_local;
use crate::error::{AdminError, ErrorKind, number};
use crate::limits::NOTE_OCTETS_MAX;
use crate::list::waiting_views;
use crate::references::{self, Removal};
use crate::request::{GroupContent, GroupRequest};
use crate::response::{GroupView, Response};
use crate::warnings;

pub(crate) async fn execute(store: &Store, request: GroupRequest) -> Result<Response, AdminError> {
    match request {
        GroupRequest::Add { address, content } => {
            must_be_local(&store.directory(), &address)?;
            if store.directory().group(&address).is_some() {
                return Err(exists(&address));
            }
            let mut group = GroupObject { created_at: store.now(), ..GroupObject::new(address) };
            content.terms.must_be_to_come(&store.directory(), group.address.domain(), store.now())?;
            apply(&mut group, *content);
            checked(&store.directory(), &group)?;
            match store.add_group(group).await {
                Ok(done) => view(store, done.value).await.map(told),
                Err(StorageError::ObjectExists(_)) => {
                    Err(AdminError::new(ErrorKind::Exists, "the group is there already"))
                }
                Err(error) => Err(error.into()),
            }
        }
        GroupRequest::List { domain } => {
            let directory = store.directory();
            let of_domain = |group: &GroupObject| domain.as_ref().is_none_or(|name| group.address.domain() == name);
            let mut groups: Vec<GroupObject> =
                directory.groups().filter(|group| of_domain(group)).map(|group| (**group).clone()).collect();
            groups.sort_by(|a, b| (a.address.domain(), &a.address).cmp(&(b.address.domain(), &b.address)));
            Ok(Response::Groups(groups))
        }
        GroupRequest::Show { address } => {
            let group = find(&store.directory(), &address)?;
            view(store, group).await.map(told)
        }
        GroupRequest::Set { address, content } => {
            let mut group = find(&store.directory(), &address)?;
            let moderated = group.moderated;
            content.terms.must_be_to_come(&store.directory(), group.address.domain(), store.now())?;
            apply(&mut group, *content);
            checked(&store.directory(), &group)?;
            store.put_object(Object::Group(group.clone()), PutMode::Replace).await?;
            let mut view = view(store, group).await?;
            if moderated && !view.group.moderated {
                let still = warnings::still_waiting(&view.group.address, view.waiting, GROUP_WAITING_DAYS);
                view.warnings.extend(still);
            }
            Ok(told(view))
        }
        GroupRequest::Remove { address, force } => {
            let (group, removal) = {
                let directory = store.directory();
                let group = find(&directory, &address)?;
                let removal = Removal::of(&directory, &ObjectKey::Group(group.address.canonical()));
                (group, removal)
            };
            if !force && !removal.references.is_empty() {
                let message = format!("the group {} is in use: {}", group.address, removal.told());
                let hint = format!("--force deletes it and takes it out of there{}", removal.consequences());
                return Err(AdminError::new(ErrorKind::InUse, message).hint(hint));
            }
            let told = references::told_all(&removal);
            let key = ObjectKey::Group(group.address.canonical());
            references::remove_part(store, group.id, key, removal, Vec::new()).await?;
            let members = number(group.members.len().try_into().unwrap_or(u32::MAX), "member", "members");
            Ok(Response::Done(format!("removed the group {}, which had {members}{told}", group.address)))
        }
    }
}

async fn view(store: &Store, group: GroupObject) -> Result<GroupView, AdminError> {
    let waiting = waiting_views(store, group.id).await?.len();
    let warnings = warnings::without_members(&group).into_iter().collect();
    Ok(GroupView { group, waiting, warnings })
}

fn told(view: GroupView) -> Response {
    Response::Group(Box::new(view))
}

fn exists(address: &Address) -> AdminError {
    let error = AdminError::new(ErrorKind::Exists, format!("the group {address} is there already"));
    error.hint(format!("`relais group set {address} …` changes it"))
}

fn apply(group: &mut GroupObject, content: GroupContent) {
    let GroupContent {
        display_name,
        members,
        add_members,
        remove_members,
        posting,
        moderated,
        moderators,
        enabled,
        note,
        terms,
        withdraw,
        restore,
    } = content;
    group.withdrawn.extend(withdraw);
    group.withdrawn.retain(|service| !restore.contains(service));
    group.withdrawn.sort_unstable();
    group.withdrawn.dedup();
    if let Some(members) = members {
        group.members.clear();
        add_each(&mut group.members, members);
    }
    add_each(&mut group.members, add_members);
    group.members.retain(|member| !remove_members.iter().any(|gone| gone.same_mailbox(member)));
    if let Some(moderators) = moderators {
        group.moderators.clear();
        add_each(&mut group.moderators, moderators);
    }
    group.display_name = display_name.unwrap_or_else(|| std::mem::take(&mut group.display_name));
    group.posting = posting.unwrap_or_else(|| group.posting.clone());
    group.moderated = moderated.unwrap_or(group.moderated);
    group.enabled = enabled.unwrap_or(group.enabled);
    group.note = note.unwrap_or_else(|| std::mem::take(&mut group.note));
    group.deputies_when_away = terms.deputies_when_away.unwrap_or(group.deputies_when_away);
    terms.apply(&mut group.rules).apply(&mut group.when_away);
}

fn add_each(there: &mut Vec<Address>, more: Vec<Address>) {
    for one in more {
        if !there.iter().any(|known| known.same_mailbox(&one)) {
            there.push(one);
        }
    }
}

fn checked(directory: &Directory, group: &GroupObject) -> Result<(), AdminError> {
    let long = |text: &str| text.len() > NOTE_OCTETS_MAX || text.chars().any(char::is_control);
    if long(&group.display_name) || group.note.len() > NOTE_OCTETS_MAX {
        return Err(AdminError::invalid("the name or note is too long, or has a control character"));
    }
    check_group(directory, group).map_err(|flaw| AdminError::invalid(flaw.to_string()))
}

fn find(directory: &Directory, address: &Address) -> Result<GroupObject, AdminError> {
    match directory.group(address) {
        Some(group) => Ok((**group).clone()),
        None => {
            let known = directory.groups().map(|group| group.address.canonical().to_string());
            Err(AdminError::not_found("group", &address.canonical().to_string(), known))
        }
    }
}
