//! How a command reaches the store: through the server that has it open, or by opening it.

use admin::{Request, Response};
use delivery::{Delivery, DeliverySettings};
use fetch::Fetch;
use storage::StorageError;

use super::{Failure, no_runtime};
use crate::check::{self, Report};
use crate::config::Config;
use crate::{privileges, request, serve, socket, store};

/// Carries out a request.
pub(super) fn ask(config: &Config, request: Request) -> Result<Response, Failure> {
    runtime()?.block_on(async {
        if let Some(answer) = socket::call(&config.data_dir, &request).await? {
            return Ok(answer?);
        }
        let open = store::open_beside(config).await?;
        let delivery = Delivery::new(
            open.store.clone(),
            DeliverySettings {
                hostname: config.hostname.clone(),
                message_octets_max: config.limits.message_octets_max,
            },
        );
        let answer = match Fetch::new(delivery, serve::fetch_settings(config)).await {
            Ok(fetch) => request::execute(&open.store, config.admin_settings(), &fetch, request).await,
            // A key that can't be made, on a full disk, is in the way of nothing else.
            Err(_) => admin::execute(&open.store, config.admin_settings(), request).await,
        };
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
            failure.hint("the files themselves can't be read: restore a backup, and have the disk looked at")
        })
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().map_err(|error| no_runtime(&error))
}
