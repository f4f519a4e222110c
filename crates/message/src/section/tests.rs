use super::*;
use crate::Scanner;

/// The message of RFC 3501 §6.4.5's example, each header and text naming itself.
const EXAMPLE: &str = "\
H: top
Content-Type: multipart/mixed; boundary=outer

preamble
--outer
H: 1.MIME

text 1
--outer
H: 2.MIME
Content-Type: application/octet-stream

text 2
--outer
H: 3.MIME
Content-Type: message/rfc822

H: 3.HEADER
Content-Type: multipart/mixed; boundary=three

--three
H: 3.1.MIME

text 3.1
--three
H: 3.2.MIME
Content-Type: application/octet-stream

text 3.2
--three--
--outer
H: 4.MIME
Content-Type: multipart/mixed; boundary=four

--four
H: 4.1.MIME
Content-Type: image/gif

text 4.1
--four
H: 4.2.MIME
Content-Type: message/rfc822

H: 4.2.HEADER
Content-Type: multipart/mixed; boundary=fourtwo

--fourtwo
H: 4.2.1.MIME

text 4.2.1
--fourtwo
H: 4.2.2.MIME
Content-Type: multipart/alternative; boundary=deep

--deep
H: 4.2.2.1.MIME

text 4.2.2.1
--deep
H: 4.2.2.2.MIME
Content-Type: text/richtext

text 4.2.2.2
--deep--
--fourtwo--
--four--
--outer--
epilogue
";

fn get(message: &str, path: &[u32], text: SectionText) -> Option<String> {
    let structure = Scanner::scan(message.as_bytes());
    let range = structure.section(&Section::new(path, text))?;
    Some(String::from_utf8(range.of(message.as_bytes()).to_vec()).unwrap())
}

#[test]
fn the_example_of_rfc_3501() {
    let whole = |path: &[u32]| get(EXAMPLE, path, SectionText::Whole);
    let header = |path: &[u32]| get(EXAMPLE, path, SectionText::Header);
    let mime = |path: &[u32]| get(EXAMPLE, path, SectionText::Mime);
    let body = |path: &[u32]| get(EXAMPLE, path, SectionText::Text);

    assert_eq!(whole(&[]).as_deref(), Some(EXAMPLE));
    assert_eq!(header(&[]).unwrap(), "H: top\nContent-Type: multipart/mixed; boundary=outer\n\n");
    assert_eq!(format!("{}{}", header(&[]).unwrap(), body(&[]).unwrap()), EXAMPLE);
    assert_eq!(mime(&[]), None);

    for path in [&[1][..], &[2], &[3, 1], &[3, 2], &[4, 1], &[4, 2, 1], &[4, 2, 2, 1], &[4, 2, 2, 2]] {
        let name = path.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
        assert_eq!(whole(path).unwrap(), format!("text {name}"));
        assert!(mime(path).unwrap().starts_with(&format!("H: {name}.MIME\n")), "{name}");
        assert!(mime(path).unwrap().ends_with("\n\n"));
        assert_eq!((header(path), body(path)), (None, None), "{name}");
        assert_eq!(whole(&[path, &[1]].concat()), None);
    }
    for path in [&[3][..], &[4, 2]] {
        let name = path.iter().map(ToString::to_string).collect::<Vec<_>>().join(".");
        assert!(mime(path).unwrap().starts_with(&format!("H: {name}.MIME\n")));
        assert!(header(path).unwrap().starts_with(&format!("H: {name}.HEADER\n")));
        assert_eq!(format!("{}{}", header(path).unwrap(), body(path).unwrap()), whole(path).unwrap());
    }
    assert!(mime(&[4]).unwrap().starts_with("H: 4.MIME\n"));
    assert!(whole(&[4]).unwrap().starts_with("--four\n") && whole(&[4]).unwrap().ends_with("--four--"));
    assert_eq!(header(&[4]), None);
    assert!(mime(&[4, 2, 2]).unwrap().starts_with("H: 4.2.2.MIME\n"));
    for path in [&[0][..], &[5], &[1, 1], &[3, 3], &[4, 2, 2, 3], &[u32::MAX]] {
        assert_eq!(whole(path), None, "{path:?}");
    }
}

/// "Every message has at least one part number."
#[test]
fn a_message_without_parts_has_part_one() {
    let message = "Subject: x\r\n\r\nbody\r\n";
    assert_eq!(get(message, &[1], SectionText::Whole).unwrap(), "body\r\n");
    assert_eq!(get(message, &[1], SectionText::Mime).unwrap(), "Subject: x\r\n\r\n");
    assert_eq!(get(message, &[1], SectionText::Text), None);
    assert_eq!(get(message, &[1, 1], SectionText::Whole), None);
    assert_eq!(get(message, &[2], SectionText::Whole), None);
}

#[test]
fn a_message_that_is_a_message() {
    let message = "Content-Type: message/rfc822\n\nSubject: in\n\ntext";
    assert_eq!(get(message, &[1], SectionText::Whole).unwrap(), "Subject: in\n\ntext");
    assert_eq!(get(message, &[1], SectionText::Header).unwrap(), "Subject: in\n\n");
    assert_eq!(get(message, &[1], SectionText::Text).unwrap(), "text");
    assert_eq!(get(message, &[1, 1], SectionText::Whole).unwrap(), "text");
    assert_eq!(get(message, &[1, 1, 1], SectionText::Whole), None);
}

#[test]
fn a_section_survives_storing() {
    let table = Scanner::scan(EXAMPLE.as_bytes()).part_table();
    assert_eq!(PartTable::decode(&table.encode()), Some(table.clone()));
    assert_eq!(table.size(), u64::try_from(EXAMPLE.len()).unwrap());
}

/// RFC 3501 §9: a multipart is told with one part at least; one that has none has an empty part 1.
#[test]
fn a_multipart_without_parts_has_an_empty_one() {
    let bare = "Content-Type: multipart/mixed; boundary=b\n\nno boundary\n";
    assert_eq!(get(bare, &[1], SectionText::Whole).as_deref(), Some(""));
    assert_eq!(get(bare, &[1], SectionText::Mime).as_deref(), Some(""));
    assert_eq!(get(bare, &[1], SectionText::Text), None);
    assert_eq!(get(bare, &[2], SectionText::Whole), None);
    assert_eq!(get(bare, &[1, 1], SectionText::Whole), None);
    let nested = format!("Content-Type: message/rfc822\n\n{bare}");
    assert_eq!(get(&nested, &[1, 1], SectionText::Whole).as_deref(), Some(""));
}
