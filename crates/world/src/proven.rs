//! DNS answers that this server validates itself (RFC 4033 to 4035, RFC 5155), by hickory-resolver.

use std::net::IpAddr;
use std::time::{Duration, Instant};

use hickory_resolver::TokioResolver;
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use mail::Domain;
use tokio::sync::Mutex;

use crate::resolver::{absolute, error, mx_record};
use crate::{MxRecord, Proven, ResolveError, TlsaRecord};

/// How long an unsuccessful trial holds.
const TRIAL_EVERY: Duration = Duration::from_secs(300);

/// How long a trial may take.
const TRIAL_WITHIN: Duration = Duration::from_secs(10);

/// Aliases that are followed.
const ALIASES_MAX: usize = 16;

/// A resolver that validates.
pub(crate) struct Validating {
    resolver: TokioResolver,
    trial: Mutex<Trial>,
}

/// Whether the configured name servers let validation work.
enum Trial {
    NotMade,
    /// Once it has worked it is expected to: whoever takes the signatures away then makes an error, not a downgrade.
    Works,
    Failed(Instant),
}

impl Validating {
    pub(crate) fn new(resolver: TokioResolver) -> Self {
        Self { resolver, trial: Mutex::new(Trial::NotMade) }
    }

    /// Whether the root of the DNS comes with valid signatures.
    pub(crate) async fn works(&self) -> bool {
        let mut trial = self.trial.lock().await;
        match &*trial {
            Trial::Works => return true,
            Trial::Failed(at) if at.elapsed() < TRIAL_EVERY => return false,
            Trial::Failed(_) | Trial::NotMade => {}
        }
        let root = self.resolver.lookup(Name::root(), RecordType::NS);
        let works = match tokio::time::timeout(TRIAL_WITHIN, root).await {
            Ok(Ok(answer)) => is_secure(answer.answers()),
            Ok(Err(_)) | Err(_) => false,
        };
        *trial = if works { Trial::Works } else { Trial::Failed(Instant::now()) };
        works
    }

    pub(crate) async fn mx(&self, domain: &Domain) -> Result<Proven<MxRecord>, ResolveError> {
        self.look_up(domain, RecordType::MX, mx_record).await
    }

    pub(crate) async fn addresses(&self, host: &Domain) -> Result<Proven<IpAddr>, ResolveError> {
        if let Some(ip) = host.as_literal() {
            return Ok(Proven { records: vec![ip], secure: false, exists: true, name: host.clone() });
        }
        let ip = |data: &RData| data.ip_addr();
        let (v4, v6) = tokio::join!(self.look_up(host, RecordType::A, ip), self.look_up(host, RecordType::AAAA, ip));
        let (v4, mut v6) = (v4?, v6?);
        // RFC 7672 §2.2.2: both must be secure. Their aliases are the same, unless the zone changed in between.
        let secure = v4.secure && v6.secure;
        let name = if v4.records.is_empty() { v6.name.clone() } else { v4.name.clone() };
        v6.records.extend(v4.records);
        Ok(Proven { records: v6.records, secure, exists: v4.exists || v6.exists, name })
    }

    pub(crate) async fn tlsa(&self, name: &Domain) -> Result<Proven<TlsaRecord>, ResolveError> {
        let pick = |data: &RData| {
            let RData::TLSA(tlsa) = data else { return None };
            let (usage, selector, matching) = (tlsa.cert_usage.into(), tlsa.selector.into(), tlsa.matching.into());
            Some(TlsaRecord { usage, selector, matching, data: tlsa.cert_data.clone() })
        };
        self.look_up(name, RecordType::TLSA, pick).await
    }

    async fn look_up<T>(
        &self,
        name: &Domain,
        kind: RecordType,
        pick: impl Fn(&RData) -> Option<T>,
    ) -> Result<Proven<T>, ResolveError> {
        read(name, self.resolver.lookup(absolute(name), kind).await, pick)
    }
}

/// What an answer says, and whether it is proven.
fn read<T>(
    name: &Domain,
    answer: Result<Lookup, NetError>,
    pick: impl Fn(&RData) -> Option<T>,
) -> Result<Proven<T>, ResolveError> {
    match answer {
        Ok(lookup) => Ok(found(name, lookup.answers(), is_secure(lookup.answers()), true, pick)),
        Err(NetError::Dns(DnsError::NoRecordsFound(none)))
            if matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError) =>
        {
            let exists = none.response_code == ResponseCode::NoError;
            let authorities = none.authorities.as_deref().unwrap_or_default();
            // hickory has checked that the NSEC and NSEC3 records among them deny what was asked for.
            let denies =
                authorities.iter().any(|record| matches!(record.record_type(), RecordType::NSEC | RecordType::NSEC3));
            let secure = denies && is_secure(authorities);
            Ok(Proven { records: Vec::new(), secure, exists, name: name.clone() })
        }
        // A denial that can't be proven, in a zone that is not signed (or too expensive to check: RFC 9276 §3.2).
        Err(NetError::Dns(DnsError::Nsec { response, proof, .. })) if proof.is_insecure() => {
            let exists = response.response_code != ResponseCode::NXDomain;
            Ok(found(name, &response.answers, false, exists, pick))
        }
        Err(NetError::Dns(DnsError::Nsec { .. } | DnsError::DnssecBogus)) => {
            Err(ResolveError::Temporary(format!("the DNSSEC signatures of {name} are wrong")))
        }
        Err(other) => Err(match error(&other) {
            temporary @ ResolveError::Temporary(_) => temporary,
            ResolveError::NoSuchName | ResolveError::NoRecords => ResolveError::Temporary(other.to_string()),
        }),
    }
}

fn found<T>(
    name: &Domain,
    answers: &[Record],
    secure: bool,
    exists: bool,
    pick: impl Fn(&RData) -> Option<T>,
) -> Proven<T> {
    let mut at = name.clone();
    for _ in 0..ALIASES_MAX {
        let alias = answers.iter().find_map(|record| {
            let RData::CNAME(alias) = &record.data else { return None };
            if is_of(record, &at) { Domain::parse(&alias.0.to_ascii()).ok() } else { None }
        });
        match alias {
            Some(alias) => at = alias,
            None => break,
        }
    }
    let records = answers.iter().filter(|record| is_of(record, &at)).filter_map(|record| pick(&record.data)).collect();
    Proven { records, secure, exists, name: at }
}

fn is_of(record: &Record, name: &Domain) -> bool {
    record.name.to_ascii().trim_end_matches('.').eq_ignore_ascii_case(name.as_str())
}

/// Whether there is something, and all of it proven. Of the signatures only one that was used has a proof.
fn is_secure(records: &[Record]) -> bool {
    let mut signed = records.iter().filter(|record| record.record_type() != RecordType::RRSIG).peekable();
    signed.peek().is_some() && signed.all(|record| record.proof.is_secure())
}
