//! The links of a text: which hosts they lead to, and what they show instead.

use message::strip_html;

/// Where a link leads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    /// The host, in lower case.
    pub(crate) host: String,
    /// Something stands before it with an `@`, which people take for the host.
    pub(crate) disguised: bool,
}

impl Link {
    /// Whether it leads to a number instead of a name.
    pub(crate) fn is_address(&self) -> bool {
        self.host.starts_with('[') || self.host.bytes().all(|octet| octet.is_ascii_digit() || octet == b'.')
    }
}

/// The links of a text, or of an HTML document, at the most so many.
pub(crate) fn links_in(text: &str, most: usize) -> Vec<Link> {
    let mut links = Vec::new();
    for (at, _) in text.match_indices("://") {
        let before = text.get(..at).unwrap_or_default().as_bytes();
        let scheme = |name: &[u8]| {
            before.len() >= name.len()
                && before.get(before.len() - name.len()..).is_some_and(|end| end.eq_ignore_ascii_case(name))
        };
        if !scheme(b"http") && !scheme(b"https") {
            continue;
        }
        if let Some(link) = authority(text.get(at.saturating_add(3)..).unwrap_or_default()) {
            links.push(link);
            if links.len() >= most {
                break;
            }
        }
    }
    links
}

/// What stands behind `://`.
fn authority(text: &str) -> Option<Link> {
    let ends = |c: char| c.is_whitespace() || "/?#\"'<>()\\".contains(c);
    let near = text.get(..text.floor_char_boundary(AUTHORITY_OCTETS_MAX)).unwrap_or_default();
    let whole = near.split(ends).next().unwrap_or_default();
    let (user, host) = whole.rsplit_once('@').map_or((None, whole), |(user, host)| (Some(user), host));
    let host = host_of(host)?;
    // `user:password@` is odd, a host there is a lie.
    Some(Link { host, disguised: user.is_some_and(|user| user.contains('.')) })
}

/// A host without its port, when it is one.
fn host_of(text: &str) -> Option<String> {
    if let Some(end) = text.find(']').filter(|_| text.starts_with('[')) {
        let inside = text.get(1..end).unwrap_or_default();
        let address = inside.bytes().all(|octet| octet.is_ascii_hexdigit() || matches!(octet, b':' | b'.'));
        return (address && !inside.is_empty()).then(|| format!("[{}]", inside.to_ascii_lowercase()));
    }
    let host = text.split(':').next().unwrap_or_default().trim_matches('.');
    let fine = |c: char| c.is_alphanumeric() || c == '-' || c == '.';
    (host.contains('.') && host.len() <= 253 && host.chars().all(fine)).then(|| host.to_lowercase())
}

/// The first link of an HTML document that shows one host and leads to another: what it shows, where it leads.
pub(crate) fn lie_in(html: &str) -> Option<(String, String)> {
    let mut rest = html;
    for _ in 0..ANCHORS_MAX {
        let at = find_ignoring_case(rest, "<a")?;
        rest = rest.get(at.saturating_add(2)..)?;
        if !rest.starts_with(|c: char| c.is_ascii_whitespace()) {
            continue;
        }
        let end = rest.find('>')?;
        let (tag, behind) = (rest.get(..end)?, rest.get(end.saturating_add(1)..)?);
        rest = behind;
        let Some(link) = links_in(tag, 1).into_iter().next() else { continue };
        let near = behind.get(..behind.floor_char_boundary(SHOWN_OCTETS_MAX)).unwrap_or_default();
        let inner = near.get(..find_ignoring_case(near, "</a").unwrap_or(near.len())).unwrap_or_default();
        let Some(shown) = shown_host(strip_html(inner).trim()) else { continue };
        if organisation(&shown) != organisation(&link.host) {
            return Some((shown, link.host));
        }
    }
    None
}

/// The host that a text shows: the text is an address of a page, and nothing else.
fn shown_host(text: &str) -> Option<String> {
    if text.contains(char::is_whitespace) || text.contains('@') {
        return None;
    }
    let bare = text.split_once("://").map_or(text, |(_, rest)| rest);
    let host = host_of(bare.split(['/', '?', '#']).next().unwrap_or_default())?;
    let top = host.rsplit('.').next().unwrap_or_default();
    // `report.pdf` is no host; a name that begins as addresses do is one, and so is what has a scheme.
    let is_address = text.contains("://") || host.starts_with("www.");
    (is_address && top.chars().count() >= 2 && top.chars().all(char::is_alphabetic)).then_some(host)
}

/// The last two labels of a host, or three when the last but one is short (`co.uk`): who it belongs to, nearly.
pub(crate) fn organisation(host: &str) -> &str {
    let mut dots = host.rmatch_indices('.').map(|(at, _)| at);
    let (Some(last), Some(second)) = (dots.next(), dots.next()) else { return host };
    let short = last.saturating_sub(second) <= 4;
    let cut = if short { dots.next() } else { Some(second) };
    cut.and_then(|cut| host.get(cut.saturating_add(1)..)).unwrap_or(host)
}

/// An ASCII text in another, in any case.
fn find_ignoring_case(text: &str, wanted: &str) -> Option<usize> {
    text.as_bytes().windows(wanted.len()).position(|window| window.eq_ignore_ascii_case(wanted.as_bytes()))
}

const AUTHORITY_OCTETS_MAX: usize = 300;
const ANCHORS_MAX: usize = 200;
const SHOWN_OCTETS_MAX: usize = 500;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_found_in_text_and_html() {
        let text = "See HTTP://Shop.Example:8080/x, (https://b\u{fc}cher.example) ftp://no.example \
                    <a href='https://www.bank.example@evil.example/'> http://localhost/ http://192.0.2.1/a http://[2001:db8::1]/";
        let hosts: Vec<(String, bool)> =
            links_in(text, 99).into_iter().map(|link| (link.host, link.disguised)).collect();
        let expected = [
            ("shop.example", false),
            ("b\u{fc}cher.example", false),
            ("evil.example", true),
            ("192.0.2.1", false),
            ("[2001:db8::1]", false),
        ];
        assert_eq!(hosts, expected.map(|(host, disguised)| (host.to_owned(), disguised)));
        assert!(links_in("http://192.0.2.1/a", 1)[0].is_address() && !links_in("http://a1.example", 1)[0].is_address());
        assert_eq!(links_in(&"http://a.example ".repeat(50), 7).len(), 7);
    }

    #[test]
    fn a_link_that_shows_another_host_is_a_lie() {
        for (html, lie) in [
            (
                "<a href=\"http://evil.example/x\">https://www.bank.example/login</a>",
                Some(("www.bank.example", "evil.example")),
            ),
            (
                "<A class=x HREF='http://evil.example/x'><b>www.bank.example</b></A>",
                Some(("www.bank.example", "evil.example")),
            ),
            ("<a href=\"http://login.bank.example/x\">www.bank.example</a>", None),
            ("<a href=\"http://a.shop.co.uk/x\">www.shop.co.uk</a>", None),
            ("<a href=\"http://a.one.co.uk/x\">www.two.co.uk</a>", Some(("www.two.co.uk", "a.one.co.uk"))),
            ("<a href=\"http://evil.example/x\">our bank</a>", None),
            ("<a href=\"http://files.example/x\">report.pdf</a>", None),
            ("<a href=\"http://evil.example/\">a@www.bank.example</a>", None),
            ("<abbr>www.bank.example</abbr><a href=", None),
            ("<a href=\"mailto:x@y.example\">www.bank.example</a>", None),
        ] {
            let expected = lie.map(|(shown, real)| (shown.to_owned(), real.to_owned()));
            assert_eq!(lie_in(html), expected, "{html}");
        }
    }
}
