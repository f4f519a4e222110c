//! Connections for one attempt: new ones as the policies ask for, and one that is open already when it is as good as a new one.

use storage::rows::QueueRow;

use crate::Context;
use crate::client::session::{Broken, Dial, Session};
use crate::policy::Check;
use crate::policy::known::{Policies, how_it_went};
use crate::route::{Route, Target};

/// How an attempt comes to its sessions.
pub(crate) struct Opening<'a> {
    dial: Dial<'a>,
    /// `None` for a host that the settings name: they say all.
    policies: Option<Policies<'a>>,
}

impl<'a> Opening<'a> {
    /// For an entry on its route, with REQUIRETLS when it asks for that.
    pub(crate) fn new(context: &'a Context, route: &'a Route, row: &'a QueueRow) -> Self {
        let dial = Dial {
            world: &context.world,
            hostname: &context.settings.hostname,
            connectors: context.connectors(route),
            settings: &context.settings,
            given: route.smart_host(),
            require_tls: row.require_tls,
        };
        let policies = match route {
            Route::Mx(domain) => Some(Policies::new(context, domain, row)),
            Route::Host(_) | Route::Named(_) => None,
        };
        Self { dial, policies }
    }

    /// Whether it demands REQUIRETLS.
    pub(crate) fn requires_tls(&self) -> bool {
        self.dial.require_tls
    }

    /// From now on it does not.
    pub(crate) fn do_without_requiretls(&mut self) {
        self.dial.require_tls = false;
    }

    /// A new session.
    pub(crate) async fn open(&self, target: &Target) -> Result<Session, Broken> {
        let Some(policies) = &self.policies else { return self.dial.open(target, &Check::Opportunistic).await };
        let check = policies.of(target, self.dial.require_tls).await;
        let opened = match &check {
            Ok(check) => self.dial.open(target, check).await,
            Err(broken) => Err(broken.clone()),
        };
        let check = check.ok();
        let went = how_it_went(check.as_ref(), &opened);
        policies.count(target, check.as_ref(), went).await;
        opened
    }

    /// A session that is open already, if a message may go over it: its host still takes the destination's mail, and what the
    /// policies ask of a new connection now, and the message, holds of this one. Else it is ended.
    pub(crate) async fn usable(&self, idle: Session, targets: &[Target]) -> Option<Session> {
        let target = targets.iter().find(|target| target.host == idle.target.host);
        let takes = match (target, &self.policies) {
            (None, _) => false,
            (Some(_), None) => self.dial.takes(&idle, &Check::Opportunistic),
            (Some(target), Some(policies)) => {
                let check = policies.of(target, self.dial.require_tls).await;
                check.is_ok_and(|check| self.dial.takes(&idle, &check))
            }
        };
        if takes {
            return Some(idle);
        }
        tracing::debug!(host = %idle.target.host, "an open connection does not do for this message");
        idle.quit().await;
        None
    }
}
