//! The look of a page behind a link, here and elsewhere in the server, and the words on it. No script, no picture; readable on a telephone and in a text browser.

use std::fmt::Write;

pub use crate::text::Language;

/// A page in the making.
pub struct Page {
    language: Language,
    title: String,
    body: String,
}

impl Page {
    /// A page with a title and nothing else yet.
    #[must_use]
    pub fn new(language: Language, title: &str) -> Self {
        Self { language, title: title.to_owned(), body: String::new() }
    }

    /// A paragraph of plain text.
    #[must_use]
    pub fn text(mut self, text: &str) -> Self {
        // Writing to a String can't fail.
        writeln!(self.body, "<p>{}</p>", escape(text)).ok();
        self
    }

    /// What somebody else wrote.
    #[must_use]
    pub fn quote(mut self, text: &str) -> Self {
        writeln!(self.body, "<blockquote>{}</blockquote>", escape(text)).ok();
        self
    }

    /// A link to a page beside this one, on what somebody else wrote, with what stands behind it.
    pub(crate) fn entry(mut self, name: &str, text: &str, behind: &str) -> Self {
        let text = if text.is_empty() { "—" } else { text };
        writeln!(self.body, "<p><a href=\"{}\">{}</a> {}</p>", escape(name), escape(text), escape(behind)).ok();
        self
    }

    /// A form that posts to the page's own address, around fields and buttons.
    #[must_use]
    pub fn form(mut self, fields: &[Field<'_>]) -> Self {
        self.body.push_str("<form method=\"post\">\n");
        for field in fields {
            field.write(&mut self.body);
        }
        self.body.push_str("</form>\n");
        self
    }

    pub(crate) fn html(&self) -> String {
        let (language, title, body) = (self.language.name(), escape(&self.title), &self.body);
        format!(
            "<!DOCTYPE html>\n<html lang=\"{language}\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<link rel=\"stylesheet\" \
             href=\"/lists/style.css\">\n</head>\n<body>\n<main>\n<h1>{title}</h1>\n{body}</main>\n</body>\n</html>\n"
        )
    }
}

/// A part of a form.
pub enum Field<'a> {
    /// An address to be typed.
    Address {
        /// Its name in the form.
        name: &'a str,
        /// What stands beside it.
        label: &'a str,
    },
    /// A line of text to be typed, or none.
    Line {
        /// Its name in the form.
        name: &'a str,
        /// What stands beside it.
        label: &'a str,
    },
    /// A button: what it sends, and what stands on it.
    Button {
        /// Its name in the form.
        name: &'a str,
        /// What it sends.
        value: &'a str,
        /// What stands on it.
        label: &'a str,
    },
}

impl Field<'_> {
    fn write(&self, out: &mut String) {
        let written = match self {
            Self::Address { name, label } => writeln!(
                out,
                "<p><label>{}<br><input type=\"email\" name=\"{}\" required maxlength=\"254\" autocomplete=\"email\"></label></p>",
                escape(label),
                escape(name)
            ),
            Self::Line { name, label } => writeln!(
                out,
                "<p><label>{}<br><input type=\"text\" name=\"{}\" maxlength=\"500\"></label></p>",
                escape(label),
                escape(name)
            ),
            Self::Button { name, value, label } => writeln!(
                out,
                "<p><button type=\"submit\" name=\"{}\" value=\"{}\">{}</button></p>",
                escape(name),
                escape(value),
                escape(label)
            ),
        };
        // Writing to a String can't fail.
        written.ok();
    }
}

/// Text as HTML, in elements and in quoted attributes.
pub(crate) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if c.is_control() && c != '\n' => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
    out
}

/// The style of all pages.
pub(crate) const STYLE: &str = "\
body { margin: 0; background: #f6f6f4; color: #222; font: 1.05rem/1.5 system-ui, sans-serif; }
main { max-width: 36rem; margin: 2rem auto; padding: 1rem 1.5rem; background: #fff; border-radius: .5rem; }
h1 { font-size: 1.4rem; }
input { width: 100%; box-sizing: border-box; padding: .5rem; font: inherit; }
button { padding: .6rem 1.2rem; font: inherit; }
blockquote { margin: 0; padding-left: 1rem; border-left: .2rem solid #ccc; white-space: pre-wrap; overflow-wrap: anywhere; }
p { overflow-wrap: anywhere; }
@media (prefers-color-scheme: dark) { body { background: #1b1b1b; color: #ddd; } main { background: #262626; } }
";

/// The language that a browser asks for first, of the two that there are (RFC 9110 §12.5.4).
#[must_use]
pub fn preferred(accept_language: &str) -> Language {
    let mut best = (Language::English, 0_u32);
    for range in accept_language.split(',').take(20) {
        let mut parts = range.split(';');
        let tag = parts.next().unwrap_or_default().trim().to_ascii_lowercase();
        let weight = parts
            .find_map(|part| part.trim().strip_prefix("q="))
            .map_or(1000, |q| q.trim().parse::<f32>().ok().filter(|q| (0.0..=1.0).contains(q)).map_or(0, thousandths));
        let language = match tag.split('-').next() {
            Some("fr") => Language::French,
            Some("en") => Language::English,
            _ => continue,
        };
        if weight > best.1 {
            best = (language, weight);
        }
    }
    best.0
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "between 0 and 1000")]
fn thousandths(q: f32) -> u32 {
    (q * 1000.0) as u32
}

/// The fields of an `application/x-www-form-urlencoded` body, or of a query: up to fifty, decoded.
#[must_use]
pub fn form(body: &[u8]) -> Vec<(String, String)> {
    let pairs = body.split(|byte| *byte == b'&').take(50);
    let split = |pair: &[u8]| {
        let at = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let (name, value) = pair.split_at(at);
        (decoded(name), decoded(value.strip_prefix(b"=").unwrap_or(value)))
    };
    pairs.filter(|pair| !pair.is_empty()).map(split).collect()
}

fn decoded(text: &[u8]) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((first, behind)) = rest.split_first() {
        rest = behind;
        let hex = || u8::from_str_radix(str::from_utf8(behind.get(..2)?).ok()?, 16).ok();
        match first {
            b'+' => out.push(b' '),
            b'%' if behind.first().is_some_and(u8::is_ascii_hexdigit) => match hex() {
                Some(byte) => {
                    out.push(byte);
                    rest = behind.get(2..).unwrap_or_default();
                }
                None => out.push(b'%'),
            },
            other => out.push(*other),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_others_wrote_becomes_html() {
        let page = Page::new(Language::French, "<b>\"x\" & 'y'")
            .text("<script>alert(1)</script>")
            .quote("</blockquote><img>")
            .form(&[Field::Button { name: "a\"b", value: "\"><x>", label: "<i>" }]);
        let html = page.html();
        for bad in ["<script", "<img", "<x>", "<i>", "<b>", "\"x\""] {
            assert!(!html.contains(bad), "{bad} in {html}");
        }
        assert!(html.contains("<html lang=\"fr\">"));
    }

    #[test]
    fn the_browser_says_the_language() {
        for (header, wanted) in [
            ("fr-CH, fr;q=0.9, en;q=0.8", Language::French),
            ("en-GB,fr;q=0.5", Language::English),
            ("de, fr;q=0.3, en;q=0.2", Language::French),
            ("de", Language::English),
            ("", Language::English),
            ("fr;q=x, en;q=0.1", Language::English),
        ] {
            assert_eq!(preferred(header), wanted, "{header}");
        }
    }

    #[test]
    fn forms_are_decoded() {
        let pair = |a: &str, b: &str| (a.to_owned(), b.to_owned());
        assert_eq!(
            form(b"action=move&address=a%2Bb%40x.example&reason=caf%C3%A9+%zz%4"),
            [pair("action", "move"), pair("address", "a+b@x.example"), pair("reason", "café %zz%4")]
        );
        assert_eq!(form(b"List-Unsubscribe=One-Click"), [pair("List-Unsubscribe", "One-Click")]);
        assert_eq!(form(b"&&x"), [pair("x", "")]);
    }
}
