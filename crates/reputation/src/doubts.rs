//! What in the names of a client gives reason to doubt it. Each doubt has a sentence and a weight; they are weighed together, and none of
//! them alone means anything: good senders have one of them, those who send from somebody else's machine have most.
//!
//! What the DNS did not answer is no doubt.

use std::fmt;
use std::net::IpAddr;

use mail::Domain;
use serde::{Deserialize, Serialize};
use spam::Points;

use crate::dialin::looks_dialed_in;
use crate::limits::NAME_CHARS_MAX;
use crate::standing::Rating;
use crate::text::printable;

/// The name of a client's address (RFC 8601 §3, `iprev`).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum ReverseName {
    /// The DNS did not answer, or nobody asked.
    #[default]
    Unknown,
    /// It has none.
    Missing,
    /// It has one, which does not lead back.
    Unconfirmed(String),
    /// It has one, which leads back.
    Confirmed(String),
}

impl ReverseName {
    /// The name.
    #[must_use]
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Unconfirmed(name) | Self::Confirmed(name) => Some(name),
            Self::Unknown | Self::Missing => None,
        }
    }
}

/// Whether something is there, when that is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// The DNS did not answer, or nobody asked.
    #[default]
    Unknown,
    /// It is.
    Yes,
    /// It is not.
    No,
}

/// SPF (RFC 7208) of the reverse-path, or of the name in EHLO for the null one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum SpfSaid {
    /// The DNS did not answer, what is published is wrong, or nobody asked.
    #[default]
    Unknown,
    /// The client is one of the domain's.
    Pass,
    /// It is not.
    Fail,
    /// Probably not.
    SoftFail,
    /// The domain does not say.
    Neutral,
    /// The domain has no SPF.
    None,
}

/// What was seen of a client before it has handed anything over.
#[derive(Clone, Debug)]
pub struct Seen<'s> {
    /// Its address.
    pub ip: IpAddr,
    /// The name of its address.
    pub reverse: &'s ReverseName,
    /// What it calls itself.
    pub helo: Option<&'s str>,
    /// Whether that name has an address.
    pub helo_resolves: Known,
    /// SPF.
    pub spf: SpfSaid,
    /// What became of the sender's former mail.
    pub rating: Rating,
}

/// Names and addresses that are this server's own: no client elsewhere has them.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OwnNames {
    /// Host names.
    pub hosts: Vec<Domain>,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
}

/// Why a client is doubted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reason {
    /// Its address has no name.
    NoReverseName,
    /// The name of its address does not lead back to it.
    UnconfirmedName,
    /// Its name is that of a customer's line.
    DialIn,
    /// It did not say a name.
    HeloMissing,
    /// What it calls itself is no complete name.
    HeloNoName,
    /// It calls itself by its address.
    HeloLiteral,
    /// It calls itself by the address of another.
    HeloOtherLiteral,
    /// What it calls itself has no address.
    HeloUnresolved,
    /// It calls itself by a domain of this server's people.
    HeloOurDomain,
    /// SPF fails.
    SpfFail,
    /// SPF fails softly.
    SpfSoftFail,
    /// SPF says nothing.
    SpfNeutral,
    /// There is no SPF.
    SpfNone,
    /// Nothing is known of the sender.
    NeverSeen,
    /// It is on a list.
    Listed,
}

impl Reason {
    /// What it weighs; of a list, what the list weighs.
    #[must_use]
    pub const fn points(self) -> Points {
        Points(match self {
            Self::NoReverseName | Self::DialIn | Self::HeloOtherLiteral | Self::HeloOurDomain | Self::SpfFail => 15,
            Self::UnconfirmedName | Self::HeloMissing | Self::HeloNoName | Self::HeloUnresolved | Self::SpfSoftFail => {
                10
            }
            Self::HeloLiteral | Self::SpfNeutral | Self::SpfNone | Self::NeverSeen => 5,
            Self::Listed => 0,
        })
    }
}

/// One doubt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Doubt {
    /// What kind of.
    pub reason: Reason,
    /// What it weighs.
    pub points: Points,
    /// In words: printable ASCII.
    pub text: String,
}

impl fmt::Display for Doubt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.text, self.points)
    }
}

/// The doubts about a client, lists aside. `ours`: the domains of this server's people.
#[must_use]
pub fn doubts(seen: &Seen<'_>, ours: impl Fn(&Domain) -> bool) -> Vec<Doubt> {
    let mut doubts = Vec::new();
    let mut doubt = |reason: Reason, text: String| doubts.push(Doubt { reason, points: reason.points(), text });
    let short = |text: &str| printable(text, NAME_CHARS_MAX);
    match seen.reverse {
        ReverseName::Unknown | ReverseName::Confirmed(_) => {}
        ReverseName::Missing => doubt(Reason::NoReverseName, "the client's address has no name".to_owned()),
        ReverseName::Unconfirmed(name) => {
            doubt(
                Reason::UnconfirmedName,
                format!("the client's name {} does not lead back to its address", short(name)),
            );
        }
    }
    if let Some(name) = seen.reverse.name().filter(|name| looks_dialed_in(name, seen.ip)) {
        doubt(Reason::DialIn, format!("the client's name {} is that of a customer's line", short(name)));
    }
    match Helo::of(seen.helo, seen.ip) {
        Helo::Missing => doubt(Reason::HeloMissing, "the client gave itself no name".to_owned()),
        Helo::Own => doubt(Reason::HeloLiteral, "the client calls itself by its address, not by a name".to_owned()),
        Helo::Other(ip) => {
            doubt(Reason::HeloOtherLiteral, format!("the client calls itself [{ip}], which is not its address"))
        }
        Helo::NoName(text) => {
            doubt(Reason::HeloNoName, format!("the client calls itself \"{}\", which is no complete name", short(text)))
        }
        Helo::Name(name) if ours(&name) => {
            doubt(
                Reason::HeloOurDomain,
                format!("the client calls itself {}, which is a domain of ours", short(name.as_str())),
            );
        }
        Helo::Name(name) => {
            if seen.helo_resolves == Known::No {
                doubt(
                    Reason::HeloUnresolved,
                    format!("the client calls itself {}, which has no address", short(name.as_str())),
                );
            }
        }
    }
    match seen.spf {
        SpfSaid::Unknown | SpfSaid::Pass => {}
        SpfSaid::Fail => {
            doubt(Reason::SpfFail, "the sender's domain says that its mail does not come from there (SPF)".to_owned())
        }
        SpfSaid::SoftFail => doubt(
            Reason::SpfSoftFail,
            "the sender's domain says that its mail hardly comes from there (SPF)".to_owned(),
        ),
        SpfSaid::Neutral => {
            doubt(Reason::SpfNeutral, "the sender's domain does not say where its mail comes from (SPF)".to_owned())
        }
        SpfSaid::None => doubt(Reason::SpfNone, "the sender's domain has no SPF".to_owned()),
    }
    if seen.rating == Rating::Unknown {
        doubt(Reason::NeverSeen, "nothing has come from this sender before".to_owned());
    }
    doubts
}

/// What all doubts weigh together.
#[must_use]
pub fn sum(doubts: &[Doubt]) -> Points {
    doubts.iter().fold(Points(0), |sum, doubt| sum.plus(doubt.points))
}

/// Whether a client calls itself by a name or an address of this server, which nobody else has: the name, as it said it.
#[must_use]
pub fn own_name(helo: Option<&str>, client: IpAddr, own: &OwnNames) -> Option<String> {
    let client = client.to_canonical();
    // A program on this machine may.
    if client.is_loopback() || own.addresses.iter().any(|address| address.to_canonical() == client) {
        return None;
    }
    let name = Domain::parse(helo?).ok()?;
    let is_own = match name.as_literal() {
        Some(ip) => own.addresses.iter().any(|address| address.to_canonical() == ip.to_canonical()),
        None => own.hosts.contains(&name),
    };
    is_own.then(|| printable(name.as_str(), NAME_CHARS_MAX))
}

/// What stands behind EHLO (RFC 5321 §4.1.1.1).
enum Helo<'h> {
    Missing,
    Own,
    Other(IpAddr),
    NoName(&'h str),
    Name(Domain),
}

impl<'h> Helo<'h> {
    fn of(helo: Option<&'h str>, client: IpAddr) -> Self {
        let Some(text) = helo.filter(|text| !text.is_empty()) else { return Self::Missing };
        let Ok(name) = Domain::parse(text) else { return Self::NoName(text) };
        // An address without its brackets is no name.
        let bare = text.parse::<IpAddr>().is_ok();
        match name.as_literal() {
            Some(ip) if ip.to_canonical() == client.to_canonical() => Self::Own,
            Some(ip) => Self::Other(ip),
            None if bare || !name.as_str().contains('.') => Self::NoName(text),
            None => Self::Name(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reasons(
        reverse: &ReverseName,
        helo: Option<&str>,
        helo_resolves: Known,
        spf: SpfSaid,
        rating: Rating,
    ) -> (Vec<Reason>, Points) {
        let seen = Seen { ip: "192.0.2.7".parse().unwrap(), reverse, helo, helo_resolves, spf, rating };
        let found = doubts(&seen, |domain| domain.as_str() == "ours.example");
        assert!(found.iter().all(|doubt| doubt.text.is_ascii() && doubt.text.len() < 200));
        (found.iter().map(|doubt| doubt.reason).collect(), sum(&found))
    }

    #[test]
    fn good_servers_are_hardly_doubted_and_bots_much() {
        use Reason::*;
        let good = ReverseName::Confirmed("mx.far.example".to_owned());
        let line = ReverseName::Confirmed("dyn-192-0-2-7.provider.example".to_owned());
        let wrong = ReverseName::Unconfirmed("mx.bank.example".to_owned());
        for (reverse, helo, resolves, spf, rating, expected, points) in [
            (&good, Some("mx.far.example"), Known::Yes, SpfSaid::Pass, Rating::Unknown, &[NeverSeen][..], 5),
            (&good, Some("mx.far.example"), Known::Yes, SpfSaid::None, Rating::New, &[SpfNone], 5),
            (&good, Some("mx.far.example"), Known::Unknown, SpfSaid::Unknown, Rating::New, &[], 0),
            (
                &ReverseName::Missing,
                Some("[192.0.2.7]"),
                Known::Unknown,
                SpfSaid::None,
                Rating::Unknown,
                &[NoReverseName, HeloLiteral, SpfNone, NeverSeen],
                30,
            ),
            (
                &line,
                Some("PC"),
                Known::Unknown,
                SpfSaid::SoftFail,
                Rating::Unknown,
                &[DialIn, HeloNoName, SpfSoftFail, NeverSeen],
                40,
            ),
            (
                &wrong,
                Some("[192.0.2.8]"),
                Known::Unknown,
                SpfSaid::Fail,
                Rating::New,
                &[UnconfirmedName, HeloOtherLiteral, SpfFail],
                40,
            ),
            (
                &ReverseName::Unknown,
                Some("192.0.2.7"),
                Known::Unknown,
                SpfSaid::Neutral,
                Rating::New,
                &[HeloNoName, SpfNeutral],
                15,
            ),
            (&ReverseName::Unknown, None, Known::Unknown, SpfSaid::Unknown, Rating::Good, &[HeloMissing], 10),
            (&ReverseName::Unknown, Some("a b"), Known::Unknown, SpfSaid::Unknown, Rating::Mixed, &[HeloNoName], 10),
            (&good, Some("gone.example"), Known::No, SpfSaid::Pass, Rating::New, &[HeloUnresolved], 10),
            (&good, Some("OURS.example"), Known::Yes, SpfSaid::Pass, Rating::New, &[HeloOurDomain], 15),
        ] {
            assert_eq!(reasons(reverse, helo, resolves, spf, rating), (expected.to_vec(), Points(points)), "{helo:?}");
        }
    }

    #[test]
    fn who_uses_our_name_is_known_for_certain() {
        let own = OwnNames {
            hosts: vec![Domain::parse("mx.ours.example").unwrap()],
            addresses: vec!["198.51.100.1".parse().unwrap()],
        };
        for (helo, client, expected) in [
            (Some("MX.ours.example"), "192.0.2.7", true),
            (Some("[198.51.100.1]"), "192.0.2.7", true),
            (Some("[IPv6:::ffff:198.51.100.1]"), "192.0.2.7", true),
            (Some("ours.example"), "192.0.2.7", false),
            (Some("mx.ours.example"), "198.51.100.1", false),
            (Some("mx.ours.example"), "127.0.0.1", false),
            (Some("x"), "192.0.2.7", false),
            (None, "192.0.2.7", false),
        ] {
            assert_eq!(own_name(helo, client.parse().unwrap(), &own).is_some(), expected, "{helo:?} from {client}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_name_makes_trouble(helo in "\\PC{0,300}", name in "\\PC{0,300}", ip in proptest::prelude::any::<u32>()) {
            let reverse = ReverseName::Unconfirmed(name);
            let ip = std::net::Ipv4Addr::from_bits(ip).into();
            let seen = Seen { ip, reverse: &reverse, helo: Some(&helo), helo_resolves: Known::No, spf: SpfSaid::Fail, rating: Rating::Unknown };
            let found = doubts(&seen, |_| false);
            proptest::prop_assert!(found.iter().all(|doubt| doubt.text.is_ascii() && doubt.text.len() < 250));
            proptest::prop_assert_eq!(own_name(Some(&helo), ip, &OwnNames::default()), None);
        }
    }
}
