//! V4: what begins is noted, and what ends by itself is told once.

use super::*;
use crate::switch_off::Opened;

async fn letters(server: &Server) -> Vec<String> {
    let mut found = Vec::new();
    for row in server.mailbox("alice@a.example", "INBOX").await {
        let text = server.text(&row.blob, 0).await;
        if text.contains("From: <postmaster@a.example>\r\n") {
            found.push(text);
        }
    }
    found
}

/// Those that say that an absence acts, as their plain texts.
async fn announced(server: &Server) -> Vec<String> {
    let mut found = Vec::new();
    for letter in letters(server).await {
        let parsed = mail_parser::MessageParser::default().parse(letter.as_bytes()).unwrap();
        if parsed.subject() == Some("Votre message d'absence est actif") {
            found.push(parsed.body_text(0).unwrap().into_owned());
        }
    }
    found
}

async fn answered(server: &Server, id: u64) -> Option<(bool, u64)> {
    server.store.responder_state(id).await.unwrap().map(|state| (state.ended, state.answered))
}

async fn enable(server: &Server, id: u64, enabled: bool) {
    let object = server.store.directory().responder(id).unwrap().as_ref().clone();
    server.store.put_object(Object::Responder(ResponderObject { enabled, ..object }), PutMode::Replace).await.unwrap();
}

#[tokio::test]
async fn v04_the_owner_is_told_that_an_absence_acts_with_a_link_for_that_activation() {
    let mut server = Server::new("a.example").await;
    let links = SwitchOffLinks::new(&server.store, Some("https://mail.a.example/")).await.unwrap();
    server.responder = server.responder.with_links(links.clone());
    let id = server
        .add_responder("alice@a.example", |r| {
            (r.kind, r.keep) = (ResponderKind::OutOfOffice, false);
            (r.starts, r.ends) = (Some("2026-09-22".to_owned()), Some("2026-09-25".to_owned()));
        })
        .await;
    server.add_responder("alice@a.example", |_| ()).await;
    server.responder.look().await.unwrap();
    assert!(letters(&server).await.is_empty(), "it waits, and a robot is no absence");
    server.sim.clock.advance(Duration::from_secs(86_400));
    for _ in 0..3 {
        server.responder.look().await.unwrap();
    }
    let told = announced(&server).await;
    assert_eq!(told.len(), 1);
    for words in ["« Absence : » pour alice@a.example", "jusqu'au 25 septembre 2026", "supprimés"] {
        assert!(told[0].contains(words), "{words} in {}", told[0]);
    }
    let token = |letter: &str| {
        let at = letter.find("https://mail.a.example/absence/").unwrap();
        letter[at..].split_whitespace().next().unwrap().rsplit_once('/').unwrap().1.to_owned()
    };
    let first = token(&told[0]);
    assert!(matches!(links.opened(&server.store, &first).await, Ok(Opened::Active(found)) if found.id == id));
    assert_eq!(links.opened(&server.store, "x").await, Ok(Opened::Void));
    // Switched off, the link is over, at once and for the next time that it acts.
    enable(&server, id, false).await;
    assert_eq!(links.opened(&server.store, &first).await, Ok(Opened::Over));
    server.responder.look().await.unwrap();
    enable(&server, id, true).await;
    server.sim.clock.advance(Duration::from_millis(1));
    server.responder.look().await.unwrap();
    let told = announced(&server).await;
    assert_eq!(told.len(), 2);
    assert_eq!(links.opened(&server.store, &first).await, Ok(Opened::Over));
    let second = token(&told[1]);
    assert!(matches!(links.opened(&server.store, &second).await, Ok(Opened::Active(_))));
    // And with the window it ends.
    server.sim.clock.advance(Duration::from_secs(5 * 86_400));
    assert_eq!(links.opened(&server.store, &second).await, Ok(Opened::Over));
}

#[tokio::test]
async fn v04_an_answer_before_the_look_takes_no_letter_away() {
    let server = Server::new("a.example").await;
    let id = server.add_responder("alice@a.example", |r| r.kind = ResponderKind::OutOfOffice).await;
    server.receive("x@r.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    assert!(announced(&server).await.is_empty());
    for _ in 0..2 {
        server.responder.look().await.unwrap();
    }
    let told = announced(&server).await;
    assert_eq!(told.len(), 1);
    let command = format!("`relais --as alice@a.example responder set {id} --disable`");
    assert!(told[0].contains(&command), "without pages there is no link: {}", told[0]);
    assert_eq!(answered(&server, id).await, Some((false, 1)));
}

#[tokio::test]
async fn v04_the_letter_names_a_command_that_finds_the_configuration() {
    let mut server = Server::new("a.example").await;
    server.responder = Responder::new(server.delivery.clone().with_command("relais --config /srv/relais.toml"));
    let id = server.add_responder("alice@a.example", |r| r.kind = ResponderKind::OutOfOffice).await;
    server.responder.look().await.unwrap();
    let told = announced(&server).await;
    let command = format!("`relais --config /srv/relais.toml --as alice@a.example responder set {id} --disable`");
    assert!(told[0].contains(&command), "{}", told[0]);
}

/// Whoever may only read a shared mailbox reads this letter too.
#[tokio::test]
async fn v04_the_letter_of_a_shared_mailbox_has_no_link() {
    let mut server = Server::new("a.example").await;
    let links = SwitchOffLinks::new(&server.store, Some("https://mail.a.example/")).await.unwrap();
    server.responder = server.responder.with_links(links);
    let alice = server.store.directory().account(&address("alice@a.example")).unwrap().as_ref().clone();
    let shared = AccountObject { kind: routing::objects::AccountKind::Shared, ..alice };
    server.store.put_object(Object::Account(shared), PutMode::Replace).await.unwrap();
    let id = server.add_responder("alice@a.example", |r| r.kind = ResponderKind::OutOfOffice).await;
    server.responder.look().await.unwrap();
    let told = announced(&server).await;
    assert_eq!(told.len(), 1);
    assert!(!told[0].contains("/absence/") && !told[0].contains("--as"), "{}", told[0]);
    assert!(told[0].contains(&format!("relais responder set {id} --disable")), "{}", told[0]);
}

/// Who administers it has a letter of their own, with a link that ends with their right.
#[tokio::test]
async fn v04_who_administers_a_shared_mailbox_has_a_letter_with_the_link() {
    use routing::objects::{AccountKind, Member, SharedMailbox};
    let mut server = Server::new("a.example").await;
    let links = SwitchOffLinks::new(&server.store, Some("https://mail.a.example/")).await.unwrap();
    server.responder = server.responder.with_links(links.clone());
    let shared = |members: &[(&str, &str)]| {
        let member = |(who, rights): &(&str, &str)| Member { account: address(who), rights: (*rights).to_owned() };
        SharedMailbox { members: members.iter().map(member).collect(), ..SharedMailbox::default() }
    };
    for name in ["dora@a.example", "emil@a.example", "fred@a.example"] {
        let language = if name.starts_with('d') { "fr" } else { "en" };
        let account = AccountObject { language: language.to_owned(), ..AccountObject::new(address(name)) };
        server.store.add_account(account).await.unwrap();
    }
    let put = |members: SharedMailbox| {
        let alice = server.store.directory().account(&address("alice@a.example")).unwrap().as_ref().clone();
        let account = AccountObject { kind: AccountKind::Shared, shared: Some(members), ..alice };
        server.store.put_object(Object::Account(account), PutMode::Replace)
    };
    let all = [("dora@a.example", "lrswipkxtean"), ("emil@a.example", "lra"), ("fred@a.example", "lrswip")];
    put(shared(&all)).await.unwrap();
    let id = server.add_responder("alice@a.example", |r| r.kind = ResponderKind::OutOfOffice).await;
    for _ in 0..3 {
        server.responder.look().await.unwrap();
    }
    assert_eq!(announced(&server).await.len(), 1);
    let of = async |who: &str| {
        let mut texts = Vec::new();
        for row in server.mailbox(who, "INBOX").await {
            let letter = server.text(&row.blob, 0).await;
            let parsed = mail_parser::MessageParser::default().parse(letter.as_bytes()).unwrap();
            texts.push((parsed.subject().unwrap().to_owned(), parsed.body_text(0).unwrap().into_owned()));
        }
        texts
    };
    let (dora, emil) = (of("dora@a.example").await, of("emil@a.example").await);
    assert_eq!((dora.len(), emil.len(), of("fred@a.example").await.len()), (1, 1, 0), "fred administers nothing");
    assert_eq!(dora[0].0, "Le message d'absence d'alice@a.example est actif");
    assert_eq!(emil[0].0, "The out-of-office message of alice@a.example is active");
    let token = |text: &str| {
        let at = text.find("https://mail.a.example/absence/").unwrap();
        text[at..].split_whitespace().next().unwrap().rsplit_once('/').unwrap().1.to_owned()
    };
    let (first, second) = (token(&dora[0].1), token(&emil[0].1));
    assert_ne!(first, second);
    for one in [&first, &second] {
        assert!(matches!(links.opened(&server.store, one).await, Ok(Opened::Active(found)) if found.id == id));
    }
    put(shared(&[("dora@a.example", "lrs"), all[1]])).await.unwrap();
    assert_eq!(links.opened(&server.store, &first).await, Ok(Opened::Over), "dora administers it no more");
    assert!(matches!(links.opened(&server.store, &second).await, Ok(Opened::Active(_))));
}

#[tokio::test]
async fn v04_how_often_it_answered_is_known_when_it_is_switched_off() {
    let server = Server::new("a.example").await;
    let id = server.add_responder("alice@a.example", |r| r.kind = ResponderKind::OutOfOffice).await;
    server.receive("x@r.example", "alice@a.example", "").await;
    server.take_all().await.unwrap();
    server.responder.look().await.unwrap();
    enable(&server, id, false).await;
    for _ in 0..2 {
        server.responder.look().await.unwrap();
    }
    assert_eq!(answered(&server, id).await, Some((true, 1)));
    assert_eq!(letters(&server).await.len(), 1, "no letter for what was switched off");
    enable(&server, id, true).await;
    server.responder.look().await.unwrap();
    assert_eq!(answered(&server, id).await, Some((false, 0)), "it counts anew");
}

#[tokio::test]
async fn v04_the_owner_is_told_once_that_it_has_ended_and_how_many_were_answered() {
    let server = Server::new("a.example").await;
    let id = server
        .add_responder("alice@a.example", |r| {
            (r.kind, r.ends) = (ResponderKind::OutOfOffice, Some("2026-09-23".to_owned()));
        })
        .await;
    let next = server.responder.look().await.unwrap().unwrap();
    // 2026-09-24T00:00 in Paris.
    assert_eq!(next, Timestamp(1_790_200_800_000));
    assert_eq!(answered(&server, id).await, Some((false, 0)));
    for n in 0..3 {
        server.receive(&format!("x{n}@r.example"), "alice@a.example", "").await;
    }
    server.take_all().await.unwrap();
    assert_eq!(answered(&server, id).await, Some((false, 3)));
    server.sim.clock.advance(next.since(server.store.now()) - Duration::from_millis(1));
    server.responder.look().await.unwrap();
    assert_eq!(letters(&server).await.len(), 1, "the last day belongs to it");
    server.sim.clock.advance(Duration::from_millis(1));
    for _ in 0..3 {
        assert_eq!(server.responder.look().await.unwrap(), None);
    }
    let told = letters(&server).await.split_off(1);
    assert_eq!(told.len(), 1);
    let parsed = mail_parser::MessageParser::default().parse(told[0].as_bytes()).unwrap();
    assert_eq!(parsed.subject(), Some("Votre message d'absence est terminé"));
    let text = parsed.body_text(0).unwrap();
    assert!(text.contains("23 septembre 2026") && text.contains("Il a répondu à 3 messages."), "{text}");
    assert!(told[0].contains("Auto-Submitted: auto-generated\r\n"));
    assert_eq!(answered(&server, id).await, Some((true, 3)));
    // With another end it begins anew, counts anew, and ends once more.
    let mut object = server.store.directory().responder(id).unwrap().as_ref().clone();
    object.ends = Some("2026-09-30".to_owned());
    server.store.put_object(Object::Responder(object), PutMode::Replace).await.unwrap();
    server.responder.look().await.unwrap();
    assert_eq!(answered(&server, id).await, Some((false, 0)));
    server.sim.clock.advance(Duration::from_secs(10 * 86_400));
    server.responder.look().await.unwrap();
    assert_eq!(letters(&server).await.len(), 4, "each time one that it acts, and one that it has ended");
}

#[tokio::test]
async fn v04_no_letter_for_what_never_began_or_was_switched_off() {
    let server = Server::new("a.example").await;
    let past = |r: &mut ResponderObject| r.ends = Some("2026-09-01".to_owned());
    server.add_responder("alice@a.example", past).await;
    let ends = |r: &mut ResponderObject| r.ends = Some("2026-09-22".to_owned());
    let off = server.add_responder("alice@a.example", ends).await;
    let gone = server.add_responder("alice@a.example", ends).await;
    server.alias("free@a.example", &[":blackhole:"]).await;
    let free = server.add_responder("free@a.example", ends).await;
    server.responder.look().await.unwrap();
    let mut object = server.store.directory().responder(off).unwrap().as_ref().clone();
    object.enabled = false;
    server.store.put_object(Object::Responder(object), PutMode::Replace).await.unwrap();
    server.store.remove_object(routing::objects::ObjectKey::Responder(gone)).await.unwrap();
    server.sim.clock.advance(Duration::from_secs(5 * 86_400));
    server.responder.look().await.unwrap();
    assert!(letters(&server).await.is_empty());
    assert_eq!((answered(&server, off).await, answered(&server, gone).await), (Some((true, 0)), None));
    assert_eq!(answered(&server, free).await, Some((true, 0)), "nobody to tell");
}

#[tokio::test]
async fn v04_a_letter_is_kept_whatever_other_responders_delete() {
    let server = Server::new("a.example").await;
    server.add_responder("alice@a.example", |r| r.ends = Some("2026-09-22".to_owned())).await;
    server.add_responder("alice@a.example", |r| r.keep = false).await;
    server.responder.look().await.unwrap();
    server.sim.clock.advance(Duration::from_secs(3 * 86_400));
    server.responder.look().await.unwrap();
    assert_eq!(letters(&server).await.len(), 1);
}

#[tokio::test]
async fn v04_a_power_cut_at_any_commit_leaves_exactly_one_letter() {
    for cut in 0..20 {
        let server = Server::new("a.example").await;
        let absence = |r: &mut ResponderObject| {
            (r.kind, r.ends) = (ResponderKind::OutOfOffice, Some("2026-09-22".to_owned()));
        };
        server.add_responder("alice@a.example", absence).await;
        server.responder.look().await.unwrap();
        server.sim.clock.advance(Duration::from_secs(5 * 86_400));
        server.engine.fail_after(cut, StorageError::Io("the power went".to_owned()));
        let done = server.responder.look().await.is_ok();
        let engine = server.engine.after_power_cut(Arc::new(SilentDoorbell));
        let again = Server::open(server.sim.clone(), engine).await;
        again.responder.look().await.unwrap();
        assert_eq!((letters(&again).await.len(), announced(&again).await.len()), (2, 1), "after {cut} commits");
        if done && cut > 3 {
            return;
        }
    }
    unreachable!("the loop ends when every commit has gone through");
}

#[tokio::test]
async fn v04_a_power_cut_at_any_commit_leaves_exactly_one_letter_of_the_beginning() {
    for cut in 0..20 {
        let server = Server::new("a.example").await;
        server.add_responder("alice@a.example", |r| r.kind = ResponderKind::OutOfOffice).await;
        server.engine.fail_after(cut, StorageError::Io("the power went".to_owned()));
        let done = server.responder.look().await.is_ok();
        let engine = server.engine.after_power_cut(Arc::new(SilentDoorbell));
        let again = Server::open(server.sim.clone(), engine).await;
        again.responder.look().await.unwrap();
        assert_eq!(announced(&again).await.len(), 1, "after {cut} commits");
        if done && cut > 3 {
            return;
        }
    }
    unreachable!("the loop ends when every commit has gone through");
}

#[tokio::test]
async fn v04_the_clock_drives_it() {
    let bus = Bus::new();
    let seeded = Server::new("a.example").await;
    seeded.add_responder("alice@a.example", |r| r.ends = Some("2026-09-22".to_owned())).await;
    let server =
        Server::open(SimulatedWorld::new(START, 7), seeded.engine.after_power_cut(Arc::new(bus.clone()))).await;
    let stop = CancellationToken::new();
    let running = tokio::spawn({
        let (responder, bus, stop) = (server.responder.clone(), bus.clone(), stop.clone());
        async move { responder.run(&bus, stop).await }
    });
    while server.store.responder_state(1).await.unwrap().is_none() {
        tokio::task::yield_now().await;
    }
    // An hour at a time, as the loop looks; the end is 22 hours and more away.
    let mut hours = 0;
    while letters(&server).await.is_empty() {
        if server.sim.clock.next_wake().is_some() {
            server.sim.clock.advance(Duration::from_secs(600));
            hours += 1;
        }
        for _ in 0..50 {
            tokio::task::yield_now().await;
        }
        assert!(hours < 6 * 24 * 3, "it never ended");
    }
    stop.cancel();
    running.await.unwrap().unwrap();
}
