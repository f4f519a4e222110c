//! Address lists for ENVELOPE, from raw header values, garbage tolerated.
//!
//! RFC 5322 §3.4 and §4.4 (obsolete routes), RFC 3501 §7.4.2 for the shape. Quoting is taken away, RFC 2047 text stays as
//! sent, a comment becomes the name where there is none. One pass, no backtracking.

use crate::limits::{ADDRESSES_MAX, COMMENT_DEPTH_MAX};

/// One address structure of RFC 3501 §7.4.2.
///
/// The start of a group has a `mailbox` (the group's name) and no `host`, its end has neither. A mailbox always has both; what
/// is missing in the header is empty, so that it cannot be taken for a group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Address {
    /// Display name, RFC 2047 undecoded, or a comment.
    pub name: Option<Vec<u8>>,
    /// Source route (`@a,@b`), obsolete.
    pub route: Option<Vec<u8>>,
    /// Local part, or the name of a group.
    pub mailbox: Option<Vec<u8>>,
    /// Domain, or address literal with its brackets.
    pub host: Option<Vec<u8>>,
}

impl Address {
    /// Whether this is a mailbox, not a group's start or end.
    pub fn is_mailbox(&self) -> bool {
        self.host.is_some()
    }
}

/// Reads an address list, bounded by [`ADDRESSES_MAX`].
pub fn parse_addresses(value: &[u8]) -> Vec<Address> {
    parse_list(value, false, ADDRESSES_MAX)
}

/// Reads an address list. A value that was `cut` loses its last address, which may be half a one.
pub(crate) fn parse_list(value: &[u8], cut: bool, addresses_max: usize) -> Vec<Address> {
    let mut parser =
        Parser { rest: value, found: Vec::new(), element: Element::default(), in_group: false, addresses_max };
    parser.run();
    if !cut {
        parser.end_element();
    }
    parser.end_group();
    parser.found
}

/// A piece of a phrase or address.
struct Word {
    text: Vec<u8>,
    kind: WordKind,
    /// White space or a comment came before it.
    spaced: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum WordKind {
    /// Atom, quoted string or domain literal.
    Text,
    Dot,
    At,
}

/// What has been read since the last comma.
#[derive(Default)]
struct Element {
    words: Vec<Word>,
    comment: Option<Vec<u8>>,
    angle: Option<(Option<Vec<u8>>, Vec<Word>)>,
    spaced: bool,
}

struct Parser<'a> {
    rest: &'a [u8],
    found: Vec<Address>,
    element: Element,
    in_group: bool,
    addresses_max: usize,
}

impl Parser<'_> {
    fn run(&mut self) {
        while let Some((&byte, tail)) = self.rest.split_first() {
            if self.found.len() >= self.addresses_max {
                self.element = Element::default();
                self.rest = &[];
                return;
            }
            match byte {
                b',' => {
                    self.rest = tail;
                    self.end_element();
                }
                b';' => {
                    self.rest = tail;
                    self.end_element();
                    self.end_group();
                }
                b':' if !self.in_group && self.element.angle.is_none() && !self.element.has_at() => {
                    self.rest = tail;
                    self.begin_group();
                }
                b'<' => {
                    self.rest = tail;
                    self.angle();
                }
                b'>' => self.rest = tail,
                _ => {
                    if let Some(word) = self.word() {
                        self.element.words.push(word);
                    }
                }
            }
        }
    }

    /// The next word, or `None` after white space or a comment. Always takes at least one octet.
    fn word(&mut self) -> Option<Word> {
        let (&first, tail) = self.rest.split_first()?;
        self.rest = tail;
        let (text, kind) = match first {
            b' ' | b'\t' | b'\r' | b'\n' => {
                self.element.spaced = true;
                return None;
            }
            b'(' => {
                let comment = self.comment();
                self.element.comment = Some(comment);
                self.element.spaced = true;
                return None;
            }
            b'"' => (self.quoted(), WordKind::Text),
            b'[' => (self.literal(), WordKind::Text),
            b'.' => (b".".to_vec(), WordKind::Dot),
            b'@' => (b"@".to_vec(), WordKind::At),
            _ => {
                let more = tail.iter().position(|byte| ends_atom(*byte)).unwrap_or(tail.len());
                let mut text = vec![first];
                text.extend_from_slice(tail.get(..more).unwrap_or_default());
                self.rest = tail.get(more..).unwrap_or_default();
                (text, WordKind::Text)
            }
        };
        let spaced = std::mem::take(&mut self.element.spaced);
        Some(Word { text, kind, spaced })
    }

    /// The inside of a comment; comments in it stay. The opening parenthesis has been read.
    fn comment(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        let mut depth = 1_usize;
        while let Some((&byte, tail)) = self.rest.split_first() {
            self.rest = tail;
            match byte {
                b'\\' => {
                    if let Some((&escaped, tail)) = tail.split_first() {
                        text.push(escaped);
                        self.rest = tail;
                    }
                    continue;
                }
                b'(' => depth = depth.saturating_add(1).min(COMMENT_DEPTH_MAX),
                b')' => {
                    depth = depth.saturating_sub(1);
                    if depth == 0 {
                        break;
                    }
                }
                _ => {}
            }
            text.push(byte);
        }
        text.trim_ascii().to_vec()
    }

    /// The inside of a quoted string without its backslashes. The opening quote has been read.
    fn quoted(&mut self) -> Vec<u8> {
        let mut text = Vec::new();
        while let Some((&byte, tail)) = self.rest.split_first() {
            self.rest = tail;
            match byte {
                b'"' => break,
                b'\\' => {
                    if let Some((&escaped, tail)) = tail.split_first() {
                        text.push(escaped);
                        self.rest = tail;
                    }
                }
                _ => text.push(byte),
            }
        }
        text
    }

    /// An address literal with both brackets. The opening one has been read.
    fn literal(&mut self) -> Vec<u8> {
        let length = self.rest.iter().position(|byte| matches!(byte, b']' | b',' | b'>')).unwrap_or(self.rest.len());
        let mut text = b"[".to_vec();
        text.extend(self.rest.get(..length).unwrap_or_default().iter().filter(|byte| !byte.is_ascii_whitespace()));
        text.push(b']');
        self.rest = self.rest.get(length..).unwrap_or_default();
        self.rest = self.rest.strip_prefix(b"]").unwrap_or(self.rest);
        text
    }

    /// What is between `<` and `>`: an optional route (RFC 5322 §4.4) and an address. A second one replaces the first.
    fn angle(&mut self) {
        let mut words = Vec::new();
        let mut route = None;
        while let Some((&byte, tail)) = self.rest.split_first() {
            match byte {
                b'>' => {
                    self.rest = tail;
                    break;
                }
                // A route holds commas, but only before its colon; elsewhere the `>` is missing.
                b',' if words.first().is_none_or(|word: &Word| word.kind != WordKind::At) => break,
                b',' | b';' | b'<' => {
                    self.rest = tail;
                    words.push(Word { text: vec![byte], kind: WordKind::Text, spaced: false });
                }
                b':' => {
                    self.rest = tail;
                    if words.first().is_some_and(|word| word.kind == WordKind::At) {
                        route = Some(words.drain(..).flat_map(|word| word.text).collect());
                    } else {
                        words.push(Word { text: vec![byte], kind: WordKind::Text, spaced: false });
                    }
                }
                _ => {
                    if let Some(word) = self.word() {
                        words.push(word);
                    }
                }
            }
        }
        self.element.angle = Some((route, words));
    }

    fn begin_group(&mut self) {
        let element = std::mem::take(&mut self.element);
        self.in_group = true;
        self.found.push(Address { mailbox: Some(phrase(&element.words)), ..Address::default() });
    }

    fn end_group(&mut self) {
        if std::mem::take(&mut self.in_group) {
            self.found.push(Address::default());
        }
    }

    fn end_element(&mut self) {
        let element = std::mem::take(&mut self.element);
        if let Some(address) = element.address() {
            self.found.push(address);
        }
    }
}

impl Element {
    fn has_at(&self) -> bool {
        self.words.iter().any(|word| word.kind == WordKind::At)
    }

    fn address(mut self) -> Option<Address> {
        let comment = self.comment.take().filter(|comment| !comment.is_empty());
        if let Some((route, words)) = self.angle {
            let name = Some(phrase(&self.words)).filter(|name| !name.is_empty()).or(comment);
            let (mailbox, host) = split_spec(&words);
            return Some(Address { name, route, mailbox: Some(mailbox), host: Some(host) });
        }
        if self.words.is_empty() {
            return None;
        }
        let Some(at) = self.words.iter().rposition(|word| word.kind == WordKind::At) else {
            // Not even an address: it must still not look like a group.
            return Some(Address {
                name: comment,
                route: None,
                mailbox: Some(phrase(&self.words)),
                host: Some(Vec::new()),
            });
        };
        let start = local_part_start(&self.words, at);
        let (before, spec) = self.words.split_at_checked(start)?;
        let name = Some(phrase(before)).filter(|name| !name.is_empty()).or(comment);
        let (mailbox, host) = split_spec(spec);
        Some(Address { name, route: None, mailbox: Some(mailbox), host: Some(host) })
    }
}

/// Where the local part that ends before the `@` begins: words joined to it by dots or by nothing between them.
fn local_part_start(words: &[Word], at: usize) -> usize {
    let mut start = at;
    while let Some(previous) = start.checked_sub(1).and_then(|index| words.get(index)) {
        let joined = match words.get(start) {
            Some(current) => {
                start == at || !current.spaced || current.kind == WordKind::Dot || previous.kind == WordKind::Dot
            }
            None => false,
        };
        if !joined {
            break;
        }
        start = start.saturating_sub(1);
    }
    start
}

/// Local part and domain of `addr-spec`; the last `@` divides. No `@`: no domain.
fn split_spec(words: &[Word]) -> (Vec<u8>, Vec<u8>) {
    let join = |words: &[Word]| words.iter().flat_map(|word| word.text.iter().copied()).collect::<Vec<u8>>();
    match words.iter().rposition(|word| word.kind == WordKind::At) {
        Some(at) => {
            (join(words.get(..at).unwrap_or_default()), join(words.get(at.saturating_add(1)..).unwrap_or_default()))
        }
        None => (join(words), Vec::new()),
    }
}

/// A phrase: words with one space where there was any.
fn phrase(words: &[Word]) -> Vec<u8> {
    let mut text = Vec::new();
    for word in words {
        if word.spaced && !text.is_empty() {
            text.push(b' ');
        }
        text.extend_from_slice(&word.text);
    }
    text
}

fn ends_atom(byte: u8) -> bool {
    matches!(
        byte,
        b' ' | b'\t' | b'\r' | b'\n' | b'(' | b')' | b'<' | b'>' | b'@' | b',' | b';' | b':' | b'"' | b'.' | b'['
    )
}

#[cfg(test)]
mod tests;
