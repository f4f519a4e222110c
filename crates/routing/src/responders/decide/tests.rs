//! A table with every reason, the frequency, and a year against a model.

use mail::{AccountId, Address, ReversePath};
use proptest::prelude::*;

use super::*;
use crate::objects::{AccountObject, GroupObject, Hours, HoursWhen, Object};
use crate::responders::facts::Received;
use crate::responders::window::zone_named;
use crate::testing::{account, address, alias, directory, responder_object};

const NOW: Timestamp = Timestamp(1_790_000_000_000); // 2026-09-21T14:13:20Z

fn out_of_office() -> ResponderObject {
    ResponderObject { kind: ResponderKind::OutOfOffice, ..responder_object(1, "alice@a.example") }
}

fn good_facts() -> Facts {
    facts("bob@r.example", HeaderMarks { recipients: vec![address("alice@a.example")], ..HeaderMarks::default() })
}

fn facts(from: &str, marks: HeaderMarks) -> Facts {
    let directory = directory(
        &["a.example"],
        vec![
            account(1, "alice@a.example"),
            account(2, "carol@a.example"),
            alias("info@a.example", &["alice@a.example"]),
            alias("all@a.example", &[""]),
            Object::Group(GroupObject::new(address("board@a.example"))),
        ],
    );
    let received = Received {
        recipient: &address("alice@a.example"),
        reverse_path: ReversePath::parse(&format!("<{from}>")).unwrap(),
        received_at: NOW,
        submitter: None,
        junk: false,
        marks,
    };
    Facts::new(&directory, &out_of_office(), received)
}

fn marks(edit: impl FnOnce(&mut HeaderMarks)) -> Facts {
    let mut marks = good_facts().marks;
    edit(&mut marks);
    facts("bob@r.example", marks)
}

fn after_answer(last_answer: Option<LastAnswer>) -> Memory {
    Memory { last_answer, ..Memory::default() }
}

fn says(responder: &ResponderObject, facts: &Facts) -> Decision {
    decide(responder, facts, NOW, &TimeZone::UTC, &Memory::default())
}

#[test]
fn v05_a01_the_plain_message_is_answered_by_both_kinds() {
    assert_eq!(says(&out_of_office(), &good_facts()), Decision::Answer);
    let auto = ResponderObject { kind: ResponderKind::Autoresponder, ..out_of_office() };
    assert_eq!(says(&auto, &good_facts()), Decision::Answer);
    assert_eq!(says(&out_of_office(), &facts("carol@a.example", good_facts().marks)), Decision::Answer);
}

#[test]
fn every_reason_for_silence() {
    use Silence as S;
    let object = |edit: fn(&mut ResponderObject)| {
        let mut object = out_of_office();
        edit(&mut object);
        object
    };
    let as_is = out_of_office;
    let from = |text: &str| facts(text, good_facts().marks);
    let value = |text: &str| vec![text.to_owned()];
    let table: Vec<(ResponderObject, Facts, Silence)> = vec![
        (object(|r| r.enabled = false), good_facts(), S::Disabled),
        (object(|r| r.subject = " ".to_owned()), good_facts(), S::NoSubject),
        (object(|r| r.text = None), good_facts(), S::NoMessage),
        (object(|r| r.text = Some("\n".to_owned())), good_facts(), S::NoMessage),
        (object(|r| r.starts = Some("nonsense".to_owned())), good_facts(), S::BadWindow),
        (object(|r| r.starts = Some("2026-09-22".to_owned())), good_facts(), S::NotYet),
        (object(|r| r.ends = Some("2026-09-20".to_owned())), good_facts(), S::Over),
        (as_is(), from(""), S::NullReversePath),
        (as_is(), from("alice@a.example"), S::Oneself),
        (as_is(), from("Alice+x@a.example"), S::Oneself),
        (as_is(), from("info@a.example"), S::Oneself),
        (as_is(), from("ghost@a.example"), S::NoSuchSender),
        (as_is(), from("board@a.example"), S::Group),
        (
            object(|r| r.hours = Some(Hours { week: "mon-fri 09:00-17:00".to_owned(), when: HoursWhen::Outside })),
            good_facts(),
            S::Hours,
        ),
        (
            object(|r| r.hours = Some(Hours { week: "someday".to_owned(), when: HoursWhen::Outside })),
            good_facts(),
            S::BadWindow,
        ),
        (as_is(), marks(|m| m.spam = true), S::Spam),
        (as_is(), Facts { spam: true, ..good_facts() }, S::Spam),
        (as_is(), marks(|m| m.authentication_failed = true), S::Unauthenticated),
        (object(|r| r.audience = Audience::Inside), good_facts(), S::NotInside),
        (object(|r| r.audience = Audience::Contacts), good_facts(), S::NoContact),
        (as_is(), Facts { rivals: vec![Audience::Everyone], ..good_facts() }, S::AnotherAnswers),
        (as_is(), marks(|m| m.recipients = vec![address("all@a.example")]), S::NotAddressed),
        (as_is(), marks(|m| m.recipients = vec![address("board@a.example")]), S::NotAddressed),
        (as_is(), from("list-bounces@r.example"), S::AutomaticSender),
        (as_is(), from("MAILER-DAEMON@r.example"), S::AutomaticSender),
        (as_is(), marks(|m| m.loops = value("<alice@A.example>")), S::Loop),
        (as_is(), marks(|m| m.auto_submitted = value("auto-replied; owner-email=\"x\"")), S::AutoSubmitted),
        (as_is(), marks(|m| m.auto_submitted = value("auto-generated (cron)")), S::AutoSubmitted),
        (as_is(), marks(|m| m.auto_submitted = vec!["no".to_owned(), "x".to_owned()]), S::AutoSubmitted),
        (as_is(), marks(|m| m.auto_reply = true), S::AutoSubmitted),
        (as_is(), marks(|m| m.report = true), S::Report),
        (as_is(), marks(|m| m.precedence = value("Bulk")), S::Bulk),
        (as_is(), marks(|m| m.precedence = value("list")), S::Bulk),
        (as_is(), marks(|m| m.precedence = value("junk")), S::Bulk),
        (as_is(), marks(|m| m.list = true), S::List),
        (as_is(), marks(|m| m.suppress = value("DR, OOF")), S::Suppressed),
        (as_is(), marks(|m| m.suppress = value("All")), S::Suppressed),
        (as_is(), marks(|m| m.suppress = value("AutoReply,RN")), S::Suppressed),
        (as_is(), marks(|m| m.cut = true), S::HeaderCut),
        (as_is(), marks(|m| m.no_author = true), S::NoAuthor),
        (as_is(), marks(|m| m.recipients = vec![address("someone@else.example")]), S::NotAddressed),
        (as_is(), marks(|m| m.recipients.clear()), S::NotAddressed),
    ];
    for (responder, facts, silence) in &table {
        assert_eq!(says(responder, facts), Decision::Silent(*silence), "{facts:?}");
        assert!(silence.to_string().len() > 10);
    }
}

#[test]
fn what_only_looks_automatic_is_answered() {
    let value = |text: &str| vec![text.to_owned()];
    for facts in [
        marks(|m| m.auto_submitted = value("No (typed by hand)")),
        marks(|m| m.precedence = value("first-class")),
        marks(|m| m.suppress = value("DR, RN, NRN")),
        marks(|m| m.loops = value("list@r.example")),
        marks(|m| m.recipients = vec![address("x@r.example"), address("Info+y@a.example")]),
        facts("postmaster@r.example", good_facts().marks),
    ] {
        assert_eq!(says(&out_of_office(), &facts), Decision::Answer, "{facts:?}");
    }
    // A robot need not be addressed by name (A1).
    let auto = ResponderObject { kind: ResponderKind::Autoresponder, ..out_of_office() };
    assert_eq!(says(&auto, &marks(|m| m.recipients.clear())), Decision::Answer);
    let prefixed = ResponderObject { subject: String::new(), subject_prefix: "Away:".to_owned(), ..out_of_office() };
    assert_eq!(says(&prefixed, &good_facts()), Decision::Answer);
    let html = ResponderObject { text: None, html: Some("<p>Away</p>".to_owned()), ..out_of_office() };
    assert_eq!(says(&html, &good_facts()), Decision::Answer);
}

#[test]
fn v03_to_whom_a_responder_speaks() {
    let audience = |audience| ResponderObject { audience, ..out_of_office() };
    let inside = Facts { inside: true, ..good_facts() };
    let contact = Memory { contact: true, ..Memory::default() };
    let says =
        |object: &ResponderObject, facts: &Facts, memory: &Memory| decide(object, facts, NOW, &TimeZone::UTC, memory);
    let nothing = Memory::default();
    assert_eq!(says(&audience(Audience::Contacts), &good_facts(), &contact), Decision::Answer);
    assert_eq!(says(&audience(Audience::Contacts), &inside, &nothing), Decision::Answer);
    assert_eq!(says(&audience(Audience::Inside), &inside, &nothing), Decision::Answer);
    assert_eq!(says(&audience(Audience::Inside), &good_facts(), &contact), Decision::Silent(Silence::NotInside));
    // A rival that does not speak to the sender leaves the answer to the next one.
    let behind = Facts { rivals: vec![Audience::Contacts, Audience::Inside], ..good_facts() };
    assert_eq!(says(&out_of_office(), &behind, &nothing), Decision::Answer);
    assert_eq!(says(&out_of_office(), &behind, &contact), Decision::Silent(Silence::AnotherAnswers));
}

#[test]
fn v03_inside_is_who_has_logged_in_here_and_is_of_the_organisation() {
    let erin = AccountObject {
        also_in: vec![mail::Domain::parse("a.example").unwrap()],
        ..crate::testing::account_object(4, "erin@b.example")
    };
    let objects = vec![
        account(1, "alice@a.example"),
        account(2, "bob@a.example"),
        account(3, "dora@b.example"),
        Object::Account(erin),
    ];
    let directory = directory(&["a.example", "b.example"], objects);
    let facts = |submitter: Option<u64>| {
        // What a check of the message said does not count against who has logged in.
        let marks = HeaderMarks { authentication_failed: true, ..good_facts().marks };
        let received = Received {
            recipient: &address("alice@a.example"),
            reverse_path: ReversePath::Address(address("bob@a.example")),
            received_at: NOW,
            submitter: submitter.map(AccountId),
            junk: false,
            marks,
        };
        Facts::new(&directory, &out_of_office(), received)
    };
    for (submitter, inside) in [(None, false), (Some(2), true), (Some(3), false), (Some(4), true), (Some(99), false)] {
        assert_eq!(facts(submitter).inside, inside, "{submitter:?}");
    }
    assert_eq!(says(&out_of_office(), &facts(Some(3))), Decision::Answer);
    assert_eq!(says(&out_of_office(), &facts(None)), Decision::Silent(Silence::Unauthenticated));
}

#[test]
fn a13_of_several_absences_the_most_specific_answers() {
    let away = |id, starts: Option<&str>, ends: Option<&str>, hours: bool| ResponderObject {
        id,
        starts: starts.map(str::to_owned),
        ends: ends.map(str::to_owned),
        hours: hours.then(|| Hours { week: "daily 00:00-24:00".to_owned(), when: HoursWhen::Inside }),
        ..out_of_office()
    };
    let objects = [
        away(1, None, None, false),
        away(2, None, None, true),
        away(3, Some("2026-09-01"), Some("2026-09-30"), false),
        away(4, Some("2026-09-20"), Some("2026-09-22"), false),
        away(5, Some("2026-09-01"), Some("2026-09-30"), true),
        away(6, Some("2026-09-20"), Some("2026-09-22"), false),
        away(7, Some("2026-10-01"), Some("2026-10-02"), false),
        ResponderObject { kind: ResponderKind::Autoresponder, ..away(8, None, None, false) },
        ResponderObject { enabled: false, ..away(9, Some("2026-09-21"), Some("2026-09-21"), true) },
    ];
    let mut all = vec![account(1, "alice@a.example")];
    all.extend(objects.iter().cloned().map(Object::Responder));
    let directory = directory(&["a.example"], all);
    let mut answering: Vec<u64> = Vec::new();
    for object in &objects {
        let received = Received {
            recipient: &address("alice@a.example"),
            reverse_path: ReversePath::Address(address("bob@r.example")),
            received_at: NOW,
            submitter: None,
            junk: false,
            marks: good_facts().marks,
        };
        if says(object, &Facts::new(&directory, object, received)) == Decision::Answer {
            answering.push(object.id);
        }
    }
    assert_eq!(answering, [5, 8], "one absence, and the robot on its own");
}

#[test]
fn a05_nobody_gets_more_than_the_cap_of_all_responders() {
    let last = LastAnswer { at: NOW, day_from: NOW, in_day: SENDER_ANSWERS_PER_DAY_MAX };
    let memory = Memory { last_of_all: Some(last), ..Memory::default() };
    let at =
        |secs| decide(&out_of_office(), &good_facts(), NOW.plus(Duration::from_secs(secs)), &TimeZone::UTC, &memory);
    assert_eq!(at(86_399), Decision::Silent(Silence::SenderCap));
    assert_eq!(at(86_400), Decision::Answer);
    let last = LastAnswer { at: NOW, day_from: NOW, in_day: DOMAIN_ANSWERS_PER_DAY_MAX };
    let memory = Memory { last_of_domain: Some(last), ..Memory::default() };
    assert_eq!(
        decide(&out_of_office(), &good_facts(), NOW, &TimeZone::UTC, &memory),
        Decision::Silent(Silence::DomainCap)
    );
}

#[test]
fn a12_the_window_is_about_the_date_of_receipt() {
    let object = ResponderObject { ends: Some("2026-09-21".to_owned()), ..out_of_office() };
    let late = NOW.plus(Duration::from_secs(3 * 86_400));
    assert_eq!(decide(&object, &good_facts(), late, &TimeZone::UTC, &Memory::default()), Decision::Answer);
    let facts = Facts { received_at: late, ..good_facts() };
    assert_eq!(decide(&object, &facts, late, &TimeZone::UTC, &Memory::default()), Decision::Silent(Silence::Over));
}

#[test]
fn a05_the_frequency_holds_to_the_second() {
    let object = ResponderObject { frequency_secs: 3600, ..out_of_office() };
    let last = LastAnswer::after(None, NOW);
    let after = |secs| {
        decide(&object, &good_facts(), NOW.plus(Duration::from_secs(secs)), &TimeZone::UTC, &after_answer(Some(last)))
    };
    assert_eq!(after(0), Decision::Silent(Silence::AnsweredLately));
    assert_eq!(after(3599), Decision::Silent(Silence::AnsweredLately));
    assert_eq!(after(3600), Decision::Answer);
    // A clock that was set back must not open the way.
    let earlier = Timestamp(NOW.0 - 10_000);
    let back = decide(&object, &good_facts(), earlier, &TimeZone::UTC, &after_answer(Some(last)));
    assert_eq!(back, Decision::Silent(Silence::AnsweredLately));
}

#[test]
fn a05_zero_means_every_message_up_to_the_cap_of_a_day() {
    let object = ResponderObject { frequency_secs: 0, ..out_of_office() };
    let mut last = None;
    let mut answers = 0;
    for n in 0..10_000 {
        let now = NOW.plus(Duration::from_secs(n));
        match decide(&object, &good_facts(), now, &TimeZone::UTC, &after_answer(last)) {
            Decision::Answer => {
                answers += 1;
                last = Some(LastAnswer::after(last, now));
            }
            Decision::Silent(silence) => assert_eq!(silence, Silence::DailyCap),
        }
    }
    assert_eq!(answers, ANSWERS_PER_DAY_MAX);
    let next_day = NOW.plus(DAY);
    assert_eq!(decide(&object, &good_facts(), next_day, &TimeZone::UTC, &after_answer(last)), Decision::Answer);
    assert_eq!(LastAnswer::after(last, next_day).in_day, 1);
}

#[test]
fn a_row_is_stale_after_a_day_and_its_frequency() {
    let last = LastAnswer::after(None, NOW);
    assert!(!last.is_stale(0, NOW.plus(Duration::from_secs(86_399))));
    assert!(last.is_stale(0, NOW.plus(DAY)));
    assert!(!last.is_stale(7 * 86_400, NOW.plus(DAY)));
    assert!(last.is_stale(7 * 86_400, NOW.plus(DAY * 7)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// A year of messages against a model that keeps every answer ever given: within the window, never two answers
    /// to one sender within the frequency, never more than the cap in a counted day, and no answer withheld that the
    /// rules allow.
    #[test]
    fn a_year_of_messages_against_a_model(
        start_day in 0..300_i64,
        days in 0..60_i64,
        frequency in prop::sample::select(vec![0_u64, 60, 3600, 86_400, 7 * 86_400]),
        zone in prop::sample::select(vec!["Europe/Paris", "UTC", "America/New_York", "Asia/Kolkata"]),
        messages in prop::collection::vec((0..366 * 86_400_i64, 0..3_usize), 200..600),
        burst in 0..366 * 86_400_i64,
    ) {
        let zone = zone_named(zone);
        let new_year: jiff::civil::Date = "2026-01-01".parse().unwrap();
        let first = new_year.checked_add(jiff::Span::new().days(start_day)).unwrap();
        let last = first.checked_add(jiff::Span::new().days(days)).unwrap();
        let object = ResponderObject {
            starts: Some(first.to_string()),
            ends: Some(last.to_string()),
            frequency_secs: frequency,
            ..out_of_office()
        };
        let epoch = new_year.at(0, 0, 0, 0).to_zoned(TimeZone::UTC).unwrap().timestamp().as_second();
        // And one sender who writes a hundred times in one hour.
        let mut all: Vec<(i64, usize)> = messages;
        all.extend((0..100).map(|n| (burst + n * 36, 0)));
        all.sort_unstable();
        let senders: [Address; 3] = ["a@r.example", "b@r.example", "c@r.example"].map(address);
        let mut state: [Option<LastAnswer>; 3] = [None; 3];
        let mut given: [Vec<i64>; 3] = [vec![], vec![], vec![]];
        for (offset, who) in all {
            let secs = epoch + offset;
            let now = Timestamp::from_secs(secs);
            let facts = Facts {
                reverse_path: ReversePath::Address(senders[who].clone()),
                received_at: now,
                ..good_facts()
            };
            let decision = decide(&object, &facts, now, &zone, &after_answer(state[who]));

            let today = jiff::Timestamp::from_second(secs).unwrap().to_zoned(zone.clone()).date();
            let inside = today >= first && today <= last;
            let recent = given[who].iter().any(|at| secs - at < frequency as i64);
            // Counted days begin with the first answer after the one before has ended.
            let mut day: Option<(i64, u32)> = None;
            for at in &given[who] {
                day = match day {
                    Some((from, count)) if at - from < 86_400 => Some((from, count + 1)),
                    _ => Some((*at, 1)),
                };
            }
            let full = day.is_some_and(|(from, count)| secs - from < 86_400 && count >= ANSWERS_PER_DAY_MAX);
            let expected = inside && !recent && !full;
            prop_assert_eq!(decision == Decision::Answer, expected, "{} {:?}", today, decision);
            if expected {
                given[who].push(secs);
                state[who] = Some(LastAnswer::after(state[who], now));
            }
        }
    }
}
