//! DANE for SMTP (RFC 7672, RFC 6698, RFC 7671): which TLSA records count, and whether a certificate is the one they name.
//!
//! Usage 3 (DANE-EE) names the host's own certificate or key: neither its names nor its dates matter. Usage 2 (DANE-TA)
//! names an authority in its chain: names and dates count. 0 and 1 have no meaning in SMTP (RFC 7672 §3.1.3).

use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::RootCertStore;
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::CryptoProvider;
use rustls::server::ParsedCertificate;
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use world::{CheckCertificate, TlsaRecord};

use crate::limits::TLSA_RECORDS_MAX;

/// DANE-TA.
const AUTHORITY: u8 = 2;
/// DANE-EE.
const END_ENTITY: u8 = 3;

/// What is compared.
const WHOLE: u8 = 0;
const KEY: u8 = 1;

/// In which form.
const FULL: u8 = 0;
const SHA256: u8 = 1;
const SHA512: u8 = 2;

/// The records that can be used. None of several: the connection must be encrypted, and can't be authenticated (RFC 7672
/// §2.2).
pub(crate) fn usable(records: &[TlsaRecord]) -> Vec<TlsaRecord> {
    let good = |record: &&TlsaRecord| {
        let known = matches!(record.usage, AUTHORITY | END_ENTITY) && matches!(record.selector, WHOLE | KEY);
        known
            && match record.matching {
                FULL => !record.data.is_empty(),
                SHA256 => record.data.len() == 32,
                SHA512 => record.data.len() == 64,
                _ => false,
            }
    };
    let good: Vec<&TlsaRecord> = records.iter().filter(good).take(TLSA_RECORDS_MAX).collect();
    // RFC 7671 §9: of the digests of one kind, only the strongest counts.
    let stronger = |record: &TlsaRecord| {
        let beats = |other: &&TlsaRecord| {
            other.matching == SHA512 && (other.usage, other.selector) == (record.usage, record.selector)
        };
        record.matching == SHA256 && good.iter().any(beats)
    };
    good.iter().filter(|record| !stronger(record)).map(|record| (*record).clone()).collect()
}

/// Checks a host's certificate by TLSA records.
#[derive(Debug)]
pub(crate) struct ByRecords {
    provider: Arc<CryptoProvider>,
    records: Vec<TlsaRecord>,
    /// The names of which a certificate under a named authority must have one (RFC 7672 §3.2.2): the host's, and that of
    /// the domain whose mail it takes.
    names: Vec<ServerName<'static>>,
}

impl ByRecords {
    /// The check for usable records.
    pub(crate) fn new(
        provider: Arc<CryptoProvider>,
        records: Vec<TlsaRecord>,
        names: Vec<ServerName<'static>>,
    ) -> Self {
        Self { provider, records, names }
    }

    fn of(&self, usage: u8) -> impl Iterator<Item = &TlsaRecord> {
        self.records.iter().filter(move |record| record.usage == usage)
    }

    /// Whether an authority that the records name vouches for the certificate.
    fn is_vouched_for(
        &self,
        end_entity: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<bool, rustls::Error> {
        let mut roots = RootCertStore::empty();
        for record in self.of(AUTHORITY) {
            // A whole certificate need not be sent along (RFC 7671 §5.2.3).
            if (record.selector, record.matching) == (WHOLE, FULL) {
                roots.add_parsable_certificates([CertificateDer::from(record.data.clone())]);
            }
            roots.add_parsable_certificates(
                chain.iter().filter(|one| matches(record, one)).map(|one| one.clone().into_owned()),
            );
        }
        if roots.is_empty() {
            return Ok(false);
        }
        let parsed = ParsedCertificate::try_from(end_entity)?;
        let algorithms = self.provider.signature_verification_algorithms.all;
        verify_server_cert_signed_by_trust_anchor(&parsed, &roots, chain, now, algorithms)?;
        let mut named = Err(rustls::Error::General("no name to check".to_owned()));
        for name in &self.names {
            named = verify_server_name(&parsed, name);
            if named.is_ok() {
                break;
            }
        }
        named.map(|()| true)
    }
}

impl CheckCertificate for ByRecords {
    fn check(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        now: UnixTime,
    ) -> Result<(), rustls::Error> {
        if self.of(END_ENTITY).any(|record| matches(record, end_entity))
            || self.is_vouched_for(end_entity, intermediates, now)?
        {
            return Ok(());
        }
        Err(rustls::Error::General("the certificate is none that the TLSA records name".to_owned()))
    }
}

/// Whether a record is about this certificate (RFC 6698 §2.1.2 to §2.1.4).
fn matches(record: &TlsaRecord, certificate: &CertificateDer<'_>) -> bool {
    let key;
    let compared: &[u8] = match record.selector {
        WHOLE => certificate,
        KEY => match ParsedCertificate::try_from(certificate) {
            Ok(parsed) => {
                key = parsed.subject_public_key_info();
                &key
            }
            Err(_) => return false,
        },
        _ => return false,
    };
    match record.matching {
        FULL => compared == record.data,
        SHA256 => digest::digest(&digest::SHA256, compared).as_ref() == record.data,
        SHA512 => digest::digest(&digest::SHA512, compared).as_ref() == record.data,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
