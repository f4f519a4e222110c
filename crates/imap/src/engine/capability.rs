//! What CAPABILITY says (RFC 3501 §6.1.1): it depends on whether the connection is safe and who is on it.

use super::message_limit::MessageLimit;
use super::table::StateKind;

/// What is always there.
const ALWAYS: [&str; 7] = ["IMAP4rev1", "IMAP4rev2", "LITERAL+", "SASL-IR", "ID", "ENABLE", "LANGUAGE"];

/// What a client that has logged in can use.
const LOGGED_IN: &[&str] = &[
    "IDLE",
    "NAMESPACE",
    "CHILDREN",
    "UIDPLUS",
    "UNSELECT",
    "MOVE",
    "ESEARCH",
    "WITHIN",
    "CONDSTORE",
    "QRESYNC",
    "NOTIFY",
    "INPROGRESS",
    "REPLACE",
    "OBJECTID",
    "SAVEDATE",
    "UIDONLY",
    "UIDBATCHES",
    "UNAUTHENTICATE",
    "LIST-EXTENDED",
    "LIST-STATUS",
    "STATUS=SIZE",
    "SPECIAL-USE",
    "CREATE-SPECIAL-USE",
    "ACL",
    // RFC 4314 §2.2: those that RFC 2086 does not have; `n` is of RFC 5257.
    "RIGHTS=kxten",
    "APPENDLIMIT",
    "LIST-MYRIGHTS",
    "LIST-METADATA",
    "QUOTA",
    "QUOTA=RES-STORAGE",
    "QUOTA=RES-MESSAGE",
    "QUOTA=RES-MAILBOX",
    "QUOTASET",
    "METADATA",
    "METADATA-SERVER",
    "COMPRESS=DEFLATE",
    "MULTIAPPEND",
    "SEARCHRES",
    "PARTIAL",
    "SORT",
    "SORT=DISPLAY",
    "ESORT",
    "CONTEXT=SEARCH",
    "CONTEXT=SORT",
    "THREAD=ORDEREDSUBJECT",
    "THREAD=REFERENCES",
    "THREAD=REFS",
    "MULTISEARCH",
    "SEARCH=FUZZY",
    "I18NLEVEL=1",
    "I18NLEVEL=2",
    "FILTERS",
    "BINARY",
    "PREVIEW",
    "UTF8=ACCEPT",
    "CATENATE",
    "URL-PARTIAL",
    "URLAUTH",
    "URLAUTH=BINARY",
];

/// How safe the connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Safety {
    /// TLS is on.
    pub(crate) tls: bool,
    /// STARTTLS can be given.
    pub(crate) starttls: bool,
    /// Passwords may be sent (RFC 3501 §11.2: only under TLS, unless the administrator says otherwise).
    pub(crate) passwords: bool,
    /// SCRAM can be had (RFC 5802).
    pub(crate) scram: bool,
    /// Tokens of an issuer are taken (RFC 7628).
    pub(crate) tokens: bool,
    /// It can be bound to the channel.
    pub(crate) bindable: bool,
    /// TLS has told who the client is (RFC 4422, appendix A).
    pub(crate) certified: bool,
}

impl Safety {
    /// The mechanisms of AUTHENTICATE, the best first. Without safety there is none: the mail would travel in clear too.
    fn mechanisms(self) -> impl Iterator<Item = &'static str> {
        let all = [
            ("EXTERNAL", self.certified),
            ("SCRAM-SHA-256-PLUS", self.scram && self.bindable),
            ("SCRAM-SHA-1-PLUS", self.scram && self.bindable),
            ("SCRAM-SHA-256", self.scram),
            ("SCRAM-SHA-1", self.scram),
            ("OAUTHBEARER", self.tokens),
            ("XOAUTH2", self.tokens),
            ("PLAIN", true),
            ("LOGIN", true),
        ];
        all.into_iter().filter(move |(_, offered)| self.passwords && *offered).map(|(name, _)| name)
    }
}

/// What a client that has logged in is offered: by the settings, and by what its account may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    /// The largest message that APPEND takes, in octets.
    pub(crate) append_octets_max: u64,
    /// How many messages one command works on.
    pub(crate) message_limit: MessageLimit,
    /// UNAUTHENTICATE is not switched off (RFC 8437 §8).
    pub(crate) unauthenticate: bool,
    /// The account may set quotas: there is SETQUOTA for it (RFC 9208 §3.1).
    pub(crate) sets_quotas: bool,
}

/// The capabilities of this moment.
pub(crate) fn capabilities(state: StateKind, safety: Safety, offer: Offer) -> Vec<String> {
    let mut names: Vec<String> = ALWAYS.map(str::to_owned).to_vec();
    if state == StateKind::NotAuthenticated {
        if !safety.tls && safety.starttls {
            names.push("STARTTLS".to_owned());
        }
        names.extend(safety.mechanisms().map(|mechanism| format!("AUTH={mechanism}")));
        if !safety.passwords {
            names.push("LOGINDISABLED".to_owned());
        }
        return names;
    }
    names.extend(LOGGED_IN.iter().filter_map(|name| match *name {
        // RFC 7889 §2
        "APPENDLIMIT" => Some(format!("APPENDLIMIT={}", offer.append_octets_max)),
        "UNAUTHENTICATE" if !offer.unauthenticate => None,
        "QUOTASET" if !offer.sets_quotas => None,
        name => Some(name.to_owned()),
    }));
    names.extend(offer.message_limit.capability());
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: Offer = Offer {
        append_octets_max: 1,
        message_limit: MessageLimit::Unlimited,
        unauthenticate: true,
        sets_quotas: false,
    };

    #[test]
    fn what_an_account_or_the_settings_do_not_allow_is_not_offered() {
        let safe = Safety {
            tls: true,
            starttls: true,
            passwords: true,
            scram: false,
            tokens: false,
            bindable: false,
            certified: false,
        };
        let offers =
            |offer: Offer, name: &str| capabilities(StateKind::Authenticated, safe, offer).iter().any(|n| n == name);
        assert!(offers(OFFER, "UNAUTHENTICATE") && offers(OFFER, "QUOTA") && !offers(OFFER, "QUOTASET"));
        assert!(offers(Offer { sets_quotas: true, ..OFFER }, "QUOTASET"));
        assert!(!offers(Offer { unauthenticate: false, ..OFFER }, "UNAUTHENTICATE"));
    }

    #[test]
    fn passwords_are_offered_under_tls_only() {
        let nothing = Safety {
            tls: false,
            starttls: true,
            passwords: false,
            scram: true,
            tokens: true,
            bindable: false,
            certified: false,
        };
        let clear = nothing;
        let names = capabilities(StateKind::NotAuthenticated, clear, OFFER);
        assert!(names.iter().any(|n| n == "LOGINDISABLED") && names.iter().any(|n| n == "STARTTLS"));
        assert!(!names.iter().any(|n| n.starts_with("AUTH=")));
        let safe = Safety { tls: true, passwords: true, ..nothing };
        let names = capabilities(StateKind::NotAuthenticated, safe, OFFER);
        assert!(names.iter().any(|n| n == "AUTH=PLAIN"));
        assert!(!names.iter().any(|n| n == "STARTTLS" || n == "LOGINDISABLED"));
        assert!(names.iter().any(|n| n == "AUTH=SCRAM-SHA-256") && !names.iter().any(|n| n.ends_with("-PLUS")));
        assert!(names.iter().any(|n| n == "AUTH=OAUTHBEARER") && names.iter().any(|n| n == "AUTH=XOAUTH2"));
        let bound = Safety { bindable: true, certified: true, ..safe };
        let mechanisms: Vec<_> = bound.mechanisms().collect();
        assert!(mechanisms.contains(&"SCRAM-SHA-1-PLUS") && mechanisms.first() == Some(&"EXTERNAL"));
        let offer = Offer { append_octets_max: 77, message_limit: MessageLimit::Saves(1_000), ..OFFER };
        let names = capabilities(StateKind::Selected, safe, offer);
        assert!(names.iter().any(|n| n == "SAVELIMIT=1000"));
        assert!(names.iter().any(|n| n == "APPENDLIMIT=77") && !names.iter().any(|n| n.starts_with("AUTH=")));
    }
}
