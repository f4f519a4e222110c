//! What filters say in words: made harmless before anybody else reads it.

use mail::{EnhancedCode, Reply};

use crate::limits::{REASON_CHARS_MAX, REPLY_CHARS_MAX};

/// One line of at most so many characters: controls become spaces, runs of which become one.
pub(crate) fn line(octets: &[u8], utf8: bool, chars_max: usize) -> String {
    let text = String::from_utf8_lossy(octets);
    let mut out = String::new();
    let mut chars = 0_usize;
    for word in text.split(|c: char| c.is_control() || c.is_whitespace()).filter(|word| !word.is_empty()) {
        for c in (!out.is_empty()).then_some(' ').into_iter().chain(word.chars()) {
            if chars == chars_max {
                return out;
            }
            out.push(if utf8 || c.is_ascii() { c } else { '?' });
            chars = chars.saturating_add(1);
        }
    }
    out
}

/// A reason, as a header field and the trace have it: plain ASCII.
pub(crate) fn reason(text: &str) -> String {
    line(text.as_bytes(), false, REASON_CHARS_MAX)
}

/// A refusal with a filter's text behind our code: `550 5.7.1`, or `451 4.7.1` for what is temporary.
pub(crate) fn refusal(temporary: bool, text: &str) -> Reply {
    let (code, enhanced) = if temporary { (451, EnhancedCode(4, 7, 1)) } else { (550, EnhancedCode(5, 7, 1)) };
    Reply::new(code, Some(enhanced), text)
}

/// A reply in the words of a filter (`550 5.7.1 No`): its code when that refuses, its enhanced code when that is of the same class. `None`:
/// it is no refusal.
pub(crate) fn reply(octets: &[u8], utf8: bool, otherwise: &str) -> Option<Reply> {
    let text = String::from_utf8_lossy(octets);
    let mut lines = text.lines().filter(|line| !line.is_empty());
    let first = lines.next()?;
    let (code, rest) = coded(first)?;
    let (enhanced, rest) = enhanced(rest, code);
    let mut words = rest.to_owned();
    for line in lines {
        // Further lines begin with the same codes.
        let line = coded(line).map_or(line, |(_, rest)| rest);
        words.push(' ');
        words.push_str(self::enhanced(line, code).1);
    }
    // libmilter's texts are formats: a percent sign is written twice.
    let words = line(words.replace("%%", "%").as_bytes(), utf8, REPLY_CHARS_MAX);
    let words = if words.is_empty() { otherwise.to_owned() } else { words };
    // 421 would be the end of the session, for which the client has done nothing.
    let code = if code == 421 { 451 } else { code };
    let class = if code >= 500 { 5 } else { 4 };
    Some(Reply::new(code, Some(enhanced.unwrap_or(EnhancedCode(class, 7, 1))), words))
}

/// A code of refusal, and what is behind it.
fn coded(line: &str) -> Option<(u16, &str)> {
    let (digits, rest) = line.split_at_checked(3)?;
    if !digits.bytes().all(|byte| byte.is_ascii_digit()) || !(rest.is_empty() || rest.starts_with([' ', '-'])) {
        return None;
    }
    let code = digits.parse().ok().filter(|code| (400..600).contains(code))?;
    Some((code, rest.get(1..).unwrap_or_default()))
}

/// The enhanced code in front of a text, and what is behind it.
fn enhanced(text: &str, code: u16) -> (Option<EnhancedCode>, &str) {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut parts = word.split('.');
    let mut number = || parts.next().filter(|part| (1..=3).contains(&part.len())).and_then(|part| part.parse().ok());
    let read: (Option<u16>, Option<u16>, Option<u16>) = (number(), number(), number());
    let (Some(class @ (4 | 5)), Some(subject), Some(detail)) = read else { return (None, text) };
    if parts.next().is_some() {
        return (None, text);
    }
    let class = if class == 5 { 5 } else { 4 };
    let fits = u16::from(class) == code / 100;
    (fits.then_some(EnhancedCode(class, subject, detail)), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn replies_keep_what_is_harmless() {
        for (given, expected) in [
            ("550 5.7.1 No thanks", Some("550 5.7.1 No thanks")),
            ("554 No thanks", Some("554 5.7.1 No thanks")),
            ("550 4.7.1 wrong class", Some("550 5.7.1 wrong class")),
            ("451 4.7.0 Later", Some("451 4.7.0 Later")),
            ("421 4.3.2 I am tired", Some("451 4.3.2 I am tired")),
            ("550 5.7.1", Some("550 5.7.1 otherwise")),
            ("550", Some("550 5.7.1 otherwise")),
            ("550-5.7.1 one\r\n550 5.7.1 two", Some("550 5.7.1 one two")),
            ("550 5.7.1 one\r\nRCPT TO:<x>\r\n250 yes", Some("550 5.7.1 one RCPT TO:<x> 250 yes")),
            ("550 100%% spam", Some("550 5.7.1 100% spam")),
            ("550 5.7.1 caf\u{e9}", Some("550 5.7.1 caf?")),
            ("550 5.7.1.2 x", Some("550 5.7.1 5.7.1.2 x")),
            ("550 5.7777.1 x", Some("550 5.7.1 5.7777.1 x")),
            ("250 2.0.0 Fine", None),
            ("5500 x", None),
            ("no", None),
            ("", None),
        ] {
            let read = reply(given.as_bytes(), false, "otherwise").map(|reply| reply.to_string());
            assert_eq!(read.as_deref(), expected, "{given:?}");
        }
        assert_eq!(reply(b"550 5.7.1 caf\xc3\xa9 \xff", true, "").unwrap().text, "caf\u{e9} \u{fffd}");
        let long = reply(format!("550 {}", "x".repeat(10_000)).as_bytes(), false, "").unwrap();
        assert_eq!(long.text.len(), REPLY_CHARS_MAX);
        assert!(!long.text.contains('\n'));
    }

    #[test]
    fn a_reason_is_one_line_of_ascii() {
        assert_eq!(reason("a\r\nX-Evil: \u{e9}\tb \u{7f}"), "a X-Evil: ? b");
        assert_eq!(reason(&"long ".repeat(100)).len(), REASON_CHARS_MAX);
    }
}
