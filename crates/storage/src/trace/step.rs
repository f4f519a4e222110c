//! The steps of a message's way, each with its reason, in plain words.

use std::fmt;

use mail::{AccountId, Address, Domain, MailboxId, QueueId, Reply, ReversePath, Timestamp, Uid};
use routing::Resolution;
use serde::{Deserialize, Serialize};

/// One step, with the time at which it was taken.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Taken {
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub step: Step,
}

/// Something that the server did with a message, or decided about it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "step", rename_all = "kebab-case")]
pub enum Step {
    /// It came in.
    Received {
        /// How: `smtp`, `submission`, `imap`, `fetch`, or what of the server wrote it (`responder`, `dsn`, `letter`, `list`).
        by: String,
        /// The client's address and the name that it gave itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        client: Option<String>,
        /// Who had logged in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login: Option<Address>,
        /// The envelope's reverse-path.
        reverse_path: ReversePath,
        /// The Message-ID, without brackets.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message_id: Option<String>,
        /// Octets as stored.
        octets: u64,
    },
    /// A client wanted to hand a message over, of which nothing came.
    Offered {
        /// How: `smtp` or `submission`.
        by: String,
        /// The client's address and the name that it gave itself.
        client: String,
        /// Who had logged in.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        login: Option<Address>,
        /// The envelope's reverse-path.
        reverse_path: ReversePath,
    },
    /// Where it comes from was checked: SPF, DKIM, DMARC, ARC.
    Authenticated {
        /// What was found, in words.
        results: String,
    },
    /// A recipient was refused, or the whole message when there is none.
    Refused {
        /// Whom it was for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        recipient: Option<Address>,
        /// What the client was told.
        reply: Reply,
    },
    /// Where a recipient leads.
    Routed {
        /// The decision with its reasons.
        resolution: Box<Resolution>,
    },
    /// Where a recipient leads, when the tree is too large to be kept.
    RoutedWidely {
        /// The recipient.
        recipient: String,
        /// Mailboxes that it leads to.
        mailboxes: usize,
        /// Addresses elsewhere that it leads to.
        remotes: usize,
    },
    /// A mailbox keeps it.
    Delivered {
        /// Whose.
        account: AccountId,
        /// Their address.
        address: Address,
        /// Which.
        mailbox: MailboxId,
        /// The name of the mailbox.
        name: String,
        /// Its UID there.
        uid: Uid,
    },
    /// A filter of an account did something with it, or could not.
    Filtered {
        /// Whose.
        address: Address,
        /// Which filter and what, in words.
        text: String,
    },
    /// It was dropped for a recipient.
    Dropped {
        /// Why, in words.
        reason: String,
    },
    /// It waits to be relayed.
    Queued {
        /// The entry.
        entry: QueueId,
        /// Where it goes.
        destination: Domain,
        /// For whom.
        recipients: Vec<Address>,
    },
    /// A remote host was tried for a recipient.
    Attempted {
        /// The entry.
        entry: QueueId,
        /// For whom.
        recipient: Address,
        /// The host, when one was reached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        host: Option<String>,
        /// `delivered`, `deferred` or `failed`.
        outcome: Outcome,
        /// What the host said, or why it could not be reached.
        said: String,
        /// How the connection was protected over which it was taken, in words: "over TLS 1.3, certificate checked by DANE".
        #[serde(default, skip_serializing_if = "Option::is_none")]
        secured: Option<String>,
        /// When it is tried again.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Timestamp>,
    },
    /// A responder has decided.
    Responder {
        /// Its number.
        responder: u64,
        /// The address at which it stands.
        address: Address,
        /// Whether it answers.
        answered: bool,
        /// Why, or why not, in words.
        decision: String,
    },
    /// A notice about the message left, or was kept back.
    Notice {
        /// What kind, in words: `failure notice`, `delay notice`, `waiting for a moderator`.
        kind: String,
        /// To whom; `None`: to nobody, for the reason in `kind`.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        to: Option<Address>,
    },
    /// It waits for a decision of a person.
    Held {
        /// The list or group.
        address: Address,
        /// Why, in words.
        reason: String,
    },
    /// A person, or the server on its own, let it through, refused it, or did something else with it.
    Decided {
        /// What and by whom, in words.
        text: String,
    },
}

/// How an attempt ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The next host has taken it.
    Delivered,
    /// Not now; it is tried again.
    Deferred,
    /// For good.
    Failed,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Received { by, client, login, reverse_path, message_id, octets } => {
                write!(f, "received by {by}")?;
                if let Some(client) = client {
                    write!(f, " from {client}")?;
                }
                if let Some(login) = login {
                    write!(f, ", logged in as {login}")?;
                }
                write!(f, ", sender {reverse_path}, {octets} octets")?;
                message_id.as_ref().map_or(Ok(()), |id| write!(f, ", Message-ID <{id}>"))
            }
            Self::Offered { by, client, login, reverse_path } => {
                write!(f, "offered by {client} ({by}")?;
                if let Some(login) = login {
                    write!(f, ", logged in as {login}")?;
                }
                write!(f, "), sender {reverse_path}")
            }
            Self::Refused { recipient: Some(recipient), reply } => write!(f, "refused for {recipient}: {reply}"),
            Self::Refused { recipient: None, reply } => write!(f, "refused: {reply}"),
            Self::Routed { resolution } => write!(f, "routed:\n{resolution}"),
            Self::RoutedWidely { recipient, mailboxes, remotes } => {
                let noun = |number: usize, one: &'static str, more: &'static str| if number == 1 { one } else { more };
                let (boxes, others) =
                    (noun(*mailboxes, "mailbox", "mailboxes"), noun(*remotes, "address", "addresses"));
                write!(f, "routed: {recipient} leads to {mailboxes} {boxes} and {remotes} {others} elsewhere")
            }
            Self::Delivered { address, name, uid, .. } => {
                write!(f, "delivered to {address}, mailbox {name}, UID {uid}")
            }
            Self::Filtered { address, text } => write!(f, "{address}: {text}"),
            Self::Dropped { reason } => write!(f, "dropped: {reason}"),
            Self::Queued { entry, destination, recipients } => {
                let list: Vec<String> = recipients.iter().map(Address::to_string).collect();
                write!(f, "waits in the queue as {entry} for {destination}: {}", list.join(", "))
            }
            Self::Attempted { entry, recipient, host, outcome, said, secured, next } => {
                let outcome = match outcome {
                    Outcome::Delivered => "taken",
                    Outcome::Deferred => "not taken now",
                    Outcome::Failed => "failed for good",
                };
                write!(f, "queue entry {entry}, {recipient}: {outcome}")?;
                if let Some(host) = host {
                    write!(f, " by {host}")?;
                }
                if let Some(secured) = secured {
                    write!(f, " {secured}")?;
                }
                write!(f, ": {said}")?;
                next.map_or(Ok(()), |next| write!(f, "; next attempt {}", next.for_people()))
            }
            Self::Responder { responder, address, decision, .. } => {
                write!(f, "responder {responder} at {address} {decision}")
            }
            Self::Notice { kind, to: Some(to) } => write!(f, "{kind} to {to}"),
            Self::Notice { kind, to: None } => write!(f, "no notice: {kind}"),
            Self::Held { address, reason } => write!(f, "waits at {address}: {reason}"),
            Self::Authenticated { results } => f.write_str(results),
            Self::Decided { text } => f.write_str(text),
        }
    }
}
