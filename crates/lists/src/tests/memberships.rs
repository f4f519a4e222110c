//! Who becomes a member, and who counts as one: nobody past a moderator, nobody by a made-up From.

use storage::rows::{ListRequest, RequestKind};

use super::*;
use crate::place::Place;
use crate::token::Purpose;

impl Fixture {
    async fn member_who(&self, who: &str, state: MemberState) {
        let (part, row) = (self.list.id, MemberRow { state, ..MemberRow::new(address(who), START) });
        self.store.transact(move |tx| tx.put_member(part, &row)).await.unwrap();
    }

    fn manage(&self, who: &str) -> String {
        let place = Place::of(&self.store.directory(), self.list.id).unwrap();
        self.lists.link(Purpose::Manage, &place, 0, &address(who), Duration::from_secs(3_600)).unwrap()
    }
}

#[tokio::test]
async fn who_waits_for_a_moderator_does_not_get_in_by_moving() {
    let mut f = fixture(garden()).await;
    f.set(|list| list.settings.joining = Joining::Approval).await;
    f.member_who("bob@far.example", MemberState::Pending).await;
    f.mail("bob@far.example", "garden-request@example.org", "move bob@new.example", "").await;
    assert!(words(&f.last("bob@far.example").await).contains("is not a member"));
    let letters = f.queue().await.len();
    let (_, page) = f.http("POST", &f.manage("bob@far.example"), "action=move&address=bob%40new.example").await;
    assert!(page.contains("pas encore décidé") && !page.contains("new.example"), "{page}");
    assert_eq!(f.queue().await.len(), letters);
    // A request that was there before, and is confirmed now.
    let (part, expires) = (f.list.id, START.plus(Duration::from_secs(3_600)));
    let kind = RequestKind::Move { to: address("bob@new.example") };
    let who = address("bob@far.example");
    let request = ListRequest { kind, address: who, name: String::new(), language: None, expires };
    f.store.transact(move |tx| tx.put_list_request(part, 7, &request)).await.unwrap();
    let place = Place::of(&f.store.directory(), part).unwrap();
    let confirm = f.lists.link(Purpose::Confirm, &place, 7, &address("bob@new.example"), Duration::from_secs(3_600));
    assert_eq!(f.http("POST", &confirm.unwrap(), "action=confirm").await.0, StatusCode::NOT_FOUND);
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Pending));
    assert_eq!(f.state_of("bob@new.example").await, None);
    assert_eq!(f.queue().await.len(), letters);
    // To withdraw needs nobody.
    f.http("POST", &f.manage("bob@far.example"), "action=leave").await;
    assert_eq!(f.state_of("bob@far.example").await, None);
    f.sound().await;
}

#[tokio::test]
async fn who_waits_for_a_moderator_does_not_get_in_when_the_list_closes() {
    let mut f = fixture(garden()).await;
    f.set(|list| list.settings.joining = Joining::Approval).await;
    f.mail("bob@far.example", "garden-join@example.org", "", "").await;
    let confirm = reply_to(&f.last("bob@far.example").await);
    f.member_who("bob@far.example", MemberState::Pending).await;
    f.set(|list| list.settings.joining = Joining::Closed).await;
    f.mail("bob@far.example", &confirm, "", "").await;
    f.mail("bob@far.example", "garden-join@example.org", "", "").await;
    assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Pending));
}

#[tokio::test]
async fn a_suspended_member_comes_back_whatever_the_list_says_to_strangers() {
    let mut f = fixture(garden()).await;
    for joining in [Joining::Approval, Joining::Closed, Joining::Confirm, Joining::Open] {
        f.set(|list| list.settings.joining = joining).await;
        f.member_who("bob@far.example", MemberState::Suspended).await;
        f.member_who("alice@example.org", MemberState::Suspended).await;
        f.mail("bob@far.example", "garden-join@example.org", "", "").await;
        assert_eq!(f.state_of("bob@far.example").await, Some(MemberState::Suspended), "forged, {joining:?}");
        f.mail("bob@far.example", &reply_to(&f.last("bob@far.example").await), "", "").await;
        f.submit("alice@example.org", "garden-join@example.org", "", "").await;
        for who in ["bob@far.example", "alice@example.org"] {
            assert_eq!(f.state_of(who).await, Some(MemberState::Active), "{who} {joining:?}");
            assert!(words(&f.last(who).await).contains("You are a member"), "{who} {joining:?}");
        }
        assert_eq!(f.received("owner@example.org").await.len(), 0, "no moderator is asked");
        f.sim.clock.advance(Duration::from_secs(86_400));
    }
    f.sound().await;
}

#[tokio::test]
async fn an_address_of_ours_makes_a_member_of_nobody_who_has_not_logged_in() {
    let f = fixture(garden()).await;
    for who in ["alice@example.org", "carol@far.example", "bob@far.example"] {
        f.member(who).await;
    }
    for (path, from) in [
        ("<alice@example.org>", "alice@example.org"),
        ("<zoe@far.example>", "Alice@example.org"),
        ("<alice@example.org>", "zoe@far.example"),
    ] {
        let content = message(from, "garden@example.org", "Forged", "x");
        f.held(f.list.id, path, "garden@example.org", None, &content).await;
    }
    f.take_all().await.unwrap();
    assert_eq!((f.received("carol@far.example").await.len(), f.in_mailbox("INBOX").await), (0, 3));
    f.submit("alice@example.org", "garden@example.org", "True", "x").await;
    f.mail("bob@far.example", "garden@example.org", "Elsewhere nobody knows", "x").await;
    assert_eq!((f.received("carol@far.example").await.len(), f.in_mailbox("INBOX").await), (2, 3));
    f.sound().await;
}
