//! Tables for each step of the order, and properties over random directories.

use proptest::prelude::*;

use super::*;
use crate::limits::ALIAS_TARGETS_MAX;
use crate::objects::{GroupObject, ListRole, Object, Role, Target};
use crate::testing::{account, account_object, address, alias, directory, domain, responder_object};
use crate::verdict::RELAY_DENIED;
use mail::Timestamp;

const NOW: Timestamp = Timestamp(1_790_000_000_000);

fn to(directory: &Directory, text: &str) -> Resolution {
    resolve(directory, &ForwardPath::Address(address(text)), &Asking::anyone(NOW))
}

fn ids(resolution: &Resolution) -> Vec<u64> {
    let mut ids: Vec<u64> = resolution.mailboxes.iter().map(|(account, _)| account.0).collect();
    ids.sort_unstable();
    ids
}

fn refused(resolution: &Resolution) -> RefuseReason {
    let Verdict::Refuse(reason) = resolution.verdict.clone() else { panic!("{resolution}") };
    reason
}

fn with_domain(mut directory: Directory, object: DomainObject) -> Directory {
    directory.put(Object::Domain(object));
    directory
}

#[test]
fn r09_the_moderators_of_a_group_answer_at_an_address_of_its_own() {
    let group = |moderated| {
        let mut group = GroupObject::new(address("board@a.example"));
        (group.id, group.moderated, group.members) = (AccountId(9), moderated, vec![address("alice@a.example")]);
        Object::Group(group)
    };
    let directory = |moderated| directory(&["a.example"], vec![account(1, "alice@a.example"), group(moderated)]);
    let resolution = to(&directory(true), "Board-confirm+Abc2@a.example");
    assert_eq!(resolution.held.len(), 1, "{resolution}");
    assert_eq!((resolution.held[0].part, resolution.held[0].role), (AccountId(9), ListRole::Confirm));
    assert_eq!(resolution.held[0].address, address("Board-confirm+Abc2@a.example"));
    for other in ["board-owner@a.example", "board-bounces+x@a.example", "bord-confirm+x@a.example"] {
        assert!(!to(&directory(true), other).verdict.is_accept(), "{other}");
    }
    assert!(!to(&directory(false), "board-confirm+x@a.example").verdict.is_accept());
}

#[test]
fn r02_a_mailbox_is_final() {
    let directory = directory(&["a.example"], vec![account(1, "alice@a.example")]);
    let resolution = to(&directory, "Alice@A.example");
    assert_eq!(resolution.mailboxes, [(AccountId(1), address("Alice@A.example"))]);
    assert_eq!(resolution.verdict, Verdict::Accept);
    assert_eq!(
        resolution.to_string(),
        "Alice@a.example (asked for)\n  mailbox alice@a.example (exactly this address)\naccepted\n"
    );
}

#[test]
fn r01_r03_redirects_add_up_local_and_remote_and_nested() {
    let directory = directory(
        &["a.example"],
        vec![
            account(1, "alice@a.example"),
            account(2, "bob@a.example"),
            alias("info@a.example", &["bob@a.example", "team@a.example", "x@remote.example"]),
            alias("team@a.example", &["alice@a.example", "bob@a.example", "x@remote.example"]),
        ],
    );
    let resolution = to(&directory, "info@a.example");
    assert_eq!(ids(&resolution), [1, 2]);
    assert_eq!(resolution.remotes, [address("x@remote.example")]);
    assert_eq!(
        resolution.tree.to_string(),
        "info@a.example (asked for)
  alias info@a.example (exactly this address)
    bob@a.example (target of the alias)
      mailbox bob@a.example (exactly this address)
    team@a.example (target of the alias)
      alias team@a.example (exactly this address)
        alice@a.example (target of the alias)
          mailbox alice@a.example (exactly this address)
        bob@a.example (target of the alias)
          mailbox bob@a.example (already reached above: one copy only)
        remote x@remote.example (not a domain of this server)
    remote x@remote.example (already reached above: one copy only)
"
    );
}

#[test]
fn r03_an_empty_target_goes_to_all_users_of_the_domain() {
    let directory = directory(
        &["a.example", "b.example"],
        vec![
            account(1, "alice@a.example"),
            account(2, "bob@a.example"),
            account(3, "c@b.example"),
            alias("all@a.example", &[""]),
        ],
    );
    assert_eq!(ids(&to(&directory, "all@a.example")), [1, 2]);
}

#[test]
fn r04_blackhole_accepts_and_drops() {
    let directory = directory(&["a.example"], vec![alias("void@a.example", &[":blackhole:"])]);
    let resolution = to(&directory, "void@a.example");
    assert!(resolution.dropped && resolution.mailboxes.is_empty());
    assert_eq!(resolution.verdict, Verdict::Accept);
}

#[test]
fn mailbox_and_alias_of_one_address_add_up() {
    let objects =
        vec![account(1, "alice@a.example"), alias("alice@a.example", &["alice@a.example", "alice@r.example"])];
    let directory = directory(&["a.example"], objects);
    let resolution = to(&directory, "alice@a.example");
    assert_eq!(ids(&resolution), [1]);
    assert_eq!(resolution.remotes, [address("alice@r.example")]);
}

#[test]
fn a_subaddress_reaches_its_mailbox_with_the_detail() {
    let mut dashed = domain("b.example");
    dashed.subaddress_separators = "-_".to_owned();
    let mut none = domain("c.example");
    none.subaddress_separators = String::new();
    let directory = directory(
        &["a.example"],
        vec![
            Object::Domain(dashed),
            Object::Domain(none),
            account(1, "alice@a.example"),
            account(2, "alice+both@a.example"),
            account(3, "a-b@b.example"),
            account(4, "dora@c.example"),
            alias("info@a.example", &["alice@a.example"]),
            alias("bills@a.example", &["alice+Bills@a.example"]),
        ],
    );
    let table = [
        ("alice+Shop@a.example", Some((1, Some("Shop")))),
        ("alice+both@a.example", Some((2, None))),
        ("alice+both+x@a.example", Some((2, Some("x")))),
        // All behind the first separator, since no `alice+a@` exists.
        ("alice+a+b@a.example", Some((1, Some("a+b")))),
        ("alice+@a.example", Some((1, None))),
        ("a-b-c@b.example", Some((3, Some("c")))),
        ("a-b_c@b.example", Some((3, Some("c")))),
        ("dora+x@c.example", None),
        ("+alice@a.example", None),
        // Not passed down to those whom an alias names; what its target says stays.
        ("info+x@a.example", Some((1, None))),
        ("bills+x@a.example", Some((1, Some("Bills")))),
    ];
    for (text, expected) in table {
        let resolution = to(&directory, text);
        let found = resolution.mailboxes.first().map(|(id, _)| (id.0, resolution.detail_of(*id)));
        assert_eq!(found, expected, "{text}\n{resolution}");
    }
}

#[test]
fn the_catch_all_takes_what_is_unknown() {
    let mut catching = domain("a.example");
    catching.catch_all = Some(address("alice@a.example"));
    let mut dangling = domain("b.example");
    dangling.catch_all = Some(address("nobody@b.example"));
    let mut outside = domain("c.example");
    outside.catch_all = Some(address("x@r.example"));
    let objects = vec![
        Object::Domain(catching),
        Object::Domain(dangling),
        Object::Domain(outside),
        account(1, "alice@a.example"),
        alias("empty@a.example", &["gone@b.example"]),
    ];
    let directory = directory(&[], objects);
    let resolution = to(&directory, "whoever+x@a.example");
    assert_eq!(resolution.mailboxes, [(AccountId(1), address("whoever+x@a.example"))]);
    assert_eq!(refused(&to(&directory, "whoever@b.example")), RefuseReason::LeadsNowhere);
    assert_eq!(to(&directory, "whoever@c.example").remotes, [address("x@r.example")]);
    assert_eq!(to(&directory, "empty@a.example").verdict.refusal().unwrap().code, 550);
}

#[test]
fn what_is_unknown_or_disabled_is_refused() {
    let mut off = domain("off.example");
    off.enabled = false;
    let mut objects = vec![Object::Domain(off), account(1, "alice@a.example"), account(2, "bob@off.example")];
    let Object::Alias(mut disabled) = alias("info@a.example", &["alice@a.example"]) else { unreachable!() };
    disabled.enabled = false;
    objects.push(Object::Alias(disabled));
    objects.push(alias("dead@a.example", &["bob@off.example", "gone@a.example"]));
    let directory = directory(&["a.example"], objects);
    for text in ["nobody@a.example", "info@a.example"] {
        assert_eq!(refused(&to(&directory, text)), RefuseReason::NoSuchMailbox, "{text}");
    }
    for text in ["bob@off.example", "postmaster@off.example"] {
        assert_eq!(refused(&to(&directory, text)), RefuseReason::DomainDisabled, "{text}");
    }
    assert_eq!(refused(&to(&directory, "dead@a.example")), RefuseReason::LeadsNowhere);
    assert_eq!(to(&directory, "info@a.example").tree.reason, Reason::AliasDisabled);
    let reply = to(&directory, "nobody@a.example").verdict.refusal().unwrap();
    assert_eq!(reply.to_string(), "550 5.1.1 No such mailbox here");
}

#[test]
fn a_foreign_domain_is_the_callers_question() {
    let resolution = to(&directory(&["a.example"], vec![]), "x@r.example");
    assert_eq!(resolution.verdict, Verdict::NotLocal);
    assert_eq!(resolution.remotes, [address("x@r.example")]);
    assert!(resolution.to_string().ends_with("relayed for who has logged in\n"), "{resolution}");
    assert_eq!(resolution.verdict.refusal(), Some(RELAY_DENIED));
    assert_eq!(to(&directory(&["a.example"], vec![]), "x@[192.0.2.1]").verdict, Verdict::NotLocal);
}

#[test]
fn circles_are_cut_and_told() {
    let directory = directory(
        &["a.example"],
        vec![
            account(1, "alice@a.example"),
            alias("x@a.example", &["y@a.example"]),
            alias("y@a.example", &["x@a.example"]),
            alias("z@a.example", &["alice@a.example", "z@a.example"]),
            // A circle that does not go through the address asked for.
            alias("w@a.example", &["x@a.example", "y@a.example"]),
        ],
    );
    for text in ["x@a.example", "w@a.example"] {
        let resolution = to(&directory, text);
        assert_eq!(refused(&resolution), RefuseReason::Loop, "{resolution}");
        assert_eq!(resolution.verdict.refusal().unwrap().enhanced, Some(mail::EnhancedCode(5, 4, 6)));
        assert!(resolution.to_string().contains("a circle, cut"));
    }
    assert_eq!(ids(&to(&directory, "z@a.example")), [1]);
}

#[test]
fn an_alias_beside_its_mailbox_keeps_a_copy_and_is_no_circle() {
    let objects = vec![
        account(1, "alice@a.example"),
        account(2, "bob@a.example"),
        alias("alice@a.example", &["alice@a.example", "bob@a.example"]),
    ];
    let resolution = to(&directory(&["a.example"], objects), "alice@a.example");
    assert_eq!(ids(&resolution), [1, 2]);
    let told = resolution.to_string();
    assert!(
        told.contains("not followed: alice@a.example (the alias names itself: the mailbox keeps a copy)"),
        "{told}"
    );
    assert!(!told.contains("circle"), "{told}");
}

#[test]
fn a_group_without_members_says_so_itself_and_behind_an_alias() {
    let group = |members: &[&str]| {
        let members = members.iter().map(|text| address(text)).collect();
        Object::Group(GroupObject { members, ..GroupObject::new(address("board@a.example")) })
    };
    let named = alias("info@a.example", &["board@a.example"]);
    let empty = directory(&["a.example"], vec![account(1, "alice@a.example"), group(&[]), named.clone()]);
    for text in ["board@a.example", "info@a.example"] {
        let resolution = to(&empty, text);
        assert_eq!(refused(&resolution), RefuseReason::GroupWithoutMembers, "{resolution}");
        let told = resolution.to_string();
        assert!(told.contains("group board@a.example (it has no members)"), "{told}");
        assert!(
            told.ends_with(
                "refused, it leads to a group without members: 550 5.2.4 This address leads to a group without members\n"
            ),
            "{told}"
        );
    }
    // Members who are gone are another matter.
    let gone = directory(&["a.example"], vec![group(&["gone@a.example"])]);
    assert_eq!(refused(&to(&gone, "board@a.example")), RefuseReason::LeadsNowhere);
}

#[test]
fn a_refusal_has_its_reason_in_words() {
    let Object::Alias(mut off) = alias("info@a.example", &["alice@a.example"]) else { unreachable!() };
    off.enabled = false;
    let objects = vec![
        account(1, "alice@a.example"),
        Object::Alias(off),
        alias("dead@a.example", &["gone@a.example"]),
        Object::Group(GroupObject::new(address("board@a.example"))),
    ];
    let directory = directory(&["a.example"], objects);
    let why = |text: &str| to(&directory, text).why_refused();
    for (text, expected) in [
        ("nobody@a.example", "there is no such address"),
        ("info@a.example", "there is no such address: its alias is disabled"),
        ("dead@a.example", "it leads to no address that exists: unknown gone@a.example (no such address)"),
        ("board@a.example", "it leads to a group without members: group board@a.example (it has no members)"),
        ("x@r.example", "not a domain of this server, and the sender has not logged in"),
    ] {
        assert_eq!(why(text).as_deref(), Some(expected), "{text}");
    }
    assert_eq!(why("alice@a.example"), None);
}

#[test]
fn a_very_wide_alias_resolves_and_a_too_wide_one_is_refused_whole() {
    let wide = |prefix: &str| (0..ALIAS_TARGETS_MAX).map(|n| format!("{prefix}{n}@r.example")).collect::<Vec<_>>();
    let mut objects = Vec::new();
    let names: Vec<String> = (0..11).map(|n| format!("w{n}@a.example")).collect();
    for name in &names {
        let targets = wide(&name[..3].replace('@', "x"));
        objects.push(alias(name, &targets.iter().map(String::as_str).collect::<Vec<_>>()));
    }
    objects.push(alias("all@a.example", &names.iter().map(String::as_str).collect::<Vec<_>>()));
    let directory = directory(&["a.example"], objects);
    assert_eq!(to(&directory, "w0@a.example").remotes.len(), ALIAS_TARGETS_MAX);
    assert_eq!(refused(&to(&directory, "all@a.example")), RefuseReason::TooManyTargets);
}

#[test]
fn a07_a_free_responder_accepts_and_says_so() {
    let mut off = responder_object(2, "off@a.example");
    off.enabled = false;
    let objects = vec![
        Object::Responder(responder_object(1, "prices@a.example")),
        Object::Responder(off),
        alias("list@a.example", &["prices@a.example"]),
    ];
    let directory = directory(&["a.example"], objects);
    let resolution = to(&directory, "Prices+x@a.example");
    assert!(resolution.responder_only());
    assert_eq!(resolution.verdict, Verdict::Accept);
    assert_eq!(resolution.responders, [(1, address("Prices+x@a.example"))]);
    assert!(resolution.to_string().contains("by a responder only"));
    assert!(to(&directory, "list@a.example").responder_only());
    assert_eq!(refused(&to(&directory, "off@a.example")), RefuseReason::NoSuchMailbox);
}

#[test]
fn responders_on_the_way_are_each_named_once() {
    let directory = directory(
        &["a.example"],
        vec![
            account(1, "alice@a.example"),
            alias("info@a.example", &["alice@a.example", "team@a.example"]),
            alias("team@a.example", &["alice@a.example"]),
            Object::Responder(responder_object(1, "alice@a.example")),
            Object::Responder(responder_object(2, "info@a.example")),
            Object::Responder(responder_object(3, "info@a.example")),
        ],
    );
    let mut responders = to(&directory, "info@a.example").responders;
    responders.sort();
    assert_eq!(responders, [1, 2, 3].map(|id| (id, address("info@a.example"))));
}

#[test]
fn postmaster_is_read_by_someone() {
    let admin = |id, text: &str, role| {
        let mut object = account_object(id, text);
        object.role = role;
        Object::Account(object)
    };
    let mut named = domain("named.example");
    named.postmaster = Some(address("boss@named.example"));
    let mut badly = domain("badly.example");
    badly.postmaster = Some(address("postmaster@badly.example"));
    let mut catching = domain("catch.example");
    catching.catch_all = Some(address("c@catch.example"));
    let first = vec![
        Object::Domain(named),
        Object::Domain(badly.clone()),
        Object::Domain(catching.clone()),
        account(1, "boss@named.example"),
        account(2, "postmaster@own.example"),
        account(3, "u@da.example"),
        admin(4, "d@da.example", Role::DomainAdministrator),
        account(5, "c@catch.example"),
        alias("postmaster@dead.example", &["gone@dead.example"]),
        admin(9, "root@z.example", Role::Administrator),
    ];
    let directory = directory(&["own.example", "da.example", "bare.example", "dead.example", "z.example"], first);
    let table = [
        ("postmaster@own.example", 2),
        ("PostMaster@named.example", 1),
        ("postmaster@badly.example", 9),
        ("postmaster@da.example", 4),
        ("postmaster@bare.example", 9),
        ("postmaster@dead.example", 9),
        ("postmaster@catch.example", 9),
        ("postmaster@z.example", 9),
    ];
    for (text, id) in table {
        let resolution = to(&directory, text);
        assert_eq!((resolution.verdict.clone(), ids(&resolution)), (Verdict::Accept, vec![id]), "{text}\n{resolution}");
    }
    let bare = resolve(&directory, &ForwardPath::Postmaster, &Asking::anyone(NOW));
    assert_eq!(bare.written_to, address("postmaster@badly.example"));
    assert_eq!(ids(&bare), [9]);

    // No administrator: the catch-all, else the first account, else nobody yet.
    let no_admin =
        crate::testing::directory(&["p.example"], vec![Object::Domain(catching), account(5, "c@catch.example")]);
    assert_eq!(ids(&to(&no_admin, "postmaster@catch.example")), [5]);
    assert_eq!(ids(&to(&no_admin, "postmaster@p.example")), [5]);
    let empty = with_domain(Directory::default(), domain("a.example"));
    assert_eq!(refused(&to(&empty, "postmaster@a.example")), RefuseReason::NoPostmaster);
    assert!(to(&empty, "postmaster@a.example").verdict.refusal().unwrap().is_temporary());
    assert_eq!(refused(&resolve(&empty, &ForwardPath::Postmaster, &Asking::anyone(NOW))), RefuseReason::NoPostmaster);
    assert_eq!(
        refused(&resolve(&Directory::default(), &ForwardPath::Postmaster, &Asking::anyone(NOW))),
        RefuseReason::NoPostmaster
    );
}

#[test]
fn the_tree_goes_through_json() {
    let objects = vec![account(1, "alice@a.example"), alias("info@a.example", &["alice+x@a.example", ":blackhole:"])];
    let resolution = to(&directory(&["a.example"], objects), "info@a.example");
    let json = serde_json::to_value(&resolution).unwrap();
    assert_eq!(json["verdict"], "accept");
    assert_eq!(json["tree"]["children"][0]["what"], "alias");
    assert_eq!(json["tree"]["children"][0]["children"][0]["children"][0]["detail"], "x");
    assert_eq!(serde_json::from_value::<Resolution>(json).unwrap(), resolution);
}

// Random directories: a few domains, accounts u0…, aliases l0… with arbitrary targets, catch-alls, responders.

#[derive(Clone, Debug)]
struct Plan {
    accounts: Vec<(u8, u8)>,
    aliases: Vec<(u8, u8, Vec<u8>)>,
    catch_alls: [Option<u8>; 2],
    responders: Vec<u8>,
}

const DOMAINS: [&str; 2] = ["a.example", "b.example"];

fn name(pick: u8) -> String {
    let domain = DOMAINS[usize::from(pick % 2)];
    match pick / 2 % 4 {
        0 => format!("u{}@{domain}", pick / 8 % 6),
        1 | 2 => format!("l{}@{domain}", pick / 8 % 12),
        _ => format!("r{}@remote.example", pick / 8 % 4),
    }
}

fn target(pick: u8) -> Target {
    match pick {
        250..=252 => Target::Blackhole,
        253..=255 => Target::AllUsers,
        pick if pick % 16 == 5 => Target::Address(address(&name(pick).replacen('@', "+t@", 1))),
        pick => Target::Address(address(&name(pick))),
    }
}

fn plan() -> impl Strategy<Value = Plan> {
    let accounts = prop::collection::vec((0..6_u8, 0..2_u8), 0..8);
    let aliases = prop::collection::vec((0..12_u8, 0..2_u8, prop::collection::vec(any::<u8>(), 1..5)), 0..14);
    let catch_alls = [prop::option::of(any::<u8>()), prop::option::of(any::<u8>())];
    (accounts, aliases, catch_alls, prop::collection::vec(any::<u8>(), 0..4))
        .prop_map(|(accounts, aliases, catch_alls, responders)| Plan { accounts, aliases, catch_alls, responders })
}

/// The objects of a plan, one for each key; aliases of one address are merged, as the store would have them.
fn objects(plan: &Plan) -> Vec<Object> {
    let mut objects = Vec::new();
    for (n, text) in DOMAINS.iter().enumerate() {
        let catch_all = plan.catch_alls[n].map(|pick| address(&name(pick)));
        objects.push(Object::Domain(DomainObject { catch_all, ..domain(text) }));
    }
    let mut seen = HashSet::new();
    for (n, d) in &plan.accounts {
        let text = format!("u{n}@{}", DOMAINS[usize::from(*d)]);
        if seen.insert(text.clone()) {
            objects.push(account(u64::from(*n) * 2 + u64::from(*d) + 1, &text));
        }
    }
    let mut merged: std::collections::BTreeMap<String, Vec<Target>> = std::collections::BTreeMap::new();
    for (n, d, targets) in &plan.aliases {
        // Some aliases stand beside a mailbox.
        let text = format!("{}{n}@{}", if *n < 3 { "u" } else { "l" }, DOMAINS[usize::from(*d)]);
        merged.entry(text).or_default().extend(targets.iter().map(|pick| target(*pick)));
    }
    for (text, targets) in merged {
        objects.push(Object::Alias(AliasObject::new(address(&text), targets)));
    }
    for (n, pick) in plan.responders.iter().enumerate() {
        objects.push(Object::Responder(responder_object(n as u64 + 1, &name(*pick))));
    }
    objects
}

fn build(objects: impl IntoIterator<Item = Object>) -> Directory {
    let mut directory = Directory::default();
    objects.into_iter().for_each(|object| directory.put(object));
    directory
}

/// What is reached, by a plain breadth-first search that shares nothing with the walk.
fn reachable(
    directory: &Directory,
    from: &Address,
) -> (std::collections::BTreeSet<u64>, std::collections::BTreeSet<Address>, bool) {
    let (mut accounts, mut remotes, mut dropped) =
        (std::collections::BTreeSet::new(), std::collections::BTreeSet::new(), false);
    let mut open = std::collections::VecDeque::from([from.clone()]);
    let mut seen = HashSet::new();
    while let Some(at) = open.pop_front() {
        if !seen.insert(at.clone()) {
            continue;
        }
        let Some(domain) = directory.domain(at.domain()) else {
            remotes.insert(at);
            continue;
        };
        let has = |a: &Address| {
            directory.account(a).is_some()
                || directory.alias(a).is_some()
                || directory.responders_at(a).next().is_some()
        };
        let base = match at.local().as_str().split_once('+') {
            Some((base, _)) if !has(&at) => Address::new(base, at.domain().clone()).unwrap(),
            _ => at.clone(),
        };
        if !has(&base) {
            open.extend(domain.catch_all.clone());
            continue;
        }
        accounts.extend(directory.account(&base).map(|account| account.id.0));
        for target in directory.alias(&base).map(|alias| alias.targets.clone()).unwrap_or_default() {
            match target {
                Target::Address(next) => open.push_back(next),
                Target::Blackhole => dropped = true,
                Target::Fail(_) => {}
                Target::AllUsers => open.extend(directory.accounts_of(base.domain()).map(|a| a.address.clone())),
            }
        }
    }
    (accounts, remotes, dropped)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn everything_reachable_is_reached_exactly_once(plan in plan(), ask in any::<u8>()) {
        let directory = build(objects(&plan));
        let from = address(&name(ask));
        let resolution = to(&directory, from.to_string().as_str());
        let (accounts, remotes, dropped) = reachable(&directory, &from);
        prop_assert_eq!(ids(&resolution), accounts.into_iter().collect::<Vec<_>>());
        let mut found = resolution.remotes.clone();
        found.sort();
        prop_assert_eq!(found, remotes.into_iter().collect::<Vec<_>>());
        prop_assert_eq!(resolution.dropped, dropped);
        let distinct: HashSet<u64> = resolution.responders.iter().map(|(id, _)| *id).collect();
        prop_assert_eq!(distinct.len(), resolution.responders.len());
    }

    #[test]
    fn the_order_of_definitions_is_irrelevant(plan in plan(), ask in any::<u8>()) {
        let forwards = objects(&plan);
        let mut backwards = forwards.clone();
        backwards.reverse();
        for object in &mut backwards {
            if let Object::Alias(alias) = object {
                alias.targets.reverse();
                let twice = alias.targets.clone();
                alias.targets.extend(twice);
            }
        }
        let ask = name(ask);
        prop_assert_eq!(to(&build(forwards), &ask), to(&build(backwards), &ask));
    }

    #[test]
    fn adding_a_redirect_never_removes_a_recipient(plan in plan(), which in any::<prop::sample::Index>(), extra in any::<u8>(), ask in any::<u8>()) {
        let mut objects = objects(&plan);
        let ask = name(ask);
        let before = to(&build(objects.clone()), &ask);
        let aliases: Vec<usize> = objects.iter().enumerate().filter(|(_, o)| matches!(o, Object::Alias(_))).map(|(n, _)| n).collect();
        prop_assume!(!aliases.is_empty());
        let chosen = aliases[which.index(aliases.len())];
        if let Object::Alias(alias) = &mut objects[chosen] {
            alias.targets.push(target(extra));
        }
        let after = to(&build(objects), &ask);
        prop_assert!(ids(&before).iter().all(|id| ids(&after).contains(id)));
        prop_assert!(before.remotes.iter().all(|remote| after.remotes.contains(remote)));
        prop_assert!(!before.dropped || after.dropped);
        prop_assert!(!before.verdict.is_accept() || after.verdict.is_accept());
    }
}
