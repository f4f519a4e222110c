//! SEARCH keys against what is known of a message so far (RFC 3501 §6.4.4; RFC 5032, 5182, 6203, 8514; RFC 7162 §3.1.5).
//!
//! What is cheap is looked at first: a key that the message's row decides never has its record read, one that the record
//! decides never its content. So evaluation has three values, and "unknown" names what has to be read next.

mod charset;
mod envelope;
mod needles;
#[cfg(test)]
mod tests;

use imap_wire::{Date, DateTest, EnvelopeField, Flag, NumberSet, SearchKey, SearchText, SequenceSet, local_date};
use mail::{InternalDate, Keyword, ModSeq, Timestamp, Uid};
use message::SentDate;
use search::limits::FUZZY_KEYS_MAX;
use search::{Place, Wanted, has_words};
use storage::rows::MessageRow;

use super::comparator::Comparator;
use super::object_id::email_id;
use super::uid_map::UidMap;

pub(crate) use charset::{CHARSETS, Charset};
pub(crate) use envelope::FoldedEnvelope;
pub(crate) use needles::{FoldedHeader, Fuzzy, HeaderNeedle, Needle, Needles};

/// What a key is made ready with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Context<'a> {
    /// The mailbox as the client counts it.
    pub(crate) map: &'a UidMap,
    /// UIDs that `$` means (RFC 5182).
    pub(crate) saved: &'a NumberSet,
    /// Now, for OLDER and YOUNGER.
    pub(crate) now: Timestamp,
    /// Of the texts.
    pub(crate) charset: Charset,
    /// How texts are compared.
    pub(crate) comparator: Comparator,
}

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
    /// When it came into the mailbox.
    Saved(DateTest, Date),
    /// Its identifier for good.
    EmailId(String),
    /// That of its conversation.
    ThreadId(String),
    /// A field of the header, by name, holds what is looked for; an empty text asks for the field alone.
    Field(Vec<u8>, Needle),
    /// A field of the envelope does.
    Envelope(EnvelopeField, Needle),
    /// The body holds what is looked for.
    Body(Needle),
    /// Header or body holds what is looked for.
    Text(Needle),
    /// It has words like these.
    Words(Fuzzy),
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
#[derive(Clone, Default)]
pub(crate) struct Known<'a> {
    /// When it was sent, from the record, where its row doesn't tell; `Some(None)` when it has no date that can be read.
    pub(crate) sent: Option<Option<SentDate>>,
    /// The identifier of its conversation, from the record.
    pub(crate) thread_id: Option<String>,
    /// Whether the envelope holds each of those needles, where the record tells.
    pub(crate) envelope: Option<&'a [Option<bool>]>,
    /// Whether the header holds each needle of [`Query::needles`], in their order.
    pub(crate) header: Option<&'a [bool]>,
    /// Whether the body holds each needle of [`Query::needles`], in their order.
    pub(crate) body: Option<&'a [bool]>,
}

/// The message's row with the names of its keywords.
pub(crate) struct Row<'a> {
    pub(crate) row: &'a MessageRow,
    /// The mailbox's keywords, by bit.
    pub(crate) keywords: &'a [Keyword],
    pub(crate) recent: bool,
}

impl Row<'_> {
    fn has(&self, flag: &Flag) -> bool {
        let Flag::Keyword(wanted) = flag else { return self.row.system_flags.contains(flag.bit()) };
        let place = self.keywords.iter().position(|keyword| keyword == wanted);
        place.is_some_and(|place| self.row.keyword_bits >> place & 1 == 1)
    }
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

/// Why a key can't be made ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Unready {
    /// A text is not in the charset it claims.
    BadText,
    /// There is no filter of that name (RFC 5466 §3.1).
    UndefinedFilter(String),
    /// More than [`FUZZY_KEYS_MAX`] different texts are looked for by FUZZY.
    TooManyFuzzy,
}

impl Query {
    /// Makes a key ready.
    pub(crate) fn new(key: &SearchKey, context: &Context<'_>) -> Result<Self, Unready> {
        let query = Self::ready(key, context, false)?;
        let mut needles = Needles::new(context.comparator);
        query.collect_needles(&mut needles);
        if needles.fuzzy_mut().count() > FUZZY_KEYS_MAX { Err(Unready::TooManyFuzzy) } else { Ok(query) }
    }

    fn ready(key: &SearchKey, context: &Context<'_>, fuzzy: bool) -> Result<Self, Unready> {
        let each = |key: &SearchKey| Self::ready(key, context, fuzzy);
        let map = context.map;
        let ago = |secs: u32| context.now.as_secs().saturating_sub(i64::from(secs));
        Ok(match key {
            SearchKey::All | SearchKey::SaveDateSupported => Self::All,
            SearchKey::And(keys) => Self::And(keys.iter().map(each).collect::<Result<_, _>>()?),
            SearchKey::Or(a, b) => Self::Or(Box::new(each(a)?), Box::new(each(b)?)),
            SearchKey::Not(key) => Self::Not(Box::new(each(key)?)),
            // RFC 6203 §3: "MUST be followed by a single search key"; what is no text is matched as ever.
            SearchKey::Fuzzy(key) => Self::ready(key, context, true)?,
            SearchKey::Sequence(set) => Self::Uids(context.with_saved(set, map.uids_of(&set.resolve(map.messages())))),
            SearchKey::Uid(set) => Self::Uids(context.with_saved(set, set.resolve(map.max_uid()))),
            SearchKey::UidAfter(uid) => {
                Self::Uids(NumberSet::from_ranges(uid.checked_add(1).map(|first| first..=u32::MAX)))
            }
            SearchKey::UidBefore(uid) => Self::Uids(NumberSet::from_ranges([1..=uid.saturating_sub(1)])),
            SearchKey::Has(flag) => Self::Test(Test::Has(flag.clone())),
            SearchKey::Lacks(flag) => Self::Not(Box::new(Self::Test(Test::Has(flag.clone())))),
            SearchKey::Recent => Self::Test(Test::Recent),
            SearchKey::Envelope(field, text) => {
                let place = Place::Field(field_name(*field).to_vec());
                context.texts(text, fuzzy, place, |needle| Test::Envelope(*field, needle))?
            }
            SearchKey::Header(name, text) => {
                let name = name.as_bytes().to_vec();
                context.texts(text, fuzzy, Place::Field(name.clone()), |needle| Test::Field(name.clone(), needle))?
            }
            SearchKey::Body(text) => context.texts(text, fuzzy, Place::Body, Test::Body)?,
            SearchKey::Text(text) => context.texts(text, fuzzy, Place::Anywhere, Test::Text)?,
            SearchKey::Internal(test, day) => Self::Test(Test::Internal(*test, *day)),
            SearchKey::Sent(test, day) => Self::Test(Test::Sent(*test, *day)),
            SearchKey::Saved(test, day) => Self::Test(Test::Saved(*test, *day)),
            SearchKey::Larger(octets) => Self::Test(Test::Larger(*octets)),
            SearchKey::Smaller(octets) => Self::Test(Test::Smaller(*octets)),
            // RFC 5032 §2: OLDER is "date <= now - interval", YOUNGER "date >= now - interval".
            SearchKey::Older(secs) => Self::Test(Test::AtOrBefore(ago(*secs))),
            SearchKey::Younger(secs) => Self::Test(Test::AtOrAfter(ago(*secs))),
            SearchKey::ModSeq(modseq) => Self::Test(Test::ModSeq(*modseq)),
            // Those that are defined have been put in the place of their names before.
            SearchKey::Filter(name) => return Err(Unready::UndefinedFilter(name.clone())),
            SearchKey::EmailId(id) => Self::Test(Test::EmailId(id.clone())),
            SearchKey::ThreadId(id) => Self::Test(Test::ThreadId(id.clone())),
        })
    }

    /// The messages of a set that have `\Deleted`.
    pub(crate) fn deleted_among(uids: &NumberSet) -> Self {
        Self::And(vec![Self::Uids(uids.clone()), Self::Test(Test::Has(Flag::Deleted))])
    }

    /// The same, from a UID on.
    pub(crate) fn not_below(self, lowest: Uid) -> Self {
        Self::And(vec![Self::Uids(NumberSet::from_ranges([lowest.0..=u32::MAX])), self])
    }

    /// UIDs outside of which nothing can be found; `None` means all.
    pub(crate) fn scope(&self) -> Option<NumberSet> {
        match self {
            Self::Uids(uids) => Some(uids.clone()),
            Self::And(all) => all.iter().filter_map(Self::scope).min_by_key(NumberSet::count),
            Self::All | Self::Or(..) | Self::Not(_) | Self::Test(_) => None,
        }
    }

    /// UIDs that every message has which is found, as far as the keys name them: the messages that are searched.
    pub(crate) fn named(&self) -> Option<NumberSet> {
        match self {
            Self::Uids(uids) => Some(uids.clone()),
            Self::And(all) => all.iter().filter_map(Self::named).reduce(|a, b| a.intersection(&b)),
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
    pub(crate) fn needles(&self, comparator: Comparator) -> Needles {
        let mut needles = Needles::new(comparator);
        self.collect_needles(&mut needles);
        needles
    }

    fn collect_needles(&self, needles: &mut Needles) {
        if let Self::Test(_) | Self::Uids(_) = self {
            needles.count_test();
        }
        match self {
            Self::Test(Test::Field(name, needle)) => needles.add_header(Some(name), None, needle),
            Self::Test(Test::Envelope(field, needle)) => {
                needles.add_header(Some(field_name(*field)), Some(*field), needle);
            }
            Self::Test(Test::Body(needle)) => needles.add_body(needle),
            Self::Test(Test::Text(needle)) => {
                needles.add_header(None, None, needle);
                needles.add_body(needle);
            }
            Self::Test(Test::Words(fuzzy)) => needles.add_fuzzy(fuzzy),
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

    /// How well a message that is found fits what was asked for by words, from 1 to 100 (RFC 6203 §4): the average over
    /// the words. `None` when none was.
    pub(crate) fn relevancy(&self, uid: Uid, needles: &Needles) -> Option<u8> {
        let mut scores: Vec<u32> = Vec::new();
        self.collect_scores(uid, needles, &mut scores);
        let count = u32::try_from(scores.len()).ok().filter(|count| *count > 0)?;
        let average = scores.iter().sum::<u32>() / count;
        Some(u8::try_from(average.clamp(1, 100)).unwrap_or(100))
    }

    /// Whether it is about conversations.
    pub(crate) fn asks_threads(&self) -> bool {
        self.has_test(&|test| matches!(test, Test::ThreadId(_)))
    }

    /// Whether anything is matched by words.
    pub(crate) fn is_fuzzy(&self) -> bool {
        self.has_test(&|test| matches!(test, Test::Words(_)))
    }

    fn has_test(&self, wanted: &dyn Fn(&Test) -> bool) -> bool {
        match self {
            Self::Test(test) => wanted(test),
            Self::And(all) => all.iter().any(|one| one.has_test(wanted)),
            Self::Or(a, b) => a.has_test(wanted) || b.has_test(wanted),
            Self::Not(one) => one.has_test(wanted),
            Self::All | Self::Uids(_) => false,
        }
    }

    fn collect_scores(&self, uid: Uid, needles: &Needles, scores: &mut Vec<u32>) {
        match self {
            Self::Test(Test::Words(fuzzy)) => scores.push(needles.relevancy(fuzzy, uid).into()),
            Self::And(all) => all.iter().for_each(|one| one.collect_scores(uid, needles, scores)),
            Self::Or(a, b) => {
                a.collect_scores(uid, needles, scores);
                b.collect_scores(uid, needles, scores);
            }
            // What must not be there has no weight.
            Self::Not(_) | Self::All | Self::Uids(_) | Self::Test(_) => {}
        }
    }

    /// UIDs outside of which the words that are looked for are nowhere; `None` means all.
    pub(crate) fn words_scope(&self, needles: &Needles) -> Option<NumberSet> {
        match self {
            Self::Test(Test::Words(fuzzy)) => {
                Some(NumberSet::from_numbers(needles.relevant(fuzzy).iter().map(|relevant| relevant.uid.0)))
            }
            Self::And(all) => all.iter().filter_map(|one| one.words_scope(needles)).reduce(|a, b| a.intersection(&b)),
            Self::Or(a, b) => Some(a.words_scope(needles)?.union(&b.words_scope(needles)?)),
            Self::Not(_) | Self::All | Self::Uids(_) | Self::Test(_) => None,
        }
    }

    /// The texts that every message has which is found, for the index; `None`: there is none that can be named.
    pub(crate) fn texts(&self) -> Option<Wanted> {
        let text = |place, needle: &Needle| Some(Wanted::Text(place, needle.folded())).filter(|_| !needle.is_empty());
        match self {
            Self::Test(Test::Field(name, needle)) => text(Place::Field(name.clone()), needle),
            Self::Test(Test::Envelope(field, needle)) => text(Place::Field(field_name(*field).to_vec()), needle),
            Self::Test(Test::Body(needle)) => text(Place::Body, needle),
            Self::Test(Test::Text(needle)) => text(Place::Anywhere, needle),
            Self::And(all) => Some(Wanted::All(all.iter().filter_map(Self::texts).collect())),
            Self::Or(a, b) => Some(Wanted::Any(vec![a.texts()?, b.texts()?])),
            Self::Not(_) | Self::All | Self::Uids(_) | Self::Test(_) => None,
        }
    }
}

impl Context<'_> {
    fn with_saved(&self, set: &SequenceSet, resolved: NumberSet) -> NumberSet {
        if set.has_saved() { resolved.union(self.saved) } else { resolved }
    }

    /// A test for a text; for FUZZY one for its words, all of which must be found.
    fn texts(
        &self,
        text: &SearchText,
        fuzzy: bool,
        place: Place,
        test: impl Fn(Needle) -> Test,
    ) -> Result<Query, Unready> {
        let text = self.charset.decode(text).ok_or(Unready::BadText)?;
        Ok(Query::Test(if fuzzy && has_words(&text) {
            Test::Words(Fuzzy { place, text })
        } else {
            test(Needle::text(&self.comparator.fold(&text)))
        }))
    }
}

impl Test {
    /// Whether it is about a text at this place. What the index knows of a field is no proof for the envelope, which has the first
    /// of that name alone.
    fn is_at(&self, place: &Place) -> bool {
        match place {
            Place::Field(at) => {
                matches!(self, Self::Field(name, _) if name == at)
            }
            Place::Body => matches!(self, Self::Body(_)),
            Place::Anywhere => matches!(self, Self::Text(_)),
        }
    }

    fn decide(&self, row: &Row<'_>, known: &Known<'_>, needles: &Needles) -> Verdict {
        match self {
            Self::Has(flag) => row.has(flag).into(),
            Self::Recent => row.recent.into(),
            // RFC 3501 §6.4.4: "disregarding time and timezone", so the day is the one that was written.
            Self::Internal(test, day) => test.holds(local_date(row.row.internal_date), *day).into(),
            Self::Sent(test, day) => match row.row.sent.told().or(known.sent) {
                None => Verdict::Unknown(Need::Record),
                // A message without a date that can be read was sent, as far as anyone knows, when it came.
                Some(None) => test.holds(local_date(row.row.internal_date), *day).into(),
                Some(Some(sent)) => {
                    let date = InternalDate { secs: sent.unix_secs, offset_minutes: sent.offset_minutes };
                    test.holds(local_date(date), *day).into()
                }
            },
            Self::Saved(test, day) => {
                let saved = InternalDate { secs: row.row.saved_at.as_secs(), offset_minutes: 0 };
                test.holds(local_date(saved), *day).into()
            }
            Self::EmailId(id) => (email_id(&row.row.blob) == *id).into(),
            Self::ThreadId(id) => match &known.thread_id {
                None => Verdict::Unknown(Need::Record),
                Some(thread_id) => (thread_id == id).into(),
            },
            Self::Larger(octets) => (row.row.octets > *octets).into(),
            Self::Smaller(octets) => (row.row.octets < *octets).into(),
            Self::AtOrBefore(secs) => (row.row.internal_date.secs <= *secs).into(),
            Self::AtOrAfter(secs) => (row.row.internal_date.secs >= *secs).into(),
            Self::ModSeq(modseq) => (row.row.modseq >= ModSeq(*modseq)).into(),
            Self::Field(_, needle) | Self::Body(needle) | Self::Text(needle)
                if needles.prove(|place| self.is_at(place), needle, row.row.uid) =>
            {
                Verdict::True
            }
            Self::Field(name, needle) => header_holds(Some(name), needle, known, needles),
            Self::Envelope(field, needle) => {
                let name = field_name(*field);
                let told = known.envelope.zip(needles.header_place(Some(name), needle));
                match told.and_then(|(told, place)| told.get(place).copied()) {
                    None => Verdict::Unknown(Need::Record),
                    Some(Some(holds)) => holds.into(),
                    Some(None) => header_holds(Some(name), needle, known, needles),
                }
            }
            Self::Body(needle) => body_holds(needle, known, needles),
            Self::Text(needle) => match header_holds(None, needle, known, needles) {
                Verdict::False => body_holds(needle, known, needles),
                decided @ (Verdict::True | Verdict::Unknown(_)) => decided,
            },
            Self::Words(fuzzy) => (needles.relevancy(fuzzy, row.row.uid) > 0).into(),
        }
    }
}

fn found_at(found: Option<&[bool]>, place: Option<usize>) -> bool {
    found.zip(place).and_then(|(found, place)| found.get(place)).copied().unwrap_or(false)
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

fn header_holds(field: Option<&[u8]>, needle: &Needle, known: &Known<'_>, needles: &Needles) -> Verdict {
    if known.header.is_none() {
        return Verdict::Unknown(Need::Header);
    }
    found_at(known.header, needles.header_place(field, needle)).into()
}

fn body_holds(needle: &Needle, known: &Known<'_>, needles: &Needles) -> Verdict {
    if needle.is_empty() {
        return Verdict::True;
    }
    if known.body.is_none() {
        return Verdict::Unknown(Need::Body);
    }
    found_at(known.body, needles.body_place(needle)).into()
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
