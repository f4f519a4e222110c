//! Authentication-Results (RFC 8601): whether this server's own checks say that a sender is not who it claims to be.

use mail::Domain;

/// Whether a field of this server says that DMARC failed, or that SPF did while no DKIM signature held. A field of
/// another server says nothing here; one that pretends to be ours can only silence the answer to its own message.
pub(crate) fn says_failed(value: &str, hostname: &Domain) -> bool {
    let value = without_comments(value);
    let mut parts = value.split(';');
    // `mx.example.org 1`: the version may follow the name.
    let ours = parts.next().and_then(|head| head.split_whitespace().next());
    if !ours.is_some_and(|name| name.trim_matches('"').eq_ignore_ascii_case(hostname.as_str())) {
        return false;
    }
    let (mut dmarc_failed, mut dmarc_passed, mut spf_failed, mut dkim_passed) = (false, false, None, false);
    for part in parts {
        // `spf = fail smtp.mailfrom=x`; the method may have a version, as `dkim/1`.
        let Some((method, rest)) = part.split_once('=') else { continue };
        let method = method.trim().split('/').next().unwrap_or_default().to_ascii_lowercase();
        let result = rest.split_whitespace().next().unwrap_or_default().to_ascii_lowercase();
        match (method.as_str(), result.as_str()) {
            ("dmarc", "fail") => dmarc_failed = true,
            ("dmarc", "pass") => dmarc_passed = true,
            // The first is that of the reverse-path; one of the name in EHLO may follow.
            ("spf", result) => {
                spf_failed.get_or_insert(result == "fail");
            }
            ("dkim", "pass") => dkim_passed = true,
            _ => {}
        }
    }
    dmarc_failed || (spf_failed == Some(true) && !dkim_passed && !dmarc_passed)
}

/// RFC 5322 §3.2.2: comments nest, and a backslash quotes.
fn without_comments(value: &str) -> String {
    let (mut out, mut depth, mut quoted) = (String::with_capacity(value.len()), 0_usize, false);
    for c in value.chars() {
        match c {
            _ if std::mem::take(&mut quoted) => {}
            '\\' => quoted = true,
            '(' => depth = depth.saturating_add(1),
            ')' if depth > 0 => depth = depth.saturating_sub(1),
            c if depth == 0 => out.push(c),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn v05_only_our_own_results_count_and_only_failures() {
        let host = Domain::parse("mx.a.example").unwrap();
        for (value, expected) in [
            ("mx.a.example; dmarc=fail (p=none) header.from=r.example", true),
            ("MX.A.example 1; spf=pass smtp.mailfrom=r.example; DMARC = Fail", true),
            ("mx.a.example; spf=fail smtp.mailfrom=r.example", true),
            ("mx.a.example (note; dmarc=pass (nested)); spf=fail", true),
            ("mx.a.example; spf=fail; dkim=pass header.d=r.example", false),
            ("mx.a.example; spf=fail; dmarc=pass", false),
            ("mx.a.example; spf=softfail; dkim=fail", false),
            ("mx.a.example; spf=pass smtp.mailfrom=r.example; spf=fail smtp.helo=x", false),
            ("mx.a.example; spf=fail smtp.mailfrom=r.example; spf=pass smtp.helo=x", true),
            ("mx.a.example; none", false),
            ("mx.a.example (dmarc=fail); spf=pass", false),
            ("mx.other.example; dmarc=fail", false),
            ("dmarc=fail", false),
            ("", false),
        ] {
            assert_eq!(says_failed(value, &host), expected, "{value}");
        }
    }
}
