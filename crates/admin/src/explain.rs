//! What would happen to a message, without sending it: the same decisions, told with their reasons.

use mail::{Address, ForwardPath, ReversePath};
use routing::objects::ResponderKind;
use routing::resolve;
use storage::Store;

use crate::response::Explanation;

pub(crate) fn explain(store: &Store, from: &ReversePath, to: &Address) -> Explanation {
    let directory = store.directory();
    let resolution = resolve(&directory, &ForwardPath::Address(to.clone()));
    let responders = resolution.responders.iter().filter_map(|(id, address)| {
        let responder = directory.responder(*id)?;
        let kind = match responder.kind {
            ResponderKind::Autoresponder => "autoresponder",
            ResponderKind::OutOfOffice => "out-of-office message",
        };
        let answer = if from.is_null() {
            "does not answer: the sender is the null reverse-path (RFC 3834 §2)".to_owned()
        } else {
            format!("answers {from} if its window, its frequency and the message's header allow")
        };
        Some(format!("responder {id}, {kind} at {address}: {answer}"))
    });
    let responders = responders.collect();
    Explanation { from: from.to_string(), text: resolution.to_string(), resolution, responders }
}
