//! STORE (RFC 3501 §6.4.6; RFC 7162 §3.1.3 UNCHANGEDSINCE).

use imap_wire::response::Code;
use imap_wire::{NumberSet, SequenceSet, Store, StoreAction};
use mail::{Flags, ModSeq, Uid};
use storage::messages::{FLAGGED_PER_TRANSACTION, FlagChange, FlagsChanged};
use storage::rows::MessageRow;

use crate::access::no_right;
use crate::fault::{Answer, Fault};
use crate::session::Session;

impl Session {
    pub(crate) async fn store(&mut self, store: Store) -> Result<Answer, Fault> {
        if self.selected()?.read_only {
            return Ok(read_only());
        }
        if store.unchanged_since.is_some() {
            self.know_modseqs();
        }
        let mask = self.selected()?.access.by().mask;
        let named: Flags = store.flags.iter().cloned().collect();
        // RFC 4314 §4: refused only when none of the flags may be changed.
        if mask.is_empty() || (named != Flags::default() && mask.filter(named) == Flags::default()) {
            return Ok(no_right());
        }
        let wanted = match self.wanted(&store.set, store.uid)? {
            Ok(wanted) => wanted,
            Err(answer) => return Ok(answer),
        };
        let flags: Flags = store.flags.iter().cloned().collect();
        let change = match store.action {
            StoreAction::Replace => FlagChange::Replace(flags),
            StoreAction::Add => FlagChange::Add(flags),
            StoreAction::Remove => FlagChange::Remove(flags),
        };
        let map = self.selected()?.view.map().clone();
        let limited = self.limit(&wanted)?;
        let mut uids: Vec<Uid> = map.existing(&limited.map_or(wanted.clone(), |some| some.clip(&wanted))).collect();
        // RFC 9738 §3.1: from the highest to the lowest.
        if limited.is_some() {
            uids.reverse();
        }
        let mut modified = NumberSet::empty();
        let mut found = 0usize;
        for some in uids.chunks(FLAGGED_PER_TRANSACTION) {
            let mut some = some.to_vec();
            some.sort_unstable();
            let mut changed = self.change_flags(some, change.clone(), store.unchanged_since.map(ModSeq)).await?;
            if limited.is_some() {
                changed.rows.reverse();
                changed.before.reverse();
            }
            found = found.saturating_add(changed.rows.len()).saturating_add(changed.modified.len());
            changed.modified.iter().for_each(|uid| modified.push(uid.0));
            self.refresh_keywords(changed.rows.iter().map(|row| row.keyword_bits)).await?;
            for (row, before) in changed.rows.iter().zip(&changed.before) {
                let unheard = *before != row.modseq && !self.selected()?.view.knows(*before);
                if store.silent && !unheard {
                    self.tell_silently(row)?;
                } else {
                    // RFC 3501 §6.4.6: .SILENT or not, a change from somewhere else is told; from now on nothing else
                    // would tell of it.
                    self.tell_flags_of(row, store.uid)?;
                }
                self.connection.flush_some().await?;
            }
        }
        if !modified.is_empty() {
            if !store.uid {
                let numbers = map.existing(&modified).filter_map(|uid| map.sequence_of(uid)).map(|number| number.0);
                modified = NumberSet::from_numbers(numbers);
            }
            let answer = Answer::ok("Some messages have changed since").with(Code::Modified(modified));
            return Ok(self.answer_limited(answer, limited));
        }
        let answer = if found < uids.len() {
            Answer::ok("Some messages are no longer there").with(Code::ExpungeIssued)
        } else {
            Answer::ok("Stored")
        };
        Ok(self.answer_limited(answer, limited))
    }

    /// Changes flags and notes the MODSEQ as this session's own, so that it is not told again.
    pub(crate) async fn change_flags(
        &mut self,
        uids: Vec<Uid>,
        change: FlagChange,
        unchanged_since: Option<ModSeq>,
    ) -> Result<FlagsChanged, Fault> {
        let (account, mailbox) = self.key()?;
        let by = self.selected()?.access.by();
        let now = self.server.store.now();
        let done = self
            .server
            .store
            .transact_with(change.durability(), move |tx| {
                let before = tx.mailbox_row(account, mailbox)?.highest_modseq;
                let changed = tx.change_flags_judging(account, mailbox, &uids, &change, unchanged_since, by, now)?;
                let row = tx.mailbox_row(account, mailbox)?;
                let seen = by.person.map(|person| tx.person_seen(account, mailbox, person)).transpose()?;
                Ok((changed, before, row, seen))
            })
            .await?;
        let (changed, before, row, seen) = done.value;
        let selected = self.selected()?;
        // One MODSEQ for what all see, one for what this reader alone sees.
        for modseq in before.0.saturating_add(1)..=row.highest_modseq.0 {
            selected.view.made(ModSeq(modseq));
        }
        selected.reading = seen;
        selected.row = row;
        Ok(changed)
    }

    fn tell_silently(&mut self, row: &MessageRow) -> Result<(), Fault> {
        // RFC 7162 §3.1.3: a client that knows MODSEQs gets the new one even from .SILENT.
        if !self.enabled.condstore {
            return Ok(());
        }
        let Some(number) = self.selected()?.view.map().sequence_of(row.uid) else { return Ok(()) };
        let mut fetch = self.begin_fetch(number, row.uid);
        let uid_only = self.enabled.uid_only;
        let out = self.connection.out();
        // RFC 7162 §3.2.4.
        if !uid_only {
            fetch.uid(out, row.uid.0);
        }
        fetch.modseq(out, row.modseq.0);
        fetch.end(out);
        Ok(())
    }

    /// The UIDs that a command's set means; the inner error answers a sequence number that no message has.
    pub(crate) fn wanted(&mut self, set: &SequenceSet, uid: bool) -> Result<Result<NumberSet, Answer>, Fault> {
        let map = self.selected()?.view.map();
        // RFC 3501 §9 `seq-number`: one beyond EXISTS is the client's error, and so is any when there is no message.
        // RFC 5182 §2.1: `$` is none, also when nothing is saved.
        let none = map.messages() == 0 && !set.ranges().is_empty();
        if !uid && (none || set.max_number().is_some_and(|number| number > map.messages())) {
            return Ok(Err(Answer::bad(so_many(map.messages()))));
        }
        self.uids_meant(set, uid).map(Ok)
    }
}

/// What is said of a sequence number that no message has.
fn so_many(messages: u32) -> String {
    match messages {
        0 => "There are no messages".to_owned(),
        1 => "There is only one message".to_owned(),
        some => format!("There are only {some} messages"),
    }
}

/// The mailbox was opened by EXAMINE.
pub(crate) fn read_only() -> Answer {
    Answer::no(Code::ReadOnly, "The mailbox is open read-only")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::language::Language;

    #[test]
    fn one_message_and_none_are_said_as_people_say_it() {
        for (messages, english, french) in [
            (0, "There are no messages", "Il n'y a aucun message"),
            (1, "There is only one message", "Il n'y a qu'un message"),
            (7, "There are only 7 messages", "Il n'y a que 7 messages"),
        ] {
            assert_eq!((so_many(messages).as_str(), &*Language::French.say(&so_many(messages))), (english, french));
        }
    }
}
