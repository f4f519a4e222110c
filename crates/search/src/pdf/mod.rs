//! The text of PDF documents (ISO 32000-1), as far as it is text: what fonts and their tables say of it.
//!
//! Read by our own reader and not by a library, for what comes is a stranger's: it unpacks no more than it may
//! ([`PDF_UNPACKED_OCTETS_MAX`]), does no more work than it may ([`PDF_WORK_OCTETS_MAX`]) however often a file names the same
//! object, and nests no deeper than it may. What is encrypted, scanned, or in a font that does not tell what its codes mean has
//! no text.

mod budget;
mod content;
mod file;
mod filter;
mod font;
#[cfg(test)]
pub(crate) mod tests;
mod value;

use std::borrow::Cow;
use std::sync::atomic::AtomicBool;

use budget::Budget;
use content::Drawn;
use file::File;
use value::{Dictionary, Value};

use crate::limits::{PDF_PAGES_MAX, PDF_PARENTS_MAX, PDF_UNPACKED_OCTETS_MAX, PDF_WORK_OCTETS_MAX};

pub(crate) use file::BEGINS;

/// The text of a document; `None` when it has none, or is no PDF. It ends soon, with what it has, once it is `cancelled`.
pub(crate) fn text(octets: &[u8], cancelled: &AtomicBool) -> Option<String> {
    text_within(octets, &Budget::new(PDF_WORK_OCTETS_MAX, cancelled))
}

fn text_within(octets: &[u8], budget: &Budget<'_>) -> Option<String> {
    let file = File::new(octets, budget)?;
    let mut drawn = Drawn::new(&file);
    let mut pages = 0_usize;
    for reference in file.numbers().into_iter().map(Value::Reference) {
        if budget.is_spent() {
            break;
        }
        let Some(page) = file.dictionary(&reference).filter(|page| page.is("Type", "Page")) else {
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
    let resolved = file.resolved(value);
    let parts = if let Value::Array(parts) = &*resolved { parts.as_slice() } else { std::slice::from_ref(value) };
    let mut content = Vec::new();
    for part in parts {
        if let Some(data) = file.stream(part) {
            let fits = content.len().saturating_add(data.len()) <= PDF_UNPACKED_OCTETS_MAX;
            if !fits || file.budget.charge(data.len() / COPIED_PER_WORK).is_none() {
                break;
            }
            content.extend_from_slice(&data);
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
            return resources.into_owned();
        }
        let parent = node.get("Parent").and_then(|parent| file.dictionary(parent)).map(Cow::into_owned);
        let Some(parent) = parent else { break };
        node = parent;
    }
    Dictionary::default()
}

/// Octets that are copied with the work of looking at one.
const COPIED_PER_WORK: usize = 8;

/// How deep forms may draw each other.
const FORMS_DEEP: usize = 8;
