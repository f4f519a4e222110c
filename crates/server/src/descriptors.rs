//! File descriptors: as many as the system grants, and never so many connections that the store has none left.
//!
//! Each connection is a descriptor, and so is each file of the store. A server that took connections until none was left
//! could keep no message any more; so connections get what remains when the store and the deliveries have theirs.

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::config::Config;

/// Raises the limit to what the system grants, and gives it.
pub(crate) fn raise() -> u64 {
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else { return UNKNOWN };
    if soft < hard {
        match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            Ok(()) => return hard,
            Err(error) => tracing::warn!(%error, soft, hard, "the limit of open files could not be raised"),
        }
    }
    soft
}

/// The files that the store may hold open.
pub(crate) fn of_the_store() -> i32 {
    let limit = getrlimit(Resource::RLIMIT_NOFILE).map_or(UNKNOWN, |(soft, _)| soft);
    i32::try_from(store_share(limit)).unwrap_or(i32::MAX)
}

/// Connections to the HTTP port.
pub(crate) fn of_http(limit: u64) -> usize {
    usize::try_from(http_share(limit)).unwrap_or(1)
}

/// Lowers the connections of a configuration to what fits, and says so when it does.
pub(crate) fn fit(config: &mut Config, limit: u64) {
    let wanted = (config.limits.smtp_connections_max, config.limits.imap_connections_max);
    lower(config, limit);
    let limits = &config.limits;
    if wanted != (limits.smtp_connections_max, limits.imap_connections_max) {
        tracing::warn!(
            open_files = limit,
            smtp_connections = limits.smtp_connections_max,
            imap_connections = limits.imap_connections_max,
            "fewer connections than the configuration allows, because the system grants too few open files; \
             LimitNOFILE= of systemd or `ulimit -n` raises that"
        );
    }
}

fn lower(config: &mut Config, limit: u64) {
    let deliveries = config.queue.deliveries_max.min((limit / 16).max(1));
    config.queue.deliveries_max = deliveries;
    // A delivery is a connection, and DNS queries before it.
    let pages = if config.listeners.web.is_empty() { 0 } else { http_share(limit) };
    let taken = OTHERS + store_share(limit) + http_share(limit) + pages + 2 * deliveries;
    let left = limit.saturating_sub(taken).max(8);
    let listeners = &config.listeners;
    let smtp = listeners.mx.len() + listeners.submission.len() + listeners.submissions.len();
    let limits = &mut config.limits;
    let smtp = u64::try_from(smtp).unwrap_or(u64::MAX).saturating_mul(limits.smtp_connections_max);
    let wanted = smtp.saturating_add(limits.imap_connections_max);
    if wanted > left {
        let share = |max: u64| {
            let share = u128::from(max) * u128::from(left) / u128::from(wanted);
            u64::try_from(share).unwrap_or(max).max(1)
        };
        limits.smtp_connections_max = share(limits.smtp_connections_max);
        limits.imap_connections_max = share(limits.imap_connections_max);
        let (smtp, imap) = (limits.smtp_connections_max, limits.imap_connections_max);
        limits.smtp_connections_per_address_max = limits.smtp_connections_per_address_max.min(smtp);
        limits.imap_connections_per_address_max = limits.imap_connections_per_address_max.min(imap);
        // One network does not get all of the few; 0 is no limit.
        let networks = |[near, wide]: [u64; 2], all: u64| {
            [near.min((all / 3).max(1)), wide.min((all.saturating_mul(2) / 3).max(1))]
        };
        limits.smtp_connections_per_network_max = networks(limits.smtp_connections_per_network_max, smtp);
        limits.imap_connections_per_network_max = networks(limits.imap_connections_per_network_max, imap);
    }
}

fn store_share(limit: u64) -> u64 {
    (limit / 4).min(512)
}

fn http_share(limit: u64) -> u64 {
    (limit / 16).clamp(1, 64)
}

/// When the system does not say.
const UNKNOWN: u64 = 1024;

/// Listeners, logs of the store, the socket of the command line with its clients, and what libraries open.
const OTHERS: u64 = 64;

#[cfg(test)]
mod tests {
    use super::*;

    /// What all connections, deliveries and files of the store take together.
    fn total(config: &Config, limit: u64) -> u64 {
        let limits = &config.limits;
        let incoming = 3 * limits.smtp_connections_max + limits.imap_connections_max;
        incoming + 2 * config.queue.deliveries_max + store_share(limit) + http_share(limit) + OTHERS
    }

    #[test]
    fn connections_never_take_what_the_store_needs() {
        for limit in [128, 256, 1024, 4096, 20_000, 36_000, 1 << 20] {
            let mut config = Config::default();
            lower(&mut config, limit);
            assert!(total(&config, limit) <= limit, "{limit}: {:?}", config.limits);
            let limits = &config.limits;
            assert!(limits.smtp_connections_max >= 1 && limits.imap_connections_max >= 4, "{limit}: {limits:?}");
            assert!(limits.imap_connections_per_address_max <= limits.imap_connections_max);
            let [neighbours, wider] = limits.smtp_connections_per_network_max;
            assert!((1..=wider).contains(&neighbours) && wider <= limits.smtp_connections_max, "{limit}: {limits:?}");
            let again = config.clone();
            lower(&mut config, limit);
            assert_eq!(config, again, "what fits stays");
        }
    }

    #[test]
    fn with_enough_nothing_is_lowered() {
        let mut config = Config::default();
        lower(&mut config, 1 << 20);
        assert_eq!(config, Config::default());
    }
}
