//! Webhooks: who is told what becomes of messages.

use mail::{Timestamp, Topic};
use serde::{Deserialize, Serialize};
use storage::webhooks::{HookCall, HookEvent, WebhookRow};
use storage::{Store, Transaction};
use world::https::{Url, UrlFlaw, is_public};

use crate::error::{AdminError, ErrorKind};
use crate::response::Response;
use crate::settings::Settings;

/// About webhooks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookRequest {
    /// Add one; the answer has its secret, once.
    Add {
        /// Where calls go.
        url: String,
        /// What it is told of; empty: everything.
        #[serde(default)]
        events: Vec<HookEvent>,
    },
    /// All.
    List,
    /// One.
    Show {
        /// Its number.
        id: u64,
    },
    /// Call it again, after it was switched off.
    Enable {
        /// Its number.
        id: u64,
    },
    /// Call it no more.
    Remove {
        /// Its number.
        id: u64,
    },
    /// Call it once, to see whether it works.
    Test {
        /// Its number.
        id: u64,
    },
}

/// A hook, without its secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WebhookView {
    /// Its number.
    pub id: u64,
    /// Where calls go.
    pub url: String,
    /// What it is told of.
    pub events: Vec<HookEvent>,
    /// Whether it is called.
    pub enabled: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// The last call that went well.
    pub succeeded_at: Option<Timestamp>,
    /// Since when none does.
    pub failing_since: Option<Timestamp>,
    /// Why the last one did not.
    pub last_error: Option<String>,
    /// What signs its calls; only in the answer to [`WebhookRequest::Add`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

impl From<WebhookRow> for WebhookView {
    fn from(row: WebhookRow) -> Self {
        let WebhookRow { id, url, events, secret: _, enabled, created_at, succeeded_at, failing_since, last_error } =
            row;
        Self { id, url, events, enabled, created_at, succeeded_at, failing_since, last_error, secret: None }
    }
}

pub(crate) async fn execute(
    store: &Store,
    settings: &Settings,
    request: WebhookRequest,
) -> Result<Response, AdminError> {
    match request {
        WebhookRequest::Add { url, events } => {
            let url = checked(&url, settings.webhooks_reach_private)?;
            let mut events = if events.is_empty() { HookEvent::ALL.to_vec() } else { events };
            events.retain(|event| *event != HookEvent::Test);
            events.sort_unstable();
            events.dedup();
            let mut chance = [0; 32];
            store.world().chance.fill(&mut chance);
            let secret: String = chance.iter().map(|octet| format!("{octet:02x}")).collect();
            let row = WebhookRow {
                id: 0,
                url,
                events,
                secret: secret.clone(),
                enabled: true,
                created_at: store.now(),
                succeeded_at: None,
                failing_since: None,
                last_error: None,
            };
            let row = store.add_webhook(row).await?.value;
            Ok(Response::Webhook(Box::new(WebhookView { secret: Some(secret), ..row.into() })))
        }
        WebhookRequest::List => {
            Ok(Response::Webhooks(store.webhooks().await?.into_iter().map(WebhookView::from).collect()))
        }
        WebhookRequest::Show { id } => match store.webhook(id).await? {
            Some(row) => Ok(Response::Webhook(Box::new(row.into()))),
            None => Err(missing(id)),
        },
        WebhookRequest::Enable { id } => {
            let enable = move |tx: &mut Transaction<'_>| {
                let Some(row) = tx.webhook(id)? else { return Ok(false) };
                tx.update_webhook(&WebhookRow { enabled: true, failing_since: None, ..row }).map(|()| true)
            };
            if store.transact(enable).await?.value {
                return Ok(Response::Done(format!("the webhook {id} is called again")));
            }
            Err(missing(id))
        }
        WebhookRequest::Remove { id } => {
            if store.remove_webhook(id).await? {
                return Ok(Response::Done(format!(
                    "the webhook {id} is removed; what waited for it is told to nobody"
                )));
            }
            Err(missing(id))
        }
        WebhookRequest::Test { id } => {
            let now = store.now();
            let test = move |tx: &mut Transaction<'_>| {
                if tx.webhook(id)?.is_none() {
                    return Ok(false);
                }
                let told = serde_json::json!({ "text": "This is a test." });
                let call = HookCall { hook: id, id: None, event: HookEvent::Test, at: now, attempts: 0, told };
                tx.emit(Topic::Webhook, now, call.encode()).map(|_| true)
            };
            if store.transact(test).await?.value {
                let text = format!("the webhook {id} is being called; `relais webhook show {id}` tells how it went");
                return Ok(Response::Done(text));
            }
            Err(missing(id))
        }
    }
}

/// The URL as it is kept. Nobody uses the server to reach what only the server reaches; names that lead there are refused when they are
/// called.
fn checked(text: &str, private: bool) -> Result<String, AdminError> {
    let read = if private { Url::parse_even_plain(text) } else { Url::parse(text) };
    let url = read.map_err(|flaw| {
        let error = AdminError::invalid(format!("{text} can't be called: {flaw}"));
        let plain = matches!(flaw, UrlFlaw::Scheme) && Url::parse_even_plain(text).is_ok();
        error.hint(match plain {
            true => {
                "write it as https://hooks.example.org/relais; `[webhooks] allow_private = true` allows http://, and hosts of one's own network"
            }
            false => "write it as https://hooks.example.org/relais",
        })
    })?;
    if !private && url.host.as_literal().is_some_and(|ip| !is_public(ip)) {
        let error = AdminError::invalid(format!("{} is no address of the public Internet", url.authority()));
        return Err(error.hint("`[webhooks] allow_private = true` allows such addresses"));
    }
    Ok(url.to_string())
}

fn missing(id: u64) -> AdminError {
    AdminError::new(ErrorKind::NotFound, format!("there is no webhook {id}"))
        .hint("`relais webhook list` shows those there are")
}
