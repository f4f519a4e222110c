//! DNS by hickory-resolver.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{LookupIpStrategy, ResolverOpts};
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::dnssec::TrustAnchors;
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RData;
use mail::Domain;

use crate::proven::Validating;
use crate::{BoxFuture, MxRecord, Proven, ResolveError, Resolver, TlsaRecord};

/// The name servers that the system is configured with.
///
/// Answers are kept by their TTL, and those that there is nothing by the SOA record (RFC 2308), an hour at the most and so many at the most.
/// Lists ([`Resolver::ipv4`]) have a place of their own, so that a flood of clients pushes nothing else out, and theirs are kept for a minute at
/// the least. What failed is not kept.
pub struct SystemResolver {
    plain: TokioResolver,
    lists: TokioResolver,
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
        let builder = |options: fn(&mut ResolverOpts)| {
            let mut builder = TokioResolver::builder_tokio().map_err(|e| broken(&e))?;
            options(builder.options_mut());
            Ok(builder)
        };
        let plain = builder(plain_options)?.build().map_err(|e| broken(&e))?;
        let lists = builder(list_options)?.build().map_err(|e| broken(&e))?;
        let validating =
            builder(plain_options)?.with_trust_anchor(Arc::new(anchors)).build().map_err(|e| broken(&e))?;
        Ok(Self { plain, lists, validating: Validating::new(validating) })
    }
}

/// How the DNS is asked, and for how long its answers are kept.
fn plain_options(options: &mut ResolverOpts) {
    options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
    // Mail domains are complete names: a search list would send mail to the wrong place.
    options.ndots = 0;
    options.cache_size = ANSWERS_MAX;
    options.positive_max_ttl = Some(ANSWER_KEPT_MAX);
    options.negative_max_ttl = Some(ANSWER_KEPT_MAX);
}

/// The same for lists, which ask not to be asked more often than every minute.
fn list_options(options: &mut ResolverOpts) {
    plain_options(options);
    options.cache_size = LIST_ANSWERS_MAX;
    options.positive_min_ttl = Some(LIST_ANSWER_KEPT_MIN);
    options.negative_min_ttl = Some(LIST_ANSWER_KEPT_MIN);
}

/// The A records of a name.
async fn ipv4(resolver: &TokioResolver, name: &Domain) -> Result<Vec<Ipv4Addr>, ResolveError> {
    let answer = resolver.ipv4_lookup(absolute(name)).await.map_err(|e| error(&e))?;
    let address = |data: &RData| if let RData::A(ip) = data { Some(ip.0) } else { None };
    let found: Vec<Ipv4Addr> = answer.answers().iter().filter_map(|record| address(&record.data)).collect();
    if found.is_empty() { Err(ResolveError::NoRecords) } else { Ok(found) }
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
        Box::pin(ipv4(&self.lists, name))
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

/// How long an answer of a list is kept at the least.
const LIST_ANSWER_KEPT_MIN: Duration = Duration::from_secs(60);

/// Answers that are kept; beyond it those go that were used least.
const ANSWERS_MAX: u64 = 8 * 1024;

/// Answers of lists that are kept: of some thousand clients.
const LIST_ANSWERS_MAX: u64 = 16 * 1024;

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

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
    use hickory_resolver::net::runtime::TokioRuntimeProvider;
    use tokio::net::UdpSocket;

    use super::*;

    /// A resolver for lists that asks this name server, and how often that was asked.
    struct Lists {
        resolver: TokioResolver,
        asked: Arc<AtomicUsize>,
    }

    impl Lists {
        /// `answer`: of a question its response code, the address, and for how many seconds the answer is good.
        async fn asking(answer: fn(&str) -> (u8, Option<Ipv4Addr>, u32)) -> Self {
            let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let address = socket.local_addr().unwrap();
            let asked = Arc::new(AtomicUsize::new(0));
            let count = asked.clone();
            tokio::spawn(async move {
                let mut question = [0; 512];
                while let Ok((octets, client)) = socket.recv_from(&mut question).await {
                    count.fetch_add(1, Ordering::SeqCst);
                    let reply = reply(&question[..octets], answer);
                    socket.send_to(&reply, client).await.unwrap();
                }
            });
            let mut udp = ConnectionConfig::udp();
            udp.port = address.port();
            let server = NameServerConfig::new(address.ip(), true, vec![udp]);
            let config = ResolverConfig::from_parts(None, Vec::new(), vec![server]);
            let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
            list_options(builder.options_mut());
            builder.options_mut().attempts = 0;
            Self { resolver: builder.build().unwrap(), asked }
        }

        async fn ask(&self, name: &str) -> Result<Vec<Ipv4Addr>, ResolveError> {
            ipv4(&self.resolver, &Domain::parse(name).unwrap()).await
        }

        fn asked(&self) -> usize {
            self.asked.load(Ordering::SeqCst)
        }
    }

    fn reply(question: &[u8], answer: fn(&str) -> (u8, Option<Ipv4Addr>, u32)) -> Vec<u8> {
        let (mut at, mut name) = (12, String::new());
        while question[at] != 0 {
            let label = &question[at + 1..=at + usize::from(question[at])];
            name.push_str(&format!("{}.", String::from_utf8_lossy(label)));
            at += 1 + label.len();
        }
        let (code, address, ttl) = answer(name.trim_end_matches('.'));
        let mut out = question[..2].to_vec();
        let nothing = u8::from(address.is_none() && code != 2);
        out.extend([0x85, 0x80 | code, 0, 1, 0, u8::from(address.is_some()), 0, nothing, 0, 0]);
        out.extend_from_slice(&question[12..at + 5]);
        if let Some(address) = address {
            out.extend([0xC0, 12, 0, 1, 0, 1]);
            out.extend(ttl.to_be_bytes());
            out.extend([0, 4]);
            out.extend(address.octets());
        } else if nothing == 1 {
            // SOA of the root: two empty names and five numbers, the last of them for how long there is nothing (RFC 2308 §4).
            out.extend([0, 0, 6, 0, 1]);
            out.extend(ttl.to_be_bytes());
            out.extend([0, 22, 0, 0]);
            out.extend([1, 60, 60, 60, ttl].iter().flat_map(|number| number.to_be_bytes()));
        }
        out
    }

    #[tokio::test]
    async fn what_lists_say_is_kept_for_a_minute_at_the_least_and_failures_are_not() {
        let lists = Lists::asking(|name| match name {
            "7.2.0.192.bl.example" => (0, Some(Ipv4Addr::new(127, 0, 0, 2)), 0),
            "9.2.0.192.bl.example" => (2, None, 0),
            _ => (3, None, 0),
        })
        .await;
        // They say that it is good for no time at all.
        for _ in 0..5 {
            assert_eq!(lists.ask("7.2.0.192.bl.example").await, Ok(vec![Ipv4Addr::new(127, 0, 0, 2)]));
        }
        assert_eq!(lists.asked(), 1);
        for _ in 0..5 {
            assert_eq!(lists.ask("8.2.0.192.bl.example").await, Err(ResolveError::NoSuchName));
        }
        assert_eq!(lists.asked(), 2);
        for times in 1..=3 {
            assert!(matches!(lists.ask("9.2.0.192.bl.example").await, Err(ResolveError::Temporary(_))));
            assert!(lists.asked() >= 2 + times, "what failed is asked again");
        }
    }

    #[tokio::test]
    async fn what_lists_say_is_bounded_in_time_and_number() {
        let lists = Lists::asking(|_| (0, Some(Ipv4Addr::new(127, 0, 0, 2)), 86_400)).await;
        let answer = lists.resolver.ipv4_lookup("7.2.0.192.bl.example.").await.unwrap();
        assert!(answer.answers().iter().all(|record| record.ttl <= 3_600), "a day is an hour");
        let options = lists.resolver.options();
        assert_eq!(options.cache_size, 16 * 1024);
        let (least, most) = (Some(Duration::from_secs(60)), Some(Duration::from_secs(3_600)));
        assert_eq!((options.positive_min_ttl, options.positive_max_ttl), (least, most));
        assert_eq!((options.negative_min_ttl, options.negative_max_ttl), (least, most));
    }
}
