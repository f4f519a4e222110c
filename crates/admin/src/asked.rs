//! What is asked for, and by whom: the permission holds when the edit begins, not only when the request came.
//!
//! Between the two a password may be hashed, or somebody else's edit awaited; meanwhile who asks may have lost their role,
//! and whom it is about may have got one.

use storage::Store;
use tokio::sync::MutexGuard;

use crate::actor::Actor;
use crate::error::{AdminError, ErrorKind};
use crate::may::{Denial, Permission, foreign, may, what_one_may};
use crate::request::Request;
use crate::settings::Settings;

/// A request on somebody's behalf.
pub(crate) struct Asked<'a> {
    store: &'a Store,
    settings: &'a Settings,
    pub(crate) actor: &'a Actor,
    request: Request,
}

impl<'a> Asked<'a> {
    /// A request that the actor may ask for as things are now; denied otherwise.
    pub(crate) fn new(
        store: &'a Store,
        settings: &'a Settings,
        actor: &'a Actor,
        request: &Request,
    ) -> Result<Self, AdminError> {
        let asked = Self { store, settings, actor, request: request.clone() };
        asked.permitted().map(|()| asked)
    }

    /// Begins the edit: nobody else edits until the guard is dropped, and who asks may still ask for it. Denied otherwise.
    pub(crate) async fn hold(&self) -> Result<MutexGuard<'a, ()>, AdminError> {
        let guard = self.settings.edits.hold().await;
        self.permitted().map(|()| guard)
    }

    fn permitted(&self) -> Result<(), AdminError> {
        match may(&self.store.directory(), self.actor, &self.request) {
            Permission::Allowed => Ok(()),
            Permission::Denied(denial) => {
                let mut message = denial.to_string();
                if denial == Denial::OtherDomain
                    && let Some(what) = foreign(&self.store.directory(), self.actor, &self.request)
                {
                    message = format!("{what} is not in a domain that you administer");
                }
                let error = AdminError::new(ErrorKind::Denied, message);
                Err(match what_one_may(&self.store.directory(), self.actor) {
                    Some(hint) => error.hint(hint),
                    None => error,
                })
            }
        }
    }
}
