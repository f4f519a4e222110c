//! What senders who ask for it hear of aliases and lists (RFC 3461 §5.2.7), and in which language.

use mail::DsnNotify;
use routing::objects::ListObject;
use storage::rows::QueueRow;

use super::*;

/// Sends with NOTIFY=SUCCESS,FAILURE and gives what waits: what is for others, and the texts of DSNs.
async fn asked(f: &Fixture, to: &str) -> (Vec<QueueRow>, Vec<String>) {
    let before = f.store.queue_entries(QueueId(0), 99).await.unwrap().len();
    let mut letter = envelope(&[to]);
    letter.recipients[0].notify = DsnNotify::asked(true, true, false);
    take(f, letter, MESSAGE).await;
    let (mut relayed, mut dsns) = (Vec::new(), Vec::new());
    for row in f.store.queue_entries(QueueId(0), 99).await.unwrap().into_iter().skip(before) {
        if row.reverse_path.is_null() {
            let mut blob = f.store.blob(&row.blob).await.unwrap().unwrap();
            dsns.push(String::from_utf8(blob.read(0, u64::MAX).await.unwrap()).unwrap());
        } else {
            relayed.push(row);
        }
    }
    (relayed, dsns)
}

#[tokio::test]
async fn rfc3461_one_address_elsewhere_takes_the_request_over() {
    let f = fixture().await;
    f.alias("one@example.org", &["yan@elsewhere.example"]).await;
    let (relayed, dsns) = asked(&f, "one@example.org").await;
    assert_eq!(dsns, Vec::<String>::new(), "§5.2.7.2: no DSN of ours");
    assert!(relayed[0].recipients[0].notify.success && relayed[0].recipients[0].notify.failure);
}

#[tokio::test]
async fn rfc3461_several_addresses_are_reported_once_as_expanded() {
    let f = fixture().await;
    f.alias("team@example.org", &["alice@example.org", "yan@elsewhere.example"]).await;
    f.alias("all@example.org", &["yan@elsewhere.example", "max@other.example"]).await;
    for (to, elsewhere) in [("team@example.org", 1), ("all@example.org", 2)] {
        let (relayed, dsns) = asked(&f, to).await;
        assert_eq!((relayed.len(), dsns.len()), (elsewhere, 1));
        assert!(dsns[0].contains("Action: expanded\r\nStatus: 2."), "{}", dsns[0]);
        assert!(dsns[0].contains(&format!("Final-Recipient: rfc822;{to}\r\n")), "{}", dsns[0]);
        // Where it leads is not told (§5.2.7.4).
        assert!(!dsns[0].contains("elsewhere.example"), "{}", dsns[0]);
        let notify = relayed[0].recipients[0].notify;
        assert!(!notify.success && notify.failure && notify.said, "§5.2.7.3 (c): SUCCESS goes, the rest stays");
    }
    // All of them here: the message has arrived.
    f.alias("here@example.org", &["alice@example.org", "bob@example.org"]).await;
    let (relayed, dsns) = asked(&f, "here@example.org").await;
    assert_eq!((relayed.len(), dsns.len()), (0, 1));
    assert!(dsns[0].contains("Action: delivered\r\n"), "{}", dsns[0]);
}

#[tokio::test]
async fn rfc3461_what_a_list_has_taken_is_delivered() {
    let f = fixture().await;
    f.store.add_list(ListObject::new(address("garden@example.org"))).await.unwrap();
    let (relayed, dsns) = asked(&f, "garden@example.org").await;
    assert_eq!((relayed.len(), dsns.len()), (0, 1));
    assert!(dsns[0].contains("Action: delivered\r\n"), "{}", dsns[0]);
    assert!(dsns[0].contains("Final-Recipient: rfc822;garden@example.org\r\n"), "{}", dsns[0]);
}

#[tokio::test]
async fn a_dsn_is_in_the_language_of_its_reader() {
    let f = fixture().await;
    let directory = || f.store.directory();
    let mut bob = (**directory().account(&address("bob@example.org")).unwrap()).clone();
    (bob.language, bob.time_zone) = ("fr".to_owned(), "Europe/Paris".to_owned());
    f.store.put_object(Object::Account(bob), PutMode::Replace).await.unwrap();
    let name = |text: &str| text.parse::<mail::Domain>().unwrap();
    let mut french = DomainObject::new(name("exemple.example"));
    (french.language, french.time_zone) = ("fr".to_owned(), "America/Montreal".to_owned());
    f.store.put_object(Object::Domain(french), PutMode::Add).await.unwrap();
    use queue::dsn::Language::{self, Both, English, French};
    let of =
        |reader: &str, about: &str| -> Language { crate::dsn_language(&directory(), &address(reader), [&name(about)]) };
    assert_eq!(of("bob@example.org", "far.example"), French, "a person here: their own");
    assert_eq!(of("alice@example.org", "exemple.example"), English);
    assert_eq!(of("srs0=x@exemple.example", "far.example"), French, "an address of ours: its domain's");
    assert_eq!(of("zoe@far.example", "exemple.example"), French, "elsewhere: of the domain reported on");
    assert_eq!(of("zoe@far.example", "example.org"), English);
    assert_eq!(of("zoe@far.example", "other.example"), Both, "nobody knows");
    let zone = |reader: &str| crate::language::dsn_zone(&directory(), &address(reader));
    assert_eq!(zone("bob@example.org").iana_name(), Some("Europe/Paris"), "a person here: their own");
    assert_eq!(zone("srs0=x@exemple.example").iana_name(), Some("America/Montreal"), "its domain's");
    assert_eq!(zone("zoe@far.example").iana_name(), Some("UTC"));
    // As it leaves.
    f.store.add_account(AccountObject::new(address("lea@exemple.example"))).await.unwrap();
    let (_, dsns) = asked(&f, "lea@exemple.example").await;
    assert!(
        dsns[0].contains("Subject: Message remis\r\n") && dsns[0].contains("Content-Language: fr\r\n"),
        "{}",
        dsns[0]
    );
    assert!(!dsns[0].contains("You asked"), "{}", dsns[0]);
}

/// RFC 8098 §2.1, §6.2: whether a message was read is its reader's to say.
#[tokio::test]
async fn rfc8098_the_server_answers_no_request_for_a_receipt() {
    let f = fixture().await;
    let asks =
        [b"Disposition-Notification-To: zoe@far.example\r\nReturn-Receipt-To: zoe@far.example\r\n", MESSAGE].concat();
    take(&f, envelope(&["alice@example.org"]), &asks).await;
    assert_eq!(f.count("alice@example.org").await, 1);
    assert!(f.store.queue_entries(QueueId(0), 9).await.unwrap().is_empty());
    for topic in Topic::ALL {
        assert!(f.store.events_after(topic, 0, 9).await.unwrap().is_empty(), "{topic:?}");
    }
}

/// RFC 8689 §5: what the delivery itself reports asks for REQUIRETLS as the message did.
#[tokio::test]
async fn rfc8689_a_notice_of_delivery_asks_for_tls_as_its_message_did() {
    let f = fixture().await;
    f.alias("team@example.org", &["alice@example.org", "yan@elsewhere.example"]).await;
    for require_tls in [false, true] {
        for to in ["alice@example.org", "team@example.org"] {
            let before = f.store.queue_entries(QueueId(0), 99).await.unwrap().len();
            let mut letter = envelope(&[to]);
            letter.require_tls = require_tls;
            letter.recipients[0].notify = DsnNotify::asked(true, true, false);
            take(&f, letter, MESSAGE).await;
            let rows: Vec<QueueRow> =
                f.store.queue_entries(QueueId(0), 99).await.unwrap().into_iter().skip(before).collect();
            assert!(rows.iter().any(|row| row.reverse_path.is_null()), "{to}");
            assert!(rows.iter().all(|row| row.require_tls == require_tls), "{to}: {rows:?}");
        }
    }
}
