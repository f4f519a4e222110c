//! Who is this? Logins and passwords against the directory.
//!
//! A login is any address of an account (R5), in any case. Passwords are Argon2id in PHC form; they are checked on a
//! bounded pool, because one check takes tens of milliseconds and megabytes on purpose. Three things stand around it:
//!
//! - a **cache** of recent successes, so that a client that logs in every minute costs one hash in a few minutes;
//! - a **guard** against guessing, per remote address and per account, whose refusals grow and end by themselves;
//! - **equal work**: an unknown or disabled account, or one from which the service is withdrawn (M6), costs what a known
//!   one costs, and gets the same answer; the log tells which it was.
//!
//! Tokens of an issuer are believed by its signature alone ([`Token`], RFC 7628). Beside that, [`Sealer`] keeps the passwords that the server itself has to say elsewhere.
//!
//! **Invariant:** a password is wiped after use, is never printed and never compared but through its hash.

mod bearer;
mod cache;
mod certificate;
mod channel;
mod directory;
mod exchange;
#[doc(hidden)]
pub mod fuzzing;
mod guard;
mod issuer;
mod jwt;
pub mod limits;
mod password;
mod pool;
mod scram;
mod sealed;
mod strength;
mod url_token;

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use routing::objects::{AccountObject, Service};
use world::BoxFuture;

pub use certificate::{email_addresses, end_point_binding};
pub use channel::TlsChannel;
pub use directory::{DirectoryAuthenticator, Settings};
pub use exchange::{Channel, SaslError, SaslExchange, SaslStep};
pub use guard::GuardSettings;
pub use issuer::{IssuerSettings, KeySource};
pub use jwt::{KeySet, KeySetFlaw, Token, TokenFlaw, TokenRules};
pub use password::{HashError, Password, PasswordParams, generate_password, hash_password, is_password_hash, verify};
pub use scram::{ChannelBindings, ClientFirst, ScramFlaw, ScramHash, ServerFirst, keys_belong, scram_keys};
pub use sealed::{SealError, Sealer};
pub use strength::{PasswordFlaw, PasswordRules, Strength, check_password, estimate};
pub use url_token::{is_url_token, url_token};

/// Why somebody was not let in. The texts are public and tell nothing about the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// Login or password is wrong, or the account may not log in; which of them is not told.
    #[error("login or password is wrong")]
    Refused,
    /// Too many failures from this address or for this account; nothing was checked.
    #[error("too many failed logins, try again later")]
    TooManyFailures {
        /// When trying again makes sense.
        retry_after: Duration,
    },
    /// The check could not be made now.
    #[error("logging in is not possible now, try again later")]
    Unavailable,
}

/// Checks logins. What protocol crates hold.
pub trait Authenticator: Send + Sync {
    /// Who has this login and password, asked from a remote address by a service?
    ///
    /// May take its time: after several failures the answer is held back.
    fn authenticate<'a>(
        &'a self,
        login: &'a str,
        password: &'a str,
        remote: IpAddr,
        service: Service,
    ) -> BoxFuture<'a, Result<Arc<AccountObject>, AuthError>>;

    /// Whether the mechanisms of SCRAM can be had.
    fn offers_scram(&self) -> bool {
        false
    }

    /// Whether tokens of an issuer let in (OAUTHBEARER, XOAUTH2).
    fn offers_tokens(&self) -> bool {
        false
    }

    /// Begins a login that takes more than a name and a password: by SCRAM, by SCRAM bound to the channel, by the client's
    /// certificate (`EXTERNAL`), by a token of an issuer. `None` when the mechanism can't be had, at all or over this channel.
    fn exchange<'a>(&'a self, mechanism: &str, channel: Channel) -> Option<Box<dyn SaslExchange + 'a>> {
        let _ = (mechanism, channel);
        None
    }

    /// Whether this is the account's password, asked by who is in already, before something that matters (a change of the
    /// password). Guarded as a login is.
    fn confirm<'a>(
        &'a self,
        account: &'a AccountObject,
        password: &'a str,
        remote: IpAddr,
    ) -> BoxFuture<'a, Result<(), AuthError>>;
}
