//! Responders: what is checked when one is saved (A1 to A14). How they answer is the crate `responder`'s.

use jiff::civil::DateTime;
use routing::Directory;
use routing::objects::{Object, ObjectKey, ResponderKind, ResponderObject};
use storage::Store;
use storage::objects::PutMode;

use crate::domain::{known_address, must_be_local};
use crate::error::{AdminError, ErrorKind};
use crate::limits::{RESPONDER_BODY_OCTETS_MAX, RESPONDER_SUBJECT_OCTETS_MAX};
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
            put(store, responder, PutMode::Add).await
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

async fn put(store: &Store, mut responder: ResponderObject, mode: PutMode) -> Result<Response, AdminError> {
    check(&store.directory(), &mut responder)?;
    let done = store.put_object(Object::Responder(responder), mode).await?;
    match done.value {
        Object::Responder(stored) => Ok(Response::Responder(Box::new(stored))),
        other => Err(AdminError::new(ErrorKind::Unavailable, format!("stored something else: {:?}", other.key()))),
    }
}

/// What no responder may be; civil times are brought into one form.
fn check(directory: &Directory, responder: &mut ResponderObject) -> Result<(), AdminError> {
    must_be_local(directory, &responder.address)?;
    if responder.kind == ResponderKind::OutOfOffice && directory.account(&responder.address).is_none() {
        let error = AdminError::invalid(format!("{} is no account, so nobody is out of office there", responder.address));
        return Err(error.hint("an autoresponder (--kind autoresponder) needs no account"));
    }
    for (what, text) in [("subject", &responder.subject), ("subject prefix", &responder.subject_prefix)] {
        if text.len() > RESPONDER_SUBJECT_OCTETS_MAX || text.chars().any(char::is_control) {
            let max = RESPONDER_SUBJECT_OCTETS_MAX;
            return Err(AdminError::invalid(format!("the {what} is over {max} octets or has a control character")));
        }
    }
    let bodies = [&responder.text, &responder.html];
    if bodies.iter().all(|body| body.as_deref().is_none_or(|text| text.trim().is_empty())) {
        return Err(AdminError::invalid("a responder needs a message").hint("give --text, --text-file, --html or --html-file"));
    }
    if bodies.into_iter().flatten().any(|body| body.len() > RESPONDER_BODY_OCTETS_MAX || body.contains('\0')) {
        return Err(AdminError::invalid(format!("the message is over {RESPONDER_BODY_OCTETS_MAX} octets or has a NUL")));
    }
    let starts = civil("start", &mut responder.starts)?;
    let ends = civil("end", &mut responder.ends)?;
    if let (Some(starts), Some(ends)) = (starts, ends) {
        if ends < starts {
            return Err(AdminError::invalid(format!("the end ({ends}) lies before the start ({starts})")));
        }
    }
    for copy in [&responder.copy_answers_to, &responder.copy_received_to].into_iter().flatten() {
        if copy.same_mailbox(&responder.address) {
            return Err(AdminError::invalid(format!("{copy} can't be copied to itself")));
        }
        known_address(directory, copy)?;
    }
    Ok(())
}

/// Reads `2026-07-01T08:00`, or a date alone: its first moment as a start, its last as an end.
fn civil(which: &str, field: &mut Option<String>) -> Result<Option<DateTime>, AdminError> {
    let Some(text) = field.as_deref().map(str::trim) else { return Ok(None) };
    let moment = match text.parse::<jiff::civil::Date>() {
        Ok(date) if !text.contains([':', 'T', 't', ' ']) => {
            if which == "end" { date.at(23, 59, 0, 0) } else { date.at(0, 0, 0, 0) }
        }
        _ => text.parse::<DateTime>().map_err(|_| {
            let error = AdminError::invalid(format!("the {which} \"{text}\" is no date and time"));
            error.hint("write 2026-07-01 or 2026-07-01T08:00, in the owner's time zone")
        })?,
    };
    *field = Some(moment.strftime("%Y-%m-%dT%H:%M").to_string());
    Ok(Some(moment))
}

fn find(directory: &Directory, id: u64) -> Result<ResponderObject, AdminError> {
    match directory.responder(id) {
        Some(responder) => Ok((**responder).clone()),
        None => Err(AdminError::not_found("responder", &id.to_string(), [])),
    }
}
