//! Macro strings (RFC 7208 §7): names that are filled in.

use std::net::IpAddr;

use super::super::names::nibbles;

/// A macro string, read.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct MacroString(Vec<Piece>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Literal(String),
    Expand(Expand),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Expand {
    /// In lower case.
    letter: char,
    /// Upper case: the result is escaped for URLs.
    escape: bool,
    /// Parts from the right; `None`: all.
    parts: Option<usize>,
    reverse: bool,
    /// Where the value is split.
    delimiters: String,
}

/// Where a macro string stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// A `domain-spec` or a modifier.
    Record,
    /// The text behind `exp=`: spaces, and the letters `c`, `r`, `t` as well.
    Explanation,
}

/// What macros stand for.
#[derive(Clone, Debug)]
pub(super) struct Values<'v> {
    pub(super) ip: IpAddr,
    pub(super) local: &'v str,
    pub(super) sender_domain: &'v str,
    pub(super) domain: &'v str,
    pub(super) helo: &'v str,
    pub(super) receiver: &'v str,
    /// The validated name of the client, when one is asked for.
    pub(super) client_name: String,
    pub(super) now_secs: i64,
}

impl MacroString {
    /// Reads a macro string; `None` when it is none.
    pub(super) fn read(text: &str, place: Place) -> Option<Self> {
        let mut pieces = Vec::new();
        let mut literal = String::new();
        let mut chars = text.chars();
        while let Some(c) = chars.next() {
            if c != '%' {
                let blank = c == ' ' && place == Place::Explanation;
                if !blank && !matches!(c, '!'..='~') {
                    return None;
                }
                literal.push(c);
                continue;
            }
            match chars.next()? {
                '%' => literal.push('%'),
                '_' => literal.push(' '),
                '-' => literal.push_str("%20"),
                '{' => {
                    let (inside, rest) = chars.as_str().split_once('}')?;
                    chars = rest.chars();
                    if !literal.is_empty() {
                        pieces.push(Piece::Literal(std::mem::take(&mut literal)));
                    }
                    pieces.push(Piece::Expand(Expand::read(inside, place)?));
                }
                _ => return None,
            }
        }
        if !literal.is_empty() {
            pieces.push(Piece::Literal(literal));
        }
        Some(Self(pieces))
    }

    /// Reads a `domain-spec` (§7.1): it ends with a macro, or with a label that is no number.
    pub(super) fn read_domain(text: &str) -> Option<Self> {
        let read = Self::read(text, Place::Record)?;
        match read.0.last()? {
            Piece::Expand(_) => Some(read),
            Piece::Literal(_) => {
                let text = text.strip_suffix('.').unwrap_or(text);
                let (before, label) = text.rsplit_once('.')?;
                // `%{d}.` with nothing behind is no name; nor is a name that begins with its only dot.
                (is_top_label(label) && !before.is_empty()).then_some(read)
            }
        }
    }

    /// Whether the client's name has to be known.
    pub(super) fn asks_for_name(&self) -> bool {
        self.0.iter().any(|piece| matches!(piece, Piece::Expand(expand) if expand.letter == 'p'))
    }

    /// Whether it is another one for each client, or for each message.
    pub(super) fn is_of_client(&self) -> bool {
        // The domain, the sender's domain, and the family of the address are the same for all.
        self.0.iter().any(|piece| matches!(piece, Piece::Expand(expand) if !"dov".contains(expand.letter)))
    }

    /// Fills it in.
    pub(super) fn expand(&self, values: &Values<'_>) -> String {
        let mut out = String::new();
        for piece in &self.0 {
            match piece {
                Piece::Literal(text) => out.push_str(text),
                Piece::Expand(expand) => out.push_str(&expand.value(values)),
            }
        }
        out
    }

    /// Fills in a name; too long a name loses labels on its left (§7.3).
    pub(super) fn expand_name(&self, values: &Values<'_>) -> String {
        let whole = self.expand(values);
        let mut name = whole.as_str();
        while name.len() > NAME_OCTETS_MAX {
            match name.split_once('.') {
                Some((_, rest)) => name = rest,
                None => break,
            }
        }
        name.to_owned()
    }
}

const NAME_OCTETS_MAX: usize = 253;

/// `toplabel`.
fn is_top_label(label: &str) -> bool {
    let alphanumeric = |c: char| c.is_ascii_alphanumeric();
    label.chars().all(|c| alphanumeric(c) || c == '-')
        && label.starts_with(alphanumeric)
        && label.ends_with(alphanumeric)
        && label.chars().any(|c| !c.is_ascii_digit())
}

impl Expand {
    fn read(inside: &str, place: Place) -> Option<Self> {
        let mut chars = inside.chars();
        let written = chars.next()?;
        let letter = written.to_ascii_lowercase();
        let known = match place {
            Place::Record => "slodiphv",
            Place::Explanation => "slodiphvcrt",
        };
        if !known.contains(letter) {
            return None;
        }
        let rest = chars.as_str();
        let digits = rest.len().saturating_sub(rest.trim_start_matches(|c: char| c.is_ascii_digit()).len());
        let (digits, rest) = rest.split_at_checked(digits)?;
        let parts = match digits {
            "" => None,
            digits => match digits.parse::<usize>() {
                Ok(0) => return None,
                Ok(parts) => Some(parts),
                // So many parts there are not: it is all of them.
                Err(_) => None,
            },
        };
        let unreversed = rest.strip_prefix(['r', 'R']);
        let delimiters = unreversed.unwrap_or(rest);
        if !delimiters.chars().all(|c| ".-+,/_=".contains(c)) {
            return None;
        }
        let delimiters = if delimiters.is_empty() { "." } else { delimiters }.to_owned();
        Some(Self { letter, escape: written.is_ascii_uppercase(), parts, reverse: unreversed.is_some(), delimiters })
    }

    fn value(&self, values: &Values<'_>) -> String {
        let plain = match self.letter {
            's' => format!("{}@{}", values.local, values.sender_domain),
            'l' => values.local.to_owned(),
            'o' => values.sender_domain.to_owned(),
            'd' => values.domain.to_owned(),
            'i' => match values.ip {
                IpAddr::V4(ip) => ip.to_string(),
                IpAddr::V6(ip) => nibbles(ip).join("."),
            },
            'p' => values.client_name.clone(),
            'v' => if values.ip.is_ipv4() { "in-addr" } else { "ip6" }.to_owned(),
            'h' => values.helo.to_owned(),
            'c' => values.ip.to_string(),
            'r' => values.receiver.to_owned(),
            _ => values.now_secs.to_string(),
        };
        let mut parts: Vec<&str> = plain.split(|c| self.delimiters.contains(c)).collect();
        if self.reverse {
            parts.reverse();
        }
        let skip = self.parts.map_or(0, |most| parts.len().saturating_sub(most));
        let joined = parts.get(skip..).unwrap_or_default().join(".");
        if self.escape { escaped(&joined) } else { joined }
    }
}

/// RFC 3986 §2.3: all but the unreserved.
fn escaped(text: &str) -> String {
    let mut out = String::new();
    for octet in text.bytes() {
        if octet.is_ascii_alphanumeric() || b"-._~".contains(&octet) {
            out.push(char::from(octet));
        } else {
            out.push_str(&format!("%{octet:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str, ip: &str) -> Option<String> {
        let values = Values {
            ip: ip.parse().unwrap(),
            local: "strong-bad",
            sender_domain: "email.example.com",
            domain: "email.example.com",
            helo: "mx.example.org",
            receiver: "here.example",
            client_name: "mx.example.org".to_owned(),
            now_secs: 7,
        };
        Some(MacroString::read(text, Place::Explanation)?.expand(&values))
    }

    #[test]
    fn the_examples_of_section_7_4() {
        for (text, value) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com"),
            ("%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net"),
            ("a%%b%_c%-d %{S} %{c} %{r} %{t}", "a%b c%20d strong-bad%40email.example.com 192.0.2.3 here.example 7"),
        ] {
            assert_eq!(expanded(text, "192.0.2.3").as_deref(), Some(value), "{text}");
        }
        let v6 = "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com".to_uppercase();
        let found = expanded("%{ir}.%{v}._spf.%{d2}", "2001:db8::cb01").unwrap();
        assert_eq!(found.to_uppercase(), v6);
    }

    #[test]
    fn names_of_each_client_are_told_apart() {
        for (text, of_client) in [
            ("_spf.example", false),
            ("%{d}", false),
            ("%{d2r}.%{v}.%{o}.example", false),
            ("%{i}.example", true),
            ("%{ir}.%{v}._spf.%{d}", true),
            ("%{H}.example", true),
            ("%{l}.%{d}", true),
            ("%{s}.example", true),
            ("%{p}", true),
        ] {
            assert_eq!(MacroString::read_domain(text).map(|read| read.is_of_client()), Some(of_client), "{text}");
        }
    }

    #[test]
    fn what_is_no_macro_string() {
        for wrong in ["%", "%{", "%{d", "%(d)", "%{x}", "%{d0}", "%{d2x}", "%{}", "%{d r}", "é", "a\tb"] {
            assert_eq!(expanded(wrong, "192.0.2.3"), None, "{wrong}");
        }
        for wrong in ["", "example", "example.1", "a.-b", ".com", "%{c}.example.com", "a b.example", "example.com.."] {
            assert_eq!(MacroString::read_domain(wrong), None, "{wrong}");
        }
        for right in ["%{d}", "a.example", "a.example.", "_x.%{d2}", "a:b/c.example", "x.1-2"] {
            assert!(MacroString::read_domain(right).is_some(), "{right}");
        }
    }
}
