//! The decision, as a table.

use super::*;

const GOOD: TlsaRecord = TlsaRecord { usage: 3, selector: 1, matching: 0, data: Vec::new() };

fn good() -> TlsaRecord {
    TlsaRecord { data: vec![1; 32], matching: 1, ..GOOD }
}

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

/// What is decided, in a word: how it is checked, or the reply's enhanced code.
fn decided(tlsa: &str, sts: &str, wish: Wish) -> String {
    let base = domain("mx.far.example");
    let tlsa = match tlsa {
        "unsigned" => Tlsa::Unsigned,
        "nothing" => Tlsa::Nothing,
        "records" => Tlsa::Records(base, vec![good()]),
        "unusable" => Tlsa::Records(base, vec![TlsaRecord { usage: 0, ..good() }]),
        "failed" => Tlsa::Failed("SERVFAIL".into()),
        _ => panic!("{tlsa}"),
    };
    let policy = |mode, host: &str| Some(StsPolicy { id: "1".into(), mode, hosts: vec![host.to_owned()] });
    let sts = match sts {
        "-" => None,
        "enforce" => policy(StsMode::Enforce, "*.far.example"),
        "enforce others" => policy(StsMode::Enforce, "other.example"),
        "testing" => policy(StsMode::Testing, "*.far.example"),
        "testing others" => policy(StsMode::Testing, "other.example"),
        "none" => policy(StsMode::None, "*.far.example"),
        _ => panic!("{sts}"),
    };
    let (domain, host) = (domain("far.example"), domain("mx.far.example"));
    match decide(&Facts { domain: &domain, host: &host, tlsa: &tlsa, sts: sts.as_ref(), wish }) {
        Ok(Check::Opportunistic) => "opportunistic".into(),
        Ok(Check::Dane { records, names }) => {
            assert_eq!(records, [good()]);
            assert_eq!(names, [host, domain]);
            "dane".into()
        }
        Ok(Check::Trial { named }) => format!("opportunistic, {named}"),
        Ok(Check::EncryptedByDane) => "encrypted".into(),
        Ok(Check::Sts) => "sts".into(),
        Ok(Check::Message) => "message".into(),
        Err(Broken::Unfit(reply)) => reply.enhanced.unwrap().to_string(),
        Err(Broken::Distrusted(_)) => "later".into(),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn dane_then_mta_sts_then_opportunistic() {
    for (tlsa, sts, usual, required) in [
        ("unsigned", "-", "opportunistic", "5.7.10"),
        ("unsigned", "enforce", "sts", "sts"),
        ("unsigned", "enforce others", "later", "later"),
        ("unsigned", "testing", "opportunistic, true", "message"),
        ("unsigned", "testing others", "opportunistic, false", "5.7.10"),
        ("unsigned", "none", "opportunistic", "5.7.10"),
        ("nothing", "-", "opportunistic", "message"),
        ("nothing", "enforce", "sts", "sts"),
        ("nothing", "enforce others", "later", "later"),
        ("nothing", "testing others", "opportunistic, false", "message"),
        // DANE goes first (RFC 8461 §2), also where the policy says something else.
        ("records", "-", "dane", "dane"),
        ("records", "enforce", "dane", "dane"),
        ("records", "enforce others", "dane", "dane"),
        ("unusable", "-", "encrypted", "message"),
        ("unusable", "enforce", "encrypted", "sts"),
        ("failed", "-", "later", "later"),
        ("failed", "enforce", "later", "later"),
    ] {
        assert_eq!(decided(tlsa, sts, Wish::Usual), usual, "{tlsa}, {sts}");
        assert_eq!(decided(tlsa, sts, Wish::Required), required, "{tlsa}, {sts}, REQUIRETLS");
        assert_eq!(decided(tlsa, sts, Wish::Optional), "opportunistic", "{tlsa}, {sts}, TLS-Required: No");
    }
}

/// What an open connection is good for: for each check that it was opened under, the checks that it meets.
#[test]
fn a_connection_meets_what_was_proven_of_it() {
    let other = TlsaRecord { data: vec![2; 32], ..good() };
    let names = |names: &[&str]| names.iter().map(|name| domain(name)).collect::<Vec<_>>();
    let dane = |records: &[TlsaRecord], to: &[&str]| Check::Dane { records: records.to_vec(), names: names(to) };
    let (mx, both) = (["mx.far.example"], ["mx.far.example", "far.example"]);
    let checks = [
        ("opportunistic", Check::Opportunistic),
        ("trial", Check::Trial { named: true }),
        ("encrypted", Check::EncryptedByDane),
        ("dane", dane(&[good()], &mx)),
        ("dane, two records", dane(&[other.clone(), good()], &mx)),
        ("dane, two names", dane(&[good()], &both)),
        ("dane, another", dane(&[other], &mx)),
        ("sts", Check::Sts),
        ("message", Check::Message),
    ];
    let met = |held: &str, encrypted| {
        let held = &checks.iter().find(|(name, _)| *name == held).unwrap().1;
        let met = checks.iter().filter(|(_, asked)| asked.is_met_by(held, encrypted));
        met.map(|(name, _)| *name).collect::<Vec<_>>().join("; ")
    };
    assert_eq!(met("opportunistic", false), "opportunistic; trial");
    for (held, more) in [
        ("opportunistic", ""),
        ("trial", ""),
        ("encrypted", ""),
        ("dane", "; dane; dane, two records; dane, two names"),
        ("dane, two records", "; dane, two records"),
        ("dane, two names", "; dane, two names"),
        ("dane, another", "; dane, two records; dane, another"),
        ("sts", "; sts; message"),
        ("message", "; sts; message"),
    ] {
        assert_eq!(met(held, true), format!("opportunistic; trial; encrypted{more}"), "{held}");
        // There is no such connection; if there were, it would be good for nothing.
        assert_eq!(met(held, false), "opportunistic; trial", "{held}");
    }
}

#[test]
fn tls_required_no_is_read_from_the_header() {
    for (head, found) in [
        ("From: a\r\nTLS-Required: No\r\n\r\nx", true),
        ("tls-required:no\r\n\r\n", true),
        ("TLS-Required:\r\n No\r\n\r\n", true),
        ("TLS-Required : NO\nTo: b\n\n", true),
        ("TLS-Required: No", true),
        ("TLS-Required: Yes\r\n\r\n", false),
        ("TLS-Required: No thanks\r\n\r\n", false),
        ("TLS-Required: N\r\n o\r\n\r\n", false),
        ("X-TLS-Required: No\r\n\r\n", false),
        ("Subject: x\r\n TLS-Required: No\r\n\r\n", false),
        ("From: a\r\n\r\nTLS-Required: No\r\n", false),
        ("", false),
        (":\r\n: No\r\n", false),
    ] {
        assert_eq!(says_tls_optional(head.as_bytes()), found, "{head:?}");
    }
}
