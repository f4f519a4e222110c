//! FETCH items and sections as imap-codec has them.

use imap_codec::imap_types::core::{AString, Vec1};
use imap_codec::imap_types::fetch as codec_fetch;

use super::unsupported;
use crate::command::FetchItem;
use crate::flaw::Flaw;
use crate::section::{HeaderName, Partial, Section, SectionText};

pub(super) fn fetch_items(items: codec_fetch::MacroOrMessageDataItemNames<'_>) -> Result<Vec<FetchItem>, Flaw> {
    use codec_fetch::{Macro, MacroOrMessageDataItemNames as Items};
    match items {
        Items::Macro(Macro::All) => Ok(FetchItem::all()),
        Items::Macro(Macro::Fast) => Ok(FetchItem::fast()),
        Items::Macro(Macro::Full) => Ok(FetchItem::full()),
        Items::Macro(_) => Err(unsupported("the macro")),
        Items::MessageDataItemNames(items) => items.into_iter().map(fetch_item).collect(),
    }
}

fn fetch_item(item: codec_fetch::MessageDataItemName<'_>) -> Result<FetchItem, Flaw> {
    use codec_fetch::MessageDataItemName as Item;
    Ok(match item {
        Item::Body => FetchItem::Body,
        Item::BodyExt { section: codec_section, partial, peek } => FetchItem::BodySection {
            section: codec_section.map(section).unwrap_or_default(),
            partial: partial.map(|(start, length)| Partial { start: start.into(), length: length.get().into() }),
            peek,
        },
        Item::BodyStructure => FetchItem::BodyStructure,
        Item::Envelope => FetchItem::Envelope,
        Item::Flags => FetchItem::Flags,
        Item::InternalDate => FetchItem::InternalDate,
        Item::Rfc822 => FetchItem::Rfc822,
        Item::Rfc822Header => FetchItem::Rfc822Header,
        Item::Rfc822Size => FetchItem::Rfc822Size,
        Item::Rfc822Text => FetchItem::Rfc822Text,
        Item::Uid => FetchItem::Uid,
        Item::ModSeq => FetchItem::ModSeq,
        Item::Binary { section, partial, peek } => FetchItem::Binary {
            part: section.iter().map(|number| number.get()).collect(),
            partial: partial.map(|(start, length)| Partial { start: start.into(), length: length.get().into() }),
            peek,
        },
        Item::BinarySize { section } => {
            FetchItem::BinarySize { part: section.iter().map(|number| number.get()).collect() }
        }
    })
}

fn section(section: codec_fetch::Section<'_>) -> Section {
    use codec_fetch::Section as S;
    let part = |part: Option<codec_fetch::Part>| -> Vec<u32> {
        part.map(|part| part.0.as_ref().iter().map(|n| n.get()).collect()).unwrap_or_default()
    };
    let names = |names: Vec1<AString<'_>>| names.into_iter().map(|name| HeaderName::new(name.as_ref())).collect();
    match section {
        S::Part(numbers) => Section { part: part(Some(numbers)), text: None },
        S::Header(numbers) => Section { part: part(numbers), text: Some(SectionText::Header) },
        S::HeaderFields(numbers, fields) => {
            Section { part: part(numbers), text: Some(SectionText::HeaderFields(names(fields))) }
        }
        S::HeaderFieldsNot(numbers, fields) => {
            Section { part: part(numbers), text: Some(SectionText::HeaderFieldsNot(names(fields))) }
        }
        S::Text(numbers) => Section { part: part(numbers), text: Some(SectionText::Text) },
        S::Mime(numbers) => Section { part: part(Some(numbers)), text: Some(SectionText::Mime) },
    }
}
