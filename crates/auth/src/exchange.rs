//! SASL mechanisms that take several messages, or none that holds a password (RFC 4422): SCRAM, EXTERNAL, tokens.
//!
//! The protocols carry octets to and fro and know nothing of what is in them. Guarded as a login with a password is: failures
//! count, and what is not there gets the same answers as what is (RFC 5802 §9), with salts that stay the same for each name.

use std::net::IpAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use mail::Address;
use routing::objects::{AccountObject, ScramKey, ScramKeys, Service};
use world::BoxFuture;

use crate::AuthError;
use crate::bearer::{Bearer, Carrier};
use crate::directory::DirectoryAuthenticator;
use crate::limits::LOGIN_OCTETS_MAX;
use crate::scram::{ChannelBindings, ClientFirst, ScramFlaw, ScramHash, ServerFirst, keys_belong};

/// What an exchange knows of the connection that it runs over.
#[derive(Clone, Debug)]
pub struct Channel {
    /// Where the client is.
    pub remote: IpAddr,
    /// What it wants to use.
    pub service: Service,
    /// What `-PLUS` can bind to.
    pub bindings: ChannelBindings,
    /// The e-mail addresses in the client's certificate, which was verified; empty without one.
    pub certified: Vec<String>,
}

/// What is to be said next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SaslStep {
    /// This, and the client answers.
    Challenge(Vec<u8>),
    /// Nothing more: this is who it is.
    Done(Arc<AccountObject>),
}

/// Why an exchange has ended without a login.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SaslError {
    /// The client's message has not the form of the mechanism.
    #[error("the response has not the form of its mechanism")]
    Malformed,
    /// The client wants to act for somebody else.
    #[error("acting for somebody else is not possible")]
    OtherIdentity,
    /// It was refused, or could not be checked.
    #[error(transparent)]
    Auth(#[from] AuthError),
}

/// One exchange, from the client's first message on.
pub trait SaslExchange: Send {
    /// Takes the client's message. After an error or [`SaslStep::Done`] there is no further step.
    fn step<'a>(&'a mut self, response: &'a [u8]) -> BoxFuture<'a, Result<SaslStep, SaslError>>;
}

/// The mechanisms of exchanges, with what each is.
pub(crate) fn mechanism(name: &str) -> Option<Mechanism> {
    let scram = |hash, plus| Some(Mechanism::Scram { hash, plus });
    match name {
        "SCRAM-SHA-1" => scram(ScramHash::Sha1, false),
        "SCRAM-SHA-1-PLUS" => scram(ScramHash::Sha1, true),
        "SCRAM-SHA-256" => scram(ScramHash::Sha256, false),
        "SCRAM-SHA-256-PLUS" => scram(ScramHash::Sha256, true),
        "EXTERNAL" => Some(Mechanism::External),
        "OAUTHBEARER" => Some(Mechanism::Bearer(Carrier::OAuthBearer)),
        "XOAUTH2" => Some(Mechanism::Bearer(Carrier::XOAuth2)),
        _ => None,
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mechanism {
    Scram { hash: ScramHash, plus: bool },
    External,
    Bearer(Carrier),
}

impl Mechanism {
    /// Begins an exchange, if the connection has what it takes.
    pub(crate) fn begin(
        self,
        authenticator: &DirectoryAuthenticator,
        channel: Channel,
    ) -> Option<Box<dyn SaslExchange + '_>> {
        match self {
            Self::Scram { hash, plus } => {
                let able = authenticator.scram_iterations() > 0 && (!plus || !channel.bindings.is_empty());
                let state = State::Start;
                able.then(|| Box::new(Scram { authenticator, channel, hash, plus, state }) as Box<_>)
            }
            Self::Bearer(carrier) => {
                let issuer = authenticator.issuer()?;
                Some(Box::new(Bearer::new(authenticator, issuer, channel, carrier)))
            }
            Self::External => {
                let able = !channel.certified.is_empty();
                able.then(|| Box::new(External { authenticator, channel }) as Box<_>)
            }
        }
    }
}

struct Scram<'a> {
    authenticator: &'a DirectoryAuthenticator,
    channel: Channel,
    hash: ScramHash,
    plus: bool,
    state: State,
}

enum State {
    Start,
    Asked(Box<(ServerFirst, Named)>),
    Proved(Arc<AccountObject>),
    Over,
}

/// Whom the client has named.
pub(crate) struct Named {
    pub(crate) login: String,
    pub(crate) address: Address,
    /// When it may log in.
    pub(crate) account: Option<Arc<AccountObject>>,
    /// Why it may not, for the log.
    pub(crate) reason: String,
}

impl SaslExchange for Scram<'_> {
    fn step<'a>(&'a mut self, response: &'a [u8]) -> BoxFuture<'a, Result<SaslStep, SaslError>> {
        Box::pin(async move {
            match std::mem::replace(&mut self.state, State::Over) {
                State::Start => self.first(response).await,
                State::Asked(asked) => self.last(&asked.0, asked.1, response).await,
                // RFC 5802 §5: the client has seen the server's proof and says nothing more.
                State::Proved(account) if response.is_empty() => Ok(SaslStep::Done(account)),
                State::Proved(_) | State::Over => Err(SaslError::Malformed),
            }
        })
    }
}

impl Scram<'_> {
    async fn first(&mut self, response: &[u8]) -> Result<SaslStep, SaslError> {
        let first = ClientFirst::parse(response, self.plus, &self.channel.bindings).map_err(|flaw| self.flaw(flaw))?;
        let named = self.authenticator.named(&first.username, self.channel.remote, self.channel.service)?;
        let usable = named.account.as_ref().and_then(|account| {
            let hash = account.password_hash.as_ref()?;
            account.scram.clone().filter(|keys| keys_belong(keys, hash))
        });
        let keys = match usable {
            Some(keys) => keys,
            None => self.authenticator.nobodys_keys(&named.address, self.hash).await?,
        };
        let mut nonce = [0; 18];
        self.authenticator.fill(&mut nonce);
        let server = ServerFirst::new(first, self.hash, &keys, nonce);
        let message = server.message().as_bytes().to_vec();
        self.state = State::Asked(Box::new((server, named)));
        Ok(SaslStep::Challenge(message))
    }

    async fn last(&mut self, server: &ServerFirst, named: Named, response: &[u8]) -> Result<SaslStep, SaslError> {
        let (reason, error) = match server.check(response) {
            Ok(Some(proof)) if named.account.is_some() => {
                let account = self.authenticator.admit_proved(named, &self.channel).await?;
                self.state = State::Proved(account);
                return Ok(SaslStep::Challenge(proof.into_bytes()));
            }
            Ok(_) if named.account.is_some() => {
                ("the proof is wrong, or no keys for SCRAM are there yet".to_owned(), None)
            }
            Ok(_) => (named.reason.clone(), None),
            Err(flaw) => (flaw.to_string(), Some(flaw)),
        };
        let refused = self.authenticator.refuse(&named, &self.channel, &reason).await;
        Err(error.map_or(SaslError::Auth(refused), |flaw| self.flaw(flaw)))
    }

    fn flaw(&self, flaw: ScramFlaw) -> SaslError {
        match flaw {
            ScramFlaw::Malformed => SaslError::Malformed,
            ScramFlaw::OtherIdentity => SaslError::OtherIdentity,
            ScramFlaw::ChannelBinding => {
                tracing::warn!(remote = %self.channel.remote, %flaw, "login refused");
                SaslError::Auth(AuthError::Refused)
            }
        }
    }
}

/// RFC 4422, appendix A: TLS has told who it is.
struct External<'a> {
    authenticator: &'a DirectoryAuthenticator,
    channel: Channel,
}

impl SaslExchange for External<'_> {
    fn step<'a>(&'a mut self, response: &'a [u8]) -> BoxFuture<'a, Result<SaslStep, SaslError>> {
        Box::pin(async move {
            let wanted = str::from_utf8(response).map_err(|_| SaslError::Malformed)?;
            // RFC 4422 §A.1: without an authorisation identity, whoever the certificate names.
            let mut refusal = None;
            for name in &self.channel.certified {
                let Ok(named) = self.authenticator.named(name, self.channel.remote, self.channel.service) else {
                    continue;
                };
                if !wanted.is_empty() && !self.authenticator.is_login_of(wanted, named.account.as_deref()) {
                    refusal = Some((named, SaslError::OtherIdentity));
                } else if named.account.is_some() {
                    return Ok(SaslStep::Done(self.authenticator.admit_proved(named, &self.channel).await?));
                } else {
                    refusal = Some((named, SaslError::Auth(AuthError::Refused)));
                }
            }
            let Some((named, error)) = refusal else { return Err(SaslError::Auth(AuthError::Refused)) };
            let reason =
                if error == SaslError::OtherIdentity { "the certificate is of another" } else { &named.reason };
            self.authenticator.refuse(&named, &self.channel, reason).await;
            Err(error)
        })
    }
}

impl DirectoryAuthenticator {
    /// Whom a login means, once the guard lets it be tried.
    pub(crate) fn named(&self, login: &str, remote: IpAddr, service: Service) -> Result<Named, AuthError> {
        if login.len() > LOGIN_OCTETS_MAX {
            return Err(AuthError::Refused);
        }
        // What is no address can be nobody's login, which is no secret.
        let address = Address::parse(login.trim()).map_err(|_| AuthError::Refused)?.canonical();
        let (account, access) = self.account_and_access(&address, service);
        let address = account.as_ref().map_or(address, |account| account.address.canonical());
        self.admit(remote, &address, self.now())?;
        let reason = access.as_ref().err().cloned().unwrap_or_default();
        Ok(Named { login: login.to_owned(), address, account: account.filter(|_| access.is_ok()), reason })
    }

    /// Who has proved who they are; what was changed meanwhile counts.
    pub(crate) async fn admit_proved(&self, named: Named, channel: &Channel) -> Result<Arc<AccountObject>, AuthError> {
        let (account, access) = self.account_and_access(&named.address, channel.service);
        let same = |account: &Arc<AccountObject>| {
            named.account.as_ref().is_some_and(|before| before.password_hash == account.password_hash)
        };
        match (account.filter(same), access) {
            (Some(account), Ok(())) => {
                self.succeeded(channel.remote, &named.address);
                Ok(account)
            }
            (_, access) => {
                let reason = access.err().unwrap_or_else(|| "the account was changed meanwhile".to_owned());
                Err(self.refuse(&named, channel, &reason).await)
            }
        }
    }

    pub(crate) async fn refuse(&self, named: &Named, channel: &Channel, reason: &str) -> AuthError {
        self.fail(channel.remote, &named.login, &named.address, channel.service, reason).await
    }

    /// Whether a name is a login of an account.
    pub(crate) fn is_login_of(&self, name: &str, account: Option<&AccountObject>) -> bool {
        let Ok(address) = Address::parse(name.trim()) else { return false };
        account.is_some_and(|account| account.addresses().any(|own| own.canonical() == address.canonical()))
    }

    /// Keys that no password has, with a salt that stays the same for a name (RFC 5802 §9).
    async fn nobodys_keys(&self, address: &Address, hash: ScramHash) -> Result<ScramKeys, AuthError> {
        let secret = self.store().secret("scram").await.map_err(|error| {
            tracing::warn!(%error, "a key of the server could not be read");
            AuthError::Unavailable
        })?;
        let derive = |what: &str, octets: usize| {
            let mut out = vec![0; octets];
            let mut hasher = blake3::Hasher::new_keyed(&secret.0);
            hasher.update(what.as_bytes()).update(address.to_string().as_bytes()).finalize_xof().fill(&mut out);
            STANDARD.encode(out)
        };
        let octets = if hash == ScramHash::Sha1 { 20 } else { 32 };
        let key = ScramKey { stored: derive("stored:", octets), server: derive("server:", octets) };
        Ok(ScramKeys {
            of: String::new(),
            salt: derive("salt:", 16),
            iterations: self.scram_iterations(),
            sha1: key.clone(),
            sha256: key,
        })
    }
}
