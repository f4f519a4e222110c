//! Who was made a member without having asked is told, once, with the way out.

use delivery::MemberAdded;

use super::*;
use crate::added::Greeter;

impl Fixture {
    /// What `relais list member add` does.
    async fn add(&self, who: &str) {
        self.add_as(who, false).await;
    }

    async fn add_as(&self, who: &str, bounded: bool) {
        let (part, row, now) = (self.list.id, MemberRow::new(address(who), START), self.store.now());
        let add = move |tx: &mut storage::Transaction<'_>| {
            tx.put_member(part, &row)?;
            let event = MemberAdded { part, address: row.address.clone(), bounded };
            tx.emit(Topic::MemberAdded, now, event.encode())
        };
        self.store.transact(add).await.unwrap();
    }

    async fn greet_all(&self) -> Result<(), TakeError> {
        for event in &self.store.events_after(Topic::MemberAdded, 0, 100).await.unwrap() {
            Greeter(&self.lists).take(event).await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn r08_who_is_added_is_told_in_the_lists_language_and_leaves_by_the_link() {
    let mut f = fixture(garden()).await;
    f.set(|list| list.settings.language = "fr".to_owned()).await;
    f.add("bob@far.example").await;
    f.greet_all().await.unwrap();
    f.greet_all().await.unwrap();
    let letters = f.received("bob@far.example").await;
    assert_eq!(letters.len(), 1);
    let text = words(&letters[0]);
    assert!(text.contains("y a inscrit cette adresse") && text.contains("garden-leave@example.org"), "{text}");
    let (status, _) = f.http("POST", &link(&letters[0]), "action=leave").await;
    assert_eq!((status, f.state_of("bob@far.example").await), (StatusCode::OK, None));
    f.sound().await;
}

#[tokio::test]
async fn r08_no_letter_for_who_has_left_since_and_no_mailbox_filled_with_them() {
    let f = fixture(garden()).await;
    f.add("bob@far.example").await;
    let part = f.list.id;
    f.store.transact(move |tx| tx.remove_member(part, &address("bob@far.example"))).await.unwrap();
    f.greet_all().await.unwrap();
    assert_eq!(f.received("bob@far.example").await.len(), 0);
    assert_eq!(f.store.events_after(Topic::MemberAdded, 0, 9).await.unwrap(), []);
    for _ in 0..10 {
        f.add("carol@far.example").await;
        f.greet_all().await.unwrap();
    }
    assert_eq!(f.received("carol@far.example").await.len(), LETTERS_PER_DAY as usize);
    f.sim.clock.advance(Duration::from_secs(86_400));
    f.add("carol@far.example").await;
    f.greet_all().await.unwrap();
    assert_eq!(f.received("carol@far.example").await.len(), LETTERS_PER_DAY as usize + 1);
    // The list is gone before the letter was written.
    f.add("dan@far.example").await;
    f.store.remove_object(routing::objects::ObjectKey::List(address("garden@example.org"))).await.unwrap();
    f.greet_all().await.unwrap();
    assert_eq!(f.received("dan@far.example").await.len(), 0);
}

#[tokio::test]
async fn r08_owners_make_a_list_write_to_so_many_people_a_day_and_hear_of_it() {
    let f = fixture(garden()).await;
    let max = crate::limits::ADDED_LETTERS_PER_DAY as usize;
    for n in 0..max {
        f.add_as(&format!("m{n}@far.example"), true).await;
    }
    for _ in 0..3 {
        f.greet_all().await.unwrap();
    }
    assert_eq!(f.received(&format!("m{}@far.example", max - 1)).await.len(), 1);
    for who in ["late@far.example", "later@far.example"] {
        f.add_as(who, true).await;
        f.greet_all().await.unwrap();
        assert_eq!(f.received(who).await.len(), 0);
        assert!(f.state_of(who).await.is_some(), "a member all the same");
    }
    let owners = f.received("owner@example.org").await;
    let tells = |letter: &&String| {
        words(letter).split_whitespace().collect::<Vec<_>>().join(" ").contains("people whom owners")
    };
    let told = owners.iter().filter(tells).count();
    assert_eq!(told, 1, "once a day");
    // Who has a role is not bounded by it.
    f.add("free@far.example").await;
    f.greet_all().await.unwrap();
    assert_eq!(f.received("free@far.example").await.len(), 1);
    f.sim.clock.advance(Duration::from_secs(86_400));
    f.add_as("next@far.example", true).await;
    f.greet_all().await.unwrap();
    assert_eq!(f.received("next@far.example").await.len(), 1);
    f.sound().await;
}

#[tokio::test]
async fn r08_a_power_cut_at_any_commit_leaves_exactly_one_letter() {
    for cut in 0..20 {
        let mut f = fixture(garden()).await;
        f.add("bob@far.example").await;
        f.engine.fail_after(cut, StorageError::Io("the power went".to_owned()));
        let done = f.greet_all().await.is_ok();
        f.power_cut().await;
        f.greet_all().await.unwrap();
        assert_eq!(f.received("bob@far.example").await.len(), 1, "after {cut} commits");
        f.sound().await;
        if done && cut > 3 {
            return;
        }
    }
    unreachable!("the loop ends when every commit has gone through");
}
