//! What is known of clients and senders elsewhere, and who is asked to come again.

use std::net::IpAddr;

use delivery::{ClientFacts, ListState};
use mail::{Address, Domain, Timestamp};
use reputation::greylist::Grey;
use reputation::network::Network;
use reputation::origin::Origin;
use reputation::standing::{Rating, Sender, Standing};
use serde::{Deserialize, Serialize};
use storage::Store;
use storage::greylist::GreyPass;

use crate::error::{AdminError, ErrorKind};
use crate::limits::{GREYLIST_LISTED_MAX, STANDINGS_LISTED_MAX};
use crate::response::Response;
use crate::settings::Settings;

/// About what is known of clients and senders.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ReputationRequest {
    /// Everything that is known.
    Show {
        /// An IP address of a client, a domain, or an address of a sender.
        subject: String,
        /// What the client calls itself.
        #[serde(default)]
        helo: Option<String>,
        /// As whom it writes.
        #[serde(default)]
        sender: Option<Address>,
    },
    /// Forget what became of former mail.
    Forget {
        /// An IP address or network of a client, a domain, or an address of a sender.
        subject: String,
    },
}

/// About the greylist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum GreylistRequest {
    /// What waits, and who has come again.
    List {
        /// At most so many of each.
        #[serde(default)]
        limit: Option<usize>,
    },
    /// Forget all of a client's network, or of the servers of a domain: it is asked to come again.
    Forget {
        /// An address of the client, its network, or a domain.
        client: String,
    },
}

/// What is known.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReputationView {
    /// Of whom.
    pub subject: String,
    /// What became of former mail.
    pub standings: Vec<StandingView>,
    /// What the DNS says, and what would happen now; `None`: there is no server that could ask.
    pub now: Option<ClientFacts>,
    /// Lists in the DNS.
    pub lists: Vec<ListState>,
    /// What waits on the greylist.
    pub waiting: Vec<Grey>,
    /// The network, or a server of the domain, has come again.
    pub passed: Option<GreyPass>,
}

/// What became of the mail of one sender.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StandingView {
    /// Whose.
    pub sender: Sender,
    /// What it amounts to.
    pub rating: Rating,
    /// As it is now, faded.
    pub standing: Standing,
    /// When something last became of its mail.
    pub last: Timestamp,
}

/// The greylist.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GreylistView {
    /// What waits.
    pub waiting: Vec<Grey>,
    /// Networks and domains that have come again.
    pub passed: Vec<GreyPass>,
}

/// Who is asked about.
enum Subject {
    Client(IpAddr),
    Domain(Domain),
}

fn subject_of(text: &str) -> Result<(Subject, Option<Address>), AdminError> {
    let text = text.trim();
    let bare = text.trim_start_matches('[').trim_end_matches(']');
    if let Ok(ip) = bare.parse::<IpAddr>() {
        return Ok((Subject::Client(ip.to_canonical()), None));
    }
    if let Ok(address) = Address::parse(text) {
        return Ok((Subject::Domain(address.domain().clone()), Some(address)));
    }
    match Domain::parse(text.trim_start_matches('@')) {
        Ok(domain) if domain.as_literal().is_none() => Ok((Subject::Domain(domain), None)),
        Ok(_) | Err(_) => {
            let error = AdminError::invalid(format!("\"{text}\" is neither a client nor a sender"));
            Err(error.hint(
                "write an IP address like 192.0.2.7, a domain like far.example, or an address like zoe@far.example",
            ))
        }
    }
}

pub(crate) async fn execute(
    store: &Store,
    settings: &Settings,
    request: ReputationRequest,
) -> Result<Response, AdminError> {
    match request {
        ReputationRequest::Show { subject, helo, sender } => {
            show(store, settings, &subject, helo.as_deref(), sender.as_ref()).await
        }
        ReputationRequest::Forget { subject } => forget(store, &subject).await,
    }
}

async fn show(
    store: &Store,
    settings: &Settings,
    text: &str,
    helo: Option<&str>,
    sender: Option<&Address>,
) -> Result<Response, AdminError> {
    let (subject, address) = subject_of(text)?;
    let mut senders = Vec::new();
    let mut view = ReputationView {
        subject: text.trim().to_owned(),
        standings: Vec::new(),
        now: None,
        lists: settings.clients.as_ref().map(|clients| clients.lists()).unwrap_or_default(),
        waiting: Vec::new(),
        passed: None,
    };
    match subject {
        Subject::Client(ip) => {
            let network = Network::from(ip);
            let of_network = store.standings_of(network, STANDINGS_LISTED_MAX).await?;
            senders.extend(of_network.into_iter().map(|(sender, _)| sender));
            senders.extend(sender.map(|sender| Sender::Domain(sender.domain().clone())));
            if let Some(clients) = &settings.clients {
                view.now = Some(clients.explain(store, ip, helo, sender).await?);
            }
            on_greylist(store, &Origin::Network(network), &mut view).await?;
        }
        Subject::Domain(domain) => {
            if let Some(clients) = &settings.clients {
                view.now = Some(clients.explain_domain(&domain).await);
            }
            if let Some(address) = address {
                view.subject = address.to_string();
            }
            if let Some(origin) = Origin::pool(domain.clone()) {
                on_greylist(store, &origin, &mut view).await?;
            }
            senders.push(Sender::Domain(domain));
        }
    }
    let now = store.now();
    for sender in senders {
        let standing = store.standing(&sender).await?;
        let rating = standing.rating(now);
        view.standings.push(StandingView { sender, rating, standing: standing.faded(now), last: standing.at });
    }
    Ok(Response::Reputation(Box::new(view)))
}

/// What the greylist has of a network, or of the servers of a domain.
async fn on_greylist(store: &Store, origin: &Origin, view: &mut ReputationView) -> Result<(), AdminError> {
    view.waiting = store.grey_waiting(Some(origin), GREYLIST_LISTED_MAX).await?;
    view.passed = store.grey_pass(origin).await?;
    Ok(())
}

async fn forget(store: &Store, text: &str) -> Result<Response, AdminError> {
    let senders = match text.trim().parse::<Network>() {
        Ok(network) => {
            let known = store.standings_of(network, STANDINGS_LISTED_MAX).await?;
            known.into_iter().map(|(sender, _)| sender).collect()
        }
        Err(_) => match subject_of(text)?.0 {
            Subject::Domain(domain) => vec![Sender::Domain(domain)],
            Subject::Client(ip) => {
                let known = store.standings_of(ip.into(), STANDINGS_LISTED_MAX).await?;
                known.into_iter().map(|(sender, _)| sender).collect()
            }
        },
    };
    let now = store.now();
    let gone = store.transact(move |tx| {
        let mut gone = 0_usize;
        for sender in &senders {
            gone = gone.saturating_add(usize::from(tx.forget_standing(sender, now)?));
        }
        Ok(gone)
    });
    match gone.await?.value {
        0 => Err(nothing_known(text)),
        1 => Ok(Response::Done(format!("what became of former mail from {} is forgotten", text.trim()))),
        many => Ok(Response::Done(format!(
            "what became of former mail from {} is forgotten, of {many} senders",
            text.trim()
        ))),
    }
}

fn nothing_known(text: &str) -> AdminError {
    AdminError::new(ErrorKind::NotFound, format!("nothing is known of \"{}\"", text.trim()))
}

pub(crate) async fn greylist(store: &Store, request: GreylistRequest) -> Result<Response, AdminError> {
    match request {
        GreylistRequest::List { limit } => {
            let limit = limit.unwrap_or(GREYLIST_LISTED_MAX).clamp(1, GREYLIST_LISTED_MAX);
            let now = store.now();
            let mut waiting = store.grey_waiting(None, limit).await?;
            waiting.retain(|grey| now < grey.until);
            let mut passed = store.grey_passes(limit).await?;
            passed.retain(|pass| now < pass.until);
            Ok(Response::Greylist(Box::new(GreylistView { waiting, passed })))
        }
        GreylistRequest::Forget { client } => {
            let origin: Origin = client.trim().parse().map_err(|_| {
                AdminError::invalid(format!("\"{client}\" is neither a client nor a domain")).hint(
                    "write an IP address like 192.0.2.7, or a network or domain as `relais greylist list` shows it",
                )
            })?;
            let gone = origin.clone();
            match store.transact(move |tx| tx.forget_grey(&gone)).await?.value {
                0 => Err(nothing_known(&client)),
                _ => Ok(Response::Done(format!("{origin} is not known to the greylist any more"))),
            }
        }
    }
}
