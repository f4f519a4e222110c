//! Takes a message's bytes: stores and scans them as they come, with one chunk in memory whatever their number.

use std::collections::BTreeMap;

use bytes::Bytes;
use filter::{MessageView, Place};
use mail::{AccountId, BodyType, EnhancedCode, Envelope, Reply, ReversePath, TraceId};
use message::{MessageRecord, Scanner, Structure};
use routing::objects::QuotaLimits;
use routing::{Asking, Directory, RefuseReason};
use sender_auth::dkim::Hasher;
use sender_auth::verify::ClaimFilter;
use storage::blobs::{BlobWriter, StagedBlob};
use storage::rows::MailClass;
use storage::trace::Term;

use crate::Delivery;
use crate::allowance::Allowance;
use crate::checks::{Examination, Verdict, not_passed_on};
use crate::class::class_of;
use crate::clients::Introduction;
use crate::complaint::Capture;
use crate::content::{Judgement, Sample, judge, spam_fields};
use crate::decide::storage_reply;
use crate::filtering::decisions;
use crate::limits::{EVENT_HEADER_OCTETS_MAX, HOPS_MAX};
use crate::loops::came_round;
use crate::notice::{delivered_notice, expanded_notice, failed_notice};
use crate::outside::{Heard, Outside};
use crate::plan::Plan;
use crate::prepared::{Marked, Prepared};
use crate::standing::{Known, count_refused_sender};
use crate::suppression::Nature;
use crate::trace::{Beginning, Source};

/// A message on its way in. Dropping it abandons the message.
pub struct Intake {
    delivery: Delivery,
    writer: BlobWriter,
    scanner: Scanner,
    header: HeaderCopy,
    /// Octets of our Return-Path, which does not travel on (RFC 5321 §4.4).
    return_path_octets: u32,
    /// Whether any octet is above 127.
    eight_bit: bool,
    /// Whether the client's first octet is still to come, behind a field of ours.
    behind_our_field: bool,
    /// Octets in front of what the client sends.
    own_octets: u64,
    /// Who submits it, logged in.
    account: Option<AccountId>,
    /// The server's own message.
    own: bool,
    /// It was accepted before, and has waited; its trace goes on.
    waited: Option<Waited>,
    /// The number of its trace, when its client has been told that one.
    traced: Option<TraceId>,
    /// What it is to the suppression list.
    nature: Nature,
    /// Its beginning, when it is a complaint from outside.
    complaint: Option<Capture>,
    /// Where it comes from, for its trace.
    source: Source,
    /// What is to be signed, as it passes: messages of the organisation's own.
    hasher: Option<Hasher>,
    /// It is signed wherever it leads: other envelopes follow.
    sent_again: bool,
    /// What pretends to be a result of this server goes; for messages from outside.
    claims: Option<ClaimFilter>,
    /// What another server hands over is checked. Its front is written at the end, with what was found.
    examination: Option<Examination>,
    /// What its content is judged by, when it is.
    sample: Option<Sample>,
    /// What is known of who hands it over.
    introduction: Option<Introduction>,
    /// The fields of our own that are not written yet: Return-Path, and what follows it.
    front: (String, Vec<u8>),
    /// The outside filters that are to be asked about it.
    outside: Option<Outside>,
    /// What they have said.
    heard: Heard,
    /// What a seal is made of, when a filter has changed what came.
    resealing: Option<Hasher>,
}

/// Of a message that was accepted before ([`crate::Delivery::release`]).
pub(crate) struct Waited {
    /// The account that submitted it; `None` when it is gone.
    pub(crate) account: Option<AccountId>,
    /// Where its way is told.
    pub(crate) trace: Option<TraceId>,
}

/// The message is not taken; the reply says why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Refused(pub Reply);

impl From<storage::StorageError> for Refused {
    fn from(error: storage::StorageError) -> Self {
        Self(storage_reply(&error))
    }
}

impl Delivery {
    /// Begins a message: writes Return-Path in front, and the `received` header field (with its CRLF) behind it.
    ///
    /// # Errors
    /// When the store takes nothing.
    pub async fn intake(&self, reverse_path: &ReversePath, received: &[u8]) -> Result<Intake, Refused> {
        self.begin(reverse_path, received, None, None, None).await
    }

    pub(crate) async fn begin(
        &self,
        reverse_path: &ReversePath,
        received: &[u8],
        examination: Option<Examination>,
        sample: Option<Sample>,
        outside: Option<Outside>,
    ) -> Result<Intake, Refused> {
        let return_path = format!("Return-Path: {reverse_path}\r\n");
        // What is found out at the end stands in front.
        let fronted = examination.is_some() || sample.is_some() || outside.is_some();
        let writer = if fronted { self.store.blob_writer_with_front() } else { self.store.blob_writer() };
        let mut intake = Intake {
            delivery: self.clone(),
            writer,
            scanner: Scanner::new(),
            header: HeaderCopy::default(),
            return_path_octets: u32::try_from(return_path.len()).unwrap_or(0),
            eight_bit: false,
            behind_our_field: false,
            own_octets: 0,
            account: None,
            own: false,
            waited: None,
            traced: None,
            nature: Nature::Personal,
            complaint: None,
            source: Source { by: "smtp".to_owned(), client: None },
            hasher: None,
            sent_again: false,
            claims: None,
            examination,
            sample,
            introduction: None,
            front: (String::new(), Vec::new()),
            outside,
            heard: Heard::default(),
            resealing: None,
        };
        if fronted {
            intake.pass(return_path.as_bytes());
            intake.pass(received);
            intake.front = (return_path, received.to_vec());
        } else {
            intake.store(return_path.as_bytes()).await?;
            intake.store(received).await?;
        }
        intake.behind_our_field = true;
        intake.own_octets = intake.writer.octets();
        Ok(intake)
    }

    /// Begins a message that was delivered elsewhere before: nothing is written in front of it, nothing but results in this server's name is
    /// taken out, and it is ended by [`Intake::finish_alone`].
    #[must_use]
    pub fn fetched_intake(&self) -> Intake {
        Intake {
            delivery: self.clone(),
            writer: self.store.blob_writer(),
            scanner: Scanner::new(),
            header: HeaderCopy { ended: true, ..HeaderCopy::default() },
            return_path_octets: 0,
            behind_our_field: false,
            own_octets: 0,
            account: None,
            own: false,
            waited: None,
            traced: None,
            nature: Nature::Personal,
            complaint: None,
            eight_bit: false,
            source: Source { by: "fetch".to_owned(), client: None },
            hasher: None,
            sent_again: false,
            claims: Some(self.claims()),
            examination: None,
            sample: None,
            introduction: None,
            front: (String::new(), Vec::new()),
            outside: None,
            heard: Heard::default(),
            resealing: None,
        }
    }

    /// What takes out `Authentication-Results` in this server's name (RFC 8601 §5).
    fn claims(&self) -> ClaimFilter {
        let names = [self.results_name(), &self.settings.hostname];
        ClaimFilter::new(names.map(mail::Domain::as_str))
    }

    /// A message of the server's own (an answer, a DSN, a letter, what a moderator let through), with its complete header.
    /// Addresses put no conditions to it.
    ///
    /// # Errors
    /// When the store takes nothing, or no recipient is acceptable.
    pub async fn prepare(&self, envelope: Envelope, content: &[u8]) -> Result<Prepared, Refused> {
        Box::pin(self.prepare_as(Nature::Automatic, envelope, content)).await
    }

    /// The same for a delivery report, which is owed to whoever wrote (see [`crate::SuppressionSettings`]).
    ///
    /// # Errors
    /// As there.
    pub async fn prepare_report(&self, envelope: Envelope, content: &[u8]) -> Result<Prepared, Refused> {
        Box::pin(self.prepare_as(Nature::Report, envelope, content)).await
    }

    async fn prepare_as(&self, nature: Nature, envelope: Envelope, content: &[u8]) -> Result<Prepared, Refused> {
        let mut intake = self.intake(&envelope.reverse_path, b"").await?;
        intake.own = true;
        intake.nature = nature;
        "this server".clone_into(&mut intake.source.by);
        intake.hasher = Some(Hasher::new());
        intake.write(content).await?;
        Box::pin(intake.finish(envelope)).await
    }
}

/// A message that goes nowhere by itself: whoever took it in deposits it.
#[derive(Clone, Debug)]
pub struct Alone {
    /// Its content, staged.
    pub blob: StagedBlob,
    /// What clients ask for, encoded.
    pub record: Bytes,
    /// Its Message-ID, without brackets; for its trace.
    pub message_id: Option<String>,
}

/// The Message-ID, without brackets.
fn message_id(structure: &Structure) -> Option<String> {
    let value = structure.facts.value(message::Field::MessageId)?;
    message::parse_message_ids(value).into_iter().next()
}

impl Intake {
    /// Says who submits the message, logged in. To be said before its octets come: it is signed when it leaves.
    pub fn submitted_by(&mut self, account: AccountId) {
        self.account = Some(account);
        "submission".clone_into(&mut self.source.by);
        self.filter_claims();
        self.hasher = Some(Hasher::new());
    }

    /// Says which number its trace has ([`Delivery::new_trace`]): the one that `Received` and the reply name.
    pub fn traced_as(&mut self, trace: Option<TraceId>) {
        self.traced = trace;
    }

    /// Says that it was accepted before, when it was submitted. To be said before its octets come.
    pub(crate) fn has_waited(&mut self, waited: Waited) {
        "submission".clone_into(&mut self.source.by);
        self.account = waited.account;
        // Nobody is left who could be refused anything.
        self.own = waited.account.is_none();
        self.hasher = Some(Hasher::new());
        self.waited = Some(waited);
    }

    /// Says that the server writes the message, for envelopes that are still to come ([`Delivery::prepare_again`]): it is signed
    /// wherever the one that it is finished with leads. To be said before its octets come.
    pub fn sent_again(&mut self) {
        self.sent_again = true;
        self.nature = Nature::Post;
        self.hasher = Some(Hasher::new());
    }

    /// Says that it comes from outside: `Authentication-Results` in this server's name are removed.
    pub(crate) fn filter_claims(&mut self) {
        self.claims = Some(self.delivery.claims());
    }

    /// `X-Spam-…` fields are this server's word, too.
    pub(crate) fn filter_spam_fields(&mut self) {
        self.claims = self.claims.take().map(ClaimFilter::without_spam_fields);
    }

    /// Says which client hands the message over, for its trace: `192.0.2.1 (mail.example.org)`.
    pub fn from_client(&mut self, client: String) {
        self.source.client = Some(client);
    }

    /// Says what is known of the client. To be said before its octets come.
    pub fn introduced(&mut self, introduction: Introduction) {
        if let Some(examination) = &mut self.examination {
            examination.introduced(introduction.clone());
        }
        self.introduction = Some(introduction);
    }

    /// Takes the next bytes.
    ///
    /// # Errors
    /// When the message is over the size limit, or the store takes no more.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.write_recoded(bytes, bytes).await
    }

    /// The same, where the next bytes are kept in another coding than the one in which they came: signatures are checked on what came.
    ///
    /// # Errors
    /// As [`Intake::write`].
    pub async fn write_recoded(&mut self, came: &[u8], bytes: &[u8]) -> Result<(), Refused> {
        let octets = self.writer.octets().saturating_add(bytes.len() as u64);
        // Some room for what we write in front: the client's own octets are counted by who reads them.
        if octets > self.delivery.settings.message_octets_max.saturating_add(OWN_FIELDS_OCTETS) {
            return Err(Refused(TOO_LARGE));
        }
        if let Some(examination) = self.examination.as_mut().filter(|_| !came.is_empty()) {
            examination.feed(came)?;
        }
        let Some(first) = bytes.first() else { return Ok(()) };
        if std::mem::take(&mut self.behind_our_field) && matches!(first, b' ' | b'\t') {
            // It would continue our own field (RFC 5322 §2.2.3): such a message has no header.
            self.claims = None;
            self.store(b"\r\n").await?;
        }
        let Some(claims) = &mut self.claims else { return self.store(bytes).await };
        let passed = claims.pass(bytes);
        self.store(&passed).await
    }

    async fn store(&mut self, bytes: &[u8]) -> Result<(), Refused> {
        self.pass(bytes);
        Ok(self.writer.write(bytes).await?)
    }

    /// Octets pass, on their way to the store or kept for the front.
    fn pass(&mut self, bytes: &[u8]) {
        self.eight_bit |= !bytes.is_ascii();
        let (before, ended) = (self.header.bytes.len(), self.header.ended);
        self.header.write(bytes);
        match &mut self.complaint {
            Some(complaint) => complaint.take(bytes),
            None if !ended && self.header.ended && self.examination.is_some() => {
                let behind = bytes.get(self.header.bytes.len().saturating_sub(before)..).unwrap_or_default();
                self.complaint = Capture::begin(&self.header.bytes, behind);
            }
            None => {}
        }
        self.scanner.feed(bytes);
        if let Some(sample) = &mut self.sample {
            sample.feed(bytes);
        }
        for hasher in self.hasher.iter_mut().chain(&mut self.resealing) {
            hasher.feed(bytes);
        }
    }

    /// Everything that was taken goes, and is taken anew as a filter has left it: [`Intake::take_again`]. What was taken is given back, and must
    /// be kept until then.
    pub(crate) fn begin_again(&mut self, reverse_path: &ReversePath) -> BlobWriter {
        let before = std::mem::replace(&mut self.writer, self.delivery.store.blob_writer_with_front());
        (self.scanner, self.header) = (Scanner::new(), HeaderCopy::default());
        (self.eight_bit, self.behind_our_field, self.complaint) = (false, false, None);
        self.sample = self.sample.take().map(Sample::begun_again);
        // Our own fields are in no signature and no seal.
        let signed = self.hasher.take().is_some();
        self.resealing = None;
        let return_path = format!("Return-Path: {reverse_path}\r\n");
        self.return_path_octets = u32::try_from(return_path.len()).unwrap_or(0);
        let received = std::mem::take(&mut self.front.1);
        self.pass(return_path.as_bytes());
        self.pass(&received);
        self.front = (return_path, received);
        self.hasher = signed.then(Hasher::new);
        self.resealing = self.examination.is_some().then(Hasher::new);
        before
    }

    /// The next octets of what a filter has left.
    pub(crate) async fn take_again(&mut self, octets: &[u8]) -> Result<(), Refused> {
        self.store(octets).await
    }

    /// What was taken so far, as it is kept: without our own fields.
    pub(crate) const fn taken(&self) -> &BlobWriter {
        &self.writer
    }

    /// The outside filters that are to be asked; once.
    pub(crate) const fn outside_to_ask(&mut self) -> Option<Outside> {
        self.outside.take()
    }

    pub(crate) const fn heard_mut(&mut self) -> &mut Heard {
        &mut self.heard
    }

    /// On whose behalf it comes.
    pub(crate) fn asking(&self, envelope: &Envelope) -> Asking {
        Asking {
            reverse_path: envelope.reverse_path.clone(),
            account: self.account,
            now: self.delivery.store.now(),
            octets: Some(self.writer.octets().saturating_sub(self.own_octets)),
            own: self.own,
        }
    }

    pub(crate) const fn delivery(&self) -> &Delivery {
        &self.delivery
    }

    pub(crate) fn examination_mut(&mut self) -> Option<&mut Examination> {
        self.examination.as_mut()
    }

    /// What a trace of the message is found by, beside its envelope.
    pub(crate) fn message_terms(&self) -> Vec<Term> {
        let value = self.scanner.header_facts().and_then(|facts| facts.value(message::Field::MessageId));
        let id = value.and_then(|value| message::parse_message_ids(value).into_iter().next());
        id.map(Term::MessageId).into_iter().collect()
    }

    /// The header as far as it has come, with the fields of our own in front.
    #[must_use]
    pub fn header(&self) -> &[u8] {
        &self.header.bytes
    }

    /// Octets taken so far.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.writer.octets()
    }

    /// The header has ended at the latest: what was held of it goes on.
    pub(crate) async fn end_claims(&mut self) -> Result<(), Refused> {
        let Some(mut claims) = self.claims.take() else { return Ok(()) };
        let held = claims.finish();
        self.store(&held).await?;
        if claims.removed() > 0 {
            tracing::info!(fields = claims.removed(), "fields from outside that only this server writes were removed");
        }
        Ok(())
    }

    /// The end of a message that goes into a mailbox by the caller's own decision: nobody is asked and nobody is told.
    ///
    /// # Errors
    /// A message in a loop, or a store that takes no more.
    pub async fn finish_alone(mut self) -> Result<Alone, Refused> {
        self.end_claims().await?;
        let structure = self.scanner.finish();
        if structure.facts.received() > HOPS_MAX {
            return Err(Refused(MAIL_LOOP));
        }
        let message_id = message_id(&structure);
        Ok(Alone { blob: self.writer.finish(), record: record_of(&structure).encode().into(), message_id })
    }

    /// The end of the message: decides everything. Nothing is written before [`Prepared::apply`] is committed.
    ///
    /// # Errors
    /// A message in a loop, a recipient that is gone since RCPT, or a message that is too large for every recipient.
    pub async fn finish(mut self, mut envelope: Envelope) -> Result<Prepared, Refused> {
        self.check().await?;
        self.ask_outside(&mut envelope).await?;
        self.end_claims().await?;
        let mut heard = std::mem::take(&mut self.heard);
        let asking = self.asking(&envelope);
        let (verdict, arrived) = self.examination.take().map(Examination::into_verdict).unwrap_or_default();
        // What a filter has changed is sealed as it goes on.
        let arrived = match self.resealing.take() {
            Some(changed) => arrived.and_then(|_| changed.finish()),
            None => arrived,
        };
        let mut structure = self.scanner.finish();
        if structure.facts.received() > HOPS_MAX {
            return Err(Refused(MAIL_LOOP));
        }
        // RFC 6532 §3.7, RFC 6533 §4: the `global` types are for who takes SMTPUTF8.
        let is_global = |part: &message::Part| is_global(&part.mime.content_type);
        let utf8_header =
            structure.facts.eight_bit || structure.nested_header_eight_bit || structure.parts.iter().any(is_global);
        let now = asking.now;
        let led_back = self.delivery.lead_back(&mut envelope).await.map_err(Refused)?;
        let mut plan = Plan::new(&self.delivery.store.directory(), &envelope, &asking);
        plan.routed.splice(0..0, led_back);
        let unwanted = heard.keep_aside(&mut plan, &self.delivery.store.directory(), &envelope, &asking);
        if let Some(address) = came_round(&plan, &self.header.bytes) {
            tracing::info!(%address, "a message that was passed on came back");
            return Err(Refused(MAIL_CAME_ROUND));
        }
        // Who waited has been told that the message is taken: what is refused now is told by a notice.
        if self.waited.is_none() {
            if !plan.lost.is_empty() {
                return Err(Refused(RECIPIENT_GONE));
            }
            if !plan.too_large.is_empty() && plan.too_large.len() == envelope.recipients.len() {
                return Err(Refused(RefuseReason::TooLarge.reply()));
            }
        }
        let forged = verdict.as_ref().filter(|verdict| verdict.is_spam());
        if heard.discard.is_some() {
            plan.discard();
        } else if let Some(reason) = forged.map(|verdict| &verdict.decision.reason).or(heard.aside.as_ref()) {
            // One reply stands for all recipients (RFC 5321 §4.2.5). Refused, it is lost to nobody in silence; a notice behind a 250 would go
            // to whoever the sender pretends to be.
            if plan.lost_as_spam {
                return Err(not_passed_on(reason));
            }
            plan.quarantine();
        }
        let from = verdict.as_ref().and_then(Verdict::verified);
        let feedback = self.complaint.take().and_then(Capture::read);
        let complaints = self.delivery.complaints(feedback, from.as_ref());
        let known = match self.introduction.take() {
            Some(introduction) => {
                let found = verdict.as_ref().map(|verdict| &verdict.found);
                Box::pin(Known::of(&self.delivery, &introduction, found)).await?
            }
            None => Known::default(),
        };
        let judgement = match self.sample.take().filter(|_| !plan.spam) {
            Some(sample) => {
                let said = unwanted.and_of_all(heard.spam.as_ref());
                let judged = judge(&self.delivery.store, sample, &plan, from.as_ref(), said, &known.added).await;
                if let (Err(Refused(reply)), Some(verdict)) = (&judged, &verdict)
                    && reply.code >= 500
                {
                    count_refused_sender(&self.delivery, &verdict.found).await;
                }
                judged?
            }
            None => Judgement::default(),
        };
        let marks = judgement.fields();
        plan.judged(judgement);
        let (return_path, received) = self.front;
        let fields = verdict.as_ref().map(|verdict| verdict.fields(self.delivery.results_name().as_str()));
        let mut fields = fields.unwrap_or_default();
        if let Some(reason) = heard.aside.as_ref().filter(|_| plan.spam && forged.is_none()) {
            fields.push_str(&spam_fields(reason));
        }
        // Where not everybody takes it for spam, those who do get a copy of their own.
        let divided = !plan.is_junk_for_all() && !marks.is_empty();
        if !divided {
            fields.push_str(&marks);
        }
        structure.insert_fields(return_path.len() as u64, fields.as_bytes());
        self.header.insert(return_path.len(), fields.as_bytes());
        let record = Some(record_of(&structure).encode().into());
        let filtered = {
            let octets = structure.size;
            let view = || MessageView::new(&self.header.bytes, structure.has_attachment(), octets);
            let spam = |account: &AccountId| plan.spam || plan.junk.contains_key(account);
            let (junk, inbox): (Vec<AccountId>, Vec<AccountId>) = plan.mailboxes.iter().partition(|one| spam(one));
            let mut filtered = decisions(&self.delivery.store, inbox.into_iter(), Place::Inbox, view).await;
            filtered.extend(decisions(&self.delivery.store, junk.into_iter(), Place::Spam, view).await);
            filtered
        };
        let class = if plan.relays.is_empty() { MailClass::default() } else { class_of(&self.header.bytes) };
        let untold = plan.delivered.is_empty()
            && plan.expanded.is_empty()
            && plan.too_large.is_empty()
            && plan.refused.is_empty();
        let header = match plan.responders.is_empty() && untold {
            true => String::new(),
            false => self.header.into_text(),
        };
        let told = [
            delivered_notice(&self.delivery, &plan, &envelope, &header, now),
            expanded_notice(&self.delivery, &plan, &envelope, &header, now),
            failed_notice(&self.delivery, &plan, &envelope, &header, now),
        ];
        let mut notices = Vec::new();
        for dsn in told.into_iter().flatten() {
            notices.push(self.delivery.prepare_report(dsn.envelope, &dsn.content).await?);
        }
        let leaves = self.sent_again || !plan.relays.is_empty();
        let hashed = self.hasher.filter(|_| leaves).and_then(Hasher::finish);
        let signature = match hashed {
            Some(hashed) => self.delivery.signed_and_sealed(&hashed, &envelope, self.sent_again, now).await,
            None => self.delivery.seal_of_forward(&plan, arrived.as_ref(), verdict.as_ref(), now).await,
        };
        // What waited has been counted.
        let counts = self.account.filter(|_| self.waited.is_none());
        let allowance = counts.map(|account| Allowance::of(&self.delivery.store.directory(), account, &envelope));
        let rewriting = self.delivery.rewriting(&plan, &envelope.reverse_path, now);
        let beginning = Beginning {
            id: match &self.waited {
                Some(waited) => waited.trace,
                None => self.traced.or_else(|| self.delivery.new_trace()),
            },
            continues: self.waited.is_some(),
            source: self.source,
            message_id: message_id(&structure),
            addresses: addresses_of(&self.delivery.store.directory(), &plan, self.account),
            quotas: quotas_of(&self.delivery.store.directory(), &plan),
        };
        let blob = if return_path.is_empty() {
            self.writer.finish()
        } else {
            self.writer.finish_behind(&[return_path.as_bytes(), fields.as_bytes(), &received].concat()).await?
        };
        let marked = if divided {
            let at = return_path.len();
            let copy = self.delivery.marked(&blob, at, &marks).await?;
            structure.insert_fields(at as u64, marks.as_bytes());
            Some(Marked { blob: copy, record: record_of(&structure).encode().into() })
        } else {
            None
        };
        // What pretends to be from somebody else is no report of theirs.
        let report = !plan.spam && heard.discard.is_none() && self.delivery.may_be_report(&envelope);
        Ok(Prepared {
            plan,
            marked,
            allowance,
            rewriting,
            filtered,
            signature,
            beginning,
            blob,
            report,
            written_by: self.own.then(|| self.delivery.settings.hostname.clone()),
            counted: verdict.as_ref().map(|verdict| self.delivery.counted(verdict)).unwrap_or_default(),
            verdict,
            known,
            outside: heard.steps(),
            own: self.own || self.sent_again,
            hooks: self.delivery.store.has_webhooks(),
            nature: self.nature,
            blocks: self.delivery.suppression().blocks,
            complaints,
            record,
            header,
            skip_octets: self.return_path_octets,
            header_smtputf8: envelope.smtputf8 && utf8_header,
            body: if self.eight_bit { envelope.body.max(BodyType::EightBitMime) } else { envelope.body },
            notices,
            class,
            account: self.account,
            wait: None,
            envelope,
            now,
        })
    }
}

/// The primary addresses of the accounts that a plan and its sender name.
pub(crate) fn addresses_of(
    directory: &Directory,
    plan: &Plan,
    sender: Option<AccountId>,
) -> BTreeMap<AccountId, mail::Address> {
    let accounts = plan.mailboxes.iter().copied().chain(sender);
    let named = accounts.filter_map(|id| directory.account_by_id(id).map(|account| (id, account.address.clone())));
    named.collect()
}

/// The limits of those accounts of a plan that have some.
pub(crate) fn quotas_of(directory: &Directory, plan: &Plan) -> BTreeMap<AccountId, QuotaLimits> {
    let quotas = plan.mailboxes.iter().filter_map(|id| Some((*id, directory.account_by_id(*id)?.quota())));
    quotas.filter(|(_, quota)| quota.octets.is_some() || quota.messages.is_some()).collect()
}

/// `message/global` and its like.
fn is_global(kind: &message::ContentType) -> bool {
    kind.is(b"message") && kind.subtype.get(..6).is_some_and(|start| start.eq_ignore_ascii_case(b"global"))
}

/// The record that is kept with a message of this structure: without the forms that would be too large, which IMAP computes
/// when asked.
#[must_use]
pub fn record_of(structure: &Structure) -> MessageRecord {
    imap_wire::precompute::record(structure).unwrap_or_else(|oversize| *oversize.record)
}

/// The header as it passed, up to a bound.
#[derive(Default)]
struct HeaderCopy {
    bytes: Vec<u8>,
    ended: bool,
}

impl HeaderCopy {
    fn write(&mut self, bytes: &[u8]) {
        if self.ended {
            return;
        }
        let room = EVENT_HEADER_OCTETS_MAX.saturating_sub(self.bytes.len());
        // A blank line may begin in the bytes before.
        let search_from = self.bytes.len().saturating_sub(3);
        self.bytes.extend_from_slice(bytes.get(..room.min(bytes.len())).unwrap_or_default());
        let tail = self.bytes.get(search_from..).unwrap_or_default();
        if let Some(end) = tail.windows(4).position(|window| window == b"\r\n\r\n") {
            self.bytes.truncate(search_from.saturating_add(end).saturating_add(4));
            self.ended = true;
        } else if self.bytes.len() >= EVENT_HEADER_OCTETS_MAX {
            self.ended = true;
        }
    }

    /// Puts fields in at a place.
    fn insert(&mut self, at: usize, fields: &[u8]) {
        let at = at.min(self.bytes.len());
        self.bytes.splice(at..at, fields.iter().copied());
    }

    fn into_text(self) -> String {
        String::from_utf8(self.bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
    }
}

const OWN_FIELDS_OCTETS: u64 = 4096;
const TOO_LARGE: Reply = Reply::fixed(552, EnhancedCode(5, 3, 4), "Message size exceeds the limit");
const MAIL_LOOP: Reply = Reply::fixed(554, EnhancedCode(5, 4, 6), "Too many hops, this message is in a loop");
const MAIL_CAME_ROUND: Reply = Reply::fixed(
    554,
    EnhancedCode(5, 4, 6),
    "The message was passed on from here before and came back, it is in a loop",
);
const RECIPIENT_GONE: Reply =
    Reply::fixed(451, EnhancedCode(4, 3, 0), "A recipient was removed while the message came in, try again");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_copy_ends_at_the_blank_line_however_it_is_cut() {
        let message = b"A: b\r\nC: d\r\n\r\nbody\r\n\r\n";
        for cut in 0..message.len() {
            let mut copy = HeaderCopy::default();
            copy.write(&message[..cut]);
            copy.write(&message[cut..]);
            copy.insert(6, b"X: y\r\n");
            assert_eq!(copy.into_text(), "A: b\r\nX: y\r\nC: d\r\n\r\n", "cut at {cut}");
        }
    }

    #[test]
    fn the_header_copy_is_bounded() {
        let mut copy = HeaderCopy::default();
        for _ in 0..100 {
            copy.write(&[b'x'; 1000]);
        }
        assert_eq!(copy.into_text().len(), EVENT_HEADER_OCTETS_MAX);
    }
}
