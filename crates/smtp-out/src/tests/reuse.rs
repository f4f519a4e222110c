//! Connections that carry several messages: none carries one that could not have opened it.

use super::policy::{Guarded, assert_has};
use super::tls::certificate;
use super::*;
use crate::{Login, Roots, Secret, SmartHost, TlsMode};

/// `TLS-Required: No`, which anybody can write.
fn optional() -> Vec<u8> {
    [b"TLS-Required: No\r\n", MESSAGE].concat()
}

/// A far side with a certificate for this name, and connections that are kept as the defaults have it.
async fn kept(name: &str) -> Guarded {
    let mut guarded = Guarded::new(name).await;
    guarded.stage.settings.messages_per_connection_max =
        SmtpOutSettings::new(domain("x.example")).messages_per_connection_max;
    guarded
}

impl Guarded {
    /// Messages that arrived, and the connections that it took.
    fn seen(&self) -> (usize, usize) {
        (self.stage.far.got().len(), self.stage.far.sessions())
    }

    fn no_tlsa(&self) {
        let at = domain("_25._tcp.mx.far.example");
        self.stage.world.resolver.set_tlsa(at, Ok(Vec::new()));
    }
}

#[tokio::test]
async fn a_message_past_the_policies_opens_no_way_for_others() {
    for policy in ["dane", "dane, no TLS", "sts", "sts, other host", "unusable records, no TLS"] {
        let mut guarded = kept("evil.example").await;
        match policy {
            "dane" | "dane, no TLS" => guarded.tlsa(Guarded::names(None)),
            "unusable records, no TLS" => {
                guarded.tlsa(vec![world::TlsaRecord { usage: 1, selector: 1, matching: 1, data: vec![1; 32] }]);
            }
            _ => guarded.sts("1"),
        }
        guarded.policies.policy("enforce", if policy == "sts" { "mx.far.example" } else { "other.example" }, 86_400);
        if policy.ends_with("no TLS") {
            guarded.stage.far.offer(&["PIPELINING"]);
        }
        guarded.start();
        guarded.send(&optional(), false).await;
        assert_eq!(guarded.seen(), (1, 1), "{policy}");
        let told = guarded.send(MESSAGE, false).await;
        assert_has(&told, &["not taken now: 451 4.7.5"]);
        assert_eq!(guarded.stage.far.got().len(), 1, "{policy}: {told}");
        assert_eq!(guarded.stage.far.count("QUIT"), 1, "{policy}: what does not do is closed");
        // Again past them, in a connection of its own.
        guarded.send(&optional(), false).await;
        guarded.send(&optional(), false).await;
        assert_eq!(guarded.stage.far.got().len(), 3, "{policy}");
        assert_eq!(guarded.stage.far.count("QUIT"), 1, "{policy}: such messages share it");
    }
}

#[tokio::test]
async fn messages_of_one_policy_share_a_connection() {
    for policy in ["dane", "sts", "testing", "none"] {
        let mut guarded = kept("mx.far.example").await;
        guarded.stage.settings.tls.further_roots = vec![guarded.certificate.clone()];
        match policy {
            "dane" => guarded.tlsa(Guarded::names(Some(&guarded.certificate))),
            "sts" | "testing" => {
                guarded.sts("1");
                guarded.policies.policy(if policy == "sts" { "enforce" } else { "testing" }, "mx.far.example", 86_400);
            }
            _ => {}
        }
        guarded.start();
        let mut told = String::new();
        for _ in 0..6 {
            told = guarded.send(MESSAGE, false).await;
        }
        assert_eq!(guarded.seen(), (6, 1), "{policy}");
        let words = match policy {
            "dane" => "certificate checked by DANE",
            "sts" => "certificate checked by MTA-STS",
            _ => "certificate not checked",
        };
        assert_has(&told, &[words]);
        // Whoever asks for less goes along; who asks for more does where that is there.
        guarded.send(&optional(), false).await;
        assert_eq!(guarded.seen(), (7, 1), "{policy}");
        if matches!(policy, "dane" | "sts") {
            guarded.send(MESSAGE, true).await;
            guarded.send(MESSAGE, false).await;
            assert_eq!(guarded.seen(), (9, 1), "{policy}");
        }
    }
}

#[tokio::test]
async fn requiretls_goes_only_over_what_was_proven_for_it() {
    let mut guarded = kept("mx.far.example").await;
    guarded.tlsa(Vec::new());
    guarded.stage.settings.tls.further_roots = vec![guarded.certificate.clone()];
    guarded.start();
    assert_has(&guarded.send(MESSAGE, false).await, &["certificate not checked: 250"]);
    assert_has(&guarded.send(MESSAGE, true).await, &["certificate checked by REQUIRETLS: 250"]);
    assert_eq!(guarded.seen(), (2, 2));
    // The other way round one will do.
    assert_has(&guarded.send(MESSAGE, false).await, &["certificate checked by REQUIRETLS: 250"]);
    assert_eq!(guarded.seen(), (3, 2));
}

#[tokio::test]
async fn a_policy_that_comes_while_a_connection_is_idle_holds_for_the_next_message() {
    for policy in ["dane", "sts", "sts, other host", "tlsa records that are not to be had"] {
        let mut guarded = kept("evil.example").await;
        guarded.tlsa(Vec::new());
        guarded.start();
        assert_has(&guarded.send(MESSAGE, false).await, &["certificate not checked: 250"]);
        match policy {
            "dane" => guarded.tlsa(Guarded::names(None)),
            "sts" => guarded.sts("1"),
            "sts, other host" => guarded.sts("1"),
            _ => {
                let failed = Err(ResolveError::Temporary("SERVFAIL".into()));
                guarded.stage.world.resolver.set_tlsa(domain("_25._tcp.mx.far.example"), failed);
            }
        }
        guarded.policies.policy("enforce", if policy == "sts" { "mx.far.example" } else { "other.example" }, 86_400);
        let told = guarded.send(MESSAGE, false).await;
        assert_has(&told, &["not taken now: 451 4.7.5"]);
        assert_eq!((guarded.stage.far.got().len(), guarded.stage.far.count("QUIT")), (1, 1), "{policy}: {told}");
    }
}

#[tokio::test]
async fn a_policy_that_changes_while_a_connection_is_idle_holds_for_the_next_message() {
    let mut guarded = kept("mx.far.example").await;
    let good = Guarded::names(Some(&guarded.certificate));
    let other = Guarded::names(None);
    guarded.tlsa(good.clone());
    guarded.start();
    assert_has(&guarded.send(MESSAGE, false).await, &["certificate checked by DANE: 250"]);
    // A further record, as before a new certificate (RFC 7671 §8.1): what was shown holds still.
    guarded.tlsa([good.clone(), other.clone()].concat());
    guarded.send(MESSAGE, false).await;
    assert_eq!(guarded.seen(), (2, 1));
    // The record that was met is gone.
    guarded.tlsa(other.clone());
    assert_has(&guarded.send(MESSAGE, false).await, &["not taken now: 451 4.7.5"]);
    assert_eq!(guarded.stage.far.got().len(), 2);
    // Of two records either may be the one that was met: a new connection shows it.
    guarded.tlsa([good.clone(), other.clone()].concat());
    guarded.send(MESSAGE, false).await;
    let (got, sessions) = guarded.seen();
    guarded.tlsa(good);
    assert_has(&guarded.send(MESSAGE, false).await, &["certificate checked by DANE: 250"]);
    assert_eq!(guarded.seen(), (got + 1, sessions + 1));
    // DANE's word is none for MTA-STS, whose authorities do not know this certificate.
    guarded.no_tlsa();
    guarded.sts("1");
    guarded.policies.policy("enforce", "mx.far.example", 86_400);
    assert_has(&guarded.send(MESSAGE, false).await, &["not taken now: 451 4.7.5", "MTA-STS"]);
    assert_eq!(guarded.seen().0, got + 1);
}

#[tokio::test]
async fn a_host_that_takes_a_domains_mail_no_more_gets_none() {
    let mut guarded = kept("mx.far.example").await;
    guarded.start();
    guarded.send(MESSAGE, false).await;
    let stage = &guarded.stage;
    stage.mx("far.example", &[(10, "new.far.example")]);
    stage.host("new.far.example", &["192.0.2.9"]);
    let new = Remote::at(&stage.world, "192.0.2.9:25");
    guarded.send(MESSAGE, false).await;
    assert_eq!((guarded.seen(), new.got().len()), ((1, 1), 1));
    // One of several, not the best of them any more: the connection is there, and is used.
    guarded.stage.mx("far.example", &[(5, "mx.far.example"), (10, "new.far.example")]);
    guarded.send(MESSAGE, false).await;
    assert_eq!((guarded.seen(), new.got().len(), new.sessions()), ((1, 1), 2, 1));
}

#[tokio::test]
async fn a_domain_that_is_not_to_be_found_gets_nothing_over_what_is_open() {
    let mut guarded = kept("mx.far.example").await;
    guarded.start();
    guarded.send(MESSAGE, false).await;
    guarded.stage.no_dns("far.example");
    assert_has(&guarded.send(MESSAGE, false).await, &["not taken now: 451 4.4.3"]);
    assert_eq!((guarded.seen(), guarded.stage.far.count("QUIT")), ((1, 1), 1));
}

/// Two destinations at one host and port, of which one demands a certificate, and the smart host there, which wants a login.
#[tokio::test]
async fn hosts_of_the_settings_each_keep_their_own_demands() {
    for trusted in [false, true] {
        let mut stage = Stage::new().await;
        let (known, acceptor) = certificate("relay.example");
        stage.settings.roots = if trusted { Roots::Given(vec![known]) } else { Roots::Public };
        stage.host("relay.example", &["192.0.2.3"]);
        let relay = Remote::at(&stage.world, "192.0.2.3:587");
        relay.offer(&["STARTTLS", "AUTH PLAIN"]).tls(acceptor);
        let host = |tls, login| Arc::new(SmartHost { host: domain("relay.example"), port: 587, tls, login });
        let login = Login { name: "relais".into(), password: Secret::new("s3cret") };
        stage.settings.overrides.insert(domain("any.example"), host(TlsMode::Opportunistic, None));
        if trusted {
            stage.settings.overrides.insert(domain("strict.example"), host(TlsMode::Required, None));
        }
        stage.settings.smart_host = Some(host(TlsMode::Required, Some(login)));
        stage.start();
        let went = async |to: &str| {
            let before = relay.got().len();
            stage.send_to(&[to]).await;
            stage.settle().await;
            relay.got().len() > before
        };
        for _ in 0..2 {
            assert!(went("x@any.example").await);
            assert!(!trusted || went("x@strict.example").await);
        }
        assert_eq!(relay.count("AUTH"), 0, "who has not logged in is somebody else");
        assert_eq!(went("x@elsewhere.example").await, trusted);
        assert_eq!(relay.count("AUTH PLAIN"), usize::from(trusted));
        assert!(went("x@any.example").await);
        assert_eq!(relay.count("AUTH PLAIN"), usize::from(trusted), "nor does it go under another's name");
        let sessions = relay.sessions();
        assert!(went("y@any.example").await);
        assert_eq!(relay.sessions(), sessions, "the same once more");
    }
}
