//! What SORT, THREAD and SEARCH compare, taken from the header once: RFC 5256 §2 and §3, RFC 5957.

use mail_parser::HeaderForm;

use crate::{
    address::Address,
    base_subject::{base_subject, fold_white_space},
    codec::{Reader, Writer},
    decode::decode_header,
    field::Field,
    limits::{MESSAGE_ID_BYTES_MAX, REFERENCES_MAX, SORT_STRING_BYTES_MAX},
    structure::Structure,
};

/// The moment that the Date field names (RFC 5256 §2.2), and the zone it was written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct SentDate {
    /// Seconds since 1970, UTC: what SORT compares.
    pub unix_secs: i64,
    /// Minutes east of UTC. SENTBEFORE and its kin compare the day as written: `unix_secs + 60 * offset_minutes`.
    pub offset_minutes: i16,
}

/// The first address of a field.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct FirstAddress {
    /// `addr-mailbox`: the local part, or a group's name. For SORT FROM, TO, CC.
    pub mailbox: String,
    /// Decoded display name, or else `mailbox@host`. For SORT DISPLAYFROM, DISPLAYTO (RFC 5957 §3).
    pub display: String,
}

/// Keys to sort, thread and search by. Strings are decoded and at most [`SORT_STRING_BYTES_MAX`] long.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SortKeys {
    /// The sent date; `None` when there is none or it cannot be read (RFC 5256 §2.2: use INTERNALDATE).
    pub sent: Option<SentDate>,
    /// The subject, decoded.
    pub subject: String,
    /// The base subject: RFC 5256 §2.1.
    pub base_subject: String,
    /// The subject had a `Re:`, `Fwd:` or the like.
    pub is_reply_or_forward: bool,
    /// The first address of From.
    pub from: FirstAddress,
    /// The first address of To.
    pub to: FirstAddress,
    /// The first address of Cc.
    pub cc: FirstAddress,
    /// Message-ID without its angle brackets.
    pub message_id: Option<String>,
    /// The identifiers of In-Reply-To.
    pub in_reply_to: Vec<String>,
    /// The identifiers of References, oldest first.
    pub references: Vec<String>,
}

impl SortKeys {
    /// Takes the keys from a scanned message.
    pub fn new(structure: &Structure) -> Self {
        let facts = &structure.facts;
        let identifiers = |field| facts.value(field).map(parse_message_ids).unwrap_or_default();
        let subject = bounded(fold_white_space(&facts.value(Field::Subject).map(decode_header).unwrap_or_default()));
        let base = base_subject(&subject);
        let first = |list: fn(&crate::Envelope) -> &Vec<Address>| {
            structure.envelope().and_then(|envelope| list(envelope).first()).map(FirstAddress::new).unwrap_or_default()
        };
        Self {
            sent: facts.value(Field::Date).and_then(parse_date),
            subject,
            base_subject: base.text,
            is_reply_or_forward: base.is_reply_or_forward,
            from: first(|envelope| &envelope.from),
            to: first(|envelope| &envelope.to),
            cc: first(|envelope| &envelope.cc),
            message_id: identifiers(Field::MessageId).into_iter().next(),
            in_reply_to: identifiers(Field::InReplyTo),
            references: identifiers(Field::References),
        }
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let mut writer = Writer::default();
        writer.octet(u8::from(self.sent.is_some()) | u8::from(self.is_reply_or_forward) << 1);
        if let Some(sent) = self.sent {
            writer.signed(sent.unix_secs);
            writer.signed(i64::from(sent.offset_minutes));
        }
        for text in [&self.subject, &self.base_subject] {
            writer.text(text);
        }
        for first in [&self.from, &self.to, &self.cc] {
            writer.text(&first.mailbox);
            writer.text(&first.display);
        }
        writer.optional_text(self.message_id.as_deref());
        writer.texts(&self.in_reply_to);
        writer.texts(&self.references);
        writer.0
    }

    pub(crate) fn decode(bytes: &[u8]) -> Option<Self> {
        let mut view = SortKeysView::new(bytes)?;
        let first =
            |(mailbox, display): (&str, &str)| FirstAddress { mailbox: mailbox.into(), display: display.into() };
        let keys = Self {
            sent: view.sent,
            is_reply_or_forward: view.is_reply_or_forward,
            subject: view.subject.to_owned(),
            base_subject: view.base_subject.to_owned(),
            from: first(view.from),
            to: first(view.to),
            cc: first(view.cc),
            message_id: view.message_id.map(ToOwned::to_owned),
            in_reply_to: view.identifiers.texts()?,
            references: view.identifiers.texts()?,
        };
        view.identifiers.0.is_empty().then_some(keys)
    }
}

/// The keys of a stored record, borrowed: SORT and THREAD read a hundred thousand of them.
#[derive(Clone, Debug)]
pub struct SortKeysView<'a> {
    /// As [`SortKeys::sent`].
    pub sent: Option<SentDate>,
    /// As [`SortKeys::subject`].
    pub subject: &'a str,
    /// As [`SortKeys::base_subject`].
    pub base_subject: &'a str,
    /// As [`SortKeys::is_reply_or_forward`].
    pub is_reply_or_forward: bool,
    /// As [`SortKeys::from`]: mailbox and display.
    pub from: (&'a str, &'a str),
    /// As [`SortKeys::to`]: mailbox and display.
    pub to: (&'a str, &'a str),
    /// As [`SortKeys::cc`]: mailbox and display.
    pub cc: (&'a str, &'a str),
    /// As [`SortKeys::message_id`].
    pub message_id: Option<&'a str>,
    /// In-Reply-To and References, not read yet.
    identifiers: Reader<'a>,
}

impl<'a> SortKeysView<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Option<Self> {
        let mut reader = Reader(bytes);
        let (flags, sent) = read_head(&mut reader)?;
        let subject = reader.text()?;
        let base_subject = reader.text()?;
        let mut first = || Some((reader.text()?, reader.text()?));
        let (from, to, cc) = (first()?, first()?, first()?);
        let message_id = reader.optional_text()?;
        let is_reply_or_forward = flags & 2 != 0;
        Some(Self { sent, subject, base_subject, is_reply_or_forward, from, to, cc, message_id, identifiers: reader })
    }

    /// What makes the message a reply, oldest first: its References; when it has none, the first identifier of In-Reply-To
    /// (RFC 5256 §3, REFERENCES).
    pub fn references(&self) -> Vec<&'a str> {
        let mut reader = self.identifiers.clone();
        let mut read = || {
            let count = reader.length()?;
            let mut texts = Vec::new();
            for _ in 0..count {
                texts.push(reader.text()?);
            }
            Some(texts)
        };
        let (Some(mut in_reply_to), Some(references)) = (read(), read()) else { return Vec::new() };
        if references.is_empty() {
            in_reply_to.truncate(1);
            in_reply_to
        } else {
            references
        }
    }
}

/// The marks and the sent date that encoded keys begin with.
fn read_head(reader: &mut Reader<'_>) -> Option<(u8, Option<SentDate>)> {
    let flags = reader.octet().filter(|flags| *flags < 4)?;
    if flags & 1 == 0 {
        return Some((flags, None));
    }
    let unix_secs = reader.signed()?;
    Some((flags, Some(SentDate { unix_secs, offset_minutes: i16::try_from(reader.signed()?).ok()? })))
}

/// The sent date of encoded keys; `None` when they can't be read.
pub(crate) fn sent_of(bytes: &[u8]) -> Option<Option<SentDate>> {
    read_head(&mut Reader(bytes)).map(|(_, sent)| sent)
}

impl FirstAddress {
    fn new(address: &Address) -> Self {
        let text = |bytes: &Option<Vec<u8>>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
        let mailbox = text(&address.mailbox);
        let display = match (&address.name, &address.host) {
            // RFC 5957 §3: a name that decodes to nothing is none.
            (Some(name), _) if !decode_header(name).is_empty() => decode_header(name),
            (_, Some(host)) if !host.is_empty() => format!("{mailbox}@{}", String::from_utf8_lossy(host)),
            // The name of a group is a phrase, so it may be encoded.
            (_, _) => decode_header(mailbox.as_bytes()),
        };
        Self { mailbox: bounded(mailbox), display: bounded(display) }
    }
}

/// Reads the value of a Date field, RFC 5322 §3.3 and what is often sent instead.
pub fn parse_date(value: &[u8]) -> Option<SentDate> {
    let parsed = HeaderForm::Date.parse(value);
    let date = parsed.value().as_datetime().filter(mail_parser::DateTime::is_valid)?;
    let minutes = i16::from(date.tz_hour).checked_mul(60)?.checked_add(i16::from(date.tz_minute))?;
    let offset_minutes = if date.tz_before_gmt { minutes.checked_neg()? } else { minutes };
    Some(SentDate { unix_secs: date.to_timestamp(), offset_minutes })
}

/// The message identifiers in a value, without angle brackets: the first and the last ones, [`REFERENCES_MAX`] in all.
///
/// RFC 5256 §3 compares them after taking quoting away (`<"a"@b>` is `<a@b>`). Words without brackets are no identifiers.
pub fn parse_message_ids(value: &[u8]) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut rest = value;
    while let Some(open) = memchr::memchr(b'<', rest) {
        rest = rest.get(open.saturating_add(1)..).unwrap_or_default();
        let Some(close) = memchr::memchr2(b'<', b'>', rest) else { break };
        if rest.get(close) == Some(&b'<') {
            continue;
        }
        let inside = rest.get(..close).unwrap_or_default();
        rest = rest.get(close.saturating_add(1)..).unwrap_or_default();
        let plain: Vec<u8> = inside
            .iter()
            .copied()
            .filter(|byte| !matches!(byte, b'"' | b'\\') && !byte.is_ascii_whitespace())
            .collect();
        if plain.is_empty() || plain.len() > MESSAGE_ID_BYTES_MAX {
            continue;
        }
        if found.len() >= REFERENCES_MAX {
            // The thread's root and its latest messages say most; those between go first.
            found.remove(1);
        }
        found.push(String::from_utf8_lossy(&plain).into_owned());
    }
    found
}

fn bounded(mut text: String) -> String {
    text.truncate(text.floor_char_boundary(SORT_STRING_BYTES_MAX));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_with_their_zone() {
        let date = parse_date(b" Sun, 31 Dec 2000 16:01:33 -0800").unwrap();
        assert_eq!(date, SentDate { unix_secs: 978_307_293, offset_minutes: -480 });
        assert_eq!(parse_date(b"31 Dec 2000 16:01:33 +0530 (IST)").unwrap().offset_minutes, 330);
        assert_eq!(parse_date(b"rubbish"), None);
        assert_eq!(parse_date(b""), None);
    }

    #[test]
    fn identifiers_are_found_in_garbage() {
        assert_eq!(parse_message_ids(b"<a@b>\t<\"c\"@d> your message of yesterday <e@ f>"), ["a@b", "c@d", "e@f"]);
        assert_eq!(parse_message_ids(b"a@b <> <<x@y> <z"), ["x@y"]);
        let many: String = (0..150).map(|n| format!("<{n}@x> ")).collect();
        let kept = parse_message_ids(many.as_bytes());
        assert_eq!((kept.len(), kept[0].as_str(), kept[99].as_str()), (REFERENCES_MAX, "0@x", "149@x"));
    }

    #[test]
    fn keys_come_from_the_header() {
        let structure = crate::Scanner::scan(
            b"From: =?utf-8?Q?J=C3=BCrgen?= <j@x.example>\r\nTo: friends: a@b;\r\nCc: c@d.example\r\n\
              Subject: Re: =?utf-8?Q?=C3=9C?=\r\n b\r\nMessage-ID: <1@x>\r\nReferences: <0@x>\r\n\r\n",
        );
        let keys = SortKeys::new(&structure);
        assert_eq!(keys.from, FirstAddress { mailbox: "j".into(), display: "Jürgen".into() });
        assert_eq!(keys.to, FirstAddress { mailbox: "friends".into(), display: "friends".into() });
        assert_eq!(keys.cc.display, "c@d.example");
        assert_eq!((keys.subject.as_str(), keys.base_subject.as_str()), ("Re: Ü b", "Ü b"));
        assert!(keys.is_reply_or_forward && keys.sent.is_none());
        assert_eq!(keys.message_id.as_deref(), Some("1@x"));
        assert_eq!(SortKeys::decode(&keys.encode()).as_ref(), Some(&keys));
        assert_eq!(SortKeysView::new(&keys.encode()).unwrap().references(), ["0@x"]);
        let reply = SortKeys { references: vec![], in_reply_to: vec!["1@x".into(), "2@x".into()], ..keys };
        assert_eq!(SortKeysView::new(&reply.encode()).unwrap().references(), ["1@x"]);
    }

    #[test]
    fn a_name_that_decodes_to_nothing_is_none() {
        let keys = SortKeys::new(&crate::Scanner::scan(b"From: \"\" <a@b.example>\r\n\r\n"));
        assert_eq!(keys.from.display, "a@b.example");
    }
}
