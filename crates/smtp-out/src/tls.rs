//! TLS towards other servers: verified for hosts that an administrator names, as [`crate::policy`] says for MX hosts.

use std::sync::Arc;

use mail::Domain;
use rustls::client::danger::ServerCertVerifier;
use rustls::client::{Resumption, WebPkiServerVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::{ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use tokio_rustls::TlsConnector;
use world::https::WorldTime;
use world::{CertificateVerifier, CheckCertificate, Clock, TlsaRecord};

use crate::policy::dane::ByRecords;
use crate::settings::Roots;

/// The ways of trusting.
pub(crate) struct Connectors {
    provider: Arc<CryptoProvider>,
    clock: Arc<dyn Clock>,
    /// The certificate must be the host's, by the roots of the settings.
    pub(crate) verified: TlsConnector,
    /// The certificate must be the host's, by the public authorities: MTA-STS (RFC 8461 §4.2) and REQUIRETLS.
    pub(crate) public: TlsConnector,
    strict: Arc<WebPkiServerVerifier>,
    /// Any certificate will do: better than none against who only listens.
    pub(crate) unverified: TlsConnector,
}

impl Connectors {
    pub(crate) fn new(
        roots: &Roots,
        further: &[CertificateDer<'static>],
        clock: Arc<dyn Clock>,
    ) -> Result<Self, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let mut public = store(&Roots::Public)?;
        further.iter().try_for_each(|certificate| public.add(certificate.clone()))?;
        let any = Arc::new(CertificateVerifier::new(AnyCertificate, &provider));
        let start = || builder(&provider, &clock);
        let verified = start()?.with_root_certificates(store(roots)?).with_no_client_auth();
        let public = Arc::new(public);
        let strict = WebPkiServerVerifier::builder_with_provider(Arc::clone(&public), Arc::clone(&provider));
        let strict = strict.build().map_err(|error| rustls::Error::General(error.to_string()))?;
        let public = start()?.with_root_certificates(public).with_no_client_auth();
        let unverified = start()?.dangerous().with_custom_certificate_verifier(any).with_no_client_auth();
        Ok(Self {
            verified: TlsConnector::from(Arc::new(verified)),
            public: TlsConnector::from(Arc::new(public)),
            unverified: TlsConnector::from(Arc::new(unverified)),
            strict,
            provider,
            clock,
        })
    }

    /// As `unverified`, but notes whether the certificate would have passed as with `public`.
    pub(crate) fn trial(&self) -> Result<(TlsConnector, Arc<Trial>), rustls::Error> {
        let strict = Arc::clone(&self.strict);
        let trial = Arc::new(Trial { strict, found: std::sync::Mutex::new(None) });
        Ok((self.looking(Arc::clone(&trial))?, trial))
    }

    /// The certificate must be one that these TLSA records name, with one of these names where names count.
    pub(crate) fn dane(&self, records: &[TlsaRecord], names: &[Domain]) -> Result<TlsConnector, rustls::Error> {
        let names = names.iter().filter_map(|name| ServerName::try_from(name.as_str().to_owned()).ok()).collect();
        self.looking(ByRecords::new(Arc::clone(&self.provider), records.to_vec(), names))
    }

    /// One that looks at the certificate of each connection.
    fn looking(&self, check: impl CheckCertificate + 'static) -> Result<TlsConnector, rustls::Error> {
        let verifier = Arc::new(CertificateVerifier::new(check, &self.provider));
        let mut config = builder(&self.provider, &self.clock)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth();
        // A session of another time would be taken up without a look at its certificate.
        config.resumption = Resumption::disabled();
        Ok(TlsConnector::from(Arc::new(config)))
    }
}

fn builder(
    provider: &Arc<CryptoProvider>,
    clock: &Arc<dyn Clock>,
) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>, rustls::Error> {
    let time = Arc::new(WorldTime::new(Arc::clone(clock)));
    ClientConfig::builder_with_details(Arc::clone(provider), time).with_safe_default_protocol_versions()
}

fn store(roots: &Roots) -> Result<RootCertStore, rustls::Error> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::Public => store.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned()),
        Roots::Given(certificates) => {
            certificates.iter().try_for_each(|certificate| store.add(certificate.clone()))?;
        }
    }
    Ok(store)
}

/// How TLS reports call failures (RFC 8460 §4.3.1).
pub(crate) const STARTTLS_NOT_SUPPORTED: &str = "starttls-not-supported";
/// The same, for everything that has no name of its own.
pub(crate) const VALIDATION_FAILURE: &str = "validation-failure";

/// What a TLS report calls an error.
pub(crate) fn flaw_of(error: &rustls::Error) -> &'static str {
    use rustls::CertificateError as Flaw;
    let rustls::Error::InvalidCertificate(flaw) = error else { return VALIDATION_FAILURE };
    if matches!(flaw, Flaw::Expired | Flaw::ExpiredContext { .. }) {
        "certificate-expired"
    } else if matches!(flaw, Flaw::NotValidForName | Flaw::NotValidForNameContext { .. }) {
        "certificate-host-mismatch"
    } else if matches!(flaw, Flaw::UnknownIssuer) {
        "certificate-not-trusted"
    } else {
        VALIDATION_FAILURE
    }
}

/// Takes any certificate, and notes what is wrong with it.
#[derive(Debug)]
pub(crate) struct Trial {
    strict: Arc<WebPkiServerVerifier>,
    found: std::sync::Mutex<Option<&'static str>>,
}

impl Trial {
    /// What was wrong with the certificate.
    pub(crate) fn found(&self) -> Option<&'static str> {
        *self.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl CheckCertificate for Trial {
    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        let checked = self.strict.verify_server_cert(end_entity, intermediates, name, &[], now);
        *self.found.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = checked.err().as_ref().map(flaw_of);
        Ok(())
    }
}

/// Takes any certificate.
struct AnyCertificate;

impl CheckCertificate for AnyCertificate {
    fn check(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _now: UnixTime,
    ) -> Result<(), rustls::Error> {
        Ok(())
    }
}
