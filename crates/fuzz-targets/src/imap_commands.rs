//! What IMAP clients send: commands, their framing, mailbox names, URLs.

use imap_wire::url::{Access, ImapUrl};
use imap_wire::{
    AfterRefusal, CommandText, Frame, FrameLimits, Framer, MailboxName, NameEncoding, decode, ends_idle, oracle,
    response, sasl_response, search_program,
};

use crate::cuts::cut;

const ENCODINGS: [NameEncoding; 2] = [NameEncoding::ModifiedUtf7, NameEncoding::Utf8];

/// A command is understood or refused in printable words on one line; imap-codec and our grammar never disagree.
pub(crate) fn command(input: &[u8]) {
    for encoding in ENCODINGS {
        if let Err(refusal) = decode(&CommandText::from(input), encoding) {
            let mut line = Vec::new();
            refusal.write(&mut line);
            assert!(line.ends_with(b"\r\n"), "{line:?}");
            assert!(line.iter().filter(|b| matches!(b, b'\r' | b'\n')).count() == 2, "one line: {line:?}");
        }
        search_program(input, encoding).ok();
    }
    oracle::agree(input);
}

/// What a connection sees of its input, the chunks of a message put together.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    Frame(String, Vec<u8>),
    Message(Vec<u8>, bool),
    Closed,
}

const LIMITS: FrameLimits = FrameLimits {
    line_max: 100,
    command_max: 150,
    inline_literal_max: 40,
    swallow_max: 500,
    swallow_literals_max: 500,
};

/// A connection that takes messages of an even size up to 200 octets, and waits for a line after IDLE and AUTHENTICATE.
fn converse(pieces: &[&[u8]]) -> Vec<Seen> {
    let mut framer = Framer::new(LIMITS);
    let (mut seen, mut message) = (Vec::new(), Vec::new());
    for piece in pieces {
        let mut input: &[u8] = piece;
        while let Some(frame) = framer.next(&mut input) {
            seen.push(match frame {
                Frame::Command(text) => {
                    let name = text.as_bytes().to_ascii_uppercase();
                    if name.ends_with(b" IDLE\r\n") || name.ends_with(b" AUTHENTICATE PLAIN\r\n") {
                        framer.expect_line();
                    }
                    // What the framer lets through, the parsers survive.
                    let understood = decode(&text, NameEncoding::Utf8).is_ok();
                    Seen::Frame(format!("command, understood: {understood}"), text.as_bytes().to_vec())
                }
                Frame::Line(line) => {
                    sasl_response(&line);
                    Seen::Frame(format!("line, ends IDLE: {}", ends_idle(&line)), line.reveal().to_vec())
                }
                Frame::BadLine(refusal) => Seen::Frame("bad line".to_owned(), refusal.text.into_bytes()),
                Frame::Continue => Seen::Frame("continue".to_owned(), Vec::new()),
                Frame::Announced(announced) => {
                    let shown = format!("{announced:?}");
                    let before = input.len();
                    assert!(framer.next(&mut input).is_none() && input.len() == before, "nothing before the answer");
                    if announced.size % 2 == 0 && announced.size <= 200 {
                        assert!(framer.accept().is_some(), "an announced message can be accepted");
                    } else if framer.refuse() == AfterRefusal::Close {
                        seen.push(Seen::Frame(shown, Vec::new()));
                        seen.push(Seen::Closed);
                        return seen;
                    }
                    Seen::Frame(shown, Vec::new())
                }
                Frame::Chunk(chunk) => {
                    message.extend_from_slice(chunk);
                    continue;
                }
                Frame::MessageEnd { nul, .. } => Seen::Message(std::mem::take(&mut message), nul),
                Frame::Misbehaviour { refusal, close } => {
                    let mut line = Vec::new();
                    refusal.write(&mut line);
                    Seen::Frame(format!("refused, close: {close}"), line)
                }
            });
            assert!(framer.memory() <= 2 * LIMITS.command_max + 64, "memory is bounded");
        }
        assert!(message.len() <= 200, "no more of a message than was announced");
    }
    if framer.is_idle() {
        assert_eq!(framer.memory(), 0, "an idle framer holds nothing");
    }
    seen
}

/// The same frames wherever the network cuts.
pub(crate) fn framing(input: &[u8]) {
    let (pieces, whole) = cut(input);
    assert_eq!(converse(&pieces), converse(&[whole]), "cut");
}

/// A name that is understood is written so that it is understood again.
pub(crate) fn mailbox_name(input: &[u8]) {
    for encoding in ENCODINGS {
        let Ok(name) = MailboxName::decode(input, encoding) else { continue };
        for written in ENCODINGS {
            let wire = name.encode(written);
            assert_eq!(MailboxName::decode(wire.as_bytes(), written).as_ref(), Ok(&name), "{wire:?}");
        }
        assert_eq!(MailboxName::new(name.as_str()).as_ref(), Ok(&name));
        let mut line = Vec::new();
        response::status(&mut line, &name, encoding, &[response::StatusData::Messages(1)]);
        assert!(oracle::readable(&line), "a client can't read {line:?}");
    }
}

/// Every octet of a URL counts, and a token vouches for a part of it.
pub(crate) fn url(input: &[u8]) {
    let Some(url) = ImapUrl::parse(input) else { return };
    assert!(url.uid > 0, "nz-number");
    assert!(input.iter().all(u8::is_ascii_graphic), "RFC 3986 §2");
    if let Some(auth) = &url.auth {
        assert!(auth.rump_octets <= input.len(), "the rump is a part of the URL");
        let rump = input.get(..auth.rump_octets).unwrap_or_default();
        let of_the_rump = ImapUrl::parse(rump);
        let kept = of_the_rump.and_then(|rump| rump.auth);
        assert!(kept.is_some_and(|rump| rump.access == auth.access && rump.expires == auth.expires), "of the rump");
        if let Access::User(user) | Access::Submit(user) = &auth.access {
            assert!(!user.is_empty(), "somebody");
        }
    }
}
