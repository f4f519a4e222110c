//! The configuration file: TOML, every key with its default (`config/relais.toml` is the reference, and a test holds it
//! to what is here). A wrong key or value is refused with file, line, column and the nearest right name.

mod abuse;
mod authentication;
mod changes;
mod flaw;
mod load;
mod oauth;
mod outside;
mod reputation;
mod routes;
mod sending;
mod spam;
mod transport;
mod values;

use std::net::IpAddr;
use std::path::PathBuf;

use mail::{Address, Domain};
use serde::{Deserialize, Serialize};

pub(crate) use self::abuse::Abuse;
pub(crate) use self::outside::{DiscardWay, FailWay, FilterKind, GreylistWay, LooksAt, Outside, OutsideFilter};
pub(crate) use self::reputation::{Greylist, Reputation};
pub(crate) use self::spam::Spam;
pub(crate) use authentication::SenderAuthentication;
pub(crate) use changes::changed_keys;
pub(crate) use flaw::ConfigError;
#[cfg(test)]
pub(crate) use load::{DEFAULT_FILE, parse};
pub(crate) use load::{command, default_file, doubts, load};
pub(crate) use oauth::OAuth;
pub(crate) use routes::{ClassSchedule, Route};
pub(crate) use sending::{Suppression, Webhooks};
pub(crate) use transport::{Dane, QueueTls};
pub(crate) use values::Endpoint;

use values::{
    at_least, at_most, host, host_or_nothing, none_or_at_least, solicitation_classes, strength, two_networks, web_url,
};

/// The reference: every key, commented out, with its default and what it is for.
pub(crate) const REFERENCE: &str = include_str!("../../../../config/relais.toml");

/// Everything that the file can say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Config {
    /// This machine's name.
    pub(crate) hostname: Domain,
    /// Where the store and what belongs to it are.
    pub(crate) data_dir: PathBuf,
    /// Whom to become after binding; empty: nobody else.
    pub(crate) run_as_user: String,
    /// Where to listen.
    pub(crate) listeners: Listeners,
    /// Pages for people.
    pub(crate) web: Web,
    /// The certificate.
    pub(crate) tls: Tls,
    /// Bounds.
    pub(crate) limits: Limits,
    /// Outgoing mail.
    pub(crate) queue: Queue,
    /// External accounts.
    pub(crate) fetch: Fetch,
    /// The store.
    pub(crate) storage: Storage,
    /// Logging.
    pub(crate) log: Log,
    /// Passwords and strictness.
    pub(crate) security: Security,
    /// Whose tokens let people in.
    pub(crate) oauth: OAuth,
    /// Where mail from other servers really comes from.
    pub(crate) sender_authentication: SenderAuthentication,
    /// Mailboxes and what their people are told.
    pub(crate) accounts: Accounts,
    /// What happened to messages.
    pub(crate) trace: Trace,
    /// Mailing lists and moderated groups.
    pub(crate) lists: Lists,
    /// The full-text index.
    pub(crate) search: Search,
    /// Addresses to which nothing is sent of the server's own accord.
    pub(crate) suppression: Suppression,
    /// Who is told what becomes of messages.
    pub(crate) webhooks: Webhooks,
    /// The content filter.
    pub(crate) spam: Spam,
    /// Who may connect how often, and bans.
    pub(crate) abuse: Abuse,
    /// What is known of clients.
    pub(crate) reputation: Reputation,
    /// Who is asked to come again.
    pub(crate) greylist: Greylist,
    /// Filters that are not this server's.
    pub(crate) outside: Outside,
}

/// The full-text index.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Search {
    /// Whether documents that are attached are looked into.
    pub(crate) attachments: bool,
}

/// Mailing lists and moderated groups.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Lists {
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) waiting_mib_max: u64,
}

impl Default for Lists {
    fn default() -> Self {
        Self { waiting_mib_max: 256 }
    }
}

/// What happened to messages.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Trace {
    /// 0: none are kept.
    pub(crate) keep_days: u32,
}

impl Default for Trace {
    fn default() -> Self {
        Self { keep_days: 14 }
    }
}

/// Mailboxes and what their people are told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Accounts {
    /// 0: no limit.
    pub(crate) per_domain_max: u32,
    /// 0: no limit.
    pub(crate) per_owner_max: u32,
    /// Empty: the host name.
    pub(crate) public_host: String,
    /// Empty: there is none.
    pub(crate) webmail_url: String,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) deletion_notice_days: u32,
}

/// Where to listen, by service. An empty list: not at all.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Listeners {
    pub(crate) mx: Vec<Endpoint>,
    pub(crate) submission: Vec<Endpoint>,
    pub(crate) submissions: Vec<Endpoint>,
    pub(crate) lmtp: Vec<Endpoint>,
    /// Empty: there is none.
    pub(crate) lmtp_socket: PathBuf,
    pub(crate) imap: Vec<Endpoint>,
    pub(crate) imaps: Vec<Endpoint>,
    pub(crate) http: Vec<Endpoint>,
    pub(crate) web: Vec<Endpoint>,
}

/// Pages for people: those behind the links in letters of mailing lists.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Web {
    /// Where `listeners.web` is reached from outside; empty: letters have no links.
    #[serde(deserialize_with = "web_url")]
    pub(crate) url: String,
}

/// The certificate's files; both empty: one of our own making.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Tls {
    pub(crate) certificate_file: PathBuf,
    pub(crate) key_file: PathBuf,
    /// Who signs the certificates of people; empty: nobody is asked for one.
    pub(crate) client_ca_file: PathBuf,
}

/// Bounds of what anybody may use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Limits {
    #[serde(deserialize_with = "at_least::<_, _, 65_536>")] // RFC 5321 §4.5.3.1.7
    pub(crate) message_octets_max: u64,
    #[serde(deserialize_with = "at_least::<_, _, 100>")] // RFC 5321 §4.5.3.1.8
    pub(crate) recipients_max: u64,
    /// 0: no limit.
    pub(crate) recipient_domains_max: u32,
    /// How long a person may have what they submit wait, so that they can take it back.
    pub(crate) undo_send_secs_max: u32,
    /// 0: FUTURERELEASE is not offered.
    #[serde(deserialize_with = "at_most::<_, 999_999_999>")] // RFC 4865 §3
    pub(crate) hold_secs_max: u32,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) smtp_connections_max: u64,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) smtp_connections_per_address_max: u64,
    /// Of its neighbours and of its wider network; 0: no limit.
    #[serde(deserialize_with = "two_networks")]
    pub(crate) smtp_connections_per_network_max: [u64; 2],
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) smtp_idle_secs: u64,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) imap_connections_max: u64,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) imap_connections_per_address_max: u64,
    /// The same.
    #[serde(deserialize_with = "two_networks")]
    pub(crate) imap_connections_per_network_max: [u64; 2],
    #[serde(deserialize_with = "at_least::<_, _, 1_800>")] // RFC 3501 §5.4
    pub(crate) imap_idle_secs: u64,
    #[serde(deserialize_with = "none_or_at_least::<_, 1_000>")] // RFC 9738 §3
    pub(crate) imap_messages_per_command_max: u32,
    #[serde(deserialize_with = "none_or_at_least::<_, 1_000>")] // RFC 9738 §3
    pub(crate) imap_messages_per_save_max: u32,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) responder_backlog_max: u64,
    #[serde(deserialize_with = "at_least::<_, _, 0>")]
    pub(crate) shutdown_grace_secs: u64,
}

/// Outgoing mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Queue {
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) age_max_secs: u64,
    pub(crate) retry_delays_secs: Vec<u64>,
    #[serde(deserialize_with = "at_least::<_, _, 0>")]
    pub(crate) delay_notice_secs: u64,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) deliveries_max: u64,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) deliveries_per_destination_max: u64,
    pub(crate) own_names: Vec<Domain>,
    pub(crate) own_addresses: Vec<IpAddr>,
    pub(crate) ip_family: IpFamily,
    pub(crate) source_addresses: Vec<IpAddr>,
    /// 0: no limit.
    #[serde(deserialize_with = "at_least::<_, _, 0>")]
    pub(crate) deliveries_per_destination_per_minute_max: u32,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) messages_per_connection_max: u32,
    #[serde(deserialize_with = "at_least::<_, _, 0>")]
    pub(crate) connection_idle_secs: u64,
    pub(crate) destination: Vec<Destination>,
    pub(crate) route: Vec<Route>,
    pub(crate) schedule: Vec<ClassSchedule>,
    pub(crate) smart_host: SmartHost,
    pub(crate) tls: QueueTls,
}

/// Which addresses of other servers are used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum IpFamily {
    /// IPv6 first, then IPv4.
    Both,
    /// IPv4 alone.
    Ipv4,
    /// IPv6 alone.
    Ipv6,
}

/// A destination with a way of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Destination {
    /// The domain in the recipients' addresses.
    pub(crate) domain: Domain,
    /// The host to hand them to: a name or an IP address.
    #[serde(deserialize_with = "host")]
    pub(crate) host: String,
    /// Its port.
    #[serde(default = "smtp_port")]
    pub(crate) port: u16,
}

/// How to talk to the smart host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum SmartHostTls {
    /// After STARTTLS, or not at all.
    Starttls,
    /// From the start.
    Implicit,
    /// When offered.
    Opportunistic,
    /// Never, not even for the password: for a host on this machine or in a protected network.
    None,
}

/// A server that takes all outgoing mail.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct SmartHost {
    /// Empty: there is none.
    #[serde(deserialize_with = "host_or_nothing")]
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: SmartHostTls,
    /// Empty: the authorities that browsers trust.
    pub(crate) ca_file: PathBuf,
    /// Empty: no login.
    pub(crate) login: String,
    pub(crate) password_file: PathBuf,
}

/// Mail that is fetched from external accounts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Fetch {
    #[serde(deserialize_with = "at_least::<_, _, 0>")]
    pub(crate) accounts_per_person_max: u64,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) at_once: u64,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) interval_secs_min: u64,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) timeout_secs: u64,
}

/// The store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Storage {
    #[serde(deserialize_with = "at_least::<_, _, 8>")]
    pub(crate) cache_mib: u64,
    #[serde(deserialize_with = "at_least::<_, _, 0>")]
    pub(crate) free_space_reserve_mib: u64,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// Logging.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Log {
    pub(crate) format: LogFormat,
    pub(crate) level: String,
}

/// What a bare CR or LF in a message gets.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum BareNewlines {
    /// A refusal.
    Refuse,
    /// To become CRLF.
    Convert,
}

/// Passwords and strictness.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Security {
    #[serde(deserialize_with = "at_least::<_, _, 8>")] // RFC 9106 §3.1: 8 KiB for each lane
    pub(crate) argon2_memory_kib: u32,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) argon2_passes: u32,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) argon2_lanes: u32,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) password_checks_at_once: u64,
    pub(crate) login_remembered_secs: u64,
    pub(crate) failed_logins_per_address_max: u32,
    pub(crate) failed_logins_per_account_max: u32,
    #[serde(deserialize_with = "at_least::<_, _, 1>")]
    pub(crate) failed_login_forgotten_secs: u64,
    #[serde(deserialize_with = "at_least::<_, _, 8>")] // NIST SP 800-63B §5.1.1.1
    pub(crate) password_characters_min: u32,
    #[serde(deserialize_with = "strength")]
    pub(crate) password_strength_min: u8,
    pub(crate) bare_newlines: BareNewlines,
    /// Whether `Received` of submitted mail names the client.
    pub(crate) submission_shows_client: bool,
    /// Whose connections to the SMTP and LMTP listeners begin with a PROXY header.
    pub(crate) proxy_protocol_from: Vec<IpAddr>,
    /// Who may say XCLIENT.
    pub(crate) xclient_from: Vec<IpAddr>,
    /// Classes of solicitation that are refused.
    #[serde(deserialize_with = "solicitation_classes")]
    pub(crate) no_soliciting: Vec<String>,
    pub(crate) imap_plaintext_login_on_loopback: bool,
    /// Whether UNAUTHENTICATE is offered.
    pub(crate) imap_unauthenticate: bool,
    pub(crate) imap_submission_servers: Vec<Address>,
    pub(crate) scram: bool,
    #[serde(deserialize_with = "at_least::<_, _, 10_000>")]
    pub(crate) scram_iterations: u32,
}

fn smtp_port() -> u16 {
    25
}

impl Default for Config {
    fn default() -> Self {
        #[expect(clippy::expect_used, reason = "the text is a constant, and parsing it is tested")]
        let hostname = Domain::parse("localhost").expect("localhost is a domain");
        Self {
            hostname,
            data_dir: PathBuf::from("/var/lib/relais"),
            run_as_user: String::new(),
            listeners: Listeners::default(),
            web: Web::default(),
            tls: Tls::default(),
            limits: Limits::default(),
            queue: Queue::default(),
            fetch: Fetch::default(),
            storage: Storage::default(),
            log: Log::default(),
            security: Security::default(),
            oauth: OAuth::default(),
            sender_authentication: SenderAuthentication::default(),
            accounts: Accounts::default(),
            trace: Trace::default(),
            search: Search::default(),
            spam: Spam::default(),
            abuse: Abuse::default(),
            reputation: Reputation::default(),
            greylist: Greylist::default(),
            outside: Outside::default(),
            lists: Lists::default(),
            suppression: Suppression::default(),
            webhooks: Webhooks::default(),
        }
    }
}

impl Default for Listeners {
    fn default() -> Self {
        let everywhere = |port| vec![Endpoint::everywhere(port)];
        Self {
            mx: everywhere(25),
            submission: everywhere(587),
            submissions: everywhere(465),
            lmtp: Vec::new(),
            lmtp_socket: PathBuf::new(),
            imap: everywhere(143),
            imaps: everywhere(993),
            http: vec![Endpoint::loopback(8080)],
            web: Vec::new(),
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_octets_max: 50 * 1024 * 1024,
            recipients_max: 1_000,
            recipient_domains_max: 0,
            undo_send_secs_max: 600,
            hold_secs_max: 30 * 86_400,
            smtp_connections_max: 5_000,
            smtp_connections_per_address_max: 50,
            smtp_connections_per_network_max: [500, 1_500],
            smtp_idle_secs: 300,
            imap_connections_max: 20_000,
            imap_connections_per_address_max: 500,
            imap_connections_per_network_max: [2_000, 8_000],
            imap_idle_secs: 1_800,
            imap_messages_per_command_max: imap::limits::MESSAGES_PER_COMMAND,
            imap_messages_per_save_max: 0,
            responder_backlog_max: 5_000,
            shutdown_grace_secs: 20,
        }
    }
}

impl Default for Queue {
    fn default() -> Self {
        Self {
            age_max_secs: 5 * 24 * 3_600,
            retry_delays_secs: vec![60, 300, 900, 1_800, 3_600, 7_200, 14_400],
            delay_notice_secs: 4 * 3_600,
            deliveries_max: 100,
            deliveries_per_destination_max: 5,
            own_names: Vec::new(),
            own_addresses: Vec::new(),
            ip_family: IpFamily::Both,
            source_addresses: Vec::new(),
            deliveries_per_destination_per_minute_max: 0,
            messages_per_connection_max: 100,
            connection_idle_secs: 10,
            destination: Vec::new(),
            route: Vec::new(),
            schedule: Vec::new(),
            smart_host: SmartHost::default(),
            tls: QueueTls::default(),
        }
    }
}

impl Default for Fetch {
    fn default() -> Self {
        Self { accounts_per_person_max: 10, at_once: 8, interval_secs_min: 60, timeout_secs: 60 }
    }
}

impl Default for SmartHost {
    fn default() -> Self {
        Self {
            host: String::new(),
            port: 587,
            tls: SmartHostTls::Starttls,
            ca_file: PathBuf::new(),
            login: String::new(),
            password_file: PathBuf::new(),
        }
    }
}

impl Default for Storage {
    fn default() -> Self {
        Self { cache_mib: 32, free_space_reserve_mib: 256 }
    }
}

impl Default for Log {
    fn default() -> Self {
        Self { format: LogFormat::Text, level: "info".to_owned() }
    }
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            per_domain_max: 0,
            per_owner_max: 0,
            public_host: String::new(),
            webmail_url: String::new(),
            deletion_notice_days: 7,
        }
    }
}

impl Default for Security {
    fn default() -> Self {
        let argon2 = auth::PasswordParams::default();
        Self {
            argon2_memory_kib: argon2.memory_kib,
            argon2_passes: argon2.passes,
            argon2_lanes: argon2.lanes,
            password_checks_at_once: 2,
            login_remembered_secs: 300,
            failed_logins_per_address_max: 20,
            failed_logins_per_account_max: 50,
            failed_login_forgotten_secs: 60,
            password_characters_min: 8,
            password_strength_min: 3,
            bare_newlines: BareNewlines::Refuse,
            submission_shows_client: false,
            proxy_protocol_from: Vec::new(),
            xclient_from: Vec::new(),
            no_soliciting: Vec::new(),
            imap_plaintext_login_on_loopback: false,
            imap_unauthenticate: true,
            imap_submission_servers: Vec::new(),
            scram: true,
            scram_iterations: argon2.scram_iterations,
        }
    }
}

impl Security {
    /// What new password hashes cost.
    pub(crate) fn password_params(&self) -> auth::PasswordParams {
        auth::PasswordParams {
            memory_kib: self.argon2_memory_kib,
            passes: self.argon2_passes,
            lanes: self.argon2_lanes,
            scram_iterations: if self.scram { self.scram_iterations } else { 0 },
        }
    }
}

#[cfg(test)]
mod tests;
