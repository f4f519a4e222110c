//! Looks for texts in a part of a message: decoded as a person would read it, folded, a window at a time.

use message::TableEntry;
use search::{TextWindows, attachment_text};
use storage::StorageError;
use storage::blobs::BlobReader;

use crate::engine::comparator::Comparator;
use crate::engine::search::Needle;
use crate::limits::SEARCH_NEEDLES_PER_TURN;
use crate::turn::Turn;

/// A space for each line break, CRLF or LF alone (of decoded texts and of HTML): as [`str::replace`], but in the time
/// that copying takes: this is most of what a search reads.
fn with_line_breaks_as_spaces(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        match line.strip_suffix('\n') {
            Some(line) => {
                joined.push_str(line.strip_suffix('\r').unwrap_or(line));
                joined.push(' ');
            }
            None => joined.push_str(line),
        }
    }
    joined
}

/// The texts that are looked for, and which of them have been found.
pub(crate) struct Looking<'a> {
    needles: &'a [Needle],
    comparator: Comparator,
    found: Vec<bool>,
    turn: &'a mut Turn,
}

impl<'a> Looking<'a> {
    /// None of them found yet.
    pub(crate) fn new(needles: &'a [Needle], comparator: Comparator, turn: &'a mut Turn) -> Self {
        Self { needles, comparator, found: vec![false; needles.len()], turn }
    }

    /// Whether there is nothing left to look for.
    pub(crate) fn all_found(&self) -> bool {
        self.found.iter().all(|found| *found)
    }

    /// The result, in the order of the needles.
    pub(crate) fn found(self) -> Vec<bool> {
        self.found
    }

    /// Looks into so many octets for what is not found yet.
    pub(crate) async fn look(&mut self, octets: usize, holds: impl Fn(&Needle) -> bool) {
        // They were folded.
        self.turn.worked(octets).await;
        let texts = self.needles.chunks(SEARCH_NEEDLES_PER_TURN);
        for (some, found) in texts.zip(self.found.chunks_mut(SEARCH_NEEDLES_PER_TURN)) {
            for (needle, found) in some.iter().zip(found) {
                *found = *found || holds(needle);
            }
            self.turn.worked(octets.saturating_mul(some.len())).await;
        }
    }

    /// Looks into a part, if it is text; into a document only when `attachments` count.
    pub(crate) async fn look_in_part(
        &mut self,
        reader: &mut BlobReader,
        part: &TableEntry,
        attachments: bool,
    ) -> Result<(), StorageError> {
        let mut windows = TextWindows::new(part);
        while !self.all_found() {
            let Some(text) = windows.next(reader).await? else { break };
            self.look_in_text(&text).await;
        }
        if attachments
            && !self.all_found()
            && let Some(text) = attachment_text(reader, part).await?
        {
            self.look_in_text(&text).await;
        }
        Ok(())
    }

    async fn look_in_text(&mut self, text: &str) {
        let folded = self.comparator.fold(text);
        // A line break in the text is a space in what people look for.
        let joined = with_line_breaks_as_spaces(&folded);
        self.look(text.len(), |needle| needle.is_in(if needle.has_line_break() { &folded } else { &joined })).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_breaks_become_spaces() {
        for text in ["", "\r\n", "one", "one\r\ntwo\r\n", "\r\n\r\né\r\n", "\r\r\n\n\r", "ß\r\nü\ré"] {
            let replaced = text.replace("\r\n", " ").replace('\n', " ");
            assert_eq!(with_line_breaks_as_spaces(text), replaced, "{text:?}");
        }
    }
}
