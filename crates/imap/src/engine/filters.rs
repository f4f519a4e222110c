//! Named searches in the place of their names (RFC 5466 §3.1).

use imap_wire::limits::SEARCH_KEYS_MAX;
use imap_wire::{NameEncoding, SearchKey, search_program};

/// Filters within filters within filters: RFC 5466 §3.1 asks for 3 passes at least.
const PASSES_MAX: usize = 8;

/// The name of a filter that does not exist, can't be read, or leads to itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Undefined(pub(crate) String);

/// Whether any filter is named.
pub(crate) fn names_filters(key: &SearchKey) -> bool {
    key.any(&|key| matches!(key, SearchKey::Filter(_)))
}

/// The key with every filter in the place of its name. `value` gives what is kept under a name.
pub(crate) fn expand(key: &SearchKey, value: &dyn Fn(&str) -> Option<Vec<u8>>) -> Result<SearchKey, Undefined> {
    Expansion { value, within: Vec::new(), keys: 0 }.of(key)
}

/// Whether a value can be kept as a filter (RFC 5466 §3.2: "a full and correct search criterion"); otherwise why not.
pub(crate) fn check(value: &[u8]) -> Result<(), String> {
    parse(value).map(drop)
}

fn parse(value: &[u8]) -> Result<SearchKey, String> {
    let search = search_program(value, NameEncoding::Utf8)?;
    match search.charset.as_deref() {
        None | Some("UTF-8" | "US-ASCII") => Ok(search.key),
        Some(_) => Err("a filter is in UTF-8".to_owned()),
    }
}

struct Expansion<'a> {
    value: &'a dyn Fn(&str) -> Option<Vec<u8>>,
    /// The filters that we are in: one that leads to itself does not exist.
    within: Vec<String>,
    keys: usize,
}

impl Expansion<'_> {
    fn of(&mut self, key: &SearchKey) -> Result<SearchKey, Undefined> {
        self.keys = self.keys.saturating_add(1);
        Ok(match key {
            SearchKey::Filter(name) => return self.filter(name),
            SearchKey::And(keys) => SearchKey::And(keys.iter().map(|key| self.of(key)).collect::<Result<_, _>>()?),
            SearchKey::Or(a, b) => SearchKey::Or(Box::new(self.of(a)?), Box::new(self.of(b)?)),
            SearchKey::Not(key) => SearchKey::Not(Box::new(self.of(key)?)),
            SearchKey::Fuzzy(key) => SearchKey::Fuzzy(Box::new(self.of(key)?)),
            SearchKey::All
            | SearchKey::Sequence(_)
            | SearchKey::Uid(_)
            | SearchKey::UidAfter(_)
            | SearchKey::UidBefore(_)
            | SearchKey::Has(_)
            | SearchKey::Lacks(_)
            | SearchKey::Recent
            | SearchKey::Envelope(..)
            | SearchKey::Header(..)
            | SearchKey::Body(_)
            | SearchKey::Text(_)
            | SearchKey::Internal(..)
            | SearchKey::Sent(..)
            | SearchKey::Larger(_)
            | SearchKey::Smaller(_)
            | SearchKey::Older(_)
            | SearchKey::Younger(_)
            | SearchKey::Saved(..)
            | SearchKey::SaveDateSupported
            | SearchKey::EmailId(_)
            | SearchKey::ThreadId(_)
            | SearchKey::ModSeq(_) => key.clone(),
        })
    }

    fn filter(&mut self, name: &str) -> Result<SearchKey, Undefined> {
        let undefined = || Undefined(name.to_owned());
        // Names of annotations have no case (RFC 5464 §3.2).
        let lower = name.to_ascii_lowercase();
        // Filters that name others many times would make a search of any length.
        if self.within.contains(&lower) || self.within.len() >= PASSES_MAX || self.keys > SEARCH_KEYS_MAX {
            return Err(undefined());
        }
        let value = (self.value)(&lower).ok_or_else(undefined)?;
        let key = parse(&value).map_err(|_| undefined())?;
        self.within.push(lower);
        let expanded = self.of(&key);
        self.within.pop();
        expanded
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<SearchKey, Undefined> {
        let key = search_program(text.as_bytes(), NameEncoding::Utf8).unwrap().key;
        expand(&key, &|name| {
            let value: &[u8] = match name {
                "small" => b"OR SMALLER 5000 FROM \"boss@example.com\"",
                "smaller" => b"(FILTER small) UNSEEN",
                "broken" => b"OR SMALLER 5",
                "a" => b"NOT FILTER b",
                "b" => b"FILTER A",
                "latin" => b"CHARSET ISO-8859-1 TEXT x",
                name => {
                    let depth: u32 = name.strip_prefix("deep-")?.parse().ok()?;
                    return Some(match depth {
                        0 => b"SEEN".to_vec(),
                        depth => format!("FILTER deep-{0} FILTER deep-{0} FILTER deep-{0}", depth - 1).into_bytes(),
                    });
                }
            };
            Some(value.to_vec())
        })
    }

    #[test]
    fn a_filter_stands_for_its_value() {
        let plain = |text: &str| search_program(text.as_bytes(), NameEncoding::Utf8).unwrap().key;
        assert_eq!(
            expanded("UID 300:900 FILTER small SEEN").unwrap(),
            plain("UID 300:900 OR SMALLER 5000 FROM \"boss@example.com\" SEEN")
        );
        assert_eq!(
            expanded("NOT FILTER smaller").unwrap(),
            plain("NOT (OR SMALLER 5000 FROM \"boss@example.com\" UNSEEN)")
        );
        assert!(!names_filters(&expanded("FUZZY FILTER deep-2").unwrap()));
    }

    #[test]
    fn what_is_no_filter_is_named() {
        for (text, name) in
            [("FILTER none", "none"), ("FILTER broken", "broken"), ("FILTER a", "A"), ("FILTER latin", "latin")]
        {
            assert_eq!(expanded(text), Err(Undefined(name.to_owned())), "{text}");
        }
        // Three keys, each of which is three, and so on: 3 to the power of 7 and more.
        assert!(expanded("FILTER deep-7").is_err());
        assert!(check(b"OR SMALLER 5").is_err() && check(b"SEEN").is_ok());
    }
}
