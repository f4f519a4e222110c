//! Weekly hours: "the office is closed". What the wall clock of the zone shows decides, so that the change to and from
//! daylight saving time moves nothing.
//!
//! `mon-fri 09:00-12:00,13:00-17:30; sat 10:00-12:00`: days or ranges of days, then spans of time; groups are parted by
//! `;`. A span holds its first minute and ends before its last (at 17:30 the office is closed); `24:00` is midnight, and
//! a span that ends before it begins goes on into the next day. French names of days (`lun`, `mardi`) are known too.

use std::fmt;

use jiff::civil::DateTime;
use mail::Timestamp;

use crate::limits::{HOURS_OCTETS_MAX, HOURS_SPANS_MAX};
use crate::objects::{Hours, HoursWhen};
use crate::responders::window::{TimeZone, instant};

/// Hours of a week.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WeeklyHours {
    /// In minutes since Monday 00:00, end exclusive; an end beyond the week goes on at its beginning.
    spans: Vec<(u16, u16)>,
}

/// Why hours can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HoursFlaw {
    /// Nothing in them.
    #[error("the hours are empty: write them as mon-fri 09:00-17:30")]
    Empty,
    /// Not a day.
    #[error("\"{0}\" is no day of the week: write mon, tue, wed, thu, fri, sat, sun, or a range as mon-fri")]
    NoDay(String),
    /// Not a span of time.
    #[error("\"{0}\" is no span of time: write it as 09:00-17:30")]
    NoSpan(String),
    /// Too many of them.
    #[error("hours have {HOURS_SPANS_MAX} spans and {HOURS_OCTETS_MAX} octets at the most")]
    TooMany,
}

impl WeeklyHours {
    /// Reads hours.
    ///
    /// # Errors
    /// The first part that can't be read.
    pub fn parse(text: &str) -> Result<Self, HoursFlaw> {
        if text.len() > HOURS_OCTETS_MAX {
            return Err(HoursFlaw::TooMany);
        }
        let mut spans = Vec::new();
        for group in text.split(';').map(str::trim).filter(|group| !group.is_empty()) {
            // The days end where the first time begins.
            let at = group.find(|c: char| c.is_ascii_digit()).ok_or_else(|| HoursFlaw::NoSpan(group.to_owned()))?;
            let (named, times) = group.split_at(at);
            let days = days(named)?;
            for time in times.split([',', ' ']).filter(|time| !time.is_empty()) {
                let (from, to) = span(time).ok_or_else(|| HoursFlaw::NoSpan(time.to_owned()))?;
                for day in &days {
                    let midnight = day * DAY;
                    let end = if to <= from { to + DAY } else { to };
                    spans.push((midnight + from, midnight + end));
                }
            }
            // Each day of a group counts: seven days with eight spans are fifty-six.
            if spans.len() > HOURS_SPANS_MAX {
                return Err(HoursFlaw::TooMany);
            }
        }
        if spans.is_empty() { Err(HoursFlaw::Empty) } else { Ok(Self { spans }) }
    }

    /// Whether a zone's wall clock shows one of these hours at an instant.
    #[must_use]
    pub fn contain(&self, at: Timestamp, zone: &TimeZone) -> bool {
        self.contain_civil(zone.to_datetime(instant(at)))
    }

    fn contain_civil(&self, civil: DateTime) -> bool {
        let number = |n: i8| u16::try_from(n).unwrap_or(0);
        let day = number(civil.weekday().to_monday_zero_offset());
        let minute = day * DAY + number(civil.hour()) * 60 + number(civil.minute());
        self.spans.iter().any(|(from, to)| (minute >= *from && minute < *to) || minute + WEEK < *to)
    }
}

/// Whether a responder's hours let it act on what is received at a time.
pub(super) fn within(hours: &Hours, at: Timestamp, zone: &TimeZone) -> Result<bool, HoursFlaw> {
    let inside = WeeklyHours::parse(&hours.week)?.contain(at, zone);
    Ok(inside == (hours.when == HoursWhen::Inside))
}

impl fmt::Display for Hours {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when = match self.when {
            HoursWhen::Inside => "inside",
            HoursWhen::Outside => "outside",
        };
        write!(f, "{when} {}", self.week)
    }
}

/// `mon`, `mon-fri`, `sat,sun`, `daily`; nothing stands for every day.
fn days(text: &str) -> Result<Vec<u16>, HoursFlaw> {
    let text = text.trim().trim_end_matches(':').trim().to_lowercase();
    if ["", "*", "daily", "every day", "tous les jours"].contains(&text.as_str()) {
        return Ok((0..7).collect());
    }
    let day = |name: &str| {
        let name = name.trim().trim_end_matches('.');
        let long_enough = name.len() >= 3;
        let found = DAYS.iter().position(|names| names.iter().any(|known| long_enough && known.starts_with(name)));
        found.and_then(|n| u16::try_from(n).ok()).ok_or_else(|| HoursFlaw::NoDay(name.to_owned()))
    };
    let mut found = Vec::new();
    for part in text.split([',', '/']).map(str::trim).filter(|part| !part.is_empty()) {
        match part.split_once(['-', '–']) {
            None => found.push(day(part)?),
            Some((first, last)) => {
                let (first, last) = (day(first)?, day(last)?);
                let count = (last + 7 - first) % 7;
                found.extend((0..=count).map(|n| (first + n) % 7));
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

/// `09:00-17:30` in minutes.
fn span(text: &str) -> Option<(u16, u16)> {
    let (from, to) = text.split_once(['-', '–'])?;
    let (from, to) = (minutes(from)?, minutes(to)?);
    (from < DAY && to > 0).then_some((from, to))
}

/// `09:00`, `9h30`, `24:00`.
fn minutes(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once([':', 'h', 'H'])?;
    let number = |digits: &str| {
        let plain = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
        if plain { digits.parse::<u16>().ok() } else { None }
    };
    let (hour, minute) = (number(hour)?, if minute.is_empty() { 0 } else { number(minute)? });
    let at = hour * 60 + minute;
    (minute < 60 && at <= DAY).then_some(at)
}

const DAY: u16 = 1440;
const WEEK: u16 = 7 * DAY;

const DAYS: [[&str; 2]; 7] = [
    ["monday", "lundi"],
    ["tuesday", "mardi"],
    ["wednesday", "mercredi"],
    ["thursday", "jeudi"],
    ["friday", "vendredi"],
    ["saturday", "samedi"],
    ["sunday", "dimanche"],
];

#[cfg(test)]
mod tests {
    use super::*;
    use crate::responders::window::zone_named;
    use proptest::prelude::*;

    fn at(text: &str) -> Timestamp {
        Timestamp(text.parse::<jiff::Timestamp>().unwrap().as_millisecond())
    }

    fn contain(week: &str, civil: &str) -> bool {
        WeeklyHours::parse(week).unwrap().contain_civil(civil.parse().unwrap())
    }

    #[test]
    fn office_hours_end_when_the_office_closes() {
        // 2026-07-06 is a Monday.
        let office = "mon-fri 09:00-12:00,13:00-17:30; sat 10:00-12:00";
        for (civil, expected) in [
            ("2026-07-06T08:59:59", false),
            ("2026-07-06T09:00:00", true),
            ("2026-07-06T11:59:59", true),
            ("2026-07-06T12:00:00", false),
            ("2026-07-10T17:29:59", true),
            ("2026-07-10T17:30:00", false),
            ("2026-07-11T10:30:00", true),
            ("2026-07-11T13:30:00", false),
            ("2026-07-12T10:30:00", false),
        ] {
            assert_eq!(contain(office, civil), expected, "{civil}");
        }
        assert!(contain("lun-ven 9h-12h30", "2026-07-06T12:29:00"));
        assert!(
            contain("dim 00:00-24:00", "2026-07-12T23:59:59") && !contain("dim 00:00-24:00", "2026-07-13T00:00:00")
        );
        assert!(contain("22:00-06:00", "2026-07-06T05:59:00") && !contain("22:00-06:00", "2026-07-06T06:00:00"));
        // Sunday night goes on into Monday, and Friday to Monday goes over the end of the week.
        assert!(
            contain("sun 22:00-06:00", "2026-07-06T05:59:00") && !contain("sun 22:00-06:00", "2026-07-07T05:59:00")
        );
        assert!(
            contain("fri-mon 10:00-11:00", "2026-07-12T10:00:00")
                && !contain("fri-mon 10:00-11:00", "2026-07-07T10:00:00")
        );
    }

    #[test]
    fn the_wall_clock_decides_when_it_changes() {
        let (paris, night) = (zone_named("Europe/Paris"), WeeklyHours::parse("sun 02:00-03:00").unwrap());
        // In spring the hour is skipped; in autumn it comes twice.
        assert!(
            !night.contain(at("2026-03-29T00:59:59Z"), &paris) && !night.contain(at("2026-03-29T01:00:00Z"), &paris)
        );
        assert!(night.contain(at("2026-10-25T00:30:00Z"), &paris) && night.contain(at("2026-10-25T01:30:00Z"), &paris));
        let office = WeeklyHours::parse("mon-fri 09:00-17:00").unwrap();
        assert!(
            office.contain(at("2026-03-27T08:00:00Z"), &paris) && !office.contain(at("2026-03-27T07:59:59Z"), &paris)
        );
        assert!(office.contain(at("2026-03-30T07:00:00Z"), &paris), "an hour earlier in UTC on the Monday after");
    }

    #[test]
    fn what_is_no_hours_is_told() {
        use HoursFlaw as F;
        for (text, flaw) in [
            ("", F::Empty),
            (" ; ", F::Empty),
            ("mon-fri", F::NoSpan("mon-fri".to_owned())),
            ("moon 09:00-10:00", F::NoDay("moon".to_owned())),
            ("m 09:00-10:00", F::NoDay("m".to_owned())),
            ("mon 9-10", F::NoSpan("9-10".to_owned())),
            ("mon 09:00-25:00", F::NoSpan("09:00-25:00".to_owned())),
            ("mon 09:60-10:00", F::NoSpan("09:60-10:00".to_owned())),
            ("mon 24:00-10:00", F::NoSpan("24:00-10:00".to_owned())),
        ] {
            assert_eq!(WeeklyHours::parse(text), Err(flaw), "{text}");
        }
        assert_eq!(WeeklyHours::parse(&"mon 09:00-10:00;".repeat(60)), Err(F::TooMany));
        assert_eq!(WeeklyHours::parse(&"x".repeat(2000)), Err(F::TooMany));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in "[a-zé0-9:;,\\- ]{0,60}", any in any::<String>(), secs in any::<i32>()) {
            for text in [text, any] {
                if let Ok(hours) = WeeklyHours::parse(&text) {
                    let _inside = hours.contain(Timestamp(i64::from(secs) * 1000), &TimeZone::UTC);
                }
            }
        }
    }
}
