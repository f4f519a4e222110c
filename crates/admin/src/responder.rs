//! Responders: what is checked when one is saved (A1 to A14), and what one would answer. How they answer is the crate
//! `responder`'s.
//!
//! **Invariant:** received messages are deleted (A9) only where the one who saves says so in that very request: neither a
//! default nor an edit of something else begins, moves or lengthens a deletion.

use std::time::Duration;

use mail::{Address, ReversePath, SpecialUse, Timestamp};
use routing::Directory;
use routing::objects::{Object, ObjectKey, ResponderKind, ResponderObject, Wording};
use routing::responders::{
    Decision, Facts, HeaderMarks, Keeping, Memory, Occasion, Received, Silence, Window, active, check_responder,
    compose, counted_sender, day_at, decide, keeping, owner, phase, zone_of,
};
use storage::Store;
use storage::objects::PutMode;

use crate::domain::{known_address, must_be_local};
use crate::error::{AdminError, ErrorKind};
use crate::references::Removal;
use crate::request::{Edit, PreviewRequest, ResponderContent, ResponderRequest};
use crate::response::{Preview, ResponderView, Response};
use crate::settings::Settings;

pub(crate) async fn execute(
    store: &Store,
    settings: &Settings,
    request: ResponderRequest,
) -> Result<Response, AdminError> {
    match request {
        ResponderRequest::Add { address, content } => {
            let mut responder = ResponderObject {
                created_at: store.now(),
                ..ResponderObject::new(address, ResponderKind::Autoresponder)
            };
            let (starts, ends) = (content.starts.clone(), content.ends.clone());
            merge(&mut responder, *content);
            must_end_later(&store.directory(), &responder, &ends, store.now())?;
            if responder.kind == ResponderKind::OutOfOffice && starts == Edit::Keep {
                // V2: an absence begins today, unless something else is said.
                responder.starts = Some(first_day(&store.directory(), &responder, store.now()));
            }
            put(store, responder, PutMode::AddInDomain).await
        }
        ResponderRequest::List { address } => {
            let directory: Vec<ResponderObject> = {
                let directory = store.directory();
                match &address {
                    None => directory.responders().map(|responder| (**responder).clone()).collect(),
                    Some(at) => directory.responders_at(at).map(|responder| (**responder).clone()).collect(),
                }
            };
            let mut views = Vec::with_capacity(directory.len());
            for responder in directory {
                views.push(view(store, responder).await?);
            }
            Ok(Response::Responders(views))
        }
        ResponderRequest::Show { id } => {
            let responder = find(&store.directory(), id)?;
            Ok(Response::Responder(Box::new(view(store, responder).await?)))
        }
        ResponderRequest::Set { id, address, content } => {
            let before = find(&store.directory(), id)?;
            let mut responder = before.clone();
            responder.address = address.unwrap_or(responder.address);
            let (said, ends) = (content.keep, content.ends.clone());
            merge(&mut responder, *content);
            must_end_later(&store.directory(), &responder, &ends, store.now())?;
            deletion_is_wanted(&before, &responder, said)?;
            put(store, responder, PutMode::Replace).await
        }
        ResponderRequest::Preview { id, of } => {
            let responder = find(&store.directory(), id)?;
            preview(store, settings, &responder, of).await
        }
        ResponderRequest::Remove { id } => {
            let responder = find(&store.directory(), id)?;
            must_not_be_needed(&store.directory(), &responder)?;
            store.remove_object(ObjectKey::Responder(id)).await?;
            Ok(Response::Done(format!("removed the responder {id} at {}", responder.address)))
        }
    }
}

/// At an address that has nothing else, the last responder is what others lead to.
fn must_not_be_needed(directory: &Directory, responder: &ResponderObject) -> Result<(), AdminError> {
    let at = &responder.address;
    let others = directory.responders_at(at).any(|other| other.id != responder.id);
    if others || directory.account_at(at).is_some() || directory.list(at).is_some() {
        return Ok(());
    }
    let removal = Removal::of_addresses(directory, &ObjectKey::Responder(responder.id), vec![at.clone()]);
    removal.must_be_empty(&format!("responder {} at {at}", responder.id))
}

fn merge(responder: &mut ResponderObject, content: ResponderContent) {
    fn set<T>(field: &mut T, value: Option<T>) {
        if let Some(value) = value {
            *field = value;
        }
    }
    set(&mut responder.kind, content.kind);
    set(&mut responder.enabled, content.enabled);
    set(&mut responder.subject, content.subject);
    set(&mut responder.subject_prefix, content.subject_prefix);
    content.text.apply(&mut responder.text);
    content.html.apply(&mut responder.html);
    content.starts.apply(&mut responder.starts);
    content.ends.apply(&mut responder.ends);
    set(&mut responder.frequency_secs, content.frequency_secs);
    set(&mut responder.keep, content.keep);
    content.copy_answers_to.apply(&mut responder.copy_answers_to);
    content.copy_received_to.apply(&mut responder.copy_received_to);
    set(&mut responder.file_in_sent, content.file_in_sent);
    content.hours.apply(&mut responder.hours);
    set(&mut responder.audience, content.audience);
    content.deputy.apply(&mut responder.deputy);
    set(&mut responder.copy_to_deputy, content.copy_to_deputy);
    set(&mut responder.signature, content.signature);
    content.time_zone.apply(&mut responder.time_zone);
    content.language.apply(&mut responder.language);
    let mut inside = responder.inside.take().filter(|_| !content.no_inside).unwrap_or_default();
    set(&mut inside.subject, content.inside_subject);
    set(&mut inside.subject_prefix, content.inside_subject_prefix);
    content.inside_text.apply(&mut inside.text);
    content.inside_html.apply(&mut inside.html);
    responder.inside = (inside != Wording::default()).then_some(inside);
}

/// A9: an edit that touches where, when or whether messages are deleted must say that they are to be.
fn deletion_is_wanted(before: &ResponderObject, after: &ResponderObject, said: Option<bool>) -> Result<(), AdminError> {
    let same = before.enabled
        && before.address == after.address
        && (&before.starts, &before.ends, &before.hours) == (&after.starts, &after.ends, &after.hours)
        && before.time_zone == after.time_zone;
    if after.keep || !after.enabled || said == Some(false) || same {
        return Ok(());
    }
    let text = format!(
        "the responder {} deletes what is received at {} while it is active, and this changes when or where",
        after.id, before.address
    );
    Err(AdminError::invalid(text)
        .hint("say --drop again if messages are to be deleted then, or --keep to keep them from now on"))
}

/// An end that this request says, and that has passed, is a slip of the pen: the responder would never answer. What is switched
/// off may have any.
fn must_end_later(
    directory: &Directory,
    responder: &ResponderObject,
    said: &Edit<String>,
    now: Timestamp,
) -> Result<(), AdminError> {
    let Edit::Set(ends) = said else { return Ok(()) };
    let zone = zone_of(directory, responder);
    let over = Window::parse(None, Some(ends)).is_ok_and(|window| window.over(now, &zone));
    if !responder.enabled || !over {
        return Ok(());
    }
    let zone = zone.iana_name().unwrap_or("UTC").to_owned();
    let error = AdminError::invalid(format!("the end, {ends}, is over ({zone}): it would answer nobody"));
    Err(error.hint("give an end to come, --no-ends, or --disable to keep it switched off"))
}

fn first_day(directory: &Directory, responder: &ResponderObject, now: Timestamp) -> String {
    let today = day_at(now, &zone_of(directory, responder));
    // An absence that is said to have ended is not made to begin after its end.
    match responder.ends.as_deref().and_then(|ends| ends.get(..today.len())) {
        Some(last_day) if last_day < today.as_str() => last_day.to_owned(),
        _ => today,
    }
}

async fn put(store: &Store, responder: ResponderObject, mode: PutMode) -> Result<Response, AdminError> {
    check(&store.directory(), &responder)?;
    let done = store.put_object(Object::Responder(responder), mode).await?;
    let Object::Responder(stored) = done.value else {
        return Err(AdminError::new(ErrorKind::Unavailable, "the store kept something else than a responder"));
    };
    Ok(Response::Responder(Box::new(view(store, stored).await?)))
}

async fn view(store: &Store, responder: ResponderObject) -> Result<ResponderView, AdminError> {
    let answered = store.responder_state(responder.id).await?.map_or(0, |state| state.answered);
    let filed = filed(store, &responder).await?;
    let directory = store.directory();
    let zone = zone_of(&directory, &responder);
    let now = store.now();
    let account = owner(&directory, &responder);
    Ok(ResponderView {
        phase: phase(&responder, now, &zone),
        acts_now: active(&responder, now, &zone),
        owner: account.map(|account| account.address.clone()),
        zone: zone.iana_name().unwrap_or("UTC").to_owned(),
        answered,
        deletes: deletes(&responder, account.is_some()),
        keeping: keeping(&directory, &responder, now),
        received: received(&responder, keeping(&directory, &responder, now), account.is_some()),
        filed,
        responder,
    })
}

/// What becomes of what is received, in words.
fn received(responder: &ResponderObject, keeping: Keeping, has_mailbox: bool) -> String {
    let address = &responder.address;
    match keeping {
        Keeping::Kept => "are kept".to_owned(),
        Keeping::Deleted => deletes(responder, has_mailbox).unwrap_or_default(),
        Keeping::Redirected => {
            format!("go to where {address} leads; it has no mailbox of its own, so nothing is kept or deleted there")
        }
        Keeping::CopiesOnly => {
            format!("are kept nowhere but in the copies: {address} has neither mailbox nor redirect")
        }
        Keeping::FailureNotice => {
            "go to nobody: senders get a failure notice beside the answer, until an alias of this \
                                   address says where they go"
                .to_owned()
        }
    }
}

/// Where answers are filed, in words.
async fn filed(store: &Store, responder: &ResponderObject) -> Result<String, AdminError> {
    let account = owner(&store.directory(), responder).map(|account| (account.id, account.address.clone()));
    let Some((id, address)) = account else {
        return Ok(format!("in nobody's: {} has no mailbox of its own", responder.address));
    };
    if !responder.file_in_sent {
        return Ok("not filed".to_owned());
    }
    let sent = store.special_mailbox(id, SpecialUse::Sent).await?.is_some()
        || store.mailbox_by_name(id, "Sent").await?.is_some();
    Ok(if sent { "filed".to_owned() } else { format!("not filed: {address} has no Sent mailbox") })
}

/// What is deleted, and while which window, in plain words (A9).
fn deletes(responder: &ResponderObject, has_mailbox: bool) -> Option<String> {
    if responder.keep {
        return None;
    }
    let address = &responder.address;
    if !has_mailbox {
        return Some(format!("nothing is deleted: {address} has no mailbox of its own"));
    }
    let window = match (&responder.starts, &responder.ends) {
        (None, None) => "from now on, until it is switched off".to_owned(),
        (Some(starts), None) => format!("from {starts} on, until it is switched off"),
        (None, Some(ends)) => format!("from now until {ends}"),
        (Some(starts), Some(ends)) => format!("from {starts} until {ends}"),
    };
    let hours = responder.hours.as_ref().map(|hours| format!(", {hours},")).unwrap_or_default();
    Some(format!(
        "EVERY message that comes to {address} {window}{hours} is DELETED for good, whether it is answered or not"
    ))
}

/// What a responder would do with a plain message from somebody, and what it would say.
async fn preview(
    store: &Store,
    settings: &Settings,
    responder: &ResponderObject,
    of: PreviewRequest,
) -> Result<Response, AdminError> {
    let now = store.now();
    let recipient = of.to.unwrap_or_else(|| responder.address.clone());
    let owner_id = owner(&store.directory(), responder).map(|owner| owner.id);
    let sender_id = store.directory().account_at(&of.from).map(|account| account.id);
    let (id, sender, counted) = (responder.id, of.from.clone(), counted_sender(&store.directory(), &of.from));
    let memory = store.transact(move |tx| {
        let contact = match owner_id {
            Some(owner) => tx.is_contact(owner, &sender)? || tx.is_contact(owner, &counted)?,
            None => false,
        };
        Ok(Memory { contact, last_answer: tx.last_answer(id, &counted)?, ..Memory::default() })
    });
    let suppressed = settings.letters(store).keeps_answers_from(&of.from).await?;
    let memory = Memory { suppressed, ..memory.await?.value };
    let directory = store.directory();
    let zone = zone_of(&directory, responder);
    let received = Received {
        recipient: &recipient,
        reverse_path: ReversePath::Address(of.from.clone()),
        received_at: now,
        // An address of ours is taken for its person, logged in.
        submitter: sender_id,
        junk: false,
        marks: HeaderMarks { recipients: vec![recipient.clone()], ..HeaderMarks::default() },
    };
    let facts = Facts::new(&directory, responder, received);
    let decision = decide(responder, &facts, now, &zone, &memory);
    let due = memory.last_answer.filter(|_| decision == Decision::Silent(Silence::AnsweredLately));
    let next = due.map(|last| last.at.plus(Duration::from_secs(responder.frequency_secs)));
    let occasion = Occasion {
        recipient: &recipient,
        sender: &of.from,
        sender_name: of.name.as_deref().unwrap_or_default(),
        subject: of.subject.as_deref().unwrap_or("Hello"),
        inside: facts.inside,
        now,
    };
    let words = compose(&directory, responder, &occasion);
    Ok(Response::Preview(Box::new(Preview {
        responder: responder.id,
        answers: decision == Decision::Answer,
        decision: decision.to_string(),
        answered_at: memory.last_answer.map(|last| last.at),
        next_answer_at: next,
        from: recipient.clone(),
        from_name: words.from_name,
        to: of.from,
        subject: words.subject,
        text: words.text,
        html: words.html,
    })))
}

/// What no responder may be: routing's rules, and what would be a mistake of the one who edits.
fn check(directory: &Directory, responder: &ResponderObject) -> Result<(), AdminError> {
    must_be_local(directory, &responder.address)?;
    check_responder(directory, responder).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
    if responder.kind == ResponderKind::OutOfOffice && directory.account_at(&responder.address).is_none() {
        let error =
            AdminError::invalid(format!("{} is no account, so nobody is out of office there", responder.address));
        return Err(error.hint("an autoresponder (--kind autoresponder) needs no account"));
    }
    let blank = |text: &str| text.trim().is_empty();
    if [&responder.text, &responder.html].into_iter().flatten().all(|body| blank(body)) {
        let error = AdminError::invalid("a responder needs a message");
        return Err(error.hint("give --text, --text-file, --html or --html-file"));
    }
    if blank(&responder.subject) && blank(&responder.subject_prefix) {
        let error = AdminError::invalid("a responder needs a subject, or a prefix for the original one");
        return Err(error.hint("give --subject 'Our prices' or --subject-prefix 'Re:'"));
    }
    let copies: [&Option<Address>; 3] = [&responder.copy_answers_to, &responder.copy_received_to, &responder.deputy];
    for copy in copies.into_iter().flatten() {
        known_address(directory, copy)?;
    }
    Ok(())
}

fn find(directory: &Directory, id: u64) -> Result<ResponderObject, AdminError> {
    match directory.responder(id) {
        Some(responder) => Ok((**responder).clone()),
        None => Err(AdminError::not_found("responder", &id.to_string(), [])),
    }
}
