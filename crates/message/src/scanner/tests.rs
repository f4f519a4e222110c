//! Structures, well-formed and nasty; equality under every cut; agreement with another parser.

use super::*;
use crate::{
    Field, Part, PartKind, field_name,
    limits::{DEPTH_MAX, FIELDS_INDEXED_MAX, PARTS_MAX, RECIPIENTS_BYTES_MAX, SHORT_VALUE_BYTES_MAX},
    raw_fields,
};
use proptest::prelude::*;

mod differential;
mod nasty;

fn crlf(text: &str) -> Vec<u8> {
    text.replace('\n', "\r\n").into_bytes()
}

/// Each part as `depth kind/subtype [header] [body] lines`, line breaks as `|`.
fn outline(message: &[u8]) -> Vec<String> {
    let structure = Scanner::scan(message);
    check_invariants(&structure, message);
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).replace("\r\n", "|").replace('\n', "|");
    structure
        .parts
        .iter()
        .map(|part| {
            let content_type = &part.mime.content_type;
            format!(
                "{} {}/{} [{}] {}",
                depth(&structure, part),
                text(&content_type.kind).to_ascii_lowercase(),
                text(&content_type.subtype).to_ascii_lowercase(),
                text(part.body().of(message)),
                part.lines
            )
        })
        .collect()
}

fn depth(structure: &Structure, part: &Part) -> usize {
    part.parent.map_or(0, |parent| 1 + depth(structure, &structure.parts[parent]))
}

/// What holds of every structure.
fn check_invariants(structure: &Structure, message: &[u8]) {
    assert_eq!(structure.size, to_u64(message.len()));
    assert_eq!((structure.parts[0].header_start, structure.parts[0].body_end), (0, structure.size));
    assert!(structure.parts.len() <= PARTS_MAX);
    for (index, part) in structure.parts.iter().enumerate() {
        assert!(part.header_start <= part.body_start && part.body_start <= part.body_end, "{part:?}");
        let feeds = part.body().of(message).iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(part.lines, to_u64(feeds), "{part:?}");
        assert_eq!(
            part.envelope.is_some(),
            index == 0 || structure.parts[part.parent.unwrap()].kind == PartKind::Message
        );
        let mut before = part.body_start;
        let mut number = 0;
        for (_, child) in structure.children(index) {
            number += 1;
            assert_eq!(child.number, number);
            assert!(before <= child.header_start && child.body_end <= part.body_end, "{part:?} {child:?}");
            before = child.body_end;
        }
        match part.kind {
            PartKind::Leaf => assert_eq!(number, 0),
            PartKind::Message => assert_eq!(number, 1),
            PartKind::Multipart => {}
        }
    }
    // The header of the message, read by the other reader of fields.
    let fields: Vec<_> = raw_fields(structure.parts[0].header().of(message)).collect();
    let fields: Vec<_> =
        fields.iter().filter(|field| !field.bytes.starts_with(b" ") && !field.bytes.starts_with(b"\t")).collect();
    if !structure.limited {
        assert_eq!(fields.len(), structure.fields.len());
    }
    for (field, indexed) in fields.iter().zip(&structure.fields) {
        let range = crate::ByteRange { start: indexed.start, end: indexed.end };
        assert_eq!(range.of(message), field.bytes);
        if indexed.name.is_empty() {
            assert!(field.name.is_none_or(|name| name.len() > crate::limits::FIELD_NAME_BYTES_MAX));
        } else {
            assert_eq!(Some(indexed.name.as_bytes()), field_name(field.bytes));
            let value = crate::ByteRange { start: indexed.value_start, end: indexed.end };
            assert_eq!(value.of(message), field.value());
        }
    }
}

/// RFC 2046 §5.1.1, the example (a preamble, two parts, an epilogue).
#[test]
fn the_simple_multipart_of_rfc_2046() {
    let message = crlf(
        "From: Nathaniel Borenstein <nsb@bellcore.com>\nTo: Ned Freed <ned@innosoft.com>\nSubject: Sample message\n\
         MIME-Version: 1.0\nContent-type: multipart/mixed; boundary=\"simple boundary\"\n\n\
         This is the preamble.\n\n--simple boundary\n\nThis is implicitly typed.\nIt does NOT end with a linebreak.\n\
         --simple boundary\nContent-type: text/plain; charset=us-ascii\n\nThis is explicitly typed.\nIt DOES end with one.\n\n\
         --simple boundary--\n\nThis is the epilogue.\n",
    );
    let found = outline(&message);
    assert_eq!(found.len(), 3);
    assert_eq!(found[1], "1 text/plain [This is implicitly typed.|It does NOT end with a linebreak.] 1");
    assert_eq!(found[2], "1 text/plain [This is explicitly typed.|It DOES end with one.|] 2");
    let structure = Scanner::scan(&message);
    let envelope = structure.envelope().unwrap();
    assert_eq!(envelope.from[0].name.as_deref(), Some(&b"Nathaniel Borenstein"[..]));
    assert_eq!(envelope.sender, envelope.from);
    assert_eq!(envelope.subject.as_deref(), Some(&b"Sample message"[..]));
    assert_eq!((&envelope.date, &envelope.message_id), (&None, &None));
}

/// RFC 2046 appendix A, shortened texts.
#[test]
fn the_complex_multipart_of_rfc_2046() {
    let message = crlf(
        "MIME-Version: 1.0\nSubject: A multipart example\nContent-Type: multipart/mixed;\n             boundary=unique-boundary-1\n\n\
         This is the preamble area.\n\n--unique-boundary-1\n\n  ... Some text appears here ...\n\n--unique-boundary-1\n\
         Content-type: text/plain; charset=US-ASCII\n\nThis could have been part of the previous part.\n\n--unique-boundary-1\n\
         Content-Type: multipart/parallel; boundary=unique-boundary-2\n\n--unique-boundary-2\nContent-Type: audio/basic\n\
         Content-Transfer-Encoding: base64\n\n... audio ...\n\n--unique-boundary-2\nContent-Type: image/jpeg\n\
         Content-Transfer-Encoding: base64\n\n... image ...\n\n--unique-boundary-2--\n\n--unique-boundary-1\n\
         Content-type: text/enriched\n\nThis is <bold>enriched.</bold>\n\n--unique-boundary-1\nContent-Type: message/rfc822\n\n\
         From: (mailbox in US-ASCII)\nTo: (address in US-ASCII)\nSubject: (subject in US-ASCII)\n\
         Content-Type: Text/plain; charset=ISO-8859-1\nContent-Transfer-Encoding: Quoted-printable\n\n\
         ... Additional text ...\n\n--unique-boundary-1--\n",
    );
    let kinds: Vec<_> = outline(&message).iter().map(|part| part.split(" [").next().unwrap().to_owned()).collect();
    assert_eq!(
        kinds,
        [
            "0 multipart/mixed",
            "1 text/plain",
            "1 text/plain",
            "1 multipart/parallel",
            "2 audio/basic",
            "2 image/jpeg",
            "1 text/enriched",
            "1 message/rfc822",
            "2 text/plain"
        ]
    );
    let found = outline(&message);
    assert_eq!(found[1], "1 text/plain [  ... Some text appears here ...|] 1");
    assert_eq!(found[5], "2 image/jpeg [... image ...|] 1");
    assert_eq!(found[8], "2 text/plain [... Additional text ...|] 1");
    let structure = Scanner::scan(&message);
    let inner = structure.parts[8].envelope.as_ref().unwrap();
    assert!(inner.from.is_empty(), "a comment alone is no address");
    assert_eq!(inner.subject.as_deref(), Some(&b"(subject in US-ASCII)"[..]));
}

/// RFC 2046 §5.1.5: parts of a digest are messages unless they say otherwise.
#[test]
fn a_digest_holds_messages() {
    let message = crlf(
        "Content-Type: multipart/digest; boundary=x\n\n--x\n\nFrom: a@b\nSubject: one\n\nbody one\n--x\n\
         Content-Type: text/plain\n\nplain\n--x\n\nSubject: two\nContent-Type: multipart/mixed; boundary=y\n\n--y\n\nin\n--y--\n--x--\n",
    );
    assert_eq!(
        outline(&message)[1..],
        [
            "1 message/rfc822 [From: a@b|Subject: one||body one] 3",
            "2 text/plain [body one] 0",
            "1 text/plain [plain] 0",
            "1 message/rfc822 [Subject: two|Content-Type: multipart/mixed; boundary=y||--y||in|--y--] 6",
            "2 multipart/mixed [--y||in|--y--] 3",
            "3 text/plain [in] 0",
        ]
    );
    let structure = Scanner::scan(&message);
    assert_eq!(structure.parts[2].envelope.as_ref().unwrap().subject.as_deref(), Some(&b"one"[..]));
}

#[test]
fn a_message_in_a_message() {
    let message = crlf(
        "Subject: outer\nContent-Type: message/global\n\nSubject: =?utf-8?Q?inner?=\nSender: s@t\nContent-Type: text/html\n\n<p>\n",
    );
    assert_eq!(outline(&message)[1], "1 text/html [<p>|] 1");
    let structure = Scanner::scan(&message);
    let inner = structure.parts[1].envelope.as_ref().unwrap();
    assert_eq!(inner.subject.as_deref(), Some(&b"=?utf-8?Q?inner?="[..]));
    assert_eq!(inner.sender[0].mailbox.as_deref(), Some(&b"s"[..]));
    assert!(inner.from.is_empty() && inner.reply_to.is_empty());
    assert_eq!(structure.envelope().unwrap().subject.as_deref(), Some(&b"outer"[..]));
}

#[test]
fn all_fields_of_a_part_are_read() {
    let structure = Scanner::scan(
        b"Content-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: IMAGE/Png; name*0*=utf-8''a%20; name*1=b\n\
          Content-ID: <1@x>\nContent-Description: =?utf-8?Q?d?=\n folded\nContent-Transfer-Encoding: Base64 (yes)\n\
          Content-MD5: Q2hlY2s=\nContent-Disposition: inline; filename=\"a b.png\"\nContent-Language: de, en-GB\n\
          Content-Location: http://x/\n y\nSubject: not of this part\n\nAAAA\n--b--",
    );
    let mime = &structure.parts[1].mime;
    assert_eq!((mime.content_type.kind.as_slice(), mime.content_type.subtype.as_slice()), (&b"IMAGE"[..], &b"Png"[..]));
    assert_eq!(mime.content_type.parameters.0[0].name, b"name*0*");
    assert_eq!(mime.id.as_deref(), Some(&b"<1@x>"[..]));
    assert_eq!(mime.description.as_deref(), Some(&b"=?utf-8?Q?d?= folded"[..]));
    assert_eq!(mime.encoding.as_deref(), Some(&b"Base64"[..]));
    assert_eq!(mime.md5.as_deref(), Some(&b"Q2hlY2s="[..]));
    assert_eq!(mime.disposition.as_ref().unwrap().parameters.get(b"FILENAME"), Some(&b"a b.png"[..]));
    assert_eq!(mime.language, [b"de".to_vec(), b"en-GB".to_vec()]);
    assert_eq!(mime.location.as_deref(), Some(&b"http://x/y"[..]));
    assert!(structure.envelope().unwrap().subject.is_none());
    assert!(!structure.has_attachment());
}

#[test]
fn facts_are_gathered_and_ready_when_the_header_ends() {
    let mut scanner = Scanner::new();
    scanner.feed(
        b"Received: a\r\nReceived: b\r\n\tc\r\nDelivered-To: one@x\r\nDelivered-To: two@x\r\nAuto-Submitted:\r\n auto-replied\r\n\
          List-Id: <l.x>\r\nPrecedence: bulk\r\nX-Loop: me\r\nFr om: boss@bank\r\nFrom: evil@evil\r\nFrom: second@x\r\nSubject: h\xC3\xA9\r\n",
    );
    assert_eq!(scanner.header_facts(), None);
    scanner.feed(b"\r\nbody\r\n");
    let facts = scanner.header_facts().unwrap().clone();
    assert_eq!(facts.received(), 2);
    assert_eq!(facts.value(Field::Received), None);
    assert_eq!(facts.values(Field::DeliveredTo).collect::<Vec<_>>(), [b"one@x", b"two@x"]);
    assert_eq!(facts.value(Field::AutoSubmitted), Some(&b"auto-replied"[..]));
    assert_eq!(facts.value(Field::From), Some(&b"evil@evil"[..]));
    assert_eq!(facts.count(Field::From), 2);
    assert!(facts.has_list_field() && facts.eight_bit && facts.has(Field::XLoop) && !facts.has(Field::ReturnPath));
    let structure = scanner.finish();
    assert_eq!(structure.facts, facts);
    assert_eq!(structure.envelope().unwrap().from[0].host.as_deref(), Some(&b"evil"[..]));
    assert!(structure.has_field("received") && !structure.has_field("fr om"));
}

#[test]
fn octets_that_matter_to_a_relay_are_noticed() {
    let structure = Scanner::scan(b"A: b\n\nplain\n");
    assert!(!structure.body_eight_bit && !structure.has_nul && !structure.facts.eight_bit);
    let structure = Scanner::scan("A: b\n\npläin\n".as_bytes());
    assert!(structure.body_eight_bit && !structure.facts.eight_bit);
    assert!(Scanner::scan(b"A: b\n\n\0").has_nul);
    let nested = Scanner::scan("Content-Type: message/rfc822\n\nSubject: ü\n\n".as_bytes());
    assert!(nested.nested_header_eight_bit && !nested.facts.eight_bit && !nested.body_eight_bit);
}

#[test]
fn attachments_are_what_readers_call_so() {
    let with = |part: &str| {
        let message = format!("Content-Type: multipart/mixed; boundary=b\n\n--b\n\ntext\n--b\n{part}\n\nx\n--b--\n");
        Scanner::scan(message.as_bytes()).has_attachment()
    };
    assert!(with("Content-Type: application/pdf"));
    assert!(with("Content-Disposition: attachment"));
    assert!(with("Content-Type: text/plain; name=a.txt"));
    assert!(with("Content-Type: message/rfc822"));
    assert!(!with("Content-Type: text/html"));
    assert!(!with("Content-Type: image/png\nContent-ID: <1>"));
    assert!(!with("Content-Type: application/pgp-signature; name=signature.asc"));
}

/// Whatever the cuts, the structure is the same.
fn equal_under_cuts(message: &[u8], cuts: &[usize]) {
    let whole = Scanner::scan(message);
    check_invariants(&whole, message);
    let mut bytewise = Scanner::new();
    for octet in message {
        bytewise.feed(std::slice::from_ref(octet));
    }
    assert_eq!(bytewise.finish(), whole);
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (message.len() + 1)).collect();
    cuts.sort_unstable();
    let mut scanner = Scanner::new();
    let mut from = 0;
    for cut in cuts {
        scanner.feed(&message[from..cut]);
        from = cut;
    }
    scanner.feed(&message[from..]);
    assert_eq!(scanner.finish(), whole);
}

/// Lines that matter to the scanner, in any order.
fn line() -> impl Strategy<Value = Vec<u8>> {
    let lines: Vec<&[u8]> = vec![
        b"",
        b" ",
        b"-",
        b"--",
        b"---",
        b"--a",
        b"--a--",
        b"--ab",
        b"--ab--",
        b"--a ",
        b"--a--\t ",
        b"--a--x",
        b" --a",
        b"x--a",
        b"--b",
        b"--b--",
        b"text",
        b"From: a@b, c",
        b"Subject: x",
        b" folded",
        b"\tfolded",
        b"Fr om: x",
        b"no field",
        b":",
        b"X-\0: y",
        b"Content-Type: multipart/mixed; boundary=a",
        b"Content-Type: multipart/digest; boundary=ab",
        b"Content-Type: multipart/mixed; boundary=b",
        b"Content-Type: message/rfc822",
        b"Content-Type: text/html",
        b"Content-Type: multipart/mixed;",
        b" boundary=\"a\"",
        b"Content-Type: multipart/mixed; boundary=a--",
        b"--a--",
        b"\xFF\xFE",
        b"a\rb",
        b"\r",
        b"--a\r",
        b"Delivered-To: x",
        b"Received: y",
    ];
    prop::sample::select(lines).prop_map(<[u8]>::to_vec)
}

fn nasty_message() -> impl Strategy<Value = Vec<u8>> {
    let terminator =
        prop_oneof![6 => Just(&b"\r\n"[..]), 2 => Just(&b"\n"[..]), 1 => Just(&b"\r"[..]), 1 => Just(&b""[..])];
    prop::collection::vec((line(), terminator), 0..40)
        .prop_map(|lines| lines.into_iter().flat_map(|(line, end)| [line, end.to_vec()].concat()).collect())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn cuts_change_nothing(message in nasty_message(), cuts in prop::collection::vec(any::<usize>(), 0..6)) {
        equal_under_cuts(&message, &cuts);
    }

    #[test]
    fn noise_changes_nothing(message: Vec<u8>, cuts in prop::collection::vec(any::<usize>(), 0..6)) {
        equal_under_cuts(&message, &cuts);
    }

    #[test]
    fn what_is_stored_of_anything_comes_back(message in nasty_message()) {
        let structure = Scanner::scan(&message);
        let record = crate::MessageRecord::new(&structure, vec![], vec![], vec![]);
        prop_assert_eq!(crate::MessageRecord::decode(&record.encode()), Ok(record));
    }
}

use super::lines::to_u64;
