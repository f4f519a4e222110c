//! What carrying out requests depends on beside the store.

use std::sync::Arc;

use auth::{Authenticator, PasswordParams, PasswordRules};
use delivery::{Clients, Delivery, DeliverySettings, SuppressionSettings};
use mail::Domain;
use queue::Routes;
use storage::Store;
use tokio::sync::{Mutex, MutexGuard};

use crate::outside::OutsideFilterView;
use crate::response::Endpoint;

/// What an administrator decides in the configuration, and what the server around lends.
#[derive(Clone)]
pub struct Settings {
    /// What new password hashes cost.
    pub password: PasswordParams,
    /// What passwords have to be like (M4).
    pub rules: PasswordRules,
    /// How many mailboxes there may be (M1).
    pub places: Places,
    /// What people's mail programs are told (M5).
    pub connection: ConnectionSettings,
    /// For letters (M2, M4).
    pub delivery: DeliverySettings,
    /// How a command for this server begins, as letters name it.
    pub command: String,
    /// How the suppression list is used.
    pub suppression: SuppressionSettings,
    /// Free space on the disk below which nothing is stored; for messages.
    pub free_space_reserve_mib: u64,
    /// So many days before an account is deleted, administrators are told.
    pub deletion_notice_days: u32,
    /// How long people may have what they submit wait, so that they can take it back, in seconds.
    pub undo_send_secs_max: u32,
    /// Checks old passwords under the guard against guessing. `None`: there is no server, and nobody who guesses.
    pub authenticator: Option<Arc<dyn Authenticator>>,
    /// One edit at a time, so that what a decision was based on still holds when it is written. Clones share it.
    pub edits: EditLock,
    /// External accounts that one account may have.
    pub externals_per_account_max: usize,
    /// The shortest time between two looks at an external account, in seconds.
    pub external_interval_secs_min: u64,
    /// Whether webhooks may be at addresses that are not of the public Internet, and without TLS.
    pub webhooks_reach_private: bool,
    /// From how many points on content is spam; `None`: it is not looked at.
    pub spam_threshold: Option<spam::Points>,
    /// From how many points on it is refused; `None`: it never is.
    pub spam_refuse_from: Option<spam::Points>,
    /// Where reports of others on domains here are read; records name it.
    pub reports_to: Option<mail::Address>,
    /// Tries external accounts. `None`: nobody here can.
    pub tester: Option<Arc<dyn ExternalTester>>,
    /// Knows how outside filters do. `None`: no server runs here that asks them.
    pub outside: Option<Arc<dyn OutsideStatus>>,
    /// The ways by which mail leaves.
    pub routes: Arc<Routes>,
    /// What is borne of clients, and who is never banned.
    pub abuse: abuse::Settings,
    /// Who keeps count of clients. `None`: there is no server, and nothing is counted.
    pub door: Option<abuse::Door>,
    /// What is known of clients. `None`: nobody here asks the DNS.
    pub clients: Option<Clients>,
}

/// Who can try an external account: connects, logs in, and tells the steps that went well, and why it went no further.
pub trait ExternalTester: Send + Sync {
    /// Tries one. Nothing is fetched.
    fn test<'a>(
        &'a self,
        external: &'a routing::objects::ExternalAccountObject,
    ) -> world::BoxFuture<'a, (Vec<String>, Option<String>)>;
}

/// Who knows how outside filters do.
pub trait OutsideStatus: Send + Sync {
    /// Each filter, in the order in which they are asked.
    fn status(&self) -> Vec<OutsideFilterView>;
}

/// How many mailboxes there may be; 0 for no limit. A domain can say otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// In one domain.
    pub per_domain_max: u32,
    /// Of one person in one domain.
    pub per_owner_max: u32,
}

/// Where mail programs find the server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSettings {
    /// Its public name.
    pub host: String,
    /// Port of IMAP with TLS from the start.
    pub imaps: Option<u16>,
    /// Port of IMAP with STARTTLS.
    pub imap: Option<u16>,
    /// Port of submission with TLS from the start.
    pub submissions: Option<u16>,
    /// Port of submission with STARTTLS.
    pub submission: Option<u16>,
    /// Where mail is read in a browser; empty: nowhere.
    pub webmail: String,
    /// Where this server's web pages are reached from outside, without a final slash; empty: nowhere.
    pub web: String,
}

impl ConnectionSettings {
    /// For reading mail; TLS from the start comes first (RFC 8314 §3). What is not listened to is not told.
    #[must_use]
    pub fn incoming(&self) -> Vec<Endpoint> {
        self.endpoints("imap", self.imaps, self.imap)
    }

    /// For sending mail, in the same order.
    #[must_use]
    pub fn outgoing(&self) -> Vec<Endpoint> {
        self.endpoints("smtp", self.submissions, self.submission)
    }

    fn endpoints(&self, protocol: &str, implicit: Option<u16>, starttls: Option<u16>) -> Vec<Endpoint> {
        let endpoint = |port: Option<u16>, tls: &str| {
            port.map(|port| Endpoint {
                protocol: protocol.to_owned(),
                host: self.host.clone(),
                port,
                tls: tls.to_owned(),
            })
        };
        [endpoint(implicit, "implicit"), endpoint(starttls, "starttls")].into_iter().flatten().collect()
    }
}

/// See [`Settings::edits`].
#[derive(Clone, Default)]
pub struct EditLock(Arc<Mutex<()>>);

impl EditLock {
    pub(crate) async fn hold(&self) -> MutexGuard<'_, ()> {
        self.0.lock().await
    }
}

impl Settings {
    /// Delivery of letters into a store.
    pub(crate) fn letters(&self, store: &Store) -> Delivery {
        Delivery::new(store.clone(), self.delivery.clone()).suppressing(self.suppression.clone())
    }
}

impl Default for Settings {
    /// For a server without a name, as in tests: the standard ports, no limits.
    fn default() -> Self {
        Self {
            password: PasswordParams::default(),
            rules: PasswordRules::default(),
            places: Places::default(),
            connection: ConnectionSettings::default(),
            delivery: DeliverySettings { hostname: localhost(), message_octets_max: 50 * 1024 * 1024 },
            command: "relais".to_owned(),
            suppression: SuppressionSettings::default(),
            free_space_reserve_mib: 256,
            deletion_notice_days: 7,
            undo_send_secs_max: 600,
            authenticator: None,
            edits: EditLock::default(),
            externals_per_account_max: 10,
            external_interval_secs_min: 60,
            webhooks_reach_private: false,
            spam_threshold: None,
            spam_refuse_from: None,
            reports_to: None,
            tester: None,
            outside: None,
            routes: Arc::default(),
            abuse: abuse::Settings::default(),
            door: None,
            clients: None,
        }
    }
}

impl Default for ConnectionSettings {
    fn default() -> Self {
        Self {
            host: "localhost".to_owned(),
            imaps: Some(993),
            imap: Some(143),
            submissions: Some(465),
            submission: Some(587),
            webmail: String::new(),
            web: String::new(),
        }
    }
}

fn localhost() -> Domain {
    Domain::literal(std::net::Ipv4Addr::LOCALHOST.into())
}
