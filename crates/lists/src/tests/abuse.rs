//! Orders and posts that somebody forges: what they can use up, and what stays for everybody else.

use storage::trace::Trace;

use super::*;
use crate::limits::{LEAVE_LETTERS_PER_DAY, LETTERS_TO_WRITERS_PER_DAY, MODERATOR_LETTERS_PER_DAY};

impl Fixture {
    /// A message whose envelope names somebody else than its From.
    async fn forged(&self, path: &str, from: &str, to: &str, subject: &str) {
        let content = message(from, to, subject, "x");
        self.held(self.list.id, path, to, None, &content).await;
        self.take_all().await.unwrap();
    }

    /// What the latest trace with this sender tells, as lines.
    async fn told(&self, message_id: &str) -> String {
        let query = storage::trace::TraceQuery {
            term: Some(storage::trace::Term::MessageId(message_id.to_owned())),
            limit: 1,
            ..storage::trace::TraceQuery::default()
        };
        let traces = self.store.traces(&query).await.unwrap();
        let steps = traces.into_iter().flat_map(|trace: Trace| trace.steps);
        steps.map(|taken| format!("{}\n", taken.step)).collect()
    }

    /// A message that is accepted as SMTP accepts it, with its trace.
    async fn accepted(&self, from: &str, to: &str, subject: &str, id: &str) {
        let content = format!("From: <{from}>\r\nSubject: {subject}\r\nMessage-ID: <{id}>\r\n\r\nx\r\n");
        let mut envelope = Envelope::new(ReversePath::parse(&format!("<{from}>")).unwrap());
        envelope.recipients.push(crate::consumer::recipient(&address(to)));
        let mut intake = self.delivery.intake(&envelope.reverse_path, b"").await.unwrap();
        intake.write(content.as_bytes()).await.unwrap();
        let prepared = intake.finish(envelope).await.unwrap();
        self.store.transact(move |tx| prepared.apply(tx).map(drop)).await.unwrap();
    }
}

#[tokio::test]
async fn letters_go_only_to_a_sender_whom_the_envelope_names() {
    let f = fixture(garden()).await;
    for (path, from) in [
        ("<spam@evil.example>", "victim@far.example"),
        ("<other@far.example>", "victim@far.example"),
        ("<noreply@far.example>", "noreply@far.example"),
        ("<>", "victim@far.example"),
    ] {
        f.forged(path, from, "garden-request@example.org", "help").await;
        f.forged(path, from, "garden-leave@example.org", "x").await;
        f.forged(path, from, "garden@example.org", "Buy this").await;
    }
    assert_eq!(f.queue().await.len(), 0, "{:?}", paths(&f.queue().await));
    f.forged("<victim@far.example>", "victim@far.example", "garden-request@example.org", "help").await;
    assert_eq!(f.received("victim@far.example").await.len(), 1);
    f.sound().await;
}

#[tokio::test]
async fn a_list_writes_to_so_many_strangers_a_day_and_tells_its_owners_once() {
    let f = fixture(garden()).await;
    for n in 0..LETTERS_TO_WRITERS_PER_DAY + 5 {
        f.mail(&format!("v{n}@far.example"), "garden-request@example.org", "help", "").await;
    }
    assert_eq!(f.queue().await.len(), LETTERS_TO_WRITERS_PER_DAY as usize);
    let told = f.received("owner@example.org").await;
    assert_eq!(told.len(), 1, "once a day");
    assert!(words(&told[0]).contains("200 letters to people who wrote"), "{}", words(&told[0]));
    // Who has logged in is answered all the same.
    f.submit("alice@example.org", "garden-request@example.org", "help", "").await;
    assert_eq!(f.received("alice@example.org").await.len(), 1);
    f.sim.clock.advance(Duration::from_secs(86_400));
    f.mail("again@far.example", "garden-request@example.org", "help", "").await;
    assert_eq!(f.received("again@far.example").await.len(), 1);
}

#[tokio::test]
async fn a_member_can_leave_however_many_orders_others_forge_in_their_name() {
    let f = fixture(garden()).await;
    for who in ["bob@far.example", "carol@far.example", "alice@example.org"] {
        f.member(who).await;
    }
    // Joining and moving, until their letters and those of the list are used up.
    for n in 0..crate::limits::CONFIRMATIONS_PER_DAY + 10 {
        f.mail(&format!("v{n}@far.example"), "garden-join@example.org", "", "").await;
    }
    for _ in 0..10 {
        f.mail("bob@far.example", "garden-request@example.org", "move new@far.example", "").await;
    }
    // Leaving has letters of its own.
    f.mail("bob@far.example", "garden-leave@example.org", "", "").await;
    let letters = f.received("bob@far.example").await;
    let leave = letters.last().unwrap();
    assert!(field_of(leave, "Subject").unwrap().contains("leave"), "{leave}");
    // Forged orders to leave use those up: the owners hear of it, and any of the letters is good.
    for _ in 0..10 {
        f.forged("<evil@evil.example>", "bob@far.example", "garden-leave@example.org", "").await;
    }
    let letters = f.received("bob@far.example").await.len();
    assert_eq!(letters, LEAVE_LETTERS_PER_DAY as usize);
    let told: Vec<String> = f.received("owner@example.org").await.iter().map(|letter| words(letter)).collect();
    assert_eq!(
        told.iter().filter(|text| text.contains("list member remove garden@example.org bob@far.example")).count(),
        1
    );
    assert!(told.iter().any(|text| text.contains("500 letters to confirm")), "{told:?}");
    f.mail("bob@far.example", &reply_to(leave), "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, None);
    // The others are not concerned; who has logged in, or has a link, needs no letter at all.
    f.mail("carol@far.example", "garden-leave@example.org", "", "").await;
    assert_eq!(f.received("carol@far.example").await.len(), 1);
    for _ in 0..10 {
        f.forged("<evil@evil.example>", "alice@example.org", "garden-leave@example.org", "").await;
    }
    let place = crate::place::Place::of(&f.store.directory(), f.list.id).unwrap();
    let one_click =
        f.lists.link(crate::token::Purpose::Leave, &place, 0, &address("carol@far.example"), Duration::from_secs(60));
    assert_eq!(f.http("POST", &one_click.unwrap(), "List-Unsubscribe=One-Click").await.0, StatusCode::OK);
    assert_eq!(f.state_of("carol@far.example").await, None);
    f.submit("alice@example.org", "garden-leave@example.org", "", "").await;
    assert_eq!(f.state_of("alice@example.org").await, None);
    f.sound().await;
}

#[tokio::test]
async fn the_last_letter_of_a_day_says_so_and_the_first_of_the_next_how_many_wait() {
    let mut list = garden();
    (list.posting, list.moderated, list.moderators) = (Posting::Anyone, true, vec![address("mod@example.org")]);
    let f = fixture(list).await;
    for n in 0..MODERATOR_LETTERS_PER_DAY + 20 {
        f.mail("zoe@far.example", "garden@example.org", &format!("Post {n}"), "Body").await;
    }
    let letters = f.received("mod@example.org").await;
    assert_eq!(letters.len(), MODERATOR_LETTERS_PER_DAY as usize);
    let last: Vec<String> =
        letters.iter().map(|letter| words(letter)).filter(|text| text.contains("last letter")).collect();
    assert_eq!(last.len(), 1);
    assert!(last[0].contains("Post 99"), "{}", last[0]);
    // The page has all of them, each with its link.
    let at = last[0].rfind(WEB).unwrap();
    let all = last[0][at..].split_whitespace().next().unwrap().to_owned();
    let (status, page) = f.http("GET", &all, "").await;
    assert_eq!(status, StatusCode::OK);
    assert!(page.contains("Messages en attente : 120") && page.contains(">Post 3</a> zoe@far.example"), "{page}");
    let one = page.split("<a href=\"").nth(1).unwrap().split('"').next().unwrap();
    assert_eq!(f.http("POST", &format!("{WEB}/lists/{one}"), "action=approve").await.0, StatusCode::OK);
    assert_eq!(f.http("POST", &all, "action=approve").await.0, StatusCode::OK, "decides nothing");
    f.sim.clock.advance(Duration::from_secs(86_400));
    f.take_all().await.unwrap();
    f.mail("zoe@far.example", "garden@example.org", "Tomorrow", "Body").await;
    let first = words(&f.last("mod@example.org").await);
    assert!(first.contains("Other messages that wait: 119.") && !first.contains("last letter"), "{first}");
    f.mail("zoe@far.example", "garden@example.org", "And more", "Body").await;
    assert!(!words(&f.last("mod@example.org").await).contains("Other messages"));
    f.sound().await;
}

#[tokio::test]
async fn the_waiting_room_has_room_for_so_many_octets() {
    let mut list = garden();
    (list.posting, list.moderated) = (Posting::Anyone, true);
    let f = fixture(list).await;
    let large = "A line of thirty characters.\r\n".repeat(15_000);
    for subject in ["One", "Two", "Three"] {
        f.mail("zoe@far.example", "garden@example.org", subject, &large).await;
    }
    assert_eq!(f.in_mailbox("INBOX").await, 2, "two of 450 kB in 1 MB");
    assert!(words(&f.last("zoe@far.example").await).contains("leave no room for one of this size"));
    f.mail("zoe@far.example", "garden@example.org", "Small", "Body").await;
    assert_eq!(f.in_mailbox("INBOX").await, 3);
    // What is decided makes room, although its row stays.
    let uid = f.store.waiting_after(f.list.id, Uid(0), 1).await.unwrap()[0].0;
    let url = f.lists.link(
        crate::token::Purpose::Moderate,
        &crate::place::Place::of(&f.store.directory(), f.list.id).unwrap(),
        uid.0,
        &address("owner@example.org"),
        Duration::from_secs(60),
    );
    f.http("POST", &url.unwrap(), "action=reject").await;
    f.take_all().await.unwrap();
    f.mail("zoe@far.example", "garden@example.org", "Four", &large).await;
    assert_eq!(f.in_mailbox("INBOX").await, 3);
    f.sound().await;
}

#[tokio::test]
async fn traces_tell_what_a_list_did_with_a_message() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    f.member("bob@far.example").await;
    f.accepted("zoe@far.example", "garden@example.org", "Tea", "sent@x").await;
    f.take_all().await.unwrap();
    let told = f.told("sent@x").await;
    assert!(told.contains("garden@example.org: sent to 1 member"), "{told}");

    f.accepted("zoe@far.example", "garden-request@example.org", "unsubscribe", "order@x").await;
    f.take_all().await.unwrap();
    let told = f.told("order@x").await;
    assert!(told.contains("an order to leave") && told.contains("answer to an order to zoe@far.example"), "{told}");

    f.set(|list| list.moderated = true).await;
    f.accepted("zoe@far.example", "garden@example.org", "Held", "held@x").await;
    f.take_all().await.unwrap();
    let told = f.told("held@x").await;
    assert!(told.contains("waits at garden@example.org: the list is moderated, up to "), "{told}");
    assert!(told.contains("letter to a moderator that a message waits to owner@example.org"), "{told}");
    let decide = link(&f.last("owner@example.org").await);
    f.http("POST", &decide, "action=approve").await;
    f.take_all().await.unwrap();
    let told = f.told("held@x").await;
    let at = |text: &str| told.find(text).unwrap_or_else(|| panic!("{text} in {told}"));
    assert!(at("let through by owner@example.org") < at("sent to 1 member"), "{told}");

    f.set(|list| (list.posting, list.settings.non_members) = (Posting::Members, NonMembers::Refuse)).await;
    f.accepted("zoe@far.example", "garden@example.org", "No", "refused@x").await;
    f.take_all().await.unwrap();
    let told = f.told("refused@x").await;
    assert!(
        told.contains("refused: its author is not a member") && told.contains("letter of refusal to zoe"),
        "{told}"
    );

    // What nobody decides on.
    f.set(|list| (list.posting, list.moderated) = (Posting::Anyone, true)).await;
    f.accepted("zoe@far.example", "garden@example.org", "Late", "late@x").await;
    f.take_all().await.unwrap();
    f.sim.clock.advance(Duration::from_secs(90 * 86_400));
    f.lists.sweep().await.unwrap();
    let told = f.told("late@x").await;
    assert!(told.contains("garden@example.org: refused: nobody decided within"), "{told}");

    // A power cut in between: what was not done is not told.
    f.accepted("zoe@far.example", "garden-request@example.org", "help", "cut@x").await;
    f.engine.fail_after(0, StorageError::Io("power".to_owned()));
    assert!(f.take_all().await.is_err());
    f.power_cut().await;
    assert!(!f.told("cut@x").await.contains("an order to"));
    f.take_all().await.unwrap();
    assert_eq!(f.told("cut@x").await.matches("an order to send help").count(), 1);
}

/// Of two messages that begin to wait at once, one brings the first letter of the day, and one letter says that it is the last.
#[tokio::test]
async fn which_letter_of_the_day_it_is_is_seen_where_it_is_counted() {
    let f = fixture(garden()).await;
    let letter = async |subject: &str| {
        let letter = delivery::Letter {
            from: address("garden@example.org"),
            from_name: String::new(),
            to: address("mod@example.org"),
            reply_to: None,
            subject: subject.to_owned(),
            text: "x\n".to_owned(),
            language: "en",
            about: None,
        };
        f.lists.delivery.prepare_letter(&letter).await.unwrap()
    };
    let mut acts = crate::acts::Acts::default();
    let last = MODERATOR_LETTERS_PER_DAY - 1;
    let instead = vec![(0, letter("The first").await), (last, letter("The last").await)];
    let allowance = crate::budget::Allowance::moderator(&address("mod@example.org"));
    acts.one_of(vec![allowance], Some(letter("Another").await), instead);
    let part = f.list.id;
    for _ in 0..MODERATOR_LETTERS_PER_DAY + 2 {
        let acts = acts.clone();
        f.store.transact(move |tx| acts.apply(tx, part, None, START)).await.unwrap();
    }
    let letters = f.received("mod@example.org").await;
    let counted =
        |subject: &str| letters.iter().filter(|letter| letter.contains(&format!("Subject: {subject}"))).count();
    assert_eq!((counted("The first"), counted("Another"), counted("The last")), (1, last as usize - 1, 1));
}
