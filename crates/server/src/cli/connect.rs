//! How a command reaches the store: through the server that has it open, or by opening it.

use admin::{Request, Response};

use super::Failure;
use crate::check::{self, Report};
use crate::config::Config;
use crate::{privileges, socket, store};

/// Carries out a request.
pub(super) fn ask(config: &Config, request: Request) -> Result<Response, Failure> {
    runtime()?.block_on(async {
        if let Some(answer) = socket::call(&config.data_dir, &request).await? {
            return Ok(answer?);
        }
        let open = store::open_beside(config).await?;
        let settings = admin::Settings { password: config.security.password_params() };
        let answer = admin::execute(&open.store, settings, request).await;
        open.close().await?;
        Ok(answer?)
    })
}

/// Makes the store of a new configuration.
pub(super) fn make_store(config: &Config) -> Result<(), Failure> {
    runtime()?.block_on(async {
        privileges::become_user(&config.run_as_user)?;
        store::open(config).await?.close().await
    })
}

/// Verifies the store, which no server may have open: what it is in the middle of would look like damage.
pub(super) fn check(config: &Config, deep: bool) -> Result<Report, Failure> {
    runtime()?.block_on(async {
        let open = store::open_beside(config).await?;
        let report = check::check(&open.store, deep).await;
        open.close().await?;
        report.map_err(|error| Failure::new(format!("the check could not be completed: {error}")))
    })
}

fn runtime() -> Result<tokio::runtime::Runtime, Failure> {
    let mut builder = tokio::runtime::Builder::new_multi_thread();
    builder.worker_threads(2).enable_all().build().map_err(|error| Failure::new(format!("no runtime: {error}")))
}
