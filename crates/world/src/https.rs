//! An HTTPS client for what a mail server has to fetch or tell: policies, keys, webhooks.
//!
//! One request for each connection, HTTP/1.1, no redirects, no cookies, no compression. The certificate is checked
//! against the authorities that browsers trust, or those that are given, at the time of the world's clock; size and
//! time are bounded. Connections are made by [`Connector`](crate::Connector) to addresses of
//! [`Resolver`](crate::Resolver), so that a simulated world serves them too. Whoever uses it takes an `Arc<dyn Https>`:
//! tests give answers without a network.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::FutureExt;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::{Body, Bytes, Frame, SizeHint};
use hyper::header::{HOST, HeaderName, HeaderValue, USER_AGENT};
use hyper_util::rt::TokioIo;
use mail::{Domain, Timestamp};
use rustls::crypto::aws_lc_rs;
use rustls::time_provider::TimeProvider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio::sync::mpsc;
use tokio_rustls::TlsConnector;

use crate::{BoxFuture, Clock, ResolveError, Stream, World};

/// Octets of a response's head.
pub const HEAD_OCTETS_MAX: usize = 16 * 1024;

/// Addresses of a host that are tried.
pub const ADDRESSES_MAX: usize = 4;

/// Octets of an address (URL).
pub const URL_OCTETS_MAX: usize = 2_000;

/// Where a request goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Url {
    /// Whether TLS protects it: `https`, as against `http`.
    pub secure: bool,
    /// The host, a name or an address literal.
    pub host: Domain,
    /// The port; 443 or 80 where none is written.
    pub port: u16,
    /// Path and query, beginning with `/`.
    pub path: String,
}

/// Why a text is no address of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UrlFlaw {
    /// It can't be read.
    #[error("it is no URL")]
    Malformed,
    /// Its scheme is another.
    #[error("it does not begin with https://")]
    Scheme,
    /// It has a name and password in it, which belong elsewhere.
    #[error("it has a user name in it")]
    UserInfo,
    /// Longer than [`URL_OCTETS_MAX`].
    #[error("it is too long")]
    TooLong,
}

impl Url {
    /// Reads `https://host[:port][/path][?query]`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse(text: &str) -> Result<Self, UrlFlaw> {
        let url = Self::parse_even_plain(text)?;
        if url.secure { Ok(url) } else { Err(UrlFlaw::Scheme) }
    }

    /// As [`Url::parse`], but `http://` will do too: for services on the same machine.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn parse_even_plain(text: &str) -> Result<Self, UrlFlaw> {
        if text.len() > URL_OCTETS_MAX {
            return Err(UrlFlaw::TooLong);
        }
        let uri: hyper::Uri = text.parse().map_err(|_| UrlFlaw::Malformed)?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(UrlFlaw::Scheme),
        };
        let authority = uri.authority().ok_or(UrlFlaw::Malformed)?;
        if authority.as_str().contains('@') {
            return Err(UrlFlaw::UserInfo);
        }
        let host = authority.host();
        let host = match host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
            Some(v6) => literal(IpAddr::V6(v6.parse::<Ipv6Addr>().map_err(|_| UrlFlaw::Malformed)?)),
            None => match host.parse::<Ipv4Addr>() {
                Ok(v4) => literal(IpAddr::V4(v4)),
                Err(_) => Domain::parse(host).ok(),
            },
        };
        let host = host.ok_or(UrlFlaw::Malformed)?;
        // Of `host:` and `host:70000` hyper says that they have no port.
        let port = match authority.port_u16() {
            Some(0) => return Err(UrlFlaw::Malformed),
            Some(port) => port,
            None if authority.as_str().len() > authority.host().len() => return Err(UrlFlaw::Malformed),
            None if secure => 443,
            None => 80,
        };
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { secure, host, port, path })
    }

    /// The host as the `Host` field and URLs have it.
    #[must_use]
    pub fn authority(&self) -> String {
        let host = match self.host.as_literal() {
            Some(IpAddr::V4(v4)) => v4.to_string(),
            Some(IpAddr::V6(v6)) => format!("[{v6}]"),
            None => self.host.to_string(),
        };
        if self.port == if self.secure { 443 } else { 80 } { host } else { format!("{host}:{}", self.port) }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http{}://{}{}", if self.secure { "s" } else { "" }, self.authority(), self.path)
    }
}

fn literal(ip: IpAddr) -> Option<Domain> {
    Domain::parse(&match ip {
        IpAddr::V4(v4) => format!("[{v4}]"),
        IpAddr::V6(v6) => format!("[IPv6:{v6}]"),
    })
    .ok()
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// A look.
    Get,
    /// Something is handed over.
    Post,
}

/// Which addresses may be connected to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reach {
    /// Those of the public Internet alone ([`is_public`]): for an address that somebody else gave, who must not use
    /// this server to reach what is around it.
    Public,
    /// All: for what an administrator has configured.
    Anywhere,
}

/// A request, with its bounds.
#[derive(Clone, Debug)]
pub struct Request {
    /// GET or POST.
    pub method: Method,
    /// Where to.
    pub url: Url,
    /// Further fields of the head. `Host` and `User-Agent` are set without being named.
    pub fields: Vec<(String, String)>,
    /// What is sent.
    pub body: Vec<u8>,
    /// The whole exchange must have ended after this, look-up and handshake included.
    pub within: Duration,
    /// Octets of the response's body; one with more is an error.
    pub octets_max: usize,
    /// Which addresses will do.
    pub reach: Reach,
    /// Connects here and nowhere else, whatever DNS says; the certificate is that of the URL's host all the same.
    pub at: Option<SocketAddr>,
}

impl Request {
    /// A GET with bounds that suit small documents: 30 seconds, 64 KiB, public addresses alone.
    #[must_use]
    pub fn get(url: Url) -> Self {
        Self {
            method: Method::Get,
            url,
            fields: Vec::new(),
            body: Vec::new(),
            within: Duration::from_secs(30),
            octets_max: 64 * 1024,
            reach: Reach::Public,
            at: None,
        }
    }

    /// A POST with the same bounds.
    #[must_use]
    pub fn post(url: Url, content_type: &str, body: Vec<u8>) -> Self {
        let fields = vec![("Content-Type".to_owned(), content_type.to_owned())];
        Self { method: Method::Post, fields, body, ..Self::get(url) }
    }
}

/// What is sent in pieces, by whoever holds the other end: as many octets as are said, or the exchange fails.
#[derive(Debug)]
pub struct Streamed {
    /// Octets of all pieces together.
    pub octets: u64,
    /// The pieces, in their order.
    pub pieces: mpsc::Receiver<Bytes>,
}

/// What came back, whatever its status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The fields of its head, names in lower case. A value that is no text is left out.
    pub fields: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first field of this name, given in lower case.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// Its media type in lower case, without parameters.
    #[must_use]
    pub fn media_type(&self) -> Option<String> {
        let value = self.field("content-type")?;
        Some(value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase())
    }

    /// Whether the status is one of success (2xx).
    #[must_use]
    pub fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// Why there is no response.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HttpsError {
    /// A field of the request can't be sent.
    #[error("the request has a field that can't be sent: {0}")]
    Field(String),
    /// The host has no address.
    #[error("{0}")]
    Resolve(#[from] ResolveError),
    /// None of its addresses may be connected to.
    #[error("the host has no address of the public Internet")]
    NotPublic,
    /// No connection.
    #[error("no connection: {0}")]
    Connect(String),
    /// The handshake failed, or the certificate is not the host's.
    #[error("TLS: {0}")]
    Tls(String),
    /// What came is no HTTP, or broke off.
    #[error("HTTP: {0}")]
    Http(String),
    /// The body has more octets than allowed.
    #[error("the response is too long")]
    TooLong,
    /// The time ran out.
    #[error("timed out")]
    TimedOut,
}

/// Exchanges requests for responses.
pub trait Https: Send + Sync {
    /// One exchange. A response of any status is one; a redirect is not followed.
    fn exchange(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpsError>>;

    /// The same, where what is sent comes in pieces and is never held whole; the request's own body is left out.
    fn exchange_streamed(&self, request: Request, mut body: Streamed) -> BoxFuture<'_, Result<Response, HttpsError>> {
        // For who gives answers without a network.
        Box::pin(async move {
            let mut octets = Vec::new();
            while let Some(piece) = body.pieces.recv().await {
                octets.extend_from_slice(&piece);
            }
            self.exchange(Request { body: octets, ..request }).await
        })
    }
}

/// What a request sends.
enum Sent {
    Whole(Full<Bytes>),
    Pieces { left: u64, pieces: mpsc::Receiver<Bytes> },
}

impl Body for Sent {
    type Data = Bytes;
    type Error = SentError;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, SentError>>> {
        match self.get_mut() {
            Self::Whole(whole) => Pin::new(whole).poll_frame(context).map_err(|never| match never {}),
            Self::Pieces { left: 0, .. } => Poll::Ready(None),
            Self::Pieces { left, pieces } => pieces.poll_recv(context).map(|piece| {
                let piece = piece.filter(|piece| piece.len() as u64 <= *left);
                let frame = piece.ok_or(SentError).map(|piece| {
                    *left = left.saturating_sub(piece.len() as u64);
                    Frame::data(piece)
                });
                Some(frame)
            }),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Whole(whole) => whole.is_end_stream(),
            Self::Pieces { left, .. } => *left == 0,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Whole(whole) => whole.size_hint(),
            Self::Pieces { left, .. } => SizeHint::with_exact(*left),
        }
    }
}

/// Pieces that are more or fewer octets than was said.
#[derive(Debug, thiserror::Error)]
#[error("what is sent has another length than was said")]
struct SentError;

/// The client over a world's network.
pub struct HttpsClient {
    world: World,
    tls: TlsConnector,
    agent: HeaderValue,
}

/// Certificates that can't be trusted because they can't be read.
#[derive(Debug, thiserror::Error)]
#[error("the certificates to trust can't be used: {0}")]
pub struct RootsError(#[from] rustls::Error);

impl HttpsClient {
    /// A client that trusts the authorities that browsers trust, and `further` ones.
    ///
    /// # Errors
    /// When one of the further certificates is none.
    pub fn new(world: World, further: &[CertificateDer<'static>]) -> Result<Self, RootsError> {
        let mut roots = RootCertStore::empty();
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
        further.iter().try_for_each(|certificate| roots.add(certificate.clone()))?;
        let time = Arc::new(WorldTime::new(Arc::clone(&world.clock)));
        let mut config = ClientConfig::builder_with_details(Arc::new(aws_lc_rs::default_provider()), time)
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { world, tls: TlsConnector::from(Arc::new(config)), agent: HeaderValue::from_static("Relais") })
    }

    async fn run(&self, request: Request, streamed: Option<Streamed>) -> Result<Response, HttpsError> {
        let body = match streamed {
            Some(Streamed { octets, pieces }) => Sent::Pieces { left: octets, pieces },
            None => Sent::Whole(Full::new(Bytes::from(request.body.clone()))),
        };
        let head = self.head(&request, body)?;
        let stream = self.connect(&request).await?;
        let stream = if request.url.secure { self.handshake(stream, &request.url).await? } else { stream };
        let http = |error: hyper::Error| HttpsError::Http(chain(&error));
        let mut builder = hyper::client::conn::http1::Builder::new();
        builder.max_buf_size(HEAD_OCTETS_MAX);
        let (mut sender, connection) = builder.handshake(TokioIo::new(stream)).await.map_err(http)?;
        let work = async {
            let response = sender.send_request(head).await.map_err(http)?;
            let (head, body) = response.into_parts();
            let body = Limited::new(body, request.octets_max).collect().await.map_err(|error| {
                if error.is::<LengthLimitError>() { HttpsError::TooLong } else { HttpsError::Http(chain(&*error)) }
            })?;
            let text = |value: &HeaderValue| value.to_str().ok().map(str::to_owned);
            let fields = head.headers.iter().filter_map(|(name, value)| Some((name.as_str().to_owned(), text(value)?)));
            let fields = fields.collect();
            Ok(Response { status: head.status.as_u16(), fields, body: body.to_bytes().to_vec() })
        };
        // The connection is driven here, so that it ends with the exchange. It may end first: with the last octets.
        let (mut work, mut connection) = (pin!(work), pin!(connection.fuse()));
        let mut driving = true;
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                _ = &mut connection, if driving => driving = false,
            }
        }
    }

    fn head(&self, request: &Request, body: Sent) -> Result<hyper::Request<Sent>, HttpsError> {
        let method = match request.method {
            Method::Get => hyper::Method::GET,
            Method::Post => hyper::Method::POST,
        };
        let bad = |what: &str| HttpsError::Field(what.to_owned());
        let mut head = hyper::Request::builder()
            .method(method)
            .uri(request.url.path.as_str())
            .header(HOST, request.url.authority())
            .header(USER_AGENT, self.agent.clone());
        for (name, value) in &request.fields {
            // Addresses may have more than ASCII (RFC 6531); controls are no value.
            let value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_| bad(name))?;
            head = head.header(HeaderName::from_bytes(name.as_bytes()).map_err(|_| bad(name))?, value);
        }
        head.body(body).map_err(|error| HttpsError::Field(error.to_string()))
    }

    /// Connects to the first address that answers.
    async fn connect(&self, request: &Request) -> Result<Box<dyn Stream>, HttpsError> {
        let places = match request.at {
            Some(place) => vec![place],
            None => {
                let addresses = self.world.resolver.addresses(&request.url.host).await?;
                addresses.into_iter().map(|ip| SocketAddr::new(ip, request.url.port)).collect()
            }
        };
        let good = |place: &SocketAddr| request.reach == Reach::Anywhere || is_public(place.ip());
        let mut last = HttpsError::NotPublic;
        for place in places.into_iter().filter(good).take(ADDRESSES_MAX) {
            // Each has its share of the time, so that a silent one leaves some for the next.
            match self.world.connector.connect(place, request.within / 4).await {
                Ok(stream) => return Ok(stream),
                Err(error) => last = HttpsError::Connect(error.to_string()),
            }
        }
        Err(last)
    }

    async fn handshake(&self, stream: Box<dyn Stream>, url: &Url) -> Result<Box<dyn Stream>, HttpsError> {
        let name = match url.host.as_literal() {
            Some(ip) => ServerName::IpAddress(ip.into()),
            None => ServerName::try_from(url.host.as_str().to_owned())
                .map_err(|_| HttpsError::Tls(format!("{} is no name for a certificate", url.host)))?,
        };
        let stream = self.tls.connect(name, stream).await.map_err(|error| HttpsError::Tls(error.to_string()))?;
        Ok(Box::new(stream))
    }
}

impl Https for HttpsClient {
    fn exchange(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpsError>> {
        let within = request.within;
        Box::pin(async move {
            self.world.timeout(within, self.run(request, None)).await.unwrap_or(Err(HttpsError::TimedOut))
        })
    }

    fn exchange_streamed(&self, request: Request, body: Streamed) -> BoxFuture<'_, Result<Response, HttpsError>> {
        let within = request.within;
        Box::pin(async move {
            let running = self.run(request, Some(body));
            self.world.timeout(within, running).await.unwrap_or(Err(HttpsError::TimedOut))
        })
    }
}

/// An error with what caused it.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

/// The world's time, for rustls to judge certificates by.
pub struct WorldTime(Arc<dyn Clock>);

impl WorldTime {
    /// By this clock.
    #[must_use]
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self(clock)
    }
}

impl fmt::Debug for WorldTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("WorldTime")
    }
}

impl TimeProvider for WorldTime {
    fn current_time(&self) -> Option<UnixTime> {
        let Timestamp(millis) = self.0.now();
        Some(UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(millis).ok()?)))
    }
}

/// Whether an address belongs to the public Internet, by the registries of special addresses (RFC 6890 and its
/// successors): not loopback, private, link-local, shared, for documentation, multicast, or reserved. An IPv4 address
/// inside an IPv6 one (mapped, NAT64, 6to4) is judged itself.
#[must_use]
pub fn is_public(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(v4) => is_public_v4(v4),
        IpAddr::V6(v6) => {
            let s = v6.segments();
            let inner = |high: u16, low: u16| {
                let ([a, b], [c, d]) = (high.to_be_bytes(), low.to_be_bytes());
                is_public_v4(Ipv4Addr::new(a, b, c, d))
            };
            match s {
                // NAT64 (RFC 6052), 6to4 (RFC 3056).
                [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => inner(high, low),
                // Teredo and other protocols (RFC 2928), documentation (RFC 3849, RFC 9637).
                [0x2001, second, ..] => second >= 0x200 && second != 0xdb8,
                [0x3fff, second, ..] => second >= 0x1000,
                // Global unicast as far as it is given out.
                [first, ..] => (0x2000..0x4000).contains(&first),
            }
        }
    }
}

fn is_public_v4(ip: Ipv4Addr) -> bool {
    let [a, b, c, _] = ip.octets();
    let shared = a == 100 && (64..128).contains(&b);
    let protocols = (a, b, c) == (192, 0, 0) || (a, b, c) == (192, 88, 99);
    let benchmarks = a == 198 && (b == 18 || b == 19);
    !(a == 0
        || a >= 224
        || shared
        || protocols
        || benchmarks
        || ip.is_private()
        || ip.is_loopback()
        || ip.is_link_local()
        || ip.is_documentation())
}

#[cfg(test)]
mod tests;
