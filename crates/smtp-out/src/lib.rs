//! SMTP out: takes the queue's entries to their destinations.
//!
//! Promises: an entry is attempted by one connection at a time; each recipient ends exactly once, in one transaction
//! with the DSN that tells of it; a crash at any point leaves each recipient delivered or queued. A reply that never
//! came after the final dot is temporary, so a second copy is possible there, and only there, by SMTP's nature
//! (RFC 1047).
//!
//! The way of an entry: [`runner`] claims it when it is due, [`attempt`] walks the hosts that [`route`] names, with a
//! [`client`] session each, and [`settle`] writes what `queue` decides. RFC 5321, RFC 3461, RFC 7505, RFC 3207.

mod attempt;
mod backlog;
mod client;
mod destination;
#[doc(hidden)]
pub mod fuzzing;
pub mod limits;
mod metrics;
mod names;
mod noted;
mod opening;
mod policy;
mod release;
mod route;
mod runner;
mod schedule;
mod settings;
mod settle;
#[cfg(test)]
mod tests;
mod tls;

use std::collections::HashMap;
use std::sync::Arc;

use bus::Bus;
use delivery::Delivery;
use queue::Routes;
use storage::Store;
use tokio_util::sync::CancellationToken;
use world::World;
use world::https::{Https, HttpsClient, RootsError};

pub use settings::{Dane, IpFamily, Login, NamedHost, Roots, Secret, SmartHost, SmtpOutSettings, TlsMode, TlsPolicy};

/// The sending side of the server. Clones share it.
#[derive(Clone)]
pub struct SmtpOut(Arc<Context>);

/// What every part of it needs.
pub(crate) struct Context {
    pub(crate) bus: Bus,
    pub(crate) delivery: Delivery,
    pub(crate) store: Store,
    pub(crate) world: World,
    pub(crate) settings: SmtpOutSettings,
    pub(crate) connectors: tls::Connectors,
    pub(crate) sts: policy::known::StsPolicies,
    /// For routes that trust somebody else, by their names.
    pub(crate) connectors_of_routes: HashMap<String, tls::Connectors>,
    /// The ways that the settings name.
    pub(crate) routes: Routes,
}

impl Context {
    /// Whom to trust on a route.
    pub(crate) fn connectors(&self, route: &route::Route) -> &tls::Connectors {
        let own = match route {
            route::Route::Named(named) => self.connectors_of_routes.get(&named.route.name),
            route::Route::Mx(_) | route::Route::Host(_) => None,
        };
        own.unwrap_or(&self.connectors)
    }
}

/// Settings that can't be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// A given root certificate is none.
    #[error("the certificates to trust can't be used: {0}")]
    Roots(#[from] rustls::Error),
    /// The same, of those for MTA-STS.
    #[error(transparent)]
    FurtherRoots(#[from] RootsError),
    /// The server's name is too long for an address.
    #[error("postmaster@ and the server's name make no address")]
    Hostname,
}

impl SmtpOut {
    /// The sending side for a store, with these settings.
    ///
    /// # Errors
    /// When the settings can't be used.
    pub fn new(bus: Bus, delivery: Delivery, settings: SmtpOutSettings) -> Result<Self, SettingsError> {
        let world = delivery.store().world().clone();
        let https = HttpsClient::new(world, &settings.tls.further_roots)?;
        Self::with_https(bus, delivery, settings, Arc::new(https))
    }

    /// As [`SmtpOut::new`], with this client for MTA-STS.
    ///
    /// # Errors
    /// When the settings can't be used.
    pub fn with_https(
        bus: Bus,
        delivery: Delivery,
        settings: SmtpOutSettings,
        https: Arc<dyn Https>,
    ) -> Result<Self, SettingsError> {
        let clock = Arc::clone(&delivery.store().world().clock);
        let further = &settings.tls.further_roots;
        let connectors = tls::Connectors::new(&settings.roots, further, Arc::clone(&clock))?;
        let mut connectors_of_routes = HashMap::new();
        for named in &settings.named {
            if let Some(roots) = &named.roots {
                let own = tls::Connectors::new(roots, further, Arc::clone(&clock))?;
                connectors_of_routes.insert(named.route.name.clone(), own);
            }
        }
        let routes = settings.routes();
        let sts = policy::known::StsPolicies::new(https);
        delivery.postmaster().ok_or(SettingsError::Hostname)?;
        let store = delivery.store().clone();
        let world = store.world().clone();
        let context = Context { bus, delivery, store, world, settings, connectors, connectors_of_routes, routes, sts };
        Ok(Self(Arc::new(context)))
    }

    /// Works until `stop`; then messages on their way come to their end, for as long as the settings grant, and
    /// everything else stays queued.
    pub async fn run(&self, stop: CancellationToken) {
        runner::run(Arc::clone(&self.0), stop).await;
    }
}
