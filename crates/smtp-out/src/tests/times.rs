//! Every wait has its own time (RFC 5321 §4.5.3.2), and no trick makes one longer.

use super::remote::SILENCE;
use super::*;
use crate::limits::{
    BLOCK_TIMEOUT, COMMAND_TIMEOUT, DATA_TIMEOUT, FINAL_DOT_TIMEOUT, GREETING_TIMEOUT, GROUP_TIMEOUT,
    LAST_WORDS_TIMEOUT, TLS_TIMEOUT,
};
use crate::{Login, Secret, SmartHost, TlsMode};

const LARGE: usize = 512 * 1024;

/// A message to two, sent to a remote side that was prepared to stop somewhere.
async fn stopped(prepare: impl FnOnce(&mut Stage)) -> Stage {
    let mut stage = Stage::new().await;
    prepare(&mut stage);
    stage.start();
    let large = [MESSAGE, &b"0123456789\r\n".repeat(LARGE / 12)].concat();
    stage.send(envelope("<a@origin.example>", &["x@far.example", "y@far.example"]), &large).await;
    stage
}

/// Nothing is given up before the time, and all is at it.
async fn waits_exactly(what: &str, within: Duration, prepare: impl FnOnce(&mut Stage)) {
    let stage = stopped(prepare).await;
    stage.pass(within - Duration::from_secs(1)).await;
    assert_eq!(stage.queue().await[0].attempts, 0, "{what}: given up too early");
    stage.pass(Duration::from_secs(2)).await;
    let queue = stage.queue().await;
    assert_eq!(queue[0].attempts, 1, "{what}: still waiting");
    let reply = queue[0].recipients[0].last_reply.clone().unwrap().to_string();
    assert!(reply.contains("timed out"), "{what}: {reply}");
}

#[tokio::test]
async fn each_wait_has_its_time() {
    let silent = |command: &'static str, offers: &'static [&'static str]| {
        move |stage: &mut Stage| {
            stage.far.offer(offers).reply(command, &[SILENCE]);
        }
    };
    waits_exactly("greeting", GREETING_TIMEOUT, |stage| {
        stage.far.greet(SILENCE);
    })
    .await;
    waits_exactly("EHLO", GREETING_TIMEOUT, silent("EHLO", &[])).await;
    waits_exactly("HELO", GREETING_TIMEOUT, |stage| {
        stage.far.reply("EHLO", &["502 5.5.1 what?"]).reply("HELO", &[SILENCE]);
    })
    .await;
    waits_exactly("STARTTLS", GREETING_TIMEOUT, silent("STARTTLS", &["STARTTLS"])).await;
    waits_exactly("MAIL", COMMAND_TIMEOUT, silent("MAIL", &[])).await;
    waits_exactly("MAIL, pipelined", COMMAND_TIMEOUT, silent("MAIL", &["PIPELINING"])).await;
    waits_exactly("RCPT", COMMAND_TIMEOUT, silent("RCPT TO:<y", &[])).await;
    waits_exactly("RCPT, pipelined", COMMAND_TIMEOUT, silent("RCPT TO:<y", &["PIPELINING"])).await;
    waits_exactly("DATA", DATA_TIMEOUT, silent("DATA", &[])).await;
    waits_exactly("the dot", FINAL_DOT_TIMEOUT, silent(".", &[])).await;
    waits_exactly("a block", BLOCK_TIMEOUT + LAST_WORDS_TIMEOUT, |stage| {
        stage.far.deaf("");
    })
    .await;
}

#[tokio::test]
async fn a_silent_login_has_its_time() {
    for mechanism in ["AUTH PLAIN", "AUTH LOGIN"] {
        waits_exactly(mechanism, GREETING_TIMEOUT, |stage| {
            let login = Some(Login { name: "relais".into(), password: Secret::new("s3cret") });
            let host = SmartHost { host: domain("mx.far.example"), port: 25, tls: TlsMode::Plain, login };
            stage.settings.overrides.insert(domain("far.example"), Arc::new(host));
            stage.far.offer(&[mechanism]).reply("AUTH", &[SILENCE]);
        })
        .await;
    }
}

#[tokio::test]
async fn a_silent_handshake_has_its_time() {
    let stage = stopped(|stage| {
        stage.far.offer(&["STARTTLS"]).before_tls(SILENCE);
    })
    .await;
    stage.pass(TLS_TIMEOUT - Duration::from_secs(1)).await;
    assert_eq!(stage.far.sessions(), 1);
    stage.pass(Duration::from_secs(2)).await;
    // Opportunistic: the second session goes without.
    assert_eq!((stage.far.sessions(), stage.far.got().len()), (2, 1));
}

#[tokio::test]
async fn rset_has_its_time() {
    let stage = stopped(|stage| {
        stage.far.reply("RCPT", &["450 4.2.0 later"]).reply("RSET", &[SILENCE]);
    })
    .await;
    stage.pass(COMMAND_TIMEOUT - Duration::from_secs(1)).await;
    assert_eq!(stage.queue().await[0].attempts, 0);
    stage.pass(Duration::from_secs(2)).await;
    assert_eq!(stage.queue().await[0].attempts, 1);
}

#[tokio::test]
async fn a_silent_quit_does_not_hold_up_the_end() {
    let mut stage = Stage::new().await;
    stage.far.reply("QUIT", &[SILENCE]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert_eq!(stage.far.got().len(), 1);
    let (stop, task) = stage.running.take().unwrap();
    stop.cancel();
    stage.pass(LAST_WORDS_TIMEOUT + Duration::from_secs(1)).await;
    assert!(task.is_finished());
}

#[tokio::test]
async fn octets_one_by_one_extend_no_wait() {
    // RFC 5321 §4.5.3.2 is about the reply, not about each of its octets.
    let nearly = Duration::from_secs(299);
    for (command, offers, within) in [
        ("greeting", &[][..], GREETING_TIMEOUT),
        ("EHLO", &[], GREETING_TIMEOUT),
        ("MAIL", &[], COMMAND_TIMEOUT),
        ("MAIL", &["PIPELINING"], COMMAND_TIMEOUT),
        ("RCPT", &["PIPELINING"], COMMAND_TIMEOUT),
        (".", &[], FINAL_DOT_TIMEOUT),
    ] {
        waits_exactly(command, within, |stage| {
            stage.far.offer(offers).drip(command, nearly);
        })
        .await;
    }
}

#[tokio::test]
async fn a_group_has_an_end_however_late_each_reply_comes() {
    let mut stage = Stage::new().await;
    stage.far.delay("RCPT", Duration::from_secs(299));
    stage.start();
    let to: Vec<String> = (0..20).map(|n| format!("r{n}@far.example")).collect();
    stage.send_to(&to.iter().map(String::as_str).collect::<Vec<_>>()).await;
    stage.pass(GROUP_TIMEOUT - Duration::from_secs(1)).await;
    assert_eq!(stage.queue().await[0].attempts, 0);
    stage.pass(Duration::from_secs(2)).await;
    assert_eq!(stage.queue().await[0].attempts, 1);
}

#[tokio::test]
async fn a_host_that_stops_reading_may_have_said_why() {
    let stage = stopped(|stage| {
        stage.far.deaf("552 5.3.4 too much\r\n");
    })
    .await;
    stage.pass(BLOCK_TIMEOUT + Duration::from_secs(1)).await;
    assert!(stage.queue().await.is_empty(), "refused for good");
    let dsn = String::from_utf8(stage.origin.got()[0].content.clone()).unwrap();
    assert!(dsn.contains("Diagnostic-Code: smtp; 552 5.3.4 too much\r\n"), "{dsn}");
    // What is no refusal is no answer to a message that was not sent.
    let stage = stopped(|stage| {
        stage.far.deaf("250 2.0.0 taken\r\n");
    })
    .await;
    stage.pass(BLOCK_TIMEOUT + Duration::from_secs(6)).await;
    assert_eq!(stage.queue().await[0].attempts, 1);
}
