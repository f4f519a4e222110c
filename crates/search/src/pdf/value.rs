//! The values of a PDF file and the words between them (ISO 32000-1 §7.2, §7.3), read one after the other.
//!
//! Whatever the octets are, reading ends: each step takes one octet at least, and values nest [`DEPTH_MAX`] deep at the most.

/// How deep arrays and dictionaries may nest; a deeper one is null.
const DEPTH_MAX: usize = 24;

/// Values within one value; further ones are passed over.
const VALUES_MAX: usize = 20_000;

/// A value, or a word that is none.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// null, and what can't be read.
    Null,
    Number(f64),
    /// Without its solidus.
    Name(Vec<u8>),
    /// A string, either form.
    Text(Vec<u8>),
    Array(Vec<Self>),
    Dictionary(Dictionary),
    /// An object's number.
    Reference(u32),
    /// An operator, or `obj`, `stream`, `true` and the like.
    Word(Vec<u8>),
}

/// A dictionary.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Dictionary(Vec<(Vec<u8>, Value)>);

impl Dictionary {
    /// How many entries a look for one goes through at the most.
    pub(super) const fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| key == name.as_bytes()).map(|(_, value)| value)
    }

    /// Whether a name stands there.
    pub(super) fn is(&self, name: &str, value: &str) -> bool {
        matches!(self.get(name), Some(Value::Name(found)) if found == value.as_bytes())
    }
}

impl Value {
    pub(super) fn number(&self) -> Option<f64> {
        if let Self::Number(number) = self { Some(*number) } else { None }
    }

    /// A whole number that is not negative.
    pub(super) fn count(&self) -> Option<usize> {
        let number = self.number().filter(|number| *number >= 0.0 && *number <= f64::from(u32::MAX))?;
        // Whole and within bounds: its digits are all there is of it.
        format!("{number:.0}").parse().ok()
    }
}

/// Reads values from octets.
pub(super) struct Reader<'a> {
    octets: &'a [u8],
    at: usize,
    /// Values that the one at hand may still have.
    left: usize,
    /// Octets that were looked at and are looked at again, for they belong to the next value.
    again: usize,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(octets: &'a [u8], at: usize) -> Self {
        Self { octets, at, left: VALUES_MAX, again: 0 }
    }

    /// Where it reads next.
    pub(super) const fn at(&self) -> usize {
        self.at
    }

    /// Octets that were looked at twice.
    pub(super) const fn looked_ahead(&self) -> usize {
        self.again
    }

    /// Goes on at another place.
    pub(super) fn seek(&mut self, at: usize) {
        self.at = at;
    }

    fn peek(&self) -> Option<u8> {
        self.octets.get(self.at).copied()
    }

    fn next_octet(&mut self) -> Option<u8> {
        let octet = self.peek()?;
        self.at += 1;
        Some(octet)
    }

    fn skip_blanks(&mut self) {
        while let Some(octet) = self.peek() {
            if octet == b'%' {
                while self.next_octet().is_some_and(|octet| !matches!(octet, b'\r' | b'\n')) {}
            } else if is_blank(octet) {
                self.at += 1;
            } else {
                return;
            }
        }
    }

    fn regular(&mut self) -> &'a [u8] {
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|octet| is_blank(*octet) || is_delimiter(*octet)).unwrap_or(rest.len());
        self.at += length;
        rest.get(..length).unwrap_or_default()
    }

    /// The next value or word; `None` at the end.
    pub(super) fn value(&mut self) -> Option<Value> {
        self.left = VALUES_MAX;
        self.nested(DEPTH_MAX)
    }

    /// Whether one more value may be kept.
    fn keeps(&mut self) -> bool {
        let keeps = self.left > 0;
        self.left = self.left.saturating_sub(1);
        keeps
    }

    fn nested(&mut self, depth: usize) -> Option<Value> {
        self.skip_blanks();
        match self.peek()? {
            b'/' => {
                self.at += 1;
                Some(Value::Name(unescaped(self.regular())))
            }
            b'(' => Some(Value::Text(self.literal())),
            b'<' if self.octets.get(self.at + 1) == Some(&b'<') => Some(self.dictionary(depth)),
            b'<' => Some(Value::Text(self.hexadecimal())),
            b'[' => Some(self.array(depth)),
            b'+' | b'-' | b'.' | b'0'..=b'9' => Some(self.number_or_reference()),
            octet if is_delimiter(octet) => {
                self.at += 1;
                Some(Value::Word(vec![octet]))
            }
            _ => Some(Value::Word(self.regular().to_vec())),
        }
    }

    fn array(&mut self, depth: usize) -> Value {
        self.at += 1;
        let Some(deeper) = depth.checked_sub(1) else { return Value::Null };
        let mut values = Vec::new();
        loop {
            self.skip_blanks();
            match self.peek() {
                None => return Value::Array(values),
                Some(b']') => {
                    self.at += 1;
                    return Value::Array(values);
                }
                Some(_) => {}
            }
            match self.nested(deeper) {
                Some(Value::Word(word)) if word == b"endobj" || word == b"endstream" => return Value::Array(values),
                Some(value) => {
                    if self.keeps() {
                        values.push(value);
                    }
                }
                None => return Value::Array(values),
            }
        }
    }

    fn dictionary(&mut self, depth: usize) -> Value {
        self.at += 2;
        let Some(deeper) = depth.checked_sub(1) else { return Value::Null };
        let mut entries = Vec::new();
        loop {
            self.skip_blanks();
            if self.octets.get(self.at..).is_some_and(|rest| rest.starts_with(b">>")) {
                self.at += 2;
                break;
            }
            match self.nested(deeper) {
                Some(Value::Name(key)) => {
                    self.skip_blanks();
                    // A name without a value.
                    if self.peek() == Some(b'>') {
                        continue;
                    }
                    let Some(value) = self.nested(deeper) else { break };
                    if self.keeps() {
                        entries.push((key, value));
                    }
                }
                Some(Value::Word(word)) if word == b"endobj" || word == b"stream" => break,
                Some(_) => {}
                None => break,
            }
        }
        Value::Dictionary(Dictionary(entries))
    }

    fn number_or_reference(&mut self) -> Value {
        let first = self.regular();
        if first.is_empty() {
            self.at += 1;
            return Value::Null;
        }
        let back = self.at;
        if let Some(object) = whole(first) {
            self.skip_blanks();
            if self.peek().is_some_and(|octet| octet.is_ascii_digit()) && whole(self.regular()).is_some() {
                self.skip_blanks();
                if self.regular() == b"R" {
                    return Value::Reference(object);
                }
            }
            self.again = self.again.saturating_add(self.at.saturating_sub(back));
            self.at = back;
        }
        let number = str::from_utf8(first).ok().and_then(|text| text.parse::<f64>().ok());
        number.filter(|number| number.is_finite()).map_or(Value::Null, Value::Number)
    }

    fn literal(&mut self) -> Vec<u8> {
        self.at += 1;
        let (mut text, mut open) = (Vec::new(), 1_usize);
        while let Some(octet) = self.next_octet() {
            match octet {
                b'(' => open += 1,
                b')' => {
                    open -= 1;
                    if open == 0 {
                        break;
                    }
                }
                b'\\' => {
                    self.escape(&mut text);
                    continue;
                }
                _ => {}
            }
            text.push(octet);
        }
        text
    }

    fn escape(&mut self, text: &mut Vec<u8>) {
        match self.next_octet() {
            Some(b'n') => text.push(b'\n'),
            Some(b'r') => text.push(b'\r'),
            Some(b't') => text.push(b'\t'),
            Some(b'b') => text.push(8),
            Some(b'f') => text.push(12),
            Some(b'\r') => {
                if self.peek() == Some(b'\n') {
                    self.at += 1;
                }
            }
            Some(b'\n') | None => {}
            Some(digit @ b'0'..=b'7') => {
                let mut code = u32::from(digit - b'0');
                for _ in 0..2 {
                    let Some(more @ b'0'..=b'7') = self.peek() else { break };
                    self.at += 1;
                    code = code * 8 + u32::from(more - b'0');
                }
                text.extend(u8::try_from(code & 0xff));
            }
            Some(other) => text.push(other),
        }
    }

    fn hexadecimal(&mut self) -> Vec<u8> {
        self.at += 1;
        let rest = self.octets.get(self.at..).unwrap_or_default();
        let length = rest.iter().position(|octet| *octet == b'>').unwrap_or(rest.len());
        self.at = self.octets.len().min(self.at + length + 1);
        from_hexadecimal(rest.get(..length).unwrap_or_default())
    }
}

/// Octets of hexadecimal digits; a digit that is missing at the end is 0.
pub(super) fn from_hexadecimal(digits: &[u8]) -> Vec<u8> {
    let mut values =
        digits.iter().filter_map(|digit| char::from(*digit).to_digit(16)).filter_map(|v| u8::try_from(v).ok());
    let mut octets = Vec::with_capacity(digits.len() / 2);
    while let Some(high) = values.next() {
        octets.push(high << 4 | values.next().unwrap_or(0));
    }
    octets
}

fn whole(digits: &[u8]) -> Option<u32> {
    digits.iter().all(u8::is_ascii_digit).then(|| str::from_utf8(digits).ok()?.parse().ok())?
}

/// `#20` in a name is a space.
fn unescaped(name: &[u8]) -> Vec<u8> {
    let mut octets = Vec::with_capacity(name.len());
    let mut rest = name;
    while let Some((first, after)) = rest.split_first() {
        rest = after;
        let digits = after.get(..2).filter(|digits| *first == b'#' && digits.iter().all(u8::is_ascii_hexdigit));
        if let Some(digits) = digits {
            octets.extend(from_hexadecimal(digits));
            rest = after.get(2..).unwrap_or_default();
        } else {
            octets.push(*first);
        }
    }
    octets
}

pub(super) const fn is_blank(octet: u8) -> bool {
    matches!(octet, 0 | b'\t' | b'\n' | 12 | b'\r' | b' ')
}

const fn is_delimiter(octet: u8) -> bool {
    matches!(octet, b'(' | b')' | b'<' | b'>' | b'[' | b']' | b'{' | b'}' | b'/' | b'%')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(octets: &[u8]) -> Value {
        Reader::new(octets, 0).value().unwrap()
    }

    #[test]
    fn values_are_read() {
        assert_eq!(read(b" -3.5 "), Value::Number(-3.5));
        assert_eq!(read(b"12 0 R"), Value::Reference(12));
        assert_eq!(read(b"12 0 obj"), Value::Number(12.0));
        assert_eq!(read(b"/A#20b"), Value::Name(b"A b".to_vec()));
        assert_eq!(read(b"(a(b)\\)\\101\\\r\nc)"), Value::Text(b"a(b))Ac".to_vec()));
        assert_eq!(read(b"<48 656>"), Value::Text(b"He`".to_vec()));
        let Value::Dictionary(dictionary) = read(b"<</Type/Page % comment\n/Kids [1 0 R 2] /X<</Y 1>>>>") else {
            panic!()
        };
        assert!(dictionary.is("Type", "Page"));
        assert_eq!(dictionary.get("Kids"), Some(&Value::Array(vec![Value::Reference(1), Value::Number(2.0)])));
        assert_eq!((read(b"7").count(), read(b"-7").count(), read(b"5e9").count()), (Some(7), None, None));
    }

    #[test]
    fn deep_nesting_ends() {
        let deep = [b"[".repeat(100_000), b"<<".repeat(100_000)].concat();
        let mut reader = Reader::new(&deep, 0);
        while reader.value().is_some() {}
        assert_eq!(reader.at(), deep.len());
    }
}
