//! SELECT and EXAMINE, CLOSE and UNSELECT (RFC 3501 §6.3.1, §6.3.2, §6.4.2; RFC 3691; RFC 7162 §3.1.8, §3.2.5).

use imap_wire::response::{self, Code, Condition};
use imap_wire::{Flag, NumberSet, Select};
use mail::{AccountId, Flags, MailboxId, Uid};
use routing::Rights;
use storage::limits::KEYWORDS_MAX;
use storage::rows::MailboxRow;
use storage::{StorageError, Store};

use crate::access::{MailboxAccess, Target};
use crate::engine::enabled::Enabled;
use crate::engine::object_id::mailbox_id;
use crate::engine::view::SessionView;
use crate::fault::{Answer, Fault};
use crate::session::{Selected, Session};
use crate::views::{Member, from_uid};

impl Session {
    pub(crate) async fn select(&mut self, select: Select) -> Result<Answer, Fault> {
        // RFC 7162 §3.2.5: a command that can't be is no SELECT at all.
        if select.qresync.is_some() && !self.enabled.qresync {
            return Ok(Answer::bad("ENABLE QRESYNC first"));
        }
        // RFC 3501 §6.3.1: whatever becomes of this one, the mailbox before is closed.
        self.leave();
        if select.condstore || select.qresync.is_some() {
            self.know_modseqs();
        }
        let target = match self.find_with(select.mailbox.as_str(), Rights::READ).await? {
            Ok(target) => target,
            Err(answer) => return Ok(answer),
        };
        let Enabled { rev2, uid_only, .. } = self.enabled;
        let Target { owner, row: MailboxRow { id, .. }, access } = target;
        let store = self.server.store.clone();
        // First the watch, then the reading: what changes in between rings.
        let watch = self.server.bus.watch_mailbox(owner, id);
        let member = self.server.views.join(owner, id);
        let (view, row) = loaded(&store, owner, id, &member).await?;
        let looks_only = select.read_only || access.is_read_only();
        let map = view.map();
        let recent_from =
            if looks_only { row.recent_from } else { self.claim_recent(owner, &row, map.max_uid()).await? };
        let recent = from_uid(recent_from, map.max_uid());
        let reading = match access.person {
            Some(person) => Some(store.person_seen(owner, id, person).await?),
            None => None,
        };
        let unseen = match &reading {
            _ if rev2 => None,
            Some(reading) => {
                let all = NumberSet::from_ranges([1..=map.max_uid()]);
                map.existing(&all).find(|uid| !reading.seen.contains(*uid))
            }
            None => member.first_unseen(&store, &row, map).await?,
        };
        let unseen = unseen.and_then(|uid| map.sequence_of(uid));

        if rev2 {
            self.tell_name(&select.mailbox, owner, &row, select.mailbox.supplied()).await?;
        }
        response::flags(self.connection.out(), &all_flags(&row));
        let permanent = if select.read_only {
            Code::PermanentFlags { flags: Vec::new(), new_keywords: false }
        } else {
            permanent_flags(&row, access)
        };
        self.say(Condition::Ok, Some(&permanent), "Flags that last");
        response::exists(self.connection.out(), map.messages());
        // RFC 9051, appendix E: neither RECENT nor UNSEEN.
        if !rev2 {
            response::recent(self.connection.out(), map.count_from(recent_from));
        }
        if let Some(number) = unseen.filter(|_| !rev2 && !uid_only) {
            self.say(Condition::Ok, Some(&Code::Unseen(number.0)), "First unseen");
        }
        self.say(Condition::Ok, Some(&Code::UidValidity(row.uid_validity.0)), "UIDs are valid");
        self.say(Condition::Ok, Some(&Code::UidNext(row.uid_next.0)), "The next UID");
        self.say(Condition::Ok, Some(&Code::HighestModSeq(view.modseq().0)), "Highest");
        self.say(Condition::Ok, Some(&Code::MailboxId(mailbox_id(owner, id))), "Its name may change");
        // RFC 4467 §8: how URLs of this mailbox are authorised.
        self.say(Condition::Ok, Some(&Code::UrlMech), "URLs are authorised");
        let keywords_told = row.keywords.len();
        let uid_validity = row.uid_validity.0;
        let read_only = select.read_only;
        self.selected = Some(Box::new(Selected {
            owner,
            access,
            reading,
            row,
            read_only,
            view,
            recent,
            behind: false,
            own_arrivals: NumberSet::empty(),
            keywords_told,
            saved: NumberSet::empty(),
            updates: Vec::new(),
            member,
            watch,
        }));
        // RFC 7162 §3.2.5: of a mailbox with another UIDVALIDITY the client knows nothing.
        if let Some(known) = select.qresync.filter(|known| known.uid_validity == uid_validity) {
            self.resync(&known).await?;
        }
        // RFC 4314 §5.2: READ-ONLY also for who may change nothing that others see.
        Ok(if looks_only {
            Answer::ok("Examined").with(Code::ReadOnly)
        } else {
            Answer::ok("Selected").with(Code::ReadWrite)
        })
    }

    /// The first message that is `\Recent` here; those up to `max`, which the client is told of, are so for no other session.
    /// A store that can't be written to doesn't keep anyone from reading.
    async fn claim_recent(&mut self, owner: AccountId, row: &MailboxRow, max: u32) -> Result<Uid, Fault> {
        if row.recent_from >= Uid(max.saturating_add(1)).min(row.uid_next) {
            return Ok(row.recent_from);
        }
        match self.server.store.claim_recent(owner, row.id, Uid(max.saturating_add(1))).await {
            Err(error) if error.is_temporary() => Ok(row.recent_from),
            claimed => Ok(claimed?),
        }
    }

    /// New messages are `\Recent` for the session that hears of them first.
    pub(crate) async fn claim_arrived(&mut self) -> Result<(), Fault> {
        let selected = self.selected()?;
        if selected.read_only || selected.access.is_read_only() {
            return Ok(());
        }
        let (owner, row) = (selected.owner, selected.row.clone());
        let max = selected.view.map().max_uid();
        let from = self.claim_recent(owner, &row, max).await?;
        let selected = self.selected()?;
        let before = selected.recent.ranges().iter().cloned();
        let claimed = from_uid(from, max);
        selected.recent = NumberSet::from_ranges(before.chain(claimed.ranges().iter().cloned()));
        Ok(())
    }

    /// RFC 3501 §6.4.2: removes messages with `\Deleted` without telling, then leaves.
    pub(crate) async fn close(&mut self) -> Result<Answer, Fault> {
        let selected = self.selected()?;
        // RFC 4314 §4: who may not expunge closes all the same.
        if !selected.read_only && selected.access.rights.has(Rights::EXPUNGE) {
            self.remove_deleted(None).await?;
        }
        self.knows_left();
        self.selected = None;
        Ok(Answer::ok("Closed"))
    }

    /// RFC 3691: leaves without removing anything.
    pub(crate) fn unselect(&mut self) -> Answer {
        self.knows_left();
        self.selected = None;
        Answer::ok("Unselected")
    }

    /// Leaves the mailbox, if one is selected, and says where its responses end (RFC 7162 §3.2.11).
    pub(crate) fn leave(&mut self) {
        self.knows_left();
        if self.selected.take().is_some() {
            self.say(Condition::Ok, Some(&Code::Closed), "Previous mailbox closed");
        }
    }
}

/// Map and row of one moment, so that UIDNEXT lies behind what EXISTS counts. In a mailbox that never rests the row may be
/// a little newer: what came in between is announced with the next command.
async fn loaded(
    store: &Store,
    account: AccountId,
    id: MailboxId,
    member: &Member,
) -> Result<(SessionView, MailboxRow), StorageError> {
    // Often nothing has changed since somebody looked.
    let row = store.mailbox(account, id).await?.ok_or(StorageError::NoSuchMailbox)?;
    if let Some(view) = member.at(row.highest_modseq) {
        return Ok((view, row));
    }
    let mut tries = 0;
    let mut before = None;
    loop {
        let mut view = member.load(store).await?;
        let row = store.mailbox(account, id).await?.ok_or(StorageError::NoSuchMailbox)?;
        tries += 1;
        // Nothing has changed since before the view was read: it knows all that concerns it up to here.
        if before == Some(row.highest_modseq) {
            view.advance(row.highest_modseq);
            member.share(&mut view);
        }
        if row.highest_modseq == view.modseq() || tries >= LOADS_MAX {
            return Ok((view, row));
        }
        before = Some(row.highest_modseq);
    }
}

/// How often SELECT looks again when the mailbox changes under its eyes.
const LOADS_MAX: u32 = 4;

/// The flags that somebody may change for good (RFC 4314 §5.1.1).
pub(crate) fn permanent_flags(row: &MailboxRow, access: MailboxAccess) -> Code {
    let mask = access.by().mask;
    let flags = all_flags(row).into_iter().filter(|flag| {
        let flag: Flags = [flag.clone()].into_iter().collect();
        mask.filter(flag.clone()) == flag
    });
    Code::PermanentFlags { flags: flags.collect(), new_keywords: mask.keywords && row.keywords.len() < KEYWORDS_MAX }
}

/// System flags and the mailbox's keywords.
pub(crate) fn all_flags(row: &MailboxRow) -> Vec<Flag> {
    Flag::SYSTEM.into_iter().chain(row.keywords.iter().cloned().map(Flag::Keyword)).collect()
}
