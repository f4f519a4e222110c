//! Who is told what, and when.

use mail::{DsnReturn, OriginalRecipient};
use mail_parser::MessageParser;
use routing::objects::{AccountObject, DomainObject, Object};
use storage::objects::PutMode;

use super::*;

fn text(stage: &Stage, n: usize) -> String {
    String::from_utf8(stage.origin.got()[n].content.clone()).unwrap()
}

#[tokio::test]
async fn a_failure_goes_to_the_reverse_path_from_nobody() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT", &["550 5.1.1 no such user"]);
    stage.start();
    let mut letter = envelope("<a@origin.example>", &["x@far.example"]);
    letter.envelope_id = Some("id 7".into());
    letter.recipients[0].original =
        Some(OriginalRecipient { address_type: "rfc822".into(), address: "list@us.example".into() });
    stage.send(letter, MESSAGE).await;
    stage.settle().await;
    let got = stage.origin.got();
    assert_eq!(got.len(), 1);
    assert!(got[0].mail.starts_with("MAIL FROM:<> "));
    assert_eq!(got[0].rcpts, ["RCPT TO:<a@origin.example>"]);
    let dsn = text(&stage, 0);
    for field in [
        "From: \"Mail delivery / Remise du courrier\" <postmaster@us.example>\r\n",
        "Auto-Submitted: auto-replied\r\n",
        "Original-Envelope-Id: id 7\r\n",
        "Original-Recipient: rfc822;list@us.example\r\n",
        "Remote-MTA: dns; mx.far.example\r\n",
        "Diagnostic-Code: smtp; 550 5.1.1 no such user\r\n",
        "Content-Type: text/rfc822-headers\r\n",
        "Subject: Hello\r\n",
    ] {
        assert!(dsn.contains(field), "{field}\n{dsn}");
    }
    assert!(!dsn.contains("Good morning") && !dsn.contains("Return-Path"));
    let parsed = MessageParser::new().parse(&got[0].content).unwrap();
    let readable = parsed.text_body().next().unwrap().text().unwrap().into_owned();
    assert!(readable.contains("could not be delivered") && readable.contains("n'a pas pu être remis"));
    assert!(stage.queue().await.is_empty());
}

#[tokio::test]
async fn who_is_not_there_is_on_the_suppression_list_until_mail_arrives() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT", &["550 5.1.1 no such user", "550 5.7.1 not from you", "250 2.1.5 ok"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    let row = stage.store.suppressed(&address("X@far.example")).await.unwrap().unwrap();
    assert!(row.detail.contains("mx.far.example: 550 5.1.1 no such user"), "{row:?}");
    stage.send_to(&["y@far.example"]).await;
    stage.settle().await;
    assert_eq!(stage.store.suppressed(&address("y@far.example")).await.unwrap(), None, "a rule, not a dead address");
    // A person writes all the same, and it arrives.
    let mut intake = stage.delivery.intake(&ReversePath::parse("<a@origin.example>").unwrap(), b"").await.unwrap();
    intake.write(MESSAGE).await.unwrap();
    let account = local_sender(&stage).await;
    intake.submitted_by(account);
    let prepared = intake.finish(envelope("<a@origin.example>", &["x@far.example"])).await.unwrap();
    stage.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    stage.settle().await;
    assert_eq!(stage.store.suppressed(&address("x@far.example")).await.unwrap(), None);
}

#[tokio::test]
async fn ret_full_returns_the_message() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT", &["550 5.1.1 no such user"]);
    stage.start();
    let mut letter = envelope("<a@origin.example>", &["x@far.example"]);
    letter.dsn_return = Some(DsnReturn::Full);
    stage.send(letter.clone(), MESSAGE).await;
    stage.settle().await;
    let message = String::from_utf8(MESSAGE.to_vec()).unwrap();
    assert!(text(&stage, 0).contains(&format!("Content-Type: message/rfc822\r\n\r\n{message}")));
    // One that is too large comes back as its header.
    let large = [MESSAGE, &b"0123456789\r\n".repeat(100_000)].concat();
    letter.recipients[0].forward_path = ForwardPath::Address(address("y@far.example"));
    stage.send(letter, &large).await;
    stage.settle().await;
    assert!(text(&stage, 1).contains("Content-Type: text/rfc822-headers\r\n"));
}

/// RFC 8689 §5: a report about a message with REQUIRETLS asks for that as well, where it can, and never has the whole of it.
#[tokio::test]
async fn rfc8689_a_report_is_protected_as_its_message_was() {
    for (offers, proven, asks) in [
        (&["STARTTLS", "REQUIRETLS"][..], true, true),
        // Nobody vouches for the host: not said, although it would be taken (§2).
        (&["STARTTLS", "REQUIRETLS"], false, false),
        (&["STARTTLS"], true, false),
        (&["REQUIRETLS"], true, false),
        (&[], false, false),
    ] {
        let mut stage = Stage::new().await;
        let (known, acceptor) = tls::certificate("mx.origin.example");
        stage.settings.tls.further_roots = vec![known];
        stage.origin.offer(offers).tls(acceptor);
        if proven {
            stage.world.resolver.sign(domain("origin.example"));
        }
        stage.start();
        let mut letter = envelope("<a@origin.example>", &["x@far.example"]);
        (letter.dsn_return, letter.require_tls) = (Some(DsnReturn::Full), true);
        stage.send(letter, MESSAGE).await;
        stage.settle().await;
        // Nobody vouches for the far host.
        assert_eq!(stage.far.count("MAIL"), 0);
        let got = stage.origin.got();
        assert_eq!(got.len(), 1, "a report goes without TLS where it must");
        assert_eq!(got[0].mail, if asks { "MAIL FROM:<> REQUIRETLS" } else { "MAIL FROM:<>" }, "{offers:?}");
        assert_eq!(got[0].tls, offers.contains(&"STARTTLS"), "{offers:?}");
        let dsn = text(&stage, 0);
        assert!(dsn.contains("Status: 5.7.10\r\n") && dsn.contains("Content-Type: text/rfc822-headers\r\n"), "{dsn}");
        assert!(dsn.contains("Subject: Hello\r\n") && !dsn.contains("Good morning"), "{dsn}");
    }
}

#[tokio::test]
async fn a_null_reverse_path_is_told_nothing() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT", &["550 5.1.1 no such user"]);
    stage.start();
    stage.send(envelope("<>", &["x@far.example"]), MESSAGE).await;
    stage.settle().await;
    assert_eq!(stage.far.commands()[1].split(" SIZE").next(), Some("MAIL FROM:<>"));
    assert!(stage.queue().await.is_empty() && stage.origin.got().is_empty());
}

#[tokio::test]
async fn late_is_told_once_and_too_old_fails() {
    let mut stage = Stage::new().await;
    stage.far.greet("421 4.3.2 closed");
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.minutes(239).await;
    assert!(stage.origin.got().is_empty());
    stage.minutes(2).await;
    assert_eq!(stage.origin.got().len(), 1);
    assert!(text(&stage, 0).contains("Action: delayed\r\n"));
    assert!(text(&stage, 0).contains("Will-Retry-Until: "));
    stage.minutes(60 * 24 * 5 - 250).await;
    assert_eq!(stage.origin.got().len(), 1);
    assert_eq!(stage.queue().await.len(), 1);
    stage.minutes(15).await;
    assert_eq!(stage.origin.got().len(), 2);
    assert!(text(&stage, 1).contains("Action: failed\r\nStatus: 4.4.7\r\n"));
    assert!(stage.queue().await.is_empty());
}

#[tokio::test]
async fn success_is_told_by_whoever_comes_last() {
    let mut stage = Stage::new().await;
    stage.start();
    let mut letter = envelope("<a@origin.example>", &["x@far.example"]);
    letter.recipients[0].notify = DsnNotify::asked(true, true, false);
    stage.send(letter.clone(), MESSAGE).await;
    stage.settle().await;
    assert_eq!(stage.far.got().len(), 1);
    assert!(text(&stage, 0).contains("Action: relayed\r\nStatus: 2.0.0\r\n"));
    // A host that offers DSN takes the duty over, with the parameters.
    stage.pass(Duration::from_secs(30)).await;
    stage.far.offer(&["DSN"]);
    stage.send(letter, MESSAGE).await;
    stage.settle().await;
    assert_eq!(stage.far.got()[1].rcpts, ["RCPT TO:<x@far.example> NOTIFY=SUCCESS,FAILURE"]);
    assert_eq!(stage.origin.got().len(), 1);
}

#[tokio::test]
async fn a_dsn_that_fails_itself_ends_there() {
    let mut stage = Stage::new().await;
    stage.far.reply("RCPT", &["550 5.1.1 no such user"]);
    stage.origin.reply("RCPT", &["550 5.1.1 no such user either"]);
    stage.start();
    stage.send_to(&["x@far.example"]).await;
    stage.settle().await;
    assert_eq!(stage.origin.count("RCPT"), 1);
    assert!(stage.queue().await.is_empty());
}

/// An account of this server's own, as sender.
async fn local_sender(stage: &Stage) -> mail::AccountId {
    let zone = DomainObject::new(domain("us.example"));
    stage.store.put_object(Object::Domain(zone), PutMode::Add).await.unwrap();
    let account = AccountObject::new(address("alice@us.example"));
    stage.store.add_account(account).await.unwrap().value.id
}

#[tokio::test]
async fn a_sender_of_our_own_finds_the_dsn_in_the_inbox() {
    let mut stage = Stage::new().await;
    let alice = local_sender(&stage).await;
    stage.far.reply("RCPT", &["550 5.1.1 no such user"]);
    stage.start();
    stage.send(envelope("<alice@us.example>", &["x@far.example"]), MESSAGE).await;
    stage.settle().await;
    assert!(stage.queue().await.is_empty());
    let inbox = stage.store.inbox(alice).await.unwrap();
    assert_eq!(inbox.messages, 1);
}

#[tokio::test]
async fn a_sender_who_is_gone_keeps_no_entry_alive() {
    let mut stage = Stage::new().await;
    local_sender(&stage).await;
    stage.far.reply("RCPT", &["550 5.1.1 no such user"]);
    stage.send(envelope("<alice@us.example>", &["x@far.example"]), MESSAGE).await;
    stage.store.remove_account(&address("alice@us.example")).await.unwrap();
    stage.start();
    stage.settle().await;
    assert!(stage.queue().await.is_empty());
}
