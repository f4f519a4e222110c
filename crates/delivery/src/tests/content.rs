//! What follows from a message's content: Spam for those for whom it is spam, INBOX for the others, refusals.

use sender_auth::verify::{Authentication, Dmarc, Outcome, Rules, Said};
use spam::Points;
use storage::spam::Lesson;

use super::checks::{RECEIVED, client};
use super::*;
use crate::{Checks, ContentFilter};

const FILTER: ContentFilter = ContentFilter { threshold: Points::THRESHOLD, refuse: Some(Points(150)) };
const GTUBE: &str = "XJS*C4JDBQADN1.NSBN3*2IDNEN*GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X";

fn spam(n: u32) -> String {
    format!(
        "From: zoe@far.example\r\nDate: Fri, 27 Nov 2026 10:00:00 +0000\r\nMessage-ID: <s{n}@far.example>\r\n\
         Subject: Free casino spins {n}\r\n\r\nClaim your jackpot bonus today at https://win.casino.example/{n} and win.\r\n"
    )
}

fn ham(n: u32) -> String {
    format!(
        "From: yan{n}@near.example\r\nDate: Fri, 27 Nov 2026 10:00:00 +0000\r\nMessage-ID: <h{n}@near.example>\r\n\
         Subject: Minutes of the meeting {n}\r\n\r\nPlease find the draft of our report, we meet on Tuesday.\r\n"
    )
}

impl Fixture {
    /// An account learns as much as has to be learnt.
    async fn taught(&self, name: &str, shared: bool) {
        let account = self.id(&format!("{name}@example.org"));
        for n in 0..20 {
            for (text, is_spam) in [(spam(n), true), (ham(n), false)] {
                let lesson = Lesson { shared, ..Lesson::of_octets(text.as_bytes(), is_spam) };
                assert!(self.store.learn(account, lesson).await.unwrap());
            }
        }
    }

    async fn came(&self, filter: ContentFilter, dmarc: Outcome, to: &[&str], text: &str) -> Result<Applied, Refused> {
        let dmarc = vec![Dmarc { outcome: dmarc, domain: "far.example".to_owned(), ..Dmarc::default() }];
        let checks =
            Checks::new(Arc::new(Said(Authentication { dmarc, ..Authentication::default() })), Rules::default());
        let settings = DeliverySettings { message_octets_max: 1_000_000, ..self.delivery.settings().clone() };
        let delivery = Delivery::new(self.store.clone(), settings).checking(checks).judging_content(filter);
        let mut intake = delivery.checked_intake(client(), RECEIVED).await?;
        for piece in text.as_bytes().chunks(7_000) {
            intake.write(piece).await?;
        }
        let prepared = intake.finish(envelope(to)).await?;
        let applied = self.store.transact(move |tx| prepared.apply(tx)).await?.value;
        let checked = storage::check::check(&self.store, true, &mut |finding| panic!("{finding:?}")).await.unwrap();
        assert_eq!(checked.findings, 0);
        Ok(applied)
    }

    /// The mailbox with its keywords, for each deposit.
    async fn places(&self, text: &str, to: &[&str]) -> Vec<Vec<String>> {
        let applied = self.came(FILTER, Outcome::None, to, text).await.unwrap();
        let mut places = Vec::new();
        for n in 0..applied.deposits.len() {
            places.push(self.content(&applied, n).await.1);
        }
        places
    }
}

fn junk() -> Vec<String> {
    vec!["Junk".to_owned(), "$Junk".to_owned()]
}

fn inbox() -> Vec<String> {
    vec!["INBOX".to_owned()]
}

#[tokio::test]
async fn nothing_follows_before_enough_was_learnt() {
    let f = fixture().await;
    assert_eq!(f.places(&spam(99), &["alice@example.org"]).await, [inbox()]);
    for n in 0..19 {
        f.store.learn(f.id("alice@example.org"), Lesson::of_octets(spam(n).as_bytes(), true)).await.unwrap();
        f.store.learn(f.id("alice@example.org"), Lesson::of_octets(ham(n).as_bytes(), false)).await.unwrap();
    }
    assert_eq!(f.places(&spam(99), &["alice@example.org"]).await, [inbox()]);
    f.store.learn(f.id("alice@example.org"), Lesson::of_octets(spam(19).as_bytes(), true)).await.unwrap();
    f.store.learn(f.id("alice@example.org"), Lesson::of_octets(ham(19).as_bytes(), false)).await.unwrap();
    assert_eq!(f.places(&spam(99), &["alice@example.org"]).await, [junk()]);
    assert_eq!(f.places(&ham(99), &["alice@example.org"]).await, [inbox()]);
    // The site has learnt it from her: bob has it, too.
    assert_eq!(f.places(&spam(99), &["bob+shop@example.org"]).await, [junk()]);
}

#[tokio::test]
async fn each_recipient_has_what_they_have_learnt_and_only_those_a_marked_copy() {
    let f = fixture().await;
    f.taught("alice", false).await;
    for long in [false, true] {
        let text = spam(99) + &"word ".repeat(if long { 30_000 } else { 1 });
        let applied = f.came(FILTER, Outcome::None, &["alice@example.org", "bob@example.org"], &text).await.unwrap();
        let ((alice, there), (bob, here)) = (f.content(&applied, 0).await, f.content(&applied, 1).await);
        assert_eq!((there, here), (junk(), inbox()));
        assert!(!bob.contains("X-Spam"), "{bob}");
        let front = "Return-Path: <zoe@far.example>\r\nX-Spam-Flag: YES\r\nX-Spam-Reason: ";
        assert!(alice.starts_with(front) && alice.contains("points of 5.0: it is like what you marked as"), "{alice}");
        let unmarked = alice.split_once("X-Spam-Flag").unwrap().1.split_once("Authentication-Results").unwrap().1;
        assert!(bob.ends_with(unmarked));
        // What IMAP clients ask for fits what is kept.
        for (n, content) in [(0, &alice), (1, &bob)] {
            let (account, mailbox, deposited) = &applied.deposits[n];
            let records = f.store.records(*account, *mailbox, deposited.uid, deposited.uid, 1).await.unwrap();
            let parts = message::RecordView::new(&records[0].1).unwrap().parts().unwrap();
            assert_eq!(parts, message::Scanner::scan(content.as_bytes()).part_table());
        }
    }
    let told = f.steps_of("alice@example.org").await.join("\n");
    assert!(told.contains("alice@example.org: goes to Spam: ") && told.contains("casino"), "{told}");
    assert!(told.contains("delivered to alice@example.org, mailbox Junk"), "{told}");
    assert!(!told.contains("bob@example.org: goes to Spam"), "{told}");
}

#[tokio::test]
async fn one_copy_is_enough_when_all_agree_and_tells_nobodys_words() {
    let f = fixture().await;
    f.taught("alice", true).await;
    let applied = f.came(FILTER, Outcome::None, &["alice@example.org", "bob@example.org"], &spam(99)).await.unwrap();
    let ((alice, there), (bob, here)) = (f.content(&applied, 0).await, f.content(&applied, 1).await);
    assert_eq!((there, here), (junk(), junk()));
    assert_eq!(alice, bob);
    let reason = alice.split_once("X-Spam-Reason: ").unwrap().1.split_once("Received:").unwrap().0;
    assert!(!reason.contains("casino"), "{reason}");
}

#[tokio::test]
async fn known_senders_and_switches_keep_mail_out_of_spam() {
    let f = fixture().await;
    f.taught("alice", true).await;
    let alice = f.id("alice@example.org");
    let place = async |dmarc| {
        let applied = f.came(FILTER, dmarc, &["alice@example.org"], &spam(99)).await.unwrap();
        f.content(&applied, 0).await.1
    };
    assert_eq!(place(Outcome::Pass).await, junk());
    f.store.add_contact(alice, address("Zoe@far.example")).await.unwrap();
    assert_eq!(place(Outcome::Pass).await, inbox());
    // Anybody can write the name of a contact.
    assert_eq!(place(Outcome::None).await, junk());
    f.store.remove_contact(alice, address("zoe@far.example")).await.unwrap();
    let set = async |settings: storage::spam::SpamSettings| {
        let put = move |now: &mut storage::spam::SpamSettings| {
            now.clone_from(&settings);
            Ok(())
        };
        f.store.change_spam_settings(alice, put).await.unwrap();
    };
    let standard = storage::spam::SpamSettings::default();
    set(storage::spam::SpamSettings { senders: vec!["far.example".to_owned()], ..standard.clone() }).await;
    assert_eq!(place(Outcome::Pass).await, inbox());
    assert_eq!(place(Outcome::None).await, junk());
    set(storage::spam::SpamSettings { threshold: Some(Points(90)), ..standard.clone() }).await;
    assert_eq!(place(Outcome::None).await, inbox());
    set(storage::spam::SpamSettings { enabled: false, ..standard }).await;
    assert_eq!(place(Outcome::None).await, inbox());
}

#[tokio::test]
async fn fields_that_say_it_are_ours_alone() {
    let f = fixture().await;
    let text = format!("X-Spam-Flag: YES\r\nx-spam-status: No,\r\n\tscore=-9\r\n{}", ham(1));
    let applied = f.came(FILTER, Outcome::None, &["alice@example.org"], &text).await.unwrap();
    let (kept, place) = f.content(&applied, 0).await;
    assert!(!kept.to_lowercase().contains("x-spam") && kept.ends_with(&ham(1)), "{kept}");
    assert_eq!(place, inbox());
}

#[tokio::test]
async fn what_is_certain_for_all_is_refused_and_nothing_else() {
    let f = fixture().await;
    let test = format!("Subject: x\r\n\r\n{GTUBE}\r\n");
    let rows = f.engine.rows();
    let to = ["alice@example.org", "bob@example.org"];
    let Refused(reply) = f.came(FILTER, Outcome::None, &to, &test).await.unwrap_err();
    assert!(reply.to_string().starts_with("550 5.7.1 Refused as spam: 101.0 points of 15.0: "), "{reply}");
    assert_eq!(f.engine.rows(), rows);
    // Who does not want the filter gets it.
    let off = |settings: &mut storage::spam::SpamSettings| {
        settings.enabled = false;
        Ok(())
    };
    f.store.change_spam_settings(f.id("bob@example.org"), off).await.unwrap();
    assert_eq!(f.places(&test, &to).await, [junk(), inbox()]);
    let never = ContentFilter { refuse: None, ..FILTER };
    let applied = f.came(never, Outcome::None, &["alice@example.org"], &test).await.unwrap();
    assert_eq!(f.content(&applied, 0).await.1, junk());
    // What leads elsewhere as well goes on, and the copy there says nothing of us.
    f.alias("both@example.org", &["alice@example.org", "yan@else.example"]).await;
    let applied = f.came(FILTER, Outcome::None, &["both@example.org"], &test).await.unwrap();
    assert_eq!((applied.queued.len(), f.content(&applied, 0).await.1), (1, junk()));
    let queued = f.store.queue_entry(applied.queued[0]).await.unwrap().unwrap();
    let mut blob = f.store.blob(&queued.blob).await.unwrap().unwrap();
    let left = String::from_utf8(blob.read(0, u64::MAX).await.unwrap()).unwrap();
    assert!(!left.contains("X-Spam"), "{left}");
}

#[tokio::test]
async fn lists_hear_what_the_site_thinks() {
    let f = fixture().await;
    f.taught("alice", true).await;
    f.store.add_list(routing::objects::ListObject::new(address("garden@example.org"))).await.unwrap();
    for text in [spam(99), ham(99)] {
        f.came(FILTER, Outcome::None, &["garden@example.org"], &text).await.unwrap();
    }
    let events = f.store.events_after(Topic::HeldMessage, 0, 9).await.unwrap();
    let spam: Vec<bool> = events.iter().map(|event| crate::HeldMessage::decode(&event.payload).unwrap().spam).collect();
    assert_eq!(spam, [true, false]);
}
