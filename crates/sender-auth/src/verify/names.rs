//! Questions to the DNS, with answers in the three kinds that checks tell apart.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use mail_auth::hickory_resolver::TokioResolver;
use mail_auth::hickory_resolver::net::{DnsError, NetError};
use mail_auth::hickory_resolver::proto::op::ResponseCode;
use mail_auth::hickory_resolver::proto::rr::{Name, RData, RecordType};

/// Why there is no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoAnswer {
    /// There is no such name, or it has no such records: a "void lookup" (RFC 7208 §4.6.4).
    Void,
    /// The DNS did not answer.
    Temporary,
}

/// Who is asked.
#[derive(Clone, Copy)]
pub(super) struct Names<'r>(pub(super) &'r TokioResolver);

/// A name of labels as they are. What is no name has no records.
fn name(text: &str) -> Option<Name> {
    let labels = text.strip_suffix('.').unwrap_or(text).split('.');
    let mut name = Name::from_labels(labels.map(str::as_bytes)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The labels of a name as they are, without a final dot.
fn text_of(name: &Name) -> String {
    name.iter().map(String::from_utf8_lossy).collect::<Vec<_>>().join(".")
}

impl Names<'_> {
    async fn ask<T>(
        self,
        asked: &str,
        kind: RecordType,
        take: impl Fn(&RData) -> Option<T>,
    ) -> Result<Vec<T>, NoAnswer> {
        let Some(asked) = name(asked) else { return Err(NoAnswer::Void) };
        match self.0.lookup(asked, kind).await {
            Ok(answer) => {
                let found: Vec<T> = answer.answers().iter().filter_map(|record| take(&record.data)).collect();
                if found.is_empty() { Err(NoAnswer::Void) } else { Ok(found) }
            }
            Err(NetError::Dns(DnsError::NoRecordsFound(none)))
                if matches!(none.response_code, ResponseCode::NXDomain | ResponseCode::NoError) =>
            {
                Err(NoAnswer::Void)
            }
            Err(_) => Err(NoAnswer::Temporary),
        }
    }

    /// The texts of a name, the strings of each joined (RFC 7208 §3.3).
    pub(super) async fn texts(self, name: &str) -> Result<Vec<Vec<u8>>, NoAnswer> {
        let text = |data: &RData| if let RData::TXT(text) = data { Some(text.txt_data.concat()) } else { None };
        self.ask(name, RecordType::TXT, text).await
    }

    /// The addresses of a name, of the family of another address.
    pub(super) async fn addresses(self, name: &str, like: IpAddr) -> Result<Vec<IpAddr>, NoAnswer> {
        match like {
            IpAddr::V4(_) => {
                let found = self.ipv4(name).await?;
                Ok(found.into_iter().map(IpAddr::V4).collect())
            }
            IpAddr::V6(_) => {
                let address = |data: &RData| if let RData::AAAA(ip) = data { Some(IpAddr::V6(ip.0)) } else { None };
                self.ask(name, RecordType::AAAA, address).await
            }
        }
    }

    /// The A records of a name.
    pub(super) async fn ipv4(self, name: &str) -> Result<Vec<Ipv4Addr>, NoAnswer> {
        self.ask(name, RecordType::A, |data| if let RData::A(ip) = data { Some(ip.0) } else { None }).await
    }

    /// The hosts of MX records, the preferred first.
    pub(super) async fn mail_hosts(self, name: &str) -> Result<Vec<String>, NoAnswer> {
        let host =
            |data: &RData| if let RData::MX(mx) = data { Some((mx.preference, text_of(&mx.exchange))) } else { None };
        let mut found = self.ask(name, RecordType::MX, host).await?;
        found.sort_by_key(|(preference, _)| *preference);
        Ok(found.into_iter().map(|(_, host)| host).collect())
    }

    /// The names of an address, without final dots.
    pub(super) async fn names_of(self, ip: IpAddr) -> Result<Vec<String>, NoAnswer> {
        let asked = match ip {
            IpAddr::V4(ip) => format!("{}.in-addr.arpa", reversed_v4(ip)),
            IpAddr::V6(ip) => {
                let mut nibbles = nibbles(ip);
                nibbles.reverse();
                format!("{}.ip6.arpa", nibbles.join("."))
            }
        };
        let host = |data: &RData| {
            if let RData::PTR(host) = data { Some(text_of(host).to_ascii_lowercase()) } else { None }
        };
        self.ask(&asked, RecordType::PTR, host).await
    }
}

fn reversed_v4(ip: Ipv4Addr) -> String {
    let [a, b, c, d] = ip.octets();
    format!("{d}.{c}.{b}.{a}")
}

/// The 32 hexadecimal digits of an address, as RFC 7208 §7.3 shows them.
pub(super) fn nibbles(ip: Ipv6Addr) -> Vec<String> {
    ip.octets().iter().flat_map(|octet| [octet >> 4, octet & 15]).map(|nibble| format!("{nibble:X}")).collect()
}
