//! SEARCH (RFC 3501 §6.4.4, RFC 4731, 5032, 5182, 5267, 5465, 5466, 6203, 8474, 8514, 9394, 9738; RFC 7162 §3.1.5).

use super::append::{digits, month};
use super::cursor::Cursor;
use super::notify::fetch_items;
use super::sequence::sequence_set;
use crate::chars::is_atom_char;
use crate::checks;
use crate::command::{
    CommandBody, DateTest, EnvelopeField, FetchItem, PartialRange, Search, SearchKey, SearchReturn, SearchText,
};
use crate::date::Date;
use crate::flag::Flag;
use crate::flaw::{Flaw, printable};
use crate::limits::SEARCH_DEPTH_MAX;
use crate::mailbox_name::NameEncoding;
use crate::section::HeaderName;

/// `SEARCH [RETURN (…)] [CHARSET x] key …` (RFC 4466 §2.6).
pub(super) fn search(c: &mut Cursor<'_>, uid: bool) -> Result<CommandBody, Flaw> {
    c.space()?;
    let (returns, update_fetch) = returns(c)?;
    let search = program(c, uid, returns)?;
    Ok(CommandBody::Search(Search { update_fetch, ..search }))
}

/// `RETURN (…) `, when it is there, and the data items of its UPDATE.
pub(super) fn returns(c: &mut Cursor<'_>) -> Result<(Option<SearchReturn>, Vec<FetchItem>), Flaw> {
    if !c.eat(b"RETURN ") {
        return Ok((None, Vec::new()));
    }
    let (options, update_fetch) = return_options(c)?;
    c.space()?;
    Ok((Some(options), update_fetch))
}

/// `[CHARSET x] key …`
pub(super) fn program(c: &mut Cursor<'_>, uid: bool, returns: Option<SearchReturn>) -> Result<Search, Flaw> {
    let mut charset = None;
    if c.eat(b"CHARSET") {
        c.space()?;
        charset = Some(charset_name(c)?);
        c.space()?;
    }
    keys(c, uid, charset, returns)
}

/// `charset key …`: the charset is always there (RFC 5256 §5 `search-criteria`).
pub(super) fn criteria(c: &mut Cursor<'_>, uid: bool, returns: Option<SearchReturn>) -> Result<Search, Flaw> {
    let charset = charset_name(c)?;
    c.space()?;
    keys(c, uid, Some(charset), returns)
}

fn keys(c: &mut Cursor<'_>, uid: bool, charset: Option<String>, returns: Option<SearchReturn>) -> Result<Search, Flaw> {
    let mut keys = vec![key(c, SEARCH_DEPTH_MAX)?];
    while c.eat(b" ") {
        keys.push(key(c, SEARCH_DEPTH_MAX)?);
    }
    checks::search(uid, charset, returns, keys)
}

fn charset_name(c: &mut Cursor<'_>) -> Result<String, Flaw> {
    let name = if c.peek() == Some(b'"') { c.quoted()? } else { c.atom("a charset")?.to_vec() };
    let text = String::from_utf8(name).ok().filter(|name| name.is_ascii());
    text.map(|name| name.to_ascii_uppercase()).ok_or_else(|| Flaw::of("the name of the charset is not ASCII"))
}

/// RFC 4731 §3.1: no option at all asks for ALL.
fn return_options(c: &mut Cursor<'_>) -> Result<(SearchReturn, Vec<FetchItem>), Flaw> {
    let mut returns = SearchReturn::default();
    let mut update_fetch = Vec::new();
    let options = c.list("return options in parentheses", |c| {
        match c.atom("a return option")?.to_ascii_uppercase().as_slice() {
            b"MIN" => returns.min = true,
            b"MAX" => returns.max = true,
            b"ALL" => returns.all = true,
            b"COUNT" => returns.count = true,
            b"SAVE" => returns.save = true,
            b"CONTEXT" => returns.context = true,
            b"UPDATE" => {
                returns.update = true;
                // RFC 5465 §8 `modifier-update`.
                if c.eat(b" (") {
                    update_fetch = fetch_items(c)?;
                }
            }
            b"RELEVANCY" => returns.relevancy = true,
            b"PARTIAL" => {
                c.space()?;
                if returns.partial.replace(partial_range(c)?).is_some() {
                    return Err(Flaw::of("PARTIAL is given twice"));
                }
            }
            name => return Err(Flaw::of(format!("the return option {} is not supported", printable(name)))),
        }
        Ok(())
    })?;
    if options.is_empty() {
        returns.all = true;
    }
    // RFC 5267 §4.4, RFC 9394 §3.1: "either one PARTIAL, one ALL, or neither".
    if returns.all && returns.partial.is_some() {
        return Err(Flaw::of("PARTIAL and ALL exclude each other"));
    }
    Ok((returns, update_fetch))
}

/// `1:500` or `-1:-100` (RFC 9394 §4).
pub(super) fn partial_range(c: &mut Cursor<'_>) -> Result<PartialRange, Flaw> {
    let missing = c.missing("a range such as 1:500 or -1:-100");
    let from_end = c.eat(b"-");
    let first = c.nz_number("a place in the results")?;
    c.expect(if from_end { b":-" } else { b":" }, "the end of the range")?;
    let last = c.nz_number("a place in the results")?;
    PartialRange::new(first, last, from_end).ok_or(missing)
}

fn key(c: &mut Cursor<'_>, depth: usize) -> Result<SearchKey, Flaw> {
    let Some(deeper) = depth.checked_sub(1) else {
        return Err(Flaw::limit(format!("keys are nested more than {SEARCH_DEPTH_MAX} deep")));
    };
    match c.peek() {
        Some(b'(') => {
            let keys = c.list("(", |c| key(c, deeper))?;
            if keys.is_empty() {
                return Err(Flaw::of("there is no search key in the parentheses"));
            }
            return Ok(SearchKey::all_of(keys));
        }
        Some(b'0'..=b'9' | b'*' | b'$') => return sequence_set(c).map(SearchKey::Sequence),
        _ => {}
    }
    let at = c.position();
    let name = c.name().to_ascii_uppercase();
    if let Some(plain) = plain_key(&name) {
        return Ok(plain);
    }
    if name.is_empty() {
        return Err(Flaw::at(at, "expected a search key"));
    }
    key_with_argument(c, at, &name, deeper)
}

/// Keys that stand alone.
fn plain_key(name: &[u8]) -> Option<SearchKey> {
    Some(match name {
        b"ALL" => SearchKey::All,
        b"ANSWERED" => SearchKey::Has(Flag::Answered),
        b"DELETED" => SearchKey::Has(Flag::Deleted),
        b"DRAFT" => SearchKey::Has(Flag::Draft),
        b"FLAGGED" => SearchKey::Has(Flag::Flagged),
        b"SEEN" => SearchKey::Has(Flag::Seen),
        b"UNANSWERED" => SearchKey::Lacks(Flag::Answered),
        b"UNDELETED" => SearchKey::Lacks(Flag::Deleted),
        b"UNDRAFT" => SearchKey::Lacks(Flag::Draft),
        b"UNFLAGGED" => SearchKey::Lacks(Flag::Flagged),
        b"UNSEEN" => SearchKey::Lacks(Flag::Seen),
        b"NEW" => SearchKey::And(vec![SearchKey::Recent, SearchKey::Lacks(Flag::Seen)]),
        b"OLD" => SearchKey::Not(Box::new(SearchKey::Recent)),
        b"RECENT" => SearchKey::Recent,
        b"SAVEDATESUPPORTED" => SearchKey::SaveDateSupported,
        _ => return None,
    })
}

fn key_with_argument(c: &mut Cursor<'_>, at: usize, name: &[u8], deeper: usize) -> Result<SearchKey, Flaw> {
    let parse: fn(&mut Cursor<'_>, usize) -> Result<SearchKey, Flaw> = match name {
        b"BCC" => |c, _| Ok(SearchKey::Envelope(EnvelopeField::Bcc, text(c)?)),
        b"CC" => |c, _| Ok(SearchKey::Envelope(EnvelopeField::Cc, text(c)?)),
        b"FROM" => |c, _| Ok(SearchKey::Envelope(EnvelopeField::From, text(c)?)),
        b"SUBJECT" => |c, _| Ok(SearchKey::Envelope(EnvelopeField::Subject, text(c)?)),
        b"TO" => |c, _| Ok(SearchKey::Envelope(EnvelopeField::To, text(c)?)),
        b"BODY" => |c, _| Ok(SearchKey::Body(text(c)?)),
        b"TEXT" => |c, _| Ok(SearchKey::Text(text(c)?)),
        b"HEADER" => |c, _| {
            let field = HeaderName::new(c.astring("a header field name")?);
            c.space()?;
            Ok(SearchKey::Header(field, text(c)?))
        },
        b"KEYWORD" => |c, _| Ok(SearchKey::Has(keyword(c)?)),
        b"UNKEYWORD" => |c, _| Ok(SearchKey::Lacks(keyword(c)?)),
        b"BEFORE" => |c, _| Ok(SearchKey::Internal(DateTest::Before, date(c)?)),
        b"ON" => |c, _| Ok(SearchKey::Internal(DateTest::On, date(c)?)),
        b"SINCE" => |c, _| Ok(SearchKey::Internal(DateTest::Since, date(c)?)),
        b"SENTBEFORE" => |c, _| Ok(SearchKey::Sent(DateTest::Before, date(c)?)),
        b"SENTON" => |c, _| Ok(SearchKey::Sent(DateTest::On, date(c)?)),
        b"SENTSINCE" => |c, _| Ok(SearchKey::Sent(DateTest::Since, date(c)?)),
        b"SAVEDBEFORE" => |c, _| Ok(SearchKey::Saved(DateTest::Before, date(c)?)),
        b"SAVEDON" => |c, _| Ok(SearchKey::Saved(DateTest::On, date(c)?)),
        b"SAVEDSINCE" => |c, _| Ok(SearchKey::Saved(DateTest::Since, date(c)?)),
        b"EMAILID" => |c, _| Ok(SearchKey::EmailId(object_id(c)?)),
        b"THREADID" => |c, _| Ok(SearchKey::ThreadId(object_id(c)?)),
        b"FILTER" => |c, _| Ok(SearchKey::Filter(filter_name(c)?)),
        b"FUZZY" => |c, deeper| Ok(SearchKey::Fuzzy(Box::new(key(c, deeper)?))),
        b"LARGER" => |c, _| Ok(SearchKey::Larger(c.number("a number of octets")?)),
        b"SMALLER" => |c, _| Ok(SearchKey::Smaller(c.number("a number of octets")?)),
        b"OLDER" => |c, _| Ok(SearchKey::Older(c.nz_number("a number of seconds")?)),
        b"YOUNGER" => |c, _| Ok(SearchKey::Younger(c.nz_number("a number of seconds")?)),
        b"UID" => |c, _| Ok(SearchKey::Uid(sequence_set(c)?)),
        b"UIDAFTER" => |c, _| Ok(SearchKey::UidAfter(c.nz_number("a UID")?)),
        b"UIDBEFORE" => |c, _| Ok(SearchKey::UidBefore(c.nz_number("a UID")?)),
        b"MODSEQ" => |c, _| modseq(c),
        b"NOT" => |c, deeper| Ok(SearchKey::Not(Box::new(key(c, deeper)?))),
        b"OR" => |c, deeper| {
            let first = key(c, deeper)?;
            c.space()?;
            Ok(SearchKey::Or(Box::new(first), Box::new(key(c, deeper)?)))
        },
        name => return Err(Flaw::at(at, format!("unknown search key {}", printable(name)))),
    };
    c.space()?;
    parse(c, deeper)
}

fn text(c: &mut Cursor<'_>) -> Result<SearchText, Flaw> {
    c.astring("a text to search for").map(SearchText::new)
}

/// `objectid` (RFC 8474 §7).
fn object_id(c: &mut Cursor<'_>) -> Result<String, Flaw> {
    let at = c.position();
    let id = c.astring("an object identifier")?;
    let valid = matches!(id.len(), 1..=255) && id.iter().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    let text = String::from_utf8(id).ok().filter(|_| valid);
    text.ok_or_else(|| Flaw::at(at, "an object identifier has up to 255 letters, digits, _ and -; it begins"))
}

/// `filter-name`: 1*<any ATOM-CHAR except "/"> (RFC 5466 §3.3).
fn filter_name(c: &mut Cursor<'_>) -> Result<String, Flaw> {
    let at = c.position();
    let name = c.atom("the name of a filter")?;
    let text = String::from_utf8(name.to_vec()).ok().filter(|name| !name.contains('/'));
    text.ok_or_else(|| Flaw::at(at, "the name of a filter has no /; it begins"))
}

/// A search program on its own, as a named filter keeps it (RFC 5466 §3.3 `filter-value`).
pub(crate) fn stored_program(text: &[u8], encoding: NameEncoding) -> Result<Search, Flaw> {
    let mut c = Cursor::new(text, encoding);
    let search = program(&mut c, false, None)?;
    if c.at_end() { Ok(search) } else { Err(c.missing("the end of the filter")) }
}

fn keyword(c: &mut Cursor<'_>) -> Result<Flag, Flaw> {
    checks::flag(c.atom("a keyword")?)
}

/// `1-Feb-1994`, quoted or not.
fn date(c: &mut Cursor<'_>) -> Result<Date, Flaw> {
    let at = c.position();
    let text = if c.peek() == Some(b'"') { c.quoted()? } else { c.name().to_vec() };
    parse_date(&text).ok_or_else(|| Flaw::at(at, "expected a date like 1-Feb-1994"))
}

fn parse_date(text: &[u8]) -> Option<Date> {
    let mut fields = text.split(|&b| b == b'-');
    let (day, month_name, year) = (fields.next()?, fields.next()?, fields.next()?);
    if fields.next().is_some() || day.len() > 2 || year.len() != 4 {
        return None;
    }
    Date::new(u16::try_from(digits(year)?).ok()?, month(month_name)?, u8::try_from(digits(day)?).ok()?)
}

/// `MODSEQ ["/flags/\\draft" all] n` (RFC 7162 §3.1.5).
fn modseq(c: &mut Cursor<'_>) -> Result<SearchKey, Flaw> {
    if c.peek() == Some(b'"') {
        let at = c.position();
        let entry = c.quoted()?;
        let flag = entry.get(..7).filter(|prefix| prefix.eq_ignore_ascii_case(b"/flags/")).and_then(|_| entry.get(7..));
        let flag = flag.map(|flag| flag.strip_prefix(b"\\").unwrap_or(flag));
        if !flag.is_some_and(|flag| !flag.is_empty() && flag.iter().copied().all(is_atom_char)) {
            return Err(Flaw::at(at, "expected a metadata item like \"/flags/\\\\draft\""));
        }
        c.space()?;
        let at = c.position();
        if !matches!(c.name().to_ascii_lowercase().as_slice(), b"priv" | b"shared" | b"all") {
            return Err(Flaw::at(at, "expected priv, shared or all"));
        }
        c.space()?;
    }
    Ok(SearchKey::ModSeq(checks::modseq(c.number("a mod-sequence")?)?))
}
