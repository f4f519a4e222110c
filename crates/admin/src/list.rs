//! Mailing lists, their members, and what waits for a moderator of a list or a group.
//!
//! A decision here is the mark and the event of [`delivery::decide_waiting`]; what follows from it is the consumer's.

use delivery::{MemberAdded, Outcome, decide_waiting};
use mail::{AccountId, Address, Timestamp, Topic, Uid};
use routing::objects::{ListObject, Object, ObjectKey, Role};
use routing::{Directory, check_list};
use storage::objects::PutMode;
use storage::rows::{BounceScore, MemberRow, MemberState, ModerationDecision};
use storage::{StorageError, Store, Transaction};

use crate::actor::Actor;
use crate::error::{AdminError, ErrorKind};
use crate::limits::{LIST_NAME_OCTETS_MAX, MEMBERS_PAGE, NOTE_OCTETS_MAX};
use crate::references::{self, Removal};
use crate::request::{ListContent, ListRequest, MemberContent, NewMember};
use crate::response::{ListView, MemberImport, MemberView, Response, WaitingView};
use crate::warnings;

pub(crate) async fn execute(store: &Store, actor: &Actor, request: ListRequest) -> Result<Response, AdminError> {
    match request {
        ListRequest::Add { address, content } => {
            let created_at = store.now();
            let list = edited(ListObject { created_at, ..ListObject::new(address) }, *content);
            checked(store, &list)?;
            let list = store.add_list(list).await?.value;
            view(store, list).await
        }
        ListRequest::List { domain } => {
            let lists: Vec<ListObject> = {
                let directory = store.directory();
                let of = |list: &ListObject| domain.as_ref().is_none_or(|name| list.address.domain() == name);
                directory.lists().filter(|list| of(list)).map(|list| (**list).clone()).collect()
            };
            let mut views = Vec::with_capacity(lists.len());
            for list in lists {
                views.push(list_view(store, list).await?);
            }
            Ok(Response::Lists(views))
        }
        ListRequest::Show { address } => {
            let list = find(&store.directory(), &address)?;
            view(store, list).await
        }
        ListRequest::Set { address, content } => {
            let before = find(&store.directory(), &address)?;
            let list = edited(before.clone(), *content);
            checked(store, &list)?;
            store.put_object(Object::List(list.clone()), PutMode::Replace).await?;
            let mut view = list_view(store, list).await?;
            if before.moderated && !view.list.moderated {
                let days = view.list.settings.waiting_days;
                view.warnings.extend(warnings::still_waiting(&view.list.address, view.waiting, days));
            }
            Ok(Response::List(Box::new(view)))
        }
        ListRequest::Remove { address, force } => remove(store, &address, force).await,
        ListRequest::MemberAdd { list, member, quiet } => {
            let part = find(&store.directory(), &list)?.id;
            let row = fresh(store, member)?;
            let (added, now) = (row.clone(), store.now());
            let welcome = match quiet {
                true => Welcome::No,
                false if has_role(&store.directory(), actor) => Welcome::Yes,
                false => Welcome::Bounded,
            };
            let done = store.transact(move |tx| add(tx, part, &row, welcome, now));
            if !done.await?.value {
                let error =
                    AdminError::new(ErrorKind::Exists, format!("{} is a member of {list} already", added.address));
                return Err(error.hint(format!("`relais list member set {list} {}` changes a member", added.address)));
            }
            let warnings = warnings::beyond_ascii(&store.directory(), [&added.address]);
            Ok(Response::Member(MemberView { warnings, ..MemberView::from(added) }))
        }
        ListRequest::MemberImport { list, members, welcome } => import(store, &list, members, welcome).await,
        ListRequest::MemberList { list, state } => {
            let part = find(&store.directory(), &list)?.id;
            let mut found = Vec::new();
            for_members(store, part, |member| {
                if state.is_none_or(|state| member.state == state) {
                    found.push(MemberView::from(member));
                }
            })
            .await?;
            Ok(Response::Members(found))
        }
        ListRequest::MemberSet { list, address, content } => set_member(store, &list, &address, content).await,
        ListRequest::MemberRemove { list, address } => {
            let part = find(&store.directory(), &list)?.id;
            let gone = address.clone();
            if !store.transact(move |tx| tx.remove_member(part, &gone)).await?.value {
                return Err(no_member(&list, &address));
            }
            Ok(Response::Done(format!("{address} is no longer a member of {list}")))
        }
        ListRequest::Waiting { address } => waiting(store, &address).await,
        ListRequest::Decide { address, message, approved, reason } => {
            let person = actor.account(&store.directory()).map(|account| account.address.to_string());
            let by = person.unwrap_or_else(|| "the administrator".to_owned());
            decide(store, &address, message, ModerationDecision { approved, by, at: store.now(), reason }).await
        }
    }
}

fn edited(mut list: ListObject, content: ListContent) -> ListObject {
    let settings = &mut list.settings;
    fn set<T>(field: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *field = value;
        }
    }
    set(&mut settings.language, content.language);
    set(&mut settings.joining, content.joining);
    set(&mut settings.non_members, content.non_members);
    set(&mut settings.from, content.from);
    set(&mut settings.reply_to, content.reply_to);
    set(&mut settings.subject_prefix, content.subject_prefix);
    set(&mut settings.archive, content.archive);
    set(&mut settings.archive_readers, content.archive_readers);
    set(&mut settings.personal_links, content.personal_links);
    set(&mut settings.waiting_days, content.waiting_days);
    set(&mut settings.waiting_notice, content.waiting_notice);
    set(&mut settings.bounce_days_max, content.bounce_days_max);
    set(&mut list.display_name, content.display_name);
    set(&mut list.owners, content.owners);
    set(&mut list.moderators, content.moderators);
    set(&mut list.posting, content.posting);
    set(&mut list.moderated, content.moderated);
    set(&mut list.enabled, content.enabled);
    set(&mut list.note, content.note);
    content.message_octets_max.apply(&mut list.rules.message_octets_max);
    list
}

fn checked(store: &Store, list: &ListObject) -> Result<(), AdminError> {
    let local = list.address.local().canonical();
    // Behind the name come `-confirm+` and a token, and a local part has 64 octets.
    if local.as_str().len() > LIST_NAME_OCTETS_MAX {
        return Err(AdminError::invalid(format!("the name of a list has at most {LIST_NAME_OCTETS_MAX} characters")));
    }
    if !local.as_str().bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte)) {
        return Err(AdminError::invalid("the name of a list has letters, digits, dots, dashes and underscores only"));
    }
    if !["fr", "en"].contains(&list.settings.language.as_str()) {
        return Err(AdminError::invalid("the language of a list is fr or en"));
    }
    if [&list.note, &list.display_name, &list.settings.subject_prefix].iter().any(|text| text.len() > NOTE_OCTETS_MAX) {
        return Err(AdminError::invalid(format!("a name, a note or a prefix is longer than {NOTE_OCTETS_MAX} octets")));
    }
    if list.settings.waiting_days == 0 || list.settings.bounce_days_max == 0 {
        return Err(AdminError::invalid("a number of days is at least 1"));
    }
    if list.owners.is_empty() {
        let error = AdminError::invalid("a list needs an owner: somebody has to read what is written to it");
        return Err(error.hint("give one with --owner alice@example.org"));
    }
    check_list(&store.directory(), list).map_err(|flaw| AdminError::invalid(flaw.to_string()))
}

async fn view(store: &Store, list: ListObject) -> Result<Response, AdminError> {
    Ok(Response::List(Box::new(list_view(store, list).await?)))
}

async fn list_view(store: &Store, list: ListObject) -> Result<ListView, AdminError> {
    let (mut members, mut active) = (0_usize, 0_usize);
    for_members(store, list.id, |member| {
        members = members.saturating_add(1);
        active = active.saturating_add(usize::from(member.state == MemberState::Active));
    })
    .await?;
    let waiting = waiting_views(store, list.id).await?.len();
    Ok(ListView { list, members, active, waiting, warnings: Vec::new() })
}

async fn for_members(store: &Store, part: AccountId, mut each: impl FnMut(MemberRow)) -> Result<(), AdminError> {
    let mut after: Option<Address> = None;
    loop {
        let page = store.members_after(part, after.as_ref(), MEMBERS_PAGE).await?;
        let Some(last) = page.last() else { return Ok(()) };
        after = Some(last.address.clone());
        page.into_iter().for_each(&mut each);
    }
}

async fn remove(store: &Store, address: &Address, force: bool) -> Result<Response, AdminError> {
    let (list, removal) = {
        let directory = store.directory();
        let list = find(&directory, address)?;
        let removal = Removal::of(&directory, &ObjectKey::List(list.address.canonical()));
        (list, removal)
    };
    let has_members = !store.members_after(list.id, None, 1).await?.is_empty();
    if !force && (has_members || !removal.references.is_empty()) {
        let mut reasons = Vec::new();
        if has_members {
            reasons.push("it has members".to_owned());
        }
        if !removal.references.is_empty() {
            reasons.push(removal.told());
        }
        let message = format!("the list {} is in use: {}", list.address, reasons.join("; "));
        let hint = format!(
            "--force removes the list with its members, its waiting messages and its archive, and takes it out of what \
             leads to it{}",
            removal.consequences()
        );
        return Err(AdminError::new(ErrorKind::InUse, message).hint(hint));
    }
    let told = references::told_all(&removal);
    references::remove_part(store, list.id, ObjectKey::List(list.address.canonical()), removal, Vec::new()).await?;
    let archive = if list.settings.archive { ", with its archive" } else { "" };
    Ok(Response::Done(format!("removed the list {}{archive}{told}", list.address)))
}

fn fresh(store: &Store, new: NewMember) -> Result<MemberRow, AdminError> {
    check_name(&new.name, &new.address)?;
    if new.language.as_deref().is_some_and(|language| !["fr", "en"].contains(&language)) {
        return Err(AdminError::invalid("the language of a member is fr or en"));
    }
    Ok(MemberRow { name: new.name, language: new.language, ..MemberRow::new(new.address, store.now()) })
}

/// What a member is called stands in one line of letters and tables.
fn check_name(name: &str, of: &Address) -> Result<(), AdminError> {
    if name.len() > NOTE_OCTETS_MAX || name.chars().any(char::is_control) {
        let limit = format!("a name has no control characters, and at most {NOTE_OCTETS_MAX} octets");
        return Err(AdminError::invalid(format!("the name of {of} can't be taken")).hint(limit));
    }
    Ok(())
}

/// Whether who is added is told.
#[derive(Clone, Copy)]
enum Welcome {
    No,
    /// As many as there are.
    Yes,
    /// As many as a list may be made to write in a day by people without a role.
    Bounded,
}

fn has_role(directory: &Directory, actor: &Actor) -> bool {
    match actor {
        Actor::System => true,
        Actor::Account { .. } => actor.account(directory).is_some_and(|account| account.role != Role::User),
    }
}

/// Adds who is not a member yet, and has them told if that is wanted; whether they were added.
fn add(
    tx: &mut Transaction<'_>,
    part: AccountId,
    row: &MemberRow,
    welcome: Welcome,
    now: Timestamp,
) -> Result<bool, StorageError> {
    if tx.member(part, &row.address)?.is_some() {
        return Ok(false);
    }
    tx.put_member(part, row)?;
    let bounded = match welcome {
        Welcome::No => return Ok(true),
        Welcome::Yes => false,
        Welcome::Bounded => true,
    };
    let event = MemberAdded { part, address: row.address.clone(), bounded };
    tx.emit(Topic::MemberAdded, now, event.encode())?;
    Ok(true)
}

async fn import(store: &Store, list: &Address, members: Vec<NewMember>, welcome: bool) -> Result<Response, AdminError> {
    let part = find(&store.directory(), list)?.id;
    let rows = members.into_iter().map(|member| fresh(store, member)).collect::<Result<Vec<_>, _>>()?;
    let warnings = warnings::beyond_ascii(&store.directory(), rows.iter().map(|row| &row.address));
    // Only who has a role imports.
    let welcome = if welcome { Welcome::Yes } else { Welcome::No };
    let (mut report, now) = (MemberImport { warnings, ..MemberImport::default() }, store.now());
    for some in rows.chunks(MEMBERS_PAGE) {
        let some = some.to_vec();
        let total = some.len();
        let done = store
            .transact(move |tx| {
                let mut added = 0_usize;
                for row in &some {
                    added = added.saturating_add(usize::from(add(tx, part, row, welcome, now)?));
                }
                Ok(added)
            })
            .await?;
        report.added = report.added.saturating_add(done.value);
        report.present = report.present.saturating_add(total.saturating_sub(done.value));
    }
    Ok(Response::MembersImported(report))
}

async fn set_member(
    store: &Store,
    list: &Address,
    address: &Address,
    content: MemberContent,
) -> Result<Response, AdminError> {
    let part = find(&store.directory(), list)?.id;
    content.name.iter().try_for_each(|name| check_name(name, address))?;
    if content.note.as_ref().is_some_and(|note| note.len() > NOTE_OCTETS_MAX) {
        return Err(AdminError::invalid(format!("the note is longer than {NOTE_OCTETS_MAX} octets")));
    }
    let who = address.clone();
    let done = store
        .transact(move |tx| {
            let Some(mut member) = tx.member(part, &who)? else { return Ok(None) };
            let content = content.clone();
            member.name = content.name.unwrap_or(member.name);
            member.note = content.note.unwrap_or(member.note);
            member.own_posts = content.own_posts.unwrap_or(member.own_posts);
            if let Some(state) = content.state {
                member.state = state;
                if state == MemberState::Active {
                    member.bounces = BounceScore::default();
                }
            }
            content.language.apply(&mut member.language);
            tx.put_member(part, &member)?;
            Ok(Some(member))
        })
        .await?;
    done.value.map(|member| Response::Member(MemberView::from(member))).ok_or_else(|| no_member(list, address))
}

fn no_member(list: &Address, address: &Address) -> AdminError {
    let error = AdminError::new(ErrorKind::NotFound, format!("{address} is not a member of {list}"));
    error.hint(format!("`relais list member list {list}` shows the members"))
}

async fn waiting(store: &Store, address: &Address) -> Result<Response, AdminError> {
    let part = part_of(&store.directory(), address)?;
    Ok(Response::Waiting(waiting_views(store, part).await?))
}

pub(crate) async fn waiting_views(store: &Store, part: AccountId) -> Result<Vec<WaitingView>, AdminError> {
    let (mut views, mut after) = (Vec::new(), Uid(0));
    loop {
        let page = store.waiting_after(part, after, MEMBERS_PAGE).await?;
        let Some((last, _)) = page.last() else { return Ok(views) };
        after = *last;
        let undecided = page.into_iter().filter(|(_, row)| row.decision.is_none());
        views.extend(undecided.map(|(uid, row)| WaitingView {
            message: uid.0,
            author: row.author,
            reverse_path: row.reverse_path.to_string(),
            subject: row.subject,
            octets: row.octets,
            reason: row.reason,
            received_at: row.received_at,
            expires: row.expires,
        }));
    }
}

async fn decide(
    store: &Store,
    address: &Address,
    message: u32,
    decision: ModerationDecision,
) -> Result<Response, AdminError> {
    let (part, approved) = (part_of(&store.directory(), address)?, decision.approved);
    if decision.reason.len() > NOTE_OCTETS_MAX {
        return Err(AdminError::invalid(format!("the reason is longer than {NOTE_OCTETS_MAX} octets")));
    }
    let done = store.transact(move |tx| decide_waiting(tx, part, Uid(message), decision.clone())).await?;
    let word = |approved| if approved { "approved" } else { "rejected" };
    match done.value {
        Outcome::Decided => Ok(Response::Done(format!("message {message} was {}", word(approved)))),
        Outcome::Already(made) => Err(AdminError::new(
            ErrorKind::Exists,
            format!("{} was faster: the message was {}", made.by, word(made.approved)),
        )),
        Outcome::Gone => {
            let error = AdminError::new(ErrorKind::NotFound, format!("no message {message} waits at {address}"));
            Err(error.hint(format!("`relais list waiting {address}` shows what waits")))
        }
    }
}

/// The part of a list, or of a group.
fn part_of(directory: &Directory, address: &Address) -> Result<AccountId, AdminError> {
    match directory.group(address) {
        Some(group) => Ok(group.id),
        None => find(directory, address).map(|list| list.id),
    }
}

fn find(directory: &Directory, address: &Address) -> Result<ListObject, AdminError> {
    match directory.list(address) {
        Some(list) => Ok((**list).clone()),
        None => {
            let known = directory.lists().map(|list| list.address.canonical().to_string());
            Err(AdminError::not_found("list", &address.canonical().to_string(), known))
        }
    }
}
