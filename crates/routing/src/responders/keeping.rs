//! What becomes of the messages that a responder answers: told to who sets it up, before the first of them comes.

use mail::{Address, ForwardPath, Timestamp};
use serde::{Deserialize, Serialize};

use crate::asking::Asking;
use crate::directory::Directory;
use crate::objects::ResponderObject;
use crate::resolution::Resolution;
use crate::resolve::resolve;

use super::copies::{copies, keeps};
use super::owner;

/// What becomes of received messages while a responder is active.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Keeping {
    /// The mailbox at its address keeps them.
    Kept,
    /// They are deleted (A9).
    Deleted,
    /// There is no mailbox, but the address leads on.
    Redirected,
    /// There is neither mailbox nor redirect, and copies are made (A10).
    CopiesOnly,
    /// There is neither, nor a copy: each sender gets the answer and a failure notice (A6).
    FailureNotice,
}

/// What becomes of messages received now, were the responder active.
#[must_use]
pub fn keeping(directory: &Directory, responder: &ResponderObject, now: Timestamp) -> Keeping {
    if owner(directory, responder).is_some() {
        let kept = keeps(responder, &copies(directory, responder, now));
        return if kept { Keeping::Kept } else { Keeping::Deleted };
    }
    if !at(directory, &responder.address, now).reaches_nobody() {
        return Keeping::Redirected;
    }
    if copies(directory, responder, now).is_empty() { Keeping::FailureNotice } else { Keeping::CopiesOnly }
}

fn at(directory: &Directory, address: &Address, now: Timestamp) -> Resolution {
    resolve(directory, &ForwardPath::Address(address.clone()), &Asking::server(now))
}

#[cfg(test)]
mod tests {
    use mail::Timestamp;

    use super::*;
    use crate::objects::Object;
    use crate::responders::at_acceptance;
    use crate::testing::{account, address, alias, directory, responder_object};

    #[test]
    fn a06_what_is_told_is_what_happens() {
        type Change = fn(&mut ResponderObject);
        let cases: [(&str, Change, Keeping); 10] = [
            ("alice@a.example", |_| (), Keeping::Kept),
            ("alice@a.example", |one| one.keep = false, Keeping::Deleted),
            ("info@a.example", |_| (), Keeping::Redirected),
            ("info@a.example", |one| one.keep = false, Keeping::Redirected),
            ("drop@a.example", |_| (), Keeping::Redirected),
            ("away@a.example", |_| (), Keeping::Redirected),
            ("fair@a.example", |_| (), Keeping::FailureNotice),
            ("fair@a.example", |one| one.keep = false, Keeping::FailureNotice),
            ("fair@a.example", |one| one.copy_received_to = Some(address("alice@a.example")), Keeping::CopiesOnly),
            ("fair@a.example", |one| one.copy_received_to = Some(address("nobody@a.example")), Keeping::FailureNotice),
        ];
        for (at, change, expected) in cases {
            let mut one = responder_object(1, at);
            change(&mut one);
            let directory = directory(
                &["a.example"],
                vec![
                    account(1, "alice@a.example"),
                    alias("info@a.example", &["alice@a.example"]),
                    alias("drop@a.example", &[":blackhole:"]),
                    alias("away@a.example", &["x@far.example"]),
                    Object::Responder(one.clone()),
                ],
            );
            assert_eq!(keeping(&directory, &one, Timestamp(0)), expected, "{at}");
            let to = ForwardPath::Address(one.address.clone());
            let resolution = resolve(&directory, &to, &Asking::server(Timestamp(0)));
            let plan = at_acceptance(&directory, &resolution, Timestamp(0));
            assert_eq!(plan.failure_notice, expected == Keeping::FailureNotice, "{at}");
            assert_eq!(!plan.drop_mailboxes.is_empty(), expected == Keeping::Deleted, "{at}");
        }
    }
}
