//! What MAIL says of time, priority and kind: HOLDFOR and HOLDUNTIL (RFC 4865 §4), BY (RFC 2852 §4), MT-PRIORITY (RFC 6710
//! §4), SOLICIT (RFC 3865 §4.2). Each value is read strictly; who may say it is decided by what EHLO announces.

use std::time::Duration;

use mail::{DeliverBy, DeliverByMode, Timestamp};

use super::parameters::Parameters;
use super::session::Session;
use crate::limits::{BY_DIGITS_MAX, SOLICIT_KEYWORDS_MAX, SOLICIT_OCTETS_MAX};
use crate::misbehaviour::Misbehaviour;

/// What is said in the parameters of this file.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) hold_until: Option<Timestamp>,
    pub(super) deliver_by: Option<DeliverBy>,
    pub(super) priority: i8,
    pub(super) solicits: Vec<String>,
}

impl Said {
    /// Takes the parameters out.
    pub(super) fn take(
        parameters: &mut Parameters<'_>,
        session: &Session,
        now: Timestamp,
    ) -> Result<Self, Misbehaviour> {
        let value = |said: Option<Option<&str>>, name| match said {
            None => Ok(None),
            Some(None) => Err(Misbehaviour::BadParameter(name)),
            Some(Some(value)) => Ok(Some(value.to_owned())),
        };
        let hold_for = value(parameters.take("HOLDFOR"), "HOLDFOR")?;
        let hold_until = value(parameters.take("HOLDUNTIL"), "HOLDUNTIL")?;
        let hold_until = match (hold_for, hold_until) {
            // RFC 4865 §4: one of them.
            (Some(_), Some(_)) => return Err(Misbehaviour::BadParameter("HOLDUNTIL")),
            (Some(span), None) => Some(hold_for_secs(&span, now).ok_or(Misbehaviour::BadParameter("HOLDFOR"))?),
            (None, Some(date)) => Some(Timestamp::parse_rfc3339(&date).ok_or(Misbehaviour::BadParameter("HOLDUNTIL"))?),
            (None, None) => None,
        };
        if hold_until.is_some_and(|until| until > now.plus(session.limits().hold_max)) {
            return Err(Misbehaviour::HeldTooLong);
        }
        let deliver_by = value(parameters.take("BY"), "BY")?;
        let deliver_by = deliver_by.map(|by| read_by(&by, now).ok_or(Misbehaviour::BadParameter("BY"))).transpose()?;
        if let (Some(until), Some(by)) = (hold_until, deliver_by)
            && by.by <= until
        {
            // It would be too late before it may leave.
            return Err(Misbehaviour::BadParameter("BY"));
        }
        let priority = value(parameters.take("MT-PRIORITY"), "MT-PRIORITY")?;
        let priority =
            priority.map_or(Ok(0), |text| priority_of(&text).ok_or(Misbehaviour::BadParameter("MT-PRIORITY")))?;
        let solicits = value(parameters.take("SOLICIT"), "SOLICIT")?;
        let solicits = solicits.map(|text| keywords(&text).ok_or(Misbehaviour::BadParameter("SOLICIT"))).transpose()?;
        let solicits = solicits.unwrap_or_default();
        let refused =
            |keyword: &String| session.policy.no_soliciting.iter().any(|one| one.eq_ignore_ascii_case(keyword));
        if solicits.iter().any(refused) {
            return Err(Misbehaviour::Soliciting);
        }
        Ok(Self { hold_until, deliver_by, priority, solicits })
    }
}

/// `1*9DIGIT`, not zero.
fn hold_for_secs(text: &str, now: Timestamp) -> Option<Timestamp> {
    if text.starts_with('0') {
        return None;
    }
    Some(now.plus(Duration::from_secs(digits(text)?)))
}

fn digits(text: &str) -> Option<u64> {
    let good = (1..=BY_DIGITS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

/// `[+-]1*9DIGIT ; R|N [T]`. What has to be back by then needs some time for it.
fn read_by(text: &str, now: Timestamp) -> Option<DeliverBy> {
    let (time, mode) = text.split_once(';')?;
    let (past, secs) = match time.strip_prefix('-') {
        Some(secs) => (true, digits(secs)?),
        None => (false, digits(time.strip_prefix('+').unwrap_or(time))?),
    };
    let span = Duration::from_secs(secs);
    let by = if past { now.minus(span) } else { now.plus(span) };
    let mode = mode.to_ascii_uppercase();
    let (mode, trace) = mode.strip_suffix('T').map_or((mode.as_str(), false), |mode| (mode, true));
    let mode = match mode {
        "R" => DeliverByMode::Return,
        "N" => DeliverByMode::Notify,
        _ => return None,
    };
    // RFC 2852 §4: by-time is above zero with R.
    (mode == DeliverByMode::Notify || by > now).then_some(DeliverBy { by, mode, trace })
}

/// `-9` to `9`.
fn priority_of(text: &str) -> Option<i8> {
    let digit = text.strip_prefix('-').unwrap_or(text);
    let good = digit.len() == 1 && digit.bytes().all(|b| b.is_ascii_digit());
    good.then(|| text.parse().ok()).flatten()
}

/// Words between commas: a domain name reversed, and what it means by it after a colon (RFC 3865 §3).
fn keywords(text: &str) -> Option<Vec<String>> {
    let good = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_alphanumeric() || b"-_.:".contains(&b));
    let words: Vec<String> = text.split(',').map(str::to_owned).collect();
    let fits = text.len() <= SOLICIT_OCTETS_MAX && words.len() <= SOLICIT_KEYWORDS_MAX;
    (fits && words.iter().all(|word| good(word))).then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp(1_000_000);

    #[test]
    fn by_has_a_sign_nine_digits_and_a_mode() {
        let read = |text| read_by(text, NOW).map(|by| (by.by.0 - NOW.0, by.mode, by.trace));
        assert_eq!(read("120;R"), Some((120_000, DeliverByMode::Return, false)));
        assert_eq!(read("+120;nt"), Some((120_000, DeliverByMode::Notify, true)));
        assert_eq!(read("-5;N"), Some((-5_000, DeliverByMode::Notify, false)));
        for wrong in [
            "",
            "120",
            "120;",
            "120;T",
            "120;RN",
            "0;R",
            "-1;R",
            "1234567890;N",
            "--1;N",
            "+-1;N",
            "x;N",
            ";N",
            "1;R;N",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn priorities_have_one_digit() {
        assert_eq!((priority_of("9"), priority_of("-9"), priority_of("0")), (Some(9), Some(-9), Some(0)));
        for wrong in ["", "10", "-10", "+1", "x", "-", "1.0"] {
            assert_eq!(priority_of(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_hold_has_nine_digits_and_no_zero_in_front() {
        assert_eq!(hold_for_secs("60", NOW), Some(Timestamp(1_060_000)));
        for wrong in ["", "0", "060", "-1", "1234567890", "1s"] {
            assert_eq!(hold_for_secs(wrong, NOW), None, "{wrong}");
        }
    }

    #[test]
    fn keywords_stand_between_commas() {
        assert_eq!(keywords("net.example:ADV,org.example:ADV:ADLT").map(|words| words.len()), Some(2));
        for wrong in ["", "a,", ",a", "a b", "a=b", "\u{e9}"] {
            assert_eq!(keywords(wrong), None, "{wrong}");
        }
        assert_eq!(keywords(&"a".repeat(SOLICIT_OCTETS_MAX + 1)), None);
    }
}
