//! Dates: `date` of SEARCH and `date-time` of APPEND and INTERNALDATE (RFC 3501 §9).
//!
//! Invariant: a [`Date`] is a day that exists in the proleptic Gregorian calendar, years 0 to 9999.

use mail::InternalDate;

/// A calendar day without time or zone, as SEARCH gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Date {
    year: u16,
    month: u8,
    day: u8,
}

impl Date {
    /// A day, when it exists.
    pub const fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        if year > 9999 || month < 1 || month > 12 || day < 1 || day > days_in_month(year, month) {
            return None;
        }
        Some(Self { year, month, day })
    }

    /// The year, 0 to 9999.
    pub const fn year(self) -> u16 {
        self.year
    }

    /// The month, 1 to 12.
    pub const fn month(self) -> u8 {
        self.month
    }

    /// The day of the month, from 1.
    pub const fn day(self) -> u8 {
        self.day
    }

    /// Days since 1970-01-01: seconds of the day's first instant in UTC divided by 86,400.
    pub fn days_since_epoch(self) -> i64 {
        // Years begin in March, so that the leap day is the last one: the usual civil-day arithmetic.
        let (year, month) = (i64::from(self.year), i64::from(self.month));
        let shifted_year = if month <= 2 { year - 1 } else { year };
        let era = shifted_year.div_euclid(400);
        let year_of_era = shifted_year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + i64::from(self.day) - 1;
        era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719_468
    }

    /// The day that lies so many days after 1970-01-01, when its year has four digits.
    pub fn from_days_since_epoch(days: i64) -> Option<Self> {
        let shifted = days.checked_add(719_468)?;
        let era = shifted.div_euclid(146_097);
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted_month = (5 * day_of_year + 2) / 153;
        let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
        let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
        let year = era * 400 + year_of_era + i64::from(month <= 2);
        Self::new(u16::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
    }
}

/// An INTERNALDATE, when its zone is less than a day from UTC and its local year has four digits: then it can be written.
pub(crate) fn internal_date(secs: i64, offset_minutes: i16) -> Option<InternalDate> {
    let date = InternalDate { secs, offset_minutes };
    if offset_minutes.unsigned_abs() >= 24 * 60 {
        return None;
    }
    Date::from_days_since_epoch(local_secs(date).div_euclid(86_400)).map(|_| date)
}

/// The calendar day in the zone of the value; RFC 3501 §6.4.4 compares days "disregarding time and timezone".
pub fn local_date(date: InternalDate) -> Date {
    Date::from_days_since_epoch(local_secs(date).div_euclid(86_400)).unwrap_or(Date { year: 1970, month: 1, day: 1 })
}

fn local_secs(date: InternalDate) -> i64 {
    date.secs.saturating_add(i64::from(date.offset_minutes) * 60)
}

/// Appends `"dd-Mon-yyyy hh:mm:ss +zzzz"` with its quotes (RFC 3501 §9 `date-time`).
pub(crate) fn write_internal_date(date: InternalDate, out: &mut Vec<u8>) {
    let day = local_date(date);
    let second = local_secs(date).rem_euclid(86_400);
    let month = MONTHS.get(usize::from(day.month.saturating_sub(1))).copied().unwrap_or("Jan");
    let (sign, offset) = (if date.offset_minutes < 0 { '-' } else { '+' }, date.offset_minutes.unsigned_abs());
    let text = format!(
        "\"{:2}-{month}-{:04} {:02}:{:02}:{:02} {sign}{:02}{:02}\"",
        day.day,
        day.year,
        second / 3_600,
        second / 60 % 60,
        second % 60,
        offset / 60 % 24,
        offset % 60
    );
    out.extend_from_slice(text.as_bytes());
}

const fn days_in_month(year: u16, month: u8) -> u8 {
    match month {
        4 | 6 | 9 | 11 => 30,
        2 if year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400)) => 29,
        2 => 28,
        _ => 31,
    }
}

/// RFC 3501 §9 `date-month`.
pub(crate) const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_days_that_exist() {
        assert!(Date::new(2024, 2, 29).is_some());
        assert!(Date::new(2000, 2, 29).is_some());
        for (y, m, d) in [(2023, 2, 29), (1900, 2, 29), (2024, 4, 31), (2024, 13, 1), (2024, 0, 1), (2024, 1, 0)] {
            assert_eq!(Date::new(y, m, d), None, "{y}-{m}-{d}");
        }
    }

    #[test]
    fn known_days() {
        assert_eq!(Date::new(1970, 1, 1).unwrap().days_since_epoch(), 0);
        assert_eq!(Date::new(2000, 3, 1).unwrap().days_since_epoch(), 11_017);
        assert_eq!(Date::new(1969, 12, 31).unwrap().days_since_epoch(), -1);
    }

    #[test]
    fn internal_date_prints_as_in_the_rfc() {
        // RFC 3501 §8: INTERNALDATE "17-Jul-1996 02:44:25 -0700".
        let mut out = Vec::new();
        write_internal_date(internal_date(837_596_665, -420).unwrap(), &mut out);
        assert_eq!(out, b"\"17-Jul-1996 02:44:25 -0700\"");
        out.clear();
        write_internal_date(internal_date(-1, 0).unwrap(), &mut out);
        assert_eq!(out, b"\"31-Dec-1969 23:59:59 +0000\"");
        assert_eq!(internal_date(0, 1440), None);
        assert_eq!(internal_date(i64::MAX, 0), None);
    }

    proptest! {
        #[test]
        fn days_and_dates_are_the_same(days in -719_528i64..2_932_896) {
            let date = Date::from_days_since_epoch(days).unwrap();
            prop_assert_eq!(date.days_since_epoch(), days);
        }
    }
}
