//! What can be asked: [`Request`], and a file for each subject.

mod account;
mod alias;
mod contact;
mod domain;
mod event;
mod external;
mod filters;
mod group;
mod identity;
mod leaving;
mod list;
mod pattern;
mod queue;
mod responder;

use mail::{Address, ReversePath};
use serde::{Deserialize, Serialize};

use crate::ban::BanRequest;
use crate::reports::ReportRequest;
use crate::reputation::{GreylistRequest, ReputationRequest};
use crate::shared::{AclRequest, SharedRequest};
use crate::spam::SpamRequest;
use crate::suppression::SuppressionRequest;
use crate::trace::TraceRequest;
use crate::webhook::WebhookRequest;

pub use account::{AccountRequest, NewAccount, SubmissionEdit};
pub use alias::AliasRequest;
pub use contact::ContactRequest;
pub use domain::{DomainContent, DomainRequest};
pub use event::{EventId, EventRequest, EventSelection};
pub use external::{ExternalContent, ExternalRequest};
pub use filters::{FilterContent, FilterRequest};
pub use group::{GroupContent, GroupRequest};
pub use identity::IdentityRequest;
pub use leaving::Leaving;
pub use list::{ListContent, ListRequest, MemberContent, NewMember};
pub use pattern::PatternRequest;
pub use queue::{QueueFilter, QueueRequest, QueueSelection};
pub use responder::{PreviewRequest, ResponderContent, ResponderRequest};

/// One request.
#[expect(clippy::large_enum_variant, reason = "there is one for each command, and it is moved a few times")]
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// About domains.
    Domain(DomainRequest),
    /// About accounts.
    Account(AccountRequest),
    /// About aliases.
    Alias(AliasRequest),
    /// About groups.
    Group(GroupRequest),
    /// About mailing lists, and what waits for moderators.
    List(Box<ListRequest>),
    /// About responders.
    Responder(ResponderRequest),
    /// About external accounts.
    External(Box<ExternalRequest>),
    /// About filters of accounts.
    Filter(FilterRequest),
    /// About shared mailboxes and their members.
    Shared(SharedRequest),
    /// About who may do what in one mailbox.
    Acl(AclRequest),
    /// About contacts of an account.
    Contact(ContactRequest),
    /// About the content filter.
    Spam(SpamRequest),
    /// About what is known of clients and senders elsewhere.
    Reputation(ReputationRequest),
    /// About who is asked to come again.
    Greylist(GreylistRequest),
    /// How do outside filters do?
    Outside,
    /// About the queue of outgoing mail.
    Queue(QueueRequest),
    /// About events that failed too often.
    Event(EventRequest),
    /// About addresses to which nothing is sent of the server's own accord.
    Suppression(SuppressionRequest),
    /// About who is kept out.
    Ban(BanRequest),
    /// About who is told what becomes of messages.
    Webhook(WebhookRequest),
    /// What happened to messages.
    Trace(Box<TraceRequest>),
    /// What other servers report on domains here.
    Report(ReportRequest),
    /// Build full-text indexes anew, while the server serves.
    Reindex {
        /// Whose; `None`: everyone's.
        #[serde(default)]
        account: Option<Address>,
    },
    /// What would happen to a message from one to the other?
    Explain {
        /// The reverse-path.
        from: ReversePath,
        /// The recipient.
        to: Address,
        /// The account that the sender has logged in to; `None`: a stranger.
        #[serde(default)]
        account: Option<Address>,
        /// Octets of the message.
        #[serde(default)]
        octets: Option<u64>,
        /// What else filters ask of it.
        #[serde(default)]
        message: SupposedMessage,
    },
}

/// What is supposed of a message that is explained.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct SupposedMessage {
    /// Fields of its header, as `Subject: Hello`. From and To are sender and recipient, unless they are among these.
    pub fields: Vec<String>,
    /// It has an attachment.
    pub attachment: bool,
}

/// A change of a field that may be empty.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Edit<T> {
    /// As it is.
    #[default]
    Keep,
    /// Empty from now on.
    Clear,
    /// This from now on.
    Set(T),
}

impl<T> Edit<T> {
    pub(crate) fn apply(self, field: &mut Option<T>) {
        match self {
            Self::Keep => {}
            Self::Clear => *field = None,
            Self::Set(value) => *field = Some(value),
        }
    }
}

pub(crate) fn keep<T>() -> Edit<T> {
    Edit::Keep
}
