//! What the crates above know of rows that the store only keeps for them.

use mail::{AccountId, MailboxId, Topic, Uid};

/// Judges contents. Each judgement is about octets alone, so that it holds for a store that nobody runs.
pub trait Contents: Send + Sync {
    /// Whether a message record can be read.
    ///
    /// # Errors
    /// What is wrong with it.
    fn record(&self, record: &[u8]) -> Result<(), String>;

    /// Begins to read a message anew, as at its delivery; `None` for who can't.
    fn scan(&self) -> Option<Box<dyn Scan>>;

    /// Whether an event's consumer can read it.
    ///
    /// # Errors
    /// What is wrong with it.
    fn event(&self, topic: Topic, payload: &[u8]) -> Result<(), String>;

    /// The message that an event of [`Topic::HeldMessage`] is about; `None` for who can't read it.
    fn held_message(&self, payload: &[u8]) -> Option<(AccountId, MailboxId, Uid)>;

    /// Whether the key (behind table and part) and the value of a note of a last answer can be read.
    ///
    /// # Errors
    /// What is wrong with it.
    fn answered(&self, key: &[u8], value: &[u8]) -> Result<(), String>;

    /// Whether a block of a full-text index can be read: its first word, its words, its postings, and how many UIDs the
    /// segment's range has.
    ///
    /// # Errors
    /// What is wrong with it.
    fn index_block(&self, first: &[u8], words: &[u8], postings: &[u8], span: u32) -> Result<(), String>;

    /// Whether the lengths of the messages of a segment can be read, for so many UIDs.
    ///
    /// # Errors
    /// What is wrong with them.
    fn index_lengths(&self, lengths: &[u8], span: u32) -> Result<(), String>;
}

/// A message that is read anew.
pub trait Scan: Send {
    /// Takes the next octets.
    fn take(&mut self, octets: &[u8]);

    /// The record that the message gives.
    fn record(self: Box<Self>) -> Vec<u8>;
}

/// Nothing is known: what the store keeps for others is not looked into.
#[derive(Clone, Copy, Debug)]
pub struct Opaque;

impl Contents for Opaque {
    fn record(&self, _record: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn scan(&self) -> Option<Box<dyn Scan>> {
        None
    }

    fn event(&self, _topic: Topic, _payload: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn held_message(&self, _payload: &[u8]) -> Option<(AccountId, MailboxId, Uid)> {
        None
    }

    fn answered(&self, _key: &[u8], _value: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn index_block(&self, _first: &[u8], _words: &[u8], _postings: &[u8], _span: u32) -> Result<(), String> {
        Ok(())
    }

    fn index_lengths(&self, _lengths: &[u8], _span: u32) -> Result<(), String> {
        Ok(())
    }
}
