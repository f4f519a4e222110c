//! All filters of a server, asked one after the other.

use std::time::Duration;

use mail::{Reply, Timestamp};
use parking_lot::Mutex;
use tokio::sync::{Semaphore, SemaphorePermit};
use world::{BoxFuture, World};

use crate::facts::{Letter, Session};
use crate::failure::Failure;
use crate::limits::AT_ONCE_MAX;
use crate::milter::{self, Milter};
use crate::opinion::{Judgement, Opinion, Wish};
use crate::rspamd::{self, Rspamd};
use crate::spool::SpoolError;
use crate::text;

/// One filter.
#[derive(Clone)]
pub struct Filter {
    /// What logs, traces and reasons call it.
    pub name: String,
    /// What it is.
    pub kind: Kind,
    /// It is asked about mail that other servers hand over.
    pub incoming: bool,
    /// It is asked about what people here submit.
    pub submitted: bool,
    /// What follows when it can't be asked.
    pub fail: Fail,
    /// What follows when it wants a message thrown away.
    pub discard: Discard,
}

/// What a filter is.
#[derive(Clone)]
pub enum Kind {
    /// A milter.
    Milter(Milter),
    /// An rspamd.
    Rspamd(Rspamd),
}

/// What follows when a filter can't be asked, or does not answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fail {
    /// The message goes on without its word.
    #[default]
    Open,
    /// The message is refused for now.
    Closed,
}

/// What follows when a filter wants a message thrown away.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Discard {
    /// It goes to Spam.
    #[default]
    Spam,
    /// It is thrown away; its trace tells of it.
    Discard,
}

/// What is known of a filter since the start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Messages that it was asked about.
    pub asked: u64,
    /// Of these, those about which it did not answer.
    pub failed: u64,
    /// What it said last, and when.
    pub answer: Option<(Timestamp, String)>,
    /// How it failed last, and when.
    pub failure: Option<(Timestamp, String)>,
}

impl Status {
    /// Whether it did not answer when it was asked last.
    fn fails(&self) -> bool {
        let at = |said: &Option<(Timestamp, String)>| said.as_ref().map(|(at, _)| *at);
        at(&self.failure).is_some_and(|failed| at(&self.answer).is_none_or(|answered| answered < failed))
    }
}

/// The filters of a server.
pub struct Filters {
    world: World,
    /// For all filters together, and one message.
    within: Duration,
    filters: Vec<(Filter, Mutex<Status>)>,
    /// For messages under their eyes.
    places: Semaphore,
}

/// A message's turn: its place among those that are looked at, and its time, which runs.
pub struct Turn<'f> {
    _place: SemaphorePermit<'f>,
    over: BoxFuture<'static, ()>,
}

impl Filters {
    /// These, in this order; together they get so long for one message.
    #[must_use]
    pub fn new(world: World, within: Duration, filters: Vec<Filter>) -> Self {
        let filters = filters.into_iter().map(|filter| (filter, Mutex::default())).collect();
        Self { world, within, filters, places: Semaphore::new(AT_ONCE_MAX) }
    }

    /// Waits for a message's turn: there are only so many under the eyes of filters at a time, so that what is held of them is bounded. `None`:
    /// its time went by.
    pub async fn turn(&self) -> Option<Turn<'_>> {
        let mut over = self.world.clock.sleep(self.within);
        tokio::select! {
            biased;
            place = self.places.acquire() => place.ok().map(|place| Turn { _place: place, over }),
            () = &mut over => None,
        }
    }

    /// What follows for a message whose turn did not come: every filter has failed.
    #[must_use]
    pub fn unasked(&self, session: &Session) -> Judgement {
        let mut judgement = Judgement::default();
        for (filter, status) in self.filters.iter().filter(|(filter, _)| filter.looks_at(session.is_submission())) {
            let asked = Err(Failure::NoTimeLeft);
            self.note(filter, status, session, &asked);
            fail(filter, &Failure::NoTimeLeft, &mut judgement);
        }
        judgement
    }

    /// Whether any is asked about a message: one that is submitted, or one that another server hands over.
    #[must_use]
    pub fn look_at(&self, submitted: bool) -> bool {
        self.filters.iter().any(|(filter, _)| filter.looks_at(submitted))
    }

    /// The filters without which messages are refused and that did not answer when they were asked last, a sentence each.
    #[must_use]
    pub fn notes(&self) -> Vec<String> {
        let failing = self.status().filter(|(filter, status)| filter.fail == Fail::Closed && status.fails());
        let told = failing.map(|(filter, status)| {
            let why = status.failure.map(|(at, why)| format!(" ({}: {why})", at.to_rfc5322())).unwrap_or_default();
            format!(
                "the outside filter {} did not answer when it was asked last{why}: messages that it looks at are refused for now, 451",
                filter.name
            )
        });
        told.collect()
    }

    /// Each filter, and what is known of it.
    pub fn status(&self) -> impl Iterator<Item = (&Filter, Status)> {
        self.filters.iter().map(|(filter, status)| (filter, status.lock().clone()))
    }

    /// Asks all about a message. Each sees what those before have changed; the first that refuses the message is the last that is asked.
    ///
    /// # Errors
    /// [`SpoolError`] when the message itself can't be read or kept; a filter's body that is too large is that filter's failure.
    pub async fn judge(
        &self,
        turn: Turn<'_>,
        session: &Session,
        letter: &mut Letter<'_>,
    ) -> Result<Judgement, SpoolError> {
        let mut judgement = Judgement::default();
        let Turn { _place, mut over } = turn;
        let mut late = false;
        for (filter, status) in self.filters.iter().filter(|(filter, _)| filter.looks_at(session.is_submission())) {
            let before = letter.envelope.recipients.clone();
            let refused_before = letter.refused.len();
            let asked = if late {
                Err(Failure::NoTimeLeft)
            } else {
                tokio::select! {
                    biased;
                    asked = filter.ask(&self.world, session, letter) => asked,
                    () = &mut over => {
                        late = true;
                        Err(Failure::NoTimeLeft)
                    }
                }
            };
            letter.body.forget();
            letter.header.settle();
            if let Err(Failure::Spool(SpoolError::Store)) = asked {
                return Err(SpoolError::Store);
            }
            self.note(filter, status, session, &asked);
            match asked {
                Ok(opinion) => take(filter, opinion, session, &mut judgement),
                Err(failure) => {
                    // What it has said so far counts no more than what it has left unsaid.
                    letter.envelope.recipients.clone_from(&before);
                    letter.refused.truncate(refused_before);
                    fail(filter, &failure, &mut judgement);
                }
            }
            if letter.envelope.recipients.is_empty() && !before.is_empty() {
                match letter.refused.last() {
                    Some((_, reply)) => judgement.refusal = Some(reply.clone()),
                    None => {
                        // The same as throwing it away.
                        letter.envelope.recipients = before;
                        let wish = Wish::Discard("removes all recipients".to_owned());
                        let opinion = Opinion { wish, ..Opinion::taken("removes all recipients") };
                        take(filter, opinion, session, &mut judgement);
                    }
                }
            }
            if judgement.refusal.is_some() || judgement.discard.is_some() {
                break;
            }
        }
        self.recipients(session, letter, &mut judgement);
        Ok(judgement)
    }

    /// Recipients that a filter did not want, and messages that have none left.
    fn recipients(&self, session: &Session, letter: &mut Letter<'_>, judgement: &mut Judgement) {
        let refused = std::mem::take(&mut letter.refused);
        if session.is_submission()
            && judgement.refusal.is_none()
            && let Some((recipient, reply)) = refused.first()
        {
            // Whoever writes is still there to be told.
            let text = format!("{}: {}", recipient.forward_path, reply.text);
            judgement.refusal = Some(Reply::new(reply.code, reply.enhanced, text));
        }
        judgement.refused = refused;
    }

    fn note(&self, filter: &Filter, status: &Mutex<Status>, session: &Session, asked: &Result<Opinion, Failure>) {
        let now = self.world.clock.now();
        let label = match asked {
            Ok(opinion) => opinion.label(),
            Err(_) => "failed",
        };
        metrics::counter!("relais_outside_filter_answers_total", "filter" => filter.name.clone(), "answer" => label)
            .increment(1);
        let mut status = status.lock();
        status.asked = status.asked.saturating_add(1);
        match asked {
            Ok(opinion) => {
                tracing::debug!(id = session.id, filter = filter.name, told = opinion.told, "an outside filter");
                status.answer = Some((now, text::reason(&opinion.told)));
            }
            Err(failure) => {
                tracing::warn!(id = session.id, filter = filter.name, %failure, "an outside filter failed");
                status.failed = status.failed.saturating_add(1);
                status.failure = Some((now, text::reason(&failure.to_string())));
            }
        }
    }
}

impl Filter {
    fn looks_at(&self, submitted: bool) -> bool {
        if submitted { self.submitted } else { self.incoming }
    }

    async fn ask(&self, world: &World, session: &Session, letter: &mut Letter<'_>) -> Result<Opinion, Failure> {
        match &self.kind {
            Kind::Milter(milter) => milter::ask(world, milter, session, letter).await,
            Kind::Rspamd(rspamd) => rspamd::ask(rspamd, session, letter).await,
        }
    }
}

impl Opinion {
    /// In one word, for counting.
    fn label(&self) -> &'static str {
        match &self.wish {
            Wish::Refuse(reply) if reply.is_temporary() => "deferred",
            Wish::Refuse(_) => "refused",
            Wish::Discard(_) => "discarded",
            Wish::Take if self.aside.is_some() => "aside",
            Wish::Take if self.spam.is_some() => "spam",
            Wish::Take => "taken",
        }
    }
}

/// What one filter says joins what those before have said.
fn take(filter: &Filter, opinion: Opinion, session: &Session, judgement: &mut Judgement) {
    let name = &filter.name;
    let Opinion { wish, spam, aside, told, notes } = opinion;
    judgement.told.push(text::reason(&format!("{name}: {told}")));
    judgement.told.extend(notes.into_iter().map(|note| text::reason(&format!("{name}: {note}"))));
    if let Some(reason) = spam {
        Judgement::because(&mut judgement.spam, format!("{name}: {reason}"));
    }
    let mut aside = aside.map(|reason| {
        let reason = if reason.is_empty() { "puts it aside".to_owned() } else { reason };
        format!("{name}: {reason}")
    });
    match wish {
        Wish::Take => {}
        Wish::Refuse(reply) => judgement.refusal = Some(reply),
        Wish::Discard(reason) => match filter.discard {
            Discard::Spam => aside = Some(format!("{name}: {reason}")),
            Discard::Discard => judgement.discard = Some(text::reason(&format!("{name}: {reason}"))),
        },
    }
    let Some(reason) = aside else { return };
    if session.is_submission() {
        // Nobody would look for it: whoever writes is told.
        let text = format!("Refused by a filter: {}", text::reason(&reason));
        judgement.refusal = Some(text::refusal(false, &text));
    } else {
        Judgement::because(&mut judgement.aside, reason);
    }
}

fn fail(filter: &Filter, failure: &Failure, judgement: &mut Judgement) {
    let follows = match filter.fail {
        Fail::Open => "the message goes on without it",
        Fail::Closed => {
            judgement.refusal = Some(text::refusal(true, UNAVAILABLE));
            "so the message is refused for now"
        }
    };
    judgement.told.push(text::reason(&format!("{}: {failure}; {follows}", filter.name)));
}

const UNAVAILABLE: &str = "A filter that has to look at the message does not answer, try again later";
