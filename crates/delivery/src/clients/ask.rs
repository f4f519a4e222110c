//! What the DNS is asked about a client, within bounds. What it does not answer is noted, and is nothing said.

use std::net::IpAddr;

use futures_util::future::join_all;
use mail::{Address, Domain};
use reputation::doubts::{Known, ReverseName, SpfSaid};
use reputation::limits::LIST_TEXT_CHARS_MAX;
use reputation::lists::{ListUse, Reading, Subject};
use reputation::text::printable;
use sender_auth::verify::{Client, Outcome, SpfSeen};
use world::ResolveError;

use super::cache::Answer;
use super::{ASKED_FOR, Inner, ORGANIZATION_ASKED_FOR, TEXT_ASKED_FOR};

/// What a list said of somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    /// Its place among the lists.
    pub(crate) list: usize,
    /// Of whom: an address or a domain.
    pub(crate) about: String,
    /// What; `None`: it did not answer.
    pub(crate) said: Option<Reading>,
    /// In words of its own: printable ASCII.
    pub(crate) text: String,
}

/// What is known of an address.
#[derive(Debug, Default)]
pub(super) struct OfAddress {
    pub(super) reverse: ReverseName,
    pub(super) findings: Vec<Finding>,
    complete: bool,
}

/// What is known of who a client says to be, and to write as.
#[derive(Debug, Default)]
pub(super) struct OfNames {
    pub(super) helo_resolves: Known,
    pub(super) spf: SpfSaid,
    /// The domain whose server the client is: SPF passes for it, and names not too much of the world.
    pub(super) pool: Option<Domain>,
    pub(super) findings: Vec<Finding>,
    complete: bool,
}

/// The organization that a domain belongs to.
#[derive(Debug, Default)]
pub(super) struct OfDomain {
    /// `None`: the DNS did not answer.
    pub(super) organization: Option<Domain>,
    /// The client for which it was to be asked had no place for its question; another one may have.
    unasked: bool,
}

impl Answer for OfDomain {
    fn is_complete(&self) -> bool {
        self.organization.is_some()
    }

    fn was_asked(&self) -> bool {
        !self.unasked
    }
}

impl Answer for OfAddress {
    fn is_complete(&self) -> bool {
        self.complete
    }
}

impl Answer for OfNames {
    fn is_complete(&self) -> bool {
        self.complete
    }
}

/// Who a client says to be, and to write as.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Names {
    pub(super) ip: IpAddr,
    pub(super) helo: Option<String>,
    pub(super) reverse_path: Option<Address>,
}

impl Inner {
    /// The name of an address, and what lists say of it.
    pub(super) async fn of_address(&self, ip: IpAddr) -> OfAddress {
        let Some(_place) = self.places.take(&self.world, ip.into()).await else { return OfAddress::default() };
        let reverse = async {
            let Some(by) = self.by.as_ref().filter(|_| self.settings.doubts) else {
                return (ReverseName::Unknown, true);
            };
            let Ok(found) = self.world.timeout(ASKED_FOR, by.reverse_name(ip)).await else {
                return (ReverseName::Unknown, false);
            };
            match (found.outcome, found.name) {
                (Outcome::Pass, Some(name)) => (ReverseName::Confirmed(name), true),
                (Outcome::PermanentError, None) => (ReverseName::Missing, true),
                (Outcome::Fail, Some(name)) => (ReverseName::Unconfirmed(name), true),
                (Outcome::TemporaryError, _) => (ReverseName::Unknown, false),
                _ => (ReverseName::Unknown, true),
            }
        };
        let lists = self.settings.lists.iter().enumerate().filter(|(_, list)| list.subject == Subject::Addresses);
        let lists = lists.filter_map(|(n, list)| Some((n, list.name_of(ip)?)));
        let findings = join_all(lists.map(|(n, name)| self.listed(n, ip.to_canonical().to_string(), name)));
        let ((reverse, told), findings) = futures_util::join!(reverse, findings);
        let findings: Vec<Finding> = findings.into_iter().flatten().collect();
        let complete = told && findings.iter().all(|finding| finding.said.is_some());
        OfAddress { reverse, findings, complete }
    }

    /// SPF, whether the name behind EHLO has an address, and what lists say of it and of the reverse-path's domain.
    pub(super) async fn of_names(&self, names: Names) -> OfNames {
        let Some(_place) = self.places.take(&self.world, names.ip.into()).await else { return OfNames::default() };
        let helo =
            names.helo.as_deref().and_then(|helo| Domain::parse(helo).ok()).filter(|helo| helo.as_literal().is_none());
        let resolves = async {
            let asked = helo.as_ref().filter(|helo| self.settings.doubts && helo.as_str().contains('.'));
            let Some(helo) = asked else { return (Known::Unknown, true) };
            match self.world.timeout(ASKED_FOR, self.world.resolver.addresses(helo)).await {
                Ok(Ok(_)) => (Known::Yes, true),
                Ok(Err(ResolveError::NoSuchName | ResolveError::NoRecords)) => (Known::No, true),
                Ok(Err(ResolveError::Temporary(_))) | Err(_) => (Known::Unknown, false),
            }
        };
        let client = Client { ip: names.ip, helo: names.helo.clone(), reverse_path: names.reverse_path.clone() };
        let spf = async {
            let Some(by) = &self.by else { return (SpfSaid::Unknown, None, true) };
            let Ok(SpfSeen { spf, narrow }) = self.world.timeout(ASKED_FOR, by.spf(&client)).await else {
                return (SpfSaid::Unknown, None, false);
            };
            let (said, told) = match spf.outcome {
                Outcome::Pass => (SpfSaid::Pass, true),
                Outcome::Fail => (SpfSaid::Fail, true),
                Outcome::SoftFail => (SpfSaid::SoftFail, true),
                Outcome::Neutral => (SpfSaid::Neutral, true),
                Outcome::None => (SpfSaid::None, true),
                Outcome::TemporaryError => (SpfSaid::Unknown, false),
                Outcome::Policy | Outcome::PermanentError => (SpfSaid::Unknown, true),
            };
            let pool = (narrow && said == SpfSaid::Pass).then(|| Domain::parse(&spf.domain).ok());
            (said, pool.flatten(), told)
        };
        let mut domains: Vec<&Domain> =
            names.reverse_path.as_ref().map(Address::domain).into_iter().chain(&helo).collect();
        domains.dedup();
        let lists = self.settings.lists.iter().enumerate();
        let lists = lists.flat_map(|(n, list)| {
            domains.iter().filter_map(move |domain| Some((n, *domain, list.name_of_domain(domain)?)))
        });
        let findings = join_all(lists.map(|(n, domain, name)| self.listed(n, domain.to_string(), name)));
        let ((helo_resolves, one), (spf, pool, other), findings) = futures_util::join!(resolves, spf, findings);
        let findings: Vec<Finding> = findings.into_iter().flatten().collect();
        let complete = one && other && findings.iter().all(|finding| finding.said.is_some());
        OfNames { helo_resolves, spf, pool, findings, complete }
    }

    /// The organization of a domain, asked for briefly: a recipient waits for it. `ip`: of the client for which it is asked.
    pub(super) async fn organization_of(&self, domain: Domain, ip: IpAddr) -> OfDomain {
        let Some(by) = &self.by else { return OfDomain::default() };
        let Some(_place) = self.places.take(&self.world, ip.into()).await else {
            return OfDomain { organization: None, unasked: true };
        };
        let found = self.world.timeout(ORGANIZATION_ASKED_FOR, by.organization(&domain)).await;
        OfDomain { organization: found.ok().flatten(), unasked: false }
    }

    /// What lists say of a domain.
    pub(super) async fn of_domain(&self, domain: &Domain) -> Vec<Finding> {
        let lists = self.settings.lists.iter().enumerate();
        let lists = lists.filter_map(|(n, list)| Some((n, list.name_of_domain(domain)?)));
        let findings = join_all(lists.map(|(n, name)| self.listed(n, domain.to_string(), name)));
        findings.await.into_iter().flatten().collect()
    }

    /// What a list says of somebody; `None`: the list is not used.
    async fn listed(&self, list: usize, about: String, name: Domain) -> Option<Finding> {
        let settings = self.settings.lists.get(list)?;
        if !self.is_sound(list).await {
            return None;
        }
        let said = match self.world.timeout(ASKED_FOR, self.world.resolver.ipv4(&name)).await {
            Ok(Ok(answers)) => Some(settings.read(&answers)),
            Ok(Err(ResolveError::NoSuchName | ResolveError::NoRecords)) => Some(Reading::Absent),
            Ok(Err(ResolveError::Temporary(_))) | Err(_) => None,
        };
        let outcome = match said {
            None => "unanswered",
            Some(Reading::Absent) => "absent",
            Some(Reading::Listed { .. }) => "listed",
            Some(Reading::Refuses(_)) => "refused",
            Some(Reading::Strange(_)) => "strange",
        };
        metrics::counter!("relais_reputation_list_answers_total", "zone" => settings.zone.to_string(), "outcome" => outcome)
            .increment(1);
        match said {
            None => self.complain(list, "does not answer"),
            Some(Reading::Refuses(_)) => {
                self.complain(list, "refuses to answer: too much was asked, or it does not serve this resolver")
            }
            Some(Reading::Strange(_)) => self.complain(list, "gives answers that no list gives"),
            Some(Reading::Absent | Reading::Listed { .. }) => {}
        }
        let speaks = matches!(said, Some(Reading::Listed { .. })) && settings.used != ListUse::Points;
        let text = if speaks { self.text_of(&name).await } else { String::new() };
        Some(Finding { list, about, said, text })
    }

    /// What a list says of a name in words.
    async fn text_of(&self, name: &Domain) -> String {
        let asked = self.world.timeout(TEXT_ASKED_FOR, self.world.resolver.txt(name)).await;
        let texts = asked.ok().and_then(Result::ok).unwrap_or_default();
        texts.first().map(|text| printable(text, LIST_TEXT_CHARS_MAX)).unwrap_or_default()
    }
}
