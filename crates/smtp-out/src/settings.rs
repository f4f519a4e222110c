//! What an administrator says of the way out.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::Domain;
use queue::{NamedRoute, Routes, Schedules};
use rustls_pki_types::CertificateDer;

/// A password. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps a password.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// How a connection to a given host is protected.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TlsMode {
    /// TLS from the first octet (port 465), certificate verified.
    Implicit,
    /// STARTTLS or nothing, certificate verified.
    Required,
    /// STARTTLS when offered, plain otherwise. The certificate is verified only when there is a password to give, which
    /// goes over no plain connection.
    Opportunistic,
    /// Plain, password included. For loopback and protected networks.
    Plain,
}

/// Who this server is to a smart host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Login {
    /// The login name.
    pub name: String,
    /// The password.
    pub password: Secret,
}

/// A host that mail is handed to, whatever its MX records say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SmartHost {
    /// Its name or address literal.
    pub host: Domain,
    /// Its port.
    pub port: u16,
    /// How the connection is protected.
    pub tls: TlsMode,
    /// AUTH PLAIN or LOGIN, when it wants that.
    pub login: Option<Login>,
}

/// A host to which some mail goes, under a name of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NamedHost {
    /// Which mail.
    pub route: NamedRoute,
    /// The host.
    pub host: Arc<SmartHost>,
    /// Whom to trust there; `None`: as everywhere.
    pub roots: Option<Roots>,
    /// Connections there at the same time; `None`: as to each destination.
    pub connections_max: Option<usize>,
    /// Messages that begin in a minute; `None`: as to each destination.
    pub per_minute_max: Option<u32>,
}

/// Which certificates are trusted where certificates are verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Roots {
    /// The authorities that browsers trust.
    Public,
    /// These and no others.
    Given(Vec<CertificateDer<'static>>),
}

/// Which addresses of a host are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IpFamily {
    /// IPv6 first, then IPv4.
    Both,
    /// IPv4 alone, for a server without IPv6.
    V4,
    /// IPv6 alone.
    V6,
}

/// All settings of the sending side.
#[derive(Clone, Debug)]
pub struct SmtpOutSettings {
    /// The name in EHLO and in DSNs.
    pub hostname: Domain,
    /// Further names of this server in MX records. `hostname` belongs to them anyway.
    pub own_names: Vec<Domain>,
    /// Addresses of this server. Loopback belongs to them anyway.
    pub own_addresses: Vec<IpAddr>,
    /// Retries and ages, of each class of mail.
    pub schedules: Schedules,
    /// Hosts for some mail; stronger than `smart_host` and `overrides`.
    pub named: Vec<Arc<NamedHost>>,
    /// Everything goes here instead of to MX hosts.
    pub smart_host: Option<Arc<SmartHost>>,
    /// Mail for these domains goes to these hosts; stronger than `smart_host`.
    pub overrides: HashMap<Domain, Arc<SmartHost>>,
    /// Whom to trust where certificates are verified.
    pub roots: Roots,
    /// Which addresses are used.
    pub ip_family: IpFamily,
    /// The addresses that connections come from, at most one of each family; of a family without one, the system chooses.
    pub source_addresses: Vec<IpAddr>,
    /// The port of MX hosts: 25.
    pub mx_port: u16,
    /// Connections at the same time.
    pub connections_max: usize,
    /// Connections to one destination at the same time.
    pub connections_per_destination_max: usize,
    /// Messages to one destination that begin in a minute; `None`: no limit.
    pub per_minute_max: Option<u32>,
    /// Messages over one connection.
    pub messages_per_connection_max: u32,
    /// An unused connection is closed after this.
    pub idle_max: Duration,
    /// At shutdown, messages on their way have this long to come to their end.
    pub shutdown_grace: Duration,
}

impl SmtpOutSettings {
    /// The defaults, for a server of this name.
    #[must_use]
    pub fn new(hostname: Domain) -> Self {
        Self {
            hostname,
            own_names: Vec::new(),
            own_addresses: Vec::new(),
            schedules: Schedules::default(),
            named: Vec::new(),
            smart_host: None,
            overrides: HashMap::new(),
            roots: Roots::Public,
            ip_family: IpFamily::Both,
            source_addresses: Vec::new(),
            mx_port: 25,
            connections_max: 100,
            connections_per_destination_max: 10,
            per_minute_max: None,
            messages_per_connection_max: 100,
            idle_max: Duration::from_secs(10),
            shutdown_grace: Duration::from_secs(20),
        }
    }

    /// The ways that these settings name.
    #[must_use]
    pub fn routes(&self) -> Routes {
        let shown = |host: &SmartHost| format!("{}:{}", host.host, host.port);
        Routes {
            named: self.named.iter().map(|named| named.route.clone()).collect(),
            destinations: self.overrides.iter().map(|(domain, host)| (domain.clone(), shown(host))).collect(),
            smart_host: self.smart_host.as_deref().map(shown),
        }
    }

    /// The address that a connection to another comes from, when one is set.
    pub(crate) fn source_for(&self, to: IpAddr) -> Option<IpAddr> {
        self.source_addresses.iter().copied().find(|from| from.is_ipv4() == to.is_ipv4())
    }
}
