//! What an administrator can ask for, as typed values, and the one place that knows the rules.
//!
//! A [`Request`] goes in, a [`Response`] or an [`AdminError`] comes out, all of them as JSON too: the command line runs
//! them on a store that it opens itself, or sends them to the server that has it open. Nothing else edits objects, so
//! nothing else checks names, passwords, redirects or what still hangs on what is to be removed.
//!
//! An error is for the person who asked: it says what is wrong, names what is near, and tells what to do.

mod account;
mod alias;
mod contact;
mod domain;
mod error;
mod event;
mod explain;
mod external;
mod group;
pub mod limits;
mod list;
mod pattern;
mod queue_entry;
mod request;
mod responder;
mod response;
mod terms;

use auth::PasswordParams;
use storage::Store;

pub use error::{AdminError, ErrorKind};
pub use request::{
    AccountRequest, AliasRequest, ContactRequest, DomainContent, DomainRequest, Edit, EventId, EventRequest,
    EventSelection, ExternalContent, ExternalRequest, GroupContent, GroupRequest, ListContent, ListRequest,
    MemberContent, NewAccount, NewMember, PatternRequest, PreviewRequest, QueueRequest, QueueSelection, Request,
    ResponderContent, ResponderRequest,
};
pub use response::{
    AccountView, AliasView, DomainView, EventView, Explanation, ExternalTest, ExternalView, FirstUseView, ImportReport,
    ListView, MemberImport, MemberView, PatternTest, Preview, QueueEntryView, QueueRecipientView, ResponderView,
    Response, WaitingView,
};
pub use terms::Terms;

/// What carrying out requests depends on beside the store.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// What new password hashes cost.
    pub password: PasswordParams,
    /// External accounts that one account may have.
    pub externals_per_account_max: usize,
    /// The shortest time between two looks at an external account, in seconds.
    pub external_interval_secs_min: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self { password: PasswordParams::default(), externals_per_account_max: 10, external_interval_secs_min: 60 }
    }
}

/// Carries out a request.
///
/// # Errors
/// [`AdminError`], in words for the person who asked. Nothing is changed then, except for an import or a removal with
/// force, which are many transactions: what came before the error stays done, and doing it again goes on from there.
pub async fn execute(store: &Store, settings: Settings, request: Request) -> Result<Response, AdminError> {
    match request {
        Request::Domain(request) => domain::execute(store, request).await,
        Request::Account(request) => account::execute(store, settings, request).await,
        Request::Alias(request) => alias::execute(store, request).await,
        Request::Group(request) => group::execute(store, request).await,
        Request::List(request) => list::execute(store, *request).await,
        Request::Responder(request) => responder::execute(store, request).await,
        Request::External(request) => external::execute(store, settings, *request).await,
        Request::Contact(request) => contact::execute(store, request).await,
        Request::Queue(request) => queue_entry::execute(store, request).await,
        Request::Event(request) => event::execute(store, request).await,
        Request::Explain { from, to, account, octets } => {
            let told = explain::explain(store, &from, &to, account.as_ref(), octets)?;
            Ok(Response::Explanation(Box::new(told)))
        }
    }
}

#[cfg(test)]
mod tests;
