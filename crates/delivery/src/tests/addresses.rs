//! Lists and moderated groups, folders of subaddresses, first uses, and recipients that take smaller messages.

use routing::objects::{AddressRules, GroupObject, ListObject, SubaddressFolders};

use super::*;
use crate::HeldMessage;

impl Fixture {
    async fn group(&self, text: &str, moderated: bool) -> mail::AccountId {
        let group = GroupObject {
            members: vec![address("alice@example.org"), address("bob@example.org")],
            moderated,
            moderators: vec![address("carol@example.org")],
            ..GroupObject::new(address(text))
        };
        self.store.add_group(group).await.unwrap().value.id
    }

    async fn limited(&self, alias: &str, octets: u64) {
        let rules = AddressRules { message_octets_max: Some(octets), ..AddressRules::default() };
        let targets = vec![Target::Address(address("alice@example.org"))];
        let object = AliasObject { rules, ..AliasObject::new(address(alias), targets) };
        self.store.put_object(Object::Alias(object), PutMode::Add).await.unwrap();
    }

    async fn folders(&self, subaddress_folders: SubaddressFolders) {
        let domain = DomainObject { subaddress_folders, ..DomainObject::new("example.org".parse().unwrap()) };
        self.store.put_object(Object::Domain(domain), PutMode::Replace).await.unwrap();
    }

    /// As a client of another server hands it over.
    async fn receive(&self, recipients: &[&str], content: &[u8]) -> Result<Applied, Refused> {
        let envelope = envelope(recipients);
        let mut intake = self.delivery.intake(&envelope.reverse_path, b"Received: by us\r\n").await?;
        intake.write(content).await?;
        let prepared = intake.finish(envelope).await?;
        Ok(self.store.transact(move |tx| prepared.apply(tx)).await?.value)
    }

    async fn mailboxes_of(&self, name: &str) -> Vec<(String, u32)> {
        let account = self.store.directory().account(&address(name)).unwrap().id;
        let rows = self.store.mailboxes(account).await.unwrap();
        let mut filled: Vec<(String, u32)> =
            rows.into_iter().filter(|row| row.messages > 0).map(|row| (row.name, row.messages)).collect();
        filled.sort();
        filled
    }
}

#[tokio::test]
async fn r08_r09_a_held_message_is_kept_and_told_in_the_same_commit_once_for_each_address() {
    let f = fixture().await;
    let group = f.group("board@example.org", true).await;
    let list =
        ListObject { owners: vec![address("alice@example.org")], ..ListObject::new(address("garden@example.org")) };
    let list = f.store.add_list(list).await.unwrap().value.id;
    f.alias("both@example.org", &["board@example.org", "garden-join@example.org", "carol@example.org"]).await;
    let before = f.engine.commits();
    let to = ["both@example.org", "Board@example.org", "garden-confirm+3f@example.org"];
    let applied = f.receive(&to, MESSAGE).await.unwrap();
    // One commit, and the chunks of the blob before it.
    assert!(f.engine.commits() <= before + 2);
    assert_eq!((applied.deposits.len(), applied.held.len()), (1, 3));
    let events = f.store.events_after(Topic::HeldMessage, 0, 9).await.unwrap();
    let mut told: Vec<HeldMessage> = events.iter().map(|row| HeldMessage::decode(&row.payload).unwrap()).collect();
    told.sort_by_key(|held| held.address.clone());
    let seen: Vec<(mail::AccountId, String)> = told.iter().map(|held| (held.part, held.address.to_string())).collect();
    let expected =
        [(group, "board@example.org"), (list, "garden-confirm+3f@example.org"), (list, "garden-join@example.org")];
    assert_eq!(seen, expected.map(|(part, text)| (part, text.to_owned())));
    for held in told {
        assert_eq!((held.reverse_path, held.account), (ReversePath::Address(address("zoe@far.example")), None));
        assert!(f.store.message(held.part, held.mailbox, held.uid).await.unwrap().is_some());
    }
    assert_eq!(f.count("alice@example.org").await, 0);
    // What the server sends on goes to the members, and waits no more.
    f.send(&["board@example.org"]).await.unwrap();
    assert_eq!((f.count("alice@example.org").await, f.count("bob@example.org").await), (1, 1));
    assert_eq!(f.store.events_after(Topic::HeldMessage, 0, 9).await.unwrap().len(), 3);
}

#[tokio::test]
async fn r09_a_group_is_one_copy_for_each_member() {
    let f = fixture().await;
    f.group("board@example.org", false).await;
    let applied = f.receive(&["board@example.org", "alice@example.org"], MESSAGE).await.unwrap();
    assert_eq!((applied.deposits.len(), applied.held.len()), (2, 0));
}

#[tokio::test]
async fn a_subaddress_names_a_folder_as_far_as_the_domain_says() {
    let f = fixture().await;
    f.receive(&["alice+bills@example.org"], MESSAGE).await.unwrap();
    assert_eq!(f.mailboxes_of("alice@example.org").await, [("INBOX".to_owned(), 1)]);
    f.folders(SubaddressFolders::Existing).await;
    f.receive(&["alice+bills@example.org"], MESSAGE).await.unwrap();
    assert_eq!(f.mailboxes_of("alice@example.org").await, [("INBOX".to_owned(), 2)]);
    f.folders(SubaddressFolders::Create).await;
    for to in ["alice+Bills@example.org", "alice+bILLS@example.org", "alice+sent@example.org"] {
        f.receive(&[to], MESSAGE).await.unwrap();
    }
    let expected = [("Bills".to_owned(), 2), ("INBOX".to_owned(), 3)];
    assert_eq!(f.mailboxes_of("alice@example.org").await, expected, "never into a mailbox with a special use");
    // One copy: the folder when all say the same, else INBOX, in whatever order.
    f.receive(&["alice+bills@example.org", "alice+bills@example.org"], MESSAGE).await.unwrap();
    f.receive(&["alice+bills@example.org", "alice@example.org"], MESSAGE).await.unwrap();
    f.receive(&["alice@example.org", "alice+bills@example.org"], MESSAGE).await.unwrap();
    f.receive(&["alice+x@example.org", "alice+bills@example.org", "alice+x@example.org"], MESSAGE).await.unwrap();
    assert_eq!(f.mailboxes_of("alice@example.org").await, [("Bills".to_owned(), 3), ("INBOX".to_owned(), 6)]);
}

#[tokio::test]
async fn a_stranger_can_not_fill_an_account_with_folders() {
    let f = fixture().await;
    f.folders(SubaddressFolders::Create).await;
    let account = f.store.directory().account(&address("alice@example.org")).unwrap().id;
    for n in 0..storage::limits::SUBADDRESS_MAILBOXES_MAX + 5 {
        f.send(&[&format!("alice+f{n}@example.org")]).await.unwrap();
    }
    assert_eq!(f.store.mailboxes(account).await.unwrap().len(), storage::limits::SUBADDRESS_MAILBOXES_MAX);
    assert!(f.count("alice@example.org").await > 0, "what is over goes to INBOX");
}

#[tokio::test]
async fn r11_the_first_sender_of_an_alias_is_remembered_and_goes_with_it() {
    let f = fixture().await;
    f.alias("shop@example.org", &["inner@example.org"]).await;
    f.alias("inner@example.org", &["alice@example.org"]).await;
    let first = async |text: &str| f.store.first_use(&address(text)).await.unwrap();
    f.send(&["shop@example.org"]).await.unwrap();
    assert_eq!(first("shop@example.org").await, None, "the server's own letters do not count");
    f.receive(&["SHOP+x@example.org"], MESSAGE).await.unwrap();
    let used = first("shop@example.org").await.unwrap();
    assert_eq!(used.reverse_path, ReversePath::Address(address("zoe@far.example")));
    assert_eq!(first("inner@example.org").await, None, "nobody wrote to it");
    let prepared = f.delivery.prepare(envelope(&["shop@example.org"]), MESSAGE).await.unwrap();
    drop(prepared);
    f.store.remove_object(routing::objects::ObjectKey::Alias(address("shop@example.org"))).await.unwrap();
    assert_eq!(first("shop@example.org").await, None);
    let mut findings = Vec::new();
    storage::check::check(&f.store, false, &mut |finding| findings.push(finding)).await.unwrap();
    assert_eq!(findings, []);
}

#[tokio::test]
async fn r01_too_large_for_all_is_refused_and_for_some_is_told_by_a_dsn_in_the_same_commit() {
    let f = fixture().await;
    f.limited("small@example.org", 20).await;
    let Refused(reply) = f.receive(&["small@example.org"], MESSAGE).await.unwrap_err();
    assert!(reply.to_string().starts_with("552 5.2.3"), "{reply}");
    let exact = MESSAGE.len() as u64;
    f.limited("exact@example.org", exact).await;
    f.receive(&["exact@example.org"], MESSAGE).await.unwrap();
    assert_eq!(f.count("alice@example.org").await, 1, "our own fields in front do not count");

    let applied = f.receive(&["bob@example.org", "small@example.org"], MESSAGE).await.unwrap();
    assert_eq!((applied.deposits.len(), applied.queued.len()), (1, 1));
    let queue = f.store.queue_entries(QueueId(0), 9).await.unwrap();
    assert_eq!(queue[0].recipients[0].address, address("zoe@far.example"));
    let mut blob = f.store.blob(&queue[0].blob).await.unwrap().unwrap();
    let dsn = String::from_utf8(blob.read(0, u64::MAX).await.unwrap()).unwrap();
    for part in ["Action: failed\r\n", "Final-Recipient: rfc822;small@example.org\r\n", "Status: 5.2.3\r\n"] {
        assert!(dsn.contains(part), "{part}{dsn}");
    }
    assert!(!dsn.contains("bob@example.org"), "{dsn}");
    // To a null reverse-path nobody is told anything.
    let mut null = envelope(&["bob@example.org", "small@example.org"]);
    null.reverse_path = ReversePath::Null;
    let mut intake = f.delivery.intake(&ReversePath::Null, b"").await.unwrap();
    intake.write(MESSAGE).await.unwrap();
    let prepared = intake.finish(null).await.unwrap();
    let applied = f.store.transact(move |tx| prepared.apply(tx)).await.unwrap().value;
    assert_eq!((applied.deposits.len(), applied.queued.len()), (1, 0));
}
