//! The text of a part as it comes, in pieces of any size: its transfer encoding, its charset, its markup.
//!
//! What is read does not depend on how the part is cut. In memory are a piece, what has been read and not been taken, and what
//! the three readers hold back: some octets, and of an HTML attribute that does not end
//! [`HTML_QUOTED_OCTETS_MAX`](crate::limits::HTML_QUOTED_OCTETS_MAX).

use crate::charset_reader::{CharsetReader, Utf8Check};
use crate::decode::TransferEncoding;
use crate::html::HtmlReader;
use crate::transfer::TransferDecoder;

/// Reads one text.
#[derive(Debug)]
pub struct TextReader {
    transfer: Option<TransferDecoder>,
    charset: CharsetReader,
    html: Option<HtmlReader>,
    text: String,
}

/// Looks at the rest of a text whose charset is not known: whether all of it is UTF-8.
#[derive(Debug)]
pub struct LookAhead {
    transfer: Option<TransferDecoder>,
    check: Utf8Check,
}

impl TextReader {
    /// A text at its beginning, with its transfer encoding, the label of its charset if it has one, and whether it is HTML.
    #[must_use]
    pub fn new(encoding: TransferEncoding, charset: Option<&[u8]>, is_html: bool) -> Self {
        Self {
            transfer: TransferDecoder::new(encoding),
            charset: CharsetReader::new(charset),
            html: is_html.then(HtmlReader::default),
            text: String::new(),
        }
    }

    /// Reads the next piece.
    pub fn feed(&mut self, piece: &[u8]) {
        let mut decoded = Vec::with_capacity(piece.len());
        match &mut self.transfer {
            Some(transfer) => transfer.feed(piece, &mut decoded),
            None => decoded.extend_from_slice(piece),
        }
        let mut text = String::new();
        self.charset.feed(&decoded, &mut text);
        self.add(text);
    }

    /// Whether it has to be known, before anything more is read, if the rest is UTF-8: of a text without a charset that has come to
    /// the first octet above 127. What is fed meanwhile is kept; [`TextReader::look_ahead`] finds out.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.charset.waiting().is_some()
    }

    /// Looks at the rest without reading it.
    #[must_use]
    pub fn look_ahead(&self) -> LookAhead {
        let mut check = Utf8Check::default();
        check.feed(self.charset.waiting().unwrap_or_default());
        LookAhead { transfer: self.transfer.clone(), check }
    }

    /// The rest is UTF-8, or else it is taken for windows-1252.
    pub fn decide(&mut self, is_utf8: bool) {
        let mut text = String::new();
        self.charset.decide(is_utf8, &mut text);
        self.add(text);
    }

    /// What has been read since the last time.
    #[must_use]
    pub fn take(&mut self) -> String {
        std::mem::take(&mut self.text)
    }

    /// At the end: what has been read since the last time.
    #[must_use]
    pub fn finish(mut self) -> String {
        let mut decoded = Vec::new();
        if let Some(transfer) = self.transfer.take() {
            transfer.finish(&mut decoded);
        }
        let mut text = String::new();
        self.charset.feed(&decoded, &mut text);
        self.charset.finish(&mut text);
        self.add(text);
        if let Some(html) = &mut self.html {
            html.finish();
            self.text.push_str(&html.take());
        }
        self.text
    }

    fn add(&mut self, text: String) {
        match &mut self.html {
            Some(html) => {
                html.feed(&text);
                self.text.push_str(&html.take());
            }
            None if self.text.is_empty() => self.text = text,
            None => self.text.push_str(&text),
        }
    }
}

impl LookAhead {
    /// Looks at the next piece; `false`: it is no UTF-8, whatever follows.
    pub fn feed(&mut self, piece: &[u8]) -> bool {
        let mut decoded = Vec::with_capacity(piece.len());
        match &mut self.transfer {
            Some(transfer) => transfer.feed(piece, &mut decoded),
            None => decoded.extend_from_slice(piece),
        }
        self.check.feed(&decoded)
    }

    /// Whether all of it is UTF-8.
    #[must_use]
    pub fn finish(mut self) -> bool {
        let mut decoded = Vec::new();
        if let Some(transfer) = self.transfer.take() {
            transfer.finish(&mut decoded);
        }
        self.check.feed(&decoded);
        self.check.finish()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::STANDARD;
    use proptest::prelude::*;

    use super::*;
    use crate::decode::decode_text;
    use crate::html::strip_html;

    /// Reads a text cut into pieces, as somebody does who can look at the rest.
    fn read(body: &[u8], encoding: TransferEncoding, charset: Option<&[u8]>, is_html: bool, cut: usize) -> String {
        let mut reader = TextReader::new(encoding, charset, is_html);
        let mut text = String::new();
        let pieces: Vec<&[u8]> = body.chunks(cut.max(1)).collect();
        for (at, piece) in pieces.iter().enumerate() {
            reader.feed(piece);
            if reader.is_waiting() {
                let mut ahead = reader.look_ahead();
                pieces[at + 1..].iter().all(|piece| ahead.feed(piece));
                reader.decide(ahead.finish());
            }
            text.push_str(&reader.take());
        }
        text.push_str(&reader.finish());
        text
    }

    fn in_lines(octets: &[u8]) -> Vec<u8> {
        let encoded = STANDARD.encode(octets);
        encoded.as_bytes().chunks(76).collect::<Vec<_>>().join(&b"\r\n"[..])
    }

    #[test]
    fn a_picture_in_an_attribute_is_no_text() {
        let html = format!(
            "<p>one<img src=\"data:image/png;base64,{}\">two</p><style>{}</style>three",
            "iVBO".repeat(999),
            "p {} ".repeat(999)
        );
        for cut in [1, 7, 100, 1_000, 100_000] {
            let read = read(html.as_bytes(), TransferEncoding::EightBit, Some(b"utf-8"), true, cut);
            assert_eq!(read, "one two\nthree", "{cut}");
        }
    }

    #[test]
    fn a_charset_that_nobody_names_is_found_over_all() {
        let utf8 = format!("{}é, and {}", "a".repeat(100), "日本 ".repeat(50));
        let latin = [utf8.as_bytes(), b"\xe9"].concat();
        for cut in [1, 2, 3, 50, 110, 1_000] {
            for (octets, expected) in
                [(utf8.as_bytes(), utf8.clone()), (&latin, decode_text(&latin, TransferEncoding::Binary, None))]
            {
                assert_eq!(read(&in_lines(octets), TransferEncoding::Base64, None, false, cut), expected, "{cut}");
            }
        }
    }

    fn bodies() -> impl Strategy<Value = String> {
        let pieces = vec![
            "<p>",
            "</p>",
            "<img src='data:,",
            "AAAA",
            "'>",
            "<style>",
            "</style>",
            "<!--",
            "-->",
            "<head>",
            "<body>",
            "&eacute;",
            "&",
            "amp;",
            "<",
            ">",
            "\"",
            " x=\"",
            "é",
            "日本",
            "word ",
            "\r\n",
            "<script",
            "</script >",
            "--!>",
            "\u{fffd}",
            "=",
        ];
        proptest::collection::vec(proptest::sample::select(pieces), 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        /// In windows of any size there is what there is in the whole.
        #[test]
        fn cuts_change_nothing(body in prop_oneof![bodies(), any::<String>()], cut in 1_usize..30, is_html: bool) {
            let strip = |text: String| if is_html { strip_html(&text) } else { text };
            for charset in [Some(&b"utf-8"[..]), None] {
                let whole = strip(body.clone());
                let base64 = in_lines(body.as_bytes());
                prop_assert_eq!(&read(&base64, TransferEncoding::Base64, charset, is_html, cut), &whole);
                prop_assert_eq!(&read(body.as_bytes(), TransferEncoding::Binary, charset, is_html, cut), &whole);
            }
            let units: Vec<u8> = body.encode_utf16().flat_map(u16::to_be_bytes).collect();
            let read = read(&in_lines(&units), TransferEncoding::Base64, Some(b"utf-16be"), is_html, cut);
            prop_assert_eq!(read, strip(body));
        }
    }
}
