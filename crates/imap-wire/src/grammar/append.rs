//! APPEND (RFC 3501 §6.3.11, RFC 3502 §6.3.11, RFC 4469 §5, RFC 6855 §4).

use mail::InternalDate;

use super::cursor::Cursor;
use super::sequence::sequence_set;
use crate::command::{Append, AppendContent, AppendMessage, CatenatePart, CommandBody, Replace, Ticket};
use crate::date::{Date, MONTHS, internal_date};
use crate::flaw::Flaw;
use crate::mailbox_name::NameEncoding;

pub(super) fn append(c: &mut Cursor<'_>) -> Result<CommandBody, Flaw> {
    c.space()?;
    let mailbox = c.mailbox()?;
    let mut messages = Vec::new();
    loop {
        c.space()?;
        if !messages.is_empty() {
            quirk_second_space(c);
        }
        messages.push(message(c)?);
        if c.peek() != Some(b' ') {
            return Ok(CommandBody::Append(Append { mailbox, messages }));
        }
    }
}

/// IMAPClient 3 (Python, seen 2026-11) sends two spaces between the literals of a MULTIAPPEND. There, and nowhere else, a second one
/// is taken for none.
fn quirk_second_space(c: &mut Cursor<'_>) {
    if c.peek() == Some(b' ') && c.peek_second() == Some(b'~') {
        c.eat(b" ");
    }
}

/// `REPLACE number mailbox append-message` (RFC 8508 §5).
pub(super) fn replace(c: &mut Cursor<'_>, uid: bool) -> Result<CommandBody, Flaw> {
    c.space()?;
    let at = c.position();
    let set = sequence_set(c)?;
    if set.has_saved() || !matches!(set.ranges(), [(first, last)] if first == last) {
        return Err(Flaw::at(at, "expected one message number"));
    }
    c.space()?;
    let mailbox = c.mailbox()?;
    c.space()?;
    Ok(CommandBody::Replace(Replace { set, uid, mailbox, message: message(c)? }))
}

/// `append-message` of RFC 3502, without its first space.
fn message(c: &mut Cursor<'_>) -> Result<AppendMessage, Flaw> {
    let mut flags = Vec::new();
    if c.peek() == Some(b'(') {
        flags = c.list("(", Cursor::flag)?;
        c.space()?;
    }
    let mut date = None;
    if c.peek() == Some(b'"') {
        date = Some(date_time(c)?);
        c.space()?;
    }
    let content = if c.eat(b"UTF8 (") {
        AppendContent::Utf8(utf8_rest(c)?)
    } else if c.eat(b"CATENATE ") {
        let parts = c.list("parts in parentheses", part)?;
        if parts.is_empty() {
            return Err(Flaw::of("at least one part is needed"));
        }
        AppendContent::Catenate(parts)
    } else {
        AppendContent::Message(ticket(c, "a message as a literal")?)
    };
    Ok(AppendMessage { flags, date, content })
}

/// `cat-part` (RFC 4469 §5, RFC 6855 §4).
fn part(c: &mut Cursor<'_>) -> Result<CatenatePart, Flaw> {
    if c.eat(b"TEXT ") {
        Ok(CatenatePart::Text(ticket(c, "a text as a literal")?))
    } else if c.eat(b"UTF8 (") {
        Ok(CatenatePart::Utf8(utf8_rest(c)?))
    } else if c.eat(b"URL ") {
        Ok(CatenatePart::Url(c.astring("a URL")?))
    } else {
        Err(c.missing("TEXT, UTF8 or URL"))
    }
}

/// `literal8 ")"`
fn utf8_rest(c: &mut Cursor<'_>) -> Result<Ticket, Flaw> {
    let ticket = ticket(c, "a message as a literal8")?;
    c.expect(b")", ") after the literal8")?;
    Ok(ticket)
}

/// What the framer has put in the place of a literal that it streamed.
fn ticket(c: &mut Cursor<'_>, what: &'static str) -> Result<Ticket, Flaw> {
    if c.peek() != Some(b'~') {
        return Err(c.missing(what));
    }
    let octets = c.literal8()?;
    Ticket::from_bytes(octets).ok_or_else(|| Flaw::of("the message was not received"))
}

/// Whether a literal that begins here in an APPEND, behind the mailbox's name, is a URL, which the parser needs, and no
/// message (RFC 4469 §5).
pub(crate) fn is_url(before: &[u8]) -> bool {
    let last = before.strip_suffix(b" ").and_then(|before| before.rsplit(|b| matches!(b, b' ' | b'(')).next());
    last.is_some_and(|word| word.eq_ignore_ascii_case(b"URL"))
}

/// The name of the target mailbox, still encoded, when the text is that of an APPEND, REPLACE or UID REPLACE in which the name is
/// complete.
pub(crate) fn target(text: &[u8]) -> Option<Vec<u8>> {
    let mut c = Cursor::new(text, NameEncoding::default());
    c.tag().ok()?;
    c.space().ok()?;
    let mut verb = c.word();
    c.space().ok()?;
    if verb.eq_ignore_ascii_case(b"UID") {
        verb = c.word();
        c.space().ok()?;
    } else if verb.eq_ignore_ascii_case(b"APPEND") {
        verb = b"";
    }
    if verb.eq_ignore_ascii_case(b"REPLACE") {
        c.word();
        c.space().ok()?;
    } else if !verb.is_empty() {
        return None;
    }
    let name = c.astring("a mailbox name").ok()?;
    c.space().ok()?;
    Some(name)
}

/// `"dd-Mon-yyyy hh:mm:ss +zzzz"` (RFC 3501 §9 `date-time`).
fn date_time(c: &mut Cursor<'_>) -> Result<InternalDate, Flaw> {
    let at = c.position();
    let text = c.quoted()?;
    parse_date_time(&text).ok_or_else(|| Flaw::at(at, "expected a date like \"17-Jul-1996 02:44:25 -0700\""))
}

fn parse_date_time(text: &[u8]) -> Option<InternalDate> {
    let text: &[u8; 26] = text.try_into().ok()?;
    let (date, rest) = text.split_at_checked(11)?;
    let (time, zone) = rest.split_at_checked(9)?;
    let [d1, d2, b'-', m1, m2, m3, b'-', y @ ..] = date else { return None };
    let day = if *d1 == b' ' { digits(&[*d2])? } else { digits(&[*d1, *d2])? };
    let date = Date::new(u16::try_from(digits(y)?).ok()?, month(&[*m1, *m2, *m3])?, u8::try_from(day).ok()?)?;
    let [b' ', h1, h2, b':', n1, n2, b':', s1, s2] = time else { return None };
    let (hour, minute, second) = (digits(&[*h1, *h2])?, digits(&[*n1, *n2])?, digits(&[*s1, *s2])?);
    if hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let [b' ', sign @ (b'+' | b'-'), zone @ ..] = zone else { return None };
    let (zone_hours, zone_mins) = zone.split_at_checked(2)?;
    let east = i64::from(digits(zone_hours)? * 60 + digits(zone_mins)?);
    let offset = if *sign == b'-' { -east } else { east };
    let secs = date.days_since_epoch() * 86_400 + i64::from(hour * 3_600 + minute * 60 + second) - offset * 60;
    internal_date(secs, i16::try_from(offset).ok()?)
}

/// Decimal digits and nothing else.
pub(super) fn digits(text: &[u8]) -> Option<u32> {
    let valid = !text.is_empty() && text.len() <= 9 && text.iter().all(u8::is_ascii_digit);
    valid.then(|| text.iter().fold(0, |n, b| n * 10 + u32::from(b - b'0')))
}

/// `Jan` to `Dec`, in any case, as 1 to 12.
pub(super) fn month(text: &[u8]) -> Option<u8> {
    let at = MONTHS.iter().position(|name| name.as_bytes().eq_ignore_ascii_case(text))?;
    u8::try_from(at + 1).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// RFC 3502 §6.3.11
    #[test]
    fn several_messages_each_with_its_own() {
        let text = b"a APPEND x (\\Seen) ~{8}\r\n12345678 \"17-Jul-1996 02:44:25 -0700\" ~{8}\r\n12345679 ~{8}\r\n12345670\r\n";
        let Ok(crate::Command { body: CommandBody::Append(append), .. }) =
            crate::decode::decode_bytes(text, NameEncoding::default()).map_err(|refusal| panic!("{refusal:?}"))
        else {
            panic!("no APPEND");
        };
        let message = |octets| AppendContent::Message(Ticket::from_bytes(octets).unwrap());
        let told: Vec<_> = append.messages.into_iter().map(|m| (m.flags.len(), m.date.is_some(), m.content)).collect();
        let expected = [(1, false, b"12345678"), (0, true, b"12345679"), (0, false, b"12345670")];
        assert_eq!(told, expected.map(|(flags, date, octets)| (flags, date, message(octets))));
    }

    #[test]
    fn dates_of_the_rfc() {
        let date = parse_date_time(b"17-Jul-1996 02:44:25 -0700").unwrap();
        assert_eq!((date.secs, date.offset_minutes), (837_596_665, -420));
        assert!(parse_date_time(b" 7-feb-1994 21:52:25 -0800").is_some());
        for bad in [
            "31-Feb-1994 21:52:25 -0800",
            "07-Feb-1994 24:00:00 -0800",
            "07-Feb-1994 21:52:25 -2400",
            "7-Feb-1994 21:52:25 -0800",
            "07-Foo-1994 21:52:25 -0800",
            "07-Feb-1994 21:52:25  0800",
            "",
        ] {
            assert_eq!(parse_date_time(bad.as_bytes()), None, "{bad}");
        }
    }

    proptest! {
        #[test]
        fn print_then_parse_is_identity(secs in -62_000_000_000i64..253_000_000_000, offset in -1439i16..1440) {
            let date = internal_date(secs, offset).unwrap();
            let mut out = Vec::new();
            crate::date::write_internal_date(date, &mut out);
            let inner = out.strip_prefix(b"\"").unwrap().strip_suffix(b"\"").unwrap();
            prop_assert_eq!(parse_date_time(inner), Some(date));
        }
    }
}
