//! What was found out about a message from outside.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr};

use mail::{Address, Domain};

/// The result of one method, by its name in RFC 8601 §2.7.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Outcome {
    /// It holds.
    Pass,
    /// It does not.
    Fail,
    /// Probably not (SPF).
    SoftFail,
    /// Nothing is said either way, or it could not be read.
    Neutral,
    /// There is nothing to check.
    #[default]
    None,
    /// It would hold, but not by this server's rules.
    Policy,
    /// The DNS did not answer.
    TemporaryError,
    /// What the domain publishes is wrong.
    PermanentError,
}

impl Outcome {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::SoftFail => "softfail",
            Self::Neutral => "neutral",
            Self::None => "none",
            Self::Policy => "policy",
            Self::TemporaryError => "temperror",
            Self::PermanentError => "permerror",
        }
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Who hands a message over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its address.
    pub ip: IpAddr,
    /// What it calls itself.
    pub helo: Option<String>,
    /// The envelope's reverse-path; `None`: the null one.
    pub reverse_path: Option<Address>,
}

/// SPF (RFC 7208) for one identity.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spf {
    /// The result.
    pub outcome: Outcome,
    /// The domain that was asked.
    pub domain: String,
    /// What the domain says of a failure (RFC 7208 §6.2): printable ASCII, in nobody's words but its own.
    pub explanation: Option<String>,
}

/// SPF as it is asked before there is a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SpfSeen {
    /// The result.
    pub spf: Spf,
    /// It passes, and what the domain publishes names the addresses that do, and not too much of the world: so whoever passes is one of the
    /// domain's servers. A pass by `all`, `exists`, `ptr` or a name that is made of the client says nothing of the kind.
    pub narrow: bool,
}

/// One `DKIM-Signature` (RFC 6376).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dkim {
    /// The result.
    pub outcome: Outcome,
    /// Why it is not [`Outcome::Pass`], in words of this server.
    pub reason: &'static str,
    /// `d=`; empty when the field can't be read.
    pub domain: String,
    /// `s=`.
    pub selector: String,
    /// `a=`.
    pub algorithm: &'static str,
    /// The beginning of `b=`, which tells signatures apart (RFC 6008).
    pub signature: String,
}

/// One set of an ARC chain.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sealer {
    /// `d=` of its seal.
    pub domain: String,
    /// What it says that it found out (`ARC-Authentication-Results`), unfolded.
    pub results: String,
}

/// The ARC chain (RFC 8617).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Arc {
    /// The result.
    pub outcome: Outcome,
    /// Why it is not [`Outcome::Pass`].
    pub reason: &'static str,
    /// Who has sealed, the first one first; only of a chain that passes.
    pub sealers: Vec<Sealer>,
}

/// Whether the client's address has a name that leads back to it (RFC 8601 §3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Iprev {
    /// The result.
    pub outcome: Outcome,
    /// The first name.
    pub name: Option<String>,
}

/// What an allow list in the DNS says of the client (RFC 8904).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dnswl {
    /// The result: [`Outcome::Pass`], [`Outcome::None`] or [`Outcome::TemporaryError`].
    pub outcome: Outcome,
    /// The zone of the list.
    pub zone: String,
    /// What it answered.
    pub answer: Option<Ipv4Addr>,
    /// What it says in words: printable ASCII.
    pub text: String,
}

/// What a domain wants done with mail that fails (RFC 9989 §4.7).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Policy {
    /// Nothing.
    #[default]
    None,
    /// It is to be treated as suspicious.
    Quarantine,
    /// It is to be refused.
    Reject,
}

impl Policy {
    /// Its name.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Quarantine => "quarantine",
            Self::Reject => "reject",
        }
    }
}

/// The record that DMARC was evaluated by, as far as reports show it (RFC 9990 §3.1.1.6).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Whose record it is: the author's domain, or one above it.
    pub domain: String,
    /// `p=`.
    pub policy: Policy,
    /// `sp=`.
    pub subdomain_policy: Policy,
    /// `adkim=s`.
    pub strict_dkim: bool,
    /// `aspf=s`.
    pub strict_spf: bool,
    /// `t=y`: the policy is applied one step less strictly.
    pub testing: bool,
    /// `rua=`: addresses, each with the octets that it takes (0: any number).
    pub report_to: Vec<(String, u64)>,
}

/// DMARC (RFC 9989) for one domain in From.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Dmarc {
    /// The result.
    pub outcome: Outcome,
    /// The domain of the author.
    pub domain: String,
    /// What is asked for when it fails: `p=`, `sp=` or `np=`, lowered by `t=y`. `None`: it is not known.
    pub policy: Option<Policy>,
    /// SPF passed for a domain that belongs to the author's.
    pub spf_aligned: bool,
    /// So did a DKIM signature.
    pub dkim_aligned: bool,
    /// The record; `None`: there is none.
    pub published: Option<Published>,
}

/// Everything that was found out about one message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Authentication {
    /// Who handed it over.
    pub client: Option<Client>,
    /// SPF of the name in EHLO.
    pub spf_helo: Spf,
    /// SPF of the reverse-path; for the null one, of the name in EHLO (RFC 7208 §2.4).
    pub spf: Spf,
    /// Each signature that was looked at.
    pub dkim: Vec<Dkim>,
    /// Signatures beyond [`super::limits::SIGNATURES_MAX`].
    pub dkim_beyond: usize,
    /// The chain.
    pub arc: Arc,
    /// The name of the client.
    pub iprev: Iprev,
    /// Allow lists that were asked.
    pub dnswl: Vec<Dnswl>,
    /// Each domain in From.
    pub dmarc: Vec<Dmarc>,
    /// From names more domains than [`super::limits::AUTHOR_DOMAINS_MAX`].
    pub authors_beyond: bool,
}

impl Authentication {
    /// The domain that the message is surely from: From names no other one, and DMARC passed for it or a valid DKIM signature is its
    /// own.
    #[must_use]
    pub fn verified_domain(&self) -> Option<Domain> {
        let [dmarc] = self.dmarc.as_slice() else { return None };
        let signed = |dkim: &Dkim| dkim.outcome == Outcome::Pass && dkim.domain.eq_ignore_ascii_case(&dmarc.domain);
        let verified = !self.authors_beyond && (dmarc.outcome == Outcome::Pass || self.dkim.iter().any(signed));
        verified.then(|| Domain::parse(&dmarc.domain).ok()).flatten()
    }

    /// The author's domain does not stand behind the message: DMARC failed, or, where there is no DMARC, SPF did and no signature is
    /// valid.
    #[must_use]
    pub fn failed(&self) -> bool {
        let any = |outcome| self.dmarc.iter().any(|dmarc| dmarc.outcome == outcome);
        let signed = self.dkim.iter().any(|dkim| dkim.outcome == Outcome::Pass);
        any(Outcome::Fail)
            || self.authors_beyond
            || (self.spf.outcome == Outcome::Fail && !signed && !any(Outcome::Pass))
    }
}

/// In the words of a trace.
impl fmt::Display for Authentication {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SPF {}", in_words(self.spf.outcome))?;
        if !self.spf.domain.is_empty() {
            write!(f, " for {}", self.spf.domain)?;
        }
        if self.dkim.is_empty() {
            f.write_str("; no DKIM signature")?;
        }
        for dkim in &self.dkim {
            let whose = if dkim.domain.is_empty() { "somebody" } else { &dkim.domain };
            match dkim.outcome {
                Outcome::Pass => write!(f, "; the DKIM signature of {whose} is valid")?,
                Outcome::Fail
                | Outcome::SoftFail
                | Outcome::Neutral
                | Outcome::None
                | Outcome::Policy
                | Outcome::TemporaryError
                | Outcome::PermanentError => {
                    write!(f, "; the DKIM signature of {whose} does not count ({})", dkim.reason)?
                }
            }
        }
        for dmarc in &self.dmarc {
            write!(f, "; DMARC {} for {}", in_words(dmarc.outcome), dmarc.domain)?;
            if let Some(policy) = dmarc.policy.filter(|_| dmarc.outcome != Outcome::Pass) {
                write!(f, ", which asks for \"{}\"", policy.name())?;
            }
        }
        match self.arc.outcome {
            Outcome::None => Ok(()),
            Outcome::Pass => {
                let last = self.arc.sealers.last().map_or("", |sealer| &sealer.domain);
                write!(f, "; the ARC chain is valid, sealed last by {last}")
            }
            Outcome::Fail
            | Outcome::SoftFail
            | Outcome::Neutral
            | Outcome::Policy
            | Outcome::TemporaryError
            | Outcome::PermanentError => write!(f, "; the ARC chain does not count ({})", self.arc.reason),
        }
    }
}

const fn in_words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "passed",
        Outcome::Fail => "failed",
        Outcome::SoftFail => "failed softly",
        Outcome::Neutral => "says nothing",
        Outcome::None => "has nothing to say",
        Outcome::Policy => "does not count here",
        Outcome::TemporaryError => "could not be asked, the DNS did not answer",
        Outcome::PermanentError => "is published with a mistake",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(dkim: &[(Outcome, &str)], dmarc: &[(Outcome, &str)]) -> Authentication {
        let dkim = dkim.iter().map(|(outcome, domain)| Dkim {
            outcome: *outcome,
            domain: (*domain).to_owned(),
            ..Dkim::default()
        });
        let dmarc = dmarc.iter().map(|(outcome, domain)| Dmarc {
            outcome: *outcome,
            domain: (*domain).to_owned(),
            ..Dmarc::default()
        });
        Authentication { dkim: dkim.collect(), dmarc: dmarc.collect(), ..Authentication::default() }
    }

    #[test]
    fn a_domain_is_verified_by_dmarc_or_by_its_own_signature() {
        use Outcome::{Fail, None as Nothing, Pass};
        for (dkim, dmarc, verified) in [
            (&[][..], &[(Pass, "a.example")][..], Some("a.example")),
            (&[(Pass, "A.example")], &[(Nothing, "a.example")], Some("a.example")),
            (&[(Pass, "mail.a.example")], &[(Nothing, "a.example")], None),
            (&[(Pass, "a.example")], &[(Nothing, "x.a.example")], None),
            (&[(Fail, "a.example")], &[(Nothing, "a.example")], None),
            (&[(Pass, "a.example")], &[(Pass, "a.example"), (Pass, "b.example")], None),
            (&[(Pass, "a.example")], &[], None),
        ] {
            let found = with(dkim, dmarc).verified_domain().map(|domain| domain.to_string());
            assert_eq!(found.as_deref(), verified, "{dkim:?} {dmarc:?}");
        }
    }

    #[test]
    fn who_failed_is_known() {
        use Outcome::{Fail, None as Nothing, Pass, SoftFail};
        for (spf, dkim, dmarc, failed) in [
            (Pass, &[][..], Fail, true),
            (Fail, &[], Nothing, true),
            (Fail, &[(Pass, "x.example")], Nothing, false),
            (Fail, &[], Pass, false),
            (SoftFail, &[(Fail, "a.example")], Nothing, false),
            (Nothing, &[], Nothing, false),
        ] {
            let mut found = with(dkim, &[(dmarc, "a.example")]);
            found.spf.outcome = spf;
            assert_eq!(found.failed(), failed, "{spf} {dkim:?} {dmarc}");
        }
    }

    #[test]
    fn a_trace_says_it_in_words() {
        let mut found = with(&[(Outcome::Pass, "a.example")], &[(Outcome::Pass, "a.example")]);
        found.spf = Spf { outcome: Outcome::Pass, domain: "a.example".to_owned(), explanation: None };
        let said = "SPF passed for a.example; the DKIM signature of a.example is valid; DMARC passed for a.example";
        assert_eq!(found.to_string(), said);
        let mut found = with(&[], &[(Outcome::Fail, "a.example")]);
        found.dmarc[0].policy = Some(Policy::Reject);
        found.arc = Arc { outcome: Outcome::Fail, reason: "a seal is wrong", sealers: Vec::new() };
        let said = "SPF has nothing to say; no DKIM signature; DMARC failed for a.example, which asks for \"reject\"; \
                    the ARC chain does not count (a seal is wrong)";
        assert_eq!(found.to_string(), said);
    }
}
