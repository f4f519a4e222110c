//! Whether the domain of an author asks others to refuse what it has not sent itself (DMARC, RFC 7489).
//!
//! A list sends on from its own host: mail from such a domain would be refused by the members' servers unless the author's
//! DKIM signature survives everything on the way. So its From is rewritten. The policy of a subdomain may stand at a
//! domain above; instead of a list of public suffixes, the names above are asked in turn, a few at the most.

use std::time::Duration;

use mail::Domain;
use world::{ResolveError, World};

use crate::limits::DMARC_NAMES_MAX;

/// Whether From has to be rewritten for an author of this domain. Not knowing counts as yes: a rewritten post arrives.
pub(crate) async fn protected(world: &World, domain: &Domain, patience: Duration) -> bool {
    world.timeout(patience, look(world, domain)).await.unwrap_or(true)
}

async fn look(world: &World, domain: &Domain) -> bool {
    for (depth, name) in names(domain).into_iter().enumerate() {
        let Ok(asked) = Domain::parse(&format!("_dmarc.{name}")) else { continue };
        match world.resolver.txt(&asked).await {
            Ok(records) => {
                let found: Vec<Policy> = records.iter().filter_map(|record| Policy::read(record)).collect();
                match found.as_slice() {
                    [] => {}
                    [policy] => return policy.refuses(depth > 0),
                    // RFC 7489 §6.6.3: several are none.
                    [_, _, ..] => return false,
                }
            }
            Err(ResolveError::NoSuchName | ResolveError::NoRecords) => {}
            Err(ResolveError::Temporary(_)) => return true,
        }
    }
    false
}

/// The domain, and those above it with two labels at least, the topmost when there are many: among them is the organisation's.
fn names(domain: &Domain) -> Vec<&str> {
    let all: Vec<&str> = std::iter::successors(Some(domain.as_str()), |name| above(name)).collect();
    let skipped = all.len().saturating_sub(DMARC_NAMES_MAX);
    let topmost = all.iter().skip(skipped.saturating_add(1));
    all.first().into_iter().chain(topmost).copied().collect()
}

fn above(name: &str) -> Option<&str> {
    name.split_once('.').map(|(_, above)| above).filter(|above| above.contains('.'))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Policy {
    own: bool,
    below: bool,
}

impl Policy {
    /// Reads a record; `None` for other texts.
    fn read(record: &str) -> Option<Self> {
        let mut tags = record.split(';').map(|tag| tag.split_once('=').map(|(key, value)| (key.trim(), value.trim())));
        if tags.next()?? != ("v", "DMARC1") {
            return None;
        }
        let (mut p, mut sp) = (None, None);
        for (key, value) in tags.flatten() {
            let refuses = value.eq_ignore_ascii_case("quarantine") || value.eq_ignore_ascii_case("reject");
            if key.eq_ignore_ascii_case("p") {
                p = Some(refuses);
            } else if key.eq_ignore_ascii_case("sp") {
                sp = Some(refuses);
            }
        }
        let own = p.unwrap_or(false);
        Some(Self { own, below: sp.unwrap_or(own) })
    }

    const fn refuses(self, below: bool) -> bool {
        if below { self.below } else { self.own }
    }
}

#[cfg(test)]
mod tests {
    use mail::Timestamp;
    use world::simulated::SimulatedWorld;

    use super::*;

    fn domain(text: &str) -> Domain {
        Domain::parse(text).unwrap()
    }

    #[test]
    fn records_are_read() {
        for (record, wanted) in [
            ("v=DMARC1; p=none", Some((false, false))),
            ("v=DMARC1;p=reject;rua=mailto:x@y", Some((true, true))),
            ("v=DMARC1; p=Quarantine; sp=none", Some((true, false))),
            ("v=DMARC1; sp=reject; p=none;", Some((false, true))),
            ("v=DMARC1", Some((false, false))),
            ("v=spf1 p=reject", None),
            ("p=reject; v=DMARC1", None),
            ("", None),
        ] {
            assert_eq!(Policy::read(record).map(|policy| (policy.own, policy.below)), wanted, "{record}");
        }
    }

    #[test]
    fn the_author_and_the_topmost_names_are_asked() {
        let asked = |text: &str| names(&domain(text)).join(" ");
        assert_eq!(asked("localhost"), "localhost");
        assert_eq!(asked("bank.example"), "bank.example");
        assert_eq!(asked("b.c.d.e.f"), "b.c.d.e.f c.d.e.f d.e.f e.f");
        assert_eq!(asked("a.b.c.d.e.f"), "a.b.c.d.e.f b.c.d.e.f c.d.e.f d.e.f e.f");
        assert_eq!(asked("x.y.z.a.b.c.d.e.f"), "x.y.z.a.b.c.d.e.f b.c.d.e.f c.d.e.f d.e.f e.f");
    }

    #[tokio::test]
    async fn the_policy_of_a_domain_or_of_one_above_counts() {
        let sim = SimulatedWorld::new(Timestamp(0), 1);
        let set = |name: &str, records: &[&str]| {
            let records = records.iter().map(|record| (*record).to_owned()).collect();
            sim.resolver.set_txt(domain(name), Ok(records));
        };
        set("_dmarc.bank.example", &["other", "v=DMARC1; p=reject; sp=none"]);
        set("_dmarc.news.bank.example", &["v=DMARC1; p=quarantine"]);
        set("_dmarc.strict.example", &["v=DMARC1; p=reject"]);
        set("_dmarc.free.example", &["v=DMARC1; p=none"]);
        set("_dmarc.two.example", &["v=DMARC1; p=reject", "v=DMARC1; p=reject"]);
        sim.resolver.set_txt(domain("_dmarc.down.example"), Err(ResolveError::Temporary("x".to_owned())));
        for (name, wanted) in [
            ("bank.example", true),
            ("shop.bank.example", false),
            ("news.bank.example", true),
            ("a.b.strict.example", true),
            ("a.b.c.d.e.strict.example", true),
            ("free.example", false),
            ("two.example", false),
            ("none.example", false),
            ("down.example", true),
            ("localhost", false),
        ] {
            assert_eq!(protected(&sim.world(), &domain(name), Duration::from_secs(5)).await, wanted, "{name}");
        }
    }
}
