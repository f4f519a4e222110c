//! The objects of a PDF file (ISO 32000-1 §7.5): found where they stand, not where the file says that they are, so that damaged
//! files are read as well; those in object streams (§7.5.7) too. Of two with one number the later counts.

use std::cell::Cell;
use std::collections::HashMap;

use super::filter::decoded;
use super::value::{Dictionary, Reader, Value};
use crate::limits::{PDF_CODES_MAX, PDF_OBJECTS_MAX, PDF_READ_OCTETS_MAX, PDF_UNPACKED_OCTETS_MAX};

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
    streams: Vec<Vec<u8>>,
    /// Octets that may still be unpacked.
    unpack_left: Cell<usize>,
    /// Octets that may still be read: a file can name one object again and again.
    read_left: Cell<usize>,
    /// Codes of fonts whose meanings and widths may still be kept.
    pub(super) codes_left: Cell<usize>,
}

/// An object with the octets behind its dictionary.
pub(super) struct Stream {
    pub(super) dictionary: Dictionary,
    pub(super) data: Vec<u8>,
}

impl<'a> File<'a> {
    /// Finds the objects; `None` when it is no PDF, or encrypted.
    pub(super) fn new(octets: &'a [u8]) -> Option<Self> {
        if !octets.starts_with(BEGINS) || memchr::memmem::find(octets, b"/Encrypt").is_some() {
            return None;
        }
        let mut file = Self {
            octets,
            objects: HashMap::new(),
            streams: Vec::new(),
            unpack_left: Cell::new(PDF_UNPACKED_OCTETS_MAX),
            read_left: Cell::new(PDF_READ_OCTETS_MAX),
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
        let Some(stream) = self.stream(&Value::Reference(number)) else { return };
        if !stream.dictionary.is("Type", "ObjStm") {
            return;
        }
        let (count, first) = (stream.dictionary.get("N"), stream.dictionary.get("First"));
        let (Some(count), Some(first)) = (count.and_then(Value::count), first.and_then(Value::count)) else { return };
        let mut reader = Reader::new(&stream.data, 0);
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
        self.streams.push(stream.data);
    }

    /// The numbers of all objects, in order.
    pub(super) fn numbers(&self) -> Vec<u32> {
        let mut numbers: Vec<u32> = self.objects.keys().copied().collect();
        numbers.sort_unstable();
        numbers
    }

    /// What a value means: the object that it refers to, or itself.
    pub(super) fn resolved(&self, value: &Value) -> Value {
        let mut value = value.clone();
        // A reference to a reference is no longer than this in any sound file.
        for _ in 0..REFERENCES_MAX {
            let Value::Reference(number) = value else { return value };
            value = self.object(number);
        }
        Value::Null
    }

    /// The dictionary that a value means, or that of the stream that it means.
    pub(super) fn dictionary(&self, value: &Value) -> Option<Dictionary> {
        if let Value::Dictionary(dictionary) = self.resolved(value) { Some(dictionary) } else { None }
    }

    /// An entry of a dictionary, resolved.
    pub(super) fn entry(&self, dictionary: &Dictionary, name: &str) -> Option<Value> {
        dictionary.get(name).map(|value| self.resolved(value))
    }

    fn object(&self, number: u32) -> Value {
        self.read(number).map_or(Value::Null, |(value, _)| value)
    }

    /// An object, and where the word behind it begins when it is in the file itself.
    fn read(&self, number: u32) -> Option<(Value, Option<usize>)> {
        let (octets, at, in_file) = match *self.objects.get(&number)? {
            Place::InFile(at, end) => (self.octets.get(..end)?, at, true),
            Place::InStream(stream, at) => (self.streams.get(stream)?.as_slice(), at, false),
        };
        self.may_read()?;
        let mut reader = Reader::new(octets, at);
        let value = reader.value()?;
        self.has_read(reader.at().saturating_sub(at));
        Some((value, in_file.then(|| reader.at())))
    }

    /// The stream that a reference means, unpacked; `None` when it is too large or in a form that is not known.
    pub(super) fn stream(&self, value: &Value) -> Option<Stream> {
        let Value::Reference(number) = value else { return None };
        let (Value::Dictionary(dictionary), Some(behind)) = self.read(*number)? else { return None };
        let packed = self.packed(&dictionary, behind)?;
        self.has_read(packed.len());
        let filters = self.filters(&dictionary);
        let data = decoded(packed, &filters, self.unpack_left.get())?;
        self.unpack_left.set(self.unpack_left.get().saturating_sub(data.len()));
        Some(Stream { dictionary, data })
    }

    /// The octets of a stream as they are in the file (ISO 32000-1 §7.3.8.1).
    fn packed(&self, dictionary: &Dictionary, behind: usize) -> Option<&'a [u8]> {
        let mut reader = Reader::new(self.octets, behind);
        let Some(Value::Word(word)) = reader.value() else { return None };
        if word != b"stream" {
            return None;
        }
        let rest = self.octets.get(reader.at()..)?;
        let rest = rest.strip_prefix(b"\r\n").or_else(|| rest.strip_prefix(b"\n")).unwrap_or(rest);
        let length = dictionary.get("Length").map(|length| self.resolved(length)).and_then(|length| length.count());
        if let Some(data) = length.and_then(|length| rest.get(..length)) {
            let after = rest.get(data.len()..).unwrap_or_default();
            if after.trim_ascii_start().starts_with(b"endstream") {
                return Some(data);
            }
        }
        // What is looked through costs as much as what is read.
        self.may_read()?;
        let end = memchr::memmem::find(rest, b"endstream").unwrap_or(rest.len());
        self.has_read(end);
        rest.get(..end)
    }

    fn may_read(&self) -> Option<()> {
        (self.read_left.get() > 0).then_some(())
    }

    fn has_read(&self, octets: usize) {
        self.read_left.set(self.read_left.get().saturating_sub(octets));
    }

    /// The names of a stream's filters, in order.
    fn filters(&self, dictionary: &Dictionary) -> Vec<Vec<u8>> {
        let name = |value: Value| if let Value::Name(name) = value { Some(name) } else { None };
        match self.entry(dictionary, "Filter") {
            Some(Value::Name(one)) => vec![one],
            Some(Value::Array(all)) => {
                all.iter().take(FILTERS_MAX).filter_map(|value| name(self.resolved(value))).collect()
            }
            _ => Vec::new(),
        }
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

const REFERENCES_MAX: usize = 8;

const FILTERS_MAX: usize = 4;
