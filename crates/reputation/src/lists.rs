//! Block and allow lists in the DNS (RFC 5782): the names that are asked for, and what their answers say.
//!
//! What a list does not answer is nothing said: neither a hit on a block list nor a pass by an allow list.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use mail::Domain;
use serde::{Deserialize, Serialize};
use spam::Points;

use crate::answers::AnswerTable;
use crate::limits::ANSWERS_MAX;

/// What follows from being on a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ListUse {
    /// Mail is refused.
    Block,
    /// Mail gets points in the content filter, and the client is doubted as much.
    Points,
    /// The client is not doubted.
    Allow,
}

/// What a list has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Subject {
    /// IP addresses of clients.
    #[default]
    Addresses,
    /// Domains: of the name in EHLO and of the reverse-path.
    Domains,
}

/// One list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct List {
    /// The zone that it is in.
    pub zone: Domain,
    /// What it has.
    pub subject: Subject,
    /// What follows.
    pub used: ListUse,
    /// Which answers count.
    pub answers: AnswerTable,
}

/// What a list says of somebody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reading {
    /// They are not on it, or with an answer that does not count.
    Absent,
    /// They are on it.
    Listed {
        /// The answer that decided.
        answer: Ipv4Addr,
        /// What it weighs.
        points: Points,
    },
    /// The list refuses to answer this resolver: 127.255.255.x, a quota or a public resolver.
    Refuses(Ipv4Addr),
    /// An answer that no list gives: the zone is gone, or something stands in between.
    Strange(Ipv4Addr),
}

/// The names by which a list shows that it works (RFC 5782 §5).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TestPoints {
    /// It is on every list.
    pub listed: Domain,
    /// It is on none.
    pub unlisted: Domain,
}

/// Why a list is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsound {
    /// It has what no list has.
    ListsEverything,
    /// It does not have what every list has.
    ListsNothing,
    /// It refuses to answer.
    Refuses(Ipv4Addr),
}

impl fmt::Display for Unsound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ListsEverything => {
                f.write_str("it lists what no list lists (RFC 5782 §5): it answers yes to everything")
            }
            Self::ListsNothing => f.write_str(
                "it does not list what every list lists (RFC 5782 §5): it is gone, or does not answer this resolver",
            ),
            Self::Refuses(answer) => write!(f, "it answers {answer}: it refuses this resolver, or too much was asked"),
        }
    }
}

impl List {
    /// The name to ask for about a client; `None` when the list has no addresses, or the name would be too long.
    #[must_use]
    pub fn name_of(&self, client: IpAddr) -> Option<Domain> {
        if self.subject != Subject::Addresses {
            return None;
        }
        Domain::parse(&format!("{}.{}", reversed(client), self.zone)).ok()
    }

    /// The name to ask for about a domain; `None` when the list has no domains, the domain is an address, or the name would be too
    /// long.
    #[must_use]
    pub fn name_of_domain(&self, domain: &Domain) -> Option<Domain> {
        // Lists of domains mind being asked for addresses, also for those that stand without brackets.
        let is_address = domain.as_literal().is_some() || domain.as_str().parse::<IpAddr>().is_ok();
        if self.subject != Subject::Domains || is_address || !domain.as_str().contains('.') {
            return None;
        }
        Domain::parse(&format!("{domain}.{}", self.zone)).ok()
    }

    /// What the addresses at such a name say; none of them: there is no such name.
    #[must_use]
    pub fn read(&self, answers: &[Ipv4Addr]) -> Reading {
        let answers = answers.get(..ANSWERS_MAX.min(answers.len())).unwrap_or_default();
        if let Some(strange) = answers.iter().find(|answer| !answer.is_loopback()) {
            return Reading::Strange(*strange);
        }
        if let Some(refuses) = answers.iter().find(|answer| answer.octets().starts_with(&[127, 255, 255])) {
            return Reading::Refuses(*refuses);
        }
        let weighed = answers.iter().filter_map(|answer| Some((self.answers.weight(*answer)?, *answer)));
        weighed.max().map_or(Reading::Absent, |(points, answer)| Reading::Listed { answer, points })
    }

    /// Where the list shows that it works; `None` when its zone is too long for that.
    #[must_use]
    pub fn test_points(&self) -> Option<TestPoints> {
        let (listed, unlisted) = match self.subject {
            Subject::Addresses => ("2.0.0.127", "1.0.0.127"),
            Subject::Domains => ("test", "invalid"),
        };
        let name = |text: &str| Domain::parse(&format!("{text}.{}", self.zone)).ok();
        Some(TestPoints { listed: name(listed)?, unlisted: name(unlisted)? })
    }

    /// Whether a list works, by the addresses at its test points.
    ///
    /// # Errors
    /// Why it is not used.
    pub fn tested(listed: &[Ipv4Addr], unlisted: &[Ipv4Addr]) -> Result<(), Unsound> {
        let refusal = |answer: &&Ipv4Addr| answer.octets().starts_with(&[127, 255, 255]);
        if let Some(answer) = listed.iter().find(refusal) {
            return Err(Unsound::Refuses(*answer));
        }
        if !unlisted.is_empty() {
            return Err(Unsound::ListsEverything);
        }
        if listed.iter().any(Ipv4Addr::is_loopback) { Ok(()) } else { Err(Unsound::ListsNothing) }
    }
}

/// An address as lists name it: its octets or its hexadecimal digits, the last first (RFC 5782 §2.1, §2.4).
fn reversed(ip: IpAddr) -> String {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, c, d] = ip.octets();
            format!("{d}.{c}.{b}.{a}")
        }
        IpAddr::V6(ip) => {
            let digits = ip.octets().into_iter().rev().flat_map(|octet| [octet & 15, octet >> 4]);
            digits.map(|digit| format!("{digit:x}")).collect::<Vec<_>>().join(".")
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn list(subject: Subject) -> List {
        List {
            zone: Domain::parse("list.example").unwrap(),
            subject,
            used: ListUse::Block,
            answers: AnswerTable::every(Points(30)),
        }
    }

    fn answers(all: &[&str]) -> Vec<Ipv4Addr> {
        all.iter().map(|text| text.parse().unwrap()).collect()
    }

    #[test]
    fn names_are_those_of_the_rfc() {
        let name = |ip: &str| list(Subject::Addresses).name_of(ip.parse().unwrap()).unwrap().to_string();
        assert_eq!(name("192.0.2.99"), "99.2.0.192.list.example");
        assert_eq!(name("::ffff:192.0.2.99"), "99.2.0.192.list.example");
        // RFC 5782 §2.4.
        let long = "b.a.9.8.7.6.5.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.list.example";
        assert_eq!(name("2001:db8::567:89ab"), long);
        let of = |domain: &str| list(Subject::Domains).name_of_domain(&Domain::parse(domain).unwrap());
        assert_eq!(of("Spam.example").unwrap().as_str(), "spam.example.list.example");
        assert_eq!((of("[192.0.2.1]"), of("192.0.2.1"), of("localhost")), (None, None, None));
        assert_eq!(list(Subject::Domains).name_of("192.0.2.1".parse().unwrap()), None);
        assert_eq!(list(Subject::Addresses).name_of_domain(&Domain::parse("a.example").unwrap()), None);
        assert_eq!(of(&format!("{}.example", vec!["a"; 120].join("."))), None, "longer than names are");
    }

    #[test]
    fn only_answers_that_lists_give_count() {
        use Reading::{Absent, Listed, Refuses, Strange};
        let ip = |text: &str| text.parse::<Ipv4Addr>().unwrap();
        for (given, reading) in [
            (&[][..], Absent),
            (&["127.0.0.2"], Listed { answer: ip("127.0.0.2"), points: Points(30) }),
            (&["127.0.0.1"], Absent),
            (&["127.255.255.254"], Refuses(ip("127.255.255.254"))),
            (&["127.0.0.2", "127.255.255.255"], Refuses(ip("127.255.255.255"))),
            (&["192.0.2.1"], Strange(ip("192.0.2.1"))),
            (&["127.0.0.2", "192.0.2.1"], Strange(ip("192.0.2.1"))),
        ] {
            assert_eq!(list(Subject::Addresses).read(&answers(given)), reading, "{given:?}");
        }
        let many: Vec<Ipv4Addr> = (0..10_000_u32).map(|n| Ipv4Addr::from_bits(0x7F00_0002 + n)).collect();
        assert!(matches!(list(Subject::Addresses).read(&many), Listed { .. }));
    }

    #[test]
    fn test_points_show_whether_a_list_works() {
        let points = list(Subject::Addresses).test_points().unwrap();
        assert_eq!(
            (points.listed.as_str(), points.unlisted.as_str()),
            ("2.0.0.127.list.example", "1.0.0.127.list.example")
        );
        let points = list(Subject::Domains).test_points().unwrap();
        assert_eq!((points.listed.as_str(), points.unlisted.as_str()), ("test.list.example", "invalid.list.example"));
        let refused = answers(&["127.255.255.254"]);
        for (listed, unlisted, expected) in [
            (&["127.0.0.2"][..], &[][..], Ok(())),
            (&["127.0.0.2"], &["127.0.0.2"], Err(Unsound::ListsEverything)),
            (&["198.51.100.1"], &["198.51.100.1"], Err(Unsound::ListsEverything)),
            (&[], &[], Err(Unsound::ListsNothing)),
            (&["198.51.100.1"], &[], Err(Unsound::ListsNothing)),
            (&["127.255.255.254"], &["127.255.255.254"], Err(Unsound::Refuses(refused[0]))),
        ] {
            assert_eq!(List::tested(&answers(listed), &answers(unlisted)), expected, "{listed:?} {unlisted:?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_outside_of_loopback_is_a_hit(all in prop::collection::vec(any::<u32>(), 0..80)) {
            let all: Vec<Ipv4Addr> = all.into_iter().map(Ipv4Addr::from_bits).collect();
            if let Reading::Listed { answer, .. } = list(Subject::Addresses).read(&all) {
                prop_assert!(answer.is_loopback() && !answer.octets().starts_with(&[127, 255, 255]));
                prop_assert!(all.iter().take(ANSWERS_MAX).all(Ipv4Addr::is_loopback));
            }
        }

        #[test]
        fn every_address_has_a_name(four in any::<u32>(), six in any::<u128>()) {
            let list = list(Subject::Addresses);
            prop_assert!(list.name_of(Ipv4Addr::from_bits(four).into()).is_some());
            prop_assert!(list.name_of(std::net::Ipv6Addr::from_bits(six).into()).is_some());
        }
    }
}
