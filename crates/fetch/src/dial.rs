//! From a host's name to a connection: addresses, TCP, TLS with a real check of the certificate.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use routing::objects::{ExternalAccountObject, ExternalSecurity};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::ServerCertVerifier;
use rustls::crypto::aws_lc_rs;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;
use world::{CertificateVerifier, CheckCertificate, Stream, World};

use crate::error::{FetchError, told};
use crate::limits::CONNECT_TIMEOUT;

/// Whom to trust for an external account: the public certificates, or those given and no others.
fn connector(ca_pem: Option<&str>) -> Result<TlsConnector, FetchError> {
    let wrong = |error: &dyn std::fmt::Display| FetchError::Tls(format!("the given certificates: {error}"));
    let provider = Arc::new(aws_lc_rs::default_provider());
    let mut roots = RootCertStore::empty();
    let mut given = Vec::new();
    match ca_pem {
        None => roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Some(pem) => {
            for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let certificate = certificate.map_err(|error| wrong(&error))?;
                roots.add(certificate.clone()).map_err(|error| wrong(&error))?;
                given.push(certificate);
            }
        }
    }
    let by_roots = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
    let by_roots = by_roots.build().map_err(|error| wrong(&error))?;
    let verifier = CertificateVerifier::new(Given { by_roots, given }, &provider);
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| FetchError::Tls(error.to_string()))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    Ok(TlsConnector::from(Arc::new(config)))
}

/// Checks a certificate by the roots; one that was given itself, octet by octet, is the host's too. So a server that signs
/// its own certificate, which no chain explains, can be trusted and nobody else with it.
#[derive(Debug)]
struct Given {
    by_roots: Arc<WebPkiServerVerifier>,
    given: Vec<CertificateDer<'static>>,
}

impl CheckCertificate for Given {
    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        if self.given.iter().any(|given| given == end_entity) {
            return Ok(());
        }
        self.by_roots.verify_server_cert(end_entity, intermediates, name, &[], now).map(|_| ())
    }
}

/// Opens a TCP connection; plain text to this machine alone.
pub(crate) async fn connect(world: &World, external: &ExternalAccountObject) -> Result<Box<dyn Stream>, FetchError> {
    let host = external.host.to_string();
    let mut addresses = match external.host.as_literal() {
        Some(ip) => vec![ip],
        // The system's own name, which no name server has to know (RFC 6761 §6.3).
        None if host.eq_ignore_ascii_case("localhost") => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        None => {
            let found = world.resolver.addresses(&external.host).await;
            found.map_err(|error| FetchError::NoHost(host.clone(), error.to_string()))?
        }
    };
    addresses.truncate(ADDRESSES_MAX);
    if external.security == ExternalSecurity::None {
        addresses.retain(IpAddr::is_loopback);
        if addresses.is_empty() {
            return Err(FetchError::NotHere(host));
        }
    }
    let mut last = "it has no address".to_owned();
    for address in addresses {
        let to = SocketAddr::new(address, external.port);
        match world.timeout(CONNECT_TIMEOUT, world.connector.connect(to, CONNECT_TIMEOUT)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error.to_string(),
            Err(timed_out) => last = timed_out.to_string(),
        }
    }
    Err(FetchError::NoConnection(format!("{host} port {}", external.port), last))
}

/// TLS over a connection, with the host's certificate checked.
pub(crate) async fn secure(
    world: &World,
    external: &ExternalAccountObject,
    stream: Box<dyn Stream>,
    within: Duration,
) -> Result<Box<dyn Stream>, FetchError> {
    let name = match external.host.as_literal() {
        Some(ip) => ServerName::IpAddress(ip.into()),
        None => ServerName::try_from(external.host.as_str().to_owned())
            .map_err(|_| FetchError::Tls(format!("{} is no name for a certificate", external.host)))?,
    };
    let connector = connector(external.ca_pem.as_deref())?;
    match world.timeout(within, connector.connect(name, stream)).await {
        Ok(Ok(stream)) => Ok(Box::new(stream)),
        Ok(Err(error)) => Err(FetchError::Tls(told(error.to_string().as_bytes()))),
        Err(_) => Err(FetchError::TimedOut),
    }
}

const ADDRESSES_MAX: usize = 6;
