//! Input that is meant to hurt.

use super::*;

#[test]
fn a_boundary_begins_a_line() {
    let message =
        crlf("Content-Type: multipart/mixed; boundary=B\n\n--B\n\nmid-line --B is text\n --B too\nx\r--B\n--B--\n");
    assert_eq!(outline(&message)[1..], ["1 text/plain [mid-line --B is text| --B too|x\r--B] 2"]);
}

#[test]
fn a_boundary_is_alone_on_its_line_but_for_padding() {
    let message = crlf(
        "Content-Type: multipart/mixed; boundary=\"B \"\n\n--B  \t\n\none\n--Bx\n--B x\n--B-\n--B \n\ntwo\n--B--\t\nepilogue\n--B\n",
    );
    assert_eq!(outline(&message)[1..], ["1 text/plain [one|--Bx|--B x|--B-] 3", "1 text/plain [two] 0"]);
    let padded = format!(
        "Content-Type: multipart/mixed; boundary=B\n\n--B{}\n\none\n--B{}x\n--B--",
        " ".repeat(9_000),
        " ".repeat(9_000)
    );
    let structure = Scanner::scan(padded.as_bytes());
    assert_eq!(structure.parts.len(), 2);
    equal_under_cuts(padded.as_bytes(), &[40, 300, 301, 9_060, 9_080]);
}

#[test]
fn one_boundary_may_begin_another() {
    let message = crlf(
        "Content-Type: multipart/mixed; boundary=foo\n\n--foo\nContent-Type: multipart/mixed; boundary=foobar\n\n\
         --foobar\n\none\n--foobar\n\ntwo\n--foobar--\n--foo\n\nthree\n--foo--\n",
    );
    assert_eq!(
        outline(&message)[1..],
        [
            "1 multipart/mixed [--foobar||one|--foobar||two|--foobar--] 6",
            "2 text/plain [one] 0",
            "2 text/plain [two] 0",
            "1 text/plain [three] 0"
        ]
    );
    let dashes = crlf(
        "Content-Type: multipart/mixed; boundary=x\n\n--x\nContent-Type: multipart/mixed; boundary=x--\n\n--x--\n\nin\n--x----\n--x--\n",
    );
    assert_eq!(outline(&dashes)[2..], ["2 text/plain [in] 0"]);
}

/// The inner one counts until it is closed.
#[test]
fn equal_boundaries_nest() {
    let message = crlf(
        "Content-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: multipart/mixed; boundary=B\n\n--B\n\none\n--B--\n--B\n\ntwo\n--B--\n",
    );
    assert_eq!(
        outline(&message)[1..],
        ["1 multipart/mixed [--B||one|--B--] 3", "2 text/plain [one] 0", "1 text/plain [two] 0"]
    );
}

#[test]
fn an_outer_boundary_ends_what_is_inside() {
    let message = crlf(
        "Content-Type: multipart/mixed; boundary=o\n\n--o\nContent-Type: multipart/mixed; boundary=i\n\n--i\n\none\n--o\n\ntwo\n--o--\n",
    );
    assert_eq!(
        outline(&message)[1..],
        ["1 multipart/mixed [--i||one] 2", "2 text/plain [one] 0", "1 text/plain [two] 0"]
    );
}

#[test]
fn a_missing_closing_boundary_ends_with_the_message() {
    let message = crlf("Content-Type: multipart/mixed; boundary=B\n\n--B\n\none\n");
    assert_eq!(outline(&message)[1..], ["1 text/plain [one|] 1"]);
    let unfinished = crlf("Content-Type: multipart/mixed; boundary=B\n\n--B\n\none\n--B--");
    assert_eq!(outline(&unfinished)[1..], ["1 text/plain [one] 0"]);
    let opening = crlf("Content-Type: multipart/mixed; boundary=B\n\n--B\n\none\n--B");
    assert_eq!(outline(&opening)[1..], ["1 text/plain [one] 0", "1 text/plain [] 0"]);
}

#[test]
fn a_multipart_may_be_empty() {
    assert_eq!(
        outline(b"Content-Type: multipart/mixed; boundary=B\n\nonly preamble\n"),
        ["0 multipart/mixed [only preamble|] 1"]
    );
    assert_eq!(outline(b"Content-Type: multipart/mixed; boundary=B\n\n--B--\n"), ["0 multipart/mixed [--B--|] 1"]);
    assert_eq!(outline(b"Content-Type: multipart/mixed; boundary=B\n"), ["0 multipart/mixed [] 0"]);
    // RFC 2046 §5.1.1: a multipart needs a boundary; RFC 2045 §5.2: what cannot be read is text.
    assert_eq!(outline(b"Content-Type: multipart/mixed\n\n--B\n"), ["0 text/plain [--B|] 1"]);
}

#[test]
fn empty_parts_and_parts_without_a_blank_line() {
    let message =
        crlf("Content-Type: multipart/mixed; boundary=B\n\n--B\n--B\n\n--B\nContent-Type: text/html\n--B\n\n\n--B--\n");
    assert_eq!(
        outline(&message)[1..],
        ["1 text/plain [] 0", "1 text/plain [] 0", "1 text/html [] 0", "1 text/plain [] 0"]
    );
    let structure = Scanner::scan(&message);
    assert_eq!(structure.parts[3].header().of(&message), b"Content-Type: text/html\r\n");
    assert_eq!(structure.parts[2].header().of(&message), b"\r\n");
}

#[test]
fn headers_without_bodies_and_bodies_without_headers() {
    assert_eq!(outline(b""), ["0 text/plain [] 0"]);
    assert_eq!(outline(b"\r\n"), ["0 text/plain [] 0"]);
    assert_eq!(outline(b"\r"), ["0 text/plain [] 0"]);
    assert_eq!(outline(b"\nbody"), ["0 text/plain [body] 0"]);
    assert_eq!(outline(b"A: b"), ["0 text/plain [] 0"]);
    assert_eq!(outline(b"A: b\r\n"), ["0 text/plain [] 0"]);
    assert_eq!(outline(b"A: b\r\n\r\n"), ["0 text/plain [] 0"]);
    assert_eq!(outline(b"no header at all\r\nanother line\r\n"), ["0 text/plain [] 0"]);
    assert_eq!(outline(b"From x@y Mon Jan 1\nA: b\n \t\n\nbody\n"), ["0 text/plain [body|] 1"]);
    let structure = Scanner::scan(b"Content-Type: message/rfc822\r\n");
    assert_eq!((structure.parts.len(), structure.parts[1].header_start), (2, 30));
}

#[test]
fn nul_octets_are_octets() {
    let message = b"Subject: a\0b\r\nX\0: y\r\n\r\n\0\0\n\0";
    assert_eq!(outline(message), ["0 text/plain [\0\0|\0] 1"]);
    let structure = Scanner::scan(message);
    assert_eq!(structure.envelope().unwrap().subject.as_deref(), Some(&b"a b"[..]));
    assert!(structure.has_nul);
}

/// Kept values are safe to put on a line of their own.
#[test]
fn no_line_break_gets_into_a_value() {
    let structure = Scanner::scan(b"Subject: a\rb\r\n\tc\r\r\n d\r\n\r\n");
    assert_eq!(structure.envelope().unwrap().subject.as_deref(), Some(&b"a b\tc  d"[..]));
}

#[test]
fn bare_line_feeds_keep_offsets_exact() {
    let message = b"Content-Type: multipart/mixed; boundary=B\n\n--B\n\none\r\n--B\r\n\ntwo\n\n--B--\n";
    assert_eq!(outline(message)[1..], ["1 text/plain [one] 0", "1 text/plain [two|] 1"]);
}

#[test]
fn nesting_is_bounded() {
    let mut deep = Vec::new();
    for level in 0..10_000 {
        deep.extend_from_slice(
            format!("Content-Type: multipart/mixed; boundary=b{level}\r\n\r\n--b{level}\r\n").as_bytes(),
        );
    }
    let structure = Scanner::scan(&deep);
    check_invariants(&structure, &deep);
    assert_eq!(structure.parts.len(), DEPTH_MAX);
    assert!(structure.limited);
    let last = structure.parts.last().unwrap();
    assert!(last.mime.content_type.is_exactly(b"application", b"octet-stream"));
    assert_eq!((last.kind, last.body_end), (PartKind::Leaf, structure.size));

    let messages = "Content-Type: message/rfc822\r\n\r\n".repeat(10_000);
    let structure = Scanner::scan(messages.as_bytes());
    check_invariants(&structure, messages.as_bytes());
    assert_eq!((structure.parts.len(), structure.limited), (DEPTH_MAX, true));
}

#[test]
fn the_number_of_parts_is_bounded() {
    let many =
        format!("Content-Type: multipart/digest; boundary=B\n\n{}--B--\nepilogue", "--B\n\nA: b\n\nx\n".repeat(10_000));
    let structure = Scanner::scan(many.as_bytes());
    check_invariants(&structure, many.as_bytes());
    assert_eq!((structure.parts.len(), structure.limited), (PARTS_MAX, true));
    equal_under_cuts(many.as_bytes(), &[40_000, 80_000]);
}

/// What a scanner holds, as far as the input can grow it.
fn held(scanner: &Scanner) -> usize {
    let values: usize =
        scanner.facts.values.iter().chain(&scanner.structure.facts.values).map(|kept| kept.value.len()).sum();
    values + scanner.candidate.capacity() + scanner.structure.fields.len() * 200 + scanner.structure.parts.len() * 1_000
}

#[test]
fn a_hundred_megabytes_of_headers_do_not_grow_memory() {
    let lines = "To: a@example.com,\r\n b@example.com\r\nX-Unknown: 0123456789\r\nDelivered-To: x@y\r\nnonsense\r\n"
        .repeat(800);
    let mut scanner = Scanner::new();
    scanner.feed(b"Cc: ");
    let one_value = vec![b'x'; 64 * 1024];
    for _ in 0..800 {
        scanner.feed(&one_value);
    }
    scanner.feed(b"\r\n");
    for _ in 0..800 {
        scanner.feed(lines.as_bytes());
    }
    assert!(scanner.offset() > 100 * 1024 * 1024);
    assert!(held(&scanner) < 300_000, "{}", held(&scanner));
    let structure = scanner.finish();
    assert!(structure.limited);
    assert_eq!(structure.fields.len(), FIELDS_INDEXED_MAX);
    assert_eq!(structure.facts.value(Field::Cc).unwrap().len(), RECIPIENTS_BYTES_MAX);
    assert_eq!(structure.facts.count(Field::To), 640_000);
    assert_eq!(structure.facts.values(Field::DeliveredTo).count(), crate::limits::REPEATED_VALUES_MAX);
    // What was cut is not half an address.
    assert!(structure.envelope().unwrap().cc.is_empty());
}

#[test]
fn values_of_nested_headers_are_bounded_together() {
    let part = format!("--B\nContent-Description: {}\n\n\n", "d".repeat(SHORT_VALUE_BYTES_MAX * 2));
    let message = format!("Content-Type: multipart/mixed; boundary=B\n\n{}", part.repeat(1_000));
    let structure = Scanner::scan(message.as_bytes());
    let kept: usize = structure.parts.iter().filter_map(|part| part.mime.description.as_ref()).map(Vec::len).sum();
    assert!(kept <= NESTED_VALUES_BYTES_MAX && structure.limited);
    assert_eq!(structure.parts.len(), 1_001);
}

#[test]
fn a_name_that_is_too_long_is_unknown() {
    let spaces = " ".repeat(200);
    let message = format!("{}: x\r\nFrom{spaces}x: a@b\r\nTo{spaces}: a@b\r\n\r\n", "n".repeat(5_000));
    let structure = Scanner::scan(message.as_bytes());
    let names: Vec<_> = structure.fields.iter().map(|field| field.name.as_str()).collect();
    assert_eq!(names, ["", "", "To"]);
    assert!(!structure.facts.has(Field::From) && structure.facts.has(Field::To));
    check_invariants(&structure, message.as_bytes());
    assert_eq!(structure.fields[0].value_start, 5_001);
    equal_under_cuts(message.as_bytes(), &[99, 100, 101, 102]);
}
