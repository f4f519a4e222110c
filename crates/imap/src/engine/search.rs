//! SEARCH keys against what is known of a message so far (RFC 3501 §6.4.4, RFC 5032, RFC 7162 §3.1.5).
//!
//! What is cheap is looked at first: a key that the message's row decides never has its record read, one that the record
//! decides never its content. So evaluation has three values, and "unknown" names what has to be read next.

use imap_wire::{Date, DateTest, EnvelopeField, Flag, NumberSet, SearchKey, SearchText, local_date};
use mail::{Flags, InternalDate, ModSeq, Timestamp, Uid};
use message::{SentDate, decode_header, raw_fields};
use storage::rows::MessageRow;

use super::uid_map::UidMap;

/// A key made ready: sets resolved, texts folded.
#[derive(Clone, Debug)]
pub(crate) enum Query {
    /// Every message.
    All,
    /// All of these.
    And(Vec<Self>),
    /// One of these.
    Or(Box<Self>, Box<Self>),
    /// Not this.
    Not(Box<Self>),
    /// These UIDs; sequence numbers have become UIDs.
    Uids(NumberSet),
    /// Something about the message itself.
    Test(Test),
}

/// A question about one message.
#[derive(Clone, Debug)]
pub(crate) enum Test {
    /// It has the flag.
    Has(Flag),
    /// It is `\Recent`.
    Recent,
    /// The day of INTERNALDATE.
    Internal(DateTest, Date),
    /// The day of the Date field.
    Sent(DateTest, Date),
    /// More octets than.
    Larger(u64),
    /// Fewer octets than.
    Smaller(u64),
    /// INTERNALDATE at or before.
    AtOrBefore(i64),
    /// INTERNALDATE at or after.
    AtOrAfter(i64),
    /// MODSEQ at least.
    ModSeq(u64),
    /// A field of the header, by name, holds the text; an empty text asks for the field alone.
    Field(Vec<u8>, String),
    /// The body holds the text.
    Body(String),
    /// Header or body holds the text.
    Text(String),
}

/// What has to be read to decide more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Need {
    /// The message's record.
    Record,
    /// Its header.
    Header,
    /// Its body.
    Body,
}

/// What is known of a message.
#[derive(Default)]
pub(crate) struct Known<'a> {
    /// The day it was sent, from the record; `Some(None)` when it has none that can be read.
    pub(crate) sent: Option<Option<SentDate>>,
    /// Which needles of [`Query::needles`] the header holds, in their order.
    pub(crate) header: Option<&'a [bool]>,
    /// Which needles of [`Query::needles`] the body holds, in their order.
    pub(crate) body: Option<&'a [bool]>,
}

/// What is looked for in a message; of the header in one field only, or in all of it with its names.
#[derive(Debug, Default)]
pub(crate) struct Needles {
    header: Vec<HeaderNeedle>,
    body: Vec<String>,
}

/// A text that is looked for in the header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct HeaderNeedle {
    field: Option<Vec<u8>>,
    text: String,
}

impl Needles {
    /// Those for the header, in the order of [`Known::header`].
    pub(crate) fn header(&self) -> &[HeaderNeedle] {
        &self.header
    }

    /// Those for the body, in the order of [`Known::body`].
    pub(crate) fn body(&self) -> &[String] {
        &self.body
    }

    fn add_header(&mut self, field: Option<&[u8]>, text: &str) {
        let needle = HeaderNeedle { field: field.map(<[u8]>::to_vec), text: text.to_owned() };
        if !self.header.contains(&needle) {
            self.header.push(needle);
        }
    }

    fn add_body(&mut self, text: &str) {
        if !self.body.iter().any(|known| known == text) {
            self.body.push(text.to_owned());
        }
    }
}

/// The message's row with the names of its flags.
pub(crate) struct Row<'a> {
    pub(crate) row: &'a MessageRow,
    pub(crate) flags: Flags,
    pub(crate) recent: bool,
}

/// True, false, or what to read first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    True,
    False,
    Unknown(Need),
}

impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

/// A text that is not in the charset it claims.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct NotUtf8;

impl Query {
    /// Makes a key ready for the mailbox as the client counts it.
    pub(crate) fn new(key: &SearchKey, map: &UidMap, now: Timestamp) -> Result<Self, NotUtf8> {
        let each = |key: &SearchKey| Self::new(key, map, now);
        let folded = |text: &SearchText| text.as_str().map(fold).ok_or(NotUtf8);
        Ok(match key {
            SearchKey::All => Self::All,
            SearchKey::And(keys) => Self::And(keys.iter().map(each).collect::<Result<_, _>>()?),
            SearchKey::Or(a, b) => Self::Or(Box::new(each(a)?), Box::new(each(b)?)),
            SearchKey::Not(key) => Self::Not(Box::new(each(key)?)),
            SearchKey::Sequence(set) => Self::Uids(map.uids_of(&set.resolve(map.messages()))),
            SearchKey::Uid(set) => Self::Uids(set.resolve(map.max_uid())),
            SearchKey::Has(flag) => Self::Test(Test::Has(flag.clone())),
            SearchKey::Lacks(flag) => Self::Not(Box::new(Self::Test(Test::Has(flag.clone())))),
            SearchKey::Recent => Self::Test(Test::Recent),
            SearchKey::Envelope(field, text) => Self::Test(Test::Field(field_name(*field).to_vec(), folded(text)?)),
            SearchKey::Header(name, text) => Self::Test(Test::Field(name.as_bytes().to_vec(), folded(text)?)),
            SearchKey::Body(text) => Self::Test(Test::Body(folded(text)?)),
            SearchKey::Text(text) => Self::Test(Test::Text(folded(text)?)),
            SearchKey::Internal(test, day) => Self::Test(Test::Internal(*test, *day)),
            SearchKey::Sent(test, day) => Self::Test(Test::Sent(*test, *day)),
            SearchKey::Larger(octets) => Self::Test(Test::Larger(*octets)),
            SearchKey::Smaller(octets) => Self::Test(Test::Smaller(*octets)),
            // RFC 5032 §2: OLDER is "date <= now - interval", YOUNGER "date >= now - interval".
            SearchKey::Older(secs) => Self::Test(Test::AtOrBefore(now.as_secs().saturating_sub(i64::from(*secs)))),
            SearchKey::Younger(secs) => Self::Test(Test::AtOrAfter(now.as_secs().saturating_sub(i64::from(*secs)))),
            SearchKey::ModSeq(modseq) => Self::Test(Test::ModSeq(*modseq)),
        })
    }

    /// UIDs outside of which nothing can be found; `None` means all.
    pub(crate) fn scope(&self) -> Option<NumberSet> {
        match self {
            Self::Uids(uids) => Some(uids.clone()),
            Self::And(all) => all.iter().filter_map(Self::scope).min_by_key(NumberSet::count),
            Self::All | Self::Or(..) | Self::Not(_) | Self::Test(_) => None,
        }
    }

    /// Whether UIDs alone decide.
    pub(crate) fn is_about_uids(&self) -> bool {
        match self {
            Self::All | Self::Uids(_) => true,
            Self::And(all) => all.iter().all(Self::is_about_uids),
            Self::Or(a, b) => a.is_about_uids() && b.is_about_uids(),
            Self::Not(one) => one.is_about_uids(),
            Self::Test(_) => false,
        }
    }

    /// Whether a message with this UID is found, when UIDs alone decide.
    pub(crate) fn holds_for_uid(&self, uid: Uid) -> bool {
        match self {
            Self::All => true,
            Self::Uids(uids) => uids.contains(uid.0),
            Self::And(all) => all.iter().all(|one| one.holds_for_uid(uid)),
            Self::Or(a, b) => a.holds_for_uid(uid) || b.holds_for_uid(uid),
            Self::Not(one) => !one.holds_for_uid(uid),
            Self::Test(_) => false,
        }
    }

    /// The texts that are looked for, in an order that [`Known`] keeps.
    pub(crate) fn needles(&self) -> Needles {
        let mut needles = Needles::default();
        self.collect_needles(&mut needles);
        needles
    }

    fn collect_needles(&self, needles: &mut Needles) {
        match self {
            Self::Test(Test::Field(name, text)) => needles.add_header(Some(name), text),
            Self::Test(Test::Body(text)) => needles.add_body(text),
            Self::Test(Test::Text(text)) => {
                needles.add_header(None, text);
                needles.add_body(text);
            }
            Self::And(all) => all.iter().for_each(|one| one.collect_needles(needles)),
            Self::Or(a, b) => {
                a.collect_needles(needles);
                b.collect_needles(needles);
            }
            Self::Not(one) => one.collect_needles(needles),
            Self::All | Self::Uids(_) | Self::Test(_) => {}
        }
    }

    /// Decides as far as what is known allows. `needles` is what [`Query::needles`] gave.
    pub(crate) fn decide(&self, row: &Row<'_>, known: &Known<'_>, needles: &Needles) -> Verdict {
        let again = |query: &Self| query.decide(row, known, needles);
        match self {
            Self::All => Verdict::True,
            Self::And(all) => join(all.iter().map(again), Verdict::False, Verdict::True),
            Self::Or(a, b) => join([a, b].map(|one| again(one)).into_iter(), Verdict::True, Verdict::False),
            Self::Not(one) => match again(one) {
                Verdict::True => Verdict::False,
                Verdict::False => Verdict::True,
                unknown @ Verdict::Unknown(_) => unknown,
            },
            Self::Uids(uids) => uids.contains(row.row.uid.0).into(),
            Self::Test(test) => test.decide(row, known, needles),
        }
    }
}

impl Test {
    fn decide(&self, row: &Row<'_>, known: &Known<'_>, needles: &Needles) -> Verdict {
        match self {
            Self::Has(flag) => flag.is_in(&row.flags).into(),
            Self::Recent => row.recent.into(),
            // RFC 3501 §6.4.4: "disregarding time and timezone", so the day is the one that was written.
            Self::Internal(test, day) => test.holds(local_date(row.row.internal_date), *day).into(),
            Self::Sent(test, day) => match known.sent {
                None => Verdict::Unknown(Need::Record),
                // A message without a date that can be read was sent, as far as anyone knows, when it came.
                Some(None) => test.holds(local_date(row.row.internal_date), *day).into(),
                Some(Some(sent)) => {
                    let date = InternalDate { secs: sent.unix_secs, offset_minutes: sent.offset_minutes };
                    test.holds(local_date(date), *day).into()
                }
            },
            Self::Larger(octets) => (row.row.octets > *octets).into(),
            Self::Smaller(octets) => (row.row.octets < *octets).into(),
            Self::AtOrBefore(secs) => (row.row.internal_date.secs <= *secs).into(),
            Self::AtOrAfter(secs) => (row.row.internal_date.secs >= *secs).into(),
            Self::ModSeq(modseq) => (row.row.modseq >= ModSeq(*modseq)).into(),
            Self::Field(name, text) => header_holds(Some(name), text, known, needles),
            Self::Body(text) => body_holds(text, known, needles),
            Self::Text(text) => match header_holds(None, text, known, needles) {
                Verdict::False => body_holds(text, known, needles),
                decided @ (Verdict::True | Verdict::Unknown(_)) => decided,
            },
        }
    }
}

/// `decisive` as soon as one is; else unknown when one is; else `otherwise`.
fn join(verdicts: impl Iterator<Item = Verdict>, decisive: Verdict, otherwise: Verdict) -> Verdict {
    let mut need: Option<Need> = None;
    for verdict in verdicts {
        match verdict {
            Verdict::Unknown(found) => need = Some(need.map_or(found, |need| need.min(found))),
            verdict if verdict == decisive => return decisive,
            Verdict::True | Verdict::False => {}
        }
    }
    need.map_or(otherwise, Verdict::Unknown)
}

fn header_holds(field: Option<&Vec<u8>>, text: &str, known: &Known<'_>, needles: &Needles) -> Verdict {
    let Some(found) = known.header else { return Verdict::Unknown(Need::Header) };
    let at = needles.header.iter().position(|needle| needle.field.as_ref() == field && needle.text == text);
    at.and_then(|at| found.get(at)).copied().unwrap_or(false).into()
}

fn body_holds(text: &str, known: &Known<'_>, needles: &Needles) -> Verdict {
    if text.is_empty() {
        return Verdict::True;
    }
    let Some(found) = known.body else { return Verdict::Unknown(Need::Body) };
    let at = needles.body.iter().position(|needle| needle == text);
    at.and_then(|at| found.get(at)).copied().unwrap_or(false).into()
}

/// A header, decoded and folded once, however many texts are looked for in it.
pub(crate) struct FoldedHeader<'a> {
    /// `name: value` of every field, each ended with a NUL, which no needle holds (RFC 3501 §9).
    text: String,
    fields: Vec<(&'a [u8], std::ops::Range<usize>)>,
}

impl<'a> FoldedHeader<'a> {
    pub(crate) fn new(header: &'a [u8]) -> Self {
        let mut folded = Self { text: String::with_capacity(header.len()), fields: Vec::new() };
        for field in raw_fields(header) {
            let name = field.name.unwrap_or_default();
            folded.text.push_str(&fold(&String::from_utf8_lossy(name)));
            folded.text.push_str(": ");
            let start = folded.text.len();
            folded.text.push_str(&fold(&decode_header(field.value())));
            folded.fields.push((name, start..folded.text.len()));
            folded.text.push('\0');
        }
        folded
    }

    /// Whether any field holds the (folded) text, its name included.
    pub(crate) fn holds_text(&self, text: &str) -> bool {
        self.text.contains(text) && !self.fields.is_empty()
    }

    /// Whether it holds what is looked for.
    pub(crate) fn holds(&self, needle: &HeaderNeedle) -> bool {
        let Some(wanted) = &needle.field else { return self.holds_text(&needle.text) };
        let mut named = self.fields.iter().filter(|(name, _)| name.eq_ignore_ascii_case(wanted));
        named.any(|(_, value)| self.text.get(value.clone()).is_some_and(|value| value.contains(&needle.text)))
    }
}

/// The form in which texts are compared: without case (RFC 3501 §6.4.4).
pub(crate) fn fold(text: &str) -> String {
    if text.is_ascii() { text.to_ascii_lowercase() } else { text.to_lowercase() }
}

fn field_name(field: EnvelopeField) -> &'static [u8] {
    match field {
        EnvelopeField::Bcc => b"Bcc",
        EnvelopeField::Cc => b"Cc",
        EnvelopeField::From => b"From",
        EnvelopeField::Subject => b"Subject",
        EnvelopeField::To => b"To",
    }
}

#[cfg(test)]
mod tests {
    use imap_wire::{CommandBody, CommandText, NameEncoding};
    use mail::{BlobHash, SystemFlags};

    use super::*;

    const HEADER: &[u8] = b"From: Alice <alice@example.org>\r\nSubject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\nX-Mark:\r\n\r\n";

    fn key(text: &str) -> SearchKey {
        let text = CommandText::from(format!("a SEARCH {text}\r\n").as_bytes());
        let CommandBody::Search(search) = imap_wire::decode(&text, NameEncoding::default()).unwrap().body else {
            panic!("not a SEARCH");
        };
        search.key
    }

    fn row() -> MessageRow {
        MessageRow {
            uid: Uid(7),
            modseq: ModSeq(20),
            system_flags: SystemFlags::SEEN,
            keyword_bits: 0,
            // 2026-03-01 23:30 in a zone west of UTC: already the 2nd in UTC.
            internal_date: InternalDate { secs: 1_772_425_800, offset_minutes: -300 },
            saved_at: Timestamp(0),
            octets: 500,
            blob: BlobHash([0; 32]),
        }
    }

    fn decide(text: &str, known: &Known<'_>) -> Verdict {
        decide_with(text, known, None)
    }

    fn decide_with(text: &str, known: &Known<'_>, header: Option<&[u8]>) -> Verdict {
        let map: UidMap = [3, 7].map(Uid).into_iter().collect();
        let query = Query::new(&key(text), &map, Timestamp::from_secs(1_772_425_900)).unwrap();
        let message = row();
        let row = Row { row: &message, flags: Flags::system(SystemFlags::SEEN), recent: false };
        let needles = query.needles();
        let header = header.map(FoldedHeader::new);
        let found: Option<Vec<bool>> =
            header.map(|header| needles.header().iter().map(|needle| header.holds(needle)).collect());
        query.decide(&row, &Known { header: found.as_deref(), ..*known }, &needles)
    }

    #[test]
    fn the_row_decides_what_it_can() {
        let nothing = Known::default();
        for text in [
            "ALL",
            "SEEN",
            "UNDELETED",
            "OLD",
            "2",
            "*",
            "UID 7",
            "UID 5:*",
            "LARGER 499",
            "SMALLER 501",
            "ON 1-Mar-2026",
            "SINCE 1-Mar-2026",
            "BEFORE 2-Mar-2026",
            "YOUNGER 100",
            "OLDER 100",
            "MODSEQ 20",
            "OR DELETED SEEN",
            "NOT DELETED",
            "(SEEN UNDELETED)",
            "OR SEEN BODY x",
            "BODY \"\"",
            "UNKEYWORD $x",
        ] {
            assert_eq!(decide(text, &nothing), Verdict::True, "{text}");
        }
        for text in [
            "UNSEEN",
            "NEW",
            "RECENT",
            "1",
            "UID 3",
            "LARGER 500",
            "SMALLER 500",
            "ON 2-Mar-2026",
            "YOUNGER 99",
            "OLDER 101",
            "MODSEQ 21",
            "DELETED BODY x",
            "KEYWORD $x",
        ] {
            assert_eq!(decide(text, &nothing), Verdict::False, "{text}");
        }
    }

    #[test]
    fn what_is_cheapest_is_asked_for_first() {
        let nothing = Known::default();
        assert_eq!(decide("BODY x SENTON 1-Mar-2026", &nothing), Verdict::Unknown(Need::Record));
        assert_eq!(decide("BODY x SUBJECT y", &nothing), Verdict::Unknown(Need::Header));
        assert_eq!(decide_with("TEXT zebra", &nothing, Some(HEADER)), Verdict::Unknown(Need::Body));
    }

    #[test]
    fn fields_are_compared_decoded_and_without_case() {
        let known = Known::default();
        for text in ["FROM ALICE@", "SUBJECT {7+}\r\nGR\u{dc}\u{1e9e}", "HEADER x-mark \"\"", "TEXT \"subject: gr\""] {
            // The sharp S has two capitals; lower-casing brings both together.
            assert_eq!(decide_with(text, &known, Some(HEADER)), Verdict::True, "{text}");
        }
        for text in ["FROM bob", "TO alice", "HEADER X-None \"\"", "HEADER X-Mark y"] {
            assert_eq!(decide_with(text, &known, Some(HEADER)), Verdict::False, "{text}");
        }
    }

    #[test]
    fn a_text_is_found_within_one_field_only() {
        let known = Known::default();
        let header = b"A: one\r\nB: two\r\n\r\n";
        for text in ["TEXT \"a: one\"", "HEADER B TWO", "TEXT two NOT HEADER A two"] {
            assert_ne!(decide_with(text, &known, Some(header)), Verdict::False, "{text}");
        }
        for text in ["HEADER A two", "TEXT one NOT TEXT two", "HEADER A \"a: one\""] {
            assert_eq!(decide_with(text, &known, Some(header)), Verdict::False, "{text}");
        }
        assert_eq!(decide_with("TEXT \"oneb\"", &known, Some(header)), Verdict::Unknown(Need::Body));
    }

    #[test]
    fn sent_dates_are_those_of_the_header() {
        let sent =
            |secs| Known { sent: Some(Some(SentDate { unix_secs: secs, offset_minutes: 60 })), ..Known::default() };
        assert_eq!(decide("SENTON 2-Jan-1970", &sent(86_400 - 1800)), Verdict::True);
        assert_eq!(decide("SENTBEFORE 2-Jan-1970", &sent(0)), Verdict::True);
        assert_eq!(decide("SENTSINCE 2-Jan-1970", &sent(0)), Verdict::False);
        assert_eq!(decide("SENTON 1-Mar-2026", &Known { sent: Some(None), ..Known::default() }), Verdict::True);
    }

    #[test]
    fn a_scope_bounds_the_scan() {
        let map: UidMap = (1..=100).map(Uid).collect();
        let query = |text| Query::new(&key(text), &map, Timestamp(0)).unwrap();
        assert_eq!(query("UID 5:9 SEEN").scope().unwrap().to_string(), "5:9");
        assert!(query("OR UID 5 SEEN").scope().is_none());
        assert!(query("NOT 5").is_about_uids() && !query("5 SEEN").is_about_uids());
        assert!(!query("NOT 5").holds_for_uid(Uid(5)));
    }
}
