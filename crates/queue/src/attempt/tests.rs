use mail::{Address, BlobHash, BodyType, DeliverBy, Domain, QueueId, ReversePath};
use proptest::prelude::*;

use super::*;

const HOUR: i64 = 3_600_000;

pub(crate) fn row(recipients: &[&str]) -> QueueRow {
    let recipient = |address: &&str| QueueRecipient {
        address: Address::parse(address).unwrap(),
        notify: DsnNotify::default(),
        original: None,
        state: RecipientState::Waiting,
        last_reply: None,
    };
    QueueRow {
        id: QueueId(1),
        destination: Domain::parse("b.example").unwrap(),
        reverse_path: ReversePath::parse("<sender@a.example>").unwrap(),
        dsn_return: None,
        envelope_id: None,
        smtputf8: false,
        sender_smtputf8: false,
        body: BodyType::SevenBit,
        blob: BlobHash([7; 32]),
        skip_octets: 0,
        octets: 100,
        prefix: String::new(),
        trace: None,
        recipients: recipients.iter().map(recipient).collect(),
        accepted_at: Timestamp(1_000_000),
        attempts: 0,
        next_attempt: Timestamp(1_000_000),
        last_error: None,
        delay_notified: false,
        held: false,
        require_tls: false,
        priority: 0,
        deliver_by: None,
        held_until: None,
        solicits: Vec::new(),
        waiting: None,
        class: storage::rows::MailClass::Person,
        route: None,
    }
}

/// RFC 3464 §2.3.5: a notice of a delay has the host that the attempt reached.
#[test]
fn a_notice_of_a_delay_names_the_host() {
    let late = Timestamp(1_000_000 + 5 * HOUR);
    let row = row(&["x@b.example"]);
    let reply = Reply::fixed(451, EnhancedCode(4, 7, 1), "later");
    let outcome = Outcome::TemporaryFailure { host: Some("mx.b.example".into()), reply };
    let decision = after_attempt(&row, &[Some(outcome)], None, late, &RetryPolicy::default(), 0);
    let delayed = decision.reports.first().unwrap();
    assert_eq!(delayed.kind, ReportKind::Delayed);
    assert_eq!(delayed.recipients[0].host.as_deref(), Some("mx.b.example"));
}

fn delivered(takes_over_dsn: bool) -> Option<Outcome> {
    handed_on(takes_over_dsn, false)
}

fn handed_on(takes_over_dsn: bool, takes_over_time: bool) -> Option<Outcome> {
    let reply = Reply::new(250, Some(EnhancedCode(2, 0, 0)), "taken");
    Some(Outcome::Delivered { host: "mx.b.example".into(), reply, takes_over_dsn, takes_over_time })
}

fn refused() -> Option<Outcome> {
    let reply = Reply::new(550, Some(EnhancedCode(5, 1, 1)), "nobody of that name");
    Some(Outcome::PermanentFailure { host: Some("mx.b.example".into()), reply })
}

fn later() -> Option<Outcome> {
    let reply = Reply::new(451, Some(EnhancedCode(4, 7, 1)), "greylisted");
    Some(Outcome::TemporaryFailure { host: Some("mx.b.example".into()), reply })
}

fn decide(row: &QueueRow, outcomes: &[Option<Outcome>], age_hours: i64) -> Decision {
    let now = Timestamp(row.accepted_at.0 + age_hours * HOUR);
    after_attempt(row, outcomes, None, now, &RetryPolicy::default(), 12_345)
}

fn kinds(decision: &Decision) -> Vec<(ReportKind, Vec<String>)> {
    let who = |r: &Report| r.recipients.iter().map(|r| r.address.to_string()).collect();
    decision.reports.iter().map(|report| (report.kind, who(report))).collect()
}

#[test]
fn each_recipient_goes_its_own_way() {
    let row = row(&["ok@b.example", "no@b.example", "later@b.example"]);
    let decision = decide(&row, &[delivered(false), refused(), later()], 0);
    let next = decision.row.as_ref().unwrap();
    let states: Vec<_> = next.recipients.iter().map(|r| r.state.clone()).collect();
    assert_eq!(states, [RecipientState::Delivered, RecipientState::Failed, RecipientState::Waiting]);
    assert_eq!(kinds(&decision), [(ReportKind::Failed, vec!["no@b.example".to_owned()])]);
    assert_eq!(next.attempts, 1);
    // The second attempt ends the third recipient; the first two are not judged again.
    let decision = decide(next, &[None, None, delivered(false)], 1);
    assert_eq!(decision, Decision { row: None, reports: vec![] });
}

#[test]
fn outcomes_by_age() {
    struct Case {
        age_hours: i64,
        outcome: Option<Outcome>,
        stays: bool,
        report: Option<(ReportKind, EnhancedCode)>,
    }
    let status = EnhancedCode;
    let case = |age_hours, outcome, stays, report| Case { age_hours, outcome, stays, report };
    for case in [
        case(0, delivered(false), false, None),
        case(0, refused(), false, Some((ReportKind::Failed, status(5, 1, 1)))),
        case(0, later(), true, None),
        case(0, None, true, None),
        case(3, later(), true, None),
        case(4, later(), true, Some((ReportKind::Delayed, status(4, 7, 1)))),
        case(4, None, true, Some((ReportKind::Delayed, status(4, 0, 0)))),
        case(4, delivered(false), false, None),
        case(119, later(), true, Some((ReportKind::Delayed, status(4, 7, 1)))),
        case(120, later(), false, Some((ReportKind::Failed, EXPIRED))),
        case(120, None, false, Some((ReportKind::Failed, EXPIRED))),
        case(120, delivered(false), false, None),
    ] {
        let decision = decide(&row(&["x@b.example"]), std::slice::from_ref(&case.outcome), case.age_hours);
        let label = format!("{} h, {:?}", case.age_hours, case.outcome);
        assert_eq!(decision.row.is_some(), case.stays, "{label}");
        let report = decision.reports.first().map(|r| (r.kind, r.recipients[0].status));
        assert_eq!(report, case.report, "{label}");
        assert!(decision.reports.len() <= 1, "{label}");
    }
}

#[test]
fn the_delay_is_told_once() {
    let first = decide(&row(&["x@b.example"]), &[later()], 5);
    assert_eq!(first.reports.len(), 1);
    let again = decide(&first.row.unwrap(), &[later()], 9);
    assert!(again.reports.is_empty() && again.row.unwrap().delay_notified);
}

#[test]
fn notify_says_who_hears_what() {
    let mut silent = row(&["x@b.example"]);
    silent.recipients[0].notify = DsnNotify::NEVER;
    for (outcome, age) in [(delivered(false), 0), (refused(), 0), (later(), 5), (later(), 200)] {
        assert!(decide(&silent, &[outcome], age).reports.is_empty());
    }
    let mut curious = row(&["x@b.example"]);
    curious.recipients[0].notify = DsnNotify::asked(true, false, false);
    assert_eq!(kinds(&decide(&curious, &[delivered(false)], 0))[0].0, ReportKind::Relayed);
    // The next host tells of it itself.
    assert!(decide(&curious, &[delivered(true)], 0).reports.is_empty());
    assert!(decide(&curious, &[refused()], 0).reports.is_empty());
    assert!(decide(&curious, &[later()], 6).reports.is_empty());
}

#[test]
fn a_null_reverse_path_hears_nothing() {
    let mut row = row(&["x@b.example", "y@b.example"]);
    row.reverse_path = ReversePath::Null;
    let decision = decide(&row, &[refused(), later()], 5);
    assert!(decision.reports.is_empty());
    assert!(!decision.row.unwrap().delay_notified);
    assert_eq!(decide(&row, &[refused(), later()], 200), Decision { row: None, reports: vec![] });
}

#[test]
fn a_status_of_the_wrong_class_is_not_believed() {
    let reply = Reply::new(550, Some(EnhancedCode(2, 1, 5)), "no");
    let outcome = Some(Outcome::PermanentFailure { host: None, reply });
    let decision = decide(&row(&["x@b.example"]), &[outcome], 0);
    assert_eq!(decision.reports[0].recipients[0].status, EnhancedCode(5, 0, 0));
}

fn any_outcome() -> impl Strategy<Value = Option<Outcome>> {
    (0..5).prop_map(|n| match n {
        0 => delivered(false),
        1 => delivered(true),
        2 => refused(),
        3 => later(),
        _ => None,
    })
}

fn any_notify() -> impl Strategy<Value = DsnNotify> {
    any::<(bool, bool, bool)>().prop_map(|(success, failure, delay)| DsnNotify::asked(success, failure, delay))
}

proptest! {
    /// Attempts until nothing waits: everybody ends exactly once, with exactly the reports that were asked for.
    #[test]
    fn everybody_ends_exactly_once(
        notify in prop::collection::vec(any_notify(), 1..8),
        script in prop::collection::vec(prop::collection::vec(any_outcome(), 8), 1..60),
        chance: u64,
    ) {
        let policy = RetryPolicy::default();
        let names: Vec<String> = (0..notify.len()).map(|n| format!("r{n}@b.example")).collect();
        let mut row = row(&names.iter().map(String::as_str).collect::<Vec<_>>());
        row.recipients.iter_mut().zip(&notify).for_each(|(r, n)| r.notify = *n);
        let mut now = row.accepted_at;
        let mut failed = vec![0; names.len()];
        let mut delayed = vec![0; names.len()];
        let mut current = Some(row);
        for attempt in 0.. {
            prop_assert!(attempt < 1000, "an entry must come to its end");
            let Some(before) = current.take() else { break };
            // Behind its end the script only fails for a while, so that age has to end it.
            let outcomes = script.get(attempt).cloned().unwrap_or_else(|| vec![later(); 8]);
            let decision = after_attempt(&before, &outcomes, None, now, &policy, chance);
            for report in &decision.reports {
                for told in &report.recipients {
                    let n = names.iter().position(|name| *name == told.address.to_string()).unwrap();
                    match report.kind {
                        ReportKind::Failed => failed[n] += 1,
                        ReportKind::Delayed => delayed[n] += 1,
                        ReportKind::Delivered | ReportKind::Expanded => unreachable!("an attempt never delivers into a mailbox here"),
                        ReportKind::Relayed => prop_assert!(notify[n].success),
                        ReportKind::Unwatched | ReportKind::Traced => unreachable!("no time was asked for"),
                    }
                }
            }
            let waiting = before.recipients.iter().zip(&outcomes);
            let stay = waiting.filter(|(r, o)| {
                r.state == RecipientState::Waiting
                    && matches!(o, None | Some(Outcome::TemporaryFailure { .. }))
                    && !policy.is_too_old(before.accepted_at, now)
            }).count();
            let left = decision.row.as_ref().map_or(0, |row| {
                row.recipients.iter().filter(|r| r.state == RecipientState::Waiting).count()
            });
            prop_assert_eq!(stay, left);
            if let Some(after) = decision.row {
                prop_assert!(after.next_attempt > now);
                prop_assert_eq!(after.recipients.len(), names.len());
                for (was, is) in before.recipients.iter().zip(&after.recipients) {
                    prop_assert!(was.state == RecipientState::Waiting || was == is, "an end is final");
                }
                now = after.next_attempt;
                current = Some(after);
            }
        }
        for n in 0..names.len() {
            prop_assert!(failed[n] <= usize::from(notify[n].failure));
            prop_assert!(delayed[n] <= usize::from(notify[n].delay));
        }
    }
}

#[test]
fn what_is_wanted_back_fails_at_its_time_and_is_tried_just_then() {
    let mut row = row(&["x@b.example"]);
    let by = Timestamp(row.accepted_at.0 + HOUR / 60);
    row.deliver_by = Some(DeliverBy { by, mode: DeliverByMode::Return, trace: false });
    let decide = |row: &QueueRow, now| after_attempt(row, &[later()], None, now, &RetryPolicy::default(), 12_345);
    let before = decide(&row, Timestamp(row.accepted_at.0 + 10_000));
    assert!(before.reports.is_empty());
    assert_eq!(before.row.unwrap().next_attempt, by);
    let at = decide(&row, by);
    assert!(at.row.is_none());
    assert_eq!(at.reports[0].recipients[0].status, EnhancedCode(5, 4, 7));
}

#[test]
fn who_only_wants_to_know_is_told_once() {
    let mut row = row(&["x@b.example"]);
    let by = Timestamp(row.accepted_at.0 + HOUR / 60);
    row.deliver_by = Some(DeliverBy { by, mode: DeliverByMode::Notify, trace: false });
    let at = after_attempt(&row, &[later()], None, by, &RetryPolicy::default(), 12_345);
    assert_eq!(at.reports.iter().map(|report| report.kind).collect::<Vec<_>>(), [ReportKind::Delayed]);
    let next = at.row.unwrap();
    let again = after_attempt(&next, &[later()], None, next.next_attempt, &RetryPolicy::default(), 12_345);
    assert!(again.reports.is_empty());
    assert!(again.row.is_some());
}

/// RFC 2852 §4.1.4, §4.1.4.2: who asked to be told of a delay hears that nobody watches the time any more, and who asked for a trace hears
/// of each host; NOTIFY=NEVER asks for silence.
#[test]
fn a_time_that_nobody_watches_any_more_is_told() {
    use DeliverByMode::{Notify, Return};
    let (any, never) = (DsnNotify::default(), DsnNotify::NEVER);
    let success = DsnNotify::asked(true, false, false);
    for (mode, trace, notify, dsn, time, wanted) in [
        (Notify, false, any, true, false, Some(ReportKind::Unwatched)),
        (Notify, false, any, false, true, None),
        (Notify, false, never, false, false, None),
        (Notify, false, DsnNotify::asked(false, true, false), true, false, Some(ReportKind::Unwatched)),
        (Notify, true, any, true, true, Some(ReportKind::Traced)),
        (Notify, true, any, true, false, Some(ReportKind::Unwatched)),
        (Return, true, any, true, true, Some(ReportKind::Traced)),
        (Return, true, never, true, true, None),
        (Return, false, any, true, true, None),
        // One notice for each recipient.
        (Notify, true, success, false, false, Some(ReportKind::Unwatched)),
        (Notify, true, success, false, true, Some(ReportKind::Relayed)),
        (Return, false, success, false, true, Some(ReportKind::Relayed)),
    ] {
        let mut row = row(&["x@b.example"]);
        row.deliver_by = Some(DeliverBy { by: Timestamp(9_000_000), mode, trace });
        row.recipients[0].notify = notify;
        let found = kinds(&decide(&row, &[handed_on(dsn, time)], 0));
        let found: Vec<ReportKind> = found.into_iter().map(|(kind, ..)| kind).collect();
        assert_eq!(found, Vec::from_iter(wanted), "{mode:?} {trace} {notify:?} {dsn} {time}");
    }
}
