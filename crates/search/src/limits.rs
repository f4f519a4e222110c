//! Bounds of the full-text index.

use std::time::Duration;

/// Octets of a header that are indexed and searched; the rest of a longer one is not seen by either.
pub const HEADER_OCTETS_MAX: u64 = 2 * 1024 * 1024;

/// Octets of a text part, as sent, that are decoded at once.
pub const WINDOW_OCTETS: usize = 1024 * 1024;

/// Octets of text that a window shares with the one before at the least, so that nothing at the border is missed; up to twice as
/// many, so that it begins with a word.
pub const OVERLAP_OCTETS: usize = 16 * 1024;

/// Characters of the longest word that is kept whole; a longer one is kept in pieces of this length.
pub const WORD_CHARS_MAX: usize = 48;

/// How far the pieces of a long word are apart: as much of what is looked for is within one of them.
pub const PIECE_STEP: usize = WORD_CHARS_MAX / 2;

/// Distinct words of one message, by zone; one with more is a candidate of every search.
pub const MESSAGE_WORDS_MAX: usize = 100_000;

/// Messages without an index at the end of a mailbox before a segment is made of them. A search reads them one by one.
pub const TAIL_MESSAGES: usize = 128;

/// Messages that one new segment takes.
pub const BATCH_MESSAGES_MAX: usize = 2_048;

/// Octets of memory, as counted, after which a new segment takes no further message.
pub const BATCH_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// Messages of one segment.
pub const SEGMENT_MESSAGES_MAX: u32 = 65_536;

/// UIDs from the first to the last of a segment.
pub const SEGMENT_SPAN_MAX: u32 = 1 << 20;

/// Segments of about one size that become one.
pub const SEGMENTS_PER_MERGE: usize = 8;

/// Octets of words after which a block ends.
pub const BLOCK_WORDS_OCTETS: usize = 32 * 1024;

/// Octets of postings after which a block ends.
pub const BLOCK_POSTINGS_OCTETS: usize = 64 * 1024;

/// Octets of words that a block can have: one word more than [`BLOCK_WORDS_OCTETS`], of [`WORD_CHARS_MAX`] characters.
pub const BLOCK_WORDS_OCTETS_MAX: usize = BLOCK_WORDS_OCTETS + 4 * WORD_CHARS_MAX + 2;

/// Octets of encoded blocks that one transaction writes.
pub const WRITE_OCTETS: usize = 1024 * 1024;

/// Blocks of words that a search reads at once.
pub const BLOCKS_PER_READ: usize = 32;

/// Blocks of words that a merge reads at once, of each segment.
pub const BLOCKS_PER_MERGE_READ: usize = 2;

/// Rows of messages read at once.
pub const ROWS_PER_READ: usize = 256;

/// Texts of one search that the index is asked for; a search for more reads messages instead.
pub const NEEDLES_MAX: usize = 24;

/// Words of one text that the index is asked for; the others are left to the message itself.
pub const NEEDLE_WORDS_MAX: usize = 12;

/// Tries of a search whose segments were replaced while it read them; then it goes without the index.
pub const TRIES_MAX: usize = 4;

/// Words of a fuzzy search; further ones are not looked for.
pub const FUZZY_WORDS_MAX: usize = 8;

/// Mailboxes read at once when all of them are gone through.
pub const MAILBOXES_PER_READ: usize = 256;

/// How long changes are gathered before mailboxes are looked at.
pub const GATHER: Duration = Duration::from_millis(500);

/// How long the indexer waits after a failure (a full disk, as a rule).
pub const RETRY: Duration = Duration::from_secs(60);

/// Messages that the indexer takes before it gives way to others.
pub const MESSAGES_PER_TURN: usize = 32;

/// Octets of messages that are read before others go on.
pub const OCTETS_PER_TURN: u64 = 256 * 1024;

/// Questions of FUZZY that one search has at the most.
pub const FUZZY_KEYS_MAX: usize = 16;

/// Sessions that read what is not indexed yet, for FUZZY, at a time: each holds some megabytes.
pub const TAILS_AT_A_TIME_MAX: usize = 2;

/// Octets of an attachment, as sent, up to which it is looked into.
pub const ATTACHMENT_OCTETS_MAX: u64 = 20 * 1024 * 1024;

/// Octets of a document's texts, unpacked, with their mark-up; a document with more has no text.
pub const DOCUMENT_TEXT_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// Objects of a PDF file that are looked at.
pub const PDF_OBJECTS_MAX: usize = 300_000;

/// Octets of the streams of a PDF file, unpacked, all together, for they are kept while it is read; and of one page's content.
pub const PDF_UNPACKED_OCTETS_MAX: usize = 32 * 1024 * 1024;

/// The work that is done for a PDF file, in octets looked at or made, each as often as it is: a second or two.
pub const PDF_WORK_OCTETS_MAX: usize = 64 * 1024 * 1024;

/// Documents that are read at once; each has up to a hundred MiB of memory meanwhile. Further ones wait.
pub const DOCUMENTS_AT_ONCE_MAX: usize = 2;

/// Octets of text that are taken from a PDF file.
pub const PDF_TEXT_OCTETS_MAX: usize = 16 * 1024 * 1024;

/// Pages of a PDF file that are read.
pub const PDF_PAGES_MAX: usize = 10_000;

/// Nodes above a page in which its resources are looked for.
pub const PDF_PARENTS_MAX: usize = 32;

/// Fonts of a PDF file.
pub const PDF_FONTS_MAX: usize = 1_000;

/// Codes of all fonts of a PDF file whose meanings and widths are kept: some 40 MiB.
pub const PDF_CODES_MAX: usize = 400_000;

/// How often forms are drawn.
pub const PDF_FORMS_MAX: usize = 5_000;

/// Files of an archive that are looked at.
pub const DOCUMENT_FILES_MAX: usize = 4_096;
