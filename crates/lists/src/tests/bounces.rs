//! Reports that come back, members who are suspended by them, and mail for the owners.

use super::*;

fn dsn(status: &str) -> String {
    format!(
        "From: MAILER-DAEMON@far.example\r\nSubject: failed\r\nContent-Type: multipart/report; \
         report-type=delivery-status; boundary=\"b\"\r\n\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n\
         Reporting-MTA: dns; mx.far.example\r\n\r\nFinal-Recipient: rfc822; x@far.example\r\nAction: failed\r\n\
         Status: {status}\r\n\r\n--b--\r\n"
    )
}

#[tokio::test]
async fn bounces_suspend_a_member_who_comes_back_by_the_link() {
    let mut f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    f.set(|list| list.settings.bounce_days_max = 2).await;
    let long = "somebody-with-a-rather-long-local-part@a-rather-long-domain-name.example";
    for member in ["bob@far.example", long] {
        f.member(member).await;
        f.mail("zoe@far.example", "garden@example.org", "Tea", "x").await;
        let path = paths(&f.queue().await)[member][0].trim_matches(['<', '>']).to_owned();
        assert!(path.split('@').next().unwrap().len() <= 64, "{path}");
        let forged = path.replace("bounces+", "bounces+a");
        for _ in 0..2 {
            f.held(f.list.id, "<>", &forged, None, &dsn("5.7.1")).await;
            f.held(f.list.id, "<>", "garden-bounces@example.org", None, &dsn("5.7.1")).await;
            f.held(
                f.list.id,
                "<x@far.example>",
                &path,
                None,
                &message("x@far.example", "y@z.example", "I am away", ""),
            )
            .await;
            f.take_all().await.unwrap();
            assert_eq!(f.store.member(f.list.id, &address(member)).await.unwrap().unwrap().bounces.tenths % 10, 0);
            f.held(f.list.id, "<>", &path, None, &dsn("5.7.1")).await;
            f.take_all().await.unwrap();
            f.sim.clock.advance(Duration::from_secs(86_400));
        }
        assert_eq!(f.state_of(member).await, Some(MemberState::Suspended));
        assert!(words(&f.last("owner@example.org").await).contains(member));
        f.mail("zoe@far.example", "garden@example.org", "Cake", "x").await;
        let back = link(&f.last(member).await);
        assert_eq!(f.http("POST", &back, "action=back").await.0, StatusCode::OK);
        assert_eq!(f.state_of(member).await, Some(MemberState::Active));
    }
    f.sound().await;
}

/// What a report on a post says of an address counts for the suppression list, too, when its token is good; posts go on, for the list counts
/// itself.
#[tokio::test]
async fn who_is_not_there_is_on_the_suppression_list() {
    let f = fixture(ListObject { posting: Posting::Anyone, ..garden() }).await;
    f.member("bob@far.example").await;
    f.mail("zoe@far.example", "garden@example.org", "Tea", "x").await;
    let path = paths(&f.queue().await)["bob@far.example"][0].trim_matches(['<', '>']).to_owned();
    let bob = address("bob@far.example");
    let forged = path.replace("bounces+", "bounces+a");
    for (path, status) in [(&forged, "5.1.1"), (&path, "5.7.1"), (&path, "4.1.1")] {
        f.held(f.list.id, "<>", path, None, &dsn(status)).await;
        f.take_all().await.unwrap();
        assert_eq!(f.store.suppressed(&bob).await.unwrap(), None, "{status}");
    }
    f.held(f.list.id, "<>", &path, None, &dsn("5.1.1")).await;
    f.take_all().await.unwrap();
    let entered = f.store.suppressed(&bob).await.unwrap().unwrap();
    assert_eq!(entered.reason, storage::suppressed::SuppressionReason::HardBounce);
    assert_eq!(entered.until, Some(f.store.now().plus(Duration::from_secs(30 * 86_400))));
    assert_eq!(entered.detail, "a report on a post of garden@example.org says so");
    f.mail("zoe@far.example", "garden@example.org", "Cake", "x").await;
    assert_eq!(paths(&f.queue().await)["bob@far.example"].len(), 2, "the list counts itself");
    f.sound().await;
}

/// A member here whose mailbox is full gets no post more, and counts as one elsewhere whose server says so.
#[tokio::test]
async fn a_full_mailbox_here_is_a_temporary_bounce() {
    let mut f = fixture(garden()).await;
    f.set(|list| list.settings.non_members = NonMembers::Accept).await;
    f.member("alice@example.org").await;
    f.member("mod@example.org").await;
    let quota = |octets: Option<u64>| {
        let alice = (**f.store.directory().account(&address("alice@example.org")).unwrap()).clone();
        f.store.put_object(Object::Account(AccountObject { quota_octets: octets, ..alice }), PutMode::Replace)
    };
    let score = async || f.store.member(f.list.id, &address("alice@example.org")).await.unwrap().unwrap().bounces;
    f.submit("owner@example.org", "garden@example.org", "first", "x").await;
    f.take_all().await.unwrap();
    assert_eq!((f.received("alice@example.org").await.len(), score().await.tenths), (1, 0));
    quota(Some(1)).await.unwrap();
    f.submit("owner@example.org", "garden@example.org", "second", "x").await;
    f.take_all().await.unwrap();
    assert_eq!((f.received("alice@example.org").await.len(), score().await.tenths), (1, 5));
    assert_eq!(f.received("mod@example.org").await.len(), 2);
    quota(None).await.unwrap();
    f.submit("owner@example.org", "garden@example.org", "third", "x").await;
    f.take_all().await.unwrap();
    assert_eq!(
        (f.received("alice@example.org").await.len(), f.state_of("alice@example.org").await),
        (2, Some(MemberState::Active))
    );
    f.sound().await;
}

#[tokio::test]
async fn mail_for_the_owners_goes_to_them_and_comes_back_nowhere() {
    let f = fixture(garden()).await;
    f.mail("zoe@far.example", "garden-owner@example.org", "Question", "x").await;
    let got = f.received("owner@example.org").await;
    assert_eq!(got.len(), 1);
    f.held(f.list.id, "<>", "garden-owner@example.org", None, &dsn("5.1.1")).await;
    f.take_all().await.unwrap();
    assert_eq!(f.received("owner@example.org").await.len(), 1);
    assert_eq!(f.in_mailbox("INBOX").await, 0);
}
