//! One attempt at one entry: its hosts in order, until everyone who waits has an outcome.

use mail::{Domain, EnhancedCode, Reply};
use queue::{Health, Outcome};
use storage::rows::{QueueRow, RecipientState};
use tokio_util::sync::CancellationToken;

use crate::Context;
use crate::client::session::{Broken, Secured, Session};
use crate::client::transaction::{End, Handed, hand_over};
use crate::opening::Opening;
use crate::route::{Route, Target, Walk};

/// What an attempt gave.
pub(crate) struct Attempt {
    /// One place for each recipient of the row; `None` for those who do not wait.
    pub(crate) outcomes: Vec<Option<Outcome>>,
    /// What went wrong with a connection, for people.
    pub(crate) error: Option<String>,
    /// For each recipient who got the message: how the connection was protected over which it went, in words.
    pub(crate) secured: Vec<Option<String>>,
    /// A session that can take another message.
    pub(crate) session: Option<Session>,
    /// What the destination's memory learns.
    pub(crate) health: Health,
    /// What a host said that broke off in the middle, for its own sake.
    busy: Option<Reply>,
}

/// Attempts an entry; `None` when the server is stopping and nothing was begun.
pub(crate) async fn attempt(
    context: &Context,
    route: &Route,
    row: &QueueRow,
    idle: Option<Session>,
    stop: &CancellationToken,
) -> Option<Attempt> {
    let mut attempt = Attempt::new(row, None);
    // Until a message is on its way, stopping needs no patience.
    let targets = tokio::select! {
        biased;
        () = stop.cancelled() => Err(None),
        targets = route.targets(&context.world, &context.settings) => targets.map_err(Some),
    };
    match targets {
        Ok(targets) => attempt.try_targets(context, route, row, (&targets, idle), stop).await?,
        Err(why) => {
            if let Some(session) = idle {
                session.quit().await;
            }
            let reply = why?;
            attempt.error = Some(reply.to_string());
            if reply.is_temporary() {
                attempt.health = Health::Down(reply.clone());
            }
            attempt.answer_the_rest(row, None, &reply);
        }
    }
    Some(attempt)
}

impl Attempt {
    fn new(row: &QueueRow, error: Option<String>) -> Self {
        let (outcomes, secured) = (vec![None; row.recipients.len()], vec![None; row.recipients.len()]);
        Self { outcomes, error, secured, session: None, health: Health::Unknown, busy: None }
    }

    async fn try_targets(
        &mut self,
        context: &Context,
        route: &Route,
        row: &QueueRow,
        (targets, idle): (&[Target], Option<Session>),
        stop: &CancellationToken,
    ) -> Option<()> {
        let mut opening = Opening::new(context, route, row);
        let open = match idle {
            None => None,
            Some(idle) => tokio::select! {
                biased;
                () = stop.cancelled() => return None,
                open = opening.usable(idle, targets) => open,
            },
        };
        let mut lacks = None;
        if let Some(open) = open {
            let host = open.target.host.clone();
            let broken = self.hand_over(context, open, row).await;
            if self.everyone_has_an_outcome(row) {
                return Some(());
            }
            // One that was idle may have died meanwhile: that says nothing about its host. What it lacks it lacks in a new one, too, but
            // a better host may be there again.
            let best = targets.first().map(|target| target.preference);
            let known = targets.iter().find(|target| target.host == host && Some(target.preference) == best);
            lacks = known.zip(broken.filter(|broken| matches!(broken, Broken::Lacking(_))));
        }
        let mut failures = self.walk(context, &opening, row, (targets, lacks), stop).await?;
        // RFC 8689 §5: a bounce is protected where that can be had, and goes without where it can't.
        let unfit = failures.iter().any(|(_, broken)| matches!(broken, Broken::Unfit(_)));
        if opening.requires_tls() && row.reverse_path.is_null() && unfit && !self.everyone_has_an_outcome(row) {
            opening.do_without_requiretls();
            failures = self.walk(context, &opening, row, (targets, None), stop).await?;
        }
        if !self.everyone_has_an_outcome(row) {
            self.nobody_left(row, &failures);
        }
        Some(())
    }

    /// Tries one target after the other, until everyone has an outcome. Gives what went wrong with each; `lacks` is known before.
    async fn walk<'t>(
        &mut self,
        context: &Context,
        opening: &Opening<'_>,
        row: &QueueRow,
        (targets, lacks): (&'t [Target], Option<(&'t Target, Broken)>),
        stop: &CancellationToken,
    ) -> Option<Vec<(&'t Target, Broken)>> {
        let mut walk = Walk::new(targets);
        if let Some((target, _)) = &lacks {
            walk.lacks(target);
        }
        let mut failures: Vec<(&Target, Broken)> = lacks.into_iter().collect();
        let mut again = None;
        while let Some(target) = again.take().or_else(|| walk.next_target()) {
            if let Some(session) = self.session.take() {
                session.quit().await;
            }
            let waiting = self.waiting(row);
            let opened = tokio::select! {
                biased;
                // Somebody may have an outcome already, from a host that broke off: that must be written.
                () = stop.cancelled() => if self.outcomes.iter().any(Option::is_some) { break } else { return None },
                opened = opening.open(target) => opened,
            };
            match opened {
                Ok(session) => {
                    if let Some(broken) = self.hand_over(context, session, row).await {
                        if matches!(broken, Broken::Lacking(_)) {
                            walk.lacks(target);
                        }
                        failures.push((target, broken));
                    }
                    if self.everyone_has_an_outcome(row) {
                        break;
                    }
                    // The host takes no more in that session, and has taken some: the rest in another one.
                    if self.session.is_some() && self.waiting(row) < waiting {
                        again = Some(target);
                    }
                }
                Err(broken) => {
                    tracing::info!(queue_id = %row.id, host = %target.host, address = %target.address, why = %broken, "no session");
                    failures.push((target, broken));
                }
            }
        }
        Some(failures)
    }

    /// Hands the message over in a session, and keeps the session when it can take another.
    async fn hand_over(&mut self, context: &Context, mut session: Session, row: &QueueRow) -> Option<Broken> {
        let mut blob = match context.store.blob(&row.blob).await {
            Ok(Some(blob)) => blob,
            Ok(None) => return self.unreadable(row, session, "its content is missing"),
            Err(error) => return self.unreadable(row, session, &error.to_string()),
        };
        let now = context.world.clock.now();
        let Handed { end, busy } = hand_over(&mut session, row, &mut blob, &mut self.outcomes, now).await;
        let words = Secured::words(session.secured.as_ref());
        for (outcome, secured) in self.outcomes.iter().zip(&mut self.secured) {
            if matches!(outcome, Some(Outcome::Delivered { .. })) {
                secured.get_or_insert_with(|| words.clone());
            }
        }
        tracing::debug!(
            queue_id = %row.id, host = %session.target.host, tls = ?session.secured, ?end, "mail transaction ended"
        );
        match end {
            End::Reusable => {
                self.health = busy.map_or(Health::Up, Health::Busy);
                self.session = Some(session);
                None
            }
            End::Lacks(reply) => {
                self.health = Health::Up;
                self.session = Some(session);
                Some(Broken::Lacking(reply))
            }
            End::Closed => {
                self.health = busy.map_or(Health::Up, Health::Busy);
                None
            }
            End::Broken(broken) => {
                self.error = Some(broken.reply(&session.target).to_string());
                self.busy = busy;
                Some(broken)
            }
        }
    }

    /// The store does not give the message: nobody else's fault, and not the message's.
    fn unreadable(&mut self, row: &QueueRow, session: Session, why: &str) -> Option<Broken> {
        tracing::error!(queue_id = %row.id, blob = %row.blob, why, "a queued message can't be read");
        let reply = Reply::new(451, Some(EnhancedCode(4, 3, 0)), "this server can't read the message at present");
        self.error = Some(why.to_owned());
        self.answer_the_rest(row, None, &reply);
        self.session = Some(session);
        None
    }

    /// All targets are through. Refused by each with 5xx (RFC 7504), or lacking in each, is for good, anything else is not.
    fn nobody_left(&mut self, row: &QueueRow, failures: &[(&Target, Broken)]) {
        let lacking = |broken: &Broken| matches!(broken, Broken::Lacking(_));
        let reached_at = |host: &Domain| failures.iter().any(|(of, broken)| lacking(broken) && of.host == *host);
        // Of a host that was reached at one address, others that don't answer say nothing.
        let says_nothing =
            |target: &Target, broken: &Broken| matches!(broken, Broken::Lost(_)) && reached_at(&target.host);
        let counted: Vec<_> = failures.iter().filter(|(target, broken)| !says_nothing(target, broken)).collect();
        let for_good = counted.iter().all(|(_, broken)| broken.is_for_good());
        let reached = counted.iter().any(|(_, broken)| lacking(broken));
        // A better host that is away for now may have what this one lacks: that it is away is the news then.
        let news = counted.iter().rfind(|(_, broken)| for_good || !lacking(broken)).or(counted.last());
        let Some((target, last)) = news else {
            self.answer_the_rest(row, None, &Reply::fixed(451, EnhancedCode(4, 4, 1), "no address to connect to"));
            return;
        };
        let mut reply = last.reply(target);
        if reply.is_permanent() && !for_good {
            reply = Reply { code: 451, enhanced: Some(EnhancedCode(4, 4, 1)), ..reply };
        }
        let host = matches!(last, Broken::Refused(_)).then(|| target.host.to_string());
        self.error = Some(reply.to_string());
        // What the policies forbid one message they may allow another: nothing is learnt for the others.
        let forbidden = failures.iter().all(|(_, broken)| matches!(broken, Broken::Distrusted(_) | Broken::Unfit(_)));
        if !for_good && !forbidden && !reached {
            self.health = match self.busy.take() {
                Some(reply) => Health::Busy(reply),
                None => Health::Down(reply.clone()),
            };
        }
        self.answer_the_rest(row, host, &reply);
    }

    fn everyone_has_an_outcome(&self, row: &QueueRow) -> bool {
        self.waiting(row) == 0
    }

    /// How many wait and have no outcome yet.
    fn waiting(&self, row: &QueueRow) -> usize {
        let all = row.recipients.iter().zip(&self.outcomes);
        all.filter(|(recipient, outcome)| recipient.state == RecipientState::Waiting && outcome.is_none()).count()
    }

    fn answer_the_rest(&mut self, row: &QueueRow, host: Option<String>, reply: &Reply) {
        for (recipient, outcome) in row.recipients.iter().zip(&mut self.outcomes) {
            if recipient.state == RecipientState::Waiting && outcome.is_none() {
                let (host, reply) = (host.clone(), reply.clone());
                *outcome = Some(if reply.is_permanent() {
                    Outcome::PermanentFailure { host, reply }
                } else {
                    Outcome::TemporaryFailure { host, reply }
                });
            }
        }
    }

    /// The outcome of an attempt that the destination's memory spares: as if it had been made.
    pub(crate) fn spared(row: &QueueRow, reply: &Reply) -> Self {
        let mut attempt = Self::new(row, Some(reply.to_string()));
        attempt.answer_the_rest(row, None, reply);
        attempt
    }
}
