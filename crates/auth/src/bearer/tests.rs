//! Exchanges with a real issuer's tokens.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use mail::Address;
use routing::objects::{AccountObject, Service};
use serde_json::{Value, json};
use storage::{MemoryEngine, Store};
use world::BoxFuture;
use world::simulated::SimulatedWorld;

use super::*;
use crate::jwt::tests::{NOW, Signer, claims, rules};
use crate::scram::ChannelBindings;
use crate::{Authenticator, GuardSettings, IssuerSettings, KeySource, PasswordParams, Settings};

struct Keys(Option<String>);

impl KeySource for Keys {
    fn load(&self) -> BoxFuture<'_, Result<Vec<u8>, String>> {
        let keys = self.0.clone().map(String::into_bytes).ok_or_else(|| "down".to_owned());
        Box::pin(std::future::ready(keys))
    }
}

struct Stage {
    sim: SimulatedWorld,
    store: Store,
    auth: DirectoryAuthenticator,
    signer: Signer,
}

const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

async fn stage(there: bool) -> Stage {
    let sim = SimulatedWorld::new(NOW, 1);
    let store = Store::open(Arc::new(MemoryEngine::default()), sim.world()).await.unwrap();
    for address in ["Alice@example.org", "bob@example.org"] {
        // Who has no password has no login at all.
        let account = AccountObject {
            password_hash: Some("nobody's".to_owned()),
            ..AccountObject::new(Address::parse(address).unwrap())
        };
        store.add_account(account).await.unwrap();
    }
    let guard = GuardSettings { address_failures_max: 3, ..GuardSettings::default() };
    let settings = Settings { password: PasswordParams::CHEAPEST, guard, ..Settings::default() };
    let signer = Signer::new();
    let keys = Keys(there.then(|| signer.keys().to_string()));
    let issuer = IssuerSettings {
        rules: rules(),
        configuration_url: "https://id.example.org/.well-known/openid-configuration".to_owned(),
        keys_kept: Duration::from_secs(3_600),
    };
    let auth = DirectoryAuthenticator::new(store.clone(), settings).unwrap().with_issuer(issuer, Arc::new(keys));
    Stage { sim, store, auth, signer }
}

impl Stage {
    fn token(&self, changes: &Value) -> String {
        let mut claims = claims();
        changes.as_object().unwrap().iter().for_each(|(name, value)| claims[name] = value.clone());
        self.signer.token(&json!({"alg": "ES256", "kid": "ec"}), &claims, "ES256")
    }

    /// Lets failed logins be answered, which are held back.
    async fn patiently<T>(&self, work: impl Future<Output = T>) -> T {
        let clock = self.sim.clock.clone();
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = tokio::task::yield_now() => clock.advance(Duration::from_millis(1)),
            }
        }
    }

    /// What comes of a first message: the account, or the JSON and what follows it.
    async fn login(&self, mechanism: &str, message: &str) -> Result<String, (Value, SaslError)> {
        let channel = Channel {
            remote: HOME,
            service: Service::Imap,
            bindings: ChannelBindings::default(),
            certified: Vec::new(),
        };
        let mut exchange = self.auth.exchange(mechanism, channel).unwrap();
        match self.patiently(exchange.step(message.as_bytes())).await {
            Ok(SaslStep::Done(account)) => Ok(account.address.to_string()),
            Ok(SaslStep::Challenge(json)) => {
                let told = serde_json::from_slice(&json).unwrap();
                let error = exchange.step(b"\x01").await.unwrap_err();
                assert_eq!(exchange.step(b"").await, Err(SaslError::Malformed), "it is over");
                Err((told, error))
            }
            Err(error) => Err((Value::Null, error)),
        }
    }
}

const REFUSED: SaslError = SaslError::Auth(AuthError::Refused);

#[tokio::test]
async fn rfc7628_a_token_lets_its_person_in() {
    let stage = stage(true).await;
    let token = stage.token(&json!({}));
    for message in [
        format!("n,a=alice@example.org,\x01host=mail.example.org\x01port=143\x01auth=Bearer {token}\x01\x01"),
        format!("y,,\x01auth=bearer   {token}\x01\x01"),
        format!("n,a=ALICE@example.org,\x01auth=BEARER {token}\x01\x01"),
    ] {
        assert_eq!(stage.login("OAUTHBEARER", &message).await.unwrap(), "Alice@example.org");
    }
    let message = format!("user=alice@example.org\x01auth=Bearer {token}\x01\x01");
    assert_eq!(stage.login("XOAUTH2", &message).await.unwrap(), "Alice@example.org");
    let login = stage.store.directory().account(&Address::parse("alice@example.org").unwrap()).unwrap().clone();
    stage
        .store
        .put_object(
            routing::objects::Object::Account(AccountObject { enabled: false, ..(*login).clone() }),
            storage::objects::PutMode::Replace,
        )
        .await
        .unwrap();
    let (told, error) = stage.login("XOAUTH2", &message).await.unwrap_err();
    assert_eq!((told["status"].as_str(), error), (Some("401"), REFUSED));
}

#[tokio::test]
async fn rfc7628_who_is_refused_hears_why_in_json() {
    let stage = stage(true).await;
    let bearer = |token: &str| format!("n,,\x01auth=Bearer {token}\x01\x01");
    let (told, error) =
        stage.login("OAUTHBEARER", &bearer(&stage.token(&json!({"scope": "openid"})))).await.unwrap_err();
    assert_eq!(
        told,
        json!({
            "status": "insufficient_scope", "scope": "mail",
            "openid-configuration": "https://id.example.org/.well-known/openid-configuration",
        })
    );
    assert_eq!(error, REFUSED);
    // Another's token; a stranger's; one that names nobody; none at all.
    let message = format!("n,a=bob@example.org,\x01auth=Bearer {}\x01\x01", stage.token(&json!({})));
    for message in [
        message,
        bearer(&stage.token(&json!({"email": "nobody@example.org"}))),
        bearer(&stage.token(&json!({"email": "nobody"}))),
        bearer("garbage"),
        "n,a=alice@example.org,\x01auth=\x01\x01".to_owned(),
    ] {
        stage.sim.clock.advance(Duration::from_secs(120));
        let (told, error) = stage.login("OAUTHBEARER", &message).await.unwrap_err();
        assert_eq!((told["status"].as_str(), error), (Some("invalid_token"), REFUSED), "{message}");
    }
}

#[tokio::test]
async fn forged_tokens_are_counted_as_guesses_and_expired_ones_are_not() {
    let stage = stage(true).await;
    let good = stage.token(&json!({}));
    let bearer = |token: &str| format!("n,,\x01auth=Bearer {token}\x01\x01");
    let expired = stage.token(&json!({"exp": 1_699_999_000}));
    for _ in 0..10 {
        assert_eq!(stage.login("OAUTHBEARER", &bearer(&expired)).await.unwrap_err().1, REFUSED);
    }
    let forged = Signer::new().token(&json!({"alg": "ES256", "kid": "ec"}), &claims(), "ES256");
    for _ in 0..3 {
        assert_eq!(stage.login("OAUTHBEARER", &bearer(&forged)).await.unwrap_err().1, REFUSED);
    }
    let (told, error) = stage.login("OAUTHBEARER", &bearer(&good)).await.unwrap_err();
    assert!(told.is_null() && matches!(error, SaslError::Auth(AuthError::TooManyFailures { .. })), "{told} {error}");
    stage.sim.clock.advance(Duration::from_secs(60));
    stage.login("OAUTHBEARER", &bearer(&good)).await.unwrap();
}

#[tokio::test]
async fn without_keys_nobody_is_told_that_a_token_is_wrong() {
    let stage = stage(false).await;
    let message = format!("n,,\x01auth=Bearer {}\x01\x01", stage.token(&json!({})));
    let (told, error) = stage.login("OAUTHBEARER", &message).await.unwrap_err();
    assert_eq!((told, error), (Value::Null, SaslError::Auth(AuthError::Unavailable)));
}

#[test]
fn messages_have_their_form() {
    let said = |identity: &str, token| Some(Said { identity: identity.to_owned(), token });
    for (message, expected) in [
        ("n,,\x01auth=Bearer x\x01\x01", said("", "x")),
        ("n,a=a=2Cb=3D@c,\x01auth=Bearer x\x01\x01", said("a,b=@c", "x")),
        ("n,,\x01host=h\x01port=1\x01mthd=POST\x01auth=Bearer x\x01\x01", said("", "x")),
        ("n,,\x01auth=\x01\x01", said("", "")),
        ("p=tls-exporter,,\x01auth=Bearer x\x01\x01", None),
        ("n,a=,\x01auth=Bearer x\x01\x01", None),
        ("n,a=a=2cb,\x01auth=Bearer x\x01\x01", None),
        ("n,a=a=,\x01auth=Bearer x\x01\x01", None),
        ("n,b=c,\x01auth=Bearer x\x01\x01", None),
        ("n,,\x01auth=Bearer x\x01", None),
        ("n,,\x01auth=Basic x\x01\x01", None),
        ("n,,\x01auth=Bearer x\x01auth=Bearer y\x01\x01", None),
        ("n,,\x01host=h\x01\x01", None),
        ("n,,\x01\x01", None),
        ("n,,\x01\x01\x01", None),
        ("n,,", None),
        ("", None),
    ] {
        assert_eq!(oauthbearer(message.as_bytes()), expected, "{message:?}");
    }
    assert_eq!(oauthbearer(b"n,,\x01auth=Bearer \xFF\x01\x01"), None);
    assert_eq!(xoauth2(b"user=a@b\x01auth=Bearer x\x01\x01"), said("a@b", "x"));
    for message in [
        "user=\x01auth=Bearer x\x01\x01",
        "auth=Bearer x\x01\x01",
        "user=a@b\x01auth=Bearer x\x01",
        "x=a\x01auth=Bearer x\x01\x01",
    ] {
        assert_eq!(xoauth2(message.as_bytes()), None, "{message:?}");
    }
}
