//! TLS whose server asks for the client's certificate, and clients that show one (RFC 4422, appendix A).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::server::WebPkiClientVerifier;
use rustls::{ClientConfig, RootCertStore, ServerConfig};

/// Who signs the certificates of clients, and the server that believes it.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    /// The server's side.
    pub server: Arc<ServerConfig>,
    /// What clients believe.
    roots: RootCertStore,
    clients: Mutex<HashMap<Option<String>, Arc<ClientConfig>>>,
}

/// The one authority of a run.
pub fn authority() -> &'static Authority {
    static AUTHORITY: OnceLock<Authority> = OnceLock::new();
    AUTHORITY.get_or_init(Authority::new)
}

impl Authority {
    fn new() -> Self {
        let signing_key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let own = params.self_signed(&signing_key).unwrap();
        let mut believed = RootCertStore::empty();
        believed.add(own.der().clone()).unwrap();
        let provider = Arc::new(default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(believed), provider.clone());
        let shown = rcgen::generate_simple_self_signed(vec!["imap.example".to_owned()]).unwrap();
        let key = PrivatePkcs8KeyDer::from(shown.signing_key.serialize_der());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_client_cert_verifier(verifier.allow_unauthenticated().build().unwrap())
            .with_single_cert(vec![shown.cert.der().clone()], key.into())
            .unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(shown.cert.der().clone()).unwrap();
        Self { issuer: Issuer::new(params, signing_key), server: Arc::new(server), roots, clients: Mutex::default() }
    }

    /// The side of a client that shows a certificate with this e-mail address, or none.
    pub fn client(&self, address: Option<&str>) -> Arc<ClientConfig> {
        let mut clients = self.clients.lock().unwrap();
        clients.entry(address.map(str::to_owned)).or_insert_with(|| Arc::new(self.make_client(address))).clone()
    }

    fn make_client(&self, address: Option<&str>) -> ClientConfig {
        let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone());
        let Some(address) = address else { return builder.with_no_client_auth() };
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names.push(SanType::Rfc822Name(address.try_into().unwrap()));
        let certificate = params.signed_by(&key, &self.issuer).unwrap();
        let key = PrivatePkcs8KeyDer::from(key.serialize_der());
        builder.with_client_auth_cert(vec![certificate.der().clone()], key.into()).unwrap()
    }
}
