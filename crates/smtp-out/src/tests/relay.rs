//! What arrives, and what is tried again: success, refusals, hosts, DNS.

use super::remote::{CLOSE, SILENCE};
use super::*;

#[tokio::test]
async fn a_message_arrives_octet_by_octet() {
    let mut stage = Stage::new().await;
    stage.start();
    stage.send_to(&["x@far.example", "y@far.example"]).await;
    stage.settle().await;
    let got = stage.far.got();
    assert_eq!(got.len(), 1);
    assert_eq!(got[0].content, MESSAGE, "Return-Path stays here, dots are restored");
    assert!(got[0].mail.starts_with("MAIL FROM:<a@origin.example> SIZE="));
    assert_eq!(got[0].rcpts, ["RCPT TO:<x@far.example>", "RCPT TO:<y@far.example>"]);
    assert_eq!(stage.far.commands()[0], "EHLO us.example");
    assert!(stage.queue().await.is_empty());
    assert!(stage.origin.got().is_empty());
}

#[tokio::test]
async fn ten_mebioctets_arrive_with_eight_bits() {
    let mut stage = Stage::new().await;
    let mut message = b"Subject: large\r\n\r\n".to_vec();
    let mut n = 0_u32;
    while message.len() < 10 * 1024 * 1024 {
        message.extend_from_slice(format!(".{n} caf\u{e9} \u{2603} {}\r\n", "x".repeat(60)).as_bytes());
        n += 1;
    }
    stage.start();
    let mut envelope = envelope("<a@origin.example>", &["x@far.example"]);
    envelope.body = mail::BodyType::EightBitMime;
    stage.send(envelope, &message).await;
    for _ in 0..1_000 {
        stage.settle().await;
        if !stage.far.got().is_empty() {
            break;
        }
    }
    let got = stage.far.got();
    assert!(got[0].content == message, "the same octets");
    assert!(got[0].mail.ends_with(" BODY=8BITMIME"));
}

#[tokio::test]
async fn temporary_then_success() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT", &["451 4.7.1 greylisted", "250 ok"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    let queue = stage.queue().await;
    assert_eq!(queue[0].attempts, 1);
    assert_eq!(queue[0].recipients[0].last_reply.as_ref().unwrap().to_string(), "451 4.7.1 greylisted");
    assert!(stage.far.got().is_empty());
    stage.minutes(2).await;
    assert_eq!(stage.far.got().len(), 1);
    assert!(stage.queue().await.is_empty() && stage.origin.got().is_empty());
}

#[tokio::test]
async fn each_recipient_has_its_own_reply_with_and_without_pipelining() {
    for offers in [&["PIPELINING"][..], &[]] {
        let mut stage = Stage::new().await;
        stage.far.offer(offers);
        stage.far.reply("RCPT TO:<no@", &["550-5.1.1 no such\r\n550 5.1.1 user"]);
        stage.far.reply("RCPT TO:<later@", &["452 4.2.2 full", "250 ok"]);
        stage.start();
        stage.send_to(&["ok@far.example", "no@far.example", "later@far.example"]).await;
        stage.settle().await;
        assert_eq!(stage.far.got()[0].rcpts, ["RCPT TO:<ok@far.example>"]);
        let dsn = String::from_utf8(stage.origin.got()[0].content.clone()).unwrap();
        assert!(dsn.contains("Final-Recipient: rfc822;no@far.example") && !dsn.contains("later@"));
        assert!(dsn.contains("550 5.1.1 no such user"));
        stage.minutes(2).await;
        assert_eq!(stage.far.got()[1].rcpts, ["RCPT TO:<later@far.example>"]);
        assert_eq!((stage.far.got().len(), stage.origin.got().len()), (2, 1));
        assert!(stage.queue().await.is_empty());
    }
}

#[tokio::test]
async fn nobody_accepted_means_no_data() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT", &["550 5.1.1 nobody"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert_eq!((stage.far.count("DATA"), stage.far.count("RSET")), (0, 1));
    assert_eq!(stage.origin.got().len(), 1);
}

#[tokio::test]
async fn refusals_of_mail_data_and_the_dot_are_everyones() {
    for command in ["MAIL", "DATA", "."] {
        let mut stage = Stage::new().await;
        stage.far.reply(command, &["554 5.7.1 spam"]);
        stage.start();
        stage.send_to(&["x@far.example", "y@far.example"]).await;
        stage.settle().await;
        assert!(stage.far.got().is_empty(), "{command}");
        let dsn = String::from_utf8(stage.origin.got()[0].content.clone()).unwrap();
        assert_eq!(dsn.matches("Status: 5.7.1\r\n").count(), 2, "{command}");
        assert!(stage.queue().await.is_empty(), "{command}");
    }
}

#[tokio::test]
async fn a_refused_message_leaves_nothing_for_the_next() {
    // Postfix keeps the envelope when its restrictions at the end of data refuse.
    for reply in ["554 5.7.1 spam", "450 4.7.1 later"] {
        let mut stage = Stage::new().await;
        stage.far.reply(".", &[reply, "250 2.0.0 taken"]);
        stage.start();
        stage.send_to(&["x@far.example"]).await;
        stage.settle().await;
        assert!(stage.far.got().is_empty(), "{reply}");
        stage.send_to(&["y@far.example"]).await;
        stage.pass(Duration::from_secs(2)).await;
        let got = stage.far.got();
        assert_eq!((got.len(), stage.far.sessions(), stage.far.count("RSET")), (1, 1, 1), "{reply}");
        assert_eq!(got[0].rcpts, ["RCPT TO:<y@far.example>"], "{reply}");
    }
}

#[tokio::test]
async fn the_second_host_takes_what_the_first_can_not() {
    // Refused connection, bad greeting, 421 in the middle, silence, a closed connection before the dot.
    for trouble in ["refused", "421 busy", "554 go away", "421 later", CLOSE, SILENCE] {
        let mut stage = Stage::new().await;
        stage.mx("far.example", &[(10, "bad.far.example"), (20, "mx.far.example")]);
        stage.host("bad.far.example", &["192.0.2.9"]);
        if trouble != "refused" {
            let bad = Remote::at(&stage.world, "192.0.2.9:25");
            match trouble {
                "421 busy" | "554 go away" => bad.greet(trouble),
                "421 later" => bad.reply("RCPT TO:<y@", &[trouble]),
                other => bad.reply("DATA", &[other]),
            };
        }
        stage.start();
        stage.send_to(&["x@far.example", "y@far.example"]).await;
        stage.minutes(6).await;
        let got = stage.far.got();
        assert_eq!(got.len(), 1, "{trouble}");
        assert_eq!(got[0].rcpts.len(), 2, "{trouble}");
        assert!(stage.queue().await.is_empty() && stage.origin.got().is_empty(), "{trouble}");
    }
}

#[tokio::test]
async fn a_reply_that_never_came_after_the_dot_is_temporary() {
    let mut stage = Stage::new().await;
    stage.mx("far.example", &[(10, "mx.far.example"), (20, "other.far.example")]);
    stage.host("other.far.example", &["192.0.2.9"]);
    let other = Remote::at(&stage.world, "192.0.2.9:25");
    stage.far.reply(".", &[CLOSE, "250 ok"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert_eq!(other.sessions(), 0, "no other host now: a second copy would be likely");
    assert_eq!(stage.queue().await[0].attempts, 1);
    stage.minutes(2).await;
    assert_eq!(stage.far.got().len(), 1);
    assert!(stage.queue().await.is_empty());
}

#[tokio::test]
async fn dns_says_never_or_later() {
    let mut stage = Stage::new().await;
    stage.mx("null.example", &[(0, "")]);
    stage.no_dns("slow.example");
    stage.start();
    stage.send_to(&["x@null.example"]).await;
    stage.send_to(&["x@nowhere.example"]).await;
    stage.send_to(&["x@slow.example"]).await;
    stage.settle().await;
    let dsns: Vec<String> =
        stage.origin.got().iter().map(|got| String::from_utf8_lossy(&got.content).into_owned()).collect();
    assert_eq!(dsns.len(), 2);
    assert!(dsns.iter().any(|dsn| dsn.contains("Status: 5.1.10\r\n")));
    assert!(dsns.iter().any(|dsn| dsn.contains("Status: 5.1.2\r\n")));
    let queue = stage.queue().await;
    assert_eq!(queue.len(), 1);
    assert_eq!(queue[0].destination, domain("slow.example"));
}

#[tokio::test]
async fn an_address_literal_needs_no_dns() {
    let mut stage = Stage::new().await;
    stage.start();
    stage.send_to(&["x@[192.0.2.1]"]).await;
    stage.settle().await;
    assert_eq!(stage.far.got()[0].rcpts, ["RCPT TO:<x@[192.0.2.1]>"]);
}

#[tokio::test]
async fn a_host_without_ehlo_gets_helo() {
    let mut stage = Stage::new().await;
    stage.far.reply("EHLO", &["502 5.5.1 what?"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert_eq!(stage.far.commands()[1], "HELO us.example");
    assert_eq!(stage.far.got()[0].mail, "MAIL FROM:<a@origin.example>");
}

#[tokio::test]
async fn smtputf8_is_demanded_where_it_is_needed() {
    let mut stage = Stage::new().await;
    stage.start();
    let mut letter = envelope("<a@origin.example>", &["josé@far.example"]);
    letter.smtputf8 = true;
    stage.origin.offer(&["SMTPUTF8", "8BITMIME"]);
    stage.send(letter.clone(), MESSAGE).await;
    stage.settle().await;
    assert!(stage.far.got().is_empty());
    let dsn = stage.origin.got()[0].clone();
    assert!(dsn.mail.contains(" SMTPUTF8"));
    assert!(String::from_utf8(dsn.content).unwrap().contains("Status: 5.6.7\r\n"));
    stage.minutes(1).await;
    stage.far.offer(&["SMTPUTF8", "8BITMIME"]);
    stage.send(letter, MESSAGE).await;
    stage.settle().await;
    assert!(stage.far.got()[0].mail.contains(" SMTPUTF8"));
    assert_eq!(stage.far.got()[0].rcpts, ["RCPT TO:<josé@far.example>"]);
}

#[tokio::test]
async fn a_host_that_never_ends_its_reply_is_left() {
    let mut stage = Stage::new().await;
    let flood = "250-\r\n".repeat(200_000) + "250 ok";
    stage.far.reply("MAIL", &[&flood]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    for _ in 0..20 {
        stage.settle().await;
    }
    assert!(stage.queue().await[0].last_error.as_ref().unwrap().contains("does not end"));
}
