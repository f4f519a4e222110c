//! Who is given what, over the store in memory.

use std::sync::Arc;

use mail::{Flags, InternalDate, Timestamp};
use routing::objects::{DomainObject, Object};
use storage::MemoryEngine;
use storage::messages::NewMessage;
use storage::objects::PutMode;
use world::simulated::SimulatedWorld;

use super::*;

const MESSAGE: &[u8] = b"Subject: Tea\r\nFrom: alice@example.org\r\n\r\nAt four.\r\n";
const HOST: &str = "imap.example";

struct House {
    store: Store,
}

impl House {
    /// Alice has one message; Bob has none.
    async fn new() -> Self {
        // 2026-02-25 06:13:20.
        let world = SimulatedWorld::new(Timestamp(1_772_000_000_000), 1).world();
        let store = Store::open(Arc::new(MemoryEngine::default()), world).await.unwrap();
        store
            .put_object(Object::Domain(DomainObject::new("example.org".parse().unwrap())), PutMode::Add)
            .await
            .unwrap();
        for name in ["alice", "bob"] {
            let address = Address::parse(&format!("{name}@example.org")).unwrap();
            store.add_account(AccountObject::new(address)).await.unwrap();
        }
        let house = Self { store };
        let alice = house.account("alice").id;
        let inbox = house.store.inbox(alice).await.unwrap().id;
        let mut writer = house.store.blob_writer();
        writer.write(MESSAGE).await.unwrap();
        let blob = writer.finish();
        let now = house.store.now();
        let message = NewMessage {
            blob: blob.hash,
            octets: blob.octets,
            flags: Flags::default(),
            internal_date: InternalDate::from(now),
            saved_at: now,
            record: None,
        };
        house.store.append(alice, inbox, blob, message).await.unwrap();
        house
    }

    fn account(&self, name: &str) -> Arc<AccountObject> {
        let address = Address::parse(&format!("{name}@example.org")).unwrap();
        Arc::clone(self.store.directory().account(&address).unwrap())
    }

    /// The URL with the token of Alice's INBOX.
    async fn authorised(&self, rump: &str) -> String {
        let alice = self.account("alice").id;
        let inbox = self.store.inbox(alice).await.unwrap().id;
        let key = self.store.url_key_or_new(alice, inbox).await.unwrap();
        format!("{rump}:internal:{}", auth::url_token(&key.0, rump.as_bytes()))
    }

    async fn read(&self, url: &str, asker: Asker<'_>) -> Result<String, String> {
        let found = authorised(&self.store, HOST, url.as_bytes(), asker, &mut LastParts::default()).await;
        let mut content = found.map_err(|error| format!("{error:?}"))?;
        let mut octets = Vec::new();
        loop {
            let piece = content.piece(octets.len() as u64).await.unwrap();
            if piece.is_empty() {
                assert_eq!(octets.len() as u64, content.octets.size());
                return Ok(String::from_utf8(octets).unwrap());
            }
            octets.extend_from_slice(&piece);
        }
    }
}

const MINE: &str = "imap://alice%40example.org@imap.example/INBOX/;UID=1";

/// RFC 4467 §3, RFC 4468 §3.3.
#[tokio::test]
async fn a_url_is_for_whom_it_says() {
    let house = House::new().await;
    let (alice, bob) = (house.account("alice"), house.account("bob"));
    let imap = |account, submits_for_others| Asker::Imap { account, submits_for_others };
    for (access, submit_alice, submit_bob, imap_alice, imap_bob, server) in [
        ("submit+alice%40example.org", true, false, false, false, true),
        ("submit+alice", false, false, false, false, true),
        ("user+alice%40example.org", false, false, true, false, false),
        ("authuser", true, true, true, true, true),
        ("anonymous", true, true, true, true, true),
    ] {
        let url = house.authorised(&format!("{MINE};URLAUTH={access}")).await;
        for (asker, wanted) in [
            (Asker::Submission(&alice), submit_alice),
            (Asker::Submission(&bob), submit_bob),
            (imap(&alice, false), imap_alice),
            (imap(&bob, false), imap_bob),
            (imap(&bob, true), server),
        ] {
            let expected =
                if wanted { Ok(String::from_utf8(MESSAGE.to_vec()).unwrap()) } else { Err("NotAllowed".into()) };
            assert_eq!(house.read(&url, asker).await, expected, "{access} {asker:?}");
        }
    }
}

#[tokio::test]
async fn what_it_gives_and_why_not() {
    let house = House::new().await;
    let bob = house.account("bob");
    let asker = Asker::Submission(&bob);
    for (rest, wanted) in [
        ("/;SECTION=TEXT;URLAUTH=anonymous", Ok("At four.\r\n")),
        ("/;SECTION=HEADER.FIELDS%20(SUBJECT);URLAUTH=anonymous", Ok("Subject: Tea\r\n\r\n")),
        ("/;SECTION=TEXT/;PARTIAL=3.4;URLAUTH=anonymous", Ok("four")),
        ("/;SECTION=HEADER.FIELDS%20(SUBJECT)/;PARTIAL=9.3;URLAUTH=anonymous", Ok("Tea")),
        ("/;SECTION=TEXT/;PARTIAL=100.4;URLAUTH=anonymous", Ok("")),
        ("/;SECTION=7;URLAUTH=anonymous", Err("Nothing")),
        ("7;URLAUTH=anonymous", Err("Nothing")),
        (";EXPIRE=2026-02-25T06:13:19Z;URLAUTH=anonymous", Err("NotAllowed")),
        (";EXPIRE=2026-02-25T06:13:21Z;URLAUTH=anonymous", Ok(std::str::from_utf8(MESSAGE).unwrap())),
    ] {
        let url = house.authorised(&format!("{MINE}{rest}")).await;
        assert_eq!(house.read(&url, asker).await, wanted.map(str::to_owned).map_err(str::to_owned), "{rest}");
    }
    let good = house.authorised(&format!("{MINE};URLAUTH=anonymous")).await;
    for (url, wanted) in [
        (good.replace("imap.example", "other.example"), "NoTrust"),
        (good.replace("imap://alice%40example.org@imap.example", ""), "NoTrust"),
        (MINE.to_owned(), "NoTrust"),
        (format!("{MINE};URLAUTH=anonymous"), "NoTrust"),
        ("imap://imap.example/".to_owned(), "Unreadable"),
        ("nonsense".to_owned(), "Unreadable"),
        (good.replace(":internal:", ":other:"), "NotAllowed"),
        (good.replace(":internal:01", ":internal:02"), "NotAllowed"),
        (good.replace("UID=1", "UID=2"), "NotAllowed"),
        (good.replace("alice%40", "bob%40"), "NotAllowed"),
        (good.replace("alice%40", "nobody%40"), "NotAllowed"),
        (good.replace("INBOX", "Elsewhere"), "NotAllowed"),
    ] {
        assert_eq!(house.read(&url, asker).await, Err(wanted.to_owned()), "{url}");
    }
    // A mailbox that came anew under the same name, and a key that was reset.
    let old = house.authorised(&format!("{};URLAUTH=anonymous", MINE.replace("INBOX", "INBOX;UIDVALIDITY=1"))).await;
    assert_eq!(house.read(&old, asker).await, Err("Nothing".to_owned()));
    house.store.reset_url_keys(house.account("alice").id, None).await.unwrap();
    assert_eq!(house.read(&good, asker).await, Err("NotAllowed".to_owned()));
}
