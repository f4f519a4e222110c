//! Logins against the accounts of the store.

use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::{Address, Timestamp};
use routing::may_log_in;
use routing::objects::{AccountObject, Object, ObjectKey, Service};
use storage::Store;
use storage::objects::PutMode;
use world::{BoxFuture, World};

use crate::cache::Cache;
use crate::exchange::{self, Channel, SaslExchange};
use crate::guard::{Guard, GuardSettings};
use crate::issuer::{Issuer, IssuerSettings, KeySource};
use crate::limits::{LOGIN_OCTETS_MAX, PASSWORD_OCTETS_MAX};
use crate::password::{HashError, Password, PasswordParams, hash_password};
use crate::pool::Pool;
use crate::scram::{keys_belong, scram_keys};
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
    /// Who hears of failures and successes, and may keep addresses out; `None`: nobody.
    door: Option<abuse::Door>,
    /// By which wrong passwords are known again. It is made anew at each start, and what it makes is kept in memory alone.
    fingerprints: RandomState,
    /// What stands in for the hash of an account that is not there. Nobody knows its password.
    nobodys_hash: String,
    /// See [`PasswordParams::scram_iterations`].
    scram_iterations: u32,
    /// Whose tokens let in.
    issuer: Option<Issuer>,
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
            door: None,
            fingerprints: RandomState::new(),
            scram_iterations: settings.password.scram_iterations,
            issuer: None,
            store,
            world,
        })
    }

    /// The same authenticator, which tells this door who fails and who logs in.
    #[must_use]
    pub fn watched_by(mut self, door: abuse::Door) -> Self {
        self.door = Some(door);
        self
    }

    /// The same authenticator, which also takes tokens of an issuer.
    #[must_use]
    pub fn with_issuer(mut self, settings: IssuerSettings, keys: Arc<dyn KeySource>) -> Self {
        self.issuer = Some(Issuer::new(settings, keys));
        self
    }

    async fn check(
        &self,
        login: &str,
        password: &str,
        remote: IpAddr,
        service: Service,
    ) -> Result<Arc<AccountObject>, AuthError> {
        if login.len() > LOGIN_OCTETS_MAX || password.len() > PASSWORD_OCTETS_MAX {
            return Err(AuthError::Refused);
        }
        // What is no address can be nobody's login, which is no secret, so it needs no hash to hide it.
        let Ok(address) = Address::parse(login.trim()).map(|address| address.canonical()) else {
            return Err(AuthError::Refused);
        };
        let (account, access) = self.account_and_access(&address, service);
        // Guesses at one account count together, by whichever of its addresses they come.
        let address = account.as_ref().map_or(address, |account| account.address.canonical());
        let now = self.world.clock.now();
        self.admit(remote, &address, now)?;
        let usable = account.filter(|_| access.is_ok());
        let hash = usable.as_ref().and_then(|account| account.password_hash.as_deref()).unwrap_or(&self.nobodys_hash);
        let name = address.to_string();
        if let Some(account) = usable.as_ref().filter(|_| self.cache.knows(&name, password, hash, now)) {
            return Ok(account.clone());
        }
        let right = self.pool.verify(Password::from(password), hash.to_owned()).await?;
        let now = self.world.clock.now();
        match usable {
            Some(account) if right => {
                // The check took its time: what was changed meanwhile counts.
                if let Err(reason) = self.account_and_access(&address, service).1 {
                    return Err(self.fail(remote, login, &address, service, &reason).await);
                }
                self.let_in(remote, &address, now);
                if let Some(hash) = &account.password_hash {
                    self.cache.keep(&name, password, hash, now);
                    self.learn_scram(&account, hash, password).await;
                }
                Ok(account)
            }
            Some(_) => {
                let reason = "the password is wrong";
                Err(self.fail_with(remote, login, &address, service, reason, Some(password)).await)
            }
            None => {
                let reason = access.err().unwrap_or_else(|| "there is no such account".to_owned());
                Err(self.fail_with(remote, login, &address, service, &reason, Some(password)).await)
            }
        }
    }

    /// Makes the keys for SCRAM of an account that has none for its password: from now on it can log in that way. What
    /// fails is done at the next login.
    async fn learn_scram(&self, account: &AccountObject, hash: &str, password: &str) {
        let known = account.scram.as_ref().is_some_and(|keys| keys_belong(keys, hash));
        if known || self.scram_iterations == 0 {
            return;
        }
        let (password, of) = (Password::from(password), hash.to_owned());
        let (iterations, chance) = (self.scram_iterations, Arc::clone(&self.world.chance));
        let keys = self.pool.run(move || scram_keys(password.expose(), &of, iterations, &*chance)).await;
        let Ok(Some(keys)) = keys else { return };
        let (objects, key, hash) = (self.store.objects(), account.address.canonical(), hash.to_owned());
        let kept = self.store.transact(move |tx| {
            let found = objects.get(tx, &ObjectKey::Account(key.clone()))?;
            if let Some(Object::Account(mut account)) = found
                && account.password_hash.as_ref() == Some(&hash)
            {
                account.scram = Some(keys.clone());
                objects.put(tx, Object::Account(account), PutMode::Replace)?;
            }
            Ok(())
        });
        if let Err(error) = kept.await {
            tracing::warn!(account = %account.address, %error, "the keys for SCRAM could not be kept");
        }
    }

    pub(crate) const fn issuer(&self) -> Option<&Issuer> {
        self.issuer.as_ref()
    }

    pub(crate) const fn scram_iterations(&self) -> u32 {
        self.scram_iterations
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.world.clock.now()
    }

    pub(crate) fn fill(&self, octets: &mut [u8]) {
        self.world.chance.fill(octets);
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    pub(crate) fn succeeded(&self, remote: IpAddr, address: &Address) {
        self.let_in(remote, address, self.now());
    }

    /// An account is let in: guard and door hear of it.
    fn let_in(&self, remote: IpAddr, address: &Address, now: Timestamp) {
        self.guard.succeeded(remote, address, now);
        if let Some(door) = &self.door {
            door.logged_in(remote, now);
        }
    }

    /// The account behind a login, and why it may not use the service.
    pub(crate) fn account_and_access(
        &self,
        login: &Address,
        service: Service,
    ) -> (Option<Arc<AccountObject>>, Result<(), String>) {
        let directory = self.store.directory();
        let Some(account) = directory.account_at(login) else {
            return (None, Err("there is no such account".to_owned()));
        };
        let access = may_log_in(&directory, account, service).map_err(|reason| reason.to_string());
        (Some(account.clone()), access)
    }

    pub(crate) fn admit(&self, remote: IpAddr, address: &Address, now: Timestamp) -> Result<(), AuthError> {
        self.guard.admit(remote, address, now).map_err(|retry_after| {
            tracing::warn!(%remote, login = %address, retry_secs = retry_after.as_secs(), "login refused by the guard");
            AuthError::TooManyFailures { retry_after }
        })
    }

    /// Counts a failure, tells the log why, and holds the answer back.
    pub(crate) async fn fail(
        &self,
        remote: IpAddr,
        login: &str,
        address: &Address,
        service: Service,
        reason: &str,
    ) -> AuthError {
        self.fail_with(remote, login, address, service, reason, None).await
    }

    /// The same, with the password, where it is known: the same again is no guess.
    async fn fail_with(
        &self,
        remote: IpAddr,
        login: &str,
        address: &Address,
        service: Service,
        reason: &str,
        password: Option<&str>,
    ) -> AuthError {
        let now = self.world.clock.now();
        let delay = self.guard.failed(remote, address, now);
        let Some(door) = &self.door else {
            tracing::warn!(%remote, login, account = %address, %service, reason, delay_ms = delay.as_millis(), "login failed");
            if !delay.is_zero() {
                self.world.clock.sleep(delay).await;
            }
            return AuthError::Refused;
        };
        let familiar = self.guard.is_familiar(remote, address, now);
        let guess = password.map(|password| self.fingerprints.hash_one((address, password)));
        let delay = delay.max(door.failed_login(remote, familiar, guess, now));
        // Too many answers wait already: this one does not, or waiting would be a way to use up the server's room.
        let held = if delay.is_zero() { None } else { door.hold() };
        if !delay.is_zero() {
            let outcome = if held.is_some() { "held" } else { "full" };
            metrics::counter!("relais_tarpit_total", "outcome" => outcome).increment(1);
        }
        let delay_ms = if held.is_some() { delay.as_millis() } else { 0 };
        tracing::warn!(%remote, login, account = %address, %service, reason, delay_ms, "login failed");
        if held.is_some() {
            self.world.clock.sleep(delay).await;
        }
        AuthError::Refused
    }

    async fn check_again(&self, account: &AccountObject, password: &str, remote: IpAddr) -> Result<(), AuthError> {
        let address = account.address.canonical();
        self.admit(remote, &address, self.world.clock.now())?;
        let hash = account.password_hash.as_ref().filter(|_| password.len() <= PASSWORD_OCTETS_MAX);
        let hash = hash.unwrap_or(&self.nobodys_hash);
        if self.pool.verify(Password::from(password), hash.clone()).await? && account.password_hash.is_some() {
            self.let_in(remote, &address, self.world.clock.now());
            return Ok(());
        }
        Err(self.fail(remote, &address.to_string(), &address, Service::Web, "the old password is wrong").await)
    }
}

impl Authenticator for DirectoryAuthenticator {
    fn authenticate<'a>(
        &'a self,
        login: &'a str,
        password: &'a str,
        remote: IpAddr,
        service: Service,
    ) -> BoxFuture<'a, Result<Arc<AccountObject>, AuthError>> {
        Box::pin(self.check(login, password, remote, service))
    }

    fn offers_scram(&self) -> bool {
        self.scram_iterations > 0
    }

    fn offers_tokens(&self) -> bool {
        self.issuer.is_some()
    }

    fn exchange<'a>(&'a self, mechanism: &str, channel: Channel) -> Option<Box<dyn SaslExchange + 'a>> {
        exchange::mechanism(mechanism)?.begin(self, channel)
    }

    fn confirm<'a>(
        &'a self,
        account: &'a AccountObject,
        password: &'a str,
        remote: IpAddr,
    ) -> BoxFuture<'a, Result<(), AuthError>> {
        Box::pin(self.check_again(account, password, remote))
    }
}

#[cfg(test)]
mod tests;
