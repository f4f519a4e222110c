//! The commands by name. Names are looked at in any case (RFC 5321 §2.4).

/// A command's name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verb {
    Ehlo,
    Helo,
    Lhlo,
    XClient,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    Bdat,
    Burl,
    Rset,
    Noop,
    Quit,
    Vrfy,
    Expn,
    Etrn,
    Help,
    /// A command that some RFC has and this server has not: RFC 5321 §4.2.4 wants 502 for it.
    Absent,
}

const NAMES: [(&str, Verb); 18] = [
    ("EHLO", Verb::Ehlo),
    ("HELO", Verb::Helo),
    ("LHLO", Verb::Lhlo),
    ("XCLIENT", Verb::XClient),
    ("STARTTLS", Verb::StartTls),
    ("AUTH", Verb::Auth),
    ("MAIL", Verb::Mail),
    ("RCPT", Verb::Rcpt),
    ("DATA", Verb::Data),
    ("BDAT", Verb::Bdat),
    ("BURL", Verb::Burl),
    ("RSET", Verb::Rset),
    ("NOOP", Verb::Noop),
    ("QUIT", Verb::Quit),
    ("VRFY", Verb::Vrfy),
    ("EXPN", Verb::Expn),
    ("ETRN", Verb::Etrn),
    ("HELP", Verb::Help),
];

/// RFC 821, RFC 2645.
const ABSENT: [&str; 5] = ["SEND", "SOML", "SAML", "TURN", "ATRN"];

impl Verb {
    /// The command of a name, if SMTP has one.
    pub(super) fn named(name: &str) -> Option<Self> {
        let known = NAMES.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, verb)| *verb);
        known.or_else(|| ABSENT.iter().any(|absent| absent.eq_ignore_ascii_case(name)).then_some(Self::Absent))
    }

    /// As a metric's label shows it.
    pub(super) fn name(self) -> &'static str {
        NAMES.iter().find(|(_, verb)| *verb == self).map_or("absent", |(name, _)| name)
    }

    /// Commands that only ever stand alone (RFC 5321 §4.1.1.4, §4.1.1.5, §4.1.1.10; RFC 3207 §4).
    pub(super) fn takes_no_argument(self) -> bool {
        matches!(self, Self::Data | Self::Rset | Self::Quit | Self::StartTls)
    }

    /// RFC 2920 §3.2 (and RFC 2033 §4.2 for LHLO): replies to these are not held back to be sent with others.
    pub(super) fn ends_a_group(self) -> bool {
        matches!(
            self,
            Self::Ehlo | Self::Lhlo | Self::XClient | Self::Data | Self::Vrfy | Self::Expn | Self::Quit | Self::Noop
        )
    }

    /// Commands that do not bring mail forward by themselves.
    pub(super) fn is_idle(self) -> bool {
        !matches!(self, Self::Rcpt | Self::Data | Self::Bdat | Self::Burl | Self::Quit)
    }

    #[cfg(test)]
    pub(super) const ALL: &[Self] = &[
        Self::Ehlo,
        Self::Helo,
        Self::Lhlo,
        Self::XClient,
        Self::StartTls,
        Self::Auth,
        Self::Mail,
        Self::Rcpt,
        Self::Data,
        Self::Bdat,
        Self::Burl,
        Self::Rset,
        Self::Noop,
        Self::Quit,
        Self::Vrfy,
        Self::Expn,
        Self::Etrn,
        Self::Help,
        Self::Absent,
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_in_any_case() {
        assert_eq!(Verb::named("mAiL"), Some(Verb::Mail));
        assert_eq!(Verb::named("turn"), Some(Verb::Absent));
        assert_eq!(Verb::named("MAI"), None);
        assert_eq!(Verb::named("MAILX"), None);
    }
}
