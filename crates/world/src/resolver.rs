//! DNS by hickory-resolver.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RData;
use mail::Domain;

use crate::proven::Validating;
use crate::{BoxFuture, MxRecord, Proven, ResolveError, Resolver, TlsaRecord};

/// The name servers that the system is configured with.
pub struct SystemResolver {
    plain: TokioResolver,
    validating: Validating,
}

impl SystemResolver {
    /// Reads the system's configuration (`/etc/resolv.conf`). The keys to trust for DNSSEC are DNSKEY records in the form
    /// of zone files; without, those of the root of the DNS.
    ///
    /// # Errors
    /// When it is missing or broken, or one of the keys is.
    pub fn from_system(anchors: Option<&str>) -> Result<Self, ResolveError> {
        let broken = |error: &dyn std::fmt::Display| ResolveError::Temporary(error.to_string());
        let anchors = match anchors {
            Some(text) => text.parse::<TrustAnchors>().map_err(|e| broken(&format!("the trust anchors: {e}")))?,
            None => TrustAnchors::default(),
        };
        let builder = || {
            let mut builder = TokioResolver::builder_tokio().map_err(|e| broken(&e))?;
            let options = builder.options_mut();
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            // Mail domains are complete names: a search list would send mail to the wrong place.
            options.ndots = 0;
            options.positive_max_ttl = Some(ANSWER_KEPT_MAX);
            options.negative_max_ttl = Some(ANSWER_KEPT_MAX);
            Ok(builder)
        };
        let plain = builder()?.build().map_err(|e| broken(&e))?;
        let validating = builder()?.with_trust_anchor(Arc::new(anchors)).build().map_err(|e| broken(&e))?;
        Ok(Self { plain, validating: Validating::new(validating) })
    }
}

impl Resolver for SystemResolver {
    fn validates(&self) -> BoxFuture<'_, bool> {
        Box::pin(self.validating.works())
    }

    fn proven_mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Proven<MxRecord>, ResolveError>> {
        Box::pin(self.validating.mx(domain))
    }

    fn proven_addresses<'a>(&'a self, host: &'a Domain) -> BoxFuture<'a, Result<Proven<IpAddr>, ResolveError>> {
        Box::pin(self.validating.addresses(host))
    }

    fn tlsa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Result<Proven<TlsaRecord>, ResolveError>> {
        Box::pin(self.validating.tlsa(name))
    }

    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Vec<MxRecord>, ResolveError>> {
        Box::pin(async move {
            let answer = self.plain.mx_lookup(absolute(domain)).await.map_err(|e| error(&e))?;
            let mut records = Vec::new();
            for record in answer.answers() {
                records.extend(mx_record(&record.data));
            }
            if records.is_empty() { Err(ResolveError::NoRecords) } else { Ok(records) }
        })
    }

    fn addresses<'a>(&'a self, host: &'a Domain) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        Box::pin(async move {
            if let Some(ip) = host.as_literal() {
                return Ok(vec![ip]);
            }
            let answer = self.plain.lookup_ip(absolute(host)).await.map_err(|e| error(&e))?;
            let found: Vec<IpAddr> = answer.iter().collect();
            if found.is_empty() { Err(ResolveError::NoRecords) } else { Ok(found) }
        })
    }

    fn ipv4<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Result<Vec<Ipv4Addr>, ResolveError>> {
        Box::pin(async move {
            let answer = self.plain.ipv4_lookup(absolute(name)).await.map_err(|e| error(&e))?;
            let address = |data: &RData| if let RData::A(ip) = data { Some(ip.0) } else { None };
            let found: Vec<Ipv4Addr> = answer.answers().iter().filter_map(|record| address(&record.data)).collect();
            if found.is_empty() { Err(ResolveError::NoRecords) } else { Ok(found) }
        })
    }

    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Result<Vec<String>, ResolveError>> {
        Box::pin(async move {
            let answer = self.plain.txt_lookup(absolute(name)).await.map_err(|e| error(&e))?;
            let mut records = Vec::new();
            for record in answer.answers() {
                if let RData::TXT(txt) = &record.data {
                    // RFC 7208 §3.3, RFC 7489 §6.1: the strings of a record are one text.
                    let joined = txt.txt_data.iter().flat_map(|part| part.iter().copied()).collect::<Vec<u8>>();
                    records.push(String::from_utf8_lossy(&joined).into_owned());
                }
            }
            if records.is_empty() { Err(ResolveError::NoRecords) } else { Ok(records) }
        })
    }
}

/// How long an answer is kept at the most, whatever it says of itself.
const ANSWER_KEPT_MAX: Duration = Duration::from_secs(3600);

/// An MX record. A host that is no domain name can't be connected to.
pub(crate) fn mx_record(data: &RData) -> Option<MxRecord> {
    let RData::MX(mx) = data else { return None };
    let host = mx.exchange.to_ascii();
    // The null MX (RFC 7505) is the root.
    let host = if host == "." { None } else { Some(Domain::parse(&host).ok()?) };
    Some(MxRecord { preference: mx.preference, host })
}

/// With its final dot, so that no search list is tried.
pub(crate) fn absolute(domain: &Domain) -> String {
    format!("{domain}.")
}

pub(crate) fn error(error: &NetError) -> ResolveError {
    if let NetError::Dns(DnsError::NoRecordsFound(none)) = error {
        if none.response_code == ResponseCode::NXDomain {
            return ResolveError::NoSuchName;
        }
        if none.response_code == ResponseCode::NoError {
            return ResolveError::NoRecords;
        }
    }
    ResolveError::Temporary(error.to_string())
}
