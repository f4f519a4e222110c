//! The place in a command's text, and the elements that all commands share: atoms, strings, literals, numbers (RFC 3501 §9).

use crate::chars::{is_astring_char, is_atom_char, is_list_char};
use crate::checks;
use crate::flag::Flag;
use crate::flaw::Flaw;
use crate::mailbox_name::{MailboxName, NameEncoding};
use crate::tag::Tag;

/// A place in the text of a command.
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    encoding: NameEncoding,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a [u8], encoding: NameEncoding) -> Self {
        Self { text, at: 0, encoding }
    }

    pub(super) const fn position(&self) -> usize {
        self.at
    }

    pub(super) const fn encoding(&self) -> NameEncoding {
        self.encoding
    }

    fn rest(&self) -> &'a [u8] {
        self.text.get(self.at..).unwrap_or_default()
    }

    pub(super) fn peek(&self) -> Option<u8> {
        self.rest().first().copied()
    }

    pub(super) fn peek_second(&self) -> Option<u8> {
        self.rest().get(1).copied()
    }

    /// Takes what was expected, if it is next; letters in any case.
    pub(super) fn eat(&mut self, expected: &[u8]) -> bool {
        let found = self.rest().get(..expected.len()).is_some_and(|next| next.eq_ignore_ascii_case(expected));
        if found {
            self.at += expected.len();
        }
        found
    }

    /// Takes `expected` or says that it is missing, under the given name.
    pub(super) fn expect(&mut self, expected: &[u8], name: &'static str) -> Result<(), Flaw> {
        if self.eat(expected) { Ok(()) } else { Err(self.missing(name)) }
    }

    pub(super) fn space(&mut self) -> Result<(), Flaw> {
        self.expect(b" ", if self.at_end() { "one more argument" } else { "a space" })
    }

    /// `expected x at octet n`.
    pub(super) fn missing(&self, what: &str) -> Flaw {
        Flaw::at(self.at, format!("expected {what}"))
    }

    /// The CRLF that ends the command.
    pub(super) fn end(&self) -> Result<(), Flaw> {
        match self.rest() {
            b"\r\n" => Ok(()),
            [] => Err(self.missing("CRLF")),
            _ => Err(Flaw::at(self.at, "expected the end of the command")),
        }
    }

    pub(super) fn at_end(&self) -> bool {
        self.rest().starts_with(b"\r\n") || self.rest().is_empty()
    }

    fn take_while(&mut self, wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = self.rest();
        let n = rest.iter().position(|&b| !wanted(b)).unwrap_or(rest.len());
        self.at += n;
        rest.get(..n).unwrap_or_default()
    }

    pub(super) fn tag(&mut self) -> Result<Tag, Flaw> {
        let at = self.at;
        let word = self.take_while(|b| !matches!(b, b' ' | b'\r' | b'\n'));
        Tag::new(word).ok_or_else(|| Flaw::at(at, "expected a tag"))
    }

    /// Everything up to a space or the end of the line.
    pub(super) fn word(&mut self) -> &'a [u8] {
        self.take_while(|b| !matches!(b, b' ' | b'\r' | b'\n'))
    }

    /// A keyword of the protocol: letters, digits, `.` and `-`.
    pub(super) fn name(&mut self) -> &'a [u8] {
        self.take_while(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-'))
    }

    /// What a LIST pattern may be without quotes.
    pub(super) fn take_list_chars(&mut self) -> &'a [u8] {
        self.take_while(is_list_char)
    }

    pub(super) fn atom(&mut self, what: &str) -> Result<&'a [u8], Flaw> {
        let atom = self.take_while(is_atom_char);
        if atom.is_empty() { Err(self.missing(what)) } else { Ok(atom) }
    }

    /// `astring`: an atom, a quoted string or a literal.
    pub(super) fn astring(&mut self, what: &str) -> Result<Vec<u8>, Flaw> {
        let atom = self.take_while(is_astring_char);
        if atom.is_empty() { self.string(what) } else { Ok(atom.to_vec()) }
    }

    /// `string`: a quoted string or a literal.
    pub(super) fn string(&mut self, what: &str) -> Result<Vec<u8>, Flaw> {
        match self.peek() {
            Some(b'"') => self.quoted(),
            Some(b'{') => self.literal(),
            _ => Err(self.missing(what)),
        }
    }

    /// `nstring`: a string or NIL.
    pub(super) fn nstring(&mut self, what: &str) -> Result<Option<Vec<u8>>, Flaw> {
        if self.eat(b"NIL") { Ok(None) } else { self.string(what).map(Some) }
    }

    /// `quoted`, with UTF-8 in it (RFC 9051 §4.3, RFC 6855 §3).
    pub(super) fn quoted(&mut self) -> Result<Vec<u8>, Flaw> {
        let start = self.at;
        self.expect(b"\"", "a quoted string")?;
        let mut value = Vec::new();
        loop {
            let at = self.at;
            let plain = self.take_while(|b| !matches!(b, b'"' | b'\\' | b'\r' | b'\n' | 0));
            value.extend_from_slice(plain);
            match self.peek() {
                Some(b'"') => break self.at += 1,
                Some(b'\\') => {
                    self.at += 1;
                    match self.peek() {
                        Some(escaped @ (b'"' | b'\\')) => value.push(escaped),
                        _ => {
                            return Err(Flaw::at(
                                at + plain.len(),
                                "a backslash may only stand before a quote or a backslash",
                            ));
                        }
                    }
                    self.at += 1;
                }
                _ => return Err(Flaw::at(start, "a quoted string is not closed; it begins")),
            }
        }
        if str::from_utf8(&value).is_err() {
            return Err(Flaw::at(start, "a quoted string is not in UTF-8; it begins"));
        }
        Ok(value)
    }

    /// A literal that the framer left in place.
    fn literal(&mut self) -> Result<Vec<u8>, Flaw> {
        let start = self.at;
        let data = self.literal_octets()?;
        if data.contains(&0) {
            return Err(Flaw::at(start, "a NUL is in the literal that begins"));
        }
        Ok(data.to_vec())
    }

    /// `~{n}` CRLF and so many octets (RFC 3516).
    pub(super) fn literal8(&mut self) -> Result<&'a [u8], Flaw> {
        self.expect(b"~", "a literal8")?;
        self.literal_octets()
    }

    fn literal_octets(&mut self) -> Result<&'a [u8], Flaw> {
        self.expect(b"{", "a literal")?;
        let length = self.number("the length of a literal")?;
        self.eat(b"+");
        self.expect(b"}\r\n", "} and the end of the line")?;
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        let data = self.rest().get(..length).ok_or_else(|| Flaw::at(self.at, "the literal is cut short; it begins"))?;
        self.at += length;
        Ok(data)
    }

    /// `number`, of up to 63 bits (RFC 9051 §9 `number64`).
    pub(super) fn number(&mut self, what: &str) -> Result<u64, Flaw> {
        let start = self.at;
        let digits = self.take_while(|b| b.is_ascii_digit());
        if digits.is_empty() {
            return Err(self.missing(what));
        }
        let value = digits.iter().try_fold(0u64, |n, b| n.checked_mul(10)?.checked_add(u64::from(b - b'0')));
        value.ok_or_else(|| Flaw::at(start, format!("{what} is too large; it begins")))
    }

    /// `nz-number`: 32 bits, not 0.
    pub(super) fn nz_number(&mut self, what: &str) -> Result<u32, Flaw> {
        let start = self.at;
        let value = self.number(what)?;
        match u32::try_from(value) {
            Ok(0) => Err(Flaw::at(start, format!("{what} cannot be 0; it stands"))),
            Ok(value) => Ok(value),
            Err(_) => Err(Flaw::at(start, format!("{what} is too large; it begins"))),
        }
    }

    pub(super) fn mailbox(&mut self) -> Result<MailboxName, Flaw> {
        let wire = self.astring("a mailbox name")?;
        checks::mailbox(&wire, self.encoding)
    }

    /// One flag.
    pub(super) fn flag(&mut self) -> Result<Flag, Flaw> {
        let start = self.at;
        self.eat(b"\\");
        self.atom("a flag")?;
        checks::flag(self.text.get(start..self.at).unwrap_or_default())
    }

    /// `(…)` with any number of elements, separated by one space each.
    pub(super) fn list<T>(
        &mut self,
        what: &'static str,
        mut element: impl FnMut(&mut Self) -> Result<T, Flaw>,
    ) -> Result<Vec<T>, Flaw> {
        self.expect(b"(", what)?;
        let mut elements = Vec::new();
        if self.eat(b")") {
            return Ok(elements);
        }
        loop {
            elements.push(element(self)?);
            if self.eat(b")") {
                return Ok(elements);
            }
            self.expect(b" ", "a space or )")?;
        }
    }
}
