//! Logins against the accounts of the store.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::Address;
use routing::objects::{AccountKind, AccountObject};
use storage::Store;
use world::{BoxFuture, World};

use crate::cache::Cache;
use crate::guard::{Guard, GuardSettings};
use crate::limits::{LOGIN_OCTETS_MAX, PASSWORD_OCTETS_MAX};
use crate::password::{HashError, Password, PasswordParams, hash_password};
use crate::pool::Pool;
use crate::{AuthError, Authenticator};

/// What an administrator decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What a hash costs; an unknown login costs as much.
    pub password: PasswordParams,
    /// Password checks that run at a time.
    pub checks_at_once: usize,
    /// How long a success is remembered. Zero: not at all.
    pub success_remembered: Duration,
    /// The guard against guessing.
    pub guard: GuardSettings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            password: PasswordParams::default(),
            checks_at_once: 2,
            success_remembered: Duration::from_secs(5 * 60),
            guard: GuardSettings::default(),
        }
    }
}

/// Checks logins against the accounts of a store.
pub struct DirectoryAuthenticator {
    store: Store,
    world: World,
    pool: Pool,
    cache: Cache,
    guard: Guard,
    /// What stands in for the hash of an account that is not there. Nobody knows its password.
    nobodys_hash: String,
}

impl DirectoryAuthenticator {
    /// An authenticator over a store. Hashes once, so it takes a moment.
    ///
    /// # Errors
    /// When Argon2 doesn't take the parameters.
    pub fn new(store: Store, settings: Settings) -> Result<Self, HashError> {
        let world = store.world().clone();
        let mut unknown = [0; 32];
        world.chance.fill(&mut unknown);
        let unknown: String = unknown.iter().map(|byte| format!("{byte:02x}")).collect();
        Ok(Self {
            nobodys_hash: hash_password(&unknown, settings.password, &*world.chance)?,
            pool: Pool::new(settings.checks_at_once),
            cache: Cache::new(settings.success_remembered, &*world.chance),
            guard: Guard::new(settings.guard),
            store,
            world,
        })
    }

    async fn check(&self, login: &str, password: &str, remote: IpAddr) -> Result<Arc<AccountObject>, AuthError> {
        if login.len() > LOGIN_OCTETS_MAX || password.len() > PASSWORD_OCTETS_MAX {
            return Err(AuthError::Refused);
        }
        // What is no address can be nobody's login, which is no secret, so it needs no hash to hide it.
        let Ok(address) = Address::parse(login.trim()).map(|address| address.canonical()) else {
            return Err(AuthError::Refused);
        };
        let now = self.world.clock.now();
        if let Err(retry_after) = self.guard.admit(remote, &address, now) {
            tracing::warn!(%remote, login = %address, retry_secs = retry_after.as_secs(), "login refused by the guard");
            return Err(AuthError::TooManyFailures { retry_after });
        }
        let account = self.store.directory().account(&address).cloned();
        let person = account.filter(|account| account.kind == AccountKind::Person);
        let usable = person.filter(|account| account.enabled && account.password_hash.is_some());
        let hash = usable.as_ref().and_then(|account| account.password_hash.as_deref()).unwrap_or(&self.nobodys_hash);
        let name = address.to_string();
        if let Some(account) = usable.as_ref().filter(|_| self.cache.knows(&name, password, hash, now)) {
            return Ok(account.clone());
        }
        let right = self.pool.verify(Password::from(password), hash.to_owned()).await?;
        let now = self.world.clock.now();
        match usable {
            Some(account) if right => {
                self.guard.succeeded(remote, &address, now);
                if let Some(hash) = &account.password_hash {
                    self.cache.keep(&name, password, hash, now);
                }
                Ok(account)
            }
            _ => {
                let delay = self.guard.failed(remote, &address, now);
                tracing::warn!(%remote, login = %address, delay_ms = delay.as_millis(), "login failed");
                if !delay.is_zero() {
                    self.world.clock.sleep(delay).await;
                }
                Err(AuthError::Refused)
            }
        }
    }
}

impl Authenticator for DirectoryAuthenticator {
    fn authenticate<'a>(
        &'a self,
        login: &'a str,
        password: &'a str,
        remote: IpAddr,
    ) -> BoxFuture<'a, Result<Arc<AccountObject>, AuthError>> {
        Box::pin(self.check(login, password, remote))
    }
}

#[cfg(test)]
mod tests;
