//! The `Authentication-Results` field (RFC 8601) that this server puts on top of a message.
//!
//! Everything that a sender chose stands there as a value that can end nothing: bounded, printable, quoted where it is no token.

use super::limits::VALUE_OCTETS_MAX;
use super::results::{Authentication, Outcome};

impl Authentication {
    /// The whole field, with its line end. `server`: the name of this server (`authserv-id`, §2.5).
    #[must_use]
    pub fn field(&self, server: &str) -> String {
        let mut field = format!("Authentication-Results: {}", value(server));
        let mut result = |text: String| {
            field.push_str(";\r\n\t");
            field.push_str(&text);
        };
        if let Some(client) = &self.client {
            result(format!("iprev={} policy.iprev={}", self.iprev.outcome, value(&client.ip.to_string())));
            for list in &self.dnswl {
                // RFC 8904 §2; whether DNSSEC proves the answer is not looked at.
                let mut text = format!("dnswl={} dns.zone={} dns.sec=na", list.outcome, value(&list.zone));
                if let Some(answer) = list.answer {
                    text.push_str(&format!(" policy.ip={answer}"));
                }
                if !list.text.is_empty() {
                    text.push_str(&format!(" policy.txt={}", value(&list.text)));
                }
                result(text);
            }
            let mail_from = client.reverse_path.as_ref().map(|path| path.to_string());
            match mail_from {
                Some(path) => result(format!("spf={} smtp.mailfrom={}", self.spf.outcome, mailbox(&path))),
                None => result(format!("spf={} smtp.helo={}", self.spf.outcome, value(&self.spf.domain))),
            }
            if client.reverse_path.is_some() && self.spf_helo.outcome != Outcome::None {
                result(format!("spf={} smtp.helo={}", self.spf_helo.outcome, value(&self.spf_helo.domain)));
            }
        }
        if self.dkim.is_empty() {
            result("dkim=none".to_owned());
        }
        for dkim in &self.dkim {
            let mut text = format!("dkim={}{}", dkim.outcome, comment(dkim.reason));
            for (name, found) in [("d", &dkim.domain), ("s", &dkim.selector), ("b", &dkim.signature)] {
                if !found.is_empty() {
                    text.push_str(&format!(" header.{name}={}", value(found)));
                }
            }
            if !dkim.algorithm.is_empty() {
                text.push_str(&format!(" header.a={}", dkim.algorithm));
            }
            result(text);
        }
        for dmarc in &self.dmarc {
            let policy = dmarc.policy.map(|policy| format!(" (p={})", policy.name())).unwrap_or_default();
            result(format!("dmarc={}{policy} header.from={}", dmarc.outcome, value(&dmarc.domain)));
        }
        if self.arc.outcome != Outcome::None {
            // RFC 8617 §10.1 knows no other results.
            let outcome = if self.arc.outcome == Outcome::Pass { Outcome::Pass } else { Outcome::Fail };
            let words = match self.arc.sealers.last() {
                Some(last) => format!("{} sets, sealed last by {}", self.arc.sealers.len(), in_comment(&last.domain)),
                None => self.arc.reason.to_owned(),
            };
            result(format!("arc={outcome}{}", comment(&words)));
        }
        field.push_str("\r\n");
        field
    }
}

/// A comment of this server's own words.
fn comment(words: &str) -> String {
    if words.is_empty() { String::new() } else { format!(" ({words})") }
}

/// A domain inside a comment: what could end the comment is no part of a domain.
fn in_comment(domain: &str) -> String {
    domain
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
        .take(VALUE_OCTETS_MAX)
        .collect()
}

/// `smtp.mailfrom`: an address as it is, when it is plain; else its domain.
fn mailbox(path: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.@".contains(c);
    if path.len() <= VALUE_OCTETS_MAX && path.chars().all(plain) && path.matches('@').count() == 1 {
        return path.to_owned();
    }
    value(path.rsplit_once('@').map_or(path, |(_, domain)| domain))
}

/// RFC 8601 §2.2: `value`, a token or a quoted string (RFC 2045 §5.1).
fn value(text: &str) -> String {
    let cut: String = text.chars().take(VALUE_OCTETS_MAX).collect();
    let token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`{|}~".contains(c);
    if !cut.is_empty() && cut.chars().all(token) {
        return cut;
    }
    let mut quoted = String::from("\"");
    for c in cut.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            ' '..='~' => quoted.push(c),
            _ => quoted.push('?'),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::super::results::{Arc, Client, Dkim, Dmarc, Dnswl, Iprev, Policy, Sealer, Spf};
    use super::*;
    use mail::Address;
    use proptest::prelude::*;

    fn found() -> Authentication {
        Authentication {
            client: Some(Client {
                ip: "192.0.2.1".parse().unwrap(),
                helo: Some("mx.a.example".to_owned()),
                reverse_path: Some(Address::parse("bob@a.example").unwrap()),
            }),
            spf: Spf { outcome: Outcome::Pass, domain: "a.example".to_owned(), explanation: None },
            spf_helo: Spf { outcome: Outcome::Neutral, domain: "mx.a.example".to_owned(), explanation: None },
            dkim: vec![
                Dkim {
                    outcome: Outcome::Pass,
                    reason: "",
                    domain: "a.example".to_owned(),
                    selector: "s1".to_owned(),
                    algorithm: "rsa-sha256",
                    signature: "abc/+def".to_owned(),
                },
                Dkim { outcome: Outcome::Neutral, reason: "it can't be read", ..Dkim::default() },
            ],
            dmarc: vec![Dmarc {
                outcome: Outcome::Pass,
                domain: "a.example".to_owned(),
                policy: Some(Policy::Reject),
                ..Dmarc::default()
            }],
            arc: Arc {
                outcome: Outcome::Pass,
                reason: "",
                sealers: vec![Sealer { domain: "lists.example".to_owned(), results: String::new() }],
            },
            iprev: Iprev { outcome: Outcome::Pass, name: None },
            ..Authentication::default()
        }
    }

    #[test]
    fn everything_stands_in_the_field() {
        let expected = "Authentication-Results: mx.here.example;\r\n\
            \tiprev=pass policy.iprev=192.0.2.1;\r\n\
            \tspf=pass smtp.mailfrom=bob@a.example;\r\n\
            \tspf=neutral smtp.helo=mx.a.example;\r\n\
            \tdkim=pass header.d=a.example header.s=s1 header.b=\"abc/+def\" header.a=rsa-sha256;\r\n\
            \tdkim=neutral (it can't be read);\r\n\
            \tdmarc=pass (p=reject) header.from=a.example;\r\n\
            \tarc=pass (1 sets, sealed last by lists.example)\r\n";
        assert_eq!(found().field("mx.here.example"), expected);
    }

    #[test]
    fn a_null_reverse_path_is_answered_for_by_the_name_in_ehlo() {
        let mut found = Authentication { dkim: Vec::new(), dmarc: Vec::new(), arc: Arc::default(), ..found() };
        found.client.as_mut().unwrap().reverse_path = None;
        found.spf = Spf { outcome: Outcome::Fail, domain: "mx.a.example".to_owned(), explanation: None };
        let expected = "Authentication-Results: mx;\r\n\tiprev=pass policy.iprev=192.0.2.1;\r\n\
            \tspf=fail smtp.helo=mx.a.example;\r\n\tdkim=none\r\n";
        assert_eq!(found.field("mx"), expected);
    }

    #[test]
    fn allow_lists_are_told() {
        let list = |outcome, answer, text: &str| Dnswl {
            outcome,
            zone: "list.example".to_owned(),
            answer,
            text: text.to_owned(),
        };
        let known =
            list(Outcome::Pass, Some([127, 0, 10, 1].into()), "far.example https://list.example/?d=far.example");
        let found = Authentication { dnswl: vec![known, list(Outcome::TemporaryError, None, "")], ..found() };
        let expected = "\tdnswl=pass dns.zone=list.example dns.sec=na policy.ip=127.0.10.1 \
             policy.txt=\"far.example https://list.example/?d=far.example\";\r\n\
             \tdnswl=temperror dns.zone=list.example dns.sec=na;\r\n";
        assert!(found.field("mx").contains(expected), "{}", found.field("mx"));
    }

    #[test]
    fn odd_addresses_are_shown_by_their_domain() {
        for (path, shown) in [
            ("bob+x=y@a.example", "bob+x=y@a.example"),
            ("\"a b\"@a.example", "a.example"),
            ("\"a@b\"@a.example", "a.example"),
            ("zoé@a.example", "a.example"),
            ("a@[192.0.2.1]", "\"[192.0.2.1]\""),
        ] {
            assert_eq!(mailbox(path), shown);
        }
    }

    proptest! {
        /// Whatever a sender chose, the field is one field, and its results stay this server's.
        #[test]
        fn values_end_nothing(domain in "\\PC{0,40}|[\"\\\\;\r\n ()=]{0,20}", selector: String) {
            let mut found = found();
            found.dkim[0].domain.clone_from(&domain);
            found.dkim[0].selector = selector;
            found.dmarc[0].domain = domain;
            let field = found.field("mx");
            prop_assert!(field.is_ascii());
            prop_assert!(field.split_inclusive("\r\n").skip(1).all(|line| line.starts_with('\t')));
            let plain = field.replace("\r\n", "");
            prop_assert!(!plain.contains(['\r', '\n']));
            let mut quoted = false;
            let mut escaped = false;
            let mut ends = 0;
            for c in plain.chars() {
                match c {
                    _ if escaped => escaped = false,
                    '\\' if quoted => escaped = true,
                    '"' => quoted = !quoted,
                    ';' if !quoted => ends += 1,
                    _ => {}
                }
            }
            prop_assert_eq!((quoted, ends), (false, 7));
        }
    }
}
