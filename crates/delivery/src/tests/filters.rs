//! Filters act in the transaction of the delivery, for each mailbox its own.

use filter::{Actions, Filter, FilterSet, Place};
use mail::{AccountId, Flags, Keyword, SystemFlags};
use routing::objects::{AccountKind, Member, OffBoarding, SharedMailbox, SubaddressFolders};
use storage::trace::{Term, TraceQuery};

use super::*;
use crate::Filing;

fn filter(name: &str, condition: &str, actions: Actions) -> Filter {
    Filter { conditions: vec![condition.parse().unwrap()], actions, ..Filter::new(name) }
}

fn moves(folder: &str) -> Actions {
    Actions { folder: Some(folder.to_owned()), ..Actions::default() }
}

fn deletes() -> Actions {
    Actions { discard: true, ..Actions::default() }
}

impl Fixture {
    pub(super) fn id(&self, name: &str) -> AccountId {
        self.store.directory().account(&address(name)).unwrap().id
    }

    async fn filters(&self, name: &str, filters: Vec<Filter>) {
        let set = FilterSet { account: self.id(name), filters };
        self.store.put_object(Object::Filters(set), PutMode::Add).await.unwrap();
    }

    /// The messages of a mailbox, by their flags.
    async fn there(&self, name: &str, mailbox: &str) -> Vec<Flags> {
        let account = self.id(name);
        let Some(row) = self.store.mailbox_by_name(account, mailbox).await.unwrap() else { return Vec::new() };
        let messages = self.store.messages(account, row.id, Uid(1), Uid(u32::MAX), 99).await.unwrap();
        messages.iter().map(|message| row.flags_of(message)).collect()
    }

    async fn told(&self, name: &str) -> Vec<String> {
        let term = Some(Term::Recipient(address(name)));
        let found = self.store.traces(&TraceQuery { term, since: None, until: None, limit: 10 }).await.unwrap();
        found.iter().flat_map(|trace| &trace.steps).map(|taken| taken.step.to_string()).collect()
    }

    async fn sound(&self) {
        let mut found = Vec::new();
        storage::check::check(&self.store, true, &mut |finding| found.push(finding.to_string())).await.unwrap();
        assert!(found.is_empty(), "{found:?}");
    }
}

#[tokio::test]
async fn i03_each_mailbox_is_filtered_by_its_own_in_the_same_commit() {
    let f = fixture().await;
    let tagged = Actions { tags: [Keyword::parse("Pond").unwrap()].into(), important: true, ..moves("Zoe") };
    f.filters("alice@example.org", vec![filter("Zoe", "from is zoe@far.example", tagged)]).await;
    f.filters("bob@example.org", vec![filter("no hello", "subject contains hello", deletes())]).await;
    let before = f.engine.commits();
    let applied = f.send(&["alice@example.org", "bob@example.org", "carol@example.org"]).await.unwrap();
    assert_eq!(f.engine.commits(), before + 1);
    let flags = Flags { system: SystemFlags::FLAGGED, keywords: [Keyword::parse("Pond").unwrap()].into() };
    assert_eq!(f.there("alice@example.org", "Zoe").await, [flags]);
    let counts = [f.count("alice@example.org").await, f.count("bob@example.org").await];
    assert_eq!((counts, f.count("carol@example.org").await), ([0, 0], 1));
    let kept: Vec<AccountId> = applied.deposits.iter().map(|(account, ..)| *account).collect();
    assert_eq!(kept, [f.id("alice@example.org"), f.id("carol@example.org")]);
    let told = f.told("alice@example.org").await;
    let at = |text: &str| told.iter().position(|step| step.contains(text));
    let acted = at("alice@example.org: filter \"Zoe\" moves it to Zoe, tags it Pond and marks it as important");
    assert!(acted.is_some() && acted < at("delivered to alice@example.org, mailbox Zoe, UID 1"), "{told:?}");
    let told = f.told("bob@example.org").await;
    assert!(told.contains(&"bob@example.org: filter \"no hello\" deletes it for good".to_owned()), "{told:?}");
    assert!(!told.iter().any(|step| step.contains("delivered to bob@example.org")), "{told:?}");
    f.sound().await;
}

#[tokio::test]
async fn i02_a_sender_is_tagged_by_itself() {
    let f = fixture().await;
    let tags = Actions { tags: [Keyword::parse("$Pond").unwrap()].into(), ..Actions::default() };
    f.filters("alice@example.org", vec![filter("pond", "from contains far.example", tags)]).await;
    f.send(&["alice@example.org"]).await.unwrap();
    let keywords: Vec<_> =
        f.there("alice@example.org", "INBOX").await.into_iter().map(|flags| flags.keywords).collect();
    assert_eq!(keywords, [[Keyword::parse("$POND").unwrap()].into()]);
}

#[tokio::test]
async fn i03_what_everyone_deletes_is_not_stored() {
    let f = fixture().await;
    f.filters("alice@example.org", vec![filter("all", "size larger 0", deletes())]).await;
    f.send(&["alice@example.org"]).await.unwrap();
    assert_eq!(f.store.staged_again(&mail::BlobHash([0; 32])).await.unwrap().map(|staged| staged.octets), None);
    let hash = f.delivery.prepare(envelope(&["alice@example.org"]), MESSAGE).await.unwrap().blob.hash;
    assert!(f.store.blob(&hash).await.unwrap().is_none());
    f.sound().await;
}

#[tokio::test]
async fn i03_filters_leave_alone_what_a_subaddress_files() {
    let f = fixture().await;
    let domain = DomainObject {
        subaddress_folders: SubaddressFolders::Create,
        ..DomainObject::new("example.org".parse().unwrap())
    };
    f.store.put_object(Object::Domain(domain), PutMode::Replace).await.unwrap();
    f.filters("alice@example.org", vec![filter("all", "size larger 0", deletes())]).await;
    f.send(&["alice+bills@example.org"]).await.unwrap();
    assert_eq!(f.there("alice@example.org", "bills").await.len(), 1);
    // INBOX has no folder of this name: it stays in INBOX, and is filtered there.
    f.send(&["alice+junk@example.org"]).await.unwrap();
    assert_eq!(f.count("alice@example.org").await, 0);
    f.sound().await;
}

#[tokio::test]
async fn i03_the_filters_of_somebody_who_has_left_rest() {
    let f = fixture().await;
    f.filters("alice@example.org", vec![filter("all", "size larger 0", deletes())]).await;
    let mut alice = (**f.store.directory().account(&address("alice@example.org")).unwrap()).clone();
    let gone = serde_json::json!({"at": 0, "before": {}});
    let gone: OffBoarding = serde_json::from_value(gone).unwrap();
    alice.off_boarding = Some(Box::new(gone));
    f.store.put_object(Object::Account(alice), PutMode::Replace).await.unwrap();
    f.send(&["alice@example.org"]).await.unwrap();
    assert_eq!(f.count("alice@example.org").await, 1);
}

#[tokio::test]
async fn i03_who_deletes_a_message_does_not_tell_that_they_are_away() {
    let f = fixture().await;
    for kind in [ResponderKind::OutOfOffice, ResponderKind::Autoresponder] {
        let responder = ResponderObject {
            subject_prefix: "Away:".to_owned(),
            text: Some("Back on Monday.".to_owned()),
            ..ResponderObject::new(address("alice@example.org"), kind)
        };
        f.store.put_object(Object::Responder(responder), PutMode::Add).await.unwrap();
    }
    f.filters("alice@example.org", vec![filter("all", "size larger 0", deletes())]).await;
    f.send(&["alice@example.org"]).await.unwrap();
    let events = f.store.events_after(Topic::MessageStored, 0, 9).await.unwrap();
    let events: Vec<MessageStored> = events.iter().map(|row| MessageStored::decode(&row.payload).unwrap()).collect();
    assert_eq!(events.iter().map(|event| event.responder).collect::<Vec<_>>(), [2], "the robot answers all the same");
    assert_eq!(events[0].kept, None);
    let told = f.told("alice@example.org").await;
    assert!(told.iter().any(|step| step.contains("responder 1") && step.contains("a filter of its owner")), "{told:?}");
}

#[tokio::test]
async fn i03_what_is_delivered_again_is_filtered_too() {
    let f = fixture().await;
    f.filters("bob@example.org", vec![filter("hello", "subject is hello", moves("Hello"))]).await;
    let applied = f.send(&["alice@example.org"]).await.unwrap();
    let (account, mailbox, deposited) = applied.deposits[0];
    let stored = f.delivery.stored(account, mailbox, deposited.uid).await.unwrap().unwrap();
    let prepared = f.delivery.prepare_stored(&stored, envelope(&["bob@example.org"])).await.unwrap();
    f.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    assert_eq!(f.there("bob@example.org", "Hello").await.len(), 1);
    f.sound().await;
}

#[tokio::test]
async fn i03_an_attachment_is_seen_as_the_scanner_sees_it() {
    let f = fixture().await;
    f.filters("alice@example.org", vec![filter("files", "attachment present", moves("Files"))]).await;
    f.send(&["alice@example.org"]).await.unwrap();
    let with = b"From: z@far.example\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\nText\r\n\
                 --b\r\nContent-Type: application/pdf\r\nContent-Disposition: attachment; filename=a.pdf\r\n\r\nx\r\n--b--\r\n";
    let prepared = f.delivery.prepare(envelope(&["alice@example.org"]), with).await.unwrap();
    f.store.transact(move |tx| prepared.apply(tx)).await.unwrap();
    assert_eq!((f.count("alice@example.org").await, f.there("alice@example.org", "Files").await.len()), (1, 1));
}

impl Fixture {
    /// info@example.org, shared, of which alice is a member.
    async fn shared(&self, quota_messages: Option<u64>) {
        let member = Member { account: address("alice@example.org"), rights: "lrswipte".to_owned() };
        let info = AccountObject {
            kind: AccountKind::Shared,
            shared: Some(SharedMailbox { members: vec![member], ..SharedMailbox::default() }),
            quota_messages,
            ..AccountObject::new(address("info@example.org"))
        };
        self.store.add_account(info).await.unwrap();
    }

    /// What alice sends in its name.
    async fn send_for_info(&self, to: &str) -> Result<(), StorageError> {
        let content = format!("From: info@example.org\r\nTo: {to}\r\nSubject: Hello\r\n\r\nHello\r\n");
        let mut outgoing = envelope(&[to]);
        outgoing.reverse_path = ReversePath::Address(address("info@example.org"));
        let prepared = self.delivery.prepare(outgoing, content.as_bytes()).await.unwrap();
        let header = content.as_bytes();
        let filing = Filing::of(&self.store.directory(), self.id("alice@example.org"), None, header);
        let filing = filing.filtered(&self.store, &prepared, header).await;
        let keep = move |tx: &mut storage::Transaction<'_>| {
            prepared.apply(tx)?;
            filing.apply(tx, &prepared)
        };
        self.store.transact(keep).await.map(drop)
    }
}

#[tokio::test]
async fn i03_the_copy_in_a_shared_sent_is_filtered_by_the_shared_mailbox() {
    let f = fixture().await;
    f.shared(None).await;
    let sent = Filter { places: vec![Place::Sent], ..filter("far", "to contains @far.example", moves("Far")) };
    let inbox = filter("in", "size larger 0", deletes());
    f.filters("info@example.org", vec![inbox, sent]).await;
    for (to, mailbox) in [("zoe@far.example", "Far"), ("zoe@other.example", "Sent")] {
        f.send_for_info(to).await.unwrap();
        let there = f.there("info@example.org", mailbox).await;
        assert_eq!(there, [Flags::system(SystemFlags::SEEN)], "{mailbox}");
    }
    let told = f.told("zoe@far.example").await;
    assert!(told.contains(&"info@example.org: filter \"far\" moves it to Far".to_owned()), "{told:?}");
    f.sound().await;
}

#[tokio::test]
async fn i03_copies_that_do_not_fit_keep_nobody_from_sending() {
    let f = fixture().await;
    f.shared(Some(3)).await;
    let copied = Actions { copies: vec!["A".to_owned(), "B".to_owned()], ..Actions::default() };
    let sent = Filter { places: vec![Place::Sent], ..filter("copies", "size larger 0", copied) };
    f.filters("info@example.org", vec![sent]).await;
    f.send_for_info("zoe@far.example").await.unwrap();
    let there = async |mailbox| f.there("info@example.org", mailbox).await.len();
    assert_eq!((there("Sent").await, there("A").await, there("B").await), (1, 1, 1));
    let full = f.send_for_info("zoe@far.example").await;
    assert_eq!(full, Err(StorageError::OverQuota), "no room for itself");
    let mut info = (**f.store.directory().account(&address("info@example.org")).unwrap()).clone();
    info.quota_messages = Some(4);
    f.store.put_object(Object::Account(info), PutMode::Replace).await.unwrap();
    f.send_for_info("max@far.example").await.unwrap();
    assert_eq!((there("Sent").await, there("A").await, there("B").await), (2, 1, 1));
    let told = f.told("max@far.example").await;
    for folder in ["A", "B"] {
        let step = format!("info@example.org: not copied to {folder}: the account has no room for it");
        assert!(told.contains(&step), "{told:?}");
    }
    f.sound().await;
}
