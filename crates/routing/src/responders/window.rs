//! From when until when: civil times in the owner's zone, both ends inclusive, safe across daylight saving (A12, V1).
//!
//! A window is one span of time without holes: from the first instant at which the wall clock shows the start or
//! later, to the last at which it shows the end or earlier. A day stands for the whole of it, `18:00` for the whole
//! minute, `18:00:30` for the whole second.

use std::fmt;
use std::sync::LazyLock;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZoneDatabase};
use jiff::{SignedDuration, ToSpan};
use mail::Timestamp;

pub use jiff::tz::TimeZone;

/// The time zones that are compiled in: the answer does not depend on the machine.
static ZONES: LazyLock<TimeZoneDatabase> = LazyLock::new(TimeZoneDatabase::bundled);

/// The time zone of an IANA name; UTC when there is none of that name.
#[must_use]
pub fn zone_named(name: &str) -> TimeZone {
    ZONES.get(name).unwrap_or(TimeZone::UTC)
}

/// Whether there is a time zone of this name.
#[must_use]
pub fn is_zone(name: &str) -> bool {
    ZONES.get(name).is_ok()
}

/// The day that a zone's calendar shows at an instant, as a window is written.
#[must_use]
pub fn day_at(at: Timestamp, zone: &TimeZone) -> String {
    zone.to_datetime(instant(at)).date().to_string()
}

/// One end of a window, as written: a day, or a time of day with or without seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    first: DateTime,
    precision: Precision,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Precision {
    Day,
    Minute,
    Second,
}

/// Why a window can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WindowFlaw {
    /// No civil time.
    #[error("\"{0}\" is no date and time: write 2026-07-01 or 2026-07-01T18:00")]
    NoMoment(String),
    /// The end comes first.
    #[error("the end ({ends}) is before the start ({starts})")]
    Reversed {
        /// The start as written.
        starts: String,
        /// The end as written.
        ends: String,
    },
}

impl Moment {
    /// Reads `2026-07-01`, `2026-07-01T18:00` or `2026-07-01T18:00:30` (a space may stand for the `T`).
    ///
    /// # Errors
    /// When it is none of these; an offset or a zone is refused, since the owner's zone counts.
    pub fn parse(text: &str) -> Result<Self, WindowFlaw> {
        let flaw = || WindowFlaw::NoMoment(text.to_owned());
        let trimmed = text.trim();
        let (precision, layout) = match trimmed.len() {
            10 => (Precision::Day, "%Y-%m-%d"),
            16 => (Precision::Minute, "%Y-%m-%dT%H:%M"),
            19 => (Precision::Second, "%Y-%m-%dT%H:%M:%S"),
            _ => return Err(flaw()),
        };
        let text = trimmed.replacen(' ', "T", 1);
        let first = if precision == Precision::Day {
            Date::strptime(layout, &text).map(|date| date.to_datetime(Time::midnight()))
        } else {
            DateTime::strptime(layout, &text)
        };
        Ok(Self { first: first.map_err(|_| flaw())?, precision })
    }

    /// The last civil instant that belongs to it.
    fn last(self) -> DateTime {
        let span = match self.precision {
            Precision::Day => 1.day(),
            Precision::Minute => 1.minute(),
            Precision::Second => 1.second(),
        };
        let next = self.first.checked_add(span).unwrap_or(DateTime::MAX);
        next.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(next)
    }
}

impl Moment {
    /// As a person writes it: `1 July 2026`, `1er juillet 2026 à 18:00`.
    #[must_use]
    pub fn in_words(self, language: &str) -> String {
        let date = date_in_words(self.first.date(), language);
        let (hour, minute) = (self.first.hour(), self.first.minute());
        match (self.precision, language) {
            (Precision::Day, _) => date,
            (_, "fr") => format!("{date} à {hour:02}:{minute:02}"),
            (..) => format!("{date}, {hour:02}:{minute:02}"),
        }
    }
}

/// A day as a person writes it.
pub(super) fn date_in_words(date: Date, language: &str) -> String {
    let index = usize::try_from(date.month()).unwrap_or(1).saturating_sub(1);
    let (names, day) = match (language, date.day()) {
        ("fr", 1) => (MONTHS_FR, "1er".to_owned()),
        ("fr", day) => (MONTHS_FR, day.to_string()),
        (_, day) => (MONTHS_EN, day.to_string()),
    };
    format!("{day} {} {}", names.get(index).copied().unwrap_or_default(), date.year())
}

const MONTHS_EN: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

const MONTHS_FR: [&str; 12] = [
    "janvier",
    "février",
    "mars",
    "avril",
    "mai",
    "juin",
    "juillet",
    "août",
    "septembre",
    "octobre",
    "novembre",
    "décembre",
];

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.precision {
            Precision::Day => write!(f, "{}", self.first.date()),
            Precision::Minute | Precision::Second => write!(f, "{} {}", self.first.date(), self.first.time()),
        }
    }
}

/// From when until when; an open end is always reached (A8).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The start, inclusive.
    pub starts: Option<Moment>,
    /// The end, inclusive.
    pub ends: Option<Moment>,
}

impl Window {
    /// Reads both ends as an object has them.
    ///
    /// # Errors
    /// When one is no civil time, or the end comes first.
    pub fn parse(starts: Option<&str>, ends: Option<&str>) -> Result<Self, WindowFlaw> {
        let window =
            Self { starts: starts.map(Moment::parse).transpose()?, ends: ends.map(Moment::parse).transpose()? };
        match (window.starts, window.ends) {
            (Some(start), Some(end)) if end.last() < start.first => {
                Err(WindowFlaw::Reversed { starts: start.to_string(), ends: end.to_string() })
            }
            _ => Ok(window),
        }
    }

    /// Seconds from the start to the end by the wall clock; an open end is endless.
    pub(super) fn span_secs(&self) -> i64 {
        match (self.starts, self.ends) {
            (Some(start), Some(end)) => end.last().duration_since(start.first).as_secs(),
            _ => i64::MAX,
        }
    }

    /// The first instant behind the end, to the millisecond above.
    #[must_use]
    pub fn end_instant(&self, zone: &TimeZone) -> Option<Timestamp> {
        let last = last_instant(self.ends?.last(), zone)?;
        Some(Timestamp(last.as_millisecond().saturating_add(1)))
    }

    /// The first instant inside, to the millisecond.
    #[must_use]
    pub fn start_instant(&self, zone: &TimeZone) -> Option<Timestamp> {
        first_instant(self.starts?.first, zone).map(|first| Timestamp(first.as_millisecond()))
    }

    /// Whether an instant is before the start, in a zone.
    #[must_use]
    pub fn not_yet(&self, at: Timestamp, zone: &TimeZone) -> bool {
        self.starts.is_some_and(|start| first_instant(start.first, zone).is_some_and(|first| instant(at) < first))
    }

    /// Whether an instant is behind the end, in a zone.
    #[must_use]
    pub fn over(&self, at: Timestamp, zone: &TimeZone) -> bool {
        self.ends.is_some_and(|end| last_instant(end.last(), zone).is_some_and(|last| instant(at) > last))
    }
}

/// Our time in jiff's; times that jiff does not know are far off on their side.
pub(super) fn instant(at: Timestamp) -> jiff::Timestamp {
    let end = if at.0 < 0 { jiff::Timestamp::MIN } else { jiff::Timestamp::MAX };
    jiff::Timestamp::from_millisecond(at.0).unwrap_or(end)
}

/// The first instant at which the wall clock shows `civil` or later. `None`: out of range.
fn first_instant(civil: DateTime, zone: &TimeZone) -> Option<jiff::Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { before, .. } => gap(civil, before, zone),
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
    }
}

/// The last instant at which the wall clock shows `civil` or earlier. `None`: out of range.
fn last_instant(civil: DateTime, zone: &TimeZone) -> Option<jiff::Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        AmbiguousOffset::Gap { before, .. } => {
            gap(civil, before, zone)?.checked_sub(SignedDuration::from_nanos(1)).ok()
        }
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.later().ok(),
    }
}

/// The instant of the jump over a civil time that no wall clock shows.
fn gap(civil: DateTime, before: jiff::tz::Offset, zone: &TimeZone) -> Option<jiff::Timestamp> {
    let within = before.to_timestamp(civil).ok()?.checked_add(SignedDuration::from_nanos(1)).ok()?;
    zone.preceding(within).next().map(|transition| transition.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn inside(window: &Window, at: Timestamp, zone: &TimeZone) -> bool {
        !window.not_yet(at, zone) && !window.over(at, zone)
    }

    fn window(starts: &str, ends: &str) -> Window {
        let some = |text| (!str::is_empty(text)).then_some(text);
        Window::parse(some(starts), some(ends)).unwrap()
    }

    #[test]
    fn a12_both_ends_are_inclusive_in_the_owners_zone() {
        let paris = zone_named("Europe/Paris");
        let w = window("2026-07-01T08:00", "2026-07-10T18:00");
        for (text, expected) in [
            ("2026-07-01T05:59:59.999Z", false),
            ("2026-07-01T06:00:00Z", true),
            ("2026-07-10T16:00:59.999Z", true),
            ("2026-07-10T16:01:00Z", false),
        ] {
            assert_eq!(inside(&w, at(text), &paris), expected, "{text}");
        }
        let days = window("2026-07-01", "2026-07-01");
        assert!(!inside(&days, at("2026-06-30T21:59:59Z"), &paris));
        assert!(inside(&days, at("2026-06-30T22:00:00Z"), &paris));
        assert!(inside(&days, at("2026-07-01T21:59:59.999Z"), &paris));
        assert!(!inside(&days, at("2026-07-01T22:00:00Z"), &paris));
        assert!(inside(&window("", ""), Timestamp(i64::MIN), &paris));
        assert!(inside(&window("2026-07-01", ""), Timestamp(i64::MAX), &paris));
    }

    #[test]
    fn a12_the_missing_and_the_doubled_hour() {
        let paris = zone_named("Europe/Paris");
        // 2026-03-29: 02:00 becomes 03:00 at 01:00Z.
        let spring = window("2026-03-29T02:30", "");
        assert!(!inside(&spring, at("2026-03-29T00:59:59.999Z"), &paris));
        assert!(inside(&spring, at("2026-03-29T01:00:00Z"), &paris));
        let spring = window("", "2026-03-29T02:30");
        assert!(inside(&spring, at("2026-03-29T00:59:59.999Z"), &paris));
        assert!(!inside(&spring, at("2026-03-29T01:00:00Z"), &paris));
        // 2026-10-25: 03:00 becomes 02:00 at 01:00Z; 02:30 is at 00:30Z and 01:30Z.
        let autumn = window("2026-10-25T02:30", "");
        assert!(!inside(&autumn, at("2026-10-25T00:29:59Z"), &paris));
        assert!(inside(&autumn, at("2026-10-25T00:30:00Z"), &paris));
        assert!(inside(&autumn, at("2026-10-25T01:00:00Z"), &paris), "no hole");
        let autumn = window("", "2026-10-25T02:30");
        assert!(inside(&autumn, at("2026-10-25T00:59:00Z"), &paris), "no hole");
        assert!(inside(&autumn, at("2026-10-25T01:30:59Z"), &paris));
        assert!(!inside(&autumn, at("2026-10-25T01:31:00Z"), &paris));
        // A day that begins at 01:00, and the one before it.
        let cairo = zone_named("Africa/Cairo");
        let day = window("2026-04-24", "2026-04-24");
        assert!(!inside(&day, at("2026-04-23T21:59:59Z"), &cairo));
        assert!(inside(&day, at("2026-04-23T22:00:00Z"), &cairo));
        assert!(!inside(&window("", "2026-04-23"), at("2026-04-23T22:00:00Z"), &cairo));
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for bad in [
            "",
            "tomorrow",
            "2026-02-30",
            "2026-07-01T25:00",
            "2026-07-01T10:00Z",
            "2026-07-01T10:00+02:00",
            "01/07/2026",
        ] {
            assert!(Moment::parse(bad).is_err(), "{bad:?}");
        }
        assert!(Moment::parse(" 2026-07-01 10:00 ").is_ok());
        let reversed = Window::parse(Some("2026-07-02"), Some("2026-07-01T10:00")).unwrap_err();
        assert_eq!(reversed.to_string(), "the end (2026-07-01 10:00:00) is before the start (2026-07-02)");
        assert!(Window::parse(Some("2026-07-01"), Some("2026-07-01")).is_ok());
        assert_eq!(zone_named("Mars/Base"), TimeZone::UTC);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        /// The model: look at the wall clock minute by minute; the window is what lies between the first minute that
        /// shows the start or later and the last that shows the end or earlier.
        #[test]
        fn a_window_is_the_span_that_the_wall_clock_shows(
            zone in prop::sample::select(vec!["Europe/Paris", "Australia/Lord_Howe", "Africa/Cairo", "America/Sao_Paulo", "UTC"]),
            day in prop::sample::select(vec!["2026-03-29", "2026-10-25", "2026-04-05", "2026-10-04", "2026-04-24", "2018-11-04", "2018-02-18"]),
            start in 0..1440_i64,
            length in 0..1440_i64,
        ) {
            let zone = zone_named(zone);
            let midnight = day.parse::<Date>().unwrap().to_datetime(Time::midnight());
            let starts = midnight.checked_add(SignedDuration::from_mins(start)).unwrap();
            let ends = starts.checked_add(SignedDuration::from_mins(length)).unwrap();
            let write = |civil: DateTime| civil.strftime("%Y-%m-%dT%H:%M").to_string();
            let w = Window::parse(Some(&write(starts)), Some(&write(ends))).unwrap();
            let from = jiff::tz::Offset::UTC.to_timestamp(midnight).unwrap().as_millisecond() - 36 * 3_600_000;
            let minutes: Vec<i64> = (0..6 * 1440).map(|n| from + n * 60_000).collect();
            let shown = |ms: &i64| jiff::Timestamp::from_millisecond(*ms).unwrap().to_zoned(zone.clone()).datetime();
            let first = minutes.iter().find(|ms| shown(ms) >= starts).unwrap();
            let last = minutes.iter().rfind(|ms| shown(ms) <= ends).unwrap();
            for ms in &minutes {
                prop_assert_eq!(inside(&w, Timestamp(*ms), &zone), ms >= first && ms <= last, "{}", shown(ms));
            }
        }
    }
}
