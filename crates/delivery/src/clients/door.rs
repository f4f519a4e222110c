//! At RCPT: who is let in, who is refused for certain, and who is asked to come again.

use std::time::Duration;

use mail::{Address, Domain, EnhancedCode, ForwardPath, Reply, ReversePath};
use reputation::doubts::{Doubt, sum};
use reputation::greylist::{GreyKey, Greylisted};
use reputation::standing::Rating;
use routing::objects::ListRole;
use routing::{Asking, Resolution, resolve};
use storage::greylist::GreyAnswer;
use storage::{StorageError, Store};

use super::told::{Introduction, in_words};
use super::{ClientSettings, Clients, Greylisting};
use crate::Delivery;

/// What is answered to a recipient that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Admission {
    /// It is let in.
    Welcome,
    /// It is not.
    Turned(Turned),
}

/// Why a recipient is not taken from a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Turned {
    /// What the client is told.
    pub reply: Reply,
    /// Why, in words for the trace.
    pub why: String,
}

impl Turned {
    /// For a reason of which the reply says all.
    #[must_use]
    pub fn plainly(reply: Reply) -> Self {
        Self { why: reply.text.clone().into_owned(), reply }
    }
}

/// Recipients who hear of everybody's trouble, also of who is on a list.
const ALWAYS_REACHED: [&str; 2] = ["postmaster", "abuse"];

impl Delivery {
    /// Whether a recipient that the directory accepts is taken from a client elsewhere, by what is known of the client.
    pub async fn admit(&self, introduction: &Introduction, asking: &Asking, path: &ForwardPath) -> Admission {
        let Some(clients) = self.clients() else { return Admission::Welcome };
        if is_always_reached(path) {
            return Admission::Welcome;
        }
        if let Some(why) = introduction.certainly_refused() {
            metrics::counter!("relais_reputation_refused_total").increment(1);
            return Admission::Turned(Turned { reply: refused(&why), why: format!("the client is refused: {why}") });
        }
        let Some(greylisting) = clients.settings().greylist else { return Admission::Welcome };
        let doubted = self.doubted(introduction, asking, path, clients.settings(), greylisting).await;
        match doubted {
            Ok(None) => Admission::Welcome,
            Ok(Some(doubts)) => self.asked_again(clients, introduction, asking, path, greylisting, &doubts).await,
            Err(error) => {
                tracing::warn!(%error, "what is known of a sender can't be read: it is let in");
                Admission::Welcome
            }
        }
    }

    /// The doubts, when they weigh enough and nobody vouches.
    async fn doubted(
        &self,
        introduction: &Introduction,
        asking: &Asking,
        path: &ForwardPath,
        settings: &ClientSettings,
        greylisting: Greylisting,
    ) -> Result<Option<Vec<Doubt>>, StorageError> {
        let store = self.store();
        let rating = rating_at_the_door(store, introduction, settings).await?;
        let judged = introduction.judged(&store.directory(), rating, settings.standing);
        if judged.vouched.is_some() || sum(&judged.doubts) < greylisting.threshold {
            return Ok(None);
        }
        let known = match rating {
            Rating::New | Rating::Mixed => introduction.spf_passes(),
            Rating::Unknown | Rating::Good | Rating::Bad(_) => false,
        };
        let vouched = known || self.is_expected(introduction, asking, path).await?;
        Ok((!vouched).then_some(judged.doubts))
    }

    /// Whether the recipient waits for mail from there: it wrote to the sender, or it is to hear of what it wrote.
    async fn is_expected(
        &self,
        introduction: &Introduction,
        asking: &Asking,
        path: &ForwardPath,
    ) -> Result<bool, StorageError> {
        let store = self.store();
        // An address that was made here for the bounces of what was forwarded.
        if asking.reverse_path.is_null()
            && self.led_back(path, &asking.reverse_path).await.is_ok_and(|sender| sender.is_some())
        {
            return Ok(true);
        }
        let accounts: Vec<_> = {
            let directory = store.directory();
            let Resolution { mailboxes, held, .. } = resolve(&directory, path, asking);
            if asking.reverse_path.is_null() && held.iter().any(|held| held.role == ListRole::Bounces) {
                return Ok(true);
            }
            mailboxes.into_iter().map(|(account, _)| account).take(EXPECTING_MAX).collect()
        };
        for account in accounts {
            let expects = match &asking.reverse_path {
                // Reports on what it wrote, and servers that ask whether it is there before they take its mail.
                ReversePath::Null => store.has_submitted_within(account, REPORTS_EXPECTED).await?,
                ReversePath::Address(sender) => !introduction.spf_fails() && store.is_contact(account, sender).await?,
            };
            if expects {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn asked_again(
        &self,
        clients: &Clients,
        introduction: &Introduction,
        asking: &Asking,
        path: &ForwardPath,
        greylisting: Greylisting,
        doubts: &[Doubt],
    ) -> Admission {
        let ForwardPath::Address(recipient) = path else { return Admission::Welcome };
        let pool = clients.pool_of(introduction).await;
        let reverse_path = asking.reverse_path.address();
        let keys = GreyKey::all(introduction.network(), pool.clone(), reverse_path, recipient.domain());
        // The rows are visible at once, and not synced before the answer: see `storage::greylist`.
        let answer = match self.store().greylist(keys, greylisting.times).await {
            Ok(answer) => answer,
            Err(error) => {
                tracing::warn!(%error, "the greylist can't be written: the client is let in");
                return Admission::Welcome;
            }
        };
        let (outcome, left) = match answer {
            GreyAnswer::Known => ("known", None),
            GreyAnswer::Full => ("full", None),
            GreyAnswer::Asked(Greylisted::Passed(_)) => ("passed", None),
            GreyAnswer::Asked(Greylisted::First) => ("first", Some(greylisting.times.wait)),
            GreyAnswer::Asked(Greylisted::TooEarly(left)) => ("early", Some(left)),
        };
        metrics::counter!("relais_greylist_answers_total", "outcome" => outcome).increment(1);
        if answer == GreyAnswer::Full {
            clients.is_full();
        }
        if let GreyAnswer::Asked(Greylisted::Passed(waited)) = answer {
            let (network, secs) = (introduction.network(), waited.as_secs());
            let of = pool.as_ref().map_or("", Domain::as_str);
            tracing::info!(%network, of, from = %asking.reverse_path, secs, "a doubted client has come again: it is let in");
        }
        let who = pool.map(|pool| format!("the client, or another server of {pool},"));
        match left {
            None => Admission::Welcome,
            Some(left) => Admission::Turned(Turned {
                reply: come_again(left),
                why: format!(
                    "{} is asked to come again in {} s, it is doubted: {}",
                    who.as_deref().unwrap_or("the client"),
                    left.as_secs(),
                    in_words(doubts)
                ),
            }),
        }
    }
}

/// The rating of who a client writes as, before there is a message.
pub(super) async fn rating_at_the_door(
    store: &Store,
    introduction: &Introduction,
    settings: &ClientSettings,
) -> Result<Rating, StorageError> {
    if !settings.standing {
        return Ok(Rating::New);
    }
    Ok(store.standing(&introduction.sender()).await?.rating(store.now()))
}

fn is_always_reached(path: &ForwardPath) -> bool {
    let reached = |address: &Address| ALWAYS_REACHED.contains(&address.local().canonical().as_str());
    match path {
        ForwardPath::Postmaster => true,
        ForwardPath::Address(address) => reached(address),
    }
}

fn refused(why: &str) -> Reply {
    Reply::new(550, Some(EnhancedCode(5, 7, 1)), format!("Refused: {why}"))
}

fn come_again(left: Duration) -> Reply {
    let minutes = left.as_secs().div_ceil(60).max(1);
    let text = format!("Greylisted: not known here yet, please try again in {minutes} min");
    Reply::new(451, Some(EnhancedCode(4, 7, 1)), text)
}

/// Accounts of one recipient that are asked whether they expect mail.
const EXPECTING_MAX: usize = 20;

/// Who has submitted something in this time hears of it.
const REPORTS_EXPECTED: Duration = Duration::from_secs(7 * 86_400);
