//! The text of an HTML document: what people read of it, without its markup.
//!
//! It is no renderer. What stands apart for a reader stands apart here: an element that is a block of its own ends the line,
//! a cell of a table ends the word; an element within a line changes nothing (HTML §15.3). White space is one space. Nothing is
//! refused: what is no tag and no character reference is text.

use mail_parser::decoders::html::add_html_token;
use memchr::{memchr, memchr2, memmem};

use crate::limits::HTML_REFERENCE_OCTETS_MAX;

/// What an element does to the text around its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Stands within a line.
    None,
    /// Parts words.
    Space,
    /// Ends the line.
    Line,
    /// Its content is for programs: up to its end tag, nothing is read.
    Hidden,
}

/// The effect of an element by its name, in any case.
fn effect_of(name: &str) -> Effect {
    const SPACES: &str = "td th img input button select textarea object iframe";
    const LINES: &str = "address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset \
        figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li listing main menu nav ol optgroup \
        option p pre search section summary table tbody tfoot thead tr ul xmp";
    const HIDDEN: &str = "head script style template";
    let is = |known: &str| known.split(' ').any(|known| known.eq_ignore_ascii_case(name));
    if is(HIDDEN) {
        Effect::Hidden
    } else if is(LINES) {
        Effect::Line
    } else if is(SPACES) {
        Effect::Space
    } else {
        Effect::None
    }
}

/// The text of an HTML document, or of a piece of one. It takes time in proportion to the length, and is no longer than the
/// document. An element that is hidden, or a comment, and does not end hides all of the rest.
#[must_use]
pub fn strip_html(html: &str) -> String {
    let mut text = Text::default();
    let mut rest = html;
    loop {
        let at = memchr2(b'<', b'&', rest.as_bytes());
        let (before, from) = rest.split_at_checked(at.unwrap_or(rest.len())).unwrap_or((rest, ""));
        text.add(before);
        rest = match from.as_bytes().first() {
            None => return text.out,
            Some(b'&') => after_reference(from, &mut text),
            Some(_) => after_markup(from, &mut text),
        };
    }
}

/// The text so far.
#[derive(Default)]
struct Text {
    out: String,
    /// What comes before the next character, when there is one.
    gap: Option<char>,
}

impl Text {
    fn add(&mut self, text: &str) {
        for c in text.chars() {
            self.add_char(c);
        }
    }

    fn add_char(&mut self, c: char) {
        // A no-break space among them: for a reader it is a space.
        if c.is_whitespace() || c == '\0' {
            self.part(' ');
            return;
        }
        if let Some(gap) = self.gap.take().filter(|_| !self.out.is_empty()) {
            self.out.push(gap);
        }
        self.out.push(c);
    }

    /// Whatever comes next stands apart; a line's end is more than a space.
    fn part(&mut self, gap: char) {
        if self.gap != Some('\n') {
            self.gap = Some(gap);
        }
    }
}

/// Reads a character reference, `&eacute;` or `&#233;`; anything else is a plain `&`. What is behind it.
fn after_reference<'h>(from: &'h str, text: &mut Text) -> &'h str {
    let near = from.as_bytes().get(..from.len().min(HTML_REFERENCE_OCTETS_MAX)).unwrap_or_default();
    let end = near.iter().position(|octet| *octet == b';');
    if let Some((reference, rest)) = end.and_then(|end| from.split_at_checked(end.saturating_add(1))) {
        let mut decoded = String::new();
        add_html_token(&mut decoded, reference.as_bytes(), false);
        if decoded != reference {
            text.add(&decoded);
            return rest;
        }
    }
    text.add_char('&');
    from.get(1..).unwrap_or_default()
}

/// Reads a tag, a comment or a declaration; anything else is a plain `<`. What is behind it.
fn after_markup<'h>(from: &'h str, text: &mut Text) -> &'h str {
    let inner = from.get(1..).unwrap_or_default();
    if let Some(comment) = inner.strip_prefix("!--") {
        return after_comment(comment);
    }
    let (is_end, named) = inner.strip_prefix('/').map_or((false, inner), |named| (true, named));
    let letters = |c: char| c.is_whitespace() || matches!(c, '/' | '>' | '<');
    let name = named.split(letters).next().unwrap_or_default();
    match named.chars().next() {
        Some(c) if c.is_ascii_alphabetic() => {}
        // `<!DOCTYPE …>`, `<?xml …?>`, `</ …>`: up to the next `>` (HTML §13.2.5, bogus comment state).
        Some(_) if is_end || named.starts_with(['!', '?']) => return behind(inner, memchr(b'>', inner.as_bytes())),
        Some(_) | None => {
            text.add_char('<');
            return inner;
        }
    }
    let rest = after_tag(named.get(name.len()..).unwrap_or_default());
    match effect_of(name) {
        Effect::None => {}
        Effect::Space => text.part(' '),
        Effect::Line => text.part('\n'),
        Effect::Hidden if is_end => text.part('\n'),
        Effect::Hidden => {
            text.part('\n');
            return after_hidden(rest, name);
        }
    }
    rest
}

/// What is behind an attribute list: a `>` in quotes does not end it, unless the quotes do not end.
fn after_tag(attributes: &str) -> &str {
    let octets = attributes.as_bytes();
    let mut quote = None;
    let mut before = b' ';
    for (at, octet) in octets.iter().copied().enumerate() {
        match quote {
            Some(open) if octet == open => quote = None,
            Some(_) => {}
            None if octet == b'>' => return behind(attributes, Some(at)),
            // Only a value is in quotes; one in front of a name is a mistake.
            None if matches!(octet, b'"' | b'\'') && before == b'=' => quote = Some(octet),
            None => {}
        }
        if !octet.is_ascii_whitespace() {
            before = octet;
        }
    }
    // The quotes do not end, or the document ends within the tag.
    behind(attributes, memchr(b'>', octets))
}

/// What is behind a comment: `-->` ends it, `--!>` too, and `>` at once (HTML §13.2.5, comment states).
fn after_comment(comment: &str) -> &str {
    for at_once in [">", "->"] {
        if let Some(rest) = comment.strip_prefix(at_once) {
            return rest;
        }
    }
    let octets = comment.as_bytes();
    for end in memmem::find_iter(octets, "--") {
        let rest = comment.get(end.saturating_add(2)..).unwrap_or_default();
        // Of three dashes, the last two count.
        let rest = rest.strip_prefix('-').unwrap_or(rest);
        if let Some(rest) = rest.strip_prefix('>').or_else(|| rest.strip_prefix("!>")) {
            return rest;
        }
    }
    ""
}

/// What is behind the end tag of a hidden element.
fn after_hidden<'h>(mut rest: &'h str, name: &str) -> &'h str {
    // A head without an end tag ends where the body begins.
    let is_head = name.eq_ignore_ascii_case("head");
    while let Some(at) = memchr(b'<', rest.as_bytes()) {
        let from = rest.get(at.saturating_add(1)..).unwrap_or_default();
        let begins = |tag: &str, word: &str| {
            let (Some(found), behind) = (tag.get(..word.len()), tag.as_bytes().get(word.len())) else { return false };
            let ends = behind.is_none_or(|octet| octet.is_ascii_whitespace() || matches!(octet, b'/' | b'>'));
            ends && found.eq_ignore_ascii_case(word)
        };
        if is_head && begins(from, "body") {
            return rest.get(at..).unwrap_or_default();
        }
        if let Some(tag) = from.strip_prefix('/').filter(|tag| begins(tag, name)) {
            return after_tag(tag.get(name.len()..).unwrap_or_default());
        }
        rest = from;
    }
    ""
}

/// What is behind the octet at a place, or nothing when there is none.
fn behind(text: &str, at: Option<usize>) -> &str {
    at.and_then(|at| text.get(at.saturating_add(1)..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn html_becomes_text() {
        for (html, text) in [
            ("", ""),
            ("plain  text\r\n here ", "plain text here"),
            ("<html><style>p{}</style><p>Hello <b>you</b> &amp; me</p></html>", "Hello you & me"),
            // What stands apart.
            ("<table><tr><td>a</td><td>b</td></tr><tr><th>c<th>d</table>e", "a b\nc d\ne"),
            ("<div>Hello</div><div>Bob</div>", "Hello\nBob"),
            ("<ul><li>one</li><li>two</li></ul>", "one\ntwo"),
            ("<h1>Head</h1>text<h2>Two</h2>", "Head\ntext\nTwo"),
            ("<select><option>x<option>y</select>", "x\ny"),
            ("<p>one<P CLASS=a>two<p/>three", "one\ntwo\nthree"),
            ("a<br>b<BR/>c<br />d<hr>e", "a\nb\nc\nd\ne"),
            ("a<img src=x alt='b>c'>d", "a d"),
            ("<dl><dt>a<dd>b</dl>", "a\nb"),
            // What does not.
            ("wo<b>rl</b>d <i>a</i><span>b</span>", "world ab"),
            ("<b>Hello</b> wor&eacute;ld", "Hello wor\u{e9}ld"),
            ("<b>Hello</b> &eacute;t&eacute; <i>&#233;&#xE9;</i> x", "Hello \u{e9}t\u{e9} \u{e9}\u{e9} x"),
            ("a&nbsp;&nbsp;b&lt;p&gt;c", "a b<p>c"),
            ("caf\u{e9} <b>\u{e9}</b>", "caf\u{e9} \u{e9}"),
            // What is no reference and no tag is text.
            ("AT&T; a & b &nosuchthing; &#xFFFFFFFFFF; &", "AT&T; a & b &nosuchthing; &#xFFFFFFFFFF; &"),
            ("1 < 2 <3 a<b", "1 < 2 <3 a"),
            ("1 > 2", "1 > 2"),
            ("<", "<"),
            // What is not read.
            ("<head><title>no</title></head>yes", "yes"),
            ("<HEAD>\n<meta x>no<body class=b>yes", "yes"),
            ("<header>yes</header>", "yes"),
            ("a<script>if (a<b) '</p>'</script >b", "a\nb"),
            ("a<script>no</scripts>no</SCRIPT>b", "a\nb"),
            ("a<template>no", "a"),
            ("a<!-- no > no -- no -->b<!-->c<!--->d<!-- x --!>e<!-- y --->f<!-- z ---!>g", "abcdefg"),
            ("a<!-- no", "a"),
            ("<!DOCTYPE html PUBLIC 'x'><?xml y?></ z>text", "text"),
            ("<a href=\"x>y\" title = 'p>q'>link</a>", "link"),
            ("<a href='never ends>link</a> rest", "link rest"),
            ("<a b'c>link</a> it's", "link it's"),
        ] {
            assert_eq!(strip_html(html), text, "{html}");
        }
    }

    #[test]
    fn it_takes_time_in_proportion() {
        // Each is 2 MB; what is quadratic would take hours.
        for piece in ["<", "<a b='", "<!--", "<!-- --", "<script>", "&", "&amp", "<head></", "</", "<p"] {
            let text = strip_html(&piece.repeat(2 * 1024 * 1024 / piece.len()));
            assert!(text.len() <= 2 * 1024 * 1024, "{piece}");
        }
    }

    fn markup() -> impl Strategy<Value = String> {
        let pieces = "<p> </p> <td> <b> </b> <br/> <script> </script> <head> </head> <!-- --> < > & &amp; \
            &#233; ' \" = \u{e9} word </ <!";
        let pieces: Vec<&str> = pieces.split_whitespace().chain([" ", "\n", "<a b=", "<div class='x'>"]).collect();
        proptest::collection::vec(proptest::sample::select(pieces), 0..40).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn anything_can_be_read(html in prop_oneof![any::<String>(), markup()]) {
            let text = strip_html(&html);
            prop_assert!(text.len() <= html.len(), "{text:?}");
            prop_assert!(!text.contains("  ") && text.trim() == text, "{text:?}");
        }

        #[test]
        fn the_words_between_tags_are_the_words(
            words in proptest::collection::vec("[a-z\u{e9}]{1,5}", 0..20),
            tags in proptest::collection::vec(proptest::sample::select(vec![
                "</td><td>", "</div><div>", "<li>", "</tr>", "<h1>", "<option>", "<p>", "<br>", " <b>", "</i> ", " ", "\r\n",
                "<p><!-- no --><td>", "<style>no</style>", "<hr title='no>'>",
            ]), 20),
        ) {
            let html: String = words.iter().zip(tags).flat_map(|(word, tag)| [word.as_str(), tag]).collect();
            let found = strip_html(&html);
            prop_assert_eq!(found.split_whitespace().collect::<Vec<_>>(), words);
        }

        /// A preview reads a piece only: of what stands in front of the cut it reads what the whole has there.
        #[test]
        fn a_cut_adds_nothing(words in proptest::collection::vec("[a-z]{1,5}", 0..20), cut in 0_usize..200) {
            let html: String = words.iter().map(|word| format!("<p title=\"x\">{word}&amp;</p><!-- no -->")).collect();
            let whole = strip_html(&html);
            let cut = strip_html(html.get(..cut).unwrap_or(&html));
            // The last word may be a piece, be it of a tag.
            let known = cut.trim_end_matches(|c: char| !c.is_whitespace()).trim_end();
            prop_assert!(whole.starts_with(known), "{cut:?} {whole:?}");
        }
    }
}
