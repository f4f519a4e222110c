//! What follows from the checks: whether a message is taken, goes to Spam, is refused, or is to come again. Pure.

use mail::{Domain, EnhancedCode, Reply};

use super::results::{Authentication, Dmarc, Outcome, Policy, Sealer};

/// How far a domain's own wish (DMARC) is followed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Enforcement {
    /// `p=reject` refuses, `p=quarantine` puts into Spam.
    #[default]
    Enforce,
    /// Both put into Spam.
    Quarantine,
    /// Nothing follows; results stand in the header and the trace.
    Report,
}

/// The rules of this server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// How far DMARC is followed.
    pub dmarc: Enforcement,
    /// A message that may have to be refused, and can't be judged because the DNS does not answer, is to come again (451); else it is
    /// taken.
    pub defer_when_unsure: bool,
    /// SPF's `fail` alone refuses. Forwarded mail fails SPF, so this is off.
    pub refuse_spf_fail: bool,
    /// Who is believed when it says in a sealed ARC chain that DMARC passed there (RFC 8617 §7.2).
    pub trusted_sealers: Vec<Domain>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            dmarc: Enforcement::Enforce,
            defer_when_unsure: true,
            refuse_spf_fail: false,
            trusted_sealers: Vec::new(),
        }
    }
}

/// What happens to a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Disposition {
    /// It is taken.
    Accept,
    /// It is taken and goes to Spam.
    Quarantine,
    /// It is not taken: 4xx or 5xx.
    Refuse(Reply),
}

/// A decision with its reason.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decision {
    /// What happens.
    pub disposition: Disposition,
    /// Why, in words; empty when nothing speaks against the message.
    pub reason: String,
    /// A trusted chain was believed against DMARC (RFC 9990 §3.1.1.9: `local_policy`).
    pub sealed: bool,
}

impl Decision {
    fn accept(reason: String) -> Self {
        Self { disposition: Disposition::Accept, reason, sealed: false }
    }
}

/// Decides on a message.
#[must_use]
pub fn decide(found: &Authentication, rules: &Rules) -> Decision {
    let decision = by_dmarc(found, rules);
    let passed = found.dmarc.iter().any(|dmarc| dmarc.outcome == Outcome::Pass);
    let refuses = matches!(decision.disposition, Disposition::Refuse(_)) || decision.sealed || passed;
    if rules.refuse_spf_fail && found.spf.outcome == Outcome::Fail && !refuses {
        let mut reason = format!("{} says that {} may not send for it (SPF)", found.spf.domain, client(found));
        if let Some(explanation) = &found.spf.explanation {
            reason.push_str(&format!("; in its own words: {explanation}"));
        }
        // RFC 7372 §3.2.
        let reply = Reply::new(550, Some(EnhancedCode(5, 7, 23)), reason.clone());
        return Decision { disposition: Disposition::Refuse(reply), reason, sealed: false };
    }
    decision
}

fn by_dmarc(found: &Authentication, rules: &Rules) -> Decision {
    if found.authors_beyond {
        let reason = "From names the authors of too many domains".to_owned();
        return match rules.dmarc {
            Enforcement::Enforce => refused(reason),
            Enforcement::Quarantine => Decision { disposition: Disposition::Quarantine, reason, sealed: false },
            Enforcement::Report => Decision::accept(reason),
        };
    }
    // RFC 7489 §6.6.1: of several domains in From, the strictest policy among those that fail.
    let failing = |dmarc: &&Dmarc| dmarc.outcome == Outcome::Fail;
    let strictest = found.dmarc.iter().filter(failing).max_by_key(|dmarc| dmarc.policy);
    let asked = strictest.and_then(|dmarc| dmarc.policy).unwrap_or_default();
    if let Some(dmarc) = strictest
        && asked != Policy::None
    {
        let reason = format!(
            "{} asks for \"{}\" of what neither SPF nor DKIM shows to be from it (DMARC)",
            dmarc.domain,
            asked.name()
        );
        if let Some(sealer) = vouched(found, rules) {
            let reason = format!("{reason}; but {} is trusted, and DMARC passed there (ARC)", sealer.domain);
            return Decision { disposition: Disposition::Accept, reason, sealed: true };
        }
        return match (rules.dmarc, asked) {
            (Enforcement::Report, _) | (_, Policy::None) => Decision::accept(reason),
            (Enforcement::Enforce, Policy::Reject) => refused(reason),
            (Enforcement::Enforce | Enforcement::Quarantine, Policy::Quarantine | Policy::Reject) => {
                Decision { disposition: Disposition::Quarantine, reason, sealed: false }
            }
        };
    }
    let unsure = |dmarc: &&Dmarc| {
        dmarc.outcome == Outcome::TemporaryError && matches!(dmarc.policy, None | Some(Policy::Reject))
    };
    if let Some(dmarc) = found.dmarc.iter().find(unsure) {
        let reason = format!("the DNS of {} does not answer, so that DMARC can't be judged", dmarc.domain);
        if rules.defer_when_unsure && rules.dmarc == Enforcement::Enforce {
            let text = format!("{reason}; try again later");
            let reply = Reply::new(451, Some(EnhancedCode(4, 7, 1)), text);
            return Decision { disposition: Disposition::Refuse(reply), reason, sealed: false };
        }
        return Decision::accept(reason);
    }
    Decision::accept(String::new())
}

/// RFC 7489 §10.3.
fn refused(reason: String) -> Decision {
    let reply = Reply::new(550, Some(EnhancedCode(5, 7, 1)), format!("Refused: {reason}"));
    Decision { disposition: Disposition::Refuse(reply), reason, sealed: false }
}

fn client(found: &Authentication) -> String {
    found.client.as_ref().map_or_else(|| "the client".to_owned(), |client| client.ip.to_string())
}

/// The first host of a valid chain that says that DMARC passed there, when it and all that sealed after it are trusted: who comes
/// later could have changed what it was given.
fn vouched<'f>(found: &'f Authentication, rules: &Rules) -> Option<&'f Sealer> {
    if found.arc.outcome != Outcome::Pass {
        return None;
    }
    let trusted = |sealer: &&Sealer| {
        let above = |name: &str| sealer.domain.strip_suffix(name).is_some_and(|above| above.ends_with('.'));
        rules.trusted_sealers.iter().any(|name| sealer.domain == name.as_str() || above(name.as_str()))
    };
    let mut believed = found.arc.sealers.iter().rev().take_while(trusted);
    believed.find(|sealer| says_dmarc_passed(&sealer.results))
}

/// Whether results say `dmarc=pass`, and nothing else of DMARC.
fn says_dmarc_passed(results: &str) -> bool {
    let plain = without_comments(results);
    let mut said = plain.split(';').filter_map(|result| {
        let (method, rest) = result.split_once('=')?;
        let method = method.trim().split('/').next()?.trim();
        method.eq_ignore_ascii_case("dmarc").then(|| rest.split_whitespace().next().unwrap_or_default().to_owned())
    });
    said.next().is_some_and(|result| result.eq_ignore_ascii_case("pass")) && said.next().is_none()
}

/// RFC 5322 §3.2.2: comments nest, and a backslash quotes. What stands in quotes is left out as well: no result does.
fn without_comments(text: &str) -> String {
    let (mut out, mut depth, mut escaped, mut quoted) = (String::with_capacity(text.len()), 0_usize, false, false);
    for c in text.chars() {
        match c {
            _ if std::mem::take(&mut escaped) => {}
            '\\' => escaped = true,
            '"' if depth == 0 => quoted = !quoted,
            _ if quoted => {}
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
    use super::super::results::{Arc, Spf};
    use super::*;

    fn dmarc(outcome: Outcome, policy: Option<Policy>) -> Dmarc {
        Dmarc { outcome, domain: "a.example".to_owned(), policy, ..Dmarc::default() }
    }

    fn found(dmarc: &[Dmarc]) -> Authentication {
        Authentication { dmarc: dmarc.to_vec(), ..Authentication::default() }
    }

    fn said(decision: &Decision) -> String {
        match &decision.disposition {
            Disposition::Accept => "accept".to_owned(),
            Disposition::Quarantine => "quarantine".to_owned(),
            Disposition::Refuse(reply) => reply.to_string().chars().take(9).collect(),
        }
    }

    #[test]
    fn dmarc_in_a_table() {
        use Outcome::{Fail, None as Nothing, Pass, PermanentError, TemporaryError};
        let (none, quarantine, reject) = (Some(Policy::None), Some(Policy::Quarantine), Some(Policy::Reject));
        for (results, enforce, softer, report) in [
            (vec![], "accept", "accept", "accept"),
            (vec![(Pass, reject)], "accept", "accept", "accept"),
            (vec![(Nothing, None)], "accept", "accept", "accept"),
            (vec![(Fail, none)], "accept", "accept", "accept"),
            (vec![(Fail, quarantine)], "quarantine", "quarantine", "accept"),
            (vec![(Fail, reject)], "550 5.7.1", "quarantine", "accept"),
            (vec![(Pass, none), (Fail, quarantine), (Fail, reject)], "550 5.7.1", "quarantine", "accept"),
            (vec![(Pass, reject), (Nothing, None)], "accept", "accept", "accept"),
            (vec![(PermanentError, None)], "accept", "accept", "accept"),
            (vec![(TemporaryError, None)], "451 4.7.1", "accept", "accept"),
            (vec![(TemporaryError, reject)], "451 4.7.1", "accept", "accept"),
            (vec![(TemporaryError, quarantine)], "accept", "accept", "accept"),
            (vec![(TemporaryError, None), (Fail, reject)], "550 5.7.1", "quarantine", "accept"),
        ] {
            let found = found(&results.iter().map(|(outcome, policy)| dmarc(*outcome, *policy)).collect::<Vec<_>>());
            for (enforcement, expected) in
                [(Enforcement::Enforce, enforce), (Enforcement::Quarantine, softer), (Enforcement::Report, report)]
            {
                let decision = decide(&found, &Rules { dmarc: enforcement, ..Rules::default() });
                assert_eq!(said(&decision), expected, "{results:?} {enforcement:?}");
            }
        }
        let unsure = found(&[dmarc(TemporaryError, None)]);
        let rules = Rules { defer_when_unsure: false, ..Rules::default() };
        assert_eq!(said(&decide(&unsure, &rules)), "accept");
        let many = Authentication { authors_beyond: true, ..Authentication::default() };
        assert_eq!(said(&decide(&many, &Rules::default())), "550 5.7.1");
    }

    #[test]
    fn a_refusal_names_the_domain() {
        let decision = decide(&found(&[dmarc(Outcome::Fail, Some(Policy::Reject))]), &Rules::default());
        let Disposition::Refuse(reply) = decision.disposition else { panic!("{decision:?}") };
        assert_eq!(
            reply.to_string(),
            "550 5.7.1 Refused: a.example asks for \"reject\" of what neither SPF nor DKIM shows to be from it (DMARC)"
        );
    }

    #[test]
    fn spf_alone_refuses_only_when_it_is_told_to() {
        let strict = Rules { refuse_spf_fail: true, ..Rules::default() };
        for (spf, passes, rules, expected) in [
            (Outcome::Fail, Outcome::None, &Rules::default(), "accept"),
            (Outcome::Fail, Outcome::None, &strict, "550 5.7.2"),
            (Outcome::Fail, Outcome::Pass, &strict, "accept"),
            (Outcome::SoftFail, Outcome::None, &strict, "accept"),
            (Outcome::TemporaryError, Outcome::None, &strict, "accept"),
        ] {
            let mut found = found(&[dmarc(passes, None)]);
            found.spf = Spf { outcome: spf, domain: "a.example".to_owned(), explanation: None };
            assert_eq!(said(&decide(&found, rules)), expected, "{spf} {passes}");
        }
    }

    #[test]
    fn rfc8617_a_trusted_chain_is_believed_back_to_who_saw_a_pass() {
        let trusted = Rules {
            trusted_sealers: vec![Domain::parse("lists.example").unwrap(), Domain::parse("relay.example").unwrap()],
            ..Rules::default()
        };
        let pass = "i=1; mx.lists.example; dmarc=pass (p=reject) header.from=a.example; spf=pass";
        let fail = "i=1; mx; spf=pass; dmarc=fail";
        for (outcome, sealers, sealed) in [
            (Outcome::Pass, vec![("lists.example", pass)], true),
            (Outcome::Pass, vec![("mx.lists.example", pass)], true),
            (Outcome::Pass, vec![("evillists.example", pass)], false),
            (Outcome::Pass, vec![("lists.example", fail)], false),
            (Outcome::Pass, vec![("lists.example", pass), ("relay.example", fail)], true),
            (Outcome::Pass, vec![("lists.example", pass), ("other.example", fail)], false),
            (Outcome::Pass, vec![("other.example", pass), ("lists.example", fail)], false),
            (Outcome::Fail, vec![("lists.example", pass)], false),
            (Outcome::Pass, vec![], false),
            (Outcome::Pass, vec![("lists.example", "i=1; mx (; dmarc=pass); dmarc=fail")], false),
            (Outcome::Pass, vec![("lists.example", "i=1; mx; dmarc=fail; dmarc=pass")], false),
            (Outcome::Pass, vec![("lists.example", "i=1; mx; x=\"; dmarc=pass\"")], false),
        ] {
            let mut found = found(&[dmarc(Outcome::Fail, Some(Policy::Reject))]);
            let sealer = |(domain, results): &(&str, &str)| Sealer {
                domain: (*domain).to_owned(),
                results: (*results).to_owned(),
            };
            found.arc = Arc { outcome, reason: "", sealers: sealers.iter().map(sealer).collect() };
            let decision = decide(&found, &trusted);
            assert_eq!((decision.sealed, said(&decision) == "accept"), (sealed, sealed), "{sealers:?}");
            assert!(!decide(&found, &Rules::default()).sealed);
        }
    }
}
