//! The IMAP wire: the only crate that knows how IMAP looks in bytes. Pure: it does no I/O and knows no session.
//!
//! - [`Framer`] cuts what a connection receives into commands, lines and message literals, whatever the cuts of the network,
//!   and never loses step with the client (RFC 3501 §2.2, RFC 7888).
//! - [`decode`] makes one [`Command`] of a command's text: by imap-codec where it can, by our own grammar where it cannot.
//! - [`response`] writes what the server says, [`precompute`] what FETCH will say of a message, once at its delivery.
//!
//! How a connection uses them:
//!
//! ```
//! # use relais_imap_wire as imap_wire;
//! use imap_wire::{Frame, FrameLimits, Framer, NameEncoding, decode, response};
//!
//! let (mut framer, mut out) = (Framer::new(FrameLimits::BEFORE_LOGIN), Vec::new());
//! let mut input: &[u8] = b"a1 NOOP\r\na2 FETCH\r\na3 LOGIN {4}\r\n"; // whatever was read from the network
//! while let Some(frame) = framer.next(&mut input) {
//!     match frame {
//!         Frame::Command(text) => match decode(&text, NameEncoding::ModifiedUtf7) {
//!             Ok(command) => response::tagged(&mut out, &command.tag, response::Condition::Ok, None, "done"),
//!             Err(refusal) => refusal.write(&mut out),
//!         },
//!         Frame::Continue => response::continuation(&mut out, "go on"),
//!         Frame::Misbehaviour { refusal, close: false } => refusal.write(&mut out),
//!         _ => break, // message literals, lines during IDLE and AUTHENTICATE, hopeless clients
//!     }
//! }
//! assert_eq!(out, b"a1 OK done\r\na2 BAD [CLIENTBUG] FETCH: expected one more argument at octet 9\r\n+ go on\r\n");
//! ```
//!
//! An extension is one file in `command` (its types), one in `grammar` (its syntax), one in `response` (its answers).

mod chars;
mod checks;
mod codec;
mod command;
mod date;
mod decode;
#[cfg(test)]
mod differential;
mod flag;
mod flaw;
mod framer;
mod grammar;
pub mod limits;
mod line;
mod mailbox_name;
#[doc(hidden)]
pub mod oracle;
pub mod precompute;
pub mod response;
mod secret;
mod section;
mod sequence;
mod tag;
pub mod url;
mod utf7;

pub use command::{
    Append, AppendContent, AppendMessage, CatenatePart, Command, CommandBody, Create, DateTest, Depth, EntryFlaw,
    EntryName, EntryValue, EnvelopeField, EventGroup, EventMailboxes, Events, Fetch, FetchItem, GetMetadata, List,
    ListReturn, ListSelection, MailboxFilter, MetadataQuery, Multisearch, Notify, PartialRange, Qresync, QuotaResource,
    Replace, Search, SearchKey, SearchReturn, SearchText, Select, SetAcl, SetMetadata, SetQuota, Sort, SortCriterion,
    SortKey, StatusItem, Store, StoreAction, Thread, ThreadAlgorithm, Ticket, Transfer, UrlAsked, UrlData, UrlFetch,
};
pub use date::{Date, local_date};
pub use decode::decode;
pub use flag::Flag;
pub use flaw::Refusal;
pub use framer::{AfterRefusal, Announcement, CommandText, Frame, FrameLimits, Framer};
pub use line::{SaslResponse, ends_idle, sasl_response};
pub use mailbox_name::{MailboxName, NameEncoding, NameFlaw};
pub use secret::Secret;

/// The names of all commands in capitals; those that take UIDs with `UID ` in front.
pub fn command_names() -> impl Iterator<Item = String> {
    grammar::names()
}

/// A search program on its own, as a named filter keeps it (RFC 5466 §3.3); the flaw in words.
///
/// # Errors
/// When it is none.
pub fn search_program(text: &[u8], encoding: NameEncoding) -> Result<Search, String> {
    grammar::search::stored_program(text, encoding).map_err(|flaw| flaw.refusal(None, "").text)
}

/// A mailbox name as it is written to a server that knows no UTF-8 (RFC 3501 §5.1.3), without quotes.
#[must_use]
pub fn name_on_the_wire(name: &str) -> std::borrow::Cow<'_, str> {
    utf7::encode(name)
}
pub use section::{HeaderName, Partial, Section, SectionText};
pub use sequence::{NumberSet, SequenceBound, SequenceSet};
pub use tag::Tag;
