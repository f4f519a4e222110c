//! The content filter: what was learnt, what it says of a message, and what an account wants of it.

use delivery::Delivery;
use mail::{AccountId, Address};
use serde::{Deserialize, Serialize};
use spam::limits::{LEARNT_MIN, SAMPLE_OCTETS_MAX};
use spam::{Content, Points};
use storage::spam::{Lesson, SITE};
use storage::trace::{Step, Term, TraceQuery};
use storage::{StorageError, Store};

use crate::contact::find;
use crate::error::{AdminError, ErrorKind};
use crate::limits::{SPAM_SENDERS_MAX, TRACES_MAX, TRAINED_AT_ONCE_MAX};
use crate::request::{Edit, keep};
use crate::response::Response;
use crate::settings::Settings;

/// About the content filter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SpamRequest {
    /// What was learnt, and what is set.
    Status {
        /// By whom; `None`: by the site.
        #[serde(default)]
        account: Option<Address>,
    },
    /// What would it say of a message?
    Explain {
        /// For whom; `None`: with what the site knows alone.
        #[serde(default)]
        account: Option<Address>,
        /// The message.
        message: ExplainedMessage,
    },
    /// Learn messages.
    Train {
        /// For whom; `None`: for the site.
        #[serde(default)]
        account: Option<Address>,
        /// As spam, or as ham.
        spam: bool,
        /// Their beginnings: what is behind [`SAMPLE_OCTETS_MAX`] is not looked at.
        messages: Vec<Vec<u8>>,
    },
    /// Set what an account wants.
    Set {
        /// Whose.
        account: Address,
        /// Whether spam goes to Spam.
        #[serde(default)]
        enabled: Option<bool>,
        /// From how many points on.
        #[serde(default = "keep")]
        threshold: Edit<Points>,
        /// Senders whose mail never goes there: addresses or domains.
        #[serde(default)]
        allow: Vec<String>,
        /// Those who are no longer among these.
        #[serde(default)]
        disallow: Vec<String>,
    },
    /// Forget what was learnt.
    Forget {
        /// By whom; `None`: by the site.
        #[serde(default)]
        account: Option<Address>,
    },
}

/// A message that is explained.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ExplainedMessage {
    /// Its beginning.
    Content(Vec<u8>),
    /// One that came: its Message-ID.
    MessageId(String),
}

impl SpamRequest {
    /// Whose filter it is about; `None`: the site's.
    pub(crate) const fn account(&self) -> Option<&Address> {
        match self {
            Self::Status { account }
            | Self::Explain { account, .. }
            | Self::Train { account, .. }
            | Self::Forget { account } => account.as_ref(),
            Self::Set { account, .. } => Some(account),
        }
    }
}

/// What was learnt, and what is set.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpamStatusView {
    /// By whom; `None`: by the site.
    pub account: Option<Address>,
    /// Messages learnt as spam.
    pub spam: u32,
    /// Messages learnt as ham.
    pub ham: u32,
    /// Of each kind so many are needed before anything follows.
    pub needed: u32,
    /// Tokens that are counted.
    pub tokens: u32,
    /// Messages that the site has learnt from this account.
    pub shared: u32,
    /// Whether the site looks at content at all.
    pub site_enabled: bool,
    /// Whether the account's spam goes to Spam.
    pub enabled: bool,
    /// From how many points on.
    pub threshold: Points,
    /// The account has set the threshold itself.
    pub own_threshold: bool,
    /// Senders whose mail never goes there.
    pub senders: Vec<String>,
}

/// What the filter says of a message.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SpamExplanation {
    /// All points.
    pub points: Points,
    /// From how many on it goes to Spam.
    pub threshold: Points,
    /// Whether it does.
    pub spam: bool,
    /// From how many on it is refused, when it has as many; `None`: it is not refused.
    #[serde(default)]
    pub refused_from: Option<Points>,
    /// Enough was learnt for a say.
    pub learnt: bool,
    /// How likely it is spam by what was learnt, from 0 to 1.
    pub likelihood: Option<f64>,
    /// Points of that.
    pub learnt_points: Points,
    /// The words that say most, and how likely each makes it.
    pub telling: Vec<(String, f64)>,
    /// Rules that it meets: points, and in words.
    pub rules: Vec<(Points, String)>,
    /// Different words and other tokens that were looked at.
    pub tokens: usize,
    /// The sentence.
    pub reason: String,
}

pub(crate) async fn execute(store: &Store, settings: &Settings, request: SpamRequest) -> Result<Response, AdminError> {
    let account = request.account().map(|account| find(&store.directory(), account)).transpose()?;
    match request {
        SpamRequest::Status { account: address } => status(store, settings, account, address).await,
        SpamRequest::Explain { message, .. } => explain(store, settings, account, message).await,
        SpamRequest::Train { spam, messages, .. } => train(store, account, spam, messages).await,
        SpamRequest::Set { account: address, enabled, threshold, allow, disallow } => {
            let id = account.unwrap_or(SITE);
            let (allow, disallow) = (senders(allow)?, senders(disallow)?);
            let change = move |settings: &mut storage::spam::SpamSettings| {
                settings.enabled = enabled.unwrap_or(settings.enabled);
                threshold.clone().apply(&mut settings.threshold);
                settings.senders.retain(|known| !disallow.contains(known) && !allow.contains(known));
                settings.senders.extend(allow.iter().cloned());
                if settings.senders.len() > SPAM_SENDERS_MAX {
                    return Err(StorageError::LimitReached("senders whose mail never goes to Spam"));
                }
                Ok(())
            };
            store.change_spam_settings(id, change).await?;
            status(store, settings, account, Some(address)).await
        }
        SpamRequest::Forget { account: address } => {
            let kept = match account {
                Some(id) => Some((id, store.spam_settings(id).await?)),
                None => None,
            };
            store.forget_spam(account.unwrap_or(SITE)).await?;
            if let Some((id, before)) = kept {
                let put_back = move |settings: &mut storage::spam::SpamSettings| {
                    settings.clone_from(&before);
                    Ok(())
                };
                store.change_spam_settings(id, put_back).await?;
            }
            let whom = address.map_or_else(|| "the site".to_owned(), |address| address.to_string());
            Ok(Response::Done(format!("{whom} has forgotten what it had learnt of spam and ham")))
        }
    }
}

/// Addresses and domains as they are kept.
fn senders(texts: Vec<String>) -> Result<Vec<String>, AdminError> {
    let mut known: Vec<String> = Vec::new();
    for text in texts {
        let bare = text.trim().trim_start_matches('@');
        let sender = match (Address::parse(bare), mail::Domain::parse(bare)) {
            (Ok(address), _) => address.canonical().to_string(),
            (Err(_), Ok(domain)) => domain.as_str().to_ascii_lowercase(),
            (Err(_), Err(_)) => {
                let error = AdminError::new(ErrorKind::Invalid, format!("\"{text}\" is no sender"));
                return Err(
                    error.hint("write an address like friend@elsewhere.example, or a domain like elsewhere.example")
                );
            }
        };
        if !known.contains(&sender) {
            known.push(sender);
        }
    }
    Ok(known)
}

async fn status(
    store: &Store,
    settings: &Settings,
    account: Option<AccountId>,
    address: Option<Address>,
) -> Result<Response, AdminError> {
    let totals = store.spam_totals(account.unwrap_or(SITE)).await?;
    let set = match account {
        Some(account) => store.spam_settings(account).await?,
        None => Default::default(),
    };
    Ok(Response::SpamStatus(Box::new(SpamStatusView {
        account: address,
        spam: totals.spam,
        ham: totals.ham,
        needed: LEARNT_MIN,
        tokens: totals.tokens,
        shared: totals.shared,
        site_enabled: settings.spam_threshold.is_some(),
        enabled: set.enabled,
        threshold: set.threshold.or(settings.spam_threshold).unwrap_or(Points::THRESHOLD),
        own_threshold: set.threshold.is_some(),
        senders: set.senders,
    })))
}

async fn explain(
    store: &Store,
    settings: &Settings,
    account: Option<AccountId>,
    message: ExplainedMessage,
) -> Result<Response, AdminError> {
    let (account, content) = match message {
        ExplainedMessage::Content(octets) => (account, Content::read(&octets)),
        ExplainedMessage::MessageId(id) => {
            let (owner, content) = kept(store, account, &id).await?;
            (Some(owner), content)
        }
    };
    let site = settings.spam_threshold.unwrap_or(Points::THRESHOLD);
    let explained = Delivery::explain_content(store, site, account, &content).await?;
    let (score, threshold) = (explained.score, explained.threshold);
    let judged = explained.enabled && settings.spam_threshold.is_some();
    let refused_from = settings.spam_refuse_from.filter(|points| judged && score.is_certain(*points));
    Ok(Response::SpamExplanation(Box::new(SpamExplanation {
        points: score.points(),
        threshold,
        spam: judged && score.is_spam(threshold),
        refused_from,
        learnt: score.opinion.is_some(),
        likelihood: score.opinion.as_ref().map(|opinion| opinion.likelihood),
        learnt_points: score.opinion.as_ref().map(spam::Opinion::points).unwrap_or_default(),
        telling: score
            .opinion
            .iter()
            .flat_map(|opinion| &opinion.telling)
            .take(TELLING_SHOWN_MAX)
            .map(|told| (told.text.clone(), told.likelihood))
            .collect(),
        rules: score.hits.iter().map(|hit| (hit.rule.points(), hit.reason.clone())).collect(),
        tokens: explained.tokens,
        reason: score.reason(refused_from.unwrap_or(threshold)),
    })))
}

/// A message that came, as it is kept: of the account, or of the first one that has it.
async fn kept(store: &Store, account: Option<AccountId>, id: &str) -> Result<(AccountId, Content), AdminError> {
    let id = id.trim().trim_matches(['<', '>']).to_owned();
    let query = TraceQuery { term: Some(Term::MessageId(id.clone())), limit: TRACES_MAX, ..TraceQuery::default() };
    let traces = store.traces(&query).await?;
    for taken in traces.iter().flat_map(|trace| &trace.steps) {
        let Step::Delivered { account: owner, mailbox, uid, .. } = &taken.step else { continue };
        if account.is_some_and(|account| account != *owner) {
            continue;
        }
        let Some(row) = store.message(*owner, *mailbox, *uid).await? else { continue };
        if let Some(content) = store.spam_content(&row.blob).await? {
            return Ok((*owner, content));
        }
    }
    let error = AdminError::new(ErrorKind::NotFound, format!("no message <{id}> is where it was delivered"));
    Err(error.hint("it was moved, or its trace is gone: save it to a file, and give that instead"))
}

async fn train(
    store: &Store,
    account: Option<AccountId>,
    spam: bool,
    messages: Vec<Vec<u8>>,
) -> Result<Response, AdminError> {
    if messages.len() > TRAINED_AT_ONCE_MAX {
        let text = format!("at most {TRAINED_AT_ONCE_MAX} messages are learnt at once");
        return Err(AdminError::new(ErrorKind::Invalid, text));
    }
    let (part, all) = (account.unwrap_or(SITE), messages.len());
    let mut learnt = 0_usize;
    for message in messages {
        let sample = message.get(..message.len().min(SAMPLE_OCTETS_MAX)).unwrap_or_default();
        learnt = learnt.saturating_add(usize::from(store.learn(part, Lesson::of_octets(sample, spam)).await?));
    }
    store.sweep_spam_tokens(part).await?;
    store.sweep_spam_tokens(SITE).await?;
    let kind = if spam { "spam" } else { "ham" };
    let known = all.saturating_sub(learnt);
    let rest = if known > 0 { format!("; {known} were known as such") } else { String::new() };
    let s = if learnt == 1 { "" } else { "s" };
    Ok(Response::Done(format!("{learnt} message{s} learnt as {kind}{rest}")))
}

const TELLING_SHOWN_MAX: usize = 20;
