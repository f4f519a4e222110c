//! What outside filters say: milters in packets, rspamd in JSON.

use outside::Header;
use outside::limits::{PACKET_OCTETS_MAX, REASON_CHARS_MAX, REPLY_CHARS_MAX};
use outside::milter::codec::{Answer, Framer};
use outside::milter::refusal;
use outside::rspamd;

use crate::cuts::cut;

const HEADER: &[u8] = b"Received: x\r\nSubject: Hello\r\n there\r\nno field\r\nX-A: 1\r\nX-A: 2\r\n\r\n";

/// A filter's packets: the same ones wherever they are cut, written and read again; what they do to a header leaves one, and what they say
/// is one line.
#[expect(clippy::wildcard_enum_match_arm, reason = "only what changes the header is tried on it")]
pub(crate) fn milter(input: &[u8]) {
    let (pieces, whole) = cut(input);
    let at_once = answers(&[whole]);
    assert_eq!(answers(&pieces), at_once, "cutting makes no difference");
    let mut header = Header::read(HEADER);
    for answer in at_once {
        let mut octets = Vec::new();
        answer.write_to(&mut octets);
        assert_eq!(answers(&[&octets]), std::slice::from_ref(&answer), "what was written is read");
        // What is too much is left out.
        let made = match &answer {
            Answer::AddHeader(name, value) => header.add(name, value, false),
            Answer::InsertHeader(place, name, value) => header.insert(*place, name, value, true),
            Answer::ChangeHeader(nth, name, value) => header.change(*nth, name, value, false),
            Answer::Reply(words) => {
                says_one_line(words);
                Ok(())
            }
            _ => Ok(()),
        };
        made.ok();
    }
    is_header(&mut header);
}

/// The packets of a filter, up to the first that can't be.
fn answers(pieces: &[&[u8]]) -> Vec<Answer> {
    let mut framer = Framer::new(PACKET_OCTETS_MAX);
    let mut found = Vec::new();
    for piece in pieces {
        framer.feed(piece);
        loop {
            match framer.packet() {
                Ok(None) => break,
                Ok(Some(packet)) => match Answer::read(packet) {
                    Ok(answer) => found.push(answer),
                    Err(_) => return found,
                },
                Err(_) => return found,
            }
        }
    }
    found
}

fn says_one_line(words: &[u8]) {
    for utf8 in [false, true] {
        let Some(reply) = refusal(words, utf8) else { continue };
        assert!(reply.code >= 400 && reply.code != 421, "{reply}");
        assert!(!reply.text.contains(char::is_control) && reply.text.chars().count() <= REPLY_CHARS_MAX, "{reply}");
        assert!(utf8 || reply.text.is_ascii(), "{reply}");
    }
}

/// A header, with every line end whole, and its blank line at the end and nowhere else.
fn is_header(header: &mut Header) {
    header.settle();
    let octets = header.octets();
    let text = String::from_utf8_lossy(&octets);
    assert!(text.ends_with("\r\n") && text.matches("\r\n\r\n").count() <= 1, "{text:?}");
    assert!(!text.replace("\r\n", "").contains(['\r', '\n', '\0']), "{text:?}");
    assert_eq!(Header::read(&octets).octets(), octets);
}

/// An answer of rspamd: its summary is plain, and it leaves a header.
pub(crate) fn rspamd(input: &[u8]) {
    let Ok(answer) = rspamd::Answer::read(input) else { return };
    let summary = answer.summary();
    assert!(summary.is_ascii() && !summary.contains(|c: char| c.is_control()), "{summary:?}");
    assert!(summary.len() <= REASON_CHARS_MAX, "{summary:?}");
    for submitted in [false, true] {
        let mut header = Header::read(HEADER);
        drop(answer.change(submitted, &mut header));
        is_header(&mut header);
    }
}
