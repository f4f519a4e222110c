//! The issuer of tokens: its keys, asked for when they are needed and kept for a while.

use std::sync::Arc;
use std::time::Duration;

use mail::Timestamp;
use parking_lot::Mutex;
use world::BoxFuture;

use crate::jwt::{KeySet, TokenRules};
use crate::limits::{KEYS_ASKED_EVERY, KEYS_OUTLIVE};

/// Where the keys of an issuer are.
pub trait KeySource: Send + Sync {
    /// The set of keys (RFC 7517), or why it can't be had. Takes no longer than a login may.
    fn load(&self) -> BoxFuture<'_, Result<Vec<u8>, String>>;
}

/// An issuer whose tokens let in (RFC 7628).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IssuerSettings {
    /// What its tokens must say.
    pub rules: TokenRules,
    /// Where clients find how to get a token (RFC 8414), for those who were refused; empty: they are not told.
    pub configuration_url: String,
    /// How long its keys are used before it is asked again.
    pub keys_kept: Duration,
}

/// An issuer with its keys.
pub(crate) struct Issuer {
    pub(crate) settings: IssuerSettings,
    source: Arc<dyn KeySource>,
    known: Mutex<Known>,
    /// Held by who asks for keys: others wait, and find them.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Option<(Arc<KeySet>, Timestamp)>,
    asked_at: Option<Timestamp>,
}

impl Issuer {
    pub(crate) fn new(settings: IssuerSettings, source: Arc<dyn KeySource>) -> Self {
        Self { settings, source, known: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// The keys, asked for when none are there, when their time is over, or when this one is not among them; `None` when
    /// they can't be had.
    pub(crate) async fn keys(&self, id: Option<&str>, now: Timestamp) -> Option<Arc<KeySet>> {
        if let Some(keys) = self.fresh(id, now) {
            return Some(keys);
        }
        let _asking = self.asking.lock().await;
        // Somebody else may have asked meanwhile.
        if let Some(keys) = self.fresh(id, now) {
            return Some(keys);
        }
        let asked_at = self.known.lock().asked_at;
        if asked_at.is_none_or(|at| passed(at, now, KEYS_ASKED_EVERY)) {
            self.known.lock().asked_at = Some(now);
            match self.source.load().await.and_then(|text| KeySet::parse(&text).map_err(|flaw| flaw.to_string())) {
                Ok(keys) => self.known.lock().keys = Some((Arc::new(keys), now)),
                Err(error) => {
                    tracing::warn!(issuer = self.settings.rules.issuer, error, "the keys of the issuer can't be had");
                }
            }
        }
        let known = self.known.lock().keys.clone();
        let until = self.settings.keys_kept.saturating_add(KEYS_OUTLIVE);
        known.filter(|(_, at)| !passed(*at, now, until)).map(|(keys, _)| keys)
    }

    fn fresh(&self, id: Option<&str>, now: Timestamp) -> Option<Arc<KeySet>> {
        let known = self.known.lock().keys.clone();
        known.filter(|(keys, at)| keys.has(id) && !passed(*at, now, self.settings.keys_kept)).map(|(keys, _)| keys)
    }
}

/// Whether so much time has passed. A clock that was put back makes what was before unknown.
fn passed(since: Timestamp, now: Timestamp, span: Duration) -> bool {
    now < since || now.since(since) >= span
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Source {
        asked: AtomicUsize,
        answer: Mutex<Option<&'static str>>,
    }

    impl KeySource for Source {
        fn load(&self) -> BoxFuture<'_, Result<Vec<u8>, String>> {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let answer = *self.answer.lock();
            Box::pin(std::future::ready(answer.map(|text| text.as_bytes().to_vec()).ok_or_else(|| "down".to_owned())))
        }
    }

    const KEY: &str =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;
    const OTHER: &str =
        r#"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"b","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#;

    #[tokio::test]
    async fn keys_are_asked_for_when_they_are_needed_and_not_too_often() {
        let source = Arc::new(Source::default());
        let rules =
            TokenRules { issuer: String::new(), audiences: Vec::new(), scope: String::new(), claim: String::new() };
        let kept = Duration::from_secs(3_600);
        let settings = IssuerSettings { rules, configuration_url: String::new(), keys_kept: kept };
        let issuer = Issuer::new(settings, source.clone());
        let at = |secs: i64| Timestamp::from_secs(1_000_000 + secs);
        let asked = || source.asked.load(Ordering::Relaxed);
        assert!(issuer.keys(Some("a"), at(0)).await.is_none());
        assert!(issuer.keys(Some("a"), at(59)).await.is_none());
        assert_eq!(asked(), 1, "who is down is not asked by everybody");
        *source.answer.lock() = Some(KEY);
        assert!(issuer.keys(Some("a"), at(60)).await.unwrap().has(Some("a")));
        assert!(issuer.keys(Some("a"), at(3_659)).await.is_some());
        assert_eq!(asked(), 2);
        // A key that is not known may be a new one; who makes names up does not keep the issuer busy.
        *source.answer.lock() = Some(OTHER);
        assert!(issuer.keys(Some("b"), at(100)).await.unwrap().has(Some("a")), "asked just now");
        assert!(issuer.keys(Some("b"), at(120)).await.unwrap().has(Some("b")));
        assert!(!issuer.keys(Some("c"), at(121)).await.unwrap().has(Some("c")));
        assert_eq!(asked(), 3);
        // When it does not answer, its keys are used for a day more.
        *source.answer.lock() = Some("no keys");
        let day = 24 * 3_600;
        assert!(issuer.keys(Some("b"), at(120 + 3_600 + day - 1)).await.is_some());
        assert_eq!(asked(), 4);
        assert!(issuer.keys(Some("b"), at(120 + 3_600 + day)).await.is_none());
        // A clock that was put back.
        *source.answer.lock() = Some(KEY);
        assert!(issuer.keys(Some("a"), at(-5_000)).await.is_some());
    }
}
