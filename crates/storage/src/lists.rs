//! What a mailing list or a moderated group keeps in its part beside mail. One table, told apart by the byte behind the
//! part:
//!
//! - `m` + canonical address: a member. Thousands of them are normal; they are read in pages.
//! - `r` + number: a request that waits for its confirmation.
//! - `w` + UID: a message of the INBOX that waits for a moderator, or has just been decided on.
//! - `p` + UID: how far the distribution of that message of the INBOX has got. By the message, not by its event: an event
//!   that was parked comes again under another number.
//! - `n` + day, kind, address: how many letters of a kind an address was sent that day.
//!
//! **Invariant:** a member's key is the canonical form of its address; the message of a cursor is in the INBOX, and the post
//! that it names in the mailbox that it names; an undecided message is in the INBOX. Each message of the INBOX has an event of
//! [`mail::Topic::HeldMessage`] or waits undecided, and each of [`OUTGOING`] has a cursor.

use mail::{AccountId, Address, Notice, Uid};
use routing::namespace::LIST_ARCHIVE;

use crate::engine::{KeyRange, Order, Row};
use crate::error::StorageError;
use crate::keys::{self, Key, Table};
use crate::rows::{CursorRow, ListRequest, MemberRow, WaitingRow};
use crate::store::Store;
use crate::transaction::Transaction;

/// The mailbox of a list's part with the posts that are going out.
pub const OUTGOING: &str = "Outgoing";

/// Rows of a part that one transaction removes.
const DROPPED_AT_ONCE: usize = 5_000;

impl Store {
    /// A member, by any spelling of the address.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn member(&self, part: AccountId, address: &Address) -> Result<Option<MemberRow>, StorageError> {
        self.engine.get(&member_key(part, address)).await?.map(|value| MemberRow::decode(&value)).transpose()
    }

    /// A page of members in order of canonical address, behind `after`.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn members_after(
        &self,
        part: AccountId,
        after: Option<&Address>,
        limit: usize,
    ) -> Result<Vec<MemberRow>, StorageError> {
        let rows = self.engine.scan(members_behind(part, after), Order::Ascending, limit).await?;
        rows.iter().map(|(_, value)| MemberRow::decode(value)).collect()
    }

    /// A number for a new request: one by chance, since letters name it before the transaction that stores it.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn free_request_number(&self, part: AccountId) -> Result<u32, StorageError> {
        loop {
            let mut bytes = [0; 4];
            self.world.chance.fill(&mut bytes);
            let number = u32::from_be_bytes(bytes);
            if number != 0 && self.list_request(part, number).await?.is_none() {
                return Ok(number);
            }
        }
    }

    /// A request that waits for its confirmation.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn list_request(&self, part: AccountId, number: u32) -> Result<Option<ListRequest>, StorageError> {
        let key = kind(part, REQUEST).u32(number).done();
        self.engine.get(&key).await?.map(|value| ListRequest::decode(&value)).transpose()
    }

    /// Requests of a part, in order of number, behind `after`.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn list_requests(
        &self,
        part: AccountId,
        after: u32,
        limit: usize,
    ) -> Result<Vec<(u32, ListRequest)>, StorageError> {
        let mut range = kind(part, REQUEST).range();
        range.start = kind(part, REQUEST).u32(after.saturating_add(1)).done();
        let rows = self.engine.scan(range, Order::Ascending, limit).await?;
        rows.iter().map(|(key, value)| Ok((number_of(key)?, ListRequest::decode(value)?))).collect()
    }

    /// A message that waits, or was decided on.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn waiting(&self, part: AccountId, uid: Uid) -> Result<Option<WaitingRow>, StorageError> {
        let key = kind(part, WAITING).u32(uid.0).done();
        self.engine.get(&key).await?.map(|value| WaitingRow::decode(&value)).transpose()
    }

    /// Messages that wait or were decided on, in order of UID, behind `after`.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn waiting_after(
        &self,
        part: AccountId,
        after: Uid,
        limit: usize,
    ) -> Result<Vec<(Uid, WaitingRow)>, StorageError> {
        let rows = self.engine.scan(waiting_behind(part, after), Order::Ascending, limit).await?;
        rows.iter().map(|(key, value)| Ok((Uid(number_of(key)?), WaitingRow::decode(value)?))).collect()
    }

    /// How many letters of a kind an address was sent on a day (in days since 1970).
    ///
    /// # Errors
    /// When reading fails.
    pub async fn letters_sent(&self, part: AccountId, day: u32, letter: u8, to: &str) -> Result<u32, StorageError> {
        count(self.engine.get(&letters_key(part, day, letter, to)).await?.as_deref())
    }

    /// How far a post has got, by the UID of the message in the INBOX.
    ///
    /// # Errors
    /// When reading fails.
    pub async fn list_cursor(&self, part: AccountId, uid: Uid) -> Result<Option<CursorRow>, StorageError> {
        let key = kind(part, CURSOR).u32(uid.0).done();
        self.engine.get(&key).await?.map(|value| CursorRow::decode(&value)).transpose()
    }
}

impl Transaction<'_> {
    /// A member, by any spelling of the address.
    ///
    /// # Errors
    /// When reading fails.
    pub fn member(&self, part: AccountId, address: &Address) -> Result<Option<MemberRow>, StorageError> {
        self.get(&member_key(part, address))?.map(|value| MemberRow::decode(&value)).transpose()
    }

    /// Writes a member under its address.
    ///
    /// # Errors
    /// When encoding fails.
    pub fn put_member(&mut self, part: AccountId, member: &MemberRow) -> Result<(), StorageError> {
        self.archive_readers_changed(part)?;
        self.put(member_key(part, &member.address), member.encode()?);
        Ok(())
    }

    /// Removes a member. `false` when there was none.
    ///
    /// # Errors
    /// When reading fails.
    pub fn remove_member(&mut self, part: AccountId, address: &Address) -> Result<bool, StorageError> {
        let key = member_key(part, address);
        let there = self.get(&key)?.is_some();
        self.archive_readers_changed(part)?;
        self.delete(key);
        Ok(there)
    }

    /// Who has the archive of a list open looks at their rights.
    fn archive_readers_changed(&mut self, part: AccountId) -> Result<(), StorageError> {
        let Some(mailbox) = self.mailbox_named(part, LIST_ARCHIVE)? else { return Ok(()) };
        let row = self.mailbox_row(part, mailbox)?;
        self.notify(Notice::Mailbox { account: part, mailbox, modseq: row.highest_modseq });
        Ok(())
    }

    /// Adds a request under a number that [`Store::free_request_number`] gave.
    ///
    /// # Errors
    /// When encoding fails.
    pub fn put_list_request(
        &mut self,
        part: AccountId,
        number: u32,
        request: &ListRequest,
    ) -> Result<(), StorageError> {
        self.put(kind(part, REQUEST).u32(number).done(), request.encode()?);
        Ok(())
    }

    /// Takes a request away: it can be confirmed once. `None` when it is gone.
    ///
    /// # Errors
    /// When reading fails.
    pub fn take_list_request(&mut self, part: AccountId, number: u32) -> Result<Option<ListRequest>, StorageError> {
        let key = kind(part, REQUEST).u32(number).done();
        let found = self.get(&key)?.map(|value| ListRequest::decode(&value)).transpose()?;
        self.delete(key);
        Ok(found)
    }

    /// A message that waits, or was decided on.
    ///
    /// # Errors
    /// When reading fails.
    pub fn waiting(&self, part: AccountId, uid: Uid) -> Result<Option<WaitingRow>, StorageError> {
        self.get(&kind(part, WAITING).u32(uid.0).done())?.map(|value| WaitingRow::decode(&value)).transpose()
    }

    /// Messages that wait or were decided on, in order of UID, behind `after`.
    ///
    /// # Errors
    /// When reading fails.
    pub fn waiting_after(
        &self,
        part: AccountId,
        after: Uid,
        limit: usize,
    ) -> Result<Vec<(Uid, WaitingRow)>, StorageError> {
        let rows = self.scan(&waiting_behind(part, after), Order::Ascending, limit)?;
        rows.iter().map(|(key, value)| Ok((Uid(number_of(key)?), WaitingRow::decode(value)?))).collect()
    }

    /// Writes what is known of a waiting message.
    ///
    /// # Errors
    /// When encoding fails.
    pub fn put_waiting(&mut self, part: AccountId, uid: Uid, row: &WaitingRow) -> Result<(), StorageError> {
        self.put(kind(part, WAITING).u32(uid.0).done(), row.encode()?);
        Ok(())
    }

    /// Forgets a waiting message.
    pub fn remove_waiting(&mut self, part: AccountId, uid: Uid) {
        self.delete(kind(part, WAITING).u32(uid.0).done());
    }

    /// How far a post has got, by the UID of the message in the INBOX.
    ///
    /// # Errors
    /// When reading fails.
    pub fn list_cursor(&self, part: AccountId, uid: Uid) -> Result<Option<CursorRow>, StorageError> {
        self.get(&kind(part, CURSOR).u32(uid.0).done())?.map(|value| CursorRow::decode(&value)).transpose()
    }

    /// Writes how far a post has got.
    ///
    /// # Errors
    /// When encoding fails.
    pub fn put_list_cursor(&mut self, part: AccountId, uid: Uid, row: &CursorRow) -> Result<(), StorageError> {
        self.put(kind(part, CURSOR).u32(uid.0).done(), row.encode()?);
        Ok(())
    }

    /// Ends a distribution.
    pub fn remove_list_cursor(&mut self, part: AccountId, uid: Uid) {
        self.delete(kind(part, CURSOR).u32(uid.0).done());
    }

    /// Takes one of the `max` letters of a kind that an address may be sent on a day (in days since 1970). `false` when
    /// none is left.
    ///
    /// # Errors
    /// When reading fails.
    pub fn take_letter(
        &mut self,
        part: AccountId,
        day: u32,
        letter: u8,
        to: &str,
        max: u32,
    ) -> Result<bool, StorageError> {
        let key = letters_key(part, day, letter, to);
        let sent = count(self.get(&key)?.as_deref())?;
        if sent >= max {
            return Ok(false);
        }
        self.put(key, [&[COUNT_VERSION], sent.saturating_add(1).to_be_bytes().as_slice()].concat());
        Ok(true)
    }

    /// How many letters of a kind an address was sent on a day; see [`Transaction::take_letter`].
    ///
    /// # Errors
    /// When reading fails.
    pub fn letters_sent(&self, part: AccountId, day: u32, letter: u8, to: &str) -> Result<u32, StorageError> {
        count(self.get(&letters_key(part, day, letter, to))?.as_deref())
    }

    /// Removes some counts of letters of days before `day`; whether there may be more.
    ///
    /// # Errors
    /// When reading fails.
    pub fn drop_letters_before(&mut self, part: AccountId, day: u32) -> Result<bool, StorageError> {
        let range = KeyRange { start: kind(part, LETTERS).u32(0).done(), end: kind(part, LETTERS).u32(day).done() };
        let rows = self.scan(&range, Order::Ascending, DROPPED_AT_ONCE)?;
        rows.iter().for_each(|(key, _)| self.delete(key.to_vec()));
        Ok(rows.len() == DROPPED_AT_ONCE)
    }

    /// Removes some rows of a part; whether there may be more.
    pub(crate) fn drop_list_rows(&mut self, part: AccountId) -> Result<bool, StorageError> {
        let rows = self.scan(&Key::of(Table::ListMember, part).range(), Order::Ascending, DROPPED_AT_ONCE)?;
        rows.iter().for_each(|(key, _)| self.delete(key.to_vec()));
        Ok(rows.len() == DROPPED_AT_ONCE)
    }
}

/// A row, for `check`.
pub(crate) enum ListRow {
    Member(Box<MemberRow>),
    Request,
    Waiting(Uid, Box<WaitingRow>),
    Cursor(Uid, Box<CursorRow>),
    Letters,
}

/// Reads any row of the table.
pub(crate) fn read(row: &Row) -> Result<ListRow, StorageError> {
    let (key, value) = row;
    match key.get(keys::HEAD) {
        Some(&MEMBER) => Ok(ListRow::Member(Box::new(MemberRow::decode(value)?))),
        Some(&REQUEST) => ListRequest::decode(value).map(|_| ListRow::Request),
        Some(&WAITING) => Ok(ListRow::Waiting(Uid(number_of(key)?), Box::new(WaitingRow::decode(value)?))),
        Some(&CURSOR) => Ok(ListRow::Cursor(Uid(number_of(key)?), Box::new(CursorRow::decode(value)?))),
        Some(&LETTERS) => count(Some(value)).map(|_| ListRow::Letters),
        _ => Err(StorageError::corrupt("a row of a list of unknown kind")),
    }
}

/// The key of a member.
pub(crate) fn member_key(part: AccountId, address: &Address) -> Vec<u8> {
    kind(part, MEMBER).bytes(address.canonical().to_string().as_bytes()).done()
}

fn letters_key(part: AccountId, day: u32, letter: u8, to: &str) -> Vec<u8> {
    kind(part, LETTERS).u32(day).u8(letter).bytes(to.as_bytes()).done()
}

fn kind(part: AccountId, kind: u8) -> Key {
    Key::of(Table::ListMember, part).u8(kind)
}

fn waiting_behind(part: AccountId, after: Uid) -> KeyRange {
    let mut range = kind(part, WAITING).range();
    range.start = kind(part, WAITING).u32(after.0.saturating_add(1)).done();
    range
}

fn members_behind(part: AccountId, after: Option<&Address>) -> KeyRange {
    let mut range = kind(part, MEMBER).range();
    if let Some(after) = after {
        range.start = [member_key(part, after).as_slice(), &[0]].concat();
    }
    range
}

fn number_of(key: &[u8]) -> Result<u32, StorageError> {
    keys::tail(key).map(u32::from_be_bytes).ok_or_else(|| StorageError::corrupt("a key of a list"))
}

fn count(value: Option<&[u8]>) -> Result<u32, StorageError> {
    let Some(value) = value else { return Ok(0) };
    let rest = value.strip_prefix(&[COUNT_VERSION]).and_then(|rest| rest.try_into().ok());
    rest.map(u32::from_be_bytes).ok_or_else(|| StorageError::corrupt("a count of letters"))
}

const COUNT_VERSION: u8 = 1;
const MEMBER: u8 = b'm';
const REQUEST: u8 = b'r';
const WAITING: u8 = b'w';
const CURSOR: u8 = b'p';
const LETTERS: u8 = b'n';
