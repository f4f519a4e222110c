//! What an administrator can ask for, as typed values, and the one place that knows the rules.
//!
//! A [`Request`] goes in, a [`Response`] or an [`AdminError`] comes out, all of them as JSON too: the command line runs
//! them on a store that it opens itself, or sends them to the server that has it open. Nothing else edits objects, so
//! nothing else checks names, passwords, redirects or what still hangs on what is to be removed.
//!
//! Each request has an [`Actor`], and [`may`] decides whether it is carried out: the only place that knows roles.
//!
//! An error is for the person who asked: it says what is wrong, names what is near, and tells what to do.

mod account;
mod actor;
mod alias;
mod asked;
mod ban;
mod ban_reach;
mod contact;
pub mod discovery;
mod dkim;
mod domain;
mod error;
mod event;
mod explain;
mod external;
mod filters;
mod group;
mod letters;
pub mod limits;
mod list;
mod may;
mod memberships;
mod outside;
mod pattern;
mod queue_cancel;
mod queue_entry;
mod queue_why;
mod references;
mod reindex;
mod reports;
mod reputation;
mod request;
mod responder;
mod response;
mod scope;
mod settings;
mod shared;
mod spam;
mod suppression;
mod taken_back;
mod terms;
mod trace;
mod warnings;
mod webhook;

use storage::Store;

use asked::Asked;

pub use self::reputation::{GreylistRequest, GreylistView, ReputationRequest, ReputationView, StandingView};
pub use self::spam::{ExplainedMessage, SpamExplanation, SpamRequest, SpamStatusView};
pub use account::departures;
pub use actor::Actor;
pub use ban::{BanRequest, VisitorView};
pub use dkim::{DkimRequest, SigningKeyView};
pub use error::{AdminError, ErrorKind};
pub use may::{Denial, Permission, may};
pub use outside::{OutsideFilterView, OutsideWord};
pub use reports::{DmarcReportsView, DmarcSourceView, ReportRequest, ReportsOn, TlsFailureView, TlsReportsView};
pub use request::{
    AccountRequest, AliasRequest, ContactRequest, DomainContent, DomainRequest, Edit, EventId, EventRequest,
    EventSelection, ExternalContent, ExternalRequest, FilterContent, FilterRequest, GroupContent, GroupRequest,
    IdentityRequest, Leaving, ListContent, ListRequest, MemberContent, NewAccount, NewMember, PatternRequest,
    PreviewRequest, QueueFilter, QueueRequest, QueueSelection, Request, ResponderContent, ResponderRequest,
    SubmissionEdit, SupposedMessage,
};
pub use response::{
    AccountView, AliasView, ConnectionView, DomainView, Endpoint, EventView, Explanation, ExternalTest, ExternalView,
    FilterMatches, FilterTest, FilterVerdicts, FilterView, FiltersApplied, FirstUseView, GroupView, ImportReport,
    Leading, ListView, MatchedMessage, MemberImport, MemberView, OffBoardingReport, OffBoardingView, PatternTest,
    Preview, QueueEntryView, QueueRecipientView, QueueWaitsFor, Redirect, ResponderView, Response, StrengthView,
    SubmittedView, WaitingView,
};
pub use settings::{ConnectionSettings, EditLock, ExternalTester, OutsideStatus, Places, Settings};
pub use shared::{AclRequest, AclView, NewShared, SharedRequest, SharedView};
pub use suppression::SuppressionRequest;
pub use terms::Terms;
pub use trace::TraceRequest;
pub use webhook::{WebhookRequest, WebhookView};

/// Carries out a request, when the actor may ask for it.
///
/// # Errors
/// [`AdminError`], in words for the person who asked. Nothing is changed then, except for an import or a removal with
/// force, which are many transactions: what came before the error stays done, and doing it again goes on from there.
pub async fn execute(
    store: &Store,
    settings: &Settings,
    actor: &Actor,
    request: Request,
) -> Result<Response, AdminError> {
    let asked = Asked::new(store, settings, actor, &request)?;
    let response = carried_out(store, settings, &asked, request).await;
    let response = response.map_err(|error| error.with_reserve(settings.free_space_reserve_mib))?;
    scope::scoped(&store.directory(), actor, response)
}

async fn carried_out(
    store: &Store,
    settings: &Settings,
    asked: &Asked<'_>,
    request: Request,
) -> Result<Response, AdminError> {
    let response = match request {
        Request::Domain(request) => {
            let _edit = asked.hold().await?;
            domain::execute(store, settings, request).await?
        }
        Request::Account(request) => account::execute(store, settings, asked, request).await?,
        Request::Alias(request) => {
            let _edit = asked.hold().await?;
            alias::execute(store, request).await?
        }
        Request::Shared(request) => shared::execute(store, settings, asked, request).await?,
        Request::Acl(request) => {
            let _edit = asked.hold().await?;
            shared::acl(store, request).await?
        }
        Request::Group(request) => {
            let _edit = asked.hold().await?;
            group::execute(store, request).await?
        }
        Request::List(request) => {
            let _edit = asked.hold().await?;
            list::execute(store, asked.actor, *request).await?
        }
        Request::Responder(request) => {
            let _edit = asked.hold().await?;
            responder::execute(store, settings, request).await?
        }
        Request::External(request) => {
            // Trying one takes the time of another server: nobody waits for that.
            let tries = matches!(*request, ExternalRequest::Test { .. });
            let _edit = if tries { None } else { Some(asked.hold().await?) };
            external::execute(store, settings, *request).await?
        }
        Request::Filter(request) => filters::execute(store, asked, request).await?,
        Request::Contact(request) => {
            let _edit = asked.hold().await?;
            contact::execute(store, request).await?
        }
        Request::Spam(request) => spam::execute(store, settings, request).await?,
        Request::Reputation(request) => reputation::execute(store, settings, request).await?,
        Request::Greylist(request) => reputation::greylist(store, request).await?,
        Request::Outside => outside::execute(settings)?,
        Request::Queue(request) => queue_entry::execute(store, settings, request).await?,
        Request::Event(request) => event::execute(store, request).await?,
        Request::Suppression(request) => suppression::execute(store, request).await?,
        Request::Ban(request) => ban::execute(store, settings, request).await?,
        Request::Webhook(request) => webhook::execute(store, settings, request).await?,
        Request::Trace(request) => trace::execute(store, asked.actor, *request).await?,
        Request::Report(request) => reports::execute(store, request).await?,
        Request::Reindex { account } => reindex::execute(store, account).await?,
        Request::Explain { from, to, account, octets, message } => {
            let told = explain::explain(store, settings, &from, &to, account.as_ref(), octets, &message).await?;
            Response::Explanation(Box::new(told))
        }
    };
    Ok(response)
}

#[cfg(test)]
mod tests;
