//! IMAP URLs (RFC 5092), absolute and relative, with what URLAUTH adds to them (RFC 4467).
//!
//! Only URLs of messages and their parts are understood: those that CATENATE, URLFETCH and GENURLAUTH take. Pure: whether the
//! server, the user and the message exist is for others to say.
//! Invariant: [`ImapUrl::parse`] takes every octet of the URL into account, or refuses it.

use mail::Timestamp;

use crate::grammar;
use crate::mailbox_name::MailboxName;
use crate::section::{Partial, Section};

/// The longest URL that is looked at, in octets; RFC 5092 sets no figure.
pub const URL_OCTETS_MAX: usize = 4_096;

/// The URL of a message, or of a part of one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImapUrl {
    /// `imap://user@host:port`; without it, this server and whoever is logged in.
    pub server: Option<UrlServer>,
    /// The mailbox; without it, the selected one.
    pub mailbox: Option<MailboxName>,
    /// Of the mailbox: the URL means nothing when it has another one.
    pub uid_validity: Option<u32>,
    /// The message.
    pub uid: u32,
    /// What of it; the whole message when empty.
    pub section: Section,
    /// Which octets of that (RFC 5550 §4, URL-PARTIAL); a length of [`u64::MAX`] goes to the end.
    pub partial: Option<Partial>,
    /// Who may have it without logging in as its owner (RFC 4467).
    pub auth: Option<UrlAuth>,
}

/// Where a URL leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlServer {
    /// Whose mailboxes are meant.
    pub user: Option<String>,
    /// How to log in: a SASL mechanism or `*`.
    pub auth: Option<String>,
    /// A name or an address.
    pub host: String,
    /// 143 unless it is said.
    pub port: Option<u16>,
}

/// What follows `;EXPIRE=` and `;URLAUTH=` (RFC 4467 §4).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UrlAuth {
    /// Until when it is good.
    pub expires: Option<Timestamp>,
    /// For whom.
    pub access: Access,
    /// How many octets of the URL the token vouches for: all before its `:mechanism:token`.
    pub rump_octets: usize,
    /// The mechanism in capitals and the token, once it has them.
    pub token: Option<(String, String)>,
}

/// Who may use an authorised URL (RFC 4467 §3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// `submit+user`: a submission server, on behalf of that user.
    Submit(String),
    /// `user+user`: that user alone.
    User(String),
    /// `authuser`: whoever has logged in.
    AuthUser,
    /// `anonymous`: anybody.
    Anonymous,
}

impl ImapUrl {
    /// Reads a URL; `None` when it is none, or one of something else than a message.
    #[must_use]
    pub fn parse(url: &[u8]) -> Option<Self> {
        let text = str::from_utf8(url).ok().filter(|text| text.len() <= URL_OCTETS_MAX)?;
        // RFC 3986 §2: everything else is percent-encoded.
        if !text.bytes().all(|b| matches!(b, b'!'..=b'~') && !matches!(b, b'"' | b'<' | b'>' | b'\\' | b'^' | b'`')) {
            return None;
        }
        let (server, path) = match strip(text, "imap://") {
            Some(rest) => {
                let (authority, path) = rest.split_at(rest.find('/')?);
                (Some(server(authority)?), path)
            }
            None => (None, text),
        };
        let (path, auth) = auth(path, text.len())?;
        let at = find(path, ";UID=")?;
        let (before, message) = path.split_at_checked(at)?;
        let (mailbox, uid_validity) = mailbox(before, server.is_some())?;
        let message = strip(message, ";UID=")?;
        // The parts are told apart by their names; a slash between them is customary, and not always there.
        let (message, partial) = match find(message, ";PARTIAL=") {
            Some(at) => (message.get(..at)?, Some(partial(message.get(at + ";PARTIAL=".len()..)?)?)),
            None => (message, None),
        };
        let (uid, section) = match find(message, ";SECTION=") {
            Some(at) => (message.get(..at)?, section(message.get(at + ";SECTION=".len()..)?)?),
            None => (message, Section::default()),
        };
        let uid = number(uid.strip_suffix('/').unwrap_or(uid))?;
        Some(Self { server, mailbox, uid_validity, uid, section, partial, auth })
    }
}

/// `[user][;AUTH=type]@host[:port]`
fn server(authority: &str) -> Option<UrlServer> {
    let (user, host) = match authority.rsplit_once('@') {
        Some((user, host)) => (Some(user), host),
        None => (None, authority),
    };
    let (user, auth) = match user.map(|user| (user, find(user, ";AUTH="))) {
        None => (None, None),
        Some((user, None)) => (Some(user), None),
        Some((user, Some(at))) => (user.get(..at), user.get(at + ";AUTH=".len()..)),
    };
    let (host, port) = match host.rsplit_once(':') {
        // An address in brackets has colons of its own.
        Some((name, port)) if !port.ends_with(']') => (name, Some(port.parse().ok()?)),
        _ => (host, None),
    };
    if host.is_empty() {
        return None;
    }
    let decoded =
        |text: Option<&str>| text.filter(|text| !text.is_empty()).map(decode_text).map_or(Some(None), |t| t.map(Some));
    Some(UrlServer { user: decoded(user)?, auth: decoded(auth)?, host: decode_text(host)?, port })
}

/// `[/]mailbox[;UIDVALIDITY=n]/`, or nothing for the selected one.
fn mailbox(before: &str, absolute: bool) -> Option<(Option<MailboxName>, Option<u32>)> {
    let path = match before.strip_prefix('/') {
        Some(path) => path,
        None if absolute => return None,
        None => before,
    };
    if path.is_empty() {
        return (before.is_empty() && !absolute).then_some((None, None));
    }
    let path = path.strip_suffix('/')?;
    let (name, validity) = match find(path, ";UIDVALIDITY=") {
        Some(at) => (path.get(..at)?, Some(number(path.get(at + ";UIDVALIDITY=".len()..)?)?)),
        None => (path, None),
    };
    // RFC 3986 §4.2: a colon in the first segment ends a scheme, two slashes begin the name of a server.
    let scheme = !before.starts_with('/') && name.split('/').next().is_some_and(|first| first.contains(':'));
    if scheme || name.starts_with('/') || name.contains([';', '?']) {
        return None;
    }
    Some((Some(MailboxName::new(&decode_text(name)?).ok()?), validity))
}

fn section(text: &str) -> Option<Section> {
    let text = text.strip_suffix('/').unwrap_or(text);
    grammar::whole_section(&decode(text)?)
}

/// `start[.length]`
fn partial(text: &str) -> Option<Partial> {
    let (start, length) = match text.split_once('.') {
        Some((start, length)) => (start, number(length)?.into()),
        None => (text, u64::MAX),
    };
    let digits = !start.is_empty() && start.bytes().all(|b| b.is_ascii_digit());
    Some(Partial { start: start.parse().ok().filter(|_| digits)?, length })
}

/// Cuts `[;EXPIRE=date-time];URLAUTH=access[:mechanism:token]` from the end of a URL of so many octets.
fn auth(path: &str, octets: usize) -> Option<(&str, Option<UrlAuth>)> {
    let Some(at) = find(path, ";URLAUTH=") else { return Some((path, None)) };
    let (before, rest) = (path.get(..at)?, path.get(at + ";URLAUTH=".len()..)?);
    let (before, expires) = match find(before, ";EXPIRE=") {
        Some(at) => (before.get(..at)?, Some(date_time(before.get(at + ";EXPIRE=".len()..)?)?)),
        None => (before, None),
    };
    let mut pieces = rest.split(':');
    let access = pieces.next()?;
    let token = match (pieces.next(), pieces.next(), pieces.next()) {
        (None, ..) => None,
        (Some(mechanism), Some(token), None) if !mechanism.is_empty() => {
            let hex = token.len() >= 32 && token.bytes().all(|b| b.is_ascii_hexdigit());
            Some((mechanism.to_ascii_uppercase(), token.to_owned())).filter(|_| hex)
        }
        _ => return None,
    };
    if token.is_none() && rest.contains(':') {
        return None;
    }
    let rump_octets = octets.checked_sub(rest.len())?.checked_add(access.len())?;
    let user = |text: &str| decode_text(text).filter(|user| !user.is_empty());
    let access = match (strip(access, "submit+"), strip(access, "user+")) {
        (Some(name), _) => Access::Submit(user(name)?),
        (None, Some(name)) => Access::User(user(name)?),
        (None, None) if access.eq_ignore_ascii_case("authuser") => Access::AuthUser,
        (None, None) if access.eq_ignore_ascii_case("anonymous") => Access::Anonymous,
        (None, None) => return None,
    };
    let auth = UrlAuth { expires, access, rump_octets, token };
    Some((before.strip_suffix('/').unwrap_or(before), Some(auth)))
}

/// `date-time` of RFC 3339, in UTC or with an offset.
fn date_time(text: &str) -> Option<Timestamp> {
    let digits = |range: std::ops::Range<usize>| {
        let digits = text.get(range)?;
        digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse::<u32>().ok()).flatten()
    };
    let mark = |at: usize| text.as_bytes().get(at).map(u8::to_ascii_uppercase);
    if [mark(4), mark(7), mark(10), mark(13), mark(16)] != [b'-', b'-', b'T', b':', b':'].map(Some) {
        return None;
    }
    let year = u16::try_from(digits(0..4)?).ok()?;
    let (month, day) = (u8::try_from(digits(5..7)?).ok()?, u8::try_from(digits(8..10)?).ok()?);
    let date = crate::date::Date::new(year, month, day)?;
    let (hour, minute, second) = (digits(11..13)?, digits(14..16)?, digits(17..19)?);
    if hour > 23 || minute > 59 || second > 60 {
        return None;
    }
    let mut at = 19;
    if mark(at) == Some(b'.') {
        let fraction = text.get(20..)?.bytes().take_while(u8::is_ascii_digit).count();
        at = Some(20 + fraction).filter(|_| fraction > 0)?;
    }
    let offset_mins = match (mark(at)?, text.len() - at) {
        (b'Z', 1) => 0,
        (sign @ (b'+' | b'-'), 6) if mark(at + 3) == Some(b':') => {
            let minutes = i64::from(digits(at + 1..at + 3)? * 60 + digits(at + 4..at + 6)?);
            if sign == b'-' { -minutes } else { minutes }
        }
        _ => return None,
    };
    let secs = date.days_since_epoch() * 86_400 + i64::from(hour * 3_600 + minute * 60 + second) - offset_mins * 60;
    Some(Timestamp(secs.checked_mul(1_000)?))
}

/// Where a word begins, in any case.
fn find(text: &str, word: &str) -> Option<usize> {
    text.as_bytes().windows(word.len()).position(|window| window.eq_ignore_ascii_case(word.as_bytes()))
}

fn strip<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    let (head, rest) = text.split_at_checked(prefix.len())?;
    head.eq_ignore_ascii_case(prefix).then_some(rest)
}

/// `nz-number`
fn number(text: &str) -> Option<u32> {
    let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|number| digits && *number > 0)
}

/// Text without its percent-encoding (RFC 3986 §2.1).
fn decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&first, tail)) = rest.split_first() {
        if first != b'%' {
            bytes.push(first);
            rest = tail;
            continue;
        }
        let (hex, tail) = tail.split_at_checked(2)?;
        let digit = |b: &u8| char::from(*b).to_digit(16);
        let value = hex.iter().try_fold(0, |value, b| Some(value << 4 | digit(b)?))?;
        bytes.push(u8::try_from(value).ok()?);
        rest = tail;
    }
    Some(bytes)
}

fn decode_text(text: &str) -> Option<String> {
    String::from_utf8(decode(text)?).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::section::SectionText;

    fn parse(url: &str) -> ImapUrl {
        ImapUrl::parse(url.as_bytes()).unwrap_or_else(|| panic!("{url}"))
    }

    fn name(url: &ImapUrl) -> Option<&str> {
        url.mailbox.as_ref().map(MailboxName::as_str)
    }

    /// RFC 4469, appendix A; RFC 5092 §4.
    #[test]
    fn relative_urls() {
        let url = parse("/Drafts;UIDVALIDITY=385759045/;UID=20/;section=1.MIME");
        assert_eq!((url.server.is_none(), name(&url), url.uid_validity), (true, Some("Drafts"), Some(385_759_045)));
        assert_eq!((url.uid, &url.section), (20, &Section { part: vec![1], text: Some(SectionText::Mime) }));
        assert_eq!((url.partial, url.auth.is_none()), (None, true));
        let url = parse("/INBOX/a%20%C3%A9/;UID=30");
        assert_eq!((name(&url), url.uid, url.section.clone()), (Some("INBOX/a \u{e9}"), 30, Section::default()));
        let url = parse(";UID=7/;SECTION=HEADER.FIELDS%20(TO%20FROM)");
        assert!(
            url.mailbox.is_none()
                && matches!(url.section.text, Some(SectionText::HeaderFields(names)) if names.len() == 2)
        );
        assert_eq!(name(&parse("Drafts/;UID=20")), Some("Drafts"));
    }

    /// RFC 5092 §6.1, §9; RFC 4467 §3.
    #[test]
    fn absolute_urls() {
        let url =
            parse("imap://michael@example.org/INBOX;UIDVALIDITY=785799047/;UID=113330/;section=1.5.9/;PARTIAL=8.4000");
        let server = url.server.unwrap();
        assert_eq!((server.user.as_deref(), server.host.as_str(), server.port), (Some("michael"), "example.org", None));
        assert_eq!((url.section.part, url.partial), (vec![1, 5, 9], Some(Partial { start: 8, length: 4_000 })));
        assert_eq!(parse("imap://h/x/;UID=1/;PARTIAL=9").partial, Some(Partial { start: 9, length: u64::MAX }));
        let server = parse("IMAP://a%40b;AUTH=*@[::1]:1143/x/;UID=1").server.unwrap();
        let UrlServer { user, auth, host, port } = server;
        assert_eq!(
            (user.as_deref(), auth.as_deref(), host.as_str(), port),
            (Some("a@b"), Some("*"), "[::1]", Some(1143))
        );
        let token = "91354a473744909de610943775f92038";
        let text = format!(
            "imap://joe@example.com/INBOX/;uid=20/;section=1.2;expire=2026-11-28T19:00:00.5+01:00;urlauth=submit+fred:internal:{token}"
        );
        let auth = parse(&text).auth.unwrap();
        assert_eq!(auth.access, Access::Submit("fred".to_owned()));
        assert_eq!(auth.token, Some(("INTERNAL".to_owned(), token.to_owned())));
        assert!(text[..auth.rump_octets].ends_with(";urlauth=submit+fred"));
        assert_eq!(auth.expires, Some(Timestamp(1_795_888_800_000)));
        assert_eq!(parse("imap://j@h/x/;UID=1/;URLAUTH=anonymous").auth.unwrap().access, Access::Anonymous);
        assert_eq!(parse("imap://j@h/x/;UID=1;URLAUTH=authuser").auth.unwrap().access, Access::AuthUser);
    }

    #[test]
    fn what_is_no_url_of_a_message() {
        for bad in [
            "",
            "/",
            "imap://",
            "imap://h",
            "imap://h/x",
            "imap://h/x/",
            "imap://h/;UID=1",
            "/;UID=1",
            "http://h/x/;UID=1",
            "//h/x/;UID=1",
            "/x/;UID=0",
            "/x/;UID=",
            "/x/;UID=a",
            "/x/;UID=4294967296",
            "/x/;UID=+1",
            "/x;UIDVALIDITY=0/;UID=1",
            "/x;UID=1",
            "/x/;UID=1/;SECTION=9.",
            "/x/;UID=1/;SECTION=FOO",
            "/x/;UID=1/;PARTIAL=",
            "/x/;UID=1/;PARTIAL=1.0",
            "/x y/;UID=1",
            "/%ff/;UID=1",
            "/%0/;UID=1",
            "/%00/;UID=1",
            "/x;TYPE=LIST/;UID=1",
            "/x/;UID=1;URLAUTH=",
            "/x/;UID=1;URLAUTH=foo",
            "/x/;UID=1;URLAUTH=user+",
            "/x/;UID=1;URLAUTH=anonymous:INTERNAL",
            "/x/;UID=1;URLAUTH=anonymous:INTERNAL:12",
            "/x/;UID=1;URLAUTH=anonymous:INTERNAL:12:12",
            "/x/;UID=1;EXPIRE=now;URLAUTH=anonymous",
            "imap://u@/x/;UID=1",
            "imap://h:99999/x/;UID=1",
            "/x/;UID=1;EXPIRE=2026-02-30T00:00:00Z;URLAUTH=anonymous",
            "/é/;UID=1",
        ] {
            assert_eq!(ImapUrl::parse(bad.as_bytes()), None, "{bad}");
        }
        assert_eq!(ImapUrl::parse(format!("/{}/;UID=1", "x".repeat(URL_OCTETS_MAX)).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn no_text_panics(pieces in prop::collection::vec(prop::sample::select(vec![
            "imap://", "u", "@", "h", ":", "1", "/", "x", ";UID=", ";UIDVALIDITY=", ";SECTION=", "1.2", "HEADER", ";PARTIAL=", ".",
            ";EXPIRE=", "2026-11-28T19:00:00Z", ";URLAUTH=", "anonymous", "user+", ":INTERNAL:", "%", "%20", "?", "é", "\0",
        ]), 0..16)) {
            drop(ImapUrl::parse(pieces.concat().as_bytes()));
        }
    }
}
