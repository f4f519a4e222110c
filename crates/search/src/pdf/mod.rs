//! The text of PDF documents (ISO 32000-1), as far as it is text: what fonts and their tables say of it.
//!
//! Read by our own reader and not by a library, for what comes is a stranger's: it unpacks no more than it may
//! ([`PDF_UNPACKED_OCTETS_MAX`]), reads no more than it may ([`PDF_READ_OCTETS_MAX`]) however often a file names the same
//! object, and nests no deeper than it may. What is encrypted, scanned, or in a font that does not tell what its codes mean has
//! no text.

mod content;
mod file;
mod filter;
mod font;
#[cfg(test)]
pub(crate) mod tests;
mod value;

use content::Drawn;
use file::File;
use value::{Dictionary, Value};

use crate::limits::{PDF_PAGES_MAX, PDF_PARENTS_MAX};
#[cfg(doc)]
use crate::limits::{PDF_READ_OCTETS_MAX, PDF_UNPACKED_OCTETS_MAX};

pub(crate) use file::BEGINS;

/// The text of a document; `None` when it has none, or is no PDF.
pub(crate) fn text(octets: &[u8]) -> Option<String> {
    let file = File::new(octets)?;
    let mut drawn = Drawn::new(&file);
    let mut pages = 0_usize;
    for number in file.numbers() {
        let Some(page) = file.dictionary(&Value::Reference(number)).filter(|page| page.is("Type", "Page")) else {
            continue;
        };
        pages += 1;
        if pages > PDF_PAGES_MAX || drawn.is_full() {
            break;
        }
        let content = contents(&file, &page);
        drawn.draw(&content, &resources(&file, &page), FORMS_DEEP);
        drawn.text.push('\n');
    }
    let text = drawn.text;
    (!text.trim().is_empty()).then_some(text)
}

/// The content of a page: one stream, or several that are one.
fn contents(file: &File<'_>, page: &Dictionary) -> Vec<u8> {
    let Some(value) = page.get("Contents") else { return Vec::new() };
    let parts = if let Value::Array(parts) = file.resolved(value) { parts } else { vec![value.clone()] };
    let mut content = Vec::new();
    for part in parts {
        if let Some(stream) = file.stream(&part) {
            content.extend_from_slice(&stream.data);
            content.push(b'\n');
        }
    }
    content
}

/// Those of the page, or of what it belongs to (ISO 32000-1 §7.7.3.4).
fn resources(file: &File<'_>, page: &Dictionary) -> Dictionary {
    let mut node = page.clone();
    for _ in 0..PDF_PARENTS_MAX {
        if let Some(resources) = node.get("Resources").and_then(|resources| file.dictionary(resources)) {
            return resources;
        }
        let Some(parent) = node.get("Parent").and_then(|parent| file.dictionary(parent)) else { break };
        node = parent;
    }
    Dictionary::default()
}

/// How deep forms may draw each other.
const FORMS_DEEP: usize = 8;
