//! Who a message from another server is really from: checked at the end of DATA, before anything is decided.
//!
//! The result stands in an `Authentication-Results` field (RFC 8601) on top of the message, in its trace, and in what consumers are
//! told; what follows from it is decided by [`sender_auth::verify::decide`].

use std::sync::Arc;

use mail::{Domain, EnhancedCode, Reply};
use sender_auth::dkim::Hashed;
use sender_auth::verify::{
    Arrival, Authentication, Budget, Client, Decision, Disposition, Rules, SenderAuthentication, Unchecked, decide,
    limits::HEADERS_OCTETS_MAX,
};
use storage::trace::{Step, Term};

use crate::Delivery;
use crate::clients::Introduction;
use crate::content::Sample;
use crate::intake::{Intake, Refused};
use crate::standing::count_refused_sender;

/// How messages from other servers are checked.
pub struct Checks {
    /// Who does it.
    pub by: Arc<dyn SenderAuthentication>,
    /// What follows.
    pub rules: Rules,
    budget: Arc<Budget>,
}

impl Checks {
    /// Checks with the memory that [`HEADERS_OCTETS_MAX`] allows.
    #[must_use]
    pub fn new(by: Arc<dyn SenderAuthentication>, rules: Rules) -> Self {
        Self { by, rules, budget: Arc::new(Budget::new(HEADERS_OCTETS_MAX)) }
    }
}

/// A message under its check.
pub(crate) struct Examination {
    checks: Arc<Checks>,
    client: Client,
    arrival: Option<Arrival>,
    verdict: Option<Verdict>,
    /// What a seal is made of, when it may get one.
    arrived: Option<Hashed>,
    /// A refusal was counted for reports already.
    counted: bool,
    /// What is known of the client.
    introduction: Option<Introduction>,
}

/// What was found, and what follows.
#[derive(Clone, Debug)]
pub(crate) struct Verdict {
    pub(crate) found: Authentication,
    pub(crate) decision: Decision,
}

impl Examination {
    /// Takes octets as the client sent them.
    pub(crate) fn feed(&mut self, octets: &[u8]) -> Result<(), Refused> {
        let Some(arrival) = &mut self.arrival else { return Ok(()) };
        arrival.feed(octets).map_err(|flaw| {
            Refused(match flaw {
                Unchecked::HeaderTooLong => HEADER_TOO_LONG,
                Unchecked::Busy => BUSY,
            })
        })
    }

    /// The end of the message: checks it, once.
    async fn verdict(&mut self) -> Option<&Verdict> {
        if let Some(arrival) = self.arrival.take() {
            let arrived = arrival.finish();
            let mut found = self.checks.by.check(&arrived, &self.client).await;
            found.dnswl = self.introduction.as_ref().map(Introduction::dnswl).unwrap_or_default();
            let decision = decide(&found, &self.checks.rules);
            self.arrived = arrived.hashed();
            self.verdict = Some(Verdict { found, decision });
        }
        self.verdict.as_ref()
    }

    /// Says what is known of the client.
    pub(crate) fn introduced(&mut self, introduction: Introduction) {
        self.introduction = Some(introduction);
    }

    /// It may be sealed when it leaves again.
    pub(crate) const fn may_be_sealed(&mut self) {
        if let Some(arrival) = &mut self.arrival {
            arrival.may_be_sealed();
        }
    }

    pub(crate) fn into_verdict(self) -> (Option<Verdict>, Option<Hashed>) {
        (self.verdict, self.arrived)
    }
}

impl Verdict {
    pub(crate) fn is_spam(&self) -> bool {
        self.decision.disposition == Disposition::Quarantine
    }

    /// The fields that tell of it, each with its line end.
    pub(crate) fn fields(&self, server: &str) -> String {
        let mut fields = self.found.field(server);
        if self.is_spam() {
            fields.push_str(&format!("X-Spam-Flag: YES\r\nX-Spam-Reason: {}\r\n", self.decision.reason));
        }
        fields
    }

    /// The steps of the trace.
    pub(crate) fn steps(&self) -> impl Iterator<Item = Step> {
        let reason = &self.decision.reason;
        let follows = match self.decision.disposition {
            Disposition::Quarantine => Some(format!("goes to Spam: {reason}")),
            Disposition::Accept if !reason.is_empty() => Some(format!("taken although {reason}")),
            Disposition::Accept | Disposition::Refuse(_) => None,
        };
        let found = Step::Authenticated { results: self.found.to_string() };
        std::iter::once(found).chain(follows.map(|text| Step::Decided { text }))
    }

    /// The domain that the message is surely from.
    pub(crate) fn verified(&self) -> Option<Domain> {
        self.found.verified_domain()
    }
}

/// A message that was refused for what was found, with what a trace has of it.
#[derive(Clone, Debug)]
pub struct Unwelcome {
    /// What the client is told.
    pub reply: Reply,
    /// What was found.
    pub steps: Vec<Step>,
    /// What its trace is found by.
    pub terms: Vec<Term>,
}

impl Unwelcome {
    /// One of which the reply says all.
    #[must_use]
    pub const fn plain(reply: Reply) -> Self {
        Self { reply, steps: Vec::new(), terms: Vec::new() }
    }
}

impl Delivery {
    /// The same delivery, which checks what other servers hand over.
    #[must_use]
    pub fn checking(mut self, checks: Checks) -> Self {
        self.checks = Some(Arc::new(checks));
        self
    }

    /// Begins a message that another server hands over: as [`Delivery::intake`], and it is checked when checks are made here.
    ///
    /// # Errors
    /// When the store takes nothing.
    pub async fn checked_intake(&self, client: Client, received: &[u8]) -> Result<Intake, Refused> {
        self.incoming_intake(client, None, received).await
    }

    /// The same, where outside filters that look at such messages are told of the session.
    ///
    /// # Errors
    /// As there.
    pub async fn incoming_intake(
        &self,
        client: Client,
        session: Option<outside::Session>,
        received: &[u8],
    ) -> Result<Intake, Refused> {
        let reverse_path = client.reverse_path.clone().map_or(mail::ReversePath::Null, mail::ReversePath::Address);
        let examination = self.checks.as_ref().map(|checks| Examination {
            checks: checks.clone(),
            client,
            arrival: Some(Arrival::new(checks.budget.clone())),
            verdict: None,
            arrived: None,
            counted: false,
            introduction: None,
        });
        let outside = session.and_then(|session| self.outside(session));
        let filter = self.content_filter().copied();
        let sample = (filter.is_some() || outside.is_some()).then(|| Sample::new(filter));
        let mut intake = self.begin(&reverse_path, received, examination, sample, outside).await?;
        intake.filter_claims();
        intake.filter_spam_fields();
        Ok(intake)
    }
}

impl Intake {
    /// The end of a message that another server hands over: checks it, before [`Intake::finish`] decides on what is left. The
    /// network is asked here, and nowhere later.
    ///
    /// # Errors
    /// When it is refused for what was found.
    pub async fn check(&mut self) -> Result<(), Box<Unwelcome>> {
        let Some(examination) = self.examination_mut() else { return Ok(()) };
        let Some(verdict) = examination.verdict().await else { return Ok(()) };
        let Disposition::Refuse(reply) = &verdict.decision.disposition else { return Ok(()) };
        let unwelcome = Unwelcome { reply: reply.clone(), steps: verdict.steps().collect(), terms: Vec::new() };
        let verdict = verdict.clone();
        if !std::mem::replace(&mut examination.counted, true) {
            self.delivery().count_refused(&verdict).await;
            count_refused_sender(self.delivery(), &verdict.found).await;
        }
        Err(Box::new(Unwelcome { terms: self.message_terms(), ..unwelcome }))
    }
}

impl From<Box<Unwelcome>> for Refused {
    fn from(unwelcome: Box<Unwelcome>) -> Self {
        Self(unwelcome.reply)
    }
}

/// Spam that leads out of here only is not passed on, and nobody here would see it.
pub(crate) fn not_passed_on(reason: &str) -> Refused {
    let text = format!("Refused: {reason}; it is suspicious, and suspicious mail is not passed on to other servers");
    Refused(Reply::new(550, Some(EnhancedCode(5, 7, 1)), text))
}

const HEADER_TOO_LONG: Reply = Reply::fixed(550, EnhancedCode(5, 6, 0), "The header of the message is too long");
const BUSY: Reply = Reply::fixed(451, EnhancedCode(4, 3, 2), "Too many messages are coming in, try again later");
