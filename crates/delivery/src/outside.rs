//! Outside filters (`outside`): when they are asked about a message, and what follows.
//!
//! They are asked at the end of DATA, behind the check of where the message is from and in front of every decision on it. The message lies in
//! the store by then, in chunks that nothing names yet; filters are shown it from there, one chunk at a time, without the fields that this server
//! puts in front. When no filter changes anything, those very chunks are kept. What filters do change, header, body or reverse-path, is taken in
//! anew, from the header in memory and the body where it is, by the way by which it came: what is scanned, signed, sealed, judged and kept is
//! what leaves the filters.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use mail::{EnhancedCode, Envelope, EnvelopeRecipient, Reply, ReversePath};
use outside::limits::HEADER_OCTETS_MAX;
use outside::{Filters, Header, Letter, Session, Spool, SpoolError};
use routing::{Asking, Directory, Verdict, resolve};
use storage::blobs::{BlobReader, BlobWriter};
use storage::trace::Step;
use storage::{StorageError, Store};
use world::BoxFuture;

use crate::Delivery;
use crate::checks::Unwelcome;
use crate::content::{Junk, Said};
use crate::intake::{Intake, Refused};
use crate::plan::Plan;

/// The filters that are to be asked about a message, and what they are told of its session.
pub(crate) struct Outside {
    filters: Arc<Filters>,
    session: Session,
}

/// What the filters have said of a message that comes in.
#[derive(Default)]
pub(crate) struct Heard {
    /// Nothing is kept of it.
    pub(crate) discard: Option<String>,
    /// It goes to everybody's Spam.
    pub(crate) aside: Option<String>,
    /// It is spam by points.
    pub(crate) spam: Option<String>,
    /// Recipients that they do not want.
    refused: Vec<(EnvelopeRecipient, Reply)>,
    /// For the trace.
    told: Vec<Step>,
}

impl Delivery {
    /// The same delivery, which asks outside filters.
    #[must_use]
    pub fn asking_outside(mut self, filters: Arc<Filters>) -> Self {
        self.outside = Some(filters);
        self
    }

    /// Begins a message that somebody submits: as [`Delivery::intake`], and outside filters that look at such messages are asked.
    ///
    /// # Errors
    /// When the store takes nothing.
    pub async fn submitted_intake(
        &self,
        reverse_path: &ReversePath,
        session: Session,
        received: &[u8],
    ) -> Result<Intake, Refused> {
        self.begin(reverse_path, received, None, None, self.outside(session)).await
    }

    /// The filters for a session, when there are some.
    pub(crate) fn outside(&self, session: Session) -> Option<Outside> {
        let filters = self.outside.as_ref().filter(|filters| filters.look_at(session.is_submission()))?;
        Some(Outside { filters: Arc::clone(filters), session })
    }
}

impl Intake {
    /// The end of a message about which outside filters are to be asked: asks them, before [`Intake::finish`] decides on what they leave of
    /// message and envelope.
    ///
    /// # Errors
    /// When it is refused, by a filter or because one can't be asked.
    pub async fn ask_outside(&mut self, envelope: &mut Envelope) -> Result<(), Box<Unwelcome>> {
        let Some(outside) = self.outside_to_ask() else { return Ok(()) };
        // On the heap, and there only where there are filters: the conversation with them is large, and every message has room for it.
        let reply = match Box::pin(self.shown_to(&outside, envelope)).await {
            Ok(None) => return Ok(()),
            Ok(Some(reply)) => reply,
            Err(Refused(reply)) => reply,
        };
        let steps = std::mem::take(&mut self.heard_mut().told);
        Err(Box::new(Unwelcome { reply, steps, terms: self.message_terms() }))
    }

    /// Shows the message to the filters. The reply with which it is refused, when it is.
    async fn shown_to(&mut self, outside: &Outside, envelope: &mut Envelope) -> Result<Option<Reply>, Refused> {
        self.end_claims().await?;
        let Some(turn) = outside.filters.turn().await else {
            let judgement = outside.filters.unasked(&outside.session);
            self.heard_mut().told.extend(judgement.told.into_iter().map(told));
            return Ok(judgement.refusal);
        };
        let header = self.written_header().await?;
        let delivery = self.delivery();
        let mut body = Body {
            store: delivery.store().clone(),
            reader: self.taken().reader(),
            begins: header.len() as u64,
            writing: None,
            other: None,
            octets_max: delivery.settings().message_octets_max,
            failed: None,
        };
        let octets = self.taken().octets();
        let mut letter = Letter::new(Header::read(&header), &mut body, envelope.clone(), octets);
        let judged = outside.filters.judge(turn, &outside.session, &mut letter).await;
        let Letter { header, envelope: left, body_changed, .. } = letter;
        let Ok(judgement) = judged else {
            return Err(body.failed.take().unwrap_or(StorageError::Expunged).into());
        };
        self.heard_mut().told.extend(judgement.told.into_iter().map(told));
        if judgement.refusal.is_some() {
            return Ok(judgement.refusal);
        }
        let other_sender = left.reverse_path != envelope.reverse_path;
        let left = self.acceptable(left, envelope);
        let heard = self.heard_mut();
        (heard.discard, heard.aside, heard.spam) = (judgement.discard, judgement.aside, judgement.spam);
        heard.refused = judgement.refused;
        *envelope = left;
        if header.is_changed() || body_changed || other_sender {
            self.take_changed(&header, &mut body, &envelope.reverse_path).await?;
        }
        Ok(None)
    }

    /// The header as it was taken, with its blank line.
    async fn written_header(&self) -> Result<Vec<u8>, Refused> {
        let mut reader = self.taken().reader();
        let mut header: Vec<u8> = Vec::new();
        loop {
            // The blank line may begin in the octets before.
            let from = header.len().saturating_sub(3);
            let piece = reader.piece(header.len() as u64, u64::MAX).await?;
            header.extend_from_slice(&piece);
            let behind = header.get(from..).unwrap_or_default();
            let end = match behind.windows(4).position(|four| four == b"\r\n\r\n") {
                _ if header.starts_with(b"\r\n") => Some(2),
                Some(at) => Some(from.saturating_add(at).saturating_add(4)),
                None if piece.is_empty() => Some(header.len()),
                None => None,
            };
            if end.unwrap_or(header.len()) > HEADER_OCTETS_MAX {
                return Err(Refused(HEADER_TOO_LONG));
            }
            if let Some(end) = end {
                header.truncate(end);
                return Ok(header);
            }
        }
    }

    /// The envelope that filters have left, without recipients that they have added and that can't be.
    fn acceptable(&mut self, mut left: Envelope, came: &Envelope) -> Envelope {
        let asking = self.asking(&left);
        let mut notes = Vec::new();
        {
            let directory = self.delivery().store().directory();
            left.recipients.retain(|recipient| {
                if came.recipients.iter().any(|known| known.forward_path == recipient.forward_path) {
                    return true;
                }
                match resolve(&directory, &recipient.forward_path, &asking).verdict {
                    Verdict::Accept | Verdict::NotLocal => true,
                    Verdict::Refuse(reason) => {
                        let path = &recipient.forward_path;
                        notes
                            .push(format!("the recipient {path} of an outside filter is left out: {}", reason.reply()));
                        false
                    }
                }
            });
        }
        self.heard_mut().told.extend(notes.into_iter().map(|text| Step::Decided { text }));
        left
    }

    /// Takes the message anew, as filters have left it.
    async fn take_changed(
        &mut self,
        header: &Header,
        body: &mut Body,
        reverse_path: &ReversePath,
    ) -> Result<(), Refused> {
        let before = self.begin_again(reverse_path);
        self.take_again(&header.octets()).await?;
        let mut at = 0_u64;
        loop {
            let piece = body.read(at).await?;
            if piece.is_empty() {
                // Until here its chunks were read.
                drop(before);
                return Ok(());
            }
            at = at.saturating_add(piece.len() as u64);
            self.take_again(&piece).await?;
        }
    }
}

impl Heard {
    /// What recipients lead to that a filter does not want goes to Spam, when the message is kept at all.
    pub(crate) fn keep_aside(
        &mut self,
        plan: &mut Plan,
        directory: &Directory,
        envelope: &Envelope,
        asking: &Asking,
    ) -> Said {
        let refused = std::mem::take(&mut self.refused);
        let Some((_, first)) = refused.first() else { return Said::default() };
        let junk = Junk::told(&format!("an outside filter does not want this recipient: {}", ascii(&first.text)));
        let recipients = refused.iter().map(|(recipient, _)| recipient.clone()).collect();
        let theirs = Envelope { recipients, ..envelope.clone() };
        let (accounts, posts) = plan.and_unwanted(Plan::new(directory, &theirs, asking));
        for (recipient, reply) in &refused {
            let text = format!("an outside filter does not want {}: {reply}; Spam keeps it", recipient.forward_path);
            self.told.push(Step::Decided { text });
        }
        let unwanted: BTreeMap<_, _> = accounts.into_iter().map(|account| (account, junk.clone())).collect();
        Said { unwanted, posts, ..Said::default() }
    }

    /// What the trace has of it.
    pub(crate) fn steps(self) -> Vec<Step> {
        let Self { discard, aside, mut told, .. } = self;
        told.extend(match (discard, aside) {
            (Some(reason), _) => Some(Step::Dropped { reason: format!("thrown away for an outside filter: {reason}") }),
            (None, Some(reason)) => Some(Step::Decided { text: format!("goes to Spam: {reason}") }),
            (None, None) => None,
        });
        told
    }
}

/// What a filter said or did, for the trace.
fn told(text: String) -> Step {
    Step::Decided { text: format!("outside filter {text}") }
}

fn ascii(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii() && !c.is_control() { c } else { '?' }).collect()
}

/// The body of a message in the store, and another one that a filter writes.
struct Body {
    store: Store,
    reader: BlobReader,
    /// Where it begins in what was taken.
    begins: u64,
    /// What a filter writes now.
    writing: Option<BlobWriter>,
    /// What a filter has written: its writer keeps it.
    other: Option<(BlobWriter, BlobReader)>,
    octets_max: u64,
    failed: Option<StorageError>,
}

impl Body {
    async fn read(&mut self, at: u64) -> Result<Bytes, StorageError> {
        match &mut self.other {
            Some((_, reader)) => reader.piece(at, u64::MAX).await,
            None => self.reader.piece(self.begins.saturating_add(at), u64::MAX).await,
        }
    }

    fn failed(&mut self, error: StorageError) -> SpoolError {
        self.failed = Some(error);
        SpoolError::Store
    }
}

impl Spool for Body {
    fn octets(&self) -> u64 {
        match &self.other {
            Some((writer, _)) => writer.octets(),
            None => self.reader.octets().saturating_sub(self.begins),
        }
    }

    fn piece(&mut self, at: u64) -> BoxFuture<'_, Result<Bytes, SpoolError>> {
        Box::pin(async move {
            let read = self.read(at).await;
            read.map_err(|error| self.failed(error))
        })
    }

    fn begin(&mut self) {
        self.writing = Some(self.store.blob_writer());
    }

    fn write<'a>(&'a mut self, octets: &'a [u8]) -> BoxFuture<'a, Result<(), SpoolError>> {
        Box::pin(async move {
            let Some(writer) = &mut self.writing else { return Ok(()) };
            if writer.octets().saturating_add(octets.len() as u64) > self.octets_max {
                return Err(SpoolError::TooLong);
            }
            let written = writer.write(octets).await;
            written.map_err(|error| self.failed(error))
        })
    }

    fn replace(&mut self) {
        if let Some(writer) = self.writing.take() {
            let reader = writer.reader();
            self.other = Some((writer, reader));
        }
    }

    fn forget(&mut self) {
        self.writing = None;
    }
}

const HEADER_TOO_LONG: Reply = Reply::fixed(550, EnhancedCode(5, 6, 0), "The header of the message is too long");
