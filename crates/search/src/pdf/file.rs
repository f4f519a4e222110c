//! The objects of a PDF file (ISO 32000-1 §7.5): found where they stand, not where the file says that they are, so that damaged
//! files are read as well; those in object streams (§7.5.7) too. Of two with one number the later counts.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use super::budget::Budget;
use super::filter::decoded;
use super::value::{Dictionary, Reader, Value, is_blank};
use crate::limits::{PDF_CODES_MAX, PDF_OBJECTS_MAX, PDF_UNPACKED_OCTETS_MAX};

/// Where an object is.
#[derive(Clone, Copy)]
enum Place {
    /// From an octet of the file to where the next one begins.
    InFile(usize, usize),
    /// In an object stream.
    InStream(usize, usize),
}

/// A PDF file.
pub(super) struct File<'a> {
    octets: &'a [u8],
    objects: HashMap<u32, Place>,
    /// Object streams, unpacked.
    streams: Vec<Rc<Vec<u8>>>,
    /// Streams that were unpacked, by where their object begins; `None` when that failed.
    unpacked: RefCell<HashMap<usize, Option<Rc<Vec<u8>>>>>,
    /// Octets of streams that may still be kept.
    unpack_left: Cell<usize>,
    pub(super) budget: &'a Budget<'a>,
    /// Codes of fonts whose meanings and widths may still be kept.
    pub(super) codes_left: Cell<usize>,
}

impl<'a> File<'a> {
    /// Finds the objects; `None` when it is no PDF, or encrypted.
    pub(super) fn new(octets: &'a [u8], budget: &'a Budget<'a>) -> Option<Self> {
        if !octets.starts_with(BEGINS) || memchr::memmem::find(octets, b"/Encrypt").is_some() {
            return None;
        }
        let mut file = Self {
            octets,
            objects: HashMap::new(),
            streams: Vec::new(),
            unpacked: RefCell::new(HashMap::new()),
            unpack_left: Cell::new(PDF_UNPACKED_OCTETS_MAX),
            budget,
            codes_left: Cell::new(PDF_CODES_MAX),
        };
        let starts: Vec<(u32, usize, usize)> = starts(octets).take(PDF_OBJECTS_MAX).collect();
        for (at, (number, head, body)) in starts.iter().enumerate() {
            let end = starts.get(at + 1).map_or(octets.len(), |(_, head, _)| *head).max(*head);
            file.objects.insert(*number, Place::InFile(*body, end));
            if memchr::memmem::find(octets.get(*body..end)?, b"/ObjStm").is_some() {
                file.open_object_stream(*number);
            }
        }
        Some(file)
    }

    /// Takes the objects of an object stream: `number offset` for each, then the objects.
    fn open_object_stream(&mut self, number: u32) {
        let reference = Value::Reference(number);
        let Some(dictionary) = self.dictionary(&reference).filter(|dictionary| dictionary.is("Type", "ObjStm")) else {
            return;
        };
        let (count, first) =
            (dictionary.get("N").and_then(Value::count), dictionary.get("First").and_then(Value::count));
        let (Some(count), Some(first), Some(data)) = (count, first, self.stream(&reference)) else { return };
        if self.budget.charge(data.len()).is_none() {
            return;
        }
        let mut reader = Reader::new(&data, 0);
        let mut found = Vec::new();
        for _ in 0..count {
            let pair = (reader.value().and_then(|v| v.count()), reader.value().and_then(|v| v.count()));
            let (Some(number), Some(offset)) = pair else { break };
            if let Ok(number) = u32::try_from(number) {
                found.push((number, first.saturating_add(offset)));
            }
            if self.objects.len().saturating_add(found.len()) > PDF_OBJECTS_MAX {
                break;
            }
        }
        let at = self.streams.len();
        self.objects.extend(found.into_iter().map(|(number, offset)| (number, Place::InStream(at, offset))));
        self.streams.push(data);
    }

    /// The numbers of all objects, in order.
    pub(super) fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.objects.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    /// What a value means: the object that it refers to, or itself.
    pub(super) fn resolved<'v>(&self, value: &'v Value) -> Cow<'v, Value> {
        let Value::Reference(number) = value else { return Cow::Borrowed(value) };
        let mut number = *number;
        // A reference to a reference is no longer than this in any sound file.
        for _ in 0..REFERENCES_MAX {
            let value = self.read(number).map_or(Value::Null, |(value, _)| value);
            let Value::Reference(next) = value else { return Cow::Owned(value) };
            number = next;
        }
        Cow::Owned(Value::Null)
    }

    /// The dictionary that a value means, or that of the stream that it means.
    pub(super) fn dictionary<'v>(&self, value: &'v Value) -> Option<Cow<'v, Dictionary>> {
        match self.resolved(value) {
            Cow::Borrowed(Value::Dictionary(dictionary)) => Some(Cow::Borrowed(dictionary)),
            Cow::Owned(Value::Dictionary(dictionary)) => Some(Cow::Owned(dictionary)),
            Cow::Borrowed(_) | Cow::Owned(_) => None,
        }
    }

    /// An entry of a dictionary, resolved.
    pub(super) fn entry<'v>(&self, dictionary: &'v Dictionary, name: &str) -> Option<Cow<'v, Value>> {
        dictionary.get(name).map(|value| self.resolved(value))
    }

    /// An object, and where the word behind it begins when it is in the file itself.
    fn read(&self, number: u32) -> Option<(Value, Option<usize>)> {
        let (octets, at, end, in_file) = match *self.objects.get(&number)? {
            Place::InFile(at, end) => (self.octets, at, end, true),
            Place::InStream(stream, at) => {
                let stream = self.streams.get(stream)?;
                (stream.as_slice(), at, stream.len(), false)
            }
        };
        self.budget.charge(OBJECT_WORK)?;
        let end = end.min(at.saturating_add(self.budget.left()));
        let mut reader = Reader::new(octets.get(..end)?, at);
        let value = reader.value();
        // Blanks before nothing cost as much as a value.
        self.budget.charge(reader.at().saturating_sub(at).saturating_add(reader.looked_ahead()));
        Some((value?, in_file.then(|| reader.at())))
    }

    /// The octets of the stream that a reference means, unpacked; `None` when they are too many or in a form that is not known.
    /// Each is unpacked once, or found to be none once.
    pub(super) fn stream(&self, value: &Value) -> Option<Rc<Vec<u8>>> {
        let Value::Reference(number) = value else { return None };
        let Place::InFile(place, _) = *self.objects.get(number)? else { return None };
        if let Some(known) = self.unpacked.borrow().get(&place) {
            return known.clone();
        }
        let data = self.unpack(*number).map(Rc::new);
        let octets = data.as_ref().map_or(0, |data| data.len());
        self.unpack_left.set(self.unpack_left.get().saturating_sub(octets));
        self.unpacked.borrow_mut().insert(place, data.clone());
        data
    }

    fn unpack(&self, number: u32) -> Option<Vec<u8>> {
        let (Value::Dictionary(dictionary), Some(behind)) = self.read(number)? else { return None };
        let packed = self.packed(&dictionary, behind)?;
        decoded(packed, &self.filters(&dictionary), self.unpack_left.get(), self.budget)
    }

    /// The octets of a stream as they are in the file (ISO 32000-1 §7.3.8.1).
    fn packed(&self, dictionary: &Dictionary, behind: usize) -> Option<&'a [u8]> {
        let rest = self.octets.get(behind..)?;
        let blanks = rest.iter().take(BLANKS_MAX).take_while(|octet| is_blank(**octet)).count();
        let rest = rest.get(blanks..)?.strip_prefix(b"stream")?;
        let rest = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
        let length = dictionary.get("Length").map(|length| self.resolved(length)).and_then(|length| length.count());
        if let Some(data) = length.and_then(|length| rest.get(..length)) {
            let after = rest.get(data.len()..).unwrap_or_default();
            let blanks = after.iter().take(BLANKS_MAX).take_while(|octet| is_blank(**octet)).count();
            if after.get(blanks..).is_some_and(|after| after.starts_with(b"endstream")) {
                return Some(data);
            }
        }
        // What is looked through costs as much as what is read.
        let seen = rest.get(..rest.len().min(self.budget.left())).unwrap_or_default();
        let end = memchr::memmem::find(seen, b"endstream").unwrap_or(seen.len());
        self.budget.charge(end)?;
        seen.get(..end)
    }

    /// The names of a stream's filters, in order.
    fn filters(&self, dictionary: &Dictionary) -> Vec<Vec<u8>> {
        let name = |value: &Value| if let Value::Name(name) = value { Some(name.clone()) } else { None };
        let Some(filter) = self.entry(dictionary, "Filter") else { return Vec::new() };
        if let Value::Array(all) = &*filter {
            return all.iter().take(FILTERS_MAX).filter_map(|value| name(&self.resolved(value))).collect();
        }
        name(&filter).into_iter().collect()
    }
}

/// `number generation obj`, wherever it stands: the number, where that begins, and where the object begins.
fn starts(octets: &[u8]) -> impl Iterator<Item = (u32, usize, usize)> + '_ {
    memchr::memmem::find_iter(octets, b"obj").filter_map(|at| {
        let before = octets.get(at.saturating_sub(HEAD_OCTETS)..at)?;
        let (before, _generation) = last_number(before.trim_ascii_end())?;
        let (before, number) = last_number(before.trim_ascii_end())?;
        let head = at.saturating_sub(HEAD_OCTETS).saturating_add(before.len());
        Some((number, head, at.saturating_add(3)))
    })
}

/// Digits at the end, and what is before them.
fn last_number(text: &[u8]) -> Option<(&[u8], u32)> {
    let digits = text.iter().rev().take_while(|octet| octet.is_ascii_digit()).count();
    let (before, digits) = text.split_at_checked(text.len().checked_sub(digits)?)?;
    Some((before, str::from_utf8(digits).ok()?.parse().ok()?))
}

/// How a PDF file begins.
pub(crate) const BEGINS: &[u8] = b"%PDF-";

/// Octets before `obj` in which its numbers are looked for.
const HEAD_OCTETS: usize = 24;

/// Blanks before `stream` and `endstream`: sound files have two at the most.
const BLANKS_MAX: usize = 256;

/// What finding an object costs, beside reading it.
const OBJECT_WORK: usize = 16;

const REFERENCES_MAX: usize = 8;

const FILTERS_MAX: usize = 4;
