//! What is answered.

use auth::Password;
use mail::{AccountId, Address, Domain, QueueId, Reply, Timestamp};
use routing::Resolution;
use routing::objects::{
    AccountKind, AccountObject, AddressRules, AfterFetch, AliasObject, DomainObject, ExternalFolder, ExternalProtocol,
    ExternalSecurity, GroupObject, Identity, ListObject, PatternAlias, ResponderObject, Role, Service, Target,
};
use routing::responders::{Keeping, Phase};
use serde::{Deserialize, Serialize};
use storage::contacts::Contact;
use storage::fetch::FetchStatus;
use storage::rows::{MemberRow, MemberState, WaitReason};
use storage::trace::Trace;

use crate::dkim::SigningKeyView;
use crate::request::EventId;
use crate::shared::{AclView, SharedView};

/// One answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[expect(clippy::large_enum_variant, reason = "there is one for each request, and it is moved a few times")]
pub enum Response {
    /// A domain.
    Domain(DomainView),
    /// Domains.
    Domains(Vec<DomainView>),
    /// An account.
    Account(Box<AccountView>),
    /// Accounts.
    Accounts(Vec<AccountView>),
    /// What an import did.
    Imported(ImportReport),
    /// How strong a password is.
    Strength(StrengthView),
    /// What a mail program has to know.
    Connection(Box<ConnectionView>),
    /// Names to write under.
    Identities(Vec<Identity>),
    /// What was done because a person left, or came back.
    OffBoarded(OffBoardingReport),
    /// An alias.
    Alias(Box<AliasView>),
    /// Aliases.
    Aliases(Vec<AliasView>),
    /// A group.
    Group(Box<GroupObject>),
    /// Groups.
    Groups(Vec<GroupObject>),
    /// The pattern aliases of a domain, in the order in which they are tried.
    Patterns(Vec<PatternAlias>),
    /// Which pattern fits an address.
    PatternTest(Box<PatternTest>),
    /// A mailing list.
    List(Box<ListView>),
    /// Mailing lists.
    Lists(Vec<ListView>),
    /// A member of a list.
    Member(MemberView),
    /// Members of a list.
    Members(Vec<MemberView>),
    /// What an import of members did.
    MembersImported(MemberImport),
    /// What waits for a moderator.
    Waiting(Vec<WaitingView>),
    /// A responder.
    Responder(Box<ResponderView>),
    /// Responders.
    Responders(Vec<ResponderView>),
    /// What a responder would answer.
    Preview(Box<Preview>),
    /// An external account.
    External(Box<ExternalView>),
    /// External accounts.
    Externals(Vec<ExternalView>),
    /// What works with an external account.
    ExternalTest(ExternalTest),
    /// Contacts.
    Contacts(Vec<Contact>),
    /// A shared mailbox.
    Shared(Box<SharedView>),
    /// Shared mailboxes.
    SharedMailboxes(Vec<SharedView>),
    /// Who may do what in a mailbox.
    Acl(AclView),
    /// A queue entry.
    QueueEntry(Box<QueueEntryView>),
    /// Queue entries.
    QueueEntries(Vec<QueueEntryView>),
    /// A parked event.
    Event(Box<EventView>),
    /// Parked events.
    Events(Vec<EventView>),
    /// What happened to messages.
    Traces(Vec<Trace>),
    /// The keys that sign a domain's mail.
    SigningKeys(Vec<SigningKeyView>),
    /// What would happen to a message.
    Explanation(Box<Explanation>),
    /// Done; what was removed or changed, in words.
    Done(String),
}

/// A domain and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainView {
    /// The domain.
    #[serde(flatten)]
    pub domain: DomainObject,
    /// What has the address `postmaster@` itself, and so gets its mail whomever the domain names.
    #[serde(default)]
    pub postmaster_object: Option<String>,
    /// Accounts in it.
    pub accounts: usize,
    /// Aliases in it.
    pub aliases: usize,
    /// Groups in it.
    #[serde(default)]
    pub groups: usize,
    /// Mailing lists in it.
    #[serde(default)]
    pub lists: usize,
}

/// An alias and who wrote to it first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasView {
    /// The alias.
    #[serde(flatten)]
    pub alias: AliasObject,
    /// The login of the person who made it for themselves.
    #[serde(default)]
    pub owner: Option<Address>,
    /// The first message to it.
    #[serde(default)]
    pub first_use: Option<FirstUseView>,
}

/// The first message to an alias.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FirstUseView {
    /// Its reverse-path, in angle brackets.
    pub from: String,
    /// When it was accepted.
    pub at: Timestamp,
}

/// Which pattern fits an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PatternTest {
    /// The address.
    pub address: Address,
    /// The place of the pattern that fits, from 1; `None`: none does.
    pub number: Option<usize>,
    /// It.
    pub pattern: Option<String>,
    /// What its targets become; one that is no target says why.
    pub targets: Vec<String>,
    /// Where a stranger's message to the address goes as things are saved, with reasons.
    pub explanation: String,
}

/// An account, without its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountView {
    /// Its number.
    pub id: AccountId,
    /// The primary address, also the login.
    pub address: Address,
    /// The sender name.
    pub display_name: String,
    /// Whether it has a password.
    pub has_password: bool,
    /// The password, when it was generated by this very request. Told once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub generated_password: Option<Password>,
    /// Whether logging in is allowed.
    pub enabled: bool,
    /// What the person may do.
    pub role: Role,
    /// Octets of mail that fit.
    pub quota_octets: Option<u64>,
    /// Time zone.
    pub time_zone: String,
    /// Language.
    pub language: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// Messages in all its mailboxes, when one account was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub messages: Option<u64>,
    /// Octets of those messages.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub octets: Option<u64>,
    /// A person's mailbox, or a shared one.
    #[serde(default)]
    pub kind: AccountKind,
    /// The person whom it belongs to.
    #[serde(default)]
    pub owner: String,
    /// The address elsewhere that hears of changes of the password.
    #[serde(default)]
    pub recovery: Option<Address>,
    /// When the password was set.
    #[serde(default)]
    pub password_changed_at: Option<Timestamp>,
    /// The domains that the person edits.
    #[serde(default)]
    pub administers: Vec<Domain>,
    /// Ways in that are withdrawn from the account itself.
    #[serde(default)]
    pub withdrawn: Vec<Service>,
    /// Its own addresses, the primary one first (R5).
    #[serde(default)]
    pub addresses: Vec<Address>,
    /// The aliases and groups that lead to it, when one account was asked for.
    #[serde(default)]
    pub leading: Vec<Leading>,
    /// Where aliases at its own addresses lead, beside the mailbox; when it was just made, or asked for.
    #[serde(default)]
    pub redirects: Vec<Redirect>,
    /// The names that it writes under.
    #[serde(default)]
    pub identities: Vec<Identity>,
    /// What its address demands of who writes to it.
    #[serde(default)]
    pub rules: AddressRules,
    /// What it is for.
    #[serde(default)]
    pub note: String,
    /// Set when the person has left.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub off_boarding: Option<OffBoardingView>,
}

/// Where an alias at an account's own address leads, beside the mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Redirect {
    /// The account's address.
    pub address: Address,
    /// Where the alias leads.
    pub to: Target,
}

/// An address that leads to an account (M3).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Leading {
    /// It.
    pub address: Address,
    /// `alias` or `group`.
    pub what: String,
    /// Whether it names the account itself, and not another alias that does.
    pub direct: bool,
}

/// Of an account whose person has left.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffBoardingView {
    /// Since when.
    pub at: Timestamp,
    /// Who has taken over.
    pub successor: Option<Address>,
    /// Whether the successor gets copies now.
    pub redirected: bool,
    /// Until when.
    pub redirect_until: Option<String>,
    /// The last day of the account.
    pub delete_after: Option<String>,
}

/// How strong a password is (M4).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StrengthView {
    /// 0 (guessed at once) to 4.
    pub score: u8,
    /// The score that is needed.
    pub score_min: u8,
    /// The score in words.
    pub words: String,
    /// Whether it would be taken.
    pub taken: bool,
    /// Why not; empty when it would be.
    pub reason: String,
    /// What would help, a sentence each.
    pub advice: Vec<String>,
}

/// What a mail program has to know (M5).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionView {
    /// The login.
    pub login: Address,
    /// Reading mail.
    pub incoming: Vec<Endpoint>,
    /// Sending mail.
    pub outgoing: Vec<Endpoint>,
    /// Where mail is read in a browser.
    pub webmail: Option<String>,
    /// The same in words, in the person's language.
    pub text: String,
}

/// A service of this server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// `imap` or `smtp`.
    pub protocol: String,
    /// The server.
    pub host: String,
    /// The port.
    pub port: u16,
    /// `implicit` (TLS from the start) or `starttls`.
    pub tls: String,
}

/// What was done because a person left, or came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OffBoardingReport {
    /// The account.
    pub account: Address,
    /// Each thing that was done, in words.
    pub done: Vec<String>,
    /// Each thing that was left as it is, and why.
    pub left: Vec<String>,
}

impl From<&AccountObject> for AccountView {
    fn from(account: &AccountObject) -> Self {
        Self {
            id: account.id,
            address: account.address.clone(),
            display_name: account.display_name.clone(),
            has_password: account.password_hash.is_some(),
            generated_password: None,
            enabled: account.enabled,
            role: account.role,
            quota_octets: account.quota_octets,
            time_zone: account.time_zone.clone(),
            language: account.language.clone(),
            created_at: account.created_at,
            messages: None,
            octets: None,
            kind: account.kind,
            owner: account.owner.clone(),
            recovery: account.recovery.clone(),
            password_changed_at: account.password_changed_at,
            administers: account.administered(),
            withdrawn: account.withdrawn.clone(),
            addresses: account.addresses().collect(),
            leading: Vec::new(),
            redirects: Vec::new(),
            identities: account.identities.clone(),
            rules: account.rules.clone(),
            note: account.note.clone(),
            off_boarding: account.off_boarding.as_deref().map(|gone| OffBoardingView {
                at: gone.at,
                successor: gone.successor.clone(),
                redirected: gone.redirected,
                redirect_until: gone.redirect_until.clone(),
                delete_after: gone.delete_after.clone(),
            }),
        }
    }
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ImportReport {
    /// Accounts added.
    pub added: usize,
    /// Accounts that were there already and are unchanged.
    pub present: usize,
    /// The accounts with a generated password, and that password.
    pub generated_passwords: Vec<(Address, Password)>,
}

/// A queue entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueEntryView {
    /// Its number.
    pub id: QueueId,
    /// Where it goes.
    pub destination: Domain,
    /// Where DSNs go, in angle brackets.
    pub reverse_path: String,
    /// Octets of the message.
    pub octets: u64,
    /// The recipients there.
    pub recipients: Vec<QueueRecipientView>,
    /// When the message was accepted.
    pub accepted_at: Timestamp,
    /// Attempts so far.
    pub attempts: u32,
    /// When the next one is due.
    pub next_attempt: Timestamp,
    /// The last failure of a whole attempt.
    pub last_error: Option<String>,
    /// Held by an administrator.
    pub held: bool,
}

/// A recipient of a queue entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct QueueRecipientView {
    /// Who.
    pub address: Address,
    /// `waiting`, `delivered` or `failed`.
    pub state: String,
    /// What the remote host said last.
    pub last_reply: Option<String>,
}

/// A parked event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventView {
    /// Its topic and number.
    pub id: EventId,
    /// When what it tells of happened.
    pub created_at: Timestamp,
    /// Attempts that failed.
    pub attempts: u32,
    /// Why the last one did.
    pub last_error: Option<String>,
    /// What it is about, when one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub content: Option<serde_json::Value>,
}

/// What would happen to a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The sender.
    pub from: String,
    /// The routing tree, with its verdict.
    pub resolution: Resolution,
    /// The tree in words, a line for each step.
    pub text: String,
    /// What each responder on the way would do, and why.
    pub responders: Vec<String>,
    /// The reply to a sender whose message is refused.
    #[serde(default)]
    pub reply: Option<Reply>,
}

/// A responder, and how it stands now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ResponderView {
    /// The responder.
    #[serde(flatten)]
    pub responder: ResponderObject,
    /// Where it is in its life.
    pub phase: Phase,
    /// Whether it acts on what comes at this moment, weekly hours included (V4).
    pub acts_now: bool,
    /// The account that it belongs to.
    pub owner: Option<Address>,
    /// The time zone of its window and hours.
    pub zone: String,
    /// Answers given since it last began.
    pub answered: u64,
    /// What is deleted, and while which window, in words; `None`: received messages are kept (A9).
    pub deletes: Option<String>,
    /// What becomes of received messages while it is active (A6, A9).
    pub keeping: Keeping,
    /// The same in words.
    pub received: String,
    /// Where its answers are filed (A14), in words.
    pub filed: String,
}

/// What a responder would answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// Its number.
    pub responder: u64,
    /// Whether it would answer now.
    pub answers: bool,
    /// That, and why not, in words.
    pub decision: String,
    /// From of the answer.
    pub from: Address,
    /// The sender name.
    pub from_name: String,
    /// To of the answer.
    pub to: Address,
    /// Subject.
    pub subject: String,
    /// Plain text; `None`: made from the HTML.
    pub text: Option<String>,
    /// HTML.
    pub html: Option<String>,
}

/// A mailing list and what is in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListView {
    /// The list.
    #[serde(flatten)]
    pub list: ListObject,
    /// Its members.
    pub members: usize,
    /// Those who get posts.
    pub active: usize,
    /// Messages that wait for a moderator.
    pub waiting: usize,
}

/// A member of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberView {
    /// Their address.
    pub address: Address,
    /// Their name.
    pub name: String,
    /// Whether posts are sent.
    pub state: MemberState,
    /// When they joined.
    pub joined_at: Timestamp,
    /// `fr` or `en`; `None`: the list's language.
    pub language: Option<String>,
    /// Whether their own posts come back to them.
    pub own_posts: bool,
    /// What came back: ten for each day with a hard bounce.
    pub bounce_tenths: u32,
    /// What moderators noted.
    pub note: String,
}

impl From<MemberRow> for MemberView {
    fn from(member: MemberRow) -> Self {
        Self {
            address: member.address,
            name: member.name,
            state: member.state,
            joined_at: member.joined_at,
            language: member.language,
            own_posts: member.own_posts,
            bounce_tenths: member.bounces.tenths,
            note: member.note,
        }
    }
}

/// What an import of members did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemberImport {
    /// Members added.
    pub added: usize,
    /// Those who were members already.
    pub present: usize,
}

/// A message that waits for a moderator.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WaitingView {
    /// Its number, for the decision.
    pub message: u32,
    /// Who wrote it, by its header.
    pub author: Option<Address>,
    /// Where it came from, in angle brackets.
    pub reverse_path: String,
    /// Its subject.
    pub subject: String,
    /// Its octets.
    pub octets: u64,
    /// Why it waits.
    pub reason: WaitReason,
    /// When it came.
    pub received_at: Timestamp,
    /// When it is refused by itself.
    pub expires: Timestamp,
}

/// An external account and how it stands. Of its password it is told only whether there is one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalView {
    /// Its number.
    pub id: u64,
    /// The account here that gets the mail.
    pub owner: Address,
    /// What its owner calls it.
    pub name: String,
    /// What the other server speaks.
    pub protocol: ExternalProtocol,
    /// The other server.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub security: ExternalSecurity,
    /// Whether certificates of its own are trusted, instead of the public ones.
    pub own_ca: bool,
    /// The login there.
    pub login: String,
    /// Whether there is a password.
    pub has_password: bool,
    /// Folders to fetch from; none: INBOX.
    pub folders: Vec<ExternalFolder>,
    /// The mailbox here.
    pub mailbox: String,
    /// Seconds from one look to the next.
    pub interval_secs: u64,
    /// What becomes of a message there.
    pub after_fetch: AfterFetch,
    /// Whether it is fetched.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// How far it is fetched, and what went wrong.
    pub status: FetchStatus,
}

/// What works with an external account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExternalTest {
    /// The steps that went well, in words.
    pub steps: Vec<String>,
    /// Why it went no further; `None`: all is well.
    pub failed: Option<String>,
}
