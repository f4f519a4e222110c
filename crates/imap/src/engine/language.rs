//! The languages of what is said to people (RFC 5255 §3): `i-default`, English and French.
//!
//! Texts are written in English where they are said; French is looked up here, so that what nobody has translated is said in
//! English rather than not at all. Tests hold the tables against the sources: nothing that is said is without its French.

mod answers;
mod french;
mod syntax;

use std::borrow::Cow;

/// A language that a client can choose.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Language {
    /// RFC 2277 §4.5: what is said as long as nobody has chosen; English in ASCII.
    #[default]
    Unspecified,
    English,
    French,
}

impl Language {
    /// All of them, in the order in which LANGUAGE lists them.
    pub(crate) const ALL: [Self; 3] = [Self::English, Self::French, Self::Unspecified];

    /// The tag (RFC 5646).
    pub(crate) const fn tag(self) -> &'static str {
        match self {
            Self::Unspecified => "i-default",
            Self::English => "en",
            Self::French => "fr",
        }
    }

    /// The first language that one of some ranges leads to, by lookup (RFC 4647 §3.4): `fr-CA` leads to `fr`. `default` stands
    /// for `preferred`, which is what the administrator wants for this person, and so does `*`.
    pub(crate) fn choose(ranges: &[String], preferred: Self) -> Option<Self> {
        ranges.iter().find_map(|range| Self::lookup(range, preferred))
    }

    fn lookup(range: &str, preferred: Self) -> Option<Self> {
        let mut range = range;
        if range.eq_ignore_ascii_case("default") || range == "*" {
            return Some(preferred);
        }
        loop {
            if let Some(known) = Self::ALL.into_iter().find(|known| known.tag().eq_ignore_ascii_case(range)) {
                return Some(known);
            }
            (range, _) = range.rsplit_once('-')?;
        }
    }

    /// The language of an account, as its object has it.
    pub(crate) fn of_account(language: &str) -> Self {
        if language.eq_ignore_ascii_case("fr") { Self::French } else { Self::English }
    }

    /// Whether texts may have more than ASCII: a client that has chosen a language reads UTF-8 (RFC 5255 §3.2).
    pub(crate) const fn is_chosen(self) -> bool {
        !matches!(self, Self::Unspecified)
    }

    /// A text in this language.
    pub(crate) fn say(self, english: &str) -> Cow<'_, str> {
        match self {
            Self::Unspecified | Self::English => Cow::Borrowed(english),
            Self::French => french::of(english).unwrap_or(Cow::Borrowed(english)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_lead_to_languages() {
        let choose = |ranges: &[&str]| {
            let ranges: Vec<String> = ranges.iter().map(|range| (*range).to_owned()).collect();
            Language::choose(&ranges, Language::French).map(Language::tag)
        };
        for (ranges, language) in [
            (&["fr"][..], Some("fr")),
            (&["FR-ca"], Some("fr")),
            (&["de", "en-GB-oed"], Some("en")),
            (&["de", "it"], None),
            (&["i-default"], Some("i-default")),
            (&["default"], Some("fr")),
            (&["*"], Some("fr")),
            (&["mul", "default"], Some("fr")),
            (&["france"], None),
            (&[""], None),
        ] {
            assert_eq!(choose(ranges), language, "{ranges:?}");
        }
    }
}
