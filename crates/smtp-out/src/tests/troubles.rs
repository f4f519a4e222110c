//! Bad worlds: at each step a host hangs, closes, talks nonsense or without an end, or sends us away. Whatever it does, the message
//! stays until it is taken, is taken once, and others do not wait.

use super::remote::{CLOSE, SILENCE};
use super::*;

const STEPS: [&str; 6] = ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."];

/// What a host does at a step, in place of its reply.
fn troubles() -> Vec<(&'static str, String)> {
    vec![
        ("hangs", SILENCE.to_owned()),
        ("closes", CLOSE.to_owned()),
        ("never ends its line", "4".repeat(600 * 1024)),
        ("never ends its reply", "450-and more\r\n".repeat(60_000)),
        ("talks nonsense", "what did you say?".to_owned()),
        ("sends us away", "421 4.3.2 going down".to_owned()),
        ("sends bare line ends", "250-a\n250 b\r250 c".to_owned()),
    ]
}

fn prepare(far: &Remote, step: &str, trouble: &str) {
    match step {
        "greeting" => far.greet(trouble),
        // No way round by HELO.
        "EHLO" => far.reply("EHLO", &[trouble]).reply("HELO", &[trouble]),
        other => far.reply(other, &[trouble]),
    };
}

#[tokio::test]
async fn no_step_loses_doubles_or_holds_up() {
    for pipelining in [true, false] {
        for step in STEPS {
            for (name, trouble) in troubles() {
                let what = format!("{name} at {step}, pipelining: {pipelining}");
                let mut stage = Stage::new().await;
                stage.far.offer(if pipelining { &["PIPELINING"] } else { &[] });
                prepare(&stage.far, step, &trouble);
                stage.start();
                stage.send_to(&["x@far.example", "y@far.example"]).await;
                stage.send_to(&["z@origin.example"]).await;
                stage.settle().await;
                assert_eq!(stage.origin.got().len(), 1, "{what}: others wait");
                // Longer than the longest wait for a reply.
                stage.minutes(11).await;
                // Bare line ends are lines to a lenient reader: a 250 that was understood is one.
                if name != "sends bare line ends" {
                    assert_eq!(stage.queue().await.len(), 1, "{what}: it waits");
                }
                stage.far.heal();
                stage.minutes(70).await;
                assert!(stage.queue().await.is_empty(), "{what}: it is taken in the end");
                let copies: usize = stage.far.got().iter().map(|got| got.rcpts.len()).sum();
                assert_eq!(copies, 2, "{what}: each once");
                assert_eq!(stage.origin.got().len(), 1, "{what}: nobody is told of a failure");
                assert!(stage.far.got().iter().all(|got| got.content == MESSAGE), "{what}");
            }
        }
    }
}

#[tokio::test]
async fn starttls_that_does_not_come_about() {
    for (name, replies, deferred) in [
        ("refused", &["454 4.7.0 not now"][..], false),
        ("refused for good", &["502 5.5.1 no"], false),
        // Not a handshake: opportunistic TLS goes on without, in a new session (RFC 7435 §3).
        ("nonsense in its place", &["220 go"], false),
        ("closed", &[CLOSE], true),
        ("silent", &[SILENCE], true),
        ("sent away", &["421 4.3.2 going down"], false),
    ] {
        let mut stage = Stage::new().await;
        stage.far.offer(&["STARTTLS", "PIPELINING"]).reply("STARTTLS", replies);
        stage.start();
        stage.send_to(&["x@far.example"]).await;
        stage.minutes(6).await;
        assert_eq!(stage.queue().await.len(), usize::from(deferred), "{name}");
        stage.far.heal();
        stage.minutes(70).await;
        assert_eq!((stage.far.got().len(), stage.queue().await.len()), (1, 0), "{name}");
        assert!(stage.origin.got().is_empty(), "{name}");
    }
}

#[tokio::test]
async fn a_host_that_dies_right_after_its_250_has_the_message() {
    let mut stage = Stage::new().await;
    stage.settings.connections_per_destination_max = 1;
    stage.far.reply("MAIL", &["250 ok", CLOSE, "250 ok", "250 ok", CLOSE, "250 ok"]);
    stage.start();
    for n in 0..3 {
        stage.send_to(&[&format!("r{n}@far.example")]).await;
        stage.settle().await;
    }
    // The session that was kept is dead when it is wanted: a new one takes the message, and nothing is late.
    let got: Vec<String> = stage.far.got().into_iter().flat_map(|got| got.rcpts).collect();
    assert_eq!(got, (0..3).map(|n| format!("RCPT TO:<r{n}@far.example>")).collect::<Vec<_>>());
    assert!(stage.queue().await.is_empty());
}

#[tokio::test]
async fn a_host_that_closes_in_the_middle_of_the_message_gets_it_again() {
    let mut stage = Stage::new().await;
    // It says that it listens, and closes: the message is too large for what lies between.
    let large = [MESSAGE, &b"0123456789\r\n".repeat(512 * 1024 / 12)].concat();
    stage.far.reply("DATA", &["354 go", "354 go"]).reply(".", &[CLOSE, "250 ok"]);
    stage.start();
    stage.send(envelope("<a@origin.example>", &["x@far.example"]), &large).await;
    stage.minutes(3).await;
    assert_eq!((stage.far.got().len(), stage.queue().await.len()), (1, 0));
    assert!(stage.far.got()[0].content == large);
}
