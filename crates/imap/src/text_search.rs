//! Looks for texts in a part of a message: decoded as a person would read it, without case, a window at a time.
//!
//! Windows overlap, so that a text at the border of two is found; a window ends where its encoding allows a cut.

use message::{TableEntry, TextKind, TransferEncoding, decode_text, strip_html};
use storage::StorageError;
use storage::blobs::BlobReader;

use crate::engine::comparator::Comparator;
use crate::engine::search::words::SAME;
use crate::engine::search::{Needle, Searched};
use crate::limits::{SEARCH_NEEDLES_PER_TURN, SEARCH_OVERLAP_OCTETS, SEARCH_WINDOW_OCTETS};

/// The texts that are looked for, and which of them have been found.
pub(crate) struct Looking<'a> {
    needles: &'a [Needle],
    comparator: Comparator,
    /// How well each was found; 0 when not.
    found: Vec<u8>,
}

impl<'a> Looking<'a> {
    /// None of them found yet.
    pub(crate) fn new(needles: &'a [Needle], comparator: Comparator) -> Self {
        Self { needles, comparator, found: vec![0; needles.len()] }
    }

    /// Whether there is nothing left to look for.
    pub(crate) fn all_found(&self) -> bool {
        self.found.iter().all(|found| *found >= SAME)
    }

    /// The result, in the order of the needles.
    pub(crate) fn found(self) -> Vec<u8> {
        self.found
    }

    /// Looks somewhere for what is not found yet.
    pub(crate) async fn look(&mut self, score: impl Fn(&Needle) -> u8) {
        let texts = self.needles.chunks(SEARCH_NEEDLES_PER_TURN);
        for (some, found) in texts.zip(self.found.chunks_mut(SEARCH_NEEDLES_PER_TURN)) {
            for (needle, found) in some.iter().zip(found) {
                if *found < SAME {
                    *found = score(needle).max(*found);
                }
            }
            tokio::task::yield_now().await;
        }
    }

    /// Looks into a part, if it is text.
    pub(crate) async fn look_in_part(
        &mut self,
        reader: &mut BlobReader,
        part: &TableEntry,
    ) -> Result<(), StorageError> {
        if part.text == TextKind::None {
            return Ok(());
        }
        let body = part.body();
        let mut window: Vec<u8> = Vec::new();
        let mut at = body.start;
        while at < body.end && !self.all_found() {
            let piece = reader.piece(at, body.end).await?;
            if piece.is_empty() {
                break;
            }
            at = at.saturating_add(piece.len() as u64);
            match part.encoding {
                // Without its line breaks, base64 can be cut at every fourth character.
                TransferEncoding::Base64 => {
                    window.extend(piece.iter().filter(|octet| !octet.is_ascii_whitespace()));
                }
                TransferEncoding::SevenBit
                | TransferEncoding::EightBit
                | TransferEncoding::Binary
                | TransferEncoding::QuotedPrintable
                | TransferEncoding::Other => window.extend_from_slice(&piece),
            }
            if window.len() >= SEARCH_WINDOW_OCTETS || at >= body.end {
                let last = at >= body.end;
                let keep = self.look_in_window(&window, part, last).await;
                window.drain(..keep);
            }
        }
        Ok(())
    }

    /// Looks into a window; returns where the next one begins.
    async fn look_in_window(&mut self, window: &[u8], part: &TableEntry, last: bool) -> usize {
        let end = if last { window.len() } else { cut(window, window.len(), part.encoding) };
        let text = window.get(..end).unwrap_or_default();
        let text = decode_text(text, part.encoding, part.charset.as_deref().map(str::as_bytes));
        let text = if part.text == TextKind::Html { strip_html(&text) } else { text };
        let folded = self.comparator.fold(&text);
        // A line break in the text is a space in what people look for.
        let joined = folded.replace("\r\n", " ");
        let score = |needle: &Needle| {
            let folded = if needle.has_line_break() { &folded } else { &joined };
            needle.score(&Searched { folded, plain: &text })
        };
        self.look(score).await;
        cut(window, end.saturating_sub(SEARCH_OVERLAP_OCTETS), part.encoding)
    }
}

/// The last place up to `at` where the encoded text may be cut.
fn cut(window: &[u8], at: usize, encoding: TransferEncoding) -> usize {
    let before = window.get(..at).unwrap_or(window);
    match encoding {
        TransferEncoding::Base64 => before.len() / 4 * 4,
        TransferEncoding::SevenBit
        | TransferEncoding::EightBit
        | TransferEncoding::Binary
        | TransferEncoding::QuotedPrintable
        | TransferEncoding::Other => {
            // A line break far in front would leave the window as long as it is: then the cut goes through a line.
            let line_end = memchr::memrchr(b'\n', before).filter(|line_end| *line_end >= before.len() / 2);
            line_end.map_or(before.len(), |line_end| line_end + 1)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_cut_where_the_encoding_allows() {
        assert_eq!(cut(b"AAAABBBBCC", 10, TransferEncoding::Base64), 8);
        assert_eq!(cut(b"line\r\nmore", 10, TransferEncoding::QuotedPrintable), 6);
        assert_eq!(cut(b"one long line", 13, TransferEncoding::SevenBit), 13);
        assert_eq!(cut(b"", 0, TransferEncoding::SevenBit), 0);
    }
}
