//! Carries out a request: `admin` does, but for what needs a role beside it.

use admin::{AdminError, ErrorKind, ExternalRequest, ExternalTest, Request, Response};
use fetch::Fetch;
use storage::Store;

/// Carries out a request on an open store.
pub(crate) async fn execute(
    store: &Store,
    settings: admin::Settings,
    fetch: &Fetch,
    request: Request,
) -> Result<Response, AdminError> {
    if let Request::External(external) = &request
        && let ExternalRequest::Test { id } = **external
    {
        return test(store, fetch, id).await;
    }
    admin::execute(store, settings, request).await
}

async fn test(store: &Store, fetch: &Fetch, id: u64) -> Result<Response, AdminError> {
    let external = store.directory().external(id).cloned();
    let external = external.ok_or_else(|| AdminError {
        kind: ErrorKind::NotFound,
        message: format!("there is no external account {id}"),
        hint: Some("`relais external list` shows those there are".to_owned()),
    })?;
    let (steps, failed) = fetch.test(&external).await;
    Ok(Response::ExternalTest(ExternalTest { steps, failed }))
}
