//! What each filter does, as a table, and what holds for all filters.

use proptest::prelude::*;

use super::*;
use crate::{Actions, Field, TextTest};

const HEADER: &str = "From: Zoë Pond <zoe@far.example>\r\nTo: Alice <alice@example.org>\r\nCc: team@example.org\r\n\
                      Subject: =?utf-8?Q?F=C3=A9e_de_l=27=C3=A9tang?=\r\nList-Id: Garden <garden.far.example>\r\n\r\n";

fn view() -> MessageView {
    MessageView::new(HEADER.as_bytes(), true, 2_000)
}

fn conditions(texts: &[&str]) -> Vec<Condition> {
    texts.iter().map(|text| text.parse().unwrap()).collect()
}

fn filter(name: &str, condition: &str, actions: Actions) -> Filter {
    Filter { conditions: conditions(&[condition]), actions, ..Filter::new(name) }
}

fn moves(folder: &str) -> Actions {
    Actions { folder: Some(folder.to_owned()), ..Actions::default() }
}

fn tags(tag: &str) -> Actions {
    Actions { tags: [Keyword::parse(tag).unwrap()].into(), ..Actions::default() }
}

const ALWAYS: &str = "size larger 0";
const NEVER: &str = "size smaller 1";

#[test]
fn i03_each_condition_holds_for_what_it_says() {
    for (condition, holds) in [
        ("from is zoe@far.example", true),
        ("from is ZOE@FAR.EXAMPLE", true),
        ("from is zoë pond", true),
        ("from is zoe", false),
        ("from is-not zoe", true),
        ("from contains far.example", true),
        ("from contains Pond", true),
        ("from does-not-contain pond", false),
        ("to is alice", true),
        ("to contains @example.org", true),
        ("to is team@example.org", false),
        ("cc is team@example.org", true),
        ("to-or-cc is team@example.org", true),
        ("to-or-cc is alice@example.org", true),
        ("to-or-cc is-not bob@example.org", true),
        ("to-or-cc does-not-contain example.org", false),
        ("subject is fée de l'étang", true),
        ("subject contains FÉE", true),
        ("subject contains fée de", true),
        ("subject is fée", false),
        ("subject does-not-contain heron", true),
        ("header:List-Id contains garden", true),
        ("header:list-id is garden", false),
        ("header:X-None contains a", false),
        ("header:X-None is-not a", true),
        ("header:X-None does-not-contain a", true),
        ("attachment present", true),
        ("attachment absent", false),
        ("size larger 1999", true),
        ("size larger 2000", false),
        ("size smaller 2000", false),
        ("size smaller 2001", true),
    ] {
        let condition: Condition = condition.parse().unwrap();
        assert_eq!(condition.holds(&view()), holds, "{condition}");
    }
}

#[test]
fn i03_all_or_any() {
    let of = |matching, texts: &[&str]| Filter { matching, conditions: conditions(texts), ..Filter::new("x") };
    let yes = "from contains zoe";
    let no = "from contains max";
    assert_eq!(of(Matching::All, &[yes, ALWAYS]).matches(&view()), Ok(None));
    assert_eq!(of(Matching::All, &[yes, no]).matches(&view()), Err(Some(&no.parse().unwrap())));
    assert_eq!(of(Matching::Any, &[no, yes]).matches(&view()), Ok(Some(&yes.parse().unwrap())));
    assert_eq!(of(Matching::Any, &[no, NEVER]).matches(&view()), Err(None));
}

#[test]
fn i03_all_that_match_act_until_one_says_stop() {
    let filters = [
        filter("tag", ALWAYS, tags("Pond")),
        Filter { enabled: false, ..filter("off", ALWAYS, moves("Off")) },
        filter("no", NEVER, moves("No")),
        Filter { places: vec![Place::Sent, Place::Spam], ..filter("sent", ALWAYS, moves("Other")) },
        Filter { stop: true, ..filter("move", ALWAYS, Actions { important: true, ..moves("Zoe") }) },
        filter("behind", ALWAYS, Actions { discard: true, ..Actions::default() }),
    ];
    let decision = decide(&filters, &view(), Place::Inbox);
    let expected = Outcome {
        folder: Some("Zoe".to_owned()),
        tags: [Keyword::parse("Pond").unwrap()].into(),
        flags: SystemFlags::FLAGGED,
        ..Outcome::default()
    };
    assert_eq!(decision.outcome, expected);
    let told: Vec<String> = decision.verdicts.iter().map(ToString::to_string).collect();
    assert_eq!(
        told,
        [
            "filter \"tag\" tags it Pond",
            "filter \"off\" is switched off",
            "filter \"no\" does not match: not so: size smaller 1",
            "filter \"sent\" does not look at what goes to INBOX",
            "filter \"move\" moves it to Zoe and marks it as important; the filters behind it are skipped",
            "filter \"behind\" is skipped: \"move\" says so",
        ]
    );
    assert_eq!(decision.acts().collect::<Vec<_>>(), [told[0].clone(), told[4].clone()]);
    assert_eq!(decide(&filters, &view(), Place::Spam).outcome.folder.as_deref(), Some("Other"));
    assert_eq!(decide(&[], &view(), Place::Inbox), Decision::default());
}

#[test]
fn i03_deleting_goes_before_moving_and_the_first_move_before_the_second() {
    let discard = || filter("d", ALWAYS, Actions { discard: true, ..Actions::default() });
    for filters in [[filter("m", ALWAYS, moves("A")), discard()], [discard(), filter("m", ALWAYS, moves("A"))]] {
        assert!(decide(&filters, &view(), Place::Inbox).outcome.discard);
    }
    let two = [filter("one", ALWAYS, moves("A")), filter("two", ALWAYS, Actions { read: true, ..moves("B") })];
    let decision = decide(&two, &view(), Place::Inbox);
    assert_eq!(decision.outcome.folder.as_deref(), Some("A"));
    assert_eq!(decision.outcome.flags, SystemFlags::SEEN, "what else the second does is done");
    let told = decision.verdicts[1].to_string();
    assert_eq!(told, "filter \"two\" marks it as read and does not move it to B, since it goes to A already");
}

#[test]
fn i03_copies_are_bounded_and_each_folder_gets_one() {
    let copies = |n: usize| Actions { copies: vec!["Same".to_owned(), format!("C{n}")], ..Actions::default() };
    let filters: Vec<Filter> = (0..20).map(|n| filter(&n.to_string(), ALWAYS, copies(n))).collect();
    let outcome = decide(&filters, &view(), Place::Inbox).outcome;
    assert_eq!(outcome.copies.len(), COPIES_OF_MESSAGE_MAX);
    assert_eq!(outcome.copies.iter().filter(|folder| *folder == "Same").count(), 1);
}

#[test]
fn i03_a_filter_is_kept_as_json_and_an_older_one_reads() {
    let old = r#"{"name":"a","conditions":[{"text":{"field":"to-or-cc","test":"does-not-contain","value":"x"}}]}"#;
    let read: Filter = serde_json::from_str(old).unwrap();
    let condition = Condition::Text { field: Field::ToOrCc, test: TextTest::DoesNotContain, value: "x".into() };
    assert_eq!(read, Filter { conditions: vec![condition], ..Filter::new("a") });
    let full = Filter {
        enabled: false,
        matching: Matching::Any,
        stop: true,
        places: Place::ALL.to_vec(),
        ..filter("b", "header:X-A is b", Actions { read: true, copies: vec!["C".to_owned()], ..tags("$T") })
    };
    let json = serde_json::to_string(&full).unwrap();
    assert_eq!(serde_json::from_str::<Filter>(&json).unwrap(), full, "{json}");
}

fn any_condition() -> impl Strategy<Value = Condition> {
    let field = proptest::sample::select(vec![Field::From, Field::To, Field::Cc, Field::ToOrCc, Field::Subject]);
    let value = proptest::sample::select(vec!["zoe@far.example", "example", "alice", "heron", "é", "team"]);
    let test =
        proptest::sample::select(vec![TextTest::Is, TextTest::IsNot, TextTest::Contains, TextTest::DoesNotContain]);
    prop_oneof![
        (field, test, value).prop_map(|(field, test, value)| Condition::Text { field, test, value: value.into() }),
        any::<bool>().prop_map(|present| Condition::Attachment { present }),
        (any::<bool>(), 1_900u64..2_100).prop_map(|(larger, octets)| Condition::Size { larger, octets }),
    ]
}

fn contrary(condition: &Condition) -> Condition {
    match condition.clone() {
        Condition::Text { field, test, value } => {
            let test = match test {
                TextTest::Is => TextTest::IsNot,
                TextTest::IsNot => TextTest::Is,
                TextTest::Contains => TextTest::DoesNotContain,
                TextTest::DoesNotContain => TextTest::Contains,
            };
            Condition::Text { field, test, value }
        }
        Condition::Attachment { present } => Condition::Attachment { present: !present },
        Condition::Size { larger: true, octets } => Condition::Size { larger: false, octets: octets + 1 },
        Condition::Size { larger: false, octets } => Condition::Size { larger: true, octets: octets - 1 },
    }
}

proptest! {
    #[test]
    fn i03_the_order_of_conditions_does_not_matter(
        mut some in proptest::collection::vec(any_condition(), 1..6),
        any: bool,
        turn in 0usize..6,
    ) {
        let matching = if any { Matching::Any } else { Matching::All };
        let of = |conditions: &[Condition]| {
            Filter { matching, conditions: conditions.to_vec(), ..Filter::new("x") }.matches(&view()).is_ok()
        };
        let before = of(&some);
        let by = turn % some.len();
        some.rotate_left(by);
        prop_assert_eq!(of(&some), before);
        some.reverse();
        prop_assert_eq!(of(&some), before);
    }

    #[test]
    fn i03_each_condition_has_its_contrary(condition in any_condition()) {
        prop_assert_ne!(condition.holds(&view()), contrary(&condition).holds(&view()));
    }

    #[test]
    fn i03_all_of_some_is_none_of_their_contraries(some in proptest::collection::vec(any_condition(), 1..6)) {
        let contraries: Vec<Condition> = some.iter().map(contrary).collect();
        let all = Filter { conditions: some, ..Filter::new("x") };
        let any = Filter { matching: Matching::Any, conditions: contraries, ..Filter::new("x") };
        prop_assert_ne!(all.matches(&view()).is_ok(), any.matches(&view()).is_ok());
    }

    #[test]
    fn i03_what_is_behind_a_stop_changes_nothing(
        some in proptest::collection::vec((any_condition(), any::<bool>(), any::<bool>()), 0..6),
        more in proptest::collection::vec(any_condition(), 0..6),
    ) {
        let mut filters: Vec<Filter> = some
            .into_iter()
            .enumerate()
            .map(|(n, (condition, stop, read))| {
                let actions = Actions { read, ..moves(&n.to_string()) };
                Filter { conditions: vec![condition], stop, ..filter(&n.to_string(), ALWAYS, actions) }
            })
            .collect();
        filters.push(Filter { stop: true, ..filter("last", ALWAYS, Actions::default()) });
        let alone = decide(&filters, &view(), Place::Inbox).outcome;
        let discard = Actions { discard: true, ..Actions::default() };
        filters.extend(more.into_iter().map(|condition| {
            Filter { conditions: vec![condition], ..filter("more", ALWAYS, discard.clone()) }
        }));
        prop_assert_eq!(decide(&filters, &view(), Place::Inbox).outcome, alone);
    }

    #[test]
    fn i03_no_header_is_a_panic(header in proptest::collection::vec(any::<u8>(), 0..200)) {
        let view = MessageView::new(&header, false, 0);
        for field in [Field::From, Field::To, Field::Cc, Field::Subject] {
            prop_assert!(view.texts(&field).count() <= 200);
        }
    }
}
