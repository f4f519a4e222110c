//! Rules about whole arguments, the same for commands that imap-codec parsed and for those that our grammar parsed.

use crate::command::{
    Depth, EntryName, EntryValue, Fetch, FetchItem, List, ListReturn, ListSelection, MetadataQuery, PartialRange,
    Qresync, QuotaResource, Search, SearchKey, SearchReturn, SortCriterion, StatusItem, ThreadAlgorithm,
};
use crate::flag::Flag;
use crate::flaw::{Flaw, printable};
use crate::grammar::MetadataOption;
use crate::limits::{ENTRIES_MAX, FETCH_ITEMS_MAX, MODSEQ_MAX, SEARCH_KEYS_MAX, SORT_CRITERIA_MAX};
use crate::mailbox_name::{MailboxName, NameEncoding, decode_text};
use crate::sequence::SequenceSet;

pub(crate) fn mailbox(wire: &[u8], encoding: NameEncoding) -> Result<MailboxName, Flaw> {
    MailboxName::decode(wire, encoding).map_err(|flaw| Flaw::of(flaw.text()))
}

/// A LIST reference or pattern.
pub(crate) fn list_text(wire: &[u8], encoding: NameEncoding) -> Result<String, Flaw> {
    decode_text(wire, encoding).map_err(|flaw| Flaw::of(flaw.text()))
}

/// A user name; authentication compares Unicode text (RFC 4013).
pub(crate) fn username(bytes: &[u8]) -> Result<String, Flaw> {
    str::from_utf8(bytes).map(str::to_owned).map_err(|_| Flaw::of("the user name is not in UTF-8"))
}

/// A flag as written, with its backslash if it has one.
pub(crate) fn flag(text: &[u8]) -> Result<Flag, Flaw> {
    // RFC 3501 §2.3.2: \Recent cannot be set by a client, and other names with a backslash are reserved.
    Flag::parse(text).ok_or_else(|| match text.first() {
        Some(b'\\') => Flaw::of(format!("a client cannot set the flag {}", printable(text))),
        _ => Flaw::of(format!("{} is not a keyword", printable(text))),
    })
}

/// RFC 3501 §9 wants at least one item; asking twice is asking once.
pub(crate) fn status_items(items: impl IntoIterator<Item = StatusItem>) -> Result<Vec<StatusItem>, Flaw> {
    let mut unique = Vec::new();
    for item in items {
        if !unique.contains(&item) {
            unique.push(item);
        }
    }
    if unique.is_empty() { Err(Flaw::of("at least one status item is needed")) } else { Ok(unique) }
}

/// RFC 5464 §3.2: an invalid entry name is answered with BAD in any command.
pub(crate) fn entry_name(text: &[u8]) -> Result<EntryName, Flaw> {
    EntryName::parse(text).map_err(|flaw| Flaw::of(flaw.text()))
}

/// The name of a quota root: here it is text.
pub(crate) fn quota_root(name: &[u8]) -> Result<String, Flaw> {
    String::from_utf8(name.to_vec()).map_err(|_| Flaw::of("the name of the quota root is not in UTF-8"))
}

/// Resources and limits of SETQUOTA.
pub(crate) fn quota_limits(pairs: Vec<(Vec<u8>, u64)>) -> Result<Vec<(QuotaResource, u64)>, Flaw> {
    let mut limits: Vec<(QuotaResource, u64)> = Vec::new();
    for (name, limit) in pairs {
        let resource = QuotaResource::parse(&name)
            .ok_or_else(|| Flaw::cannot(format!("the resource {} can't be limited here", printable(&name))))?;
        // RFC 9208 §3.1.2: a number of 63 bits.
        if limit > i64::MAX as u64 {
            return Err(Flaw::of("a limit has 63 bits"));
        }
        if limits.iter().any(|(known, _)| *known == resource) {
            return Err(Flaw::of(format!("the resource {} is given twice", resource.as_str())));
        }
        limits.push((resource, limit));
    }
    Ok(limits)
}

/// Entries and options of GETMETADATA; asking twice is asking once.
pub(crate) fn metadata_query(names: Vec<Vec<u8>>, options: Vec<MetadataOption>) -> Result<MetadataQuery, Flaw> {
    let (mut size_max, mut depth) = (None, None);
    for option in options {
        let twice = match option {
            MetadataOption::SizeMax(size) => size_max.replace(size).is_some(),
            MetadataOption::Depth(wanted) => depth.replace(wanted).is_some(),
        };
        if twice {
            return Err(Flaw::of("an option is given twice"));
        }
    }
    let depth = depth.unwrap_or_default();
    let mut entries = Vec::new();
    for name in &names {
        let entry = if depth == Depth::Entry { EntryName::parse(name) } else { EntryName::parse_above(name) };
        let entry = entry.map_err(|flaw| Flaw::of(flaw.text()))?;
        if !entries.contains(&entry) {
            entries.push(entry);
        }
    }
    if entries.is_empty() {
        return Err(Flaw::of("at least one entry is needed"));
    }
    if names.len() > ENTRIES_MAX {
        return Err(Flaw::limit(format!("more than {ENTRIES_MAX} entries")));
    }
    Ok(MetadataQuery { entries, size_max, depth })
}

/// Entries and values of SETMETADATA.
pub(crate) fn metadata_entries(pairs: Vec<(Vec<u8>, Option<Vec<u8>>)>) -> Result<Vec<EntryValue>, Flaw> {
    if pairs.is_empty() {
        return Err(Flaw::of("at least one entry is needed"));
    }
    if pairs.len() > ENTRIES_MAX {
        return Err(Flaw::limit(format!("more than {ENTRIES_MAX} entries")));
    }
    let mut entries: Vec<EntryValue> = Vec::with_capacity(pairs.len());
    for (name, value) in pairs {
        let name = entry_name(&name)?;
        if entries.iter().any(|(known, _)| *known == name) {
            return Err(Flaw::of(format!("the entry {} is given twice", printable(name.as_str().as_bytes()))));
        }
        entries.push((name, value));
    }
    Ok(entries)
}

pub(crate) fn modseq(value: u64) -> Result<u64, Flaw> {
    if value > MODSEQ_MAX { Err(Flaw::of("a mod-sequence has 63 bits")) } else { Ok(value) }
}

/// The modifiers of FETCH as they come, in any order, each once.
#[derive(Debug, Default)]
pub(crate) struct FetchModifiers {
    changed_since: Option<u64>,
    vanished: bool,
    partial: Option<PartialRange>,
}

impl FetchModifiers {
    pub(crate) fn changed_since(&mut self, value: u64) -> Result<(), Flaw> {
        match self.changed_since.replace(modseq(value)?) {
            None => Ok(()),
            Some(_) => Err(Flaw::of("CHANGEDSINCE is given twice")),
        }
    }

    pub(crate) fn partial(&mut self, range: PartialRange) -> Result<(), Flaw> {
        if self.partial.replace(range).is_some() { Err(Flaw::of("PARTIAL is given twice")) } else { Ok(()) }
    }

    pub(crate) fn vanished(&mut self) -> Result<(), Flaw> {
        if std::mem::replace(&mut self.vanished, true) { Err(Flaw::of("VANISHED is given twice")) } else { Ok(()) }
    }
}

/// What a client knows of a mailbox (RFC 7162 §7: no set has a `*`; §3.2.5.2: those that go together ascend).
pub(crate) fn qresync(parameter: Qresync) -> Result<Qresync, Flaw> {
    modseq(parameter.modseq)?;
    let matched = parameter.sequence_match.iter().flat_map(|(numbers, uids)| [numbers, uids]);
    if parameter.known_uids.iter().chain(matched).any(|set| set.has_largest() || set.has_saved()) {
        return Err(Flaw::of("QRESYNC takes neither * nor $"));
    }
    if let Some((numbers, uids)) = &parameter.sequence_match
        && !(numbers.is_ascending() && uids.is_ascending())
    {
        return Err(Flaw::of("sequence numbers and their UIDs must ascend"));
    }
    Ok(parameter)
}

pub(crate) fn fetch(
    set: SequenceSet,
    uid: bool,
    items: Vec<FetchItem>,
    modifiers: FetchModifiers,
) -> Result<Fetch, Flaw> {
    let FetchModifiers { changed_since, vanished, partial } = modifiers;
    // RFC 9394 §3.3: "extends the UID FETCH command".
    if partial.is_some() && !uid {
        return Err(Flaw::of("PARTIAL is for UID FETCH only"));
    }
    // RFC 7162 §3.2.6: only where UIDs are named, and only together with CHANGEDSINCE.
    if vanished && !uid {
        return Err(Flaw::of("VANISHED is for UID FETCH only"));
    }
    if vanished && changed_since.is_none() {
        return Err(Flaw::of("VANISHED needs CHANGEDSINCE"));
    }
    if items.is_empty() {
        return Err(Flaw::of("at least one data item is needed"));
    }
    if items.len() > FETCH_ITEMS_MAX {
        return Err(Flaw::limit(format!("more than {FETCH_ITEMS_MAX} data items")));
    }
    Ok(Fetch { set, uid, items, changed_since, vanished, partial })
}

pub(crate) fn search(
    uid: bool,
    charset: Option<String>,
    returns: Option<SearchReturn>,
    keys: Vec<SearchKey>,
) -> Result<Search, Flaw> {
    let key = SearchKey::all_of(keys);
    if key_count(&key) > SEARCH_KEYS_MAX {
        return Err(Flaw::limit(format!("more than {SEARCH_KEYS_MAX} search keys")));
    }
    Ok(Search { uid, charset, returns, update_fetch: Vec::new(), key })
}

pub(crate) fn sort_criteria(criteria: Vec<SortCriterion>) -> Result<Vec<SortCriterion>, Flaw> {
    match criteria.len() {
        0 => Err(Flaw::of("at least one sort criterion is needed")),
        1..=SORT_CRITERIA_MAX => Ok(criteria),
        _ => Err(Flaw::limit(format!("more than {SORT_CRITERIA_MAX} sort criteria"))),
    }
}

pub(crate) fn thread_algorithm(name: &[u8]) -> Result<ThreadAlgorithm, Flaw> {
    match name.to_ascii_uppercase().as_slice() {
        b"ORDEREDSUBJECT" => Ok(ThreadAlgorithm::OrderedSubject),
        b"REFERENCES" => Ok(ThreadAlgorithm::References),
        b"REFS" => Ok(ThreadAlgorithm::Refs),
        _ => Err(Flaw::of(format!("unknown threading algorithm {}", printable(name)))),
    }
}

fn key_count(key: &SearchKey) -> usize {
    let count = std::cell::Cell::new(0usize);
    key.any(&|_| {
        count.set(count.get() + 1);
        count.get() > SEARCH_KEYS_MAX
    });
    count.get()
}

/// LIST without any extension.
pub(crate) fn plain_list(reference: String, pattern: String) -> List {
    List {
        reference,
        patterns: vec![pattern],
        selection: ListSelection::default(),
        returns: ListReturn::default(),
        extended: false,
    }
}
