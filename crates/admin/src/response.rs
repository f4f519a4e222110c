//! What is answered: [`Response`], and a file for each subject.

mod account;
mod alias;
mod connection;
mod domain;
mod event;
mod explanation;
mod external;
mod filters;
mod group;
mod list;
mod password;
mod queue;
mod responder;

use routing::objects::{GroupObject, Identity, PatternAlias};
use serde::{Deserialize, Serialize};
use storage::contacts::Contact;
use storage::suppressed::Suppressed;
use storage::trace::Trace;

use crate::ban::VisitorView;
use crate::discovery::records::RecordsView;
use crate::dkim::SigningKeyView;
use crate::outside::OutsideFilterView;
use crate::reports::{DmarcReportsView, TlsReportsView};
use crate::reputation::{GreylistView, ReputationView};
use crate::shared::{AclView, SharedView};
use crate::spam::{SpamExplanation, SpamStatusView};
use crate::webhook::WebhookView;

pub use account::{AccountView, ImportReport, Leading, OffBoardingReport, OffBoardingView, Redirect, SubmittedView};
pub use alias::{AliasView, FirstUseView, PatternTest};
pub use connection::{ConnectionView, Endpoint};
pub use domain::DomainView;
pub use event::EventView;
pub use explanation::Explanation;
pub use external::{ExternalTest, ExternalView};
pub use filters::{FilterMatches, FilterTest, FilterVerdicts, FilterView, FiltersApplied, MatchedMessage};
pub use group::GroupView;
pub use list::{ListView, MemberImport, MemberView, WaitingView};
pub use password::StrengthView;
pub use queue::{QueueEntryView, QueueRecipientView, QueueWaitsFor};
pub use responder::{Preview, ResponderView};

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
    Group(Box<GroupView>),
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
    /// A filter.
    Filter(Box<FilterView>),
    /// The filters of an account, in their order.
    Filters(Vec<FilterView>),
    /// What filters match.
    FilterTest(Box<FilterTest>),
    /// What filters did.
    FiltersApplied(Box<FiltersApplied>),
    /// Contacts.
    Contacts(Vec<Contact>),
    /// What the content filter has learnt, and what is set.
    SpamStatus(Box<SpamStatusView>),
    /// What it says of a message.
    SpamExplanation(Box<SpamExplanation>),
    /// What is known of a client or a sender.
    Reputation(Box<ReputationView>),
    /// Who is asked to come again, and who has.
    Greylist(Box<GreylistView>),
    /// How outside filters do, in the order in which they are asked.
    OutsideFilters(Vec<OutsideFilterView>),
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
    /// Addresses on the suppression list.
    Suppressions(Vec<Suppressed>),
    /// Who is kept out.
    Bans(Vec<abuse::Ban>),
    /// What is known of an address.
    Visitor(Box<VisitorView>),
    /// A webhook.
    Webhook(Box<WebhookView>),
    /// Webhooks.
    Webhooks(Vec<WebhookView>),
    /// What happened to messages.
    Traces(Vec<Trace>),
    /// What other servers report on mail from domains here.
    DmarcReports(Vec<DmarcReportsView>),
    /// What they report on TLS towards them.
    TlsReports(Vec<TlsReportsView>),
    /// The keys that sign a domain's mail.
    SigningKeys(Vec<SigningKeyView>),
    /// Records by which mail programs find the server.
    Records(RecordsView),
    /// What would happen to a message.
    Explanation(Box<Explanation>),
    /// Done; what was removed or changed, in words.
    Done(String),
}
