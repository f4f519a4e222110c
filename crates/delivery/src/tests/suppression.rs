//! The suppression list: what it keeps from leaving, and who enters it.

use sender_auth::verify::{Authentication, Client, Dmarc, Outcome, Rules, Said};
use storage::suppressed::SuppressionReason;
use storage::trace::TraceQuery;

use super::*;
use crate::{Blocks, Checks, Prepared, SuppressionSettings};

const DEAD: &str = "dead@far.example";
const ANGRY: &str = "angry@far.example";
const TO: [&str; 3] = [DEAD, ANGRY, "zoe@far.example"];

async fn stage() -> Fixture {
    let f = fixture().await;
    for (who, reason) in [(DEAD, SuppressionReason::HardBounce), (ANGRY, SuppressionReason::Complaint)] {
        let now = f.store.now();
        let until = Some(crate::span(now, 1));
        f.store.transact(move |tx| tx.suppress(&address(who), reason, "550 no", now, until)).await.unwrap();
    }
    f
}

/// Whom a message leaves for, and what its trace tells.
async fn leaves(f: &Fixture, prepared: Prepared) -> (Vec<String>, String) {
    let before = f.store.queue_entries(QueueId(0), 99).await.unwrap().len();
    let trace = prepared.trace().unwrap();
    f.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    let rows = f.store.queue_entries(QueueId(0), 99).await.unwrap();
    let to = rows.iter().skip(before).flat_map(|row| &row.recipients).map(|one| one.address.to_string()).collect();
    let steps = f.store.trace(trace).await.unwrap().unwrap().steps;
    (to, steps.iter().map(|taken| format!("{}\n", taken.step)).collect())
}

async fn personal(f: &Fixture, delivery: &Delivery, to: &[&str]) -> Prepared {
    let mut intake = delivery.intake(&ReversePath::Null, b"").await.unwrap();
    intake.submitted_by(f.store.directory().account(&address("alice@example.org")).unwrap().id);
    intake.write(MESSAGE).await.unwrap();
    intake.finish(envelope(to)).await.unwrap()
}

#[tokio::test]
async fn what_is_sent_of_our_own_accord_does_not_leave_and_what_people_send_does() {
    let f = stage().await;
    let (to, told) = leaves(&f, f.delivery.prepare(envelope(&TO), MESSAGE).await.unwrap()).await;
    assert_eq!(to, ["zoe@far.example"]);
    assert!(
        told.contains(
            "dropped: not sent to dead@far.example, which is on the suppression list: nobody is there (550 no)"
        ),
        "{told}"
    );
    assert!(told.contains("not sent to angry@far.example") && told.contains("its reader complained"), "{told}");
    assert!(told.contains("for far.example: zoe@far.example\n"), "{told}");
    let (to, told) = leaves(&f, personal(&f, &f.delivery, &TO).await).await;
    assert_eq!(to, TO);
    assert!(
        told.contains("dead@far.example is on the suppression list: nobody is there (550 no); it is sent all the same"),
        "{told}"
    );
    // A report is owed to who complained, too.
    let (to, _) = leaves(&f, f.delivery.prepare_report(envelope(&TO), MESSAGE).await.unwrap()).await;
    assert_eq!(to, [ANGRY, "zoe@far.example"]);
    // Nobody but these: nothing is queued.
    let (to, _) = leaves(&f, f.delivery.prepare(envelope(&[DEAD]), MESSAGE).await.unwrap()).await;
    assert!(to.is_empty());
    assert_eq!(storage::check::check(&f.store, true, &mut |found| panic!("{found:?}")).await.unwrap().findings, 0);
}

#[tokio::test]
async fn what_it_blocks_is_settable() {
    let f = stage().await;
    let with =
        |blocks| f.delivery.clone().suppressing(SuppressionSettings { blocks, ..SuppressionSettings::default() });
    let (to, _) = leaves(&f, with(Blocks::Nothing).prepare(envelope(&TO), MESSAGE).await.unwrap()).await;
    assert_eq!(to, TO);
    let alice = f.store.directory().account(&address("alice@example.org")).unwrap().id;
    let asking = Asking::logged_in(alice, ReversePath::Null, f.store.now());
    let path = |text: &str| ForwardPath::Address(address(text));
    assert_eq!(with(Blocks::Automatic).decide(&asking, &path(DEAD)).await, Ok(()));
    let refused = with(Blocks::All).decide(&asking, &path(DEAD)).await.unwrap_err();
    assert_eq!(
        refused.reply.to_string(),
        "550 5.7.1 dead@far.example is on the suppression list of this server: 550 no"
    );
    assert_eq!(with(Blocks::All).decide(&asking, &path("zoe@far.example")).await, Ok(()));
}

async fn complains(f: &Fixture, from: &str, about: &str, trusts: &[&str]) -> Option<SuppressionReason> {
    let pass = Dmarc { outcome: Outcome::Pass, domain: from.to_owned(), ..Dmarc::default() };
    let found = Authentication { dmarc: vec![pass], ..Authentication::default() };
    let settings = SuppressionSettings {
        complaints_from: trusts.iter().map(|text| text.parse().unwrap()).collect(),
        ..SuppressionSettings::default()
    };
    let delivery =
        f.delivery.clone().checking(Checks::new(Arc::new(Said(found)), Rules::default())).suppressing(settings);
    let client = Client { ip: "192.0.2.1".parse().unwrap(), helo: None, reverse_path: None };
    let mut intake = delivery.checked_intake(client, b"Received: x\r\n").await.unwrap();
    let report = format!(
        "From: fbl@{from}\r\nContent-Type: multipart/report; report-type=feedback-report; boundary=\"p\"\r\n\r\n\
         --p\r\n\r\nA complaint.\r\n--p\r\nContent-Type: message/feedback-report\r\n\r\nFeedback-Type: abuse\r\n\
         Version: 1\r\nOriginal-Rcpt-To: <{about}>\r\n\r\n--p--\r\n"
    );
    for piece in report.as_bytes().chunks(13) {
        intake.write(piece).await.unwrap();
    }
    let prepared = intake.finish(envelope(&["alice@example.org"])).await.unwrap();
    f.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    let row = f.store.suppressed(&address(about)).await.unwrap();
    let about = address(about);
    f.store.transact(move |tx| tx.unsuppress(&about)).await.unwrap();
    row.map(|row| row.reason)
}

#[tokio::test]
async fn rfc5965_a_complaint_counts_from_who_may_speak_for_the_reader() {
    let f = fixture().await;
    let complaint = Some(SuppressionReason::Complaint);
    assert_eq!(complains(&f, "far.example", "zoe@far.example", &[]).await, complaint);
    assert_eq!(complains(&f, "other.example", "zoe@far.example", &[]).await, None, "anybody can write a report");
    assert_eq!(complains(&f, "other.example", "zoe@far.example", &["other.example"]).await, complaint);
    assert_eq!(
        complains(&f, "other.example", "bob@example.org", &["other.example"]).await,
        None,
        "ours are no strangers"
    );
    let query = TraceQuery { limit: 9, ..TraceQuery::default() };
    let traces = f.store.traces(&query).await.unwrap();
    let told: String = traces.iter().flat_map(|trace| &trace.steps).map(|taken| taken.step.to_string()).collect();
    assert!(
        told.contains("a complaint (abuse reported by far.example): zoe@far.example is on the suppression list now"),
        "{told}"
    );
    assert_eq!(f.count("alice@example.org").await, 4, "the report is delivered, too");
}

#[test]
fn a_hard_bounce_is_what_will_not_change() {
    use mail::EnhancedCode;
    for (code, hard) in [
        ((5, 1, 1), true),
        ((5, 2, 1), true),
        ((5, 1, 10), true),
        ((5, 7, 1), false),
        ((5, 2, 2), false),
        ((4, 1, 1), false),
    ] {
        assert_eq!(crate::is_hard_bounce(Some(EnhancedCode(code.0, code.1, code.2))), hard, "{code:?}");
    }
    assert!(!crate::is_hard_bounce(None), "without a status nobody knows");
}
