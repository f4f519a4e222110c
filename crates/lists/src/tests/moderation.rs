//! What waits, who decides and how.

use super::*;

#[tokio::test]
async fn a_suspicious_post_waits_for_who_decides() {
    let f = fixture(garden()).await;
    f.member("bob@far.example").await;
    let (part, list) = (f.list.id, "garden@example.org");
    let content = message("bob@far.example", list, "Tea", "at five");
    f.held_as(part, "<bob@far.example>", list, None, &content, None, true).await;
    f.take_all().await.unwrap();
    let letter = words(&f.last("owner@example.org").await);
    assert!(letter.contains("Tea"), "{letter}");
    f.sound().await;
}

#[tokio::test]
async fn a_flood_that_waits_is_bounded_and_so_are_the_letters_about_it() {
    let f = fixture(garden()).await;
    let letters = crate::limits::MODERATOR_LETTERS_PER_DAY as usize;
    for n in 0..=crate::limits::WAITING_MAX {
        let content = message("zoe@far.example", "garden@example.org", &format!("{n}"), "x");
        f.held(f.list.id, "<zoe@far.example>", "garden@example.org", None, &content).await;
    }
    f.take_all().await.unwrap();
    assert_eq!(f.in_mailbox("INBOX").await as usize, crate::limits::WAITING_MAX);
    assert_eq!(f.received("owner@example.org").await.len(), letters);
    assert!(words(&f.last("zoe@far.example").await).contains("too many messages wait"));
}

#[tokio::test]
async fn the_first_moderator_decides_by_answer_and_the_other_is_told() {
    let mut f = fixture(ListObject { moderated: true, ..garden() }).await;
    f.set(|list| list.moderators = vec![address("mod@example.org"), address("pat@far.example")]).await;
    f.member("bob@far.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "Shall we?").await;
    assert_eq!(f.received("bob@far.example").await.len(), 0, "it waits");
    let letter = f.last("mod@example.org").await;
    let text = words(&letter);
    assert!(text.contains("Subject: Tea") && text.contains("> Shall we?") && text.contains(WEB), "{text}");
    let remote = f.last("pat@far.example").await;
    f.sound().await;
    f.submit("mod@example.org", &reply_to(&letter), "Re: waits", "accepter\n\n> quoted").await;
    assert_eq!(f.received("bob@far.example").await.len(), 1);
    f.mail("pat@far.example", &reply_to(&remote), "Re: waits", "reject: no").await;
    assert!(words(&f.last("pat@far.example").await).contains("mod@example.org was faster: the message was approved"));
    let (status, page) = f.http("POST", &link(&remote), "action=reject").await;
    assert!(status.is_success() && page.contains("mod@example.org"), "{page}");
    assert_eq!(f.received("bob@far.example").await.len(), 1);
    assert_eq!(f.in_mailbox("INBOX").await, 0);
    f.sound().await;
}

#[tokio::test]
async fn a_rejection_by_link_tells_the_author_and_never_a_stranger() {
    let f = fixture(ListObject { moderated: true, ..garden() }).await;
    f.member("bob@far.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "Shall we?").await;
    let first = link(&f.last("owner@example.org").await);
    assert!(f.http("GET", &first, "").await.1.contains("bob@far.example"));
    f.http("POST", &first, "action=reject&reason=Hors+sujet").await;
    f.take_all().await.unwrap();
    let told = words(&f.last("bob@far.example").await);
    assert!(told.contains("\"Tea\"") && told.contains("> Hors sujet"), "{told}");
    // A From that does not agree with the envelope: a spammer's invention.
    let content = message("bob@far.example", "garden@example.org", "Buy", "x");
    f.held(f.list.id, "<spam@evil.example>", "garden@example.org", None, &content).await;
    f.take_all().await.unwrap();
    f.http("POST", &link(&f.last("owner@example.org").await), "action=reject").await;
    f.take_all().await.unwrap();
    assert_eq!(f.received("bob@far.example").await.len(), 1);
    assert_eq!(f.received("spam@evil.example").await.len(), 0);
    assert_eq!(f.in_mailbox("INBOX").await, 0);
    f.sound().await;
}

#[tokio::test]
async fn the_link_of_who_moderates_no_more_does_nothing() {
    let mut f = fixture(ListObject { moderated: true, ..garden() }).await;
    f.set(|list| list.moderators = vec![address("pat@far.example")]).await;
    f.member("bob@far.example").await;
    f.mail("bob@far.example", "garden@example.org", "Tea", "x").await;
    let old = link(&f.last("pat@far.example").await);
    f.set(|list| list.moderators = vec![address("mod@example.org")]).await;
    assert_eq!(f.http("POST", &old, "action=approve").await.0, StatusCode::NOT_FOUND);
    f.take_all().await.unwrap();
    assert_eq!(f.received("bob@far.example").await.len(), 0);
}

#[tokio::test]
async fn a_moderators_own_post_passes_when_they_have_logged_in() {
    let f = fixture(ListObject { moderated: true, ..garden() }).await;
    f.member("carol@far.example").await;
    f.mail("owner@example.org", "garden@example.org", "Forged", "x").await;
    assert_eq!(f.received("carol@far.example").await.len(), 0);
    f.submit("owner@example.org", "garden@example.org", "True", "x").await;
    assert_eq!(f.received("carol@far.example").await.len(), 1);
}

#[tokio::test]
async fn strangers_wait_are_refused_or_pass_as_the_list_says() {
    let mut f = fixture(garden()).await;
    f.member("carol@far.example").await;
    f.set(|list| list.settings.waiting_notice = true).await;
    f.mail("zoe@far.example", "garden@example.org", "One", "x").await;
    f.mail("zoe@far.example", "garden@example.org", "Two", "x").await;
    assert_eq!(f.received("zoe@far.example").await.len(), 1, "one notice a day");
    assert_eq!(f.in_mailbox("INBOX").await, 2);
    f.set(|list| list.settings.non_members = NonMembers::Refuse).await;
    f.mail("yan@far.example", "garden@example.org", "Three", "x").await;
    assert!(words(&f.last("yan@far.example").await).contains("only members may write"));
    assert_eq!(f.received("carol@far.example").await.len(), 0);
    f.set(|list| list.settings.non_members = NonMembers::Accept).await;
    f.mail("xia@far.example", "garden@example.org", "Four", "x").await;
    assert_eq!(f.received("carol@far.example").await.len(), 1);
    f.sound().await;
}

#[tokio::test]
async fn what_nobody_decides_on_expires_with_a_notice() {
    let f = fixture(garden()).await;
    f.mail("zoe@far.example", "garden@example.org", "Tea", "x").await;
    f.sim.clock.advance(Duration::from_secs(6 * 86_400));
    f.lists.sweep().await.unwrap();
    assert_eq!(f.in_mailbox("INBOX").await, 1);
    f.sim.clock.advance(Duration::from_secs(86_401));
    f.lists.sweep().await.unwrap();
    assert_eq!(f.in_mailbox("INBOX").await, 0);
    assert!(words(&f.last("zoe@far.example").await).contains("within 7 days"));
    assert_eq!(f.store.waiting_after(f.list.id, Uid(0), 9).await.unwrap(), []);
    f.sound().await;
}

#[tokio::test]
async fn a_moderated_group_delivers_what_was_approved_to_its_mailboxes() {
    let f = fixture(garden()).await;
    let group = GroupObject {
        members: vec![address("alice@example.org"), address("owner@example.org")],
        moderated: true,
        moderators: vec![address("mod@example.org")],
        ..GroupObject::new(address("board@example.org"))
    };
    let group = f.store.add_group(group).await.unwrap().value;
    let content = message("zoe@far.example", "board@example.org", "Offer", "Good");
    f.held(group.id, "<zoe@far.example>", "board@example.org", None, &content).await;
    f.take_all().await.unwrap();
    assert_eq!(f.received("alice@example.org").await.len(), 0);
    let letter = f.last("mod@example.org").await;
    assert!(reply_to(&letter).starts_with("board-confirm+"));
    f.held(
        group.id,
        "<mod@example.org>",
        &reply_to(&letter),
        None,
        &message("mod@example.org", "x@y.example", "Re", "ok"),
    )
    .await;
    f.take_all().await.unwrap();
    for who in ["alice@example.org", "owner@example.org"] {
        let got = f.received(who).await;
        assert_eq!(got.len(), 1);
        assert!(got[0].contains("Subject: Offer") && !got[0].contains("List-Id"));
    }
    f.sound().await;
}

/// RFC 8689 §6: copies of a post travel as it came, also when it has waited, and so do letters that repeat some of it.
#[tokio::test]
async fn rfc8689_what_came_with_requiretls_goes_on_with_it() {
    for require_tls in [true, false] {
        let mut f = fixture(ListObject { moderated: true, ..garden() }).await;
        f.require_tls = require_tls;
        f.set(|list| list.moderators = vec![address("mod@example.org"), address("pat@far.example")]).await;
        f.member("bob@far.example").await;
        f.mail("bob@far.example", "garden@example.org", "Tea", "Shall we?").await;
        let letter = f.last("pat@far.example").await;
        f.require_tls = false;
        f.mail("pat@far.example", &reply_to(&letter), "Re: waits", "ok").await;
        f.set(|list| list.owners = vec![address("boss@far.example")]).await;
        f.require_tls = require_tls;
        f.mail("zoe@far.example", "garden-owner@example.org", "Question", "x").await;
        let rows = f.queue().await;
        for to in ["pat@far.example", "bob@far.example", "boss@far.example"] {
            let row = rows.iter().find(|row| row.recipients[0].address == address(to)).unwrap();
            assert_eq!(row.require_tls, require_tls, "{to}");
        }
        f.sound().await;
    }
}
