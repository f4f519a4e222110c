//! The text of an HTML document: what people read of it, without its markup.
//!
//! It is no renderer. What stands apart for a reader stands apart here: an element that is a block of its own ends the line,
//! a cell of a table ends the word; an element within a line changes nothing (HTML §15.3). White space is one space. Nothing is
//! refused: what is no tag and no character reference is text.

use mail_parser::decoders::html::add_html_token;
use memchr::{memchr, memchr2, memmem};

use crate::limits::{HTML_NAME_OCTETS_MAX, HTML_PIECE_OCTETS, HTML_QUOTED_OCTETS_MAX, HTML_REFERENCE_OCTETS_MAX};

/// What an element does to the text around its tags.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Effect {
    /// Stands within a line.
    None,
    /// Parts words.
    Space,
    /// Ends the line.
    Line,
    /// Its content is for programs: up to its end tag, nothing is read. With its name in small letters.
    Hidden(&'static str),
}

/// The effect of an element by its name, in any case.
fn effect_of(name: &str) -> Effect {
    const SPACES: &str = "td th img input button select textarea object iframe";
    const LINES: &str = "address article aside blockquote body br caption center dd details dialog dir div dl dt fieldset \
        figcaption figure footer form h1 h2 h3 h4 h5 h6 header hgroup hr html legend li listing main menu nav ol optgroup \
        option p pre search section summary table tbody tfoot thead tr ul xmp";
    const HIDDEN: &str = "head script style template";
    let find = |known: &'static str| known.split(' ').find(|known| known.eq_ignore_ascii_case(name));
    if let Some(name) = find(HIDDEN) {
        Effect::Hidden(name)
    } else if find(LINES).is_some() {
        Effect::Line
    } else if find(SPACES).is_some() {
        Effect::Space
    } else {
        Effect::None
    }
}

/// The text of an HTML document, or of a piece of one. It takes time in proportion to the length, and is no longer than the
/// document. An element that is hidden, or a comment, and does not end hides all of the rest.
#[must_use]
pub fn strip_html(html: &str) -> String {
    let mut reader = HtmlReader::default();
    reader.feed(html);
    reader.finish();
    reader.take()
}

/// Reads a document that comes in pieces of any size; its text is that of the whole. It holds some octets back, and what stands
/// behind a `>` in quotes until these end.
#[derive(Debug, Default)]
pub(crate) struct HtmlReader {
    text: Text,
    state: State,
    /// What can't be told yet: a beginning that is too short.
    carry: String,
}

/// Where in the document the reader is.
#[derive(Debug, Default)]
enum State {
    #[default]
    Text,
    Comment,
    /// `<!DOCTYPE …`, `<?xml …`, `</ …`: up to the next `>` (HTML §13.2.5, bogus comment state).
    Bogus,
    /// In a name that is no element's of ours.
    Name,
    Attributes(Attributes),
    /// In the content of an element with that name, which is not read.
    Hidden(&'static str),
}

/// In a tag, behind its name.
#[derive(Debug)]
struct Attributes {
    after: After,
    /// The last octet that is no white space.
    before: u8,
    quote: Option<u8>,
    /// What stands behind the first `>` in quotes that are open: the text that it is if they don't end.
    held: Option<String>,
}

/// What a tag does when it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum After {
    Nothing,
    Part(char),
    Hide(&'static str),
}

/// What is left of what was read.
enum Step<'h> {
    Rest(&'h str),
    /// More is needed to tell what that is.
    Carry(&'h str),
    /// What was held has to be read as text, and then the rest.
    Reread(String, &'h str),
}

impl HtmlReader {
    /// Reads the next piece.
    pub(crate) fn feed(&mut self, html: &str) {
        let mut rest = html;
        while !rest.is_empty() {
            // What is joined with what was carried is copied: not all of the rest each time.
            let (piece, behind) =
                rest.split_at_checked(rest.floor_char_boundary(HTML_PIECE_OCTETS)).unwrap_or((rest, ""));
            let mut joined = std::mem::take(&mut self.carry);
            joined.push_str(piece);
            self.read(&joined, false);
            rest = behind;
        }
    }

    /// The document has ended.
    pub(crate) fn finish(&mut self) {
        let carry = std::mem::take(&mut self.carry);
        self.read(&carry, true);
        // Quotes that don't end. What is read again is shorter each time.
        while let Some((after, held)) = self.unclosed() {
            self.leave(after);
            self.read(&held, true);
        }
    }

    /// The text since the last time. White space comes when there is something behind it.
    pub(crate) fn take(&mut self) -> String {
        std::mem::take(&mut self.text.out)
    }

    /// The quotes that are open, when the tag has to be taken for one that ended in them.
    fn unclosed(&mut self) -> Option<(After, String)> {
        let State::Attributes(tag) = &mut self.state else { return None };
        Some((tag.after, tag.held.take()?))
    }

    /// `last`: nothing follows.
    fn read(&mut self, html: &str, last: bool) {
        let mut rest = html;
        while !rest.is_empty() {
            match self.step(rest, last) {
                Step::Rest(left) => rest = left,
                Step::Carry(carry) => {
                    self.carry.push_str(carry);
                    return;
                }
                Step::Reread(held, left) => {
                    // Shorter than what lets this happen again within it.
                    self.read(&held, false);
                    let mut joined = std::mem::take(&mut self.carry);
                    joined.push_str(left);
                    return self.read(&joined, last);
                }
            }
        }
    }

    fn step<'h>(&mut self, html: &'h str, last: bool) -> Step<'h> {
        match &mut self.state {
            State::Text => {
                let at = memchr2(b'<', b'&', html.as_bytes());
                let (before, from) = html.split_at_checked(at.unwrap_or(html.len())).unwrap_or((html, ""));
                self.text.add(before);
                match from.as_bytes().first() {
                    None => Step::Rest(""),
                    Some(b'&') => self.reference(from, last),
                    Some(_) => self.markup(from, last),
                }
            }
            State::Comment => self.comment(html, last),
            State::Bogus => {
                let end = memchr(b'>', html.as_bytes());
                if end.is_some() {
                    self.state = State::Text;
                }
                Step::Rest(behind(html, end))
            }
            State::Name => match html.find(ends_name) {
                None => Step::Rest(""),
                Some(at) => {
                    self.state = State::Attributes(Attributes::of(After::Nothing));
                    Step::Rest(html.get(at..).unwrap_or_default())
                }
            },
            State::Attributes(tag) => match tag.read(html) {
                None => Step::Rest(""),
                Some((end, held)) => {
                    let (after, rest) = (tag.after, html.get(end..).unwrap_or_default());
                    self.leave(after);
                    match held {
                        None => Step::Rest(rest),
                        Some(held) => Step::Reread(held, rest),
                    }
                }
            },
            State::Hidden(name) => {
                let name = *name;
                self.hidden(html, name, last)
            }
        }
    }

    /// A tag has ended.
    fn leave(&mut self, after: After) {
        self.state = State::Text;
        match after {
            After::Nothing => {}
            After::Part(gap) => self.text.part(gap),
            After::Hide(name) => {
                self.text.part('\n');
                self.state = State::Hidden(name);
            }
        }
    }

    /// Reads a character reference, `&eacute;` or `&#233;`; anything else is a plain `&`.
    fn reference<'h>(&mut self, from: &'h str, last: bool) -> Step<'h> {
        let near = from.as_bytes().get(..from.len().min(HTML_REFERENCE_OCTETS_MAX)).unwrap_or_default();
        let end = memchr(b';', near);
        if end.is_none() && !last && from.len() < HTML_REFERENCE_OCTETS_MAX {
            return Step::Carry(from);
        }
        if let Some((reference, rest)) = end.and_then(|end| from.split_at_checked(end.saturating_add(1))) {
            let mut decoded = String::new();
            add_html_token(&mut decoded, reference.as_bytes(), false);
            if decoded != reference {
                self.text.add(&decoded);
                return Step::Rest(rest);
            }
        }
        self.text.add_char('&');
        Step::Rest(from.get(1..).unwrap_or_default())
    }

    /// Reads the beginning of a tag, a comment or a declaration; anything else is a plain `<`.
    fn markup<'h>(&mut self, from: &'h str, last: bool) -> Step<'h> {
        // A comment that ends at once: `<!--->`.
        const KNOWN_AT: usize = "<!--->".len();
        if !last && from.len() < KNOWN_AT {
            return Step::Carry(from);
        }
        let inner = from.get(1..).unwrap_or_default();
        if let Some(comment) = inner.strip_prefix("!--") {
            // HTML §13.2.5, comment states.
            let at_once = comment.strip_prefix('>').or_else(|| comment.strip_prefix("->"));
            if at_once.is_none() {
                self.state = State::Comment;
            }
            return Step::Rest(at_once.unwrap_or(comment));
        }
        let (is_end, named) = inner.strip_prefix('/').map_or((false, inner), |named| (true, named));
        match named.chars().next() {
            Some(c) if c.is_ascii_alphabetic() => {}
            Some(_) if is_end || named.starts_with(['!', '?']) => {
                self.state = State::Bogus;
                return Step::Rest(inner);
            }
            Some(_) | None => {
                self.text.add_char('<');
                return Step::Rest(inner);
            }
        }
        let Some((name, rest)) = named.find(ends_name).and_then(|at| named.split_at_checked(at)) else {
            if !last && named.len() < HTML_NAME_OCTETS_MAX {
                return Step::Carry(from);
            }
            self.state = State::Name;
            return Step::Rest("");
        };
        let after = match effect_of(name) {
            Effect::None => After::Nothing,
            Effect::Space => After::Part(' '),
            Effect::Line => After::Part('\n'),
            Effect::Hidden(_) if is_end => After::Part('\n'),
            Effect::Hidden(name) => After::Hide(name),
        };
        self.state = State::Attributes(Attributes::of(after));
        Step::Rest(rest)
    }

    /// `-->` ends a comment, `--!>` too.
    fn comment<'h>(&mut self, comment: &'h str, last: bool) -> Step<'h> {
        for end in memmem::find_iter(comment.as_bytes(), "--") {
            let rest = comment.get(end.saturating_add(2)..).unwrap_or_default();
            // Of three dashes, the last two count.
            let rest = rest.strip_prefix('-').unwrap_or(rest);
            if let Some(rest) = rest.strip_prefix('>').or_else(|| rest.strip_prefix("!>")) {
                self.state = State::Text;
                return Step::Rest(rest);
            }
        }
        let begun = ["--!", "--", "-"].into_iter().find(|begun| comment.ends_with(begun)).unwrap_or_default();
        match comment.get(comment.len().saturating_sub(begun.len())..) {
            Some(begun) if !last && !begun.is_empty() => Step::Carry(begun),
            Some(_) | None => Step::Rest(""),
        }
    }

    /// Passes over the content of a hidden element, up to its end tag.
    fn hidden<'h>(&mut self, html: &'h str, name: &'static str, last: bool) -> Step<'h> {
        // A head without an end tag ends where the body begins.
        let is_head = name == "head";
        let mut rest = html;
        while let Some(at) = memchr(b'<', rest.as_bytes()) {
            let from = rest.get(at..).unwrap_or_default();
            let inner = from.get(1..).unwrap_or_default();
            // `/`, the name, and what ends it.
            if !last && inner.len() < name.len().saturating_add(2) {
                return Step::Carry(from);
            }
            let begins = |tag: &str, word: &str| {
                let (Some(found), behind) = (tag.get(..word.len()), tag.as_bytes().get(word.len())) else {
                    return false;
                };
                let ends = behind.is_none_or(|octet| octet.is_ascii_whitespace() || matches!(octet, b'/' | b'>'));
                ends && found.eq_ignore_ascii_case(word)
            };
            if is_head && begins(inner, "body") {
                self.state = State::Text;
                return Step::Rest(from);
            }
            if let Some(tag) = inner.strip_prefix('/').filter(|tag| begins(tag, name)) {
                self.state = State::Attributes(Attributes::of(After::Part('\n')));
                return Step::Rest(tag.get(name.len()..).unwrap_or_default());
            }
            rest = inner;
        }
        Step::Rest("")
    }
}

impl Attributes {
    const fn of(after: After) -> Self {
        Self { after, before: b' ', quote: None, held: None }
    }

    /// Looks for the end of the tag: a `>` in quotes is none, unless these don't end either. Where it is found, and what has to be
    /// read as text before what stands there.
    fn read(&mut self, html: &str) -> Option<(usize, Option<String>)> {
        // Where in this piece that begins which has to be held.
        let mut from = self.held.as_ref().map(|_| 0_usize);
        for (at, octet) in html.bytes().enumerate() {
            match self.quote {
                Some(open) if octet == open => {
                    (self.quote, self.held, from) = (None, None, None);
                }
                Some(_) => match (from, &mut self.held) {
                    (Some(begin), Some(held)) => {
                        let octets = held.len().saturating_add(at.saturating_sub(begin));
                        if octets >= HTML_QUOTED_OCTETS_MAX && html.is_char_boundary(at) {
                            held.push_str(html.get(begin..at).unwrap_or_default());
                            return Some((at, self.held.take()));
                        }
                    }
                    _ if octet == b'>' => {
                        from = at.checked_add(1);
                        self.held = Some(String::new());
                    }
                    _ => {}
                },
                None if octet == b'>' => return Some((at.saturating_add(1), None)),
                // Only a value is in quotes; one in front of a name is a mistake.
                None if matches!(octet, b'"' | b'\'') && self.before == b'=' => self.quote = Some(octet),
                None => {}
            }
            if !octet.is_ascii_whitespace() {
                self.before = octet;
            }
        }
        if let (Some(begin), Some(held)) = (from, &mut self.held) {
            held.push_str(html.get(begin..).unwrap_or_default());
        }
        None
    }
}

/// What ends the name of a tag.
fn ends_name(c: char) -> bool {
    c.is_whitespace() || matches!(c, '/' | '>' | '<')
}

/// The text so far.
#[derive(Debug, Default)]
struct Text {
    out: String,
    /// There was some.
    begun: bool,
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
        if let Some(gap) = self.gap.take().filter(|_| self.begun) {
            self.out.push(gap);
        }
        self.begun = true;
        self.out.push(c);
    }

    /// Whatever comes next stands apart; a line's end is more than a space.
    fn part(&mut self, gap: char) {
        if self.gap != Some('\n') {
            self.gap = Some(gap);
        }
    }
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

    /// Reads a document cut into pieces.
    fn cut(html: &str, octets: usize) -> String {
        let mut reader = HtmlReader::default();
        let (mut rest, mut text) = (html, String::new());
        while let Some(first) = rest.chars().next() {
            let (piece, behind) = rest.split_at(rest.floor_char_boundary(octets).max(first.len_utf8()));
            reader.feed(piece);
            text.push_str(&reader.take());
            rest = behind;
        }
        reader.finish();
        text.push_str(&reader.take());
        text
    }

    #[test]
    fn a_greater_than_in_quotes_ends_the_tag_only_when_these_do_not_end() {
        let far = "y".repeat(HTML_QUOTED_OCTETS_MAX + 1);
        let near = &far[..far.len() - 1];
        for (html, text) in [
            (format!("<a b='x>{near}'>z"), "z".to_owned()),
            (format!("<a b='x>{far}'>z"), format!("{far}'>z")),
            (format!("<a b='{far}{far}>'>z"), "z".to_owned()),
            (format!("<a b='p>q' c='x>{near}"), near.to_owned()),
            (format!("<script b='x>{far}</script>z"), "z".to_owned()),
            (format!("<a b='x>&am<b c=\"y>p;{far}z"), format!("&amp;{far}z")),
            (format!("<a b='x>{}é'>z", &far[..far.len() - 2]), "z".to_owned()),
            (format!("<a b='x>{near}é'>z"), format!("{near}é'>z")),
        ] {
            for octets in [1, 3, 1_000, 50_000, 1_000_000] {
                assert!(cut(&html, octets) == text, "{} cut at {octets}", &html[..12]);
            }
        }
    }

    #[test]
    fn it_takes_time_in_proportion() {
        // Each is 2 MB; what is quadratic would take hours.
        for piece in [
            "<",
            "<a b='",
            "<a b='>",
            "<a b='><a c=\">",
            "<!--",
            "<!-- --",
            "<script>",
            "&",
            "&amp",
            "<head></",
            "</",
            "<p",
        ] {
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
        fn cuts_change_nothing(html in prop_oneof![any::<String>(), markup()], octets in 1_usize..12) {
            prop_assert_eq!(cut(&html, octets), strip_html(&html));
        }

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
