//! From the configuration to the settings of each crate.

use std::sync::Arc;
use std::time::Duration;

use auth::GuardSettings;
use mail::Domain;
use queue::RetryPolicy;
use smtp_in::{ListenerKind, Live};
use smtp_out::{Login, Secret, SmtpOutSettings, TlsMode};

use crate::cli::Failure;
use crate::config::{BareNewlines, Config, Limits, Security, SmartHostTls};

use super::reload::Reloadable;

fn number(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Logins.
pub(super) fn auth(security: &Security) -> auth::Settings {
    auth::Settings {
        password: security.password_params(),
        checks_at_once: number(security.password_checks_at_once),
        success_remembered: Duration::from_secs(security.login_remembered_secs),
        guard: GuardSettings {
            address_failures_max: security.failed_logins_per_address_max,
            account_failures_max: security.failed_logins_per_account_max,
            failure_wears_off: Duration::from_secs(security.failed_login_forgotten_secs),
        },
    }
}

/// One SMTP listener.
pub(super) fn smtp_in(config: &Config, kind: ListenerKind, reloadable: &Reloadable) -> smtp_in::Settings {
    smtp_in::Settings {
        kind,
        host_name: config.hostname.clone(),
        limits: reloadable.smtp_limits.clone(),
        tls: Some(Live::clone(&reloadable.smtp_tls)),
        bare_newlines: match config.security.bare_newlines {
            BareNewlines::Refuse => smtp_in::BareNewlines::Refuse,
            BareNewlines::Convert => smtp_in::BareNewlines::Convert,
        },
    }
}

/// The bounds of SMTP sessions.
pub(super) fn smtp_limits(limits: &Limits) -> smtp_in::Limits {
    smtp_in::Limits {
        message_octets_max: limits.message_octets_max,
        recipients_max: number(limits.recipients_max),
        idle: Duration::from_secs(limits.smtp_idle_secs),
        shutdown_grace: Duration::from_secs(limits.shutdown_grace_secs),
        connections_max: number(limits.smtp_connections_max),
        connections_per_address_max: number(limits.smtp_connections_per_address_max),
        ..smtp_in::Limits::default()
    }
}

/// Events that may wait for the responder before senders are asked to wait.
pub(super) fn backlog_max(limits: &Limits) -> usize {
    number(limits.responder_backlog_max)
}

/// One IMAP listener.
pub(super) fn imap(config: &Config) -> imap::Settings {
    let limits = &config.limits;
    imap::Settings {
        hostname: config.hostname.to_string(),
        plaintext_login_on_loopback: config.security.imap_plaintext_login_on_loopback,
        append_octets_max: limits.message_octets_max,
        connections_max: number(limits.imap_connections_max),
        connections_per_address_max: number(limits.imap_connections_per_address_max),
        autologout: Duration::from_secs(limits.imap_idle_secs),
        shutdown_grace: Duration::from_secs(limits.shutdown_grace_secs),
        ..imap::Settings::default()
    }
}

/// External accounts.
pub(crate) fn fetch(fetch: &crate::config::Fetch) -> fetch::Settings {
    fetch::Settings {
        at_once: number(fetch.at_once),
        interval_min: Duration::from_secs(fetch.interval_secs_min),
        timeout: Duration::from_secs(fetch.timeout_secs),
    }
}

/// Outgoing mail.
pub(super) fn smtp_out(config: &Config, login: Option<Login>) -> Result<SmtpOutSettings, Failure> {
    let queue = &config.queue;
    let mut settings = SmtpOutSettings::new(config.hostname.clone());
    settings.retry = RetryPolicy {
        delays: queue.retry_delays_secs.iter().copied().map(Duration::from_secs).collect(),
        age_max: Duration::from_secs(queue.age_max_secs),
        delay_notice_after: match queue.delay_notice_secs {
            0 => Duration::MAX,
            secs => Duration::from_secs(secs),
        },
        ..RetryPolicy::default()
    };
    settings.connections_max = number(queue.deliveries_max);
    settings.connections_per_destination_max = number(queue.deliveries_per_destination_max);
    settings.shutdown_grace = Duration::from_secs(config.limits.shutdown_grace_secs);
    for destination in &queue.destination {
        let to = smtp_out::SmartHost {
            host: host(&destination.host)?,
            port: destination.port,
            tls: TlsMode::Opportunistic,
            login: None,
        };
        settings.overrides.insert(destination.domain.clone(), Arc::new(to));
    }
    let smart = &queue.smart_host;
    if !smart.host.is_empty() {
        let tls = match smart.tls {
            SmartHostTls::Starttls => TlsMode::Required,
            SmartHostTls::Implicit => TlsMode::Implicit,
            SmartHostTls::Opportunistic => TlsMode::Opportunistic,
        };
        let to = smtp_out::SmartHost { host: host(&smart.host)?, port: smart.port, tls, login };
        settings.smart_host = Some(Arc::new(to));
    }
    Ok(settings)
}

/// A host as the configuration has it; an IP address becomes an address literal.
fn host(text: &str) -> Result<Domain, Failure> {
    match text.parse() {
        Ok(ip) => Ok(Domain::literal(ip)),
        Err(_) => Domain::parse(text).map_err(|flaw| Failure::new(format!("\"{text}\" is no host: {flaw}"))),
    }
}

/// The login at the smart host, if there is one. To be read while the file can be: at the start, before root is given up.
pub(super) fn smart_host_login(config: &Config) -> Result<Option<Login>, Failure> {
    let smart = &config.queue.smart_host;
    if smart.host.is_empty() || smart.login.is_empty() {
        return Ok(None);
    }
    login(config).map(Some)
}

fn login(config: &Config) -> Result<Login, Failure> {
    let (name, file) = (&config.queue.smart_host.login, &config.queue.smart_host.password_file);
    let text = std::fs::read_to_string(file).map_err(|error| {
        let failure = Failure::new(format!("[queue.smart_host] password_file {}: {error}", file.display()));
        failure.hint("its first line is the password; it is read at the start, by root when root starts the server")
    })?;
    let password = text.lines().next().unwrap_or_default();
    Ok(Login { name: name.clone(), password: Secret::new(password) })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the file says of IMAP reaches its sessions; a reload makes the settings anew from the limits.
    #[test]
    fn limits_of_imap_are_taken_over() {
        let mut config = Config::default();
        assert_eq!(imap(&config).autologout, Duration::from_secs(1_800));
        config.limits.imap_idle_secs = 5_400;
        config.limits.imap_connections_max = 7;
        let settings = imap(&config);
        assert_eq!((settings.autologout, settings.connections_max), (Duration::from_secs(5_400), 7));
    }
}
