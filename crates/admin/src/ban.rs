//! Bans: who is kept out, and what is counted of an address.
//!
//! What an administrator sets holds at once, at the door of the running server, and is a row before there is an answer. Without a server the row is all
//! there is; the next start reads it.

use std::net::IpAddr;
use std::time::Duration;

use abuse::limits::{BANS_MAX, WHY_CHARS_MAX};
use abuse::{Ban, Door, Visitor};
use mail::Prefix;
use serde::{Deserialize, Serialize};
use storage::Store;

use crate::ban_reach::reach;
use crate::error::{AdminError, ErrorKind};
use crate::response::Response;
use crate::settings::Settings;

/// About bans.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum BanRequest {
    /// All in force.
    List,
    /// What is known of an address.
    Show {
        /// Which.
        address: IpAddr,
    },
    /// Keep an address or network out.
    Add {
        /// Which. An IPv6 address stands for its /64.
        prefix: Prefix,
        /// For so many seconds; `None`: until it is removed.
        #[serde(default)]
        secs: Option<u64>,
        /// Why, in words that the client is shown.
        why: String,
        /// Even when it is a network that others should be able to come from: very wide, or one's own.
        #[serde(default)]
        force: bool,
    },
    /// Take a ban away.
    Remove {
        /// Of which address or network.
        prefix: Prefix,
    },
}

/// What is known of an address.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VisitorView {
    /// It.
    #[serde(flatten)]
    pub visitor: Visitor,
    /// Whether a server runs, which alone knows what is counted.
    pub counted: bool,
}

pub(crate) async fn execute(store: &Store, settings: &Settings, request: BanRequest) -> Result<Response, AdminError> {
    match request {
        BanRequest::List => {
            let mut all = known(store, settings).await?.in_force(store.now());
            all.sort_by_key(|ban| ban.prefix);
            Ok(Response::Bans(all))
        }
        BanRequest::Show { address } => {
            let visitor = known(store, settings).await?.visitor(address, store.now());
            Ok(Response::Visitor(Box::new(VisitorView { visitor, counted: settings.door.is_some() })))
        }
        BanRequest::Add { prefix, secs, why, force } => {
            if let Some(reach) = reach(&prefix).filter(|_| !force) {
                let error = AdminError::invalid(format!("{prefix} {reach}"));
                return Err(error.hint("--force bans it all the same, except for those in [abuse] never_banned"));
            }
            add(store, settings, prefix.at_least_a_place(), secs, why.trim()).await
        }
        BanRequest::Remove { prefix } => remove(store, settings, prefix.at_least_a_place()).await,
    }
}

/// The door of the running server, or one that knows what is kept.
async fn known(store: &Store, settings: &Settings) -> Result<Door, AdminError> {
    if let Some(door) = &settings.door {
        return Ok(door.clone());
    }
    let door = Door::new(settings.abuse.clone(), || {});
    door.load(store.bans().await?);
    Ok(door)
}

async fn add(
    store: &Store,
    settings: &Settings,
    prefix: Prefix,
    secs: Option<u64>,
    why: &str,
) -> Result<Response, AdminError> {
    if why.is_empty() {
        return Err(
            AdminError::invalid("a ban needs a reason").hint("the client is shown it: --why 'spam wave of 3 May'")
        );
    }
    let long = why.chars().count() > WHY_CHARS_MAX;
    if long || why.chars().any(char::is_control) {
        let flaw = if long { format!("longer than {WHY_CHARS_MAX} characters") } else { "in several lines".to_owned() };
        let error = AdminError::invalid(format!("the reason is {flaw}"));
        return Err(error.hint("it stands in a reply of SMTP and IMAP, which has one line (and there no accents)"));
    }
    if secs == Some(0) {
        return Err(AdminError::invalid("a ban lasts at least a second"));
    }
    let door = known(store, settings).await?;
    if let Some(never) = door.never_bans(&prefix) {
        let error = AdminError::invalid(format!(
            "{prefix} is never banned: {never} is among those that the configuration names"
        ));
        return Err(error.hint(
            "[abuse] never_banned, [sender_authentication] trusted_networks, [security] proxy_protocol_from and xclient_from name them",
        ));
    }
    let now = store.now();
    let until = secs.map(|secs| now.plus(Duration::from_secs(secs.min(SECS_MAX))));
    let full = |error: abuse::Full| AdminError::new(ErrorKind::Full, error.to_string());
    if settings.door.is_none() && store.bans().await?.len() >= BANS_MAX {
        return Err(full(abuse::Full));
    }
    let ban = door.ban(prefix, why, until, now).map_err(full)?;
    store.keep_bans(vec![ban.clone()], Vec::new()).await?;
    Ok(Response::Done(told(&ban)))
}

async fn remove(store: &Store, settings: &Settings, prefix: Prefix) -> Result<Response, AdminError> {
    let door = known(store, settings).await?;
    let Some(gone) = door.lift(&prefix) else {
        let error = AdminError::new(ErrorKind::NotFound, format!("{prefix} is not banned"));
        let over = door.visitor(prefix.first(), store.now()).bans.first().map(|ban| ban.prefix);
        return Err(match over {
            Some(over) => error.hint(format!("{over} is: `relais ban remove {over}`")),
            None => error.hint("`relais ban list` shows who is"),
        });
    };
    store.keep_bans(Vec::new(), vec![prefix]).await?;
    let was = if gone.holds(store.now()) {
        "is not banned any more"
    } else {
        "was not banned; what was remembered is forgotten"
    };
    Ok(Response::Done(format!("{prefix} {was}")))
}

/// A ban in words for who has set it.
fn told(ban: &Ban) -> String {
    let until =
        ban.until.map_or_else(|| "until it is removed".to_owned(), |until| format!("until {}", until.for_people()));
    format!("{} is banned {until}: {}", ban.prefix, ban.why)
}

/// A hundred years.
const SECS_MAX: u64 = 100 * 365 * 86_400;
