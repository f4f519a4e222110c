//! Tables for what addresses demand, and for groups, lists, patterns, domain aliases and absence.

use mail::{AccountId, Address, Domain, ForwardPath, ReversePath, Timestamp};

use super::*;
use crate::objects::{
    AccountKind, AccountObject, AddressRules, Member, Object, PatternAlias, Posting, ResponderKind, SenderPattern,
    SharedMailbox, SubaddressFolders,
};
use crate::testing::{account, account_object, address, alias, directory, domain, responder_object};

/// 2026-09-21T14:13:20Z.
const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn ask(directory: &Directory, text: &str, asking: &Asking) -> Resolution {
    resolve(directory, &ForwardPath::Address(address(text)), asking)
}

fn anyone(directory: &Directory, text: &str) -> Resolution {
    ask(directory, text, &Asking::anyone(NOW))
}

fn from(text: &str) -> Asking {
    Asking::from(ReversePath::Address(address(text)), NOW)
}

fn logged_in(id: u64, text: &str) -> Asking {
    Asking::logged_in(AccountId(id), ReversePath::Address(address(text)), NOW)
}

fn ids(resolution: &Resolution) -> Vec<u64> {
    let mut ids: Vec<u64> = resolution.mailboxes.iter().map(|(account, _)| account.0).collect();
    ids.sort_unstable();
    ids
}

fn reply(resolution: &Resolution) -> String {
    resolution.verdict.refusal().map_or_else(|| "accepted".to_owned(), |reply| reply.to_string())
}

fn ruled(text: &str, rules: AddressRules) -> Object {
    let Object::Alias(alias) = alias(text, &["alice@a.example"]) else { unreachable!() };
    Object::Alias(AliasObject { rules, ..alias })
}

fn name(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

#[test]
fn r01_an_expired_address_is_gone_behind_its_last_moment_in_the_domains_zone() {
    let until = |text: &str| AddressRules { expires: Some(text.to_owned()), ..AddressRules::default() };
    let paris = DomainObject { time_zone: "Europe/Paris".to_owned(), ..domain("a.example") };
    let fair = Object::Account(AccountObject { rules: until("2026-09-20"), ..account_object(2, "fair@a.example") });
    let directory = directory(
        &[],
        vec![
            Object::Domain(paris),
            account(1, "alice@a.example"),
            fair,
            ruled("past@a.example", until("2026-09-20")),
            ruled("today@a.example", until("2026-09-21")),
            ruled("minute@a.example", until("2026-09-21T16:13")),
            ruled("before@a.example", until("2026-09-21T16:12")),
            alias("outer@a.example", &["past@a.example"]),
        ],
    );
    for (text, said) in [
        ("past@a.example", "550 5.2.1"),
        ("fair@a.example", "550 5.2.1"),
        ("outer@a.example", "550 5.2.1"),
        ("today@a.example", "accepted"),
        ("minute@a.example", "accepted"),
        ("before@a.example", "550 5.2.1"),
    ] {
        let resolution = anyone(&directory, text);
        assert!(reply(&resolution).starts_with(said), "{text}\n{resolution}");
        // The server's own letters do not revive it.
        let own = ask(&directory, text, &Asking::server(NOW));
        assert_eq!(own.verdict.is_accept(), said == "accepted", "{text}");
    }
    assert!(anyone(&directory, "past@a.example").to_string().contains("refused by past@a.example (it has expired)"));
}

#[test]
fn r06_inside_means_logged_in_and_never_the_reverse_path_alone() {
    let inside = AddressRules { internal_only: true, ..AddressRules::default() };
    let some = |texts: &[&str]| AddressRules {
        senders: texts.iter().map(|text| SenderPattern::try_from((*text).to_owned()).unwrap()).collect(),
        ..AddressRules::default()
    };
    let mut alice = account_object(1, "alice@a.example");
    alice.also_in = vec![name("b.example")];
    let directory = directory(
        &["a.example", "b.example"],
        vec![
            Object::Account(alice),
            account(2, "bob@a.example"),
            ruled("staff@a.example", inside),
            ruled("press@a.example", some(&["@paper.example", "bob@a.example"])),
            ruled("further@a.example", some(&["@b.example"])),
            alias("open@a.example", &["staff@a.example"]),
            alias("both@a.example", &["bob@a.example", "staff@a.example"]),
        ],
    );
    let table = [
        ("staff@a.example", Asking::anyone(NOW), "550 5.7.1"),
        ("staff@a.example", from("bob@a.example"), "550 5.7.1"),
        ("staff@a.example", logged_in(2, "bob@a.example"), "accepted"),
        ("staff@a.example", Asking::server(NOW), "accepted"),
        // Closed behind an open alias too.
        ("open@a.example", from("x@r.example"), "550 5.7.1"),
        ("open@a.example", logged_in(1, "alice@a.example"), "accepted"),
        ("both@a.example", from("x@r.example"), "accepted"),
        ("press@a.example", from("anna@paper.example"), "accepted"),
        ("press@a.example", from("anna@r.example"), "550 5.7.1"),
        ("press@a.example", from("bob@a.example"), "550 5.7.1"),
        ("press@a.example", logged_in(2, "info@a.example"), "accepted"),
        ("press@a.example", logged_in(1, "alice@a.example"), "550 5.7.1"),
        ("press@a.example", Asking::anyone(NOW), "550 5.7.1"),
        ("further@a.example", logged_in(1, "alice@a.example"), "accepted"),
        ("further@a.example", logged_in(2, "bob@a.example"), "550 5.7.1"),
    ];
    for (text, asking, said) in table {
        let resolution = ask(&directory, text, &asking);
        assert!(reply(&resolution).starts_with(said), "{text} {asking:?}\n{resolution}");
    }
    assert_eq!(ids(&ask(&directory, "both@a.example", &from("x@r.example"))), [2]);
}

#[test]
fn r01_a_size_limit_is_told_with_552() {
    let small = AddressRules { message_octets_max: Some(1000), ..AddressRules::default() };
    let directory = directory(&["a.example"], vec![account(1, "alice@a.example"), ruled("small@a.example", small)]);
    for (octets, said) in [(None, "accepted"), (Some(1000), "accepted"), (Some(1001), "552 5.2.3")] {
        let resolution = ask(&directory, "small@a.example", &from("x@r.example").of_octets(octets));
        assert!(reply(&resolution).starts_with(said), "{octets:?}\n{resolution}");
    }
    assert!(ask(&directory, "small@a.example", &Asking::server(NOW).of_octets(Some(5000))).verdict.is_accept());
}

#[test]
fn r04_fail_refuses_with_its_text_and_nobody_answers() {
    let mut here = responder_object(1, "gone@a.example");
    here.keep = true;
    let directory = directory(
        &["a.example"],
        vec![
            account(1, "alice@a.example"),
            alias("gone@a.example", &[":fail: 5.1.6 We have moved to b.example"]),
            alias("both@a.example", &["alice@a.example", "gone@a.example"]),
            Object::Responder(here),
        ],
    );
    let resolution = anyone(&directory, "gone@a.example");
    assert_eq!(reply(&resolution), "550 5.1.6 We have moved to b.example");
    assert!(resolution.responders.is_empty());
    assert_eq!(ids(&anyone(&directory, "both@a.example")), [1]);
    let json = serde_json::to_value(&resolution).unwrap();
    assert_eq!(serde_json::from_value::<Resolution>(json).unwrap(), resolution);
}

#[test]
fn r03_all_users_are_people_with_an_address_in_the_domain() {
    let mut carol = account_object(3, "carol@b.example");
    carol.also_in = vec![name("a.example")];
    let mut shared = account_object(4, "support@a.example");
    shared.kind = AccountKind::Shared;
    let directory = directory(
        &["a.example", "b.example"],
        vec![
            account(1, "alice@a.example"),
            account(2, "dora@b.example"),
            Object::Account(carol),
            Object::Account(shared),
            alias("all@a.example", &[":all:"]),
        ],
    );
    assert_eq!(ids(&anyone(&directory, "all@a.example")), [1, 3]);
}

#[test]
fn r05_the_same_name_in_further_domains() {
    let mut alice = account_object(1, "alice@a.example");
    alice.also_in = vec![name("b.example")];
    let directory = directory(
        &["a.example", "b.example"],
        vec![Object::Account(alice), Object::Responder(responder_object(1, "alice@a.example"))],
    );
    let resolution = anyone(&directory, "Alice+x@b.example");
    assert_eq!((ids(&resolution), resolution.detail_of(AccountId(1))), (vec![1], Some("x")));
    assert_eq!(resolution.responders.len(), 1, "{resolution}");
    assert!(anyone(&directory, "alice@b.example").to_string().contains("further domain of the person"));
}

#[test]
fn r10_a_domain_that_stands_for_another_has_all_its_addresses() {
    let stands =
        |text: &str, target: &str| Object::Domain(DomainObject { alias_of: Some(name(target)), ..domain(text) });
    let directory = directory(
        &["a.example"],
        vec![
            stands("b.example", "a.example"),
            stands("c.example", "b.example"),
            stands("d.example", "gone.example"),
            account(1, "alice@a.example"),
            alias("info@a.example", &["alice@a.example", "x@b.example"]),
            alias("x@a.example", &["info@b.example"]),
        ],
    );
    let resolution = anyone(&directory, "alice+t@b.example");
    assert_eq!((ids(&resolution), resolution.detail_of(AccountId(1))), (vec![1], Some("t")));
    assert_eq!(resolution.mailboxes[0].1, address("alice+t@b.example"), "the address written to");
    assert_eq!(ids(&anyone(&directory, "postmaster@b.example")), [1]);
    // A circle through both names is cut.
    assert_eq!(ids(&anyone(&directory, "info@b.example")), [1]);
    assert_eq!(anyone(&directory, "info@b.example").alias, Some(address("info@a.example")));
    for text in ["nobody@b.example", "alice@c.example", "alice@d.example"] {
        assert!(reply(&anyone(&directory, text)).starts_with("550 5.1.1"), "{text}");
    }
}

#[test]
fn a_pattern_comes_behind_everything_but_the_catch_all() {
    let mut object = domain("a.example");
    object.catch_all = Some(address("rest@a.example"));
    object.patterns = vec![
        PatternAlias::new("sales-(?<who>[a-z]+)", vec!["$who@a.example".to_owned(), "x@r.example".to_owned()]),
        PatternAlias::new("no-.*", vec![":fail: no more".to_owned()]),
        PatternAlias::new("a(.*)", vec!["$1@a.example".to_owned()]),
        PatternAlias::new("(b+)", vec!["b$1@a.example".to_owned()]),
    ];
    let directory = directory(
        &[],
        vec![
            Object::Domain(object),
            account(1, "alice@a.example"),
            account(2, "rest@a.example"),
            alias("sales-bob@a.example", &["rest@a.example"]),
        ],
    );
    let sales = anyone(&directory, "Sales-Alice@a.example");
    assert_eq!((ids(&sales), sales.remotes.len()), (vec![1], 1), "{sales}");
    assert!(sales.to_string().contains("pattern 1 \"sales-(?<who>[a-z]+)\" (the address fits)"), "{sales}");
    assert_eq!(ids(&anyone(&directory, "sales-bob@a.example")), [2], "the alias comes first");
    assert_eq!(ids(&anyone(&directory, "alice+no-x@a.example")), [1], "the subaddress comes first");
    assert_eq!(reply(&anyone(&directory, "no-x@a.example")), "550 5.7.1 no more");
    assert_eq!(ids(&anyone(&directory, "other@a.example")), [2], "the catch-all comes last");
    // One letter less each time, to the end of the letters.
    assert_eq!(ids(&anyone(&directory, "aaaarest@a.example")), [2]);
    // One letter more each time, to the limit.
    assert!(reply(&anyone(&directory, "b@a.example")).starts_with("550 5.3.5"));
}

#[test]
fn r09_a_group_is_its_members_mailboxes_each_once() {
    let group = |text: &str, members: &[&str]| GroupObject {
        id: AccountId(50),
        members: members.iter().map(|text| address(text)).collect(),
        ..GroupObject::new(address(text))
    };
    let board = group("board@a.example", &["alice@a.example", "BOB@a.example", "alice@b.example", "gone@a.example"]);
    let mut alice = account_object(1, "alice@a.example");
    alice.also_in = vec![name("b.example")];
    let mut catching = domain("a.example");
    catching.catch_all = Some(address("carol@a.example"));
    let off = GroupObject { enabled: false, id: AccountId(51), ..group("off@a.example", &["alice@a.example"]) };
    let directory = directory(
        &["b.example"],
        vec![
            Object::Domain(catching),
            Object::Account(alice),
            account(2, "bob@a.example"),
            account(3, "carol@a.example"),
            alias("bob@a.example", &["bob@a.example", "bob@r.example"]),
            alias("all@a.example", &["board@a.example", "alice@a.example"]),
            Object::Group(board),
            Object::Group(off),
        ],
    );
    for text in ["board@a.example", "Board+x@a.example", "all@a.example"] {
        let resolution = anyone(&directory, text);
        assert_eq!((ids(&resolution), resolution.remotes.len()), (vec![1, 2], 1), "{resolution}");
    }
    // A former member's address does not fall to the catch-all; a disabled group does, as any unknown address.
    assert_eq!(ids(&anyone(&directory, "off@a.example")), [3]);
}

#[test]
fn r09_who_may_post_to_a_group_is_decided_at_once() {
    let named = vec![SenderPattern::try_from("@paper.example".to_owned()).unwrap()];
    let mut objects = vec![account(1, "alice@a.example"), account(2, "bob@a.example"), account(3, "mod@a.example")];
    // Of another organisation on the same server.
    objects.push(account(4, "dora@b.example"));
    let postings = [
        ("any", Posting::Anyone),
        ("org", Posting::Organisation),
        ("members", Posting::Members),
        ("named", Posting::Named(named)),
    ];
    for (n, (text, posting)) in postings.into_iter().enumerate() {
        let base = GroupObject {
            id: AccountId(50 + n as u64),
            members: vec![address("alice@a.example")],
            moderators: vec![address("mod@a.example")],
            posting,
            ..GroupObject::new(address(&format!("{text}@a.example")))
        };
        objects.push(Object::Group(GroupObject {
            id: AccountId(60 + n as u64),
            moderated: true,
            address: address(&format!("m-{text}@a.example")),
            ..base.clone()
        }));
        objects.push(Object::Group(base));
    }
    let directory = directory(&["a.example", "b.example"], objects);
    let (stranger, forger) = (from("anna@paper.example"), from("alice@a.example"));
    let (member, other) = (logged_in(1, "alice@a.example"), logged_in(2, "bob@a.example"));
    let moderator = logged_in(3, "mod@a.example");
    let neighbour = logged_in(4, "dora@b.example");
    let table = [
        ("org", &neighbour, false),
        ("any", &neighbour, true),
        ("any", &stranger, true),
        ("any", &forger, true),
        ("org", &stranger, false),
        ("org", &forger, false),
        ("org", &other, true),
        ("members", &other, false),
        ("members", &forger, false),
        ("members", &member, true),
        ("members", &moderator, true),
        ("named", &stranger, true),
        ("named", &member, false),
        ("named", &moderator, true),
    ];
    for (text, asking, expected) in table {
        let open = ask(&directory, &format!("{text}@a.example"), asking);
        assert_eq!(open.verdict.is_accept(), expected, "{text} {asking:?}\n{open}");
        assert_eq!(ids(&open), if expected { vec![1] } else { vec![] });
        let moderated = ask(&directory, &format!("m-{text}@a.example"), asking);
        assert_eq!(moderated.verdict.is_accept(), expected, "moderated {text} {asking:?}\n{moderated}");
        let held = expected && *asking != moderator;
        assert_eq!(moderated.held.len(), usize::from(held), "{moderated}");
        assert_eq!(ids(&moderated), if expected && !held { vec![1] } else { vec![] });
    }
    // What the server sends on for the moderators does not wait again.
    assert_eq!(ids(&ask(&directory, "m-members@a.example", &Asking::server(NOW))), [1]);
    let inside = anyone(&directory, "org@a.example");
    assert!(
        reply(&inside).starts_with("550 5.7.1 This address takes mail only from people of its own organisation"),
        "{inside}"
    );
    assert!(reply(&anyone(&directory, "members@a.example")).starts_with("550 5.7.1 Only members"));
}

#[test]
fn r08_every_address_of_a_list_is_its_own_leaf() {
    use ListRole as R;
    let garden = crate::objects::ListObject {
        id: AccountId(70),
        posting: Posting::Organisation,
        rules: AddressRules { message_octets_max: Some(10), ..AddressRules::default() },
        ..crate::objects::ListObject::new(address("garden-club@a.example"))
    };
    let directory = directory(
        &["a.example"],
        vec![
            account(1, "alice@a.example"),
            Object::List(garden),
            alias("garden-club-owner@a.example", &["alice@a.example"]),
            alias("in@a.example", &["garden-club-join@a.example"]),
        ],
    );
    let table = [
        ("Garden-Club-request@a.example", Some(R::Request)),
        ("garden-club-join@a.example", Some(R::Join)),
        ("garden-club-leave@a.example", Some(R::Leave)),
        ("garden-club-confirm+3f-2a@a.example", Some(R::Confirm)),
        ("garden-club-confirm@a.example", Some(R::Confirm)),
        ("garden-club-bounces+x+bob=r.example@a.example", Some(R::Bounces)),
        ("garden-club-bounces-x@a.example", Some(R::Bounces)),
        ("garden-club-bouncesx@a.example", None),
        ("garden-club-joiner@a.example", None),
        ("garden-join@a.example", None),
        ("-join@a.example", None),
        ("in@a.example", Some(R::Join)),
    ];
    for (text, role) in table {
        let resolution = ask(&directory, text, &from("x@r.example").of_octets(Some(5000)));
        assert_eq!(resolution.held.first().map(|held| held.role), role, "{text}\n{resolution}");
        assert_eq!(resolution.verdict.is_accept(), role.is_some(), "{text}");
        assert_eq!(
            resolution.held.iter().filter(|held| held.part == AccountId(70)).count(),
            usize::from(role.is_some())
        );
    }
    let joined = ask(&directory, "in@a.example", &from("x@r.example"));
    assert_eq!(
        (&joined.held[0].address, &joined.held[0].recipient),
        (&address("garden-club-join@a.example"), &address("in@a.example"))
    );
    // An object of that very address comes first.
    assert_eq!(ids(&anyone(&directory, "garden-club-owner@a.example")), [1]);
    // The conditions are for posts.
    assert!(reply(&anyone(&directory, "garden-club@a.example")).starts_with("550 5.7.1"));
    let large = logged_in(1, "alice@a.example").of_octets(Some(11));
    assert!(reply(&ask(&directory, "garden-club@a.example", &large)).starts_with("552"));
    let post = ask(&directory, "garden-club@a.example", &logged_in(1, "alice@a.example"));
    assert_eq!((post.held[0].role, post.mailboxes.len()), (R::Post, 0));
}

#[test]
fn r07_a_shared_mailbox_is_a_mailbox() {
    let mut support = account_object(4, "support@a.example");
    support.kind = AccountKind::Shared;
    let directory =
        directory(&["a.example"], vec![Object::Account(support), alias("help@a.example", &["support@a.example"])]);
    assert_eq!(ids(&anyone(&directory, "help@a.example")), [4]);
}

#[test]
fn subaddress_folders_are_the_domains_choice() {
    let folders = |text: &str, subaddress_folders| Object::Domain(DomainObject { subaddress_folders, ..domain(text) });
    let directory = directory(
        &["off.example"],
        vec![
            folders("some.example", SubaddressFolders::Existing),
            folders("all.example", SubaddressFolders::Create),
            account(1, "a@off.example"),
            account(2, "b@some.example"),
            account(3, "c@all.example"),
            alias("bills@off.example", &["c+Bills@all.example"]),
        ],
    );
    let table = [
        ("a+x@off.example", None),
        ("b+X@some.example", Some(("X", SubaddressFolders::Existing))),
        ("c+x@all.example", Some(("x", SubaddressFolders::Create))),
        ("c@all.example", None),
        ("c+@all.example", None),
        ("bills@off.example", Some(("Bills", SubaddressFolders::Create))),
    ];
    for (text, expected) in table {
        let resolution = anyone(&directory, text);
        assert_eq!(resolution.folder_of(resolution.mailboxes[0].0), expected, "{text}");
    }
}

/// An out-of-office message at an address, in force at `NOW` or over.
fn away(id: u64, text: &str, now: bool) -> Object {
    let mut object = responder_object(id, text);
    object.kind = ResponderKind::OutOfOffice;
    object.ends = (!now).then(|| "2026-01-01".to_owned());
    Object::Responder(object)
}

#[test]
fn r06_the_fall_back_gets_it_as_well_when_everyone_is_away() {
    let fallback = |text: &str, targets: &[&str], to: &str| {
        let Object::Alias(alias) = alias(text, targets) else { unreachable!() };
        Object::Alias(AliasObject { when_away: Some(address(to)), ..alias })
    };
    let shared = AccountObject {
        kind: AccountKind::Shared,
        shared: Some(SharedMailbox {
            members: vec![Member { account: address("alice@a.example"), rights: "lrs".to_owned() }],
            ..SharedMailbox::default()
        }),
        ..account_object(4, "desk@a.example")
    };
    let left = AccountObject { enabled: false, ..account_object(6, "left@a.example") };
    let group = GroupObject {
        id: AccountId(50),
        members: vec![address("alice@a.example")],
        when_away: Some(address("boss@a.example")),
        ..GroupObject::new(address("team@a.example"))
    };
    let directory = directory(
        &["a.example"],
        vec![
            account(1, "alice@a.example"),
            account(2, "bob@a.example"),
            account(3, "carol@a.example"),
            Object::Account(shared),
            account(5, "boss@a.example"),
            Object::Account(left),
            away(1, "alice@a.example", true),
            away(2, "bob@a.example", false),
            away(3, "carol@a.example", true),
            // An autoresponder is no absence.
            Object::Responder(responder_object(4, "bob@a.example")),
            fallback("one@a.example", &["alice@a.example"], "boss@a.example"),
            fallback("two@a.example", &["alice@a.example", "bob@a.example"], "boss@a.example"),
            fallback("nested@a.example", &["plain@a.example", "carol@a.example"], "boss@a.example"),
            alias("plain@a.example", &["alice@a.example"]),
            fallback("far@a.example", &["alice@a.example", "x@r.example"], "boss@a.example"),
            fallback("desk2@a.example", &["desk@a.example"], "boss@a.example"),
            fallback("old@a.example", &["left@a.example"], "boss@a.example"),
            fallback("void@a.example", &[":blackhole:"], "boss@a.example"),
            fallback("chain@a.example", &["alice@a.example"], "one@a.example"),
            fallback("circle@a.example", &["alice@a.example"], "circle@a.example"),
            alias("outer@a.example", &["one@a.example", "alice@a.example", "plain@a.example"]),
            Object::Group(group),
        ],
    );
    let table: [(&str, &[u64]); 12] = [
        ("one@a.example", &[1, 5]),
        ("two@a.example", &[1, 2]),
        ("nested@a.example", &[1, 3, 5]),
        ("far@a.example", &[1]),
        ("desk2@a.example", &[4, 5]),
        ("old@a.example", &[5, 6]),
        ("void@a.example", &[]),
        ("chain@a.example", &[1, 5]),
        ("circle@a.example", &[1]),
        ("outer@a.example", &[1, 5]),
        ("team@a.example", &[1, 5]),
        ("plain@a.example", &[1]),
    ];
    for (text, expected) in table {
        let resolution = anyone(&directory, text);
        assert_eq!(ids(&resolution), expected, "{text}\n{resolution}");
    }
    assert!(anyone(&directory, "one@a.example").to_string().contains("boss@a.example (everyone above is away)"));
    // Before alice's absence begins there is no fall-back.
    let earlier = Asking::anyone(Timestamp(NOW.0));
    assert_eq!(ids(&ask(&directory, "one@a.example", &earlier)), [1, 5]);
}

#[test]
fn r06_deputies_get_it_where_the_alias_says_so() {
    let away_with = |id, text: &str, deputy: &str| {
        let Object::Responder(mut object) = away(id, text, true) else { unreachable!() };
        object.deputy = Some(address(deputy));
        Object::Responder(object)
    };
    let Object::Alias(desk) = alias("desk@a.example", &["alice@a.example", "bob@a.example"]) else { unreachable!() };
    let one = AliasObject { deputies_when_away: true, ..desk.clone() };
    let two = AliasObject { address: address("plain@a.example"), ..desk };
    let people = |both: bool| {
        let mut objects = vec![
            account(1, "alice@a.example"),
            account(2, "bob@a.example"),
            account(3, "carol@a.example"),
            Object::Alias(one.clone()),
            Object::Alias(two.clone()),
            away_with(1, "alice@a.example", "Carol@a.example"),
        ];
        objects.extend(both.then(|| away_with(2, "bob@a.example", "carol@a.example")));
        directory(&["a.example"], objects)
    };
    assert_eq!(ids(&anyone(&people(false), "desk@a.example")), [1, 2]);
    let resolution = anyone(&people(true), "desk@a.example");
    assert_eq!(ids(&resolution), [1, 2, 3]);
    assert!(resolution.to_string().contains("carol@a.example (everyone above is away, and names this deputy)"));
    assert_eq!(ids(&anyone(&people(true), "plain@a.example")), [1, 2]);
}

#[test]
fn too_many_nodes_are_refused_whole_whatever_they_lead_to() {
    let members: Vec<Address> =
        (0..crate::limits::GROUP_MEMBERS_MAX).map(|n| address(&format!("u{n}@a.example"))).collect();
    let mut objects: Vec<Object> =
        members.iter().enumerate().map(|(n, one)| account(n as u64 + 1, &one.to_string())).collect();
    let names: Vec<String> = (0..11).map(|n| format!("g{n}@a.example")).collect();
    for (n, name) in names.iter().enumerate() {
        let (id, members) = (AccountId(100_000 + n as u64), members.clone());
        objects.push(Object::Group(GroupObject { id, members, ..GroupObject::new(address(name)) }));
    }
    objects.push(alias("all@a.example", &names.iter().map(String::as_str).collect::<Vec<_>>()));
    let directory = directory(&["a.example", "b.example"], objects);
    assert_eq!(anyone(&directory, "g0@a.example").mailboxes.len(), crate::limits::GROUP_MEMBERS_MAX);
    assert!(reply(&anyone(&directory, "all@a.example")).starts_with("550 5.3.5"));
}

#[test]
fn the_alias_written_to_is_named_and_no_other() {
    let directory = directory(
        &["a.example"],
        vec![
            account(1, "alice@a.example"),
            alias("in@a.example", &["out@a.example"]),
            alias("out@a.example", &["alice@a.example"]),
        ],
    );
    assert_eq!(anyone(&directory, "IN+x@a.example").alias, Some(address("in@a.example")));
    assert_eq!(anyone(&directory, "alice@a.example").alias, None);
}

fn leaves<'n>(node: &'n Node, out: &mut Vec<&'n Node>) {
    if node.children.is_empty() {
        out.push(node);
    }
    node.children.iter().for_each(|child| leaves(child, out));
}

mod properties {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;
    use crate::objects::ListObject;

    /// One of the addresses that the plans below are about.
    fn pick(n: u8) -> String {
        let domain = ["a.example", "b.example", "c.example"][usize::from(n % 3)];
        match n / 3 % 6 {
            0 | 1 => format!("u{}@{domain}", n / 18 % 4),
            2 => format!("l{}@{domain}", n / 18 % 5),
            3 => format!("g{}@{domain}", n / 18 % 3),
            4 => format!("list{}@{domain}", if n > 120 { "-owner" } else { "" }),
            _ => format!("p-u{}@{domain}", n / 18 % 4),
        }
    }

    fn rules(n: u8) -> AddressRules {
        AddressRules {
            expires: (n % 11 == 1).then(|| "2020-01-01".to_owned()),
            internal_only: n % 7 == 1,
            message_octets_max: (n % 5 == 1).then_some(100),
            senders: if n % 13 == 1 {
                vec![SenderPattern::try_from("@r.example".to_owned()).unwrap()]
            } else {
                Vec::new()
            },
        }
    }

    type Picks = Vec<(u8, Vec<u8>)>;

    /// a.example with patterns, b.example, and c.example which stands for one of them or for itself.
    fn build(aliases: &Picks, groups: &Picks, people: &[u8], absent: u8, stands: u8) -> Vec<Object> {
        let mut a = domain("a.example");
        a.patterns = vec![PatternAlias::new("p-(.*)", vec!["$1@b.example".to_owned(), "$1@a.example".to_owned()])];
        a.catch_all = (stands > 200).then(|| address("u0@b.example"));
        let alias_of = [Some("a.example"), Some("b.example"), None][usize::from(stands % 3)].map(name);
        let mut objects = vec![Object::Domain(a), Object::Domain(domain("b.example"))];
        objects.push(Object::Domain(DomainObject { alias_of, ..domain("c.example") }));
        let people: BTreeSet<u8> = people.iter().map(|n| n % 8).collect();
        for n in people {
            let text = format!("u{}@{}", n % 4, ["a.example", "b.example"][usize::from(n / 4)]);
            let mut object = account_object(u64::from(n) + 1, &text);
            object.rules = rules(n.wrapping_mul(absent));
            objects.push(Object::Account(object));
            if absent >> n & 1 == 1 {
                objects.push(away(u64::from(n) + 1, &text, true));
            }
        }
        let mut seen = BTreeSet::new();
        for (n, targets) in aliases {
            let text = format!("l{}@{}", n % 5, ["a.example", "b.example"][usize::from(n / 5 % 2)]);
            if seen.insert(text.clone()) {
                let targets: Vec<String> =
                    targets.iter().map(|t| if *t == 255 { ":all:".to_owned() } else { pick(*t) }).collect();
                let Object::Alias(mut one) = alias(&text, &targets.iter().map(String::as_str).collect::<Vec<_>>())
                else {
                    unreachable!()
                };
                one.rules = rules(*n);
                one.when_away = (n % 3 == 0).then(|| address(&pick(n.wrapping_mul(7))));
                objects.push(Object::Alias(one));
            }
        }
        for (n, members) in groups {
            let text = format!("g{}@{}", n % 3, ["a.example", "b.example"][usize::from(n / 3 % 2)]);
            if seen.insert(text.clone()) {
                objects.push(Object::Group(GroupObject {
                    id: AccountId(100 + u64::from(n % 6)),
                    members: members
                        .iter()
                        .map(|m| address(&format!("u{}@{}", m % 4, ["a.example", "b.example"][usize::from(m / 4 % 2)])))
                        .collect(),
                    moderated: n % 4 == 1,
                    when_away: (n % 5 == 0).then(|| address(&pick(*n))),
                    ..GroupObject::new(address(&text))
                }));
            }
        }
        objects.push(Object::List(ListObject { id: AccountId(200), ..ListObject::new(address("list@a.example")) }));
        objects
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        #[test]
        fn the_leaves_of_the_tree_are_the_result_and_definitions_have_no_order(
            aliases in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 1..5)), 0..8),
            groups in prop::collection::vec((any::<u8>(), prop::collection::vec(any::<u8>(), 0..5)), 0..4),
            people in prop::collection::vec(any::<u8>(), 0..8),
            absent in any::<u8>(),
            stands in any::<u8>(),
            to in any::<u8>(),
            inside in any::<bool>(),
            octets in prop::option::of(0..200_u64),
        ) {
            let objects = build(&aliases, &groups, &people, absent, stands);
            let asking = if inside { logged_in(1, "u0@a.example") } else { from("x@r.example") }.of_octets(octets);
            let text = pick(to);
            let one = directory(&[], objects.clone());
            let resolution = ask(&one, &text, &asking);

            // Turned round, with every target and member twice.
            let mut turned: Vec<Object> = objects.into_iter().rev().collect();
            for object in &mut turned {
                if let Object::Alias(alias) = object {
                    alias.targets.reverse();
                    alias.targets.extend(alias.targets.clone());
                } else if let Object::Group(group) = object {
                    group.members.reverse();
                    group.members.extend(group.members.clone());
                }
            }
            prop_assert_eq!(&resolution, &ask(&directory(&[], turned), &text, &asking));

            let mut all = Vec::new();
            leaves(&resolution.tree, &mut all);
            let first = |node: &&&Node| node.reason != Reason::AlreadyReached;
            let mut mailboxes: Vec<AccountId> = all.iter().filter(first).filter_map(|node| if let What::Mailbox { account, .. } = &node.what { Some(*account) } else { None }).collect();
            let mut found: Vec<AccountId> = resolution.mailboxes.iter().map(|(id, _)| *id).collect();
            let distinct: BTreeSet<AccountId> = found.iter().copied().collect();
            prop_assert_eq!(distinct.len(), found.len(), "each mailbox once");
            mailboxes.sort_unstable();
            found.sort_unstable();
            prop_assert_eq!(mailboxes, found);
            let mut remotes: Vec<&Address> = all.iter().filter(first).filter_map(|node| if let What::Remote { address } = &node.what { Some(address) } else { None }).collect();
            let mut named: Vec<&Address> = resolution.remotes.iter().collect();
            remotes.sort();
            named.sort();
            prop_assert_eq!(remotes, named);
            let held = all.iter().filter(first).filter(|node| matches!(node.what, What::List { .. } | What::Moderated { .. })).count();
            prop_assert_eq!(held, resolution.held.len());
            let reached = !resolution.reaches_nobody();
            prop_assert!(!reached || resolution.verdict == Verdict::Accept, "{}", resolution);
            if resolution.verdict.is_accept() {
                prop_assert!(reached || !resolution.responders.is_empty());
            }

            // Who has fewer conditions to meet reaches no less.
            let own = ask(&one, &text, &Asking::server(NOW));
            let more: BTreeSet<AccountId> = own.mailboxes.iter().map(|(id, _)| *id).collect();
            if own.held.is_empty() && resolution.held.is_empty() && !resolution.tree.to_string().contains("is away") {
                prop_assert!(distinct.is_subset(&more), "{}{}", resolution, own);
            }
        }
    }
}

/// RFC 5321 §4.5.1, RFC 2142 §4: the server's own name needs no domain, and has two addresses all the same.
#[test]
fn postmaster_and_abuse_are_read_at_the_servers_own_name() {
    let admin = |id, text: &str| {
        Object::Account(AccountObject { role: crate::objects::Role::Administrator, ..account_object(id, text) })
    };
    let objects = || {
        vec![
            admin(1, "root@a.example"),
            account(2, "abuse@b.example"),
            alias("help@a.example", &["postmaster@mail.a.example"]),
        ]
    };
    let mut named = directory(&["a.example", "b.example"], objects());
    assert!(reply(&anyone(&named, "postmaster@mail.a.example")).starts_with("550 5.7.1"), "no name, no address");
    named.set_own_name(name("mail.a.example"));
    for text in ["postmaster@mail.a.example", "PostMaster@MAIL.a.example", "abuse@mail.a.example", "help@a.example"] {
        let found = anyone(&named, text);
        assert_eq!((found.verdict.clone(), ids(&found), found.remotes.len()), (Verdict::Accept, vec![1], 0), "{found}");
    }
    let found = anyone(&named, "postmaster@mail.a.example");
    assert_eq!((found.written_to.to_string().as_str(), found.alias), ("postmaster@mail.a.example", None));
    assert!(
        found.tree.to_string().contains("postmaster@a.example (stands for it, since that is at the server's own name)")
    );
    // Nothing else is there, and nothing at all at other names.
    for text in ["root@mail.a.example", "postmaster+x@mail.a.example", "postmaster@other.a.example", "abuse@x.example"]
    {
        assert!(reply(&anyone(&named, text)).starts_with("550 5.7.1"), "{text}");
    }
    // Without a domain nobody reads it yet.
    let mut bare = Directory::default();
    bare.set_own_name(name("mail.a.example"));
    for text in ["postmaster@mail.a.example", "abuse@mail.a.example"] {
        assert!(reply(&anyone(&bare, text)).starts_with("451 4.3.5"), "{text}");
    }
    // A domain of that name is one like others.
    let mut domain_too = directory(&["a.example", "mail.a.example"], objects());
    domain_too.put(account(7, "postmaster@mail.a.example"));
    domain_too.set_own_name(name("mail.a.example"));
    assert_eq!(ids(&anyone(&domain_too, "postmaster@mail.a.example")), [7]);
    assert!(reply(&anyone(&domain_too, "root@mail.a.example")).starts_with("550 5.1.1"));
}

/// RFC 2142 §4.
#[test]
fn abuse_is_read_by_the_postmaster_where_nothing_has_the_address() {
    let mut caught = domain("caught.example");
    caught.catch_all = Some(address("rest@caught.example"));
    let mut named = domain("named.example");
    named.postmaster = Some(address("boss@named.example"));
    let mut stands = domain("stands.example");
    stands.alias_of = Some(name("named.example"));
    let off = |text: &str| {
        let Object::Alias(object) = alias(text, &["boss@named.example"]) else { unreachable!() };
        Object::Alias(AliasObject { enabled: false, ..object })
    };
    let directory = directory(
        &["own.example", "off.example", "round.example"],
        vec![
            Object::Domain(caught),
            Object::Domain(named),
            Object::Domain(stands),
            account(1, "boss@named.example"),
            account(2, "rest@caught.example"),
            account(3, "abuse@own.example"),
            off("abuse@off.example"),
            alias("postmaster@round.example", &["abuse@round.example"]),
        ],
    );
    for (text, id) in [
        ("abuse@named.example", 1),
        ("Abuse@named.example", 1),
        ("abuse@stands.example", 1),
        ("abuse@caught.example", 2),
        ("abuse@own.example", 3),
        ("abuse@round.example", 1),
    ] {
        let found = anyone(&directory, text);
        assert_eq!((found.verdict.clone(), ids(&found)), (Verdict::Accept, vec![id]), "{text}\n{found}");
    }
    let told = anyone(&directory, "abuse@named.example").tree.to_string();
    assert!(told.contains("postmaster@named.example (reads it, since nothing has that address)"), "{told}");
    assert!(reply(&anyone(&directory, "abuse@off.example")).starts_with("550 5.1.1"), "switched off on purpose");
    assert!(reply(&anyone(&directory, "abused@named.example")).starts_with("550 5.1.1"));
}
