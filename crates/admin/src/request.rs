//! What can be asked.

use auth::Password;
use mail::{Address, Domain, QueueId, ReversePath, Topic};
use routing::objects::{
    AfterFetch, AliasForm, AliasMakers, Audience, ExternalFolder, ExternalProtocol, ExternalSecurity, FromPolicy,
    Hours, Joining, NonMembers, Posting, ReplyTo, ResponderKind, Role, Service, SubaddressFolders, Target,
};
use serde::{Deserialize, Serialize};
use storage::rows::MemberState;

use crate::dkim::DkimRequest;
use crate::terms::Terms;
use crate::trace::TraceRequest;

use crate::shared::{AclRequest, SharedRequest};

/// One request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "there is one for each request, and it is moved a few times")]
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
    /// About shared mailboxes and their members.
    Shared(SharedRequest),
    /// About who may do what in one mailbox.
    Acl(AclRequest),
    /// About contacts of an account.
    Contact(ContactRequest),
    /// About the queue of outgoing mail.
    Queue(QueueRequest),
    /// About events that failed too often.
    Event(EventRequest),
    /// What happened to messages.
    Trace(Box<TraceRequest>),
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
        /// Everything else.
        #[serde(default)]
        content: Box<DomainContent>,
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
        /// Everything else.
        #[serde(default)]
        content: Box<DomainContent>,
    },
    /// About its pattern aliases.
    Pattern {
        /// Its name.
        name: Domain,
        /// What about them.
        request: PatternRequest,
    },
    /// The records of the DNS by which mail programs find the server.
    Records {
        /// Its name.
        name: Domain,
    },
    /// About the keys that sign its mail.
    Dkim {
        /// Its name.
        name: Domain,
        /// What.
        request: DkimRequest,
    },
    /// Give one up.
    Remove {
        /// Its name.
        name: Domain,
        /// With everything in it, and whatever leads to addresses in it.
        #[serde(default)]
        force: bool,
    },
}

/// What else a domain has; an absent field is left as it is, or at its default for a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct DomainContent {
    /// The domain whose addresses it has.
    pub alias_of: Edit<Domain>,
    /// IANA name of the zone in which expiry dates are read.
    pub time_zone: Option<String>,
    /// `fr` or `en`.
    pub language: Option<String>,
    /// Whether a subaddress names a mailbox.
    pub subaddress_folders: Option<SubaddressFolders>,
    /// Who may make aliases for themselves.
    pub alias_makers: Option<AliasMakers>,
    /// How many one person may have.
    pub aliases_per_person_max: Option<u32>,
    /// Which forms are allowed.
    pub alias_forms: Option<Vec<AliasForm>>,
}

/// About the pattern aliases of a domain. They are numbered from 1 in the order in which they are tried.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum PatternRequest {
    /// Make one.
    Add {
        /// A regular expression over the whole local part.
        pattern: String,
        /// Where it leads, with `$1` for what the first group found.
        targets: Vec<String>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
        /// Its place; `None`: the last.
        #[serde(default)]
        place: Option<usize>,
    },
    /// All, in order.
    List,
    /// Change the order.
    Move {
        /// Which.
        number: usize,
        /// Where to.
        place: usize,
    },
    /// Switch one on or off, or change its note.
    Set {
        /// Which.
        number: usize,
        /// Whether it is in force.
        #[serde(default)]
        enabled: Option<bool>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
    },
    /// Delete one.
    Remove {
        /// Which.
        number: usize,
    },
    /// Which one fits an address, what its targets become, and where mail to the address goes in fact.
    Test {
        /// The address.
        address: Address,
        /// A pattern that is not saved, tried alone instead of the domain's.
        #[serde(default)]
        pattern: Option<String>,
        /// Where that one leads.
        #[serde(default)]
        targets: Vec<String>,
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
    /// IANA name of the person's time zone; `None`: as the domain's.
    #[serde(default)]
    pub time_zone: Option<String>,
    /// `fr` or `en`; `None`: as the domain's.
    #[serde(default)]
    pub language: Option<String>,
    /// The person whom it belongs to, when that is not told by the address: the same for all their mailboxes (M1).
    #[serde(default)]
    pub owner: String,
    /// An address elsewhere that hears of changes of the password (M4).
    #[serde(default)]
    pub recovery: Option<Address>,
    /// Further domains in which the same local part is this account (R5); `None`: those of the domain's users.
    #[serde(default)]
    pub also_in: Option<Vec<Domain>>,
    /// What it is for.
    #[serde(default)]
    pub note: String,
    /// Whether the person is told (M2): a letter with the connection settings in the new mailbox, and one outside.
    #[serde(default)]
    pub welcome: bool,
    /// The address outside that is told as well, when not `recovery`.
    #[serde(default)]
    pub notify: Option<Address>,
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
            owner: String::new(),
            recovery: None,
            also_in: None,
            note: String::new(),
            welcome: false,
            notify: None,
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
    /// All, or those of one domain or person.
    List {
        /// Only this domain's.
        #[serde(default)]
        domain: Option<Domain>,
        /// Only this person's (M1).
        #[serde(default)]
        owner: Option<String>,
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
        /// The person whom it belongs to.
        #[serde(default)]
        owner: Option<String>,
        /// The address elsewhere that hears of changes of the password.
        #[serde(default = "keep")]
        recovery: Edit<Address>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
        /// The domains that a domain administrator edits; empty: their own.
        #[serde(default)]
        administers: Option<Vec<Domain>>,
        /// Ways in to withdraw (M6).
        #[serde(default)]
        withdraw: Vec<Service>,
        /// Ways in to give back.
        #[serde(default)]
        restore: Vec<Service>,
        /// Further domains in which the same local part becomes this account (R5).
        #[serde(default)]
        add_domains: Vec<Domain>,
        /// Further domains in which it no longer is.
        #[serde(default)]
        remove_domains: Vec<Domain>,
    },
    /// Change what its address demands of who writes to it.
    Rules {
        /// Its address.
        address: Address,
        /// What changes; there is no fall-back for absence here.
        terms: Box<Terms>,
    },
    /// Change the password (M4). Who changes their own has to know the old one.
    Password {
        /// Whose.
        address: Address,
        /// The old password.
        #[serde(default)]
        old: Option<Password>,
        /// The new one; `None`: one is generated and told.
        #[serde(default)]
        new: Option<Password>,
    },
    /// How strong is a password, and would it be taken? Nothing is changed.
    Strength {
        /// Whose it would be.
        #[serde(default)]
        address: Option<Address>,
        /// It.
        password: Password,
        /// `fr` or `en`; `None`: the account's, or English.
        #[serde(default)]
        language: Option<String>,
    },
    /// What a mail program has to know (M5).
    Settings {
        /// For whom.
        address: Address,
        /// `fr` or `en`; `None`: the account's.
        #[serde(default)]
        language: Option<String>,
    },
    /// Change which aliases lead to the mailbox (M3).
    Aliases {
        /// Its address.
        address: Address,
        /// These lead to it from now on; those that are not there are made.
        #[serde(default)]
        add: Vec<Address>,
        /// These do not any more; those that would lead nowhere are deleted.
        #[serde(default)]
        remove: Vec<Address>,
    },
    /// About names to write under, and signatures (M7).
    Identity(IdentityRequest),
    /// Every user of a domain has their login in further domains too (R5); how many mailboxes it may have (M1).
    UsersOf {
        /// The domain.
        domain: Domain,
        /// Further domains to add.
        #[serde(default)]
        add_domains: Vec<Domain>,
        /// Further domains to take away.
        #[serde(default)]
        remove_domains: Vec<Domain>,
        /// Mailboxes in it at the most, 0 for no limit.
        #[serde(default = "keep")]
        accounts_max: Edit<u32>,
        /// Mailboxes in it of one person at the most, 0 for no limit.
        #[serde(default = "keep")]
        accounts_per_owner_max: Edit<u32>,
    },
    /// Delete one, with its mail.
    Remove {
        /// Its address.
        address: Address,
        /// Even when it holds mail, or others lead to it.
        #[serde(default)]
        force: bool,
    },
    /// The person has left: everything that follows, in one act.
    OffBoard(Leaving),
    /// They have not: everything as before, as far as it is still there.
    OffBoardUndo {
        /// The account.
        address: Address,
    },
}

/// What happens to the account of somebody who leaves. Logging in ends in any case.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Leaving {
    /// The account.
    pub address: Address,
    /// Who takes over: reads the mailbox as a shared one, and takes the place in aliases.
    #[serde(default)]
    pub successor: Option<Address>,
    /// Whether the successor also gets a copy of what comes in.
    #[serde(default)]
    pub redirect: bool,
    /// Last moment of that, in the account's time zone.
    #[serde(default)]
    pub redirect_until: Option<String>,
    /// What senders are answered; `None`: nothing.
    #[serde(default)]
    pub responder_text: Option<String>,
    /// Subject of that answer.
    #[serde(default)]
    pub responder_subject: Option<String>,
    /// Last moment of the account, in its time zone; behind it, it is deleted with its mail.
    #[serde(default)]
    pub delete_after: Option<String>,
}

impl Leaving {
    /// Only the login ends.
    #[must_use]
    pub fn new(address: Address) -> Self {
        Self {
            address,
            successor: None,
            redirect: false,
            redirect_until: None,
            responder_text: None,
            responder_subject: None,
            delete_after: None,
        }
    }
}

/// About the names that an account writes under.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum IdentityRequest {
    /// Make one, or change the one of that address; an absent field is left as it is, or empty for a new one.
    Put {
        /// The account.
        account: Address,
        /// The address to write under.
        address: Address,
        /// Whether it is there before: `true` only changes, `false` only adds.
        replace: bool,
        /// The sender name.
        #[serde(default)]
        display_name: Option<String>,
        /// The signature as text.
        #[serde(default)]
        signature_text: Option<String>,
        /// The signature as HTML.
        #[serde(default)]
        signature_html: Option<String>,
    },
    /// All of an account.
    List {
        /// The account.
        account: Address,
    },
    /// Delete one.
    Remove {
        /// The account.
        account: Address,
        /// Its address.
        address: Address,
    },
}

impl IdentityRequest {
    /// Whose they are.
    pub(crate) fn account(&self) -> &Address {
        match self {
            Self::Put { account, .. } | Self::List { account } | Self::Remove { account, .. } => account,
        }
    }
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
        /// What it demands of senders.
        #[serde(default)]
        terms: Box<Terms>,
    },
    /// Make one on behalf of a person, within the domain's policy; it leads to their mailbox.
    Make {
        /// The person's login.
        account: Address,
        /// The alias; `None`: a random one.
        #[serde(default)]
        address: Option<Address>,
        /// Where the random one is made; `None`: in the domain of the login.
        #[serde(default)]
        domain: Option<Domain>,
        /// What it is for.
        #[serde(default)]
        note: Option<String>,
    },
    /// All, or those of one domain, or those that one person made.
    List {
        /// Only this domain's.
        #[serde(default)]
        domain: Option<Domain>,
        /// Only those that this account made for itself.
        #[serde(default)]
        made_by: Option<Address>,
    },
    /// One.
    Show {
        /// Its address.
        address: Address,
        /// On behalf of this account: only when it made the alias.
        #[serde(default)]
        by: Option<Address>,
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
        /// What it demands of senders.
        #[serde(default)]
        terms: Box<Terms>,
        /// On behalf of this account: only when it made the alias, and only note and state.
        #[serde(default)]
        by: Option<Address>,
    },
    /// Delete one, or some of its redirects.
    Remove {
        /// Its address.
        address: Address,
        /// Only these redirects; empty: the alias.
        #[serde(default)]
        targets: Vec<Target>,
        /// On behalf of this account: only when it made the alias.
        #[serde(default)]
        by: Option<Address>,
        /// Even when others lead to it; they are taken out.
        #[serde(default)]
        force: bool,
    },
}

/// What a group is; an absent field is left as it is, or at its default for a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct GroupContent {
    /// Its name.
    pub display_name: Option<String>,
    /// Its members from now on.
    pub members: Option<Vec<Address>>,
    /// Members that come in.
    pub add_members: Vec<Address>,
    /// Members that leave.
    pub remove_members: Vec<Address>,
    /// Who may write to it.
    pub posting: Option<Posting>,
    /// Whether messages wait for a moderator.
    pub moderated: Option<bool>,
    /// Who moderates.
    pub moderators: Option<Vec<Address>>,
    /// Whether it is in force.
    pub enabled: Option<bool>,
    /// What it is for.
    pub note: Option<String>,
    /// What it demands of senders.
    pub terms: Terms,
    /// Ways in to take from its members (M6).
    pub withdraw: Vec<Service>,
    /// Ways in to give back to them.
    pub restore: Vec<Service>,
}

/// About groups (R9).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GroupRequest {
    /// Make one.
    Add {
        /// Its address.
        address: Address,
        /// What it is.
        #[serde(default)]
        content: Box<GroupContent>,
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
        /// What changes.
        content: Box<GroupContent>,
    },
    /// Delete one, with what waits for its moderators.
    Remove {
        /// Its address.
        address: Address,
        /// Even when others lead to it; they are taken out.
        #[serde(default)]
        force: bool,
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
    /// When in the week it acts.
    pub hours: Edit<Hours>,
    /// To whom it speaks.
    pub audience: Option<Audience>,
    /// No other words for the inside; what the next four fields say is said anew.
    pub no_inside: bool,
    /// Subject for the people of the organisation.
    pub inside_subject: Option<String>,
    /// Prefix for them.
    pub inside_subject_prefix: Option<String>,
    /// Plain text for them.
    pub inside_text: Edit<String>,
    /// HTML for them.
    pub inside_html: Edit<String>,
    /// Who stands in meanwhile.
    pub deputy: Edit<Address>,
    /// Whether received messages are copied to the deputy.
    pub copy_to_deputy: Option<bool>,
    /// Whether the signature stands below.
    pub signature: Option<bool>,
    /// The zone of window and hours, instead of the owner's.
    pub time_zone: Edit<String>,
    /// The language of dates, instead of the owner's.
    pub language: Edit<String>,
}

/// A message that is imagined for a preview.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PreviewRequest {
    /// Its sender; an address of ours is taken for its person, logged in.
    pub from: Address,
    /// Its recipient; `None`: the responder's address.
    #[serde(default)]
    pub to: Option<Address>,
    /// The sender's name.
    #[serde(default)]
    pub name: Option<String>,
    /// Its subject.
    #[serde(default)]
    pub subject: Option<String>,
}

/// About contacts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ContactRequest {
    /// Enter one by hand.
    Add {
        /// Whose.
        account: Address,
        /// The contact.
        address: Address,
    },
    /// A page.
    List {
        /// Whose.
        account: Address,
        /// Only those behind this one.
        #[serde(default)]
        after: Option<Address>,
    },
    /// Remove one.
    Remove {
        /// Whose.
        account: Address,
        /// The contact.
        address: Address,
    },
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
    /// What one would answer now.
    Preview {
        /// Its number.
        id: u64,
        /// To which message.
        of: PreviewRequest,
    },
    /// Delete one.
    Remove {
        /// Its number.
        id: u64,
    },
}

/// How a list is and behaves; an absent field is left as it is, or at its default for a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListContent {
    /// Its name.
    pub display_name: Option<String>,
    /// Who answers for it.
    pub owners: Option<Vec<Address>>,
    /// Who moderates; the owners when empty.
    pub moderators: Option<Vec<Address>>,
    /// Who may write to it.
    pub posting: Option<Posting>,
    /// Whether every message waits for a moderator.
    pub moderated: Option<bool>,
    /// Whether it takes mail.
    pub enabled: Option<bool>,
    /// What it is for.
    pub note: Option<String>,
    /// Octets of a message at the most.
    pub message_octets_max: Edit<u64>,
    /// `fr` or `en`.
    pub language: Option<String>,
    /// Who becomes a member by asking.
    pub joining: Option<Joining>,
    /// What becomes of messages from others than members.
    pub non_members: Option<NonMembers>,
    /// The From of posts.
    pub from: Option<FromPolicy>,
    /// Where an answer goes.
    pub reply_to: Option<ReplyTo>,
    /// Put before the subject.
    pub subject_prefix: Option<String>,
    /// Whether posts are kept.
    pub archive: Option<bool>,
    /// Whether each copy has a link of its own to leave.
    pub personal_links: Option<bool>,
    /// Days after which a waiting message is refused.
    pub waiting_days: Option<u32>,
    /// Whether strangers are told that their message waits.
    pub waiting_notice: Option<bool>,
    /// Days with hard bounces after which a member is suspended.
    pub bounce_days_max: Option<u32>,
}

/// A member to be added, without asking them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewMember {
    /// Their address.
    pub address: Address,
    /// Their name.
    #[serde(default)]
    pub name: String,
    /// `fr` or `en`; `None`: the list's language.
    #[serde(default)]
    pub language: Option<String>,
}

/// What changes of a member.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct MemberContent {
    /// Their name.
    pub name: Option<String>,
    /// Whether posts are sent to them; active forgets what came back.
    pub state: Option<MemberState>,
    /// `fr` or `en`.
    pub language: Edit<String>,
    /// Whether their own posts come back to them.
    pub own_posts: Option<bool>,
    /// What moderators noted.
    pub note: Option<String>,
}

/// About mailing lists.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListRequest {
    /// Make one.
    Add {
        /// Its address.
        address: Address,
        /// How it is.
        content: Box<ListContent>,
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
        /// What changes.
        content: Box<ListContent>,
    },
    /// Delete one.
    Remove {
        /// Its address.
        address: Address,
        /// Even when it has members, or others lead to it.
        #[serde(default)]
        force: bool,
    },
    /// Add a member without asking them.
    MemberAdd {
        /// The list.
        list: Address,
        /// The member.
        member: NewMember,
    },
    /// Add many; those who are members are left as they are.
    MemberImport {
        /// The list.
        list: Address,
        /// The members.
        members: Vec<NewMember>,
    },
    /// The members.
    MemberList {
        /// The list.
        list: Address,
        /// Only those in this state.
        #[serde(default)]
        state: Option<MemberState>,
    },
    /// Change a member.
    MemberSet {
        /// The list.
        list: Address,
        /// The member.
        address: Address,
        /// What changes.
        content: MemberContent,
    },
    /// Remove a member, without a letter.
    MemberRemove {
        /// The list.
        list: Address,
        /// The member.
        address: Address,
    },
    /// What waits for a moderator of a list or group.
    Waiting {
        /// The list or group.
        address: Address,
    },
    /// Let a waiting message through, or not.
    Decide {
        /// The list or group.
        address: Address,
        /// The number of the message, as `Waiting` gives it.
        message: u32,
        /// Whether it passes.
        approved: bool,
        /// What its author is told.
        #[serde(default)]
        reason: String,
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

/// What an external account is; an absent field is left as it is, or at its default for a new one.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct ExternalContent {
    /// What its owner calls it.
    pub name: Option<String>,
    /// The other server: a name, or an IP address as text.
    pub host: Option<String>,
    /// Its port; the usual one follows protocol and security.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub security: Option<ExternalSecurity>,
    /// Certificates in PEM that are trusted there; cleared, the public ones.
    pub ca_pem: Edit<String>,
    /// The login there.
    pub login: Option<String>,
    /// The password there.
    pub password: Option<Password>,
    /// Folders to fetch from (IMAP); an empty list is INBOX.
    pub folders: Option<Vec<ExternalFolder>>,
    /// The mailbox here.
    pub mailbox: Option<String>,
    /// Seconds from one look to the next.
    pub interval_secs: Option<u64>,
    /// What becomes of a message there.
    pub after_fetch: Option<AfterFetch>,
    /// Whether it is fetched.
    pub enabled: Option<bool>,
}

/// About external accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExternalRequest {
    /// Fetch from a mailbox elsewhere from now on.
    Add {
        /// The account here that gets the mail.
        owner: Address,
        /// What the other server speaks.
        protocol: ExternalProtocol,
        /// Everything else; host, login and password must be there.
        content: Box<ExternalContent>,
    },
    /// All of them, or those of one account.
    List {
        /// Only its.
        #[serde(default)]
        owner: Option<Address>,
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
        /// What changes.
        content: Box<ExternalContent>,
    },
    /// Look now.
    FetchNow {
        /// Its number.
        id: u64,
    },
    /// Try it, and tell what works.
    Test {
        /// Its number.
        id: u64,
    },
    /// Remove one; what was fetched stays.
    Remove {
        /// Its number.
        id: u64,
    },
}

impl ListRequest {
    /// The list or group that it is about; `None` for a listing.
    pub(crate) const fn list(&self) -> Option<&Address> {
        match self {
            Self::List { .. } => None,
            Self::Add { address, .. }
            | Self::Show { address }
            | Self::Set { address, .. }
            | Self::Remove { address, .. }
            | Self::Waiting { address }
            | Self::Decide { address, .. } => Some(address),
            Self::MemberAdd { list, .. }
            | Self::MemberImport { list, .. }
            | Self::MemberList { list, .. }
            | Self::MemberSet { list, .. }
            | Self::MemberRemove { list, .. } => Some(list),
        }
    }
}

impl ContactRequest {
    /// Whose contacts it is about.
    pub(crate) const fn account(&self) -> &Address {
        match self {
            Self::Add { account, .. } | Self::List { account, .. } | Self::Remove { account, .. } => account,
        }
    }
}
