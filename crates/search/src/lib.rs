//! The full-text index: which messages of a mailbox may hold a text, and which fit some words.
//!
//! SEARCH is exact (RFC 3501 §6.4.4: a part of the text, wherever it stands); the index makes it fast. It has the words
//! of each message ([`words`](crate::words)), by the place where they stand ([`texts`]). A text that is looked for says
//! which words a message must have; [`candidates`] gives the messages that have them, and `imap` reads these to confirm,
//! unless the text is a part of a word that stands in them as it is.
//! [`fuzzy`] answers SEARCH=FUZZY (RFC 6203) from the same words.
//!
//! A mailbox is indexed in segments of up to 65,536 messages ([`segment`]): blocks of words in order, and beside each
//! block which messages have its words. The [`Indexer`] makes new segments behind the deliveries and joins small ones.
//! Why words and not trigrams, and what it costs: `docs/decisions/0005-full-text-index.md`.
//!
//! **Invariant:** no message that holds the text is missing from its candidates: what is not indexed yet, or could not
//! be indexed in full, is one; words are cut and folded alike in what is stored and in what is looked for.

mod attachments;
mod bits;
mod block;
mod builder;
#[doc(hidden)]
pub mod fuzzing;
mod fuzzy;
mod indexer;
pub mod limits;
mod merge;
mod pdf;
mod postings;
mod query;
mod segment;
mod stems;
mod tail;
mod texts;
mod words;

#[cfg(test)]
mod tests;

pub use attachments::attachment_text;
pub use block::{check_block, check_lengths};
pub use fuzzy::{Relevant, fuzzy};
pub use indexer::{Indexer, Worked};
pub use query::{Candidates, Place, Proof, Wanted, candidates};
pub use texts::{TextWindows, read_header};
pub use words::has_words;
