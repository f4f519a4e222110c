//! What an administrator sets for IMAP.

use std::time::Duration;

use mail::Address;

use crate::engine::message_limit::MessageLimit;
use crate::limits::{APPEND_OCTETS_ALL_MAX, AUTOLOGOUT, MESSAGES_PER_COMMAND, NOTIFY_MAILBOXES_MAX, ORDER_OCTETS_MAX};

/// The settings; a reload replaces them for sessions that begin afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name that the greeting shows.
    pub hostname: String,
    /// Lets passwords travel without TLS from this machine itself: a webmail beside the server (RFC 3501 §11.2).
    pub plaintext_login_on_loopback: bool,
    /// The largest message that APPEND takes.
    pub append_octets_max: u64,
    /// Octets of all messages of one APPEND; never less than of one.
    pub append_octets_all_max: u64,
    /// Addresses of accounts by which submission servers log in: to them URLs are open that say `submit+` (RFC 4467 §3).
    pub submission_servers: Vec<Address>,
    /// How many messages one command works on (RFC 9738): announced to clients, who split what is more.
    pub message_limit: MessageLimit,
    /// Octets of keys that one SORT or THREAD may have to read: a mailbox with more is not sorted by them.
    pub sort_octets_max: usize,
    /// Mailboxes that one session may want to hear of by NOTIFY (RFC 5465): of more it is told nothing.
    pub notify_mailboxes_max: usize,
    /// UNAUTHENTICATE is offered (RFC 8437 §8: not behind a proxy that logs people in and then passes everything on).
    pub unauthenticate: bool,
    /// Connections at the same time.
    pub connections_max: usize,
    /// Connections at the same time from one IPv4 address or one IPv6 /64.
    pub connections_per_address_max: usize,
    /// The same from the networks around it: IPv4 /26 and /21, IPv6 /48 and /32. 0 is none; never less than from one address.
    pub connections_per_network_max: [usize; 2],
    /// Logged-in connections at the same time of one account.
    pub connections_per_account_max: usize,
    /// How long a client that has logged in may be silent: RFC 3501 §5.4 asks for 30 minutes at least.
    pub autologout: Duration,
    /// SEARCH looks into attached documents too, as the index has them.
    pub search_attachments: bool,
    /// How long running commands may go on after a shutdown was ordered.
    pub shutdown_grace: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            hostname: "localhost".to_owned(),
            plaintext_login_on_loopback: false,
            append_octets_max: 50 * 1024 * 1024,
            append_octets_all_max: APPEND_OCTETS_ALL_MAX,
            submission_servers: Vec::new(),
            message_limit: MessageLimit::Every(MESSAGES_PER_COMMAND),
            sort_octets_max: ORDER_OCTETS_MAX,
            notify_mailboxes_max: NOTIFY_MAILBOXES_MAX,
            unauthenticate: true,
            connections_max: 20_000,
            connections_per_address_max: 200,
            connections_per_network_max: [2_000, 8_000],
            connections_per_account_max: 100,
            autologout: AUTOLOGOUT,
            search_attachments: false,
            shutdown_grace: Duration::from_secs(10),
        }
    }
}

/// How a listener's connections begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// In clear, with STARTTLS when there is a certificate (port 143).
    StartTls,
    /// With TLS from the first octet (port 993, RFC 8314).
    ImplicitTls,
}
