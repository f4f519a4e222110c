//! STARTTLS and smart hosts.

use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::TlsAcceptor;

use super::*;
use crate::{Login, Roots, Secret, SmartHost, TlsMode};

/// A certificate of a server's own making for a name, and its side of TLS.
pub(super) fn certificate(name: &str) -> (CertificateDer<'static>, TlsAcceptor) {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    (certificate, TlsAcceptor::from(Arc::new(config)))
}

fn smart_host(tls: TlsMode) -> Arc<SmartHost> {
    let login = Login { name: "relais".into(), password: Secret::new("s3cret") };
    Arc::new(SmartHost { host: domain("smart.example"), port: 587, tls, login: Some(login) })
}

#[tokio::test]
async fn starttls_is_used_where_offered_whatever_the_certificate() {
    let mut stage = Stage::new().await;
    stage.far.offer(&["STARTTLS", "PIPELINING"]).tls(certificate("other.example").1);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert!(stage.far.got()[0].tls);
    assert_eq!(stage.far.count("EHLO"), 2);
}

#[tokio::test]
async fn a_broken_or_refused_handshake_falls_back_to_plain() {
    let mut stage = Stage::new().await;
    stage.far.offer(&["STARTTLS"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert!(!stage.far.got()[0].tls);
    assert_eq!(stage.far.sessions(), 2);

    let mut stage = Stage::new().await;
    stage.far.offer(&["STARTTLS"]).reply("STARTTLS", &["454 4.7.0 not now"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert!(!stage.far.got()[0].tls);
    assert_eq!(stage.far.sessions(), 1);
}

#[tokio::test]
async fn a_smart_host_is_verified_logged_in_and_used_for_everything() {
    for mechanism in ["AUTH PLAIN LOGIN CRAM-MD5", "AUTH LOGIN"] {
        let mut stage = Stage::new().await;
        let (certificate, acceptor) = certificate("smart.example");
        stage.settings.roots = Roots::Given(vec![certificate]);
        stage.settings.smart_host = Some(smart_host(TlsMode::Required));
        stage.host("smart.example", &["192.0.2.3"]);
        let smart = Remote::at(&stage.world, "192.0.2.3:587");
        smart.offer(&["STARTTLS", mechanism]).tls(acceptor);
        smart.reply("AUTH LOGIN", &["334 VXNlcm5hbWU6"]);
        smart.reply("cmVsYWlz", &["334 UGFzc3dvcmQ6"]);
        smart.reply("czNjcmV0", &["235 2.7.0 welcome"]);
        stage.start();
        stage.send_to(&["x@far.example"]).await;
        stage.send_to(&["x@nowhere.example"]).await;
        stage.settle().await;
        assert_eq!(smart.got().len(), 2, "{mechanism}");
        assert!(smart.got().iter().all(|got| got.tls));
        assert!(smart.commands().iter().any(|c| c.starts_with("AUTH PLAIN AHJlbGFpcwBzM2NyZXQ=") || c == "czNjcmV0"));
        assert_eq!(stage.far.sessions(), 0);
    }
}

#[tokio::test]
async fn a_password_goes_to_nobody_else() {
    // Wrong certificate, no STARTTLS, a broken handshake: nothing is sent, and the mail waits.
    for (tls, offers, trusted) in [
        (TlsMode::Required, &["STARTTLS", "AUTH PLAIN"][..], false),
        (TlsMode::Required, &["AUTH PLAIN"][..], true),
        (TlsMode::Opportunistic, &["AUTH PLAIN"][..], true),
        // Whoever stands in between can make a certificate.
        (TlsMode::Opportunistic, &["STARTTLS", "AUTH PLAIN"][..], false),
    ] {
        let mut stage = Stage::new().await;
        let (certificate, acceptor) = certificate("smart.example");
        stage.settings.roots = if trusted { Roots::Given(vec![certificate]) } else { Roots::Public };
        stage.settings.smart_host = Some(smart_host(tls));
        stage.host("smart.example", &["192.0.2.3"]);
        let smart = Remote::at(&stage.world, "192.0.2.3:587");
        smart.offer(offers).tls(acceptor);
        stage.start();
        stage.send_to(&["x@far.example"]).await;
        stage.settle().await;
        assert_eq!((smart.count("AUTH"), smart.count("MAIL")), (0, 0));
        assert_eq!(stage.queue().await[0].attempts, 1);
    }
}

#[tokio::test]
async fn a_login_works_with_a_certificate_that_is_trusted() {
    let mut stage = Stage::new().await;
    let (certificate, acceptor) = certificate("smart.example");
    stage.settings.roots = Roots::Given(vec![certificate]);
    stage.settings.smart_host = Some(smart_host(TlsMode::Opportunistic));
    stage.host("smart.example", &["192.0.2.3"]);
    let smart = Remote::at(&stage.world, "192.0.2.3:587");
    smart.offer(&["STARTTLS", "AUTH PLAIN"]).tls(acceptor);
    // A host that takes no initial response asks once more.
    smart.reply("AUTH", &["334 "]).reply("AHJlbGFpcwBzM2NyZXQ=", &["235 2.7.0 welcome"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert!(smart.got()[0].tls);
    assert_eq!(smart.count("AHJlbGFpcwBzM2NyZXQ="), 1);
}

#[tokio::test]
async fn what_was_said_in_clear_behind_starttls_is_no_reply() {
    // RFC 3207 §6. In the same segment as the 220: dropped, and what is offered comes from inside TLS alone.
    let injected = "250-evil\r\n250 DSN";
    let mut stage = Stage::new().await;
    stage.far.offer(&["STARTTLS"]).tls(certificate("far.example").1);
    stage.far.reply("STARTTLS", &[&format!("220 go\r\n{injected}")]);
    stage.start();
    let mut letter = envelope("<a@origin.example>", &["x@far.example"]);
    letter.recipients[0].notify = DsnNotify::NEVER;
    stage.send(letter.clone(), MESSAGE).await;
    stage.settle().await;
    let got = stage.far.got();
    assert!(got[0].tls);
    assert_eq!(got[0].rcpts, ["RCPT TO:<x@far.example>"], "DSN was offered by nobody");
    // In a segment of its own: the handshake fails, and where TLS is demanded nothing is sent.
    for required in [false, true] {
        let mut stage = Stage::new().await;
        stage.far.offer(&["STARTTLS"]).tls(certificate("far.example").1).before_tls(&format!("{injected}\r\n"));
        if required {
            let host = SmartHost { host: domain("mx.far.example"), port: 25, tls: TlsMode::Required, login: None };
            stage.settings.overrides.insert(domain("far.example"), Arc::new(host));
        }
        stage.start();
        stage.send(letter.clone(), MESSAGE).await;
        stage.settle().await;
        assert!(stage.far.got().iter().all(|got| got.rcpts == ["RCPT TO:<x@far.example>"]));
        // Without the demand, the second session begins without TLS.
        assert_eq!(stage.far.count("MAIL"), usize::from(!required));
    }
}

#[tokio::test]
async fn a_refused_login_fails_nobodys_mail() {
    let mut stage = Stage::new().await;
    stage.settings.overrides.insert(domain("far.example"), smart_host(TlsMode::Plain));
    stage.host("smart.example", &["192.0.2.3"]);
    let smart = Remote::at(&stage.world, "192.0.2.3:587");
    smart.offer(&["AUTH PLAIN"]).reply("AUTH", &["535 5.7.8 wrong password"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    let queue = stage.queue().await;
    let error = queue[0].last_error.clone().unwrap();
    assert!(error.contains("the login relais was refused: 535 5.7.8 wrong password"), "{error}");
    assert!(!error.contains("s3cret"));
    assert!(!format!("{:?}", stage.settings).contains("s3cret"));
}

#[tokio::test]
async fn implicit_tls_begins_before_the_greeting() {
    let mut stage = Stage::new().await;
    let (certificate, acceptor) = certificate("smart.example");
    stage.settings.roots = Roots::Given(vec![certificate]);
    let host = SmartHost { port: 465, login: None, ..(*smart_host(TlsMode::Implicit)).clone() };
    stage.settings.overrides.insert(domain("far.example"), Arc::new(host));
    stage.host("smart.example", &["192.0.2.3"]);
    let smart = Remote::at(&stage.world, "192.0.2.4:9");
    let behind = stage.world.clone();
    stage.world.connector.listen("192.0.2.3:465".parse().unwrap(), move |stream| {
        let (acceptor, behind) = (acceptor.clone(), behind.clone());
        tokio::spawn(async move {
            let mut outer = acceptor.accept(stream).await.unwrap();
            let mut inner =
                behind.world().connector.connect("192.0.2.4:9".parse().unwrap(), Duration::MAX).await.unwrap();
            tokio::io::copy_bidirectional(&mut outer, &mut inner).await.ok();
        });
    });
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert_eq!(smart.got().len(), 1);
}
