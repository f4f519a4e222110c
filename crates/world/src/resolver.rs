//! DNS by hickory-resolver.

use std::net::IpAddr;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::LookupIpStrategy;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RData;
use mail::Domain;

use crate::{BoxFuture, MxRecord, ResolveError, Resolver};

/// The name servers that the system is configured with.
pub struct SystemResolver(TokioResolver);

impl SystemResolver {
    /// Reads the system's configuration (`/etc/resolv.conf`).
    ///
    /// # Errors
    /// When it is missing or broken.
    pub fn from_system() -> Result<Self, ResolveError> {
        let mut builder = TokioResolver::builder_tokio().map_err(|e| ResolveError::Temporary(e.to_string()))?;
        let options = builder.options_mut();
        options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
        // Mail domains are complete names: a search list would send mail to the wrong place.
        options.ndots = 0;
        Ok(Self(builder.build().map_err(|e| ResolveError::Temporary(e.to_string()))?))
    }
}

impl Resolver for SystemResolver {
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Vec<MxRecord>, ResolveError>> {
        Box::pin(async move {
            let answer = self.0.mx_lookup(absolute(domain)).await.map_err(|e| error(&e))?;
            let mut records = Vec::new();
            for record in answer.answers() {
                if let RData::MX(mx) = &record.data {
                    let host = mx.exchange.to_ascii();
                    // The null MX (RFC 7505) is the root; a host that is no domain name can't be connected to.
                    if host == "." {
                        records.push(MxRecord { preference: mx.preference, host: None });
                    } else if let Ok(host) = Domain::parse(&host) {
                        records.push(MxRecord { preference: mx.preference, host: Some(host) });
                    }
                }
            }
            if records.is_empty() { Err(ResolveError::NoRecords) } else { Ok(records) }
        })
    }

    fn addresses<'a>(&'a self, host: &'a Domain) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>> {
        Box::pin(async move {
            if let Some(ip) = host.as_literal() {
                return Ok(vec![ip]);
            }
            let answer = self.0.lookup_ip(absolute(host)).await.map_err(|e| error(&e))?;
            let found: Vec<IpAddr> = answer.iter().collect();
            if found.is_empty() { Err(ResolveError::NoRecords) } else { Ok(found) }
        })
    }

    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Result<Vec<String>, ResolveError>> {
        Box::pin(async move {
            let answer = self.0.txt_lookup(absolute(name)).await.map_err(|e| error(&e))?;
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

/// With its final dot, so that no search list is tried.
fn absolute(domain: &Domain) -> String {
    format!("{domain}.")
}

fn error(error: &NetError) -> ResolveError {
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
