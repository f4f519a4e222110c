//! What can be asked.

use auth::Password;
use mail::{Address, Domain, QueueId, ReversePath, Topic};
use routing::objects::{ResponderKind, Role, Target};
use serde::{Deserialize, Serialize};

use crate::shared::{AclRequest, SharedRequest};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Request {
    /// About domains.
    Domain(DomainRequest),
    /// About accounts.
    Account(AccountRequest),
    /// About aliases.
    Alias(AliasRequest),
    /// About responders.
    Responder(ResponderRequest),
    /// About shared mailboxes and their members.
    Shared(SharedRequest),
    /// About who may do what in one mailbox.
    Acl(AclRequest),
    /// About the queue of outgoing mail.
    Queue(QueueRequest),
    /// About events that failed too often.
    Event(EventRequest),
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
    },
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

/// About domains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum DomainRequest {
    /// Receive mail for a domain from now on.
    Add {
        /// Its name.
        name: Domain,
        /// Where mail for unknown addresses goes.
        #[serde(default)]
        catch_all: Option<Address>,
        /// Who reads `postmaster@`.
        #[serde(default)]
        postmaster: Option<Address>,
        /// Characters that part a subaddress; `None`: `+`.
        #[serde(default)]
        subaddress_separators: Option<String>,
    },
    /// All of them.
    List,
    /// One.
    Show {
        /// Its name.
        name: Domain,
    },
    /// Change one.
    Set {
        /// Its name.
        name: Domain,
        /// Where mail for unknown addresses goes.
        #[serde(default = "keep")]
        catch_all: Edit<Address>,
        /// Who reads `postmaster@`.
        #[serde(default = "keep")]
        postmaster: Edit<Address>,
        /// Characters that part a subaddress.
        #[serde(default)]
        subaddress_separators: Option<String>,
        /// Whether mail is accepted.
        #[serde(default)]
        enabled: Option<bool>,
    },
    /// Give one up.
    Remove {
        /// Its name.
        name: Domain,
        /// With everything in it.
        #[serde(default)]
        force: bool,
    },
}

/// An account to be made.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewAccount {
    /// The primary address, also the login.
    pub address: Address,
    /// The sender name.
    #[serde(default)]
    pub display_name: String,
    /// The password; with neither this nor a hash, one is generated.
    #[serde(default)]
    pub password: Option<Password>,
    /// The hash of a password (Argon2id, PHC form), taken as it is.
    #[serde(default)]
    pub password_hash: Option<String>,
    /// What the person may do.
    #[serde(default)]
    pub role: Role,
    /// Octets of mail that fit; `None` for no limit.
    #[serde(default)]
    pub quota_octets: Option<u64>,
    /// IANA name of the person's time zone; `None`: `UTC`.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// `fr` or `en`; `None`: `en`.
    #[serde(default)]
    pub language: Option<String>,
}

impl NewAccount {
    /// An account with everything else at its default.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            display_name: String::new(),
            password: None,
            password_hash: None,
            role: Role::User,
            quota_octets: None,
            time_zone: None,
            language: None,
        }
    }
}

/// About accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AccountRequest {
    /// Make one.
    Add(NewAccount),
    /// Make many; those that exist are left as they are.
    Import {
        /// The accounts.
        accounts: Vec<NewAccount>,
    },
    /// All, or those of one domain.
    List {
        /// Only this domain's.
        #[serde(default)]
        domain: Option<Domain>,
    },
    /// One, with its mailboxes.
    Show {
        /// Its address.
        address: Address,
    },
    /// Change one.
    Set {
        /// Its address.
        address: Address,
        /// The sender name.
        #[serde(default)]
        display_name: Option<String>,
        /// A new password.
        #[serde(default)]
        password: Option<Password>,
        /// A new password, to be generated and told.
        #[serde(default)]
        generate_password: bool,
        /// What the person may do.
        #[serde(default)]
        role: Option<Role>,
        /// Octets of mail that fit.
        #[serde(default = "keep")]
        quota_octets: Edit<u64>,
        /// Time zone.
        #[serde(default)]
        time_zone: Option<String>,
        /// Language.
        #[serde(default)]
        language: Option<String>,
        /// Whether logging in is allowed.
        #[serde(default)]
        enabled: Option<bool>,
    },
    /// Delete one, with its mail.
    Remove {
        /// Its address.
        address: Address,
        /// Even when it holds mail or aliases lead to it.
        #[serde(default)]
        force: bool,
    },
}

/// About aliases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AliasRequest {
    /// Make one, or add redirects to the one there is (R3).
    Add {
        /// Its address.
        address: Address,
        /// Where it leads as well.
        targets: Vec<Target>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
    },
    /// All, or those of one domain.
    List {
        /// Only this domain's.
        #[serde(default)]
        domain: Option<Domain>,
    },
    /// One.
    Show {
        /// Its address.
        address: Address,
    },
    /// Change one.
    Set {
        /// Its address.
        address: Address,
        /// Where it leads instead.
        #[serde(default)]
        targets: Option<Vec<Target>>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
        /// Whether it is in force.
        #[serde(default)]
        enabled: Option<bool>,
    },
    /// Delete one, or some of its redirects.
    Remove {
        /// Its address.
        address: Address,
        /// Only these redirects; empty: the alias.
        #[serde(default)]
        targets: Vec<Target>,
    },
}

/// What a responder says and when; an absent field is left as it is, or at its default for a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResponderContent {
    /// Which rules it follows.
    pub kind: Option<ResponderKind>,
    /// Switched on.
    pub enabled: Option<bool>,
    /// Subject of the answer.
    pub subject: Option<String>,
    /// Put before the original subject.
    pub subject_prefix: Option<String>,
    /// Plain text.
    pub text: Edit<String>,
    /// HTML.
    pub html: Edit<String>,
    /// First moment, civil time.
    pub starts: Edit<String>,
    /// Last moment, civil time.
    pub ends: Edit<String>,
    /// Minimum seconds between two answers to one sender.
    pub frequency_secs: Option<u64>,
    /// Whether received messages stay.
    pub keep: Option<bool>,
    /// Every answer that leaves is copied to it.
    pub copy_answers_to: Edit<Address>,
    /// Received messages are copied to it.
    pub copy_received_to: Edit<Address>,
    /// Whether answers are filed in Sent.
    pub file_in_sent: Option<bool>,
}

/// About responders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ResponderRequest {
    /// Make one.
    Add {
        /// The address that answers.
        address: Address,
        /// What it says and when.
        content: Box<ResponderContent>,
    },
    /// All, or those at one address.
    List {
        /// Only at this one.
        #[serde(default)]
        address: Option<Address>,
    },
    /// One.
    Show {
        /// Its number.
        id: u64,
    },
    /// Change one.
    Set {
        /// Its number.
        id: u64,
        /// The address that answers.
        #[serde(default)]
        address: Option<Address>,
        /// What changes.
        content: Box<ResponderContent>,
    },
    /// Delete one.
    Remove {
        /// Its number.
        id: u64,
    },
}

/// Some entries of the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueSelection {
    /// These.
    Entries(Vec<QueueId>),
    /// All to one domain.
    Destination(Domain),
    /// All.
    All,
}

/// About the queue.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum QueueRequest {
    /// A page.
    List {
        /// Behind this entry.
        #[serde(default)]
        after: Option<QueueId>,
        /// At most so many.
        #[serde(default)]
        limit: Option<usize>,
    },
    /// One, with its recipients.
    Show {
        /// Its number.
        id: QueueId,
    },
    /// Do not attempt them until they are resumed.
    Hold(QueueSelection),
    /// End the hold.
    Resume(QueueSelection),
    /// Attempt them now.
    Retry(QueueSelection),
    /// Delete them, without a notice to anybody.
    Remove(QueueSelection),
}

/// A parked event: its topic and its number there, written `message-stored:12`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EventId {
    /// The topic.
    pub topic: Topic,
    /// The number.
    pub number: u64,
}

impl std::fmt::Display for EventId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.topic.name(), self.number)
    }
}

impl From<EventId> for String {
    fn from(id: EventId) -> Self {
        id.to_string()
    }
}

impl TryFrom<String> for EventId {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse()
    }
}

impl std::str::FromStr for EventId {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let read = || {
            let (topic, number) = text.split_once(':')?;
            Some(Self { topic: Topic::named(topic)?, number: number.parse().ok()? })
        };
        read().ok_or_else(|| "an event is named like message-stored:12; `relais event list` shows them".to_owned())
    }
}

/// Some parked events.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventSelection {
    /// These.
    Events(Vec<EventId>),
    /// All, up to [`crate::limits::EVENTS_MAX`] of each topic.
    All,
}

/// About events that failed too often and were parked: an answer that was not sent, as a rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EventRequest {
    /// The parked ones.
    List {
        /// At most so many of each topic.
        #[serde(default)]
        limit: Option<usize>,
    },
    /// One, with what it is about.
    Show {
        /// Which.
        id: EventId,
    },
    /// Hand them out again.
    Retry(EventSelection),
    /// Forget them: what they asked for is not done.
    Remove(EventSelection),
}

pub(crate) fn keep<T>() -> Edit<T> {
    Edit::Keep
}
