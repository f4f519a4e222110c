//! LIST patterns: `*` matches anything, `%` anything but the delimiter (RFC 3501 §6.3.8).

use crate::limits::{LIST_PATTERN_OCTETS_MAX, LIST_PATTERNS_MAX, LIST_WILDCARDS_ALL_MAX, LIST_WILDCARDS_MAX};

/// What parts the levels of a name.
pub(crate) const DELIMITER: char = storage::mailboxes::DELIMITER;

/// A pattern with its reference in front.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Pattern(Vec<Step>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Step {
    Char(char),
    /// `%`
    Level,
    /// `*`
    Any,
}

impl Pattern {
    /// Takes a pattern; `None` when it is larger than any name calls for.
    pub(crate) fn new(reference: &str, pattern: &str) -> Option<Self> {
        if reference.len().saturating_add(pattern.len()) > LIST_PATTERN_OCTETS_MAX {
            return None;
        }
        let mut steps: Vec<Step> = Vec::new();
        let mut wildcards = 0;
        // Wildcards in the reference are wildcards all the same.
        for c in reference.chars().chain(pattern.chars()) {
            let step = match c {
                '*' => Step::Any,
                '%' => Step::Level,
                c => Step::Char(c),
            };
            // `**`, `*%` and `%*` say no more than `*`.
            match (steps.last(), step) {
                (Some(Step::Any), Step::Any | Step::Level) | (Some(Step::Level), Step::Level) => continue,
                (Some(Step::Level), Step::Any) => {
                    steps.pop();
                    wildcards -= 1;
                }
                _ => {}
            }
            wildcards += usize::from(!matches!(step, Step::Char(_)));
            steps.push(step);
        }
        (wildcards <= LIST_WILDCARDS_MAX).then_some(Self(steps))
    }

    /// Takes all patterns of one command; `None` when they are more, or larger, than any client calls for.
    pub(crate) fn several(reference: &str, patterns: &[String]) -> Option<Vec<Self>> {
        if patterns.len() > LIST_PATTERNS_MAX {
            return None;
        }
        let patterns: Vec<Self> =
            patterns.iter().map(|pattern| Self::new(reference, pattern)).collect::<Option<_>>()?;
        let wildcards = patterns.iter().flat_map(|pattern| &pattern.0).filter(|step| !matches!(step, Step::Char(_)));
        (wildcards.count() <= LIST_WILDCARDS_ALL_MAX).then_some(patterns)
    }

    /// Takes the patterns of an extended LIST. RFC 5258 §3: an empty one matches nothing, and one that is not accepted (here:
    /// larger than any name calls for) is passed over. `None` when there are too many, or too many wildcards in all.
    pub(crate) fn accepted(reference: &str, patterns: &[String]) -> Option<Vec<Self>> {
        let fit = patterns.iter().filter(|pattern| !pattern.is_empty() && Self::new(reference, pattern).is_some());
        if patterns.len() > LIST_PATTERNS_MAX {
            None
        } else {
            Self::several(reference, &fit.cloned().collect::<Vec<_>>())
        }
    }

    /// Whether a name matches. `INBOX` has no case, at the first level only (RFC 3501 §5.1).
    pub(crate) fn matches(&self, name: &str) -> bool {
        let inbox = match name.split_once(DELIMITER) {
            Some((first, _)) => first == "INBOX",
            None => name == "INBOX",
        };
        let same = |at: usize, wanted: char, c: char| {
            wanted == c || (inbox && at < "INBOX".len() && wanted.eq_ignore_ascii_case(&c))
        };
        // What comes before the first wildcard parts most names from the others.
        let mut chars = name.char_indices();
        let mut start = 0;
        let rest = loop {
            let rest = chars.as_str();
            match (self.0.get(start), chars.next()) {
                (Some(Step::Char(wanted)), Some((at, c))) if same(at, *wanted, c) => start += 1,
                (Some(Step::Char(_)), _) | (None, Some(_)) => return false,
                (None, None) => return true,
                (Some(Step::Any | Step::Level), _) => break rest,
            }
        };
        match self.0.get(start..).unwrap_or_default() {
            [Step::Any] => return true,
            [Step::Level] => return !rest.contains(DELIMITER),
            _ => {}
        }
        // The places in the pattern that the name read so far can have led to.
        let (mut places, mut next) = (vec![start], Vec::new());
        self.pass_wildcards(&mut places);
        let before = name.len().saturating_sub(rest.len());
        for (at, c) in rest.char_indices() {
            next.clear();
            for place in &places {
                match self.0.get(*place) {
                    Some(Step::Char(wanted)) if same(before.saturating_add(at), *wanted, c) => next.push(place + 1),
                    Some(Step::Any) => next.push(*place),
                    Some(Step::Level) if c != DELIMITER => next.push(*place),
                    _ => {}
                }
            }
            self.pass_wildcards(&mut next);
            if next.is_empty() {
                return false;
            }
            std::mem::swap(&mut places, &mut next);
        }
        places.contains(&self.0.len())
    }

    /// A wildcard may match nothing.
    fn pass_wildcards(&self, places: &mut Vec<usize>) {
        let mut at = 0;
        while let Some(place) = places.get(at).copied() {
            if matches!(self.0.get(place), Some(Step::Any | Step::Level)) {
                places.push(place + 1);
            }
            at += 1;
        }
        places.sort_unstable();
        places.dedup();
    }
}

/// The names above a name, the nearest last: `a/b/c` gives `a`, `a/b`.
pub(crate) fn ancestors(name: &str) -> impl Iterator<Item = &str> {
    name.match_indices(DELIMITER).filter_map(|(at, _)| name.get(..at))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(pattern: &str, name: &str) -> bool {
        Pattern::new("", pattern).unwrap().matches(name)
    }

    #[test]
    fn wildcards() {
        for (pattern, name) in [
            ("*", "a/b/c"),
            ("%", "a"),
            ("%/%", "a/b"),
            ("a*", "a/b"),
            ("a/%", "a/b"),
            ("%b%", "abc"),
            ("inbox", "INBOX"),
            ("iNb%", "INBOX"),
            ("inbox/%", "INBOX/x"),
            ("*c", "a/b/c"),
            ("a", "a"),
        ] {
            assert!(matches(pattern, name), "{pattern} {name}");
        }
        for (pattern, name) in
            [("%", "a/b"), ("a/%", "a/b/c"), ("a", "A"), ("", "a"), ("a/", "a"), ("x/inbox", "x/INBOX"), ("%/x", "x")]
        {
            assert!(!matches(pattern, name), "{pattern} {name}");
        }
        assert!(Pattern::new("a/", "%").unwrap().matches("a/b"));
    }

    #[test]
    fn a_pattern_has_bounds() {
        assert!(Pattern::new("", &"a*".repeat(LIST_WILDCARDS_MAX)).is_some());
        assert!(Pattern::new("", &"a*".repeat(LIST_WILDCARDS_MAX + 1)).is_none());
        assert!(Pattern::new("", &"*%".repeat(500)).is_some(), "wildcards in a row are one");
        assert!(Pattern::new("", &"a".repeat(LIST_PATTERN_OCTETS_MAX + 1)).is_none());
    }

    #[test]
    fn what_is_not_accepted_is_passed_over() {
        let accepted = |patterns: &[&str]| {
            let patterns: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
            Pattern::accepted("x", &patterns).map(|patterns| patterns.len())
        };
        assert_eq!(accepted(&["", "a", "*"]), Some(2));
        assert_eq!(accepted(&[&"a*".repeat(LIST_WILDCARDS_MAX + 1), "b"]), Some(1));
        assert_eq!(accepted(&["", ""]), Some(0));
        assert_eq!(accepted(&vec!["a"; LIST_PATTERNS_MAX + 1]), None);
    }

    #[test]
    fn the_patterns_of_one_command_have_bounds() {
        let several = |pattern: &str, number| Pattern::several("", &vec![pattern.to_owned(); number]);
        assert_eq!(several("a*b", LIST_PATTERNS_MAX).map(|patterns| patterns.len()), Some(LIST_PATTERNS_MAX));
        assert!(several("a", LIST_PATTERNS_MAX + 1).is_none());
        assert!(several(&"a*".repeat(20), LIST_WILDCARDS_ALL_MAX / 20).is_some());
        assert!(several(&"a*".repeat(20), LIST_WILDCARDS_ALL_MAX / 20 + 1).is_none());
    }

    /// The definition, read aloud.
    fn slow(pattern: &[char], name: &[char]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some(('*', rest)) => (0..=name.len()).any(|n| slow(rest, &name[n..])),
            Some(('%', rest)) => {
                (0..=name.len()).take_while(|n| !name[..*n].contains(&'/')).any(|n| slow(rest, &name[n..]))
            }
            Some((c, rest)) => name.first() == Some(c) && slow(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_the_definition_says(pattern in "[ab/%*]{0,8}", name in "[ab/]{0,8}") {
            let (p, n): (Vec<char>, Vec<char>) = (pattern.chars().collect(), name.chars().collect());
            prop_assert_eq!(matches(&pattern, &name), slow(&p, &n));
        }
    }
}
