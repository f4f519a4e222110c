//! Whether a host is who it should be, by rules of one's own. rustls asks a verifier for four things, of which three are
//! always the same.

use std::fmt;
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::{DigitallySignedStruct, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

/// Which certificates are a host's.
pub trait CheckCertificate: Send + Sync {
    /// # Errors
    /// When the certificate is not that of the host with this name, and why.
    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error>;
}

impl<C: CheckCertificate + ?Sized> CheckCertificate for Arc<C> {
    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        (**self).check(end_entity, intermediates, name, now)
    }
}

/// A [`CheckCertificate`] as rustls takes it. Whatever it lets pass, whoever shows a certificate proves that they hold its key.
pub struct CertificateVerifier<C> {
    check: C,
    algorithms: WebPkiSupportedAlgorithms,
}

impl<C: CheckCertificate> CertificateVerifier<C> {
    /// A verifier for configurations with the same provider.
    pub fn new(check: C, provider: &CryptoProvider) -> Self {
        Self { check, algorithms: provider.signature_verification_algorithms }
    }
}

impl<C> fmt::Debug for CertificateVerifier<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateVerifier").finish_non_exhaustive()
    }
}

impl<C: CheckCertificate> ServerCertVerifier for CertificateVerifier<C> {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.check.check(end_entity, intermediates, server_name, now).map(|()| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}
