//! What can't go on: owners in a circle, addresses behind which nobody is, events that failed, headers without end.

use super::*;

impl Fixture {
    /// Takes the events that are there, and those that come of them, some rounds; whether none is left.
    async fn take_rounds(&self, rounds: usize) -> bool {
        for _ in 0..rounds {
            for event in self.store.events_after(Topic::HeldMessage, 0, 100).await.unwrap() {
                self.lists.take(&event).await.unwrap();
            }
        }
        self.store.events_after(Topic::HeldMessage, 0, 1).await.unwrap().is_empty()
    }

    async fn parked(&self) -> Vec<storage::rows::EventRow> {
        self.store.parked_events(Topic::HeldMessage, 10).await.unwrap()
    }

    async fn retry(&self, number: u64) {
        let now = self.store.now();
        self.store.transact(move |tx| tx.retry_parked_event(Topic::HeldMessage, number, now)).await.unwrap();
    }

    /// A post that was sent to the first hundred of 150 members, when its event was parked.
    async fn half_sent(&mut self) -> u64 {
        for n in 0..150 {
            self.member(&format!("m{n}@far.example")).await;
        }
        let content = message("zoe@far.example", "garden@example.org", "Tea", "Body");
        self.held(self.list.id, "<zoe@far.example>", "garden@example.org", None, &content).await;
        // The mailbox, the beginning and one batch.
        self.engine.fail_after(3, StorageError::Io("power".to_owned()));
        assert!(self.take_all().await.is_err());
        self.power_cut().await;
        let number = self.store.events_after(Topic::HeldMessage, 0, 1).await.unwrap()[0].number;
        self.store.transact(move |tx| tx.park_event(Topic::HeldMessage, number, "too often")).await.unwrap();
        assert_eq!(self.queue().await.len(), 100);
        number
    }
}

/// Such owners are refused where lists are edited; an alias that is changed later can still lead there.
#[tokio::test]
async fn mail_to_owners_that_are_lists_again_goes_round_once() {
    let f = fixture(ListObject { owners: vec![address("tea-owner@example.org")], ..garden() }).await;
    let owners = vec![address("garden-owner@example.org"), address("owner@example.org")];
    f.store.add_list(ListObject { owners, ..ListObject::new(address("tea@example.org")) }).await.unwrap();
    let content = message("zoe@far.example", "garden-owner@example.org", "Question", "x");
    f.held(f.list.id, "<zoe@far.example>", "garden-owner@example.org", None, &content).await;
    assert!(f.take_rounds(10).await, "it goes round and round");
    let got = f.received("owner@example.org").await;
    assert_eq!(got.len(), 1);
    let marks = "X-BeenThere: tea-owner@example.org\r\nX-BeenThere: garden-owner@example.org\r\n";
    assert!(got[0].contains(&format!("{marks}Received: by mx; now\r\n{content}")), "{}", got[0]);
    f.sound().await;
}

#[tokio::test]
async fn mail_to_owners_who_are_gone_is_kept_and_its_author_hears_of_it() {
    let f = fixture(ListObject { owners: vec![address("gone@example.org")], ..garden() }).await;
    f.mail("zoe@far.example", "garden-owner@example.org", "Question", "x").await;
    assert_eq!((f.in_mailbox("INBOX").await, f.parked().await.len()), (1, 1));
    assert!(words(&f.last("zoe@far.example").await).contains("has reached nobody"));
    f.sound().await;
    f.store.add_account(AccountObject::new(address("gone@example.org"))).await.unwrap();
    f.retry(f.parked().await[0].number).await;
    f.take_all().await.unwrap();
    assert_eq!(f.received("gone@example.org").await.len(), 1);
    assert_eq!((f.in_mailbox("INBOX").await, f.received("zoe@far.example").await.len()), (0, 1));
    f.sound().await;
}

#[tokio::test]
async fn what_was_let_through_to_a_group_that_takes_nothing_is_kept() {
    let f = fixture(garden()).await;
    let mut domain = DomainObject::new("example.org".parse().unwrap());
    domain.catch_all = Some(address("owner@example.org"));
    f.store.put_object(Object::Domain(domain), PutMode::Replace).await.unwrap();
    let group = GroupObject {
        members: vec![address("alice@example.org")],
        moderated: true,
        moderators: vec![address("mod@example.org")],
        ..GroupObject::new(address("board@example.org"))
    };
    let group = f.store.add_group(group).await.unwrap().value;
    let set = |group: GroupObject| f.store.put_object(Object::Group(group), PutMode::Replace);
    for (n, broken) in [
        GroupObject { enabled: false, ..group.clone() },
        GroupObject { members: vec![address("gone@example.org")], ..group.clone() },
    ]
    .into_iter()
    .enumerate()
    {
        let content = message("zoe@far.example", "board@example.org", "Offer", "Good");
        f.held(group.id, "<zoe@far.example>", "board@example.org", None, &content).await;
        f.take_all().await.unwrap();
        set(broken).await.unwrap();
        f.http("POST", &link(&f.last("mod@example.org").await), "action=approve").await;
        f.take_all().await.unwrap();
        assert_eq!((f.in_part(group.id, "INBOX").await, f.parked().await.len()), (1, 1));
        assert_eq!(f.received("owner@example.org").await.len(), 0, "the catch-all");
        assert_eq!(f.received("zoe@far.example").await.len(), n + 1);
        assert!(words(&f.last("zoe@far.example").await).contains("is kept"));
        f.sound().await;
        set(group.clone()).await.unwrap();
        f.retry(f.parked().await[0].number).await;
        f.take_all().await.unwrap();
        assert_eq!(f.received("alice@example.org").await.len(), n + 1);
        assert_eq!(f.in_part(group.id, "INBOX").await, 0);
        f.sound().await;
    }
}

#[tokio::test]
async fn a_parked_post_that_is_handed_out_again_goes_on_where_it_was() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    let number = f.half_sent().await;
    f.sound().await;
    f.retry(number).await;
    f.take_all().await.unwrap();
    assert_eq!((f.queue().await.len(), paths(&f.queue().await).len()), (150, 150));
    assert_eq!((f.in_mailbox("INBOX").await, f.in_mailbox("Outgoing").await), (0, 0));
    f.sound().await;
}

#[tokio::test]
async fn a_parked_post_that_is_forgotten_leaves_nothing() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    let number = f.half_sent().await;
    let held = HeldMessage::decode(&f.parked().await[0].payload).unwrap();
    let now = f.store.now();
    f.store
        .transact(move |tx| {
            tx.remove_parked_event(Topic::HeldMessage, number)?;
            held.forget(tx, now)
        })
        .await
        .unwrap();
    assert_eq!((f.in_mailbox("INBOX").await, f.in_mailbox("Outgoing").await), (0, 0));
    f.sound().await;
}

#[tokio::test]
async fn forgetting_an_event_forgets_no_message_that_waits() {
    let f = fixture(ListObject { posting: Posting::Anyone, moderated: true, ..garden() }).await;
    let content = message("zoe@far.example", "garden@example.org", "Tea", "Body");
    f.held(f.list.id, "<zoe@far.example>", "garden@example.org", None, &content).await;
    let event = f.store.events_after(Topic::HeldMessage, 0, 1).await.unwrap().remove(0);
    f.take_all().await.unwrap();
    let (held, now) = (HeldMessage::decode(&event.payload).unwrap(), f.store.now());
    f.store.transact(move |tx| held.forget(tx, now)).await.unwrap();
    assert_eq!(f.in_mailbox("INBOX").await, 1);
    f.sound().await;
}

#[tokio::test]
async fn a_member_of_ours_who_is_gone_is_suspended_and_the_owners_are_told() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    f.set(|list| list.settings.bounce_days_max = 2).await;
    f.member("gone@example.org").await;
    f.member("bob@far.example").await;
    for day in 0..3 {
        f.mail("zoe@far.example", "garden@example.org", "Tea", "x").await;
        let (told, state) = (f.received("owner@example.org").await, f.state_of("gone@example.org").await);
        let wanted = if day == 0 { (0, MemberState::Active) } else { (1, MemberState::Suspended) };
        assert_eq!((told.len(), state), (wanted.0, Some(wanted.1)), "day {day}");
        assert!(told.iter().all(|letter| words(letter).contains("gone@example.org")));
        f.sim.clock.advance(Duration::from_secs(86_400));
    }
    assert_eq!(f.received("bob@far.example").await.len(), 3);
    f.sound().await;
}

#[tokio::test]
async fn a_header_without_end_is_refused_by_a_letter() {
    let f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    f.member("bob@far.example").await;
    let long = format!("X-Long: {}\r\n", "a".repeat(60)).repeat(4_000);
    let content = |from: &str| format!("From: <{from}>\r\nSubject: Tea\r\n{long}\r\nBody\r\n");
    for (path, from, to, letters) in [
        ("<zoe@far.example>", "zoe@far.example", "garden@example.org", 1),
        ("<zoe@far.example>", "zoe@far.example", "garden-owner@example.org", 2),
        ("<zoe@far.example>", "zoe@far.example", "garden-leave@example.org", 2),
        ("<evil@far.example>", "zoe@far.example", "garden@example.org", 2),
        ("<>", "zoe@far.example", "garden@example.org", 2),
    ] {
        f.held(f.list.id, path, to, None, &content(from)).await;
        f.take_all().await.unwrap();
        assert_eq!(f.received("zoe@far.example").await.len(), letters, "{path} {to}");
    }
    assert!(words(&f.last("zoe@far.example").await).contains("its header is too long"));
    assert_eq!((f.received("bob@far.example").await.len(), f.in_mailbox("INBOX").await), (0, 0));
    f.sound().await;
}
