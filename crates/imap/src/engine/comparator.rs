//! How texts are compared: comparators (RFC 4790), one of which is active in a session (RFC 5255 §4).
//!
//! `i;unicode-casemap` is the default, as I18NLEVEL=1 and 2 have it; COMPARATOR chooses another.

use message::casemap;

/// A comparator. All of them find substrings, which SEARCH needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Comparator {
    /// Without case and composition (RFC 5051).
    #[default]
    UnicodeCasemap,
    /// Without the case of ASCII letters (RFC 4790 §9.2).
    AsciiCasemap,
    /// As it is (RFC 4790 §9.3).
    Octet,
}

impl Comparator {
    /// All of them, the default first.
    pub(crate) const ALL: [Self; 3] = [Self::UnicodeCasemap, Self::AsciiCasemap, Self::Octet];

    /// Its registered name.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::UnicodeCasemap => "i;unicode-casemap",
            Self::AsciiCasemap => "i;ascii-casemap",
            Self::Octet => "i;octet",
        }
    }

    /// Those that a pattern of COMPARATOR means, in our order (RFC 4790 §4.2: `*` stands for any octets; `default` for the
    /// default).
    pub(crate) fn matching(pattern: &str) -> impl Iterator<Item = Self> {
        let pattern = pattern.to_ascii_lowercase();
        Self::ALL.into_iter().filter(move |comparator| {
            (pattern == "default" && *comparator == Self::default()) || matches(&pattern, comparator.name())
        })
    }

    /// Whether the case of letters makes no difference.
    pub(crate) const fn is_caseless(self) -> bool {
        match self {
            Self::UnicodeCasemap | Self::AsciiCasemap => true,
            Self::Octet => false,
        }
    }

    /// The form of a text whose octets are compared.
    pub(crate) fn fold(self, text: &str) -> String {
        match self {
            Self::UnicodeCasemap => casemap(text),
            Self::AsciiCasemap => text.to_ascii_uppercase(),
            Self::Octet => text.to_owned(),
        }
    }
}

/// Whether a name fits a pattern with `*`.
fn matches(pattern: &str, name: &str) -> bool {
    let mut pieces = pattern.split('*');
    let Some(mut rest) = pieces.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut last = None;
    for piece in pieces {
        // What stood between two stars is found as early as it can be.
        if let Some(between) = last.replace(piece) {
            let Some((_, behind)) = rest.split_once(between) else { return false };
            rest = behind;
        }
    }
    last.map_or(rest.is_empty(), |end| rest.ends_with(end))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_are_names_with_stars() {
        let names = |pattern: &str| Comparator::matching(pattern).map(Comparator::name).collect::<Vec<_>>();
        assert_eq!(names("i;octet"), ["i;octet"]);
        assert_eq!(names("I;OCTET"), ["i;octet"]);
        assert_eq!(names("*casemap"), ["i;unicode-casemap", "i;ascii-casemap"]);
        assert_eq!(names("i;*-case*"), ["i;unicode-casemap", "i;ascii-casemap"]);
        assert_eq!(names("default"), ["i;unicode-casemap"]);
        assert_eq!(names("*").len(), 3);
        for nothing in ["", "i;ascii-numeric", "cz;*", "i;octet*x", "i;oct", "*casemap*casemap"] {
            assert!(names(nothing).is_empty(), "{nothing}");
        }
    }

    #[test]
    fn texts_are_folded_as_the_comparator_says() {
        assert_eq!(Comparator::UnicodeCasemap.fold("é"), "E\u{301}");
        assert_eq!(Comparator::AsciiCasemap.fold("éa"), "éA");
        assert_eq!(Comparator::Octet.fold("éa"), "éa");
    }
}
