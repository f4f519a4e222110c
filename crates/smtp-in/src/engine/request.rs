//! The guard in front of `smtp_proto::Request::parse`: what it takes too easily is refused on the raw line.
//!
//! DEPENDENCIES.md §1.1 lists what was seen; each row has its test here or beside its command. smtp-proto gets a
//! checked line with exactly one line end; for MAIL and RCPT its path is `<>`, since ours is read by `mail`.

use std::borrow::Cow;

use smtp_proto::{Error, Request};

use super::verb::Verb;
use crate::misbehaviour::Misbehaviour;

/// A command line that passed the checks: its verb and its argument, without the spaces around them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Checked<'a> {
    pub(super) verb: Verb,
    pub(super) line: &'a str,
    pub(super) argument: &'a str,
}

/// Checks a line, given without its CRLF.
pub(super) fn check(line: &[u8]) -> Result<Checked<'_>, Misbehaviour> {
    if line.iter().any(|b| matches!(b, b'\r' | b'\n')) {
        return Err(Misbehaviour::BareNewlineInCommand);
    }
    if line.iter().any(|b| (*b < b' ' && *b != b'\t') || *b == 0x7f) {
        return Err(Misbehaviour::ControlCharacter);
    }
    let line = str::from_utf8(line).map_err(|_| Misbehaviour::BadUtf8)?;
    // RFC 5321 §4.1.1: trailing white space is tolerated.
    let line = line.trim_end_matches([' ', '\t']);
    let (name, argument) = line.split_once(' ').unwrap_or((line, ""));
    // A leading space leaves an empty name, a tab inside stays in it: neither is a command.
    let verb = Verb::named(name).ok_or(Misbehaviour::UnknownCommand)?;
    if argument.contains('\t') {
        return Err(Misbehaviour::ControlCharacter);
    }
    let argument = argument.trim_start_matches(' ');
    if verb.takes_no_argument() && !argument.is_empty() {
        return Err(Misbehaviour::ArgumentNotAllowed);
    }
    Ok(Checked { verb, line, argument })
}

/// Hands a checked line to smtp-proto.
pub(super) fn parse(line: &str, form: &'static str) -> Result<Request<String>, Misbehaviour> {
    let ended = [line.as_bytes(), b"\r\n"].concat();
    let mut octets = ended.iter();
    let parsed = Request::parse(&mut octets).map(Request::<Cow<'_, str>>::into_owned);
    match parsed {
        // A line that was not read to its end was not understood as a whole.
        Ok(request) if octets.as_slice().is_empty() => Ok(request),
        Ok(_) => Err(Misbehaviour::Syntax(form)),
        Err(Error::UnknownCommand) => Err(Misbehaviour::UnknownCommand),
        Err(Error::UnsupportedParameter { .. }) => Err(Misbehaviour::UnsupportedParameter),
        Err(Error::InvalidParameter { param }) => Err(Misbehaviour::BadParameter(param)),
        Err(
            Error::SyntaxError { .. }
            | Error::InvalidSenderAddress
            | Error::InvalidRecipientAddress
            | Error::NeedsMoreData { .. }
            | Error::ResponseTooLong
            | Error::InvalidResponse { .. },
        ) => Err(Misbehaviour::Syntax(form)),
    }
}

/// Splits `FROM:<path> parameters` behind its keyword: the path in its brackets, and the rest.
///
/// quirk_space_after_colon (2026-11): RFC 5321 §3.3 forbids a space behind the colon; old clients send one.
pub(super) fn split_path<'a>(argument: &'a str, keyword: &str) -> Option<(&'a str, &'a str)> {
    let found = argument.get(..keyword.len()).filter(|found| found.eq_ignore_ascii_case(keyword))?;
    let rest = argument.get(found.len()..)?.strip_prefix(':')?.trim_start_matches(' ');
    if !rest.starts_with('<') {
        return None;
    }
    let mut quoted = false;
    let mut escaped = false;
    for (at, c) in rest.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            '>' if !quoted => {
                let (path, parameters) = rest.split_at_checked(at + 1)?;
                let separated = parameters.is_empty() || parameters.starts_with(' ');
                return separated.then_some((path, parameters));
            }
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn trap_a_bare_lf_does_not_end_a_command() {
        assert_eq!(check(b"NOOP\nNOOP"), Err(Misbehaviour::BareNewlineInCommand));
    }

    #[test]
    fn trap_a_cr_inside_a_command_is_not_dropped() {
        assert_eq!(check(b"E\rHLO a.example"), Err(Misbehaviour::BareNewlineInCommand));
        assert_eq!(check(b"NOOP\r"), Err(Misbehaviour::BareNewlineInCommand));
    }

    #[test]
    fn trap_a_leading_space_is_no_command() {
        assert_eq!(check(b" NOOP"), Err(Misbehaviour::UnknownCommand));
        assert_eq!(check(b""), Err(Misbehaviour::UnknownCommand));
    }

    #[test]
    fn trap_data_starttls_and_quit_take_no_argument() {
        for line in [&b"DATA junk"[..], b"STARTTLS junk", b"QUIT x", b"RSET x"] {
            assert_eq!(check(line), Err(Misbehaviour::ArgumentNotAllowed), "{line:?}");
        }
        assert!(check(b"DATA  ").is_ok());
    }

    #[test]
    fn trap_proxy_commands_are_unknown() {
        for line in [&b"PROXY TCP4 192.0.2.1 192.0.2.2 1 25"[..], b"XFORWARD NAME=x"] {
            assert_eq!(check(line), Err(Misbehaviour::UnknownCommand));
        }
    }

    #[test]
    fn controls_are_refused() {
        assert_eq!(check(b"NOOP \0"), Err(Misbehaviour::ControlCharacter));
        assert_eq!(check(b"NOOP \x7f"), Err(Misbehaviour::ControlCharacter));
        assert_eq!(check(b"NOOP a\tb"), Err(Misbehaviour::ControlCharacter));
    }

    #[test]
    fn trap_invalid_utf8_is_refused_and_never_replaced() {
        assert_eq!(check(b"NOOP \xff"), Err(Misbehaviour::BadUtf8));
        assert_eq!(check(b"MAIL FROM:<a\xc3@b.example> SMTPUTF8"), Err(Misbehaviour::BadUtf8));
    }

    #[test]
    fn a_path_ends_at_its_bracket_outside_quotes() {
        assert_eq!(split_path("FROM:<a@b> SIZE=1", "FROM"), Some(("<a@b>", " SIZE=1")));
        assert_eq!(split_path("from: <\">\\\"\"@b>", "FROM"), Some(("<\">\\\"\"@b>", "")));
        for wrong in ["FROM", "FROM:", "FROM:a@b", "FROM:<a@b", "FROM:<a@b>x", "FROM <a@b>", "TO:<a@b>", "FROé:<>"] {
            assert_eq!(split_path(wrong, "FROM"), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_line_panics(line in proptest::collection::vec(any::<u8>(), 0..80)) {
            if let Ok(checked) = check(&line) {
                parse(checked.line, "").ok();
            }
        }

        #[test]
        fn no_command_panics(verb in "(EHLO|MAIL|RCPT|BDAT|AUTH|NOOP|VRFY|HELP|EXPN|ETRN)", rest in ".{0,60}") {
            parse(&format!("{verb} {rest}"), "").ok();
        }
    }
}
