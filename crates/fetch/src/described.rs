//! Untagged responses of an IMAP server (RFC 3501 §7), as far as fetching needs them. Pure.
//!
//! A response is one flat text: its lines, each small literal as a quoted string, and a NUL where a message's octets were
//! (they went to the store). So nothing that a server says can be taken for something else.

use imap_wire::Date;
use mail::{InternalDate, SystemFlags};

/// Stands where the octets of a message were.
pub(crate) const STREAMED: u8 = 0;

/// What a FETCH response tells of a message.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Described {
    pub(crate) uid: Option<u32>,
    pub(crate) flags: Option<SystemFlags>,
    pub(crate) date: Option<InternalDate>,
    pub(crate) size: Option<u64>,
    /// `BODY[]`, when it came.
    pub(crate) body: Option<BodyForm>,
}

/// How a message came.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum BodyForm {
    /// As a literal, which went to the store.
    Streamed,
    /// As a quoted string, which is short.
    Quoted(Vec<u8>),
    /// Not at all.
    Nil,
}

/// A response, sorted by what it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Untagged {
    /// `* n FETCH (…)`
    Fetch(Described),
    /// `* CAPABILITY …`, or the code of that name: upper case.
    Capabilities(Vec<String>),
    /// `* OK [UIDVALIDITY n]`
    UidValidity(u32),
    /// `* n EXISTS`
    Exists(u32),
    /// `* BYE text`
    Bye(Vec<u8>),
    /// `* PREAUTH` as a greeting.
    PreAuth,
    /// Anything else.
    Other,
}

/// Reads what follows `* `.
pub(crate) fn untagged(text: &[u8]) -> Untagged {
    let (first, rest) = word(text);
    if let Some(number) = number(first) {
        let (second, rest) = word(rest);
        if second.eq_ignore_ascii_case(b"EXISTS") {
            return u32::try_from(number).map_or(Untagged::Other, Untagged::Exists);
        }
        if second.eq_ignore_ascii_case(b"FETCH") {
            return described(rest).map_or(Untagged::Other, Untagged::Fetch);
        }
        return Untagged::Other;
    }
    match first.to_ascii_uppercase().as_slice() {
        b"CAPABILITY" => Untagged::Capabilities(capabilities(rest)),
        b"BYE" => Untagged::Bye(rest.to_vec()),
        b"PREAUTH" => Untagged::PreAuth,
        b"OK" => match code(rest) {
            Some((name, value)) if name.eq_ignore_ascii_case(b"UIDVALIDITY") => {
                number(value).and_then(|n| u32::try_from(n).ok()).map_or(Untagged::Other, Untagged::UidValidity)
            }
            Some((name, value)) if name.eq_ignore_ascii_case(b"CAPABILITY") => {
                Untagged::Capabilities(capabilities(value))
            }
            _ => Untagged::Other,
        },
        _ => Untagged::Other,
    }
}

/// The response code of a text: `[NAME value] …`.
pub(crate) fn code(text: &[u8]) -> Option<(&[u8], &[u8])> {
    let inside = text.strip_prefix(b"[")?;
    let end = inside.iter().position(|byte| *byte == b']')?;
    Some(word(inside.get(..end)?))
}

pub(crate) fn capabilities(text: &[u8]) -> Vec<String> {
    let words = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).take(CAPABILITIES_MAX);
    words.map(|word| String::from_utf8_lossy(word).to_ascii_uppercase()).collect()
}

/// The first word, and what is behind the space.
pub(crate) fn word(text: &[u8]) -> (&[u8], &[u8]) {
    match text.iter().position(|byte| *byte == b' ') {
        Some(at) => (text.get(..at).unwrap_or_default(), text.get(at.saturating_add(1)..).unwrap_or_default()),
        None => (text, b""),
    }
}

fn number(word: &[u8]) -> Option<u64> {
    if word.is_empty() || !word.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(word).ok()?.parse().ok()
}

/// `(UID 5 FLAGS (\Seen) …)`; `None` when it can't be read.
fn described(text: &[u8]) -> Option<Described> {
    let mut at = Reader(text.strip_prefix(b"(")?);
    let mut found = Described::default();
    loop {
        at.spaces();
        if at.0.first() == Some(&b')') {
            return Some(found);
        }
        let name = at.name()?.to_ascii_uppercase();
        at.spaces();
        let value = at.value()?;
        match (name.as_slice(), value) {
            (b"UID", Value::Word(word)) => found.uid = number(word).and_then(|uid| u32::try_from(uid).ok()),
            (b"RFC822.SIZE", Value::Word(word)) => found.size = number(word),
            (b"FLAGS", Value::List(list)) => found.flags = Some(flags(list)),
            (b"INTERNALDATE", Value::Quoted(text)) => found.date = internal_date(&text),
            (b"BODY[]", Value::Streamed) => found.body = Some(BodyForm::Streamed),
            (b"BODY[]", Value::Quoted(text)) => found.body = Some(BodyForm::Quoted(text)),
            (b"BODY[]", Value::Word(word)) if word.eq_ignore_ascii_case(b"NIL") => found.body = Some(BodyForm::Nil),
            _ => {}
        }
    }
}

/// Flags that travel along. `\Deleted` does not: the message was there when it was fetched, and is kept here.
fn flags(list: &[u8]) -> SystemFlags {
    let kept = SystemFlags::SEEN.union(SystemFlags::FLAGGED).union(SystemFlags::ANSWERED).union(SystemFlags::DRAFT);
    let names = list.split(|byte| *byte == b' ').filter_map(|name| std::str::from_utf8(name).ok());
    let known = names.filter_map(SystemFlags::from_name).filter(|flag| kept.contains(*flag));
    known.fold(SystemFlags::default(), SystemFlags::union)
}

enum Value<'a> {
    Word(&'a [u8]),
    Quoted(Vec<u8>),
    List(&'a [u8]),
    Streamed,
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn spaces(&mut self) {
        while let Some((b' ', rest)) = self.0.split_first() {
            self.0 = rest;
        }
    }

    fn take(&mut self, octets: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(octets.min(self.0.len()));
        self.0 = rest;
        taken
    }

    /// The name of an item; a section in brackets belongs to it.
    fn name(&mut self) -> Option<&'a [u8]> {
        let mut inside = false;
        let end = self.0.iter().position(|byte| {
            match byte {
                b'[' => inside = true,
                b']' => inside = false,
                _ => {}
            }
            !inside && matches!(byte, b' ' | b'(' | b')')
        })?;
        (end > 0).then(|| self.take(end))
    }

    fn value(&mut self) -> Option<Value<'a>> {
        match *self.0.first()? {
            STREAMED => {
                self.take(1);
                Some(Value::Streamed)
            }
            b'"' => self.quoted().map(Value::Quoted),
            b'(' => self.list().map(Value::List),
            _ => {
                let end = self.0.iter().position(|byte| matches!(byte, b' ' | b')'))?;
                Some(Value::Word(self.take(end)))
            }
        }
    }

    fn quoted(&mut self) -> Option<Vec<u8>> {
        let mut text = Vec::new();
        let mut octets = self.0.iter().enumerate().skip(1);
        while let Some((at, octet)) = octets.next() {
            match octet {
                b'"' => {
                    self.take(at.saturating_add(1));
                    return Some(text);
                }
                b'\\' => text.push(*octets.next()?.1),
                other => text.push(*other),
            }
        }
        None
    }

    /// What is between two parentheses, inner ones included.
    fn list(&mut self) -> Option<&'a [u8]> {
        let (mut depth, mut quoted, mut escaped) = (0u32, false, false);
        for (at, octet) in self.0.iter().enumerate() {
            if escaped {
                escaped = false;
                continue;
            }
            match octet {
                b'\\' if quoted => escaped = true,
                b'"' => quoted = !quoted,
                b'(' if !quoted => depth = depth.saturating_add(1),
                b')' if !quoted => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        let list = self.take(at.saturating_add(1));
                        return list.get(1..at);
                    }
                }
                _ => {}
            }
        }
        None
    }
}

/// `17-Jul-1996 02:44:25 -0700` (RFC 3501 §9, `date-time`).
fn internal_date(text: &[u8]) -> Option<InternalDate> {
    let text = std::str::from_utf8(text).ok()?.trim();
    let (day, rest) = text.split_once('-')?;
    let (month, rest) = rest.split_once('-')?;
    let (year, rest) = rest.split_once(' ')?;
    let (time, zone) = rest.trim().split_once(' ')?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let date = Date::new(year.parse().ok()?, u8::try_from(month).ok()?.checked_add(1)?, day.trim().parse().ok()?)?;
    let mut times = time.split(':').map(|part| part.parse::<i64>().ok().filter(|n| (0..=60).contains(n)));
    let (hours, minutes, seconds) = (times.next()??, times.next()??, times.next()??);
    let (sign, digits) = match zone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let zone: i16 = digits.parse().ok().filter(|zone| (0..2400).contains(zone) && digits.len() == 4)?;
    let offset = zone.checked_div(100)?.checked_mul(60)?.checked_add(zone.checked_rem(100)?)?;
    if hours > 23 || minutes > 59 || offset > 1_439 {
        return None;
    }
    let local = date.days_since_epoch().checked_mul(86_400)?;
    let local = local.checked_add(hours * 3_600 + minutes * 60 + seconds)?;
    let offset_minutes = offset * sign;
    Some(InternalDate { secs: local.checked_sub(i64::from(offset_minutes) * 60)?, offset_minutes })
}

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const CAPABILITIES_MAX: usize = 200;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fetch_response_is_read_in_any_order() {
        let expected = Described {
            uid: Some(7),
            flags: Some(SystemFlags::SEEN.union(SystemFlags::FLAGGED)),
            date: Some(InternalDate { secs: 837_596_665, offset_minutes: -420 }),
            size: Some(1234),
            body: Some(BodyForm::Streamed),
        };
        for text in [
            &b"12 FETCH (UID 7 FLAGS (\\Seen \\Deleted $x \\FLAGGED) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" RFC822.SIZE 1234 BODY[] \0)"[..],
            b"12 fetch (body[] \0 rfc822.size 1234 X-GM (1 \"a)b\" (2)) internaldate \"17-jul-1996 02:44:25 -0700\" flags (\\Seen \\Flagged) MODSEQ (9) BODY[HEADER.FIELDS (A B)] \"x\" uid 7)",
        ] {
            assert_eq!(untagged(text), Untagged::Fetch(expected.clone()));
        }
        let quoted = untagged(b"1 FETCH (BODY[] \"a\\\"b\" UID 1)");
        assert!(
            matches!(quoted, Untagged::Fetch(Described { body: Some(BodyForm::Quoted(text)), .. }) if text == b"a\"b")
        );
        assert!(matches!(
            untagged(b"1 FETCH (BODY[] NIL)"),
            Untagged::Fetch(Described { body: Some(BodyForm::Nil), .. })
        ));
    }

    #[test]
    fn whatever_is_cut_off_or_wrong_is_no_panic_and_no_message() {
        let whole = b"12 FETCH (UID 7 FLAGS (\\Seen) INTERNALDATE \"17-Jul-1996 02:44:25 -0700\" BODY[] \0)";
        for cut in 0..whole.len() {
            assert!(!matches!(untagged(&whole[..cut]), Untagged::Fetch(_)), "{cut}");
        }
        for wrong in [
            &b"FETCH"[..],
            b"99999999999 EXISTS",
            b"1 FETCH UID 7",
            b"",
            b"OK [UIDVALIDITY x]",
            b"OK [",
            b"1 FETCH (())",
        ] {
            assert_eq!(untagged(wrong), Untagged::Other, "{wrong:?}");
        }
        let bad = untagged(b"1 FETCH (UID 99999999999 INTERNALDATE \"99-Foo-1996 02:44:25 -0700\")");
        assert_eq!(bad, Untagged::Fetch(Described::default()));
    }

    #[test]
    fn dates_that_do_not_exist_are_none() {
        assert_eq!(internal_date(b" 1-Jan-1970 00:00:01 +0000"), Some(InternalDate { secs: 1, offset_minutes: 0 }));
        for wrong in
            ["30-Feb-2000 00:00:00 +0000", "1-Jan-2000 24:00:00 +0000", "1-Jan-2000 00:00:00 +9999", "x", "1-Jan-2000"]
        {
            assert_eq!(internal_date(wrong.as_bytes()), None, "{wrong}");
        }
    }
}
