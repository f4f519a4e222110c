//! The steps of the demonstration: what is sent, what should happen, what did.

use crate::Trouble;
use crate::imap::Message;
use crate::report::Report;
use crate::smtp::{Outcome, Smtp};
use crate::stage::{PASSWORD, PEOPLE, Stage, at};

const CUSTOMER: &str = "customer@elsewhere.example";

/// All of them, in order.
pub(crate) async fn all(stage: &mut Stage, report: &mut Report) -> Result<(), Trouble> {
    mailbox(stage, report).await?;
    alias(stage, report).await?;
    nested_alias(stage, report).await?;
    all_users(stage, report).await?;
    blackhole(stage, report).await?;
    refusals(stage, report).await?;
    submission(stage, report).await?;
    autoresponder(stage, report).await?;
    out_of_office(stage, report).await?;
    relay(stage, report).await?;
    idle(stage, report).await?;
    explain(stage, report).await
}

fn message(from: &str, to: &str, subject: &str, more: &str) -> String {
    let id = subject.replace(' ', "-");
    format!(
        "From: <{from}>\r\nTo: <{to}>\r\nSubject: {subject}\r\nDate: Mon, 06 Jul 2026 09:00:00 +0000\r\n\
         Message-ID: <{id}@elsewhere.example>\r\n{more}\r\nHello,\r\nthis is \"{subject}\".\r\n"
    )
}

async fn send_from_outside(stage: &Stage, to: &str, subject: &str) -> Result<Outcome, Trouble> {
    stage.another_server().await?.send(CUSTOMER, &[to], &message(CUSTOMER, to, subject, "")).await
}

fn told(report: &mut Report, what: &str, outcome: &Outcome, kept: bool) {
    report.does(what);
    report.check(outcome.is_kept() == kept, &format!("the server answers: {}", outcome.last()));
}

/// Whether a person got a subject exactly so many times.
async fn got(
    stage: &Stage,
    report: &mut Report,
    login: &str,
    subject: &str,
    times: usize,
) -> Result<Vec<Message>, Trouble> {
    let found = stage.find(login, "INBOX", subject, times).await?;
    let text = match times {
        0 => format!("{} does not have it", at(login)),
        1 => format!("{} has it once, read over IMAP", at(login)),
        _ => format!("{} has it {times} times", at(login)),
    };
    report.check(found.len() == times, &text);
    Ok(found)
}

async fn mailbox(stage: &Stage, report: &mut Report) -> Result<(), Trouble> {
    report.step("A message from another server to a mailbox");
    let outcome = send_from_outside(stage, &at("carol"), "Question one").await?;
    told(report, &format!("{CUSTOMER} writes to carol@demo.example"), &outcome, true);
    let found = got(stage, report, "carol", "Question one", 1).await?;
    let message = found.into_iter().next().unwrap_or_default();
    report.check(message.header("Return-Path") == format!("<{CUSTOMER}>"), "Return-Path names the sender");
    report.check(message.header("Received").contains("with ESMTP"), "Received tells the way:");
    report.sees(&message.header("Received"));
    Ok(())
}

async fn alias(stage: &Stage, report: &mut Report) -> Result<(), Trouble> {
    report.step("An alias with three targets, one of them elsewhere");
    let outcome = send_from_outside(stage, &at("info"), "Question two").await?;
    told(report, "to info@demo.example, which leads to alice, bob and friend@elsewhere.example", &outcome, true);
    got(stage, report, "alice", "Question two", 1).await?;
    got(stage, report, "bob", "Question two", 1).await?;
    let relayed = arrives(stage, "friend@elsewhere.example", "Question two").await;
    report.check(relayed, "friend@elsewhere.example has it: relayed to the other server");
    Ok(())
}

async fn arrives(stage: &Stage, address: &str, subject: &str) -> bool {
    let is_there = |stage: &Stage| {
        stage.sink.arrived_for(address).iter().any(|message| message.header("Subject").contains(subject))
    };
    stage.wait_for(is_there).await
}

async fn nested_alias(stage: &Stage, report: &mut Report) -> Result<(), Trouble> {
    report.step("An alias that leads to another alias: each mailbox is reached once");
    let outcome = send_from_outside(stage, &at("team"), "Question three").await?;
    told(report, "to team@demo.example: info (alice, bob, friend), carol, and alice once more", &outcome, true);
    for login in ["alice", "bob", "carol"] {
        got(stage, report, login, "Question three", 1).await?;
    }
    let relayed = arrives(stage, "friend@elsewhere.example", "Question three").await;
    report.check(relayed, "friend@elsewhere.example has it");
    Ok(())
}

async fn all_users(stage: &Stage, report: &mut Report) -> Result<(), Trouble> {
    report.step("An alias with an empty target: all users");
    // Another sender: this is the day's first message to dora, whose answer a later step wants to see.
    let (boss, all) = ("boss@elsewhere.example", at("all"));
    let content = message(boss, &all, "Question four", "");
    let outcome = stage.another_server().await?.send(boss, &[&all], &content).await?;
    told(report, "somebody writes to all@demo.example", &outcome, true);
    for (login, _) in PEOPLE {
        got(stage, report, login, "Question four", 1).await?;
    }
    Ok(())
}

async fn blackhole(stage: &Stage, report: &mut Report) -> Result<(), Trouble> {
    report.step("The blackhole: accepted and dropped");
    let outcome = send_from_outside(stage, &at("old"), "Question five").await?;
    told(report, "to old@demo.example, which leads to :blackhole:", &outcome, true);
    for (login, _) in PEOPLE {
        got(stage, report, login, "Question five", 0).await?;
    }
    Ok(())
}

async fn refusals(stage: &Stage, report: &mut Report) -> Result<(), Trouble> {
    report.step("What is refused, and why");
    for (to, why, code) in [
        ("nobody@demo.example", "an unknown address, refused before the message is sent", "5.1.1"),
        ("someone@third.example", "another server's mail: no open relay", "5.7.1"),
    ] {
        let outcome = send_from_outside(stage, to, "Question six").await?;
        told(report, &format!("to {to}: {why}"), &outcome, false);
        report.check(outcome.last().code == 550 && outcome.last().text.starts_with(code), &format!("with 550 {code}"));
    }
    let smuggled = format!(
        "{}\n.\r\nMAIL FROM:<ceo@demo.example>\r\n",
        message(CUSTOMER, &at("alice"), "Question seven", "").trim_end_matches("\r\n")
    );
    let outcome = stage.another_server().await?.send(CUSTOMER, &[&at("alice")], &smuggled).await?;
    told(report, "a message with a bare line feed, that tries to smuggle a second one in", &outcome, false);
    got(stage, report, "alice", "Question seven", 0).await?;
    Ok(())
}

async fn submission(stage: &Stage, report: &mut Report) -> Result<(), Trouble> {
    report.step("Users send: after login, over TLS, and only as themselves");
    let (alice, bob) = (at("alice"), at("bob"));
    let mut smtp = Smtp::submissions(stage.port(465), &stage.tls, &alice, PASSWORD).await?;
    report.does("alice logs in on the submissions port, TLS from the start");
    let outcome = smtp.send(&alice, &[&bob, CUSTOMER], &message(&alice, &bob, "Answer one", "")).await?;
    told(report, "alice writes to bob and to the customer", &outcome, true);
    got(stage, report, "bob", "Answer one", 1).await?;
    report.check(arrives(stage, CUSTOMER, "Answer one").await, "the customer has it: relayed");
    let outcome = smtp.send(&alice, &[&bob], &message(&bob, &bob, "Answer two", "")).await?;
    told(report, "alice writes with bob's address in From", &outcome, false);
    let info = at("info");
    let outcome = smtp.send(&info, &[&bob], &message(&info, &bob, "Answer three", "")).await?;
    told(report, "alice writes as info@demo.example, which leads to her", &outcome, true);
    let mut smtp = Smtp::submission(stage.port(587), &stage.tls, &at("carol"), PASSWORD).await?;
    report.does("carol logs in on the submission port, after STARTTLS");
    let outcome = smtp.send(&info, &[&bob], &message(&info, &bob, "Answer four", "")).await?;
    told(report, "carol writes as info@demo.example, which does not lead to her", &outcome, false);
    let wrong = Smtp::submissions(stage.port(465), &stage.tls, &alice, "wrong-password").await;
    let said = wrong.err().map(|trouble| trouble.to_string()).unwrap_or_default();
    report.check(
        said.contains("535"),
        &format!("a wrong password is refused: {}", said.rsplit(": ").next().unwrap_or("")),
    );
    Ok(())
}

async fn autoresponder(stage: &Stage, report: &mut Report) -> Result<(), Trouble> {
    report.step("An autoresponder: every sender gets the price list, once a day");
    let outcome = send_from_outside(stage, &at("prices"), "What does it cost").await?;
    told(report, "the customer writes to prices@demo.example (kept nowhere: it leads to :blackhole:)", &outcome, true);
    report.check(arrives(stage, CUSTOMER, "Our price list").await, "the customer has the answer:");
    let answers = |stage: &Stage| {
        let mut arrived = stage.sink.arrived_for(CUSTOMER);
        arrived.retain(|message| message.header("Subject").contains("Our price list"));
        arrived
    };
    let answer = answers(stage).into_iter().next().unwrap_or_default();
    for field in ["From", "To", "Subject", "Auto-Submitted", "In-Reply-To", "Content-Type"] {
        report.sees(&format!("{field}: {}", answer.header(field)));
    }
    report.check(answer.from.is_empty(), "it left from the null reverse-path, so that nothing answers it");
    report.check(answer.header("Auto-Submitted").starts_with("auto-replied"), "it is marked as an automatic answer");
    let plain_too = answer.text.contains("text/plain") && answer.text.contains("text/html");
    report.check(plain_too, "HTML goes out with a plain text beside it");
    let outcome = send_from_outside(stage, &at("prices"), "What does it cost now").await?;
    told(report, "the customer writes again", &outcome, true);
    // The answers of both steps pass the same worker in order: once a later answer is there, this one would be too.
    let other = "second@elsewhere.example";
    let content = message(other, &at("prices"), "And me", "");
    stage.another_server().await?.send(other, &[&at("prices")], &content).await?;
    report.check(arrives(stage, other, "Our price list").await, "another customer who asks after that has an answer");
    report.check(answers(stage).len() == 1, "the first one still has one answer only");
    Ok(())
}

async fn out_of_office(stage: &Stage, report: &mut Report) -> Result<(), Trouble> {
    report.step("An out-of-office message: the message is kept, and the sender is told");
    let outcome = send_from_outside(stage, &at("dora"), "Question eight").await?;
    told(report, "the customer writes to dora@demo.example, who is away", &outcome, true);
    got(stage, report, "dora", "Question eight", 1).await?;
    report.check(arrives(stage, CUSTOMER, "Question eight").await, "the customer has the answer:");
    let mut arrived = stage.sink.arrived_for(CUSTOMER);
    arrived.retain(|message| message.header("Subject").contains("Question eight"));
    let answer = arrived.into_iter().next().unwrap_or_default();
    report.sees(&format!("Subject: {}", answer.header("Subject")));
    report.sees(answer.text.split("\r\n\r\n").nth(1).unwrap_or_default());
    let filed = stage.find("dora", "Sent", "Question eight", 1).await?;
    report.check(filed.len() == 1, "the answer is filed in dora's Sent mailbox");
    let answered = stage.find("dora", "INBOX", "Question eight", 1).await?;
    let marked = answered.first().is_some_and(|message| message.facts.contains("\\Answered"));
    report.check(marked, "the message is marked as answered");
    let silent = [
        ("", "Report nine", "", "a bounce (null reverse-path)"),
        ("lists@elsewhere.example", "List ten", "List-Id: <news.elsewhere.example>\r\n", "a mailing list"),
        ("robot@elsewhere.example", "Robot eleven", "Auto-Submitted: auto-generated\r\n", "an automatic message"),
    ];
    for (sender, subject, more, why) in silent {
        let content = message("someone@elsewhere.example", &at("dora"), subject, more);
        let outcome = stage.another_server().await?.send(sender, &[&at("dora")], &content).await?;
        told(report, &format!("{why} comes for dora"), &outcome, true);
        got(stage, report, "dora", subject, 1).await?;
    }
    // A later message that is answered shows that these had their turn; then nothing is under way any more.
    let last = "last@elsewhere.example";
    let content = message(last, &at("dora"), "Question eight and a half", "");
    stage.another_server().await?.send(last, &[&at("dora")], &content).await?;
    report
        .check(arrives(stage, last, "Question eight and a half").await, "a person who writes after them has an answer");
    report.check(stage.is_quiet().await?, "nothing waits to be answered or delivered any more");
    let filed = stage.find("dora", "Sent", "", 2).await?;
    report.check(filed.len() == 2, "dora's Sent mailbox has two answers: to the two who wrote to her by name");
    for (sender, subject, _, why) in silent {
        let sent = filed.iter().any(|answer| answer.header("Subject").contains(subject));
        let arrived = ["someone@elsewhere.example", sender].iter().any(|address| {
            stage.sink.arrived_for(address).iter().any(|answer| answer.header("Subject").contains(subject))
        });
        report.check(!sent && !arrived, &format!("{why} got no answer"));
    }
    Ok(())
}

async fn relay(stage: &Stage, report: &mut Report) -> Result<(), Trouble> {
    report.step("The other server refuses, or is busy");
    let alice = at("alice");
    let mut smtp = Smtp::submissions(stage.port(465), &stage.tls, &alice, PASSWORD).await?;
    let gone = "gone@elsewhere.example";
    let outcome = smtp.send(&alice, &[gone], &message(&alice, gone, "Offer twelve", "")).await?;
    told(report, "alice writes to gone@elsewhere.example, which the other server refuses with 550", &outcome, true);
    let notices = stage.find("alice", "INBOX", "", 1).await?;
    let is_notice =
        |message: &&Message| message.header("Content-Type").contains("delivery-status") && message.text.contains(gone);
    let mut notice = notices.iter().find(is_notice).cloned();
    for _ in 0..100 {
        if notice.is_some() {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        notice = stage.find("alice", "INBOX", "", 1).await?.iter().find(is_notice).cloned();
    }
    report.check(notice.is_some(), "alice is told that it could not be delivered, and why:");
    let notice = notice.unwrap_or_default();
    report.sees(&format!("From: {}\nSubject: {}", notice.header("From"), notice.header("Subject")));
    let status = notice.text.lines().filter(|line| line.starts_with("Status:") || line.starts_with("Diagnostic-Code:"));
    status.for_each(|line| report.sees(line));
    let later = "later@elsewhere.example";
    let outcome = smtp.send(&alice, &[later], &message(&alice, later, "Offer thirteen", "")).await?;
    told(report, "alice writes to later@elsewhere.example, which the other server defers with 451", &outcome, true);
    report.check(arrives(stage, later, "Offer thirteen").await, "it was tried again, and arrived");
    Ok(())
}

async fn idle(stage: &Stage, report: &mut Report) -> Result<(), Trouble> {
    report.step("A mail program that waits (IDLE) hears of new mail at once");
    let mut imap = stage.read_as("bob").await?;
    let span = imap.idle_until_new(async { send_from_outside(stage, &at("bob"), "Question fourteen").await.map(drop) });
    let span = span.await?;
    report.check(
        span.as_millis() < 1000,
        &format!("bob's client was told {} ms after the server's 250", span.as_millis()),
    );
    if let Some(memory) = stage.memory_mib() {
        report.sees(&format!("the server uses {memory} MiB of memory"));
    }
    Ok(())
}

async fn explain(stage: &Stage, report: &mut Report) -> Result<(), Trouble> {
    report.step("Asking the server what it would do, without sending anything");
    for (to, expected) in [(at("team"), "carol@demo.example"), (at("nobody"), "550"), (at("dora"), "answers")] {
        report.does(&format!("relais explain {CUSTOMER} {to}"));
        let told = stage.relais(&["explain", CUSTOMER, &to], None).await?;
        report.sees(&told);
        report.check(told.contains(expected), "the answer has the way and the verdict");
    }
    let queue = stage.relais(&["queue", "list"], None).await?;
    report.check(queue.contains("the queue is empty"), "relais queue list: nothing waits any more");
    Ok(())
}
