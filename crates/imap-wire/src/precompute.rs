//! ENVELOPE, BODY and BODYSTRUCTURE, made once at delivery (RFC 3501 §7.4.2).
//!
//! imap-codec encodes them as a FETCH of one item, whose frame is cut off; FETCH then sends the stored bytes as they are.
//! Text goes out as it came in (RFC 2047, RFC 2231 undecoded); what is not printable ASCII goes into literals.
//! Invariant: the bytes are balanced, whatever the message; a part that claims to be a container without being one is
//! `application/octet-stream`, for clients expect more data after those names.

mod part;
mod read;

use std::num::NonZeroU32;

use imap_codec::ResponseCodec;
use imap_codec::encode::Encoder;
use imap_codec::imap_types::body::{
    BasicFields, Body, BodyStructure, Disposition, Language, Location, MultiPartExtensionData, SinglePartExtensionData,
    SpecificFields,
};
use imap_codec::imap_types::core::{IString, Literal, NString, Quoted, Vec1};
use imap_codec::imap_types::envelope as codec;
use imap_codec::imap_types::fetch::MessageDataItem;
use imap_codec::imap_types::response::{Data, Response};
use message::{MessageRecord, Parameters, Part, PartKind, Structure};

use crate::limits::PRECOMPUTED_MAX;

pub use part::{ReturnedData, part_structure};
pub use read::{AddressTexts, FieldTexts, envelope_field};

/// The three forms as FETCH sends them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forms {
    /// What follows `ENVELOPE `.
    pub envelope: Vec<u8>,
    /// What follows `BODY `.
    pub body: Vec<u8>,
    /// What follows `BODYSTRUCTURE `.
    pub body_structure: Vec<u8>,
}

/// The three forms are too large to be kept with the message's row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Oversize {
    /// How many octets they have together.
    pub octets: usize,
    /// The record without them (empty): whoever answers FETCH scans the message and calls [`forms`].
    pub record: Box<MessageRecord>,
}

/// The record of a scanned message.
///
/// # Errors
/// When ENVELOPE, BODY and BODYSTRUCTURE together exceed [`PRECOMPUTED_MAX`].
pub fn record(structure: &Structure) -> Result<MessageRecord, Oversize> {
    let Forms { envelope, body, body_structure } = forms(structure);
    let octets = envelope.len() + body.len() + body_structure.len();
    if octets > PRECOMPUTED_MAX {
        let record = Box::new(MessageRecord::new(structure, Vec::new(), Vec::new(), Vec::new()));
        return Err(Oversize { octets, record });
    }
    Ok(MessageRecord::new(structure, envelope, body, body_structure))
}

/// ENVELOPE, BODY and BODYSTRUCTURE of a scanned message, whatever their size.
pub fn forms(structure: &Structure) -> Forms {
    let tree = Tree::new(structure);
    Forms {
        envelope: encode("ENVELOPE ", MessageDataItem::Envelope(envelope(structure.envelope()))),
        body: encode("BODY ", MessageDataItem::Body(tree.part(0, false))),
        body_structure: encode("BODYSTRUCTURE ", MessageDataItem::BodyStructure(tree.part(0, true))),
    }
}

/// The item's value: `* 1 FETCH (` name value `)` CRLF without its frame.
fn encode(name: &str, item: MessageDataItem<'_>) -> Vec<u8> {
    let response = Response::Data(Data::Fetch { seq: NonZeroU32::MIN, items: Vec1::from(item) });
    let mut bytes = ResponseCodec::default().encode(&response).dump();
    let frame = "* 1 FETCH (".len() + name.len();
    bytes.truncate(bytes.len().saturating_sub(")\r\n".len()));
    bytes.drain(..frame.min(bytes.len()));
    bytes
}

/// The parts with their children at hand.
struct Tree<'a> {
    parts: &'a [Part],
    children: Vec<Vec<usize>>,
}

impl<'a> Tree<'a> {
    fn new(structure: &'a Structure) -> Self {
        let mut children = vec![Vec::new(); structure.parts.len()];
        for (index, part) in structure.parts.iter().enumerate() {
            // A part stands after its parent, so the tree has no cycle.
            if let Some(list) = part.parent.filter(|&parent| parent < index).and_then(|parent| children.get_mut(parent))
            {
                list.push(index);
            }
        }
        Self { parts: &structure.parts, children }
    }

    fn children(&self, index: usize) -> &[usize] {
        self.children.get(index).map_or(&[], Vec::as_slice)
    }

    /// `body` of RFC 3501 §9, with or without extension data. It goes as deep as the scanner lets parts nest.
    fn part(&self, index: usize, extended: bool) -> BodyStructure<'a> {
        let Some(part) = self.parts.get(index) else { return empty_text(extended) };
        if part.kind == PartKind::Multipart {
            return self.multipart(part, index, extended);
        }
        let specific = self.specific(part, index, extended);
        let basic = BasicFields {
            parameter_list: parameters(&part.mime.content_type.parameters),
            id: nstring(part.mime.id.as_deref()),
            description: nstring(part.mime.description.as_deref()),
            content_transfer_encoding: string(part.mime.encoding.as_deref().unwrap_or(b"7BIT")),
            size: clamp(part.body().size()),
        };
        let extension_data = extended
            .then(|| SinglePartExtensionData { md5: nstring(part.mime.md5.as_deref()), tail: Some(disposition(part)) });
        BodyStructure::Single { body: Body { basic, specific }, extension_data }
    }

    fn multipart(&self, part: &'a Part, index: usize, extended: bool) -> BodyStructure<'a> {
        let mut bodies: Vec<_> = self.children(index).iter().map(|&child| self.part(child, extended)).collect();
        if bodies.is_empty() {
            // RFC 3501 §9: body-type-mpart has at least one body.
            bodies.push(empty_text(extended));
        }
        let extension_data = extended.then(|| MultiPartExtensionData {
            parameter_list: parameters(&part.mime.content_type.parameters),
            tail: Some(disposition(part)),
        });
        BodyStructure::Multi {
            bodies: Vec1::unvalidated(bodies),
            subtype: string(&part.mime.content_type.subtype),
            extension_data,
        }
    }

    fn specific(&self, part: &'a Part, index: usize, extended: bool) -> SpecificFields<'a> {
        let media = &part.mime.content_type;
        match (part.kind, self.children(index)) {
            (PartKind::Message, [nested, ..]) => SpecificFields::Message {
                envelope: Box::new(envelope(self.parts.get(*nested).and_then(|nested| nested.envelope.as_deref()))),
                body_structure: Box::new(self.part(*nested, extended)),
                number_of_lines: clamp(part.lines),
            },
            (PartKind::Leaf, _) if media.is(b"text") => {
                SpecificFields::Text { subtype: string(&media.subtype), number_of_lines: clamp(part.lines) }
            }
            (PartKind::Leaf, _)
                if !media.is(b"multipart")
                    && !media.is_exactly(b"message", b"rfc822")
                    && !media.is_exactly(b"message", b"global") =>
            {
                SpecificFields::Basic { r#type: string(&media.kind), subtype: string(&media.subtype) }
            }
            _ => SpecificFields::Basic { r#type: string(b"application"), subtype: string(b"octet-stream") },
        }
    }
}

/// What stands for the parts of a multipart that has none.
fn empty_text(extended: bool) -> BodyStructure<'static> {
    let basic = BasicFields {
        parameter_list: Vec::new(),
        id: NString(None),
        description: NString(None),
        content_transfer_encoding: string(b"7BIT"),
        size: 0,
    };
    let specific = SpecificFields::Text { subtype: string(b"plain"), number_of_lines: 0 };
    let extension_data = extended.then_some(SinglePartExtensionData { md5: NString(None), tail: None });
    BodyStructure::Single { body: Body { basic, specific }, extension_data }
}

fn disposition(part: &Part) -> Disposition<'_> {
    let mime = &part.mime;
    let location = Location { location: nstring(mime.location.as_deref()), extensions: Vec::new() };
    let language = Language { language: mime.language.iter().map(|tag| string(tag)).collect(), tail: Some(location) };
    let disposition = mime.disposition.as_ref().map(|d| (string(&d.kind), parameters(&d.parameters)));
    Disposition { disposition, tail: Some(language) }
}

fn envelope(envelope: Option<&message::Envelope>) -> codec::Envelope<'_> {
    let text = |field: fn(&message::Envelope) -> Option<&[u8]>| nstring(envelope.and_then(field));
    let list = |field: fn(&message::Envelope) -> &Vec<message::Address>| {
        envelope.map_or(&[][..], |envelope| field(envelope)).iter().map(address).collect::<Vec<_>>()
    };
    codec::Envelope {
        date: text(|e| e.date.as_deref()),
        subject: text(|e| e.subject.as_deref()),
        from: list(|e| &e.from),
        sender: list(|e| &e.sender),
        reply_to: list(|e| &e.reply_to),
        to: list(|e| &e.to),
        cc: list(|e| &e.cc),
        bcc: list(|e| &e.bcc),
        in_reply_to: text(|e| e.in_reply_to.as_deref()),
        message_id: text(|e| e.message_id.as_deref()),
    }
}

fn address(address: &message::Address) -> codec::Address<'_> {
    codec::Address {
        name: nstring(address.name.as_deref()),
        adl: nstring(address.route.as_deref()),
        mailbox: nstring(address.mailbox.as_deref()),
        host: nstring(address.host.as_deref()),
    }
}

fn parameters(parameters: &Parameters) -> Vec<(IString<'_>, IString<'_>)> {
    parameters.0.iter().map(|parameter| (string(&parameter.name), string(&parameter.value))).collect()
}

fn nstring(bytes: Option<&[u8]>) -> NString<'_> {
    NString(bytes.map(string))
}

/// Quoted when printable ASCII, otherwise a literal; a NUL, which neither may hold, becomes a space.
fn string(bytes: &[u8]) -> IString<'_> {
    match str::from_utf8(bytes) {
        Ok(text) if bytes.iter().all(|b| matches!(b, 0x20..=0x7e)) => IString::Quoted(Quoted::unvalidated(text)),
        _ if bytes.contains(&0) => {
            let cleaned: Vec<u8> = bytes.iter().map(|&b| if b == 0 { b' ' } else { b }).collect();
            IString::Literal(Literal::unvalidated(cleaned))
        }
        _ => IString::Literal(Literal::unvalidated(bytes)),
    }
}

/// RFC 3501 numbers have 32 bits.
fn clamp(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use imap_codec::decode::Decoder;
    use message::Scanner;
    use proptest::prelude::*;

    use super::*;

    fn scan(text: &[u8]) -> Structure {
        Scanner::scan(text)
    }

    fn text(bytes: &[u8]) -> &str {
        str::from_utf8(bytes).unwrap()
    }

    #[test]
    fn a_plain_message() {
        let forms = forms(&scan(
            b"Date: Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\r\nFrom: Terry Gray <gray@cac.washington.edu>\r\n\
              Subject: IMAP4rev1 WG mtg summary and minutes\r\nTo: imap@cac.washington.edu\r\n\
              Message-Id: <B27397-0100000@cac.washington.edu>\r\n\r\none\r\ntwo\r\n",
        ));
        // RFC 3501 §8 shows this envelope.
        assert_eq!(
            text(&forms.envelope),
            "(\"Wed, 17 Jul 1996 02:23:25 -0700 (PDT)\" \"IMAP4rev1 WG mtg summary and minutes\" \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) \
             ((\"Terry Gray\" NIL \"gray\" \"cac.washington.edu\")) ((NIL NIL \"imap\" \"cac.washington.edu\")) NIL NIL NIL \
             \"<B27397-0100000@cac.washington.edu>\")"
        );
        assert_eq!(text(&forms.body), "(\"TEXT\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 10 2)");
        assert_eq!(
            text(&forms.body_structure),
            "(\"TEXT\" \"plain\" (\"charset\" \"us-ascii\") NIL NIL \"7BIT\" 10 2 NIL NIL NIL NIL)"
        );
    }

    #[test]
    fn parts_nested_messages_and_empty_multiparts() {
        let forms = forms(&scan(
            b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\nContent-Type: message/rfc822\r\n\r\n\
              Subject: in\r\nContent-Type: multipart/digest; boundary=none\r\n\r\nx\r\n--b\r\n\
              Content-Type: image/png; name=\"a b.png\"\r\nContent-Disposition: attachment; filename*=utf-8''%c3%a9\r\n\
              Content-Transfer-Encoding: base64\r\n\r\nAAAA\r\n--b--\r\n",
        ));
        let structure = text(&forms.body_structure);
        assert!(structure.starts_with("((\"MESSAGE\" \"RFC822\" NIL NIL NIL \"7BIT\""), "{structure}");
        assert!(
            structure.contains(
                "((\"TEXT\" \"plain\" NIL NIL NIL \"7BIT\" 0 0 NIL) \"digest\" (\"boundary\" \"none\") NIL NIL NIL)"
            ),
            "{structure}"
        );
        assert!(structure.contains("\"image\" \"png\" (\"name\" \"a b.png\") NIL NIL \"base64\" 4 NIL (\"attachment\" (\"filename*\" \"utf-8''%c3%a9\")) NIL NIL)"), "{structure}");
        assert!(structure.ends_with(" \"mixed\" (\"boundary\" \"b\") NIL NIL NIL)"), "{structure}");
    }

    /// RFC 2231 §3: pieces of a parameter stay as they are; who shows the name puts them together.
    #[test]
    fn parameters_in_pieces_keep_their_stars() {
        let forms = forms(&scan(
            b"Content-Type: application/pdf\r\nContent-Disposition: attachment;\r\n filename*0*=utf-8''r%c3%a9sum;\r\n \
              filename*1*=%c3%a9;\r\n filename*2=\".pdf\"\r\nContent-Transfer-Encoding: base64\r\n\r\nAAAA\r\n",
        ));
        let expected = "(\"attachment\" (\"filename*0*\" \"utf-8''r%c3%a9sum\" \"filename*1*\" \"%c3%a9\" \
                        \"filename*2\" \".pdf\"))";
        assert!(text(&forms.body_structure).contains(expected), "{}", text(&forms.body_structure));
        assert!(readable(&forms));
    }

    #[test]
    fn eight_bit_text_is_a_literal() {
        let forms = forms(&scan("Subject: é\r\n\r\n".as_bytes()));
        assert!(text(&forms.envelope).starts_with("(NIL {2}\r\né NIL NIL"));
    }

    #[test]
    fn what_is_too_large_is_said() {
        let structure = scan(b"Subject: small\r\n\r\n");
        assert!(record(&structure).is_ok());
        let mut large = b"Content-Type: multipart/mixed; boundary=b\r\n\r\n".to_vec();
        for _ in 0..1_000 {
            large.extend_from_slice(b"--b\r\nContent-Type: text/html; charset=utf-8\r\n\r\nx\r\n");
        }
        let oversize = record(&scan(&large)).unwrap_err();
        assert!(oversize.octets > PRECOMPUTED_MAX);
        assert!(oversize.record.envelope.is_empty());
        assert_eq!(oversize.record.parts.entries().len(), 1_001);
    }

    /// imap-codec, as a client, reads back what is to be sent.
    fn readable(forms: &Forms) -> bool {
        let line =
            [b"* 1 FETCH (ENVELOPE ", &*forms.envelope, b" BODYSTRUCTURE ", &forms.body_structure, b")\r\n"].concat();
        ResponseCodec::default().decode(&line).is_ok_and(|(rest, _)| rest.is_empty())
    }

    proptest! {
        #[test]
        fn whatever_the_message_a_client_can_read_its_forms(
            pieces in prop::collection::vec(prop::sample::select(vec![
                "Content-Type: multipart/mixed; boundary=b\r\n", "Content-Type: message/rfc822\r\n", "\r\n", "--b\r\n", "--b--\r\n",
                "From: \"a \\\" b\" <x@y>, g:;\r\n", "Subject: \"\\\r\n", "To: é <\u{1}>\r\n", "text\r\n", "Content-Type: text/html\r\n",
                "Content-Type: multipart/x\r\n", "Content-Disposition: a; b=\"c\\\"d\"; e=\r\n", "Content-Language: en, fr\r\n", "(", "\0",
                "Content-Type: message/global\r\n", "Content-Type: é/\"; é=é\r\n", "Date: \r\n",
            ]), 0..24),
        ) {
            let structure = scan(pieces.concat().as_bytes());
            let depth = structure.parts.iter().fold(Vec::<usize>::new(), |mut depths, part| {
                depths.push(part.parent.map_or(1, |parent| depths[parent] + 1));
                depths
            }).into_iter().max().unwrap_or(1);
            // imap-codec reads body structures eight deep only.
            prop_assume!(depth < 8);
            let forms = forms(&structure);
            prop_assert!(readable(&forms), "{}", String::from_utf8_lossy(&forms.body_structure));
        }
    }
}
