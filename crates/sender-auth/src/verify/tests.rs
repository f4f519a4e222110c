//! The checks against a name server of the test's own.

mod arc;
mod dkim;
mod server;
mod spf;

use std::sync::Arc;
use std::time::Duration;

use mail::{Address, Domain, Timestamp};
use mail_auth::hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig, ResolverOpts};
use world::simulated::SimulatedWorld;

use super::*;
use server::Zone;

/// A checker that asks this zone, at a time at which the messages of RFCs are not too old.
async fn checker(zone: Zone) -> DnsAuthentication {
    let sim = SimulatedWorld::new(Timestamp::from_secs(1_800_000_000), 1);
    checker_in(&sim, zone, Duration::from_millis(500)).await
}

async fn checker_in(sim: &SimulatedWorld, zone: Zone, patience_of_resolver: Duration) -> DnsAuthentication {
    let address = zone.serve().await;
    let mut udp = ConnectionConfig::udp();
    udp.port = address.port();
    let server = NameServerConfig::new(address.ip(), true, vec![udp]);
    let mut options = ResolverOpts::default();
    options.timeout = patience_of_resolver;
    options.attempts = 0;
    options.edns0 = true;
    let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
    let hostname = Domain::parse("receiver.example").unwrap();
    DnsAuthentication::new(config, options, hostname, sim.world(), Duration::from_secs(20)).unwrap()
}

fn arrived(message: &[u8]) -> Arrived {
    let mut arrival = Arrival::new(Arc::new(Budget::new(1 << 20)));
    arrival.feed(message).unwrap();
    arrival.finish()
}

fn from(ip: &str, path: &str) -> Client {
    let reverse_path = (!path.is_empty()).then(|| Address::parse(path).unwrap());
    Client { ip: ip.parse().unwrap(), helo: Some("mx.sender.example".to_owned()), reverse_path }
}

#[tokio::test]
async fn reports_go_to_who_is_entitled() {
    let zone = Zone::default()
        .txt("sender.example._report._dmarc.reports.example", "v=DMARC1")
        .fails("sender.example._report._dmarc.down.example");
    let checker = checker(zone).await;
    let ask = async |to: &[&str]| {
        let wanted: Vec<String> = to.iter().map(|to| (*to).to_owned()).collect();
        checker.entitled("sender.example", &wanted).await
    };
    let found = ask(&["a@sender.example", "b@x.sender.example", "c@reports.example", "d@stranger.example"]).await;
    let entitled = ["a@sender.example", "b@x.sender.example", "c@reports.example"].map(str::to_owned);
    assert_eq!(found, Entitled::These(entitled.to_vec()));
    assert_eq!(ask(&["a@sender.example", "e@down.example"]).await, Entitled::Unknown);
}

#[tokio::test]
async fn rfc9989_the_organization_of_a_domain_is_asked_for() {
    let zone = Zone::default()
        .txt("_dmarc.sender.example", "v=DMARC1; p=none")
        .txt("_dmarc.unit.sender.example", "v=DMARC1; p=none; psd=n")
        .fails("_dmarc.down.example");
    let checker = checker(zone).await;
    for (domain, expected) in [
        ("mx7.bounces.sender.example", Some("sender.example")),
        ("sender.example", Some("sender.example")),
        ("x.unit.sender.example", Some("unit.sender.example")),
        ("x.other.example", Some("x.other.example")),
        ("[192.0.2.1]", Some("[192.0.2.1]")),
        ("mx.down.example", None),
    ] {
        let found = checker.organization(&Domain::parse(domain).unwrap()).await;
        assert_eq!(found.as_ref().map(Domain::as_str), expected, "{domain}");
    }
}

/// A name server that never answers holds a message for no longer than all checks of it may take.
#[tokio::test]
async fn checks_end_in_their_time() {
    let sim = SimulatedWorld::new(Timestamp::from_secs(1_800_000_000), 1);
    let names = ["sender.example", "_dmarc.sender.example", "1.2.0.192.in-addr.arpa", "s._domainkey.sender.example"];
    let zone = names.into_iter().fold(Zone::default(), Zone::silences);
    let checker = checker_in(&sim, zone, Duration::from_secs(3_600)).await;
    let message =
        b"From: bob@sender.example\r\nDKIM-Signature: v=1; a=rsa-sha256; d=sender.example; s=s; h=from; b=AAAA;\r\n \
                    bh=frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY=\r\n\r\n\r\n";
    let (arrived, client) = (arrived(message), from("192.0.2.1", "bob@sender.example"));
    let time_passes = async {
        loop {
            sim.clock.advance(Duration::from_millis(100));
            tokio::task::yield_now().await;
        }
    };
    let found = tokio::select! {
        found = checker.check(&arrived, &client) => found,
        () = time_passes => unreachable!("it goes on for ever"),
    };
    let spent = sim.world().clock.now().since(Timestamp::from_secs(1_800_000_000));
    assert!(spent < Duration::from_secs(21), "{spent:?}");
    let outcomes = [found.spf.outcome, found.iprev.outcome, found.dkim[0].outcome, found.dmarc[0].outcome];
    assert_eq!(outcomes, [Outcome::TemporaryError; 4]);
}

#[tokio::test]
async fn everything_together() {
    let zone = Zone::default()
        .txt("sender.example", "v=spf1 ip4:192.0.2.1 -all")
        .txt("_dmarc.sender.example", "v=DMARC1; p=reject; rua=mailto:reports@sender.example!1m; aspf=s; sp=quarantine")
        .ptr("1.2.0.192.in-addr.arpa", "mx.sender.example")
        .a("mx.sender.example", "192.0.2.1")
        .fails("_dmarc.down.example")
        .txt("_dmarc.two.example", "v=DMARC1; p=quarantine; t=y")
        .txt("down.example", "v=spf1 -all");
    let checker = checker(zone).await;
    let check = async |ip: &str, path: &str, author: &str| {
        checker.check(&arrived(format!("From: {author}\r\n\r\nx\r\n").as_bytes()), &from(ip, path)).await
    };
    let good = check("192.0.2.1", "bob@sender.example", "Bob <bob@SENDER.example>").await;
    assert_eq!((good.spf.outcome, good.iprev.outcome, good.arc.outcome), (Outcome::Pass, Outcome::Pass, Outcome::None));
    assert_eq!(good.iprev.name.as_deref(), Some("mx.sender.example"));
    assert_eq!(good.dmarc.len(), 1);
    let dmarc = &good.dmarc[0];
    assert_eq!((dmarc.outcome, dmarc.policy, dmarc.spf_aligned), (Outcome::Pass, Some(Policy::Reject), true));
    let published = Published {
        domain: "sender.example".to_owned(),
        policy: Policy::Reject,
        subdomain_policy: Policy::Quarantine,
        strict_spf: true,
        report_to: vec![("reports@sender.example".to_owned(), 1 << 20)],
        ..Published::default()
    };
    assert_eq!(dmarc.published, Some(published));
    assert_eq!(decide(&good, &Rules::default()).disposition, Disposition::Accept);

    // Another client; a subdomain, whose policy is another; the null reverse-path, for which EHLO answers.
    let forged = check("198.51.100.9", "bob@sender.example", "bob@sender.example").await;
    assert_eq!((forged.spf.outcome, forged.dmarc[0].outcome), (Outcome::Fail, Outcome::Fail));
    assert!(forged.failed() && good.verified_domain().is_some() && forged.verified_domain().is_none());
    let below = check("198.51.100.9", "", "bob@news.sender.example").await;
    assert_eq!(below.dmarc[0].policy, Some(Policy::Quarantine));
    assert_eq!(below.dmarc[0].published.as_ref().map(|published| published.domain.as_str()), Some("sender.example"));
    assert_eq!((below.spf.outcome, below.spf.domain.as_str()), (Outcome::None, "mx.sender.example"));

    // Strict alignment; a policy in its test phase; several authors; none.
    let strict = check("192.0.2.1", "bob@sender.example", "bob@news.sender.example").await;
    assert_eq!(strict.dmarc[0].outcome, Outcome::Fail);
    let testing = check("192.0.2.1", "bob@sender.example", "bob@two.example").await;
    assert_eq!((testing.dmarc[0].outcome, testing.dmarc[0].policy), (Outcome::Fail, Some(Policy::None)));
    let two = check("192.0.2.1", "x@x.example", "bob@two.example, eve@sender.example\r\nFrom: a@none.example").await;
    let outcomes: Vec<Outcome> = two.dmarc.iter().map(|dmarc| dmarc.outcome).collect();
    assert_eq!(outcomes, [Outcome::Fail, Outcome::Fail, Outcome::None]);
    let many = check("192.0.2.1", "", "a@a.example, b@b.example, c@c.example, d@d.example, e@e.example").await;
    assert!(many.authors_beyond && many.dmarc.len() == 4);
    let nobody = check("192.0.2.1", "", "undisclosed:;").await;
    assert_eq!(nobody.dmarc, []);

    // What does not answer is no pass, and no failure.
    let down = check("192.0.2.1", "bob@sender.example", "bob@down.example").await;
    assert_eq!((down.dmarc[0].outcome, down.dmarc[0].policy), (Outcome::TemporaryError, None));
    assert!(matches!(decide(&down, &Rules::default()).disposition, Disposition::Refuse(reply) if reply.code == 451));
    assert_eq!(down.verified_domain(), None);
}
