//! What a host offers in its answer to EHLO (RFC 5321 §4.1.1.1).
//!
//! smtp-proto knows the keywords. Each line is given to it alone, so that one that it can't read costs that line only,
//! and SIZE is read here: smtp-proto takes `SIZE 99999999999999999999999` for 999 (docs/quirks.md).

use smtp_proto::{EXT_SIZE, EhloResponse};

/// Reads the lines of a 250 to EHLO, the host's greeting first.
pub(crate) fn offers(lines: &[String]) -> EhloResponse<String> {
    let mut offers = EhloResponse::default();
    for line in lines.iter().skip(1).map(|line| line.trim()) {
        let keyword = line.split([' ', '=']).next().unwrap_or_default();
        if keyword.eq_ignore_ascii_case("SIZE") {
            offers.capabilities |= EXT_SIZE;
            offers.size = size(line.get(keyword.len()..).unwrap_or_default().trim());
        } else if let Ok(one) = EhloResponse::parse(&mut format!("250-host\r\n250 {line}\r\n").as_bytes().iter()) {
            offers.capabilities |= one.capabilities;
            offers.auth_mechanisms |= one.auth_mechanisms;
        }
    }
    offers
}

/// The bounds that a host offers (RFC 9422 §3.1); `None`: it says none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct OfferedLimits {
    /// `MAILMAX`: messages in one session.
    pub(crate) mails_max: Option<u32>,
    /// `RCPTMAX`: recipients of one message.
    pub(crate) recipients_max: Option<usize>,
}

/// Reads them from the lines of a 250 to EHLO. A value that is none, or 0, limits nothing (RFC 9422 §3.1: 1 to 6 digits).
pub(crate) fn offered_limits(lines: &[String]) -> OfferedLimits {
    let mut limits = OfferedLimits::default();
    for line in lines.iter().skip(1) {
        let mut words = line.split_ascii_whitespace();
        if !words.next().is_some_and(|keyword| keyword.eq_ignore_ascii_case("LIMITS")) {
            continue;
        }
        for (name, value) in words.filter_map(|word| word.split_once('=')) {
            let is_number = (1..=6).contains(&value.len()) && value.bytes().all(|octet| octet.is_ascii_digit());
            let Some(value) = value.parse::<u32>().ok().filter(|value| is_number && *value > 0) else { continue };
            if name.eq_ignore_ascii_case("MAILMAX") {
                limits.mails_max = Some(value);
            } else if name.eq_ignore_ascii_case("RCPTMAX") {
                limits.recipients_max = usize::try_from(value).ok();
            }
        }
    }
    limits
}

/// The largest message; 0 for no fixed limit (RFC 1870 §4). A number that is none, or fits nowhere, limits nothing.
fn size(digits: &str) -> usize {
    if digits.bytes().all(|b| b.is_ascii_digit()) { digits.parse().unwrap_or(0) } else { 0 }
}

#[cfg(test)]
mod tests {
    use smtp_proto::{
        AUTH_LOGIN, AUTH_PLAIN, EXT_8BIT_MIME, EXT_AUTH, EXT_DSN, EXT_NO_SOLICITING, EXT_PIPELINING, EXT_SMTP_UTF8,
        EXT_START_TLS,
    };

    use super::*;

    fn read(lines: &[&str]) -> EhloResponse<String> {
        let lines: Vec<String> = ["mx.b.example greets you"].iter().chain(lines).map(|&line| line.to_owned()).collect();
        offers(&lines)
    }

    #[test]
    fn keywords_are_known() {
        let all =
            read(&["SIZE 1000", "8BITMIME", "PIPELINING", "SMTPUTF8", "DSN", "STARTTLS", "AUTH PLAIN LOGIN CRAM-MD5"]);
        for capability in [EXT_SIZE, EXT_8BIT_MIME, EXT_PIPELINING, EXT_SMTP_UTF8, EXT_DSN, EXT_START_TLS, EXT_AUTH] {
            assert!(all.has_capability(capability));
        }
        assert_eq!(all.size, 1000);
        assert_eq!(all.auth_mechanisms & (AUTH_PLAIN | AUTH_LOGIN), AUTH_PLAIN | AUTH_LOGIN);
        assert!(read(&["pipelining", "starttls"]).has_capability(EXT_PIPELINING | EXT_START_TLS));
    }

    #[test]
    fn no_soliciting_may_name_classes_or_none() {
        for line in
            ["NO-SOLICITING", "NO-SOLICITING net.example:ADV,org.example:ADV:ADLT", "no-soliciting net.example:ADV"]
        {
            assert!(read(&[line]).has_capability(EXT_NO_SOLICITING), "{line}");
        }
    }

    #[test]
    fn the_first_line_offers_nothing() {
        assert!(!offers(&["STARTTLS".to_owned()]).has_capability(EXT_START_TLS));
        assert!(!offers(&[]).has_capability(EXT_START_TLS));
    }

    #[test]
    fn a_line_that_nobody_knows_costs_itself_only() {
        let strange =
            read(&["", "X-\u{e9}", "LIMITS RCPTMAX=1", "FUTURERELEASE x y", "DELIVERBY -", "MT-PRIORITY ?", "DSN"]);
        assert!(strange.has_capability(EXT_DSN));
        assert!(!strange.has_capability(EXT_SIZE));
    }

    #[test]
    fn limits_are_read_and_nonsense_limits_nothing() {
        let read = |line: &str| {
            let limits = offered_limits(&["mx.b.example greets you".to_owned(), "DSN".to_owned(), line.to_owned()]);
            (limits.mails_max, limits.recipients_max)
        };
        assert_eq!(read("LIMITS RCPTMAX=100 MAILMAX=20 RCPTDOMAINMAX=1 X=Y"), (Some(20), Some(100)));
        assert_eq!(read("limits rcptmax=1"), (None, Some(1)));
        for nonsense in [
            "LIMITS",
            "LIMITS RCPTMAX=0",
            "LIMITS RCPTMAX=-1",
            "LIMITS RCPTMAX=+1 MAILMAX=1234567",
            "XLIMITS RCPTMAX=1",
        ] {
            assert_eq!(read(nonsense), (None, None), "{nonsense}");
        }
        assert_eq!(
            offered_limits(&["LIMITS RCPTMAX=1".to_owned()]),
            OfferedLimits::default(),
            "the greeting offers nothing"
        );
    }

    #[test]
    fn trap_a_size_of_too_many_digits_limits_nothing() {
        for (line, size) in [
            ("SIZE 99999999999999999999999", 0),
            ("SIZE", 0),
            ("SIZE 0", 0),
            ("SIZE -1", 0),
            ("SIZE 10x", 0),
            ("SIZE=2000", 0),
            ("size 35882577", 35_882_577),
        ] {
            let read = read(&[line]);
            assert!(read.has_capability(EXT_SIZE), "{line}");
            assert_eq!(read.size, size, "{line}");
        }
    }
}
