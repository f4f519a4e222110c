//! A host's answer as it comes over the wire (RFC 5321 §4.2), read strictly and within bounds.
//!
//! Strict where a mistake would cost mail: three digits begin every line, only a line with a hyphen behind them is
//! followed by another, and nothing of the next answer is touched. Tolerant where deployed hosts are careless: a line
//! may end with LF alone, have no text, be longer than 512 octets or no UTF-8. A long answer loses text, never its
//! code. What smtp-proto's reader does otherwise is in docs/quirks.md.

use mail::{EnhancedCode, Reply};

use crate::limits::{ANSWER_LINE_OCTETS_MAX, ANSWER_OCTETS_MAX, ANSWER_TEXT_OCTETS_MAX, REPLY_TEXT_OCTETS_MAX};

/// An answer that has come to its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    /// The code of the last line.
    pub(crate) code: u16,
    /// The texts behind the codes, as far as they were kept.
    pub(crate) lines: Vec<String>,
}

/// Why octets are no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Flaw {
    /// A line does not begin with a code.
    #[error("the host's answer is no SMTP")]
    NoSmtp,
    /// More than [`ANSWER_OCTETS_MAX`] octets without an end.
    #[error("the host's answer does not end")]
    Endless,
}

/// Reads one answer.
#[derive(Default)]
pub(crate) struct AnswerReader {
    /// The beginning of the line that is coming in.
    line: Vec<u8>,
    lines: Vec<String>,
    /// Octets of all lines, and one for each.
    kept: usize,
    /// Octets read in all.
    read: usize,
}

impl AnswerReader {
    /// Reads on. Gives how many of the octets belong to this answer, and the answer once it is complete.
    pub(crate) fn read(&mut self, octets: &[u8]) -> (usize, Option<Result<Answer, Flaw>>) {
        let mut used = 0;
        for octet in octets {
            used += 1;
            self.read = self.read.saturating_add(1);
            if self.read > ANSWER_OCTETS_MAX {
                return (used, Some(Err(Flaw::Endless)));
            }
            if *octet != b'\n' {
                if self.line.len() < 3 && !octet.is_ascii_digit() {
                    return (used, Some(Err(Flaw::NoSmtp)));
                }
                // One octet more than is kept: the CR of a line that just reaches the limit.
                if self.line.len() <= ANSWER_LINE_OCTETS_MAX {
                    self.line.push(*octet);
                }
                continue;
            }
            match self.line_ended() {
                Ok(None) => {}
                Ok(Some(answer)) => return (used, Some(Ok(answer))),
                Err(flaw) => return (used, Some(Err(flaw))),
            }
        }
        (used, None)
    }

    fn line_ended(&mut self) -> Result<Option<Answer>, Flaw> {
        let line = std::mem::take(&mut self.line);
        let line = line.strip_suffix(b"\r").unwrap_or(&line);
        let (code, rest) = line.split_at_checked(3).ok_or(Flaw::NoSmtp)?;
        let code = code.iter().fold(0, |code, digit| code * 10 + u16::from(digit.wrapping_sub(b'0')));
        let (last, text) = match rest.split_first() {
            None => (true, rest),
            Some((b' ', text)) => (true, text),
            Some((b'-', text)) => (false, text),
            Some(_) => return Err(Flaw::NoSmtp),
        };
        let room = ANSWER_TEXT_OCTETS_MAX.saturating_sub(self.kept);
        if room > 0 {
            let text = String::from_utf8_lossy(text.get(..room.min(text.len())).unwrap_or_default()).into_owned();
            self.kept = self.kept.saturating_add(text.len()).saturating_add(1);
            self.lines.push(text);
        }
        Ok(last.then(|| Answer { code, lines: std::mem::take(&mut self.lines) }))
    }
}

impl Answer {
    /// The answer in our words. A code outside 200 to 599 is none of RFC 5321 §4.2.1 and counts as temporary.
    pub(crate) fn reply(&self) -> Reply {
        let code = if (200..600).contains(&self.code) { self.code } else { 451 };
        let enhanced = self.lines.iter().find_map(|line| Some(enhanced(line)?.0));
        let mut text = String::new();
        for line in &self.lines {
            let line = enhanced_stripped(line, enhanced);
            if !text.is_empty() {
                text.push('\n');
            }
            text.push_str(line.trim());
            if text.len() > REPLY_TEXT_OCTETS_MAX {
                let cut = (0..=REPLY_TEXT_OCTETS_MAX).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
                text.truncate(cut);
                text.push_str("...");
                break;
            }
        }
        Reply::new(code, enhanced, text.trim())
    }
}

/// The enhanced code that a text begins with (RFC 2034 §4), and what follows it. Each of its numbers has up to three
/// digits (RFC 3463 §2).
fn enhanced(text: &str) -> Option<(EnhancedCode, &str)> {
    let (word, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mut numbers = word.split('.');
    let (class, subject, detail) = (numbers.next()?, numbers.next()?, numbers.next()?);
    let number = |digits: &str| {
        let good = (1..=3).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
        good.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let class = match class {
        "2" => 2,
        "4" => 4,
        "5" => 5,
        _ => return None,
    };
    let code = EnhancedCode(class, number(subject)?, number(detail)?);
    numbers.next().is_none().then_some((code, rest))
}

fn enhanced_stripped(line: &str, code: Option<EnhancedCode>) -> &str {
    match enhanced(line) {
        Some((found, rest)) if Some(found) == code => rest,
        _ => line,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Reads one answer from pieces; what is left of them, and the answer.
    fn read(pieces: &[&[u8]]) -> (Vec<u8>, Option<Result<Answer, Flaw>>) {
        let mut reader = AnswerReader::default();
        let mut unread = Vec::new();
        let mut done = None;
        for piece in pieces {
            unread.extend_from_slice(piece);
            if done.is_none() {
                let (used, answer) = reader.read(&unread);
                unread.drain(..used);
                done = answer;
            }
        }
        (unread, done)
    }

    fn reply(wire: &[u8]) -> Reply {
        read(&[wire]).1.unwrap().unwrap().reply()
    }

    #[test]
    fn enhanced_codes_are_what_the_host_said() {
        let refused = reply(b"550 5.7.509 Access denied, DMARC\r\n");
        assert_eq!(refused.to_string(), "550 5.7.509 Access denied, DMARC");
        assert_eq!(refused.enhanced, Some(EnhancedCode(5, 7, 509)));
        assert_eq!(reply(b"250 2.0.0\r\n"), Reply::new(250, Some(EnhancedCode(2, 0, 0)), ""));
        for none in [
            "250 192.0.2.1 ok",
            "250 2.0 ok",
            "250 3.0.0 ok",
            "250 2.0.0.0 ok",
            "250 2.1234.0",
            "250 2..0",
            "250 2.0.0x",
        ] {
            assert_eq!(reply(format!("{none}\r\n").as_bytes()), Reply::new(250, None, &none[4..]));
        }
    }

    #[test]
    fn lines_become_one_text() {
        let wire = b"550-5.1.1 No such user\r\n550-5.1.1  here\r\n550 see 5.1.1 there\r\n";
        assert_eq!(reply(wire), Reply::new(550, Some(EnhancedCode(5, 1, 1)), "No such user\nhere\nsee 5.1.1 there"));
    }

    #[test]
    fn careless_hosts_are_understood() {
        assert_eq!(reply(b"250\r\n"), Reply::new(250, None, ""));
        assert_eq!(reply(b"250 \r\n"), Reply::new(250, None, ""));
        assert_eq!(reply(b"250-a\n250 b\n"), Reply::new(250, None, "a\nb"));
        assert_eq!(reply(b"250 \xff\xfe\r\n").text, "\u{fffd}\u{fffd}");
        assert_eq!(reply(b"250-\r\n250\r\n"), Reply::new(250, None, ""));
        // The last line is the one that counts, as for other clients.
        assert_eq!(reply(b"250-a\r\n550 b\r\n").code, 550);
        assert_eq!(reply(b"999 what\r\n").code, 451);
        assert_eq!(reply(b"120 soon\r\n").code, 451);
    }

    #[test]
    fn what_is_no_smtp_is_said_so() {
        for wire in
            ["\r\n", "2\r\n", "25\r\n", "HTTP/1.1 400\r\n", "250_ok\r\n", "250-a\r\nb\r\n", " 250 a\r\n", "2500 a\r\n"]
        {
            assert_eq!(read(&[wire.as_bytes()]).1, Some(Err(Flaw::NoSmtp)), "{wire:?}");
        }
    }

    #[test]
    fn a_long_answer_keeps_its_code_and_its_end() {
        let line = format!("550-5.7.1 {}\r\n", "x".repeat(70));
        let wire = format!("{}550 5.7.1 end\r\n250 next\r\n", line.repeat(500));
        let (left, answer) = read(&[wire.as_bytes()]);
        assert_eq!(left, b"250 next\r\n");
        let answer = answer.unwrap().unwrap();
        assert!(answer.lines.iter().map(String::len).sum::<usize>() <= ANSWER_TEXT_OCTETS_MAX);
        let reply = answer.reply();
        assert_eq!((reply.code, reply.enhanced), (550, Some(EnhancedCode(5, 7, 1))));
        assert!(reply.text.len() <= REPLY_TEXT_OCTETS_MAX + 3 && reply.text.ends_with("..."));
        // One line that is as long.
        let wire = format!("250 2.0.0 {}\r\n", "y".repeat(100_000));
        assert_eq!(reply_code(wire.as_bytes()), (250, Some(EnhancedCode(2, 0, 0))));
    }

    fn reply_code(wire: &[u8]) -> (u16, Option<EnhancedCode>) {
        let reply = reply(wire);
        (reply.code, reply.enhanced)
    }

    #[test]
    fn an_endless_answer_ends_and_holds_little() {
        let mut reader = AnswerReader::default();
        let mut octets = 0;
        let flaw = loop {
            let (used, done) = reader.read(b"250-\r\n250-more of the same\r\n");
            octets += used;
            assert!(reader.lines.len() <= ANSWER_TEXT_OCTETS_MAX && reader.line.len() <= ANSWER_LINE_OCTETS_MAX + 1);
            if let Some(done) = done {
                break done;
            }
        };
        assert_eq!((flaw, octets), (Err(Flaw::Endless), ANSWER_OCTETS_MAX + 1));
        // Without a single line end.
        let mut reader = AnswerReader::default();
        let done = std::iter::repeat_with(|| reader.read(&[b'2'; 4096]).1).find_map(|done| done);
        assert_eq!(done, Some(Err(Flaw::Endless)));
        assert!(reader.line.len() <= ANSWER_LINE_OCTETS_MAX + 1);
    }

    #[test]
    fn every_cut_gives_the_same_answer_and_leaves_the_next_one() {
        let wires: [&[u8]; 6] = [
            b"220 mx.b.example ESMTP\r\n",
            b"250-mx.b.example\r\n250-SIZE 1000\r\n250-PIPELINING\r\n250 DSN\r\n",
            b"550-5.7.509 a\r\n550 5.7.509 b\r\n",
            b"250\r\n",
            b"250-a\n250 b\n",
            b"354 go on\r\n",
        ];
        for wire in wires {
            let (_, whole) = read(&[wire]);
            let both = [wire, b"421 bye\r\n"].concat();
            for at in 0..=both.len() {
                let (head, tail) = both.split_at(at);
                let (left, answer) = read(&[head, tail]);
                assert_eq!(answer, whole, "cut at {at}");
                assert_eq!(left, b"421 bye\r\n", "cut at {at}");
            }
            let octets: Vec<&[u8]> = both.chunks(1).collect();
            assert_eq!(read(&octets), (b"421 bye\r\n".to_vec(), whole));
        }
    }

    proptest! {
        #[test]
        fn where_octets_are_cut_changes_nothing(
            octets in proptest::collection::vec(prop_oneof![Just(b'2'), Just(b'5'), Just(b' '), Just(b'-'), Just(b'.'), Just(b'\r'), Just(b'\n'), Just(b'x')], 0..40),
            at in 0usize..40,
        ) {
            let (head, tail) = octets.split_at(at.min(octets.len()));
            prop_assert_eq!(read(&[head, tail]), read(&[&octets]));
        }
    }
}
