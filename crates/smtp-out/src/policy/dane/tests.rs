//! Certificates made here against the records that name them.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;

use super::*;

/// An authority, an intermediate one, and a host's certificate under it.
struct Chain {
    root: CertificateDer<'static>,
    middle: CertificateDer<'static>,
    host: CertificateDer<'static>,
}

fn authority(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name.push(rcgen::DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

/// For a host of this name, valid until a year.
fn chain(name: &str, until: i32) -> Chain {
    let root = CertifiedIssuer::self_signed(authority("root"), KeyPair::generate().unwrap()).unwrap();
    let middle = CertifiedIssuer::signed_by(authority("middle"), KeyPair::generate().unwrap(), &root).unwrap();
    let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.not_after = rcgen::date_time_ymd(until, 1, 1);
    let host = params.signed_by(&KeyPair::generate().unwrap(), &middle).unwrap();
    let der = |certificate: &rcgen::Certificate| certificate.der().clone();
    Chain { root: der(root.as_ref()), middle: der(middle.as_ref()), host: der(&host) }
}

fn record(usage: u8, selector: u8, matching: u8, certificate: &CertificateDer<'_>) -> TlsaRecord {
    let key = ParsedCertificate::try_from(certificate).unwrap().subject_public_key_info();
    let octets: &[u8] = if selector == WHOLE { certificate } else { &key };
    let data = match matching {
        SHA256 => digest::digest(&digest::SHA256, octets).as_ref().to_vec(),
        SHA512 => digest::digest(&digest::SHA512, octets).as_ref().to_vec(),
        _ => octets.to_vec(),
    };
    TlsaRecord { usage, selector, matching, data }
}

/// In 2026, for `mx.far.example` of `far.example`.
fn check(records: &[TlsaRecord], host: &CertificateDer<'_>, sent: &[&CertificateDer<'_>]) -> Result<(), String> {
    let names = ["mx.far.example", "far.example"].map(|name| ServerName::try_from(name).unwrap()).to_vec();
    let verifier = ByRecords::new(Arc::new(aws_lc_rs::default_provider()), usable(records), names);
    let now = UnixTime::since_unix_epoch(std::time::Duration::from_secs(1_767_225_600));
    let sent: Vec<CertificateDer<'_>> = sent.iter().map(|one| (*one).clone()).collect();
    let any = ServerName::try_from("x.example").unwrap();
    verifier.check(host, &sent, &any, now).map_err(|error| error.to_string())
}

#[test]
fn an_end_entity_is_its_certificate_or_its_key() {
    // Neither its name nor its date matters (RFC 7672 §3.1.1).
    let (ours, other) = (chain("elsewhere.example", 2001), chain("mx.far.example", 2100));
    for selector in [WHOLE, KEY] {
        for matching in [FULL, SHA256, SHA512] {
            let named = record(END_ENTITY, selector, matching, &ours.host);
            assert_eq!(check(std::slice::from_ref(&named), &ours.host, &[]), Ok(()), "3 {selector} {matching}");
            assert!(check(&[named], &other.host, &[&other.middle]).is_err(), "3 {selector} {matching}");
        }
    }
    // One of several is enough: keys are changed with both published.
    let both = [record(END_ENTITY, KEY, SHA256, &other.host), record(END_ENTITY, KEY, SHA256, &ours.host)];
    assert_eq!(check(&both, &ours.host, &[]), Ok(()));
    // The record of an authority says nothing about the host itself.
    assert!(check(&[record(END_ENTITY, KEY, SHA256, &ours.middle)], &ours.host, &[&ours.middle]).is_err());
}

#[test]
fn an_authority_vouches_for_names_and_dates() {
    let ours = chain("mx.far.example", 2100);
    let sent = [&ours.middle, &ours.root];
    for selector in [WHOLE, KEY] {
        for matching in [FULL, SHA256, SHA512] {
            for named in [&ours.middle, &ours.root] {
                let records = [record(AUTHORITY, selector, matching, named)];
                assert_eq!(check(&records, &ours.host, &sent), Ok(()), "2 {selector} {matching}");
            }
            let other = chain("mx.far.example", 2100);
            assert!(check(&[record(AUTHORITY, selector, matching, &other.root)], &ours.host, &sent).is_err());
        }
    }
    // A root that is not sent along counts when the record has all of it.
    assert_eq!(check(&[record(AUTHORITY, WHOLE, FULL, &ours.root)], &ours.host, &[&ours.middle]), Ok(()));
    assert!(check(&[record(AUTHORITY, WHOLE, SHA256, &ours.root)], &ours.host, &[&ours.middle]).is_err());
    for (name, until, good) in [
        ("far.example", 2100, true),
        ("*.far.example", 2100, true),
        ("evil.example", 2100, false),
        ("mx.far.example", 2001, false),
    ] {
        let chain = chain(name, until);
        let records = [record(AUTHORITY, KEY, SHA256, &chain.root)];
        let found = check(&records, &chain.host, &[&chain.middle, &chain.root]);
        assert_eq!(found.is_ok(), good, "{name} {until}: {found:?}");
    }
    // Somebody else's certificate under a name of ours, with the authority's put beside it.
    let forged = chain("mx.far.example", 2100);
    let records = [record(AUTHORITY, KEY, SHA256, &ours.root)];
    assert!(check(&records, &forged.host, &[&forged.middle, &forged.root, &ours.root]).is_err());
}

#[test]
fn what_can_not_be_used_is_left_out() {
    let host = chain("mx.far.example", 2100).host;
    let good = record(END_ENTITY, KEY, SHA256, &host);
    let bad = [
        TlsaRecord { usage: 0, ..good.clone() },
        TlsaRecord { usage: 1, ..good.clone() },
        TlsaRecord { usage: 4, ..good.clone() },
        TlsaRecord { selector: 2, ..good.clone() },
        TlsaRecord { matching: 3, ..good.clone() },
        TlsaRecord { data: vec![0; 31], ..good.clone() },
        TlsaRecord { matching: SHA512, ..good.clone() },
        TlsaRecord { matching: FULL, data: Vec::new(), ..good.clone() },
    ];
    assert_eq!(usable(&bad), []);
    let mut all = bad.to_vec();
    all.push(good.clone());
    assert_eq!(usable(&all), std::slice::from_ref(&good));
    // RFC 7671 §9: the stronger digest of the same kind alone.
    let strong = record(END_ENTITY, KEY, SHA512, &host);
    let (other_kind, full) = (record(END_ENTITY, WHOLE, SHA256, &host), record(END_ENTITY, KEY, FULL, &host));
    let records = [good, strong.clone(), other_kind.clone(), full.clone()];
    assert_eq!(usable(&records), [strong, other_kind, full]);
    assert_eq!(usable(&vec![record(END_ENTITY, KEY, SHA256, &host); 100]).len(), TLSA_RECORDS_MAX);
}

#[test]
fn nonsense_for_a_certificate_matches_nothing() {
    let host = chain("mx.far.example", 2100).host;
    let nonsense = CertificateDer::from_slice(b"nonsense");
    for records in [record(END_ENTITY, KEY, SHA256, &host), record(AUTHORITY, KEY, SHA256, &host)] {
        assert!(check(&[records], &nonsense, &[&nonsense]).is_err());
    }
    // Records that name nonsense as an authority.
    let record = TlsaRecord { usage: AUTHORITY, selector: WHOLE, matching: FULL, data: b"nonsense".to_vec() };
    assert!(check(&[record], &host, &[&nonsense]).is_err());
}
