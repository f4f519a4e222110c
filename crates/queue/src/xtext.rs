//! The codings of addresses in DSN parameters and fields (RFC 3461 §4, RFC 6533 §3).

use std::fmt::Write;

/// `xtext` of RFC 3461 §4: `+`, `=` and what does not print become `+XX`.
#[must_use]
pub fn xtext(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for octet in text.bytes() {
        match octet {
            b'+' | b'=' => push(&mut out, format_args!("+{octet:02X}")),
            b'!'..=b'~' => out.push(char::from(octet)),
            _ => push(&mut out, format_args!("+{octet:02X}")),
        }
    }
    out
}

/// `utf-8-addr-unitext` of RFC 6533 §3: as `xtext`, with UTF-8 as it is.
#[must_use]
pub fn unitext(text: &str) -> String {
    escaped(text, |c| !c.is_ascii() && !c.is_control())
}

/// `utf-8-addr-xtext` of RFC 6533 §3: ASCII alone.
#[must_use]
pub fn utf8_xtext(text: &str) -> String {
    escaped(text, |_| false)
}

fn escaped(text: &str, plain: impl Fn(char) -> bool) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '+' | '=' | '\\' => push(&mut out, format_args!("\\x{{{:02X}}}", u32::from(c))),
            '!'..='~' => out.push(c),
            c if plain(c) => out.push(c),
            c => push(&mut out, format_args!("\\x{{{:02X}}}", u32::from(c))),
        }
    }
    out
}

/// Writing into a string can't fail.
fn push(line: &mut String, arguments: std::fmt::Arguments<'_>) {
    line.write_fmt(arguments).ok();
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_coding_keeps_its_alphabet() {
        assert_eq!(xtext("a+b=c d@e"), "a+2Bb+3Dc+20d@e");
        assert_eq!(unitext("jos\u{e9}+x\\y z"), "jos\u{e9}\\x{2B}x\\x{5C}y\\x{20}z");
        assert_eq!(utf8_xtext("jos\u{e9}\u{1f600}@e"), "jos\\x{E9}\\x{1F600}@e");
    }
}
