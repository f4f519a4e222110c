//! What administrative requests need of this server: settings for `admin`, and who asks.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;

use admin::{Actor, AdminError, ConnectionSettings, ErrorKind, Places};
use auth::{AuthError, Authenticator, Password, PasswordRules};
use delivery::DeliverySettings;
use routing::objects::Service;
use serde::{Deserialize, Serialize};

use crate::config::{Config, Endpoint};

/// The settings of `admin` that a configuration describes.
pub(crate) fn settings(config: &Config, authenticator: Option<Arc<dyn Authenticator>>) -> admin::Settings {
    let (accounts, listeners, security) = (&config.accounts, &config.listeners, &config.security);
    let port = |endpoints: &[Endpoint]| endpoints.first().map(|endpoint| endpoint.0.port());
    admin::Settings {
        password: security.password_params(),
        rules: PasswordRules {
            characters_min: usize::try_from(security.password_characters_min).unwrap_or(usize::MAX),
            strength_min: security.password_strength_min,
        },
        places: Places { per_domain_max: accounts.per_domain_max, per_owner_max: accounts.per_owner_max },
        connection: ConnectionSettings {
            host: match accounts.public_host.as_str() {
                "" => config.hostname.to_string(),
                host => host.to_owned(),
            },
            imaps: port(&listeners.imaps),
            imap: port(&listeners.imap),
            submissions: port(&listeners.submissions),
            submission: port(&listeners.submission),
            webmail: accounts.webmail_url.clone(),
            web: if listeners.web.is_empty() { String::new() } else { config.web.url.clone() },
        },
        delivery: delivery(config),
        suppression: config.suppression.settings(),
        free_space_reserve_mib: config.storage.free_space_reserve_mib,
        deletion_notice_days: accounts.deletion_notice_days,
        undo_send_secs_max: config.limits.undo_send_secs_max,
        authenticator,
        externals_per_account_max: usize::try_from(config.fetch.accounts_per_person_max).unwrap_or(usize::MAX),
        external_interval_secs_min: config.fetch.interval_secs_min,
        webhooks_reach_private: config.webhooks.allow_private,
        spam_threshold: config.spam.filter().map(|filter| filter.threshold),
        spam_refuse_from: config.spam.filter().and_then(|filter| filter.refuse),
        reports_to: config.sender_authentication.reports_to.first().cloned(),
        routes: Arc::new(config.queue.routes()),
        abuse: config.abuse(),
        ..admin::Settings::default()
    }
}

/// The settings of delivery that a configuration describes.
pub(crate) fn delivery(config: &Config) -> DeliverySettings {
    DeliverySettings { hostname: config.hostname.clone(), message_octets_max: config.limits.message_octets_max }
}

/// Tries external accounts for `admin`, which knows no connections.
pub(crate) struct Tester(pub(crate) fetch::Fetch);

impl admin::ExternalTester for Tester {
    fn test<'a>(
        &'a self,
        external: &'a routing::objects::ExternalAccountObject,
    ) -> world::BoxFuture<'a, (Vec<String>, Option<String>)> {
        Box::pin(self.0.test(external))
    }
}

/// Tells `admin`, which knows no outside filters, how they do.
pub(crate) struct OutsideFilters(pub(crate) Option<Arc<outside::Filters>>);

impl admin::OutsideStatus for OutsideFilters {
    fn status(&self) -> Vec<admin::OutsideFilterView> {
        let of = |(filter, status): (&outside::Filter, outside::Status)| {
            let (kind, place) = match &filter.kind {
                outside::Kind::Milter(milter) => ("milter", milter.place.to_string()),
                outside::Kind::Rspamd(rspamd) => ("rspamd", rspamd.url.to_string()),
            };
            let said = |one: Option<(mail::Timestamp, String)>| one.map(|(at, text)| admin::OutsideWord { at, text });
            admin::OutsideFilterView {
                name: filter.name.clone(),
                kind: kind.to_owned(),
                place,
                incoming: filter.incoming,
                submitted: filter.submitted,
                fail_closed: filter.fail == outside::Fail::Closed,
                asked: status.asked,
                failed: status.failed,
                answer: said(status.answer),
                failure: said(status.failure),
            }
        };
        self.0.iter().flat_map(|filters| filters.status()).map(of).collect()
    }
}

/// Who somebody says to be, on the command line.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Credentials {
    /// An address of their account.
    pub(crate) login: String,
    /// Their password.
    pub(crate) password: Password,
}

/// On whose behalf a request is carried out: the system's without credentials, for the socket and the data folder are
/// opened by nobody else.
pub(crate) async fn actor(
    authenticator: &dyn Authenticator,
    credentials: Option<&Credentials>,
) -> Result<Actor, AdminError> {
    let Some(Credentials { login, password }) = credentials else { return Ok(Actor::System) };
    match authenticator.authenticate(login, password.expose(), COMMAND_LINE, Service::Web).await {
        Ok(account) => Ok(Actor::Account { id: account.id, remote: None }),
        Err(error) => {
            let (kind, hint) = match error {
                AuthError::Refused => (ErrorKind::Denied, Some("an administrator can look up the reason in the log")),
                AuthError::TooManyFailures { .. } | AuthError::Unavailable => (ErrorKind::Unavailable, None),
            };
            Err(AdminError { kind, message: error.to_string(), hint: hint.map(str::to_owned) })
        }
    }
}

/// Stands for the machine's own command line in the guard against guessing: no address that a client can have.
const COMMAND_LINE: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
