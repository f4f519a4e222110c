//! Posts: to whom they go, once each, and what they look like.

use super::*;

#[tokio::test]
async fn a_thousand_members_get_a_post_once_each_whatever_commit_the_power_fails_at() {
    let mut failed_at = 0;
    loop {
        let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
        f.set(|list| list.settings.archive = true).await;
        let part = f.list.id;
        f.store
            .transact(move |tx| {
                for n in 0..997 {
                    let member = MemberRow::new(address(&format!("m{n}@far{}.example", n % 7)), START);
                    tx.put_member(part, &member)?;
                }
                for name in ["alice", "mod", "owner"] {
                    tx.put_member(part, &MemberRow::new(address(&format!("{name}@example.org")), START))?;
                }
                Ok(())
            })
            .await
            .unwrap();
        let body = "A line of text that fills a chunk of the blob.\r\n".repeat(3_000);
        let content = message("zoe@far.example", "garden@example.org", "Tea", &body);
        f.held(part, "<zoe@far.example>", "garden@example.org", None, &content).await;
        f.engine.fail_after(failed_at, StorageError::Io("power".to_owned()));
        let went_through = f.take_all().await.is_ok();
        f.power_cut().await;
        f.take_all().await.unwrap();
        let rows = f.queue().await;
        let paths = paths(&rows);
        assert_eq!(paths.len(), 997, "cut at commit {failed_at}");
        assert!(paths.values().all(|paths| paths.len() == 1), "twice, cut at commit {failed_at}");
        for name in ["alice", "mod", "owner"] {
            assert_eq!(f.received(&format!("{name}@example.org")).await.len(), 1, "cut at commit {failed_at}");
        }
        let blobs: std::collections::BTreeSet<_> = rows.iter().map(|row| row.blob).collect();
        assert_eq!(blobs.len(), 1, "one content for all");
        assert_eq!((f.in_mailbox("INBOX").await, f.in_mailbox("Outgoing").await), (0, 0));
        assert_eq!(f.in_mailbox("Archive").await, 1);
        f.store.sweep().await.unwrap();
        f.sound().await;
        if went_through {
            assert!(failed_at >= 12, "ten batches, a beginning and an end");
            return;
        }
        failed_at += 1;
    }
}

#[tokio::test]
async fn a_post_on_its_way_goes_on_whatever_the_list_says_meanwhile() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    for n in 0..150 {
        f.member(&format!("m{n}@far.example")).await;
    }
    let content = message("zoe@far.example", "garden@example.org", "Tea", "Body");
    f.held(f.list.id, "<zoe@far.example>", "garden@example.org", None, &content).await;
    // The mailbox, the beginning and one batch.
    f.engine.fail_after(3, StorageError::Io("power".to_owned()));
    assert!(f.take_all().await.is_err());
    assert_eq!(f.queue().await.len(), 100);
    f.power_cut().await;
    f.set(|list| (list.moderated, list.posting) = (true, Posting::Members)).await;
    f.take_all().await.unwrap();
    assert_eq!(paths(&f.queue().await).len(), 150);
    assert_eq!(f.queue().await.len(), 150);
    f.sound().await;
}

#[tokio::test]
async fn a_post_has_the_headers_and_each_copy_its_own_reverse_path() {
    let f = fixture(garden()).await;
    f.member("Bob@Far.example").await;
    f.member("carol@other.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "Body").await;
    let rows = f.queue().await;
    let paths = paths(&rows);
    let path = &paths["Bob@far.example"][0];
    assert!(path.starts_with("<garden-bounces+") && path.ends_with("+bob=far.example@example.org>"), "{path}");
    assert_ne!(path, &paths["carol@other.example"][0]);
    let text = f.text(&rows[0].blob).await;
    // Our Return-Path stays here.
    let travels = &text[rows[0].skip_octets as usize..];
    assert!(text.starts_with("Return-Path: <garden-bounces@example.org>\r\n"));
    assert!(travels.starts_with("Received: by mx; now\r\n"), "{travels}");
    assert_eq!(field_of(&text, "List-Id").as_deref(), Some("\"Garden\" <garden.example.org>"));
    assert_eq!(field_of(&text, "From").as_deref(), Some("Somebody <bob@far.example>"));
    assert!(text.ends_with("\r\n\r\nBody\r\n"));
    f.sound().await;
}

#[tokio::test]
async fn who_wants_no_own_posts_gets_none_and_the_suspended_get_nothing() {
    let f = fixture(garden()).await;
    let part = f.list.id;
    let own = MemberRow { own_posts: false, ..MemberRow::new(address("bob@far.example"), START) };
    let off = MemberRow { state: MemberState::Suspended, ..MemberRow::new(address("off@far.example"), START) };
    let waits = MemberRow { state: MemberState::Pending, ..MemberRow::new(address("waits@far.example"), START) };
    f.store
        .transact(move |tx| [&own, &off, &waits].into_iter().try_for_each(|member| tx.put_member(part, member)))
        .await
        .unwrap();
    f.member("carol@far.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "Body").await;
    assert_eq!(paths(&f.queue().await).into_keys().collect::<Vec<_>>(), ["carol@far.example"]);
}

#[tokio::test]
async fn a_from_that_dmarc_protects_is_rewritten() {
    let f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    f.member("carol@far.example").await;
    let policy = vec!["v=DMARC1; p=reject".to_owned()];
    f.sim.resolver.set_txt(Domain::parse("_dmarc.bank.example").unwrap(), Ok(policy));
    f.mail("zoe@bank.example", "garden@example.org", "Tea", "Body").await;
    let text = f.last("carol@far.example").await;
    assert_eq!(field_of(&text, "From").as_deref(), Some("\"Somebody via Garden\" <garden@example.org>"));
    assert_eq!(field_of(&text, "Reply-To").as_deref(), Some("\"Somebody\" <zoe@bank.example>"));
}

#[tokio::test]
async fn loops_and_machines_never_reach_the_members() {
    let f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    f.member("carol@far.example").await;
    for header in [
        "X-BeenThere: Garden@example.org",
        "List-Id: Garden <garden.example.org>",
        "Auto-Submitted: auto-replied",
        "Content-Type: multipart/report; report-type=delivery-status; boundary=b",
    ] {
        let content = format!("From: bob@far.example\r\nSubject: x\r\n{header}\r\n\r\nx\r\n");
        f.held(f.list.id, "<bob@far.example>", "garden@example.org", None, &content).await;
    }
    f.held(f.list.id, "<>", "garden@example.org", None, &message("bob@far.example", "x@y.example", "x", "x")).await;
    f.take_all().await.unwrap();
    assert_eq!(f.queue().await, []);
    assert_eq!(f.in_mailbox("INBOX").await, 0);
    f.sound().await;
}

#[tokio::test]
async fn a_personal_copy_tells_responders_that_it_is_from_a_list() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    let mut absence = ResponderObject::new(address("alice@example.org"), ResponderKind::OutOfOffice);
    (absence.subject_prefix, absence.text) = ("Away:".to_owned(), Some("Away".to_owned()));
    f.store.put_object(Object::Responder(absence), PutMode::Add).await.unwrap();
    f.member("alice@example.org").await;
    for personal in [false, true] {
        f.set(|list| list.settings.personal_links = personal).await;
        f.mail("zoe@far.example", "garden@example.org", "Tea", "Body").await;
        let events = f.store.events_after(Topic::MessageStored, 0, 9).await.unwrap();
        let event = delivery::MessageStored::decode(&events.last().unwrap().payload).unwrap();
        assert_eq!(events.len(), if personal { 2 } else { 1 });
        assert!(event.header.contains("List-Id:") && event.header.contains("Precedence: list"), "{}", event.header);
    }
}

#[tokio::test]
async fn letters_are_in_the_language_of_their_reader() {
    let f = fixture(garden()).await;
    f.mail("bob@far.example", "garden-request@example.org", "Inscription", "").await;
    let letter = f.last("bob@far.example").await;
    assert_eq!(field_of(&letter, "Content-Language").as_deref(), Some("fr"));
    f.mail("bob@far.example", &reply_to(&letter), "", "").await;
    assert!(words(&f.last("bob@far.example").await).contains("Vous êtes maintenant membre"));
    f.mail("bob@far.example", "garden-leave@example.org", "", "").await;
    assert!(words(&f.last("bob@far.example").await).contains("quitte la liste"));
    // The page was asked for in French.
    f.http("POST", &format!("{WEB}/lists/join/garden@example.org"), "address=eve%40far.example").await;
    assert!(words(&f.last("eve@far.example").await).contains("demandé l'inscription"));
    f.mail("dan@far.example", "garden-join@example.org", "", "").await;
    assert!(words(&f.last("dan@far.example").await).contains("To confirm, answer this letter"));
}

#[tokio::test]
async fn a_deleted_list_leaves_nothing() {
    let mut f = fixture(ListObject { moderated: true, ..garden() }).await;
    f.set(|list| list.settings.reply_to = ReplyTo::List).await;
    f.member("bob@far.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "x").await;
    let content = message("bob@far.example", "garden@example.org", "Late", "x");
    f.held(f.list.id, "<bob@far.example>", "garden@example.org", None, &content).await;
    f.store.remove_list(&address("garden@example.org")).await.unwrap();
    f.take_all().await.unwrap();
    assert!(f.store.events_after(Topic::HeldMessage, 0, 9).await.unwrap().is_empty());
    f.sound().await;
}
