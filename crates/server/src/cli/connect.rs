//! How a command reaches the store: through the server that has it open, or by opening it.

use std::sync::Arc;

use admin::{Request, Response};
use auth::{Authenticator, DirectoryAuthenticator};
use delivery::Delivery;
use fetch::Fetch;
use storage::StorageError;

use super::{Failure, no_runtime};
use crate::administration::{self, Credentials};
use crate::check::{self, Report};
use crate::config::Config;
use crate::socket::{self, Call};
use crate::{privileges, serve, store};

/// Carries out a request, as the system or as a person.
pub(super) fn ask(config: &Config, request: Request, credentials: Option<Credentials>) -> Result<Response, Failure> {
    let call = Call { credentials, request };
    runtime()?.block_on(async {
        if let Some(answer) = socket::call(&config.data_dir, &call).await? {
            return Ok(answer?);
        }
        let open = store::open_beside(config).await?;
        let logins = serve::login_settings(&config.security);
        let store = open.store.clone();
        let authenticator: Option<Arc<dyn Authenticator>> = match call.credentials {
            None => None,
            Some(_) => {
                let made = tokio::task::block_in_place(|| DirectoryAuthenticator::new(store, logins));
                Some(Arc::new(made.map_err(|error| Failure::new(format!("[security]: {error}")))?))
            }
        };
        let mut settings = administration::settings(config, authenticator);
        let delivery = Delivery::new(open.store.clone(), administration::delivery(config));
        // A key that can't be made, on a full disk, is in the way of nothing else.
        if let Ok(fetch) = Fetch::new(delivery, serve::fetch_settings(config)).await {
            settings.tester = Some(Arc::new(administration::Tester(fetch)));
        }
        let answer = socket::execute(&open.store, &settings, call).await;
        open.close().await?;
        Ok(answer?)
    })
}

/// Makes the store of a new configuration.
pub(super) fn make_store(config: &Config) -> Result<(), Failure> {
    runtime()?.block_on(async {
        privileges::become_owner(config)?;
        store::open_or_make(config).await?.close().await
    })
}

/// Verifies the store, which no server may have open: what it is in the middle of would look like damage.
pub(super) fn check(config: &Config, deep: bool) -> Result<Report, Failure> {
    runtime()?.block_on(async {
        let open = store::open_to_check(config).await?;
        let report = check::check(&open.store, deep).await;
        open.close().await?;
        report.map_err(|error| {
            let failure = Failure::new(format!("the check could not be completed: {error}"));
            if matches!(error, StorageError::Newer { .. }) {
                return failure.hint("run the version of Relais that wrote it, or a later one");
            }
            failure.hint(
                "the files themselves can't be read: restore a backup (docs/backup.md), and have the disk looked at",
            )
        })
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().map_err(|error| no_runtime(&error))
}
