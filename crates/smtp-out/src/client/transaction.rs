//! One mail transaction: MAIL, RCPT for everyone who waits, DATA streamed from the blob (RFC 5321 §3.3).
//!
//! Invariant: every recipient that got an outcome here got it from a reply of this host, or from what happened after
//! the final dot. Those without one may be tried elsewhere.

use mail::{EnhancedCode, Reply, Timestamp};
use queue::Outcome;
use smtp_proto::{EXT_DELIVER_BY, EXT_DSN, EXT_PIPELINING};
use storage::blobs::BlobReader;
use storage::rows::{QueueRow, RecipientState};

use super::command;
use super::session::{Broken, Session};
use super::stuffing::Stuffing;
use crate::limits::{
    BLOCK_TIMEOUT, COMMAND_TIMEOUT, DATA_TIMEOUT, FINAL_DOT_TIMEOUT, GROUP_OCTETS_MAX, LAST_WORDS_TIMEOUT,
};

/// How a transaction left its session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// It can take another message.
    Reusable,
    /// The same, and nothing was said: the host lacks what the message needs.
    Lacks(Reply),
    /// It is over, and everyone has an outcome.
    Closed,
    /// It broke; who has no outcome may be tried on another host.
    Broken(Broken),
}

/// What handing over gave beside the outcomes.
pub(crate) struct Handed {
    /// How the session was left.
    pub(crate) end: End,
    /// What the host said when it deferred for its own sake, not for a recipient's.
    pub(crate) busy: Option<Reply>,
}

/// Hands the message over for all who wait and have no outcome yet. `outcomes` has one place for each recipient. Whom the host
/// takes only a part of at a time (RFC 5321 §4.5.3.1.10) gets the rest in further transactions of the same session.
pub(crate) async fn hand_over(
    session: &mut Session,
    row: &QueueRow,
    blob: &mut BlobReader,
    outcomes: &mut [Option<Outcome>],
    now: Timestamp,
) -> Handed {
    let mut transaction = Transaction { session, row, outcomes, busy: None, now };
    loop {
        let before = transaction.open().len();
        let end = transaction.hand_over(blob).await;
        let left = transaction.open().len();
        // Each round gives somebody an outcome, or is the last one.
        if end != End::Reusable || left == 0 || left >= before || !transaction.session.takes_more() {
            return Handed { end, busy: transaction.busy };
        }
    }
}

impl Transaction<'_> {
    /// One mail transaction.
    async fn hand_over(&mut self, blob: &mut BlobReader) -> End {
        if let Some(reply) = command::obstacle(self.row, &self.session.ehlo) {
            return End::Lacks(reply);
        }
        match self.run(blob).await {
            Ok(()) => End::Reusable,
            Err(End::Reusable) => match self.session.command("RSET\r\n", COMMAND_TIMEOUT).await {
                Ok(reply) if reply.is_positive() => End::Reusable,
                _ => End::Closed,
            },
            Err(end) => end,
        }
    }
}

/// What became of the recipients of one transaction.
struct Envelope {
    accepted: Vec<usize>,
    /// For whom there is no room in it, and what was said.
    too_many: Vec<(usize, Reply)>,
}

struct Transaction<'a> {
    session: &'a mut Session,
    row: &'a QueueRow,
    outcomes: &'a mut [Option<Outcome>],
    /// When it begins.
    now: Timestamp,
    busy: Option<Reply>,
}

impl Transaction<'_> {
    /// `Err(End::Reusable)` asks for RSET: the transaction ended early, its session did not.
    async fn run(&mut self, blob: &mut BlobReader) -> Result<(), End> {
        let mut open = self.open();
        open.truncate(self.session.limits.recipients_max.unwrap_or(usize::MAX));
        let Envelope { accepted, too_many } = self.envelope(&open).await?;
        if accepted.is_empty() {
            // Too many, and none taken: there is no further round in which it would be fewer.
            for (n, reply) in too_many {
                self.answer_all(&[n], &reply)?;
            }
            return Err(End::Reusable);
        }
        let go = self.command("DATA\r\n", DATA_TIMEOUT).await?;
        if go.code != 354 {
            for (n, reply) in too_many {
                self.answer_all(&[n], &reply)?;
            }
            self.defers(&go);
            self.answer_all(&accepted, &go)?;
            return Err(End::Reusable);
        }
        self.session.heard_nothing_unasked().map_err(End::Broken)?;
        self.data(blob, &accepted).await
    }

    /// Recipients that wait and have no outcome.
    fn open(&self) -> Vec<usize> {
        let waits = |n: &usize| self.row.recipients.get(*n).is_some_and(|r| r.state == RecipientState::Waiting);
        let without = self.outcomes.iter().enumerate().filter(|(_, outcome)| outcome.is_none());
        without.map(|(n, _)| n).filter(waits).collect()
    }

    /// MAIL and RCPT. Gives those whom the host accepts, and those for whom it has no room in this transaction.
    async fn envelope(&mut self, open: &[usize]) -> Result<Envelope, End> {
        let ehlo = &self.session.ehlo;
        let mail = command::mail(self.row, ehlo, self.session.takes_require_tls(), self.now);
        let rcpts: Vec<String> =
            open.iter().filter_map(|n| self.row.recipients.get(*n)).map(|r| command::rcpt(self.row, r, ehlo)).collect();
        let mut envelope = Envelope { accepted: Vec::with_capacity(open.len()), too_many: Vec::new() };
        if ehlo.has_capability(EXT_PIPELINING) {
            let mut lines = vec![mail];
            lines.extend(rcpts);
            // The recipient of each line but the first.
            let mut who = std::iter::once(None).chain(open.iter().map(Some));
            let mut rest = lines.as_slice();
            while !rest.is_empty() {
                let (group, behind) = rest.split_at(group_lines(rest));
                rest = behind;
                let (replies, broken) = self.session.pipeline(group).await;
                for reply in replies {
                    match who.next().flatten() {
                        None => self.mail_answer(open, &reply)?,
                        Some(n) => self.rcpt_answer(*n, reply, &mut envelope)?,
                    }
                }
                if let Some(broken) = broken {
                    return Err(End::Broken(broken));
                }
            }
            return Ok(envelope);
        }
        let reply = self.command(&mail, COMMAND_TIMEOUT).await?;
        self.mail_answer(open, &reply)?;
        for (n, rcpt) in open.iter().zip(rcpts) {
            let reply = self.command(&rcpt, COMMAND_TIMEOUT).await?;
            self.rcpt_answer(*n, reply, &mut envelope)?;
        }
        Ok(envelope)
    }

    /// A refused MAIL is everyone's outcome.
    fn mail_answer(&mut self, open: &[usize], reply: &Reply) -> Result<(), End> {
        if reply.is_positive() {
            return Ok(());
        }
        self.defers(reply);
        self.answer_all(open, reply)?;
        Err(End::Reusable)
    }

    /// A refusal for a while that is not about one recipient: the host asks for patience.
    fn defers(&mut self, reply: &Reply) {
        if reply.is_temporary() {
            self.busy = Some(reply.clone());
        }
    }

    fn rcpt_answer(&mut self, n: usize, reply: Reply, envelope: &mut Envelope) -> Result<(), End> {
        if reply.is_positive() {
            envelope.accepted.push(n);
            return Ok(());
        }
        // RFC 5321 §4.5.3.1.10: 552 at RCPT is what old servers say for "too many recipients".
        let too_many = reply.code == 552 && reply.enhanced.is_none_or(|code| code == EnhancedCode(5, 5, 3));
        let reply = if too_many { Reply { code: 452, enhanced: Some(EnhancedCode(4, 5, 3)), ..reply } } else { reply };
        if reply.code == 452 && reply.enhanced.is_none_or(|code| code == EnhancedCode(4, 5, 3)) {
            envelope.too_many.push((n, reply));
            return Ok(());
        }
        // Most that is deferred here is deferred for the recipient's sake, or to be seen again (greylisting).
        if speaks_of_rate(&reply) {
            self.defers(&reply);
        }
        self.answer_all(&[n], &reply)
    }

    /// Gives a refusal as outcome. 421 is of the connection, not of the message (RFC 5321 §3.8): no outcome.
    fn answer_all(&mut self, who: &[usize], reply: &Reply) -> Result<(), End> {
        if reply.code == 421 {
            self.defers(reply);
            return Err(End::Broken(Broken::Refused(reply.clone())));
        }
        let host = Some(self.session.target.host.to_string());
        for n in who {
            let (host, reply) = (host.clone(), reply.clone());
            self.set(
                *n,
                if reply.is_permanent() {
                    Outcome::PermanentFailure { host, reply }
                } else {
                    Outcome::TemporaryFailure { host, reply }
                },
            );
        }
        Ok(())
    }

    /// The octets, the final dot, and the reply that counts.
    async fn data(&mut self, blob: &mut BlobReader, accepted: &[usize]) -> Result<(), End> {
        let mut stuffing = Stuffing::default();
        let mut wire = Vec::new();
        let mut at = u64::from(self.row.skip_octets);
        stuffing.piece(self.row.prefix.as_bytes(), &mut wire);
        if let Err(broken) = self.session.write(&wire, BLOCK_TIMEOUT).await {
            return self.stopped_reading(broken, accepted).await;
        }
        loop {
            let piece = match blob.piece(at, u64::MAX).await {
                Ok(piece) => piece,
                // Without the dot the host throws away what it has (RFC 5321 §4.1.1.4).
                Err(error) => return Err(End::Broken(Broken::Lost(format!("the message can't be read: {error}")))),
            };
            if piece.is_empty() {
                break;
            }
            at = at.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
            wire.clear();
            stuffing.piece(&piece, &mut wire);
            if let Err(broken) = self.session.write(&wire, BLOCK_TIMEOUT).await {
                return self.stopped_reading(broken, accepted).await;
            }
        }
        wire.clear();
        stuffing.finish(&mut wire);
        let last = match self.session.write(&wire, BLOCK_TIMEOUT).await {
            Ok(()) => self.session.reply(FINAL_DOT_TIMEOUT).await,
            Err(broken) => Err(broken),
        };
        match last {
            Ok(reply) if reply.is_positive() => {
                self.session.messages = self.session.messages.saturating_add(1);
                self.delivered(accepted, &reply);
                Ok(())
            }
            // A 421 behind the dot: the message was not taken, and the host is going.
            Ok(reply) if reply.code == 421 => {
                self.defers(&reply);
                Err(End::Broken(Broken::Refused(reply)))
            }
            Ok(reply) => {
                self.defers(&reply);
                self.answer_all(accepted, &reply)?;
                // The host may keep the envelope of what it refuses, and answer the next MAIL with 503: docs/quirks.md.
                Err(End::Reusable)
            }
            Err(broken) => {
                // Nobody knows whether it was taken. Another host now would only make a second copy more likely.
                let reply = Reply::new(
                    451,
                    Some(EnhancedCode(4, 4, 2)),
                    format!("no reply came after the message was sent: {broken}"),
                );
                let host = self.session.target.host.to_string();
                for n in accepted {
                    let outcome = Outcome::TemporaryFailure { host: Some(host.clone()), reply: reply.clone() };
                    self.set(*n, outcome);
                }
                Err(End::Closed)
            }
        }
    }

    fn delivered(&mut self, accepted: &[usize], reply: &Reply) {
        let host = self.session.target.host.to_string();
        let takes_over_dsn = self.session.ehlo.has_capability(EXT_DSN);
        let takes_over_time = self.session.ehlo.has_capability(EXT_DELIVER_BY);
        for n in accepted {
            let (host, reply) = (host.clone(), reply.clone());
            self.set(*n, Outcome::Delivered { host, reply, takes_over_dsn, takes_over_time });
        }
    }

    /// The host reads no further; it may have said why.
    async fn stopped_reading(&mut self, broken: Broken, accepted: &[usize]) -> Result<(), End> {
        match self.session.reply(LAST_WORDS_TIMEOUT).await {
            Ok(reply) if reply.is_permanent() || reply.is_temporary() => {
                self.answer_all(accepted, &reply)?;
                Err(End::Closed)
            }
            _ => Err(End::Broken(broken)),
        }
    }

    async fn command(&mut self, line: &str, within: std::time::Duration) -> Result<Reply, End> {
        self.session.command(line, within).await.map_err(End::Broken)
    }

    fn set(&mut self, n: usize, outcome: Outcome) {
        if let Some(place) = self.outcomes.get_mut(n) {
            *place = Some(outcome);
        }
    }
}

/// Whether a deferral at RCPT is about how much comes from us. There is no code for that alone (RFC 3463 has X.7.1 for all policy).
fn speaks_of_rate(reply: &Reply) -> bool {
    let text = reply.text.to_ascii_lowercase();
    reply.is_temporary()
        && ["rate", "too many", "too much", "throttl", "slow down"].iter().any(|word| text.contains(word))
}

/// How many commands go out before their replies are read: at least one, and as many as fit.
fn group_lines(lines: &[String]) -> usize {
    let mut octets = 0;
    let fits = |line: &&String| {
        octets += line.len();
        octets <= GROUP_OCTETS_MAX
    };
    lines.iter().take_while(fits).count().max(1)
}
