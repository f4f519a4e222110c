//! Replies as hosts really give them: long, cut anywhere, several at once, or unasked.

use mail::DsnNotify;

use super::remote::CLOSE;
use super::*;

fn long(code: u16, enhanced: &str) -> String {
    let line = format!("{enhanced} {}", "x".repeat(70));
    format!("{}{code} {line}", format!("{code}-{line}\r\n").repeat(100))
}

#[tokio::test]
async fn long_replies_keep_their_meaning() {
    // Refused for good, not for now.
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT", &[&long(550, "5.7.1")]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert!(stage.queue().await.is_empty());
    assert!(String::from_utf8(stage.origin.got()[0].content.clone()).unwrap().contains("Status: 5.7.1\r\n"));
    // Taken, and not to be sent again.
    let mut stage = Stage::new().await;
    stage.far.reply(".", &[&long(250, "2.0.0")]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.minutes(200).await;
    assert!(stage.queue().await.is_empty());
    assert_eq!(stage.far.got().len(), 1);
    // An EHLO with a lot to offer.
    let mut stage = Stage::new().await;
    let mut offers = vec!["PIPELINING".to_owned()];
    offers.extend((0..200).map(|n| format!("XTHING{n} {}", "y".repeat(40))));
    offers.push("DSN".to_owned());
    stage.far.offer(&offers.iter().map(String::as_str).collect::<Vec<_>>());
    stage.start();
    let mut letter = envelope("<a@origin.example>", &["x@far.example"]);
    letter.recipients[0].notify = DsnNotify::NEVER;
    stage.send(letter, MESSAGE).await;
    stage.settle().await;
    assert_eq!(stage.far.got()[0].rcpts, ["RCPT TO:<x@far.example> NOTIFY=NEVER"]);
}

#[tokio::test]
async fn a_status_above_255_is_not_changed() {
    for offers in [&["PIPELINING"][..], &[]] {
        let mut stage = Stage::new().await;
        stage.far.offer(offers).reply("RCPT", &["550 5.7.509 Access denied"]);
        stage.start();
        stage.send_to(&["x@far.example"]).await;
        stage.settle().await;
        let dsn = String::from_utf8(stage.origin.got()[0].content.clone()).unwrap();
        assert!(dsn.contains("Status: 5.7.509\r\n"), "{dsn}");
        assert!(dsn.contains("Diagnostic-Code: smtp; 550 5.7.509 Access denied\r\n"), "{dsn}");
    }
}

#[tokio::test]
async fn replies_cut_at_every_octet_are_the_same_replies() {
    for offers in [&["PIPELINING", "DSN"][..], &[]] {
        let mut stage = Stage::new().await;
        stage.far.offer(offers);
        for command in ["greeting", "EHLO", "MAIL", "RCPT", "DATA", "."] {
            stage.far.drip(command, Duration::ZERO);
        }
        stage.far.reply("RCPT TO:<no@", &["550-5.1.1 no such\r\n550 5.1.1 user"]);
        stage.far.reply("RCPT TO:<later@", &["452 4.2.2 full"]);
        stage.start();
        stage.send_to(&["ok@far.example", "no@far.example", "later@far.example", "fine@far.example"]).await;
        stage.settle().await;
        let rcpts: Vec<String> = stage.far.got()[0].rcpts.iter().map(|r| r[..12].to_owned()).collect();
        assert_eq!(rcpts, ["RCPT TO:<ok@", "RCPT TO:<fin"]);
        assert_eq!(stage.queue().await[0].recipients.iter().filter(|r| r.last_reply.is_some()).count(), 4);
        assert_eq!(stage.origin.got().len(), 1);
    }
}

#[tokio::test]
async fn a_refused_mail_is_not_followed_by_all_recipients() {
    // RFC 2920 §3.1: no more is sent than both sides surely hold.
    let mut stage = Stage::new().await;
    stage.far.reply("MAIL", &["451 4.7.1 not now"]);
    stage.start();
    let to: Vec<String> = (0..100).map(|n| format!("recipient-{n:040}@far.example")).collect();
    stage.send_to(&to.iter().map(String::as_str).collect::<Vec<_>>()).await;
    stage.settle().await;
    let rcpts = stage.far.count("RCPT");
    assert!((1..60).contains(&rcpts), "{rcpts} RCPT behind a MAIL that was refused");
    assert!(stage.queue().await[0].recipients.iter().all(|r| r.last_reply.is_some()));
    stage.far.reply("MAIL", &["250 ok"]);
    stage.minutes(2).await;
    assert_eq!(stage.far.got().iter().map(|got| got.rcpts.len()).sum::<usize>(), 100);
}

#[tokio::test]
async fn an_answer_that_was_not_asked_for_counts_for_nothing() {
    // Said ahead of the message: the message itself gets no answer.
    let mut stage = Stage::new().await;
    stage.far.reply("DATA", &["354 go\r\n250 2.0.0 taken"]).reply(".", &[CLOSE]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert_eq!(stage.queue().await[0].attempts, 1);
    // Behind MAIL it would be taken for that of RCPT, and RCPT's for that of DATA.
    let mut stage = Stage::new().await;
    stage.far.offer(&[]).reply("MAIL", &["250 ok\r\n250 ok"]).reply("RCPT", &["550 5.1.1 nobody"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    let queue = stage.queue().await;
    assert!(queue[0].last_error.as_ref().unwrap().contains("not asked"), "{queue:?}");
    // A host that is going says so at any time.
    let mut stage = Stage::new().await;
    stage.far.offer(&[]).reply("MAIL", &["250 ok\r\n421 4.3.2 going down"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert!(stage.queue().await[0].last_error.as_ref().unwrap().contains("421 4.3.2 going down"));
}

#[tokio::test]
async fn smtputf8_is_not_demanded_where_it_is_not_needed() {
    let mut stage = Stage::new().await;
    stage.start();
    let mut letter = envelope("<a@origin.example>", &["x@far.example"]);
    letter.smtputf8 = true;
    stage.send(letter, MESSAGE).await;
    stage.settle().await;
    assert_eq!(stage.far.got().len(), 1);
    assert!(!stage.far.got()[0].mail.contains("SMTPUTF8"));
    // A header with stray octets of somebody who knows nothing of SMTPUTF8.
    stage.send(envelope("<a@origin.example>", &["x@far.example"]), b"Subject: caf\xe9\r\n\r\nx\r\n").await;
    stage.settle().await;
    assert_eq!(stage.far.got().len(), 2);
}

#[tokio::test]
async fn smtputf8_is_demanded_though_nobody_said_it() {
    // As behind an alias: the sender knows nothing of the local part. Neither does its host know SMTPUTF8.
    let mut stage = Stage::new().await;
    stage.start();
    stage.send_to(&["jos\u{e9}@far.example"]).await;
    stage.settle().await;
    assert!(stage.far.got().is_empty());
    let dsn = stage.origin.got()[0].clone();
    assert!(!dsn.mail.contains("SMTPUTF8") && dsn.content.is_ascii());
    let text = String::from_utf8(dsn.content).unwrap();
    assert!(text.contains("Status: 5.6.7\r\n"), "{text}");
    // RFC 6533 §3.
    assert!(text.contains("Final-Recipient: utf-8;jos\\x{E9}@far.example\r\n"), "{text}");
    assert!(text.contains("Content-Type: message/delivery-status\r\n"), "{text}");
    stage.minutes(1).await;
    stage.far.offer(&["SMTPUTF8"]);
    stage.send_to(&["jos\u{e9}@far.example"]).await;
    stage.settle().await;
    assert!(stage.far.got()[0].mail.contains(" SMTPUTF8"));
}

#[tokio::test]
async fn a_header_in_utf8_needs_smtputf8() {
    let mut stage = Stage::new().await;
    stage.start();
    let mut letter = envelope("<a@origin.example>", &["x@far.example"]);
    letter.smtputf8 = true;
    stage.send(letter.clone(), "Subject: caf\u{e9}\r\n\r\nx\r\n".as_bytes()).await;
    // In the header of a part (RFC 6532 §3.2).
    let parts =
        "Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Description: caf\u{e9}\r\n\r\nx\r\n--b--\r\n";
    stage.send(letter.clone(), parts.as_bytes()).await;
    stage.settle().await;
    assert!(stage.far.got().is_empty());
    assert!(stage.queue().await.iter().all(|row| row.destination != domain("far.example")));
    // In the body alone it does not.
    stage.send(letter, "Subject: x\r\n\r\ncaf\u{e9}\r\n".as_bytes()).await;
    stage.settle().await;
    assert_eq!(stage.far.got().len(), 1);
}

#[tokio::test]
async fn eight_bits_are_announced_though_nobody_said_so() {
    let mut stage = Stage::new().await;
    stage.start();
    let letter = || envelope("<a@origin.example>", &["x@far.example"]);
    stage.send(letter(), b"Subject: x\r\n\r\ncaf\xe9\r\n").await;
    stage.settle().await;
    stage.send(letter(), MESSAGE).await;
    stage.settle().await;
    let mails: Vec<String> = stage.far.got().into_iter().map(|got| got.mail).collect();
    assert!(mails[0].ends_with(" BODY=8BITMIME"), "{mails:?}");
    assert!(!mails[1].contains("BODY"), "{mails:?}");
}

#[tokio::test]
async fn a_size_of_too_many_digits_keeps_nobody_out() {
    let mut stage = Stage::new().await;
    stage.far.offer(&["SIZE 99999999999999999999999"]);
    stage.start();
    let large = [MESSAGE, &b"0123456789\r\n".repeat(100)].concat();
    stage.send(envelope("<a@origin.example>", &["x@far.example"]), &large).await;
    stage.settle().await;
    assert_eq!(stage.far.got().len(), 1);
}
