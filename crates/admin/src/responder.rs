//! Responders: what is checked when one is saved (A1 to A14). How they answer is the crate `responder`'s.

use routing::Directory;
use routing::objects::{Object, ObjectKey, ResponderKind, ResponderObject};
use routing::responders::check_responder;
use storage::Store;
use storage::objects::PutMode;

use crate::domain::{known_address, must_be_local};
use crate::error::{AdminError, ErrorKind};
use crate::request::{ResponderContent, ResponderRequest};
use crate::response::Response;

pub(crate) async fn execute(store: &Store, request: ResponderRequest) -> Result<Response, AdminError> {
    match request {
        ResponderRequest::Add { address, content } => {
            let mut responder = ResponderObject {
                id: 0,
                address,
                kind: ResponderKind::Autoresponder,
                enabled: true,
                subject: String::new(),
                subject_prefix: String::new(),
                text: None,
                html: None,
                starts: None,
                ends: None,
                frequency_secs: 86_400,
                keep: true,
                copy_answers_to: None,
                copy_received_to: None,
                file_in_sent: true,
                created_at: store.now(),
            };
            merge(&mut responder, *content);
            put(store, responder, PutMode::AddInDomain).await
        }
        ResponderRequest::List { address } => {
            let directory = store.directory();
            let responders = match &address {
                None => directory.responders().map(|responder| (**responder).clone()).collect(),
                Some(at) => directory.responders_at(at).map(|responder| (**responder).clone()).collect(),
            };
            Ok(Response::Responders(responders))
        }
        ResponderRequest::Show { id } => Ok(Response::Responder(Box::new(find(&store.directory(), id)?))),
        ResponderRequest::Set { id, address, content } => {
            let mut responder = find(&store.directory(), id)?;
            responder.address = address.unwrap_or(responder.address);
            merge(&mut responder, *content);
            put(store, responder, PutMode::Replace).await
        }
        ResponderRequest::Remove { id } => {
            let responder = find(&store.directory(), id)?;
            store.remove_object(ObjectKey::Responder(id)).await?;
            Ok(Response::Done(format!("removed the responder {id} at {}", responder.address)))
        }
    }
}

fn merge(responder: &mut ResponderObject, content: ResponderContent) {
    responder.kind = content.kind.unwrap_or(responder.kind);
    responder.enabled = content.enabled.unwrap_or(responder.enabled);
    if let Some(subject) = content.subject {
        responder.subject = subject;
    }
    if let Some(prefix) = content.subject_prefix {
        responder.subject_prefix = prefix;
    }
    content.text.apply(&mut responder.text);
    content.html.apply(&mut responder.html);
    content.starts.apply(&mut responder.starts);
    content.ends.apply(&mut responder.ends);
    responder.frequency_secs = content.frequency_secs.unwrap_or(responder.frequency_secs);
    responder.keep = content.keep.unwrap_or(responder.keep);
    content.copy_answers_to.apply(&mut responder.copy_answers_to);
    content.copy_received_to.apply(&mut responder.copy_received_to);
    responder.file_in_sent = content.file_in_sent.unwrap_or(responder.file_in_sent);
}

async fn put(store: &Store, responder: ResponderObject, mode: PutMode) -> Result<Response, AdminError> {
    check(&store.directory(), &responder)?;
    let done = store.put_object(Object::Responder(responder), mode).await?;
    let Object::Responder(stored) = done.value else {
        return Err(AdminError::new(ErrorKind::Unavailable, "the store kept something else than a responder"));
    };
    Ok(Response::Responder(Box::new(stored)))
}

/// What no responder may be: routing's rules, and what would be a mistake of the one who edits.
fn check(directory: &Directory, responder: &ResponderObject) -> Result<(), AdminError> {
    must_be_local(directory, &responder.address)?;
    check_responder(directory, responder).map_err(|flaw| AdminError::invalid(flaw.to_string()))?;
    if responder.kind == ResponderKind::OutOfOffice && directory.account(&responder.address).is_none() {
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
    for copy in [&responder.copy_answers_to, &responder.copy_received_to].into_iter().flatten() {
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
