//! Time, chance, DNS and outbound connections as parameters.
//!
//! Everything above takes a [`World`]; only the implementations in here touch the real ones. Tests use
//! [`simulated::SimulatedWorld`]: its clock moves when told to, its chance is a seed, its DNS is a table.
#![allow(
    clippy::disallowed_methods,
    reason = "this crate is the one place that may touch clock, chance, DNS and sockets"
)]

mod certificate;
pub mod https;
mod proven;
mod real;
mod resolver;
pub mod simulated;

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use mail::{Domain, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite};

pub use certificate::{CertificateVerifier, CheckCertificate};
pub use real::{SystemChance, SystemClock, TcpConnector};
pub use resolver::SystemResolver;

/// A boxed future, so that the traits here can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// What flows over a connection.
pub trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// The time of day and waiting for it.
pub trait Clock: Send + Sync {
    /// Now. May step back when an administrator sets the clock; never assume order.
    fn now(&self) -> Timestamp;
    /// Ends after `span` has passed.
    fn sleep(&self, span: Duration) -> BoxFuture<'static, ()>;
}

/// Random bytes, fit for secrets.
pub trait Chance: Send + Sync {
    /// Fills the buffer.
    fn fill(&self, buffer: &mut [u8]);
}

impl dyn Chance + '_ {
    /// A random number.
    #[must_use]
    pub fn number(&self) -> u64 {
        let mut bytes = [0; 8];
        self.fill(&mut bytes);
        u64::from_le_bytes(bytes)
    }
}

/// One MX record.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct MxRecord {
    /// Lower is preferred (RFC 5321 §5.1).
    pub preference: u16,
    /// The host; `None` is the null MX (RFC 7505).
    pub host: Option<Domain>,
}

/// Why a look-up gave nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// The name does not exist (NXDOMAIN).
    #[error("the domain does not exist")]
    NoSuchName,
    /// The name exists without records of this type.
    #[error("the domain has no such record")]
    NoRecords,
    /// No answer, a broken one, or SERVFAIL: ask again later.
    #[error("DNS failed: {0}")]
    Temporary(String),
}

/// A TLSA record (RFC 6698 §2.1), as it is written.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TlsaRecord {
    /// Which certificate it speaks of: 0 to 3.
    pub usage: u8,
    /// What of it: 0 the whole, 1 its public key.
    pub selector: u8,
    /// In which form: 0 as it is, 1 SHA-256, 2 SHA-512.
    pub matching: u8,
    /// The octets to compare with.
    pub data: Vec<u8>,
}

/// What the DNS says, with whether DNSSEC proves it (RFC 4035 §4.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proven<T> {
    /// The records; empty when there are none.
    pub records: Vec<T>,
    /// Whether all of it, what there is or that there is nothing, is proven by a chain of signatures. Otherwise the
    /// zone is not signed; what should be signed and is not is an error.
    pub secure: bool,
    /// Whether the name exists.
    pub exists: bool,
    /// The name at which the records are: the one asked for, or where its aliases (CNAME) end.
    pub name: Domain,
}

/// The DNS look-ups that mail needs.
pub trait Resolver: Send + Sync {
    /// Whether DNSSEC can be validated here at all: with name servers that leave the signatures away it can't.
    fn validates(&self) -> BoxFuture<'_, bool>;
    /// The MX records of a domain, validated. The only error is [`ResolveError::Temporary`], also for signatures that
    /// are wrong.
    fn proven_mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Proven<MxRecord>, ResolveError>>;
    /// The A and AAAA records of a host, validated; errors as with [`Resolver::proven_mx`].
    fn proven_addresses<'a>(&'a self, host: &'a Domain) -> BoxFuture<'a, Result<Proven<IpAddr>, ResolveError>>;
    /// The TLSA records of a name such as `_25._tcp.mx.example`, validated; errors as with [`Resolver::proven_mx`].
    fn tlsa<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Result<Proven<TlsaRecord>, ResolveError>>;
    /// The MX records of a domain, in no particular order.
    fn mx<'a>(&'a self, domain: &'a Domain) -> BoxFuture<'a, Result<Vec<MxRecord>, ResolveError>>;
    /// The A and AAAA records of a host.
    fn addresses<'a>(&'a self, host: &'a Domain) -> BoxFuture<'a, Result<Vec<IpAddr>, ResolveError>>;
    /// The A records of a name alone: lists in the DNS have no others (RFC 5782 §2.1).
    fn ipv4<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Result<Vec<Ipv4Addr>, ResolveError>> {
        Box::pin(async move {
            let ipv4 = |ip| if let IpAddr::V4(ip) = ip { Some(ip) } else { None };
            let found: Vec<Ipv4Addr> = self.addresses(name).await?.into_iter().filter_map(ipv4).collect();
            if found.is_empty() { Err(ResolveError::NoRecords) } else { Ok(found) }
        })
    }
    /// The TXT records of a name, each with its strings joined.
    fn txt<'a>(&'a self, name: &'a Domain) -> BoxFuture<'a, Result<Vec<String>, ResolveError>>;
}

/// Outbound connections.
pub trait Connector: Send + Sync {
    /// Opens a connection within the time given, from an address of this machine when one is named.
    fn connect_from(
        &self,
        from: Option<IpAddr>,
        to: SocketAddr,
        within: Duration,
    ) -> BoxFuture<'_, std::io::Result<Box<dyn Stream>>>;

    /// Opens a connection within the time given, from whatever address the system chooses.
    fn connect(&self, to: SocketAddr, within: Duration) -> BoxFuture<'_, std::io::Result<Box<dyn Stream>>> {
        self.connect_from(None, to, within)
    }

    /// Opens a connection to a Unix socket of this machine within the time given.
    fn connect_socket<'a>(
        &'a self,
        path: &'a Path,
        within: Duration,
    ) -> BoxFuture<'a, std::io::Result<Box<dyn Stream>>> {
        let _ = (path, within);
        Box::pin(async { Err(std::io::Error::from(std::io::ErrorKind::Unsupported)) })
    }
}

/// Everything outside the process that a crate may reach, as one value to pass around.
#[derive(Clone)]
pub struct World {
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub chance: Arc<dyn Chance>,
    /// DNS.
    pub resolver: Arc<dyn Resolver>,
    /// Outbound connections.
    pub connector: Arc<dyn Connector>,
}

/// The time given to something ran out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timed out")]
pub struct TimedOut;

impl World {
    /// The real one: system clock, system chance, the system's name servers, TCP.
    ///
    /// # Errors
    /// When the resolver configuration of the system can't be read.
    pub fn system() -> Result<Self, ResolveError> {
        Self::system_trusting(None)
    }

    /// As [`World::system`], with the keys to trust for DNSSEC as DNSKEY records in the form of zone files; without,
    /// those of the root of the DNS.
    ///
    /// # Errors
    /// When the resolver configuration of the system, or one of the keys, can't be read.
    pub fn system_trusting(anchors: Option<&str>) -> Result<Self, ResolveError> {
        Ok(Self {
            clock: Arc::new(SystemClock),
            chance: Arc::new(SystemChance),
            resolver: Arc::new(SystemResolver::from_system(anchors)?),
            connector: Arc::new(TcpConnector),
        })
    }

    /// Runs a future for at most `span`.
    ///
    /// # Errors
    /// [`TimedOut`] when it has not ended by then; the future is dropped.
    pub async fn timeout<T>(&self, span: Duration, work: impl Future<Output = T>) -> Result<T, TimedOut> {
        tokio::select! {
            biased;
            done = work => Ok(done),
            () = self.clock.sleep(span) => Err(TimedOut),
        }
    }
}
