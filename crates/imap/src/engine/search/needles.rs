//! What is looked for in headers and bodies, and the looking.

use std::collections::HashMap;
use std::ops::Range;

use imap_wire::{EnvelopeField, NumberSet};
use mail::Uid;
use memchr::memmem::Finder;
use message::{ADDRESS_SEPARATORS, decode_header, raw_fields};
use search::{Place, Proof, Relevant};

use crate::engine::comparator::Comparator;

/// A folded text that is looked for: found as a part of the folded text (RFC 3501 §6.4.4).
#[derive(Clone, Debug)]
pub(crate) struct Needle(Box<Finder<'static>>);

/// Two needles for the same are one.
impl PartialEq for Needle {
    fn eq(&self, other: &Self) -> bool {
        self.0.needle() == other.0.needle()
    }
}

impl Needle {
    /// A folded text.
    pub(crate) fn text(folded: &str) -> Self {
        Self(Box::new(Finder::new(folded).into_owned()))
    }

    /// The text, for the index.
    pub(crate) fn folded(&self) -> String {
        String::from_utf8_lossy(self.0.needle()).into_owned()
    }

    /// Whether a line break is in it.
    pub(crate) fn has_line_break(&self) -> bool {
        self.0.needle().contains(&b'\n')
    }

    /// Whether it can only stand within a name or an address, not between them.
    fn is_within_a_name_or_an_address(&self) -> bool {
        let text = self.0.needle();
        text.trim_ascii().len() == text.len() && !text.iter().any(|octet| ADDRESS_SEPARATORS.contains(octet))
    }

    /// Whether everything holds it.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.needle().is_empty()
    }

    /// Whether a folded text holds it.
    pub(crate) fn is_in(&self, folded: &str) -> bool {
        self.0.find(folded.as_bytes()).is_some()
    }
}

/// Words that are looked for by FUZZY (RFC 6203), all of them in one place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fuzzy {
    pub(crate) place: Place,
    pub(crate) text: String,
}

/// What is looked for in a message; of the header in one field only, or in all of it with its names.
#[derive(Debug, Default)]
pub(crate) struct Needles {
    header: Vec<HeaderNeedle>,
    /// Where they are among these, by text and field. There may be thousands, for each of thousands of messages.
    field_places: HashMap<Vec<u8>, HashMap<Vec<u8>, usize>>,
    /// The same of what is looked for in all of the header, by text.
    whole_places: HashMap<Vec<u8>, usize>,
    body: Vec<Needle>,
    body_places: HashMap<Vec<u8>, usize>,
    /// How many questions are asked of each message, these and others.
    tests: usize,
    /// Words, and the messages that have them, in the order of their UIDs.
    fuzzy: Vec<(Fuzzy, Vec<Relevant>)>,
    /// Texts that messages have for sure, with the places, of which there are few, and the messages.
    proofs: HashMap<Vec<u8>, Vec<(Place, NumberSet)>>,
    /// How texts are folded.
    comparator: Comparator,
}

/// What is looked for in the header.
#[derive(Clone, Debug)]
pub(crate) struct HeaderNeedle {
    field: Option<Vec<u8>>,
    pub(super) needle: Needle,
    /// The field of the envelope that it was looked for in.
    pub(super) envelope: Option<EnvelopeField>,
    /// It can only stand within a name or an address, not between them.
    pub(super) is_within: bool,
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

    /// Words that are looked for; which messages have them is found out before messages are looked at.
    pub(crate) fn fuzzy_mut(&mut self) -> impl Iterator<Item = &mut (Fuzzy, Vec<Relevant>)> {
        self.fuzzy.iter_mut()
    }

    /// Takes what the index knows for sure. It knows of no case, so that is nothing where case counts.
    pub(crate) fn take_proofs(&mut self, proofs: Vec<Proof>) {
        if self.comparator.is_caseless() {
            for Proof { place, text, uids } in proofs {
                self.proofs.entry(text.into_bytes()).or_default().push((place, NumberSet::from_numbers(uids)));
            }
        }
    }

    /// Whether a message has a text for sure, at a place.
    pub(super) fn prove(&self, at: impl Fn(&Place) -> bool, needle: &Needle, uid: Uid) -> bool {
        let places = self.proofs.get(needle.0.needle());
        places.is_some_and(|places| places.iter().any(|(place, uids)| at(place) && uids.contains(uid.0)))
    }

    /// The messages that have the words.
    pub(super) fn relevant(&self, fuzzy: &Fuzzy) -> &[Relevant] {
        let known = self.fuzzy.iter().find(|(known, _)| known == fuzzy);
        known.map(|(_, relevant)| relevant.as_slice()).unwrap_or_default()
    }

    /// How well a message fits the words; 0 when it does not.
    pub(super) fn relevancy(&self, fuzzy: &Fuzzy, uid: Uid) -> u8 {
        let relevant = self.relevant(fuzzy);
        let place = relevant.binary_search_by_key(&uid, |relevant| relevant.uid).ok();
        place.and_then(|place| relevant.get(place)).map_or(0, |relevant| relevant.relevancy)
    }

    pub(super) fn add_fuzzy(&mut self, fuzzy: &Fuzzy) {
        if !self.fuzzy.iter().any(|(known, _)| known == fuzzy) {
            self.fuzzy.push((fuzzy.clone(), Vec::new()));
        }
    }

    /// How texts are folded.
    pub(crate) fn comparator(&self) -> Comparator {
        self.comparator
    }

    /// How many questions are asked of each message.
    pub(crate) fn tests(&self) -> usize {
        self.tests
    }

    pub(super) fn count_test(&mut self) {
        self.tests = self.tests.saturating_add(1);
    }

    pub(super) fn add_header(&mut self, field: Option<&[u8]>, envelope: Option<EnvelopeField>, needle: &Needle) {
        match self.header_place(field, needle).and_then(|place| self.header.get_mut(place)) {
            Some(known) => known.envelope = known.envelope.or(envelope),
            None => {
                let (text, place) = (needle.0.needle().to_vec(), self.header.len());
                match field {
                    Some(field) => self.field_places.entry(text).or_default().insert(field.to_vec(), place),
                    None => self.whole_places.insert(text, place),
                };
                let field = field.map(<[u8]>::to_vec);
                let is_within = needle.is_within_a_name_or_an_address();
                self.header.push(HeaderNeedle { field, needle: needle.clone(), envelope, is_within });
            }
        }
    }

    pub(super) fn add_body(&mut self, needle: &Needle) {
        if self.body_place(needle).is_none() {
            self.body_places.insert(needle.0.needle().to_vec(), self.body.len());
            self.body.push(needle.clone());
        }
    }

    /// Where a needle of the header is.
    pub(super) fn header_place(&self, field: Option<&[u8]>, needle: &Needle) -> Option<usize> {
        let text = needle.0.needle();
        match field {
            Some(field) => self.field_places.get(text)?.get(field).copied(),
            None => self.whole_places.get(text).copied(),
        }
    }

    /// Where a needle of the body is.
    pub(super) fn body_place(&self, needle: &Needle) -> Option<usize> {
        self.body_places.get(needle.0.needle()).copied()
    }
}

/// A header, decoded and folded once, however much is looked for in it.
pub(crate) struct FoldedHeader<'a> {
    /// `name: value` of every field, each ended with a NUL, which no needle holds (RFC 3501 §9).
    folded: String,
    /// Names, and where their values are.
    fields: Vec<(&'a [u8], Range<usize>)>,
}

impl<'a> FoldedHeader<'a> {
    /// All fields of a header.
    pub(crate) fn new(header: &'a [u8], comparator: Comparator) -> Self {
        Self::of_fields(header, comparator, |_| true)
    }

    /// Those fields of a header in which something is looked for: of most headers a line or two.
    pub(crate) fn wanted(header: &'a [u8], comparator: Comparator, wanted: &[HeaderNeedle]) -> Self {
        let named = |name: &[u8], needle: &HeaderNeedle| {
            needle.field.as_ref().is_none_or(|field| field.eq_ignore_ascii_case(name))
        };
        Self::of_fields(header, comparator, |name| wanted.iter().any(|needle| named(name, needle)))
    }

    fn of_fields(header: &'a [u8], comparator: Comparator, wanted: impl Fn(&[u8]) -> bool) -> Self {
        let mut texts = Self { folded: String::new(), fields: Vec::new() };
        for field in raw_fields(header) {
            let name = field.name.unwrap_or_default();
            if !wanted(name) {
                continue;
            }
            texts.folded.push_str(&comparator.fold(&format!("{}: ", String::from_utf8_lossy(name))));
            let start = texts.folded.len();
            texts.folded.push_str(&comparator.fold(&decode_header(field.value())));
            texts.fields.push((name, start..texts.folded.len()));
            texts.folded.push('\0');
        }
        texts
    }

    /// Whether any field holds it, its name included.
    pub(crate) fn holds_anywhere(&self, needle: &Needle) -> bool {
        !self.fields.is_empty() && needle.is_in(&self.folded)
    }

    /// Whether it holds what is looked for.
    pub(crate) fn holds(&self, wanted: &HeaderNeedle) -> bool {
        let Some(name) = &wanted.field else { return self.holds_anywhere(&wanted.needle) };
        let mut named = self.fields.iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
        named.any(|(_, value)| self.folded.get(value.clone()).is_some_and(|value| wanted.needle.is_in(value)))
    }
}
