use super::*;
use crate::{Scanner, Section, SectionText, TextKind, TransferEncoding};
use proptest::prelude::*;

const MESSAGE: &[u8] = b"From: a@b\r\nTo: c@d\r\nSubject: Re: hello\r\nDate: Fri, 1 Mar 2024 10:00:00 +0100\r\n\
Message-ID: <1@b>\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\nContent-Type: text/plain; charset=utf-8\r\n\
Content-Transfer-Encoding: quoted-printable\r\n\r\nGr=C3=BC=C3=9Fe\r\n--x\r\nContent-Type: application/pdf; name=a.pdf\r\n\
Content-Transfer-Encoding: BASE64\r\n\r\nAAAA\r\n--x--\r\n";

fn record() -> MessageRecord {
    MessageRecord::new(&Scanner::scan(MESSAGE), b"(env)".to_vec(), b"(body)".to_vec(), b"(structure)".to_vec())
}

#[test]
fn a_record_comes_back() {
    let record = record();
    assert_eq!(record.preview, "Grüße");
    assert!(record.has_attachment);
    assert_eq!(MessageRecord::decode(&record.encode()), Ok(record));
}

#[test]
fn a_view_reads_pieces() {
    let bytes = record().encode();
    let view = RecordView::new(&bytes).unwrap();
    assert_eq!(
        (view.envelope(), view.body(), view.body_structure()),
        (&b"(env)"[..], &b"(body)"[..], &b"(structure)"[..])
    );
    assert_eq!(view.preview(), Ok("Grüße"));
    assert!(view.has_attachment());
    assert_eq!(view.sort_keys().unwrap().base_subject, "hello");
    assert_eq!(view.sort_keys().unwrap().sent.unwrap().offset_minutes, 60);
    assert_eq!(view.sent().unwrap(), view.sort_keys().unwrap().sent);
    let parts = view.parts().unwrap();
    let range = parts.section(&Section::new([2], SectionText::Whole)).unwrap();
    assert_eq!(range.of(MESSAGE), b"AAAA");
    let (_, text) = parts.find(&[1]).unwrap();
    assert_eq!((text.text, text.encoding), (TextKind::Plain, TransferEncoding::QuotedPrintable));
    assert_eq!(text.charset.as_deref(), Some("utf-8"));
    assert_eq!(parts.find(&[2]).unwrap().1.encoding, TransferEncoding::Base64);
}

#[test]
fn another_version_and_damage_are_told_apart() {
    let mut bytes = record().encode();
    assert_eq!(RecordView::new(&[]).unwrap_err(), RecordError::Damaged("frame"));
    assert_eq!(RecordView::new(bytes.get(..bytes.len() - 1).unwrap()).unwrap_err(), RecordError::Damaged("frame"));
    bytes[0] = 9;
    assert_eq!(RecordView::new(&bytes).unwrap_err(), RecordError::Version(9));
}

#[test]
fn a_damaged_section_leaves_the_others_readable() {
    let mut bytes = MessageRecord { preview: "é".into(), ..record() }.encode();
    let last = bytes.len() - 1;
    bytes[last] = 0xFF;
    let view = RecordView::new(&bytes).unwrap();
    assert_eq!(view.preview(), Err(RecordError::Damaged("preview")));
    assert_eq!(view.envelope(), b"(env)");
    assert!(MessageRecord::decode(&bytes).is_err());
}

proptest! {
    #[test]
    fn damage_never_panics(at in 0..200_usize, octet: u8, noise: Vec<u8>) {
        let mut bytes = record().encode();
        let length = bytes.len();
        bytes[at % length] = octet;
        drop(MessageRecord::decode(&bytes));
        bytes.truncate(at);
        drop(MessageRecord::decode(&bytes));
        drop(MessageRecord::decode(&noise));
    }
}
