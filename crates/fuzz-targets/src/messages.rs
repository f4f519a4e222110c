//! What messages hold: structure, header fields, transfer encodings, records.

use imap_wire::{oracle, precompute};
use message::{
    BinaryParts, ByteRange, MessageRecord, RecordView, Scanner, Section, SectionText, Structure, TransferDecoder,
    TransferEncoding,
};

use crate::cuts::cut;

fn within(range: ByteRange, outer: ByteRange) -> bool {
    outer.start <= range.start && range.start <= range.end && range.end <= outer.end
}

/// Every offset lies in the message, every part in its parent, and what FETCH says of it can be read.
fn sound(structure: &Structure, message: &[u8]) {
    let whole = ByteRange { start: 0, end: message.len() as u64 };
    assert_eq!(structure.size, whole.end);
    for (index, part) in structure.parts.iter().enumerate() {
        assert!(part.header_start <= part.body_start && part.body_start <= part.body_end, "{part:?}");
        let outer = match part.parent {
            Some(parent) => {
                assert!(parent < index, "a parent comes first");
                structure.parts.get(parent).map_or(whole, message::Part::body)
            }
            None => {
                assert_eq!(index, 0, "one part alone has no parent");
                whole
            }
        };
        assert!(within(part.header(), outer) && within(part.body(), outer), "{part:?} outside of {outer:?}");
        let lines = part.body().of(message).iter().filter(|b| **b == b'\n').count() as u64;
        assert!(part.lines <= lines + 1, "{} lines in {part:?}", part.lines);
    }
    let mut before = 0;
    for field in &structure.fields {
        assert!(before <= field.start && field.start <= field.value_start && field.value_start <= field.end);
        assert!(field.end <= whole.end);
        before = field.end;
    }
    let table = structure.part_table();
    for path in [vec![], vec![1], vec![2], vec![1, 1], vec![1, 2], vec![2, 1], vec![1, 1, 1]] {
        for text in [SectionText::Whole, SectionText::Header, SectionText::Text, SectionText::Mime] {
            let section = Section::new(path.clone(), text);
            let range = structure.section(&section);
            assert_eq!(range, table.section(&section), "the table says what the structure says");
            assert!(range.is_none_or(|range| within(range, whole)), "{section:?} {range:?}");
        }
    }
    let forms = precompute::forms(structure);
    let mut line = b"* 1 FETCH (ENVELOPE ".to_vec();
    line.extend(forms.envelope);
    line.extend(b" BODY ");
    line.extend(forms.body);
    line.extend(b" BODYSTRUCTURE ");
    line.extend(forms.body_structure);
    line.extend(b")\r\n");
    // imap-codec's reader stops at some depth; ours of other servers' answers goes on.
    let nested = line.windows(2).filter(|pair| pair == b"((").count();
    assert!(nested > 6 || oracle::readable(&line), "a client can't read {:?}", String::from_utf8_lossy(&line));
}

/// The scanner: cuts change nothing, offsets are sound, also of a message that ends anywhere; a record comes back as it was.
pub(crate) fn scan(input: &[u8]) {
    let (pieces, whole) = cut(input);
    let structure = Scanner::scan(whole);
    let mut scanner = Scanner::new();
    for piece in &pieces {
        scanner.feed(piece);
    }
    assert_eq!(scanner.offset(), whole.len() as u64);
    assert_eq!(scanner.finish(), structure, "cut");
    sound(&structure, whole);
    for length in [whole.len() / 2, whole.len().saturating_sub(1)] {
        let begun = whole.get(..length).unwrap_or_default();
        sound(&Scanner::scan(begun), begun);
    }
    let kept = precompute::record(&structure).unwrap_or_else(|oversize| *oversize.record);
    assert_eq!(MessageRecord::decode(&kept.encode()).as_ref(), Ok(&kept), "there and back");
    message::preview(&structure);
}

/// Header fields, addresses, dates, identifiers: nothing panics, nothing that is found lies outside.
pub(crate) fn header(input: &[u8]) {
    let mut fields = message::raw_fields(input);
    let together: usize = fields.by_ref().map(|field| field.bytes.len()).sum();
    assert_eq!(together + fields.rest().len(), input.len(), "fields and what follows are the header");
    let picked = message::header_fields(input, &["subject", "to"], false);
    let others = message::header_fields(input, &["subject", "to"], true);
    assert!(picked.len() + others.len() <= input.len() + 4, "what is picked and what is left are the header");
    message::decode_header(input);
    for address in message::parse_addresses(input) {
        assert!(!address.is_mailbox() || address.mailbox.is_some(), "a mailbox has a local part");
    }
    message::parse_date(input);
    for id in message::parse_message_ids(input) {
        assert!(!id.is_empty(), "an identifier is not nothing");
    }
    message::field_name(input);
    for encoding in ENCODINGS {
        message::decode_text(input, encoding, Some(b"utf-8"));
    }
    let html = String::from_utf8_lossy(input);
    assert!(message::strip_html(&html).len() <= html.len(), "a text is no longer than its document");
}

const ENCODINGS: [TransferEncoding; 3] =
    [TransferEncoding::SevenBit, TransferEncoding::Base64, TransferEncoding::QuotedPrintable];

/// Decoding in pieces is decoding at once, and makes nothing longer than it was.
pub(crate) fn transfer(input: &[u8]) {
    let (pieces, whole) = cut(input);
    for encoding in ENCODINGS {
        let decode = |pieces: &[&[u8]]| {
            let mut decoder = TransferDecoder::new(encoding)?;
            let mut out = Vec::new();
            for piece in pieces {
                decoder.feed(piece, &mut out);
            }
            decoder.finish(&mut out);
            Some(out)
        };
        let text = decode(&[whole]);
        assert_eq!(decode(&pieces), text, "cut");
        assert!(text.is_none_or(|text| text.len() <= whole.len()), "longer than it was");
        message::decode_bytes(whole, encoding);
    }
}

/// A record as a disk may give it back: readable or not, never worse.
pub(crate) fn record(input: &[u8]) {
    if let Ok(record) = MessageRecord::decode(input) {
        assert_eq!(MessageRecord::decode(&record.encode()).as_ref(), Ok(&record));
    }
    if let Ok(view) = RecordView::new(input) {
        view.envelope();
        view.body();
        view.body_structure();
        view.preview().ok();
        view.sort_keys().ok();
        if let Ok(keys) = view.sort_keys_view() {
            keys.references();
        }
        if let Ok(parts) = view.parts() {
            parts.find(&[1, 1]);
        }
    }
}

/// RFC 5256 §2.1: what is extracted is a base subject already.
pub(crate) fn base_subject(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let base = message::base_subject(&text);
    assert!(base.text.len() <= text.len(), "nothing is added");
    let again = message::base_subject(&base.text);
    assert_eq!(again.text, base.text, "of {text:?}");
    // i;unicode-casemap takes each code point by itself (RFC 5051 §2).
    let (head, tail) = text.split_at(text.floor_char_boundary(text.len() / 2));
    assert_eq!(message::casemap(head) + &message::casemap(tail), message::casemap(&text), "of {text:?}");
}

/// A message with binary parts (RFC 3030 §3): the same wherever it was cut; what is taken has lines alone, and nothing binary is left in it.
pub(crate) fn binary(input: &[u8]) {
    let (pieces, whole) = cut(input);
    let recoded = |pieces: &[&[u8]]| {
        let (mut parts, mut out) = (BinaryParts::default(), Vec::new());
        pieces.iter().for_each(|piece| parts.write(piece, &mut out));
        parts.finish(&mut out);
        (out, parts.flaw())
    };
    let (out, flaw) = recoded(&[whole]);
    assert_eq!(recoded(&pieces), (out.clone(), flaw), "cut");
    if flaw.is_some() {
        return;
    }
    let bare = |at: &usize| match out.get(*at) {
        Some(0) => true,
        Some(b'\r') => out.get(at + 1) != Some(&b'\n'),
        Some(b'\n') => at.checked_sub(1).and_then(|before| out.get(before)) != Some(&b'\r'),
        _ => false,
    };
    assert_eq!((0..out.len()).find(bare), None, "{:?}", String::from_utf8_lossy(&out));
    assert_eq!(recoded(&[&out]), (out.clone(), None), "what has no binary parts stays as it is");
}
