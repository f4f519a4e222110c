//! The packets of the milter protocol. Pure.
//!
//! Texts end with NUL. One that has a NUL inside can't be told: it is left out of what is sent, and what comes ends there.

use bytes::{Buf, Bytes, BytesMut};

use super::negotiation::{Actions, Steps, Terms};
use crate::limits::SYMBOLS_MAX;

/// Where in the conversation macros are told (`SMFIM_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stage {
    /// The connection.
    Connect,
    /// HELO or EHLO.
    Helo,
    /// MAIL.
    Mail,
    /// RCPT.
    Recipient,
    /// DATA.
    Data,
    /// The end of the message.
    EndOfMessage,
    /// The end of the header.
    EndOfHeader,
}

impl Stage {
    /// All, by their numbers.
    pub const ALL: [Self; 7] =
        [Self::Connect, Self::Helo, Self::Mail, Self::Recipient, Self::Data, Self::EndOfMessage, Self::EndOfHeader];

    /// The command that its macros stand in front of.
    const fn command(self) -> u8 {
        match self {
            Self::Connect => b'C',
            Self::Helo => b'H',
            Self::Mail => b'M',
            Self::Recipient => b'R',
            Self::Data => b'T',
            Self::EndOfMessage => b'E',
            Self::EndOfHeader => b'N',
        }
    }
}

/// What the server says (`SMFIC_…`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// What it offers.
    Negotiate(Terms),
    /// Names and values for the command that follows.
    Macros(Stage, &'a [(String, String)]),
    /// Who has connected: the name of the client, `[192.0.2.1]` when it has none; its port and address, when those are known.
    Connect {
        /// The client's name.
        name: &'a str,
        /// Where it is.
        client: Option<std::net::SocketAddr>,
    },
    /// How the client calls itself.
    Helo(&'a str),
    /// The reverse-path with its angle brackets, and parameters.
    Mail(&'a str, &'a [String]),
    /// A forward-path, and parameters.
    Recipient(&'a str, &'a [String]),
    /// DATA.
    Data,
    /// A command that the server does not know.
    Unknown(&'a [u8]),
    /// A field.
    Header(&'a [u8], &'a [u8]),
    /// The header has ended.
    EndOfHeader,
    /// A piece of the body.
    Body(&'a [u8]),
    /// The message has ended.
    EndOfBody,
    /// The message is given up; another one may follow.
    Abort,
    /// The conversation is over.
    Quit,
    /// The session is over, and another one follows on the same connection.
    QuitAndGoOn,
}

impl Command<'_> {
    /// Appends the packet.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&[0; 4]);
        out.push(self.name());
        match self {
            Self::Negotiate(terms) => write_terms(terms, out),
            Self::Macros(stage, macros) => {
                out.push(stage.command());
                for (name, value) in *macros {
                    write_text(name.as_bytes(), out);
                    write_text(value.as_bytes(), out);
                }
            }
            Self::Connect { name, client } => {
                write_text(name.as_bytes(), out);
                match client {
                    None => out.push(b'U'),
                    Some(client) => {
                        let ip = client.ip().to_canonical();
                        out.push(if ip.is_ipv4() { b'4' } else { b'6' });
                        out.extend_from_slice(&client.port().to_be_bytes());
                        write_text(ip.to_string().as_bytes(), out);
                    }
                }
            }
            Self::Helo(name) => write_text(name.as_bytes(), out),
            Self::Mail(path, parameters) | Self::Recipient(path, parameters) => {
                write_text(path.as_bytes(), out);
                parameters.iter().for_each(|parameter| write_text(parameter.as_bytes(), out));
            }
            Self::Unknown(line) => write_text(line, out),
            Self::Header(name, value) => {
                write_text(name, out);
                write_text(value, out);
            }
            Self::Body(octets) => out.extend_from_slice(octets),
            Self::Data | Self::EndOfHeader | Self::EndOfBody | Self::Abort | Self::Quit | Self::QuitAndGoOn => {}
        }
        end(begin, out);
    }

    const fn name(&self) -> u8 {
        match self {
            Self::Negotiate(_) => b'O',
            Self::Macros(..) => b'D',
            Self::Connect { .. } => b'C',
            Self::Helo(_) => b'H',
            Self::Mail(..) => b'M',
            Self::Recipient(..) => b'R',
            Self::Data => b'T',
            Self::Unknown(_) => b'U',
            Self::Header(..) => b'L',
            Self::EndOfHeader => b'N',
            Self::Body(_) => b'B',
            Self::EndOfBody => b'E',
            Self::Abort => b'A',
            Self::Quit => b'Q',
            Self::QuitAndGoOn => b'K',
        }
    }
}

/// What the filter says (`SMFIR_…`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// What it wants, and the names of macros that it wants at some stages.
    Negotiated(Terms, Vec<(Stage, Vec<String>)>),
    /// The same names alone.
    Symbols(Vec<(Stage, Vec<String>)>),
    /// Go on.
    Continue,
    /// The message is fine, whatever else it has.
    Accept,
    /// Refuse it.
    Reject,
    /// Refuse it for now.
    TempFail,
    /// Take it and throw it away.
    Discard,
    /// Refuse it with this reply.
    Reply(Bytes),
    /// No more of this kind, please.
    Skip,
    /// It works on.
    Progress,
    /// The session is to end with 421.
    Shutdown,
    /// The connection is to fail.
    ConnectionFail,
    /// Put it aside, for this reason.
    Quarantine(Bytes),
    /// One more field at the end: name, value.
    AddHeader(Bytes, Bytes),
    /// One more field at a place.
    InsertHeader(u32, Bytes, Bytes),
    /// Another value for the nth field of a name; an empty one removes it.
    ChangeHeader(u32, Bytes, Bytes),
    /// Another reverse-path, and parameters.
    ChangeSender(Bytes, Option<Bytes>),
    /// One more recipient, and parameters.
    AddRecipient(Bytes, Option<Bytes>),
    /// One recipient less.
    DeleteRecipient(Bytes),
    /// The next octets of another body.
    ReplaceBody(Bytes),
}

/// A packet that can't be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Malformed(pub &'static str);

impl Answer {
    /// Reads a packet without its length.
    ///
    /// # Errors
    /// One that can't be.
    pub fn read(packet: Bytes) -> Result<Self, Malformed> {
        let mut data = packet;
        let name = data.try_get_u8().map_err(|_| Malformed("it sends an empty packet"))?;
        Ok(match name {
            b'O' => {
                let terms = read_terms(&mut data)?;
                Self::Negotiated(terms, read_symbols(data)?)
            }
            b'l' => Self::Symbols(read_symbols(data)?),
            b'c' => Self::Continue,
            b'a' => Self::Accept,
            b'r' => Self::Reject,
            b't' => Self::TempFail,
            b'd' => Self::Discard,
            b'y' => Self::Reply(text(&mut data)),
            b's' => Self::Skip,
            b'p' => Self::Progress,
            b'4' => Self::Shutdown,
            b'f' => Self::ConnectionFail,
            b'q' => Self::Quarantine(text(&mut data)),
            b'h' => {
                let name = text(&mut data);
                Self::AddHeader(name, text(&mut data))
            }
            b'i' | b'm' => {
                let place = data.try_get_u32().map_err(|_| SHORT)?;
                let (field, value) = (text(&mut data), text(&mut data));
                if name == b'i' {
                    Self::InsertHeader(place, field, value)
                } else {
                    Self::ChangeHeader(place, field, value)
                }
            }
            b'e' => {
                let path = text(&mut data);
                Self::ChangeSender(path, more(&mut data))
            }
            b'+' => Self::AddRecipient(text(&mut data), None),
            b'2' => {
                let path = text(&mut data);
                Self::AddRecipient(path, more(&mut data))
            }
            b'-' => Self::DeleteRecipient(text(&mut data)),
            b'b' => Self::ReplaceBody(data),
            _ => return Err(Malformed("it sends a packet of a kind that there is not")),
        })
    }

    /// Appends the packet, as filters write it.
    pub fn write_to(&self, out: &mut Vec<u8>) {
        let begin = out.len();
        out.extend_from_slice(&[0; 4]);
        out.push(self.name());
        match self {
            Self::Negotiated(terms, symbols) => {
                write_terms(terms, out);
                write_symbols(symbols, out);
            }
            Self::Symbols(symbols) => write_symbols(symbols, out),
            Self::Reply(one) | Self::Quarantine(one) | Self::DeleteRecipient(one) => write_text(one, out),
            Self::AddHeader(name, value) => {
                write_text(name, out);
                write_text(value, out);
            }
            Self::InsertHeader(place, name, value) | Self::ChangeHeader(place, name, value) => {
                out.extend_from_slice(&place.to_be_bytes());
                write_text(name, out);
                write_text(value, out);
            }
            Self::ChangeSender(path, parameters) | Self::AddRecipient(path, parameters) => {
                write_text(path, out);
                parameters.iter().for_each(|parameters| write_text(parameters, out));
            }
            Self::ReplaceBody(octets) => out.extend_from_slice(octets),
            Self::Continue
            | Self::Accept
            | Self::Reject
            | Self::TempFail
            | Self::Discard
            | Self::Skip
            | Self::Progress
            | Self::Shutdown
            | Self::ConnectionFail => {}
        }
        end(begin, out);
    }

    const fn name(&self) -> u8 {
        match self {
            Self::Negotiated(..) => b'O',
            Self::Symbols(_) => b'l',
            Self::Continue => b'c',
            Self::Accept => b'a',
            Self::Reject => b'r',
            Self::TempFail => b't',
            Self::Discard => b'd',
            Self::Reply(_) => b'y',
            Self::Skip => b's',
            Self::Progress => b'p',
            Self::Shutdown => b'4',
            Self::ConnectionFail => b'f',
            Self::Quarantine(_) => b'q',
            Self::AddHeader(..) => b'h',
            Self::InsertHeader(..) => b'i',
            Self::ChangeHeader(..) => b'm',
            Self::ChangeSender(..) => b'e',
            Self::AddRecipient(_, None) => b'+',
            Self::AddRecipient(_, Some(_)) => b'2',
            Self::DeleteRecipient(_) => b'-',
            Self::ReplaceBody(_) => b'b',
        }
    }
}

const SHORT: Malformed = Malformed("it sends a packet that is too short");

/// Puts packets together from octets, however they come.
#[derive(Debug)]
pub struct Framer {
    octets: BytesMut,
    packet_octets_max: usize,
}

impl Framer {
    /// For packets of so many octets of data.
    #[must_use]
    pub fn new(packet_octets_max: usize) -> Self {
        Self { octets: BytesMut::new(), packet_octets_max }
    }

    /// Another size was agreed on.
    pub const fn allow(&mut self, packet_octets_max: usize) {
        self.packet_octets_max = packet_octets_max;
    }

    /// Takes octets.
    pub fn feed(&mut self, octets: &[u8]) {
        self.octets.extend_from_slice(octets);
    }

    /// The next packet without its length, when all of it has come.
    ///
    /// # Errors
    /// One that is too long, or empty.
    pub fn packet(&mut self) -> Result<Option<Bytes>, Malformed> {
        let Some(length) = self.octets.first_chunk::<4>() else { return Ok(None) };
        let length = usize::try_from(u32::from_be_bytes(*length)).unwrap_or(usize::MAX);
        if length == 0 {
            return Err(Malformed("it sends an empty packet"));
        }
        // The name, and a NUL behind the longest text.
        if length > self.packet_octets_max.saturating_add(2) {
            return Err(Malformed("it sends a packet that is too long"));
        }
        if self.octets.len() < length.saturating_add(4) {
            return Ok(None);
        }
        self.octets.advance(4);
        Ok(Some(self.octets.split_to(length).freeze()))
    }
}

fn end(begin: usize, out: &mut [u8]) {
    let length = u32::try_from(out.len().saturating_sub(begin).saturating_sub(4)).unwrap_or(u32::MAX);
    if let Some(place) = out.get_mut(begin..).and_then(<[u8]>::first_chunk_mut) {
        *place = length.to_be_bytes();
    }
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    out.extend(text.iter().filter(|octet| **octet != 0));
    out.push(0);
}

fn write_terms(terms: &Terms, out: &mut Vec<u8>) {
    for number in [terms.version, terms.actions.0, terms.steps.0] {
        out.extend_from_slice(&number.to_be_bytes());
    }
}

fn write_symbols(symbols: &[(Stage, Vec<String>)], out: &mut Vec<u8>) {
    for (stage, names) in symbols {
        let number = Stage::ALL.iter().position(|one| one == stage).unwrap_or(0);
        out.extend_from_slice(&u32::try_from(number).unwrap_or(0).to_be_bytes());
        write_text(names.join(" ").as_bytes(), out);
    }
}

/// A text up to its NUL, or to the end.
fn text(data: &mut Bytes) -> Bytes {
    let end = memchr::memchr(0, data).unwrap_or(data.len());
    let text = data.split_to(end);
    data.advance(data.len().min(1));
    text
}

fn more(data: &mut Bytes) -> Option<Bytes> {
    (!data.is_empty()).then(|| text(data))
}

fn read_terms(data: &mut Bytes) -> Result<Terms, Malformed> {
    let mut number = || data.try_get_u32().map_err(|_| SHORT);
    Ok(Terms { version: number()?, actions: Actions(number()?), steps: Steps(number()?) })
}

/// Lists of names, each behind the number of its stage. Those of a stage that is not known are left out.
fn read_symbols(mut data: Bytes) -> Result<Vec<(Stage, Vec<String>)>, Malformed> {
    let mut symbols = Vec::new();
    while !data.is_empty() {
        let number = data.try_get_u32().map_err(|_| SHORT)?;
        let list = text(&mut data);
        let stage = usize::try_from(number).ok().and_then(|number| Stage::ALL.get(number));
        let Some(stage) = stage else { continue };
        let names = list.split(|byte| matches!(byte, b' ' | b',' | b'\t')).filter(|name| !name.is_empty());
        let names: Vec<String> = names.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        if names.len() > SYMBOLS_MAX || symbols.len() >= SYMBOLS_MAX {
            return Err(Malformed("it wants too many macros"));
        }
        symbols.push((*stage, names));
    }
    Ok(symbols)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(command: Command<'_>) -> Vec<u8> {
        let mut out = Vec::new();
        command.write_to(&mut out);
        out
    }

    #[test]
    fn commands_are_written_as_mfdef_has_them() {
        let terms = Terms { version: 6, actions: Actions(0x1ff), steps: Steps(0x1f_ffff) };
        let parameters = ["SIZE=9".to_owned()];
        let client = |text: &str| Some(text.parse().unwrap());
        for (command, expected) in [
            (Command::Negotiate(terms), &b"\0\0\0\x0dO\0\0\0\x06\0\0\x01\xff\0\x1f\xff\xff"[..]),
            (
                Command::Macros(Stage::Connect, &[("j".to_owned(), "mx.example".to_owned())]),
                b"\0\0\0\x0fDCj\0mx.example\0",
            ),
            (Command::Macros(Stage::EndOfMessage, &[]), b"\0\0\0\x02DE"),
            (
                Command::Connect { name: "[192.0.2.1]", client: client("192.0.2.1:25") },
                b"\0\0\0\x1aC[192.0.2.1]\x004\0\x19192.0.2.1\0",
            ),
            (
                Command::Connect { name: "x", client: client("[2001:db8::1]:258") },
                b"\0\0\0\x12Cx\x006\x01\x022001:db8::1\0",
            ),
            (
                Command::Connect { name: "x", client: client("[::ffff:192.0.2.1]:25") },
                b"\0\0\0\x10Cx\x004\0\x19192.0.2.1\0",
            ),
            (Command::Connect { name: "x", client: None }, b"\0\0\0\x04Cx\0U"),
            (Command::Helo("a.example"), b"\0\0\0\x0bHa.example\0"),
            (Command::Mail("<a@b>", &parameters), b"\0\0\0\x0eM<a@b>\0SIZE=9\0"),
            (Command::Recipient("<a@b>", &[]), b"\0\0\0\x07R<a@b>\0"),
            (Command::Data, b"\0\0\0\x01T"),
            (Command::Unknown(b"X\0Y"), b"\0\0\0\x04UXY\0"),
            (Command::Header(b"Subject", b"one\n two"), b"\0\0\0\x12LSubject\0one\n two\0"),
            (Command::EndOfHeader, b"\0\0\0\x01N"),
            (Command::Body(b"a\0b"), b"\0\0\0\x04Ba\0b"),
            (Command::EndOfBody, b"\0\0\0\x01E"),
            (Command::Abort, b"\0\0\0\x01A"),
            (Command::Quit, b"\0\0\0\x01Q"),
            (Command::QuitAndGoOn, b"\0\0\0\x01K"),
        ] {
            assert_eq!(written(command), expected, "{command:?}");
        }
    }

    #[test]
    fn answers_are_read() {
        let read = |octets: &'static [u8]| Answer::read(Bytes::from_static(octets));
        let bytes = |text: &'static str| Bytes::from_static(text.as_bytes());
        for (octets, expected) in [
            (&b"c"[..], Answer::Continue),
            (b"a", Answer::Accept),
            (b"r", Answer::Reject),
            (b"t", Answer::TempFail),
            (b"d", Answer::Discard),
            (b"y550 5.7.1 No\0", Answer::Reply(bytes("550 5.7.1 No"))),
            (b"y550 without end", Answer::Reply(bytes("550 without end"))),
            (b"s", Answer::Skip),
            (b"p", Answer::Progress),
            (b"4", Answer::Shutdown),
            (b"f", Answer::ConnectionFail),
            (b"qwhy\0", Answer::Quarantine(bytes("why"))),
            (b"hX-A\0 1\0", Answer::AddHeader(bytes("X-A"), bytes(" 1"))),
            (b"hX-A", Answer::AddHeader(bytes("X-A"), bytes(""))),
            (b"i\0\0\0\x02X-A\x001\0", Answer::InsertHeader(2, bytes("X-A"), bytes("1"))),
            (b"m\0\0\0\x01X-A\0\0", Answer::ChangeHeader(1, bytes("X-A"), bytes(""))),
            (b"e<a@b>\0", Answer::ChangeSender(bytes("<a@b>"), None)),
            (b"e<a@b>\0SIZE=1\0", Answer::ChangeSender(bytes("<a@b>"), Some(bytes("SIZE=1")))),
            (b"+<a@b>\0", Answer::AddRecipient(bytes("<a@b>"), None)),
            (b"2<a@b>\0NOTIFY=NEVER\0", Answer::AddRecipient(bytes("<a@b>"), Some(bytes("NOTIFY=NEVER")))),
            (b"-<a@b>\0", Answer::DeleteRecipient(bytes("<a@b>"))),
            (b"ba\0b", Answer::ReplaceBody(bytes("a\0b"))),
            (
                b"O\0\0\0\x06\0\0\0\x01\0\0\0\x02\0\0\0\0j {client_addr}\0\0\0\0\x09x\0\0\0\0\x05i\0",
                Answer::Negotiated(
                    Terms { version: 6, actions: Actions(1), steps: Steps(2) },
                    vec![
                        (Stage::Connect, vec!["j".to_owned(), "{client_addr}".to_owned()]),
                        (Stage::EndOfMessage, vec!["i".to_owned()]),
                    ],
                ),
            ),
            (b"l\0\0\0\x03{rcpt_addr}\0", Answer::Symbols(vec![(Stage::Recipient, vec!["{rcpt_addr}".to_owned()])])),
        ] {
            assert_eq!(read(octets), Ok(expected), "{octets:?}");
        }
        for octets in [&b""[..], b"O\0\0\0\x06", b"i\0\0", b"m", b"Z", b"\0", b"O\0\0\0\x06\0\0\0\x01\0\0\0\x02\0\0"] {
            assert!(read(octets).is_err(), "{octets:?}");
        }
    }

    #[test]
    fn packets_are_bounded() {
        let mut framer = Framer::new(10);
        framer.feed(b"\0\0\0\x0c");
        assert_eq!(framer.packet(), Ok(None));
        framer.feed(b"bxxxxxxxxxxx\0\0\0\x01c\0\0\0\0");
        assert_eq!(framer.packet().unwrap().unwrap().len(), 12);
        assert_eq!(framer.packet().unwrap().unwrap(), "c");
        assert!(framer.packet().is_err());
        let mut framer = Framer::new(10);
        framer.feed(b"\0\0\0\x0d");
        assert_eq!(framer.packet(), Err(Malformed("it sends a packet that is too long")));
        framer.allow(11);
        assert_eq!(framer.packet(), Ok(None));
    }

    fn some_answer() -> impl Strategy<Value = Answer> {
        let text = || "[^\0]{0,12}".prop_map(Bytes::from);
        let simple = prop::sample::select(vec![
            Answer::Continue,
            Answer::Accept,
            Answer::Reject,
            Answer::TempFail,
            Answer::Discard,
            Answer::Skip,
            Answer::Progress,
            Answer::Shutdown,
            Answer::ConnectionFail,
        ]);
        prop_oneof![
            simple,
            text().prop_map(Answer::Reply),
            text().prop_map(Answer::Quarantine),
            text().prop_map(Answer::DeleteRecipient),
            (text(), text()).prop_map(|(name, value)| Answer::AddHeader(name, value)),
            (any::<u32>(), text(), text()).prop_map(|(n, name, value)| Answer::InsertHeader(n, name, value)),
            (any::<u32>(), text(), text()).prop_map(|(n, name, value)| Answer::ChangeHeader(n, name, value)),
            (text(), prop::option::of(text())).prop_map(|(path, more)| Answer::ChangeSender(path, more)),
            text().prop_map(|path| Answer::AddRecipient(path, None)),
            (text(), text()).prop_map(|(path, more)| Answer::AddRecipient(path, Some(more))),
            prop::collection::vec(any::<u8>(), 0..20).prop_map(|octets| Answer::ReplaceBody(octets.into())),
        ]
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_again_however_it_is_cut(
            answers in prop::collection::vec(some_answer(), 0..6), pieces in prop::collection::vec(1_usize..9, 1..40),
        ) {
            let mut octets = Vec::new();
            answers.iter().for_each(|answer| answer.write_to(&mut octets));
            let mut framer = Framer::new(100);
            let mut read = Vec::new();
            let (mut rest, mut sizes) = (octets.as_slice(), pieces.iter().cycle());
            while !rest.is_empty() {
                let (piece, behind) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
                framer.feed(piece);
                while let Some(packet) = framer.packet().unwrap() {
                    read.push(Answer::read(packet).unwrap());
                }
                rest = behind;
            }
            prop_assert_eq!(read, answers);
        }

        #[test]
        fn no_octets_are_too_much(octets in prop::collection::vec(any::<u8>(), 0..60)) {
            Answer::read(Bytes::from(octets.clone())).ok();
            let mut framer = Framer::new(100);
            framer.feed(&octets);
            while let Ok(Some(packet)) = framer.packet() {
                Answer::read(packet).ok();
            }
        }
    }
}
