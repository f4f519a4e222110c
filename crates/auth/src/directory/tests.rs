use std::net::IpAddr;
use std::sync::Arc;

use mail::{Address, Domain, Timestamp};
use routing::objects::{AccountKind, AccountObject, GroupObject, Object, Service};
use storage::objects::PutMode;
use storage::{MemoryEngine, SilentDoorbell, Store};
use world::simulated::SimulatedWorld;

use super::*;

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

struct Stage {
    sim: SimulatedWorld,
    store: Store,
    auth: DirectoryAuthenticator,
}

async fn stage(settings: Settings) -> Stage {
    let sim = SimulatedWorld::new(Timestamp(1_700_000_000_000), 1);
    let world = sim.world();
    let store = Store::open(Arc::new(MemoryEngine::new(Arc::new(SilentDoorbell))), world.clone()).await.unwrap();
    let account = AccountObject {
        display_name: "Alice".into(),
        password_hash: Some(hash_password("secret", PasswordParams::CHEAPEST, &*world.chance).unwrap()),
        created_at: world.clock.now(),
        ..AccountObject::new(Address::parse("Alice@example.org").unwrap())
    };
    store.add_account(account).await.unwrap();
    let auth = DirectoryAuthenticator::new(store.clone(), settings).unwrap();
    Stage { sim, store, auth }
}

fn cheap() -> Settings {
    Settings { password: PasswordParams::CHEAPEST, ..Settings::default() }
}

async fn edit(store: &Store, change: impl FnOnce(&mut AccountObject)) {
    let mut account = (**store.directory().account(&Address::parse("alice@example.org").unwrap()).unwrap()).clone();
    change(&mut account);
    store.put_object(Object::Account(account), PutMode::Replace).await.unwrap();
}

#[tokio::test]
async fn the_login_is_the_address_in_any_case() {
    let stage = stage(cheap()).await;
    for login in ["alice@example.org", "ALICE@Example.ORG", " alice@example.org "] {
        let account = stage.auth.authenticate(login, "secret", HOME, Service::Imap).await.unwrap();
        assert_eq!(account.address.to_string(), "Alice@example.org", "{login}");
    }
    for login in ["alice", "bob@example.org", "", "alice@example.org\0"] {
        assert_eq!(
            stage.auth.authenticate(login, "secret", HOME, Service::Imap).await,
            Err(AuthError::Refused),
            "{login}"
        );
    }
}

#[tokio::test]
async fn a_disabled_account_and_one_without_password_get_the_same_refusal() {
    let stage = stage(cheap()).await;
    edit(&stage.store, |account| account.enabled = false).await;
    assert_eq!(
        stage.auth.authenticate("alice@example.org", "secret", HOME, Service::Imap).await,
        Err(AuthError::Refused)
    );
    edit(&stage.store, |account| {
        account.enabled = true;
        account.password_hash = None;
    })
    .await;
    assert_eq!(stage.auth.authenticate("alice@example.org", "", HOME, Service::Imap).await, Err(AuthError::Refused));
}

#[tokio::test]
async fn r07_nobody_logs_in_to_a_shared_mailbox_not_even_with_its_password() {
    let stage = stage(cheap()).await;
    stage.auth.authenticate("alice@example.org", "secret", HOME, Service::Imap).await.unwrap();
    edit(&stage.store, |account| account.kind = AccountKind::Shared).await;
    assert_eq!(
        stage.auth.authenticate("alice@example.org", "secret", HOME, Service::Imap).await,
        Err(AuthError::Refused)
    );
}

#[tokio::test]
async fn a_remembered_success_ends_with_the_password_and_with_the_account() {
    let stage = stage(cheap()).await;
    stage.auth.authenticate("alice@example.org", "secret", HOME, Service::Imap).await.unwrap();
    let chance = stage.sim.world().chance;
    let hash = hash_password("other", PasswordParams::CHEAPEST, &*chance).unwrap();
    edit(&stage.store, |account| account.password_hash = Some(hash)).await;
    assert_eq!(
        stage.auth.authenticate("alice@example.org", "secret", HOME, Service::Imap).await,
        Err(AuthError::Refused)
    );
    stage.auth.authenticate("alice@example.org", "other", HOME, Service::Imap).await.unwrap();
    edit(&stage.store, |account| account.enabled = false).await;
    assert_eq!(
        stage.auth.authenticate("alice@example.org", "other", HOME, Service::Imap).await,
        Err(AuthError::Refused)
    );
}

#[tokio::test]
async fn a_success_is_remembered_and_spares_the_pool() {
    // With a pool that takes nobody, only what is remembered gets in.
    let mut stage = stage(cheap()).await;
    stage.auth.authenticate("alice@example.org", "secret", HOME, Service::Imap).await.unwrap();
    stage.auth.pool = Pool::closed();
    stage.auth.authenticate("alice@example.org", "secret", HOME, Service::Imap).await.unwrap();
    assert_eq!(
        stage.auth.authenticate("alice@example.org", "wrong", HOME, Service::Imap).await,
        Err(AuthError::Unavailable)
    );
    stage.sim.clock.advance(Settings::default().success_remembered);
    assert_eq!(
        stage.auth.authenticate("alice@example.org", "secret", HOME, Service::Imap).await,
        Err(AuthError::Unavailable)
    );
}

#[tokio::test]
async fn an_unknown_login_takes_the_way_of_a_known_one() {
    // The pool is the only slow thing here: an unknown, a disabled and a known login all have to pass it.
    let mut stage = stage(cheap()).await;
    stage.auth.pool = Pool::closed();
    for login in ["alice@example.org", "nobody@example.org", "nobody@elsewhere.example"] {
        assert_eq!(
            stage.auth.authenticate(login, "wrong", HOME, Service::Imap).await,
            Err(AuthError::Unavailable),
            "{login}"
        );
    }
    edit(&stage.store, |account| account.enabled = false).await;
    assert_eq!(
        stage.auth.authenticate("alice@example.org", "secret", HOME, Service::Imap).await,
        Err(AuthError::Unavailable)
    );
    assert!(stage.auth.nobodys_hash.starts_with("$argon2id$v=19$m=8,t=1,p=1$"), "it costs what an account's costs");
}

#[tokio::test]
async fn guessing_is_slowed_then_refused_and_ends_by_itself() {
    let guard = GuardSettings { address_failures_max: 3, account_failures_max: 0, ..GuardSettings::default() };
    let stage = stage(Settings { guard, ..cheap() }).await;
    for _ in 0..2 {
        assert_eq!(
            stage.auth.authenticate("alice@example.org", "wrong", HOME, Service::Imap).await,
            Err(AuthError::Refused)
        );
    }
    let held_back = stage.auth.authenticate("alice@example.org", "wrong", HOME, Service::Imap);
    let driver = async {
        while stage.sim.clock.next_wake().is_none() {
            tokio::task::yield_now().await;
        }
        stage.sim.clock.advance(Duration::from_millis(500));
    };
    assert_eq!(tokio::join!(held_back, driver).0, Err(AuthError::Refused));
    let refused = stage.auth.authenticate("alice@example.org", "secret", HOME, Service::Imap).await;
    assert!(matches!(refused, Err(AuthError::TooManyFailures { .. })), "{refused:?}");
    stage.sim.clock.advance(Duration::from_secs(60));
    stage.auth.authenticate("alice@example.org", "secret", HOME, Service::Imap).await.unwrap();
}

#[tokio::test]
async fn what_is_too_long_is_refused_unread() {
    let mut stage = stage(cheap()).await;
    stage.auth.pool = Pool::closed();
    let long = "x".repeat(PASSWORD_OCTETS_MAX + 1);
    assert_eq!(stage.auth.authenticate("alice@example.org", &long, HOME, Service::Imap).await, Err(AuthError::Refused));
    assert_eq!(stage.auth.authenticate(&long, "secret", HOME, Service::Imap).await, Err(AuthError::Refused));
}

#[tokio::test]
async fn r05_every_address_of_the_account_is_a_login() {
    let guard = GuardSettings { address_failures_max: 0, account_failures_max: 3, ..GuardSettings::default() };
    let stage = stage(Settings { guard, ..cheap() }).await;
    let further = Domain::parse("example.com").unwrap();
    assert_eq!(
        stage.auth.authenticate("alice@example.com", "secret", HOME, Service::Imap).await,
        Err(AuthError::Refused)
    );
    edit(&stage.store, |account| account.also_in = vec![further]).await;
    for login in ["alice@example.com", "Alice@EXAMPLE.com", "alice@example.org"] {
        let account = stage.auth.authenticate(login, "secret", HOME, Service::Imap).await.unwrap();
        assert_eq!(account.address.to_string(), "Alice@example.org", "{login}");
    }
    // Guesses count together, by whichever address they come.
    for (login, from) in [("alice@example.com", 7), ("alice@example.org", 8), ("alice@example.com", 9)] {
        let elsewhere = IpAddr::from([198, 51, 100, from]);
        stage.auth.authenticate(login, "wrong", elsewhere, Service::Imap).await.unwrap_err();
    }
    let stranger: IpAddr = "203.0.113.1".parse().unwrap();
    for login in ["alice@example.com", "alice@example.org"] {
        let refused = stage.auth.authenticate(login, "secret", stranger, Service::Imap).await;
        assert!(matches!(refused, Err(AuthError::TooManyFailures { .. })), "{login}: {refused:?}");
    }
}

#[tokio::test]
async fn m06_a_withdrawn_service_looks_like_a_wrong_password() {
    let mut stage = stage(cheap()).await;
    let clock = stage.sim.clock.clone();
    let ask = async |auth: &DirectoryAuthenticator, service| {
        // Earlier failures have worn off.
        clock.advance(Duration::from_secs(120));
        auth.authenticate("alice@example.org", "secret", HOME, service).await
    };
    ask(&stage.auth, Service::Imap).await.unwrap();
    edit(&stage.store, |account| account.withdrawn = vec![Service::Imap]).await;
    assert_eq!(ask(&stage.auth, Service::Imap).await, Err(AuthError::Refused), "what is remembered does not help");
    ask(&stage.auth, Service::Submission).await.unwrap();
    edit(&stage.store, |account| account.withdrawn.clear()).await;
    ask(&stage.auth, Service::Imap).await.unwrap();
    let mut group = GroupObject::new(Address::parse("interns@example.org").unwrap());
    group.members = vec![Address::parse("alice@example.org").unwrap()];
    group.withdrawn = vec![Service::Submission];
    stage.store.add_group(group).await.unwrap();
    assert_eq!(ask(&stage.auth, Service::Submission).await, Err(AuthError::Refused));
    ask(&stage.auth, Service::Imap).await.unwrap();
    edit(&stage.store, |account| account.kind = AccountKind::Shared).await;
    assert_eq!(ask(&stage.auth, Service::Imap).await, Err(AuthError::Refused), "nobody logs in to a shared mailbox");
    // It costs what a wrong password costs.
    stage.auth.pool = Pool::closed();
    assert_eq!(ask(&stage.auth, Service::Imap).await, Err(AuthError::Unavailable));
}

#[tokio::test]
async fn m04_the_old_password_is_asked_under_the_guard() {
    let guard = GuardSettings { address_failures_max: 2, account_failures_max: 0, ..GuardSettings::default() };
    let stage = stage(Settings { guard, ..cheap() }).await;
    let account = stage.store.directory().account(&Address::parse("alice@example.org").unwrap()).cloned().unwrap();
    stage.auth.confirm(&account, "secret", HOME).await.unwrap();
    for _ in 0..2 {
        assert_eq!(stage.auth.confirm(&account, "wrong", HOME).await, Err(AuthError::Refused));
    }
    let refused = stage.auth.confirm(&account, "secret", HOME).await;
    assert!(matches!(refused, Err(AuthError::TooManyFailures { .. })), "{refused:?}");
}

#[tokio::test]
async fn the_door_hears_of_guesses_and_of_who_is_let_in() {
    let guard = GuardSettings { address_failures_max: 0, account_failures_max: 0, ..GuardSettings::default() };
    let mut stage = stage(Settings { guard, ..cheap() }).await;
    let limits = abuse::Settings {
        failed_logins: abuse::PerNetwork([3, 0, 0]),
        // Answers go out at once: nobody turns the clock.
        tarpit_held_max: 0,
        ..abuse::Settings::default()
    };
    let door = abuse::Door::new(limits, || {});
    stage.auth = stage.auth.watched_by(door.clone());
    let now = stage.store.now();
    let (alice, bob) = ("alice@example.org", "bob@example.org");
    let at = |last| IpAddr::from([198, 51, 100, last]);
    let attempt = async |login: &str, password: &str, from: u8| {
        stage.auth.authenticate(login, password, at(from), Service::Imap).await.is_ok()
    };
    // Different passwords are guesses, whether the account is there or not; the same one again is a program that was not told the new one.
    for (login, password) in [(alice, "one"), (alice, "one"), (alice, "one"), (bob, "one")] {
        assert!(!attempt(login, password, 1).await);
    }
    assert!(door.banned(at(1), now).is_none());
    assert!(!attempt(alice, "two", 1).await);
    assert!(door.banned(at(1), now).unwrap().contains("3 failed logins in an hour"));
    // Who has logged in from there may mistype; guesses at others count.
    assert!(attempt(alice, "secret", 2).await);
    for password in ["one", "two", "three", "four"] {
        assert!(!attempt(alice, password, 2).await);
    }
    assert!(door.banned(at(2), now).is_none() && door.visitor(at(2), now).familiar);
    for password in ["one", "two", "three"] {
        assert!(!attempt(bob, password, 2).await);
    }
    assert!(door.banned(at(2), now).is_some());
    assert!(!door.visitor(at(1), now).familiar);
}
