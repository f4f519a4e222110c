//! The texts of attachments that are documents: DOCX, XLSX, PPTX and OpenDocument, which are XML in ZIP archives, and PDF
//! ([`pdf`]).
//!
//! A document is known by its first octets, whatever the message calls it. It is read when it is not too large, and as
//! much of it as is not too large unpacked; what can't be read has no text.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use message::{PartKind, TableEntry, TextKind, TransferEncoding, decode_bytes};
use miniz_oxide::inflate::decompress_to_vec_with_limit;
use storage::StorageError;
use storage::blobs::BlobReader;
use tokio::sync::{Semaphore, SemaphorePermit};

use crate::limits::{ATTACHMENT_OCTETS_MAX, DOCUMENT_FILES_MAX, DOCUMENT_TEXT_OCTETS_MAX, DOCUMENTS_AT_ONCE_MAX};
use crate::pdf;

/// Which documents are read. A new kind takes a new number: an index that has fewer of them is built anew.
pub(crate) const ATTACHMENT_READER: u8 = 2; // 1: without PDF.

/// Documents are read in threads of their own, this many at once: they take time and memory.
static READERS: Semaphore = Semaphore::const_new(DOCUMENTS_AT_ONCE_MAX);

/// The text of a part that is a document; `None` for any other, and for one that its reader fails at. Who no longer waits for it
/// ends the reading.
///
/// # Errors
/// When the message can't be read.
pub async fn attachment_text(reader: &mut BlobReader, part: &TableEntry) -> Result<Option<String>, StorageError> {
    let body = part.body();
    let octets = body.end.saturating_sub(body.start);
    if part.kind != PartKind::Leaf || part.text != TextKind::None || octets > ATTACHMENT_OCTETS_MAX {
        return Ok(None);
    }
    let begins = reader.piece(body.start, body.end.min(body.start.saturating_add(8))).await?;
    let known = if part.encoding == TransferEncoding::Base64 { [ENCODED, ENCODED_PDF] } else { [LOCAL, pdf::BEGINS] };
    if !known.iter().any(|known| begins.starts_with(known)) {
        return Ok(None);
    }
    // It is not in memory before its turn.
    let Some(turn) = turn(&READERS).await else { return Ok(None) };
    let (encoded, encoding) = (reader.read(body.start, body.end).await?, part.encoding);
    Ok(read_apart(turn, move |cancelled| document_text(&decode_bytes(&encoded, encoding), cancelled)).await)
}

/// Waits until one more document may be read; `None`: none may ever be.
async fn turn(readers: &'static Semaphore) -> Option<SemaphorePermit<'static>> {
    readers.acquire().await.ok()
}

/// Sets its flag when it goes.
struct CancelOnDrop(Arc<AtomicBool>);

impl Drop for CancelOnDrop {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Reads a document in a thread of its own, which gives its turn back when it has ended, whether or not anybody still waits. A panic
/// is no text: what others sent must not stop the search for the rest.
async fn read_apart(
    turn: SemaphorePermit<'static>,
    read: impl FnOnce(&AtomicBool) -> Option<String> + Send + 'static,
) -> Option<String> {
    let cancel = CancelOnDrop(Arc::default());
    let cancelled = Arc::clone(&cancel.0);
    let text = tokio::task::spawn_blocking(move || {
        let _turn = turn;
        read(&cancelled)
    });
    text.await.unwrap_or_else(|_panic| {
        // The panic may quote the document.
        tracing::error!("the reader of attachments failed at one; it has no text");
        None
    })
}

/// The text of a document, if it is one; reading ends soon once it is `cancelled`.
fn document_text(archive: &[u8], cancelled: &AtomicBool) -> Option<String> {
    if archive.starts_with(pdf::BEGINS) {
        return pdf::text(archive, cancelled);
    }
    let mut text = String::new();
    let mut left = DOCUMENT_TEXT_OCTETS_MAX;
    for file in files(archive)?.take(DOCUMENT_FILES_MAX).filter(|file| has_text(file.name)) {
        if cancelled.load(Ordering::Relaxed) {
            return None;
        }
        // One that is too large, or damaged, is the last: an archive may name the same one a thousand times.
        let Some(xml) = file.content(archive, left) else { break };
        left = left.saturating_sub(xml.len());
        push_text(&String::from_utf8_lossy(&xml), &mut text);
        text.push('\n');
    }
    (!text.is_empty()).then_some(text)
}

/// Whether a file of an archive has what people read.
fn has_text(name: &[u8]) -> bool {
    let Ok(name) = str::from_utf8(name) else { return false };
    let word = |part: &str| {
        ["document", "header", "footer", "footnotes", "endnotes", "comments"]
            .iter()
            .any(|known| part.starts_with(known))
    };
    let below = |folder: &str| name.strip_prefix(folder).filter(|rest| rest.ends_with(".xml") && !rest.contains('/'));
    matches!(name, "content.xml" | "xl/sharedStrings.xml")
        || below("word/").is_some_and(word)
        || below("ppt/slides/").is_some()
        || below("ppt/notesSlides/").is_some()
}

/// One file of an archive.
struct File<'a> {
    name: &'a [u8],
    method: u16,
    packed: usize,
    at: usize,
}

impl File<'_> {
    /// What it holds, unpacked; `None` when that is more than `octets_max`, or damaged.
    fn content(&self, archive: &[u8], octets_max: usize) -> Option<Vec<u8>> {
        let header = archive.get(self.at..)?;
        let skip =
            usize::from(number16(header, 26)?).checked_add(usize::from(number16(header, 28)?))?.checked_add(30)?;
        let packed = header.get(skip..skip.checked_add(self.packed)?).filter(|_| header.starts_with(LOCAL))?;
        match self.method {
            STORED => (packed.len() <= octets_max).then(|| packed.to_vec()),
            DEFLATED => decompress_to_vec_with_limit(packed, octets_max).ok(),
            _ => None,
        }
    }
}

/// The files of a ZIP archive, by its central directory; `None` when there is none.
fn files(archive: &[u8]) -> Option<impl Iterator<Item = File<'_>>> {
    // It is behind everything else, and a comment of up to 65,535 octets.
    let tail = archive.len().saturating_sub(22 + 65_535);
    let end = memchr::memmem::rfind(archive.get(tail..)?, b"PK\x05\x06")?.checked_add(tail)?;
    let directory = usize::try_from(number32(archive.get(end..)?, 16)?).ok()?;
    let mut rest = archive.get(directory..end)?;
    Some(std::iter::from_fn(move || {
        let entry = rest;
        let lengths = [28, 30, 32].map(|at| number16(entry, at).map(usize::from));
        let [Some(name), Some(extra), Some(comment)] = lengths else { return None };
        let file = File {
            name: entry.get(46..name.checked_add(46)?)?,
            method: number16(entry, 10)?,
            packed: usize::try_from(number32(entry, 20)?).ok()?,
            at: usize::try_from(number32(entry, 42)?).ok()?,
        };
        rest = entry.get(46_usize.checked_add(name)?.checked_add(extra)?.checked_add(comment)?..)?;
        entry.starts_with(b"PK\x01\x02").then_some(file)
    }))
}

fn number16(octets: &[u8], at: usize) -> Option<u16> {
    octets.get(at..)?.first_chunk().map(|octets| u16::from_le_bytes(*octets))
}

fn number32(octets: &[u8], at: usize) -> Option<u32> {
    octets.get(at..)?.first_chunk().map(|octets| u32::from_le_bytes(*octets))
}

/// Appends the text of an XML file. The letters of a word may be in several elements; what ends a paragraph, a cell or a
/// line ends a word.
fn push_text(xml: &str, text: &mut String) {
    let mut rest = xml;
    while let Some((before, tag)) = rest.split_once('<') {
        push_characters(before, text);
        let Some((tag, after)) = tag.split_once('>') else { return };
        rest = after;
        let name = tag.trim_start_matches('/').split([' ', '/', '\t', '\r', '\n']).next().unwrap_or_default();
        let local = name.rsplit(':').next().unwrap_or_default();
        if ENDS_WORDS.contains(&local) && !text.ends_with('\n') {
            text.push('\n');
        }
    }
    push_characters(rest, text);
}

/// Appends characters with the five names and the numbers that XML has for some.
fn push_characters(characters: &str, text: &mut String) {
    let mut rest = characters;
    while let Some((before, reference)) = rest.split_once('&') {
        text.push_str(before);
        let named = reference.split_once(';').filter(|(name, _)| name.len() <= REFERENCE_OCTETS_MAX);
        let Some((name, after)) = named else {
            text.push('&');
            rest = reference;
            continue;
        };
        rest = after;
        text.extend(referred(name));
    }
    text.push_str(rest);
}

fn referred(name: &str) -> Option<char> {
    match name {
        "amp" => Some('&'),
        "lt" => Some('<'),
        "gt" => Some('>'),
        "quot" => Some('"'),
        "apos" => Some('\''),
        _ => {
            let number = name.strip_prefix('#')?;
            let number = match number.strip_prefix('x') {
                Some(digits) => u32::from_str_radix(digits, 16),
                None => number.parse(),
            };
            char::from_u32(number.ok()?)
        }
    }
}

/// Elements, without their namespace, that part words.
const ENDS_WORDS: [&str; 11] = ["p", "h", "br", "cr", "tab", "tc", "tr", "si", "s", "line-break", "table-cell"];

const REFERENCE_OCTETS_MAX: usize = 10;

/// How a ZIP archive begins, and the same in base64.
const LOCAL: &[u8] = b"PK\x03\x04";
const ENCODED: &[u8] = b"UEsDB";

/// `%PDF-` in base64, as far as no further octet has a part in it.
const ENCODED_PDF: &[u8] = b"JVBERi";

const STORED: u16 = 0;
const DEFLATED: u16 = 8;

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document_text(archive: &[u8]) -> Option<String> {
        super::document_text(archive, &AtomicBool::new(false))
    }

    #[tokio::test]
    async fn a_reader_that_panics_gives_no_text_and_its_turn_back() {
        static READERS: Semaphore = Semaphore::const_new(1);
        let read = read_apart(turn(&READERS).await.unwrap(), |_| panic!("a document that nobody thought of"));
        assert_eq!(read.await, None);
        let read = read_apart(turn(&READERS).await.unwrap(), |_| Some("text".to_owned()));
        assert_eq!(read.await.as_deref(), Some("text"));
    }

    #[tokio::test]
    async fn documents_wait_for_their_turn_and_reading_ends_when_nobody_waits() {
        static READERS: Semaphore = Semaphore::const_new(DOCUMENTS_AT_ONCE_MAX);
        let (started, mut has_started) = tokio::sync::mpsc::channel(DOCUMENTS_AT_ONCE_MAX);
        let mut reading = Vec::new();
        for _ in 0..DOCUMENTS_AT_ONCE_MAX {
            let started = started.clone();
            let endless = move |cancelled: &AtomicBool| {
                started.blocking_send(()).unwrap();
                while !cancelled.load(Ordering::Relaxed) {
                    std::thread::yield_now();
                }
                None
            };
            reading.push(tokio::spawn(read_apart(turn(&READERS).await.unwrap(), endless)));
        }
        for _ in 0..DOCUMENTS_AT_ONCE_MAX {
            has_started.recv().await.unwrap();
        }
        assert!(READERS.try_acquire().is_err(), "as many are read as may be");
        reading.pop().unwrap().abort();
        let read = read_apart(turn(&READERS).await.unwrap(), |_| Some("text".to_owned()));
        assert_eq!(read.await.as_deref(), Some("text"));
        // The runtime waits for its threads when it stops: the other one ends too.
    }

    #[test]
    fn a_document_is_not_read_on_once_cancelled() {
        let cancelled = AtomicBool::new(true);
        let docx = archive(&[("word/document.xml", WORD.as_bytes(), true)]);
        assert_eq!(super::document_text(&docx, &cancelled), None);
        assert_eq!(super::document_text(&pdf::tests::document("some words"), &cancelled), None);
    }

    /// An archive of files: name, content, whether it is deflated.
    pub(crate) fn archive(files: &[(&str, &[u8], bool)]) -> Vec<u8> {
        let (mut archive, mut directory) = (Vec::new(), Vec::new());
        for (name, content, deflated) in files {
            let packed = if *deflated { miniz_oxide::deflate::compress_to_vec(content, 6) } else { content.to_vec() };
            let method: u16 = if *deflated { DEFLATED } else { STORED };
            let at = u32::try_from(archive.len()).unwrap();
            let mut common = [0_u8; 26];
            common[4..6].copy_from_slice(&method.to_le_bytes());
            common[14..18].copy_from_slice(&u32::try_from(packed.len()).unwrap().to_le_bytes());
            common[18..22].copy_from_slice(&u32::try_from(content.len()).unwrap().to_le_bytes());
            common[22..24].copy_from_slice(&u16::try_from(name.len()).unwrap().to_le_bytes());
            archive.extend_from_slice(LOCAL);
            archive.extend_from_slice(&common);
            archive.extend_from_slice(name.as_bytes());
            archive.extend_from_slice(&packed);
            directory.extend_from_slice(b"PK\x01\x02\0\0");
            directory.extend_from_slice(&common);
            directory.extend_from_slice(&[0; 10]);
            directory.extend_from_slice(&at.to_le_bytes());
            directory.extend_from_slice(name.as_bytes());
        }
        let at = u32::try_from(archive.len()).unwrap();
        archive.extend_from_slice(&directory);
        archive.extend_from_slice(b"PK\x05\x06");
        archive.extend_from_slice(&[0; 12]);
        archive.extend_from_slice(&at.to_le_bytes());
        archive.extend_from_slice(&[0; 2]);
        archive
    }

    pub(crate) const WORD: &str = "<?xml version=\"1.0\"?><w:document><w:body><w:p><w:r><w:t>Quarterly rep</w:t></w:r><w:r>\
        <w:t>ort &amp; budget</w:t></w:r></w:p><w:p><w:r><w:t>Second&#x20;line</w:t></w:r></w:p></w:body></w:document>";

    #[test]
    fn words_of_documents_are_whole() {
        let docx =
            archive(&[("[Content_Types].xml", b"<x>not this</x>", true), ("word/document.xml", WORD.as_bytes(), true)]);
        assert_eq!(document_text(&docx).unwrap().trim(), "Quarterly report & budget\nSecond line");
        let odt = archive(&[("content.xml", b"<office:text><text:h>One</text:h><text:p>two<text:s/>three", false)]);
        assert_eq!(document_text(&odt).unwrap().trim(), "One\ntwo\nthree");
        assert_eq!(document_text(&archive(&[("photo.jpg", b"JFIF", false)])), None);
    }

    #[test]
    fn bombs_and_damage_have_no_text() {
        let bomb = vec![b'a'; DOCUMENT_TEXT_OCTETS_MAX + 1];
        assert_eq!(document_text(&archive(&[("content.xml", &bomb, true)])), None);
        let sound = archive(&[("content.xml", WORD.as_bytes(), true)]);
        for cut in 0..sound.len() {
            document_text(sound.get(..cut).unwrap());
        }
        assert_eq!(referred("#x110000"), None);
        let mut text = String::new();
        push_characters("a & b &unknown; &#65;&", &mut text);
        assert_eq!(text, "a & b  A&");
    }

    proptest! {
        #[test]
        fn nothing_panics(at in 0_usize..600, octets: Vec<u8>) {
            let mut damaged = archive(&[("content.xml", WORD.as_bytes(), true), ("word/document.xml", WORD.as_bytes(), false)]);
            for (to, from) in damaged.iter_mut().skip(at).zip(&octets) {
                *to = *from;
            }
            document_text(&damaged);
            document_text(&octets);
        }
    }
}
