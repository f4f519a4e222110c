//! Bans: who is kept out, since when, until when and why.
//!
//! A ban that is over is remembered for a while: it makes the next one of the same place longer. There are so many at the most.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::time::Duration;

use mail::{Prefix, Timestamp};
use serde::{Deserialize, Serialize};

use crate::limits::WHY_CHARS_MAX;
use crate::rates::Kind;

/// What led to a ban.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Cause {
    /// Too many failed logins.
    FailedLogins,
    /// Too many recipients that there are not: somebody tries which addresses exist.
    UnknownRecipients,
    /// Too many commands that make no sense.
    BadCommands,
    /// Far more connections than are taken.
    Connections,
    /// Far more messages than are taken.
    Messages,
    /// An administrator.
    Administrator,
}

impl Cause {
    /// As a metric's label and a log show it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::FailedLogins => "failed_logins",
            Self::UnknownRecipients => "unknown_recipients",
            Self::BadCommands => "bad_commands",
            Self::Connections => "connections",
            Self::Messages => "messages",
            Self::Administrator => "administrator",
        }
    }
}

impl From<Kind> for Cause {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Connections => Self::Connections,
            Kind::Messages => Self::Messages,
            Kind::UnknownRecipients => Self::UnknownRecipients,
            Kind::FailedLogins => Self::FailedLogins,
            Kind::BadCommands => Self::BadCommands,
        }
    }
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ban {
    /// Who.
    pub prefix: Prefix,
    /// What led to it.
    pub cause: Cause,
    /// Why, in words that may be shown to anybody: printable ASCII, in one line.
    pub why: String,
    /// Since when.
    pub since: Timestamp,
    /// Until when; `None`: until an administrator takes it away.
    pub until: Option<Timestamp>,
    /// The how manieth it is of the same place, as far as is remembered.
    pub times: u32,
}

impl Ban {
    /// Whether it is in force.
    #[must_use]
    pub fn holds(&self, now: Timestamp) -> bool {
        self.until.is_none_or(|until| now < until)
    }

    /// What a client is told, in one line: who, until when, why, and whom to write to.
    #[must_use]
    pub fn sentence(&self, contact: &str) -> String {
        let until = self.until.map_or_else(|| "an administrator lifts it".to_owned(), Timestamp::for_people);
        // Some characters stand for many letters.
        let why: String = mail::without_accents(&self.why).chars().take(WHY_CHARS_MAX).collect();
        let who = if self.prefix.is_network() { "Your network" } else { "Your address" };
        format!("{who} {} is banned until {until}: {why}; write to {contact} from elsewhere", self.prefix)
    }
}

/// A reason as it is kept: in one line, not too long. The replies of SMTP and IMAP have it without accents.
#[must_use]
pub(crate) fn reason(text: &str) -> String {
    let plain = |c: char| if c.is_whitespace() || c.is_control() { ' ' } else { c };
    let one_line: String = text.chars().map(plain).collect();
    one_line.trim().chars().take(WHY_CHARS_MAX).collect()
}

/// There is no place for one more ban: all of them are set by administrators, without an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there are too many bans without an end; remove some of them, or ban whole networks")]
pub struct Full;

/// Bans by whom they keep out.
#[derive(Debug)]
pub struct Bans {
    all: HashMap<Prefix, Ban>,
    /// How many there are of each length, by family: these are looked for.
    lengths: BTreeMap<(bool, u8), usize>,
    most: usize,
}

impl Default for Bans {
    fn default() -> Self {
        Self::bounded(crate::limits::BANS_MAX)
    }
}

impl Bans {
    /// So many at the most.
    #[must_use]
    pub fn bounded(most: usize) -> Self {
        Self { all: HashMap::new(), lengths: BTreeMap::new(), most }
    }

    /// The bans in force that an address is under, the widest first.
    pub fn over(&self, address: IpAddr, now: Timestamp) -> impl Iterator<Item = &Ban> {
        let family = address.to_canonical().is_ipv4();
        let lengths = self.lengths.keys().filter(move |(v4, _)| *v4 == family);
        lengths.filter_map(move |(_, bits)| self.all.get(&Prefix::of(address, *bits))).filter(move |ban| ban.holds(now))
    }

    /// What is remembered of a place or network: a ban in force, or one that is over.
    #[must_use]
    pub fn of(&self, prefix: &Prefix) -> Option<&Ban> {
        self.all.get(prefix)
    }

    /// Enters a ban, in the place of what was remembered. Returns whom it has pushed out, when there were too many.
    ///
    /// # Errors
    /// [`Full`].
    pub fn put(&mut self, ban: Ban) -> Result<Option<Prefix>, Full> {
        let mut pushed_out = None;
        if !self.all.contains_key(&ban.prefix) && self.all.len() >= self.most {
            let first = self.all.values().filter_map(|one| one.until.map(|until| (until, one.prefix))).min();
            let (_, first) = first.ok_or(Full)?;
            self.take(&first);
            pushed_out = Some(first);
        }
        let length = (ban.prefix.first().is_ipv4(), ban.prefix.bits());
        if self.all.insert(ban.prefix, ban).is_none() {
            let count = self.lengths.entry(length).or_default();
            *count = count.saturating_add(1);
        }
        Ok(pushed_out)
    }

    /// Takes away a ban and the memory of it.
    pub fn take(&mut self, prefix: &Prefix) -> Option<Ban> {
        let gone = self.all.remove(prefix)?;
        let length = (prefix.first().is_ipv4(), prefix.bits());
        if let Some(count) = self.lengths.get_mut(&length) {
            *count = count.saturating_sub(1);
            if *count == 0 {
                self.lengths.remove(&length);
            }
        }
        Some(gone)
    }

    /// How often a place was banned before, as far as is remembered.
    #[must_use]
    pub fn times(&self, prefix: &Prefix, now: Timestamp, forgotten_after: Duration) -> u32 {
        let before = self.all.get(prefix).filter(|ban| !is_forgotten(ban, now, forgotten_after));
        before.map_or(0, |ban| ban.times)
    }

    /// Forgets what has been over for so long. Returns whom it was about.
    pub fn sweep(&mut self, now: Timestamp, forgotten_after: Duration) -> Vec<Prefix> {
        let gone = self.all.values().filter(|ban| is_forgotten(ban, now, forgotten_after));
        let gone: Vec<Prefix> = gone.map(|ban| ban.prefix).collect();
        gone.iter().for_each(|prefix| drop(self.take(prefix)));
        gone
    }

    /// All that are in force, in the order of whom they keep out.
    #[must_use]
    pub fn in_force(&self, now: Timestamp) -> Vec<Ban> {
        let mut all: Vec<Ban> = self.all.values().filter(|ban| ban.holds(now)).cloned().collect();
        all.sort_by_key(|ban| ban.prefix);
        all
    }

    /// All that are remembered, in force or over, in no particular order.
    #[must_use]
    pub fn all(&self) -> Vec<Ban> {
        self.all.values().cloned().collect()
    }

    /// How many are in force.
    #[must_use]
    pub fn count(&self, now: Timestamp) -> usize {
        self.all.values().filter(|ban| ban.holds(now)).count()
    }

    /// How many are remembered.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether none is.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

fn is_forgotten(ban: &Ban, now: Timestamp, forgotten_after: Duration) -> bool {
    ban.until.is_some_and(|until| until.plus(forgotten_after) <= now)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOW: Timestamp = Timestamp(1_700_000_000_000);

    fn ban(prefix: &str, secs: Option<u64>) -> Ban {
        Ban {
            prefix: prefix.parse().unwrap(),
            cause: Cause::FailedLogins,
            why: "20 failed logins in an hour".to_owned(),
            since: NOW,
            until: secs.map(|secs| NOW.plus(Duration::from_secs(secs))),
            times: 1,
        }
    }

    #[test]
    fn a_ban_explains_itself_in_one_line() {
        assert_eq!(
            ban("192.0.2.7", Some(300)).sentence("postmaster@mx.example"),
            "Your address 192.0.2.7 is banned until 2023-11-14 22:18:20 UTC: 20 failed logins in an hour; \
             write to postmaster@mx.example from elsewhere"
        );
        let network = ban("2001:db8::/48", None).sentence("postmaster@mx.example");
        assert!(
            network.starts_with("Your network 2001:db8::/48 is banned until an administrator lifts it: "),
            "{network}"
        );
        assert_eq!(reason("  déjà\r\nvu \u{7f}"), "déjà  vu");
        let accents = Ban { why: "déjà vu".to_owned(), ..ban("192.0.2.7", None) }.sentence("x");
        assert!(accents.contains(": deja vu;") && accents.is_ascii(), "{accents}");
        assert_eq!(reason(&"x".repeat(500)).len(), WHY_CHARS_MAX);
        // RFC 5321 §4.5.3.1.5: a line of a reply has 512 octets at the most.
        let longest = Ban { why: "x".repeat(WHY_CHARS_MAX), ..ban("2001:db8:aaaa:aaaa::/64", Some(1)) };
        assert!(longest.sentence(&"c".repeat(100)).len() < 500);
        let longer = Ban { why: "\u{fdfa}".repeat(WHY_CHARS_MAX), ..longest };
        assert!(longer.sentence(&"c".repeat(100)).len() < 500);
    }

    #[test]
    fn an_address_is_under_the_bans_of_all_networks_that_it_is_in() {
        let mut bans = Bans::default();
        for (prefix, secs) in
            [("192.0.2.7", Some(300)), ("192.0.0.0/16", None), ("2001:db8::/32", Some(60)), ("10.0.0.0/8", Some(1))]
        {
            bans.put(ban(prefix, secs)).unwrap();
        }
        let over = |bans: &Bans, ip: &str, secs| {
            let now = NOW.plus(Duration::from_secs(secs));
            bans.over(ip.parse().unwrap(), now).map(|ban| ban.prefix.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(over(&bans, "192.0.2.7", 0), "192.0.0.0/16 192.0.2.7");
        assert_eq!(over(&bans, "::ffff:192.0.2.7", 300), "192.0.0.0/16", "the narrow one is over");
        assert_eq!(over(&bans, "192.1.2.7", 0), "");
        assert_eq!(over(&bans, "2001:db8:9::1", 59), "2001:db8::/32");
        assert_eq!(over(&bans, "2001:db9::1", 0), "");
        bans.take(&"192.0.0.0/16".parse().unwrap());
        assert_eq!(over(&bans, "192.0.2.7", 0), "192.0.2.7");
        assert_eq!(bans.lengths.len(), 3);
    }

    #[test]
    fn what_is_long_over_is_forgotten_and_what_has_no_end_stays() {
        let mut bans = Bans::default();
        bans.put(ban("192.0.2.7", Some(300))).unwrap();
        bans.put(ban("192.0.2.8", None)).unwrap();
        let keep = Duration::from_secs(1_000);
        let after = |secs| NOW.plus(Duration::from_secs(secs));
        let seven = "192.0.2.7".parse().unwrap();
        assert_eq!(bans.times(&seven, after(1_299), keep), 1);
        assert_eq!(bans.times(&seven, after(1_300), keep), 0);
        assert_eq!(bans.sweep(after(1_299), keep), []);
        assert_eq!(bans.sweep(after(1_300), keep), [seven]);
        assert_eq!(bans.sweep(Timestamp(i64::MAX), keep), []);
        assert_eq!(bans.len(), 1);
    }

    #[test]
    fn a_full_table_forgets_what_ends_first() {
        let mut bans = Bans::bounded(2);
        assert_eq!(bans.put(ban("192.0.2.1", Some(300))), Ok(None));
        assert_eq!(bans.put(ban("192.0.2.2", Some(200))), Ok(None));
        assert_eq!(bans.put(ban("192.0.2.2", Some(100))), Ok(None), "it is there already");
        assert_eq!(bans.put(ban("192.0.2.3", None)), Ok(Some("192.0.2.2".parse().unwrap())));
        assert_eq!(bans.put(ban("192.0.2.4", None)), Ok(Some("192.0.2.1".parse().unwrap())));
        assert_eq!(bans.put(ban("192.0.2.5", Some(1))), Err(Full));
    }

    proptest! {
        /// An address is banned exactly when one of the prefixes has it.
        #[test]
        fn lookup_agrees_with_looking_at_each(
            banned in prop::collection::vec((any::<[u8; 2]>(), 8_u8..=32, prop::option::of(0_u64..100)), 0..12),
            asked in any::<[u8; 2]>(),
            secs in 0_u64..100,
        ) {
            let ip = |[a, b]: [u8; 2]| IpAddr::from([10, 0, a % 4, b]);
            let mut bans = Bans::default();
            let mut plain: Vec<Ban> = Vec::new();
            for (at, bits, until) in banned {
                let ban = Ban { prefix: Prefix::of(ip(at), bits), ..ban("::1", until) };
                plain.retain(|one| one.prefix != ban.prefix);
                plain.push(ban.clone());
                bans.put(ban).unwrap();
            }
            let now = NOW.plus(Duration::from_secs(secs));
            let mut found: Vec<Prefix> = bans.over(ip(asked), now).map(|ban| ban.prefix).collect();
            let mut expected: Vec<Prefix> =
                plain.iter().filter(|ban| ban.prefix.has(ip(asked)) && ban.holds(now)).map(|ban| ban.prefix).collect();
            found.sort();
            expected.sort();
            prop_assert_eq!(found, expected);
        }
    }
}
