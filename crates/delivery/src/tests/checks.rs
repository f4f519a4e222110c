//! What follows from where a message comes from: the field on top, Spam, refusals; with results that are given.

use filter::{Actions, Filter, FilterSet, Place};
use sender_auth::verify::{Authentication, Client, Dkim, Dmarc, Outcome, Policy, Rules, Said, Spf};
use storage::trace::{Step, Term, TraceQuery};

use super::*;
use crate::{Checks, HeldMessage};

pub(super) const RECEIVED: &[u8] = b"Received: from x by mx.example.org\r\n";

fn found(outcome: Outcome, policy: Policy) -> Authentication {
    Authentication {
        spf: Spf { outcome: Outcome::Fail, domain: "far.example".to_owned(), explanation: None },
        dkim: vec![Dkim { outcome: Outcome::Pass, domain: "list.example".to_owned(), ..Dkim::default() }],
        dmarc: vec![Dmarc { outcome, domain: "far.example".to_owned(), policy: Some(policy), ..Dmarc::default() }],
        ..Authentication::default()
    }
}

pub(super) fn client() -> Client {
    Client {
        ip: "192.0.2.1".parse().unwrap(),
        helo: Some("mx.far.example".to_owned()),
        reverse_path: Some(address("zoe@far.example")),
    }
}

impl Fixture {
    /// What another server hands over, of which this is found.
    async fn handed_over(
        &self,
        found: Authentication,
        recipients: &[&str],
        content: &[u8],
    ) -> Result<Applied, Refused> {
        let settings = DeliverySettings { message_octets_max: 1_000_000, ..self.delivery.settings().clone() };
        let delivery =
            Delivery::new(self.store.clone(), settings).checking(Checks::new(Arc::new(Said(found)), Rules::default()));
        let mut intake = delivery.checked_intake(client(), RECEIVED).await?;
        for piece in content.chunks(7_000) {
            intake.write(piece).await?;
        }
        let prepared = intake.finish(envelope(recipients)).await?;
        Ok(self.store.transact(move |tx| prepared.apply(tx)).await?.value)
    }

    pub(super) async fn content(&self, applied: &Applied, n: usize) -> (String, Vec<String>) {
        let (account, mailbox, deposited) = &applied.deposits[n];
        let row = self.store.message(*account, *mailbox, deposited.uid).await.unwrap().unwrap();
        let mut blob = self.store.blob(&row.blob).await.unwrap().unwrap();
        let content = String::from_utf8(blob.read(0, u64::MAX).await.unwrap()).unwrap();
        assert_eq!(content.len() as u64, row.octets);
        let mailboxes = self.store.mailboxes(*account).await.unwrap();
        let there = mailboxes.iter().find(|row| row.id == *mailbox).unwrap();
        let keywords = there.flags_of(&row).keywords.into_iter().map(|keyword| keyword.as_str().to_owned());
        (content, std::iter::once(there.name.clone()).chain(keywords).collect())
    }

    pub(super) async fn steps_of(&self, recipient: &str) -> Vec<String> {
        let query = TraceQuery { term: Some(Term::Recipient(address(recipient))), limit: 10, ..TraceQuery::default() };
        let traces = self.store.traces(&query).await.unwrap();
        traces.iter().flat_map(|trace| trace.steps.iter().map(|taken| taken.step.to_string())).collect()
    }
}

#[tokio::test]
async fn rfc8601_results_stand_on_top_and_forged_ones_are_gone_whatever_the_size() {
    let f = fixture().await;
    let forged = "Authentication-Results: mx.example.org; dmarc=pass\r\n";
    for body in [10, 90_000] {
        let body = "x".repeat(body);
        let content = format!("{forged}From: zoe@far.example\r\n{forged}Subject: Hello\r\n\r\n{forged}{body}\r\n");
        let passes = found(Outcome::Pass, Policy::Reject);
        let applied = f.handed_over(passes.clone(), &["alice@example.org"], content.as_bytes()).await.unwrap();
        let field = Authentication { client: Some(client()), ..passes }.field("mx.example.org");
        assert!(field.contains("dmarc=pass (p=reject) header.from=far.example"), "{field}");
        let received = std::str::from_utf8(RECEIVED).unwrap();
        let expected = format!(
            "Return-Path: <zoe@far.example>\r\n{field}{received}From: zoe@far.example\r\nSubject: Hello\r\n\r\n{forged}{body}\r\n"
        );
        let (kept, place) = f.content(&applied, 0).await;
        assert_eq!((kept.as_str(), place), (expected.as_str(), vec!["INBOX".to_owned()]));
        // What IMAP clients ask for fits what is kept.
        let (account, mailbox, deposited) = &applied.deposits[0];
        let records = f.store.records(*account, *mailbox, deposited.uid, deposited.uid, 1).await.unwrap();
        let record = message::RecordView::new(&records[0].1).unwrap();
        let whole = message::Scanner::scan(expected.as_bytes());
        assert_eq!(record.parts().unwrap(), whole.part_table());
    }
    let told = f.steps_of("alice@example.org").await;
    let words = "SPF failed for far.example; the DKIM signature of list.example is valid; DMARC passed for far.example";
    assert!(told.iter().any(|step| step == words), "{told:?}");
    let checked = storage::check::check(&f.store, true, &mut |finding| panic!("{finding:?}")).await.unwrap();
    assert_eq!(checked.findings, 0);
}

#[tokio::test]
async fn what_fails_dmarc_is_refused_or_goes_to_spam() {
    let f = fixture().await;
    f.alias("out@example.org", &["yan@far.example"]).await;
    f.alias("both@example.org", &["alice@example.org", "yan@far.example"]).await;
    let rows = f.engine.rows();
    let Refused(reply) =
        f.handed_over(found(Outcome::Fail, Policy::Reject), &["alice@example.org"], MESSAGE).await.unwrap_err();
    assert!(reply.to_string().starts_with("550 5.7.1 Refused: far.example asks for \"reject\""), "{reply}");
    let unsure = found(Outcome::TemporaryError, Policy::Reject);
    let Refused(reply) = f.handed_over(unsure, &["alice@example.org"], MESSAGE).await.unwrap_err();
    assert!(reply.to_string().starts_with("451 4.7.1"), "{reply}");
    let suspicious = found(Outcome::Fail, Policy::Quarantine);
    let Refused(reply) = f.handed_over(suspicious.clone(), &["out@example.org"], MESSAGE).await.unwrap_err();
    assert!(reply.to_string().contains("not passed on"), "{reply}");
    assert_eq!(f.engine.rows(), rows);

    let to = ["both@example.org", "bob+shop@example.org"];
    let applied = f.handed_over(suspicious, &to, MESSAGE).await.unwrap();
    assert_eq!((applied.deposits.len(), applied.queued.len()), (2, 0));
    for n in 0..2 {
        let (kept, place) = f.content(&applied, n).await;
        assert_eq!(place, ["Junk", "$Junk"]);
        assert!(kept.contains("\r\nX-Spam-Reason: far.example asks for \"quarantine\""), "{kept}");
    }
    let told = f.steps_of("both@example.org").await.join("\n");
    for part in [
        "goes to Spam: far.example",
        "delivered to alice@example.org, mailbox Junk",
        "not passed on to yan@far.example",
    ] {
        assert!(told.contains(part), "{told}");
    }
}

/// What would be lost to one of several recipients is refused for all: each has it, in Spam, or its sender knows.
#[tokio::test]
async fn quarantine_loses_nothing_in_silence() {
    let f = fixture().await;
    f.store.add_list(routing::objects::ListObject::new(address("garden@example.org"))).await.unwrap();
    f.alias("out@example.org", &["yan@far.example", "max@other.example"]).await;
    f.alias("both@example.org", &["yan@far.example", "bob@example.org"]).await;
    f.alias("nobody@example.org", &[":blackhole:"]).await;
    for (recipients, taken) in [
        (&["alice@example.org", "out@example.org"][..], false),
        (&["out@example.org", "alice@example.org"], false),
        (&["both@example.org", "out@example.org"], false),
        (&["garden@example.org", "out@example.org"], false),
        (&["garden-owner@example.org", "alice@example.org"], false),
        (&["nobody@example.org", "out@example.org"], false),
        (&["alice@example.org", "both@example.org"], true),
        (&["garden@example.org", "alice@example.org"], true),
        (&["nobody@example.org", "alice@example.org"], true),
        (&["nobody@example.org"], true),
    ] {
        let before = f.engine.rows();
        let result = f.handed_over(found(Outcome::Fail, Policy::Quarantine), recipients, MESSAGE).await;
        match result {
            Ok(applied) => {
                assert!(taken && applied.queued.is_empty(), "{recipients:?}");
            }
            Err(Refused(reply)) => {
                assert!(!taken && reply.to_string().starts_with("550 5.7.1 "), "{recipients:?}: {reply}");
                assert_eq!(f.engine.rows(), before, "{recipients:?}: nothing of it is kept");
            }
        }
    }
    // What is not suspicious goes everywhere.
    let good = found(Outcome::Pass, Policy::None);
    let applied = f.handed_over(good, &["alice@example.org", "out@example.org"], MESSAGE).await.unwrap();
    assert_eq!((applied.deposits.len(), applied.queued.len()), (1, 2));
}

#[tokio::test]
async fn i03_filters_may_lead_out_of_spam() {
    let f = fixture().await;
    let leading = |place, folder: &str| Filter {
        places: vec![place],
        conditions: vec!["from is zoe@far.example".parse().unwrap()],
        actions: Actions { folder: Some(folder.to_owned()), ..Actions::default() },
        ..Filter::new(folder)
    };
    let filters = vec![leading(Place::Inbox, "Never"), leading(Place::Spam, "INBOX")];
    let account = f.store.directory().account(&address("alice@example.org")).unwrap().id;
    f.store.put_object(Object::Filters(FilterSet { account, filters }), PutMode::Add).await.unwrap();
    let suspicious = found(Outcome::Fail, Policy::Quarantine);
    let applied = f.handed_over(suspicious, &["alice@example.org", "bob@example.org"], MESSAGE).await.unwrap();
    let (alice, bob) = (f.content(&applied, 0).await.1, f.content(&applied, 1).await.1);
    assert_eq!(
        (alice, bob),
        (vec!["INBOX".to_owned(), "$Junk".to_owned()], vec!["Junk".to_owned(), "$Junk".to_owned()])
    );
}

#[tokio::test]
async fn a_refusal_can_be_told_before_the_end() {
    let f = fixture().await;
    let checks = Checks::new(Arc::new(Said(found(Outcome::Fail, Policy::Reject))), Rules::default());
    let delivery = f.delivery.clone().checking(checks);
    let mut intake = delivery.checked_intake(client(), RECEIVED).await.unwrap();
    intake.write(b"From: zoe@far.example\r\nMessage-ID: <1@x>\r\n\r\nx\r\n").await.unwrap();
    let unwelcome = intake.check().await.unwrap_err();
    assert_eq!(unwelcome.reply.code, 550);
    assert!(matches!(unwelcome.steps.as_slice(), [Step::Authenticated { .. }]));
    assert_eq!(unwelcome.terms, [Term::MessageId("1@x".to_owned())]);
    // Nor can it be forgotten.
    assert!(intake.finish(envelope(&["alice@example.org"])).await.is_err());
}

#[tokio::test]
async fn lists_hear_of_it() {
    let f = fixture().await;
    let list = routing::objects::ListObject::new(address("garden@example.org"));
    f.store.add_list(list).await.unwrap();
    let heard = async || {
        let events = f.store.events_after(Topic::HeldMessage, 0, 9).await.unwrap();
        events.iter().map(|event| HeldMessage::decode(&event.payload).unwrap()).collect::<Vec<_>>()
    };
    f.handed_over(found(Outcome::Pass, Policy::None), &["garden@example.org"], MESSAGE).await.unwrap();
    f.handed_over(found(Outcome::Fail, Policy::Quarantine), &["garden@example.org"], MESSAGE).await.unwrap();
    // Orders and mail to the owners that are suspicious go nowhere, and who sends them is told.
    for to in ["garden-join@example.org", "garden-request@example.org", "garden-owner@example.org"] {
        let refused = f.handed_over(found(Outcome::Fail, Policy::Quarantine), &[to], MESSAGE).await;
        assert_eq!(refused.unwrap_err().0.code, 550, "{to}");
    }
    let events: Vec<(Option<String>, bool)> =
        heard().await.into_iter().map(|event| (event.verified.map(|domain| domain.to_string()), event.spam)).collect();
    assert_eq!(events, [(Some("far.example".to_owned()), false), (None, true)]);
}

#[tokio::test]
async fn a_header_that_is_too_long_and_one_that_is_none() {
    let f = fixture().await;
    let long = format!("X: {}\r\nFrom: zoe@far.example\r\n\r\nx\r\n", "x\r\n ".repeat(40_000));
    let result = f.handed_over(found(Outcome::Pass, Policy::None), &["alice@example.org"], long.as_bytes()).await;
    let Refused(reply) = result.unwrap_err();
    assert_eq!(reply.to_string(), "550 5.6.0 The header of the message is too long");
    for odd in [&b" continued\r\nFrom: a@b\r\n\r\nx\r\n"[..], b"\r\nbody\r\n", b"", b"no header at all"] {
        let applied = f.handed_over(found(Outcome::Pass, Policy::None), &["alice@example.org"], odd).await.unwrap();
        let (kept, _) = f.content(&applied, 0).await;
        let text = String::from_utf8_lossy(odd);
        assert!(kept.ends_with(text.as_ref()), "{kept:?}");
    }
}

#[tokio::test]
async fn reports_of_others_are_handed_on_with_who_surely_wrote_them() {
    let f = fixture().await;
    f.alias("reports@example.org", &["alice@example.org"]).await;
    let told = async |found: Option<Authentication>, to: &str| {
        let delivery = Delivery::new(f.store.clone(), f.delivery.settings().clone());
        let delivery = delivery.reading_reports_at(vec![address("Reports@example.org")]);
        let delivery = match found.clone() {
            Some(found) => delivery.checking(Checks::new(Arc::new(Said(found)), Rules::default())),
            None => delivery,
        };
        let envelope = envelope(&[to]);
        let prepared = match found {
            Some(_) => {
                let mut intake = delivery.checked_intake(client(), RECEIVED).await.unwrap();
                intake.write(MESSAGE).await.unwrap();
                intake.finish(envelope).await.unwrap()
            }
            None => delivery.prepare(envelope, MESSAGE).await.unwrap(),
        };
        f.store.transact(move |tx| prepared.apply(tx).map(drop)).await.unwrap();
        let events = f.store.events_after(Topic::ReportReceived, 0, 9).await.unwrap();
        let read: Vec<_> = events.iter().map(|row| crate::ReportReceived::decode(&row.payload).unwrap()).collect();
        let numbers: Vec<u64> = events.iter().map(|row| row.number).collect();
        f.store
            .transact(move |tx| numbers.iter().try_for_each(|n| tx.finish_event(Topic::ReportReceived, *n).map(drop)))
            .await
            .unwrap();
        read.into_iter().map(|event| event.verified.map(|name| name.to_string())).collect::<Vec<_>>()
    };
    let (passes, lax) = (found(Outcome::Pass, Policy::Reject), found(Outcome::Fail, Policy::None));
    assert_eq!(told(Some(passes.clone()), "reports@example.org").await, [Some("far.example".to_owned())]);
    assert_eq!(told(Some(lax), "reports@example.org").await, [None]);
    // What pretends to be from somebody else goes to Spam, and is no report of theirs.
    assert!(told(Some(found(Outcome::Fail, Policy::Quarantine)), "reports@example.org").await.is_empty());
    assert!(told(Some(passes), "alice@example.org").await.is_empty());
    assert_eq!(told(None, "reports@example.org").await, [Some("mx.example.org".to_owned())], "the server's own");
    let checked = storage::check::check(&f.store, true, &mut |finding| panic!("{finding:?}")).await.unwrap();
    assert_eq!(checked.findings, 0);
}
