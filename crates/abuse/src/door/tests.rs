use std::sync::atomic::AtomicU32;

use proptest::prelude::*;

use super::*;
use crate::changes::Change;

const START: Timestamp = Timestamp(1_700_000_000_000);

fn ip(text: &str) -> IpAddr {
    text.parse().unwrap()
}

fn after(secs: u64) -> Timestamp {
    START.plus(Duration::from_secs(secs))
}

fn settings() -> Settings {
    Settings {
        never_banned: vec!["127.0.0.0/8".parse().unwrap(), "203.0.113.9".parse().unwrap()],
        connections: PerNetwork([5, 50, 0]),
        messages: PerNetwork([3, 0, 0]),
        unknown_recipients: PerNetwork([4, 12, 0]),
        failed_logins: PerNetwork([3, 6, 0]),
        bad_commands: PerNetwork([10, 0, 0]),
        ban_at_multiple: 2,
        contact: "postmaster@mx.example".to_owned(),
        ..Settings::default()
    }
}

fn door() -> Door {
    Door::new(settings(), || {})
}

fn fail(door: &Door, who: &str, secs: u64) {
    let _done = door.failed_login(ip(who), false, None, after(secs));
}

/// The prefixes banned and the reasons.
fn banned(door: &Door, secs: u64) -> Vec<String> {
    door.in_force(after(secs)).iter().map(|ban| format!("{}: {}", ban.prefix, ban.why)).collect()
}

#[test]
fn who_guesses_passwords_is_kept_out_and_comes_back_by_itself() {
    let door = Door::new(Settings { failed_logins: PerNetwork([3, 0, 0]), ..settings() }, || {});
    for _ in 0..2 {
        fail(&door, "192.0.2.7", 0);
        assert_eq!(door.knock(ip("192.0.2.7"), after(0)), Entry::Welcome);
    }
    fail(&door, "192.0.2.7", 0);
    let Entry::Banned { why, explain, .. } = door.knock(ip("192.0.2.7"), after(1)) else { panic!() };
    assert!(explain);
    assert_eq!(
        why,
        "Your address 192.0.2.7 is banned until 2023-11-14 22:18:20 UTC: 3 failed logins in an hour; \
         write to postmaster@mx.example from elsewhere"
    );
    assert_eq!(door.knock(ip("192.0.2.8"), after(1)), Entry::Welcome, "a neighbour is not");
    assert_eq!(door.knock(ip("192.0.2.7"), after(300)), Entry::Welcome, "it is over");
    // Each further ban of the same place lasts longer, until the first is forgotten.
    for (secs, lasts) in [(400, 1_800), (3_000, 10_800), (20_000, 86_400), (200_000, 86_400), (90 * 86_400, 300)] {
        (0..3).for_each(|_| fail(&door, "192.0.2.7", secs));
        let [ban] = <[Ban; 1]>::try_from(door.in_force(after(secs))).unwrap();
        assert_eq!(ban.until, Some(after(secs + lasts)), "{}", ban.times);
    }
}

#[test]
fn what_comes_from_all_over_a_network_bans_it_but_not_who_has_logged_in_there() {
    let door = door();
    door.logged_in(ip("192.0.2.60"), after(0));
    for n in 1..=6 {
        fail(&door, &format!("192.0.2.{n}"), 0);
    }
    assert_eq!(banned(&door, 0), ["192.0.2.0/26: 6 failed logins in an hour"]);
    assert!(matches!(door.knock(ip("192.0.2.61"), after(1)), Entry::Banned { .. }));
    assert_eq!(door.knock(ip("192.0.2.60"), after(1)), Entry::Welcome);
    assert!(door.banned(ip("192.0.2.60"), after(31 * 86_400)).is_none(), "long over");
    // What an administrator bans is banned.
    door.ban("192.0.2.0/24".parse().unwrap(), "spam wave", None, after(1)).unwrap();
    assert!(matches!(door.knock(ip("192.0.2.60"), after(1)), Entry::Banned { .. }));
}

#[test]
fn who_mistypes_their_own_password_is_no_guesser() {
    let door = door();
    for _ in 0..50 {
        let _done = door.failed_login(ip("192.0.2.7"), true, None, after(0));
        let _done = door.failed_login(ip("198.51.100.8"), false, Some(7), after(0));
    }
    assert_eq!(
        banned(&door, 0),
        Vec::<String>::new(),
        "a familiar account, and the same wrong password again and again"
    );
    let counted = |who: &str| door.visitor(ip(who), after(0)).counts.first().map(|count| count.count);
    assert_eq!((counted("192.0.2.7"), counted("198.51.100.8")), (None, Some(1)));
    for guess in 8..10 {
        let _done = door.failed_login(ip("198.51.100.8"), false, Some(guess), after(0));
    }
    assert_eq!(banned(&door, 0).len(), 1, "other passwords are guesses");
}

#[test]
fn nobody_whom_the_settings_name_is_counted_or_banned() {
    let door = door();
    for who in ["127.0.0.1", "::ffff:127.0.0.9", "203.0.113.9", "0.0.0.0", "::"] {
        for _ in 0..100 {
            fail(&door, who, 0);
            assert_eq!(door.knock(ip(who), after(0)), Entry::Welcome);
            assert_eq!(door.unknown_recipient(ip(who), after(0)), Strike::default());
            assert_eq!(door.message(ip(who), after(0)), None);
            assert_eq!(door.bad_commands(ip(who), 9, after(0)), None);
        }
        assert!(door.visitor(ip(who), after(0)).never_banned);
    }
    assert!(banned(&door, 0).is_empty());
    // Not even as a part of a network.
    door.ban("203.0.113.0/24".parse().unwrap(), "all of them", None, after(0)).unwrap();
    assert!(door.banned(ip("203.0.113.8"), after(0)).is_some());
    assert_eq!(door.banned(ip("203.0.113.9"), after(0)), None);
    // A reload tells who they are.
    door.reload(Settings { never_banned: Vec::new(), ..settings() });
    assert!(door.banned(ip("203.0.113.9"), after(0)).is_some());
}

#[test]
fn a_rate_is_answered_with_patience_and_its_multiple_with_a_ban() {
    let door = door();
    let knock = |secs| door.knock(ip("192.0.2.7"), after(secs));
    for _ in 0..5 {
        assert_eq!(knock(0), Entry::Welcome);
    }
    for n in 0..4 {
        let why = "Too many connections from 192.0.2.7: at most 5 in a minute are taken; come again later".to_owned();
        assert_eq!(knock(0), Entry::TooMany { why, explain: n < 6 });
    }
    assert_eq!(knock(70), Entry::Welcome, "a minute later");
    for _ in 0..8 {
        let _ = knock(70);
    }
    let Entry::Banned { why, .. } = knock(70) else { panic!() };
    assert!(why.contains("10 connections in a minute"), "{why}");
    assert!(door.message(ip("192.0.2.7"), after(70)).unwrap().contains("is banned"), "in a session that is open");
    // The ban is over: nothing is left of the count.
    assert_eq!(knock(70 + 300), Entry::Welcome);
}

#[test]
fn who_comes_again_and_again_is_not_worth_a_handshake() {
    let door = door();
    door.ban("192.0.2.7".parse().unwrap(), "no", None, after(0)).unwrap();
    let explained = |secs| matches!(door.knock(ip("192.0.2.7"), after(secs)), Entry::Banned { explain: true, .. });
    assert_eq!((0..20).filter(|_| explained(0)).count(), 6);
    assert!(explained(120));
}

#[test]
fn who_tries_which_recipients_there_are_waits_is_asked_for_patience_and_banned() {
    let door = door();
    let strikes: Vec<Strike> = (0..8).map(|_| door.unknown_recipient(ip("192.0.2.7"), after(0))).collect();
    let waits: Vec<u128> = strikes.iter().map(|strike| strike.wait.as_millis()).collect();
    assert_eq!(waits, [0, 0, 0, 0, 500, 1_000, 2_000, 0], "with the ban the count begins anew");
    let over: Vec<bool> = strikes.iter().map(|strike| strike.over.is_some()).collect();
    assert_eq!(over, [false, false, false, false, true, true, true, true]);
    let too_many = "Too many recipients that do not exist from 192.0.2.7: at most 4 in an hour";
    assert!(strikes[6].over.as_ref().unwrap().starts_with(too_many) && strikes[6].banned.is_none());
    assert!(strikes[7].banned.as_ref().unwrap().contains(": 8 recipients that do not exist in an hour;"));
}

#[test]
fn bad_commands_ban_and_messages_have_a_rate() {
    let door = door();
    assert_eq!(door.bad_commands(ip("2001:db8::1"), 9, after(0)), None);
    let told = door.bad_commands(ip("2001:db8::2"), 1, after(0)).unwrap();
    assert!(told.contains("2001:db8::/64 is banned") && told.contains("10 commands that make no sense"), "{told}");
    let messages = (0..4).map(|_| door.message(ip("192.0.2.7"), after(0)).is_some());
    assert_eq!(messages.collect::<Vec<_>>(), [false, false, false, true]);
}

#[test]
fn switched_off_it_knows_only_what_administrators_ban() {
    let door = door();
    (0..3).for_each(|_| fail(&door, "192.0.2.7", 0));
    assert!(door.banned(ip("192.0.2.7"), after(1)).is_some());
    door.reload(Settings { enabled: false, ..settings() });
    assert_eq!(door.banned(ip("192.0.2.7"), after(1)), None);
    (0..50).for_each(|_| assert_eq!(door.knock(ip("192.0.2.8"), after(1)), Entry::Welcome));
    door.ban("192.0.2.7".parse().unwrap(), "no", None, after(1)).unwrap();
    assert!(door.banned(ip("192.0.2.7"), after(1)).is_some());
}

#[test]
fn what_is_to_be_kept_is_told_once_and_the_bell_rings() {
    let rings = Arc::new(AtomicU32::new(0));
    let heard = rings.clone();
    let door = Door::new(settings(), move || {
        heard.fetch_add(1, Ordering::Relaxed);
    });
    fail(&door, "192.0.2.7", 0);
    assert_eq!(rings.load(Ordering::Relaxed), 0);
    (0..2).for_each(|_| fail(&door, "192.0.2.7", 0));
    assert_eq!(rings.load(Ordering::Relaxed), 1);
    let changes: Vec<Change> = door.take_changes().iter().collect();
    let Ok([Change::Banned(ban)]) = <[Change; 1]>::try_from(changes) else { panic!() };
    assert!(door.take_changes().is_empty());
    // Another door, after a restart.
    let next = Door::new(settings(), || {});
    next.load([ban.clone()]);
    assert!(next.banned(ip("192.0.2.7"), after(1)).is_some());
    assert!(next.take_changes().is_empty(), "that is kept already");
    (0..3).for_each(|_| fail(&next, "192.0.2.7", 400));
    assert_eq!(next.in_force(after(400))[0].times, 2);
    assert_eq!(next.sweep(after(400 + 1_800 + 30 * 86_400)), 1);
    assert_eq!(next.take_changes().iter().collect::<Vec<_>>(), [Change::Gone(ban.prefix)]);
}

#[test]
fn what_nobody_takes_is_bounded_and_the_bans_hold() {
    let door = door();
    let place = |n: u32| Prefix::place(std::net::Ipv4Addr::from_bits(0x0A00_0000 + n).into());
    let most = u32::try_from(crate::limits::BANS_MAX).unwrap();
    for n in 0..most + 5 {
        door.ban(place(n), "spam wave", Some(after(1_000 + u64::from(n))), after(0)).unwrap();
    }
    assert!(door.banned(place(most + 4).first(), after(1)).is_some());
    assert!(door.lift(&place(most)).is_some());
    let changes = door.take_changes();
    assert!(changes.is_everything() && changes.iter().next().is_none());
    assert_eq!(door.remembered().len(), crate::limits::BANS_MAX - 1);
    assert!(door.take_changes().is_empty(), "what comes later is noted anew");
    fail(&door, "192.0.2.7", 0);
    assert!(door.lift(&place(most + 1)).is_some());
    assert_eq!(door.take_changes().iter().collect::<Vec<_>>(), [Change::Gone(place(most + 1))]);
}

#[test]
fn an_administrator_sees_and_lifts() {
    let door = door();
    (0..3).for_each(|_| fail(&door, "192.0.2.7", 0));
    fail(&door, "192.0.2.7", 0);
    let seen = door.visitor(ip("192.0.2.7"), after(1));
    assert_eq!((seen.bans.len(), seen.told.is_some(), seen.familiar), (1, true, false));
    let counts: Vec<(String, u32, u32)> =
        seen.counts.iter().map(|one| (one.prefix.to_string(), one.count, one.bans_from)).collect();
    assert_eq!(
        counts,
        [("192.0.2.7".to_owned(), 1, 3), ("192.0.2.0/26".to_owned(), 4, 6), ("192.0.0.0/21".to_owned(), 4, 0)]
    );
    let seven = "192.0.2.7".parse().unwrap();
    assert!(door.lift(&seven).is_some() && door.lift(&seven).is_none());
    let seen = door.visitor(ip("192.0.2.7"), after(1));
    assert_eq!((seen.bans.len(), seen.told, seen.counts.len()), (0, None, 2));
    let ban = door.ban(seven, "schön\r\n250 ok", Some(after(60)), after(1)).unwrap();
    assert_eq!((ban.why.as_str(), ban.times), ("schön  250 ok", 1));
    // What is over still shows, for it makes the next one longer.
    let seen = door.visitor(ip("192.0.2.7"), after(61));
    assert_eq!((seen.bans.len(), seen.told), (1, None));
}

#[test]
fn so_many_answers_wait_and_no_more() {
    let door = Door::new(Settings { tarpit_held_max: 2, ..settings() }, || {});
    let (first, second) = (door.hold().unwrap(), door.hold().unwrap());
    assert!(door.hold().is_none());
    drop(first);
    assert!(door.hold().is_some());
    drop(second);
    assert_eq!(door.held(), 0);
}

proptest! {
    /// Whatever happens: memory is bounded, sentences are one line of ASCII, and a ban has an end.
    #[test]
    fn nothing_that_clients_do_gets_out_of_hand(
        steps in prop::collection::vec((0_u8..6, any::<[u8; 2]>(), 0_u64..500), 1..200),
    ) {
        let door = door();
        let mut secs = 0;
        for (what, [a, b], passed) in steps {
            secs += passed;
            let (who, now) = (IpAddr::from([192, 0, a % 2, b % 8]), after(secs));
            let told = match what {
                0 => match door.knock(who, now) {
                    Entry::Welcome => None,
                    Entry::Banned { why, .. } | Entry::TooMany { why, .. } => Some(why),
                },
                1 => door.message(who, now),
                2 => {
                    let strike = door.unknown_recipient(who, now);
                    strike.banned.or(strike.over)
                }
                3 => door.bad_commands(who, 3, now),
                4 => {
                    prop_assert!(door.failed_login(who, a > 128, Some(b.into()), now) <= Duration::from_secs(10));
                    None
                }
                _ => {
                    door.logged_in(who, now);
                    None
                }
            };
            if let Some(told) = told {
                prop_assert!(told.len() < 300 && told.bytes().all(|byte| (b' '..=b'~').contains(&byte)), "{}", told);
            }
        }
        for ban in door.in_force(after(secs)) {
            prop_assert!(ban.until.unwrap() <= after(secs + 86_400));
        }
    }
}
