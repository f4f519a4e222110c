//! From the configuration to the settings of each crate.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use auth::GuardSettings;
use delivery::{Checks, Delivery};
use hooks::Hooks;
use mail::Domain;
use outside::milter::Milter;
use outside::rspamd::{Greylist, Password, Rspamd};
use outside::{Discard, Fail, Filter, Filters, Kind};
use queue::{RetryPolicy, Schedules};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use sender_auth::verify::{DnsAuthentication, SenderAuthentication};
use smtp_in::ListenerKind;
use smtp_out::{Login, NamedHost, Roots, Secret, SmtpOutSettings, TlsMode};
use storage::rows::MailClass;
use world::https::{HttpsClient, Reach};

use crate::cli::Failure;
use crate::config::{
    BareNewlines, Config, Dane, DiscardWay, FailWay, FilterKind, GreylistWay, IpFamily, Limits, LooksAt, OutsideFilter,
    Queue, Route, Security, SmartHostTls,
};

use super::own::own_addresses;
use super::reload::Reloadable;

fn number(value: u64) -> usize {
    usize::try_from(value).unwrap_or(usize::MAX)
}

/// Logins.
pub(crate) fn auth(security: &Security) -> auth::Settings {
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
        tls: Some(if kind.is_submission() { &reloadable.submission_tls } else { &reloadable.smtp_tls }.clone()),
        bare_newlines: match config.security.bare_newlines {
            BareNewlines::Refuse => smtp_in::BareNewlines::Refuse,
            BareNewlines::Convert => smtp_in::BareNewlines::Convert,
        },
        scram: config.security.scram,
        tokens: !config.oauth.issuer.is_empty(),
        proxies: config.security.proxy_protocol_from.clone(),
        xclient_from: config.security.xclient_from.clone(),
        // Without IMAP there is nobody who could authorise a URL.
        burl: !config.listeners.imap.is_empty() || !config.listeners.imaps.is_empty(),
        no_soliciting: config.security.no_soliciting.clone(),
        door: Some(reloadable.door.clone()),
    }
}

/// The bounds of SMTP sessions.
pub(super) fn smtp_limits(limits: &Limits) -> smtp_in::Limits {
    smtp_in::Limits {
        message_octets_max: limits.message_octets_max,
        recipients_max: number(limits.recipients_max),
        recipient_domains_max: number(limits.recipient_domains_max.into()),
        hold_max: Duration::from_secs(limits.hold_secs_max.into()),
        idle: Duration::from_secs(limits.smtp_idle_secs),
        shutdown_grace: Duration::from_secs(limits.shutdown_grace_secs),
        connections_max: number(limits.smtp_connections_max),
        connections_per_address_max: number(limits.smtp_connections_per_address_max),
        connections_per_network_max: limits.smtp_connections_per_network_max.map(number),
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
        unauthenticate: config.security.imap_unauthenticate,
        append_octets_max: limits.message_octets_max,
        submission_servers: config.security.imap_submission_servers.clone(),
        message_limit: message_limit(limits),
        connections_max: number(limits.imap_connections_max),
        connections_per_address_max: number(limits.imap_connections_per_address_max),
        connections_per_network_max: limits.imap_connections_per_network_max.map(number),
        autologout: Duration::from_secs(limits.imap_idle_secs),
        shutdown_grace: Duration::from_secs(limits.shutdown_grace_secs),
        search_attachments: config.search.attachments,
        ..imap::Settings::default()
    }
}

/// RFC 9738 §3: one of the two is announced, the one that says more.
fn message_limit(limits: &Limits) -> imap::MessageLimit {
    match (limits.imap_messages_per_command_max, limits.imap_messages_per_save_max) {
        (0, 0) => imap::MessageLimit::Unlimited,
        (0, saves) => imap::MessageLimit::Saves(saves),
        (every, _) => imap::MessageLimit::Every(every),
    }
}

/// Mailing lists.
pub(super) fn lists(config: &Config) -> lists::Settings {
    lists::Settings {
        web_url: config.web.url.clone(),
        waiting_octets_max: config.lists.waiting_mib_max.saturating_mul(1024 * 1024),
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

/// Delivery that checks where messages from other servers come from.
pub(super) fn checking(delivery: Delivery, config: &Config) -> Result<Delivery, Failure> {
    let section = &config.sender_authentication;
    let delivery = match config.spam.filter() {
        Some(filter) => delivery.judging_content(filter),
        None => delivery,
    };
    let delivery = match Domain::parse(&section.results_name) {
        Ok(name) => delivery.with_results_name(name),
        Err(_) => delivery,
    };
    let delivery = delivery.reading_reports_at(section.reports_to.clone());
    if !section.verify {
        return Ok(super::clients::knowing(delivery, config, None));
    }
    let delivery = match mail::Address::parse(&section.reports_from) {
        Ok(address) => delivery.reporting_from(address),
        Err(_) => delivery,
    };
    let world = delivery.store().world().clone();
    let https = HttpsClient::new(world.clone(), &[]);
    let https = https.map_err(|error| Failure::new(format!("[sender_authentication]: {error}")))?;
    let delivery = delivery.posting(Arc::new(https));
    let patience = Duration::from_secs(section.timeout_secs);
    let dns = DnsAuthentication::from_system(config.hostname.clone(), world, patience);
    let dns = dns.map_err(|error| Failure::new(format!("[sender_authentication]: {error}")))?;
    let dns: Arc<dyn SenderAuthentication> = Arc::new(dns);
    let delivery = super::clients::knowing(delivery, config, Some(dns.clone()));
    Ok(delivery.checking(Checks::new(dns, section.rules())))
}

/// Delivery that asks outside filters, when there are some.
pub(super) fn asking_outside(
    delivery: Delivery,
    config: &Config,
    passwords: &mut HashMap<String, Password>,
) -> Result<(Delivery, Option<Arc<Filters>>), Failure> {
    let section = &config.outside;
    if section.filter.is_empty() {
        return Ok((delivery, None));
    }
    let world = delivery.store().world().clone();
    let filter = |one: &OutsideFilter| {
        let place = format!("[[outside.filter]] {}", one.name);
        let failed = |text: String| Failure::new(format!("{place}: {text}"));
        let kind = match one.kind {
            FilterKind::Milter => Kind::Milter(Milter {
                place: one.place().map_err(failed)?,
                patience: one.patience(),
                packet_octets_max: number(one.packet_octets_max.into()),
            }),
            FilterKind::Rspamd => {
                let further = match one.ca_file.as_os_str().is_empty() {
                    true => Vec::new(),
                    false => authorities(&one.ca_file, &place)?,
                };
                let https = HttpsClient::new(world.clone(), &further).map_err(|error| failed(error.to_string()))?;
                Kind::Rspamd(Rspamd {
                    https: Arc::new(https),
                    url: one.checked_url().map_err(failed)?,
                    password: passwords.remove(&one.name),
                    within: one.patience().end,
                    octets_max: one.octets_max,
                    greylist: match one.greylist {
                        GreylistWay::Accept => Greylist::Take,
                        GreylistWay::Defer => Greylist::Defer,
                    },
                })
            }
        };
        Ok::<_, Failure>(Filter {
            name: one.name.clone(),
            kind,
            incoming: one.applies_to.contains(&LooksAt::Incoming),
            submitted: one.applies_to.contains(&LooksAt::Submitted),
            fail: match one.fail {
                FailWay::Open => Fail::Open,
                FailWay::Closed => Fail::Closed,
            },
            discard: match one.discard {
                DiscardWay::Spam => Discard::Spam,
                DiscardWay::Discard => Discard::Discard,
            },
        })
    };
    let filters = section.filter.iter().map(filter).collect::<Result<Vec<_>, Failure>>()?;
    let within = Duration::from_secs(section.together_secs_max.into());
    let filters = Arc::new(Filters::new(delivery.store().world().clone(), within, filters));
    Ok((delivery.asking_outside(Arc::clone(&filters)), Some(filters)))
}

/// Who calls webhooks.
pub(super) fn hooks(delivery: Delivery, config: &Config) -> Result<Hooks, Failure> {
    let world = delivery.store().world().clone();
    let https = HttpsClient::new(world, &[]).map_err(|error| Failure::new(format!("[webhooks]: {error}")))?;
    let reach = if config.webhooks.allow_private { Reach::Anywhere } else { Reach::Public };
    Ok(Hooks::new(delivery, Arc::new(https), hooks::Settings { reach }))
}

/// Outgoing mail; `interfaces` are the addresses of this machine.
pub(super) fn smtp_out(config: &Config, logins: Logins, interfaces: &[IpAddr]) -> Result<SmtpOutSettings, Failure> {
    let queue = &config.queue;
    let mut settings = SmtpOutSettings::new(config.hostname.clone());
    settings.schedules = schedules(queue);
    settings.per_minute_max = Some(queue.deliveries_per_destination_per_minute_max).filter(|max| *max > 0);
    settings.messages_per_connection_max = queue.messages_per_connection_max;
    settings.idle_max = Duration::from_secs(queue.connection_idle_secs);
    settings.source_addresses.clone_from(&queue.source_addresses);
    settings.connections_max = number(queue.deliveries_max);
    settings.connections_per_destination_max = number(queue.deliveries_per_destination_max);
    settings.shutdown_grace = Duration::from_secs(config.limits.shutdown_grace_secs);
    settings.own_names.clone_from(&queue.own_names);
    settings.own_addresses = own_addresses(&config.listeners.mx, interfaces);
    settings.own_addresses.extend(&queue.own_addresses);
    settings.ip_family = match queue.ip_family {
        IpFamily::Both => smtp_out::IpFamily::Both,
        IpFamily::Ipv4 => smtp_out::IpFamily::V4,
        IpFamily::Ipv6 => smtp_out::IpFamily::V6,
    };
    for destination in &queue.destination {
        let to = smtp_out::SmartHost {
            host: host(&destination.host)?,
            port: destination.port,
            tls: TlsMode::Opportunistic,
            login: None,
        };
        settings.overrides.insert(destination.domain.clone(), Arc::new(to));
    }
    settings.tls.dane = match queue.tls.dane {
        Dane::Auto => smtp_out::Dane::Auto,
        Dane::On => smtp_out::Dane::On,
        Dane::Off => smtp_out::Dane::Off,
    };
    settings.tls.mta_sts = queue.tls.mta_sts;
    if !queue.tls.ca_file.as_os_str().is_empty() {
        settings.tls.further_roots = authorities(&queue.tls.ca_file, "[queue.tls]")?;
    }
    let Logins { smart_host, mut routes, .. } = logins;
    for route in &queue.route {
        let to = smtp_out::SmartHost {
            host: host(&route.host)?,
            port: route.port,
            tls: tls_mode(route.tls),
            login: routes.remove(&route.name),
        };
        settings.named.push(Arc::new(named_host(route, to, queue)?));
    }
    let smart = &queue.smart_host;
    if !smart.host.is_empty() {
        if !smart.ca_file.as_os_str().is_empty() {
            settings.roots = Roots::Given(authorities(&smart.ca_file, "[queue.smart_host]")?);
        }
        let to = smtp_out::SmartHost {
            host: host(&smart.host)?,
            port: smart.port,
            tls: tls_mode(smart.tls),
            login: smart_host,
        };
        settings.smart_host = Some(Arc::new(to));
    }
    Ok(settings)
}

const fn tls_mode(tls: SmartHostTls) -> TlsMode {
    match tls {
        SmartHostTls::Starttls => TlsMode::Required,
        SmartHostTls::Implicit => TlsMode::Implicit,
        SmartHostTls::Opportunistic => TlsMode::Opportunistic,
        SmartHostTls::None => TlsMode::Plain,
    }
}

/// A host with a name, as the file has it.
fn named_host(route: &Route, host: smtp_out::SmartHost, queue: &Queue) -> Result<NamedHost, Failure> {
    let roots = match route.ca_file.as_os_str().is_empty() {
        true => None,
        false => Some(Roots::Given(authorities(&route.ca_file, &format!("[[queue.route]] {}", route.name))?)),
    };
    let chosen = queue.routes().named(&route.name).cloned().unwrap_or_default();
    Ok(NamedHost {
        route: chosen,
        host: Arc::new(host),
        // Authorities that were given for the smart host are those of everybody without their own.
        roots: roots.or_else(|| (!queue.smart_host.ca_file.as_os_str().is_empty()).then_some(Roots::Public)),
        connections_max: usize::try_from(route.deliveries_max).ok().filter(|max| *max > 0),
        per_minute_max: Some(route.deliveries_per_minute_max).filter(|max| *max > 0),
    })
}

/// Automatic mail and reports are given up after two days: what they tell is of no use later (RFC 5321 §4.5.4.1).
const MACHINES_AGE_MAX: Duration = Duration::from_secs(2 * 86_400);

/// The retry schedules of all classes of mail.
fn schedules(queue: &Queue) -> Schedules {
    let delays = |secs: &[u64]| secs.iter().copied().map(Duration::from_secs).collect();
    let notice = |secs: u64| if secs == 0 { Duration::MAX } else { Duration::from_secs(secs) };
    let usual = RetryPolicy {
        delays: delays(&queue.retry_delays_secs),
        age_max: Duration::from_secs(queue.age_max_secs),
        delay_notice_after: notice(queue.delay_notice_secs),
        ..RetryPolicy::default()
    };
    let mut by_class = BTreeMap::new();
    for class in [MailClass::Automatic, MailClass::Report] {
        by_class.insert(class, RetryPolicy { age_max: usual.age_max.min(MACHINES_AGE_MAX), ..usual.clone() });
    }
    for said in &queue.schedule {
        let mut policy = by_class.get(&said.class).unwrap_or(&usual).clone();
        if let Some(secs) = said.age_max_secs {
            policy.age_max = Duration::from_secs(secs);
        }
        if let Some(secs) = &said.retry_delays_secs {
            policy.delays = delays(secs);
        }
        if let Some(secs) = said.delay_notice_secs {
            policy.delay_notice_after = notice(secs);
        }
        by_class.insert(said.class, policy);
    }
    Schedules { usual, by_class }
}

/// A host as the configuration has it; an IP address becomes an address literal.
fn host(text: &str) -> Result<Domain, Failure> {
    match text.parse() {
        Ok(ip) => Ok(Domain::literal(ip)),
        Err(_) => Domain::parse(text).map_err(|flaw| Failure::new(format!("\"{text}\" is no host: {flaw}"))),
    }
}

/// The certificates of a PEM file; at least one.
pub(super) fn authorities(file: &Path, place: &str) -> Result<Vec<CertificateDer<'static>>, Failure> {
    let wrong = |what: String| Failure::new(format!("{place} ca_file {}: {what}", file.display()));
    let read = CertificateDer::pem_file_iter(file).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = read.map_err(|error| wrong(error.to_string()))?;
    if certificates.is_empty() {
        Err(wrong("it holds no certificate in PEM form".to_owned()))
    } else {
        Ok(certificates)
    }
}

/// Who this server is to the hosts that the file names.
#[derive(Debug, Default)]
pub(super) struct Logins {
    pub(super) smart_host: Option<Login>,
    /// By the names of the routes.
    pub(super) routes: HashMap<String, Login>,
    /// What outside filters demand, by their names.
    pub(super) filters: HashMap<String, Password>,
}

/// The logins, whose passwords are read while this process may still read them.
pub(super) fn logins(config: &Config) -> Result<Logins, Failure> {
    let password = |file: &Path, place: &str| {
        let text = std::fs::read_to_string(file).map_err(|error| {
            let failure = Failure::new(format!("{place} password_file {}: {error}", file.display()));
            failure.hint("its first line is the password; it is read at the start, by root when root starts the server")
        })?;
        Ok::<_, Failure>(text.lines().next().unwrap_or_default().to_owned())
    };
    let login = |name: &String, file: &Path, place: &str| {
        Ok::<_, Failure>(Login { name: name.clone(), password: Secret::new(password(file, place)?) })
    };
    let mut logins = Logins::default();
    let smart = &config.queue.smart_host;
    if !smart.host.is_empty() && !smart.login.is_empty() {
        logins.smart_host = Some(login(&smart.login, &smart.password_file, "[queue.smart_host]")?);
    }
    for route in config.queue.route.iter().filter(|route| !route.login.is_empty()) {
        let place = format!("[[queue.route]] {}", route.name);
        logins.routes.insert(route.name.clone(), login(&route.login, &route.password_file, &place)?);
    }
    for filter in config.outside.filter.iter().filter(|filter| !filter.password_file.as_os_str().is_empty()) {
        let place = format!("[[outside.filter]] {}", filter.name);
        let password = Password::new(password(&filter.password_file, &place)?);
        logins.filters.insert(filter.name.clone(), password);
    }
    Ok(logins)
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "tests write the files that are read")]
mod tests {
    use crate::config::parse;

    use super::*;

    #[test]
    fn smtp_out_knows_what_is_this_server() {
        let text = "[listeners]\nmx = [\"[::]:25\"]\n[queue]\nown_names = [\"MX2.near.example\"]\n\
                    own_addresses = [\"198.51.100.7\"]\nip_family = \"ipv4\"\n";
        let config = parse(text, Path::new("relais.toml")).unwrap();
        let settings = smtp_out(&config, Logins::default(), &["192.0.2.1".parse().unwrap()]).unwrap();
        assert_eq!(settings.own_names, [Domain::parse("mx2.near.example").unwrap()]);
        let own: Vec<String> = settings.own_addresses.iter().map(IpAddr::to_string).collect();
        assert_eq!(own, ["192.0.2.1", "198.51.100.7"]);
        assert_eq!(settings.ip_family, smtp_out::IpFamily::V4);
        assert_eq!(settings.roots, Roots::Public);
    }

    #[test]
    fn a_ca_file_must_hold_certificates() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("ca.pem");
        let config = |file: &Path| {
            let text = format!("[queue.smart_host]\nhost = \"smart.example\"\nca_file = \"{}\"\n", file.display());
            parse(&text, Path::new("relais.toml")).unwrap()
        };
        assert!(smtp_out(&config(&file), Logins::default(), &[]).is_err(), "no such file");
        std::fs::write(&file, "no certificate").unwrap();
        assert!(smtp_out(&config(&file), Logins::default(), &[]).is_err());
        let made = rcgen::generate_simple_self_signed(vec!["smart.example".to_owned()]).unwrap();
        std::fs::write(&file, made.cert.pem()).unwrap();
        assert_eq!(
            smtp_out(&config(&file), Logins::default(), &[]).unwrap().roots,
            Roots::Given(vec![made.cert.der().clone()])
        );
    }

    #[test]
    fn connections_of_networks_are_taken_over_and_mistakes_told() {
        let text = "[limits]\nsmtp_connections_per_network_max = [7, 0]\nimap_connections_per_network_max = [8, 9]\n";
        let config = parse(text, Path::new("relais.toml")).unwrap();
        assert_eq!(smtp_limits(&config.limits).connections_per_network_max, [7, 0]);
        assert_eq!(imap(&config).connections_per_network_max, [8, 9]);
        let wrong = parse("[limits]\nsmtp_connections_per_network_max = [7]\n", Path::new("relais.toml")).unwrap_err();
        assert!(wrong.to_string().contains("these are 1 numbers; write two"), "{wrong}");
    }

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

    #[test]
    fn routes_and_schedules_are_taken_over() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("password");
        std::fs::write(&file, "s3cret\nnot this").unwrap();
        let text = format!(
            "[queue]\nsource_addresses = [\"192.0.2.9\"]\ndeliveries_per_destination_per_minute_max = 90\n\
             [[queue.route]]\nname = \"provider\"\nhost = \"192.0.2.10\"\nlogin = \"me\"\npassword_file = \"{}\"\n\
             senders = [\"boss@a.example\", \"<>\"]\nafter_failures = 2\ndeliveries_max = 3\n\
             [[queue.route]]\nname = \"plain\"\nhost = \"smtp.example\"\nport = 2525\ntls = \"none\"\n\
             recipient_domains = [\"b.example\"]\n\
             [[queue.schedule]]\nclass = \"list\"\nretry_delays_secs = [7]\ndelay_notice_secs = 0\n\
             [[queue.schedule]]\nclass = \"report\"\nage_max_secs = 600\n\
             [[queue.destination]]\ndomain = \"c.example\"\nhost = \"2001:db8::1\"\n\
             [queue.smart_host]\nhost = \"smart.example\"\n",
            file.display()
        );
        let config = parse(&text, Path::new("relais.toml")).unwrap();
        let settings = smtp_out(&config, logins(&config).unwrap(), &[]).unwrap();
        assert_eq!(settings.routes(), config.queue.routes(), "both sides choose from the same");
        let [provider, plain] = settings.named.as_slice() else { panic!("{settings:?}") };
        let login = Login { name: "me".into(), password: Secret::new("s3cret") };
        assert_eq!(
            (provider.host.login.as_ref(), provider.host.tls, provider.host.port),
            (Some(&login), TlsMode::Required, 587)
        );
        assert_eq!(
            (provider.connections_max, provider.per_minute_max, provider.route.after_failures),
            (Some(3), None, 2)
        );
        assert_eq!((plain.host.tls, plain.host.port, plain.host.login.as_ref()), (TlsMode::Plain, 2525, None));
        assert_eq!((settings.per_minute_max, settings.source_addresses.len()), (Some(90), 1));
        let of = |class| settings.schedules.of(class);
        assert_eq!(of(MailClass::List).delays, [Duration::from_secs(7)]);
        assert_eq!(
            (of(MailClass::List).delay_notice_after, of(MailClass::List).age_max),
            (Duration::MAX, Duration::from_secs(432_000))
        );
        assert_eq!(of(MailClass::Report).age_max, Duration::from_secs(600));
        assert_eq!(
            (of(MailClass::Automatic).age_max, of(MailClass::Person).age_max.as_secs()),
            (MACHINES_AGE_MAX, 432_000)
        );
        std::fs::remove_file(&file).unwrap();
        assert!(logins(&config).is_err(), "a password that can't be read stops the start");
    }
}
