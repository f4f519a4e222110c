//! `check_responder`: what is refused when a responder is saved. An unfinished one may be saved; it does not act.

use crate::directory::Directory;
use crate::limits::{RESPONDER_BODY_OCTETS_MAX, RESPONDER_SUBJECT_OCTETS_MAX};
use crate::objects::ResponderObject;
use crate::responders::window::{Window, WindowFlaw};

/// Why a responder can't be saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponderFlaw {
    /// The responder's domain is not one of this server.
    #[error("{0} is not a domain of this server: add the domain first")]
    NotLocal(mail::Domain),
    /// Start or end.
    #[error(transparent)]
    Window(#[from] WindowFlaw),
    /// A line break or another control character in subject or prefix.
    #[error("subject and prefix must be one line without control characters")]
    SubjectControls,
    /// Subject or prefix too long.
    #[error("subject and prefix have {RESPONDER_SUBJECT_OCTETS_MAX} octets each at the most")]
    SubjectTooLong,
    /// Text or HTML too long.
    #[error("the message has {RESPONDER_BODY_OCTETS_MAX} octets at the most")]
    MessageTooLong,
    /// Answers or received messages copied to the responder's own address.
    #[error("the copy address {0} is the responder's own address")]
    CopyToItself(mail::Address),
}

/// Whether a responder may be saved as it is.
///
/// # Errors
/// The first flaw, in words for the person who edits.
pub fn check_responder(directory: &Directory, responder: &ResponderObject) -> Result<(), ResponderFlaw> {
    if directory.domain(responder.address.domain()).is_none() {
        return Err(ResponderFlaw::NotLocal(responder.address.domain().clone()));
    }
    Window::parse(responder.starts.as_deref(), responder.ends.as_deref())?;
    for line in [&responder.subject, &responder.subject_prefix] {
        if line.chars().any(char::is_control) {
            return Err(ResponderFlaw::SubjectControls);
        }
        if line.len() > RESPONDER_SUBJECT_OCTETS_MAX {
            return Err(ResponderFlaw::SubjectTooLong);
        }
    }
    let mut bodies = [&responder.text, &responder.html].into_iter().flatten();
    if bodies.any(|body| body.len() > RESPONDER_BODY_OCTETS_MAX) {
        return Err(ResponderFlaw::MessageTooLong);
    }
    let mut copies = [&responder.copy_answers_to, &responder.copy_received_to].into_iter().flatten();
    match copies.find(|copy| copy.same_mailbox(&responder.address)) {
        Some(copy) => Err(ResponderFlaw::CopyToItself(copy.clone())),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{address, directory, responder_object};

    #[test]
    fn each_flaw_is_told() {
        let directory = directory(&["a.example"], vec![]);
        let check = |edit: &dyn Fn(&mut ResponderObject)| {
            let mut object = responder_object(1, "alice@a.example");
            edit(&mut object);
            check_responder(&directory, &object)
        };
        assert_eq!(check(&|_| ()), Ok(()));
        assert_eq!(check(&|r| r.text = None), Ok(()));
        assert!(matches!(check(&|r| r.address = address("x@b.example")), Err(ResponderFlaw::NotLocal(_))));
        assert!(matches!(check(&|r| r.starts = Some("soon".to_owned())), Err(ResponderFlaw::Window(_))));
        assert_eq!(check(&|r| r.subject = "a\r\nBcc: x".to_owned()), Err(ResponderFlaw::SubjectControls));
        assert_eq!(check(&|r| r.subject_prefix = "x".repeat(1000)), Err(ResponderFlaw::SubjectTooLong));
        assert_eq!(check(&|r| r.html = Some("x".repeat(2_000_000))), Err(ResponderFlaw::MessageTooLong));
        assert!(matches!(
            check(&|r| r.copy_received_to = Some(address("Alice@a.example"))),
            Err(ResponderFlaw::CopyToItself(_))
        ));
    }
}
