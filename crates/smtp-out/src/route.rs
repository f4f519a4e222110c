//! Where a destination's mail goes: MX hosts and their addresses, or the host that the settings name.
//!
//! RFC 5321 §5.1 (order, fall-back to the address, no loops), RFC 7505 (null MX).

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use mail::{Domain, EnhancedCode, Reply};
use queue::Way;
use world::{Chance, MxRecord, ResolveError, World};

use crate::limits::{ADDRESSES_MAX, MX_HOSTS_MAX};
use crate::names::{Mx, Names};
use crate::settings::{Dane, IpFamily, NamedHost, SmartHost, SmtpOutSettings};

/// The way to a destination. Entries with the same route share connections and failures.
#[derive(Clone, Debug)]
pub(crate) enum Route {
    /// The hosts that DNS names for the domain.
    Mx(Domain),
    /// A host that the settings name.
    Host(Arc<SmartHost>),
    /// A host with a name of its own in the settings.
    Named(Arc<NamedHost>),
}

/// A place to connect to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The host's name, as DSNs and certificates have it.
    pub(crate) host: Domain,
    /// Its address.
    pub(crate) address: SocketAddr,
    /// Its preference among the domain's hosts, the lower the better (RFC 5321 §5.1).
    pub(crate) preference: u16,
    /// The name that its address belongs to, when DNSSEC proves the whole way there: the host has the domain's mail, and
    /// this address (RFC 7672 §2.2).
    pub(crate) proven: Option<Domain>,
}

/// The targets of an attempt in their order, no more than [`ADDRESSES_MAX`] of them.
///
/// A host that is there and lacks what a message needs (SMTPUTF8, room, DELIVERBY) has no say about others of its preference: they are
/// tried. Those behind it are not: they would hand the message on to it. RFC 6531 §3.2 leaves that open.
pub(crate) struct Walk<'t> {
    rest: std::slice::Iter<'t, Target>,
    tries: usize,
    lacking: Vec<&'t Target>,
}

impl<'t> Walk<'t> {
    /// Over all of them.
    pub(crate) fn new(targets: &'t [Target]) -> Self {
        Self { rest: targets.iter(), tries: 0, lacking: Vec::new() }
    }

    /// The next one to try.
    pub(crate) fn next_target(&mut self) -> Option<&'t Target> {
        if self.tries >= ADDRESSES_MAX {
            return None;
        }
        self.tries = self.tries.saturating_add(1);
        let Self { rest, lacking, .. } = self;
        let in_vain = |target: &&Target| {
            lacking.iter().any(|known| known.host == target.host || known.preference < target.preference)
        };
        rest.find(|target| !in_vain(target))
    }

    /// This host is there, and lacks what the message needs.
    pub(crate) fn lacks(&mut self, target: &'t Target) {
        self.lacking.push(target);
    }
}

impl Route {
    /// The route that was chosen for a destination.
    pub(crate) fn new(settings: &SmtpOutSettings, destination: &Domain, way: &Way) -> Self {
        let given = match way {
            Way::Named(name) => settings
                .named
                .iter()
                .find(|named| named.route.name == *name)
                .map(|named| Self::Named(Arc::clone(named))),
            Way::Destination => settings.overrides.get(destination).map(|host| Self::Host(Arc::clone(host))),
            Way::SmartHost => settings.smart_host.as_ref().map(|host| Self::Host(Arc::clone(host))),
            Way::Mx => None,
        };
        given.unwrap_or_else(|| Self::Mx(destination.clone()))
    }

    /// The host, when the settings name one.
    pub(crate) fn smart_host(&self) -> Option<&Arc<SmartHost>> {
        match self {
            Self::Mx(_) => None,
            Self::Host(host) => Some(host),
            Self::Named(named) => Some(&named.host),
        }
    }

    /// Connections there at the same time.
    pub(crate) fn connections_max(&self, settings: &SmtpOutSettings) -> usize {
        let own = if let Self::Named(named) = self { named.connections_max } else { None };
        own.unwrap_or(settings.connections_per_destination_max).max(1)
    }

    /// The least time between the beginnings of two messages there.
    pub(crate) fn gap_least(&self, settings: &SmtpOutSettings) -> Duration {
        let own = if let Self::Named(named) = self { named.per_minute_max } else { None };
        let per_minute = own.or(settings.per_minute_max);
        per_minute.and_then(|messages| Duration::from_secs(60).checked_div(messages)).unwrap_or_default()
    }

    /// For metrics, which can't have one series for each domain.
    pub(crate) fn class(&self) -> &'static str {
        match self {
            Self::Mx(_) => "mx",
            Self::Host(_) => "smart_host",
            Self::Named(_) => "route",
        }
    }

    /// The places that take its mail, best first, of each host no more than an attempt tries in all; or the reply that stands for
    /// what DNS said.
    pub(crate) async fn targets(&self, world: &World, settings: &SmtpOutSettings) -> Result<Vec<Target>, Reply> {
        let host = match self {
            Self::Mx(domain) => return mx_targets(world, settings, domain).await,
            Self::Host(host) => host,
            Self::Named(named) => &named.host,
        };
        let addresses = world.resolver.addresses(&host.host).await.map_err(|error| {
            // A wrong smart host is our administrator's error: nobody's mail fails for it.
            temporary(format!("the address of {} can't be found: {error}", host.host))
        })?;
        let family = by_family(addresses, IpFamily::Both);
        Ok(family.into_iter().map(|ip| target(&host.host, ip, host.port)).take(ADDRESSES_MAX).collect())
    }
}

async fn mx_targets(world: &World, settings: &SmtpOutSettings, domain: &Domain) -> Result<Vec<Target>, Reply> {
    let validating = match settings.tls.dane {
        Dane::Auto => world.resolver.validates().await,
        Dane::On => true,
        Dane::Off => false,
    };
    let names = Names::new(world, validating);
    let (hosts, hosts_proven) = match domain.as_literal() {
        Some(_) => (vec![(0, domain.clone())], false),
        None => {
            let Mx { records, proven } = names.mx(domain).await;
            (mx_hosts(world, settings, domain, records)?, proven)
        }
    };
    let mut targets = Vec::new();
    let (mut dns_failed, mut own) = (None, false);
    for (preference, host) in hosts.iter().take(MX_HOSTS_MAX) {
        match names.addresses(host).await {
            Ok(addresses) => {
                let proven = addresses.proven.filter(|_| hosts_proven);
                for ip in by_family(addresses.ips, settings.ip_family).into_iter().take(ADDRESSES_MAX) {
                    match is_ours(settings, ip) {
                        true => own = true,
                        false => {
                            let (proven, preference) = (proven.clone(), *preference);
                            targets.push(Target { proven, preference, ..target(host, ip, settings.mx_port) });
                        }
                    }
                }
            }
            Err(ResolveError::Temporary(error)) => dns_failed = Some(error),
            Err(ResolveError::NoSuchName | ResolveError::NoRecords) => {}
        }
    }
    match dns_failed {
        _ if !targets.is_empty() => Ok(targets),
        Some(error) => Err(temporary(format!("DNS gave no address for {domain}: {error}"))),
        None if own => Err(loops(domain)),
        None => Err(Reply::new(
            550,
            Some(EnhancedCode(5, 4, 4)),
            format!("no server that takes mail for {domain} has an address"),
        )),
    }
}

/// The MX hosts of a domain in the order to try them, with their preferences; without MX records the domain itself.
fn mx_hosts(
    world: &World,
    settings: &SmtpOutSettings,
    domain: &Domain,
    records: Result<Vec<MxRecord>, ResolveError>,
) -> Result<Vec<(u16, Domain)>, Reply> {
    match records {
        Ok(records) => {
            let null = !records.is_empty() && records.iter().all(|record| record.host.is_none());
            if null {
                // RFC 7505 §4.1.
                let text = format!("{domain} takes no mail (null MX)");
                return Err(Reply::new(556, Some(EnhancedCode(5, 1, 10)), text));
            }
            let hosts = ordered(records, &*world.chance, |host| {
                *host == settings.hostname || settings.own_names.contains(host)
            });
            if hosts.is_empty() { Err(loops(domain)) } else { Ok(hosts) }
        }
        // RFC 5321 §5.1: the implicit MX. Whether there is an address shows next.
        Err(ResolveError::NoRecords) => Ok(vec![(0, domain.clone())]),
        Err(ResolveError::NoSuchName) => {
            Err(Reply::new(550, Some(EnhancedCode(5, 1, 2)), format!("the domain {domain} does not exist")))
        }
        Err(ResolveError::Temporary(error)) => Err(temporary(format!("DNS gave no MX records for {domain}: {error}"))),
    }
}

/// By preference; equal ones shuffled (RFC 5321 §5.1). Where this server is among them, only those preferred to it.
fn ordered(records: Vec<MxRecord>, chance: &dyn Chance, is_us: impl Fn(&Domain) -> bool) -> Vec<(u16, Domain)> {
    let us = records.iter().filter(|r| r.host.as_ref().is_some_and(&is_us)).map(|r| r.preference).min();
    let better = |preference: u16| us.is_none_or(|us| preference < us);
    let mut hosts: Vec<(u16, u64, Domain)> = records
        .into_iter()
        .filter(|record| better(record.preference))
        .filter_map(|record| Some((record.preference, chance.number(), record.host?)))
        .collect();
    hosts.sort();
    hosts.into_iter().map(|(preference, _, host)| (preference, host)).collect()
}

fn by_family(addresses: Vec<IpAddr>, family: IpFamily) -> Vec<IpAddr> {
    let (v6, v4): (Vec<_>, Vec<_>) = addresses.into_iter().partition(IpAddr::is_ipv6);
    match family {
        // In turns, so that the first few of many addresses are of both families.
        IpFamily::Both => {
            let (mut v6, mut v4) = (v6.into_iter(), v4.into_iter());
            let pairs = std::iter::from_fn(|| match (v6.next(), v4.next()) {
                (None, None) => None,
                pair => Some(pair),
            });
            pairs.flat_map(|(six, four)| six.into_iter().chain(four)).collect()
        }
        IpFamily::V4 => v4,
        IpFamily::V6 => v6,
    }
}

/// Whether connecting there would be talking to ourselves, or to nobody. A foreign domain must not lead us to loopback.
fn is_ours(settings: &SmtpOutSettings, ip: IpAddr) -> bool {
    let ip = ip.to_canonical();
    ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || settings.own_addresses.contains(&ip)
}

fn target(host: &Domain, ip: IpAddr, port: u16) -> Target {
    Target { host: host.clone(), address: SocketAddr::new(ip, port), preference: 0, proven: None }
}

fn temporary(text: String) -> Reply {
    Reply::new(451, Some(EnhancedCode(4, 4, 3)), text)
}

fn loops(domain: &Domain) -> Reply {
    Reply::new(554, Some(EnhancedCode(5, 4, 6)), format!("mail for {domain} leads back to this server"))
}

#[cfg(test)]
mod tests {
    use mail::Timestamp;
    use world::simulated::SimulatedWorld;

    use super::*;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    fn mx(preference: u16, host: &str) -> MxRecord {
        MxRecord { preference, host: (!host.is_empty()).then(|| domain(host)) }
    }

    fn settings() -> SmtpOutSettings {
        let mut settings = SmtpOutSettings::new(domain("us.example"));
        settings.own_addresses.push("192.0.2.99".parse().unwrap());
        settings
    }

    fn simulated() -> SimulatedWorld {
        SimulatedWorld::new(Timestamp(0), 3)
    }

    fn addresses(world: &SimulatedWorld, host: &str, addresses: &[&str]) {
        world.resolver.set_addresses(domain(host), Ok(addresses.iter().map(|a| a.parse().unwrap()).collect()));
    }

    async fn hosts(world: &SimulatedWorld, to: &str) -> Result<Vec<String>, EnhancedCode> {
        let settings = settings();
        let way = settings.routes().choose(None, &domain(to), 0).way;
        let targets = Route::new(&settings, &domain(to), &way).targets(&world.world(), &settings).await;
        targets
            .map(|all| all.iter().map(|t| format!("{} {}", t.host, t.address)).collect())
            .map_err(|reply| reply.enhanced.unwrap())
    }

    #[tokio::test]
    async fn hosts_come_by_preference_with_all_addresses() {
        let world = simulated();
        world.resolver.set_mx(domain("b.example"), Ok(vec![mx(20, "two.example"), mx(10, "one.example")]));
        addresses(&world, "one.example", &["192.0.2.1", "2001:db8::1"]);
        addresses(&world, "two.example", &["192.0.2.2"]);
        assert_eq!(
            hosts(&world, "b.example").await.unwrap(),
            ["one.example [2001:db8::1]:25", "one.example 192.0.2.1:25", "two.example 192.0.2.2:25"]
        );
    }

    #[test]
    fn families_take_turns_so_that_neither_is_crowded_out() {
        let all: Vec<IpAddr> =
            ["2001:db8::1", "2001:db8::2", "192.0.2.1", "2001:db8::3", "192.0.2.2", "192.0.2.3", "192.0.2.4"]
                .map(|ip| ip.parse().unwrap())
                .to_vec();
        let shown = |family| by_family(all.clone(), family).iter().map(ToString::to_string).collect::<Vec<_>>();
        assert_eq!(
            shown(IpFamily::Both),
            ["2001:db8::1", "192.0.2.1", "2001:db8::2", "192.0.2.2", "2001:db8::3", "192.0.2.3", "192.0.2.4"]
        );
        assert_eq!(shown(IpFamily::V6), ["2001:db8::1", "2001:db8::2", "2001:db8::3"]);
        assert_eq!(shown(IpFamily::V4).len(), 4);
    }

    /// What a domain says must not make an attempt endless, nor its targets many.
    #[tokio::test]
    async fn huge_answers_are_bounded() {
        let world = simulated();
        let many: Vec<String> = (0..200).map(|n| format!("192.0.2.{}", n % 90)).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let records = (0..200).map(|n| mx(n, &format!("h{n}.example"))).collect();
        world.resolver.set_mx(domain("huge.example"), Ok(records));
        for n in 0..200 {
            addresses(&world, &format!("h{n}.example"), &many);
        }
        let targets = hosts(&world, "huge.example").await.unwrap();
        assert_eq!(targets.len(), MX_HOSTS_MAX * ADDRESSES_MAX);
        let last = format!("h{}.example ", MX_HOSTS_MAX - 1);
        assert!(targets[0].starts_with("h0.example ") && targets.last().unwrap().starts_with(&last));
        let targets: Vec<Target> =
            (0..500).map(|n| target(&domain(&format!("h{n}.example")), [192, 0, 2, 1].into(), 25)).collect();
        let mut walk = Walk::new(&targets);
        assert_eq!(std::iter::from_fn(|| walk.next_target()).count(), ADDRESSES_MAX);
    }

    #[test]
    fn who_lacks_something_has_no_say_about_its_equals() {
        let targets: Vec<Target> = [(10, "a"), (10, "a"), (10, "b"), (10, "c"), (20, "d"), (20, "e"), (30, "f")]
            .map(|(preference, host)| {
                let one = target(&domain(&format!("{host}.example")), [192, 0, 2, 1].into(), 25);
                Target { preference, ..one }
            })
            .to_vec();
        // By the hosts that lack it: who is tried.
        for (lacking, tried) in [
            ("", "aabcdef"),
            ("a", "abc"),
            ("ab", "abc"),
            ("c", "aabc"),
            ("d", "aabcde"),
            ("de", "aabcde"),
            ("f", "aabcdef"),
            ("abcdef", "abc"),
        ] {
            let mut walk = Walk::new(&targets);
            let mut seen = String::new();
            while let Some(target) = walk.next_target() {
                let name = &target.host.as_str()[..1];
                seen.push_str(name);
                if lacking.contains(name) {
                    walk.lacks(target);
                }
            }
            assert_eq!(seen, tried, "{lacking} lack it");
        }
    }

    #[test]
    fn equal_preferences_are_shuffled() {
        let world = simulated();
        let records = || vec![mx(10, "a.example"), mx(10, "b.example"), mx(5, "c.example")];
        let mut firsts = std::collections::BTreeSet::new();
        for _ in 0..50 {
            let order = ordered(records(), &*world.world().chance, |_| false);
            assert_eq!(order[0], (5, domain("c.example")));
            firsts.insert(order[1].1.to_string());
        }
        assert_eq!(firsts.len(), 2);
    }

    #[tokio::test]
    async fn what_dns_says_decides_between_now_later_and_never() {
        let world = simulated();
        let temporary = || Err(ResolveError::Temporary("timeout".into()));
        world.resolver.set_mx(domain("null.example"), Ok(vec![mx(0, "")]));
        world.resolver.set_mx(domain("slow.example"), temporary());
        world.resolver.set_mx(domain("half.example"), Ok(vec![mx(1, "slow-host.example")]));
        world.resolver.set_addresses(domain("slow-host.example"), Err(ResolveError::Temporary("x".into())));
        world.resolver.set_mx(domain("empty.example"), Ok(vec![mx(1, "gone.example")]));
        addresses(&world, "plain.example", &["192.0.2.7"]);
        assert_eq!(hosts(&world, "null.example").await, Err(EnhancedCode(5, 1, 10)));
        assert_eq!(hosts(&world, "slow.example").await, Err(EnhancedCode(4, 4, 3)));
        assert_eq!(hosts(&world, "half.example").await, Err(EnhancedCode(4, 4, 3)));
        assert_eq!(hosts(&world, "empty.example").await, Err(EnhancedCode(5, 4, 4)));
        assert_eq!(hosts(&world, "nowhere.example").await, Err(EnhancedCode(5, 1, 2)));
        assert_eq!(hosts(&world, "plain.example").await.unwrap(), ["plain.example 192.0.2.7:25"]);
        assert_eq!(hosts(&world, "[192.0.2.8]").await.unwrap(), ["[192.0.2.8] 192.0.2.8:25"]);
    }

    #[tokio::test]
    async fn mail_never_comes_back_to_us() {
        let world = simulated();
        let us_second = vec![mx(10, "one.example"), mx(20, "us.example"), mx(30, "three.example")];
        world.resolver.set_mx(domain("backup.example"), Ok(us_second));
        world.resolver.set_mx(domain("loop.example"), Ok(vec![mx(10, "us.example"), mx(10, "one.example")]));
        world.resolver.set_mx(domain("alias.example"), Ok(vec![mx(10, "alias-of-us.example")]));
        world.resolver.set_mx(domain("local.example"), Ok(vec![mx(10, "localhost.example")]));
        addresses(&world, "one.example", &["192.0.2.1"]);
        addresses(&world, "us.example", &["192.0.2.99"]);
        addresses(&world, "three.example", &["192.0.2.3"]);
        addresses(&world, "alias-of-us.example", &["192.0.2.99"]);
        addresses(&world, "localhost.example", &["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0"]);
        assert_eq!(hosts(&world, "backup.example").await.unwrap(), ["one.example 192.0.2.1:25"]);
        for to in ["loop.example", "alias.example", "local.example"] {
            assert_eq!(hosts(&world, to).await, Err(EnhancedCode(5, 4, 6)), "{to}");
        }
    }
}
