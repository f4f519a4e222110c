//! Identifiers for good (RFC 8474): of mailboxes by their number, of messages by their content, of conversations by the message
//! that began them.
//!
//! EMAILID and THREADID follow from the content alone, so that they are the same wherever a copy lies and whenever it is
//! asked (§5.1, §5.2); nothing has to be stored for them, and none ever changes. A message that answers in the middle of a
//! conversation without saying how that began (In-Reply-To but no References) begins one of its own.

use std::fmt::Write;

use mail::{AccountId, BlobHash, MailboxId};
use message::SortKeys;

/// MAILBOXID: the number of a mailbox, which RENAME leaves (§4).
pub(crate) fn mailbox_id(owner: AccountId, mailbox: MailboxId) -> String {
    format!("F{:x}-{:x}", owner.0, mailbox.0)
}

/// EMAILID: what the message is, by its hash (§5.1).
pub(crate) fn email_id(content: &BlobHash) -> String {
    shortened('E', &content.0)
}

/// THREADID: the message that began the conversation, which is the first of References, the first of In-Reply-To, or the message
/// itself (§5.2).
pub(crate) fn thread_id(keys: &SortKeys, content: &BlobHash) -> String {
    let first = keys.references.first().or(keys.in_reply_to.first()).or(keys.message_id.as_ref());
    match first {
        Some(id) => shortened('T', blake3::hash(id.as_bytes()).as_bytes()),
        None => shortened('T', &content.0),
    }
}

/// A letter (§8.1: no digit in front) and 160 bits of a hash.
fn shortened(letter: char, hash: &[u8; 32]) -> String {
    let mut id = String::with_capacity(41);
    id.push(letter);
    for octet in hash.iter().take(20) {
        // Writing to a string cannot fail.
        write!(id, "{octet:02x}").ok();
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    fn keys(message_id: &str, in_reply_to: &[&str], references: &[&str]) -> SortKeys {
        let all = |ids: &[&str]| ids.iter().map(|id| (*id).to_owned()).collect();
        SortKeys {
            message_id: (!message_id.is_empty()).then(|| message_id.to_owned()),
            in_reply_to: all(in_reply_to),
            references: all(references),
            ..SortKeys::default()
        }
    }

    #[test]
    fn a_conversation_has_the_identifier_of_its_first_message() {
        let (one, two) = (BlobHash([1; 32]), BlobHash([2; 32]));
        let first = thread_id(&keys("a", &[], &[]), &one);
        assert_eq!(thread_id(&keys("b", &["a"], &["a"]), &two), first);
        assert_eq!(thread_id(&keys("c", &["b"], &["a", "b"]), &two), first);
        assert_eq!(thread_id(&keys("d", &["a"], &[]), &two), first);
        assert_ne!(thread_id(&keys("e", &[], &[]), &two), first);
        assert_ne!(thread_id(&keys("", &[], &[]), &one), thread_id(&keys("", &[], &[]), &two));
    }

    #[test]
    fn identifiers_are_of_the_permitted_characters() {
        // RFC 8474 §7 `objectid`.
        let of = BlobHash([0xfe; 32]);
        for id in [mailbox_id(AccountId(u64::MAX), MailboxId(7)), email_id(&of), thread_id(&keys("", &[], &[]), &of)] {
            assert!(id.len() <= 255 && id.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-".contains(&b)), "{id}");
        }
        assert_ne!(email_id(&of), thread_id(&keys("", &[], &[]), &of), "§5.2: never the same for both");
    }
}
