//! Where copies of received messages go (A10), and whether the mailbox keeps them beside (A9).

use mail::{Address, ForwardPath, Timestamp};

use crate::asking::Asking;
use crate::directory::Directory;
use crate::objects::ResponderObject;
use crate::resolution::{Resolution, What};
use crate::resolve::resolve;

/// Where a copy for this address leads; `None`: to nobody, for somebody decides on each message there. A list has its own
/// conditions, and a group its moderators: what the server copies would pass them in the name of any sender.
pub(super) fn leads(directory: &Directory, copy: &Address, now: Timestamp) -> Option<Resolution> {
    // The server asks itself: conditions that addresses put to senders are not put to its copies.
    let resolution = resolve(directory, &ForwardPath::Address(copy.clone()), &Asking::server(now));
    let moderated = resolution.tree.find_map(&mut |node| {
        let What::Group { address } = &node.what else { return None };
        directory.group(address).filter(|group| group.moderated).map(|_| ())
    });
    (moderated.is_none()).then_some(resolution)
}

/// Where the copies of a responder lead, each address that was given for itself.
pub(super) fn copies(directory: &Directory, responder: &ResponderObject, now: Timestamp) -> Vec<Resolution> {
    let reached = |copies: &Resolution| !copies.mailboxes.is_empty() || !copies.remotes.is_empty();
    responder.copies_of_received().filter_map(|copy| leads(directory, copy, now)).filter(reached).collect()
}

/// Whether the mailbox at a responder's address keeps the message. What is to be copied and not kept is kept while no copy
/// reaches anybody: copies that find no way any more must not lose mail.
pub(super) fn keeps(responder: &ResponderObject, copies: &[Resolution]) -> bool {
    responder.keep || (copies.is_empty() && responder.copies_of_received().next().is_some())
}
