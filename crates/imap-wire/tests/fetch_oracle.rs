//! FETCH answers that are written straight from what is stored, against imap-codec: a client that reads by it finds the values
//! that were stored, and what it would write itself is, octet for octet, what we wrote. Over records that no scanner would
//! make: with quotes, backslashes, line ends, NUL and 8-bit octets wherever there is a string.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::wildcard_enum_match_arm,
    clippy::panic,
    clippy::cast_possible_truncation,
    reason = "tests may"
)]

use imap_codec::ResponseCodec;
use imap_codec::decode::Decoder;
use imap_codec::encode::Encoder;
use imap_codec::imap_types::body::{BodyStructure, Disposition as ReadDisposition, SpecificFields};
use imap_codec::imap_types::core::{IString, NString};
use imap_codec::imap_types::envelope::{Address as ReadAddress, Envelope as ReadEnvelope};
use imap_codec::imap_types::fetch::MessageDataItem;
use imap_codec::imap_types::flag::FlagFetch;
use imap_codec::imap_types::response::{Data, Response};
use mail::{Flags, InternalDate, Keyword, SystemFlags};
use message::{Address, ContentType, Disposition, Envelope, Mime, Parameter, Parameters, Part, PartKind, Structure};
use proptest::prelude::*;
use proptest::sample::select;
use relais_imap_wire::response::FetchResponse;
use relais_imap_wire::{HeaderName, Section, SectionText, precompute};

/// imap-codec reads body structures less deep than we write them.
const DEPTH_READ: u32 = 5;

fn hostile() -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        4 => "[ -~]{0,12}".prop_map(String::into_bytes),
        2 => select(vec![
            &b""[..], b"\"", b"\\", b"\\\"", b"NIL", b")", b"{3}", b"a\r\nb", b"\r", b"\n", b"\0", b"a\0b\xff", b"\xe9", b"(\x7f",
            b"{3}\r\nabc", b"* 1 FETCH (UID 1)\r\n", "é".as_bytes(),
        ]).prop_map(<[u8]>::to_vec),
        1 => (990usize..1_100).prop_map(|length| vec![b'x'; length]),
        1 => prop::collection::vec(any::<u8>(), 0..12),
    ]
    .boxed()
}

fn field() -> impl Strategy<Value = Option<Vec<u8>>> {
    prop::option::of(hostile())
}

/// Mailboxes, and the starts and ends of groups.
fn addresses() -> BoxedStrategy<Vec<Address>> {
    let address = prop_oneof![
        3 => (field(), field(), field(), field())
            .prop_map(|(name, route, mailbox, host)| Address { name, route, mailbox, host }),
        1 => hostile().prop_map(|group| Address { mailbox: Some(group), ..Address::default() }),
        1 => Just(Address::default()),
    ];
    prop::collection::vec(address, 0..4).boxed()
}

fn envelope() -> BoxedStrategy<Envelope> {
    let texts = (field(), field(), field(), field());
    let lists = (addresses(), addresses(), addresses(), addresses(), addresses(), addresses());
    (texts, lists)
        .prop_map(|((date, subject, in_reply_to, message_id), (from, sender, reply_to, to, cc, bcc))| Envelope {
            date,
            subject,
            from,
            sender,
            reply_to,
            to,
            cc,
            bcc,
            in_reply_to,
            message_id,
        })
        .boxed()
}

fn parameters() -> BoxedStrategy<Parameters> {
    let parameter = (hostile(), hostile()).prop_map(|(name, value)| Parameter { name, value });
    prop::collection::vec(parameter, 0..3).prop_map(Parameters).boxed()
}

fn mime() -> BoxedStrategy<Mime> {
    let kind = prop_oneof![
        4 => select(vec!["text", "TEXT", "image", "application", "message", "multipart"]).prop_map(|kind| kind.as_bytes().to_vec()),
        1 => hostile(),
    ];
    let subtype = prop_oneof![
        3 => select(vec!["plain", "rfc822", "global", "mixed", "delivery-status"]).prop_map(|kind| kind.as_bytes().to_vec()),
        1 => hostile(),
    ];
    let content_type =
        (kind, subtype, parameters()).prop_map(|(kind, subtype, parameters)| ContentType { kind, subtype, parameters });
    let disposition = (hostile(), parameters()).prop_map(|(kind, parameters)| Disposition { kind, parameters });
    let rest = (field(), field(), field(), field(), field());
    (content_type, rest, prop::option::of(disposition), prop::collection::vec(hostile(), 0..3))
        .prop_map(|(content_type, (id, description, encoding, md5, location), disposition, language)| Mime {
            content_type,
            id,
            description,
            encoding,
            md5,
            disposition,
            language,
            location,
        })
        .boxed()
}

/// A part with what is in it, before it is laid out flat.
#[derive(Clone, Debug)]
struct Node {
    part: Part,
    children: Vec<Self>,
}

fn node() -> BoxedStrategy<Node> {
    let part = |kind| {
        (mime(), any::<u16>(), any::<u32>(), any::<u64>(), envelope()).prop_map(
            move |(mime, start, octets, lines, envelope)| {
                // Sizes that 32 bits do not hold are rare.
                let octets = if octets % 50 == 0 { u64::from(octets) << 8 } else { u64::from(octets) };
                let body_start = u64::from(start);
                Part {
                    kind,
                    body_start,
                    body_end: body_start + octets,
                    lines: if lines % 50 == 0 { lines } else { lines % 100_000 },
                    mime,
                    envelope: Some(Box::new(envelope)),
                    ..Part::default()
                }
            },
        )
    };
    let leaf = part(PartKind::Leaf).prop_map(|part| Node { part, children: Vec::new() });
    leaf.prop_recursive(DEPTH_READ, 12, 3, move |inner| {
        prop_oneof![
            2 => (part(PartKind::Multipart), prop::collection::vec(inner.clone(), 0..4))
                .prop_map(|(part, children)| Node { part, children }),
            1 => (part(PartKind::Message), inner).prop_map(|(part, child)| Node { part, children: vec![child] }),
        ]
    })
    .boxed()
}

fn lay_out(node: Node, parent: Option<usize>, number: u32, parts: &mut Vec<Part>) {
    let index = parts.len();
    parts.push(Part { parent, number, ..node.part });
    for (number, child) in (1..).zip(node.children) {
        lay_out(child, Some(index), number, parts);
    }
}

fn structure() -> BoxedStrategy<Structure> {
    node()
        .prop_map(|node| {
            let mut structure = Structure::default();
            lay_out(node, None, 1, &mut structure.parts);
            structure
        })
        .boxed()
}

/// What of a string can be sent: no NUL (RFC 3501 §9 `CHAR8`).
fn sent(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|&b| if b == 0 { b' ' } else { b }).collect()
}

fn same(read: &IString<'_>, stored: &[u8]) {
    assert_eq!(read.as_ref(), sent(stored));
}

fn same_or_nil(read: &NString<'_>, stored: Option<&[u8]>) {
    assert_eq!(read.0.as_ref().map(|read| read.as_ref().to_vec()), stored.map(sent));
}

fn same_addresses(read: &[ReadAddress<'_>], stored: &[Address]) {
    assert_eq!(read.len(), stored.len());
    for (read, stored) in read.iter().zip(stored) {
        same_or_nil(&read.name, stored.name.as_deref());
        same_or_nil(&read.adl, stored.route.as_deref());
        same_or_nil(&read.mailbox, stored.mailbox.as_deref());
        same_or_nil(&read.host, stored.host.as_deref());
    }
}

fn same_envelope(read: &ReadEnvelope<'_>, stored: &Envelope) {
    same_or_nil(&read.date, stored.date.as_deref());
    same_or_nil(&read.subject, stored.subject.as_deref());
    same_or_nil(&read.in_reply_to, stored.in_reply_to.as_deref());
    same_or_nil(&read.message_id, stored.message_id.as_deref());
    same_addresses(&read.from, &stored.from);
    same_addresses(&read.sender, &stored.sender);
    same_addresses(&read.reply_to, &stored.reply_to);
    same_addresses(&read.to, &stored.to);
    same_addresses(&read.cc, &stored.cc);
    same_addresses(&read.bcc, &stored.bcc);
}

fn same_parameters(read: &[(IString<'_>, IString<'_>)], stored: &Parameters) {
    assert_eq!(read.len(), stored.0.len());
    for ((name, value), stored) in read.iter().zip(&stored.0) {
        same(name, &stored.name);
        same(value, &stored.value);
    }
}

/// RFC 3501 §9 `body-fld-dsp` and what follows it.
fn same_disposition(read: &ReadDisposition<'_>, mime: &Mime) {
    assert_eq!(read.disposition.is_some(), mime.disposition.is_some());
    if let (Some((kind, parameters)), Some(stored)) = (&read.disposition, &mime.disposition) {
        same(kind, &stored.kind);
        same_parameters(parameters, &stored.parameters);
    }
    let language = read.tail.as_ref().unwrap();
    assert_eq!(language.language.len(), mime.language.len());
    language.language.iter().zip(&mime.language).for_each(|(read, stored)| same(read, stored));
    let location = language.tail.as_ref().unwrap();
    same_or_nil(&location.location, mime.location.as_deref());
    assert!(location.extensions.is_empty());
}

fn clamped(number: u64) -> u32 {
    number.min(u64::from(u32::MAX)) as u32
}

fn same_body(read: &BodyStructure<'_>, stored: &Structure, index: usize, extended: bool) {
    let part = &stored.parts[index];
    let children: Vec<usize> = stored.children(index).map(|(child, _)| child).collect();
    match read {
        BodyStructure::Multi { bodies, subtype, extension_data } => {
            assert_eq!(part.kind, PartKind::Multipart);
            same(subtype, &part.mime.content_type.subtype);
            // RFC 3501 §9: at least one body, also where there is none.
            assert_eq!(bodies.as_ref().len(), children.len().max(1));
            bodies.as_ref().iter().zip(children).for_each(|(read, child)| same_body(read, stored, child, extended));
            assert_eq!(extension_data.is_some(), extended);
            if let Some(extension) = extension_data {
                same_parameters(&extension.parameter_list, &part.mime.content_type.parameters);
                same_disposition(extension.tail.as_ref().unwrap(), &part.mime);
            }
        }
        BodyStructure::Single { body, extension_data } => {
            assert_ne!(part.kind, PartKind::Multipart);
            same_parameters(&body.basic.parameter_list, &part.mime.content_type.parameters);
            same_or_nil(&body.basic.id, part.mime.id.as_deref());
            same_or_nil(&body.basic.description, part.mime.description.as_deref());
            same(&body.basic.content_transfer_encoding, part.mime.encoding.as_deref().unwrap_or(b"7BIT"));
            assert_eq!(body.basic.size, clamped(part.body().size()));
            same_specific(&body.specific, stored, index, extended);
            assert_eq!(extension_data.is_some(), extended);
            if let Some(extension) = extension_data {
                same_or_nil(&extension.md5, part.mime.md5.as_deref());
                same_disposition(extension.tail.as_ref().unwrap(), &part.mime);
            }
        }
    }
}

fn same_specific(read: &SpecificFields<'_>, stored: &Structure, index: usize, extended: bool) {
    let part = &stored.parts[index];
    let media = &part.mime.content_type;
    match read {
        SpecificFields::Message { envelope, body_structure, number_of_lines } => {
            assert_eq!(part.kind, PartKind::Message);
            assert_eq!(*number_of_lines, clamped(part.lines));
            let (child, nested) = stored.children(index).next().unwrap();
            same_envelope(envelope, nested.envelope.as_deref().unwrap());
            same_body(body_structure, stored, child, extended);
        }
        SpecificFields::Text { subtype, number_of_lines } => {
            assert!(part.kind == PartKind::Leaf && media.is(b"text"));
            same(subtype, &media.subtype);
            assert_eq!(*number_of_lines, clamped(part.lines));
        }
        SpecificFields::Basic { r#type, subtype } => {
            assert!(part.kind == PartKind::Leaf && !media.is(b"text"));
            let container = media.is(b"multipart")
                || media.is_exactly(b"message", b"rfc822")
                || media.is_exactly(b"message", b"global");
            if container {
                // A part that claims to hold others and does not: clients would expect more behind its name.
                assert_eq!((r#type.as_ref(), subtype.as_ref()), (&b"application"[..], &b"octet-stream"[..]));
            } else {
                same(r#type, &media.kind);
                same(subtype, &media.subtype);
            }
        }
    }
}

/// Reads one response as a client does; what imap-codec would write for it is what was written.
fn read(wire: &[u8]) -> Vec<MessageDataItem<'_>> {
    let Ok((rest, response)) = ResponseCodec::default().decode(wire) else {
        panic!("a client can't read {:?}", String::from_utf8_lossy(wire));
    };
    assert!(rest.is_empty(), "{:?}", String::from_utf8_lossy(rest));
    let written = ResponseCodec::default().encode(&response).dump();
    let written = String::from_utf8_lossy(&written).into_owned();
    // RFC 3501 §9 `date-day-fixed`: a space stands for the digit that is not there; imap-codec writes a zero.
    let written = written.replace("INTERNALDATE \"0", "INTERNALDATE \" ");
    assert_eq!(written, String::from_utf8_lossy(wire));
    match response {
        Response::Data(Data::Fetch { seq, items }) => {
            assert_eq!(seq.get(), 12);
            items.into_iter().collect()
        }
        other => panic!("{other:?}"),
    }
}

fn flags() -> impl Strategy<Value = Flags> {
    let keyword =
        prop_oneof!["[!#$&'+,./0-9:;<=>?@A-Z^_`a-z|}~-]{1,20}", Just("$Forwarded".to_owned()), Just("NIL".to_owned())]
            .prop_map(|word| Keyword::parse(&word).unwrap());
    (0u8..32, prop::collection::btree_set(keyword, 0..4))
        .prop_map(|(system, keywords)| Flags { system: SystemFlags(system), keywords })
}

fn section() -> impl Strategy<Value = Section> {
    let names = || prop::collection::vec("[!-9;-~]{1,10}".prop_map(HeaderName::new), 1..4);
    let text = prop_oneof![
        Just(None),
        Just(Some(SectionText::Header)),
        Just(Some(SectionText::Text)),
        Just(Some(SectionText::Mime)),
        names().prop_map(|names| Some(SectionText::HeaderFields(names))),
        names().prop_map(|names| Some(SectionText::HeaderFieldsNot(names))),
    ];
    (prop::collection::vec(1u32.., 0..4), text).prop_map(|(part, text)| Section {
        // RFC 3501 §6.4.5: MIME needs a part number.
        text: text.filter(|text| *text != SectionText::Mime || !part.is_empty()),
        part,
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn stored_forms_are_read_as_they_were_stored(stored in structure()) {
        let forms = precompute::forms(&stored);
        let mut wire = Vec::new();
        let mut fetch = FetchResponse::begin(&mut wire, 12);
        fetch.envelope(&mut wire, &forms.envelope);
        fetch.body(&mut wire, &forms.body);
        fetch.body_structure(&mut wire, &forms.body_structure);
        fetch.end(&mut wire);
        let items = read(&wire);
        let [MessageDataItem::Envelope(envelope), MessageDataItem::Body(body), MessageDataItem::BodyStructure(extended)] =
            &items[..]
        else {
            panic!("{items:?}");
        };
        same_envelope(envelope, stored.envelope().unwrap());
        same_body(body, &stored, 0, false);
        same_body(extended, &stored, 0, true);
    }

    /// What is kept with a message gives back the very octets.
    #[test]
    fn a_record_keeps_the_forms(stored in structure()) {
        let forms = precompute::forms(&stored);
        if let Ok(record) = precompute::record(&stored) {
            let kept = record.encode();
            let view = message::RecordView::new(&kept).unwrap();
            prop_assert_eq!(view.envelope(), &forms.envelope[..]);
            prop_assert_eq!(view.body(), &forms.body[..]);
            prop_assert_eq!(view.body_structure(), &forms.body_structure[..]);
        }
    }

    #[test]
    fn rows_are_read_as_they_were_stored(
        uid in 1u32.., size: u32, modseq in 1u64..=i64::MAX as u64, recent: bool, flags in flags(),
        secs in 0i64..=253_402_000_000, offset_minutes in -719i16..=840,
    ) {
        let mut wire = Vec::new();
        let mut fetch = FetchResponse::begin(&mut wire, 12);
        fetch.uid(&mut wire, uid);
        fetch.flags(&mut wire, &flags, recent);
        fetch.internal_date(&mut wire, InternalDate { secs, offset_minutes });
        fetch.size(&mut wire, u64::from(size));
        fetch.modseq(&mut wire, modseq);
        fetch.end(&mut wire);
        let items = read(&wire);
        let [
            MessageDataItem::Uid(read_uid),
            MessageDataItem::Flags(read_flags),
            MessageDataItem::InternalDate(date),
            MessageDataItem::Rfc822Size(read_size),
            MessageDataItem::ModSeq(read_modseq),
        ] = &items[..] else { panic!("{items:?}") };
        prop_assert_eq!((read_uid.get(), *read_size, read_modseq.get()), (uid, size, modseq));
        prop_assert_eq!(date.as_ref().timestamp(), secs);
        prop_assert_eq!(date.as_ref().offset().local_minus_utc(), i32::from(offset_minutes) * 60);
        prop_assert_eq!(read_flags.contains(&FlagFetch::Recent), recent);
        let names = read_flags.iter().filter(|flag| **flag != FlagFetch::Recent).map(|flag| match flag {
            FlagFetch::Flag(flag) => flag.to_string(),
            FlagFetch::Recent => String::new(),
        });
        let (mut names, mut stored): (Vec<String>, Vec<String>) = (names.collect(), Vec::new());
        stored.extend(SystemFlags::ALL.iter().filter(|(flag, _)| flags.system.contains(*flag)).map(|(_, name)| (*name).to_owned()));
        stored.extend(flags.keywords.iter().map(|keyword| keyword.as_str().to_owned()));
        names.sort();
        stored.sort();
        prop_assert_eq!(names, stored);
    }

    /// Message data keeps its octets, also a NUL in a literal8 (RFC 3516 §4.3).
    #[test]
    fn message_data_is_read_as_it_was_stored(
        section in section(), origin in prop::option::of(any::<u32>()), data in hostile(), part in prop::collection::vec(1u32.., 1..4),
    ) {
        let mut wire = Vec::new();
        let mut fetch = FetchResponse::begin(&mut wire, 12);
        let clean = sent(&data);
        fetch.section_bytes(&mut wire, &section, origin.map(u64::from), &clean);
        fetch.section_literal(&mut wire, &section, origin.map(u64::from), clean.len() as u64);
        wire.extend_from_slice(&clean);
        fetch.section_nil(&mut wire, &section, None);
        fetch.rfc822_literal(&mut wire, clean.len() as u64);
        wire.extend_from_slice(&clean);
        fetch.rfc822_header_literal(&mut wire, clean.len() as u64);
        wire.extend_from_slice(&clean);
        fetch.rfc822_text_literal(&mut wire, clean.len() as u64);
        wire.extend_from_slice(&clean);
        fetch.binary_literal(&mut wire, &part, None, data.len() as u64, data.contains(&0));
        wire.extend_from_slice(&data);
        fetch.binary_nil(&mut wire, &part, None);
        fetch.binary_size(&mut wire, &part, data.len() as u64);
        fetch.end(&mut wire);
        let items = read(&wire);
        prop_assert_eq!(items.len(), 9);
        let octets = |read: &NString<'_>| read.0.as_ref().map(|read| read.as_ref().to_vec());
        for (at, item) in items.iter().enumerate() {
            match item {
                MessageDataItem::BodyExt { data: read, origin: read_origin, section: read_section } => {
                    let wanted = (at < 2).then(|| clean.clone());
                    prop_assert_eq!(octets(read), wanted);
                    prop_assert_eq!(*read_origin, origin.filter(|_| at < 2));
                    prop_assert_eq!(read_section.is_none(), section == Section::default());
                }
                MessageDataItem::Rfc822(read) | MessageDataItem::Rfc822Header(read) | MessageDataItem::Rfc822Text(read) => {
                    prop_assert_eq!(octets(read), Some(clean.clone()));
                }
                MessageDataItem::Binary { section, value } => {
                    prop_assert_eq!(section.iter().map(|number| number.get()).collect::<Vec<_>>(), part.clone());
                    let nil = matches!(value, imap_codec::imap_types::core::NString8::NString(NString(None)));
                    prop_assert_eq!(nil, at == 7);
                    if at == 6 {
                        let shown = format!("{value:?}");
                        prop_assert_eq!(shown.contains("Literal8("), data.contains(&0), "{}", shown);
                    }
                }
                MessageDataItem::BinarySize { size, .. } => prop_assert_eq!(*size as usize, data.len()),
                other => panic!("{other:?}"),
            }
        }
    }
}
