//! What became of former mail from the same sender. It fades: after [`HALF_LIFE`] what happened weighs half.
//!
//! A sender is a domain that surely sent the mail (DMARC, DKIM or SPF says so), else a network together with the domain that it
//! claims. A good standing takes doubts away, a bad one gives points in the content filter; nobody is refused for it.

use std::fmt;

use mail::{Domain, Timestamp};
use serde::{Deserialize, Serialize};
use spam::Points;

use crate::limits::HALF_LIFE;
use crate::network::Network;

/// Whose standing it is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Sender {
    /// A domain that surely sent the mail.
    Domain(Domain),
    /// A network, and the domain of the reverse-path that nothing stands behind; `None`: the null reverse-path.
    Network(Network, Option<Domain>),
}

impl Sender {
    /// The text of its key: `d:far.example`, `n:192.0.2.0/24 far.example`.
    #[must_use]
    pub fn key(&self) -> String {
        match self {
            Self::Domain(domain) => format!("d:{domain}"),
            Self::Network(network, Some(domain)) => format!("n:{network} {domain}"),
            Self::Network(network, None) => format!("n:{network} "),
        }
    }

    /// What begins the keys of all senders of a network.
    #[must_use]
    pub fn keys_of(network: Network) -> String {
        format!("n:{network} ")
    }

    /// Reads a key.
    #[must_use]
    pub fn parse(key: &str) -> Option<Self> {
        if let Some(domain) = key.strip_prefix("d:") {
            return Domain::parse(domain).ok().map(Self::Domain);
        }
        let (network, domain) = key.strip_prefix("n:")?.split_once(' ')?;
        let network = network.parse().ok()?;
        match domain {
            "" => Some(Self::Network(network, None)),
            domain => Some(Self::Network(network, Some(Domain::parse(domain).ok()?))),
        }
    }
}

impl fmt::Display for Sender {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Domain(domain) => write!(f, "{domain}"),
            Self::Network(network, Some(domain)) => write!(f, "{network}, in the name of {domain}"),
            Self::Network(network, None) => write!(f, "{network}, without a sender"),
        }
    }
}

/// What became of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum What {
    /// It went to somebody's INBOX.
    Kept,
    /// It went to Spam.
    FoundSpam,
    /// It was refused for what it was.
    Refused,
    /// Somebody said that it is spam.
    SaidSpam,
    /// Somebody said that it is none.
    SaidHam,
}

/// How much became of what, in thousandths, as of one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// When it was last changed.
    pub at: Timestamp,
    /// When the sender was first seen.
    pub since: Timestamp,
    /// Messages in somebody's INBOX.
    pub kept: u32,
    /// Messages in Spam.
    pub found_spam: u32,
    /// Messages refused for what they were.
    pub refused: u32,
    /// Times that somebody said that one is spam.
    pub said_spam: u32,
    /// Times that somebody said that one is none.
    pub said_ham: u32,
}

/// One, as it is counted.
const ONE: u32 = 1_000;

/// Counts end here: a sender of more in a month is known well enough.
const MOST: u32 = 1_000_000 * ONE;

/// What a standing amounts to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rating {
    /// Nothing is known.
    #[default]
    Unknown,
    /// Too little is known, or it is too new.
    New,
    /// Hardly anything bad, for days.
    Good,
    /// Some good, some bad.
    Mixed,
    /// Mostly bad: it gets so many points.
    Bad(Points),
}

/// So much that is good is needed for a good standing.
const GOOD_MIN: u64 = 5_000;
/// So much of it at least since so long: nobody gets a good standing in an afternoon.
const GOOD_AFTER_SECS: u64 = 3 * 86_400;
/// So much in all is needed for any other than a new one.
const TOLD_MIN: u64 = 3_000;
/// So much that is bad is needed for more than the fewest points: one customer of a large provider is not to speak for all.
const BAD_MIN: u64 = 15_000;

impl Standing {
    /// As it is at a later time. A time that is not later changes nothing.
    #[must_use]
    pub fn faded(self, now: Timestamp) -> Self {
        let secs = now.since(self.at).as_secs();
        if secs == 0 {
            return self;
        }
        let fade = |count: u32| faded(count, secs);
        Self {
            at: now,
            since: self.since,
            kept: fade(self.kept),
            found_spam: fade(self.found_spam),
            refused: fade(self.refused),
            said_spam: fade(self.said_spam),
            said_ham: fade(self.said_ham),
        }
    }

    /// With one thing more.
    #[must_use]
    pub fn with(self, what: What, now: Timestamp) -> Self {
        let mut standing = self.faded(now);
        if standing.since == Timestamp::default() {
            (standing.since, standing.at) = (now, now);
        }
        let count = standing.count(what);
        *count = count.saturating_add(ONE).min(MOST);
        standing
    }

    /// With one thing less: what was said is taken back.
    #[must_use]
    pub fn without(self, what: What, now: Timestamp) -> Self {
        let mut standing = self.faded(now);
        let count = standing.count(what);
        *count = count.saturating_sub(ONE);
        standing
    }

    fn count(&mut self, what: What) -> &mut u32 {
        match what {
            What::Kept => &mut self.kept,
            What::FoundSpam => &mut self.found_spam,
            What::Refused => &mut self.refused,
            What::SaidSpam => &mut self.said_spam,
            What::SaidHam => &mut self.said_ham,
        }
    }

    /// What it amounts to now. What people say weighs more than what is found.
    #[must_use]
    pub fn rating(self, now: Timestamp) -> Rating {
        if self.since == Timestamp::default() {
            return Rating::Unknown;
        }
        let now_standing = self.faded(now);
        let weigh = |count: u32, weight: u64| u64::from(count).saturating_mul(weight);
        let good = weigh(now_standing.kept, 1).saturating_add(weigh(now_standing.said_ham, 4));
        let found = weigh(now_standing.found_spam, 1).saturating_add(weigh(now_standing.refused, 1));
        // Who said so had the message in INBOX, and it was counted as good there.
        let bad = weigh(now_standing.said_spam, 4).saturating_add(found);
        let all = good.saturating_add(bad);
        if all < TOLD_MIN {
            return Rating::New;
        }
        let percent = bad.saturating_mul(100).checked_div(all).unwrap_or(0);
        match percent {
            90.. if bad >= BAD_MIN => Rating::Bad(Points(30)),
            70.. if bad >= BAD_MIN => Rating::Bad(Points(20)),
            50.. => Rating::Bad(Points(10)),
            10..50 => Rating::Mixed,
            _ if good >= GOOD_MIN && now.since(self.since).as_secs() >= GOOD_AFTER_SECS => Rating::Good,
            _ => Rating::New,
        }
    }
}

/// A count after so many seconds. Between whole half-lives it falls in a straight line, so that no floating point is needed.
fn faded(count: u32, secs: u64) -> u32 {
    let half_life = HALF_LIFE.as_secs().max(1);
    let halves = u32::try_from(secs.checked_div(half_life).unwrap_or(0)).unwrap_or(u32::MAX);
    let whole = u64::from(count.checked_shr(halves).unwrap_or(0));
    let rest = secs.checked_rem(half_life).unwrap_or(0);
    let lost = whole.saturating_mul(rest).checked_div(half_life.saturating_mul(2)).unwrap_or(0);
    u32::try_from(whole.saturating_sub(lost)).unwrap_or(u32::MAX)
}

impl Rating {
    /// The points that it gives in the content filter.
    #[must_use]
    pub const fn points(self) -> Points {
        match self {
            Self::Bad(points) => points,
            Self::Unknown | Self::New | Self::Good | Self::Mixed => Points(0),
        }
    }
}

impl fmt::Display for Rating {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown => "nothing is known",
            Self::New => "too little is known yet",
            Self::Good => "good: hardly anything was spam",
            Self::Mixed => "mixed: some was spam",
            Self::Bad(_) => "bad: most was spam",
        })
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);
    const START: Timestamp = Timestamp(1_700_000_000_000);

    fn after(days: u32) -> Timestamp {
        START.plus(DAY * days)
    }

    fn standing(all: &[(What, u32)]) -> Standing {
        all.iter().fold(Standing::default(), |standing, (what, times)| {
            (0..*times).fold(standing, |standing, _| standing.with(*what, START))
        })
    }

    #[test]
    fn what_became_of_mail_makes_a_standing() {
        use What::{FoundSpam, Kept, Refused, SaidHam, SaidSpam};
        for (all, days, expected) in [
            (&[][..], 0, Rating::Unknown),
            (&[(Kept, 2)], 9, Rating::New),
            (&[(Kept, 20)], 0, Rating::New),
            (&[(Kept, 20)], 4, Rating::Good),
            (&[(Kept, 20), (SaidSpam, 1)], 4, Rating::Mixed),
            (&[(Kept, 50), (SaidSpam, 1)], 4, Rating::Good),
            (&[(Kept, 2), (SaidSpam, 1)], 0, Rating::Bad(Points(10))),
            (&[(Kept, 1), (FoundSpam, 4)], 0, Rating::Bad(Points(10))),
            (&[(Kept, 5), (FoundSpam, 15)], 0, Rating::Bad(Points(20))),
            (&[(Refused, 14)], 0, Rating::Bad(Points(10))),
            (&[(Refused, 15)], 0, Rating::Bad(Points(30))),
            (&[(SaidSpam, 4)], 0, Rating::Bad(Points(30))),
            (&[(FoundSpam, 5), (SaidHam, 5)], 0, Rating::Mixed),
            (&[(FoundSpam, 5)], 90, Rating::New),
            (&[(Kept, 20)], 120, Rating::New),
        ] {
            assert_eq!(standing(all).rating(after(days)), expected, "{all:?} after {days} days");
        }
    }

    #[test]
    fn what_was_said_can_be_taken_back() {
        let said = standing(&[(What::Kept, 3), (What::SaidSpam, 1)]);
        let back = said.without(What::SaidSpam, START).with(What::SaidHam, START);
        assert_eq!((back.said_spam, back.said_ham), (0, 1_000));
        assert_eq!(back.without(What::SaidSpam, START).said_spam, 0);
    }

    #[test]
    fn half_is_left_after_a_half_life() {
        let standing = standing(&[(What::Kept, 8)]);
        for (days, left) in [(0, 8_000), (15, 6_000), (30, 4_000), (60, 2_000), (75, 1_500), (3_000, 0)] {
            assert_eq!(standing.faded(after(days)).kept, left, "{days} days");
        }
        assert_eq!(standing.faded(Timestamp(0)).kept, 8_000, "a clock that was set back");
    }

    #[test]
    fn keys_are_read_as_they_are_written() {
        let domain = || Domain::parse("far.example").unwrap();
        let network: Network = "192.0.2.0/24".parse().unwrap();
        for (sender, key) in [
            (Sender::Domain(domain()), "d:far.example"),
            (Sender::Network(network, Some(domain())), "n:192.0.2.0/24 far.example"),
            (Sender::Network(network, None), "n:192.0.2.0/24 "),
        ] {
            assert_eq!(sender.key(), key);
            assert_eq!(Sender::parse(key), Some(sender));
        }
        for wrong in ["", "d:", "n:192.0.2.0/24", "x:far.example"] {
            assert_eq!(Sender::parse(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn time_only_fades(kept in any::<u32>(), one in 0_u64..4_000_000_000, more in 0_u64..4_000_000_000) {
            prop_assert!(faded(kept, one) <= kept);
            prop_assert!(faded(kept, one.saturating_add(more)) <= faded(kept, one));
        }

        #[test]
        fn one_thing_more_moves_the_rating_one_way(kept in 0_u32..50, spam in 0_u32..50) {
            let standing = standing(&[(What::Kept, kept), (What::FoundSpam, spam)]);
            let now = after(5);
            let worse = standing.with(What::SaidSpam, START).rating(now).points();
            prop_assert!(worse >= standing.rating(now).points());
            let better = standing.with(What::SaidHam, START).rating(now).points();
            prop_assert!(better <= standing.rating(now).points() || standing.rating(now) == Rating::New || standing.rating(now) == Rating::Unknown);
        }
    }
}
