//! FETCH (RFC 3501 §6.4.5, RFC 7162 §3.1.4, RFC 3516, RFC 8970).

use super::cursor::Cursor;
use super::search::partial_range;
use super::sequence::sequence_set;
use crate::checks::{self, FetchModifiers};
use crate::command::{CommandBody, FetchItem};
use crate::flaw::{Flaw, printable};
use crate::section::{HeaderName, Partial, Section, SectionText};

pub(super) fn fetch(c: &mut Cursor<'_>, uid: bool) -> Result<CommandBody, Flaw> {
    c.space()?;
    let set = sequence_set(c)?;
    c.space()?;
    let items = if c.peek() == Some(b'(') { c.list("data items", item)? } else { macro_or_item(c)? };
    let modifiers = if c.eat(b" ") { modifiers(c)? } else { FetchModifiers::default() };
    checks::fetch(set, uid, items, modifiers).map(CommandBody::Fetch)
}

fn macro_or_item(c: &mut Cursor<'_>) -> Result<Vec<FetchItem>, Flaw> {
    let at = c.position();
    let name = c.name().to_ascii_uppercase();
    match name.as_slice() {
        b"ALL" => Ok(FetchItem::all()),
        b"FAST" => Ok(FetchItem::fast()),
        b"FULL" => Ok(FetchItem::full()),
        name => item_named(c, at, name).map(|item| vec![item]),
    }
}

/// One data item.
pub(super) fn item(c: &mut Cursor<'_>) -> Result<FetchItem, Flaw> {
    let at = c.position();
    let name = c.name().to_ascii_uppercase();
    item_named(c, at, &name)
}

fn item_named(c: &mut Cursor<'_>, at: usize, name: &[u8]) -> Result<FetchItem, Flaw> {
    Ok(match name {
        b"BODY" if c.peek() == Some(b'[') => body_section(c, false)?,
        b"BODY.PEEK" => body_section(c, true)?,
        b"BODY" => FetchItem::Body,
        b"BODYSTRUCTURE" => FetchItem::BodyStructure,
        b"EMAILID" => FetchItem::EmailId,
        b"ENVELOPE" => FetchItem::Envelope,
        b"FLAGS" => FetchItem::Flags,
        b"INTERNALDATE" => FetchItem::InternalDate,
        b"RFC822" => FetchItem::Rfc822,
        b"RFC822.HEADER" => FetchItem::Rfc822Header,
        b"RFC822.SIZE" => FetchItem::Rfc822Size,
        b"RFC822.TEXT" => FetchItem::Rfc822Text,
        b"SAVEDATE" => FetchItem::SaveDate,
        b"THREADID" => FetchItem::ThreadId,
        b"UID" => FetchItem::Uid,
        b"MODSEQ" => FetchItem::ModSeq,
        b"PREVIEW" => FetchItem::Preview { lazy: lazy(c)? },
        b"BINARY" => binary(c, false)?,
        b"BINARY.PEEK" => binary(c, true)?,
        b"BINARY.SIZE" => FetchItem::BinarySize { part: section_binary(c)? },
        b"" => return Err(Flaw::at(at, "expected a data item")),
        name => return Err(Flaw::at(at, format!("unknown data item {}", printable(name)))),
    })
}

fn body_section(c: &mut Cursor<'_>, peek: bool) -> Result<FetchItem, Flaw> {
    c.expect(b"[", "a section in brackets")?;
    let section = section(c)?;
    c.expect(b"]", "] after the section")?;
    Ok(FetchItem::BodySection { section, partial: partial(c)?, peek })
}

/// `[SP "(" preview-mod *(SP preview-mod) ")"]` (RFC 8970 §6). What else stands in parentheses is not of the item.
fn lazy(c: &mut Cursor<'_>) -> Result<bool, Flaw> {
    if !c.eat(b" (LAZY") {
        return Ok(false);
    }
    while c.eat(b" LAZY") {}
    c.expect(b")", ") after LAZY")?;
    Ok(true)
}

/// RFC 3516 §7
fn binary(c: &mut Cursor<'_>, peek: bool) -> Result<FetchItem, Flaw> {
    let part = section_binary(c)?;
    Ok(FetchItem::Binary { part, partial: partial(c)?, peek })
}

/// `section-binary`
fn section_binary(c: &mut Cursor<'_>) -> Result<Vec<u32>, Flaw> {
    c.expect(b"[", "a part number in brackets")?;
    let mut part = Vec::new();
    while part.is_empty() && c.peek() != Some(b']') || c.eat(b".") {
        part.push(c.nz_number("a part number")?);
    }
    c.expect(b"]", "] after the part number")?;
    Ok(part)
}

/// `<start.length>`, if it is there.
fn partial(c: &mut Cursor<'_>) -> Result<Option<Partial>, Flaw> {
    let mut partial = None;
    if c.eat(b"<") {
        let start = c.number("the first octet of the part")?;
        c.expect(b".", ". and the number of octets")?;
        let at = c.position();
        let length = c.number("the number of octets")?;
        if length == 0 {
            return Err(Flaw::at(at, "the number of octets cannot be 0; it stands"));
        }
        c.expect(b">", ">")?;
        partial = Some(Partial { start, length });
    }
    Ok(partial)
}

/// A text that is a `section-spec` and nothing else, as IMAP URLs carry it (RFC 5092 §9).
pub(crate) fn whole_section(text: &[u8]) -> Option<Section> {
    let text = [text, b"\r\n"].concat();
    let mut c = Cursor::new(&text, crate::NameEncoding::default());
    let section = section(&mut c).ok()?;
    c.end().ok().map(|()| section)
}

/// `section-spec`, possibly empty.
fn section(c: &mut Cursor<'_>) -> Result<Section, Flaw> {
    let mut part = Vec::new();
    while c.peek().is_some_and(|b| b.is_ascii_digit()) {
        part.push(c.nz_number("a part number")?);
        if !c.eat(b".") {
            return Ok(Section { part, text: None });
        }
    }
    let at = c.position();
    let text = match c.name().to_ascii_uppercase().as_slice() {
        b"HEADER" => SectionText::Header,
        b"HEADER.FIELDS" => SectionText::HeaderFields(header_names(c)?),
        b"HEADER.FIELDS.NOT" => SectionText::HeaderFieldsNot(header_names(c)?),
        b"TEXT" => SectionText::Text,
        // RFC 3501 §6.4.5: MIME must be prefixed by numbers.
        b"MIME" if !part.is_empty() => SectionText::Mime,
        b"" if part.is_empty() => return Ok(Section::default()),
        _ => {
            return Err(Flaw::at(
                at,
                "expected HEADER, HEADER.FIELDS, HEADER.FIELDS.NOT, TEXT or, after a part number, MIME",
            ));
        }
    };
    Ok(Section { part, text: Some(text) })
}

fn header_names(c: &mut Cursor<'_>) -> Result<Vec<HeaderName>, Flaw> {
    c.space()?;
    let names =
        c.list("header field names in parentheses", |c| c.astring("a header field name").map(HeaderName::new))?;
    if names.is_empty() { Err(Flaw::of("at least one header field name is needed")) } else { Ok(names) }
}

fn modifiers(c: &mut Cursor<'_>) -> Result<FetchModifiers, Flaw> {
    let mut given = FetchModifiers::default();
    let all = c.list("modifiers in parentheses", |c| match c.atom("a modifier")? {
        name if name.eq_ignore_ascii_case(b"CHANGEDSINCE") => {
            c.space()?;
            match c.number("a mod-sequence")? {
                0 => Err(Flaw::of("CHANGEDSINCE cannot be 0")),
                value => given.changed_since(value),
            }
        }
        name if name.eq_ignore_ascii_case(b"VANISHED") => given.vanished(),
        name if name.eq_ignore_ascii_case(b"PARTIAL") => {
            c.space()?;
            given.partial(partial_range(c)?)
        }
        name => Err(Flaw::of(format!("the modifier {} is not supported", printable(name)))),
    })?;
    if all.is_empty() { Err(Flaw::of("the modifiers are empty")) } else { Ok(given) }
}
