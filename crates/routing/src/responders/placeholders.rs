//! Placeholders in the words of a responder: `{subject}`, `{until}` and their like.
//!
//! Typed: unknown and broken ones are refused when the responder is saved, and what stands for one is never read again,
//! so that no message can bring a placeholder, a header field or HTML of its own into an answer. `{{` stands for a
//! brace; a brace in front of anything but a letter is one, and so is every brace inside of `<style>`.

use std::fmt::Write as _;

use crate::limits::{PLACEHOLDER_CHARS_MAX, PLACEHOLDERS_MAX};
use crate::responders::subject::{cut, one_line};

/// What can be named in the words of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Placeholder {
    /// The subject of the received message.
    Subject,
    /// The address that is answered.
    Sender,
    /// The name of who is answered, else the address.
    SenderName,
    /// The address that was written to.
    Recipient,
    /// The name of the responder's owner, else its address.
    Name,
    /// The first day of the window.
    From,
    /// The last day of the window.
    Until,
    /// Today.
    Date,
    /// The deputy's address.
    Deputy,
    /// The domain of the responder's address.
    Domain,
}

impl Placeholder {
    /// Every one, with the name in braces and what it stands for.
    pub const ALL: [(Self, &'static str, &'static str); 10] = [
        (Self::Subject, "subject", "the subject of the received message"),
        (Self::Sender, "sender", "the address of its sender"),
        (Self::SenderName, "sender_name", "the name of its sender, else the address"),
        (Self::Recipient, "recipient", "the address that was written to"),
        (Self::Name, "name", "the name of the responder's owner, else its address"),
        (Self::From, "from", "the start of the window"),
        (Self::Until, "until", "the end of the window"),
        (Self::Date, "date", "the day of the answer"),
        (Self::Deputy, "deputy", "the address of the deputy"),
        (Self::Domain, "domain", "the domain of the responder's address"),
    ];

    fn named(name: &str) -> Option<Self> {
        let of_that_name = |(_, known, _): &&(Self, &str, &str)| known.eq_ignore_ascii_case(&name.replace('-', "_"));
        Self::ALL.iter().find(of_that_name).map(|(placeholder, ..)| *placeholder)
    }
}

/// Why a text can't be saved.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlaceholderFlaw {
    /// No such placeholder.
    #[error("there is no placeholder {{{0}}}: did you mean {{{1}}}? ({{{{ stands for a brace)")]
    Unknown(String, &'static str),
    /// No `}` behind the name.
    #[error("\"{{{0}\" has no closing brace: write {{{1}}}, or {{{{ for a brace")]
    Unclosed(String, &'static str),
    /// Too many.
    #[error("a text has {PLACEHOLDERS_MAX} placeholders at the most")]
    TooMany,
}

/// Where a text goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// A subject, or plain text: as it is.
    Plain,
    /// HTML: escaped.
    Html,
}

enum Piece<'t> {
    Literal(&'t str),
    Brace,
    Filled(Placeholder, &'t str),
    /// The name, and all of it as it stands.
    Unknown(&'t str, &'t str),
    Unclosed(&'t str, &'t str),
}

/// The placeholders of a text, in their order.
///
/// # Errors
/// What can't be saved; the nearest right name is told.
pub fn placeholders(text: &str, form: Form) -> Result<Vec<Placeholder>, PlaceholderFlaw> {
    let mut found = Vec::new();
    for piece in pieces(text, form) {
        match piece {
            Piece::Literal(_) | Piece::Brace => {}
            Piece::Filled(placeholder, _) => found.push(placeholder),
            Piece::Unknown(name, _) => return Err(PlaceholderFlaw::Unknown(name.to_owned(), nearest(name))),
            Piece::Unclosed(name, _) => return Err(PlaceholderFlaw::Unclosed(name.to_owned(), nearest(name))),
        }
    }
    if found.len() > PLACEHOLDERS_MAX { Err(PlaceholderFlaw::TooMany) } else { Ok(found) }
}

/// A text with its placeholders filled. What can't be read (in a responder of an older store) stays as it is.
#[must_use]
pub fn fill(text: &str, form: Form, value: &dyn Fn(Placeholder) -> String) -> String {
    let mut out = String::with_capacity(text.len());
    let mut filled = 0_usize;
    for piece in pieces(text, form) {
        match piece {
            Piece::Literal(literal) | Piece::Unknown(_, literal) | Piece::Unclosed(_, literal) => out.push_str(literal),
            Piece::Brace => out.push('{'),
            Piece::Filled(_, literal) if filled >= PLACEHOLDERS_MAX => out.push_str(literal),
            Piece::Filled(placeholder, _) => {
                filled = filled.saturating_add(1);
                let value = cut(one_line(&visible(&value(placeholder))), PLACEHOLDER_CHARS_MAX);
                match form {
                    Form::Plain => out.push_str(&value),
                    Form::Html => out.push_str(&escape_html(&value)),
                }
            }
        }
    }
    out
}

/// Text as HTML: nothing in it is markup.
#[must_use]
pub fn escape_html(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' | '\'' | '`' => {
                // Writing to a String can't fail.
                write!(out, "&#{};", u32::from(c)).ok();
            }
            c => out.push(c),
        }
    }
    out
}

/// Without the marks that turn text around or hide it: a name must not rewrite what stands beside it.
fn visible(text: &str) -> String {
    let hidden = |c: &char| matches!(*c, '\u{200B}'..='\u{200F}' | '\u{202A}'..='\u{202E}' | '\u{2060}'..='\u{2069}' | '\u{FEFF}' | '\u{2028}' | '\u{2029}');
    text.chars().filter(|c| !hidden(c)).collect()
}

fn nearest(name: &str) -> &'static str {
    let score = |known: &str| strsim::jaro_winkler(&name.to_ascii_lowercase(), known);
    let names = Placeholder::ALL.iter().map(|(_, known, _)| *known);
    names.max_by(|a, b| score(a).total_cmp(&score(b))).unwrap_or("subject")
}

fn pieces(text: &str, form: Form) -> Vec<Piece<'_>> {
    let mut pieces = Vec::new();
    let mut rest = text;
    // Found once for each style sheet, not for each brace.
    let mut style = if form == Form::Html { style_range(rest) } else { None };
    while let Some(at) = rest.find('{') {
        if let Some((from, to)) = style
            && at >= from
        {
            let (sheet, behind) = rest.split_at_checked(to).unwrap_or((rest, ""));
            pieces.push(Piece::Literal(sheet));
            rest = behind;
            style = style_range(rest);
            continue;
        }
        let (before, brace) = rest.split_at_checked(at).unwrap_or((rest, ""));
        pieces.push(Piece::Literal(before));
        let (piece, taken) = at_brace(brace);
        pieces.push(piece);
        rest = brace.get(taken..).unwrap_or_default();
        let passed = at.saturating_add(taken);
        style = style.map(|(from, to)| (from.saturating_sub(passed), to.saturating_sub(passed)));
    }
    pieces.push(Piece::Literal(rest));
    pieces
}

/// What begins with a brace, and its octets.
fn at_brace(text: &str) -> (Piece<'_>, usize) {
    let inner = text.get(1..).unwrap_or_default();
    if inner.starts_with('{') {
        return (Piece::Brace, 2);
    }
    let part_of_name = |c: char| c.is_alphanumeric() || c == '_' || c == '-';
    let end = inner.find(|c: char| !part_of_name(c)).unwrap_or(inner.len());
    let name = inner.get(..end).unwrap_or_default();
    if !name.starts_with(char::is_alphabetic) {
        return (Piece::Literal(text.get(..1).unwrap_or_default()), 1);
    }
    let behind = end.saturating_add(1);
    if !inner.get(end..).is_some_and(|after| after.starts_with('}')) {
        return (Piece::Unclosed(name, text.get(..behind).unwrap_or_default()), behind);
    }
    let whole = text.get(..behind.saturating_add(1)).unwrap_or_default();
    match Placeholder::named(name) {
        Some(placeholder) => (Piece::Filled(placeholder, whole), whole.len()),
        None => (Piece::Unknown(name, whole), whole.len()),
    }
}

/// Where the next style sheet begins and ends.
fn style_range(html: &str) -> Option<(usize, usize)> {
    let find = |what: &[u8], from: usize| {
        let bytes = html.as_bytes().get(from..)?;
        bytes.windows(what.len()).position(|part| part.eq_ignore_ascii_case(what)).map(|at| at.saturating_add(from))
    };
    let from = find(b"<style", 0)?;
    let to = find(b"</style", from).unwrap_or(html.len());
    Some((from, to))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn filled(text: &str, form: Form, value: &str) -> String {
        fill(text, form, &|_| value.to_owned())
    }

    #[test]
    fn placeholders_are_filled_and_braces_stay() {
        let plain = |text| filled(text, Form::Plain, "x");
        assert_eq!(plain("a {subject} {SENDER} {sender-name}{until}!"), "a x x xx!");
        assert_eq!(plain("{{subject} { a } {1} {} {"), "{subject} { a } {1} {} {");
        assert_eq!(plain("{nonsense} {until"), "{nonsense} {until", "what an older store has stays");
        let html = filled("<STYLE>p{color:red}</style><p>{name} {{</p>", Form::Html, "<b>&\"'");
        assert_eq!(html, "<STYLE>p{color:red}</style><p>&lt;b&gt;&amp;&#34;&#39; {</p>");
    }

    #[test]
    fn unknown_and_broken_ones_are_refused_with_the_nearest_name() {
        let flaw = |text| placeholders(text, Form::Plain).unwrap_err().to_string();
        assert_eq!(
            flaw("{subjet}"),
            "there is no placeholder {subjet}: did you mean {subject}? ({{ stands for a brace)"
        );
        assert!(flaw("{sendername}").contains("{sender_name}"));
        assert!(flaw("{untill}").contains("{until}"));
        assert_eq!(flaw("back {until or"), "\"{until\" has no closing brace: write {until}, or {{ for a brace");
        assert!(placeholders("p{color:red}", Form::Html).is_err());
        assert_eq!(placeholders("<style>p{color:red}</style>{until}", Form::Html), Ok(vec![Placeholder::Until]));
        assert_eq!(placeholders(&"{date}".repeat(101), Form::Plain), Err(PlaceholderFlaw::TooMany));
    }

    #[test]
    fn what_stands_for_one_is_one_short_line_and_is_not_read_again() {
        assert_eq!(filled("{subject}", Form::Plain, "{sender}\r\nBcc: x\u{0}\u{202E}y"), "{sender} Bcc: x y");
        assert_eq!(filled("{subject}", Form::Plain, &"é".repeat(5000)).chars().count(), PLACEHOLDER_CHARS_MAX);
        let many = filled(&"{date}".repeat(100_000), Form::Html, &"<".repeat(1000));
        assert!(many.len() <= 600_000 + PLACEHOLDERS_MAX * PLACEHOLDER_CHARS_MAX * 6);
    }

    proptest! {
        #[test]
        fn nothing_is_lost_and_nothing_gets_in(
            text in "(\\{|\\}|\\{\\{|subject|\\{until\\}|<style>|</style>|é| |<p>){0,30}",
            value in any::<String>(),
        ) {
            for form in [Form::Plain, Form::Html] {
                let out = fill(&text, form, &|_| value.clone());
                if form == Form::Html && placeholders(&text, form).is_ok() {
                    prop_assert!(out.matches('<').count() == text.matches('<').count(), "{}", out);
                }
                prop_assert!(!out.contains(['\r', '\n']));
                prop_assert_eq!(fill(&text.replace('{', "("), form, &|_| String::new()), text.replace('{', "("));
            }
        }
    }
}
