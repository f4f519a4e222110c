//! What the `Content-*` fields of a part say, text as sent.
//!
//! RFC 2045 §5 and §6, RFC 2046 §5.1.5 (digest), RFC 2183 (disposition), RFC 3282 (language). Read tolerantly: comments are
//! skipped, unquoted values may hold anything up to the next parameter. Parameters split by RFC 2231 stay split.

use std::borrow::Cow;

use crate::{
    facts::HeaderFacts,
    field::Field,
    limits::{BOUNDARY_BYTES_MAX, LANGUAGES_MAX, PARAMETERS_MAX},
};

/// One parameter as sent: the name (with any RFC 2231 marks) and the value without quotes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parameter {
    /// Such as `charset`, `filename*0*`; case as sent.
    pub name: Vec<u8>,
    /// The value, unquoted, otherwise as sent.
    pub value: Vec<u8>,
}

/// The parameters of a field, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Parameters(pub Vec<Parameter>);

impl Parameters {
    /// The value of the first parameter with exactly this name, in any case.
    pub fn get(&self, name: &[u8]) -> Option<&[u8]> {
        let found = self.0.iter().find(|parameter| parameter.name.eq_ignore_ascii_case(name))?;
        Some(&found.value)
    }

    /// The value of this parameter in whichever form it was sent: plain, extended (`name*`), or continued (`name*0`, RFC 2231
    /// §3 and §4). The octets are still in the charset that the extended form names.
    pub fn decoded(&self, name: &[u8]) -> Option<Cow<'_, [u8]>> {
        if let Some(plain) = self.get(name) {
            return Some(Cow::Borrowed(plain));
        }
        let suffixed = |suffix: &str| {
            let full = [name, suffix.as_bytes()].concat();
            self.get(&full)
        };
        if let Some(extended) = suffixed("*") {
            return Some(Cow::Owned(percent_decoded(after_language(extended))));
        }
        let mut joined: Option<Vec<u8>> = None;
        for piece in 0..self.0.len() {
            let next = if let Some(plain) = suffixed(&format!("*{piece}")) {
                Cow::Borrowed(plain)
            } else if let Some(extended) = suffixed(&format!("*{piece}*")) {
                Cow::Owned(percent_decoded(if piece == 0 { after_language(extended) } else { extended }))
            } else {
                break;
            };
            joined.get_or_insert_default().extend_from_slice(&next);
        }
        joined.map(Cow::Owned)
    }
}

/// `charset'language'text` without the first two.
fn after_language(value: &[u8]) -> &[u8] {
    let mut quotes = memchr::memchr_iter(b'\'', value);
    match (quotes.next(), quotes.next()) {
        (Some(_), Some(second)) => value.get(second.saturating_add(1)..).unwrap_or_default(),
        _ => value,
    }
}

fn percent_decoded(value: &[u8]) -> Vec<u8> {
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let mut out = Vec::with_capacity(value.len());
    let mut rest = value;
    while let Some((&first, tail)) = rest.split_first() {
        if let (b'%', [high, low, tail @ ..]) = (first, tail)
            && let (Some(high), Some(low)) = (digit(*high), digit(*low))
        {
            out.push((high << 4) | low);
            rest = tail;
        } else {
            out.push(first);
            rest = tail;
        }
    }
    out
}

/// `Content-Type`: RFC 2045 §5.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ContentType {
    /// Top-level media type, case as sent.
    pub kind: Vec<u8>,
    /// Subtype, case as sent.
    pub subtype: Vec<u8>,
    /// Parameters, as sent; `text/*` without a charset gets `charset=us-ascii` (RFC 2046 §4.1.2).
    pub parameters: Parameters,
}

impl Default for ContentType {
    /// RFC 2045 §5.2: `text/plain; charset=us-ascii`.
    fn default() -> Self {
        let mut text = Self::new(b"text", b"plain");
        text.default_charset();
        text
    }
}

impl ContentType {
    pub(crate) fn new(kind: &[u8], subtype: &[u8]) -> Self {
        Self { kind: kind.to_vec(), subtype: subtype.to_vec(), parameters: Parameters::default() }
    }

    /// Reads a field value; `None` when it has no `type/subtype`.
    pub(crate) fn parse(value: &[u8]) -> Option<Self> {
        let mut reader = Reader { rest: value };
        let kind = reader.token()?;
        reader.expect(b'/')?;
        let subtype = reader.token()?;
        let mut found = Self::new(kind, subtype);
        found.parameters = reader.parameters();
        if found.is(b"text") {
            found.default_charset();
        }
        Some(found)
    }

    /// Whether the top-level media type is this, in any case.
    pub fn is(&self, kind: &[u8]) -> bool {
        self.kind.eq_ignore_ascii_case(kind)
    }

    /// Whether the media type is `kind/subtype`, in any case.
    pub fn is_exactly(&self, kind: &[u8], subtype: &[u8]) -> bool {
        self.is(kind) && self.subtype.eq_ignore_ascii_case(subtype)
    }

    /// The charset, as sent.
    pub fn charset(&self) -> Option<Cow<'_, [u8]>> {
        self.parameters.decoded(b"charset")
    }

    /// The boundary of a multipart, when it is one that can be obeyed.
    pub(crate) fn boundary(&self) -> Option<Vec<u8>> {
        // RFC 2046 §5.1.1: a boundary does not end in a space; one that was sent so never matches as such.
        let boundary = self.parameters.decoded(b"boundary")?.trim_ascii_end().to_vec();
        (!boundary.is_empty() && boundary.len() <= BOUNDARY_BYTES_MAX).then_some(boundary)
    }

    fn default_charset(&mut self) {
        if self.charset().is_none() {
            self.parameters.0.push(Parameter { name: b"charset".to_vec(), value: b"us-ascii".to_vec() });
        }
    }
}

/// `Content-Disposition`: RFC 2183.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disposition {
    /// `inline`, `attachment` or other, case as sent.
    pub kind: Vec<u8>,
    /// Parameters, as sent.
    pub parameters: Parameters,
}

impl Disposition {
    fn parse(value: &[u8]) -> Option<Self> {
        let mut reader = Reader { rest: value };
        let kind = reader.token()?.to_vec();
        Some(Self { kind, parameters: reader.parameters() })
    }
}

/// All that the `Content-*` fields of a part say.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mime {
    /// `Content-Type`, or the default.
    pub content_type: ContentType,
    /// `Content-ID`.
    pub id: Option<Vec<u8>>,
    /// `Content-Description`, RFC 2047 undecoded.
    pub description: Option<Vec<u8>>,
    /// `Content-Transfer-Encoding`, as sent; `None` stands for `7bit` (RFC 2045 §6.1).
    pub encoding: Option<Vec<u8>>,
    /// `Content-MD5`.
    pub md5: Option<Vec<u8>>,
    /// `Content-Disposition`.
    pub disposition: Option<Disposition>,
    /// The tags of `Content-Language`.
    pub language: Vec<Vec<u8>>,
    /// `Content-Location`.
    pub location: Option<Vec<u8>>,
}

impl Mime {
    /// Reads the fields of a part; `in_digest` changes the default type to `message/rfc822` (RFC 2046 §5.1.5).
    pub(crate) fn from_facts(facts: &HeaderFacts, in_digest: bool) -> Self {
        let text = |field| facts.value(field).filter(|value| !value.is_empty()).map(<[u8]>::to_vec);
        let default = || if in_digest { ContentType::new(b"message", b"rfc822") } else { ContentType::default() };
        Self {
            content_type: match facts.value(Field::ContentType) {
                // RFC 2045 §5.2: a value that cannot be read counts as text/plain.
                Some(value) => ContentType::parse(value).unwrap_or_default(),
                None => default(),
            },
            id: text(Field::ContentId),
            description: text(Field::ContentDescription),
            encoding: facts
                .value(Field::ContentTransferEncoding)
                .and_then(|value| Reader { rest: value }.token())
                .map(<[u8]>::to_vec),
            md5: text(Field::ContentMd5),
            disposition: facts.value(Field::ContentDisposition).and_then(Disposition::parse),
            language: facts.value(Field::ContentLanguage).map(languages).unwrap_or_default(),
            // RFC 2557 §4.4.2: folding white space is no part of the URI.
            location: text(Field::ContentLocation)
                .map(|value| value.into_iter().filter(|byte| !matches!(byte, b' ' | b'\t')).collect()),
        }
    }
}

fn languages(value: &[u8]) -> Vec<Vec<u8>> {
    value
        .split(|byte| *byte == b',')
        .filter_map(|tag| Reader { rest: tag }.token())
        .map(<[u8]>::to_vec)
        .take(LANGUAGES_MAX)
        .collect()
}

/// Reads a structured value from the front.
struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    /// White space and comments (RFC 5322 §3.2.2), which may nest; an unclosed comment takes the rest.
    fn skip_cfws(&mut self) {
        let mut depth = 0_usize;
        while let Some((&byte, tail)) = self.rest.split_first() {
            match (byte, depth) {
                (b'(', _) => depth = depth.saturating_add(1),
                (b')', 1..) => depth = depth.saturating_sub(1),
                (b'\\', 1..) => {
                    self.rest = tail.get(1..).unwrap_or_default();
                    continue;
                }
                (b' ' | b'\t' | b'\r' | b'\n', _) | (_, 1..) => {}
                (_, 0) => return,
            }
            self.rest = tail;
        }
    }

    fn expect(&mut self, wanted: u8) -> Option<()> {
        self.skip_cfws();
        let (&first, tail) = self.rest.split_first()?;
        (first == wanted).then(|| self.rest = tail)
    }

    /// RFC 2045 §5.1 `token`, after any comments; 8-bit octets pass.
    fn token(&mut self) -> Option<&'a [u8]> {
        self.skip_cfws();
        let length = self.rest.iter().position(|byte| !is_token(*byte)).unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at_checked(length)?;
        self.rest = rest;
        (!token.is_empty()).then_some(token)
    }

    fn parameters(mut self) -> Parameters {
        let mut found = Vec::new();
        while found.len() < PARAMETERS_MAX {
            self.skip_cfws();
            if self.rest.is_empty() {
                break;
            }
            match self.parameter() {
                Some(parameter) => found.push(parameter),
                // Whatever this is, the next semicolon begins anew.
                None => match memchr::memchr(b';', self.rest) {
                    Some(semicolon) => {
                        self.rest = self.rest.get(semicolon.saturating_add(1)..).unwrap_or_default();
                    }
                    None => break,
                },
            }
        }
        Parameters(found)
    }

    fn parameter(&mut self) -> Option<Parameter> {
        let name = self.token()?.to_vec();
        self.expect(b'=')?;
        self.skip_cfws();
        let value = if let Some(quoted) = self.rest.strip_prefix(b"\"") {
            self.rest = quoted;
            self.quoted()
        } else {
            self.unquoted().to_vec()
        };
        Some(Parameter { name, value })
    }

    /// The inside of a quoted-string, its backslashes taken away; the opening quote has been read.
    fn quoted(&mut self) -> Vec<u8> {
        let mut value = Vec::new();
        while let Some((&byte, tail)) = self.rest.split_first() {
            self.rest = tail;
            match byte {
                b'"' => break,
                b'\\' => {
                    if let Some((&escaped, tail)) = tail.split_first() {
                        value.push(escaped);
                        self.rest = tail;
                    }
                }
                _ => value.push(byte),
            }
        }
        value
    }

    /// A value without quotes. Tolerated: octets that need quotes, spaces inside, a missing semicolon before the next parameter.
    fn unquoted(&mut self) -> &'a [u8] {
        let end = memchr::memchr(b';', self.rest).unwrap_or(self.rest.len());
        let span = self.rest.get(..end).unwrap_or_default();
        let stop = span
            .iter()
            .enumerate()
            // Once for each run of white space, so that the work stays in proportion to the length.
            .filter(|(at, byte)| {
                is_blank(**byte) && !at.checked_sub(1).and_then(|at| span.get(at)).copied().is_some_and(is_blank)
            })
            .map(|(at, _)| at)
            .find(|at| span.get(*at..).is_some_and(begins_something_else))
            .unwrap_or(span.len());
        let value = span.get(..stop).unwrap_or_default();
        self.rest = self.rest.get(stop..).unwrap_or_default();
        value.trim_ascii_end()
    }
}

/// After white space: a comment, or a parameter whose semicolon is missing.
fn begins_something_else(rest: &[u8]) -> bool {
    let rest = rest.trim_ascii_start();
    let name = rest.iter().position(|byte| !is_token(*byte)).unwrap_or(rest.len());
    rest.starts_with(b"(") || (name > 0 && rest.get(name) == Some(&b'='))
}

fn is_blank(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

fn is_token(byte: u8) -> bool {
    byte > b' ' && byte != 127 && !b"()<>@,;:\\\"/[]?=".contains(&byte)
}

#[cfg(test)]
mod tests;
