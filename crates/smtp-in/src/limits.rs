//! Every bound of this crate, with the minimum that an RFC asks for.
//!
//! What an administrator may set is a field of [`Limits`]; what the protocol fixes is a constant.

use std::time::Duration;

use abuse::AtOnce;

/// The bounds that can be set. A reload gives new connections the new value; open ones keep theirs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Octets of one message, as SIZE announces them (RFC 1870; RFC 5321 §4.5.3.1.7 asks for 64 KiB).
    pub message_octets_max: u64,
    /// Octets of one refused message that are read and thrown away before the connection is closed instead.
    pub swallow_octets_max: u64,
    /// Recipients of one mail transaction (RFC 5321 §4.5.3.1.8 asks for at least 100).
    pub recipients_max: usize,
    /// Domains among the recipients of one mail transaction (RFC 9422 §4.3); 0 for no limit, and none is announced.
    pub recipient_domains_max: usize,
    /// How long a submitted message may be held for its sender (RFC 4865 §3); zero: FUTURERELEASE is not offered.
    pub hold_max: Duration,
    /// Commands answered with an error of the client's own making, since the last accepted recipient.
    pub bad_commands_max: u32,
    /// Commands since the last kept message, authentication or STARTTLS that bring no mail forward.
    pub idle_commands_max: u32,
    /// Errors that `bad_commands_max` does not count, since the last kept message, authentication or STARTTLS: those
    /// that an honest client runs into while it pipelines or has much to send.
    pub excused_errors_max: u32,
    /// Recipients refused since the last kept message.
    pub refused_recipients_max: u32,
    /// Mail transactions of one connection.
    pub transactions_max: u32,
    /// Failed authentications of one connection.
    pub auth_failures_max: u32,
    /// Waiting for the next command or the next octets of a message (RFC 5321 §4.5.3.2.7 asks for 5 minutes).
    pub idle: Duration,
    /// From the first octet of a message to its end.
    pub body_total: Duration,
    /// A client that does not read its replies is given up after this.
    pub write: Duration,
    /// From the start of a TLS handshake to its end.
    pub tls_handshake: Duration,
    /// What a message in progress gets to finish when the server shuts down.
    pub shutdown_grace: Duration,
    /// Connections of one listener at a time.
    pub connections_max: usize,
    /// Connections of one listener from one IPv4 address, or one IPv6 /64, at a time.
    pub connections_per_address_max: usize,
    /// The same from the networks around it: IPv4 /26 and /21, IPv6 /48 and /32. 0 is none; never less than from one address.
    pub connections_per_network_max: [usize; 2],
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            message_octets_max: 50 * 1024 * 1024,
            swallow_octets_max: 1024 * 1024 * 1024,
            recipients_max: 1_000,
            recipient_domains_max: 0,
            hold_max: Duration::from_secs(30 * 86_400),
            bad_commands_max: 20,
            idle_commands_max: 100,
            excused_errors_max: 10_000,
            refused_recipients_max: 200,
            transactions_max: 1_000,
            auth_failures_max: 3,
            idle: Duration::from_secs(5 * 60),
            body_total: Duration::from_secs(60 * 60),
            write: Duration::from_secs(2 * 60),
            tls_handshake: Duration::from_secs(30),
            shutdown_grace: Duration::from_secs(30),
            connections_max: 5_000,
            connections_per_address_max: 50,
            connections_per_network_max: [500, 1_500],
        }
    }
}

impl Limits {
    /// Connections at a time.
    pub(crate) fn at_once(&self) -> AtOnce {
        AtOnce {
            all: self.connections_max,
            place: self.connections_per_address_max,
            networks: self.connections_per_network_max,
        }
    }

    /// Octets of one message that are read at most, kept or thrown away.
    pub(crate) fn read_octets_max(&self) -> u64 {
        self.swallow_octets_max.max(self.message_octets_max)
    }
}

/// A command line with its CRLF. RFC 5321 §4.5.3.1.4 asks for 512.
pub(crate) const COMMAND_LINE_OCTETS_MAX: usize = 1_024;
/// MAIL and RCPT with their parameters: 512, and what SIZE (26), BODY (17), DSN (128 and 500, RFC 3461 §5.4),
/// AUTH (500, RFC 4954 §3), SMTPUTF8 (10, RFC 6531 §3.1), BY (17, RFC 2852 §3), HOLDUNTIL (34, RFC 4865 §3), MT-PRIORITY (15,
/// RFC 6710 §3), REQUIRETLS (12, RFC 8689 §2) and SOLICIT (1007, RFC 3865 §4.1) add.
pub(crate) const PATH_LINE_OCTETS_MAX: usize = 3_072;
/// BURL, with the longest URL that is understood.
pub(crate) const LINK_LINE_OCTETS_MAX: usize = 4_096 + 32;
/// SOLICIT as written (RFC 3865 §4.1).
pub(crate) const SOLICIT_OCTETS_MAX: usize = 1_000;
/// Keywords of one SOLICIT.
pub(crate) const SOLICIT_KEYWORDS_MAX: usize = 50;
/// Digits of the seconds of BY (RFC 2852 §4) and HOLDFOR (RFC 4865 §4).
pub(crate) const BY_DIGITS_MAX: usize = 9;
/// What VRFY and EXPN ask for.
pub(crate) const LOOKUP_OCTETS_MAX: usize = 320;
/// AUTH and its continuation lines (RFC 4954 §4).
pub(crate) const AUTH_LINE_OCTETS_MAX: usize = 12_288;
/// Octets of one over-long line that are read and thrown away before the connection is closed instead.
pub(crate) const SWALLOWED_LINE_OCTETS_MAX: usize = 1024 * 1024;
/// A line that seems to end with LF alone is answered when so much time passes and its CRLF has not come.
pub(crate) const BARE_LF_PATIENCE: Duration = Duration::from_secs(5);
/// What a connection holds of input not yet worked on: more than the longest line.
pub(crate) const INPUT_OCTETS_MAX: usize = 32 * 1_024;
/// Replies that wait to leave together (RFC 2920 §3.2) are sent at this size at the latest.
pub(crate) const REPLIES_OCTETS_MAX: usize = 4 * 1_024;
/// The name behind EHLO (RFC 5321 §4.5.3.1.2).
pub(crate) const HELO_OCTETS_MAX: usize = 255;
/// ENVID before its xtext coding (RFC 3461 §4.4).
pub(crate) const ENVELOPE_ID_OCTETS_MAX: usize = 100;
/// ORCPT as written (RFC 3461 §4.2).
pub(crate) const ORIGINAL_RECIPIENT_OCTETS_MAX: usize = 500;
/// Digits of SIZE (RFC 1870 §4).
pub(crate) const SIZE_DIGITS_MAX: usize = 20;
/// Digits of a BDAT chunk size that surely fit 64 bits.
pub(crate) const CHUNK_DIGITS_MAX: usize = 19;
/// What one read takes while commands are awaited: an idle connection holds no more.
pub(crate) const COMMAND_READ_OCTETS: usize = 1_024;
/// After the last reply, what the client still sends is read and thrown away for so long, so that the reply arrives.
pub(crate) const LINGER: Duration = Duration::from_secs(5);
/// A PROXY line of version 1 with its CRLF (the protocol's own maximum).
pub(crate) const PROXY_LINE_OCTETS_MAX: usize = 107;
/// What follows the fixed part of a PROXY header of version 2; the longest addresses have 216 octets, the rest are TLVs.
pub(crate) const PROXY_PAYLOAD_OCTETS_MAX: usize = 4 * 1_024;
/// A proxy sends its header at once.
pub(crate) const PROXY_HEADER_PATIENCE: Duration = Duration::from_secs(10);
/// What one read takes inside a message.
pub(crate) const BODY_READ_OCTETS: usize = 16 * 1_024;
