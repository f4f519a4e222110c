//! SEARCH keys and SORT criteria as imap-codec has them.

use imap_codec::imap_types::core::{AString, Atom, Vec1};
use imap_codec::imap_types::extensions::sort::{SortCriterion as CodecCriterion, SortKey as CodecSortKey};
use imap_codec::imap_types::search::SearchKey as CodecKey;

use super::{day, set};
use crate::checks;
use crate::command::{DateTest, EnvelopeField, Search, SearchKey, SearchText, SortCriterion, SortKey};
use crate::flag::Flag;
use crate::flaw::Flaw;
use crate::section::HeaderName;

/// What SORT and THREAD search for: the charset is always there.
pub(super) fn criteria(uid: bool, charset: &str, keys: Vec1<CodecKey<'_>>) -> Result<Search, Flaw> {
    let keys: Result<Vec<_>, _> = keys.into_iter().map(search_key).collect();
    checks::search(uid, Some(charset.to_ascii_uppercase()), None, keys?)
}

pub(super) fn sort_criterion(criterion: CodecCriterion) -> SortCriterion {
    let key = match criterion.key {
        CodecSortKey::Arrival => SortKey::Arrival,
        CodecSortKey::Cc => SortKey::Cc,
        CodecSortKey::Date => SortKey::Date,
        CodecSortKey::From => SortKey::From,
        CodecSortKey::Size => SortKey::Size,
        CodecSortKey::Subject => SortKey::Subject,
        CodecSortKey::To => SortKey::To,
        CodecSortKey::DisplayFrom => SortKey::DisplayFrom,
        CodecSortKey::DisplayTo => SortKey::DisplayTo,
    };
    SortCriterion { key, reverse: criterion.reverse }
}

pub(super) fn search_key(key: CodecKey<'_>) -> Result<SearchKey, Flaw> {
    let text = |string: AString<'_>| SearchText::new(string.as_ref());
    let envelope = |field, string: AString<'_>| SearchKey::Envelope(field, SearchText::new(string.as_ref()));
    Ok(match key {
        CodecKey::And(keys) => {
            let keys: Result<Vec<_>, _> = keys.into_iter().map(search_key).collect();
            SearchKey::all_of(keys?)
        }
        CodecKey::Not(key) => SearchKey::Not(Box::new(search_key(*key)?)),
        CodecKey::Or(a, b) => SearchKey::Or(Box::new(search_key(*a)?), Box::new(search_key(*b)?)),
        CodecKey::SequenceSet(numbers) => SearchKey::Sequence(set(&numbers)?),
        CodecKey::Uid(numbers) => SearchKey::Uid(set(&numbers)?),
        CodecKey::All => SearchKey::All,
        CodecKey::Answered => SearchKey::Has(Flag::Answered),
        CodecKey::Deleted => SearchKey::Has(Flag::Deleted),
        CodecKey::Draft => SearchKey::Has(Flag::Draft),
        CodecKey::Flagged => SearchKey::Has(Flag::Flagged),
        CodecKey::Seen => SearchKey::Has(Flag::Seen),
        CodecKey::Keyword(name) => SearchKey::Has(keyword(&name)?),
        CodecKey::Unanswered => SearchKey::Lacks(Flag::Answered),
        CodecKey::Undeleted => SearchKey::Lacks(Flag::Deleted),
        CodecKey::Undraft => SearchKey::Lacks(Flag::Draft),
        CodecKey::Unflagged => SearchKey::Lacks(Flag::Flagged),
        CodecKey::Unseen => SearchKey::Lacks(Flag::Seen),
        CodecKey::Unkeyword(name) => SearchKey::Lacks(keyword(&name)?),
        CodecKey::New => SearchKey::And(vec![SearchKey::Recent, SearchKey::Lacks(Flag::Seen)]),
        CodecKey::Old => SearchKey::Not(Box::new(SearchKey::Recent)),
        CodecKey::Recent => SearchKey::Recent,
        CodecKey::Bcc(string) => envelope(EnvelopeField::Bcc, string),
        CodecKey::Cc(string) => envelope(EnvelopeField::Cc, string),
        CodecKey::From(string) => envelope(EnvelopeField::From, string),
        CodecKey::Subject(string) => envelope(EnvelopeField::Subject, string),
        CodecKey::To(string) => envelope(EnvelopeField::To, string),
        CodecKey::Header(name, string) => SearchKey::Header(HeaderName::new(name.as_ref()), text(string)),
        CodecKey::Body(string) => SearchKey::Body(text(string)),
        CodecKey::Text(string) => SearchKey::Text(text(string)),
        CodecKey::Before(date) => SearchKey::Internal(DateTest::Before, day(&date)?),
        CodecKey::On(date) => SearchKey::Internal(DateTest::On, day(&date)?),
        CodecKey::Since(date) => SearchKey::Internal(DateTest::Since, day(&date)?),
        CodecKey::SentBefore(date) => SearchKey::Sent(DateTest::Before, day(&date)?),
        CodecKey::SentOn(date) => SearchKey::Sent(DateTest::On, day(&date)?),
        CodecKey::SentSince(date) => SearchKey::Sent(DateTest::Since, day(&date)?),
        CodecKey::Larger(octets) => SearchKey::Larger(octets.into()),
        CodecKey::Smaller(octets) => SearchKey::Smaller(octets.into()),
        CodecKey::Older(secs) => SearchKey::Older(secs.get()),
        CodecKey::Younger(secs) => SearchKey::Younger(secs.get()),
        CodecKey::ModSequence { entry: _, modseq } => SearchKey::ModSeq(checks::modseq(modseq)?),
    })
}

fn keyword(atom: &Atom<'_>) -> Result<Flag, Flaw> {
    checks::flag(atom.as_ref().as_bytes())
}
