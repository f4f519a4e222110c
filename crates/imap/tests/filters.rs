//! The filters of Sent act on the copies that mail programs put there (I3); sessions see it as they see MOVE.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests may")]

use crate::support::stage::{Client, pipe};
use crate::support::{House, PASSWORD};
use filter::{Actions, Filter, FilterSet, Place};
use mail::Keyword;
use relais_imap::Settings;
use routing::objects::Object;
use storage::objects::PutMode;
use tokio_util::sync::CancellationToken;

async fn client(house: &House) -> Client {
    let mut client = pipe(house, &CancellationToken::new());
    client.read_line().await.unwrap();
    client.command("l", &format!("LOGIN alice {PASSWORD}")).await.unwrap();
    client
}

async fn append(client: &mut Client, mailbox: &str, to: &str) -> Vec<String> {
    let message = format!("From: alice@example.org\r\nTo: {to}\r\nSubject: Hello\r\n\r\nHello\r\n");
    client.command("p", &format!("APPEND {mailbox} (\\Seen) {{{}+}}\r\n{message}", message.len())).await.unwrap()
}

async fn status(client: &mut Client, mailbox: &str) -> String {
    client.command("s", &format!("STATUS {mailbox} (MESSAGES)")).await.unwrap().remove(0)
}

#[tokio::test]
async fn i03_copies_that_clients_put_into_sent_are_filtered() {
    let settings = Settings { plaintext_login_on_loopback: true, ..Settings::default() };
    let house = House::new(settings, false).await;
    let filter = |name: &str, condition: &str, actions| Filter {
        conditions: vec![condition.parse().unwrap()],
        actions,
        places: vec![Place::Sent],
        ..Filter::new(name)
    };
    let moved = Actions { folder: Some("Partners".to_owned()), ..Actions::default() };
    let tags = [Keyword::parse("Customer").unwrap()].into();
    let tagged = Actions { tags, important: true, ..Actions::default() };
    let filters = vec![filter("p", "to contains @p.example", moved), filter("c", "to contains @c.example", tagged)];
    let account = house.account("alice").id;
    house.store.put_object(Object::Filters(FilterSet { account, filters }), PutMode::Add).await.unwrap();

    let (mut one, mut other) = (client(&house).await, client(&house).await);
    other.command("e", "SELECT Sent").await.unwrap();
    let answer = append(&mut one, "Sent", "zoe@p.example").await;
    assert!(answer.last().unwrap().contains("APPENDUID"), "{answer:?}");
    append(&mut one, "Sent", "zoe@c.example").await;
    append(&mut one, "Sent", "zoe@d.example").await;
    append(&mut one, "Drafts", "zoe@p.example").await;
    assert!(status(&mut one, "Partners").await.contains("MESSAGES 1"));
    assert!(status(&mut one, "Sent").await.contains("MESSAGES 2"));
    assert!(status(&mut one, "Drafts").await.contains("MESSAGES 1"), "drafts are not sent yet");
    // Another session sees what is there; a moved message does not stay in its view.
    other.command("n", "NOOP").await.unwrap();
    let flags = other.command("f", "FETCH 1:* (FLAGS)").await.unwrap();
    assert_eq!(flags.iter().filter(|line| line.contains("FETCH")).count(), 2, "{flags:?}");
    assert!(
        flags[0].contains("\\Flagged") && flags[0].contains("Customer") && flags[0].contains("\\Seen"),
        "{flags:?}"
    );
    assert!(!flags[1].contains("\\Flagged"), "{flags:?}");
}
