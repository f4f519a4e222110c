//! BODYPARTSTRUCTURE: what kind of data a URL gives (RFC 5524 §3.2).
//!
//! It describes the data as it is returned: without its transfer encoding when it comes so, and with the octets and lines that
//! come.

use imap_codec::imap_types::body::{BasicFields, Body, BodyStructure, SpecificFields};
use imap_codec::imap_types::core::NString;
use imap_codec::imap_types::fetch::MessageDataItem;
use message::Structure;

use super::{Tree, clamp, empty_text, encode, envelope, string};
use crate::section::{Section, SectionText};

/// The data as it is returned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReturnedData {
    /// How many octets come.
    pub octets: u64,
    /// How many lines end in them.
    pub lines: u64,
    /// The transfer encoding that they have; `None`: the one that the part has.
    pub encoding: Option<&'static str>,
}

/// What follows `BODYPARTSTRUCTURE ` for a section of a scanned message.
pub fn part_structure(structure: &Structure, section: &Section, data: ReturnedData) -> Vec<u8> {
    let tree = Tree::new(structure);
    let found = structure.part_table().find(&section.part).map(|(index, _)| index);
    let body = match (&section.text, found) {
        // Header fields are a kind of text of their own (RFC 6522 §4).
        (Some(SectionText::Header | SectionText::Mime), _)
        | (Some(SectionText::HeaderFields(_) | SectionText::HeaderFieldsNot(_)), _) => header_text(),
        (None, Some(_)) if section.part.is_empty() => whole(structure, &tree),
        (None, Some(index)) => tree.part(index, false),
        (Some(SectionText::Text), Some(index)) if section.part.is_empty() => tree.part(index, false),
        (Some(SectionText::Text), Some(index)) => {
            tree.children(index).first().map_or_else(|| empty_text(false), |nested| tree.part(*nested, false))
        }
        (_, None) => empty_text(false),
    };
    encode("BODYSTRUCTURE ", MessageDataItem::BodyStructure(as_returned(body, data)))
}

/// A message as data.
fn whole<'a>(structure: &'a Structure, tree: &Tree<'a>) -> BodyStructure<'a> {
    let specific = SpecificFields::Message {
        envelope: Box::new(envelope(structure.envelope())),
        body_structure: Box::new(tree.part(0, false)),
        number_of_lines: 0,
    };
    single(specific)
}

fn header_text() -> BodyStructure<'static> {
    single(SpecificFields::Text { subtype: string(b"rfc822-headers"), number_of_lines: 0 })
}

fn single(specific: SpecificFields<'_>) -> BodyStructure<'_> {
    let basic = BasicFields {
        parameter_list: Vec::new(),
        id: NString(None),
        description: NString(None),
        content_transfer_encoding: string(b"7BIT"),
        size: 0,
    };
    BodyStructure::Single { body: Body { basic, specific }, extension_data: None }
}

/// A multipart tells neither octets nor lines.
fn as_returned(structure: BodyStructure<'_>, data: ReturnedData) -> BodyStructure<'_> {
    let BodyStructure::Single { mut body, extension_data } = structure else { return structure };
    body.basic.size = clamp(data.octets);
    if let Some(encoding) = data.encoding {
        body.basic.content_transfer_encoding = string(encoding.as_bytes());
    }
    match &mut body.specific {
        SpecificFields::Text { number_of_lines, .. } | SpecificFields::Message { number_of_lines, .. } => {
            *number_of_lines = clamp(data.lines);
        }
        SpecificFields::Basic { .. } => {}
    }
    BodyStructure::Single { body, extension_data }
}

#[cfg(test)]
mod tests {
    use message::Scanner;

    use super::*;

    fn said(section: &Section, encoding: Option<&'static str>) -> String {
        let structure = Scanner::scan(
            b"Subject: s\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: image/png; name=p\r\n\
              Content-Transfer-Encoding: base64\r\n\r\nAAECAw==\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
              Subject: inner\r\n\r\none\r\ntwo\r\n--b--\r\n",
        );
        let data = ReturnedData { octets: 4, lines: 3, encoding };
        String::from_utf8(part_structure(&structure, section, data)).unwrap()
    }

    fn section(part: &[u32], text: Option<SectionText>) -> Section {
        Section { part: part.to_vec(), text }
    }

    #[test]
    fn data_is_told_as_it_is_returned() {
        let png = section(&[1], None);
        assert_eq!(said(&png, Some("BINARY")), r#"("image" "png" ("name" "p") NIL NIL "BINARY" 4)"#);
        assert_eq!(said(&png, None), r#"("image" "png" ("name" "p") NIL NIL "base64" 4)"#);
        let headers = section(&[], Some(SectionText::Header));
        assert_eq!(said(&headers, None), r#"("TEXT" "rfc822-headers" NIL NIL NIL "7BIT" 4 3)"#);
        let text = section(&[2], Some(SectionText::Text));
        assert_eq!(said(&text, None), r#"("TEXT" "plain" ("charset" "us-ascii") NIL NIL "7BIT" 4 3)"#);
        let whole = said(&Section::default(), Some("8BIT"));
        assert!(whole.starts_with(r#"("MESSAGE" "RFC822" NIL NIL NIL "8BIT" 4 (NIL "s" NIL"#), "{whole}");
        assert!(whole.ends_with(r#" "mixed") 3)"#), "{whole}");
        assert!(
            said(&section(&[2], None), None).starts_with(r#"("MESSAGE" "RFC822" NIL NIL NIL "7BIT" 4 (NIL "inner""#)
        );
    }
}
