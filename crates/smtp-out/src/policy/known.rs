//! Finds out what a domain and its hosts ask for: TLSA records, the MTA-STS policy as it is remembered or fetched anew.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use delivery::tls_reports::{self, TlsFailure, TlsPolicyUsed, TlsSession};
use mail::{Domain, Timestamp};
use storage::mta_sts::{StsMode, StsPolicy, StsRow};
use storage::rows::QueueRow;
use tokio::sync::{Mutex, OnceCell};
use world::https::{Https, Reach, Request, Url};
use world::{ResolveError, TlsaRecord};

use super::{Check, Facts, Tlsa, Wish, dane, decide, says_tls_optional, sts};
use crate::Context;
use crate::client::session::{Broken, Session};
use crate::limits::{
    HEAD_OCTETS_MAX, REPORT_LINES_MAX, STS_DNS_RETRY, STS_FAILURES_MAX, STS_FETCH_TIMEOUT, STS_POLICY_OCTETS_MAX,
    STS_REFRESH_RETRY, STS_RETRY,
};
use crate::route::Target;
use crate::tls::VALIDATION_FAILURE;

/// What one attempt learns of the policies of a domain, each asked for when it is needed.
pub(crate) struct Policies<'a> {
    context: &'a Context,
    domain: &'a Domain,
    row: &'a QueueRow,
    sts: OnceCell<Option<StsPolicy>>,
    optional: OnceCell<bool>,
    /// Who wants TLS reports (RFC 8460).
    readers: OnceCell<Vec<String>>,
    /// The hosts are few, and their addresses come one behind the other.
    tlsa: Mutex<Vec<(Domain, Tlsa)>>,
}

impl<'a> Policies<'a> {
    pub(crate) fn new(context: &'a Context, domain: &'a Domain, row: &'a QueueRow) -> Self {
        let (sts, optional, readers, tlsa) = (OnceCell::new(), OnceCell::new(), OnceCell::new(), Mutex::default());
        Self { context, domain, row, sts, optional, readers, tlsa }
    }

    /// How the host's certificate is checked, or why it gets nothing: with REQUIRETLS, or without.
    pub(crate) async fn of(&self, target: &Target, require_tls: bool) -> Result<Check, Broken> {
        let wish = if require_tls { Wish::Required } else { Wish::Usual };
        let tlsa = self.tlsa(target).await;
        // RFC 8461 §2: where DANE has something to say it alone decides, and the policy needn't be fetched.
        let alone = match &tlsa {
            Tlsa::Failed(_) => true,
            Tlsa::Records(_, records) => wish == Wish::Usual || !dane::usable(records).is_empty(),
            Tlsa::Unsigned | Tlsa::Nothing => false,
        };
        let sts = if alone || !self.context.settings.tls.mta_sts || self.domain.as_literal().is_some() {
            None
        } else {
            self.sts.get_or_init(|| self.context.sts.of(self.context, self.domain)).await.as_ref()
        };
        let facts = Facts { domain: self.domain, host: &target.host, tlsa: &tlsa, sts, wish };
        match decide(&facts) {
            Ok(check) if !check.demands_tls() => Ok(check),
            // Read only where it matters.
            _ if wish == Wish::Usual && self.is_tls_optional().await => {
                decide(&Facts { wish: Wish::Optional, ..facts })
            }
            decided => decided,
        }
    }

    /// Counts for the domain's TLS report how connecting to a host went ([`how_it_went`]), if it wants one.
    pub(crate) async fn count(&self, target: &Target, check: Option<&Check>, went: Option<Went>) {
        let Some(Went(result)) = went else { return };
        // What a message asks for past the policies says nothing about them.
        let past = self.optional.get().is_some_and(|optional| *optional) || check == Some(&Check::Message);
        if past || self.domain.as_literal().is_some() || !self.context.delivery.reports_tls() {
            return;
        }
        let readers = self.readers.get_or_init(|| async {
            let name = Domain::parse(&format!("_smtp._tls.{}", self.domain)).ok();
            match name {
                Some(name) => tls_reports::readers(&self.context.world.resolver.txt(&name).await.unwrap_or_default()),
                None => Vec::new(),
            }
        });
        let readers = readers.await;
        if readers.is_empty() {
            return;
        }
        let failure = result.map(|result| TlsFailure {
            result_type: result.to_owned(),
            receiving_mx_hostname: target.host.to_string(),
            receiving_ip: target.address.ip().to_string(),
        });
        let session = TlsSession { policy: self.used(check, result).await, failure };
        self.context.delivery.count_tls_session(self.domain.clone(), readers, &session).await;
    }

    /// The policy that a connection was held to.
    async fn used(&self, check: Option<&Check>, result: Option<&'static str>) -> TlsPolicyUsed {
        let sts = self.sts.get().and_then(Option::as_ref);
        let dane = match check {
            Some(Check::Dane { .. } | Check::EncryptedByDane) => true,
            Some(Check::Opportunistic | Check::Trial { .. } | Check::Sts | Check::Message) => false,
            None => result == Some("dnssec-invalid"),
        };
        let (kind, policy_string, mx_host) = match sts {
            _ if dane => {
                let known = self.tlsa.lock().await;
                let records = known.iter().filter_map(|(_, found)| match found {
                    Tlsa::Records(_, records) => Some(records),
                    Tlsa::Unsigned | Tlsa::Nothing | Tlsa::Failed(_) => None,
                });
                let lines = records.flatten().take(REPORT_LINES_MAX).map(tlsa_line).collect();
                ("tlsa", lines, Vec::new())
            }
            Some(policy) => {
                let hosts: Vec<String> = policy.hosts.iter().take(REPORT_LINES_MAX).cloned().collect();
                let mode = match policy.mode {
                    StsMode::Enforce => "mode: enforce",
                    StsMode::Testing => "mode: testing",
                    StsMode::None => "mode: none",
                };
                let mut lines = vec!["version: STSv1".to_owned(), mode.to_owned()];
                lines.extend(hosts.iter().map(|host| format!("mx: {host}")));
                ("sts", lines, hosts)
            }
            None => ("no-policy-found", Vec::new(), Vec::new()),
        };
        let (policy_type, policy_domain) = (kind.to_owned(), self.domain.to_string());
        TlsPolicyUsed { policy_type, policy_string, policy_domain, mx_host }
    }

    async fn tlsa(&self, target: &Target) -> Tlsa {
        let mut known = self.tlsa.lock().await;
        if let Some((_, found)) = known.iter().find(|(host, _)| *host == target.host) {
            return found.clone();
        }
        let found = tlsa(self.context, target).await;
        known.push((target.host.clone(), found.clone()));
        found
    }

    /// Whether the message says `TLS-Required: No`.
    async fn is_tls_optional(&self) -> bool {
        *self.optional.get_or_init(|| async { says_tls_optional(&self.head().await) }).await
    }

    /// The beginning of the message. What can't be read is found out when it is sent.
    async fn head(&self) -> Vec<u8> {
        let mut head = Vec::new();
        let Ok(Some(mut blob)) = self.context.store.blob(&self.row.blob).await else { return head };
        let start = u64::from(self.row.skip_octets);
        while head.len() < HEAD_OCTETS_MAX {
            let at = start.saturating_add(u64::try_from(head.len()).unwrap_or(u64::MAX));
            match blob.piece(at, u64::MAX).await {
                Ok(piece) if !piece.is_empty() => head.extend_from_slice(&piece),
                Ok(_) | Err(_) => break,
            }
        }
        head.truncate(HEAD_OCTETS_MAX);
        head
    }
}

/// How a connection went, as TLS reports call it; `None` in it: well.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Went(Option<&'static str>);

/// How connecting to a host went; `None` when it failed, and not for TLS.
pub(crate) fn how_it_went(check: Option<&Check>, opened: &Result<Session, Broken>) -> Option<Went> {
    match (opened, check) {
        (Ok(_), Some(Check::Trial { named: false })) => Some(Went(Some(VALIDATION_FAILURE))),
        (Ok(session), _) => Some(Went(session.flaw)),
        (Err(Broken::Tls(trouble) | Broken::Distrusted(trouble)), _) => Some(Went(Some(trouble.result))),
        (Err(Broken::Refused(_) | Broken::Unfit(_) | Broken::Lacking(_) | Broken::Lost(_)), _) => None,
    }
}

/// A record as zone files have it; of a whole certificate the beginning.
fn tlsa_line(record: &TlsaRecord) -> String {
    let hex = record.data.iter().take(TLSA_OCTETS_SHOWN).fold(String::new(), |hex, octet| format!("{hex}{octet:02x}"));
    format!("{} {} {} {hex}", record.usage, record.selector, record.matching)
}

/// The TLSA records of a host.
async fn tlsa(context: &Context, target: &Target) -> Tlsa {
    let Some(base) = &target.proven else { return Tlsa::Unsigned };
    // RFC 7672 §2.2.2: at the name where aliases end, and if there is nothing at the name itself.
    let mut names = vec![base];
    if *base != target.host {
        names.push(&target.host);
    }
    for name in names {
        let Ok(at) = Domain::parse(&format!("_{}._tcp.{name}", target.address.port())) else { return Tlsa::Nothing };
        match context.world.resolver.tlsa(&at).await {
            Ok(answer) if answer.secure && !answer.records.is_empty() => {
                return Tlsa::Records(name.clone(), answer.records);
            }
            Ok(_) => {}
            Err(error) => return Tlsa::Failed(format!("the TLSA records of {name} are not to be had: {error}")),
        }
    }
    Tlsa::Nothing
}

/// MTA-STS policies: those in the store, and a client for the others.
pub(crate) struct StsPolicies {
    https: Arc<dyn Https>,
    /// One look at a domain at a time. Domains share these.
    turns: Vec<Mutex<()>>,
    /// Domains whose policy was not to be had, until when they are not asked again (RFC 8461 §3.3).
    failures: std::sync::Mutex<HashMap<Domain, Timestamp>>,
}

const TURNS: usize = 64;

impl StsPolicies {
    pub(crate) fn new(https: Arc<dyn Https>) -> Self {
        let turns = std::iter::repeat_with(Mutex::default).take(TURNS).collect();
        Self { https, turns, failures: std::sync::Mutex::default() }
    }

    /// The policy of a domain, if it has one that is not `none`.
    pub(crate) async fn of(&self, context: &Context, domain: &Domain) -> Option<StsPolicy> {
        let turn = domain.as_str().bytes().fold(0, |sum: usize, octet| sum.wrapping_mul(31).wrapping_add(octet.into()));
        let _turn = match self.turns.get(turn % TURNS) {
            Some(turn) => Some(turn.lock().await),
            None => None,
        };
        let now = context.world.clock.now();
        let known = match context.store.sts_policy(domain).await {
            Ok(row) => row.filter(|row| now < row.until && row.fetched <= now),
            Err(error) => {
                tracing::warn!(%domain, %error, "an MTA-STS policy can't be read from the store");
                None
            }
        };
        let policy = match self.wanted(context, domain, known.as_ref(), now).await {
            None => known.map(|row| row.policy),
            Some(id) => match self.fetch(context, domain, &id, now).await {
                Ok(policy) => Some(policy),
                Err(why) => {
                    tracing::info!(%domain, why, remembered = known.is_some(), "no MTA-STS policy could be fetched");
                    let pause = if known.is_some() { STS_REFRESH_RETRY } else { STS_RETRY };
                    self.failed(domain, now, pause);
                    // RFC 8461 §5.1: what is remembered holds until it expires.
                    known.map(|row| row.policy)
                }
            },
        };
        policy.filter(|policy| policy.mode != StsMode::None)
    }

    /// The id of a policy that is to be fetched.
    async fn wanted(
        &self,
        context: &Context,
        domain: &Domain,
        known: Option<&StsRow>,
        now: Timestamp,
    ) -> Option<String> {
        let name = Domain::parse(&format!("_mta-sts.{domain}")).ok()?;
        if self.is_left_alone(domain, now) {
            return None;
        }
        // Without a record nothing is fetched, and what is remembered holds: whoever can hide the record must not be
        // able to hide the policy.
        let records = match context.world.resolver.txt(&name).await {
            Ok(records) => records,
            Err(ResolveError::Temporary(_)) => {
                // The next message over an open connection would wait for the same silence.
                self.failed(domain, now, STS_DNS_RETRY);
                return None;
            }
            Err(ResolveError::NoSuchName | ResolveError::NoRecords) => return None,
        };
        let id = sts::id(&records)?;
        if let Some(row) = known.filter(|row| row.policy.id == id) {
            // The same one; fetched anew in the second half of its life (§3.3), lest it expires.
            let life = row.until.since(row.fetched);
            if now.since(row.fetched) < life / 2 {
                return None;
            }
        }
        Some(id.to_owned())
    }

    /// Whether nothing new is asked of a domain for now.
    fn is_left_alone(&self, domain: &Domain, now: Timestamp) -> bool {
        let failures = self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        failures.get(domain).is_some_and(|until| *until > now)
    }

    async fn fetch(&self, context: &Context, domain: &Domain, id: &str, now: Timestamp) -> Result<StsPolicy, String> {
        let url = Url::parse(&format!("https://mta-sts.{domain}/.well-known/mta-sts.txt"));
        let mut request = Request::get(url.map_err(|flaw| flaw.to_string())?);
        request.within = STS_FETCH_TIMEOUT;
        request.octets_max = STS_POLICY_OCTETS_MAX;
        // Whoever answers must have a certificate for this very name before anything is said to it.
        request.reach = Reach::Anywhere;
        let response = self.https.exchange(request).await.map_err(|error| error.to_string())?;
        if response.status != 200 {
            // §3.3: no redirects, and nothing else either.
            return Err(format!("the server answered with status {}", response.status));
        }
        if response.media_type().as_deref() != Some("text/plain") {
            return Err("the policy is not text/plain".to_owned());
        }
        let (policy, age) =
            sts::policy(id, &response.body).map_err(|flaw| format!("the policy can't be used: {flaw}"))?;
        let row = StsRow { policy: policy.clone(), fetched: now, until: now.plus(age.max(AGE_MIN)) };
        if let Err(error) = context.store.remember_sts_policy(domain.clone(), row).await {
            // It holds for this message; the next one fetches it again.
            tracing::warn!(%domain, %error, "an MTA-STS policy can't be kept");
        }
        Ok(policy)
    }

    fn failed(&self, domain: &Domain, now: Timestamp, pause: Duration) {
        let mut failures = self.failures.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if failures.len() >= STS_FAILURES_MAX {
            failures.retain(|_, until| *until > now);
        }
        if failures.len() < STS_FAILURES_MAX {
            failures.insert(domain.clone(), now.plus(pause));
        }
    }
}

/// Octets of a TLSA record in a TLS report: as many as the longest digest has.
const TLSA_OCTETS_SHOWN: usize = 64;

/// A policy that says it holds for no time would be fetched for each message.
const AGE_MIN: Duration = Duration::from_secs(60);
