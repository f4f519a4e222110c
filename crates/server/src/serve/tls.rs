//! The certificate: from files, or one of our own making that is kept in the data folder.

use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use mail::Timestamp;
use rustls::server::{WantsServerCert, WebPkiClientVerifier};
use rustls::{ConfigBuilder, RootCertStore, ServerConfig};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::cli::Failure;
use crate::config::Config;
use crate::privileges;

/// A certificate chain and its key.
pub(super) struct Identity {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
}

impl Identity {
    /// What a TLS server needs: TLS 1.2 and 1.3.
    pub(super) fn server_config(&self) -> Result<ServerConfig, Failure> {
        self.config_of(ServerConfig::builder().with_no_client_auth())
    }

    /// The same where people log in (IMAP, submission): clients are asked for a certificate when the configuration says who signs
    /// them; they need not have one (RFC 4422, appendix A).
    pub(super) fn login_config(&self, client_ca: &Path) -> Result<ServerConfig, Failure> {
        if client_ca.as_os_str().is_empty() {
            return self.server_config();
        }
        let told = |error: &dyn std::fmt::Display| {
            Failure::new(format!("[tls]: client_ca_file {}: {error}", client_ca.display()))
        };
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(client_ca).map_err(|error| told(&error))? {
            roots.add(certificate.map_err(|error| told(&error))?).map_err(|error| told(&error))?;
        }
        let verifier = WebPkiClientVerifier::builder(Arc::new(roots)).allow_unauthenticated();
        let verifier = verifier.build().map_err(|error| told(&error))?;
        self.config_of(ServerConfig::builder().with_client_cert_verifier(verifier))
    }

    fn config_of(&self, builder: ConfigBuilder<ServerConfig, WantsServerCert>) -> Result<ServerConfig, Failure> {
        let mut config = builder.with_single_cert(self.chain.clone(), self.key.clone_key()).map_err(|error| {
            let failure = Failure::new(format!("[tls]: certificate and key can't be used together: {error}"));
            failure.hint("`key_file` must be the key of the first certificate in `certificate_file`")
        })?;
        match rustls::crypto::aws_lc_rs::Ticketer::new() {
            Ok(ticketer) => config.ticketer = ticketer,
            Err(error) => tracing::warn!(%error, "no session tickets: returning clients make full handshakes"),
        }
        Ok(config)
    }
}

/// The certificate that the configuration names, if it does.
pub(super) fn given(config: &Config) -> Result<Option<Identity>, Failure> {
    let (certificate, key) = (&config.tls.certificate_file, &config.tls.key_file);
    if certificate.as_os_str().is_empty() {
        return Ok(None);
    }
    let hint = "both files are PEM; unset `certificate_file` and `key_file` to use a certificate of Relais's own";
    read(certificate, key).map(Some).map_err(|message| {
        let forbidden = message.contains("Permission denied");
        let failure = Failure::new(format!("[tls]: {message}"));
        if forbidden {
            let name = privileges::own_name();
            return failure.hint(format!(
                "this server runs as {name} by now, who must be able to read both files: `chgrp` and `chmod 640` them for a \
                 group of {name}; or restart the server, which reads them as root before it becomes {name}"
            ));
        }
        failure.hint(hint)
    })
}

/// A certificate of our own making for this machine's name, made once.
pub(super) fn self_signed(config: &Config, now: Timestamp) -> Result<Identity, Failure> {
    let name = config.hostname.as_str();
    let folder = config.data_dir.join("tls");
    let (certificate, key) = (folder.join(format!("{name}.cert.pem")), folder.join(format!("{name}.key.pem")));
    if !certificate.exists() || !key.exists() {
        make(name, now, &folder, &certificate, &key)
            .map_err(|message| Failure::new(format!("no certificate could be made: {message}")))?;
        tracing::info!(file = %certificate.display(), "made a certificate");
    }
    tracing::warn!(
        file = %certificate.display(),
        "the certificate is one of Relais's own, so clients will warn; set certificate_file and key_file under [tls]"
    );
    read(&certificate, &key).map_err(Failure::new)
}

fn read(certificate: &Path, key: &Path) -> Result<Identity, String> {
    let told = |file: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", file.display());
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(|error| told(certificate, &error))?;
    if chain.is_empty() {
        return Err(told(certificate, &"there is no certificate in it"));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(|error| told(key, &error))?;
    Ok(Identity { chain, key })
}

fn make(name: &str, now: Timestamp, folder: &Path, certificate: &Path, key: &Path) -> Result<(), String> {
    let signing_key = rcgen::KeyPair::generate().map_err(|error| error.to_string())?;
    let names = vec![name.to_owned(), "localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = rcgen::CertificateParams::new(names).map_err(|error| error.to_string())?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    // A longer name is among the alternative names alone.
    if name.len() <= COMMON_NAME_OCTETS_MAX {
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
    }
    let epoch = rcgen::date_time_ymd(1970, 1, 1);
    let now = Duration::from_secs(u64::try_from(now.as_secs()).unwrap_or(0));
    // From yesterday: the clocks of clients differ.
    params.not_before = epoch + now.saturating_sub(DAY);
    params.not_after = epoch + now.saturating_add(VALID);
    let cert = params.self_signed(&signing_key).map_err(|error| error.to_string())?;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(|error| error.to_string())?;
    write_private(key, &signing_key.serialize_pem())?;
    write_private(certificate, &cert.pem())
}

fn write_private(file: &Path, text: &str) -> Result<(), String> {
    let open = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file);
    let written = open.and_then(|mut open| open.write_all(text.as_bytes()).and_then(|()| open.sync_all()));
    written.map_err(|error| format!("{}: {error}", file.display()))
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// Ten years.
const VALID: Duration = Duration::from_secs(3_652 * 24 * 60 * 60);
const COMMON_NAME_OCTETS_MAX: usize = 64; // RFC 5280 appendix A.1, ub-common-name

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_and_used_again() {
        let folder = tempfile::tempdir().unwrap();
        let config = Config { data_dir: folder.path().to_owned(), ..Config::default() };
        rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
        let now = Timestamp::from_secs(1_800_000_000); // 2027-01-15
        let first = self_signed(&config, now).unwrap();
        first.server_config().unwrap();
        // Its own certificate signs no others, but it can be read; a file that holds none is named.
        first.login_config(&folder.path().join("tls/localhost.cert.pem")).unwrap();
        let failure = first.login_config(&folder.path().join("tls/localhost.key.pem")).err().unwrap().to_string();
        assert!(failure.contains("client_ca_file"), "{failure}");
        assert_eq!(self_signed(&config, now).unwrap().chain, first.chain);
        let der = first.chain[0].to_vec();
        let has = |octets: &[u8]| der.windows(octets.len()).any(|window| window == octets);
        // The common name (2.5.4.3), and the two times as ASN.1 has them.
        assert!(has(b"\x55\x04\x03\x0c\x09localhost"), "{der:?}");
        assert!(has(b"\x17\x0d270114080000Z\x17\x0d370114080000Z"), "{der:?}");
    }

    #[test]
    fn files_that_are_none_are_named() {
        let mut config = Config::default();
        config.tls.certificate_file = "no/such.pem".into();
        config.tls.key_file = "no/such.key".into();
        let failure = given(&config).err().unwrap().to_string();
        assert!(failure.starts_with("[tls]: no/such.pem: "), "{failure}");
    }
}
