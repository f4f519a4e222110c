//! MTA-STS (RFC 8461): the record in the DNS, the policy behind HTTPS, which hosts it names. Pure.

use std::time::Duration;

use mail::Domain;
use storage::mta_sts::{StsMode, StsPolicy};

use crate::limits::STS_PATTERNS_MAX;

/// The longest life of a policy (§3.2: a year).
pub(crate) const MAX_AGE_MAX: Duration = Duration::from_secs(31_557_600);

/// Why a document is no policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    #[error("it is no UTF-8")]
    Octets,
    #[error("it is no policy of version STSv1")]
    Version,
    #[error("its mode is none of enforce, testing, none")]
    Mode,
    #[error("its max_age is missing or no number of seconds up to a year")]
    MaxAge,
    #[error("it names no host, or too many")]
    Hosts,
    #[error("a line of it has no colon")]
    Line,
}

/// The id in the TXT records of `_mta-sts.` (§3.1). Of several records that begin alike there is none.
pub(crate) fn id(records: &[String]) -> Option<&str> {
    let mut ours = records.iter().filter(|record| {
        let version = record.split(';').next().unwrap_or_default();
        version.trim_end() == "v=STSv1" && record.contains(';')
    });
    let record = ours.next()?;
    if ours.next().is_some() {
        return None;
    }
    let fields = record.split(';').filter_map(|field| field.trim().split_once('='));
    let id = fields.into_iter().find(|(name, _)| name.trim_end() == "id")?.1.trim();
    let good = (1..=32).contains(&id.len()) && id.bytes().all(|b| b.is_ascii_alphanumeric());
    good.then_some(id)
}

/// Reads a policy (§3.2), and for how long it holds. Unknown keys are skipped; of keys that come twice the first counts, but for `mx`.
pub(crate) fn policy(id: &str, document: &[u8]) -> Result<(StsPolicy, Duration), Flaw> {
    let text = std::str::from_utf8(document).map_err(|_| Flaw::Octets)?;
    let (mut version, mut mode, mut max_age, mut hosts) = (None, None, None, Vec::new());
    for line in text.split('\n').map(|line| line.strip_suffix('\r').unwrap_or(line)) {
        if line.trim().is_empty() {
            continue;
        }
        let (key, value) = line.split_once(':').ok_or(Flaw::Line)?;
        let value = value.trim_matches([' ', '\t']);
        match key.trim_matches([' ', '\t']) {
            "version" => _ = version.get_or_insert(value),
            "mode" => _ = mode.get_or_insert(value),
            "max_age" => _ = max_age.get_or_insert(value),
            "mx" => hosts.push(pattern(value).ok_or(Flaw::Hosts)?),
            _ => {}
        }
    }
    if version != Some("STSv1") {
        return Err(Flaw::Version);
    }
    let mode = match mode {
        Some("enforce") => StsMode::Enforce,
        Some("testing") => StsMode::Testing,
        Some("none") => StsMode::None,
        Some(_) | None => return Err(Flaw::Mode),
    };
    let digits = max_age.filter(|text| (1..=10).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit()));
    let age = digits.and_then(|text| text.parse().ok()).map(Duration::from_secs).ok_or(Flaw::MaxAge)?;
    if age > MAX_AGE_MAX {
        return Err(Flaw::MaxAge);
    }
    if (hosts.is_empty() && mode != StsMode::None) || hosts.len() > STS_PATTERNS_MAX {
        return Err(Flaw::Hosts);
    }
    Ok((StsPolicy { id: id.to_owned(), mode, hosts }, age))
}

/// A host, or `*.` and a domain, in lower case.
fn pattern(text: &str) -> Option<String> {
    match text.strip_prefix("*.") {
        Some(domain) => Some(format!("*.{}", Domain::parse(domain).ok()?)),
        None => Some(Domain::parse(text).ok()?.to_string()),
    }
}

/// Whether a policy names the host (§4.1). A star stands for one label, the leftmost.
pub(crate) fn names(policy: &StsPolicy, host: &Domain) -> bool {
    policy.hosts.iter().any(|pattern| match pattern.strip_prefix("*.") {
        Some(domain) => host.as_str().split_once('.').is_some_and(|(label, rest)| !label.is_empty() && rest == domain),
        None => pattern == host.as_str(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(lines: &[&str]) -> Vec<u8> {
        lines.join("\r\n").into_bytes()
    }

    #[test]
    fn the_record_has_an_id() {
        let id = |records: &[&str]| {
            let records: Vec<String> = records.iter().map(|&r| r.to_owned()).collect();
            id(&records).map(str::to_owned)
        };
        for good in
            ["v=STSv1; id=20160831085700Z;", "v=STSv1;id=20160831085700Z", "v=STSv1 ; x=y; id = 20160831085700Z ;"]
        {
            assert_eq!(id(&[good]).as_deref(), Some("20160831085700Z"), "{good}");
            assert_eq!(id(&["v=spf1 -all", good]).as_deref(), Some("20160831085700Z"), "{good}");
            assert_eq!(id(&[good, good]), None, "two records are none");
        }
        let long = format!("v=STSv1; id={}", "1".repeat(33));
        for bad in
            ["v=STSv1", "v=STSv2; id=1", "id=1; v=STSv1", "v=STSv1; id=", "v=STSv1; id=a-b", "v=STSv1;", &long, ""]
        {
            assert_eq!(id(&[bad]), None, "{bad}");
        }
        assert_eq!(id(&[]), None);
    }

    #[test]
    fn a_policy_is_read() {
        let lines = [
            "version: STSv1",
            "mode: enforce",
            "mx: Mail.Example.com",
            "mx: *.example.net",
            "max_age: 604800",
            "note: x",
        ];
        let wanted = StsPolicy {
            id: "1".into(),
            mode: StsMode::Enforce,
            hosts: vec!["mail.example.com".into(), "*.example.net".into()],
        };
        let age = Duration::from_secs(604_800);
        assert_eq!(policy("1", &text(&lines)), Ok((wanted.clone(), age)));
        assert_eq!(policy("1", lines.join("\n").as_bytes()), Ok((wanted.clone(), age)));
        let twice = text(&[lines.as_slice(), &["mode: none", "max_age: 1", ""]].concat());
        assert_eq!(policy("1", &twice), Ok((wanted, age)), "the first counts");
        let (none, _) = policy("1", b"version:STSv1\nmode:none\nmax_age:0").unwrap();
        assert_eq!((none.mode, none.hosts.len()), (StsMode::None, 0));
    }

    #[test]
    fn what_is_no_policy_is_said_so() {
        let good = ["version: STSv1", "mode: testing", "mx: a.example", "max_age: 1"];
        assert!(policy("1", &text(&good)).is_ok());
        for (at, line, flaw) in [
            (0, "version: STSv2", Flaw::Version),
            (0, "", Flaw::Version),
            (1, "mode: Enforce", Flaw::Mode),
            (1, "", Flaw::Mode),
            (2, "", Flaw::Hosts),
            (2, "mx: *.*.example", Flaw::Hosts),
            (2, "mx: a b", Flaw::Hosts),
            (3, "max_age: 31557601", Flaw::MaxAge),
            (3, "max_age: -1", Flaw::MaxAge),
            (3, "max_age: +1", Flaw::MaxAge),
            (3, "max_age: 99999999999", Flaw::MaxAge),
            (3, "", Flaw::MaxAge),
            (3, "max_age 1", Flaw::Line),
        ] {
            let mut lines = good;
            lines[at] = line;
            assert_eq!(policy("1", &text(&lines)), Err(flaw), "{line}");
        }
        assert_eq!(policy("1", b"\xff"), Err(Flaw::Octets));
        assert_eq!(policy("1", b"<html>not here</html>"), Err(Flaw::Line));
        let many = format!("{}\r\n{}", good.join("\r\n"), "mx: a.example\r\n".repeat(STS_PATTERNS_MAX));
        assert_eq!(policy("1", many.as_bytes()), Err(Flaw::Hosts));
    }

    #[test]
    fn a_star_is_one_label() {
        let hosts = vec!["mail.example.com".to_owned(), "*.example.net".to_owned()];
        let policy = StsPolicy { id: "1".into(), mode: StsMode::Enforce, hosts };
        for (host, named) in [
            ("mail.example.com", true),
            ("a.mail.example.com", false),
            ("mx1.example.net", true),
            ("a.mx1.example.net", false),
            ("example.net", false),
            ("mx1.example.net.evil.example", false),
        ] {
            assert_eq!(names(&policy, &Domain::parse(host).unwrap()), named, "{host}");
        }
    }
}
