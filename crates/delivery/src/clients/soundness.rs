//! Whether lists work (RFC 5782 §5): looked at when the server starts, every day, and in front of a use when the last look is an hour ago.
//!
//! A list that lists everything, or nothing, is switched off until it works again. One that was never seen to work says nothing.

use std::net::Ipv4Addr;
use std::time::Duration;

use mail::Timestamp;
use reputation::lists::{List, Unsound};
use world::ResolveError;

use super::{ASKED_FOR, Inner};

/// What is known of a list.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Health {
    /// Since when; `None`: it was never seen to answer.
    pub(super) tested: Option<Timestamp>,
    /// Why it is not used.
    pub(super) unsound: Option<Unsound>,
    /// When the log was last told that it says nothing that counts.
    warned: Option<Timestamp>,
    /// When somebody last looked.
    looked: Option<Timestamp>,
}

impl Inner {
    /// Whether a list may be asked. Who finds that nobody has looked at it for an hour looks, and the others go by what is known.
    pub(super) async fn is_sound(&self, list: usize) -> bool {
        let now = self.world.clock.now();
        let look = {
            let mut all = self.health.lock();
            let Some(health) = all.get_mut(list).filter(|health| health.tested.is_some()) else { return false };
            let lately = health.looked.is_some_and(|at| at <= now && now.since(at) < TRUSTED);
            if !lately {
                health.looked = Some(now);
            }
            !lately
        };
        if look {
            self.test(list).await;
        }
        self.health.lock().get(list).is_some_and(|health| health.tested.is_some() && health.unsound.is_none())
    }

    /// Looks at all lists.
    pub(super) async fn test_all(&self) {
        futures_util::future::join_all((0..self.settings.lists.len()).map(|list| self.test(list))).await;
    }

    /// Whether a list was never seen to answer.
    pub(super) fn any_untested(&self) -> bool {
        self.health.lock().iter().any(|health| health.tested.is_none())
    }

    async fn test(&self, list: usize) {
        let Some(settings) = self.settings.lists.get(list) else { return };
        let Some(points) = settings.test_points() else { return };
        let (listed, unlisted) = futures_util::join!(self.addresses(&points.listed), self.addresses(&points.unlisted));
        // What the DNS does not answer says nothing: what was known stays.
        let (Some(listed), Some(unlisted)) = (listed, unlisted) else {
            tracing::warn!(zone = %settings.zone, "a list in the DNS does not answer at its test points; it is tried again");
            return;
        };
        let unsound = List::tested(&listed, &unlisted).err();
        let mut all = self.health.lock();
        let Some(health) = all.get_mut(list) else { return };
        match (health.unsound, unsound) {
            (before, Some(why)) if before != Some(why) => {
                tracing::error!(zone = %settings.zone, %why, "a list in the DNS is not used");
            }
            (Some(_), None) => tracing::warn!(zone = %settings.zone, "a list in the DNS works again, and is used"),
            _ => {}
        }
        metrics::gauge!("relais_reputation_list_sound", "zone" => settings.zone.to_string())
            .set(if unsound.is_none() { 1.0 } else { 0.0 });
        let now = self.world.clock.now();
        (health.tested, health.looked) = (Some(now), Some(now));
        health.unsound = unsound;
    }

    /// The addresses of a name; `None`: the DNS does not answer.
    async fn addresses(&self, name: &mail::Domain) -> Option<Vec<Ipv4Addr>> {
        match self.world.timeout(ASKED_FOR, self.world.resolver.ipv4(name)).await {
            Ok(Ok(found)) => Some(found),
            Ok(Err(ResolveError::NoSuchName | ResolveError::NoRecords)) => Some(Vec::new()),
            Ok(Err(ResolveError::Temporary(_))) | Err(_) => None,
        }
    }

    /// A list says nothing that counts: the log is told once an hour.
    pub(super) fn complain(&self, list: usize, what: &str) {
        let now = self.world.clock.now();
        let mut all = self.health.lock();
        let Some(health) = all.get_mut(list) else { return };
        if health.warned.is_some_and(|at| at <= now && now.since(at) < TRUSTED) {
            return;
        }
        health.warned = Some(now);
        let zone = self.settings.lists.get(list).map(|list| list.zone.to_string()).unwrap_or_default();
        tracing::warn!(zone, "a list in the DNS {what}: it says nothing; this is told once an hour");
    }

    /// Why each list is not used; `None`: it is.
    pub(super) fn troubles(&self) -> Vec<Option<String>> {
        let trouble = |health: &Health| match (health.tested, health.unsound) {
            (_, Some(why)) => Some(why.to_string()),
            (None, None) => Some("its test points did not answer yet".to_owned()),
            (Some(_), None) => None,
        };
        self.health.lock().iter().map(trouble).collect()
    }

    /// What an administrator should know of lists.
    pub(super) fn notes(&self) -> Vec<String> {
        let lists = self.settings.lists.iter().zip(self.troubles());
        let note = |(list, trouble): (&List, Option<String>)| {
            trouble.map(|why| format!("the list {} is not used: {why}", list.zone))
        };
        lists.filter_map(note).collect()
    }
}

/// So long what was seen of a list is good for.
const TRUSTED: Duration = Duration::from_secs(3600);
