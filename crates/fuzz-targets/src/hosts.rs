//! What other hosts say of themselves and of others: proxies in front, offers in answers to EHLO, policies of MTA-STS.

use std::net::{IpAddr, SocketAddr};

use mail::Domain;
use smtp_in::fuzzing::proxy as read_proxy;
use smtp_out::fuzzing::{Offers, offers, sts_id, sts_names, sts_policy};
use smtp_out::limits::STS_PATTERNS_MAX;

/// A PROXY header: nothing behind it is read, and nothing behind it changes what it says; what it says can be written again.
pub(crate) fn proxy(input: &[u8]) {
    let (told, used) = read_proxy(input);
    assert!(used <= 16 + 4_096, "{used} octets are no header");
    let Some(told) = told else { return };
    let header = input.get(..used).unwrap_or_default();
    assert_eq!(read_proxy(header), (Some(told), used), "the header alone");
    let more = [header, b"EHLO a\r\n"].concat();
    assert_eq!(read_proxy(&more), (Some(told), used), "another thing behind it");
    let (short, _) = read_proxy(header.get(..used.saturating_sub(1)).unwrap_or_default());
    assert_eq!(short, None, "a part of it is none");
    let Some((remote, local)) = told else { return };
    assert_eq!(remote.is_ipv4(), local.is_ipv4(), "both ends are of one family");
    let line = written(remote, local);
    assert_eq!(read_proxy(line.as_bytes()), (Some(told), line.len()), "{line:?}");
}

fn written(remote: SocketAddr, local: SocketAddr) -> String {
    let family = if matches!(remote.ip(), IpAddr::V4(_)) { "TCP4" } else { "TCP6" };
    format!("PROXY {family} {} {} {} {}\r\n", remote.ip(), local.ip(), remote.port(), local.port())
}

/// The lines of an answer to EHLO: each counts for itself, and the greeting in front of them for nothing.
pub(crate) fn ehlo(input: &[u8]) {
    let lines: Vec<String> =
        input.split(|octet| *octet == b'\n').map(|line| String::from_utf8_lossy(line).into()).collect();
    let all = offers(&lines);
    let greeting = lines.first().cloned().unwrap_or_default();
    assert_eq!(offers(std::slice::from_ref(&greeting)), Offers::default(), "the greeting offers nothing");
    let says_size =
        |line: &str| line.trim().split([' ', '=']).next().is_some_and(|word| word.eq_ignore_ascii_case("SIZE"));
    let alone = lines.iter().skip(1).map(|line| (says_size(line), offers(&[greeting.clone(), line.clone()])));
    let together = alone.fold(Offers::default(), |before, (says_size, one)| Offers {
        capabilities: before.capabilities | one.capabilities,
        // Of lines that say it twice the last one counts.
        size: if says_size { one.size } else { before.size },
        mails_max: one.mails_max.or(before.mails_max),
        recipients_max: one.recipients_max.or(before.recipients_max),
    });
    assert_eq!(together, all, "a line costs or gives itself only");
    assert!(all.mails_max.is_none_or(|most| (1..1_000_000).contains(&most)), "{all:?}");
    assert!(all.recipients_max.is_none_or(|most| (1..1_000_000).contains(&most)), "{all:?}");
}

/// TXT records of MTA-STS, parted by NUL: an id is short and plain, and two records that claim to be it are none.
pub(crate) fn sts_record(input: &[u8]) {
    let records: Vec<String> =
        input.split(|octet| *octet == 0).map(|record| String::from_utf8_lossy(record).into_owned()).collect();
    let Some(id) = sts_id(&records) else { return };
    assert!((1..=32).contains(&id.len()) && id.bytes().all(|octet| octet.is_ascii_alphanumeric()), "{id:?}");
    let written = format!("v=STSv1; id={id};");
    assert_eq!(sts_id(std::slice::from_ref(&written)), Some(id), "what was written can be read");
    let twice = [records.clone(), vec![written]].concat();
    assert_eq!(sts_id(&twice), None, "two are none");
}

/// A policy of MTA-STS: it names the hosts that it names and no others, and can be written and read again.
pub(crate) fn sts_policy_document(input: &[u8]) {
    let Some((policy, age)) = sts_policy(input) else { return };
    assert!(policy.hosts.len() <= STS_PATTERNS_MAX, "{} hosts", policy.hosts.len());
    assert!(age.as_secs() <= 31_557_600, "{age:?}");
    let mode = format!("{:?}", policy.mode).to_ascii_lowercase();
    let mut text = format!("version: STSv1\nmode: {mode}\nmax_age: {}\n", age.as_secs());
    for host in &policy.hosts {
        text.push_str(&format!("mx: {host}\n"));
    }
    assert_eq!(sts_policy(text.as_bytes()), Some((policy.clone(), age)), "{text}");
    for pattern in &policy.hosts {
        let mut only = policy.clone();
        only.hosts = vec![pattern.clone()];
        let names = |host: &str| Domain::parse(host).is_ok_and(|host| sts_names(&only, &host));
        match pattern.strip_prefix("*.") {
            // An address literal has no labels, and a long name no room for one more.
            Some(domain) if !domain.starts_with('[') && domain.len() < 200 => {
                assert!(
                    names(&format!("mx.{domain}")) && !names(domain) && !names(&format!("a.mx.{domain}")),
                    "{pattern}"
                );
            }
            Some(_) => {}
            None => assert!(names(pattern) && !names(&format!("a.{pattern}")), "{pattern}"),
        }
    }
}
