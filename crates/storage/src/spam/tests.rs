use mail::{Flags, Keyword, MailboxId, SpecialUse, SystemFlags, Topic, Uid};
use spam::{Counts, TokenId};

use super::*;
use crate::check::check;
use crate::messages::FlagChange;
use crate::sharing::By;
use crate::sharing::transfer::End;
use crate::stage::{ALICE, INBOX, house, message};
use crate::{MemoryEngine, Store};

fn lesson(blob: u8, tokens: &[u64], spam: bool) -> Lesson {
    let tokens = tokens.iter().copied().map(TokenId).collect();
    Lesson { blob: BlobHash([blob; 32]), tokens, spam, by_hand: true, number: None, shared: true, said_at: None }
}

async fn counts(store: &Store, part: AccountId, token: u64) -> Counts {
    let value = store.engine.get(&token_key(part, TokenId(token))).await.unwrap();
    value.map(|value| decode_counts(&value).unwrap()).unwrap_or_default()
}

async fn sound(store: &Store) {
    let mut found = Vec::new();
    check(store, true, &mut |finding| found.push(finding.to_string())).await.unwrap();
    assert_eq!(found, [""; 0]);
}

#[tokio::test]
async fn a_message_is_learnt_once_and_its_other_side_undoes_it() {
    let store = house(&MemoryEngine::default()).await;
    assert!(store.learn(ALICE, lesson(1, &[10, 11], true)).await.unwrap());
    assert!(!store.learn(ALICE, lesson(1, &[10, 11], true)).await.unwrap());
    assert!(store.learn(ALICE, lesson(2, &[11, 12], true)).await.unwrap());
    for part in [ALICE, SITE] {
        assert_eq!(counts(&store, part, 11).await, Counts { spam: 2, ham: 0 });
        assert_eq!(store.spam_totals(part).await.unwrap().learnt(), Counts { spam: 2, ham: 0 });
    }
    assert!(store.learn(ALICE, lesson(1, &[10, 11], false)).await.unwrap());
    for part in [ALICE, SITE] {
        assert_eq!(counts(&store, part, 10).await, Counts { spam: 0, ham: 1 });
        assert_eq!(counts(&store, part, 11).await, Counts { spam: 1, ham: 1 });
        let totals = store.spam_totals(part).await.unwrap();
        assert_eq!((totals.learnt(), totals.tokens), (Counts { spam: 1, ham: 1 }, 3));
    }
    assert_eq!(store.spam_totals(ALICE).await.unwrap().shared, 2);
    sound(&store).await;
    // The site learns for itself, and an account may keep what it learns to itself.
    assert!(store.learn(SITE, lesson(1, &[10], true)).await.unwrap());
    assert!(store.learn(ALICE, Lesson { shared: false, ..lesson(3, &[10], true) }).await.unwrap());
    assert_eq!(counts(&store, SITE, 10).await, Counts { spam: 1, ham: 1 });
    assert_eq!(counts(&store, ALICE, 10).await, Counts { spam: 1, ham: 1 });
    sound(&store).await;
    // Nobody learns for who is gone.
    assert!(!store.learn(AccountId(77), lesson(9, &[1], true)).await.unwrap());
    store.forget_spam(ALICE).await.unwrap();
    assert_eq!(store.spam_totals(ALICE).await.unwrap(), Totals::default());
    assert_eq!(counts(&store, SITE, 11).await, Counts { spam: 1, ham: 1 });
}

#[tokio::test]
async fn a_judgement_that_comes_too_late_or_that_nobody_made_changes_nothing() {
    let store = house(&MemoryEngine::default()).await;
    let numbered = |spam, number| Lesson { number: Some(number), ..lesson(1, &[10], spam) };
    assert!(store.learn(ALICE, numbered(false, 7)).await.unwrap());
    assert!(!store.learn(ALICE, numbered(true, 6)).await.unwrap());
    assert!(!store.learn(ALICE, Lesson { by_hand: false, ..numbered(true, 8) }).await.unwrap());
    assert_eq!(counts(&store, ALICE, 10).await, Counts { spam: 0, ham: 1 });
    // What was confirmed later goes before what was said in between.
    assert!(!store.learn(ALICE, numbered(false, 9)).await.unwrap());
    assert!(!store.learn(ALICE, numbered(true, 8)).await.unwrap());
    assert!(store.learn(ALICE, numbered(true, 10)).await.unwrap());
    assert_eq!(counts(&store, ALICE, 10).await, Counts { spam: 1, ham: 0 });
    sound(&store).await;
}

#[tokio::test]
async fn rare_tokens_make_room_for_others() {
    let store = house(&MemoryEngine::default()).await;
    for blob in 0..4 {
        // Token 1 is in all of them, 2 in two, the others in one each.
        let own = 100 * (u64::from(blob) + 1);
        let mut tokens: Vec<u64> = (own..own + 20).collect();
        tokens.push(1);
        tokens.extend((blob < 2).then_some(2));
        store.learn(ALICE, lesson(blob, &tokens, blob % 2 == 0)).await.unwrap();
    }
    assert_eq!(store.spam_totals(ALICE).await.unwrap().tokens, 82);
    assert_eq!(store.sweep_spam_tokens_beyond(ALICE, 100).await.unwrap(), 0);
    assert_eq!(store.sweep_spam_tokens_beyond(ALICE, 88).await.unwrap(), 80);
    assert_eq!(counts(&store, ALICE, 1).await, Counts { spam: 2, ham: 2 });
    assert_eq!(counts(&store, ALICE, 2).await, Counts { spam: 1, ham: 1 });
    // What was forgotten can be unlearnt all the same.
    store.learn(ALICE, lesson(0, &[1, 2, 100], false)).await.unwrap();
    assert_eq!(counts(&store, ALICE, 2).await, Counts { spam: 0, ham: 2 });
    assert_eq!(counts(&store, SITE, 1).await, Counts { spam: 1, ham: 3 });
    sound(&store).await;
}

#[tokio::test]
async fn counts_that_are_wrong_are_found() {
    let store = house(&MemoryEngine::default()).await;
    store.learn(ALICE, lesson(1, &[10, 11], true)).await.unwrap();
    store
        .transact(|tx| {
            tx.delete(token_key(ALICE, TokenId(10)));
            tx.put(token_key(AccountId(9), TokenId(1)), encode_counts(Counts { spam: 1, ham: 0 }));
            tx.put(token_key(SITE, TokenId(10)), b"?".to_vec());
            Ok(())
        })
        .await
        .unwrap();
    let mut found = Vec::new();
    check(&store, false, &mut |finding| found.push(finding.to_string())).await.unwrap();
    let has = |text: &str| found.iter().any(|finding| finding.contains(text));
    assert!(has("account 9") && has("2 tokens counted, there are 1") && has("counts of a token"), "{found:?}");
}

struct Fixture {
    store: Store,
    junk: MailboxId,
    trash: MailboxId,
}

impl Fixture {
    async fn new() -> Self {
        let store = house(&MemoryEngine::default()).await;
        let special = async |wanted| store.special_mailbox(ALICE, wanted).await.unwrap().unwrap();
        let (junk, trash) = (special(SpecialUse::Junk).await, special(SpecialUse::Trash).await);
        Self { store, junk, trash }
    }

    async fn put(&self, mailbox: MailboxId, content: &[u8]) -> Uid {
        let (staged, new) = message(&self.store, content).await;
        self.store.append(ALICE, mailbox, staged, new).await.unwrap().value.uid
    }

    /// What was said since the last time: spam or ham, of so many messages.
    async fn said(&self) -> Vec<(bool, usize)> {
        let events = self.store.events_after(Topic::MessageJudged, 0, 99).await.unwrap();
        let mut said = Vec::new();
        for event in events {
            let judged = Judged::decode(&event.payload).unwrap();
            assert_eq!(judged.account, ALICE);
            said.push((judged.spam, judged.messages.len()));
            self.store.transact(move |tx| tx.finish_event(Topic::MessageJudged, event.number)).await.unwrap();
        }
        said
    }
}

#[tokio::test]
async fn where_people_put_messages_says_what_they_are() {
    let f = Fixture::new().await;
    let (one, two) = (f.put(INBOX, b"1").await, f.put(INBOX, b"2").await);
    assert_eq!(f.said().await, []);
    let moved = f.store.move_messages(ALICE, INBOX, vec![one, two], f.junk).await.unwrap().value.1;
    assert_eq!(f.said().await, [(true, 2)]);
    let back = f.store.move_messages(ALICE, f.junk, vec![moved[0].1], INBOX).await.unwrap().value.1;
    assert_eq!(f.said().await, [(false, 1)]);
    // Spam that is thrown away is spam.
    f.store.move_messages(ALICE, f.junk, vec![moved[1].1], f.trash).await.unwrap();
    f.store.move_messages(ALICE, INBOX, vec![back[0].1], f.trash).await.unwrap();
    assert_eq!(f.said().await, []);
    let three = f.put(INBOX, b"3").await;
    let copied = f.store.copy((ALICE, INBOX), vec![three], (ALICE, f.junk)).await.unwrap().value.1;
    assert_eq!(f.said().await, [(true, 1)]);
    f.store.copy((ALICE, f.junk), vec![copied[0].1], (ALICE, f.junk)).await.unwrap();
    assert_eq!(f.said().await, []);
    let (staged, new) = message(&f.store, b"4").await;
    let to = End { owner: ALICE, mailbox: f.junk, by: By::OWNER };
    f.store.append_all(to, vec![(staged, new)]).await.unwrap();
    assert_eq!(f.said().await, [(true, 1)]);
}

#[tokio::test]
async fn keywords_say_what_messages_are_once() {
    let f = Fixture::new().await;
    let uids = vec![f.put(INBOX, b"1").await, f.put(INBOX, b"2").await];
    let flag = async |change: FlagChange, uids: Vec<Uid>| {
        let now = f.store.now();
        let body = move |tx: &mut crate::Transaction<'_>| {
            tx.change_flags_judging(ALICE, INBOX, &uids, &change, None, By::OWNER, now).map(drop)
        };
        f.store.transact(body).await.unwrap();
        f.said().await
    };
    let named = |names: &[&str]| Flags {
        system: SystemFlags::SEEN,
        keywords: names.iter().map(|name| Keyword::parse(name).unwrap()).collect(),
    };
    assert_eq!(flag(FlagChange::Add(named(&["$junk"])), uids[..1].to_vec()).await, [(true, 1)]);
    assert_eq!(flag(FlagChange::Add(named(&["$Junk"])), uids.clone()).await, [(true, 1)]);
    assert_eq!(flag(FlagChange::Replace(named(&["NonJunk"])), uids.clone()).await, [(false, 2)]);
    assert_eq!(flag(FlagChange::Replace(named(&["$NotJunk"])), uids.clone()).await, []);
    assert_eq!(flag(FlagChange::Remove(named(&["$NotJunk"])), uids.clone()).await, []);
    assert_eq!(flag(FlagChange::Add(named(&["$Junk", "$NotJunk"])), uids.clone()).await, []);
    assert_eq!(flag(FlagChange::Add(named(&["Important"])), uids).await, []);
}

#[tokio::test]
async fn ham_at_hand_is_what_was_read_and_left() {
    let f = Fixture::new().await;
    let mut uids = Vec::new();
    for n in 0..4 {
        uids.push(f.put(INBOX, &[b'a' + n]).await);
    }
    assert_eq!(f.store.spam_ham_at_hand(ALICE).await.unwrap(), None);
    let change = async |uids: Vec<Uid>, flags: Flags| {
        f.store.change_flags(ALICE, INBOX, uids, FlagChange::Add(flags), None).await.unwrap();
    };
    change(uids.clone(), Flags::system(SystemFlags::SEEN)).await;
    change(vec![uids[3]], Flags::system(SystemFlags::DELETED)).await;
    let junk = Flags { keywords: Keyword::parse("$Junk").into_iter().collect(), ..Flags::default() };
    change(vec![uids[2]], junk).await;
    for uid in [uids[1], uids[0]] {
        let row = f.store.message(ALICE, INBOX, uid).await.unwrap().unwrap();
        assert_eq!(f.store.spam_ham_at_hand(ALICE).await.unwrap(), Some(row.blob));
        let lesson = Lesson { blob: row.blob, by_hand: false, ..lesson(0, &[1], false) };
        assert!(f.store.learn(ALICE, lesson).await.unwrap());
    }
    assert_eq!(f.store.spam_ham_at_hand(ALICE).await.unwrap(), None);
}

#[tokio::test]
async fn settings_are_kept_and_go_with_their_account() {
    let f = Fixture::new().await;
    let sender = |text: &str| mail::Address::parse(text).unwrap();
    assert_eq!(f.store.spam_settings(ALICE).await.unwrap(), SpamSettings::default());
    let change = |settings: &mut SpamSettings| {
        settings.threshold = Some(spam::Points(65));
        settings.senders = vec!["boss@Far.example".to_owned(), "shop.example".to_owned()];
        Ok(())
    };
    let set = f.store.change_spam_settings(ALICE, change).await.unwrap().value;
    assert_eq!(f.store.spam_settings(ALICE).await.unwrap(), set);
    for (text, allowed) in
        [("BOSS@far.example", true), ("x@far.example", false), ("x@Shop.example", true), ("x@a.shop.example", false)]
    {
        assert_eq!(set.allows(&sender(text)), allowed, "{text}");
    }
    f.store.learn(ALICE, lesson(1, &[10], true)).await.unwrap();
    f.store.remove_account(&sender("alice@example.org")).await.unwrap();
    assert_eq!(f.store.spam_settings(ALICE).await.unwrap(), SpamSettings::default());
    assert_eq!(counts(&f.store, ALICE, 10).await, Counts::default());
    sound(&f.store).await;
}
