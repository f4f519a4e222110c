//! What a decision is taken from: the marks in a message's header, and how its addresses relate to the responder's.

use std::sync::Arc;

use mail::{AccountId, Address, ReversePath, Timestamp};

use crate::asking::Asking;
use crate::directory::Directory;
use crate::objects::{AliasObject, Audience, ResponderObject, Target};
use crate::organisation;
use crate::resolve::{resolve, subaddress_splits};
use crate::send_as::may_send_as;
use crate::verdict::Verdict;

/// What a header says to a responder. Values as sent, without folding and comments taken as text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HeaderMarks {
    /// Each `Auto-Submitted` (RFC 3834 §5).
    pub auto_submitted: Vec<String>,
    /// Each `Precedence`.
    pub precedence: Vec<String>,
    /// Each `X-Auto-Response-Suppress`.
    pub suppress: Vec<String>,
    /// Each `X-Loop`.
    pub loops: Vec<String>,
    /// Some `List-*` field is there (RFC 2369, RFC 2919).
    pub list: bool,
    /// The body is a report: DSN, MDN, feedback (RFC 6522).
    pub report: bool,
    /// Older marks of automatic answers (`X-Autoreply`, `X-Autorespond`) are there.
    pub auto_reply: bool,
    /// It has no From: no program that a person writes with leaves it out (RFC 5322 §3.6.2).
    pub no_author: bool,
    /// The header was longer than what is kept of it: a mark may be missing.
    pub cut: bool,
    /// An `X-Spam-Flag` or `X-Spam-Status` says so. A forged one silences the answer to its own message only.
    pub spam: bool,
    /// An Authentication-Results of this server (RFC 8601) says that DMARC failed, or SPF without a DKIM that passed.
    pub authentication_failed: bool,
    /// Every address in To, Cc, Bcc, Resent-To, Resent-Cc, Resent-Bcc.
    pub recipients: Vec<Address>,
}

/// One message, as it was received for a responder.
#[derive(Clone, Debug)]
pub struct Received<'a> {
    /// The forward-path that led to the responder.
    pub recipient: &'a Address,
    /// Envelope reverse-path.
    pub reverse_path: ReversePath,
    /// When it was accepted: "the date of receipt".
    pub received_at: Timestamp,
    /// The account that logged in here to send it; `None`: it came from another server. The reverse-path alone makes
    /// nobody a member of the organisation.
    pub submitter: Option<AccountId>,
    /// It was sorted into Junk.
    pub junk: bool,
    /// The header's marks.
    pub marks: HeaderMarks,
}

/// Everything about one message that [`crate::responders::decide`] looks at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// Where an answer would go (RFC 3834 §4).
    pub reverse_path: ReversePath,
    /// The date of receipt, which window and hours are about.
    pub received_at: Timestamp,
    /// The header's marks.
    pub marks: HeaderMarks,
    /// The message is the responder's or its owner's own.
    pub from_self: bool,
    /// The reverse-path names an address of ours that does not exist.
    pub from_nowhere: bool,
    /// The reverse-path is that of a group or a list of ours (V3).
    pub from_group: bool,
    /// The header names the owner: an address of the account, an alias that leads to it, a subaddress, or the
    /// recipient as the envelope had it (RFC 5230 §4.5); not a group, a list, or an alias for all users.
    pub names_owner: bool,
    /// An `X-Loop` is ours.
    pub looped: bool,
    /// The sender has logged in here, and is of the owner's organisation (of the address's, for one without owner).
    pub inside: bool,
    /// Somebody says that it is spam: a mark in the header, or it lies in Junk.
    pub spam: bool,
    /// Our own checks say that the sender is not who it claims to be.
    pub unauthenticated: bool,
    /// To whom the out-of-office messages speak that come before this one: the same person's, active at the time of
    /// receipt, and more specific.
    pub rivals: Vec<Audience>,
}

impl Facts {
    /// The facts of one message for one responder.
    #[must_use]
    pub fn new(directory: &Directory, responder: &ResponderObject, received: Received<'_>) -> Self {
        let Received { recipient, reverse_path, received_at, submitter, junk, marks } = received;
        let own = |address: &Address| is_own_address(directory, responder, recipient, address);
        let named = |address: &Address| own(address) && !is_for_many(directory, address);
        let from = reverse_path.address();
        let owner = super::owner(directory, responder);
        let inside = submitter.and_then(|id| directory.account_by_id(id)).is_some_and(|sender| match owner {
            Some(owner) => organisation::colleagues(owner, sender),
            None => organisation::belongs(sender, responder.address.domain()),
        });
        let owner = owner.map(|owner| owner.id);
        Self {
            from_self: from.is_some_and(own) || (submitter.is_some() && submitter == owner),
            from_nowhere: from.is_some_and(|from| {
                let to = mail::ForwardPath::Address(from.clone());
                let verdict = resolve(directory, &to, &Asking::server(received_at)).verdict;
                matches!(verdict, Verdict::Refuse(_))
            }),
            from_group: from.is_some_and(|from| directory.group(from).is_some() || directory.list(from).is_some()),
            names_owner: marks.recipients.iter().any(named),
            looped: marks.loops.iter().any(|mark| {
                let mark = Address::parse(mark.trim().trim_matches(['<', '>']));
                mark.is_ok_and(|mark| mark.same_mailbox(&responder.address) || mark.same_mailbox(recipient))
            }),
            inside,
            spam: junk || marks.spam,
            // Who has logged in here is who they are.
            unauthenticated: marks.authentication_failed && submitter.is_none(),
            rivals: super::rivals(directory, responder, recipient, received_at),
            reverse_path,
            received_at,
            marks,
        }
    }
}

/// Whether an address of ours stands for a set of people, so that naming it names nobody.
fn is_for_many(directory: &Directory, address: &Address) -> bool {
    let all_users = |alias: &Arc<AliasObject>| alias.targets.contains(&Target::AllUsers);
    directory.group(address).is_some()
        || directory.list(address).is_some()
        || directory.alias(address).is_some_and(all_users)
}

/// The address under which a sender's answers are counted: in any case, and for a domain of ours without subaddress, so
/// that one person is one sender.
#[must_use]
pub fn counted_sender(directory: &Directory, sender: &Address) -> Address {
    let there = |address: &Address| directory.account_at(address).is_some() || directory.alias(address).is_some();
    let Some(domain) = directory.domain(sender.domain()).filter(|_| !there(sender)) else { return sender.canonical() };
    let base = subaddress_splits(domain, sender).map(|(base, _)| base).find(there);
    base.as_ref().unwrap_or(sender).canonical()
}

/// The address under which the answers of all responders to a sender are counted together: as [`counted_sender`], and
/// elsewhere without what stands behind a `+`, which costs a stranger nothing to invent.
#[must_use]
pub fn capped_sender(directory: &Directory, sender: &Address) -> Address {
    let counted = counted_sender(directory, sender);
    if directory.domain(counted.domain()).is_some() {
        return counted;
    }
    let base = counted.local().as_str().split_once('+').map(|(base, _)| base).filter(|base| !base.is_empty());
    let base = base.and_then(|base| Address::new(base, counted.domain().clone()).ok());
    base.unwrap_or(counted)
}

/// Whether an address belongs to whom a responder speaks for: its own address with subaddresses, what its owner may
/// send as (aliases that lead to the account), and the recipient of the message itself.
#[must_use]
pub fn is_own_address(
    directory: &Directory,
    responder: &ResponderObject,
    recipient: &Address,
    address: &Address,
) -> bool {
    if address.same_mailbox(&responder.address) || address.same_mailbox(recipient) {
        return true;
    }
    let Some(domain) = directory.domain(address.domain()) else { return false };
    if super::owner(directory, responder).is_some_and(|owner| owner.addresses().any(|own| own.same_mailbox(address))) {
        return true;
    }
    let base_is_own = || subaddress_splits(domain, address).any(|(base, _)| base.same_mailbox(&responder.address));
    match super::owner(directory, responder) {
        Some(owner) => may_send_as(directory, owner.id, address).allowed,
        None => base_is_own(),
    }
}

/// Whether an address is one behind which nobody reads (RFC 3834 §2, RFC 5230 §4.6, and what is common).
#[must_use]
pub fn is_automatic_sender(address: &Address) -> bool {
    let local = address.local().canonical();
    let local = local.as_str();
    // `list-bounces+someone=example.org`: what stands before the `+` says who it is (VERP).
    let name = local.split('+').next().unwrap_or(local);
    NAMES.contains(&name)
        || PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        || SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

const NAMES: [&str; 15] = [
    "mailer-daemon",
    "mailerdaemon",
    "listserv",
    "majordomo",
    "noreply",
    "no-reply",
    "no_reply",
    "no.reply",
    "donotreply",
    "do-not-reply",
    "do_not_reply",
    "do.not.reply",
    "bounce",
    "bounces",
    "autoreply",
];

const PREFIXES: [&str; 9] = [
    "owner-",
    "bounce-",
    "bounces-",
    "noreply-",
    "no-reply-",
    "no_reply_",
    "donotreply-",
    "do-not-reply-",
    "mailer-daemon-",
];

const SUFFIXES: [&str; 13] = [
    "-request",
    "-owner",
    "-bounce",
    "-bounces",
    "-noreply",
    "-no-reply",
    "_noreply",
    "_no_reply",
    ".noreply",
    ".no-reply",
    "-donotreply",
    "-do-not-reply",
    "-mailer-daemon",
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{account, address, alias, directory, responder_object};

    #[test]
    fn automatic_senders_are_known_by_their_name() {
        for text in [
            "MAILER-DAEMON@x.example",
            "owner-list@x.example",
            "list-request@x.example",
            "list-bounces@x.example",
            "bounces+alice=a.example@x.example",
            "list-bounces+alice=a.example@x.example",
            "NoReply@x.example",
            "no-reply+token@x.example",
            "shop-noreply@x.example",
            "do_not_reply@x.example",
        ] {
            assert!(is_automatic_sender(&address(text)), "{text}");
        }
        for text in
            ["postmaster@x.example", "requests@x.example", "bouncer@x.example", "owner@x.example", "reply@x.example"]
        {
            assert!(!is_automatic_sender(&address(text)), "{text}");
        }
    }

    #[test]
    fn a05_one_person_is_one_sender() {
        let mut alice = crate::testing::account_object(1, "alice@a.example");
        alice.also_in = vec![mail::Domain::parse("b.example").unwrap()];
        let objects = vec![crate::objects::Object::Account(alice), account(2, "bob+x@a.example")];
        let directory = directory(&["a.example", "b.example"], objects);
        for (text, counted) in [
            ("Alice+One@A.example", "alice@a.example"),
            ("alice+two@b.example", "alice@b.example"),
            ("bob+x@a.example", "bob+x@a.example"),
            ("bob+x+y@a.example", "bob+x@a.example"),
            ("Ghost+x@a.example", "ghost+x@a.example"),
            ("Carol+x@R.example", "carol+x@r.example"),
        ] {
            assert_eq!(counted_sender(&directory, &address(text)).to_string(), counted, "{text}");
        }
        for (text, capped) in [
            ("Carol+x@R.example", "carol@r.example"),
            ("carol+x+y@r.example", "carol@r.example"),
            ("+x@r.example", "+x@r.example"),
            ("alice+one@a.example", "alice@a.example"),
            ("bob+x@a.example", "bob+x@a.example"),
        ] {
            assert_eq!(capped_sender(&directory, &address(text)).to_string(), capped, "{text}");
        }
    }

    #[test]
    fn v05_own_addresses_are_the_accounts_its_aliases_and_subaddresses() {
        let directory = directory(
            &["a.example"],
            vec![
                account(1, "alice@a.example"),
                account(2, "bob@a.example"),
                alias("info@a.example", &["alice@a.example"]),
                alias("outer@a.example", &["info@a.example"]),
                alias("other@a.example", &["bob@a.example"]),
            ],
        );
        let own = |responder: &str, recipient: &str, text: &str| {
            is_own_address(&directory, &responder_object(1, responder), &address(recipient), &address(text))
        };
        for text in ["Alice@a.example", "alice+x@a.example", "info@a.example", "outer@a.example", "info+x@a.example"] {
            assert!(own("alice@a.example", "alice@a.example", text), "{text}");
        }
        for text in ["bob@a.example", "other@a.example", "alice@elsewhere.example", "nobody@a.example"] {
            assert!(!own("alice@a.example", "alice@a.example", text), "{text}");
        }
        assert!(own("alice@a.example", "caught@a.example", "caught@a.example"));
        // At an alias: itself and its subaddresses, not its members.
        assert!(own("info@a.example", "info@a.example", "info+x@a.example"));
        assert!(!own("info@a.example", "info@a.example", "alice@a.example"));
    }
}
