//! A post on its way to the members: written once, then sent in batches behind a cursor.

use std::sync::Arc;

use bus::TakeError;
use delivery::{HeldMessage, Intake, Prepared, Refused, StoredMessage};
use mail::{
    Address, BodyType, Envelope, Flags, ForwardPath, InternalDate, MailboxId, ReversePath, Timestamp, Topic, Uid,
};
use routing::Asking;
use routing::objects::{FromPolicy, ListObject};
use storage::lists::OUTGOING;
use storage::messages::{ExpungeScope, NewMessage};
use storage::rows::{CursorRow, MemberRow, MemberState};
use storage::trace::{Step, Taken};
use storage::{StorageError, Transaction};

use crate::Lists;
use crate::bounces::{self, Report, day};
use crate::consumer::{Case, expunge, recipient};
use crate::dmarc::protected;
use crate::header::PostHeader;
use crate::limits::{BATCH_MEMBERS, DMARC_PATIENCE, LINK_KEEP};
use crate::place::Place;
use crate::suspension::bounced;
use crate::token::Purpose;

/// The mailbox with all posts, when the list keeps them.
pub(crate) const ARCHIVE: &str = "Archive";

/// One member's copy.
#[derive(Clone)]
struct Copy {
    member: MemberRow,
    /// `None`: this member wants none of this post.
    prepared: Option<Prepared>,
    /// It can't reach the member, which counts as a bounce that somebody else reports: an address of ours that is not there
    /// (any more), or a full mailbox here.
    bounced: Option<Report>,
    /// Letters for the case that this bounce suspends the member; `None`: it does not.
    suspends: Option<Vec<Prepared>>,
}

impl Lists {
    /// Sends a post to all members who do not have it yet. Called again after a crash, it goes on from the cursor.
    pub(crate) async fn distribute(&self, case: &Case, list: &Arc<ListObject>) -> Result<(), TakeError> {
        let mut cursor = match self.store.list_cursor(list.id, case.event.uid).await? {
            Some(cursor) => cursor,
            None => match self.begin(case, list).await? {
                Some(cursor) => cursor,
                None => return Ok(()),
            },
        };
        let stored = self.delivery.stored(list.id, cursor.mailbox, cursor.uid).await?;
        let stored = stored.ok_or_else(|| TakeError::Permanent("the post that goes out is gone".to_owned()))?;
        let nature = self.nature(&stored).await?;
        // The list writes it: so does its signature say (RFC 8058 §4 asks for one), anew after a crash.
        let stored = self.delivery.signed(stored, &bounces_of(&case.place)).await?;
        loop {
            let members = self.store.members_after(list.id, cursor.after.as_ref(), BATCH_MEMBERS).await?;
            if members.is_empty() {
                return self.finish(case, list, &cursor).await;
            }
            let mut copies = Vec::with_capacity(members.len());
            for member in members {
                copies.push(self.copy(case, list, &cursor, &stored, nature, member).await?);
            }
            cursor = match self.send_batch(case, list, &cursor, copies).await? {
                Some(cursor) => cursor,
                None => return Ok(()),
            };
        }
    }

    /// Writes the post as it goes out, and the cursor. `None`: the event is gone.
    async fn begin(&self, case: &Case, list: &Arc<ListObject>) -> Result<Option<CursorRow>, TakeError> {
        let rewrite_from = self.rewrites_from(case, list).await;
        let header = PostHeader { list, incoming: &case.incoming, rewrite_from, one_click: None };
        let outgoing = self.post(case, list, &header).await?;
        let mailbox = self.mailbox(list, OUTGOING).await?;
        let (part, number, uid, now) = (list.id, case.number, case.event.uid, self.store.now());
        let author = case.incoming.author.clone();
        let event = case.event.clone();
        let begun = self
            .store
            .transact(move |tx| {
                let event_there = tx.message_row(event.part, event.mailbox, event.uid)?.is_some();
                if !event_there || tx.list_cursor(part, uid)?.is_some() {
                    return Err(StorageError::NotAllowed("the post is being dealt with already"));
                }
                outgoing.store_blob(tx)?;
                let message = outgoing.as_message(Flags::default());
                let deposited = tx.deposit(part, mailbox, &message)?;
                let cursor = CursorRow {
                    mailbox,
                    uid: deposited.uid,
                    blob: message.blob,
                    after: None,
                    sent: 0,
                    author: author.clone(),
                    rewrite_from,
                };
                tx.put_list_cursor(part, uid, &cursor)?;
                Ok(Some(cursor))
            })
            .await?;
        tracing::debug!(list = %list.address, event = number, at = now.0, "a post goes out");
        Ok(begun.value)
    }

    async fn rewrites_from(&self, case: &Case, list: &ListObject) -> bool {
        match (list.settings.from, &case.incoming.author) {
            (FromPolicy::Keep, _) | (FromPolicy::Auto, None) => false,
            (FromPolicy::Rewrite, _) => true,
            (FromPolicy::Auto, Some(author)) => protected(self.store.world(), author.domain(), DMARC_PATIENCE).await,
        }
    }

    /// The post with a new header; its body streams from the stored message, one chunk in memory.
    async fn post(&self, case: &Case, list: &ListObject, header: &PostHeader<'_>) -> Result<Prepared, TakeError> {
        let bounces = bounces_of(&case.place);
        let mut intake = self.delivery.intake(&bounces, b"").await.map_err(refused)?;
        intake.sent_again();
        intake.write(&header.build()).await.map_err(refused)?;
        self.copy_into(case, case.incoming.body_at, &mut intake).await?;
        tracing::trace!(list = %list.address, octets = intake.octets(), "a post was written");
        Box::pin(intake.finish(Envelope::new(bounces))).await.map_err(refused)
    }

    /// Writes the message that came into another one, from an octet on.
    pub(crate) async fn copy_into(&self, case: &Case, from: u64, intake: &mut Intake) -> Result<(), TakeError> {
        let gone = || TakeError::Permanent("the message is gone".to_owned());
        let event = &case.event;
        let row = self.store.message(event.part, event.mailbox, event.uid).await?.ok_or_else(gone)?;
        let mut reader = self.store.blob(&row.blob).await?.ok_or_else(gone)?;
        let mut at = from;
        loop {
            let piece = reader.piece(at, row.octets).await?;
            if piece.is_empty() {
                return Ok(());
            }
            at = at.saturating_add(piece.len() as u64);
            intake.write(&piece).await.map_err(refused)?;
        }
    }

    async fn mailbox(&self, list: &ListObject, name: &str) -> Result<MailboxId, StorageError> {
        if let Some(row) = self.store.mailbox_by_name(list.id, name).await? {
            return Ok(row.id);
        }
        match self.store.create_mailbox(list.id, name, None).await {
            Ok(done) => Ok(done.value.id),
            // Another post came first.
            Err(StorageError::MailboxExists) => {
                let row = self.store.mailbox_by_name(list.id, name).await?;
                row.map(|row| row.id).ok_or(StorageError::NoSuchMailbox)
            }
            Err(error) => Err(error),
        }
    }

    /// Decides what one member gets.
    async fn copy(
        &self,
        case: &Case,
        list: &Arc<ListObject>,
        cursor: &CursorRow,
        stored: &StoredMessage,
        nature: (BodyType, bool),
        member: MemberRow,
    ) -> Result<Copy, TakeError> {
        let own = cursor.author.as_ref().is_some_and(|author| author.same_mailbox(&member.address));
        if member.state != MemberState::Active || (own && !member.own_posts) {
            return Ok(Copy { member, prepared: None, bounced: None, suspends: None });
        }
        let mut envelope = Envelope::new(self.bounce_path(list, &member.address));
        (envelope.body, envelope.smtputf8) = (nature.0, nature.1 || member.address.needs_smtputf8());
        // RFC 8689 §6: some may not get it, and its author has asked for that.
        envelope.require_tls = case.event.require_tls;
        envelope.recipients.push(recipient(&member.address));
        let place = Place::List(Arc::clone(list));
        let link = match list.settings.personal_links {
            true => self.link(Purpose::Leave, &place, 0, &member.address, LINK_KEEP),
            false => None,
        };
        let prepared = match &link {
            None => self.delivery.prepare_stored(stored, envelope).await.map_err(refused)?,
            Some(link) => {
                let header = PostHeader {
                    list,
                    incoming: &case.incoming,
                    rewrite_from: cursor.rewrite_from,
                    one_click: Some(link),
                };
                let personal = self.post(case, list, &header).await?;
                self.delivery.prepare_again(&personal, &header.build(), envelope).await.map_err(refused)?
            }
        };
        let to = ForwardPath::Address(member.address.clone());
        let bounced = if prepared.plan().lost.is_empty() {
            let full = self.delivery.is_full(&Asking::server(self.store.now()), &to).await?;
            full.then_some(Report::Soft)
        } else {
            Some(Report::Hard)
        };
        let suspends = match bounced.filter(|report| suspends(&member, *report, day(self.store.now()), list)) {
            Some(_) => Some(self.suspension_letters(&place, list, &member).await?),
            None => None,
        };
        Ok(Copy { member, prepared: Some(prepared), bounced, suspends })
    }

    /// The reverse-path of a member's copy (VERP).
    pub(crate) fn bounce_path(&self, list: &ListObject, member: &Address) -> ReversePath {
        let local = list.address.local().as_str();
        let room = 64_usize.saturating_sub(local.len()).saturating_sub("-bounces+".len());
        let token = self.tokens.bounce(list.id, member, room);
        Address::new(&format!("{local}-bounces+{token}"), list.address.domain().clone())
            .map_or(ReversePath::Null, ReversePath::Address)
    }

    /// Writes a batch and moves the cursor. `None`: somebody else has moved it, or the list is gone.
    async fn send_batch(
        &self,
        case: &Case,
        list: &ListObject,
        cursor: &CursorRow,
        copies: Vec<Copy>,
    ) -> Result<Option<CursorRow>, TakeError> {
        let (part, uid, before) = (list.id, case.event.uid, cursor.clone());
        let today = day(self.store.now());
        let days_max = list.settings.bounce_days_max;
        let done = self
            .store
            .transact(move |tx| {
                if tx.list_cursor(part, uid)?.as_ref() != Some(&before) {
                    return Ok(None);
                }
                let mut after = before.clone();
                for copy in &copies {
                    after.sent = after.sent.saturating_add(u32::from(send_copy(tx, part, copy, today, days_max)?));
                }
                after.after = copies.last().map(|copy| copy.member.address.canonical());
                tx.put_list_cursor(part, uid, &after)?;
                Ok(Some(after))
            })
            .await?;
        Ok(done.value)
    }

    /// The last transaction: the event ends, the post goes into the archive or nowhere.
    async fn finish(&self, case: &Case, list: &ListObject, cursor: &CursorRow) -> Result<(), TakeError> {
        let archive = match list.settings.archive {
            true => Some(self.mailbox(list, ARCHIVE).await?),
            false => None,
        };
        let record = self.store.records(list.id, cursor.mailbox, cursor.uid, cursor.uid, 1).await?;
        let record = record.into_iter().next().map(|(_, record)| record);
        let (event, number, cursor, now) = (case.event.clone(), case.number, cursor.clone(), self.store.now());
        let (sent, address) = (cursor.sent, list.address.clone());
        self.store
            .transact(move |tx| {
                if !tx.finish_event(Topic::HeldMessage, number)? {
                    return Ok(());
                }
                tx.remove_list_cursor(event.part, event.uid);
                let outgoing = tx.message_row(event.part, cursor.mailbox, cursor.uid)?;
                if let (Some(archive), Some(outgoing)) = (archive, &outgoing) {
                    let message = NewMessage {
                        blob: outgoing.blob,
                        octets: outgoing.octets,
                        flags: Flags::default(),
                        internal_date: InternalDate::from(event.received_at),
                        saved_at: now,
                        record: record.clone(),
                    };
                    tx.deposit(event.part, archive, &message)?;
                }
                if outgoing.is_some() {
                    remove(tx, &event, cursor.mailbox, cursor.uid, now)?;
                }
                if let Some(trace) = event.trace {
                    let members = if cursor.sent == 1 { "member" } else { "members" };
                    let text = format!("{address}: sent to {} {members}", cursor.sent);
                    tx.trace(trace, &[Taken { at: now, step: Step::Decided { text } }])?;
                }
                expunge(tx, &event, now)
            })
            .await?;
        tracing::info!(list = %list.address, members = sent, "post sent to the members");
        Ok(())
    }

    /// What a message needs to travel: what its body is, and whether its header is beyond ASCII (RFC 6532).
    pub(crate) async fn nature(&self, stored: &StoredMessage) -> Result<(BodyType, bool), TakeError> {
        let gone = || TakeError::Permanent("the message is gone".to_owned());
        let mut reader = self.store.blob(&stored.hash()).await?.ok_or_else(gone)?;
        let header_end = stored.header().len() as u64;
        let (mut body, mut beyond_ascii) = (BodyType::SevenBit, !stored.header().is_ascii());
        let mut at = 0;
        loop {
            let piece = reader.piece(at, u64::MAX).await?;
            if piece.is_empty() {
                return Ok((body, beyond_ascii));
            }
            if piece.contains(&0) {
                body = BodyType::BinaryMime;
            } else if body == BodyType::SevenBit && !piece.is_ascii() {
                body = BodyType::EightBitMime;
            }
            at = at.saturating_add(piece.len() as u64);
            beyond_ascii |= at < header_end && !piece.is_ascii();
        }
    }
}

/// Writes one member's copy, unless they have left or want none; whether it was sent.
fn send_copy(
    tx: &mut Transaction<'_>,
    part: mail::AccountId,
    copy: &Copy,
    today: u32,
    days_max: u32,
) -> Result<bool, StorageError> {
    let Some(prepared) = &copy.prepared else { return Ok(false) };
    // As it is now: the member may have left since the page was read.
    let Some(mut member) = tx.member(part, &copy.member.address)? else { return Ok(false) };
    if member.state != MemberState::Active {
        return Ok(false);
    }
    if let Some(report) = copy.bounced {
        let after = bounced(&member, report, today, days_max);
        if after.state != member.state {
            // Whoever suspends says so: without the letters it is decided anew at the next attempt.
            let letters = copy.suspends.as_ref().ok_or(StorageError::NotAllowed("the member changed meanwhile"))?;
            for letter in letters {
                letter.apply(tx)?;
            }
        }
        tx.put_member(part, &after)?;
        return Ok(false);
    }
    prepared.apply(tx)?;
    if bounces::calm(&mut member.bounces, today) {
        tx.put_member(part, &member)?;
    }
    Ok(true)
}

/// Whether a bounce would suspend a member.
fn suspends(member: &MemberRow, report: Report, today: u32, list: &ListObject) -> bool {
    bounced(member, report, today, list.settings.bounce_days_max).state != member.state
}

/// The reverse-path of posts as they are kept; each copy has one of its own in the same domain.
fn bounces_of(place: &Place) -> ReversePath {
    place.address_with("-bounces").map_or(ReversePath::Null, ReversePath::Address)
}

fn remove(
    tx: &mut Transaction<'_>,
    event: &HeldMessage,
    mailbox: MailboxId,
    uid: Uid,
    now: Timestamp,
) -> Result<(), StorageError> {
    tx.expunge(event.part, mailbox, &[uid], ExpungeScope::All, now)?;
    Ok(())
}

/// A refusal of delivery, as the bus knows failures.
pub(crate) fn refused(Refused(reply): Refused) -> TakeError {
    if reply.is_permanent() { TakeError::Permanent(reply.to_string()) } else { TakeError::Temporary(reply.to_string()) }
}
