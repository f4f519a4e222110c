//! `Authentication-Results` fields from outside that claim to be this server's (RFC 8601 §5): they go, as the message passes. So do
//! `X-Spam-…` fields, where these are this server's word.
//!
//! A field is held back until it is clear whose it is. One whose server can't be read within
//! [`CLAIM_OCTETS_MAX`](super::limits::CLAIM_OCTETS_MAX) goes as well: nobody honest writes so.

use super::limits::CLAIM_OCTETS_MAX;

/// A header on its way through. However it is cut, the same comes out.
pub struct ClaimFilter {
    /// The names that nobody outside may speak under, in lower case.
    ours: Vec<String>,
    state: State,
    /// Octets that wait for a decision.
    held: Vec<u8>,
    /// Fields that went.
    removed: usize,
    /// `X-Spam-…` goes as well.
    spam_fields: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// The name of a field is being read.
    Name,
    /// A field of another name, or of another server.
    Passing,
    /// A field of this name, whose server is to be read at its end.
    Claim,
    /// A field that goes.
    Removing,
    /// The header has ended.
    Body,
}

const NAME: &[u8] = b"authentication-results";
const SPAM: &[u8] = b"x-spam-";

/// Octets of the name of a field that is held back because of its beginning.
const SPAM_NAME_OCTETS_MAX: usize = 100;

/// Whether a text begins with another one, in any case.
fn begins(text: &[u8], with: &[u8]) -> bool {
    text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}

impl ClaimFilter {
    /// For a server with these names.
    #[must_use]
    pub fn new<'a>(ours: impl IntoIterator<Item = &'a str>) -> Self {
        let ours = ours.into_iter().map(str::to_ascii_lowercase).collect();
        Self { ours, state: State::Name, held: Vec::new(), removed: 0, spam_fields: false }
    }

    /// The same, which lets no field pass whose name begins with `X-Spam-`: what they say is this server's word.
    #[must_use]
    pub fn without_spam_fields(mut self) -> Self {
        self.spam_fields = true;
        self
    }

    /// What goes on of the next octets.
    pub fn pass<'o>(&mut self, octets: &'o [u8]) -> std::borrow::Cow<'o, [u8]> {
        if self.state == State::Body {
            return octets.into();
        }
        let mut out = Vec::with_capacity(octets.len());
        let mut rest = octets;
        while !rest.is_empty() {
            if self.state == State::Body {
                out.extend_from_slice(rest);
                break;
            }
            // To the end of the line, or as far as it has come.
            let end = memchr::memchr(b'\n', rest).map_or(rest.len(), |at| at.saturating_add(1));
            let (line, behind) = rest.split_at_checked(end).unwrap_or((rest, &[]));
            self.line(line, &mut out);
            rest = behind;
        }
        out.into()
    }

    /// What is still held at the end of the message.
    pub fn finish(&mut self) -> Vec<u8> {
        let mut out = Vec::new();
        if self.state == State::Claim {
            self.judge(&mut out);
        }
        if self.state == State::Removing {
            self.held.clear();
        }
        self.state = State::Body;
        out.append(&mut self.held);
        out
    }

    /// Fields that went so far.
    #[must_use]
    pub const fn removed(&self) -> usize {
        self.removed
    }

    /// A line, or a part of one.
    fn line(&mut self, line: &[u8], out: &mut Vec<u8>) {
        match self.state {
            State::Name => self.name(line, out),
            State::Passing => out.extend_from_slice(line),
            State::Claim => {
                // The first octet of a line tells whether the field goes on.
                let begins = self.held.ends_with(b"\n");
                if begins && !matches!(line.first(), Some(b' ' | b'\t')) {
                    self.judge(out);
                    self.state = State::Name;
                    return self.name(line, out);
                }
                self.hold_claim(line, out);
            }
            State::Removing => {
                let begins = self.held.ends_with(b"\n");
                if begins && !matches!(line.first(), Some(b' ' | b'\t')) {
                    self.held.clear();
                    self.state = State::Name;
                    return self.name(line, out);
                }
                self.held.clear();
                self.held.extend(line.last());
            }
            State::Body => out.extend_from_slice(line),
        }
        if self.state == State::Passing && line.ends_with(b"\n") {
            self.state = State::Name;
        }
    }

    /// The beginning of a line, in a place where a field may begin.
    fn name(&mut self, line: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(line);
        let colon = memchr::memchr(b':', &self.held);
        let name = self.held.get(..colon.unwrap_or(self.held.len())).unwrap_or_default();
        let blank = self.held == b"\r\n" || self.held == b"\n";
        let known = name.trim_ascii_end().eq_ignore_ascii_case(NAME);
        if known && colon.is_some() {
            self.state = State::Claim;
            return self.hold_claim(b"", out);
        }
        let folded = name.trim_ascii_end();
        if self.spam_fields && colon.is_some() && begins(folded, SPAM) {
            self.removed = self.removed.saturating_add(1);
            let last = self.held.last().copied();
            self.held.clear();
            self.held.extend(last);
            self.state = State::Removing;
            return;
        }
        let may_be_spam = self.spam_fields
            && colon.is_none()
            && !self.held.ends_with(b"\n")
            && name.len() <= SPAM_NAME_OCTETS_MAX
            && (begins(folded, SPAM) || begins(SPAM, folded));
        // Blanks may stand between the name and the colon (RFC 5322 §4.5.8).
        let may_become = colon.is_none()
            && !self.held.ends_with(b"\n")
            && name.len() <= NAME.len().saturating_add(BLANKS_MAX)
            && NAME.get(..folded.len()).is_some_and(|start| start.eq_ignore_ascii_case(folded))
            || self.held == b"\r";
        if may_become || may_be_spam {
            return;
        }
        let ended = self.held.ends_with(b"\n");
        out.append(&mut self.held);
        self.state = match (blank, ended) {
            (true, _) => State::Body,
            (false, true) => State::Name,
            (false, false) => State::Passing,
        };
    }

    fn hold_claim(&mut self, octets: &[u8], out: &mut Vec<u8>) {
        self.held.extend_from_slice(octets);
        if self.held.len() <= CLAIM_OCTETS_MAX {
            return;
        }
        if self.is_ours() {
            self.removed = self.removed.saturating_add(1);
            let last = self.held.last().copied();
            self.held.clear();
            self.held.extend(last);
            self.state = State::Removing;
        } else {
            // Another server's name at the beginning lets it pass, long as it is.
            self.state = if self.held.ends_with(b"\n") { State::Name } else { State::Passing };
            out.append(&mut self.held);
        }
    }

    /// A whole field of this name is held: it goes on, or not.
    fn judge(&mut self, out: &mut Vec<u8>) {
        if self.is_ours() {
            self.removed = self.removed.saturating_add(1);
            self.held.clear();
        } else {
            out.append(&mut self.held);
        }
    }

    fn is_ours(&self) -> bool {
        let colon = memchr::memchr(b':', &self.held).map_or(self.held.len(), |at| at.saturating_add(1));
        let value = self.held.get(colon..).unwrap_or_default();
        match server_of(value) {
            Some(name) => self.ours.iter().any(|ours| name.trim_end_matches('.').eq_ignore_ascii_case(ours)),
            // Nobody's: it can't be told what readers would take it for.
            None => true,
        }
    }
}

/// Blanks between name and colon that are waited for.
const BLANKS_MAX: usize = 64;

/// The `authserv-id` at the beginning of a value (RFC 8601 §2.2): behind comments, a token or a quoted string.
fn server_of(value: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(value);
    let mut chars = text.chars().peekable();
    let mut depth = 0_usize;
    loop {
        match *chars.peek()? {
            '\\' if depth > 0 => {
                chars.next();
            }
            '(' => depth = depth.saturating_add(1),
            ')' if depth > 0 => depth = depth.saturating_sub(1),
            c if depth > 0 || c.is_ascii_whitespace() => {}
            '"' => {
                chars.next();
                return quoted(&mut chars);
            }
            _ => break,
        }
        chars.next();
    }
    let ends = |c: &char| c.is_ascii_whitespace() || matches!(c, ';' | '(' | ')' | '"');
    let name: String = chars.take_while(|c| !ends(c)).collect();
    (!name.is_empty()).then_some(name)
}

fn quoted(chars: &mut impl Iterator<Item = char>) -> Option<String> {
    let mut name = String::new();
    loop {
        match chars.next()? {
            '"' => return Some(name.trim().to_owned()),
            '\\' => name.extend(chars.next()),
            c => name.extend(Some(c).filter(|c| !matches!(c, '\r' | '\n'))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn passed(message: &str, cut: usize) -> String {
        passed_by(ClaimFilter::new(["mx.here.example"]), message, cut)
    }

    fn passed_by(mut filter: ClaimFilter, message: &str, cut: usize) -> String {
        let mut out = Vec::new();
        let (front, behind) = message.as_bytes().split_at(cut.min(message.len()));
        for piece in [front, behind] {
            out.extend_from_slice(&filter.pass(piece));
        }
        out.extend(filter.finish());
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn spam_fields_go_however_they_are_written_and_cut() {
        let long = format!("X-Spam-{}: x\r\n", "y".repeat(SPAM_NAME_OCTETS_MAX));
        for (field, goes) in [
            ("X-Spam-Flag: YES\r\n", true),
            ("x-sPAM-anything : NO\r\n\tand\r\n more\r\n", true),
            ("X-Spam-Reason:\r\n", true),
            ("X-Spam: YES\r\n", false),
            ("X-Spammer: YES\r\n", false),
            ("X-Spam-\r\n", false),
            (long.as_str(), false),
        ] {
            let body = "\r\nX-Spam-Flag: YES\r\n";
            let message = format!("A: b\r\n{field}C: d\r\n X-Spam-Flag: e\r\n{field}{body}");
            let kept = if goes { "" } else { field };
            let kept = format!("A: b\r\n{kept}C: d\r\n X-Spam-Flag: e\r\n{kept}{body}");
            for cut in 0..=message.len() {
                let through = |filter| passed_by(filter, &message, cut);
                assert_eq!(through(ClaimFilter::new(["mx"]).without_spam_fields()), kept, "{field:?} at {cut}");
                assert_eq!(through(ClaimFilter::new(["mx"])), message);
            }
        }
        assert_eq!(
            passed_by(ClaimFilter::new(["mx"]).without_spam_fields(), "A: b\r\nX-Spam-Flag: YES\r\n", 9),
            "A: b\r\n"
        );
    }

    #[test]
    fn rfc8601_5_fields_in_our_name_go_however_they_are_written_and_cut() {
        for field in [
            "Authentication-Results: mx.here.example; spf=pass\r\n",
            "authentication-RESULTS: MX.HERE.example; dkim=pass\r\n",
            "Authentication-Results : mx.here.example 1; none\r\n",
            "Authentication-Results:\r\n mx.here.example;\r\n\tspf=pass\r\n",
            "Authentication-Results: (a (nested) \\) comment;) mx.here.example; none\r\n",
            "Authentication-Results: \"mx.here.example\"; none\r\n",
            "Authentication-Results: \"mx.\\here.example\" (x); none\r\n",
            "Authentication-Results: mx.here.example.; none\r\n",
            "Authentication-Results: mx.here.example(comment); none\r\n",
            "Authentication-Results:\r\n",
            "Authentication-Results: (never ends\r\n",
            "Authentication-Results:;\r\n",
        ] {
            let message = format!("A: b\r\n{field}C: d\r\n {field}\r\nAuthentication-Results: mx.here.example\r\n");
            let folded = format!(" {field}");
            let kept = format!("A: b\r\nC: d\r\n{folded}\r\nAuthentication-Results: mx.here.example\r\n");
            for cut in 0..=message.len() {
                assert_eq!(passed(&message, cut), kept, "{field:?} at {cut}");
            }
        }
    }

    #[test]
    fn all_else_stays() {
        for message in [
            "Authentication-Results: mx.elsewhere.example; spf=pass\r\n\r\nx\r\n",
            "Authentication-Results: mx.here.example.evil.example; spf=pass\r\n\r\nx\r\n",
            "Authentication-Results: not-mx.here.example; spf=pass\r\n\r\nx\r\n",
            "ARC-Authentication-Results: i=1; mx.here.example; none\r\n\r\nx\r\n",
            "X-Authentication-Results: mx.here.example\r\n\r\nx\r\n",
            "Authentication-Results-X: mx.here.example\r\n\r\nx\r\n",
            "Subject: x\r\n Authentication-Results: mx.here.example\r\n\r\nx\r\n",
            "Authentication-Results mx.here.example\r\n\r\nx\r\n",
            "\r\nAuthentication-Results: mx.here.example\r\n",
            "Authentication",
            "A: b",
            "",
        ] {
            for cut in 0..=message.len() {
                assert_eq!(passed(message, cut), message, "at {cut}");
            }
        }
    }

    #[test]
    fn endless_fields_are_bounded() {
        let endless = |start: &str| {
            let mut filter = ClaimFilter::new(["mx.here.example"]);
            let mut out = filter.pass(start.as_bytes()).into_owned();
            for _ in 0..1_000 {
                out.extend_from_slice(&filter.pass(b"x (y) \r\n "));
                assert!(filter.held.len() <= CLAIM_OCTETS_MAX + 10_000);
            }
            out.extend_from_slice(&filter.pass(b"\r\nB: c\r\n\r\n"));
            (out.len(), filter.removed())
        };
        assert_eq!(endless("Authentication-Results: ("), ("B: c\r\n\r\n".len(), 1));
        assert_eq!(endless("Authentication-Results: mx.here.example; "), ("B: c\r\n\r\n".len(), 1));
        assert!(endless("Authentication-Results: mx.other.example; ").0 > 9_000);
    }

    proptest! {
        /// Whatever comes from outside, no field of ours is left that a reader of headers would find.
        #[test]
        fn none_survives(parts in prop::collection::vec(
            "(Authentication-Results:|authentication-results :|A: b|[ \t]|\r\n|mx.here.example|\"|\\(|\\)|;|x){0,6}", 0..8,
        ), cut in 0_usize..200) {
            let message = parts.concat();
            let out = passed(&message, cut);
            for field in message::raw_fields(out.as_bytes()) {
                let named = field.name.is_some_and(|name| name.trim_ascii_end().eq_ignore_ascii_case(NAME));
                if named {
                    let server = server_of(field.value());
                    prop_assert!(server.is_some_and(|name| !name.eq_ignore_ascii_case("mx.here.example")), "{:?}", field);
                }
            }
        }
    }
}
