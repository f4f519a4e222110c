//! Greylisting: who is doubted is asked to come again. Servers do, programs that send spam mostly do not (RFC 6647).
//!
//! What came is known by where it came from, by the sender without what changes from message to message, and by the domain of the recipient.
//! It is let in when it comes again after a while and before it is forgotten; where it came from is known from then on.
//!
//! Where it came from is the network of the client; and, where SPF says that the client is one of a domain's servers, that domain as well: a
//! provider tries again from another network each time. Whoever comes again by either is let in.

use std::fmt;
use std::time::Duration;

use mail::{Address, Domain, Timestamp};
use serde::{Deserialize, Serialize};

use crate::limits::GREY_LOCAL_OCTETS_MAX;
use crate::network::Network;
use crate::origin::Origin;

/// How long everything lasts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GreylistSettings {
    /// It is let in after this time.
    pub wait: Duration,
    /// What does not come again in this time is forgotten.
    pub window: Duration,
    /// So long it is known where something has come again from.
    pub remember: Duration,
}

impl Default for GreylistSettings {
    fn default() -> Self {
        Self {
            wait: Duration::from_secs(5 * 60),
            window: Duration::from_secs(2 * 86_400),
            remember: Duration::from_secs(35 * 86_400),
        }
    }
}

/// By what it is known that something comes again.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GreyKey {
    /// Where it comes from: a client that sends from several addresses of a network, or of a domain's servers, is one.
    pub origin: Origin,
    /// The reverse-path, without what changes from message to message; empty: the null one.
    pub sender: String,
    /// The domain of the recipient: a message for several people here waits once.
    pub domain: String,
}

impl GreyKey {
    /// What is known of one attempt.
    #[must_use]
    pub fn of(origin: Origin, reverse_path: Option<&Address>, recipient: &Domain) -> Self {
        Self { origin, sender: reverse_path.map(steady).unwrap_or_default(), domain: recipient.to_string() }
    }

    /// All that is known of one attempt: by the network of the client, and by the domain whose server it surely is.
    #[must_use]
    pub fn all(
        network: Network,
        pool: Option<Domain>,
        reverse_path: Option<&Address>,
        recipient: &Domain,
    ) -> Vec<Self> {
        let origins = std::iter::once(Origin::Network(network)).chain(pool.and_then(Origin::pool));
        origins.map(|origin| Self::of(origin, reverse_path, recipient)).collect()
    }

    /// All of an origin, whoever it writes as and to: for one that writes as too many.
    #[must_use]
    pub fn all_of(origin: Origin) -> Self {
        Self { origin, sender: "*".to_owned(), domain: "*".to_owned() }
    }
}

impl fmt::Display for GreyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sender = if self.sender.is_empty() { "<>" } else { &self.sender };
        write!(f, "{sender} from {} to {}", self.origin, self.domain)
    }
}

/// A sender without what changes from message to message: subaddresses and what stands behind, numbers, tokens of SRS and of bounce
/// addresses (VERP).
fn steady(address: &Address) -> String {
    let local = address.local().canonical();
    let local = local.as_str();
    // `bounce+17-zoe=near.example`, `news-return-123`, `SRS0=token=day=domain=user`, `prvs=token=user`.
    let local = local.split(['+', '=']).next().unwrap_or_default();
    let mut out = String::new();
    for word in local.split_inclusive(|c: char| !c.is_alphanumeric()) {
        let bare = word.trim_end_matches(|c: char| !c.is_alphanumeric());
        // A word with digits changes; one of hexadecimal digits alone is a token as well when it is long.
        let token = bare.chars().any(|c| c.is_ascii_digit()) || bare.len() >= 16;
        if token {
            if !out.ends_with('#') {
                out.push('#');
            }
            out.extend(word.chars().skip(bare.chars().count()));
        } else {
            out.push_str(word);
        }
    }
    let cut = out
        .char_indices()
        .map(|(at, c)| at.saturating_add(c.len_utf8()))
        .take_while(|end| *end <= GREY_LOCAL_OCTETS_MAX)
        .last();
    out.truncate(cut.unwrap_or(0));
    format!("{out}@{}", address.domain())
}

/// What is kept of something that was asked to come again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grey {
    /// By what it is known.
    pub key: GreyKey,
    /// When it came first.
    pub first: Timestamp,
    /// When it came last.
    pub last: Timestamp,
    /// How often.
    pub tries: u32,
    /// When it is forgotten.
    pub until: Timestamp,
}

/// What is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Greylisted {
    /// It is asked to come again.
    First,
    /// It has come again too early: so much is left.
    TooEarly(Duration),
    /// It has come again, after so long: it is let in.
    Passed(Duration),
}

impl Greylisted {
    /// The better of two answers for the client: it is let in, or has less time left.
    #[must_use]
    pub fn or_better(self, other: Self) -> Self {
        match (self, other) {
            (Self::Passed(_), _) | (_, Self::First) => self,
            (Self::TooEarly(left), Self::TooEarly(less)) => Self::TooEarly(left.min(less)),
            (_, Self::Passed(_)) | (Self::First, Self::TooEarly(_)) => other,
        }
    }
}

/// What follows from what is kept of the same, and what is kept of it from now on.
#[must_use]
pub fn attempt(kept: Option<Grey>, key: GreyKey, now: Timestamp, settings: &GreylistSettings) -> (Greylisted, Grey) {
    // A clock that was set back begins anew, as does what was forgotten.
    let kept = kept.filter(|grey| now < grey.until && grey.first <= now);
    let Some(grey) = kept else {
        let until = now.plus(settings.window);
        return (Greylisted::First, Grey { key, first: now, last: now, tries: 1, until });
    };
    let waited = now.since(grey.first);
    let answer = match settings.wait.checked_sub(waited) {
        Some(left) if !left.is_zero() => Greylisted::TooEarly(left),
        Some(_) | None => Greylisted::Passed(waited),
    };
    (answer, Grey { last: now, tries: grey.tries.saturating_add(1), ..grey })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key(sender: &str) -> GreyKey {
        let address = Address::parse(sender).ok();
        GreyKey::of("192.0.2.0/24".parse().unwrap(), address.as_ref(), &Domain::parse("near.example").unwrap())
    }

    #[test]
    fn what_changes_from_message_to_message_is_left_out() {
        for (sender, expected) in [
            ("Zoe@far.example", "zoe@far.example"),
            ("zoe+news@far.example", "zoe@far.example"),
            ("bounce-123-456@far.example", "bounce-#-#@far.example"),
            ("bounce-77-9@far.example", "bounce-#-#@far.example"),
            ("bounces+17-zoe=near.example@far.example", "bounces@far.example"),
            ("msprvs1=18abc=bounces-9@far.example", "#@far.example"),
            ("010001941f-4f5e-45b1@far.example", "#-#-#@far.example"),
            ("prvs=4567abc@far.example", "prvs@far.example"),
            ("", ""),
        ] {
            assert_eq!(key(sender).sender, expected, "{sender}");
        }
    }

    #[test]
    fn who_is_known_by_several_things_has_the_best_answer() {
        use Greylisted::{First, Passed, TooEarly};
        let secs = Duration::from_secs;
        for (one, other, better) in [
            (First, First, First),
            (First, TooEarly(secs(3)), TooEarly(secs(3))),
            (TooEarly(secs(5)), TooEarly(secs(3)), TooEarly(secs(3))),
            (First, Passed(secs(300)), Passed(secs(300))),
            (TooEarly(secs(5)), Passed(secs(300)), Passed(secs(300))),
        ] {
            assert_eq!((one.or_better(other), other.or_better(one)), (better, better));
        }
        let (network, zoe) = ("192.0.2.0/24".parse().unwrap(), Address::parse("zoe@mail.far.example").unwrap());
        let all = |pool: Option<&str>| {
            let pool = pool.map(|pool| Domain::parse(pool).unwrap());
            let keys = GreyKey::all(network, pool, Some(&zoe), &Domain::parse("near.example").unwrap());
            keys.iter().map(ToString::to_string).collect::<Vec<_>>()
        };
        let by_network = "zoe@mail.far.example from 192.0.2.0/24 to near.example";
        let by_pool = "zoe@mail.far.example from far.example to near.example";
        assert_eq!(all(None), [by_network]);
        assert_eq!(all(Some("far.example")), [by_network, by_pool]);
        assert_eq!(all(Some("[192.0.2.1]")), [by_network], "an address is nobody's domain");
    }

    #[test]
    fn who_comes_again_in_time_is_let_in() {
        let settings = GreylistSettings::default();
        let at = |secs: i64| Timestamp::from_secs(1_700_000_000 + secs);
        let (answer, first) = attempt(None, key("zoe@far.example"), at(0), &settings);
        assert_eq!((answer, first.tries, first.until), (Greylisted::First, 1, at(2 * 86_400)));
        for (secs, expected) in [
            (1, Greylisted::TooEarly(Duration::from_secs(299))),
            (299, Greylisted::TooEarly(Duration::from_secs(1))),
            (300, Greylisted::Passed(Duration::from_secs(300))),
            (2 * 86_400 - 1, Greylisted::Passed(Duration::from_secs(2 * 86_400 - 1))),
            (2 * 86_400, Greylisted::First),
            (-60, Greylisted::First),
        ] {
            let (answer, grey) = attempt(Some(first.clone()), key("zoe@far.example"), at(secs), &settings);
            assert_eq!(answer, expected, "after {secs} s");
            assert_eq!(grey.first, if answer == Greylisted::First { at(secs) } else { at(0) });
        }
    }

    proptest! {
        #[test]
        fn senders_are_short(local in "[a-z0-9.+=_-]{1,64}", domain in "[a-z]{1,20}\\.example") {
            if let Ok(address) = Address::parse(&format!("{local}@{domain}")) {
                let sender = steady(&address);
                prop_assert!(sender.len() <= GREY_LOCAL_OCTETS_MAX + 1 + domain.len());
                prop_assert!(!sender.split('@').next().unwrap().bytes().any(|octet| octet.is_ascii_digit()), "{}", sender);
            }
        }

        #[test]
        fn nobody_waits_for_ever(tries in prop::collection::vec(1_u64..10_000, 1..60)) {
            let settings = GreylistSettings::default();
            let (mut kept, mut now) = (None, Timestamp::from_secs(1_700_000_000));
            let mut passed = false;
            for wait in &tries {
                let (answer, grey) = attempt(kept.take(), key("zoe@far.example"), now, &settings);
                passed |= matches!(answer, Greylisted::Passed(_));
                kept = Some(grey);
                now = now.plus(Duration::from_secs(*wait));
            }
            let last = tries.iter().take(tries.len() - 1).sum::<u64>();
            prop_assert_eq!(passed, last >= settings.wait.as_secs());
        }
    }
}
