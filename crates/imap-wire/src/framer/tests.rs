//! Scripts of input against expected frames, each run whole and cut at every octet.

use proptest::prelude::*;

use super::*;

/// What a session sees, in short; it accepts messages up to 1,000 octets.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Command(String),
    Line(String),
    BadLine(String),
    Continue,
    Announced { tag: String, mailbox: Option<String>, size: u64, sync: bool, binary: bool },
    Message(Vec<u8>, bool),
    Bad { tag: Option<String>, text: String, close: bool },
    Close,
}

const LIMITS: FrameLimits = FrameLimits {
    line_max: 100,
    command_max: 150,
    inline_literal_max: 40,
    swallow_max: 2_000,
    swallow_literals_max: 2_000,
};

/// Feeds the pieces as a connection would; `IDLE` makes the session expect a line.
fn run(pieces: &[&[u8]]) -> (Vec<Seen>, Framer) {
    let mut framer = Framer::new(LIMITS);
    let mut seen = Vec::new();
    let mut message = Vec::new();
    for piece in pieces {
        let mut input: &[u8] = piece;
        loop {
            let Some(frame) = framer.next(&mut input) else { break };
            match frame {
                Frame::Command(text) => {
                    if text.as_bytes().ends_with(b" IDLE\r\n") {
                        framer.expect_line();
                    }
                    // What the framer lets through, the parsers survive.
                    drop(crate::decode::decode(&text, NameEncoding::default()));
                    seen.push(Seen::Command(String::from_utf8_lossy(text.as_bytes()).into_owned()));
                }
                Frame::Line(line) => seen.push(Seen::Line(String::from_utf8_lossy(line.reveal()).into_owned())),
                Frame::BadLine(refusal) => seen.push(Seen::BadLine(refusal.text)),
                Frame::Continue => seen.push(Seen::Continue),
                Frame::Announced(a) => {
                    seen.push(Seen::Announced {
                        tag: a.tag.unwrap().to_string(),
                        mailbox: a.mailbox.map(|name| name.to_string()),
                        size: a.size,
                        sync: a.sync,
                        binary: a.binary,
                    });
                    assert_eq!(framer.next(&mut input), None, "nothing before the answer");
                    if a.size <= 1_000 {
                        framer.accept().unwrap();
                    } else if framer.refuse() == AfterRefusal::Close {
                        seen.push(Seen::Close);
                    }
                }
                Frame::Chunk(chunk) => message.extend_from_slice(chunk),
                Frame::MessageEnd { nul, .. } => seen.push(Seen::Message(std::mem::take(&mut message), nul)),
                Frame::Misbehaviour { refusal, close } => {
                    seen.push(Seen::Bad { tag: refusal.tag.map(|t| t.to_string()), text: refusal.text, close });
                }
            }
        }
        assert!(framer.memory() <= 2 * LIMITS.command_max + 64, "memory is bounded");
    }
    (seen, framer)
}

/// The frames of an input, the same however it is cut.
fn frames(input: &[u8]) -> Vec<Seen> {
    let (whole, framer) = run(&[input]);
    if framer.is_idle() {
        assert_eq!(framer.memory(), 0, "an idle framer holds nothing");
    }
    let octets: Vec<&[u8]> = input.chunks(1).collect();
    assert_eq!(run(&octets).0, whole, "octet by octet");
    for cut in 0..input.len() {
        let (a, b) = input.split_at(cut);
        assert_eq!(run(&[a, b]).0, whole, "cut at {cut}");
    }
    whole
}

fn command(text: &str) -> Seen {
    Seen::Command(text.to_owned())
}

fn bad(tag: Option<&str>, text: &str) -> Seen {
    Seen::Bad { tag: tag.map(str::to_owned), text: text.to_owned(), close: false }
}

#[test]
fn lines_and_literals() {
    assert_eq!(frames(b"a NOOP\r\nb NOOP\r\n"), [command("a NOOP\r\n"), command("b NOOP\r\n")]);
    assert_eq!(
        frames(b"a LOGIN {4}\r\nfred {7+}\r\nx\r\ny {1}\r\n"),
        [Seen::Continue, command("a LOGIN {4}\r\nfred {7+}\r\nx\r\ny {1}\r\n")]
    );
    assert_eq!(
        frames(b"a SELECT {0}\r\n\r\nb NOOP\r\n"),
        [Seen::Continue, command("a SELECT {0}\r\n\r\n"), command("b NOOP\r\n")]
    );
    assert_eq!(frames(b"\r\n"), [command("\r\n")]);
    assert_eq!(frames(b"a NOOP"), []);
}

#[test]
fn messages_pass_by() {
    let announced = |size, sync, binary| Seen::Announced {
        tag: "a".to_owned(),
        mailbox: Some("INBOX".to_owned()),
        size,
        sync,
        binary,
    };
    assert_eq!(
        frames(b"a APPEND inbox (\\Seen) {10}\r\nab\r\nc {3}\r\r\nb NOOP\r\n"),
        [
            announced(10, true, false),
            Seen::Continue,
            Seen::Message(b"ab\r\nc {3}\r".to_vec(), false),
            command("a APPEND inbox (\\Seen) ~{8}\r\n\0\0\0\0\0\0\0\0\r\n"),
            command("b NOOP\r\n"),
        ]
    );
    // The name itself may be a literal; a literal8 may hold NULs, a literal may not.
    assert_eq!(
        frames(b"a APPEND {5+}\r\nINBOX ~{2+}\r\n\0b\r\n"),
        [
            announced(2, false, true),
            Seen::Message(b"\0b".to_vec(), false),
            command("a APPEND {5+}\r\nINBOX ~{8}\r\n\0\0\0\0\0\0\0\0\r\n"),
        ]
    );
    assert_eq!(frames(b"a APPEND INBOX {1+}\r\n\0\r\n").get(1), Some(&Seen::Message(b"\0".to_vec(), true)));
    assert_eq!(frames(b"a APPEND INBOX {0+}\r\n\r\n").get(1), Some(&Seen::Message(Vec::new(), false)));
}

#[test]
fn refused_messages_leave_the_connection_in_step() {
    let announced =
        |size, sync| Seen::Announced { tag: "a".to_owned(), mailbox: Some("x".to_owned()), size, sync, binary: false };
    assert_eq!(frames(b"a APPEND x {1001}\r\nb NOOP\r\n"), [announced(1001, true), command("b NOOP\r\n")]);
    let skipped = [b"a APPEND x {1001+}\r\n".as_slice(), &[b'z'; 1001], b" {3+}\r\nabc\r\nb NOOP\r\n"].concat();
    assert_eq!(frames(&skipped), [announced(1001, false), command("b NOOP\r\n")]);
    assert_eq!(frames(b"a APPEND x {2001+}\r\nb NOOP\r\n"), [announced(2001, false), Seen::Close]);
}

#[test]
fn refused_short_literals_leave_the_connection_in_step() {
    let too_long = "a literal of 41 octets is too long here";
    assert_eq!(frames(b"a LOGIN {41}\r\nb NOOP\r\n"), [bad(Some("a"), too_long), command("b NOOP\r\n")]);
    let skipped = [b"a LOGIN {41+}\r\n".as_slice(), &[b'\n'; 41], b" {2+}\r\nab {9}\r\nb NOOP\r\n"].concat();
    assert_eq!(frames(&skipped), [bad(Some("a"), too_long), command("b NOOP\r\n")]);
    // A password with a line in it is never run as a command.
    let smuggled = [b"a LOGIN {41+}\r\n".as_slice(), b"\r\nx LOGOUT\r\n", &[b'p'; 29], b" y\r\nb NOOP\r\n"].concat();
    assert_eq!(frames(&smuggled), [bad(Some("a"), too_long), command("b NOOP\r\n")]);
}

#[test]
fn absurd_lengths() {
    let text = "the literal's length is not a number of 63 bits";
    assert_eq!(frames(b"a LOGIN {99999999999999999999}\r\nb NOOP\r\n"), [bad(Some("a"), text), command("b NOOP\r\n")]);
    assert_eq!(
        frames(b"a LOGIN {99999999999999999999+}\r\nb LOGOUT\r\n"),
        [Seen::Bad { tag: Some("a".to_owned()), text: text.to_owned(), close: true }]
    );
    assert_eq!(
        frames(b"a APPEND x {99999999999999999999999999999999999999999999+}\r\nb LOGOUT\r\n"),
        [Seen::Bad { tag: Some("a".to_owned()), text: text.to_owned(), close: true }]
    );
}

#[test]
fn only_crlf_ends_a_line() {
    let lf = "a bare LF is in the line; only CRLF ends it";
    let cr = "a bare CR is in the line; only CRLF ends it";
    assert_eq!(frames(b"a NOOP\nb LOGOUT\r\nc NOOP\r\n"), [bad(Some("a"), lf), command("c NOOP\r\n")]);
    assert_eq!(frames(b"a NO\rOP\r\nc NOOP\r\n"), [bad(Some("a"), cr), command("c NOOP\r\n")]);
    assert_eq!(frames(b"a NOOP\r\r\nc NOOP\r\n"), [bad(Some("a"), cr), command("c NOOP\r\n")]);
    assert_eq!(frames(b"a \0\r\nc NOOP\r\n"), [bad(Some("a"), "a NUL is in the line"), command("c NOOP\r\n")]);
    assert_eq!(frames(b"\0a\r\nc NOOP\r\n"), [bad(None, "a NUL is in the line"), command("c NOOP\r\n")]);
    // What the bad line announces is still skipped, and what it does not announce is not.
    assert_eq!(
        frames(b"a \0 {5+}\r\nx Y\r\n\r\nc NOOP\r\n"),
        [bad(Some("a"), "a NUL is in the line"), command("c NOOP\r\n")]
    );
    assert_eq!(frames(b"a {5\0+}\r\nc NOOP\r\n"), [bad(Some("a"), "a NUL is in the line"), command("c NOOP\r\n")]);
}

#[test]
fn long_lines_and_commands() {
    let long = [b"a ".as_slice(), &[b'x'; 200], b" {3+}\r\nabc\r\nc NOOP\r\n"].concat();
    assert_eq!(frames(&long), [bad(Some("a"), "the line is too long"), command("c NOOP\r\n")]);
    let exact = [b"a ".as_slice(), &[b'x'; 98], b"\r\n"].concat();
    assert_eq!(frames(&exact), [command(str::from_utf8(&exact).unwrap())]);
    let over = [b"a ".as_slice(), &[b'x'; 99], b"\r\nc NOOP\r\n"].concat();
    assert_eq!(frames(&over), [bad(Some("a"), "the line is too long"), command("c NOOP\r\n")]);
    let many = [b"a ".as_slice(), &b"{30+}\r\n012345678901234567890123456789 ".repeat(6), b"\r\nc NOOP\r\n"].concat();
    assert_eq!(frames(&many), [bad(Some("a"), "a literal of 30 octets is too long here"), command("c NOOP\r\n")]);
    // Both bounds are passed by one read: the nearer one speaks.
    let both =
        [b"a ".as_slice(), &b"{30+}\r\n012345678901234567890123456789".repeat(2), &[b'x'; 150], b"\r\n"].concat();
    assert_eq!(frames(&both), [bad(Some("a"), "the command is too long")]);
    let endless = [b"a ".as_slice(), &[b'x'; 2_500], b"\r\nc NOOP\r\n"].concat();
    let (seen, _) = run(&[&endless]);
    assert_eq!(seen.len(), 2);
    assert!(matches!(seen.last(), Some(Seen::Bad { close: true, .. })));
    // An announcement whose beginning is too far back to be remembered is not guessed at.
    let zeros = [b"a \0 {".as_slice(), &[b'0'; 60], b"5+}\r\nx LOGOUT\r\n"].concat();
    assert!(matches!(frames(&zeros).as_slice(), [_, Seen::Bad { close: true, .. }]));
}

#[test]
fn lines_that_are_no_commands() {
    assert_eq!(
        frames(b"a IDLE\r\nDONE\r\nb NOOP\r\n"),
        [command("a IDLE\r\n"), Seen::Line("DONE".to_owned()), command("b NOOP\r\n")]
    );
    // A SASL response is not looked at for literals.
    assert_eq!(frames(b"a IDLE\r\n{5+}\r\n").last(), Some(&Seen::Line("{5+}".to_owned())));
    assert_eq!(
        frames(b"a IDLE\r\nDO\nNE\r\nb NOOP\r\n"),
        [
            command("a IDLE\r\n"),
            Seen::BadLine("a bare LF is in the line; only CRLF ends it".to_owned()),
            command("b NOOP\r\n")
        ]
    );
}

#[test]
fn starttls_drops_what_was_pipelined() {
    let mut framer = Framer::new(LIMITS);
    let mut input: &[u8] = b"a STARTTLS\r\nb LOGIN ev";
    assert!(matches!(framer.next(&mut input), Some(Frame::Command(_))));
    assert_eq!(framer.next(&mut input), None);
    assert!(!framer.is_idle());
    framer.reset();
    assert!(framer.is_idle());
    assert_eq!(framer.memory(), 0);
    let mut input: &[u8] = b"c NOOP\r\n";
    assert_eq!(framer.next(&mut input), Some(Frame::Command(CommandText::from(&b"c NOOP\r\n"[..]))));
}

#[test]
fn debug_shows_no_password() {
    let mut framer = Framer::new(LIMITS);
    let mut input: &[u8] = b"a LOGIN fred hunter2\r\nb LOGIN fred hunter3";
    let frame = framer.next(&mut input).unwrap();
    assert_eq!(format!("{frame:?}"), "Command(CommandText(a LOGIN, 22 octets))");
    assert_eq!(framer.next(&mut input), None);
    assert!(!format!("{framer:?}").contains("hunter3"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]
    #[test]
    fn cuts_change_nothing(pieces in prop::collection::vec(prop::sample::select(vec![
        "a NOOP", "\r\n", "\r", "\n", "\0", "{3}", "{3+}", "~{2}", "{50+}", "{1500+}", "{99999999999}", "abc", " ", "a APPEND x ",
        "a IDLE\r\n", "a LOGIN ", "DONE\r\n", "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
    ]), 0..20)) {
        frames(pieces.concat().as_bytes());
    }
}

/// RFC 7888 §4: who is known is kept in step, however large the message is that is not wanted; who is not, only so far.
#[test]
fn a_message_that_is_too_large_ends_no_session() {
    for (limits, octets, expected) in [
        (FrameLimits::LOGGED_IN, 200 * 1024 * 1024, AfterRefusal::GoOn),
        (FrameLimits::LOGGED_IN, 1024 * 1024 * 1024, AfterRefusal::Close),
        (FrameLimits::BEFORE_LOGIN, 1024 * 1024, AfterRefusal::GoOn),
        (FrameLimits::BEFORE_LOGIN, 2 * 1024 * 1024, AfterRefusal::Close),
    ] {
        let mut framer = Framer::new(limits);
        let line = format!("a APPEND x {{{octets}+}}\r\n");
        let mut input = line.as_bytes();
        assert!(matches!(framer.next(&mut input), Some(Frame::Announced(_))));
        assert_eq!(framer.refuse(), expected, "{octets}");
        if expected == AfterRefusal::Close {
            continue;
        }
        let piece = vec![b'x'; 1024 * 1024];
        for _ in 0..octets / piece.len() {
            let mut input = piece.as_slice();
            while !input.is_empty() {
                assert_eq!(framer.next(&mut input), None);
            }
        }
        let mut input = &b"\r\nb NOOP\r\n"[..];
        assert!(matches!(framer.next(&mut input), Some(Frame::Command(_))), "in step");
        assert!(framer.memory() < 1024);
    }
}
