//! Joining, leaving and moving, by mail and by link.

use super::*;

#[tokio::test]
async fn joining_by_mail_needs_the_addresss_own_confirmation() {
    let f = fixture(garden()).await;
    // Anybody can write this.
    f.mail("bob@far.example", "garden-join@example.org", "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, None);
    let letter = f.last("bob@far.example").await;
    assert_eq!(field_of(&letter, "Auto-Submitted").as_deref(), Some("auto-generated"));
    let confirm = reply_to(&letter);
    // An absence confirms nothing.
    let absence = "From: bob@far.example\r\nAuto-Submitted: auto-replied\r\nSubject: x\r\n\r\nx\r\n".to_owned();
    f.held(f.list.id, "<bob@far.example>", &confirm, None, &absence).await;
    f.held(f.list.id, "<>", &confirm, None, &message("bob@far.example", &confirm, "x", "x")).await;
    f.take_all().await.unwrap();
    assert_eq!(f.state_of("bob@far.example").await, None);
    f.mail("bob@far.example", "garden-confirm+aaaaaaaaaaaaaaaaaaaaa@example.org", "x", "x").await;
    assert_eq!(f.state_of("bob@far.example").await, None, "a made-up token");
    f.mail("bob@far.example", &confirm, "Re: confirm", "").await;
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Active));
    assert!(words(&f.last("bob@far.example").await).contains("You are a member"));
    // Used up.
    f.mail("bob@far.example", "garden-leave@example.org", "", "").await;
    let leave = reply_to(&f.last("bob@far.example").await);
    f.mail("bob@far.example", &leave, "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, None);
    f.mail("bob@far.example", &confirm, "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, None, "a token counts once");
    f.sound().await;
}

#[tokio::test]
async fn who_has_logged_in_joins_an_open_list_at_once_and_leaves_at_once() {
    let mut f = fixture(garden()).await;
    f.set(|list| list.settings.joining = Joining::Open).await;
    f.mail("alice@example.org", "garden-join@example.org", "", "").await;
    assert_eq!(f.state_of("alice@example.org").await, None, "forged");
    f.submit("alice@example.org", "garden-request@example.org", "Inscription", "").await;
    assert_eq!(f.state_of("alice@example.org").await, Some(MemberState::Active));
    f.submit("alice@example.org", "garden-request@example.org", "", "unsubscribe").await;
    assert_eq!(f.state_of("alice@example.org").await, None);
}

#[tokio::test]
async fn who_is_surely_from_elsewhere_leaves_at_once_and_nobody_else() {
    let f = fixture(garden()).await;
    for who in ["bob@far.example", "zoe@far.example", "alice@example.org"] {
        f.member(who).await;
    }
    let leave = "garden-leave@example.org";
    let order = |who: &'static str, verified: Option<&'static str>| {
        let (f, content) = (&f, message(who, leave, "", ""));
        async move {
            f.held_as(f.list.id, &format!("<{who}>"), leave, None, &content, verified, false).await;
            f.take_all().await.unwrap();
        }
    };
    order("zoe@far.example", None).await;
    order("zoe@far.example", Some("evil.example")).await;
    order("alice@example.org", Some("example.org")).await;
    for who in ["zoe@far.example", "alice@example.org"] {
        assert_eq!(f.state_of(who).await, Some(MemberState::Active), "{who} is asked");
    }
    order("bob@far.example", Some("far.example")).await;
    assert_eq!(f.state_of("bob@far.example").await, None);
    f.sound().await;
}

#[tokio::test]
async fn a_confirmation_lapses() {
    let f = fixture(garden()).await;
    f.mail("bob@far.example", "garden-join@example.org", "", "").await;
    let letter = f.last("bob@far.example").await;
    f.sim.clock.advance(Duration::from_secs(3 * 86_400 + 4_000));
    f.mail("bob@far.example", &reply_to(&letter), "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, None);
    assert_eq!(f.http("POST", &link(&letter), "action=confirm").await.0, StatusCode::NOT_FOUND);
    assert!(f.lists.sweep().await.unwrap() > 0);
    assert_eq!(f.store.list_requests(f.list.id, 0, 9).await.unwrap(), []);
}

#[tokio::test]
async fn nobodys_mailbox_can_be_filled_with_confirmations() {
    let f = fixture(garden()).await;
    for _ in 0..20 {
        f.mail("victim@far.example", "garden-join@example.org", "", "").await;
        f.mail("victim@far.example", "garden-request@example.org", "help", "").await;
    }
    assert_eq!(f.received("victim@far.example").await.len(), 2 * LETTERS_PER_DAY as usize);
    f.sim.clock.advance(Duration::from_secs(86_400));
    f.mail("victim@far.example", "garden-join@example.org", "", "").await;
    assert_eq!(f.received("victim@far.example").await.len(), 2 * LETTERS_PER_DAY as usize + 1);
    f.lists.sweep().await.unwrap();
    f.sound().await;
}

#[tokio::test]
async fn a_closed_list_takes_nobody_and_one_with_approval_asks_its_moderators() {
    let mut f = fixture(garden()).await;
    f.set(|list| list.settings.joining = Joining::Closed).await;
    f.mail("bob@far.example", "garden-join@example.org", "", "").await;
    assert!(words(&f.last("bob@far.example").await).contains("owners choose"));
    f.set(|list| list.settings.joining = Joining::Approval).await;
    f.mail("bob@far.example", "garden-join@example.org", "", "").await;
    let confirm = reply_to(&f.last("bob@far.example").await);
    f.mail("bob@far.example", &confirm, "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Pending));
    let asked = f.last("owner@example.org").await;
    assert!(words(&asked).contains("bob@far.example wants to become a member"), "{}", words(&asked));
    f.submit("owner@example.org", &reply_to(&asked), "Re", "I will look at it").await;
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Pending));
    f.submit("owner@example.org", &reply_to(&asked), "Re", "Oui").await;
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Active));
    f.mail("eve@far.example", "garden-join@example.org", "", "").await;
    f.mail("eve@far.example", &reply_to(&f.last("eve@far.example").await), "", "").await;
    f.submit("owner@example.org", &reply_to(&f.last("owner@example.org").await), "Re", "reject: members bring\n").await;
    assert_eq!(f.state_of("eve@far.example").await, None);
    assert!(words(&f.last("eve@far.example").await).contains("> members bring"));
    f.sound().await;
}

#[tokio::test]
async fn r08_a_member_moves_by_mail_when_both_addresses_agree() {
    let f = fixture(garden()).await;
    f.member("bob@far.example").await;
    // Anybody can write this, and would get the confirmation at the new address: the old one is asked first.
    f.mail("bob@far.example", "garden-request@example.org", "move thief@evil.example", "").await;
    assert_eq!(f.received("thief@evil.example").await.len(), 0);
    f.mail("bob@far.example", "garden-request@example.org", "Re: adresse bob@new.example", "").await;
    let first = reply_to(&f.last("bob@far.example").await);
    f.mail("bob@far.example", &first, "", "").await;
    assert_eq!(f.state_of("bob@new.example").await, None);
    let second = reply_to(&f.last("bob@new.example").await);
    f.mail("bob@new.example", &second, "", "").await;
    assert_eq!(f.state_of("bob@new.example").await, Some(MemberState::Active));
    assert_eq!(f.state_of("bob@far.example").await, None);
    assert!(words(&f.last("bob@far.example").await).contains("writes to you at bob@new.example"));
    f.sound().await;
}

#[tokio::test]
async fn r08_links_need_no_account_and_a_get_changes_nothing() {
    let f = fixture(garden()).await;
    let join = format!("{WEB}/lists/join/garden@example.org");
    assert!(f.http("GET", &join, "").await.1.contains("<form method=\"post\">"));
    assert_eq!(f.http("POST", &join, "address=nobody").await.0, StatusCode::BAD_REQUEST);
    assert_eq!(f.http("POST", &join, "address=bob%40far.example").await.0, StatusCode::OK);
    let confirm = link(&f.last("bob@far.example").await);
    let (status, page) = f.http("GET", &confirm, "").await;
    assert!(status.is_success() && page.contains("bob@far.example") && page.contains("Confirmer"), "{page}");
    assert_eq!(f.state_of("bob@far.example").await, None);
    assert_eq!(f.http("POST", &confirm, "action=confirm").await.0, StatusCode::OK);
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Active));
    assert_eq!(f.http("POST", &confirm, "action=confirm").await.0, StatusCode::NOT_FOUND, "once");
    let manage = link(&f.last("bob@far.example").await);
    assert_eq!(f.http("POST", &manage, "action=own-off").await.0, StatusCode::OK);
    assert!(!f.store.member(f.list.id, &address("bob@far.example")).await.unwrap().unwrap().own_posts);
    assert_eq!(f.http("POST", &manage, "action=move&address=bob%40new.example").await.0, StatusCode::OK);
    let moving = link(&f.last("bob@new.example").await);
    f.http("GET", &moving, "").await;
    assert_eq!(f.state_of("bob@new.example").await, None);
    f.http("POST", &moving, "action=confirm").await;
    assert_eq!(f.state_of("bob@new.example").await, Some(MemberState::Active));
    assert_eq!(f.http("GET", &manage, "").await.0, StatusCode::NOT_FOUND, "the old address is no member");
    for bad in ["x", "", "join/nothing@example.org", &"a".repeat(3_000)] {
        assert_eq!(f.http("GET", &format!("{WEB}/lists/{bad}"), "").await.0, StatusCode::NOT_FOUND, "{bad}");
    }
    f.sound().await;
}

#[tokio::test]
async fn personal_links_leave_with_one_click_and_without_a_form() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    f.set(|list| list.settings.personal_links = true).await;
    f.member("bob@far.example").await;
    f.member("carol@far.example").await;
    f.mail("zoe@far.example", "garden@example.org", "Tea", "Body").await;
    let post = f.last("bob@far.example").await;
    let fields = field_of(&post, "List-Unsubscribe").unwrap();
    let url = fields.trim_start_matches('<').split('>').next().unwrap().to_owned();
    assert_eq!(field_of(&post, "List-Unsubscribe-Post").as_deref(), Some("List-Unsubscribe=One-Click"));
    assert_ne!(post, f.last("carol@far.example").await, "a link of their own");
    f.http("GET", &url, "").await;
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Active));
    assert_eq!(f.http("POST", &url, "List-Unsubscribe=One-Click").await.0, StatusCode::OK);
    assert_eq!(f.state_of("bob@far.example").await, None);
    assert_eq!(f.state_of("carol@far.example").await, Some(MemberState::Active));
    assert_eq!(f.http("POST", &url, "List-Unsubscribe=One-Click").await.0, StatusCode::OK, "twice is no error");
    f.sound().await;
}

#[tokio::test]
async fn a_list_that_was_closed_meanwhile_takes_nobody() {
    let mut f = fixture(garden()).await;
    f.mail("bob@far.example", "garden-join@example.org", "", "").await;
    let confirm = reply_to(&f.last("bob@far.example").await);
    f.set(|list| list.settings.joining = Joining::Closed).await;
    f.mail("bob@far.example", &confirm, "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, None);
}
