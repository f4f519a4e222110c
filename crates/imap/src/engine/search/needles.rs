//! What is looked for in headers and bodies, and the looking.

use std::ops::Range;

use memchr::memmem::Finder;
use message::{decode_header, raw_fields};

use super::words::{self, SAME, Word};
use crate::engine::comparator::Comparator;

/// A text or a word that is looked for.
#[derive(Clone, Debug)]
pub(crate) enum Needle {
    /// A folded text: found as a part of the folded text (RFC 3501 §6.4.4).
    Text(Finder<'static>),
    /// A word, for FUZZY.
    Word(Word),
}

/// Two needles for the same are one.
impl PartialEq for Needle {
    fn eq(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Text(a), Self::Text(b)) => a.needle() == b.needle(),
            (Self::Word(a), Self::Word(b)) => a == b,
            (Self::Text(_), Self::Word(_)) | (Self::Word(_), Self::Text(_)) => false,
        }
    }
}

impl Needle {
    /// A folded text.
    pub(crate) fn text(folded: &str) -> Self {
        Self::Text(Finder::new(folded).into_owned())
    }

    /// Whether a line break is in it.
    pub(crate) fn has_line_break(&self) -> bool {
        match self {
            Self::Text(finder) => finder.needle().contains(&b'\n'),
            Self::Word(_) => false,
        }
    }

    /// Whether everything holds it.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Self::Text(finder) => finder.needle().is_empty(),
            Self::Word(_) => false,
        }
    }

    /// How well a text holds it; 0 when it does not.
    pub(crate) fn score(&self, text: &Searched<'_>) -> u8 {
        match self {
            Self::Text(finder) => u8::from(finder.find(text.folded.as_bytes()).is_some()) * SAME,
            Self::Word(word) => text.best(word),
        }
    }
}

/// A text as it is looked into: folded for texts, as it is for words.
pub(crate) struct Searched<'a> {
    pub(crate) folded: &'a str,
    pub(crate) plain: &'a str,
}

impl Searched<'_> {
    fn best(&self, wanted: &Word) -> u8 {
        let mut best = 0;
        words::words(self.plain, |word| {
            best = wanted.score(word).max(best);
            best < SAME
        });
        best
    }
}

/// What is looked for in a message; of the header in one field only, or in all of it with its names.
#[derive(Debug, Default)]
pub(crate) struct Needles {
    header: Vec<HeaderNeedle>,
    body: Vec<Needle>,
    /// How texts are folded.
    comparator: Comparator,
}

/// What is looked for in the header.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct HeaderNeedle {
    field: Option<Vec<u8>>,
    needle: Needle,
}

impl Needles {
    pub(crate) fn new(comparator: Comparator) -> Self {
        Self { comparator, ..Self::default() }
    }

    /// Those for the header, in the order of [`super::Known::header`].
    pub(crate) fn header(&self) -> &[HeaderNeedle] {
        &self.header
    }

    /// Those for the body, in the order of [`super::Known::body`].
    pub(crate) fn body(&self) -> &[Needle] {
        &self.body
    }

    /// How texts are folded.
    pub(crate) fn comparator(&self) -> Comparator {
        self.comparator
    }

    pub(super) fn add_header(&mut self, field: Option<&[u8]>, needle: &Needle) {
        let needle = HeaderNeedle { field: field.map(<[u8]>::to_vec), needle: needle.clone() };
        if !self.header.contains(&needle) {
            self.header.push(needle);
        }
    }

    pub(super) fn add_body(&mut self, needle: &Needle) {
        if !self.body.contains(needle) {
            self.body.push(needle.clone());
        }
    }

    /// Where a needle of the header is.
    pub(super) fn header_place(&self, field: Option<&[u8]>, needle: &Needle) -> Option<usize> {
        self.header.iter().position(|known| known.field.as_deref() == field && known.needle == *needle)
    }

    /// Where a needle of the body is.
    pub(super) fn body_place(&self, needle: &Needle) -> Option<usize> {
        self.body.iter().position(|known| known == needle)
    }
}

/// A header, decoded and folded once, however much is looked for in it.
pub(crate) struct FoldedHeader<'a> {
    /// `name: value` of every field, each ended with a NUL, which no needle holds (RFC 3501 §9).
    folded: String,
    /// The same, not folded.
    plain: String,
    fields: Vec<Field<'a>>,
}

struct Field<'a> {
    name: &'a [u8],
    folded: Range<usize>,
    plain: Range<usize>,
}

impl<'a> FoldedHeader<'a> {
    pub(crate) fn new(header: &'a [u8], comparator: Comparator) -> Self {
        let mut texts = Self {
            folded: String::with_capacity(header.len()),
            plain: String::with_capacity(header.len()),
            fields: Vec::new(),
        };
        for field in raw_fields(header) {
            let name = field.name.unwrap_or_default();
            let shown = format!("{}: ", String::from_utf8_lossy(name));
            texts.folded.push_str(&comparator.fold(&shown));
            texts.plain.push_str(&shown);
            let starts = (texts.folded.len(), texts.plain.len());
            let value = decode_header(field.value());
            texts.folded.push_str(&comparator.fold(&value));
            texts.plain.push_str(&value);
            let (folded, plain) = (starts.0..texts.folded.len(), starts.1..texts.plain.len());
            texts.fields.push(Field { name, folded, plain });
            texts.folded.push('\0');
            texts.plain.push('\0');
        }
        texts
    }

    /// How well any field holds it, its name included.
    pub(crate) fn score_anywhere(&self, needle: &Needle) -> u8 {
        if self.fields.is_empty() {
            return 0;
        }
        needle.score(&Searched { folded: &self.folded, plain: &self.plain })
    }

    /// How well it holds what is looked for.
    pub(crate) fn score(&self, wanted: &HeaderNeedle) -> u8 {
        let Some(name) = &wanted.field else { return self.score_anywhere(&wanted.needle) };
        let named = self.fields.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        let score = |field: &Field<'_>| {
            let folded = self.folded.get(field.folded.clone()).unwrap_or_default();
            let plain = self.plain.get(field.plain.clone()).unwrap_or_default();
            wanted.needle.score(&Searched { folded, plain })
        };
        named.map(score).max().unwrap_or_default()
    }
}
