//! The first words of a message, for RFC 8970 PREVIEW and for people.

use crate::{
    decode::{TransferEncoding, decode_text},
    html::strip_html,
    limits::PREVIEW_CHARS_MAX,
    structure::{Structure, TextSample},
};

/// Up to [`PREVIEW_CHARS_MAX`] characters of the first text that says anything: the text part that comes first, or else the
/// other kind. White space is folded, control characters are gone.
pub fn preview(structure: &Structure) -> String {
    let plain = structure.plain_sample.as_ref().map(|sample| (sample, false));
    let html = structure.html_sample.as_ref().map(|sample| (sample, true));
    let mut samples: Vec<_> = plain.into_iter().chain(html).collect();
    samples.sort_by_key(|(sample, _)| sample.part);
    samples
        .into_iter()
        .map(|(sample, is_html)| words(&readable(structure, sample, is_html)))
        .find(|text| !text.is_empty())
        .unwrap_or_default()
}

fn readable(structure: &Structure, sample: &TextSample, is_html: bool) -> String {
    let Some(part) = structure.parts.get(sample.part) else { return String::new() };
    let encoding = TransferEncoding::from_field(part.mime.encoding.as_deref());
    let charset = part.mime.content_type.charset();
    let mut text = decode_text(&sample.bytes, encoding, charset.as_deref());
    // The sample may end within a character.
    while text.ends_with(char::REPLACEMENT_CHARACTER) {
        text.pop();
    }
    if is_html { strip_html(&text) } else { text }
}

fn words(text: &str) -> String {
    let mut preview = String::new();
    let mut count = 0_usize;
    let mut space = false;
    for character in text.chars() {
        if character.is_whitespace() || character.is_control() {
            space = count > 0;
            continue;
        }
        let wanted = if space { 2 } else { 1 };
        count = count.saturating_add(wanted);
        if count > PREVIEW_CHARS_MAX {
            break;
        }
        if std::mem::take(&mut space) {
            preview.push(' ');
        }
        preview.push(character);
    }
    preview
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Scanner;

    fn of(message: &str) -> String {
        preview(&Scanner::scan(message.replace('\n', "\r\n").as_bytes()))
    }

    #[test]
    fn white_space_is_folded_and_the_length_bounded() {
        assert_eq!(of("Subject: x\n\n  Hello,\n\n\tyou  there\n"), "Hello, you there");
        let long = of(&format!("A: b\n\n{}", "wörd ".repeat(400)));
        assert_eq!(long.chars().count(), PREVIEW_CHARS_MAX - 1);
        assert!(long.ends_with("wörd"));
    }

    #[test]
    fn html_serves_where_plain_text_is_empty() {
        let message = "Content-Type: multipart/alternative; boundary=b\n\n--b\n\n \n--b\nContent-Type: text/html\n\
             Content-Transfer-Encoding: base64\n\nPHA+SGkgPGI+eW91PC9iPjwvcD4=\n--b--\n";
        assert_eq!(of(message), "Hi you");
        assert_eq!(of("Content-Type: text/html\n\n<div>Hello</div><div>Bob</div><td>a</td><td>b"), "Hello Bob a b");
    }

    #[test]
    fn the_first_text_wins_and_attachments_do_not_count() {
        let message = "Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Disposition: attachment\n\nfile\n--b\n\
             Content-Type: text/html\n\n<p>letter</p>\n--b\n\nfooter\n--b--\n";
        assert_eq!(of(message), "letter");
    }
}
