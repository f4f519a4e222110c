//! What an account may submit in a day: a stolen password.

use mail::AccountId;
use routing::objects::{Role, SubmissionLimits};
use storage::submitted::LimitReached;

use super::*;

const DAY: std::time::Duration = std::time::Duration::from_secs(86_400);

struct Stage {
    f: Fixture,
    world: SimulatedWorld,
    alice: AccountId,
}

async fn stage(limits: SubmissionLimits) -> Stage {
    let engine = MemoryEngine::default();
    let world = SimulatedWorld::new(Timestamp(1_700_000_000_000), 7);
    let store = Store::open(Arc::new(engine.clone()), world.world()).await.unwrap();
    store.put_object(Object::Domain(DomainObject::new("example.org".parse().unwrap())), PutMode::Add).await.unwrap();
    let alice = AccountObject {
        submission: limits,
        recovery: Some(address("alice@home.example")),
        ..AccountObject::new(address("alice@example.org"))
    };
    let alice = store.add_account(alice).await.unwrap().value.id;
    let bob = AccountObject::new(address("bob@example.org"));
    store.add_account(AccountObject { role: Role::Administrator, language: "fr".to_owned(), ..bob }).await.unwrap();
    store.add_account(AccountObject::new(address("carol@example.org"))).await.unwrap();
    let settings = DeliverySettings { hostname: "mx.example.org".parse().unwrap(), message_octets_max: 100_000 };
    let f = Fixture { delivery: Delivery::new(store.clone(), settings), engine, store };
    Stage { f, world, alice }
}

impl Stage {
    /// A message that Alice submits, as the host takes it.
    async fn submit(&self, recipients: &[&str]) -> Result<(), String> {
        let envelope =
            Envelope { reverse_path: ReversePath::Address(address("alice@example.org")), ..envelope(recipients) };
        let told = |reply: mail::Reply| reply.to_string();
        self.f.delivery.may_submit(self.alice, &Envelope::new(envelope.reverse_path.clone())).await.map_err(told)?;
        self.f.delivery.may_submit(self.alice, &envelope).await.map_err(told)?;
        let mut intake = self.f.delivery.intake(&envelope.reverse_path, b"Received: x\r\n").await.unwrap();
        intake.submitted_by(self.alice);
        intake.write(MESSAGE).await.unwrap();
        let prepared = intake.finish(envelope).await.unwrap();
        match self.f.store.transact(move |tx| prepared.apply(tx)).await {
            Ok(_) => Ok(()),
            Err(error) => {
                let limit = LimitReached::of(&error).unwrap();
                Err(told(self.f.delivery.limit_reached(self.alice, limit).await))
            }
        }
    }

    async fn letters(&self) -> (u32, u32, u32, usize) {
        let queue = self.f.store.queue_entries(QueueId(0), 500).await.unwrap();
        let home = queue.iter().filter(|row| row.destination.as_str() == "home.example").count();
        let count = async |name: &str| self.f.count(name).await;
        (count("alice@example.org").await, count("bob@example.org").await, count("carol@example.org").await, home)
    }
}

#[tokio::test]
async fn a_stolen_password_writes_to_some_strangers_and_no_more() {
    let s = stage(SubmissionLimits { first_time: Some(5), ..SubmissionLimits::default() }).await;
    s.submit(&["known@far.example", "Known@far.example"]).await.unwrap();
    for stranger in 0..4 {
        s.submit(&[&format!("stranger{stranger}@far.example"), "known@far.example"]).await.unwrap();
    }
    let queued = s.f.store.queue_entries(QueueId(0), 99).await.unwrap().len();
    assert_eq!(s.letters().await, (0, 0, 0, 0));
    let refused = s.submit(&["known@far.example", "last@far.example"]).await.unwrap_err();
    assert_eq!(
        refused,
        "452 4.5.3 This account may send messages to 5 people that it never wrote to before in a day, and no more today; an \
         administrator can raise the limit"
    );
    // Nobody got anything of it, the owner, the owner's other address and the administrator have a letter, and nobody else has.
    assert_eq!(s.letters().await, (1, 1, 0, 1));
    assert_eq!(s.f.store.queue_entries(QueueId(0), 99).await.unwrap().len(), queued + 1);
    s.submit(&["another@far.example"]).await.unwrap_err();
    assert_eq!(s.letters().await, (1, 1, 0, 1), "once a day");
    // Whom she knows, and colleagues, she goes on writing to.
    s.submit(&["known@far.example", "stranger2@far.example", "carol@example.org"]).await.unwrap();
    s.world.clock.advance(DAY);
    s.submit(&["another@far.example"]).await.unwrap();
}

#[tokio::test]
async fn messages_and_recipients_of_a_day_are_counted() {
    let s = stage(SubmissionLimits { messages: Some(3), recipients: Some(4), first_time: None }).await;
    let many = ["a@far.example", "b@far.example", "c@far.example", "d@far.example", "e@far.example"];
    assert!(
        s.submit(&many)
            .await
            .unwrap_err()
            .starts_with("452 4.5.3 This account may send messages to 4 recipients in a day")
    );
    assert_eq!(s.f.store.submitted(s.alice).await.unwrap().messages, 0, "what is refused does not count");
    for _ in 0..3 {
        s.submit(&["carol@example.org"]).await.unwrap();
    }
    assert!(
        s.submit(&["carol@example.org"])
            .await
            .unwrap_err()
            .starts_with("452 4.7.0 This account may send 3 messages in a day")
    );
    // Others are not concerned, and mail is still received.
    s.f.send(&["alice@example.org"]).await.unwrap();
    assert_eq!(s.f.store.submitted(s.alice).await.unwrap().recipients, 3);
}

#[tokio::test]
async fn the_letter_is_in_the_readers_language() {
    let s = stage(SubmissionLimits { messages: Some(0), ..SubmissionLimits::default() }).await;
    s.submit(&["carol@example.org"]).await.unwrap_err();
    let text = async |name: &str| {
        let account = s.f.store.directory().account(&address(name)).unwrap().id;
        let inbox = s.f.store.inbox(account).await.unwrap().id;
        let row = s.f.store.message(account, inbox, Uid(1)).await.unwrap().unwrap();
        let content = s.f.store.blob(&row.blob).await.unwrap().unwrap().read(0, u64::MAX).await.unwrap();
        String::from_utf8(content).unwrap()
    };
    let own = text("alice@example.org").await;
    assert!(own.contains("Subject: alice@example.org can send no more messages today"), "{own}");
    assert!(own.contains("change it at once"), "{own}");
    let administrator = text("bob@example.org").await;
    assert!(administrator.contains("Content-Language: fr"), "{administrator}");
    assert!(administrator.contains("--messages-per-day"), "{administrator}");
}
