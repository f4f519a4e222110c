//! The checks as they are made, with one resolver whose answers are kept within bounds, and within one time limit.

use std::collections::HashMap;
use std::net::IpAddr;
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use mail::{Domain, Timestamp};
use mail_auth::crypto::Algorithm;
use mail_auth::dmarc::verify::DmarcParameters;
use mail_auth::hickory_resolver::config::{ResolverConfig, ResolverOpts};
use mail_auth::hickory_resolver::system_conf::read_system_conf;
use mail_auth::{
    AuthenticatedMessage, DkimOutput, DkimResult, DmarcOutput, DmarcResult, Error, MessageAuthenticator, SpfOutput,
    SpfResult,
};
use message::parse_addresses;
use world::{BoxFuture, World};

use super::arrival::{Arrived, signatures};
use super::chain::{Chain, chain, chain_outcome};
use super::key::KeyAnswer;
use super::limits::{
    AUTHOR_DOMAINS_MAX, CHECK_TIME, CLIENT_NAMES_MAX, DNS_ANSWERS_MAX, DNS_TTL_MAX, LOOKUPS_AT_ONCE, SIGNATURES_MAX,
};
use super::names::{Names, NoAnswer};
use super::organization::{Walked, names_of, organization};
use super::results::{
    Arc as ArcResult, Authentication, Client, Dkim, Dmarc, Iprev, Outcome, Policy, Published, Spf, SpfSeen,
};
use super::signature::{Fields, Flaw, Signature, beginning};
use super::spf::{self, Question};

/// Who checks where messages come from.
pub trait SenderAuthentication: Send + Sync {
    /// Checks a message that has come in from a client. Always comes to an end: what can't be asked is a
    /// [`Outcome::TemporaryError`].
    fn check<'a>(&'a self, arrived: &'a Arrived, client: &'a Client) -> BoxFuture<'a, Authentication>;

    /// Whether an address has a name that leads back to it (RFC 8601 §3): asked before there is a message.
    fn reverse_name(&self, ip: IpAddr) -> BoxFuture<'_, Iprev>;

    /// SPF of a client's reverse-path, or of the name in EHLO for the null one: asked before there is a message.
    fn spf<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, SpfSeen>;

    /// The organization that a domain belongs to (RFC 9989 §4.10.2); the domain itself when nothing is published. `None`: the DNS did not
    /// answer.
    fn organization<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Option<Domain>>;

    /// Who of these may get reports on a domain (RFC 9990 §4): addresses of the domain itself, and those whose own domain says in the
    /// DNS that it takes them.
    fn entitled<'a>(&'a self, domain: &'a str, wanted: &'a [String]) -> BoxFuture<'a, Entitled>;
}

/// Who may get reports.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Entitled {
    /// These.
    These(Vec<String>),
    /// The DNS did not answer.
    Unknown,
}

/// The checks by the DNS.
pub struct DnsAuthentication {
    dns: MessageAuthenticator,
    world: World,
    /// This server, as SPF's `%{r}` shows it.
    hostname: Domain,
    patience: Duration,
}

/// The DNS of this machine can't be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the system's DNS configuration: {0}")]
pub struct NoDns(String);

impl DnsAuthentication {
    /// With the name servers that the system is configured with.
    ///
    /// # Errors
    /// When that configuration can't be read.
    pub fn from_system(hostname: Domain, world: World, patience: Duration) -> Result<Self, NoDns> {
        let (config, options) = read_system_conf().map_err(|error| NoDns(error.to_string()))?;
        Self::new(config, options, hostname, world, patience)
    }

    /// With these name servers.
    ///
    /// # Errors
    /// When no resolver can be made of them.
    pub fn new(
        config: ResolverConfig,
        mut options: ResolverOpts,
        hostname: Domain,
        world: World,
        patience: Duration,
    ) -> Result<Self, NoDns> {
        // Names are complete: a search list would ask the wrong place.
        options.ndots = 0;
        options.cache_size = DNS_ANSWERS_MAX;
        options.positive_max_ttl = Some(DNS_TTL_MAX);
        options.negative_max_ttl = Some(DNS_TTL_MAX);
        let dns = MessageAuthenticator::new(config, options).map_err(|error| NoDns(error.to_string()))?;
        Ok(Self { dns, world, hostname, patience: patience.min(CHECK_TIME) })
    }

    /// For tests that compare.
    #[cfg(test)]
    pub(super) const fn mail_auth(&self) -> &MessageAuthenticator {
        &self.dns
    }

    /// A result, or what stands for it when time is over.
    async fn within<T>(&self, work: impl Future<Output = T>, otherwise: impl FnOnce() -> T) -> T {
        self.world.timeout(self.patience, work).await.unwrap_or_else(|_| otherwise())
    }

    /// SPF of the name in EHLO, and of the reverse-path; `None`: the null one.
    pub(super) async fn spf_of(&self, ip: IpAddr, helo: &str, path: Option<&str>) -> (SpfSeen, SpfSeen) {
        let asked = |sender: String| async move {
            let question = Question {
                ip,
                helo,
                sender: &sender,
                receiver: self.hostname.as_str(),
                now_secs: self.world.clock.now().as_secs(),
            };
            let domain = sender.rsplit_once('@').map_or("", |(_, domain)| domain).to_owned();
            let unsure = || {
                let spf = Spf { outcome: Outcome::TemporaryError, domain, explanation: None };
                SpfSeen { spf, narrow: false }
            };
            self.within(spf::check(self.names(), question), unsure).await
        };
        let of_path = async {
            match path {
                Some(path) => Some(asked(path.to_owned()).await),
                None => None,
            }
        };
        let (of_helo, of_path) = futures_util::join!(asked(format!("postmaster@{helo}")), of_path);
        // RFC 7208 §2.4: for the null reverse-path, postmaster at the name in EHLO.
        let of_path = of_path.unwrap_or_else(|| of_helo.clone());
        (of_helo, of_path)
    }

    /// RFC 8601 §3.
    async fn iprev(&self, ip: IpAddr) -> Iprev {
        let asked = async {
            let names = match self.names().names_of(ip).await {
                Ok(names) => names,
                Err(NoAnswer::Void) => return Iprev { outcome: Outcome::PermanentError, name: None },
                Err(NoAnswer::Temporary) => return Iprev { outcome: Outcome::TemporaryError, name: None },
            };
            let mut outcome = Outcome::Fail;
            for name in names.iter().take(CLIENT_NAMES_MAX) {
                match self.names().addresses(name, ip).await {
                    Ok(found) if found.contains(&ip) => {
                        return Iprev { outcome: Outcome::Pass, name: Some(name.clone()) };
                    }
                    Ok(_) | Err(NoAnswer::Void) => {}
                    Err(NoAnswer::Temporary) => outcome = Outcome::TemporaryError,
                }
            }
            Iprev { outcome, name: names.into_iter().next() }
        };
        self.within(asked, || Iprev { outcome: Outcome::TemporaryError, name: None }).await
    }

    fn names(&self) -> Names<'_> {
        Names(self.dns.resolver())
    }

    /// The answers for these names; those that do not come in time are [`KeyAnswer::Temporary`].
    async fn keys(&self, names: Vec<String>) -> HashMap<String, KeyAnswer> {
        let asked = names.into_iter().map(|name| async move {
            let answer = self.within(self.key(&name), || KeyAnswer::Temporary).await;
            (name, answer)
        });
        stream::iter(asked).buffer_unordered(LOOKUPS_AT_ONCE).collect().await
    }

    async fn key(&self, name: &str) -> KeyAnswer {
        match self.names().texts(name).await {
            Ok(records) => KeyAnswer::Records(records),
            Err(NoAnswer::Void) => KeyAnswer::Missing,
            Err(NoAnswer::Temporary) => KeyAnswer::Temporary,
        }
    }

    /// DMARC for one author, within the time that is left.
    async fn dmarc(&self, author: &str, signed: &[DkimOutput<'_>], spf: &Spf, left: Duration) -> Dmarc {
        let spf = &spf_output(spf);
        let header = format!("From: author@{author}\r\n\r\n");
        let Some(message) = AuthenticatedMessage::parse(header.as_bytes()) else {
            return Dmarc { domain: author.to_owned(), ..Dmarc::default() };
        };
        let asked = DmarcParameters::new(&message, signed, spf.domain(), spf);
        let evaluated = async {
            let found = self.dns.verify_dmarc(asked).await;
            let domain = if found.record().is_some() { self.policy_domain(author).await } else { String::new() };
            dmarc(author, domain, &found)
        };
        let unsure = || Dmarc { outcome: Outcome::TemporaryError, domain: author.to_owned(), ..Dmarc::default() };
        self.world.timeout(left, evaluated).await.unwrap_or_else(|_| unsure())
    }

    /// Whose record was found: the author's, or that of the highest domain above that has one (RFC 9989 §4.10). The answers are those
    /// that were just given.
    async fn policy_domain(&self, author: &str) -> String {
        let names: Vec<&str> = std::iter::successors(Some(author), |name| name.split_once('.').map(|(_, above)| above))
            .filter(|name| name.contains('.'))
            .collect();
        let highest = names.iter().rev().take(POLICY_NAMES_MAX).rev().filter(|name| **name != author);
        let mut found = author.to_owned();
        for name in std::iter::once(&author).chain(highest) {
            let texts = self.names().texts(&format!("_dmarc.{name}.")).await.unwrap_or_default();
            if texts.iter().any(|text| text.starts_with(b"v=DMARC1")) {
                (*name).clone_into(&mut found);
                if *name == author {
                    break;
                }
            }
        }
        found
    }
}

/// Names above an author's domain at which a policy may stand (RFC 9989 §4.10).
const POLICY_NAMES_MAX: usize = 7;

/// What DMARC says, in our terms.
fn dmarc(author: &str, domain: String, found: &DmarcOutput) -> Dmarc {
    let outcome = match found.result() {
        DmarcResult::Pass => Outcome::Pass,
        DmarcResult::Fail(_) => Outcome::Fail,
        DmarcResult::TempError(_) => Outcome::TemporaryError,
        DmarcResult::PermError(_) => Outcome::PermanentError,
        DmarcResult::None => Outcome::None,
    };
    let published = found.record().map(|record| Published {
        domain,
        policy: policy(record.p),
        subdomain_policy: policy(record.sp),
        strict_dkim: record.adkim == mail_auth::dmarc::Alignment::Strict,
        strict_spf: record.aspf == mail_auth::dmarc::Alignment::Strict,
        testing: record.t,
        report_to: record.rua().iter().map(|to| (to.uri().to_owned(), to.max_size() as u64)).collect(),
    });
    Dmarc {
        outcome,
        domain: author.to_owned(),
        policy: found.record().map(|_| policy(found.policy())),
        spf_aligned: *found.spf_result() == DmarcResult::Pass,
        dkim_aligned: *found.dkim_result() == DmarcResult::Pass,
        published,
    }
}

const fn policy(from: mail_auth::dmarc::Policy) -> Policy {
    match from {
        mail_auth::dmarc::Policy::None | mail_auth::dmarc::Policy::Unspecified => Policy::None,
        mail_auth::dmarc::Policy::Quarantine => Policy::Quarantine,
        mail_auth::dmarc::Policy::Reject => Policy::Reject,
    }
}

/// As `mail-auth` takes it.
fn spf_output(found: &Spf) -> SpfOutput {
    let result = match found.outcome {
        Outcome::Pass => SpfResult::Pass,
        Outcome::Fail | Outcome::Policy => SpfResult::Fail,
        Outcome::SoftFail => SpfResult::SoftFail,
        Outcome::Neutral => SpfResult::Neutral,
        Outcome::None => SpfResult::None,
        Outcome::TemporaryError => SpfResult::TempError,
        Outcome::PermanentError => SpfResult::PermError,
    };
    SpfOutput::new(found.domain.clone()).with_result(result)
}

impl SenderAuthentication for DnsAuthentication {
    fn check<'a>(&'a self, arrived: &'a Arrived, client: &'a Client) -> BoxFuture<'a, Authentication> {
        Box::pin(async move {
            let begun = self.world.clock.now();
            let fields = Fields::of(&arrived.header);
            let signed = Signed::of(&fields, arrived, begun);
            let helo = client.helo.as_deref().unwrap_or_default();
            let path = client.reverse_path.as_ref().map(ToString::to_string);
            let ((spf_helo, spf_path), iprev, keys) = futures_util::join!(
                self.spf_of(client.ip, helo, path.as_deref()),
                self.iprev(client.ip),
                self.keys(signed.key_names())
            );
            let (dkim, arc) = signed.verify(&fields, &keys);
            let (spf_helo, spf_path) = (spf_helo.spf, spf_path.spf);
            let outputs = signed.outputs(&dkim);
            let outputs: Vec<DkimOutput<'_>> = outputs
                .iter()
                .map(|(result, signature)| DkimOutput::from(result.clone()).with_signature(signature))
                .collect();
            let mut authors = author_domains(&fields);
            let left = self.patience.saturating_sub(self.world.clock.now().since(begun));
            let authors_beyond = authors.len() > AUTHOR_DOMAINS_MAX;
            authors.truncate(AUTHOR_DOMAINS_MAX);
            let dmarc = futures_util::future::join_all(
                authors.iter().map(|author| self.dmarc(author, &outputs, &spf_path, left)),
            );
            Authentication {
                client: Some(client.clone()),
                dmarc: dmarc.await,
                spf: spf_path,
                spf_helo,
                dkim_beyond: fields.named("dkim-signature").count().saturating_sub(SIGNATURES_MAX),
                dkim,
                arc,
                iprev,
                dnswl: Vec::new(),
                authors_beyond,
            }
        })
    }

    fn reverse_name(&self, ip: IpAddr) -> BoxFuture<'_, Iprev> {
        Box::pin(self.iprev(ip))
    }

    fn spf<'a>(&'a self, client: &'a Client) -> BoxFuture<'a, SpfSeen> {
        Box::pin(async move {
            let helo = client.helo.as_deref().unwrap_or_default();
            let path = client.reverse_path.as_ref().map(ToString::to_string);
            self.spf_of(client.ip, helo, path.as_deref()).await.1
        })
    }

    fn organization<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Option<Domain>> {
        Box::pin(async move {
            let asked = names_of(domain.as_str()).into_iter().map(|name| async move {
                match self.names().texts(&format!("_dmarc.{name}")).await {
                    Ok(texts) => Some(Walked::of(name, &texts)),
                    Err(NoAnswer::Void) => Some(Walked::of(name, &[])),
                    Err(NoAnswer::Temporary) => None,
                }
            });
            let answers = futures_util::future::join_all(asked);
            let walked: Option<Vec<Walked<'_>>> =
                self.within(async { answers.await.into_iter().collect() }, || None).await;
            Domain::parse(organization(domain.as_str(), &walked?)).ok()
        })
    }

    fn entitled<'a>(&'a self, domain: &'a str, wanted: &'a [String]) -> BoxFuture<'a, Entitled> {
        Box::pin(async move {
            let asked = async { self.dns.authorized_report_addresses((domain, wanted)).await.ok() };
            match self.within(asked, || None).await {
                Some(entitled) => Entitled::These(entitled.into_iter().cloned().collect()),
                None => Entitled::Unknown,
            }
        })
    }
}

/// The domains of all authors, each once, in every From field: a reader may be shown any of them.
fn author_domains(fields: &Fields<'_>) -> Vec<String> {
    let mut domains: Vec<String> = Vec::new();
    for field in fields.named("from") {
        for address in parse_addresses(field.value()) {
            let host = address.host.as_deref().and_then(|host| std::str::from_utf8(host).ok());
            let domain = host.and_then(|host| Domain::parse(host).ok()).map(|domain| domain.to_string());
            domains.extend(domain.filter(|domain| !domain.starts_with('[') && !domains.contains(domain)));
            if domains.len() > AUTHOR_DOMAINS_MAX {
                return domains;
            }
        }
    }
    domains
}

type Judged = (Signature, Result<(), Flaw>);

/// The signatures of a message, as far as they can be judged without keys.
struct Signed<'f, 'a> {
    /// Each with what can be said without its key, or why it can't be read.
    dkim: Vec<Result<Judged, &'static str>>,
    chain: Option<Result<Chain<'f, 'a>, Flaw>>,
}

impl<'f, 'a> Signed<'f, 'a> {
    fn of(fields: &'f Fields<'a>, arrived: &Arrived, now: Timestamp) -> Self {
        let judged = |signature: Signature| {
            let before = signature.before_key(&arrived.hashes, now);
            (signature, before)
        };
        let dkim = signatures(fields).map(|read| read.map(judged)).collect();
        Self { dkim, chain: chain(fields, &arrived.hashes, now) }
    }

    /// The keys that are wanted, each once.
    fn key_names(&self) -> Vec<String> {
        let dkim = self.dkim.iter().flatten().filter(|(_, before)| before.is_ok());
        let chain = self.chain.iter().flatten().flat_map(Chain::key_names);
        let mut names: Vec<String> = dkim.map(|(signature, _)| signature.key_name()).chain(chain).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    fn verify(&self, fields: &Fields<'_>, keys: &HashMap<String, KeyAnswer>) -> (Vec<Dkim>, ArcResult) {
        let key = |name: &str| keys.get(name).unwrap_or(&KeyAnswer::Missing);
        let dkim = self.dkim.iter().zip(fields.named("dkim-signature")).map(|(read, field)| match read {
            Ok((signature, before)) => {
                let verified = before.and_then(|()| signature.verify(fields, field, key(&signature.key_name())));
                told(signature, verified)
            }
            Err(reason) => Dkim { outcome: Outcome::Neutral, reason, ..Dkim::default() },
        });
        let arc = match &self.chain {
            None => ArcResult::default(),
            Some(Ok(chain)) => chain.told(chain.verify(fields, key)),
            Some(Err((outcome, reason))) => ArcResult { outcome: chain_outcome(*outcome), reason, sealers: Vec::new() },
        };
        (dkim.collect(), arc)
    }

    /// The results that DMARC asks for, as `mail-auth` takes them.
    fn outputs(&self, results: &[Dkim]) -> Vec<(DkimResult, mail_auth::dkim::Signature)> {
        let unreachable = || Error::Dns(mail_auth::DnsError::Resolver("no answer".to_owned()));
        let of = |dkim: &Dkim| {
            let result = match dkim.outcome {
                Outcome::Pass => DkimResult::Pass,
                Outcome::TemporaryError => DkimResult::TempError(unreachable()),
                Outcome::Fail
                | Outcome::SoftFail
                | Outcome::Neutral
                | Outcome::None
                | Outcome::Policy
                | Outcome::PermanentError => return None,
            };
            Some((result, mail_auth::dkim::Signature { d: dkim.domain.clone(), ..Default::default() }))
        };
        results.iter().filter_map(of).collect()
    }
}

fn told(signature: &Signature, verified: Result<(), Flaw>) -> Dkim {
    let (outcome, reason) = match verified {
        Ok(()) => (Outcome::Pass, ""),
        Err(flaw) => flaw,
    };
    let algorithm = match signature.algorithm {
        Algorithm::RsaSha256 => "rsa-sha256",
        Algorithm::RsaSha1 => "rsa-sha1",
        Algorithm::Ed25519Sha256 => "ed25519-sha256",
        Algorithm::MlDsa44 => "",
    };
    Dkim {
        outcome,
        reason,
        domain: signature.domain.to_ascii_lowercase(),
        selector: signature.selector.clone(),
        algorithm,
        signature: beginning(&signature.signature),
    }
}

/// A checker that says what it is told, for tests of what follows.
#[derive(Clone, Debug, Default)]
pub struct Said(pub Authentication);

impl SenderAuthentication for Said {
    fn check<'a>(&'a self, _: &'a Arrived, client: &'a Client) -> BoxFuture<'a, Authentication> {
        let found = Authentication { client: Some(client.clone()), ..self.0.clone() };
        Box::pin(std::future::ready(found))
    }

    fn reverse_name(&self, _: IpAddr) -> BoxFuture<'_, Iprev> {
        Box::pin(std::future::ready(self.0.iprev.clone()))
    }

    fn spf<'a>(&'a self, _: &'a Client) -> BoxFuture<'a, SpfSeen> {
        let spf = self.0.spf.clone();
        let narrow = spf.outcome == Outcome::Pass;
        Box::pin(std::future::ready(SpfSeen { spf, narrow }))
    }

    fn organization<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Option<Domain>> {
        Box::pin(std::future::ready(Some(domain.clone())))
    }

    fn entitled<'a>(&'a self, _: &'a str, wanted: &'a [String]) -> BoxFuture<'a, Entitled> {
        Box::pin(std::future::ready(Entitled::These(wanted.to_vec())))
    }
}
