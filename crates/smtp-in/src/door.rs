//! Who is not let in: banned addresses, and those that come too often. What is counted and decided is `abuse`'s; here it becomes replies.
//!
//! In the place of the greeting a ban without an end is `554 5.7.1` (RFC 5321 §3.1), a ban that ends and a rate are `421 4.7.0`: of a server that writes for
//! many, one may have got it banned for an hour, and the mail of the others is not to come back for that. The connection ends with it: a server that
//! waits for QUIT behind 554 gives whoever it keeps out a place to hold.

use std::net::IpAddr;

use abuse::Entry;
use mail::{EnhancedCode, Reply, Timestamp};

use crate::settings::{ListenerKind, Settings};

/// What who is not let in gets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TurnedAway {
    pub(crate) reply: Reply,
    /// Whether it is worth a TLS handshake, and waiting until it is read.
    pub(crate) explain: bool,
}

/// A client comes, from an address that is surely its own. `None`: it may come in.
pub(crate) fn turned_away(settings: &Settings, remote: IpAddr, now: Timestamp) -> Option<TurnedAway> {
    let door = watched(settings)?;
    let (reason, reply, explain) = match door.knock(remote, now) {
        Entry::Welcome => return None,
        Entry::Banned { why, lasting: true, explain } => {
            ("banned", Reply::new(554, Some(EnhancedCode(5, 7, 1)), why), explain)
        }
        Entry::Banned { why, lasting: false, explain } => ("banned", closing(why), explain),
        Entry::TooMany { why, explain } => ("rate", closing(why), explain),
    };
    let listener = settings.kind.name();
    metrics::counter!("relais_smtp_in_turned_away_total", "listener" => listener, "reason" => reason).increment(1);
    tracing::debug!(%remote, listener, reason, "turned away");
    Some(TurnedAway { reply, explain })
}

/// So many commands of a client made no sense. The reply with which its session ends, when it is banned now.
pub(crate) fn after_bad_commands(settings: &Settings, remote: IpAddr, how_many: u32, now: Timestamp) -> Option<Reply> {
    watched(settings)?.bad_commands(remote, how_many, now).map(closing)
}

/// A session that has begun ends with 421 (RFC 5321 §3.8).
fn closing(why: String) -> Reply {
    Reply::new(421, Some(EnhancedCode(4, 7, 0)), why)
}

/// The door of a listener. Servers of ours, by LMTP, are the administrator's to let in.
fn watched(settings: &Settings) -> Option<&abuse::Door> {
    settings.door.as_ref().filter(|_| settings.kind != ListenerKind::Lmtp)
}
