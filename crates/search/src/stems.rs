//! When two words are the same to a person: one stem in a language that people here write.

use std::borrow::Cow;

use frostem::{Algorithm, Stemmer};

/// Languages that are tried; which one a text is in is not asked, since a query is too short to tell.
const LANGUAGES: [Algorithm; 10] = [
    Algorithm::English,
    Algorithm::French,
    Algorithm::German,
    Algorithm::Dutch,
    Algorithm::Spanish,
    Algorithm::Italian,
    Algorithm::Portuguese,
    Algorithm::Swedish,
    Algorithm::Danish,
    Algorithm::Norwegian,
];

/// A word of a query with what it is compared by.
pub(crate) struct Query {
    word: String,
    stems: Vec<(Stemmer, String)>,
    /// What every word that fits begins with.
    prefix: String,
}

impl Query {
    pub(crate) fn new(word: &str) -> Self {
        let natural = word.chars().count() >= STEMMED_CHARS_MIN && is_natural(word);
        let stemmers = LANGUAGES.iter().filter(|_| natural).map(|language| Stemmer::new(*language));
        let stems: Vec<(Stemmer, String)> =
            stemmers.map(|stemmer| (stemmer, stemmer.stem(word).into_owned())).collect();
        // A stem may differ from the words that lead to it in its last letter or two ("journal", "journaux").
        let shortest = stems.iter().map(|(_, stem)| common(stem, word)).min().unwrap_or(usize::MAX);
        let kept = shortest.saturating_sub(1).max(STEMMED_CHARS_MIN - 1).min(word.chars().count());
        let kept = if natural { kept } else { word.chars().count() };
        Self { word: word.to_owned(), stems, prefix: word.chars().take(kept).collect() }
    }

    /// What every word that fits begins with.
    pub(crate) fn prefix(&self) -> &str {
        &self.prefix
    }

    /// How well a word fits: from 1 (it is the same) down; `None`: not at all.
    pub(crate) fn fit(&self, word: &str) -> Option<f32> {
        if word == self.word {
            return Some(1.0);
        }
        let same_stem = || {
            let same = |(stemmer, stem): &(Stemmer, String)| stemmer.stem(word) == Cow::Borrowed(stem.as_str());
            is_natural(word) && self.stems.iter().any(same)
        };
        if same_stem() {
            return Some(0.85);
        }
        let chars = self.word.chars().count();
        let begins = chars >= PREFIX_CHARS_MIN && word.starts_with(self.word.as_str());
        begins.then(|| if chars.saturating_mul(2) > word.chars().count() { 0.7 } else { 0.5 })
    }
}

/// Letters of one that could be in a dictionary.
fn is_natural(word: &str) -> bool {
    word.len() <= NATURAL_OCTETS_MAX && word.chars().all(char::is_alphabetic)
}

/// Characters that both begin with.
fn common(a: &str, b: &str) -> usize {
    a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count()
}

/// A shorter word has no stem but itself.
const STEMMED_CHARS_MIN: usize = 4;

/// What a shorter word begins is not meant.
const PREFIX_CHARS_MIN: usize = 3;

const NATURAL_OCTETS_MAX: usize = 40;

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(query: &str, word: &str) -> bool {
        let query = Query::new(query);
        let fit = query.fit(word).is_some();
        assert!(!fit || word.starts_with(query.prefix()), "{word} is not under {}", query.prefix());
        fit
    }

    #[test]
    fn words_of_one_stem_fit() {
        for (query, word) in [
            ("invoices", "invoice"),
            ("delivering", "delivered"),
            ("factures", "facture"),
            ("journaux", "journal"),
            ("hauser", "haus"),
            ("rechnung", "rechnungen"),
            ("leveringen", "levering"),
            ("facturas", "factura"),
            ("pagamenti", "pagamento"),
        ] {
            assert!(fits(query, word), "{query}, {word}");
        }
        for (query, word) in [("invoice", "invention"), ("rat", "ra"), ("2026", "202"), ("haus", "maus")] {
            assert!(!fits(query, word), "{query}, {word}");
        }
    }

    #[test]
    fn the_same_is_better_than_the_alike() {
        let query = Query::new("invoice");
        let fit = |word| query.fit(word).unwrap_or_default();
        assert!(fit("invoice") > fit("invoices") && fit("invoices") > fit("invoicenumber"));
        assert!(fits("rec", "rechnung") && !fits("re", "rechnung"));
    }
}
