//! What a domain publishes (RFC 7208 §4.5, §4.6, §12), read strictly.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use super::super::results::Outcome;
use super::macros::{MacroString, Place};

/// A record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Record {
    pub(super) directives: Vec<Directive>,
    pub(super) redirect: Option<MacroString>,
    pub(super) explanation: Option<MacroString>,
}

impl Record {
    /// Every name in it.
    pub(super) fn names(&self) -> impl Iterator<Item = &MacroString> {
        self.directives.iter().filter_map(Directive::name).chain(&self.redirect).chain(&self.explanation)
    }
}

impl Directive {
    /// Whether a client that passes by it may be any: it names no addresses, or other ones for each client.
    pub(super) fn names_no_addresses(&self) -> bool {
        match &self.mechanism {
            Mechanism::All | Mechanism::Ptr(_) | Mechanism::Exists(_) => true,
            Mechanism::Include(name) => name.is_of_client(),
            Mechanism::A(name, _) | Mechanism::Mx(name, _) => name.as_ref().is_some_and(MacroString::is_of_client),
            Mechanism::Ip(..) => false,
        }
    }

    fn name(&self) -> Option<&MacroString> {
        match &self.mechanism {
            Mechanism::Include(name) | Mechanism::Exists(name) => Some(name),
            Mechanism::A(name, _) | Mechanism::Mx(name, _) | Mechanism::Ptr(name) => name.as_ref(),
            Mechanism::All | Mechanism::Ip(..) => None,
        }
    }
}

/// What follows when a mechanism matches.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Directive {
    pub(super) outcome: Outcome,
    pub(super) mechanism: Mechanism,
}

/// §5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Mechanism {
    All,
    Include(MacroString),
    A(Option<MacroString>, Prefixes),
    Mx(Option<MacroString>, Prefixes),
    Ptr(Option<MacroString>),
    Ip(IpAddr, u8),
    Exists(MacroString),
}

/// `dual-cidr-length`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Prefixes {
    pub(super) v4: u8,
    pub(super) v6: u8,
}

impl Prefixes {
    /// The length for addresses of this family.
    pub(super) const fn of(self, ip: IpAddr) -> u8 {
        if ip.is_ipv4() { self.v4 } else { self.v6 }
    }
}

/// The domain's mistake (`permerror`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mistake;

/// The record among the texts of a name; `None`: there is none.
pub(super) fn among(texts: &[Vec<u8>]) -> Result<Option<Record>, Mistake> {
    let mut records = texts.iter().filter(|text| {
        let version = text.split(|octet| *octet == b' ').next().unwrap_or_default();
        version.eq_ignore_ascii_case(b"v=spf1")
    });
    let Some(record) = records.next() else { return Ok(None) };
    if records.next().is_some() {
        return Err(Mistake);
    }
    let text = std::str::from_utf8(record).map_err(|_| Mistake)?;
    read(text).map(Some)
}

fn read(text: &str) -> Result<Record, Mistake> {
    let mut record = Record::default();
    for term in text.split(' ').skip(1).filter(|term| !term.is_empty()) {
        match modifier(term) {
            Some((name, value)) if name.eq_ignore_ascii_case("redirect") => {
                let domain = MacroString::read_domain(value).ok_or(Mistake)?;
                if record.redirect.replace(domain).is_some() {
                    return Err(Mistake);
                }
            }
            Some((name, value)) if name.eq_ignore_ascii_case("exp") => {
                let domain = MacroString::read_domain(value).ok_or(Mistake)?;
                if record.explanation.replace(domain).is_some() {
                    return Err(Mistake);
                }
            }
            // §6: unknown ones are ignored, as long as they are well formed.
            Some((_, value)) => drop(MacroString::read(value, Place::Record).ok_or(Mistake)?),
            None => record.directives.push(directive(term)?),
        }
    }
    Ok(record)
}

/// `name = ALPHA *( ALPHA / DIGIT / "-" / "_" / "." )`.
fn modifier(term: &str) -> Option<(&str, &str)> {
    let (name, value) = term.split_once('=')?;
    let good = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (name.starts_with(|c: char| c.is_ascii_alphabetic()) && name.chars().all(good)).then_some((name, value))
}

fn directive(term: &str) -> Result<Directive, Mistake> {
    let (outcome, rest) = match term.chars().next() {
        Some('+') => (Outcome::Pass, term.get(1..)),
        Some('-') => (Outcome::Fail, term.get(1..)),
        Some('~') => (Outcome::SoftFail, term.get(1..)),
        Some('?') => (Outcome::Neutral, term.get(1..)),
        _ => (Outcome::Pass, Some(term)),
    };
    Ok(Directive { outcome, mechanism: mechanism(rest.ok_or(Mistake)?)? })
}

fn mechanism(text: &str) -> Result<Mechanism, Mistake> {
    let end = text.find([':', '/']).unwrap_or(text.len());
    let (name, arguments) = text.split_at_checked(end).ok_or(Mistake)?;
    let behind_colon = arguments.strip_prefix(':');
    let domain = |text: &str| MacroString::read_domain(text).ok_or(Mistake);
    match name.to_ascii_lowercase().as_str() {
        "all" if arguments.is_empty() => Ok(Mechanism::All),
        "include" => Ok(Mechanism::Include(domain(behind_colon.ok_or(Mistake)?)?)),
        "exists" => Ok(Mechanism::Exists(domain(behind_colon.ok_or(Mistake)?)?)),
        "ptr" if arguments.is_empty() => Ok(Mechanism::Ptr(None)),
        "ptr" => Ok(Mechanism::Ptr(Some(domain(behind_colon.ok_or(Mistake)?)?))),
        kind @ ("a" | "mx") => {
            let (target, prefixes) = prefixes(arguments)?;
            let target = match target {
                "" => None,
                target => Some(domain(target.strip_prefix(':').ok_or(Mistake)?)?),
            };
            Ok(if kind == "a" { Mechanism::A(target, prefixes) } else { Mechanism::Mx(target, prefixes) })
        }
        kind @ ("ip4" | "ip6") => {
            let network = behind_colon.ok_or(Mistake)?;
            let (ip, prefix) = match network.split_once('/') {
                Some((ip, prefix)) => (ip, Some(prefix)),
                None => (network, None),
            };
            let (ip, most): (IpAddr, u8) = if kind == "ip4" {
                (ip.parse::<Ipv4Addr>().map_err(|_| Mistake)?.into(), 32)
            } else {
                (ip.parse::<Ipv6Addr>().map_err(|_| Mistake)?.into(), 128)
            };
            let prefix = prefix.map_or(Ok(most), |prefix| number(prefix, most))?;
            Ok(Mechanism::Ip(ip, prefix))
        }
        _ => Err(Mistake),
    }
}

/// Cuts a `dual-cidr-length` off.
fn prefixes(arguments: &str) -> Result<(&str, Prefixes), Mistake> {
    let (mut rest, mut v4, mut v6) = (arguments, 32, 128);
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit());
    if let Some((before, prefix)) = rest.rsplit_once("//")
        && digits(prefix)
    {
        v6 = number(prefix, 128)?;
        rest = before;
    }
    if let Some((before, prefix)) = rest.rsplit_once('/')
        && digits(prefix)
        && !before.ends_with('/')
    {
        v4 = number(prefix, 32)?;
        rest = before;
    }
    // A slash that is left over ends nothing that it could be part of.
    if rest.ends_with('/') { Err(Mistake) } else { Ok((rest, Prefixes { v4, v6 })) }
}

/// A number without needless zeros, up to the most.
fn number(text: &str, most: u8) -> Result<u8, Mistake> {
    let plain = text == "0" || !text.starts_with('0');
    let number = text.bytes().all(|octet| octet.is_ascii_digit()).then(|| text.parse::<u8>().ok()).flatten();
    number.filter(|number| plain && *number <= most).ok_or(Mistake)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_are_read_strictly() {
        for right in [
            "v=spf1",
            "V=SPF1  +all ",
            "v=spf1 a mx/24 a:x.example/24//64 a//64 mx:x.example ptr ptr:x.example -ALL",
            "v=spf1 ip4:192.0.2.0/24 ip6:2001:db8::/32 ip6:::1 exists:%{i}.x.example ?include:x.example",
            "v=spf1 redirect=x.example unknown=%{d} x-y_z.1=",
            "v=spf1 exp=x.example -all",
        ] {
            assert!(among(&[right.as_bytes().to_vec()]).is_ok_and(|record| record.is_some()), "{right}");
        }
        for wrong in [
            "v=spf1 foo",
            "v=spf1 all:x",
            "v=spf1 all/8",
            "v=spf1 a/33",
            "v=spf1 a/032",
            "v=spf1 a//129",
            "v=spf1 a/",
            "v=spf1 a:",
            "v=spf1 a:x",
            "v=spf1 a:/24",
            "v=spf1 include",
            "v=spf1 include:",
            "v=spf1 exists",
            "v=spf1 ip4:1.2.3",
            "v=spf1 ip4:1.2.3.4/33",
            "v=spf1 ip4",
            "v=spf1 ip6:1.2.3.4",
            "v=spf1 ptr:",
            "v=spf1 ptr/24",
            "v=spf1 redirect=x.example redirect=y.example",
            "v=spf1 exp=x",
            "v=spf1 =x.example",
            "v=spf1 1x=y",
            "v=spf1 x=%",
            "v=spf1 +-all",
            "v=spf1 a\tmx",
            "v=spf1 é",
        ] {
            assert_eq!(among(&[wrong.as_bytes().to_vec()]), Err(Mistake), "{wrong}");
        }
        for other in ["v=spf10 all", "spf1", "", "v=spf1; all"] {
            assert_eq!(among(&[other.as_bytes().to_vec()]), Ok(None), "{other}");
        }
        let twice = [b"v=spf1 -all".to_vec(), b"v=spf1 +all".to_vec()];
        assert_eq!(among(&twice), Err(Mistake));
    }
}
